# SPDX-License-Identifier: PostgreSQL
"""One temporary server with the module, and a lease page written as an agent would.

Environment: FENCE_MODULE, the library; FENCE_PAGE, the program that writes pages;
FENCE_PG_CONFIG, pg_config of the major version that the library was built for.
"""

import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

import psycopg2
import pytest

PORTS = iter(range(25000, 25900))
WORD_SEQUENCE = 3
WORD_BOOT = 4
LONG_MS = 10 * 60 * 1000


def as_postgres(argv):
    """Postgres refuses to run as root."""
    if os.geteuid() != 0:
        return argv
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *argv]


def run(argv, **options):
    done = subprocess.run(as_postgres(argv), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=120, **options)
    assert done.returncode == 0, "%s\n%s" % (argv, done.stdout)
    return done.stdout


def wait_for(what, seconds=20):
    """The first true answer of what(); a test that waits in vain fails."""
    end = time.monotonic() + seconds
    while True:
        answer = what()
        if answer:
            return answer
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def free_port():
    for port in PORTS:
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no free port")


def is_alive(pid):
    """A zombie can do no harm."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def processes_in(directory):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink("/proc/%s/cwd" % pid) == directory:
                found.append(int(pid))
        except OSError:
            pass
    return found


class Page:
    def __init__(self, base, program, name="n1"):
        self.run_dir = os.path.join(base, "run")
        self.name = name
        self.path = os.path.join(self.run_dir, "main", name, "lease")
        self.program = program

    def _write(self, *words):
        run([self.program, self.run_dir, "main", self.name, *words])

    def arm(self, in_ms=LONG_MS, raw_in_ms=None):
        """raw_in_ms: the gate on the other clock, where it is another."""
        self._write("arm", str(in_ms), str(in_ms if raw_in_ms is None else raw_in_ms))

    def disarm(self, reason):
        self._write("disarm", reason)

    def _poke(self, word, value):
        with open(self.path, "r+b") as f:
            f.seek(word * 8)
            f.write(struct.pack("=Q", value))

    def _peek(self, word):
        with open(self.path, "rb") as f:
            f.seek(word * 8)
            return struct.unpack("=Q", f.read(8))[0]

    def tear(self):
        """As if the agent had stopped in the middle of a write."""
        self._poke(WORD_SEQUENCE, self._peek(WORD_SEQUENCE) | 1)

    def age(self):
        """As if the machine had been booted since."""
        self._poke(WORD_BOOT, self._peek(WORD_BOOT) ^ 1)

    def remove(self):
        os.unlink(self.path)


class Server:
    """data directory, configuration and life of one Postgres."""

    def __init__(self, base, bindir, module, page, name="data"):
        self.base = base
        self.bindir = bindir
        self.module = module
        self.page = page
        self.data = os.path.join(base, name)
        self.port = 5432  # of the socket's name; nothing listens on it unless a test wants it
        self.sockets = base

    def tool(self, name):
        return os.path.join(self.bindir, name)

    def init(self):
        run([self.tool("initdb"), "-D", self.data, "-U", "postgres", "-A", "trust", "-N",
             "-E", "UTF8", "--locale=C"])
        self.configure()

    def configure(self, **more):
        settings = {
            "port": self.port, "unix_socket_directories": self.sockets,
            "listen_addresses": "", "fsync": "off", "shared_buffers": "16MB",
            "max_connections": 40, "max_prepared_transactions": 10, "wal_level": "logical",
            "autovacuum_naptime": "1s", "log_line_prefix": "%m %p %a ", "max_wal_senders": 5,
            "shared_preload_libraries": self.module, "pgha_fence.page": self.page.path,
        }
        settings.update(more)
        path = os.path.join(self.data, "postgresql.auto.conf")
        with open(path, "w") as f:
            for name, value in settings.items():
                f.write("%s = '%s'\n" % (name, value))
        if os.geteuid() == 0:
            shutil.chown(path, "postgres", "postgres")

    def listen(self):
        """Before it is configured: on loopback too."""
        self.port = free_port()
        return {"listen_addresses": "127.0.0.1", "port": self.port}

    def log_path(self):
        return self.data + ".log"

    def log(self):
        with open(self.log_path(), errors="replace") as f:
            return f.read()

    def start(self):
        run([self.tool("pg_ctl"), "-D", self.data, "-w", "-t", "60", "-l", self.log_path(),
             "start"])

    def stop(self, how="immediate"):
        if os.path.exists(os.path.join(self.data, "postmaster.pid")):
            if is_alive(self.postmaster()):
                run([self.tool("pg_ctl"), "-D", self.data, "-w", "-t", "60", "-m", how, "stop"])
            else:
                # A launcher may wait for ever for a lock that a killed client held.
                for pid in processes_in(self.data):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            wait_for(lambda: not processes_in(self.data))

    def restart(self, **settings):
        self.stop("fast")
        self.configure(**settings)
        self.start()

    def reload(self, **settings):
        """Done when a new session has the values."""
        self.configure(**settings)
        pid = self.postmaster()
        os.kill(pid, signal.SIGHUP)
        for name, value in settings.items():
            wait_for(lambda: self.ask("show " + name) == str(value))

    def postmaster(self):
        with open(os.path.join(self.data, "postmaster.pid")) as f:
            return int(f.readline())

    def connect(self, host=None, autocommit=True, name="test"):
        c = psycopg2.connect(host=host or self.sockets, port=self.port, user="postgres",
                             dbname="postgres", application_name=name, connect_timeout=10)
        c.autocommit = autocommit
        return c

    def ask(self, text):
        c = self.connect(name="ask")
        try:
            with c.cursor() as k:
                k.execute(text)
                return k.fetchone()[0] if k.description else None
        finally:
            c.close()

    def status(self):
        return json.loads(self.ask("show pgha_fence.status"))

    def count(self, name):
        return self.status()[name]


class Background:
    """One statement on a connection of its own, and what became of it."""

    def __init__(self, server, *statements, host=None):
        self.connection = server.connect(host=host, name="background")
        self.pid = self.connection.get_backend_pid()
        self.outcome = None
        self.thread = threading.Thread(target=self._run, args=statements, daemon=True)
        self.thread.start()

    def _run(self, *statements):
        try:
            with self.connection.cursor() as k:
                for text in statements:
                    k.execute(text)
            self.outcome = "done"
        except psycopg2.Error as e:
            self.outcome = e

    def result(self, seconds=20):
        self.thread.join(seconds)
        assert not self.thread.is_alive(), "still at it"
        return self.outcome

    def was_cut(self):
        """Neither success nor an error of the server's: the connection is gone."""
        outcome = self.result()
        return (isinstance(outcome, (psycopg2.OperationalError, psycopg2.InterfaceError))
                and outcome.pgcode is None and self.connection.closed != 0)


