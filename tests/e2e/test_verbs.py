# SPDX-License-Identifier: PostgreSQL
"""Every command of hactl on a real cluster, on a terminal with its questions answered, and piped"""

import collections
import concurrent.futures
import json
import os
import re

import pytest

from lib.proc import run, wait_for
from lib.terminal import Terminal

PASSWORD = {"PGPASSWORD": "super secret"}
BARS = "█░"

# words: HERE is a replica, ~ a blank. asked: what it asks on a terminal, and the answer.
# piped: what is added instead there; None: it is not played there, for it takes long and other tests
# do so. codes: its exit codes. shown: what it must say.
Verb = collections.namedtuple("Verb", "words asked piped codes shown")


def verb(words, shown, asked=(), piped=(), codes=(0,)):
    return Verb(words.split(), list(asked), piped, codes, shown)


SURE = ("[y/N]: ", "y\n")
NOW = (" [now]: ", "\n")
FORCE = ["--force"]

LOOKS = [
    verb("list", "| n1 "),
    verb("list -e -t", "| Pending restart |"),
    verb("topology", "| + "),
    verb("watch --count 2 -n 0.2", "MEMBER"),
    verb("history", "| TL |"),
    verb("history -v", "streams again"),
    verb("why", "took the lead at"),
    verb("explain", "Suppose "),
    verb("explain --if etcd~gone", "without etcd nobody can be elected"),
    verb("doctor", "3 of 3 members examined", codes=(0, 1)),
    verb("dsn", "host="),
    verb("dsn --all --uri", "target_session_attrs=read-write"),
    verb("query -U postgres -c select~41+1", "42"),
    verb("show-config", "loop_wait: "),
    verb("version e2e", "n3: Patroni "),
    verb("completion bash", "complete "),
    verb("migrate check", "Nothing stands in the way"),
    verb("dcs accept", "No member waits for etcd to be accepted."),
    verb("proxy-config haproxy", "listen "),
    verb("promote-cluster", "already in the required state", codes=(1,)),
    verb("demote-cluster --host h --force", "leads no standby clusters", codes=(1,)),
    verb("flush e2e switchover", "No pending scheduled switchover"),
    verb("drill --window now -U postgres --dry-run", "Would hand over from "),
]

ACTS = [
    verb("edit-config -s maximum_lag_on_failover=2000000", "Configuration changed",
         asked=[("Apply these changes? [y/N]: ", "y\n")], piped=FORCE),
    verb("edit-config -s maximum_lag_on_failover=2000000", "Not changed"),
    verb("pause --wait", "Success: cluster management is paused"),
    verb("resume --wait", "Success: cluster management is resumed"),
    verb("reload e2e", "Reload request received for member n3", asked=[SURE], piped=FORCE),
    verb("switchover --scheduled 2099-01-01T10:00Z", "Switchover scheduled",
         asked=[("Primary [", "\n"), ("Candidate [", "\n"), SURE], piped=FORCE),
    verb("flush e2e switchover", "Success: scheduled switchover deleted"),
    verb("restart e2e HERE", "Success: restart on member HERE",
         asked=[NOW, SURE, ("(e.g. 9.5.2)  []: ", "\n")], piped=FORCE),
    verb("reinit e2e HERE --wait", "Caught up: HERE", asked=[SURE], piped=None),
    verb("switchover --candidate HERE", 'Successfully switched over to "HERE"',
         asked=[("Primary [", "\n"), NOW, SURE], piped=FORCE),
    verb("failover --candidate HERE", 'Successfully ', asked=[SURE], piped=None),
    verb("remove e2e", "Error: ", asked=[("confirm the cluster name to remove: ", "main\n")],
         codes=(1,)),
]


def words_of(cluster, words):
    here = cluster.replicas()[0].name
    return [w.replace("~", " ").replace("HERE", here) for w in words]


def on_terminal(cluster, *words, **more):
    return Terminal(cluster.programs.hactl, "-c", cluster.nodes[0].conf_path, *words,
                    **PASSWORD, **more)


def check_screen(t, verb):
    """It leaves the terminal as it was, and draws nothing over its edge."""
    assert t.is_as_before(), verb
    assert "\ufffd" not in t.text and "Traceback" not in t.text, verb
    assert t.text.endswith(("\n", "\033[?1049l")), (verb, t.text[-200:])
    # What is written over and over fits on one line.
    for drawn in re.findall(r"\r\x1b\[K([^\r\n]+)", t.text):
        assert len(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn)) <= t.columns, (verb, drawn)


def play_on_terminal(cluster, verb):
    words = words_of(cluster, verb.words)
    shown = words_of(cluster, [verb.shown])[0]
    with on_terminal(cluster, *words) as t:
        for question, answer in verb.asked:
            t.wait(question)
            t.type(answer)
        code = t.end()
        assert code in verb.codes, (words, code, t.text)
        assert shown in re.sub(r"\s+", " ", t.plain()), (words, t.text)
        check_screen(t, words)
        return t.text


