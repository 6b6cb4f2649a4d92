# SPDX-License-Identifier: GPL-3.0-or-later
"""Rounds of a prompt file: which they are does not depend on when and in how many goes they are made."""

import hashlib
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
from program import TINY, run, snapshot, start
from tap import main

PROMPTS = "a bird\n\n  a cat \r\na bird\n"
WORDS = ["--count", "2", *TINY, "--steps", "2"]


def list_words(folder, rounds, text=PROMPTS):
    (folder / "prompts.txt").write_text(text, newline="")
    return ["generate", "--prompts", folder / "prompts.txt", "--rounds", rounds, *WORDS]


def make(folder, rounds, *more, text=PROMPTS, store="store"):
    done = run(folder / store, *list_words(folder, rounds, text), *more, "--json")
    total, = done.of_type("rounds")
    return done.of_type("result"), total


def content(results):
    return [[hashlib.sha256(pathlib.Path(file).read_bytes()).hexdigest() for file in result["files"]]
            for result in results]


def test_rounds_are_taken_in_turn(folder):
    made, total = make(folder, 5)
    assert (total["rounds"], total["made"], total["were_there"]) == (5, 5, 0)
    assert [result["round"] for result in made] == [1, 2, 3, 4, 5]
    seeds = [result["seed"] for result in made]
    assert len(set(seeds)) == 5
    rows = run(folder / "store", "history", "--json").of_type("round")
    assert [row["prompt"] for row in reversed(rows)] == ["a bird", "a cat", "a bird", "a bird", "a cat"]
    # In two goes they are the same, with the same ids, and a third one makes nothing.
    first, total = make(folder, 2, store="other")
    assert content(first) == content(made[:2])
    again, total = make(folder, 5, store="other")
    assert (total["made"], total["were_there"]) == (3, 2)
    assert [result["was_there"] for result in again] == [True, True, False, False, False]
    assert [result["seed"] for result in again] == seeds and content(again) == content(made)
    before = snapshot(folder / "other")
    assert make(folder, 5, store="other")[1]["made"] == 0 and snapshot(folder / "other") == before
    plain = run(folder / "other", *list_words(folder, 5), "--out", folder / "out")
    assert plain.out.split() == ["1", "2", "3", "4", "5"] and len(list((folder / "out").iterdir())) == 10
    # Another prompt in front leaves the rounds of the others what they were.
    more, total = make(folder, 4, store="other", text="a dog\n" + PROMPTS)
    assert total["made"] == 1 and [result["seed"] for result in more[1:]] == seeds[:3]
    # Settings and seed tell rounds apart.
    assert make(folder, 1, "--guidance", "4.5", store="other")[1]["made"] == 1
    assert make(folder, 1, "--seed", "9", store="other")[1]["made"] == 1
    assert make(folder, 1, "--shared-noise", store="other")[1]["made"] == 1


def test_stopped_and_started_again(folder):
    made, _ = make(folder, 4)
    for how in [signal.SIGKILL, signal.SIGINT]:
        store = "store-%d" % how
        process = start(folder / store, *list_words(folder, 4), "--json")
        for line in process.stdout:
            if '"result"' in line:
                process.send_signal(how)
                break
        process.communicate()
        again, total = make(folder, 4, store=store)
        assert total["rounds"] == 4 and total["were_there"] >= 1, total
        assert content(again) == content(made)


def test_bad_lists(folder):
    text = folder / "prompts.txt"
    refused = lambda *words, status=2: run(folder / "store", "generate", *words, status=status).err
    for bad in [b"", b"\n \r\n", b"a bird\xff\n", b"a\0bird"]:
        text.write_bytes(bad)
        assert str(text) in refused("--prompts", text)
    refused("--prompts", folder / "none.txt", status=1)
    text.write_text("a bird\n")
    for words in [["--rounds", "0"], ["--rounds", "1000001"], ["--prompt", "a cat"], ["--like", "1:0"], ["--wide", "9"],
                  ["--from", text]]:
        refused("--prompts", text, *words)
    refused("--prompt", "a bird", "--rounds", "2")


main([test_rounds_are_taken_in_turn, test_stopped_and_started_again, test_bad_lists])
