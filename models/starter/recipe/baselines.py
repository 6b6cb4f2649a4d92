# SPDX-License-Identifier: GPL-3.0-or-later
"""The JPEG objectives of the D3PO paper, learnt in other ways, to lay beside Penchant's (docs/experiments).

    baselines.py FOLDER --method ddpo|rwr|d3po --objective compressible|incompressible --csv FILE

In each of --rounds rounds the model draws four pictures for each of --prompts motifs, whose reward is their size as
a JPEG of quality 95, large or small; then the adapter (rank 4, on the attention's projections) learns:

    ddpo    denoising diffusion policy optimisation (Black et al., arXiv:2305.13301), the importance-sampled one:
            the clipped ratio of each step's probability times the reward, normalised within its prompt
    rwr     reward-weighted regression, as in that paper: the model's own training loss on the pictures, weighted
            by the softmax of the same normalised rewards
    d3po    as published (arXiv:2311.13231), of all pairs within a prompt: what Penchant's `--preset paper` does,
            with the rate and the clip given here

All draw the same way, see the same number of pictures and make the same number of steps of AdamW. The CSV has the
columns of `./dev demo`'s curve that mean the same here: the mean size in kB of pictures of motifs that are never
taught. Needs peft from PyPI besides what make.py needs.
"""
import argparse
import csv
import io
import sys

import torch
import torch.nn.functional as F
from peft import LoraConfig
from PIL import Image

from common import GUIDANCE, to_pictures
from lanes import Lanes
from sample import Model

# The motifs of demo/main.c.
HELD_OUT = "house", "heart", "fish", "tree", "car", "smiley"
TAUGHT = "apple", "bird", "boat", "flower", "cat", "dog", "cake", "hat", "balloon", "bug"
EACH = 4            # pictures of a prompt
MIN_SD = 0.05       # as PEN_TRAINER_MIN_SD: the last steps' noise cannot be seen
RWR_TEMPERATURE = 0.5
D3PO_BETA = 0.1


def kilobytes(pictures):
    def size(picture):
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "jpeg", quality=95)
        return file.tell() / 1000
    return torch.tensor([size(picture) for picture in pictures])


def grouped(tensor):
    """[prompts * EACH, ...] to [prompts, EACH, ...]."""
    return tensor.unflatten(0, (-1, EACH))


def variance_of(scheduler, t):
    return scheduler._get_variance(t, t - scheduler.config.num_train_timesteps // scheduler.num_inference_steps)


def log_probability(scheduler, noise, t, x, x_next):
    """Of a step of DDIM with eta 1; the mean over the latent's elements, without the constant."""
    mean = scheduler.step(noise, t, x, eta=1.0, variance_noise=torch.zeros_like(x)).prev_sample
    return -((x_next - mean) ** 2).mean((1, 2, 3)) / (2 * variance_of(scheduler, t))


def ddpo_loss(ratio, advantage, clip):
    return -torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage).mean()


def d3po_loss(ratio, advantage, clip):
    ratio = ratio.clamp(1 - clip, 1 + clip).log()
    better = advantage[:, :, None] > advantage[:, None, :]
    return -F.logsigmoid(D3PO_BETA * (ratio[:, :, None] - ratio[:, None, :]))[better].mean()


LOSSES = {"ddpo": ddpo_loss, "d3po": d3po_loss}


