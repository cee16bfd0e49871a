# SPDX-License-Identifier: PostgreSQL
"""A Postgres that has not ended and does not work: its postmaster is stopped, or its disk stands
still. Reported always; where fence.* says so the primary gives up."""

import json
import re
import signal

from lib.cluster import ON_THE_WAY, TTL_S
from lib.node import PG_PORT
from lib.proc import kill, wait_for

HUNG_AFTER_S = 4
SEEN_S = 15
ELECTION_S = 10  # with room for a busy machine


def postgres(node):
    return node.status().get("pgha", {}).get("postgres", {})


def connections(node):
    return postgres(node).get("connections")


def fence(cluster):
    """Every member gives up when it hangs; make_whole() takes it back."""
    for n in cluster.nodes:
        n.change_config(fence={"hung_postgres": "fence", "stalled_disk": "fence",
                               "hung_after": HUNG_AFTER_S})
        assert n.rest("/reload", "POST", {}).code == 202
    for n in cluster.nodes:
        wait_for("new connections on " + n.name, lambda n=n: connections(n) == "open", SEEN_S)


def receiver(node):
    rows = node.sql("SELECT status || ' ' || pid FROM pg_stat_wal_receiver")
    return rows[0][0] if rows else ""


def hears_nothing(node):
    return postgres(node).get("receiver_silent", False)


def epoch_released(cluster):
    text = cluster.key("pgha/release")
    return json.loads(text)["epoch"] if text else 0


def test_stopped_postmaster_is_reported_and_left_alone(cluster):
    leader = cluster.leader()
    pid = leader.postmaster_pid()
    wait_for("new connections", lambda: connections(leader) == "open", SEEN_S)
    kill(pid, signal.SIGSTOP)
    try:
        wait_for("the stopped postmaster is seen", lambda: connections(leader) == "stopped", SEEN_S)
        wait_for("it is listed as trouble",
                 lambda: "the postmaster is stopped" in cluster.hactl("list").stdout, SEEN_S)
        assert "the postmaster is stopped" in cluster.hactl("explain").stdout
        assert cluster.leader_name() == leader.name
    finally:
        kill(pid, signal.SIGCONT)
    wait_for("new connections again", lambda: connections(leader) == "open", SEEN_S)
    assert leader.postmaster_pid() == pid


def test_stopped_postmaster_is_fenced(cluster, out):
    fence(cluster)
    old = cluster.leader()
    pid = old.postmaster_pid()
    with cluster.writers(out) as w:
        w.mark("postmaster stopped")
        kill(pid, signal.SIGSTOP)
        new = cluster.wait_leader(other_than=old, deadline_s=HUNG_AFTER_S + TTL_S + ELECTION_S)
        assert new is not old
        wait_for("it comes back as a standby", cluster.is_whole, 60)
        w.verdict(ON_THE_WAY)


def test_stalled_disk_lets_the_lease_run_out(on_disks, out):
    fence(on_disks)
    old = on_disks.leader()
    epoch = old.status()["pgha"]["lease_epoch"]
    wait_for("its disk takes writes", lambda: postgres(old).get("disk") == "ok", SEEN_S)
    with on_disks.writers(out) as w:
        w.mark("disk frozen")
        old.disk.freeze()
        try:
            wait_for("the stalled disk is seen", lambda: postgres(old).get("disk") == "stalled",
                     SEEN_S)
            on_disks.wait_leader(other_than=old,
                                 deadline_s=HUNG_AFTER_S + 2 * TTL_S + ELECTION_S)
            assert epoch_released(on_disks) != epoch, "it was given back, with processes alive"
        finally:
            old.disk.thaw()
        wait_for("it comes back as a standby", on_disks.is_whole, 60)
        w.verdict(ON_THE_WAY)


def test_a_standby_says_that_it_hears_nothing(cluster):
    """What the leader's server sends is dropped, and nothing else: the connection stays up on both of
    its sides, for TCP and for Postgres, until wal_receiver_timeout."""
    leader = cluster.leader()
    node = cluster.replicas()[0]
    cluster.set_config(postgresql={"parameters": {"wal_receiver_timeout": "24s"}})
    wait_for("the shorter timeout",
             lambda: node.sql1("SHOW wal_receiver_timeout") == "24s", SEEN_S)
    wait_for("the stream", lambda: receiver(node).startswith("streaming"), SEEN_S)
    before = receiver(node)
    assert not hears_nothing(node)
    node.drop(peer=leader.name, port=PG_PORT, direction="input")
    try:
        wait_for("the silence is seen", lambda: hears_nothing(node), 24)
        assert receiver(node) == before, "the same walreceiver, still streaming"
        assert postgres(node)["receiver_age_ms"] > 12000
        assert "no word of the upstream for" in cluster.hactl("explain", node.name).stdout
        assert re.search(r"^pgha_receiver_silent\{.*\} 1$", node.rest("/metrics").text, re.M)
        wait_for("it is listed as trouble",
                 lambda: "the upstream is silent" in cluster.hactl("list").stdout, 3)
        assert cluster.leader() is leader
    finally:
        node.heal()
    wait_for("the upstream is heard again", lambda: receiver(node).startswith("streaming") and
             not hears_nothing(node), 60)
    wait_for("no trouble", lambda: "the upstream is silent" not in cluster.hactl("list").stdout,
             SEEN_S)
    assert cluster.leader() is leader
