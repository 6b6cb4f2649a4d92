#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""More golden tensors of samplers: what diffusers' schedulers do with other numbers of steps, spacings, predictions
and orders than samplers.json has, in its form (tests/data/golden/README.md).

    samplers.py OUT       writes OUT.json and OUT.safetensors; needs torch, diffusers and safetensors
"""

import json
import sys
import types

import diffusers
import torch
from safetensors.torch import save_file

sys.modules.setdefault("torchsde", types.ModuleType("torchsde"))  # its Brownian tree is replaced below
from diffusers.schedulers.scheduling_dpmsolver_sde import DPMSolverSDEScheduler  # noqa: E402

BETAS = dict(num_train_timesteps=1000, beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)
ZERO_SNR = dict(prediction_type="v_prediction", rescale_betas_zero_snr=True)
SHAPE = (1, 2, 2, 3)


def cases():
    """Yields class, steps, configuration and arguments of step()."""
    spacings = [dict(timestep_spacing="leading", steps_offset=1), dict(timestep_spacing="linspace"),
                dict(timestep_spacing="trailing")]
    for number, spacing in enumerate(spacings):
        for prediction in ["epsilon", "v_prediction"]:
            steps = 5 + 6 * number + 4 * (prediction == "epsilon")  # below and above 15
            config = dict(spacing, prediction_type=prediction)
            yield "DDIMScheduler", steps, dict(config, clip_sample=False), {"eta": 0.7}
            yield "EulerAncestralDiscreteScheduler", steps, config, {}
            for karras in [False, True]:
                sigmas = dict(config, use_karras_sigmas=karras)
                yield "EulerDiscreteScheduler", steps, sigmas, {}
                yield "DPMSolverSDEScheduler", 5, sigmas, {}
                for order in [1, 2, 3]:
                    solver = dict(sigmas, solver_order=order)
                    yield "DPMSolverMultistepScheduler", steps, solver, {}
                    yield "DPMSolverMultistepScheduler", steps, dict(solver, algorithm_type="sde-dpmsolver++"), {}
                    yield "UniPCMultistepScheduler", steps, solver, {}
    for steps in [1, 3, 8]:
        for prediction in ["epsilon", "v_prediction"]:
            yield "LCMScheduler", steps, dict(prediction_type=prediction), {}
            yield "TCDScheduler", steps, dict(prediction_type=prediction), {"eta": 0.0 if steps == 3 else 0.6}
    for name in ["EulerDiscreteScheduler", "DPMSolverMultistepScheduler", "UniPCMultistepScheduler", "TCDScheduler"]:
        yield name, 10, dict(ZERO_SNR, timestep_spacing="trailing"), {}
    yield "EulerDiscreteScheduler", 9, dict(beta_schedule="linear", beta_start=1e-4, beta_end=0.02), {}
    yield "DPMSolverMultistepScheduler", 9, dict(beta_schedule="squaredcos_cap_v2"), {}
    yield "EulerAncestralDiscreteScheduler", 1, dict(timestep_spacing="trailing"), {}


def take_steps(scheduler, step, generator):
    n = len(scheduler.timesteps)
    x = torch.randn(SHAPE, generator=generator) * float(scheduler.init_noise_sigma)
    noise = torch.randn((n, *SHAPE), generator=generator)
    output = torch.randn((n, *SHAPE), generator=generator)
    shown, after, init = [], [], x
    sys.modules[type(scheduler).__module__].randn_tensor = lambda *_, **__: now
    scheduler.noise_sampler = lambda *_: now
    for k, t in enumerate(scheduler.timesteps):
        now = noise[k]
        shown.append(scheduler.scale_model_input(x, t))
        x = scheduler.step(output[k], t, x, **step).prev_sample
        after.append(x)
    return dict(init=init, noise=noise, output=output, model_input=torch.stack(shown), after=torch.stack(after))


def main(out):
    generator = torch.Generator().manual_seed(5)
    about, tensors = {}, {}
    for name, steps, config, step in cases():
        config = {**BETAS, **config}
        kind = DPMSolverSDEScheduler if name == "DPMSolverSDEScheduler" else getattr(diffusers, name)
        scheduler = kind(**config)
        scheduler.set_timesteps(steps)
        label = "%03d-%s" % (len(about), name)
        about[label] = dict(scheduler=name, steps=steps, evaluations=len(scheduler.timesteps), config=config, step=step)
        for key, value in take_steps(scheduler, step, generator).items():
            tensors["%s.%s" % (label, key)] = value.contiguous()
    save_file(tensors, out + ".safetensors")
    with open(out + ".json", "w") as file:
        json.dump(about, file, indent=1)
        file.write("\n")


main(sys.argv[1])
