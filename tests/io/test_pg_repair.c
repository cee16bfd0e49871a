/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_pg_repair - rewind and clone, and what a failure in the middle leaves
 */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/parse.h"
#include "io/child.h"
#include "io/pgproc.h"
#include "pgrig.h"

static struct node *one, *two, *three;

static void sh(const char *command)
{
	const char *argv[] = { "sh", "-c", command, NULL };
	struct child_spec spec = { .name = "sh", .argv = argv };
	_cleanup_(buf_done) struct buf output = { 0 };
	int code = 1;

	CHECK(child_run(&spec, 60000, &output, &code, NULL) == 0 && code == 0, "%s: %s", command,
	      output.data);
}

static uint64_t send_from(struct node *node, enum pg_op op, const struct node *upstream)
{
	struct pg_req req = { .op = op };

	str_copy(req.upstream.name, NAME_SIZE, upstream->config.name);
	str_copy(req.upstream.host, HOST_SIZE, "127.0.0.1");
	req.upstream.port = upstream->config.pg.port;
	return node_send(node, &req);
}

/* `a` is primary and `b` its standby; afterwards both are primaries of different pasts, and `a`
 * has written `rows` of about 1 kB that `b` does not have. */
static void diverge(struct node *a, struct node *b, long rows)
{
	_cleanup_(buf_done) struct buf sql = { 0 };

	CHECK(node_do(b, PGOP_PROMOTE) == 0, "%s", b->err.msg);
	buf_printf(&sql, "insert into t select -1, repeat(md5(g::text), 30) from "
			 "generate_series(1, %ld) g", rows);
	CHECK(node_sql(a, sql.data, NULL));
	CHECK(node_sql(b, "insert into t values (2, 'after')", NULL));
}

static void follow(struct node *node, const struct node *upstream)
{
	CHECK(node_from(node, PGOP_START_STANDBY, upstream) == 0, "%s", node->err.msg);
	do
		node_until(node, PG_UP, ROLE_REPLICA);
	while (!node->state.streaming);
}

/* Waits until everything of `upstream` has been replayed. */
static void catch_up(struct node *node, struct node *upstream)
{
	CHECK(node_do(upstream, PGOP_PROBE) == 0);
	do
		node_until(node, PG_UP, ROLE_REPLICA);
	while (node->state.replay_lsn < upstream->state.flush_lsn);
}

/* -- rewind ------------------------------------------------------------------------------- */

static void rewinds_right_after_a_promotion(void)
{
	node_bootstrap(one);
	CHECK(node_sql(one, "create table t (a int, b text)", NULL));
	node_join(two, one);
	diverge(one, two, 10);
	CHECK(node_stop(one, STOP_FAST) == 0);
	/* No checkpoint yet on the new primary: its control file still names the old timeline. */
	CHECK(node_from(one, PGOP_REWIND, two) == 0, "%s", one->err.msg);
	CHECK(str_eq(one->text, "rewound to 'node2'"), "%s", one->text);
	CHECK(one->state.dir == DIR_PRESENT && one->state.standby_signal);
	CHECK(!node_has(one, "pgha.rewinding"));
	follow(one, two);
	CHECK(one->state.timeline == 2);
	catch_up(one, two);
	CHECK(node_number(one, "select count(*) from t where a = -1") == 0);
	CHECK(node_number(one, "select count(*) from t where a = 2") == 1);
}

static void rewinds_one_that_was_not_shut_down(void)
{
	diverge(two, one, 1000);
	kill((pid_t)two->state.postmaster_pid, SIGKILL);
	CHECK(node_stop(two, STOP_KILL) == 0);
	CHECK(two->state.control == CONTROL_IN_PRODUCTION);
	CHECK(node_from(two, PGOP_REWIND, one) == 0, "%s", two->err.msg);
	CHECK(str_eq(two->text, "rewound to 'node1'"), "%s", two->text);
	follow(two, one);
	CHECK(two->state.timeline == 3);
	catch_up(two, one);
	CHECK(node_number(two, "select count(*) from t where a = -1") == 0);
}

