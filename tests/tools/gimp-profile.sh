#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# gimp-profile.sh BUILD PROFILE [GIMPRC-LINE...]
#
# Makes a private profile folder for GIMP (GIMP3_DIRECTORY) in which the plug-in of a build folder is
# linked, the welcome dialog is closed, and nothing asks to be saved.

set -euo pipefail

build=$(readlink -f -- "$1")
profile=$(readlink -m -- "$2")
shift 2

mkdir -p "$profile/plug-ins/penchant"
ln -sfn "$build/plugin/penchant" "$profile/plug-ins/penchant/penchant"
ln -sfn "$build/po" "$profile/plug-ins/penchant/locale"

version=$(gimp-3.0 --version | sed -n 's/.* \([0-9]\+\.[0-9]\+\.[0-9]\+\).*/\1/p')
{
    printf '(config-version "%s")\n' "$version"
    printf '%s\n' '(show-welcome-dialog no)' '(check-updates no)' '(save-session-info no)' '(save-tool-options no)'
    [[ $# -eq 0 ]] || printf '%s\n' "$@"
} >"$profile/gimprc"
