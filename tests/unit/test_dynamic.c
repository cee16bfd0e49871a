/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_dynamic - a dynamic configuration that members cannot read
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "agent/agent.h"
#include "agent/state.h"
#include "wire/conffile.h"

#define GUARD "pgha: {allow_remote_commands: false}\n"

/* What the agent asked of the outside. */
struct outside {
	uint32_t nwritten;
	int code;
	char text[200];
};

static int64_t now_of(void *ctx)
{
	(void)ctx;
	return 100000;
}

static void take_answer(void *ctx, uint64_t id, int code, const char *type, const char *body)
{
	struct outside *out = ctx;

	(void)id;
	(void)type;
	out->code = code;
	str_clip(out->text, sizeof(out->text), body);
}

static void take_etcd(void *ctx, uint64_t ticket, const struct etcd_req *req)
{
	(void)ticket;
	(void)req;
	((struct outside *)ctx)->nwritten++;
}

static void take_configure(void *ctx, const struct config *config)
{
	(void)ctx;
	(void)config;
}

static void take_cache(void *ctx, const char *json)
{
	(void)ctx;
	(void)json;
}

static struct agent *member(struct outside *out, const char *guard)
{
	static const char file[] =
		"name: a\nscope: main\nnamespace: /p\netcd3: {hosts: '127.0.0.1:2379'}\n"
		"restapi: {listen: '127.0.0.1:8008', connect_address: '127.0.0.1:8008'}\n"
		"postgresql:\n  listen: '127.0.0.1:5432'\n  connect_address: '127.0.0.1:5432'\n"
		"  data_dir: /nowhere\n  authentication:\n"
		"    superuser: {username: postgres, password: s}\n"
		"    replication: {username: replicator, password: r}\n";
	const struct port port = { .ctx = out, .now_ms = now_of, .wall_us = now_of,
				   .answer = take_answer, .etcd = take_etcd,
				   .configure = take_configure, .cache_config = take_cache };
	_cleanup_(freep) char *text = str_dupf("%s%s", file, guard);
	struct confdoc *doc = NULL;
	struct err err = { 0 };
	struct agent *a;

	cr_assert_eq(confdoc_parse(text, strlen(text), NULL, &doc, &err), 0, "%s", err.msg);
	a = agent_new(&port, doc, NULL, NULL, 1, &err);
	cr_assert_not_null(a, "%s", err.msg);
	a->view.now_ms = 100000;
	a->view.cluster.leader_known = true;
	return a;
}

static void watched(struct agent *a, const char *value, int64_t revision)
{
	_cleanup_(freep) char *key = str_dupf("%sconfig", a->config->prefix);
	_cleanup_(freep) char *text = str_dup(value);
	struct etcd_kv kv = { .key = key, .value = text, .len = strlen(value),
			      .mod_revision = revision, .create_revision = revision };
	const struct etcd_watch_msg msg = { .events = { .items = &kv, .n = 1 } };

	keys_fold_watch(a, &msg);
}

/* {"x": [[...]], <more>}: JSON that others may read. */
static char *deep(const char *more)
{
	struct buf text = { 0 };

	buf_str(&text, "{\"x\":");
	for (int i = 0; i < 40; i++)
		buf_ch(&text, '[');
	for (int i = 0; i < 40; i++)
		buf_ch(&text, ']');
	buf_printf(&text, "%s}", more);
	return buf_take(&text);
}

/* By default nothing is paused. */
Test(dynamic, the_last_one_that_could_be_read_stays_in_force)
{
	_cleanup_(freep) char *unreadable = deep(", \"pause\": true, \"ttl\": 20");
	struct outside out = { 0 };
	struct agent *a = member(&out, "");

	watched(a, "{\"pause\": true, \"ttl\": 20}", 50);
	cr_assert(a->config->ha.pause);
	watched(a, unreadable, 60);
	cr_assert(a->config->ha.pause);
	cr_assert_eq(a->config->ha.ttl_ms, 20000);
	cr_assert_not(a->view.cluster.config_present);
	watched(a, "{\"pause\": false}", 61);
	cr_assert_not(a->config->ha.pause);
	agent_free(a);
}

static void expect_refused(const char *guard, enum command_type type)
{
	struct outside out = { 0 };
	struct agent *a = member(&out, guard);
	struct command cmd = { .type = type,
			       .json = deep(", \"postgresql\": {\"parameters\": "
					    "{\"archive_command\": \"x\"}}") };

	watched(a, "{\"ttl\": 20}", 50);
	command_run(a, 5, &cmd);
	cr_assert_eq(out.code, 400, "%d %s", out.code, out.text);
	cr_assert_str_eq(out.text, "the configuration cannot be read then: nested deeper than 32 "
				   "levels; nothing was stored");
	cr_assert_eq(out.nwritten, 0);
	command_done(&cmd);
	agent_free(a);
}

Test(dynamic, what_cannot_be_read_is_not_stored)
{
	expect_refused("", CMD_PATCH_CONFIG);
	expect_refused("", CMD_PUT_CONFIG);
}

Test(dynamic, what_is_too_long_is_not_stored)
{
	struct outside out = { 0 };
	struct agent *a = member(&out, "");
	struct buf text = { 0 };
	struct command cmd = { .type = CMD_PATCH_CONFIG };

	buf_printf(&text, "{\"x\":\"%0300000d\"}", 0);
	cmd.json = buf_take(&text);
	watched(a, "{\"ttl\": 20}", 50);
	command_run(a, 5, &cmd);
	cr_assert_eq(out.code, 400, "%d %s", out.code, out.text);
	cr_assert_str_eq(out.text, "the configuration cannot be read then: more than 256 kB; "
				   "nothing was stored");
	cr_assert_eq(out.nwritten, 0);
	watched(a, cmd.json, 60);
	cr_assert_not(a->view.cluster.config_present);
	cr_assert_eq(a->config->ha.ttl_ms, 20000);
	command_done(&cmd);
	agent_free(a);
}

/* Nor does it get past the look for keys that run programs. */
Test(dynamic, what_cannot_be_read_brings_no_command)
{
	expect_refused(GUARD, CMD_PATCH_CONFIG);
	expect_refused(GUARD, CMD_PUT_CONFIG);
}
