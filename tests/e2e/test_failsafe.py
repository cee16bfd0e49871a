# SPDX-License-Identifier: PostgreSQL
"""etcd is gone, and failsafe_mode lets the primary stay by what the others promise"""

import pytest

from lib.cluster import CUT_OFF, STOP_S, TTL_S
from lib.proc import stays, wait_for


def epoch(cluster):
    return cluster.etcd.get_kv(cluster.prefix + "leader")["create_revision"]


def turn_on(cluster, mode):
    """The leader has written whom it will ask."""
    cluster.set_config(failsafe_mode=mode)
    names = {n.name for n in cluster.nodes}
    wait_for("everybody is in the key", lambda: all(
        n.rest("/failsafe").code == 200 and set(n.rest("/failsafe").json()) == names
        for n in cluster.nodes), 20)


def turn_off(cluster):
    cluster.net.heal_all()
    cluster.etcd.start()
    cluster.wait_leader()
    cluster.set_config(failsafe_mode=None)
    wait_for("the key is taken away", lambda: cluster.etcd.get_kv(
        cluster.prefix + "failsafe") is None, 20)


@pytest.fixture
def failsafe(cluster):
    turn_on(cluster, True)
    yield cluster
    turn_off(cluster)


@pytest.fixture
def quorum(cluster):
    turn_on(cluster, "quorum")
    yield cluster
    turn_off(cluster)


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
        for path, body in (("/restart", {}), ("/switchover", {"leader": old.name})):
            answer = old.rest(path, "POST", body)
            assert answer.code == 503 and "etcd cannot be reached" in answer.text, answer
        assert old.rest("/reload", "POST", {}).code == 202
        assert replicas[0].rest("/reinitialize", "POST", {}).code == 503
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


def test_primary_stays_by_the_promise_of_most(quorum, out):
    cluster = quorum
    old, silent = cluster.leader(), cluster.replicas()[0]
    pid = old.postmaster_pid()
    with cluster.writers(out) as w:
        silent.kill_agent()
        w.mark("etcd stops, and the agent of a standby is gone")
        cluster.etcd.stop()
        wait_for("failsafe mode is active", lambda: active(old), TTL_S)
        stays("it leads", lambda: old.postmaster_pid() == pid and
              old.rest("/primary").code == 200, 4 * TTL_S)
        w.mark("etcd is back")
        cluster.etcd.start()
        silent.start_agent()
        w.verdict(max_lost=0)
    assert cluster.leader() is old and old.postmaster_pid() == pid


def test_promised_primary_is_left_alone_by_who_has_etcd(quorum, out):
    """One standby is cut from the primary and has etcd: the other has promised, and does not vote."""
    cluster = quorum
    old, (alone, other) = cluster.leader(), cluster.replicas()
    pid = old.postmaster_pid()
    with cluster.writers(out) as w:
        w.mark("the primary is cut from etcd and from a standby")
        for host in cluster.etcd.members + [alone]:
            old.drop(peer=host.name)
        wait_for("the key has expired", lambda: cluster.leader_name() is None, 3 * TTL_S)
        stays("nobody takes over", lambda: old.postmaster_pid() == pid and
              cluster.leader_name() is None, 3 * TTL_S)
        assert active(old) and active(other) and not active(alone)
        old.heal()
        assert cluster.wait_leader() is old
        w.verdict(max_lost=0)
    assert old.postmaster_pid() == pid


def test_primary_of_a_minority_ends_and_is_followed(quorum, out):
    cluster = quorum
    old = cluster.leader()
    with cluster.writers(out) as w:
        w.mark("the primary is cut off from everybody")
        for host in cluster.etcd.members + cluster.replicas():
            old.drop(peer=host.name)
        wait_for("the primary has ended", lambda: not old.postgres_pids() or
                 old.sql1("SELECT pg_is_in_recovery()"), STOP_S + TTL_S)
        assert not active(old)
        new = cluster.wait_leader(other_than=old)
        assert new is not old
        w.mark("it is back")
        old.heal()
        # Its clients reach it all the time: two of its own, and the one that follows the primary.
        w.verdict(max_lost=3 * CUT_OFF)
