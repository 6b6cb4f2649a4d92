#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes pictures of the window in each of its states, to be looked at; ./dev shots calls it.

shots.py BUILD FOLDER [LOOK...]: LOOK is one of LOOKS, or “tour”; without one, all LOOKS. The first look makes and
teaches a style, which takes some minutes; the others start from a copy of what it left, kept in FOLDER/work/made.
“tour” makes the pictures of docs/ again.
"""

import gettext
import os
import pathlib
import shutil
import subprocess
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from artist import LANDSCAPE, STYLE, Artist  # noqa: E402
from desktop import ROOT, Desktop, enter_session, wait_until  # noqa: E402
from session import ROUND_SECONDS, TEACH_SECONDS, Session  # noqa: E402
import ldm_file  # noqa: E402

SETTINGS = "[penchant]\nprompt=%s\ncount=4\nsteps=24\nshape=1\n%s\nstyle=%d\nadvanced=false\n"
USUAL = "width=1040\nheight=760"
SMALL = "width=700\nheight=500"
FULL = "maximized=true"

LOOKS = {
    "dark": dict(gimprc=['(theme-color-scheme dark)']),
    "light": dict(gimprc=['(theme-color-scheme light)']),
    "german": dict(language="de_DE", gimprc=['(theme-color-scheme light)']),
    "french": dict(language="fr_FR"),
    "japanese": dict(language="ja_JP"),
    "chinese": dict(language="zh_CN", gimprc=['(theme-color-scheme light)']),
    "large": dict(gimprc=['(font-relative-size 1.6)']),
    "small": dict(language="de_DE", window=SMALL),
    "wide": dict(window=FULL, size="1920x1080"),
    "hidpi": dict(env={"GDK_SCALE": "2"}, size="2560x1800"),
}

# Where the end of a lesson, which takes minutes, is waited for.
WAITING = ("dark", "large", "small")

# What the style is made from.
PROMPTS = ["balloon", "house", "flower", "boat", "tree", "hat"]


def take(desktop, path, title="Penchant"):
    """A window, or with None the screen. After two pictures in a row were the same: nothing moves any more. What
    always moves is not waited for."""
    window, before = title and desktop.window(title), None
    for _ in range(6):
        time.sleep(0.3)
        desktop.shot(path, window)
        with open(path, "rb") as file:
            now = file.read()
        if now == before:
            break
        before = now
    print(os.path.basename(path), flush=True)


class Photographer(Session):
    states = """first_window round votes larger menu words in_place inserted more_settings fast adapter_missing
        predicts models teaching lesson compare styles recipe help shortcuts history message""".split()

    def __init__(self, desktop, folder, look, language):
        super().__init__(desktop)
        self.folder, self.look = folder, look
        # Which texts the window shows, to find its widgets by.
        self.translation = gettext.translation("penchant", os.path.join(desktop.build, "po"),
                                               [language.split("_")[0], language], fallback=True)

    # ------------------------------------------------------------------ helpers

    def say(self, text):
        return self.translation.gettext(text).replace("_", "")

    def shot(self, name, title="Penchant"):
        take(self.desktop, os.path.join(self.folder, "%s-%s.png" % (self.look, name)), title)

    def rounds(self):
        return self.sql("SELECT COUNT(*) FROM rounds WHERE state = 'complete'")[0][0]

    def open(self):
        d = self.desktop
        d.open_penchant()
        d.find(self.say("Prompt"), "text", 30)
        wait_until("the studio is open", self.is_open)
        d.xdotool("mousemove", "2", "2")  # out of the way of the pictures
        wait_until("the bar speaks", lambda: d.message(), 60)  # of the software's speed

    def silence(self):
        close = self.desktop.look(self.say("Close the message"))
        if close:
            close.queryAction().doAction(0)

    def write_prompt(self, prompt):
        d = self.desktop
        d.focus("Penchant")
        d.key("ctrl+l", "ctrl+a")
        d.type(prompt)

    def make(self, prompt):
        before = self.rounds()
        self.write_prompt(prompt)
        self.desktop.key("Return")
        wait_until("the round is finished", lambda: self.rounds() > before, ROUND_SECONDS)
        time.sleep(0.5)

    def pick(self, *keys):
        for key in keys:
            before = self.sql("SELECT COUNT(*) FROM picks")[0][0]
            self.desktop.key(key)
            wait_until("the pick is stored", lambda: self.sql("SELECT COUNT(*) FROM picks")[0][0] > before)

    warmest = Artist.warmest

    def wait_for_lesson(self):
        wait_until("the picture is drawn", lambda: self.desktop.look(self.say("The same picture before and after:")),
                   TEACH_SECONDS, 1)

    def unfold(self, name, role=None):
        widget = self.desktop.find(self.say(name), role)
        if not self.desktop.is_expanded(widget):
            widget.queryAction().doAction(0)
            time.sleep(0.5)

    def fold(self):
        self.desktop.press(self.say("M_ore settings"))
        time.sleep(0.5)

    def page(self, number):
        self.desktop.focus("Penchant")
        self.desktop.key("alt+%d" % number)

    # ------------------------------------------------------------------ the style that all looks show

    def make_style(self):
        for prompt in PROMPTS:
            self.make(prompt)
            self.pick(str(self.warmest()))
        d = self.desktop
        d.press(self.say("T_each"))
        d.focus(self.say("A Style of Your Own"))
        self.set_text(self.say("_Name of the style"), STYLE)
        d.key("Return")
        self.wait_for_lesson()
        d.press(self.say("_Keep"))

    def close_and_copy(self, made):
        d = self.desktop
        d.focus("Penchant")
        d.key("ctrl+w")
        wait_until("the plug-in ends", lambda: self.pid() is None)
        shutil.rmtree(made, ignore_errors=True)
        shutil.copytree(d.data, made)

    # ------------------------------------------------------------------ states of the window

    def first_window(self):
        d = self.desktop
        d.probe(LANDSCAPE)
        self.open()
        self.shot("empty")
        d.focus("Penchant")
        d.key("ctrl+w")
        wait_until("the plug-in ends", lambda: self.pid() is None)
        shutil.rmtree(d.data)
        shutil.copytree(self.made, d.data)
        write_settings(d, "house", 1, self.window)
        self.open()
        self.silence()
        wait_until("the round is shown", lambda: d.look(self.say("Round %s") % self.last_round()))
        self.shot("reopened")

    def round(self):
        """One that is being made, with two more in line, and one that is finished."""
        d = self.desktop
        self.unfold("M_ore settings")
        self.set_value(self.say("Step_s"), "spin button", 150)
        self.fold()
        started = self.last_round()
        self.write_prompt("bird")
        d.key("Return")
        wait_until("the round is begun", lambda: self.last_round() != started, ROUND_SECONDS, 0.02)
        self.unfold("M_ore settings")
        self.set_value(self.say("Step_s"), "spin button", 24)
        self.fold()
        for prompt in ("yellow bird", "bird in a tree"):
            self.write_prompt(prompt)
            d.key("Return")
            d.find(self.say("Next: %s") % prompt, "label")
        d.shot(os.path.join(self.folder, "%s-line.png" % self.look), d.window("Penchant"))
        for _ in range(2):
            d.press(self.say("Take the round out of the line"))
            time.sleep(0.3)
        d.press(self.say("S_top"))
        d.find(self.say("_Generate"), "button", ROUND_SECONDS)
        self.make("bird")
        self.shot("candidates")

    def votes(self):
        self.pick("2", "shift+4", "ctrl+1")
        self.shot("picked")

    def larger(self):
        self.desktop.key("space")
        self.shot("larger")
        self.desktop.key("Escape")

    def menu(self):
        self.desktop.press(self.say("More to do with the picture"))
        self.shot("menu", None)
        self.desktop.key("Escape")

    def words(self):
        self.write_prompt(" ".join(["flower", "tree", "house"] * 12))
        time.sleep(0.5)
        self.desktop.press(self.say("A small model: see its words"))
        self.shot("words", None)
        self.desktop.key("Escape")
        self.write_prompt("balloon")

    def in_place(self):
        d = self.desktop
        self.choose(self.say("Start _from"), self.say("The selection"))
        self.make("balloon")
        self.pick(str(self.warmest()))
        d.press(self.say("In Place"))
        d.find(self.say("The picture at its place"))
        time.sleep(2)
        self.shot("in-place")
        d.press(self.say("In Place"))

    def inserted(self):
        d = self.desktop
        d.focus("Penchant")
        d.key("ctrl+i")
        d.find(self.say("Remove"))
        self.shot("inserted")
        d.press(self.say("Close"))
        self.choose(self.say("Start _from"), self.say("Text alone"))

    def more_settings(self):
        self.unfold("M_ore settings")
        for seed, name in enumerate(["ink-wash", "evening light, detailed v10"]):
            self.add_adapter(self.write_adapter(name, seed), self.say("Add an Adapter (LoRA)"))
        wait_until("the other is listed", lambda: any(name in item.name for item in self.desktop.walk()))
        time.sleep(1)
        self.adapter = name
        self.shot("more")

    def fast(self):
        self.desktop.find(self.say("Speed"))
        self.choose(self.say("Speed"), self.say("Fast: 4 to 8 steps"))
        self.shot("fast")
        self.choose(self.say("Speed"), self.say("As the model was made for"))

    def adapter_missing(self):
        d = self.desktop
        os.unlink(os.path.join(d.folder, self.adapter + ".safetensors"))
        d.find(self.say("Strength of %s") % self.adapter).queryValue().currentValue = 0.7
        wait_until("the bar tells", lambda: self.adapter in d.message())
        self.shot("adapter-missing")
        d.press(self.say("Do _Without It"))
        d.find(self.say("Do without %s") % "ink-wash").queryAction().doAction(0)
        wait_until("they are gone", lambda: not any("ink-wash" in item.name for item in d.walk()))

    def predicts(self):
        """A model whose file does not say what it predicts."""
        d = self.desktop
        path = os.path.join(d.data, "models", "Weights.safetensors")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        ldm_file.write(path, ldm_file.checkpoint(pathlib.Path(ROOT) / "tests" / "data" / "golden" / "sd2" / "model"))
        self.choose(self.say("St_yle"), self.say("No style"))
        self.choose(self.say("_Model"), self.say("Choose a model…"))
        self.answer_file_dialog(self.say("Choose a Model"), path, False)
        d.focus("Penchant")
        d.find(self.say("The model predicts"))
        time.sleep(1)
        self.shot("predicts")
        self.fold()

    def models(self):
        d = self.desktop
        d.find(self.say("_Model"), "combo box").queryAction().doAction(0)
        self.shot("models", None)
        d.key("Escape")
        self.choose(self.say("_Model"), self.say("Starter model"))
        self.choose(self.say("St_yle"), STYLE)

    def teaching(self):
        self.silence()
        self.desktop.press(self.say("T_each"))
        wait_until("a step is done", lambda: self.sql("SELECT 1 FROM runs WHERE state = 'running' AND steps_done > 5"),
                   TEACH_SECONDS)
        self.shot("teaching")

    def lesson(self):
        if self.look not in WAITING:
            self.desktop.press(self.say("Stop T_eaching"))
            self.desktop.find(self.say("Go on T_eaching"), "button", 60)
            return
        self.wait_for_lesson()
        self.shot("lesson")
        self.desktop.press(self.say("_Keep"))

    def compare(self):
        d = self.desktop
        self.page(2)
        self.shot("compare-empty")
        for answer in ("1", "0", None):
            d.press(self.say("_Compare") if answer == "1" else self.say("Ne_xt Pair"), "button")
            wait_until("the pair is there", lambda: self.can_use(self.say("_Left")), ROUND_SECONDS)
            if answer:
                d.key(answer)
            if answer == "1":
                self.shot("compare-chosen")
        self.shot("compare")

    def styles(self):
        self.page(3)
        self.shot("styles")

    def recipe(self):
        self.unfold("_Recipe")
        self.set_text(self.say("Added to prompts"), "{prompt}, sepia")
        self.shot("recipe")

    def help(self):
        self.desktop.key("F1")
        self.shot("help", self.say("Penchant Help"))
        self.desktop.key("Escape")

    def shortcuts(self):
        self.desktop.focus("Penchant")
        self.desktop.key("ctrl+question")
        time.sleep(1)
        self.shot("shortcuts", None)
        self.desktop.key("Escape")

    def history(self):
        self.page(1)
        self.set_text(self.say("Words of earlier prompts"), "b")
        time.sleep(1)
        self.shot("history")
        self.set_text(self.say("Words of earlier prompts"), "")

    def message(self):
        d = self.desktop
        self.page(3)
        with open(os.path.join(d.folder, "broken.safetensors"), "wb") as file:
            file.write(b"\xff" * 100)
        d.press(self.say("I_mport…"))
        self.answer_file_dialog(self.say("Import a Style"), file.name, False)
        wait_until("the bar tells", lambda: "broken.safetensors" in d.message())
        self.page(1)
        self.shot("error")


class Guide(Artist):
    """Takes the six pictures of docs/tour.md, and the one of README.md, while an artist works."""

    def look(self, name):
        """With few colours: it is small, and its words stay sharp."""
        for kept in ["tour/" + name] + ["screenshot"] * (name == "2-vote"):
            path = os.path.join(ROOT, "docs", kept + ".png")
            os.makedirs(os.path.dirname(path), exist_ok=True)
            take(self.desktop, path)
            subprocess.run(["convert", path, "+dither", "-colors", "256", "-strip", "-define",
                            "png:compression-level=9", "PNG8:" + path], check=True)


def write_settings(desktop, prompt, style, window):
    os.makedirs(desktop.profile, exist_ok=True)
    with open(os.path.join(desktop.profile, "penchant.ini"), "w") as file:
        file.write(SETTINGS % (prompt, window, style))


def make_style(build, folder, made):
    desktop = Desktop(build, os.path.join(folder, "work", "style"))
    write_settings(desktop, "", 0, USUAL)
    with desktop:
        photographer = Photographer(desktop, folder, "style", "C")
        photographer.open()
        photographer.make_style()
        photographer.close_and_copy(made)


def guide(build, folder):
    desktop = Desktop(build, os.path.join(folder, "work", "tour"), **LOOKS["dark"])
    write_settings(desktop, "", 0, USUAL)
    with desktop:
        artist = Guide(desktop)
        for step in artist.steps:
            getattr(artist, step)()


def photograph(build, folder, look, made):
    """Returns whether each state has its picture."""
    options, complete = dict(LOOKS[look]), True
    language, window = options.pop("language", "C"), options.pop("window", USUAL)
    if language != "C":
        options["env"] = {"LC_ALL": language + ".UTF-8", "LANGUAGE": language}
    desktop = Desktop(build, os.path.join(folder, "work", look), **options)
    write_settings(desktop, "", 0, window)
    with desktop:
        photographer = Photographer(desktop, folder, look, language)
        photographer.made, photographer.window = made, window
        for state in photographer.states:
            try:
                getattr(photographer, state)()
            except Exception:
                complete = False
                print("%s: no picture of “%s”" % (look, state.replace("_", " ")))
                traceback.print_exc()
                desktop.shot(os.path.join(folder, "%s-failed-%s.png" % (look, state)))
    return complete


def main():
    enter_session()
    build, folder = sys.argv[1], os.path.abspath(sys.argv[2])
    made = os.path.join(folder, "work", "made")
    looks, complete = sys.argv[3:] or LOOKS, True
    os.makedirs(folder, exist_ok=True)
    for look in looks:
        if look == "tour":
            guide(build, folder)
            continue
        if not os.path.isdir(made):
            make_style(build, folder, made)
        complete = photograph(build, folder, look, made) and complete
    if not sys.argv[3:]:
        shutil.rmtree(os.path.join(folder, "work"), ignore_errors=True)
    sys.exit(not complete)


main()
