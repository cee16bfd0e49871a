# SPDX-License-Identifier: PostgreSQL
"""--dry-run says what would be done and changes nothing: etcd's revision stays, and members are only
asked."""

import json

import pytest


def fit(world, **more):
    for i, member in enumerate(world.members.values()):
        status = {"state": "running", "role": "replica" if i else "primary", "timeline": 1,
                  "server_version": 150020, "xlog": {"location": 1000} if i == 0 else
                  {"received_location": 1000 - i, "replayed_location": 10}}
        if i:
            status["replication_state"] = "streaming"
        status.update(more.get(member.name, {}))
        member.answers["GET", "/patroni"] = (200, status)
        member.answers["GET", "/config"] = (200, {})


def revision(world):
    return int(world.etcd.call("/kv/range", key="/up")["header"]["revision"])


def dry(world, *args, code=0):
    before = revision(world)
    done = world.hactl(*args, "--dry-run", code=code)
    assert revision(world) == before
    for member in world.members.values():
        assert {r[0] for r in member.requests} <= {"GET"}, (args, member.requests)
    assert "[y/N]" not in done.stdout and "]: " not in done.stdout
    return done.stdout


COMMANDS = [
    ("switchover",), ("switchover", "--candidate", "node2"), ("failover", "--candidate", "node1"),
    ("switchover", "--scheduled", "2099-01-01T10:00"), ("pause",), ("restart", "CLUSTER"),
    ("restart", "CLUSTER", "node1", "--scheduled", "2099-01-01T10:00"), ("reload", "CLUSTER"),
    ("reinit", "CLUSTER", "node1"), ("reinit", "CLUSTER"), ("flush", "CLUSTER", "switchover"),
    ("flush", "CLUSTER", "restart"), ("edit-config", "-s", "ttl=33"), ("remove", "CLUSTER"),
    ("dcs", "accept"), ("demote-cluster", "--host", "h"),
]


@pytest.mark.parametrize("args", COMMANDS, ids=" ".join)
def test_nothing_is_changed(world, args):
    fit(world)
    args = [world.scope if a == "CLUSTER" else a for a in args]
    out = dry(world, *args)
    assert "Would" in out or "No " in out, out
    done = json.loads(world.hactl(*args, "--dry-run", "--json").stdout)
    assert done["dry_run"] is True and done["results"], done


# What only looks. A new command is in here, or can be tried without doing anything.
READERS = {"list", "topology", "watch", "history", "show-config", "explain", "doctor", "why", "dsn",
           "query", "migrate", "version", "completion"}
# What is no document: a script for a shell, and configurations of other programs.
NO_JSON = {"completion"}


def commands(world):
    text = world.hactl("--help").stdout.split("Commands:")[1].split("\n\n")[0]
    found = [line.split()[0] for line in text.splitlines() if line.startswith("  ")]
    assert len(found) > 25
    return found


def test_every_command_only_looks_or_can_be_tried(world):
    tried = {args[0] for args in COMMANDS} | {"resume", "promote-cluster", "proxy-config", "drill"}
    for command in commands(world):
        text = world.hactl(command, "--help").stdout
        assert "--json " in text, command
        assert ("--dry-run " in text) != (command in READERS), command
        assert (command in tried) != (command in READERS), command


def test_every_command_gives_json(world):
    fit(world)
    words = {args[0]: [*args, "--dry-run"] for args in COMMANDS}
    words.update({"resume": ["resume", "--dry-run"], "promote-cluster": ["promote-cluster", "--dry-run"],
                  "drill": ["drill", "--window", "now", "--dry-run"], "migrate": ["migrate", "check"],
                  "watch": ["watch", "--count", "1"], "query": ["query", "-c", "select 1"],
                  "proxy-config": ["proxy-config", "haproxy"], "version": ["version", "CLUSTER"]})
    for command in set(commands(world)) - NO_JSON:
        args = [world.scope if a == "CLUSTER" else a for a in words.get(command, [command])]
        done = world.hactl(*args, "--json", code=None)
        assert "Traceback" not in done.stderr
        json.loads(done.stdout)


def test_what_would_refuse_a_switchover(world):
    fit(world, node1={"state": "stopped"}, node2={"replication_state": "in archive recovery"})
    out = dry(world, "switchover", "--candidate", "node1", code=1)
    assert "Would be refused: member node1: its PostgreSQL is 'stopped'" in out
    assert '/switchover {"candidate": "node1", "leader": "node0"}' in out
    out = dry(world, "switchover", code=1)
    assert "no good candidates" in out and "Member node2: it does not stream" in out
    fit(world, node2={"xlog": {"received_location": 5}, "timeline": 1})
    world.members["node0"].answers["GET", "/patroni"][1]["xlog"] = {"location": 10 ** 9}
    assert "more than maximum_lag_on_failover" in dry(world, "switchover", "--candidate", "node2",
                                                      code=1)
    world.members["node2"].stop()
    assert "it does not answer" in dry(world, "switchover", "--candidate", "node2", code=1)


