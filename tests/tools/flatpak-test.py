#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configures a build as the Flatpak manifest says, and checks where it would install; prints TAP.

flatpak-test.py MANIFEST

No Flatpak is needed, and none is built. As in Flatpak, where it lies in a read-only runtime, GIMP's own folder is not
there to be asked for.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]


def pc_files(folder):
    """GIMP's pkg-config files without the name of its folder for plug-ins."""
    for name in ["gimp-3.0", "gimpui-3.0"]:
        where = subprocess.run(["pkg-config", "--variable=pcfiledir", name], capture_output=True, text=True, check=True)
        text = pathlib.Path(where.stdout.strip(), name + ".pc").read_text()
        (folder / (name + ".pc")).write_text(re.sub(r"^gimplibdir=.*\n", "", text, flags=re.MULTILINE))


def main():
    manifest = yaml.safe_load(pathlib.Path(sys.argv[1]).read_text())
    prefix = manifest["build-options"]["prefix"]
    penchant = manifest["modules"][-1]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        pc_files(folder)
        done = subprocess.run(["meson", "setup", "--prefix", prefix, "--libdir", "lib", *penchant["config-opts"],
                               str(folder / "build"), str(ROOT)], capture_output=True, text=True,
                              env={**os.environ, "PKG_CONFIG_PATH": str(folder)})
        plan = {}
        if done.returncode == 0:
            plan = json.loads((folder / "build/meson-info/intro-installed.json").read_text())
    files = set(plan.values())
    data = prefix + "/share/"
    checks = {
        "the build can be configured without GIMP's own folder": done.returncode == 0,
        "everything goes below the extension's prefix": files and all(file.startswith(prefix + "/") for file in files),
        "the plug-in goes where GIMP looks": prefix + "/plug-ins/penchant/penchant" in files,
        "model and translations go where the program looks": data + "penchant/models/starter" in files
        and data + "locale/de/LC_MESSAGES/penchant.mo" in files,
        "what the manifest renames is there": data + "metainfo/org.penchant.Penchant.metainfo.xml" in files,
        "the extension is named as GIMP wants it": manifest["id"] == "org.gimp.GIMP.Plugin.Penchant"
        and prefix == "/app/extensions/Penchant" and manifest["branch"] == "3" and manifest["build-extension"],
    }
    print("1..%d" % len(checks))
    for number, (name, good) in enumerate(checks.items(), 1):
        print("%sok %d - %s" % ("" if good else "not ", number, name))
    if not all(checks.values()):
        print("\n".join("# " + line for line in (done.stdout + done.stderr + "\n".join(sorted(files))).splitlines()))
    return 0 if all(checks.values()) else 1


sys.exit(main())
