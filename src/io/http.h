/* SPDX-License-Identifier: PostgreSQL */
/*
 * http - HTTP requests on the loop
 *
 * Nothing blocks, name resolution included. Every request has a deadline on CLOCK_BOOTTIME and a
 * limit on the size of its answer. Proxies of the environment and redirects are not followed.
 */
#ifndef PGHA_IO_HTTP_H
#define PGHA_IO_HTTP_H

#include "base/err.h"
#include "base/str.h"
#include "io/loop.h"

struct http;
struct http_call;
struct resolve;

struct http_tls {
	const char *cacert; /* NULL: nothing to verify against */
	const char *cert;
	const char *key;
	const char *key_password;
	bool verify_peer; /* chain against cacert, or the system's store when cacert is NULL */
	bool verify_host;
};

/* Valid during the callback only. */
struct http_rep {
	const struct err *err; /* NULL: an answer came, whatever its status */
	int status;
	struct buf *body;
	/* Taken right before the request was handed to libcurl: it cannot have left earlier. 0 when
	 * it was never handed over. */
	int64_t sent_at_ms;
	const char *header; /* what req->answer_header asked for; NULL: the answer has none */
};

typedef void (*http_done_fn)(void *ctx, const struct http_rep *rep);
/* More of a stream came; take bytes off the front with buf_consume(). */
typedef void (*http_data_fn)(void *ctx, struct buf *body);

#define HTTP_HEADERS_MAX 4

struct http_req {
	const char *method; /* static; "GET", "POST", ... */
	const char *url;
	const char *body; /* NULL: none */
	size_t body_len;
	const char *headers[HTTP_HEADERS_MAX]; /* "Name: value", NULL where unused */
	const char *username;                  /* basic authentication; NULL none */
	const char *password;
	const struct http_tls *tls; /* NULL: no certificate is verified */
	int64_t timeout_ms;         /* the whole request; 0: none, for streams */
	int64_t connect_ms;         /* name, TCP and TLS; 0: bounded by timeout_ms only */
	int64_t silent_ms;          /* TCP_USER_TIMEOUT and keepalive: gone after about this */
	bool fresh;                 /* not on a connection that is kept open */
	/* Static; of the answer's headers this one is wanted. Who wants one made his own for this
	 * request: nothing of it is kept for another. */
	const char *answer_header;
	size_t max_bytes;           /* of the answer; of a stream: what was not consumed yet */
	http_done_fn done;
	http_data_fn data; /* NULL: not a stream */
	void *ctx;
};

int http_new(struct loop *loop, struct http **ret, struct err *err) _must_check_;
void http_free(struct http *http); /* after all calls ended */
/* The resolver that comes with it, for others who need addresses. */
struct resolve *http_resolve(struct http *http);

/* Copies what it needs. done() is called exactly once, from the loop and never from in here,
 * unless http_cancel() comes first. */
struct http_call *http_start(struct http *http, const struct http_req *req);
void http_cancel(struct http_call *call); /* NULL is fine */

#endif
