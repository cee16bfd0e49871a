# SPDX-License-Identifier: PostgreSQL
"""A program on a terminal of its own, with somebody who answers its questions"""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import time

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    def __init__(self, *words, rows=40, columns=100, **env):
        self.columns = columns
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        self.data = b""
        os.set_blocking(self.master, False)
        self.process = subprocess.Popen(
            [str(w) for w in words], stdin=self.slave, stdout=self.slave, stderr=self.slave,
            env=dict(os.environ, TERM="xterm-256color", LC_ALL="C.UTF-8", PAGER="cat", **env),
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    @property
    def text(self):
        return self.data.decode("utf-8", "replace")

    def plain(self):
        """Without colours and movements of the cursor."""
        return ESCAPE.sub("", self.text)

    def read(self):
        try:
            self.data += os.read(self.master, 65536)
        except BlockingIOError:
            time.sleep(0.01)

    def wait(self, words, limit_s=60):
        """Until it stands there; what was before that is not looked at again."""
        since = getattr(self, "seen", 0)
        deadline = time.monotonic() + limit_s
        while words not in self.text[since:]:
            ended = self.process.poll() is not None
            if ended:
                self.drain()
            assert words in self.text[since:] or not ended and time.monotonic() < deadline, \
                "%r does not come, but %r" % (words, self.text[since:][-1500:])
            self.read()
        self.seen = self.text.index(words, since) + len(words)

    def drain(self):
        """What an ended program left behind."""
        until = time.monotonic() + 0.3
        while time.monotonic() < until:
            self.read()

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self, limit_s=120):
        """Its exit code, minus the signal that ended it."""
        deadline = time.monotonic() + limit_s
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.text[-1500:]
            self.read()
        self.drain()
        return self.process.returncode

    def is_as_before(self):
        return termios.tcgetattr(self.slave) == self.before

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
