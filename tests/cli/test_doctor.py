# SPDX-License-Identifier: PostgreSQL
"""What would be if, and what is judged to be wrong, from what false members tell."""

import copy
import json
import os
import re
import subprocess
import time

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

METRICS = "".join('pgha_etcd_request_seconds_bucket{scope="x",name="y",le="%s"} %d\n' % b for b in (
    ("0.001", 100), ("0.005", 900), ("0.025", 995), ("0.1", 1000), ("+Inf", 1000))) + "".join(
    'pgha_etcd_endpoint_failing{scope="x",name="y",endpoint="http://10.0.0.%d:2379"} 0\n' % n
    for n in (1, 2, 3))

GOOD = {
    "version": "0.1.0", "server_version": 150020, "ttl_ms": 5000, "loop_wait_ms": 1000,
    "proofs": 5000, "proofs_failed": 0, "use_pg_rewind": True, "use_slots": True,
    "etcd_known": True, "etcd_fixed": True, "etcd_open": False, "allow_remote_commands": False,
    "withheld": [],
    "restapi": {"listen": "10.0.0.1", "port": 8008, "authentication": True, "allowlist": False,
                "tls": True, "verify_client": "none", "peer_secret": True,
                "peer_required": True},
    "wants": {"guard": "auto", "commit_guard": "auto", "watchdog": "off"},
    "fence": {"guard": "alive", "memory_locked": True, "priority": "realtime",
              "watchdog": "off", "module": {"state": "ready"}},
    "settings": {"wal_level": "replica", "wal_log_hints": "on", "data_checksums": "off",
                 "max_wal_senders": "10", "max_replication_slots": "10", "hot_standby": "on",
                 "fsync": "on", "full_page_writes": "on", "max_connections": "100",
                 "data_bytes": "1000000"},
    "disk": {"free_bytes": 50 << 30, "size_bytes": 100 << 30},
    "limits": {"open_files": 65536, "tasks": -1, "memory_bytes": -1},
    "files": [{"what": "postgresql.data_dir", "path": "/pg/data", "mode": "700", "exists": True,
               "own": True}],
}

OUTLOOK = {"asked": "node0", "leader": "node0", "ttl_ms": 5000, "if": [], "members": [
    {"name": "node0", "is": "there", "steps": [
        {"at_ms": 0, "rule": 321, "name": "lead", "why": "the lease is proven"}]},
    {"name": "node1", "is": "there", "rank": "best", "why": "no reachable member is ahead",
     "steps": []},
    {"name": "node2", "is": "there", "rank": "wait", "why": "equal position", "other": "node1",
     "steps": []}],
    "failover": {"end": "elected", "leader_lost_for_the_answer": True, "leader": "node1",
                 "why": "no reachable member is ahead", "lost_bytes": 0,
                 "synchronous": False, "key_free_after_ms": [4167, 5500], "election_ms": 1500}}


def well(world):
    """All members answer, and nothing is wrong."""
    facts = {}
    for name, m in world.members.items():
        mine = facts[name] = copy.deepcopy(GOOD)
        mine.update(name=name, links=[
            {"to": other, "replication_user": "rep", "replication": "", "rewind_user": "rew",
             "rewind": ""} for other in world.members if other != name])

        def answer(mine=mine):
            return json.dumps(dict(mine, wall_us=mine.get("wall_us") or
                                   int(time.time() * 1e6)))
        m.answers["POST", "/doctor"] = (200, answer)
        m.answers["GET", "/metrics"] = (200, METRICS)
        m.answers["POST", "/explain"] = (200, OUTLOOK)
    return facts


def judged(world, code, *args):
    return json.loads(world.hactl("doctor", "--json", *args, code=code).stdout)["findings"]


def only(world, code, words, where=None):
    found = judged(world, code)
    assert len(found) == 1 and words in found[0]["what"], found
    assert found[0]["why"] and found[0]["mend"]
    assert where is None or found[0]["where"] == where
    assert found[0]["level"] == ("warning", "critical", "unknown")[code - 1]
    return found[0]


def test_nothing_to_find(world):
    well(world)
    done = world.hactl("doctor")
    assert done.stdout == "%s: 3 of 3 members examined, 0 findings\n" % world.scope


