#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes pictures of the window in each of its states; ./dev shots calls it.

shots.py BUILD FOLDER [LOOK...]: LOOK is dark, light, german, japanese, large or hidpi; without one, all.
"""

import os
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from desktop import Desktop, enter_session, wait_until  # noqa: E402

SETTINGS = "[penchant]\nprompt=\ncount=4\nsteps=%d\nshape=1\nwidth=%d\nheight=%d\n"
SIZE = (1040, 760)

LOOKS = {
    "dark": dict(gimprc=['(theme-color-scheme dark)']),
    "light": dict(gimprc=['(theme-color-scheme light)']),
    "german": dict(env={"LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de"}, gimprc=['(theme-color-scheme light)']),
    "japanese": dict(env={"LC_ALL": "ja_JP.UTF-8", "LANGUAGE": "ja"}),
    "large": dict(gimprc=['(font-relative-size 1.6)']),
    "hidpi": dict(env={"GDK_SCALE": "2"}, size="2560x1800"),
}


class Photographer:
    def __init__(self, desktop, folder, look):
        self.desktop, self.folder, self.look = desktop, folder, look
        self.number = 0

    def shot(self, name):
        time.sleep(0.6)
        window = self.desktop.window("Penchant")
        self.desktop.shot(os.path.join(self.folder, "%s-%s.png" % (self.look, name)), window)
        print(self.look, name, flush=True)

    def cards(self):
        """The candidates' cards; their number is the last word of the name in every language."""
        d = self.desktop
        return [item for item in d.walk() if item.getRoleName() in ("button", "push button") and item.name.split()
                and item.name.split()[-1] in "1234" and d.visible(item)]

    def count(self, query):
        import sqlite3
        with sqlite3.connect("file:%s/penchant.db?mode=ro" % self.desktop.data, uri=True) as database:
            return database.execute(query).fetchone()[0]

    def open(self):
        d = self.desktop
        d.open_penchant()
        wait_until("the studio opens", lambda: os.path.exists(d.data + "/penchant.db"))
        time.sleep(1.5)

    def generate(self, prompt, shot=None):
        d = self.desktop
        before = self.count("SELECT COUNT(*) FROM rounds WHERE state = 'complete'")
        d.key("ctrl+l")
        d.key("ctrl+a")
        d.type(prompt)
        d.key("Return")
        if shot:
            time.sleep(4)
            self.shot(shot)
        wait_until("the round is finished",
                   lambda: self.count("SELECT COUNT(*) FROM rounds WHERE state = 'complete'") > before, 300)
        time.sleep(0.5)

    def pick(self, *keys):
        for key in keys:
            self.desktop.key(key)
            time.sleep(0.3)

    def all_states(self):
        d = self.desktop
        self.open()
        self.shot("empty")
        d.xdotool("mousemove", "2", "2")
        self.generate("bird", "generating")
        self.shot("candidates")
        self.pick("2", "shift+4")
        self.shot("picked")
        d.key("space")
        self.shot("larger")
        d.key("Escape")
        for prompt in ["cat", "heart"]:
            self.generate(prompt)
            self.pick("1")
        d.key("alt+e")
        time.sleep(1)
        d.type("Warm")
        d.key("Return")
        time.sleep(8)
        self.shot("teaching")
        wait_until("teaching ends", lambda: self.count("SELECT COUNT(*) FROM style_versions") == 1, 600)
        time.sleep(1)
        self.shot("taught")
        d.key("alt+2")
        self.shot("compare-empty")
        # The Compare button is the one beside the prompt.
        d.key("Tab", "Tab", "Tab", "Tab", "Tab", "Tab", "Tab", "Tab")
        compare = [item for item in d.walk() if item.getRoleName() in ("button", "push button") and d.visible(item)]
        compare[3 if len(compare) > 3 else 0].queryAction().doAction(0)
        time.sleep(15)
        self.shot("compare")
        d.key("1")
        self.shot("compare-chosen")
        d.key("alt+3")
        self.shot("styles")
        broken = os.path.join(d.folder, "broken.safetensors")
        with open(broken, "wb") as file:
            file.write(b"\xff" * 100)
        d.key("F1")
        time.sleep(1)
        d.shot(os.path.join(self.folder, "%s-help.png" % self.look))
        d.key("Escape")
        d.key("alt+1")
        d.key("ctrl+l")
        d.key("ctrl+a")
        d.key("Delete")
        d.key("Return")
        self.shot("message")

    def few_states(self):
        d = self.desktop
        self.open()
        self.shot("empty")
        d.xdotool("mousemove", "2", "2")
        self.generate("bird")
        self.pick("2", "shift+4")
        self.shot("picked")
        d.key("alt+2")
        self.shot("compare")
        d.key("alt+3")
        self.shot("styles")
        d.key("F1")
        time.sleep(1)
        d.shot(os.path.join(self.folder, "%s-help.png" % self.look))


def main():
    enter_session()
    build, folder = sys.argv[1:3]
    os.makedirs(folder, exist_ok=True)
    for look in sys.argv[3:] or LOOKS:
        scale = 2 if look == "hidpi" else 1
        desktop = Desktop(build, os.path.join(folder, "work"), **LOOKS[look])
        os.makedirs(desktop.profile)
        with open(os.path.join(desktop.profile, "penchant.ini"), "w") as file:
            file.write(SETTINGS % (10 if look == "dark" else 6, *SIZE))
        with desktop:
            photographer = Photographer(desktop, folder, look)
            if look == "dark":
                photographer.all_states()
            else:
                photographer.few_states()
    shutil.rmtree(os.path.join(folder, "work"), ignore_errors=True)


main()
