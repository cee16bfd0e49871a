# SPDX-License-Identifier: PostgreSQL
"""Pages that are missing, torn, or of another boot."""

import psycopg2
import pytest

from conftest import wait_for


WITHHELD = "withheld"


def write(server):
    """None, the SQLSTATE that the write was refused with, or WITHHELD: the deadline came between
    its commit record and the answer, and the module took the connection away."""
    try:
        server.ask("create table if not exists p (i int); insert into p values (1)")
        return None
    except psycopg2.OperationalError as e:
        assert "closed the connection" in str(e) and server.status()["withheld"] > 0, e
        return WITHHELD
    except psycopg2.Error as e:
        assert e.pgcode == "25006", e
        return e.pgcode


@pytest.fixture(params=["off", "on"])
def fail_closed(request):
    return request.param


@pytest.fixture
def fresh(make_server, fail_closed):
    return make_server(**{"pgha_fence.fail_closed": fail_closed})


def expected(fail_closed):
    return "25006" if fail_closed == "on" else None


def test_without_a_page_the_option_decides_and_a_late_page_counts(fresh, fail_closed):
    fresh.start()
    assert fresh.status()["page"] == "not there"
    assert write(fresh) == expected(fail_closed)
    assert "there is no lease page yet" in fresh.log()
    fresh.page.arm()
    # A session looks again once in a second, a new one at once.
    assert write(fresh) is None
    assert fresh.status()["page"] == "recognised, of this boot"
    fresh.page.arm(-1)
    assert write(fresh) == "25006"


def test_a_session_older_than_the_page_finds_it(fresh):
    fresh.start()
    c = fresh.connect()
    with c.cursor() as k:
        k.execute("show pgha_fence.status")
        assert "not there" in k.fetchone()[0]
        fresh.page.arm(-1)

        def sees():
            k.execute("show pgha_fence.status")
            return '"past"' in k.fetchone()[0]

        wait_for(sees, 5)
    c.close()


def test_no_page_configured(make_server, fail_closed):
    server = make_server(**{"pgha_fence.fail_closed": fail_closed, "pgha_fence.page": ""})
    server.start()
    assert server.status()["page"] == "not configured"
    assert write(server) == expected(fail_closed)


def test_a_path_that_is_none_is_told_in_the_log(make_server):
    server = make_server(**{"pgha_fence.page": "/nowhere"})
    server.start()
    assert "is no path of a lease page" in server.log()
    assert write(server) is None


def test_a_page_torn_from_the_start(fresh, fail_closed):
    fresh.page.arm()
    fresh.page.tear()
    fresh.start()
    assert "not finished" in fresh.status()["page"]
    assert write(fresh) == expected(fail_closed)


def test_a_page_of_another_boot(fresh, fail_closed):
    fresh.page.arm(-1000)
    fresh.page.age()
    fresh.start()
    assert "before this machine was booted" in fresh.status()["page"]
    assert write(fresh) == expected(fail_closed)


def test_a_page_torn_later_keeps_the_last_deadline(fresh):
    fresh.page.arm()
    fresh.start()
    # However long a start takes.
    fresh.page.arm(4000)
    assert write(fresh) is None
    fresh.page.tear()
    # Under that deadline writes go on, also with fail_closed: an agent may just have been
    # interrupted. Behind it they are refused, also without.
    wait_for(lambda: write(fresh) == "25006")
    assert fresh.status()["gate"] == "past"
    fresh.page.arm()
    assert write(fresh) is None


def test_a_page_that_turns_to_garbage_keeps_the_last_deadline_or_refuses(fresh, fail_closed):
    fresh.page.arm()
    fresh.start()
    assert write(fresh) is None
    fresh.page.age()
    assert write(fresh) == expected(fail_closed)
    fresh.page.age()
    fresh.page.arm(-1)
    assert write(fresh) == "25006"
    fresh.page.age()
    assert write(fresh) == "25006"


def test_a_removed_page_keeps_its_deadline(fresh):
    fresh.page.arm(-1)
    fresh.start()
    assert write(fresh) == "25006"
    fresh.page.remove()
    assert write(fresh) == "25006"
