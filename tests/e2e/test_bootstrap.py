# SPDX-License-Identifier: PostgreSQL
"""From nothing to a whole cluster"""

import os

from lib.net import SUBNET
from lib.node import chown_postgres, pg_bin
from lib.proc import stays, wait_for


def script(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o755)
    return path


def test_bootstrap_waits_for_etcd_then_one_creates_the_rest_clone(fresh):
    post = script(fresh.work + "/post_bootstrap",
                  'exec psql -X -v ON_ERROR_STOP=1 "$1" -c "CREATE TABLE post_bootstrap ()"\n')
    fresh.local = {"bootstrap": {"post_bootstrap": post}}
    for n in fresh.nodes:
        fresh.reset_config(n)
        n.start_agent()
    for n in fresh.nodes:
        wait_for("%s says that etcd is away" % n.name,
                 lambda n=n: "etcd" in n.agent_log() and n.agent_running(), 10)
    stays("nothing is created without etcd", lambda: not any(
        os.path.exists(n.data_dir + "/PG_VERSION") for n in fresh.nodes), 1)

    fresh.etcd.start()
    leader = fresh.wait_whole(60)
    assert sum("initdb" in n.agent_log() for n in fresh.nodes) >= 1
    sysid = fresh.key("initialize")
    assert {n.controldata()["Database system identifier"] for n in fresh.nodes} == {sysid}
    assert leader.timeline() == 1
    assert leader.rest("/config").json() == fresh.dcs

    assert leader.sql1("SELECT to_regclass('post_bootstrap') IS NOT NULL")
    roles = dict((r[0], r[1:]) for r in leader.sql(
        "SELECT rolname, rolsuper, rolreplication, rolcanlogin FROM pg_roles"))
    assert roles["replicator"] == (False, True, True)
    assert roles["rewinder"] == (False, False, True)
    assert leader.sql1("SELECT count(*) FROM unnest(ARRAY["
                       "'pg_ls_dir(text,bool,bool)', 'pg_stat_file(text,bool)',"
                       "'pg_read_binary_file(text)',"
                       "'pg_read_binary_file(text,bigint,bigint,bool)']) f "
                       "WHERE has_function_privilege('rewinder', f, 'EXECUTE')") == 4
    # By password over TCP, so all three work.
    for user, password in (("postgres", "super secret"), ("rewinder", "rewind secret")):
        done = leader.run(["psql", "-X", "-h", leader.addr, "-U", user, "-d", "postgres", "-Atc",
                           "SELECT 1"], env={"PGPASSWORD": password, "PATH": os.environ["PATH"]})
        assert done.stdout.strip() == "1"
    for n in fresh.nodes:
        assert "secret" not in n.agent_log().replace("peer_secret_file", "")


def test_passwords_are_stored_as_pg_hba_asks(fresh):
    """PostgreSQL 13 stores them as md5 unless it is told, which lines with scram-sha-256 refuse.
    The agent logs in by such a line too, from its first connection on."""
    secrets = {"postgres": "sup'er\\ secret", "replicator": "repl secret",
               "rewinder": "rewind secret", "app": "app secret"}
    fresh.local = {
        "bootstrap": {"pg_hba": ["host all all %s scram-sha-256 # not md5" % SUBNET,
                                 "host replication replicator %s scram-sha-256" % SUBNET]},
        "postgresql": {"pg_hba": None, "use_unix_socket": False, "authentication": {
            role: {"password": secrets[user]} for role, user in (
                ("superuser", "postgres"), ("replication", "replicator"),
                ("rewind", "rewinder"))}},
    }
    for n in fresh.nodes:
        fresh.reset_config(n)
    fresh.start()
    leader = fresh.leader()
    leader.sql("CREATE ROLE app LOGIN PASSWORD %s", secrets["app"])
    stored = dict(leader.sql("SELECT rolname, rolpassword FROM pg_authid WHERE rolcanlogin"))
    assert set(stored) == set(secrets)
    assert all(text.startswith("SCRAM-SHA-256$") for text in stored.values()), stored
    for user, password in secrets.items():
        done = leader.run(["psql", "-X", "-h", leader.addr, "-U", user, "-d", "postgres", "-Atc",
                           "SELECT 1"], env={"PGPASSWORD": password, "PATH": os.environ["PATH"]})
        assert done.stdout.strip() == "1"
    for n in fresh.nodes:
        assert "secret" not in n.agent_log().replace("peer_secret_file", "")