def test_each_setting_is_judged(world):
    facts = well(world)
    mine = facts["node1"]
    for setting, value, code, words in (
            ("wal_level", "minimal", 2, "wal_level is minimal"),
            ("hot_standby", "off", 2, "hot_standby is off"),
            ("fsync", "off", 2, "fsync is off"),
            ("full_page_writes", "off", 1, "full_page_writes is off"),
            ("wal_log_hints", "off", 1, "neither wal_log_hints nor data checksums"),
            ("max_wal_senders", "3", 1, "max_wal_senders is 3: 3 members want at least 4"),
            ("max_wal_senders", "1", 2, "max_wal_senders is 1"),
            ("max_replication_slots", "1", 2, "max_replication_slots is 1")):
        before = mine["settings"][setting]
        mine["settings"][setting] = value
        only(world, code, words, "node1")
        mine["settings"][setting] = before
    mine["settings"].update(wal_log_hints="off", data_checksums="on")
    assert judged(world, 0) == []


def test_hosts_and_fences_are_judged(world):
    facts = well(world)

    def wrong(name, code, words, *path_and_value):
        *path, key, value = path_and_value
        at = facts[name]
        for step in path:
            at = at[step]
        before = at[key]
        at[key] = value
        found = only(world, code, words, name)
        at[key] = before
        return found

    found = wrong("node2", 2, "has mode 755", "files", 0, "mode", "755")
    assert found["mend"] == "chmod 0700 /pg/data"
    wrong("node2", 2, "belongs to somebody else", "files", 0, "own", False)
    wrong("node2", 1, "only 1024 files", "limits", "open_files", 1024)
    wrong("node2", 2, "150 processes may run", "limits", "tasks", 150)
    wrong("node2", 2, "are left on the disk", "disk", "free_bytes", 1 << 20)
    wrong("node2", 1, "which has", "settings", "data_bytes", str(60 << 30))
    wrong("node0", 1, "the guardian is starting", "fence", "guard", "starting")
    wrong("node0", 1, "not locked", "fence", "memory_locked", False)
    wrong("node0", 1, "pgha_fence is absent", "fence", "module", {"state": "absent"})
    wrong("node0", 1, "takes writes without authentication", "restapi", "authentication", False)
    found = wrong("node0", 1, "crosses the network in clear", "restapi", "tls", False)
    assert "restapi.certfile" in found["mend"]
    wrong("node0", 1, "older than 3.4.31", "etcd_fixed", False)
    found = wrong("node0", 1, "postgresql.callbacks, postgresql.bin_dir", "withheld",
                  ["postgresql.callbacks", "postgresql.bin_dir"])
    assert "pgha.allow_remote_commands: false" in found["why"] and "KEY=null" in found["mend"]
    facts["node0"].update(etcd_open=True)
    found = wrong("node0", 1, "whoever reaches etcd can run programs here",
                  "allow_remote_commands", True)
    assert found["mend"].startswith("pgha.allow_remote_commands: false in the file")
    facts["node0"].update(etcd_open=False, allow_remote_commands=True)
    facts["node0"]["restapi"].update(authentication=False)
    assert any("whoever reaches the REST API can run programs here" in f["what"]
               for f in judged(world, 1))
    facts["node0"].update(allow_remote_commands=False)
    facts["node0"]["restapi"].update(authentication=True)
    wrong("node0", 1, "ttl is 3.0 s, and the smallest safe one is 4.1 s", "ttl_ms", 3000)
    wrong("node0", 1, "400 renewals of the lease failed", "proofs_failed", 400)
    facts["node0"]["restapi"].update(authentication=False, listen="127.0.0.1")
    assert judged(world, 0) == []
    facts["node0"]["restapi"].update(authentication=True, tls=False)
    assert judged(world, 0) == []


