# SPDX-License-Identifier: GPL-3.0-or-later
"""`penchant probe` against the golden tensors (tests/data/golden/README.md has the tolerances).

The third argument is the model, the fourth the precision.
"""

import json
import sys

from program import DATA, l2_error, max_error, run, tensors
from tap import Skip, main

SHAPE, PRECISION = sys.argv[3:5]
GOLDEN = DATA / "golden" / SHAPE
HALF = PRECISION == "f16"


def probe(folder, part, name, *words):
    out = folder / "out.safetensors"
    run(folder, "probe", part, "--model", GOLDEN / "model", "--in", GOLDEN / (name + ".safetensors"), "--out", out,
        "--precision", PRECISION, *words)
    return tensors(GOLDEN / (name + ".safetensors")), tensors(out)


def compare(expected, actual, names):
    for name in names:
        (shape, a), (other, b) = expected[name], actual[name]
        assert shape == other, "%s: %s, not %s" % (name, other, shape)
        error = l2_error(a, b) if HALF else max_error(a, b)
        limit = 2e-2 if HALF else 2e-4
        assert error <= limit, "%s is off by %g" % (name, error)


def compare_gradients(expected, actual, limit=1e-3):
    names = [name for name in expected if name.startswith("grad.")]
    assert names and {name for name in actual if name.startswith("grad.")} == set(names)
    worst = max(names, key=lambda name: l2_error(expected[name][1], actual[name][1]))
    error = l2_error(expected[worst][1], actual[worst][1])
    # The README has no limit for half precision: single tensors of small gradients stray further than outputs.
    assert error <= (5e-2 if HALF else limit), "%s is off by %g" % (worst, error)


def lora(name):
    return ["--lora", GOLDEN / (name + ".safetensors")]


def test_text(folder):
    expected, actual = probe(folder, "text", "text")
    compare(expected, actual, [name for name in ["hidden", "pooled"] if name in expected])


def test_prompt(folder):
    if not (GOLDEN / "prompt.safetensors").exists():
        raise Skip("the model has one text encoder")
    expected = tensors(GOLDEN / "prompt.safetensors")
    for kind, words in ("empty", []), ("words", ["--negative-prompt", "blue dog"]):
        out = folder / "out.safetensors"
        run(folder, "probe", "prompt", "--model", GOLDEN / "model", "--out", out, "--precision", PRECISION,
            "--prompt", "a red cat in the moon castle", *words)
        actual = tensors(out)
        compare(expected, actual, ["hidden", "pooled"])
        for part in "hidden", "pooled":
            (shape, a), (other, b) = expected["negative_%s_%s" % (part, kind)], actual["negative_" + part]
            assert shape == other
            if kind == "empty":
                assert not any(a) and not any(b)
            else:
                assert (l2_error(a, b) if HALF else max_error(a, b)) <= (2e-2 if HALF else 2e-4)


def test_unet(folder):
    compare(*probe(folder, "unet", "unet"), ["out"])


def test_vae_decode(folder):
    compare(*probe(folder, "vae-decode", "vae-decode"), ["image"])


def test_vae_encode(folder):
    compare(*probe(folder, "vae-encode", "vae-encode"), ["mean", "logvar"])


def test_unet_gradient(folder):
    expected, actual = probe(folder, "unet-grad", "unet-lora-grad", *lora("lora"))
    compare(expected, actual, ["out", "grad_sample"])
    compare_gradients(expected, actual)


def check_d3po(expected, actual):
    for name in ["log_prob", "ref_log_prob"]:
        worst = max(abs(a - b) for a, b in zip(expected[name][1], actual[name][1]))
        assert worst <= (1e-3 if HALF else 2e-4), "%s is off by %g" % (name, worst)
    compare(expected, actual, ["loss"])
    # SDXL's first step at timestep 901 has such large gradients, of such different signs with and without the prompt,
    # that PyTorch's own in float32, which these files hold, are off by 5e-3 from those in float64.
    compare_gradients(expected, actual, 1e-2 if SHAPE == "sdxl" else 1e-3)


def test_d3po(folder):
    expected, actual = probe(folder, "d3po", "d3po", *lora("lora"), *lora("d3po-lora"))
    compare(expected, actual, ["latents", "next_latents"])
    check_d3po(expected, actual)


def test_d3po_unclipped_on_given_latents(folder):
    check_d3po(*probe(folder, "d3po", "d3po-unclipped", *lora("d3po-lora")))


def test_tokens(folder):
    if HALF:
        raise Skip("no numbers in it")
    if not (GOLDEN / "tokens.json").exists():
        raise Skip("the tokenizers are those of the other models")
    golden = json.loads((GOLDEN / "tokens.json").read_text())
    (folder / "in.json").write_text(json.dumps([{"text": entry["text"], "note": 1} for entry in golden]))
    run(folder, "probe", "tokens", "--model", GOLDEN / "model", "--in", folder / "in.json", "--out",
        folder / "out.json")
    assert json.loads((folder / "out.json").read_text()) == [{**entry, "note": 1} for entry in golden]


main([test_text, test_prompt, test_unet, test_vae_decode, test_vae_encode, test_unet_gradient, test_d3po,
      test_d3po_unclipped_on_given_latents, test_tokens])
