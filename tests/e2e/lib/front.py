# SPDX-License-Identifier: PostgreSQL
"""front - a host before the cluster with real load balancers on it, and whom one reaches by them"""

import contextlib
import os
import shutil

import psycopg2
import pytest

from .cluster import PATIENCE
from .host import Host
from .node import chown_postgres
from .proc import wait_for

WAYS = {"haproxy": 5000, "nginx": 5010, "pgbouncer": 6432}
SOON_S = 15 * PATIENCE
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

    def start_haproxy(self, *args):
        conf = self.file("haproxy.cfg")
        self.print_config("haproxy", conf, *args)
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

    def keep_logs(self, out):
        """Gone with the rest of it when the test passed."""
        for name in os.listdir(self.dir):
            if name.endswith((".log", ".cfg", ".conf", ".ini")):
                shutil.copy(self.file(name), os.path.join(out, "front-" + name))


@contextlib.contextmanager
def before(cluster, out):
    host = Front(cluster)
    try:
        yield host
    finally:
        host.kill_all()
        host.keep_logs(out)
        host.remove()


def reached(front, port):
    """The addresses of all servers that clients get to, by several connections."""
    seen = set()
    for _ in range(6):
        with contextlib.closing(psycopg2.connect(
                host=front.addr, port=port, user="postgres", dbname="postgres",
                password="super secret", connect_timeout=3)) as conn, conn.cursor() as cur:
            cur.execute("SELECT host(inet_server_addr())")
            seen.add(cur.fetchone()[0])
    return seen


def addresses(nodes):
    return {n.addr for n in nodes}
