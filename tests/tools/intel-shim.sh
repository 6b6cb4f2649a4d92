#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Debian packages Mesa's make-believe GPUs for all vendors but Intel. This builds the one for Intel from
# Debian's own source of Mesa, once, in the cache folder, and unpacks Intel's driver of the same version
# beside it: another version does not fit. Prints the folder with
#
#   libintel_noop_drm_shim.so   to preload
#   intel_icd.json              for VK_DRIVER_FILES

set -euo pipefail

suite=trixie
cache=${XDG_CACHE_HOME:-$HOME/.cache}/penchant
folder=$cache/intel-shim
[[ ! -e $folder/intel_icd.json ]] || { echo "$folder"; exit 0; }

mkdir -p "$cache"
exec 9>"$cache/intel-shim.lock"
flock 9
[[ ! -e $folder/intel_icd.json ]] || { echo "$folder"; exit 0; }

work=$cache/intel-shim.making
rm -rf "$work"
mkdir -p "$work/apt/lists/partial" "$work/apt/archives/partial" "$work/driver"
cd "$work"

# The machine's own archives, with their sources, in lists of our own.
cat /etc/apt/sources.list.d/*.sources 2>/dev/null | sed 's/^Types:.*/Types: deb deb-src/' >apt/all.sources
[[ -s apt/all.sources ]] || { echo "intel-shim: apt here has no .sources file" >&2; exit 1; }
apt=(-o "Dir::Etc::SourceList=$work/apt/all.sources" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$work/apt/lists"
    -o "Dir::Cache=$work/apt" -o APT::Sandbox::User=root -qq)
{
    apt-get "${apt[@]}" update
    apt-get "${apt[@]}" source --download-only "mesa/$suite"
    dpkg-source --no-check -x mesa_*.dsc mesa
    version=$(sed -n 's/^Version: //p' mesa_*.dsc)
    apt-get "${apt[@]}" download "mesa-vulkan-drivers=$version"
    dpkg-deb -x mesa-vulkan-drivers_*.deb driver
    meson setup build mesa -Dvulkan-drivers= -Dgallium-drivers= -Dtools=drm-shim,intel -Dplatforms= -Dglx=disabled \
        -Degl=disabled -Dopengl=false -Dgles1=disabled -Dgles2=disabled -Dllvm=disabled -Dgbm=disabled \
        -Dxmlconfig=disabled -Dvalgrind=disabled -Dlibunwind=disabled
    ninja -C build src/intel/tools/libintel_noop_drm_shim.so
} >log 2>&1 || { tail -n 20 log >&2; echo "intel-shim: the build failed; the log is $work/log" >&2; exit 1; }

mkdir -p made
cp build/src/intel/tools/libintel_noop_drm_shim.so made/
cp driver/usr/lib/*/libvulkan_intel.so made/
printf '{"file_format_version": "1.0.0", "ICD": {"library_path": "%s", "api_version": "1.4.0"}}\n' \
    "$folder/libvulkan_intel.so" >made/intel_icd.json
rm -rf "$folder"
mv -T made "$folder"
cd /
rm -rf "$work"
echo "$folder"
