# SPDX-License-Identifier: PostgreSQL
"""From an empty host to a cluster, through everything that units and packages promise, to the end"""

import os
import signal
import stat
import time

from fleet import CONFIG, PASSWORD, TTL_S, Writer
from lib.proc import alive, stays, wait_for

AGENT = "pghad.service"
KILL_S = 0.75 * TTL_S


def epochs(fleet):
    return fleet.leader().name, fleet.epoch()


def apart(fleet, m):
    """Every process of Postgres is in a group of its own below that of the agent's unit, where else is
    the agent alone; the guardian is in that of its own unit."""
    unit = m.group(AGENT)
    seen = m.by_name()
    want = {"postgres": unit + "/pgha-postgres", "pghad": unit, "pgha-guard": m.group(fleet.guard(m))}
    assert {name: seen.get(name) for name in want} == {name: {g} for name, g in want.items()}
    return True


def stays_apart(fleet, m):
    # A child of the agent may be about to execute what its name still is.
    wait_for("Postgres of %s is in its own group" % m.name, lambda: apart(fleet, m), 10)


def restarted(m, unit, old, deadline_s=20):
    return wait_for("%s of %s has another process" % (unit, m.name),
                    lambda: m.main_pid(unit) not in (0, old) and m.main_pid(unit), deadline_s, 0.02)


def told(m, unit, text):
    """The journal takes it from the unit's output when it comes to it."""
    wait_for("the journal of %s has '%s'" % (unit, text), lambda: m.said(unit, text), 10)


# ---- installation

def test_packages_install_and_start_nothing(fleet):
    def install(m):
        agent, fence = fleet.packages("old"), [p for p in fleet.packages("old") if "fence" in p]
        m.apt("install", *(p for p in agent if p not in fence))
        m.apt("install", "postgresql-" + fleet.major, *fence)
        assert m.run("systemctl", "is-enabled", AGENT, check=False).stdout.strip() == "disabled"
        assert m.show(AGENT, "ActiveState") == "inactive"
        assert not os.path.exists(m.path(fleet.data_dir)), "Debian has made a cluster of its own"
        assert not m.run("pgrep", "-f", "^[^ ]*(postgres|pghad|pgha-guard) ", check=False).stdout
        info = os.stat(m.path("/etc/pgha"))
        group = m.run("getent", "group", "postgres").stdout.split(":")[2]
        assert (stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid) == (0o750, 0, int(group))
    fleet.each(install)


def test_without_a_configuration_nothing_starts(fleet):
    m = fleet.machines[0]
    m.run("systemctl", "start", AGENT)
    assert m.show(AGENT, "ConditionResult") == "no"
    assert m.show(AGENT, "ActiveState") == "inactive"


def test_configuration_that_cannot_be_used_fails_the_unit(fleet):
    m = fleet.machines[0]
    m.write(CONFIG, "scope: main\n")
    try:
        assert m.run("systemctl", "start", AGENT, check=False).returncode != 0
        wait_for("it has failed for good", lambda: m.show(AGENT, "ActiveState") == "failed", 10)
        assert m.show(AGENT, "NRestarts") == "0"
    finally:
        os.unlink(m.path(CONFIG))
        m.run("systemctl", "reset-failed", AGENT)


def test_cluster_forms_from_the_example(fleet):
    fleet.each(fleet.configure)
    fleet.each(fleet.start)
    leader = fleet.wait_whole(90)
    listed = fleet.hactl("list").stdout
    assert all(m.name in listed for m in fleet.machines)
    assert "guard" in fleet.hactl("explain", leader.name).stdout
    for m in fleet.machines:
        fence = m.status()["pgha"]["fence"]
        assert fence["guard"] == "alive" and fence["pid"] == m.main_pid(fleet.guard(m))
        assert m.show(AGENT, "StatusText") != ""
    fence = leader.status()["pgha"]["fence"]
    assert fence["page"] == "armed"


def test_postgres_is_in_a_group_of_its_own(fleet):
    for m in fleet.machines:
        stays_apart(fleet, m)


def test_passwords_are_nobody_elses(fleet):
    """Programs are postgres's, and so is what holds a password; the configuration is root's to write."""
    for m in fleet.machines:
        for unit in (AGENT, fleet.guard(m)):
            who = m.run("ps", "-o", "user=", "-p", str(m.main_pid(unit))).stdout.strip()
            assert who == "postgres", unit
        found = m.run("grep", "-rlsF", "--exclude-dir=base", PASSWORD, "/etc/pgha", "/run", "/tmp",
                      "/var/lib/postgresql", check=False).stdout.split()
        stats = {path: m.run("stat", "-c", "%a %U %G", path).stdout.strip() for path in found}
        assert stats.pop(CONFIG) == "640 root postgres"
        assert set(stats.values()) == {"600 postgres postgres"}, stats


