# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs: rounds go to other people, and their picks come back; whatever is wrong with one, the store stays as it was."""

import atexit
import copy
import io
import json
import pathlib
import shutil
import sys
import tarfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
from program import ONE_PASS, TINY, run, snapshot
from tap import main

INDEX = "penchant-pack.json"
NAMES = {"anna": {"PENCHANT_ARTIST": "anna"}, "bo": {"PENCHANT_ARTIST": "bo"}, "cy": {"PENCHANT_ARTIST": "cy"}}


def one(folder, *words, **more):
    result, = run(folder, *words, "--json", **more).of_type("result")
    return result


def pick(folder, artist, *orders):
    for number, order in enumerate(orders, 1):
        if order:
            run(folder, "pick", str(number), "--order", order, env=NAMES[artist])


def history(folder, artist):
    return {row["round"]: row for row in run(folder, "history", "--json", env=NAMES[artist]).of_type("round")}


def pictures(folder):
    return {row["prompt"]: [pathlib.Path(file).read_bytes() for file in row["files"]]
            for row in history(folder, "anna").values()}


made = None  # a store of three rounds, two of which teach a style, copied by each test


def studio(folder):
    global made
    if not made:
        made = pathlib.Path(folder.parent) / (folder.name + "-made")
        atexit.register(shutil.rmtree, made, True)
        run(made, "style", "create", "ink")
        for prompt, style in [("a bird", ["--style", "ink"]), ("a cat", ["--style", "ink"]), ("a dog", [])]:
            run(made, "generate", "--prompt", prompt, "--count", "3", "--seed", "5", *TINY, "--steps", "6", *style)
    store = folder / "studio"
    shutil.copytree(made, store)
    return store


def entries(pack):
    """The pack's files, by name."""
    with tarfile.open(pack) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}


def write(path, files, index=None, tweak=None):
    """A pack of these files, with another index or with one more entry."""
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            if name == INDEX and index is not None:
                content = json.dumps(index).encode() if not isinstance(index, bytes) else index
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        if tweak:
            tweak(archive)


def test_there_and_back(folder):
    store = studio(folder)
    pick(store, "anna", "2>0=1", "", "0>1>2")
    whole, light = folder / "whole.tar", folder / "light.tar"
    assert one(store, "store", "export", whole) | {"file": 0} == {"type": "result", "file": 0, "rounds": 3, "picks": 2}
    one(store, "store", "export", "--light", "--rounds", "1-2", light)
    assert light.stat().st_size < whole.stat().st_size / 2
    assert sorted(entries(light))[0] == INDEX and not any(name.endswith(".safetensors") for name in entries(light))
    with tarfile.open(whole) as archive:
        assert archive.getnames()[0] == INDEX
    # Elsewhere they are the same, and come twice without being there twice.
    away = folder / "away"
    result = one(away, "store", "merge", whole)
    assert (result["rounds"], result["known"], result["picks"], result["first"]) == (3, 0, 2, 1), result
    assert pictures(away) == pictures(store)
    rows = history(away, "anna")
    assert rows[1]["order"] == "2>0=1" and rows[2]["order"] is None and rows[3]["order"] == "0>1>2"
    for number, row in history(store, "anna").items():
        for key in ["prompt", "seed", "steps", "guidance", "eta", "sampler", "width", "model", "created", "state"]:
            assert rows[number][key] == row[key], key
    assert history(away, "bo")[1]["order"] is None and history(away, "bo")[1]["others"] == {"anna": "2>0=1"}
    before = snapshot(away)
    for file in [whole, light, whole]:
        result = one(away, "store", "merge", file)
        assert result["rounds"] == 0 and result["picks"] == 0 and result["completed"] == 0
    assert snapshot(away) == before
    assert "sound" in run(away, "store", "check").out
    # At home nothing changes either, and what comes back is what went.
    before = snapshot(store)
    back = folder / "back.tar"
    one(away, "store", "export", back)
    assert entries(back).keys() == entries(whole).keys()
    one(store, "store", "merge", back)
    assert snapshot(store) == before
    # A round that was thrown away stays away.
    run(away, "history", "delete", "2")
    result = one(away, "store", "merge", whole)
    assert result["deleted"] == 1 and result["rounds"] == 0
    run(away, "store", "export", "--rounds", "2", back, status=1)
    run(away, "store", "export", "--picks", "--rounds", "9-", back, status=2)


