# SPDX-License-Identifier: PostgreSQL
"""How a member comes back: through nothing, pg_rewind, or a new base backup"""

import os

import pytest

from lib.cluster import CUT_OFF, ON_THE_WAY, merge
from lib.node import chown_postgres, pg_bin
from lib.proc import wait_for


def without_rewind(node):
    """A bin_dir like the real one, whose pg_rewind always fails."""
    own = os.path.join(node.dir, "bin")
    os.makedirs(own, exist_ok=True)
    for name in os.listdir(pg_bin()):
        link = os.path.join(own, name)
        if name != "pg_rewind" and not os.path.lexists(link):
            os.symlink(os.path.join(pg_bin(), name), link)
    with open(os.path.join(own, "pg_rewind"), "w", encoding="ascii") as f:
        f.write("#!/bin/sh\necho 'pg_rewind: error: broken on purpose' >&2\nexit 1\n")
    os.chmod(os.path.join(own, "pg_rewind"), 0o755)
    return own


def diverge(cluster, old):
    """Cut the primary off until another one leads; its own clients made it diverge meanwhile.
    Returns the new leader; the old one is still cut off."""
    old.unplug()
    return cluster.wait_leader(other_than=old)


def test_diverged_primary_is_rewound(cluster, out):
    old = cluster.leader()
    inode, offset = old.data_inode(), old.log_size()
    with cluster.writers(out) as w:
        w.mark("link down")
        diverge(cluster, old)
        old.heal()
        report = w.verdict(max_lost=CUT_OFF)
    assert report.lost, "the isolated primary took writes, else this test shows nothing"
    assert old.data_inode() == inode
    assert "pg_rewind" in old.logged_since(offset)


def test_primary_killed_while_diverging_is_rewound(cluster, out):
    """It was not shut down cleanly, so it has to recover alone before it can be rewound."""
    old = cluster.leader()
    inode, offset = old.data_inode(), old.log_size()
    with cluster.writers(out) as w:
        w.mark("link down")
        old.unplug()
        wait_for("rows that only the old primary has", lambda: old.sql1(
            "SELECT count(*) FROM " + w.table) > cluster.replicas()[0].sql1(
                "SELECT count(*) FROM " + w.table) + 50, 3)
        w.mark("kill -9 of agent and Postgres")
        old.kill_all()
        cluster.wait_leader(other_than=old)
        old.heal()
        old.start_agent()
        report = w.verdict(max_lost=CUT_OFF)
    assert report.lost
    assert old.data_inode() == inode
    assert "pg_rewind" in old.logged_since(offset)


def test_failed_rewind_is_cloned_when_allowed(cluster, out):
    old = cluster.leader()
    inode = old.data_inode()
    old.change_config(postgresql={"bin_dir": without_rewind(old),
                                  "remove_data_directory_on_rewind_failure": True})
    old.kill_agent()
    old.start_agent()
    old.wait_agent_up()
    cluster.wait_whole()
    offset = old.log_size()
    with cluster.writers(out) as w:
        w.mark("link down")
        diverge(cluster, old)
        old.heal()
        report = w.verdict(max_lost=CUT_OFF)
    assert report.lost
    assert old.data_inode() != inode
    assert "broken on purpose" in old.logged_since(offset)


