# SPDX-License-Identifier: GPL-3.0-or-later
"""A damaged or restored database: no picture is ever overwritten, and what the pictures say comes back."""

import shutil

from program import ONE_PASS, TINY, generate, run
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


main([test_a_new_database_spares_the_pictures, test_a_database_from_a_backup_spares_the_pictures,
      test_repair_brings_rounds_back, test_check_says_what_is_missing])
