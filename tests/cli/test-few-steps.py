# SPDX-License-Identifier: GPL-3.0-or-later
"""Models and adapters that were made to draw in few steps: known, drawn as they were made for, and taught."""

import shutil

from models import GOLDEN, change_config, single_file, trajectory
from program import ONE_PASS, png_texts, run
from tap import main

SMALL = ["--width", "32", "--height", "32", "--count", "1", "--seed", "4"]


def draw(folder, *words):
    """How a picture was drawn: its round's row, and how often the UNet was asked."""
    done = run(folder, "generate", "--prompt", "a bird", *SMALL, *words, "--json")
    (result,) = done.of_type("result")
    (row,) = run(folder, "history", "--limit", "1", "--json").of_type("round")
    return row, result["evaluations"]


def test_by_name(folder):
    """A model that is called so is drawn so: each step asks the UNet once."""
    for name, sampler, steps, timesteps in [
            ("sd15_lcm", "LCM", 4, None), ("dmd2_4step", "LCM", 4, "999 749 499 249"),
            ("paint_lightning_8step", "Euler SGM Uniform", 8, None), ("mixTurbo", "Euler a SGM Uniform", 4, None),
            ("Hyper-SD15-2steps", "DDIM SGM Uniform", 2, None)]:
        path = single_file("sd1", folder / (name + ".safetensors"))
        row, evaluations = draw(folder, "--model", path)
        assert (row["sampler"], row["steps"], row["guidance"]) == (sampler, steps, 1), row
        assert row.get("timesteps") == timesteps, row
        assert evaluations == steps, evaluations
        if timesteps:
            (n, numbers), table = trajectory(folder, row["round"])["steps"]
            assert [table[i * numbers] for i in range(n)] == [999, 749, 499, 249], table
    said = run(folder, "generate", "--prompt", "a bird", *SMALL, "--model", path, "--quiet").err
    assert "Hyper-SD" in said and said.count("\n") == 1, said
    said = run(folder, "generate", "--prompt", "a bird", "--negative", "blue", *SMALL, "--model", path).err
    assert "guidance 1" in said and "not looked at" in said, said


def test_choices(folder):
    """One choice for a model that does not tell, the other for one whose name is wrong; and each setting by itself."""
    model = ["--model", single_file("sd1", folder / "painter.safetensors")]
    row, evaluations = draw(folder, *model)
    assert (row["steps"], evaluations) == (20, 40), row
    row, evaluations = draw(folder, *model, "--fast")
    assert 4 <= row["steps"] <= 8 and row["guidance"] == 1 and evaluations == 2 * row["steps"] - 1, row
    called = ["--model", single_file("sd1", folder / "blue_lightning.safetensors")]
    row, evaluations = draw(folder, *called, "--no-fast")
    assert (row["sampler"], row["steps"], evaluations) == ("DDIM", 20, 40), row
    row, evaluations = draw(folder, *called, "--steps", "6", "--guidance", "2")
    assert (row["sampler"], row["steps"], evaluations) == ("Euler SGM Uniform", 6, 12), row
    run(folder, "generate", "--prompt", "x", "--fast", "--no-fast", status=2)


def test_timesteps(folder):
    """Given one by one, kept, and taken over from a picture and a round."""
    model = ["--model", GOLDEN / "sd1/model"]
    row, evaluations = draw(folder, *model, "--sampler", "LCM", "--timesteps", "999,749,499,249", "--guidance", "1",
                            "--guidance-rescale", "0.3", "--out", folder)
    assert (row["steps"], row["timesteps"], evaluations) == (4, "999 749 499 249", 4), row
    text = png_texts(folder / "round1-0.png")["parameters"]
    assert "Timesteps: 999 749 499 249" in text and "CFG Rescale: 0.3" in text, text
    first = trajectory(folder, 1)["latents"][1]
    row, _ = draw(folder, *model, "--settings-of", folder / "round1-0.png")
    assert row["timesteps"] == "999 749 499 249" and row["guidance_rescale"] == 0.3, row
    assert trajectory(folder, 2)["latents"][1] == first
    done = run(folder, "generate", "--like", "1:0", "--count", "1", "--json")
    (row,) = run(folder, "history", "--limit", "1", "--json").of_type("round")
    assert row["timesteps"] == "999 749 499 249" and row["guidance_rescale"] == 0.3, (row, done.out)
    usual, _ = draw(folder, *model, "--sampler", "LCM", "--steps", "4", "--guidance", "1")
    assert trajectory(folder, usual["round"])["latents"][1] != first
    for wrong in ["249,499", "999,x", "1000"]:
        error = run(folder, "generate", "--prompt", "x", *SMALL, *model, "--quiet", "--timesteps", wrong,
                    status=2).err
        assert error.count("\n") == 1, error
    run(folder, "generate", "--prompt", "x", *SMALL, *model, "--timesteps", "9,8", "--steps", "3", status=2)


def test_folder(folder):
    """A folder says it by its scheduler."""
    model = shutil.copytree(GOLDEN / "sd1/model", folder / "painter")
    change_config(model / "scheduler/scheduler_config.json", _class_name="LCMScheduler")
    row, evaluations = draw(folder, "--model", model)
    assert (row["sampler"], row["steps"], evaluations) == ("LCM", 4, 4), row
    change_config(model / "unet/config.json", time_cond_proj_dim=256)
    assert "LCM-LoRA" in run(folder, "generate", "--prompt", "x", "--model", model, status=2).err


def test_teach(folder):
    """Few-step rounds teach, and the style draws with few steps and with many."""
    model = ["--model", single_file("sd1", folder / "sd15_lcm.safetensors")]
    for seed in "12":
        run(folder, "generate", "--prompt", "a bird", *model, "--width", "32", "--height", "32", "--count", "2",
            "--seed", seed)
        run(folder, "pick", seed, "--best", "1")
    steps = run(folder, "teach", *model, "--style", "mine", *ONE_PASS, "--json").of_type("step")
    assert steps and steps[0]["grad_norm"] > 0, steps
    fast, few = draw(folder, "--style", "mine")
    many, more = draw(folder, "--style", "mine", "--no-fast")
    assert (few, more) == (4, 40) and fast["steps"] == 4 and many["steps"] == 20


main([test_by_name, test_choices, test_timesteps, test_folder, test_teach])
