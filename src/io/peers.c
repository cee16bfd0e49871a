/* SPDX-License-Identifier: PostgreSQL */
/*
 * peers - the other members' own word on where they are
 */
#include "io/peers.h"

#include <stdlib.h>

#include "base/log.h"
#include "io/loop.h"
#include "wire/record.h"
#include "wire/restmsg.h"

#define ANSWER_MAX  (256 * 1024)
#define WAIT_MAX_MS 2000 /* contract 7.3 */
#define HEADER_SIZE (sizeof(PEERSIGN_HEADER) + 2 + PEERSIGN_TEXT_SIZE)

struct question {
	struct peers *peers;
	struct question *next;
	struct http_call *call;
	uint64_t ticket;
	int64_t until_ms;
	bool sealing; /* else it is only asked where it is */
	char name[NAME_SIZE];
	char api_url[URL_SIZE];
	const char *method; /* static; of the request under way */
	char path[URL_SIZE];
	char nonce[PEERSIGN_NONCE_SIZE]; /* "": it was not signed */
};

/* Whose answers did not count, and when that was told. */
struct disbelief {
	char name[NAME_SIZE];
	int64_t told_at_ms;
};

struct peers {
	struct http *http;
	peers_fn answer;
	peers_promise_fn promise;
	void *ctx;
	struct question *first;
	char *username;
	char *password;
	char *cacert;
	char *cert;
	char *key;
	char *key_password;
	struct peersign sign;
	struct disbelief disbeliefs[MEMBERS_MAX];
	struct peer_telemetry telemetry;
};

struct peers *peers_new(struct http *http, peers_fn answer, peers_promise_fn promise, void *ctx)
{
	struct peers *peers = mem_new(1, sizeof(*peers));

	peers->http = http;
	peers->answer = answer;
	peers->promise = promise;
	peers->ctx = ctx;
	return peers;
}

static void forget_settings(struct peers *peers)
{
	free(TAKE(peers->username));
	free(TAKE(peers->password));
	free(TAKE(peers->cacert));
	free(TAKE(peers->cert));
	free(TAKE(peers->key));
	free(TAKE(peers->key_password));
}

void peers_free(struct peers *peers)
{
	if (peers == NULL)
		return;
	while (peers->first != NULL) {
		struct question *q = peers->first;

		peers->first = q->next;
		http_cancel(q->call);
		free(q);
	}
	forget_settings(peers);
	explicit_bzero(&peers->sign, sizeof(peers->sign));
	free(peers);
}

void peers_configure(struct peers *peers, const struct config *config)
{
	const struct config_ctl *ctl = &config->ctl;
	bool own = ctl->username != NULL;

	forget_settings(peers);
	peers->username = str_dup(own ? ctl->username : config->restapi.username);
	peers->password = str_dup(own ? ctl->password : config->restapi.password);
	peers->cacert = str_dup(ctl->cacert != NULL ? ctl->cacert : config->restapi.cafile);
	peers->cert = str_dup(ctl->certfile);
	peers->key = str_dup(ctl->keyfile);
	peers->key_password = str_dup(ctl->keyfile_password);
}

void peers_sign(struct peers *peers, const struct peersign *sign)
{
	bool same = memcmp(&peers->sign, sign, sizeof(*sign)) == 0 ||
		    peers->sign.nsecrets + sign->nsecrets == 0;

	peers->sign = *sign;
	if (same)
		return;
	if (sign->nsecrets == 0)
		log_notice("calls between members are no longer signed");
	else
		log_notice("calls between members are signed; %s, and %u secret%s",
			   sign->required ? "what is not does not count"
					  : "what is not counts as well (restapi.peer_auth)",
			   sign->nsecrets, sign->nsecrets == 1 ? " is taken" : "s are taken");
}

void peers_tell(const struct peers *peers, struct peer_telemetry *ret)
{
	ret->answers_refused += peers->telemetry.answers_refused;
	ret->refused_wall_us = MAX_OF(ret->refused_wall_us, peers->telemetry.refused_wall_us);
}

/* ---- signatures ---- */

/* From the first slash after the host on. */
static const char *path_of(const char *url)
{
	const char *host = strstr(url, "://");

	host = host != NULL ? host + 3 : url;
	return host[strcspn(host, "/")] != '\0' ? host + strcspn(host, "/") : "/";
}

