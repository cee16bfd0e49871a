# SPDX-License-Identifier: PostgreSQL
"""Commands that read and write keys, and what happens when something is away."""

import base64
import json
import os
import socket
import subprocess
import time
import urllib.request

import pytest
import yaml

from conftest import SYSID, Member, free_port, program


def rows(world, *args):
    return json.loads(world.hactl("list", "-f", "json", *args).stdout)


def test_list_in_all_formats(world):
    data = rows(world)
    assert [r["Member"] for r in data] == ["node0", "node1", "node2"]
    assert data == yaml.safe_load(world.hactl("list", "-f", "yml").stdout)
    assert data[1]["Receive Lag"] == 0 and "Receive LSN" not in data[0]
    tsv = world.hactl("list", "-f", "tsv").stdout.splitlines()
    assert len(tsv) == 4 and tsv[0].startswith("Cluster\tMember\tHost\tRole\tState\tTL\t")
    assert world.hactl("list", "-t").stdout.splitlines()[1].startswith("+ Cluster: " + world.scope)
    assert "+ node1" in world.hactl("topology").stdout


def test_list_of_several_clusters(world):
    out = world.hactl("list", world.scope, "nosuch").stdout
    assert "+ Cluster: %s (%s) " % (world.scope, SYSID) in out
    assert "+ Cluster: nosuch (uninitialized) " in out


def test_list_refuses_what_it_does_not_know(world):
    assert "is not one of 'pretty', 'tsv'" in world.hactl("list", "-f", "xml", code=2).stderr
    done = world.hactl("lsit", code=2)
    assert "Error: No such command 'lsit'. Did you mean 'list'?" in done.stderr
    assert world.hactl("list", "--group", "1", code=2).stderr.startswith("Usage: hactl list ")
    world.hactl("list", "--group", "")


def test_list_watches(world):
    began = time.monotonic()
    environ = {"PATRONI_SCOPE": world.scope, "TZ": "UTC"}
    with subprocess.Popen([program(), "-d", "127.0.0.1:%d" % world.etcd.port, "list", "-f", "tsv",
                           "-w", "0.2"], stdout=subprocess.PIPE, env=environ, text=True) as p:
        for _ in range(3):
            assert p.stdout.readline().startswith("Cluster\t")
            for _ in range(3):
                assert p.stdout.readline().startswith(world.scope)
        p.kill()
    assert time.monotonic() - began >= 0.4


def test_list_asks_a_member_when_etcd_is_away(world, tmp_path):
    member = world.members["node0"]
    member.answers["GET", "/cluster"] = (200, {"members": [
        {"name": "node0", "role": "leader", "state": "running", "host": "h", "port": 5432}]})
    member.answers["GET", "/patroni"] = (200, {"database_system_identifier": SYSID})
    conf = tmp_path / "c.yml"
    conf.write_text("scope: %s\nrestapi: {listen: '127.0.0.1:%d'}\netcd3: {host: '127.0.0.1:%d'}\n"
                    % (world.scope, member.port, free_port()))
    done = world.hactl("list", options=["-c", str(conf)])
    assert done.stdout.startswith("+ Cluster: %s (%s)"[:30] % (world.scope, SYSID)[:30])
    assert "| node0  | h    | Leader | running |" in done.stdout
    assert "cannot reach etcd at http://127.0.0.1:" in done.stderr
    assert "Shown is what the member at %s knows." % member.url in done.stderr
    members = member.answers["GET", "/cluster"][1]
    member.answers["GET", "/cluster"] = (503, members)
    done = world.hactl("list", options=["-c", str(conf)])
    assert "saw last; it does not reach etcd either." in done.stderr
    member.answers["GET", "/cluster"] = (502, "bad gateway")
    done = world.hactl("list", options=["-c", str(conf)], code=1)
    assert "/cluster answered 502: bad gateway" in done.stderr
    member.stop()
    done = world.hactl("list", options=["-c", str(conf)], code=1)
    assert "Error: cannot reach etcd at" in done.stderr
    assert "nor does the REST API help" in done.stderr


