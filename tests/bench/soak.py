#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Does the heap of an agent grow? Agents that lead and follow, with libcurl, jansson and sd-event as
they are, under a profiler of the heap, against a real etcd that changes all the time and is stopped
for a moment now and then: scripts/bench soak

usage: soak.py BUILD_DIR [--seconds S] [--changes A_SECOND]

Fails when what is in use at the end is more than it was after the agents had settled."""

import argparse
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import agents

SETTLE_S = 60  # under the profiler each of them needs a while to begin
STOP_EVERY_S, STOP_S = 20, 0.5
PARTS = 5
# Between the medians of two parts; a leak of one byte a change would be more.
FLAT_BYTES = 4096
GUEST = ('{"conn_url":"postgres://127.0.0.9:5432/postgres","api_url":"http://127.0.0.9:8008/patroni",'
         '"state":"running","role":"replica","version":"4.1.4","xlog_location":%d,"timeline":1}')


def disturb(etcd, changes, until_ms):
    """A fourth member writes its record; what etcd does not answer is a part of it."""
    n, stopped = 0, time.monotonic()
    while agents.boottime_ms() < until_ms:
        n += 1
        try:
            agents.ask("/kv/put", {"key": agents.b64("/service/c0/members/guest"),
                                   "value": agents.b64(GUEST % (0x3000000 + 8192 * n))})
        except OSError:
            pass
        time.sleep(1 / changes)
        if time.monotonic() - stopped > STOP_EVERY_S:
            etcd.send_signal(signal.SIGSTOP)
            time.sleep(STOP_S)
            etcd.send_signal(signal.SIGCONT)
            stopped = time.monotonic()


def parts_of(path, begin_ms, end_ms):
    """Medians of what was in use, with the allocator's own, of equal parts of the time between."""
    with open(path, encoding="ascii") as f:
        text = f.read()
    seen = [(int(t), int(used) + int(extra)) for t, used, extra in re.findall(
        r"^time=(\d+)\nmem_heap_B=(\d+)\nmem_heap_extra_B=(\d+)", text, re.M)]
    width = (end_ms - begin_ms) / PARTS
    parts = [[used for t, used in seen if begin_ms + i * width <= t <= begin_ms + (i + 1) * width]
             for i in range(PARTS)]
    return [round(statistics.median(part)) for part in parts]


def soak(build, seconds, changes, directory):
    begin = agents.boottime_ms() + 1000 * SETTLE_S
    end = begin + 1000 * seconds
    started = []
    etcd = agents.start_etcd(directory)
    leads = agents.leadership(0)
    try:
        for number in range(3):
            out = os.path.join(directory, "massif.%d" % number)
            under = ["valgrind", "-q", "--tool=massif", "--time-unit=ms", "--max-snapshots=1000",
                     "--detailed-freq=1000000", "--massif-out-file=" + out]
            asked = agents.boottime_ms()
            started.append((subprocess.Popen(
                (under if number < 2 else []) +
                agents.argv_of(build, 0, number, begin, end, True, leads if number == 0 else ()),
                stdout=subprocess.PIPE, text=True), asked, out))
        time.sleep(max(0, begin + 1000 - agents.boottime_ms()) / 1000)
        if any(agent.poll() is not None for agent, _, _ in started):
            raise SystemExit("soak: an agent has ended, see above")
        busy = threading.Thread(target=disturb, args=(etcd, changes, end - 2000))
        busy.start()
        busy.join()
        told = [agents.told_by(agent) for agent, _, _ in started]
    finally:
        for agent, _, _ in started:
            agent.kill()
        etcd.send_signal(signal.SIGCONT)
        etcd.send_signal(signal.SIGTERM)
        etcd.wait()
    flat = True
    for who, (_, asked, out), numbers in zip(("leads", "follows"), started, told):
        # The first part has what is made once, by the first change and the first error.
        parts = parts_of(out, begin - asked, end - asked)[1:]
        grown = parts[-1] - parts[0]
        flat = flat and grown <= FLAT_BYTES
        print("%s: %d steps, %d changes told by the watch, %d looks without a lease; in use, bytes:"
              " %s: %s" % (who, numbers[4], numbers[5], numbers[1], ", ".join(map(str, parts)),
                           "flat" if grown <= FLAT_BYTES else "GROWN by %d" % grown))
    return flat


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    parser.add_argument("build")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--changes", type=float, default=20)
    args = parser.parse_args()
    if not shutil.which("valgrind"):
        raise SystemExit("soak: no valgrind here")
    directory = tempfile.mkdtemp(prefix="pgha-soak-", dir="/tmp")
    try:
        flat = soak(args.build, args.seconds, args.changes, directory)
    finally:
        shutil.rmtree(directory)
    sys.exit(0 if flat else 1)


main()