/* The real one, kept from ending after it has told all that it tells. */
static void make_rewind_that_waits(char dir[160])
{
	_cleanup_(buf_done) struct buf script = { 0 };

	str_printf(dir, 160, "%s/bin", rig_dir());
	buf_printf(&script,
		   "mkdir %s && ln -s %s/* %s && rm %s/pg_rewind && cat >%s/pg_rewind <<'END'\n"
		   "#!/bin/sh\n"
		   "%s/pg_rewind \"$@\" && rc=0 || rc=$?\n"
		   "touch %s/told; while [ ! -e %s/go ]; do sleep 0.05; done; exit $rc\n"
		   "END\nchmod +x %s/pg_rewind",
		   dir, pgrig_bin(), dir, dir, dir, pgrig_bin(), dir, dir, dir);
	sh(script.data);
}

static void tells_how_far_a_rewind_is(void)
{
	char *before = one->config.pg.bin_dir;
	char told[200], dir[160], go[200];
	int64_t done = -1, total = -1;
	uint64_t ticket;

	make_rewind_that_waits(dir);
	str_printf(told, sizeof(told), "%s/told", dir);
	str_printf(go, sizeof(go), "touch %s/go", dir);
	one->config.pg.bin_dir = dir;
	node_configure(two);
	diverge(one, two, 1000);
	CHECK(node_stop(one, STOP_FAST) == 0);
	pg_progress(one->pg, &done, &total);
	CHECK(done == 0 && total == 0);
	ticket = send_from(one, PGOP_REWIND, two);
	while (access(told, F_OK) != 0) {
		CHECK(one->answered != ticket, "%s", one->err.msg);
		pgrig_step();
	}
	do {
		pgrig_step();
		pg_progress(one->pg, &done, &total);
	} while (total == 0);
	/* A thousand rows of 1 kB at least, and all of it by now. */
	CHECK(done == total && total > 1000000, "%lld of %lld", (long long)done, (long long)total);
	CHECK(one->answered != ticket);
	sh(go);
	CHECK(node_wait(one, ticket) == 0, "%s", one->err.msg);
	CHECK(str_eq(one->text, "rewound to 'node2'"), "%s", one->text);
	pg_progress(one->pg, &done, &total);
	CHECK(done == 0 && total == 0);
	one->config.pg.bin_dir = before;
	node_configure(two);
	follow(one, two);
	catch_up(one, two);
	/* As it was before. */
	CHECK(node_stop(two, STOP_FAST) == 0);
	CHECK(node_do(one, PGOP_PROMOTE) == 0, "%s", one->err.msg);
	node_until(one, PG_UP, ROLE_PRIMARY);
	follow(two, one);
}

static void says_when_nothing_was_to_be_done(void)
{
	/* Before 16 pg_rewind knows a timeline by the last checkpoint only. */
	CHECK(node_sql(one, "checkpoint", NULL));
	catch_up(two, one);
	CHECK(node_stop(two, STOP_FAST) == 0);
	CHECK(node_from(two, PGOP_REWIND, one) == 0, "%s", two->err.msg);
	CHECK(str_eq(two->text, "no rewind was required from 'node1'"), "%s", two->text);
	CHECK(!node_has(two, "pgha.rewinding") && two->state.dir == DIR_PRESENT);
	follow(two, one);
}

static void failing_before_the_first_byte_changes_nothing(void)
{
	char wrong[] = "wrong";
	char *right = two->config.pg.rewind.password;

	CHECK(node_stop(two, STOP_FAST) == 0);
	two->config.pg.rewind.password = wrong;
	node_configure(two);
	CHECK(node_from(two, PGOP_REWIND, one) < 0);
	CHECK(strstr(two->err.msg, "password authentication failed"), "%s", two->err.msg);
	CHECK(two->state.dir == DIR_PRESENT && two->state.standby_signal);
	two->config.pg.rewind.password = right;
	node_configure(two);

	/* A server that is a standby itself, and one that does not answer. */
	CHECK(node_from(two, PGOP_REWIND, three) == -(int)ERR_CONNECT, "%s", two->err.msg);
	CHECK(two->state.dir == DIR_PRESENT && !node_has(two, "pgha.rewinding"));
	follow(two, one);
}

