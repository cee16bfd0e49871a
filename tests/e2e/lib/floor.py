# SPDX-License-Identifier: PostgreSQL
"""floor - what the messages of an agent at rest cost that does nothing else; see floor.c"""

import base64
import os

from .proc import run

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def build_floor(where):
    out = os.path.join(where, "floor")
    flags = run("pkg-config", "--cflags", "--libs", "libpq").stdout.split()
    run("cc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror",
        os.path.join(HERE, "floor.c"), "-o", out, *flags)
    return out


def start(program, node, etcd, leads, seconds, prefix):
    """On the member's own host, beside its agent."""
    beat = base64.b64encode((prefix + "pgha/beat").encode()).decode()
    return node.spawn([program, "leader" if leads else "standby", etcd.members[0].addr,
                       node.conninfo(), str(seconds), beat], user="postgres", log="floor.log")


def read(proc, seconds):
    """Milliseconds of processor time a second, and wake-ups a second."""
    code = proc.wait(seconds + 30)
    assert code == 0, proc.log()
    return tuple(float(word) for word in proc.log().split()[-2:])
