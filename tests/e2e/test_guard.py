# SPDX-License-Identifier: PostgreSQL
"""The guardian: what becomes of a primary whose agent is frozen, or killed and not started again"""

import os
import signal

from lib.cluster import ON_THE_WAY, TTL_S, elapsed_ms
from lib.node import chown_postgres, merge
from lib.proc import alive, kill, stays, wait_for

KILL_S = 0.75 * TTL_S


def fence(node):
    return node.status()["pgha"]["fence"]


def guard_pid(node):
    """Of a guardian that watches; waits for it."""
    return wait_for("%s has a guardian" % node.name,
                    lambda: fence(node)["guard"] == "alive" and fence(node)["pid"], 10)


def dies_in_time(node, fault_at):
    """A term is proven for 0.75 of it at most when the fault strikes; a moment is for killing."""
    wait_for("Postgres on %s is dead" % node.name, lambda: not node.postgres_pids(), KILL_S + 1,
             0.01)
    ms = elapsed_ms(fault_at)
    print("all of Postgres dead %.0f ms after the fault" % ms)
    assert ms < (KILL_S + 0.5) * 1000


def assert_fenced_before_takeover(writers, old, fault_at):
    first = writers.first_ack_ns(fault_at, other_than=old)
    last = writers.last_ack_ns(old, fault_at)
    assert first is not None and last < first
    print("last acknowledgement of the old primary %.0f ms, first of the new one %.0f ms after "
          "the fault" % ((last - fault_at) / 1e6, (first - fault_at) / 1e6))


def test_agent_killed_and_not_restarted(cluster, out):
    old = cluster.leader()
    guard = guard_pid(old)
    with cluster.writers(out) as w:
        at = w.mark("kill -9 agent, no restart")
        old.kill_agent()
        dies_in_time(old, at)
        new = cluster.wait_leader(other_than=old)
        assert alive(guard), "the guardian waits for the next agent"
        before = old.log_size()
        old.start_agent()
        w.verdict(max_lost=ON_THE_WAY)
        assert cluster.leader() is new
        assert_fenced_before_takeover(w, old, at)
    assert "the guardian killed Postgres" in old.logged_since(before)
    assert guard_pid(old) == guard, "the next agent is served by the same guardian"


def test_agent_frozen_and_thawed(cluster, out):
    old = cluster.leader()
    guard_pid(old)
    with cluster.writers(out) as w:
        at = w.mark("agent frozen")
        old.agent.kill(signal.SIGSTOP)
        dies_in_time(old, at)
        new = cluster.wait_leader(other_than=old)
        old.agent.kill(signal.SIGCONT)
        w.verdict(max_lost=ON_THE_WAY)
        assert cluster.leader() is new
        assert_fenced_before_takeover(w, old, at)


def test_guard_killed_another_is_started(cluster, out):
    leader = cluster.leader()
    first = guard_pid(leader)
    with cluster.writers(out) as w:
        at = w.mark("kill -9 guardian")
        kill(first)
        second = wait_for("another guardian watches", lambda: fence(leader)["guard"] == "alive"
                          and fence(leader)["pid"] != first and fence(leader)["pid"], 5, 0.01)
        print("another guardian after %.0f ms" % elapsed_ms(at))
        assert second != first and alive(second)
        stays("%s leads" % leader.name, lambda: cluster.leader_name() == leader.name, TTL_S)
        w.verdict(max_lost=0)


def test_guard_frozen_and_thawed_kills_nobody(cluster, out):
    leader = cluster.leader()
    guard = guard_pid(leader)
    with cluster.writers(out) as w:
        w.mark("guardian frozen")
        os.kill(guard, signal.SIGSTOP)
        try:
            wait_for("its silence is told", lambda: fence(leader)["guard"] == "silent", 5)
            stays("%s leads" % leader.name, lambda: cluster.leader_name() == leader.name,
                  TTL_S + 1)
        finally:
            os.kill(guard, signal.SIGCONT)
        assert guard_pid(leader) == guard
        w.verdict(max_lost=0)
    assert fence(leader)["kills"] == 0


