#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# deb-test.sh FOLDER: what becomes of a machine, and of an artist's data, where the packages of FOLDER are
# installed, used, and removed again. Changes the machine that it runs on: ./dev deb --test gives it one.

set -euo pipefail

packages=$(readlink -f -- "$1")
names=(penchant gimp-plugin-penchant penchant-starter-model)
home=/home/artist
tiny=(--steps 3 --width 32 --height 32)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$home"

ok() { printf 'ok - %s\n' "$1"; }

# Kernels that run a few times need not be optimised by software Vulkan.
artist() { (cd "$home" && env -i HOME="$home" PATH=/usr/bin:/bin LC_ALL=C.UTF-8 GALLIVM_PERF=nopt "$@"); }

install_from() { DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$1"/*.deb </dev/null >"$work/apt.log" 2>&1 || { cat "$work/apt.log"; exit 1; }; }

# An older version of the same packages.
mkdir "$work/older" "$work/newer"
for name in "${names[@]}"; do
    cp "$packages/${name}_"[0-9]*.deb "$work/newer/"
    dpkg-deb --raw-extract "$work/newer/${name}_"*.deb "$work/tree"
    sed -i -E 's/^Version: .*/Version: 0.1.0/; s/(penchant \(= )[^)]*/\10.1.0/' "$work/tree/DEBIAN/control"
    dpkg-deb --root-owner-group --build "$work/tree" "$work/older/$name.deb" >/dev/null
    rm -r "$work/tree"
done

# Manuals and the like belong to what is tried.
rm -f /etc/dpkg/dpkg.cfg.d/penchant

install_from "$work/older"
ok "an older version is installed"
artist penchant generate --prompt "a bird" --count 2 "${tiny[@]}" --seed 1 --out "$home/birds"
artist penchant pick 1 --best 1
artist penchant teach --style mine --epochs 1 --updates 1 --quiet >/dev/null
before=$(artist penchant history --json)
ok "an artist works with it"

install_from "$work/newer"
for name in "${names[@]}"; do
    [[ $(dpkg-query -W -f '${Version}' "$name") != 0.1.0 ]]
done
[[ $(artist penchant history --json) == "$before" ]]
artist penchant store check
artist penchant generate --prompt "a heart" --style mine --count 1 "${tiny[@]}" --seed 2 --out "$home/hearts"
ok "the new version goes on with the store of the older one"

artist gimp-console-3.0 --no-interface --new-instance --batch-interpreter plug-in-script-fu-eval --quit \
    -b '(let ((made (plug-in-penchant #:run-mode RUN-NONINTERACTIVE #:prompt "a cat" #:count 1 #:steps 3 #:width 32 #:height 32 #:seed 3)))
          (gimp-message (string-append "round=" (number->string (car made)))))' >"$work/gimp.log" 2>&1 || true
grep -q 'round=3' "$work/gimp.log" || { cat "$work/gimp.log"; exit 1; }
ok "GIMP finds the plug-in, and it makes a round"

bash -c 'source /usr/share/bash-completion/completions/penchant && complete -p penchant' >/dev/null
for page in man1/penchant.1 man7/penchant-procedures.7; do
    zcat "/usr/share/man/$page.gz" | grep -q '^\.TH'
done
[[ $(LC_ALL=C penchant --version | head -n 1) == "penchant "* ]]
ok "completion and manuals are there"

# Files of these packages, and of nobody else: /etc is the root's own (./dev), and they have nothing in it.
left() { find / -xdev \( -path /proc -o -path /etc -o -path "$home" -o -path "$work" -o -path /tmp \) -prune -o -iname '*penchant*' -print; }
apt-get remove -qq -y "${names[@]}" </dev/null >/dev/null 2>&1
[[ ! -e /usr/bin/penchant ]]
dpkg --purge "${names[@]}" >/dev/null 2>&1
[[ -z $(left) ]] || { left; exit 1; }
[[ -s $home/.local/share/penchant/penchant.db && -s $home/birds/round1-0.png ]]
ls "$home"/.local/share/penchant/styles/*/*.safetensors >/dev/null
ok "removed and purged, nothing stays but the artist's own data"
