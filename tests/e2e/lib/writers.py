# SPDX-License-Identifier: PostgreSQL
"""writers - the prober against every node of a cluster, and the verdict at the end"""

import os
import signal
import subprocess
import time

from . import checker
from .proc import run, wait_for

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PERIOD_MS = 5
DEADLINE_MS = 2000


def build_prober(where):
    out = os.path.join(where, "prober")
    flags = run("pkg-config", "--cflags", "--libs", "libpq").stdout.split()
    run("cc", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", os.path.join(HERE, "prober.c"),
        "-o", out, *flags)
    return out


class Writers:
    """One pinned writer inside each host, one outside, and one that is routed.

        with Writers(...) as w:
            faults
        report = w.verdict()
    """

    count = 0

    def __init__(self, prober, nodes, path, whole, primary):
        Writers.count += 1
        self.table = "written_%d" % Writers.count
        self.prober = prober
        self.nodes = nodes
        self.path = path
        self.whole = whole
        self.primary = primary
        self.popen = None
        self.marks = []

    def __enter__(self):
        self.primary().sql("CREATE TABLE %s (id bigint PRIMARY KEY)" % self.table)
        for n in self.nodes:
            wait_for("%s has the table" % n.name,
                     lambda n=n: n.sql1("SELECT to_regclass(%s) IS NOT NULL", self.table), 10)
        self.popen = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", self.prober, self.table, str(PERIOD_MS),
             str(DEADLINE_MS), self.path] + self._targets())
        first = "SELECT EXISTS (SELECT FROM %s)" % self.table
        wait_for("first written row", lambda: self.primary().sql1(first), 10)
        return self

    def __exit__(self, kind, value, trace):
        self.stop()

    def _targets(self):
        # The refusals of 200 attempts a second on each standby would drown the server log.
        quiet = " options='-c log_min_messages=fatal' application_name=prober"
        out, routed = [], []
        for n in self.nodes:
            for where, local in (("in", True), ("out", False)):
                out.append("%s-%s=%s%s" % (n.name, where, n.conninfo(local), quiet))
            routed.append(n.conninfo(False) + quiet + " target_session_attrs=read-write")
        return out + ["any=" + "|".join(routed)]

    def _node_of(self, target, host):
        if target != "any":
            return target.rpartition("-")[0]
        return next((n.name for n in self.nodes if n.addr == host), "?")

    def mark(self, what):
        """Remember when a fault was made, on the clock of the acknowledgements."""
        self.marks.append((time.monotonic_ns(), what))

    def stop(self):
        if self.popen is None:
            return
        self.popen.send_signal(signal.SIGTERM)
        code = self.popen.wait(10)
        self.popen = None
        assert code == 0, "prober: exit %d" % code

    def rows(self):
        """Ids on every node, once the standbys have replayed all of them."""
        out = {}
        primary = self.primary()
        lsn = primary.sql1("SELECT pg_current_wal_lsn()")
        for n in self.nodes:
            if n is not primary:
                wait_for("%s has replayed %s" % (n.name, lsn),
                         lambda n=n: n.sql1("SELECT pg_last_wal_replay_lsn() >= %s", lsn), 20)
            out[n.name] = {r[0] for r in n.sql("SELECT id FROM " + self.table)}
        return out

    def history(self):
        with open(self.path, encoding="ascii") as f:
            return checker.parse(f, self._node_of)

    def verdict(self, max_lost=0):
        """Stop writing, wait until the cluster is whole, and judge."""
        self.stop()
        self.whole()
        ops, refused = self.history()
        report = checker.check(ops, self.rows(), refused)
        acks = [op for op in ops if op.outcome == "ok"]
        for at, what in self.marks:
            before = [op for op in acks if op.done <= at]
            after = [op for op in acks if op.done > at]
            new = [op for op in after if before and op.node != before[-1].node]
            print("  %s: %s" % (what, "first acknowledgement elsewhere after %.0f ms"
                                % ((min(op.done for op in new) - at) / 1e6) if new else
                                "no other node took over"))
        print("  " + report.summary())
        return report.assert_safe(max_lost)
