# SPDX-License-Identifier: PostgreSQL
"""What is away, named wrongly, not permitted or interrupted: a clear message, a sane exit code, and
nothing half done. Every command of the table is tried."""

import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import time

import pytest

from conftest import free_port, program
from test_dryrun import fit, revision

# Of each command one that needs a cluster, and its exit code when there is none to be seen.
COMMANDS = {
    ("list",): 1, ("topology",): 1, ("switchover", "--force"): 1,
    ("failover", "--candidate", "node1", "--force"): 1, ("restart", "C", "--force"): 1,
    ("reload", "C", "--force"): 1, ("reinit", "C", "node1", "--force"): 1,
    ("flush", "C", "restart", "--force"): 1, ("flush", "C", "switchover", "--force"): 1,
    ("pause",): 1, ("resume",): 1, ("history",): 1, ("history", "-v"): 1, ("show-config",): 1,
    ("edit-config", "-s", "ttl=9", "--force"): 1, ("explain",): 1, ("explain", "--if", "n1 gone"): 1,
    ("doctor",): 3, ("why",): 1, ("drill", "--window", "now", "--force"): 1, ("dsn",): 1,
    ("query", "-c", "select 1"): 1, ("demote-cluster", "--host", "h", "--force"): 1,
    ("promote-cluster", "--force"): 1, ("remove", "C"): 1, ("dcs", "accept", "--force"): 1,
    ("migrate", "check"): 1, ("proxy-config", "haproxy"): 1, ("version", "C"): 1,
    ("watch", "--count", "1"): 0,  # it goes on while etcd is away, and says so
}
ALONE = {"completion"}


def words_of(world, command):
    return [world.scope if word == "C" else word for word in command]


def test_every_command_is_tried(world):
    commands = {line.split()[0] for line in
                world.hactl("--help").stdout.split("Commands:")[1].split("\n\n")[0].splitlines()
                if line.startswith("  ") and line.strip()}
    assert commands == {command[0] for command in COMMANDS} | ALONE


def run_all(world, options):
    """All at once, for each waits for the same seconds."""
    def run(command):
        words = words_of(world, command)
        return command, world.hactl(*words, options=options, code=COMMANDS[command])

    with concurrent.futures.ThreadPoolExecutor(len(COMMANDS)) as pool:
        return list(pool.map(run, COMMANDS))


def test_etcd_away(world):
    port = free_port()
    for command, done in run_all(world, ["-d", "etcd3://127.0.0.1:%d" % port]):
        told = done.stdout if command[0] == "watch" else done.stderr
        assert "cannot reach etcd at http://127.0.0.1:%d: " % port in told, (command, done)
        assert "start etcd or give its address with -d" in told, (command, done)
        assert len(done.stderr.splitlines()) <= 1, (command, done)


def test_etcd_away_told_to_a_program(world):
    options = ["-d", "etcd3://127.0.0.1:%d" % free_port()]
    done = world.hactl("edit-config", "-s", "ttl=9", "--force", "--json", options=options, code=1)
    assert "cannot reach etcd" in json.loads(done.stdout)["error"]


def test_a_name_that_etcd_does_not_know(world):
    before = revision(world)
    for command in COMMANDS:
        if command[0] in ("edit-config", "watch"):
            continue
        words = ["nosuch" if word == "C" else word for word in command]
        done = world.hactl(*words, env={"PATRONI_SCOPE": "nosuch"}, code=None)
        assert "etcd knows no cluster nosuch; it knows: " in done.stderr, (command, done)
        assert world.scope in done.stderr, (command, done)
        assert done.returncode in (0, 1, 3), (command, done)
    assert revision(world) == before and world.etcd.keys("/service/nosuch/") == []
    # A first configuration may be written before the cluster is made: it is said all the same.
    done = world.hactl("edit-config", "nosuch2", "-s", "ttl=9", "--dry-run")
    assert "etcd knows no cluster nosuch2" in done.stderr


