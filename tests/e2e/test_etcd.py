# SPDX-License-Identifier: PostgreSQL
"""A member of etcd that is slow, stopped or swallows everything, at the shortest term; and what is
written while nothing happens"""

import contextlib
import threading

import pytest

from lib.cluster import DCS
from lib.etcd import b64, unb64
from lib.proc import stays, wait_for

SHORT = {"ttl": 3, "retry_timeout": 1}
FAULT_S = 6
REST_S = 8
TOLD_S = 3  # positions are told once in a loop_wait


@contextlib.contextmanager
def stopped(_cluster, member):
    member.freeze()
    try:
        yield
    finally:
        member.thaw()


@contextlib.contextmanager
def black_hole(cluster, member):
    """For its clients; a member that is cut off from the others as well makes etcd 3.4 elect anew
    when it comes back, which is another story."""
    for n in cluster.nodes:
        n.drop(peer=member.name, port=2379)
    try:
        yield
    finally:
        for n in cluster.nodes:
            n.heal()


@contextlib.contextmanager
def slow(_cluster, member):
    """It answers, up to 0.6 s late."""
    end = threading.Event()

    def go():
        while not end.is_set():
            member.freeze()
            end.wait(0.6)
            member.thaw()
            end.wait(0.03)

    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
        member.thaw()


def term(cluster, member):
    """Who leads, and since when, by the word of that member."""
    found = cluster.etcd.call(member, "/kv/range", {"key": b64(cluster.prefix + "leader")})
    return [(kv["value"], kv["create_revision"]) for kv in found.get("kvs", [])]


@pytest.fixture
def short(cluster):
    cluster.set_config(**SHORT)
    for n in cluster.nodes:
        wait_for("%s has the short term" % n.name,
                 lambda n=n: n.rest("/config").json()["ttl"] == SHORT["ttl"], 10)
    yield cluster
    cluster.set_config(ttl=DCS["ttl"], retry_timeout=DCS["retry_timeout"])


@pytest.mark.parametrize("fault", [slow, stopped, black_hole], ids=lambda f: f.__name__)
def test_a_bad_member_costs_no_lease(short, fault):
    """Each member in turn that does not lead etcd: the agents talk to one of them, or to the third.
    (The loss of etcd's leader takes an election of etcd's, which may be longer than this term.)"""
    leader = short.etcd.leader()
    since = {n.name: n.log_size() for n in short.nodes}
    before = term(short, leader)
    assert before
    for bad in [m for m in short.etcd.members if m is not leader]:
        with fault(short, bad):
            stays("the same member leads", lambda: term(short, leader) == before, FAULT_S)
    for n in short.nodes:
        assert "stops: " not in n.logged_since(since[n.name])
    assert len(short.primaries()) == 1


def keys_now(cluster):
    """Revision of all, and (mod revision, version) of each key."""
    end = cluster.prefix[:-1] + chr(ord(cluster.prefix[-1]) + 1)
    found = cluster.etcd.ask("/kv/range", {"key": b64(cluster.prefix), "range_end": b64(end)})
    return (int(found["header"]["revision"]),
            {unb64(kv["key"]).decode(): (int(kv["mod_revision"]), int(kv["version"]))
             for kv in found["kvs"]})


def wal_at(cluster):
    return cluster.leader().sql1("SELECT pg_current_wal_lsn()")


def test_nothing_is_written_at_rest(cluster):
    """But the leader's proof: a beat where the age of etcd asks for one, else not even that."""
    def at_rest():
        """What was written while Postgres wrote nothing, and all that it wrote before had been
        told; or None."""
        wal = wal_at(cluster)
        stays("nothing", lambda: True, TOLD_S)
        revision, keys = keys_now(cluster)
        stays("nothing", lambda: True, REST_S)
        later, after = keys_now(cluster)
        if wal_at(cluster) != wal:
            return None
        return later - revision, {k: v[1] - keys.get(k, (0, 0))[1] for k, v in after.items()
                                  if v != keys.get(k)}
    written, keys = wait_for("a time in which Postgres writes nothing", at_rest, 120)
    assert set(keys) <= {cluster.prefix + "pgha/beat"}, keys
    assert written == sum(keys.values()), (written, keys)


def connections(node):
    """Of the agent to etcd."""
    open_now = node.run(["ss", "-tnHp", "state", "established", "dport", "= :2379"]).stdout
    return sum("pid=%d," % node.agent.pid in line for line in open_now.splitlines())


def test_an_agent_at_rest_has_two_connections(cluster):
    """One for requests, one for the watch; what a start or a fault needed beside is closed."""
    for n in cluster.nodes:
        wait_for("%s has two" % n.name, lambda n=n: connections(n) == 2, 60)
    stays("all have two", lambda: [connections(n) for n in cluster.nodes] == [2, 2, 2], REST_S)
