#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Input never waits, also with a large image and a large model; prints TAP.

test-waits.py BUILD FOLDER [STEP...]
"""

import json
import os
import shutil
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from desktop import ROOT, Desktop, wait_until  # noqa: E402
from session import ROUND_SECONDS, Session, expect, run  # noqa: E402

SETTINGS = "[penchant]\nprompt=bird\ncount=2\nsteps=3\nsoften=0\nfit=2\n"
MOST = 50  # ms

WIDTH, HEIGHT = 6000, 4000
LARGE = """
image = Gimp.Image.new(%d, %d, Gimp.ImageBaseType.RGB)
for number in range(2):
    layer = Gimp.Layer.new(image, "layer", %d, %d, Gimp.ImageType.RGBA_IMAGE, 100, Gimp.LayerMode.NORMAL)
    image.insert_layer(layer, None, 0)
    Gimp.context_set_foreground(Gegl.Color.new("rgb(0.2,0.5,%%f)" %% number))
    layer.edit_fill(Gimp.FillType.FOREGROUND)
Gimp.Display.new(image)
""" % (WIDTH, HEIGHT, WIDTH, HEIGHT)

WIDER = 14  # times as many channels as the starter model's: so many squared as many weights


def write_large_model(folder):
    """The starter model with a UNet of several GB, all zeros, in a file that takes no room. Returns its bytes."""
    shutil.copytree(os.path.join(ROOT, "models", "starter"), folder, ignore=shutil.ignore_patterns("recipe", "judges"))
    unet = os.path.join(folder, "unet")
    with open(os.path.join(unet, "config.json")) as file:
        config = json.load(file)
    config["block_out_channels"] = [WIDER * n for n in config["block_out_channels"]]
    with open(os.path.join(unet, "config.json"), "w") as file:
        json.dump(config, file)
    path = os.path.join(unet, "diffusion_pytorch_model.safetensors")
    with open(path, "rb") as file:
        size, = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
    header.pop("__metadata__", None)
    at = 0
    for name, entry in header.items():
        # Not wider: kernels, latents, and what comes from the text.
        shape = [n if n <= 4 else n * WIDER for n in entry["shape"]]
        if ".attn2.to_k." in name or ".attn2.to_v." in name:
            shape[1] //= WIDER
        count = 1
        for n in shape:
            count *= n
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + 4 * count]}
        at += 4 * count
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + at)
    return at


class Waits(Session):
    steps = """opens_at_once shows_it_in_place inserts starts_from_the_layer starts_from_the_selection
        opens_a_large_model""".split()

    def use(self):
        """What an impatient artist does, where it changes nothing."""
        d = self.desktop
        box = d.find("Generate", "button").queryComponent().getExtents(0)
        for dx in (0.2, 0.8):
            d.xdotool("mousemove", str(int(box.x + box.width * dx)), str(box.y + 500), "mousemove",
                      str(int(box.x + box.width * dx)), str(box.y + box.height // 2))
        d.key("alt+2", "alt+1")

    def check(self, start, what):
        all_of_it, own = self.stalls(start), self.stalls(start, gimp=False)
        print("# %s: input waited for %.0f ms at most, for %.0f ms with GIMP's answers; %d times more than 10 ms"
              % (what, own[-1] if own else 0, all_of_it[-1] if all_of_it else 0, len(own)))
        expect(not own or own[-1] < MOST, "input had to wait for %s ms" % [round(ms) for ms in own[-3:]])

    def using(self, what, condition, seconds=ROUND_SECONDS):
        end = time.monotonic() + seconds
        while not condition():
            expect(time.monotonic() < end, "waited in vain: " + what)
            self.use()

    def layers(self):
        return self.desktop.probe("result = len(Gimp.get_images()[0].get_layers())")

    def opens_at_once(self):
        d = self.desktop
        d.probe(LARGE)
        time.sleep(2)
        print("# the window is up after %.2f s" % self.open_window())
        wait_until("the studio is open", self.is_open, 60)
        wait_until("the bar speaks", lambda: d.message(), 60)
        self.generate("bird")

    def shows_it_in_place(self):
        d = self.desktop
        start = time.monotonic()
        d.click(d.find("In Place"))
        area = d.find("The picture at its place").queryComponent().getExtents(0)
        self.using("it is drawn", lambda: d.colours(area.x + 100, area.y + 50, area.width - 200, area.height - 100) > 50)
        for _ in range(4):
            d.xdotool("mousemove", str(area.x + area.width // 2), str(area.y + area.height // 2), "click", "4", "click", "4",
                      "mousedown", "1", "mousemove_relative", "30", "20", "mouseup", "1", "click", "5")
        time.sleep(1)
        self.check(start, "in place")
        d.click(d.find("In Place"))

    def inserts(self):
        d = self.desktop
        start = time.monotonic()
        d.key("ctrl+i")
        self.using("it is inserted", lambda: self.layers() == 3)
        self.check(start, "an insert of %d x %d pixels" % (WIDTH, HEIGHT))
        d.focus("Penchant")

    def start_from(self, what):
        self.choose("Start from", what)
        start, before = time.monotonic(), self.last_round()
        d = self.desktop
        d.key("ctrl+l", "Return")
        self.using("the round is made", lambda: self.last_round() > before and self.is_ready())
        self.check(start, "a round from “%s”" % what)

    def starts_from_the_layer(self):
        self.start_from("The active layer")

    def starts_from_the_selection(self):
        self.desktop.probe("Gimp.get_images()[0].select_ellipse(Gimp.ChannelOps.REPLACE, 1000, 500, 3500, 3000)")
        self.start_from("The selection")
        self.choose("Start from", "Text alone")

    def opens_a_large_model(self):
        d = self.desktop
        folder = os.path.join(d.data, "models", "large")
        size = write_large_model(folder)
        print("# a UNet of %.1f GB" % (size * 1e-9))
        start = time.monotonic()
        self.choose("Model", "Choose a model…")
        self.answer_file_dialog("Choose a Model", folder, False)
        d.focus("Penchant")
        wait_until("it is chosen", lambda: self.chosen("Model") == "large")
        before = self.last_round()
        d.key("ctrl+l", "Return")
        self.using("the round is begun, or refused", lambda: self.last_round() > before or d.message(), 600)
        print("# " + d.message().replace("\n", " "))
        stop = d.look("Stop", "button")
        if stop:
            d.click(stop)
        self.using("it is over", lambda: d.look("Generate", "button"), 300)
        self.check(start, "a model of %.1f GB" % (size * 1e-9))


run(Waits, Desktop, SETTINGS)
