/* SPDX-License-Identifier: PostgreSQL */
/*
 * srv - endpoints of etcd from DNS SRV records
 *
 * The C library makes the question and reads the answer; sending and waiting is done here,
 * because its own way of doing it waits.
 */
#include "io/srv.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <resolv.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"

#define SERVERS_MAX MAXNS
#define ROUNDS      2
#define MSG_BYTES   4096
#define RDATA_MIN   7 /* priority, weight, port, the root as target */

static const struct {
	const char *name;
	bool tls;
} services[] = {
	{ "_etcd-client-ssl", true },
	{ "_etcd-client", false },
	{ "_etcd-ssl", true },
	{ "_etcd", false },
};

struct record {
	uint16_t priority;
	uint16_t weight;
	struct endpoint endpoint;
};

struct srv {
	struct loop *loop;
	struct loop_source *source;
	struct loop_source *timer;
	int fd;
	char domain[HOST_SIZE];
	char suffix[NAME_SIZE];
	struct sockaddr_storage servers[SERVERS_MAX];
	uint32_t nservers;
	size_t service;  /* index of the name that is asked for */
	uint32_t server; /* and of whom */
	uint32_t round;
	uint16_t id;
	struct err last;
	srv_fn done;
	void *ctx;
};

static void close_socket(struct srv *srv)
{
	loop_source_free(TAKE(srv->source));
	closep(&srv->fd);
	srv->fd = -1;
}

void srv_free(struct srv *srv)
{
	if (!srv)
		return;
	close_socket(srv);
	loop_source_free(srv->timer);
	free(srv);
}

/* The one before which the other comes: lower priority first, then higher weight. */
static bool comes_later(const struct record *a, const struct record *b)
{
	if (a->priority != b->priority)
		return a->priority > b->priority;
	return a->weight < b->weight;
}

static void insert(struct record *records, int n, const struct record *record)
{
	int at = n;

	while (at > 0 && comes_later(&records[at - 1], record)) {
		records[at] = records[at - 1];
		at--;
	}
	records[at] = *record;
}

/* False: no SRV record, or one that says that the service is not there (target "."). */
static bool read_record(ns_msg msg, const ns_rr *rr, bool tls, struct record *ret)
{
	const unsigned char *data = ns_rr_rdata(*rr);
	char host[HOST_SIZE];

	if (ns_rr_type(*rr) != ns_t_srv || ns_rr_rdlen(*rr) < RDATA_MIN ||
	    dn_expand(ns_msg_base(msg), ns_msg_end(msg), data + 6, host, sizeof(host)) < 0 ||
	    host[0] == '\0')
		return false;
	*ret = (struct record){
		.priority = (uint16_t)ns_get16(data),
		.weight = (uint16_t)ns_get16(data + 2),
		.endpoint = { .port = (uint16_t)ns_get16(data + 4), .tls = tls },
	};
	str_copy(ret->endpoint.host, sizeof(ret->endpoint.host), host);
	return ret->endpoint.port != 0;
}

int srv_parse(const unsigned char *data, size_t len, uint16_t id, bool tls,
	      struct endpoint found[ENDPOINTS_MAX], struct err *err)
{
	struct record records[ENDPOINTS_MAX];
	ns_msg msg;
	int n = 0;

	if (len > INT32_MAX || ns_initparse(data, (int)len, &msg) < 0 || ns_msg_id(msg) != id ||
	    !ns_msg_getflag(msg, ns_f_qr))
		return err_set(err, ERR_PROTOCOL, "no answer of a name server");
	if (ns_msg_getflag(msg, ns_f_rcode) == ns_r_nxdomain)
		return 0;
	if (ns_msg_getflag(msg, ns_f_rcode) != ns_r_noerror)
		return err_set(err, ERR_CONNECT, "the name server answers with code %d",
			       (int)ns_msg_getflag(msg, ns_f_rcode));
	for (int i = 0; i < ns_msg_count(msg, ns_s_an) && n < ENDPOINTS_MAX; i++) {
		struct record record;
		ns_rr rr;

		/* What was cut off at the end of a long answer is left out. */
		if (ns_parserr(&msg, ns_s_an, i, &rr) < 0)
			break;
		if (read_record(msg, &rr, tls, &record))
			insert(records, n++, &record);
	}
	for (int i = 0; i < n; i++)
		found[i] = records[i].endpoint;
	return n;
}

static void ask(struct srv *srv);

static void end(struct srv *srv, const struct endpoint *found, uint32_t n)
{
	close_socket(srv);
	loop_timer_off(srv->timer);
	if (n == 0 && !srv->last.code)
		err_set(&srv->last, ERR_CONNECT, "no SRV records for etcd below '%s'",
			srv->domain);
	srv->done(srv->ctx, found, n, n ? NULL : &srv->last);
}

static void next_server(struct srv *srv)
{
	if (++srv->server == srv->nservers) {
		srv->server = 0;
		srv->round++;
	}
	if (srv->round == ROUNDS) {
		if (!srv->last.code)
			err_set(&srv->last, ERR_TIMEOUT, "no answer from a name server");
		end(srv, NULL, 0);
		return;
	}
	ask(srv);
}

static void next_service(struct srv *srv)
{
	srv->server = 0;
	srv->round = 0;
	if (++srv->service == ARRAY_LEN(services))
		end(srv, NULL, 0);
	else
		ask(srv);
}

