# SPDX-License-Identifier: PostgreSQL
"""What fences a primary when what could stop it is frozen, dead or deceived. Each test is one fault,
played --rounds times and measured: scripts/faults runs them by name and prints the table.

On all servers the module is loaded. Told are how long the old primary went on, and what came after
its gate."""

import json
import re
import signal
import sys
import time

import pytest

from lib.cluster import CUT_OFF, FAILOVER_S, GATE_S, ON_THE_WAY, TTL_S
from lib.proc import DeathWatch, kill, stays, wait_for
from lib.rounds import READ_S, Round

# As fast as they can: what async replication has not sent yet is more than at 200 rows a second.
AS_FAST_AS_THEY_CAN = 0
ON_THE_WAY_FAST = 5000
STEP_BACK_S = -90


def status(node):
    """What the module says."""
    return json.loads(node.sql1("SHOW pgha_fence.status"))


def guards(node):
    return node.pids_of("pgha-guard")


def agent_and_guard(node):
    return [node.agent.pid] + wait_for("a guardian", lambda: guards(node), 10)


def frozen(pids):
    for pid in pids:
        kill(pid, signal.SIGSTOP)


def thawed(pids):
    for pid in pids:
        kill(pid, signal.SIGCONT)


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


def test_alter_system_does_not_leave_the_module_out(fenced):
    """What it sets counts over our file."""
    node = fenced.replicas()[0]
    try:
        node.sql("ALTER SYSTEM SET shared_preload_libraries = 'auto_explain'")
        fenced.hactl("restart", "e2e", node.name, "--force")
        wait_for("the module", lambda: status(node)["page"] == "recognised, of this boot", 10)
        assert node.sql1("SHOW shared_preload_libraries") == "auto_explain,pgha_fence"
    finally:
        node.sql("ALTER SYSTEM RESET shared_preload_libraries")
        fenced.hactl("restart", "e2e", node.name, "--force")
    assert node.sql1("SHOW shared_preload_libraries") == "pgha_fence"


def test_agent_frozen(fenced, out):
    """Guardian and module both do their work."""
    with Round(fenced, out, "agent frozen") as r:
        old = fenced.leader()
        r.strike("agent frozen")
        old.agent.kill(signal.SIGSTOP)
        try:
            new = fenced.wait_leader(other_than=old)
        finally:
            old.agent.kill(signal.SIGCONT)
        r.verdict(0)
        assert fenced.leader() is new
        r.fenced()


def test_agent_killed(fenced, out):
    """And not started again before another one leads."""
    with Round(fenced, out, "agent killed") as r:
        old = fenced.leader()
        r.strike("kill -9 agent")
        old.kill_agent()
        new = fenced.wait_leader(other_than=old)
        assert not old.postgres_pids(), "the guardian has killed it"
        old.start_agent()
        r.verdict(0)
        assert fenced.leader() is new
        r.fenced()


def test_agent_and_guard_killed(fenced, out):
    """Nobody is left who could stop Postgres: it lives on and refuses."""
    with Round(fenced, out, "agent and guard killed") as r:
        old = fenced.leader()
        pids = agent_and_guard(old)
        r.strike("kill -9 of agent and guardian")
        # An agent that sees its guardian die would start another.
        frozen(pids[:1])
        for pid in pids:
            kill(pid)
        new = fenced.wait_leader(other_than=old)
        assert old.postgres_pids(), "there was nobody to stop it"
        with pytest.raises(Exception, match="lease is over"):
            old.sql("INSERT INTO %s VALUES (-1)" % r.w.table)
        assert old.sql1("SELECT count(*) >= 0 FROM " + r.w.table), "readers are left alone"
        old.agent.wait(5)
        old.start_agent()
        r.verdict(0)
        assert fenced.leader() is new
        r.fenced()


def test_agent_and_guard_frozen(fenced, out):
    with Round(fenced, out, "agent and guard frozen") as r:
        old = fenced.leader()
        pids = agent_and_guard(old)
        r.strike("agent and guardian frozen")
        frozen(pids)
        try:
            new = fenced.wait_leader(other_than=old)
            stays("the old one refuses", lambda: old not in writable(fenced), 1)
        finally:
            thawed(pids)
        r.verdict(0)
        assert fenced.leader() is new
        r.fenced()


def writable(cluster):
    out = []
    for n in cluster.nodes:
        try:
            n.sql("CREATE TEMP TABLE probe (n int)")
            out.append(n)
        except Exception:
            pass
    return out