/* The bytes that a process has written so far. */
static long long written_by(pid_t pid)
{
	char path[64], line[128];
	long long bytes = 0;
	FILE *f;

	str_printf(path, sizeof(path), "/proc/%d/io", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		(void)!sscanf(line, "wchar: %lld", &bytes);
	fclose(f);
	return bytes;
}

/* A living child of ours by its program's name; 0: none. */
static pid_t child_named(const char *name)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	pid_t found = 0;

	while (proc && !found && (entry = readdir(proc))) {
		char path[300], text[512] = "", comm[64] = "", state = 0;
		int parent = 0;
		FILE *f;

		str_printf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fgets(text, sizeof(text), f) &&
		    sscanf(text, "%*d (%63[^)]) %c %d", comm, &state, &parent) == 3 &&
		    state != 'Z' && parent == (int)getpid() && str_eq(comm, name))
			found = (pid_t)atol(entry->d_name);
		fclose(f);
	}
	closedir(proc);
	return found;
}

/* Waits until the program has written so much; then it is killed. */
static void kill_when_written(const char *name, long long bytes)
{
	int64_t until_ms = loop_now_ms() + 30000;
	pid_t pid = 0;

	while (pid == 0 || written_by(pid) < bytes) {
		CHECK(loop_now_ms() < until_ms, "%s never wrote that much", name);
		(void)loop_step(pgrig_loop(), 1);
		pid = child_named(name);
	}
	kill(pid, SIGKILL);
	while (child_named(name) == pid)
		(void)loop_step(pgrig_loop(), 1);
}

static void killed_in_the_middle_it_can_only_be_replaced(void)
{
	struct pg_state look;
	uint64_t ticket;

	/* The new primary changes much, so that there is much to copy. */
	CHECK(node_do(two, PGOP_PROMOTE) == 0, "%s", two->err.msg);
	CHECK(node_sql(two, "insert into t select 3, repeat(md5(g::text), 30) from "
			    "generate_series(1, 200000) g", NULL));
	CHECK(node_sql(one, "insert into t values (-2, 'lost')", NULL));
	CHECK(node_stop(one, STOP_FAST) == 0);
	ticket = send_from(one, PGOP_REWIND, two);
	kill_when_written("pg_rewind", 8 * 1024 * 1024);
	CHECK(node_wait(one, ticket) == -(int)ERR_CHILD, "%d %s", one->result, one->err.msg);
	CHECK(one->state.dir == DIR_HALF && node_has(one, "pgha.rewinding"));

	/* Also for an agent that knows nothing yet. */
	node_restart_agent(one);
	pg_look(one->pg, &look);
	CHECK(look.dir == DIR_HALF);
	CHECK(node_from(one, PGOP_START_STANDBY, two) == -(int)ERR_STATE);
	CHECK(node_do(one, PGOP_START_PRIMARY) == -(int)ERR_STATE);
	CHECK(node_from(one, PGOP_REWIND, two) == -(int)ERR_STATE);
}

/* -- clone -------------------------------------------------------------------------------- */

static void replaces_the_half_directory(void)
{
	CHECK(node_from(one, PGOP_CLONE, two) == 0, "%s", one->err.msg);
	CHECK(one->state.dir == DIR_PRESENT);
	follow(one, two);
	catch_up(one, two);
	CHECK(node_number(one, "select count(*) from t where a = -2") == 0);
	CHECK(node_number(one, "select count(*) from t where a = 3") == 200000);
	/* The old one is deleted in the background. */
	while (access(one->data_dir, F_OK) == 0) {
		char old[160];

		str_printf(old, sizeof(old), "%s.pgha-old", one->data_dir);
		if (access(old, F_OK) != 0)
			break;
		pgrig_step();
	}
}

static void a_clone_that_dies_leaves_the_old_one(void)
{
	char staged[160];
	uint64_t ticket;

	str_printf(staged, sizeof(staged), "%s.pgha-new", one->data_dir);
	CHECK(node_stop(one, STOP_FAST) == 0);
	ticket = send_from(one, PGOP_CLONE, two);
	kill_when_written("pg_basebackup", 4 * 1024 * 1024);
	/* It is tried a second time. */
	kill_when_written("pg_basebackup", 4 * 1024 * 1024);
	CHECK(node_wait(one, ticket) == -(int)ERR_CHILD);
	CHECK(strstr(one->err.msg, "killed by signal 9"), "%s", one->err.msg);
	CHECK(node_do(one, PGOP_PROBE) == 0 && one->state.dir == DIR_PRESENT);
	follow(one, two);
	while (access(staged, F_OK) == 0)
		pgrig_step();
}

