# SPDX-License-Identifier: GPL-3.0-or-later
"""Lays pictures out in a grid with row and column names."""
from PIL import Image, ImageDraw

from common import SIZE


def sheet(cells, rows, columns, path, gap=2, left=52, top=14):
    """cells[row][column]: uint8 [SIZE, SIZE, 3]; writes a PNG."""
    step = SIZE + gap
    image = Image.new("RGB", (left + step * len(columns), top + step * len(rows)), "white")
    pen = ImageDraw.Draw(image)
    for c, name in enumerate(columns):
        pen.text((left + c * step + 2, 1), name, fill="black")
    for r, name in enumerate(rows):
        pen.text((2, top + r * step + SIZE // 2 - 6), name, fill="black")
        for c, cell in enumerate(cells[r]):
            image.paste(Image.fromarray(cell), (left + c * step, top + r * step))
    image.save(path, optimize=True)
