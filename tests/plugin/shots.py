#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes pictures of the window in each of its states; ./dev shots calls it.

shots.py BUILD FOLDER [LOOK...]: LOOK is one of LOOKS; without one, all. The first look makes and teaches a
style, which takes some minutes; the others start from a copy of what it left, kept in FOLDER/work/made.
"""

import gettext
import os
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from desktop import Desktop, enter_session, wait_until  # noqa: E402
from session import ROUND_SECONDS, TEACH_SECONDS, Session  # noqa: E402

SETTINGS = "[penchant]\nprompt=%s\ncount=4\nsteps=24\nshape=1\nwidth=1040\nheight=760\nstyle=%d\nadvanced=false\n"

LOOKS = {
    "dark": dict(gimprc=['(theme-color-scheme dark)']),
    "light": dict(gimprc=['(theme-color-scheme light)']),
    "german": dict(language="de_DE", gimprc=['(theme-color-scheme light)']),
    "french": dict(language="fr_FR"),
    "japanese": dict(language="ja_JP"),
    "chinese": dict(language="zh_CN", gimprc=['(theme-color-scheme light)']),
    "large": dict(gimprc=['(font-relative-size 1.6)']),
    "hidpi": dict(env={"GDK_SCALE": "2"}, size="2560x1800"),
}


class Photographer(Session):
    def __init__(self, desktop, folder, look, language):
        super().__init__(desktop)
        self.folder, self.look = folder, look
        # Which texts the window shows, to find its widgets by.
        self.translation = gettext.translation("penchant", os.path.join(desktop.build, "po"),
                                               [language.split("_")[0], language], fallback=True)

    def say(self, text):
        return self.translation.gettext(text).replace("_", "")

    def shot(self, name, title="Penchant"):
        """A window, or with None the screen. After two pictures in a row were the same: nothing moves any more. What always moves is not waited for."""
        path = os.path.join(self.folder, "%s-%s.png" % (self.look, name))
        window, before = title and self.desktop.window(title), None
        for _ in range(10):
            time.sleep(0.3)
            self.desktop.shot(path, window)
            with open(path, "rb") as file:
                now = file.read()
            if now == before:
                break
            before = now
        print(self.look, name, flush=True)

    def rounds(self):
        return self.sql("SELECT COUNT(*) FROM rounds WHERE state = 'complete'")[0][0]

    def open(self):
        d = self.desktop
        d.open_penchant()
        d.find(self.say("Prompt"), "text", 30)
        wait_until("the studio is open", lambda: os.path.exists(d.data + "/penchant.db"))
        # Out of the way of the pictures: the mouse, and what the bar says of the software's speed.
        d.xdotool("mousemove", "2", "2")
        wait_until("the bar speaks", lambda: d.message(), 60)
        if self.look != "dark":
            d.press(self.say("Close the message"))

    def make(self, prompt, shot=None):
        d = self.desktop
        before, started = self.rounds(), self.last_round()
        d.focus("Penchant")
        d.key("ctrl+l")
        d.key("ctrl+a")
        d.type(prompt)
        d.key("Return")
        if shot:
            # Once something is seen of the first candidate; it moves on while the picture is taken.
            card = wait_until("the cards are there", lambda: d.look(self.say("Candidate %d") % 1)).queryComponent().getExtents(0)
            wait_until("the round is begun", lambda: self.last_round() != started, ROUND_SECONDS, 0.02)
            wait_until("a preview", lambda: self.rounds() > before or d.colours(card.x + 40, card.y + 40, card.width - 80,
                                                                              card.height - 80) > 50, ROUND_SECONDS, 0.02)
            self.desktop.shot(os.path.join(self.folder, "%s-%s.png" % (self.look, shot)), d.window("Penchant"))
        wait_until("the round is finished", lambda: self.rounds() > before, ROUND_SECONDS)
        time.sleep(0.5)

    def pick(self, *keys):
        for key in keys:
            before = self.sql("SELECT COUNT(*) FROM picks")[0][0]
            self.desktop.key(key)
            wait_until("the pick is stored", lambda: self.sql("SELECT COUNT(*) FROM picks")[0][0] > before)

    def teach(self):
        """The style and the pictures that the other looks show."""
        d = self.desktop
        for prompt in ["cat", "heart", "house"]:
            self.make(prompt)
            self.pick("1")
        d.press(self.say("T_each"))
        d.focus(self.say("A Style of Your Own"))
        self.shot("ask", self.say("A Style of Your Own"))
        self.set_text(self.say("_Name of the style"), "Warm evenings")
        d.key("Return")
        wait_until("teaching ends", lambda: self.sql("SELECT COUNT(*) FROM style_versions")[0][0] == 1, TEACH_SECONDS, 1)
        self.shot("taught")
        d.press(self.say("Close the message"))

    def all_states(self, made):
        d = self.desktop
        self.open()
        self.shot("empty")
        if not os.path.isdir(made):
            self.teach()
        d.key("ctrl+w")
        wait_until("the plug-in ends", lambda: self.pid() is None)
        if not os.path.isdir(made):
            shutil.copytree(d.data, made)
        shutil.rmtree(d.data)
        shutil.copytree(made, d.data)
        write_settings(d, "house", 1)
        self.open()
        wait_until("the round is shown", lambda: d.look(self.say("Round %s") % self.last_round()))
        self.shot("reopened")
        self.make("bird", "generating")
        self.shot("candidates")
        self.pick("2", "shift+4")
        self.shot("picked")
        d.key("space")
        self.shot("larger")
        d.key("Escape")
        d.press(self.say("More to do with the picture"))
        self.shot("menu", None)
        d.key("Escape")
        d.press(self.say("T_each"))
        wait_until("a step is done", lambda: self.sql("SELECT 1 FROM runs WHERE state = 'running' AND steps_done > 0"),
                   TEACH_SECONDS)
        time.sleep(4)
        self.shot("teaching")
        d.press(self.say("Stop T_eaching"))
        d.find(self.say("Go on T_eaching"), seconds=60)
        d.press(self.say("M_ore settings"))
        self.shot("more")
        for seed, name in enumerate(["ink-wash", "evening light, detailed v10"]):
            self.add_adapter(self.write_adapter(name, seed), self.say("Add an Adapter (LoRA)"))
        wait_until("the other is listed", lambda: any(name in item.name for item in d.walk()))
        time.sleep(1)
        self.shot("adapters")
        os.unlink(os.path.join(d.folder, name + ".safetensors"))
        self.desktop.find(self.say("Strength of %s") % name).queryValue().currentValue = 0.7
        wait_until("the bar tells", lambda: name in d.message())
        self.shot("adapter-missing")
        d.press(self.say("Do _Without It"))
        self.desktop.find(self.say("Do without %s") % "ink-wash").queryAction().doAction(0)
        wait_until("they are gone", lambda: not any("ink-wash" in item.name for item in d.walk()))
        d.press(self.say("M_ore settings"))
        d.key("alt+2")
        self.shot("compare-empty")
        d.press(self.say("_Compare"), "button")
        left = wait_until("the pair is there", lambda: d.look(self.say("_Left")) and
                          d.is_sensitive(d.look(self.say("_Left"))), ROUND_SECONDS)
        assert left
        self.shot("compare")
        d.key("1")
        self.shot("compare-chosen")
        d.key("alt+3")
        self.shot("styles")
        d.key("F1")
        self.shot("help", self.say("Penchant Help"))
        d.key("Escape")
        d.focus("Penchant")
        with open(os.path.join(d.folder, "broken.safetensors"), "wb") as file:
            file.write(b"\xff" * 100)
        d.press(self.say("I_mport…"))
        self.answer_file_dialog(self.say("Import a Style"), file.name, False)
        wait_until("the bar tells", lambda: "broken.safetensors" in d.message())
        d.key("alt+1")
        self.shot("error")


def write_settings(desktop, prompt, style):
    os.makedirs(desktop.profile, exist_ok=True)
    with open(os.path.join(desktop.profile, "penchant.ini"), "w") as file:
        file.write(SETTINGS % (prompt, style))


def main():
    enter_session()
    build, folder = sys.argv[1:3]
    made = os.path.abspath(os.path.join(folder, "work", "made"))
    os.makedirs(folder, exist_ok=True)
    for look in sys.argv[3:] or LOOKS:
        options = dict(LOOKS[look])
        language = options.pop("language", "C")
        if language != "C":
            options["env"] = {"LC_ALL": language + ".UTF-8", "LANGUAGE": language}
        desktop = Desktop(build, os.path.join(folder, "work", look), **options)
        write_settings(desktop, "", 0)
        with desktop:
            Photographer(desktop, os.path.abspath(folder), look, language).all_states(made)
    if not sys.argv[3:]:
        shutil.rmtree(os.path.join(folder, "work"), ignore_errors=True)


main()
