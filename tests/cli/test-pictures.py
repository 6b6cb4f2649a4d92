# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures that go in: colours other than sRGB, sides of any length, settings to be taken over."""

import shutil
import struct
import zlib

from models import GOLDEN, ldm_file
from program import ROOT, TINY, png_texts, run
from tap import main

SIDE = 32


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def write_png(path, width, height, pixel, depth=8, colour=2, chunks=b"", texts=()):
    """`pixel` of x, y -> the channels, as whole numbers of `depth` bits."""
    code = "B" if depth == 8 else "H"
    rows = b""
    for y in range(height):
        row = [channel for x in range(width) for channel in pixel(x, y)]
        rows += b"\0" + struct.pack(">%d%s" % (len(row), code), *row)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
                     + chunks + b"".join(chunk(b"tEXt", key + b"\0" + text) for key, text in texts)
                     + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def read_png(path):
    """(width, height, pixels) of an RGB picture that Penchant wrote, by PNG's five filters."""
    content, at, data = path.read_bytes(), 8, b""
    while at < len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        body = content[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack_from(">IIBB", body)
            assert (depth, colour) == (8, 2)
        elif kind == b"IDAT":
            data += body
        at += 12 + size
    data = zlib.decompress(data)
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
    return width, height, result


def started_from(folder, picture, *words):
    """The picture that a round from this one really starts from, as the store keeps it."""
    made = run(folder, "generate", "--prompt", "x", "--count", "1", "--steps", "2", "--from", picture, *words).out.strip()
    return read_png(folder / "rounds" / made / "start.png")


def srgb(value):
    return 255 * (12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055)


def multiply(a, b):
    return [[sum(a[i][k] * b[k][j] for k in range(len(b))) for j in range(len(b[0]))] for i in range(3)]


def invert(m):
    (a, b, c), (d, e, f), (g, h, i) = m
    det = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return [[(e * i - f * h) / det, (c * h - b * i) / det, (b * f - c * e) / det],
            [(f * g - d * i) / det, (a * i - c * g) / det, (c * d - a * f) / det],
            [(d * h - e * g) / det, (b * g - a * h) / det, (a * e - b * d) / det]]


def primaries(chromaticities):
    """The matrix from linear R, G, B to X, Y, Z."""
    (wx, wy), *rgb = chromaticities
    columns = [[x / y, 1, (1 - x - y) / y] for x, y in rgb]
    m = [[columns[j][i] for j in range(3)] for i in range(3)]
    scale = multiply(invert(m), [[wx / wy], [1], [(1 - wx - wy) / wy]])
    return [[m[i][j] * scale[j][0] for j in range(3)] for i in range(3)]


D65 = (0.3127, 0.3290)
SRGB = [D65, (0.64, 0.33), (0.30, 0.60), (0.15, 0.06)]
ADOBE = [D65, (0.64, 0.33), (0.21, 0.71), (0.15, 0.06)]
COLOUR = (0.2, 0.6, 0.3)


def gama(value):
    return chunk(b"gAMA", struct.pack(">I", round(value * 100000)))


def chrm(chromaticities):
    return chunk(b"cHRM", struct.pack(">8I", *[round(v * 100000) for pair in chromaticities for v in pair]))


def icc(chromaticities, gamma):
    """A display profile: matrix and curves, adapted to D50 as profiles are."""
    bradford = [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
    xyz = lambda x, y: [[x / y], [1], [(1 - x - y) / y]]
    source, target = multiply(bradford, xyz(*chromaticities[0])), multiply(bradford, [[0.9642], [1], [0.8249]])
    scale = [[target[i][0] / source[i][0] if i == j else 0 for j in range(3)] for i in range(3)]
    matrix = multiply(multiply(invert(bradford), multiply(scale, bradford)), primaries(chromaticities))
    fixed = lambda v: struct.pack(">i", round(v * 65536))
    tags = [(b"rXYZ", b"XYZ \0\0\0\0" + b"".join(fixed(matrix[i][0]) for i in range(3))),
            (b"gXYZ", b"XYZ \0\0\0\0" + b"".join(fixed(matrix[i][1]) for i in range(3))),
            (b"bXYZ", b"XYZ \0\0\0\0" + b"".join(fixed(matrix[i][2]) for i in range(3))),
            (b"wtpt", b"XYZ \0\0\0\0" + fixed(0.9642) + fixed(1) + fixed(0.8249))]
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags += [(b"rTRC", curve), (b"gTRC", curve), (b"bTRC", curve),
             (b"desc", b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + b"\0" * 78 + b"\0" * 1),
             (b"cprt", b"text\0\0\0\0none\0\0\0\0")]
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, content in tags:
        content += b"\0" * (-len(content) % 4)
        table += struct.pack(">4sII", name, at + len(body), len(content))
        body += content
    size = at + len(body)
    header = struct.pack(">I4sI4s4s4s12s4s4sIIIQI", size, b"lcms", 0x02100000, b"mntr", b"RGB ", b"XYZ ", b"\0" * 12, b"acsp",
                         b"\0" * 4, 0, 0, 0, 0, 0) + struct.pack(">3i", round(0.9642 * 65536), 65536, round(0.8249 * 65536))
    profile = header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
    return chunk(b"iCCP", b"test\0\0" + zlib.compress(profile))


def expected(chromaticities):
    """COLOUR, linear in these primaries, as sRGB."""
    linear = multiply(multiply(invert(primaries(SRGB)), primaries(chromaticities)), [[v] for v in COLOUR])
    return [srgb(min(max(v, 0), 1)) for v, in linear]


def check_colour(folder, name, chromaticities, gamma, depth, chunks):
    """COLOUR is written with the gamma (0: sRGB's curve), and must come out as it looks."""
    most = 2 ** depth - 1
    encode = lambda v: round(most * (v ** (1 / gamma) if gamma else srgb(v) / 255))
    path = folder / (name + ".png")
    write_png(path, SIDE, SIDE, lambda x, y: [encode(v) for v in COLOUR], depth, 2, chunks)
    pixel = started_from(folder, path)[2][:3]
    wanted = expected(chromaticities)
    assert all(abs(a - b) <= 2.01 for a, b in zip(pixel, wanted)), (name, list(pixel), wanted)


def test_linear_pictures(folder):
    check_colour(folder, "linear-16", SRGB, 1, 16, gama(1))
    check_colour(folder, "linear-16-primaries", ADOBE, 1, 16, gama(1) + chrm(ADOBE))
    check_colour(folder, "linear-icc", SRGB, 1, 16, icc(SRGB, 1))


def test_profiles_and_primaries(folder):
    check_colour(folder, "adobe-icc", ADOBE, 2.19921875, 8, icc(ADOBE, 2.19921875))
    check_colour(folder, "gamma-1.8", SRGB, 1.8, 8, gama(1 / 1.8))
    # A profile counts more than what stands beside it.
    check_colour(folder, "both", ADOBE, 2.19921875, 8, gama(1) + icc(ADOBE, 2.19921875))


def test_pictures_that_are_srgb_stay_as_they_are(folder):
    for name, depth, chunks in [("plain", 8, b""), ("srgb", 8, chunk(b"sRGB", b"\0")), ("gamma", 8, gama(0.45455)),
                                ("16", 16, b""), ("chunks", 8, gama(0.45455) + chrm(SRGB))]:
        path, scale = folder / (name + ".png"), 1 if depth == 8 else 257
        value = lambda x, y: (x * 8, y * 8, (x + y) * 4)
        write_png(path, SIDE, SIDE, lambda x, y: [v * scale for v in value(x, y)], depth, 2, chunks)
        found = started_from(folder, path)[2]
        assert found == bytes(v for y in range(SIDE) for x in range(SIDE) for v in value(x, y)), name


def test_grey_and_transparent_pictures(folder):
    write_png(folder / "grey.png", SIDE, SIDE, lambda x, y: [32768], 16, 0, gama(1))
    assert all(abs(v - srgb(0.5)) <= 1 for v in started_from(folder, folder / "grey.png")[2])
    write_png(folder / "half.png", SIDE, SIDE, lambda x, y: [0, 0, 0, 32768], 16, 6, gama(1))
    assert all(abs(v - 127) <= 1 for v in started_from(folder, folder / "half.png")[2])


def test_sides_of_any_length(folder):
    picture, mask = folder / "odd.png", folder / "mask.png"
    write_png(picture, 37, 30, lambda x, y: (x * 6, y * 8, 100))
    write_png(mask, 37, 30, lambda x, y: [255 if x > 18 else 0], 8, 0)
    done = run(folder, "generate", "--prompt", "x", "--count", "1", "--steps", "3", "--from", picture, "--mask", mask,
               "--out", folder / "out")
    width, height, pixels = read_png(folder / "out" / "round1-0.png")
    assert (width, height) == (37, 30)
    at = lambda x, y: tuple(pixels[3 * (y * 37 + x):3 * (y * 37 + x) + 3])
    assert all(at(x, y) == (x * 6, y * 8, 100) for x in range(17) for y in range(30)), "what the mask keeps moved"
    assert "Seed" in png_texts(folder / "out" / "round1-0.png")["parameters"]
    width, height, start = read_png(folder / "rounds" / "1" / "start.png")
    assert (width, height) == (40, 32) and start[3 * 39:3 * 40] == start[3 * 36:3 * 37]
    # The size that it is padded to can be said; another one is refused in one sentence that helps.
    run(folder, "generate", "--prompt", "x", "--count", "1", "--steps", "2", "--from", picture, "--width", "40")
    assert "leave" in run(folder, "generate", "--prompt", "x", "--from", picture, "--width", "48", status=2).err
    write_png(mask, 40, 32, lambda x, y: [255], 8, 0)
    assert "37x30" in run(folder, "generate", "--prompt", "x", "--from", picture, "--mask", mask, status=2).err
    assert done.out == "1\n"


def history(folder, number):
    return next(row for row in run(folder, "history", "--json").of_type("round") if row["round"] == int(number))


def test_settings_of_a_penchant_picture(folder):
    run(folder, "generate", "--prompt", "a (bird:1.2), neon", "--negative", "dull", "--count", "2", "--seed", 2**53 + 1, *TINY,
        "--eta", "0.5", "--guidance", "3.5")
    run(folder, "generate", "--settings-of", folder / "rounds" / "1" / "1.png", "--count", "2")
    first, second = history(folder, 1), history(folder, 2)
    for key in ["prompt", "negative", "seed", "steps", "guidance", "eta", "width", "height"]:
        assert first.get(key) == second.get(key), (key, first, second)
    assert (folder / "rounds/1/0.png").read_bytes() == (folder / "rounds/2/0.png").read_bytes()
    # What is given counts.
    run(folder, "generate", "--settings-of", folder / "rounds" / "1" / "1.png", "--prompt", "a cat", "--steps", "2", "--count", "1")
    third = history(folder, 3)
    assert (third["prompt"], third["steps"], third["seed"]) == ("a cat", 2, first["seed"])


def test_settings_of_another_programs_picture(folder):
    text = (b"a bird, (neon:1.2)\nNegative prompt: dull, grey\nSteps: 3, Sampler: DDIM, CFG scale: 4.5, Seed: 77, Size: 32x32, "
            b"Model hash: 0123456789, Model: nobody has it, Hires upscale: 2, Version: v1.9.0")
    picture = folder / "other.png"
    write_png(picture, 8, 8, lambda x, y: (1, 2, 3), texts=[(b"parameters", text)])
    done = run(folder, "generate", "--settings-of", picture, "--count", "1")
    row = history(folder, 1)
    assert (row["prompt"], row["negative"], row["steps"], row["guidance"], row["seed"], row["width"]) == \
        ("a bird, (neon:1.2)", "dull, grey", 3, 4.5, 77, 32), row
    assert "nobody has it" in done.err and "Hires upscale: 2" in done.err and "Version" not in done.err, done.err
    assert row["eta"] == 0, row  # where nothing is said, others' DDIM takes no fresh noise
    # The texts may also stand behind the pixels.
    content = picture.read_bytes()
    body = chunk(b"tEXt", b"parameters\0" + text)
    picture.write_bytes(content.replace(body, b"")[:-12] + body + chunk(b"IEND", b""))
    run(folder, "generate", "--settings-of", picture, "--count", "1")
    assert history(folder, 2)["seed"] == 77
    write_png(picture, 8, 8, lambda x, y: (1, 2, 3))
    assert "does not say" in run(folder, "generate", "--settings-of", picture, status=2).err
    assert "PNG" in run(folder, "generate", "--settings-of", ROOT / "README.md", status=2).err


def exif(tags, own=(), order=">"):
    """An EXIF block: tags and those of its own directory are (tag, type, bytes)."""
    def directory(entries, at):
        head, body = struct.pack(order + "H", len(entries)), b""
        start = at + 2 + 12 * len(entries) + 4
        for tag, kind, data in entries:
            value = struct.pack(order + "I", data) if isinstance(data, int) else data
            head += struct.pack(order + "HHI", tag, kind, 1 if isinstance(data, int) else len(value))
            if len(value) <= 4:
                head += value.ljust(4, b"\0")
            else:
                head += struct.pack(order + "I", start + len(body))
                body += value
        return head + bytes(4) + body

    entries = sorted([*tags, *([(0x8769, 4, 0)] if own else [])])
    end = 8 + len(directory(entries, 8))
    entries = [(tag, kind, end if tag == 0x8769 else data) for tag, kind, data in entries]
    return ((b"MM\0*" if order == ">" else b"II*\0") + struct.pack(order + "I", 8) + directory(entries, 8)
            + (directory(own, end) if own else b""))


def write_jpeg(path, block):
    """The segments before the pixels, which nobody who asks for settings reads."""
    segments = [(0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"), (0xe1, b"http://ns.adobe.com/xap/1.0/\0<x/>"),
                (0xe1, b"Exif\0\0" + block)]
    path.write_bytes(b"\xff\xd8" + b"".join(struct.pack(">BBH", 255, kind, len(body) + 2) + body for kind, body in segments)
                     + b"\xff\xda\0\2\xff\xd9")


def write_webp(path, block):
    chunks = b"VP8X" + struct.pack("<I", 9) + bytes(9) + b"\0" + b"EXIF" + struct.pack("<I", len(block)) + block
    path.write_bytes(b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks)


def test_settings_of_jpeg_and_webp(folder):
    """In the EXIF's comment, in whichever way programs write it; what cameras write there is no prompt."""
    text = "a bird, 猫, (neon:1.2)\nNegative prompt: dull\nSteps: 3, Sampler: DDIM, CFG scale: 4.5, Seed: %d, Size: 32x32"
    picture, writers = folder / "picture", [write_jpeg, write_webp]
    for seed, (mark, encoding) in enumerate([
            (b"UNICODE\0", "utf-16-be"), (b"UNICODE\0", "utf-16-be"), (b"UNICODE\0", "utf-16-le"), (b"UNICODE\0", "utf-16"),
            (b"UNICODE\0", "utf-8"), (b"ASCII\0\0\0", "utf-8"), (bytes(8), "utf-8"), (b"", "utf-8")]):
        write, order = writers[seed % 2], "<>"[seed // 2 % 2]
        comment = (0x9286, 7, mark + (text % seed).encode(encoding))
        write(picture, exif([(0x10f, 2, b"x\0")], [comment], order) if mark else exif([comment], order=order))
        done = run(folder, "generate", "--settings-of", picture, "--count", "1", "--steps", "1").out
        row = history(folder, done)
        assert (row["prompt"], row["negative"], row["guidance"], row["seed"]) == (
            "a bird, 猫, (neon:1.2)", "dull", 4.5, seed), (write, mark, encoding, order, row)
    for i, (block, said) in enumerate([
            (exif([], [(0x9286, 7, b"ASCII\0\0\0Screenshot")]), "does not say"), (b"", "does not say"),
            (exif([(0x110, 2, b'prompt:{"3": {}}\0')]), "ComfyUI"), (exif([(0x9286, 2, b'{"prompt": "a cat"}')]), "JSON")]):
        writers[i % 2](picture, block)
        error = run(folder, "generate", "--settings-of", picture, status=2).err
        assert said in error and error.count("\n") == 1, error


def test_settings_in_parts(folder):
    """Model, VAE and adapter by the names that A1111 writes, wherever they lie; a schedule that is not here leaves the sampler."""
    model = shutil.copytree(GOLDEN / "sd1/model", folder / "models/SD/Painter")
    (folder / "models/VAE").mkdir()
    shutil.copy(next((model / "vae").glob("*.safetensors")), folder / "models/VAE/soft.safetensors")
    ldm_file.write_kohya(folder / "models/renamed.safetensors", [
        ("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q", 16, 16, 2, 1)], 1, {"ss_output_name": "ink_v3"})
    picture = folder / "other.png"

    def taken(settings, prompt=""):
        text = ("a bird%s\nSteps: 2, CFG scale: 7, Seed: 5, Size: 64x64, %s" % (prompt, settings)).encode()
        write_png(picture, 8, 8, lambda x, y: (1, 2, 3), texts=[(b"parameters", text)])
        done = run(folder, "generate", "--settings-of", picture, "--count", "1", "--quiet")
        return history(folder, done.out), done.err

    row, said = taken("Sampler: Euler, Schedule type: Beta, Model: painter, VAE: soft.safetensors", " <lora:ink_v3:0.5>")
    assert (row["sampler"], row["model"]) == ("Euler", "Painter"), row
    assert "Beta" in said and "Euler" not in said and "soft" not in said and "ink_v3" not in said, said
    made = folder / "rounds" / str(row["round"]) / "0.png"
    assert "VAE: soft" in png_texts(made)["parameters"], png_texts(made)
    run(folder, "generate", "--settings-of", made, "--count", "1")
    assert made.read_bytes() == (folder / "rounds" / str(row["round"] + 1) / "0.png").read_bytes()
    row, said = taken("Sampler: DPM++ 2M SDE, Schedule type: Karras, Eta: 0.67, VAE: other.pt, Emphasis: Ignore")
    assert row["sampler"] == "DPM++ 2M SDE Karras", row
    assert "0.67" in said and "other.pt" in said and "Ignore" in said, said


def test_settings_of_programs_with_forms_of_their_own(folder):
    """Said by the program's name, and never drawn as words."""
    picture = folder / "other.png"
    for texts, program in [([(b"prompt", b'{"3": {}}'), (b"workflow", b"{}")], "ComfyUI"),
                           ([(b"invokeai_metadata", b'{"positive_prompt": "a cat"}')], "InvokeAI"),
                           ([(b"parameters", b'{"prompt": "a cat", "steps": 30}'), (b"fooocus_scheme", b"fooocus")], "Fooocus"),
                           ([(b"parameters", b'{"sui_image_params": {"prompt": "a cat"}}')], "JSON")]:
        write_png(picture, 8, 8, lambda x, y: (1, 2, 3), texts=texts)
        error = run(folder, "generate", "--settings-of", picture, status=2).err
        assert program in error and error.count("\n") == 1, error


main([test_linear_pictures, test_profiles_and_primaries, test_pictures_that_are_srgb_stay_as_they_are,
      test_grey_and_transparent_pictures, test_sides_of_any_length, test_settings_of_a_penchant_picture,
      test_settings_of_another_programs_picture, test_settings_of_jpeg_and_webp, test_settings_in_parts,
      test_settings_of_programs_with_forms_of_their_own])