def test_guardian_has_what_its_unit_gives(fleet):
    for m in fleet.machines:
        pid = m.main_pid(fleet.guard(m))
        status = dict(line.split(":", 1) for line in
                      m.run("cat", "/proc/%d/status" % pid).stdout.splitlines())
        assert int(status["VmLck"].split()[0]) > 0, "memory is not locked"
        if m.can_run_in_real_time():
            assert "SCHED_RR" in m.run("chrt", "--pid", str(pid)).stdout
        else:
            assert m.run("ps", "-o", "ni=", "-p", str(pid)).stdout.strip() == "-20"


def test_units_say_whom_the_kernel_spares(fleet):
    """Below 0 needs CAP_SYS_RESOURCE, which this machine may not have to give."""
    for m in fleet.machines:
        guard = fleet.guard(m)
        assert m.show(guard, "OOMScoreAdjust") == "-1000"
        assert m.show(AGENT, "OOMScoreAdjust") == "-900"
        backend = m.run("pgrep", "-f", "^postgres: .*checkpointer").stdout.split()[0]
        assert m.oom_score(int(backend)) == 0, "a child of the postmaster is to be killed first"
        if m.can_lower_oom_scores():
            assert m.oom_score(m.main_pid(guard)) == -1000
            assert m.oom_score(m.main_pid(AGENT)) == -900
            assert m.oom_score(m.postmaster(fleet.data_dir)) == -900


# ---- journal

def test_journal_has_fields_and_explains(fleet):
    leader = fleet.leader()
    entries = leader.journal("--unit", AGENT)
    rules = [e for e in entries if e.get("PGHA_RULE")]
    assert rules and all(e.get("PGHA_SITUATION") and e.get("MESSAGE_ID") for e in rules)
    assert any(e.get("PGHA_LEADER") == leader.name for e in entries)
    explained = leader.run("journalctl", "--no-pager", "--catalog", "--unit", AGENT).stdout
    assert "Subject: The leader of the cluster changed" in explained
    assert "PRIORITY" in rules[0] and rules[0]["_SYSTEMD_UNIT"] == AGENT


# ---- what units do

def test_switchover(fleet):
    old = fleet.leader()
    with Writer(fleet) as w:
        fleet.hactl("switchover", "--candidate", fleet.replicas()[0].name, "--force", timeout=60)
        fleet.wait_leader(other_than=old)
        fleet.wait_whole()
    assert not w.missing()
    print("longest time without an acknowledgement %.2f s" % w.gap_s())


def test_killed_agent_is_started_and_takes_up_the_lease(fleet):
    leader, was = fleet.leader(), epochs(fleet)
    postmaster = leader.postmaster(fleet.data_dir)
    agent = leader.main_pid(AGENT)
    with Writer(fleet) as w:
        leader.kill_main(AGENT)
        restarted(leader, AGENT, agent)
        stays("no failover", lambda: leader.postmaster(fleet.data_dir) == postmaster, TTL_S)
        wait_for("it leads", lambda: leader.health() == 200, 10)
    assert epochs(fleet) == was
    assert not w.missing() and w.gap_s() < 1
    stays_apart(fleet, leader)


def test_agent_that_dies_again_and_again_always_comes_back(fleet):
    """More often and faster than where systemd gives up by default, which is 5 times in 10 s."""
    m = fleet.replicas()[0]
    postmaster = m.postmaster(fleet.data_dir)
    for _ in range(7):
        agent = m.main_pid(AGENT)
        m.kill_main(AGENT)
        restarted(m, AGENT, agent)
    wait_for("it is a standby again", lambda: m.health("/replica") == 200, 20)
    assert m.postmaster(fleet.data_dir) == postmaster
    assert m.show(AGENT, "ActiveState") == "active"


def test_stuck_loop_is_ended_by_the_watchdog(fleet):
    """The thread that decides hangs. The one that answers REST goes on, and is no sign of life."""
    m = fleet.replicas()[0]
    limit = "/etc/systemd/system/pghad.service.d/watchdog.conf"
    m.write(limit, "[Service]\nWatchdogSec=4\n")
    m.run("systemctl", "daemon-reload")
    old = m.main_pid(AGENT)
    m.kill_main(AGENT)  # for the new time to hold
    restarted(m, AGENT, old)
    wait_for("it is a standby again", lambda: m.health("/replica") == 200, 20)
    agent, postmaster = m.main_pid(AGENT), m.postmaster(fleet.data_dir)
    stays("it lives on finished cycles", lambda: m.main_pid(AGENT) == agent, 5)
    holder = m.hold_first_thread(agent)
    try:
        assert m.health("/health") == 200
        restarted(m, AGENT, agent, 30)
    finally:
        holder.kill()
        holder.wait()
    told(m, AGENT, "Watchdog timeout")
    wait_for("it is a standby again", lambda: m.health("/replica") == 200, 20)
    assert m.postmaster(fleet.data_dir) == postmaster
    os.unlink(m.path(limit))
    m.run("systemctl", "daemon-reload")


