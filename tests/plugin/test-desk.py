#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Votes, undo, styles, settings and waiting rounds in the window, with the mouse and the keyboard as an artist
has them; prints TAP.

test-desk.py BUILD FOLDER [STEP...]
"""

import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from desktop import Desktop, wait_until  # noqa: E402
from session import ROUND_SECONDS, Session, expect, run  # noqa: E402

SETTINGS = "[penchant]\ncount=3\nsteps=3\n"


class Desk(Session):
    steps = """selects_and_votes inserts_what_it_names enter_keeps_the_vote undoes_text_in_text stands_in_line
        space_belongs_to_the_button none_is_nothing_to_teach keeps_a_new_image looks_at_styles_without_using_them
        undoes_where_one_is finds_rounds_again compares_and_takes_back refuses_and_returns saves_settings_at_once
        undoes_nothing_older""".split()

    # ------------------------------------------------------------------ helpers

    def places(self):
        """What the cards say."""
        return [self.card(k).description for k in (1, 2, 3)]

    def picks(self):
        return self.sql("SELECT COUNT(*) FROM picks")[0][0]

    def expect_places(self, *wanted):
        wait_until("the cards say %s, not %s" % (list(wanted), self.places()), lambda: self.places() == list(wanted))

    def prompt(self):
        return self.desktop.text(self.desktop.find("Prompt", "text"))

    def settings(self):
        with open(os.path.join(self.desktop.profile, "penchant.ini")) as file:
            return dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)

    def click_row(self, name):
        self.desktop.click(self.desktop.find(name, "list item"))

    # ------------------------------------------------------------------ votes

    def selects_and_votes(self):
        d = self.desktop
        d.probe("""
for i in range(2):
    image = Gimp.Image.new(300 + i, 300, Gimp.ImageBaseType.RGB)
    layer = Gimp.Layer.new(image, "paper", 300, 300, Gimp.ImageType.RGB_IMAGE, 100, Gimp.LayerMode.NORMAL)
    image.insert_layer(layer, None, 0)
    layer.fill(Gimp.FillType.WHITE)
    Gimp.Display.new(image)