class Learner:
    """The model with an adapter that learns; `given` are the command's options."""

    def __init__(self, given):
        self.given = given
        self.model = Model(given.folder, given.device)
        self.model.scheduler.set_timesteps(given.steps)
        self.model.unet.requires_grad_(False)
        torch.manual_seed(given.seed)
        self.model.unet.add_adapter(LoraConfig(r=4, lora_alpha=4, init_lora_weights="gaussian",
                                               target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
        parameters = [p for p in self.model.unet.parameters() if p.requires_grad]
        self.lanes = Lanes(parameters, given.device)
        self.adamw = torch.optim.AdamW(parameters, given.learning_rate, weight_decay=1e-4)

    def draw(self, motifs, seed):
        said = self.model.say(["a " + motif for motif in motifs])
        walked = self.model.walk(said, seed, self.given.guidance, 1.0)
        return said, walked, kilobytes(to_pictures(self.model.decode(walked[-1])))

    def look(self):
        return self.draw([motif for motif in HELD_OUT for _ in range(EACH)], 900000)[2].mean().item()

    # Losses for Lanes: the first axis of all tensors is the prompt, the second its pictures.

    def policy_loss(self, timesteps):
        loss, scheduler, given = LOSSES[self.given.method], self.model.scheduler, self.given

        def loss_of(advantage, *tensors):
            wanted, anything, old, *latents = (tensor.flatten(0, 1) for tensor in tensors)
            total = 0
            for i, t in enumerate(timesteps):
                x, x_next = latents[2 * i], latents[2 * i + 1]
                noise = self.model.predict(x, t, torch.cat([wanted, anything]), given.guidance)
                new = log_probability(scheduler, noise, t, x, x_next)
                total = total + loss((new - old[:, i]).exp().view_as(advantage), advantage, given.clip)
            return total / len(timesteps)
        return loss_of

    def regression_loss(self, timesteps):
        def loss_of(*tensors):
            weight, wanted, latents, noise = (tensor.flatten(0, 1) for tensor in tensors)
            total = 0
            for i, t in enumerate(timesteps):
                t = t.expand(len(latents))
                noisy = self.model.scheduler.add_noise(latents, noise[:, i], t)
                error = (self.model.unet(noisy, t, wanted).sample.float() - noise[:, i]) ** 2
                total = total + (weight * error.mean((1, 2, 3))).mean()
            return total / len(timesteps)
        return loss_of

    @torch.no_grad()
    def reference(self, steps, said, walked):
        """Log-probabilities [pictures, steps] by the model that the ratios are against: for DDPO the one that drew,
        for D3PO the bare one."""
        scheduler = self.model.scheduler
        if self.given.method == "d3po":
            self.model.unet.disable_adapters()
        found = [log_probability(scheduler, self.model.predict(walked[j], scheduler.timesteps[j], said,
                                                               self.given.guidance),
                                 scheduler.timesteps[j], walked[j], walked[j + 1]) for j in steps]
        self.model.unet.enable_adapters()
        return torch.stack(found, 1)

    def stochastic_steps(self):
        """Those whose noise can be seen, in random order."""
        scheduler = self.model.scheduler
        return [j for j in torch.randperm(len(scheduler.timesteps)).tolist()
                if variance_of(scheduler, scheduler.timesteps[j]) > MIN_SD ** 2]

    def learn(self, number):
        """One round and its steps of AdamW; the mean size of its pictures."""
        given, scheduler = self.given, self.model.scheduler
        motifs = [TAUGHT[(number * given.prompts + i) % len(TAUGHT)] for i in range(given.prompts)]
        said, walked, size = self.draw([m for m in motifs for _ in range(EACH)], given.seed * 1000 + number)
        reward = grouped(size if given.objective == "incompressible" else -size)
        advantage = (reward - reward.mean(1, keepdim=True)) / (reward.std(1, keepdim=True) + 1e-6)
        wanted, anything = said.detach().chunk(2)
        steps = self.stochastic_steps()
        reference = self.reference(steps, said, walked) if given.method != "rwr" else None
        for first in range(0, len(steps), given.timesteps_per_update):
            chosen = steps[first:first + given.timesteps_per_update]
            timesteps = [scheduler.timesteps[j] for j in chosen]
            if given.method == "rwr":
                noise = torch.randn(len(wanted), len(chosen), *walked[-1].shape[1:])
                self.lanes.gradients(self.regression_loss(timesteps),
                                     (EACH * (advantage / RWR_TEMPERATURE).softmax(1),
                                      *map(grouped, (wanted, walked[-1], noise))))
            else:
                latents = [x for j in chosen for x in (walked[j], walked[j + 1])]
                self.lanes.gradients(self.policy_loss(timesteps),
                                     (advantage, *map(grouped, (wanted, anything,
                                                                reference[:, first:first + len(chosen)], *latents))))
            torch.nn.utils.clip_grad_norm_(self.lanes.parameters, 1.0)
            self.adamw.step()
        return size.mean().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder")
    parser.add_argument("--method", choices=("ddpo", "rwr", "d3po"), required=True)
    parser.add_argument("--objective", choices=("compressible", "incompressible"), required=True)
    parser.add_argument("--csv", required=True)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--prompts", type=int, default=4, help="motifs of a round (default 4)")
    parser.add_argument("--steps", type=int, default=10, help="of DDIM (default 10)")
    parser.add_argument("--timesteps-per-update", type=int, default=3)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--clip", type=float, default=0.02)
    parser.add_argument("--guidance", type=float, default=GUIDANCE)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    torch.set_num_threads(1)  # the cores are used by lanes.py
    learner = Learner(given)
    with open(given.csv, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("round", "mean"))
        writer.writerow((0, "%.4f" % learner.look()))
        for number in range(given.rounds):
            taught = learner.learn(number)
            seen = learner.look()
            writer.writerow((number + 1, "%.4f" % seen))
            file.flush()
            print("%s, %s, round %d: %.3f kB taught on, %.3f kB held out" %
                  (given.method, given.objective, number + 1, taught, seen), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
