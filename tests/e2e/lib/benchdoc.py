# SPDX-License-Identifier: PostgreSQL
"""benchdoc - results of a benchmark as a section of doc/benchmarks.md"""

import os
import platform
import re

from .node import pg_bin
from .proc import run


def first_line(*argv):
    return run(*argv, check=False).stdout.strip().splitlines()[0]


def machine():
    """What ran, and on what."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        model = re.search(r"model name\s*: (.*)", f.read())
    with open("/proc/meminfo", encoding="ascii") as f:
        kb = int(re.search(r"MemTotal:\s+(\d+)", f.read()).group(1))
    versions = [first_line(os.path.join(pg_bin(), "postgres"), "--version"),
                first_line("etcd", "--version")]
    versions += [first_line(program, "--version") for program in
                 ("/usr/bin/patroni", "/usr/bin/pg_autoctl") if os.path.exists(program)]
    return "%s; Linux %s, %d processors (%s), %.0f GB" % (
        ", ".join(versions), platform.release(), os.cpu_count(),
        model.group(1) if model else "unknown", kb / 1e6)


def with_section(text, title, body):
    """The document with that section in the place of the one of this title, or at its end."""
    section = "## %s\n\n%s\n" % (title, body.strip())
    found = re.search(r"^## %s\n.*?(?=^## |\Z)" % re.escape(title), text, re.M | re.S)
    if not found:
        return text.rstrip("\n") + "\n\n" + section
    rest = text[found.end():]
    return text[:found.start()] + section + ("\n" + rest if rest else "")


def write_section(path, title, body):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(with_section(text, title, body))
    os.rename(path + ".new", path)
