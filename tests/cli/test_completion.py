# SPDX-License-Identifier: PostgreSQL
"""The completions in the shells themselves: typed on a terminal, with the key TAB.

They are found where the packages put them. Instead of running the line that came of it, hactl shows
its words, so that what is looked at is what the shell would have run."""

import os
import shutil
import subprocess

import pytest

from conftest import Terminal, program

START = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "-i"],
}
PLACES = {"bash": "hactl", "zsh": "zsh/_hactl", "fish": "fish/vendor_completions.d/hactl.fish"}
READY = {
    "bash": "bind 'set enable-bracketed-paste off'; . {data}/hactl; PS1='% '",
    "zsh": "fpath=({data}/zsh $fpath); autoload -U compinit; compinit -u -D; PS1='%% '; "
           "unsetopt zle_bracketed_paste 2>/dev/null",
    "fish": "function fish_prompt; echo '% '; end",
}
WRAPPER = """#!/bin/sh
if [ "$1" = __complete ]; then exec {program} "$@"; fi
printf 'RAN'; printf '<%s>' "$@"; echo
"""


class Shell(Terminal):
    def __init__(self, world, name, place):  # pylint: disable=super-init-not-called
        data = place / "share"
        script = data / PLACES[name]
        script.parent.mkdir(parents=True)
        script.write_text(subprocess.run([program(), "completion", name], text=True, check=True,
                                         capture_output=True).stdout)
        tool = place / "bin" / "hactl"
        tool.parent.mkdir()
        tool.write_text(WRAPPER.format(program=program()))
        tool.chmod(0o755)
        self.open(24, 120)
        self.start(START[name], {
            "PATH": "%s:%s" % (tool.parent, os.environ["PATH"]), "HOME": str(place),
            "XDG_CONFIG_HOME": str(place), "XDG_DATA_DIRS": str(data), "TERM": "xterm",
            "LC_ALL": "C.UTF-8", "PATRONI_SCOPE": world.scope,
            "DCS_URL": "etcd3://127.0.0.1:%d" % world.etcd.port}, cwd=str(place))
        self.type(READY[name].format(data=data) + "\n")
        self.type("echo re''ady\n")
        self.wait("ready")

    def type(self, text):
        os.write(self.master, text.encode())

    def complete(self, *pieces):
        """Types each piece with TAB behind it, then Enter. What the command line then was."""
        for piece in pieces:
            self.wait_quiet()
            self.type(piece + "\t")
        self.wait_quiet()
        seen = len(self.text)
        self.type("\n")
        start = self.wait("RAN<", since=seen) - 1
        line = self.text[start:self.wait("\n", since=start)].strip()
        return line[1:-1].split("><")


@pytest.fixture(params=list(START))
def shell(request, world, tmp_path):
    if not shutil.which(request.param):
        assert os.environ.get("PGHA_TOOLS") != "required", "no %s here" % request.param
        pytest.skip("no %s here: its completion is not tried" % request.param)
    shell = Shell(world, request.param, tmp_path)
    shell.place = tmp_path
    yield shell
    shell.close()


def test_a_command_and_its_options(shell):
    assert shell.complete("hactl swi", "--forc") == ["switchover", "--force"]
    assert shell.complete("hactl -k edit-c", "--dry") == ["-k", "edit-config", "--dry-run"]


def test_values(shell):
    assert shell.complete("hactl list --format ts") == ["list", "--format", "tsv"]
    assert shell.complete("hactl list --format=ts") == ["list", "--format=tsv"]
    assert shell.complete("hactl restart x -r standby-") == ["restart", "x", "-r", "standby-leader"]


def test_members_of_the_cluster(shell, world):
    world.add("zeta", 15440)
    assert shell.complete("hactl restart %s z" % world.scope) == ["restart", world.scope, "zeta"]
    assert shell.complete("hactl switchover --candidate z") == ["switchover", "--candidate", "zeta"]


def test_files(shell):
    (shell.place / "settings.yml").write_text("ttl: 20\n")
    assert shell.complete("hactl edit-config --apply sett") == ["edit-config", "--apply",
                                                               "settings.yml"]
    assert shell.complete("hactl -c sett") == ["-c", "settings.yml"]


def test_what_nobody_knows_stays_as_it_was_typed(shell):
    assert shell.complete("hactl nosuch --x") == ["nosuch", "--x"]
