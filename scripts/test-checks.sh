#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# test-checks.sh - proves that the checkers find what they look for
#
# A checker that finds nothing looks like a tree in order. So a small tree in order must pass,
# and with each single fault planted in it the checker must fail and name the fault.
#
# usage: test-checks.sh [SRCDIR]
set -eu

here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d "${TMPDIR:-/tmp}/pgha-checks.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
cc=${CC:-cc}
cases=0
bad=0

# expect OUTCOME WHAT TEXT: the last run ended as it should, and said TEXT.
expect() {
	cases=$((cases + 1))
	if [ "$1" = pass ] && [ "$status" -eq 0 ]; then
		return
	fi
	if [ "$1" = fail ] && [ "$status" -ne 0 ] && grep -qF -e "$3" "$tmp/out"; then
		return
	fi
	bad=$((bad + 1))
	echo "NOT FOUND: $2 (exit $status), wanted: $1 $3"
	sed 's/^/    /' "$tmp/out"
}

run() {
	status=0
	"$@" >"$tmp/out" 2>&1 || status=$?
}

# --- tidy ---

clean_c() {
	cat <<'END'
/* SPDX-License-Identifier: PostgreSQL */
/*
 * sample - a file in order
 *
 * It may speak of goto, sprintf() and // in a comment.
 */
#include <fcntl.h>

typedef int (*sample_fn)(int a);

static const char *const text = "http://x, sprintf(a) and \" goto fail;";

int sample(const char *path, int a,
           int b)
{
	char quote = '"'; /* sleep(1) */

	if (a > b && quote && port->open(text))
		return timeout(time_left(a));
	return open(path,
		    O_RDONLY | O_CLOEXEC);
}
END
}

run_tidy() {
	run env LC_ALL=C "${AWK:-awk}" -f "$here/tidy.awk" "$@"
}

# tidy_finds WHAT MESSAGE LINE: LINE in the body of a function is found.
tidy_finds() {
	clean_c | awk -v line="$3" '{ print } /^\{/ { print line }' >"$tmp/src/sample.c"
	run_tidy "$tmp/src/sample.c"
	expect fail "tidy: $1" "$2"
}

tidy_allows() {
	clean_c | awk -v line="$2" '{ print } /^\{/ { print line }' >"$tmp/src/sample.c"
	run_tidy "$tmp/src/sample.c"
	expect pass "tidy allows $1" ""
}

# lines COUNT TEXT
lines() {
	awk -v n="$1" -v text="$2" 'BEGIN { for (i = 0; i < n; i++) print text }'
}

