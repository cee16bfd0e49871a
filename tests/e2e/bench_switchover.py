# SPDX-License-Identifier: PostgreSQL
"""How long nobody can write during a planned switchover: scripts/bench switchover

Not a test of times: what fails here is what is wrong, an acknowledged row that is lost or two
members that acknowledge at once. Times are printed, and written to the file that PGHA_BENCH_OUT
names."""

import json
import os
import shutil
import statistics

from lib.checker import gaps

RUNS = int(os.environ.get("PGHA_BENCH_RUNS", "30"))


def percentile(values, p):
    """The smallest value that p percent of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * p // 100) - 1)]


def largest_gap_ms(acks, since_ns, until_ns):
    inside = [op for op in acks if since_ns <= op.done < until_ns]
    return max((g[0] for g in gaps(inside, longer_than_ns=0)), default=0) / 1e6


def test_switchover(cluster, out):
    with cluster.writers(out) as w:
        for i in range(RUNS):
            old = cluster.leader()
            at = cluster.nodes.index(old)
            new = cluster.nodes[(at + 1) % len(cluster.nodes)]
            w.mark("%s -> %s" % (old.name, new.name))
            done = cluster.hactl("switchover", "--leader", old.name, "--candidate", new.name,
                                 "--force")
            assert "Successfully switched over" in done.stdout, done.stdout
            cluster.wait_whole()
        w.mark("end")
        w.verdict(max_lost=0)
        acks = [op for op in w.ops if op.outcome == "ok"]
    times = [largest_gap_ms(acks, since, until)
             for (since, _), (until, _) in zip(w.marks, w.marks[1:])]
    result = {"what": "switchover", "runs": len(times), "median_ms": statistics.median(times),
              "p99_ms": percentile(times, 99), "max_ms": max(times), "min_ms": min(times),
              "all_ms": [round(t) for t in times]}
    print("switchover: %(runs)d runs, largest gap between acknowledged writes: median "
          "%(median_ms).0f ms, p99 %(p99_ms).0f ms, min %(min_ms).0f, max %(max_ms).0f\n"
          "  %(all_ms)s" % result)
    path = os.environ.get("PGHA_BENCH_OUT")
    if path:
        with open(path, "w", encoding="utf-8") as f:
            json.dump(result, f)
    keep = os.environ.get("PGHA_BENCH_LOGS")
    for n in cluster.nodes if keep else []:
        with open(os.path.join(keep, n.name + ".log"), "w", encoding="utf-8") as f:
            f.write(n.agent_log())
        shutil.copy(os.path.join(n.log_dir, "postgresql.log"),
                    os.path.join(keep, n.name + "-postgres.log"))
