/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_rest - the REST server against good, bad and slow clients
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "restrig.h"

#define PORT 21200

/* Sends raw bytes and returns what comes until the server closes or 3 s are over. */
static char *raw(int port, const char *bytes, size_t len)
{
	struct timeval limit = { .tv_sec = 3 };
	struct buf got = { 0 };
	char chunk[4096];
	int fd = restrig_dial(port, -1);
	ssize_t n;

	CHECK(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	(void)!send(fd, bytes, len, MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	while ((n = recv(fd, chunk, sizeof(chunk), 0)) > 0)
		buf_add(&got, chunk, (size_t)n);
	close(fd);
	return buf_take(&got);
}

static struct restrig *server_new(int port)
{
	struct restrig *s = mem_new(1, sizeof(*s));

	restrig_init(s, port);
	return s;
}

static void server_free(struct restrig *s)
{
	restrig_done(s);
	free(s);
}

static void reads_come_from_the_board(void)
{
	struct restrig *s = server_new(PORT);

	restrig_start(s);
	CHECK(restrig_get(s, "/primary") == 503, "nothing is published yet: %d", s->status);
	restrig_publish(s, loop_now_ms() + 60000);
	CHECK(restrig_get(s, "/primary") == 200, "%d", s->status);
	CHECK(strstr(s->body, "\"role\": \"primary\""), "%s", s->body);
	CHECK(restrig_get(s, "/replica") == 503);
	CHECK(restrig_get(s, "/cluster") == 200 && strstr(s->body, "demo"), "%s", s->body);
	CHECK(restrig_get(s, "/no/such/thing?with=query") == 503);
	CHECK(restrig_ask(s, (struct http_req){ .method = "OPTIONS" }, "/primary") == 200);
	CHECK(s->body[0] == '\0', "%s", s->body);
	CHECK(restrig_ask(s, (struct http_req){ .method = "HEAD" }, "/replica") == 503);
	server_free(s);
}

/* The loop does not run meanwhile: leadership ends by the clock alone. */
static void leadership_ends_by_arithmetic(void)
{
	static const char request[] = "GET /primary HTTP/1.0\r\n\r\n";
	struct restrig *s = server_new(PORT + 1);
	bool led = false, ended = false;
	int64_t until_ms;

	restrig_start(s);
	until_ms = loop_now_ms() + 500;
	restrig_publish(s, until_ms);
	while (!ended && loop_now_ms() < until_ms + 5000) {
		int64_t before_ms = loop_now_ms();
		char *answer = raw(PORT + 1, request, sizeof(request) - 1);
		int64_t after_ms = loop_now_ms();
		bool ok = strstr(answer, " 200 ") != NULL;

		CHECK(ok || strstr(answer, " 503 "), "%s", answer);
		if (after_ms < until_ms)
			CHECK(ok, "still leads");
		if (before_ms >= until_ms)
			CHECK(!ok, "no longer leads");
		led = led || ok;
		ended = ended || !ok;
		free(answer);
	}
	CHECK(led && ended);
	server_free(s);
}

static void writes_go_to_the_loop(void)
{
	struct restrig *s = server_new(PORT + 2);

	restrig_start(s);
	CHECK(restrig_post(s, "/restart", "{}") == 503, "nothing is published yet: %d", s->status);
	restrig_publish(s, 0);
	CHECK(restrig_post(s, "/restart", "{}") == 200, "%d %s", s->status, s->body);
	CHECK(str_eq(s->body, "done by the loop") && s->last_type == CMD_RESTART, "%s", s->body);
	CHECK(restrig_post(s, "/reload", "") == 200 && s->last_type == CMD_RELOAD);
	CHECK(restrig_ask(s, (struct http_req){ .method = "PATCH", .body = "{\"ttl\":6}", .body_len = 9 },
		  "/config") == 200);
	CHECK(s->last_type == CMD_PATCH_CONFIG && s->ncommands == 3, "%u", s->ncommands);
	CHECK(restrig_ask(s, (struct http_req){ .method = "DELETE" }, "/switchover") == 200);
	CHECK(restrig_ask(s, (struct http_req){ .method = "PATCH", .body = "{", .body_len = 1 },
		  "/config") == 400, "%d", s->status);
	CHECK(restrig_ask(s, (struct http_req){ .method = "PATCH" }, "/config") == 411, "%d", s->status);
	CHECK(restrig_post(s, "/sigterm", "") == 501, "%d", s->status);
	CHECK(restrig_ask(s, (struct http_req){ .method = "PUT" }, "/primary") == 501, "%d", s->status);
	CHECK(restrig_ask(s, (struct http_req){ .method = "BREW" }, "/pot") == 501, "%d", s->status);
	CHECK(s->ncommands == 4, "%u", s->ncommands);
	server_free(s);
}

static void answers_may_come_late_or_not_at_all(void)
{
	static const char request[] = "POST /restart HTTP/1.1\r\nHost: x\r\n"
				      "Content-Length: 2\r\n\r\n{}";
	struct restrig *s = server_new(PORT + 3);
	int fds[REST_TASKS_MAX + 1];
	char chunk[512];
	ssize_t n;

	restrig_start(s);
	restrig_publish(s, 0);
	s->hold = true;
	for (size_t i = 0; i < REST_TASKS_MAX; i++) {
		fds[i] = restrig_dial(PORT + 3, -1);
		CHECK(send(fds[i], request, sizeof(request) - 1, MSG_NOSIGNAL) > 0);
	}
	while (s->ncommands < REST_TASKS_MAX)
		loop_step(s->loop, 1000);
	/* Others are still served, one command more is refused at once. */
	CHECK(restrig_get(s, "/primary") == 503);
	CHECK(restrig_post(s, "/restart", "{}") == 503 && strstr(s->body, "too many"), "%s", s->body);
	rest_reply(s->rest, s->last_id, 202, "text/html", "later");
	rest_reply(s->rest, s->last_id, 500, "text/html", "twice");
	rest_reply(s->rest, 9999, 500, "text/html", "nobody");
	n = recv(fds[REST_TASKS_MAX - 1], chunk, sizeof(chunk) - 1, 0);
	CHECK(n > 0);
	chunk[n] = '\0';
	CHECK(strstr(chunk, " 202 ") && strstr(chunk, "later"), "%s", chunk);
	/* At the end those who still wait hear so. */
	rest_free(s->rest);
	s->rest = NULL;
	n = recv(fds[0], chunk, sizeof(chunk) - 1, 0);
	CHECK(n > 0);
	chunk[n] = '\0';
	CHECK(strstr(chunk, " 503 "), "%s", chunk);
	for (size_t i = 0; i < REST_TASKS_MAX; i++)
		close(fds[i]);
	server_free(s);
}

static void bodies_have_a_limit(void)
{
	struct restrig *s = server_new(PORT + 4);
	size_t len = REST_BODY_MAX;
	char *body = mem_new(1, len + 2);
	static const char chunked[] = "POST /restart HTTP/1.1\r\nHost: x\r\n"
				      "Transfer-Encoding: chunked\r\n\r\n";
	struct buf flood = { 0 };
	char *answer;

	restrig_start(s);
	restrig_publish(s, 0);
	memset(body, ' ', len);
	body[0] = '{';
	body[len - 1] = '}';
	CHECK(restrig_ask(s, (struct http_req){ .method = "POST", .body = body, .body_len = len },
		  "/restart") == 200, "%d %s", s->status, s->fault);
	body[len - 1] = ' ';
	body[len] = '}';
	CHECK(restrig_ask(s, (struct http_req){ .method = "POST", .body = body, .body_len = len + 1 },
		  "/restart") == 413, "%d %s", s->status, s->fault);
	/* A length that was not told beforehand. */
	buf_str(&flood, chunked);
	for (int i = 0; i < 20; i++) {
		buf_str(&flood, "10000\r\n");
		buf_add(&flood, body, 65536);
		buf_str(&flood, "\r\n");
	}
	buf_str(&flood, "0\r\n\r\n");
	answer = raw(PORT + 4, flood.data, flood.len);
	CHECK(strstr(answer, " 413 "), "%s", answer);
	CHECK(s->ncommands == 1, "%u", s->ncommands);
	free(answer);
	buf_done(&flood);
	free(body);
	server_free(s);
}

static void bad_bytes_are_refused(void)
{
	static const char garbage[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n";
	struct restrig *s = server_new(PORT + 5);
	struct buf request = { 0 };
	char *answer;

	restrig_start(s);
	restrig_publish(s, loop_now_ms() + 60000);
	free(raw(PORT + 5, garbage, sizeof(garbage) - 1));
	/* A header that is longer than any of ours. */
	buf_str(&request, "GET /primary HTTP/1.1\r\nHost: x\r\nX-Long: ");
	for (int i = 0; i < 20000; i++)
		buf_ch(&request, 'a');
	buf_str(&request, "\r\n\r\n");
	answer = raw(PORT + 5, request.data, request.len);
	CHECK(!strstr(answer, " 200 "), "%s", answer);
	free(answer);
	buf_clear(&request);
	buf_str(&request, "GET /");
	for (int i = 0; i < 20000; i++)
		buf_ch(&request, 'a');
	buf_str(&request, " HTTP/1.1\r\nHost: x\r\n\r\n");
	answer = raw(PORT + 5, request.data, request.len);
	CHECK(!strstr(answer, " 200 "), "%s", answer);
	free(answer);
	buf_done(&request);
	CHECK(restrig_get(s, "/primary") == 200);
	server_free(s);
}

static int put_with(struct restrig *s, const char *user, const char *password)
{
	return restrig_ask(s, (struct http_req){ .method = "POST", .username = user, .password = password,
					 .body = "{}", .body_len = 2 },
		   "/restart");
}

static void writes_need_the_password(void)
{
	struct restrig *s = server_new(PORT + 6);
	struct http_req odd = { .method = "POST", .body = "{}", .body_len = 2 };

	s->config.username = (char *)"admin";
	s->config.password = (char *)"s:cret";
	restrig_start(s);
	restrig_publish(s, loop_now_ms() + 60000);
	CHECK(restrig_get(s, "/primary") == 200, "reads need none");
	CHECK(restrig_post(s, "/restart", "{}") == 401 && str_eq(s->body, "no auth header received"));
	CHECK(put_with(s, "admin", "wrong") == 401 && str_eq(s->body, "not authenticated"));
	CHECK(put_with(s, "admin", "s:cre") == 401);
	CHECK(put_with(s, "admin", "s:crett") == 401);
	CHECK(put_with(s, "", "") == 401);
	CHECK(put_with(s, "admin", "s:cret") == 200, "%d", s->status);
	odd.headers[0] = "Authorization: Bearer abc";
	CHECK(restrig_ask(s, odd, "/restart") == 401);
	odd.headers[0] = "Authorization: Basic ====";
	CHECK(restrig_ask(s, odd, "/restart") == 401);
	CHECK(s->ncommands == 1, "%u", s->ncommands);
	server_free(s);
}

static void writes_are_kept_to_the_allowlist(void)
{
	struct restrig *s = server_new(PORT + 7);
	char *list[] = { (char *)"10.0.0.0/8" };
	static const char member[1][HOST_SIZE] = { "localhost" };
	int64_t until_ms;

	s->config.allowlist = (struct strings){ .items = list, .n = 1 };
	restrig_start(s);
	restrig_publish(s, 0);
	CHECK(restrig_post(s, "/restart", "{}") == 403 && str_eq(s->body, "Access is denied"), "%s",
	      s->body);
	CHECK(restrig_get(s, "/patroni") == 200);
	list[0] = (char *)"127.0.0.0/8";
	rest_configure(s->rest, &s->config);
	until_ms = loop_now_ms() + 5000;
	while (restrig_post(s, "/restart", "{}") != 200)
		CHECK(loop_now_ms() < until_ms);
	/* Members by name, resolved in the background. */
	s->config.allowlist.n = 0;
	s->config.allowlist_include_members = true;
	rest_configure(s->rest, &s->config);
	until_ms = loop_now_ms() + 5000;
	while (restrig_post(s, "/restart", "{}") != 403)
		CHECK(loop_now_ms() < until_ms);
	rest_members(s->rest, member, 1);
	until_ms = loop_now_ms() + 5000;
	while (restrig_post(s, "/restart", "{}") != 200)
		CHECK(loop_now_ms() < until_ms);
	server_free(s);
}

static void a_port_in_use_is_named(void)
{
	struct restrig *first = server_new(PORT + 8);
	struct restrig *second = server_new(PORT + 8);
	struct err err = { 0 };

	restrig_start(first);
	CHECK(rest_bind(second->rest, &second->config, &err) < 0);
	CHECK(strstr(err.msg, "21208") && strstr(err.msg, "in use"), "%s", err.msg);
	/* Taken but not listening yet: nobody is answered. */
	second->config.listen_port = PORT + 9;
	CHECK(rest_bind(second->rest, &second->config, &err) == 0, "%s", err.msg);
	CHECK(restrig_dial(PORT + 9, -1) < 0);
	server_free(second);
	server_free(first);
}

static void the_address_may_change(void)
{
	struct restrig *s = server_new(PORT + 10);
	int64_t until_ms = loop_now_ms() + 5000;

	restrig_start(s);
	restrig_publish(s, loop_now_ms() + 60000);
	CHECK(restrig_get(s, "/primary") == 200);
	s->config.listen_port = PORT + 11;
	rest_configure(s->rest, &s->config);
	while (restrig_get(s, "/primary") != 200)
		CHECK(loop_now_ms() < until_ms);
	CHECK(restrig_dial(PORT + 10, -1) < 0);
	/* One that cannot be had leaves the old one. */
	s->config.listen_port = 1;
	str_copy(s->config.listen_host, sizeof(s->config.listen_host), "192.0.2.1");
	rest_configure(s->rest, &s->config);
	s->config.listen_port = PORT + 11;
	CHECK(restrig_get(s, "/primary") == 200);
	server_free(s);
}

/* ---- many at once ---- */

struct slow {
	int port;
	int n;
	atomic_bool stop;
	atomic_int opened;
	atomic_int lost;
};

/* Keeps n connections open, each sending a byte of a header now and then. */
static void *be_slow(void *arg)
{
	struct slow *slow = arg;
	int *fds = mem_new((size_t)slow->n, sizeof(*fds));
	size_t at = 0;
	static const char header[] = "GET /primary HTTP/1.1\r\nHost: x\r\nX-Slow: aaaaaaaaaaaaaaaaaaaa";

	for (int i = 0; i < slow->n; i++)
		fds[i] = -1;
	while (!atomic_load(&slow->stop)) {
		for (int i = 0; i < slow->n; i++) {
			if (fds[i] < 0) {
				fds[i] = restrig_dial(slow->port, -1);
				atomic_fetch_add(&slow->opened, fds[i] >= 0);
				continue;
			}
			if (send(fds[i], &header[at % (sizeof(header) - 1)], 1,
				 MSG_NOSIGNAL | MSG_DONTWAIT) == 1 || errno == EAGAIN)
				continue;
			atomic_fetch_add(&slow->lost, 1);
			close(fds[i]);
			fds[i] = -1;
		}
		at++;
		poll(NULL, 0, 20);
	}
	for (int i = 0; i < slow->n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(fds);
	return NULL;
}

static void slow_clients_disturb_nobody(void)
{
	struct restrig *s = server_new(PORT + 12);
	struct slow slow = { .port = PORT + 12, .n = 600 };
	int64_t worst_ms = 0, until_ms;
	pthread_t thread;
	int n = 0;

	restrig_start(s);
	restrig_publish(s, loop_now_ms() + 120000);
	CHECK(pthread_create(&thread, NULL, be_slow, &slow) == 0);
	while (atomic_load(&slow.opened) < slow.n)
		loop_step(s->loop, 20);
	until_ms = loop_now_ms() + 4000;
	while (loop_now_ms() < until_ms) {
		int64_t began_ms = loop_now_ms();

		CHECK(restrig_get(s, "/primary") == 200, "%d %s", s->status, s->fault);
		worst_ms = MAX_OF(worst_ms, loop_now_ms() - began_ms);
		n++;
	}
	atomic_store(&slow.stop, true);
	pthread_join(thread, NULL);
	fprintf(stderr, "   600 slow ones; %d answered meanwhile, worst %lld ms\n", n,
		(long long)worst_ms);
	CHECK(worst_ms < 500 && n > 100, "%lld ms, %d", (long long)worst_ms, n);
	server_free(s);
}

/* A header must be whole within the time, whatever drips in. */
static void a_dripping_client_is_put_out(void)
{
	struct restrig *s = server_new(PORT + 13);
	int64_t began_ms = loop_now_ms(), lived_ms;
	static const char byte = 'G';
	char c;
	int fd;

	restrig_start(s);
	restrig_publish(s, 0);
	fd = restrig_dial(PORT + 13, -1);
	CHECK(fd >= 0);
	while (loop_now_ms() - began_ms < 15000) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };

		if (send(fd, &byte, 1, MSG_NOSIGNAL) < 0)
			break;
		if (poll(&pfd, 1, 200) > 0 && recv(fd, &c, 1, 0) <= 0)
			break;
	}
	lived_ms = loop_now_ms() - began_ms;
	close(fd);
	CHECK(lived_ms > REST_IDLE_MS - 1000 && lived_ms < REST_IDLE_MS + 2500, "%lld ms",
	      (long long)lived_ms);
	server_free(s);
}

struct hammer {
	int port;
	int requests;
	atomic_int good;
};

/* One keep-alive connection, one request after the other. */
static void *hammer(void *arg)
{
	static const char request[] = "GET /primary HTTP/1.1\r\nHost: x\r\n\r\n";
	struct hammer *h = arg;
	int fd = restrig_dial(h->port, -1);
	int on = 1;
	char got[8192];

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	for (int i = 0; i < h->requests; i++) {
		size_t len = 0, want = 0;

		if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0)
			break;
		while (want == 0 || len < want) {
			ssize_t n = recv(fd, got + len, sizeof(got) - 1 - len, 0);
			const char *end, *length;

			if (n <= 0)
				break;
			len += (size_t)n;
			got[len] = '\0';
			end = strstr(got, "\r\n\r\n");
			length = strcasestr(got, "content-length: ");
			if (end && length)
				want = (size_t)(end - got) + 4 + strtoul(length + 16, NULL, 10);
		}
		if (want == 0 || len != want || strncmp(got, "HTTP/1.1 200 ", 13) != 0)
			break;
		atomic_fetch_add(&h->good, 1);
	}
	close(fd);
	return NULL;
}

static void keep_alive_clients_are_served_fast(void)
{
	struct restrig *s = server_new(PORT + 14);
	struct hammer h = { .port = PORT + 14, .requests = 2500 };
	pthread_t threads[8];
	int64_t took_ms;

	restrig_start(s);
	restrig_publish(s, loop_now_ms() + 120000);
	took_ms = -loop_now_ms();
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		CHECK(pthread_create(&threads[i], NULL, hammer, &h) == 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	took_ms += loop_now_ms();
	fprintf(stderr, "   %d answers in %lld ms\n", atomic_load(&h.good), (long long)took_ms);
	CHECK(atomic_load(&h.good) == 8 * 2500, "%d", atomic_load(&h.good));
	CHECK(took_ms < 20000);
	server_free(s);
}

/* ---- TLS ---- */

static int tls_post(struct restrig *s, const struct http_tls *tls)
{
	return restrig_ask(s, (struct http_req){ .method = "POST", .tls = tls, .body = "{}",
					 .body_len = 2 }, "/restart");
}

static void certificates_are_shown_and_asked_for(void)
{
	struct restrig *s = server_new(PORT + 15);
	struct http_tls none = { 0 }, verify = { 0 }, with = { 0 }, alien = { 0 };
	char *cert[3] = { rig_certificate("ca.pem"), rig_certificate("server.pem"),
			  rig_certificate("client.pem") };
	char *alien_cert = rig_certificate("alien.pem");
	int64_t until_ms;

	verify = (struct http_tls){ .cacert = cert[0], .verify_peer = true, .verify_host = true };
	with = verify;
	with.cert = cert[2];
	alien = verify;
	alien.cert = alien_cert;
	s->config.certfile = cert[1];
	restrig_start(s);
	restrig_publish(s, loop_now_ms() + 120000);
	CHECK(restrig_ask(s, (struct http_req){ .tls = &none }, "/primary") == 200, "%s", s->fault);
	CHECK(restrig_ask(s, (struct http_req){ .tls = &verify }, "/primary") == 200, "%s", s->fault);
	CHECK(tls_post(s, &verify) == 200, "%d", s->status);

	s->config.cafile = cert[0];
	s->config.verify_client = VERIFY_OPTIONAL;
	rest_configure(s->rest, &s->config);
	until_ms = loop_now_ms() + 5000;
	while (tls_post(s, &verify) != 403)
		CHECK(loop_now_ms() < until_ms, "%d", s->status);
	CHECK(str_eq(s->body, "client certificate required"), "%s", s->body);
	CHECK(restrig_ask(s, (struct http_req){ .tls = &verify }, "/primary") == 200, "%s", s->fault);
	CHECK(tls_post(s, &with) == 200, "%d %s", s->status, s->fault);
	CHECK(tls_post(s, &alien) < 0, "%d", s->status);

	s->config.verify_client = VERIFY_REQUIRED;
	rest_configure(s->rest, &s->config);
	until_ms = loop_now_ms() + 5000;
	while (restrig_ask(s, (struct http_req){ .tls = &verify }, "/primary") > 0)
		CHECK(loop_now_ms() < until_ms);
	CHECK(restrig_ask(s, (struct http_req){ .tls = &with }, "/primary") == 200, "%s", s->fault);
	CHECK(tls_post(s, &with) == 200, "%d", s->status);
	CHECK(tls_post(s, &alien) < 0, "%d", s->status);

	/* A file that cannot be used leaves the old certificate. */
	s->config.certfile = cert[0];
	rest_configure(s->rest, &s->config);
	CHECK(restrig_ask(s, (struct http_req){ .tls = &with }, "/primary") == 200, "%s", s->fault);
	server_free(s);
	free(alien_cert);
	for (size_t i = 0; i < ARRAY_LEN(cert); i++)
		free(cert[i]);
}

int main(void)
{
	restrig_files(4096);
	log_level_set(LOG_ERROR);
	RUN(reads_come_from_the_board);
	RUN(leadership_ends_by_arithmetic);
	RUN(writes_go_to_the_loop);
	RUN(answers_may_come_late_or_not_at_all);
	RUN(bodies_have_a_limit);
	RUN(bad_bytes_are_refused);
	RUN(writes_need_the_password);
	RUN(writes_are_kept_to_the_allowlist);
	RUN(a_port_in_use_is_named);
	RUN(the_address_may_change);
	RUN(slow_clients_disturb_nobody);
	RUN(a_dripping_client_is_put_out);
	RUN(keep_alive_clients_are_served_fast);
	RUN(certificates_are_shown_and_asked_for);
	return 0;
}
