# SPDX-License-Identifier: PostgreSQL
"""The same faults for pgha, Patroni and pg_auto_failover, on the same hosts, under the same
writers: scripts/bench compare

PGHA_BENCH_RUNS says how often each fault is made, PGHA_BENCH_LOGS names a directory for the logs. One line of JSON a system and fault is
appended to the file that PGHA_BENCH_OUT names; the table replaces that of the document that
PGHA_BENCH_DOC names, when every system has met every fault. pgha must not lose what it may not lose and must
never have two primaries: that fails. What the others do is told, not judged."""

import json
import os
import shutil
import signal
import statistics
import time

import pytest

from lib import benchdoc, checker
from lib.autofailover import AutoCluster
from lib.cluster import CUT_OFF, Cluster, WHOLE_S
from lib.patroni import PatroniCluster, started
from lib.proc import kill, wait_for

RUNS = int(os.environ.get("PGHA_BENCH_RUNS", "5"))
# How long an agent stays away after somebody else leads: what goes on so long may go on for ever.
AWAY_S = 10

DEFAULT = {"ttl": 30, "loop_wait": 10, "retry_timeout": 10}
FASTEST = {"ttl": 20, "loop_wait": 1, "retry_timeout": 3}
# How long to wait for: it has no such settings, and takes a minute to miss a host.
MONITORED = {"ttl": 30, "loop_wait": 10, "retry_timeout": 10}
SYSTEMS = {
    "pgha, ttl 5": (Cluster, {"ttl": 5}),
    "pgha, ttl 3": (Cluster, {"ttl": 3}),
    "Patroni, 30/10/10": (PatroniCluster, DEFAULT),
    "Patroni, 20/1/3": (PatroniCluster, FASTEST),
    "pg_auto_failover": (AutoCluster, MONITORED),
}


@pytest.fixture(scope="module", params=SYSTEMS)
def system(request, hosts, programs, prober):
    kind, dcs = SYSTEMS[request.param]
    with started(kind, *hosts, programs, prober, dcs=dcs, title=request.param) as cluster:
        yield cluster


TITLE = "pgha, Patroni and pg_auto_failover, the same faults"
HEAD = ("fault", "system", "runs", "median, ms", "least", "most", "of pgha at ttl 5, times",
        "two primaries, ms", "rows lost", "load")


def rows_of(found):
    ours = {r["fault"]: r["median_ms"] for r in found if r["system"] == "pgha, ttl 5"}
    for r in sorted(found, key=lambda r: r["fault"]):
        ratio = "%.1f" % (r["median_ms"] / ours[r["fault"]]) if ours.get(r["fault"]) else "-"
        yield (r["fault"].replace("_", " "), r["system"], r["runs"], r["median_ms"],
               r["min_ms"], r["max_ms"], ratio, r["two_primaries_ms"], r["lost_rows"], r["load"])


def document(found):
    table = [HEAD, ("---",) * len(HEAD)] + list(rows_of(found))
    return "\n".join(
        ["`scripts/bench compare %d`, as root. %s." % (RUNS, benchdoc.machine()), "",
         "Three members and three members of etcd (of pg_auto_failover a monitor) on hosts made of "
         "network", "namespaces of one machine, asynchronous replication, the same writers, files "
         "and settings of", "PostgreSQL for all. The outage is the largest gap between "
         "acknowledged writes, over all writers, from", "the fault to the next.", ""]
        + ["| %s |" % " | ".join(str(cell) for cell in row) for row in table])


@pytest.fixture(scope="module")
def results():
    """Told as a table at the end."""
    found = []
    yield found
    print("\n" + document(found))
    path = os.environ.get("PGHA_BENCH_DOC")
    if path and len(found) == sum(plays(s, f) for s in SYSTEMS for f in FAULTS):
        benchdoc.write_section(path, TITLE, document(found))


def recovery_s(cluster):
    return 3 * cluster.dcs["ttl"] + 2 * cluster.dcs["loop_wait"] + 10


def switchover(cluster, old):
    new = cluster.nodes[(cluster.nodes.index(old) + 1) % len(cluster.nodes)]
    cluster.switch_to(old, new)


def postmaster_killed(cluster, old):
    """Until one that is not the dead one serves: for a moment all looks as it was before."""
    pid = old.postmaster_pid()
    kill(pid)

    def gone_on():
        leader = cluster.leader()
        if leader is old and old.postmaster_pid() in (0, pid):
            return False
        return not leader.sql1("SELECT pg_is_in_recovery()")
    wait_for("somebody goes on", gone_on, recovery_s(cluster))