def test_frozen_agent_its_guardian_acts_and_the_watchdog_starts_another(fleet):
    old = fleet.leader()
    old.write("/etc/systemd/system/pghad.service.d/watchdog.conf", "[Service]\nWatchdogSec=8\n")
    old.run("systemctl", "daemon-reload")
    old.kill_main(AGENT)  # for the new time to hold
    wait_for("it leads again", lambda: old.health() == 200, 20)
    agent = old.main_pid(AGENT)
    # By nothing but its group it can be told that this one belongs to Postgres.
    old.sql("COPY (SELECT 1) TO PROGRAM "
            "'cat >/dev/null; cd /; setsid sleep 987 </dev/null >/dev/null 2>&1 &'")
    wait_for("it runs", lambda: old.by_name().get("sleep") == {old.group(AGENT) + "/pgha-postgres"})
    with Writer(fleet) as w:
        at = time.monotonic()
        old.kill_main(AGENT, signal.SIGSTOP)
        wait_for("its Postgres is dead", lambda: not old.postmaster(fleet.data_dir), KILL_S + 2, 0.02)
        print("Postgres dead after %.2f s" % (time.monotonic() - at))
        assert time.monotonic() - at < KILL_S + 1
        # Dead is not yet buried: process 1 of a busy machine takes its time.
        wait_for("the group was killed whole", lambda: "sleep" not in old.by_name(), 10)
        fleet.wait_leader(other_than=old)
        restarted(old, AGENT, agent, 30)
        fleet.wait_whole()
    told(old, fleet.guard(old), "no process of Postgres is left")
    assert old.show(AGENT, "NRestarts") != "0"
    stays_apart(fleet, old)
    print("longest time without an acknowledgement %.2f s" % w.gap_s())


def test_restart_of_a_standby_restarts_its_postgres(fleet):
    m = fleet.replicas()[0]
    before = m.postmaster(fleet.data_dir)
    m.run("systemctl", "restart", AGENT, timeout=120)
    fleet.wait_whole()
    assert m.postmaster(fleet.data_dir) != before


def test_restart_of_the_primary_hands_over(fleet):
    old = fleet.leader()
    with Writer(fleet) as w:
        old.run("systemctl", "restart", AGENT, timeout=120)
        fleet.wait_leader(other_than=old)
        fleet.wait_whole()
    assert not w.missing()


def test_stop_in_a_pause_leaves_postgres(fleet):
    leader = fleet.leader()
    before = leader.postmaster(fleet.data_dir)
    fleet.hactl("pause", "--wait")
    try:
        leader.run("systemctl", "stop", AGENT, timeout=120)
        assert leader.show(AGENT, "ActiveState") == "inactive"
        stays("Postgres lives", lambda: leader.postmaster(fleet.data_dir) == before, TTL_S)
        assert leader.sql("SELECT NOT pg_is_in_recovery()") == "t"
        leader.run("systemctl", "start", AGENT, timeout=120)
        wait_for("it leads", lambda: leader.health() == 200, 30)
        stays_apart(fleet, leader)
        agent = leader.main_pid(AGENT)
        leader.kill_main(AGENT, signal.SIGTERM)
        restarted(leader, AGENT, agent)
        wait_for("it leads again", lambda: leader.health() == 200, 30)
        stays_apart(fleet, leader)
    finally:
        fleet.hactl("resume", "--wait")
    assert leader.postmaster(fleet.data_dir) == before
    fleet.wait_whole()


# ---- upgrade

def processes(fleet, m):
    return {"agent": m.main_pid(AGENT), "guard": m.main_pid(fleet.guard(m)),
            "postgres": m.postmaster(fleet.data_dir)}


