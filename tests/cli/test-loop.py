# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job from the command line: rounds, picks, teaching, styles, history."""

import filecmp
import json
import os
import shutil
import signal

from program import (ROOT, TINY, generate, l2_error, png_texts, run, snapshot, start, tensors)
from tap import main


def teach_words(*words):
    return ["teach", "--style", "ink", "--seed", "5", "--epochs", "3", "--timesteps-per-update", "3", "--updates", "0",
            *words]


def test_devices_and_models(folder):
    plain = run(folder, "devices").out
    devices = run(folder, "devices", "--json").of_type("device")
    chosen = [device for device in devices if device["chosen"]]
    assert len(chosen) == 1 and chosen[0]["usable"] and chosen[0]["why"] in plain
    assert chosen[0]["name"] in plain and "float16" in plain
    assert any(model["name"] == "starter" and model["size"] == 64
               for model in run(folder, "models", "--json").of_type("model"))


def test_help(folder):
    top = run(folder, "--help").out
    for command in ["devices", "generate", "pick", "refine", "undo", "redo", "teach", "styles", "history", "models",
                    "probe", "bench"]:
        assert command in top
        assert "--json" in run(folder, command, "--help").out
    for command in ["create", "export", "import", "delete", "restore", "rename", "versions", "use"]:
        assert command in run(folder, "style", "--help").out
        assert "--data" in run(folder, "style", command, "--help").out
    assert run(folder, "--version").out.startswith("penchant ")


def test_generate(folder):
    done = run(folder, "generate", "--prompt", "a neon cat", "--negative", "dull", "--count", "2", "--seed", "7",
               "--guidance", "4", "--eta", "0.5", "--out", folder / "out", *TINY)
    assert done.out == "1\n", "only the id goes to stdout"
    files = sorted(os.listdir(folder / "out"))
    assert files == ["round1-0.png", "round1-1.png"]
    text = png_texts(folder / "out" / files[0])["parameters"]
    assert text.startswith("a neon cat\nNegative prompt: dull\nSteps: 3, Sampler: DDIM, CFG scale: 4, Seed: 7,")
    assert "Size: 32x32" in text and "Model: starter" in text
    assert not filecmp.cmp(folder / "out" / files[0], folder / "out" / files[1], shallow=False)
    # The same seed is the same picture.
    run(folder, "generate", "--prompt", "a neon cat", "--negative", "dull", "--count", "2", "--seed", "7",
        "--guidance", "4", "--eta", "0.5", "--out", folder / "out", *TINY)
    for place in "01":
        assert filecmp.cmp(folder / "out" / ("round1-%s.png" % place), folder / "out" / ("round2-%s.png" % place),
                           shallow=False)
    lines = run(folder, "generate", "--prompt", "a cat", "--json", *TINY).lines()
    assert [line["place"] for line in lines if line["type"] == "candidate"] == [0, 1, 2, 3]
    assert lines[-1]["type"] == "result" and lines[-1]["round"] == 3
    own = json.loads((ROOT / "models" / "starter" / "penchant.json").read_text())["guidance_scale"]
    assert [r["guidance"] for r in run(folder, "history", "--limit", "1", "--json").of_type("round")] == [own]
    assert all(os.path.exists(path) for path in lines[-1]["files"])
    assert any(line["type"] == "progress" for line in lines)


def test_generate_from_picture(folder):
    generate(folder, "--seed", "1", "--out", folder)
    kept = run(folder, "generate", "--prompt", "a cat", "--count", "1", "--steps", "4", "--from",
               folder / "round1-0.png", "--mask", folder / "round1-1.png", "--strength", "0.5", "--out", folder)
    assert kept.out.strip() == "2" and (folder / "round2-0.png").exists()
    run(folder, "generate", "--prompt", "a cat", "--strength", "0.5", status=2)
    run(folder, "generate", "--prompt", "a cat", "--from", folder / "round1-0.png", "--width", "64", status=2)


