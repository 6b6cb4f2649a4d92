#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that every translation is complete and sound; prints TAP.

test-translations.py SOURCE_ROOT
"""

import os
import re
import subprocess
import sys
import tempfile


def messages(*command, cwd):
    """The msgids of a catalogue that the command writes to its standard output."""
    text = subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout
    found = set()
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if not line.startswith("#")]
        match = re.match(r'msgid ((?:"(?:[^"\\]|\\.)*"\n?)+)', "\n".join(lines))
        if match:
            found.add("".join(re.findall(r'"((?:[^"\\]|\\.)*)"', match[1])))
    return found - {""}


def main():
    root = sys.argv[1]
    po = os.path.join(root, "po")
    with open(os.path.join(po, "LINGUAS")) as file:
        languages = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    with open(os.path.join(po, "POTFILES")) as file:
        files = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    print("1..%d" % (2 * len(languages)))
    failed = number = 0
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "penchant.pot")
        subprocess.run(["xgettext", "--from-code=UTF-8", "-k_", "-kN_", "-kC_:1c,2", "-kNC_:1c,2", "-kngettext:1,2",
                        "-kg_dngettext:2,3", "-o", path, *files], cwd=root, check=True, capture_output=True)
        wanted = messages("msgcat", "--no-wrap", path, cwd=root)
        for language in languages:
            catalogue = os.path.join(po, language + ".po")
            number += 1
            checked = subprocess.run(["msgfmt", "--check-format", "--check-accelerators=_", "--check-domain", "-o",
                                      os.path.join(folder, "out.mo"), catalogue], capture_output=True, text=True)
            failed += checked.returncode != 0
            print("%sok %d - %s is sound" % ("not " if checked.returncode else "", number, language))
            for line in checked.stderr.splitlines() if checked.returncode else []:
                print("# " + line)
            number += 1
            translated = messages("msgattrib", "--no-wrap", "--translated", "--no-fuzzy", "--no-obsolete", catalogue,
                                  cwd=root)
            missing = sorted(wanted - translated)
            failed += bool(missing)
            print("%sok %d - %s is complete" % ("not " if missing else "", number, language))
            for message in missing[:10]:
                print("# missing: " + message)
            if len(missing) > 10:
                print("# and %d more" % (len(missing) - 10))
    return 1 if failed else 0


sys.exit(main())
