# SPDX-License-Identifier: PostgreSQL
"""cgroup - every process of one host in one group: found, frozen and killed as a whole

A postmaster leaves its parent, so a process tree does not know it; a control group does.
Uses the version 1 freezer where it is mounted, else version 2."""

import os
import signal

from .proc import alive, kill, wait_for

V1 = "/sys/fs/cgroup/freezer"
V2 = "/sys/fs/cgroup"


def base():
    if os.path.exists(os.path.join(V1, "cgroup.procs")):
        return V1
    if os.path.exists(os.path.join(V2, "cgroup.controllers")):
        return V2
    raise RuntimeError("neither the version 1 freezer nor cgroup version 2 is mounted")


class Cgroup:
    def __init__(self, name):
        self.path = os.path.join(base(), name)
        self.v1 = base() == V1
        os.makedirs(self.path, exist_ok=True)

    def enter(self):
        """Called in the child between fork and exec."""
        with open(os.path.join(self.path, "cgroup.procs"), "w") as f:
            f.write("0")

    def pids(self):
        try:
            with open(os.path.join(self.path, "cgroup.procs")) as f:
                return [int(line) for line in f]
        except FileNotFoundError:
            return []

    def _set(self, frozen):
        if self.v1:
            name, value = "freezer.state", "FROZEN" if frozen else "THAWED"
        else:
            name, value = "cgroup.freeze", "1" if frozen else "0"
        with open(os.path.join(self.path, name), "w") as f:
            f.write(value)

    def _is_frozen(self):
        if self.v1:
            with open(os.path.join(self.path, "freezer.state")) as f:
                return f.read().strip() == "FROZEN"
        with open(os.path.join(self.path, "cgroup.events")) as f:
            return "frozen 1" in f.read()

    def freeze(self):
        self._set(True)
        wait_for("%s frozen" % self.path, self._is_frozen, 5, 0.002)

    def thaw(self):
        self._set(False)

    def kill(self):
        """SIGKILL to everything inside, again until nothing is left. A process that is ending is no
        longer listed by version 2, and has its files and its memory still: it is waited for."""
        killed = set()

        def nothing_left():
            left = self.pids()
            killed.update(left)
            for pid in left:
                kill(pid, signal.SIGKILL)
            return not left and not any(map(alive, killed))
        wait_for("%s empty" % self.path, nothing_left, 10, 0.002)

    def remove(self):
        if not os.path.isdir(self.path):
            return
        self.thaw()
        self.kill()
        wait_for("%s removed" % self.path, lambda: os.rmdir(self.path) is None, 5)


def leftovers(prefix):
    """Names of our groups on this machine."""
    return [n for n in os.listdir(base()) if n.startswith(prefix)]
