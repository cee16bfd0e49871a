# SPDX-License-Identifier: PostgreSQL
"""Switchover and failover on command: nothing acknowledged is lost, and what cannot be done is
refused with the reason"""

import json
import os
import signal
import time

from lib.cluster import CUT_OFF, GATE_S, PATIENCE, elapsed_ms, in_seconds
from lib.proc import stays, wait_for


def test_switchover_under_write_load(cluster, out):
    """There and on and back; every standby survives without a new clone."""
    first, second, third = cluster.leader(), *cluster.replicas()
    inodes = {n.name: n.data_inode() for n in cluster.nodes}
    timeline = first.timeline()
    with cluster.writers(out) as w:
        for old, new in ((first, second), (second, third), (third, first)):
            w.mark("switchover %s -> %s" % (old.name, new.name))
            done = cluster.hactl("switchover", "--leader", old.name, "--candidate", new.name,
                                 "--force")
            assert 'Successfully switched over to "%s"' % new.name in done.stdout
            assert cluster.leader() is new
            cluster.wait_whole()
        report = w.verdict(max_lost=0)
    assert first.timeline() == timeline + 3
    assert {n.name: n.data_inode() for n in cluster.nodes} == inodes
    assert report.longest_gap_ms() < 5000
    history = cluster.wait_history(timeline + 2)
    assert [h[0] for h in history[-3:]] == [timeline, timeline + 1, timeline + 2]
    assert [h[4] for h in history[-3:]] == [second.name, third.name, first.name]


def beyond(leader, node):
    """It was sent WAL of the leader's timeline: what lies behind the fork."""
    timeline = leader.timeline()
    fork = leader.sql1("SELECT split_part(split_part(trim(E'\\n' from pg_read_file("
                       "'pg_wal/%08X.history')), E'\\n', -1), E'\\t', 2)" % timeline)
    return leader.sql1("SELECT count(*) FROM pg_stat_replication WHERE application_name = '%s' "
                       "AND state = 'streaming' AND sent_lsn > '%s'" % (node.name, fork)) > 0


def test_switchover_right_after_another(cluster, out):
    """As soon as the other standby streams from the new leader it may be the next, also when its own
    agent has not looked since."""
    first, second, third = cluster.leader(), *cluster.replicas()
    for old, new, then in ((first, second, third), (third, first, second), (second, third, first)):
        answer = old.rest("/switchover", "POST", {"leader": old.name, "candidate": new.name},
                          timeout=30)
        assert answer.code == 200, answer
        wait_for("%s streams from %s" % (then.name, new.name), lambda: beyond(new, then), 20, 0.005)
        answer = new.rest("/switchover", "POST", {"leader": new.name, "candidate": then.name},
                          timeout=30)
        assert answer.code == 200, answer
        cluster.wait_whole()


def test_switchover_leaves_its_trace(cluster):
    old, new = cluster.leader(), cluster.replicas()[0]
    since = in_seconds(0)
    cluster.hactl("switchover", "--leader", old.name, "--candidate", new.name, "--force")
    cluster.wait_whole()

    gave = cluster.wait_trace(old, "handed over", since)
    took = cluster.wait_trace(new, "took over", since)
    assert [s["step"] for s in gave["steps"]] == [
        "asked", "successor found", "checkpoint done", "stop requested", "clients gone", "shut down",
        "key handed over", "postmaster gone", "streams again"]
    assert [s["step"] for s in took["steps"]] == [
        "woke", "all WAL here", "key taken", "promotion ordered", "open for writes"]
    for side in (gave, took):
        times = [s["ms"] for s in side["steps"]]
        assert times == sorted(times) and times[0] == 0
    shown = cluster.hactl("history", "-v").stdout
    assert "%s handed over, from" % old.name in shown and "key handed over" in shown
    assert "%s took over, from" % new.name in shown and "open for writes" in shown


def test_switchover_by_rest_to_anybody(cluster, out):
    old = cluster.leader()
    with cluster.writers(out) as w:
        answer = old.rest("/switchover", "POST", {"leader": old.name}, timeout=30)
        assert answer.code == 200 and "Successfully switched over to" in answer.text, answer
        assert cluster.leader() is not old
        w.verdict(max_lost=0)