def test_pick_and_undo(folder):
    identity = generate(folder)
    order = lambda *words: run(folder, "pick", identity, *words, "--json").of_type("result")[0]["order"]
    assert order("--best", "2") == "2>0=1"
    assert order("--order", "1>0=2") == "1>0=2"
    assert order("--up", "0", "2", "--down", "1") == "0=2>1"
    assert order("--up", "0,1") == "0=1>2"
    assert order("--up", "0", "--up", "2") == "0=2>1"
    latest = lambda: run(folder, "history", "--json").of_type("round")[0]["order"]
    assert latest() == "0=2>1"
    assert run(folder, "undo").out == "Undone: pick of round 1\n"
    assert latest() == "0=1>2"
    run(folder, "redo")
    assert latest() == "0=2>1"
    for _ in range(5):
        run(folder, "undo")
    assert latest() is None
    run(folder, "undo", status=1)


def prepare(folder):
    """Two picked rounds of no style."""
    for prompt, seed in [("a bird", "3"), ("a cat", "4")]:
        made = run(folder, "generate", "--prompt", prompt, "--count", "2", "--seed", seed, *TINY, "--steps", "6")
        run(folder, "pick", made.out.strip(), "--best", "1")


def test_teach_makes_a_style(folder):
    prepare(folder)
    taught = run(folder, *teach_words("--rank", "2", "--json"))
    steps = taught.of_type("step")
    assert [step["step"] for step in steps] == list(range(1, 13))
    assert abs(steps[0]["loss"] - 0.693147) < 1e-4 and abs(steps[0]["margin"]) < 1e-5
    assert all(step["grad_norm"] > 0 for step in steps)
    result = taught.of_type("result")[0]
    assert result["version"] == 1 and result["picks"] == 2 and result["last_margin"] == steps[-1]["margin"]
    style, = run(folder, "styles", "--json").of_type("style")
    assert (style["name"], style["rank"], style["picks"], style["new_picks"]) == ("ink", 2, 2, 0)
    # With the style, the same seed is another picture than without.
    generate(folder, "--seed", "9", "--out", folder)
    generate(folder, "--seed", "9", "--out", folder, "--style", "ink")
    assert not filecmp.cmp(folder / "round3-0.png", folder / "round4-0.png", shallow=False)
    assert "Lora" in png_texts(folder / "round4-0.png")["parameters"] or \
        "ink" in png_texts(folder / "round4-0.png")["parameters"]
    # A second teaching is a second version; both stay.
    run(folder, "pick", "4", "--best", "0")
    assert "version 2" in run(folder, *teach_words("--hindsight", "off", "--guided", "on", "--loser-weight", "0.75")).out
    runs = run(folder, "history", "--json").of_type("run")
    assert [(row["hindsight"], row["guided"], row["loser_weight"], row["updates"]) for row in runs] == \
        [(False, True, 0.75, 0), (True, False, 0, 0)]
    assert "loss" in run(folder, "history").out
    run(folder, "style", "use", "ink", "1")
    versions = run(folder, "style", "versions", "ink", "--json").of_type("version")
    assert [version["current"] for version in versions] == [True, False]
    assert "version 2 to version 1" in run(folder, "undo").out


def adapter(folder):
    path, = (folder / "styles").rglob("v1.safetensors")
    return path.read_bytes()


def interrupt(folder, number, after):
    """Teaches until `after` steps are done, then sends a signal."""
    process = start(folder, *teach_words())
    for _ in range(after):
        assert "step" in process.stdout.readline()
    process.send_signal(number)
    _, err = process.communicate(timeout=300)
    return process.returncode, err


