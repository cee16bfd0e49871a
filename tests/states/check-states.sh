#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# check-states - no state of a small cluster is wrong, and a rule taken away makes one wrong
#
# usage: check-states.sh [--all]
#
# --all takes minutes and some gigabytes of memory: two faults, three members. Runs in the build
# directory. A mutant is a safety rule taken away: the search has to find what it was there for.
set -eu

states=${STATES:-tests/states/pgha-states}
all=${1-}
faults=1
if grep -q fsanitize Makefile 2>/dev/null; then
	faults=0
fi

clean() {
	"$states" "$@"
}

# As far as the limit goes, breadth first.
far() {
	rc=0
	"$states" "$@" || rc=$?
	[ "$rc" -eq 0 ] || [ "$rc" -eq 3 ]
}

mutant() {
	last=$("$states" "$@" | tail -n 1)
	case $last in
	*"one is wrong"*) echo "killed: $*: $last" ;;
	*)
		echo "FAILED, survived: $states $*: $last"
		exit 1
		;;
	esac
}

clean --faults "$faults"
clean --faults 1 --orders 0 --fixed
clean --faults 1 --orders 0 --no-module
mutant --faults 1 --without own-clock
mutant --faults 1 --without gate
mutant --faults 1 --no-module --without guard
[ "$all" = --all ] || exit 0

clean --faults 1 --fixed
clean --faults 1 --no-module
mutant --faults 1 --without sent-time
mutant --faults 2 --without beat-moved --limit 60000000
mutant --faults 2 --without beat-compare --limit 60000000
clean --faults 1 --steps 12 --limit 60000000
far --faults 2 --fixed --limit 80000000
far --faults 2 --limit 80000000
far --nodes 3 --faults 1 --orders 0 --limit 60000000
