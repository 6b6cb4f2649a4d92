# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the command line share: running the program, reading its files."""

import array
import json
import math
import os
import pathlib
import sqlite3
import struct
import subprocess
import sys
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.path.abspath(sys.argv[1])
DATA = pathlib.Path(sys.argv[2])

# Small and quick: pictures of 16x16 latents at most, few steps.
TINY = ["--steps", "3", "--width", "32", "--height", "32"]

# A lesson that goes over the picks once: all that a lesson does, and done in seconds.
ONE_PASS = ["--epochs", "1", "--updates", "0"]


class Result:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def lines(self):
        """The objects of --json."""
        return [json.loads(line) for line in self.out.splitlines()]

    def of_type(self, name):
        return [line for line in self.lines() if line["type"] == name]


def run(folder, *words, env=None, status=0, **more):
    """Runs penchant with the store in `folder`, and checks its exit code, `status` or one of these. An environment of None values is without them."""
    command = [PROGRAM, *(word if isinstance(word, bytes) else str(word) for word in words)]
    environment = {**os.environ, "PENCHANT_DATA": str(folder), **(env or {})}
    environment = {name: value for name, value in environment.items() if value is not None}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=600, **more)
    wanted = status if isinstance(status, tuple) else (status,)
    assert done.returncode in wanted, "%s: exit code %d, not %s\n%s%s" % (
        command[1:], done.returncode, status, done.stdout, done.stderr)
    return Result(done.returncode, done.stdout, done.stderr)


def start(folder, *words):
    environment = {**os.environ, "PENCHANT_DATA": str(folder)}
    return subprocess.Popen([PROGRAM, *map(str, words)], env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def generate(folder, *words, env=None):
    """Makes a tiny round; returns its id as printed."""
    return run(folder, "generate", "--prompt", "a bird", "--count", "3", *TINY, *words, env=env).out.strip()


def snapshot(folder):
    """All that a store remembers: rows and files."""
    folder = pathlib.Path(folder)
    rows = []
    if (folder / "penchant.db").exists():
        with sqlite3.connect(folder / "penchant.db") as database:
            rows = list(database.iterdump())
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*")
                   if path.is_file() and path.parent.name != "sessions"
                   and not path.name.startswith("penchant.db"))
    return rows, files


def tensors(path):
    """A safetensors file: name -> (shape, array of numbers)."""
    content = pathlib.Path(path).read_bytes()
    size, = struct.unpack_from("<Q", content)
    header = json.loads(content[8:8 + size])
    header.pop("__metadata__", None)
    codes = {"F16": "e", "F32": "f", "F64": "d", "I32": "i", "I64": "q"}
    result = {}
    for name, about in header.items():
        first, last = about["data_offsets"]
        view = memoryview(content[8 + size + first:8 + size + last]).cast(codes[about["dtype"]])
        kept = {"e": "f"}.get(view.format, view.format)  # an array has no half-precision numbers
        result[name] = about["shape"], array.array(kept, view)
    return result


def norm(values):
    return math.sqrt(math.fsum(value * value for value in values))


def l2_error(expected, actual):
    """The distance relative to the expected values."""
    return norm(a - b for a, b in zip(expected, actual)) / max(norm(expected), 1e-30)


def max_error(expected, actual):
    """The largest distance relative to the largest magnitude."""
    return max(abs(a - b) for a, b in zip(expected, actual)) / max(map(abs, expected))


def png_texts(path):
    """The tEXt chunks of a PNG: keyword -> text. Checks every chunk's sum."""
    content = pathlib.Path(path).read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    at, texts = 8, {}
    while at < len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        body = content[at + 8:at + 8 + size]
        assert struct.unpack_from(">I", content, at + 8 + size)[0] == zlib.crc32(kind + body)
        if kind == b"tEXt":
            key, text = body.split(b"\0", 1)
            texts[key.decode("latin-1")] = text.decode("latin-1")
        at += 12 + size
    return texts
