# SPDX-License-Identifier: PostgreSQL
"""What is shown on a terminal while something takes its time, and that a program gets none of it."""

import json
import os
import re
import threading

import pytest

from test_dryrun import fit

MB = 2 ** 20
OPTIME = 67382744


def frame(event, name, **data):
    return "id: 1-1\nevent: %s\ndata: %s\n\n" % (event, json.dumps({"name": name, **data}))


def rule(name, rule_name, why):
    return frame("rule", name, rule_name=rule_name, why=why)


@pytest.fixture
def moves(world):
    """node0 hands over to node1 when it is asked to, and tells of it. go: what holds it up."""
    fit(world)
    asked, go, given, led = (threading.Event() for _ in range(4))
    leader, heir, other = world.members.values()

    def old():
        yield "retry: 1000\n\n" + frame("state", "node0", rule_name="lead", primary=True)
        assert asked.wait(10)
        yield rule("node0", "handover-prepare", "a checkpoint now makes the stop short")
        yield rule("node0", "handover-stop", "stopping so that the successor")
        yield frame("role", "node0", primary=False, primary_before=True)
        assert go.wait(10)
        yield frame("job", "node0", job="stop", phase="end", failed=False, took_ms=40)
        yield frame("lease", "node0", held=False)
        given.set()
        yield rule("node0", "start-standby", "this data can follow it")
        yield rule("node0", "busy", "an operation is under way")
        assert led.wait(10)
        yield rule("node0", "follow", "another member leads")

    def new():
        yield frame("state", "node1", rule_name="follow", primary=False)
        assert given.wait(10)
        yield rule("node1", "promote", "the lease is held")
        yield frame("job", "node1", job="apply", phase="end", failed=False, took_ms=0)
        yield frame("role", "node1", primary=True, primary_before=False)
        led.set()

    def answer():
        asked.set()
        assert given.wait(10)
        return 'Successfully switched over to "node1"'

    leader.answers["GET", "/events"] = (200, old)
    heir.answers["GET", "/events"] = (200, new)
    other.answers["GET", "/events"] = (503, "too many listeners")
    leader.answers["POST", "/switchover"] = (200, answer)
    return go, given


STEPS = [("node0", "a checkpoint now makes the stop short"),
         ("node0", "stopping so that the successor"), ("node0", "takes no more writes"),
         ("node0", "stop took 40 ms"), ("node0", "has given up the lease"),
         ("node0", "this data can follow it"), ("node0", "follows the new leader")]


def test_a_switchover_tells_its_steps(terminal, moves):
    t = terminal("switchover", "--candidate", "node1", "--force")
    at = t.wait("takes no more writes")
    # Nothing comes for a while: then it is said what is waited for.
    t.wait("ms  ████████░░░░░░░░░░░░  takes no more writes", since=at)
    moves[0].set()
    assert t.process.wait(timeout=20) == 0
    t.wait_quiet()
    shown = re.sub(r"\x1b\[[0-9]*m", "", t.text)
    for name, what in STEPS + [("node1", "the lease is held"), ("node1", "takes writes")]:
        assert re.search(r"(^|\x1b\[K) *\d+ ms  %s  %s\r$" % (name, what), shown, re.M), \
            (what, shown)
    at = [shown.index(what) for _, what in STEPS]
    assert at == sorted(at)
    for what in ("apply", "an operation is under way", "another member leads"):
        assert what not in shown, what
    # The old leader is looked after until it follows, and the table comes last.
    assert shown.index("follows the new leader") < shown.rindex("| node0")
    assert shown.index("Successfully switched over") < shown.rindex("| node0")


def test_a_program_gets_none_of_it(world, moves):
    moves[1].set()
    done = world.hactl("switchover", "--candidate", "node1", "--force")
    assert "\033" not in done.stdout and "\r" not in done.stdout and "░" not in done.stdout
    assert " ms  " not in done.stdout and "Successfully switched over" in done.stdout
    assert not any(r[1] == "/events" for m in world.members.values() for r in m.requests)
    told = json.loads(world.hactl("switchover", "--force", "--json").stdout)
    assert told["results"][0]["outcome"] == "done"


