# SPDX-License-Identifier: PostgreSQL
"""machine - a booted Debian: a root folder of its own over the cached one, systemd as its process 1"""

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request

from lib.proc import alive, kill, run, wait_for

BOOT_S = 60
CAP_SYS_RESOURCE = 1 << 24

# Stops one thread until the process is gone or this one is.
HOLD = """
import ctypes, os, sys
pid = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
for request in 0x4206, 0x4207:  # SEIZE, INTERRUPT
    if libc.ptrace(request, pid, 0, 0) < 0:
        sys.exit(os.strerror(ctypes.get_errno()))
stopped = False
while True:
    _, status = os.waitpid(pid, 0x40000000)  # __WALL
    if os.WIFEXITED(status) or os.WIFSIGNALED(status):
        break
    if not stopped:
        stopped = True
        print("stopped", flush=True)
"""


def version_2():
    """Where control groups of version 2 are, which may be beside those of version 1."""
    with open("/proc/self/mounts", encoding="utf-8") as f:
        found = [line.split()[1] for line in f if line.split()[2] == "cgroup2"]
    if not found:
        raise RuntimeError("no control groups of version 2 are mounted: mount -t cgroup2 none "
                           "/sys/fs/cgroup, or beside it")
    return found[0]


class Machine:
    """Files below `root` can be read and written from outside at any time."""

    def __init__(self, net, name, octet, lower, work):
        self.net = net
        self.name = name
        self.addr = net.add(name, octet)
        self.dir = os.path.join(work, name)
        self.root = os.path.join(self.dir, "root")
        self.console = os.path.join(self.dir, "console.log")
        self.nspawn = None
        self.init = 0
        # Of its own: in one group, the systemds of all machines would take each other's for theirs.
        self.groups = os.path.join(version_2(), os.path.basename(work) + "-" + name)
        for d in ("root", "upper", "work"):
            os.makedirs(os.path.join(self.dir, d))
        run("mount", "-t", "overlay", "overlay", "-o", "lowerdir=%s,upperdir=%s/upper,workdir=%s/work"
            % (lower, self.dir, self.dir), self.root)

    # -- power

    def _enter_groups(self):
        with open(os.path.join(self.groups, "cgroup.procs"), "w", encoding="ascii") as f:
            f.write("0")

    def _remove_groups(self):
        """As soon as the last process of the machine is gone for good."""
        def removed():
            for place, _, _ in os.walk(self.groups, topdown=False):
                os.rmdir(place)
            return not os.path.exists(self.groups)
        wait_for("control groups of %s are empty" % self.name, removed, 20)

    def boot(self):
        self.power_on()
        self.wait_up()

    def power_on(self):
        """In the main thread: with the thread that starts it, nspawn is killed."""
        assert self.nspawn is None
        self._remove_groups()
        os.mkdir(self.groups)
        with open(self.console, "ab") as f:
            self.nspawn = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "systemd-nspawn", "--quiet", "--boot",
                 "--register=no", "--keep-unit", "--directory=" + self.root,
                 "--capability=CAP_IPC_LOCK",
                 "--machine=" + self.name, "--resolv-conf=off", "--timezone=off",
                 "--link-journal=no", "--network-namespace-path=" + self.net.ns_path(self.name)],
                stdin=subprocess.DEVNULL, stdout=f, stderr=subprocess.STDOUT,
                preexec_fn=self._enter_groups,
                env=dict(os.environ, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY="1"))

    def wait_up(self):
        self.init = wait_for("%s has a process 1" % self.name, self._find_init, BOOT_S)
        wait_for("%s is up" % self.name, lambda: self.run(
            "systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded"),
            BOOT_S)

    def _find_init(self):
        with open("/proc/%d/task/%d/children" % (self.nspawn.pid, self.nspawn.pid)) as f:
            return next(p for p in map(int, f.read().split())
                        if os.readlink("/proc/%d/exe" % p).endswith("/systemd"))

    def power_off(self):
        """The plug is pulled: nothing in it gets a chance to end."""
        if self.nspawn is None:
            return
        init = self.init
        kill(self.init)
        self.nspawn.kill()
        self.nspawn.wait(20)
        wait_for("%s is off" % self.name, lambda: not alive(init), 20)
        self.nspawn = None

    def offline(self, *argv):
        """A program of a machine that is off, which needs nothing but its files."""
        assert self.nspawn is None
        return run("chroot", self.root, *argv, env={"PATH": "/usr/sbin:/usr/bin:/bin"}).stdout

    def remove(self):
        self.power_off()
        self._remove_groups()
        run("umount", "-l", self.root, check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    # -- looking inside

    def run(self, *argv, user=None, **kw):
        inside = ["nsenter", "--target", str(self.init), "--mount", "--uts", "--ipc", "--net", "--pid",
                  "--cgroup", "--root", "--wdns=/", "env", "-i", "LC_ALL=C.UTF-8",
                  "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive"]
        if user:
            inside += ["setpriv", "--reuid=" + user, "--regid=" + user, "--init-groups"]
        return run(*inside, *argv, **kw)

    def show(self, unit, what):
        return self.run("systemctl", "show", "--property=" + what, "--value", unit).stdout.strip()

    def main_pid(self, unit):
        """As processes inside know it; 0: none."""
        return int(self.show(unit, "MainPID"))

    def journal(self, *args):
        lines = self.run("journalctl", "--output=json", "--all", *args).stdout.splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def said(self, unit, text):
        return any(text in str(e.get("MESSAGE")) for e in self.journal("--unit", unit))

    def group(self, unit):
        return self.show(unit, "ControlGroup")

    def by_name(self):
        """{name of a program: control groups that processes of it are in}"""
        out = self.run("sh", "-c", "for p in /proc/[0-9]*; do "
                       "echo \"$(cat $p/comm) $(sed -n s/^0:://p $p/cgroup)\"; done 2>/dev/null").stdout
        found = {}
        for line in out.splitlines():
            name, _, group = line.partition(" ")
            if group:
                found.setdefault(name, set()).add(group)
        return found

    def path(self, place):
        return self.root + place

    def read(self, place):
        with open(self.path(place), encoding="utf-8") as f:
            return f.read()

    def write(self, place, text):
        os.makedirs(os.path.dirname(self.path(place)), exist_ok=True)
        with open(self.path(place), "w", encoding="utf-8") as f:
            f.write(text)

    def apt(self, *args, check=True):
        """From what was downloaded into the root folder; there is no way out."""
        return self.run("apt-get", "-q", "-y", *args, check=check, timeout=300)

    def kill_main(self, unit, sig=signal.SIGKILL):
        self.run("systemctl", "kill", "--kill-whom=main", "--signal=" + sig.name, unit)

    def outside(self, pid):
        """What this host calls the process."""
        for place, _, _ in os.walk(self.groups):
            with open(os.path.join(place, "cgroup.procs"), encoding="ascii") as f:
                for it in f.read().split():
                    with open("/proc/%s/status" % it, encoding="utf-8") as g:
                        inner = next(line for line in g if line.startswith("NSpid:")).split()[-1]
                    if int(inner) == pid:
                        return int(it)
        raise LookupError("no process %d in %s" % (pid, self.name))

    def hold_first_thread(self, pid):
        """The other threads of the process go on. Returns who holds it, to be killed."""
        holder = subprocess.Popen([sys.executable, "-c", HOLD, str(self.outside(pid))],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = holder.stdout.readline().strip()
        if said != "stopped":
            holder.wait(10)
            raise RuntimeError("thread %d of %s was not stopped: %s" % (pid, self.name, said))
        return holder

    def oom_score(self, pid):
        return int(self.run("cat", "/proc/%d/oom_score_adj" % pid).stdout)

    def can_lower_oom_scores(self):
        status = dict(line.split(":", 1) for line in self.run(
            "cat", "/proc/1/status").stdout.splitlines())
        return bool(int(status["CapBnd"], 16) & CAP_SYS_RESOURCE)

    def can_run_in_real_time(self):
        """A control group of version 1 may have no share of it, for nobody in it."""
        return self.run("chrt", "--rr", "1", "true", check=False).returncode == 0

    # -- what runs on it

    def status(self):
        with urllib.request.urlopen("http://%s:8008/patroni" % self.addr, timeout=3) as r:
            return json.load(r)

    def health(self, path="/primary", port=8008):
        try:
            with urllib.request.urlopen("http://%s:%d%s" % (self.addr, port, path), timeout=3) as r:
                return r.status
        except urllib.error.HTTPError as e:
            return e.code
        except OSError:
            return 0

    def sql(self, statement, port=5432):
        return self.run("psql", "-XAtq", "-p", str(port), "-v", "ON_ERROR_STOP=1", "-c", statement,
                        "postgres", user="postgres").stdout.strip()

    def postmaster(self, data_dir):
        """Its pid; 0 when it does not live."""
        try:
            pid = int(self.read(data_dir + "/postmaster.pid").split()[0])
        except (FileNotFoundError, IndexError):
            return 0
        stat = self.run("cat", "/proc/%d/stat" % pid, check=False)
        lives = stat.returncode == 0 and stat.stdout.rpartition(")")[2].split()[0] not in "ZX"
        return pid if lives else 0
