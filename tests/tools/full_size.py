#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stable Diffusion at full size with the random weights of `penchant bench --random`, for diffusers.

    full_size.py model sd15|sd21 FOLDER    writes a model folder (float16, 2 GB)
    full_size.py slice sd15|sd21|sdxl FILE records what tests/models/test-full-size.c compares with: every
                                           13th value of the UNet's output on 64x64 latents (sdxl: also
                                           96x128 and 128x128), in float32
    full_size.py time  sd15|sd21 PIXELS    seconds that diffusers takes for what `penchant bench` measures, on
                                           the CPU in float32 or on a CUDA GPU in float16

Needs PyTorch, diffusers, transformers and for training peft: a tool for developers, no test runs it.
"""

import json
import math
import pathlib
import statistics
import sys
import time

import numpy
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from peft import LoraConfig
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

SEED = 1  # of the weights, as `penchant bench` takes it
MERGES = pathlib.Path(__file__).resolve().parents[2] / "src/formats/data/clip-merges.txt"
TOKENS = 77

UNET = {
    "sd15": {"cross_attention_dim": 768, "attention_head_dim": 8},
    "sd21": {"cross_attention_dim": 1024, "attention_head_dim": [5, 10, 20, 20], "use_linear_projection": True,
             "sample_size": 96},
    "sdxl": {"cross_attention_dim": 2048, "attention_head_dim": [5, 10, 20], "use_linear_projection": True,
             "sample_size": 128, "block_out_channels": [320, 640, 1280], "transformer_layers_per_block": [1, 2, 10],
             "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
             "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
             "addition_embed_type": "text_time", "addition_time_embed_dim": 256,
             "projection_class_embeddings_input_dim": 2816},
}
SIZES = {"sd15": [(64, 64)], "sd21": [(64, 64)], "sdxl": [(64, 64), (96, 128), (128, 128)]}
POOLED = 1280  # channels of SDXL's pooled text
TEXT = {
    "sd15": {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
             "hidden_act": "quick_gelu"},
    "sd21": {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 23, "num_attention_heads": 16,
             "hidden_act": "gelu"},
}
VAE = {
    "down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [128, 256, 512, 512], "layers_per_block": 2, "latent_channels": 4, "sample_size": 512,
}


def string_hash(text):
    """GLib's g_str_hash()."""
    value = 5381
    for byte in text.encode():
        value = (value * 33 + byte) & 0xFFFFFFFF
    return value


def uniform(seed, count):
    """`count` numbers in [-1, 1): a linear congruential generator (src/models/weights.c), by doubling."""
    factor, offset = numpy.array([1664525], numpy.uint32), numpy.array([1013904223], numpy.uint32)
    while len(factor) < count:  # the state after k + n steps is that after k steps of that after n
        factor, offset = (numpy.concatenate([factor, factor * factor[-1]]),
                          numpy.concatenate([offset, factor * offset[-1] + offset]))
    state = factor[:count] * numpy.uint32(seed) + offset[:count]
    return (state >> 8).astype(numpy.float32) / numpy.float32(1 << 23) - 1


def weight(name, shape):
    """Of variance 1/inputs, as pen_weights_new_random() makes it; a norm's scale is 1, a bias 0."""
    if len(shape) < 2:
        return torch.full(shape, 1.0 if name.endswith(".weight") else 0.0)
    values = uniform(string_hash(name) ^ SEED, math.prod(shape)) * numpy.float32(math.sqrt(3 / math.prod(shape[1:])))
    if len(shape) == 4:  # its order there: out, height, width, in
        return torch.from_numpy(values.reshape(shape[0], *shape[2:], shape[1])).permute(0, 3, 1, 2).contiguous()
    return torch.from_numpy(values.reshape(shape))


@torch.no_grad()
def randomize(model):
    for name, value in model.state_dict().items():  # one by one: SDXL's are 10 GB
        if value.dtype != torch.int64:
            value.copy_(weight(name, tuple(value.shape)))
    return model.eval()


def unet(arch):
    with torch.device("meta"):
        model = UNet2DConditionModel(**UNET[arch])
    return randomize(model.to_empty(device="cpu"))


