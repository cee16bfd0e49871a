# SPDX-License-Identifier: PostgreSQL
"""pghad --generate-config from a real server, and --generate-sample-config.

Environment: PGHAD, the program (default: beside hactl)."""

import glob
import os
import pwd
import shutil
import subprocess

import pytest
import yaml

from conftest import free_port, program

USER = "postgres"


def bin_dir():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    found += [p for p in [shutil.which("initdb")] if p]
    return os.path.dirname(os.path.realpath(found[-1])) if found else None


def as_owner(*args, env=None, code=0):
    """Servers do not run as root; neither does what looks at their processes."""
    words = list(args)
    if os.getuid() == 0:
        words = ["setpriv", "--reuid", USER, "--regid", USER, "--init-groups", *words]
    done = subprocess.run(words, env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **(env or {})},
                          text=True, capture_output=True, timeout=60, check=False, cwd="/")
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done


@pytest.fixture(scope="module")
def pghad(tmp_path_factory):
    """A copy: the owner of a server may be kept out of the directory that it was built in."""
    path = os.environ.get("PGHAD", os.path.join(os.path.dirname(program()), "pghad"))
    place = tmp_path_factory.mktemp("bin")
    for up in [place, *place.parents][:3]:
        os.chmod(up, 0o755)
    return shutil.copy(path, place / "pghad")


class Server:
    def __init__(self, top):
        self.port, self.top, self.data = free_port(), str(top), "%s/data" % top
        if os.getuid() == 0:
            shutil.chown(top, USER)
        as_owner(bin_dir() + "/initdb", "-k", "-N", "-U", USER, "-D", self.data)
        self.write("postgresql.conf", """
            port = %d
            unix_socket_directories = '%s'
            listen_addresses = 'localhost'
            cluster_name = 'shop'
            fsync = off
            max_connections = 77
            archive_mode = on
            archive_command = 'test "it''s" != ": #" && true'
            work_mem = 5MB
        """ % (self.port, top))
        self.write("pg_hba.conf", "# a comment\n\nhost all all 10.0.0.0/8 scram-sha-256  # the net\n")
        self.ctl("start")
        self.dsn = "host=%s port=%d" % (top, self.port)

    def write(self, name, text):
        with open("%s/%s" % (self.data, name), "a", encoding="utf-8") as f:
            f.write("\n".join(line.strip() for line in text.split("\n")))

    def ctl(self, *args):
        as_owner(bin_dir() + "/pg_ctl", "-w", "-m", "immediate", "-D", self.data, "-l",
                 self.top + "/log", *args)

    def sql(self, text):
        as_owner(bin_dir() + "/psql", "-XAtq", "-U", USER, "-h", self.top, "-p", str(self.port),
                 "-c", text)


@pytest.fixture(scope="module")
def server(tmp_path_factory, pghad):
    if bin_dir() is None:
        pytest.skip("no PostgreSQL server is installed")
    top = tmp_path_factory.mktemp("pg")
    os.chmod(top, 0o755)
    server = Server(top)
    yield server
    server.ctl("stop")


def test_of_a_running_server(server, pghad):
    done = as_owner(pghad, "--generate-config", "--dsn", server.dsn)
    conf = yaml.safe_load(done.stdout)
    pg, dcs = conf["postgresql"], conf["bootstrap"]["dcs"]
    assert conf["scope"] == "shop" and pg["data_dir"] == server.data
    assert os.path.realpath(pg["bin_dir"]) == bin_dir()
    assert pg["use_unix_socket"] is True
    assert pg["authentication"]["superuser"] == {"username": USER}
    # Shared with all members, but commands, which whoever writes to etcd could change.
    shared = dcs["postgresql"]["parameters"]
    assert shared["max_connections"] == 77 and shared["work_mem"] == "5MB"
    assert shared["archive_mode"] == "on" and "port" not in shared and "cluster_name" not in shared
    assert "archive_command" not in shared
    assert pg["parameters"] == {"archive_command": 'test "it\'s" != ": #" && true'}
    assert dcs["postgresql"]["use_pg_rewind"] is True
    assert "host all all 10.0.0.0/8 scram-sha-256  # the net" in pg["pg_hba"]
    assert not [line for line in pg["pg_hba"] if line.startswith("#")]
    assert pg["listen"].startswith("localhost,") and pg["listen"].endswith(":%d" % server.port)
    assert "there is no such role yet: CREATE ROLE replicator" in done.stdout
    assert done.stderr == "generated: look at the lines with CHECK\n"


