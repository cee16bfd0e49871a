# SPDX-License-Identifier: PostgreSQL
"""hactl drill on a real cluster: what it measures, when it refuses, what it leaves behind"""

import json
import os

import pytest

from lib.cluster import PATIENCE
from lib.proc import run, wait_for


@pytest.fixture
def fit(cluster):
    """With nobody who still catches up: a copy that was just made does."""
    wait_for("nobody lags", lambda: all(
        row.get("Replay Lag", 0) == 0 for row in cluster.rows().values()), 30)
    return cluster


def drill(cluster, *args, check=True):
    """Words of the drill, its exit code and what it says."""
    env = dict(os.environ, PGPASSWORD="super secret")
    done = run(cluster.programs.hactl, "-c", cluster.nodes[0].conf_path, "drill", "--window", "now",
               "-U", "postgres", *args, check=False, timeout=180, env=env, input="")
    assert not check or done.returncode == 0, done.stdout
    return done


def table(cluster):
    return cluster.leader().sql1("SELECT to_regclass('public.pgha_drill')")


def test_switchover_is_rehearsed(fit):
    cluster = fit
    old = cluster.leader_name()
    told = json.loads(drill(cluster, "--force", "--json").stdout)
    assert told["lost"] == 0 and told["acknowledged"] > 100, told
    assert 0 < told["outage_ms"] < 5000 * PATIENCE, told
    assert told["whole_ms"] >= told["outage_ms"] // 2
    cluster.wait_whole()
    assert cluster.leader_name() != old and table(cluster) is None


def test_crash_is_rehearsed(fit):
    cluster = fit
    done = drill(cluster, "--crash", "--force", "--limit", str(int(120 * PATIENCE)))
    assert "Loss: 0 of" in done.stdout and "Whole again" in done.stdout, done.stdout
    cluster.wait_whole()
    assert table(cluster) is None


def test_drill_is_refused_where_it_is_not_fit(fit):
    cluster = fit
    before = cluster.leader_name(), cluster.history()
    cluster.hactl("pause", "--wait")
    done = drill(cluster, "--force", check=False)
    assert done.returncode == 3 and "the cluster is paused" in done.stdout, done.stdout
    cluster.hactl("resume", "--wait")
    # Nobody said yes.
    done = drill(cluster, check=False)
    assert done.returncode == 1 and "Aborted!" in done.stdout, done.stdout
    replica = cluster.replicas()[0]
    replica.stop_agent()
    done = drill(cluster, "--force", check=False)
    assert done.returncode == 3 and "%s: it does not answer" % replica.name in done.stdout
    replica.start_agent()
    replica.wait_agent_up()
    cluster.wait_whole()
    assert (cluster.leader_name(), cluster.history()) == before and table(cluster) is None