def test_agent_restarted_adopts_its_guard(cluster):
    for node in cluster.nodes:
        guard = guard_pid(node)
        node.kill_agent()
        node.start_agent()
        node.wait_agent_up()
        assert guard_pid(node) == guard


def test_pause_disarms_and_kills_nobody(cluster):
    leader = cluster.leader()
    guard_pid(leader)
    before = leader.postmaster_pid()
    assert fence(leader)["page"] == "armed"
    assert fence(cluster.replicas()[0])["page"] == "disarmed: not the primary"
    cluster.hactl("pause", "--wait")
    try:
        wait_for("the page is disarmed", lambda: fence(leader)["page"] == "disarmed: paused", 5)
        assert "disarmed: paused" in cluster.hactl("explain", leader.name).stdout
        leader.kill_agent()
        stays("Postgres lives", lambda: leader.postmaster_pid() == before, TTL_S + 1)
        leader.start_agent()
        leader.wait_agent_up()
        # Its key expired meanwhile: on resume whoever holds it leads.
        wait_for("%s holds the key again" % leader.name,
                 lambda: cluster.leader_name() == leader.name, 2 * TTL_S)
    finally:
        cluster.hactl("resume", "--wait")
    wait_for("the page is armed", lambda: fence(leader)["page"] == "armed", 5)
    assert leader.postmaster_pid() == before


def test_required_and_missing_hands_over(cluster, out):
    old = cluster.leader()
    program = os.path.join(os.path.dirname(old.programs.pghad), "pgha-guard")
    old.write_config(merge(old.config, {"fence": {"guard": "required"}}))
    old.rest("/reload", "POST", {})
    wait_for("it is required", lambda: fence(old)["required"], 5)
    guard = guard_pid(old)
    with cluster.writers(out) as w:
        os.rename(program, program + ".gone")
        try:
            w.mark("no guardian can run")
            kill(guard)
            new = cluster.wait_leader(other_than=old)
            stays("%s leads" % new.name, lambda: cluster.leader_name() == new.name, TTL_S)
            assert "no guardian watches here" in cluster.hactl("explain", old.name).stdout or \
                fence(old)["guard"] != "alive"
        finally:
            os.rename(program + ".gone", program)
        guard_pid(old)
        w.verdict(max_lost=0)


def test_orderly_end_takes_the_guard_along(cluster):
    node = cluster.replicas()[0]
    guard = guard_pid(node)
    node.stop_agent()
    wait_for("the guardian ends", lambda: not alive(guard), 5)
    node.start_agent()
    cluster.wait_whole()
    assert guard_pid(node) != guard


def test_watchdog_is_petted_for_renewals_and_disarmed_by_death(cluster, out):
    """A pipe in the place of the device, with Patroni's test driver."""
    old = cluster.leader()
    device = os.path.join(old.dir, "watchdog")
    os.mkfifo(device)
    chown_postgres(device)
    heard = b""
    listener = os.open(device, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def listen():
        nonlocal heard
        try:
            heard += os.read(listener, 4096)
        except BlockingIOError:
            pass
        return heard

    try:
        old.write_config(merge(old.config, {"watchdog": {
            "mode": "required", "device": device, "driver": "testing", "safety_margin": -1}}))
        old.rest("/reload", "POST", {})
        wait_for("the watchdog is armed", lambda: fence(old)["watchdog"] == "active", 10)
        assert listen().startswith(b"Ctimeout=%d\n1" % (TTL_S // 2))
        wait_for("it is petted on", lambda: listen().count(b"1") >= 6, 2 * TTL_S)
        with cluster.writers(out) as w:
            at = w.mark("agent frozen")
            old.agent.kill(signal.SIGSTOP)
            dies_in_time(old, at)
            wait_for("it is disarmed", lambda: listen().endswith(b"V"), 2)
            new = cluster.wait_leader(other_than=old)
            old.agent.kill(signal.SIGCONT)
            w.verdict(max_lost=ON_THE_WAY)
        assert cluster.leader() is new
        wait_for("it is there", lambda: fence(old)["watchdog"] == "ready", 5)
        os.unlink(device)
        wait_for("it is missed", lambda: old.status().get("watchdog_failed") is True, 5)
    finally:
        os.close(listener)
