# SPDX-License-Identifier: PostgreSQL
"""An agent without a superuser, and where its passwords do not come to light"""

import base64
import json
import os
import re
import shutil
import signal
import tempfile
import threading

import pytest

from lib.cluster import CUT_OFF, PATIENCE
from lib.node import pg_bin
from lib.proc import run, wait_for

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROLES = os.path.join(TOP, "sql", "roles.sql")
ETCD_PASSWORD = "etcd secret"
PLANTED = {who: "Pl4nted-%s" % who for who in ("agent", "replication", "rewind", "key", "rest")}
READS = ("/patroni", "/cluster", "/config", "/history", "/metrics", "/openapi.json", "/failsafe",
         "/ready/db", "/health")


class ProcessLists:
    """What everybody on the host can see of other people's processes, all the time. Those that have
    said the same for a while are looked at more seldom, so that on a busy machine, too, no other
    comes and goes between two looks."""

    SAME, SELDOM = 20, 50

    def __init__(self):
        self.found = []
        self.seen = set()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._look)

    def _look(self):
        known, turn = {}, 0  # by pid: the line, and how often it was that
        while not self.over.wait(0.005):
            turn += 1
            pids = {pid for pid in os.listdir("/proc") if pid.isdigit()} - {str(os.getpid())}
            for pid in known.keys() - pids:
                del known[pid]
            for pid in pids:
                line, times = known.get(pid, ("", 0))
                if times < self.SAME or turn % self.SELDOM == 0:
                    self._look_at(pid, known, line, times)

    def _look_at(self, pid, known, before, times):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                line = f.read().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            return
        known[pid] = (line, times + 1 if line == before else 0)
        self.seen.add(os.path.basename(line.split(" ")[0]))
        self.found += [line for secret in PLANTED.values() if secret in line]

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *args):
        self.over.set()
        self.thread.join()


BASIC = {"Authorization": "Basic " + base64.b64encode(
    ("operator:" + PLANTED["rest"]).encode()).decode()}
ROLE_OF = {"agent": "pgha_agent", "replication": "replicator", "rewind": "rewinder"}


def set_password(cluster, who, password):
    cluster.leader().sql("ALTER ROLE %s PASSWORD %%s" % ROLE_OF[who], password)