def test_switchover_asked_of_a_replica(cluster, out):
    """Any member may be asked."""
    old, new = cluster.leader(), cluster.replicas()[0]
    with cluster.writers(out) as w:
        answer = new.rest("/switchover", "POST", {"leader": old.name, "candidate": new.name},
                          timeout=30)
        assert answer.code == 200, answer
        assert cluster.leader() is new
        w.verdict(max_lost=0)


def test_switchover_by_key_without_rest(cluster, out):
    """What Patroni's command line does when no API answers."""
    old, new = cluster.leader(), cluster.replicas()[0]
    with cluster.writers(out) as w:
        cluster.etcd.put(cluster.prefix + "failover",
                         json.dumps({"leader": old.name, "member": new.name}))
        wait_for("%s leads" % new.name, lambda: cluster.leader_name() == new.name, 15)
        w.verdict(max_lost=0)
    assert cluster.key("failover") in (None, "{}")


def test_failover_command(cluster, out):
    new = cluster.replicas()[1]
    with cluster.writers(out) as w:
        done = cluster.hactl("failover", "--candidate", new.name, "--force")
        assert 'Successfully failed over to "%s"' % new.name in done.stdout, done.stdout
        assert cluster.leader() is new
        w.verdict(max_lost=0)


def test_scheduled_switchover(cluster, out):
    old, new = cluster.leader(), cluster.replicas()[0]
    with cluster.writers(out) as w:
        done = cluster.hactl("switchover", "--leader", old.name, "--candidate", new.name,
                             "--scheduled", in_seconds(4), "--force")
        assert "Switchover scheduled" in done.stdout, done.stdout
        planned = old.rest("/cluster").json()["scheduled_switchover"]
        assert (planned["from"], planned["to"]) == (old.name, new.name)
        assert "Switchover scheduled at: %s" % planned["at"] in cluster.hactl("list").stdout
        assert cluster.leader() is old
        wait_for("%s leads" % new.name, lambda: cluster.leader_name() == new.name, 15)
        w.verdict(max_lost=0)
    assert "scheduled_switchover" not in new.rest("/cluster").json()


def test_scheduled_switchover_taken_back(cluster):
    old = cluster.leader()
    cluster.hactl("switchover", "--leader", old.name, "--scheduled", in_seconds(4), "--force")
    done = old.rest("/switchover", "DELETE")
    assert (done.code, done.text) == (200, "scheduled switchover deleted")
    stays("%s leads" % old.name, lambda: cluster.leader_name() == old.name, 6)
    again = old.rest("/switchover", "DELETE")
    assert (again.code, again.text) == (404, "no switchover is scheduled")


def test_impossible_switchovers_are_refused(cluster):
    leader, replica = cluster.leader(), cluster.replicas()[0]
    for path, body, code, text in (
            ("/switchover", {"leader": replica.name}, 412, "leader name does not match"),
            ("/switchover", {"leader": leader.name, "candidate": "nobody"}, 412,
             "candidate does not exists"),
            ("/switchover", {"leader": leader.name, "candidate": leader.name}, 400,
             "Switchover target and source are the same"),
            ("/switchover", {"candidate": replica.name}, 400,
             "Switchover could be performed only from a specific leader"),
            ("/failover", {"leader": ""}, 400,
             "Failover could be performed only to a specific candidate"),
            ("/switchover", {"leader": leader.name, "scheduled_at": "2020-01-01T00:00:00+00:00"},
             422, None),
            ("/switchover", {"leader": leader.name, "scheduled_at": "2050-01-01T00:00:00"},
             400, None),
            ("/switchover", {"leader": leader.name, "scheduled_at": "soon"}, 422, None)):
        answer = leader.rest(path, "POST", body, timeout=30)
        assert answer.code == code, (body, answer)
        assert text is None or answer.text == text, (body, answer)
    assert cluster.is_whole() is leader


def test_switchover_to_a_dead_candidate_leaves_the_primary(cluster, out):
    leader, dead = cluster.leader(), cluster.replicas()[0]
    with cluster.writers(out) as w:
        dead.kill_all()
        answer = leader.rest("/switchover", "POST",
                             {"leader": leader.name, "candidate": dead.name}, timeout=40)
        assert answer.code in (412, 503), answer
        assert cluster.leader() is leader
        dead.start_agent()
        report = w.verdict(max_lost=0)
    assert report.longest_gap_ms() < 1000, "the primary never stopped serving"