test_tidy() {
	mkdir -p "$tmp/src/io" "$tmp/tests"
	clean_c >"$tmp/src/sample.c"
	run_tidy "$tmp/src/sample.c"
	expect pass "tidy: a file in order" ""

	for word in strcpy strcat sprintf strtok atoi strtol system popen fork sleep usleep exit; do
		tidy_finds "$word" "call of $word()" "	$word(a);"
		tidy_finds "$word behind a blank" "call of $word()" "	b = 2 + $word (a);"
	done
	tidy_allows "longer names" '	my_exit(a); exits(b); x.system(c); p->fork(d); _exit(1);'
	tidy_finds "clock" "only io/loop.c reads a clock" '	clock_gettime(CLOCK_BOOTTIME, &ts);'
	tidy_finds "time" "only io/loop.c reads a clock" '	now = time(NULL);'
	tidy_finds "goto" "goto" '	goto out;'
	tidy_finds "// comment" "// comment" '	a = b; // why'
	tidy_finds "// after a string" "// comment" '	a = "//"; // why'
	tidy_finds "code after a comment" "call of exit()" '	/* a */ exit(1); /* b */'
	tidy_finds "unfinished" "unfinished work" "	/* TO""DO: later */"
	tidy_finds "unfinished" "unfinished work" "	/* FIX""ME */"
	tidy_finds "trailing blank" "trailing blank" '	a = b; '
	tidy_finds "blank before tab" "blank before a tab" ' 	a = b;'
	tidy_finds "open" "open() without CLOEXEC" '	fd = open(path, O_RDONLY);'
	tidy_finds "openat" "openat() without CLOEXEC" '	if (x && (fd = openat(d, path, 0)) < 0)'
	tidy_finds "socket" "socket() without CLOEXEC" '	fd = socket(AF_INET, SOCK_STREAM, 0);'
	tidy_finds "second call" "socket() without CLOEXEC" \
		'	a = open(p, O_CLOEXEC); b = x(y) + f(socket(AF_INET, SOCK_STREAM, 0));'
	tidy_finds "fopen" "fopen() without" '	f = fopen(path, "r");'
	tidy_allows "fopen with e" '	f = fopen(path, "re");'
	tidy_finds "pipe" "call of pipe()" '	pipe(fds);'

	long=$(awk 'BEGIN { for (i = 0; i < 93; i++) printf "a" }')
	tidy_finds "101 columns" "more than 100 columns" "	$long"
	tidy_allows "100 columns" "	${long%a}"

	{ clean_c; echo 'typedef struct sample sample_t;'; } >"$tmp/src/sample.c"
	run_tidy "$tmp/src/sample.c"
	expect fail "tidy: typedef" "typedef"

	{ clean_c; echo '    int a;'; } >"$tmp/src/sample.c"
	run_tidy "$tmp/src/sample.c"
	expect fail "tidy: blanks" "indented with blanks"

	{ clean_c; echo 'void f(void)'; echo '{'; lines 68 '	a();'; echo '}'; } >"$tmp/src/sample.c"
	run_tidy "$tmp/src/sample.c"
	expect pass "tidy: 70 lines" ""
	{ clean_c; echo 'void f(void)'; echo '{'; lines 69 '	a();'; echo '}'; } >"$tmp/src/sample.c"
	run_tidy "$tmp/src/sample.c"
	expect fail "tidy: 71 lines" "function of more than"

	{ clean_c; lines 750 ''; } >"$tmp/src/sample.c"
	run_tidy "$tmp/src/sample.c" "$tmp/src/sample.c"
	expect fail "tidy: long file" "file of more than"

	for line in 1 2 3; do
		clean_c | sed "${line}s/.*/\/* other *\//" >"$tmp/src/sample.c"
		run_tidy "$tmp/src/sample.c"
		expect fail "tidy: head line $line" "line must"
	done
	clean_c | sed 's/sample - /loop - /; s/return timeout.*/clock_gettime(0, a);/' >"$tmp/src/io/loop.c"
	run_tidy "$tmp/src/io/loop.c"
	expect pass "tidy: io/loop.c may read the clock" ""

	printf '# FIX''ME\n' >"$tmp/src/room.mk"
	run_tidy "$tmp/src/room.mk"
	expect fail "tidy: marks elsewhere" "unfinished work"

	mkdir -p "$tmp/src/nothing"
	run "$here/check-tidy.sh" "$tmp/src/nothing"
	expect fail "tidy: an empty tree" ""

	mkdir -p "$tmp/named/src"
	echo 'x_SOURCES = src/sample.c' >"$tmp/named/Makefile.am"
	: >"$tmp/named/configure.ac"
	for name in sample other; do clean_c | sed "s/sample/$name/" >"$tmp/named/src/$name.c"; done
	run "$here/check-tidy.sh" "$tmp/named"
	expect fail "tidy: a file that is not in the archive" "src/other.c: no room.mk names it"
}

# --- layers ---

# write FILE: a C file of the little tree from standard input
write() {
	mkdir -p "$(dirname "$tmp/tree/$1")"
	cat >"$tmp/tree/$1"
}

