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
};

static void on_vote(void *ctx, uint64_t ticket _unused_, int result _unused_,
		    const struct vote *vote _unused_, const struct err *err _unused_)
{
	struct peer *p = ctx;

	p->answers++;
}

static void on_promise(void *ctx, const struct peers_promise *promise _unused_)
{
	struct peer *p = ctx;

	p->answers++;
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

/* One request is taken and answered: a connection of its own, which ends. */
static void serve(struct peer *p)
{
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
	CHECK(send(p->fd, p->reply, strlen(p->reply), MSG_NOSIGNAL) > 0);
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

int main(void)
{
	log_level_set(LOG_ERROR);
	RUN(the_password_goes_with_what_is_to_be_done);
	RUN(a_refused_password_is_not_repeated);
	return 0;
}
