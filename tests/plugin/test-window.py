#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drives the window of the plug-in in a real GIMP as an artist would; prints TAP.

test-window.py BUILD FOLDER [STEP...]
"""

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from desktop import ROOT, Desktop, wait_until  # noqa: E402
from session import ROUND_SECONDS, TEACH_SECONDS, Session, expect, run  # noqa: E402

# Few steps and small rounds: the window is tested here, not the pictures.
SETTINGS = "[penchant]\ncount=3\nsteps=4\nfit=0\n"


class Work(Session):
    steps = """opens_from_the_menu names_every_control generates never_blocks_input picks_with_a_key
        picks_with_the_mouse undoes_a_pick ranks_and_ties shows_a_larger_view leafs_through_rounds
        inserts_a_layer inserts_on_the_selection inserts_into_another_precision opens_as_an_image saves_a_picture
        changes_only_the_selection changes_a_layer obeys_the_settings chooses_a_device recalls_prompts
        adds_a_decoder_and_adapters teaches
        stops_teaching_and_goes_on compares renames_and_weighs_a_style returns_to_a_version
        creates_a_style cancels_a_procedure exports_and_imports_a_style
        deletes_and_restores_a_style opens_the_help survives_a_closed_image
        teaches_on_top_of_an_adapter remembers_adapters closes_in_the_middle_of_a_round
        remembers survives_a_kill_while_teaching survives_the_end_of_gimp""".split()

    def opens_from_the_menu(self):
        d = self.desktop
        self.show_sheets((400, 300))
        seconds = self.open_window()
        print("# the window is up after %.2f s" % seconds)
        # Other programs may hold it up; what it computes until then counts.
        with open("/proc/%d/stat" % self.pid()) as file:
            own = sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")
        print("# %.2f s of them are its own" % own)
        expect(own < 1 and seconds < 5, "the window takes %.1f s, of which %.1f s are its own" % (seconds, own))
        wait_until("the bar says that there is no GPU", lambda: "No GPU was found" in d.message())
        # Asking again shows the same window.
        self.open_window()
        time.sleep(1)
        processes = subprocess.run(["pgrep", "-cf", os.path.join(d.profile, "plug-ins/penchant/penchant")],
                                   capture_output=True, text=True).stdout.strip()
        expect(processes == "1", "there are %s plug-in processes" % processes)

    def names_every_control(self):
        d = self.desktop
        wait_until("the studio opens", self.is_open)
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

    def never_blocks_input(self):
        d = self.desktop
        d.key("alt+o")
        self.set_value("Steps", "spin button", 30)
        card = self.card(1).queryComponent().getExtents(0)
        start = time.monotonic()
        before = self.last_round()
        d.key("ctrl+l")
        d.key("Return")
        asked = time.monotonic()
        d.probe("result = len(Gimp.get_images())")
        expect(time.monotonic() - asked < 2, "GIMP does not answer while a round is made")
        sharpening = 0
        while self.last_round() == before or not self.is_ready():
            expect(time.monotonic() - start < ROUND_SECONDS, "the round is never finished")
            if "Being made" in [item.description for item in d.walk() if item.name == "Candidate 1"]:
                colours = d.colours(card.x + 20, card.y + 20, card.width - 40, card.height - 60)
                sharpening = max(sharpening, colours)
            for dx in (0.3, 0.5, 0.7):
                d.xdotool("mousemove", str(int(card.x + card.width * dx)), str(int(card.y + card.height / 2)))
            d.key("alt+3", "alt+1")
        stalls = self.stalls(start)
        self.set_value("Steps", "spin button", 4)
        d.key("alt+o")
        self.round = self.last_round()
        expect(sharpening > 100, "the unfinished card shows %d colours, which is no preview" % sharpening)
        print("# longest that input had to wait while a round was made: %.0f ms; %d times more than 10 ms"
              % (stalls[-1] if stalls else 0, len(stalls)))
        expect(not stalls or stalls[-1] < 50, "input had to wait for %s ms" % stalls[-3:])

    def picks_with_a_key(self):
        self.desktop.key("2")
        wait_until("candidate 2 is the best", lambda: self.card(2).description == "Best")
        expect(self.valid_ranks(self.round) == [0, 3, 0], "the pick in the store is %s" % self.valid_ranks(self.round))

    def picks_with_the_mouse(self):
        self.click_star(3)
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
        d.key("1")
        d.key("Delete")
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

    def check_inserted(self, name, tolerance, centre=(200, 150)):
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
        expect(found[3] == [centre[0] - width // 2, centre[1] - height // 2], "the layer is at %s" % found[3])
        worst = max(abs(a - b) for a, b in zip(found[4], rgb))
        print("# largest difference of a pixel: %d of 255" % worst)
        expect(worst <= tolerance, "a pixel differs by %d" % worst)

    def leafs_through_rounds(self):
        d = self.desktop
        d.press("Earlier round")
        wait_until("the earlier round", lambda: d.look("Round %d" % (self.round - 1)))
        wait_until("its pictures", self.is_ready)
        d.press("None of These")
        wait_until("none is stored", lambda: len(self.valid_ranks(self.round - 1)) == 3)
        d.press("Later round")
        wait_until("the later round", lambda: d.look("Round %d" % self.round))
        wait_until("its pick", lambda: self.card(1).description == "Best")

    def inserts_a_layer(self):
        d = self.desktop
        self.insert()
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

    def inserts_on_the_selection(self):
        d = self.desktop
        d.probe("Gimp.get_images()[0].select_rectangle(Gimp.ChannelOps.REPLACE, 0, 20, 200, 100)")
        d.focus("Penchant")
        self.insert()
        wait_until("a layer is inserted", lambda: len(self.layers()) == 2)
        self.check_inserted("bird", 0, (100, 70))
        d.probe("""