def play_piped(cluster, verb):
    words = words_of(cluster, verb.words)
    shown = words_of(cluster, [verb.shown])[0]
    done = run(cluster.programs.hactl, "-c", cluster.nodes[0].conf_path, *words, *verb.piped,
               check=False, timeout=120, env=dict(os.environ, TERM="xterm", **PASSWORD),
               input="".join(answer for _, answer in verb.asked if not verb.piped))
    assert done.returncode in verb.codes, (words, done)
    assert shown in re.sub(r"\s+", " ", done.stdout), (words, done.stdout)
    assert "\033" not in done.stdout and "\r" not in done.stdout, (words, done.stdout)
    assert not set(BARS) & set(done.stdout), (words, done.stdout)
    return done.stdout


def test_no_command_is_left_out(cluster):
    text = cluster.hactl("--help").stdout.split("Commands:")[1].split("\n\n")[0]
    commands = {line.split()[0] for line in text.splitlines() if line.startswith("  ")}
    assert commands == {v.words[0] for v in LOOKS + ACTS}


@pytest.fixture
def moved(cluster):
    """With a hand-over to tell of."""
    cluster.hactl("switchover", "--force")
    cluster.wait_whole()
    wait_for("the hand-over is told of",
             lambda: "streams again" in cluster.hactl("history", "-v", check=False).stdout, 20)
    return cluster


def test_what_only_looks(moved):
    for one in LOOKS:
        play_piped(moved, one)
        seen = play_on_terminal(moved, one)
        if one.words[0] == "watch":
            assert "\033[1m" in seen and "\033[?1049h" in seen
        if one.words[0] == "doctor":
            assert "\033[33mwarning\033[0m: " in seen or ", 0 findings" in seen


def test_what_changes_something(cluster):
    config = cluster.key("config")
    for play in (play_on_terminal, play_piped):
        for one in ACTS:
            if play is play_piped and one.piped is None:
                continue
            seen = play(cluster, one)
            if play is play_on_terminal and one.words[0] == "switchover" and one.asked[-2] == NOW:
                assert re.search(r"\d+ ms\x1b\[0m  n\d  \S*takes no more writes", seen), seen
                assert re.search(r"\d+ ms\x1b\[0m  n\d  follows the new leader", seen), seen
            if one.words[0] in ("restart", "reinit", "switchover", "failover"):
                cluster.wait_whole()
        cluster.hactl("edit-config", "-s", "maximum_lag_on_failover=%d" %
                      json.loads(config)["maximum_lag_on_failover"], "--force", "-q")
    assert json.loads(cluster.key("config")) == json.loads(config)


def test_interrupted_switchover_is_whole(cluster):
    old = cluster.leader_name()
    with on_terminal(cluster, "switchover", "--force") as t:
        t.wait("takes no more writes")
        t.type("\x03")
        assert t.end() == 1 and "Aborted!" in t.text, t.text
        assert t.is_as_before()
    wait_for("another leader", lambda: cluster.leader_name() not in (None, old), 20)
    cluster.wait_whole()


def test_through_a_member_where_etcd_is_out_of_reach(cluster):
    away = ["-d", "etcd3://%s:1" % cluster.nodes[0].addr]
    old = cluster.leader_name()

    def hactl(*words, code=0):
        done = cluster.hactl(*away, *words, check=False)
        assert done.returncode == code, done.stdout
        assert "cannot reach etcd" in done.stdout, done.stdout
        return done.stdout

    looks = [["list"], ["topology"], ["history"], ["show-config"], ["explain"], ["version", "e2e"]]
    with concurrent.futures.ThreadPoolExecutor(len(looks)) as pool:
        for shown in pool.map(lambda words: hactl(*words), looks):
            assert "Shown is what the member at" in shown, shown
    assert "Success: cluster management is paused" in hactl("pause", "--wait")
    assert "Success: cluster management is resumed" in hactl("resume", "--wait")
    assert 'Successfully switched over to "' in hactl("switchover", "--force")
    wait_for("another leader", lambda: cluster.leader_name() not in (None, old), 20)
    cluster.wait_whole()
    # What has to write keys says that it cannot, and where to go.
    assert "give its address with -d" in hactl("edit-config", "-s", "ttl=9", "--force", code=1)


def test_wrong_cluster_and_dead_member(cluster):
    done = cluster.hactl("list", "nosuch")
    assert "etcd knows no cluster nosuch; it knows: e2e" in done.stdout
    dead = cluster.replicas()[0]
    dead.kill_agent()
    # As for the first seconds after it died, however long it takes to ask all that follows.
    key = cluster.prefix + "members/" + dead.name
    cluster.etcd.put(key, cluster.etcd.get(key))
    for words in (["reload", "e2e", "--force"], ["restart", "e2e", dead.name, "--force"],
                  ["reinit", "e2e", dead.name, "--force"], ["explain", dead.name]):
        done = cluster.hactl(*words, check=False)
        assert done.returncode == 1 and dead.addr in done.stdout, (words, done.stdout)
    assert cluster.hactl("doctor", check=False).returncode == 2
    assert "1 of 3 members could not be asked" in cluster.hactl("migrate", "check",
                                                                check=False).stdout
    assert cluster.hactl("dcs", "accept", "--force", check=False).returncode == 1