static void on_answer(void *ctx, int fd, uint32_t ready _unused_)
{
	struct srv *srv = ctx;
	struct endpoint found[ENDPOINTS_MAX];
	unsigned char msg[MSG_BYTES];
	ssize_t len = recv(fd, msg, sizeof(msg), MSG_DONTWAIT);
	struct err err = { 0 };
	int n;

	if (len < 0) {
		err_set(&srv->last, ERR_IO, "name server");
		next_server(srv);
		return;
	}
	n = srv_parse(msg, (size_t)len, srv->id, services[srv->service].tls, found, &err);
	/* Somebody else's packet: the true answer may still come. */
	if (n == -ERR_PROTOCOL)
		return;
	if (n < 0) {
		srv->last = err;
		next_server(srv);
	} else if (n == 0) {
		next_service(srv);
	} else {
		end(srv, found, (uint32_t)n);
	}
}

static void on_late(void *ctx)
{
	struct srv *srv = ctx;

	err_set(&srv->last, ERR_TIMEOUT, "no answer from the name server in time");
	next_server(srv);
}

static int make_question(struct srv *srv, unsigned char *msg, size_t size, struct err *err)
{
	struct __res_state state = { 0 };
	char name[HOST_SIZE + NAME_SIZE + 32];
	int len;

	str_printf(name, sizeof(name), "%s%s%s._tcp.%s", services[srv->service].name,
		   srv->suffix[0] ? "-" : "", srv->suffix, srv->domain);
	if (res_ninit(&state) < 0)
		return err_set(err, ERR_IO, "cannot read the name servers of this machine");
	len = res_nmkquery(&state, ns_o_query, name, ns_c_in, ns_t_srv, NULL, 0, NULL, msg,
			   (int)size);
	res_nclose(&state);
	if (len < NS_HFIXEDSZ)
		return err_set(err, ERR_CONFIG, "'%s' is no host name", name);
	srv->id = (uint16_t)ns_get16(msg);
	return len;
}

/* Returns < 0 where this server cannot be asked. */
static int send_question(struct srv *srv, const unsigned char *msg, int len, struct err *err)
{
	const struct sockaddr_storage *server = &srv->servers[srv->server];
	bool v6 = server->ss_family == AF_INET6;
	socklen_t size = v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);

	close_socket(srv);
	srv->fd = socket(server->ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (srv->fd < 0 || connect(srv->fd, (const struct sockaddr *)server, size) < 0 ||
	    send(srv->fd, msg, (size_t)len, MSG_NOSIGNAL) != len)
		return err_set(err, ERR_IO, "cannot ask a name server");
	return loop_fd_new(srv->loop, "srv", srv->fd, LOOP_READ, on_answer, srv, &srv->source, err);
}

static void ask(struct srv *srv)
{
	unsigned char msg[NS_PACKETSZ];
	int len = make_question(srv, msg, sizeof(msg), &srv->last);

	/* A server that cannot be asked is treated as one that is silent: told from the loop. */
	if (len > 0)
		(void)send_question(srv, msg, len, &srv->last);
	loop_timer_at(srv->timer, loop_now_ms() + SRV_WAIT_MS);
}

static int take_servers(struct srv *srv, const struct sockaddr_in *server, struct err *err)
{
	struct __res_state state = { 0 };

	if (server) {
		memcpy(&srv->servers[0], server, sizeof(*server));
		srv->nservers = 1;
		return 0;
	}
	if (res_ninit(&state) < 0)
		return err_set(err, ERR_IO, "cannot read the name servers of this machine");
	/* glibc keeps those with IPv6 addresses in a list beside. */
	for (int i = 0; i < state.nscount && i < SERVERS_MAX; i++) {
		const struct sockaddr_in6 *v6 = state._u._ext.nsaddrs[i];
		struct sockaddr_storage *to = &srv->servers[srv->nservers];

		if (v6)
			memcpy(to, v6, sizeof(*v6));
		else
			memcpy(to, &state.nsaddr_list[i], sizeof(state.nsaddr_list[i]));
		srv->nservers += to->ss_family == AF_INET || to->ss_family == AF_INET6;
	}
	res_nclose(&state);
	if (srv->nservers == 0)
		return err_set(err, ERR_CONFIG, "this machine has no name server");
	return 0;
}

int srv_start(struct loop *loop, const char *domain, const char *suffix,
	      const struct sockaddr_in *server, srv_fn done, void *ctx, struct srv **ret,
	      struct err *err)
{
	struct srv *srv = mem_new(1, sizeof(*srv));
	int rc;

	srv->fd = -1;
	srv->loop = loop;
	srv->done = done;
	srv->ctx = ctx;
	rc = take_servers(srv, server, err);
	if (rc >= 0 && (str_copy(srv->domain, sizeof(srv->domain), domain) < 0 ||
			str_copy(srv->suffix, sizeof(srv->suffix), suffix) < 0))
		rc = err_set(err, ERR_TOOLONG, "SRV domain '%s'", domain);
	if (rc >= 0)
		rc = loop_timer_new(loop, "srv", on_late, srv, &srv->timer, err);
	if (rc < 0) {
		srv_free(srv);
		return rc;
	}
	ask(srv);
	*ret = srv;
	return 0;
}
