# SPDX-License-Identifier: PostgreSQL
"""What an operator does every day: pause, restart, reload, reinit, configuration, slots"""

import json
import re

import pytest
import yaml

from lib.cluster import ON_THE_WAY, TTL_S
from lib.node import pg_bin
from lib.proc import alive, kill, stays, wait_for


def test_pause_keeps_hands_off(cluster, out):
    leader = cluster.leader()
    with cluster.writers(out) as w:
        done = cluster.hactl("pause", "--wait")
        assert "Success: cluster management is paused" in done.stdout
        assert "Maintenance mode: on" in cluster.hactl("list").stdout
        assert cluster.hactl("pause", check=False).returncode == 1

        kill(leader.postmaster_pid())
        wait_for("Postgres is gone", lambda: not leader.postgres_pids(), 10)
        stays("nobody does anything", lambda: cluster.primaries() == [], TTL_S + 2)
        assert leader.rest("/primary").code == 503

        done = cluster.hactl("resume", "--wait")
        assert "Success: cluster management is resumed" in done.stdout
        # In pause the leader key goes with the primary, so whoever is fit may win afterwards.
        w.verdict(max_lost=ON_THE_WAY)
    assert cluster.hactl("resume", check=False).returncode == 1


def test_agents_leave_in_pause_and_postgres_stays(cluster, out):
    leader = cluster.leader()
    before = {n.name: n.postmaster_pid() for n in cluster.nodes}
    with cluster.writers(out) as w:
        cluster.hactl("pause", "--wait")
        for n in cluster.nodes:
            n.stop_agent()
        stays("Postgres runs without agents", lambda: all(
            alive(pid) for pid in before.values()) and cluster.primaries() == [leader], TTL_S + 2)
        for n in sorted(cluster.nodes, key=lambda n: n is not leader):
            n.start_agent()
            n.wait_agent_up()
        wait_for("%s leads" % leader.name, lambda: cluster.leader_name() == leader.name, 10)
        cluster.hactl("resume", "--wait")
        report = w.verdict(max_lost=0)
    assert {n.name: n.postmaster_pid() for n in cluster.nodes} == before
    assert report.longest_gap_ms() < 500


def test_switchover_in_pause_to_a_named_candidate(cluster, out):
    old, new = cluster.leader(), cluster.replicas()[0]
    with cluster.writers(out) as w:
        cluster.hactl("pause", "--wait")
        answer = old.rest("/switchover", "POST", {"leader": old.name}, timeout=30)
        assert answer.code == 400, answer
        answer = old.rest("/switchover", "POST", {"leader": old.name, "candidate": new.name},
                          timeout=30)
        assert answer.code == 200, answer
        cluster.hactl("resume", "--wait")
        w.verdict(max_lost=0)
    assert cluster.leader() is new


def test_restart_of_primary_and_replica(cluster, out):
    with cluster.writers(out) as w:
        for n in (cluster.replicas()[0], cluster.leader()):
            leader, before = cluster.leader(), n.postmaster_pid()
            done = cluster.hactl("restart", "e2e", n.name, "--force")
            assert "Success: restart on member %s" % n.name in done.stdout
            assert n.postmaster_pid() not in (0, before)
            assert cluster.wait_whole() is leader
        w.verdict(max_lost=0)


def test_scheduled_restart_keeps_the_time_as_it_was_given(cluster):
    node, given = cluster.replicas()[0], "2050-01-01T10:00:00+05:30"
    cluster.hactl("restart", "e2e", node.name, "--scheduled", given, "--force")
    shown = wait_for("it is in the member's key", lambda: json.loads(
        cluster.key("members/" + node.name)).get("scheduled_restart"), 10)
    assert shown["schedule"] == given
    start = node.rest("/patroni").json()["postmaster_start_time"]
    assert shown["postmaster_start_time"] == start
    assert cluster.rows()[node.name]["Scheduled restart"] == given
    done = cluster.hactl("flush", "e2e", node.name, "restart", "--force")
    assert "Success: flush scheduled restart for member %s" % node.name in done.stdout
    wait_for("nothing scheduled", lambda: "scheduled_restart" not in json.loads(
        cluster.key("members/" + node.name)), 10)


