# SPDX-License-Identifier: PostgreSQL
"""Bad input: a clear error each, and nothing is lost"""

import json
import os
import re
import socket
import time

import pytest

from lib.cluster import DCS, TTL_S, elapsed_ms
from lib.node import PG_PORT, REST_PORT, Node, merge
from lib.proc import stays, wait_for

BROKEN_FILES = {
    "no-such-file": (None, ["no-such-file"]),
    "not-yaml": ("scope: [e2e\nname: n1\n", ["line"]),
    "tabs": ("scope: e2e\n\tname: n1\n", ["line 2"]),
    "not-a-map": ("- scope\n- name\n", ["not a list"]),
    "empty": ("", ["holds no settings"]),
    "binary": ("\x00\x01\x02\x80scope", ["control characters"]),
}

# What is put into the file of a node, and the words its complaint must have.
WRONG_VALUES = {
    "port-out-of-range": ({"postgresql": {"listen": "10.77.0.11:99999"}}, ["postgresql.listen"]),
    "port-a-word": ({"restapi": {"listen": "10.77.0.11:http"}}, ["restapi.listen"]),
    "scope-a-list": ({"scope": ["a", "b"]}, ["scope"]),
    "name-a-map": ({"name": {"first": "n1"}}, ["name"]),
    "parameters-a-list": ({"postgresql": {"parameters": [1, 2]}}, ["postgresql.parameters"]),
    "hosts-a-number": ({"etcd3": {"hosts": 17}}, ["etcd3.hosts"]),
    "priority-a-word": ({"tags": {"failover_priority": "high"}}, ["tags.failover_priority"]),
    "nofailover-a-word": ({"tags": {"nofailover": "perhaps"}}, ["tags.nofailover"]),
    "ttl-too-small": ({"bootstrap": {"dcs": {"ttl": 1}}}, ["bootstrap.dcs.ttl", "2"]),
    "loop-wait-a-word": ({"bootstrap": {"dcs": {"loop_wait": "often"}}},
                         ["bootstrap.dcs.loop_wait"]),
    "no-name": ({"name": None}, ["name"]),
    "no-scope": ({"scope": None}, ["scope"]),
    "no-store": ({"etcd3": None}, ["etcd3"]),
    "no-data-dir": ({"postgresql": {"data_dir": None}}, ["postgresql.data_dir"]),
    "no-superuser": ({"postgresql": {"authentication": {"superuser": None}}},
                     ["postgresql.authentication"]),
    "consul": ({"consul": {"host": "127.0.0.1:8500"}}, ["consul"]),
    "etcd-v2": ({"etcd": {"host": "127.0.0.1:2379"}, "etcd3": None}, ["etcd"]),
    "kubernetes": ({"kubernetes": {"labels": {}}}, ["kubernetes"]),
    "citus": ({"citus": {"database": "d", "group": 0}}, ["citus"]),
}


@pytest.fixture(scope="module")
def lone(hosts, programs):
    """A host without a cluster: what it is given must not even start."""
    net, work = hosts
    node = Node(net, "b1", 41, work, programs)
    node.write_config(node.default_config("e2e", ["10.77.0.99:2379"], DCS))
    yield node
    node.remove()


def validate(node, path):
    return node.run([node.programs.pghad, "--validate-config", path], user="postgres",
                    check=False, timeout=20)


def refused(node, path, words):
    """Both the check and the agent itself end at once and say why."""
    checked = validate(node, path)
    assert checked.returncode == 1, checked
    started = node.run([node.programs.pghad, path], user="postgres", check=False, timeout=20)
    assert started.returncode not in (0, None), started
    for word in words:
        assert word in checked.stdout, checked.stdout
        assert word in started.stdout, started.stdout


@pytest.mark.parametrize("case", sorted(BROKEN_FILES))
def test_broken_file(lone, case):
    text, words = BROKEN_FILES[case]
    node = lone
    path = os.path.join(node.dir, case + ".yml")
    if text is not None:
        with open(path, "wb") as f:
            f.write(text.encode("latin-1"))
    refused(node, path, words + [case])


