# SPDX-License-Identifier: PostgreSQL
"""node - a database host: its pghad, its Postgres, its REST API"""

import glob
import http.client
import json
import os
import pwd
import shutil
import signal
import urllib.error
import urllib.request

import psycopg2
import yaml

from .host import Host
from .net import SUBNET
from .proc import alive, run, wait_for

REST_PORT = 8008
PG_PORT = 5432


def pg_bin():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(p.split("/")[4]))
    if not found:
        raise RuntimeError("no /usr/lib/postgresql/*/bin: scripts/install-deps installs it")
    return found[-1]


def chown_postgres(path):
    who = pwd.getpwnam("postgres")
    os.chown(path, who.pw_uid, who.pw_gid)


def merge(into, changes):
    """Nested dicts: objects recurse, None deletes, the rest replaces."""
    out = dict(into)
    for key, value in changes.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = merge(out[key], value)
        else:
            out[key] = value
    return out


class Answer:
    """What a REST call brought: a code and a text; code 0 is no answer at all."""

    def __init__(self, code, text):
        self.code, self.text = code, text

    def json(self):
        return json.loads(self.text)

    def __repr__(self):
        return "HTTP %d %s" % (self.code, self.text[:300])


def pg_lib():
    """Where the server looks for what it loads."""
    return run(os.path.join(pg_bin(), "pg_config"), "--pkglibdir").stdout.strip()


