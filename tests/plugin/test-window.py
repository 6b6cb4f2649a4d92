#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drives the window of the plug-in in a real GIMP as an artist would; prints TAP.

test-window.py BUILD FOLDER. The steps build on each other, like a session
of work does; what a step leaves is what the next one starts from.
"""

import glob
import json
import os
import signal
import sqlite3
import struct
import subprocess
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from desktop import Desktop, Failure, enter_session, wait_until  # noqa: E402

# Few steps and small rounds: the window is tested here, not the pictures.
SETTINGS = "[penchant]\ncount=3\nsteps=4\n"
ROUND_SECONDS = 240
TEACH_SECONDS = 600


def expect(condition, complaint):
    if not condition:
        raise Failure(complaint)


class Session:
    def __init__(self, desktop):
        self.desktop = desktop
        self.steps = [
            self.opens_from_the_menu, self.names_every_control, self.generates, self.leaves_gimp_usable,
            self.picks_with_a_key, self.picks_with_the_mouse, self.undoes_a_pick, self.ranks_and_ties,
            self.shows_a_larger_view, self.inserts_a_layer, self.inserts_into_another_precision,
            self.changes_only_the_selection, self.recalls_prompts, self.teaches, self.compares, self.exports_a_style,
            self.deletes_and_restores_a_style, self.reports_a_broken_adapter, self.survives_a_closed_image,
            self.closes_in_the_middle_of_a_round, self.remembers, self.survives_a_kill_while_teaching,
        ]

    # ------------------------------------------------------------------ helpers

    def sql(self, query):
        with sqlite3.connect("file:%s/penchant.db?mode=ro" % self.desktop.data, uri=True) as database:
            return database.execute(query).fetchall()

    def valid_ranks(self, round):
        return [rank for rank, in self.sql(
            "SELECT r.rank FROM pick_ranks r JOIN valid_picks p ON p.id = r.pick WHERE p.round = %d ORDER BY r.candidate"
            % round)]

    def last_round(self):
        return self.sql("SELECT MAX(id) FROM rounds")[0][0]

    def open_window(self):
        d = self.desktop
        d.focus(".*GIMP|GNU Image Manipulation Program")
        d.key("alt+r")
        time.sleep(0.5)
        d.key("Up")
        start = time.monotonic()
        d.key("Return")
        d.window("Penchant", 20)
        return time.monotonic() - start

    def reopen_window(self):
        self.desktop.open_penchant()
        wait_until("the last round is shown", lambda: self.desktop.look("Round %d" % self.last_round()))

    def pid(self):
        found = subprocess.run(["pgrep", "-f", os.path.join(self.desktop.profile, "plug-ins/penchant/penchant")],
                               capture_output=True, text=True).stdout.split()
        return int(found[0]) if found else None

    def card(self, number):
        return self.desktop.find("Candidate %d" % number)

    def is_ready(self):
        d = self.desktop
        if not d.look("Generate"):
            return False
        cards = [item for item in d.walk() if item.name.startswith("Candidate ") and d.visible(item)]
        return cards and all(card.description not in ("Being made", "Not finished") for card in cards)

    def generate(self, prompt):
        d = self.desktop
        d.focus("Penchant")
        before = self.last_round() or 0
        d.key("ctrl+l")
        d.key("ctrl+a")
        d.type(prompt)
        d.key("Return")
        wait_until("the round is recorded", lambda: (self.last_round() or 0) > before, 60)
        wait_until("the candidates are finished", self.is_ready, ROUND_SECONDS, 0.5)
        return self.last_round()

    def choose(self, combo, item):
        """An entry of a chooser."""
        box = self.desktop.find(combo, "combo box")
        menu = box[0]
        for i in range(menu.childCount):
            if menu[i].name == item:
                box.querySelection().selectChild(i)
                time.sleep(0.3)
                return
        raise Failure("“%s” has no entry “%s”" % (combo, item))

    def layers(self):
        return self.desktop.probe("""
