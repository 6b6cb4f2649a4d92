# SPDX-License-Identifier: GPL-3.0-or-later
"""Models of other people from the command line: single files, VAEs, adapters of other trainers, inpainting."""

import array
import random
import shutil
import struct

from models import GOLDEN, TINY, as_inferred, change_config, make, single_file, ldm_file, trajectory
from program import ONE_PASS, l2_error, max_error, run, tensors
from tap import main


def test_single_file(folder):
    for shape, heads, text_heads in [("sd1", 8, 1), ("sd2", [1, 1, 1, 1], 1)]:
        as_inferred(shape, folder / (shape + "-folder"), heads, text_heads)
        single_file(shape, folder / "models" / (shape + "-painter.safetensors"))
        expected = make(folder, "--model", folder / (shape + "-folder"))
        actual = make(folder, "--model", shape + "-painter")
        assert actual == expected, max_error(expected, actual)
        assert make(folder, "--model", folder / "models" / (shape + "-painter.safetensors")) == expected
    found = {model["name"]: model for model in run(folder, "models", "--json").of_type("model")}
    assert found["sd1-painter"]["size"] == 512 and found["sd2-painter"]["size"] == 768
    # The kind of prediction can be said where it is guessed wrong.
    epsilon = make(folder, "--model", "sd2-painter", "--prediction", "epsilon")
    assert l2_error(expected, epsilon) > 0.01
    run(folder, "generate", "--prompt", "x", "--model", folder / "sd1-folder", "--prediction", "v", status=2)
    run(folder, "generate", "--prompt", "x", "--prediction", "x", status=2)


def test_teach_single_file(folder):
    path = single_file("sd1", folder / "models" / "painter.safetensors")
    identity = run(folder, "generate", "--prompt", "a bird", "--count", "3", *TINY, "--model", "painter").out.strip()
    run(folder, "pick", identity, "--best", "1")
    run(folder, "teach", "--style", "ink", *ONE_PASS, "--rank", "2", "--seed", "1")
    plain = make(folder, "--model", path)
    taught = make(folder, "--style", "ink")
    assert l2_error(plain, taught) > 1e-6
    # What was taught is an adapter like any other: the style draws what the model merged with it does.
    run(folder, "style", "export", "ink", folder / "ink.safetensors")
    for strength in ["1", "-3.5"]:
        words = ["--style-strength", strength] if strength == "1" else ["--style-strength", "0"]
        style = taught if strength == "1" else plain
        merged = make(folder, "--model", path, "--lora", "%s:%s" % (folder / "ink.safetensors", strength))
        if strength == "1":
            assert max_error(style, merged) < 1e-4, max_error(style, merged)
        else:
            assert make(folder, "--style", "ink", *words) == plain and l2_error(style, merged) > 1e-6


def test_adapters(folder):
    path = single_file("sd1", folder / "models" / "painter.safetensors")
    transformer = "down_blocks_0_attentions_0_transformer_blocks_0_"
    one, two = folder / "one.safetensors", folder / "two:x.safetensors"
    ldm_file.write_kohya(one, [("lora_unet_" + transformer + "attn1_to_q", 16, 16, 4, 2),
                               ("lora_unet_" + transformer + "ff_net_2", 64, 16, 3, 3),
                               ("lora_te_text_model_encoder_layers_0_mlp_fc1", 32, 64, 2, 1)], 1)
    ldm_file.write_kohya(two, [("lora_unet_mid_block_attentions_0_proj_out", 32, 32, 5, 1)], 2)
    model = ["--model", path]
    plain = make(folder, *model)
    with_one = make(folder, *model, "--lora", one)
    both = make(folder, *model, "--lora", one, "--lora", "%s:0.5" % two)
    assert l2_error(plain, with_one) > 1e-4 and l2_error(with_one, both) > 1e-4
    assert make(folder, *model, "--lora", "%s:1" % one) == with_one
    assert max_error(plain, make(folder, *model, "--lora", "%s:0" % one)) < 1e-6

    # A style draws with adapters on top, but what is picked there does not teach it.
    identity = run(folder, "generate", "--prompt", "x", "--count", "2", *TINY, *model).out.strip()
    run(folder, "pick", identity, "--best", "0")
    run(folder, "teach", "--style", "ink", *ONE_PASS, "--seed", "1")
    done = run(folder, "generate", "--prompt", "x", "--count", "2", *TINY, "--style", "ink", "--lora", one)
    assert "will not teach" in done.err
    rounds = {line["round"]: line for line in run(folder, "history", "--json").of_type("round")}
    assert rounds[int(done.out)].get("style") in (None, "", 0), rounds[int(done.out)]
    # Its picks teach a style of the model with the adapter, which remembers both.
    run(folder, "pick", done.out.strip(), "--best", "1")
    run(folder, "teach", "--style", "both", *ONE_PASS, "--seed", "1")
    assert max_error(with_one, make(folder, "--style", "both", "--style-strength", "0")) < 1e-5
    # An adapter that the style was made with is not added a second time, at whatever strength.
    both = ["generate", "--prompt", "x", "--count", "1", *TINY, "--style", "both", "--lora"]
    assert "will not teach" not in run(folder, *both, "%s:0.5" % one).err

    starter = ["generate", "--prompt", "x", "--lora"]
    assert "belongs to another model" in run(folder, *starter, one, status=2).err
    assert "no adapter file" in run(folder, *starter, folder / "none.safetensors", status=2).err
    assert "strength" in run(folder, *starter, "%s:1000" % one, status=2).err


