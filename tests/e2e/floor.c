/* SPDX-License-Identifier: PostgreSQL */
/*
 * floor - what the messages of an agent at rest cost that does nothing else
 *
 * usage: floor leader|standby ETCD_ADDRESS CONNINFO SECONDS KEY
 *
 * A leader sends every 5/6 s a keepalive, a transaction as long as a proof, and a statement to its
 * Postgres, and has its own beat come back by a watch. A standby asks its Postgres once a second,
 * keeps its lease every other time, and has the leader's beats come by a watch of KEY, in base64.
 * Nothing is parsed, and no memory allocated but libpq's. Prints "<ms of processor time a second>
 * <wake-ups a second>": with this set of messages an agent costs more here in any case.
 */
#include <arpa/inet.h>
#include <libpq-fe.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define ETCD_PORT   2379
#define LEADER_NS   833333333
#define STANDBY_NS  1000000000
#define SETTLED     5 /* turns before it counts */
#define EVENTS_MAX  16
#define MESSAGE_MAX 2048

static const char grant[] = "{\"TTL\":\"60\"}";
/* Two compares, a put and a read, as long as a proof's; nothing of pgha's is touched. */
static const char proof[] =
	"{\"compare\":[{\"key\":\"L2Zsb29yL25vbmU=\",\"target\":\"CREATE\",\"result\":\"EQUAL\","
	"\"create_revision\":\"0\"},{\"key\":\"L2Zsb29yL25vbmU=\",\"target\":\"MOD\",\"result\":"
	"\"EQUAL\",\"mod_revision\":\"0\"}],\"success\":[{\"request_put\":{\"key\":"
	"\"L2Zsb29yL2JlYXQ=\",\"value\":\"eyJlcG9jaCI6IDEyMzQ1LCAic2VxdWVuY2UiOiAxMjM0NSwgInR0bF9t"
	"cyI6IDUwMDAsICJpbnN0YW5jZSI6ICIwMTIzNDU2Nzg5YWJjZGVmIn0=\"}}],\"failure\":[{"
	"\"request_range\":{\"key\":\"L2Zsb29yL25vbmU=\"}}]}";
static const char statement[] = "select pg_catalog.pg_is_in_recovery()";

struct message {
	char text[MESSAGE_MAX];
	size_t len;
};

struct floor {
	const char *address;
	int leads;
	int epoll, timer, keeping, proving, watching;
	PGconn *conn;
	struct message keepalive, transaction;
	long turns;
	long woke;
};

static void stop(const char *why)
{
	fprintf(stderr, "floor: %s\n", why);
	_exit(1);
}

static void compose(const struct floor *floor, struct message *dst, const char *path,
		    const char *body)
{
	dst->len = (size_t)snprintf(dst->text, sizeof(dst->text),
				    "POST %s HTTP/1.1\r\nHost: %s:%d\r\nAccept: */*\r\n"
				    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
				    path, floor->address, ETCD_PORT, strlen(body), body);
}

static void post(int fd, const struct message *message)
{
	if (send(fd, message->text, message->len, MSG_NOSIGNAL) < 0)
		stop("etcd does not take it");
}

