# SPDX-License-Identifier: PostgreSQL
"""pgbouncer - a host with a PgBouncer that stands before the cluster"""

import os

from .host import Host
from .node import chown_postgres, pg_bin
from .proc import wait_for

PORT = 6432
PASSWORD = "console secret"
REPOINT = """#!/bin/sh
# Called with host and port of the new primary.
printf '[databases]\\npostgres = host=%%s port=%%s dbname=postgres\\n' "$1" "$2" >%(file)s.new &&
	mv %(file)s.new %(file)s
"""


class PgBouncer(Host):
    def __init__(self, net, work, octet=41):
        super().__init__(net, "p1", octet, work)
        chown_postgres(self.dir)
        self.databases = os.path.join(self.dir, "databases.ini")
        self.repoint = os.path.join(self.dir, "repoint")
        self._write("repoint", REPOINT % {"file": self.databases})
        os.chmod(self.repoint, 0o755)
        self._write("users.txt", '"postgres" "super secret"\n"pgbouncer" "%s"\n' % PASSWORD)
        self._write("pgbouncer.ini", "\n".join([
            "[pgbouncer]", "listen_addr = " + self.addr, "listen_port = %d" % PORT,
            "unix_socket_dir =", "auth_type = scram-sha-256",
            "auth_file = %s/users.txt" % self.dir, "admin_users = pgbouncer",
            "pool_mode = transaction", "default_pool_size = 10", "server_login_retry = 1",
            "%include " + self.databases, ""]))
        self.proc = None

    def _write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        chown_postgres(path)

    def point_at(self, node):
        self._write("databases.ini", "[databases]\npostgres = host=%s port=5432 dbname=postgres\n"
                    % node.addr)

    def start(self, primary):
        self.point_at(primary)
        self.proc = self.spawn(["pgbouncer", os.path.join(self.dir, "pgbouncer.ini")],
                               user="postgres", log="pgbouncer.log")
        wait_for("PgBouncer answers", lambda: self.console("show version"), 10)

    def console(self, command):
        return self.run([os.path.join(pg_bin(), "psql"), "-XAtq", "-h", self.addr, "-p", str(PORT),
                         "-U", "pgbouncer", "-d", "pgbouncer", "-c", command],
                        env=dict(os.environ, PGPASSWORD=PASSWORD)).stdout

    def goes_on(self):
        """A client of it gets an answer. PgBouncer 1.18 does not tell whether all of it waits."""
        out = self.run(["timeout", "5", os.path.join(pg_bin(), "psql"), "-XAtq", "-h", self.addr,
                        "-p", str(PORT), "-U", "postgres", "-d", "postgres", "-c", "select 42"],
                       env=dict(os.environ, PGPASSWORD="super secret"), check=False)
        return out.stdout.strip() == "42"

    def config(self, *more, **changes):
        return dict({"hosts": ["%s:%d" % (self.addr, PORT), *more], "password": PASSWORD,
                     "command": [self.repoint]}, **changes)

    def pgbench(self, *args):
        return [os.path.join(pg_bin(), "pgbench"), "-h", self.addr, "-p", str(PORT), "-U",
                "postgres", "-n", *args, "postgres"]
