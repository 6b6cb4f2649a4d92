#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What to run on a machine with a real GPU, in less than eight minutes: nvidia.sh BUILD [OUT]. BUILD is a
# build folder that has been built there, or a copy of one. Each part has its own time limit and its own
# file in OUT, so that a broken part leaves the others' figures; the last lines say which parts failed.
# docs/performance.md takes device, driver, date and ratios from here.

set -uo pipefail

build=$(readlink -f -- "${1:?nvidia.sh BUILD [OUT]}")
out=$(mkdir -p "${2:-nvidia-report}" && readlink -f -- "${2:-nvidia-report}")
repo=$(readlink -f -- "${BASH_SOURCE[0]%/*}/../..")
penchant=$build/src/cli/penchant
failed=()

# part NAME SECONDS COMMAND...
part() {
    local name=$1 seconds=$2 status=0 begin=$SECONDS
    shift 2
    timeout "$seconds" "$@" >"$out/$name.txt" 2>&1 || status=$?
    printf '%-28s %4d s  %s\n' "$name" $((SECONDS - begin)) "$([[ $status -eq 0 ]] && echo good || echo "failed ($status)")"
    [[ $status -eq 0 ]] || failed+=("$name")
}

{ date -u; nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv 2>&1; uname -a; } >"$out/machine.txt"
cat "$out/machine.txt"

part devices 20 "$penchant" devices
part selftest 150 "$penchant" selftest
part devices-json 20 "$penchant" devices --json
part lowering 60 "$build/tests/models/test-lowering"
part operations-f32 60 "$build/tests/compute/test-operations" -p /f32/gradient
part operations-f16 60 "$build/tests/compute/test-operations" -p /f16/gradient
part golden 60 "$build/tests/models/test-golden"
for precision in f32 f16; do
    part "unet-$precision" 40 "$penchant" bench unet --arch sd15 --random --precision "$precision" --profile
    part "train-$precision" 40 "$penchant" bench train --arch sd15 --random --precision "$precision" --profile
    part "vae-$precision" 40 "$penchant" bench vae --arch sd15 --random --precision "$precision" --profile
done
if python3 -c 'import torch, diffusers; assert torch.cuda.is_available()' 2>/dev/null; then
    part torch 120 python3 "$repo/tests/tools/nvidia_torch.py"
fi

printf '%d parts failed: %s\n' "${#failed[@]}" "${failed[*]:-none}"
[[ ${#failed[@]} -eq 0 ]]
