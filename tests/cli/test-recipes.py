# SPDX-License-Identifier: GPL-3.0-or-later
"""A style's recipe: what it brings to a round, what wins over it, and how it travels in the style's file."""

import filecmp
import json
import pathlib
import shutil
import sqlite3
import struct

from models import ldm_file
from program import ROOT, png_texts, run, snapshot
from tap import main

RECIPE = ["--template", "{prompt}, ink wash", "--negative", "blurry", "--sampler", "DPM++ 2M Karras", "--steps", "2",
          "--guidance", "3.5", "--width", "32", "--height", "48"]


def write_adapter(path):
    ldm_file.write_kohya(path, [("lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q", 128, 128, 4, 4)], 1)


def make_style(folder, *words):
    write_adapter(folder / "ink.safetensors")
    run(folder, "style", "import", folder / "ink.safetensors")
    if words:
        run(folder, "style", "set", "ink", *words)


def recipe(folder, name="ink"):
    return next(style.get("recipe") for style in run(folder, "styles", "--json").of_type("style") if style["name"] == name)


def draw(folder, *words, status=0):
    """What the round is recorded as, and what the picture says."""
    done = run(folder, "generate", "--count", "1", "--seed", "1", "--out", folder, *words, status=status)
    if status:
        return done.err
    with sqlite3.connect(folder / "penchant.db") as database:
        row = database.execute("SELECT prompt, negative_prompt, sampler, steps, guidance, width, height FROM rounds "
                               "ORDER BY id DESC LIMIT 1").fetchone()
    return row, png_texts(folder / ("round%s-0.png" % done.out.strip()))["parameters"]


def test_setting(folder):
    make_style(folder)
    assert recipe(folder) is None
    assert "no recipe" in run(folder, "style", "set", "ink").out
    done = run(folder, "style", "set", "ink", *RECIPE)
    assert "“{prompt}, ink wash”" in done.out and "DPM++ 2M Karras" in done.out and "32 × 48" in done.out
    whole = {"prompt": "{prompt}, ink wash", "negative_prompt": "blurry", "sampler": "dpmpp-2m", "schedule": "karras",
             "steps": 2, "guidance": 3.5, "width": 32, "height": 48}
    assert recipe(folder) == whole
    assert "ink wash" in run(folder, "styles").out
    # Each alone, and open again; a template may leave the prompt's place to us.
    run(folder, "style", "set", "ink", "--steps", "0", "--negative", "", "--template", "chalk", "--sampler", "Euler a")
    assert recipe(folder) == {"prompt": "{prompt}, chalk", "sampler": "euler-a", "guidance": 3.5, "width": 32, "height": 48}
    assert "recipe of the style" in run(folder, "undo").out
    assert recipe(folder) == whole
    before = snapshot(folder)
    for words in [["--template", "{prompt} and {prompt}"], ["--sampler", "e" * 100000], ["--steps", "151"],
                  ["--guidance", "-1"], ["--guidance", "nan"], ["--width", "33"], ["--width", "0"]]:
        complaint = run(folder, "style", "set", "ink", *words, status=2).err
        assert len(complaint.splitlines()) == 1, complaint
    assert snapshot(folder) == before
    run(folder, "style", "set", "nobody", "--steps", "3", status=2)


def test_rounds(folder):
    make_style(folder, *RECIPE)
    row, text = draw(folder, "--prompt", "a bird", "--style", "ink")
    assert row == ("a bird, ink wash", "blurry", "DPM++ 2M Karras", 2, 3.5, 32, 48), row
    assert text.startswith("a bird, ink wash\nNegative prompt: blurry\nSteps: 2, Sampler: DPM++ 2M Karras, CFG scale: 3.5")
    # Asked for again, the template is not put around it twice.
    assert draw(folder, "--prompt", "a bird, ink wash", "--style", "ink")[0] == row
    # What is asked for wins, part by part.
    assert draw(folder, "--prompt", "a cat", "--style", "ink", "--negative", "", "--sampler", "Euler", "--steps", "3",
                "--guidance", "2", "--width", "40", "--height", "32")[0] == ("a cat, ink wash", "", "Euler", 3, 2, 40, 32)
    assert draw(folder, "--prompt", "a cat", "--style", "ink", "--width", "32", "--steps", "1")[0][5:] == (32, 64)
    assert draw(folder, "--prompt", "a cat", "--style", "ink", "--no-recipe", "--steps", "1")[0][:4] == \
        ("a cat", None, "DDIM", 1)
    # A picture says all of its settings itself: the style has another recipe by now.
    run(folder, "style", "set", "ink", "--template", "chalk", "--negative", "dull", "--steps", "3")
    again, _ = draw(folder, "--settings-of", folder / "round1-0.png")
    assert again == row
    assert filecmp.cmp(folder / "round1-0.png", folder / "round6-0.png", shallow=False)
    # So does a candidate that more are to be like.
    assert draw(folder, "--like", "1:0")[0][:4] == row[:4]
    # No style, no recipe.
    assert draw(folder, "--prompt", "a bird", "--steps", "1")[0][:2] == ("a bird", None)


