# SPDX-License-Identifier: PostgreSQL
"""A Postgres that has not ended and does not work: its postmaster is stopped, or its disk stands
still. Reported always; where fence.* says so the primary gives up."""

import json
import signal

from lib.cluster import ON_THE_WAY, TTL_S
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
