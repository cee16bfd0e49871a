#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# check-seeds - whole clusters in virtual time: no seed may break an invariant
#
# SEEDS=FROM..TO for others than the usual ones (40 with sanitizers). Runs in the build directory.
# What fails prints the one line that plays it again.
set -eu

sim=${SIM:-tests/sim/pgha-sim}
usual=1..200
if grep -q fsanitize Makefile 2>/dev/null; then
	usual=1..40
fi
seeds=${SEEDS:-$usual}

# An assertion in the agent ends the program before it can name the seed: played again, it does.
rc=0
"$sim" --seeds "$seeds" >check-seeds.out 2>&1 || rc=$?
if [ "$rc" -ge 128 ]; then
	"$sim" --seeds "$seeds" --progress >check-seeds.out 2>&1 || true
	echo "the program died: $sim --seed $(grep '^seed' check-seeds.out | tail -n 1)"
fi
[ "$rc" -eq 0 ] || { cat check-seeds.out; exit 1; }
tail -n 1 check-seeds.out
grep -q ' seeds, .* 0 failures$' check-seeds.out
rm -f check-seeds.out

# The same seed is the same story, byte for byte: without that none could be played again.
"$sim" --seeds 1..10 --twice --quiet
