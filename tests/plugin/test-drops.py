#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are dragged onto the window, past rounds that are thrown away, and what the window says of its model,
with the mouse and the keyboard as an artist has them; prints TAP.

test-drops.py BUILD FOLDER [STEP...]
"""

import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import time
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from desktop import HERE, ROOT, Desktop, wait_until  # noqa: E402
from session import ROUND_SECONDS, Session, expect, run  # noqa: E402
import ldm_file  # noqa: E402

SETTINGS = "[penchant]\ncount=2\nsteps=3\n"
GOLDEN = pathlib.Path(ROOT) / "tests" / "data" / "golden"
COMFY = "ComfyUI/models/checkpoints/mine.safetensors"


def write_with_text(picture, path, text):
    """A copy of a PNG that says this in place of what it said."""
    subprocess.run(["convert", picture, "-strip", path], check=True)
    with open(path, "rb") as file:
        content = file.read()
    body = b"tEXtparameters\0" + text
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    with open(path, "wb") as file:
        file.write(content[:33] + chunk + content[33:])  # behind IHDR


class Drops(Session):
    steps = """says_what_the_model_knows counts_words throws_rounds_away makes_more_like takes_settings
        starts_from_a_picture adds_an_adapter chooses_a_model asks_what_it_predicts names_what_it_cannot_use
        takes_a_pack stands_in_one_column""".split()

    # ------------------------------------------------------------------ helpers

    def settings(self):
        with open(os.path.join(self.desktop.profile, "penchant.ini")) as file:
            return dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)

    def expect_settings(self, what, **wanted):
        """They are saved soon after a change."""
        def look():
            now = self.settings()
            return all(wish(now.get(key, "")) if callable(wish) else now.get(key) == wish
                       for key, wish in ((k.replace("_", "-"), v) for k, v in wanted.items()))
        wait_until("%s; the settings are %s" % (what, self.settings()), look)

    def label(self, start):
        return next((item.name for item in self.desktop.walk()
                     if item.getRoleName() == "label" and item.name.startswith(start) and self.desktop.visible(item)), None)

    def said(self, name):
        """The text of a label that has a name of its own, or ""."""
        label = self.desktop.look(name)
        return label.queryText().getText(0, -1) if label else ""

    def past(self, prompt):
        return [item for item in self.desktop.walk() if item.getRoleName() == "button"
                and item.name.startswith(prompt + "\n")]

    def drop(self, path, widget):
        """Drags a file out of a file manager's window onto a widget of ours."""
        d = self.desktop
        if not getattr(self, "source", None):
            self.source = subprocess.Popen([sys.executable, os.path.join(HERE, "drag-source.py")], env=d.env,
                                           stdin=subprocess.PIPE, text=True, start_new_session=True)
            d.processes.append(self.source)
        self.source.stdin.write(str(path) + "\n")
        self.source.stdin.flush()
        d.window("drag " + re.escape(str(path)))
        box = widget.queryComponent().getExtents(0)
        x, y = box.x + box.width // 2, box.y + box.height // 2
        d.xdotool("mousemove", "20", "20", "mousedown", "1")
        for step in range(1, 11):
            d.xdotool("mousemove", str(20 + (x - 20) * step // 10), str(20 + (y - 20) * step // 10))
            time.sleep(0.05)
        time.sleep(0.5)
        d.xdotool("mouseup", "1")

    def pictures(self):
        return self.desktop.find("Candidate 1")

    def prompt(self):
        return self.desktop.find("Prompt", "text")

    # ------------------------------------------------------------------ the model and its words

    def says_what_the_model_knows(self):
        d = self.desktop
        self.show_sheets((200, 200))
        d.open_penchant()
        d.click(d.find("A small model: see its words", "button", 60))
        text = wait_until("it lists them", lambda: self.label("This is a small model"))
        expect("balloon" in text and "sepia" in text and "SDXL" in text, text)
        d.key("Escape")

    def counts_words(self):
        d = self.desktop
        d.key("ctrl+l", "ctrl+a")
        d.type("a pastel cat")
        wait_until("three of the fourteen that fit", lambda: self.said("Words of the prompt") == "3 of 14")
        d.type(" cat cat cat cat cat cat cat cat cat cat cat cat")
        wait_until("fifteen take two parts",
                   lambda: self.said("Words of the prompt") == "15 of 28")

    # ------------------------------------------------------------------ past rounds

    def throws_rounds_away(self):
        d = self.desktop
        first = self.generate("cat")
        self.click_star(1)
        wait_until("the vote is stored", lambda: self.valid_ranks(first))
        second = self.generate("house")
        d.click(self.past("house")[0], button=3)
        time.sleep(0.5)
        d.key("Up", "Return")  # Delete
        wait_until("it is out of sight", lambda: not self.past("house") and self.past("cat"))
        d.find("Round %d" % first, "label")
        d.press("Bring It Back", "button")
        wait_until("it is back", lambda: self.past("house"))
        expect(self.sql("SELECT deleted FROM rounds WHERE id = %d" % second) == [(None,)], "the store has it deleted")
        # By the keyboard, the one that is voted on and shown.
        self.past("cat")[0].queryComponent().grabFocus()
        d.key("Delete")
        wait_until("it is out of sight", lambda: not self.past("cat"))
        expect(not self.valid_ranks(first), "its vote still counts")
        expect(os.path.exists("%s/rounds/%d/0.png" % (d.data, first)), "its pictures are gone at once")
        expect("cat" not in d.command("history"), "the command line still lists it")
        d.find("Round %d" % second, "label")

    def makes_more_like(self):
        d = self.desktop
        before = self.last_round()
        d.click(self.past("house")[0], button=3)
        time.sleep(0.5)
        d.key("Down", "Down", "Down", "Return")  # More Like This
        wait_until("a round of its kind", lambda: self.last_round() > before, 60)
        wait_until("it is finished", self.is_ready, ROUND_SECONDS, 0.5)
        expect(self.sql("SELECT origin FROM rounds ORDER BY id DESC LIMIT 1")[0][0], "it has no origin")

    # ------------------------------------------------------------------ drops

    def takes_settings(self):
        """From Penchant's own picture, onto the pictures; and from another program's, onto the prompt."""
        d = self.desktop
        folder = os.path.join(d.folder, "made")
        d.command("generate", "--prompt", "a (neon:1.2) fish", "--negative", "dull", "--count", "1", "--steps", "4",
                  "--sampler", "Euler", "--guidance", "2.5", "--seed", "77", "--out", folder)
        (made,) = (os.path.join(folder, name) for name in os.listdir(folder))
        self.drop(made, self.pictures())
        wait_until("its prompt is there", lambda: d.text(self.prompt()) == "a (neon:1.2) fish")
        self.expect_settings("all of it is", seed="77", fixed_seed="true", steps="4", sampler="euler", negative_prompt="dull",
                             guidance=lambda text: float(text) == 2.5)
        other = os.path.join(d.folder, "other.png")
        write_with_text(made, other,
                        b"red hat\nSteps: 6, Sampler: DDIM, CFG scale: 3, Seed: 5, Size: 64x64, Model: nowhere")
        self.drop(other, self.prompt())
        wait_until("its prompt is there", lambda: d.text(self.prompt()) == "red hat")
        self.expect_settings("and its numbers", seed="5", steps="6", sampler="ddim")
        wait_until("what is missing is named", lambda: "nowhere" in d.message())

    def starts_from_a_picture(self):
        d = self.desktop
        plain = os.path.join(d.folder, "plain.jpg")
        subprocess.run(["convert", "-size", "96x64", "xc:#3070b0", plain], check=True)
        before = d.probe("result = len(Gimp.get_images())")
        self.drop(plain, self.pictures())
        d.press("Start From It", "button")
        wait_until("GIMP has it", lambda: d.probe("result = len(Gimp.get_images())") == before + 1, 30)
        d.focus("Penchant")
        wait_until("it is the image", lambda: self.chosen("Image") == "[Untitled]-2")
        wait_until("and what rounds start from", lambda: self.chosen("Start from") == "The active layer")
        self.generate("boat")
        expect(self.sql("SELECT start FROM rounds ORDER BY id DESC LIMIT 1") == [("picture",)],
               "the round did not start from it")
        self.choose("Start from", "Text alone")

    def adds_an_adapter(self):
        d = self.desktop
        path = self.write_adapter("dropped", 4)
        shutil.move(path, path + ".bin")  # its name says nothing
        self.drop(path + ".bin", self.prompt())
        self.expect_settings("it is added", extras=lambda text: "dropped" in text)
        expect("dropped" not in d.text(self.prompt()), "its name was written into the prompt")
        self.drop(path + ".bin", self.pictures())
        wait_until("once is enough", lambda: "in the list already" in d.message())
        d.key("ctrl+l")

    def chooses_a_model(self):
        d = self.desktop
        # What another program has is offered, with what it takes.
        expect(any(re.match(r"mine \(ComfyUI, [\d.]+.(kB|MB)\)", entry) for entry in self.entries("Model")),
               "the models are %s" % self.entries("Model"))
        self.file = os.path.join(d.folder, "Weights")
        shutil.copy(os.path.join(d.folder, COMFY), self.file)
        self.drop(self.file, self.pictures())
        if "dropped" in self.settings()["extras"]:
            # The adapter is for another kind of model, which the bar says and can end.
            wait_until("the adapter is named", lambda: "dropped" in d.message())
            wait_until("the model is the last good one", lambda: self.chosen("Model") == "Starter model")
            d.press("Do Without It", "button")
            self.expect_settings("it is left out", extras=lambda text: "dropped" not in text)
            self.drop(self.file, self.pictures())
        self.expect_settings("it is the model", model=self.file)
        wait_until("the chooser has it", lambda: self.chosen("Model") == "Weights")
        wait_until("its words are counted", lambda: self.said("Words of the prompt").endswith("of 75"))
        expect(not self.desktop.look("A small model: see its words"), "it is said to know few words")
        # The same by the dialog, which takes a single file as well.
        self.choose("Model", "Starter model")
        self.expect_settings("it is the starter model", model="")
        self.choose("Model", "Choose a model…")
        self.answer_file_dialog("Choose a Model", self.file, False)
        self.expect_settings("it is the model again", model=self.file)
        d.focus("Penchant")

    def asks_what_it_predicts(self):
        d = self.desktop
        d.key("alt+o")
        self.desktop.find("The model predicts")
        said = wait_until("what was assumed is said", lambda: self.said("About the model's files"))
        expect("“v” is assumed" in said, said)
        self.choose("The model predicts", "Noise (epsilon)")
        self.expect_settings("it is kept", extras=lambda text: "epsilon" in text)
        wait_until("nothing is assumed any more", lambda: not self.said("About the model's files"))
        self.choose("Model", "Starter model")
        self.expect_settings("another model's file says it itself", extras=lambda text: "epsilon" not in text)
        d.key("alt+o")

    def names_what_it_cannot_use(self):
        d = self.desktop
        path = os.path.join(d.folder, "weights.safetensors")
        with open(path, "w") as file:
            file.write("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
        def chosen():
            return [self.settings()[key] for key in ("prompt", "model", "extras", "style", "from")]
        before = chosen()
        self.drop(path, self.pictures())
        wait_until("it is named", lambda: "Git LFS" in d.message())
        empty = os.path.join(d.folder, "nothing")
        os.mkdir(empty)
        self.drop(empty, self.pictures())
        wait_until("a folder, too", lambda: "holds no model" in d.message())
        expect(chosen() == before, "the settings are %s, not %s" % (chosen(), before))

    # ------------------------------------------------------------------ rounds of others

    def takes_a_pack(self):
        d = self.desktop
        pack, votes = os.path.join(d.folder, "harbour.tar"), os.path.join(d.folder, "votes.tar")
        def elsewhere(*words):
            d.command(*words, data=os.path.join(d.folder, "elsewhere"))
        elsewhere("generate", "--prompt", "a harbour", "--count", "2", "--steps", "2")
        elsewhere("store", "export", "--light", pack)
        # Also on a field whose text is selected.
        d.key("ctrl+l")
        self.drop(pack, self.prompt())
        wait_until("it is told", lambda: "1 round of “harbour.tar”" in d.message())
        wait_until("it is among the earlier rounds", lambda: self.past("a harbour"))
        number = self.sql("SELECT MAX(id) FROM rounds")[0][0]
        d.click(self.past("a harbour")[0])
        d.find("Round %d" % number, "label")
        self.click_star(1)
        wait_until("the vote is stored", lambda: self.valid_ranks(number))
        self.drop(pack, self.pictures())
        d.press("Save My Votes…", "button")
        self.answer_file_dialog("Save the Votes", votes, True)
        wait_until("the votes are a file", lambda: os.path.exists(votes))
        wait_until("that is told", lambda: "1 vote is in" in d.message())
        elsewhere("store", "merge", votes)
        expect(self.sql("SELECT COUNT(*) FROM rounds")[0][0] == number, "the round is there twice")
        # Another archive is none.
        with open(pack, "r+b") as file:
            file.truncate(3000)
        self.drop(pack, self.pictures())
        wait_until("it is named", lambda: "harbour.tar" in d.message() and "copied" in d.message())

    # ------------------------------------------------------------------ one column

    def stands_in_one_column(self):
        d = self.desktop
        def boxes():
            return [item.queryComponent().getExtents(0) for item in (self.prompt(), self.pictures())]
        prompt, pictures = boxes()
        expect(pictures.x > prompt.x + prompt.width, "the pictures are not beside the prompt")
        window = d.window("Penchant")
        d.xdotool("windowsize", window, "480", "800")
        def stacked():
            prompt, pictures = boxes()
            return pictures.y > prompt.y + prompt.height and pictures.x < prompt.x + prompt.width
        wait_until("the pictures are below the prompt", stacked)
        # In a low window all can be reached that stands in the panel, and Teach is in sight.
        d.xdotool("windowsize", window, "700", "500")
        wait_until("they are beside it again", lambda: not stacked())
        for name in ("Prompt", "Size", "More settings", "Generate"):
            d.find(name)
        expect(d.look("Teach", "button"), "Teach is out of sight")
        d.key("ctrl+l")
        wait_until("the prompt is in sight", lambda: d.look("Prompt", "text"))
        d.xdotool("windowsize", window, "1040", "760")
        wait_until("they are beside it again", lambda: not stacked())
        # The handle between them is dragged.
        panel, search = (d.find(name).queryComponent() for name in ("Generate", "Words of earlier prompts"))
        width, box = panel.getExtents(0).width, search.getExtents(0)
        x, y = box.x - 12, box.y - 300
        d.xdotool("mousemove", str(x), str(y), "mousedown", "1")
        for step in range(1, 5):
            d.xdotool("mousemove", str(x + 20 * step), str(y))
            time.sleep(0.1)
        d.xdotool("mouseup", "1")
        wait_until("the panel is wider", lambda: panel.getExtents(0).width > width + 40)
        self.expect_settings("and stays so", panel=lambda text: int(text) > width)


def make_desktop(build, folder):
    desktop = Desktop(build, folder, plug_ins=["file-jpeg"])
    path = os.path.join(desktop.folder, COMFY)
    os.makedirs(os.path.dirname(path))
    ldm_file.write(path, ldm_file.checkpoint(GOLDEN / "sd2" / "model"))
    return desktop


run(Drops, make_desktop, SETTINGS)
