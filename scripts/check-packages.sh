#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# check-packages.sh - the packages of both kinds hold, need and do the same, and their units are right
#
# usage: check-packages.sh [SRCDIR [CHECK...]]
#
#   contents   packaging/debian and packaging/rpm/pgha.spec put the same files into the same packages:
#              each program, page, unit and example, nothing twice, nothing that is not there
#   needs      a library that configure asks for is a build dependency of both
#   version    is that of configure.ac
#   scripts    of both call pgha-units, and start, stop, enable and delete nothing by themselves
#   units      pghad@.service is pghad.service but for names; allow-sudo.conf takes back what implies
#              NoNewPrivileges=
#   catalog    explains each message id of src/agent/publish.c, and no other
#   systemd    finds the units closed enough, and understands them
#   unclaimed  pgha-unclaimed knows the directories that agents have
#   agents     pgha-units has agents and guardians whose program was replaced execute the new one, and
#              no others, and lets go only in a pause
#
# No package is built for it.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
src=${1:-${srcdir:-$here/..}}
src=$(cd "$src" && pwd)
pack=$src/packaging
spec=$pack/rpm/pgha.spec
tmp=$(mktemp -d "${TMPDIR:-/tmp}/pgha-packages.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
export LC_ALL=C
fail=0

fault() {
	echo "$*"
	fail=1
}

# same WHAT DEB RPM: sorted lists
same() {
	comm -23 "$2" "$3" | sed "s|^|$1: only in debian: |" >"$tmp/faults"
	comm -13 "$2" "$3" | sed "s|^|$1: only in pgha.spec: |" >>"$tmp/faults"
	if [ -s "$tmp/faults" ]; then
		cat "$tmp/faults"
		fail=1
	fi
}

# Paths as Debian's: without leading slash, macros and what rpm does to pages.
plain_paths() {
	sed 's|%{_unitdir}|usr/lib/systemd/system|; s|@UNITDIR@|usr/lib/systemd/system|
		s|%{_sysusersdir}|usr/lib/sysusers.d|
		s|%{_journalcatalogdir}|usr/lib/systemd/catalog|
		s|%{_prefix}|usr|; s|%{_sbindir}|usr/sbin|; s|%{_bindir}|usr/bin|
		s|%{_mandir}|usr/share/man|; s|%{_datadir}|usr/share|
		s|%{_libexecdir}|usr/libexec|; s|^/||; s|\(share/man/.*\)\*$|\1|
		s|share/zsh/vendor-completions|share/zsh/site-functions|'
}

# files_of SECTION: the lines below %files of the spec
files_of() {
	awk -v want="$1" '
	/^%/ && !/^%(dir|doc|license|config|attr|\{_)/ { on = $0 == want; next }
	on && NF' "$spec"
}

# What only one kind of package has, with the reason.
only_deb='^(usr/lib/systemd/system/postgresql@.service.d/pgha.conf|etc/postgresql-common/createcluster.d/pgha.conf)$'
only_rpm='^(usr/lib/systemd/system/postgresql(-1\?|-1[3-8])?.service.d/pgha.conf|usr/lib/sysusers.d/pgha.conf)$'

check_contents() {
	for package in pgha pgha-client; do
		list=$pack/debian/$package.install
		[ -e "$list" ] || list=$list.in
		section=%files
		[ $package = pgha ] || section="%files client"
		plain_paths <"$list" | sort >"$tmp/$package.deb"
		files_of "$section" | sed 's/^%dir %attr([^)]*) //; /^%\(dir\|doc\|license\) /d' |
			plain_paths | sort >"$tmp/$package.rpm"
		grep -Ev "$only_deb" "$tmp/$package.deb" >"$tmp/a" || true
		grep -Ev "$only_rpm" "$tmp/$package.rpm" >"$tmp/b" || true
		same "$package" "$tmp/a" "$tmp/b"
	done
	sort "$tmp/pgha.deb" "$tmp/pgha-client.deb" | uniq -d | sed 's/^/twice: /' >"$tmp/faults"
	[ ! -s "$tmp/faults" ] || fault "$(cat "$tmp/faults")"

	# The changelog is installed by debhelper.
	echo CHANGELOG.md | sort - "$pack/debian/pgha.docs" >"$tmp/a"
	files_of %files | sed -n 's/^%doc //p' | sort >"$tmp/b"
	same "documentation" "$tmp/a" "$tmp/b"
	grep -q '^	dh_auto_install -- zshcompdir=/usr/share/zsh/vendor-completions$' \
		"$pack/debian/rules" || fault "rules: zsh's completion is not where Debian's zsh looks"
	grep -qx usr/share/zsh/vendor-completions/_hactl "$pack/debian/pgha-client.install" ||
		fault "pgha-client.install: zsh's completion is not where Debian's zsh looks"
	grep -q '^%dir %attr(0750,root,postgres) /etc/pgha$' "$spec" ||
		fault "pgha.spec: /etc/pgha is not root:postgres 0750"
	for want in 'chown root:postgres /etc/pgha' 'chmod 0750 /etc/pgha'; do
		grep -q "$want" "$pack/debian/pgha.postinst" || fault "pgha.postinst: no $want"
	done
	check_installed
}

# What is installed, by make and by install-files, is what the lists name.
check_installed() {
	for kind in deb rpm; do
		"$pack/install-files" $kind "$tmp/root.$kind"
		(cd "$tmp/root.$kind" && find . -type f) | sed 's|^\./||' >"$tmp/there"
		for page in "$src"/man/*.[1-8]; do
			echo "usr/share/man/man${page##*.}/${page##*/}"
		done >>"$tmp/there"
		# What rooms install besides programs and pages.
		sed -n 's|^[a-z]*compdir = \$(datadir)|usr/share|p' "$src/src/cli/room.mk" |
			sed 's|fish/.*|&/hactl.fish|; s|zsh/.*|&/_hactl|; s|bash.*|&/hactl|' >>"$tmp/there"
		printf '%s\n' usr/bin/hactl usr/sbin/pghad usr/sbin/pgha-guard \
			usr/share/pgha/pgha_fence.sql usr/share/pgha/roles.sql etc/pgha >>"$tmp/there"
		sed 's|\(postgresql\)-1[0-9]\(\.service\.d\)|\1-1?\2|; s|\(man1/hactl\).*|\1*.1|' \
			"$tmp/there" | sort -u >"$tmp/a"
		sort "$tmp/pgha.$kind" "$tmp/pgha-client.$kind" >"$tmp/b"
		comm -23 "$tmp/a" "$tmp/b" | sed "s/^/in no package ($kind): /" >"$tmp/faults"
		comm -13 "$tmp/a" "$tmp/b" | sed "s/^/listed and not installed ($kind): /" >>"$tmp/faults"
		[ ! -s "$tmp/faults" ] || fault "$(cat "$tmp/faults")"
	done
}

# The libraries: pkg-config's name, Debian's package, Red Hat's.
needs='
	jansson libjansson-dev jansson-devel
	yaml-0.1 libyaml-dev libyaml-devel
	libcurl libcurl4-gnutls-dev libcurl-devel
	libmicrohttpd libmicrohttpd-dev libmicrohttpd-devel
	gnutls libgnutls28-dev gnutls-devel
	libpq libpq-dev libpq-devel'

check_needs() {
	sed -n '/^Build-Depends:/,/^[A-Z]/p' "$pack/debian/control.in" >"$tmp/deb-needs"
	grep '^BuildRequires:' "$spec" >"$tmp/rpm-needs"
	modules=$(sed -n 's/^PKG_CHECK_MODULES(\[[A-Z]*\], \[\([^ ]*\).*/\1/p' "$src/configure.ac")
	for module in $modules; do
		[ "$module" != criterion ] || continue
		line=$(echo "$needs" | awk -v m="$module" '$1 == m')
		if [ -z "$line" ]; then
			fault "configure.ac: $module is not known to ${0##*/}"
			continue
		fi
		deb=$(echo "$line" | awk '{ print $2 }')
		rpm=$(echo "$line" | awk '{ print $3 }')
		grep -q "^ ${deb}[ ,]" "$tmp/deb-needs" || fault "control.in: no $deb for $module"
		grep -q " $rpm\$" "$tmp/rpm-needs" || fault "pgha.spec: no $rpm for $module"
	done
	grep -q '^ pgha-client (= ' "$pack/debian/control.in" ||
		fault "control.in: pgha does not need its own pgha-client"
	grep -q '^Requires: *%{name}-client%{?_isa} = %{version}-%{release}$' "$spec" ||
		fault "pgha.spec: pgha does not need its own pgha-client"
	grep -q '^ postgresql-@PGVERSION@,' "$pack/debian/control.fence" ||
		fault "control.fence: the module does not need its server"
	grep -q '^Requires: *postgresql%{1}-server ' "$spec" ||
		fault "pgha.spec: the module does not need its server"
}

check_version() {
	version=$(sed -n 's/^AC_INIT(\[pgha\], \[\(.*\)\])$/\1/p' "$src/configure.ac")
	grep -qx "Version: *$version" "$spec" || fault "pgha.spec: the version is not $version"
	grep -q "^\* .* - $version-1\$" "$spec" || fault "pgha.spec: %changelog has no $version"
	if command -v rpmspec >/dev/null; then
		rpmspec -P --define '_unitdir /usr/lib/systemd/system' --define 'pg_majors 15 16' "$spec" \
			>"$tmp/parsed" 2>"$tmp/why" || fault "pgha.spec: $(cat "$tmp/why")"
		grep -q '^%files -n postgresql16-pgha-fence' "$tmp/parsed" ||
			fault "pgha.spec: no package of the module for each version"
		# In a macro %license is the tag of that name, unless it is written with two of them.
		[ "$(grep -c '^%license LICENSE *$' "$tmp/parsed")" -eq 4 ] ||
			fault "pgha.spec: not each package has its licence"
	fi
}

# scriptlet NAME: of the spec
scriptlet() {
	awk -v want="%$1" '
	/^%(pre|post|preun|postun|files|check|install|changelog)( |$)/ { on = $1 == want; next }
	on' "$spec"
}

check_scripts() {
	for script in postinst prerm postrm; do
		sed 's/^#DEBHELPER#$//' "$pack/debian/pgha.$script" >"$tmp/deb.$script"
	done
	for script in pre post preun postun; do
		scriptlet $script >"$tmp/rpm.$script"
	done
	for script in "$tmp"/deb.* "$tmp"/rpm.*; do
		name=${script##*/}
		sh -n "$script" || fault "$name: not a script"
		grep -v '^[[:space:]]*#' "$script" >"$tmp/code" || true
		if grep -E '(systemctl|deb-systemd-invoke|invoke-rc\.d|service).* (start|stop|restart|try-restart|enable|kill)' \
			"$tmp/code"; then
			fault "$name: starts or stops something by itself"
		fi
		if grep -E 'rm -[a-z]*r|find .*-delete|%systemd_(post|preun|postun)' "$tmp/code"; then
			fault "$name: deletes a tree, or a macro that stops agents"
		fi
	done
	for pair in deb.postinst:upgraded rpm.post:upgraded deb.prerm:removal rpm.preun:removal; do
		grep -q "pgha-units ${pair#*:}" "$tmp/${pair%:*}" ||
			fault "${pair%:*}: no pgha-units ${pair#*:}"
	done
	grep -q -e '--no-enable --no-start --no-stop-on-upgrade --no-restart-after-upgrade' \
		"$pack/debian/rules" || fault "rules: debhelper would stop or start agents"
	for script in pgha-units pgha-unclaimed install-files build-deb; do
		sh -n "$pack/$script" || fault "$script: not a script"
	done
	bash -n "$pack/vip/pgha-vip" || fault "pgha-vip: not a script"
	python3 -c 'import yaml' 2>/dev/null || return 0
	for example in traefik.yml vip-manager.yml; do
		python3 -c 'import sys, yaml; yaml.safe_load(open(sys.argv[1]))' \
			"$pack/examples/$example" || fault "$example: not YAML"
	done
}

# Those that imply NoNewPrivileges= for a unit with User=: systemd.exec(5).
implying='LockPersonality MemoryDenyWriteExecute PrivateDevices ProtectClock ProtectHostname
	ProtectKernelLogs ProtectKernelModules ProtectKernelTunables RestrictAddressFamilies
	RestrictFileSystems RestrictNamespaces RestrictRealtime RestrictSUIDSGID
	SystemCallArchitectures SystemCallFilter SystemCallLog NoNewPrivileges'

check_units() {
	sed '1,/^\[Unit\]/d; s/%i\.yml/pgha.yml/; s/pghad-%i/pghad/; s/^\(Description=.*\) %i$/\1/' \
		"$pack/pghad@.service" >"$tmp/a"
	sed '1,/^\[Unit\]/d' "$pack/pghad.service" >"$tmp/b"
	cmp -s "$tmp/a" "$tmp/b" || fault "pghad@.service is not pghad.service: $(diff "$tmp/a" "$tmp/b")"
	for option in $implying; do
		if grep -q "^$option=.*[^o]\$" "$pack/pghad.service" &&
			! grep -q "^$option=\(no\)\{0,1\}\$" "$pack/examples/allow-sudo.conf"; then
			fault "allow-sudo.conf: leaves $option="
		fi
	done
	for want in ConditionPathExists=/etc/pgha/pgha.yml Type=notify KillMode=process \
		RuntimeDirectoryPreserve=yes OOMPolicy=continue RemoveIPC=no TasksMax=infinity \
		StartLimitIntervalSec=0 WatchdogSignal=SIGKILL; do
		grep -qx "$want" "$pack/pghad.service" || fault "pghad.service: no $want"
	done
	# Each would be found out by a primary that is killed, or a guardian that is blind.
	for option in PrivateTmp ProtectProc ProtectClock PrivateDevices; do
		for unit in pghad.service pgha-guard@.service; do
			grep -qx "$option=\(no\|default\)" "$pack/$unit" || fault "$unit: $option= is on"
		done
	done
}

check_systemd() {
	if ! systemd-analyze security --help 2>/dev/null | grep -q -e --threshold; then
		echo "check-packages: no systemd-analyze, units are not analysed"
		return 0
	fi
	for unit in pghad.service pgha-guard@.service vip/pgha-vip.service; do
		systemd-analyze security --offline=true --no-pager --threshold=30 "$pack/$unit" \
			>"$tmp/score" 2>&1 || fault "$unit: $(tail -n 1 "$tmp/score")"
		if grep -i 'unknown\|invalid\|failed to' "$tmp/score"; then
			fault "$unit: systemd does not understand it"
		fi
	done
}

check_catalog() {
	sed -n 's/^#define MSG_[A-Z_]* *"\([0-9a-f]*\)"$/\1/p' "$src/src/agent/publish.c" |
		sort >"$tmp/a"
	sed -n 's/^-- //p' "$pack/pgha.catalog" | sort >"$tmp/b"
	[ -s "$tmp/a" ] || fault "publish.c: no message ids found"
	comm -23 "$tmp/a" "$tmp/b" | sed 's/^/pgha.catalog: nothing about /' >"$tmp/faults"
	comm -13 "$tmp/a" "$tmp/b" | sed 's/^/pgha.catalog: nobody sends /' >>"$tmp/faults"
	[ ! -s "$tmp/faults" ] || fault "$(cat "$tmp/faults")"
	awk '/^-- / { if (n && !(subject && text)) bad = 1; n++; subject = text = 0 }
		n && /^Subject: ./ { subject = 1 } n && /^[A-Z][a-z]* .*[a-z]/ { text = 1 }
		END { exit bad || !(subject && text) }' "$pack/pgha.catalog" ||
		fault "pgha.catalog: an entry without subject or text"
}

# claims YES|NO ARGUMENTS...
claims() {
	want=$1
	shift
	got=no
	PGHA_ROOT=$tmp/host "$pack/pgha-unclaimed" "$@" >"$tmp/out" || got=yes
	[ "$got" = "$want" ] || fault "pgha-unclaimed $*: claimed is $got, should be $want"
}

check_unclaimed() {
	mkdir -p "$tmp/host/etc/pgha/multi" "$tmp/host/etc/default" "$tmp/host/var/lib" \
		"$tmp/host/etc/postgresql/15/main" "$tmp/host/etc/postgresql/16/with-dash"
	cat >"$tmp/host/etc/pgha/a.yml" <<-'END'
	postgresql:
	  #data_dir: /var/lib/commented
	  data_dir: /var/lib/one   # the first
	  config_dir: "/etc/postgresql/16/with-dash"
	END
	echo "postgresql: {listen: x, data_dir: '/var/lib/two', bin_dir: /x}" \
		>"$tmp/host/etc/pgha/multi/b.yaml"
	echo 'PATRONI_POSTGRESQL_DATA_DIR=/var/lib/three' >"$tmp/host/etc/default/pghad-x"
	echo "PATRONI_POSTGRESQL_DATA_DIR='/var/lib/four'" >"$tmp/host/etc/default/pghad-y"
	echo 'PATRONI_POSTGRESQL_CONFIG_DIR="/var/lib/five"' >"$tmp/host/etc/default/pghad-z"
	echo "data_directory = '/var/lib/one'" >"$tmp/host/etc/postgresql/15/main/postgresql.conf"
	ln -s one "$tmp/host/var/lib/alias"
	claims yes /var/lib/one
	claims yes /var/lib/one/
	claims yes /var/lib/alias
	claims yes /var/lib/two
	claims yes /var/lib/three
	claims yes /var/lib/four
	claims yes /var/lib/five
	claims no /var/lib/commented
	claims no /var/lib/on
	claims no /var/lib
	claims yes --cluster 15-main
	claims yes --cluster 16-with-dash
	claims no --cluster 17-main
	claims no ''
	rm -r "$tmp/host/etc/pgha"
	claims no /var/lib/one
}

# A host on which pghad.service and pghad@b.service run. Its systemctl writes down what it is asked to
# do; a unit whose process is gone has another, as with Restart=always.
make_host() {
	rm -rf "$tmp/host"
	mkdir -p "$tmp/host/run/systemd/system" "$tmp/host/bin"
	cat >"$tmp/host/bin/systemctl" <<-'END'
	#!/bin/sh
	dir=${0%/bin/*}
	case "$1 $*" in
	"list-units "*pghad*) printf '%s loaded active running x\n' pghad.service pghad@b.service ;;
	"list-units "*vip*) echo 'pgha-vip.service loaded active running x' ;;
	"list-units "*guard*) echo 'pgha-guard@s-n.service loaded active running x' ;;
	"show "*MainPID*)
		pid=$(cat "$dir/${4}")
		if kill -0 "$pid" 2>/dev/null; then echo "$pid"; else echo 2147483647; fi
		;;
	"show "*ActiveState*) echo active ;;
	*) echo "$*" >>"$dir/asked" ;;
	esac
	END
	cat >"$tmp/host/bin/hactl" <<-'END'
	#!/bin/sh
	case $2 in
	*/pgha.yml) echo ' Maintenance mode: on' ;;
	*) cat "${0%/bin/*}/other" ;;
	esac
	END
	chmod 755 "$tmp/host/bin/systemctl" "$tmp/host/bin/hactl"
	: >"$tmp/host/asked"
}

run_units() {
	status=0
	PGHA_ROOT=$tmp/host PATH=$tmp/host/bin:$PATH "$pack/pgha-units" "$1" >"$tmp/out" 2>&1 ||
		status=$?
}

check_removal() {
	make_host
	echo 'one that is not paused' >"$tmp/host/other"
	run_units removal
	[ $status -ne 0 ] || fault "pgha-units: lets an agent go that is not paused"
	grep -q '^pgha: pghad@b.service runs and its cluster is not paused' "$tmp/out" ||
		fault "pgha-units: does not say which: $(cat "$tmp/out")"
	[ ! -s "$tmp/host/asked" ] || fault "pgha-units: refuses, and did $(cat "$tmp/host/asked")"
	echo ' Maintenance mode: on' >"$tmp/host/other"
	run_units removal
	[ $status -eq 0 ] || fault "pgha-units: refuses in a pause: $(cat "$tmp/out")"
	printf 'stop %s\n' pghad.service pghad@b.service pgha-guard@s-n.service \
		pgha-vip.service >"$tmp/a"
	cmp -s "$tmp/a" "$tmp/host/asked" ||
		fault "pgha-units: in a pause it did $(cat "$tmp/host/asked")"
	grep -q 'PostgreSQL was left running' "$tmp/out" ||
		fault "pgha-units: does not say that PostgreSQL is left running"
}

# Runs NAME, whose file is another one then: on SIGUSR2 it executes that. Sets $old.
start_old() {
	cp "$(readlink -f /bin/sh)" "$tmp/host/$1"
	# shellcheck disable=SC2016
	"$tmp/host/$1" -c 'trap "exec $1 -c \"sleep 60\"" USR2; while :; do sleep 0.05; done' x \
		"$tmp/host/$1" &
	old=$!
	# Replaced only once it runs: until then the process is still this shell.
	tries=0
	until [ "$(readlink /proc/$old/exe)" = "$tmp/host/$1" ] || [ $tries -gt 100 ]; do
		tries=$((tries + 1))
		sleep 0.05
	done
	cp "$tmp/host/$1" "$tmp/host/$1.new"
	mv "$tmp/host/$1.new" "$tmp/host/$1"
}

is_old() {
	case $(readlink "/proc/$1/exe") in
	*' (deleted)') return 0 ;;
	esac
	return 1
}

