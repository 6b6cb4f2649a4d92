# SPDX-License-Identifier: GPL-3.0-or-later
"""Files, folders and machines as they are in the wild: what other tools write, what downloads leave, what is not there."""

import pathlib
import time

from program import PROGRAM, run
from tap import main

TINY = ["--steps", "2", "--width", "64", "--height", "64"]
NO_LOCKS = pathlib.Path(PROGRAM).parents[2] / "tests/cli/libno-locks.so"


def test_kinds_of_files(folder):
    """What is no model is called what it is, in one sentence."""
    for content, said in [(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
                          (b"<!DOCTYPE html><html><title>Log in</title>", "web page"),
                          (b"\x80\x02}q\x00", "pickle"), (b"PK\x03\x04" + bytes(20) + b"archive/data.pkl", "pickle"),
                          (b"GGUF\x03" + bytes(20), "GGUF")]:
        path = folder / "x.safetensors"
        path.write_bytes(content)
        for words in [["--model", path], ["--lora", path], ["--vae", path]]:
            error = run(folder, "generate", "--prompt", "x", *words, status=2).err
            assert said in error and error.count("\n") == 1, error


def test_device_by_name(folder):
    """A number that is a part of a device's name is one, and a nonsensical budget is none."""
    devices = run(folder, "devices", "--json").of_type("device")
    (number,) = [word for word in devices[0]["name"].split() if word.isdigit()] or ["llvmpipe"]
    chosen = [device for device in run(folder, "devices", "--json", "--device", number).of_type("device")
              if device["chosen"]]
    assert len(chosen) == 1 and number in chosen[0]["name"], chosen
    error = run(folder, "generate", "--prompt", "x", *TINY, env={"PENCHANT_MEMORY_BUDGET": "4 GB"}, status=1).err
    assert "PENCHANT_MEMORY_BUDGET" in error and "4 GB" in error, error


def test_no_locks(folder):
    """A data folder on a file system without locks is told at once."""
    start = time.monotonic()
    error = run(folder, "styles", env={"LD_PRELOAD": str(NO_LOCKS)}, status=1).err
    assert "without locks" in error, error
    assert time.monotonic() - start < 8, "waited"


def test_long_path(folder):
    deep = folder
    while len(str(deep)) < 520:
        deep /= "x" * 60
    error = run(deep, "styles", status=1).err
    assert "too long" in error and "permission" not in error, error


main([test_kinds_of_files, test_device_by_name, test_no_locks, test_long_path])
