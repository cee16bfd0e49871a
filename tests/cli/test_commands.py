# SPDX-License-Identifier: PostgreSQL
"""Commands that members carry out."""

import json
import os
import re
import subprocess
import time

import pytest

from conftest import program

TABLE = "+ Cluster: "


def body(member, method, path):
    found = [r[2] for r in member.requests if r[:2] == (method, path)]
    assert found, member.requests
    return found[-1]


# switchover and failover

def test_switchover_goes_to_the_leader(world):
    leader = world.members["node0"]
    leader.answers["POST", "/switchover"] = (200, 'Successfully switched over to "node1"')
    done = world.hactl("switchover", "--candidate", "node1", "--force")
    assert body(leader, "POST", "/switchover") == {"candidate": "node1", "leader": "node0"}
    lines = done.stdout.splitlines()
    assert lines[0] == "Current cluster topology"
    assert done.stdout.count(TABLE) == 2
    assert re.search(r'^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{5} Successfully switched over to '
                     r'"node1"$', done.stdout, re.M)


def test_switchover_asks(world):
    leader = world.members["node0"]
    leader.answers["POST", "/switchover"] = (202, "Switchover scheduled")
    done = world.hactl("switchover", stdin="\nnode2\n2030-01-01T10:00+02:00\ny\n")
    assert body(leader, "POST", "/switchover") == {
        "candidate": "node2", "leader": "node0", "scheduled_at": "2030-01-01T10:00:00+02:00"}
    for text in ("Primary [node0]: ", "Candidate ['node1', 'node2'] []: ",
                 "When should the switchover take place (e.g. ", " )  [now]: ",
                 "Are you sure you want to schedule switchover of cluster %s at "
                 "2030-01-01T10:00:00+02:00, demoting current leader node0? [y/N]: " % world.scope):
        assert text in done.stdout


def test_switchover_is_refused_by_the_operator(world):
    done = world.hactl("switchover", stdin="\n\n\nn\n", code=1)
    assert done.stderr == "Error: Aborting switchover\n"
    assert ("Are you sure you want to switchover cluster %s, demoting current leader node0? "
            "[y/N]: " % world.scope) in done.stdout
    done = world.hactl("switchover", stdin="\nnode1", code=1)
    assert done.stderr == "Aborted!\n"
    assert not world.members["node0"].requests


def test_switchover_checks_what_it_is_told(world):
    def error(*args, **more):
        return world.hactl(*args, "--force", code=1, **more).stderr

    c = world.scope
    assert error("switchover", "--leader", "node1") == \
        "Error: Member node1 is not the leader of cluster %s\n" % c
    assert error("switchover", "--candidate", "node0") == \
        "Error: Member node0 is already the leader of cluster %s\n" % c
    assert error("switchover", "--candidate", "x") == \
        "Error: Member x does not exist in cluster %s or is tagged as nofailover\n" % c
    assert "Unable to parse scheduled timestamp (soon)" in error("switchover", "--scheduled", "soon")
    world.show("node1", tags={"nofailover": True})
    assert "is tagged as nofailover" in error("switchover", "--candidate", "node1")
    world.show("node2", tags={"failover_priority": 0})
    assert error("switchover") == "Error: No candidates found to switchover to\n"
    world.put("config", {**world.config, "pause": True})
    world.show("node1")
    assert error("switchover", "--scheduled", "2030-01-01T10:00Z") == \
        "Error: Can't schedule switchover in the paused state\n"
    world.put("leader", "")
    assert error("switchover") == "Error: This cluster has no leader\n"


def test_switchover_failure_shows_code_and_body(world):
    answers = world.members["node0"].answers
    answers["POST", "/switchover"] = (412, "candidate name does not match with sync_standby")
    done = world.hactl("switchover", "--force")
    assert done.stdout.endswith("Switchover failed, details: 412, candidate name does not match "
                                "with sync_standby\n")
    answers["POST", "/switchover"] = (503, "Switchover status unknown after 20 seconds; operation "
                                           "may still be in progress")
    assert "Switchover result unknown, details: 503, " in world.hactl("switchover", "--force").stdout


