# SPDX-License-Identifier: PostgreSQL
"""What fences a primary when everything that could stop it is frozen or dead: the module in every
server refuses what comes after the lease. Each test says how long the old primary went on."""

import json
import signal

import pytest

from lib.cluster import CUT_OFF, GATE_S, ON_THE_WAY, STOP_S, TTL_S
from lib.proc import DeathWatch, kill, stays, wait_for

# An answer that was given in time is noted when the prober comes to read it.
READ_S = 0.3


def status(node):
    """What the module says."""
    return json.loads(node.sql1("SHOW pgha_fence.status"))


def guards(node):
    return node.pids_of("pgha-guard")


def frozen(pids):
    for pid in pids:
        kill(pid, signal.SIGSTOP)


def thawed(pids):
    for pid in pids:
        kill(pid, signal.SIGCONT)


def told_fence(w, old, at):
    """After the verdict: until when the old primary acknowledged, in ms after the fault. Nobody
    else did so before, and nobody may after the gate."""
    first = w.first_ack_ns(at, other_than=old)
    assert first is not None, "nobody took over"
    last = max(op.done for op in w.ops if op.outcome == "ok" and op.node == old.name
               and op.done < first)
    w.say(["  fault to fence %.0f ms, fault to the next primary %.0f ms"
           % ((last - at) / 1e6, (first - at) / 1e6)])
    assert last - at < (GATE_S + READ_S) * 1e9, "acknowledged %.0f ms after the fault" % (
        (last - at) / 1e6)


@pytest.fixture(autouse=True)
def again(turn):
    """Each test, as often as --rounds says."""


def test_module_is_loaded_and_armed(fenced):
    leader = fenced.leader()
    for n in fenced.nodes:
        wait_for("the module on %s knows its page" % n.name,
                 lambda n=n: status(n)["enabled"] and status(n)["armed"] == (n is leader), 5)
    leader.sql("CREATE TABLE IF NOT EXISTS fence_probe (n int)")
    leader.sql("INSERT INTO fence_probe VALUES (1)")
    leader.sql("DROP TABLE fence_probe")


def test_agent_and_guard_killed(fenced, out):
    """Nobody is left who could stop Postgres: it lives on and refuses."""
    old = fenced.leader()
    wait_for("a guardian", lambda: guards(old), 10)
    with fenced.writers(out) as w:
        at = w.mark("kill -9 of agent and guardian")
        frozen([old.agent.pid])
        for pid in guards(old) + [old.agent.pid]:
            kill(pid)
        new = fenced.wait_leader(other_than=old)
        assert old.postgres_pids(), "there was nobody to stop it"
        with pytest.raises(Exception, match="lease is over"):
            old.sql("INSERT INTO %s VALUES (-1)" % w.table)
        assert old.sql1("SELECT count(*) >= 0 FROM " + w.table), "readers are left alone"
        old.agent.wait(5)
        old.start_agent()
        w.verdict(max_lost=0)
        assert fenced.leader() is new
        told_fence(w, old, at)


def test_agent_and_guard_frozen(fenced, out):
    old = fenced.leader()
    wait_for("a guardian", lambda: guards(old), 10)
    with fenced.writers(out) as w:
        at = w.mark("agent and guardian frozen")
        pids = [old.agent.pid] + guards(old)
        frozen(pids)
        try:
            new = fenced.wait_leader(other_than=old)
            stays("the old one refuses", lambda: old not in writable(fenced, w), 1)
        finally:
            thawed(pids)
        w.verdict(max_lost=0)
        assert fenced.leader() is new
        told_fence(w, old, at)


def writable(cluster, w):
    out = []
    for n in cluster.nodes:
        try:
            n.sql("CREATE TEMP TABLE probe (n int)")
            out.append(n)
        except Exception:
            pass
    return out


def test_agent_frozen(fenced, out):
    """Guardian and module both do their work."""
    old = fenced.leader()
    with fenced.writers(out) as w:
        at = w.mark("agent frozen")
        old.agent.kill(signal.SIGSTOP)
        try:
            new = fenced.wait_leader(other_than=old)
        finally:
            old.agent.kill(signal.SIGCONT)
        w.verdict(max_lost=0)
        assert fenced.leader() is new
        told_fence(w, old, at)


