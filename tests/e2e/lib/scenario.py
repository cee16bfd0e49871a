# SPDX-License-Identifier: PostgreSQL
"""scenario - the stories of tests/scenarios, which the simulator plays, on real hosts

tests/sim/scenario.h has the language. Its clock starts when the cluster does; here the cluster is
there already, so the first line is its beginning. VERBS is what hosts made of namespaces can do."""

import json
import re
import signal
import time

from . import cluster
from .proc import kill, run, wait_for

# What is played. Others are faults that only the model has, and properties of its hosts.
VERBS = {"let", "mark", "expect", "switchover", "failover", "restart", "reinit", "pause", "resume",
         "resume-in-etcd", "initialize-lost", "accept-store", "etcd-wipe", "data-lost",
         "agent-freeze", "agent-kill", "agent-stop", "guard-freeze", "agent-and-guard-freeze",
         "host-freeze", "host-lost", "isolate", "cut-etcd", "cut-peers", "etcd-outage",
         "etcd-member-down", "etcd-leader-change", "postmaster-kill", "postmaster-hang",
         "disk-stall", "etcd-member-disk-stall"}
CONDITIONS = {"leader", "no", "settled", "down", "up", "untouched", "terms", "acked", "lost", "rule"}
# What hosts are, as the first lines of a story have it.
HOSTS = {("guard", "on"), ("module", "on"), ("module", "off"), ("nodes", "3")}
NODE_WORDS = {"leader", "standby", "standby2"}

# A machine that runs eleven servers at once is slower than the model.
PATIENCE = 2.0 * cluster.PATIENCE
LOOK_S = 0.1
LOOK_LIMIT_S = 10


def seconds(text):
    number, unit = re.fullmatch(r"([0-9.]+)(ms|s)", text).groups()
    return float(number) / (1000 if unit == "ms" else 1)


def lines_of(path):
    with open(path, encoding="ascii") as f:
        for number, line in enumerate(f, 1):
            words = line.split("#")[0].split()
            if words:
                yield number, words


def etcd_revokes_early():
    """Before these versions a takeover waits for a term of silence on the candidate's own clock, also
    that of a primary which was found running: longer than such a one may live without a lease."""
    version = tuple(int(n) for n in re.search(
        r"Version: (\d+)\.(\d+)\.(\d+)", run("etcd", "--version").stdout).groups())
    return version < (3, 4, 31) or (3, 5) <= version < (3, 5, 13)


def why_not(path):
    """What keeps this story from being played on hosts; None if nothing does."""
    for _, words in lines_of(path):
        if words[-2:] == ["rule", "402"] and etcd_revokes_early():
            return "rule 402 with this etcd"
        if words[0] not in ("at", "within", "for"):
            if tuple(words) not in HOSTS:
                return " ".join(words)
            continue
        if words[2] not in VERBS:
            return words[2]
        if words[2] == "expect" and words[3] not in CONDITIONS:
            return words[3]
        if "promoting" in words:
            return "promoting"
    return None


def needs(path):
    """What the story needs of its hosts: (the module, disks)."""
    found = list(lines_of(path))
    return (any(words == ["module", "on"] for _, words in found),
            any("disk-stall" in words[2:3] or "etcd-member-disk-stall" in words[2:3]
                for _, words in found))


class Undecided(Exception):
    """etcd needed several rounds of votes to find a leader of its own, a second or two each: longer
    than a primary lives on without a proof at this ttl. What the story says is not to be had then."""


