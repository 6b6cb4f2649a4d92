# SPDX-License-Identifier: GPL-3.0-or-later
"""`penchant probe sampler` against diffusers' schedulers, step by step (tests/data/golden/README.md)."""

import json
import shutil

from program import DATA, max_error, run, tensors
from tap import main

GOLDEN = DATA / "golden"
TOLERANCE = 1e-4


def check(folder, name):
    out = folder / "out.safetensors"
    run(folder, "probe", "sampler", "--in", GOLDEN / (name + ".json"), "--out", out)
    expected, actual = tensors(GOLDEN / (name + ".safetensors")), tensors(out)
    samplers = json.loads((GOLDEN / (name + ".json")).read_text())
    assert set(actual) == {"%s.%s" % (sampler, what) for sampler in samplers for what in ["model_input", "after"]}
    for tensor, (shape, values) in actual.items():
        assert expected[tensor][0] == shape, "%s: %s, not %s" % (tensor, shape, expected[tensor][0])
        error = max_error(expected[tensor][1], values)
        assert error <= TOLERANCE, "%s is off by %g" % (tensor, error)


def test_samplers(folder):
    check(folder, "samplers")


def test_other_settings(folder):
    check(folder, "samplers-more")


def refuse(folder, change, word):
    """Changes the entry of "euler"; the error names what is wrong."""
    entry = json.loads((GOLDEN / "samplers.json").read_text())["euler"]
    change(entry)
    (folder / "in.json").write_text(json.dumps({"euler": entry}))
    shutil.copy(GOLDEN / "samplers.safetensors", folder / "in.safetensors")
    result = run(folder, "probe", "sampler", "--in", folder / "in.json", "--out", folder / "out.safetensors",
                 status=2)
    assert word in result.err, result.err


def test_refuses_what_it_does_not_follow(folder):
    refuse(folder, lambda entry: entry.update(scheduler="DEISMultistepScheduler"), "DEISMultistepScheduler")
    refuse(folder, lambda entry: entry["config"].update(use_beta_sigmas=True), "use_beta_sigmas")
    refuse(folder, lambda entry: entry["config"].update(final_sigmas_type="sigma_min"), "final_sigmas_type")
    refuse(folder, lambda entry: entry.update(step={"s_churn": 1.0}), "s_churn")
    refuse(folder, lambda entry: entry.update(steps=9), "euler.output")
    refuse(folder, lambda entry: entry.update(steps=2000), "1000")


main([test_samplers, test_other_settings, test_refuses_what_it_does_not_follow])
