# SPDX-License-Identifier: GPL-3.0-or-later
"""penchant refine: a candidate at four times its size, in tiles that leave no seam; prints TAP."""

import struct
import zlib

from program import run
from tap import main

TILE, STEP, FACTOR = 16, 8, 4  # of the starter model, in latents: side, and how far apart


def pixels(path):
    """Rows of R, G, B of an 8-bit PNG without interlacing."""
    with open(path, "rb") as file:
        data = file.read()
    at, packed = 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", data[at + 8:at + 18])
            assert (depth, colour) == (8, 2), "not 8 bits of R, G, B"
        elif kind == b"IDAT":
            packed += data[at + 8:at + 8 + length]
        at += 12 + length
    raw, stride = zlib.decompress(packed), width * 3
    rows, above = [], bytearray(stride)
    for y in range(height):
        kind, line = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for i in range(stride):
            left = line[i - 3] if i >= 3 else 0
            corner = above[i - 3] if i >= 3 else 0
            if kind == 1:
                guess = left
            elif kind == 2:
                guess = above[i]
            elif kind == 3:
                guess = (left + above[i]) // 2
            elif kind == 4:
                guess = min((abs(above[i] - corner), 0, left), (abs(left - corner), 1, above[i]),
                            (abs(left + above[i] - 2 * corner), 2, corner))[2]
            else:
                guess = 0
            line[i] = (line[i] + guess) & 255
        rows.append(line)
        above = line
    return rows


def border_excess(rows):
    """By how much, in levels of 255, pixels differ more across the tiles' borders than one latent beside them."""
    found = []
    for lines in (rows, [bytearray(b"".join(row[x * 3:x * 3 + 3] for row in rows)) for x in range(len(rows[0]) // 3)]):
        length = len(lines[0]) // 3
        step = [sum(abs(line[(x + 1) * 3 + c] - line[x * 3 + c]) for line in lines for c in range(3)) / len(lines) / 3
                for x in range(length - 1)]
        side = length // FACTOR
        n = -(-(side - TILE) // STEP) + 1
        starts = [(i * (side - TILE) + (n - 1) // 2) // (n - 1) for i in range(n)]
        borders = {s * FACTOR - 1 for s in starts if s} | {(s + TILE) * FACTOR - 1 for s in starts if s + TILE < side}
        found += [step[b] - (step[b - FACTOR] + step[b + FACTOR]) / 2 for b in borders]
    return sum(found) / len(found), max(found)


def refine(folder, name, *words):
    out = folder / name
    done = run(folder, "refine", 1, 1, *words, "--out", out, "-q")
    assert done.out.strip() == str(out), done.out
    return pixels(out)


def test_four_times_as_large_without_seams(folder):
    run(folder, "generate", "--prompt", "a red fish", "--count", 2, "--steps", 8, "--seed", 11)
    rows = refine(folder, "large.png", "--scale", 4, "--strength", 0.4)
    assert (len(rows), len(rows[0])) == (256, 768)
    mean, most = border_excess(rows)
    print("# pixels differ %.2f levels more across borders than beside them on average, %.2f at most" % (mean, most))
    assert mean < 0.3 and most < 3
    assert refine(folder, "again.png", "--scale", 4, "--strength", 0.4) == rows
    assert len(refine(folder, "small.png", "--scale", 1.5, "--strength", 0)) == 96
    for words, said in [([7, 0], "7"), ([1, 5], "5"), ([1, 0, "--scale", 99], "8 times"),
                        ([1, 0, "--strength", 3], "between 0 and 1")]:
        failed = run(folder, "refine", *words, "--out", folder / "none.png", status=2)
        assert said in failed.err, failed.err
    assert "--out" in run(folder, "refine", 1, 0, status=2).err


main([test_four_times_as_large_without_seams])