def test_switchover_falls_back_to_etcd(world):
    world.members["node0"].stop()
    done = world.hactl("switchover", "--candidate", "node1", "--scheduled",
                       "2030-01-01T10:00:00+00:00", "--force")
    assert re.search(r"^\d{4}-.* Could not switchover using Patroni api, falling back to DCS$",
                     done.stdout, re.M)
    request = world.get("failover")
    assert request["leader"] == "node0" and request["member"] == "node1"
    assert request["scheduled_at"].startswith("2030-01-01T10:00:00")
    footer = world.hactl("list").stdout.splitlines()[-3:]
    assert footer[0].startswith(" Switchover scheduled at: 2030-01-01T10:00:00")
    assert footer[1:] == ["                    from: node0", "                      to: node1"]


def test_failover_needs_a_candidate(world):
    assert world.hactl("failover", "--force", code=1).stderr == \
        "Error: Failover could be performed only to a specific candidate\n"
    answers = world.members["node0"].answers
    answers["POST", "/failover"] = (200, 'Successfully failed over to "node2"')
    world.hactl("failover", "--candidate", "node2", "--force")
    assert body(world.members["node0"], "POST", "/failover") == {"candidate": "node2"}


def test_failover_without_a_leader_goes_to_the_candidate(world):
    world.put("leader", "")
    candidate = world.members["node2"]
    candidate.answers["POST", "/failover"] = (200, 'Successfully failed over to "node2"')
    done = world.hactl("failover", "--candidate", "node2", stdin="y\n")
    assert "Are you sure you want to failover cluster %s? [y/N]: " % world.scope in done.stdout
    assert body(candidate, "POST", "/failover") == {"candidate": "node2"}


def test_failover_to_an_asynchronous_node_is_asked_for(world):
    world.put("config", {**world.config, "synchronous_mode": True})
    world.put("sync", {"leader": "node0", "quorum": 0, "sync_standby": "node1"})
    question = "Are you sure you want to failover to the asynchronous node node2? [y/N]: "
    done = world.hactl("failover", "--candidate", "node2", stdin="n\n", code=1)
    assert question in done.stdout and done.stderr == "Error: Aborting failover\n"
    done = world.hactl("failover", "--candidate", "node1", stdin="n\n", code=1)
    assert question not in done.stdout


# pause and resume

def test_pause_and_resume(world):
    leader = world.members["node0"]
    leader.answers["PATCH", "/config"] = (200, {})
    assert world.hactl("pause").stdout == "Success: cluster management is paused\n"
    assert body(leader, "PATCH", "/config") == {"pause": True}
    assert world.hactl("resume", code=1).stderr == "Error: Cluster is not paused\n"
    world.put("config", {**world.config, "pause": True})
    assert world.hactl("pause", code=1).stderr == "Error: Cluster is already paused\n"
    assert world.hactl("resume").stdout == "Success: cluster management is resumed\n"
    assert body(leader, "PATCH", "/config") == {"pause": None}


def test_pause_goes_to_whoever_answers(world):
    world.members["node0"].stop()
    world.members["node1"].answers["PATCH", "/config"] = (200, {})
    done = world.hactl("pause")
    assert "Member node0 is not accessible" in done.stderr
    assert done.stdout == "Success: cluster management is paused\n"
    for m in world.members.values():
        m.stop()
    assert "Error: Can not find accessible cluster member" in world.hactl("pause", code=1).stderr


def test_pause_waits_for_all(world):
    def patched():
        for name in world.members:
            world.show(name, pause=True)
        return {}

    world.members["node0"].answers["PATCH", "/config"] = (200, patched)
    assert world.hactl("pause", "--wait").stdout == (
        "'pause' request sent, waiting until it is recognized by all nodes\n"
        "Success: cluster management is paused\n")


