# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures and their captions.

pictures.txt names the clip art. render() draws every picture in every style many times into one file,
the same number of drawings for each motif and style, so that no motif is rarer because fewer pictures of
it exist. choose() says which drawings a batch shows, and caption() what one of them is called:

    [a |a picture of a ][style ]motif[ on colour]

A caption leaves out the style 35 % of the time and the background half the time, names no motif (but
"picture") 4 % of the time, and is empty 10 % of the time, which is what classifier-free guidance
(Ho and Salimans 2022) subtracts.

How often a style comes depends on the caption. Guidance w samples about p(x | words) (p(x | words) / p(x))^(w - 1):
without a style in the words it prefers those styles in which a motif is easy to recognise, ink and sepia to
pixel and neon. PLAIN_SHARES, the styles' shares behind captions without a style, undo that; since empty captions
keep even shares, a share of k times a sixth counts k^w times. They were found in two steps from models in
training: a share times the fourth root, or less, of a sixth over what was sampled at guidance 4. Behind captions
that name them, styles and motifs that are hard to learn come more often; that changes how well they are learned,
not how often they are drawn.
"""
import os
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch

from common import COLOURS, MOTIFS, SIZE, STYLES, save
from styles import draw, read_master

HERE = os.path.dirname(os.path.abspath(__file__))
PREFIXES = ("", "a ", "a picture of a ")
NAMED_BACKGROUND = 0.5  # of the drawings have one of COLOURS behind them
EMPTY, NAMED_STYLE = 0.10, 0.65  # of all captions, and of the others
# In the order of STYLES and MOTIFS.
PLAIN_SHARES = np.array((0.12, 0.12, 0.235, 0.225, 0.18, 0.12))
STYLE_WEIGHTS = np.array((1, 1, 1.6, 1.2, 1, 1))
MOTIF_WEIGHTS = np.array((1, 1, 1, 1, 1, 1, 1, 1.5, 1.5, 1.5, 1, 1, 1, 1, 1, 1))


def pictures(split):
    """[(motif, path below the clip art's folder)] of "train" or "held-out", in the list's order."""
    found = []
    with open(os.path.join(HERE, "pictures.txt"), encoding="utf-8") as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                motif, path, part = line.split()
                if part == split:
                    found.append((motif, path))
    return found


def choose(n, rng):
    """(motif, style, kind) of n drawings, arrays of n; kinds are "empty", "plain" (without a style), "named"."""
    kind = np.where(rng.random(n) < EMPTY, "empty", np.where(rng.random(n) < NAMED_STYLE, "named", "plain"))

    def drawn(weights):
        return rng.choice(len(weights), n, p=weights / weights.sum())

    style = np.select([kind == "plain", kind == "named"], [drawn(PLAIN_SHARES), drawn(STYLE_WEIGHTS)],
                      rng.integers(len(STYLES), size=n))
    motif = np.where(kind == "named", drawn(MOTIF_WEIGHTS), rng.integers(len(MOTIFS), size=n))
    return motif, style, kind


def caption(kind, motif, style, background, rng):
    """One caption of that kind for a drawing; background None: one without a name."""
    if kind == "empty":
        return ""
    words = PREFIXES[rng.integers(len(PREFIXES))]
    if kind == "named":
        words += style + " "
    words += "picture" if rng.random() < 0.04 else motif
    if background and rng.random() < 0.5:
        words += " on " + background
    return words


def all_captions():
    """Every text that a caption can be, for the tokenizer."""
    return [prefix + style + noun + ground for prefix in PREFIXES
            for style in ("", *(s + " " for s in STYLES)) for noun in (*MOTIFS, "picture")
            for ground in ("", *(" on " + c for c in COLOURS))]


def _render_motif(task):
    motif, paths, per_style, seed = task
    masters = [read_master(path) for path in paths]
    drawings = np.empty((len(STYLES), per_style, SIZE, SIZE, 3), np.uint8)
    grounds = np.empty((len(STYLES), per_style), np.int64)
    sources = np.empty((len(STYLES), per_style), np.int64)
    for s, style in enumerate(STYLES):
        for i in range(per_style):
            # A generator of its own for each drawing: any part can be drawn again alone.
            rng = np.random.default_rng((seed, MOTIFS.index(motif), s, i))
            ground = rng.integers(len(COLOURS)) if rng.random() < NAMED_BACKGROUND else -1
            sources[s, i] = i % len(masters)
            grounds[s, i] = ground
            drawings[s, i] = draw(masters[i % len(masters)], style, COLOURS[ground] if ground >= 0 else None, rng)
    return drawings, grounds, sources


def render(split, clipart, per_style, seed, workers):
    """Drawings uint8 [motif, style, per_style, SIZE, SIZE, 3], backgrounds (index in COLOURS or -1) and
    the picture each came from (its index in the motif's list), both [motif, style, per_style]."""
    tasks = [(motif, [os.path.join(clipart, path) for m, path in pictures(split) if m == motif], per_style, seed)
             for motif in MOTIFS]
    with ProcessPoolExecutor(workers) as pool:
        parts = list(pool.map(_render_motif, tasks))
    return [np.stack(kind) for kind in zip(*parts)]


def build(path, split, clipart, per_style, seed, workers):
    """The stage: renders and writes {"drawings", "backgrounds", "sources"}."""
    drawings, backgrounds, sources = render(split, clipart, per_style, seed, workers)
    save({"drawings": torch.from_numpy(drawings), "backgrounds": torch.from_numpy(backgrounds),
          "sources": torch.from_numpy(sources)}, path)
