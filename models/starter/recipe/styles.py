# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws a clip-art picture in one of six styles, each time a little differently.

    draw(master, style, background, rng) -> uint8 [64, 64, 3]

`master` is float32 [h, w, 4], 0 to 1, premultiplied alpha, cut to the object (read_master()).
`background` is one of COLOURS or None for anything else; `rng` is a numpy Generator, and the same state
gives the same picture. A drawing is mirrored, turned by up to 10 degrees, scaled, shifted and often
recoloured, so that no picture is seen twice. Everything happens at twice the size and is then averaged.

    flat    few saturated colours, no outlines, on a strong plain colour
    ink     dark outlines on pale paper
    pixel   16x16 blocks of few colours
    pastel  soft edges and pale colours with the unevenness of chalk
    neon    glowing outlines on a dark ground
    sepia   a brown photograph: one hue, vignette
"""
import colorsys

import numpy as np
from PIL import Image, ImageDraw

from common import SIZE

WORK = 2 * SIZE
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)

# Backgrounds by style: the four that captions may name, then what stands for "anything else".
GROUNDS = {
    "flat": dict(blue=(88, 150, 236), yellow=(250, 214, 70), green=(104, 198, 104), pink=(246, 146, 186),
                 other=((240, 240, 236), (244, 160, 80), (170, 130, 220), (90, 200, 200), (235, 110, 90))),
    "ink": dict(blue=(206, 224, 250), yellow=(252, 242, 196), green=(212, 240, 208), pink=(252, 218, 230),
                other=((252, 252, 250), (246, 240, 226), (236, 236, 236))),
    "pixel": dict(blue=(70, 110, 220), yellow=(236, 200, 50), green=(70, 170, 80), pink=(236, 110, 170),
                  other=((30, 30, 40), (250, 250, 250), (150, 150, 160), (200, 90, 50))),
    "pastel": dict(blue=(200, 220, 248), yellow=(252, 244, 200), green=(208, 238, 208), pink=(252, 214, 226),
                   other=((250, 246, 240), (228, 216, 244), (250, 226, 206), (224, 240, 240))),
    "neon": dict(blue=(8, 16, 84), yellow=(66, 56, 4), green=(4, 58, 22), pink=(78, 6, 50),
                 other=((10, 8, 20), (16, 16, 18), (30, 6, 60), (4, 30, 40))),
    "sepia": dict(blue=(176, 182, 176), yellow=(236, 210, 130), green=(186, 190, 130), pink=(232, 184, 160),
                  other=((222, 198, 152), (234, 214, 174), (204, 176, 128))),
}


def read_master(path, side=192):
    """Reads a PNG, makes white surroundings transparent if it has no alpha, and cuts it to the object."""
    picture = Image.open(path).convert("RGBA")
    picture.thumbnail((4 * side, 4 * side), Image.LANCZOS)
    pixels = np.asarray(picture).astype(np.float32) / 255
    if pixels[..., 3].min() > 0.9:
        pixels = pixels.copy()
        pixels[..., 3] = 1 - _surroundings(pixels[..., :3])
    solid = pixels[..., 3] > 0.3
    rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
    pixels = pixels[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
    pixels[..., :3] *= pixels[..., 3:]
    h, w = pixels.shape[:2]
    scale = side / max(h, w)
    size = max(1, round(w * scale)), max(1, round(h * scale))
    planes = [Image.fromarray(np.ascontiguousarray(pixels[..., c])).resize(size, Image.LANCZOS) for c in range(4)]
    return np.clip(np.stack([np.asarray(p) for p in planes], -1), 0, 1)


def _surroundings(rgb):
    """1 where near-white pixels are connected to the picture's edge."""
    white = Image.fromarray(((rgb.min(-1) > 0.93) * 255).astype(np.uint8))
    framed = Image.new("L", (white.width + 2, white.height + 2), 255)
    framed.paste(white, (1, 1))
    ImageDraw.floodfill(framed, (0, 0), 128)
    return (np.asarray(framed)[1:-1, 1:-1] == 128).astype(np.float32)


def _blur(plane, sigma):
    """Gaussian blur of [h, w] or [h, w, c]; the edge's pixels continue outside."""
    radius = int(np.ceil(3 * sigma))
    kernel = np.exp(-np.arange(-radius, radius + 1) ** 2 / (2 * sigma * sigma)).astype(np.float32)
    kernel /= kernel.sum()
    for axis in (0, 1):
        pad = [(radius, radius) if a == axis else (0, 0) for a in range(plane.ndim)]
        padded = np.pad(plane, pad, mode="edge")
        n = plane.shape[axis]
        plane = sum(k * np.take(padded, range(i, i + n), axis) for i, k in enumerate(kernel))
    return plane


