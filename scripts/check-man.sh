#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# check-man.sh - the manual is well formed and leaves nothing out
#
# usage: check-man.sh [SRCDIR [BUILDDIR]]
#
#   form      every page is mdoc(7), clean under mandoc -T lint -W warning, and groff formats it without a
#             warning; the title names the page
#   programs  each built program has its page
#   commands  hactl(1) has a section for each command, and in it each option of the command
#   options   pghad(8) names every option of pghad --help
#
# That pgha.yml(5) names every key is for tests/unit/test_confkeys.c, which has the table itself.
#
# SRCDIR defaults to $srcdir, BUILDDIR to the working directory. Without mandoc the check is skipped, after
# the rest of it was made; with PGHA_TOOLS=required in the environment it has failed then.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
src=${1:-${srcdir:-$here/..}}
build=${2:-.}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/pgha-man.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
fail=0

fault() {
	echo "$*"
	fail=1
}

# The page as it would be typed: without macros, with hyphens for \-, and "Fl c , Fl \-force" as -c , --force.
plain() {
	sed 's/^\.\\".*//; s/\\-/-/g; s/\\&//g; s/^\.It //; s/^\.\([A-Z]\)/\1/; s/\(^\| \)Fl /\1-/g
		s/^[A-Z][a-z] //; s/"//g' "$1"
}

# has_word FILE WORD: not as a part of a longer one
has_word() {
	awk -v word="$2" '
	{
		rest = " " $0 " "
		while ((at = index(rest, word)) > 0) {
			before = substr(rest, at - 1, 1)
			after = substr(rest, at + length(word), 2)
			if (before !~ /[A-Za-z0-9_.-]/ && after !~ /^([A-Za-z0-9_-]|\.[a-z<])/)
				found = 1
			rest = substr(rest, at + length(word))
		}
	}
	END { exit !found }' "$1"
}

check_form() {
	for page in "$src"/man/*.[1-8]; do
		[ -e "$page" ] || continue
		pages=$((pages + 1))
		name=$(basename "$page")
		title=$(sed -n 's/^\.Dt \([^ ]*\) \([1-8]\)$/\1.\2/p' "$page")
		if [ "$(echo "$title" | tr '[:upper:]' '[:lower:]')" != "$name" ]; then
			fault "$name: the title line names '$title'"
		fi
		if ! grep -q '^\.Sh NAME$' "$page"; then
			fault "$name: no NAME section, so that man -k does not find it"
		fi
		if command -v groff >/dev/null; then
			groff -ww -mdoc -Tutf8 -Kutf8 "$page" 2>"$tmp/warnings" >/dev/null || fail=1
			if [ -s "$tmp/warnings" ]; then
				fault "$(cat "$tmp/warnings")"
			fi
		fi
		if [ -n "$mandoc" ]; then
			"$mandoc" -mdoc -T lint -W warning "$page" >"$tmp/warnings" || fail=1
			if [ -s "$tmp/warnings" ]; then
				fault "$(cat "$tmp/warnings")"
			fi
		fi
	done
}

check_programs() {
	for page in hactl.1 pghad.8; do
		if [ -x "$build/${page%.*}" ] && [ ! -e "$src/man/$page" ]; then
			fault "${page%.*} has no manual page: man/$page"
		fi
	done
}

# The options in a help text.
options_of() {
	sed -n 's/^  *\(-.*\)/\1/p' | sed 's/  .*//' | tr -s ' ,' '\n' | grep -E '^--?[A-Za-z]' |
		sort -u
}

# section_of PAGE HEADING NAME: what stands below one heading, up to the next
section_of() {
	sed 's/\\-/-/g' "$1" | awk -v heading="$2" -v want="$3" '
	/^\.S[sh]/ { on = $1 == heading && $2 == want }
	on' >"$tmp/raw"
	plain "$tmp/raw"
}

check_commands() {
	page=$src/man/hactl.1
	if [ ! -e "$page" ] || [ ! -x "$build/hactl" ]; then
		return 0
	fi
	"$build/hactl" --help >"$tmp/help"
	# These are explained once, not with each command.
	section_of "$page" .Sh OPTIONS >"$tmp/common"
	options_of <"$tmp/help" >"$tmp/options"
	while read -r option; do
		has_word "$tmp/common" "$option" || fault "hactl.1: nothing about $option"
	done <"$tmp/options"

	sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\)  *.*/\1/p' "$tmp/help" >"$tmp/commands"
	if [ ! -s "$tmp/commands" ]; then
		fault "no commands found in hactl --help"
	fi
	while read -r command; do
		section_of "$page" .Ss "$command" >"$tmp/section"
		if [ ! -s "$tmp/section" ]; then
			fault "hactl.1: no section about the command $command"
			continue
		fi
		cat "$tmp/common" >>"$tmp/section"
		"$build/hactl" "$command" --help | options_of >"$tmp/options"
		while read -r option; do
			has_word "$tmp/section" "$option" || fault "hactl.1: $command: nothing about $option"
		done <"$tmp/options"
	done <"$tmp/commands"
}

check_options() {
	page=$src/man/pghad.8
	if [ ! -e "$page" ] || [ ! -x "$build/pghad" ]; then
		return 0
	fi
	plain "$page" >"$tmp/page"
	"$build/pghad" --help | options_of >"$tmp/options"
	if [ ! -s "$tmp/options" ]; then
		fault "no options found in pghad --help"
	fi
	while read -r option; do
		has_word "$tmp/page" "$option" || fault "pghad.8: nothing about $option"
	done <"$tmp/options"
}

export LC_ALL=C
pages=0
mandoc=$(command -v "${MANDOC:-mandoc}" || true)
check_form
if [ "$pages" -eq 0 ]; then
	fault "no pages found in $src/man"
fi
check_programs
check_commands
check_options
if [ "$fail" -ne 0 ]; then
	echo "check-man: faults above" >&2
	exit 1
fi
if [ -z "$mandoc" ]; then
	echo "check-man: no mandoc here, the form of $pages pages is not checked" >&2
	[ "${PGHA_TOOLS:-}" != required ] || exit 1
	exit 77
fi
echo "check-man: $pages pages"