def test_members_that_do_not_believe_each_other(world):
    facts = well(world)
    facts["node1"]["restapi"].update(peer_secret=False, peer_required=False)
    found = judged(world, 2)
    assert {(f["where"], f["level"]) for f in found if "node1 does not sign" in f["what"]} == {
        ("node0, node2", "critical")}, found
    assert {f["where"] for f in found if "is not signed" in f["what"]} == {"node1"}, found
    for mine in facts.values():
        mine["restapi"].update(peer_secret=True, peer_required=False)
    facts["node1"]["restapi"].update(peer_secret=False, verify_client="required")
    assert judged(world, 0) == []
    facts = well(world)
    told = METRICS + 'pgha_peer_refused_time_seconds{scope="x",name="y"} %f\n'
    world.members["node2"].answers["GET", "/metrics"] = (200, told % (time.time() - 100))
    found = only(world, 2, "it refused calls or answers of members", "node2")
    assert "peer_secret_file" in found["mend"]
    for then in (0, time.time() - 1000):
        world.members["node2"].answers["GET", "/metrics"] = (200, told % then)
        assert judged(world, 0) == []


def test_what_has_no_other_test_is_judged(world):
    """Each alone on an otherwise good cluster, and gone when it is mended."""
    facts = well(world)

    def wrong(code, words, change):
        before = copy.deepcopy(facts["node2"])
        change(facts["node2"])
        found = only(world, code, words, "node2")
        facts["node2"].clear()
        facts["node2"].update(before)
        return found

    wrong(2, "Postgres tells its agent nothing: too many clients",
          lambda f: f.update(postgres_error="too many clients"))
    wrong(1, "use_pg_rewind is off", lambda f: f.update(use_pg_rewind=False))
    wrong(1, "no guardian is wanted", lambda f: f["wants"].update(guard="off"))
    wrong(2, "the guardian is gone", lambda f: (f["wants"].update(guard="required"),
                                                f["fence"].update(guard="gone")))
    wrong(1, "the guardian has the usual priority", lambda f: f["fence"].update(priority="usual"))
    wrong(2, "pgha_fence is blind: of another version in the running Postgres", lambda f: (
        f["wants"].update(commit_guard="required"),
        f["fence"].update(module={"state": "blind", "page": "of another version"})))
    for mode, code in (("automatic", 1), ("required", 2)):
        found = wrong(code, "the watchdog cannot be used: no /dev/watchdog", lambda f, mode=mode: (
            f["wants"].update(watchdog=mode),
            f["fence"].update(watchdog="failed", watchdog_why="no /dev/watchdog")))
        assert found["mend"].startswith("modprobe softdog")
    found = wrong(1, "safety_margin (5 s) leaves it no time", lambda f: (
        f["wants"].update(watchdog="automatic"),
        f["fence"].update(watchdog="failed", watchdog_why="safety_margin (5 s) leaves it no time")))
    assert found["mend"].startswith("watchdog.safety_margin: -1")
    for what, mode, mend in (("ctl.keyfile", "640", "chmod 0600 /x"),
                             ("pgha.state_dir", "770", "chmod go-w /x")):
        found = wrong(2, "/x, %s, has mode %s" % (what, mode), lambda f, what=what, mode=mode: f[
            "files"].append({"what": what, "path": "/x", "mode": mode, "exists": True, "own": True}))
        assert found["mend"] == mend
    found = wrong(2, "PostgreSQL 16 here, 15 on node0", lambda f: f.update(server_version=160004))
    with open(os.path.join(TOP, "man", "pgha-operations.7"), encoding="utf-8") as f:
        page = f.read()
    for section in ("MAJOR VERSION OF POSTGRESQL", "ADDING A MEMBER"):
        assert "\n.Sh %s\n" % section in page
    assert "see MAJOR VERSION OF POSTGRESQL in" in found["mend"]
    # What is as good counts as good, and the secret of nobody is judged.
    facts["node2"]["files"] += [
        {"what": "pgha.state_dir", "path": "/x", "mode": "755", "exists": True, "own": True},
        {"what": "ctl.keyfile", "path": "/x", "mode": "644", "exists": False, "own": True}]
    assert judged(world, 0) == []


