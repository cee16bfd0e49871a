# SPDX-License-Identifier: PostgreSQL
"""A running Patroni cluster, Debian's, moves over member by member and back"""

import json
import os

import psycopg2
import pytest

from lib.alike import unalike
from lib.cluster import PATIENCE
from lib.front import addresses, before, reached
from lib.node import PG_PORT
from lib.patroni import PROGRAM, PatroniCluster
from lib.proc import wait_for

# The shortest that Patroni takes.
FASTEST = {"ttl": 20, "loop_wait": 1, "retry_timeout": 3}
SOON_S = 60 * PATIENCE


@pytest.fixture
def theirs(hosts, programs, prober, shared, record):
    """Three members, all of them Patroni's."""
    if not os.path.exists(PROGRAM):
        pytest.skip("no %s: scripts/install-deps --test installs it" % PROGRAM)
    shared.drop()
    cluster = PatroniCluster(*hosts, programs, prober, dcs=FASTEST)
    record.append(cluster)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()


def switch(cluster, new):
    """Asked of the leader, whoever runs it; the other agents know it soon after."""
    old = cluster.leader()
    answer = old.rest("/switchover", "POST", {"leader": old.name, "candidate": new.name},
                      timeout=60)
    assert answer.code == 200, answer
    assert cluster.wait_whole(SOON_S) is new


def change_agent(cluster, node, ours):
    """The agent is stopped in good order, and Postgres with it, as when a package is replaced."""
    if cluster.leader() is node:
        switch(cluster, next(n for n in cluster.nodes if n is not node))
    node.stop_agent()
    node.ours = ours
    node.start_agent()
    wait_for("%s answers" % node.name, lambda: node.rest("/patroni").code != 0, 20)
    cluster.wait_whole(SOON_S)
    assert ("pgha" in node.status()) == ours, node.status()


def check(cluster):
    return cluster.hactl("migrate", "check", *[n.conf_path for n in cluster.nodes], "-f", "json",
                         check=False)


def found(cluster, verdict, code):
    """What the check of a migration tells, as doc/patroni.md has it."""
    told = check(cluster)
    assert told.returncode == code, told.stdout
    return {f["Key"]: f for f in json.loads(told.stdout) if f["Verdict"] == verdict}


def test_check_before_moving(theirs):
    wait_for("nothing stands in the way", lambda: check(theirs).returncode == 0, SOON_S)
    assert not found(theirs, "stands in the way", 0)
    carried = found(theirs, "carries over", 0)
    assert {"initialize", "config.ttl", "members/n1", "postgresql.data_dir"} <= set(carried)
    assert "config.ttl" in found(theirs, "to be known", 0)
    assert "mode" not in found(theirs, "to be known", 0)
    os.chmod(theirs.nodes[0].conf_path, 0o644)
    assert "chmod o-rwx " in found(theirs, "to be known", 0)["mode"]["What to do"]
    os.chmod(theirs.nodes[0].conf_path, 0o600)
    theirs.set_config(standby_cluster={"host": "192.0.2.1"}, pause=True)
    stops = found(theirs, "stands in the way", 3)
    assert {"config.standby_cluster", "config.pause"} == set(stops), stops
    theirs.set_config(standby_cluster=None, pause=None)


