# SPDX-License-Identifier: PostgreSQL
"""The checker finds what is planted, and nothing where nothing is."""

import struct

import pytest

from lib import rounds
from lib.benchdoc import with_section
from lib.checker import Op, check, parse
from lib.measure import (ARMED, GATE_AT, PAGE_BYTES, REASON, REASON_PAUSED, SEQUENCE, WORDS,
                         WRITTEN_AT, Gate, branches, latest_past_gate, lost_though_received,
                         read_page)

MS = 1000000


def ack(ident, node, at_ms, timeline, outcome="ok"):
    return Op(outcome, node + "-out", node, ident, (at_ms - 2) * MS, at_ms * MS, timeline)


def failover():
    """n1 leads on timeline 1 until 100 ms, n2 on timeline 2 from 400 ms on."""
    return ([ack(i, "n1", i, 1) for i in range(10, 101, 5)]
            + [ack(i, "n2", i, 2) for i in range(400, 501, 5)])


def rows_of(ops, *nodes):
    return {n: {op.id for op in ops} for n in nodes}


def test_clean_failover_is_clean():
    ops = failover()
    report = check(ops, rows_of(ops, "n1", "n2", "n3"))
    assert report.violations == []
    assert report.lost == []
    assert report.overlap_ns == 0
    assert report.longest_gap_ms() == 300
    report.assert_safe()


def test_failover_there_and_back_is_clean():
    ops = failover() + [ack(i, "n1", i, 3) for i in range(600, 651, 5)]
    assert check(ops, rows_of(ops, "n1", "n2")).violations == []


def test_restart_in_place_keeps_node_and_timeline():
    ops = [ack(10, "n1", 10, 1), ack(900, "n1", 900, 1)]
    assert check(ops, rows_of(ops, "n1")).violations == []


def test_old_primary_acknowledges_after_the_new_one():
    ops = failover() + [ack(7, "n1", 402, 1)]
    report = check(ops, rows_of(ops, "n1", "n2"))
    assert any("after n2 had acknowledged" in v for v in report.violations)
    assert report.overlap_ns == 2 * MS
    with pytest.raises(AssertionError):
        report.assert_safe()


def test_late_acknowledgement_two_timelines_back():
    ops = failover() + [ack(i, "n3", i, 3) for i in range(600, 651, 5)] + [ack(7, "n1", 640, 1)]
    report = check(ops, rows_of(ops, "n1", "n2", "n3"))
    assert any("n1 acknowledged 1 rows on timeline 1" in v for v in report.violations)
    assert report.overlap_ns == 240 * MS


def test_two_nodes_on_one_timeline():
    ops = failover() + [ack(7, "n3", 700, 2)]
    report = check(ops, rows_of(ops, "n1", "n2"))
    assert any("timeline 2 was written by n2, n3" in v for v in report.violations)


def test_turns_without_a_new_timeline():
    ops = [ack(1, "n1", 10, 5), ack(2, "n2", 20, 5)]
    report = check(ops, rows_of(ops, "n1", "n2"))
    assert any("during the turn of n1" in v for v in report.violations)


def test_lost_rows_are_counted_and_limited():
    ops = failover()
    rows = rows_of(ops, "n1", "n2")
    for kept in rows.values():
        kept -= {95, 100}
    report = check(ops, rows)
    assert [op.id for op in report.lost] == [95, 100]
    assert report.violations == []
    report.assert_safe(max_lost=2)
    with pytest.raises(AssertionError):
        report.assert_safe()


def test_unknown_may_be_there_or_not():
    ops = failover() + [ack(7, "n1", 102, 1, "unknown"), ack(8, "n1", 103, 1, "unknown")]
    rows = rows_of([op for op in ops if op.id != 8], "n1", "n2")
    report = check(ops, rows)
    assert report.violations == [] and report.lost == []


def test_phantom_row():
    ops = failover()
    rows = rows_of(ops, "n1", "n2")
    for kept in rows.values():
        kept.add(666)
    assert any("refused or never sent, e.g. 666" in v for v in check(ops, rows).violations)


def test_nodes_hold_different_rows():
    ops = failover()
    rows = rows_of(ops, "n1", "n2")
    rows["n2"].remove(500)
    report = check(ops, rows)
    assert any("do not hold the same rows: 1 only on n1, 0 only on n2" in v
               for v in report.violations)
    assert [op.id for op in report.lost] == [500]


def test_id_used_twice():
    ops = failover() + [ack(10, "n1", 60, 1)]
    assert any("used twice" in v for v in check(ops, rows_of(ops, "n1")).violations)