def test_postmaster_killed_while_a_procedure_commits(fenced, out):
    """The processes of the clients die with their postmaster, also one that is busy."""
    old = fenced.leader()
    old.sql("CREATE TABLE IF NOT EXISTS looped (n int)")
    old.sql("CREATE OR REPLACE PROCEDURE loop_on() LANGUAGE plpgsql AS $$ BEGIN "
            "FOR i IN 1..100000000 LOOP INSERT INTO looped VALUES (i); COMMIT; END LOOP; END $$")
    with fenced.writers(out) as w:
        caller = old.spawn(["psql", "-h", old.sock_dir, "-c", "CALL loop_on()"], user="postgres",
                           log="loop.log")
        busy = wait_for("the loop runs", lambda: old.sql(
            "SELECT pid FROM pg_stat_activity WHERE query = 'CALL loop_on()'"), 10)[0][0]
        wait_for("it commits", lambda: old.sql1("SELECT count(*) > 100 FROM looped"), 10)
        watch = DeathWatch(busy)
        at = w.mark("kill -9 postmaster")
        kill(old.postmaster_pid())
        watch.join(20)
        assert watch.died_at_ns, "backend %d still commits 20 s later" % busy
        caller.wait()
        w.verdict(max_lost=0)
        w.say(["  busy backend died %.0f ms after its postmaster"
               % ((watch.died_at_ns - at) / 1e6)])
        assert watch.died_at_ns - at < 0.5e9, "by the kernel, at once"
    fenced.leader().sql("DROP TABLE looped")


def test_host_frozen_and_thawed_under_writes(fenced, out):
    """What a thawed server had begun it may not finish: clients inside and outside write all the
    time."""
    old = fenced.leader()
    with fenced.writers(out) as w:
        at = w.mark("host frozen")
        old.freeze()
        try:
            new = fenced.wait_leader(other_than=old)
            stays("%s leads" % new.name, lambda: fenced.leader_name() == new.name, 1)
        finally:
            thawed_at = w.mark("host thawed")
            old.thaw()
        w.verdict(max_lost=ON_THE_WAY)
        assert fenced.leader() is new
        told_fence(w, old, at)
        late = [op for op in w.ops if op.outcome == "ok" and op.node == old.name
                and op.done > thawed_at and op.timeline < new.timeline()]
        assert not late, late[:5]


def test_partition_with_clients_inside(fenced, out):
    old = fenced.leader()
    inode = old.data_inode()
    with fenced.writers(out) as w:
        at = w.mark("link down")
        old.unplug()
        fenced.wait_leader(other_than=old)
        old.heal()
        w.verdict(max_lost=CUT_OFF)
        told_fence(w, old, at)
    assert old.data_inode() == inode, "rewound, not cloned"


def test_partition_with_agent_and_guard_frozen(fenced, out):
    """The worst of both: only the module is left, and its clients are on the same host."""
    old = fenced.leader()
    with fenced.writers(out) as w:
        at = w.mark("link down, agent and guardian frozen")
        pids = [old.agent.pid] + guards(old)
        frozen(pids)
        old.unplug()
        try:
            fenced.wait_leader(other_than=old)
        finally:
            old.heal()
            thawed(pids)
        w.verdict(max_lost=CUT_OFF)
        told_fence(w, old, at)


def test_etcd_frozen(fenced, out):
    """Without a proof nobody acknowledges; when it is back, one does."""
    with fenced.writers(out) as w:
        at = w.mark("etcd frozen")
        for m in fenced.etcd.members:
            m.freeze()
        try:
            wait_for("nobody is primary", lambda: fenced.primaries() == [], 2 * TTL_S)
            stays("nobody becomes primary", lambda: fenced.primaries() == [], 1)
        finally:
            back_at = w.mark("etcd thawed")
            for m in fenced.etcd.members:
                m.thaw()
        w.verdict(max_lost=0)
    last = max(op.done for op in w.ops if op.outcome == "ok" and op.done < back_at)
    w.say(["  fault to fence %.0f ms" % ((last - at) / 1e6)])
    assert last - at < (GATE_S + READ_S) * 1e9
    assert STOP_S < GATE_S
