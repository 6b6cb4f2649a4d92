# SPDX-License-Identifier: GPL-3.0-or-later
"""The autoencoder (Kingma and Welling 2013; as in Rombach et al. 2022, without a discriminator).

It halves the picture twice: latents are 4x16x16. It learns on 32x32 cuts, because nothing in it but one
attention layer looks further, and is judged on whole held-out pictures. The loss is the mean absolute
error of the pixels and, half as much, of their differences to the right and below, which keeps edges
sharp, and a small Kullback-Leibler term, which leaves the latents a little noise to be robust against.

encode() turns all drawings into latents once; the UNet never sees a pixel. rebuild() shows what is left of
drawings after both, for the judges.
"""
import os

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from diffusers.models.attention_processor import AttnProcessor

from common import FACTOR, LATENT, SIZE, Clock, load, save, to_pictures, to_tensor
from lanes import Lanes, lane_pool, quick

CONFIG = dict(block_out_channels=(24, 48, 64), down_block_types=("DownEncoderBlock2D",) * 3,
              up_block_types=("UpDecoderBlock2D",) * 3, layers_per_block=1, latent_channels=4, norm_num_groups=8,
              sample_size=SIZE)
CUT = SIZE // 2
BATCH = 32
RATE = 4e-4
KL = 5e-4


def _loss(vae, x, noise):
    posterior = vae.encode(x).latent_dist
    y = vae.decode(posterior.mean + posterior.std * noise).sample.float()
    right, below = [((y - x).diff(dim=d)).abs().mean() for d in (3, 2)]
    kl = 0.5 * (posterior.mean ** 2 + posterior.var - 1 - posterior.logvar).mean()
    return (y - x).abs().mean() + 0.5 * (right + below) + KL * kl


def _batch(drawings, generator):
    """Random cuts, at places that are whole latents, and the noise for their latents."""
    picked = drawings[torch.randint(len(drawings), (BATCH,), generator=generator)]
    top, left = (torch.randint(CUT // FACTOR + 1, (2,), generator=generator) * FACTOR).tolist()
    return (to_tensor(picked[:, top:top + CUT, left:left + CUT].numpy()),
            torch.randn(BATCH, 4, CUT // FACTOR, CUT // FACTOR, generator=generator))


@torch.no_grad()
def error(vae, drawings):
    """Root mean square error of pictures through encoder and decoder; pixels go from 0 to 255."""
    device = next(vae.parameters()).device
    total = 0.0
    for part in drawings.split(64):
        x = to_tensor(part.numpy()).to(device)
        y = vae.decode(vae.encode(x).latent_dist.mean).sample.clamp(-1, 1)
        total += F.mse_loss(y, x, reduction="none").mean((1, 2, 3)).sum().item()
    return 127.5 * (total / len(drawings)) ** 0.5


def train(path, checkpoint, drawings, held_out, start, hours, seed, device, say):
    """The stage: trains for `hours`, going on from the checkpoint if there is one, and writes a folder.

    drawings, held_out: uint8 [n, SIZE, SIZE, 3]. start: a folder with a VAE to begin with, or None.
    """
    torch.manual_seed(seed)
    vae = AutoencoderKL.from_pretrained(start, torch_dtype=torch.float32) if start else AutoencoderKL(**CONFIG)
    if device == "cpu":
        vae.set_attn_processor(AttnProcessor())
    vae.to(device).train()
    optimizer = torch.optim.AdamW(vae.parameters(), lr=RATE, betas=(0.9, 0.99), weight_decay=1e-4, fused=True)
    state = load(checkpoint, device)
    step, spent = 0, 0.0
    if state:
        vae.load_state_dict(state["vae"])
        optimizer.load_state_dict(state["optimizer"])
        step, spent = state["step"], state["spent"]
    lanes = Lanes(vae.parameters(), device)
    clock = Clock(hours, spent)
    generator = torch.Generator().manual_seed(seed * 1000003 + step)
    mean = None
    while clock.progress < 1:
        # Warm-up, then a straight line to zero at the end of the time.
        rate = RATE * min(1, (step + 1) / 100) * (1 - clock.progress)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = lanes.gradients(lambda *part: _loss(vae, *part), _batch(drawings, generator))
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        mean = loss if mean is None else 0.98 * mean + 0.02 * loss
        clock.tick()
        if step % 100 == 0:
            say("vae: step %d, %.0f %% of the time, loss %.4f" % (step, 100 * clock.progress, mean))
        if clock.save_due():
            save({"vae": vae.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "spent": clock.spent},
                 checkpoint)
    vae.eval()
    with torch.no_grad():
        part = to_tensor(drawings[torch.randperm(len(drawings), generator=generator)[:512]].numpy())
        latents = torch.cat([vae.encode(x.to(device)).latent_dist.mean for x in part.split(64)])
    vae.register_to_config(scaling_factor=1 / latents.std().item())
    say("vae: %d steps, error on held-out pictures %.1f of 255" % (step, error(vae, held_out)))
    vae.save_pretrained(path + ".part")
    os.rename(path + ".part", path)


def _opened(folder, device):
    return AutoencoderKL.from_pretrained(folder, torch_dtype=torch.float32).to(device).eval()


def _map(of, drawings, device):
    """of(pictures [n, 3, SIZE, SIZE]) of all drawings [..., SIZE, SIZE, 3], in parts: [..., *its shape]."""
    def part_of(part):
        with torch.no_grad(), quick(device):
            return of(to_tensor(part.numpy()).to(device))

    found = torch.cat(list(lane_pool(device).map(part_of, drawings.reshape(-1, SIZE, SIZE, 3).split(128))))
    return found.reshape(*drawings.shape[:-3], *found.shape[1:])


def encode(path, folder, drawings, device):
    """The stage: writes float16 latents [..., 4, LATENT, LATENT], scaled to deviation 1, of
    drawings [..., SIZE, SIZE, 3]. The posterior's mean: its noise is a hundredth of its variance."""
    vae = _opened(folder, device)
    save(_map(lambda x: (vae.encode(x).latent_dist.mean.float() * vae.config.scaling_factor).half().cpu(),
              drawings, device), path)


def rebuild(path, folder, drawings, device):
    """The stage: writes what encoder and decoder make of drawings [..., SIZE, SIZE, 3], the best that a UNet
    could reach."""
    vae = _opened(folder, device)
    save(_map(lambda x: torch.from_numpy(to_pictures(vae.decode(vae.encode(x).latent_dist.mean).sample)),
              drawings, device), path)
