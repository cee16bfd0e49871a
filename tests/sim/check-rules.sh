#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# check-rules - which rules of the table no seed and no story ever reaches
#
# usage: check-rules.sh [FROM..TO]
#
# Fails when one is never reached. No part of 'make check': it needs many seeds. Runs in the build
# directory.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
sim=${SIM:-tests/sim/pgha-sim}

{
	"$sim" --seeds "${1:-1..1500}" --coverage
	for file in "$here"/../scenarios/*.scn; do
		"$sim" --scenario "$file" --seeds 1..20 --coverage
	done
} | awk '
	/ seeds, / { print; next }
	/^rules never reached:/ {
		runs++
		for (i = 4; i <= NF; i++)
			missed[$i]++
	}
	/^FAILED/ { print; bad = 1 }
	END {
		for (rule in missed) {
			if (missed[rule] < runs)
				continue
			print "never reached: " rule
			bad = 1
		}
		exit bad
	}'