def test_postmaster_killed_while_a_procedure_commits(fenced, out):
    """The processes of the clients die with their postmaster, also one that is busy."""
    old = fenced.leader()
    old.sql("CREATE TABLE IF NOT EXISTS looped (n int)")
    old.sql("CREATE OR REPLACE PROCEDURE loop_on() LANGUAGE plpgsql AS $$ BEGIN "
            "FOR i IN 1..100000000 LOOP INSERT INTO looped VALUES (i); COMMIT; END LOOP; END $$")
    with Round(fenced, out, "postmaster killed, busy") as r:
        caller = old.spawn(["psql", "-h", old.sock_dir, "-c", "CALL loop_on()"], user="postgres",
                           log="loop.log")
        busy = wait_for("the loop runs", lambda: old.sql(
            "SELECT pid FROM pg_stat_activity WHERE query = 'CALL loop_on()'"), 10)[0][0]
        wait_for("it commits", lambda: old.sql1("SELECT count(*) > 100 FROM looped"), 10)
        watch = DeathWatch(busy)
        r.strike("kill -9 postmaster")
        kill(old.postmaster_pid())
        watch.join(20)
        assert watch.died_at_ns, "backend %d still commits 20 s later" % busy
        caller.wait()
        r.verdict(0)
        died_ms = (watch.died_at_ns - r.at) / 1e6
        r.tell(fence_ms=round(died_ms))
        assert died_ms < 500, "by the kernel, at once"
    fenced.leader().sql("DROP TABLE looped")


def test_host_frozen_and_thawed_under_writes(fenced, out):
    """What a thawed server had begun it may not finish: clients inside and outside write all the
    time."""
    with Round(fenced, out, "host frozen", AS_FAST_AS_THEY_CAN) as r:
        old = fenced.leader()
        r.strike("host frozen")
        old.freeze()
        try:
            new = fenced.wait_leader(other_than=old)
            stays("%s leads" % new.name, lambda: fenced.leader_name() == new.name, 1)
        finally:
            thawed_at = r.w.mark("host thawed")
            old.thaw()
        r.verdict(ON_THE_WAY_FAST)
        assert fenced.leader() is new
        r.fenced()
        late = [op for op in r.w.ops if op.outcome == "ok" and op.node == old.name
                and op.done > thawed_at and op.timeline < new.timeline()]
        assert not late, late[:5]


def test_partition_with_clients_inside(fenced, out):
    with Round(fenced, out, "partition") as r:
        old = fenced.leader()
        inode = old.data_inode()
        r.strike("link down")
        old.unplug()
        fenced.wait_leader(other_than=old)
        old.heal()
        r.verdict(CUT_OFF)
        r.fenced()
    assert old.data_inode() == inode, "rewound, not cloned"


def test_partition_with_agent_and_guard_frozen(fenced, out):
    """The worst of both: only the module is left, and its clients are on the same host."""
    with Round(fenced, out, "partition, agent and guard frozen") as r:
        old = fenced.leader()
        pids = agent_and_guard(old)
        r.strike("link down, agent and guardian frozen")
        frozen(pids)
        old.unplug()
        try:
            fenced.wait_leader(other_than=old)
        finally:
            old.heal()
            thawed(pids)
        r.verdict(CUT_OFF)
        r.fenced()


def test_etcd_frozen(fenced, out):
    """Without a proof nobody acknowledges; when it is back, one does."""
    with Round(fenced, out, "etcd frozen") as r:
        r.strike("etcd frozen")
        for m in fenced.etcd.members:
            m.freeze()
        try:
            wait_for("nobody is primary", lambda: fenced.primaries() == [], 2 * TTL_S)
            stays("nobody becomes primary", lambda: fenced.primaries() == [], 1)
        finally:
            back_at = r.w.mark("etcd thawed")
            for m in fenced.etcd.members:
                m.thaw()
        r.verdict(0)
        acks = [op.done for op in r.w.ops if op.outcome == "ok"]
        last = max(at for at in acks if at < back_at)
        r.tell(fence_ms=round((last - r.at) / 1e6),
               next_after_thaw_ms=round((min(at for at in acks if at > back_at) - back_at) / 1e6))
        assert last - r.at < (GATE_S + READ_S) * 1e9


