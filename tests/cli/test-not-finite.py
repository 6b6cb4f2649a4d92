# SPDX-License-Identifier: GPL-3.0-or-later
"""Models whose numbers are none: a picture, or a message that names the part; never a black picture."""

import json
import shutil
import struct

from program import DATA, run
from tap import main

TINY = ["--steps", "2", "--width", "64", "--height", "64", "--prompt", "a bird", "--seed", "3", "--count", "1"]


def changed(folder, part, name, change):
    """The golden model with `change` done to the float32 values of a tensor."""
    shutil.copytree(DATA / "golden/sd1/model", folder)
    (path,) = (folder / part).glob("*.safetensors")
    content = bytearray(path.read_bytes())
    size, = struct.unpack_from("<Q", content)
    about = json.loads(content[8:8 + size])[name]
    assert about["dtype"] == "F32"
    first, last = (8 + size + offset for offset in about["data_offsets"])
    layout = "<%df" % ((last - first) // 4)
    struct.pack_into(layout, content, first, *change(struct.unpack_from(layout, content, first)))
    path.write_bytes(content)
    return folder


def first_is_nan(values):
    return [float("nan"), *values[1:]]


def enlarged(values):
    return [value * 1e6 for value in values]


def test_nan(folder):
    parts = [("unet", "conv_in.bias", "UNet"), ("vae", "decoder.conv_in.bias", "VAE"),
             ("text_encoder", "text_model.final_layer_norm.bias", "text encoder")]
    for part, name, label in parts:
        model = changed(folder / part, part, name, first_is_nan)
        for precision in ["f32", "f16"]:
            store = folder / ("store-%s-%s" % (part, precision))
            done = run(store, "generate", "--model", model, "--precision", precision, *TINY, status=2)
            assert label in done.err and "no number" in done.err, done.err
            rounds = run(store, "history", "--json").of_type("round")
            assert not any(round["state"] == "complete" for round in rounds), rounds
            assert not list(store.glob("rounds/*/*.png")), store


def test_overflow(folder):
    """Too large for half precision, and no trouble in single precision, since a norm follows."""
    for part, name in [("unet", "conv_in.weight"), ("vae", "decoder.conv_in.weight")]:
        model = changed(folder / part, part, name, enlarged)
        pictures, larger = [], []
        for precision in ["f32", "f16"]:
            store = folder / ("store-%s-%s" % (part, precision))
            run(store, "generate", "--model", model, "--precision", precision, *TINY)
            (picture,) = store.glob("rounds/*/0.png")
            pictures.append(picture.stat().st_size)
            refined = store / "refined.png"
            run(store, "refine", "1", "0", "--precision", precision, "--out", refined)
            larger.append(refined.stat().st_size)
        for sizes in pictures, larger:
            assert min(sizes) > 0.8 * max(sizes), sizes  # a black one is far smaller


main([test_nan, test_overflow])