# The little tree in order, built once into $tmp/order.
make_order() {
	for room in base core wire agent io cli; do
		write "src/$room/$room.h" <<END
#include <stddef.h>
int ${room}_size(const char *s);
END
		write "src/$room/$room.c" <<END
#include "$room/$room.h"
#include <string.h>
int ${room}_size(const char *s) { return (int)strlen(s); }
END
	done
	write src/base/log.h </dev/null
	write src/base/leasepage.h </dev/null
	write src/base/more.c <<'END'
#include <stdlib.h>
char *str_dup(const char *s);
char *str_dup(const char *s) { return s ? malloc(9) : NULL; }
END
	write src/jansson.h <<'END'
typedef struct json json_t;
END
	write src/wire/use.c <<'END'
#include "core/core.h"
#include "base/base.h"
#include <jansson.h>
json_t *json_null(void);
int wire_use(void);
int wire_use(void) { return core_size("") + base_size("") + (json_null() != NULL); }
END
	for file in "$tmp/tree/src"/*/*.c; do
		build "$file"
	done
	mv "$tmp/tree" "$tmp/order"
}

# Compiles one file into the library of its room.
build() {
	room=$(basename "$(dirname "$1")")
	$cc -O1 -I"$tmp/tree/src" -c "$1" -o "${1%.c}.o" &&
		${AR:-ar} cr "$tmp/tree/src/lib$room.a" "${1%.c}.o"
}

run_layers() {
	run env CPPFLAGS="-I$tmp/tree/src" "$here/check-layers.sh" "$tmp/tree" "$tmp/tree"
}

make_tree() {
	rm -rf "$tmp/tree"
	cp -R "$tmp/order" "$tmp/tree"
}

# layers_find WHAT MESSAGE FILE: the file from standard input, put into the tree, is found out.
layers_find() {
	make_tree
	write "$3"
	case $3 in
	*.c) build "$tmp/tree/$3" ;;
	esac
	run_layers
	expect fail "layers: $1" "$2"
}

test_layers() {
	make_order
	make_tree
	run_layers
	expect pass "layers: a tree in order" ""

	layers_find "include upwards" "room core may not include wire/wire.h" src/core/bad.c <<'END'
#include "wire/wire.h"
END
	layers_find "include upwards from base" "room base may not include core/core.h" src/base/bad.h <<'END'
#include "core/core.h"
END
	layers_find "core that logs" "room core may not include base/log.h" src/core/bad.c <<'END'
#include "base/log.h"
END
	layers_find "cli beside io/http and io/etcd" "room cli may not include io/io.h" src/cli/bad.c <<'END'
#include "io/io.h"
END
	layers_find "curl in agent" "room agent may not include curl/curl.h" src/agent/bad.c <<'END'
#if 0
#include <curl/curl.h>
#endif
END
	layers_find "jansson in io" "room io may not include jansson.h" src/io/bad.c <<'END'
#include <jansson.h>
END
	layers_find "a library nobody knows" "neither libc nor one of our" src/io/bad.c <<'END'
#if 0
#include <boost/any.hpp>
#endif
END
	layers_find "two libraries in a file" "one external library a file" src/io/bad.c <<'END'
#if 0
#include <curl/curl.h>
#include <libpq-fe.h>
#endif
END
	make_tree
	write src/io/bad.h </dev/null
	write src/io/bad.c <<'END'
#include <stddef.h>
#include "io/bad.h"
END
	build "$tmp/tree/src/io/bad.c"
	run_layers
	expect fail "layers: own header late" "its own header io/bad.h must come first"
	layers_find "a room nobody knows" "room attic is not in the list" src/attic/bad.h <<'END'
#include <stddef.h>
END
	layers_find "header that needs another" "does not compile alone" src/io/bad.h <<'END'
static inline size_t bad(void) { return 1; }
END
	layers_find "malloc in core" "src/core/bad: may not use malloc" src/core/bad.c <<'END'
#include <stdlib.h>
void *bad(void); void *bad(void) { return malloc(77); }
END
	layers_find "clock in core" "may not use time" src/core/bad.c <<'END'
#include <time.h>
long bad(void); long bad(void) { return time(NULL); }
END
	layers_find "output in core" "src/core/bad: may not use" src/core/bad.c <<'END'
#include <stdio.h>
void bad(int); void bad(int a) { printf("%d %d\n", a, a); }
END
	layers_find "reading in wire" "may not use read" src/wire/bad.c <<'END'
#include <unistd.h>
long bad(char *); long bad(char *a) { return read(0, a, 1); }
END
	layers_find "a clock in io" "may not use clock_gettime" src/io/bad.c <<'END'
#include <time.h>
int bad(void); int bad(void) { struct timespec ts; return clock_gettime(CLOCK_BOOTTIME, &ts); }
END
	layers_find "a thread" "may not use pthread_create" src/io/bad.c <<'END'
int pthread_create(void); int bad(void); int bad(void) { return pthread_create(); }
END
	layers_find "call upwards without an include" "room io, which is not below it" src/agent/bad.c <<'END'
int io_size(const char *); int bad(void); int bad(void) { return io_size(""); }
END
	layers_find "a global" "src/io/bad: writable data counter" src/io/bad.c <<'END'
int counter; int bad(void); int bad(void) { return ++counter; }
END
	layers_find "a static inside a function" "src/wire/bad: writable data calls" src/wire/bad.c <<'END'
int bad(void); int bad(void) { static int calls = 3; return ++calls; }
END
	layers_find "core allocates by way of base" "may not call str_dup() of room base" \
		src/core/bad.c <<'END'
char *str_dup(const char *); char *bad(void); char *bad(void) { return str_dup("x"); }
END
	run env CPPFLAGS="-I$tmp/tree/src" "$here/check-layers.sh" "$tmp/tree" "$tmp/src"
	expect fail "layers: nothing built" "no symbols found"
}

# --- man ---

make_manual() {
	rm -rf "$tmp/tree"
	mkdir -p "$tmp/tree/man"
	cat >"$tmp/tree/man/hactl.1" <<'END'
.Dd November 22, 2026
.Dt HACTL 1
.Os pgha
.Sh NAME
.Nm hactl
.Nd control
.Sh OPTIONS
.Bl -tag -width Ds
.It Fl h , Fl \-help
Help.
.El
.Sh COMMANDS
.Ss list
.Bl -tag -width Ds
.It Fl e , Fl \-extended
More.
.El
.Ss show\-config
Shows it.
END
	cat >"$tmp/tree/hactl" <<'END'
#!/bin/sh
case $1 in
list) printf 'Options:\n  -e, --extended  More.\n  -h, --help  Help.\n' ;;
show-config) ;;
*) printf 'Options:\n  -h, --help  Help.\n\nCommands:\n  list  A.\n  show-config  B.\n\nEnd\n' ;;
esac
END
	sed 's/HACTL 1/PGHAD 8/; s/extended/check/' "$tmp/tree/man/hactl.1" >"$tmp/tree/man/pghad.8"
	printf '#!/bin/sh\necho "  --check FILE  Check."\n' >"$tmp/tree/pghad"
	chmod +x "$tmp/tree/hactl" "$tmp/tree/pghad"
}

# man_finds WHAT MESSAGE FILE SED-SCRIPT
man_finds() {
	make_manual
	sed -i "$4" "$tmp/tree/$3"
	run "$here/check-man.sh" "$tmp/tree" "$tmp/tree"
	expect fail "man: $1" "$2"
}

test_man() {
	make_manual
	if command -v mandoc >/dev/null; then
		run "$here/check-man.sh" "$tmp/tree" "$tmp/tree"
		expect pass "man: a manual in order" ""
		man_finds "a list without an end" "inserting missing end of block" man/hactl.1 '/^.El/d'
		make_manual
	fi
	run env MANDOC=nosuch PGHA_TOOLS=required "$here/check-man.sh" "$tmp/tree" "$tmp/tree"
	expect fail "man: no mandoc where it is required" "no mandoc here"
	if command -v groff >/dev/null; then
		man_finds "a macro nobody knows" "NOPE" man/hactl.1 '3a .NOPE'
	fi
	man_finds "a title of another page" "the title line names" man/hactl.1 's/HACTL 1/HACTL 8/'
	man_finds "no name" "no NAME section" man/hactl.1 's/Sh NAME/Sh NAMES/'
	man_finds "a common option" "nothing about --help" man/hactl.1 's/help/halp/'
	man_finds "an option of a command" "list: nothing about --extended" man/hactl.1 's/xtend/xt/'
	man_finds "a longer option" "list: nothing about --extended" man/hactl.1 's/extended/extended-x/'
	man_finds "a command" "no section about the command list" man/hactl.1 's/Ss list/Ss lists/'
	man_finds "a help without commands" "no commands found" hactl 's/Commands/Others/'
	man_finds "an option of the agent" "pghad.8: nothing about --check" man/pghad.8 's/check/chuck/'
	make_manual
	rm "$tmp/tree/man/pghad.8"
	run "$here/check-man.sh" "$tmp/tree" "$tmp/tree"
	expect fail "man: no page for a program" "pghad has no manual page"
	rm "$tmp/tree/man"/*
	run "$here/check-man.sh" "$tmp/tree" "$tmp/tree"
	expect fail "man: no pages at all" "no pages found"
}

# --- readme ---

readme_finds() {
	make_readme
	sed "$4" "$tmp/tree/$3" >"$tmp/changed" && cp "$tmp/changed" "$tmp/tree/$3"
	run "$here/check-readme.sh" "$tmp/tree"
	expect fail "readme: $1" "$2"
}

make_readme() {
	rm -rf "$tmp/tree"
	mkdir -p "$tmp/tree/doc" "$tmp/tree/scripts"
	cp "$here/../doc/benchmarks.md" "$tmp/tree/doc/"
	: >"$tmp/tree/scripts/bench"
	{
		echo "[numbers](doc/benchmarks.md) by ./scripts/bench"
		sed -n '/^| measured/,/^$/p' "$here/../README.md" | sed 's/scripts\/faults/faults/g'
	} >"$tmp/tree/README.md"
}

test_readme() {
	make_readme
	run "$here/check-readme.sh" "$tmp/tree"
	expect pass "readme: one in order" ""
	readme_finds "another number of rows" "is not in doc/benchmarks.md" README.md 's/2185239/2185238/'
	readme_finds "another time" "777.7 s is not in" README.md 's/| [0-9.]* s |/| 777.7 s |/'
	answers=$(sed -n 's/.*connections kept | \([0-9]*\) a second.*/\1/p' "$tmp/tree/README.md")
	readme_finds "a number that was measured again" "is not in doc" doc/benchmarks.md \
		"s/$answers/60001/g"
	readme_finds "no table" "was not found" README.md '/^|/d'
	readme_finds "a script that is gone" "there is no ./scripts/gone" README.md 's/scripts\/bench/scripts\/gone/'
	readme_finds "a file that is gone" "there is no doc/x.md" README.md 's/(doc\/benchmarks.md/(doc\/x.md/'
}

