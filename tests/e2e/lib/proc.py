# SPDX-License-Identifier: PostgreSQL
"""proc - running programs, and waiting for a condition instead of for a time"""

import os
import signal
import subprocess
import threading
import time


class Timeout(AssertionError):
    """A condition did not come true in time; says what was waited for and what was seen last."""


def run(*argv, check=True, timeout=60, **kw):
    """Run a program to its end and return the finished process; output is text."""
    kw.setdefault("stdout", subprocess.PIPE)
    kw.setdefault("stderr", subprocess.STDOUT)
    done = subprocess.run([str(a) for a in argv], timeout=timeout, text=True, check=False, **kw)
    if check and done.returncode != 0:
        raise RuntimeError("%s: exit %d\n%s" % (" ".join(map(str, argv)), done.returncode,
                                                done.stdout))
    return done


def wait_for(what, probe, deadline_s=30.0, every_s=0.05):
    """Poll until `probe` returns something true, and return that.

    An exception of the probe counts as "not yet"; the last answer is part of the failure."""
    until = time.monotonic() + deadline_s
    last = None
    while True:
        try:
            last = probe()
            if last:
                return last
        except Timeout:
            raise
        except Exception as e:
            last = e
        if time.monotonic() >= until:
            raise Timeout("not within %.0f s: %s (last seen: %r)" % (deadline_s, what, last))
        time.sleep(every_s)


def stays(what, probe, for_s, every_s=0.1):
    """The condition must hold at every look for that long."""
    until = time.monotonic() + for_s
    while time.monotonic() < until:
        seen = probe()
        assert seen, "did not stay true for %.0f s: %s (saw %r)" % (for_s, what, seen)
        time.sleep(every_s)


def alive(pid):
    """Is there such a process, and is it more than a zombie?"""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def kill(pid, sig=signal.SIGKILL):
    try:
        os.kill(pid, sig)
        return True
    except ProcessLookupError:
        return False


class DeathWatch(threading.Thread):
    """Notes when a process died, to about a millisecond."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid = pid
        self.died_at_ns = None
        self.start()

    def run(self):
        until = time.monotonic() + 120
        while time.monotonic() < until:
            if not alive(self.pid):
                self.died_at_ns = time.monotonic_ns()
                return
            time.sleep(0.001)


def tail(path, lines=40):
    try:
        with open(path, "rb") as f:
            f.seek(0, os.SEEK_END)
            f.seek(max(0, f.tell() - 200 * lines))
            text = f.read().decode("utf-8", "replace").splitlines()
        return "\n".join(text[-lines:])
    except OSError as e:
        return "(%s)" % e
