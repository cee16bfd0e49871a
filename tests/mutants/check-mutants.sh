#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# check-mutants - safety rules taken out of the sources, one at a time: a test has to fail
#
# usage: check-mutants.sh [--fit | --src] [NAME...]    all of them unless named
#
# NAME is a file of tests/mutants without its ".mut"; port:NAME one of the simulator's, taken away at
# the port boundary; states:NAME one of the search over all states. --src: the files alone. --fit
# only looks whether each file still fits the sources.
#
# A mutant is a file: a comment, 'kill' lines, and blocks of text and what replaces it. Each 'kill'
# line names a program and its arguments; one of them has to fail. The changed file is built in a
# directory of its own and linked in front of the libraries, so nothing that is shipped knows of
# this. Runs in the build directory; the environment comes from make check-mutants.
#
# check-mutants.out there says of each what killed it. A run that was broken off goes on where it
# was, as long as sources and tests are the same.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
sim=${SIM:-tests/sim/pgha-sim}
out=check-mutants.out
mode=all
case ${1-} in
--fit | --src)
	mode=${1#--}
	shift
	;;
esac

sources() {
	(cd "$root" && ls src/core/*.c src/agent/*.c src/wire/*.c src/fence/*.c src/guard/*.c src/io/*.c)
}

of_sources() {
	(cd "$here" && for f in *.mut; do echo "${f%.mut}"; done)
}

of_tests() {
	"$sim" --list-mutants | sed 's/^/port:/'
	"$root/tests/states/check-states.sh" --list-mutants | sed 's/^/states:/'
}

names=$*
if [ -z "$names" ]; then
	names=$(of_sources)
	[ "$mode" != all ] || names="$names $(of_tests)"
fi

if [ "$mode" = fit ]; then
	cd "$root"
	n=0
	survivors=
	for name in $names; do
		# shellcheck disable=SC2046
		awk -v out= -f tests/mutants/mutate.awk "tests/mutants/$name.mut" $(sources) ||
			survivors=1
		n=$((n + 1))
	done
	[ -z "$survivors" ] || exit 1
	echo "check-mutants: $n fit the sources"
	exit 0
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/pgha-mutants.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
build=$PWD

# Everything that bears on what a mutant comes to.
tree() {
	(cd "$root" && cat src/*/*.[ch] sql/*.sql tests/*/*.[ch] tests/*/*.sh tests/*/*.awk \
		tests/fence/*.py tests/scenarios/*.scn tests/mutants/*.mut | cksum | tr ' ' -)
}

# What a program is made of, as NAME_LINK says: objects, '@', libraries.
link() {
	eval "parts=\$$1_LINK"
	# shellcheck disable=SC2154,SC2086
	$LINK -o "$work/$1" ${parts%%@*} "$work"/*.o ${parts#*@}
}

# The first line that tells why, or how it died.
verdict() {
	if grep -q '^FAILED.*pgha-sim' "$work/log"; then
		sed -n 's/^FAILED.*: pgha-sim/pgha-sim/p; s/^  broken: /  /p' "$work/log" | tr -d '\n'
	else
		grep -m 1 -E 'is wrong|^\[----\]|Assertion|: failed: |^FAILED' "$work/log" || tail -n 1 "$work/log"
	fi
}

# The Postgres module is built anew, for the first version that it was configured for.
run_fence() {
	config=${FENCE_PG_CONFIGS%% *}
	[ -n "$config" ] || broken "the Postgres module"
	version=$("$config" --version | sed -n 's/^PostgreSQL \([0-9]*\).*/\1/p')
	mkdir -p "$work/src"
	cp -r "$root/src/base" "$root/src/fence" "$work/src"
	while read -r path copy; do
		cp "$work/$copy" "$work/$path"
	done <"$work/changed"
	make -s -f "$work/src/fence/module.mk" OUT="$work/out" PG_CONFIG="$config" >"$work/log" 2>&1 ||
		broken "the Postgres module"
	chmod -R a+rX "$work"
	! (cd "$build" && FENCE_PG_CONFIG=$config FENCE_PAGE=tests/fence/page \
		FENCE_MODULE=$work/out/$version/pgha_fence.so PYTHONDONTWRITEBYTECODE=1 \
		/usr/bin/python3 -m pytest -q -x -p no:cacheprovider "$root/tests/fence/$1") \
		>"$work/log" 2>&1
}

# Programs that play one test after the other on real servers: it has to be that one which fails.
run_steps() {
	binary=$1
	step=$2
	chmod -R a+rX "$work"
	! (cd "$work" && "$binary") >"$work/log" 2>&1 &&
		[ "$(sed -n 's/^-- //p' "$work/log" | tail -n 1)" = "$step" ]
}

# The guardian is a program of its own: the test starts the one in its working directory.
run_guard() {
	link guard || broken guard
	mv "$work/guard" "$work/pgha-guard"
	run_steps "$build/tests/io/test_guard" "$1"
}

run_pg() {
	link "$1" || broken "$1"
	run_steps "$work/$1" "$2"
}

# 0: it failed, as it has to.
run() {
	program=$1
	shift
	case $program in
	fence | guard)
		"run_$program" "$@"
		return
		;;
	pgrepair | pgstop)
		run_pg "$program" "$@"
		return
		;;
	esac
	link "$program" || broken "$program"
	rc=0
	case $program in
	sim) set -- --first-failure "$@" ;;
	esac
	(cd "$build" && "$work/$program" "$@") >"$work/log" 2>&1 || rc=$?
	[ "$rc" -ne 0 ]
}

