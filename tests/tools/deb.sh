#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# ./dev deb [--test]: makes Debian's packages of the tracked files, into build/deb/: penchant,
# gimp-plugin-penchant and penchant-starter-model. They are built for Debian 13 in a root of its own that
# has only what packaging/debian/control asks for, and lintian has to find nothing.
#
# --test also builds them a second time in another folder, which must give the same bytes, and tries them
# on a fresh machine: deb-test.sh.

set -euo pipefail

repo=$(readlink -f -- "${BASH_SOURCE[0]%/*}/../..")
out=$repo/build/deb
cd "$repo"
version=$(sed -n "s/^  version: '\(.*\)',/\1/p" meson.build)
[[ $(head -n 1 packaging/debian/changelog) == "penchant ($version) "* ]] || {
    echo "deb: packaging/debian/changelog begins with another version than meson.build: $version" >&2
    exit 1
}

# make_packages FOLDER KIND: builds there; KIND is full, or binary without the source package.
make_packages() {
    local tree=$1/penchant-$version
    rm -rf "$1"
    mkdir -p "$tree"
    git ls-files -z | tar --null --files-from - --create | tar -C "$tree" --extract
    mv "$tree/packaging/debian" "$tree/debian"
    # shellcheck disable=SC2016
    ./dev --in deb sh -c 'cd "$1" && dpkg-buildpackage --build="$2" --source-option=-z1 --no-sign >"$1.log" 2>&1 ||
        { tail -n 40 "$1.log"; exit 1; }' sh "$tree" "$2"
    rm -rf "$tree"
}

make_packages "$out" full
./dev --in deb lintian --allow-root --fail-on error,warning,info --tag-display-limit 0 "$out"/*.changes
(cd "$out" && sha256sum ./*.deb)
[[ ${1:-} == --test ]] || exit 0

make_packages "$out/again" binary
(cd "$out" && for file in *.deb; do cmp "$file" "again/$file"; done)
echo "ok - built twice, the packages are the same"
rm -rf "$out/again"
exec ./dev --in-copy artist /bin/bash "$repo/tests/tools/deb-test.sh" "$out"
