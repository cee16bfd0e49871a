#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# check-states - no state of a small cluster is wrong, and a rule taken away makes one wrong
#
# usage: check-states.sh [--all | --list-mutants | --mutant NAME...]
#
# --all takes minutes and some gigabytes of memory: two faults, three members. Runs in the build
# directory. A mutant is a safety rule taken away: the search has to find what it was there for.
# Each search ends with the number of states that it found; --all repeats them at its end.
set -eu

states=${STATES:-tests/states/pgha-states}
found=check-states.out
faults=1
if grep -q fsanitize Makefile 2>/dev/null; then
	faults=0
fi

# 3: as far as the limit goes, breadth first.
search() {
	rc=0
	"$states" "$@" >"$found.new" || rc=$?
	cat "$found.new"
	echo "$*: $(tail -n 1 "$found.new")" >>"$found"
	rm -f "$found.new"
	return "$rc"
}

clean() {
	search "$@"
}

far() {
	rc=0
	search "$@" || rc=$?
	[ "$rc" -eq 0 ] || [ "$rc" -eq 3 ]
}

# The way that is printed before the last line is of those that play it again.
mutant() {
	last=$("$states" "$@" | tail -n 1)
	case $last in
	*"one is wrong"*) echo "killed: $*: $last" | tee -a "$found" ;;
	*)
		echo "FAILED, survived: $states $*: $last"
		exit 1
		;;
	esac
}

# Each with the world in which it is found soonest.
mutants="own-clock gate guard sent-time beat-moved beat-compare"
without() {
	case $1 in
	guard) mutant --faults 1 --no-module --without "$1" ;;
	beat-*) mutant --faults 2 --without "$1" --limit 60000000 ;;
	*) mutant --faults 1 --without "$1" ;;
	esac
}

case ${1-} in
--list-mutants)
	for name in $mutants; do
		echo "$name"
	done
	exit 0
	;;
--mutant)
	shift
	found=/dev/null
	for name in "$@"; do
		without "$name"
	done
	exit 0
	;;
esac

rm -f "$found"
clean --faults "$faults"
clean --faults 1 --orders 0 --fixed
clean --faults 1 --orders 0 --no-module
without own-clock
without gate
without guard
[ "${1-}" = --all ] || exit 0

clean --faults 1 --fixed
clean --faults 1 --no-module
without sent-time
without beat-moved
without beat-compare
clean --faults 1 --steps 12 --limit 60000000
far --faults 2 --fixed --limit 80000000
far --faults 2 --limit 80000000
far --nodes 3 --faults 1 --orders 0 --limit 60000000
echo "check-states: $(grep -c . "$found") searches:"
cat "$found"