class Story:
    def __init__(self, cluster, writers, path):
        self.cluster, self.writers, self.path = cluster, writers, path
        self.names = {}
        self.zero = None
        self.struck_at = None  # when the first fault was made
        self.ends = []  # (when, what to do), in no order
        self.etcd_term = cluster.etcd.term()
        self.etcd_leaders_killed = 0
        self.logged_from = {n.name: n.log_size() for n in cluster.nodes}
        self.marked = self._mark("begin")

    # -- looking

    def _mark(self, what):
        at = self.writers.mark(what)
        return (at, self._terms(), self._postmasters())

    def _rule_reached(self, number):
        """By whoever, and whenever."""
        return any("rule %s " % number in n.logged_since(self.logged_from[n.name])
                   for n in self.cluster.nodes)

    def _terms(self):
        return max((h[0] for h in self.cluster.history()), default=0)

    def _postmasters(self):
        return {n.name: n.postmaster_pid() for n in self.cluster.nodes}

    def node(self, word):
        if word in self.names:
            return self.names[word]
        if word in NODE_WORDS:
            leader = self.cluster.leader()
            standbys = [n for n in self.cluster.nodes if n is not leader]
            return {"leader": leader, "standby": standbys[0], "standby2": standbys[1]}[word]
        return self.cluster.node(word)

    def holds(self, words):
        """Whether the condition holds now."""
        if words[0] == "settled":
            return bool(self.cluster.is_whole())
        if words[:2] == ["leader", "is"]:
            return self.cluster.leader() is self.node(words[2])
        if words[:2] == ["leader", "not"]:
            leader = self.cluster.leader_name()
            return leader is not None and leader != self.node(words[2]).name
        if words == ["no", "leader"]:
            return self.cluster.leader_name() is None
        if words[0] == "rule":
            return self._rule_reached(words[1])
        if words[0] == "down":
            return not self.node(words[1]).postgres_pids()
        if words[0] == "up":
            return self.node(words[1]).postmaster_pid() != 0
        if words[0] == "untouched":
            name = self.node(words[1]).name
            return self._postmasters()[name] == self.marked[2][name]
        if words[0] == "terms":
            return self._terms() - self.marked[1] == int(words[1])
        if words[0] == "acked":
            return bool(self.cluster.primaries())
        if words[0] == "lost":
            return True  # the verdict at the end counts
        raise ValueError("%s: unknown condition %s" % (self.path, words))

    def _looked_at(self, look):
        """etcd may need a moment before it answers, which is not what the story is about."""
        def again():
            self._end_what_is_over()
            return look()
        return wait_for("a look at the cluster", again, LOOK_LIMIT_S)

    # -- doing

    def _hactl(self, *args):
        self.cluster.hactl(*args, "--force", node=self._asked(), check=False)

    def _asked(self):
        return next((n for n in self.cluster.nodes if n.agent_running()), self.cluster.nodes[0])

    def _resume_in_etcd(self):
        """As another tool would: nobody is told."""
        key = self.cluster.prefix + "config"
        config = json.loads(self.cluster.etcd.get(key))
        config.pop("pause", None)
        self.cluster.etcd.put(key, json.dumps(config))

    def _etcd_wipe(self):
        etcd = self.cluster.etcd
        etcd.stop()
        for m in etcd.members:
            m.wipe()
        etcd.start()

    def _once(self, verb, words):
        """Faults that are over when they are made; false for others."""
        cluster = self.cluster
        if verb == "etcd-leader-change":
            self.etcd_leaders_killed += 1
            wait_for("etcd's leader", cluster.etcd.leader, LOOK_LIMIT_S).kill_all()
            cluster.etcd.start()
        elif verb == "etcd-wipe":
            self._etcd_wipe()
        elif verb == "initialize-lost":
            cluster.etcd.delete(cluster.prefix + "initialize")
        elif verb == "resume-in-etcd":
            self._resume_in_etcd()
        elif verb == "data-lost":
            node = self.node(words[1])
            for pid in node.postgres_pids():
                kill(pid)
            node.wipe_data()
        elif verb == "postmaster-kill":
            kill(self.node(words[1]).postmaster_pid())
        else:
            return False
        return True

    def _disk_stall(self, hosts):
        for host in hosts:
            host.disk.freeze()
        return lambda: [host.disk.thaw() for host in hosts]

    def _freeze(self, pids):
        for pid in pids:
            kill(pid, signal.SIGSTOP)
        return lambda: [kill(pid, signal.SIGCONT) for pid in pids]

    def _etcd_members(self, words):
        etcd = self.cluster.etcd
        if "member" not in words:
            return etcd.members
        which = words[words.index("member") + 1]
        if which == "leader":
            self.etcd_leaders_killed += 1
            return [wait_for("etcd's leader", etcd.leader, LOOK_LIMIT_S)]
        return [etcd.members[int(which) % 3]]

    def _cut(self, node, others):
        for host in others:
            node.drop(peer=host.name)

    def fault(self, words):
        """Make it; returns how to end it."""
        verb, cluster = words[0], self.cluster
        if self._once(verb, words):
            return None
        if verb == "etcd-member-disk-stall":
            return self._disk_stall(self._etcd_members(words))
        if verb == "etcd-outage":
            for m in cluster.etcd.members:
                m.freeze()
            return lambda: [m.thaw() for m in cluster.etcd.members]
        if verb == "etcd-member-down":
            for m in self._etcd_members(words):
                m.kill_all()
            return cluster.etcd.start
        node = self.node(words[1])
        if verb == "disk-stall":
            return self._disk_stall([node])
        if verb == "agent-freeze":
            return self._freeze([node.agent.pid])
        if verb == "guard-freeze":
            return self._freeze(node.pids_of("pgha-guard"))
        if verb == "agent-and-guard-freeze":
            return self._freeze([node.agent.pid] + node.pids_of("pgha-guard"))
        if verb == "agent-kill":
            node.kill_agent()
            return node.start_agent
        if verb == "agent-stop":
            node.stop_agent()
            return node.start_agent
        if verb == "host-freeze":
            node.freeze()
            return node.thaw
        if verb == "host-lost":
            node.kill_all()
            return node.start_agent
        if verb == "isolate":
            node.unplug()
            return node.heal
        if verb == "cut-etcd":
            self._cut(node, cluster.etcd.members)
            return node.heal
        if verb == "cut-peers":
            self._cut(node, [n for n in cluster.nodes if n is not node])
            return node.heal
        if verb == "postmaster-hang":
            return self._freeze([node.postmaster_pid()])
        raise ValueError("%s: unknown fault %s" % (self.path, verb))

    def act(self, words):
        verb = words[0]
        if verb == "let":
            self.names[words[1]] = self._looked_at(lambda: [self.node(words[3])])[0]
        elif verb == "mark":
            self.marked = self._looked_at(lambda: self._mark("mark"))
        elif verb == "expect":
            assert self._looked_at(lambda: [self.holds(words[1:])])[0], " ".join(words)
        elif verb == "switchover":
            to = ["--candidate", self.node(words[1]).name] if len(words) > 1 else []
            self._hactl("switchover", *to)
        elif verb == "failover":
            self._hactl("failover", "--candidate", self.node(words[1]).name)
        elif verb in ("restart", "reinit"):
            self._hactl(verb, self.cluster.scope, self.node(words[1]).name)
        elif verb in ("pause", "resume"):
            self.cluster.hactl(verb, check=False)
        elif verb == "accept-store":
            for n in self.cluster.nodes:
                self.cluster.hactl("dcs", "accept", "--force", node=n, check=False)
        else:
            self._fault_for(words)

    def _fault_for(self, words):
        lasts = words[words.index("for") + 1] if "for" in words else None
        at = self.writers.mark(" ".join(words))
        self.struck_at = self.struck_at or at
        end = self.fault(words)
        if lasts and lasts != "ever" and end:
            self.ends.append((time.monotonic() + seconds(lasts), end))

    # -- time

    def _end_what_is_over(self):
        for item in [i for i in self.ends if time.monotonic() >= i[0]]:
            self.ends.remove(item)
            item[1]()

    def _until(self, moment, done=lambda: False):
        while time.monotonic() < moment:
            self._end_what_is_over()
            if done():
                return True
            time.sleep(LOOK_S)
        return done()

    def _seen(self, words):
        try:
            return self.holds(words)
        except Exception:
            return False

    def line(self, words):
        if tuple(words) in HOSTS:
            return
        span = seconds(words[1])
        if words[0] == "at":
            now = time.monotonic()
            self.zero = self.zero if self.zero is not None else now - span
            self._until(self.zero + span)
            self.act(words[2:])
        elif words[0] == "within":
            assert self._until(time.monotonic() + span * PATIENCE, lambda: self._seen(words[3:])), \
                "not within %s: %s" % (words[1], " ".join(words[3:]))
        elif words[0] == "for":
            until = time.monotonic() + span
            while time.monotonic() < until:
                self._end_what_is_over()
                assert self.holds(words[3:]), "not for %s: %s" % (words[1], " ".join(words[3:]))
                time.sleep(LOOK_S)
        else:
            raise ValueError("%s: line %s" % (self.path, words))

    def _play_lines(self):
        for number, words in lines_of(self.path):
            try:
                self.line(words)
            except AssertionError as e:
                votes = self.cluster.etcd.term() - self.etcd_term
                if 0 < self.etcd_leaders_killed < votes:
                    raise Undecided("etcd voted %d times for %d leaders; line %d: %s" % (
                        votes, self.etcd_leaders_killed, number, e)) from None
                raise AssertionError("line %d: %s" % (number, e)) from None
        self._until(max((i[0] for i in self.ends), default=0) + LOOK_S)

    def play(self):
        try:
            self._play_lines()
        finally:
            # What comes next finds nobody frozen or cut off, however this one ended.
            for _, end in self.ends:
                end()
