# SPDX-License-Identifier: GPL-3.0-or-later
"""Half an hour of an artist's, with mouse and keyboard: she makes rounds, votes, changes her mind, teaches a style,
compares, puts a picture into her image, refines it, quits, and goes on another day. test-artist.py checks
it; shots.py takes the pictures of docs/tour.md on the way."""

import os
import subprocess
import time

from desktop import wait_until
from session import ROUND_SECONDS, TEACH_SECONDS, Session, expect

# A landscape in GIMP, with a place in its sky selected.
LANDSCAPE = """
image = Gimp.Image.new(720, 480, Gimp.ImageBaseType.RGB)
layer = Gimp.Layer.new(image, "landscape", 720, 480, Gimp.ImageType.RGB_IMAGE, 100, Gimp.LayerMode.NORMAL)
image.insert_layer(layer, None, 0)
def ellipse(color, x, y, width, height):
    Gimp.context_set_foreground(Gegl.Color.new(color))
    image.select_ellipse(Gimp.ChannelOps.REPLACE, x, y, width, height)
    layer.edit_fill(Gimp.FillType.FOREGROUND)
for y in range(0, 480, 8):
    Gimp.context_set_foreground(Gegl.Color.new("rgb(%f,%f,%f)" % (0.35 + y / 960, 0.5 + y / 1600, 0.7 - y / 1600)))
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, y, 720, 8)
    layer.edit_fill(Gimp.FillType.FOREGROUND)
ellipse("#f7d58a", 520, 190, 90, 90)
ellipse("#6d7f5c", -120, 300, 620, 400)
ellipse("#4c6149", 300, 350, 620, 400)
image.select_ellipse(Gimp.ChannelOps.REPLACE, 150, 60, 180, 180)
Gimp.Display.new(image)
"""

# What is seen of it: its colours as bytes, and whether a pixel lies in the place, or clearly outside.
SEEN = """
image = Gimp.get_images()[0]
flat = Gimp.Layer.new_from_visible(image, image, "seen")
seen = pixels(flat, 0, 0, 720, 480, "R'G'B' u8")
flat.delete()
inside = lambda x, y: ((x + .5 - 240) / 90) ** 2 + ((y + .5 - 150) / 90) ** 2
"""

STYLE = "Warm evenings"


