# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input: one clear line on stderr that says what to do, exit code 1 or 2, the store untouched."""

import json

from program import TINY, generate, run, snapshot
from tap import main

GENERATE = ["generate", "--prompt", "a bird"]
NO_DEVICE = {"VK_DRIVER_FILES": "/nonexistent", "VK_ICD_FILENAMES": "/nonexistent"}


def refuse(folder, status, part, *words, env=None):
    """Runs what must fail. Notices (the device's name) may come before the message."""
    before = snapshot(folder)
    done = run(folder, *words, env=env, status=status)
    assert done.out == "", done.out
    message = done.err.splitlines()[-1]
    assert message.startswith("penchant: ") and part in message, done.err
    assert done.err.count("penchant: ") == 1, done.err
    done = run(folder, *words, "--json", env=env, status=status)
    error = done.lines()[-1]
    assert error["type"] == "error" and error["exit_code"] == status
    assert "penchant: " + error["message"] == message
    assert done.err == message + "\n"
    assert snapshot(folder) == before, "the store was touched"


def with_round(folder):
    generate(folder)
    run(folder, "pick", "1", "--best", "0")


def test_usage(folder):
    run(folder, status=2)
    run(folder, "nonsense", status=2)
    run(folder, "style", "nonsense", status=2)
    with_round(folder)
    refuse(folder, 2, "--prompt", "generate")
    refuse(folder, 2, "--bogus", "generate", "--bogus")
    refuse(folder, 2, "too many", *GENERATE, "more")
    refuse(folder, 2, "ROUND", "pick")
    refuse(folder, 2, "one way", "pick", "1")
    refuse(folder, 2, "one way", "pick", "1", "--best", "0", "--order", "0>1>2")
    refuse(folder, 2, "3", "pick", "1", "--best", "3")
    refuse(folder, 2, "99", "pick", "99", "--best", "0")
    refuse(folder, 2, "history", "pick", "one", "--best", "0")
    refuse(folder, 2, "", "pick", "1", "--order", "0>>1")
    refuse(folder, 2, "--style", "teach")
    refuse(folder, 2, "text", "probe", "nonsense")


def test_numbers(folder):
    with_round(folder)
    for words in [["--count", "0"], ["--count", "17"], ["--steps", "0"], ["--guidance", "nan"], ["--guidance", "-1"],
                  ["--eta", "2"], ["--eta", "inf"], ["--seed", "-1"], ["--seed", "x"], ["--width", "33"],
                  ["--width", "100000"], ["--height", "0"], ["--precision", "f8"]]:
        refuse(folder, 2, "", *GENERATE, *words)
    refuse(folder, 2, "multiple of 8", *GENERATE, "--width", "36")
    for words in [["--epochs", "0"], ["--learning-rate", "-1"], ["--beta", "nan"], ["--timestep-fraction", "0"],
                  ["--timestep-fraction", "2"], ["--rank", "0"], ["--preset", "much"],
                  ["--loser-weight", "-1"], ["--epochs", "-1"], ["--timesteps-per-update", "1001"],
                  ["--hindsight", "maybe"], ["--guided", "yes"]]:
        refuse(folder, 2, words[0], "teach", "--style", "ink", *words)


def test_models(folder):
    with_round(folder)
    refuse(folder, 2, "/nonexistent", *GENERATE, "--model", "/nonexistent")
    refuse(folder, 2, "starter", *GENERATE, "--model", "nonsense")
    refuse(folder, 2, "no weights", *GENERATE, "--model", folder)
    broken = folder / "broken"
    for part in ["unet", "vae", "text_encoder", "tokenizer", "scheduler"]:
        (broken / part).mkdir(parents=True)
        (broken / part / "config.json").write_text("{")
    refuse(folder, 2, "broken", *GENERATE, "--model", broken)
    refuse(folder, 2, "/nonexistent", "style", "create", "new", "--model", "/nonexistent")


