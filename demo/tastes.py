#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of docs/learning.md: lets the demo's artist teach many tastes, each with several sets of picks.

    ./dev sh demo/tastes.py --out FOLDER [--seeds 1,2,3] [TASTE...] [-- DEMO OPTIONS]

Each run keeps its figures and curve under FOLDER; one that is there is not made again, so a run that was
interrupted goes on. Prints a table in Markdown, and below it the medians that the goals speak of.
"""

import argparse
import csv
import pathlib
import statistics
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
TASTES = ["flat", "ink", "pixel", "pastel", "neon", "sepia", "vivid", "pale", "dark", "bright", "small", "blue"]


def play(taste, seed, out, options):
    """The rows of the run's curve, or None where the artist gave up."""
    folder = out / f"{taste}-{seed}"
    curve = folder / "curve.csv"
    if not curve.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "log.txt", "w", encoding="utf-8") as log:
            done = subprocess.run([TOP / "build" / "demo" / "penchant-demo", "--out", folder, "--taste", taste, "--seed",
                                   str(seed), *options], stdout=log, stderr=subprocess.STDOUT)
        if done.returncode:
            return None
    with open(curve, encoding="utf-8") as file:
        return list(csv.DictReader(file))


def percent(value):
    return f"{100 * float(value):.0f} %"


def main():
    words = sys.argv[1:]
    options = words[words.index("--") + 1:] if "--" in words else []
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("tastes", nargs="*", default=TASTES)
    arguments = parser.parse_args(words[:len(words) - len(options) - 1] if options else words)
    print("| taste | seed | rounds | share | after 5 picks | after 10 | motif, before | after 10 | distance |")
    print("|---|---|---|---|---|---|---|---|---|")
    five, ten = [], []
    for taste in arguments.tastes:
        for seed in map(int, arguments.seeds.split(",")):
            rows = play(taste, seed, arguments.out, options)
            if not rows:
                print(f"| {taste} | {seed} | gave up |", flush=True)
                ten.append(0)
                five.append(0)
                continue
            before, middle, after = rows[0], rows[1], rows[-1]
            five.append(float(middle["share"]))
            ten.append(float(after["share"]))
            distance = float(after["distance"]) / float(before["distance"])
            print(f"| {taste} | {seed} | {after['rounds']} | {percent(before['share'])} | {percent(middle['share'])} | "
                  f"{percent(after['share'])} | {percent(before['motif'])} | {percent(after['motif'])} | "
                  f"{percent(distance)} |", flush=True)
    print(f"\nMedian after 5 picks {percent(statistics.median(five))}, after 10 {percent(statistics.median(ten))}, "
          f"least after 10 {percent(min(ten))}; {len(ten)} runs.")


main()
