# SPDX-License-Identifier: PostgreSQL
"""Elections by final positions: who votes has stopped receiving before it tells where it is"""

import json
import re

from lib.proc import wait_for


def said_since(node, offset):
    text = node.logged_since(offset)
    return text.decode(errors="replace") if isinstance(text, bytes) else text


def receives(node):
    return node.sql1("SELECT count(*) FROM pg_stat_wal_receiver") == 1


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
    epoch = cluster.etcd.get_kv(cluster.prefix + "leader")["create_revision"]
    scope = json.loads(node.rest("/patroni").text)["patroni"]["scope"]
    asks = {"ballot": int(epoch) + 1, "scope": scope, "candidate": "n9"}
    wait_for("the stream", lambda: receives(node), 20)
    reply = node.rest("/seal", "POST", asks)
    assert reply.code == 200, reply.text
    assert json.loads(reply.text)["pgha"]["sealed"] == int(epoch) + 1
    assert not receives(node)
    wait_for("the end of the promise", lambda: receives(node), 30)
    assert cluster.leader().rest("/seal", "POST", asks).code == 409
    assert node.rest("/seal", "POST", dict(asks, scope="another")).code == 409
    assert receives(node)
