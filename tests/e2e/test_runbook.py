# SPDX-License-Identifier: PostgreSQL
"""The commands of pgha-operations(7), played as they stand there"""

import collections
import os
import re
import shlex
import subprocess

import pytest

from lib.proc import wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = os.path.join(os.path.dirname(os.path.dirname(HERE)), "man", "pgha-operations.7")
PLAYED = ("hactl", "curl")

Command = collections.namedtuple("Command", "line section text reason codes")


def commands():
    """Every line of an example that begins with a prompt, with why it is not played, if so."""
    found, section, example, reason, codes = [], "", False, None, (0,)
    with open(PAGE, encoding="utf-8") as f:
        lines = [line.rstrip("\n") for line in f]
    for number, line in enumerate(lines, 1):
        if line.startswith(".Sh "):
            section = line[4:]
        elif line.startswith(".Bd ") or line == ".Ed":
            example, reason, codes = line != ".Ed", None, (0,)
        elif line.startswith('.\\" not played: '):
            assert example, "%d: outside of an example" % number
            reason = line.split(": ", 1)[1]
        elif line == '.\\" played':
            assert reason, "%d: nothing was left out before" % number
            reason = None
        elif line.startswith('.\\" exits '):
            codes = tuple(int(c) for c in line.split()[2:])
        elif example and re.match(r"[$#] ", line):
            text = re.sub(r"\s+# .*$", "", line[2:].replace("\\-", "-")).strip()
            found.append(Command(number, section, text, reason, codes))
            codes = (0,)
    return found


def sections():
    played = [c for c in commands() if not c.reason]
    return list(dict.fromkeys(c.section for c in played))


# What an operator may have to do. Each has a section with the commands.
OPERATIONS = """FIRST CLUSTER; ADDING A MEMBER; REMOVING A MEMBER; PLANNED SWITCHOVER;
WHAT HAPPENED LAST NIGHT; SETTINGS, AND RESTARTS THAT THEY WAIT FOR; MINOR VERSION OF POSTGRESQL;
MAJOR VERSION OF POSTGRESQL; NEW VERSION OF PGHA; MAINTENANCE OF ETCD; ETCD LOST FOR GOOD;
ALL MEMBERS LOST: BACKUP, TO A POINT IN TIME; SPLIT DATA CENTRES; REPLACING CERTIFICATES;
A SECRET OF THE MEMBERS; EMERGENCY WITHOUT QUORUM; A MEMBER THAT DOES NOT COME BACK""".replace("\n", " ").split("; ")


def test_every_command_is_played_or_says_why_not():
    found = commands()
    assert len(found) > 40
    assert set(OPERATIONS) <= {c.section for c in found}
    for c in found:
        assert c.reason or c.text.split()[0] in PLAYED, "%d: %s" % (c.line, c.text)
        assert c.reason is None or len(c.reason) > 20, "%d: that is no reason" % c.line


def lead(cluster, name):
    if cluster.leader_name() != name:
        cluster.hactl("switchover", "--candidate", name, "--force")
    cluster.wait_whole()


def play_hactl(cluster, words, codes, tmp_path):
    output = None
    if ">" in words:
        output = tmp_path / words[words.index(">") + 1]
        words = words[:words.index(">")]
    words = ["e2e" if w == "main" else w for w in words]
    if "--leader" in words:
        lead(cluster, words[words.index("--leader") + 1])
    # Whatever is asked: now, yes, and no limit.
    stdin = "\ny\n\n\n" if words[0] in ("switchover", "restart") else "y\n"
    done = cluster.hactl(*words, stdin=stdin, check=False, timeout=120)
    assert done.returncode in codes, (words, done.returncode, done.stdout)
    if output:
        output.write_text(done.stdout)
    if words[0] == "edit-config" and "-p" in words:
        wait_for("the restart is pending on all", lambda: all(
            r.get("Pending restart") for r in cluster.rows().values()), 30)
    if words[0] in ("switchover", "restart"):
        cluster.wait_whole()


def play_curl(cluster, words):
    words = [re.sub(r"//(n\d):", lambda m: "//%s:" % cluster.node(m.group(1)).addr, w)
             for w in words]
    done = subprocess.run(["curl", *words], capture_output=True, text=True, timeout=20,
                          check=False)
    assert done.returncode == 0 and done.stdout, done


def take_back(cluster):
    """Settings that were raised are lowered again, with the restarts that this takes."""
    cluster.make_whole()
    for role in ("leader", "replica"):
        cluster.hactl("restart", "e2e", "--role", role, "--pending", "--force", check=False,
                      timeout=120)
        cluster.wait_whole()


@pytest.mark.parametrize("section", sections())
def test_commands_of_the_runbook(cluster, section, tmp_path):
    lead(cluster, "n1")
    try:
        for c in commands():
            if c.section != section or c.reason:
                continue
            words = shlex.split(c.text)
            if words[0] == "hactl":
                play_hactl(cluster, words[1:], c.codes, tmp_path)
            else:
                play_curl(cluster, words[1:])
    finally:
        if any("Pending restart" in r or section.startswith("SETTINGS")
               for r in cluster.rows().values()):
            take_back(cluster)
