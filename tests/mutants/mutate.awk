# SPDX-License-Identifier: PostgreSQL
#
# mutate - takes a safety rule out of a copy of the sources
#
# usage: awk -v out=DIR -f mutate.awk MUTANT SOURCE...
#
# Each block of the mutant replaces a text that has to stand exactly once in the sources. Prints
# the names of the changed files, which lie in DIR with '/' turned into '_'; with out="" it only looks.

FNR == 1 {
	file++
	path[file] = FILENAME
}

file == 1 && /^<<<<$/ { nblocks++; part = 1; next }
file == 1 && /^====$/ && part == 1 { part = 2; next }
file == 1 && /^>>>>$/ && part == 2 { part = 0; next }
file == 1 && part == 1 { old[nblocks] = old[nblocks] $0 "\n"; next }
file == 1 && part == 2 { new[nblocks] = new[nblocks] $0 "\n"; next }
file == 1 { next }

{ text[file] = text[file] $0 "\n" }

# How often `what` stands in `where`; the first place is left in `at`.
function count(what, where,    n, from, i)
{
	n = 0
	from = 1
	while ((i = index(substr(where, from), what)) > 0) {
		if (n++ == 0)
			at = from + i - 1
		from += i
	}
	return n
}

function apply(block,    i, n, total, found, place)
{
	total = 0
	for (i = 2; i <= file; i++) {
		n = count(old[block], text[i])
		if (n == 0)
			continue
		total += n
		found = i
		place = at
	}
	if (total != 1) {
		print path[1] ": block " block " stands " total " times in the sources, not once" \
			> "/dev/stderr"
		bad = 1
		return
	}
	text[found] = substr(text[found], 1, place - 1) new[block] \
		substr(text[found], place + length(old[block]))
	changed[found] = 1
}

END {
	if (nblocks == 0) {
		print path[1] ": no block" > "/dev/stderr"
		exit 1
	}
	for (b = 1; b <= nblocks; b++)
		apply(b)
	if (bad)
		exit 1
	for (i = 2; i <= file; i++) {
		if (!changed[i] || out == "")
			continue
		name = path[i]
		gsub("/", "_", name)
		printf "%s", text[i] > (out "/" name)
		close(out "/" name)
		print path[i], name
	}
}
