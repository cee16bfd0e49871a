#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""How many clusters one etcd carries: real agents, three a cluster, with a Postgres that is none,
against one real etcd: scripts/bench agents. PGHA_BENCH_TMP says where etcd has its log, else /tmp.

usage: agents.py BUILD_DIR [--seconds S] [--busy] [--under COMMAND] CLUSTERS...

etcd counts what it was asked, and what became an entry of its log. One row for each number of
clusters, each with an etcd of its own. COMMAND, a profiler of the
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

PORT = int(os.environ.get("PGHA_BENCH_PORT", "25079"))
SETTLE_S = 25
FIRST_TERM_S = 300
STAGGER_MS = 80  # between two that begin: what is loaded and linked then is no rest
# What one of them tells; a profiler may say more.
NUMBERS = re.compile(r"^\d+( \d+){17}$", re.M)
ROW = "|" + " %s |" * 14
HEAD = ("clusters", "agents", "requests a minute and cluster", "entries a minute and cluster",
        "entries a second", "WAL syncs a second", "etcd's processor time, %", "the agents', %",
        "all processors busy, %", "etcd's memory, MB",
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


def read_metrics(tries=3):
    try:
        return urllib.request.urlopen("http://127.0.0.1:%d/metrics" % PORT,
                                      timeout=30).read().decode()
    except OSError:
        if tries == 1:
            raise
        return read_metrics(tries - 1)


def metrics():
    text = read_metrics()
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


def processors():
    """Seconds in which all of them were busy, and all seconds."""
    with open("/proc/stat", encoding="ascii") as f:
        ticks = [int(n) for n in f.readline().split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / 100, sum(ticks) / 100


def spent_s(agents):
    """Processor time of the agents, by the scheduler's own count."""
    total = 0
    for a in agents:
        with open("/proc/%d/schedstat" % a.pid, encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total / 1e9


def look(agents):
    found = metrics()
    found["agents"] = spent_s(agents)
    found["busy"], found["processors"] = processors()
    return found


def boottime_ms():
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)


def ask(path, body, tries=5):
    request = urllib.request.Request("http://127.0.0.1:%d/v3%s" % (PORT, path),
                                     json.dumps(body).encode())
    try:
        return json.load(urllib.request.urlopen(request, timeout=60))
    except OSError:
        if tries == 1:
            raise
        time.sleep(0.2)
        return ask(path, body, tries - 1)


def b64(text):
    return base64.b64encode(text.encode()).decode()


def leadership(cluster):
    """Of its first member: lease, epoch, when it was asked for, and its term: long enough for a
    program to begin on a busy machine. The agent replaces it by one of its own term."""
    asked = boottime_ms()
    lease = ask("/lease/grant", {"TTL": str(FIRST_TERM_S)})["ID"]
    ask("/kv/put", {"key": b64("/service/c%d/initialize" % cluster),
                    "value": b64("7710500522913725001")})
    told = ask("/kv/put", {"key": b64("/service/c%d/leader" % cluster), "value": b64("n0"),
                           "lease": lease})
    return [lease, told["header"]["revision"], str(asked), str(1000 * FIRST_TERM_S)]


def argv_of(build, cluster, number, begin, end, busy, leads=()):
    """leads: what leadership() told, for its first member."""
    return [os.path.join(build, "tests/bench/agents"), "127.0.0.1:%d" % PORT, str(cluster),
            str(number), str(begin), str(end), str(int(busy))] + list(leads)


def told_by(agent):
    """Its numbers, once it has ended."""
    text = agent.communicate(timeout=60)[0]
    if agent.returncode:
        raise SystemExit("an agent failed, see above")
    return [int(n) for n in re.search(NUMBERS, text).group().split()]


def run_agents(build, clusters, seconds, busy, under):
    """What each of them told at its end, and what etcd counted between begin and end."""
    # First, for an etcd whose disk is slow takes its time for that.
    leads = [leadership(cluster) for cluster in range(clusters)]
    begin = boottime_ms() + 1000 * SETTLE_S + 3 * clusters * (STAGGER_MS + 20)
    end = begin + 1000 * seconds
    agents = []
    try:
        for i in range(3 * clusters):
            agents.append(subprocess.Popen(
                (under if i == 1 else []) + argv_of(
                    build, i // 3, i % 3, begin, end, busy, leads[i // 3] if i % 3 == 0 else ()),
                stdout=subprocess.PIPE, text=True))
            time.sleep(STAGGER_MS / 1000)
        time.sleep(max(0, begin - boottime_ms()) / 1000)
        before, since = look(agents), time.monotonic()
        time.sleep(max(0, end - 500 - boottime_ms()) / 1000)
        after, took = look(agents), time.monotonic() - since
        told = [told_by(a) for a in agents]
    finally:
        for a in agents:
            a.kill()
    return told, before, after, took


def measure(build, clusters, seconds, busy, under):
    directory = tempfile.mkdtemp(prefix="pgha-agents-", dir=os.environ.get("PGHA_BENCH_TMP", "/tmp"))
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
    classes = [sum(column) for column in zip(*(t[6:] for t in told))]
    grown = max(t[3] - t[2] for t in told)
    return (clusters, 3 * clusters, "%.0f" % (rate("requests") * 60 / clusters),
            "%.0f" % (entries * 60 / clusters), "%.0f" % entries,
            "%.0f" % rate("etcd_disk_wal_fsync_duration_seconds_count"),
            "%.0f" % (100 * rate("process_cpu_seconds_total")),
            "%.0f" % (100 * rate("agents")),
            "%.0f" % (100 * rate("busy") / rate("processors")),
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


if __name__ == "__main__":
    main()
