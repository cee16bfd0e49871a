/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_child - programs as children: output, ends, environment, and how they are ended
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/child.h"
#include "rig.h"

static struct loop *loop;

struct seen {
	bool ended;
	bool exited, stopped;
	int code;
	struct buf output;
	struct child *child;
};

static void on_end(void *ctx, const struct child_end *end)
{
	struct seen *seen = ctx;

	CHECK(!seen->ended);
	CHECK(strlen(end->output) <= end->len);
	seen->ended = true;
	seen->exited = end->exited;
	seen->stopped = end->stopped;
	seen->code = end->code;
	buf_add(&seen->output, end->output, end->len);
	child_free(seen->child);
	seen->child = NULL;
}

static void begin(struct seen *seen, const char *script, struct child_spec *spec)
{
	const char *argv[] = { "/bin/sh", "-c", script, NULL };
	struct err err = { 0 };

	spec->name = "sh";
	spec->argv = argv;
	CHECK(child_spawn(loop, spec, on_end, seen, &seen->child, &err) == 0, "%s", err.msg);
}

static void finish(struct seen *seen)
{
	int64_t until_ms = loop_now_ms() + 30000;

	while (!seen->ended) {
		CHECK(loop_now_ms() < until_ms);
		(void)loop_step(loop, 1000);
	}
}

static void run(struct seen *seen, const char *script, struct child_spec *spec)
{
	begin(seen, script, spec);
	finish(seen);
}

static void tells_output_and_code(void)
{
	struct child_spec spec = { 0 };
	struct seen seen = { 0 };

	run(&seen, "echo out; echo err >&2; exit 3", &spec);
	CHECK(seen.exited && seen.code == 3 && !seen.stopped);
	CHECK(str_eq(seen.output.data, "out\nerr\n"), "%s", seen.output.data);
	buf_done(&seen.output);

	seen = (struct seen){ 0 };
	run(&seen, "kill -9 $$", &spec);
	CHECK(!seen.exited && seen.code == SIGKILL && !seen.stopped);
	buf_done(&seen.output);
}

static void keeps_both_ends_of_much_output(void)
{
	struct child_spec spec = { 0 };
	struct seen seen = { 0 };

	run(&seen, "echo first; i=0; while [ $i -lt 30000 ]; do echo 0123456789; i=$((i+1)); done; "
		   "echo last", &spec);
	CHECK(seen.code == 0);
	CHECK(str_starts(seen.output.data, "first\n") && str_ends(seen.output.data, "\nlast\n"));
	CHECK(strstr(seen.output.data, "\n...\n") != NULL);
	CHECK(seen.output.len < CHILD_OUTPUT_BYTES + 16, "%zu", seen.output.len);
	buf_done(&seen.output);
}

static void is_not_held_by_what_it_leaves_behind(void)
{
	struct child_spec spec = { 0 };
	struct seen seen = { 0 };
	int64_t began_ms = loop_now_ms();
	int pid;

	/* The pipe stays open for as long as the grandchild lives. */
	run(&seen, "sleep 60 & echo $!", &spec);
	CHECK(seen.code == 0 && loop_now_ms() - began_ms < 10000);
	pid = atoi(seen.output.data);
	CHECK(pid > 1 && kill(pid, SIGKILL) == 0);
	buf_done(&seen.output);
}

static void gives_input_without_a_file(void)
{
	struct child_spec spec = { .input = "se'cret\n" };
	struct seen seen = { 0 };

	run(&seen, "cat /dev/stdin", &spec);
	CHECK(str_eq(seen.output.data, "se'cret\n"));
	buf_done(&seen.output);
	seen = (struct seen){ 0 };
	spec.input = NULL;
	run(&seen, "cat", &spec);
	CHECK(seen.code == 0 && seen.output.data[0] == '\0');
	buf_done(&seen.output);
}

