# SPDX-License-Identifier: PostgreSQL
#
# tidy.awk - what a machine can see of the style guide
#
# usage: LC_ALL=C awk -f tidy.awk FILE...    prints file:line: fault, exits 1 if there was any
#
# C files (.c, .h) get every rule. All other files are only searched for marks of unfinished work
# and trailing blanks. A rule that looks at code sees it without comments and string contents.

BEGIN {
	WIDTH = 100
	STRING_WIDTH = 120 # where a string stands alone, and in tests: text reads better unbroken
	FUNCTION_LINES = 70
	FILE_LINES = 750
	TEST_FILE_LINES = 1500

	banned("strcpy strcat strncat sprintf vsprintf gets", "str_copy(), str_printf() or a struct buf")
	banned("strtok", "a loop over strcspn()")
	banned("atoi atol atoll atof strtol strtoll strtoul strtoull", "base/parse.h")
	banned("system popen fork vfork", "io/child")
	banned("sleep usleep nanosleep", "a timer of the loop")
	banned("exit", "return from main")
	banned("alloca", "a bounded array or the heap")
	banned("pipe dup dup2 accept creat mkstemp epoll_create inotify_init", \
	       "the variant that takes a close-on-exec flag")
	clocks("clock_gettime gettimeofday time clock ftime timespec_get")
	closing("open openat open64 socket socketpair accept4 pipe2 dup3 eventfd timerfd_create " \
		"signalfd epoll_create1 inotify_init1 memfd_create mkostemp fopen", 1)
}

function banned(names, instead,   list, n, i) {
	n = split(names, list, " ")
	for (i = 1; i <= n; i++)
		BANNED[list[i]] = instead
}

function clocks(names,   list, n, i) {
	n = split(names, list, " ")
	for (i = 1; i <= n; i++)
		CLOCK[list[i]] = 1
}

function closing(names, on,   list, n, i) {
	n = split(names, list, " ")
	for (i = 1; i <= n; i++)
		CLOSING[list[i]] = on
}

function fault(text) {
	printf "%s:%d: %s\n", FILENAME, FNR, text
	faults++
}

FNR == 1 {
	finish_file()
	name = FILENAME
	is_c = name ~ /\.[ch]$/
	is_test = name ~ /(^|\/)tests\//
	is_clock = name ~ /(^|\/)src\/(io\/loop|guard\/wake|fence\/gate)\.c$/
	in_comment = 0
	depth = 0
	in_define = 0
	body_from = 0
	pending = ""
	split("", own)
}

{ last_file = FILENAME; last_line = FNR }

# The marks are written so that this file does not accuse itself.
/(^|[^A-Za-z0-9_])(TO[D]O|FIX[M]E|XX[X]|HAC[K])([^A-Za-z0-9_]|$)/ {
	fault("mark of unfinished work")
}

/[ \t]$/ { fault("trailing blank") }

!is_c { next }

FNR <= 3 { check_head() }

{
	check_layout($0)
	code = strip($0)
	check_code(code)
	check_function(code)
	check_close_on_exec(code)
	follow(code)
}

END {
	finish_file()
	exit faults > 0
}

function finish_file(   limit) {
	if (last_file !~ /\.[ch]$/)
		return
	limit = last_file ~ /(^|\/)tests\// ? TEST_FILE_LINES : FILE_LINES
	if (last_line > limit) {
		printf "%s:%d: file of more than %d lines: split the module\n", last_file, last_line, limit
		faults++
	}
	if (last_line < 3) {
		printf "%s:%d: no room for a head\n", last_file, last_line
		faults++
	}
	last_line = 3
}

