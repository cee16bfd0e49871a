# SPDX-License-Identifier: PostgreSQL
"""A new cluster from a backup, recovered to the point that an operator named"""

import os
import re
import tempfile

from lib.node import chown_postgres, pg_bin
from lib.proc import stays, wait_for
from test_bootstrap import script

# The archive gives a file only so often, so that the server opens for reads long before its target.
SLOW_S = 0.7


def make_backup(node, folder):
    """A backup of a server of its own, rows up to the point 'here', and others after it."""
    source, archive = folder + "/source", folder + "/archive"
    os.makedirs(archive)
    chown_postgres(folder)
    chown_postgres(archive)

    def run(*argv):
        return node.run([os.path.join(pg_bin(), argv[0]), *argv[1:]], user="postgres").stdout

    def sql(text):
        return run("psql", "-X", "-v", "ON_ERROR_STOP=1", "-h", folder, "-p", "7777", "-Atc",
                   text, "postgres")

    run("initdb", "-D", source, "-U", "postgres", "-A", "trust", "-k", "-N", "--locale=C", "-E",
        "UTF8")
    with open(source + "/postgresql.conf", "a", encoding="ascii") as f:
        f.write("unix_socket_directories = '%s'\nlisten_addresses = ''\nport = 7777\n"
                "archive_mode = on\narchive_command = 'cp %%p %s/%%f'\nfsync = off\n"
                % (folder, archive))
    run("pg_ctl", "-D", source, "-w", "-l", folder + "/log", "start")
    try:
        sql("CREATE TABLE kept (i int)")
        run("pg_basebackup", "-h", folder, "-p", "7777", "-D", folder + "/backup", "-c", "fast",
            "-X", "none")
        for i in range(8):
            sql("INSERT INTO kept SELECT %d FROM generate_series(1, 100)" % i)
            sql("SELECT pg_switch_wal()")
        sql("SELECT pg_create_restore_point('here')")
        sql("INSERT INTO kept SELECT 99 FROM generate_series(1, 50)")
        sql("SELECT pg_switch_wal()")
    finally:
        run("pg_ctl", "-D", source, "-w", "stop")
    return folder + "/backup", archive


def configure(cluster, target):
    node = cluster.nodes[0]
    folder = tempfile.mkdtemp(dir=cluster.work, prefix="restore")
    chown_postgres(folder)
    backup, archive = make_backup(node, folder)
    command = script(folder + "/restore.sh", 'for a; do case $a in --datadir=*) d=${a#*=};; esac; '
                     'done\nmkdir -p -m 700 "$d" && cp -a %s/. "$d"\n' % backup)
    fetch = script(folder + "/fetch.sh", 'sleep %s\nexec cp "%s/$1" "$2"\n' % (SLOW_S, archive))
    cluster.local = {"bootstrap": {"method": "restore", "restore": {
        "command": command, "recovery_conf": dict(
            target, restore_command="%s %%f %%p" % fetch, recovery_target_timeline="latest")}}}
    for n in cluster.nodes:
        cluster.reset_config(n)
    cluster.etcd.start()
    cluster.etcd.wait_ready()
    node.start_agent()
    return node


def rows(node):
    return node.sql1("SELECT count(*) FROM kept")


def test_recovery_comes_to_its_target(fresh):
    node = configure(fresh, {"recovery_target_name": "here", "recovery_target_action": "promote"})
    wait_for("reads", lambda: node.sql1("SELECT pg_is_in_recovery()"), 30)
    assert rows(node) < 800
    wait_for("the note", lambda: "recovers to its target" in node.agent_log(), 10)
    leader = fresh.wait_leader(deadline_s=60)
    wait_for("the target", lambda: not leader.sql1("SELECT pg_is_in_recovery()"), 60)
    assert leader is node and rows(node) == 800
    assert "Postgres: promote" not in node.agent_log()
    for n in fresh.nodes[1:]:
        n.start_agent()
    fresh.wait_whole(60)
    assert {rows(n) for n in fresh.nodes} == {800}


def test_an_agent_that_dies_meanwhile_changes_nothing(fresh):
    node = configure(fresh, {"recovery_target_name": "here", "recovery_target_action": "promote"})
    wait_for("reads", lambda: node.sql1("SELECT pg_is_in_recovery()"), 30)
    node.kill_agent()
    node.kill_all()
    node.start_agent()
    wait_for("the target", lambda: node.postgres_pids() and
             not node.sql1("SELECT pg_is_in_recovery()"), 60)
    fresh.wait_leader(deadline_s=30)
    assert rows(node) == 800


def test_recovery_that_pauses_at_its_target_waits_for_the_operator(fresh):
    node = configure(fresh, {"recovery_target_name": "here", "recovery_target_action": "pause"})
    wait_for("the pause", lambda: "paused at its target" in node.agent_log(), 60)
    stays("it waits", lambda: node.sql1("SELECT pg_is_in_recovery()"), 2)
    assert rows(node) == 800
    node.sql("SELECT pg_wal_replay_resume()")
    wait_for("the opening", lambda: not node.sql1("SELECT pg_is_in_recovery()"), 30)
    wait_for("it leads", lambda: node.rest("/primary").code == 200, 30)
    assert rows(node) == 800


def test_a_target_that_is_not_there_gives_the_race_back(fresh):
    node = configure(fresh, {"recovery_target_name": "nowhere",
                             "recovery_target_action": "promote"})
    wait_for("the race is given back", lambda: re.search(
        r"the bootstrap failed here", node.agent_log()), 90)
    wait_for("nothing is left", lambda: not os.path.exists(node.data_dir + "/PG_VERSION"), 30)
    assert "recovery ended before configured recovery target was reached" in node.agent_log()
