/* SPDX-License-Identifier: PostgreSQL */
/*
 * single - no second agent under this member's name
 */
#include "io/single.h"

#include <stdlib.h>

#include "base/log.h"
#include "io/rest.h"
#include "wire/record.h"
#include "wire/restmsg.h"

/* A ticket that the agent, which counts up from 1, never reaches. */
#define SINGLE_TICKET UINT64_MAX
#define ETCD_MS       3000
#define AGAIN_MS      1000 /* pause between two questions to an etcd that does not answer */
#define LIVENESS_MS   3000
#define ANSWER_MAX    65536

struct single {
	struct loop *loop;
	struct http *http;
	struct etcd *etcd;
	struct http_call *call;
	struct loop_source *ask;  /* time to ask etcd */
	struct loop_source *wait; /* time to begin all the same */
	struct single_next next;
	const char *instance;
	char name[NAME_SIZE];
	char key[ETCD_KEY_SIZE];
	/* For the question to the other one, as to any member. */
	char *username;
	char *password;
	char *cert;
	char *cert_key;
	char *cert_password;
	bool begun;
	bool over;
};

static void begin(struct single *s)
{
	loop_timer_off(s->wait);
	if (s->begun)
		return;
	s->begun = true;
	s->next.begin(s->next.ctx);
}

static void settle(struct single *s)
{
	s->over = true;
	etcd_hold(s->etcd, false);
	if (s->begun)
		log_notice("etcd answers, and nobody else runs as '%s'", s->name);
	begin(s);
}

static void give_up(struct single *s)
{
	s->over = true;
	loop_timer_off(s->wait);
	loop_quit(s->loop, 1);
}

static void on_liveness(void *ctx, const struct http_rep *rep)
{
	struct single *s = ctx;

	s->call = NULL;
	if (rep->header != NULL && str_eq(rep->header, s->instance)) {
		log_debug("the address in the member key of '%s' is this agent's own", s->name);
		settle(s);
		return;
	}
	/* A status also where the answer broke off later: somebody is there. */
	if (rep->err != NULL && rep->status == 0) {
		log_info("the member key of '%s' is there and nobody answers for it: %s", s->name,
			 rep->err->msg);
		settle(s);
		return;
	}
	log_critical("Can't start; there is already a node named '%s' running", s->name);
	give_up(s);
}

static void ask_liveness(struct single *s, const char *api_url)
{
	const struct http_tls tls = { .cert = s->cert, .key = s->cert_key,
				      .key_password = s->cert_password };
	struct http_req req = { .method = "GET", .timeout_ms = LIVENESS_MS, .tls = &tls,
				.username = s->username, .password = s->password,
				.answer_header = REST_INSTANCE_HEADER,
				.max_bytes = ANSWER_MAX, .done = on_liveness, .ctx = s };
	char host[HOST_SIZE];
	char url[URL_SIZE];
	struct err err = { 0 };
	uint16_t port;
	bool https, v6;

	if (restmsg_url_split(api_url, &https, host, &port, &err) < 0) {
		log_warning("the address in the member key of '%s' is not asked: %s", s->name,
			    err.msg);
		settle(s);
		return;
	}
	v6 = strchr(host, ':') != NULL;
	(void)str_printf(url, sizeof(url), "%s://%s%s%s:%u/liveness", https ? "https" : "http",
			 v6 ? "[" : "", host, v6 ? "]" : "", (unsigned)port);
	req.url = url;
	s->call = http_start(s->http, &req);
}

static void ask_again(struct single *s, const char *why)
{
	log_debug("etcd does not answer the check for another agent: %s", why);
	loop_timer_at(s->ask, loop_now_ms() + AGAIN_MS);
}

static void judge(struct single *s, const struct etcd_kvs *kvs)
{
	struct member m = { 0 };
	struct err err = { 0 };

	for (size_t i = 0; i < kvs->n; i++) {
		const struct etcd_kv *kv = &kvs->items[i];

		/* Ranges are prefixes, so longer names come along. */
		if (!str_eq(kv->key, s->key))
			continue;
		if (record_member_parse(s->name, kv->value, kv->len, &m, &err) == 0) {
			ask_liveness(s, m.api_url);
			return;
		}
		log_warning("the member key of '%s' is not understood: %s", s->name, err.msg);
	}
	settle(s);
}

bool single_answered(struct single *s, const struct etcd_answer *answer)
{
	if (answer->ticket != SINGLE_TICKET)
		return false;
	if (s == NULL || s->over)
		return true;
	if (answer->err != NULL && answer->err->code == ERR_DENIED) {
		log_critical("cannot start: etcd refuses the log-in: %s", answer->err->msg);
		give_up(s);
	} else if (answer->err != NULL || answer->rep->error_code != 0) {
		ask_again(s, answer->err != NULL ? answer->err->msg : answer->rep->error_text);
	} else {
		judge(s, &answer->rep->kvs);
	}
	return true;
}

static void on_ask(void *ctx)
{
	struct single *s = ctx;
	struct etcd_req req = { .op = ETCD_RANGE, .timeout_ms = ETCD_MS };

	if (s->key[0] == '\0') {
		settle(s);
		return;
	}
	str_clip(req.key, sizeof(req.key), s->key);
	etcd_request_now(s->etcd, SINGLE_TICKET, &req);
}

static void on_wait(void *ctx)
{
	struct single *s = ctx;
	_cleanup_(buf_done) struct buf where = { 0 };

	etcd_print_endpoints(s->etcd, &where);
	log_warning("waiting for etcd at %s; until then this member neither leads nor follows",
		    where.len > 0 ? where.data : "no endpoint");
	begin(s);
}

int single_new(struct loop *loop, struct http *http, struct etcd *etcd,
	       const struct config *config, const char *instance, bool known,
	       const struct single_next *next,
	       struct single **ret, struct err *err)
{
	struct single *s = mem_new(1, sizeof(*s));
	int r = loop_timer_new(loop, "name check", on_ask, s, &s->ask, err);

	if (r == 0)
		r = loop_timer_new(loop, "start", on_wait, s, &s->wait, err);
	if (r < 0) {
		single_free(s);
		return r;
	}
	s->loop = loop;
	s->http = http;
	s->etcd = etcd;
	s->next = *next;
	s->instance = instance;
	s->username = str_dup(config->ctl.username);
	s->password = str_dup(config->ctl.password);
	s->cert = str_dup(config->ctl.certfile);
	s->cert_key = str_dup(config->ctl.keyfile);
	s->cert_password = str_dup(config->ctl.keyfile_password);
	str_clip(s->name, sizeof(s->name), config->name);
	if (!known) {
		(void)str_printf(s->key, sizeof(s->key), "%smembers/%s", config->prefix,
				 config->name);
		etcd_hold(etcd, true);
		loop_timer_at(s->wait, loop_now_ms() + SINGLE_WAIT_MS);
	}
	loop_timer_at(s->ask, 0);
	*ret = s;
	return 0;
}

void single_free(struct single *s)
{
	if (s == NULL)
		return;
	http_cancel(s->call);
	loop_source_free(s->ask);
	loop_source_free(s->wait);
	free(s->username);
	free(s->password);
	free(s->cert);
	free(s->cert_key);
	free(s->cert_password);
	free(s);
}
