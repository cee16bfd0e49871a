/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_hooks - the operator's callbacks: what they are told, what ends them, and that nobody waits
 */
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "io/hooks.h"
#include "rig.h"

#define SHORT_MS 300
#define WAIT_MS  10000

static struct loop *loop;
static char told[4096]; /* in the log */

static void on_line(void *ctx _unused_, const struct log_line *line)
{
	str_clip(told, sizeof(told), line->text);
}

/* A script that is also given its own name and a word with a blank: words, no shell. */
static struct hooks *with(const char *body, int64_t max_ms)
{
	static char command[300];
	static struct config config;
	struct hooks *hooks = hooks_new(loop, max_ms);
	char path[128];
	FILE *f;

	str_printf(path, sizeof(path), "%s/callback", rig_dir());
	f = fopen(path, "we");
	CHECK(f != NULL);
	fprintf(f, "#!/bin/sh\ncd '%s'\n%s\n", rig_dir(), body);
	CHECK(fchmod(fileno(f), 0755) == 0 && fclose(f) == 0);
	str_printf(command, sizeof(command), "%s 'a  $b' ';'", path);
	config = (struct config){ 0 };
	str_clip(config.scope, sizeof(config.scope), "demo");
	config.pg.callback_on_start = config.pg.callback_on_stop = command;
	config.pg.callback_on_restart = config.pg.callback_on_reload = command;
	config.pg.callback_on_role_change = command;
	hooks_configure(hooks, &config);
	told[0] = '\0';
	return hooks;
}

static void finish(const struct hooks *hooks)
{
	int64_t until_ms = loop_now_ms() + WAIT_MS;

	while (hooks_busy(hooks)) {
		CHECK(loop_now_ms() < until_ms);
		(void)loop_step(loop, 20);
	}
}

static bool is_there(const char *name)
{
	char path[128];

	str_printf(path, sizeof(path), "%s/%s", rig_dir(), name);
	return access(path, F_OK) == 0;
}

static void until_there(const char *name)
{
	int64_t until_ms = loop_now_ms() + WAIT_MS;

	while (!is_there(name)) {
		CHECK(loop_now_ms() < until_ms, "%s", name);
		(void)loop_step(loop, 5);
	}
}

static char *read_file(const char *name)
{
	static char text[1024];
	char path[128];
	size_t n;
	FILE *f;

	str_printf(path, sizeof(path), "%s/%s", rig_dir(), name);
	f = fopen(path, "re");
	CHECK(f != NULL, "%s", path);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	(void)fclose(f);
	return text;
}

static void is_gone(const char *pid_file)
{
	int64_t until_ms = loop_now_ms() + WAIT_MS;
	pid_t pid = (pid_t)strtol(read_file(pid_file), NULL, 10);

	CHECK(pid > 1);
	while (kill(pid, 0) == 0) {
		CHECK(loop_now_ms() < until_ms, "%s lives", pid_file);
		(void)loop_step(loop, 20);
	}
}

static void each_is_told_action_role_and_scope(void)
{
	static const char want[] =
		"<a  $b><;><on_start><replica><demo>\n<a  $b><;><on_role_change><primary><demo>\n"
		"<a  $b><;><on_restart><primary><demo>\n<a  $b><;><on_reload><primary><demo>\n"
		"<a  $b><;><on_stop><demoted><demo>\n";
	struct hooks *hooks = with("printf '<%s>' \"$@\" >>words; echo >>words", HOOKS_MAX_MS);

	hooks_run(hooks, CB_START, MROLE_REPLICA);
	finish(hooks);
	hooks_run(hooks, CB_ROLE_CHANGE, MROLE_PROMOTED);
	finish(hooks);
	hooks_run(hooks, CB_RESTART, MROLE_PRIMARY);
	finish(hooks);
	hooks_run(hooks, CB_RELOAD, MROLE_PRIMARY);
	finish(hooks);
	hooks_run(hooks, CB_STOP, MROLE_DEMOTED);
	finish(hooks);
	CHECK(str_eq(read_file("words"), want), "%s", read_file("words"));
	CHECK(told[0] == '\0', "%s", told);
	hooks_free(hooks);
}

