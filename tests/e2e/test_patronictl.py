# SPDX-License-Identifier: PostgreSQL
"""Debian's patronictl, unmodified, against a cluster of ours: it must not notice"""

import json
import os
import re

import pytest
import yaml

from lib.proc import run, wait_for

PROGRAM = "/usr/bin/patronictl"


@pytest.fixture
def ctl(cluster, hosts):
    """patronictl with a file that knows nothing but etcd."""
    if not os.path.exists(PROGRAM):
        pytest.skip("no %s: scripts/install-deps --test installs it" % PROGRAM)
    conf = os.path.join(hosts[1], "patronictl.yml")
    with open(conf, "w", encoding="utf-8") as f:
        yaml.safe_dump({"scope": cluster.scope, "namespace": "/service/",
                        "etcd3": {"hosts": cluster.etcd.endpoints}}, f)

    def call(*args, check=True, editor="/bin/true", **kw):
        return run(PROGRAM, "-c", conf, *args, check=check, timeout=90,
                   env=dict(os.environ, LC_ALL="C.UTF-8", EDITOR=editor), **kw)
    return call


def members(ctl):
    return {m["Member"]: m for m in json.loads(ctl("list", "-f", "json").stdout)}


def test_list_and_topology(cluster, ctl):
    shown = members(ctl)
    leader = cluster.leader()
    assert set(shown) == {n.name for n in cluster.nodes}
    for n in cluster.nodes:
        m = shown[n.name]
        assert m["Host"] == n.addr and m["State"] == "running" or m["State"] == "streaming", m
        assert m["Role"] == ("Leader" if n is leader else "Replica"), m
        assert m["TL"] == leader.timeline(), m
        # What another test has changed may be pending.
        pending = json.loads(cluster.key("members/" + n.name)).get("pending_restart", False)
        assert ("Pending restart" in m) == pending, m
    tree = ctl("topology").stdout
    for n in cluster.replicas():
        assert "+ " + n.name in tree, tree


# What its version 3 calls otherwise, or does not know; doc/patroni.md tells of them.
OLDER = {"Lag in MB"}
NEWER = {"Receive LSN", "Receive Lag", "Replay LSN", "Replay Lag", "Lag", "Pending restart reason"}
OURS = {"Fence", "Trouble"}


def titles_of(text):
    """Those of a table, in their order."""
    return [t.strip() for t in text.splitlines()[1].strip("|").split("|")]


def same_columns(theirs, ours):
    assert [t for t in theirs if t not in OLDER | NEWER] == \
        [t for t in ours if t not in NEWER | OURS], (theirs, ours)


def test_hactl_beside_it(cluster, ctl):
    """Scripts and eyes that read one can read the other."""
    if not cluster.history():
        cluster.hactl("switchover", "--force")
        cluster.wait_whole()
    for words in (["history"], ["history", "-f", "json"], ["history", "-f", "yaml"],
                  ["show-config"], ["dsn"]):
        theirs = wait_for("patronictl %s is the same twice" % words,
                          lambda words=words: (lambda a, b: a == b and a)(
                              ctl(*words).stdout, cluster.hactl(*words).stdout), 10)
        assert theirs.strip(), words
    for words in (["list", "-e"], ["topology"]):
        theirs, ours = ctl(*words).stdout, cluster.hactl(*words).stdout
        same_columns(titles_of(theirs), titles_of(ours))
        names = [[line.split("|")[1] for line in text.splitlines()[3:] if line.startswith("|")]
                 for text in (theirs, ours)]
        assert names[0] == names[1], (theirs, ours)
        assert not OURS & set(titles_of(ours)[:-1]), ours
    same_columns(ctl("list", "-f", "tsv").stdout.splitlines()[0].split("\t"),
                 cluster.hactl("list", "-f", "tsv").stdout.splitlines()[0].split("\t"))
    for theirs, ours in zip(*(sorted(json.loads(text), key=lambda r: r["Member"]) for text in (
            ctl("list", "-f", "json").stdout, cluster.hactl("list", "-f", "json").stdout))):
        assert [k for k in theirs if k not in OLDER | NEWER] == \
            [k for k in ours if k not in NEWER | OURS]
        for key in ("Cluster", "Member", "Host", "Role", "TL"):
            assert theirs[key] == ours[key], (theirs, ours)


