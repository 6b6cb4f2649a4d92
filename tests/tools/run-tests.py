#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the tests of one or more build folders and says how they went; ./dev test calls it.

run-tests.py [--sanitized BUILD] [--all] BUILD [NAME...]

NAME is a test's name or a suite's (cpu, gpu, gui, hostile, slow, long); without one, everything runs but
suite long, which --all adds. The tests that need neither a Vulkan device nor GIMP run a second time in the folder given by --sanitized.
The last line is "N passed, N failed, N skipped"; it counts the single cases of every test program.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys

CASE = re.compile(r"\s*(not )?ok\b\s*\d*\s*-?\s*(.*)")
NOT_SANITIZED = {"gpu", "gui", "slow"}
# The machine may be slow or busy: a test's own limit in its meson.build is for an idle one.
TIMEOUT_MULTIPLIER = "4"


def listed(build):
    """Every test of a build folder as (name, suites)."""
    text = subprocess.run(["meson", "introspect", "--tests", build], check=True, capture_output=True, text=True).stdout
    return [(test["name"], {suite.split(":")[-1] for suite in test["suite"]}) for test in json.loads(text)]


def run(build, names):
    """Runs the named tests and returns the log's entries."""
    home = os.path.join(build, "tests", "home")
    shutil.rmtree(home, ignore_errors=True)
    os.makedirs(home)
    log = os.path.join(build, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.remove(log)
    command = ["meson", "test", "-C", build, "--print-errorlogs", "--timeout-multiplier", TIMEOUT_MULTIPLIER, *names]
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

    plans = [(args.build, "", set())]
    if args.sanitized:
        plans.append((args.sanitized, " [sanitized]", NOT_SANITIZED))
    left_to_all = set() if args.all or args.names else {"long"}
    passed, failed, skipped, known = 0, [], 0, False
    for build, suffix, left_out in plans:
        chosen = [name for name, suites in listed(build)
                  if not suites & (left_out | left_to_all) and (not args.names or {name, *suites} & set(args.names))]
        known = known or bool(chosen)
        if not chosen:
            continue
        entries = run(build, chosen)
        if entries is None:
            failed.append("%s does not build or run" % build)
            continue
        for entry in entries:
            good, bad, left = count(entry)
            passed += good
            skipped += left
            failed += ["%s%s: %s" % (entry["name"].split(" / ")[-1], suffix, case) for case in bad]
    if args.names and not known:
        print("no test or suite is called %s" % " or ".join(args.names))
    if failed:
        print("\nFailed:")
        for case in failed:
            print("  " + case)
    print("%d passed, %d failed, %d skipped" % (passed, len(failed), skipped), flush=True)
    return 1 if failed or (args.names and not known) else 0


sys.exit(main())
