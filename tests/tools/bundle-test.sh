#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# bundle-test.sh BUNDLE ICD: unpacks the bundle and runs it on this machine as on a foreign one: with an empty
# environment, an empty home and no driver but the one that the file ICD names.

set -euo pipefail

bundle=$(readlink -f -- "$1") icd=$(readlink -f -- "$2")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
tar -C "$folder" -xJf "$bundle"
program=$(echo "$folder"/penchant-*/penchant)

clean() { env -i HOME="$folder" PATH=/usr/bin:/bin VK_DRIVER_FILES="$icd" "$program" "$@"; }

[[ "$(clean --version)" == penchant\ * ]]
clean devices
clean generate --prompt "a bird" --count 1 --steps 2 --precision f32 --out "$folder/pictures"
ls "$folder"/pictures/*.png >/dev/null
