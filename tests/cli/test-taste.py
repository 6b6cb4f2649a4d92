# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding a taste from the command line: guesses, wide rounds, more like this, own pictures."""

import filecmp
import math
import pathlib
import shutil
import sqlite3
import struct
import tempfile

from program import ONE_PASS, generate, run, snapshot, tensors
from tap import main

SMALL = ["--steps", "6", "--width", "32", "--height", "32"]


def make(folder, *words):
    return run(folder, "generate", "--json", *words).of_type("result")[0]


picked = tempfile.TemporaryDirectory(prefix="penchant-")


def pick_rounds(folder):
    """A style with three picks, which are made once."""
    store = pathlib.Path(picked.name)
    if not any(store.iterdir()):
        run(store, "style", "create", "ink")
        for i in range(3):
            made = make(store, "--prompt", "a bird", "--style", "ink", "--count", "3", "--seed", i, *SMALL)
            assert "guess" not in made and made["made"] == 3
            run(store, "pick", made["round"], "--best", i % 3)
    shutil.copytree(store, folder, dirs_exist_ok=True)


def history(folder, number):
    return next(row for row in run(folder, "history", "--json", "--limit", "0").of_type("round")
                if row["round"] == number)


def same_pictures(a, b):
    return [filecmp.cmp(x, y, shallow=False) for x, y in zip(a["files"], b["files"])]


def test_guess(folder):
    pick_rounds(folder)
    words = ["--prompt", "a cat", "--style", "ink", "--seed", "9", *SMALL]
    made = make(folder, *words)
    assert made["guess"] in range(4) and history(folder, 4)["guess"] == made["guess"]
    style = lambda: run(folder, "styles", "--json").of_type("style")[0]
    assert style()["guesses"] == 0
    # The same picks guess the same, and what a guess is does not follow from the picture's place.
    again = make(folder, *words)
    assert again["guess"] == made["guess"] and all(same_pictures(made, again))
    run(folder, "pick", "4", "--best", made["guess"])
    assert (style()["guesses"], style()["guesses_right"], style()["guesses_by_chance"]) == (1, 1, 0.25)
    assert "1 of 1" in run(folder, "styles").out
    run(folder, "pick", "5", "--best", (made["guess"] + 1) % 4)
    assert (style()["guesses"], style()["guesses_right"], style()["guesses_by_chance"]) == (2, 1, 0.5)
    run(folder, "undo")
    assert style()["guesses"] == 1
    # Of no style: nothing was picked there.
    assert "guess" not in make(folder, "--prompt", "a cat", *SMALL)


def test_features_are_kept_or_made_again(folder):
    pick_rounds(folder)
    words = ["--prompt", "a cat", "--style", "ink", "--seed", "9", *SMALL]
    made = make(folder, *words)
    kept = folder / "rounds" / "1" / "0-features.safetensors"
    before = kept.stat().st_mtime_ns
    (folder / "rounds" / "2" / "1-features.safetensors").write_bytes(b"damaged")
    (folder / "rounds" / "3" / "2-features.safetensors").unlink()
    assert make(folder, *words)["guess"] == made["guess"]
    assert kept.stat().st_mtime_ns == before
    shape, values = tensors(folder / "rounds" / "2" / "1-features.safetensors")["features"]
    assert shape == [len(values)] and len(values) > 1000
    # A round that cannot be read is left out, and nothing else is.
    (folder / "rounds" / "3" / "2-features.safetensors").unlink()
    (folder / "rounds" / "3" / "2.safetensors").write_bytes(b"damaged")
    assert "guess" not in make(folder, *words), "two picks are too few"
    run(folder, "pick", "4", "--best", "0")
    assert "guess" in make(folder, *words)


