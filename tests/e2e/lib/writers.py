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
            w.verdict()
    """

    count = 0

    def __init__(self, prober, nodes, path, whole, primary, period_ms=None):
        Writers.count += 1
        self.table = "written_%d" % Writers.count
        self.prober = prober
        self.nodes = nodes
        self.path = path
        self.whole = whole
        self.primary = primary
        self.popen = None
        self.period_ms = PERIOD_MS if period_ms is None else period_ms
        self.marks = []
        self.ops = []
        self.report = None

    def __enter__(self):
        self.primary().sql("CREATE TABLE %s (id bigint PRIMARY KEY)" % self.table)
        for n in self.nodes:
            wait_for("%s has the table" % n.name,
                     lambda n=n: n.sql1("SELECT to_regclass(%s) IS NOT NULL", self.table), 10)
        self.popen = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", self.prober, self.table, str(self.period_ms),
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
        """Remember when a fault is made, on the clock of the acknowledgements."""
        self.marks.append((time.monotonic_ns(), what))
        return self.marks[-1][0]

    def wait_acks(self, node):
        """Until that node has acknowledged rows from now on. Who had no answer sends nothing more,
        so of more rows than there are writers one was acknowledged."""
        count = "SELECT count(*) FROM " + self.table
        enough = node.sql1(count) + len(self._targets()) + 1
        wait_for("%s acknowledges" % node.name, lambda: node.sql1(count) >= enough, 10)

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
        # What was sent before the end may still be committed after it, between two reads.
        wait_for("no write of the prober is under way", lambda: primary.sql1(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'prober'") == 0, 20)
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
        """Wait until the cluster is whole, under write load, then stop and judge. max_lost: after
        the loss of a host, asynchronous replication may lose what had not been sent."""
        self.whole()
        self.stop()
        ops, refused = self.history()
        report = checker.check(ops, self.rows(), refused)
        self.tell(ops, report)
        self.ops, self.report = ops, report
        return report.assert_safe(max_lost)

    def last_ack_ns(self, node, after_ns=0):
        """When that node acknowledged for the last time; call after verdict()."""
        return max((op.done for op in self.ops
                    if op.outcome == "ok" and op.node == node.name and op.done > after_ns),
                   default=after_ns)

    def first_ack_ns(self, after_ns, other_than):
        """When somebody else acknowledged first after that time; None if nobody did."""
        return min((op.done for op in self.ops if op.outcome == "ok" and op.done > after_ns
                    and op.node != other_than.name), default=None)

    def tell(self, ops, report):
        """What was measured goes to the test's output and to out/report.txt."""
        lines = [os.environ.get("PYTEST_CURRENT_TEST", "?").split(" ")[0]]
        acks = sorted((op for op in ops if op.outcome == "ok"), key=lambda op: op.done)
        for at, what in self.marks:
            before = [op for op in acks if op.done <= at]
            old = before[-1].node if before else None
            new = [op for op in acks if op.done > at and op.node != old]
            last = [op for op in acks if op.done > at and op.node == old
                    and not (new and op.done > new[0].done)]
            lines.append("  %s: %s; %s" % (
                what,
                "%s acknowledged until %+.0f ms" % (old, (last[-1].done - at) / 1e6) if last
                else "nothing more from %s" % old,
                "%s from %+.0f ms on" % (new[0].node, (new[0].done - at) / 1e6) if new
                else "nobody else took over"))
        lines.append("  " + report.summary())
        self.say(lines)

    def say(self, lines):
        """Into the test's output and into the report of all of them."""
        print("\n".join(lines))
        report_path = os.path.join(os.path.dirname(os.path.dirname(self.path)), "report.txt")
        with open(report_path, "a", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")