# --- failures ---

# told FORM WHAT LINE: the digest of $tmp/log has that whole line.
told() {
	run env LC_ALL=C "${AWK:-awk}" -v form="$1" -f "$here/failures.awk" "$tmp/log"
	grep -qxF -e "$3" "$tmp/out" || status=1
	expect pass "failures: $2" ""
}

# untold FORM WHAT TEXT: nothing like it.
untold() {
	run env LC_ALL=C "${AWK:-awk}" -v form="$1" -f "$here/failures.awk" "$tmp/log"
	! grep -qF -e "$3" "$tmp/out" || status=1
	expect pass "failures: $2" ""
}

test_failures() {
	{
		echo "== tests/io/one"
		echo "x.c:3: failed: of a program that came to a good end"
		echo "== tests/io/two"
		lines 100 "much before"
		echo "y.c:7: failed: a == b"
		echo "   a is 5"
		lines 100 "much after"
		echo "FAILED tests/io/two"
		echo "== tests/io/three"
		lines 50 "said long ago"
		lines 15 "said at last"
		echo "FAILED tests/io/three"
		echo "check-io: 1 programs passed, 2 failed"
	} >"$tmp/log"
	told io "a program that failed" "FAILED tests/io/two"
	told io "the check in the middle of its output" "   y.c:7: failed: a == b"
	told io "what stands below it" "      a is 5"
	told io "a program that says nothing of a check" "FAILED tests/io/three"
	told io "its last words" "   said at last"
	untold io "no more than them" "said long ago"
	untold io "nothing of a program that passed" "x.c"

	cat >"$tmp/log" <<-'END'
	tests/e2e/test_a.py::test_one PASSED [ 50%]
	tests/e2e/test_a.py::test_two FAILED [100%]
	=================================== FAILURES ===================================
	___________________________________ test_two ___________________________________

	    def test_two(cluster):
	        old = cluster.leader()
	>       assert old is None
	E       AssertionError: it is n1

	tests/e2e/test_a.py:12: AssertionError
	----------------------------- Captured stdout call -----------------------------
	what was measured
	----------------------------- Captured stderr call -----------------------------
	noise of a server
	-------------------- pghad of n1, all in /tests/e2e/out/two --------------------
	2026-11-21 WARNING: long ago
	2026-11-21 DEBUG: situation
	END
	{
		lines 11 "2026-11-21 INFO: then"
		echo "2026-11-21 INFO: at last"
		echo "============================= slowest durations ============================="
		echo "1.00s call tests/e2e/test_a.py::test_one"
		echo "=========================== short test summary info ========================="
		echo "FAILED tests/e2e/test_a.py::test_two - AssertionError: it is n1"
		echo "========================= 1 failed, 1 passed in 2.00s ======================="
	} >>"$tmp/log"
	told pytest "a test that failed" "FAILED test_two"
	told pytest "the line it failed at" "   >       assert old is None"
	told pytest "why" "   E       AssertionError: it is n1"
	told pytest "where" "   tests/e2e/test_a.py:12: AssertionError"
	told pytest "what it measured" "   what was measured"
	told pytest "whose log follows" "   -- pghad of n1, all in /tests/e2e/out/two"
	told pytest "the end of that log" "   2026-11-21 INFO: at last"
	told pytest "the file of the test" \
		"FAILED tests/e2e/test_a.py::test_two - AssertionError: it is n1"
	untold pytest "no source of the test" "def test_two"
	untold pytest "nothing of the servers" "noise"
	untold pytest "no old lines of the agent" "long ago"
	untold pytest "no details of the agent" "situation"
	untold pytest "no durations" "1.00s"

	{
		lines 200 "  CC       a.o"
		echo "src/b.c:5:1: error: expected ';'"
		lines 200 "  CC       c.o"
	} >"$tmp/log"
	told make "the error of a build" "   src/b.c:5:1: error: expected ';'"
	{
		lines 200 "[----] nothing"
		echo "[FAIL] words::are_told"
		lines 200 "[----] nothing"
	} >"$tmp/log"
	told check "a case that failed" "   [FAIL] words::are_told"
	: >"$tmp/log"
	run env LC_ALL=C "${AWK:-awk}" -v form=pytest -f "$here/failures.awk" "$tmp/log"
	[ ! -s "$tmp/out" ] || status=1
	expect pass "failures: nothing said of an empty log" ""
}