def test_two_artists(folder):
    store = studio(folder)
    light = folder / "light.tar"
    one(store, "store", "export", "--light", "--rounds", "1-2", light)
    files = []
    for artist, orders in [("bo", ["1>0=2", "0>1=2"]), ("cy", ["1>0=2", "2>0=1"])]:
        one(folder / artist, "store", "merge", light)
        pick(folder / artist, artist, *orders)
        files.append(folder / (artist + "-picks.tar"))
        run(folder / artist, "generate", "--prompt", "a house", "--count", "2", *TINY)  # nobody else's
        run(folder / artist, "pick", "3", "--best", "1", env=NAMES[artist])
        assert one(folder / artist, "store", "export", "--picks", "--of", light, files[-1])["picks"] == 2
        assert files[-1].stat().st_size < 8000
    # Bo changes his mind, and both files arrive, the old one last.
    pick(folder / "bo", "bo", "2>0=1")
    files.append(folder / "bo-later.tar")
    one(folder / "bo", "store", "export", "--picks", "--rounds", "1-2", files[-1])
    other = folder / "other"
    shutil.copytree(store, other)
    for place, order in [(store, [0, 1, 2]), (other, [2, 1, 0, 2])]:
        for n in order:
            one(place, "store", "merge", files[n])
        rows = history(place, "anna")
        assert rows[1]["others"] == {"bo": "2>0=1", "cy": "1>0=2"}, rows[1]
        assert rows[2]["others"] == {"bo": "0>1=2", "cy": "2>0=1"} and rows[2]["order"] is None
        style, = run(place, "styles", "--json").of_type("style")
        assert style["picks"] == 4 and style["artists"] == [{"name": "bo", "picks": 2}, {"name": "cy", "picks": 2}]
        assert style["agreement"] == [{"one": "bo", "other": "cy", "pairs": 2, "alike": 0}], style["agreement"]
    # Taught by one of them, or by both; undo is not about other people's picks.
    words = ["teach", "--style", "ink", "--seed", "1", *ONE_PASS, "--timesteps-per-update", "0",
             "--word", "off", "--fresh"]
    assert one(store, *words, "--artists", "bo")["picks"] == 2
    assert one(store, *words)["picks"] == 4
    assert "bo, cy" in run(store, *words, "--artists", "dora", status=2).err
    run(other, "undo", status=1)


def test_light_first(folder):
    """What a light pack lacks comes with a whole one; a farm that never picked can teach."""
    store = studio(folder)
    whole, light = folder / "whole.tar", folder / "light.tar"
    one(store, "store", "export", "--light", light)
    pick(store, "anna", "1>0=2")
    one(store, "store", "export", whole)
    farm = folder / "farm"
    one(farm, "store", "merge", light)
    words = ["teach", "--style", "mine", *ONE_PASS, "--timesteps-per-update", "0", "--word", "off"]
    result = one(farm, "store", "merge", whole)
    assert (result["rounds"], result["known"], result["completed"], result["picks"]) == (0, 3, 3, 1), result
    assert one(farm, *words, env=NAMES["bo"])["picks"] == 1
    assert "sound" in run(farm, "store", "check").out


def refused(store, path, *expected, status=(1, 2)):
    before = snapshot(store)
    error = run(store, "store", "merge", path, status=status).err
    assert len(error.splitlines()) == 1 and error.startswith("penchant: "), error
    for text in expected:
        assert text in error, error
    after = snapshot(store)
    assert after == before, (path, error)


