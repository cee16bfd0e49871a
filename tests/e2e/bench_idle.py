# SPDX-License-Identifier: PostgreSQL
"""What an agent and its guardian cost while nothing happens: scripts/bench idle

Memory is the proportional share of each process, processor time that of the process over some
seconds at rest. PGHA_BENCH_RUNS says how often it is looked at, PGHA_BENCH_OUT names a file."""

import json
import os
import statistics
import time

RUNS = int(os.environ.get("PGHA_BENCH_RUNS", "5"))
REST_S = 10


def pss_kb(pid):
    with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss:"))


def cpu_ns(pid):
    """Of all its threads, to the nanosecond, as the scheduler counts it."""
    total = 0
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/schedstat" % (pid, task), encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total


def test_idle(cluster):
    pids = {n.name + " agent": n.agent.pid for n in cluster.nodes}
    pids.update({n.name + " guard": n.pids_of("pgha-guard")[0] for n in cluster.nodes})
    seen = {who: [] for who in pids}
    memory = {who: [] for who in pids}
    for _ in range(RUNS):
        before = {who: (time.monotonic_ns(), cpu_ns(pid)) for who, pid in pids.items()}
        time.sleep(REST_S)
        for who, pid in pids.items():
            since, cpu = before[who]
            seen[who].append((cpu_ns(pid) - cpu) / (time.monotonic_ns() - since) * 1000)
            memory[who].append(pss_kb(pid))
    leader = cluster.leader().name
    for who in pids:
        result = {"what": "idle", "who": who, "leads": who.startswith(leader + " "),
                  "cpu_ms_a_second": round(statistics.median(seen[who]), 3),
                  "pss_kb": statistics.median(memory[who]), "pss_kb_all": memory[who],
                  "load": os.getloadavg()[0]}
        print("%(who)s (leads: %(leads)s): %(cpu_ms_a_second).3f ms of processor time a second, "
              "%(pss_kb)d kB, load average %(load).1f" % result)
        if os.environ.get("PGHA_BENCH_OUT"):
            with open(os.environ["PGHA_BENCH_OUT"], "a", encoding="utf-8") as f:
                f.write(json.dumps(result) + "\n")
