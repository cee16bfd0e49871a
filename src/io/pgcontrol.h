/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgcontrol - what pg_controldata says of a data directory
 *
 * The text of PostgreSQL 13 to 18 in the C locale. While a server runs the file lags behind it;
 * once it is down the file is the truth.
 */
#ifndef PGHA_IO_PGCONTROL_H
#define PGHA_IO_PGCONTROL_H

#include "base/err.h"
#include "core/types.h"

struct pgcontrol {
	char sysid[SYSID_SIZE];
	enum pg_control state;
	uint64_t checkpoint_lsn;
	uint32_t timeline;
	uint64_t min_recovery_lsn;
	uint32_t min_recovery_timeline;
	bool wal_log_hints;
	bool checksums;
	uint32_t wal_block_bytes;
	uint32_t wal_segment_bytes;
	/* As the server was last started; a standby must not start with less. 0: not told. */
	int32_t max_connections;
	int32_t max_worker_processes;
	int32_t max_wal_senders;
	int32_t max_prepared_transactions;
	int32_t max_locks_per_transaction;
};

/* -ERR_PARSE when the text is not complete, or says that the file is damaged. */
int pgcontrol_parse(const char *text, struct pgcontrol *ret, struct err *err) _must_check_;

/* Where WAL ends on this disk: behind the shutdown checkpoint. 0 unless the server was shut down
 * cleanly as a primary, for then nobody wrote anything after it. */
uint64_t pgcontrol_end_lsn(const struct pgcontrol *control);

/* Does the file itself say "shut down"? For a look at a server that is about to end. False also
 * where it cannot be read. */
bool pgcontrol_says_shut_down(const char *data_dir);
/* ... or "shutting down", which it becomes when every client has gone and the shutdown checkpoint
 * begins? */
bool pgcontrol_says_shutting_down(const char *data_dir);
/* Brings *control, which was read in this life of the data, up to date once a primary has shut
 * down, without a program: at a hand-over everybody waits for it. False: it was not shut down in
 * order, or this file is not understood; then pg_controldata has to tell. */
bool pgcontrol_reread_shut_down(const char *data_dir, struct pgcontrol *control);

/* Copies into *ret what it knows. */
void pgcontrol_apply(const struct pgcontrol *control, struct pg_state *ret);

#endif