def test_members_that_are_dead(world):
    fit(world)
    for member in world.members.values():
        member.stop()
    leader = world.members["node0"]
    for words in (["restart"], ["reload"], ["reinit", "C", "node1"]):
        words = [*words[:1], world.scope, *words[2:]]
        done = world.hactl(*words, "--force", code=1)
        assert "Failed" in done.stdout or "does not answer" in done.stdout, done
        assert "Failed to connect to 127.0.0.1 port" in done.stdout + done.stderr, done
    done = world.hactl("pause", code=1)
    assert done.stderr.count("is not accessible: PATCH http://127.0.0.1:") == 3
    assert "Error: Can not find accessible cluster member" in done.stderr
    done = world.hactl("explain", code=1)
    assert done.stdout.count("does not answer") >= 3, done
    assert "critical: node0: does not answer" in world.hactl("doctor", code=2).stdout
    assert "node0" in world.hactl("drill", "--window", "now", "--force", code=3).stdout
    # What only needs etcd works.
    for words in (["list"], ["dsn"], ["show-config"], ["history"], ["proxy-config", "haproxy"]):
        assert world.hactl(*words).stdout
    # As patronictl, the switchover is written into etcd then.
    done = world.hactl("switchover", "--force")
    assert "Could not switchover using" in done.stdout
    assert "POST %s/switchover" % leader.url in done.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="a file that one may not read needs another user")
def test_a_configuration_that_may_not_be_read(world, tmp_path):
    path = tmp_path / "secret.yml"
    path.write_text("scope: x\n")
    path.chmod(0o600)
    for up in [tmp_path, *tmp_path.parents][:3]:
        up.chmod(0o755)
    tool = shutil.copy(program(), tmp_path / "hactl")
    for words in (["list"], ["doctor"], ["edit-config", "-s", "ttl=9", "--force"]):
        done = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                               tool, "-c", str(path), *words], capture_output=True, text=True,
                              check=False, timeout=30, cwd="/")
        assert done.returncode in (1, 3), (words, done)
        assert "%s not existing or no read rights" % path in done.stderr, (words, done)


def test_a_configuration_that_is_not_there_or_broken(world, tmp_path):
    done = world.hactl("list", options=["-c", "/nonexistent/x.yml"], code=1)
    assert "/nonexistent/x.yml not existing or no read rights. Check the -c" in done.stderr
    (tmp_path / "x.yml").write_text("scope: [\n")
    done = world.hactl("list", options=["-c", str(tmp_path / "x.yml")], code=1)
    assert str(tmp_path / "x.yml") in done.stderr and "line" in done.stderr


LONG = [
    (["pause", "--wait"], "waiting until it is recognized"),
    (["list", "-W"], "node2"),
    (["query", "-W", "-c", "select 1"], "No connection to role"),
    (["switchover"], "Primary [node0]:"),
    (["switchover", "--leader", "node0"], "Candidate ["),
    (["restart", "C"], "When should the restart take place"),
    (["reinit", "C"], "Which member do you want to reinitialize"),
    (["remove", "C"], "Please confirm the cluster name"),
    (["edit-config", "-s", "ttl=31"], "Apply these changes? [y/N]:"),
]


@pytest.mark.parametrize("words, seen", LONG, ids=[" ".join(words) for words, _ in LONG])
def test_an_interrupt(world, terminal, words, seen):
    fit(world)
    world.members["node0"].answers["PATCH", "/config"] = (200, {})
    before = world.get("config")
    t = terminal(*words_of(world, words), env={"PAGER": "cat", "EDITOR": "true"})
    t.wait(seen)
    asked = {m.name: list(m.requests) for m in world.members.values()}
    began = time.monotonic()
    t.process.send_signal(signal.SIGINT)
    code = t.process.wait(timeout=10)
    assert time.monotonic() - began < 3
    t.wait_quiet()
    assert code in (1, 130), (code, t.text)
    assert "Traceback" not in t.text
    if words[0] in ("switchover", "restart", "reinit", "remove", "edit-config"):
        assert "Aborted!" in t.text, t.text
        assert world.get("config") == before
    for member in world.members.values():
        late = member.requests[len(asked[member.name]):]
        assert not [r for r in late if r[0] != "GET"], late


def test_an_interrupt_of_a_configuration_that_is_kept_true(world, terminal, tmp_path):
    path = tmp_path / "haproxy.cfg"
    t = terminal("proxy-config", "haproxy", "-o", str(path), "--watch")
    deadline = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < deadline, t.text
        time.sleep(0.02)
    t.process.send_signal(signal.SIGINT)
    assert t.process.wait(timeout=5) in (0, 1, 130)
    assert "listen" in path.read_text() and os.listdir(tmp_path) == ["haproxy.cfg"]
