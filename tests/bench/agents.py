#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""How many clusters one etcd carries: real agents, three a cluster, with a Postgres that is none,
against one real etcd: scripts/bench agents

usage: agents.py BUILD_DIR [--seconds S] [--busy] [--under COMMAND] CLUSTERS...

etcd counts what it was asked, and what became an entry of its log. One row for each number of
clusters, each with an etcd of its own below /tmp, on this machine's disk. COMMAND, a profiler of the
heap with its options, starts the first standby."""

import argparse
import base64
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

PORT = 25079
SETTLE_S = 25
STAGGER_MS = 40  # between two that begin
# What one of them tells; a profiler may say more.
NUMBERS = re.compile(r"^\d+( \d+){15}$", re.M)
ROW = "|" + " %s |" * 12
HEAD = ("clusters", "agents", "requests a minute and cluster", "entries a minute and cluster",
        "entries a second", "WAL syncs a second", "etcd's processor time, %", "etcd's memory, MB",
        "answers: median, p99, ms", "oldest proof of a leader, ms", "leases lost", "heap grown by, kB, at most")
CLASSES = ("1", "2", "5", "10", "25", "50", "100", "250", "500", "1000", "2500", "more")


def start_etcd(directory):
    url, peer = "http://127.0.0.1:%d" % PORT, "http://127.0.0.1:%d" % (PORT + 1)
    with open(os.path.join(directory, "log"), "wb") as log:
        etcd = subprocess.Popen(
            ["etcd", "--name", "one", "--data-dir", os.path.join(directory, "data"),
             "--listen-client-urls", url, "--advertise-client-urls", url,
             "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
             "--initial-cluster", "one=" + peer, "--auto-compaction-mode", "periodic",
             "--auto-compaction-retention", "5m", "--log-level", "error"],
            stdout=log, stderr=log)
    for _ in range(100):
        try:
            urllib.request.urlopen(url + "/health", timeout=1).read()
            return etcd
        except OSError:
            time.sleep(0.1)
    etcd.kill()
    raise SystemExit("etcd does not answer, see %s/log" % directory)


def metrics():
    text = urllib.request.urlopen("http://127.0.0.1:%d/metrics" % PORT, timeout=30).read().decode()
    found = {"requests": 0.0}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, value = line.rsplit(" ", 1)
        if name.startswith("grpc_server_started_total") and "Watch" not in name:
            found["requests"] += float(value)
        found[name] = float(value)
    return found


def quantile(classes, share):
    """Upper end of the class in which it lies."""
    total, seen = sum(classes), 0
    for end, n in zip(CLASSES, classes):
        seen += n
        if total > 0 and seen >= share * total:
            return end
    return "-"


def boottime_ms():
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)


def ask(path, body):
    request = urllib.request.Request("http://127.0.0.1:%d/v3%s" % (PORT, path),
                                     json.dumps(body).encode())
    return json.load(urllib.request.urlopen(request, timeout=60))


def b64(text):
    return base64.b64encode(text.encode()).decode()


def leadership(cluster):
    """Of its first member: lease, epoch, and when it was asked for."""
    asked = boottime_ms()
    lease = ask("/lease/grant", {"TTL": "5"})["ID"]
    ask("/kv/put", {"key": b64("/service/c%d/initialize" % cluster),
                    "value": b64("7710500522913725001")})
    told = ask("/kv/put", {"key": b64("/service/c%d/leader" % cluster), "value": b64("n0"),
                           "lease": lease})
    return [lease, told["header"]["revision"], str(asked)]


def run_agents(build, clusters, seconds, busy, under):
    """What each of them told at its end, and what etcd counted between begin and end."""
    program = os.path.join(build, "tests/bench/agents")
    begin = boottime_ms() + 1000 * SETTLE_S + 3 * clusters * STAGGER_MS
    end = begin + 1000 * seconds
    agents = []
    try:
        for i in range(3 * clusters):
            agents.append(subprocess.Popen(
                (under if i == 1 else []) +
                [program, "127.0.0.1:%d" % PORT, str(i // 3), str(i % 3), str(begin), str(end),
                 str(int(busy))] + (leadership(i // 3) if i % 3 == 0 else []),
                stdout=subprocess.PIPE, text=True))
            time.sleep(STAGGER_MS / 2000)
        time.sleep(max(0, begin - boottime_ms()) / 1000)
        before, since = metrics(), time.monotonic()
        time.sleep(max(0, end - 500 - boottime_ms()) / 1000)
        after, took = metrics(), time.monotonic() - since
        told = [[int(n) for n in re.search(NUMBERS, a.communicate(timeout=60)[0]).group().split()]
                for a in agents]
        if any(a.returncode for a in agents):
            raise SystemExit("some agents failed, see above")
    finally:
        for a in agents:
            a.kill()
    return told, before, after, took


def measure(build, clusters, seconds, busy, under):
    directory = tempfile.mkdtemp(prefix="pgha-agents-", dir="/tmp")
    etcd = start_etcd(directory)
    try:
        told, before, after, took = run_agents(build, clusters, seconds, busy, under)
    finally:
        etcd.send_signal(signal.SIGTERM)
        etcd.wait()
        shutil.rmtree(directory)

    def rate(name):
        return (after[name] - before[name]) / took

    entries = rate("etcd_server_proposals_applied_total")
    classes = [sum(column) for column in zip(*(t[4:] for t in told))]
    grown = max(t[3] - t[2] for t in told)
    return (clusters, 3 * clusters, "%.0f" % (rate("requests") * 60 / clusters),
            "%.0f" % (entries * 60 / clusters), "%.0f" % entries,
            "%.0f" % rate("etcd_disk_wal_fsync_duration_seconds_count"),
            "%.0f" % (100 * rate("process_cpu_seconds_total")),
            "%.0f" % (after["process_resident_memory_bytes"] / 1e6),
            "%s, %s" % (quantile(classes, 0.5), quantile(classes, 0.99)),
            max(t[0] for t in told), sum(t[1] for t in told), "%.1f" % (grown / 1024))


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    parser.add_argument("build")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--under", default="")
    parser.add_argument("clusters", type=int, nargs="+")
    args = parser.parse_args()
    print("%s, %s; load average %.1f" % (
        subprocess.run(["etcd", "--version"], stdout=subprocess.PIPE, text=True,
                       check=True).stdout.splitlines()[0],
        "positions move" if args.busy else "at rest", os.getloadavg()[0]))
    print(ROW % HEAD)
    print("|" + " --- |" * len(HEAD))
    for clusters in args.clusters:
        print(ROW % measure(args.build, clusters, args.seconds, args.busy,
                             shlex.split(args.under)))
        sys.stdout.flush()
    print("load average %.1f" % os.getloadavg()[0])


main()
