# SPDX-License-Identifier: PostgreSQL
"""Real load balancers side by side through a switchover and the loss of the primary's host: when
does a client's next write succeed?"""

import os
import shutil

import pytest

from lib.cluster import FAILOVER_S, PATIENCE
from lib.host import Host
from lib.node import chown_postgres
from lib.proc import wait_for
from lib.through import Through

WAYS = {"haproxy": 5000, "nginx": 5010, "pgbouncer": 6432}
SOON_S = 15 * PATIENCE
SWITCHOVER_MS = 10000 * PATIENCE
STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"


def program(name):
    found = shutil.which(name, path="/usr/sbin:/usr/bin")
    if not found:
        pytest.skip("no %s here" % name)
    return found


class Front(Host):
    """A host of its own before the cluster, with everything that can stand there."""

    def __init__(self, cluster):
        super().__init__(cluster.net, "b1", 42, cluster.work)
        self.cluster = cluster
        chown_postgres(self.dir)

    def file(self, name, text=None):
        path = os.path.join(self.dir, name)
        if text is not None:
            with open(path, "w", encoding="ascii") as f:
                f.write(text)
        return path

    def print_config(self, kind, path, *args):
        self.cluster.hactl("proxy-config", kind, "-o", path, "--listen", self.addr, *args)

    def keep(self, kind, path, reload, *args):
        self.spawn([self.cluster.programs.hactl, "-c", self.cluster.nodes[0].conf_path,
                    "proxy-config", kind, "-o", path, "--listen", self.addr, "--watch",
                    "--reload", reload, *args], log=kind + "-keeper.log")

    def start_haproxy(self):
        conf = self.file("haproxy.cfg")
        self.print_config("haproxy", conf)
        self.spawn([program("haproxy"), "-db", "-f", conf], log="haproxy.log")

    def start_nginx(self):
        conf, kept, pid = (self.file(n) for n in ("nginx.conf", "pgha.conf", "nginx.pid"))
        ports = ("--write-port", "5010", "--read-port", "5011")
        if not os.path.exists(STREAM_MODULE):
            pytest.skip("no %s" % STREAM_MODULE)
        self.print_config("nginx", kept, *ports)
        self.file("nginx.conf", "daemon off;\nworker_processes 1;\npid %s;\nload_module %s;\n"
                  "events {}\ninclude %s;\n" % (pid, STREAM_MODULE, kept))
        self.spawn([program("nginx"), "-e", "stderr", "-p", self.dir, "-c", conf],
                   log="nginx.log")
        wait_for("nginx runs", lambda: os.path.exists(pid), SOON_S)
        self.keep("nginx", kept, "kill -HUP $(cat %s)" % pid, *ports)

    def start_pgbouncer(self):
        kept, pid = self.file("db.ini"), self.file("pgbouncer.pid")
        self.print_config("pgbouncer", kept)
        ini = self.file("pgbouncer.ini", "\n".join([
            "%include " + kept, "[pgbouncer]", "listen_addr = " + self.addr,
            "listen_port = %d" % WAYS["pgbouncer"], "unix_socket_dir =", "auth_type = trust",
            "auth_file = " + self.file("users", '"postgres" "super secret"\n'),
            "pidfile = " + pid, "server_login_retry = 1", "server_connect_timeout = 2", ""]))
        self.spawn([program("pgbouncer"), ini], user="postgres", log="pgbouncer.log")
        wait_for("pgbouncer runs", lambda: os.path.exists(pid), SOON_S)
        self.keep("pgbouncer", kept, "kill -HUP $(cat %s)" % pid)


@pytest.fixture
def front(cluster, out):
    host = Front(cluster)
    yield host
    host.kill_all()
    # Gone with the rest of it when the test passed.
    for name in os.listdir(host.dir):
        if name.endswith((".log", ".cfg", ".conf", ".ini")):
            shutil.copy(host.file(name), os.path.join(out, "front-" + name))
    host.remove()


def test_next_write_through_each(cluster, front, prober, out):
    front.start_haproxy()
    front.start_nginx()
    front.start_pgbouncer()
    ways = {name: (front.addr, port) for name, port in WAYS.items()}
    with Through(prober, cluster, os.path.join(out, "through.txt"), ways) as t:
        t.wait_acks(SOON_S)
        old, new = cluster.leader(), cluster.replicas()[0]
        t.mark("switchover")
        cluster.hactl("switchover", "--candidate", new.name, "--force")
        cluster.wait_leader(other_than=old)
        t.wait_acks(SOON_S)
        cluster.wait_whole()

        lost = cluster.leader()
        t.mark("host lost")
        lost.unplug()
        lost.kill_all()
        cluster.wait_leader(other_than=lost)
        t.wait_acks(SOON_S)
    outages = t.outages()
    for (what, way), ms in outages.items():
        limit = SWITCHOVER_MS if what == "switchover" else 1000 * (FAILOVER_S + SOON_S)
        assert ms < limit, (what, way, ms)


def test_reads_go_where_somebody_serves(cluster, front):
    """nginx names the standbys that stream, and the primary where none does."""
    front.start_nginx()
    kept = front.file("pgha.conf")

    def named():
        with open(kept, encoding="ascii") as f:
            return f.read().partition("upstream pgha_replicas")[2].partition("}")[0]
    standbys = cluster.replicas()
    assert all(n.addr + ":" in named() for n in standbys)
    for n in standbys:
        n.kill_all()
    leader = cluster.leader()
    wait_for("reads go to the primary", lambda: leader.addr + ":" in named(), 30 * PATIENCE)
    for n in standbys:
        n.start_agent()
    wait_for("reads go to the standbys", lambda: leader.addr + ":" not in named()
             and all(n.addr + ":" in named() for n in standbys), 60 * PATIENCE)
