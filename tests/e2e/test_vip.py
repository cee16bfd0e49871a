# SPDX-License-Identifier: PostgreSQL
"""An address that is where the primary is: real keepalived, and our pgha-vip in both its ways"""

import contextlib
import os
import shutil
import signal

import pytest

from lib.cluster import FAILOVER_S, PATIENCE
from lib.net import NET
from lib.proc import run, wait_for
from lib.through import Through

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VIP = NET + "200"
SOON_S = 20 * PATIENCE
SWITCHOVER_MS = 10000 * PATIENCE
CAPS = "+net_admin,+net_raw"


@pytest.fixture(scope="module")
def open_cluster(shared):
    """Servers that listen on all addresses; the usual ones listen on their own."""
    cluster = shared.new([])
    cluster.local = {"postgresql": {"listen": "0.0.0.0:5432"}}
    for n in cluster.nodes:
        cluster.reset_config(n)
    cluster.start()
    yield cluster
    shared.drop()


def holders(cluster):
    """Who has the address, power or not."""
    return [n for n in cluster.nodes if VIP + "/" in run(
        "ip", "-n", cluster.net.ns(n.name), "-o", "addr", "show", "dev", "eth0").stdout]


def lose(cluster, node):
    """Power loss: its address is gone as well."""
    node.unplug()
    node.kill_all()
    run("ip", "-n", cluster.net.ns(node.name), "addr", "del", VIP + "/24", "dev", "eth0",
        check=False)


def play(cluster, prober, out):
    """Through a switchover and the loss of a host."""
    leader = cluster.leader()
    wait_for("%s has the address" % leader.name, lambda: holders(cluster) == [leader], SOON_S)
    with Through(prober, cluster, os.path.join(out, "through.txt"), {"vip": (VIP, 5432)}) as t:
        t.wait_acks(SOON_S)
        new = cluster.replicas()[0]
        t.mark("switchover")
        cluster.hactl("switchover", "--candidate", new.name, "--force")
        wait_for("%s has the address" % new.name, lambda: holders(cluster) == [new], SOON_S)
        t.wait_acks(SOON_S)
        cluster.wait_whole()

        t.mark("host lost")
        lose(cluster, new)
        newest = cluster.wait_leader(other_than=new)
        wait_for("%s has the address" % newest.name, lambda: holders(cluster) == [newest], SOON_S)
        t.wait_acks(SOON_S)
    outages = t.outages()
    assert outages["switchover", "vip"] < SWITCHOVER_MS
    assert outages["host lost", "vip"] < 1000 * (FAILOVER_S + SOON_S)


@contextlib.contextmanager
def beside(cluster, record, start):
    """What start(node) starts on each host, and nothing of it left at the end."""
    record.append(cluster)
    cluster.make_whole()
    with contextlib.ExitStack() as stack:
        stack.callback(clear, cluster)
        for n in cluster.nodes:
            stack.callback(end, start(n))
        yield cluster


def end(proc):
    """Asked to go: keepalived has processes of its own, which take the address with them."""
    proc.kill(signal.SIGTERM)
    proc.wait(10)


def clear(cluster):
    for n in cluster.nodes:
        run("ip", "-n", cluster.net.ns(n.name), "addr", "flush", "dev", "eth0", "to", VIP + "/32")


def script(cluster):
    """A copy where the postgres user can read it."""
    return shutil.copy2(os.path.join(TOP, "packaging/vip/pgha-vip"), cluster.work)


def test_keepalived(open_cluster, record, prober, out):
    keepalived = shutil.which("keepalived", path="/usr/sbin:/usr/bin")
    if not keepalived:
        pytest.skip("no keepalived here")

    def start(node):
        conf = os.path.join(node.dir, "keepalived.conf")
        open_cluster.hactl("proxy-config", "keepalived", "-o", conf, "--member", node.name,
                           "--vip", VIP + "/24", "--interface", "eth0")
        pids = [os.path.join(node.dir, "keepalived%d.pid" % i) for i in range(3)]
        return node.spawn([keepalived, "--dont-fork", "--log-console", "--log-detail", "--vrrp",
                           "-f", conf, "-p", pids[0], "-r", pids[1], "-c", pids[2]],
                          log="keepalived.log")
    with beside(open_cluster, record, start) as cluster:
        play(cluster, prober, out)


def test_vip_follows_events(open_cluster, record, prober, out):
    path = script(open_cluster)
    with beside(open_cluster, record, lambda n: n.spawn(
            [path, VIP + "/24", "eth0", "follow", "http://%s:8008" % n.addr],
            log="vip.log")) as cluster:
        play(cluster, prober, out)


def test_vip_goes_when_the_agent_is_silent(open_cluster, record):
    """A frozen agent says nothing: somebody else will be primary, and two must not have it."""
    path = script(open_cluster)
    with beside(open_cluster, record, lambda n: n.spawn(
            [path, VIP + "/24", "eth0", "follow", "http://%s:8008" % n.addr],
            log="vip.log")) as cluster:
        old = cluster.leader()
        wait_for("%s has the address" % old.name, lambda: holders(cluster) == [old], SOON_S)
        old.agent.kill(19)
        try:
            new = cluster.wait_leader(other_than=old)
            wait_for("%s alone has the address" % new.name, lambda: holders(cluster) == [new],
                     30 * PATIENCE)
        finally:
            old.agent.kill(18)
        cluster.wait_whole()


def test_vip_by_callback(open_cluster, record, prober, out):
    """The agent has what is needed to change addresses, and hands it on."""
    cluster = open_cluster
    record.append(cluster)
    cluster.make_whole()
    call = "%s %s/24 eth0" % (script(cluster), VIP)
    for n in cluster.nodes:
        n.change_config(postgresql={"callbacks": {
            "on_start": call, "on_stop": call, "on_role_change": call}})
        n.kill_agent()
        n.agent = n.spawn(["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups",
                           "--inh-caps=" + CAPS, "--ambient-caps=" + CAPS,
                           cluster.programs.pghad, n.conf_path], log="pghad.log")
    try:
        cluster.wait_whole()
        play(cluster, prober, out)
    finally:
        clear(cluster)
        for n in cluster.nodes:
            if n.agent_running():
                n.kill_agent()
                n.start_agent()
