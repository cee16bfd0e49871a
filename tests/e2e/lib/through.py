# SPDX-License-Identifier: PostgreSQL
"""through - clients that write through something in front of the cluster, and how long they cannot

One prober for each way in. Like an application it gives a statement a second, dials again after
any failure, and also when the server says that it is read-only."""

import os
import signal
import subprocess
import time

from . import checker
from .proc import wait_for

PERIOD_MS = 10
DEADLINE_MS = 1000


class Through:
    """ways: {name: (host, port)}

        with Through(...) as t:
            fault = t.mark("switchover")
            ...
            t.wait_acks(fault)
        print(t.outages())
    """

    count = 0

    def __init__(self, prober, cluster, path, ways):
        Through.count += 1
        self.table = "through_%d" % Through.count
        self.prober = prober
        self.cluster = cluster
        self.path = path
        self.ways = ways
        self.popen = None
        self.marks = []

    def __enter__(self):
        self.cluster.leader().sql("CREATE TABLE %s (id bigint PRIMARY KEY)" % self.table)
        targets = []
        for name, (host, port) in self.ways.items():
            dsn = ("host=%s port=%d user=postgres dbname=postgres password='super secret' "
                   "application_name=through" % (host, port))
            # Twice the same: who is refused dials again.
            targets.append("%s=%s|%s" % (name, dsn, dsn))
        self.popen = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", self.prober, self.table, str(PERIOD_MS),
             str(DEADLINE_MS), self.path] + targets)
        return self

    def __exit__(self, kind, value, trace):
        if self.popen is None:
            return
        self.popen.send_signal(signal.SIGTERM)
        self.popen.wait(10)
        self.popen = None

    def mark(self, what):
        self.marks.append((time.monotonic_ns(), what))

    def wait_acks(self, deadline_s):
        """Until everybody has written ten rows more than now."""
        # Ids are counted from a billion for each way in.
        seen = "SELECT id / 1000000000, count(*) FROM %s GROUP BY 1" % self.table
        before = dict(self.cluster.leader().sql(seen))
        wait_for("each of %s has written" % ", ".join(self.ways), lambda: self._all_more(
            before, dict(self.cluster.leader().sql(seen))), deadline_s)

    def _all_more(self, before, now):
        return all(now.get(i + 1, 0) >= before.get(i + 1, 0) + 10 for i in range(len(self.ways)))

    def outages(self):
        """{(what, way): the longest time in ms without an acknowledgement, from the mark to the
        next one}; call at the end. Infinite where none came any more."""
        with open(self.path, encoding="ascii") as f:
            ops, _ = checker.parse(f, lambda target, host: target)
        out = {}
        ends = [at for at, _ in self.marks[1:]] + [None]
        for (at, what), end in zip(self.marks, ends):
            for way in self.ways:
                acks = sorted(op.done for op in ops if op.outcome == "ok" and op.target == way
                              and op.done > at and (end is None or op.done < end))
                gaps = [b - a for a, b in zip([at] + acks, acks)]
                out[what, way] = max(gaps) / 1e6 if gaps else float("inf")
        self._say(out)
        return out

    def _say(self, out):
        lines = [os.environ.get("PYTEST_CURRENT_TEST", "?").split(" ")[0]]
        lines += ["  %s, through %s: next write after %.0f ms" % (what, way, ms)
                  for (what, way), ms in out.items()]
        print("\n".join(lines))
        report = os.path.join(os.path.dirname(os.path.dirname(self.path)), "report.txt")
        with open(report, "a", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")
