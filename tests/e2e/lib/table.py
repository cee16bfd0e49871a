# SPDX-License-Identifier: PostgreSQL
"""table - prints what rounds.jsonl has: scripts/faults --table"""

import sys

from . import rounds


def main(path, ttl=None):
    print(rounds.table([r for r in rounds.load(path) if ttl in (None, str(r["ttl"]))]), end="")


main(*sys.argv[1:])
