/* SPDX-License-Identifier: PostgreSQL */
/*
 * api - REST requests to members, one at a time
 */
#include "cli/api.h"

#include <stdlib.h>

#include "io/http.h"
#include "io/loop.h"

#define CONNECT_MS 3000
#define SILENT_MS  15000
#define ANSWER_MAX (16 * 1024 * 1024)

struct api {
	struct loop *loop;
	struct http *http;
	const struct config_ctl *config;
	struct http_tls tls;
};

/* A call that is waited for. */
struct wait {
	bool done;
	struct err err;
	bool failed;
	struct api_reply *reply;
};

void api_reply_done(struct api_reply *reply)
{
	buf_done(&reply->body);
	*reply = (struct api_reply){ 0 };
}

const char *api_text(const struct api_reply *reply)
{
	return reply->body.data != NULL ? reply->body.data : "";
}

struct api *api_new(struct loop *loop, struct http *http, const struct config_ctl *config)
{
	struct api *api = mem_new(1, sizeof(*api));

	api->loop = loop;
	api->http = http;
	api->config = config;
	/* As patronictl: the chain is verified, the name in the certificate is not, because members
	 * are often known by address only. */
	api->tls = (struct http_tls){
		.cacert = config->cacert,
		.cert = config->certfile,
		.key = config->keyfile,
		.key_password = config->keyfile_password,
		.verify_peer = !config->insecure,
	};
	return api;
}

void api_free(struct api *api)
{
	free(api);
}

static void take_answer(void *ctx, const struct http_rep *rep)
{
	struct wait *wait = ctx;

	wait->done = true;
	wait->failed = rep->err != NULL;
	if (rep->err != NULL) {
		wait->err = *rep->err;
		return;
	}
	wait->reply->code = rep->status;
	buf_clear(&wait->reply->body);
	if (rep->body != NULL && rep->body->len > 0)
		buf_add(&wait->reply->body, rep->body->data, rep->body->len);
}

static void start(struct api *api, const char *method, const char *url, const char *body,
		  int64_t timeout_ms, struct wait *wait)
{
	/* Reads are open to everybody, so the password stays here. */
	bool reads = str_eq(method, "GET");
	const struct http_req req = {
		.method = method,
		.url = url,
		.body = body,
		.body_len = body != NULL ? strlen(body) : 0,
		.headers = { body != NULL ? "Content-Type: application/json" : NULL },
		.username = reads ? NULL : api->config->username,
		.password = reads ? NULL : api->config->password,
		.tls = &api->tls,
		.timeout_ms = timeout_ms,
		.connect_ms = MIN_OF(timeout_ms, (int64_t)CONNECT_MS),
		.silent_ms = SILENT_MS,
		.max_bytes = ANSWER_MAX,
		.done = take_answer,
		.ctx = wait,
	};

	(void)http_start(api->http, &req);
}

struct http_call *api_listen(struct api *api, const char *url, size_t max_bytes, http_data_fn data,
			     http_done_fn done, void *ctx)
{
	const struct http_req req = {
		.method = "GET",
		.url = url,
		.tls = &api->tls,
		.connect_ms = CONNECT_MS,
		.silent_ms = SILENT_MS,
		.max_bytes = max_bytes,
		.done = done,
		.data = data,
		.ctx = ctx,
	};

	return http_start(api->http, &req);
}

void api_gather(struct api *api, const char *const *urls, size_t n, int64_t timeout_ms,
		struct api_reply *ret_replies, struct err *ret_errs)
{
	_cleanup_(freep) struct wait *waits = mem_new(n + 1, sizeof(*waits));

	for (size_t i = 0; i < n; i++) {
		waits[i].reply = &ret_replies[i];
		waits[i].done = urls[i] == NULL;
		if (urls[i] != NULL)
			start(api, "GET", urls[i], NULL, timeout_ms, &waits[i]);
	}
	for (size_t i = 0; i < n; i++) {
		while (!waits[i].done)
			(void)loop_step(api->loop, -1);
		ret_errs[i] = (struct err){ 0 };
		if (waits[i].failed)
			ret_errs[i] = waits[i].err;
		else if (urls[i] == NULL)
			(void)err_set(&ret_errs[i], ERR_STATE, "it has no REST API address");
	}
}

int api_call(struct api *api, const char *method, const char *url, const char *body,
	     int64_t timeout_ms, struct api_reply *ret, struct err *err)
{
	struct wait wait = { .reply = ret };

	start(api, method, url, body, timeout_ms, &wait);
	while (!wait.done)
		(void)loop_step(api->loop, -1);
	if (!wait.failed)
		return 0;
	if (err != NULL)
		*err = wait.err;
	return err_wrap(err, "%s %s", method, url);
}

char *api_url(const char *base, const char *path)
{
	const char *host = strstr(base, "://");
	size_t len;

	host = host != NULL ? host + 3 : base;
	len = (size_t)(host - base) + strcspn(host, "/?#");
	return str_dupf("%.*s/%s", (int)len, base, path);
}
