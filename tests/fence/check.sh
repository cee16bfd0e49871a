#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# check.sh - the Postgres module against temporary servers of every version it was built for
#
# usage: check.sh    from the build directory, as `make check` does
#
# FENCE_PG_CONFIGS names a pg_config for each version. A version without a server to start, or a
# machine without pytest, is skipped, aloud.
set -u

here=$(cd "$(dirname "$0")" && pwd)
python=/usr/bin/python3
ran=0
failed=0

skip() {
	echo "SKIPPED: $1"
	exit 77
}

if [ -z "${FENCE_PG_CONFIGS:-}" ]; then
	skip "configured without pg_config: the Postgres module was not built"
fi
if ! "$python" -c 'import pytest, psycopg2' 2>/dev/null; then
	skip "pytest or psycopg2 is missing"
fi
if [ "$(id -u)" -eq 0 ] && ! id postgres >/dev/null 2>&1; then
	skip "run as root, and there is no user postgres to run a server as"
fi

for config in $FENCE_PG_CONFIGS; do
	version=$("$config" --version | sed -n 's/^PostgreSQL \([0-9]*\).*/\1/p')
	bindir=$("$config" --bindir)
	if [ ! -x "$bindir/postgres" ] || [ ! -x "$bindir/initdb" ]; then
		echo "SKIPPED: there is no server of version $version in '$bindir'"
		continue
	fi
	ran=$((ran + 1))
	echo "== PostgreSQL $version"
	FENCE_PG_CONFIG=$config FENCE_MODULE=src/fence/$version/pgha_fence.so \
		FENCE_PAGE=tests/fence/page PYTHONDONTWRITEBYTECODE=1 \
		"$python" -m pytest -q -rs -p no:cacheprovider "$here" || failed=1
done
if [ "$ran" -eq 0 ]; then
	skip "no server to test with"
fi
exit "$failed"
