/* SPDX-License-Identifier: PostgreSQL */
/*
 * single - no second agent under this member's name
 */
#include "io/single.h"

#include <stdlib.h>

#include "base/log.h"
#include "wire/record.h"

/* A ticket that the agent, which counts up from 1, never reaches. */
#define SINGLE_TICKET UINT64_MAX
#define ETCD_MS       2000
#define LIVENESS_MS   3000

struct single {
	struct loop *loop;
	struct http *http;
	struct etcd *etcd;
	struct http_call *call;
	struct loop_source *soon;
	loop_fn clear;
	void *ctx;
	char name[NAME_SIZE];
	char key[ETCD_KEY_SIZE];
	bool done;
};

static void settle(struct single *s)
{
	if (s->done)
		return;
	s->done = true;
	s->clear(s->ctx);
}

static void on_liveness(void *ctx, const struct http_rep *rep)
{
	struct single *s = ctx;

	s->call = NULL;
	if (rep->err != NULL) {
		settle(s); /* nobody is there */
		return;
	}
	s->done = true;
	log_critical("Can't start; there is already a node named '%s' running", s->name);
	loop_quit(s->loop, 1);
}

static void ask_liveness(struct single *s, const char *api_url)
{
	struct http_req req = { .method = "GET", .timeout_ms = LIVENESS_MS, .max_bytes = 65536,
				.done = on_liveness, .ctx = s };
	char url[URL_SIZE + 16];
	const char *scheme_end = strstr(api_url, "://");
	const char *path = scheme_end != NULL ? strchr(scheme_end + 3, '/') : NULL;
	int host_len = path != NULL ? (int)(path - api_url) : (int)strlen(api_url);

	if (scheme_end == NULL ||
	    str_printf(url, sizeof(url), "%.*s/liveness", host_len, api_url) < 0) {
		settle(s);
		return;
	}
	req.url = url;
	s->call = http_start(s->http, &req);
}

bool single_answered(struct single *s, const struct etcd_answer *answer)
{
	struct member m = { 0 };

	if (s == NULL || answer->ticket != SINGLE_TICKET)
		return false;
	if (answer->err != NULL || answer->rep->error_code != 0) {
		log_warning("etcd does not answer yet: %s; starting without the check for another "
			    "agent of this name",
			    answer->err != NULL ? answer->err->msg : answer->rep->error_text);
		settle(s);
		return true;
	}
	for (size_t i = 0; i < answer->rep->kvs.n; i++) {
		const struct etcd_kv *kv = &answer->rep->kvs.items[i];

		if (str_eq(kv->key, s->key) &&
		    record_member_parse(s->name, kv->value, kv->len, &m, NULL) == 0 &&
		    m.api_url[0] != '\0') {
			ask_liveness(s, m.api_url);
			return true;
		}
	}
	settle(s);
	return true;
}

static void on_soon(void *ctx)
{
	settle(ctx);
}

int single_new(struct loop *loop, struct http *http, struct etcd *etcd,
	       const struct config *config, bool known, loop_fn clear, void *ctx,
	       struct single **ret, struct err *err)
{
	struct etcd_req req = { .op = ETCD_RANGE, .timeout_ms = ETCD_MS };
	struct single *s = mem_new(1, sizeof(*s));
	int r = loop_defer_new(loop, "single", on_soon, s, &s->soon, err);

	if (r < 0) {
		free(s);
		return r;
	}
	s->loop = loop;
	s->http = http;
	s->etcd = etcd;
	s->clear = clear;
	s->ctx = ctx;
	str_clip(s->name, sizeof(s->name), config->name);
	*ret = s;
	if (known ||
	    str_printf(s->key, sizeof(s->key), "%smembers/%s", config->prefix, config->name) < 0) {
		loop_defer(s->soon);
		return 0;
	}
	str_clip(req.key, sizeof(req.key), s->key);
	etcd_request(etcd, SINGLE_TICKET, &req);
	return 0;
}

void single_free(struct single *s)
{
	if (s == NULL)
		return;
	http_cancel(s->call);
	loop_source_free(s->soon);
	free(s);
}