class Artist(Session):
    steps = """opens votes_and_thinks_again votes_with_keys_and_mouse teaches compares puts_a_picture_in_place
        refines_it quits_and_goes_on""".split()

    def look(self, name):
        """A picture of the window would be worth while now."""

    def says(self, start):
        return next((item.name for item in self.desktop.walk() if item.name.startswith(start)
                     and self.desktop.visible(item)), None)

    def warmest(self):
        """The number of the candidate with the warmest colours: what she likes."""
        files = self.sql("SELECT picture_file FROM candidates WHERE round = %d ORDER BY place" % self.last_round())
        warmth = [float(subprocess.run(["convert", os.path.join(self.desktop.data, file), "-resize", "1x1!", "-format",
                                        "%[fx:u.r-u.b]", "info:"], capture_output=True, text=True, check=True).stdout)
                  for file, in files]
        return warmth.index(max(warmth)) + 1

    def warmth(self, number):
        """Of a candidate as it is seen."""
        box = self.card(number).queryComponent().getExtents(0)
        crop = "%dx%d+%d+%d" % (box.width - 40, box.height - 40, box.x + 20, box.y + 20)
        return float(subprocess.run(["import", "-window", "root", "-crop", crop, "-resize", "1x1!", "-format", "%[fx:u.r-u.b]",
                                     "info:"], env=self.desktop.env, capture_output=True, text=True, check=True).stdout)

    def expect_place(self, number, place):
        wait_until("candidate %d is “%s”" % (number, place), lambda: self.card(number).description == place)

    def close_message(self):
        close = self.desktop.look("Close the message")
        if close:
            self.desktop.click(close)

    # ------------------------------------------------------------------ the half hour

    def opens(self):
        d = self.desktop
        d.probe(LANDSCAPE)
        time.sleep(1)
        self.before = d.probe(SEEN + "result = list(seen)")
        print("# the window is up after %.2f s" % self.open_window())
        wait_until("the studio is open", self.is_open, 60)
        wait_until("the bar speaks", lambda: d.message(), 60)  # of the software's speed
        self.close_message()

    def votes_and_thinks_again(self):
        d = self.desktop
        round = self.generate("balloon")
        self.look("1-round")
        liked = self.warmest()
        other = liked % 3 + 1
        self.click_star(other)
        self.expect_place(other, "Best")
        d.key("ctrl+z")
        self.expect_place(other, "Finished")
        expect(not self.valid_ranks(round), "the vote that was taken back still counts")
        self.click_star(liked)
        self.expect_place(liked, "Best")

    def votes_with_keys_and_mouse(self):
        d = self.desktop
        for prompt in ("house", "flower"):
            self.generate(prompt)
            liked = self.warmest()
            if prompt == "house":
                d.key(str(liked))
            else:
                d.click(self.card(liked), dx=0.5, dy=0.6)
                time.sleep(0.6)
                d.xdotool("click", "--repeat", "2", "--delay", "60", "1")
            self.expect_place(liked, "Best")
            next_best = liked % 3 + 1
            d.key("shift+%d" % next_best)
            self.expect_place(next_best, "2nd")
        self.look("2-vote")
        expect(self.sql("SELECT COUNT(*) FROM valid_picks")[0][0] == 3, "three rounds are not voted on")

    def teaches(self):
        d = self.desktop
        d.click(d.find("Teach", "button"))
        d.focus("A Style of Your Own")
        d.key("ctrl+a")
        d.type(STYLE)
        d.key("Return")
        wait_until("a third of it is done", lambda: self.sql(
            "SELECT 1 FROM runs WHERE state = 'finished' OR 3 * steps_done > steps_total"), TEACH_SECONDS)
        self.look("3-teach")
        wait_until("the picture before and after is drawn", lambda: d.look("The same picture before and after:"),
                   TEACH_SECONDS, 1)
        self.close_message()
        self.look("4-lesson")
        d.click(d.find("Keep", "button"))
        wait_until("the style is used", lambda: self.chosen("Style") == STYLE)
        expect(self.sql("SELECT number FROM style_versions") == [(1,)], "there is no version 1")

    def compares(self):
        d = self.desktop
        d.click(d.find("Compare", "radio button"))
        for pair, answer in enumerate(("the warmer", "Equal", "the warmer", None)):
            d.click(d.find("Next Pair" if pair else "Compare", "button"))
            wait_until("the choice is offered", lambda: self.can_use("Left"), ROUND_SECONDS, 0.5)
            if answer == "Equal":
                d.click(d.find("Equal", "button"))
            elif answer:
                d.key("1" if self.warmth(1) > self.warmth(2) else "2")
            wait_until("it is stored", lambda: len(self.sql("SELECT 1 FROM valid_comparisons")) == min(pair + 1, 3))
        self.close_message()
        self.look("5-compare")
        expect("equal 1" in self.says("With the style "), "the tally is " + self.says("With the style "))
        d.key("alt+1")

    def puts_a_picture_in_place(self):
        d = self.desktop
        d.click(d.find("Start from", "combo box"))
        time.sleep(0.5)
        d.key("End", "Return")
        wait_until("it starts from the selection", lambda: self.chosen("Start from") == "The selection")
        self.round = self.generate("balloon")
        liked = self.warmest()
        d.key(str(liked))
        self.expect_place(liked, "Best")
        d.click(d.find("In Place"))
        d.find("The picture at its place")
        d.click(d.find("Insert no. %d as Layer" % liked, "button"))
        d.find("Remove", "button", 60)
        time.sleep(1)
        self.close_message()
        self.look("6-in-place")
        d.click(d.find("In Place"))
        self.check_image(2)

    def check_image(self, layers):
        """Nothing but the place has changed, and that has."""
        found, seen = self.desktop.probe(SEEN + "result = [[l.get_name() for l in image.get_layers()], list(seen)]")
        expect(len(found) == layers, "the layers are %s" % found)
        outside = inside = 0
        for y in range(480):
            for x in range(720):
                i, away = (y * 720 + x) * 3, ((x + .5 - 240) / 90) ** 2 + ((y + .5 - 150) / 90) ** 2
                if seen[i:i + 3] != self.before[i:i + 3]:
                    outside += away > 1.05
                    inside += away < 0.8
        print("# %d pixels inside the place have changed, %d outside" % (inside, outside))
        expect(outside == 0, "%d pixels outside the place have changed" % outside)
        expect(inside > 10000, "only %d pixels inside the place have changed" % inside)
        return seen

    def refines_it(self):
        d = self.desktop
        coarse = self.check_image(2)
        d.click(d.find("Refine 2×", "button"))
        wait_until("the finer layer is there", lambda: d.probe("result = len(Gimp.get_images()[0].get_layers())") == 3,
                   ROUND_SECONDS * 2, 1)
        wait_until("the coarse one is hidden", lambda: d.probe(
            "result = [l.get_visible() for l in Gimp.get_images()[0].get_layers()]") == [True, False, True])
        self.fine = self.check_image(3)
        expect(self.fine != coarse, "the refined picture is the coarse one")

    def quits_and_goes_on(self):
        d = self.desktop
        path = os.path.join(d.folder, "landscape.xcf")
        d.probe("Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, Gimp.get_images()[0], Gio.File.new_for_path(%r), None)" % path)
        picks = self.sql("SELECT COUNT(*) FROM valid_picks")
        ranks = self.valid_ranks(self.round)
        d.stop_gimp()
        wait_until("the plug-in ends too", lambda: self.pid() is None, 60)
        d.start_gimp(path)
        wait_until("the image is open", lambda: d.probe("result = len(Gimp.get_images())") == 1, 60)
        time.sleep(2)
        self.open_window()
        d.find("Round %d" % self.round, seconds=60)
        wait_until("its pictures", self.is_ready)
        expect(self.sql("SELECT COUNT(*) FROM valid_picks") == picks, "votes are lost")
        self.expect_place(ranks.index(max(ranks)) + 1, "Best")
        expect(self.chosen("Style") == STYLE and d.text(d.find("Prompt", "text")) == "balloon", "the settings are lost")
        expect(self.check_image(3) == self.fine, "the image is not what it was")
        # The round still knows its place.
        d.key("ctrl+i")
        d.find("Remove", "button", 60)
        self.check_image(4)
        d.click(d.find("Remove", "button"))
        wait_until("the layer is gone", lambda: d.probe("result = len(Gimp.get_images()[0].get_layers())") == 3)
        expect(self.check_image(3) == self.fine, "the image is not what it was")
