/* SPDX-License-Identifier: PostgreSQL */
/*
 * peers - the other members' own word on where they are: GET of their api_url
 *
 * The HTTP status is ignored and the body decides, as Patroni 4.1.4 does it (contract 7.3). The
 * certificate of `ctl` goes along, the credentials where something is asked to be done; the
 * server's certificate is verified only where ctl.certfile is set, and its host name never, as
 * there.
 *
 * With a secret every question is signed. An answer that is signed wrongly, or not at all where
 * that is required, is none: it is told as a failure, like that of a member out of reach.
 */
#ifndef PGHA_IO_PEERS_H
#define PGHA_IO_PEERS_H

#include "agent/port.h"
#include "base/err.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/peersign.h"
#include "wire/telemetry.h"

#define PEERS_TELL_MS 60000 /* between two lines about one member whose answers do not count */

struct peers;

/* Called from the loop; vote is NULL on failure. */
typedef void (*peers_fn)(void *ctx, uint64_t ticket, int result, const struct vote *vote,
			 const struct err *err);

/* What a member said when it was asked to leave this leader alone. */
struct peers_promise {
	uint64_t ticket;
	int64_t sent_at_ms; /* it cannot have been asked earlier */
	bool accepted;
	const char *text; /* else: why not */
	const struct err *err; /* no answer */
};

typedef void (*peers_promise_fn)(void *ctx, const struct peers_promise *promise);

struct peers *peers_new(struct http *http, peers_fn answer, peers_promise_fn promise, void *ctx);
void peers_free(struct peers *peers); /* questions under way are dropped */
/* Copies what it needs. */
void peers_configure(struct peers *peers, const struct config *config);
/* Until then nothing is signed. Copies. */
void peers_sign(struct peers *peers, const struct peersign *sign);
/* Adds what was not believed. */
void peers_tell(const struct peers *peers, struct peer_telemetry *ret);
/* Answered exactly once, at the latest after req->timeout_ms. */
void peers_ask(struct peers *peers, uint64_t ticket, const struct peer_req *req);
void peers_promise(struct peers *peers, uint64_t ticket, const struct promise_req *req);

#endif
