# SPDX-License-Identifier: GPL-3.0-or-later
"""Several processes make the rounds of a list as one does: the same rounds under the same ids, one store, and nothing
lost when one of them dies.

test-mpi.py PENCHANT DATA PENCHANT-MPI
"""

import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
from program import TINY, run, snapshot
from tap import Skip, main

MPI = os.path.abspath(sys.argv[3]) if len(sys.argv) > 3 else None
WORDS = ["--count", "2", *TINY, "--steps", "2"]
# As root, on a machine of fewer cores than processes, and without a look at other networks.
OPEN_MPI = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "PRTE_ALLOW_RUN_AS_ROOT": "1", "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "OMPI_MCA_btl": "self,vader,sm", "LP_NUM_THREADS": "1"}


def command(folder, n, *words):
    if not MPI or not shutil.which("mpirun"):
        raise Skip("there is no MPI")
    environment = {**os.environ, **OPEN_MPI, "PENCHANT_DATA": str(folder), "TMPDIR": str(folder.parent)}
    return subprocess.Popen(["mpirun", "--oversubscribe", "-n", str(n), MPI, *map(str, words)], env=environment,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def mpi(folder, n, *words, status=0):
    process = command(folder, n, *words)
    try:
        out, err = process.communicate(timeout=250)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode == status, (process.returncode, out, err)
    return out, err


def rounds(folder):
    """The complete rounds: what was asked for, and the content of their pictures."""
    rows = run(folder, "history", "--limit", "1000", "--json").of_type("round")
    return {row["round"]: (row["prompt"], row["seed"], row["sampler"], row["style"],
                           [hashlib.sha256(pathlib.Path(file).read_bytes()).hexdigest() for file in row["files"]])
            for row in rows if row["state"] == "complete"}


def list_words(folder, n):
    (folder / "prompts.txt").write_text("a bird\na cat\na dog\n")
    return ["generate", "--prompts", folder / "prompts.txt", "--rounds", n, *WORDS]


def test_two_do_what_one_does(folder):
    words = list_words(folder, 6)
    run(folder / "one", "style", "create", "ink")
    shutil.copytree(folder / "one", folder / "two")
    run(folder / "one", *words, "--style", "ink")
    out, err = mpi(folder / "two", 2, *words, "--style", "ink")
    alone, together = rounds(folder / "one"), rounds(folder / "two")
    assert len(alone) == 6 and together == alone, (alone, together)
    assert sorted(map(int, out.split())) == [1, 2, 3, 4, 5, 6], out
    assert "sound" in run(folder / "two", "store", "check").out
    # What both write is what a lesson needs; and neither makes again what the other has made.
    for store, again in [("one", lambda: mpi(folder / "one", 2, *words, "--style", "ink")),
                         ("two", lambda: run(folder / "two", *words, "--style", "ink"))]:
        before = snapshot(folder / store)
        again()
        assert snapshot(folder / store) == before, store
    trajectories = [sorted(path.name for path in (folder / store / "rounds").rglob("*.safetensors"))
                    for store in ("one", "two")]
    assert trajectories[0] == trajectories[1] and len(trajectories[0]) == 12
    assert not list(folder.glob("penchant-*")), "copies are left"


def children(process):
    """The processes of penchant-mpi below mpirun, by rank."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        try:
            name = (entry / "comm").read_text().strip()
            environment = (entry / "environ").read_bytes().split(b"\0")
        except (OSError, ValueError):
            continue
        if not entry.name.isdigit() or name != "penchant-mpi":
            continue
        values = dict(word.split(b"=", 1) for word in environment if b"=" in word)
        if values.get(b"TMPDIR", b"").decode() == process:
            found[int(values.get(b"OMPI_COMM_WORLD_RANK", b"0"))] = int(entry.name)
    return found


def test_one_dies(folder):
    words = list_words(folder, 5)
    run(folder / "one", *words)
    alone = rounds(folder / "one")
    for rank in (1, 0):
        store = folder / ("killed-%d" % rank)
        process = command(store, 2, *words, "--json")
        line = process.stdout.readline()
        while '"result"' not in line:
            assert line, process.stderr.read()
            line = process.stdout.readline()
        os.kill(children(str(folder))[rank], signal.SIGKILL)
        out, err = process.communicate(timeout=120)
        assert process.returncode != 0 and err, (rank, out, err)
        there = rounds(store)
        assert there and all(entry in alone.values() for entry in there.values()), there
        mpi(store, 2, *words)
        assert sorted(rounds(store).values()) == sorted(alone.values())
        assert "sound" in run(store, "store", "check").out


def test_bad_requests(folder):
    for words, expected in [(["generate", "--prompt", "a bird"], "--prompts"), (["teach", "--style", "x"], "one process"),
                            (["generate", "--prompts", folder / "none", "--style", "nobody"], "nobody")]:
        started = time.time()
        out, err = mpi(folder / "store", 2, *words, status=2)
        assert len([line for line in err.splitlines() if line.startswith("penchant")]) == 1 and expected in err, err
        assert time.time() - started < 60


main([test_two_do_what_one_does, test_one_dies, test_bad_requests])
