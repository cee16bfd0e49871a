#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# check-mutants - safety rules taken out of the sources, one at a time: a test has to fail
#
# usage: check-mutants.sh [--fit] [NAME...]    all of tests/mutants/*.mut unless named
#
# --fit only looks whether each still fits the sources. A mutant is a file: a comment, 'kill' lines,
# and blocks of text and what replaces it. Each 'kill' line names a program and its arguments; one
# of them has to fail. The changed file is built in a directory of its own and linked in front of the
# libraries, so nothing that is shipped knows of this. Runs in the build directory; the environment
# comes from make check-mutants.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
fit=
survivors=
if [ "${1-}" = --fit ]; then
	fit=1
	shift
fi

sources() {
	(cd "$root" && ls src/core/*.c src/agent/*.c src/wire/*.c src/fence/*.c)
}

names=$*
[ -n "$names" ] || names=$(cd "$here" && for f in *.mut; do echo "${f%.mut}"; done)

if [ -n "$fit" ]; then
	cd "$root"
	n=0
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
		grep -m 1 -E 'is wrong|^\[----\]|Assertion|^FAILED' "$work/log" || tail -n 1 "$work/log"
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

# 0: it failed, as it has to.
run() {
	program=$1
	shift
	if [ "$program" = fence ]; then
		run_fence "$@"
		return
	fi
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

hunt() {
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
			echo "killed: $name: $program: $(verdict)"
			return 0
		fi
	done <"$work/kills"
	echo "SURVIVED: $name"
	return 1
}

for name in $names; do
	hunt "$name" || survivors="$survivors $name"
done
[ -z "$survivors" ] || {
	echo "FAILED, survived:$survivors"
	exit 1
}
