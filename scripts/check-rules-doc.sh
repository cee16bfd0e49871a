#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# check-rules-doc - doc/rules.md and man/pgha-rules.7 are what the rule table says
#
# With --write the two files are made anew. Runs in the build directory.
set -eu
top=${srcdir:-..}
if [ "${1:-}" = --write ]; then
	tests/rules/rules_doc >"$top/doc/rules.md"
	tests/rules/rules_doc --man >"$top/man/pgha-rules.7"
	exit 0
fi
tests/rules/rules_doc | diff -u "$top/doc/rules.md" - ||
	{ echo "doc/rules.md is old: run 'make rules-doc'"; exit 1; }
tests/rules/rules_doc --man | diff -u "$top/man/pgha-rules.7" - ||
	{ echo "man/pgha-rules.7 is old: run 'make rules-doc'"; exit 1; }
