# SPDX-License-Identifier: PostgreSQL
"""The Postgres module: what a primary does whose agent and guardian are both frozen"""

import json
import os
import shutil
import signal

import psycopg2
import pytest

from conftest import build_dir
from lib.cluster import GATE_S, ON_THE_WAY, elapsed_ms
from lib.node import merge, pg_bin
from lib.proc import run, stays, wait_for


def module():
    version = pg_bin().split("/")[4]
    return os.path.join(build_dir() or "", "src", "fence", version, "pgha_fence.so")


@pytest.fixture
def pkglib(hosts):
    """A copy of Postgres' library directory with the module in it."""
    if not os.path.exists(module()):
        pytest.skip("built without the Postgres module")
    copy = os.path.join(hosts[1], "pkglib")
    if not os.path.exists(copy):
        shutil.copytree(os.path.join(os.path.dirname(pg_bin()), "lib"), copy)
        shutil.copy(module(), copy)
    return copy


@pytest.fixture
def fenced(fresh, pkglib):
    """A cluster on hosts where the module is installed."""
    place = os.path.join(os.path.dirname(pg_bin()), "lib")
    for node in fresh.nodes:
        run(*node.argv(["mount", "--bind", pkglib, place]))
    fresh.start()
    return fresh


def status(node):
    return json.loads(node.sql1("SHOW pgha_fence.status"))


def test_agent_and_guardian_frozen(fenced, out):
    """Nobody is left who could kill; the module alone keeps the old primary from committing."""
    for node in fenced.nodes:
        assert status(node)["preloaded"]
        assert status(node)["page"] == "recognised, of this boot"
    old = fenced.leader()
    assert status(old)["gate"] == "open" and status(old)["armed"]
    guard = old.status()["pgha"]["fence"]["pid"]
    with fenced.writers(out) as w:
        at = w.mark("agent and guardian frozen")
        old.agent.kill(signal.SIGSTOP)
        os.kill(guard, signal.SIGSTOP)
        try:
            new = fenced.wait_leader(other_than=old)
            refused_ms = elapsed_ms(at)
            assert old.postgres_pids(), "nobody has killed it"
            with pytest.raises(psycopg2.Error) as e:
                old.sql("CREATE TABLE behind_the_gate ()")
            assert e.value.pgcode == "25006", e.value
            seen = status(old)
            assert seen["gate"] == "past" and seen["refused"] > 0
            print("old primary refuses, looked at %.0f ms after the fault: %s" % (refused_ms, seen))
        finally:
            os.kill(guard, signal.SIGCONT)
            old.agent.kill(signal.SIGCONT)
        w.verdict(max_lost=ON_THE_WAY)
        first = w.first_ack_ns(at, other_than=old)
        last = w.last_ack_ns(old, at)
        assert last < first
        assert last - at < GATE_S * 1e9
        assert fenced.leader() is new


def test_turned_off_and_on(fenced):
    leader = fenced.leader()
    for word, listed in (("off", ""), ("auto", "pgha_fence")):
        leader.write_config(merge(leader.config, {"fence": {"commit_guard": word}}))
        leader.rest("/reload", "POST", {})
        wait_for("the files say so", lambda: leader.sql1(
            "SELECT coalesce((SELECT setting FROM pg_file_settings WHERE name = "
            "'shared_preload_libraries' ORDER BY seqno DESC LIMIT 1), '')") == listed, 10)
        wait_for("the module knows", lambda: status(leader)["enabled"] is (word == "auto"), 10)
        # It stays loaded until the next restart, and says so.
        wait_for("the restart that it takes is told",
                 lambda: leader.status().get("pending_restart", False) is (word == "off"), 10)
    stays("it leads", lambda: fenced.leader() is leader, 2)


def test_required_but_not_installed_starts_nothing(fresh):
    node = fresh.nodes[0]
    for n in fresh.nodes:
        n.write_config(merge(n.config, {"fence": {"commit_guard": "required"}}))
    fresh.etcd.start()
    fresh.etcd.wait_ready()
    node.start_agent()
    wait_for("it says why", lambda: "fence.commit_guard is required" in node.logged_since(0), 30)
    assert not node.postgres_pids()
