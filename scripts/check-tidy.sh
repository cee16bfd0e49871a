#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# check-tidy.sh - runs tidy.awk over the tree
#
# usage: check-tidy.sh [SRCDIR]    SRCDIR defaults to $srcdir, then to the parent of this script
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-${srcdir:-$here/..}}"

# Sorted, so that two runs can be compared. Build directories are never below these.
set --
for dir in src tests scripts sql man doc packaging; do
	if [ -d "$dir" ]; then
		set -- "$@" "$dir"
	fi
done
list=$(find "$@" \( -name __pycache__ -o -name .pytest_cache \) -prune -o -type f \
	\( -name '*.[ch]' -o -name '*.sh' -o -name '*.awk' -o -name '*.py' -o -name '*.mk' \
	-o -name '*.sql' -o -name '*.[1-8]' -o -name '*.md' \
	-o -path 'scripts/*' ! -name '*.*' \) -print | LC_ALL=C sort)

# A build in the source tree puts what scripts made beside what people wrote. awk and not grep -L,
# whose exit code says something else in each version.
list=$(echo "$list" | xargs awk '
	FNR == 1 && !/^\/\* Made by scripts\/.* Not to be edited\. \*\/$/ { print FILENAME }')
list="$list Makefile.am configure.ac"

count=$(echo "$list" | wc -w)
if [ "$count" -lt 3 ]; then
	echo "check-tidy: no files found below $(pwd)" >&2
	exit 1
fi

# What no room.mk names is not in the archive, nor does anybody build it.
rooms=$(echo "$list" | xargs -n 1 | grep -e '[.]mk$' -e '^Makefile.am$')
# File names of this tree hold no blanks. shellcheck disable=SC2086
"${AWK:-awk}" '
	FILENAME ~ /[.]mk$|^Makefile.am$/ { for (i = 1; i <= NF; i++) named[$i] = 1; next }
	/^(src|tests)\/.*[.]([ch]|py)$/ && !($0 in named) { print $0 ": no room.mk names it"; bad = 1 }
	END { exit bad }' $rooms - <<END || exit 1
$(echo "$list" | xargs -n 1)
END

# shellcheck disable=SC2086
LC_ALL=C "${AWK:-awk}" -f "$here/tidy.awk" $list || {
	echo "check-tidy: faults above" >&2
	exit 1
}
echo "check-tidy: $count files in order"