def make_base():
    base = tempfile.mkdtemp(prefix="pgha-fence.")
    os.chmod(base, 0o755)
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(base, user.pw_uid, user.pw_gid)
    return base


@pytest.fixture(scope="session")
def base():
    path = make_base()
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def tools(base):
    """(bindir, module, page program), where the user postgres can read them."""
    config = os.environ.get("FENCE_PG_CONFIG", "pg_config")
    bindir = subprocess.check_output([config, "--bindir"], text=True).strip()
    module = shutil.copy(os.environ["FENCE_MODULE"], os.path.join(base, "pgha_fence.so"))
    program = shutil.copy(os.environ["FENCE_PAGE"], os.path.join(base, "page"))
    for path in (module, program):
        os.chmod(path, 0o755)
    return bindir, module, program


@pytest.fixture(scope="session")
def template(base, tools):
    """A data directory to be copied: initdb takes its time."""
    bindir, module, program = tools
    server = Server(base, bindir, module, Page(base, program), "template")
    server.init()
    return server.data


@pytest.fixture
def make_server(tools, template):
    """Servers of one test's own, not started."""
    made = []

    def make(copy=True, **settings):
        bindir, module, program = tools
        path = make_base()
        server = Server(path, bindir, module, Page(path, program))
        made.append(server)
        if copy:
            run(["cp", "-a", template, server.data])
            server.configure(**settings)
        return server

    yield make
    for server in made:
        server.stop()
        shutil.rmtree(server.base, ignore_errors=True)


@pytest.fixture(scope="session")
def shared(base, tools, template):
    bindir, module, program = tools
    server = Server(base, bindir, module, Page(base, program, "shared"), "shared")
    run(["cp", "-a", template, server.data])
    server.configure()
    server.page.arm()
    server.start()
    server.ask("create table t (i int, at timestamptz default clock_timestamp())")
    server.ask("create sequence s")
    yield server
    server.stop()


@pytest.fixture
def server(shared):
    """The shared server, with its lease in force and its table empty."""
    shared.page.arm()
    shared.ask("truncate t")
    yield shared
    shared.page.arm()