def metadata(path, change=None):
    """Reads a file's metadata, or changes them."""
    content = pathlib.Path(path).read_bytes()
    size, = struct.unpack_from("<Q", content)
    header = json.loads(content[8:8 + size])
    if change:
        header["__metadata__"].update(change)
        text = json.dumps(header).encode()
        pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + content[8 + size:])
    return header["__metadata__"]


def test_sharing(folder):
    ours, theirs = folder / "ours", folder / "theirs"
    for place in (ours, theirs):
        place.mkdir()
    make_style(ours, *RECIPE)
    run(ours, "style", "rename", "ink", "Tusche")
    for form in ["kohya", "diffusers"]:
        shared = folder / (form + ".safetensors")
        run(ours, "style", "export", "Tusche", shared, "--format", form)
        assert "Tusche" in run(theirs, "style", "import", shared).out
    # The second one found the name taken.
    assert recipe(theirs, "Tusche") == recipe(theirs, "Tusche 2") == recipe(ours, "Tusche")
    run(theirs, "style", "import", shared, "--name", "TUSCHE", status=2)
    pictures = []
    for place, name in [(ours, "Tusche"), (theirs, "Tusche"), (theirs, "Tusche 2")]:
        run(place, "generate", "--prompt", "a bird", "--style", name, "--seed", "3", "--count", "1", "--out", place / name)
        pictures.append(next((place / name).iterdir()).read_bytes().replace(b"Tusche 2", b"Tusche"))
    # But for the PNG's checksum of the name.
    assert pictures[0] == pictures[1] and len(pictures[0]) == len(pictures[2])


def test_another_model(folder):
    """A style knows its model by content."""
    ours, theirs = folder / "ours", folder / "theirs"
    for place in (ours, theirs):
        place.mkdir()
    shutil.copytree(ROOT / "models" / "starter", ours / "models" / "mine")
    config = ours / "models" / "mine" / "unet" / "config.json"
    config.write_text(config.read_text() + "\n")
    write_adapter(ours / "ink.safetensors")
    run(ours, "style", "import", ours / "ink.safetensors", "--model", "mine")
    shared = folder / "shared.safetensors"
    run(ours, "style", "export", "ink", shared)
    complaint = run(theirs, "style", "import", shared, status=2).err
    assert "“mine”" in complaint and len(complaint.splitlines()) == 1
    # Wherever it lies and whatever it is called.
    shutil.copytree(ours / "models" / "mine", theirs / "models" / "yours")
    run(theirs, "style", "import", shared)
    assert run(theirs, "styles", "--json").of_type("style")[0]["model"] == "yours"
    done = run(theirs, "style", "import", shared, "--model", "starter", "--name", "other")
    assert "may draw otherwise" in done.err and "“mine”" in done.err


def test_hostile_metadata(folder):
    make_style(folder, *RECIPE)
    shared = folder / "shared.safetensors"
    run(folder, "style", "export", "ink", shared)
    original = dict(metadata(shared))
    names = lambda: {style["name"] for style in run(folder, "styles", "--json").of_type("style")}
    for number, text in enumerate(["{", '{"steps": 1e9}', '{"sampler": "Rembrandt"}']):  # more in tests/studio
        metadata(shared, {"penchant.recipe": text})
        done = run(folder, "style", "import", shared, "--name", "style %d" % number)
        assert "recipe was left out" in done.err, (text[:40], done.err)
        assert recipe(folder, "style %d" % number) is None
    # A name that cannot be one: then it is the file's own; other numbers are as usual.
    for number, title in enumerate(["", "a\nb", "z" * 101]):
        metadata(shared, {**original, "modelspec.title": title, "penchant.strength": "1e99"})
        run(folder, "style", "import", shared)
        assert ("shared" if number == 0 else "shared %d" % (number + 1)) in names()
    assert all(style["strength"] == 1 for style in run(folder, "styles", "--json").of_type("style"))
    metadata(shared, {**original, "penchant.strength": "0.5", "penchant.model": "m" * 100000})
    run(folder, "style", "import", shared, "--name", "half")
    assert any(style["strength"] == 0.5 for style in run(folder, "styles", "--json").of_type("style"))
    metadata(shared, {"penchant.model_hash": "0" * 64})
    assert len(run(folder, "style", "import", shared, status=2).err) < 400


main([test_setting, test_rounds, test_sharing, test_another_model, test_hostile_metadata])
