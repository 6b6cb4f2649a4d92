#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the plug-in's procedures from Script-Fu and from Python, in GIMP without a screen; prints TAP.

test-procedures.py BUILD FOLDER
"""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.append(os.path.join(ROOT, "tests", "tools"))
import ldm_file  # noqa: E402

SYSTEM = subprocess.run(["pkg-config", "--variable=gimplibdir", "gimp-3.0"], capture_output=True,
                        text=True).stdout.strip() + "/plug-ins"

SCRIPT_FU = """
(let* ((image (car (gimp-image-new 96 64 RGB)))
       (layer (car (gimp-layer-new image "paper" 96 64 RGB-IMAGE 100 LAYER-MODE-NORMAL))))
  (gimp-image-insert-layer image layer 0 0)
  (gimp-drawable-fill layer FILL-WHITE)
  (let* ((made (plug-in-penchant #:run-mode RUN-NONINTERACTIVE #:image image #:drawables (vector layer)
                                 #:prompt "bird" #:count 2 #:steps 3 #:seed 7))
         (round (car made))
         (layers (caddr made)))
    (display "round=") (display round) (newline)
    (display "layers=") (display (vector-length layers)) (newline)
    (display "name=") (display (car (gimp-item-get-name (vector-ref layers 0)))) (newline)
    (display "pick=") (display (car (plug-in-penchant-pick #:round round #:order "1>0"))) (newline)))
"""

PYTHON = """
import json, os, sqlite3
from gi.repository import Gimp, Gio, GObject
pdb = Gimp.get_pdb()

def call(name, **args):
    procedure = pdb.lookup_procedure(name)
    config = procedure.create_config()
    for key, value in args.items():
        config.set_property(key.replace("_", "-"), value)
    values = procedure.run(config)
    if values.index(0) != Gimp.PDBStatusType.SUCCESS:
        return pdb.get_last_error() or "failed"
    return [values.index(i) for i in range(1, values.length())]

made = call("plug-in-penchant", run_mode=Gimp.RunMode.NONINTERACTIVE, prompt="heart", count=2, steps=3, width=64, height=64,
            seed=2**52 + 1, words=True, clip_skip=2)
round, image = made[:2]
layers = image.get_layers()
report = {"round": round, "size": [image.get_width(), image.get_height()],
          "layers": len(layers), "name": layers[0].get_name()}
report["offered"] = {}
for name in ["plug-in-penchant", "plug-in-penchant-pick", "plug-in-penchant-teach", "plug-in-penchant-insert"]:
    procedure = pdb.lookup_procedure(name)
    report["offered"][name] = [value.name for value in [*procedure.get_arguments(), *procedure.get_return_values()]]
report["pick"] = call("plug-in-penchant-pick", round=round, order="0")[0]
report["taught"] = call("plug-in-penchant-teach", style="Batch", epochs=1)
report["with an adapter"] = call("plug-in-penchant", run_mode=Gimp.RunMode.NONINTERACTIVE, prompt="heart", count=2, steps=3,
                                 width=64, height=64, adapters=[%r + ":0.5"], vae=%r)
report["no adapter"] = call("plug-in-penchant", run_mode=Gimp.RunMode.NONINTERACTIVE, prompt="heart", adapters=["/none/x.safetensors"])
report["pick with adapter"] = call("plug-in-penchant-pick", round=report["with an adapter"][0], order="0")[0]
report["taught on an adapter"] = call("plug-in-penchant-teach", style="Inked", epochs=1, adapters=[%r + ":0.5"])
report["with an adapter"] = report["with an adapter"][0]
report["no style"] = call("plug-in-penchant", run_mode=Gimp.RunMode.NONINTERACTIVE, prompt="heart", style="Nobody")
report["no round"] = call("plug-in-penchant-pick", round=999, order="0")
report["bad order"] = call("plug-in-penchant-pick", round=round, order="7>")
report["with style"] = call("plug-in-penchant", run_mode=Gimp.RunMode.NONINTERACTIVE, prompt="heart", style="Batch",
                            count=2, steps=3, width=64, height=64)[0]
recipe = {"prompt": "{prompt}, ink", "negative_prompt": "blurry", "sampler": "euler", "steps": 2, "guidance": 3,
          "width": 32, "height": 48}
with sqlite3.connect(os.environ["PENCHANT_DATA"] + "/penchant.db") as database:
    database.execute("UPDATE styles SET recipe = ?", (json.dumps(recipe),))
report["with a recipe"] = call("plug-in-penchant", run_mode=Gimp.RunMode.NONINTERACTIVE, prompt="heart", style="Batch",
                               count=1)[0]
report["but the steps"] = call("plug-in-penchant", run_mode=Gimp.RunMode.NONINTERACTIVE, prompt="heart", style="Batch",
                               count=1, steps=3, width=64, height=32)[0]
report["fast"] = call("plug-in-penchant", run_mode=Gimp.RunMode.NONINTERACTIVE, prompt="heart", style="Batch", count=1,
                      fast=True)[0]
paper = Gimp.Image.new(200, 100, Gimp.ImageBaseType.RGB)
layer = Gimp.Layer.new(paper, "paper", 200, 100, Gimp.ImageType.RGB_IMAGE, 100, Gimp.LayerMode.NORMAL)
paper.insert_layer(layer, None, 0)
layer.fill(Gimp.FillType.WHITE)
paper.select_ellipse(Gimp.ChannelOps.REPLACE, 20, 30, 40, 40)
edited = call("plug-in-penchant", run_mode=Gimp.RunMode.NONINTERACTIVE, image=paper, prompt="heart", count=1, steps=3,
              start_from="selection", grow=5)
Gimp.Selection.none(paper)

def place(layer):
    return [layer.get_width(), layer.get_height()] + list(layer.get_offsets())[1:]

report["edited"] = place(paper.get_layers()[0])
report["edited again"] = place(call("plug-in-penchant-insert", image=paper, round=edited[0])[0])
report["filled"] = place(call("plug-in-penchant-insert", image=paper, round=round, candidate=1, fit="fill")[0])
report["no candidate"] = call("plug-in-penchant-insert", image=paper, round=round, candidate=9)
with open(%r, "w") as file:
    json.dump(report, file)
"""


def prepare(build, folder):
    shutil.rmtree(folder, ignore_errors=True)
    profile = os.path.join(folder, "profile")
    os.makedirs(profile)
    env = dict(os.environ, HOME=folder, XDG_CONFIG_HOME=folder + "/config", GIMP3_DIRECTORY=profile,
               PENCHANT_DATA=folder + "/data", LC_ALL="C.UTF-8")
    subprocess.run(["bash", os.path.join(ROOT, "tests", "tools", "gimp-profile.sh"), build, profile], check=True, env=env)
    for name in ["script-fu", "python-eval"]:
        os.symlink(os.path.join(SYSTEM, name), os.path.join(profile, "plug-ins", name))
    with open(os.path.join(profile, "gimprc"), "a") as file:
        file.write('(plug-in-path "%s")\n' % os.path.join(profile, "plug-ins"))
    return env


def batch(env, interpreter, code):
    result = subprocess.run(["gimp-console-3.0", "--no-interface", "--new-instance", "--batch-interpreter", interpreter,
                             "-b", code, "--quit"], env=env, capture_output=True, text=True, timeout=540)
    return result.stdout + result.stderr


def drawn_with(env, round):
    with sqlite3.connect("file:%s/penchant.db?mode=ro" % env["PENCHANT_DATA"], uri=True) as database:
        return database.execute("SELECT seed, words, clip_skip FROM rounds WHERE id = ?", (round,)).fetchone()


def settings_of(env, round):
    with sqlite3.connect("file:%s/penchant.db?mode=ro" % env["PENCHANT_DATA"], uri=True) as database:
        return database.execute("SELECT prompt, negative_prompt, sampler, steps, guidance, width, height FROM rounds "
                                "WHERE id = ?", (round,)).fetchone()


def made_with(env, round):
    """The model of a round, as it is recorded."""
    with sqlite3.connect("file:%s/penchant.db?mode=ro" % env["PENCHANT_DATA"], uri=True) as database:
        rows = database.execute("SELECT model_path FROM rounds WHERE id = ?", (round,)).fetchall()
    return json.loads(rows[0][0]) if rows and rows[0][0].startswith("{") else {}


def unnamed_in_manual(offered):
    """What docs/man/penchant-procedures.7 leaves out of each procedure's section."""
    with open(os.path.join(ROOT, "docs", "man", "penchant-procedures.7")) as file:
        sections = file.read().replace("\\-", "-").split("\n.SS ")
    texts = {section.split("\n")[0]: section for section in sections}
    return [(name, word) for name, words in offered.items() for word in words
            if word != "run-mode" and not re.search(r"(^|[ \n\"])%s([ ,\"]|$)" % re.escape(word), texts.get(name, ""), re.M)]


class Report:
    def __init__(self):
        self.number, self.failed = 0, 0

    def check(self, name, good, detail=""):
        self.number += 1
        self.failed += not good
        print("%sok %d - %s" % ("" if good else "not ", self.number, name))
        if not good:
            for line in str(detail).splitlines():
                print("# " + line)
        sys.stdout.flush()


def main():
    env = prepare(sys.argv[1], os.path.abspath(sys.argv[2]))
    report = Report()

    output = batch(env, "plug-in-script-fu-eval", SCRIPT_FU)
    report.check("Script-Fu makes a round into layers",
                 "round=1" in output and "layers=2" in output and "name=bird (1)" in output, output)
    report.check("Script-Fu picks", "pick=1" in output, output)

    path = os.path.join(sys.argv[2], "python.json")
    ink = os.path.join(os.path.abspath(sys.argv[2]), "ink.safetensors")
    vae = os.path.join(ROOT, "models", "starter", "vae")
    ldm_file.write_kohya(ink, [("lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q", 128, 128, 4, 4)], 1)
    output = batch(env, "python-fu-eval", PYTHON % (ink, vae, ink, os.path.abspath(path)))
    found = {}
    if os.path.exists(path):
        with open(path) as file:
            found = json.load(file)
    report.check("Python makes a round into a new image",
                 found.get("size") == [64, 64] and found.get("layers") == 2 and found.get("name") == "heart (1)",
                 "%s\n%s" % (found, output))
    report.check("It takes the seeds that Penchant records, and how the prompt is read",
                 drawn_with(env, found.get("round")) == (2**52 + 1, 1, 2), found)
    unnamed = unnamed_in_manual(found.get("offered", {}))
    report.check("The manual names every procedure, argument and value", found.get("offered") and not unnamed, unnamed)
    report.check("Python picks", found.get("pick") == 2, found)
    taught = found.get("taught")
    report.check("Python teaches a style, which adopts both rounds",
                 isinstance(taught, list) and taught[:2] == [1, 2] and taught[2] > 0, taught)
    report.check("The style makes a round", isinstance(found.get("with style"), int), found)
    report.check("Fast brings sampler, steps and guidance along, also where the style has its own",
                 settings_of(env, found.get("fast")) == ("heart, ink", "blurry", "DPM++ SDE Karras", 5, 1, 32, 48),
                 settings_of(env, found.get("fast")))
    report.check("The style's recipe draws where nothing else is said",
                 settings_of(env, found.get("with a recipe")) == ("heart, ink", "blurry", "Euler", 2, 3, 32, 48) and
                 settings_of(env, found.get("but the steps")) == ("heart, ink", "blurry", "Euler", 3, 3, 64, 32),
                 [settings_of(env, found.get(key)) for key in ("with a recipe", "but the steps")])
    model = made_with(env, found.get("with an adapter"))
    report.check("A decoder and an adapter can be given",
                 model.get("loras") == [ink] and model.get("strengths") == [0.5] and model.get("vae") == vae, (model, found))
    taught = found.get("taught on an adapter")
    report.check("A style is taught on top of an adapter", isinstance(taught, list) and taught[:2] == [1, 1], taught)
    report.check("A selection's candidate covers it, grown, also when it is inserted later",
                 found.get("edited") == found.get("edited again") == [50, 50, 15, 25], (found, output))
    report.check("A candidate fills the canvas", found.get("filled") == [200, 100, 0, 0], found)
    report.check("A candidate that is not there is an error", "9" in str(found.get("no candidate")), found)
    report.check("A missing adapter is an error that names it", "/none/x.safetensors" in str(found.get("no adapter")), found)
    report.check("An unknown style is an error that names it", "Nobody" in str(found.get("no style")), found)
    report.check("An unknown round is an error", "999" in str(found.get("no round")), found)
    report.check("A bad order is an error", "7" in str(found.get("bad order")), found)
    print("1..%d" % report.number)
    return 1 if report.failed else 0


sys.exit(main())