# A tree whose build does nothing, and whose make says what $tmp/said holds.
make_idle_tree() {
	rm -rf "$tmp/tree"
	mkdir -p "$tmp/tree/scripts" "$tmp/tree/bin"
	cp "$here/test" "$here/failures.awk" "$tmp/tree/scripts"
	: >"$tmp/tree/configure.ac"
	: >"$tmp/tree/Makefile.in"
	printf '#!/bin/sh\necho "CRITERION_LIBS = -lx" >Makefile\n' >"$tmp/tree/configure"
	printf '#!/bin/sh\ncase "$*" in *check-io*) cat %s; exit 1 ;; esac\n' "$tmp/said" \
		>"$tmp/tree/bin/make"
	chmod +x "$tmp/tree/configure" "$tmp/tree/bin/make"
}

test_test() {
	make_idle_tree
	{
		echo "== tests/io/two"
		echo "y.c:7: failed: a == b"
		lines 500 "much after"
		echo "FAILED tests/io/two"
		echo "== tests/io/three"
		lines 500 "all is well"
		echo "check-io: 1 programs passed, 1 failed"
	} >"$tmp/said"
	run env PATH="$tmp/tree/bin:$PATH" "$tmp/tree/scripts/test" --only io
	expect fail "test: a program that failed" "    FAILED tests/io/two"
	expect fail "test: the check in it" "y.c:7: failed: a == b"
	expect fail "test: where the log is" "all of it: $tmp/tree/build-test/logs/io.log"
	expect fail "test: the sum" "1 passed, 1 failed"
	echo "check-io: 6 programs passed, 0 failed" >"$tmp/said"
	run env PATH="$tmp/tree/bin:$PATH" "$tmp/tree/scripts/test" --only io
	expect pass "test: nothing failed" ""
	lines 5 "nothing that anybody knows" >"$tmp/said"
	run env PATH="$tmp/tree/bin:$PATH" "$tmp/tree/scripts/test" --only io
	expect fail "test: the end of a log in which no failure is found" "    nothing that anybody"
	run "$tmp/tree/scripts/test" --only nonsense
	expect fail "test: a step that there is not" "no such step 'nonsense'"
}

