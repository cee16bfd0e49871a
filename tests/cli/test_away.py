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


@pytest.mark.parametrize("code, told", [(401, "ctl.authentication with username and password"),
                                        (403, "restapi.allowlist must have the address")])
def test_members_that_take_no_commands_from_here(world, code, told):
    fit(world)
    for member in world.members.values():
        for request in (("POST", "/reload"), ("POST", "/restart"), ("POST", "/reinitialize"),
                        ("POST", "/switchover"), ("POST", "/failover"), ("PATCH", "/config"),
                        ("DELETE", "/restart"), ("DELETE", "/switchover"), ("POST", "/dcs-accept")):
            member.answers[request] = (code, "no")
    world.show("node1", scheduled_restart={"schedule": "2030-01-01T10:00:00+00:00"})
    world.put("failover", {"leader": "node0", "scheduled_at": "2030-01-01T10:00:00+00:00"})
    before = revision(world)
    for words in (["reload", "C", "--force"], ["restart", "C", "node2", "--force"],
                  ["reinit", "C", "node1", "--force"], ["switchover", "--force"],
                  ["failover", "--candidate", "node1", "--force"], ["pause"],
                  ["flush", "C", "node1", "restart", "--force"]):
        done = world.hactl(*words_of(world, words), code=None)
        assert told in done.stderr, (words, done)
        assert str(code) in done.stdout + done.stderr, (words, done)
        assert done.returncode in (0, 1), (words, done)
    assert revision(world) == before
    # As patronictl: whoever may write into etcd need not be let in by a member.
    done = world.hactl("flush", world.scope, "switchover")
    assert told in done.stderr and world.get("failover") == {}


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


def test_an_etcd_is_not_called_accepted_where_nobody_was_asked(world):
    fit(world, node1={"pgha": {"store": "regressed", "store_why": "it has seen revision 900"}})
    world.members["node1"].answers["POST", "/dcs-accept"] = (200, "accepted")
    assert "Success: accept for member node1" in world.hactl("dcs", "accept", "--force").stdout
    world.members["node2"].stop()
    done = world.hactl("dcs", "accept", "--force", code=1)
    assert "Success: accept for member node1" in done.stdout
    assert "1 of 3 members did not answer: run this again when they do" in done.stdout
    fit(world)
    done = world.hactl("dcs", "accept", "--force", code=1)
    assert "No member that answers waits for etcd to be accepted." in done.stdout
    world.members["node0"].stop()
    world.members["node1"].stop()
    done = world.hactl("dcs", "accept", "--force", code=1)
    assert "Error: no member answers: whether one waits for etcd to be accepted" in done.stderr
    told = json.loads(world.hactl("dcs", "accept", "--force", "--json", code=1).stdout)
    assert "no member answers" in told["error"]
    for name in world.members:
        world.etcd.call("/kv/deleterange", key=world.key("members/" + name))
    assert "etcd lists no member" in world.hactl("dcs", "accept", "--force", code=1).stderr


def test_a_move_is_not_called_possible_where_nobody_was_asked(world):
    fit(world)
    world.config["ttl"] = 30
    world.put("config", world.config)
    done = world.hactl("migrate", "check")
    assert done.stdout.endswith("Nothing stands in the way of moving member by member.\n")
    world.members["node2"].stop()
    done = world.hactl("migrate", "check", code=1)
    assert "1 of 3 members could not be asked" in done.stdout
    assert "Nothing stands in the way" not in done.stdout
    rows = json.loads(world.hactl("migrate", "check", "--json", code=1).stdout)
    assert [r["Key"] for r in rows if "does not answer" in r.get("Why", "")] == ["members/node2"]
    # What does stand in the way is told first.
    world.put("leader", "")
    world.hactl("migrate", "check", code=3)


@pytest.mark.skipif(os.getuid() != 0, reason="an /etc of its own needs root")
def test_hactls_file_comes_before_that_of_the_daemon(world, tmp_path):
    """Of /etc/pgha, where nothing else names a configuration."""
    def listed(*files):
        for name in ("hactl.yml", "pgha.yml"):
            (tmp_path / name).unlink(missing_ok=True)
        for name, scope in files:
            (tmp_path / name).write_text("scope: %s\netcd3: {hosts: 127.0.0.1:%d}\n" % (
                scope, world.etcd.port))
        script = "mount -t tmpfs none /etc && cp -r %s /etc/pgha && exec %s list" % (
            tmp_path, program())
        return subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True,
                              check=False, timeout=30, env={"PATH": os.environ["PATH"], "TZ": "UTC",
                                                            "HOME": "/nonexistent"})

    assert "+ Cluster: %s (" % world.scope in listed(("hactl.yml", world.scope),
                                                     ("pgha.yml", "other")).stdout
    assert "+ Cluster: %s (" % world.scope in listed(("pgha.yml", world.scope)).stdout
    done = listed()
    assert done.returncode == 1 and "no configuration found: name its file with -c" in done.stderr
