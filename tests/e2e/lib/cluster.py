# SPDX-License-Identifier: PostgreSQL
"""cluster - three nodes and three etcd members that belong together"""

import datetime
import json
import os
import time

from .etcd import Etcd
from .node import Node, merge
from .proc import Timeout, run, wait_for
from .writers import Writers

SCOPE = "e2e"

# The lease is as short as the product's default; every bound below follows from it.
TTL_S = int(os.environ.get("PGHA_E2E_TTL", "5"))
DCS = {
    "ttl": TTL_S,
    "loop_wait": 1,
    "retry_timeout": max(1, min(2, (TTL_S - 1) // 2)),
    "maximum_lag_on_failover": 1048576,
    "postgresql": {
        "use_pg_rewind": True,
        "use_slots": True,
        "parameters": {"max_connections": 50, "wal_keep_size": "64MB"},
    },
}

# When a primary without proof begins to stop, and when it must have stopped acknowledging,
# counted from the proof; a fault comes after the newest proof.
STOP_S = 0.66 * TTL_S
GATE_S = 0.80 * TTL_S

# Rows that may be lost without synchronous replication. A host that is cut off goes on for its own
# clients until its lease says stop; one that dies had a few rows on the way.
CUT_OFF = int(GATE_S * 200)
ON_THE_WAY = 200

# Of hosts that have disks of their own.
NODE_DISK_MB = 1024
ETCD_DISK_MB = 512

# On a machine that does much else everything takes longer; what must not happen, never may.
PATIENCE = float(os.environ.get("PGHA_E2E_PATIENCE", "1"))

# Losing a host costs the lease, etcd's expiry tick, the election and the promotion.
FAILOVER_S = 3 * TTL_S * PATIENCE
WHOLE_S = 45 * PATIENCE


class Cluster:
    judged = True  # what a benchmark sees of it has to be right
    etcd_used = True
    needs = ()

    def __init__(self, net, work, programs, prober, nodes=3, etcd=3, scope=SCOPE, fence_lib=None,
                 disks=False, node_class=Node, dcs=None):
        self.net = net
        self.work = work
        self.programs = programs
        self.prober = prober
        self.scope = scope
        self.prefix = "/service/%s/" % scope
        self.dcs = merge(json.loads(json.dumps(DCS)), dcs or {})
        if disks:
            self.dcs["postgresql"]["parameters"]["max_wal_size"] = "128MB"
        self.etcd = Etcd(net, work, etcd, disk_mb=ETCD_DISK_MB if disks else 0)
        self.kind = (fence_lib is not None, disks)
        self.nodes = [node_class(net, "n%d" % (i + 1), 11 + i, work, programs, fence_lib,
                                 NODE_DISK_MB if disks else 0) for i in range(nodes)]
        self.local = {}  # changes over the default file, for all nodes
        for n in self.nodes:
            self.reset_config(n)

    def reset_config(self, node):
        config = node.default_config(self.scope, self.etcd.endpoints, self.dcs)
        node.write_config(merge(config, self.local))

    # -- starting and looking

    def start(self):
        """Etcd, then a first member that bootstraps, then the others."""
        self.etcd.start()
        self.etcd.wait_ready()
        for n in self.nodes:
            n.start_agent()
        self.wait_whole(60 * PATIENCE)

    def node(self, name):
        return next(n for n in self.nodes if n.name == name)

    def key(self, name):
        return self.etcd.get(self.prefix + name)

    def leader_name(self):
        return self.key("leader")

    def leader(self):
        return self.node(self.leader_name())

    def replicas(self):
        leader = self.leader()
        return [n for n in self.nodes if n is not leader]

    def history(self):
        return json.loads(self.key("history") or "[]")

    def primaries(self):
        """Nodes whose Postgres says that it is out of recovery."""
        out = []
        for n in self.nodes:
            try:
                if not n.sql1("SELECT pg_is_in_recovery()"):
                    out.append(n)
            except Exception:
                pass
        return out

    def is_whole(self):
        """One primary that everybody agrees on, and everybody else streams from it."""
        leader = self.leader()
        timeline = leader.timeline()
        if leader.sql1("SELECT pg_is_in_recovery()"):
            raise ValueError("leader %s is in recovery" % leader.name)
        if leader.rest("/primary").code != 200:
            raise ValueError("/primary of %s is not 200" % leader.name)
        streaming = {r[0] for r in leader.sql(
            "SELECT application_name FROM pg_stat_replication WHERE state = 'streaming'")}
        for n in self.nodes:
            if n is leader:
                continue
            if n.name not in streaming:
                raise ValueError("%s does not stream from %s" % (n.name, leader.name))
            if not n.sql1("SELECT pg_is_in_recovery()"):
                raise ValueError("%s is a second primary" % n.name)
            if n.timeline() != timeline:
                raise ValueError("%s is on timeline %r, %s on %d"
                                 % (n.name, n.timeline(), leader.name, timeline))
            answer = n.rest("/replica")
            if answer.code != 200:
                raise ValueError("/replica of %s: %r" % (n.name, answer))
        # An operator may ask for any of them now: the leader's agent has to know that it streams.
        known = {r["application_name"] for r in leader.status().get("replication", [])
                 if r["state"] == "streaming"}
        if not known >= streaming & {n.name for n in self.nodes}:
            raise ValueError("the agent of %s knows of %s" % (leader.name, sorted(known)))
        listed = {m["name"]: m for m in leader.rest("/cluster").json()["members"]}
        if set(listed) != {n.name for n in self.nodes}:
            raise ValueError("/cluster lists %s" % sorted(listed))
        for name, m in listed.items():
            want = ("leader", "running") if name == leader.name else ("replica", "streaming")
            if (m["role"], m["state"]) != want or m["timeline"] != timeline:
                raise ValueError("/cluster shows %r" % m)
        return leader

    def wait_whole(self, deadline_s=WHOLE_S):
        try:
            return wait_for("cluster whole", self.is_whole, deadline_s)
        except Timeout as e:
            raise Timeout("%s\nrules: %s" % (e, {n.name: n.rule() for n in self.nodes})) from None

    def wait_leader(self, other_than=None, deadline_s=FAILOVER_S):
        """A writable leader (another one than that node, when given)."""
        def found():
            leader = self.leader()
            if leader is other_than or leader.rest("/primary").code != 200:
                return None
            return leader if not leader.sql1("SELECT pg_is_in_recovery()") else None
        return wait_for("a leader%s" % (" other than " + other_than.name if other_than else ""),
                        found, deadline_s)

    def wait_history(self, timeline):
        """The history, as soon as it tells of the end of that timeline: the leader writes it down
        when it has read its own."""
        def told():
            history = self.history()
            return history if history and history[-1][0] >= timeline else None
        return wait_for("the history tells of timeline %d" % timeline, told, 10 * PATIENCE)

    def wait_trace(self, node, what, since):
        """What the member tells of the hand-over or takeover that it began after that time; the one
        before stands there until it has time to write."""
        def told():
            found = json.loads(self.key("pgha/trace/" + node.name) or "{}")
            return found if found.get("what") == what and found["begun"] > since else None
        return wait_for("%s tells how it %s" % (node.name, what), told, 10 * PATIENCE)

    def wait_member(self, node, deadline_s=WHOLE_S, **want):
        """The member's own record in etcd shows these fields."""
        def shown():
            m = json.loads(self.key("members/" + node.name))
            if any(m.get(k) != v for k, v in want.items()):
                raise ValueError(m)
            return m
        return wait_for("%s shows %s" % (node.name, want), shown, deadline_s)

    # -- acting

    def hactl(self, *args, stdin=None, check=True, node=None, timeout=60):
        conf = (node or self.nodes[0]).conf_path
        return run(self.programs.hactl, "-c", conf, *args, check=check, timeout=timeout,
                   input=stdin if stdin is not None else "")

    def rows(self):
        """`hactl list` as data, by member name."""
        return {r["Member"]: r for r in
                json.loads(self.hactl("list", "-f", "json").stdout)}

    def set_config(self, **changes):
        """Change the dynamic configuration as an operator would, and wait until it is there."""
        answer = self.leader().rest("/config", "PATCH", changes)
        assert answer.code == 200, answer
        return answer.json()

    def writers(self, out, period_ms=None):
        return Writers(self.prober, self.nodes, os.path.join(out, "written.txt"),
                       self.wait_whole, self.leader, period_ms)

    def switch_to(self, old, new):
        answer = old.rest("/switchover", "POST", {"leader": old.name, "candidate": new.name},
                          timeout=60)
        assert answer.code == 200, answer

    def remove_strange_keys(self):
        """What no agent of this cluster writes, or writes again when it is needed."""
        ours = {"config", "history", "initialize", "leader", "status"}
        ours |= {"members/" + n.name for n in self.nodes}
        for key in self.etcd.keys(self.prefix):
            name = key[len(self.prefix):]
            if name not in ours and not name.startswith("pgha/"):
                self.etcd.delete(key)

    def make_whole(self):
        """Undo what a test left behind: links, processes, keys, configuration, pause."""
        self.net.heal_all()
        for host in self.etcd.members + self.nodes:
            if host.disk:
                host.disk.thaw()
            host.thaw()
        self.etcd.start()
        self.etcd.wait_ready()
        self.remove_strange_keys()
        for n in self.nodes:
            old = n.config
            self.reset_config(n)
            if not n.agent_running():
                n.start_agent()
            elif old != n.config:
                n.rest("/reload", "POST", {})
        leader = self.wait_leader(deadline_s=WHOLE_S)
        answer = leader.rest("/config", "PUT", self.dcs)
        if answer.code != 200:
            raise RuntimeError("PUT /config: %r" % answer)
        leader.rest("/switchover", "DELETE")
        return self.wait_whole()

    def remove(self):
        for n in self.nodes:
            n.remove()
        self.etcd.remove()

    def dump(self):
        """The cluster as etcd has it, for a failure's record."""
        try:
            tree = self.etcd.tree("/")
        except Exception as e:
            return "etcd: %r\n" % e
        return "".join("%s = %s\n" % kv for kv in sorted(tree.items()))


def in_seconds(n):
    """A time of day as text, as long from now."""
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=n)
    return at.isoformat()


def elapsed_ms(since_ns):
    return (time.monotonic_ns() - since_ns) / 1e6
