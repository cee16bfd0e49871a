/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_restmsg - requests of anybody who reaches the REST port, and answers of peers
 *
 * The first byte picks: a write, a query string, a pair of configurations (split at the first
 * line end), a peer's answer.
 */
#include <assert.h>
#include <stdlib.h>

#include "wire/restmsg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_MS  1000000
#define WALL_US 1893488400000000

static void check_command(unsigned which, const char *body, size_t len)
{
	/* clang-format off */
	static const char *const routes[][2] = {
		{ "PATCH", "/config" }, { "PUT", "/config" }, { "POST", "/restart" },
		{ "POST", "/reinitialize" }, { "POST", "/switchover" }, { "POST", "/failover" },
		{ "POST", "/reload" }, { "DELETE", "/restart" },
	};
	/* clang-format on */
	const char *const *route = routes[which % ARRAY_LEN(routes)];
	struct command command;
	struct buf text = { 0 };
	int code;

	code = restmsg_command(route[0], route[1], true, body, len, which & 8, WALL_US, &command,
			       &text);
	assert(code == 0 || (code >= 400 && code <= 502 && text.len > 0));
	assert((code == 0) == (command.type != CMD_NONE));
	assert(!command.scheduled || command.scheduled_at_us >= WALL_US);
	assert(command.timeout_ms >= 0);
	command_done(&command);
	buf_done(&text);
}

static void check_query(const char *text)
{
	static const char *const paths[] = { "/replica", "/readiness", "/health", "/async" };
	struct status *status = status_new();
	struct rest_answer answer;

	status->state = STATE_RUNNING;
	status->sql_ok = true;
	status->pg.role = ROLE_REPLICA;
	status->pg.streaming = true;
	status->pg.replay_lsn = 5000;
	status->optime_lsn = 9000;
	status->dcs_ok = true;
	status->dcs_last_seen_at_ms = NOW_MS;
	status->ttl_ms = 1000;
	status->tags_json = str_dup("{\"a\":true}");
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		restmsg_get(status, NOW_MS, "OPTIONS", paths[i], text, &answer);
		assert(answer.code == 200 || answer.code == 503);
		rest_answer_done(&answer);
	}
	restmsg_get(status, NOW_MS, "GET", text, text, &answer);
	assert(answer.code == 200 || answer.code == 502 || answer.code == 503);
	rest_answer_done(&answer);
	restmsg_get(status, NOW_MS, "GET", "/primary", text, &answer);
	assert(answer.code == 503);
	rest_answer_done(&answer);
	status_free(status);
}

static void check_config(char *text)
{
	char *patch = strchr(text, '\n');
	_cleanup_(freep) char *once = NULL;
	_cleanup_(freep) char *twice = NULL;
	bool changed = false;

	if (!patch)
		return;
	*patch++ = 0;
	once = restmsg_config_merge(text, patch, &changed);
	if (!once)
		return;
	assert(restmsg_config_equal(once, once));
	assert(changed || restmsg_config_equal(text, once) || strstr(patch, "null"));
	twice = restmsg_config_merge(once, patch, &changed);
	assert(twice);
	assert(restmsg_config_equal(once, twice) || strstr(patch, "null"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(freep) char *text = NULL;
	struct vote vote = { .name = "node1" };

	if (size == 0)
		return 0;
	text = str_ndup((const char *)data + 1, size - 1);
	switch (data[0] % 4) {
	case 0:
		check_command(data[0] / 4, (const char *)data + 1, size - 1);
		break;
	case 1:
		check_query(text);
		break;
	case 2:
		check_config(text);
		break;
	default:
		restmsg_vote_parse((const char *)data + 1, size - 1, &vote);
		assert(vote.answered && (!vote.failed || vote.lsn == 0));
		break;
	}
	return 0;
}
