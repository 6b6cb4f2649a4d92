# SPDX-License-Identifier: GPL-3.0-or-later
"""A session of work in the plug-in's window, as steps that build on each other: what a step leaves is
what the next one starts from. A program subclasses Session and calls run()."""

import os
import re
import sqlite3
import subprocess
import sys
import time
import traceback

from desktop import ROOT, Failure, enter_session, wait_until

sys.path.append(os.path.join(ROOT, "tests", "tools"))
import ldm_file  # noqa: E402

ROUND_SECONDS = 240
TEACH_SECONDS = 600


def expect(condition, complaint):
    if not condition:
        raise Failure(complaint)


class Session:
    steps = []

    def __init__(self, desktop):
        self.desktop = desktop

    # ------------------------------------------------------------------ helpers

    def sql(self, query):
        with sqlite3.connect("file:%s/penchant.db?mode=ro" % self.desktop.data, uri=True) as database:
            return database.execute(query).fetchall()

    def is_open(self):
        """The studio is: its store has its tables."""
        try:
            return bool(self.sql("SELECT COUNT(*) FROM valid_picks"))
        except sqlite3.OperationalError:
            return False

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

    def can_use(self, name):
        widget = self.desktop.look(name)
        return widget and self.desktop.is_sensitive(widget)

    def click_star(self, number):
        """Votes with the mouse: the star is in the picture's corner."""
        box = self.card(number).queryComponent().getExtents(0)
        self.desktop.xdotool("mousemove", str(box.x + 28), str(box.y + 28), "click", "1")

    def insert(self):
        """Whatever the button names."""
        def look():
            for item in self.desktop.walk():
                if re.match(r"Insert (no\. \d+ )?as Layer$", item.name) and item.getRoleName() == "button" \
                        and self.desktop.is_sensitive(item):
                    return item
            return None
        wait_until("something can be inserted", look).queryAction().doAction(0)

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
        wait_until("the round is recorded", lambda: (self.last_round() or 0) > before, ROUND_SECONDS)
        wait_until("the candidates are finished", self.is_ready, ROUND_SECONDS, 0.5)
        return self.last_round()

    def show_sheets(self, *sizes):
        """White images, each with a window of its own."""
        self.desktop.probe("""
for width, height in %r:
    image = Gimp.Image.new(width, height, Gimp.ImageBaseType.RGB)
    layer = Gimp.Layer.new(image, "paper", width, height, Gimp.ImageType.RGB_IMAGE, 100, Gimp.LayerMode.NORMAL)
    image.insert_layer(layer, None, 0)
    layer.fill(Gimp.FillType.WHITE)
    Gimp.Display.new(image)
""" % (sizes,))
        time.sleep(1)

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

    def choose_by_hand(self, combo, item):
        """The same with mouse and keyboard."""
        d, entries = self.desktop, self.entries(combo)
        box = d.find(combo, "combo box")
        d.bring(box)
        d.click(box)
        wait_until("its entries are seen", lambda: d.visible(box[0][0]))
        d.key("Home", *["Down"] * entries.index(item), "Return")
        wait_until("“%s” is chosen" % item, lambda: self.chosen(combo) == item)

    def chosen(self, combo):
        """The entry that a chooser shows."""
        menu = self.desktop.find(combo, "combo box")
        for i in range(menu[0].childCount):
            if menu.querySelection().isChildSelected(i):
                return menu[0][i].name
        return ""

    def entries(self, combo):
        menu = self.desktop.find(combo, "combo box")[0]
        return [menu[i].name for i in range(menu.childCount)]

    def set_value(self, name, role, value):
        self.desktop.find(name, role).queryValue().currentValue = value

    def set_text(self, name, text):
        self.desktop.find(name, "text").queryEditableText().setTextContents(text)

    def write_adapter(self, name, seed):
        """An adapter of another trainer for the starter model."""
        path = os.path.join(self.desktop.folder, name + ".safetensors")
        ldm_file.write_kohya(path, [("lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q", 128, 128, 4, 4)], seed)
        return path

    def add_adapter(self, path, title="Add an Adapter (LoRA)"):
        self.desktop.focus("Penchant")
        self.desktop.find(title).queryAction().doAction(0)
        self.answer_file_dialog(title, path, False)

    def answer_file_dialog(self, title, path, saving):
        """Types a path into GTK's file chooser and agrees."""
        d = self.desktop
        title = title.replace("(", "\\(").replace(")", "\\)")  # xdotool takes a pattern
        d.focus(title)
        if not saving:
            d.key("ctrl+l")
        # Its name is in the language of GTK.
        entry = wait_until("a path can be written", d.focused_text)
        entry.queryEditableText().setTextContents(path)
        wait_until("the path is there", lambda: d.text(entry) == path)
        # GTK takes Enter only once it has looked the folder up.
        def agree():
            if d.has_window(title):
                d.key("Return")
            return not d.has_window(title)
        wait_until("the dialog is gone", agree, pause=0.7)

    def layers(self):
        return self.desktop.probe("""
image = Gimp.get_images()[0]
result = [[l.get_name(), l.get_width(), l.get_height()] + list(l.get_offsets())[1:] for l in image.get_layers()]
""")

    def stalls(self, since, gimp=True):
        """How long input had to wait since then, in milliseconds, without what other programs took; with `gimp` False
        also without what GIMP took to answer."""
        if not os.path.exists(self.desktop.env["PENCHANT_STALLS"]):
            return []
        with open(self.desktop.env["PENCHANT_STALLS"]) as file:
            lines = [[float(word) for word in line.split()] for line in file]
        return sorted(lasted - waited - (0 if gimp else answer) for end, lasted, waited, answer in lines if end > since)

    def complaints(self):
        """What GTK and GLib had to say about the plug-in."""
        with open(os.path.join(self.desktop.folder, "gimp.log"), errors="replace") as file:
            return [line.rstrip() for line in file
                    if re.match(r"\(penchant:\d+\): .*-(CRITICAL|WARNING)", line)
                    and "gimp_flush(): error: Broken pipe" not in line]  # GIMP quit first, as it may


def run(session_class, make_desktop, settings):
    """PROGRAM BUILD FOLDER [STEP...]; prints TAP and exits."""
    enter_session()
    build, folder = sys.argv[1:3]
    wanted = sys.argv[3:]
    desktop = make_desktop(build, folder)
    os.makedirs(desktop.profile)
    with open(os.path.join(desktop.profile, "penchant.ini"), "w") as file:
        file.write(settings)
    failed = 0
    with desktop:
        session = session_class(desktop)
        steps = [name for name in session.steps if not wanted or name in wanted]
        print("1..%d" % (len(steps) + 1), flush=True)
        for number, step in enumerate(steps, 1):
            name = step.replace("_", " ")
            start = time.monotonic()
            try:
                getattr(session, step)()
                print("ok %d - %s" % (number, name))
            except Exception as problem:
                failed += 1
                print("not ok %d - %s" % (number, name))
                for line in (str(problem) if isinstance(problem, Failure) else traceback.format_exc()).splitlines():
                    print("# " + line)
                desktop.shot(os.path.join(folder, "failed-%02d.png" % number))
            print("# %.1f s" % (time.monotonic() - start), flush=True)
        complaints = session.complaints()
    failed += bool(complaints)
    print("%sok %d - GTK has nothing to complain about" % ("not " if complaints else "", len(steps) + 1))
    for line in complaints[:20]:
        print("# " + line)
    sys.exit(1 if failed else 0)
