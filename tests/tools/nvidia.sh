#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What to run on a machine with a real GPU, in less than eight minutes: nvidia.sh BUILD [OUT]. BUILD is a
# folder that was built there, a copy of one at the same path, or an unpacked bundle (./dev bundle), which
# has no tests. The most telling parts come first. Each has its own time limit and its own file in OUT, so
# that a broken part leaves the others' figures; the last lines say which parts failed. PENCHANT_DEVICE
# names another GPU. docs/performance.md takes device, driver, date and ratios from here.

set -uo pipefail

build=$(readlink -f -- "${1:?nvidia.sh BUILD [OUT]}")
out=$(mkdir -p "${2:-nvidia-report}" && readlink -f -- "${2:-nvidia-report}")
repo=$(readlink -f -- "${BASH_SOURCE[0]%/*}/../..")
penchant=$build/src/cli/penchant
[[ -x $penchant ]] || penchant=$build/penchant
[[ -x $penchant ]] || { echo "nvidia: there is no penchant in $build"; exit 1; }
# Findings and compiled kernels of this run alone.
export XDG_CACHE_HOME=$out/cache PENCHANT_DATA=$out/data
export PENCHANT_DEVICE=${PENCHANT_DEVICE:-NVIDIA}
[[ ! -d $repo/models/starter ]] || export PENCHANT_MODELS=${PENCHANT_MODELS:-$repo/models}
limit=470
failed=() left_out=()

# Containers often have NVIDIA's driver without the file that names it to Vulkan.
if ! ls /usr/share/vulkan/icd.d/*nvidia* /etc/vulkan/icd.d/*nvidia* >/dev/null 2>&1; then
    for library in libGLX_nvidia.so.0 libEGL_nvidia.so.0; do
        [[ -n $(ldconfig -p 2>/dev/null | grep -F "$library") && -z ${VK_DRIVER_FILES:-} ]] || continue
        printf '{"file_format_version": "1.0.0", "ICD": {"library_path": "%s", "api_version": "1.3.0"}}\n' \
            "$library" >"$out/nvidia_icd.json"
        export VK_DRIVER_FILES=$out/nvidia_icd.json
    done
fi

# part NAME SECONDS COMMAND...
part() {
    local name=$1 seconds=$2 status=0 begin=$SECONDS
    shift 2
    seconds=$((seconds < limit - SECONDS ? seconds : limit - SECONDS))
    if [[ $seconds -lt 5 || ! -x $(command -v "$1") ]]; then
        left_out+=("$name")
        return
    fi
    timeout --kill-after=5 "$seconds" "$@" >"$out/$name.txt" 2>&1 || status=$?
    printf '%-28s %4d s  %s\n' "$name" $((SECONDS - begin)) "$([[ $status -eq 0 ]] && echo good || echo "failed ($status)")"
    [[ $status -eq 0 ]] || failed+=("$name")
}

bench() { # WHAT PRECISION
    part "$1-$2" 40 "$penchant" bench "$1" --arch sd15 --random --precision "$2" --profile
}

{
    date -u
    nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv
    uname -a
    ls /usr/share/vulkan/icd.d /etc/vulkan/icd.d
    echo "${VK_DRIVER_FILES:-}"
} >"$out/machine.txt" 2>&1
cat "$out/machine.txt"

part devices 20 "$penchant" devices --json
part selftest 120 "$penchant" selftest
for what in unet train vae; do bench "$what" f16; done
if python3 -c 'import torch, diffusers; assert torch.cuda.is_available()' 2>/dev/null; then
    part torch 90 env PYTHONUNBUFFERED=1 python3 "$repo/tests/tools/nvidia_torch.py"
fi
for what in unet train vae; do bench "$what" f32; done
part golden 60 "$build/tests/models/test-golden"
part operations-f16 40 "$build/tests/compute/test-operations" -p /f16/gradient
part operations-f32 40 "$build/tests/compute/test-operations" -p /f32/gradient
part lowering 30 "$build/tests/models/test-lowering"

printf '%d parts left out: %s\n' "${#left_out[@]}" "${left_out[*]:-none}"
printf '%d parts failed: %s\n' "${#failed[@]}" "${failed[*]:-none}"
[[ ${#failed[@]} -eq 0 ]]