function check_head(   stem) {
	stem = FILENAME
	sub(/^.*\//, "", stem)
	sub(/\.[ch]$/, "", stem)
	if (FNR == 1 && $0 != "/* SPDX-License-Identifier: PostgreSQL */")
		fault("the first line must be the SPDX licence line")
	if (FNR == 2 && $0 != "/*")
		fault("the second line must open the comment that says what the file is for")
	if (FNR == 3 && index($0, " * " stem " - ") != 1)
		fault("the third line must be ' * " stem " - what it is for'")
}

# Columns, with tabs of eight. Bytes that continue a UTF-8 character take no room.
function columns(s,   n, i, parts, width) {
	gsub(/[\200-\277]/, "", s)
	n = split(s, parts, "\t")
	width = 0
	for (i = 1; i < n; i++)
		width = 8 * (int((width + length(parts[i])) / 8) + 1)
	width += length(parts[n])
	return width
}

function check_layout(line,   limit) {
	limit = line ~ /^\t*".*"[,;)]*$/ || (is_test && line ~ /"/) ? STRING_WIDTH : WIDTH
	if (columns(line) > limit)
		fault("line of more than " limit " columns")
	if (line ~ /^\t* +\t/)
		fault("blank before a tab in the indentation")
	# Blanks may align what continues a line or a comment, not indent.
	if (line ~ /^ / && !in_comment && depth == 0 && !in_define && line !~ /^ \*/)
		fault("indented with blanks, not tabs")
}

# The line without comments and with empty string and character constants. Sets in_comment.
function strip(s,   out, c) {
	out = ""
	while (s != "") {
		if (in_comment) {
			c = index(s, "*/")
			if (c == 0)
				return out
			s = substr(s, c + 2)
			in_comment = 0
			out = out " "
			continue
		}
		if (!match(s, /"|'|\/\*|\/\//))
			return out s
		out = out substr(s, 1, RSTART - 1)
		c = substr(s, RSTART, RLENGTH)
		s = substr(s, RSTART + RLENGTH)
		if (c == "/*") {
			in_comment = 1
		} else if (c == "//") {
			fault("// comment: it marks scratch, write /* */ or remove it")
			return out
		} else {
			out = out c c
			s = after_quote(s, c)
		}
	}
	return out
}

function after_quote(s, quote,   c) {
	while (match(s, /["'\\]/)) {
		c = substr(s, RSTART, 1)
		if (c == "\\")
			s = substr(s, RSTART + 2)
		else if (c == quote)
			return substr(s, RSTART + 1)
		else
			s = substr(s, RSTART + 1)
	}
	return ""
}

# Every plain call in the line; a struct's member may bear any name.
function check_code(code,   s, before, callee) {
	if (code ~ /(^|[^A-Za-z0-9_])goto[^A-Za-z0-9_]/)
		fault("goto: early return and _cleanup_ do it")
	if (code ~ /^[ \t]*typedef[ \t]/ && code !~ /\(\*/ && code !~ /\($/)
		fault("typedef of something that is no function pointer")
	if (match(code, /^static [^=]*[ *][A-Za-z0-9_]+\(/)) {
		callee = substr(code, RSTART, RLENGTH - 1)
		sub(/^.*[ *]/, "", callee)
		own[callee] = 1
	}
	s = code
	before = ""
	while (match(s, /[A-Za-z_][A-Za-z0-9_]*[ \t]*\(/)) {
		before = RSTART > 1 ? substr(s, RSTART - 1, 1) : before
		callee = substr(s, RSTART, RLENGTH - 1)
		sub(/[ \t]+$/, "", callee)
		if (before != "." && before != ">" && before !~ /[0-9]/)
			check_call(callee)
		before = "("
		s = substr(s, RSTART + RLENGTH)
	}
}

function check_call(callee) {
	# A function of this file's own that happens to bear the name.
	if (callee in own)
		return
	# A helper program of the tests may link nothing of ours.
	if (callee in BANNED && !(is_test && BANNED[callee] == "base/parse.h"))
		fault("call of " callee "(): use " BANNED[callee])
	if (callee in CLOCK && !is_clock && !is_test)
		fault("call of " callee "(): only io/loop.c reads a clock")
}

# A descriptor must not leak into Postgres or a script: the call, up to its closing bracket on
# whichever line, has to say so. fopen() says it in a string, so the raw lines are searched.
function check_close_on_exec(code,   at) {
	if (pending != "") {
		code = pending_code code
		pending_raw = pending_raw $0
	} else {
		code = next_call(code)
		pending_raw = $0
	}
	while (pending != "") {
		at = closing_at(code)
		if (!at) {
			pending_code = code
			return
		}
		judge_call(pending, substr(code, 1, at), pending_raw)
		# Behind the opening bracket: a call may stand inside of another one.
		code = next_call(substr(code, 2))
	}
}

# Sets pending to the next call that makes a descriptor and returns the code from its bracket on.
function next_call(code,   callee) {
	pending = ""
	while (match(code, /(^|[^A-Za-z0-9_.>])[a-z][a-z0-9_]*[ \t]*\(/)) {
		callee = substr(code, RSTART, RLENGTH)
		gsub(/[^a-z0-9_]/, "", callee)
		code = substr(code, RSTART + RLENGTH - 1)
		if (callee in CLOSING) {
			pending = callee
			return code
		}
	}
	return ""
}

function judge_call(callee, code, raw) {
	if (callee == "fopen") {
		if (raw !~ /"[rwa+b]*[xm]*e[xm]*"/)
			fault("fopen() without \"e\" in its mode")
	} else if (code !~ /CLOEXEC/) {
		fault(callee "() without CLOEXEC")
	}
}

# Where the bracket at the start of s closes, 0 when it does not.
function closing_at(s,   level, at, c) {
	level = 0
	at = 0
	while (match(s, /[()]/)) {
		c = substr(s, RSTART, 1)
		s = substr(s, RSTART + 1)
		at += RSTART
		level += c == "(" ? 1 : -1
		if (level == 0)
			return at
	}
	return 0
}

# A function's body opens and closes in the first column.
function check_function(code) {
	if (code ~ /^\{/)
		body_from = FNR
	if (code ~ /^\}/ && body_from) {
		if (FNR - body_from + 1 > FUNCTION_LINES)
			fault("function of more than " FUNCTION_LINES " lines")
		body_from = 0
	}
}

function follow(code,   opens, closes) {
	opens = gsub(/[({\[]/, "&", code)
	closes = gsub(/[)}\]]/, "&", code)
	depth += opens - closes
	if (code ~ /^[ \t]*#/ || in_define)
		depth = 0
	in_define = (code ~ /^[ \t]*#/ || in_define) && $0 ~ /\\$/
}
