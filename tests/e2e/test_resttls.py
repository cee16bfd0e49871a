# SPDX-License-Identifier: PostgreSQL
"""A cluster with TLS between its members: REST asks for certificates, also for reads, and for a
password besides; PostgreSQL lets nobody in without TLS, and its standbys verify whom they stream from"""

import contextlib
import os
import signal
import socket
import ssl

from lib import flood
from lib.cluster import PATIENCE, TTL_S
from lib.net import SUBNET
from lib.node import REST_PORT, chown_postgres
from lib.proc import run, wait_for

USER, PASSWORD = "operator", "rest secret"


class Authority:
    """Issues certificates below a directory that the postgres user can read."""

    def __init__(self, where):
        self.where = where
        os.makedirs(where)
        os.chmod(where, 0o755)
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
            "/CN=ca", "-keyout", self.path("ca.key"), "-out", self.path("ca.crt"))

    def path(self, name):
        return os.path.join(self.where, name)

    def issue(self, name, addr):
        """name.crt and name.key; another serial number each time."""
        run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=" + name, "-keyout",
            self.path(name + ".key"), "-out", self.path(name + ".csr"))
        with open(self.path("ext"), "w", encoding="ascii") as f:
            f.write("subjectAltName = IP:%s\n" % addr)
        run("openssl", "x509", "-req", "-days", "2", "-in", self.path(name + ".csr"), "-CA",
            self.path("ca.crt"), "-CAkey", self.path("ca.key"), "-CAcreateserial", "-extfile",
            self.path("ext"), "-out", self.path(name + ".crt"))
        chown_postgres(self.path(name + ".key"))
        os.chmod(self.path(name + ".key"), 0o600)

    def context(self, name=None):
        """Of a client that verifies; with a certificate of its own, if it has one."""
        ctx = ssl.create_default_context(cafile=self.path("ca.crt"))
        if name:
            ctx.load_cert_chain(self.path(name + ".crt"), self.path(name + ".key"))
        return ctx

    def serial_of(self, node):
        with socket.create_connection((node.addr, REST_PORT), 5) as s, \
                self.context("client").wrap_socket(s, server_hostname=node.addr) as tls:
            return tls.getpeercert()["serialNumber"]


def configure(cluster, ca):
    ca.issue("client", "127.0.0.1")
    for n in cluster.nodes:
        ca.issue(n.name, n.addr)
        n.tls = ca.context("client")
        n.change_config(
            restapi={"certfile": ca.path(n.name + ".crt"), "keyfile": ca.path(n.name + ".key"),
                     "cafile": ca.path("ca.crt"), "verify_client": "required",
                     "authentication": {"username": USER, "password": PASSWORD}},
            ctl={"cacert": ca.path("ca.crt"), "certfile": ca.path("client.crt"),
                 "keyfile": ca.path("client.key")},
            postgresql={
                "pg_hba": ["local all all trust", "hostssl all all %s scram-sha-256" % SUBNET,
                           "hostssl replication replicator %s scram-sha-256" % SUBNET],
                "parameters": {"ssl": "on", "ssl_cert_file": ca.path(n.name + ".crt"),
                               "ssl_key_file": ca.path(n.name + ".key")},
                "authentication": {who: {"sslmode": "verify-full", "channel_binding": "require",
                                         "sslrootcert": ca.path("ca.crt"),
                                         "sslcert": ca.path("client.crt"),
                                         "sslkey": ca.path("client.key")}
                                   for who in ("superuser", "replication", "rewind")}})


def endure_a_flood(cluster, leader, ca):
    """150 clients that stop half way through a handshake or never read, and one that makes
    handshakes all the time."""
    since, ctx = leader.log_size(), ca.context("client")
    quiet_ms = flood.oldest_ms(leader, cluster.scope, TTL_S, flood.FLOOD_S)
    with contextlib.ExitStack() as stack:
        flood.half_open(stack, leader, ctx)
        flood.half_open(stack, leader, ctx)
        flood.slow_tls(stack, leader, ctx)
        storm = flood.storm(leader, ca.path("client"), flood.FLOOD_S + 1)
        flood_ms = flood.oldest_ms(leader, cluster.scope, TTL_S, flood.FLOOD_S)
        made = flood.handshakes(storm)
        code = leader.rest("/primary", timeout=10).code
    print("%d whole handshakes a second" % (made / flood.FLOOD_S))
    assert code == 200
    assert made > 0
    flood.judge(flood.Age(quiet_ms, flood_ms), TTL_S)
    assert "fading" not in leader.logged_since(since)
    assert cluster.leader() is leader


def test_members_know_each_other_by_certificate(fresh, hosts):
    cluster = fresh
    ca = Authority(os.path.join(hosts[1], "ca"))
    configure(cluster, ca)
    cluster.start()
    leader = cluster.leader()

    # Without a certificate there is not even a read; with one, a write still needs the password.
    leader.tls = ca.context()
    assert leader.rest("/primary").code == 0
    leader.tls = ca.context("client")
    assert leader.rest("/primary").code == 200
    assert leader.rest("/reload", "POST", {}).code == 401
    assert cluster.key("members/" + leader.name).count("https://") == 1

    new = cluster.replicas()[0]
    cluster.hactl("switchover", "--candidate", new.name, "--force")
    cluster.wait_leader(other_than=leader)
    assert cluster.wait_whole() is new

    # The candidates seal for each other: certificate and password are what peers want.
    new.kill_all()
    newest = cluster.wait_leader(other_than=new)
    assert " to POST /seal" not in newest.agent_log(), "somebody refused to seal"
    told = "".join(n.agent_log() for n in cluster.nodes)
    assert "REST: POST /seal" in told
    assert "as '%s' with the certificate of 'client': 200" % USER in told
    new.start_agent()
    cluster.wait_whole()

    # A new certificate is taken up by a reload; nothing is restarted, nobody loses the lease.
    pids = {n.name: (n.agent.pid, n.postmaster_pid()) for n in cluster.nodes}
    loaded = {n.name: n.sql1("SELECT pg_conf_load_time()") for n in cluster.nodes}
    before = {n.name: ca.serial_of(n) for n in cluster.nodes}
    for n in cluster.nodes:
        ca.issue(n.name, n.addr)
        n.agent.kill(signal.SIGHUP)
    for n in cluster.nodes:
        wait_for("%s shows its new certificate" % n.name,
                 lambda n=n: ca.serial_of(n) != before[n.name], 20 * PATIENCE)
        wait_for("Postgres of %s as well" % n.name, lambda n=n: n.sql1(
            "SELECT pg_conf_load_time()") > loaded[n.name], 20 * PATIENCE)
    assert cluster.wait_whole() is newest
    assert {n.name: (n.agent.pid, n.postmaster_pid()) for n in cluster.nodes} == pids

    assert newest.sql("SELECT bool_and(ssl), count(*) FROM pg_stat_ssl JOIN pg_stat_replication "
                      "USING (pid)") == [(True, 2)]

    endure_a_flood(cluster, newest, ca)
