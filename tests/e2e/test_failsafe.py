# SPDX-License-Identifier: PostgreSQL
"""etcd is gone, and failsafe_mode lets the primary stay by the promise of all others"""

import pytest

from lib.cluster import CUT_OFF, STOP_S, TTL_S
from lib.proc import stays, wait_for


def epoch(cluster):
    return cluster.etcd.get_kv(cluster.prefix + "leader")["create_revision"]


@pytest.fixture
def failsafe(cluster):
    """The mode is on, and the leader has written whom it will ask."""
    cluster.set_config(failsafe_mode=True)
    names = {n.name for n in cluster.nodes}
    wait_for("everybody is in the key", lambda: all(
        n.rest("/failsafe").code == 200 and set(n.rest("/failsafe").json()) == names
        for n in cluster.nodes), 20)
    yield cluster
    cluster.etcd.start()
    cluster.set_config(failsafe_mode=None)
    wait_for("the key is taken away", lambda: cluster.etcd.get_kv(
        cluster.prefix + "failsafe") is None, 20)


def active(node):
    return bool(node.status().get("failsafe_mode_is_active"))


def test_primary_stays_while_everybody_promises(failsafe, out):
    cluster = failsafe
    old, replicas = cluster.leader(), cluster.replicas()
    pid, was = old.postmaster_pid(), epoch(cluster)
    assert not active(old)
    with cluster.writers(out) as w:
        w.mark("etcd stops")
        cluster.etcd.stop()
        wait_for("failsafe mode is active", lambda: all(active(n) for n in cluster.nodes), TTL_S)
        assert old.rule()["rule"] == 327
        stays("it leads", lambda: old.postmaster_pid() == pid and
              old.rest("/primary").code == 200, 4 * TTL_S)
        assert all(n.rest("/primary").code == 503 for n in replicas)
        assert "patroni_failsafe_mode_is_active{" in old.rest("/metrics").text
        back_at = w.mark("etcd is back")
        cluster.etcd.start()
        w.verdict(max_lost=0)
        last = max(op.done for op in w.ops if op.outcome == "ok" and op.done < back_at)
        assert back_at - last < 1e9, "nothing was written any more"
    assert cluster.leader() is old and old.postmaster_pid() == pid
    assert epoch(cluster) >= was
    wait_for("failsafe mode has ended", lambda: not any(active(n) for n in cluster.nodes),
             3 * TTL_S)


def test_primary_ends_where_one_does_not_answer(failsafe, out):
    cluster = failsafe
    old, silent = cluster.leader(), cluster.replicas()[0]
    with cluster.writers(out) as w:
        silent.kill_agent()
        w.mark("etcd stops, and the agent of a standby is gone")
        cluster.etcd.stop()
        wait_for("the primary has ended", lambda: not old.postgres_pids() or
                 old.sql1("SELECT pg_is_in_recovery()"), STOP_S + TTL_S)
        assert not active(old)
        w.mark("etcd is back")
        cluster.etcd.start()
        silent.start_agent()
        w.verdict(max_lost=CUT_OFF)


def test_primary_that_loses_etcd_alone_keeps_its_promised_place(failsafe, out):
    """etcd is there for the others, and the key expires: they promised, and leave it alone."""
    cluster = failsafe
    old = cluster.leader()
    pid = old.postmaster_pid()
    with cluster.writers(out) as w:
        w.mark("the primary is cut from etcd")
        for m in cluster.etcd.members:
            old.drop(peer=m.name)
        wait_for("the key has expired", lambda: cluster.leader_name() is None, 3 * TTL_S)
        stays("nobody takes over", lambda: old.postmaster_pid() == pid and
              cluster.leader_name() is None, 2 * TTL_S)
        old.heal()
        assert cluster.wait_leader() is old
        w.verdict(max_lost=0)
    assert old.postmaster_pid() == pid
