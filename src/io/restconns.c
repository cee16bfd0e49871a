/* SPDX-License-Identifier: PostgreSQL */
/*
 * restconns - the connections of the REST server
 */
#include "io/restconns.h"

#include <assert.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "io/allow.h"

void restconns_init(struct restconns *conns)
{
	struct rlimit files;

	*conns = (struct restconns){ .max = REST_CONNS_MAX };
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur / 2 < REST_CONNS_MAX)
		conns->max = (uint32_t)(files.rlim_cur / 2);
}

static void put_out(struct restconn *conn)
{
	/* libmicrohttpd sees the end of the connection and closes it. */
	(void)shutdown(conn->fd, SHUT_RDWR);
	conn->doomed = true;
}

static struct restconn *longest_waiting(struct restconns *conns, const struct in6_addr *of)
{
	struct restconn *longest = NULL;

	for (uint32_t i = 0; i < conns->n; i++) {
		struct restconn *conn = conns->items[i];

		if (conn->doomed || conn->state == RESTCONN_BUSY)
			continue;
		if (of && memcmp(&conn->addr, of, sizeof(*of)) != 0)
			continue;
		if (!longest || conn->since_ms < longest->since_ms)
			longest = conn;
	}
	return longest;
}

static uint32_t count_of(const struct restconns *conns, const struct in6_addr *of)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < conns->n; i++)
		n += !conns->items[i]->doomed &&
		     (!of || memcmp(&conns->items[i]->addr, of, sizeof(*of)) == 0);
	return n;
}

bool restconns_make_room(struct restconns *conns, const struct in6_addr *addr)
{
	struct restconn *conn = NULL;

	if (count_of(conns, addr) >= REST_CONNS_PER_IP)
		conn = longest_waiting(conns, addr);
	else if (count_of(conns, NULL) >= conns->max)
		conn = longest_waiting(conns, NULL);
	else
		return conns->n < ARRAY_LEN(conns->items);
	if (!conn)
		return false;
	put_out(conn);
	return conns->n < ARRAY_LEN(conns->items);
}

void restconns_sweep(struct restconns *conns)
{
	int64_t now_ms = loop_now_ms();

	for (uint32_t i = 0; i < conns->n; i++) {
		struct restconn *conn = conns->items[i];

		if (!conn->doomed && conn->state != RESTCONN_BUSY &&
		    now_ms - conn->since_ms > REST_IDLE_MS)
			put_out(conn);
	}
}

void restconns_move(struct restconn *conn, enum restconn_state state)
{
	conn->state = state;
	conn->since_ms = loop_now_ms();
}

struct restconn *restconns_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info->socket_context;
}

struct restconn *restconns_open(struct restconns *conns, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info;
	struct restconn *conn = mem_new(1, sizeof(*conn));

	assert(conns->n < ARRAY_LEN(conns->items));
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	conn->fd = info->connect_fd;
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	(void)allow_address(info->client_addr, &conn->addr);
	restconns_move(conn, RESTCONN_WAITING);
	conns->items[conns->n++] = conn;
	return conn;
}

void restconns_close(struct restconns *conns, struct restconn *conn)
{
	for (uint32_t i = 0; i < conns->n; i++) {
		if (conns->items[i] != conn)
			continue;
		conns->items[i] = conns->items[--conns->n];
		break;
	}
	free(conn);
}
