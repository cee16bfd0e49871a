/* SPDX-License-Identifier: PostgreSQL */
/*
 * record - the cluster's keys <-> structs
 *
 * Layout and tolerance of Patroni 4.1.4 (contract 1.6, 7.9): compact JSON out, anything sane in.
 * Parsers never treat garbage as empty: they fail, and the caller keeps the last good value.
 * Returned strings are heap, owned by the caller.
 */
#ifndef PGHA_WIRE_RECORD_H
#define PGHA_WIRE_RECORD_H

#include "base/err.h"
#include "base/str.h"
#include "core/config.h"
#include "core/types.h"

/* Texts of states and roles on the wire. Unknown texts and NULL read as unknown; "master" reads as
 * primary. */
const char *record_state_text(enum member_state state);
const char *record_role_text(enum member_role role);
enum member_state record_state_parse(const char *text);
enum member_role record_role_parse(const char *text);

/* What a member publishes of itself; see struct member for the reading side. */
struct member_out {
	const char *conn_host; /* IPv6 unbracketed */
	uint16_t conn_port;
	const char *database;
	const char *api_url;   /* http://h:p/patroni */
	const char *proxy_url; /* or NULL */
	enum member_state state;
	enum member_role role;
	bool checkpoint_pending;   /* writes "checkpoint_after_promote":false */
	const char *tags_json;     /* "{}": left out */
	bool pending_restart;
	const char *pending_restart_reason_json; /* or NULL */
	bool has_lsn;              /* the position group is written */
	bool in_recovery;
	uint64_t xlog_location_lsn;
	uint64_t replay_lsn;  /* 0: left out */
	uint64_t receive_lsn; /* 0: left out */
	const char *replication_state; /* or NULL */
	uint32_t timeline;             /* 0: left out */
	const char *scheduled_restart_json; /* or NULL */
	bool pause;
	const char *fence; /* what fences it, for people: "guardian, module"; NULL: nothing */
	const char *pgha_version; /* goes into "pgha":{"version":...}: we write and honour beats */
	const char *trouble; /* there too: what is wrong with the server; "" nothing, NULL too */
	int64_t sealed;           /* beside it: the ballot; 0: left out */
	bool no_remote_commands;  /* ... "allow_remote_commands":false, else left out */
};

char *record_member_text(const struct member_out *out);
void record_member_print(const struct member_out *out, struct buf *ret); /* added to it */
/* The object of pending_restart_reason: name -> old_value, new_value. Heap. */
char *record_changes_text(const struct setting_change *changes, uint32_t n);
/* `name` is the last part of the key. Accepts the legacy "postgres://..." text as well. */
int record_member_parse(const char *name, const char *text, size_t len, struct member *ret,
			struct err *err) _must_check_;

/* The tags object of a member key or of the configuration, with Patroni's conversions: a tag is
 * on when Python calls its value true, so the text "false" is on; numbers may be texts; nofailover
 * and nosync win over the priorities. The result speaks for itself: with nofailover the priority
 * is 0, with an explicit "nofailover": false it is at least 1. NULL and "{}": the defaults. */
int record_tags_parse(const char *tags_json, struct tags *ret, struct err *err) _must_check_;

/* "" = pending, digits = set, anything else garbage. */
enum init_key record_init_parse(const char *text, size_t len, char sysid[SYSID_SIZE]);

/* Member names: [A-Za-z0-9._-]{1,63} for our own; others' names are accepted up to 63 bytes
 * without control characters or slashes. */
int record_name_check(const char *name, bool strict, struct err *err) _must_check_;

struct status_key {
	uint64_t optime_lsn;
	uint32_t nslots;
	struct slot_pos slots[SLOTS_MAX];
	uint32_t nretain;
	char retain[SLOTS_MAX][NAME_SIZE];
};

/* The "slots" of a parsed JSON object, a json_t, behind those that are there. */
void record_slots_parse(const void *object, struct status_key *status);
char *record_status_text(const struct status_key *status);
void record_status_print(const struct status_key *status, struct buf *ret); /* added to it */
int record_status_parse(const char *text, size_t len, struct status_key *ret,
			struct err *err) _must_check_;

/* present=false gives "{}", which is how a request is cleared. scheduled_at is written as ISO
 * 8601 with +00:00. Legacy text "leader:candidate" is read. */
char *record_request_text(const struct request *request);
int record_request_parse(const char *text, size_t len, struct request *ret,
			 struct err *err) _must_check_;

