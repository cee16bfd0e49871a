# SPDX-License-Identifier: PostgreSQL
"""What a cluster costs while nothing happens, pgha's beside Patroni's and pg_auto_failover's:
scripts/bench idle

Of every agent and guardian: memory, as the proportional share of the process and what of it is
written and its own, and processor time, of all its threads by the scheduler's own count. Of etcd:
requests and entries of its log. Then, beside the same agents, what the messages alone cost: "floor".
Hosts, PostgreSQL, etcd and files are the same. PGHA_BENCH_RUNS says how often it is looked at,
PGHA_BENCH_OUT names a file."""

import json
import os
import statistics
import time
import urllib.request

import pytest

from lib import floor
from lib.autofailover import AutoCluster
from lib.cluster import Cluster
from lib.patroni import PatroniCluster, started

RUNS = int(os.environ.get("PGHA_BENCH_RUNS", "5"))
REST_S = 10
SETTLE_S = 10
SYSTEMS = {
    "pgha, ttl 5, loop_wait 1": (Cluster, {"ttl": 5, "loop_wait": 1, "retry_timeout": 2}),
    "Patroni, 20/1/3": (PatroniCluster, {"ttl": 20, "loop_wait": 1, "retry_timeout": 3}),
    "Patroni, 30/10/10": (PatroniCluster, {"ttl": 30, "loop_wait": 10, "retry_timeout": 10}),
    "pg_auto_failover": (AutoCluster, {}),
}


@pytest.fixture(scope="module", params=SYSTEMS)
def system(request, hosts, programs, prober):
    kind, dcs = SYSTEMS[request.param]
    with started(kind, *hosts, programs, prober, dcs=dcs, title=request.param) as cluster:
        yield cluster


def rollup_kb(pid, field):
    with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(field + ":"))


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


def watched(cluster):
    """Process ids of what is beside Postgres, by who it is. The Postgres of a monitor is not counted:
    its backends come and go."""
    if isinstance(cluster, AutoCluster):
        pids = {n.name + " agent": n.pids_of("pg_autoctl") for n in cluster.nodes}
        pids["monitor"] = cluster.monitor.pids_of("pg_autoctl")
        return pids
    pids = {n.name + " agent": [n.agent.pid] for n in cluster.nodes}
    if cluster.judged:
        pids.update({n.name + " guard": n.pids_of("pgha-guard")[:1] for n in cluster.nodes})
    return pids


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


def tell_floor(cluster, where):
    program = floor.build_floor(where)
    leader = cluster.leader()
    standby = next(n for n in cluster.nodes if n is not leader)
    seconds = RUNS * REST_S
    procs = {n: floor.start(program, n, cluster.etcd, n is leader, seconds, cluster.prefix)
             for n in (leader, standby)}
    for node, proc in procs.items():
        cpu, woke = floor.read(proc, seconds)
        tell({"what": "floor", "system": cluster.title, "who": node.name,
              "leads": node is leader, "cpu_ms_a_second": cpu, "wakeups_a_second": woke,
              "load": round(os.getloadavg()[0], 1)})


def test_idle(system, hosts):
    pids = watched(system)
    cpu, woke, memory, private = ({who: [] for who in pids} for _ in range(4))
    time.sleep(SETTLE_S)
    begun = time.monotonic()
    counts = etcd_counts(system.etcd) if system.etcd_used else (0, 0)
    for _ in range(RUNS):
        before = {who: (time.monotonic_ns(), sum(map(cpu_ns, them)), sum(map(wakeups, them)))
                  for who, them in pids.items()}
        time.sleep(REST_S)
        for who, them in pids.items():
            since, ns, n = before[who]
            took = time.monotonic_ns() - since
            cpu[who].append((sum(map(cpu_ns, them)) - ns) / took * 1000)
            woke[who].append((sum(map(wakeups, them)) - n) / took * 1e9)
            memory[who].append(sum(rollup_kb(pid, "Pss") for pid in them))
            private[who].append(sum(rollup_kb(pid, "Private_Dirty") for pid in them))
    minutes = (time.monotonic() - begun) / 60
    leader = system.leader().name
    for who in pids:
        tell({"what": "idle", "system": system.title, "who": who,
              "leads": who.startswith(leader + " "),
              "cpu_ms_a_second": round(statistics.median(cpu[who]), 3),
              "wakeups_a_second": round(statistics.median(woke[who]), 1),
              "pss_kb": statistics.median(memory[who]),
              "private_dirty_kb": statistics.median(private[who]),
              "load": round(os.getloadavg()[0], 1)})
    if not system.etcd_used:
        return
    requests, entries = (now - was for now, was in zip(etcd_counts(system.etcd), counts))
    tell({"what": "etcd at rest", "system": system.title,
          "requests_a_minute": round(requests / minutes),
          "entries_a_minute": round(entries / minutes)})
    if system.judged:
        tell_floor(system, hosts[1])
