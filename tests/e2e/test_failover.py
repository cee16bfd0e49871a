# SPDX-License-Identifier: PostgreSQL
"""Something dies or is cut off: one primary at a time, a new one soon, everybody back at the end"""

import json
import signal
import time

from lib.cluster import CUT_OFF, GATE_S, ON_THE_WAY, STOP_S, TTL_S, elapsed_ms
from lib.proc import DeathWatch, alive, kill, stays, wait_for

def epoch(cluster):
    """Create revision of the leader key: the same as long as nobody else led between."""
    return cluster.etcd.get_kv(cluster.prefix + "leader")["create_revision"]


def test_postmaster_killed(cluster, out):
    old = cluster.leader()
    with cluster.writers(out) as w:
        w.mark("kill -9 postmaster")
        kill(old.postmaster_pid())
        w.verdict(max_lost=0)


def test_postmaster_killed_with_a_busy_backend_left(cluster, out):
    """A CALL that commits in a loop outlives its postmaster; it must be dead before anybody else
    acknowledges."""
    old = cluster.leader()
    old.sql("CREATE TABLE IF NOT EXISTS looped (n int)")
    old.sql("CREATE OR REPLACE PROCEDURE loop_on() LANGUAGE plpgsql AS $$ BEGIN "
            "FOR i IN 1..100000000 LOOP INSERT INTO looped VALUES (i); COMMIT; END LOOP; END $$")
    with cluster.writers(out) as w:
        caller = old.spawn(["psql", "-h", old.sock_dir, "-c", "CALL loop_on()"], user="postgres",
                           log="loop.log")
        busy = wait_for("the loop runs", lambda: old.sql(
            "SELECT pid FROM pg_stat_activity WHERE query = 'CALL loop_on()'"), 10)[0][0]
        wait_for("it commits", lambda: old.sql1("SELECT count(*) > 100 FROM looped"), 10)
        watch = DeathWatch(busy)
        killed_at = w.mark("kill -9 postmaster")
        kill(old.postmaster_pid())
        watch.join(20)
        assert watch.died_at_ns, "backend %d still commits 20 s later" % busy
        print("busy backend died %.0f ms after its postmaster"
              % ((watch.died_at_ns - killed_at) / 1e6))
        caller.wait()
        w.verdict(max_lost=0)
        first = w.first_ack_ns(killed_at, other_than=old)
        assert first is None or watch.died_at_ns < first
    cluster.leader().sql("DROP TABLE looped")


def test_agent_and_postgres_killed(cluster, out):
    old = cluster.leader()
    with cluster.writers(out) as w:
        w.mark("kill -9 of agent and Postgres")
        old.kill_all()
        new = cluster.wait_leader(other_than=old)
        old.start_agent()
        w.verdict(max_lost=ON_THE_WAY)
        assert cluster.leader() is new


def test_tagged_nofailover_is_passed_over(cluster, out):
    old, passed, wanted = cluster.leader(), *cluster.replicas()
    passed.change_config(tags={"nofailover": True})
    assert passed.rest("/reload", "POST", {}).code == 202
    cluster.wait_member(passed, tags={"nofailover": True})
    with cluster.writers(out) as w:
        w.mark("kill -9 of agent and Postgres")
        old.kill_all()
        assert cluster.wait_leader(other_than=old) is wanted
        old.start_agent()
        w.verdict(max_lost=ON_THE_WAY)


def test_higher_failover_priority_wins(cluster, out):
    old, other, preferred = cluster.leader(), *cluster.replicas()
    preferred.change_config(tags={"failover_priority": 5})
    assert preferred.rest("/reload", "POST", {}).code == 202
    cluster.wait_member(preferred, tags={"failover_priority": 5})
    # Without writers: priority decides between equal positions only. Who had replayed all of it when
    # it began to receive is said to have received nothing but the beginning of the segment.
    wait_for("positions are equal", lambda: len({n.sql1(
        "SELECT greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())")
        for n in (other, preferred)}) == 1, 10)
    old.kill_all()
    assert cluster.wait_leader(other_than=old) is preferred
    old.start_agent()
    cluster.wait_whole()


def test_link_down_and_up(cluster, out):
    """The primary goes on serving its own host until its lease says stop."""
    old = cluster.leader()
    inode = old.data_inode()
    with cluster.writers(out) as w:
        cut_at = w.mark("link down")
        old.unplug()
        lonely_at = time.monotonic_ns()
        asked_at = []

        def serves():
            asked_at.append(time.monotonic_ns())
            return old.rest_inside("/primary") == 200
        wait_for("/primary of the lonely host is not 200", lambda: not serves(), STOP_S + 2)
        # However long it takes to ask: who is asked after that time does not say 200.
        assert not [at for at in asked_at[:-1] if at - lonely_at >= STOP_S * 1e9]
        new = cluster.wait_leader(other_than=old)
        w.wait_acks(new)
        back_at = w.mark("link up")
        old.heal()
        cluster.wait_whole(20)
        w.verdict(max_lost=CUT_OFF)
        assert cluster.leader() is new
        first = w.first_ack_ns(cut_at, other_than=old)
        assert first < back_at
        last = max(op.done for op in w.ops if op.outcome == "ok" and op.node == old.name
                   and op.done < first)
        assert last - cut_at < GATE_S * 1e9, "acknowledged %d ms after the cut" % (
            (last - cut_at) / 1e6)
    assert old.data_inode() == inode, "diverged a little: to be rewound, not cloned"


