# SPDX-License-Identifier: PostgreSQL
"""The checker finds what is planted, and nothing where nothing is."""

import pytest

from lib.checker import Op, check, parse

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
    lines = ["ok n1-in 1000000001 5 9 00000002 /run/x", "unknown any 2000000001 5 9 0 10.77.0.11",
             "refused n2-in 25006 17", "end"]
    ops, refused = parse(lines, lambda target, host: "n1")
    assert ops[0] == Op("ok", "n1-in", "n1", 1000000001, 5, 9, 2)
    assert ops[1].outcome == "unknown"
    assert refused == {("n2-in", "25006"): 17}


def test_prober_file_must_end():
    with pytest.raises(ValueError):
        parse(["ok n1-in 1 5 9 00000002 -"], lambda target, host: "n1")
