#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# check-hardening.sh - the programs and modules that were linked are hardened
#
# usage: check-hardening.sh [FILE...]
#
#   pie        a program can be loaded anywhere
#   relro now  what the dynamic linker writes is read-only before the program begins
#   stack      is not executable, and functions with arrays guard their return address
#   fortify    libc's calls check the size of what they write to
#   textrel    no code is written to when it is loaded
#
# Without files: the programs and modules of the working directory. That a program calls one
# guarded function shows that the compiler was told; configure tells it the same for all files.
# Exits with 77, skipped, where there is no readelf, or the build is one with sanitizers, without
# optimisation, or not ELF's.
set -eu

export LC_ALL=C
fail=0
count=0

fault() {
	echo "$1: $2"
	fail=1
}

if ! command -v readelf >/dev/null; then
	echo "check-hardening: no readelf"
	exit 77
fi
if [ $# -eq 0 ]; then
	for file in pghad pgha-guard hactl src/fence/[0-9]*/pgha_fence.so; do
		if [ -f "$file" ]; then
			set -- "$@" "$file"
		fi
	done
	if [ $# -eq 0 ]; then
		echo "check-hardening: nothing was built here"
		exit 1
	fi
	# Sanitizers take the place of all this.
	if readelf -W --dyn-syms "$1" | grep -q '__\(asan\|ubsan\)_'; then
		echo "check-hardening: a build with sanitizers"
		exit 77
	fi
	if [ -f Makefile ] && ! grep -q '^CFLAGS = .*-O[123s]' Makefile; then
		echo "check-hardening: a build without optimisation"
		exit 77
	fi
fi

check() {
	header=$(readelf -Wh "$1")
	segments=$(readelf -Wl "$1")
	dynamic=$(readelf -Wd "$1")
	symbols=$(readelf -W --dyn-syms "$1")

	case $header in
	*'DYN ('*) ;;
	*) fault "$1" "not position independent" ;;
	esac
	case $1 in
	*.so) ;;
	*) echo "$dynamic" | grep -q 'FLAGS_1.*PIE' || fault "$1" "no PIE" ;;
	esac
	echo "$segments" | grep -q 'GNU_RELRO' || fault "$1" "no RELRO"
	echo "$dynamic" | grep -q 'BIND_NOW\|FLAGS_1.*NOW' || fault "$1" "no BIND_NOW"
	echo "$segments" | grep -q 'GNU_STACK.* RW ' || fault "$1" "an executable stack"
	if echo "$dynamic" | grep -q 'TEXTREL'; then
		fault "$1" "relocations in its code"
	fi
	echo "$symbols" | grep -q '__stack_chk_fail' || fault "$1" "no stack protector"
	echo "$symbols" | grep -q '_chk\(@\|$\)' || fault "$1" "no fortified calls"
}

for file; do
	check "$file"
	count=$((count + 1))
done
if [ "$fail" -ne 0 ]; then
	echo "check-hardening: faults above" >&2
	exit 1
fi
echo "check-hardening: $count files"
