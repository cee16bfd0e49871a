/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_restaccess - wrong passwords by the hundred, and the log line about each command
 */
#include "io/restaccess.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "restrig.h"

#define PORT     22310
#define PASSWORD "pl4nted:s3cret"
#define GUESSES  300

/* Lines come from the server's thread. */
struct said {
	pthread_mutex_t lock;
	struct buf text;
	unsigned lines;
};

static void take_line(void *ctx, const struct log_line *line)
{
	struct said *said = ctx;

	pthread_mutex_lock(&said->lock);
	buf_printf(&said->text, "%s: %s\n", log_level_name(line->level), line->text);
	said->lines++;
	pthread_mutex_unlock(&said->lock);
}

static char *take_said(struct said *said)
{
	char *text;

	pthread_mutex_lock(&said->lock);
	text = str_dup(said->text.data ?: "");
	buf_clear(&said->text);
	said->lines = 0;
	pthread_mutex_unlock(&said->lock);
	return text;
}

static void expect_said(struct said *said, const char *what)
{
	_cleanup_(freep) char *text = take_said(said);

	CHECK(strstr(text, what), "no '%s' in: %s", what, text);
	CHECK(!strstr(text, "s3cret"), "%s", text);
}

static void begin(struct restrig *rig, int port)
{
	restrig_init(rig, port);
	rig->config.username = (char *)"operator";
	rig->config.password = (char *)PASSWORD;
}

static void start(struct restrig *rig)
{
	restrig_start(rig);
	restrig_publish(rig, loop_now_ms() + 60000);
}

static int command(struct restrig *rig, const char *password)
{
	return restrig_ask(rig,
			   (struct http_req){ .method = "POST", .username = "operator",
					      .password = password, .body = "{}", .body_len = 2 },
			   "/restart");
}

static void wait_ms(struct restrig *rig, int64_t ms)
{
	int64_t until_ms = loop_now_ms() + ms;

	while (loop_now_ms() < until_ms)
		(void)loop_step(rig->loop, 20);
}

/* Status of a command from another address of this host. */
static int command_from(struct restrig *rig, int host, bool right)
{
	_cleanup_(freep) char *text = str_dupf(
		"POST /restart HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
		"Authorization: Basic %s\r\n\r\n{}",
		right ? "b3BlcmF0b3I6cGw0bnRlZDpzM2NyZXQ=" : "b3BlcmF0b3I6d3Jvbmc=");
	int fd = restrig_dial(rig->config.listen_port, host);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t until_ms = loop_now_ms() + RESTRIG_WAIT_MS;
	char answer[1024] = "";
	int status = 0;

	restrig_send(fd, text);
	while (poll(&p, 1, 2) == 0 && loop_now_ms() < until_ms)
		(void)loop_step(rig->loop, 0);
	CHECK(recv(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT) > 0);
	CHECK(sscanf(answer, "HTTP/1.1 %d", &status) == 1, "%s", answer);
	close(fd);
	return status;
}

static void guesses_are_few(void)
{
	struct restrig rig = { 0 };
	int64_t began_ms, took_ms;
	int looked_at = 0;

	begin(&rig, PORT);
	start(&rig);
	CHECK(command(&rig, PASSWORD) == 200);
	began_ms = loop_now_ms();
	for (int i = 0; i < GUESSES; i++) {
		int status = command(&rig, "wrong");

		CHECK(status == 401 || status == 429, "%d", status);
		CHECK(i >= RESTACCESS_BURST || status == 401, "guess %d: %d", i, status);
		looked_at += status == 401;
	}
	took_ms = loop_now_ms() - began_ms;
	CHECK(looked_at <= RESTACCESS_BURST + 1 + took_ms / RESTACCESS_EVERY_MS,
	      "%d of %d guesses in %lld ms", looked_at, GUESSES, (long long)took_ms);
	/* Held off is whoever comes from there: the answer must not tell that a guess was right. */
	while (command(&rig, "wrong") != 429)
		CHECK(loop_now_ms() - began_ms < 60000);
	CHECK(command(&rig, PASSWORD) == 429, "%d", rig.status);
	CHECK(strstr(rig.body, "too many wrong passwords"), "%s", rig.body);
	CHECK(restrig_get(&rig, "/primary") == 200, "reads go on: %d", rig.status);
	CHECK(command_from(&rig, 1, true) == 200, "others are not concerned");
	/* And it ends by itself. */
	for (began_ms = loop_now_ms(); command(&rig, PASSWORD) != 200; wait_ms(&rig, 100))
		CHECK(loop_now_ms() - began_ms < 3 * RESTACCESS_EVERY_MS, "%d", rig.status);
	restrig_done(&rig);
}

