# SPDX-License-Identifier: PostgreSQL
"""checker - from what the writers saw and what the nodes hold at the end: was it right?

Pure functions, so that planted violations can test the tests."""

from collections import defaultdict, namedtuple

# One attempt whose row may exist. node: where it was committed; times in ns of one clock; lsn: where
# WAL ended just before the row was committed, 0 for unknown.
Op = namedtuple("Op", "outcome target node id invoke done timeline lsn", defaults=(0,))


class Report:
    def __init__(self):
        self.violations = []  # must be empty, always
        self.lost = []        # acknowledged, not there at the end: 0 after anything orderly
        self.gaps = []        # (ns without any acknowledgement, end of the gap)
        self.acked = 0
        self.overlap_ns = 0   # longest stretch in which two nodes acknowledged
        self.refused = {}

    def longest_gap_ms(self):
        return max((g[0] for g in self.gaps), default=0) / 1e6

    def summary(self):
        return ("%d rows acknowledged, %d lost, overlap %.1f ms, longest gap %.0f ms%s"
                % (self.acked, len(self.lost), self.overlap_ns / 1e6, self.longest_gap_ms(),
                   "".join("\n  VIOLATION " + v for v in self.violations)))

    def assert_safe(self, max_lost=0):
        assert not self.violations, self.summary()
        assert len(self.lost) <= max_lost, \
            "%s\n  lost: %s" % (self.summary(), self.lost[:5] + self.lost[-5:])
        return self


def parse(lines, node_of):
    """Read the prober's file. node_of(target, host) names the node that answered."""
    ops, refused, ended = [], defaultdict(int), False
    for line in lines:
        word = line.split()
        if word[0] in ("ok", "unknown"):
            outcome, target, ident, invoke, done, timeline, lsn, host = word
            ops.append(Op(outcome, target, node_of(target, host), int(ident), int(invoke),
                          int(done), int(timeline, 16), int(lsn)))
        elif word[0] == "refused":
            refused[(word[1], word[2])] += int(word[3])
        elif word[0] == "end":
            ended = True
        else:
            raise ValueError("prober wrote %r" % line)
    if not ended:
        raise ValueError("the prober did not finish: its file has no end")
    return ops, dict(refused)


def _one_node_a_timeline(acks, report):
    nodes = defaultdict(dict)
    for op in acks:
        nodes[op.timeline].setdefault(op.node, op)
    for timeline, by_node in sorted(nodes.items()):
        if len(by_node) > 1:
            report.violations.append("timeline %d was written by %s"
                                     % (timeline, ", ".join(sorted(by_node))))


def _timelines_in_order(acks, report):
    """Nobody acknowledges on an older timeline once a newer one has acknowledged."""
    newer_first, newer_op = None, None
    by_timeline = defaultdict(list)
    for op in acks:
        by_timeline[op.timeline].append(op)
    for timeline in sorted(by_timeline, reverse=True):
        ops = by_timeline[timeline]
        if newer_first is not None:
            late = [op for op in ops if op.done > newer_first]
            if late:
                last = max(late, key=lambda op: op.done)
                overlap = last.done - newer_first
                report.overlap_ns = max(report.overlap_ns, overlap)
                report.violations.append(
                    "%s acknowledged %d rows on timeline %d after %s had acknowledged on timeline "
                    "%d, the last one %.1f ms later"
                    % (last.node, len(late), timeline, newer_op.node, newer_op.timeline,
                       overlap / 1e6))
        first = min(ops, key=lambda op: op.done)
        if newer_first is None or first.done < newer_first:
            newer_first, newer_op = first.done, first


def _nodes_take_turns(acks, report):
    """The same without trusting timelines: a node that another one followed may come back only
    on a newer timeline than that other's."""
    turn = None
    best = 0
    for op in sorted(acks, key=lambda op: op.done):
        if op.node != turn:
            if turn is not None and op.timeline <= best:
                report.violations.append(
                    "%s acknowledged row %d on timeline %d at %.1f ms, during the turn of %s on "
                    "timeline %d" % (op.node, op.id, op.timeline, op.done / 1e6, turn, best))
                return
            turn = op.node
        best = max(best, op.timeline)


def _rows(ops, rows_by_node, report):
    """Rows that nobody can account for, and rows that were acknowledged and are gone."""
    possible = {op.id for op in ops}
    for node, rows in sorted(rows_by_node.items()):
        phantom = rows - possible
        if phantom:
            report.violations.append("%s has %d rows that were refused or never sent, e.g. %d"
                                     % (node, len(phantom), min(phantom)))
    nodes = sorted(rows_by_node)
    for a, b in zip(nodes, nodes[1:]):
        if rows_by_node[a] != rows_by_node[b]:
            report.violations.append(
                "%s and %s do not hold the same rows: %d only on %s, %d only on %s"
                % (a, b, len(rows_by_node[a] - rows_by_node[b]), a,
                   len(rows_by_node[b] - rows_by_node[a]), b))
    if nodes:
        kept = set.intersection(*rows_by_node.values())
        report.lost = sorted((op for op in ops if op.outcome == "ok" and op.id not in kept),
                             key=lambda op: op.done)


def gaps(acks, longer_than_ns=200 * 1000000):
    """Stretches without any acknowledgement from anybody."""
    found, last = [], None
    for done in sorted(op.done for op in acks):
        if last is not None and done - last > longer_than_ns:
            found.append((done - last, done))
        last = done
    return found


def check(ops, rows_by_node, refused=None):
    report = Report()
    acks = [op for op in ops if op.outcome == "ok"]
    seen = defaultdict(int)
    for op in ops:
        seen[op.id] += 1
    twice = [i for i, n in seen.items() if n > 1]
    if twice:
        report.violations.append("ids used twice by the prober: %s" % twice[:5])
    report.acked = len(acks)
    report.refused = refused or {}
    report.gaps = gaps(acks)
    _one_node_a_timeline(acks, report)
    _timelines_in_order(acks, report)
    _nodes_take_turns(acks, report)
    _rows(ops, rows_by_node, report)
    return report