/* It neither hears TERM nor ends by itself, nor does what it started. */
static void a_newer_one_ends_the_one_before(void)
{
	struct hooks *hooks = with("[ \"$3\" = on_start ] || { echo done >$3; exit; }\n"
				   "trap '' TERM; sleep 1000 & echo $! >below; echo $$ >itself\n"
				   "mv itself own; wait; sleep 1000", HOOKS_MAX_MS);
	int64_t began_ms;

	hooks_run(hooks, CB_START, MROLE_PRIMARY);
	until_there("own");
	hooks_run(hooks, CB_RELOAD, MROLE_PRIMARY);
	until_there("on_reload");
	CHECK(kill((pid_t)strtol(read_file("own"), NULL, 10), 0) == 0, "reload has its own place");
	began_ms = loop_now_ms();
	hooks_run(hooks, CB_ROLE_CHANGE, MROLE_REPLICA);
	CHECK(loop_now_ms() - began_ms < 1000, "nobody waits for the one before");
	until_there("on_role_change");
	is_gone("own");
	is_gone("below");
	finish(hooks);
	hooks_free(hooks);
}

static void none_stays_for_ever(void)
{
	struct hooks *hooks = with("sleep 1000 & echo $! >child; wait", SHORT_MS);
	int64_t began_ms = loop_now_ms();

	hooks_run(hooks, CB_STOP, MROLE_REPLICA);
	CHECK(loop_now_ms() - began_ms < SHORT_MS, "nobody waits");
	finish(hooks);
	is_gone("child");
	CHECK(strstr(told, "callback on_stop was stopped before it had finished"), "%s", told);
	hooks_free(hooks);
}

static void what_fails_is_told(void)
{
	struct hooks *hooks = with("echo no such address >&2; exit 7", HOOKS_MAX_MS);
	struct config config = { .pg.callback_on_start = (char *)(uintptr_t)"/nonexistent/program",
				 .pg.callback_on_stop = (char *)(uintptr_t)"program 'unclosed" };

	hooks_run(hooks, CB_START, MROLE_REPLICA);
	finish(hooks);
	CHECK(strstr(told, "callback on_start failed with exit code 7: no such address"), "%s",
	      told);
	hooks_configure(hooks, &config);
	hooks_run(hooks, CB_START, MROLE_REPLICA);
	CHECK(strstr(told, "callback on_start is not run: ") && strstr(told, "/nonexistent"), "%s",
	      told);
	hooks_run(hooks, CB_STOP, MROLE_REPLICA);
	CHECK(strstr(told, "callback on_stop is not run: "), "%s", told);
	hooks_run(hooks, CB_RESTART, MROLE_REPLICA);
	CHECK(!hooks_busy(hooks), "none is configured");
	hooks_free(hooks);
}

static void on_over(void *ctx)
{
	*(bool *)ctx = true;
}

static int64_t end_ms(struct hooks *hooks)
{
	int64_t began_ms = loop_now_ms();
	bool over = false;

	hooks_finish(hooks, on_over, &over);
	CHECK(!over, "the turn that ends the agent may still call one");
	hooks_run(hooks, CB_STOP, MROLE_DEMOTED);
	while (!over) {
		CHECK(loop_now_ms() - began_ms < HOOKS_LAST_MS + WAIT_MS);
		(void)loop_step(loop, 20);
	}
	hooks_free(hooks);
	return loop_now_ms() - began_ms;
}

/* An address that is taken away when the agent ends. */
static void the_last_may_finish(void)
{
	(void)end_ms(with("sleep 0.5; echo >finished", HOOKS_MAX_MS));
	CHECK(is_there("finished"));
	CHECK(end_ms(with("echo $$ >last; exec sleep 1000", HOOKS_MAX_MS)) >= HOOKS_LAST_MS);
	is_gone("last");
}

/* It was killed a moment ago, and nobody has taken it in when the loop is to end. */
static void one_that_hangs_does_not_keep_the_agent(void)
{
	struct hooks *hooks = with("trap '' TERM; echo $$ >last; exec sleep 1000", HOOKS_MAX_MS);
	int64_t began_ms = loop_now_ms();

	hooks_run(hooks, CB_STOP, MROLE_REPLICA);
	until_there("last");
	hooks_free(hooks);
	CHECK(loop_end(loop, WAIT_MS), "it has ended");
	CHECK(loop_now_ms() - began_ms < WAIT_MS);
	CHECK(kill((pid_t)strtol(read_file("last"), NULL, 10), 0) < 0, "it was taken in");
}

int main(void)
{
	struct err err = { 0 };

	log_level_set(LOG_WARNING);
	log_sink_set(on_line, NULL);
	CHECK(loop_new(&loop, &err) == 0, "%s", err.msg);
	RUN(each_is_told_action_role_and_scope);
	RUN(a_newer_one_ends_the_one_before);
	RUN(none_stays_for_ever);
	RUN(what_fails_is_told);
	RUN(the_last_may_finish);
	RUN(one_that_hangs_does_not_keep_the_agent);
	return 0;
}
