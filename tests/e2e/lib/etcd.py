# SPDX-License-Identifier: PostgreSQL
"""etcd - members on hosts of their own, and a client for the JSON gateway"""

import base64
import json
import os
import shutil
import urllib.error
import urllib.request

from .host import Host
from .proc import wait_for


def b64(text):
    raw = text if isinstance(text, bytes) else text.encode()
    return base64.b64encode(raw).decode()


def unb64(text):
    return base64.b64decode(text)


class EtcdMember(Host):
    def __init__(self, net, name, octet, work, disk_mb=0):
        super().__init__(net, name, octet, work)
        self.url = "http://%s:2379" % self.addr
        self.proc = None
        if disk_mb:
            self.put_on_disk(os.path.join(self.dir, "disk"), disk_mb)
        self.data_dir = os.path.join(self.disk.place if self.disk else self.dir, "data")

    def start(self, initial_cluster):
        peer = "http://%s:2380" % self.addr
        self.proc = self.spawn(
            ["etcd", "--name", self.name, "--data-dir", self.data_dir,
             "--listen-client-urls", self.url, "--advertise-client-urls", self.url,
             "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
             "--initial-cluster", initial_cluster, "--initial-cluster-state", "new",
             "--initial-cluster-token", self.net.run_id], log="etcd.log")

    def wipe(self):
        shutil.rmtree(self.data_dir, ignore_errors=True)


class Etcd:
    """The cluster of members, and the keys in it."""

    def __init__(self, net, work, n=3, prefix="e", octet=21, disk_mb=0):
        self.members = [EtcdMember(net, "%s%d" % (prefix, i + 1), octet + i, work, disk_mb)
                        for i in range(n)]
        self.token = None  # where etcd asks who it is

    def login(self, user, password):
        self.token = self.ask("/auth/authenticate", {"name": user, "password": password})["token"]

    @property
    def endpoints(self):
        return ["%s:2379" % m.addr for m in self.members]

    def start(self):
        peers = ",".join("%s=http://%s:2380" % (m.name, m.addr) for m in self.members)
        for m in self.members:
            if not (m.proc and m.proc.running()):
                m.start(peers)

    def wait_ready(self):
        wait_for("etcd has a leader", self.leader, 30)

    def stop(self):
        for m in self.members:
            m.kill_all()

    def call(self, member, path, body, timeout=3):
        req = urllib.request.Request(member.url + "/v3" + path, json.dumps(body).encode(),
                                     {"Authorization": self.token} if self.token else {})
        with urllib.request.urlopen(req, timeout=timeout) as r:
            return json.load(r)

    def ask(self, path, body):
        """The same of whichever member answers."""
        last = RuntimeError("no etcd member runs")
        for m in self.members:
            if not (m.proc and m.proc.running()):
                continue
            try:
                return self.call(m, path, body)
            except (OSError, urllib.error.URLError) as e:
                last = e
        raise last

    def leader(self):
        """The member that leads, by its own word and in the newest term; None without one."""
        best = (0, None)
        for m in self.members:
            try:
                st = self.call(m, "/maintenance/status", {}, 1)
            except (OSError, urllib.error.URLError):
                continue
            if st.get("leader") == st["header"]["member_id"]:
                best = max(best, (int(st.get("raftTerm", 0)), m), key=lambda b: b[0])
        return best[1]

    def term(self):
        """The newest round of votes among the members."""
        terms = [0]
        for m in self.members:
            try:
                terms.append(int(self.call(m, "/maintenance/status", {}, 1).get("raftTerm", 0)))
            except (OSError, urllib.error.URLError):
                continue
        return max(terms)

    def until_one_vote(self, play, arrange=None, tries=4):
        """Play until etcd found itself another leader in one round of votes, a second or two. When
        its members vote for each other, one time in ten, it takes as long once more, and a primary
        may not live on for that without a proof (doc/fencing.md). play(once) asks once() whether
        one round was enough, before it expects that nothing came of it; the rest it expects
        always. arrange() comes before each play; its votes do not count."""
        for _ in range(tries):
            if arrange:
                arrange()
            before = self.term()
            def once(before=before):
                return self.term() - before <= 1
            play(once)
            if once():
                return
        raise AssertionError("etcd voted in several rounds, %d times in a row" % tries)

    def give_lead(self, member):
        """That one leads at return."""
        def leads():
            leader = self.leader()
            if leader is not member:
                target = self.call(member, "/maintenance/status", {})["header"]["member_id"]
                self.call(leader, "/maintenance/transfer-leadership", {"targetID": target})
            return leader is member
        wait_for("%s leads etcd" % member.name, leads, 10)

    def get(self, key):
        kvs = self.ask("/kv/range", {"key": b64(key)}).get("kvs")
        return unb64(kvs[0].get("value", "")).decode("utf-8", "replace") if kvs else None

    def get_kv(self, key):
        kvs = self.ask("/kv/range", {"key": b64(key)}).get("kvs")
        return kvs[0] if kvs else None

    def tree(self, prefix):
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        kvs = self.ask("/kv/range", {"key": b64(prefix), "range_end": b64(end)}).get("kvs", [])
        return {unb64(kv["key"]).decode(): unb64(kv.get("value", "")).decode("utf-8", "replace")
                for kv in kvs}

    def keys(self, prefix):
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        kvs = self.ask("/kv/range", {"key": b64(prefix), "range_end": b64(end),
                                     "keys_only": True}).get("kvs", [])
        return [unb64(kv["key"]).decode() for kv in kvs]

    def put(self, key, value, lease=None):
        body = {"key": b64(key), "value": b64(value)}
        if lease:
            body["lease"] = lease
        self.ask("/kv/put", body)

    def delete(self, key, prefix=False):
        body = {"key": b64(key)}
        if prefix:
            body["range_end"] = b64(key[:-1] + chr(ord(key[-1]) + 1))
        self.ask("/kv/deleterange", body)

    def remove(self):
        for m in self.members:
            m.remove()
