# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures a starter model: does it draw what is asked, in the style that is asked, and is it its own?

    evaluate.py FOLDER --work DIR [--guidance 3] [--json FILE] [--sheet FILE.png] [--device cpu|cuda]

DIR is the work folder of make.py, with its drawings; the judges are trained there if they are not.
All pictures: DDIM, 20 steps, eta 1. The JSON has

    style_obeyed       share of pictures of "a STYLE MOTIF" that the judge of styles says are in the style
    motif_obeyed       share of all pictures that the judge of motifs recognises, and by motif and by
                       style; motif_plain is the share for the prompts without a style
    style_spread       shares of the styles for "a MOTIF"
    guidance           the first two for other strengths of guidance
    nearest            distance of a picture to the nearest of all training drawings: RMS over 16x16 RGB,
                       0 to 255, the median and the 5 % quantile, for the model's pictures, for new drawings of
                       held-out clip art in the same styles, and for new drawings of the training clip art.
                       A model that replays drawings would be near 0; one that draws the training clip art
                       in new ways lies where its new drawings do
    distance           mean RMS distance of two pictures of one prompt without a style, same measure
    judges             accuracy of both judges on drawings of held-out clip art, on these after the VAE, and on
                       new drawings of the training clip art: the most that a model which draws that could reach