def test_what_is_written_can_be_used(server, pghad):
    path = server.top + "/made.yml"
    server.sql("create role streamer login replication; create role app login")
    env = {"PATRONI_SCOPE": "other", "PATRONI_NAME": "n7", "PATRONI_ETCD3_HOSTS": "10.9.9.9:2379",
           "PGUSER": USER, "PGPASSWORD": "it's: secret #"}
    done = as_owner(pghad, "--generate-config", "--dsn", server.dsn, path, env=env)
    assert done.stdout == "" and os.stat(path).st_mode & 0o777 == 0o600
    assert pwd.getpwuid(os.stat(path).st_uid).pw_name == USER or os.getuid() != 0
    done = as_owner(pghad, "--validate-config", "-i", path)
    assert done.stdout == "%s: can be used\n" % path and done.stderr == ""
    with open(path, encoding="utf-8") as f:
        conf = yaml.safe_load(f)
    assert (conf["scope"], conf["name"], conf["etcd3"]["hosts"]) == ("other", "n7", "10.9.9.9:2379")
    auth = conf["postgresql"]["authentication"]
    assert auth["superuser"] == {"username": USER, "password": "it's: secret #"}
    assert auth["replication"]["username"] == "streamer"
    # Nothing is overwritten half: a directory that is not there changes nothing.
    done = as_owner(pghad, "--generate-config", "--dsn", server.dsn, "/nonexistent/x.yml", code=1)
    assert "/nonexistent/x.yml" in done.stderr


def test_what_pghad_would_not_take_is_told(server, pghad):
    server.sql("alter system set wal_keep_size = '1MB'")
    server.sql("select pg_reload_conf()")
    try:
        done = as_owner(pghad, "--generate-config", "--dsn", server.dsn)
        assert "wal_keep_size: '1MB' is not accepted, the least is 16MB" in done.stderr
    finally:
        server.sql("alter system reset wal_keep_size")
        server.sql("select pg_reload_conf()")


@pytest.mark.parametrize("dsn, told", [
    ("host=/nonexistent", "cannot connect to the server, see --dsn: "),
    ("hst=x", 'connection string: invalid connection option "hst"'),
    ("{dsn} user=app", "is no superuser: name one that is with --dsn"),
])
def test_what_cannot_be_is_told(server, pghad, dsn, told):
    done = as_owner(pghad, "--generate-config", "--dsn", dsn.format(dsn=server.dsn), code=1)
    assert done.stdout == "" and told in done.stderr and done.stderr.count("\n") == 1


def test_files_without_lines(server, pghad):
    ident = server.data + "/pg_ident.conf"
    for change in (lambda: os.truncate(ident, 0), lambda: os.remove(ident)):
        change()
        done = as_owner(pghad, "--generate-config", "--dsn", server.dsn)
        assert "pg_hba:" in done.stdout and "pg_ident:" not in done.stdout


def test_a_server_of_another_host(server, pghad):
    pid = server.data + "/postmaster.pid"
    os.rename(pid, pid + ".away")
    try:
        done = as_owner(pghad, "--generate-config", "--dsn", server.dsn, code=1)
    finally:
        os.rename(pid + ".away", pid)
    assert done.stdout == "" and "run this on the host of the server, as its owner: " in done.stderr
    assert "there is no '%s'" % pid in done.stderr


def test_usage(pghad):
    for words in (["--dsn", "host=/tmp"], ["--generate-config", "a", "b"]):
        assert as_owner(pghad, *words, code=2).stderr.startswith("Usage: ")


def test_the_sample_can_be_used(pghad, tmp_path):
    (tmp_path / "x.yml").write_text(as_owner(pghad, "--generate-sample-config").stdout)
    done = subprocess.run([pghad, "--validate-config", "-i", str(tmp_path / "x.yml")], text=True,
                          capture_output=True, check=False)
    assert done.returncode == 0 and done.stdout.endswith(": can be used\n") and done.stderr == ""