image = Gimp.get_images()[0]
result = [[l.get_name(), l.get_width(), l.get_height()] + list(l.get_offsets())[1:] for l in image.get_layers()]
""")

    # ------------------------------------------------------------------ steps

    def opens_from_the_menu(self):
        d = self.desktop
        d.probe("""
image = Gimp.Image.new(400, 300, Gimp.ImageBaseType.RGB)
layer = Gimp.Layer.new(image, "paper", 400, 300, Gimp.ImageType.RGB_IMAGE, 100, Gimp.LayerMode.NORMAL)
image.insert_layer(layer, None, 0)
layer.fill(Gimp.FillType.WHITE)
Gimp.Display.new(image)
""")
        time.sleep(1)
        seconds = self.open_window()
        print("# the window is up after %.2f s" % seconds)
        expect(seconds < 3, "the window takes %.1f s" % seconds)
        # Asking again shows the same window.
        self.open_window()
        time.sleep(1)
        processes = subprocess.run(["pgrep", "-cf", os.path.join(d.profile, "plug-ins/penchant/penchant")],
                                   capture_output=True, text=True).stdout.strip()
        expect(processes == "1", "there are %s plug-in processes" % processes)

    def names_every_control(self):
        d = self.desktop
        wait_until("the studio opens", lambda: os.path.exists(d.data + "/penchant.db"))
        nameless = []
        for page in ["Create", "Compare", "Styles"]:
            d.press(page)
            time.sleep(0.5)
            for item in d.walk():
                role = item.getRoleName()
                if role in ("button", "push button", "toggle button", "radio button", "check box", "combo box", "text",
                            "entry", "spin button", "slider", "progress bar", "list box", "drawing area") \
                        and not item.name and d.visible(item):
                    nameless.append("%s (%s)" % (role, page))
        d.press("Create")
        expect(not nameless, "without a name: " + ", ".join(nameless))

    def generates(self):
        self.round = self.generate("bird")
        expect(len(self.sql("SELECT 1 FROM candidates WHERE round = %d AND state = 'complete'" % self.round)) == 3,
               "not all candidates are in the store")

    def leaves_gimp_usable(self):
        d = self.desktop
        d.key("ctrl+l")
        d.key("Return")
        start = time.monotonic()
        d.probe("result = len(Gimp.get_images())")
        expect(time.monotonic() - start < 2, "GIMP does not answer while a round is made")
        # The window itself, too: the AT-SPI answers come from its main loop.
        slowest = 0
        for _ in range(20):
            start = time.monotonic()
            self.desktop.app().childCount
            slowest = max(slowest, time.monotonic() - start)
            time.sleep(0.05)
        print("# slowest answer while a round is made: %.0f ms" % (slowest * 1000))
        wait_until("the candidates are finished", self.is_ready, ROUND_SECONDS, 0.5)
        self.round = self.last_round()

    def picks_with_a_key(self):
        self.desktop.key("2")
        wait_until("candidate 2 is the best", lambda: self.card(2).description == "Best")
        expect(self.valid_ranks(self.round) == [0, 3, 0], "the pick in the store is %s" % self.valid_ranks(self.round))

    def picks_with_the_mouse(self):
        self.desktop.click(self.card(3))
        wait_until("candidate 3 is the best", lambda: self.card(3).description == "Best")
        expect(self.valid_ranks(self.round) == [0, 0, 3], "the pick in the store is %s" % self.valid_ranks(self.round))

    def undoes_a_pick(self):
        self.desktop.key("ctrl+z")
        wait_until("candidate 2 is the best again", lambda: self.card(2).description == "Best")
        self.desktop.key("ctrl+shift+z")
        wait_until("candidate 3 is the best again", lambda: self.card(3).description == "Best")

    def ranks_and_ties(self):
        d = self.desktop
        d.key("shift+1")
        wait_until("candidate 1 comes second", lambda: self.card(1).description == "2nd")
        d.click(self.card(2), keys=["ctrl"])
        wait_until("candidate 2 does, too", lambda: self.card(2).description == "2nd")
        expect(self.valid_ranks(self.round) == [2, 2, 3], "the pick in the store is %s" % self.valid_ranks(self.round))
        d.key("0")
        wait_until("none of them", lambda: self.card(3).description == "Not chosen")
        expect(len(set(self.valid_ranks(self.round))) == 1, "“none” is stored as %s" % self.valid_ranks(self.round))
        d.key("1")
        wait_until("candidate 1 is the best", lambda: self.card(1).description == "Best")

    def shows_a_larger_view(self):
        d = self.desktop
        small = self.card(1).queryComponent().getExtents(0).width
        d.key("space")
        wait_until("one card alone", lambda: not d.look("Candidate 2"))
        large = self.card(1).queryComponent().getExtents(0).width
        expect(large > 1.5 * small, "the larger view is %d pixels wide, the card %d" % (large, small))
        d.key("Right")
        wait_until("the next card", lambda: d.look("Candidate 2"))
        d.key("Escape")
        wait_until("all cards", lambda: d.look("Candidate 1") and d.look("Candidate 3"))
        d.key("1")  # the best again: takes the pick back
        wait_until("candidate 1 is not the best", lambda: self.card(1).description != "Best")
        d.key("1")
        wait_until("candidate 1 is the best", lambda: self.card(1).description == "Best")

    def candidate_rgb(self, round, place):
        """The stored picture, read by GIMP."""
        path = os.path.join(self.desktop.data, self.sql(
            "SELECT picture_file FROM candidates WHERE round = %d AND place = %d" % (round, place))[0][0])
        return self.desktop.probe("""
