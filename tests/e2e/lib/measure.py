# SPDX-License-Identifier: PostgreSQL
"""measure - what a fault did, from what was seen from outside while it lasted

Watch looks at the lease pages and at how far the standbys have received, all the time. measure()
puts that beside what the writers saw. read_page() and what follows it are pure."""

import mmap
import os
import struct
import threading
import time
from collections import namedtuple

# base/leasepage.h: 64-bit words by index.
MAGIC = struct.unpack("<Q", b"pghapage")[0]
WORDS = 22
SEQUENCE, ARMED, REASON, GATE_AT, WRITTEN_AT = 3, 6, 7, 13, 18
REASON_NEW, REASON_PAUSED = 0, 3
PAGE_BYTES = 4096
LOOK_S = 0.002
POSITION_S = 0.02

# What the page said from since_ns on, of CLOCK_MONOTONIC. gate_ns: 0 is never.
Gate = namedtuple("Gate", "since_ns gate_ns")


def boottime_less_monotonic_ns():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()


def read_page(raw, ahead_ns=0):
    """Gate of a page's bytes; None while it is being written, or is none. ahead_ns: by how much
    CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC."""
    words = struct.unpack_from("<%dQ" % WORDS, raw)
    if words[0] != MAGIC or words[SEQUENCE] % 2:
        return None
    since = words[WRITTEN_AT] * 1000000 - ahead_ns
    if words[ARMED]:
        return Gate(since, words[GATE_AT] * 1000000 - ahead_ns)
    # Any other disarmed page lifts no deadline: see doc/fencing.md.
    return Gate(since, 0) if words[REASON] in (REASON_NEW, REASON_PAUSED) else None


class Watch:
    """Between start() and stop(): gates by node, and positions by (node, timeline)."""

    def __init__(self, nodes, scope):
        self.gates = {n.name: [] for n in nodes}
        self.received = {}
        self._ahead_ns = boottime_less_monotonic_ns()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._look, args=(nodes, scope), daemon=True)]
        self._threads += [threading.Thread(target=self._follow, args=(n,), daemon=True)
                          for n in nodes]

    def start(self):
        for thread in self._threads:
            thread.start()
        return self

    def stop(self):
        self._over.set()
        for thread in self._threads:
            thread.join(5)

    def _look(self, nodes, scope):
        pages = {}
        while not self._over.wait(LOOK_S):
            for n in nodes:
                if n.name not in pages:
                    pages[n.name] = open_page(os.path.join(n.dir, "run", scope, n.name, "lease"))
                    if pages[n.name] is None:
                        del pages[n.name]
                        continue
                gate = read_page(pages[n.name], self._ahead_ns)
                seen = self.gates[n.name]
                if gate and (not seen or seen[-1].gate_ns != gate.gate_ns):
                    seen.append(gate)

    def _follow(self, node):
        """How far a standby has come while it receives; silence while nobody answers."""
        conn = None
        while not self._over.wait(POSITION_S):
            try:
                conn = conn or node.connect(timeout_s=1)
                with conn.cursor() as cur:
                    cur.execute("SELECT received_tli, flushed_lsn - '0/0' FROM "
                                "pg_stat_wal_receiver WHERE flushed_lsn IS NOT NULL")
                    for timeline, lsn in cur.fetchall():
                        key = (node.name, timeline)
                        self.received[key] = max(int(lsn), self.received.get(key, 0))
            except Exception:
                if conn:
                    conn.close()
                conn = None
                self._over.wait(0.2)


def open_page(path):
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return mmap.mmap(fd, PAGE_BYTES, mmap.MAP_SHARED, mmap.PROT_READ)
    finally:
        os.close(fd)


def gate_of(gates, at_ns):
    """The deadline in force at that time; 0 for none."""
    last = 0
    for gate in gates:
        if gate.since_ns > at_ns:
            break
        last = gate.gate_ns
    return last


def latest_past_gate(ops, gates_by_node):
    """By how many us the latest acknowledgement came after its node's gate, negative when all came
    before; None when there was no gate. And how many came after it."""
    worst, after = None, 0
    for op in ops:
        gate = gate_of(gates_by_node.get(op.node, ()), op.done) if op.outcome == "ok" else 0
        if not gate:
            continue
        us = (op.done - gate) / 1000
        worst = us if worst is None else max(worst, us)
        after += us > 0
    return worst, after


def branches(history):
    """Where each timeline was left, from the text of a history file: {timeline: position}."""
    out = {}
    for line in history.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0].isdigit() and "/" in words[1]:
            high, low = words[1].split("/")
            out[int(words[0])] = (int(high, 16) << 32) + int(low, 16)
    return out


def lost_though_received(lost, received, left_at):
    """Of the lost rows those that some standby had received, and that nobody asked it for.
    received: {(node, timeline): position}, left_at: branches()."""
    out = []
    for timeline, branch in left_at.items():
        furthest = max((at for (_, t), at in received.items() if t == timeline), default=0)
        if furthest > branch:
            out += [op for op in lost if op.timeline == timeline and op.lsn < furthest]
    return out
