#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes tests/data/adapters: small adapters as PEFT saves them, and what PEFT itself makes of them.

    PYTHONPATH=<folder with peft> peft_golden.py tests/data/adapters

Each folder has adapter_config.json, adapter_model.safetensors, and expected.safetensors with what PEFT adds to each
layer's weight (get_delta_weight), under the layer's path.
"""

import pathlib
import sys

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file

BLOCK = "down_blocks.0.attentions.0.transformer_blocks.0"
LAYERS = {"attn1.to_q": (6, 4), "attn1.to_k": (6, 4), "attn1.to_out.0": (4, 4), "attn2.to_q": (6, 4)}
CASES = {
    "plain": dict(r=2, lora_alpha=16),
    "rslora": dict(r=4, lora_alpha=8, use_rslora=True),
    "patterns": dict(r=4, lora_alpha=16, rank_pattern={"to_k": 2, "attn1.to_out.0": 3},
                     alpha_pattern={r"attn1\.to_(q|k)": 12, "to_q": 6}),
    "rslora-patterns": dict(r=4, lora_alpha=2, use_rslora=True, rank_pattern={"attn2.to_q": 9},
                            alpha_pattern={"attn2.to_q": 5}),
}


def model():
    root = torch.nn.Module()
    for name, (n_in, n_out) in LAYERS.items():
        at = root
        *parents, last = (BLOCK + "." + name).split(".")
        for part in parents:
            if part not in at._modules:
                at.add_module(part, torch.nn.Module())
            at = at._modules[part]
        at.add_module(last, torch.nn.Linear(n_in, n_out))
    return root


def main(out):
    for name, settings in CASES.items():
        torch.manual_seed(1)
        config = LoraConfig(target_modules=list(LAYERS), init_lora_weights=False, **settings)
        adapted = get_peft_model(model(), config)
        adapted.save_pretrained(out / name)
        (out / name / "README.md").unlink(missing_ok=True)
        deltas = {path.removeprefix("base_model.model."): module.get_delta_weight("default").detach().clone()
                  for path, module in adapted.named_modules() if hasattr(module, "get_delta_weight")}
        assert len(deltas) == len(LAYERS)
        save_file(deltas, out / name / "expected.safetensors")


main(pathlib.Path(sys.argv[1]))