def test_etcd_away_is_said_with_what_to_do(world):
    port = free_port()
    done = world.hactl("history", options=["-d", "127.0.0.1:%d" % port], code=1)
    assert done.stderr.startswith("Error: cannot reach etcd at http://127.0.0.1:%d: " % port)
    assert "start etcd or give its address with -d" in done.stderr
    done = world.hactl("list", options=[], code=1)
    assert "Error: no address of etcd: give it with -d etcd3://host:2379" in done.stderr


def test_the_next_endpoint_is_tried(world):
    url = "etcd3://127.0.0.1:%d,127.0.0.1:%d" % (free_port(), world.etcd.port)
    done = world.hactl("dsn", options=["-d", url])
    assert done.stdout == "host=127.0.0.1 port=15432\n" and done.stderr == ""


def test_garbage_in_keys_is_named_and_the_rest_shown(world):
    world.put("members/node1", "{{{")
    world.put("sync", "\"x\"")
    world.put("config", "[]")
    done = world.hactl("list")
    assert "| node2 " in done.stdout and "| node1 " in done.stdout
    for key in ("members/node1", "sync", "config"):
        assert key in done.stderr
    assert "has no readable configuration" in world.hactl("show-config", code=1).stderr
    assert "give a whole one with --replace" in \
        world.hactl("edit-config", "-s", "a=1", "--force", code=1).stderr
    world.hactl("edit-config", "--replace", "-", "--force", stdin="ttl: 20\n")
    assert world.get("config") == {"ttl": 20}


def test_dsn(world):
    assert world.hactl("dsn").stdout == "host=127.0.0.1 port=15432\n"
    assert world.hactl("dsn", "-r", "replica").stdout == "host=127.0.0.1 port=15433\n"
    assert world.hactl("dsn", "-m", "node2").stdout == "host=127.0.0.1 port=15434\n"
    assert "mutually exclusive" in world.hactl("dsn", "-m", "a", "-r", "any", code=1).stderr
    assert world.hactl("dsn", "-m", "x", code=1).stderr == "Error: Can not find a suitable member\n"


def test_history(world):
    world.put("history", [[1, 67382056, "no recovery target specified",
                           "2026-11-21T06:02:38.763986+00:00", "node1"], [2, 67383000, "x"]])
    data = json.loads(world.hactl("history", "-f", "json").stdout)
    assert data == [
        {"TL": 1, "LSN": 67382056, "Reason": "no recovery target specified",
         "Timestamp": "2026-11-21T06:02:38.763986+00:00", "New Leader": "node1"},
        {"TL": 2, "LSN": 67383000, "Reason": "x", "Timestamp": "", "New Leader": ""}]
    assert "|  1 | 67382056 | no recovery target specified | 2026-" in world.hactl("history").stdout


def test_history_with_traces(world):
    world.put("history", [])
    world.put("pgha/trace/node2", {"what": "took over",
                                   "begun": "2026-11-21T06:02:38.800000+00:00",
                                   "steps": [{"step": "woke", "ms": 0},
                                             {"step": "open for writes", "ms": 31}]})
    world.put("pgha/trace/node1", {"what": "handed over",
                                   "begun": "2026-11-21T06:02:38.700000+00:00",
                                   "steps": [{"step": "asked", "ms": 0},
                                             {"step": "stop requested", "ms": 40},
                                             {"step": "key handed over", "ms": 95}]})
    assert "handed" not in world.hactl("history").stdout
    out = world.hactl("history", "-v").stdout
    assert out.index("node1 handed over, from 2026") < out.index("node2 took over, from 2026")
    assert "      95 ms     +55 ms  key handed over\n" in out
    assert "      31 ms     +31 ms  open for writes\n" in out
    assert "not with --format json" in world.hactl("history", "-v", "-f", "json", code=1).stderr


def test_show_config(world):
    out = world.hactl("show-config").stdout
    assert yaml.safe_load(out) == world.config and out.startswith("loop_wait: 1\n")
    assert out.endswith("\n\n")


