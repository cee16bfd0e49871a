# SPDX-License-Identifier: PostgreSQL
"""What clients of the REST API can do to the member that they ask"""

import contextlib
import threading

from lib import flood
from lib.cluster import TTL_S
from lib.restload import argv, build_restload, read

ASKING = 100


def test_a_flood_of_clients_delays_no_renewal(cluster, hosts):
    """Half-open, slow and greedy ones together: the lease grows hardly older than without them."""
    leader = cluster.leader()
    since = leader.log_size()
    quiet_ms = flood.oldest_ms(leader, cluster.scope, TTL_S, flood.FLOOD_S)
    program = build_restload(hosts[1])
    with contextlib.ExitStack() as stack:
        flood.silent_and_slow(stack, leader)
        asking = leader.spawn(argv(program, leader, "/primary", ASKING, flood.FLOOD_S + 2, True),
                              log="restload.log")
        flood_ms = flood.oldest_ms(leader, cluster.scope, TTL_S, flood.FLOOD_S)
        code = leader.rest("/primary").code
        asking.wait(30)
    load = read(asking.log().strip().splitlines()[-1])
    print(load)
    assert code == 200
    assert load.rate > 0
    flood.judge(flood.Age(quiet_ms, flood_ms), TTL_S)
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
    cluster.wait_history(new.timeline() - 1)
    assert len(cluster.history()) == turns + 1, cluster.history()
    for body in bodies[:2]:
        for node in cluster.nodes:
            answer = node.rest("/switchover", "POST", body, timeout=60)
            assert answer.code in (412, 503), answer
    assert cluster.wait_whole() is new
    assert len(cluster.history()) == turns + 1, cluster.history()
    assert (cluster.key("failover") or "{}") == "{}"