def test_a_time_in_the_past_would_be_refused(world):
    fit(world)
    out = dry(world, "switchover", "--scheduled", "2020-01-01T10:00Z", code=1)
    assert "Would be refused: Cannot schedule switchover in the past" in out
    out = dry(world, "restart", world.scope, "node1", "--scheduled", "2020-01-01T10:00Z", code=1)
    assert "Would be refused: Cannot schedule restart in the past" in out
    dry(world, "switchover", "--scheduled", "2099-01-01T10:00Z")
    for timeout in ("soon", "0", "-1", "100ms"):
        out = dry(world, "restart", world.scope, "node1", "--timeout", timeout, code=1)
        assert "Timeout should be a positive number of seconds" in out
    dry(world, "restart", world.scope, "node1", "--timeout", "1min")


def test_how_members_are_now_refuses_nothing_for_later(world):
    """Members take a schedule without a look at each other: they are judged when its time has come."""
    later = ("switchover", "--scheduled", "2099-01-01T10:00Z")
    fit(world, node0={"state": "starting"}, node1={"state": "stopped"},
        node2={"replication_state": "in archive recovery"})
    out = dry(world, *later, "--candidate", "node1")
    assert "Mind: member node1: its PostgreSQL is 'stopped'" in out and "refused" not in out
    out = dry(world, *later)
    assert "Mind: no good candidates, see below" in out and "refused" not in out


def test_what_would_be_written(world):
    fit(world)
    out = dry(world, "edit-config", "-s", "ttl=33")
    assert "-ttl: 20\n+ttl: 33" in out and '"ttl":33' in out
    out = dry(world, "remove", world.scope)
    assert world.key("leader") in out and "Nothing was changed." in out
    assert "node1 is 1 bytes behind" in dry(world, "switchover", "--candidate", "node1")
    out = dry(world, "pause")
    assert 'PATCH %s/config {"pause": true}' % world.members["node0"].url in out
    assert world.hactl("resume", "--dry-run", code=1).stderr == "Error: Cluster is not paused\n"


def test_proxy_config_writes_no_file(world, tmp_path):
    path = tmp_path / "haproxy.cfg"
    out = dry(world, "proxy-config", "haproxy", "-o", str(path), "--reload", "touch %s" % path)
    assert "Would write this to %s" % path in out and not path.exists()


def test_json_asks_nothing(world):
    fit(world)
    leader = world.members["node0"]
    leader.answers["POST", "/switchover"] = (200, "Switched")
    done = world.hactl("switchover", "--json", code=1)
    assert "--force" in json.loads(done.stdout)["error"] and "--force" in done.stderr
    done = world.hactl("switchover", "--json", "--force")
    assert json.loads(done.stdout) == {
        "results": [{"outcome": "done", "code": 200, "text": "Switched"}]}
    for name in ("node1", "node2"):
        world.members[name].answers["POST", "/reload"] = (202, "later")
    world.members["node0"].stop()
    results = json.loads(world.hactl("reload", world.scope, "--json", "--force", code=1).stdout)
    assert [r["outcome"] for r in results["results"]] == ["no answer", "done", "done"]


def test_doing_nothing_is_a_document_too(world, tmp_path):
    fit(world)
    done = json.loads(world.hactl("edit-config", "-q", "-s", "ttl=20", "--force", "--json").stdout)
    assert done["results"][0]["text"] == "Not changed"
    done = json.loads(world.hactl("reinit", world.scope, "--force", "--json").stdout)
    assert done["results"][0]["outcome"] == "nothing to do"
    path = tmp_path / "haproxy.cfg"
    done = json.loads(world.hactl("proxy-config", "haproxy", "-o", str(path), "--json").stdout)
    assert done["results"][0]["text"] == "%s is written" % path and path.exists()
    done = world.hactl("proxy-config", "haproxy", "-o", str(path), "--reload", "exit 3", "--json", code=1)
    assert json.loads(done.stdout)["results"][0]["outcome"] == "refused"
    done = json.loads(world.hactl("proxy-config", "haproxy", "--dry-run", "--json").stdout)
    assert done["dry_run"] and "listen primary" in done["results"][0]["text"]


@pytest.mark.parametrize("args", [["why", "--recorder", "node0"],
                                  ["proxy-config", "nginx", "-o", "x", "--watch"]], ids=" ".join)
def test_what_is_no_document_is_refused(world, args):
    done = world.hactl(*args, "--json", code=1)
    assert "not with --json" in json.loads(done.stdout)["error"]


@pytest.mark.parametrize("args", [["list"], ["topology"], ["history"], ["show-config"], ["dsn"],
                                  ["dsn", "--all"], ["version"], ["version", "CLUSTER"],
                                  ["explain"], ["proxy-config", "haproxy"]], ids=" ".join)
def test_json_is_one_document(world, args):
    fit(world)
    args = [world.scope if a == "CLUSTER" else a for a in args]
    assert json.loads(world.hactl(*args, "--json").stdout) is not None