def install(fleet, m, which):
    before, was = processes(fleet, m), epochs(fleet)
    option = ["--allow-downgrades"] if which == "old" else []
    out = m.apt("install", *option, *fleet.packages(which)).stdout
    assert "pghad.service runs the new version; its PostgreSQL went on" in out
    assert "%s runs the new version" % fleet.guard(m) in out
    for unit in (AGENT, fleet.guard(m)):
        exe = m.run("readlink", "/proc/%d/exe" % m.main_pid(unit)).stdout
        assert "deleted" not in exe, unit
    assert processes(fleet, m) == before and epochs(fleet) == was
    stays_apart(fleet, m)
    wait_for("it answers", lambda: m.status()["pgha"]["fence"]["guard"] == "alive", 10)
    version = m.run("dpkg-query", "-W", "-f", "${Version}", "pgha").stdout.partition("-")[0]
    assert m.status()["pgha"]["version"] == version


def test_upgrade_of_a_running_cluster(fleet):
    leader = fleet.leader()
    with Writer(fleet) as w:
        for m in fleet.replicas() + [leader]:
            install(fleet, m, "new")
        stays("it leads", lambda: leader.health() == 200, TTL_S)
        fleet.wait_whole()
    print("longest time without an acknowledgement %.2f s" % w.gap_s())
    assert not w.missing() and w.gap_s() < 1


def test_downgrade_and_mixed_versions(fleet):
    old = fleet.leader()
    with Writer(fleet) as w:
        install(fleet, old, "old")
        fleet.hactl("switchover", "--candidate", fleet.replicas()[0].name, "--force", timeout=60)
        fleet.wait_leader(other_than=old)
        fleet.wait_whole()
        fleet.hactl("switchover", "--candidate", old.name, "--force", timeout=60)
        wait_for("it leads again", lambda: fleet.leader() is old, 30)
        fleet.wait_whole()
    assert not w.missing()
    install(fleet, old, "new")


# ---- a cluster of Debian's, and the machine

BOOKS_AGENT = "pghad@books.service"
BOOKS_PORT, BOOKS_REST = 5433, 8009


def books_unit(fleet):
    return "postgresql@%s-books.service" % fleet.major


def books_are_served(fleet, m):
    """By the agent, and by nobody else."""
    wait_for("the adopted cluster has a leader", lambda: m.health(port=BOOKS_REST) == 200, 60)
    assert m.sql("SELECT answer FROM books", BOOKS_PORT) == "42"
    assert m.show(books_unit(fleet), "ActiveState") == "inactive"
    wait_for("in the group of its agent", lambda: m.by_name()["postgres"] == {
        m.group(unit) + "/pgha-postgres" for unit in (AGENT, BOOKS_AGENT)}, 10)


def test_cluster_of_debian_is_adopted(fleet):
    """As doc/packages.md says it, beside the cluster that there is."""
    m, unit = fleet.leader(), books_unit(fleet)
    m.run("pg_createcluster", "--port", str(BOOKS_PORT), "--locale", "C.UTF-8", fleet.major, "books")
    m.run("systemctl", "start", unit)
    for statement in ("ALTER ROLE postgres PASSWORD 'change me'",
                      "CREATE ROLE replicator REPLICATION LOGIN PASSWORD 'change me'",
                      "CREATE ROLE rewinder SUPERUSER LOGIN PASSWORD 'change me'",
                      "CREATE TABLE books AS SELECT 42 AS answer"):
        m.sql(statement, BOOKS_PORT)
    text = m.read(CONFIG).replace("scope: main", "scope: books")
    text = text.replace(":8008", ":%d" % BOOKS_REST).replace(":5432", ":%d" % BOOKS_PORT)
    text = text.replace("data_dir: " + fleet.data_dir, "data_dir: /var/lib/postgresql/%s/books\n"
                        "  config_dir: /etc/postgresql/%s/books" % (fleet.major, fleet.major))
    m.run("install", "-o", "root", "-g", "postgres", "-m", "0640", "/dev/null", "/etc/pgha/books.yml")
    m.write("/etc/pgha/books.yml", text)
    m.run("systemctl", "stop", unit)
    m.run("systemctl", "start", unit, check=False)
    assert m.show(unit, "ActiveState") == "inactive"
    told(m, unit, "an agent of pgha has")
    m.run("systemctl", "enable", "--now", BOOKS_AGENT, timeout=120)
    books_are_served(fleet, m)
    fleet.adopted_on = m


def test_power_loss_of_the_primary(fleet):
    old = fleet.leader()
    assert old is fleet.adopted_on
    with Writer(fleet) as w:
        at = time.monotonic()
        old.power_off()
        fleet.wait_leader(other_than=old)
        wait_for("writes are taken", lambda: w.acks[-1][0] > at + 1, 30)
        print("longest time without an acknowledgement %.2f s" % w.gap_s())
        old.boot()
        fleet.wait_whole(90)
    assert old.main_pid(fleet.guard(old)) and old.health("/replica") == 200


