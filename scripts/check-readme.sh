#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# check-readme.sh - the numbers of README.md are those of doc/benchmarks.md, and its commands are there
#
# usage: check-readme.sh [SRCDIR]
#
# Of the table of what was measured: a number of milliseconds, of rows, of answers stands in the document
# as it is; seconds and megabytes may be rounded to a tenth. Numbers below 20 without a unit are terms and
# counts of rounds, and not looked at. Each ./scripts/... and file that is named exists.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
src=${1:-${srcdir:-$here/..}}
fail=0

awk -v readme="$src/README.md" '
function add(text,    n, parts, i) {
	gsub(/[^0-9.]+/, " ", text)
	n = split(text, parts, " ")
	for (i = 1; i <= n; i++) {
		sub(/\.$/, "", parts[i])
		if (parts[i] != "") {
			known[parts[i]] = 1
			values[++nvalues] = parts[i] + 0
		}
	}
}
# Is there a number that is this one times scale, to half of a tenth?
function rounded(number, scale,    i) {
	if (number in known)
		return 1
	for (i = 1; i <= nvalues; i++)
		if (values[i] >= 100 && values[i] >= (number - 0.051) * scale &&
		    values[i] <= (number + 0.051) * scale)
			return 1
	return 0
}
FILENAME != readme { add($0); next }
/^\|.*measured.*command/ { on = 1; next }
on && !/^\|/ { on = 0 }
on && !/^\|-/ {
	rest = $0
	sub(/\|[^|]*\|$/, "|", rest)
	gsub(/ttl [0-9]+( and [0-9]+)?|p99|loop_wait [0-9]+|[0-9]+\/[0-9]+\/[0-9]+/, "", rest)
	while (match(rest, /[0-9]+(\.[0-9]+)?( (ms|s|MB|kB)([ ,;|]|$))?/)) {
		word = substr(rest, RSTART, RLENGTH)
		rest = substr(rest, RSTART + RLENGTH)
		sub(/[ ,;|]+$/, "", word)
		number = word
		sub(/ .*/, "", number)
		if (word ~ / s/)
			good = rounded(number + 0, 1000) || (number ~ /^[0-9]+$/ && whole(number))
		else if (word ~ / MB/)
			good = rounded(number + 0, 1000) || rounded(number + 0, 1024)
		else
			good = word !~ / / && number + 0 < 20 || (number in known) || whole_ms(number)
		looked++
		if (!good) {
			printf "README.md:%d: %s is not in doc/benchmarks.md\n", FNR, word
			bad = 1
		}
	}
}
function whole(number,    i) {
	for (i = 1; i <= nvalues; i++)
		if (values[i] >= (number - 0.5) * 1000 && values[i] < (number + 0.5) * 1000)
			return 1
	return 0
}
function whole_ms(number,    i) {
	for (i = 1; i <= nvalues; i++)
		if (values[i] != int(values[i]) && values[i] >= number - 0.5 && values[i] < number + 0.5)
			return 1
	return 0
}
END {
	if (looked < 20) {
		print "README.md: the table of what was measured was not found"
		bad = 1
	}
	exit bad
}' "$src/doc/benchmarks.md" "$src/README.md" || fail=1

for path in $(grep -oE '(\./)?(scripts|packaging)/[A-Za-z0-9_./-]*[A-Za-z0-9]|\]\([A-Za-z0-9_./-]+\)' \
	"$src/README.md" | sed 's/^](//; s/)$//' | sort -u); do
	if [ ! -e "$src/$path" ]; then
		echo "README.md: there is no $path"
		fail=1
	fi
done
if [ "$fail" -ne 0 ]; then
	echo "check-readme: faults above" >&2
	exit 1
fi
echo "check-readme: in order"
