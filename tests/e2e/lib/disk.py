# SPDX-License-Identifier: PostgreSQL
"""disk - a file system of its own, which can be made to stand still

Mounted before the host unshares its mounts, so that the test runner and the host both have it."""

import os
import subprocess

from .proc import run

# It stands still for as long as the pipe is open: should the test runner die, it goes on at once.
HOLD = 'fsfreeze -f "$1" || exit 1; echo frozen; read -r _; fsfreeze -u "$1"'


class Disk:
    def __init__(self, place, size_mb):
        self.place = place
        self.image = place + ".img"
        self._held = None
        os.makedirs(place, exist_ok=True)
        with open(self.image, "wb") as f:
            f.truncate(size_mb << 20)
        run("mkfs.ext4", "-q", "-F", "-m", "0", self.image)
        run("mount", "-o", "loop", self.image, place)
        os.rmdir(os.path.join(place, "lost+found"))

    def freeze(self):
        """Writes wait, and so does whoever waits for them; reads of what is in memory go on."""
        assert self._held is None
        self._held = subprocess.Popen(["sh", "-c", HOLD, "hold", self.place], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      start_new_session=True)
        assert self._held.stdout.readline() == "frozen\n", "cannot freeze " + self.place

    def thaw(self):
        held, self._held = self._held, None
        if held is not None:
            held.stdin.close()
            code = held.wait(10)
            held.stdout.close()
            assert code == 0, "cannot thaw %s: exit %d" % (self.place, code)

    def remove(self):
        self.thaw()
        run("umount", "-l", self.place, check=False)


def remove_below(directory):
    """The disks that a dead run left mounted, thawed and detached."""
    with open("/proc/self/mounts", encoding="utf-8") as f:
        places = [line.split()[1] for line in f]
    for place in reversed([p for p in places if p.startswith(directory + "/")]):
        run("fsfreeze", "-u", place, check=False)
        run("umount", "-l", place, check=False)
