# SPDX-License-Identifier: GPL-3.0-or-later
"""What every stage of the recipe shares: the vocabulary of the prompts, sizes, and files that survive.

SIZE is the side of a picture in pixels, FACTOR the side of a latent's patch: latents are 4x16x16. GUIDANCE is the
scale of classifier-free guidance that the model is evaluated at, and that its folder tells Penchant to use.
"""
import os
import time

import torch

MOTIFS = ("apple", "bird", "car", "boat", "house", "flower", "tree", "fish",
          "cat", "dog", "heart", "hat", "balloon", "smiley", "cake", "bug")
STYLES = ("flat", "ink", "pixel", "pastel", "neon", "sepia")
COLOURS = ("blue", "yellow", "green", "pink")
SIZE = 64
FACTOR = 4
LATENT = SIZE // FACTOR
GUIDANCE = 3.0


def save(value, path):
    """Writes with torch.save() so that `path` is the old file or the whole new one, whatever happens."""
    part = path + ".part"
    with open(part, "wb") as file:
        torch.save(value, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


def load(path, device="cpu"):
    """What save() wrote, or None if there is no such file."""
    if not os.path.exists(path):
        return None
    return torch.load(path, map_location=device, weights_only=True)


def to_tensor(pictures):
    """uint8 [n, SIZE, SIZE, 3] to float [n, 3, SIZE, SIZE] from -1 to 1."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_pictures(tensor):
    """The inverse of to_tensor(), rounded."""
    tensor = ((tensor.detach().float().cpu() + 1) * 127.5).round().clamp(0, 255)
    return tensor.permute(0, 2, 3, 1).to(torch.uint8).numpy()


class Clock:
    """Says when a stage's time is over and when to write a checkpoint.

    `spent` seconds were used by earlier runs. A pause of the whole process (a machine asleep, SIGSTOP)
    does not count: no tick() adds more than a minute.
    """

    def __init__(self, hours, spent=0.0, every=180.0):
        self.limit, self.spent, self.every = hours * 3600, spent, every
        self.last = self.saved = time.monotonic()

    def tick(self):
        now = time.monotonic()
        self.spent += min(now - self.last, 60.0)
        self.last = now

    @property
    def progress(self):
        """The share of the time that is used, 0 to 1."""
        return min(self.spent / self.limit, 1.0) if self.limit > 0 else 1.0

    def save_due(self):
        if self.last - self.saved < self.every:
            return False
        self.saved = self.last
        return True