# --- packages ---

# packages_find WHAT CHECK MESSAGE FILE SCRIPT: a fault planted by sed in one file of the packaging.
packages_find() {
	rm -rf "$tmp/tree"
	mkdir -p "$tmp/tree/src/agent" "$tmp/tree/src/cli"
	cp -r "$here/../packaging" "$here/../man" "$here/../configure.ac" "$tmp/tree"
	chmod -R u+w "$tmp/tree"
	cp "$here/../src/agent/publish.c" "$tmp/tree/src/agent"
	cp "$here/../src/cli/room.mk" "$tmp/tree/src/cli"
	sed "$5" "$tmp/tree/$4" >"$tmp/planted"
	cat "$tmp/planted" >"$tmp/tree/$4"
	run "$here/check-packages.sh" "$tmp/tree" "$2"
	expect fail "packages: $1" "$3"
}

test_packages() {
	packages_find "a unit in one kind only" contents "pgha: only in debian: usr/lib/systemd/system/pghad@" \
		packaging/rpm/pgha.spec '/pghad@\.service$/d'
	packages_find "a program in the wrong package" contents "pgha-client: only in pgha.spec: usr/bin/hactl" \
		packaging/debian/pgha-client.install '/hactl$/d'
	packages_find "a page in no package" contents "in no package (deb): usr/share/man/man7/pgha-rest.7" \
		packaging/debian/pgha.install.in '/pgha-rest/d'
	packages_find "what nobody installs" contents "listed and not installed (rpm): usr/libexec/pgha/pgha-units" \
		packaging/install-files 's|"$here/pgha-units" ||'
	packages_find "secrets for all to read" contents "/etc/pgha is not root:postgres 0750" \
		packaging/rpm/pgha.spec 's/attr(0750/attr(0755/'
	packages_find "a library that is not asked for" needs "no libmicrohttpd-devel for libmicrohttpd" \
		packaging/rpm/pgha.spec '/libmicrohttpd-devel/d'
	packages_find "another version" version "the version is not" packaging/rpm/pgha.spec \
		's/^Version:.*/Version: 0.0.9/'
	packages_find "a scriptlet that restarts" scripts "rpm.post: starts or stops something by itself" \
		packaging/rpm/pgha.spec 's/^\tsystemctl --no-reload disable.*//; s/^\(.*\)pgha-units upgraded.*/systemctl try-restart pghad.service/'
	packages_find "a macro that stops agents" scripts "rpm.preun: deletes a tree, or a macro" \
		packaging/rpm/pgha.spec 's/^.*pgha-units removal.*/%systemd_preun pghad.service/'
	packages_find "a purge that deletes" scripts "deb.postrm: deletes a tree" \
		packaging/debian/pgha.postrm 's|rmdir /etc/pgha|rm -rf /var/lib/postgresql|'
	packages_find "a removal that asks nobody" scripts "deb.prerm: no pgha-units removal" \
		packaging/debian/pgha.prerm 's/pgha-units removal/true/'
	packages_find "debhelper's own way" scripts "debhelper would stop or start agents" \
		packaging/debian/rules 's/ --no-restart-after-upgrade//'
	packages_find "units that differ" units "pghad@.service is not pghad.service" \
		packaging/pghad@.service 's/^TasksMax=.*/TasksMax=100/'
	packages_find "a drop-in that takes too little back" units "allow-sudo.conf: leaves RestrictNamespaces=" \
		packaging/examples/allow-sudo.conf '/RestrictNamespaces/d'
	packages_find "a stop that kills Postgres" units "no KillMode=process" packaging/pghad.service \
		's/^KillMode=.*/KillMode=control-group/'
	packages_find "a guardian that is blind" units "pgha-guard@.service: ProtectProc= is on" \
		packaging/pgha-guard@.service 's/^ProtectProc=.*/ProtectProc=invisible/'
	packages_find "a message without an entry" catalog "pgha.catalog: nothing about 6f6c" \
		packaging/pgha.catalog '/^-- .*e003$/d'
	packages_find "claims that are not seen" unclaimed "claimed is no, should be yes" \
		packaging/pgha-unclaimed 's/data_dir|//'
	packages_find "a removal that does not look" agents "lets an agent go that is not paused" \
		packaging/pgha-units 's/if ! is_paused .*/if false; then/'
	packages_find "an upgrade that does nothing" agents "an agent of before is left" \
		packaging/pgha-units 's/^\tkill -USR2.*/\treturn 0/'
	packages_find "an upgrade to what cannot run" agents "executes what does not run" \
		packaging/pgha-units 's/ || ! pghad --version >.dev.null//'
	packages_find "an upgrade that kills all" agents "kills an agent that is up to date" \
		packaging/pgha-units 's/ || ! is_outdated "$pid"//'
}

