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


def ballot_asks(cluster, node):
    """A ballot that the revisions of etcd come to only later: no beat is newer than it yet. Until
    then its member seals for nobody: see revisions_go_on()."""
    keys = [cluster.etcd.get_kv(cluster.prefix + k) for k in ("leader", "status", "pgha/beat")]
    newest = max(int(kv["mod_revision"]) for kv in keys if kv)
    scope = json.loads(node.rest("/patroni").text)["patroni"]["scope"]
    return {"ballot": newest + 40, "scope": scope, "candidate": "n9"}


def revisions_go_on(cluster):
    for _ in range(50):
        cluster.etcd.put("/elsewhere", "")


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


def test_a_seal_without_an_election_ends_by_itself(cluster, out):
    node = cluster.replicas()[0]
    wait_for("the stream", lambda: receives(node), 20)
    asks = ballot_asks(cluster, node)
    reply = node.rest("/seal", "POST", asks)
    assert reply.code == 200, reply.text
    assert json.loads(reply.text)["pgha"]["sealed"] == asks["ballot"]
    assert not receives(node)
    assert "ballot %d of 'n9'" % asks["ballot"] in cluster.hactl("explain", node.name).stdout
    listed = wait_for("the line of list", lambda: re.search(
        r"receive WAL from nobody: (.*)", cluster.hactl("list").stdout), 5)
    assert listed.group(1) == "%s (ballot %d)" % (node.name, asks["ballot"])
    wait_for("the end of the promise", lambda: receives(node), 30)
    assert cluster.leader().rest("/seal", "POST", asks).code == 409
    assert node.rest("/seal", "POST", dict(asks, scope="another")).code == 409
    assert receives(node)


def test_a_promise_outlives_the_agent_and_its_ballot_is_used_once(cluster, out):
    node = cluster.replicas()[0]
    leader = cluster.leader()
    wait_for("the stream", lambda: receives(node), 20)
    asks = ballot_asks(cluster, node)
    before = node.log_size()
    assert node.rest("/seal", "POST", asks).code == 200
    node.agent.kill(signal.SIGKILL)
    wait_for("the end of the agent", lambda: not node.agent_running(), 5)
    node.start_agent()
    wait_for("the promise", lambda: json.loads(node.rest("/patroni").text)["pgha"]["seal"], 10)
    assert not receives(node)
    wait_for("the end of the promise", lambda: receives(node), 40)
    said = said_since(node, before)
    assert said.index("stops receiving WAL") < said.index("may receive WAL again: ")
    assert node.rest("/seal", "POST", asks).code == 409
    assert receives(node) and cluster.leader() is leader


def test_what_only_a_standby_without_etcd_has_is_not_lost(cluster, out):
    """Its agent alone has lost etcd, so it has no key and cannot lead; it still receives."""
    revisions_go_on(cluster)
    old = cluster.leader()
    voter, new = cluster.replicas()
    for node in (voter, new):
        wait_for("the stream", lambda n=node: receives(n), 20)
    old.sql("CREATE TABLE only_there (i int)")
    wait_for("the table", lambda: new.sql1("SELECT to_regclass('only_there') IS NOT NULL"), 10)
    before = new.log_size()
    frozen = [old.agent.pid] + old.pids_of("pgha-guard")
    new.drop(peer=old.name)
    for member in cluster.etcd.members:
        voter.drop(peer=member.name)
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