def make_roles(cluster):
    leader = cluster.leader()
    psql = [os.path.join(pg_bin(), "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h",
            "/run/postgresql", "-U", "postgres", "-d", "postgres"]
    for _ in range(2):
        leader.run(psql + ["-f", ROLES], user="postgres")
    refused = leader.run(psql + ["-v", "agent=postgres", "-f", ROLES], user="postgres",
                         check=False)
    assert refused.returncode == 3 and "is a superuser" in refused.stdout, refused
    for who in ROLE_OF:
        set_password(cluster, who, PLANTED[who])
    return leader


def use_roles(cluster):
    for n in cluster.nodes:
        n.change_config(
            restapi={"authentication": {"username": "operator", "password": PLANTED["rest"]}},
            postgresql={
                "basebackup": [{"checkpoint": "fast"}, {"max-rate": "20M"}],  # lasts, to be seen
                "authentication": {
                    "superuser": {"username": "pgha_agent", "password": PLANTED["agent"]},
                    "replication": {"password": PLANTED["replication"]},
                    "rewind": {"password": PLANTED["rewind"], "sslpassword": PLANTED["key"]}}})
        n.agent.kill(signal.SIGHUP)


def use_superuser(cluster):
    """As it was before, for the tests that follow."""
    for n in cluster.nodes:
        cluster.reset_config(n)
        n.agent.kill(signal.SIGHUP)
    for who in ("replication", "rewind"):
        set_password(cluster, who, cluster.nodes[0].config["postgresql"]["authentication"][who]
                     ["password"])
    for n in cluster.nodes:
        wait_for("%s takes commands without a password" % n.name,
                 lambda n=n: n.rest("/reload", "POST", {}).code == 202, 30 * PATIENCE)


def who_asks(node):
    """The roles of the agent's sessions, and whether they are superusers."""
    return set(node.sql("SELECT a.usename, u.usesuper FROM pg_stat_activity a JOIN pg_user u "
                        "USING (usename) WHERE application_name = 'Patroni heartbeat'"))


def said_by(cluster):
    """Everything that a client of any kind is told, and everything that is written down."""
    told = {}
    for n in cluster.nodes:
        for path in READS:
            told["%s%s" % (n.name, path)] = n.rest(path).text
        told[n.name + " log"] = n.agent_log()
        for name in os.listdir(n.log_dir):
            with open(os.path.join(n.log_dir, name), encoding="utf-8", errors="replace") as f:
                told["%s %s" % (n.name, name)] = f.read()
        for path in ("/explain", "/doctor", "/recorder"):
            answer = n.rest(path, "POST", {}, headers=BASIC, timeout=30)
            assert answer.code == 200, (path, answer)
            told["%s%s" % (n.name, path)] = answer.text
    told["etcd"] = json.dumps(cluster.etcd.tree("/"))
    for command in ("list", "show-config", "history"):
        told["hactl " + command] = cluster.hactl(command).stdout
    assert all(told.values()), [where for where in told if not told[where]]
    return told


def is_closed_to_others(pid):
    """Of a process that dumps no core and is traced by nobody else, these belong to root."""
    return os.stat("/proc/%d/environ" % pid).st_uid == 0


def lose_a_primary(cluster, out):
    """Cut off while its clients write, so that it has to be rewound."""
    cut = cluster.leader()
    since = cut.log_size()
    with cluster.writers(out) as w:
        w.mark("link down")
        cut.unplug()
        cluster.wait_leader(other_than=cut)
        cut.heal()
        w.verdict(max_lost=CUT_OFF)
    assert "pg_rewind" in cut.logged_since(since)


def refuses_open_file(cluster, node):
    """A copy of its file where everybody comes by."""
    with tempfile.TemporaryDirectory() as place:
        path = os.path.join(place, "pgha.yml")
        shutil.copy(node.conf_path, path)
        os.chmod(place, 0o755)
        os.chmod(path, 0o644)
        for args in (["--validate-config", "-i"], []):
            told = node.run([cluster.programs.pghad] + args + [path], user="postgres",
                            check=False)
            assert told.returncode in (1, 3), told
            assert "every account of this host can read them; chmod o-rwx '%s'" % path \
                in told.stdout, told


def test_agent_needs_no_superuser_and_tells_no_secret(cluster, out):
    since = {n: n.log_size() for n in cluster.nodes}
    old = make_roles(cluster)
    try:
        with ProcessLists() as lists:
            use_roles(cluster)
            for n in cluster.nodes:
                wait_for("the agent of %s asks as pgha_agent" % n.name,
                         lambda n=n: who_asks(n) == {("pgha_agent", False)}, 30 * PATIENCE)
            for n in cluster.nodes:
                assert all(map(is_closed_to_others, [n.agent.pid] + n.pids_of("pgha-guard")))
            cluster.hactl("switchover", "--candidate", cluster.replicas()[0].name, "--force")
            cluster.wait_leader(other_than=old)
            cluster.wait_whole()
            lose_a_primary(cluster, out)
            cluster.hactl("reinit", cluster.scope, cluster.replicas()[0].name, "--force",
                          "--wait", timeout=120)
            cluster.wait_whole()
            told = said_by(cluster)
        refuses_open_file(cluster, old)
    finally:
        use_superuser(cluster)
    assert {"pg_rewind", "pg_basebackup"} <= lists.seen, sorted(lists.seen)
    assert not lists.found, lists.found
    for where, text in told.items():
        assert not [s for s in PLANTED.values() if s in text], (where, text)
    for n in cluster.nodes:
        log = n.logged_since(since[n])
        assert "is no superuser" in log
        assert "permission denied" not in log.replace("permission denied to set parameter", "")
        assert "checkpoint failed" not in log
        assert "REST: POST /doctor" in log


def dumps_core(proc):
    """Of a process that was started by unlimited(), as it ends by a crash."""
    proc.kill(signal.SIGABRT)
    _, status = os.waitpid(proc.pid, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 128 + signal.SIGABRT, status
    proc.popen.returncode = -signal.SIGABRT
    return os.WCOREDUMP(status)


def unlimited(node, *argv, log):
    """Where a core could be written, by the same user."""
    place = os.path.join(node.dir, "cores")
    os.makedirs(place, exist_ok=True)
    os.chmod(place, 0o777)
    return node.spawn(["prlimit", "--core=unlimited", "env", "-C", place, "setpriv",
                       "--reuid=postgres", "--regid=postgres", "--init-groups", *argv], log=log)


def runs(proc, name):
    with open("/proc/%d/comm" % proc.pid, encoding="ascii") as f:
        return f.read().strip() == name


def test_no_core_has_our_memory(cluster):
    """Passwords are in it. Postgres may write cores, as its operator likes."""
    node = cluster.replicas()[0]
    other = unlimited(node, "sleep", "100", log="sleep.log")
    wait_for("it runs", lambda: runs(other, "sleep"), 10 * PATIENCE)
    if not dumps_core(other):
        pytest.skip("nothing on this machine dumps core")
    for pid in node.pids_of("pgha-guard"):
        assert is_closed_to_others(pid)
    client = unlimited(node, cluster.programs.hactl, "-c", node.conf_path, "list", "-W",
                       log="hactl.log")
    wait_for("it has begun", lambda: cluster.scope in client.log(), 10 * PATIENCE)
    assert not dumps_core(client)
    node.kill_agent()
    node.agent = unlimited(node, cluster.programs.pghad, node.conf_path, log="pghad.log")
    node.wait_agent_up()
    assert not dumps_core(node.agent)
    node.start_agent()
    cluster.wait_whole()


def etcdctl(cluster, line, user=None):
    """Runs the words of a line; its output, or None where it was refused."""
    argv = ["etcdctl", "--endpoints", cluster.etcd.members[0].url]
    if user:
        argv += ["--user", "%s:%s" % (user, ETCD_PASSWORD)]
    done = run(*argv, *line.split(" "), check=False, env=dict(os.environ, ETCDCTL_API="3"))
    return done.stdout if done.returncode == 0 else None


def play_the_manual(cluster):
    """The commands of doc/security.md, for this cluster's keys."""
    with open(os.path.join(TOP, "doc", "security.md"), encoding="utf-8") as f:
        lines = re.findall(r"^    etcdctl ([^#\n]*?) *(?:#.*)?$", f.read(), re.M)
    assert len(lines) == 11, lines
    for line in lines:
        line = line.replace("/service/main/", cluster.prefix)
        root = line.startswith("--user root ")
        line = line.replace("--user root ", "")
        words = line.split(" ")
        if words[:2] == ["user", "add"]:
            assert run("etcdctl", "--endpoints", cluster.etcd.members[0].url,
                       *(["--user", "root:" + ETCD_PASSWORD] if root else []), "user", "add",
                       words[2] + ":" + ETCD_PASSWORD, env=dict(os.environ, ETCDCTL_API="3"))
        else:
            assert etcdctl(cluster, line, "root" if root else None) is not None, line


def test_etcd_users_of_the_manual(fresh):
    cluster = fresh
    cluster.etcd.start()
    cluster.etcd.wait_ready()
    play_the_manual(cluster)
    cluster.etcd.login("root", ETCD_PASSWORD)
    for n in cluster.nodes:
        n.change_config(etcd3={"username": "pgha-main", "password": ETCD_PASSWORD})
    cluster.start()
    leader = cluster.leader()
    cluster.hactl("switchover", "--candidate", cluster.replicas()[0].name, "--force")
    cluster.wait_leader(other_than=leader)
    cluster.wait_whole()
    lost = cluster.leader()
    lost.kill_all()
    cluster.wait_leader(other_than=lost)
    lost.start_agent()
    cluster.wait_whole()

    own, other = cluster.prefix, "/service/other/"
    assert etcdctl(cluster, "put %sx 1" % own, "pgha-main") is not None
    for line in ("put %sleader x" % other, "get %sleader" % other, "del %sx" % other,
                 "get --prefix /service/", "user list", "role list"):
        assert etcdctl(cluster, line, "pgha-main") is None, line
    assert cluster.leader().name in etcdctl(cluster, "get %sleader" % own, "pgha-vip")
    for line in ("put %sleader x", "get %sconfig", "get --prefix %s", "del %sleader"):
        assert etcdctl(cluster, line % own, "pgha-vip") is None, line
    assert etcdctl(cluster, "get %sleader" % own) is None, "nobody in particular"


RUNS = {"archive_command": "touch archived", "archive_cleanup_command": "touch ran-by-etcd"}
LOCAL_ONLY = "pgha.allow_remote_commands"


def in_file(node, setting):
    """Its value in postgresql.conf and what that includes; archive_mode is off."""
    found = node.sql("SELECT setting FROM pg_file_settings WHERE name = %s", setting)
    return found[0][0] if found else None


def has_run(node):
    """A restartpoint runs archive_cleanup_command, in the data directory."""
    node.sql("CHECKPOINT")
    return os.path.exists(os.path.join(node.data_dir, "ran-by-etcd"))


def test_etcd_runs_no_programs_where_the_file_does_not_allow_it(cluster):
    leader, (shut, open_) = cluster.leader(), cluster.replicas()
    since = shut.log_size()
    shut.change_config(pgha={"allow_remote_commands": False},
                       postgresql={"parameters": {"archive_cleanup_command": "true"}})
    shut.agent.kill(signal.SIGHUP)
    wait_for("%s publishes it" % shut.name, lambda: json.loads(cluster.key(
        "members/" + shut.name))["pgha"].get("allow_remote_commands") is False, 15 * PATIENCE)
    config = json.loads(cluster.key("config"))
    config["postgresql"]["parameters"].update(RUNS, work_mem="5MB")
    config["postgresql"]["callbacks"] = {"on_reload": "/no/such/program"}
    cluster.etcd.put(cluster.prefix + "config", json.dumps(config))
    for n in cluster.nodes:
        wait_for("%s has what runs nothing" % n.name, lambda n=n: n.sql1("SHOW work_mem") == "5MB",
                 15 * PATIENCE)
    assert in_file(open_, "archive_command") == "touch archived"
    assert in_file(shut, "archive_command") is None
    assert shut.sql1("SHOW archive_cleanup_command") == "true", "the file counts"
    leader.sql("CHECKPOINT")
    wait_for("%s ran it" % open_.name, lambda: has_run(open_), 15 * PATIENCE)
    assert not has_run(shut)
    said = [line for line in shut.logged_since(since).splitlines() if "not applied" in line]
    assert len([line for line in said if "postgresql.parameters.archive_command" in line]) == 1, said
    assert [line for line in said if "postgresql.callbacks" in line and LOCAL_ONLY in line], said
    assert LOCAL_ONLY not in open_.agent_log()

    before = cluster.key("config")
    for method, body in (("PATCH", {"postgresql": {"pre_promote": "touch x"}}),
                         ("PUT", dict(config, standby_cluster={"restore_command": "touch x"}))):
        answer = shut.rest("/config", method, body)
        assert answer.code == 403 and LOCAL_ONLY in answer.text, answer
    edited = cluster.hactl("edit-config", "-p", "restore_command=touch x", "--force", check=False)
    assert edited.returncode == 1 and shut.name in edited.stdout, edited
    assert "restore_command" in edited.stdout and LOCAL_ONLY in edited.stdout, edited
    assert cluster.key("config") == before, "nothing is stored"
    assert shut.rest("/config", "PATCH", {"ttl": cluster.dcs["ttl"] + 1}).code == 200
    found = json.loads(cluster.hactl("doctor", "--json", check=False).stdout)["findings"]
    assert [f for f in found if f["where"] == shut.name and "postgresql.callbacks" in f["what"]]

    shut.change_config(pgha={"allow_remote_commands": True})
    shut.agent.kill(signal.SIGHUP)
    wait_for("allowed, it is applied", lambda: in_file(shut, "archive_command") == "touch archived",
             15 * PATIENCE)
    assert shut.sql1("SHOW archive_cleanup_command") == "true", "the file still counts"
    os.unlink(os.path.join(open_.data_dir, "ran-by-etcd"))
