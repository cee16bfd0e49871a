# SPDX-License-Identifier: PostgreSQL
"""fence.command: what the next leader runs against a leader that gave no proof of its end"""

import os
import time

import pytest

from lib.cluster import FAILOVER_S, ON_THE_WAY, TTL_S
from lib.node import chown_postgres, merge
from lib.proc import stays, wait_for

SCRIPT = """#!/bin/sh
# Writes down what it is told, whole, and does as the file beside it says.
set -eu
here=%(dir)s
{ echo "argument=$1"; env | grep '^PGHA_'; } > "$here/said.$PGHA_NAME.new"
mv "$here/said.$PGHA_NAME.new" "$here/said.$PGHA_NAME"
echo "$$" >> "$here/pids"
echo "asked to fence $1"
case $(cat "$here/how") in
hang) trap '' TERM; while :; do sleep 0.2; done ;;
fail) echo "the power switch does not answer" >&2; exit 3 ;;
esac
"""


class Command:
    """A program that all hosts share, as they share their file system."""

    def __init__(self, place):
        self.dir = place
        os.makedirs(place, exist_ok=True)
        chown_postgres(place)
        self.path = os.path.join(place, "fence")
        with open(self.path, "w", encoding="utf-8") as f:
            f.write(SCRIPT % {"dir": place})
        os.chmod(self.path, 0o755)
        self.will("succeed")

    def will(self, how):
        with open(os.path.join(self.dir, "how.new"), "w", encoding="utf-8") as f:
            f.write(how)
        os.rename(os.path.join(self.dir, "how.new"), os.path.join(self.dir, "how"))

    def said(self, node):
        """What it was told when that node ran it last; None: never."""
        try:
            with open(os.path.join(self.dir, "said." + node.name), encoding="utf-8") as f:
                return dict(line.rstrip("\n").split("=", 1) for line in f)
        except FileNotFoundError:
            return None

    def pids(self):
        try:
            with open(os.path.join(self.dir, "pids"), encoding="utf-8") as f:
                return [int(line) for line in f]
        except FileNotFoundError:
            return []


@pytest.fixture
def command(cluster, hosts):
    """Configured on every member; a test of its own directory each time."""
    made = Command(os.path.join(hosts[1], "fence.%d" % time.monotonic_ns()))
    configure(cluster, made)
    # The leader that there is writes itself down.
    wait_for("the leader is named", lambda: cluster.leader_name() in
             (cluster.key("pgha/fence") or ""), 10)
    return made


def configure(cluster, command, **more):
    settings = {"command": [command.path], **more}
    for n in cluster.nodes:
        n.write_config(merge(n.config, {"fence": settings}))
        before = n.log_size()
        assert n.rest("/reload", "POST", {}).code == 202
        wait_for("it is loaded", lambda n=n, at=before:
                 "configuration reloaded" in n.logged_since(at), 10)


def test_old_leader_is_fenced_first(cluster, command, out):
    old = cluster.leader()
    epoch = cluster.etcd.get_kv(cluster.prefix + "leader")["create_revision"]
    with cluster.writers(out) as w:
        w.mark("kill -9 of agent and Postgres")
        old.kill_all()
        new = cluster.wait_leader(other_than=old)
        said = command.said(new)
        now = cluster.etcd.get_kv(cluster.prefix + "leader")["create_revision"]
        old.start_agent()
        w.verdict(max_lost=ON_THE_WAY)
    assert said["argument"] == said["PGHA_VICTIM"] == old.name
    assert said["PGHA_SCOPE"] == cluster.scope and said["PGHA_NAME"] == new.name
    assert said["PGHA_VICTIM_CONN_URL"] == "postgres://%s:5432/postgres" % old.addr
    assert said["PGHA_VICTIM_API_URL"] == "http://%s:8008/patroni" % old.addr
    assert said["PGHA_VICTIM_EPOCH"] == str(epoch) and said["PGHA_EPOCH"] == str(now)
    assert said["PGHA_REASON"] == "lost" and said["PGHA_TIMEOUT"] == "20"
    assert "fence.command says: asked to fence " + old.name in new.agent_log()
    wait_for("nobody else has to be fenced", lambda: old.name not in cluster.key("pgha/fence"), 10)


def test_switchover_fences_nobody(cluster, command, out):
    old = cluster.leader()
    with cluster.writers(out) as w:
        w.mark("switchover")
        cluster.hactl("switchover", "--leader", old.name, "--force")
        cluster.wait_leader(other_than=old)
        w.verdict(max_lost=0)
    assert not command.pids()


def test_failing_command_gives_the_key_back(cluster, command, out):
    """Nobody is promoted until it works: the one that tried, and the one after it."""
    command.will("fail")
    old = cluster.leader()
    others = cluster.replicas()
    with cluster.writers(out) as w:
        w.mark("kill -9 of agent and Postgres")
        old.kill_all()
        wait_for("both have tried", lambda: all(command.said(n) for n in others), 60)
        stays("nobody is promoted", lambda: not cluster.primaries(), TTL_S)
        tries = len(command.pids())
        text = "".join(n.agent_log() for n in others)
        assert "the power switch does not answer" in text
        assert "gives the key back" in text
        assert tries < 12, "it is tried without pause"
        assert old.name in cluster.key("pgha/fence")
        command.will("succeed")
        new = cluster.wait_leader(other_than=old, deadline_s=90)
        # After those that led meanwhile and gave the key back nobody asks.
        assert command.said(new)["PGHA_VICTIM"] == old.name
        old.start_agent()
        w.verdict(max_lost=ON_THE_WAY)


def test_hanging_command_is_ended_and_promote_goes_on(cluster, command, out):
    configure(cluster, command, command_timeout=2, command_failure="promote")
    command.will("hang")
    old = cluster.leader()
    with cluster.writers(out) as w:
        w.mark("kill -9 of agent and Postgres")
        old.kill_all()
        new = cluster.wait_leader(other_than=old, deadline_s=FAILOVER_S + 5)
        pids = command.pids()
        assert pids
        wait_for("nothing of it is left",
                 lambda: not any(os.path.exists("/proc/%d" % p) for p in pids), 5)
        assert "The promotion goes on all the same" in new.agent_log()
        old.start_agent()
        w.verdict(max_lost=ON_THE_WAY)
