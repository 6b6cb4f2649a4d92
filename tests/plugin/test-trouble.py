#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the window does when things go wrong: a bar says what happened, and the work goes on. Prints TAP.

test-trouble.py BUILD FOLDER [STEP...]
"""

import os
import resource
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from desktop import ROOT, Desktop, wait_until  # noqa: E402
from session import ROUND_SECONDS, Session, expect, run  # noqa: E402

SETTINGS = "[penchant]\nprompt=bird\ncount=2\nsteps=3\n"
# The starter model does not fit into so many MiB, not even in 8 bits.
SMALL = "4"


def make_desktop(build, folder):
    """The layer of bad-driver.c is there from the start, and models that cannot be used."""
    desktop = Desktop(build, folder)
    desktop.env.update({
        "VK_ADD_LAYER_PATH": os.path.join(desktop.build, "tests", "harness"),
        "VK_INSTANCE_LAYERS": "VK_LAYER_PENCHANT_bad_driver",
        "PENCHANT_LOSE_DEVICE": os.path.join(desktop.folder, "lose-device"),
    })
    models = os.path.join(desktop.data, "models")
    shutil.copytree(os.path.join(ROOT, "models", "starter"), os.path.join(models, "broken"))
    weights = [os.path.join(path, name) for path, _, names in os.walk(os.path.join(models, "broken", "unet"))
               for name in names if name.endswith(".safetensors")]
    for path in weights:
        os.truncate(path, os.path.getsize(path) // 2)
    return desktop


class Trouble(Session):
    steps = """survives_a_lost_device survives_a_full_disk refuses_a_broken_model refuses_a_broken_adapter
        refuses_a_folder_without_a_model runs_out_of_memory""".split()

    def order(self):
        """Presses Enter in the prompt."""
        d = self.desktop
        d.focus("Penchant")
        d.key("ctrl+l")
        d.key("Return")

    def survives_a_lost_device(self):
        d = self.desktop
        d.open_penchant()
        self.generate("bird")
        with open(d.env["PENCHANT_LOSE_DEVICE"], "w"):
            pass
        self.order()
        wait_until("the bar tells", lambda: "device" in d.message() and "No GPU" not in d.message(), ROUND_SECONDS)
        print("# " + d.message())
        expect(not os.path.exists(d.env["PENCHANT_LOSE_DEVICE"]), "the device was not lost")
        self.generate("bird")

    def survives_a_full_disk(self):
        d = self.desktop
        wait_until("the round is shown", self.is_ready)
        pid, round = self.pid(), self.last_round()
        limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, limits[1]))
        try:
            d.key("1")
            wait_until("the bar tells", lambda: "full" in d.message())
            print("# " + d.message())
            expect(self.card(1).description == "Finished", "the card says “%s”, but nothing is stored"
                   % self.card(1).description)
            self.order()
            wait_until("Generate comes back", lambda: d.look("Generate"), ROUND_SECONDS)
            expect(self.last_round() == round, "a round is stored on a full disk")
        finally:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
        self.generate("bird")
        d.key("1")
        wait_until("the pick is stored", lambda: self.valid_ranks(self.last_round()) == [2, 0])

    def refuses_a_broken_model(self):
        d = self.desktop
        self.choose("Model", "broken")
        wait_until("the bar tells", lambda: "broken" in d.message())
        print("# " + d.message())
        wait_until("the last good one is chosen", lambda: self.chosen("Model") == "Starter model")
        self.generate("bird")

    def refuses_a_folder_without_a_model(self):
        d = self.desktop
        folder = os.path.join(d.folder, "empty")
        os.makedirs(folder)
        self.choose("Model", "Choose a model…")
        self.answer_file_dialog("Choose a Model", folder, False)
        wait_until("the bar tells", lambda: folder in d.message())
        print("# " + d.message())
        wait_until("the last good one is chosen", lambda: self.chosen("Model") == "Starter model")
        self.generate("bird")

    def refuses_a_broken_adapter(self):
        d = self.desktop
        path = os.path.join(d.folder, "broken.safetensors")
        with open(path, "wb") as file:
            file.write(b"\xff" * 100)
        d.key("alt+3")
        d.press("Import…")
        self.answer_file_dialog("Import a Style", path, False)
        wait_until("the bar tells", lambda: "broken.safetensors" in d.message())
        print("# " + d.message())
        d.press("Create")

    def runs_out_of_memory(self):
        d = self.desktop
        d.stop_gimp()
        wait_until("the plug-in ends too", lambda: self.pid() is None, 60)
        d.env["PENCHANT_MEMORY_BUDGET"] = SMALL
        d.start_gimp()
        d.open_penchant()
        wait_until("the bar tells", lambda: "memory" in d.message(), 60)
        print("# " + d.message())
        self.order()
        wait_until("Generate is there", lambda: d.look("Generate"), 60)
        expect(d.look("Prompt", "text"), "the window is gone")


run(Trouble, make_desktop, SETTINGS)