@pytest.mark.parametrize("case", sorted(WRONG_VALUES))
def test_wrong_value(lone, case):
    changes, words = WRONG_VALUES[case]
    node = lone
    config, path = node.config, node.conf_path
    try:
        node.conf_path = os.path.join(node.dir, case + ".yml")
        node.write_config(merge(config, changes))
        refused(node, node.conf_path, words)
    finally:
        node.config, node.conf_path = config, path


def test_all_problems_are_told_at_once(lone):
    node = lone
    path = os.path.join(node.dir, "many.yml")
    with open(path, "w", encoding="ascii") as f:
        f.write("scope: e2e\nname: n1\nrestapi:\n  listen: 10.77.0.11:x\n"
                "etcd3:\n  host: 10.77.0.21:2379\nposgresql: {}\n"
                "postgresql:\n  listen: 10.77.0.11:5432\n  connect_address: 10.77.0.11:5432\n"
                "  data_dir: 5\n  use_pg_rewind: maybe\ntags:\n  nofailover: 3.5\n")
    done = validate(node, path)
    assert done.returncode == 1
    for word in ("restapi.listen", "postgresql.use_pg_rewind", "posgresql", "tags.nofailover",
                 "postgresql.authentication"):
        assert word in done.stdout, done.stdout
    assert ":4" in done.stdout, "the line of restapi.listen\n" + done.stdout


def test_good_file_is_valid(lone):
    done = validate(lone, lone.conf_path)
    assert done.returncode == 0, done.stdout


# -- etcd

GARBAGE = ["", "not json", "null", "[]", "7", '"text"', '{"ttl":', '{"ttl": "x", "loop_wait": []}',
           '{"conn_url": 5, "api_url": {}, "state": null, "role": [1]}',
           '{"leader": {}, "member": 3, "scheduled_at": true}',
           '[[1, "x"], "y", {}, [null, null, null, null, null, null]]',
           '{"optime": "zzz", "slots": [1], "retain_slots": {}}',
           b"\xff\xfe\x00\x01" * 16, '{"a":' * 3000, "x" * 1000000]
KEYS = ["config", "status", "history", "failover", "sync", "failsafe", "members/ghost",
        "optime/leader", "no/such/key", "members/"]


def is_object(text):
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def test_garbage_in_every_key(cluster, out):
    """The primary goes on, no agent dies, and afterwards everything is in order again."""
    leader, postmaster = cluster.leader(), cluster.leader().postmaster_pid()
    standby = cluster.replicas()[0]
    agents = [n.agent.pid for n in cluster.nodes]
    with cluster.writers(out) as w:
        for garbage in GARBAGE:
            for key in KEYS + ["members/" + standby.name, "members/" + leader.name]:
                # Any JSON object is a configuration, however odd: somebody may mean it.
                if key != "config" or not is_object(garbage):
                    cluster.etcd.put(cluster.prefix + key, garbage)
            time.sleep(0.3)
            assert all(n.agent_running() for n in cluster.nodes), garbage[:40]
            assert cluster.leader_name() == leader.name
        stays("%s leads" % leader.name, lambda: leader.rest("/primary").code == 200, TTL_S + 1)
        wait_for("the leader writes the lost configuration again",
                 lambda: leader.rest("/config").json() == cluster.dcs, 15)
        for key in ("members/ghost", "optime/leader", "no/such/key", "members/", "failsafe",
                    "sync", "failover"):
            cluster.etcd.delete(cluster.prefix + key)
        report = w.verdict(max_lost=0)
    assert [n.agent.pid for n in cluster.nodes] == agents
    assert leader.postmaster_pid() == postmaster
    assert report.longest_gap_ms() < 1000


@pytest.mark.parametrize("value", ["", "nobody", "x" * 100000, b"\xff\x00\xfe"],
                         ids=["empty", "nobody", "long", "binary"])