def test_vae(folder):
    path = single_file("sd1", folder / "elsewhere" / "painter.safetensors")
    other = GOLDEN / "sd2/model/vae"
    words = ["--prompt", "x", "--count", "1", "--seed", "1", *TINY]
    run(folder, "generate", *words, "--model", path)
    run(folder, "generate", *words, "--model", path, "--vae", other)
    assert trajectory(folder, 1)["latents"] == trajectory(folder, 2)["latents"]
    png = lambda identity: (folder / "rounds" / identity / "0.png").read_bytes()
    assert png("1") != png("2")
    # The round remembers it, and so does the style that learns from it.
    run(folder, "pick", "2", "--best", "0")
    run(folder, "style", "create", "ink", "--model", path)
    run(folder, "generate", *words, "--style", "ink", "--vae", other)
    run(folder, "generate", *words, "--style", "ink")
    assert png("3") == png("4") != png("1")
    # The model's own is asked for by an empty name.
    run(folder, "generate", *words, "--style", "ink", "--vae", "")
    assert png("5") == png("1")
    run(folder, "generate", "--prompt", "x", "--vae", folder / "none", status=2)
    run(folder, "generate", "--prompt", "x", "--vae", GOLDEN / "sd1/model/unet", status=2)


def inpainting_model(folder, scale):
    """sd1 with five further inputs, whose weights are random numbers times `scale`."""
    shutil.copytree(GOLDEN / "sd1/model", folder)
    change_config(folder / "unet/config.json", in_channels=9)
    (weights,) = (folder / "unet").glob("*.safetensors")
    content = ldm_file.read(weights)
    kind, shape, data = content["conv_in.weight"]
    values, generator, wide = array.array("f", data), random.Random(4), array.array("f")
    for row in range(shape[0]):
        wide.extend(values[row * 36:(row + 1) * 36])
        wide.extend(scale * generator.gauss(0, 0.2) for _ in range(5 * 9))
    content["conv_in.weight"] = (kind, [shape[0], 9, 3, 3], wide.tobytes())
    ldm_file.write(weights, content)
    return folder