from gi.repository import GdkPixbuf
import base64
picture = GdkPixbuf.Pixbuf.new_from_file(%r)
rows = [picture.get_pixels()[y * picture.get_rowstride():][:picture.get_width() * 3] for y in range(picture.get_height())]
result = [picture.get_width(), picture.get_height(), list(b"".join(rows))]
""" % path)

    def check_inserted(self, name, tolerance):
        d = self.desktop
        width, height, rgb = self.candidate_rgb(self.round, 0)
        found = d.probe("""
image = Gimp.get_images()[0]
layer = image.get_layers()[0]
result = [layer.get_name(), layer.get_width(), layer.get_height(), list(layer.get_offsets())[1:],
          list(pixels(layer, 0, 0, layer.get_width(), layer.get_height(), "R'G'B' u8"))]
""")
        expect(found[0] == name, "the layer is called %r" % found[0])
        expect(found[1:3] == [width, height], "the layer is %s pixels" % found[1:3])
        expect(found[3] == [(400 - width) // 2, (300 - height) // 2], "the layer is at %s" % found[3])
        worst = max(abs(a - b) for a, b in zip(found[4], rgb))
        print("# largest difference of a pixel: %d of 255" % worst)
        expect(worst <= tolerance, "a pixel differs by %d" % worst)

    def inserts_a_layer(self):
        d = self.desktop
        d.press("Insert as Layer")
        wait_until("a layer is inserted", lambda: len(self.layers()) == 2)
        self.check_inserted("bird", 0)
        # One step of undo takes it away.
        d.focus(".*GIMP")
        d.key("ctrl+z")
        wait_until("undo takes the layer away", lambda: len(self.layers()) == 1)
        d.key("ctrl+y")
        wait_until("redo brings it back", lambda: len(self.layers()) == 2)
        d.key("ctrl+z")
        wait_until("undo takes the layer away", lambda: len(self.layers()) == 1)

    def inserts_into_another_precision(self):
        d = self.desktop
        d.probe("""
image = Gimp.get_images()[0]
image.convert_color_profile(Gimp.ColorProfile.new_d65_gray_linear() if False else Gimp.ColorProfile.new_rgb_adobe(),
                            Gimp.ColorRenderingIntent.PERCEPTUAL, True)
image.convert_precision(Gimp.Precision.FLOAT_LINEAR)
""")
        d.focus("Penchant")
        d.press("Insert as Layer")
        wait_until("a layer is inserted", lambda: len(self.layers()) == 2)
        self.check_inserted("bird", 1)
        d.probe("""
