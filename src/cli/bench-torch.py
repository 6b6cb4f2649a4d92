# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the cases of `penchant bench kernels` as JSON and prints the seconds that PyTorch takes for
each on the processor; null for what this PyTorch cannot do. Fails where there is no PyTorch.
"""

import json
import statistics
import sys
import time

import torch
from torch.nn import functional as F


def inputs(case):
    if case["height"]:
        return torch.randn(1, case["in"], case["height"], case["width"])
    return torch.randn(1, case["rows"], case["in"])


def split(tensor, heads):
    return tensor.unflatten(-1, (heads, -1)).transpose(1, 2)


def operation(case, x):
    """The case as a function of x and of what else it reads, which perhaps wants a gradient."""
    kind, channels = case["kind"], case["in"]
    if kind in ("linear", "adapter"):
        weight = torch.randn(case["out"], channels)
        return weight, lambda x, weight: F.linear(x, weight)
    if kind == "conv":
        weight = torch.randn(case["out"], channels, case["kernel"], case["kernel"])
        return weight, lambda x, weight: F.conv2d(x, weight, None, case["stride"], 1)
    if kind == "attention":
        keys, heads = torch.randn(2, 1, case["keys"], channels), case["heads"]
        return keys, lambda x, keys: F.scaled_dot_product_attention(split(x, heads), split(keys[0], heads),
                                                                    split(keys[1], heads))
    if kind in ("group norm", "layer norm"):
        gamma, beta = torch.randn(channels), torch.randn(channels)
        if kind == "layer norm":
            return None, lambda x, _: F.layer_norm(x, (channels,), gamma, beta)
        return None, lambda x, _: F.silu(F.group_norm(x, 32, gamma, beta))
    if kind == "geglu":
        return None, lambda x, _: x[..., :channels // 2] * F.gelu(x[..., channels // 2:])
    other = torch.randn_like(x)
    return None, {
        "silu": lambda x, _: F.silu(x),
        "add": lambda x, _: x + other,
        "concat": lambda x, _: torch.cat([x, other], -1),
        "upsample": lambda x, _: F.interpolate(x, scale_factor=2.0, mode="nearest"),
    }[kind]


def work(case):
    x = inputs(case)
    weight, function = operation(case, x)
    if not case["gradient"]:
        def forward():
            with torch.no_grad():
                function(x, weight)
        return forward
    targets = {"adapter": [weight], "attention": [x, weight]}.get(case["kind"], [x])
    for target in targets:
        target.requires_grad_()
    y = function(x, weight)
    gradient = torch.randn_like(y)
    return lambda: torch.autograd.grad(y, targets, gradient, retain_graph=True)


def measure(case):
    try:
        run = work(case)
        run()
    except (AttributeError, RuntimeError):
        return None
    seconds = []
    for _ in range(5):
        since = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - since)
    return statistics.median(seconds)


torch.manual_seed(1)
print(json.dumps([measure(case) for case in json.load(sys.stdin)]))
