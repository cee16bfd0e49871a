# SPDX-License-Identifier: PostgreSQL
"""Members that know each other by a secret: what they say in elections and promises is signed, and
what is not, or by somebody else, or for the second time, changes nothing"""

import hashlib
import hmac
import json
import os
import re
import secrets
import signal
import time

import pytest

from lib.cluster import PATIENCE, TTL_S
from lib.node import chown_postgres
from lib.proc import stays, wait_for

HEADER = "X-Pgha-Peer"
SECRET, OTHER = secrets.token_hex(32), secrets.token_hex(32)


def header_of(secret, scope, sender, to, method, path, body=b""):
    """As pgha-rest(7) describes it."""
    ms, nonce = int(time.time() * 1000), secrets.token_hex(16)
    text = "pgha-peer v1 call\n%s\n%s\n%s\n%s\n%s\n%d\n%s\n%s\n" % (
        scope, sender, to, method, path, ms, nonce, hashlib.sha256(body).hexdigest())
    mac = hmac.new(secret.encode(), text.encode(), "sha256").hexdigest()
    return {HEADER: "v1 %s %d %s %s" % (sender, ms, nonce, mac)}


def secret_path(node):
    return os.path.join(node.dir, "peer.secret")


def put_secret(node, *lines):
    with open(secret_path(node), "w", encoding="ascii") as f:
        os.chmod(secret_path(node), 0o600)
        f.write("".join(line + "\n" for line in lines))
    chown_postgres(secret_path(node))


def reload(node, says, since=None):
    since = node.log_size() if since is None else since
    node.agent.kill(signal.SIGHUP)
    wait_for("%s says '%s'" % (node.name, says), lambda: says in node.logged_since(since),
             10 * PATIENCE)


def refusals(node):
    return sum(int(float(n)) for n in re.findall(r"^pgha_peer_refused_total\{.*\} (\S+)$",
                                                 node.rest("/metrics").text, re.M))


@pytest.fixture(name="trusting")
def _trusting(cluster):
    """The secret is given out member by member, and then asked for."""
    for n in cluster.nodes:
        put_secret(n, SECRET)
        n.change_config(restapi={"peer_secret_file": secret_path(n), "peer_auth": "optional"})
        reload(n, "are signed; what is not counts as well")
    for n in cluster.nodes:
        n.change_config(restapi={"peer_auth": None})
        reload(n, "are signed; what is not does not count, and 1 secret is taken")
    yield cluster
    for n in cluster.nodes:
        cluster.reset_config(n)
        if n.agent_running():
            reload(n, "calls between members are no longer signed")


def test_elections_are_signed_and_strangers_have_no_say(trusting):
    cluster = trusting
    old, standbys = cluster.leader(), cluster.replicas()
    before = {n.name: n.log_size() for n in standbys}
    old.kill_all()
    new = cluster.wait_leader(other_than=old)
    voter = next(n for n in standbys if n is not new)
    told = voter.logged_since(before[voter.name])
    assert re.search(r"REST: POST /seal .* signed by '%s': 200" % new.name, told)
    assert "stops receiving WAL" in told
    assert "counts as none" not in new.logged_since(before[new.name])
    old.start_agent()
    cluster.wait_whole()

    # A stranger on another host, who may send commands otherwise.
    scope, target = cluster.scope, cluster.replicas()[0]
    revision = int(cluster.etcd.ask("/kv/range", {"key": "AA=="})["header"]["revision"])
    asks = {"ballot": revision, "scope": scope, "candidate": "n9"}
    body = json.dumps(asks).encode()
    question = {"name": new.name, "conn_url": "postgres://x/", "api_url": "http://x/", "slots": {}}
    count, since = refusals(target), target.log_size()
    for path, said in (("/seal", asks), ("/failsafe", question)):
        answer = target.rest(path, "POST", said)
        assert answer.code == 403 and "no signature of a member" in answer.text, answer
    for bad in (header_of(OTHER, scope, "n9", target.name, "POST", "/seal", body),
                header_of(SECRET, "another", "n9", target.name, "POST", "/seal", body),
                header_of(SECRET, scope, "n9", new.name, "POST", "/seal", body),
                header_of(SECRET, scope, "n9", target.name, "POST", "/failsafe", body),
                header_of(SECRET, scope, "n9", target.name, "POST", "/seal", body + b" "),
                {HEADER: "v1 n9"}, {HEADER: "x" * 5000}):
        assert target.rest("/seal", "POST", body, headers=bad).code == 403
    assert "REST: POST /seal" in target.logged_since(since)
    assert "stops receiving WAL" not in target.logged_since(since)
    assert not json.loads(target.rest("/patroni").text)["pgha"].get("seal")
    wait_for("nine are counted", lambda: refusals(target) == count + 9, 10 * PATIENCE)

    # Overheard, and sent once more.
    late = json.dumps(dict(asks, ballot=1)).encode()
    good = header_of(SECRET, scope, "n9", target.name, "POST", "/seal", late)
    assert target.rest("/seal", "POST", late, headers=good).code == 409
    again = target.rest("/seal", "POST", late, headers=good)
    assert again.code == 403 and "sent the same before" in again.text, again
    assert cluster.leader() is new and cluster.is_whole() is new


