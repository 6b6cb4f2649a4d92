# SPDX-License-Identifier: GPL-3.0-or-later
"""Seconds that PyTorch takes on a GPU for what `penchant bench unet|train|vae --arch sd15` measures: Stable Diffusion
1.5 at 512x512 with random weights, float16, channels last. A part of nvidia.sh; needs torch and diffusers."""

import statistics
import time

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

REPEATS = 5


def prepared(model):
    return model.to("cuda", torch.float16, memory_format=torch.channels_last).requires_grad_(False)


def seconds(function):
    function()
    times = []
    for _ in range(REPEATS):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        function()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def noise(*shape):
    return torch.randn(*shape, device="cuda", dtype=torch.float16)


def main():
    unet = prepared(UNet2DConditionModel(
        sample_size=64, cross_attention_dim=768, attention_head_dim=8, block_out_channels=(320, 640, 1280, 1280)))
    vae = prepared(AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4,
        block_out_channels=[128, 256, 512, 512], layers_per_block=2, latent_channels=4))
    latents, context = noise(2, 4, 64, 64).contiguous(memory_format=torch.channels_last), noise(2, 77, 768)
    step = torch.full((2,), 500, device="cuda")
    print(torch.__version__, torch.cuda.get_device_name())
    with torch.no_grad():
        print("unet  %.4f s" % seconds(lambda: unet(latents, step, context)))
        print("vae   %.4f s" % seconds(lambda: vae.decode(latents[:1])))
    from peft import LoraConfig  # noqa: PLC0415, only this part needs it

    unet.add_adapter(LoraConfig(r=4, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))

    def train():
        unet(latents, step, context).sample.float().square().mean().backward()

    print("train %.4f s" % seconds(train))


main()
