# SPDX-License-Identifier: PostgreSQL
"""alike - two agents, one of Patroni and one of ours, are asked the same and must answer the same

Both follow the same leader. Debian's Patroni is older than the one whose interface is ours; what that
one has changed since is named here."""

import re

READS = (
    "/", "/primary", "/master", "/read-write", "/leader", "/standby_leader", "/standby-leader",
    "/replica", "/replica?lag=1MB", "/replica?lag=x", "/replica?lag=1MB&tag_nothing=1",
    "/replica?tag_nothing=", "/read-only", "/read-only?lag=1MB", "/health", "/health?tag_x=y",
    "/sync", "/synchronous", "/async", "/async?lag=1MB", "/asynchronous", "/read-only-sync",
    "/read-only-synchronous", "/nothing", "/nothing/primary", "/primary/nothing", "/replica/x",
    "/patroni", "/patroni/x", "/cluster", "/cluster/x", "/history", "/config", "/failsafe",
    "/metrics", "/liveness", "/readiness", "/REPLICA", "//", "/%70rimary",
)
# None of them changes anything. Where the answer is a text, it is the same text.
WRITES = (
    ("POST", "/nothing", {}), ("PUT", "/patroni", {}), ("DELETE", "/config", None),
    ("PATCH", "/switchover", {}), ("DELETE", "/restart", None), ("DELETE", "/switchover", None),
    ("PATCH", "/config", []), ("PATCH", "/config", b"{"), ("PUT", "/config", b"x"),
    ("POST", "/restart", {"nothing": 1}), ("POST", "/restart", {"role": "x"}),
    ("POST", "/restart", {"role": "primary"}), ("POST", "/restart", {"postgres_version": "x"}),
    ("POST", "/restart", {"timeout": -1}), ("POST", "/restart", {"timeout": "x"}),
    ("POST", "/restart", {"schedule": "2001-01-01T00:00:00"}),
    ("POST", "/restart", {"schedule": "2001-01-01T00:00:00+00:00"}),
    ("POST", "/restart", {"schedule": "soon"}), ("POST", "/restart", {"restart_pending": False}),
    ("POST", "/switchover", {}), ("POST", "/switchover", b"[]"), ("POST", "/switchover", b"{"),
    ("POST", "/switchover", {"candidate": "x"}),
    ("POST", "/switchover", {"leader": "nobody", "candidate": "x"}),
    ("POST", "/switchover", {"leader": "LEADER", "candidate": "LEADER"}),
    ("POST", "/switchover", {"leader": "LEADER", "candidate": "nobody"}),
    ("POST", "/switchover", {"leader": "LEADER", "scheduled_at": "2001-01-01T00:00:00+00:00"}),
    ("POST", "/switchover", {"leader": "LEADER", "scheduled_at": "2031-01-01T00:00:00"}),
    ("POST", "/switchover", {"leader": "LEADER", "scheduled_at": "soon"}),
    ("POST", "/failover", {}), ("POST", "/failover", {"candidate": "nobody"}),
    ("POST", "/failover", {"candidate": "x", "scheduled_at": "2031-01-01T00:00:00+00:00"}),
    ("POST", "/failsafe", {"name": "x", "conn_url": "y", "api_url": "z"}),
)
# What 4.1.4 has in another way than 3.0.2: names, help texts and types of metrics, answers.
RENAMED = {"patroni_master"}
NEW_HELP = {"patroni_sync_standby", "patroni_failsafe_mode_is_active", "patroni_postgres_timeline"}
NEW_ANSWER = {
    ("/restart", 400): "PostgreSQL role should be either primary, standby_leader, or replica",
    ("/switchover", 400): "Switchover target and source are the same",
    ("/failover", 400): "Failover can't be scheduled",
}


def lacks(ours, theirs, where=""):
    """What of their document is not in ours with the same type. Ours may have more."""
    if type(ours) is not type(theirs):
        return ["%s: %r, theirs %r" % (where, ours, theirs)]
    if isinstance(theirs, dict):
        return [fault for k in theirs for fault in
                (lacks(ours[k], theirs[k], where + "/" + k) if k in ours
                 else [where + "/" + k + " is not there"])]
    if isinstance(theirs, list):
        return [fault for i, (a, b) in enumerate(zip(ours, theirs))
                for fault in lacks(a, b, "%s[%d]" % (where, i))]
    return []


def families(text):
    """{name: (type, help)}, and the names in their order."""
    out = {}
    for kind, name, rest in re.findall(r"^# (HELP|TYPE) (patroni_\w+) (.*)$", text, re.M):
        if name not in RENAMED:
            out.setdefault(name, {})[kind] = rest
    return out


def same_reads(ours, theirs):
    faults = []
    for path in READS:
        for method in ("GET", "HEAD", "OPTIONS"):
            a, b = ours.rest(path, method), theirs.rest(path, method)
            if a.code != b.code:
                faults.append((method, path, a.code, b.code))
            elif method != "GET" and (a.text or b.text):
                faults.append((method, path, "a body"))
    for path in ("/patroni", "/cluster", "/config", "/history"):
        faults += lacks(ours.rest(path).json(), theirs.rest(path).json(), path)
    return faults


def same_metrics(ours, theirs):
    a, b = families(ours.rest("/metrics").text), families(theirs.rest("/metrics").text)
    faults = [(name, a.get(name), b[name]) for name in b
              if name not in a or (a[name] != b[name] and name not in NEW_HELP)]
    if [name for name in a if name in b] != list(b):
        faults.append(("order", list(a), list(b)))
    return faults


def same_writes(ours, theirs, leader):
    faults = []
    for method, path, body in WRITES:
        if isinstance(body, dict):
            body = {k: leader.name if v == "LEADER" else v for k, v in body.items()}
        a, b = (n.rest(path, method, body, timeout=30) for n in (ours, theirs))
        plain = b.text if b.text and not b.text.lstrip().startswith("<") else None
        if NEW_ANSWER.get((path, a.code)) == a.text:
            continue
        if a.code != b.code or (plain is not None and a.text != plain):
            faults.append((method, path, body, a, b))
    return faults


def unalike(ours, theirs, leader):
    return (same_reads(ours, theirs) + same_metrics(ours, theirs)
            + same_writes(ours, theirs, leader))
