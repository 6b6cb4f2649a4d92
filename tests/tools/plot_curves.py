#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws learning curves of `./dev demo` (build/demo/curve.csv) into one figure for docs/.

    plot_curves.py OUT.png COLUMN Y-LABEL TITLE LABEL=curve.csv [LABEL=curve.csv ...]

COLUMN is one of the file's: share, mean, motif, distance. A taste for little, whose mean is negative, is drawn
as the size it is about. Needs Debian's python3-matplotlib.
"""
import csv
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402


def main():
    out, column, y_label, title, *curves = sys.argv[1:]
    figure, axes = plt.subplots(figsize=(7, 4), dpi=110)
    for label, path in (curve.split("=", 1) for curve in curves):
        with open(path, encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        axes.plot(range(len(rows)), [abs(float(row[column])) for row in rows], marker=".", label=label)
    axes.set(xlabel="lessons", ylabel=y_label, title=title)
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(out, bbox_inches="tight")


main()