static void an_agent_that_dies_in_a_clone_leaves_the_old_one(void)
{
	char staged[160];
	int64_t until_ms = loop_now_ms() + 30000;

	str_printf(staged, sizeof(staged), "%s.pgha-new", one->data_dir);
	CHECK(node_stop(one, STOP_FAST) == 0);
	(void)send_from(one, PGOP_CLONE, two);
	while (access(staged, F_OK) != 0) {
		CHECK(loop_now_ms() < until_ms);
		(void)loop_step(pgrig_loop(), 1);
	}
	node_restart_agent(one);
	while (access(staged, F_OK) == 0) {
		CHECK(loop_now_ms() < until_ms);
		(void)loop_step(pgrig_loop(), 10);
	}
	CHECK(node_do(one, PGOP_PROBE) == 0 && one->state.dir == DIR_PRESENT);
	follow(one, two);
}

static void stop_interrupts_a_clone(void)
{
	struct pg_req stop = { .op = PGOP_STOP, .stop = STOP_FAST };
	uint64_t clone, stopped;

	CHECK(node_stop(one, STOP_FAST) == 0);
	clone = send_from(one, PGOP_CLONE, two);
	while (child_named("pg_basebackup") == 0)
		(void)loop_step(pgrig_loop(), 1);
	stopped = node_send(one, &stop);
	CHECK(node_wait(one, clone) == -(int)ERR_CANCELED);
	CHECK(node_wait(one, stopped) == 0);
	CHECK(child_named("pg_basebackup") == 0);
	follow(one, two);
}

static void another_cluster_is_never_taken(void)
{
	node_bootstrap(three);
	CHECK(node_stop(one, STOP_FAST) == 0);
	CHECK(node_from(one, PGOP_CLONE, three) == -(int)ERR_CONFIG, "%d", one->result);
	CHECK(strstr(one->err.msg, one->state.sysid) && strstr(one->err.msg, three->state.sysid),
	      "%s", one->err.msg);
	CHECK(node_from(one, PGOP_REWIND, three) == -(int)ERR_CONFIG);
	CHECK(node_from(one, PGOP_ANCESTRY, three) == -(int)ERR_CONFIG);
	follow(one, two);
	CHECK(node_stop(three, STOP_KILL) == 0);
}