def test_etcd_is_judged_by_its_answers(world):
    well(world)
    metrics = world.members["node1"].answers

    def wrong(words, *pairs):
        text = METRICS
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new)
        metrics["GET", "/metrics"] = (200, text)
        found = judged(world, 1)
        metrics["GET", "/metrics"] = (200, METRICS)
        assert any(words in f["what"] for f in found), found
        assert all(f["where"] == "node1" and f["why"] and f["mend"] for f in found), found
        return found

    # 99 of 100 within a second only: the ttl of 5 s is too short for that.
    found = wrong("one in a hundred answers of etcd takes 1000 ms or more",
                  ('le="0.025"} 995', 'le="0.025"} 900'), ('le="0.1"', 'le="1"'))
    least = next(f for f in found if f["what"].startswith("ttl is 5.0 s, and the smallest safe one"))
    assert re.match(r"hactl edit-config -s ttl=([6-9]|1\d)$", least["mend"]), least
    wrong("etcd at http://10.0.0.2:2379 did not answer last",
          ('endpoint="http://10.0.0.2:2379"} 0', 'endpoint="http://10.0.0.2:2379"} 1'))
    wrong("etcd has 2 members that the agent knows",
          ('pgha_etcd_endpoint_failing{scope="x",name="y",endpoint="http://10.0.0.3:2379"} 0\n', ""))
    assert judged(world, 0) == []


def test_the_cluster_as_a_whole_is_judged(world):
    well(world)
    world.show("node1", pending_restart=True)
    assert only(world, 1, "settings wait for a restart", "node1")["mend"] == \
        "hactl restart %s node1 --pending" % world.scope
    world.show("node1", pending_restart=False)
    world.put("config", {**world.config, "pause": True})
    assert only(world, 1, "the cluster is paused", "cluster")["mend"] == "hactl resume"
    world.put("config", world.config)
    assert judged(world, 0) == []
    world.put("leader", "")
    assert any("there is no leader" in f["what"] for f in judged(world, 2))
    world.put("leader", "node0")
    for name in ("node1", "node2"):
        world.etcd.call("/kv/deleterange", key=world.key("members/" + name))
    assert any("the cluster has 1 member" in f["what"] for f in judged(world, 2))


def test_the_file_of_the_agent_is_judged(world):
    well(world)
    path = str(world.tmp / "pgha.yml")

    def found(text, code, mode=0o600):
        with open(path, "w", encoding="ascii") as f:
            f.write("scope: %s\nname: node0\netcd3: {hosts: 127.0.0.1:%d}\n" % (
                world.scope, world.etcd.port) + text)
        os.chmod(path, mode)
        done = world.hactl("doctor", "--json", options=["-c", path], code=code)
        return [f for f in json.loads(done.stdout)["findings"] if f["where"] == "this host"]

    good = ("postgresql:\n  listen: 127.0.0.1:5432\n  connect_address: 127.0.0.1:5432\n"
            "  data_dir: /pg/data\n  authentication:\n    superuser: {username: a, password: b}\n"
            "    replication: {username: c, password: d}\n"
            "restapi: {listen: 127.0.0.1:8008, connect_address: 127.0.0.1:8008}\n")
    assert found(good, 0) == []
    bad = found(good.replace("/pg/data", "pg/data"), 2)
    assert len(bad) == 1 and "postgresql.data_dir" in bad[0]["what"] and path in bad[0]["what"]
    assert "the agent does not start with it" == bad[0]["why"] and "hactl reload" in bad[0]["mend"]
    bad = found(good + "fenec: {}\n", 1)
    assert len(bad) == 1 and "fenec" in bad[0]["what"], bad
    bad = found(good, 1, mode=0o660)
    assert bad[0]["mend"] == "chmod g-w " + path


def test_members_are_compared(world):
    facts = well(world)
    facts["node2"]["server_version"] = 150019
    only(world, 1, "PostgreSQL 15.19 here, 15.20 on node0", "node2")
    facts["node2"].update(server_version=150020, version="0.2.0")
    only(world, 1, "pghad 0.2.0 here, 0.1.0 on node0", "node2")
    facts["node2"].update(version="0.1.0", wall_us=int((time.time() + 100) * 1e6))
    only(world, 1, "s ahead of that of this host", "node2")


def test_the_same_of_several_members_is_one_finding(world):
    facts = well(world)
    for name in ("node0", "node2"):
        facts[name]["settings"]["fsync"] = "off"
    only(world, 2, "fsync is off", "node0, node2")


