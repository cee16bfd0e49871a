/* SPDX-License-Identifier: PostgreSQL */
/*
 * pg - the local Postgres, as the agent's port wants it
 *
 * Takes struct pg_req, answers with struct event: EVENT_PG_PROBE, EVENT_PG_DONE, and
 * EVENT_PG_EXIT when a postmaster ends. Everything runs on the loop; no request is answered from
 * inside pg_request(). Every event of this module carries the newest facts in event.pg.
 *
 * What the requests do beyond port.h:
 * - A request that changes something while another such one runs is refused with -ERR_STATE. STOP
 *   ends the other one first, which is then answered with -ERR_CANCELED. A second STOP takes the
 *   first one's place (answered with -ERR_CANCELED): the harder mode and the earlier times count.
 * - STOP with timeout_ms 0 waits for ever. It is done only when a scan of /proc finds no process
 *   of the data directory; a process in uninterruptible sleep counts as alive.
 * - START is done when the postmaster has its sockets and begins recovery, not when it accepts
 *   connections. For its log see pglog.h.
 * - EVENT_PG_EXIT comes before the answer of the STOP that caused it; event.text is the last
 *   reason in the server's log, "" when there is none.
 * - A PROBE that a server refused for any other reason than that it starts (SQLSTATE 57P03), too
 *   many clients or a wrong password for example, finds it PG_UP with probe_sql_ok false: it
 *   lives. Then, and when it is silent, event.err says why, and event.result is 0 all the same.
 * - While another agent holds "<data_dir>.pgha-lock" whatever would change something, but STOP, is
 *   refused with -ERR_STATE.
 * - CLONE and INITDB work in "<data_dir>.pgha-new", REWIND under a mark; see pgdir.h.
 * - DISCARD is done when nothing stands at data_dir; it refuses, with -ERR_STATE, a directory
 *   without the boot mark. An empty one is what it wants.
 * - ANCESTRY fails with -ERR_CONFIG when the upstream has another system identifier, and with
 *   -ERR_STATE when it is itself in recovery.
 */
#ifndef PGHA_IO_PG_H
#define PGHA_IO_PG_H

#include "agent/event.h"
#include "agent/port.h"
#include "io/loop.h"

struct pg;

typedef void (*pg_event_fn)(void *ctx, const struct event *event);

int pg_new(struct loop *loop, pg_event_fn deliver, void *ctx, struct pg **ret,
	   struct err *err) _must_check_;
/* Ends children of running requests without answering; Postgres itself is left alone. */
void pg_free(struct pg *pg);

/* The effective settings, borrowed until the next call. Finishes or undoes at the first call what
 * a crash interrupted in replacing the data directory. */
void pg_configure(struct pg *pg, const struct config *config);

/* For EVENT_START: looks at files, control file and processes at once, blocking (a second at
 * most), and begins to watch a postmaster that runs. Without pg_configure() nothing is known. */
void pg_look(struct pg *pg, struct pg_state *ret);

void pg_request(struct pg *pg, uint64_t ticket, const struct pg_req *req);

/* How far the copy or the rewind is that runs; 0 and 0 when none does, or none tells. */
void pg_progress(const struct pg *pg, int64_t *ret_done_bytes, int64_t *ret_total_bytes);

#endif