def test_garbage_in_the_leader_key(cluster, out, value):
    """Somebody else leads, by the word of etcd: the primary stops in time. When the garbage is
    taken away, somebody leads again."""
    with cluster.writers(out) as w:
        w.mark("leader key is garbage")
        cluster.etcd.put(cluster.prefix + "leader", value)
        wait_for("nobody is primary", lambda: cluster.primaries() == [], 2 * TTL_S)
        cluster.etcd.delete(cluster.prefix + "leader")
        w.mark("leader key is deleted")
        w.verdict(max_lost=0)


def test_garbage_in_the_initialize_key(cluster, out):
    leader, sysid = cluster.leader(), cluster.key("initialize")
    with cluster.writers(out) as w:
        for garbage in ("", "garbage", "x" * 10000, b"\xff\xfe"):
            cluster.etcd.put(cluster.prefix + "initialize", garbage)
            wait_for("the leader repairs it", lambda: cluster.key("initialize") == sysid, 10)
        cluster.etcd.delete(cluster.prefix + "initialize")
        wait_for("the leader writes it again", lambda: cluster.key("initialize") == sysid, 10)
        w.verdict(max_lost=0)
    assert cluster.leader() is leader


# -- REST

def raw(node, data, read=True, timeout=5):
    with socket.create_connection((node.addr, REST_PORT), timeout=timeout) as s:
        s.sendall(data)
        return s.recv(65536).decode("latin-1") if read else ""


def test_large_bodies_are_refused(cluster):
    leader = cluster.leader()
    big = b'{"x": "' + b"y" * (1 << 20) + b'"}'
    for method, path in (("PATCH", "/config"), ("PUT", "/config"), ("POST", "/restart"),
                         ("POST", "/switchover"), ("POST", "/reinitialize")):
        answer = leader.rest(path, method, big, timeout=10)
        assert answer.code in (0, 400, 413), (path, answer)
    assert "y" * 1000 not in leader.rest("/config").text
    assert cluster.is_whole() is leader


def test_bad_bodies_are_refused(cluster):
    node = cluster.replicas()[0]
    inode, before = node.data_inode(), node.postmaster_pid()
    for path, method, body, code in (
            ("/config", "PATCH", b"not json", 400), ("/config", "PATCH", b"[]", 400),
            ("/config", "PATCH", b"{}", 400), ("/config", "PUT", b"\xff\xfe", 400),
            ("/config", "PATCH", b'{"x": ' + b"[" * 40 + b"]" * 40 + b"}", 400),
            ("/config", "PUT", b'{"x": "' + b"y" * 300000 + b'"}', 400),
            ("/restart", "POST", b'{"nonsense": 1}', 400),
            ("/restart", "POST", b'{"role": "king"}', 400),
            ("/restart", "POST", b'{"timeout": "-5"}', 400),
            ("/restart", "POST", b'{"schedule": "yesterday"}', 422),
            ("/reinitialize", "POST", b"{broken", 400),
            ("/switchover", "POST", b"", 400), ("/switchover", "POST", b"[1]", 400),
            ("/switchover", "POST", b"{" * 100000, 400), ("/failover", "POST", b"{}", 400),
            ("/config", "DELETE", None, 501), ("/nonsense", "POST", b"{}", 501),
            ("/citus", "POST", b"{}", 501)):
        answer = node.rest(path, method, body)
        assert answer.code == code, (method, path, body, answer)
        # Neither where something is on this host, nor in which line of which program it failed.
        assert not re.search(r"/(tmp|var|run|home|usr|src)/|\.c:\d|Traceback", answer.text), answer
    assert (node.data_inode(), node.postmaster_pid()) == (inode, before)
    assert cluster.is_whole()


