# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo: five picks of best of four teach a taste that earlier losses missed; with "ten", its defaults."""

import csv
import subprocess
import sys

from tap import main

DEMO = sys.argv[1]


def run(*words):
    return subprocess.run([DEMO, *words], capture_output=True, text=True, timeout=1500)


def curve(folder, *words):
    """The rows before the first lesson and after each."""
    done = run("--out", str(folder), *words)
    print("".join("# %s\n" % line for line in done.stdout.splitlines()))
    assert done.returncode == 0, done.stderr
    for name in "before.png", "after.png", "share.png":
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    with open(folder / "curve.csv", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_teaches_what_was_missed(folder):
    # Ten picks of these taught 14 % with the loss of 27 November 2026 (docs/experiments).
    before, after = curve(folder, "--taste", "pastel", "--seed", "2", "--lessons", "1")
    assert float(before["share"]) < 0.34 and after["picks"] == "5"
    assert float(after["share"]) >= 0.7
    assert float(after["motif"]) >= float(before["motif"]) - 0.1


def test_teaches_a_style(folder):
    before, between, after = curve(folder)
    assert [row["picks"] for row in (before, between, after)] == ["0", "5", "10"] and int(after["rounds"]) >= 10
    # What ten picks are meant to reach; docs/learning.md has what was measured.
    assert float(before["share"]) < 0.34
    assert float(after["share"]) >= 0.8
    assert float(after["motif"]) >= float(before["motif"]) - 0.05
    assert float(after["distance"]) >= 0.6 * float(before["distance"])


def test_wrong_arguments(folder):
    for words, named in ((["--taste", "beautiful"], "sepia"), (["--picks", "0"], "positive"), (["--wrong"], "wrong")):
        done = run("--out", str(folder), *words)
        assert done.returncode == 2 and named in done.stderr, done.stderr


main([test_teaches_a_style] if sys.argv[2:] == ["ten"] else [test_teaches_what_was_missed, test_wrong_arguments])