def test_resume_after_cancel_and_kill(folder):
    prepare(folder / "whole")
    for copy in ["cancelled", "killed"]:
        shutil.copytree(folder / "whole", folder / copy)
    run(folder / "whole", *teach_words())
    status, err = interrupt(folder / "cancelled", signal.SIGINT, 2)
    assert status == 130 and "penchant teach --style 'ink'" in err.splitlines()[-1]
    run_row, = run(folder / "cancelled", "history", "--json").of_type("run")
    assert run_row["state"] == "paused" and 2 <= run_row["steps_done"] < 12
    status, err = interrupt(folder / "killed", signal.SIGKILL, 3)
    assert status == -signal.SIGKILL
    for copy in ["cancelled", "killed"]:
        resumed = run(folder / copy, *teach_words("--json"))
        assert resumed.of_type("step")[0]["step"] > 1
        assert adapter(folder / copy) == adapter(folder / "whole")
        assert run(folder / copy, "history", "--json").of_type("run")[0]["losses"] == \
            run(folder / "whole", "history", "--json").of_type("run")[0]["losses"]


def test_cancelled_round(folder):
    process = start(folder, "generate", "--prompt", "a bird", "--steps", "200", "--json")
    for line in process.stdout:
        if json.loads(line)["type"] == "progress":
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130 and len(err.splitlines()) == 1
    assert json.loads(out.splitlines()[-1])["exit_code"] == 130
    assert run(folder, "history", "--json").of_type("round")[0]["state"] == "cancelled"


def test_styles(folder):
    prepare(folder)
    run(folder, *teach_words("--json"))
    run(folder, "style", "export", "ink", folder / "kohya.safetensors")
    run(folder, "style", "export", "ink", folder / "diffusers.safetensors", "--format", "diffusers")
    kohya, diffusers = tensors(folder / "kohya.safetensors"), tensors(folder / "diffusers.safetensors")
    assert any(name.startswith("lora_unet_") and name.endswith(".lora_down.weight") for name in kohya)
    assert any(name.endswith(".alpha") for name in kohya)
    assert any(name.startswith("unet.") and name.endswith(".lora_B.weight") for name in diffusers)
    run(folder, "style", "import", folder / "kohya.safetensors", "--name", "one")
    run(folder, "style", "import", folder / "diffusers.safetensors")  # by the name that it was exported under
    for name in ["one", "ink 2"]:
        for form, expected in [("kohya", kohya), ("diffusers", diffusers)]:
            run(folder, "style", "export", name, folder / "again.safetensors", "--format", form)
            again = tensors(folder / "again.safetensors")
            assert again.keys() == expected.keys()
            assert all(shape == again[key][0] and l2_error(values, again[key][1]) < 1e-6
                       for key, (shape, values) in expected.items())
    names = lambda: [style["name"] for style in run(folder, "styles", "--json").of_type("style")]
    run(folder, "style", "delete", "one")
    assert names() == ["ink", "ink 2"]
    run(folder, "undo")
    run(folder, "style", "delete", "one")
    assert "one" in run(folder, "style", "restore", "two", status=2).err
    assert "back" in run(folder, "style", "restore", "ONE").out
    assert names() == ["ink", "ink 2", "one"]
    run(folder, "style", "rename", "one", "Zwei")
    assert names() == ["ink", "ink 2", "Zwei"]
    run(folder, "style", "create", "empty")
    run(folder, "style", "export", "empty", folder / "no.safetensors", status=1)
    run(folder, "style", "create", "INK", status=2)
    before = snapshot(folder)
    run(folder, "teach", "--style", "empty", status=1)
    assert snapshot(folder) == before


def test_bench(folder):
    for what in ["unet", "train", "vae"]:
        done = run(folder, "bench", what, "--arch", "starter", "--random", "--steps", "2", "--width", "32",
                   "--height", "32", "--precision", "f32", "--profile", "--json")
        result, = done.of_type("result")
        assert result["step_seconds"] > 0 and result["first_step_seconds"] >= result["step_seconds"] / 4
        assert result["gflops"] > 0 and result["peak_device_bytes"] > result["parameter_bytes"] and result["device"]
        assert sum(row["count"] for row in done.of_type("profile")) > 10
    run(folder, "bench", "unet", "--arch", "sd15", status=2)
    run(folder, "bench", "nonsense", status=2)


main([test_devices_and_models, test_help, test_generate, test_generate_from_picture, test_pick_and_undo,
      test_teach_makes_a_style, test_resume_after_cancel_and_kill, test_cancelled_round, test_styles,
      test_bench])