def test_members_that_tell_nothing_hold_nothing_up(world, terminal):
    fit(world)
    world.members["node1"].stop()
    world.members["node0"].answers["POST", "/switchover"] = (412, "no good candidates")
    t = terminal("switchover", "--force", env={"TERM": "dumb"})
    assert t.process.wait(timeout=20) == 0
    t = terminal("switchover", "--force")
    assert t.process.wait(timeout=20) == 0
    t.wait("Switchover failed, details: 412, no good candidates")


def copies(done_mb):
    return (200, {"state": "creating replica", "pgha": {"job": {
        "name": "clone", "for_ms": 1000, "done_bytes": done_mb * MB, "total_bytes": 400 * MB}}})


def test_a_copy_and_what_it_has_to_catch_up_with(world, terminal):
    fit(world)
    member = world.members["node1"]
    member.answers["POST", "/reinitialize"] = (200, "reinitialize started")
    member.answers["GET", "/patroni"] = [copies(100), copies(300), (200, {"state": "starting"})]
    world.show("node1", state="starting", replay_lsn=OPTIME - 40 * MB)
    t = terminal("reinit", world.scope, "node1", "--wait", "--force", columns=120)
    t.wait("\r\033[Knode1: █████░░░░░░░░░░░░░░░ 25 %, 100 MB of 400 MB")
    t.wait("\r\033[Knode1: ███████████████░░░░░ 75 %, 300 MB of 400 MB")
    t.wait("Reinitialize is completed on: node1")
    t.wait("\r\033[Knode1 catches up: ░░░░░░░░░░░░░░░░░░░░ 0 %, 40.0 MB to replay")
    world.show("node1", state="running", replay_lsn=OPTIME - 10 * MB)
    t.wait("\r\033[Knode1 catches up: ███████████████░░░░░ 75 %, 10.0 MB to replay")
    world.show("node1", state="running", replay_lsn=OPTIME)
    t.wait("\r\033[KCaught up: node1")
    assert t.process.wait(timeout=20) == 0


def test_a_copy_that_a_program_waits_for(world):
    fit(world)
    member = world.members["node1"]
    member.answers["POST", "/reinitialize"] = (200, "reinitialize started")
    world.show("node1", state="starting", replay_lsn=OPTIME - 40 * MB)
    member.answers["GET", "/patroni"] = [copies(100), (200, {"state": "starting"})]
    told = json.loads(world.hactl("reinit", world.scope, "node1", "--wait", "--force",
                                  "--json").stdout)
    assert [r["text"] for r in told["results"]] == [
        "Success: reinitialize for member node1", "Reinitialize is completed on: node1"]


def test_catching_up_is_watched(world, terminal):
    fit(world)
    world.show("node2", replay_lsn=OPTIME - 40 * MB)
    t = terminal("watch", "-n", "0.2")
    t.wait("node2: catches up  ░░░░░░░░░░░░░░░░░░░░ 0 %, 40.0 MB to replay")
    world.show("node2", replay_lsn=OPTIME - 30 * MB)
    t.wait("node2: catches up  █████░░░░░░░░░░░░░░░ 25 %, 30.0 MB to replay")
    # Further back than ever: it begins anew.
    world.show("node2", replay_lsn=OPTIME - 50 * MB)
    t.wait("node2: catches up  ░░░░░░░░░░░░░░░░░░░░ 0 %, 50.0 MB to replay")
    at = len(t.text)
    world.show("node2", replay_lsn=OPTIME)
    t.wait("\033[J", since=at)
    os.write(t.master, b"q")
    t.end(0)
    assert "catches up" not in t.text[at:]


def test_a_hand_over_that_takes_long_is_watched(world, terminal):
    fit(world, node0={"pgha": {"name": "handover-stop", "why": "stopping so that it can receive",
                               "job": {"name": "stop", "for_ms": 12345}}})
    t = terminal("watch")
    t.wait("node0: ████████░░░░░░░░░░░░ step 3 of 6, stopping so that it can receive; stop, 12 s")
