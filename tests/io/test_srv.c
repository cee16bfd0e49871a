/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_srv - looking up SRV records at a name server of our own
 */
#include "io/srv.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../lib/dnsmsg.h"
#include "base/log.h"
#include "rig.h"

#define PORT 21500

struct asker {
	struct loop *loop;
	struct loop_source *source;
	struct srv *srv;
	int fd;
	const char *serves; /* the name that has records; NULL: says nothing at all */
	int drop;           /* so many questions are not answered first */
	bool forge;         /* a packet with a wrong id comes first */
	int nasked;
	char asked[8][128];
	bool told;
	uint32_t n;
	struct endpoint found[ENDPOINTS_MAX];
	char text[256];
};

static void on_question(void *ctx, int fd, uint32_t ready _unused_)
{
	struct asker *a = ctx;
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	unsigned char q[512];
	struct buf msg = { 0 };
	ssize_t len = recvfrom(fd, q, sizeof(q), 0, (struct sockaddr *)&from, &from_len);
	char name[128];

	CHECK(len > 12);
	dnsmsg_name(q, (size_t)len, name, sizeof(name));
	if (a->nasked < 8)
		str_copy(a->asked[a->nasked], sizeof(a->asked[0]), name);
	a->nasked++;
	if (!a->serves || a->drop-- > 0)
		return;
	dnsmsg_begin_for(&msg, q, (size_t)len, str_eq(name, a->serves) ? 0 : 3);
	if (str_eq(name, a->serves)) {
		dnsmsg_srv(&msg, 2, 1, 2380, "two.example");
		dnsmsg_srv(&msg, 1, 1, 2379, "one.example");
	}
	if (a->forge) {
		msg.data[0] = (char)(msg.data[0] ^ 1);
		sendto(fd, msg.data, msg.len, 0, (struct sockaddr *)&from, from_len);
		msg.data[0] = (char)(msg.data[0] ^ 1);
	}
	sendto(fd, msg.data, msg.len, 0, (struct sockaddr *)&from, from_len);
	buf_done(&msg);
}

static void on_found(void *ctx, const struct endpoint *found, uint32_t n, const struct err *err)
{
	struct asker *a = ctx;

	CHECK(!a->told);
	a->told = true;
	a->n = n;
	memcpy(a->found, found ? found : a->found, n * sizeof(*found));
	str_clip(a->text, sizeof(a->text), err ? err->msg : "");
	srv_free(a->srv);
	a->srv = NULL;
}

static void ask(struct asker *a, const char *suffix)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct err err = { 0 };
	int64_t until_ms = loop_now_ms() + 15000;
	int on = 1;

	CHECK(loop_new(&a->loop, &err) == 0);
	a->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(a->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	CHECK(bind(a->fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	CHECK(loop_fd_new(a->loop, "dns", a->fd, LOOP_READ, on_question, a, &a->source, &err) ==
	      0);
	CHECK(srv_start(a->loop, "example.com", suffix, &addr, on_found, a, &a->srv, &err) == 0,
	      "%s", err.msg);
	CHECK(!a->told, "told from inside the call");
	while (!a->told && loop_now_ms() < until_ms)
		loop_step(a->loop, 100);
	CHECK(a->told);
	loop_source_free(a->source);
	close(a->fd);
	loop_free(a->loop);
}

static void names_are_tried_in_order(void)
{
	struct asker a = { .serves = "_etcd-client._tcp.example.com" };

	ask(&a, NULL);
	CHECK(a.n == 2 && str_eq(a.found[0].host, "one.example") && !a.found[0].tls, "%s", a.text);
	CHECK(a.found[1].port == 2380);
	CHECK(a.nasked == 2 && str_eq(a.asked[0], "_etcd-client-ssl._tcp.example.com"), "%s",
	      a.asked[0]);
}

static void a_suffix_is_part_of_the_name(void)
{
	struct asker a = { .serves = "_etcd-client-ssl-main._tcp.example.com" };

	ask(&a, "main");
	CHECK(a.n == 2 && a.found[0].tls && a.nasked == 1, "%s", a.asked[0]);
}

static void a_lost_packet_is_sent_again(void)
{
	struct asker a = { .serves = "_etcd-client-ssl._tcp.example.com", .drop = 1 };

	ask(&a, NULL);
	CHECK(a.n == 2 && a.nasked == 2, "%d", a.nasked);
}

static void a_forged_packet_is_passed_over(void)
{
	struct asker a = { .serves = "_etcd-client-ssl._tcp.example.com", .forge = true };

	ask(&a, NULL);
	CHECK(a.n == 2, "%s", a.text);
}

static void no_records_are_told(void)
{
	struct asker a = { .serves = "something.else" };

	ask(&a, NULL);
	CHECK(a.n == 0 && a.nasked == 4 && strstr(a.text, "example.com"), "%s", a.text);
}

static void a_silent_server_is_given_up(void)
{
	struct asker a = { 0 };
	int64_t began_ms = loop_now_ms();

	ask(&a, NULL);
	CHECK(a.n == 0 && strstr(a.text, "in time"), "%s", a.text);
	CHECK(loop_now_ms() - began_ms < 2 * SRV_WAIT_MS + 500);
}

int main(void)
{
	RUN(names_are_tried_in_order);
	RUN(a_suffix_is_part_of_the_name);
	RUN(a_lost_packet_is_sent_again);
	RUN(a_forged_packet_is_passed_over);
	RUN(no_records_are_told);
	RUN(a_silent_server_is_given_up);
	return 0;
}