static void has_a_clean_environment(void)
{
	const char *env[] = { "MINE=yes", "OTHER=replaced", NULL };
	struct child_spec spec = { .env = env, .c_locale = true };
	struct seen seen = { 0 };

	setenv("PATRONI_NAME", "x", 1);
	setenv("PATRONI_SUPERUSER_PASSWORD", "x", 1);
	setenv("PGHA_X", "x", 1);
	setenv("KUBERNETES_PORT", "x", 1);
	setenv("NOTIFY_SOCKET", "x", 1);
	setenv("WATCHDOG_USEC", "1", 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("PGPASSWORD", "x", 1);
	setenv("PGHOST", "x", 1);
	setenv("LC_ALL", "de_DE.UTF-8", 1);
	setenv("OTHER", "old", 1);
	setenv("KEPT", "kept", 1);
	run(&seen, "env", &spec);
	CHECK(strstr(seen.output.data, "\nKEPT=kept\n") != NULL);
	CHECK(strstr(seen.output.data, "MINE=yes\n") != NULL);
	CHECK(strstr(seen.output.data, "OTHER=replaced\n") != NULL);
	CHECK(strstr(seen.output.data, "LC_ALL=C\n") != NULL);
	CHECK(strstr(seen.output.data, "OTHER=old") == NULL);
	CHECK(strstr(seen.output.data, "PATRONI_") == NULL);
	CHECK(strstr(seen.output.data, "PGHA_") == NULL);
	CHECK(strstr(seen.output.data, "KUBERNETES_") == NULL);
	CHECK(strstr(seen.output.data, "NOTIFY_SOCKET") == NULL);
	CHECK(strstr(seen.output.data, "WATCHDOG") == NULL);
	CHECK(strstr(seen.output.data, "LISTEN_FDS") == NULL);
	CHECK(strstr(seen.output.data, "PGPASSWORD") == NULL && !strstr(seen.output.data, "PGHOST"));
	CHECK(strstr(seen.output.data, "de_DE") == NULL);
	buf_done(&seen.output);

	seen = (struct seen){ 0 };
	spec.c_locale = false;
	run(&seen, "echo $LC_ALL", &spec);
	CHECK(str_eq(seen.output.data, "de_DE.UTF-8\n"));
	buf_done(&seen.output);
	unsetenv("LC_ALL");
}

static void inherits_nothing_else(void)
{
	struct child_spec spec = { 0 };
	struct seen seen = { 0 };
	int leaked = fcntl(STDERR_FILENO, F_DUPFD, 3); /* not close-on-exec, as one of a library */
	sigset_t term;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	run(&seen, "ls /proc/self/fd | tr '\\n' ' '; grep SigBlk /proc/self/status; "
		   "grep -c 'SigIgn:.*[08]0000000$' /proc/self/status; "
		   "[ $(ps -o sid= -p $$) -eq $$ ] && echo leader", &spec);
	/* 3 is ls reading the directory. Signals 32 and 33 are glibc's own. */
	CHECK(str_starts(seen.output.data, "0 1 2 3 SigBlk:\t0000000000000000\n1\nleader\n"), "%s",
	      seen.output.data);
	buf_done(&seen.output);
	sigprocmask(SIG_UNBLOCK, &term, NULL);
	close(leaked);
}

static void ends_what_takes_too_long(void)
{
	struct child_spec spec = { .term_at_ms = loop_now_ms() + 100 };
	struct seen seen = { 0 };
	int64_t began_ms = loop_now_ms();
	char file[128], script[300];

	/* What it started goes with it, also when that does not hear TERM. */
	str_printf(file, sizeof(file), "%s/grandchild", rig_dir());
	str_printf(script, sizeof(script),
		   "(trap '' TERM; echo $$ > %s; while :; do sleep 1; done) & "
		   "trap 'echo told; exit 0' TERM; while :; do sleep 0.05; done", file);
	run(&seen, script, &spec);
	CHECK(seen.stopped && seen.exited && seen.code == 0);
	CHECK(strstr(seen.output.data, "told\n") != NULL, "%s", seen.output.data);
	CHECK(loop_now_ms() - began_ms < 4000);
	buf_done(&seen.output);
}

static void kills_what_does_not_listen(void)
{
	struct child_spec spec = { 0 };
	struct seen seen = { 0 };
	int64_t began_ms = loop_now_ms();
	char deaf[128], script[256];

	str_printf(deaf, sizeof(deaf), "%s/deaf", rig_dir());
	str_printf(script, sizeof(script), "trap '' TERM; : > %s; while :; do sleep 0.1; done",
		   deaf);
	begin(&seen, script, &spec);
	while (access(deaf, F_OK) != 0)
		(void)loop_step(loop, 1);
	child_stop(seen.child);
	child_stop(seen.child);
	finish(&seen);
	CHECK(seen.stopped && !seen.exited && seen.code == SIGKILL);
	CHECK(loop_now_ms() - began_ms >= CHILD_TERM_MS);
	buf_done(&seen.output);
}

static void a_child_let_go_leaves_no_zombie(void)
{
	struct child_spec spec = { 0 };
	struct seen seen = { 0 };
	int64_t until_ms = loop_now_ms() + 10000;
	pid_t pid;

	begin(&seen, "sleep 100", &spec);
	pid = child_pid(seen.child);
	child_free(seen.child);
	while (kill(pid, 0) == 0) {
		CHECK(loop_now_ms() < until_ms);
		(void)loop_step(loop, 100);
	}
	CHECK(!seen.ended);
}

static void a_missing_program_is_told_at_once(void)
{
	const char *argv[] = { "/nonexistent/program", NULL };
	struct child_spec spec = { .name = "program", .argv = argv };
	struct seen seen = { 0 };
	struct err err = { 0 };

	CHECK(child_spawn(loop, &spec, on_end, &seen, &seen.child, &err) == -(int)ERR_IO);
	CHECK(strstr(err.msg, "/nonexistent/program") != NULL, "%s", err.msg);
}

static void runs_before_the_loop_does(void)
{
	const char *argv[] = { "/bin/sh", "-c", "echo here; exit 4", NULL };
	const char *slow[] = { "/bin/sleep", "100", NULL };
	struct child_spec spec = { .name = "sh", .argv = argv };
	_cleanup_(buf_done) struct buf output = { 0 };
	struct err err = { 0 };
	int code = 0;

	CHECK(child_run(&spec, 5000, &output, &code, &err) == 0, "%s", err.msg);
	CHECK(code == 4 && str_eq(output.data, "here\n"));
	spec.argv = slow;
	CHECK(child_run(&spec, 100, &output, &code, &err) == -(int)ERR_TIMEOUT);
}

static void failures_name_the_last_lines(void)
{
	struct child_end end = { .exited = true, .code = 1,
				 .output = "one\ntwo\nthree\nfour\n\n", .len = 20 };
	struct err err = { 0 };

	CHECK(child_failed(&end, "tool", &err) == -(int)ERR_CHILD);
	CHECK(str_eq(err.msg, "tool failed with exit code 1: two|three|four"), "%s", err.msg);
	end = (struct child_end){ .exited = false, .code = 9, .output = "", .len = 0 };
	CHECK(child_failed(&end, "tool", &err) == -(int)ERR_CHILD);
	CHECK(str_eq(err.msg, "tool was killed by signal 9"), "%s", err.msg);
	end.stopped = true;
	CHECK(child_failed(&end, "tool", &err) == -(int)ERR_TIMEOUT);
}

int main(void)
{
	struct err err = { 0 };

	CHECK(loop_new(&loop, &err) == 0, "%s", err.msg);
	RUN(tells_output_and_code);
	RUN(keeps_both_ends_of_much_output);
	RUN(is_not_held_by_what_it_leaves_behind);
	RUN(gives_input_without_a_file);
	RUN(has_a_clean_environment);
	RUN(inherits_nothing_else);
	RUN(ends_what_takes_too_long);
	RUN(kills_what_does_not_listen);
	RUN(a_child_let_go_leaves_no_zombie);
	RUN(a_missing_program_is_told_at_once);
	RUN(runs_before_the_loop_does);
	RUN(failures_name_the_last_lines);
	loop_free(loop);
	return 0;
}