def test_pause_names_laggards(world):
    def patched():
        world.show("node0", pause=True)
        world.show("node1", pause=True)
        world.show("node2")
        return {}

    world.members["node0"].answers["PATCH", "/config"] = (200, patched)
    assert "node2 members didn't recognized pause state after 1 seconds" in \
        world.hactl("pause", "--wait").stdout


def test_pause_failure_shows_code_and_body(world):
    world.members["node0"].answers["PATCH", "/config"] = (409, "conflict")
    assert world.hactl("pause").stdout == \
        "Failed: pause cluster management status code=409, (conflict)\n"


# restart

def test_restart(world):
    a, b, c = world.members.values()
    a.answers["POST", "/restart"] = (200, "restarted successfully")
    b.answers["POST", "/restart"] = (202, "Restart scheduled")
    c.answers["POST", "/restart"] = (503, "postgres is still starting")
    done = world.hactl("restart", world.scope, "--force")
    assert done.stdout.startswith(TABLE)
    assert done.stdout.splitlines()[-3:] == [
        "Success: restart on member node0", "Success: restart scheduled on member node1",
        "Failed: restart for member node2, status code=503, (postgres is still starting)"]
    assert body(a, "POST", "/restart") == {}


def test_restart_asks(world):
    member = world.members["node1"]
    member.answers["POST", "/restart"] = (409, "Another restart is already scheduled")
    done = world.hactl("restart", world.scope, "node1", stdin="2030-01-01T10:00:00Z\ny\n16.1\n")
    assert body(member, "POST", "/restart") == {"postgres_version": "16.1",
                                                "schedule": "2030-01-01T10:00:00+00:00"}
    for text in ("When should the restart take place (e.g. ", ")  [now]: ",
                 "Are you sure you want to schedule restart of members node1 at "
                 "2030-01-01T10:00:00+00:00? [y/N]: ",
                 "Restart if the PostgreSQL version is less than provided (e.g. 9.5.2)  []: ",
                 "Failed: another restart is already scheduled on member node1\n"):
        assert text in done.stdout
    done = world.hactl("restart", world.scope, stdin="\nn\n", code=1)
    assert "Are you sure you want to restart members node0, node1, node2? [y/N]: " in done.stdout
    assert done.stderr == "Error: Aborted restart\n"
    done = world.hactl("restart", world.scope, stdin="2030-01-01\nn\n", code=1)
    assert done.stderr == "Error: Aborted scheduled restart\n"


def test_restart_of_some(world):
    for name, m in world.members.items():
        m.answers["POST", "/restart"] = (200, "restarted successfully")
    done = world.hactl("restart", world.scope, "-r", "replica", "--force", "--timeout", "5min",
                       "--pg-version", "16.1")
    assert "node0" not in done.stdout.split("Success", 1)[1]
    assert body(world.members["node1"], "POST", "/restart") == {"postgres_version": "16.1",
                                                                "timeout": "5min"}
    done = world.hactl("restart", world.scope, "--any", "--force")
    assert done.stdout.count("Success: restart on member") == 1
    world.show("node2", pending_restart=True)
    done = world.hactl("restart", world.scope, "--pending", "--force")
    assert done.stdout.count("Success") == 1 and "on member node2" in done.stdout
    assert body(world.members["node2"], "POST", "/restart") == {"restart_pending": True}


def test_nobody_left_to_restart_is_no_question(world):
    done = world.hactl("restart", world.scope, "--pending", stdin="\n")
    assert done.stdout.endswith("No member has a pending restart\n") and "[y/N]" not in done.stdout


def test_restart_refuses(world):
    def error(*args):
        return world.hactl("restart", world.scope, *args, "--force", code=1).stderr

    assert error("node1", "-r", "leader") == "Error: No leader among provided members\n"
    assert error("node1", "nobody") == "Error: nobody is not a member of cluster\n"
    for version in ("new", "16.x", "16."):
        assert error("--pg-version", version) == \
            "Error: Invalid PostgreSQL version: %s\n" % version
    for version in ("16", "9.6", "9.6.1.2"):
        assert error("--pg-version", version) == \
            "Error: Invalid PostgreSQL version format: X.Y or X.Y.Z is accepted: %s\n" % version
    world.put("config", {**world.config, "pause": True})
    assert error("--scheduled", "2030-01-01") == \
        "Error: Can't schedule restart in the paused state\n"
    assert "doesn't have any members" in world.hactl("restart", "nosuch", "--force", code=1).stderr
    assert not any(m.requests for m in world.members.values())