/* What a leader asks the others while it cannot reach etcd: body of POST /failsafe. */
#define FAILSAFE_TTL_MAX_MS INT64_C(3600000)

struct failsafe_question {
	char name[NAME_SIZE];
	char host[HOST_SIZE]; /* of conn_url */
	uint16_t port;
	const char *database;
	char api_url[URL_SIZE];
	struct status_key status; /* slots of the leader */
	/* Not from a Patroni leader. */
	char scope[NAME_SIZE];
	int64_t epoch; /* 0: not told */
	int64_t ttl_ms;
	enum failsafe_mode mode;
};

char *record_question_text(const struct failsafe_question *q);
int record_question_parse(const char *text, size_t len, struct failsafe_question *ret,
			  struct err *err) _must_check_;

/* `failsafe`: an object of name and api_url. Only the names count here. */
int record_failsafe_parse(const char *text, size_t len, struct failsafe_key *ret,
			  struct err *err) _must_check_;
/* pgha/failsafe, ours: what the leader that wrote the list lives by. */
const char *record_failsafe_word(enum failsafe_mode mode);
enum failsafe_mode record_failsafe_mode(const char *text, size_t len);

int record_sync_parse(const char *text, size_t len, struct sync_key *ret,
		      struct err *err) _must_check_;

/* pgha/release and pgha/beat, ours: JSON objects. */
char *record_release_text(const struct release *release);
int record_release_parse(const char *text, size_t len, struct release *ret,
			 struct err *err) _must_check_;
/* A renewal as the others see it. ttl_ms is the term of the lease that it proves, which may
 * differ from what the configuration says by now: the others wait for the longer one. */
#define BEAT_EPOCH_OWN 0 /* put by the acquisition itself: its epoch is the revision of the put */

struct beat {
	int64_t epoch; /* or BEAT_EPOCH_OWN */
	uint64_t sequence;
	int64_t ttl_ms;
	char instance[24]; /* of the agent's start */
};

char *record_beat_text(const struct beat *beat);
int record_beat_parse(const char *text, size_t len, struct beat *ret,
		      struct err *err) _must_check_;

/* pgha/timeline, ours: the newest number that a promotion may have begun, and who took it. */
char *record_begun_text(uint32_t timeline, const char *member, const char *instance);
int record_begun_parse(const char *text, size_t len, uint32_t *ret_timeline,
		       char ret_instance[NAME_SIZE], struct err *err) _must_check_;

/* pgha/fence, ours. An epoch of 0 is that of whoever put it with the leader key: the revision of
 * the put. ret->mod_revision is not filled in. */
char *record_victims_text(const struct victims *victims);
int record_victims_parse(const char *text, size_t len, struct victims *ret,
			 struct err *err) _must_check_;

/* pgha_fence.status of the module; NULL: it is not loaded. What cannot be read is unknown. */
void record_module_parse(const char *text, struct module_state *ret);

/* `history`: array of [timeline, lsn, reason, time, new leader]. Timeline of the cluster by it:
 * last + 1; "[]" = 1. */
int record_history_timeline(const char *text, size_t len, uint32_t *ret_timeline,
			    struct err *err) _must_check_;
/* The array with one entry appended, cut to the newest `max` entries (0: all). An entry for the
 * same timeline is replaced. `old` may be NULL or garbage: then a new array is begun. */
char *record_history_append(const char *old, uint32_t timeline, uint64_t lsn, const char *reason,
			    const char *iso_time, const char *leader, int32_t max);

/* ISO 8601 in UTC with microseconds and +00:00, 'T' or ' ' between date and time. */
#define ISO_TEXT_MAX 40
const char *record_iso_time(int64_t wall_us, char separator, char dst[ISO_TEXT_MAX]);
/* With 'T', the time of day at that offset, and without the fraction where it is zero:
 * isoformat() of Python. */
const char *record_iso_zoned(int64_t wall_us, int32_t offset_min, char dst[ISO_TEXT_MAX]);

/* Appends text as a JSON string with its quotes: for those who print a document by hand. Names of
 * others may hold quotes and backslashes. */
void record_quote(struct buf *out, const char *text);

/* Slot name of a member (contract section 0). */
void record_slot_name(const char *member, char dst[NAME_SIZE]);

/* How long the value of a key ("config", "members/n1", ...) may be. More is none of ours, and to
 * read it would hold whoever does. */
#define RECORD_SIZE_MAX   (64 * 1024)
#define RECORD_CONFIG_MAX (256 * 1024) /* and history, and status */
size_t record_size_limit(const char *key);

#endif
