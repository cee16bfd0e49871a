#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# check-alerts.sh - the alerts for Prometheus fire when they should, and only then
#
# usage: check-alerts.sh [SRCDIR]
#
#   rules     promtool takes the rules
#   tests     and finds that each fires and stays quiet where its tests say so
#   both      each alert has a test in which it fires and one in which it stays quiet
#   names     what the rules and the dashboard ask for is in pgha-rest(7), where a unit test has
#             every name that is exported
#
# Exits with 77, skipped, where there is no promtool: Debian's package prometheus has it.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
src=${1:-${srcdir:-$here/..}}
rules=$src/packaging/prometheus/pgha.rules.yml
tests=$src/packaging/prometheus/pgha.rules.test.yml
board=$src/packaging/prometheus/pgha.grafana.json
fail=0

fault() {
	echo "$*"
	fail=1
}

# alerts MARK: those of the tests whose expectation begins so
alerts() {
	awk -v mark="$1" '
	$1 == "alertname:" { name = $2 }
	$1 == "exp_alerts:" && ($2 == "[]" ? "quiet" : "fires") == mark { print name }' "$tests"
}

for alert in $(sed -n 's/^ *- alert: //p' "$rules"); do
	for mark in fires quiet; do
		alerts "$mark" | grep -qx "$alert" ||
			fault "${tests##*/}: no test in which $alert is: $mark"
	done
done

# The samples of a histogram have endings that its name has not.
manual=$(sed 's/\\//g' "$src/man/pgha-rest.7")
for name in $(grep -ohE '\b(pgha|patroni)_[a-z_]+' "$rules" "$board" | sort -u); do
	echo "$manual" | grep -qw "${name%_bucket}" || fault "$name: no such metric in pgha-rest(7)"
done

[ "$fail" = 0 ] || exit 1
command -v promtool >/dev/null || exit 77
promtool check rules "$rules"
promtool test rules "$tests"