def test_edit_config_by_options(world):
    done = world.hactl("edit-config", "-p", "work_mem=6MB", "-s", "ttl=30", "--force")
    assert done.stdout == ("--- \n+++ \n@@ -2,5 +2,6 @@\n postgresql:\n   parameters:\n"
                           "     max_connections: 50\n+    work_mem: 6MB\n retry_timeout: 5\n"
                           "-ttl: 20\n+ttl: 30\nConfiguration changed\n")
    assert world.get("config")["postgresql"]["parameters"] == {"max_connections": 50,
                                                               "work_mem": "6MB"}
    assert world.hactl("edit-config", "-s", "ttl=30").stdout == "Not changed\n"
    assert world.hactl("edit-config", "-q", "-s", "ttl=30").stdout == ""
    done = world.hactl("edit-config", "-q", "-s", "ttl=40", stdin="y\n")
    assert done.stdout == "Apply these changes? [y/N]: Configuration changed\n"
    done = world.hactl("edit-config", "-q", "-s", "ttl=50", stdin="\n")
    assert "changed" not in done.stdout.replace("changes", "") and world.get("config")["ttl"] == 40
    assert "Invalid parameter setting x" in world.hactl("edit-config", "-s", "x", code=1).stderr


def test_edit_config_by_file(world, tmp_path):
    done = world.hactl("edit-config", "--apply", "-", stdin="ttl: 30\n")
    assert done.stdout.endswith("Use --force option to apply changes\n")
    world.hactl("edit-config", "--apply", "-", "--force", stdin="ttl: 30\nloop_wait: null\n")
    assert "loop_wait" not in world.get("config") and world.get("config")["ttl"] == 30
    (tmp_path / "new.yml").write_text("ttl: 25\n")
    world.hactl("edit-config", "--replace", str(tmp_path / "new.yml"), "--force")
    assert world.get("config") == {"ttl": 25}
    assert "cannot open" in world.hactl("edit-config", "--apply", "/nonexistent", code=1).stderr
    assert "Error:" in world.hactl("edit-config", "--apply", "-", stdin="- a\n", code=1).stderr


def test_edit_config_to_what_no_member_takes(world):
    """Members pass over such a document, and the leader writes the one before it again."""
    before = world.get("config")
    done = world.hactl("edit-config", "-q", "--apply", "-", "--force", code=1,
                       stdin="postgresql: {pg_hba: [%s]}\n" % ", ".join(["x" * 1000] * 300))
    assert "members would not take it: more than 256 kB" in done.stderr, done.stderr
    assert world.get("config") == before


def editor(tmp_path, script):
    path = tmp_path / "editor"
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    return {"EDITOR": "%s --wait" % path, "TMPDIR": str(tmp_path)}


def test_edit_config_in_an_editor(world, tmp_path):
    env = editor(tmp_path, 'test "$1" = --wait && sed -i s/20/33/ "$2"\n')
    done = world.hactl("edit-config", env=env, stdin="y\n")
    assert "-ttl: 20\n+ttl: 33\n" in done.stdout and world.get("config")["ttl"] == 33
    assert not [f for f in os.listdir(tmp_path) if "config" in f]
    done = world.hactl("edit-config", env=editor(tmp_path, "exit 3\n"), code=1)
    assert done.stderr == "Error: Editor exited with return code 3\n"
    done = world.hactl("edit-config", env=editor(tmp_path, 'echo "a: [" > "$2"\n'), code=1)
    assert done.stderr.startswith("Error: ") and world.get("config")["ttl"] == 33


def test_edit_config_notices_a_concurrent_change(world, tmp_path):
    key = base64.b64encode(world.key("config").encode()).decode()
    put = ("curl -s -d '{\"key\":\"%s\",\"value\":\"e30=\"}' %s/v3/kv/put >/dev/null"
           % (key, world.etcd.url))
    env = editor(tmp_path, put + '\nsed -i s/20/33/ "$2"\n')
    done = world.hactl("edit-config", "--force", env=env, code=1)
    assert done.stderr == "Error: Config modification aborted due to concurrent changes\n"
    assert world.get("config") == {}


