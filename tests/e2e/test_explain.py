# SPDX-License-Identifier: PostgreSQL
"""What would be if, and what a doctor finds: answers that are then put to the proof"""

import json
import os
import re
import subprocess
import time

import pytest

from lib.cluster import TTL_S, in_seconds
from lib.proc import wait_for


def outlook(cluster, *ifs, member=None):
    args = [w for i in ifs for w in ("--if", i)]
    return json.loads(cluster.hactl("explain", *([member] if member else []), "--json", *args,
                                    *([] if ifs else ["--if", "%s gone" % cluster.leader_name()])
                                    ).stdout)


def row(answer, name):
    return next(m for m in answer["members"] if m["name"] == name)


@pytest.fixture
def level(cluster):
    """Nobody lags, by what the members tell: who leads next is told by positions of some moment."""
    def is_level():
        said = outlook(cluster)
        positions = {m["lsn"] for m in said["members"] if m["is"] == "there"}
        return len(positions) == 1 and said["failover"]["lost_bytes"] == 0
    wait_for("nobody lags", is_level, 30)
    return cluster


def test_the_named_successor_takes_over_in_the_named_time(level):
    cluster = level
    old = cluster.leader()
    text = cluster.hactl("explain").stdout
    assert "Suppose %s lost (asked of %s):" % (old.name, old.name) in text
    said = outlook(cluster)
    asked = said["asked"]
    named = said["failover"]["leader"]
    assert said["failover"]["end"] == "elected" and named != old.name
    assert asked == old.name and said["failover"]["lost_bytes"] == 0
    least_ms, most_ms = said["failover"]["key_free_after_ms"]
    assert 0.8 * TTL_S * 1000 < least_ms < most_ms <= TTL_S * 1000 + 500
    assert [s["name"] for s in row(said, named)["steps"]] == ["follow", "acquire"]

    old.kill_all()
    began = time.monotonic()
    new = cluster.wait_leader(other_than=old)
    took_ms = 1000 * (time.monotonic() - began)
    assert new.name == named
    assert took_ms > least_ms - 1000


def test_suppositions_change_the_answer(level):
    cluster = level
    leader = cluster.leader()
    one, two = cluster.replicas()
    first = outlook(cluster)["failover"]["leader"]
    other = two.name if first == one.name else one.name
    assert outlook(cluster, "%s nofailover" % first)["failover"]["leader"] == other
    assert outlook(cluster, "%s lagging 1kB" % first)["failover"]["leader"] == other
    assert outlook(cluster, "%s gone" % first)["failover"]["leader"] == other
    none = outlook(cluster, "%s gone" % one.name, "%s gone" % two.name)
    assert none["failover"]["end"] == "nobody"
    assert outlook(cluster, "paused")["failover"]["end"] == "nobody"
    crashed = outlook(cluster, "%s crashed" % leader.name)["failover"]
    assert crashed["end"] == "handed-over" and crashed["leader"] == first
    # A standby says the same of the same.
    assert outlook(cluster, "%s gone" % leader.name, member=one.name)["asked"] == one.name
    assert outlook(cluster, "%s gone" % leader.name,
                   member=one.name)["failover"]["leader"] == first
    assert leader.name == cluster.leader_name()


def test_without_etcd_the_primary_is_said_to_end(cluster):
    leader = cluster.leader()
    said = outlook(cluster, "etcd gone")
    assert said["failover"]["end"] == "nobody"
    steps = row(said, leader.name)["steps"]
    assert [s["name"] for s in steps] == ["lead", "lead-fading", "lease-ending"]
    assert 0.3 * TTL_S * 1000 < steps[1]["at_ms"] < steps[2]["at_ms"] < 0.7 * TTL_S * 1000
    text = cluster.hactl("explain", "--if", "etcd gone").stdout
    assert "Suppose etcd gone (asked of %s):" % leader.name in text
    assert re.search(r"^  leads +nobody: without etcd nobody can be elected$", text, re.M)


@pytest.mark.parametrize("words, why", [
    ("n1 asleep", "cannot understand 'n1 asleep'; there are 'MEMBER gone'"),
    ("n7 gone", "there is no member 'n7': the members are n1, n2, n3"),
    ("n1 lagging soon", "'soon' is no size"),
])
def test_what_cannot_be_supposed_is_said(cluster, words, why):
    done = cluster.hactl("explain", "--if", words, check=False)
    assert done.returncode == 1 and why in done.stdout, done.stdout


def test_dead_members_are_left_out(cluster):
    dead, left = cluster.replicas()
    dead.kill_all()
    wait_for("%s is gone from etcd" % dead.name,
             lambda: cluster.key("members/%s" % dead.name) is None, 3 * TTL_S)
    said = outlook(cluster)
    assert said["failover"]["leader"] == left.name
    assert not any(m["name"] == dead.name and m.get("rank") == "best" for m in said["members"])


def findings(cluster, code=None):
    done = cluster.hactl("doctor", "--json", check=False)
    if code is not None:
        assert done.returncode == code, done.stdout
    return json.loads(done.stdout)


def about(found, words, where=None):
    return [f for f in found["findings"]
            if words in f["what"] and (where is None or f["where"] == where)]