def test_wide(folder):
    words = ["--prompt", "a cat", "--count", "3", "--seed", "9", *SMALL]
    # Nothing to go by: a plain round, and a word.
    plain = run(folder, "generate", "--wide", "8", "--json", *words)
    assert plain.of_type("result")[0]["made"] == 3
    assert any("too few picks" in row["message"] for row in plain.of_type("notice"))
    pick_rounds(folder / "taught")
    words += ["--style", "ink"]
    wide = make(folder / "taught", "--wide", "8", *words)
    assert wide["made"] == 8 and len(wide["files"]) == 3 and wide["guess"] >= 0
    assert history(folder / "taught", wide["round"])["made"] == 8
    # They are three of the eight that a plain round of that many makes, and stay what they were.
    all_eight = make(folder / "taught", *words, "--count", "8")
    with sqlite3.connect(folder / "taught" / "penchant.db") as database:
        seeds = lambda number: [seed for seed, in database.execute(
            "SELECT seed FROM candidates WHERE round = ? ORDER BY place", [number])]
        where = [seeds(all_eight["round"]).index(seed) for seed in seeds(wide["round"])]
    assert len(set(where)) == 3 and where != [0, 1, 2]
    for place, index in enumerate(where):
        a = tensors(folder / "taught" / "rounds" / str(wide["round"]) / ("%d.safetensors" % place))
        b = tensors(folder / "taught" / "rounds" / str(all_eight["round"]) / ("%d.safetensors" % index))
        assert max(abs(x - y) for x, y in zip(a["latents"][1], b["latents"][1])) < 1e-3
    run(folder / "taught", "pick", wide["round"], "--best", "1")
    for words in [["--wide", "0"], ["--wide", "65"]]:
        run(folder, "generate", "--prompt", "a cat", *words, status=2)
    assert "make more" in run(folder, "generate", "--prompt", "a cat", "--wide", "4", status=2).err


def latents(folder, number, place):
    shape, values = tensors(folder / "rounds" / str(number) / ("%d.safetensors" % place))["latents"]
    size = len(values) // shape[0]
    return [values[i * size:(i + 1) * size] for i in range(shape[0])]


def test_like(folder):
    generate(folder, "--seed", "3", "--steps", "6")
    run(folder, "style", "create", "ink")
    made = make(folder, "--prompt", "a cat", "--negative", "dull", "--style", "ink", "--seed", "5", *SMALL)
    like = make(folder, "--like", "2:1", "--seed", "8")
    row = history(folder, like["round"])
    assert (row["like"], row["style"], row["prompt"], row["negative"], row["steps"], row["width"]) == \
        ("2:1", "ink", "a cat", "dull", 6, 32)
    origin = latents(folder, 2, 1)
    ours = [latents(folder, like["round"], place) for place in range(4)]
    assert all(len(path) == 4 and path[0] == origin[3] for path in ours), "half of the way is shared"
    assert len({tuple(path[-1]) for path in ours} | {tuple(origin[-1])}) == 5, "and then each goes its own way"
    near = make(folder, "--like", "2:1", "--part", "0.9", "--count", "1", "--seed", "8")
    far = make(folder, "--like", "2:1", "--part", "0", "--count", "1", "--seed", "8")
    distance = lambda number: sum((a - b) ** 2 for a, b in zip(latents(folder, number, 0)[-1], origin[-1]))
    assert distance(near["round"]) < distance(far["round"])
    # An ordinary round: picked, taught, and itself liked.
    run(folder, "pick", like["round"], "--best", "2")
    assert run(folder, "teach", "--style", "ink", *ONE_PASS, "--seed", "1", "--json").of_type("result")[0]["picks"] == 1
    make(folder, "--like", "%d:2" % like["round"])
    # Where no step takes fresh noise, too.
    still = make(folder, "--prompt", "a cat", "--eta", "0", "--count", "1", "--seed", "5", *SMALL)
    ours = make(folder, "--like", "%d:0" % still["round"], "--count", "2", "--seed", "1")
    assert not any(same_pictures({"files": [still["files"][0]] * 2}, ours)) and \
        not filecmp.cmp(*ours["files"], shallow=False)


def test_like_a_picture_with_a_start(folder):
    generate(folder, "--seed", "3", "--steps", "6", "--out", folder)
    made = make(folder, "--prompt", "a cat", "--from", folder / "round1-0.png", "--mask", folder / "round1-1.png",
                "--steps", "6", "--count", "2")
    like = make(folder, "--like", "%d:1" % made["round"], "--count", "2")
    assert (folder / "rounds" / str(like["round"]) / "start.png").exists()
    assert (folder / "rounds" / str(like["round"]) / "mask.png").exists()