def test_pending_restart_is_shown_and_taken(cluster):
    cluster.hactl("edit-config", "-p", "max_connections=61", "--force")
    for n in cluster.nodes:
        cluster.wait_member(n, 15, pending_restart=True)
    reason = json.loads(cluster.key("members/" + cluster.leader_name()))["pending_restart_reason"]
    assert reason == {"max_connections": {"old_value": "50", "new_value": "61"}}
    assert all(r["Pending restart"] == "*" for r in cluster.rows().values())
    assert all("max_connections: 50->61" in r["Pending restart reason"]
               for r in cluster.rows().values())
    status = cluster.leader().rest("/patroni").json()
    assert (status["pending_restart"], status["pending_restart_reason"]) == (True, reason)
    assert re.search(r"^patroni_pending_restart\{.*\} 1$", cluster.leader().rest("/metrics").text,
                     re.M)
    assert [n.sql1("SHOW max_connections") for n in cluster.nodes] == ["50"] * 3

    leader = cluster.leader()
    done = cluster.hactl("restart", "e2e", "--pending", "--force")
    restarted = done.stdout.count("Success: restart on member")
    nothing_left = done.stdout.count("(restart conditions are not satisfied)")
    assert restarted + nothing_left == 3, done.stdout
    assert "Success: restart on member " + leader.name in done.stdout
    # Before 14 a standby ends where its primary has more, and its agent starts it with what waited.
    if int(leader.sql1("SHOW server_version_num")) >= 140000:
        assert restarted == 3, done.stdout
    assert cluster.wait_whole() is leader
    wait_for("61 connections everywhere", lambda: all(
        n.sql1("SHOW max_connections") == "61" for n in cluster.nodes), 20)
    # A standby must not run with less than its primary did, so one may need a second restart.
    wait_for("nothing pending", lambda: not any(
        "pending_restart" in json.loads(cluster.key("members/" + n.name))
        for n in cluster.nodes), 15)


def test_standbys_follow_a_raised_setting(cluster, out):
    """Restarted on the primary alone, where the replay of a standby would wait for ever."""
    leader = cluster.leader()
    with cluster.writers(out) as w:
        cluster.hactl("edit-config", "-p", "max_connections=63", "--force")
        # What another test has changed may be pending already.
        wait_for("63 are waited for", lambda: json.loads(cluster.key("members/" + leader.name))[
            "pending_restart_reason"]["max_connections"]["new_value"] == "63", 15)
        assert leader.rest("/restart", "POST", {}, timeout=60).code == 200
        wait_for("63 connections everywhere, and replay goes on", lambda: all(
            n.sql1("SHOW max_connections") == "63" for n in cluster.nodes) and not any(
            n.sql1("SELECT pg_is_wal_replay_paused()") for n in cluster.replicas()), 60)
        w.verdict(max_lost=0)
    assert cluster.leader() is leader


def test_setting_of_a_file_waits_for_a_restart(cluster):
    node = cluster.replicas()[0]
    old = node.sql1("SHOW shared_buffers")
    node.change_config(postgresql={"parameters": {"shared_buffers": 4096}})
    cluster.hactl("reload", "e2e", node.name, "--force")

    def reason():
        m = json.loads(cluster.key("members/" + node.name))
        return m.get("pending_restart_reason", {}).get("shared_buffers")
    wait_for("32 MB are waited for", lambda: reason() == {"old_value": old, "new_value": "32MB"}, 10)
    node.change_config(postgresql={"parameters": {"shared_buffers": old}})
    cluster.hactl("reload", "e2e", node.name, "--force")
    wait_for("nothing is waited for", lambda: reason() is None, 10)


def test_reload_takes_the_local_file(cluster):
    node = cluster.replicas()[0]
    node.change_config(postgresql={"parameters": {"work_mem": "7MB"}}, tags={"rack": "r7"})
    done = cluster.hactl("reload", "e2e", node.name, "--force")
    assert "Reload request received for member %s" % node.name in done.stdout
    wait_for("work_mem", lambda: node.sql1("SHOW work_mem") == "7MB", 10)
    cluster.wait_member(node, 10, tags={"rack": "r7"})
    assert node.rest("/replica?tag_rack=r7").code == 200
    assert node.rest("/replica?tag_rack=r8").code == 503


def test_broken_file_at_reload_changes_nothing(cluster):
    node, before = cluster.leader(), cluster.leader().postmaster_pid()
    offset = node.log_size()
    node.write_config(text="scope: [e2e\n")
    node.rest("/reload", "POST", {})
    wait_for("the agent complains", lambda: "pgha.yml" in node.logged_since(offset), 10)
    cluster.reset_config(node)
    assert cluster.wait_whole() is node
    assert node.postmaster_pid() == before


