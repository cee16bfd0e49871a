# SPDX-License-Identifier: PostgreSQL
"""Another version of the programs takes the place of the one that runs, and no server notices.

The other version is a copy in which every place that holds the version says another one."""

import os
import re
import shutil
import signal
import stat

import pytest

from lib.cluster import TTL_S, elapsed_ms
from lib.node import merge
from lib.proc import run, stays, wait_for

GAP_MS = 500  # between two acknowledgements, while agents are executed anew on a busy machine


def version_of(program):
    return run(program, "--version").stdout.split()[1]


def install(source, target):
    """As packages do: the name belongs to another file from one moment to the next."""
    shutil.copy2(source, target + ".new")
    os.chmod(target + ".new", 0o755)
    os.rename(target + ".new", target)


@pytest.fixture
def other_version(programs, hosts):
    """A directory with the programs as of another version; what it calls itself."""
    old = version_of(programs.pghad)
    new = re.sub(r"\d+$", lambda m: str((int(m[0]) + 1) % 10), old)
    assert len(new) == len(old) and new != old
    where = os.path.join(hosts[1], "other")
    os.makedirs(where, exist_ok=True)
    for name in ("pghad", "pgha-guard"):
        with open(os.path.join(os.path.dirname(programs.pghad), name), "rb") as f:
            text = f.read()
        with open(os.path.join(where, name), "wb") as f:
            f.write(text.replace(old.encode(), new.encode()))
        os.chmod(os.path.join(where, name), 0o755)
    return where, new


@pytest.fixture
def own_programs(cluster, programs):
    """Every agent runs from a directory of its own host, and from the shared one afterwards."""
    def move(node, place):
        node.kill_agent()
        os.kill(node.status_guard, signal.SIGKILL)
        node.programs = node.programs._replace(pghad=os.path.join(place, "pghad"))
        node.start_agent()

    shared = os.path.dirname(programs.pghad)
    for node in cluster.nodes:
        node.bin = os.path.join(node.dir, "bin")
        os.makedirs(node.bin, exist_ok=True)
        for name in ("pghad", "pgha-guard"):
            install(os.path.join(shared, name), os.path.join(node.bin, name))
        node.status_guard = guard_pid(node)
        move(node, node.bin)
    cluster.wait_whole()
    yield
    for node in cluster.nodes:
        node.status_guard = guard_pid(node)
        move(node, shared)


def guard_pid(node):
    return wait_for("%s has a guardian" % node.name,
                    lambda: node.status()["pgha"]["fence"]["guard"] == "alive"
                    and node.status()["pgha"]["fence"]["pid"], 10)


def identity(cluster, node):
    """What an upgrade leaves as it was."""
    return {"agent": node.agent.pid, "guard": guard_pid(node),
            "postmaster": node.postmaster_pid(), "leader": cluster.leader_name(),
            "timeline": cluster.leader().timeline()}


def runs(pid, program):
    """The process runs the file that has this name now."""
    return os.stat("/proc/%d/exe" % pid)[stat.ST_INO] == os.stat(program)[stat.ST_INO]


def upgrade(cluster, node, where, version):
    before = identity(cluster, node)
    at = node.log_size()
    for name in ("pghad", "pgha-guard"):
        install(os.path.join(where, name), os.path.join(node.bin, name))
        assert not runs(before["agent" if name == "pghad" else "guard"],
                        os.path.join(node.bin, name))
    node.agent.kill(signal.SIGUSR2)
    wait_for("%s runs version %s" % (node.name, version), lambda:
             "pghad %s begins" % version in node.logged_since(at)
             and node.rest("/patroni").code == 200, 20, 0.01)
    wait_for("both run the new files", lambda: runs(before["agent"], node.bin + "/pghad")
             and runs(before["guard"], node.bin + "/pgha-guard"), 10)
    assert identity(cluster, node) == before
    return node.logged_since(at)


def epoch(cluster):
    """Of the leader key: another one would be another lead."""
    return cluster.etcd.get_kv(cluster.prefix + "leader")["create_revision"]


def longest_gap_ms(writers):
    acks = sorted(op.done for op in writers.ops if op.outcome == "ok")
    return max(b - a for a, b in zip(acks, acks[1:])) / 1e6


def test_new_programs_take_over_and_give_back(cluster, own_programs, other_version, programs, out):
    """One member after the other, the primary last; a switchover among mixed versions; back."""
    where, version = other_version
    was = epoch(cluster)
    first = cluster.leader()
    with cluster.writers(out) as w:
        for node in cluster.replicas() + [first]:
            at = w.mark("%s executed anew" % node.name)
            upgrade(cluster, node, where, version)
            print("%s upgraded within %.0f ms" % (node.name, elapsed_ms(at)))
        assert cluster.leader() is first and epoch(cluster) == was
        stays("%s leads" % first.name, lambda: cluster.leader_name() == first.name, TTL_S)
        w.verdict(max_lost=0)
        gap = longest_gap_ms(w)
    print("longest time without an acknowledgement %.0f ms" % gap)
    assert gap < GAP_MS

    upgrade(cluster, first, os.path.dirname(programs.pghad), version_of(programs.pghad))
    cluster.hactl("switchover", "--candidate", cluster.replicas()[0].name, "--force")
    second = cluster.wait_leader(other_than=first)
    cluster.wait_whole()
    cluster.hactl("switchover", "--candidate", first.name, "--force")
    assert cluster.wait_leader(other_than=second) is first
    cluster.wait_whole()


def test_program_that_cannot_run_is_not_executed(cluster, own_programs, out):
    node = cluster.leader()
    before = identity(cluster, node)
    program = os.path.join(node.bin, "pghad")
    good = node.config
    with cluster.writers(out) as w:
        at = node.log_size()
        with open(program + ".new", "w", encoding="ascii") as f:
            f.write("#!/bin/sh\necho cannot load anything; exit 127\n")
        os.chmod(program + ".new", 0o755)
        os.rename(program, program + ".good")
        os.rename(program + ".new", program)
        node.agent.kill(signal.SIGUSR2)
        wait_for("it is refused", lambda: "cannot take over" in node.logged_since(at), 10)
        assert "cannot load anything" in node.logged_since(at)
        os.rename(program + ".good", program)

        at = node.log_size()
        node.write_config(merge(good, {"postgresql": {"listen": "nowhere:x"}}))
        node.agent.kill(signal.SIGUSR2)
        wait_for("it is refused", lambda: "cannot take over" in node.logged_since(at), 10)
        node.write_config(good)
        assert identity(cluster, node) == before
        w.verdict(max_lost=0)


def test_waits_for_what_is_under_way(cluster, own_programs):
    node = cluster.replicas()[0]
    script = os.path.join(node.dir, "callback")
    with open(script, "w", encoding="ascii") as f:
        f.write("#!/bin/sh\nuntil [ -e '%s' ]; do sleep 0.05; done\n" % (script + ".end"))
    os.chmod(script, 0o755)
    good = node.config
    node.write_config(merge(good, {"postgresql": {
        "callbacks": {"on_reload": script}, "parameters": {"log_checkpoints": "on"}}}))
    node.agent.kill(signal.SIGHUP)
    wait_for("the callback runs", lambda: node.pids_of("callback"), 10)
    at = node.log_size()
    node.agent.kill(signal.SIGUSR2)
    wait_for("it waits", lambda: "waits for a callback" in node.logged_since(at), 10)
    assert "begins" not in node.logged_since(at)
    with open(script + ".end", "w", encoding="ascii"):
        pass
    wait_for("it is executed", lambda: "begins, configuration" in node.logged_since(at), 10)
    node.write_config(good)
