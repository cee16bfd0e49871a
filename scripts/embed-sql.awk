# SPDX-License-Identifier: PostgreSQL
# Turns sql/*.sql into C: with -v want=h the declarations, with -v want=c the definitions.
#
# A file holds one statement behind a header of comments:
#   -- name - what it is for
#   -- in:     names of the parameters, comma separated, or "nothing"
#   -- out:    names of the columns, comma separated, or "nothing"
#   -- kind:   query | simple | replication | stream
#   -- oldest: 13
# A file that says something else than its text does, stops the build.

function fail(text)
{
	printf "%s: %s\n", file, text > "/dev/stderr"
	failed = 1
	exit 1
}

function count(list,    parts)
{
	return list == "nothing" ? 0 : split(list, parts, /, */)
}

function finish(    i, seen, name, highest)
{
	if (file == "")
		return
	name = file
	sub(/.*\//, "", name)
	sub(/\.sql$/, "", name)
	if (title != name)
		fail("the header names '" title "'")
	if (!("in" in head) || !("out" in head) || !("kind" in head) || !("oldest" in head))
		fail("the header must have in, out, kind and oldest")
	if (head["kind"] !~ /^(query|simple|replication|stream)$/)
		fail("unknown kind '" head["kind"] "'")
	if (head["oldest"] !~ /^[0-9]+$/)
		fail("oldest must be a major version")
	if (text == "")
		fail("there is no statement")
	if (sub(/;\\n$/, "", text) == 0 && head["kind"] !~ /^(replication|stream)$/)
		fail("the statement must end with a semicolon")
	sub(/\\n$/, "", text)
	highest = 0
	for (i = 1; i <= 9; i++)
		if (index(text, "$" i) > 0)
			highest = i
	if (head["kind"] == "query" && highest != count(head["in"]))
		fail("parameters in the text: " highest ", in the header: " count(head["in"]))
	if (want == "h") {
		printf "extern const struct sql sql_%s;\n", name
		return
	}
	printf "const struct sql sql_%s = {\n\t.name = \"%s\",\n\t.text = ", name, name
	while ((i = index(text, "\\n")) > 0) {
		printf "\"%s\"\n\t\t", substr(text, 1, i + 1)
		text = substr(text, i + 2)
	}
	printf "\"%s\",\n\t.kind = SQL_%s,\n", text, toupper(head["kind"])
	printf "\t.nparams = %d,\n\t.ncolumns = %d,\n", count(head["in"]), count(head["out"])
	printf "\t.oldest_version = %d,\n};\n", head["oldest"] * 10000
}

BEGIN {
	print "/* Made by scripts/embed-sql.awk from sql/. Not to be edited. */"
	if (want == "h") {
		print "#ifndef PGHA_IO_SQLTEXT_H\n#define PGHA_IO_SQLTEXT_H\n"
		print "#include \"io/sql.h\"\n"
	} else {
		print "#include \"io/sqltext.h\"\n"
	}
}

FNR == 1 {
	finish()
	file = FILENAME
	text = title = key = ""
	delete head
}

/^-- SPDX/ { next }

title == "" && /^-- [a-z_]+ - / {
	title = $2
	next
}

text == "" && /^-- (in|out|kind|oldest):/ {
	key = substr($2, 1, length($2) - 1)
	sub(/^-- [a-z]+: */, "")
	head[key] = $0
	next
}

# A list that goes on in the next line is indented.
text == "" && /^--         / && key != "" {
	sub(/^-- */, "")
	head[key] = head[key] " " $0
	next
}

/^--/ || /^$/ { next }

{
	gsub(/\\/, "\\\\&")
	gsub(/"/, "\\\"")
	gsub(/\t/, "\\t")
	text = text $0 "\\n"
}

END {
	if (failed)
		exit 1
	finish()
	if (want == "h")
		print "\n#endif"
}
