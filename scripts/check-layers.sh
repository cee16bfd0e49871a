#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# check-layers.sh - the arrows between the rooms, proven on includes and on symbols
#
# usage: check-layers.sh [SRCDIR [BUILDDIR]]
#
#   includes   a room includes itself and the rooms below it; an external library has its rooms
#   own first  x.c includes x.h before anything else, and every header compiles alone
#   symbols    what lib<room>.a leaves undefined comes from a room below or from the allowlist
#   globals    no room keeps writable data, except what is named here
#
# SRCDIR defaults to $srcdir, BUILDDIR to the working directory. CC, CPPFLAGS and NM are heeded.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
src=${1:-${srcdir:-$here/..}}
build=${2:-.}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/pgha-layers.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

# room: what of ours it may include; a '-' takes one header out again.
cat >"$tmp/arrows" <<'END'
base   base/
core   base/ core/ -base/log.h -base/leasepage.h -base/guardpage.h
wire   base/ core/ wire/ -base/leasepage.h -base/guardpage.h
agent  base/ core/ wire/ agent/ -base/leasepage.h -base/guardpage.h
io     base/ core/ wire/ agent/ io/
cli    base/ core/ wire/ cli/ io/certfile.h io/http.h io/etcd.h io/loop.h io/pgconn.h io/sql.h
guard  base/leasepage.h base/guardpage.h base/base.h base/err.h base/parse.h base/str.h guard/
END

# header: rooms, or single files of them, that may include it. Everything of libc is free.
cat >"$tmp/external" <<'END'
jansson.h         wire/
yaml.h            wire/
curl/             io/
libpq-fe.h        io/
libpq/            io/
microhttpd.h      io/
gnutls/           io/
END

# room or room/object: libc functions that it may call, '*' any, '!x' none of these in spite of '*'.
# A trailing '*' in a name stands for the rest of it. A checked variant (__x_chk) counts as x.
pure="bcmp memchr memcmp memcpy memmove memset memrchr mempcpy strlen strnlen strcmp strncmp \
strchr strchrnul strrchr strspn strcspn strpbrk strstr strcasecmp strncasecmp abs bsearch \
__assert_fail __stack_chk_fail"
heap="malloc calloc realloc reallocarray free strdup strndup abort"
print="snprintf vsnprintf"
ctype="__ctype_b_loc __ctype_tolower_loc __ctype_toupper_loc tolower toupper"
cat >"$tmp/symbols" <<END
base            $pure $heap $print vasprintf fprintf stderr inet_pton strerrordesc_np
base/base       close __errno_location
base/err        __errno_location
base/leasepage  open pread read close stat fstat mkdir flock posix_fallocate mmap munmap getpid
base/leasepage  sched_yield __errno_location
base/program    readlink
core            $pure
wire            $pure $heap $print qsort strtod gmtime_r timegm $ctype json_* jsonp_* yaml_*
agent           $pure $heap $print qsort gmtime_r timegm $ctype
io              * !json_* !yaml_* !clock_gettime !gettimeofday !time !pthread_create
io/loop         clock_gettime
io/rest         pthread_create
io/worker       pthread_create
cli             * !json_* !yaml_* !curl_* !PQ* !sd_* !MHD_* !clock_gettime !gettimeofday !time
cli             !pthread_create !fork !system !popen
guard           $pure $print vsnprintf __isoc99_sscanf sscanf __errno_location free close read stat fstat
guard/dog       open write ioctl access
guard/guard     getpid poll sigemptyset sigaddset sigprocmask signal signalfd
guard/procs     open openat fstatat readlinkat lseek syscall getpid
guard/ready     getenv unsetenv socket sendto
guard/say       getenv poll write gmtime_r strftime
guard/self      open pread write sched_setscheduler setpriority mlockall munlock madvise prctl mallopt sysconf
guard/strike    open poll write
guard/wake      clock_gettime timerfd_create timerfd_settime
END

# room: functions of the rooms below that it may not call all the same.
cat >"$tmp/withheld" <<'END'
core   mem_* buf_* str_dup* str_ndup* log_* leasepage_* guardpage_* freep closep
wire   leasepage_* guardpage_* log_*
agent  leasepage_* guardpage_*
guard  buf_* str_dup* str_ndup* log_*
END

# room/object symbol: writable data that may exist. The log sink is the one global.
cat >"$tmp/globals" <<'END'
base/log target
END

fail=0