class Node(Host):
    """fence_lib: a directory like pg_lib() with the module in it, which this host has instead;
    disk_mb: the size of the data's own file system, 0 for none."""

    def __init__(self, net, name, octet, work, programs, fence_lib=None, disk_mb=0):
        super().__init__(net, name, octet, work)
        self.programs = programs
        self.agent = None
        self.data_parent = os.path.join(self.dir, "pg")
        self.data_dir = os.path.join(self.data_parent, "data")
        self.conf_path = os.path.join(self.dir, "pgha.yml")
        self.sock_dir = os.path.join(self.dir, "sock")
        self.log_dir = os.path.join(self.dir, "pglog")
        run_dir = os.path.join(self.dir, "run")
        if disk_mb:
            self.put_on_disk(self.data_parent, disk_mb)
        for d in (self.data_parent, self.sock_dir, self.log_dir, run_dir):
            os.makedirs(d, exist_ok=True)
            chown_postgres(d)
        self.bind(("/run/postgresql", self.sock_dir), ("/run/pgha", run_dir),
                  *([(pg_lib(), fence_lib)] if fence_lib else []))
        self.config = {}
        self.tls = None  # an ssl.SSLContext where REST is https

    # -- configuration

    def default_config(self, scope, etcd_hosts, dcs):
        return {
            "scope": scope,
            "namespace": "service",
            "name": self.name,
            "restapi": {"listen": "%s:%d" % (self.addr, REST_PORT),
                        "connect_address": "%s:%d" % (self.addr, REST_PORT)},
            "etcd3": {"hosts": etcd_hosts},
            "bootstrap": {
                "dcs": dcs,
                "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, "data-checksums"],
            },
            "postgresql": {
                "listen": "%s:%d" % (self.addr, PG_PORT),
                "connect_address": "%s:%d" % (self.addr, PG_PORT),
                "data_dir": self.data_dir,
                "bin_dir": pg_bin(),
                "pgpass": os.path.join(self.data_parent, "pgpass"),
                "use_unix_socket": True,
                "authentication": {
                    "superuser": {"username": "postgres", "password": "super secret"},
                    "replication": {"username": "replicator", "password": "repl'secret\\"},
                    "rewind": {"username": "rewinder", "password": "rewind secret"},
                },
                "pg_hba": [
                    "local all all trust",
                    "host all all %s scram-sha-256" % SUBNET,
                    "host replication replicator %s scram-sha-256" % SUBNET,
                ],
                "parameters": {
                    "unix_socket_directories": "/run/postgresql",
                    "logging_collector": "on",
                    "log_directory": self.log_dir,
                    "log_filename": "postgresql.log",
                    "log_line_prefix": "%m [%p] %q%u@%d ",
                    "log_checkpoints": "off",
                },
            },
            "log": {"level": "DEBUG"},
        }

    def write_config(self, config=None, text=None):
        if config is not None:
            self.config = config
        with open(self.conf_path, "w", encoding="utf-8") as f:
            f.write(text if text is not None else yaml.safe_dump(self.config, sort_keys=False))
        chown_postgres(self.conf_path)
        os.chmod(self.conf_path, 0o600)

    def change_config(self, **changes):
        self.write_config(merge(self.config, changes))

    # -- the agent

    def start_agent(self, **env):
        assert not self.agent_running(), "pghad already runs on " + self.name
        self.agent = self.spawn([self.programs.pghad, self.conf_path], user="postgres",
                                log="pghad.log", env=dict(os.environ, **env))
        return self.agent

    def agent_running(self):
        return self.agent is not None and self.agent.running()

    def kill_agent(self, sig=signal.SIGKILL, deadline_s=30):
        self.agent.kill(sig)
        return self.agent.wait(deadline_s)

    def stop_agent(self, deadline_s=30):
        """An orderly stop, as systemd does it."""
        code = self.kill_agent(signal.SIGTERM, deadline_s)
        assert code == 0, "pghad on %s left with %d" % (self.name, code)

    def start_postgres(self):
        """Postgres without an agent, on the data directory as it is."""
        return self.run([os.path.join(pg_bin(), "pg_ctl"), "-D", self.data_dir, "-w", "-l",
                         os.path.join(self.log_dir, "pg_ctl.log"), "start"], user="postgres",
                        stdout=None)

    def agent_pss_bytes(self):
        with open("/proc/%d/smaps_rollup" % self.agent.pid) as f:
            for line in f:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
        raise RuntimeError("no Pss of pid %d" % self.agent.pid)

    def agent_log(self):
        return self.agent.log()

    def log_size(self):
        """Where the agent's log ends now, for logged_since()."""
        try:
            return os.path.getsize(os.path.join(self.dir, "pghad.log"))
        except FileNotFoundError:
            return 0

    def logged_since(self, offset):
        with open(os.path.join(self.dir, "pghad.log"), "rb") as f:
            f.seek(offset)
            return f.read().decode("utf-8", "replace")

    # -- Postgres

    def postmaster_pid(self):
        """0 when no postmaster of this data directory lives."""
        try:
            with open(self.path(os.path.join(self.data_dir, "postmaster.pid"))) as f:
                pid = int(f.readline())
        except (FileNotFoundError, ValueError):
            return 0
        return pid if alive(pid) and pid in self.pids() else 0

    def postgres_pids(self):
        return self.pids_of("postgres")

    def conninfo(self, local=True):
        return "host=%s port=%d user=postgres dbname=postgres%s" % (
            self.sock_dir if local else self.addr, PG_PORT,
            "" if local else " password='super secret'")

    def connect(self, local=True, timeout_s=3):
        conn = psycopg2.connect(self.conninfo(local), connect_timeout=timeout_s,
                                options="-c statement_timeout=%d000" % max(timeout_s, 10))
        conn.autocommit = True
        return conn

    def sql(self, statement, *args, local=True):
        """All rows of one statement, [] for a statement that gives none."""
        conn = self.connect(local)
        try:
            with conn.cursor() as cur:
                cur.execute(statement, args or None)
                return cur.fetchall() if cur.description else []
        finally:
            conn.close()

    def sql1(self, statement, *args, local=True):
        return self.sql(statement, *args, local=local)[0][0]

    def timeline(self):
        """Of a primary: where it writes. Of a standby: what it receives."""
        if self.sql1("SELECT pg_is_in_recovery()"):
            rows = self.sql("SELECT received_tli FROM pg_stat_wal_receiver "
                            "WHERE status = 'streaming'")
            return rows[0][0] if rows else None
        return int(self.sql1("SELECT substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)"),
                   16)

    def controldata(self):
        out = self.run([os.path.join(pg_bin(), "pg_controldata"), self.data_dir],
                       user="postgres", env={"LC_ALL": "C", "PATH": os.environ["PATH"]}).stdout
        return {k.strip(): v.strip() for k, _, v in
                (line.partition(":") for line in out.splitlines())}

    def data_inode(self):
        """Which directory it is: a rewind keeps it, a clone puts another one in its place."""
        return os.stat(self.path(self.data_dir)).st_ino

    def wipe_data(self):
        shutil.rmtree(self.path(self.data_dir), ignore_errors=True)

    # -- REST

    def rest(self, path, method="GET", body=None, timeout=5, headers=None):
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = "%s://%s:%d%s" % ("https" if self.tls else "http", self.addr, REST_PORT, path)
        req = urllib.request.Request(url, data, headers or {}, method=method)
        try:
            with urllib.request.urlopen(req, timeout=timeout, context=self.tls) as r:
                return Answer(r.status, r.read().decode("utf-8", "replace"))
        except urllib.error.HTTPError as e:
            return Answer(e.code, e.read().decode("utf-8", "replace"))
        except (OSError, http.client.HTTPException) as e:
            return Answer(0, repr(e))

    def rest_inside(self, path, timeout=2):
        """The code of a GET from the host itself, which needs no network; 0 for no answer."""
        ask = ("import sys, urllib.request as u, urllib.error as e\n"
               "try: print(u.urlopen(sys.argv[1], timeout=%d).status)\n"
               "except e.HTTPError as x: print(x.code)\n"
               "except OSError: print(0)" % timeout)
        return int(self.run(["/usr/bin/python3", "-c", ask, "http://%s:%d%s"
                             % (self.addr, REST_PORT, path)]).stdout)

    def status(self):
        return self.rest("/patroni").json()

    def rule(self):
        """Id and name of the rule this member is on, for messages."""
        try:
            return self.status().get("pgha")
        except (ValueError, OSError):
            return None

    def wait_agent_up(self, deadline_s=20):
        wait_for("REST of %s answers" % self.name, lambda: self.rest("/patroni").code == 200,
                 deadline_s)
