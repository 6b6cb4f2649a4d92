#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# ./dev bundle: packs build/penchant-VERSION-x86_64.tar.xz, which runs on any x86-64 Linux with a Vulkan
# driver, unpacked anywhere, without root: the program, the libraries that it needs, its translations, the
# starter model.
#
# The graphics driver is the host's, and wants C and C++ libraries that are no older than its own. So the
# bundle has these with their dynamic linker (lib/c), and starts with the newer ones of them and the
# host's, by the version of glibc. The Vulkan loader (lib/vulkan) is used where the host has none.

set -euo pipefail

repo=$(readlink -f -- "${BASH_SOURCE[0]%/*}/../..")
build=$repo/build
lib=/usr/lib/x86_64-linux-gnu

[[ $(uname -m) == x86_64 ]] || { echo "bundle: for x86-64 alone"; exit 1; }
version=$("$build/src/cli/penchant" --version | sed -n '1s/.* //p')
name=penchant-$version-x86_64
stage=$build/bundle/$name
rm -rf "$stage"
mkdir -p "$stage"/{bin,lib/c,lib/vulkan,models}

install -s "$build/src/cli/penchant" "$stage/bin/penchant"
ldd "$build/src/cli/penchant" | awk '$3 ~ /^\// { print $3 }' | while read -r path; do
    case ${path##*/} in
        libc.so.* | libm.so.* | libresolv.so.* | libstdc++.so.* | libgcc_s.so.*) cp -L "$path" "$stage/lib/c/" ;;
        *) cp -L "$path" "$stage/lib/" ;;
    esac
done
# What drivers may ask for, and the linker itself.
for part in libm.so.6 libdl.so.2 libpthread.so.0 librt.so.1 libresolv.so.2 libutil.so.1 libstdc++.so.6 libgcc_s.so.1 ld-linux-x86-64.so.2; do
    cp -L "$lib/$part" "$stage/lib/c/"
done
cp -L "$lib/libvulkan.so.1" "$stage/lib/vulkan/"
strip --strip-unneeded "$stage"/lib/*.so* "$stage"/lib/vulkan/*
getconf GNU_LIBC_VERSION | awk '{ print $2 }' >"$stage/lib/c/version"

cp -r "$repo/models/starter" "$stage/models/starter"
rm -rf "$stage/models/starter"/{recipe,judges,samples.png}
for translation in "$build"/po/*/LC_MESSAGES/penchant.mo; do
    language=${translation#"$build/po/"}
    install -D -m 644 "$translation" "$stage/locale/$language"
done
cp "$repo/COPYING" "$stage/"
# Debian's packages, whose sources it offers for these versions; the private root has no copyright files.
mkdir "$stage/licenses"
cp -L /usr/share/common-licenses/{GPL-2,GPL-3,LGPL-2,LGPL-2.1} "$stage/licenses/"
for file in "$stage"/lib/*.so* "$stage"/lib/*/*.so*; do
    package=$(dpkg-query -S "*/${file##*/}" 2>/dev/null | head -n 1)
    package=${package%%:*}
    dpkg-query -W -f '${source:Package} ${source:Version} (Debian)\n' "$package"
    copyright=/usr/share/doc/$package/copyright
    [[ ! -e $copyright ]] || cp "$copyright" "$stage/licenses/$package"
done | sort -u >"$stage/licenses/sources"

cat >"$stage/README" <<README
Penchant $version: teaches an image model your taste. The command line, for any x86-64 Linux with a Vulkan
driver; see ./penchant --help.

    ./penchant selftest     whether your graphics driver computes what it should
    ./penchant bench        how fast
    ./penchant generate --prompt "a bird" --out /tmp/birds

Penchant is free software (COPYING); where its libraries come from: licenses/.
README

cat >"$stage/penchant" <<'LAUNCHER'
#!/bin/sh
# The newer glibc of the bundle's and the host's serves both Penchant and the graphics driver.
here=$(dirname -- "$(readlink -f -- "$0")")
ours=$(cat "$here/lib/c/version")
theirs=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed 's/.* //')
path=$here/lib
linker=/lib64/ld-linux-x86-64.so.2
if [ ! -e "$linker" ] || [ "$(printf '%s\n%s\n' "$ours" "${theirs:-0}" | sort -V | tail -n 1)" = "$ours" ]; then
    linker=$here/lib/c/ld-linux-x86-64.so.2
    path=$here/lib/c:$path:/usr/lib64:/usr/lib/x86_64-linux-gnu:/usr/lib
fi
found=
for folder in /usr/lib/x86_64-linux-gnu /usr/lib64 /usr/lib /lib64 /lib/x86_64-linux-gnu /run/opengl-driver/lib; do
    [ ! -e "$folder/libvulkan.so.1" ] || found=$folder
done
[ -n "$found" ] || path=$path:$here/lib/vulkan
export PENCHANT_MODELS="${PENCHANT_MODELS:-$here/models}" PENCHANT_LOCALE="$here/locale"
exec "$linker" --library-path "$path" --argv0 penchant "$here/bin/penchant" "$@"
LAUNCHER
chmod 755 "$stage/penchant"

tar -C "$build/bundle" --sort=name --owner=0 --group=0 --numeric-owner --use-compress-program "xz -T0" -cf "$repo/build/$name.tar.xz" "$name"
size=$(stat -c %s "$repo/build/$name.tar.xz")
echo "build/$name.tar.xz: $((size / 1000000)) MB"
[[ $size -le 60000000 ]] || { echo "bundle: larger than 60 MB"; exit 1; }
