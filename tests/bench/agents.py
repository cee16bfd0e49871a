#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""How many clusters one etcd carries: real agents, three a cluster, with a Postgres that is none,
against one real etcd: scripts/bench agents

usage: agents.py BUILD_DIR [--seconds S] [--busy] CLUSTERS...

etcd counts what it was asked, and what became an entry of its log. One row for each number of
clusters, each with an etcd of its own below /tmp, on this machine's disk."""

import argparse
import os
import re
import signal
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

PORT = 25079
ROW = "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |"
HEAD = ("clusters", "agents", "requests a minute and cluster", "entries a minute and cluster",
        "entries a second", "WAL syncs a second", "etcd's processor time, %", "etcd's memory, MB",
        "answers: median, p99, ms", "oldest proof of a leader, ms", "leases lost")
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


def measure(build, clusters, seconds, busy):
    directory = tempfile.mkdtemp(prefix="pgha-agents-", dir="/tmp")
    etcd = start_etcd(directory)
    command = [os.path.join(build, "tests/bench/agents"), "127.0.0.1:%d" % PORT, str(clusters),
               str(seconds)] + (["busy"] if busy else [])
    agents = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        if agents.stdout.readline() != "begin\n":
            raise SystemExit("the agents did not begin, see above")
        before, since = metrics(), time.monotonic()
        agents.stdout.readline()
        after, took = metrics(), time.monotonic() - since
        rest = dict(re.match(r"(\w+) (.*)", line).groups() for line in agents.stdout)
        if agents.wait() != 0:
            raise SystemExit("the agents failed")
    finally:
        agents.kill()
        etcd.send_signal(signal.SIGTERM)
        etcd.wait()
        shutil.rmtree(directory)

    def rate(name):
        return (after[name] - before[name]) / took

    entries = rate("etcd_server_proposals_applied_total")
    classes = [int(n) for n in rest["latency"].split()]
    return (clusters, 3 * clusters, "%.0f" % (rate("requests") * 60 / clusters),
            "%.0f" % (entries * 60 / clusters), "%.0f" % entries,
            "%.0f" % rate("etcd_disk_wal_fsync_duration_seconds_count"),
            "%.0f" % (100 * rate("process_cpu_seconds_total")),
            "%.0f" % (after["process_resident_memory_bytes"] / 1e6),
            "%s, %s" % (quantile(classes, 0.5), quantile(classes, 0.99)),
            rest["oldest_proof_ms"], rest["lost"])


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    parser.add_argument("build")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("clusters", type=int, nargs="+")
    args = parser.parse_args()
    print("%s, %s; load average %.1f" % (
        subprocess.run(["etcd", "--version"], stdout=subprocess.PIPE, text=True,
                       check=True).stdout.splitlines()[0],
        "positions move" if args.busy else "at rest", os.getloadavg()[0]))
    print(ROW % HEAD)
    print("|" + " --- |" * len(HEAD))
    for clusters in args.clusters:
        print(ROW % measure(args.build, clusters, args.seconds, args.busy))
        sys.stdout.flush()
    print("load average %.1f" % os.getloadavg()[0])


main()
