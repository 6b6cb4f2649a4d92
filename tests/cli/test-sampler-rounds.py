# SPDX-License-Identifier: GPL-3.0-or-later
"""Rounds of every sampler: drawn, kept, and learnt from."""

import filecmp

from program import ONE_PASS, TINY, png_texts, run
from tap import main

# A name as people write it; as it is kept; and as a PNG's settings have it.
SAMPLERS = [("ddim", "DDIM", "Sampler: DDIM,"), ("Euler", "Euler", "Sampler: Euler,"),
            ("euler_ancestral", "Euler a", "Sampler: Euler a,"),
            ("DPM++ 2M Karras", "DPM++ 2M Karras", "Sampler: DPM++ 2M Karras,"),
            ("dpmpp_2m_sde sgm_uniform", "DPM++ 2M SDE SGM Uniform",
             "Sampler: DPM++ 2M SDE SGM Uniform,"),
            ("DPM++ SDE", "DPM++ SDE Karras", "Sampler: DPM++ SDE Karras,"), ("UniPC", "UniPC", "Sampler: UniPC,"),
            ("LCM", "LCM", "Sampler: LCM,"), ("TCD", "TCD", "Sampler: TCD,")]


def draw(folder, sampler, *words):
    size = [*TINY, "--steps", "6", "--count", "2", "--seed", "5"]
    out = run(folder, "generate", "--prompt", "a bird", "--sampler", sampler, *size, "--out", folder, *words).out
    return out.strip()


def test_rounds(folder):
    first = None
    for number, (name, kept, text) in enumerate(SAMPLERS, 1):
        assert draw(folder, name) == str(number)
        picture = folder / ("round%d-0.png" % number)
        assert text in png_texts(picture)["parameters"], png_texts(picture)
        assert not filecmp.cmp(picture, folder / ("round%d-1.png" % number), shallow=False)
        assert first is None or not filecmp.cmp(picture, first, shallow=False)
        first = first or picture
        run(folder, "pick", number, "--best", "0")
    rounds = run(folder, "history", "--limit", "20", "--json").of_type("round")
    assert [row["sampler"] for row in reversed(rounds)] == [kept for _, kept, _ in SAMPLERS]
    # In hindsight all of them teach.
    done = run(folder, "teach", "--style", "all", *ONE_PASS, "--json")
    result, = done.of_type("result")
    assert result["picks"] == len(SAMPLERS) and not any("not learnt" in line["message"]
                                                        for line in done.of_type("notice"))
    assert all(step["loss"] > 0 for step in done.of_type("step"))


def test_the_published_loss(folder):
    for number, name in enumerate(["Euler", "DPM++ 2M SDE", "LCM"], 1):
        draw(folder, name)
        run(folder, "pick", number, "--best", "0")
    done = run(folder, "teach", "--style", "paper", "--preset", "paper", "--epochs", "1", "--json")
    result, = done.of_type("result")
    assert result["picks"] == 2, result
    assert any("fresh noise" in line["message"] for line in done.of_type("notice")), done.out


def test_from_a_picture(folder):
    draw(folder, "DDIM")
    for name in ["DPM++ SDE Karras", "UniPC", "LCM"]:
        number = draw(folder, name, "--from", folder / "round1-0.png", "--strength", "0.5")
        run(folder, "pick", number, "--best", "1")
    result, = run(folder, "teach", "--style", "ink", *ONE_PASS, "--json").of_type("result")
    assert result["picks"] == 3


def test_wrong_names(folder):
    words = ["generate", "--prompt", "a bird", *TINY]
    assert "DPM++ 2M SDE" in run(folder, *words, "--sampler", "Euler b", status=2).err
    assert "Karras" in run(folder, *words, "--schedule", "cosine", status=2).err
    assert "50" in run(folder, *words, "--sampler", "LCM", "--steps", "60", status=2).err


main([test_rounds, test_the_published_loss, test_from_a_picture, test_wrong_names])
