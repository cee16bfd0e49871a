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

excused=""

{
	"$sim" --seeds "${1:-1..1500}" --coverage
	for file in "$here"/../scenarios/*.scn; do
		"$sim" --scenario "$file" --seeds 1..3 --coverage
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