/* More addresses than there are places: nobody pays for what others owe. */
static void places_are_taken_in_turn(void)
{
	struct restrig rig = { 0 };

	begin(&rig, PORT + 1);
	start(&rig);
	for (int host = 0; host < RESTACCESS_ADDRS + 44; host++)
		CHECK(command_from(&rig, host, false) == 401, "%d", host);
	for (int host = 0; host < RESTACCESS_ADDRS + 44; host += 43)
		CHECK(command_from(&rig, host, true) == 200, "%d", host);
	restrig_done(&rig);
}

static void commands_are_told_and_by_whom(void)
{
	struct said said = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct restrig rig = { 0 };
	struct http_req req = { .method = "PATCH", .username = "operator", .password = PASSWORD,
				.body = "{\"pause\": true, \"x\": \"s3cret\"}", .body_len = 30 };

	begin(&rig, PORT + 2);
	start(&rig);
	log_sink_set(take_line, &said);
	log_level_set(LOG_INFO);
	CHECK(restrig_ask(&rig, req, "/config") == 200, "%d", rig.status);
	expect_said(&said, "NOTICE: REST: PATCH /config (pause, x) from 127.0.0.1 as 'operator': "
			   "200 done by the loop\n");
	CHECK(restrig_post(&rig, "/restart", "{}") == 401);
	expect_said(&said, "WARNING: REST: POST /restart from 127.0.0.1: 401 no auth header "
			   "received\n");
	req.body = "{\"nothing\": 1}";
	req.body_len = 14;
	req.method = "POST";
	CHECK(restrig_ask(&rig, req, "/restart") == 400, "%d", rig.status);
	expect_said(&said, "REST: POST /restart (nothing) from 127.0.0.1 as 'operator': 400 Unknown "
			   "filter");
	req.body = NULL;
	req.body_len = 0;
	CHECK(restrig_ask(&rig, req, "/doctor") == 200, "%d", rig.status);
	CHECK(restrig_get(&rig, "/primary") == 200);
	log_level_set(LOG_ERROR);
	CHECK(said.lines == 0, "questions are no news: %s", said.text.data);
	buf_done(&said.text);
	restrig_done(&rig);
}

static void refusals_do_not_fill_the_log(void)
{
	struct said said = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct restrig rig = { 0 };
	int64_t began_ms, took_ms;

	begin(&rig, PORT + 3);
	start(&rig);
	log_sink_set(take_line, &said);
	log_level_set(LOG_INFO);
	began_ms = loop_now_ms();
	for (int i = 0; i < GUESSES; i++)
		CHECK(restrig_post(&rig, "/restart", "{}") == 401);
	took_ms = loop_now_ms() - began_ms;
	CHECK(said.lines >= 1 && said.lines <= 1 + took_ms / RESTACCESS_TELL_MS, "%u in %lld ms",
	      said.lines, (long long)took_ms);
	free(take_said(&said));
	wait_ms(&rig, RESTACCESS_TELL_MS);
	CHECK(restrig_post(&rig, "/restart", "{}") == 401);
	expect_said(&said, "more were refused since the last such line\n");
	log_level_set(LOG_ERROR);
	buf_done(&said.text);
	restrig_done(&rig);
}

static void certificates_are_named(void)
{
	struct said said = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct http_tls tls = { .cacert = rig_certificate("ca.pem"),
				.cert = rig_certificate("client.pem"), .verify_peer = true };
	struct restrig rig = { 0 };

	restrig_init(&rig, PORT + 4);
	rig.config.certfile = rig_certificate("server.pem");
	rig.config.cafile = rig_certificate("ca.pem");
	rig.config.verify_client = VERIFY_REQUIRED;
	start(&rig);
	log_sink_set(take_line, &said);
	log_level_set(LOG_INFO);
	CHECK(restrig_ask(&rig,
			  (struct http_req){ .method = "POST", .tls = &tls, .body = "{}",
					     .body_len = 2 },
			  "/restart") == 200,
	      "%d %s", rig.status, rig.fault);
	expect_said(&said, "REST: POST /restart from 127.0.0.1 with the certificate of '");
	log_level_set(LOG_ERROR);
	buf_done(&said.text);
	restrig_done(&rig);
	free((char *)tls.cacert);
	free((char *)tls.cert);
	free(rig.config.certfile);
	free(rig.config.cafile);
}

