# SPDX-License-Identifier: PostgreSQL
"""The primary's Postgres ends by itself while its agent lives: whoever goes on has everything"""

import signal

from lib.proc import kill, stays, wait_for


def wait_level(cluster):
    """Every standby has all that was written."""
    leader = cluster.leader()
    wait_for("standbys are level", lambda: leader.sql1(
        "SELECT count(*) FROM pg_stat_replication "
        "WHERE flush_lsn >= pg_current_wal_flush_lsn()") == len(cluster.nodes) - 1, 10)


def set_policy(cluster, **changes):
    cluster.set_config(**changes)
    for n in cluster.nodes:
        wait_for("%s knows %r" % (n.name, changes), lambda n=n: changes.items() <= n.rest(
            "/config").json().items(), 10)


def test_crashed_primary_is_handed_over_at_once(cluster):
    old = cluster.leader()
    wait_level(cluster)
    at = old.log_size()
    kill(old.postmaster_pid())
    new = cluster.wait_leader(other_than=old)
    said = old.logged_since(at)
    assert "Postgres crashed here, and '%s' has every commit" % new.name in said
    assert "commits may be lost" not in said
    cluster.wait_whole()
    assert cluster.leader() is new


def test_who_lacks_commits_does_not_take_over(cluster):
    """Their walreceivers stand still, so that commits are on the primary's disk alone."""
    old, timeline = cluster.leader(), cluster.leader().timeline()
    old.sql("CREATE TABLE IF NOT EXISTS alone (n int)")
    wait_level(cluster)
    receivers = [n.sql1("SELECT pid FROM pg_stat_wal_receiver") for n in cluster.replicas()]
    for pid in receivers:
        kill(pid, signal.SIGSTOP)
    try:
        old.sql("INSERT INTO alone SELECT generate_series(1, 1000)")
        at = old.log_size()
        kill(old.postmaster_pid())
        wait_for("%s is started again" % old.name,
                 lambda: old.rest("/primary").code == 200 and old.sql1("SELECT 1") == 1, 20)
    finally:
        for pid in receivers:
            kill(pid, signal.SIGCONT)
    assert "bytes of WAL with commits" in old.logged_since(at)
    cluster.wait_whole()
    assert cluster.leader() is old and old.timeline() == timeline
    for n in cluster.nodes:
        # A standby that streams may still be replaying.
        wait_for("all rows on %s" % n.name,
                 lambda n=n: n.sql1("SELECT count(*) FROM alone") == 1000, 10)
    old.sql("DROP TABLE alone")


def test_crashed_primary_is_started_again_when_told_so(cluster, out):
    old, timeline = cluster.leader(), cluster.leader().timeline()
    set_policy(cluster, on_primary_crash="restart")
    with cluster.writers(out) as w:
        w.mark("kill -9 postmaster")
        kill(old.postmaster_pid())
        w.verdict(max_lost=0)
    assert cluster.leader() is old and old.timeline() == timeline


def test_no_time_for_a_crashed_primary(cluster, out):
    old = cluster.leader()
    set_policy(cluster, primary_start_timeout=0)
    with cluster.writers(out) as w:
        w.mark("kill -9 postmaster")
        kill(old.postmaster_pid())
        new = cluster.wait_leader(other_than=old)
        w.verdict(max_lost=20)
        assert cluster.leader() is new


def test_crash_of_a_backend_is_left_to_postgres(cluster):
    """The postmaster restarts its backends: no other member, no stop, no new timeline."""
    old, postmaster = cluster.leader(), cluster.leader().postmaster_pid()
    timeline = old.timeline()
    set_policy(cluster, on_primary_crash="failover", primary_start_timeout=0)
    caller = old.spawn(["psql", "-h", old.sock_dir, "-c", "SELECT pg_sleep(100)"],
                       user="postgres", log="sleep.log")
    backend = wait_for("it sleeps", lambda: old.sql(
        "SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(100)'"), 10)[0][0]
    kill(backend)
    caller.wait()
    wait_for("%s serves again" % old.name, lambda: old.rest("/primary").code == 200 and
             old.sql1("SELECT 1") == 1, 20)
    stays("%s leads" % old.name, lambda: cluster.leader_name() == old.name, 2)
    cluster.wait_whole()
    assert (old.postmaster_pid(), old.timeline()) == (postmaster, timeline)
