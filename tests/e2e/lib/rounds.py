# SPDX-License-Identifier: PostgreSQL
"""rounds - one fault on one cluster, measured: a line in out/rounds.jsonl, and the table of them

    with Round(cluster, out, "agent-frozen") as r:
        r.strike("agent frozen")
        ...
        r.verdict(max_lost=0)
        r.fenced()
"""

import json
import math
import os
import statistics
import time

from . import checker
from .cluster import GATE_S, TTL_S
from .measure import Watch, branches, latest_past_gate, lost_though_received

# An answer that was given in time is noted when the prober comes to read it.
READ_S = 0.3

# What was acknowledged that long before the fault had been sent to the standbys.
SENT_S = 1


class Round:
    def __init__(self, cluster, out, fault, period_ms=None):
        self.cluster = cluster
        self.path = os.path.join(os.path.dirname(out), "rounds.jsonl")
        self.w = cluster.writers(out, period_ms)
        self.watch = Watch(cluster.nodes, cluster.scope)
        self.old = None
        self.at = None
        self.history = ""
        self.line = {"fault": fault, "ttl": TTL_S, "at": time.strftime("%FT%TZ", time.gmtime()),
                     "load": round(os.getloadavg()[0], 1)}

    def __enter__(self):
        self.watch.start()
        self.w.__enter__()
        return self

    def strike(self, what, old=None):
        """The fault begins; old: the primary that it hits."""
        self.old = old or self.cluster.leader()
        self.at = self.w.mark(what)
        return self.at

    def verdict(self, max_lost=0, named=False):
        """named: an operator said who is to lead, however far that one had come."""
        try:
            return self.w.verdict(max_lost)
        finally:
            if self.w.report is not None:
                self.history = history_of(self.cluster.leader())
                self._judge()
            assert named or not self.line.get("beyond"), \
                "%d rows are lost that a standby had received" % self.line["beyond"]
            assert not self.line.get("early"), \
                "%d rows are lost of before the fault" % self.line["early"]

    def _judge(self):
        report = self.w.report
        left_at = branches(self.history)
        worst, after = latest_past_gate(self.w.ops, self.watch.gates)
        self.line.update({
            "acked": report.acked, "lost": len(report.lost), "violations": report.violations,
            "overlap_ms": report.overlap_ns / 1e6, "gap_ms": round(report.longest_gap_ms()),
            "turns": len({op.timeline for op in self.w.ops if op.outcome == "ok"}) - 1,
            "beyond": len(lost_though_received(report.lost, self.watch.received, left_at)),
            "early": sum(op.done < (self.at or 0) - SENT_S * 1e9 for op in report.lost),
            "past_gate_us": worst and math.ceil(worst), "past_gate": after})

    def _judge_acks(self):
        """Of a round that came to no end: who acknowledged when, if not what became of the rows."""
        ops, _ = self.w.history()
        report = checker.check(ops, {})
        worst, after = latest_past_gate(ops, self.watch.gates)
        self.line.update({
            "acked": report.acked, "violations": report.violations,
            "overlap_ms": report.overlap_ns / 1e6,
            "past_gate_us": worst and math.ceil(worst), "past_gate": after})

    def tell(self, **facts):
        """Of this round: fence_ms, next_ms and others, in ms after the fault."""
        self.line.update(facts)
        self.w.say(["  " + ", ".join("%s %s" % kv for kv in facts.items())])

    def fenced(self):
        """After the verdict: until when the old primary acknowledged, and when the next one
        began. Nobody else did so before, and nobody may after the gate."""
        first = self.w.first_ack_ns(self.at, other_than=self.old)
        assert first is not None, "nobody took over"
        last = max((op.done for op in self.w.ops if op.outcome == "ok"
                    and op.node == self.old.name and op.done < first), default=self.at)
        fence_ms = (last - self.at) / 1e6
        self.tell(fence_ms=round(fence_ms), next_ms=round((first - self.at) / 1e6),
                  past_gate_us=self.line["past_gate_us"])
        assert fence_ms < (GATE_S + READ_S) * 1000, \
            "acknowledged %.0f ms after the fault" % fence_ms

    def __exit__(self, kind, value, trace):
        self.watch.stop()
        try:
            self.w.__exit__(kind, value, trace)
            if self.w.report is None:
                self._judge_acks()
        finally:
            self.line["result"] = "ok" if kind is None else "failed"
            if kind is not None:
                self.line["why"] = ("%s: %s" % (kind.__name__, value))[:500]
            self.line["load_end"] = round(os.getloadavg()[0], 1)
            with open(self.path, "a", encoding="utf-8") as f:
                f.write(json.dumps(self.line) + "\n")


def history_of(primary):
    """The text of its timeline's history file."""
    timeline = primary.timeline()
    return primary.sql1("SELECT pg_read_file('pg_wal/%08X.history')" % timeline) \
        if timeline > 1 else ""


def load(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.strip()]


def _spread(values):
    values = [v for v in values if v is not None]
    return "%d / %d" % (statistics.median(values), max(values)) if values else "-"


def _most(values):
    return max((v for v in values if v is not None), default=None)


def _row(fault, ttl, rounds):
    done = [r for r in rounds if "acked" in r]
    past = _most(r.get("past_gate_us") for r in done)
    loads = [x for r in rounds for x in (r["load"], r.get("load_end", r["load"]))]
    return [fault, "%d" % ttl, "%d" % len(rounds),
            "%d" % sum(r["result"] != "ok" for r in rounds),
            "%d" % sum(r["acked"] for r in done),
            "%d" % sum(bool(r["violations"]) for r in done),
            "%d" % _most([r.get("lost") for r in done] + [0]),
            "%d" % sum(r.get("beyond", 0) for r in done),
            _spread([r.get("fence_ms") for r in rounds]),
            _spread([r.get("next_ms") for r in rounds]),
            _spread([r.get("gap_ms") for r in done]),
            "-" if past is None else "%d" % past,
            "%.0f-%.0f" % (min(loads), max(loads))]


HEAD = ["fault", "ttl", "rounds", "failed", "rows acknowledged", "rounds with two at once",
        "lost, at most", "lost though a standby had it", "fault to fence, ms",
        "fault to next primary, ms", "longest gap, ms", "latest ack past the gate, us", "load"]


def table(rounds):
    """Markdown: a row for each fault and ttl; medians and maxima."""
    keys = sorted({(r["fault"], -r["ttl"]) for r in rounds})
    rows = [_row(fault, -ttl, [r for r in rounds if (r["fault"], -r["ttl"]) == (fault, ttl)])
            for fault, ttl in keys]
    return "\n".join("| " + " | ".join(row) + " |"
                     for row in [HEAD, ["---"] * len(HEAD)] + rows) + "\n"
