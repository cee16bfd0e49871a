# SPDX-License-Identifier: PostgreSQL
"""How many GET /primary a leader answers, pgha's beside Patroni's: scripts/bench rest

In turns, so that both meet the same load of the machine. Not a test of times; what fails is an
answer that was broken. PGHA_BENCH_RUNS says how many turns, PGHA_BENCH_OUT names a file."""

import json
import os
import statistics

import pytest

from lib.cluster import Cluster
from lib.patroni import PatroniCluster, started
from lib.restload import ask, build_restload

RUNS = int(os.environ.get("PGHA_BENCH_RUNS", "5"))
SECONDS = 3
CONNECTIONS = 8
DCS = {"ttl": 20, "loop_wait": 1, "retry_timeout": 3}


def cpu_us(pid):
    """Of all its threads, also of those that have ended: what other programs take does not show."""
    with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000000 / os.sysconf("SC_CLK_TCK")


@pytest.fixture(params=["pgha", "Patroni"], scope="module")
def system(request, hosts, programs, prober):
    kind = Cluster if request.param == "pgha" else PatroniCluster
    with started(kind, *hosts, programs, prober, nodes=1, etcd=1, dcs=DCS,
                 title=request.param) as cluster:
        yield cluster


@pytest.mark.parametrize("keep", [True, False], ids=["keep-alive", "a connection each"])
def test_get_primary(system, hosts, keep):
    program = build_restload(hosts[1])
    leader = system.leader()
    before = cpu_us(leader.agent.pid)
    seen = [ask(program, leader, "/primary", CONNECTIONS, SECONDS, keep) for _ in range(RUNS)]
    took_us = (cpu_us(leader.agent.pid) - before) / (SECONDS * sum(load.rate for load in seen))
    assert all(load.broken == 0 for load in seen), seen
    result = {"what": "GET /primary", "system": system.title, "keep_alive": keep, "runs": RUNS,
              "connections": CONNECTIONS, "load": os.getloadavg()[0],
              "rate": round(statistics.median(load.rate for load in seen)),
              "median_us": statistics.median(load.median_us for load in seen),
              "p99_us": statistics.median(load.p99_us for load in seen),
              "cpu_us": round(took_us, 1), "rates": [round(load.rate) for load in seen]}
    print("%(system)s, keep-alive %(keep_alive)s: %(rate)d answers/s, median %(median_us)d us, "
          "p99 %(p99_us)d us, %(cpu_us).1f us of processor time an answer, "
          "load average %(load).1f\n  %(rates)s" % result)
    if os.environ.get("PGHA_BENCH_OUT"):
        with open(os.environ["PGHA_BENCH_OUT"], "a", encoding="utf-8") as f:
            f.write(json.dumps(result) + "\n")