def test_garbage_instead_of_http(cluster):
    leader = cluster.leader()
    for data in (b"\x16\x03\x01\x02\x00" + os.urandom(500), b"\r\n" * 1000, b"GET\r\n\r\n",
                 b"GET /primary HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
                 b"POST /restart HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
                 b"POST /restart HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
                 b"PATCH /config HTTP/1.1\r\n\r\n",
                 b"GET /primary HTTP/1.1\r\n" + b"X-H: y\r\n" * 20000 + b"\r\n"):
        try:
            raw(leader, data, timeout=2)
        except OSError:
            pass
        assert leader.rest("/primary").code == 200
    assert leader.agent_running()


def test_slow_clients_delay_nobody(cluster, out):
    """Hundreds of connections that say nothing, or a byte now and then."""
    leader, born = cluster.leader(), cluster.etcd.get_kv(cluster.prefix + "leader")
    conns = []
    with cluster.writers(out) as w:
        try:
            for _ in range(300):
                s = socket.socket()
                s.setblocking(False)
                s.connect_ex((leader.addr, REST_PORT))
                conns.append(s)
            slowest = 0
            until = time.monotonic() + TTL_S + 1
            while time.monotonic() < until:
                for s in conns[::3]:
                    try:
                        s.send(b"G")
                    except OSError:
                        pass
                since = time.monotonic_ns()
                answer = leader.rest("/primary")
                slowest = max(slowest, elapsed_ms(since))
                assert answer.code == 200, answer
                time.sleep(0.2)
        finally:
            for s in conns:
                s.close()
        print("slowest /primary: %.0f ms" % slowest)
        assert slowest < 1000
        w.verdict(max_lost=0)
    now = cluster.etcd.get_kv(cluster.prefix + "leader")
    assert now["create_revision"] == born["create_revision"]


# -- what a host may lack

def listener(node, port):
    code = ("import socket, time; s = socket.socket(); "
            "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); "
            "s.bind(('0.0.0.0', %d)); s.listen(); print('up', flush=True); time.sleep(600)" % port)
    log = "listener-%d.log" % port
    proc = node.spawn(["/usr/bin/python3", "-c", code], log=log)
    wait_for("the port is taken", lambda: "up" in proc.log(), 5)
    return proc


def test_postgres_port_in_use(cluster, out):
    node = cluster.replicas()[0]
    inode = node.data_inode()
    with cluster.writers(out) as w:
        node.stop_agent()
        other = listener(node, PG_PORT)
        offset = node.log_size()
        node.start_agent()
        wait_for("the reason is told", lambda: node.addr in node.logged_since(offset) and
                 "already in use" in node.logged_since(offset), 20)
        assert node.agent_running()
        other.kill()
        other.wait()
        w.verdict(max_lost=0)
    assert node.data_inode() == inode


def test_rest_port_in_use(cluster):
    node = cluster.replicas()[0]
    node.stop_agent()
    other = listener(node, REST_PORT)
    offset = node.log_size()
    node.start_agent()
    assert node.agent.wait(10) != 0, "an agent that nobody can ask is of no use"
    told = node.logged_since(offset)
    assert node.addr in told and str(REST_PORT) in told and "already in use" in told, told
    other.kill()
    other.wait()
    node.start_agent()
    cluster.wait_whole()


SLACK_BYTES = 256 << 10  # a server that writes takes and gives back some all the time


def fill(node, leave_bytes):
    """Take the room on the node's own disk away; returns how to give it back."""
    ballast = node.path(node.data_parent + "/ballast")
    fd = os.open(ballast, os.O_CREAT | os.O_WRONLY, 0o600)

    def filled():
        # Others write meanwhile, so what is free at the look may be gone at the call.
        room = os.statvfs(node.path(node.data_parent))
        more = room.f_bavail * room.f_frsize - leave_bytes
        if more > 0:
            os.posix_fallocate(fd, os.fstat(fd).st_size, more)
        return more <= SLACK_BYTES
    wait_for("the disk of %s is full" % node.name, filled, 20, 0)
    os.close(fd)
    return lambda: os.unlink(ballast)