""")
        time.sleep(1)
        d.open_penchant()
        wait_until("the studio is open", lambda: os.path.exists(d.data + "/penchant.db"), 60)
        self.round = self.generate("bird")
        d.click(self.card(2))
        d.find("Insert no. 2 as Layer", "button")
        expect(self.picks() == 0, "a click on a picture is stored as a vote")
        self.click_star(2)
        self.expect_places("Not chosen", "Best", "Not chosen")
        d.key("shift+1")
        self.expect_places("2nd", "Best", "Not chosen")
        # A click on the best changes nothing, nor does its number, pressed again.
        d.click(self.card(2))
        d.key("2")
        d.click(self.card(3))
        d.find("Insert no. 3 as Layer", "button")
        self.expect_places("2nd", "Best", "Not chosen")
        expect(self.valid_ranks(self.round) == [2, 3, 0], "the store has %s" % self.valid_ranks(self.round))
        # A double click votes, and does not take the vote back at once.
        time.sleep(0.6)
        d.xdotool("click", "--repeat", "2", "--delay", "60", "1")
        self.expect_places("2nd", "Not chosen", "Best")
        self.click_star(3)
        self.expect_places("Best", "Not chosen", "Not chosen")
        d.key("ctrl+z")
        self.expect_places("2nd", "Not chosen", "Best")
        d.key("Delete")
        d.key("1")
        self.expect_places("Best", "Not chosen", "Not chosen")
        d.key("Delete")
        self.expect_places("Finished", "Finished", "Finished")
        d.key("ctrl+z")
        self.expect_places("Best", "Not chosen", "Not chosen")

    def inserts_what_it_names(self):
        d = self.desktop
        d.key("2", "shift+1", "ctrl+3")
        self.expect_places("2nd", "Best", "2nd")
        expect(d.look("Insert no. 2 as Layer", "button"), "the best is not what is inserted")

    def enter_keeps_the_vote(self):
        d = self.desktop
        before = self.valid_ranks(self.round)
        d.key("2")
        d.key("Return")
        wait_until("the next round is recorded", lambda: self.last_round() > self.round, 60)
        expect(self.valid_ranks(self.round) == before, "the vote is %s" % self.valid_ranks(self.round))
        wait_until("it is finished", self.is_ready, ROUND_SECONDS, 0.5)
        self.round = self.last_round()
        expect(self.places() == ["Finished"] * 3, "the new round has votes: %s" % self.places())

    # ------------------------------------------------------------------ undo of text

    def undoes_text_in_text(self):
        d = self.desktop
        d.key("1")
        self.expect_places("Best", "Not chosen", "Not chosen")
        d.key("ctrl+l")
        d.key("End")
        d.type(" on a roof")
        wait_until("it is typed", lambda: self.prompt() == "bird on a roof")
        d.key("ctrl+z")
        wait_until("a word is taken back", lambda: self.prompt().rstrip() == "bird on a")
        d.key("ctrl+z", "ctrl+z", "ctrl+z", "ctrl+z")
        d.key("ctrl+shift+z")
        expect(self.prompt() != "bird on a roof", "one step does all of it again")
        d.key("ctrl+y", "ctrl+y", "ctrl+y", "ctrl+y")
        wait_until("all of it is there again", lambda: self.prompt() == "bird on a roof")
        self.expect_places("Best", "Not chosen", "Not chosen")
        field = d.find("Avoid", "text")
        d.click(field)
        d.type("fog")
        d.key("ctrl+z")
        wait_until("the other field has its own", lambda: d.text(field) == "")
        self.expect_places("Best", "Not chosen", "Not chosen")

    # ------------------------------------------------------------------ a line of rounds

    def stands_in_line(self):
        d = self.desktop
        d.key("alt+m")
        self.set_value("Steps", "spin button", 150)
        d.key("ctrl+l", "ctrl+a")
        d.type("cat")
        before = self.last_round()
        d.key("Return")
        wait_until("the round is recorded", lambda: self.last_round() > before, 60)
        self.set_value("Steps", "spin button", 3)
        d.key("alt+m")
        for prompt in ("heart", "house"):
            d.key("ctrl+l", "ctrl+a")
            d.type(prompt)
            d.key("Return")
            d.find("Next: " + prompt, "label")
        d.press("Take the round out of the line")  # the first of both
        wait_until("one is left", lambda: not d.look("Next: heart") and d.look("Next: house"))
        d.press("Stop")
        wait_until("the last round is finished", lambda: self.sql(
            "SELECT prompt FROM rounds WHERE state = 'complete' ORDER BY id DESC")[0][0] == "house", ROUND_SECONDS)
        expect(self.last_round() == before + 2, "%d rounds were made" % (self.last_round() - before))
        # What was not yet voted on stayed on the screen; the first round was stopped.
        d.find("Round %d" % (before + 1), "label")
        d.press("Later round")
        d.find("Round %d" % (before + 2), "label")
        wait_until("its pictures", self.is_ready)
        self.round = self.last_round()

    def space_belongs_to_the_button(self):
        d = self.desktop
        d.find("None of These").queryComponent().grabFocus()
        d.key("space")
        wait_until("none of them", lambda: len(self.valid_ranks(self.round)) == 3)
        expect(d.look("Candidate 2"), "Space opened the larger view")

    def none_is_nothing_to_teach(self):
        d = self.desktop
        before = self.sql("SELECT COUNT(*) FROM valid_picks p WHERE (SELECT MIN(rank) < MAX(rank) FROM pick_ranks "
                          "WHERE pick = p.id)")[0][0]
        expect(before == 2, "%d rounds are voted on" % before)
        wait_until("it says how many of how many", lambda: any(
            item.name.startswith("2 votes of about 10") for item in d.walk()))

    def keeps_a_new_image(self):
        d = self.desktop
        self.choose("Image", "A new image")
        d.focus(".*GIMP|GNU Image Manipulation Program")
        time.sleep(0.5)
        d.focus("Penchant")
        time.sleep(0.5)
        expect(self.chosen("Image") == "A new image", "the image is %s" % self.chosen("Image"))

    # ------------------------------------------------------------------ styles

    def import_style(self, name, seed):
        d = self.desktop
        d.press("Import…")
        self.answer_file_dialog("Import a Style", self.write_adapter(name, seed), False)
        wait_until("it is listed", lambda: d.look(name, "list item"))
        d.focus("Penchant")

    def used(self):
        name = "SELECT name FROM styles WHERE id = %s" % self.settings().get("style", "0")
        return (self.sql(name) or [("",)])[0][0]

    def looks_at_styles_without_using_them(self):
        d = self.desktop
        d.key("alt+3")
        self.import_style("ink", 1)
        self.import_style("chalk", 2)
        wait_until("the latest is used", lambda: self.used() == "chalk")
        pid = self.pid()
        for name in ("ink", "chalk", "ink"):
            self.click_row(name)
            wait_until("it is shown", lambda: d.text(d.find("Name", "text")) == name)
        d.key("Up")
        wait_until("the keyboard stays in the list", lambda: d.text(d.find("Name", "text")) == "chalk")
        d.key("Down")
        wait_until("the keyboard stays in the list", lambda: d.text(d.find("Name", "text")) == "ink")
        time.sleep(0.5)
        expect(self.used() == "chalk", "looking at a style uses it")
        d.click(d.find("Use This Style", "button"))
        wait_until("it is used", lambda: self.used() == "ink")
        now = "SELECT current_version FROM styles WHERE name = 'ink'"
        version = self.sql(now)[0][0]
        for name in ("Before any teaching", "Version 1", "Before any teaching"):
            self.click_row(name)
            time.sleep(0.3)
        expect(self.sql(now)[0][0] == version, "looking at a version uses it")
        d.click(d.find("Use This Version", "button"))
        wait_until("it is used", lambda: not self.sql(now)[0][0])
        wait_until("the list says so", lambda: "Before any teaching" in d.find("ink", "list item").description)
        d.key("ctrl+z")
        wait_until("the version is back", lambda: self.sql(now)[0][0] == version)
        expect(self.pid() == pid, "the plug-in died")
        # The pages alone choose nothing.
        d.press("Create")
        self.choose("Style", "No style")
        d.key("alt+3")
        time.sleep(0.5)
        d.key("alt+1")
        time.sleep(0.5)
        expect(self.chosen("Style") == "No style", "the style is %s" % self.chosen("Style"))
        self.choose("Style", "ink")

    def undoes_where_one_is(self):
        d = self.desktop
        picks = self.sql("SELECT COUNT(*) FROM valid_picks")[0][0]
        d.key("alt+3")
        slider = d.find("Strength", "slider")
        slider.queryComponent().grabFocus()
        d.key("Left", "Left", "Left")
        strength = "SELECT strength FROM styles WHERE name = 'ink'"
        wait_until("it is weaker", lambda: self.sql(strength)[0][0] < 0.9)
        d.key("ctrl+z")
        wait_until("it is as strong as before", lambda: self.sql(strength)[0][0] == 1)
        wait_until("the slider shows it", lambda: slider.queryValue().currentValue == 1)
        expect(self.sql("SELECT COUNT(*) FROM valid_picks")[0][0] == picks, "a vote is gone")

    def past(self, prompt):
        """The small pictures of rounds of that prompt."""
        return [item for item in self.desktop.walk() if item.getRoleName() == "button"
                and item.name.startswith(prompt + "\n")]

    def finds_rounds_again(self):
        d = self.desktop
        d.press("Create")
        found = self.sql("SELECT id, seed FROM rounds WHERE prompt = 'cat'")[0]
        wait_until("the rounds have faces", lambda: self.past("cat") and self.past("house"))
        d.click(d.find("Words of earlier prompts"))
        d.type("CA")
        wait_until("others are gone", lambda: self.past("cat") and not self.past("house"))
        d.click(self.past("cat")[0])
        d.find("Round %d" % found[0], "label")
        d.click(self.past("cat")[0], button=3)
        time.sleep(0.5)
        d.key("Down", "Down", "Return")  # Use These Settings
        wait_until("its prompt is there", lambda: self.prompt() == "cat")
        wait_until("its seed is kept", lambda: self.settings().get("seed") == str(found[1])
                   and self.settings().get("fixed-seed") == "true")
        d.click(d.find("Words of earlier prompts"))
        d.key("ctrl+a", "Delete")
        wait_until("all are there again", lambda: self.past("house"))
        self.choose("Style", "ink")

    def compares_and_takes_back(self):
        d = self.desktop
        picks = self.sql("SELECT COUNT(*) FROM valid_picks")[0][0]
        d.key("alt+2")
        d.find("“ink”, version 1", "label")
        d.press("Compare", "button")
        left = wait_until("the choice is offered", lambda: d.look("Left") and d.is_sensitive(d.look("Left"))
                          and d.look("Left"), ROUND_SECONDS, 0.5)
        d.click(left)
        count = "SELECT COUNT(*) FROM valid_comparisons"
        wait_until("it is stored", lambda: self.sql(count)[0][0] == 1)
        version = "SELECT current_version FROM styles WHERE name = 'ink'"
        before = self.sql(version)
        d.key("ctrl+z")
        wait_until("the choice is taken back", lambda: self.sql(count)[0][0] == 0)
        wait_until("it is offered again", lambda: d.is_sensitive(d.find("Left")))
        expect(self.sql(version) == before, "the style has another version")
        expect(self.sql("SELECT COUNT(*) FROM valid_picks")[0][0] == picks, "a vote is gone")
        d.key("ctrl+shift+z")
        wait_until("the choice counts again", lambda: self.sql(count)[0][0] == 1)
        expect(d.look("Candidate 1") and d.look("Candidate 2"), "the pair is gone")
        d.press("Create")

    # ------------------------------------------------------------------ settings

    def refuses_and_returns(self):
        d = self.desktop
        self.choose("Style", "No style")
        path = os.path.join(d.folder, "picture.safetensors")
        with open(path, "wb") as file:
            file.write(b"\xff" * 100)
        self.choose("Model", "Choose a model…")
        self.answer_file_dialog("Choose a Model", path, False)
        wait_until("the bar names the file", lambda: path in d.message())
        wait_until("the model is the last good one", lambda: self.chosen("Model") == "Starter model")
        d.focus("Penchant")
        self.generate("sun")
        expect(path not in d.message(), "the bar still says: " + d.message())

    def saves_settings_at_once(self):
        d = self.desktop
        d.key("ctrl+l", "ctrl+a")
        d.type("moon over water")
        self.set_value("Candidates", "spin button", 4)
        self.reveal("More settings").queryAction().doAction(0)
        self.reveal("Speed")
        self.choose("Speed", "Fast: 4 to 8 steps")
        time.sleep(1)
        d.stop_gimp()
        found = self.settings()
        # What “Fast” brings along is no choice of its own any more.
        expect((found["prompt"], found["count"], found["speed"], found["steps"]) == ("moon over water", "4", "1", "0"),
               "the settings are %s" % found)

    def undoes_nothing_older(self):
        d = self.desktop
        d.start_gimp()
        self.reopen_window()
        picks = self.sql("SELECT COUNT(*) FROM valid_picks")
        expect(not d.is_sensitive(d.find("Undo")), "there is something to undo in a new window")
        d.key("Tab", "Tab")
        d.key("ctrl+z")
        time.sleep(0.5)
        expect(self.sql("SELECT COUNT(*) FROM valid_picks") == picks, "a vote of an earlier session is gone")


run(Desk, Desktop, SETTINGS)
