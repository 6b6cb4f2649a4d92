# SPDX-License-Identifier: GPL-3.0-or-later
"""A screen, a session bus and a GIMP of their own, driven as a person would: through AT-SPI and xdotool.

Programs call enter_session() first. Needs dbus-run-session, Xvfb, openbox, xdotool and pyatspi.
"""

import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from gi.repository import GLib

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


class Failure(Exception):
    """What a person would complain about."""


def enter_session():
    """Starts the program again with a session bus and a runtime folder of its own: accessibility buses
    of two runs at once, or of one that was killed, must not meet."""
    if "PENCHANT_SESSION" in os.environ:
        return
    folder = tempfile.mkdtemp(prefix="penchant-")
    env = dict(os.environ, PENCHANT_SESSION=folder, XDG_RUNTIME_DIR=folder)
    try:
        status = subprocess.run(["dbus-run-session", "--", sys.executable, *sys.argv], env=env).returncode
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(status)


def wait_until(what, condition, seconds=30, pause=0.1):
    """Waits until condition() is true; returns what it returned. What a condition looks at may go while it
    looks: AT-SPI's error is then as good as "not yet"."""
    end = time.monotonic() + seconds
    while True:
        gone = None
        try:
            value = condition()
        except GLib.Error as error:
            value, gone = None, error
        if value:
            return value
        if time.monotonic() > end:
            raise Failure("waited %d s in vain: %s" % (seconds, what)) from gone
        time.sleep(pause)


