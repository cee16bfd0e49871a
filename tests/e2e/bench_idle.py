# SPDX-License-Identifier: PostgreSQL
"""What a cluster costs while nothing happens, pgha's beside Patroni's: scripts/bench idle

Of every agent and guardian: memory, as the proportional share of the process, and processor time, of
all its threads by the scheduler's own count. Of etcd: requests and entries of its log. Hosts,
PostgreSQL, etcd and files are the same. PGHA_BENCH_RUNS says how often it is looked at,
PGHA_BENCH_OUT names a file."""

import json
import os
import statistics
import time
import urllib.request

import pytest

from lib.cluster import Cluster
from lib.patroni import PatroniCluster, started

RUNS = int(os.environ.get("PGHA_BENCH_RUNS", "5"))
REST_S = 10
SETTLE_S = 10
SYSTEMS = {
    "pgha, ttl 5, loop_wait 1": (Cluster, {"ttl": 5, "loop_wait": 1, "retry_timeout": 2}),
    "Patroni, 20/1/3": (PatroniCluster, {"ttl": 20, "loop_wait": 1, "retry_timeout": 3}),
    "Patroni, 30/10/10": (PatroniCluster, {"ttl": 30, "loop_wait": 10, "retry_timeout": 10}),
}


@pytest.fixture(scope="module", params=SYSTEMS)
def system(request, hosts, programs, prober):
    kind, dcs = SYSTEMS[request.param]
    with started(kind, *hosts, programs, prober, dcs=dcs, title=request.param) as cluster:
        yield cluster


def pss_kb(pid):
    with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss:"))


def tasks(pid):
    return ["/proc/%d/task/%s/" % (pid, task) for task in os.listdir("/proc/%d/task" % pid)]


def cpu_ns(pid):
    """To the nanosecond, as the scheduler counts it."""
    total = 0
    for task in tasks(pid):
        with open(task + "schedstat", encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total


def wakeups(pid):
    """How often its threads went to sleep by themselves."""
    total = 0
    for task in tasks(pid):
        with open(task + "status", encoding="ascii") as f:
            total += next(int(line.split()[1]) for line in f
                          if line.startswith("voluntary_ctxt_switches"))
    return total


def etcd_counts(etcd):
    """Requests to all members, and entries, which each of them applies."""
    requests, entries = 0, 0
    for member in etcd.members:
        with urllib.request.urlopen(member.url + "/metrics", timeout=10) as r:
            for line in r.read().decode().splitlines():
                if line.startswith("grpc_server_started_total") and "Watch" not in line:
                    requests += float(line.rsplit(" ", 1)[1])
                elif line.startswith("etcd_server_proposals_applied_total"):
                    entries = max(entries, float(line.rsplit(" ", 1)[1]))
    return requests, entries


def tell(result):
    print(json.dumps(result))
    if os.environ.get("PGHA_BENCH_OUT"):
        with open(os.environ["PGHA_BENCH_OUT"], "a", encoding="utf-8") as f:
            f.write(json.dumps(result) + "\n")


def test_idle(system):
    pids = {n.name + " agent": n.agent.pid for n in system.nodes}
    if not isinstance(system, PatroniCluster):
        pids.update({n.name + " guard": n.pids_of("pgha-guard")[0] for n in system.nodes})
    cpu, woke, memory = ({who: [] for who in pids} for _ in range(3))
    time.sleep(SETTLE_S)
    begun, counts = time.monotonic(), etcd_counts(system.etcd)
    for _ in range(RUNS):
        before = {who: (time.monotonic_ns(), cpu_ns(pid), wakeups(pid))
                  for who, pid in pids.items()}
        time.sleep(REST_S)
        for who, pid in pids.items():
            since, ns, n = before[who]
            took = time.monotonic_ns() - since
            cpu[who].append((cpu_ns(pid) - ns) / took * 1000)
            woke[who].append((wakeups(pid) - n) / took * 1e9)
            memory[who].append(pss_kb(pid))
    minutes = (time.monotonic() - begun) / 60
    requests, entries = (now - was for now, was in zip(etcd_counts(system.etcd), counts))
    leader = system.leader().name
    for who in pids:
        tell({"what": "idle", "system": system.title, "who": who,
              "leads": who.startswith(leader + " "),
              "cpu_ms_a_second": round(statistics.median(cpu[who]), 3),
              "wakeups_a_second": round(statistics.median(woke[who]), 1),
              "pss_kb": statistics.median(memory[who]), "load": round(os.getloadavg()[0], 1)})
    tell({"what": "etcd at rest", "system": system.title,
          "requests_a_minute": round(requests / minutes),
          "entries_a_minute": round(entries / minutes)})
