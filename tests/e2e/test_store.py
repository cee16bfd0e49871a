# SPDX-License-Identifier: PostgreSQL
"""An etcd that forgets: wiped, or restored from an older snapshot, while the cluster runs"""

import os

from lib.cluster import TTL_S, WHOLE_S
from lib.proc import stays, wait_for


def snapshot(etcd, path):
    member = etcd.leader()
    member.run(["etcdctl", "--endpoints", member.url, "snapshot", "save", path],
               env={**os.environ, "ETCDCTL_API": "3"})


def restore(etcd, path):
    """All members anew from that file, as the manual of etcd has it."""
    peers = ",".join("%s=http://%s:2380" % (m.name, m.addr) for m in etcd.members)
    for m in etcd.members:
        m.run(["etcdctl", "snapshot", "restore", path, "--name", m.name, "--initial-cluster",
               peers, "--initial-cluster-token", etcd.members[0].net.run_id,
               "--initial-advertise-peer-urls", "http://%s:2380" % m.addr, "--data-dir",
               os.path.join(m.dir, "data")], env={**os.environ, "ETCDCTL_API": "3"})


def begin_again(cluster, fill=None):
    cluster.etcd.stop()
    for m in cluster.etcd.members:
        m.wipe()
    if fill:
        fill()
    cluster.etcd.start()
    cluster.etcd.wait_ready()


def facts(cluster):
    """What must not change before an operator said so."""
    return {n.name: (n.data_inode(), n.controldata()["Database system identifier"],
                     n.controldata()["Latest checkpoint's TimeLineID"]) for n in cluster.nodes}


def all_say_regressed(cluster):
    for n in cluster.nodes:
        pgha = n.status()["pgha"]
        if pgha.get("store") != "regressed":
            raise ValueError("%s: %s" % (n.name, pgha))
    return True


def nothing_happens(cluster, before, sizes):
    """No key is taken, no cluster made, no data touched; one server at most takes writes."""
    wait_for("every member says so", lambda: all_say_regressed(cluster), 20)
    stays("nothing is done", lambda: facts(cluster) == before and
          len(cluster.primaries()) <= 1 and cluster.key("pgha/release") in (None, ""), 3 * TTL_S)
    for n in cluster.nodes:
        said = n.logged_since(sizes[n.name])
        assert said.count("CRITICAL: etcd was wiped or restored") == 1, said
        assert "hactl dcs accept" in said
        assert "bootstrap" not in n.status()["pgha"]["name"]
    text = cluster.hactl("explain").stdout
    assert text.count("store-regressed") + text.count("regressed-serve") == len(cluster.nodes), text


def accept(cluster):
    out = cluster.hactl("dcs", "accept", cluster.scope, "--force").stdout
    for n in cluster.nodes:
        assert "Success: accept for member " + n.name in out, out
    assert cluster.wait_whole(WHOLE_S + TTL_S)
    for n in cluster.nodes:
        assert "store" not in n.status()["pgha"]


def test_wiped(fresh, out):
    cluster = fresh
    cluster.start()
    before = facts(cluster)
    sizes = {n.name: n.log_size() for n in cluster.nodes}
    sysid = cluster.key("initialize")
    with cluster.writers(out) as w:
        w.mark("etcd wiped")
        begin_again(cluster)
        nothing_happens(cluster, before, sizes)
        assert cluster.key("initialize") is None and cluster.leader_name() is None
        accept(cluster)
        w.verdict(max_lost=0)
    assert cluster.key("initialize") == sysid


def test_restored_from_an_older_snapshot(fresh, out):
    """In the snapshot another member leads than the one that did when etcd was lost."""
    cluster = fresh
    cluster.start()
    place = os.path.join(cluster.etcd.members[0].dir, "snapshot.db")
    first = cluster.leader()
    snapshot(cluster.etcd, place)
    cluster.hactl("switchover", "--leader", first.name, "--force")
    cluster.wait_leader(other_than=first)
    cluster.wait_whole()
    sysid = cluster.key("initialize")
    sizes = {n.name: n.log_size() for n in cluster.nodes}
    with cluster.writers(out) as w:
        before = facts(cluster)
        w.mark("etcd restored")
        begin_again(cluster, lambda: restore(cluster.etcd, place))
        nothing_happens(cluster, before, sizes)
        accept(cluster)
        w.verdict(max_lost=0)
    assert cluster.key("initialize") == sysid