def test_reinit_replaces_the_data(cluster, out):
    leader, node = cluster.leader(), cluster.replicas()[0]
    inode = node.data_inode()
    with cluster.writers(out) as w:
        done = cluster.hactl("reinit", "e2e", node.name, "--force", "--wait")
        assert "Success: reinitialize for member %s" % node.name in done.stdout
        assert "Reinitialize is completed on: %s" % node.name in done.stdout
        w.verdict(max_lost=0)
    assert node.data_inode() != inode
    assert cluster.leader() is leader
    refused = leader.rest("/reinitialize", "POST", {})
    assert (refused.code, refused.text) == (503, "I am the leader, can not reinitialize")


def slots(node):
    return dict(node.sql("SELECT slot_name, active FROM pg_replication_slots"))


def test_slots_on_primary_and_standbys(cluster):
    """A member has its slot wherever it may have to stream from one day."""
    leader = cluster.leader()
    for n in cluster.nodes:
        others = {m.name for m in cluster.nodes if m is not n}
        wait_for("%s has slots for %s" % (n.name, sorted(others)),
                 lambda n=n, others=others: others <= set(slots(n)), 10)
    assert all(slots(leader)[n.name] for n in cluster.replicas())
    for n in cluster.replicas():
        wait_for("slots of %s move on" % n.name, lambda n=n: n.sql1(
            "SELECT bool_and(restart_lsn IS NOT NULL) FROM pg_replication_slots"), 15)


def test_slot_of_a_member_that_left_is_removed(cluster):
    gone = cluster.replicas()[0]
    stayed = [n for n in cluster.nodes if n is not gone]
    gone.kill_all()
    stays("the slot is kept at first", lambda: gone.name in slots(cluster.leader()), TTL_S + 2)
    cluster.set_config(member_slots_ttl="2s")
    for n in stayed:
        wait_for("%s drops the slot" % n.name, lambda n=n: gone.name not in slots(n), 20)
    gone.start_agent()
    cluster.wait_whole()
    for n in stayed:
        wait_for("%s has the slot again" % n.name, lambda n=n: gone.name in slots(n), 10)


def test_slots_of_subscribers_follow_the_primary(fresh):
    """From 17 on Postgres keeps copies of them on standbys, but of none that is there already."""
    major = int(pg_bin().split("/")[-2])
    if major < 17:
        pytest.skip("slots are not synchronized by PostgreSQL %d" % major)
    for n in fresh.nodes:
        n.change_config(bootstrap={"dcs": {"postgresql": {"parameters": {
            "wal_level": "logical", "hot_standby_feedback": "on", "sync_replication_slots": "on"}}}})
    fresh.start()
    old = fresh.leader()
    old.sql("SELECT pg_create_logical_replication_slot('books', 'pgoutput', false, false, true)")

    def copied(n):
        # Of a slot that nobody reads Postgres makes no copy that lasts: it has to move on.
        fresh.leader().sql("SELECT pg_log_standby_snapshot()")
        fresh.leader().sql("SELECT pg_replication_slot_advance('books', pg_current_wal_lsn())")
        return n.sql1("SELECT bool_and(synced) FROM pg_replication_slots"
                      " WHERE slot_name = 'books' AND NOT temporary")
    for n in fresh.replicas():
        wait_for("%s has a copy" % n.name, lambda n=n: copied(n), 60, 1)
    fresh.hactl("switchover", "--candidate", fresh.replicas()[0].name, "--force")
    fresh.wait_leader(other_than=old)
    fresh.wait_whole()
    assert fresh.leader().sql1("SELECT failover FROM pg_replication_slots WHERE slot_name = 'books'")
    wait_for("the old primary has a copy instead of its own", lambda: copied(old), 90, 1)


def test_config_is_shown_and_edited(cluster):
    shown = yaml.safe_load(cluster.hactl("show-config").stdout)
    assert shown == cluster.leader().rest("/config").json() == cluster.dcs
    done = cluster.hactl("edit-config", "-s", "maximum_lag_on_failover=2097152", "-p",
                         "work_mem=6MB", "--force")
    assert "+maximum_lag_on_failover: 2097152" in done.stdout
    assert "Configuration changed" in done.stdout
    wait_for("work_mem on all", lambda: all(
        n.sql1("SHOW work_mem") == "6MB" for n in cluster.nodes), 10)
    assert "Not changed" in cluster.hactl("edit-config", "-p", "work_mem=6MB", "--force").stdout