"""
import argparse
import json
import os
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

import vae
from classify import JUDGES, judge_of, logits
from common import GUIDANCE, MOTIFS, STYLES, load, to_tensor
from dataset import render
from sample import Model
from sheet import sheet

JUDGE_STEPS = {"style": 800, "motif": 1500}
REBUILT = 64     # training drawings of each motif and style that judges also see after the VAE
EACH = 3         # pictures of each style and motif
PLAIN = 12       # pictures of each motif without a style
GUIDANCES = (1.0, 2.0, 5.0)
GUIDANCE_EACH = 1


def judges(work, device, say):
    """[(judge, its accuracies on held-out drawings, clean and after the VAE)] in the order of JUDGES."""
    def at(name):
        return os.path.join(work, name)

    kinds = {}
    for split in "train", "held-out":
        drawings = load(at(split + ".pt"))["drawings"]
        if not os.path.exists(at(split + "-rebuilt.pt")):
            say("the %s clip art through the VAE" % split)
            vae.rebuild(at(split + "-rebuilt.pt"), at("vae"), drawings[:, :, :REBUILT], device)
        kinds[split] = [drawings, load(at(split + "-rebuilt.pt"))]
    return [judge_of(at("judge-%s.pt" % name), axis, kinds["train"], kinds["held-out"], JUDGE_STEPS[name],
                     1, device, say) for axis, name in enumerate(JUDGES)]


def _small(pictures):
    """[n, 16 * 16 * 3] float: what two pictures are compared by."""
    return F.avg_pool2d(to_tensor(pictures.reshape(-1, *pictures.shape[-3:])) * 127.5, 4).flatten(1)


def _nearest(pictures, training):
    found = torch.cat([torch.cdist(part, training).amin(1) for part in _small(pictures).split(64)])
    found = (found / training.shape[1] ** 0.5).numpy()
    return {"median": round(float(np.median(found)), 1), "q05": round(float(np.quantile(found, 0.05)), 1)}


def _share(hits):
    return round(float(np.mean(hits)), 4)


def evaluate(folder, work, found, guidance, device, say, clipart, sheet_path=None, guidances=GUIDANCES):
    """The measurements above as a dictionary; also draws a sheet of motifs and styles. found: judges()."""
    (motif_judge, motif_held_out), (style_judge, style_held_out) = found
    model = Model(folder, device)

    def judged(pictures):
        x = to_tensor(pictures)
        return logits(motif_judge, x).argmax(1).numpy(), logits(style_judge, x).argmax(1).numpy()

    def named(each, strength, seed):
        wanted = [(m, s) for m in range(len(MOTIFS)) for s in range(len(STYLES)) for _ in range(each)]
        pictures = model.draw(["a %s %s" % (STYLES[s], MOTIFS[m]) for m, s in wanted], seed, guidance=strength)
        m, s = judged(pictures)
        return pictures, m == [w[0] for w in wanted], s == [w[1] for w in wanted]

    began = time.monotonic()
    pictures, motif_hit, style_hit = named(EACH, guidance, 1)
    rate = len(pictures) / (time.monotonic() - began)
    say("evaluate: %.1f pictures a second; style obeyed %.3f, motif %.3f" % (rate, style_hit.mean(), motif_hit.mean()))
    shape = len(MOTIFS), len(STYLES), EACH
    plain = model.draw(["a " + motif for motif in MOTIFS for _ in range(PLAIN)], 2, guidance=guidance)
    plain_motif, plain_style = judged(plain)
    plain_hit = plain_motif == np.repeat(np.arange(len(MOTIFS)), PLAIN)
    spread = np.bincount(plain_style, minlength=len(STYLES)) / len(plain_style)
    say("evaluate: without a style " + ", ".join("%s %.3f" % pair for pair in zip(STYLES, spread)))
    strengths = {}
    for strength in guidances:
        _, m, s = named(GUIDANCE_EACH, strength, 3)
        strengths["%g" % strength] = {"style_obeyed": _share(s), "motif_obeyed": _share(m)}
    training = _small(load(os.path.join(work, "train.pt"))["drawings"].numpy())
    alike = _small(plain).reshape(len(MOTIFS), PLAIN, -1)
    pairs = torch.stack([torch.pdist(group).mean() for group in alike]).mean() / training.shape[1] ** 0.5
    hits = motif_hit.reshape(shape)
    anew = render("train", clipart, EACH, 77, os.cpu_count())[0]
    anew_motif, anew_style = judged(anew.reshape(-1, *anew.shape[3:]))
    result = {
        "guidance": strengths, "at_guidance": guidance, "pictures": len(pictures) + len(plain),
        "style_obeyed": _share(style_hit),
        "style_obeyed_by_style": {s: _share(style_hit.reshape(shape)[:, i]) for i, s in enumerate(STYLES)},
        "motif_obeyed": _share(np.concatenate([motif_hit, plain_hit])),
        "motif_obeyed_by_style": {s: _share(hits[:, i]) for i, s in enumerate(STYLES)},
        "motif_obeyed_by_motif": {m: _share(hits[i]) for i, m in enumerate(MOTIFS)},
        "motif_plain": _share(plain_hit),
        "style_spread": {s: round(float(v), 4) for s, v in zip(STYLES, spread)},
        "nearest": {
            "model": _nearest(pictures, training),
            "held_out_clip_art": _nearest(load(os.path.join(work, "held-out.pt"))["drawings"][:, :, :EACH].numpy(),
                                          training),
            "training_clip_art_drawn_anew": _nearest(anew, training)},
        "distance": round(float(pairs), 1),
        "judges": {**{"%s_%s" % (name, kind): round(value, 4)
                      for name, values in (("motif", motif_held_out), ("style", style_held_out))
                      for kind, value in zip(("held_out", "held_out_after_vae"), values)},
                   "motif_anew": _share(anew_motif == np.arange(len(MOTIFS)).repeat(len(anew_motif) // len(MOTIFS))),
                   "style_anew": _share(anew_style == np.tile(np.arange(len(STYLES)).repeat(EACH), len(MOTIFS)))},
    }
    if sheet_path:
        cells = pictures.reshape(*shape, *pictures.shape[1:])[:, :, 0]
        unnamed = plain.reshape(len(MOTIFS), PLAIN, *plain.shape[1:])[:, :4]
        sheet([[*cells[m], *unnamed[m]] for m in range(len(MOTIFS))], MOTIFS, [*STYLES, *["no style"] * 4],
              sheet_path)
    return result


def main():
    parser = argparse.ArgumentParser(description="Measures a starter model.")
    parser.add_argument("folder")
    parser.add_argument("--work", required=True)
    parser.add_argument("--guidance", type=float, default=GUIDANCE)
    parser.add_argument("--guidances", type=float, nargs="*", default=GUIDANCES, help="other strengths to compare")
    parser.add_argument("--json")
    parser.add_argument("--sheet")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--clipart", default="/usr/share/openclipart/png")
    given = parser.parse_args()
    torch.set_num_threads(1)  # the cores are used by lanes.py

    def say(text):
        print(text, file=sys.stderr, flush=True)

    result = evaluate(given.folder, given.work, judges(given.work, given.device, say), given.guidance, given.device,
                      say, given.clipart, given.sheet, given.guidances)
    text = json.dumps(result, indent=1)
    if given.json:
        with open(given.json, "w", encoding="utf-8") as file:
            file.write(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