def test_adopted_cluster_comes_up_by_its_agent_and_can_be_given_back(fleet):
    m, unit = fleet.adopted_on, books_unit(fleet)
    books_are_served(fleet, m)
    m.run("systemctl", "disable", "--now", BOOKS_AGENT, timeout=120)
    assert not m.postmaster("/var/lib/postgresql/%s/books" % fleet.major)
    m.run("rm", "/etc/pgha/books.yml")
    m.run("systemctl", "start", unit)
    assert m.sql("SELECT answer FROM books", BOOKS_PORT) == "42"
    m.run("pg_dropcluster", "--stop", fleet.major, "books")


def power_down(m):
    m.run("systemctl", "poweroff", "--no-block")
    m.nspawn.wait(120)
    assert not alive(m.init)
    m.nspawn = None


def test_orderly_shutdown_of_the_primary_hands_over(fleet):
    old = fleet.leader()
    with Writer(fleet) as w:
        power_down(old)
        fleet.wait_leader(other_than=old)
        old.boot()
        fleet.wait_whole(90)
    assert not w.missing()


def test_shutdown_in_a_pause(fleet):
    """Its Postgres ends in order with the machine. Nobody takes its place before the pause ends, and
    nothing is lost."""
    old = fleet.leader()
    fleet.hactl("pause", "--wait")
    other = fleet.replicas()[0]
    try:
        with Writer(fleet) as w:
            at = time.monotonic()
            power_down(old)
            print("off after %.1f s" % (time.monotonic() - at))
        state = [line.split(":")[1].strip() for line in old.offline(
            "/usr/lib/postgresql/%s/bin/pg_controldata" % fleet.major, fleet.data_dir).splitlines()
            if line.startswith("Database cluster state")]
        assert state == ["shut down"]
        stays("nobody leads", lambda: not any(m.health() == 200 for m in fleet.replicas()), 1.5 * TTL_S)
        old.boot()
        wait_for("its agent answers", lambda: old.health("/health") in (200, 503), 30)
    finally:
        fleet.hactl("resume", "--wait", on=other)
    fleet.wait_whole(90)
    assert not w.missing()


# ---- the end

def test_distribution_keeps_its_hands_off(fleet):
    m = fleet.replicas()[0]
    postmaster = m.postmaster(fleet.data_dir)
    config = "/etc/postgresql/%s/main" % fleet.major
    m.run("install", "-d", "-o", "postgres", config)
    m.run("cp", fleet.data_dir + "/postgresql.conf", config)
    m.write(config + "/start.conf", "auto\n")
    with open(m.path(config + "/postgresql.conf"), "a", encoding="ascii") as f:
        f.write("data_directory = '%s'\n" % fleet.data_dir)
    unit = "postgresql@%s-main.service" % fleet.major
    m.run("systemctl", "daemon-reload")
    m.run("systemctl", "start", unit, check=False)
    assert m.show(unit, "ActiveState") == "inactive"
    told(m, unit, "an agent of pgha has")
    m.run("systemctl", "stop", "postgresql.service", unit)
    m.run("systemctl", "restart", "postgresql.service")
    assert m.postmaster(fleet.data_dir) == postmaster
    # What an upgrade of the server does: its scripts stop and start clusters.
    m.apt("install", "--reinstall", "postgresql-" + fleet.major)
    assert m.postmaster(fleet.data_dir) == postmaster
    assert m.show(unit, "ActiveState") == "inactive" and m.health("/replica") == 200
    m.run("rm", "-r", config)


def test_removal_is_refused_outside_of_a_pause(fleet):
    leader = fleet.leader()
    before = processes(fleet, leader)
    done = leader.apt("remove", "pgha", check=False)
    assert done.returncode != 0
    assert "runs and its cluster is not paused" in done.stdout
    assert processes(fleet, leader) == before
    assert fleet.wait_whole() is leader


def test_removal_in_a_pause_and_purge_leave_the_data(fleet):
    leader = fleet.leader()
    before = leader.postmaster(fleet.data_dir)
    fleet.hactl("pause", "--wait")
    out = leader.apt("remove", "pgha").stdout
    assert "PostgreSQL was left running" in out
    assert leader.postmaster(fleet.data_dir) == before
    assert leader.sql("SELECT NOT pg_is_in_recovery()") == "t"
    out = leader.apt("purge", "pgha", "pgha-client").stdout
    assert "/etc/pgha holds configurations and is left" in out
    assert os.path.exists(leader.path(CONFIG))
    assert leader.postmaster(fleet.data_dir) == before
    assert leader.sql("SELECT NOT pg_is_in_recovery()") == "t"
