#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# check-dist.sh - the distribution holds what the repository holds, and nothing by accident
#
# usage: check-dist.sh ARCHIVE.tar.xz    run from anywhere; compares with git's list of files
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
archive=$1
tmp=$(mktemp -d "${TMPDIR:-/tmp}/pgha-dist.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

# The owner of a clone need not be who runs this.
if ! git -c safe.directory='*' -C "$top" ls-files >"$tmp/all" 2>"$tmp/why"; then
	echo "check-dist: $top is no git clone, nothing to compare with"
	exit 0
fi

# What only a clone needs.
grep -Ev '(^|/)\.(git|ci|clang-|editorconfig)' "$tmp/all" | LC_ALL=C sort >"$tmp/wanted"

# What autoreconf adds.
tar -tf "$archive" | sed 's|^[^/]*/||' | grep -Ev '(/|^)$' |
	grep -Ev '^(Makefile\.in|aclocal\.m4|config\.h\.in|configure|build-aux/.*)$' |
	LC_ALL=C sort >"$tmp/there"

LC_ALL=C comm -23 "$tmp/wanted" "$tmp/there" | sed 's/^/left out: /' >"$tmp/faults"
LC_ALL=C comm -13 "$tmp/wanted" "$tmp/there" | sed 's/^/not in git: /' >>"$tmp/faults"
if [ -s "$tmp/faults" ]; then
	cat "$tmp/faults"
	echo "check-dist: list files in EXTRA_DIST or in the sources of what needs them" >&2
	exit 1
fi
echo "check-dist: $(wc -l <"$tmp/there") files"