check_upgraded() {
	make_host
	printf '#!/bin/sh\nexit 127\n' >"$tmp/host/bin/pghad"
	printf '#!/bin/sh\n' >"$tmp/host/bin/pgha-guard"
	chmod 755 "$tmp/host/bin/pghad" "$tmp/host/bin/pgha-guard"
	start_old guard
	guard=$old
	start_old agent
	sleep 60 &
	same=$!
	echo $old >"$tmp/host/pghad.service"
	echo $same >"$tmp/host/pghad@b.service"
	echo $guard >"$tmp/host/pgha-guard@s-n.service"
	run_units upgraded
	if ! grep -q 'cannot be executed here' "$tmp/out" || ! is_old $old || ! is_old $guard; then
		fault "pgha-units: executes what does not run: $(cat "$tmp/out")"
	fi
	printf '#!/bin/sh\n' >"$tmp/host/bin/pghad"
	: >"$tmp/host/asked"
	run_units upgraded
	[ $status -eq 0 ] || fault "pgha-units: an upgrade fails: $(cat "$tmp/out")"
	printf 'pgha: %s runs the new version; its PostgreSQL went on\n' pghad.service \
		pgha-guard@s-n.service >"$tmp/a"
	cmp -s "$tmp/a" "$tmp/out" || fault "pgha-units: an agent of before is left: $(cat "$tmp/out")"
	if is_old $old || is_old $guard; then
		fault "pgha-units: says what it did not do"
	fi
	kill -0 $same 2>/dev/null || fault "pgha-units: kills an agent that is up to date"
	[ "$(cat "$tmp/host/asked")" = daemon-reload ] ||
		fault "pgha-units: an upgrade did $(cat "$tmp/host/asked")"
	kill $same $old $guard 2>/dev/null || :
	wait $same $old $guard 2>/dev/null || :
}

check_agents() {
	if [ ! -r /proc/self/exe ]; then
		return 0
	fi
	check_removal
	check_upgraded
}

if [ $# -gt 0 ]; then
	shift
fi
for check in ${*:-contents needs version scripts units systemd catalog unclaimed agents}; do
	"check_$check"
done
if [ "$fail" -ne 0 ]; then
	echo "check-packages: faults above" >&2
	exit 1
fi
echo "check-packages: both kinds agree"
