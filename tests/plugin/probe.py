#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plug-in that tests install beside Penchant: it looks into the running GIMP for them.

It starts with GIMP and listens at the socket PENCHANT_PROBE. A connection sends Python code and closes
its writing side; the code sees Gimp, Gegl, Gio, GLib and the function pixels(), and what it leaves in `result`
goes back as JSON.
"""

import json
import os
import socket
import sys
import traceback

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
from gi.repository import Gegl, Gimp, Gio, GLib  # noqa: E402

NAME = "plug-in-penchant-probe"


def pixels(drawable, x, y, width, height, format="R'G'B'A u8"):
    """The pixels of a drawable as bytes."""
    buffer = drawable.get_buffer()
    return bytes(buffer.get(Gegl.Rectangle.new(x, y, width, height), 1.0, format, Gegl.AbyssPolicy.NONE))


def answer(connection):
    code = b""
    while True:
        part = connection.recv(65536)
        if not part:
            break
        code += part
    space = {"Gimp": Gimp, "Gegl": Gegl, "Gio": Gio, "GLib": GLib, "pixels": pixels, "result": None}
    try:
        exec(code.decode(), space)
        reply = {"result": space["result"]}
    except Exception:
        reply = {"error": traceback.format_exc()}
    connection.sendall(json.dumps(reply).encode())
    connection.close()


class Probe(Gimp.PlugIn):
    def do_set_i18n(self, name):
        return False

    def do_query_procedures(self):
        return [NAME]

    def do_create_procedure(self, name):
        return Gimp.Procedure.new(self, name, Gimp.PDBProcType.PERSISTENT, self.run, None)

    def run(self, procedure, config, data):
        Gegl.init(None)
        path = os.environ["PENCHANT_PROBE"]
        if os.path.exists(path):
            os.unlink(path)
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen()

        def on_connection(source, condition):
            connection, _ = server.accept()
            answer(connection)
            return True

        GLib.unix_fd_add_full(GLib.PRIORITY_DEFAULT, server.fileno(), GLib.IOCondition.IN, on_connection)
        procedure.persistent_ready()
        self.persistent_enable()
        GLib.MainLoop().run()
        return procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, GLib.Error())


Gimp.main(Probe.__gtype__, sys.argv)