def test_switchover_and_history(cluster, ctl, out):
    old, new = cluster.leader(), cluster.replicas()[0]
    with cluster.writers(out) as w:
        done = ctl("switchover", "--leader", old.name, "--candidate", new.name, "--force",
                   cluster.scope)
        assert "Successfully switched over to \"%s\"" % new.name in done.stdout, done.stdout
        w.verdict(max_lost=0)
    assert cluster.leader() is new
    cluster.wait_history(new.timeline() - 1)
    lines = json.loads(ctl("history", "-f", "json").stdout)
    assert lines[-1]["New Leader"] == new.name and lines[-1]["TL"] == new.timeline() - 1, lines
    switched = cluster.history()[-1]
    assert [lines[-1]["LSN"], lines[-1]["Reason"], lines[-1]["Timestamp"]] == switched[1:4], lines
    shown = ctl("history").stdout
    assert re.search(r"^\| +%d \| +%d \| %s +\| \S+ \| %s +\|$" % (
        switched[0], switched[1], re.escape(switched[2]), new.name), shown, re.M), shown


def test_a_switchover_that_cannot_be_is_refused(cluster, ctl):
    old = cluster.leader()
    refused = ctl("switchover", "--leader", cluster.replicas()[0].name, "--candidate", old.name,
                  "--force", cluster.scope, check=False)
    assert refused.returncode != 0
    assert cluster.leader() is old


def test_failover(cluster, ctl, out):
    new = cluster.replicas()[1]
    with cluster.writers(out) as w:
        done = ctl("failover", "--candidate", new.name, "--force", cluster.scope)
        # Before 4.0 it names the leader in its request, and that makes a switchover of it.
        assert re.search(r"Successfully (failed|switched) over to \"%s\"" % new.name,
                         done.stdout), done.stdout
        w.verdict(max_lost=0)
    assert cluster.leader() is new


def test_pause_and_resume(cluster, ctl):
    ctl("pause", "--wait", cluster.scope)
    assert "Maintenance mode: on" in ctl("list").stdout
    assert cluster.leader().status()["pause"] is True
    ctl("resume", "--wait", cluster.scope)
    assert "Maintenance mode" not in ctl("list").stdout


def test_configuration(cluster, ctl):
    before = yaml.safe_load(ctl("show-config", cluster.scope).stdout)
    assert before["ttl"] == cluster.dcs["ttl"], before
    ctl("edit-config", "-s", "maximum_lag_on_failover=2097152", "-p", "work_mem=5MB", "--force",
        cluster.scope)
    after = yaml.safe_load(ctl("show-config", cluster.scope).stdout)
    assert after["maximum_lag_on_failover"] == 2097152, after
    for n in cluster.nodes:
        wait_for("work_mem on %s" % n.name, lambda n=n: n.sql1("SHOW work_mem") == "5MB", 20)


