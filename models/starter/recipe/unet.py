# SPDX-License-Identifier: GPL-3.0-or-later
"""The UNet and the text encoder, trained together on latents.

Noise prediction (Ho et al. 2020) with 1000 steps, scaled-linear betas 0.00085 to 0.012, as Stable
Diffusion. The squared error of a step is weighted with min(SNR, 5) / SNR ("Efficient Diffusion Training
via Min-SNR Weighting Strategy", Hang et al. 2023), so that steps with little noise, which any model does
well, do not use up its capacity. The SNR there is at least 0.05 in the numerator: the first steps of
sampling, which have less, decide on the ground's colour and so on the style, and an error of the noise
that looks small there is a large error of the picture. For the same reason the noise has a random mean
(offset noise, Guttenberg 2023): otherwise a noisy picture's mean tells the ground's colour, the model
learns to read it there instead of in the text, and dark or bright styles come out grey. The steps of a
batch are spread evenly over the schedule instead of drawn one by one, which makes the gradient less noisy
for nothing. What is published is an exponential moving average of the weights (EMA).

The learning rate is constant for the first 60 % of the time and then falls to a twentieth as half a
cosine: the model is at its best when the time is over, however long that is. More time goes on from the
checkpoint, with the rate that belongs to that share of the new time.
"""
import numpy as np
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from common import COLOURS, LATENT, MOTIFS, STYLES, Clock, load, save
from dataset import caption, choose
from lanes import Lanes
from tokenizer import LENGTH, tokens

UNET = dict(sample_size=LATENT, in_channels=4, out_channels=4, layers_per_block=1, block_out_channels=(64, 96, 128),
            down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
            cross_attention_dim=128, attention_head_dim=4)
BATCH = {"cpu": 32, "cuda": 256}  # a GPU is no slower with the larger one
RATE = 5e-4
WARM_UP = 200
DECAY_FROM = 0.6
EMA = 0.999
SNR_LIMITS = 0.05, 5.0
OFFSET = 0.1  # standard deviation of the noise's mean in a channel


def alphas_cumprod():
    """The share of the picture's variance that is left at each of the 1000 steps, float32."""
    betas = torch.linspace(0.00085 ** 0.5, 0.012 ** 0.5, 1000, dtype=torch.float64) ** 2
    return (1 - betas).cumprod(0).float()


def text_encoder(tokenizer):
    """A CLIP text encoder of 128 channels and 2 layers with random weights."""
    return CLIPTextModel(CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=128, intermediate_size=512, num_attention_heads=4,
        num_hidden_layers=2, max_position_embeddings=LENGTH, projection_dim=128,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id))


def learning_rate(step, progress):
    rate = RATE * min(1.0, (step + 1) / WARM_UP)
    if progress <= DECAY_FROM:
        return rate
    angle = torch.pi * (progress - DECAY_FROM) / (1 - DECAY_FROM)
    return rate * (0.05 + 0.95 * 0.5 * (1 + float(torch.cos(torch.tensor(angle)))))


class Batches:
    """Latents, their captions, steps and noise."""

    def __init__(self, latents, backgrounds, tokenizer, seed):
        self.latents, self.backgrounds, self.tokenizer = latents, backgrounds, tokenizer
        self.rng = np.random.default_rng(seed)
        self.generator = torch.Generator().manual_seed(int(self.rng.integers(2**62)))

    def next(self, n):
        m, s, kinds = choose(n, self.rng)
        i = self.rng.integers(self.latents.shape[2], size=n)
        captions = []
        for kind, a, b, c in zip(kinds, m, s, i):
            ground = int(self.backgrounds[a, b, c])
            captions.append(caption(kind, MOTIFS[a], STYLES[b], COLOURS[ground] if ground >= 0 else None, self.rng))
        steps = (torch.from_numpy(self.rng.permutation(n)) + torch.from_numpy(self.rng.random(n))) * (1000 / n)
        x = self.latents[m, s, i].float()
        noise = torch.randn(x.shape, generator=self.generator)
        noise += OFFSET * torch.randn(n, x.shape[1], 1, 1, generator=self.generator)
        return x, tokens(self.tokenizer, captions), steps.long().clamp(max=999), noise


def train(checkpoint, latents, backgrounds, tokenizer_folder, start, hours, seed, device, say):
    """The stage: trains for `hours` in all, going on from the checkpoint. Returns (unet, text encoder)
    with the averaged weights.

    latents: float16 [motif, style, n, 4, LATENT, LATENT] of deviation 1. backgrounds: [motif, style, n],
    an index in COLOURS or -1. start: a diffusers folder whose weights to begin with, or None.
    """
    torch.manual_seed(seed)
    tokenizer = CLIPTokenizer.from_pretrained(tokenizer_folder)
    if start:
        unet = UNet2DConditionModel.from_pretrained(start, subfolder="unet", torch_dtype=torch.float32)
        text = CLIPTextModel.from_pretrained(start, subfolder="text_encoder", torch_dtype=torch.float32)
    else:
        unet, text = UNet2DConditionModel(**UNET), text_encoder(tokenizer)
    # PyTorch 2.6's fused attention takes three quarters of a step's time on a CPU at these sizes.
    if device == "cpu":
        unet.set_attn_processor(AttnProcessor())
    both = torch.nn.ModuleDict({"unet": unet, "text": text}).to(device).train()
    optimizer = torch.optim.AdamW(both.parameters(), lr=RATE, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    average = {name: p.detach().clone() for name, p in both.named_parameters()}
    state = load(checkpoint, device)
    step, spent = 0, 0.0
    if state:
        both.load_state_dict(state["both"])
        optimizer.load_state_dict(state["optimizer"])
        average, step, spent = state["average"], state["step"], state["spent"]
        say("unet: going on at step %d, %.2f h" % (step, spent / 3600))
    lanes = Lanes(both.parameters(), device)
    clock = Clock(hours, spent)
    batches = Batches(latents, backgrounds, tokenizer, (seed, step))
    alphas = alphas_cumprod().to(device)
    mean = None

    def loss_of(x, ids, t, noise):
        a = alphas[t][:, None, None, None]
        said = text(ids).last_hidden_state
        predicted = unet(a.sqrt() * x + (1 - a).sqrt() * noise, t, said).sample
        snr = a / (1 - a)
        weight = snr.clamp(*SNR_LIMITS) / snr
        return (weight * (predicted.float() - noise) ** 2).mean()

    def keep():
        save({"both": both.state_dict(), "optimizer": optimizer.state_dict(), "average": average,
              "step": step, "spent": clock.spent}, checkpoint)

    while clock.progress < 1:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, clock.progress)
        loss = lanes.gradients(loss_of, batches.next(BATCH[device]))
        torch.nn.utils.clip_grad_norm_(both.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        # The average forgets the beginning faster.
        decay = min(EMA, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.values()), list(both.parameters()), 1 - decay)
        mean = loss if mean is None else 0.98 * mean + 0.02 * loss
        clock.tick()
        if step % 50 == 0:
            say("unet: step %d, %.1f %% of the time, loss %.4f" % (step, 100 * clock.progress, mean))
        if clock.save_due():
            keep()
    keep()
    with torch.no_grad():
        for name, p in both.named_parameters():
            p.copy_(average[name])
    return unet.eval(), text.eval()
