# SPDX-License-Identifier: PostgreSQL
"""Does the memory of a whole pghad grow, with libpq, libmicrohttpd and all else as it is, beside a
real PostgreSQL? scripts/bench soak-pghad

It is asked by REST as fast as it answers, on connections that are kept and on new ones; its
configuration changes, its PostgreSQL is killed now and then, and in etcd a member changes its record
a hundred times a second. Fails when the anonymous memory of the process is more in the last part of
the time than in the second. PGHA_BENCH_SECONDS says how long."""

import itertools
import os
import signal
import statistics
import threading
import time

from lib import restload
from lib.cluster import Cluster
from lib.proc import kill, wait_for

SECONDS = int(os.environ.get("PGHA_BENCH_SECONDS", "180"))
SETTLE_S = 20
PARTS = 5
# Between the medians of two parts: what the allocator keeps for later differs by so much.
FLAT_KB = 128
CHANGES_A_SECOND = 100
KILL_EVERY_S = 40
PATHS = ("/primary", "/patroni", "/cluster", "/metrics", "/config", "/history", "/nowhere")
GUEST = ('{"conn_url":"postgres://127.0.0.9:5432/postgres","api_url":"http://127.0.0.9:8008/patroni",'
         '"state":"running","role":"replica","version":"4.1.4","xlog_location":%d,"timeline":1}')


class Disturber:
    """Threads that do something again and again until the end, and how often they did."""

    def __init__(self):
        self.end = threading.Event()
        self.threads = []
        self.done = {}

    def add(self, what, act, every_s):
        """act: may say how much it did."""
        def go():
            while not self.end.wait(every_s):
                try:
                    self.done[what] = self.done.get(what, 0) + (act() or 1)
                except (OSError, ValueError, RuntimeError):
                    pass
        self.threads.append(threading.Thread(target=go))
        self.threads[-1].start()

    def stop(self):
        self.end.set()
        for t in self.threads:
            t.join()


def anonymous_kb(pid):
    with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Anonymous:"))


def hammer(d, cluster, node, program):
    paths, numbers = itertools.cycle(PATHS), itertools.count()

    def ask(keep):
        return round(2 * restload.ask(program, node, next(paths), 4, 2, keep).rate)

    def configure():
        node.rest("/config", "PATCH", {"maximum_lag_on_failover": 1048576 + next(numbers)})

    d.add("answers on kept connections", lambda: ask(True), 0.1)
    d.add("answers on new connections", lambda: ask(False), 0.1)
    d.add("changes of a member's record", lambda: cluster.etcd.put(
        cluster.prefix + "members/guest", GUEST % (0x3000000 + 8192 * next(numbers))) and 1,
        1 / CHANGES_A_SECOND)
    d.add("changes of the configuration", configure, 5)
    d.add("SIGHUP", lambda: node.agent.kill(signal.SIGHUP), 7)
    d.add("kills of the postmaster", lambda: kill(node.postmaster_pid()), KILL_EVERY_S)


def parts_of(seen):
    width = len(seen) // PARTS
    return [round(statistics.median(seen[i * width:(i + 1) * width])) for i in range(PARTS)]


def test_memory_is_flat(hosts, programs, prober):
    cluster = Cluster(*hosts, programs, prober, nodes=1, etcd=1)
    node = cluster.nodes[0]
    # At level DEBUG the disk is what is measured.
    cluster.local = {"log": {"level": "INFO"}}
    cluster.reset_config(node)
    d, seen = Disturber(), []
    try:
        cluster.start()
        hammer(d, cluster, node, restload.build_restload(hosts[1]))
        time.sleep(SETTLE_S)
        pid, until = node.agent.pid, time.monotonic() + SECONDS
        while time.monotonic() < until:
            seen.append(anonymous_kb(pid))
            time.sleep(1)
        d.stop()
        wait_for("it leads at the end", lambda: node.rest("/primary").code == 200, 60)
    finally:
        d.stop()
        cluster.remove()
    parts = parts_of(seen)
    print("%s; anonymous memory, kB: %s" % (
        ", ".join("%d %s" % (n, what) for what, n in d.done.items()), ", ".join(map(str, parts))))
    assert parts[-1] - parts[1] <= FLAT_KB, parts