def _cloud(rng, cells=5):
    """Low-frequency noise [WORK, WORK] of about -1 to 1."""
    noise = Image.fromarray(rng.uniform(-1, 1, (cells, cells)).astype(np.float32))
    return np.asarray(noise.resize((WORK, WORK), Image.BICUBIC))


def _hue(hue, saturation, value):
    return np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value), np.float32)


def _place(master, rng):
    """The object somewhere in a WORK x WORK frame: mirrored, turned, scaled, shifted. Premultiplied."""
    if rng.random() < 0.5:
        master = master[:, ::-1]
    h, w = master.shape[:2]
    scale = WORK * rng.uniform(0.70, 0.90) / max(h, w)
    stretch = rng.uniform(0.94, 1.06)
    sx, sy = scale * stretch, scale / stretch
    angle = np.deg2rad(rng.uniform(-10, 10))
    free_x, free_y = (max(0.0, WORK * 0.97 - e) / 2 for e in (w * sx, h * sy))
    cx, cy = WORK / 2 + rng.uniform(-free_x, free_x), WORK / 2 + rng.uniform(-free_y, free_y)
    c, s = np.cos(angle), np.sin(angle)
    # PIL asks where each pixel of the result comes from.
    matrix = (c / sx, s / sx, w / 2 - (c * cx + s * cy) / sx, -s / sy, c / sy, h / 2 - (-s * cx + c * cy) / sy)
    blurred = _blur(master, 0.45 / scale) if scale < 0.8 else master
    planes = [Image.fromarray(np.ascontiguousarray(blurred[..., i])).transform(
        (WORK, WORK), Image.AFFINE, matrix, Image.BICUBIC) for i in range(4)]
    return np.clip(np.stack([np.asarray(p) for p in planes], -1), 0, 1)


def _recolour(rgb, alpha, rng):
    """Other colours for the object: turns the hue of a coloured one, tints a grey, black or white one."""
    solid = alpha > 0.5
    if not solid.any():
        return rgb
    inside = rgb[solid]
    chroma = (inside.max(-1) - inside.min(-1)).mean()
    if chroma < 0.12:
        light = (rgb @ LUMA)[..., None]
        if np.median(light[solid]) < 0.25:
            light = 0.4 + 0.6 * light
        colour = _hue(rng.random(), rng.uniform(0.5, 0.9), rng.uniform(0.75, 1))
        dark, pale = colour * 0.15, 0.35 * colour + 0.65
        return np.where(light < 0.5, dark + (colour - dark) * 2 * light, colour + (pale - colour) * (2 * light - 1))
    if rng.random() < 0.5:
        return rgb
    # A turn about the grey axis: luminance changes little, greys and outlines not at all.
    angle = rng.uniform(0, 2 * np.pi)
    c, s, k = np.cos(angle), np.sin(angle) / np.sqrt(3), (1 - np.cos(angle)) / 3
    turn = np.array([[c + k, k - s, k + s], [k + s, c + k, k - s], [k - s, k + s, c + k]], np.float32)
    return np.clip(rgb @ turn.T, 0, 1)


def _saturate(rgb, gain):
    light = (rgb @ LUMA)[..., None]
    return np.clip(light + gain * (rgb - light), 0, 1)


def _few_colours(rgb, alpha, n):
    """The object's pixels in n colours (median cut); what is outside takes part with nothing."""
    solid = alpha > 0.5
    inside = rgb[solid]
    if len(inside) < n:
        return rgb
    strip = Image.fromarray((inside[None] * 255).astype(np.uint8)).quantize(n, Image.Quantize.MEDIANCUT)
    picture = Image.fromarray((rgb * 255).astype(np.uint8)).quantize(palette=strip, dither=Image.Dither.NONE)
    return np.asarray(picture.convert("RGB"), np.float32) / 255


def _lines(rgb, alpha, sigma):
    """0 to 1 where the object has its outline and strong inner edges."""
    on_grey = rgb * alpha[..., None] + 0.5 * (1 - alpha[..., None])
    planes = np.concatenate([on_grey, 1.2 * alpha[..., None]], -1)
    planes = _blur(planes, sigma)
    dy, dx = np.gradient(planes, axis=(0, 1))
    edge = np.sqrt(dx * dx + dy * dy).max(-1) * sigma
    return np.clip((edge - 0.055) / 0.09, 0, 1)