def test_too_little_room_for_a_clone(cluster, out):
    """Nothing is begun; the reason is told; with room it works."""
    node = cluster.replicas()[0]
    with cluster.writers(out) as w:
        node.kill_all()
        node.tmpfs(node.data_parent, "24m")
        try:
            offset = node.log_size()
            node.start_agent()
            wait_for("the reason is told", lambda: "no room" in node.logged_since(offset), 30)
            assert node.agent_running()
            node.run(["mount", "-o", "remount,size=1500m", node.data_parent])
            w.verdict(max_lost=0)
        finally:
            node.kill_all()
            node.umount(node.data_parent)
    cluster.make_whole()


def test_disk_gets_full_during_clone(cluster, out):
    """The copy was begun and cannot end: what it made is removed, and it is tried again."""
    node = cluster.replicas()[0]
    # Slow enough, and with little to be taken away, that the disk is full while it is under way.
    node.write_config(merge(node.config, {"postgresql": {
        "basebackup": [{"checkpoint": "fast"}, {"max-rate": "4M"}]}}))
    with cluster.writers(out) as w:
        node.kill_all()
        node.tmpfs(node.data_parent, "400m")
        try:
            offset, before = node.log_size(), set(os.listdir(node.path(node.data_parent)))
            node.start_agent()
            wait_for("the copy has begun", lambda: any(
                os.path.exists(node.path(os.path.join(node.data_parent, d, "base")))
                for d in set(os.listdir(node.path(node.data_parent))) - before), 30, 0.001)
            give_back = fill(node, 1 << 20)
            wait_for("the reason is told", lambda: "No space left on device"
                     in node.logged_since(offset), 30)
            assert node.agent_running()
            give_back()
            w.verdict(max_lost=0)
            left = set(os.listdir(node.path(node.data_parent)))
            assert not [d for d in left if d.startswith("data") and "log" not in d
                        and d not in ("data", "data.pgha-lock")], left
        finally:
            node.kill_all()
            node.umount(node.data_parent)
    cluster.make_whole()


def test_full_disk_during_reinit_keeps_the_old_data(cluster, out):
    node = cluster.replicas()[0]
    node.kill_all()
    node.tmpfs(node.data_parent, "1500m")
    try:
        node.start_agent()
        cluster.wait_whole()
        inode = node.data_inode()
        with cluster.writers(out) as w:
            give_back = fill(node, 20 << 20)
            offset = node.log_size()
            node.rest("/reinitialize", "POST", {}, timeout=30)
            wait_for("the reason is told", lambda: "no room" in node.logged_since(offset), 30)
            assert node.data_inode() == inode, "the old directory is all there is"
            give_back()
            w.verdict(max_lost=0)
    finally:
        node.kill_all()
        node.umount(node.data_parent)
    cluster.make_whole()


def test_etcd_answers_nonsense(cluster, out):
    """One of the endpoints is a web server that is no etcd: the others serve."""
    leader = cluster.leader()
    member = next(m for m in cluster.etcd.members if m is not cluster.etcd.leader())
    with cluster.writers(out) as w:
        member.kill_all()
        code = ("import http.server as h\n"
                "class H(h.BaseHTTPRequestHandler):\n"
                "    def do_POST(self):\n"
                "        self.send_response(200); self.end_headers()\n"
                "        self.wfile.write(b'<html>' + b'x' * 100000)\n"
                "    do_GET = do_POST\n"
                "    def log_message(self, *a): pass\n"
                "h.ThreadingHTTPServer(('%s', 2379), H).serve_forever()" % member.addr)
        fake = member.spawn(["/usr/bin/python3", "-c", code], log="fake.log")
        stays("%s leads" % leader.name, lambda: leader.rest("/primary").code == 200,
              2 * TTL_S)
        fake.kill()
        fake.wait()
        cluster.etcd.start()
        w.verdict(max_lost=0)
    assert cluster.leader() is leader