def test_moves_over_and_back(theirs, out):
    # Members write their keys once in a loop_wait.
    wait_for("nothing stands in the way", lambda: check(theirs).returncode == 0, SOON_S)
    inodes = [n.data_inode() for n in theirs.nodes]
    with theirs.writers(out) as w:
        joins = theirs.replicas()[0]
        change_agent(theirs, joins, ours=True)
        other = next(n for n in theirs.replicas() if not n.ours)
        faults = unalike(joins, other, theirs.leader())
        assert not faults, "\n".join(map(repr, faults))
        w.mark("one of ours follows, and is switched over to")
        switch(theirs, joins)
        w.mark("it leads two of Patroni's, and gives the lead back")
        switch(theirs, theirs.replicas()[0])
        for node in theirs.nodes:
            if not node.ours:
                w.mark("%s moves over" % node.name)
                change_agent(theirs, node, ours=True)
        switch(theirs, theirs.replicas()[0])
        for node in theirs.nodes:
            w.mark("%s moves back" % node.name)
            change_agent(theirs, node, ours=False)
        report = w.verdict(max_lost=0)
    # Nothing was left to expire: of switchovers the longest takes about a second.
    assert report.longest_gap_ms() < 1000 * FASTEST["ttl"] / 2
    assert [n.data_inode() for n in theirs.nodes] == inodes, "a member was copied anew"


def test_a_lost_host_of_theirs_is_taken_over_by_ours(theirs, out):
    """With a Patroni member about nobody deletes the key of another: it has to expire."""
    old = theirs.leader()
    ours = theirs.replicas()[0]
    change_agent(theirs, ours, ours=True)
    for node in theirs.nodes:
        if node not in (old, ours):
            node.change_config(tags={"nofailover": True})
            node.rest("/reload", "POST", {})
            theirs.wait_member(node, tags={"nofailover": True})
    with theirs.writers(out) as w:
        w.mark("host of %s lost" % old.name)
        old.kill_all()
        assert theirs.wait_leader(other_than=old, deadline_s=SOON_S) is ours
        old.start_agent()
        w.verdict(max_lost=200)


def test_a_lost_host_of_ours_is_taken_over_by_theirs(theirs, out):
    ours = theirs.replicas()[0]
    change_agent(theirs, ours, ours=True)
    switch(theirs, ours)
    with theirs.writers(out) as w:
        w.mark("host of %s lost" % ours.name)
        ours.kill_all()
        assert theirs.wait_leader(other_than=ours, deadline_s=SOON_S) is not ours
        ours.start_agent()
        w.verdict(max_lost=200)


def lose_the_leader(cluster, ahead, rows):
    """The host goes while another member than `ahead` lacks some rows, by far less than the lag
    that would bar it from the election."""
    old = cluster.leader()
    behind = next(n for n in cluster.replicas() if n is not ahead)
    cluster.net.drop(behind.name, peer=old.name, port=PG_PORT)
    old.sql("INSERT INTO kept SELECT generate_series(%s, %s)", rows + 1, rows + 100)
    wait_for("the rows on %s" % ahead.name,
             lambda: ahead.sql1("SELECT count(*) FROM kept") == rows + 100, 20)
    assert behind.sql1("SELECT count(*) FROM kept") == rows
    old.kill_all()
    new = cluster.wait_leader(other_than=old, deadline_s=SOON_S)
    # Not before: what the lost host's kernel had not sent would still arrive.
    cluster.net.heal(behind.name)
    assert new is ahead, "%s leads, and lacks what %s had" % (new.name, ahead.name)
    old.start_agent()
    cluster.wait_whole(SOON_S)
    for n in cluster.nodes:
        wait_for("every row on %s" % n.name,
                 lambda n=n: n.sql1("SELECT count(*) FROM kept") == rows + 100, 20)


def test_who_has_the_most_wal_leads_next(theirs):
    a, b, c = theirs.leader(), *theirs.replicas()
    change_agent(theirs, b, ours=True)
    switch(theirs, b)
    change_agent(theirs, a, ours=True)
    b.sql("CREATE TABLE kept (id bigint PRIMARY KEY)")
    for n in (a, c):
        wait_for("the table", lambda n=n: n.sql1("SELECT to_regclass('kept') IS NOT NULL"), 20)
    # Ours is lost: one of theirs is ahead of ours. Theirs is lost: one of two of ours is ahead.
    # Ours is lost again: one of ours is ahead of theirs.
    for rows, lost, ahead in (0, b, c), (100, c, b), (200, b, a):
        assert theirs.leader() is lost
        lose_the_leader(theirs, ahead, rows)


