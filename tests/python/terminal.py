"""Runs `dwarves` in a terminal (a pty) of a given size, as a person does, and gives what was on it."""

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

from harness import binary, environment

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, *arguments, cwd, columns=80, rows=24, **settings):
        settings = {key.replace("__", "."): value for key, value in settings.items()}
        # As a person has it, who did not ask for a log.
        env = environment(settings)
        env.pop("RUST_LOG", None)
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.ours = ours
        self.text = ""
        self.process = subprocess.Popen(
            [binary(), *map(str, arguments)], cwd=cwd, env=env, stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.ours)

    def read(self, secs):
        """Reads what comes within these seconds; False once nothing more can come."""
        if not select.select([self.ours], [], [], secs)[0]:
            return True
        try:
            data = os.read(self.ours, 65_536)
        except OSError:
            return False
        self.text += data.decode(errors="replace")
        return bool(data)

    def until(self, what, secs=30):
        """Waits for a text on it."""
        end = time.monotonic() + secs
        while what not in self.text:
            if not self.read(0.1) or time.monotonic() > end:
                raise AssertionError(f"{what!r} never came: {self.text[-3000:]}")
        return self

    def interrupt(self):
        """Ctrl-C."""
        with contextlib.suppress(OSError):
            os.write(self.ours, b"\x03")

    def end(self, secs=30):
        """Waits for the end, and gives the exit code."""
        end = time.monotonic() + secs
        while self.read(0.1):
            assert time.monotonic() < end, f"it does not end: {self.text[-3000:]}"
        return self.process.wait(secs)

    def lines(self):
        """What was written, without what steers the terminal."""
        return CONTROL.sub("", self.text.replace("\x1b[H", "\n")).replace("\r", "\n").split("\n")

    def widest(self):
        return max(len(line) for line in self.lines())


def run_in_terminal(*arguments, cwd, columns=80, rows=24, **settings):
    """Runs a command that ends by itself: its exit code and its terminal."""
    with Terminal(*arguments, cwd=cwd, columns=columns, rows=rows, **settings) as terminal:
        code = terminal.end()
        return code, terminal
