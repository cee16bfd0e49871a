/* SPDX-License-Identifier: PostgreSQL */
/*
 * restload - asks one path over and over on many connections and tells how long answers took
 *
 * usage: restload HOST PORT PATH CONNECTIONS SECONDS keep|close
 *
 * Prints "<answers> <seconds> <median us> <p99 us> <most us> <broken>". A server that closes after
 * each answer is connected to anew, which counts as part of the next answer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNS_MAX   1000
#define ANSWERS_MAX 4000000
#define ANSWER_MAX  65536

struct client {
	int fd;
	int open;
	int64_t asked_us;
	size_t len;
	char answer[ANSWER_MAX];
};

struct load {
	struct sockaddr_in addr;
	char request[512];
	size_t request_len;
	int keep;
	int epoll;
	int64_t broken;
	size_t n;
	uint32_t *took_us;
};

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void ask(struct load *load, struct client *client)
{
	client->len = 0;
	if (send(client->fd, load->request, load->request_len, MSG_NOSIGNAL) < 0)
		load->broken++;
}

/* Connects without waiting: a server whose queue is full lets the first packet of a connection
 * fall, which comes again a second later, and only that one client may be the slower for it. */
static int open_client(struct load *load, struct client *client)
{
	struct epoll_event ev = { .events = EPOLLOUT, .data.ptr = client };
	int on = 1;

	client->asked_us = now_us();
	client->open = 0;
	client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (client->fd < 0)
		return -1;
	(void)setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(client->fd, (struct sockaddr *)&load->addr, sizeof(load->addr)) < 0 &&
	    errno != EINPROGRESS)
		return -1;
	return epoll_ctl(load->epoll, EPOLL_CTL_ADD, client->fd, &ev);
}

static int opened(struct load *load, struct client *client)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = client };

	client->open = 1;
	if (epoll_ctl(load->epoll, EPOLL_CTL_MOD, client->fd, &ev) < 0)
		return -1;
	ask(load, client);
	return 0;
}

/* The whole answer is here: by its length, or because the server closed. */
static int is_whole(const struct client *client, int closed)
{
	const char *end = strstr(client->answer, "\r\n\r\n");
	const char *length = strcasestr(client->answer, "\r\nContent-Length:");

	if (!end)
		return 0;
	if (!length || length > end)
		return closed;
	return client->len >= (size_t)(end + 4 - client->answer) +
				      strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
}

static int answered(struct load *load, struct client *client, int closed)
{
	int64_t at_us = now_us();

	if (!closed && !is_whole(client, 0))
		return 0;
	if (!is_whole(client, closed))
		load->broken++;
	else if (load->n < ANSWERS_MAX)
		load->took_us[load->n++] = (uint32_t)(at_us - client->asked_us);
	if (load->keep && !closed) {
		client->asked_us = at_us;
		ask(load, client);
		return 0;
	}
	close(client->fd);
	return open_client(load, client);
}

static int ready(struct load *load, struct client *client)
{
	ssize_t n;

	if (!client->open)
		return opened(load, client);
	n = read(client->fd, client->answer + client->len,
		 sizeof(client->answer) - 1 - client->len);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n > 0) {
		client->len += (size_t)n;
		client->answer[client->len] = '\0';
	}
	return answered(load, client, n <= 0);
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void report(struct load *load, int64_t took_us)
{
	qsort(load->took_us, load->n, sizeof(*load->took_us), by_size);
	if (load->n == 0)
		load->took_us[load->n++] = 0;
	printf("%zu %.3f %u %u %u %lld\n", load->n, (double)took_us / 1e6,
	       load->took_us[load->n / 2], load->took_us[load->n * 99 / 100],
	       load->took_us[load->n - 1], (long long)load->broken);
}

static int run(struct load *load, struct client *clients, int n, int64_t seconds)
{
	int64_t since_us = now_us(), until_us = since_us + seconds * 1000000;
	struct epoll_event events[64];

	for (int i = 0; i < n; i++)
		if (open_client(load, &clients[i]) < 0)
			return -1;
	while (now_us() < until_us) {
		int found = epoll_wait(load->epoll, events, 64, 100);

		for (int i = 0; i < found; i++)
			if (ready(load, events[i].data.ptr) < 0)
				return -1;
	}
	report(load, now_us() - since_us);
	return 0;
}

int main(int argc, char **argv)
{
	struct load load = { .addr = { .sin_family = AF_INET } };
	struct client *clients;
	int n;

	if (argc != 7 || inet_pton(AF_INET, argv[1], &load.addr.sin_addr) != 1)
		return 2;
	load.addr.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
	load.keep = strcmp(argv[6], "keep") == 0;
	load.request_len = (size_t)snprintf(load.request, sizeof(load.request),
					    "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", argv[3],
					    load.keep ? "" : "Connection: close\r\n");
	n = (int)strtoul(argv[4], NULL, 10);
	if (n < 1 || n > CONNS_MAX)
		return 2;
	clients = calloc((size_t)n, sizeof(*clients));
	load.took_us = calloc(ANSWERS_MAX, sizeof(*load.took_us));
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!clients || !load.took_us || load.epoll < 0 ||
	    run(&load, clients, n, (int64_t)strtoul(argv[5], NULL, 10)) < 0) {
		fprintf(stderr, "restload: %s\n", strerror(errno));
		return 1;
	}
	return 0;
}
