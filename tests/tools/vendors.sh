#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# ./dev vendors [NAME...]: compiles every kernel of Stable Diffusion 1.5 and SDXL with the GPU compilers of Mesa,
# each behind a library that makes believe there is such a GPU (mesa-drm-shim; for Intel see
# intel-shim.sh), and says what became of them. Without names, for all GPUs below; --few: one of each
# kind of compiler, another one every day. Exit status 77: no such library is installed.

set -euo pipefail

repo=$(readlink -f -- "${BASH_SOURCE[0]%/*}/../..")
program=$repo/build/tests/tools/vendors

# Name, shim, driver, and the variable that tells the shim which GPU.
gpus="
polaris12  amdgpu    radeon    AMDGPU_GPU_ID=polaris12
vega10     amdgpu    radeon    AMDGPU_GPU_ID=vega10
navi10     amdgpu    radeon    AMDGPU_GPU_ID=navi10
navi21     amdgpu    radeon    AMDGPU_GPU_ID=navi21
vangogh    amdgpu    radeon    AMDGPU_GPU_ID=vangogh
navi31     amdgpu    radeon    AMDGPU_GPU_ID=navi31
strix1     amdgpu    radeon    AMDGPU_GPU_ID=strix1
gfx1201    amdgpu    radeon    AMDGPU_GPU_ID=gfx1201
turing     nouveau   nouveau   NOUVEAU_CHIPSET=162
ampere     nouveau   nouveau   NOUVEAU_CHIPSET=172
skl        intel     intel     INTEL_STUB_GPU_PLATFORM=skl
tgl        intel     intel     INTEL_STUB_GPU_PLATFORM=tgl
dg2        intel     intel     INTEL_STUB_GPU_PLATFORM=dg2
mtl        intel     intel     INTEL_STUB_GPU_PLATFORM=mtl
lnl        intel     intel     INTEL_STUB_GPU_PLATFORM=lnl
bmg        intel     intel     INTEL_STUB_GPU_PLATFORM=bmg
m1         asahi     asahi     ASAHI_NOOP=1
adreno630  freedreno freedreno FREEDRENO_NOOP=1
"

shim_of() {
    local path
    for path in /usr/lib/*/lib"$1"_noop_drm_shim.so "$intel/lib$1_noop_drm_shim.so"; do
        [[ ! -e $path ]] || { echo "$path"; return; }
    done
}

# Today's GPU of each shim.
few() {
    awk -v day="$(date +%-j)" 'NF { n[$2]++; names[$2, n[$2] - 1] = $1 }
        END { for (shim in n) print names[shim, day % n[shim]] }' <<<"$gpus"
}

intel=
[[ -n $(shim_of amdgpu) ]] || { echo "vendors: mesa-drm-shim is not installed"; exit 77; }
[[ -x $program ]] || { echo "vendors: $program is not built"; exit 1; }

[[ ${1:-} != --few ]] || set -- $(few)
names=$(awk 'NF { print $1 }' <<<"$gpus")
for wanted in "$@"; do
    grep -qxF -- "$wanted" <<<"$names" || { echo "vendors: no GPU $wanted; there are:" $names; exit 1; }
done

status=0
while read -r name shim driver which; do
    [[ -n $name && (" $* " == "  " || " $* " == *" $name "*) ]] || continue
    icd=/usr/share/vulkan/icd.d/${driver}_icd.json
    if [[ $shim == intel ]]; then
        [[ -n $intel ]] || intel=$("$repo/tests/tools/intel-shim.sh") || { status=1; continue; }
        icd=$intel/intel_icd.json
    fi
    printf '%s: ' "$name"
    # Their answers must not end up in a cache that a real GPU reads.
    env "$which" LD_PRELOAD="$(shim_of "$shim")" VK_DRIVER_FILES="$icd" \
        MESA_SHADER_CACHE_DISABLE=true XDG_CACHE_HOME="$repo/build/vendors" "$program" || status=1
done <<<"$gpus"
exit $status