image = Gimp.get_images()[0]
image.remove_layer(image.get_layers()[0])
Gimp.Selection.none(image)
Gimp.displays_flush()
""")

    def inserts_into_another_precision(self):
        d = self.desktop
        d.probe("""
image = Gimp.get_images()[0]
image.convert_color_profile(Gimp.ColorProfile.new_rgb_adobe(), Gimp.ColorRenderingIntent.PERCEPTUAL, True)
image.convert_precision(Gimp.Precision.FLOAT_LINEAR)
""")
        d.focus("Penchant")
        self.insert()
        wait_until("a layer is inserted", lambda: len(self.layers()) == 2)
        self.check_inserted("bird", 1)
        d.probe("""
image = Gimp.get_images()[0]
image.remove_layer(image.get_layers()[0])
image.convert_precision(Gimp.Precision.U8_NON_LINEAR)
image.convert_color_profile(Gimp.ColorProfile.new_rgb_srgb(), Gimp.ColorRenderingIntent.PERCEPTUAL, True)
Gimp.displays_flush()
""")

    def opens_as_an_image(self):
        d = self.desktop
        d.focus("Penchant")
        before = d.probe("result = [image.get_id() for image in Gimp.get_images()]")
        d.key("ctrl+o")
        new = wait_until("an image is made", lambda: d.probe(
            "result = [[i.get_id(), i.get_width(), i.get_height(), i.get_layers()[0].get_name()] for i in Gimp.get_images() "
            "if i.get_id() not in %r and i.get_layers()]" % before))
        width, height, _ = self.candidate_rgb(self.round, 0)
        expect(new[0][1:] == [width, height, "bird"], "the new image is %s" % new)
        d.probe("for display in Gimp.get_images() and Gimp.Display.get_by_id(2) and [Gimp.Display.get_by_id(2)] or []:\n"
                "    display.delete()")
        wait_until("it is closed", lambda: len(d.probe("result = [i.get_id() for i in Gimp.get_images()]")) == 1)
        d.focus("Penchant")

    def saves_a_picture(self):
        d = self.desktop
        path = os.path.join(d.folder, "saved.png")
        d.key("ctrl+s")
        self.answer_file_dialog("Save the Picture", path, True)
        wait_until("the file is written", lambda: os.path.exists(path))
        wait_until("the bar says so", lambda: "saved.png" in d.message())
        with open(path, "rb") as file:
            content = file.read()
        expect(b"bird" in content and b"Steps: 30" in content, "the PNG does not tell its settings")

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
        self.insert()
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

    def changes_a_layer(self):
        d = self.desktop
        d.probe("""
image = Gimp.get_images()[0]
for layer in image.get_layers()[:-1]:
    image.remove_layer(layer)