def test_inpainting(folder):
    plain, blind, model = (GOLDEN / "sd1/model", inpainting_model(folder / "blind", 0),
                           inpainting_model(folder / "inpainting", 1))
    # With weights of zero on the further inputs it is the model without them.
    assert make(folder, "--model", blind) == make(folder, "--model", plain)
    alone = make(folder, "--model", model)
    assert l2_error(trajectory(folder, 1)["latents"][1], alone) > 1e-3

    # From text alone: everything may change, and the picture is grey.
    shape, condition = trajectory(folder, 3)["condition"]
    assert shape == [8, 8, 5] and set(condition[0::5]) == {1.0}
    grey = encoded(folder, [0.0] * (3 * 64 * 64))
    check_latents(condition, grey)

    # From a picture and a mask: white where it may change.
    picture, mask = folder / "picture.png", folder / "mask.png"
    run(folder, "generate", "--prompt", "y", "--model", plain, "--count", "1", *TINY, "--out", folder)
    (made,) = folder.glob("round*-0.png")
    made.rename(picture)
    write_grey_png(mask, lambda x, y: 255 if x >= 24 and y < 40 else 0)
    start = ["--from", picture, "--mask", mask, "--strength", "0.8", "--model", model]
    identity = run(folder, "generate", "--prompt", "z", "--count", "3", "--steps", "10", *start).out.strip()
    shape, condition = trajectory(folder, identity)["condition"]
    assert list(condition[0::5]) == [1.0 if x >= 3 and y < 5 else 0.0 for y in range(8) for x in range(8)]
    rgb = read_png(picture)
    masked = [0.0 if x >= 24 and y < 40 else rgb[(y * 64 + x) * 3 + c] / 127.5 - 1
              for c in range(3) for y in range(64) for x in range(64)]
    check_latents(condition, encoded(folder, masked))

    # It can be taught, from both kinds of rounds.
    run(folder, "pick", identity, "--best", "1")
    run(folder, "teach", "--style", "ink", *ONE_PASS, "--seed", "1")
    assert l2_error(alone, make(folder, "--style", "ink")) > 1e-6
    single = single_file("sd1", folder / "models" / "painter.safetensors", model)
    run(folder, "generate", "--prompt", "z", "--count", "1", "--model", single, *TINY)
    # Its UNet alone, with all nine inputs.
    probe(folder, model)


def probe(folder, model):
    given = tensors(GOLDEN / "sd1/unet.safetensors")
    (n, _, height, width), sample = given["sample"]
    area = height * width
    wide = array.array("f")
    for i in range(n):
        wide.extend(sample[i * 4 * area:(i + 1) * 4 * area])
        wide.extend([0.0] * (5 * area))
    content = {name: ("F32", shape, values.tobytes()) for name, (shape, values) in given.items() if values.typecode == "f"}
    content["sample"] = ("F32", [n, 9, height, width], wide.tobytes())
    content["timestep"] = ("I64", *[[given["timestep"][0][0]], given["timestep"][1].tobytes()])
    ldm_file.write(folder / "in.safetensors", content)
    run(folder, "probe", "unet", "--model", model, "--in", folder / "in.safetensors", "--out", folder / "out.safetensors")
    # Zeros on the further inputs: the model without them.
    assert max_error(given["out"][1], tensors(folder / "out.safetensors")["out"][1]) < 2e-4


def encoded(folder, image):
    """What the VAE makes of a picture, channels first, scaled as the UNet sees it."""
    ldm_file.write(folder / "image.safetensors",
                   {"image": ("F32", [1, 3, 64, 64], array.array("f", image).tobytes())})
    run(folder, "probe", "vae-encode", "--model", GOLDEN / "sd1/model", "--in", folder / "image.safetensors", "--out",
        folder / "mean.safetensors")
    return [value * 0.18215 for value in tensors(folder / "mean.safetensors")["mean"][1]]


def check_latents(condition, expected):
    actual = [condition[pixel * 5 + 1 + c] for c in range(4) for pixel in range(64)]
    assert max_error(expected, actual) < 1e-4, max_error(expected, actual)


def chunks(content):
    at = 8
    while at < len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        yield kind, content[at + 8:at + 8 + size]
        at += 12 + size


def read_png(path):
    """The pixels of an RGB picture that Penchant wrote, by PNG's five filters."""
    import zlib
    parts = list(chunks(path.read_bytes()))
    width, height = struct.unpack_from(">II", parts[0][1])
    data = zlib.decompress(b"".join(body for kind, body in parts if kind == b"IDAT"))
    above, result = bytearray(3 * width), bytearray()
    for y in range(height):
        kind, row = data[y * (3 * width + 1)], bytearray(data[y * (3 * width + 1) + 1:(y + 1) * (3 * width + 1)])
        for i in range(3 * width):
            left, up, corner = (row[i - 3], above[i], above[i - 3]) if i >= 3 else (0, above[i], 0)
            nearest = min((abs(up - corner), 0, left), (abs(left - corner), 1, up),
                          (abs(left + up - 2 * corner), 2, corner))[2]
            row[i] = (row[i] + [0, left, up, (left + up) // 2, nearest][kind]) % 256
        result += row
        above = row
    return result


def write_grey_png(path, value):
    import zlib

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    rows = b"".join(b"\0" + bytes(value(x, y) for x in range(64)) for y in range(64))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0))
                     + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


main([test_single_file, test_teach_single_file, test_adapters, test_vae, test_inpainting])
