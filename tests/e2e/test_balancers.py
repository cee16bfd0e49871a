# SPDX-License-Identifier: PostgreSQL
"""Real load balancers side by side through a switchover and the loss of the primary's host: when
does a client's next write succeed?"""

import contextlib
import os
import threading
import time

import psycopg2
import pytest

from lib.cluster import FAILOVER_S, PATIENCE
from lib.front import SOON_S, WAYS, addresses, before, reached
from lib.proc import wait_for
from lib.through import Through

SWITCHOVER_MS = 10000 * PATIENCE


class MultiHost(threading.Thread):
    """An application with nothing but libpq: the string that hactl dsn prints, a second for a
    statement, and a new connection after every failure."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.dsn = (cluster.hactl("dsn", "--all").stdout.strip() + " user=postgres "
                    "dbname=postgres password='super secret' tcp_user_timeout=1000")
        self.acks = []
        self.over = threading.Event()
        cluster.leader().sql("CREATE TABLE multi (id bigserial PRIMARY KEY)")

    def run(self):
        while not self.over.is_set():
            with contextlib.suppress(psycopg2.Error), \
                    contextlib.closing(psycopg2.connect(self.dsn)) as conn:
                conn.autocommit = True
                with conn.cursor() as cur:
                    while not self.over.wait(0.01):
                        cur.execute("INSERT INTO multi DEFAULT VALUES")
                        self.acks.append(time.monotonic_ns())
            self.over.wait(0.01)

    def wait_ack(self):
        since = time.monotonic_ns()
        wait_for("a write by libpq's own means", lambda: self.acks[-1] > since, SOON_S)

    def outage_ms(self, begin, end):
        at = [begin] + [t for t in self.acks if begin < t < end]
        return max(b - a for a, b in zip(at, at[1:])) / 1e6


@pytest.fixture
def front(cluster, out):
    with before(cluster, out) as host:
        yield host


def test_next_write_through_each(cluster, front, prober, out):
    front.start_haproxy()
    front.start_nginx()
    front.start_pgbouncer()
    ways = {name: (front.addr, port) for name, port in WAYS.items()}
    own = MultiHost(cluster)
    own.start()
    with Through(prober, cluster, os.path.join(out, "through.txt"), ways) as t:
        t.wait_acks(SOON_S)
        own.wait_ack()
        old, new = cluster.leader(), cluster.replicas()[0]
        t.mark("switchover")
        cluster.hactl("switchover", "--candidate", new.name, "--force")
        cluster.wait_leader(other_than=old)
        t.wait_acks(SOON_S)
        own.wait_ack()
        cluster.wait_whole()

        lost = cluster.leader()
        t.mark("host lost")
        lost.unplug()
        lost.kill_all()
        cluster.wait_leader(other_than=lost)
        t.wait_acks(SOON_S)
        own.wait_ack()
    own.over.set()
    own.join(10)
    (switched, _), (gone, _) = t.marks
    outages = t.outages()
    outages["switchover", "libpq"] = own.outage_ms(switched, gone)
    outages["host lost", "libpq"] = own.outage_ms(gone, time.monotonic_ns())
    print("  through libpq: %(switchover)d ms, %(host lost)d ms"
          % {what: ms for (what, way), ms in outages.items() if way == "libpq"})
    for (what, way), ms in outages.items():
        limit = SWITCHOVER_MS if what == "switchover" else 1000 * (FAILOVER_S + SOON_S)
        assert ms < limit, (what, way, ms)


def test_reads_go_where_somebody_serves(cluster, front):
    """nginx names the standbys that stream, and the primary where none does."""
    front.start_nginx()
    kept = front.file("pgha.conf")

    def named():
        with open(kept, encoding="ascii") as f:
            return f.read().partition("upstream pgha_replicas")[2].partition("}")[0]
    standbys = cluster.replicas()
    assert all(n.addr + ":" in named() for n in standbys)
    for n in standbys:
        n.kill_all()
    leader = cluster.leader()
    wait_for("reads go to the primary", lambda: leader.addr + ":" in named(), 30 * PATIENCE)
    for n in standbys:
        n.start_agent()
    wait_for("reads go to the standbys", lambda: leader.addr + ":" not in named()
             and all(n.addr + ":" in named() for n in standbys), 60 * PATIENCE)


def test_a_standby_that_lags_is_read_from_again_when_it_has_caught_up(cluster, front):
    """Through a switchover and a failover besides: reads go to the standbys of the moment."""
    front.start_haproxy("--lag", "1MB")
    late, other = cluster.replicas()
    leader = cluster.leader()
    wait_for("reads reach both", lambda: reached(front, 5001) == addresses([late, other]), SOON_S)
    late.sql("SELECT pg_wal_replay_pause()")
    try:
        leader.sql("CREATE TABLE late AS SELECT repeat('x', 2000) FROM generate_series(1, 2000)")
        wait_for("the late one is left out",
                 lambda: reached(front, 5001) == addresses([other]), SOON_S)
        assert late.rest("/replica").code == 200, "it is a replica all the same"
    finally:
        late.sql("SELECT pg_wal_replay_resume()")
    wait_for("it is back", lambda: reached(front, 5001) == addresses([late, other]), SOON_S)

    cluster.hactl("switchover", "--candidate", other.name, "--force")
    cluster.wait_whole()
    wait_for("reads reach the standbys after the switchover",
             lambda: reached(front, 5001) == addresses([late, leader]), SOON_S)
    # HAProxy looks at the members for writes by themselves, at other moments.
    wait_for("writes reach the other", lambda: reached(front, 5000) == {other.addr}, SOON_S)
    other.kill_all()
    new = cluster.wait_leader(other_than=other)
    wait_for("reads reach the one that is left", lambda: reached(front, 5001) == addresses(
        n for n in (late, leader) if n is not new), SOON_S)
    wait_for("writes reach the new one", lambda: reached(front, 5000) == {new.addr}, SOON_S)
    other.start_agent()
    cluster.wait_whole()
    new.sql("DROP TABLE late")
    wait_for("all standbys again", lambda: reached(front, 5001) == addresses(
        n for n in cluster.nodes if n is not new), SOON_S)
