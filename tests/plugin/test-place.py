#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the plug-in's pictures land in GIMP's images: places, masks, transparency; prints TAP.

test-place.py BUILD FOLDER [STEP...]
"""

import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from desktop import Desktop, wait_until  # noqa: E402
from session import Session, expect, run  # noqa: E402

SETTINGS = "[penchant]\ncount=2\nsteps=2\nsoften=0\n"

# What the probe's code begins with: the image under test, and how to look at it.
LOOK = """
image = next(i for i in Gimp.get_images() if i.get_name().startswith(%r))
def seen(x, y, width, height):
    flat = Gimp.Layer.new_from_visible(image, image, "seen")
    found = pixels(flat, x, y, width, height, "R'G'B' u8")
    flat.delete()
    return found
"""


class Work(Session):
    steps = """opens a_selection_outlives_the_window a_layer_outlives_the_window leaves_no_trace_in_undo
        comes_back_with_its_file keeps_the_alpha keeps_half_transparent_colours refuses_an_empty_layer
        squashes_nothing thin_selections fits_and_fills softens_and_grows shows_it_in_place removes_what_it_inserted refines
        refines_to_the_region refines_where_the_layer_is""".split()
    name = "[Untitled]"

    def look(self, code):
        return self.desktop.probe(LOOK % self.name + code)

    def opens(self):
        self.desktop.probe("""
image = Gimp.Image.new(400, 300, Gimp.ImageBaseType.RGB)
layer = Gimp.Layer.new(image, "paper", 400, 300, Gimp.ImageType.RGB_IMAGE, 100, Gimp.LayerMode.NORMAL)
image.insert_layer(layer, None, 0)
for i in range(0, 400, 20):
    Gimp.context_set_foreground(Gegl.Color.new("rgb(%f,%f,%f)" % (i / 400, 0.5, 1 - i / 400)))
    image.select_rectangle(Gimp.ChannelOps.REPLACE, i, 0, 20, 300)
    layer.edit_fill(Gimp.FillType.FOREGROUND)