image.set_selected_layers(image.get_layers())
""")
        d.focus("Penchant")
        self.choose("Start from", "The active layer")
        self.set_value("Change", "slider", 0.1)
        round = self.generate("bird")
        start, strength = self.sql("SELECT start, start_strength FROM rounds WHERE id = %d" % round)[0]
        expect(start == "picture" and abs(strength - 0.1) < 0.01, "the round starts from %s, %s" % (start, strength))
        self.insert()
        wait_until("a layer is inserted", lambda: len(self.layers()) == 2)
        expect(self.layers()[0][1:] == [400, 300, 0, 0], "the layer is at %s" % self.layers()[0][1:])
        # It has the size of the paper and, with a little change, looks like it.
        distance = d.probe("""
image = Gimp.get_images()[0]
new, old = [pixels(layer, 0, 0, 400, 300, "R'G'B' u8") for layer in image.get_layers()]
result = sum(abs(a - b) for a, b in zip(new, old)) / len(new)
image.remove_layer(image.get_layers()[0])
""")
        print("# mean difference of a pixel: %.1f of 255" % distance)
        expect(distance < 50, "a change of 10 %% changes pixels by %.0f" % distance)
        d.focus("Penchant")
        self.choose("Start from", "Text alone")

    def guidance(self):
        return self.desktop.find("Guidance", "spin button").queryText().getText(0, -1)

    def obeys_the_settings(self):
        d = self.desktop
        d.key("alt+o")
        self.set_text("Avoid", "dog")
        self.set_value("Candidates", "spin button", 2)
        self.choose("Size", "Landscape")
        self.set_value("Steps", "spin button", 3)
        expect(self.guidance() == "Auto", "guidance is %s at first" % self.guidance())
        self.set_value("Guidance", "spin button", 7.5)
        expect(self.guidance() == "7.5", "guidance is %s" % self.guidance())
        self.set_value("Randomness", "slider", 0.05)
        d.press("Keep the seed")
        self.set_text("Seed", "42")
        d.find("Seed", "text").queryEditableText().insertText(2, "x 9", 3)
        expect(d.text(d.find("Seed", "text")) == "42", "a seed that is no number: %s" % d.text(d.find("Seed", "text")))
        round = self.generate("house")
        found = self.sql("SELECT negative_prompt, steps, guidance, eta, seed, width > height, (SELECT COUNT(*) FROM "
                         "candidates WHERE round = rounds.id) FROM rounds WHERE id = %d" % round)[0]
        expect(found == ("dog", 3, 7.5, 0.05, 42, 1, 2), "the round is %s" % (found,))
        expect(self.candidate_rgb(round, 0) != self.candidate_rgb(round, 1), "little randomness gives one picture twice")
        d.press("Keep the seed")
        self.set_text("Avoid", "")
        self.set_value("Candidates", "spin button", 3)
        self.choose("Size", "Like the image")
        self.set_value("Steps", "spin button", 4)
        self.set_value("Guidance", "spin button", 0)
        expect(self.guidance() == "Auto", "guidance is %s again" % self.guidance())
        self.set_value("Randomness", "slider", 1)

    def chooses_a_device(self):
        d = self.desktop
        wait_until("the devices are listed", lambda: len(self.entries("Device")) > 1)
        devices = self.entries("Device")
        expect(devices[0] == "Chosen by itself", "the first entry is %s" % devices[0])
        self.choose("Device", devices[1])
        round = self.generate("heart")
        found = self.sql("SELECT device FROM rounds WHERE id = %d" % round)[0][0]
        expect(found == devices[1], "%s was chosen, and %s worked" % (devices[1], found))
        self.choose("Device", devices[0])
        d.key("alt+o")

    def recalls_prompts(self):
        d = self.desktop
        d.key("ctrl+l")
        d.key("ctrl+a")
        d.key("Delete")
        d.key("Up")
        wait_until("the latest prompt", lambda: d.text(d.find("Prompt", "text")) == "heart")
        d.key("Up")
        wait_until("the one before", lambda: d.text(d.find("Prompt", "text")) == "house")
        d.key("Down")
        wait_until("the latest again", lambda: d.text(d.find("Prompt", "text")) == "heart")

    # ------------------------------------------------------------------ decoder and adapters

    def model_of(self, round):
        """What the round was made with: VAE, and adapters with their strengths."""
        text = self.sql("SELECT model_path FROM rounds WHERE id = %d" % round)[0][0]
        spec = json.loads(text) if text.startswith("{") else {}
        return spec.get("vae"), list(zip(spec.get("loras", []), spec.get("strengths", [])))

    def more_settings(self):
        if not self.desktop.is_expanded(self.desktop.find("More settings")):
            self.desktop.press("More settings")
            time.sleep(0.5)

    def has_adapter(self, name):
        """Its row may be scrolled away."""
        return any(item.name == "Strength of " + name for item in self.desktop.walk())

    def has_fixed(self, name):
        return not self.has_adapter(name) and any(item.name == name and item.getRoleName() == "list item"
                                                  for item in self.desktop.walk())

    def adds_a_decoder_and_adapters(self):
        d = self.desktop
        self.more_settings()
        folder = os.path.join(d.folder, "decoder")
        shutil.copytree(os.path.join(ROOT, "models", "starter", "vae"), folder)
        vae = os.path.join(folder, "warm.safetensors")
        os.rename(os.path.join(folder, "diffusion_pytorch_model.safetensors"), vae)
        ink, chalk = self.write_adapter("ink", 1), self.write_adapter("chalk", 2)

        self.choose("Decoder (VAE)", "Another file…")
        self.answer_file_dialog("Choose a Decoder (VAE)", vae, False)
        wait_until("the decoder is chosen", lambda: self.chosen("Decoder (VAE)") == "warm.safetensors")
        d.focus("Penchant")
        d.key("alt+l")
        self.answer_file_dialog("Add an Adapter (LoRA)", ink, False)
        wait_until("it is listed", lambda: self.has_adapter("ink"))
        expect(self.desktop.find("Strength of ink").queryValue().currentValue == 1, "the strength is not 1 at first")
        expect("ink.safetensors" not in d.message(), "the bar says: " + d.message())
        self.add_adapter(chalk)
        wait_until("the other is listed, too", lambda: self.has_adapter("chalk"))
        start = time.monotonic()
        for strength in (0.95, 0.9, 0.85, 0.8):
            self.desktop.find("Strength of ink").queryValue().currentValue = strength
        round = self.generate("bird")
        expect(self.model_of(round) == (vae, [(ink, 0.8), (chalk, 1)]), "the round is made with %s" % (self.model_of(round),))
        stalls = self.stalls(start)
        expect(not stalls or stalls[-1] < 50, "input had to wait for %s ms" % stalls[-3:])
        # The same file again is no second adapter.
        self.add_adapter(ink)
        wait_until("the bar says so", lambda: "in the list already" in d.message())

        self.desktop.find("Do without chalk").queryAction().doAction(0)
        wait_until("it is gone", lambda: not self.has_adapter("chalk"))
        expect(self.has_adapter("ink"), "the other one is gone, too")
        # A file that does not do, and one that is gone, are named, and left out with one click.
        broken = os.path.join(d.folder, "broken.safetensors")
        with open(broken, "wb") as file:
            file.write(b"\xff" * 100)
        self.add_adapter(broken)
        wait_until("the bar names the broken file", lambda: broken in d.message())
        print("# " + d.message().replace("\n", " "))
        d.press("Do Without It")
        wait_until("it is gone", lambda: not self.has_adapter("broken") and self.has_adapter("ink"))
        os.unlink(ink)
        self.desktop.find("Strength of ink").queryValue().currentValue = 0.5
        wait_until("the bar names the missing file", lambda: ink in d.message())
        print("# " + d.message().replace("\n", " "))
        d.press("Do Without It")
        wait_until("it is gone", lambda: not self.has_adapter("ink"))
        self.desktop.find("Decoder (VAE)")
        self.choose("Decoder (VAE)", "Another file…")
        self.answer_file_dialog("Choose a Decoder (VAE)", chalk, False)
        wait_until("the bar says that it is no VAE", lambda: chalk in d.message() and "VAE" in d.message())
        print("# " + d.message().replace("\n", " "))
        d.press("Do Without It")
        wait_until("the model's own is back", lambda: self.chosen("Decoder (VAE)") == "The model's own")
        round = self.generate("heart")
        expect(self.model_of(round) == (None, []), "the round is made with %s" % (self.model_of(round),))

    def teaches_on_top_of_an_adapter(self):
        d = self.desktop
        self.choose("Style", "No style")
        self.more_settings()
        ink = self.write_adapter("ink", 1)
        self.add_adapter(ink)
        wait_until("it is listed", lambda: self.has_adapter("ink"))
        self.desktop.find("Strength of ink").queryValue().currentValue = 0.5
        round = self.generate("bird")
        expect(self.model_of(round) == (None, [(ink, 0.5)]), "the round is made with %s" % (self.model_of(round),))
        d.key("1")
        wait_until("one pick is new", lambda: any(item.name.startswith("1 vote of about") for item in d.walk()))
        d.press("Teach")
        d.focus("A Style of Your Own")
        self.set_text("Name of the style", "Inked")
        d.key("Return")
        wait_until("teaching runs", lambda: d.look("Stop Teaching"), 60)
        wait_until("teaching ends", lambda: not d.look("Stop Teaching"), TEACH_SECONDS, 1)
        style, version = self.sql("SELECT id, current_version FROM styles WHERE name = 'Inked'")[0]
        expect(version, "there is no version; the bar says: " + d.message())
        # Now the adapter is the style's: it is there once, and cannot be changed.
        wait_until("the adapter is the style's", lambda: self.has_fixed("ink"))
        round = self.generate("bird")
        expect(self.model_of(round) == (None, [(ink, 0.5)]), "the round is made with %s" % (self.model_of(round),))
        expect(self.sql("SELECT style FROM rounds WHERE id = %d" % round)[0][0] == style, "its picks do not teach the style")
        # One more draws along, and the window tells what that means.
        chalk = self.write_adapter("chalk", 2)
        self.add_adapter(chalk)
        wait_until("the list says that picks do not teach",
                   lambda: any("do not teach “Inked”" in item.name for item in d.walk()))
        round = self.generate("bird")
        expect(self.model_of(round) == (None, [(ink, 0.5), (chalk, 1)]), "the round is made with %s" % (self.model_of(round),))
        expect(self.sql("SELECT style, style_version FROM rounds WHERE id = %d" % round)[0] == (None, version),
               "the style does not draw, or learns")

    def remembers_adapters(self):
        d = self.desktop
        d.focus("Penchant")
        d.key("ctrl+w")
        wait_until("the plug-in ends", lambda: self.pid() is None, 60)
        gone = os.path.join(d.folder, "chalk.safetensors")
        os.unlink(gone)
        self.reopen_window()
        self.more_settings()
        wait_until("the bar names the missing file", lambda: gone in d.message())
        self.add_adapter(os.path.join(d.folder, "ink.safetensors"))
        wait_until("the bar says something else", lambda: "in the list already" in d.message())
        # Comparing draws with all of them, too.
        d.key("alt+2")
        d.press("Compare", "button")
        wait_until("the bar names the missing file", lambda: gone in d.message(), 60)
        d.press("Create")
        d.press("Do Without It")
        wait_until("it is gone", lambda: not self.has_adapter("chalk"))
        wait_until("the style has its adapter", lambda: self.has_fixed("ink"))
        self.choose("Style", "No style")
        wait_until("it can be changed", lambda: self.has_adapter("ink"))
        expect(self.desktop.find("Strength of ink").queryValue().currentValue == 0.5, "the strength is forgotten")
        self.desktop.find("Do without ink").queryAction().doAction(0)
        self.choose("Style", "Mine")

    def teaches(self):
        d = self.desktop
        self.round = self.generate("fish")
        d.key("2")
        wait_until("candidate 2 is the best", lambda: self.card(2).description == "Best")
        d.press("Teach")
        d.focus("A Style of Your Own")
        self.set_text("Name of the style", "Mine")
        d.key("Return")
        start = time.monotonic()
        wait_until("teaching runs", lambda: d.look("Stop Teaching"), 60)
        wait_until("teaching ends", lambda: not d.look("Stop Teaching"), TEACH_SECONDS, 1)
        stalls = self.stalls(start)
        print("# longest that input had to wait while teaching: %.0f ms" % (stalls[-1] if stalls else 0))
        expect(not stalls or stalls[-1] < 50, "input had to wait for %s ms" % stalls[-3:])
        expect(self.sql("SELECT COUNT(*) FROM style_versions")[0][0] == 1,
               "there is no new version; the bar says: " + d.message())
        expect("version 1" in d.message(), "the bar says: " + d.message())
        d.press("Keep", "button", seconds=60)  # once it has seen the picture before and after
        wait_until("the curve is there", lambda: d.look("Agreement with your picks while teaching"))

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
        wait_until("the tally counts it", lambda: any(item.name.startswith("With the style %d of 1" % with_style)
                                                      for item in d.walk()))
        d.press("Next Pair")
        wait_until("the choice is offered again", lambda: d.look("Equal") and d.is_sensitive(d.look("Equal")),
                   ROUND_SECONDS, 0.5)
        d.press("Equal")
        wait_until("the choice is recorded", lambda: self.sql("SELECT COUNT(*) FROM comparisons")[0][0] == 2)

    def stops_teaching_and_goes_on(self):
        d = self.desktop
        d.focus("Penchant")
        round = self.generate("fish")
        d.key("1")
        wait_until("candidate 1 is the best", lambda: self.card(1).description == "Best")
        # Votes in rounds that cannot be learnt from, which earlier steps made, stay new.
        wait_until("the pick is new", lambda: d.look("3 new votes for “Mine”"))
        d.press("Teach")
        wait_until("a step is done", lambda: self.sql("SELECT 1 FROM runs WHERE state = 'running' AND steps_done > 0"),
                   TEACH_SECONDS)
        d.press("Stop Teaching")
        d.find("Go on Teaching", seconds=60)
        expect(self.sql("SELECT COUNT(*) FROM runs WHERE state = 'paused'")[0][0] == 1, "the run is not paused")
        # The next round can be made before the teaching goes on.
        self.generate("fish")
        d.press("Go on Teaching")
        wait_until("teaching ends", lambda: self.sql("SELECT COUNT(*) FROM style_versions")[0][0] == 2, TEACH_SECONDS, 1)
        expect(self.valid_ranks(round) == [3, 0, 0], "the pick is lost")

    def renames_and_weighs_a_style(self):
        d = self.desktop
        d.key("alt+3")
        self.set_text("Name", "My taste")
        d.find("Name", "text").queryComponent().grabFocus()
        d.key("Return")
        wait_until("it is renamed", lambda: self.sql("SELECT name FROM styles")[0][0] == "My taste")
        d.press("Undo")
        wait_until("undo renames it back", lambda: self.sql("SELECT name FROM styles")[0][0] == "Mine")
        self.set_value("Strength", "slider", 0.5)
        wait_until("the strength is stored", lambda: abs(self.sql("SELECT strength FROM styles")[0][0] - 0.5) < 0.01)
        self.set_value("Strength", "slider", 1)

    def returns_to_a_version(self):
        d = self.desktop
        now = "SELECT v.number FROM styles s LEFT JOIN style_versions v ON v.id = s.current_version"
        versions = d.find("Versions", "list box").querySelection()
        expect(self.sql(now)[0][0] == 2, "version %s is in use" % self.sql(now)[0][0])
        versions.selectChild(1)
        d.press("Use This Version")
        wait_until("version 1 is in use", lambda: self.sql(now)[0][0] == 1)
        d.press("Undo")
        wait_until("version 2 is in use again", lambda: self.sql(now)[0][0] == 2)

    def creates_a_style(self):
        d = self.desktop
        d.press("New…")
        d.focus("A New Style")
        d.key("ctrl+a")
        d.type("Fresh")
        d.key("Return")
        wait_until("there is a new style", lambda: self.sql("SELECT name FROM styles ORDER BY id")[-1][0] == "Fresh")
        d.focus("Penchant")
        wait_until("it is chosen", lambda: d.text(d.find("Name", "text")) == "Fresh")
        d.press("Delete")
        wait_until("it is gone", lambda: self.sql("SELECT deleted FROM styles ORDER BY id")[-1][0])
        wait_until("the other style is listed", lambda: d.look("Mine", "list item"))
        d.find("Styles", "list box").querySelection().selectChild(0)
        d.press("Use This Style")
        wait_until("its name is shown", lambda: d.text(d.find("Name", "text")) == "Mine")

    def cancels_a_procedure(self):
        """Of a script, with the button beside GIMP's progress bar."""
        d = self.desktop
        answer = []
        script = threading.Thread(target=lambda: answer.append(d.probe("""
procedure = Gimp.get_pdb().lookup_procedure("plug-in-penchant")
config = procedure.create_config()
for key, value in {"run-mode": Gimp.RunMode.NONINTERACTIVE, "prompt": "bird", "steps": 150, "count": 9}.items():
    config.set_property(key, value)
result = int(procedure.run(config).index(0))
""")))
        script.start()
        cancel = wait_until("GIMP shows the progress", lambda: d.look("Cancel", "button", d.app("gimp")), 60)
        wait_until("the round is begun", lambda: self.sql("SELECT 1 FROM rounds WHERE steps = 150"), 60)
        wait_until("GIMP's progress bar moves", lambda: any(
            bar.queryValue().currentValue > 0 for bar in d.walk(d.app("gimp")) if bar.getRoleName() == "progress bar"), 30)
        cancel.queryAction().doAction(0)
        script.join(60)
        expect(answer and answer[0] == 4, "the script's answer is %s, not that it was cancelled" % answer)
        expect(self.sql("PRAGMA integrity_check")[0][0] == "ok", "the store is damaged")
        d.focus("Penchant")

    def exports_and_imports_a_style(self):
        d = self.desktop
        for format, prefix in [("For most programs (kohya)", "lora_unet_"), ("For Python (diffusers)", "unet.")]:
            path = os.path.join(d.folder, prefix.strip("_.") + ".safetensors")
            d.press("Export…")
            d.find("Format", "combo box")
            self.choose("Format", format)
            self.answer_file_dialog("Export the Style", path, True)
            wait_until("the bar says so", lambda: "Exported to " + path in d.message())
            with open(path, "rb") as file:
                size, = struct.unpack("<Q", file.read(8))
                names = json.loads(file.read(size))
            expect(any(name.startswith(prefix) for name in names), "no name in the file begins with " + prefix)
        d.press("Import…")
        self.answer_file_dialog("Import a Style", path, False)
        wait_until("there is a style more", lambda: self.sql("SELECT COUNT(*) FROM styles WHERE deleted IS NULL")[0][0] == 2)
        wait_until("it is listed by its name in the file", lambda: d.look("Mine 2", "list item"))
        d.press("Delete")
        wait_until("it is deleted", lambda: len(self.sql("SELECT 1 FROM styles WHERE deleted = 0 OR deleted IS NULL")) == 1)
        wait_until("the other style is listed", lambda: d.look("Mine", "list item"))
        d.find("Styles", "list box").querySelection().selectChild(0)
        d.press("Use This Style")

    def deletes_and_restores_a_style(self):
        d = self.desktop
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
        d.press("Use This Style")
        wait_until("its name is shown", lambda: d.look("Name", "text"))

    def opens_the_help(self):
        d = self.desktop
        d.press("Help")
        d.focus("Penchant Help")
        d.find("A round", "label")
        d.key("Escape")
        wait_until("the page is closed", lambda: not d.has_window("Penchant Help"))
        d.focus("Penchant")
        d.key("ctrl+question")
        d.find("Make a round, or one more", "label")
        d.key("Escape")
        wait_until("the shortcuts are closed", lambda: not d.look("Make a round, or one more", "label"))
        d.focus("Penchant")
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
        self.insert()
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
        prompt = self.sql("SELECT prompt FROM rounds ORDER BY id DESC LIMIT 1")[0][0]
        wait_until("the prompt is there", lambda: d.text(d.find("Prompt", "text")) == prompt)
        wait_until("the style is chosen", lambda: self.chosen("Style") == "Mine")
        expect(not d.look("What should be in the picture?", "label"), "the hint is drawn over the prompt")
        expect(d.find("Candidates", "spin button").queryValue().currentValue == 3, "the number of candidates is forgotten")

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
        # GIMP says that a plug-in crashed; that is true.
        time.sleep(1)
        d.key("Escape")
        self.reopen_window()
        versions = self.sql("SELECT COUNT(*) FROM style_versions")[0][0]
        d.press("Go on Teaching", seconds=30)
        wait_until("teaching ends", lambda: self.sql("SELECT COUNT(*) FROM style_versions")[0][0] > versions, TEACH_SECONDS, 1)

    def survives_the_end_of_gimp(self):
        d = self.desktop
        picks = self.sql("SELECT COUNT(*) FROM picks")[0][0]
        before = self.last_round()
        d.focus("Penchant")
        d.key("ctrl+l")
        d.key("Return")
        wait_until("the round is recorded", lambda: self.last_round() > before, 60)
        d.stop_gimp()
        wait_until("the plug-in ends too", lambda: self.pid() is None, 60)
        expect(self.sql("PRAGMA integrity_check")[0][0] == "ok", "the store is damaged")
        expect(self.sql("SELECT COUNT(*) FROM picks")[0][0] == picks, "picks are lost")
        d.start_gimp()
        self.reopen_window()
        expect(self.sql("SELECT COUNT(*) FROM rounds WHERE state = 'running'")[0][0] == 0,
               "the round is still said to be made")
        self.generate("sun")


run(Work, Desktop, SETTINGS)
