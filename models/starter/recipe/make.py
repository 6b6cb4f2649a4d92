#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the starter model, from clip art to a measured diffusers folder.

    make.py --work DIR [--out FOLDER] [--from FOLDER] [--hours H] [--vae-hours H] [--device cpu|cuda]

Stages, each skipped if its result is in DIR: drawings (train.pt, held-out.pt), tokenizer, VAE (vae/),
latents (latents.pt), UNet and text encoder (unet.ckpt), judges (train-rebuilt.pt, held-out-rebuilt.pt,
judge-motif.pt, judge-style.pt), export to DIR/model and FOLDER, with the judges, evaluation (DIR/evaluation.json,
DIR/sheet.png). Interrupt it however you like and start it again: training goes on from a checkpoint at most three
minutes old. Copy DIR to another machine and it goes on there. Asking for more --hours than were spent goes on too.

--from begins with a diffusers folder's VAE, tokenizer, text encoder and UNet instead of random weights:
with the published model, training continues where no checkpoint is left.
"""
import argparse
import json
import os
import shutil
import time

import torch

import dataset
import tokenizer
import unet
import vae
from classify import JUDGES, write_judge
from common import GUIDANCE, SIZE, load
from evaluate import evaluate, judges
from export import export
from sample import write_samples

PER_STYLE = 256          # drawings of each motif in each style
HELD_OUT_PER_STYLE = 32


def say(text):
    print(time.strftime("%H:%M:%S"), text, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--work", required=True, help="folder of checkpoints and results in between")
    parser.add_argument("--out", help="folder to write the model to, besides DIR/model")
    parser.add_argument("--from", dest="start", help="diffusers folder to begin with")
    parser.add_argument("--hours", type=float, default=7.0, help="for UNet and text encoder (default 7)")
    parser.add_argument("--vae-hours", type=float, default=1.0, help="for the VAE (default 1)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--clipart", default="/usr/share/openclipart/png")
    parser.add_argument("--guidance", type=float, default=GUIDANCE, help="of the evaluation (default %g)" % GUIDANCE)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    workers = os.cpu_count()
    torch.set_num_threads(1)  # the cores are used by lanes.py
    os.makedirs(given.work, exist_ok=True)

    def at(name):
        return os.path.join(given.work, name)

    for split, seed, n in ("held-out", given.seed + 1, HELD_OUT_PER_STYLE), ("train", given.seed, PER_STYLE):
        if not os.path.exists(at(split + ".pt")):
            say("drawing the %s clip art" % split)
            dataset.build(at(split + ".pt"), split, given.clipart, n, seed, workers)
    train = load(at("train.pt"))
    if not os.path.exists(at("tokenizer")):
        if given.start:
            shutil.copytree(os.path.join(given.start, "tokenizer"), at("tokenizer"))
        else:
            tokenizer.train(at("tokenizer"), dataset.all_captions())
    if not os.path.exists(at("vae")):
        held_out = load(at("held-out.pt"))["drawings"][:, :, :4].reshape(-1, SIZE, SIZE, 3)
        vae.train(at("vae"), at("vae.ckpt"), train["drawings"].reshape(-1, SIZE, SIZE, 3), held_out,
                  given.start and os.path.join(given.start, "vae"), given.vae_hours, given.seed, given.device, say)
    if not os.path.exists(at("latents.pt")):
        say("encoding the drawings")
        vae.encode(at("latents.pt"), at("vae"), train["drawings"], given.device)
    models = unet.train(at("unet.ckpt"), load(at("latents.pt")), train["backgrounds"], at("tokenizer"), given.start,
                        given.hours, given.seed, given.device, say)
    found = judges(given.work, given.device, say)
    for folder in filter(None, (at("model"), given.out)):
        export(folder, at("tokenizer"), at("vae"), *models)
        for (judge, _), (name, classes) in zip(found, JUDGES.items()):
            write_judge(judge, classes, os.path.join(folder, "judges", name + ".safetensors"))
        write_samples(folder, given.device)
        say("wrote " + folder)
    result = evaluate(at("model"), given.work, found, given.guidance, given.device, say, given.clipart,
                      at("sheet.png"))
    with open(at("evaluation.json"), "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
    say("evaluated: %s and %s" % (at("evaluation.json"), at("sheet.png")))


if __name__ == "__main__":
    main()