# --- hardening ---

hard="-O2 -fPIE -pie -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
	-Wl,-z,relro,-z,now,-z,noexecstack"

run_hardening() {
	cat >"$tmp/hard.c" <<'END'
#include <stdio.h>
int main(int argc, char **argv)
{
	char text[64];
	snprintf(text, (size_t)argc, "%s", argv[0]);
	return puts(text);
}
END
	# Lists of words: the compiler may be called by another. shellcheck disable=SC2086
	$cc $hard "$@" -o "$tmp/hard" "$tmp/hard.c" 2>"$tmp/out" || cat "$tmp/out"
	run "$here/check-hardening.sh" "$tmp/hard"
}

test_hardening() {
	if ! command -v readelf >/dev/null; then
		return
	fi
	run_hardening
	expect pass "hardening: a program in order" ""
	run_hardening -fno-pie -no-pie
	expect fail "hardening: a fixed address" "no PIE"
	run_hardening -Wl,-z,norelro
	expect fail "hardening: writable tables" "no RELRO"
	run_hardening -Wl,-z,lazy
	expect fail "hardening: lazy binding" "no BIND_NOW"
	run_hardening -Wl,-z,execstack
	expect fail "hardening: the stack" "an executable stack"
	run_hardening -fno-stack-protector
	expect fail "hardening: unguarded functions" "no stack protector"
	run_hardening -U_FORTIFY_SOURCE
	expect fail "hardening: plain calls" "no fortified calls"
}

test_tidy
test_layers
test_man
test_readme
test_failures
test_packages
test_hardening
test_test
if [ "$bad" -ne 0 ]; then
	echo "test-checks: $bad of $cases faults were not found" >&2
	exit 1
fi
echo "test-checks: $cases cases"
