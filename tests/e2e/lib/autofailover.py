# SPDX-License-Identifier: PostgreSQL
"""autofailover - Debian's pg_auto_failover in the place of pghad, on the same hosts

Its monitor has a host of its own in the place of etcd. Replication is asynchronous as that of the
others: no member takes part in the quorum. All else is as it comes, but what the others' servers
have in their files too."""

import os

import psycopg2

from .cluster import Cluster
from .host import Host
from .net import SUBNET
from .node import Node, chown_postgres, pg_bin, pg_lib
from .proc import wait_for

PROGRAM = "/usr/bin/pg_autoctl"
MONITOR = "postgres://autoctl_node@%s:5432/pg_auto_failover"
HBA = """local all all trust
host all postgres %s scram-sha-256
""" % SUBNET
SETTINGS = """
max_connections = 50
wal_keep_size = '64MB'
unix_socket_directories = '/run/postgresql'
logging_collector = on
log_directory = '/run/postgresql'
log_filename = 'postgresql.log'
log_line_prefix = '%m [%p] %q%u@%d '
log_checkpoints = off
"""
# Of the member that takes writes, as the monitor was told by it.
WRITES = ("single", "wait_primary", "primary", "join_primary", "apply_settings")
READY_S = 60


def environment(host):
    """Where it keeps what it knows: all hosts have one file system."""
    home = os.path.join(host.dir, "home")
    os.makedirs(home, exist_ok=True)
    chown_postgres(home)
    return dict(os.environ, HOME=home, XDG_CONFIG_HOME=home, XDG_DATA_HOME=home,
                XDG_RUNTIME_DIR=home, PG_CONFIG=os.path.join(pg_bin(), "pg_config"))


class Monitor(Host):
    def __init__(self, net, work):
        super().__init__(net, "m1", 31, work)
        self.data_dir = os.path.join(self.dir, "pg", "data")
        self.proc = None
        sock_dir = os.path.join(self.dir, "sock")
        for d in (os.path.dirname(self.data_dir), sock_dir):
            os.makedirs(d)
            chown_postgres(d)
        self.bind(("/run/postgresql", sock_dir))
        self.url = MONITOR % self.addr

    def autoctl(self, *args, **kw):
        return self.run([PROGRAM, *args], user="postgres", env=environment(self), **kw)

    def start(self):
        self.autoctl("create", "monitor", "--pgdata", self.data_dir, "--pgctl",
                     os.path.join(pg_bin(), "pg_ctl"), "--hostname", self.addr, "--auth",
                     "trust", "--no-ssl", "--pgport", "5432")
        with open(os.path.join(self.data_dir, "pg_hba.conf"), "a", encoding="ascii") as f:
            f.write("host all all %s trust\n" % SUBNET)
        self.proc = self.spawn([PROGRAM, "run", "--pgdata", self.data_dir], user="postgres",
                               log="monitor.log", env=environment(self))
        wait_for("the monitor answers", lambda: self.ask("SELECT 1"), READY_S)

    def ask(self, statement):
        conn = psycopg2.connect(self.url, connect_timeout=3)
        try:
            conn.autocommit = True
            with conn.cursor() as cur:
                cur.execute(statement)
                return cur.fetchall()
        finally:
            conn.close()

    def states(self):
        """Of every member by name: what it reported, and what it is told to become."""
        return {name: (reported, goal) for name, reported, goal in self.ask(
            "SELECT nodename, reportedstate::text, goalstate::text FROM pgautofailover.node")}


class AutoNode(Node):
    monitor = None

    def __init__(self, *args):
        super().__init__(*args)
        self.log_dir = self.sock_dir

    def make_data(self):
        """As the others' members make theirs."""
        words = os.path.join(self.dir, "password")
        with open(words, "w", encoding="ascii") as f:
            f.write("super secret\n")
        chown_postgres(words)
        self.run([os.path.join(pg_bin(), "initdb"), "-D", self.data_dir, "-E", "UTF8", "--locale",
                  "C", "--data-checksums", "-U", "postgres", "--pwfile", words,
                  "--auth-host=scram-sha-256"], user="postgres")
        with open(os.path.join(self.data_dir, "postgresql.conf"), "a", encoding="ascii") as f:
            f.write(SETTINGS)
        with open(os.path.join(self.data_dir, "pg_hba.conf"), "w", encoding="ascii") as f:
            f.write(HBA)

    def start_agent(self, **env):
        made = os.path.exists(os.path.join(self.dir, "home", "pg_autoctl"))
        argv = ["run", "--pgdata", self.data_dir]
        if not made:
            argv = ["create", "postgres", "--run", "--pgdata", self.data_dir, "--pgctl",
                    os.path.join(pg_bin(), "pg_ctl"), "--hostname", self.addr, "--name",
                    self.name, "--pgport", "5432", "--username", "postgres", "--dbname",
                    "postgres", "--auth", "trust", "--no-ssl", "--replication-quorum", "false",
                    "--monitor", self.monitor.url]
        self.agent = self.spawn([PROGRAM] + argv, user="postgres", log="pghad.log",
                                env=dict(environment(self), **env))
        return self.agent


class AutoCluster(Cluster):
    judged = False
    etcd_used = False
    needs = (PROGRAM, os.path.join(pg_lib(), "pgautofailover.so"))

    def __init__(self, net, work, programs, prober, dcs):
        super().__init__(net, work, programs, prober, node_class=AutoNode, dcs=dcs)
        self.monitor = Monitor(net, work)
        for n in self.nodes:
            n.monitor = self.monitor

    def start(self):
        self.monitor.start()
        self.nodes[0].make_data()
        for n in self.nodes:
            n.start_agent()
            wait_for("%s takes part" % n.name, lambda n=n: self.monitor.states()[n.name][0] in
                     WRITES + ("secondary",), READY_S)
        self.wait_whole(READY_S)
        assert self.leader().sql1("SHOW synchronous_standby_names") == ""

    def leader_name(self):
        found = [name for name, (reported, goal) in self.monitor.states().items()
                 if reported in WRITES and goal in WRITES]
        if len(found) != 1:
            raise ValueError(self.monitor.states())
        return found[0]

    def is_whole(self):
        leader = self.leader()
        states = self.monitor.states()
        if any(reported != goal for reported, goal in states.values()):
            raise ValueError(states)
        if leader.sql1("SELECT pg_is_in_recovery()"):
            raise ValueError("leader %s is in recovery" % leader.name)
        streaming = leader.sql1(
            "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")
        timeline = leader.timeline()
        if streaming < len(self.nodes) - 1 or any(
                n.timeline() != timeline for n in self.nodes if n is not leader):
            raise ValueError("%d stream from %s" % (streaming, leader.name))
        return leader

    def wait_leader(self, other_than=None, deadline_s=READY_S):
        def found():
            leader = self.leader()
            if leader is other_than or leader.sql1("SELECT pg_is_in_recovery()"):
                return None
            return leader
        return wait_for("a leader of pg_auto_failover", found, deadline_s)

    def wait_whole(self, deadline_s=READY_S):
        return wait_for("cluster of pg_auto_failover whole", self.is_whole, deadline_s)

    def switch_to(self, old, new):
        self.monitor.autoctl("perform", "promotion", "--pgdata", self.monitor.data_dir, "--name",
                             new.name, timeout=120)

    def remove(self):
        super().remove()
        self.monitor.remove()
