# SPDX-License-Identifier: PostgreSQL
"""Clients behind a real PgBouncer wait through a switchover, and are always let go again"""

import json
import os
import re
import signal

import pytest

from lib.cluster import in_seconds
from lib.pgbouncer import PgBouncer
from lib.proc import wait_for

ENV = dict(os.environ, PGPASSWORD="super secret")


@pytest.fixture
def bouncer(cluster):
    b = PgBouncer(cluster.net, cluster.work)
    b.start(cluster.leader())
    yield b
    b.kill_all()
    b.remove()


def configure(cluster, **pgbouncer):
    for n in cluster.nodes:
        # The tag shows when the reload has happened.
        n.change_config(pgbouncer=pgbouncer, tags={"pools": "set"})
        assert n.rest("/reload", "POST", {}).code == 202
        cluster.wait_member(n, 20, tags={"pools": "set"})


def switch(cluster):
    """From whom to whom, and when which step of it was come to, in ms."""
    old, new, since = cluster.leader(), cluster.replicas()[0], in_seconds(0)
    cluster.hactl("switchover", "--leader", old.name, "--candidate", new.name, "--force")
    cluster.wait_whole()
    steps = cluster.wait_trace(old, "handed over", since)["steps"]
    return old, new, {s["step"]: s["ms"] for s in steps}


def test_no_transaction_fails_in_a_switchover(cluster, bouncer):
    configure(cluster, **bouncer.config())
    bouncer.run(bouncer.pgbench("-i", "-q", "-s", "1"), env=ENV, timeout=60)
    bench = bouncer.spawn(bouncer.pgbench("-c", "4", "-T", "600", "-P", "1"), env=ENV,
                          log="pgbench.log")
    wait_for("pgbench works", lambda: "tps" in bench.log(), 20)
    _, new, at_ms = switch(cluster)
    assert "clients wait" in at_ms
    written = "SELECT count(*) FROM pgbench_history"
    before = new.sql1(written)
    wait_for("pgbench writes to the new primary", lambda: new.sql1(written) > before, 30)
    bench.kill(signal.SIGINT)
    bench.wait(30)
    log = bench.log()
    assert "aborted" not in log and "ERROR" not in log and "FATAL" not in log, log
    assert all(f == "0" for f in re.findall(r"(\d+) failed", log)), log


def test_poolers_that_do_not_answer_hold_nothing_up(cluster, bouncer):
    """One is dead, one hangs, one refuses the password."""
    bouncer.spawn(["/usr/bin/python3", "-c", "import socket, signal\n"
                   "s = socket.create_server(('%s', 6433))\nsignal.pause()" % bouncer.addr],
                  log="hung.log")
    configure(cluster, **bouncer.config(bouncer.addr + ":6433", bouncer.addr + ":6434",
                                        password="wrong", pause_timeout=1))
    old, _, at_ms = switch(cluster)
    assert at_ms["clients wait"] - at_ms["checkpoint done"] < 8000, at_ms
    log = old.agent_log()
    for port in (6432, 6433, 6434):
        assert "PgBouncer at %s:%d: PAUSE: " % (bouncer.addr, port) in log
    wait_for("clients go on", bouncer.goes_on, 30)


def test_restarted_agent_lets_clients_go(cluster, bouncer):
    """It may have died after it had them wait."""
    configure(cluster, **bouncer.config())
    leader = cluster.leader()
    bouncer.console("pause")
    assert not bouncer.goes_on()
    leader.kill_agent()
    leader.start_agent()
    wait_for("clients go on", bouncer.goes_on, 30)
    assert cluster.leader() is leader


def test_next_leader_lets_clients_go(cluster, bouncer):
    configure(cluster, **bouncer.config())
    leader = cluster.leader()
    bouncer.console("pause")
    leader.kill_all()
    new = cluster.wait_leader(other_than=leader, deadline_s=60)
    wait_for("clients go on", bouncer.goes_on, 30)
    with open(bouncer.databases, encoding="ascii") as f:
        assert "host=%s " % new.addr in f.read()
    leader.start_agent()


def test_failed_switchover_lets_clients_go(cluster, bouncer):
    """The successor's agent is frozen when the key is handed over: somebody leads again, and no
    client waits any longer."""
    configure(cluster, **bouncer.config(hold_timeout=5))
    leader, hung = cluster.leader(), cluster.replicas()[0]
    hung.agent.kill(signal.SIGSTOP)
    try:
        cluster.etcd.put(cluster.prefix + "failover",
                         json.dumps({"leader": leader.name, "member": hung.name}))
        wait_for("the request is dealt with",
                 lambda: cluster.key("failover") in (None, "{}"), 30)
        cluster.wait_leader(deadline_s=30)
        wait_for("clients go on", bouncer.goes_on, 20)
    finally:
        hung.agent.kill(signal.SIGCONT)