def test_failed_bootstrap_gives_the_race_back(fresh):
    """It removes what it made and nothing else; another member may then do better."""
    one, two, three = fresh.nodes
    bad = script(fresh.work + "/bad_bootstrap", "echo broken on purpose >&2\nexit 3\n")
    one.change_config(bootstrap={"post_bootstrap": bad})
    precious = one.data_parent + "/precious"
    with open(precious, "w", encoding="ascii") as f:
        f.write("not yours\n")
    fresh.etcd.start()
    fresh.etcd.wait_ready()
    one.start_agent()
    wait_for("the failure is told", lambda: "post_bootstrap" in one.agent_log(), 30)
    wait_for("the race is given back", lambda: fresh.key("initialize") is None, 15)
    assert fresh.key("leader") is None
    wait_for("Postgres is stopped", lambda: not one.postgres_pids(), 15)
    if one.agent_running():
        one.kill_agent()
    one.kill_all()
    assert not os.path.exists(one.data_dir + "/PG_VERSION")
    assert os.path.exists(precious)

    two.start_agent()
    three.start_agent()
    assert fresh.wait_leader(deadline_s=30) in (two, three)
    one.start_agent()
    assert fresh.wait_whole(60) in (two, three)


def test_existing_data_directory_is_adopted(fresh):
    one, two, three = fresh.nodes
    one.run([pg_bin() + "/initdb", "-D", one.data_dir, "-U", "postgres", "-A", "trust", "-k",
             "-N", "--locale=C", "-E", "UTF8"], user="postgres")
    with open(one.data_dir + "/postgresql.conf", "a", encoding="ascii") as f:
        f.write("unix_socket_directories = '/run/postgresql'\nlisten_addresses = ''\n"
                "password_encryption = 'scram-sha-256'\n")  # 13 has another default
    one.start_postgres()
    one.sql("CREATE TABLE old_data AS SELECT 42 AS answer")
    one.sql("CREATE ROLE replicator REPLICATION LOGIN PASSWORD %s", "repl'secret\\")
    one.sql("ALTER ROLE postgres PASSWORD 'super secret'")
    one.sql("CREATE ROLE rewinder SUPERUSER LOGIN PASSWORD 'rewind secret'")
    one.run([pg_bin() + "/pg_ctl", "-D", one.data_dir, "-w", "-m", "fast", "stop"],
            user="postgres")
    sysid, inode = one.controldata()["Database system identifier"], one.data_inode()

    fresh.etcd.start()
    fresh.etcd.wait_ready()
    one.start_agent()
    assert fresh.wait_leader(deadline_s=30) is one
    two.start_agent()
    three.start_agent()
    assert fresh.wait_whole(60) is one
    assert (fresh.key("initialize"), one.data_inode()) == (sysid, inode)
    assert [n.sql1("SELECT answer FROM old_data") for n in fresh.nodes] == [42] * 3


def test_foreign_data_directory_is_refused_untouched(cluster):
    node = cluster.replicas()[0]
    node.stop_agent()
    own = node.data_parent + "/own"
    os.rename(node.data_dir, own)
    node.run([pg_bin() + "/initdb", "-D", node.data_dir, "-U", "postgres", "-A", "trust", "-N",
              "--locale=C"], user="postgres")
    foreign, inode = node.controldata()["Database system identifier"], node.data_inode()
    offset = node.log_size()
    node.start_agent()
    wait_for("both identifiers are told", lambda: foreign in node.logged_since(offset) and
             cluster.key("initialize") in node.logged_since(offset), 15)
    stays("it is left alone", lambda: node.data_inode() == inode and not node.postgres_pids(), 2)
    assert node.controldata()["Database system identifier"] == foreign
    assert cluster.leader().rest("/primary").code == 200

    if node.agent_running():
        node.kill_agent()
    os.rename(node.data_dir, node.data_parent + "/foreign")
    os.rename(own, node.data_dir)
    chown_postgres(node.data_dir)
    node.start_agent()
    cluster.wait_whole()
