# SPDX-License-Identifier: PostgreSQL
"""hactl against a real etcd and false members: what it asks, what it prints, how it ends.

Environment: HACTL, the program (default: the newest build*/hactl of the tree)."""

import base64
import codecs
import fcntl
import glob
import http.server
import json
import os
import pty
import re
import shutil
import socket
import ssl
import struct
import subprocess
import termios
import threading
import time
import types
import urllib.request

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
PORTS = iter(range(23100, 24000))
SYSID = "7710500522913725001"


def free_port():
    for port in PORTS:
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no free port")


def program():
    if "HACTL" in os.environ:
        return os.path.abspath(os.environ["HACTL"])
    found = glob.glob(os.path.join(TOP, "build*", "hactl"))
    return max(found, key=os.path.getmtime, default=None)


class Etcd:
    """One member on loopback, spoken to through its gateway."""

    def __init__(self, data_dir):
        self.port = free_port()
        peer = "http://127.0.0.1:%d" % free_port()
        self.url = "http://127.0.0.1:%d" % self.port
        self.process = subprocess.Popen(
            [shutil.which("etcd"), "--name", "e", "--data-dir", data_dir,
             "--listen-client-urls", self.url, "--advertise-client-urls", self.url,
             "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
             "--initial-cluster", "e=" + peer],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while True:
            try:
                self.put("/up", "yes")
                return
            except OSError:
                assert time.monotonic() < deadline, "etcd does not start"
                time.sleep(0.05)

    def call(self, path, **body):
        for key in ("key", "value", "range_end"):
            if key in body:
                body[key] = base64.b64encode(body[key].encode()).decode()
        request = urllib.request.Request(self.url + "/v3" + path, json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=5) as reply:
            return json.load(reply)

    def put(self, key, value):
        if not isinstance(value, str):
            value = json.dumps(value)
        self.call("/kv/put", key=key, value=value)

    def get(self, key):
        kvs = self.call("/kv/range", key=key).get("kvs")
        return base64.b64decode(kvs[0].get("value", "")).decode() if kvs else None

    def keys(self, prefix):
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        kvs = self.call("/kv/range", key=prefix, range_end=end).get("kvs", [])
        return [base64.b64decode(kv["key"]).decode() for kv in kvs]

    def stop(self):
        self.process.kill()
        self.process.wait()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def answer(self):
        member = self.server.member
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        path = self.path.split("?")[0]
        member.requests.append((self.command, path, json.loads(body) if body else None))
        member.headers.append(dict(self.headers))
        answers = member.answers.get((self.command, path))
        code, text = answers.pop(0) if isinstance(answers, list) else answers or (404, "no")
        if callable(text):
            text = text()
        pieces = text if isinstance(text, types.GeneratorType) else [
            text if isinstance(text, str) else json.dumps(text)]
        self.send_response(code)
        self.end_headers()
        for piece in pieces:
            self.wfile.write(piece.encode())
            self.wfile.flush()

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = answer

    def log_message(self, *args):
        pass


class Member:
    """A false REST API: answers as told, remembers what it was asked."""

    def __init__(self, name, tls=None):
        self.name = name
        self.port = free_port()
        self.requests, self.headers, self.answers = [], [], {}
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.member = self
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = "%s://127.0.0.1:%d" % ("https" if tls else "http", self.port)
        self.running = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        if self.running:
            self.running = False
            self.server.shutdown()
            self.server.server_close()


class World:
    """A cluster of keys in etcd with false members behind them."""

    def __init__(self, etcd, scope, tmp_path):
        self.etcd, self.scope, self.tmp = etcd, scope, tmp_path
        self.members = {}
        self.config = {"ttl": 20, "loop_wait": 1, "retry_timeout": 5,
                       "postgresql": {"parameters": {"max_connections": 50}}}
        self.put("initialize", SYSID)
        self.put("config", self.config)
        self.put("status", {"optime": 67382744})
        for i in range(3):
            self.add("node%d" % i, 15432 + i)
        self.put("leader", "node0")

    def key(self, name):
        return "/service/%s/%s" % (self.scope, name)

    def put(self, name, value):
        self.etcd.put(self.key(name), value)

    def get(self, name):
        text = self.etcd.get(self.key(name))
        try:
            return json.loads(text) if text is not None else None
        except ValueError:
            return text

    def add(self, name, port, tls=None, **more):
        member = self.members[name] = Member(name, tls)
        self.show(name, port, **more)
        return member

    def show(self, name, port=None, **more):
        """Writes the member's key."""
        old = self.get("members/" + name) or {}
        leads = name == "node0"
        value = {"conn_url": old.get("conn_url") or "postgres://127.0.0.1:%d/postgres" % port,
                 "api_url": self.members[name].url + "/patroni", "state": "running",
                 "role": "primary" if leads else "replica", "version": "4.1.4",
                 "xlog_location": 67382744, "timeline": 1}
        if not leads:
            value.update(replay_lsn=67382744, receive_lsn=67382744, replication_state="streaming")
        value.update(more)
        self.put("members/" + name, value)

    def hactl(self, *args, stdin="", env=None, options=None, code=0):
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.tmp), "TZ": "UTC",
                   "PATRONI_SCOPE": self.scope}
        environ.update(env or {})
        environ = {name: value for name, value in environ.items() if value is not None}
        options = ["-d", "etcd3://127.0.0.1:%d" % self.etcd.port] if options is None else options
        done = subprocess.run([program(), *options, *args], input=stdin, env=environ, text=True,
                              capture_output=True, timeout=60, check=False)
        assert code is None or done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done

    def stop(self):
        for member in self.members.values():
            member.stop()


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, world, *args, env=None, rows=24, columns=100):
        self.open(rows, columns)
        environ = {"PATH": os.environ["PATH"], "TERM": "xterm", "LC_ALL": "C.UTF-8", "TZ": "UTC",
                   "PATRONI_SCOPE": world.scope}
        environ.update(env or {})
        self.start([program(), "-d", "etcd3://127.0.0.1:%d" % world.etcd.port, *args], environ)

    def open(self, rows, columns):
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.text = ""
        # What can be read at once may end in the middle of a letter.
        self.decode = codecs.getincrementaldecoder("utf-8")().decode
        os.set_blocking(self.master, False)

    def start(self, words, environ, cwd=None):
        self.process = subprocess.Popen(
            words, env=environ, cwd=cwd, stdin=self.slave, stdout=self.slave, stderr=self.slave,
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        """False: there is nothing at the moment."""
        try:
            self.text += self.decode(os.read(self.master, 65536))
            return True
        except BlockingIOError:
            time.sleep(0.02)
            return False

    def wait(self, text, limit_s=20, since=0):
        """Until it stands in what was printed from there on; where it ends."""
        deadline = time.monotonic() + limit_s
        while text not in self.text[since:]:
            assert time.monotonic() < deadline, (text, self.text[-2000:])
            self.read()
        return self.text.index(text, since) + len(text)

    def wait_quiet(self, quiet_s=0.15, limit_s=20):
        """Until nothing more comes: whoever reads the keys has done what they asked for."""
        deadline = time.monotonic() + limit_s
        last = time.monotonic()
        while time.monotonic() - last < quiet_s and time.monotonic() < deadline:
            if self.read():
                last = time.monotonic()

    def end(self, code):
        assert self.process.wait(timeout=20) == code
        self.wait("\033[?1049l", 2)
        assert self.text.endswith("\033[0m\033[?25h\033[?1049l"), self.text[-100:]
        assert termios.tcgetattr(self.slave) == self.before

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture(scope="session")
def etcd(tmp_path_factory):
    server = Etcd(str(tmp_path_factory.mktemp("etcd")))
    yield server
    server.stop()


@pytest.fixture
def world(etcd, request, tmp_path):
    world = World(etcd, re.sub("[^A-Za-z0-9_]+", "-", request.node.name)[:50], tmp_path)
    yield world
    world.stop()


@pytest.fixture
def terminal(world):
    """Makes terminals with a program on each: terminal("watch", env=..., rows=..., columns=...)."""
    opened = []

    def make(*args, **more):
        opened.append(Terminal(world, *args, **more))
        return opened[-1]

    yield make
    for one in opened:
        one.close()
