/* SPDX-License-Identifier: PostgreSQL */
/*
 * restrig - a REST server on loopback, with a loop, a board and a client
 */
#include "restrig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_command(void *ctx, uint64_t id, const struct command *command)
{
	struct restrig *rig = ctx;

	rig->ncommands++;
	rig->last_id = id;
	rig->last_type = command->type;
	if (!rig->hold)
		rest_reply(rig->rest, id, 200, "text/html", "done by the loop");
}

void restrig_init(struct restrig *rig, int port)
{
	struct err err = { 0 };

	str_clip(rig->config.listen_host, sizeof(rig->config.listen_host), "127.0.0.1");
	rig->config.listen_port = (uint16_t)port;
	rig->board = board_new();
	CHECK(loop_new(&rig->loop, &err) == 0, "%s", err.msg);
	CHECK(http_new(rig->loop, &rig->http, &err) == 0, "%s", err.msg);
	CHECK(rest_new(rig->loop, http_resolve(rig->http), rig->board, on_command, rig, &rig->rest,
		       &err) == 0,
	      "%s", err.msg);
}

void restrig_start(struct restrig *rig)
{
	struct err err = { 0 };

	CHECK(rest_bind(rig->rest, &rig->config, &err) == 0, "%s", err.msg);
	CHECK(rest_start(rig->rest, &err) == 0, "%s", err.msg);
}

void restrig_done(struct restrig *rig)
{
	rest_free(rig->rest);
	http_free(rig->http);
	board_free(rig->board);
	loop_free(rig->loop);
	free(rig->body);
}

struct status *restrig_primary(int64_t leader_until_ms)
{
	struct status *status = status_new();

	str_clip(status->name, sizeof(status->name), "one");
	str_clip(status->scope, sizeof(status->scope), "demo");
	status->made_at_ms = loop_now_ms();
	status->loop_deadline_ms = loop_now_ms() + 60000;
	status->state = STATE_RUNNING;
	status->role = MROLE_PRIMARY;
	status->sql_ok = true;
	status->writable = true;
	status->leader_until_ms = leader_until_ms;
	status->dcs_ok = true;
	status->dcs_last_seen_at_ms = status->made_at_ms;
	status->ttl_ms = 5000;
	status->tags_json = str_dup("{}");
	status->cluster_json = str_dup("{\"members\": [], \"scope\": \"demo\"}");
	status->history_json = str_dup("[]");
	status->config_json = str_dup("{\"ttl\": 5}");
	status->pg.role = ROLE_PRIMARY;
	status->pg.run = PG_UP;
	return status;
}

void restrig_publish(struct restrig *rig, int64_t leader_until_ms)
{
	struct status *status = restrig_primary(leader_until_ms);

	board_publish(rig->board, status);
	status_free(status);
}

static void on_reply(void *ctx, const struct http_rep *rep)
{
	struct restrig *rig = ctx;

	rig->answered = true;
	rig->status = rep->err ? -(int)rep->err->code : rep->status;
	str_clip(rig->header, sizeof(rig->header), rep->header);
	str_clip(rig->fault, sizeof(rig->fault), rep->err ? rep->err->msg : "");
	free(rig->body);
	rig->body = buf_take(rep->body);
}

int restrig_ask(struct restrig *rig, struct http_req req, const char *path)
{
	char url[256];
	int64_t until_ms = loop_now_ms() + 20000;

	str_printf(url, sizeof(url), "%s://127.0.0.1:%d%s", req.tls ? "https" : "http",
		   rig->config.listen_port, path);
	req.url = url;
	req.method = req.method ?: "GET";
	req.timeout_ms = 15000;
	req.max_bytes = 1 << 20;
	req.done = on_reply;
	req.ctx = rig;
	rig->answered = false;
	http_start(rig->http, &req);
	while (!rig->answered && loop_now_ms() < until_ms)
		loop_step(rig->loop, 100);
	CHECK(rig->answered, "%s", path);
	return rig->status;
}

int restrig_get(struct restrig *rig, const char *path)
{
	return restrig_ask(rig, (struct http_req){ 0 }, path);
}

int restrig_post(struct restrig *rig, const char *path, const char *body)
{
	return restrig_ask(rig,
			   (struct http_req){ .method = "POST", .body = body,
					      .body_len = strlen(body) },
			   path);
}

int restrig_dial(int port, int host)
{
	struct sockaddr_in from = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 256 +
							     (uint32_t)MAX_OF(host, 0)) };
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0, "%s", strerror(errno));
	if (host >= 0)
		CHECK(bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0, "%s",
		      strerror(errno));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

void restrig_send(int fd, const char *text)
{
	CHECK(fd >= 0 && send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text), "%s",
	      strerror(errno));
}

void restrig_files(unsigned n)
{
	struct rlimit files = { .rlim_cur = n, .rlim_max = n };

	CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0);
}
