# SPDX-License-Identifier: PostgreSQL
"""patroni - Debian's Patroni in the place of pghad, on the same hosts with the same file"""

import contextlib
import os

import pytest

from .cluster import Cluster
from .node import Node

PROGRAM = "/usr/bin/patroni"


class PatroniNode(Node):
    """ours: pghad is to run here after all; the file stays the same."""

    ours = False

    def default_config(self, *args):
        """At level DEBUG Patroni is busy with its log."""
        return dict(super().default_config(*args), log={"level": "INFO"})

    def start_agent(self):
        if self.ours:
            return super().start_agent()
        assert not self.agent_running(), "patroni already runs on " + self.name
        self.agent = self.spawn([PROGRAM, self.conf_path], user="postgres", log="pghad.log")
        return self.agent


class PatroniCluster(Cluster):
    """dcs: changes over the dynamic configuration of the product's own clusters."""

    judged = False
    needs = (PROGRAM,)

    def __init__(self, *args, dcs, **kw):
        super().__init__(*args, node_class=PatroniNode, dcs=dcs, **kw)

    def is_whole(self):
        """As far as Patroni 3.0 tells: it shows a standby as running whether it streams or not."""
        leader = self.leader()
        if leader.rest("/primary").code != 200:
            raise ValueError("/primary of %s is not 200" % leader.name)
        timeline = leader.timeline()
        streaming = {r[0] for r in leader.sql(
            "SELECT application_name FROM pg_stat_replication WHERE state = 'streaming'")}
        for n in self.nodes:
            if n is leader:
                continue
            if n.name not in streaming or n.timeline() != timeline:
                raise ValueError("%s does not stream from %s" % (n.name, leader.name))
            if n.rest("/replica").code != 200:
                raise ValueError("/replica of %s is not 200" % n.name)
        return leader


@contextlib.contextmanager
def started(kind, *args, title, **kw):
    """A cluster of any kind for as long as it is measured."""
    for program in kind.needs:
        if not os.path.exists(program):
            pytest.skip("no " + program)
    cluster = kind(*args, **kw)
    cluster.title = title
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()
