# SPDX-License-Identifier: PostgreSQL
"""host - one machine: network and mount namespace, control group, and what runs in it"""

import os
import shutil
import signal
import subprocess

from .cgroup import Cgroup
from .disk import Disk
from .proc import alive, kill, run


class Proc:
    """A program started on a host; known by its pid, its output goes to a file."""

    def __init__(self, popen, log_path):
        self.popen = popen
        self.pid = popen.pid
        self.log_path = log_path

    def running(self):
        return self.popen.poll() is None

    def kill(self, sig=signal.SIGKILL):
        if self.running():
            kill(self.pid, sig)

    def wait(self, deadline_s=30):
        try:
            return self.popen.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise AssertionError("pid %d (%s) still runs after %g s"
                                 % (self.pid, self.popen.args[-1], deadline_s)) from None

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()


class Host:
    def __init__(self, net, name, octet, work):
        self.net = net
        self.name = name
        self.dir = os.path.join(work, name)
        self.procs = []
        self.mounted = []
        os.makedirs(self.dir, exist_ok=True)
        os.chmod(self.dir, 0o755)
        self.addr = net.add(name, octet)
        self.cgroup = Cgroup(net.ns(name))
        self.disk = None
        self._holder = None

    def put_on_disk(self, place, size_mb):
        """That directory is on a disk of its own, before bind()."""
        self.disk = Disk(place, size_mb)

    # -- namespaces

    def bind(self, *pairs):
        """Give the host a mount namespace with directories of its own at usual places.
        pairs: (place in the file system, directory of this host)"""
        script = ["set -e"]
        for place, own in pairs:
            os.makedirs(place, exist_ok=True)
            script.append("mount --bind '%s' '%s'" % (own, place))
        script += ["echo ready", "exec sleep infinity"]
        self._holder = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private",
             "sh", "-c", "\n".join(script)], stdout=subprocess.PIPE, text=True)
        assert self._holder.stdout.readline() == "ready\n", "no mount namespace for " + self.name

    def _enter_argv(self):
        argv = ["nsenter", "--net=" + self.net.ns_path(self.name)]
        if self._holder:
            argv.append("--mount=/proc/%d/ns/mnt" % self._holder.pid)
        return argv + ["--"]

    def argv(self, argv, user=None):
        """The command line that runs argv on this host; no fork happens on the way."""
        out = self._enter_argv()
        if user:
            out += ["setpriv", "--reuid=" + user, "--regid=" + user, "--init-groups"]
        return out + [str(a) for a in argv]

    def spawn(self, argv, user=None, log="out.log", env=None):
        path = os.path.join(self.dir, log)
        with open(path, "ab") as f:
            popen = subprocess.Popen(self.argv(argv, user), stdin=subprocess.DEVNULL, stdout=f,
                                     stderr=subprocess.STDOUT, preexec_fn=self.cgroup.enter,
                                     cwd="/", env=env)
        proc = Proc(popen, path)
        self.procs.append(proc)
        return proc

    def run(self, argv, user=None, **kw):
        return run(*self.argv(argv, user), preexec_fn=self.cgroup.enter, cwd="/", **kw)

    def tmpfs(self, place, size, owner="postgres"):
        """A small file system that only this host sees; see path()."""
        os.makedirs(place, exist_ok=True)
        self.run(["mount", "-t", "tmpfs", "-o", "size=%s,mode=0700,uid=%s,gid=%s"
                  % (size, owner, owner), "tmpfs", place])
        self.mounted.append(place)

    def umount(self, place):
        self.run(["umount", place])
        self.mounted.remove(place)

    def path(self, path):
        """How the test runner reaches a path that is mounted on this host only."""
        return "/proc/%d/root%s" % (self._holder.pid, path)

    # -- faults

    def pids(self):
        return self.cgroup.pids()

    def pids_of(self, program):
        found = []
        for pid in self.pids():
            try:
                with open("/proc/%d/comm" % pid) as f:
                    if f.read().strip() == program and alive(pid):
                        found.append(pid)
            except (FileNotFoundError, ProcessLookupError):
                pass
        return found

    def kill_all(self):
        """Power loss, as far as processes go."""
        self.cgroup.kill()
        for proc in self.procs:
            proc.wait(5)
        self.procs.clear()

    def freeze(self):
        self.cgroup.freeze()

    def thaw(self):
        self.cgroup.thaw()

    def unplug(self):
        self.net.unplug(self.name)

    def drop(self, **kw):
        self.net.drop(self.name, **kw)

    def heal(self):
        self.net.heal(self.name)

    def remove(self):
        if self.disk:
            self.disk.thaw()
        self.cgroup.remove()
        for proc in self.procs:
            proc.popen.poll()
        if self._holder:
            self._holder.kill()
            self._holder.wait()
            self._holder.stdout.close()
        self.net.delete(self.name)
        if self.disk:
            self.disk.remove()
        shutil.rmtree(self.dir, ignore_errors=True)
