#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# ./dev gimp [ARGS...]: GIMP with the plug-in from build/, in a private profile that is kept between calls.

set -euo pipefail

repo=$(readlink -f -- "${BASH_SOURCE[0]%/*}/../..")
profile=$repo/build/gimp
if [[ -z ${DISPLAY:-}${WAYLAND_DISPLAY:-} ]]; then
    echo "gimp: there is no screen here (DISPLAY and WAYLAND_DISPLAY are not set)" >&2
    exit 1
fi
bash "$repo/tests/tools/gimp-profile.sh" "$repo/build" "$profile"
export GIMP3_DIRECTORY=$profile
exec gimp-3.0 "$@"
