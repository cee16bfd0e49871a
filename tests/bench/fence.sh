#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# fence.sh - what the Postgres module costs: pgbench with and without it, in turns
#
# usage: fence.sh BUILD_DIR [ROUNDS [SECONDS]]    (12 rounds of 5 seconds)
#
# Two servers of the same data, one with pgha_fence and an armed lease page, one without. They are
# measured one after the other, in alternating order, so that both see the same machine. fsync is
# off: a disk would hide the cost. Prints medians for TPC-B and for single-row commits: transactions
# in a second, and processor time of the server for each, which tells more on a machine that is busy
# with something else. As root it runs the servers as user postgres. FENCE_PG_CONFIG: another
# pg_config than the one in PATH.
set -euo pipefail

build=$(cd "${1:?BUILD_DIR}" && pwd)
rounds=${2:-12}
seconds=${3:-5}
config=${FENCE_PG_CONFIG:-pg_config}
bin=$("$config" --bindir)
version=$("$config" --version | sed -n 's/^PostgreSQL \([0-9]*\).*/\1/p')
base=$(mktemp -d "${TMPDIR:-/tmp}/pgha-bench.XXXXXX")
chmod 755 "$base"

as=()
if [ "$(id -u)" -eq 0 ]; then
	as=(setpriv --reuid=postgres --regid=postgres --init-groups)
	chown postgres: "$base"
fi

cleanup() {
	for kind in without with; do
		"${as[@]}" "$bin/pg_ctl" -D "$base/$kind/data" -m immediate -w stop >/dev/null 2>&1 || :
	done
	rm -rf "$base"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

install -m 755 "$build/src/fence/$version/pgha_fence.so" "$build/tests/fence/page" "$base"
"${as[@]}" mkdir "$base/without" "$base/with"

start() { # KIND [MORE SETTINGS]
	local data=$base/$1/data
	"${as[@]}" "$bin/initdb" -D "$data" -U postgres -A trust -N >/dev/null
	"${as[@]}" tee -a "$data/postgresql.conf" >/dev/null <<-END
		listen_addresses = ''
		unix_socket_directories = '$base/$1'
		fsync = off
		shared_buffers = '256MB'
		max_wal_size = '8GB'
		checkpoint_timeout = '1h'
		autovacuum = off
		${2:-}
	END
	"${as[@]}" "$bin/pg_ctl" -D "$data" -w -l "$base/$1/log" start >/dev/null
	pgbench "$1" -i -q -s 10 >/dev/null 2>&1
	"$bin/psql" -qX -h "$base/$1" -U postgres -c 'create table single (i int)' postgres
}

pgbench() { # KIND OPTIONS
	local kind=$1
	shift
	"$bin/pgbench" -h "$base/$kind" -U postgres "$@" postgres
}

# Clock ticks that the ended children of a server have used: those of the last pgbench among them.
ticks() { # KIND
	awk '{ sub(/.*\) /, ""); print $14 + $15 }' "/proc/$(head -n 1 "$base/$1/data/postmaster.pid")/stat"
}

measure() { # KIND OPTIONS: transactions in a second, microseconds of processor time for each
	local before
	before=$(ticks "$1")
	pgbench "$@" -n -T "$seconds" >"$base/out" 2>/dev/null
	sleep 0.3 # until the last process is gone and counted
	awk -v used=$(($(ticks "$1") - before)) -v hz="$(getconf CLK_TCK)" '
		/^tps = / { tps = $3 }
		/transactions actually processed/ { n = $6 }
		END { print tps, used * 1e6 / hz / n }' "$base/out"
}

median() { # COLUMN
	awk -v c="$1" '{ print $c }' | sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

start without
start with "shared_preload_libraries = '$base/pgha_fence.so'
pgha_fence.page = '$base/run/bench/n1/lease'"
"${as[@]}" "$base/page" "$base/run" bench n1 arm 86400000
echo 'insert into single values (1)' >"$base/single.sql"

compare() { # NAME OPTIONS
	local name=$1 i kind order
	shift
	for ((i = 0; i < rounds; i++)); do
		order="without with"
		[ $((i % 2)) -eq 0 ] || order="with without"
		for kind in $order; do
			measure "$kind" "$@" >>"$base/$kind/$name"
		done
	done
	for kind in without with; do
		awk -v name="$name" -v kind="$kind" -v tps="$(median 1 <"$base/$kind/$name")" \
			-v us="$(median 2 <"$base/$kind/$name")" \
			'BEGIN { printf "%-13s %-8s %8.0f tps %8.1f us\n", name, kind, tps, us }'
	done
}

echo "PostgreSQL $version, $(nproc) processors, $rounds rounds of $seconds s, medians"
compare tpc-b -c 4 -j 2
compare single-row -c 4 -j 2 -f "$base/single.sql"
compare single-row-1 -c 1 -j 1 -f "$base/single.sql"
"$bin/psql" -qXAt -h "$base/with" -U postgres -c 'show pgha_fence.status' postgres
