# SPDX-License-Identifier: PostgreSQL
"""hactl watch on a terminal and without one."""

import json
import os
import re
import signal
import time

import pytest

from test_dryrun import fit


@pytest.fixture
def terminal(world, terminal):  # pylint: disable=redefined-outer-name
    fit(world)
    return terminal


@pytest.mark.parametrize("way,code", [("q", 0), ("\x03", 0), (signal.SIGTERM, 143),
                                      (signal.SIGHUP, 129)])
def test_the_terminal_is_given_back(terminal, way, code):
    t = terminal("watch")
    t.wait("node2")
    assert t.text.startswith("\033[?1049h\033[?25l")
    if isinstance(way, str):
        os.write(t.master, way.encode())
    else:
        t.process.send_signal(way)
    t.end(code)


def test_what_changes_is_an_event(world, terminal):
    t = terminal("watch", "-n", "0.2")
    t.wait("EVENTS")
    world.show("node1", state="stopped", replication_state=None)
    t.wait("node1: stopped, was streaming")
    world.put("leader", "node2")
    t.wait("node2 leads; before it was node0")
    world.members["node0"].stop()
    t.wait("node0 does not answer")
    world.etcd.call("/kv/deleterange", key=world.key("members/node1"))
    t.wait("node1 has left")
    seen = len(t.text)
    t.resize(30, 40)
    t.process.send_signal(signal.SIGWINCH)
    cleared = t.wait("\033[2J", since=seen)
    t.wait("has left", since=t.wait("EVENTS", since=cleared))
    lines = re.sub(r"\033\[[0-9;?]*[A-Za-z]", "\n", t.text[cleared:]).split("\n")
    assert 20 < max(len(line) for line in lines) <= 40
    os.write(t.master, b"q")
    t.end(0)


def test_a_copy_and_a_rewind_show_their_bytes(world, terminal):
    world.members["node1"].answers["GET", "/patroni"][1]["pgha"] = {
        "name": "clone", "job": {"name": "clone", "for_ms": 7000, "done_bytes": 512 * 2 ** 20,
                                 "total_bytes": 2 ** 30}}
    world.members["node2"].answers["GET", "/patroni"][1]["pgha"] = {
        "name": "busy", "job": {"name": "rewind", "for_ms": 3000, "done_bytes": 30 * 2 ** 20,
                                "total_bytes": 40 * 2 ** 20}}
    t = terminal("watch")
    t.wait("node1: clone, 7 s  ██████████░░░░░░░░░░ 50 %, 512 MB of 1.0 GB")
    t.wait("node2: rewind, 3 s  ███████████████░░░░░ 75 %, 30.0 MB of 40.0 MB")
    plain = terminal("watch", env={"LC_ALL": "C", "NO_COLOR": "1"})
    plain.wait("##########.......... 50 %")
    assert "\033[1m" in t.text and "\033[1m" not in plain.text and "\033[32m" not in plain.text


def test_without_a_terminal(world):
    fit(world)
    done = world.hactl("watch", "--count", "2", "-n", "0.1")
    assert "\033" not in done.stdout and done.stdout.count("MEMBER") == 2
    lines = world.hactl("watch", "--json", "--count", "2", "-n", "0.1").stdout.splitlines()
    assert [json.loads(line)["leader"] for line in lines] == ["node0", "node0"]
    # It goes on where nobody answers.
    done = world.hactl("watch", "--count", "2", "-n", "0.1", options=["-d", "etcd3://127.0.0.1:1"])
    assert done.stdout.count("the cluster cannot be seen: cannot reach etcd") == 2
    assert "Error: --interval" in world.hactl("watch", "-n", "soon", code=1).stderr