Gimp.Selection.none(image)
Gimp.Display.new(image)
""")
        time.sleep(1)
        self.open_window()

    def start_from(self, what, shape="Like the image"):
        self.desktop.focus("Penchant")
        self.choose("Start from", what)
        self.choose("Size", shape)

    def insert(self):
        """The first candidate, by key; the new layer's name, size and offsets."""
        d = self.desktop
        before = self.look("result = len(image.get_layers())")
        d.focus("Penchant")
        d.key("ctrl+i")
        wait_until("a layer is inserted", lambda: self.look("result = len(image.get_layers())") == before + 1)
        return self.look("""
new = min(image.get_layers(), key=lambda layer: -layer.get_tattoo())
result = [new.get_name(), new.get_width(), new.get_height()] + list(new.get_offsets())[1:]
""")

    def remove(self):
        self.look("image.remove_layer(max(image.get_layers(), key=lambda layer: layer.get_tattoo()))\nGimp.displays_flush()")

    def close_and_reopen(self):
        d = self.desktop
        d.focus("Penchant")
        d.key("ctrl+w")
        wait_until("the plug-in ends", lambda: self.pid() is None, 60)
        self.reopen_window()
        wait_until("its pictures", self.is_ready)

    def changed(self, mask):
        """How many pixels the newest layer changes where mask(x, y) is false, and where it is true."""
        return self.look("""
new = max(image.get_layers(), key=lambda layer: layer.get_tattoo())
after = seen(0, 0, 400, 300)
new.set_visible(False)
before = seen(0, 0, 400, 300)
new.set_visible(True)
mask = %s
result = [0, 0]
for y in range(300):
    for x in range(400):
        i = (y * 400 + x) * 3
        if after[i:i + 3] != before[i:i + 3]:
            result[bool(mask(x, y))] += 1
""" % mask)

    ELLIPSE = "lambda x, y: ((x + .5 - 185) / 46.5) ** 2 + ((y + .5 - 125) / 36.5) ** 2 < 1"

    def a_selection_outlives_the_window(self):
        self.look("image.select_ellipse(Gimp.ChannelOps.REPLACE, 140, 90, 90, 70)")
        self.start_from("The selection")
        self.selection_round = self.generate("heart")
        # Another selection, and another window: it is the round that knows where it belongs.
        self.look("image.select_rectangle(Gimp.ChannelOps.REPLACE, 300, 200, 50, 50)")
        self.close_and_reopen()
        found = self.insert()
        expect(found[1:] == [90, 70, 140, 90], "the layer is %s" % found)
        outside, inside = self.changed(self.ELLIPSE)
        expect(outside == 0 and inside > 3000, "%d pixels changed outside the ellipse, %d inside" % (outside, inside))
        self.remove()
        self.look("Gimp.Selection.none(image)")

    def a_layer_outlives_the_window(self):
        self.look("""
layer = Gimp.Layer.new(image, "card", 120, 60, Gimp.ImageType.RGB_IMAGE, 100, Gimp.LayerMode.NORMAL)
layer.set_offsets(30, 40)
image.insert_layer(layer, None, 0)
layer.fill(Gimp.FillType.WHITE)
image.set_selected_layers([layer])
""")
        self.start_from("The active layer")
        self.generate("heart")
        self.close_and_reopen()
        self.look("""
card = next(l for l in image.get_layers() if l.get_name() == "card")
card.set_offsets(200, 150)
image.set_selected_layers([next(l for l in image.get_layers() if l.get_name() == "paper")])
""")
        found = self.insert()
        expect(found[1:] == [120, 60, 200, 150], "the layer is %s, and the one it came from at 200, 150" % found)
        names = self.look("result = [layer.get_name() for layer in image.get_layers()]")
        expect(names == ["heart", "card", "paper"], "the layers are %s" % names)
        self.remove()
        self.look("image.remove_layer(image.get_layers()[0])")

    def leaves_no_trace_in_undo(self):
        """A round alone changes nothing of an image: neither its undo history nor whether it needs saving."""
        found = self.desktop.probe("""
image = Gimp.Image.new(64, 64, Gimp.ImageBaseType.RGB)
layer = Gimp.Layer.new(image, "paper", 64, 64, Gimp.ImageType.RGB_IMAGE, 100, Gimp.LayerMode.NORMAL)
image.insert_layer(layer, None, 0)
image.clean_all()
procedure = Gimp.get_pdb().lookup_procedure("plug-in-penchant-insert")
config = procedure.create_config()
config.set_property("image", image)
config.set_property("round", %d)
before = image.is_dirty()
values = procedure.run(config)
marked = image.get_parasite("penchant-image") is not None
result = [before, marked, len(image.get_layers())]
image.delete()
""" % self.selection_round)
        expect(found == [False, True, 2], "clean, marked, layers: %s" % found)
        dirty = self.desktop.probe("""
image = Gimp.Image.new(64, 64, Gimp.ImageBaseType.RGB)
image.clean_all()
Gimp.Display.new(image)
result = image.get_id()
""")
        d = self.desktop
        d.focus("Penchant")
        wait_until("it can be chosen", lambda: any("-%d" % dirty in entry for entry in self.entries("Image")))
        self.choose("Image", next(entry for entry in self.entries("Image") if entry.endswith("-%d" % dirty)))
        self.start_from("Text alone")
        round = self.generate("bird")
        clean, parasite = d.probe("""
image = Gimp.Image.get_by_id(%d)
parasite = image.get_parasite("penchant-image")
result = [not image.is_dirty(), bytes(parasite.get_data()).rstrip(b"\\0").decode() if parasite else None]
""" % dirty)
        expect(clean, "a round makes the image one that needs saving")
        stored = self.sql("SELECT image, width FROM places WHERE round = %d" % round)
        expect(stored == [(parasite, 0)], "the image is %s, the round's %s" % (parasite, stored))
        d.probe("image = Gimp.Image.get_by_id(%d)\n[x.delete() for x in [Gimp.Display.get_by_id(i) for i in range(1, 9)] "
                "if x is not None and x.is_valid() and len(Gimp.get_images()) > 1 and x.get_id() != 1]" % dirty)
        wait_until("it is closed", lambda: len(d.probe("result = [i.get_id() for i in Gimp.get_images()]")) == 1)
        d.focus("Penchant")
        wait_until("the first image is chosen", lambda: self.chosen("Image").startswith(self.name))

    def comes_back_with_its_file(self):
        d = self.desktop
        path = os.path.join(d.folder, "sea.xcf")
        self.look("Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, Gio.File.new_for_path(%r), None)" % path)
        d.probe("""
for i in range(1, 9):
    display = Gimp.Display.get_by_id(i)
    if display is not None and display.is_valid():
        display.delete()
""")
        wait_until("it is closed", lambda: not d.probe("result = [i.get_id() for i in Gimp.get_images()]"))
        d.probe("Gimp.Display.new(Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(%r)))" % path)
        self.name = "sea"
        d.focus("Penchant")
        wait_until("it is chosen", lambda: self.chosen("Image").startswith("sea"))
        while "Round %d" % self.selection_round != next(
                (item.name for item in d.walk() if item.name.startswith("Round ")), ""):
            d.press("Earlier round")
            time.sleep(0.5)
        wait_until("its pictures", self.is_ready)
        found = self.insert()
        expect(found[1:] == [90, 70, 140, 90], "the layer is %s" % found)
        outside, inside = self.changed(self.ELLIPSE)
        expect(outside == 0 and inside > 3000, "%d pixels changed outside the ellipse, %d inside" % (outside, inside))
        self.remove()

    def keeps_the_alpha(self):
        """A text layer's picture has the letters' shapes and leaves no box."""
        self.look("""
Gimp.context_set_foreground(Gegl.Color.new("rgb(0.7,0.1,0.1)"))
font = Gimp.Font.get_by_name("Sans") or Gimp.fonts_get_list(None)[0]
text = Gimp.TextLayer.new(image, "Wave", font, 90, Gimp.Unit.pixel())
image.insert_layer(text, None, 0)
text.set_offsets(60, 80)
image.set_selected_layers([text])
""")
        self.start_from("The active layer")
        self.generate("bird")
        self.insert()
        result = self.look("""
text = next(l for l in image.get_layers() if l.get_name().startswith("Wave"))
new = max(image.get_layers(), key=lambda layer: layer.get_tattoo())
found = list(text.get_offsets())[1:], list(new.get_offsets())[1:]
dx, dy = found[1][0] - found[0][0], found[1][1] - found[0][1]
wanted = pixels(text, dx, dy, new.get_width(), new.get_height())[3::4]
alpha = pixels(new, 0, 0, new.get_width(), new.get_height())[3::4]
whole = sum(1 for a in pixels(text, 0, 0, text.get_width(), text.get_height())[3::4] if a)
result = [max(abs(a - b) for a, b in zip(wanted, alpha)), whole - sum(1 for a in alpha if a), whole, len(alpha)]
image.remove_layer(new)
image.remove_layer(text)
""")
        expect(result[0] <= 1 and result[1] == 0, "alpha differs by up to %d; %d of %d pixels are missing" % tuple(result[:3]))
        expect(result[2] < result[3] * 0.8, "the text covers %d of %d pixels: it is no test" % tuple(result[2:]))

    def keeps_half_transparent_colours(self):
        """A thin wash of red stays one: white that was put below it for the model is taken out again."""
        self.look("""
wash = Gimp.Layer.new(image, "wash", 100, 100, Gimp.ImageType.RGBA_IMAGE, 100, Gimp.LayerMode.NORMAL)
image.insert_layer(wash, None, 0)
Gimp.context_set_foreground(Gegl.Color.new("rgb(1,0,0)"))
Gimp.context_set_opacity(50)
image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 400, 300)
wash.edit_fill(Gimp.FillType.FOREGROUND)
Gimp.context_set_opacity(100)
Gimp.Selection.none(image)
image.set_selected_layers([wash])
""")
        self.start_from("The active layer")
        self.set_value("Change", "slider", 0.05)
        self.generate("red")
        self.insert()
        red, green, blue, alpha = self.look("""
new = max(image.get_layers(), key=lambda layer: layer.get_tattoo())
found = pixels(new, 20, 20, 60, 60)
result = [sum(found[c::4]) / 3600 for c in range(4)]
image.remove_layer(new)
image.remove_layer(next(l for l in image.get_layers() if l.get_name() == "wash"))
""")
        print("# the wash is %.0f, %.0f, %.0f with an alpha of %.0f" % (red, green, blue, alpha))
        expect(abs(alpha - 128) <= 2, "the alpha is %.0f" % alpha)
        expect(red > 150 and green < 75 and blue < 75, "the colour is %.0f, %.0f, %.0f" % (red, green, blue))
        self.set_value("Change", "slider", 0.6)

    def refuses_an_empty_layer(self):
        self.look("""
layer = Gimp.Layer.new(image, "empty", 100, 100, Gimp.ImageType.RGBA_IMAGE, 100, Gimp.LayerMode.NORMAL)
image.insert_layer(layer, None, 0)
image.set_selected_layers([layer])
""")
        d = self.desktop
        self.start_from("The active layer")
        before = self.last_round()
        d.key("ctrl+l")
        d.key("Return")
        wait_until("the bar says that it is empty", lambda: "empty" in d.message())
        expect(self.last_round() == before, "a round was made from nothing")
        self.look("image.remove_layer(next(l for l in image.get_layers() if l.get_name() == 'empty'))")

    def start_picture(self, round):
        """Width and height of a dark disc in what a round started from, and of the whole."""
        path = os.path.join(self.desktop.data, "rounds", str(round), "start.png")
        return self.desktop.probe("""
import gi
gi.require_version("GdkPixbuf", "2.0")
from gi.repository import GdkPixbuf
picture = GdkPixbuf.Pixbuf.new_from_file(%r)
data, stride = picture.get_pixels(), picture.get_rowstride()
dark = [(x, y) for y in range(picture.get_height()) for x in range(picture.get_width())
        if sum(data[y * stride + x * 3:y * stride + x * 3 + 3]) < 200]
result = [max(x for x, y in dark) - min(x for x, y in dark) + 1, max(y for x, y in dark) - min(y for x, y in dark) + 1,
          picture.get_width(), picture.get_height()]
""" % path)

    def squashes_nothing(self):
        """A disc stays round, whatever shape the picture has."""
        self.look("""
disc = Gimp.Layer.new(image, "disc", 400, 300, Gimp.ImageType.RGB_IMAGE, 100, Gimp.LayerMode.NORMAL)
image.insert_layer(disc, None, 0)
disc.fill(Gimp.FillType.WHITE)
image.select_ellipse(Gimp.ChannelOps.REPLACE, 170, 120, 60, 60)
Gimp.context_set_foreground(Gegl.Color.new("black"))
disc.edit_fill(Gimp.FillType.FOREGROUND)
image.select_rectangle(Gimp.ChannelOps.REPLACE, 165, 115, 70, 70)
image.set_selected_layers([disc])
""")
        for start in ("The selection", "The active layer"):
            for shape in ("Portrait", "Landscape", "Square", "Like the image"):
                self.start_from(start, shape)
                round = self.generate("bird")
                width, height, full_width, full_height = self.start_picture(round)
                print("# %s, %s: a disc of %dx%d in %dx%d" % (start, shape, width, height, full_width, full_height))
                expect(abs(width - height) <= 1, "the disc is %dx%d in %s, %s" % (width, height, start, shape))
        found = self.insert()
        expect(found[1:] == [400, 300, 0, 0], "the layer is %s" % found)
        self.remove()

    def thin_selections(self):
        self.look("image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 150, 400, 1)")
        self.start_from("The selection")
        round = self.generate("bird")
        width, height, full_width, full_height = self.start_picture(round)
        expect(abs(width - height) <= 1, "the disc is %dx%d in %dx%d" % (width, height, full_width, full_height))
        expect(full_width <= 2 * full_height, "the picture is %dx%d" % (full_width, full_height))
        found = self.insert()
        expect(found[1:] == [400, 1, 0, 150], "the layer is %s" % found)
        self.remove()
        self.look("image.remove_layer(next(l for l in image.get_layers() if l.get_name() == 'disc'))\nGimp.Selection.none(image)")

    def fits_and_fills(self):
        self.start_from("Text alone", "Square")
        self.generate("bird")
        for fit, selection, wanted in [("As large as fits", None, [300, 300, 50, 0]),
                                       ("Filling it, cut off", None, [400, 300, 0, 0]),
                                       ("At its own size", None, [64, 64, 168, 118]),
                                       ("As large as fits", (20, 30, 200, 80), [80, 80, 80, 30]),
                                       ("Filling it, cut off", (20, 30, 200, 80), [200, 80, 20, 30])]:
            self.desktop.focus("Penchant")
            self.choose("Insert it", fit)
            if selection:
                self.look("image.select_rectangle(Gimp.ChannelOps.REPLACE, %d, %d, %d, %d)" % selection)
            found = self.insert()
            expect(found[1:] == wanted, "“%s” on %s: the layer is %s and not %s" % (fit, selection, found[1:], wanted))
            self.remove()
        # A round selection is filled as one.
        self.look("image.select_ellipse(Gimp.ChannelOps.REPLACE, 140, 90, 90, 70)")
        self.insert()
        outside, inside = self.changed(self.ELLIPSE)
        expect(outside == 0 and inside > 3000, "%d pixels changed outside the ellipse, %d inside" % (outside, inside))
        self.remove()

    def softens_and_grows(self):
        self.look("image.select_rectangle(Gimp.ChannelOps.REPLACE, 100, 100, 80, 80)")
        self.start_from("The selection")
        self.set_value("Grow by", "spin button", 10)
        self.set_value("Soft edge", "spin button", 8)
        self.generate("bird")
        found = self.insert()
        expect(found[1:] == [100, 100, 90, 90], "the layer is %s" % found)
        row = self.look("""
new = max(image.get_layers(), key=lambda layer: layer.get_tattoo())
result = list(pixels(new, 0, 50, 100, 1)[3::4])
""")
        print("# alpha from the edge inwards: %s" % row[:12])
        expect(all(a <= b for a, b in zip(row[:12], row[1:12])) and row[0] < 30 and row[9] == 255 and 100 < row[4] < 160,
               "alpha from the edge inwards: %s" % row[:12])
        self.remove()
        self.set_value("Grow by", "spin button", 0)
        self.set_value("Soft edge", "spin button", 0)
        self.look("Gimp.Selection.none(image)")

    def shows_it_in_place(self):
        """The picture is seen in the image, and the image does not have it."""
        d = self.desktop
        self.look("image.select_rectangle(Gimp.ChannelOps.REPLACE, 100, 100, 80, 80)")
        d.focus("Penchant")
        layers = self.look("result = len(image.get_layers())")
        d.click(d.find("In Place"))
        area = d.find("The picture at its place")
        time.sleep(2)
        box = area.queryComponent().getExtents(0)
        where = box.x, box.y, box.width, box.height
        after = d.colours(*where)
        d.shot(os.path.join(d.folder, "in-place.png"))
        d.press("Before")  # a message may lie over it
        time.sleep(1)
        before = d.colours(*where)
        d.shot(os.path.join(d.folder, "in-place-before.png"))
        print("# %d colours with the picture, %d without" % (after, before))
        expect(after > before + 200, "%d colours with the picture, %d without" % (after, before))
        expect(self.look("result = len(image.get_layers())") == layers, "the image has another layer")
        d.press("Before")
        # The same by keys, which the click has brought here.
        for wanted in (True, False):
            d.key("space")
            wait_until("Space changes to before and back", lambda: d.is_checked(d.find("Before")) == wanted)
        for key, number in (("Right", 2), ("Right", 1), ("Left", 2)):
            d.key(key)
            d.find("Insert no. %d as Layer" % number, "button")
        d.key("1")
        d.find("Insert no. 1 as Layer", "button")
        d.find("The picture at its place")
        d.key("Escape")
        wait_until("the cards are back", lambda: d.look("Candidate 1"))
        wait_until("and it is voted for", lambda: self.card(1).description == "Best")
        self.look("Gimp.Selection.none(image)")

    def removes_what_it_inserted(self):
        d = self.desktop
        self.insert()
        label = self.look("result = '%s-%d' % (image.get_name(), image.get_id())")
        wait_until("the bar says which image", lambda: any(label in item.name for item in d.walk() if d.visible(item)))
        d.shot(os.path.join(d.folder, "inserted.png"))
        before = self.look("result = len(image.get_layers())")
        d.click(d.find("Remove"))
        wait_until("the layer is gone", lambda: self.look("result = len(image.get_layers())") == before - 1)
        # A step of its own: undone, the layer is back.
        d.focus(".*GIMP.*")
        d.key("ctrl+z")
        wait_until("undo brings it back", lambda: self.look("result = len(image.get_layers())") == before)
        self.remove()

    def refines(self):
        d = self.desktop
        self.start_from("Text alone", "Square")
        self.choose("Insert it", "At its own size")
        self.generate("bird")
        found = self.insert()
        expect(found[1:3] == [64, 64], "the layer is %s" % found)
        before = self.look("result = len(image.get_layers())")
        d.click(d.find("Refine 2×"))
        wait_until("the finer layer is there", lambda: self.look("result = len(image.get_layers())") == before + 1, 240, 1)
        sizes = self.look("""
fine, coarse = sorted(image.get_layers(), key=lambda layer: -layer.get_tattoo())[:2]
result = [fine.get_width(), fine.get_height(), fine.get_visible(), coarse.get_visible()]
""")
        expect(sizes == [128, 128, True, False], "size, and what is seen: %s" % sizes)
        d.shot(os.path.join(d.folder, "refined.png"))
        self.remove()
        self.remove()

    FINE_AND_COARSE = "fine, coarse = sorted(image.get_layers(), key=lambda layer: -layer.get_tattoo())[:2]\n"

    def refines_to_the_region(self):
        """Where the picture has fewer pixels than it covers, as many as that."""
        d = self.desktop
        self.choose("Insert it", "As large as fits")
        self.look("image.select_rectangle(Gimp.ChannelOps.REPLACE, 100, 100, 96, 96)")
        found = self.insert()
        self.look("Gimp.Selection.none(image)")
        expect(found[1:] == [96, 96, 100, 100], "the layer is %s" % found)
        d.click(d.find("Refine to 96 × 96", "button"))
        wait_until("the coarse one is hidden", lambda: not self.look(self.FINE_AND_COARSE + "result = coarse.get_visible()"), 240)
        found = self.look(self.FINE_AND_COARSE + "result = [fine.get_width(), fine.get_height()] + list(fine.get_offsets())[1:]")
        expect(found == [96, 96, 100, 100], "the finer layer is %s" % found)
        expect(not d.look("Refine to 96 × 96"), "there is more to refine to")
        self.remove()
        self.remove()

    def refine_moved(self, move):
        """Inserts, moves the layer as the code says, refines; where both lie then, and how far their alphas differ in the mean."""
        d = self.desktop
        d.press("Close")  # the bar is still about what was inserted before
        wait_until("the bar is gone", lambda: not d.look("Refine 2×"))
        self.insert()
        before = self.look("coarse = max(image.get_layers(), key=lambda layer: layer.get_tattoo())\n" + move +
                           "\nGimp.displays_flush()\nresult = len(image.get_layers())")
        d.click(d.find("Refine 2×"))
        wait_until("the finer layer is there", lambda: self.look("result = len(image.get_layers())") == before + 1, 240, 1)
        wait_until("the coarse one is hidden", lambda: not self.look(self.FINE_AND_COARSE + "result = coarse.get_visible()"))
        found = self.look(self.FINE_AND_COARSE + """
boxes = [[layer.get_width(), layer.get_height()] + list(layer.get_offsets())[1:] for layer in (fine, coarse)]
alphas = [pixels(layer, 0, 0, layer.get_width(), layer.get_height())[3::4] for layer in (fine, coarse)]
same = boxes[0] == boxes[1]
apart = [abs(a - b) for a, b in zip(*alphas)]
result = boxes + [sum(apart) / len(apart) if same else 255]
""")
        self.remove()
        self.remove()
        return found

    def refines_where_the_layer_is(self):
        """She has moved the layer, or made it larger: the finer picture lies over it."""
        self.choose("Insert it", "At its own size")
        fine, coarse, _ = self.refine_moved("coarse.set_offsets(20, 30)")
        expect(fine == [128, 128, -12, -2] and coarse == [64, 64, 20, 30], "moved, at its own size: %s over %s" % (fine, coarse))
        self.choose("Insert it", "As large as fits")
        for move in ("coarse.set_offsets(90, -20)", "coarse.scale(150, 150, False)\ncoarse.set_offsets(10, 40)"):
            fine, coarse, apart = self.refine_moved(move)
            expect(fine == coarse and apart == 0, "after %r the finer picture is %s over %s" % (move, fine, coarse))
        # Cut, it is not smaller: the place stays.
        fine, coarse, _ = self.refine_moved("coarse.resize(100, 200, -10, -10)")
        expect(fine == [300, 300, 50, 0], "after a cut the finer picture is %s over %s" % (fine, coarse))
        # With a mask.
        self.look("image.select_ellipse(Gimp.ChannelOps.REPLACE, 140, 90, 90, 70)")
        self.start_from("The selection")
        self.generate("bird")
        self.look("Gimp.Selection.none(image)")
        for move, most in (("coarse.set_offsets(30, 120)", 0), ("coarse.scale(180, 140, False)", 2)):
            fine, coarse, apart = self.refine_moved(move)
            print("# %s: %s over %s, alpha differs by %.1f" % (move, fine, coarse, apart))
            expect(fine == coarse and apart <= most, "after %r the finer picture is %s over %s, alpha differs by %.1f"
                   % (move, fine, coarse, apart))


run(Work, lambda build, folder: Desktop(build, folder, size="1280x900"), SETTINGS)