image = Gimp.get_images()[0]
image.remove_layer(image.get_layers()[0])
image.convert_precision(Gimp.Precision.U8_NON_LINEAR)
image.convert_color_profile(Gimp.ColorProfile.new_rgb_srgb(), Gimp.ColorRenderingIntent.PERCEPTUAL, True)
Gimp.displays_flush()
""")

    def changes_only_the_selection(self):
        d = self.desktop
        before = d.probe("""
image = Gimp.get_images()[0]
paper = image.get_layers()[0]
for i in range(0, 400, 20):
    color = Gegl.Color.new("rgb(%f,%f,%f)" % (i / 400, 0.5, 1 - i / 400))
    Gimp.context_set_foreground(color)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, i, 0, 20, 300)
    paper.edit_fill(Gimp.FillType.FOREGROUND)
image.select_ellipse(Gimp.ChannelOps.REPLACE, 140, 90, 90, 70)
result = list(pixels(paper, 0, 0, 400, 300, "R'G'B' u8"))
""")
        d.focus("Penchant")
        self.choose("Start from", "The selection")
        round = self.generate("heart")
        expect(self.sql("SELECT start FROM rounds WHERE id = %d" % round)[0][0] == "selection",
               "the round does not start from the selection")
        d.press("Insert as Layer")
        wait_until("a layer is inserted", lambda: len(self.layers()) == 2)
        after, mask = d.probe("""