def test_hostile(folder):
    store = studio(folder)
    pick(store, "anna", "2>0=1")
    good, bad, victim = folder / "good.tar", folder / "bad.tar", folder / "victim"
    one(store, "store", "export", good)
    files = entries(good)
    index = json.loads(files[INDEX])
    one(victim, "store", "artist")

    def edited(change, *expected):
        other = copy.deepcopy(index)
        change(other)
        write(bad, files, other)
        refused(victim, bad, *expected)

    edited(lambda i: i.update(version=2), "newer Penchant")
    edited(lambda i: i.update(format="zip"), "no pack")
    edited(lambda i: i.update(rounds=[{}] * 1000000), "1000000")
    edited(lambda i: i.update(rounds={}))
    edited(lambda i: i.pop("rounds"))
    edited(lambda i: i["picks"][0].update(content="0" * 64), "not here")
    edited(lambda i: i["picks"][0].update(ranks=[1, 0]))
    edited(lambda i: i["picks"][0].update(ranks=[1] * 99))
    edited(lambda i: i["picks"][0].update(ranks=[1, "a", 0]))
    edited(lambda i: i["picks"][0].update(artist="an\nna"))
    edited(lambda i: i["picks"][0].update(created="now"))
    edited(lambda i: i["rounds"][0].update(content="../../../../etc"))
    edited(lambda i: i["rounds"][0].update(content="0" * 64))
    edited(lambda i: i["rounds"][0].update(prompt="another"))
    edited(lambda i: i["rounds"][0].update(width=64), "damaged")
    edited(lambda i: i["rounds"][0].update(width=10 ** 9))
    edited(lambda i: i["rounds"][0].update(steps=-1))
    edited(lambda i: i["rounds"][0].update(guidance=1e300))
    edited(lambda i: i["rounds"][0].update(seed=1e300))
    edited(lambda i: i["rounds"][0].update(start=1))
    edited(lambda i: i["rounds"][0].update(state=7))
    edited(lambda i: i["rounds"][0].update(prompt=None))
    edited(lambda i: i["rounds"][0]["candidates"][0].update(picture="0" * 64))
    edited(lambda i: i["rounds"][0]["candidates"][0].pop("picture"))
    edited(lambda i: i["rounds"][0]["candidates"][0].update(trajectory="0" * 64), "damaged")
    edited(lambda i: i["rounds"][0].update(candidates=[]))
    edited(lambda i: i["rounds"][0].update(candidates=i["rounds"][0]["candidates"] * 9))
    for text in [b"", b"{", b"[" * 100000, b"\xff", b"[]", b"null", b'{"format": "penchant pack", "version": 1}']:
        write(bad, files, text)
        refused(victim, bad)

    def link(kind, target):
        def tweak(archive):
            info = tarfile.TarInfo("rounds/link")
            info.type, info.linkname = kind, target
            archive.addfile(info)
        return tweak

    def file(name):
        return lambda archive: archive.addfile(tarfile.TarInfo(name))

    for tweak in [link(tarfile.SYMTYPE, "/etc/passwd"), link(tarfile.LNKTYPE, INDEX), link(tarfile.CHRTYPE, ""),
                  link(tarfile.FIFOTYPE, ""), link(tarfile.DIRTYPE, ""), file("../escaped"), file("/tmp/escaped"),
                  file("rounds/../../escaped"), file("rounds//x"), file("rounds/x\ny"), file("extra.png"), file("a" * 300)]:
        write(bad, files, tweak=tweak)
        refused(victim, bad)
    assert not (folder / "escaped").exists()
    # Cut off anywhere, or changed.
    whole = good.read_bytes()
    for size in [0, 1, 100, 511, 512, 600, 1024, len(whole) // 3, len(whole) // 2, len(whole) - 2000]:
        bad.write_bytes(whole[:size])
        refused(victim, bad)
    for at in [0, 124, 300, len(whole) // 3, len(whole) // 2]:
        bad.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1:])
        refused(victim, bad)
    for name in list(files)[1:4]:
        write(bad, {other: content for other, content in files.items() if other != name})
        refused(victim, bad, "copied to its end")
    write(bad, {name: files[name] for name in reversed(files)})
    refused(victim, bad, "no pack")
    for other in [pathlib.Path("/dev/null"), folder / "none.tar", folder]:
        refused(victim, other)
    # Picks alone, of rounds that are not there.
    one(store, "store", "export", "--picks", bad)
    refused(victim, bad, "anna", "not here")
    # The good one still is.
    assert one(victim, "store", "merge", good)["rounds"] == 3


main([test_there_and_back, test_two_artists, test_light_first, test_hostile])