def write_text_encoder(config, folder):
    """Under the names of published models; transformers 5 leaves "text_model." out."""
    config.architectures = ["CLIPTextModel"]
    config.save_pretrained(folder)
    names = {"text_model." + name.removeprefix("text_model."): value
             for name, value in CLIPTextModel(config).state_dict().items() if value.dtype != torch.int64}
    save_file({name: weight(name, tuple(value.shape)).half() for name, value in names.items()},
              folder / "model.safetensors")


def write_tokenizer(folder):
    """CLIP's vocabulary: bytes, bytes at a word's end, merges, start and end."""
    folder.mkdir()
    merges = MERGES.read_text().split("\n")[1:-1]  # the first line is a comment
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(others))]
    words = letters + [letter + "</w>" for letter in letters] + [merge.replace(" ", "") for merge in merges]
    words += ["<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "CLIPTokenizer", "model_max_length": TOKENS, "bos_token": "<|startoftext|>",
        "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")


def write_model(arch, folder):
    folder.mkdir(parents=True)
    unet(arch).half().save_pretrained(folder / "unet")
    randomize(AutoencoderKL(**VAE)).half().save_pretrained(folder / "vae")
    write_text_encoder(CLIPTextConfig(**TEXT[arch]), folder / "text_encoder")
    DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
                  set_alpha_to_one=False, steps_offset=1).save_pretrained(folder / "scheduler")
    write_tokenizer(folder / "tokenizer")
    (folder / "model_index.json").write_text(json.dumps({
        "_class_name": "StableDiffusionPipeline",
        "scheduler": ["diffusers", "DDIMScheduler"], "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"], "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"]}, indent=1))


def noise(name, *shape):
    """Evenly spread, of variance 1, channels last."""
    values = uniform(string_hash(name), math.prod(shape)) * numpy.float32(math.sqrt(3))
    return torch.from_numpy(values.reshape(shape))


def record(arch, path):
    model, recorded = unet(arch), {}
    for height, width in SIZES[arch]:
        sample = noise("sample", 1, height, width, 4).permute(0, 3, 1, 2)
        context = noise("context", 1, TOKENS, UNET[arch]["cross_attention_dim"])
        sizes = torch.tensor([[8 * height, 8 * width, 0, 0, 8 * height, 8 * width]])
        added = {"text_embeds": noise("pooled", 1, POOLED), "time_ids": sizes} if arch == "sdxl" else None
        with torch.no_grad():
            out = model(sample, 500, context, added_cond_kwargs=added).sample
        recorded["out.%dx%d" % (height, width)] = out.permute(0, 2, 3, 1).flatten()[::13].contiguous()
        save_file(recorded, path)


def median_seconds(step, times=3):
    def once():
        begin = time.perf_counter()
        step()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter() - begin

    once()  # the first is slower
    return statistics.median(once() for _ in range(times))


def measure(arch, pixels):
    place = {"device": "cuda", "dtype": torch.float16} if torch.cuda.is_available() else {"device": "cpu"}
    side = int(str(pixels)) // 8
    sample, context = noise("sample", 2, side, side, 4).permute(0, 3, 1, 2), noise("context", 2, TOKENS,
                                                                                  UNET[arch]["cross_attention_dim"])
    sample, context = sample.to(**place), context.to(**place)
    model = unet(arch).to(**place)
    with torch.no_grad():
        print(f"unet, batch 1: {median_seconds(lambda: model(sample[:1], 500, context[:1])):.3f} s")
        print(f"unet, batch 2: {median_seconds(lambda: model(sample, 500, context)):.3f} s")
    model.requires_grad_(False)
    model.add_adapter(LoraConfig(r=4, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
    print(f"train, batch 2: {median_seconds(lambda: model(sample, 500, context).sample.sum().backward()):.3f} s")
    del model
    vae = randomize(AutoencoderKL(**VAE)).to(**place)
    with torch.no_grad():
        print(f"vae decode: {median_seconds(lambda: vae.decode(sample[:1])):.3f} s")


def main():
    commands = {"model": write_model, "slice": record, "time": measure}
    if len(sys.argv) != 4 or sys.argv[1] not in commands or sys.argv[2] not in (UNET if sys.argv[1] == "slice" else TEXT):
        sys.exit(__doc__)
    commands[sys.argv[1]](sys.argv[2], pathlib.Path(sys.argv[3]))


if __name__ == "__main__":
    main()
