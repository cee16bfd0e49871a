/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_peers - what a member sends to another one, and to whom it gives its password
 */
#include "io/peers.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "rig.h"

#define PORT    21290
#define WAIT_MS 5000
#define TOLD    "Authorization: Basic dXNlcjpzZWNyZXQ=\r\n" /* user:secret */

struct peer {
	struct loop *loop;
	struct http *http;
	struct peers *peers;
	int listen_fd;
	const char *reply;
	int fd; /* of the connection; -1 none */
	struct buf got;
	int answers;
	/* The newest. */
	int result;
	bool answered; /* it told where it is */
	bool accepted;
	char why[256];
	/* It knows the secret: its answers, of which reply is the body then, are signed. */
	const struct peersign *sign;
	int status;
	unsigned warnings;
};

static void on_vote(void *ctx, uint64_t ticket _unused_, int result, const struct vote *vote,
		    const struct err *err)
{
	struct peer *p = ctx;

	p->answers++;
	p->result = result;
	p->answered = vote != NULL && vote->answered;
	str_clip(p->why, sizeof(p->why), err != NULL ? err->msg : "");
}

static void on_promise(void *ctx, const struct peers_promise *promise)
{
	struct peer *p = ctx;

	p->answers++;
	p->accepted = promise->accepted;
	str_clip(p->why, sizeof(p->why), promise->err != NULL ? promise->err->msg : "");
}

static void on_line(void *ctx, const struct log_line *line)
{
	struct peer *p = ctx;

	p->warnings += line->level == LOG_WARNING;
}