def test_switchover_to_a_standby_that_has_just_come_back(cluster, out):
    """Who is shown as streaming may be asked for in a moment, however seldom the primary looks
    around: until it has looked once it refuses."""
    cluster.set_config(ttl=20, loop_wait=8, retry_timeout=5)
    leader, back = cluster.leader(), cluster.replicas()[0]
    with cluster.writers(out) as w:
        back.stop_agent()
        wait_for("the primary has noticed", lambda: back.name not in {
            r["application_name"] for r in leader.status()["replication"]}, 20)
        back.start_agent()
        cluster.wait_member(back, 30, replication_state="streaming")
        wait_for("it may be asked for", lambda: leader.rest(
            "/switchover", "POST", {"leader": leader.name, "candidate": back.name},
            timeout=40).code == 200, 2)
        w.verdict(max_lost=0)
    assert cluster.leader() is back


def test_switchover_to_a_candidate_that_hangs(cluster, out):
    """Its agent was alive at the question and is frozen at the hand-over: somebody leads again
    soon, and nothing is lost."""
    leader, hung = cluster.leader(), cluster.replicas()[0]
    with cluster.writers(out) as w:
        hung.agent.kill(signal.SIGSTOP)
        try:
            cluster.etcd.put(cluster.prefix + "failover",
                             json.dumps({"leader": leader.name, "member": hung.name}))
            wait_for("the request is dealt with",
                     lambda: cluster.key("failover") in (None, "{}"), 30)
            cluster.wait_leader(deadline_s=20)
        finally:
            hung.agent.kill(signal.SIGCONT)
        w.verdict(max_lost=0)


def test_switchover_does_not_wait_for_a_frozen_standby(cluster, out):
    """Its walsender holds the postmaster up; the successor is not kept waiting by that."""
    old, new, frozen = cluster.leader(), *cluster.replicas()
    size, since = old.log_size(), in_seconds(0)
    with cluster.writers(out) as w:
        frozen.freeze()
        w.mark("switchover %s -> %s" % (old.name, new.name))
        cluster.hactl("switchover", "--leader", old.name, "--candidate", new.name, "--force")
        wait_for("%s leads" % new.name, lambda: cluster.leader_name() == new.name, 15)
        wait_for("the stop has ended behind it",
                 lambda: "Postgres: stop done" in old.logged_since(size), 15)
        frozen.thaw()
        w.verdict(max_lost=0)
    gave = cluster.wait_trace(old, "handed over", since)
    at_ms = {s["step"]: s["ms"] for s in gave["steps"]}
    assert "walsender" in gave["waited"], gave
    told = old.logged_since(size)
    assert told.index("handed over in") < told.index("Postgres: stop done"), told
    assert at_ms["shut down"] - at_ms["stop requested"] < 8000, "that is not the bound"
    assert "the stop waited for 1 walsender" in cluster.hactl("history", "-v").stdout


CALLBACK = """#!/bin/sh
[ -e %(dir)s/hang ] || sleep 0.3
echo "$@" >>%(dir)s/callbacks
[ ! -e %(dir)s/hang ] || exec sleep 1000
"""
ACTIONS = ("on_start", "on_stop", "on_restart", "on_reload", "on_role_change")


def set_callbacks(cluster, text=CALLBACK):
    for n in cluster.nodes:
        script = n.dir + "/callback"
        with open(script, "w", encoding="ascii") as f:
            f.write(text % {"dir": n.data_parent})
        os.chmod(script, 0o755)
        # The tag shows when the reload has happened.
        n.change_config(postgresql={"callbacks": dict.fromkeys(ACTIONS, script)},
                        tags={"calls": "back"})
        assert n.rest("/reload", "POST", {}).code == 202
        cluster.wait_member(n, 10, tags={"calls": "back"})


