# SPDX-License-Identifier: PostgreSQL
"""What hactl prints for clients and load balancers, with the real programs"""

import contextlib
import os
import shutil

import psycopg2
import pytest

from lib.cluster import PATIENCE
from lib.node import chown_postgres
from lib.proc import wait_for

POOL_PORT = 6432
WHO = "user=postgres dbname=postgres password='super secret'"
SOON_S = 15 * PATIENCE


def program(name):
    found = shutil.which(name, path="/usr/sbin:/usr/bin")
    if not found:
        pytest.skip("no %s here" % name)
    return found


@contextlib.contextmanager
def running(host, argv, user=None, log="proxy.log"):
    proc = host.spawn(argv, user=user, log=log)
    try:
        yield proc
    finally:
        proc.kill()
        proc.wait(10)
        host.procs.remove(proc)


def reached(dsn):
    """The address of the server behind it, and whether it is a standby."""
    conn = psycopg2.connect(dsn + " connect_timeout=3")
    try:
        with conn.cursor() as cur:
            cur.execute("SELECT host(inet_server_addr()), pg_is_in_recovery()")
            return cur.fetchone()
    finally:
        conn.close()


def leads_to(dsn, node):
    with contextlib.suppress(psycopg2.Error):
        return reached(dsn) == (node.addr, False)
    return False


def switch(cluster):
    new = cluster.replicas()[0]
    cluster.hactl("switchover", "--candidate", new.name, "--force")
    cluster.wait_whole()
    return new


def test_dsn_finds_primary_and_standbys(cluster):
    leader = cluster.leader()
    assert cluster.hactl("dsn").stdout == "host=%s port=5432\n" % leader.addr
    for how in ("--all", "--uri"):
        dsn = cluster.hactl("dsn", how).stdout.strip()
        if how == "--uri":
            dsn += "&user=postgres&dbname=postgres&password=super%20secret"
            with contextlib.closing(psycopg2.connect(dsn)) as conn, conn.cursor() as cur:
                cur.execute("SELECT pg_is_in_recovery()")
                assert cur.fetchone() == (False,)
        else:
            assert reached(dsn.replace(" connect_timeout=2", " ") + " " + WHO) == (leader.addr,
                                                                                   False)
    dsn = cluster.hactl("dsn", "--all", "-r", "replica").stdout.strip()
    assert reached(dsn.replace(" connect_timeout=2", " ") + " " + WHO)[1] is True


def test_pgbouncer_is_kept_true(cluster, hosts):
    host = cluster.nodes[0]
    place = os.path.join(hosts[1], "pgbouncer")
    shutil.rmtree(place, ignore_errors=True)
    os.makedirs(place)
    chown_postgres(place)
    databases, ini, pid = (os.path.join(place, n) for n in ("db.ini", "pgbouncer.ini", "pid"))
    cluster.hactl("proxy-config", "pgbouncer", "-o", databases)
    with open(os.path.join(place, "users"), "w", encoding="ascii") as f:
        f.write('"postgres" "super secret"\n')
    with open(ini, "w", encoding="ascii") as f:
        f.write("%%include %s\n[pgbouncer]\nlisten_addr = %s\nlisten_port = %d\nauth_type = trust\n"
                "auth_file = %s/users\npidfile = %s\nunix_socket_dir =\nserver_login_retry = 1\n"
                % (databases, host.addr, POOL_PORT, place, pid))
    pool = "host=%s port=%d %s" % (host.addr, POOL_PORT, WHO)
    keeper = [cluster.programs.hactl, "-c", host.conf_path, "proxy-config", "pgbouncer", "-o",
              databases, "--watch", "--reload", "kill -HUP $(cat %s)" % pid]
    with running(host, [program("pgbouncer"), ini], user="postgres"):
        wait_for("pgbouncer runs", lambda: os.path.exists(pid), SOON_S)
        with running(host, keeper, log="keeper.log"):
            leader = cluster.leader()
            wait_for("the pool reaches %s" % leader.name, lambda: leads_to(pool, leader), SOON_S)
            new = switch(cluster)
            wait_for("the pool reaches %s" % new.name, lambda: leads_to(pool, new), SOON_S)
