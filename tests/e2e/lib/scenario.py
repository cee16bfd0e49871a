# SPDX-License-Identifier: PostgreSQL
"""scenario - the stories of tests/scenarios, which the simulator plays, on real hosts

tests/sim/scenario.h has the language. Its clock starts when the cluster does; here the cluster is
there already, so the first line is its beginning. VERBS is what hosts made of namespaces can do."""

import re
import signal
import time

from .proc import kill

# What is played. Others are faults that only the model has, and properties of its hosts.
VERBS = {"let", "mark", "expect", "switchover", "failover", "restart", "reinit", "pause", "resume",
         "agent-freeze", "agent-kill", "agent-stop", "host-freeze", "host-lost", "isolate",
         "cut-etcd", "cut-peers", "etcd-outage", "etcd-member-down", "etcd-leader-change",
         "postmaster-kill", "postmaster-hang"}
NODE_WORDS = {"leader", "standby", "standby2"}

# A machine that runs eleven servers at once is slower than the model.
PATIENCE = 2.0
LOOK_S = 0.1


def seconds(text):
    number, unit = re.fullmatch(r"([0-9.]+)(ms|s)", text).groups()
    return float(number) / (1000 if unit == "ms" else 1)


def lines_of(path):
    with open(path, encoding="ascii") as f:
        for number, line in enumerate(f, 1):
            words = line.split("#")[0].split()
            if words:
                yield number, words


def why_not(path):
    """What keeps this story from being played on hosts; None if nothing does."""
    for _, words in lines_of(path):
        verb = words[2] if words[0] in ("at", "within", "for") else words[0]
        if verb not in VERBS or "promoting" in words:
            return "promoting" if "promoting" in words else verb
    return None


class Story:
    def __init__(self, cluster, writers, path):
        self.cluster, self.writers, self.path = cluster, writers, path
        self.names = {}
        self.zero = None
        self.ends = []  # (when, what to do), in no order
        self.marked = (time.monotonic_ns(), self._terms(), self._postmasters())

    # -- looking

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

    # -- doing

    def _hactl(self, *args):
        self.cluster.hactl(*args, "--force", node=self._asked(), check=False)

    def _asked(self):
        return next((n for n in self.cluster.nodes if n.agent_running()), self.cluster.nodes[0])

    def _etcd_members(self, words):
        etcd = self.cluster.etcd
        if "member" not in words:
            return etcd.members
        which = words[words.index("member") + 1]
        return [etcd.leader()] if which == "leader" else [etcd.members[int(which) % 3]]

    def _cut(self, node, others):
        for host in others:
            node.drop(peer=host.name)

    def fault(self, words):
        """Make it; returns how to end it."""
        verb, cluster = words[0], self.cluster
        if verb == "etcd-outage":
            for m in cluster.etcd.members:
                m.freeze()
            return lambda: [m.thaw() for m in cluster.etcd.members]
        if verb == "etcd-member-down":
            for m in self._etcd_members(words):
                m.kill_all()
            return cluster.etcd.start
        if verb == "etcd-leader-change":
            cluster.etcd.leader().kill_all()
            cluster.etcd.start()
            return None
        node = self.node(words[1])
        if verb == "agent-freeze":
            node.agent.kill(signal.SIGSTOP)
            return lambda: node.agent.kill(signal.SIGCONT)
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
        if verb == "postmaster-kill":
            kill(node.postmaster_pid())
            return None
        if verb == "postmaster-hang":
            pid = node.postmaster_pid()
            kill(pid, signal.SIGSTOP)
            return lambda: kill(pid, signal.SIGCONT)
        raise ValueError("%s: unknown fault %s" % (self.path, verb))

    def act(self, words):
        verb = words[0]
        if verb == "let":
            self.names[words[1]] = self.node(words[3])
        elif verb == "mark":
            self.marked = (self.writers.mark("mark"), self._terms(), self._postmasters())
        elif verb == "expect":
            assert self.holds(words[1:]), " ".join(words)
        elif verb == "switchover":
            to = ["--candidate", self.node(words[1]).name] if len(words) > 1 else []
            self._hactl("switchover", *to)
        elif verb == "failover":
            self._hactl("failover", "--candidate", self.node(words[1]).name)
        elif verb in ("restart", "reinit"):
            self._hactl(verb, self.cluster.scope, self.node(words[1]).name)
        elif verb in ("pause", "resume"):
            self.cluster.hactl(verb, check=False)
        else:
            self._fault_for(words)

    def _fault_for(self, words):
        lasts = words[words.index("for") + 1] if "for" in words else None
        self.writers.mark(" ".join(words))
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

    def play(self):
        for number, words in lines_of(self.path):
            try:
                self.line(words)
            except AssertionError as e:
                raise AssertionError("line %d: %s" % (number, e)) from None
        self._until(max((i[0] for i in self.ends), default=0) + LOOK_S)