def test_styles(folder):
    with_round(folder)
    refuse(folder, 2, "style create", *GENERATE, "--style", "nonsense")
    refuse(folder, 2, "nonsense", "style", "export", "nonsense", folder / "x.safetensors")
    refuse(folder, 2, "nonsense", "style", "delete", "nonsense")
    run(folder, "style", "create", "ink")
    refuse(folder, 2, "ink", *GENERATE, "--style", "nonsense")
    refuse(folder, 2, "3", "style", "use", "ink", "3")
    (folder / "bad.safetensors").write_bytes(b"short")
    refuse(folder, 2, "bad.safetensors", "style", "import", folder / "bad.safetensors")
    refuse(folder, 1, "nothing.safetensors", "style", "import", folder / "nothing.safetensors")


def test_nothing_to_teach(folder):
    generate(folder)
    refuse(folder, 2, "style create", "teach", "--style", "ink")
    run(folder, "style", "create", "ink")
    refuse(folder, 1, "pick", "teach", "--style", "ink")
    run(folder, *GENERATE, "--style", "ink", "--count", "2", *TINY, "--steps", "2")
    run(folder, "pick", "2", "--best", "0")
    refuse(folder, 1, "too few steps", "teach", "--style", "ink")


def test_no_device(folder):
    with_round(folder)
    refuse(folder, 1, "Vulkan", "devices", env=NO_DEVICE)
    refuse(folder, 1, "Vulkan", *GENERATE, env=NO_DEVICE)
    refuse(folder, 1, "Vulkan", "teach", "--style", "ink", env=NO_DEVICE)
    refuse(folder, 1, "nonsense", *GENERATE, "--device", "nonsense")


def test_not_enough_memory(folder):
    with_round(folder)
    run(folder, "style", "create", "ink")
    run(folder, *GENERATE, "--style", "ink", "--count", "2", *TINY)
    run(folder, "pick", "2", "--best", "0")
    for budget in ["1", "4"]:
        refuse(folder, 1, "MiB", *GENERATE, *TINY, env={"PENCHANT_MEMORY_BUDGET": budget})
        # "new" is a style that would be made for the first round.
        for style in ["ink", "new"]:
            refuse(folder, 1, "MiB", "teach", "--style", style, env={"PENCHANT_MEMORY_BUDGET": budget})
    # The UNet's weights alone take 19 MiB, in 8 bits 5.
    for words in [[*GENERATE, *TINY], ["teach", "--style", "ink"]]:
        assert "8 bits" in run(folder, *words, env={"PENCHANT_MEMORY_BUDGET": "12"}).err


def test_unwritable_output(folder):
    with_round(folder)
    (folder / "file").write_text("")
    refuse(folder, 1, "--out", *GENERATE, "--out", folder / "file" / "below")
    refuse(folder, 1, "--out", *GENERATE, "--out", folder / "file")
    refuse(folder, 1, "--out", *GENERATE, "--out", "/proc/penchant")
    run(folder, "style", "create", "ink")
    refuse(folder, 1, "no/such", "style", "export", "ink", folder / "no/such/x.safetensors")
    refuse(folder, 1, "no/such", "probe", "tokens", "--in", folder / "file", "--out", folder / "no/such/x.json")
    refuse(folder, 1, "--data", *GENERATE, "--data", "/proc/nothing")


def test_hostile_tensors(folder):
    run(folder, "styles")
    header = json.dumps({"input_ids": {"dtype": "I64", "shape": [1, 2], "data_offsets": [0, 16]}}).encode()
    content = len(header).to_bytes(8, "little") + header + (10**9).to_bytes(8, "little") * 2
    (folder / "ids.safetensors").write_bytes(content)
    probe = lambda part: ["probe", part, "--in", folder / "ids.safetensors", "--out", folder / "out.safetensors"]
    refuse(folder, 2, "1000000000", *probe("text"))
    refuse(folder, 2, "sample", *probe("unet"))
    refuse(folder, 2, "--lora", *probe("d3po"))
    assert not (folder / "out.safetensors").exists()


main([test_usage, test_numbers, test_models, test_styles, test_nothing_to_teach, test_no_device,
      test_not_enough_memory, test_unwritable_output, test_hostile_tensors])
