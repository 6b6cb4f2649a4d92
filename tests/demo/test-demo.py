# SPDX-License-Identifier: GPL-3.0-or-later
"""Ten picks of best of four teach a style: the demo with its defaults, and with wrong arguments."""

import csv
import subprocess
import sys

from tap import main

DEMO = sys.argv[1]


def run(*words):
    return subprocess.run([DEMO, *words], capture_output=True, text=True, timeout=1500)


def test_teaches_a_style(folder):
    done = run("--out", str(folder))
    print("".join("# %s\n" % line for line in done.stdout.splitlines()))
    assert done.returncode == 0, done.stderr
    with open(folder / "curve.csv", encoding="utf-8") as file:
        before, between, after = csv.DictReader(file)
    assert [row["picks"] for row in (before, between, after)] == ["0", "5", "10"] and int(after["rounds"]) >= 10
    # What ten picks are meant to reach; docs/learning.md has what was measured.
    assert float(before["share"]) < 0.34
    assert float(after["share"]) >= 0.8
    assert float(after["motif"]) >= float(before["motif"]) - 0.05
    assert float(after["distance"]) >= 0.6 * float(before["distance"])
    for name in "before.png", "after.png", "share.png":
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_wrong_arguments(folder):
    for words, named in ((["--taste", "beautiful"], "sepia"), (["--picks", "0"], "positive"), (["--wrong"], "wrong")):
        done = run("--out", str(folder), *words)
        assert done.returncode == 2 and named in done.stderr, done.stderr


main([test_teaches_a_style, test_wrong_arguments])