def test_configuration_in_an_editor(cluster, ctl, tmp_path):
    """What an operator sees, changes, and is asked about."""
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\ncp \"$1\" %s/seen\n"
                      "sed -i 's/^maximum_lag_on_failover:.*/maximum_lag_on_failover: 3145728/; "
                      "s/^postgresql:/&\\n  use_slots: true/' \"$1\"\n" % tmp_path)
    editor.chmod(0o755)
    asked = ctl("edit-config", cluster.scope, editor=str(editor), input="n\n")
    assert "+maximum_lag_on_failover: 3145728" in asked.stdout, asked.stdout
    assert yaml.safe_load((tmp_path / "seen").read_text())["ttl"] == cluster.dcs["ttl"]
    shown = yaml.safe_load(ctl("show-config", cluster.scope).stdout)
    assert shown.get("maximum_lag_on_failover") != 3145728, "it was not to be applied"
    asked = ctl("edit-config", cluster.scope, editor=str(editor), input="y\n")
    assert "Configuration changed" in asked.stdout, asked.stdout
    shown = yaml.safe_load(ctl("show-config", cluster.scope).stdout)
    assert shown["maximum_lag_on_failover"] == 3145728, shown
    assert shown["postgresql"]["use_slots"] is True, shown
    for n in cluster.nodes:
        wait_for("%s goes by it" % n.name, lambda n=n: json.loads(
            n.rest("/config").text)["maximum_lag_on_failover"] == 3145728, 20)


def test_restart_reload_and_reinit(cluster, ctl):
    node = cluster.replicas()[0]
    pid = node.postmaster_pid()
    done = ctl("restart", "--force", cluster.scope, node.name)
    assert "Success: restart on member %s" % node.name in done.stdout, done.stdout
    cluster.wait_whole()
    assert node.postmaster_pid() != pid
    loaded_at = node.sql1("SELECT pg_conf_load_time()")
    done = ctl("reload", "--force", cluster.scope, node.name)
    assert node.name in done.stdout and "ailed" not in done.stdout, done.stdout
    wait_for("Postgres reads its files again",
             lambda: node.sql1("SELECT pg_conf_load_time()") > loaded_at, 20)
    inode = node.data_inode()
    done = ctl("reinit", "--force", "--wait", cluster.scope, node.name)
    assert "Success: reinitialize for member %s" % node.name in done.stdout, done.stdout
    cluster.wait_whole()
    assert node.data_inode() != inode


def take_what_is_pending(cluster, ctl):
    # A standby may only go below a primary that has done so: what is lowered takes two rounds.
    for _ in range(2):
        ctl("restart", "--pending", "--force", cluster.scope)
        cluster.wait_whole()
    for n in cluster.nodes:
        wait_for("%s waits for nothing" % n.name, lambda n=n: not json.loads(
            cluster.key("members/" + n.name)).get("pending_restart"), 20)


def change_max_connections(cluster, ctl, number):
    ctl("edit-config", "-p", "max_connections=%d" % number, "--force", cluster.scope)
    for n in cluster.nodes:
        cluster.wait_member(n, pending_restart=True)


def test_restart_that_only_what_is_pending_needs(cluster, ctl):
    take_what_is_pending(cluster, ctl)
    pids = {n.name: n.postmaster_pid() for n in cluster.nodes}
    ctl("restart", "--pending", "--force", cluster.scope)
    assert {n.name: n.postmaster_pid() for n in cluster.nodes} == pids
    change_max_connections(cluster, ctl, 60)
    ctl("restart", "--pending", "--force", cluster.scope)
    for n in cluster.nodes:
        wait_for("%s restarted" % n.name,
                 lambda n=n: n.postmaster_pid() not in (0, pids[n.name]), 60)
    cluster.wait_whole()
    # Nothing is left pending for those who come after.
    change_max_connections(cluster, ctl, cluster.dcs["postgresql"]["parameters"]["max_connections"])
    take_what_is_pending(cluster, ctl)


def test_query(cluster, ctl):
    leader = cluster.leader()
    pgpass = os.path.join(leader.dir, "ctl-pgpass")
    with open(pgpass, "w", encoding="ascii") as f:
        f.write("*:*:*:postgres:super secret\n")
    os.chmod(pgpass, 0o600)
    asked = run("env", "PGPASSFILE=" + pgpass, PROGRAM, "-c",
                os.path.join(os.path.dirname(leader.dir), "patronictl.yml"), "query", "--role",
                "primary", "-U", "postgres", "-d", "postgres", "-c",
                "select pg_is_in_recovery()", "--format", "tsv", cluster.scope)
    assert "False" in asked.stdout, asked.stdout
