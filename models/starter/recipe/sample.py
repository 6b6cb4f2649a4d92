# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures from a diffusers folder: DDIM (Song et al. 2021) with eta 1 and classifier-free guidance."""
import os

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from PIL import Image
from transformers import CLIPTextModel, CLIPTokenizer

from common import GUIDANCE, LATENT, SIZE, to_pictures
from lanes import lane_pool, quick
from tokenizer import tokens

BATCH = 32

# samples.png shows these ten a row, and then all of them again.
SAMPLES = ("apple", "bird", "car", "cat", "tree", "flower", "house", "heart", "fish", "hat",
           "neon car", "ink bird", "pixel heart", "sepia house", "pastel flower", "flat apple", "neon cat",
           "pixel tree", "a fish on yellow", "ink dog")


class Model:
    """A folder, opened. Weights are stored as float16 and used as float32."""

    def __init__(self, folder, device):
        def part(kind, name):
            return kind.from_pretrained(os.path.join(folder, name), torch_dtype=torch.float32).to(device).eval()
        self.device = device
        self.tokenizer = CLIPTokenizer.from_pretrained(os.path.join(folder, "tokenizer"))
        self.text = part(CLIPTextModel, "text_encoder")
        self.unet = part(UNet2DConditionModel, "unet")
        self.vae = part(AutoencoderKL, "vae")
        self.scheduler = DDIMScheduler.from_pretrained(os.path.join(folder, "scheduler"))
        self.pool = lane_pool(device)
        if device == "cpu":
            self.unet.set_attn_processor(AttnProcessor())

    def draw(self, prompts, seed, steps=20, guidance=GUIDANCE, eta=1.0):
        """uint8 [len(prompts), SIZE, SIZE, 3]; the same seed gives the same pictures on the same device."""
        self.scheduler.set_timesteps(steps)
        parts = [(prompts[i:i + BATCH], seed * 1000003 + i, guidance, eta) for i in range(0, len(prompts), BATCH)]
        return to_pictures(torch.cat(list(self.pool.map(self._draw, parts))))

    def say(self, prompts):
        """What the text encoder makes of the prompts, followed by as many empty ones: walk()'s and predict()'s."""
        return self.text(tokens(self.tokenizer, prompts + [""] * len(prompts)).to(self.device)).last_hidden_state

    def predict(self, x, t, said, guidance):
        """The guided prediction of the noise in x [n, 4, LATENT, LATENT]."""
        with quick(self.device):
            noise = self.unet(torch.cat([x, x]), t, said).sample.float()
        wanted, anything = noise.chunk(2)
        return anything + guidance * (wanted - anything)

    @torch.no_grad()
    def walk(self, said, seed, guidance, eta):
        """[x_T, ..., x_0]: the latents before the first of scheduler.timesteps, and after each of them."""
        generator = torch.Generator().manual_seed(seed)
        shape = len(said) // 2, 4, LATENT, LATENT
        walked = [torch.randn(shape, generator=generator).to(self.device)]
        for t in self.scheduler.timesteps:
            noise = self.predict(walked[-1], t, said, guidance)
            fresh = torch.randn(shape, generator=generator).to(self.device)
            walked.append(self.scheduler.step(noise, t, walked[-1], eta=eta, variance_noise=fresh).prev_sample)
        return walked

    @torch.no_grad()
    def decode(self, x):
        return self.vae.decode(x / self.vae.config.scaling_factor).sample

    @torch.no_grad()
    def _draw(self, part):
        prompts, seed, guidance, eta = part
        return self.decode(self.walk(self.say(prompts), seed, guidance, eta)[-1])


def write_samples(folder, device):
    """folder/samples.png: 10 x 4 pictures without gaps."""
    pictures = Model(folder, device).draw(list(2 * SAMPLES), seed=1)
    rows = pictures.reshape(4, 10, SIZE, SIZE, 3).transpose(0, 2, 1, 3, 4).reshape(4 * SIZE, 10 * SIZE, 3)
    Image.fromarray(rows).save(os.path.join(folder, "samples.png"), optimize=True)
