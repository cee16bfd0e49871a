/* SPDX-License-Identifier: PostgreSQL */
/*
 * api - REST requests to members, one at a time
 */
#ifndef PGHA_CLI_API_H
#define PGHA_CLI_API_H

#include "base/err.h"
#include "base/str.h"
#include "core/config.h"
#include "io/http.h"

struct api;

struct api_reply {
	int code; /* HTTP status */
	struct buf body;
};

void api_reply_done(struct api_reply *reply);
/* The body as text; "" when there was none. */
const char *api_text(const struct api_reply *reply);

/* All are borrowed. */
struct api *api_new(struct loop *loop, struct http *http, const struct config_ctl *config);
void api_free(struct api *api);
/* Sends the request and waits for its answer; any status is an answer. *ret is overwritten. */
int api_call(struct api *api, const char *method, const char *url, const char *body,
	     int64_t timeout_ms, struct api_reply *ret, struct err *err) _must_check_;
/* GET of all of them at once, in no more than timeout_ms; a NULL url is passed over. errs[i].code
 * is ERR_NONE where an answer came. */
void api_gather(struct api *api, const char *const *urls, size_t n, int64_t timeout_ms,
		struct api_reply *ret_replies, struct err *ret_errs);
/* GET of an answer that goes on; max_bytes: of what was not taken off it yet. done() is called
 * once, unless http_cancel() comes first. */
struct http_call *api_listen(struct api *api, const char *url, size_t max_bytes, http_data_fn data,
			     http_done_fn done, void *ctx);
/* "http://host:port" of api_url and then "/path". */
char *api_url(const char *base, const char *path);

#endif
