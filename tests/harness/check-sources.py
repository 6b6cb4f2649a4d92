#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks rules that no compiler checks, over the source tree given as argument; prints TAP.

With --update in front it writes po/POTFILES as it should be instead.
"""

import pathlib
import re
import sys

LAYERS = ["shaders", "compute", "src", "plugin"]
CODE = {".c", ".h", ".cc", ".py", ".sh", ".comp", ".glsl"}


def sources(top):
    folders = [*LAYERS, "models", "tests", "po", "docs"]
    files = (path for folder in folders for path in (top / folder).rglob("*"))
    return sorted(path for path in files
                  if (path.suffix in CODE or path.name == "meson.build") and "data" not in path.parts)


def check_license(top, files):
    """Each file names its licence in its first lines."""
    return [path for path in files if "SPDX-License-Identifier: GPL-3.0-or-later" not in path.read_text()[:200]]


def check_layers(top, files):
    """No layer includes a header of a layer above it."""
    wrong = []
    for path in files:
        layer = path.relative_to(top).parts[0]
        if layer not in LAYERS:
            continue
        above = LAYERS[LAYERS.index(layer) + 1:]
        for included in re.findall(r'^#include "(\w+)/', path.read_text(), re.MULTILINE):
            if included in above:
                wrong.append("%s includes %s/" % (path, included))
    return wrong


def translated(top, files):
    """The C files with text for people."""
    return [str(path.relative_to(top)) for path in files
            if path.suffix == ".c" and path.relative_to(top).parts[0] in LAYERS
            and re.search(r'\b((_|N_|C_|Q_|NC_|ngettext)\s*\(\s*"|g_dn?gettext\()', path.read_text())]


def check_translations(top, files):
    """po/POTFILES lists exactly the files with text for people (--update writes it)."""
    listed = (top / "po" / "POTFILES").read_text().splitlines()
    # Other kinds of file (desktop entries, AppStream data) are listed by hand.
    return sorted(set(translated(top, files)).symmetric_difference(name for name in listed if name.endswith(".c")))


def update_translations(top, files):
    potfiles = top / "po" / "POTFILES"
    kept = [line for line in potfiles.read_text().splitlines() if not line.endswith(".c")]
    potfiles.write_text("\n".join(kept + translated(top, files)) + "\n")


def main():
    top = pathlib.Path(sys.argv[-1])
    files = sources(top)
    if sys.argv[1] == "--update":
        return update_translations(top, files)
    checks = {"license": check_license, "layers": check_layers, "translations": check_translations}
    print("1..%d" % len(checks))
    status = 0
    for number, (name, check) in enumerate(checks.items(), 1):
        wrong = check(top, files)
        print("%sok %d %s" % ("not " if wrong else "", number, name))
        for item in wrong:
            print("%s: %s: %s" % (name, check.__doc__, item), file=sys.stderr)
            status = 1
    return status


sys.exit(main())