image = Gimp.get_images()[0]
flat = Gimp.Layer.new_from_visible(image, image, "seen")
selection = image.get_selection()
result = [list(pixels(flat, 0, 0, 400, 300, "R'G'B' u8")), list(pixels(selection, 0, 0, 400, 300, "Y u8"))]
flat.delete()
""")
        outside = sum(1 for i in range(400 * 300) if mask[i] == 0 and after[i * 3:i * 3 + 3] != before[i * 3:i * 3 + 3])
        inside = sum(1 for i in range(400 * 300) if mask[i] == 255 and after[i * 3:i * 3 + 3] != before[i * 3:i * 3 + 3])
        expect(outside == 0, "%d pixels outside the selection changed" % outside)
        expect(inside > 1000, "only %d pixels inside the selection changed" % inside)
        d.focus("Penchant")
        self.choose("Start from", "Text alone")
        d.probe("image = Gimp.get_images()[0]\nimage.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 1, 1)\n"
                "Gimp.Selection.none(image)")

    def recalls_prompts(self):
        d = self.desktop
        d.key("ctrl+l")
        d.key("ctrl+a")
        d.key("Delete")
        d.key("Up")
        wait_until("the latest prompt", lambda: d.text(d.find("Prompt", "text")) == "heart")
        d.key("Up")
        wait_until("the one before", lambda: d.text(d.find("Prompt", "text")) == "bird")
        d.key("Down")
        wait_until("the latest again", lambda: d.text(d.find("Prompt", "text")) == "heart")

    def teaches(self):
        d = self.desktop
        self.round = self.generate("fish")
        d.key("2")
        wait_until("candidate 2 is the best", lambda: self.card(2).description == "Best")
        d.press("Teach")
        d.window("A Style of Your Own")
        time.sleep(0.5)
        d.key("ctrl+a")
        d.type("Mine")
        d.key("Return")
        wait_until("teaching runs", lambda: d.look("Stop Teaching"), 60)
        wait_until("teaching ends", lambda: not d.look("Stop Teaching"), TEACH_SECONDS, 1)
        expect(self.sql("SELECT COUNT(*) FROM style_versions")[0][0] == 1,
               "there is no new version; the bar says: " + d.message())
        expect("version 1" in d.message(), "the bar says: " + d.message())
        expect(d.look("Agreement with your picks while teaching"), "there is no curve")

    def compares(self):
        d = self.desktop
        d.focus("Penchant")
        d.key("alt+2")
        d.press("Compare", "button")
        left = wait_until("the choice is offered", lambda: d.look("Left") and d.is_sensitive(d.look("Left"))
                          and d.look("Left"), ROUND_SECONDS, 0.5)
        expect(left, "no choice")
        d.key("1")
        wait_until("the choice is recorded", lambda: self.sql("SELECT COUNT(*) FROM comparisons")[0][0] == 1)
        choice = self.sql("SELECT choice FROM comparisons")[0][0]
        with_style = choice in ("with", 0)
        told = d.find("With the style %d · without it %d · neither 0" % (with_style, not with_style), "label")
        expect(told, "the tally is wrong")
        d.press("Next Pair")
        wait_until("the choice is offered again", lambda: d.look("Neither") and d.is_sensitive(d.look("Neither")),
                   ROUND_SECONDS, 0.5)
        d.press("Neither")
        wait_until("the choice is recorded", lambda: self.sql("SELECT COUNT(*) FROM comparisons")[0][0] == 2)

    def exports_a_style(self):
        d = self.desktop
        d.key("alt+3")
        path = os.path.join(d.folder, "mine.safetensors")
        d.press("Export…")
        d.window("Export the Style")
        time.sleep(0.7)
        d.key("ctrl+a")
        d.type(path)
        d.key("Return")
        wait_until("the file is written", lambda: os.path.exists(path))
        time.sleep(0.5)
        with open(path, "rb") as file:
            size, = struct.unpack("<Q", file.read(8))
            names = json.loads(file.read(size))
        expect(any(name.startswith("lora_unet_") and name.endswith("lora_down.weight") for name in names),
               "the names are not kohya's")

    def deletes_and_restores_a_style(self):
        d = self.desktop
        wait_until("the dialog is gone", lambda: not d.look("Export the Style"))
        d.focus("Penchant")
        d.press("Duplicate")
        wait_until("there is a copy", lambda: len(self.sql("SELECT 1 FROM styles WHERE deleted = 0 OR deleted IS NULL")) == 2)
        d.press("Delete")
        living = "SELECT 1 FROM styles WHERE deleted = 0 OR deleted IS NULL"
        wait_until("it is deleted", lambda: len(self.sql(living)) == 1)
        d.press("Undo")
        wait_until("it is back", lambda: len(self.sql(living)) == 2)
        d.press("Redo")
        wait_until("it is deleted again", lambda: len(self.sql(living)) == 1)
        wait_until("the other style is listed", lambda: d.look("Mine", "list item"))
        d.find("Styles", "list box").querySelection().selectChild(0)
        wait_until("its name is shown", lambda: d.look("Name", "text"))

    def reports_a_broken_adapter(self):
        d = self.desktop
        path = os.path.join(d.folder, "broken.safetensors")
        with open(path, "wb") as file:
            file.write(b"\xff" * 100)
        d.press("Import…")
        d.window("Import a Style")
        time.sleep(0.7)
        d.key("ctrl+l")
        d.key("ctrl+a")
        d.type(path)
        time.sleep(0.5)
        d.key("Return")
        wait_until("the bar tells", lambda: "broken.safetensors" in d.message())
        d.press("Create")

    def survives_a_closed_image(self):
        d = self.desktop
        d.focus("Penchant")
        d.key("ctrl+l")
        d.key("ctrl+a")
        d.type("star")
        d.key("Return")
        wait_until("the round runs", lambda: d.look("Stop"))
        d.probe("""
for display in Gimp.get_displays() if hasattr(Gimp, "get_displays") else [Gimp.Display.get_by_id(1)]:
    display.delete()