def test_prober_file():
    lines = ["ok n1-in 1000000001 5 9 00000002 768 /run/x", "unknown any 2000000001 5 9 0 0 10.77.0.11",
             "refused n2-in 25006 17", "end"]
    ops, refused = parse(lines, lambda target, host: "n1")
    assert ops[0] == Op("ok", "n1-in", "n1", 1000000001, 5, 9, 2, 768)
    assert ops[1].outcome == "unknown"
    assert refused == {("n2-in", "25006"): 17}


def test_prober_file_must_end():
    with pytest.raises(ValueError):
        parse(["ok n1-in 1 5 9 00000002 0 -"], lambda target, host: "n1")


def page(**words):
    at = {"sequence": SEQUENCE, "armed": ARMED, "reason": REASON, "gate": GATE_AT,
          "written": WRITTEN_AT}
    values = [0] * WORDS
    values[0] = struct.unpack("<Q", b"pghapage")[0]
    for name, value in words.items():
        values[at[name]] = value
    return struct.pack("<%dQ" % WORDS, *values).ljust(PAGE_BYTES, b"\0")


def test_lease_page_is_read():
    assert read_page(page(armed=1, gate=70, written=50), 20 * MS) == Gate(30 * MS, 50 * MS)
    assert read_page(page(armed=1, gate=70, sequence=3)) is None, "it is being written"
    assert read_page(b"\0" * PAGE_BYTES) is None
    assert read_page(page(reason=REASON_PAUSED, gate=70, written=50)) == Gate(50 * MS, 0)
    assert read_page(page(reason=2, gate=70, written=50)) is None, "a standby's lifts nothing"


def test_acknowledgement_past_the_gate():
    gates = {"n1": [Gate(0, 50 * MS), Gate(40 * MS, 90 * MS)], "n2": []}
    ops = [ack(1, "n1", 30, 1), ack(2, "n1", 60, 1), ack(3, "n2", 400, 2)]
    assert latest_past_gate(ops, gates) == (-20000, 0), "the gate was moved in time"
    assert latest_past_gate(ops + [ack(4, "n1", 91, 1)], gates) == (1000, 1)
    assert latest_past_gate(ops + [ack(4, "n1", 91, 1, "unknown")], gates) == (-20000, 0)
    assert latest_past_gate(ops, {}) == (None, 0)


def test_lost_rows_that_a_standby_had():
    left_at = branches("1\t0/3000000\tno recovery target\n2\t1/0\tno recovery target\n")
    assert left_at == {1: 0x3000000, 2: 1 << 32}
    lost = [ack(1, "n1", 10, 1)._replace(lsn=0x3000010),
            ack(2, "n1", 11, 1)._replace(lsn=0x3000100)]
    assert lost_though_received(lost, {("n2", 1): 0x3000000}, left_at) == []
    assert lost_though_received(lost, {("n2", 2): 0x3000200}, left_at) == []
    assert lost_though_received(lost, {("n2", 1): 0x3000000, ("n3", 1): 0x3000080},
                                left_at) == lost[:1]


def test_table_of_rounds():
    one = {"fault": "agent frozen", "ttl": 5, "load": 2.0, "result": "ok", "acked": 10, "lost": 0,
           "violations": [], "beyond": 0, "fence_ms": 100, "next_ms": 300, "gap_ms": 200,
           "past_gate_us": -7}
    two = dict(one, fence_ms=300, lost=4, past_gate_us=12, load=4.0)
    broken = {"fault": "agent frozen", "ttl": 5, "load": 3.0, "result": "failed"}
    other = dict(one, ttl=3, violations=["both"])
    lines = rounds.table([one, two, broken, other]).splitlines()
    assert lines[2].split(" | ")[1:] == ["5", "3", "1", "20", "0", "4", "0", "200 / 300",
                                         "300 / 300", "200 / 200", "12", "2-4 |"]
    assert lines[3].split(" | ")[1:7] == ["3", "1", "0", "10", "1", "0"]


def test_a_benchmark_takes_the_place_of_the_one_before():
    text = "# M\n\n## one\n\nold\n\n## two\n\nkept\n"
    assert with_section(text, "one", "new") == "# M\n\n## one\n\nnew\n\n## two\n\nkept\n"
    assert with_section(text, "two", "new") == "# M\n\n## one\n\nold\n\n## two\n\nnew\n"
    assert with_section(text, "three", "new") == text + "\n## three\n\nnew\n"
