# SPDX-License-Identifier: PostgreSQL
"""restload - many clients of one member's REST API, and what they saw"""

import os
from collections import namedtuple

from .node import REST_PORT
from .proc import run

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

Load = namedtuple("Load", "rate median_us p99_us most_us broken")


def build_restload(where):
    out = os.path.join(where, "restload")
    run("cc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror",
        os.path.join(HERE, "restload.c"), "-o", out)
    return out


def argv(program, node, path, connections, seconds, keep):
    return [program, node.addr, str(REST_PORT), path, str(connections), str(seconds),
            "keep" if keep else "close"]


def read(text):
    answers, seconds, median, p99, most, broken = text.split()
    return Load(int(answers) / float(seconds), int(median), int(p99), int(most), int(broken))


def ask(program, node, path, connections, seconds, keep):
    """The clients run on the member's own host."""
    done = node.run(argv(program, node, path, connections, seconds, keep))
    return read(done.stdout)
