# SPDX-License-Identifier: PostgreSQL
"""flood - clients of one member's REST API that mean no good, and how old its lease gets by them"""

import os
import re
import socket
import ssl
import time
from collections import namedtuple

from .measure import boottime_less_monotonic_ns, open_page, read_page
from .node import REST_PORT

FLOOD_S = 8
SILENT = 50  # connections that say nothing, or half a line
SLOW = 50    # that ask and never read
GREEDY = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 20
# Of the term, when a renewal is due, when the lease is called fading, and when the gate shuts. Of the
# time between the first two a flood may take half, on a machine that it shares with all members.
DUE, FADES, GATE = 1 / 6, 0.50, 0.80
AGE_MAX = DUE + (FADES - DUE) / 2

Age = namedtuple("Age", "quiet_ms flood_ms")


def oldest_ms(node, scope, ttl_s, seconds):
    """How old the proof of the lease ever was, by what the lease page says every other millisecond."""
    page = open_page(os.path.join(node.dir, "run", scope, node.name, "lease"))
    ahead = boottime_less_monotonic_ns()
    oldest = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        gate = read_page(page, ahead)
        if gate:
            assert gate.gate_ns != 0, "the page is armed"
            left = (gate.gate_ns - time.monotonic_ns()) / 1e6
            oldest = max(oldest, 1000 * ttl_s * GATE - left)
        time.sleep(0.002)
    return oldest


def judge(age, ttl_s):
    print("oldest proof of the lease: %.0f ms quiet, %.0f ms under flood; it fades at %.0f ms"
          % (age.quiet_ms, age.flood_ms, 1000 * ttl_s * FADES))
    assert age.flood_ms < 1000 * ttl_s * AGE_MAX, age


def connect(stack, node):
    return stack.enter_context(socket.create_connection((node.addr, REST_PORT), 10))


def silent_and_slow(stack, node):
    for i in range(SILENT + SLOW):
        s = connect(stack, node)
        if i < SILENT:
            s.sendall(b"GET /pri" if i % 2 else b"")
        else:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.sendall(GREEDY)


def client_hello(ctx):
    """What a handshake begins with."""
    out = ssl.MemoryBIO()
    try:
        ctx.wrap_bio(ssl.MemoryBIO(), out, server_hostname="x").do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def half_open(stack, node, ctx):
    """Handshakes that stop half way: before the server has heard all, or after it has signed."""
    for i in range(SILENT):
        hello = client_hello(ctx)
        connect(stack, node).sendall(hello if i % 2 else hello[:100])


def slow_tls(stack, node, ctx):
    for _ in range(SLOW):
        s = socket.create_connection((node.addr, REST_PORT), 10)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stack.enter_context(ctx.wrap_socket(s, server_hostname=node.addr)).sendall(GREEDY)


def storm(node, cert, seconds):
    """Whole handshakes, one after the other, that the server has to sign for. Ends by itself."""
    return node.spawn(["openssl", "s_time", "-connect", "%s:%d" % (node.addr, REST_PORT), "-new",
                       "-time", str(seconds), "-cert", cert + ".crt", "-key", cert + ".key"],
                      log="storm.log")


def handshakes(client):
    """How many it made."""
    client.wait(30)
    return int(re.search(r"(\d+) connections in \d+ real", client.log()).group(1))
