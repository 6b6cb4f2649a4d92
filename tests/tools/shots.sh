#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# ./dev shots: the window in each of its states as build/shots/*.png, to be looked at.

set -euo pipefail

repo=$(readlink -f -- "${BASH_SOURCE[0]%/*}/../..")
exec python3 "$repo/tests/plugin/shots.py" "$repo/build" "$repo/build/shots" "$@"