@pytest.mark.parametrize("change, told", [
    (("-s", "ttl=1"), "ttl: '1' is not valid; allowed is a whole number, 2 to 3600"),
    (("-s", "ttl=soon"), "ttl: 'soon' is not valid; allowed is a whole number"),
    (("-s", "loop_wait=[1]"), "loop_wait: allowed is a whole number, 1 to 3600, not a list"),
    (("-s", "postgresql.use_slots=perhaps"), "postgresql.use_slots: 'perhaps' is not valid"),
    (("-s", "failsafe_mode=maybe"), "failsafe_mode: 'maybe' is not valid; allowed is off, on or "),
    (("-p", "max_connections=5"), "postgresql.parameters.max_connections: '5' is not valid; allowed "
                                  "is a whole number, 25 to 262143"),
    (("-p", "wal_level=minimal"), "allowed is replica or logical"),
    (("-p", "wal_keep_size=2MB"), "allowed is a size, 16MB or more"),
    (("-p", "a b=1"), "not a name that a setting of Postgres can have"),
    (("-s", "postgresql.parameters=7"), "postgresql.parameters: "),
])
def test_edit_config_refuses_what_members_would_not_take(world, change, told):
    before = world.get("config")
    # One good value beside it is not written either, whatever is answered.
    done = world.hactl("edit-config", "-s", "retry_timeout=7", *change, "--force", code=1)
    assert done.stdout == "" and world.get("config") == before
    assert done.stderr.startswith("Error: Nothing was changed: ") and told in done.stderr
    done = world.hactl("edit-config", *change, "--force", "--json", code=1)
    assert told in json.loads(done.stdout)["error"] and world.get("config") == before
    done = world.hactl("edit-config", *change, "--dry-run", code=1)
    assert told in done.stderr


def test_edit_config_names_all_that_is_wrong(world, tmp_path):
    (tmp_path / "new.yml").write_text("ttl: 1\nloop_wait: x\npostgresql: {parameters: "
                                      "{max_connections: 3}}\n")
    for how in ("--apply", "--replace"):
        done = world.hactl("edit-config", how, str(tmp_path / "new.yml"), "--force", code=1)
        assert "ttl: '1'" in done.stderr and "loop_wait: 'x'" in done.stderr
        assert "max_connections: '3'" in done.stderr and done.stderr.count("\n") == 1
    assert world.get("config") == world.config


def test_edit_config_tells_what_will_be_ignored(world):
    done = world.hactl("edit-config", "-s", "tll=20", "-s", "loop_wait=30", "-s", "watchdog.mode=off",
                       "-p", "port=5433", "-s", "synchronous_mode=on", "--force")
    lines = done.stderr.splitlines()
    assert all(line.startswith("Warning: ") for line in lines) and len(lines) == 5
    assert "Warning: tll: not a known key, ignored; did you mean 'ttl'?" in lines
    assert "Warning: watchdog: belongs into the file of each member, ignored here" in lines
    assert "Warning: loop_wait: 30 s is not less than ttl (20 s); 10 s is used" in lines
    assert "Warning: postgresql.parameters.port: set by pghad and never from here, ignored" in lines
    assert any("synchronous_mode: this version does not manage" in line for line in lines)
    # It was written: Patroni members may know it. The next change is not bothered by it.
    assert world.get("config")["tll"] == 20
    assert world.hactl("edit-config", "-s", "ttl=40", "--force").stderr == ""


def test_edit_config_leaves_alone_what_was_wrong_before(world):
    world.put("config", {"ttl": 1, "retry_timeout": 5})
    done = world.hactl("edit-config", "-s", "retry_timeout=6", "--force")
    assert "Configuration changed" in done.stdout and world.get("config")["retry_timeout"] == 6
    world.hactl("edit-config", "-s", "ttl=0", "--force", code=1)
    world.hactl("edit-config", "-s", "ttl=6", "--force")
    assert world.get("config") == {"ttl": 6, "retry_timeout": 6}