SYNC_PORT = 5002
SYNC_PATHS = ("/sync", "/synchronous", "/read-only-sync", "/async", "/quorum")


def set_nosync(cluster, *nodes):
    """Whom a leader of Patroni's must not choose; it chooses again."""
    for n in cluster.nodes:
        n.change_config(tags={"nosync": n in nodes})
        assert n.rest("/reload", "POST", {}).code == 202


def named_synchronous(cluster):
    return json.loads(cluster.key("sync") or "{}").get("sync_standby")


def wait_synchronous(cluster, front, node):
    """The leader has chosen it, it says so, and clients get there."""
    wait_for("the sync key names %s" % node.name,
             lambda: named_synchronous(cluster) == node.name, SOON_S)
    wait_for("%s says so" % node.name,
             lambda: [node.rest(p).code for p in SYNC_PATHS] == [200, 200, 200, 503, 503], SOON_S)
    for n in cluster.replicas():
        if n is not node:
            wait_for("%s does not" % n.name,
                     lambda n=n: [n.rest(p).code for p in SYNC_PATHS] == [503, 503, 503, 200, 503],
                     SOON_S)
    wait_for("clients get to %s" % node.name,
             lambda: reached(front, SYNC_PORT) == {node.addr}, SOON_S)


def test_haproxy_finds_the_synchronous_standby(theirs, out):
    """A leader of Patroni's with synchronous_mode, and a member of ours that confirms its commits,
    takes over without losing one when its host is lost, and is a synchronous standby again."""
    ours, other = theirs.replicas()
    first = theirs.leader()
    change_agent(theirs, ours, ours=True)
    set_nosync(theirs, other)
    theirs.set_config(synchronous_mode=True)
    wait_for("somebody is synchronous", lambda: named_synchronous(theirs) == ours.name, SOON_S)
    with before(theirs, out) as front:
        front.start_haproxy()
        wait_synchronous(theirs, front, ours)
        roles = {m["name"]: m["role"] for m in ours.rest("/cluster").json()["members"]}
        assert roles == {first.name: "leader", ours.name: "sync_standby", other.name: "replica"}
        refused = ours.rest("/switchover", "POST", {"leader": first.name, "candidate": other.name})
        assert (refused.code, refused.text) == \
            (412, "candidate name does not match with sync_standby")
        set_nosync(theirs, ours)
        wait_synchronous(theirs, front, other)
        set_nosync(theirs, other)
        wait_synchronous(theirs, front, ours)

        with theirs.writers(out) as w:
            w.mark("host of %s lost" % first.name)
            first.kill_all()
            assert theirs.wait_leader(other_than=first, deadline_s=SOON_S) is ours
            wait_for("clients write there", lambda: reached(front, 5000) == {ours.addr}, SOON_S)
            first.start_agent()
            w.verdict(max_lost=0)
        # It does not manage who confirms: nobody does, and nothing waits for anybody.
        wait_for("the sync key goes", lambda: not named_synchronous(theirs), SOON_S)
        assert ours.sql1("SHOW synchronous_standby_names") == ""
        wait_for("all standbys are asynchronous", lambda: all(
            n.rest("/async").code == 200 and n.rest("/sync").code == 503
            for n in theirs.replicas()), SOON_S)
        with pytest.raises(psycopg2.OperationalError):
            reached(front, SYNC_PORT)
        # The one that has just come back counts from HAProxy's next check on, a second later.
        wait_for("reads go to both", lambda: reached(front, 5001) == addresses(theirs.replicas()),
                 SOON_S)

        # Members of Patroni's take part in a switchover with it only if the key names them.
        theirs.set_config(synchronous_mode=False)
        switch(theirs, first)
        theirs.set_config(synchronous_mode=True)
        wait_synchronous(theirs, front, ours)