/* header[] has to last until the request was started. */
static void sign_question(struct question *q, struct http_req *call, char header[HEADER_SIZE])
{
	struct peersign_call signs = { .to = q->name,
				       .method = call->method,
				       .path = q->path,
				       .body = call->body,
				       .body_len = call->body_len,
				       .wall_ms = loop_wall_us() / 1000 };
	char text[PEERSIGN_TEXT_SIZE];

	q->nonce[0] = '\0';
	q->method = call->method;
	str_clip(q->path, sizeof(q->path), path_of(call->url));
	if (q->peers->sign.nsecrets == 0)
		return;
	peersign_nonce(q->nonce);
	str_clip(signs.nonce, sizeof(signs.nonce), q->nonce);
	peersign_call(&q->peers->sign, &signs, text);
	(void)str_printf(header, HEADER_SIZE, "%s: %s", PEERSIGN_HEADER, text);
	call->headers[HTTP_HEADERS_MAX - 1] = header;
	call->answer_header = PEERSIGN_HEADER;
}

static bool is_time_to_tell(struct peers *peers, const char *name)
{
	struct disbelief *at = &peers->disbeliefs[0];
	int64_t now_ms = loop_now_ms();

	for (size_t i = 0; i < MEMBERS_MAX && !str_eq(at->name, name); i++)
		if (str_eq(peers->disbeliefs[i].name, name) ||
		    peers->disbeliefs[i].told_at_ms < at->told_at_ms)
			at = &peers->disbeliefs[i];
	if (str_eq(at->name, name) && now_ms - at->told_at_ms < PEERS_TELL_MS)
		return false;
	str_clip(at->name, sizeof(at->name), name);
	at->told_at_ms = now_ms;
	return true;
}

static bool is_signed(const struct question *q, const struct http_rep *rep)
{
	struct peersign_answer says = { .from = q->name,
					.to = q->peers->sign.name,
					.nonce = q->nonce,
					.status = rep->status,
					.body = rep->body->data,
					.body_len = rep->body->len };

	return peersign_take_answer(&q->peers->sign, rep->header, &says);
}

/* Whether what came may be used. *ret_err says else why not. */
static bool is_believed(struct question *q, const struct http_rep *rep, struct err *ret_err)
{
	struct peers *peers = q->peers;
	char said[REASON_SIZE];

	if (rep->err != NULL || q->nonce[0] == '\0' || peers->sign.nsecrets == 0)
		return true;
	if (rep->header != NULL ? is_signed(q, rep) : !peers->sign.required)
		return true;
	str_line(said, sizeof(said),
		 rep->header == NULL && rep->body->data != NULL ? rep->body->data : "");
	err_set(ret_err, ERR_DENIED, "HTTP %d %s%s%s", rep->status,
		rep->header != NULL ? "with a signature that is not right" : "without a signature",
		said[0] != '\0' && rep->status >= 400 ? ": " : "", rep->status >= 400 ? said : "");
	peers->telemetry.answers_refused++;
	peers->telemetry.refused_wall_us = loop_wall_us();
	if (is_time_to_tell(peers, q->name))
		log_warning("the answer of '%s' to %s %s counts as none: %s; look at the restapi "
			    "settings of both",
			    q->name, q->method, q->path, ret_err->msg);
	return false;
}

/* ---- questions ---- */

static void unlink_question(struct question *q)
{
	struct question **at = &q->peers->first;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
}

static void on_answer(void *ctx, const struct http_rep *rep);

static void send(struct question *q, struct http_req *call)
{
	struct peers *peers = q->peers;
	struct http_tls tls = { .cacert = peers->cacert, .cert = peers->cert, .key = peers->key,
				.key_password = peers->key_password,
				.verify_peer = peers->cert != NULL };
	char header[HEADER_SIZE];

	/* Reads are open to everybody: a password that does not go along cannot be taken. */
	if (!str_eq(call->method, "GET")) {
		call->username = peers->username;
		call->password = peers->password;
	}
	call->tls = &tls;
	call->timeout_ms = MAX_OF(q->until_ms - loop_now_ms(), INT64_C(1));
	call->silent_ms = WAIT_MAX_MS;
	call->max_bytes = ANSWER_MAX;
	call->done = call->done != NULL ? call->done : on_answer;
	call->ctx = q;
	sign_question(q, call, header);
	q->call = http_start(peers->http, call);
}

/* It answers, and neither sealed nor told where it is: who may write is not who may read. */
static bool asks_again(struct question *q, const struct http_rep *rep)
{
	struct http_req call = { .method = "GET", .url = q->api_url };

	if (!q->sealing || rep->err != NULL || rep->status == 200 || rep->status == 409)
		return false;
	log_warning("'%s' answers HTTP %d to POST /seal, so it goes on receiving WAL while its "
		    "position is compared; look at its restapi settings",
		    q->name, rep->status);
	q->sealing = false;
	send(q, &call);
	return true;
}

