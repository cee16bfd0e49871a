#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# check-sim - failure stories in virtual time, and safety rules taken away one at a time
#
# usage: check-sim.sh [PART...]    parts: scenarios mutants mutant:NAME; those of PGHA_SIM_PARTS or
#                           the first two unless named
#
# Everything that fails prints the one line that plays it again. Runs in the build directory.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
sim=${SIM:-tests/sim/pgha-sim}
scenarios=$here/../scenarios

repeats=2
if grep -q fsanitize Makefile 2>/dev/null; then
	repeats=1
fi

# An assertion in the agent ends the program: play the same again and name the seed.
play() {
	rc=0
	"$sim" "$@" || rc=$?
	if [ "$rc" -ge 128 ]; then
		"$sim" "$@" --progress >check-sim.out 2>&1 || true
		echo "FAILED, the program died: $sim $* at $(grep '^seed' check-sim.out | tail -n 1)"
		rm -f check-sim.out
	fi
	return "$rc"
}

play_scenarios() {
	for file in "$scenarios"/*.scn; do
		play --scenario "$file" --seeds "1..$repeats"
	done
}

# Each takes one safety rule away at the port boundary; a seed, or a story, has to notice.
play_mutant() {
	mutant=$1
	case $mutant in
	trust-expiry)
		play --mutant "$mutant" --seeds 1..20 \
			--scenario "$scenarios/early-revoke-cut-off.scn" ;;
	guard-stale)
		play --mutant "$mutant" --seeds 1..40 \
			--scenario "$scenarios/guard-resumed-late.scn" ;;
	pause-armed)
		play --mutant "$mutant" --seeds 1..40 \
			--scenario "$scenarios/paused-key-expires.scn" ;;
	no-gate | gate-late)
		play --mutant "$mutant" --seeds 1..40 \
			--scenario "$scenarios/agent-and-guard-frozen.scn" ;;
	timeline-reused)
		play --mutant "$mutant" --seeds 1..200 \
			--scenario "$scenarios/promotion-frozen.scn" ;;
	rewind-unmarked)
		play --mutant "$mutant" --seeds 1..40 \
			--scenario "$scenarios/rewind-dies-leaderless.scn" ;;
	*)
		play --mutant "$mutant" --seeds 1..400 ;;
	esac
}

play_mutants() {
	for name in $("$sim" --list-mutants); do
		play_mutant "$name"
	done
}

# shellcheck disable=SC2086
[ $# -gt 0 ] || set -- ${PGHA_SIM_PARTS:-scenarios mutants}
for part in "$@"; do
	case $part in
	mutant:*) play_mutant "${part#mutant:}" ;;
	*) "play_$part" ;;
	esac
done
