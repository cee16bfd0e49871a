# SPDX-License-Identifier: PostgreSQL
"""What is refused behind the gate, and what is left alone."""

import os
import time

import psycopg2
import pytest

from conftest import Background, run, wait_for

REFUSED = "25006"

CALL_LOOP = """
    create or replace procedure fill(n int) language plpgsql as $$
    begin
        for i in 1..n loop
            insert into t values (i);
            commit;
        end loop;
    end $$"""


def refused(server, *statements):
    """The error of the last statement, all on one connection."""
    c = server.connect()
    try:
        with c.cursor() as k:
            for text in statements[:-1]:
                k.execute(text)
            with pytest.raises(psycopg2.Error) as e:
                k.execute(statements[-1])
        assert e.value.pgcode == REFUSED, e.value
        assert c.closed == 0
        return e.value
    finally:
        c.close()


def rows(server):
    return server.ask("select count(*) from t")


def test_a_write_under_the_lease_commits(server):
    server.ask("insert into t values (1)")
    assert rows(server) == 1
    status = server.status()
    assert status["gate"] == "open"
    assert status["armed"] is True
    assert status["epoch"] == 7
    assert 0 < status["left_ms"] <= 600000


def test_a_write_behind_the_gate_is_an_error_that_says_what_to_do(server):
    before = server.count("refused")
    server.page.arm(-1000)
    error = refused(server, "insert into t values (1)")
    assert "lease is over" in error.diag.message_primary
    assert "ms ago" in error.diag.message_detail
    assert "connect again" in error.diag.message_hint
    assert rows(server) == 0
    assert server.count("refused") == before + 1
    assert server.status()["gate"] == "past"
    assert server.status()["left_ms"] <= -1000


def test_the_commit_of_a_transaction_begun_under_the_lease_is_refused(server):
    c = server.connect(autocommit=False)
    with c.cursor() as k:
        k.execute("insert into t values (1)")
        server.page.arm(-1)
        with pytest.raises(psycopg2.Error) as e:
            k.execute("commit")
    assert e.value.pgcode == REFUSED
    # The session goes on, and writes again as soon as there is a lease again.
    server.page.arm()
    with c.cursor() as k:
        k.execute("insert into t values (2)")
    c.commit()
    c.close()
    assert server.ask("select array_agg(i) from t") == [2]


def test_what_a_savepoint_wrote_counts(server):
    server.page.arm(-1)
    refused(server, "begin", "savepoint a", "insert into t values (1)", "release a", "commit")


@pytest.mark.parametrize("text", [
    "select count(*) from t",
    "begin; select * from t; commit",
    "begin; insert into t values (1); rollback",
    "set application_name = 'reader'",
    "select pg_advisory_lock(1)",
    "checkpoint",
])
def test_who_commits_nothing_is_left_alone(server, text):
    before = server.status()
    server.page.arm(-1000)
    server.ask(text)
    after = server.status()
    assert (after["refused"], after["withheld"]) == (before["refused"], before["withheld"])


def test_a_parallel_query_is_a_reader(server):
    server.ask("insert into t select generate_series(1, 1000)")
    server.page.arm(-1000)
    c = server.connect()
    with c.cursor() as k:
        name = "debug_parallel_query" if c.server_version >= 160000 else "force_parallel_mode"
        k.execute("set %s = on; set min_parallel_table_scan_size = 0; "
                  "set parallel_setup_cost = 0" % name)
        k.execute("select sum(i) from t")
        assert k.fetchone()[0] == 500500
    c.close()


@pytest.mark.parametrize("reason", ["new", "replica", "paused", "stopped"])
def test_a_disarmed_page_refuses_nothing(server, reason):
    server.page.disarm(reason)
    server.ask("insert into t values (1)")
    assert rows(server) == 1
    assert server.status()["armed"] is False


def test_it_can_be_turned_off_while_it_runs(server):
    server.page.arm(-1000)
    server.reload(**{"pgha_fence.enabled": "off"})
    server.ask("insert into t values (1)")
    server.reload(**{"pgha_fence.enabled": "on"})
    refused(server, "insert into t values (1)")


def test_a_procedure_that_commits_stops_at_the_gate(server):
    before = server.status()
    server.ask(CALL_LOOP)
    session = Background(server, "call fill(100000000)")
    wait_for(lambda: rows(server) > 0)
    server.page.arm(300)
    armed_by = time.time()
    # Refused at the next commit, or cut off when the gate fell in the middle of one.
    outcome = session.result()
    assert session.was_cut() or outcome.pgcode == REFUSED, outcome
    after = server.status()
    assert (after["refused"] + after["withheld"]
            == before["refused"] + before["withheld"] + 1)
    # The page was armed before the clock was read here, so that its gate cannot be later.
    assert server.ask("select extract(epoch from max(at))::float8 from t") < armed_by + 0.3


