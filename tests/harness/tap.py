# SPDX-License-Identifier: GPL-3.0-or-later
"""TAP for tests that are written in Python."""

import pathlib
import sys
import tempfile
import traceback


class Skip(Exception):
    pass


def main(tests):
    """Runs the tests, each with a folder of its own, and prints TAP."""
    print("1..%d" % len(tests), flush=True)
    failed = False
    for number, test in enumerate(tests, 1):
        name = test.__name__.replace("test_", "").replace("_", " ")
        with tempfile.TemporaryDirectory(prefix="penchant-") as folder:
            try:
                test(pathlib.Path(folder))
                print("ok %d %s" % (number, name), flush=True)
            except Skip as reason:
                print("ok %d %s # SKIP %s" % (number, name, reason), flush=True)
            except Exception:
                failed = True
                for line in traceback.format_exc().splitlines():
                    print("# " + line)
                print("not ok %d %s" % (number, name), flush=True)
    sys.exit(failed)