def test_restart_by_force_replaces_a_scheduled_one(world):
    member = world.members["node1"]
    member.answers.update({("DELETE", "/restart"): (200, "scheduled restart deleted"),
                           ("POST", "/restart"): (202, "Restart scheduled")})
    world.show("node1", scheduled_restart={"schedule": "2029-01-01T10:00:00+00:00"})
    world.hactl("restart", world.scope, "node1", "--scheduled", "2030-01-01T10:00Z", "--force")
    assert [r[0] for r in member.requests] == ["DELETE", "POST"]


# reload, reinit, flush

def test_reload(world):
    a, b, c = world.members.values()
    a.answers["POST", "/reload"] = (202, "reload scheduled")
    b.answers["POST", "/reload"] = (200, "")
    c.stop()
    done = world.hactl("reload", world.scope, stdin="y\n", code=1)
    assert "Are you sure you want to reload members node0, node1, node2? [y/N]: " in done.stdout
    assert ("Reload request received for member node0 and will be processed within 1 seconds\n"
            "No changes to apply on member node1\n"
            "Failed: reload for member node2, POST http://127.0.0.1:") in done.stdout


def test_reinit_and_wait(world):
    member = world.members["node1"]
    member.answers["POST", "/reinitialize"] = (200, "reinitialize started")
    member.answers["GET", "/patroni"] = [(200, {"state": "creating replica"}),
                                         (200, {"state": "running"})]
    began = time.monotonic()
    done = world.hactl("reinit", world.scope, "node1", "--wait", "--from-leader", stdin="y\n")
    assert time.monotonic() - began >= 4, "a look every two seconds"
    assert body(member, "POST", "/reinitialize") == {"force": False, "from_leader": True}
    assert "Are you sure you want to reinitialize members node1? [y/N]: " in done.stdout
    assert done.stdout.endswith("Success: reinitialize for member node1\n"
                                "Waiting for reinitialize to complete on: node1\n"
                                "Reinitialize is completed on: node1\n")


def test_reinit_cancels_what_runs_when_told_to(world):
    member = world.members["node1"]
    member.answers["POST", "/reinitialize"] = [(503, "restart already in progress"),
                                               (200, "reinitialize started")]
    done = world.hactl("reinit", world.scope, "node1", stdin="y\ny\n")
    assert ("Failed: reinitialize for member node1, status code=503, (restart already in "
            "progress)\n") in done.stdout
    assert "Do you want to cancel it and reinitialize anyway? [y/N]: " in done.stdout
    assert [r[2]["force"] for r in member.requests] == [False, True]


def test_reinit_asks_which_member(world):
    done = world.hactl("reinit", world.scope, "--force")
    assert done.stdout.startswith(TABLE) and "Success" not in done.stdout
    world.members["node2"].answers["POST", "/reinitialize"] = (200, "reinitialize started")
    done = world.hactl("reinit", world.scope, stdin="node2\ny\n")
    assert "Which member do you want to reinitialize [node1, node2]? []: " in done.stdout
    assert "Success: reinitialize for member node2" in done.stdout
    assert world.hactl("reinit", world.scope, "node0", "--force", code=1).stderr == \
        "Error: No replica among provided members\n"


def test_flush_restart(world):
    world.show("node1", scheduled_restart={"schedule": "2030-01-01T10:00:00+00:00"})
    world.members["node1"].answers["DELETE", "/restart"] = (200, "scheduled restart deleted")
    done = world.hactl("flush", world.scope, "node1", "node2", "restart", "--force")
    assert done.stdout.endswith("Success: flush scheduled restart for member node1\n"
                                "No scheduled restart for member node2\n")


