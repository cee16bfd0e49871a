# SPDX-License-Identifier: PostgreSQL
"""A real Prometheus scrapes a real cluster: the alerts and the dashboard find what they ask for"""

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request

import pytest
import yaml

from lib.node import REST_PORT
from lib.proc import wait_for

SHIPPED = os.path.join(os.path.dirname(__file__), "../../packaging/prometheus")

# What nothing shipped may ask for, and operators do.
OWN = {"pgha_lease_ttl_seconds", "pgha_lease_remaining_seconds", "pgha_lease_proofs_total",
       "pgha_lease_proofs_failed_total", "pgha_etcd_answers_total", "pgha_etcd_failures_total",
       "pgha_etcd_request_seconds_bucket", "pgha_rule", "pgha_cycles_total", "pgha_guard_alive",
       "pgha_guard_armed", "pgha_module_refused_total", "pgha_handover_time_seconds",
       "pgha_handover_step_seconds", "pgha_receive_lag_bytes", "pgha_replay_lag_bytes",
       "pgha_replay_lag_seconds", "pgha_slot_retained_bytes", "pgha_job_seconds"}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Prometheus:
    def __init__(self, folder, targets):
        self.port = free_port()
        config = {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                  "rule_files": [os.path.abspath(os.path.join(SHIPPED, "pgha.rules.yml"))],
                  "scrape_configs": [{"job_name": "pgha",
                                      "static_configs": [{"targets": targets}]}]}
        path = os.path.join(folder, "prometheus.yml")
        with open(path, "w", encoding="utf-8") as f:
            yaml.safe_dump(config, f)
        self.log = open(os.path.join(folder, "prometheus.log"), "wb")
        self.process = subprocess.Popen(
            ["prometheus", "--config.file", path, "--storage.tsdb.path",
             os.path.join(folder, "data"), "--web.listen-address", "127.0.0.1:%d" % self.port],
            stdout=self.log, stderr=self.log)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()

    def get(self, path, **query):
        url = "http://127.0.0.1:%d/api/v1/%s?%s" % (self.port, path,
                                                    urllib.parse.urlencode(query))
        with urllib.request.urlopen(url, timeout=10) as f:
            return json.load(f)["data"]

    def ask(self, expr):
        return self.get("query", query=expr)["result"]

    def wait_scraped(self, n, deadline_s=60):
        """Until each of n targets was scraped without an error, twice, so that there are rates."""
        until = time.monotonic() + deadline_s
        while True:
            try:
                if len(self.ask("count_over_time(up[1m]) > 1 and up == 1")) == n:
                    return
            except OSError:
                pass  # it is still starting
            assert self.process.poll() is None, "prometheus has ended"
            assert time.monotonic() < until, self.get("targets")
            time.sleep(0.2)


@pytest.fixture(name="prometheus")
def _prometheus(cluster, tmp_path):
    assert shutil.which("prometheus"), "scripts/install-deps --test installs it"
    server = Prometheus(str(tmp_path), ["%s:%d" % (n.addr, REST_PORT) for n in cluster.nodes])
    yield server
    server.stop()


@pytest.fixture(name="switched")
def _switched(cluster):
    """How long parts of a hand-over took is told after one."""
    cluster.hactl("switchover", "--candidate", cluster.replicas()[0].name, "--force")
    cluster.wait_whole()
    return cluster


def expressions(board):
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def test_prometheus_finds_what_is_asked_for(switched, prometheus):
    cluster = switched
    prometheus.wait_scraped(len(cluster.nodes))
    # What it takes is OpenMetrics, so this parses all of it.
    with open(os.path.join(SHIPPED, "pgha.grafana.json"), encoding="utf-8") as f:
        exprs = [e.replace("$scope", cluster.scope) for e in expressions(json.load(f))]
    rules = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
    assert len(rules) > 20
    names = {name for text in exprs + [rule["query"] for rule in rules]
             for name in re.findall(r"\b(?:pgha|patroni)_[a-z_]+", text)}

    def nothing_missing():
        """By the newest scrape of each member, unless that came too late."""
        missing = [name for name in sorted(names | OWN) if not prometheus.ask(name)]
        assert not missing, missing
        return True
    wait_for("every name is known", nothing_missing, 30)
    wait_for("who took over tells how long it took", lambda: [
        s["metric"]["name"] for s in prometheus.ask(
            'pgha_handover_step_seconds{step="open for writes"}')] == [cluster.leader().name], 30)
    for expr in exprs:
        prometheus.ask(expr)
    wait_for("one is writable", lambda: [s["metric"]["name"] for s in prometheus.ask(
        "pgha_writable == 1")] == [cluster.leader().name], 30)

    def nobody_is_woken():
        """A healthy cluster, whatever the other tests left behind. An alert that begins because one
        scrape came late ends with the next."""
        alerts = [(rule["name"], rule["alerts"])
                  for group in prometheus.get("rules")["groups"] for rule in group["rules"]
                  if rule["labels"]["severity"] == "critical" and rule["alerts"]
                  and rule["name"] != "PghaGuardKilledPostgres"]
        assert not alerts, alerts
        return True
    wait_for("nobody is woken", nobody_is_woken, 30)


def test_a_member_that_is_gone_is_noticed(cluster, prometheus):
    prometheus.wait_scraped(len(cluster.nodes))
    gone = cluster.replicas()[0]
    gone.stop_agent()
    try:
        wait_for("the alert begins", lambda: "PghaMemberDown" in {
            alert["labels"]["alertname"] for alert in prometheus.get("alerts")["alerts"]}, 60)
    finally:
        gone.start_agent()
    cluster.wait_whole()