class Desktop:
    """One screen with one GIMP."""

    def __init__(self, build, folder, size="1280x900", env=None, gimprc=(), css=None, plug_ins=()):
        self.build = os.path.abspath(build)
        self.folder = os.path.abspath(folder)
        self.size = size
        self.gimprc = list(gimprc)
        self.plug_ins = plug_ins  # of GIMP's own, by their names
        self.processes = []
        self.gimp = None
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.profile = os.path.join(self.folder, "profile")
        self.data = os.path.join(self.folder, "data")
        self.env = dict(os.environ)
        self.env.update({
            "HOME": self.folder,
            "XDG_CONFIG_HOME": os.path.join(self.folder, "config"),
            "XDG_DATA_HOME": os.path.join(self.folder, "share"),
            "GIMP3_DIRECTORY": self.profile,
            "PENCHANT_DATA": self.data,
            "PENCHANT_PROBE": os.path.join(self.folder, "probe"),
            "PENCHANT_STALLS": os.path.join(self.folder, "stalls"),
            "GDK_BACKEND": "x11",
            "NO_AT_BRIDGE": "0",
            "GTK_A11Y": "atspi",
            "LC_ALL": "C.UTF-8",
        })
        self.env.update(env or {})
        if css:
            os.makedirs(os.path.join(self.env["XDG_CONFIG_HOME"], "gtk-3.0"))
            with open(os.path.join(self.env["XDG_CONFIG_HOME"], "gtk-3.0", "gtk.css"), "w") as file:
                file.write(css)

    # ------------------------------------------------------------------ starting and stopping

    def __enter__(self):
        try:
            self.start_screen()
            self.start_gimp()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exc):
        self.stop()

    def start(self, name, *command, **kwargs):
        log = open(os.path.join(self.folder, name + ".log"), "ab")
        process = subprocess.Popen(command, env=self.env, stdout=log, stderr=subprocess.STDOUT,
                                   start_new_session=True, restore_signals=False, **kwargs)
        self.processes.append(process)
        return process

    def start_screen(self):
        read, write = os.pipe()
        self.start("xvfb", "Xvfb", "-displayfd", str(write), "-screen", "0", self.size + "x24", "-nolisten", "tcp",
                   pass_fds=[write])
        os.close(write)
        with os.fdopen(read) as pipe:
            number = pipe.readline().strip()
        if not number:
            raise Failure("Xvfb did not start; see xvfb.log")
        self.env["DISPLAY"] = os.environ["DISPLAY"] = ":" + number
        self.start("openbox", "openbox")

    def start_gimp(self, *args):
        subprocess.run(["bash", os.path.join(ROOT, "tests", "tools", "gimp-profile.sh"), self.build, self.profile,
                        *self.gimprc], check=True, env=self.env)
        probe = os.path.join(self.profile, "plug-ins", "probe")
        os.makedirs(probe, exist_ok=True)
        shutil.copy(os.path.join(HERE, "probe.py"), os.path.join(probe, "probe.py"))
        for name in self.plug_ins:
            (folder,) = glob.glob("/usr/lib/*/gimp/3.0/plug-ins/" + name)
            if not os.path.exists(os.path.join(self.profile, "plug-ins", name)):
                shutil.copytree(folder, os.path.join(self.profile, "plug-ins", name))
        # Only the plug-ins that are needed: asking each what it does takes GIMP ten seconds otherwise.
        with open(os.path.join(self.profile, "gimprc"), "a") as file:
            file.write('(plug-in-path "%s")\n' % os.path.join(self.profile, "plug-ins"))
        if os.path.exists(self.env["PENCHANT_PROBE"]):
            os.unlink(self.env["PENCHANT_PROBE"])
        stall = os.path.join(self.build, "tests", "plugin", "libstall.so")
        self.gimp = self.start("gimp", "env", "LD_PRELOAD=" + stall, "gimp-3.0", "--no-splash", "--new-instance", *args)
        wait_until("GIMP starts", lambda: os.path.exists(self.env["PENCHANT_PROBE"]) and self.probe("result = 1"), 90)

    def stop_gimp(self):
        """As when the session ends."""
        self.end(self.gimp)

    def end(self, process):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process in self.processes:
            self.processes.remove(process)

    def stop(self):
        for process in reversed(list(self.processes)):
            self.end(process)

    # ------------------------------------------------------------------ looking into GIMP

    def probe(self, code):
        """Runs Python in GIMP (probe.py); returns its `result`."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(self.env["PENCHANT_PROBE"])
            connection.sendall(code.encode())
            connection.shutdown(socket.SHUT_WR)
            reply = b""
            while True:
                part = connection.recv(1 << 20)
                if not part:
                    break
                reply += part
        reply = json.loads(reply)
        if "error" in reply:
            raise Failure("in GIMP: " + reply["error"])
        return reply["result"]

    def command(self, *args, check=True, data=None):
        """The command line on the same store, or that of another data folder."""
        env = {**self.env, **({"PENCHANT_DATA": data} if data else {})}
        result = subprocess.run([os.path.join(self.build, "src", "cli", "penchant"), *args], env=env,
                                capture_output=True, text=True)
        if check and result.returncode:
            raise Failure("penchant %s: %s" % (" ".join(args), result.stderr))
        return result.stdout

    # ------------------------------------------------------------------ hands

    def xdotool(self, *args):
        return subprocess.run(["xdotool", *args], env=self.env, check=True, capture_output=True, text=True).stdout.strip()

    def key(self, *keys):
        self.xdotool("key", "--delay", "30", *keys)

    def type(self, text):
        self.xdotool("type", "--delay", "15", text)

    def click(self, widget, button=1, keys=(), dx=0.5, dy=0.5):
        """With the mouse, in the middle of a widget or at the given share of it."""
        box = widget.queryComponent().getExtents(0)
        for key in keys:
            self.xdotool("keydown", key)
        self.xdotool("mousemove", str(int(box.x + box.width * dx)), str(int(box.y + box.height * dy)))
        self.xdotool("click", str(button))
        for key in keys:
            self.xdotool("keyup", key)

    def window(self, title, seconds=15):
        """The id of the visible window of that exact title."""
        def look():
            found = subprocess.run(["xdotool", "search", "--onlyvisible", "--name", "^%s$" % title], env=self.env,
                                   capture_output=True, text=True).stdout.split()
            return found[-1] if found else None
        return wait_until("a window “%s”" % title, look, seconds)

    def geometry(self, title):
        """Place and size of a window."""
        lines = self.xdotool("getwindowgeometry", "--shell", self.window(title)).split()
        return {name: int(value) for name, value in (line.split("=") for line in lines) if name in ("X", "Y", "WIDTH", "HEIGHT")}

    def has_window(self, title):
        return subprocess.run(["xdotool", "search", "--onlyvisible", "--name", "^%s$" % title], env=self.env,
                              capture_output=True).returncode == 0

    def focus(self, title):
        window = self.window(title)
        self.xdotool("windowactivate", "--sync", window)
        return window

    def shot(self, path, window=None):
        """A picture of a window, or of the screen."""
        subprocess.run(["import", "-window", window or "root", path], env=self.env, check=True)

    def signature(self, x, y, width, height):
        """Of the pixels of a rectangle of the screen: the same for the same."""
        return subprocess.run(["import", "-window", "root", "-crop", "%dx%d+%d+%d" % (width, height, x, y), "-format", "%#",
                               "info:"], env=self.env, check=True, capture_output=True, text=True).stdout.strip()

    def colours(self, x, y, width, height):
        """How many colours a rectangle of the screen has."""
        shot = subprocess.run(["import", "-window", "root", "-crop", "%dx%d+%d+%d" % (width, height, x, y), "-format", "%k",
                               "info:"], env=self.env, capture_output=True, text=True).stdout.strip()
        return int(shot or 0)

    # ------------------------------------------------------------------ ears

    def listen(self):
        """From now on said() knows what a screen reader is told to say."""
        self.start("screen-reader", sys.executable, os.path.join(HERE, "screen-reader.py"))
        wait_until("the screen reader listens", lambda: os.path.getsize(os.path.join(self.folder, "screen-reader.log")))

    def said(self):
        with open(os.path.join(self.folder, "screen-reader.log")) as file:
            return file.read().splitlines()

    # ------------------------------------------------------------------ eyes

    def app(self, name="penchant"):
        """The accessible application of that name, the latest one."""
        import pyatspi
        def look():
            found = None
            for application in pyatspi.Registry.getDesktop(0):
                try:
                    if application and application.name.startswith(name) and application.childCount:
                        found = application
                except Exception:
                    pass
            return found
        return wait_until("the application “%s” speaks to AT-SPI" % name, look)

    def walk(self, root=None):
        """Every accessible object that is on the screen."""
        stack = [root or self.app()]
        while stack:
            item = stack.pop()
            if item is None:
                continue
            yield item
            try:
                stack.extend(item[i] for i in range(item.childCount - 1, -1, -1))
            except Exception:
                pass

    def visible(self, item):
        import pyatspi
        states = item.getState()
        return states.contains(pyatspi.STATE_SHOWING) and states.contains(pyatspi.STATE_VISIBLE)

    def look(self, name, role=None, root=None):
        """The showing widget of that name (and role, e.g. "push button"), or None."""
        for item in self.walk(root):
            try:
                if item.name == name and (role is None or item.getRoleName() == role) and self.visible(item):
                    return item
            except Exception:
                continue
        return None

    def reveal(self, name, role=None, root=None):
        """A widget that is scrolled away, or None. The wheel is turned at the edge of its pane, where it changes no
        value: to the top and then down, for nobody says where a widget is that does not show."""
        for item in self.walk(root):
            try:
                if item.name != name or (role is not None and item.getRoleName() != role):
                    continue
                pane = item.parent
                while pane is not None and pane.getRoleName() != "scroll pane":
                    pane = pane.parent
                if pane is None or not self.visible(pane):
                    continue
                edge = pane.queryComponent().getExtents(0)
            except Exception:
                continue
            self.xdotool("mousemove", str(edge.x + 3), str(edge.y + edge.height // 2))
            self.xdotool("click", "--repeat", "40", "--delay", "5", "4")
            for _ in range(40):
                time.sleep(0.05)
                if self.visible(item):
                    return item
                self.xdotool("click", "5")
        return None

    def bring(self, widget):
        """The whole of a widget into sight, by the wheel."""
        pane = widget.parent
        while pane is not None and pane.getRoleName() != "scroll pane":
            pane = pane.parent
        if pane is None:
            return
        edge, before = pane.queryComponent().getExtents(0), None
        self.xdotool("mousemove", str(edge.x + 3), str(edge.y + edge.height // 2))
        for _ in range(60):
            box = widget.queryComponent().getExtents(0)
            if box.y < edge.y:
                self.xdotool("click", "4")
            elif box.y + box.height > edge.y + edge.height:
                self.xdotool("click", "5")
            elif before == box.y:  # and it has come to rest
                return
            before = box.y
            time.sleep(0.3)

    def find(self, name, role=None, seconds=15, root=None):
        return wait_until("a widget “%s”" % name,
                          lambda: self.look(name, role, root) or self.reveal(name, role, root), seconds)

    def press(self, name, role=None, seconds=15):
        """As a screen reader does."""
        widget = self.find(name, role, seconds)
        wait_until("“%s” can be used" % name, lambda: self.is_sensitive(widget), seconds)
        widget.queryAction().doAction(0)
        return widget

    def is_sensitive(self, widget):
        import pyatspi
        return widget.getState().contains(pyatspi.STATE_SENSITIVE)

    def is_checked(self, widget):
        import pyatspi
        return widget.getState().contains(pyatspi.STATE_CHECKED)

    def is_expanded(self, widget):
        import pyatspi
        return widget.getState().contains(pyatspi.STATE_EXPANDED)

    def focused_text(self):
        """The text field that the keyboard writes into, or None."""
        import pyatspi
        for item in self.walk():
            try:
                if item.getRoleName() == "text" and item.getState().contains(pyatspi.STATE_FOCUSED):
                    return item
            except Exception:
                continue
        return None

    def text(self, widget):
        text = widget.queryText()
        return text.getText(0, text.characterCount)

    def message(self):
        """The text of the message bar, or ""."""
        for item in self.walk():
            if item.getRoleName() in ("alert", "info bar") and self.visible(item):
                return "\n".join(label.name for label in self.walk(item) if label.getRoleName() == "label")
        return ""

    def open_penchant(self):
        """Filters > Penchant… in any language, as a screen reader does."""
        def look():
            for item in self.walk(self.app("gimp")):
                try:
                    if item.getRoleName() == "menu item" and item.name.startswith("Penchant"):
                        return item
                except Exception:
                    continue
            return None
        wait_until("GIMP's menu has Penchant", look).queryAction().doAction(0)
        self.focus("Penchant")
