# SPDX-License-Identifier: PostgreSQL
"""Elections by final positions: who votes has stopped receiving before it tells where it is"""

import json
import re
import signal

from lib.proc import kill, wait_for


def said_since(node, offset):
    text = node.logged_since(offset)
    return text.decode(errors="replace") if isinstance(text, bytes) else text


def receives(node):
    return node.sql1("SELECT count(*) FROM pg_stat_wal_receiver") == 1


def asks_for(cluster, node, ahead=0):
    """As a candidate asks: by a revision that etcd has given out, or by one far ahead of it."""
    now = int(cluster.etcd.ask("/kv/range", {"key": "AA=="})["header"]["revision"])
    scope = json.loads(node.rest("/patroni").text)["patroni"]["scope"]
    return {"ballot": now + ahead, "scope": scope, "candidate": "n9"}


def cut_from_etcd(cluster, node):
    for member in cluster.etcd.members:
        node.drop(peer=member.name)


def test_voters_stop_receiving_and_follow_the_winner(cluster, out):
    old = cluster.leader()
    standbys = cluster.replicas()
    before = {n.name: n.log_size() for n in standbys}
    old.kill_all()
    new = cluster.wait_leader(other_than=old)
    old.start_agent()
    cluster.wait_whole()
    for node in standbys:
        said = said_since(node, before[node.name])
        ballot = re.search(r"this standby stops receiving WAL, ballot (\d+)", said)
        assert ballot, "%s did not seal" % node.name
        assert "may receive WAL again: " in said
        epoch = re.findall(r"leads, epoch (\d+)", said)
        assert epoch and int(epoch[-1]) > int(ballot.group(1))
    assert cluster.leader() is new
    # Overheard, and sent once more: it is of an election that is over.
    again = dict(asks_for(cluster, new), ballot=int(ballot.group(1)), candidate=new.name)
    for node in cluster.nodes:
        assert node.rest("/seal", "POST", again).code == 409
    assert all(receives(node) for node in cluster.replicas()) and cluster.leader() is new


def test_a_seal_without_an_election_ends_with_a_sign_of_the_leader(cluster, out):
    node, leader = cluster.replicas()[0], cluster.leader()
    wait_for("the stream", lambda: receives(node), 20)
    kill(leader.agent.pid, signal.SIGSTOP)  # for less than the half of a term: it signs no more
    try:
        asks = asks_for(cluster, node)
        reply = node.rest("/seal", "POST", asks)
        assert reply.code == 200, reply.text
        assert json.loads(reply.text)["pgha"]["sealed"] == asks["ballot"]
        assert not receives(node)
        listed = wait_for("the line of list", lambda: re.search(
            r"receive WAL from nobody: (.*)", cluster.hactl("list").stdout), 1)
        assert listed.group(1) == "%s (ballot %d)" % (node.name, asks["ballot"])
    finally:
        kill(leader.agent.pid, signal.SIGCONT)
    wait_for("the end of the promise", lambda: receives(node), 30)
    assert cluster.leader().rest("/seal", "POST", asks).code == 409
    assert node.rest("/seal", "POST", dict(asks, scope="another")).code == 409
    assert receives(node) and cluster.leader() is leader


def test_a_promise_outlives_the_agent_and_its_ballot_is_used_once(cluster, out):
    """It lasts for as long as nothing is heard of etcd, and ends with the leader's sign."""
    node, leader = cluster.replicas()[0], cluster.leader()
    wait_for("the stream", lambda: receives(node), 20)
    before = node.log_size()
    cut_from_etcd(cluster, node)
    try:
        asks = asks_for(cluster, node)
        assert node.rest("/seal", "POST", asks).code == 200
        assert "ballot %d of 'n9'" % asks["ballot"] in cluster.hactl("explain", node.name).stdout
        node.agent.kill(signal.SIGKILL)
        wait_for("the end of the agent", lambda: not node.agent_running(), 5)
        node.start_agent()
        wait_for("the promise", lambda: json.loads(node.rest("/patroni").text)["pgha"]["seal"], 10)
        assert not receives(node)
    finally:
        node.heal()
    wait_for("the end of the promise", lambda: receives(node), 40)
    said = said_since(node, before)
    assert said.index("stops receiving WAL") < said.index("may receive WAL again: ")
    assert "was made up" not in said
    assert node.rest("/seal", "POST", asks).code == 409
    assert receives(node) and cluster.leader() is leader


def test_a_made_up_ballot_keeps_nobody_from_the_next_election(cluster, out):
    """Revisions would come to it in a week. One member finds out at once, the other when it hears of
    etcd again; then the leader's host is lost."""
    old = cluster.leader()
    one, other = cluster.replicas()
    before = {n.name: n.log_size() for n in (one, other)}
    for node in (one, other):
        wait_for("the stream", lambda n=node: receives(n), 20)
    cut_from_etcd(cluster, other)
    try:
        for node in (one, other):
            assert node.rest("/seal", "POST", asks_for(cluster, node, 1000000)).code in (200, 409)
        assert not receives(other)
    finally:
        other.heal()
    for node in (one, other):
        wait_for("%s finds out" % node.name,
                 lambda n=node: "was made up" in said_since(n, before[n.name]), 15)
        wait_for("the stream", lambda n=node: receives(n), 30)
    cluster.wait_whole()
    old.kill_all()
    cluster.wait_leader(other_than=old)
    old.start_agent()
    cluster.wait_whole()


def test_what_only_a_standby_without_etcd_has_is_not_lost(cluster, out):
    """Its agent alone has lost etcd, so it has no key and cannot lead; it still receives."""
    old = cluster.leader()
    voter, new = cluster.replicas()
    for node in (voter, new):
        wait_for("the stream", lambda n=node: receives(n), 20)
    old.sql("CREATE TABLE only_there (i int)")
    wait_for("the table", lambda: new.sql1("SELECT to_regclass('only_there') IS NOT NULL"), 10)
    before = new.log_size()
    frozen = [old.agent.pid] + old.pids_of("pgha-guard")
    new.drop(peer=old.name)
    cut_from_etcd(cluster, voter)
    for pid in frozen:
        kill(pid, signal.SIGSTOP)
    try:
        old.sql("INSERT INTO only_there SELECT generate_series(1, 100)")
        wait_for("the rows", lambda: voter.sql1("SELECT count(*) FROM only_there") == 100, 10)
        assert cluster.wait_leader(other_than=old) is new
        wait_for("the opening", lambda: not new.sql1("SELECT pg_is_in_recovery()"), 20)
        assert new.sql1("SELECT count(*) FROM only_there") == 100
        assert "receiving from '%s'" % voter.name in said_since(new, before)
        assert not receives(voter)
    finally:
        for pid in frozen:
            kill(pid, signal.SIGCONT)
        for node in (new, voter):
            node.heal()
    cluster.wait_whole()
    cluster.leader().sql("DROP TABLE only_there")
