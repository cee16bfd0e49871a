# SPDX-License-Identifier: PostgreSQL
"""What clients of the REST API can do to the member that they ask"""

import contextlib
import os
import socket
import threading
import time

from lib.cluster import TTL_S
from lib.measure import boottime_less_monotonic_ns, open_page, read_page
from lib.node import REST_PORT
from lib.restload import argv, build_restload, read

FLOOD_S = 8
SILENT = 50  # connections that say nothing, or half a line
SLOW = 50    # that ask and never read
ASKING = 100


def least_left_ms(node, scope, seconds):
    """The least time that was ever left until the deadline of the lease page."""
    page = open_page(os.path.join(node.dir, "run", scope, node.name, "lease"))
    ahead = boottime_less_monotonic_ns()
    least = None
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        gate = read_page(page, ahead)
        if gate:
            assert gate.gate_ns != 0, "the page is armed"
            left = (gate.gate_ns - time.monotonic_ns()) / 1e6
            least = left if least is None else min(least, left)
        time.sleep(0.002)
    return least


def flooded(stack, node):
    for i in range(SILENT + SLOW):
        s = stack.enter_context(socket.create_connection((node.addr, REST_PORT), 10))
        if i < SILENT:
            s.sendall(b"GET /pri" if i % 2 else b"")
        else:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 20)


def test_a_flood_of_clients_delays_no_renewal(cluster, hosts, out):
    """Half-open, slow and greedy ones together: the lease is never older than without them."""
    leader = cluster.leader()
    scope = cluster.scope
    since = leader.log_size()
    quiet_ms = least_left_ms(leader, scope, FLOOD_S)
    program = build_restload(hosts[1])
    with contextlib.ExitStack() as stack:
        flooded(stack, leader)
        asking = leader.spawn(argv(program, leader, "/primary", ASKING, FLOOD_S + 2, True),
                              log="restload.log")
        flood_ms = least_left_ms(leader, scope, FLOOD_S)
        code = leader.rest("/primary").code
        asking.wait(30)
    load = read(asking.log().strip().splitlines()[-1])
    print("least left of the term: %.0f ms quiet, %.0f ms under flood; %r"
          % (quiet_ms, flood_ms, load))
    assert code == 200
    assert load.rate > 0
    # Half the term unproven is where the agent would call the lease fading.
    assert flood_ms > 1000 * TTL_S * 0.30, (quiet_ms, flood_ms)
    assert "fading" not in leader.logged_since(since)
    assert cluster.leader() is leader


def asked_at_once(node, bodies):
    """What each of these switchover requests came to, sent in the same moment."""
    answers = [None] * len(bodies)
    ready = threading.Barrier(len(bodies))

    def ask(i):
        ready.wait()
        answers[i] = node.rest("/switchover", "POST", bodies[i], timeout=60)
    threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(bodies))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return answers


def test_switchovers_at_once_and_again_are_one(cluster):
    """Several operators press the button, and a script sends the request once more later."""
    old, standbys, turns = cluster.leader(), cluster.replicas(), len(cluster.history())
    bodies = [{"leader": old.name, "candidate": standbys[i % 2].name} for i in range(8)]
    answers = asked_at_once(old, bodies)
    assert any(a.code == 200 for a in answers), answers
    assert all(a.code in (200, 412, 503) for a in answers), answers
    new = cluster.wait_whole()
    assert new in standbys
    assert len(cluster.history()) == turns + 1, cluster.history()
    for body in bodies[:2]:
        for node in cluster.nodes:
            answer = node.rest("/switchover", "POST", body, timeout=60)
            assert answer.code in (412, 503), answer
    assert cluster.wait_whole() is new
    assert len(cluster.history()) == turns + 1, cluster.history()
    assert (cluster.key("failover") or "{}") == "{}"
