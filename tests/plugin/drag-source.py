#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small window in the corner of the screen from which a file can be dragged, as out of a file manager.

drag-source.py: reads paths from its input, a line each; what is dragged is the latest.
"""

import sys

import gi

gi.require_version("Gdk", "3.0")
gi.require_version("Gtk", "3.0")
from gi.repository import Gdk, GLib, Gtk  # noqa: E402

path = ""


def on_line(source, condition):
    global path
    line = source.readline()
    path = line.rstrip("\n") if line else path
    window.set_title("drag " + path)
    return bool(line)


def on_get(widget, context, data, info, time):
    # File managers offer the name as text, too.
    if info == 0:
        data.set_uris([GLib.filename_to_uri(path)])
    else:
        data.set_text(path, -1)


window = Gtk.Window(title="drag", type_hint=Gdk.WindowTypeHint.UTILITY, decorated=False, accept_focus=False)
box = Gtk.EventBox()
box.add(Gtk.Label(label="drag"))
box.drag_source_set(Gdk.ModifierType.BUTTON1_MASK, [Gtk.TargetEntry.new("text/uri-list", 0, 0)], Gdk.DragAction.COPY)
box.drag_source_get_target_list().add_text_targets(1)
box.connect("drag-data-get", on_get)
window.add(box)
window.set_default_size(60, 40)
window.move(0, 0)
window.set_keep_above(True)
window.connect("destroy", Gtk.main_quit)
window.show_all()
GLib.io_add_watch(sys.stdin, GLib.IO_IN | GLib.IO_HUP, on_line)
Gtk.main()