def test_what_mends_it_can_be_typed(world):
    facts = well(world)
    for name in ("node0", "node2"):
        facts[name]["settings"]["wal_level"] = "minimal"
    found = only(world, 2, "wal_level", "node0, node2")
    assert found["mend"].endswith("then hactl restart %s node0 node2" % world.scope), found


def test_doors_that_are_shut(world):
    facts = well(world)
    link = facts["node1"]["links"][0]
    link["replication"] = link["rewind"] = 'no pg_hba.conf entry for replication connection'
    found = only(world, 2, "cannot connect to the Postgres of node0 as rep for replication", "node1")
    assert "host replication rep ADDRESS/32" in found["mend"]
    # Whoever is down is told as such.
    world.show("node0", state="stopped")
    assert judged(world, 0) == []


def test_members_that_do_not_answer(world):
    well(world)
    world.members["node1"].answers["POST", "/doctor"] = (401, "no auth header received")
    only(world, 3, "does not let itself be examined: HTTP 401", "node1")
    world.members["node1"].answers["POST", "/doctor"] = (501, "Unsupported method ('POST')")
    only(world, 3, "cannot examine itself", "node1")
    world.members["node1"].stop()
    only(world, 2, "does not answer", "node1")


def test_nobody_could_take_over(world):
    well(world)
    outlook = copy.deepcopy(OUTLOOK)
    outlook["failover"].update(end="nobody", leader="")
    outlook["members"][1].update(rank="never", why="tagged nofailover")
    world.members["node0"].answers["POST", "/explain"] = (200, outlook)
    found = only(world, 2, "if node0 were lost now, nobody would take over", "cluster")
    assert "node1: tagged nofailover" in found["why"]


def test_no_cluster_is_unknown(world):
    done = world.hactl("explain", "--cluster", "nosuch", code=1)
    assert done.stderr.startswith("etcd knows no cluster nosuch; it knows: ")
    assert done.stderr.endswith("\nError: cluster nosuch has no members\n")
    done = world.hactl("doctor", "nosuch", code=3)
    assert "cluster nosuch has no members" in done.stderr
    assert done.stdout == ""
    done = world.hactl("doctor", "nosuch", "--json", code=3)
    assert json.loads(done.stdout) == {"error": "cluster nosuch has no members"}
    done = world.hactl("doctor", "nosuch", "--json", options=["-d", "etcd3://127.0.0.1:1"], code=3)
    assert "cannot reach etcd" in json.loads(done.stdout)["error"]


def test_no_configuration_is_no_warning(world):
    """A monitoring check that can look at nothing must not end as one with warnings."""
    done = world.hactl("doctor", options=["-c", str(world.tmp / "nosuch.yml")], code=3)
    assert "nosuch.yml" in done.stderr
    world.hactl("list", options=["-c", str(world.tmp / "nosuch.yml")], code=1)


def test_open_file_of_this_host(world):
    well(world)
    path = str(world.tmp / "hactl.yml")
    with open(path, "w", encoding="ascii") as f:
        f.write("scope: %s\netcd3: {hosts: 127.0.0.1:%d}\nctl: {authentication: {username: a, "
                "password: b}}\n" % (world.scope, world.etcd.port))
    os.chmod(path, 0o644)
    done = world.hactl("doctor", "--json", options=["-c", path], code=2)
    found = json.loads(done.stdout)["findings"]
    assert [f["where"] for f in found] == ["this host"] and found[0]["mend"] == "chmod o-rwx " + path
    os.chmod(path, 0o600)
    world.hactl("doctor", options=["-c", path])


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