@pytest.mark.parametrize("clocks", [(-1, 600000), (600000, -1)])
def test_either_clock_shuts_the_gate(server, clocks):
    server.page.arm(*clocks)
    refused(server, "insert into t values (1)")


@pytest.mark.parametrize("reason", ["replica", "stopped"])
def test_an_agent_that_lost_its_lease_lifts_no_deadline(server, reason):
    server.page.arm(4000)
    server.ask("select 1")
    server.page.disarm(reason)
    server.ask("insert into t values (1)")

    def is_refused():
        try:
            server.ask("insert into t values (1)")
        except psycopg2.Error as e:
            return e.pgcode == REFUSED

    wait_for(is_refused)
    server.page.disarm("paused")
    server.ask("insert into t values (1)")


def test_two_phase_commit_is_covered_at_both_ends(server):
    server.page.arm(-1)
    refused(server, "begin", "insert into t values (1)", "prepare transaction 'a'")
    server.page.arm()
    server.ask("begin; insert into t values (1); prepare transaction 'a'")
    server.ask("begin; insert into t values (2); prepare transaction 'b'")
    server.page.arm(-1)
    refused(server, "commit prepared 'a'")
    refused(server, "rollback prepared 'b'")
    assert server.ask("select count(*) from pg_prepared_xacts") == 2
    server.page.arm()
    server.ask("commit prepared 'a'")
    server.ask("rollback prepared 'b'")
    assert server.ask("select array_agg(i) from t") == [1]


@pytest.mark.parametrize("text", [
    "select nextval('s') from generate_series(1, 100)",
    "select setval('s', 1000)",
    "select pg_logical_emit_message(true, 'x', 'y')",
    "select txid_current()",
    "create table u ()",
    "truncate t",
])
def test_what_takes_a_transaction_id_is_a_write(server, text):
    server.page.arm(-1)
    refused(server, text)


def test_autovacuum_is_left_alone(server):
    server.ask("insert into t select generate_series(1, 5000)")
    server.ask("delete from t")
    server.page.arm(-1000)
    count = "select autovacuum_count + autoanalyze_count from pg_stat_user_tables where relname = 't'"
    wait_for(lambda: server.ask(count) > 0)


def test_a_module_loaded_too_late_says_so_and_does_nothing(make_server):
    server = make_server(**{"shared_preload_libraries": "", "pgha_fence.page": ""})
    server.start()
    c = server.connect()
    with c.cursor() as k:
        k.execute("load '%s'" % server.module)
        assert "shared_preload_libraries" in "".join(c.notices)
        k.execute("create table t ()")
        k.execute("select (current_setting('pgha_fence.status')::json ->> 'preloaded')::bool")
        assert k.fetchone()[0] is False
    c.close()


def test_a_standby_is_left_alone_until_it_is_promoted(make_server, server):
    standby = make_server(copy=False)
    run_backup(server, standby)
    standby.page.arm(-1000)
    standby.start()
    assert standby.ask("select pg_is_in_recovery()") is True
    assert standby.ask("select count(*) from t") is not None
    assert standby.status()["gate"] == "past"
    assert standby.ask("select pg_promote()") is True
    refused(standby, "insert into t values (1)")
    standby.page.arm()
    standby.ask("insert into t values (1)")


def run_backup(server, standby):
    run([server.tool("pg_basebackup"), "-h", server.sockets, "-p", str(server.port), "-U",
         "postgres", "-D", standby.data, "-X", "stream", "-c", "fast", "-N", "-R"])
    upstream = "host=%s port=%d user=postgres" % (server.sockets, server.port)
    standby.configure(primary_conninfo=upstream)


VIEW = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "sql", "pgha_fence.sql")


def test_the_view_shows_the_status(server):
    with open(VIEW) as f:
        server.ask(f.read())
    server.page.arm(-1000)
    c = server.connect()
    with c.cursor() as k:
        k.execute("select gate, armed, epoch, left_ms < 0, page from pgha_fence_status")
        assert k.fetchall() == [("past", True, 7, True, "recognised, of this boot")]
    c.close()


def test_the_view_is_empty_where_the_module_is_not_loaded(make_server):
    server = make_server(**{"shared_preload_libraries": "", "pgha_fence.page": ""})
    server.start()
    with open(VIEW) as f:
        server.ask(f.read())
    assert server.ask("select count(*) from pgha_fence_status") == 0
