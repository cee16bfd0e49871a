# SPDX-License-Identifier: PostgreSQL
"""Synchronous replication that an operator has set up in Postgres itself. Whoever was confirmed is
there afterwards, whatever becomes of leases and clocks: a standby that was asked to vote confirms
nothing to the leader of before."""

import signal

from lib.cluster import TTL_S
from lib.proc import kill, stays, wait_for
from lib.rounds import Round

ANY_OTHER = "ANY 1 (n1, n2, n3)"


def synchronous(cluster):
    """Each commit waits for one of the standbys, whoever leads."""
    cluster.set_config(postgresql={"parameters": {"synchronous_standby_names": ANY_OTHER}})
    for n in cluster.nodes:
        wait_for("%s has the setting" % n.name, lambda n=n: n.sql1(
            "SHOW synchronous_standby_names") == ANY_OTHER, 20)
    wait_for("two that confirm", lambda: cluster.leader().sql1(
        "SELECT count(*) = 2 FROM pg_stat_replication WHERE sync_state = 'quorum'"), 20)


def receivers_of(node):
    return node.sql1("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")


def test_voter_cut_off_from_etcd(cluster, out):
    """Nobody is left who could stop the old primary, and a voter that etcd tells nothing goes on
    receiving from it until it is asked: what both confirmed is not lost, and after the vote they
    confirm nothing."""
    synchronous(cluster)
    try:
        with Round(cluster, out, "voter cut off from etcd, agent and guard frozen") as r:
            old = cluster.leader()
            voter = cluster.replicas()[0]
            pids = [old.agent.pid] + old.pids_of("pgha-guard")
            r.strike("agent and guardian frozen, a voter cut off from etcd")
            for pid in pids:
                kill(pid, signal.SIGSTOP)
            try:
                for m in cluster.etcd.members:
                    voter.drop(peer=m.name)
                new = cluster.wait_leader(other_than=old)
                assert new is not voter
                assert old.postgres_pids(), "nobody was there to stop it"
                # Longer than a promise lasts.
                stays("nobody receives from the old one", lambda: receivers_of(old) == 0,
                      2 * TTL_S + 4)
            finally:
                voter.heal()
                for pid in pids:
                    kill(pid, signal.SIGCONT)
            r.verdict(0)
            acked = [op for op in r.w.ops if op.outcome == "ok"]
            assert any(op.node == old.name and op.done > r.at for op in acked), \
                "it went on as long as others confirmed"
            first = r.w.first_ack_ns(r.at, other_than=old)
            assert not [op for op in acked if op.node == old.name and op.done > first]
    finally:
        cluster.set_config(postgresql={"parameters": {"synchronous_standby_names": None}})
        wait_for("the setting goes", lambda: cluster.leader().sql1(
            "SHOW synchronous_standby_names") == "", 20)