def test_short_link_loss_changes_nothing(cluster, out):
    leader, postmaster, born = cluster.leader(), cluster.leader().postmaster_pid(), epoch(cluster)
    with cluster.writers(out) as w:
        w.mark("link down")
        leader.unplug()
        stays("%s leads" % leader.name, lambda: cluster.leader_name() == leader.name,
              0.3 * TTL_S)
        leader.heal()
        w.mark("link up")
        w.verdict(max_lost=0)
    assert (leader.postmaster_pid(), epoch(cluster)) == (postmaster, born)


def test_standby_killed_and_back(cluster, out):
    leader, standby = cluster.leader(), cluster.replicas()[0]
    with cluster.writers(out) as w:
        standby.kill_all()
        stays("%s leads" % leader.name, lambda: cluster.leader_name() == leader.name, 1)
        standby.start_agent()
        w.verdict(max_lost=0)
    assert cluster.leader() is leader


def etcd_leader_killed(cluster, out, once):
    leader, postmaster, born = cluster.leader(), cluster.leader().postmaster_pid(), epoch(cluster)
    with cluster.writers(out) as w:
        member = cluster.etcd.leader()
        w.mark("kill -9 etcd leader")
        member.kill_all()
        wait_for("another etcd leader",
                 lambda: cluster.etcd.leader() not in (None, member), 10)
        stays("%s leads" % leader.name,
              lambda: not once() or cluster.leader_name() == leader.name, TTL_S)
        cluster.etcd.start()
        report = w.verdict(max_lost=0)
    if once():
        assert (leader.postmaster_pid(), epoch(cluster)) == (postmaster, born)
        assert report.longest_gap_ms() < 1000


def test_etcd_leader_killed(cluster, out):
    cluster.etcd.until_one_vote(lambda once: etcd_leader_killed(cluster, out, once))


def assert_answers(node):
    """Nobody's connection is dropped because etcd is away: what is known, or a 503 that says why."""
    for path in ("/cluster", "/history", "/config", "/sync", "/primary"):
        answer = node.rest(path)
        assert answer.code in (200, 503) and answer.text, (path, answer)
    for method, path, body in (("PATCH", "/config", {"loop_wait": 2}),
                               ("POST", "/switchover", {"leader": node.name}),
                               ("POST", "/reinitialize", {})):
        answer = node.rest(path, method, body, timeout=10)
        assert answer.code == 503 and answer.text, (path, answer)


def test_whole_etcd_gone_longer_than_ttl(cluster, out):
    leader = cluster.leader()
    with cluster.writers(out) as w:
        w.mark("kill -9 of all of etcd")
        cluster.etcd.stop()
        gone_at = time.monotonic_ns()
        wait_for("/primary is not 200", lambda: leader.rest("/primary").code != 200, STOP_S + 1)
        wait_for("nobody is primary", lambda: cluster.primaries() == [], 2 * TTL_S)
        for n in cluster.nodes:
            assert n.agent_running()
            assert n.rest("/patroni").code == 200
        assert_answers(leader)
        stays("nobody becomes primary", lambda: cluster.primaries() == [], TTL_S)
        back_at = w.mark("etcd is back")
        cluster.etcd.start()
        w.verdict(max_lost=0)
        last = max(op.done for op in w.ops if op.outcome == "ok" and op.done < back_at)
        assert last - gone_at < GATE_S * 1e9


def test_agent_of_primary_killed_and_restarted(cluster, out):
    """Starting is recovering: Postgres never notices."""
    leader = cluster.leader()
    before = leader.postmaster_pid(), leader.timeline(), epoch(cluster)
    with cluster.writers(out) as w:
        w.mark("kill -9 agent")
        leader.kill_agent()
        leader.start_agent()
        leader.wait_agent_up()
        wait_for("/primary is 200 again", lambda: leader.rest("/primary").code == 200, TTL_S)
        stays("%s leads" % leader.name, lambda: cluster.leader_name() == leader.name, TTL_S)
        report = w.verdict(max_lost=0)
    assert (leader.postmaster_pid(), leader.timeline(), epoch(cluster)) == before
    assert report.longest_gap_ms() < 500


