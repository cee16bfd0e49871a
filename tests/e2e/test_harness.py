# SPDX-License-Identifier: PostgreSQL
"""The harness itself, on plain Postgres and etcd: faults do what they say, and a real split brain
is found. What these tests rely on, all others do."""

import os
import signal
import socket
import time

import pytest

from lib import checker
from lib.etcd import Etcd
from lib.host import Host
from lib.net import SUBNET, parse_hosts
from lib.node import Node, pg_bin
from lib.proc import alive, kill, wait_for
from lib.writers import Writers


def test_names_and_addresses_of_hosts():
    assert parse_hosts("pgha/77") == ("pgha", "10.77.0.")
    assert parse_hosts("ab/0") == ("ab", "10.0.0.")
    for wrong in ("", "pgha", "pgha/", "pgha/256", "Pgha/7", "pgha1/7", "toolonganame/7", "a/7/8"):
        with pytest.raises(ValueError, match="PGHA_HOSTS"):
            parse_hosts(wrong)


@pytest.fixture(scope="module")
def plain(hosts):
    """A primary h1 and its standby h2, without any agent."""
    net, work = hosts
    nodes = [Node(net, "h%d" % i, 50 + i, work, None) for i in (1, 2)]
    one, two = nodes
    one.run([pg_bin() + "/initdb", "-D", one.data_dir, "-U", "postgres", "-A", "trust", "-N",
             "--locale=C"], user="postgres")
    with open(one.data_dir + "/postgresql.conf", "a", encoding="ascii") as f:
        f.write("listen_addresses = '*'\nunix_socket_directories = '/run/postgresql'\n")
    with open(one.data_dir + "/pg_hba.conf", "a", encoding="ascii") as f:
        f.write("host all,replication all %s trust\n" % SUBNET)
    one.start_postgres()
    two.run([pg_bin() + "/pg_basebackup", "-D", two.data_dir, "-R", "-X", "stream", "-c", "fast",
             "-N", "-d", "host=%s user=postgres application_name=h2" % one.addr],
            user="postgres")
    two.start_postgres()
    wait_for("h2 streams", lambda: two.timeline() == 1, 10)
    yield nodes
    for n in nodes:
        n.remove()


@pytest.fixture
def writers(plain, prober, out):
    one, two = plain

    def primary():
        return two if two.sql1("SELECT NOT pg_is_in_recovery()") else one

    return Writers(prober, plain, out + "/written.txt", lambda: None, primary)


def test_hosts_see_each_other_until_cut(plain):
    one, two = plain
    assert one.sql1("SELECT 1", local=False) == 1

    one.unplug()
    with pytest.raises(Exception):
        one.connect(local=False, timeout_s=2)
    assert one.sql1("SELECT 1") == 1, "the local socket needs no network"
    one.heal()
    assert one.sql1("SELECT 1", local=False) == 1

    one.drop(port=5432, direction="output")
    assert one.sql1("SELECT 1", local=False) == 1, "only the way to others' port 5432 is cut"
    one.heal()
    one.drop(peer="client")
    with pytest.raises(Exception):
        one.connect(local=False, timeout_s=2)
    one.heal()
    wait_for("h2 streams again", lambda: two.timeline() == 1, 15)


def test_frozen_host_stands_still(plain):
    one, _ = plain
    one.freeze()
    with pytest.raises(Exception):
        one.connect(timeout_s=2)
    one.thaw()
    assert one.sql1("SELECT 1") == 1


def test_hosts_have_sockets_of_their_own(plain):
    for n in plain:
        assert n.run(["ls", "-A", "/run/postgresql"]).stdout.split() == \
            [".s.PGSQL.5432", ".s.PGSQL.5432.lock"]
        assert os.path.exists(n.sock_dir + "/.s.PGSQL.5432")


def test_every_process_of_a_host_is_known(plain):
    one, _ = plain
    postmaster = one.postmaster_pid()
    assert postmaster in one.pids()
    assert len(one.postgres_pids()) > 3
    assert not set(one.pids()) & {os.getpid()}


