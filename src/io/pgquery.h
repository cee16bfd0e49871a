/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgquery - the only sender of SQL: one typed function per file in sql/
 *
 * Each sends its statement on an idle connection and calls done later, from the loop. ret
 * structs are filled before done is called with 0, and must stay valid until then.
 */
#ifndef PGHA_IO_PGQUERY_H
#define PGHA_IO_PGQUERY_H

#include "core/types.h"
#include "io/pgconn.h"
#include "wire/checkup.h"
#include "wire/record.h"
#include "wire/restmsg.h"

/* Where and when: every function begins with this. */
struct pgquery {
	struct pgconn *conn;
	int64_t deadline_ms;
	pgconn_fn done;
	void *ctx;
};

struct pgquery_receiver {
	int64_t pid;       /* 0: there is none */
	bool replay_waits; /* for WAL that is not here */
};
void pgquery_walreceiver(const struct pgquery *q, struct pgquery_receiver *ret);

struct pgquery_walsenders {
	uint32_t n;
	struct walsender items[MEMBERS_MAX];
};
struct pgquery_slot {
	char name[NAME_SIZE];
	bool physical;
	bool active;
	bool temporary;
	bool lost; /* its WAL is gone: it can never be used again */
	bool in_the_way; /* logical, of when this standby was the primary: no copy can be made */
	uint64_t restart_lsn;
};

struct pgquery_slots {
	uint32_t n;
	struct pgquery_slot items[SLOTS_MAX];
};
void pgquery_slots(const struct pgquery *q, struct pgquery_slots *ret);

/* All that is asked in every cycle, in one round trip. */
struct pgquery_facts {
	/* Only what SQL can tell is changed: role, positions, timeline, control file. */
	struct pg_state state;
	struct pgquery_walsenders walsenders;
	struct pgquery_slots slots;
};
/* How much of it was read, in this order, is told by pgconn_round_read().
 * brief: the state alone. */
enum { PGQUERY_STATE = 1, PGQUERY_WALSENDERS, PGQUERY_SLOTS };
void pgquery_facts(const struct pgquery *q, bool brief, struct pgquery_facts *ret);

#define PGQUERY_SETTINGS_MAX 32
struct pgquery_setting {
	char name[NAME_SIZE];
	char value[SETTING_SIZE]; /* as pg_settings has it, in its unit */
	char shown[SETTING_SIZE]; /* as SHOW has it */
	char in_files[SETTING_SIZE]; /* of a setting that waits, else "" */
	char type[16];
	char unit[8]; /* "" none */
	bool pending;
};

struct pgquery_settings {
	uint32_t n;
	struct pgquery_setting items[PGQUERY_SETTINGS_MAX];
};
void pgquery_settings(const struct pgquery *q, struct pgquery_settings *ret);

/* What a configuration is made of: name and value; names in brackets are no settings. */
void pgquery_generate(const struct pgquery *q, struct pairs *ret);

void pgquery_examine(const struct pgquery *q, struct checkup_values *ret);

void pgquery_in_recovery(const struct pgquery *q, bool *ret);
void pgquery_checkpoint(const struct pgquery *q);
void pgquery_slot_create(const struct pgquery *q, const char *name);
void pgquery_slot_advance(const struct pgquery *q, const char *name, uint64_t lsn);
void pgquery_slot_drop(const struct pgquery *q, const char *name);

struct pgquery_upstream {
	bool in_recovery;
	char sysid[SYSID_SIZE];
	uint32_t timeline; /* 0 in recovery */
	uint32_t control_timeline;
};
void pgquery_upstream(const struct pgquery *q, struct pgquery_upstream *ret);
void pgquery_upstream_size(const struct pgquery *q, int64_t *ret_bytes);

/* Over a replication connection. */
struct pgquery_identity {
	char sysid[SYSID_SIZE];
	uint32_t timeline;
	uint64_t lsn;
};
void pgquery_identify(const struct pgquery *q, struct pgquery_identity *ret);
/* Fills entries of *ret; timeline 1 has no history and must not be asked for. */
void pgquery_history(const struct pgquery *q, uint32_t timeline, struct history *ret);
/* Whether WAL can be had from `lsn` on, the beginning of a segment: ERR_SQL with SQLSTATE
 * PGQUERY_WAL_GONE when it was removed, ERR_TIMEOUT when there is none yet. Closes the
 * connection. */
#define PGQUERY_WAL_GONE "58P01"
void pgquery_wal(const struct pgquery *q, uint64_t lsn, uint32_t timeline);
/* The text of a history file: "<timeline>\t<lsn>\t<reason>" lines and # comments. When there are
 * more entries than HISTORY_MAX the oldest are left out. */
int pgquery_history_parse(const char *text, struct history *ret, struct err *err) _must_check_;

/* "scram-sha-256" or "md5". */
void pgquery_password_encryption(const struct pgquery *q, char ret[NAME_SIZE]);
/* attributes: "superuser", "replication" or "none"; verifier: "" leaves the password alone. */
void pgquery_role_stage(const struct pgquery *q, const char *role, const char *attributes,
			const char *verifier);
void pgquery_role_apply(const struct pgquery *q);
void pgquery_role_rewind(const struct pgquery *q);

/* What the admin console of a PgBouncer understands. */
enum pgquery_pooler {
	POOLER_PAUSE = 0,
	POOLER_RELOAD,
	POOLER_RECONNECT,
	POOLER_RESUME,
	POOLER__MAX
};

void pgquery_pooler(const struct pgquery *q, enum pgquery_pooler what);

#endif
