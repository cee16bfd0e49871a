/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_conffile - any bytes as a configuration
 *
 * The input is a file, and, behind a line "%%%", a dynamic document. Whatever it is, the result
 * must be an explanation or a configuration that keeps its promises.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "wire/conffile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEPARATOR "\n%%%\n"

static bool is_line(const char *s)
{
	return s != NULL && strpbrk(s, "\r\n") == NULL;
}

/* What others rely on without looking again. */
static void check_config(const struct config *config)
{
	assert(config->name[0] != '\0' && config->scope[0] != '\0');
	assert(config->prefix[0] == '/' && config->prefix[strlen(config->prefix) - 1] == '/');
	assert(config->ha.ttl_ms >= 2000 && config->ha.ttl_ms <= 3600000);
	assert(config->ha.loop_wait_ms >= 1000 && config->ha.loop_wait_ms < config->ha.ttl_ms);
	assert(config->ha.retry_timeout_ms >= 1000);
	assert(config->ha.maximum_lag_bytes >= 0 && config->ha.member_slots_ttl_ms >= 0);
	assert(config->ha.primary_start_timeout_ms >= 0);
	assert(config->pg.data_dir[0] == '/' && config->pg.config_dir[0] == '/');
	assert(config->state_dir[0] == '/' && config->run_dir[0] == '/');
	assert(config->pg.listen != NULL && config->pg.port != 0);
	assert(config->pg.connect_host[0] != '\0' && config->pg.connect_port != 0);
	assert(config->restapi.connect_host[0] != '\0' && config->restapi.connect_port != 0);
	assert(config->pg.superuser.username != NULL && config->pg.replication.username != NULL);
	assert(config->etcd.nendpoints > 0 || config->etcd.srv != NULL);
	assert(config->pg.parameters.n >= 13 && config->pg.nmethods > 0);
	for (size_t i = 0; i < config->pg.parameters.n; i++)
		assert(is_line(config->pg.parameters.items[i].name) &&
		       is_line(config->pg.parameters.items[i].value));
	assert(config->tags_json[0] == '{' && config->bootstrap.dcs_json[0] == '{');
	assert(config->pg.pgpass != NULL && config->bootstrap.method != NULL);
}

static void build(const struct confdoc *doc, const char *dynamic)
{
	struct conf_problems problems = { 0 };
	struct config *config = NULL;
	struct config *again = NULL;
	struct buf text = { 0 };
	struct err err = { 0 };
	int r;

	r = conf_build(doc, dynamic, &config, &problems, &err);
	assert((r < 0) == (config == NULL));
	assert((r < 0) == (problems.nfatal > 0));
	assert(r >= 0 || err.msg[0] != '\0');
	if (config != NULL) {
		size_t n = problems.n;

		check_config(config);
		assert(conf_build(doc, dynamic, &again, &problems, &err) == 0);
		assert(problems.n == n && config_diff(config, again) == 0);
	}
	conf_problems_print(&problems, "f", &text);
	buf_done(&text);
	conf_problems_done(&problems);
	config_free(config);
	config_free(again);
}

/* No dynamic document may stop an agent whose own file is good. */
static void check_dynamic(const struct confdoc *doc, const char *dynamic)
{
	struct conf_problems problems = { 0 };
	struct conf_problems more = { 0 };
	struct config *without = NULL;
	struct config *with = NULL;
	struct err err = { 0 };

	if (conf_build(doc, "{}", &without, &problems, &err) == 0)
		assert(conf_build(doc, dynamic, &with, &more, &err) == 0);
	conf_problems_done(&problems);
	conf_problems_done(&more);
	config_free(without);
	config_free(with);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(freep) char *text = mem_new(size + 1, 1);
	struct confdoc *doc = NULL;
	struct err err = { 0 };
	const char *dynamic;
	size_t len;

	if (size > 0)
		memcpy(text, data, size);
	dynamic = strstr(text, SEPARATOR);
	len = dynamic != NULL ? (size_t)(dynamic - text) : size;
	/* Cut for the parser, which gets the length, and for nobody else. */
	if (dynamic != NULL)
		dynamic += strlen(SEPARATOR);
	if (confdoc_parse(text, len, NULL, &doc, &err) < 0) {
		assert(err.msg[0] != '\0' && doc == NULL);
		return 0;
	}
	build(doc, dynamic);
	if (dynamic != NULL)
		check_dynamic(doc, dynamic);
	confdoc_free(doc);
	return 0;
}
