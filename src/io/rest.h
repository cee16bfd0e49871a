/* SPDX-License-Identifier: PostgreSQL */
/*
 * rest - the HTTP server
 *
 * It runs in a thread of its own. Reads are answered there from the board, with the clock of that
 * moment, so they are right also when the loop is stuck, and nothing that clients do reaches the
 * loop. Writes are checked there and handed to the loop as commands; the client is answered when
 * rest_reply() is called, or when REST_WAIT_MS have passed.
 */
#ifndef PGHA_IO_REST_H
#define PGHA_IO_REST_H

#include "base/err.h"
#include "core/config.h"
#include "io/board.h"
#include "io/loop.h"
#include "io/peersign.h"
#include "io/resolve.h"
#include "wire/restmsg.h"
#include "wire/telemetry.h"

#define REST_WAIT_MS       600000
#define REST_TASKS_MAX     64   /* commands that wait for their answers */
#define REST_CONNS_MAX     1000
#define REST_CONNS_PER_IP  200
#define REST_LISTENERS_MAX 32    /* of GET /events */
#define REST_BEAT_MS       10000 /* a listener hears something at least so often */
#define REST_ASKERS_MAX    100   /* of GET /ready/db */
#define REST_DB_MS         900   /* for their answer; those who ask often wait no longer than 1 s */
#define REST_DB_EVERY_MS   200   /* between two questions to Postgres */
#define REST_BODY_MAX      (1024 * 1024)
#define REST_DISCARD_MAX   (16 * 1024 * 1024) /* of a refused body */
#define REST_BODIES_MAX    (16 * 1024 * 1024) /* of all requests together */
#define REST_HEADER_BYTES  (10 * 1024) /* of one connection, its answer's header included */
#define REST_IDLE_MS       10000 /* for a whole header, body, or taking of the answer */

struct rest;

/* Called from the loop; the command is valid during the call. */
typedef void (*rest_command_fn)(void *ctx, uint64_t id, const struct command *command);

/* Has Postgres asked, until the deadline. From the loop; the next one comes after rest_db(). */
typedef void (*rest_ask_fn)(void *ctx, int64_t deadline_ms);

int rest_new(struct loop *loop, struct resolve *resolve, struct board *board,
	     rest_command_fn command, void *ctx, struct rest **ret, struct err *err) _must_check_;
/* Of an answer to GET /liveness: which life of which agent it is, at random. */
#define REST_INSTANCE_HEADER "X-Pgha-Instance"
const char *rest_instance(const struct rest *rest);
/* Who is asked for GET /ready/db. Before rest_start(); without it nobody answers. */
void rest_ask(struct rest *rest, rest_ask_fn ask, void *ctx);
/* The answer; also from inside that call. */
void rest_db(struct rest *rest, const struct rest_db *answer);
/* Ends the thread; clients still waiting get a 503. */
void rest_free(struct rest *rest);

/* Whether anybody who reaches the address may send commands, and others than this host do. */
bool rest_is_open(const struct config_restapi *config);
/* Whether its password can be read on the network. */
bool rest_is_overheard(const struct config_restapi *config);
/* Whether another host can speak as a member. */
bool rest_is_unsigned(const struct config_restapi *config);

/* Before rest_start(): reads the certificates and takes the address, so that a wrong file or a
 * port in use is found at once. Connections are refused until rest_start(). */
int rest_bind(struct rest *rest, const struct config_restapi *config,
	      struct err *err) _must_check_;
int rest_start(struct rest *rest, struct err *err) _must_check_;

/* By what members know each other; copied. Counts from rest_start() or rest_configure() on. */
void rest_sign(struct rest *rest, const struct peersign *sign);
/* Adds the calls of members that were refused. */
void rest_tell(struct rest *rest, struct peer_telemetry *ret);

/* New settings while it runs, also another address or certificate. What cannot be used is logged
 * and the old stays. */
void rest_configure(struct rest *rest, const struct config_restapi *config);
/* Hosts of all members' api_url, for allowlist_include_members. */
void rest_members(struct rest *rest, const char hosts[][HOST_SIZE], uint32_t n);
/* The same from a body of GET /cluster, where that is wanted and something changed. */
void rest_members_of(struct rest *rest, const char *cluster_json);

/* Copies; nothing when nobody waits for that id any more. content_type must be static. */
void rest_reply(struct rest *rest, uint64_t id, int code, const char *content_type,
		const char *body);
/* The yes to POST /failsafe: "Accepted", and the header lsn unless that is 0. */
void rest_accept(struct rest *rest, uint64_t id, uint64_t lsn);

#endif
