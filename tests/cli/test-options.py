# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line where people run it: locales, permissions, numbers at the edge, picks that teach nothing."""

import os
import sqlite3
import stat

from program import ONE_PASS, TINY, generate, png_texts, run, snapshot
from tap import main

GENERATE = ["generate", "--prompt", "a bird"]
# Python's own words go out in the encoding of its file system, which is UTF-8 in the tests.
WORDS = "ein Vögelchen, 水墨"
POSIX = {"LC_ALL": "POSIX"}
NOTHING = {name: None for name in ["LC_ALL", "LC_CTYPE", "LANG", "LANGUAGE", "HOME", "USER", "TERM"]}


def prompts(folder):
    return [row["prompt"] for row in run(folder, "history", "--json").of_type("round")]


def test_text_outside_ascii_in_any_locale(folder):
    for i, env in enumerate([POSIX, {"LC_ALL": "C"}, {"LC_ALL": "de_XX.nonsense"}, NOTHING]):
        data = folder / "Bilder-ä" / str(i)
        run(data, "generate", "--prompt", WORDS, "--count", "1", *TINY, "--out", data / "größer", env=env)
        assert prompts(data) == [WORDS], (env, prompts(data))
        assert (data / "größer" / "round1-0.png").exists()
        run(data, "style", "create", "Öl", env=env)
        assert "Öl" in run(data, "styles", env=env).out
        assert "Öl" in run(data, "style", "export", "Öl", data / "ü.safetensors", env=env, status=1).err
        assert "größe" in run(data, *GENERATE, "--model", "/größe", env=env, status=2).err


def test_text_that_is_not_utf8(folder):
    done = run(folder, "generate", "--prompt", b"V\xf6gel", status=2)
    assert done.err == "penchant: What was written is not text in UTF-8.\n", done.err


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_written_files_follow_the_umask(folder):
    out, words = folder / "out", [*GENERATE, "--count", "2", *TINY, "--out", folder / "out"]
    for umask, expected in [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)]:
        run(folder, *words, umask=umask)
        assert {mode(path) for path in out.iterdir()} == {expected}, [oct(mode(path)) for path in out.iterdir()]
        for path in out.iterdir():
            path.unlink()
    # A file that is there keeps what its owner gave it.
    generate(folder)
    number = 1 + max(int(row["round"]) for row in run(folder, "history", "--json").of_type("round"))
    kept = out / ("round%d-0.png" % number)
    kept.write_text("")
    kept.chmod(0o640)
    run(folder, *words, umask=0o077)
    assert mode(kept) == 0o640 and mode(out / ("round%d-1.png" % number)) == 0o600
    # So do styles, and the store's own files stay the artist's alone.
    run(folder, "pick", number, "--best", "0")
    run(folder, "teach", "--style", "ink", *ONE_PASS, "--timesteps-per-update", "0")
    exported = folder / "ink.safetensors"
    exported.write_text("")
    exported.chmod(0o660)
    run(folder, "style", "export", "ink", exported, umask=0o077)
    assert mode(exported) == 0o660
    assert {mode(path) for path in (folder / "rounds").rglob("*.png")} == {0o600}


def test_numbers_at_the_edge(folder):
    for words, part in [(["--guidance", "0"], "more than 0"), (["--guidance", "-1"], "more than 0"),
                        (["--guidance", "1000"], "100"), (["--steps", "-1"], "--steps"), (["--steps", "0"], "--steps"),
                        (["--count", "-1"], "--count"), (["--width", "-1"], "--width"), (["--height", "-8"], "--height")]:
        done = run(folder, *GENERATE, *words, status=2)
        assert part in done.err and len(done.err.splitlines()) == 1, (words, done.err)
    for words in [["teach", "--style", "x", "--rank", "-1"], ["style", "create", "x", "--rank", "-1"]]:
        assert "--rank" in run(folder, *words, status=2).err
    assert run(folder, "styles", "--json").of_type("style") == []
    generate(folder)
    assert "-1" in run(folder, "pick", "1", "--best", "-1", status=2).err
    # What is allowed is kept as it is.
    run(folder, *GENERATE, "--count", "1", *TINY, "--guidance", "0.5")
    assert run(folder, "history", "--limit", "1", "--json").of_type("round")[0]["guidance"] == 0.5


def test_seeds_of_any_size(folder):
    for seed in [0, 2**31, 2**52 + 1, 2**63 - 1]:
        done = run(folder, *GENERATE, "--count", "1", *TINY, "--seed", seed, "--json").of_type("result")[0]
        assert done["seed"] == seed
        text = png_texts(done["files"][0])["parameters"]
        assert "Seed: %d," % seed in text, text


def test_ties_alone_make_no_style(folder):
    generate(folder)
    run(folder, "pick", "1", "--order", "0=1=2")
    before = snapshot(folder)
    done = run(folder, "teach", "--style", "ink", status=1)
    assert "as good" in done.err and snapshot(folder) == before, done.err
    run(folder, "style", "create", "ink")
    run(folder, "generate", "--prompt", "a cat", "--style", "ink", "--count", "2", *TINY)
    run(folder, "pick", "2", "--order", "0=1")
    assert "prefer" in run(folder, "teach", "--style", "ink", status=1).err
    # A tie is no obstacle to what can be learnt.
    generate(folder)
    run(folder, "pick", "3", "--best", "0")
    run(folder, "teach", "--style", "new", *ONE_PASS)


def learnt(folder):
    with sqlite3.connect(folder / "penchant.db") as database:
        return [row[0] for row in database.execute(
            "SELECT round FROM run_picks JOIN picks ON picks.id = run_picks.pick ORDER BY round")]


def test_the_published_loss_needs_fresh_noise(folder):
    for sampler in [["--eta", "1"], ["--eta", "0"], ["--sampler", "DPM++ 2M Karras"]]:
        made = run(folder, *GENERATE, "--count", "2", *TINY, "--steps", "6", *sampler).out.strip()
        run(folder, "pick", made, "--best", "0")
    paper = ["--preset", "paper", "--epochs", "1"]
    done = run(folder, "teach", "--style", "ink", *paper, "--json")
    result, = done.of_type("result")
    assert result["picks"] == 1 and learnt(folder) == [1], (result, learnt(folder))
    assert all(step["loss"] > 0 for step in done.of_type("step"))
    assert any("2 picks were not learnt" in line["message"] for line in done.of_type("notice")), done.out
    style, = run(folder, "styles", "--json").of_type("style")
    assert style["new_picks"] == 2
    # With those alone there is nothing to do, and nothing is recorded.
    before = snapshot(folder)
    assert "fresh noise" in run(folder, "teach", "--style", "ink", "--new-only", *paper, status=1).err
    assert snapshot(folder) == before
    # In hindsight every sampler's pictures teach.
    done = run(folder, "teach", "--style", "ink", *ONE_PASS, "--json")
    result, = done.of_type("result")
    assert result["picks"] == 3 and not any("not learnt" in line["message"] for line in done.of_type("notice"))


main([test_text_outside_ascii_in_any_locale, test_text_that_is_not_utf8, test_written_files_follow_the_umask,
      test_numbers_at_the_edge, test_seeds_of_any_size, test_ties_alone_make_no_style,
      test_the_published_loss_needs_fresh_noise])