def etcd_member_of(cluster, node):
    """The member that this node's agent talks to."""
    out = node.run(["ss", "-Htnp", "state", "established", "dport", "= :2379"]).stdout
    for line in out.splitlines():
        if "pid=%d," % node.agent.pid not in line:
            continue
        addr = re.search(r"(\S+):2379\b", line)[1]
        return next(m for m in cluster.etcd.members if m.addr == addr)
    return None


def etcd_leader_disk_frozen_standbys_cut(on_disks, out, once):
    with Round(on_disks, out, "etcd leader's disk frozen, standbys cut") as r:
        old = on_disks.leader()
        member = wait_for("etcd's leader", on_disks.etcd.leader, 10)
        r.strike("disk of etcd's leader frozen, standbys cut")
        member.disk.freeze()
        try:
            for n in on_disks.replicas():
                old.drop(peer=n.name)
            wait_for("etcd has another leader", lambda: on_disks.etcd.leader() not in
                     (None, member), 3 * TTL_S)
            stays("at most one primary", lambda: len(on_disks.primaries()) <= 1, 3 * TTL_S)
        finally:
            member.disk.thaw()
            old.heal()
        # All that the standbys could not receive is lost should one of them take over.
        r.verdict(sys.maxsize)
        if once():
            assert on_disks.leader() is old, "it could prove its lease all the time"
            assert r.line["lost"] == 0


def test_etcd_leader_disk_frozen_standbys_cut(on_disks, out):
    """etcd 3.4.23 answers keepalives of a lease that it has lost. The agent asks for a proof, which
    that member cannot give; it finds another one in time, and nobody takes over."""
    def play(once):
        etcd_leader_disk_frozen_standbys_cut(on_disks, out, once)

    def arrange():
        on_disks.etcd.give_lead(wait_for("the agent's etcd member", lambda: etcd_member_of(
            on_disks, on_disks.leader()), 10))
    on_disks.etcd.until_one_vote(play, arrange)


def test_etcd_leader_paused_again_and_again(fenced, out):
    """etcd 3.4.23 revokes leases early when a paused leader comes back: the holder stops at once or
    has the key again before anybody may take it."""
    with Round(fenced, out, "etcd leader paused, 3 times") as r:
        for _ in range(3):
            member = wait_for("etcd's leader", fenced.etcd.leader, 10)
            r.strike("etcd's leader paused")
            member.freeze()
            try:
                stays("at most one primary", lambda: len(fenced.primaries()) <= 1,
                      1.5 * TTL_S)
            finally:
                member.thaw()
            stays("at most one primary", lambda: len(fenced.primaries()) <= 1, 1)
        r.verdict(ON_THE_WAY)
        assert r.line["gap_ms"] < FAILOVER_S * 1000, "at worst it costs a failover"


def test_wall_clock_stepped_back(fenced, out, wall_clock):
    """Of the primary, which is cut off then: its lease ends as if nothing had happened."""
    old = fenced.leader()
    old.kill_agent()
    old.start_agent(**wall_clock.env())
    old.wait_agent_up()
    fenced.wait_whole()
    try:
        with Round(fenced, out, "wall clock back, partition") as r:
            r.w.mark("wall clock back")
            wall_clock.step(STEP_BACK_S)
            wait_for("the agent is deceived", lambda: old.status()["dcs_last_seen"] <
                     time.time() + STEP_BACK_S / 2, 10)
            stays("%s leads" % old.name, lambda: fenced.leader() is old, TTL_S)
            r.strike("link down")
            old.unplug()
            wall_clock.step(2 * STEP_BACK_S)
            fenced.wait_leader(other_than=old)
            old.heal()
            r.verdict(CUT_OFF)
            r.fenced()
    finally:
        wall_clock.step(0)


def test_host_disk_frozen(on_disks, out):
    """Nobody acknowledges what cannot reach the disk, and nobody is lost when it goes on."""
    with Round(on_disks, out, "host disk frozen") as r:
        old = on_disks.leader()
        r.strike("disk frozen")
        old.disk.freeze()
        # Not before it has synced what was written.
        frozen_at = time.monotonic_ns()
        try:
            stays("at most one primary", lambda: len(on_disks.primaries()) <= 1, 2 * TTL_S)
        finally:
            back_at = r.w.mark("disk thawed")
            old.disk.thaw()
        r.verdict(0)
        last = max(op.done for op in r.w.ops if op.outcome == "ok" and op.node == old.name
                   and op.done < back_at)
        r.tell(fence_ms=round((last - r.at) / 1e6))
        assert last - frozen_at < READ_S * 1e9, "acknowledged without a disk"
