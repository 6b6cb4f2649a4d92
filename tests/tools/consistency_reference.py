#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records D3PO of consistency steps (LCM), by the formulas alone, with PyTorch's automatic gradient.

    consistency_reference.py FILE      makes tests/data/golden/consistency-d3po.safetensors

A model that was distilled to consistency guesses the finished latents f(x) in one go, and a step puts fresh
noise on them: x' = sqrt(a') f(x) + sqrt(1 - a') noise. As a policy it is a Gaussian of that mean and
deviation. n candidates take DMD2's timesteps with the answers `policy`; the loss is that of answers `learnt`
against `reference`, and grad is d loss / d learnt. The last step has no noise and is not learnt from.

Needs PyTorch: a tool for developers, no test runs it.
"""

import math
import sys

import torch
from safetensors.torch import save_file

TIMESTEPS, N, ELEMENTS = [999, 749, 499, 249], 3, 24
RANK, BETA, CLIP = [2, 0, 1], 0.1, 0.1


def consistency(x, answer, t, alphas):
    """f(x): latent consistency models, arXiv:2310.04378, with diffusers' scaling of timesteps by 10."""
    a, u = alphas[t], 10.0 * t
    guess = (x - (1 - a).sqrt() * answer) / a.sqrt()
    return 0.25 / (u * u + 0.25) * x + u / math.sqrt(u * u + 0.25) * guess


def log_prob(x, after, answer, t, following, alphas):
    a = alphas[following]
    mean, sd = a.sqrt() * consistency(x, answer, t, alphas), (1 - a).sqrt()
    each = -(after - mean) ** 2 / (2 * sd ** 2) - sd.log() - math.log(math.sqrt(2 * math.pi))
    return each.mean()


def main():
    torch.manual_seed(5)
    torch.set_default_dtype(torch.float64)
    betas = torch.linspace(0.00085 ** 0.5, 0.012 ** 0.5, 1000, dtype=torch.float32) ** 2
    alphas = torch.cumprod((1 - betas).double(), 0)
    steps = len(TIMESTEPS)
    rounded = lambda values: values.float().double()  # as they are written
    latents = torch.zeros(N, steps + 1, ELEMENTS)
    latents[:, 0] = rounded(torch.randn(N, ELEMENTS))
    policy = rounded(torch.randn(N, steps, ELEMENTS))
    noise = rounded(torch.randn(N, steps, ELEMENTS))
    for i in range(N):
        for k, t in enumerate(TIMESTEPS):
            after = consistency(latents[i, k], policy[i, k], t, alphas)
            if k + 1 < steps:
                a = alphas[TIMESTEPS[k + 1]]
                after = a.sqrt() * after + (1 - a).sqrt() * noise[i, k]
            latents[i, k + 1] = rounded(after)
    reference = rounded(policy + 0.02 * torch.randn_like(policy))
    learnt = rounded(reference + 0.12 * torch.randn_like(policy)).requires_grad_()
    count = steps - 1
    logs = torch.zeros(2, N, count)
    rows = []
    for i in range(N):
        row = []
        for k in range(count):
            where = (latents[i, k], latents[i, k + 1])
            row.append(log_prob(*where, learnt[i, k], TIMESTEPS[k], TIMESTEPS[k + 1], alphas))
            logs[1, i, k] = log_prob(*where, reference[i, k], TIMESTEPS[k], TIMESTEPS[k + 1], alphas)
        rows.append(torch.stack(row))
    logs_learnt = torch.stack(rows)
    ratio = torch.log(torch.clamp(torch.exp(logs_learnt - logs[1]), 1 - CLIP, 1 + CLIP))
    pairs = [(w, l) for w in range(N) for l in range(N) if RANK[w] > RANK[l]]
    loss = torch.stack([-torch.nn.functional.logsigmoid(BETA * (ratio[w] - ratio[l])) for w, l in pairs]).mean()
    loss.backward()
    save_file({name: value.detach().float().contiguous() for name, value in {
        "latents": latents, "noise": noise, "policy": policy, "reference": reference, "learnt": learnt,
        "log_prob": logs_learnt, "ref_log_prob": logs[1], "loss": loss, "grad": learnt.grad}.items()}, sys.argv[1])


if __name__ == "__main__":
    main()