def test_flush_switchover(world):
    assert world.hactl("flush", world.scope, "switchover").stdout == \
        "No pending scheduled switchover\n"
    world.put("failover", {"leader": "node0", "scheduled_at": "2030-01-01T10:00:00+00:00"})
    world.members["node0"].answers["DELETE", "/switchover"] = (200, "scheduled switchover deleted")
    assert world.hactl("flush", world.scope, "switchover").stdout == \
        "Success: scheduled switchover deleted\n"
    for m in world.members.values():
        m.stop()
    done = world.hactl("flush", world.scope, "switchover")
    assert "Could not find any accessible member of cluster" in done.stdout
    assert world.get("failover") == {}


# version and explain

STATUS = {"state": "running", "role": "primary", "server_version": 150020, "timeline": 3,
          "patroni": {"version": "4.1.4"},
          "pgha": {"version": "0.1.0", "rule": 310, "name": "keep-leading", "why": "lease is held",
                   "situation": "leader=me lease=held", "since": "2026-01-01T00:00:00+00:00",
                   "leader": True, "writable": True, "lease_epoch": 77, "lease_remaining_ms": 2345,
                   "note": "came back through pg_rewind",
                   "explain": {"votes": [{"name": "node1", "lag": 0}], "note": "", "ranks": []}}}


def test_version(world):
    a, b, c = world.members.values()
    a.answers["GET", "/patroni"] = (200, STATUS)
    b.answers["GET", "/patroni"] = (200, {"patroni": {"version": "3.0.2"}, "server_version": 90624})
    c.stop()
    lines = world.hactl("version", world.scope).stdout.splitlines()
    assert re.match(r"hactl version \S+ \(patronictl version 4\.1\.4\)$", lines[0])
    assert lines[1:4] == ["", "node0: Patroni 4.1.4 PostgreSQL 15.20, pgha 0.1.0",
                          "node1: Patroni 3.0.2 PostgreSQL 9.6.24"]
    assert lines[4].startswith("node2: failed to get version: ")
    assert len(world.hactl("version").stdout.splitlines()) == 1


def test_explain(world):
    a, b, c = world.members.values()
    a.answers["GET", "/patroni"] = (200, STATUS)
    b.answers["GET", "/patroni"] = (200, {"role": "replica", "state": "running",
                                          "patroni": {"version": "4.1.4"}})
    c.stop()
    text = world.hactl("explain", code=1).stdout
    assert text.startswith("node0: primary, running, timeline 3\n"
                           "  rule       310 keep-leading\n"
                           "  why        lease is held\n"
                           "  since      2026-01-01 00:00:00, ")
    assert "  lease      epoch 77, proven for another 2.345 s, writable\n" in text
    assert "  situation  leader=me lease=held\n" in text
    assert "  note       came back through pg_rewind\n" in text
    assert "  details\n    votes:\n    - lag: 0\n      name: node1\n" in text
    assert "node1: replica, running\n  Patroni 4.1.4 gives no explanation\n" in text
    assert "node2: does not answer: " in text
    shown = json.loads(world.hactl("explain", "node0", "--json").stdout)
    assert shown == [{"name": "node0", "role": "primary", "state": "running", "timeline": 3,
                      "pgha": STATUS["pgha"]}]
    assert "nobody is not a member" in world.hactl("explain", "nobody", code=1).stderr


@pytest.mark.parametrize("args", [["show-config"], ["list", "--json"], ["completion", "bash"], ["--help"],
                                  ["list", "--help"], ["--version"]], ids=" ".join)
def test_a_full_disk_is_told(world, args):
    """A configuration that was saved onto a full disk must not pass for one that was saved."""
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([program(), "-d", "etcd3://127.0.0.1:%d" % world.etcd.port, *args],
                              stdout=full, stderr=subprocess.PIPE, text=True, timeout=20, check=False,
                              env=dict(os.environ, PATRONI_SCOPE=world.scope))
    assert done.returncode == 1
    assert done.stderr == "Error: what is printed could not be written whole\n"