def test_edit_config_in_an_editor_refuses_and_lets_mend(world, terminal, tmp_path):
    env = editor(tmp_path, 'sed -i s/20/1/ "$2"\n')
    done = world.hactl("edit-config", env=env, code=1)
    assert "ttl: '1' is not valid" in done.stderr and world.get("config")["ttl"] == 20
    # On a terminal what was typed is there again.
    env = editor(tmp_path, 'if grep -q "ttl: 1$" "$2"; then sed -i "s/ttl: 1$/ttl: 15/" "$2"; '
                           'else sed -i s/20/1/ "$2"; fi\n')
    term = terminal("edit-config", env=dict(env, PAGER="cat"))
    term.wait("Edit it again? [y/N]:")
    assert "ttl: '1' is not valid" in term.text
    os.write(term.master, b"y\n")
    term.wait("Apply these changes? [y/N]:")
    os.write(term.master, b"y\n")
    assert term.process.wait(timeout=20) == 0 and world.get("config")["ttl"] == 15


def test_pager_that_is_left_early_holds_nothing_up(world, terminal, tmp_path):
    change = tmp_path / "change.yml"
    change.write_text("pgha: {note: [%s]}\n" % ", ".join(["x" * 100] * 2000))
    t = terminal("edit-config", "--apply", str(change), env={"PAGER": "true"})
    t.wait("Apply these changes? [y/N]: ")
    os.write(t.master, b"n\n")
    assert t.process.wait(timeout=20) == 0


def test_interrupt_belongs_to_the_editor(world, terminal, tmp_path):
    """ctrl-C leaves the insert mode of vi, and a search of less: what was typed must not go with hactl."""
    editor = tmp_path / "editor"
    editor.write_text("""#!/bin/sh
        trap 'echo interrupted' INT
        echo ready
        until read -r line && [ "$line" = go ]; do :; done
        sed -i 's/ttl: 20/ttl: 33/' "$1"
        """)
    editor.chmod(0o755)
    pager = "trap 'echo interrupted' INT; cat; read -r line </dev/tty || read -r line </dev/tty; echo paged"
    t = terminal("edit-config", env={"EDITOR": str(editor), "PAGER": pager, "TMPDIR": str(tmp_path)})
    at = t.wait("ready")
    os.write(t.master, b"\x03")
    at = t.wait("interrupted", since=at)
    os.write(t.master, b"go\n")
    at = t.wait("+ttl: 33", since=at)
    os.write(t.master, b"\x03")
    at = t.wait("interrupted", since=at)
    os.write(t.master, b"\n")
    at = t.wait("paged", since=at)
    t.wait("Apply these changes? [y/N]: ", since=at)
    os.write(t.master, b"y\n")
    t.wait("Configuration changed", since=at)
    assert t.process.wait(timeout=20) == 0
    assert world.get("config")["ttl"] == 33


def test_edit_config_makes_the_key(world):
    world.hactl("edit-config", "nosuch", "-s", "ttl=20", "--force")
    assert json.loads(world.etcd.get("/service/nosuch/config")) == {"ttl": 20}
    world.hactl("remove", "nosuch", stdin="nosuch\nYes I am aware\n")
    assert world.etcd.keys("/service/nosuch/") == []


def test_remove(world):
    def refused(stdin, text):
        done = world.hactl("remove", world.scope, stdin=stdin, code=1)
        assert done.stderr == text and world.etcd.keys(world.key(""))

    refused("other\n", "Error: Cluster names specified do not match\n")
    refused(world.scope + "\nyes\n", "Error: You did not exactly type \"Yes I am aware\"\n")
    refused(world.scope + "\nYes I am aware\nnode1\n",
            "Error: You did not specify the current leader of the cluster\n")
    refused("", "Aborted!\n")
    world.etcd.put("/service/%sx/config" % world.scope, "{}")
    done = world.hactl("remove", world.scope, stdin=world.scope + "\nYes I am aware\nnode0\n")
    for text in ("Please confirm the cluster name to remove: ",
                 "You are about to remove all information in DCS for %s, please type: \"Yes I am "
                 "aware\": " % world.scope,
                 "This cluster currently is healthy. Please specify the leader name to continue: "):
        assert text in done.stdout
    assert world.etcd.keys(world.key("")) == []
    assert world.etcd.get("/service/%sx/config" % world.scope) == "{}"


