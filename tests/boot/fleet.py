# SPDX-License-Identifier: PostgreSQL
"""fleet - three machines, set up as the manual says"""

import glob
import os
import re
import shutil
import threading
import time

import psycopg2

from lib.proc import run, wait_for
from machine import Machine

SCOPE = "main"
PASSWORD = "change me"
CONFIG = "/etc/pgha/pgha.yml"
EXAMPLE = "/usr/share/pgha/examples/pgha.yml.example"
TTL_S = 5


class Fleet:
    def __init__(self, net, root, debs, work):
        self.debs = debs
        self.major = os.path.basename(glob.glob(root + "/var/cache/apt/archives/"
                                                "postgresql-[0-9]*_*.deb")[0]).split("_")[0][11:]
        self.data_dir = "/var/lib/postgresql/%s/main" % self.major
        self.machines = [Machine(net, "n%d" % i, 10 + i, root, work) for i in (1, 2, 3)]
        for m in self.machines:
            self._before_boot(m)
        self.boot(*self.machines)

    def _before_boot(self, m):
        m.write("/etc/hostname", m.name + "\n")
        m.write("/etc/hosts", "127.0.0.1 localhost\n" +
                "".join("%s %s\n" % (o.addr, o.name) for o in self.machines))
        m.write("/etc/default/etcd", "".join("ETCD_%s=%s\n" % pair for pair in {
            "NAME": m.name,
            "INITIAL_CLUSTER": ",".join("%s=http://%s:2380" % (o.name, o.addr)
                                        for o in self.machines),
            "LISTEN_PEER_URLS": "http://%s:2380" % m.addr,
            "INITIAL_ADVERTISE_PEER_URLS": "http://%s:2380" % m.addr,
            "LISTEN_CLIENT_URLS": "http://%s:2379,http://127.0.0.1:2379" % m.addr,
            "ADVERTISE_CLIENT_URLS": "http://%s:2379" % m.addr,
            "AUTO_COMPACTION_RETENTION": "1",
        }.items()))
        shutil.copytree(self.debs, m.path("/root/debs"))

    def boot(self, *machines):
        for m in machines:
            m.power_on()
        for m in machines:
            m.wait_up()

    def each(self, act):
        """On all of them at once; what fails on one is raised."""
        failed = []

        def guarded(m):
            try:
                act(m)
            except Exception as e:
                failed.append(e)
        threads = [threading.Thread(target=guarded, args=(m,)) for m in self.machines]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        if failed:
            raise failed[0]

    # -- as the manual says

    def packages(self, which):
        """Paths inside of a machine: "old" or "new"."""
        return sorted("/root/debs/%s/%s" % (which, os.path.basename(p))
                      for p in glob.glob(os.path.join(self.debs, which, "*.deb"))
                      if "-pgha-fence" not in p or "-%s-pgha-fence" % self.major in p)

    def configure(self, m):
        """The example, with what differs from host to host."""
        text = m.read(EXAMPLE)
        for i, other in enumerate(self.machines):
            text = text.replace("192.0.2.1%d:2379" % (i + 1), other.addr + ":2379")
        text = text.replace("192.0.2.0/24", m.addr.rpartition(".")[0] + ".0/24")
        text = text.replace("192.0.2.11", m.addr)
        text = re.sub(r"^name: node1", "name: " + m.name, text, flags=re.M)
        text = re.sub(r"postgresql/\d+/", "postgresql/%s/" % self.major, text)
        m.run("install", "-o", "root", "-g", "postgres", "-m", "0640", EXAMPLE, CONFIG)
        m.write(CONFIG, text)
        m.run("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "pghad",
              "--validate-config", CONFIG)

    def guard(self, m):
        escaped = m.run("systemd-escape", "%s/%s" % (SCOPE, m.name)).stdout.strip()
        return "pgha-guard@%s.service" % escaped

    def start(self, m):
        m.run("systemctl", "enable", "--now", self.guard(m), "pghad.service", timeout=120)

    # -- looking

    def hactl(self, *args, on=None, **kw):
        return (on or self.machines[0]).run("hactl", "-c", CONFIG, *args, **kw)

    def leader(self):
        found = [m for m in self.machines if m.nspawn and m.health() == 200]
        assert len(found) <= 1, "two primaries: %s" % [m.name for m in found]
        return found[0] if found else None

    def wait_leader(self, other_than=None, deadline_s=30):
        return wait_for("a leader", lambda: (lambda m: m if m is not other_than else None)(
            self.leader()), deadline_s)

    def is_whole(self):
        leader = self.leader()
        others = [m for m in self.machines if m is not leader]
        streaming = leader.sql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")
        return leader if int(streaming) == len(others) and all(
            m.health("/replica") == 200 for m in others) else None

    def wait_whole(self, deadline_s=60):
        return wait_for("the cluster is whole", self.is_whole, deadline_s)

    def replicas(self):
        leader = self.leader()
        return [m for m in self.machines if m is not leader]

    def epoch(self):
        """Of the leader key, which another lead would have made anew."""
        out = self.leader().run("etcdctl", "get", "-w", "fields", "/service/%s/leader" % SCOPE,
                                ).stdout
        return re.search(r'"CreateRevision" : (\d+)', out)[1]

    # -- afterwards

    def tail(self, m, lines=60):
        if m.nspawn is None:
            return "off"
        return m.run("journalctl", "--no-pager", "-n", str(lines), "-u", "pgha*", "-u",
                     "postgresql*", "-u", "etcd*", check=False).stdout

    def keep_logs(self, out):
        os.makedirs(out, exist_ok=True)
        for m in self.machines:
            shutil.copy(m.console, os.path.join(out, m.name + "-console.log"))
            if m.nspawn is not None:
                with open(os.path.join(out, m.name + "-journal.log"), "w", encoding="utf-8") as f:
                    f.write(m.run("journalctl", "--no-pager", "-o", "short-precise",
                                  check=False).stdout)

    def remove(self):
        for m in self.machines:
            m.remove()


class Writer:
    """Commits a row every few milliseconds wherever writes are taken. Used as a context."""

    def __init__(self, fleet):
        self.fleet = fleet
        self.acks = []  # (when, id)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._write)

    def __enter__(self):
        self.fleet.leader().sql("DROP TABLE IF EXISTS written; CREATE TABLE written (id int)")
        self.thread.start()
        wait_for("the first row", lambda: self.acks, 20)
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def _connect(self):
        return psycopg2.connect(
            host=",".join(m.addr for m in self.fleet.machines), user="postgres",
            password=PASSWORD, dbname="postgres", connect_timeout=2,
            target_session_attrs="read-write", tcp_user_timeout=2000)

    def _write(self):
        conn, number = None, 0
        while not self.ended.wait(0.005):
            number += 1
            try:
                if conn is None:
                    conn = self._connect()
                    conn.autocommit = True
                with conn.cursor() as cur:
                    cur.execute("INSERT INTO written VALUES (%s)", (number,))
                self.acks.append((time.monotonic(), number))
            except psycopg2.Error:
                if conn is not None:
                    conn.close()
                conn = None

    def gap_s(self, since=0.0):
        """The longest time without an acknowledgement, in seconds."""
        at = [t for t, _ in self.acks if t >= since]
        return max(b - a for a, b in zip(at, at[1:]))

    def missing(self):
        """Acknowledged, and not there; asked of the leader after the end."""
        there = set(map(int, self.fleet.leader().sql("SELECT id FROM written").split()))
        return {n for _, n in self.acks} - there
