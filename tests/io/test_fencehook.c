/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_fencehook - the operator's fence command: what it is told, how it ends, how it is ended
 */
#include <signal.h>
#include <unistd.h>

#include "io/fencehook.h"
#include "rig.h"

static struct loop *loop;
static struct fencehook *hook;
static uint32_t answers;
static uint64_t answered_ticket;
static int answered_result;
static char answered_why[ERR_MSG_MAX];

static void on_done(void *ctx, uint64_t ticket, int result, const struct err *err)
{
	(void)ctx;
	answers++;
	answered_ticket = ticket;
	answered_result = result;
	str_clip(answered_why, sizeof(answered_why), err ? err->msg : "");
}

/* The words of a command that is a shell script, with a file to write to. */
static void configure(const char *script, const char *file)
{
	char shell[] = "/bin/sh", c[] = "-c", zero[] = "fence";
	char *words[] = { shell, c, (char *)(uintptr_t)script, zero, (char *)(uintptr_t)file };
	static struct config config;

	config = (struct config){ .fence = { .command = { .items = words, .n = 5 } } };
	str_clip(config.scope, sizeof(config.scope), "demo");
	str_clip(config.name, sizeof(config.name), "n2");
	fencehook_configure(hook, &config);
}

static struct fence_req request(int64_t timeout_ms)
{
	struct fence_req req = { .epoch = 90, .timeout_ms = timeout_ms, .reason = "lost",
				 .victim = { .port = 5432, .epoch = 77 } };

	str_clip(req.victim.name, sizeof(req.victim.name), "n1");
	str_clip(req.victim.host, sizeof(req.victim.host), "10.0.0.1");
	str_clip(req.victim.api_url, sizeof(req.victim.api_url), "http://10.0.0.1:8008/patroni");
	return req;
}

static void wait_for(uint32_t n)
{
	int64_t until_ms = loop_now_ms() + 20000;

	while (answers < n) {
		CHECK(loop_now_ms() < until_ms);
		(void)loop_step(loop, 100);
	}
}

static char *file_in_rig(const char *name)
{
	return str_dupf("%s/%s", rig_dir(), name);
}

static void expect_line(const char *path, const char *line)
{
	FILE *file = fopen(path, "re");
	char text[256];
	bool found = false;

	CHECK(file != NULL);
	while (!found && fgets(text, sizeof(text), file) != NULL) {
		text[strcspn(text, "\n")] = '\0';
		found = str_eq(text, line);
	}
	(void)fclose(file);
	CHECK(found, "no line '%s'", line);
}

static void is_told_who_and_why(void)
{
	_cleanup_(freep) char *path = file_in_rig("told");
	struct fence_req req = request(5000);

	answers = 0;
	configure("env > \"$1\"; echo \"argument $2 of $#\" >> \"$1\"", path);
	fencehook_run(hook, 7, &req);
	wait_for(1);
	CHECK(answered_ticket == 7 && answered_result == 0, "%s", answered_why);
	expect_line(path, "argument n1 of 2");
	expect_line(path, "PGHA_SCOPE=demo");
	expect_line(path, "PGHA_NAME=n2");
	expect_line(path, "PGHA_VICTIM=n1");
	expect_line(path, "PGHA_VICTIM_CONN_URL=postgres://10.0.0.1:5432/postgres");
	expect_line(path, "PGHA_VICTIM_API_URL=http://10.0.0.1:8008/patroni");
	expect_line(path, "PGHA_VICTIM_EPOCH=77");
	expect_line(path, "PGHA_EPOCH=90");
	expect_line(path, "PGHA_REASON=lost");
	expect_line(path, "PGHA_TIMEOUT=5");
}

static void says_why_it_failed(void)
{
	struct fence_req req = request(5000);

	answers = 0;
	configure("i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done; "
		  "echo no power switch; exit 3", "");
	fencehook_run(hook, 8, &req);
	wait_for(1);
	CHECK(answered_ticket == 8 && answered_result == -(int)ERR_CHILD);
	CHECK(strstr(answered_why, "exit code 3") != NULL, "%s", answered_why);
	CHECK(strstr(answered_why, "no power switch") != NULL, "%s", answered_why);
}

static bool is_gone(const char *path)
{
	FILE *file = fopen(path, "re");
	int pid = 0;
	bool gone;

	CHECK(file != NULL && fscanf(file, "%d", &pid) == 1 && pid > 1);
	(void)fclose(file);
	gone = kill(pid, 0) < 0;
	return gone;
}

static void wait_gone(const char *path)
{
	int64_t until_ms = loop_now_ms() + 10000;

	while (!is_gone(path)) {
		CHECK(loop_now_ms() < until_ms);
		(void)loop_step(loop, 50);
	}
}

static void is_killed_at_its_deadline_with_all_it_started(void)
{
	_cleanup_(freep) char *path = file_in_rig("child");
	struct fence_req req = request(1000);
	int64_t began_ms = loop_now_ms();

	answers = 0;
	configure("trap '' TERM; (trap '' TERM; while :; do sleep 0.1; done) & echo $! > \"$1\"; "
		  "while :; do sleep 0.1; done", path);
	fencehook_run(hook, 9, &req);
	wait_for(1);
	CHECK(answered_ticket == 9 && answered_result == -(int)ERR_TIMEOUT);
	CHECK(loop_now_ms() - began_ms >= 1000 && loop_now_ms() - began_ms < 6000);
	wait_gone(path);
}

static void is_ended_when_the_lease_is_lost(void)
{
	_cleanup_(freep) char *path = file_in_rig("ended");
	struct fence_req req = request(60000);

	answers = 0;
	configure("echo $$ > \"$1.new\"; mv \"$1.new\" \"$1\"; while :; do sleep 0.1; done", path);
	fencehook_run(hook, 10, &req);
	while (access(path, F_OK) != 0)
		(void)loop_step(loop, 20);
	fencehook_end(hook);
	CHECK(answers == 0); /* never from inside the call */
	wait_for(1);
	CHECK(answered_ticket == 10 && answered_result == -(int)ERR_CANCELED);
	wait_gone(path);
	fencehook_end(hook);
	(void)loop_step(loop, 50);
	CHECK(answers == 1);
}

static void a_program_that_is_missing_is_a_failure(void)
{
	char missing[] = "/nonexistent/fence";
	char *words[] = { missing };
	struct config config = { .fence = { .command = { .items = words, .n = 1 } } };
	struct fence_req req = request(1000);

	answers = 0;
	fencehook_configure(hook, &config);
	fencehook_run(hook, 11, &req);
	CHECK(answers == 0);
	wait_for(1);
	CHECK(answered_ticket == 11 && answered_result < 0);
	CHECK(strstr(answered_why, "/nonexistent/fence") != NULL, "%s", answered_why);
}

int main(void)
{
	struct err err = { 0 };

	CHECK(loop_new(&loop, &err) == 0, "%s", err.msg);
	CHECK(fencehook_new(loop, on_done, NULL, &hook, &err) == 0, "%s", err.msg);
	RUN(is_told_who_and_why);
	RUN(says_why_it_failed);
	RUN(is_killed_at_its_deadline_with_all_it_started);
	RUN(is_ended_when_the_lease_is_lost);
	RUN(a_program_that_is_missing_is_a_failure);
	fencehook_free(hook);
	loop_free(loop);
	return 0;
}
