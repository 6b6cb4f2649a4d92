# SPDX-License-Identifier: GPL-3.0-or-later
"""The judges: convolutional classifiers of style and of motif, trained on drawings of real clip art.

They never see held-out pictures, nor anything that a UNet made; their accuracy on drawings of held-out
pictures says how far to trust them. A judge of motifs has a hard time there, because a held-out cat is
another cat than any it has seen; what the model makes resembles what both were trained on.

Half of what they see has been through the VAE (vae.rebuild()), which softens edges, as all that a UNet makes
has: judges that saw clean drawings alone took a fifth of such pixel drawings for another style, mostly flat.
"""
import math
import os

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file

from common import MOTIFS, SIZE, STYLES, load, save, to_tensor
from lanes import Lanes, lane_pool

BATCH = 64
RATE = 2e-3
JUDGES = {"motif": MOTIFS, "style": STYLES}  # their classes, in the order of a drawing's axes


class Judge(nn.Module):
    """Logits of pictures [n, 3, SIZE, SIZE] from -1 to 1.

    A motif is where its parts are, so its judge's last layer sees every place; a style is everywhere, so its
    judge takes the mean. demo/judge.c evaluates the same network in Vulkan, where channels come last.
    """

    WIDTHS = 32, 64, 96, 128
    STRIDES = 2, 2, 2, 1
    GROUPS = 8

    def __init__(self, classes, places_matter):
        super().__init__()
        self.places_matter = places_matter
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, stride, 1)
                                   for a, b, stride in zip((3, *self.WIDTHS), self.WIDTHS, self.STRIDES))
        self.norms = nn.ModuleList(nn.GroupNorm(self.GROUPS, width) for width in self.WIDTHS)
        self.places = (SIZE // math.prod(self.STRIDES)) ** 2
        self.head = nn.Linear(self.WIDTHS[-1] * (self.places if places_matter else 1), classes)

    def forward(self, x):
        for conv, norm in zip(self.convs, self.norms):
            x = F.silu(norm(conv(x)))
        return self.head(x.permute(0, 2, 3, 1).flatten(1) if self.places_matter else x.mean((2, 3)))


def _shifted(x):
    """x moved by up to 6 pixels each way; what comes in is the border's colour."""
    x = F.pad(x, (6, 6, 6, 6), "replicate")
    top, left = torch.randint(13, (2, len(x)))
    return torch.stack([y[:, a:a + SIZE, b:b + SIZE] for y, a, b in zip(x, top, left)])


def logits(judge, x):
    device = next(judge.parameters()).device

    @torch.no_grad()
    def of(part):
        return judge(part.to(device)).cpu()

    return torch.cat(list(lane_pool(device.type).map(of, x.split(128))))


def _labels(drawings, axis):
    """The class along an axis of each of drawings [motif, style, n, ...], flat."""
    along = torch.arange(drawings.shape[axis]).reshape([-1 if i == axis else 1 for i in range(3)])
    return along.expand(drawings.shape[:3]).reshape(-1)


def _worn(x):
    """Pictures with a little noise and other contrast, brightness and saturation: no generated one is clean."""
    def some(spread):
        return spread * torch.randn(len(x), 1, 1, 1)

    grey = x.mean(1, keepdim=True)
    return (grey + (x - grey) * (1 + some(0.15))) * (1 + some(0.1)) + some(0.05) + 0.05 * torch.randn_like(x)


def _examples(kinds, axis):
    """[(pictures [n, SIZE, SIZE, 3], labels [n])] of [drawings [motif, style, n, SIZE, SIZE, 3]]."""
    return [(kind.reshape(-1, *kind.shape[3:]), _labels(kind, axis)) for kind in kinds]


def judge_of(path, axis, training, held_out, steps, seed, device, say):
    """The stage: the judge of axis 0 (motif) or 1 (style), from its file or trained. training, held_out: kinds
    of drawings, [[motif, style, n, ...], ...]; every kind has the same part in training. Returns the judge and
    its accuracy on each kind held out."""
    torch.manual_seed(seed)
    classes, name = training[0].shape[axis], list(JUDGES)[axis]
    judge = Judge(classes, places_matter=name == "motif").to(device)
    state = load(path, device)
    if state:
        judge.load_state_dict(state)
    else:
        kinds = _examples(training, axis)
        lanes = Lanes(judge.parameters(), device)
        optimizer = torch.optim.AdamW(judge.parameters(), lr=RATE, weight_decay=0.05, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
        for step in range(steps):
            picked = [(pictures[at], labels[at]) for pictures, labels in kinds
                      for at in [torch.randint(len(pictures), (BATCH // len(kinds),))]]
            pictures, labels = (torch.cat(part) for part in zip(*picked))
            x = to_tensor(pictures.numpy())
            # A motif may be anywhere; a style is known by its grain and its edges, which a shift would spoil.
            x = _worn(_shifted(x) if judge.places_matter else x)
            loss = lanes.gradients(lambda x, y: F.cross_entropy(judge(x).float(), y, label_smoothing=0.05),
                                   (x, labels))
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            if (step + 1) % 200 == 0:
                say("judge of %s: step %d, loss %.3f" % (name, step + 1, loss))
        save(judge.state_dict(), path)
    judge.eval()
    return judge, [(logits(judge, to_tensor(pictures.numpy())).argmax(1) == labels).float().mean().item()
                   for pictures, labels in _examples(held_out, axis)]


def write_judge(judge, classes, path):
    """Writes the judge as float16 for demo/judge.c, with metadata: the names of its classes, and as "check" its
    logits for the picture whose R, G, B at (x, y) are 4 x, 4 y and 4 (x xor y). The last layer sees every place
    there: a mean is the same weights at all of them."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    rounded = Judge(len(classes), judge.places_matter)
    rounded.load_state_dict({name: value.half().float().cpu() for name, value in judge.state_dict().items()})
    along = torch.arange(SIZE)
    x, y = along.expand(SIZE, SIZE), along[:, None].expand(SIZE, SIZE)
    check = logits(rounded, to_tensor((torch.stack([x, y, x ^ y], 2)[None] * (256 // SIZE)).numpy()))[0]
    tensors = {name: value.half() for name, value in rounded.state_dict().items()}
    if not judge.places_matter:
        tensors["head.weight"] = (rounded.head.weight / judge.places).repeat(1, judge.places).half()
    save_file(tensors, path, metadata={"format": "pt", "classes": ",".join(classes),
                                       "check": ",".join("%.4f" % value for value in check)})
