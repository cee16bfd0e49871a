#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# check-rules - which rules of the table no seed and no story ever reaches
#
# usage: check-rules.sh [FROM..TO]
#
# Fails when a rule is never reached that is not named here with the reason. No part of
# 'make check': it needs many seeds. Runs in the build directory.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
sim=${SIM:-tests/sim/pgha-sim}

# Not here, where there are no such things:
# 102  a disk that stands still, and processes that end all the same: tests/unit/test_decide.c
# 205  poolers: tests/e2e/test_pgbouncer.py
# 303  somebody else who stops a server: tests/rules
# 306  settings that a primary can raise: tests/e2e/test_operations.py
excused="102 205 303 306"

{
	"$sim" --seeds "${1:-1..1500}" --coverage
	for file in "$here"/../scenarios/*.scn; do
		"$sim" --scenario "$file" --seeds 1..20 --coverage
	done
} | awk -v excused="$excused" '
	/ seeds, / { print; next }
	/^rules never reached:/ {
		runs++
		for (i = 4; i <= NF; i++)
			missed[$i]++
	}
	/^FAILED/ { print; bad = 1 }
	END {
		n = split(excused, words, " ")
		for (i = 1; i <= n; i++)
			known[words[i]] = 1
		for (rule in missed) {
			if (missed[rule] < runs)
				continue
			id = rule
			sub(/\(.*/, "", id)
			print "never reached: " rule (id in known ? ", as expected" : "")
			if (!(id in known))
				bad = 1
		}
		exit bad
	}'