/* What an operator's browser sends on behalf of a page, with what it remembers of him. */
static void pages_send_no_commands(void)
{
	struct pair cors = { .name = (char *)"Access-Control-Allow-Origin",
			     .value = (char *)"https://console.example" };
	struct http_req req = { .method = "POST", .username = "operator", .password = PASSWORD,
				.body = "{}", .body_len = 2 };
	struct restrig rig = { 0 };
	int64_t until_ms;

	begin(&rig, PORT + 5);
	start(&rig);
	req.headers[0] = "Origin: https://console.example";
	CHECK(restrig_ask(&rig, req, "/restart") == 403 && strstr(rig.body, "web pages"), "%d %s",
	      rig.status, rig.body);
	rig.config.http_extra_headers = (struct pairs){ .items = &cors, .n = 1 };
	rest_configure(rig.rest, &rig.config);
	until_ms = loop_now_ms() + RESTRIG_WAIT_MS;
	while (restrig_ask(&rig, req, "/restart") != 200)
		CHECK(loop_now_ms() < until_ms, "%d", rig.status);
	restrig_done(&rig);
}

/* ---- members ---- */

#define SECRET "a secret of sixteen and more"
#define CALL   "{\"ballot\": 7, \"scope\": \"demo\", \"candidate\": \"two\"}"

static struct peersign member(const char *name, const char *secret, bool required)
{
	struct peersign sign = { .required = required };

	str_clip(sign.scope, sizeof(sign.scope), "demo");
	str_clip(sign.name, sizeof(sign.name), name);
	CHECK(peersign_parse(secret, strlen(secret), &sign, NULL) == 0);
	return sign;
}

/* Signed for the member "one"; returns the code. */
static int ask_signed(struct restrig *rig, const struct peersign *own, struct peersign_call *call)
{
	struct http_req req = { .method = call->method,
				.body = call->body,
				.body_len = call->body_len,
				.answer_header = PEERSIGN_HEADER };
	char text[PEERSIGN_TEXT_SIZE];
	_cleanup_(freep) char *header = NULL;

	call->to = "one";
	if (!call->nonce[0])
		peersign_nonce(call->nonce);
	if (!call->wall_ms)
		call->wall_ms = loop_wall_us() / 1000;
	peersign_call(own, call, text);
	header = str_dupf("%s: %s", PEERSIGN_HEADER, text);
	req.headers[0] = header;
	return restrig_ask(rig, req, call->path);
}

static bool answer_is_signed(struct restrig *rig, const struct peersign *own,
			     const struct peersign_call *call)
{
	const struct peersign_answer says = { .from = "one",
					      .to = own->name,
					      .nonce = call->nonce,
					      .status = rig->status,
					      .body = rig->body,
					      .body_len = strlen(rig->body) };

	return peersign_take_answer(own, rig->header[0] ? rig->header : NULL, &says);
}

static void begin_members(struct restrig *rig, int port, bool required)
{
	struct peersign own = member("one", SECRET, required);

	restrig_init(rig, port);
	rest_sign(rig->rest, &own);
	start(rig);
}

