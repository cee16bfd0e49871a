# SPDX-License-Identifier: PostgreSQL
"""reaper - the init of the test hosts

A postmaster whose parent is gone becomes a child of init, which collects it when it dies. Where
the machine's init is slow at that, a dead postmaster stays a zombie, and its lock files look
alive to the next one. So the test runner runs below a process that collects at once."""

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def run_below_reaper():
    """Return in a child; the parent collects orphans, passes SIGTERM on, and leaves as the child
    leaves."""
    if os.environ.get("PGHA_E2E_REAPER") == str(os.getppid()):
        return
    if _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        os.environ["PGHA_E2E_REAPER"] = str(parent)
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        return
    # Ctrl-C reaches the child by the terminal; it cleans up and ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda sig, frame: os.kill(child, sig))
    while True:
        pid, status = os.wait()
        if pid == child:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