static void waldir_takes_turns(void)
{
	static char option[] = "waldir", path[128];
	static struct pair pairs[] = { { option, path } };
	char target[160] = "", other[160];

	str_printf(path, sizeof(path), "%s/wal", rig_dir());
	str_printf(other, sizeof(other), "%s.pgha-new", path);
	one->config.pg.basebackup.items = pairs;
	one->config.pg.basebackup.n = 1;
	node_configure(one);
	for (int i = 0; i < 3; i++) {
		char link[160];
		ssize_t len;

		CHECK(node_stop(one, STOP_FAST) == 0);
		CHECK(node_from(one, PGOP_CLONE, two) == 0, "%s", one->err.msg);
		str_printf(link, sizeof(link), "%s/pg_wal", one->data_dir);
		len = readlink(link, target, sizeof(target) - 1);
		CHECK(len > 0);
		target[len] = '\0';
		CHECK(str_eq(target, i % 2 ? other : path), "%s", target);
		follow(one, two);
	}
	while (access(other, F_OK) == 0)
		pgrig_step();
	/* A place that holds somebody else's files is left alone. */
	CHECK(node_stop(one, STOP_FAST) == 0);
	str_printf(path, sizeof(path), "%s/others", rig_dir());
	CHECK(mkdir(path, 0700) == 0);
	str_printf(other, sizeof(other), "%s/file", path);
	close(open(other, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	CHECK(node_from(one, PGOP_CLONE, two) == -(int)ERR_STATE);
	CHECK(strstr(one->err.msg, "is not empty"), "%s", one->err.msg);
	CHECK(access(other, F_OK) == 0);
	one->config.pg.basebackup.n = 0;
	node_configure(one);
	follow(one, two);
}

static void custom_methods_come_first(void)
{
	static char bad_name[] = "broken", bad[] = "false", copy_name[] = "copy", base[] = "basebackup";
	static struct replica_method methods[3];
	_cleanup_(buf_done) struct buf script = { 0 };
	_cleanup_(buf_done) struct buf seen = { 0 };
	char seen_path[160];

	str_printf(seen_path, sizeof(seen_path), "%s/args", rig_dir());
	buf_printf(&script, "sh -c 'echo \"$@\" > %s; export PATH=%s:$PATH; "
			    "for a; do case $a in --connstring=*) c=${a#*=};; --datadir=*) d=${a#*=};; "
			    "esac; done; pg_basebackup -D $d -X stream -c fast -d \"$c\"' sh",
		   seen_path, pgrig_bin());
	methods[0] = (struct replica_method){ .name = bad_name, .command = bad };
	methods[1] = (struct replica_method){ .name = copy_name, .command = script.data };
	methods[2] = (struct replica_method){ .name = base };
	one->config.pg.methods = methods;
	one->config.pg.nmethods = 3;
	node_configure(one);
	CHECK(node_stop(one, STOP_FAST) == 0);
	CHECK(node_from(one, PGOP_CLONE, two) == 0, "%s", one->err.msg);
	CHECK(str_eq(one->text, "copied from 'node2' by copy"), "%s", one->text);
	CHECK(!node_has(one, "pgha.aside") && one->state.standby_signal);
	buf_printf(&seen, "grep -q -e '--scope=test --role=replica --datadir=%s --connstring=' %s && "
			  "! grep -q 'se.cr' %s", one->data_dir, seen_path, seen_path);
	sh(seen.data);
	follow(one, two);

	/* Without a server to copy from only what needs none may run. */
	CHECK(node_stop(one, STOP_FAST) == 0);
	CHECK(node_from(one, PGOP_CLONE, NULL) == -(int)ERR_STATE);
	methods[0].no_leader = true;
	CHECK(node_from(one, PGOP_CLONE, NULL) == -(int)ERR_CHILD);
	/* What stood there stands there. */
	CHECK(node_do(one, PGOP_PROBE) == 0 && one->state.dir == DIR_PRESENT);
	one->config.pg.nmethods = 0;
	node_configure(one);
	follow(one, two);
}

/* -- full disk ---------------------------------------------------------------------------- */

static char small_disk[128];

/* What has a place of its own takes no room beside the data directory. */
static void a_table_space_is_elsewhere(void)
{
	static char name[] = "tablespace-mapping", value[400];
	static struct pair options[1];
	char apart[160], text[300];

	str_printf(apart, sizeof(apart), "%s/apart", rig_dir());
	str_printf(value, sizeof(value), "%s=%s-copy", apart, apart);
	CHECK(mkdir(apart, 0700) == 0);
	str_printf(text, sizeof(text), "create tablespace apart location '%s'", apart);
	CHECK(node_sql(two, text, NULL));
	CHECK(node_sql(two, "alter table t set tablespace apart", NULL));
	options[0] = (struct pair){ name, value };
	three->config.pg.basebackup.items = options;
	three->config.pg.basebackup.n = 1;
	node_configure(three);
	CHECK(node_from(three, PGOP_CLONE, two) == 0, "%s", three->err.msg);
	CHECK(three->state.dir == DIR_PRESENT && !three->state.emptied);
}

/* A place has room for one copy, which takes the place of the other; what else is there stays. */
static void a_table_space_is_copied_again(void)
{
	char text[300];

	str_printf(text, sizeof(text), "echo >%s/apart-copy/PG_9_1", rig_dir());
	sh(text);
	/* One that fails leaves half a directory, which is never taken for a whole one. */
	CHECK(node_from(three, PGOP_CLONE, two) == -(int)ERR_CHILD);
	CHECK(strstr(three->err.msg, "is not empty"), "%s", three->err.msg);
	CHECK(node_do(three, PGOP_PROBE) == 0);
	CHECK(three->state.dir == DIR_HALF && three->state.emptied);
	str_printf(text, sizeof(text), "rm %s/apart-copy/PG_9_1", rig_dir());
	sh(text);
	CHECK(node_from(three, PGOP_CLONE, two) == 0, "%s", three->err.msg);
	CHECK(three->state.dir == DIR_PRESENT && !three->state.emptied);
	CHECK(node_from(three, PGOP_CLONE, two) == 0, "%s", three->err.msg);

	three->config.pg.basebackup.n = 0;
	node_configure(three);
	CHECK(node_sql(two, "alter table t set tablespace pg_default", NULL));
	CHECK(node_sql(two, "drop tablespace apart", NULL));
	str_printf(text, sizeof(text), "rm -r %s/*", three->data_dir);
	sh(text);
}

static void a_full_disk_loses_nothing(void)
{
	char file[200];

	if (!small_disk[0]) {
		fprintf(stderr, "   skipped: needs root for a small disk\n");
		return;
	}
	/* No room, and it is known beforehand. */
	str_printf(three->data_dir, sizeof(three->data_dir), "%s/data", small_disk);
	node_restart_agent(three);
	CHECK(node_from(three, PGOP_CLONE, two) == -(int)ERR_STATE);
	CHECK(strstr(three->err.msg, "no room for a base backup"), "%s", three->err.msg);
	a_table_space_is_elsewhere();
	a_table_space_is_copied_again();

	/* Room by the numbers, but not in the end. */
	CHECK(node_sql(two, "truncate t", NULL));
	CHECK(node_sql(two, "checkpoint", NULL));
	str_printf(file, sizeof(file),
		   "f=%s/fill; s=$(($(df --output=avail -k %s | tail -1) - 122000)); "
		   "head -c ${s}k /dev/zero > $f",
		   small_disk, small_disk);
	sh(file);
	{
		struct pg_req req = { .op = PGOP_CLONE };
		uint64_t ticket;
		char staged[200];

		(void)req;
		ticket = send_from(three, PGOP_CLONE, two);
		str_printf(staged, sizeof(staged), "%s.pgha-new", three->data_dir);
		while (access(staged, F_OK) != 0 && three->answered != ticket)
			(void)loop_step(pgrig_loop(), 1);
		str_printf(file, sizeof(file), "head -c 200m /dev/zero > %s/more || true",
			   small_disk);
		sh(file);
		CHECK(node_wait(three, ticket) < 0);
		CHECK(strstr(three->err.msg, "No space left on device"), "%s", three->err.msg);
		CHECK(node_do(three, PGOP_PROBE) == 0 && three->state.dir == DIR_EMPTY);
	}
}

/* As root and in a mount namespace of our own, so that nothing is left behind. */
static void make_small_disk(void)
{
	if (geteuid() != 0)
		return;
	CHECK(unshare(CLONE_NEWNS) == 0);
	CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	str_copy(small_disk, sizeof(small_disk), "/tmp/pgha-small-XXXXXX");
	CHECK(mkdtemp(small_disk) != NULL);
	CHECK(mount("tmpfs", small_disk, "tmpfs", 0, "size=220m,mode=0777") == 0);
}

int main(void)
{
	make_small_disk();
	pgrig_begin();
	one = node_new(1);
	two = node_new(2);
	three = node_new(3);
	RUN(rewinds_right_after_a_promotion);
	RUN(rewinds_one_that_was_not_shut_down);
	RUN(tells_how_far_a_rewind_is);
	RUN(says_when_nothing_was_to_be_done);
	RUN(failing_before_the_first_byte_changes_nothing);
	RUN(killed_in_the_middle_it_can_only_be_replaced);
	RUN(replaces_the_half_directory);
	RUN(a_clone_that_dies_leaves_the_old_one);
	RUN(an_agent_that_dies_in_a_clone_leaves_the_old_one);
	RUN(stop_interrupts_a_clone);
	RUN(another_cluster_is_never_taken);
	RUN(waldir_takes_turns);
	RUN(custom_methods_come_first);
	RUN(a_full_disk_loses_nothing);
	return 0;
}