def test_failed_rewind_is_not_cloned_unasked(cluster, out):
    """The operator did not allow to remove the data: it stays, the reason is told, and there is
    no endless loop of attempts."""
    old = cluster.leader()
    inode = old.data_inode()
    old.change_config(postgresql={"bin_dir": without_rewind(old)})
    old.kill_agent()
    old.start_agent()
    old.wait_agent_up()
    cluster.wait_whole()
    offset = old.log_size()
    with cluster.writers(out) as w:
        diverge(cluster, old)
        old.heal()
        wait_for("the failure is told",
                 lambda: "broken on purpose" in old.logged_since(offset), 30)
        w.stop()
    wait_for("the new primary has its other standby", lambda: cluster.leader().sql1(
        "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == 1, 20)
    assert old not in cluster.primaries()
    assert old.data_inode() == inode
    tries = old.logged_since(offset).count("broken on purpose")
    assert tries <= 10, "%d attempts" % tries
    # The operator's way out.
    cluster.hactl("reinit", "e2e", old.name, "--force", "--wait", node=cluster.leader())
    cluster.wait_whole()
    assert old.data_inode() != inode


def test_rewind_unusable_is_cloned_when_allowed(fresh, out):
    """No checksums and no hint bits in the WAL: pg_rewind cannot work."""
    fresh.dcs["postgresql"]["parameters"]["wal_log_hints"] = "off"
    fresh.dcs["postgresql"]["remove_data_directory_on_diverged_timelines"] = True
    fresh.local = {"bootstrap": {"initdb": [{"encoding": "UTF8"}, {"locale": "C"}]}}
    for n in fresh.nodes:
        fresh.reset_config(n)
    fresh.start()
    old = fresh.leader()
    assert old.sql1("SHOW wal_log_hints") == "off" and old.sql1("SHOW data_checksums") == "off"
    inode = old.data_inode()
    with fresh.writers(out) as w:
        w.mark("link down")
        diverge(fresh, old)
        old.heal()
        report = w.verdict(max_lost=CUT_OFF)
    assert report.lost
    assert old.data_inode() != inode


def fall_behind(cluster, standby):
    """The standby is off while the primary forgets the WAL it would need."""
    cluster.set_config(member_slots_ttl=0, postgresql={"parameters": {
        "wal_keep_size": "16MB", "min_wal_size": "32MB", "max_wal_size": "32MB"}})
    standby.kill_all()
    leader = cluster.leader()
    wait_for("the slot is gone", lambda: not leader.sql(
        "SELECT FROM pg_replication_slots WHERE slot_name = %s", standby.name), 20)
    needed = leader.sql1("SELECT pg_walfile_name(pg_current_wal_lsn())")

    def recycled():
        leader.sql("CREATE TABLE IF NOT EXISTS bulk (t text)")
        leader.sql("INSERT INTO bulk SELECT repeat('x', 1000) FROM generate_series(1, 20000)")
        leader.sql("TRUNCATE bulk")
        leader.sql("SELECT pg_switch_wal()")
        leader.sql("CHECKPOINT")
        return leader.sql1("SELECT count(*) FROM pg_ls_waldir() WHERE name = %s", needed) == 0
    wait_for("%s is recycled" % needed, recycled, 30, 0)


def test_standby_that_fell_behind_the_wal(cluster, out):
    standby = cluster.replicas()[0]
    inode, offset = standby.data_inode(), standby.log_size()
    with cluster.writers(out) as w:
        fall_behind(cluster, standby)
        standby.start_agent()
        w.verdict(max_lost=0)
    assert standby.data_inode() != inode, "only a new base backup could help"
    assert "pg_basebackup" in standby.logged_since(offset)


def test_slot_removed_but_wal_still_there(cluster, out):
    """No clone is needed: the standby comes back through nothing."""
    standby = cluster.replicas()[0]
    inode = standby.data_inode()
    with cluster.writers(out) as w:
        standby.kill_all()
        leader = cluster.leader()
        wait_for("the walsender is gone", lambda: not leader.sql(
            "SELECT FROM pg_stat_replication WHERE application_name = %s", standby.name), 10)
        leader.sql("SELECT pg_drop_replication_slot(%s)", standby.name)
        standby.start_agent()
        w.verdict(max_lost=0)
    assert standby.data_inode() == inode


def test_standby_with_lost_data_directory_is_cloned(cluster, out):
    standby = cluster.replicas()[0]
    with cluster.writers(out) as w:
        standby.kill_all()
        standby.wipe_data()
        standby.start_agent()
        w.verdict(max_lost=0)


def test_primary_with_lost_data_directory_is_replaced(cluster, out):
    old = cluster.leader()
    with cluster.writers(out) as w:
        w.mark("killed, data directory removed")
        old.kill_all()
        old.wipe_data()
        old.start_agent()
        cluster.wait_leader(other_than=old)
        w.verdict(max_lost=ON_THE_WAY)
    assert cluster.leader() is not old


def test_clone_from_a_tagged_replica(cluster):
    """clonefrom: the leader is spared."""
    source, target = cluster.replicas()
    source.change_config(tags={"clonefrom": True})
    assert source.rest("/reload", "POST", {}).code == 202
    cluster.wait_member(source, 10, tags={"clonefrom": True})
    offset = target.log_size()
    target.kill_all()
    target.wipe_data()
    target.start_agent()
    cluster.wait_whole()
    assert "cloning from '%s'" % source.name in target.logged_since(offset) or \
        source.addr in target.logged_since(offset)


def test_custom_replica_method_comes_first(cluster):
    node = cluster.replicas()[0]
    script = node.dir + "/restore"
    with open(script, "w", encoding="ascii") as f:
        f.write("#!/bin/sh\necho \"$@\" >%s/restore-args\nexit 1\n" % node.data_parent)
    os.chmod(script, 0o755)
    chown_postgres(script)
    node.write_config(merge(node.config, {"postgresql": {
        "create_replica_methods": ["restore", "basebackup"], "restore": {"command": script},
        "basebackup": [{"checkpoint": "fast"}]}}))
    node.kill_all()
    node.wipe_data()
    node.start_agent()
    cluster.wait_whole()
    with open(node.data_parent + "/restore-args", encoding="ascii") as f:
        args = f.read()
    assert "--scope=e2e" in args and "--role=replica" in args
    assert "--datadir=" in args and "--connstring=" in args
    assert "secret" not in args