def test_namespace_of_the_url(world):
    world.etcd.put("/my/ns/c/leader", "a")
    world.etcd.put("/my/ns/c/members/a", {"conn_url": "postgres://h:5432/x", "state": "running"})
    url = "etcd3://127.0.0.1:%d/my/ns" % world.etcd.port
    assert world.hactl("dsn", "c", options=["-d", url]).stdout == "host=h port=5432\n"


def test_credentials_are_sent(world, tmp_path):
    conf = tmp_path / "c.yml"
    conf.write_text("restapi: {authentication: {username: u, password: 'p:w'}}\n"
                    "etcd3: {host: '127.0.0.1:%d'}\n" % world.etcd.port)
    world.members["node0"].answers["PATCH", "/config"] = (200, {})
    world.hactl("pause", options=["-c", str(conf)])
    assert world.members["node0"].headers[-1]["Authorization"] == "Basic dTpwOnc="
    world.hactl("version", world.scope, options=["-c", str(conf)])
    assert world.members["node0"].requests[-1][0] == "GET"
    assert "Authorization" not in world.members["node0"].headers[-1]


def test_password_of_the_url_is_not_in_the_process_list():
    """etcd does not answer meanwhile."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = "etcd3://user:s3cret@127.0.0.1:%d" % deaf.getsockname()[1]
        process = subprocess.Popen([program(), "-d", url, "list", "any"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deaf.settimeout(10)
            deaf.accept()[0].close()
            with open("/proc/%d/cmdline" % process.pid, "rb") as f:
                shown = f.read()
            # What belongs to root here can neither be traced nor dumped by others.
            assert os.stat("/proc/%d/environ" % process.pid).st_uid == 0
        finally:
            process.kill()
            process.wait()
    assert b"user:xxxxxx@" in shown and b"s3cret" not in shown, shown


@pytest.fixture
def certificate(tmp_path):
    pem = str(tmp_path / "cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=somebody", "-keyout", pem + ".key", "-out", pem + ".crt"],
                   check=True, capture_output=True)
    with open(pem, "w", encoding="ascii") as out:
        for part in (".key", ".crt"):
            with open(pem + part, encoding="ascii") as f:
                out.write(f.read())
    return pem


def test_certificates_are_verified(world, tmp_path, certificate):
    world.members["node0"].stop()
    member = world.members["node0"] = Member("node0", certificate)
    member.answers["PATCH", "/config"] = (200, {})
    world.show("node0")
    assert "Member node0 is not accessible" in world.hactl("pause").stderr
    assert not member.requests
    url = "etcd3://127.0.0.1:%d" % world.etcd.port
    assert "Success" in world.hactl("pause", options=["-k", "-d", url]).stdout
    conf = tmp_path / "c.yml"
    conf.write_text("ctl: {cacert: '%s.crt'}\n" % certificate)
    assert "Success" in world.hactl("pause", options=["-c", str(conf), "-d", url]).stdout


def test_missing_arguments_are_usage_errors(world):
    for command in ("restart", "reload", "reinit", "remove", "flush"):
        assert "Missing argument" in world.hactl(command, code=2).stderr
    assert "unexpected extra argument (b)" in world.hactl("dsn", "a", "b", code=2).stderr
    assert "Commands:" in world.hactl(code=2, options=[]).stderr
    assert "Commands:" in world.hactl("--help", options=[]).stdout
    assert "Usage: hactl restart [OPTIONS] CLUSTER" in world.hactl("restart", "--help").stdout


def test_etcd_that_wants_a_user(world):
    def login(user):
        return ["-d", "etcd3://%s127.0.0.1:%d" % (user, world.etcd.port)]

    call = world.etcd.call
    call("/auth/user/add", name="root", password="secret")
    call("/auth/role/add", name="root")
    call("/auth/user/grant", user="root", role="root")
    call("/auth/enable")
    try:
        assert "give etcd3.username and etcd3.password" in \
            world.hactl("dsn", options=login(""), code=1).stderr
        assert "Error: " in world.hactl("dsn", options=login("root:wrong@"), code=1).stderr
        assert world.hactl("dsn", options=login("root:secret@")).stdout.startswith("host=")
    finally:
        token = call("/auth/authenticate", name="root", password="secret")["token"]
        request = urllib.request.Request(world.etcd.url + "/v3/auth/disable", b"{}",
                                         {"Authorization": token})
        with urllib.request.urlopen(request, timeout=5) as reply:
            assert reply.status == 200


def completed(world, *words, **more):
    done = world.hactl("__complete", *words, **more)
    return [line.split("\t")[0] for line in done.stdout.splitlines()]


def test_members_and_clusters_are_completed(world):
    assert completed(world, "restart", world.scope, "no", options=[]) == []
    where = ["-d", "etcd3://127.0.0.1:%d" % world.etcd.port]
    for asked in (["restart", world.scope, ""], ["explain", ""], ["switchover", "--candidate", ""],
                  ["dsn", "-m", "no"], ["reinit", world.scope, "--force", ""]):
        assert completed(world, *where, *asked, options=[]) == ["node0", "node1", "node2"], asked
    assert completed(world, *where, "switchover", "--candidate=", options=[]) == \
        ["--candidate=node%d" % i for i in range(3)]
    # Who was named is not offered again.
    assert completed(world, *where, "restart", world.scope, "node1", "", options=[]) == \
        ["node0", "node2"]
    assert world.scope in completed(world, *where, "list", "", options=[])
    # Nothing is said, and not for long, where nobody answers.
    done = world.hactl("__complete", "-d", "etcd3://127.0.0.1:1", "explain", "", options=[])
    assert done.stdout == ""


def test_bash_completes_members(world):
    script = world.hactl("completion", "bash", options=[]).stdout
    line = "%s -d etcd3://127.0.0.1:%d restart %s node" % (program(), world.etcd.port, world.scope)
    done = subprocess.run(["bash", "-c", script + """
        COMP_LINE=$0 COMP_POINT=${#0} COMP_WORDS=(hactl restart node) COMP_CWORD=2
        _hactl; echo "${COMPREPLY[*]}" """, line], text=True, capture_output=True, check=True)
    assert done.stdout == "node0 node1 node2\n", done


def config(tmp_path, name, **keys):
    (tmp_path / "conf").mkdir(exist_ok=True)
    (tmp_path / "conf" / name).write_text(json.dumps(keys))
    return ["-c", str(tmp_path / "conf")]


def test_directory_of_one_cluster(world, tmp_path):
    config(tmp_path, "1.yml", scope=world.scope, etcd3={"host": "127.0.0.1:1"})
    options = config(tmp_path, "2.yaml", etcd3={"host": "127.0.0.1:%d" % world.etcd.port})
    config(tmp_path, "not-read.txt", scope="other")
    env = {"PATRONI_SCOPE": None}
    assert world.hactl("dsn", options=options, env=env).stdout.startswith("host=127.0.0.1")
    (tmp_path / "conf" / "3.yml").write_text("a: [")
    assert "3.yml" in world.hactl("dsn", options=options, env=env, code=1).stderr


def test_directory_of_several_clusters(world, tmp_path):
    port = world.etcd.port
    world.etcd.put("/other/b/leader", "x")
    world.etcd.put("/other/b/members/x", {"conn_url": "postgres://hb:5432/x", "state": "running"})
    config(tmp_path, "0.yml", etcd3={"host": "127.0.0.1:%d" % port})
    config(tmp_path, "a.yml", scope=world.scope)
    options = config(tmp_path, "b.yml", scope="b", namespace="/other")
    config(tmp_path, "gone.yml", scope="gone", etcd3={"host": "127.0.0.1:1"})
    def hactl(*args, **more):
        return world.hactl(*args, options=options, env={"PATRONI_SCOPE": None}, **more)

    assert hactl("dsn", "b").stdout == "host=hb port=5432\n"
    assert hactl("dsn", world.scope).stdout.startswith("host=127.0.0.1")
    done = hactl("dsn", code=1)
    assert "configures b, gone, %s" % world.scope in done.stderr
    done = hactl("list", code=1)
    assert "Cluster: b " in done.stdout and "Cluster: %s " % world.scope in done.stdout
    assert "gone" in done.stderr and "cannot reach etcd" in done.stderr
    shown = json.loads(hactl("list", "--json", code=1).stdout)
    assert {row["Cluster"] for row in shown} == {"b", world.scope}


@pytest.mark.parametrize("verb", ["list", "topology"])
def test_several_clusters_are_one_document(world, verb):
    world.etcd.put("/service/second/members/x", {"conn_url": "postgres://hb:5432/x", "state": "stopped"})
    options = ["-t"] if verb == "list" else []
    shown = json.loads(world.hactl(verb, *options, "--json", world.scope, "second").stdout)
    assert [row["Member"] for row in shown] == ["node0", "node1", "node2", "x"]
    assert json.loads(world.hactl(verb, "--json", "nosuch").stdout) == []
    # A program of patronictl's reads a line for each cluster.
    if verb == "list":
        lines = world.hactl("list", "-f", "json", world.scope, "second").stdout.splitlines()
        assert [len(json.loads(line)) for line in lines] == [3, 1]


def test_watching_tells_failures_as_json(world):
    with subprocess.Popen([program(), "-d", "etcd3://127.0.0.1:1", "list", "x", "--json", "-w", "9"],
                          stdout=subprocess.PIPE, text=True) as process:
        try:
            assert "cannot reach etcd" in json.loads(process.stdout.readline())["error"]
        finally:
            process.kill()


def test_members_stand_in_for_etcd(world, tmp_path):
    node = world.members["node1"]
    shown = json.loads(world.hactl("list", "--json").stdout)
    node.answers["GET", "/cluster"] = (200, {"scope": world.scope, "members": [
        {"name": "node0", "role": "leader", "state": "running", "host": "h0", "port": 5432,
         "api_url": world.members["node0"].url + "/patroni", "timeline": 1},
        {"name": "node1", "role": "replica", "state": "streaming", "host": "h1", "port": 5432,
         "api_url": node.url + "/patroni", "timeline": 1, "lag": 0}]})
    node.answers["GET", "/patroni"] = (200, {"database_system_identifier": "77105"})
    node.answers["GET", "/config"] = (200, {"ttl": 7})
    node.answers["GET", "/history"] = (200, [[1, 100, "no recovery target specified"]])
    dead = "127.0.0.1:1"
    conf = tmp_path / "c.yml"
    conf.write_text(json.dumps({"ctl": {"members": [dead, node.url[len("http://"):]]},
                                "etcd3": {"host": dead}}))
    options = ["-c", str(conf)]
    assert len(shown) == 3
    done = world.hactl("list", "--json", options=options)
    assert [m["Member"] for m in json.loads(done.stdout)] == ["node0", "node1"]
    assert "Shown is what the member at %s knows" % node.url in done.stderr
    assert json.loads(world.hactl("show-config", "--json", options=options).stdout) == {"ttl": 7}
    assert "no recovery target" in world.hactl("history", options=options).stdout
    world.members["node0"].answers["POST", "/switchover"] = (200, "Switched over")
    world.hactl("switchover", "--force", options=options)
    assert world.members["node0"].requests[-1][:2] == ("POST", "/switchover")
    world.members["node0"].answers["PATCH", "/config"] = (200, {})
    assert "Success" in world.hactl("pause", options=options).stdout
    assert "edit" not in world.hactl("edit-config", "-s", "ttl=9", options=options, code=1).stdout
    # A member of another cluster is not believed.
    assert "is of the cluster" in world.hactl("list", "nosuch", options=options, code=1).stderr
