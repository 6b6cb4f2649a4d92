# SPDX-License-Identifier: GPL-3.0-or-later
"""A damaged or restored database: no picture is ever overwritten, and what the pictures say comes back."""

import shutil

from program import ONE_PASS, TINY, generate, run, tensors
from tap import main


def pictures(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in (folder / "rounds").rglob("*")
            if path.is_file()}


def rounds(folder):
    return {row["round"]: row for row in run(folder, "history", "--json").of_type("round")}


def two_rounds(folder):
    run(folder, "generate", "--prompt", "a bird", "--negative", "dull", "--count", "3", "--seed", "5", *TINY,
        "--eta", "0.5", "--guidance", "4")
    run(folder, "generate", "--prompt", "a cat", "--count", "2", *TINY, "--steps", "6")


def damage(folder):
    database = folder / "penchant.db"
    database.write_bytes(b"no database" * 1000)
    for ending in ["-wal", "-shm"]:
        (folder / ("penchant.db" + ending)).unlink(missing_ok=True)


def remove_database(folder):
    for path in folder.glob("penchant.db*"):
        path.unlink()


def test_a_new_database_spares_the_pictures(folder):
    two_rounds(folder)
    before = pictures(folder)
    remove_database(folder)
    assert generate(folder) == "3"
    assert generate(folder) == "4"
    after = pictures(folder)
    assert {name: after[name] for name in before} == before and len(after) == len(before) + 12


def test_a_database_from_a_backup_spares_the_pictures(folder):
    two_rounds(folder)
    (folder / "backup").mkdir()
    for path in folder.glob("penchant.db*"):
        shutil.copy(path, folder / "backup")
    generate(folder)
    before = pictures(folder)
    remove_database(folder)
    for path in (folder / "backup").iterdir():
        shutil.copy(path, folder)
    assert generate(folder) == "4"
    after = pictures(folder)
    assert {name: after[name] for name in before} == before
    # The third round, made after the backup, can be brought back.
    assert "1 round" in run(folder, "store", "check", status=1).err
    run(folder, "store", "repair")
    assert sorted(rounds(folder)) == [1, 2, 3, 4]


def test_repair_brings_rounds_back(folder):
    two_rounds(folder)
    expected = rounds(folder)
    before = pictures(folder)
    damage(folder)
    done = run(folder, "history", status=1)
    assert "store repair" in done.err, done.err
    result, = run(folder, "store", "repair", "--json").of_type("result")
    assert result["rounds"] == 2 and "damaged-" in result["moved_to"], result
    found = rounds(folder)
    for number, row in expected.items():
        for key in ["prompt", "negative", "seed", "steps", "guidance", "eta", "width", "height", "state", "model"]:
            assert found[number].get(key) == row.get(key), (key, found[number], row)
    assert pictures(folder) == before
    # They can be picked and learnt from as before.
    run(folder, "pick", "2", "--best", "0")
    taught, = run(folder, "teach", "--style", "ink", *ONE_PASS, "--json").of_type("result")
    assert taught["picks"] == 1
    run(folder, "store", "check")
    assert "nothing" in run(folder, "store", "repair").out
    assert generate(folder) == "3"


def test_check_says_what_is_missing(folder):
    two_rounds(folder)
    assert "sound" in run(folder, "store", "check").out
    (folder / "rounds" / "1" / "0.png").unlink()
    result, = run(folder, "store", "check", "--json").of_type("result")
    assert result["missing"] == ["rounds/1/0.png"]
    (folder / "rounds" / "77").mkdir()
    (folder / "rounds" / "77" / "0.png").write_bytes(b"no picture")
    result, = run(folder, "store", "repair", "--json").of_type("result")
    assert result["unreadable"] == 1 and result["rounds"] == 0
    assert (folder / "rounds" / "77" / "0.png").exists()
    damage(folder)
    assert "repair" in run(folder, "store", "check", status=1).err


def taught(folder, *words):
    """The adapter that a lesson from all picks makes."""
    run(folder, "teach", "--style", "ink", "--seed", "3", "--epochs", "1", "--updates", "4", "--quiet", *words)
    run(folder, "style", "export", "ink", folder / "ink.safetensors")
    return tensors(folder / "ink.safetensors")


def test_a_budget_thins_the_oldest_rounds(folder):
    two_rounds(folder)
    for number in "12":
        run(folder, "pick", number, "--best", "1")
    shutil.copytree(folder, folder / "whole")
    before, = run(folder, "store", "size", "--json").of_type("size")
    assert before["rounds"] == 2 and before["thinned"] == 0 and before["trajectories"] > before["pictures"], before
    assert "2 rounds keep" in run(folder, "store", "size").out
    # One round has to go, and both.
    result, = run(folder, "store", "budget", "%dB" % (before["trajectories"] - 1), "--json").of_type("result")
    assert result["thinned"] == 1 and result["freed"] > 0, result
    files = pictures(folder)
    assert "rounds/1/0-thin.safetensors" in files and "rounds/2/0.safetensors" in files
    result, = run(folder, "store", "budget", "1", "--json").of_type("result")
    after, = run(folder, "store", "size", "--json").of_type("size")
    assert after["thinned"] == 2 and after["pictures"] == before["pictures"] and after["budget"] == 1, after
    assert after["trajectories"] == result["trajectories"] < before["trajectories"] / 2, (before, after)
    run(folder, "store", "check")
    # Lessons learn the same; those that look at the steps learn, too; and more like it can be drawn.
    assert taught(folder) == taught(folder / "whole")
    taught(folder, "--word", "off")
    run(folder, "generate", "--like", "1:0", "--count", "2")
    # The new round is over the budget as well, and after that without one it is not.
    assert "rounds/3/0-thin.safetensors" in pictures(folder)
    run(folder, "store", "budget", "none")
    generate(folder)
    assert "rounds/4/0.safetensors" in pictures(folder)
    for words in ["", "many", "-1", "5X", "1GG"]:
        assert "500M" in run(folder, "store", "budget", "--", words, status=2).err


main([test_a_budget_thins_the_oldest_rounds, test_a_new_database_spares_the_pictures, test_a_database_from_a_backup_spares_the_pictures,
      test_repair_brings_rounds_back, test_check_says_what_is_missing])