def host_lost(cluster, old):
    old.unplug()
    cluster.wait_leader(other_than=old, deadline_s=recovery_s(cluster))
    time.sleep(1)
    old.heal()


def agent_killed(cluster, old):
    old.kill_agent()
    cluster.wait_leader(other_than=old, deadline_s=recovery_s(cluster))
    time.sleep(AWAY_S)
    old.start_agent()


def agent_frozen(cluster, old):
    old.agent.kill(signal.SIGSTOP)
    cluster.wait_leader(other_than=old, deadline_s=recovery_s(cluster))
    time.sleep(AWAY_S)
    old.agent.kill(signal.SIGCONT)


# What asynchronous replication may lose of pgha: rows of a host that was cut off with its clients.
FAULTS = {switchover: 0, postmaster_killed: 0, host_lost: CUT_OFF, agent_killed: 0, agent_frozen: 0}


def plays(title, fault):
    """pg_autoctl is several processes, and Postgres is the child of one: what killing or freezing
    an agent would be there is not the same fault."""
    return SYSTEMS[title][0] is not AutoCluster or fault not in (agent_killed, agent_frozen)


def outage_ms(acks, since_ns, until_ns):
    """The longest that reaches into that time."""
    return max((long for long, end in checker.gaps(acks, longer_than_ns=0)
                if end > since_ns and end - long < until_ns), default=0) / 1e6


def overlap_ms(acks, since_ns, until_ns):
    """From the first acknowledgement on a newer timeline to the last one on an older."""
    inside = [op for op in acks if since_ns <= op.done < until_ns]
    newest = max((op.timeline for op in inside), default=0)
    first = min((op.done for op in inside if op.timeline == newest), default=0)
    return max((op.done - first for op in inside if op.timeline < newest and op.done > first),
               default=0) / 1e6


def judge(cluster, w, allowed):
    cluster.wait_whole(recovery_s(cluster) + WHOLE_S)
    w.stop()
    ops, refused = w.history()
    report = checker.check(ops, w.rows(), refused)
    if cluster.judged:
        report.assert_safe(allowed)
    else:
        print(report.summary())
    return report, [op for op in ops if op.outcome == "ok"]


def clock(monotonic_ns):
    """As the logs have it."""
    return time.strftime("%H:%M:%S", time.localtime(
        time.time() - (time.monotonic_ns() - monotonic_ns) / 1e9))


def keep_logs(cluster, fault):
    where = os.environ.get("PGHA_BENCH_LOGS")
    for n in cluster.nodes if where else []:
        with open(os.path.join(where, "%s-%s.log" % (fault, n.name)), "w", encoding="utf-8") as f:
            f.write(n.agent_log())
        shutil.copy(os.path.join(n.log_dir, "postgresql.log"),
                    os.path.join(where, "%s-%s-postgres.log" % (fault, n.name)))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
def test_compare(system, fault, out, results):
    if not plays(system.title, fault):
        pytest.skip("%s has no such agent" % system.title)
    with system.writers(out) as w:
        for _ in range(RUNS):
            old = system.wait_leader(deadline_s=recovery_s(system))
            w.mark(old.name)
            fault(system, old)
            system.wait_whole(recovery_s(system) + WHOLE_S)
        w.mark("end")
        report, acks = judge(system, w, FAULTS[fault] * RUNS)
        keep_logs(system, fault.__name__)
    spans = [(since, until) for (since, _), (until, _) in zip(w.marks, w.marks[1:])]
    outages = [outage_ms(acks, *span) for span in spans]
    overlaps = [overlap_ms(acks, *span) for span in spans]
    for (since, _), (name, ms) in zip(w.marks, zip((m[1] for m in w.marks), outages)):
        print("  %s %s: %.0f ms" % (clock(since), name, ms))
    result = {"system": system.title, "fault": fault.__name__, "runs": RUNS,
              "median_ms": round(statistics.median(outages)), "min_ms": round(min(outages)),
              "max_ms": round(max(outages)), "two_primaries_ms": round(max(overlaps)),
              "lost_rows": len(report.lost), "acknowledged": report.acked,
              "load": round(os.getloadavg()[0], 1), "all_ms": [round(t) for t in outages]}
    results.append(result)
    print(json.dumps(result))
    path = os.environ.get("PGHA_BENCH_OUT")
    if path:
        with open(path, "a", encoding="utf-8") as f:
            f.write(json.dumps(result) + "\n")