def test_like_nothing(folder):
    generate(folder, "--seed", "3")
    for like, status, why in [("1:7", 2, "0 to 2"), ("9:0", 2, "no round 9"), ("bird", 2, "3:1"), ("1", 2, "3:1")]:
        assert why in run(folder, "generate", "--like", like, status=status).err
    for words in [["--prompt", "a cat"], ["--steps", "9"], ["--part", "1"], ["--part", "nan"]]:
        run(folder, "generate", "--like", "1:0", *words, status=2)
    run(folder, "generate", "--part", "0.5", "--prompt", "a cat", status=2)
    (folder / "rounds" / "1" / "0.safetensors").write_bytes(b"damaged")
    assert "damaged" in run(folder, "generate", "--like", "1:0", status=2).err


def write_bmp(path, width, height, colour):
    row = bytes(colour) * width + bytes(-3 * width % 4)
    head = struct.pack("<IHHIIiiHHIIiiII", 54 + len(row) * height, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    path.write_bytes(b"BM" + head + row * height)


def test_own_pictures(folder):
    mine = folder / "mine"
    mine.mkdir()
    generate(folder, "--seed", "3", "--out", mine)
    for i in range(1, 3):
        (mine / ("round1-%d.png" % i)).unlink()
    (mine / "round1-0.png").rename(mine / "a_cat-07.png")
    write_bmp(mine / "red house 2.bmp", 200, 40, (30, 30, 200))
    (mine / "red house 2.txt").write_text("a big\nred house\n")
    (mine / "broken.png").write_bytes(b"\x89PNG nothing")
    (mine / "notes.txt").write_text("no picture")
    words = ["teach", "--style", "mine", "--like", mine, "--updates", "8", "--seed", "1", "--json"]
    first = run(folder, *words)
    assert first.of_type("pictures")[0] == {"type": "pictures", "new": 2, "known": 0, "failed": 1}
    assert any("broken.png was left out" in row["message"] for row in first.of_type("warning"))
    assert first.of_type("result")[0]["picks"] == 2 and first.of_type("step")[-1]["margin"] > 0
    rows = [row for row in run(folder, "history", "--json").of_type("round") if row.get("own_picture")]
    assert [(row["prompt"], row["order"], row["style"]) for row in rows] == \
        [("a big red house", "0>1=2=3", "mine"), ("a cat", "0>1=2=3", "mine")]
    assert rows[0]["width"] == 2 * rows[0]["height"] - 8 * (rows[0]["width"] // 8 % 2) and \
        (rows[1]["width"], rows[1]["height"]) == (64, 64)
    # What one is learnt from is the picture, noisier at each step, and its noise is of unit size.
    path = latents(folder, rows[1]["round"], 0)
    size = lambda values: math.sqrt(math.fsum(v * v for v in values) / len(values))
    assert 0.8 < size(path[0]) < 1.2 and len(path) == 21
    away = [size([a - b for a, b in zip(step, path[-1])]) for step in path]
    assert all(a > b for a, b in zip(away[::5], away[5::5])) and away[-2] < 0.2
    # Again: they are known. Taken back: they are new.
    assert run(folder, *words).of_type("pictures")[0] == {"type": "pictures", "new": 0, "known": 2, "failed": 1}
    for _ in range(4):
        run(folder, "undo")
    again = run(folder, *words, "--prompt", "a bird").of_type("pictures")[0]
    assert again["new"] == 2
    assert {row["prompt"] for row in run(folder, "history", "--json", "--limit", "2").of_type("round")} == {"a bird"}


def test_no_own_pictures(folder):
    (folder / "empty").mkdir()
    (folder / "broken").mkdir()
    (folder / "broken" / "a.jpg").write_bytes(b"nothing")
    before = snapshot(folder)
    for words, status, why in [(["--like", folder / "empty"], 1, "no pictures in"),
                               (["--like", folder / "none"], 2, "cannot be read"),
                               (["--prompt", "a cat"], 2, "--like FOLDER")]:
        assert why in run(folder, "teach", "--style", "mine", *words, status=status).err
    assert snapshot(folder)[1] == before[1]
    assert "None of the pictures" in run(folder, "teach", "--style", "mine", "--like", folder / "broken", status=1).err


main([test_guess, test_features_are_kept_or_made_again, test_wide, test_like, test_like_a_picture_with_a_start,
      test_like_nothing, test_own_pictures, test_no_own_pictures])