static void on_answer(void *ctx, const struct http_rep *rep)
{
	struct question *q = ctx;
	struct peers *peers = q->peers;
	struct vote vote = { 0 };
	struct err doubt = { 0 };
	bool believed = is_believed(q, rep, &doubt);
	const struct err *err = believed ? rep->err : &doubt;

	if (believed && asks_again(q, rep))
		return;
	unlink_question(q);
	str_clip(vote.name, sizeof(vote.name), q->name);
	if (err == NULL)
		restmsg_vote_parse(rep->body->data != NULL ? rep->body->data : "", rep->body->len,
				   &vote);
	peers->answer(peers->ctx, q->ticket, err != NULL ? -(int)err->code : 0,
		      err == NULL ? &vote : NULL, err);
	free(q);
}

/* Same scheme, host and port as the api_url, another path. */
static void other_path(const char *api_url, const char *path, char *url, size_t size)
{
	const char *host = strstr(api_url, "://");
	size_t len = host != NULL ? (size_t)(host + 3 - api_url) + strcspn(host + 3, "/") :
				    strlen(api_url);

	(void)str_printf(url, size, "%.*s%s", (int)len, api_url, path);
}

static void seal_request(const struct peer_req *req, char *url, size_t size, struct buf *body)
{
	other_path(req->api_url, "/seal", url, size);
	buf_printf(body, "{\"ballot\": %lld, \"scope\": ", (long long)req->ballot);
	record_quote(body, req->scope);
	buf_str(body, ", \"candidate\": ");
	record_quote(body, req->candidate);
	buf_ch(body, '}');
}

void peers_ask(struct peers *peers, uint64_t ticket, const struct peer_req *req)
{
	struct question *q = mem_new(1, sizeof(*q));
	bool shorter = req->timeout_ms > 0 && req->timeout_ms < WAIT_MAX_MS;
	_cleanup_(buf_done) struct buf body = { 0 };
	char url[URL_SIZE + 8];
	struct http_req call = { .method = "GET", .url = req->api_url };

	q->peers = peers;
	q->ticket = ticket;
	q->until_ms = loop_now_ms() + (shorter ? req->timeout_ms : WAIT_MAX_MS);
	str_clip(q->name, sizeof(q->name), req->name);
	str_clip(q->api_url, sizeof(q->api_url), req->api_url);
	if (req->ballot != 0) {
		q->sealing = true;
		seal_request(req, url, sizeof(url), &body);
		call.method = "POST";
		call.url = url;
		call.body = body.data;
		call.body_len = body.len;
		call.headers[0] = "Content-Type: application/json";
	}
	q->next = peers->first;
	peers->first = q;
	send(q, &call);
}

static void on_promise(void *ctx, const struct http_rep *rep)
{
	struct question *q = ctx;
	struct peers *peers = q->peers;
	struct err doubt = { 0 };
	const struct err *err = is_believed(q, rep, &doubt) ? rep->err : &doubt;
	const char *body = err == NULL && rep->body->data != NULL ? rep->body->data : "";
	struct peers_promise promise = { .ticket = q->ticket,
					 .sent_at_ms = rep->sent_at_ms,
					 .err = err };
	char text[REASON_SIZE];

	unlink_question(q);
	promise.accepted = err == NULL && rep->status == 200 && str_eq(body, "Accepted");
	str_clip(text, sizeof(text), body);
	text[strcspn(text, "\r\n")] = '\0';
	promise.text = text;
	peers->promise(peers->ctx, &promise);
	free(q);
}

void peers_promise(struct peers *peers, uint64_t ticket, const struct promise_req *req)
{
	struct question *q = mem_new(1, sizeof(*q));
	bool shorter = req->timeout_ms > 0 && req->timeout_ms < WAIT_MAX_MS;
	char url[URL_SIZE + 16];
	struct http_req call = { .method = "POST", .url = url, .body = req->body,
				 .body_len = strlen(req->body),
				 .headers = { "Content-Type: application/json" },
				 .done = on_promise };

	other_path(req->api_url, "/failsafe", url, sizeof(url));
	q->peers = peers;
	q->ticket = ticket;
	q->until_ms = loop_now_ms() + (shorter ? req->timeout_ms : WAIT_MAX_MS);
	str_clip(q->name, sizeof(q->name), req->name);
	q->next = peers->first;
	peers->first = q;
	send(q, &call);
}
