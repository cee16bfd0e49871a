#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# check-completion.sh - the shells complete what hactl understands
#
# usage: check-completion.sh [SRCDIR [BUILDDIR]]
#
#   syntax   each script is one that its shell reads. Where a shell is missing the check is skipped,
#            after the rest of it was made; with PGHA_TOOLS=required it has failed then
#   bash     the function is run as bash runs it, and its replies are looked at
#   table    every command and every option of every --help is offered
#
# The shells with a terminal, members and clusters: see tests/cli/test_completion.py. BUILDDIR defaults to the working directory.
set -euo pipefail

build=${2:-.}
if [ ! -x "$build/hactl" ]; then
	echo "check-completion: no hactl in $build"
	exit 77
fi
build=$(cd "$build" && pwd)
tmp=$(mktemp -d "${TMPDIR:-/tmp}/pgha-completion.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
# Neither the configuration of this host nor a cluster takes part.
export HOME=$tmp XDG_CONFIG_HOME=$tmp HACTL_CONFIG=$tmp/hactl.yml
echo 'scope: nowhere' >"$tmp/hactl.yml"
fail=0

fault() {
	echo "$*"
	fail=1
}

for shell in bash zsh fish; do
	"$build/hactl" completion "$shell" >"$tmp/$shell"
	if ! command -v "$shell" >/dev/null; then
		missing="${missing:-} $shell"
	elif ! "$shell" -n "$tmp/$shell"; then
		fault "$shell does not read its script"
	fi
done

PATH=$build:$PATH
# shellcheck source=/dev/null
. "$tmp/bash"

# replies LINE: what bash would offer at its end, in $got. Words are split as bash splits them.
replies() {
	COMP_LINE=$1
	COMP_POINT=${#1}
	COMP_WORDS=()
	local rest=$1 pattern='^([^[:space:]=:]+|[=:]+)(.*)$'
	while rest=${rest#"${rest%%[![:space:]]*}"} && [[ $rest =~ $pattern ]]; do
		COMP_WORDS+=("${BASH_REMATCH[1]}")
		rest=${BASH_REMATCH[2]}
	done
	if [[ $1 == *[[:space:]] ]]; then
		COMP_WORDS+=("")
	fi
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	COMPREPLY=()
	_hactl
	got="${COMPREPLY[*]-}"
}

# expect LINE REPLIES: these and no others, in this order
expect() {
	replies "$1"
	if [ "$got" != "$2" ]; then
		fault "'$1' completes to '$got', not to '$2'"
	fi
}

# expect_among LINE REPLY...: these and others
expect_among() {
	local line=$1 word
	shift
	replies "$line"
	for word in "$@"; do
		if [[ " $got " != *" $word "* ]]; then
			fault "'$line' completes to '$got', without '$word'"
		fi
	done
}

expect 'hactl sw' 'switchover'
expect 'hactl -k sw' 'switchover'
expect 'hactl -d etcd3://127.0.0.1:1/ns sw' 'switchover'
expect 'hactl re' 'resume restart reload reinit remove'
expect_among 'hactl ' list topology explain completion
expect_among 'hactl -' --config-file --dcs-url --insecure --help --version
expect 'hactl restart c --ro' '--role'
expect 'hactl restart c --role st' 'standby-leader standby'
expect 'hactl restart c --role=st' 'standby-leader standby'
expect 'hactl restart c --role=' 'leader primary standby-leader replica standby any'
expect 'hactl restart c -r re' 'replica'
expect 'hactl list -f y' 'yaml yml'
expect 'hactl list --format=' 'pretty tsv json yaml yml'
expect 'hactl completion ' 'bash zsh fish'
expect 'hactl completion bash ' ''
expect 'hactl dcs ' 'accept'
expect 'hactl proxy-config h' 'haproxy'
expect 'hactl flush c s' 'switchover'
expect 'hactl nosuch ' ''
expect 'hactl nosuch --f' ''
# What was given once is not offered again, unless it may be given again.
expect 'hactl restart c --pending --pe' ''
expect 'hactl edit-config --set ttl=3 --se' '--set'
# Behind -- there are no options.
expect 'hactl restart -- --fo' ''
# Files, also of an option that holds its value behind '='.
touch "$tmp/one.yml" "$tmp/two.yml"
expect "hactl -c $tmp/o" "$tmp/one.yml"
expect "hactl edit-config --apply=$tmp/t" "$tmp/two.yml"
expect "hactl migrate check $tmp/one.yml $tmp/t" "$tmp/two.yml"

# The whole table.
"$build/hactl" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\)  *.*/\1/p' >"$tmp/commands"
while read -r command; do
	expect_among "hactl $command" "$command"
	"$build/hactl" "$command" --help | sed '1,/^Options:/d' | sed -n 's/^  \(-.*\)/\1/p' |
		sed 's/  .*//' >"$tmp/options"
	# The first spelling is the last one of the help: "-c, --config-file FILE"
	while read -r line; do
		option=$(tr -s ' ,' '\n' <<<"$line" | grep -E '^--?[A-Za-z]' | tail -1)
		expect_among "hactl $command -" "$option"
	done <"$tmp/options"
done <"$tmp/commands"

if [ "$fail" -ne 0 ]; then
	echo "check-completion: faults above" >&2
	exit 1
fi
if [ -n "${missing:-}" ]; then
	echo "check-completion: not here, so that their scripts were not read:$missing" >&2
	[ "${PGHA_TOOLS:-}" != required ] || exit 1
	exit 77
fi
echo "check-completion: $(wc -l <"$tmp/commands") commands"