broken() {
	echo "FAILED: $1 cannot be built"
	exit 1
}

# What took the rule's absence for a failure; nothing: nobody did.
hunt_source() {
	name=$1
	rm -rf "${work:?}"/*
	(cd "$root" && awk -v out="$work" -f tests/mutants/mutate.awk "tests/mutants/$name.mut" \
		$(sources)) >"$work/changed" || broken "$name"
	while read -r path copy; do
		[ "${path#src/fence/}" = "$path" ] || continue
		# shellcheck disable=SC2086
		$COMPILE -w -DPGHA_VERSION='"0"' -I"$root/$(dirname "$path")" -c -o "$work/${copy%.c}.o" "$work/$copy" ||
			broken "$path"
	done <"$work/changed"
	grep '^kill ' "$here/$name.mut" >"$work/kills"
	while read -r _ program args; do
		args=$(echo "$args" | sed "s|SCN/|$root/tests/scenarios/|")
		# shellcheck disable=SC2086
		if run "$program" $args; then
			echo "$program: $(verdict)"
			return 0
		fi
	done <"$work/kills"
}

hunt() {
	case $1 in
	port:*)
		"$root/tests/sim/check-sim.sh" "mutant:${1#port:}" >"$work/log" 2>&1 || return 0
		sed -n 's/^mutant .*: killed/pgha-sim:/p' "$work/log"
		;;
	states:*)
		"$root/tests/states/check-states.sh" --mutant "${1#states:}" >"$work/log" 2>&1 ||
			return 0
		sed -n 's/^killed: /pgha-states: /p' "$work/log"
		;;
	*) hunt_source "$1" ;;
	esac
}

tree=$(tree)
[ "$(head -n 1 "$out" 2>/dev/null)" = "tree $tree" ] || echo "tree $tree" >"$out"
n=0
earlier=0
survivors=
for name in $names; do
	n=$((n + 1))
	if grep -q "^killed: $name: " "$out"; then
		earlier=$((earlier + 1))
		continue
	fi
	killer=$(hunt "$name") || {
		echo "$killer"
		exit 1
	}
	if [ -n "$killer" ]; then
		echo "killed: $name: $killer" | tee -a "$out"
	else
		echo "SURVIVED: $name"
		survivors="$survivors $name"
	fi
done
dead=$(for name in $names; do grep -c "^killed: $name: " "$out" || true; done | grep -c 1 || true)
echo "check-mutants: $dead of $n killed ($earlier of them earlier, with the same tree): see $out"
[ -z "$survivors" ] || {
	echo "FAILED, survived:$survivors"
	exit 1
}