def _halve(rgb):
    h = rgb.reshape(SIZE, 2, SIZE, 2, 3).mean((1, 3))
    return (np.clip(h, 0, 1) * 255 + 0.5).astype(np.uint8)


def _over(rgb, alpha, ground):
    return rgb * alpha[..., None] + ground * (1 - alpha[..., None])


def _flat(rgb, alpha, ground, rng):
    smooth = _blur(np.concatenate([rgb * alpha[..., None], alpha[..., None]], -1), 2.0)
    colours = _few_colours(_saturate(smooth[..., :3] / np.maximum(smooth[..., 3:], 1e-3), 1.35), alpha, 4)
    return _over(_blur(colours, 0.7), np.clip((smooth[..., 3] - 0.5) * 4 + 0.5, 0, 1), ground)


def _ink(rgb, alpha, ground, rng):
    line = _lines(rgb, alpha, 1.5)
    ink = np.array([0.08, 0.08, 0.12], np.float32) + rng.uniform(0, 0.08)
    return _over(np.broadcast_to(ink, rgb.shape), line, ground)


def _pixel(rgb, alpha, ground, rng):
    cells = WORK // 16
    weight = alpha.reshape(16, cells, 16, cells).mean((1, 3))
    colour = (rgb * alpha[..., None]).reshape(16, cells, 16, cells, 3).mean((1, 3))
    colour /= np.maximum(weight, 1e-3)[..., None]
    colour = _few_colours(_saturate(np.clip(colour, 0, 1), 1.3), weight, 6)
    small = np.where(weight[..., None] > 0.42, colour, ground)
    return small.repeat(cells, 0).repeat(cells, 1)


def _pastel(rgb, alpha, ground, rng):
    soft = _blur(np.concatenate([rgb * alpha[..., None], alpha[..., None]], -1), 2.0)
    colour = 0.5 * soft[..., :3] / np.maximum(soft[..., 3:], 1e-3) + 0.47
    colour = np.clip(_saturate(colour, 1.2) + 0.05 * _cloud(rng, 9)[..., None], 0, 1)
    return np.clip(_over(colour, 0.95 * soft[..., 3], ground) + 0.02 * _cloud(rng)[..., None], 0, 1)


def _neon(rgb, alpha, ground, rng):
    line = _lines(rgb, alpha, 1.3)
    first = rng.random()
    second = first + rng.uniform(0.15, 0.5) * rng.choice((-1, 1))
    ramp = np.linspace(0, 1, WORK, dtype=np.float32)
    ramp = (ramp[None, :] if rng.random() < 0.5 else ramp[:, None]) * np.ones((WORK, WORK), np.float32)
    colour = _over(np.broadcast_to(_hue(first, 0.85, 1), rgb.shape), ramp, _hue(second, 0.85, 1))
    glow = _blur(line, 4.0)
    lit = ground + colour * (0.9 * np.clip(glow * 1.5, 0, 1))[..., None]
    return np.clip(_over(0.35 + 0.65 * colour, line, lit), 0, 1)


def _sepia(rgb, alpha, ground, rng):
    light = np.clip(((rgb @ LUMA) - 0.5) * rng.uniform(0.9, 1.2) + 0.5, 0, 1)[..., None]
    dark, pale = np.array([56, 32, 14], np.float32) / 255, np.array([226, 194, 144], np.float32) / 255
    photo = _over(dark + (pale - dark) * light, alpha, ground) + 0.03 * _cloud(rng, 7)[..., None]
    x = np.linspace(-1, 1, WORK, dtype=np.float32)
    vignette = 1 - rng.uniform(0.2, 0.35) * np.clip(x[None] ** 2 + x[:, None] ** 2 - 0.3, 0, 1.5) / 1.5 * 1.6
    return np.clip(photo * vignette[..., None], 0, 1)


_DRAW = {"flat": _flat, "ink": _ink, "pixel": _pixel, "pastel": _pastel, "neon": _neon, "sepia": _sepia}


def draw(master, style, background, rng):
    placed = _place(master, rng)
    alpha = placed[..., 3]
    rgb = np.clip(placed[..., :3] / np.maximum(alpha, 1e-3)[..., None], 0, 1)
    rgb = _recolour(rgb, alpha, rng).astype(np.float32)
    grounds = GROUNDS[style]
    ground = grounds[background] if background else grounds["other"][rng.integers(len(grounds["other"]))]
    ground = np.clip(np.array(ground, np.float32) / 255 + rng.normal(0, 0.02, 3), 0, 1).astype(np.float32)
    return _halve(_DRAW[style](rgb, alpha, ground, rng))
