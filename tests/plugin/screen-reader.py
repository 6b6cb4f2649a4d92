#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what a screen reader would say of itself, though nothing has the keyboard: an announcement a line."""

import pyatspi


def on_announcement(event):
    print(event.any_data, flush=True)


for kind in ("object:announcement", "object:notification"):
    pyatspi.Registry.registerEventListener(on_announcement, kind)
print("", flush=True)  # it listens
pyatspi.Registry.start()