def test_doctor_finds_a_cluster_in_order(cluster):
    found = findings(cluster)
    assert {m["name"] for m in found["members"]} == {"n1", "n2", "n3"}
    assert [f for f in found["findings"] if f["level"] == "critical"] == []
    for m in found["members"]:
        assert {link["to"] for link in m["links"]} == {"n1", "n2", "n3"} - {m["name"]}
        assert all(link["replication"] == link["rewind"] == "" for link in m["links"])
        assert m["settings"]["wal_level"] == "replica" and int(m["settings"]["data_bytes"]) > 0
        assert m["disk"]["size_bytes"] > m["disk"]["free_bytes"] > 0
        assert m["limits"]["open_files"] != 0
        assert next(f for f in m["files"] if f["what"] == "postgresql.data_dir")["mode"] == "700"
    text = cluster.hactl("doctor", check=False).stdout
    assert "e2e: 3 of 3 members examined" in text


def test_doctor_tries_the_doors_between_members(cluster):
    shut = cluster.replicas()[0]
    hba = shut.sql1("SHOW hba_file")
    with open(hba) as f:
        before = f.read()
    with open(hba, "w") as f:
        f.write("local all all trust\nlocal replication all trust\n")
    try:
        shut.sql1("SELECT pg_reload_conf()")
        wait_for("the door is shut", lambda: about(findings(cluster), "as replicator"), 20)
        found = findings(cluster, 2)
        refused = about(found, "cannot connect to the Postgres of %s" % shut.name)
        assert {f["where"] for f in refused} == {n.name for n in cluster.nodes if n is not shut}
        assert all("pg_hba" in f["mend"] for f in refused)
    finally:
        with open(hba, "w") as f:
            f.write(before)
        shut.sql1("SELECT pg_reload_conf()")


def test_doctor_sees_open_secrets_and_dead_members(cluster):
    leader = cluster.leader()
    dead = cluster.replicas()[0]
    directory = leader.sql1("SHOW data_directory")
    os.chmod(directory, 0o755)
    try:
        found = findings(cluster, 2)
        open_dir = about(found, "has mode 755", leader.name)
        assert open_dir and "chmod 0700 %s" % directory == open_dir[0]["mend"]
    finally:
        os.chmod(directory, 0o700)
    dead.kill_agent()
    found = findings(cluster, 2)
    assert about(found, "does not answer", dead.name)


def test_why_a_timeline_began(cluster):
    old = cluster.leader()
    new = cluster.replicas()[0]
    since = in_seconds(0)
    cluster.hactl("switchover", "--candidate", new.name, "--force")
    cluster.wait_whole()
    cluster.wait_trace(old, "handed over", since)
    timeline = new.timeline()
    wait_for("the hand-over is recorded",
             lambda: cluster.key("pgha/why/%d" % timeline) is not None, 20)
    why = json.loads(cluster.hactl("why", str(timeline), "--json").stdout)
    assert why["leader"] == new.name and why["timeline"] == timeline
    assert why["decision"]["before"] == old.name
    text = cluster.hactl("why").stdout
    assert text.startswith("Timeline %d: %s took the lead at " % (timeline, new.name))
    assert "%s gave the key back, its PostgreSQL had ended" % old.name in text
    assert "named as successor, has all WAL" in text
    assert "stop requested" in text and "open for writes" in text

    new.kill_all()
    third = cluster.wait_leader(other_than=new)
    wait_for("the election is recorded",
             lambda: cluster.key("pgha/why/%d" % (timeline + 1)) is not None, 20)
    text = cluster.hactl("why", str(timeline + 1)).stdout
    assert "%s took the lead" % third.name in text and "no reachable member is ahead" in text
    assert re.search(r"key free$", text, re.M) and re.search(r"open for writes$", text, re.M)
    done = cluster.hactl("why", "999", check=False)
    assert done.returncode == 1 and "timeline 999 did not begin" in done.stdout


def test_recorded_decisions_come_out_the_same(cluster, programs, tmp_path):
    new = cluster.replicas()[0]
    cluster.hactl("switchover", "--candidate", new.name, "--force")
    cluster.wait_whole()
    for name in ("n1", new.name):
        text = cluster.hactl("why", "--recorder", name).stdout
        assert " view " in text
        path = tmp_path / name
        path.write_text(text)
        done = subprocess.run([programs.pghad, "--replay", str(path)], capture_output=True,
                              text=True, timeout=20, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"^\d+ decisions made again, 0 differ$", done.stdout, re.M)
        assert "rule 512 follow" in done.stdout or "rule 321 lead" in done.stdout
    state = os.path.join(os.path.dirname(new.sql1("SHOW data_directory")),
                         "pgha.e2e.%s.recorder" % new.name)
    done = subprocess.run([programs.pghad, "--replay", state], capture_output=True, text=True,
                          timeout=20, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    path.write_text("nothing\n")
    done = subprocess.run([programs.pghad, "--replay", str(path)], capture_output=True, text=True,
                          timeout=20, check=False)
    assert done.returncode == 1 and "holds no decision" in done.stderr