def test_agent_of_standby_killed_and_restarted(cluster, out):
    leader, standby = cluster.leader(), cluster.replicas()[0]
    before = standby.postmaster_pid(), epoch(cluster)
    receiver = standby.sql1("SELECT pid FROM pg_stat_wal_receiver")
    with cluster.writers(out) as w:
        standby.kill_agent()
        standby.start_agent()
        standby.wait_agent_up()
        w.verdict(max_lost=0)
    assert (standby.postmaster_pid(), epoch(cluster)) == before
    assert standby.sql1("SELECT pid FROM pg_stat_wal_receiver") == receiver
    assert cluster.leader() is leader


def test_agent_of_primary_stopped_orderly_hands_over(cluster, out):
    old = cluster.leader()
    with cluster.writers(out) as w:
        at = w.mark("SIGTERM to the agent")
        old.stop_agent()
        assert old.postgres_pids() == [], "an orderly stop stops Postgres"
        new = cluster.wait_leader(other_than=old)
        handed_over_ms = elapsed_ms(at)
        old.start_agent()
        w.verdict(max_lost=0)
    assert cluster.leader() is new
    assert handed_over_ms < 1000 * TTL_S, "handed over, not waited for"


def test_agent_of_standby_stopped_orderly(cluster, out):
    leader, standby = cluster.leader(), cluster.replicas()[1]
    with cluster.writers(out) as w:
        standby.stop_agent()
        assert standby.postgres_pids() == []
        standby.start_agent()
        w.verdict(max_lost=0)
    assert cluster.leader() is leader


def test_two_nodes_killed_in_a_row(cluster, out):
    first = cluster.leader()
    with cluster.writers(out) as w:
        w.mark("first primary killed")
        first.kill_all()
        second = cluster.wait_leader(other_than=first)
        wait_for("the last node streams from %s" % second.name, lambda: second.sql1(
            "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == 1, 20)
        w.mark("second primary killed")
        second.kill_all()
        third = cluster.wait_leader(other_than=second)
        assert third not in (first, second)
        first.start_agent()
        second.start_agent()
        w.verdict(max_lost=2 * ON_THE_WAY)
        assert cluster.leader() is third


def test_everything_killed_and_started_in_another_order(cluster, out):
    sysid = cluster.key("initialize")
    last = cluster.leader()
    with cluster.writers(out) as w:
        w.mark("everything killed")
        # The primary first: what it writes while the others are gone already nobody else has.
        for n in sorted(cluster.nodes, key=lambda n: n is not last):
            n.kill_all()
        cluster.etcd.stop()
        cluster.etcd.start()
        cluster.etcd.wait_ready()
        for n in [n for n in cluster.nodes if n is not last] + [last]:
            n.start_agent()
            n.wait_agent_up()
        w.verdict(max_lost=ON_THE_WAY)
    assert cluster.key("initialize") == sysid
    for n in cluster.nodes:
        assert n.controldata()["Database system identifier"] == sysid


def test_host_frozen_and_thawed(cluster, out):
    """Everything on the host stands still for longer than the lease, and wakes up after
    somebody else has taken over."""
    old = cluster.leader()
    with cluster.writers(out) as w:
        w.mark("host frozen")
        old.freeze()
        new = cluster.wait_leader(other_than=old)
        # What a thawed backend had begun it may still finish: only the commit gate can prevent
        # that. So nobody writes while the host wakes up; what it does by itself must be right.
        w.stop()
        old.thaw()
        wait_for("the old primary is none any more", lambda: old not in cluster.primaries(), 10)
        w.verdict(max_lost=ON_THE_WAY)
        assert cluster.leader() is new


def test_second_agent_of_the_same_name_is_refused(cluster):
    node = cluster.replicas()[0]
    twin = node.spawn([node.programs.pghad, node.conf_path], user="postgres", log="twin.log")
    assert twin.wait(10) != 0
    assert node.name in twin.log()
    assert node.agent_running()
    assert cluster.is_whole()


def test_agent_stays_small(cluster):
    for n in cluster.nodes:
        pss = n.agent_pss_bytes()
        print("%s: PSS %.1f MB" % (n.name, pss / 1e6))
        assert pss < 8 * 1024 * 1024
    history = json.loads(cluster.leader().rest("/history").text)
    assert all(len(entry) >= 3 for entry in history)


def test_standby_of_a_frozen_agent_is_still_followed(cluster):
    """A standby whose agent hangs goes on streaming; the primary does not care."""
    leader, standby = cluster.leader(), cluster.replicas()[0]
    standby.agent.kill(signal.SIGSTOP)
    try:
        stays("%s leads" % leader.name, lambda: cluster.leader_name() == leader.name, TTL_S + 1)
        assert alive(standby.postmaster_pid())
    finally:
        standby.agent.kill(signal.SIGCONT)
    cluster.wait_whole()