def certificate(path, *times):
    """PATH.crt and PATH.key, which count between two times as `date` reads them."""
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=operator", "-keyout",
            path + ".key", "-out", path + ".csr")
    begin, end = times or ("-1 day", "+90 days")
    stamps = [subprocess.run(["date", "-u", "-d", t, "+%Y%m%d%H%M%SZ"], check=True,
                             capture_output=True, text=True).stdout.strip() for t in (begin, end)]
    with open(path + ".cnf", "w", encoding="ascii") as f:
        f.write("[ca]\ndefault_ca=d\n[d]\ndatabase=%s.db\nnew_certs_dir=%s\nserial=%s.srl\n"
                "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n" % (
                    path, os.path.dirname(path), path))
    with open(path + ".db", "w", encoding="ascii"):
        pass
    with open(path + ".srl", "w", encoding="ascii") as f:
        f.write("01\n")
    openssl("ca", "-config", path + ".cnf", "-batch", "-selfsign", "-keyfile", path + ".key", "-in",
            path + ".csr", "-startdate", stamps[0], "-enddate", stamps[1], "-notext", "-out",
            path + ".crt")
    for what in (".key", ".csr"):
        os.chmod(path + what, 0o600)
    return path


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    made = {"good": (), "soon": ("-1 day", "+10 days -1 hour"), "over": ("-9 days", "-1 day"),
            "early": ("+1 day", "+90 days")}
    place = tmp_path_factory.mktemp("papers")
    return {name: certificate(str(place / name), *times) for name, times in made.items()}


def test_own_certificates_are_judged(world, papers):
    well(world)
    path = str(world.tmp / "ctl.yml")
    good = papers["good"]

    def found(code, section="ctl", **keys):
        config = {"scope": world.scope, "etcd3": {"hosts": "127.0.0.1:%d" % world.etcd.port}}
        config.setdefault(section, {}).update(keys)
        with open(path, "w", encoding="ascii") as f:
            json.dump(config, f)
        os.chmod(path, 0o600)
        done = world.hactl("doctor", "--json", options=["-c", path], code=code)
        told = json.loads(done.stdout)["findings"]
        assert all(f["where"] == "this host" and f["why"] and f["mend"] for f in told), told
        return told

    def one(code, words, **keys):
        told = found(code, **keys)
        assert len(told) == 1 and words in told[0]["what"], told
        assert told[0]["level"] == ("warning", "critical")[code - 1]
        return told[0]

    pair = {"certfile": good + ".crt", "keyfile": good + ".key", "cacert": good + ".crt"}
    assert found(0, **pair) == []
    assert found(0, "etcd3", cert=pair["certfile"], key=pair["keyfile"], cacert=pair["cacert"]) == []
    # What is not there, what is none, and what does not belong together.
    assert "ctl.certfile: there is no such file" in one(
        2, "/no/such.crt", **dict(pair, certfile="/no/such.crt"))["what"]
    one(2, "/no/such.key, ctl.keyfile: there is no such file", **dict(pair, keyfile="/no/such.key"))
    one(2, "/no/such.ca, ctl.cacert: there is no such file", **dict(pair, cacert="/no/such.ca"))
    one(2, "ctl.cacert: no certificate can be read in it", **dict(pair, cacert=good + ".key"))
    one(2, "ctl.keyfile: is not the key of that certificate",
        **dict(pair, keyfile=papers["soon"] + ".key"))
    one(2, "ctl.keyfile: cannot be used", **dict(pair, keyfile=good + ".csr"))
    one(2, "etcd3.key: is not the key of that certificate", section="etcd3",
        cert=pair["certfile"], key=papers["soon"] + ".key")

    def of(name):
        return {"certfile": papers[name] + ".crt", "keyfile": papers[name] + ".key"}

    # When it counts.
    assert "REPLACING CERTIFICATES" in one(1, "expires in 9 days", **of("soon"))["mend"]
    one(2, "ctl.certfile, has expired", **of("over"))
    one(2, "ctl.certfile, does not count yet", **of("early"))
    one(2, "ctl.cacert, has expired", **dict(pair, cacert=papers["over"] + ".crt"))
    # Of several authorities one that counts is enough.
    both = str(world.tmp / "both.crt")
    with open(both, "w", encoding="ascii") as out:
        for name in ("over", "good"):
            with open(papers[name] + ".crt", encoding="ascii") as f:
                out.write(f.read())
    assert found(0, **dict(pair, cacert=both)) == []
    # Who may read the key; the group is the operators'.
    shared = str(world.tmp / "shared.pem")
    with open(shared, "w", encoding="ascii") as out:
        for part in (".key", ".crt"):
            with open(good + part, encoding="ascii") as f:
                out.write(f.read())
    for mode, words in ((0o644, "read"), (0o602, "write")):
        os.chmod(shared, mode)
        told = one(2, "ctl.certfile, is a private key that everybody may " + words,
                   certfile=shared)
        assert told["mend"] == "chmod o-rwx " + shared
    os.chmod(shared, 0o640)
    assert found(0, certfile=shared) == []