static void members_are_known_by_their_signature(void)
{
	struct said said = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct peersign two = member("two", SECRET, true);
	struct peersign stranger = member("two", "the secret of another cluster", true);
	struct peersign_call seal = {
		.method = "POST", .path = "/seal", .body = CALL, .body_len = strlen(CALL)
	};
	struct peersign_call again, read = { .method = "GET", .path = "/patroni?x=1" };
	struct peer_telemetry told = { 0 };
	struct restrig rig = { 0 };

	begin_members(&rig, PORT + 6, true);
	log_sink_set(take_line, &said);
	log_level_set(LOG_INFO);
	CHECK(restrig_post(&rig, "/seal", CALL) == 403 && strstr(rig.body, "no signature"), "%d %s",
	      rig.status, rig.body);
	expect_said(&said,
		    "WARNING: REST: POST /seal from 127.0.0.1: 403 no signature of a member");
	CHECK(restrig_post(&rig, "/failsafe", "{}") == 403, "%d", rig.status);
	CHECK(rig.ncommands == 0);
	CHECK(ask_signed(&rig, &stranger, &seal) == 403 && !rig.header[0], "%d", rig.status);
	CHECK(strstr(rig.body, "'two' did not sign it"), "%s", rig.body);
	CHECK(rig.ncommands == 0);
	again = seal;
	CHECK(ask_signed(&rig, &two, &seal) == 200 && rig.ncommands == 1, "%d %s", rig.status,
	      rig.body);
	CHECK(answer_is_signed(&rig, &two, &seal), "%s", rig.header);
	expect_said(&said, " from 127.0.0.1 signed by 'two': 200");
	CHECK(ask_signed(&rig, &two, &again) == 403 && rig.ncommands == 1, "%d", rig.status);
	CHECK(strstr(rig.body, "the same before"), "%s", rig.body);
	/* Reads stay open; whoever signs one gets an answer that is signed. */
	CHECK(restrig_get(&rig, "/patroni") == 200, "%d", rig.status);
	CHECK(ask_signed(&rig, &two, &read) == 200 && answer_is_signed(&rig, &two, &read), "%d %s",
	      rig.status, rig.header);
	read.nonce[0] = '\0';
	read.wall_ms = loop_wall_us() / 1000 - 100000;
	CHECK(ask_signed(&rig, &two, &read) == 403 && strstr(rig.body, "100 s behind"), "%d %s",
	      rig.status, rig.body);
	/* What operators do asks for no signature. */
	CHECK(restrig_post(&rig, "/restart", "{}") == 200, "%d", rig.status);
	rest_tell(rig.rest, &told);
	CHECK(told.calls_refused == 5 && told.refused_wall_us > 0, "%u",
	      (unsigned)told.calls_refused);
	log_level_set(LOG_ERROR);
	buf_done(&said.text);
	restrig_done(&rig);
}

static void while_the_secret_is_given_out_both_kinds_are_taken(void)
{
	struct peersign two = member("two", SECRET, true);
	struct peersign other = member("two", "the secret of another cluster", true);
	struct peersign both = member("one", "the secret of another cluster\n" SECRET, true);
	struct peersign_call seal = {
		.method = "POST", .path = "/seal", .body = CALL, .body_len = strlen(CALL)
	};
	struct peersign_call again;
	struct restrig rig = { 0 };
	int64_t until_ms;

	begin_members(&rig, PORT + 7, false);
	CHECK(restrig_post(&rig, "/seal", CALL) == 200 && !rig.header[0], "%d", rig.status);
	CHECK(ask_signed(&rig, &other, &seal) == 403, "%d", rig.status);
	again = (struct peersign_call){ .method = "POST", .path = "/seal" };
	CHECK(ask_signed(&rig, &two, &again) != 403 && answer_is_signed(&rig, &two, &again));
	/* A new one, beside the old one, by a reload. */
	rest_sign(rig.rest, &both);
	rest_configure(rig.rest, &rig.config);
	until_ms = loop_now_ms() + RESTRIG_WAIT_MS;
	do {
		CHECK(loop_now_ms() < until_ms);
		seal.nonce[0] = '\0';
	} while (ask_signed(&rig, &other, &seal) != 200);
	CHECK(answer_is_signed(&rig, &other, &seal));
	CHECK(restrig_post(&rig, "/seal", CALL) == 403, "%d", rig.status);
	seal.nonce[0] = '\0';
	CHECK(ask_signed(&rig, &two, &seal) == 200, "%d", rig.status);
	restrig_done(&rig);
}

int main(void)
{
	restrig_files(4096);
	log_level_set(LOG_ERROR);
	RUN(guesses_are_few);
	RUN(places_are_taken_in_turn);
	RUN(commands_are_told_and_by_whom);
	RUN(refusals_do_not_fill_the_log);
	RUN(certificates_are_named);
	RUN(pages_send_no_commands);
	RUN(members_are_known_by_their_signature);
	RUN(while_the_secret_is_given_out_both_kinds_are_taken);
	return 0;
}
