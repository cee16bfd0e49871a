# SPDX-License-Identifier: PostgreSQL
"""What may hold a switchover up: each is bounded, told, and escalated, and somebody leads all the
same. (A standby that does not drain is in test_switchover.py, the same on one host in
tests/io/test_pg_stop.c.)"""

import contextlib
import os
import signal
import time

import pytest

from lib.cluster import PATIENCE
from lib.proc import kill, wait_for

BOUND_S = 3
AGENTS_WORK_S = 4 * PATIENCE


@contextlib.contextmanager
def idle_in_transaction(node):
    """It ends with the fast stop, at once."""
    conn = node.connect()
    conn.autocommit = False
    conn.cursor().execute("CREATE TABLE never_committed ()")
    try:
        yield
    finally:
        conn.close()


@contextlib.contextmanager
def stopped(node, what):
    pid = node.sql1("SELECT pid FROM pg_stat_activity WHERE " + what)
    kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def client_that_hangs(node):
    conn = node.connect()
    try:
        with stopped(node, "pid = %d" % conn.info.backend_pid):
            yield
    finally:
        conn.close()


@contextlib.contextmanager
def archiver_that_is_stuck(node):
    """Not before the fault, or the checkpoint before the stop would wait for it too."""
    with open(node.data_parent + "/stuck", "wb"):
        pass
    node.sql("SELECT pg_switch_wal()")
    wait_for("the standbys have that", lambda: node.sql1(
        "SELECT count(*) FROM pg_stat_replication "
        "WHERE pg_current_wal_lsn() - flush_lsn < 65536") == 2, 20)
    try:
        yield
    finally:
        os.unlink(node.data_parent + "/stuck")


# Does the successor take over, and what is said of the fault. Nobody can be named before a hanging
# client has been killed, for it may commit.
FAULTS = {
    idle_in_transaction: (True, None),
    client_that_hangs: (False, "waits for 1 client ('postgres postgres"),
    archiver_that_is_stuck: (True, "waits for the archiver ('archiving "),
}


@pytest.fixture
def archiving(fresh):
    """Stops have a bound, and the archiver waits for as long as there is a file."""
    fresh.dcs["postgresql"]["parameters"]["archive_mode"] = "on"
    fresh.dcs["primary_stop_timeout"] = BOUND_S
    for n in fresh.nodes:
        fresh.reset_config(n)
        n.change_config(postgresql={"parameters": {
            "archive_command": "while test -e %s/stuck; do sleep 0.1; done" % n.data_parent}})
    fresh.start()
    return fresh


def switch(cluster):
    old, new = cluster.leader(), cluster.replicas()[0]
    answer = old.rest("/switchover", "POST", {"leader": old.name, "candidate": new.name},
                      timeout=60)
    return new, answer


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
def test_what_holds_the_stop_up(archiving, out, fault):
    cluster = archiving
    moves, told = FAULTS[fault]
    old = cluster.leader()
    size = old.log_size()
    with cluster.writers(out) as w:
        with fault(old):
            w.mark("switchover from %s, %s" % (old.name, fault.__name__))
            since = time.monotonic()
            new, answer = switch(cluster)
            leader = cluster.wait_leader(deadline_s=30)
            took_s = time.monotonic() - since
            if told:
                wait_for("it is told", lambda: told in old.logged_since(size), 20)
        w.verdict(max_lost=0)
    print("%s: %s leads after %.1f s" % (fault.__name__, leader.name, took_s))
    assert took_s < 2 * BOUND_S + AGENTS_WORK_S, "bounded"
    if moves:
        assert answer.code == 200 and leader is new, answer
        return
    log = old.logged_since(size)
    assert log.index(told) < log.index("it is stopped without further waiting"), log


def test_a_checkpoint_that_hangs_costs_no_write(archiving, out):
    """It is made before the stop, while this member serves: it goes on serving, and in the end takes
    the request back with the reason."""
    cluster = archiving
    old = cluster.leader()
    size = old.log_size()
    with cluster.writers(out) as w:
        with stopped(old, "backend_type = 'checkpointer'"):
            _, answer = switch(cluster)
            assert answer.code == 503 and "checkpoint before it has not ended" in answer.text, answer
            wait_for("it is told", lambda: "the checkpoint before it does not end, and this member "
                     "goes on as the leader" in old.logged_since(size), 80)
        assert cluster.leader() is old and cluster.key("failover") in (None, "{}")
        report = w.verdict(max_lost=0)
    assert report.longest_gap_ms() < 1000 * PATIENCE, "it never stopped serving"
