# SPDX-License-Identifier: GPL-3.0-or-later
"""The judges: convolutional classifiers of style and of motif, trained on drawings of real clip art.

They never see held-out pictures, nor anything that a model made; their accuracy on drawings of held-out
pictures says how far to trust them. A judge of motifs has a hard time there, because a held-out cat is
another cat than any it has seen; what the model makes resembles what both were trained on.
"""
import torch
import torch.nn as nn
import torch.nn.functional as F

from common import load, save, to_tensor
from lanes import Lanes, lane_pool

BATCH = 64
RATE = 2e-3


class Judge(nn.Module):
    """Logits of pictures [n, 3, SIZE, SIZE] from -1 to 1; features() are what they are computed from."""

    def __init__(self, classes, width=24):
        super().__init__()
        def block(before, after, size=3, stride=1):
            return [nn.Conv2d(before, after, size, stride, size // 2, bias=False), nn.GroupNorm(8, after), nn.ReLU()]
        self.body = nn.Sequential(*block(3, width, 5, 2), nn.MaxPool2d(2), *block(width, 2 * width), nn.MaxPool2d(2),
                                  *block(2 * width, 4 * width), *block(4 * width, 6 * width))
        self.head = nn.Linear(2 * 6 * width, classes)

    def features(self, x):
        y = self.body(x)
        return torch.cat([y.mean((2, 3)), y.amax((2, 3))], 1)

    def forward(self, x):
        return self.head(self.features(x))


def logits(judge, x):
    device = next(judge.parameters()).device

    @torch.no_grad()
    def of(part):
        return judge(part.to(device)).cpu()

    return torch.cat(list(lane_pool(device.type).map(of, x.split(128))))


def _labels(classes, axis):
    return torch.arange(classes).reshape([classes if i == axis else 1 for i in range(3)])


def judge_of(path, axis, drawings, held_out, steps, seed, device, say):
    """The stage: the judge of axis 0 (motif) or 1 (style) of drawings [motif, style, n, ...], from its
    file or trained. Returns it and its accuracy on the held-out drawings."""
    torch.manual_seed(seed)
    classes, name = drawings.shape[axis], ("motif", "style")[axis]
    judge = Judge(classes).to(device)
    state = load(path, device)
    if state:
        judge.load_state_dict(state)
    else:
        shape = drawings.shape[:3]
        flat = drawings.reshape(-1, *drawings.shape[3:])
        labels = _labels(classes, axis).expand(shape).reshape(-1)
        lanes = Lanes(judge.parameters(), device, half=True)
        optimizer = torch.optim.AdamW(judge.parameters(), lr=RATE, weight_decay=0.05, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
        for step in range(steps):
            picked = torch.randint(len(flat), (BATCH,))
            x = to_tensor(flat[picked].numpy())
            # A little noise and change of contrast: a generated picture is never as clean.
            x = x * (1 + 0.1 * torch.randn(BATCH, 1, 1, 1)) + 0.05 * torch.randn_like(x)
            loss = lanes.gradients(lambda x, y: F.cross_entropy(judge(x).float(), y, label_smoothing=0.05),
                                   (x, labels[picked]))
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            if (step + 1) % 200 == 0:
                say("judge of %s: step %d, loss %.3f" % (name, step + 1, loss))
        save(judge.state_dict(), path)
    judge.eval()
    shape = held_out.shape[:3]
    found = logits(judge, to_tensor(held_out.reshape(-1, *held_out.shape[3:]).numpy())).argmax(1).reshape(shape)
    return judge, (found == _labels(classes, axis)).float().mean().item()