def test_list_topology_history_version_explain(cluster):
    leader = cluster.leader()
    text = cluster.hactl("list").stdout
    sysid = cluster.key("initialize")
    assert text.startswith("+ Cluster: e2e (%s) " % sysid)
    assert re.search(r"\| %s +\| %s +\| Leader +\| running " % (leader.name, leader.addr), text)
    for n in cluster.replicas():
        assert re.search(r"\| %s +\| %s +\| Replica +\| streaming " % (n.name, n.addr), text)
    rows = cluster.rows()
    assert {r["Role"] for r in rows.values()} == {"Leader", "Replica"}
    # Postgres may write between two looks.
    wait_for("both forms tell the same", lambda: cluster.rows() == {
        r["Member"]: r for r in yaml.safe_load(cluster.hactl("list", "-f", "yaml").stdout)}, 20)
    tsv = cluster.hactl("list", "-f", "tsv").stdout.splitlines()
    assert tsv[0].split("\t")[:4] == ["Cluster", "Member", "Host", "Role"] and len(tsv) == 4
    topology = cluster.hactl("topology").stdout
    assert re.search(r"\| %s +\|" % leader.name, topology) and topology.count("| + ") == 2
    assert "PostgreSQL" in cluster.hactl("version", "e2e").stdout
    history = json.loads(cluster.hactl("history", "-f", "json").stdout)
    assert len(history) == len(cluster.history())
    explain = cluster.hactl("explain").stdout
    for n in cluster.nodes:
        assert n.name in explain


def test_no_cluster_no_panic(cluster):
    done = cluster.hactl("list", "nosuchcluster", check=False)
    assert done.returncode == 0 and "uninitialized" in done.stdout
    done = cluster.hactl("switchover", "nosuchcluster", "--force", check=False)
    assert done.returncode == 1 and "Error:" in done.stdout


def test_metrics_and_health(cluster):
    leader, replica = cluster.leader(), cluster.replicas()[0]
    metrics = leader.rest("/metrics").text
    assert 'patroni_primary{scope="e2e",name="%s"} 1' % leader.name in metrics
    for path, on_leader, on_replica in (
            ("/", 200, 503), ("/primary", 200, 503), ("/leader", 200, 503),
            ("/read-write", 200, 503), ("/replica", 503, 200), ("/read-only", 200, 200),
            ("/replica?lag=1GB", 503, 200), ("/health", 200, 200), ("/liveness", 200, 200),
            ("/readiness", 200, 200), ("/async", 503, 200), ("/sync", 503, 503),
            ("/nonsense", 503, 503), ("/patroni", 200, 200), ("/cluster", 200, 200),
            ("/history", 200, 200), ("/config", 200, 200)):
        assert leader.rest(path).code == on_leader, path
        assert replica.rest(path).code == on_replica, path
        for method in ("HEAD", "OPTIONS"):
            assert leader.rest("/primary", method).code == 200
            assert replica.rest("/primary", method).code == 503


def test_copy_tells_how_far_it_is(cluster):
    """What is copied, and how much of it, while a replica is built anew."""
    leader, replica = cluster.leader(), cluster.replicas()[0]
    # Slow enough: pg_basebackup tells once a second how far it is.
    replica.change_config(postgresql={"basebackup": [{"checkpoint": "fast"}, {"max-rate": "40M"}]},
                          tags={"copies": "slowly"})
    assert replica.rest("/reload", "POST", {}).code == 202
    cluster.wait_member(replica, 20, tags={"copies": "slowly"})
    leader.sql("CREATE TABLE filling (i int, t text)")
    try:
        for _ in range(20):
            leader.sql("INSERT INTO filling SELECT i, repeat('x', 900) "
                       "FROM generate_series(1, 8000) i")
        cluster.hactl("reinit", cluster.scope, replica.name, "--force")
        seen = wait_for("bytes of the copy", lambda: replica.status()["pgha"].get(
            "job", {}).get("done_bytes") is not None and replica.status()["pgha"]["job"], 60, 0.02)
        assert seen["name"] == "clone" and 0 <= seen["done_bytes"], seen
        assert seen["total_bytes"] > 100 * 2 ** 20 and seen["for_ms"] >= 0, seen
        cluster.wait_whole()
        assert "job" not in replica.status()["pgha"]
    finally:
        leader.sql("DROP TABLE IF EXISTS filling")
