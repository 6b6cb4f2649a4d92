#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Votes, undo, styles, settings and waiting rounds in the window, with the mouse and the keyboard as an artist
has them; prints TAP.

test-desk.py BUILD FOLDER [STEP...]
"""

import json
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from desktop import ROOT, Desktop, wait_until  # noqa: E402
from session import ROUND_SECONDS, TEACH_SECONDS, Session, expect, run  # noqa: E402

SETTINGS = "[penchant]\ncount=3\nsteps=3\n"


class Desk(Session):
    steps = """opens_and_learns_nothing_from_none selects_and_votes inserts_what_it_names enter_keeps_the_vote
        an_insert_is_a_vote undoes_text_in_text stands_in_line
        space_belongs_to_the_button none_is_nothing_to_teach keeps_a_new_image looks_at_styles_without_using_them
        keeps_a_recipe shows_what_a_lesson_changed undoes_where_one_is finds_rounds_again compares_and_takes_back refuses_and_returns saves_settings_at_once
        undoes_nothing_older finds_a_moved_model""".split()

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

    def count_layers(self):
        return self.desktop.probe("result = sum(len(image.get_layers()) for image in Gimp.get_images())")

    def inserted_candidate(self):
        """Which of the round's pictures has the colours of the newest layer, from 0."""
        layer = self.desktop.probe("""
layer = max((l for image in Gimp.get_images() for l in image.get_layers()), key=lambda l: l.get_id())
width, height = layer.get_width(), layer.get_height()
found = pixels(layer, 0, 0, width, height, "R'G'B' u8")
result = [sum(found[c::3]) / (width * height * 255) for c in range(3)]
""")
        def distance(place):
            path = self.sql("SELECT picture_file FROM candidates WHERE round = %d AND place = %d" % (self.round, place))[0][0]
            mean = subprocess.run(["convert", os.path.join(self.desktop.data, path), "-resize", "1x1!", "-format",
                                   "%[fx:u.r] %[fx:u.g] %[fx:u.b]", "info:"], capture_output=True, text=True).stdout.split()
            return sum(abs(float(a) - b) for a, b in zip(mean, layer))
        return min(range(3), key=distance)

    def click_row(self, name):
        self.desktop.click(self.desktop.find(name, "list item"))

    # ------------------------------------------------------------------ votes

    def opens_and_learns_nothing_from_none(self):
        d = self.desktop
        self.show_sheets((300, 300), (301, 300))
        d.listen()
        d.open_penchant()
        wait_until("the studio is open", self.is_open, 60)
        self.round = self.generate("bird")
        expected = ["A round is being made.", "Candidate 1 is finished.", "Candidate 2 is finished.",
                    "Candidate 3 is finished.", "The pictures are finished."]
        told = lambda: [text for text in d.said() if text]
        wait_until("a screen reader is told of the round", lambda: len(told()) >= len(expected))
        expect(told() == expected, "a screen reader is told %s" % told())
        expect(not self.can_use("Teach"), "there is something to teach before the first vote")
        d.click(d.find("None of These", "button"))
        wait_until("none is stored", lambda: self.valid_ranks(self.round) == [0, 0, 0])
        wait_until("a screen reader is told", lambda: d.said()[-1] == "None of these.")
        expect(not self.can_use("Teach"), "“None of These” is something to teach")
        d.key("ctrl+z")
        wait_until("it is taken back", lambda: self.valid_ranks(self.round) == [])

    def face(self, number):
        """The pixels in the middle of a candidate, as they are seen, but for what a message may lie over."""
        box = self.card(number).queryComponent().getExtents(0)
        return self.desktop.signature(box.x + 50, box.y + 50, box.width - 100, box.height // 2 - 50)

    def selects_and_votes(self):
        d = self.desktop
        d.click(self.card(2))
        d.find("Insert no. 2 as Layer", "button")
        expect(not self.valid_ranks(self.round), "a click on a picture is stored as a vote")
        faces = self.face(1), self.face(3)
        self.click_star(2)
        self.expect_places("Not chosen", "Best", "Not chosen")
        expect((self.face(1), self.face(3)) == faces, "what was not chosen looks different")
        wait_until("a screen reader is told", lambda: d.said()[-1] == "No. 2 is the best.")
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
        picks, layers = self.picks(), self.count_layers()
        d.click(d.find("Insert no. 2 as Layer", "button"))
        d.find("Remove", "button", 60)
        expect(self.inserted_candidate() == 1, "candidate %d is inserted" % (self.inserted_candidate() + 1))
        # Undo takes back what was done last, the insert, and leaves the votes.
        expect(self.count_layers() == layers + 1 and self.picks() == picks, "the insert was taken for a vote")
        d.key("ctrl+z")
        wait_until("the layer is gone", lambda: self.count_layers() == layers)
        self.expect_places("2nd", "Best", "2nd")
        expect(not d.look("Remove", "button"), "the bar is still there")
        d.key("ctrl+z")
        self.expect_places("2nd", "Best", "Not chosen")
        d.key("ctrl+shift+z")
        self.expect_places("2nd", "Best", "2nd")

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

    def an_insert_is_a_vote(self):
        """Who uses a picture likes it; but what was voted for comes before it."""
        d = self.desktop
        layers = self.count_layers()
        for number, places in ((3, ["Not chosen", "Not chosen", "Best"]), (1, ["2nd", "Not chosen", "Best"])):
            d.click(self.card(number))
            d.click(d.find("Insert no. %d as Layer" % number, "button"))
            d.find("Remove", "button", 60)
            self.expect_places(*places)
            d.key("ctrl+z")
            wait_until("the layer is gone", lambda: self.count_layers() == layers)
            self.expect_places(*places)
        d.key("ctrl+z")
        self.expect_places("Not chosen", "Not chosen", "Best")
        d.key("ctrl+z")
        self.expect_places("Finished", "Finished", "Finished")

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
        d.key("alt+o")
        self.set_value("Steps", "spin button", 150)
        self.choose_by_hand("Sampler", "Euler")
        d.key("ctrl+l", "ctrl+a")
        d.type("cat")
        before = self.last_round()
        d.key("Return")
        wait_until("the round is recorded", lambda: self.last_round() > before, 60)
        self.set_value("Steps", "spin button", 3)
        for prompt in ("heart", "house"):
            d.key("ctrl+l", "ctrl+a")
            d.type(prompt)
            d.key("Return")
            d.find("Next: " + prompt, "label")
        d.press("Take the round out of the line")  # the first of both
        wait_until("one is left", lambda: not d.look("Next: heart") and d.look("Next: house"))
        # Whoever stands in line keeps what was asked for.
        self.choose_by_hand("Sampler", "Auto")
        d.key("alt+o")
        d.press("Stop")
        wait_until("the last round is finished", lambda: self.sql(
            "SELECT prompt FROM rounds WHERE state = 'complete' ORDER BY id DESC")[0][0] == "house", ROUND_SECONDS)
        expect(self.last_round() == before + 2, "%d rounds were made" % (self.last_round() - before))
        found = self.sql("SELECT sampler, steps FROM rounds WHERE id = %d" % self.last_round())
        expect(found == [("Euler", 3)], "the round that stood in line is made with %s" % found)
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

    def recipe(self):
        return json.loads(self.sql("SELECT recipe FROM styles WHERE name = 'ink'")[0][0] or "{}")

    def keeps_a_recipe(self):
        d = self.desktop
        before = self.settings()
        d.focus("Penchant")
        d.key("alt+3")
        d.click(d.find("Recipe", "toggle button"), dx=0.03)  # on its title
        time.sleep(0.5)  # until it has its place
        d.click(d.find("Added to prompts", "text"))
        d.type("wet ink")
        wait_until("the template is kept", lambda: self.recipe() == {"prompt": "{prompt}, wet ink"})
        expect(d.text(d.find("Added to prompts", "text")) == "wet ink", "the field was filled while it was typed in")
        d.key("Tab")
        d.type("fog")
        wait_until("what it avoids is kept", lambda: self.recipe().get("negative_prompt") == "fog")
        d.find("Steps", "spin button").queryComponent().grabFocus()
        d.key("ctrl+a")
        d.type("2\t")
        wait_until("the steps are kept", lambda: self.recipe().get("steps") == 2)
        width = d.find("Width", "spin button")
        width.queryComponent().grabFocus()
        d.key("ctrl+a")
        d.type("64\t")
        wait_until("a size is both", lambda: (self.recipe().get("width"), self.recipe().get("height")) == (64, 64))
        # A field takes its own text back, the page the last change.
        d.find("Take from Create", "button").queryComponent().grabFocus()
        d.key("ctrl+z")
        wait_until("the size is gone", lambda: "width" not in self.recipe())
        wait_until("the field shows it", lambda: width.queryValue().currentValue == 0)
        expect(self.recipe().get("steps") == 2, "more than the last change is taken back")
        d.key("ctrl+shift+z")
        wait_until("it is there again", lambda: self.recipe().get("height") == 64)
        # What cannot be is said there, and not kept.
        d.click(d.find("Added to prompts", "text"))
        d.key("End")
        d.type(" {prompt} {prompt}")
        wait_until("it is said", lambda: any("stands for the prompt" in item.name for item in d.walk()))
        expect(self.recipe()["prompt"] == "{prompt}, wet ink", "the template is %s" % self.recipe()["prompt"])

        def takes_back():
            d.key("ctrl+z")
            return d.text(d.find("Added to prompts", "text")) == "{prompt}, wet ink"
        wait_until("what was typed is taken back", takes_back)
        wait_until("it is over", lambda: not any("stands for the prompt" in item.name and d.visible(item) for item in d.walk()))
        # The window's settings follow, in sight, and are what they were with another style.
        d.press("Create")
        wait_until("the template is shown", lambda: d.look("Drawn as “…, wet ink”", "label"))
        wait_until("the settings follow", lambda: (self.settings()["steps"], self.settings()["negative-prompt"]) == ("2", "fog"))
        expect(self.chosen("Size") == "As in the style", "the size is %s" % self.chosen("Size"))
        self.round = self.generate("bird")
        found = self.sql("SELECT prompt, negative_prompt, steps, width, height FROM rounds WHERE id = %d" % self.round)[0]
        expect(found == ("bird, wet ink", "fog", 2, 64, 64), "the round is %s" % (found,))
        self.choose("Style", "No style")
        wait_until("the settings are as before", lambda: all(
            self.settings()[key] == before[key] for key in ("steps", "negative-prompt", "shape", "sampler")))
        expect(not d.look("Drawn as “…, wet ink”", "label"), "the template is still shown")
        self.choose("Style", "ink")
        wait_until("it says so", lambda: "“ink” draws with its recipe: “{prompt}, wet ink”" in d.message())
        # What the artist says wins, and stays when the style goes.
        self.set_value("Candidates", "spin button", 3)
        self.set_text("Avoid", "rain")
        self.round = self.generate("bird")
        expect(self.sql("SELECT negative_prompt FROM rounds WHERE id = %d" % self.round)[0][0] == "rain", "it avoids something else")
        self.choose("Style", "No style")
        wait_until("the settings are as before", lambda: self.settings()["steps"] == before["steps"])
        expect(self.settings()["negative-prompt"] == "rain", "what was written is gone")
        self.set_text("Avoid", "")
        self.choose("Style", "ink")

    def shows_what_a_lesson_changed(self):
        d = self.desktop
        d.key("alt+o")
        self.set_value("Steps", "spin button", 6)  # two are too few to learn from
        d.key("alt+o")
        self.round = self.generate("bird")
        d.key("1")
        self.expect_places("Best", "Not chosen", "Not chosen")
        number = "SELECT v.number FROM styles s JOIN style_versions v ON v.id = s.current_version WHERE s.name = 'ink'"
        d.click(d.find("Teach", "button"))
        wait_until("it is taught", lambda: d.look("Stop Teaching"), 60)
        # A round that is asked for now waits, and takes nothing from the screen meanwhile.
        d.key("ctrl+l", "Return")
        d.find("Next: bird, wet ink", "label")
        self.expect_places("Best", "Not chosen", "Not chosen")
        d.click(self.card(2))
        d.key("Left", "Right")
        d.click(d.find("Earlier round", "button"))
        d.find("Round %d" % (self.round - 1), "label")
        d.click(d.find("Later round", "button"))
        self.expect_places("Best", "Not chosen", "Not chosen")
        d.click(d.find("Take the round out of the line", "button"))
        wait_until("teaching ends", lambda: self.sql(number)[0][0] == 2, TEACH_SECONDS, 1)
        wait_until("the picture is drawn", lambda: d.look("The same picture before and after:", "label"), ROUND_SECONDS)
        before, after = d.find("Before the lesson: Version 1", "button"), d.find("After the lesson: Version 2", "button")
        boxes = [button.queryComponent().getExtents(0) for button in (before, after)]
        for box in boxes:
            expect(d.colours(box.x + 20, box.y + 20, 100, 100) > 30, "there is no picture")
        expect(self.last_round() == self.round, "the picture is recorded as a round")
        d.shot(os.path.join(d.folder, "lesson.png"))
        d.click(after)
        time.sleep(1)
        d.key("Escape")
        d.click(d.find("Go Back", "button"))
        wait_until("the version before is in use", lambda: self.sql(number)[0][0] == 1)
        wait_until("the picture is gone", lambda: not d.look("Go Back", "button"))
        expect("Version 2" in d.message(), "the bar says: " + d.message())
        # The other answer, to the same lesson once more; and the picture need not be waited for.
        d.click(d.find("Teach", "button"))
        d.click(d.find("Keep", "button", TEACH_SECONDS))
        wait_until("it is gone", lambda: not d.look("Keep", "button"))
        wait_until("the version after is in use", lambda: self.sql(number)[0][0] == 3)
        more = d.find("Teach More", "button")
        expect(d.is_sensitive(more), "there is no way to teach more")
        wait_until("it says how sure it is", lambda: any("it would choose as you did in" in item.name for item in d.walk()))
        d.key("alt+3")
        expect("version 3" in d.find("ink", "list item").description.lower(), "the list says that the style is “%s”"
               % d.find("ink", "list item").description)
        d.key("alt+3")
        d.find("Strength", "slider").queryComponent().grabFocus()
        d.key("ctrl+z")
        wait_until("the version before is in use", lambda: self.sql(number)[0][0] == 1)
        d.key("alt+1")

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
        found = self.sql("SELECT id, seed FROM rounds WHERE prompt = 'house'")[0]
        wait_until("the rounds have faces", lambda: self.past("house") and self.past("bird, wet ink"))
        d.click(d.find("Words of earlier prompts"))
        d.type("HO")
        wait_until("others are gone", lambda: self.past("house") and not self.past("bird, wet ink"))
        d.click(self.past("house")[0])
        d.find("Round %d" % found[0], "label")
        d.click(self.past("house")[0], button=3)
        time.sleep(0.5)
        d.key("Down", "Down", "Return")  # Use These Settings
        wait_until("its prompt is there", lambda: self.prompt() == "house")
        wait_until("its seed is kept", lambda: self.settings().get("seed") == str(found[1])
                   and self.settings().get("fixed-seed") == "true")
        # The seed by itself.
        d.click(self.past("house")[0], button=3)
        time.sleep(0.5)
        d.key("Down", "Down", "Down", "Down", "Return")
        wait_until("the bar says so", lambda: str(found[1]) in d.message())
        words = d.find("Words of earlier prompts")
        d.click(words)
        d.key("ctrl+a", "ctrl+v")
        wait_until("it can be pasted", lambda: d.text(words) == str(found[1]))
        d.find("No round matches.", "label")
        d.key("ctrl+z")
        wait_until("the words are there again", lambda: d.text(words) == "HO" and self.past("house"))
        d.key("ctrl+a", "Delete")
        wait_until("all are there again", lambda: self.past("bird, wet ink"))
        self.choose_by_hand("Rounds of the style", "ink")
        wait_until("those of the style are left", lambda: self.past("bird, wet ink") and not self.past("house"))
        self.choose_by_hand("Rounds of the style", "Any style")
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
        where = self.card(1).queryComponent().getExtents(0)
        self.choose("Model", "Choose a model…")
        self.answer_file_dialog("Choose a Model", path, False)
        wait_until("the bar names the file", lambda: path in d.message())
        now = self.card(1).queryComponent().getExtents(0)
        expect((now.x, now.y, now.width, now.height) == (where.x, where.y, where.width, where.height),
               "the message moves the pictures")
        wait_until("the model is the last good one", lambda: self.chosen("Model") == "Starter model")
        d.focus("Penchant")
        self.generate("sun")
        expect(path not in d.message(), "the bar still says: " + d.message())

    def saves_settings_at_once(self):
        d = self.desktop
        d.xdotool("windowsize", d.window("Penchant"), "990", "720", "windowmove", d.window("Penchant"), "70", "50")
        d.key("ctrl+l", "ctrl+a")
        d.type("moon over water")
        self.set_value("Candidates", "spin button", 4)
        self.desktop.find("More settings").queryAction().doAction(0)
        self.desktop.find("Speed")
        self.choose("Speed", "Fast: 4 to 8 steps")
        time.sleep(1)
        self.geometry = d.geometry("Penchant")
        d.stop_gimp()
        found = self.settings()
        # What “Fast” brings along is no choice of its own any more.
        expect((found["prompt"], found["count"], found["speed"], found["steps"]) == ("moon over water", "4", "1", "0"),
               "the settings are %s" % found)

    def undoes_nothing_older(self):
        d = self.desktop
        d.start_gimp()
        self.reopen_window()
        wait_until("the window is where it was, %s" % self.geometry, lambda: d.geometry("Penchant") == self.geometry)
        picks = self.sql("SELECT COUNT(*) FROM valid_picks")
        expect(not d.is_sensitive(d.find("Undo")), "there is something to undo in a new window")
        d.key("Tab", "Tab")
        d.key("ctrl+z")
        time.sleep(0.5)
        expect(self.sql("SELECT COUNT(*) FROM valid_picks") == picks, "a vote of an earlier session is gone")

    def finds_a_moved_model(self):
        """A style of a model that is moved while the window is closed."""
        d = self.desktop
        folder, moved = os.path.join(d.folder, "here", "my model"), os.path.join(d.folder, "there", "moved")
        shutil.copytree(os.path.join(ROOT, "models", "starter"), folder)
        with open(os.path.join(folder, "unet", "config.json"), "a") as file:
            file.write("\n")  # it is another model than the starter by that
        d.key("ctrl+w")
        wait_until("the plug-in ends", lambda: self.pid() is None, 60)
        subprocess.run([os.path.join(d.build, "src/cli/penchant"), "style", "import", self.write_adapter("lost", 3),
                        "--model", folder], env=d.env, check=True)
        shutil.move(folder, moved)
        self.reopen_window()
        d.focus("Penchant")
        d.key("alt+3")
        self.click_row("ink")
        wait_until("it is shown", lambda: d.text(d.find("Name", "text")) == "ink")
        expect(not d.look("Find Its Model…", "button"), "a model that is there is to be found")
        self.click_row("lost")
        d.find("Find Its Model…", "button")
        d.click(d.find("Use This Style", "button"))
        wait_until("the bar says what is wrong", lambda: "no longer at" in d.message() and folder in d.message())
        for path, says in ((os.path.join(ROOT, "models", "starter"), "another one's"), (moved, "has its model again")):
            d.click(d.find("Find Its Model…", "button"))
            self.answer_file_dialog("The Model of the Style", path, False)
            wait_until("the bar says so", lambda: says in d.message())
            d.focus("Penchant")
        wait_until("it is not to be found any more", lambda: not d.look("Find Its Model…", "button"))
        d.press("Create")
        self.generate("sun")
        expect(self.sql("SELECT model_path FROM rounds ORDER BY id DESC")[0][0] == moved, "the round has another model")


run(Desk, Desktop, SETTINGS)