result = len(Gimp.get_images())
""")
        wait_until("the candidates are finished", self.is_ready, ROUND_SECONDS, 0.5)
        d.press("Insert as Layer")
        wait_until("an image is made", lambda: d.probe("result = len(Gimp.get_images())") == 1)
        time.sleep(2)  # GIMP brings its window to the front

    def closes_in_the_middle_of_a_round(self):
        d = self.desktop
        picks = self.sql("SELECT COUNT(*) FROM picks")[0][0]
        d.focus("Penchant")
        d.key("ctrl+l")
        before = self.last_round()
        d.key("Return")
        wait_until("the round is recorded", lambda: self.last_round() > before, 60)
        d.key("ctrl+w")
        wait_until("the plug-in ends", lambda: self.pid() is None, 60)
        expect(self.sql("SELECT state FROM rounds WHERE id = %d" % self.last_round())[0][0] in ("cancelled", "complete"),
               "the round is left as “%s”" % self.sql("SELECT state FROM rounds WHERE id = %d" % self.last_round())[0][0])
        expect(self.sql("SELECT COUNT(*) FROM picks")[0][0] == picks, "picks are lost")
        expect(self.sql("PRAGMA integrity_check")[0][0] == "ok", "the store is damaged")

    def remembers(self):
        d = self.desktop
        self.reopen_window()
        wait_until("the prompt is there", lambda: d.text(d.find("Prompt", "text")) == self.sql("SELECT prompt FROM rounds ORDER BY id DESC LIMIT 1")[0][0])
        wait_until("the style is chosen", lambda: any("Mine" in (d.look("Style", "combo box") or [None]).name
                                                      or "Mine" in self.combo_text("Style") for _ in [0]))

    def combo_text(self, name):
        box = self.desktop.find(name, "combo box")
        for i in range(box[0].childCount):
            if box.querySelection().isChildSelected(i):
                return box[0][i].name
        return ""

    def survives_a_kill_while_teaching(self):
        d = self.desktop
        self.generate("tree")
        d.key("1")
        wait_until("candidate 1 is the best", lambda: self.card(1).description == "Best")
        picks = self.sql("SELECT COUNT(*) FROM picks")[0][0]
        d.press("Teach")
        wait_until("a run begins", lambda: self.sql("SELECT COUNT(*) FROM runs WHERE state = 'running'")[0][0] == 1, 120)
        os.kill(self.pid(), signal.SIGKILL)
        wait_until("the plug-in is gone", lambda: self.pid() is None)
        expect(self.sql("PRAGMA integrity_check")[0][0] == "ok", "the store is damaged")
        expect(self.sql("SELECT COUNT(*) FROM picks")[0][0] == picks, "picks are lost")
        time.sleep(1)
        # GIMP says that a plug-in crashed; that is true.
        d.key("Escape")
        self.reopen_window()
        d.press("Go on Teaching", seconds=30)
        wait_until("teaching ends", lambda: self.sql("SELECT COUNT(*) FROM style_versions")[0][0] >= 2, TEACH_SECONDS, 1)


def main():
    enter_session()
    build, folder = sys.argv[1:3]
    wanted = sys.argv[3:]
    desktop = Desktop(build, folder)
    os.makedirs(desktop.profile)
    with open(os.path.join(desktop.profile, "penchant.ini"), "w") as file:
        file.write(SETTINGS)
    failed = 0
    with desktop:
        session = Session(desktop)
        steps = [step for step in session.steps if not wanted or step.__name__ in wanted]
        print("1..%d" % len(steps), flush=True)
        for number, step in enumerate(steps, 1):
            name = step.__name__.replace("_", " ")
            start = time.monotonic()
            try:
                step()
                print("ok %d - %s" % (number, name))
            except Exception as problem:
                failed += 1
                print("not ok %d - %s" % (number, name))
                for line in (str(problem) if isinstance(problem, Failure) else traceback.format_exc()).splitlines():
                    print("# " + line)
                desktop.shot(os.path.join(folder, "failed-%02d.png" % number))
            print("# %.1f s" % (time.monotonic() - start), flush=True)
    complaints = []
    for log in glob.glob(os.path.join(folder, "gimp.log")):
        with open(log, errors="replace") as file:
            complaints += [line for line in file if "(penchant:" in line and ("CRITICAL" in line or "WARNING" in line)]
    for line in complaints[:20]:
        print("# " + line.rstrip())
    return 1 if failed else 0


sys.exit(main())
