#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""An artist's half hour (artist.py); prints TAP.

test-artist.py BUILD FOLDER [STEP...]
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from artist import Artist  # noqa: E402
from desktop import Desktop  # noqa: E402
from session import run  # noqa: E402

run(Artist, Desktop, "[penchant]\ncount=3\nsteps=6\nshape=1\n")
