# SPDX-License-Identifier: PostgreSQL
"""wallclock - the wall clock of programs that are started with it can be set; see wallclock.c"""

import os
import struct

from .proc import run

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class WallClock:
    def __init__(self, where):
        self._library = os.path.join(where, "wallclock.so")
        self._file = os.path.join(where, "wallclock.step")
        run("cc", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
            os.path.join(HERE, "wallclock.c"), "-o", self._library)
        self.step(0)

    def env(self):
        return {"LD_PRELOAD": self._library, "WALLCLOCK_FILE": self._file}

    def step(self, seconds):
        """So far ahead of the truth it is from now on; in place, since it is mapped."""
        with open(self._file, "r+b" if os.path.exists(self._file) else "wb") as f:
            f.write(struct.pack("<q", int(seconds * 1e9)))