def test_quiet_cluster_gets_a_clean_verdict(writers):
    with writers as w:
        wait_for("rows", lambda: w.primary().sql1("SELECT count(*) > 200 FROM " + w.table), 10)
    report = w.verdict()
    assert report.acked > 200
    assert ("h2-in", "25006") in report.refused and ("h2-out", "25006") in report.refused


def test_killed_postmaster_leaves_a_backend_that_goes_on(plain):
    """The fault that tests of a dead postmaster rely on: a CALL outlives it, and commits."""
    one, _ = plain
    one.sql("CREATE TABLE IF NOT EXISTS looped (n int)")
    one.sql("CREATE OR REPLACE PROCEDURE loop_on() LANGUAGE plpgsql AS $$ BEGIN "
            "FOR i IN 1..1000000 LOOP INSERT INTO looped VALUES (i); COMMIT; END LOOP; END $$")
    conn = one.connect()
    backend = conn.info.backend_pid
    client = one.spawn(["psql", "-h", one.sock_dir, "-c", "CALL loop_on()"], user="postgres")
    wait_for("the loop runs", lambda: one.sql1("SELECT count(*) > 10 FROM looped"), 10)
    busy = one.sql1("SELECT pid FROM pg_stat_activity WHERE query = 'CALL loop_on()'")
    kill(one.postmaster_pid(), signal.SIGKILL)
    wait_for("postmaster dead", lambda: one.postmaster_pid() == 0, 5)
    wait_for("idle backend gone", lambda: not alive(backend), 5)
    assert alive(busy)
    kill(busy)
    client.wait()
    wait_for("all of Postgres gone", lambda: not one.postgres_pids(), 10)
    one.start_postgres()


def test_split_brain_is_found(plain, writers):
    """Last on this cluster: h2 is promoted while h1 goes on."""
    one, two = plain
    wait_for("h2 streams again", lambda: two.timeline() == 1, 20)
    with writers as w:
        two.sql("SELECT pg_promote()")
        for n in (two, one, two):
            w.wait_acks(n)
        since = time.monotonic()
        wait_for("both take writes for a while", lambda: time.monotonic() - since > 0.5, 10)
        w.wait_acks(one)
    ops, refused = w.history()
    rows = {n.name: {r[0] for r in n.sql("SELECT id FROM " + w.table)} for n in plain}
    report = checker.check(ops, rows, refused)
    print(report.summary())
    assert any("h1 acknowledged" in v and "after h2 had acknowledged on timeline 2" in v
               for v in report.violations)
    assert any("do not hold the same rows" in v for v in report.violations)
    assert report.overlap_ns > 300e6
    assert report.lost


def test_new_host_on_an_old_address_is_reached_at_once(hosts):
    """Else a cluster that is made anew stands still until all have forgotten the one before."""
    net, work = hosts
    for n in range(3):
        host = Host(net, "again", 70, work)
        try:
            proc = host.spawn(["/usr/bin/python3", "-c", "import socket; s = socket.socket(); "
                               "s.bind(('0.0.0.0', 2379)); s.listen(); s.accept()"])
            since = time.monotonic()
            wait_for("host %d answers" % n, lambda: socket.create_connection(
                (host.addr, 2379), timeout=1).close() is None, 5)
            print("answered after %.0f ms" % (1000 * (time.monotonic() - since)))
            proc.wait(5)
        finally:
            host.remove()


def test_etcd_loses_its_leader_and_comes_back(hosts):
    net, work = hosts
    etcd = Etcd(net, work, 3, "he", 61)
    try:
        etcd.start()
        etcd.wait_ready()
        etcd.put("/x/a", "1")
        old = etcd.leader()
        old.kill_all()
        wait_for("another etcd leader", lambda: etcd.leader() not in (None, old), 10)
        assert etcd.get("/x/a") == "1"
        etcd.start()
        assert etcd.tree("/x/") == {"/x/a": "1"}
        etcd.stop()
        etcd.start()
        etcd.wait_ready()
        assert etcd.get("/x/a") == "1"
    finally:
        etcd.remove()
