#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# bundle-test.sh ICD [BUNDLE]: unpacks the bundle (without a name: packs one) and runs it on this machine as on a
# foreign one: with an empty environment, an empty home and no driver but the one that the file ICD names.

set -euo pipefail

repo=$(readlink -f -- "${BASH_SOURCE[0]%/*}/../..")
icd=$(readlink -f -- "$1")
if [[ $# -lt 2 ]]; then
    "$repo/tests/tools/bundle.sh"
    set -- "$1" "$(ls -t "$repo"/build/penchant-*-x86_64.tar.xz | head -n 1)"
fi
bundle=$(readlink -f -- "$2")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
tar -C "$folder" -xJf "$bundle"
program=$(echo "$folder"/penchant-*/penchant)

clean_in() { env -i HOME="$folder" PATH=/usr/bin:/bin VK_DRIVER_FILES="$icd" "$1" "$program" "${@:2}"; }
clean() { clean_in LC_ALL=C.UTF-8 "$@"; }

[[ "$(clean --version)" == penchant\ * ]]
# A translation needs a language that the machine knows.
if locale -a | grep -qi '^de_DE.utf'; then [[ "$(clean --help)" != "$(clean_in LC_ALL=de_DE.UTF-8 --help)" ]]; fi
clean devices
clean generate --prompt "a bird" --count 1 --steps 2 --precision f32 --out "$folder/pictures"
ls "$folder"/pictures/*.png >/dev/null