def test_callbacks_tell_the_role(cluster):
    """As Patroni would call them; and one that hangs holds up neither the agent nor a switchover,
    and goes when the next one comes."""
    set_callbacks(cluster)
    old, new = cluster.leader(), cluster.replicas()[0]

    def told(node):
        with open(node.data_parent + "/callbacks", encoding="ascii") as f:
            return f.read().splitlines()

    def wait_told(node, *lines):
        wait_for("%s told %s" % (node.name, lines), lambda: told(node) == list(lines), 10 * PATIENCE)
        os.unlink(node.data_parent + "/callbacks")

    for n in cluster.nodes:
        wait_told(n, "on_reload %s e2e" % ("primary" if n is old else "replica"))
    cluster.hactl("restart", "e2e", new.name, "--force")
    wait_told(new, "on_restart replica e2e")

    for n in (old, new):
        open(n.data_parent + "/hang", "w", encoding="ascii").close()
    since = time.monotonic_ns()
    cluster.hactl("switchover", "--leader", old.name, "--candidate", new.name, "--force")
    assert elapsed_ms(since) < 10000 * PATIENCE
    cluster.wait_whole()
    wait_told(new, "on_role_change primary e2e")
    wait_told(old, "on_stop demoted e2e", "on_role_change replica e2e")
    for n in (new, old):
        # It writes down what it was told before it begins to hang.
        wait_for("of the callbacks on %s only the newest hangs" % n.name,
                 lambda n=n: len(n.pids_of("sleep")) == 1, 10 * PATIENCE)

    for n in (old, new):
        os.unlink(n.data_parent + "/hang")
    old.stop_agent()
    wait_told(old, "on_stop replica e2e")
    assert not old.pids_of("sleep")
    old.start_agent()
    wait_told(old, "on_start replica e2e")


HANGING = """#!/bin/sh
echo "$@" >>%(dir)s/callbacks
trap '' TERM
exec sleep 1000
"""


def hangs(node, told):
    """The newest callback, which has said so and does not end."""
    def hung():
        with open(node.data_parent + "/callbacks", encoding="ascii") as f:
            return f.read().splitlines()[-1] == told and node.pids_of("sleep")
    pids = wait_for("%s hangs in %s" % (node.name, told), hung, 10 * PATIENCE)
    assert len(pids) <= 2, "one, and on_reload has a place of its own: %s" % pids
    return pids


def serves_meanwhile(node):
    pids = hangs(node, "on_role_change primary e2e")
    node.sql("CREATE TABLE meanwhile (); DROP TABLE meanwhile")
    assert set(pids) & set(node.pids_of("sleep")), "it takes writes while its callback hangs"


def test_hanging_callbacks_delay_no_failover(cluster, out):
    """Scripts that hang in every callback and do not heed SIGTERM: a switchover, the end of a
    primary that is cut off and the takeover go their way, and the scripts are ended."""
    set_callbacks(cluster, HANGING)
    first, second = cluster.leader(), cluster.replicas()[0]
    with cluster.writers(out) as w:
        w.mark("switchover %s -> %s" % (first.name, second.name))
        cluster.hactl("switchover", "--leader", first.name, "--candidate", second.name, "--force")
        serves_meanwhile(second)
        cluster.wait_member(first, replication_state="streaming")
        hangs(first, "on_role_change replica e2e")

        cut_at = w.mark("link down")
        second.unplug()
        third = cluster.wait_leader(other_than=second)
        serves_meanwhile(third)
        wait_for("%s is no primary" % second.name,
                 lambda: second.rest_inside("/primary") != 200 and hangs(
                     second, "on_role_change replica e2e"), 10 * PATIENCE)
        back_at = w.mark("link up")
        second.heal()
        cluster.wait_whole()
        w.verdict(max_lost=CUT_OFF)
        taken_at = w.first_ack_ns(cut_at, other_than=second)
        assert taken_at < back_at
        last = max(op.done for op in w.ops if op.outcome == "ok" and op.node == second.name
                   and op.done < taken_at)
        assert last - cut_at < GATE_S * 1e9, "acknowledged %d ms after the cut" % (
            (last - cut_at) / 1e6)
    assert all(len(n.pids_of("sleep")) in (1, 2) for n in (second, third)), "they still hang"
    second.stop_agent()
    assert not second.pids_of("sleep"), "they end with the agent"
    second.start_agent()
    cluster.wait_whole()
