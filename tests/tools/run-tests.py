#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the tests of one or more build folders and says how they went; ./dev test calls it.

run-tests.py [--sanitized BUILD] [--all] BUILD [NAME...]

NAME is a test's name or a suite's (cpu, gpu, gui, hostile, slow, long); without one, everything runs but
suite long, which --all adds. The tests that need neither a Vulkan device nor GIMP run a second time in the folder given by --sanitized.
The last line is "N passed, N failed, N skipped"; it counts the single cases of every test program.

The tests in GIMP wait for a screen more than they compute, and measure how long it takes: one after the other, they
run beside all the others, which step back for them (step-back.sh).
"""

import argparse
import collections
import concurrent.futures
import json
import os
import re
import shlex
import shutil
import subprocess
import sys

CASE = re.compile(r"\s*(not )?ok\b\s*\d*\s*-?\s*(.*)")
STEP_BACK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "step-back.sh")
NOT_SANITIZED = {"gpu", "gui", "slow", "long"}
# The machine may be slow or busy: a test's own limit in its meson.build is for an idle one.
TIMEOUT_MULTIPLIER = "4"

# Tests of one build folder that run in one go.
Part = collections.namedtuple("Part", "build suffix log names rebuilds steps_back")


def listed(build):
    """Every test of a build folder as (name, suites)."""
    text = subprocess.run(["meson", "introspect", "--tests", build], check=True, capture_output=True, text=True).stdout
    return [(test["name"], {suite.split(":")[-1] for suite in test["suite"]}) for test in json.loads(text)]


def run(part):
    """Runs a part of the tests and returns the log's entries; None where they cannot run."""
    # Meson adds the name of a wrapper to that of the log.
    name = "%s-%s.json" % (part.log, os.path.basename(STEP_BACK)) if part.steps_back else part.log + ".json"
    log = os.path.join(part.build, "meson-logs", name)
    if os.path.exists(log):
        os.remove(log)
    command = ["meson", "test", "-C", part.build, "--print-errorlogs", "--timeout-multiplier", TIMEOUT_MULTIPLIER,
               "--logbase", part.log]
    command += [] if part.rebuilds else ["--no-rebuild"]
    command += ["--wrapper", shlex.quote(STEP_BACK)] if part.steps_back else []
    command += part.names
    status = subprocess.run(command).returncode
    if not os.path.exists(log):
        return None
    with open(log) as lines:
        entries = [json.loads(line) for line in lines]
    return entries if entries or status == 0 else None


def count(entry):
    """Cases of one test program: passed, names of the failed, skipped."""
    passed, failed, skipped = 0, [], 0
    for line in entry.get("stdout", "").splitlines():
        case = CASE.fullmatch(line)
        if not case:
            continue
        if re.search(r"#\s*(skip|todo)\b", case[2], re.IGNORECASE):
            skipped += 1
        elif case[1]:
            failed.append(case[2])
        else:
            passed += 1
    result = entry["result"]
    if result == "SKIP" and not passed + skipped:
        skipped = 1
    elif result not in ("OK", "SKIP", "EXPECTEDFAIL") and not failed:
        # Crashed or ran out of time: the case that was running has no line of its own.
        failed.append("%s (exit status %s)" % (result.lower(), entry.get("returncode")))
    elif result == "OK" and not passed + skipped + len(failed):
        passed = 1
    return passed, failed, skipped


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sanitized")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("build")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()

    left_to_all = set() if args.all or args.names else {"long"}

    def choose(build, left_out):
        return [(name, suites) for name, suites in listed(build)
                if not suites & (left_out | left_to_all) and (not args.names or {name, *suites} & set(args.names))]

    chosen = choose(args.build, set())
    gui = [name for name, suites in chosen if "gui" in suites]
    others = [name for name, suites in chosen if "gui" not in suites]
    # Two at once must not both build; ./dev has built all that the tests need.
    two = bool(gui and others)
    lanes = [[Part(args.build, "", "gui", gui, not two, False)], [Part(args.build, "", "testlog", others, not two, two)]]
    if args.sanitized:
        sanitized = [name for name, suites in choose(args.sanitized, NOT_SANITIZED)]
        lanes[1].append(Part(args.sanitized, " [sanitized]", "testlog", sanitized, True, two))
    lanes = [[part for part in lane if part.names] for lane in lanes]
    for build in {part.build for lane in lanes for part in lane}:
        home = os.path.join(build, "tests", "home")
        shutil.rmtree(home, ignore_errors=True)
        os.makedirs(home)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        done = pool.map(lambda lane: [(part, run(part)) for part in lane], lanes)
    passed, failed, skipped = 0, [], 0
    for part, entries in sum(done, []):
        if entries is None:
            failed.append("%s does not build or run" % part.build)
            continue
        for entry in entries:
            good, bad, left = count(entry)
            passed += good
            skipped += left
            failed += ["%s%s: %s" % (entry["name"].split(" / ")[-1], part.suffix, case) for case in bad]
    known = any(lanes)
    if args.names and not known:
        print("no test or suite is called %s" % " or ".join(args.names))
    if failed:
        print("\nFailed:")
        for case in failed:
            print("  " + case)
    print("%d passed, %d failed, %d skipped" % (passed, len(failed), skipped), flush=True)
    return 1 if failed or (args.names and not known) else 0


sys.exit(main())
