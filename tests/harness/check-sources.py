#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks rules that no compiler checks, over the source tree given as argument; prints TAP.

With --update in front it writes po/POTFILES as it should be instead.
"""

import pathlib
import re
import sys

# What may be included by what comes after it; the last two do not include each other.
LAYERS = ["shaders", "compute", "src", "demo", "plugin"]
TOPS = {"demo", "plugin"}
FOLDERS = [*LAYERS, "docs", "models", "packaging", "po", "tests"]
TOP_FILES = {"CONTRIBUTING.md", "COPYING", "NEWS", "README.md", "dev", "meson.build", "meson.options"}
# Lines of a file that can be read at one go; the cases of a test stand one below the other.
MAX_LINES, MAX_TEST_LINES = 700, 900
CODE = {".c", ".h", ".cc", ".py", ".sh", ".comp", ".glsl"}


def sources(top):
    files = (path for folder in FOLDERS for path in (top / folder).rglob("*"))
    return sorted(path for path in files
                  if (path.suffix in CODE or path.name == "meson.build") and "data" not in path.parts)


def check_license(top, files):
    """Each file names its licence in its first lines."""
    return [path for path in files if "SPDX-License-Identifier: GPL-3.0-or-later" not in path.read_text()[:200]]


def check_layers(top, files):
    """No layer includes a header of a layer above it, nor a folder of src one that src/meson.build names later."""
    order = re.findall(r"^subdir\('([\w/]+)'\)", (top / "src" / "meson.build").read_text(), re.MULTILINE)

    def folder_of(inner):
        """studio/packs of studio/packs/pack.h, studio of studio/job.h."""
        return max((name for name in order if inner.startswith(name + "/")), key=len, default=None)

    wrong = []
    for path in files:
        layer, _, below = path.relative_to(top).as_posix().partition("/")
        if layer not in LAYERS:
            continue
        above = set(LAYERS[LAYERS.index(layer) + 1:]) | (TOPS - {layer} if layer in TOPS else set())
        folder = folder_of(below) if layer == "src" else None
        later = order[order.index(folder) + 1:] if folder else []
        for included, inner in re.findall(r'^#include "(\w+)/([^"]+)', path.read_text(), re.MULTILINE):
            if included in above or (included == "src" and folder_of(inner) in later):
                wrong.append("%s includes %s/%s" % (path, included, inner))
    return wrong


def check_length(top, files):
    """No file is longer than can be read at one go: 700 lines, a test 900."""
    return ["%s: %d lines" % (path, lines) for path in files
            for lines in [path.read_text().count("\n")]
            if lines > (MAX_TEST_LINES if path.relative_to(top).parts[0] == "tests" else MAX_LINES)]


def check_strays(top, files):
    """The top has the files and folders that README.md names, and nothing else but what is hidden or built."""
    known = TOP_FILES | set(FOLDERS)
    return [path for path in sorted(top.iterdir())
            if path.name not in known and not path.name.startswith((".", "build")) and not path.name.endswith("~")]


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
    checks = {"license": check_license, "layers": check_layers, "length": check_length, "strays": check_strays,
              "translations": check_translations}
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