static int listen_at(int port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	CHECK(fd >= 0);
	CHECK(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
	CHECK(bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	CHECK(listen(fd, 5) == 0);
	return fd;
}

static void peer_init(struct peer *p)
{
	static struct config config;
	struct err err = { 0 };

	*p = (struct peer){ .fd = -1, .listen_fd = listen_at(PORT) };
	config.restapi.username = (char *)"user";
	config.restapi.password = (char *)"secret";
	CHECK(loop_new(&p->loop, &err) == 0, "%s", err.msg);
	CHECK(http_new(p->loop, &p->http, &err) == 0, "%s", err.msg);
	p->peers = peers_new(p->http, on_vote, on_promise, p);
	peers_configure(p->peers, &config);
}

static void peer_done(struct peer *p)
{
	peers_free(p->peers);
	http_free(p->http);
	loop_free(p->loop);
	buf_done(&p->got);
	(void)close(p->listen_fd);
}

/* The header, and as much body as it tells of. */
static bool is_whole(const struct buf *got)
{
	const char *end = got->data ? strstr(got->data, "\r\n\r\n") : NULL;
	const char *told = end ? strcasestr(got->data, "Content-Length: ") : NULL;
	size_t body = told ? strtoul(told + strlen("Content-Length: "), NULL, 10) : 0;

	return end && got->len >= (size_t)(end + 4 - got->data) + body;
}

/* As a member answers that believes the question. */
static char *signed_reply(struct peer *p)
{
	static struct peersign_memory memory;
	const char *header = strstr(p->got.data, PEERSIGN_HEADER ": ");
	const char *body = strstr(p->got.data, "\r\n\r\n") + 4;
	char *method = str_ndup(p->got.data, strcspn(p->got.data, " "));
	char *path = str_ndup(p->got.data + strlen(method) + 1,
			      strcspn(p->got.data + strlen(method) + 1, " "));
	struct peersign_call call = {
		.method = method, .path = path, .body = body, .body_len = strlen(body)
	};
	struct peersign_answer answer = { .from = p->sign->name,
					  .status = p->status,
					  .body = p->reply,
					  .body_len = strlen(p->reply) };
	char *value, from[NAME_SIZE], why[PEERSIGN_WHY_SIZE], text[PEERSIGN_TEXT_SIZE];

	CHECK(header, "%s", p->got.data);
	header += strlen(PEERSIGN_HEADER ": ");
	value = str_ndup(header, strcspn(header, "\r\n"));
	CHECK(peersign_take_call(p->sign, &memory, value, loop_wall_us() / 1000, &call, from, why),
	      "%s", why);
	answer.to = from;
	answer.nonce = call.nonce;
	peersign_answer(p->sign, &answer, text);
	free(method);
	free(path);
	free(value);
	return str_dupf("HTTP/1.0 %d X\r\nx-pgha-peer:%s\r\n\r\n%s", p->status, text, p->reply);
}

/* One request is taken and answered: a connection of its own, which ends. */
static void serve(struct peer *p)
{
	_cleanup_(freep) char *reply = NULL;
	char chunk[4096];
	ssize_t n;

	if (p->fd < 0)
		p->fd = accept4(p->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (p->fd < 0)
		return;
	n = recv(p->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
	if (n > 0)
		buf_add(&p->got, chunk, (size_t)n);
	if (!is_whole(&p->got))
		return;
	reply = p->sign ? signed_reply(p) : str_dup(p->reply);
	CHECK(send(p->fd, reply, strlen(reply), MSG_NOSIGNAL) > 0);
	(void)close(p->fd);
	p->fd = -1;
}

static void until_answered(struct peer *p)
{
	int64_t until_ms = loop_now_ms() + WAIT_MS;

	while (p->answers == 0) {
		CHECK(loop_now_ms() < until_ms);
		serve(p);
		(void)loop_step(p->loop, 5);
	}
}

static void the_password_goes_with_what_is_to_be_done(void)
{
	struct peer_req ask = { .name = "two", .timeout_ms = WAIT_MS, .scope = "demo",
				.candidate = "one" };
	struct promise_req promise = { .name = "two", .body = "{}", .timeout_ms = WAIT_MS };
	struct peer p;

	peer_init(&p);
	str_printf(ask.api_url, sizeof(ask.api_url), "http://127.0.0.1:%d/patroni", PORT);
	str_clip(promise.api_url, sizeof(promise.api_url), ask.api_url);
	p.reply = "HTTP/1.0 200 OK\r\n\r\n{\"role\": \"replica\"}";

	peers_ask(p.peers, 1, &ask);
	until_answered(&p);
	CHECK(str_starts(p.got.data, "GET /patroni "), "%s", p.got.data);
	CHECK(!strstr(p.got.data, "Authorization"), "%s", p.got.data);

	p.answers = 0;
	buf_clear(&p.got);
	ask.ballot = 7;
	peers_ask(p.peers, 2, &ask);
	until_answered(&p);
	CHECK(str_starts(p.got.data, "POST /seal "), "%s", p.got.data);
	CHECK(strstr(p.got.data, TOLD), "%s", p.got.data);

	p.answers = 0;
	buf_clear(&p.got);
	peers_promise(p.peers, 3, &promise);
	until_answered(&p);
	CHECK(str_starts(p.got.data, "POST /failsafe "), "%s", p.got.data);
	CHECK(strstr(p.got.data, TOLD), "%s", p.got.data);
	peer_done(&p);
}

/* Who does not seal is asked where it is; it refused the password, and gets none again. */
static void a_refused_password_is_not_repeated(void)
{
	struct peer_req ask = { .name = "two", .timeout_ms = WAIT_MS, .scope = "demo",
				.candidate = "one", .ballot = 7 };
	struct peer p;

	peer_init(&p);
	str_printf(ask.api_url, sizeof(ask.api_url), "http://127.0.0.1:%d/patroni", PORT);
	p.reply = "HTTP/1.0 401 Unauthorized\r\n\r\nnot authenticated";
	peers_ask(p.peers, 1, &ask);
	for (int64_t until_ms = loop_now_ms() + WAIT_MS; p.fd >= 0 || !is_whole(&p.got);) {
		CHECK(loop_now_ms() < until_ms);
		serve(&p);
		(void)loop_step(p.loop, 5);
	}
	CHECK(strstr(p.got.data, TOLD), "%s", p.got.data);
	buf_clear(&p.got);
	p.reply = "HTTP/1.0 200 OK\r\n\r\n{\"role\": \"replica\"}";
	until_answered(&p);
	CHECK(str_starts(p.got.data, "GET /patroni "), "%s", p.got.data);
	CHECK(!strstr(p.got.data, "Authorization"), "%s", p.got.data);
	peer_done(&p);
}

static struct peersign member(const char *name, const char *secret, bool required)
{
	struct peersign sign = { .required = required };

	str_clip(sign.scope, sizeof(sign.scope), "demo");
	str_clip(sign.name, sizeof(sign.name), name);
	CHECK(peersign_parse(secret, strlen(secret), &sign, NULL) == 0);
	return sign;
}

static void ask_again(struct peer *p, const struct peer_req *ask)
{
	p->answers = 0;
	buf_clear(&p->got);
	peers_ask(p->peers, 1, ask);
	until_answered(p);
}

#define SECRET "a secret of sixteen and more"
#define WHERE                                                           \
	"{\"role\": \"replica\", \"xlog\": {\"received_location\": 7, " \
	"\"replayed_location\": 7}, \"timeline\": 1}"

static void an_answer_without_signature_is_none(void)
{
	struct peer_req ask = { .name = "two",
				.timeout_ms = WAIT_MS,
				.scope = "demo",
				.candidate = "one",
				.ballot = 7 };
	struct promise_req promise = { .name = "two", .body = "{}", .timeout_ms = WAIT_MS };
	struct peersign own = member("one", SECRET, true), two = member("two", SECRET, true);
	struct peer_telemetry told = { 0 };
	struct peer p;

	peer_init(&p);
	peers_sign(p.peers, &own);
	log_sink_set(on_line, &p);
	log_level_set(LOG_WARNING);
	str_printf(ask.api_url, sizeof(ask.api_url), "http://127.0.0.1:%d/patroni", PORT);
	str_clip(promise.api_url, sizeof(promise.api_url), ask.api_url);
	p.reply = WHERE;
	p.sign = &two;
	p.status = 200;
	ask_again(&p, &ask);
	CHECK(p.result == 0 && p.answered, "%d %s", p.result, p.why);
	ask.ballot = 0;
	ask_again(&p, &ask);
	CHECK(p.result == 0 && p.answered, "%d %s", p.result, p.why);

	p.sign = NULL;
	p.reply = "HTTP/1.0 200 OK\r\n\r\n" WHERE;
	ask_again(&p, &ask);
	CHECK(p.result == -ERR_DENIED && strstr(p.why, "HTTP 200 without a signature"), "%d %s",
	      p.result, p.why);
	p.reply = "HTTP/1.0 403 Forbidden\r\n\r\n'one' did not sign it";
	ask.ballot = 7;
	ask_again(&p, &ask);
	CHECK(p.result == -ERR_DENIED && strstr(p.why, ": 'one' did not sign it"), "%d %s",
	      p.result, p.why);
	CHECK(str_starts(p.got.data, "POST /seal "), "it is not asked again: %s", p.got.data);
	p.reply = "HTTP/1.0 200 OK\r\n\r\nAccepted";
	p.answers = 0;
	buf_clear(&p.got);
	peers_promise(p.peers, 3, &promise);
	until_answered(&p);
	CHECK(!p.accepted && strstr(p.why, "without a signature"), "%s", p.why);
	CHECK(p.warnings == 1, "one line a minute and member: %u", p.warnings);
	peers_tell(p.peers, &told);
	CHECK(told.answers_refused == 3 && told.refused_wall_us > 0);

	/* Where none is needed, a wrong one is no better than before. */
	own.required = false;
	peers_sign(p.peers, &own);
	ask.ballot = 0;
	p.reply = "HTTP/1.0 200 OK\r\nX-Pgha-Peer: v1 0123\r\n\r\n" WHERE;
	ask_again(&p, &ask);
	CHECK(p.result == -ERR_DENIED && strstr(p.why, "not right"), "%d %s", p.result, p.why);
	p.reply = "HTTP/1.0 200 OK\r\n\r\n" WHERE;
	ask_again(&p, &ask);
	CHECK(p.result == 0 && p.answered, "%d %s", p.result, p.why);
	log_level_set(LOG_ERROR);
	peer_done(&p);
}

int main(void)
{
	log_level_set(LOG_ERROR);
	RUN(the_password_goes_with_what_is_to_be_done);
	RUN(a_refused_password_is_not_repeated);
	RUN(an_answer_without_signature_is_none);
	return 0;
}