static void look_at(const struct floor *floor, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(floor->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		stop("epoll_ctl");
}

static int dial(const struct floor *floor)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(ETCD_PORT) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0 || inet_pton(AF_INET, floor->address, &addr.sin_addr) != 1 ||
	    connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		stop("cannot connect to etcd");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* A lease of its own, which is not given back: it ends by itself in a minute. */
static void take_lease(struct floor *floor)
{
	struct message message;
	char answer[MESSAGE_MAX + 1], body[64];
	unsigned long long id = 0;
	const char *at;
	ssize_t n;

	compose(floor, &message, "/v3/lease/grant", grant);
	post(floor->keeping, &message);
	n = recv(floor->keeping, answer, MESSAGE_MAX, 0);
	answer[n > 0 ? n : 0] = '\0';
	at = strstr(answer, "\"ID\":\"");
	if (!at || sscanf(at, "\"ID\":\"%llu\"", &id) != 1)
		stop("no lease");
	snprintf(body, sizeof(body), "{\"ID\":\"%llu\"}", id);
	compose(floor, &floor->keepalive, "/v3/lease/keepalive", body);
	compose(floor, &floor->transaction, "/v3/kv/txn", proof);
}

static void begin(struct floor *floor, const char *conninfo, const char *key)
{
	long ns = floor->leads ? LEADER_NS : STANDBY_NS;
	struct itimerspec every = {
		.it_value = { .tv_nsec = 1 },
		.it_interval = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 },
	};
	struct message message;
	char body[512];

	floor->epoll = epoll_create1(EPOLL_CLOEXEC);
	floor->keeping = dial(floor);
	floor->proving = dial(floor);
	floor->watching = dial(floor);
	take_lease(floor);
	snprintf(body, sizeof(body), "{\"create_request\":{\"key\":\"%s\"}}",
		 floor->leads ? "L2Zsb29yL2JlYXQ=" : key);
	compose(floor, &message, "/v3/watch", body);
	post(floor->watching, &message);
	floor->conn = PQconnectdb(conninfo);
	if (PQstatus(floor->conn) != CONNECTION_OK || PQsetnonblocking(floor->conn, 1) != 0)
		stop(PQerrorMessage(floor->conn));
	floor->timer = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (timerfd_settime(floor->timer, 0, &every, NULL) < 0)
		stop("timerfd");
	look_at(floor, floor->timer);
	look_at(floor, floor->keeping);
	look_at(floor, floor->proving);
	look_at(floor, floor->watching);
	look_at(floor, PQsocket(floor->conn));
}

static void take_turn(struct floor *floor)
{
	uint64_t fired;

	if (read(floor->timer, &fired, sizeof(fired)) < 0)
		return;
	if (floor->leads || floor->turns % 2 == 0)
		post(floor->keeping, &floor->keepalive);
	if (floor->leads)
		post(floor->proving, &floor->transaction);
	if (PQsendQuery(floor->conn, statement) == 0 || PQflush(floor->conn) != 0)
		stop(PQerrorMessage(floor->conn));
	floor->turns++;
}

static void take_rows(const struct floor *floor)
{
	PGresult *result;

	if (PQconsumeInput(floor->conn) == 0)
		stop(PQerrorMessage(floor->conn));
	while (!PQisBusy(floor->conn) && (result = PQgetResult(floor->conn)) != NULL)
		PQclear(result);
}

static void wake_up(struct floor *floor)
{
	struct epoll_event events[EVENTS_MAX];
	static char answer[16384];
	int n = epoll_wait(floor->epoll, events, EVENTS_MAX, -1);

	floor->woke++;
	for (int i = 0; i < n; i++) {
		int fd = events[i].data.fd;

		if (fd == floor->timer)
			take_turn(floor);
		else if (fd == PQsocket(floor->conn))
			take_rows(floor);
		else if (recv(fd, answer, sizeof(answer), 0) <= 0)
			stop("etcd has closed a connection");
	}
}

static double seconds_of(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct floor floor = { 0 };
	double began, used, took;
	long woke;

	if (argc != 6)
		stop("usage: floor leader|standby ETCD_ADDRESS CONNINFO SECONDS KEY");
	floor.leads = strcmp(argv[1], "leader") == 0;
	floor.address = argv[2];
	begin(&floor, argv[3], argv[5]);
	while (floor.turns < SETTLED)
		wake_up(&floor);
	began = seconds_of(CLOCK_MONOTONIC);
	used = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
	woke = floor.woke;
	do
		wake_up(&floor);
	while (seconds_of(CLOCK_MONOTONIC) - began < strtod(argv[4], NULL));
	took = seconds_of(CLOCK_MONOTONIC) - began;
	printf("%.3f %.1f\n", (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - used) * 1000 / took,
	       (double)(floor.woke - woke) / took);
	return 0;
}