def test_explain_tells_who_would_lead(world):
    well(world)
    text = world.hactl("explain", "--if", "node0 gone", "--if", "etcd gone").stdout
    asked = [r[2] for r in world.members["node0"].requests if r[:2] == ("POST", "/explain")]
    assert asked == [{"if": ["node0 gone", "etcd gone"]}]
    assert "  leads      node1: no reachable member is ahead\n" in text
    assert "  not        node2: equal position (node1)\n" in text
    assert "  lost       nothing that is known of; and what is written" in text
    assert ("  takes      4.1 s to 5.5 s until the key is free, at most 1.5 s of election, then "
            "Postgres is promoted\n") in text
    shown = json.loads(world.hactl("explain", "--if", "node0 gone", "--json").stdout)
    assert shown == OUTLOOK


def test_explain_asks_whom_it_is_told_to(world):
    well(world)
    world.hactl("explain", "node2", "--if", "node0 gone")
    assert not any(r[1] == "/explain" for r in world.members["node0"].requests)
    world.members["node0"].stop()
    world.hactl("explain", "--if", "node0 gone")
    world.members["node1"].answers["POST", "/explain"] = (400, "there is no member 'x'")
    done = world.hactl("explain", "--if", "x gone", code=1)
    assert done.stderr == "Error: --if: there is no member 'x'\n"
    world.members["node1"].answers["POST", "/explain"] = (401, "no auth header received")
    world.members["node2"].stop()
    done = world.hactl("explain", "--if", "node1 gone", code=1)
    assert "node2 does not answer" in done.stderr


WHY = {"what": "took over", "begun": "2026-11-01T10:00:00+00:00", "leader": "node1", "epoch": 77,
       "timeline": 2, "steps": [{"step": "key free", "ms": 0}, {"step": "key taken", "ms": 12},
                                {"step": "open for writes", "ms": 200}],
       "decision": {"rule": 421, "name": "acquire", "why": "nobody leads", "verdict": "is ahead",
                    "before": "node0", "before_ended": "let its lease run out",
                    "lsn": "0/5000060", "timeline": 1, "votes": [
                        {"name": "node2", "answer": "yes", "timeline": 1, "lsn": "0/5000000",
                         "sealed": True}, {"name": "node3", "answer": "none"}]}}


def test_why(world):
    assert "no change of the leader is recorded" in world.hactl("why", code=1).stderr
    world.put("pgha/why/2", WHY)
    world.put("history", [[1, 83886176, "no recovery target specified",
                           "2026-11-01T10:00:00+00:00", "node1"],
                          [2, 83986176, "no recovery target specified",
                           "2026-11-02T10:00:00+00:00", "node0"]])
    assert world.hactl("why").stdout.splitlines() == [
        "Timeline 2: node1 took the lead at 2026-11-01T10:00:00+00:00, epoch 77",
        "  before     node0 let its lease run out",
        "  rule       421 acquire: nobody leads",
        "  because    is ahead",
        "  evidence   node1 itself at 0/5000060 on timeline 1",
        "             node2 at 0/5000000 on timeline 1, and received from nobody",
        "             node3 did not answer",
        "  node1           0 ms      +0 ms  key free",
        "                 12 ms     +12 ms  key taken",
        "                200 ms    +188 ms  open for writes"]
    assert json.loads(world.hactl("why", "2", "--json").stdout) == WHY
    assert "how timeline 3 began is not recorded (node0, 2026-11-02" in \
        world.hactl("why", "3", code=1).stderr
    for word in ("9", "two", "0"):
        assert "timeline %s did not begin" % word in world.hactl("why", word, code=1).stderr
    # What another program wrote there may be anything.
    world.put("history", [[2, 83986176, "no recovery target specified", None, None], [3, {}, None]])
    for word in ("3", "4"):
        assert "is not recorded ()" in world.hactl("why", word, code=1).stderr
    world.hactl("history", "-f", "json")
    world.hactl("watch", "--count", "1")