def test_promises_are_signed(trusting):
    cluster = trusting
    cluster.set_config(failsafe_mode=True)
    names = {n.name for n in cluster.nodes}
    try:
        wait_for("everybody is in the key", lambda: all(
            n.rest("/failsafe").code == 200 and set(n.rest("/failsafe").json()) == names
            for n in cluster.nodes), 20)
        old = cluster.leader()
        pid = old.postmaster_pid()
        since = {n.name: n.log_size() for n in cluster.nodes}
        cluster.etcd.stop()
        wait_for("failsafe mode is active", lambda: all(
            n.status().get("failsafe_mode_is_active") for n in cluster.nodes), 2 * TTL_S)
        stays("it leads", lambda: old.postmaster_pid() == pid and
              old.rest("/primary").code == 200, 2 * TTL_S)
        for n in cluster.nodes:
            assert "counts as none" not in n.logged_since(since[n.name])
            assert n is old or "signed by '%s'" % old.name in n.logged_since(since[n.name])
    finally:
        cluster.etcd.start()
        cluster.wait_leader()
        cluster.set_config(failsafe_mode=None)
    wait_for("the key is taken away", lambda: cluster.etcd.get_kv(
        cluster.prefix + "failsafe") is None, 20)


def findings(cluster):
    return json.loads(cluster.hactl("doctor", "--json", check=False).stdout)["findings"]


def test_a_member_with_another_secret_is_noticed_and_mended(trusting):
    cluster = trusting
    leader = cluster.leader()
    odd, right = cluster.replicas()
    # A bad file at a reload changes nothing.
    os.chmod(secret_path(odd), 0o644)
    reload(odd, "the old secret stays")
    assert "chmod 600 '%s'" % secret_path(odd) in odd.agent_log()
    put_secret(odd, OTHER)
    reload(odd, "are signed; what is not does not count, and 1 secret is taken")

    # It asks the others where they are, and believes nobody.
    before = {n.name: n.log_size() for n in cluster.nodes}
    assert odd.rest("/explain", "POST", {}, timeout=20).code == 200
    assert "the answer of '%s' to GET /patroni counts as none: HTTP 403" % leader.name in \
        odd.logged_since(before[odd.name])
    assert "'%s' did not sign it with a secret of this member" % odd.name in \
        leader.logged_since(before[leader.name])
    wait_for("the doctor finds it", lambda: any(
        "for their signature" in f["what"] and odd.name in f["where"] and leader.name in f["where"]
        and f["level"] == "critical" for f in findings(cluster)), 20 * PATIENCE)
    assert cluster.leader() is leader and cluster.is_whole() is leader

    # The new secret is given out to all: each takes both, then each signs with it.
    for lines in ((SECRET, OTHER), (OTHER, SECRET)):
        for n in (leader, right):
            put_secret(n, *lines)
            reload(n, "2 secrets are taken")
    before = {n.name: n.log_size() for n in cluster.nodes}
    for n in cluster.nodes:
        assert n.rest("/explain", "POST", {}, timeout=20).code == 200
    for n in cluster.nodes:
        said = n.logged_since(before[n.name])
        assert "counts as none" not in said and "did not sign" not in said
    for n in (leader, right):
        put_secret(n, OTHER)
        reload(n, "1 secret is taken")
    leader.kill_all()
    cluster.wait_leader(other_than=leader)
    leader.start_agent()
    # What they refused the doctor tells of for minutes, to whoever comes next.
    for n in (odd, right):
        n.kill_agent()
        n.start_agent()
        n.wait_agent_up()
    cluster.wait_whole()