check_includes() {
	(cd "$src" && find src -name '*.[ch]' -exec grep -Hn '^[ 	]*#[ 	]*include' {} + || :) |
		LC_ALL=C sort -t: -k1,1 -k2,2n >"$tmp/includes"
	"${AWK:-awk}" -v src="$src" '
	FILENAME ~ /arrows$/ { for (i = 2; i <= NF; i++) arrows[$1] = arrows[$1] " " $i; next }
	FILENAME ~ /external$/ { for (i = 2; i <= NF; i++) rooms_of[$1] = rooms_of[$1] " " $i; next }
	{
		split($0, at, ":")
		file = at[1]
		n = split(file, path, "/")
		room = n > 2 ? path[2] : ""
		inc = $0
		sub(/^[^:]*:[^:]*:[ \t]*#[ \t]*include[ \t]*/, "", inc)
		ours = inc ~ /^"/
		inc = $0
		sub(/^[^"<]*["<]/, "", inc)
		sub(/[">].*$/, "", inc)
		seen++
		first = !(file in started)
		started[file] = 1
		own = substr(file, 5)
		sub(/\.c$/, ".h", own)
		if (first && file ~ /\.c$/ && own != inc && (getline dummy < (src "/src/" own)) >= 0)
			say("its own header " own " must come first")
		if (room == "")
			next
		if (!(room in arrows) && room != "fence")
			say("room " room " is not in the list of arrows")
		else if (ours && room == "fence" && inc !~ /^(base\/leasepage\.h$|fence\/)/)
			say("the module may include base/leasepage.h and nothing else of ours")
		else if (ours && room != "fence" && !may(arrows[room], inc))
			say("room " room " may not include " inc)
		else if (!ours && room != "fence" && room != "guard")
			outside()
		else if (!ours && room == "guard" && library(inc) != "")
			say("the guardian includes libc only, not " inc)
	}
	function say(text) { printf "%s:%s: %s\n", file, at[2], text; bad = 1 }
	function may(list, inc,   n, i, item, ok) {
		n = split(list, item, " ")
		ok = 0
		for (i = 1; i <= n; i++) {
			if (item[i] == "-" inc)
				return 0
			if (item[i] == inc || (item[i] ~ /\/$/ && index(inc, item[i]) == 1))
				ok = 1
		}
		return ok
	}
	# The external library that a header belongs to, "" for libc.
	function library(inc,   key) {
		for (key in rooms_of)
			if (inc == key || (key ~ /\/$/ && index(inc, key) == 1))
				return key
		if (inc ~ /\// && inc !~ /^(arpa|linux|net|netinet|sys)\//)
			return "unknown"
		if (inc !~ /\.h$/ || inc ~ /^(pq|pg_|postgres|glib|ev|uv|zlib|openssl)/)
			return "unknown"
		return ""
	}
	function outside(   lib) {
		lib = library(inc)
		if (lib == "")
			return
		if (lib == "unknown")
			say(inc " is neither libc nor one of our libraries")
		else if (!may(rooms_of[lib], substr(file, 5)))
			say("room " room " may not include " inc)
		else if (room == "io") {
			lib = lib ~ /^libpq/ ? "libpq" : lib
			if ((file in library_of) && library_of[file] != lib)
				say("one external library a file: " library_of[file] " is here already")
			library_of[file] = lib
		}
	}
	END {
		if (!seen) { print "no includes found below " src "/src"; bad = 1 }
		exit bad
	}' "$tmp/arrows" "$tmp/external" "$tmp/includes" || fail=1
}

# All at once: the compiler takes each file as a program of its own.
check_headers() {
	headers=$(cd "$src" && find src -name '*.h' | LC_ALL=C sort)
	for h in $headers; do
		echo "$src/$h"
	done | xargs ${CC:-cc} ${CPPFLAGS:--I$src/src} -Wall -Wextra -Werror -Wno-unused-function \
		-std=gnu17 -fsyntax-only -x c || {
		echo "a header above does not compile alone"
		fail=1
	}
}

libraries() {
	find "$build/src" -maxdepth 1 -name 'lib*.a' | LC_ALL=C sort
}

# room object name type, for every symbol of every room's library
list_symbols() {
	for lib in $(libraries); do
		room=$(basename "$lib" .a)
		room=${room#lib}
		"${NM:-nm}" -A -P "$lib" | sed -n 's/^[^[]*\[\([^]]*\)\]: \([^ ]*\) \([A-Za-z]\).*/\1 \2 \3/p' |
			sed "s/^/$room /; s/ lib${room}_a-/ /; s/\.o / /"
	done
}

check_symbols() {
	list_symbols >"$tmp/all"
	"${AWK:-awk}" '
	FILENAME ~ /symbols$/ {
		for (i = 2; i <= NF; i++)
			if ($i ~ /^!/)
				add(denied, $1, substr($i, 2))
			else
				add(allowed, $1, $i)
		next
	}
	FILENAME ~ /withheld$/ { for (i = 2; i <= NF; i++) add(withheld, $1, $i); next }
	FILENAME ~ /arrows$/ {
		for (i = 2; i <= NF; i++) {
			split($i, part, "/")
			below[$1, part[1]] = 1
		}
		next
	}
	$4 ~ /^[TDBRVWCGSi]$/ { home[$3] = home[$3] " " $1 }
	{ n++; line[n] = $0 }
	function add(table, key, name) { table[key] = table[key] " " name }
	function listed(list, name,   k, i, item) {
		k = split(list, item, " ")
		for (i = 1; i <= k; i++) {
			if (item[i] == "*" || item[i] == name)
				return 1
			if (item[i] ~ /.\*$/ &&
			    index(name, substr(item[i], 1, length(item[i]) - 1)) == 1)
				return 1
		}
		return 0
	}
	# What the compiler adds on its own.
	function is_plumbing(name) {
		return name ~ /^(_GLOBAL_OFFSET_TABLE_|__(asan|ubsan|tsan|sanitizer|gcov|llvm|sanitizer_cov)_.*|_*start___.*|_*stop___.*)$/
	}
	function plain(name) {
		if (name ~ /^__.*_chk$/ && name != "__stack_chk_fail") {
			sub(/^__/, "", name)
			sub(/_chk$/, "", name)
		}
		sub(/^__isoc(99|23)_/, "", name)
		# fopen64() and the like are what a 32-bit program calls.
		if (name ~ /^(open|fstat|stat|lstat|pread|pwrite|mmap|lseek|ftruncate|posix_fallocate)64$/)
			sub(/64$/, "", name)
		return name
	}
	END {
		for (i = 1; i <= n; i++) {
			split(line[i], f, " ")
			if (f[4] != "U" && f[4] != "w")
				continue
			complaint = judge(f[1], f[2], f[3])
			if (complaint != "") {
				printf "src/%s/%s: %s\n", f[1], f[2], complaint
				bad = 1
			}
		}
		if (!n) { print "no symbols found: build first"; bad = 1 }
		exit bad
	}
	function judge(room, object, name,   rooms, k, j, r) {
		if (is_plumbing(name))
			return ""
		k = split(home[name], rooms, " ")
		for (j = 1; j <= k; j++) {
			r = rooms[j]
			if (r == room)
				return ""
			if ((room, r) in below)
				return listed(withheld[room], name) ? \
					"may not call " name "() of room " r : ""
		}
		if (k > 0)
			return "calls " name "() of room" home[name] ", which is not below it"
		name = plain(name)
		if (listed(allowed[room "/" object], name))
			return ""
		if (listed(denied[room], name) || !listed(allowed[room], name))
			return "may not use " name
		return ""
	}' "$tmp/symbols" "$tmp/withheld" "$tmp/arrows" "$tmp/all" || fail=1
}

# Constant tables with pointers are writable to the loader only: .data.rel.ro is no state.
check_globals() {
	for lib in $(libraries); do
		room=$(basename "$lib" .a)
		room=${room#lib}
		"${NM:-nm}" -f sysv "$lib" | sed "s/^/$room /; s/lib${room}_a-//"
	done >"$tmp/sections"
	"${AWK:-awk}" '
	FILENAME ~ /globals$/ { known[$1, $2] = 1; next }
	/\.o\]:$/ {
		object = $0
		sub(/\.o\]:$/, "", object)
		sub(/^.*\[/, "", object)
		room = $1
		next
	}
	/\|/ {
		n = split($0, f, "|")
		section = f[n]
		name = f[1]
		sub(/^[a-z]+ /, "", name)
		gsub(/[ \t]/, "", name)
		gsub(/[ \t]/, "", section)
		if (section !~ /^(\.data|\.bss|\.tdata|\.tbss|COM|\*COM\*)/ || section ~ /^\.data\.rel\.ro/)
			next
		# Not ours: sanitizers and coverage keep books in writable sections.
		if (name ~ /^(__|\.L|\.l|_+asan|gcov)/ || f[4] ~ /SECTION/)
			next
		short = name
		sub(/\.[0-9]+$/, "", short)
		if (!((room "/" object, short) in known)) {
			printf "src/%s/%s: writable data %s\n", room, object, name
			bad = 1
		}
	}
	END { exit bad }' "$tmp/globals" "$tmp/sections" || fail=1
}

check_includes
check_headers
check_symbols
check_globals
if [ "$fail" -ne 0 ]; then
	echo "check-layers: faults above" >&2
	exit 1
fi
echo "check-layers: $(libraries | wc -l) rooms, $(wc -l <"$tmp/includes") includes in order"
