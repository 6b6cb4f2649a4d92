#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# dist-test.sh BUILD: the archive of a release, as meson dist makes it of what is committed, can be built on its
# own, where git knows nothing of it, and passes the tests that need no device.

set -euo pipefail

build=$(readlink -f -- "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

meson dist -C "$build" --no-tests --allow-dirty --formats gztar
tar -C "$folder" -xzf "$(ls -t "$build"/meson-dist/penchant-*.tar.gz | head -n 1)"
cd "$folder"/penchant-*
meson setup build
ninja -C build
meson test -C build --suite cpu --print-errorlogs --timeout-multiplier 4
