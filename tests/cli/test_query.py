# SPDX-License-Identifier: PostgreSQL
"""hactl query at a real server, and the turn of a cluster into a standby cluster and back."""

import json

import pytest

# The fixtures of a server. pylint: disable=unused-import,redefined-outer-name
from test_generate import USER, pghad, server


@pytest.fixture
def asked(world, server):
    """The world's leader is that server; node1 and node2 are nowhere."""
    world.show("node0", conn_url="postgres://127.0.0.1:%d/postgres" % server.port)

    def query(*words, **more):
        more.setdefault("env", {"PGUSER": USER, "PGDATABASE": "postgres"})
        return world.hactl("query", *words, **more)

    return query


def test_rows_in_all_formats(asked, tmp_path):
    text = "select 1 as one, null::text as nothing, true as yes, 'a b' as text, 2.50 as number"
    done = asked("-c", text)
    assert done.stdout == "one\tnothing\tyes\ttext\tnumber\n1\tNone\tTrue\ta b\t2.50\n"
    assert asked("-c", text, "--delimiter", ";").stdout.splitlines()[1] == "1;None;True;a b;2.50"
    rows = json.loads(asked("-c", text, "--format", "json").stdout)
    assert rows[0]["one"] == 1 and rows[0]["text"] == "a b"
    assert json.loads(asked("-c", text, "--json").stdout) == rows
    assert "| one |" in asked("-c", text, "--format", "pretty").stdout
    (tmp_path / "q.sql").write_text("select 7 as seven")
    assert asked("-f", str(tmp_path / "q.sql")).stdout == "seven\n7\n"
    assert asked("-f", "-", stdin="select 8 as eight").stdout == "eight\n8\n"
    assert asked("-m", "node0", "-d", "template1", "-U", USER, "-c",
                 "select current_database() as d", env={}).stdout == "d\ntemplate1\n"


def test_what_fails_is_a_row_with_the_time(asked):
    done = asked("-c", "selct 1")
    assert done.stdout.rstrip().endswith("\tERROR, SQLSTATE: 42601")
    assert 'syntax error at or near "selct"' in done.stderr
    # Nobody of that role: the server itself is asked, not only the key of the member.
    done = asked("-r", "replica", "-c", "select 1")
    assert "No connection to role replica is available" in done.stdout
    assert "No connection to member nobody is available" in asked("-m", "nobody", "-c", "x").stdout
    done = asked("-U", "nobody", "-c", "select 1")
    assert "No connection to role leader is available" in done.stdout
    assert 'role "nobody" does not exist' in done.stderr


@pytest.mark.parametrize("words, told", [
    ((), "-c"), (("-c", "x", "-f", "y"), "-f"), (("-c", "x", "-r", "any", "-m", "n"), "-m"),
    (("-f", "/nonexistent"), "/nonexistent"), (("-c", "x", "--format", "xml"), "xml"),
])
def test_what_makes_no_sense(asked, words, told):
    done = asked(*words, code=None)
    assert done.returncode in (1, 2) and told in done.stderr and done.stdout == ""


def turn(world, **leader):
    """What Patroni does when it is told to: the leader's key changes its role."""
    def answer():
        body = world.members["node0"].requests[-1][2]
        demoted = body["standby_cluster"] is not None
        world.put("config", {**world.config, **(body if demoted else {})})
        world.show("node0", role="standby_leader" if demoted else "primary", **leader)
        return {}
    world.members["node0"].answers["PATCH", "/config"] = (200, answer)


def test_demote_and_promote(world):
    turn(world)
    done = world.hactl("demote-cluster", "--host", "10.0.0.9", "--port", "5433",
                       "--primary-slot-name", "s", "--force")
    assert world.members["node0"].requests[-1] == ("PATCH", "/config", {"standby_cluster": {
        "host": "10.0.0.9", "port": 5433, "primary_slot_name": "s"}})
    assert "cluster is successfully demoted" in done.stdout
    assert "Error: Cluster is already in the required state" in \
        world.hactl("demote-cluster", "--host", "h", "--force", code=1).stderr
    done = world.hactl("promote-cluster", stdin="y\n")
    assert world.members["node0"].requests[-1][2] == {"standby_cluster": None}
    assert "cluster is successfully promoted" in done.stdout
    assert "already in the required state" in world.hactl("promote-cluster", "--force", code=1).stderr


def test_demote_is_refused(world):
    for words, told in [((), "At least --host, --port or --restore-command"),
                        (("--host", "h", "--port", "0"), "--port"),
                        (("--host", "h", "--port", "x"), "--port")]:
        done = world.hactl("demote-cluster", *words, "--force", code=1)
        assert told in done.stderr, done
    done = world.hactl("demote-cluster", "--host", "h", stdin="n\n", code=1)
    assert "Aborted" in done.stderr
    world.members["node0"].answers["PATCH", "/config"] = (409, "conflict")
    done = world.hactl("demote-cluster", "--host", "h", "--force", code=1)
    assert "/config PATCH status code=409, (conflict)" in done.stderr
    asked = [r for r in world.members["node0"].requests if r[0] == "PATCH"]
    assert len(asked) == 1
    # A leader that pghad runs would not do it.
    world.show("node0", pgha={"rule": 321})
    done = world.hactl("demote-cluster", "--host", "h", "--force", code=1)
    assert "is run by pghad, which leads no standby clusters" in done.stderr
    assert len([r for r in world.members["node0"].requests if r[0] == "PATCH"]) == 1
