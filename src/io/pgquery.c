/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgquery - the only sender of SQL: one typed function per file in sql/
 */
#include "io/pgquery.h"

#include <stdio.h>

#include "base/parse.h"
#include "base/str.h"
#include "io/sqltext.h"
#include "wire/confget.h"
#include "wire/record.h"

#define RECEIVER_ANSWER_MS 5000 /* that the upstream may take */

typedef int (*read_fn)(const struct pgrows *rows, void *ret, struct err *err);

static void send(const struct pgquery *q, const struct sql *sql, const char *const *values,
		 read_fn read, void *ret)
{
	struct pgconn_call call = { .read = read, .ret = ret, .done = q->done, .ctx = q->ctx };

	pgconn_exec(q->conn, sql, values, q->deadline_ms, &call);
}

static int one_row(const struct pgrows *rows, const char *what, struct err *err)
{
	if (pgrows_n(rows) == 1)
		return 0;
	return err_set(err, ERR_PROTOCOL, "%s: %d rows instead of 1", what, pgrows_n(rows));
}

static int get_u32(const struct pgrows *rows, int row, int col, uint32_t *ret, struct err *err)
{
	int64_t value = 0;
	int rc;

	*ret = 0;
	if (!pgrows_text(rows, row, col))
		return 0;
	rc = pgrows_int(rows, row, col, &value, err);
	if (rc < 0)
		return rc;
	if (value < 0 || value > UINT32_MAX)
		return err_set(err, ERR_RANGE, "column %d is %lld", col + 1, (long long)value);
	*ret = (uint32_t)value;
	return 0;
}

/* NULL counts as 0. */
static int get_i64(const struct pgrows *rows, int row, int col, int64_t *ret, struct err *err)
{
	*ret = 0;
	if (!pgrows_text(rows, row, col))
		return 0;
	return pgrows_int(rows, row, col, ret, err);
}

/* -- probe -------------------------------------------------------------------------------- */

/* Columns of sql/probe.sql, in its order. */
enum probe_column {
	P_IN_RECOVERY = 0,
	P_VERSION,
	P_START_US,
	P_TIMELINE,
	P_FLUSH,
	P_RECEIVE,
	P_WRITTEN,
	P_REPLAY,
	P_PAUSED,
	P_REPLAY_TIME,
	P_STATUS,
	P_HOST,
	P_PORT,
	P_SLOT,
	P_LATEST_END,
	P_RESTORE,
	P_SYSID,
	P_CHECKPOINT,
	P_CONTROL_TLI,
	P_MIN_RECOVERY,
	P_MIN_RECOVERY_TLI,
	P_CAN_REWIND,
	P_RECEIVER_AGE,
	P_RECEIVER_TIMEOUT,
	P_MODULE,
	P__MAX
};

static int read_positions(const struct pgrows *rows, struct pg_state *s, struct err *err)
{
	const struct {
		enum probe_column col;
		uint64_t *ret;
	} lsns[] = {
		{ P_FLUSH, &s->flush_lsn },
		{ P_RECEIVE, &s->receive_lsn },
		{ P_REPLAY, &s->replay_lsn },
		{ P_LATEST_END, &s->latest_end_lsn },
		{ P_CHECKPOINT, &s->control_checkpoint_lsn },
		{ P_MIN_RECOVERY, &s->min_recovery_lsn },
	};
	uint64_t written = 0;
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(lsns); i++) {
		rc = pgrows_lsn(rows, 0, (int)lsns[i].col, lsns[i].ret, err);
		if (rc < 0)
			return rc;
	}
	rc = pgrows_lsn(rows, 0, P_WRITTEN, &written, err);
	if (rc < 0)
		return rc;
	s->receive_lsn = MAX_OF(s->receive_lsn, written);
	return 0;
}

static int read_numbers(const struct pgrows *rows, struct pg_state *s, struct err *err)
{
	int64_t version = 0, port = 0;
	uint32_t min_timeline = 0;
	int rc = pgrows_int(rows, 0, P_VERSION, &version, err);

	if (rc == 0)
		rc = get_i64(rows, 0, P_START_US, &s->postmaster_start_us, err);
	if (rc == 0)
		rc = get_i64(rows, 0, P_REPLAY_TIME, &s->replay_time_us, err);
	if (rc == 0)
		rc = get_i64(rows, 0, P_PORT, &port, err);
	if (rc == 0)
		rc = get_u32(rows, 0, P_TIMELINE, &s->timeline, err);
	if (rc == 0)
		rc = get_u32(rows, 0, P_CONTROL_TLI, &s->control_timeline, err);
	if (rc == 0)
		rc = get_u32(rows, 0, P_MIN_RECOVERY_TLI, &min_timeline, err);
	if (rc < 0)
		return rc;
	/* What was replayed may belong to a newer timeline than the latest checkpoint. */
	s->control_timeline = MAX_OF(s->control_timeline, min_timeline);
	s->server_version = (int32_t)version;
	s->upstream_port = port > 0 && port <= UINT16_MAX ? (uint16_t)port : 0;
	return 0;
}

/* A walreceiver that hears nothing for half of its timeout asks for an answer (10 to 18), so a
 * living upstream is never silent for much longer. Without a timeout it never asks. */
static int read_receiver(const struct pgrows *rows, struct pg_state *s, struct err *err)
{
	int64_t timeout_ms = 0;
	int rc = get_i64(rows, 0, P_RECEIVER_AGE, &s->receiver_age_ms, err);

	if (rc == 0)
		rc = parse_duration_ms(pgrows_text(rows, 0, P_RECEIVER_TIMEOUT), "ms", &timeout_ms,
				       err);
	if (rc < 0)
		return rc;
	if (!s->streaming)
		s->receiver_age_ms = 0;
	s->receiver_silent = timeout_ms > 0 &&
			     s->receiver_age_ms > timeout_ms / 2 + RECEIVER_ANSWER_MS;
	return 0;
}

static int read_probe(const struct pgrows *rows, void *ret, struct err *err)
{
	struct pg_state s = *(struct pg_state *)ret;
	int rc = one_row(rows, "probe", err);

	if (rc == 0)
		rc = read_positions(rows, &s, err);
	if (rc == 0)
		rc = read_numbers(rows, &s, err);
	if (rc < 0)
		return rc;

	s.role = pgrows_true(rows, 0, P_IN_RECOVERY) ? ROLE_REPLICA : ROLE_PRIMARY;
	s.control = s.role == ROLE_REPLICA ? CONTROL_IN_ARCHIVE_RECOVERY : CONTROL_IN_PRODUCTION;
	s.control_end_lsn = 0;
	s.replay_paused = pgrows_true(rows, 0, P_PAUSED);
	s.streaming = str_eq(pgrows_text(rows, 0, P_STATUS), "streaming");
	rc = read_receiver(rows, &s, err);
	if (rc < 0)
		return rc;
	s.receiving = pgrows_text(rows, 0, P_STATUS) != NULL; /* there is no walreceiver */
	s.has_restore_command = pgrows_true(rows, 0, P_RESTORE);
	s.can_rewind = pgrows_true(rows, 0, P_CAN_REWIND);
	record_module_parse(pgrows_text(rows, 0, P_MODULE), &s.module);
	(void)str_copy(s.sysid, sizeof(s.sysid), pgrows_text(rows, 0, P_SYSID));
	(void)str_copy(s.upstream_host, sizeof(s.upstream_host), pgrows_text(rows, 0, P_HOST));
	(void)str_copy(s.upstream_slot, sizeof(s.upstream_slot), pgrows_text(rows, 0, P_SLOT));
	if (s.role == ROLE_PRIMARY)
		s.receive_lsn = s.replay_lsn = s.latest_end_lsn = 0;
	*(struct pg_state *)ret = s;
	return 0;
}

static int read_walreceiver(const struct pgrows *rows, void *ret, struct err *err)
{
	struct pgquery_receiver *receiver = ret;
	int rc = one_row(rows, "walreceiver", err);

	if (rc < 0)
		return rc;
	receiver->pid = 0;
	receiver->replay_waits = pgrows_true(rows, 0, 1);
	return get_i64(rows, 0, 0, &receiver->pid, err);
}

void pgquery_walreceiver(const struct pgquery *q, struct pgquery_receiver *ret)
{
	send(q, &sql_walreceiver, NULL, read_walreceiver, ret);
}

/* -- lists -------------------------------------------------------------------------------- */

static int read_walsender(const struct pgrows *rows, int row, struct walsender *w, struct err *err)
{
	int64_t priority = 0;
	int rc = get_i64(rows, row, 5, &priority, err);

	if (rc == 0)
		rc = pgrows_lsn(rows, row, 6, &w->sent_lsn, err);
	if (rc == 0)
		rc = pgrows_lsn(rows, row, 7, &w->write_lsn, err);
	if (rc == 0)
		rc = pgrows_lsn(rows, row, 8, &w->flush_lsn, err);
	if (rc == 0)
		rc = pgrows_lsn(rows, row, 9, &w->replay_lsn, err);
	if (rc == 0)
		rc = get_i64(rows, row, 10, &w->pid, err);
	if (rc < 0)
		return rc;
	w->sync_priority = (int32_t)priority;
	(void)str_copy(w->usename, sizeof(w->usename), pgrows_text(rows, row, 0));
	(void)str_copy(w->application_name, sizeof(w->application_name), pgrows_text(rows, row, 1));
	(void)str_copy(w->client_addr, sizeof(w->client_addr), pgrows_text(rows, row, 2));
	(void)str_copy(w->state, sizeof(w->state), pgrows_text(rows, row, 3));
	(void)str_copy(w->sync_state, sizeof(w->sync_state), pgrows_text(rows, row, 4));
	return 0;
}

static int read_walsenders(const struct pgrows *rows, void *ret, struct err *err)
{
	struct pgquery_walsenders *list = ret;

	list->n = 0;
	for (int row = 0; row < pgrows_n(rows) && list->n < ARRAY_LEN(list->items); row++) {
		int rc = read_walsender(rows, row, &list->items[list->n], err);

		if (rc < 0)
			return rc;
		list->n++;
	}
	return 0;
}

static int read_slots(const struct pgrows *rows, void *ret, struct err *err)
{
	struct pgquery_slots *list = ret;

	list->n = 0;
	for (int row = 0; row < pgrows_n(rows) && list->n < ARRAY_LEN(list->items); row++) {
		struct pgquery_slot *slot = &list->items[list->n];
		int rc = pgrows_lsn(rows, row, 4, &slot->restart_lsn, err);

		if (rc < 0)
			return rc;
		if (str_copy(slot->name, sizeof(slot->name), pgrows_text(rows, row, 0)) < 0)
			continue;
		slot->physical = pgrows_true(rows, row, 1);
		slot->active = pgrows_true(rows, row, 2);
		slot->temporary = pgrows_true(rows, row, 3);
		slot->lost = str_eq(pgrows_text(rows, row, 5), "lost");
		slot->in_the_way = pgrows_true(rows, row, 6);
		list->n++;
	}
	return 0;
}

void pgquery_slots(const struct pgquery *q, struct pgquery_slots *ret)
{
	send(q, &sql_slots, NULL, read_slots, ret);
}

void pgquery_facts(const struct pgquery *q, bool brief, struct pgquery_facts *ret)
{
	const struct pgconn_part parts[] = {
		{ &sql_probe, read_probe, &ret->state },
		{ &sql_walsenders, read_walsenders, &ret->walsenders },
		{ &sql_slots, read_slots, &ret->slots },
	};

	pgconn_round(q->conn, parts, brief ? PGQUERY_STATE : PGQUERY_SLOTS, q->deadline_ms, q->done,
		     q->ctx);
}

static int read_settings(const struct pgrows *rows, void *ret, struct err *err _unused_)
{
	struct pgquery_settings *list = ret;

	list->n = 0;
	for (int row = 0; row < pgrows_n(rows) && list->n < ARRAY_LEN(list->items); row++) {
		struct pgquery_setting *setting = &list->items[list->n];

		if (str_copy(setting->name, sizeof(setting->name), pgrows_text(rows, row, 0)) < 0)
			continue;
		str_clip(setting->value, sizeof(setting->value), pgrows_text(rows, row, 1));
		setting->pending = pgrows_true(rows, row, 2);
		str_clip(setting->shown, sizeof(setting->shown), pgrows_text(rows, row, 3));
		str_clip(setting->type, sizeof(setting->type), pgrows_text(rows, row, 4));
		str_clip(setting->unit, sizeof(setting->unit), pgrows_text(rows, row, 5));
		str_clip(setting->in_files, sizeof(setting->in_files), pgrows_text(rows, row, 6));
		list->n++;
	}
	return 0;
}

void pgquery_settings(const struct pgquery *q, struct pgquery_settings *ret)
{
	send(q, &sql_settings, NULL, read_settings, ret);
}

static int read_examine(const struct pgrows *rows, void *ret, struct err *err _unused_)
{
	struct checkup_values *list = ret;

	list->n = 0;
	for (int row = 0; row < pgrows_n(rows) && list->n < ARRAY_LEN(list->items); row++) {
		struct checkup_value *value = &list->items[list->n++];

		str_clip(value->name, sizeof(value->name), pgrows_text(rows, row, 0));
		str_clip(value->value, sizeof(value->value), pgrows_text(rows, row, 1));
	}
	return 0;
}

void pgquery_examine(const struct pgquery *q, struct checkup_values *ret)
{
	send(q, &sql_examine, NULL, read_examine, ret);
}

static int read_generate(const struct pgrows *rows, void *ret, struct err *err _unused_)
{
	for (int row = 0; row < pgrows_n(rows); row++)
		confget_add_pair(ret, pgrows_text(rows, row, 0), pgrows_text(rows, row, 1));
	return 0;
}

void pgquery_generate(const struct pgquery *q, struct pairs *ret)
{
	send(q, &sql_generate, NULL, read_generate, ret);
}

/* -- small ones --------------------------------------------------------------------------- */

static int read_bool(const struct pgrows *rows, void *ret, struct err *err)
{
	int rc = one_row(rows, "question", err);

	if (rc < 0)
		return rc;
	*(bool *)ret = pgrows_true(rows, 0, 0);
	return 0;
}

void pgquery_in_recovery(const struct pgquery *q, bool *ret)
{
	send(q, &sql_in_recovery, NULL, read_bool, ret);
}

void pgquery_checkpoint(const struct pgquery *q)
{
	send(q, &sql_checkpoint, NULL, NULL, NULL);
}

void pgquery_slot_create(const struct pgquery *q, const char *name)
{
	const char *values[] = { name };

	send(q, &sql_slot_create, values, NULL, NULL);
}

void pgquery_slot_advance(const struct pgquery *q, const char *name, uint64_t lsn)
{
	char text[LSN_TEXT_MAX];
	const char *values[] = { name, lsn_text(lsn, text) };

	send(q, &sql_slot_advance, values, NULL, NULL);
}

void pgquery_slot_drop(const struct pgquery *q, const char *name)
{
	const char *values[] = { name };

	send(q, &sql_slot_drop, values, NULL, NULL);
}

static int read_upstream(const struct pgrows *rows, void *ret, struct err *err)
{
	struct pgquery_upstream *up = ret;
	int rc = one_row(rows, "upstream", err);

	if (rc == 0)
		rc = get_u32(rows, 0, 2, &up->timeline, err);
	if (rc == 0)
		rc = get_u32(rows, 0, 3, &up->control_timeline, err);
	if (rc < 0)
		return rc;
	up->in_recovery = pgrows_true(rows, 0, 0);
	(void)str_copy(up->sysid, sizeof(up->sysid), pgrows_text(rows, 0, 1));
	return 0;
}

void pgquery_upstream(const struct pgquery *q, struct pgquery_upstream *ret)
{
	send(q, &sql_upstream, NULL, read_upstream, ret);
}

static int read_size(const struct pgrows *rows, void *ret, struct err *err)
{
	int rc = one_row(rows, "upstream_size", err);

	return rc < 0 ? rc : get_i64(rows, 0, 0, ret, err);
}

void pgquery_upstream_size(const struct pgquery *q, int64_t *ret_bytes)
{
	send(q, &sql_upstream_size, NULL, read_size, ret_bytes);
}

/* -- replication commands ----------------------------------------------------------------- */

static int read_identity(const struct pgrows *rows, void *ret, struct err *err)
{
	struct pgquery_identity *id = ret;
	int rc = one_row(rows, "identify_system", err);

	if (rc == 0)
		rc = get_u32(rows, 0, 1, &id->timeline, err);
	if (rc == 0)
		rc = pgrows_lsn(rows, 0, 2, &id->lsn, err);
	if (rc < 0)
		return rc;
	if (str_copy(id->sysid, sizeof(id->sysid), pgrows_text(rows, 0, 0)) < 0)
		return err_set(err, ERR_PROTOCOL,
			       "identify_system: the system identifier is too long");
	return 0;
}

void pgquery_identify(const struct pgquery *q, struct pgquery_identity *ret)
{
	send(q, &sql_identify_system, NULL, read_identity, ret);
}

static int history_line(const char *line, struct history_entry *ret)
{
	unsigned int timeline, hi, lo;

	while (*line == ' ' || *line == '\t')
		line++;
	if (*line == '\0' || *line == '#')
		return 1;
	if (sscanf(line, "%u\t%X/%X", &timeline, &hi, &lo) != 3)
		return -1;
	ret->timeline = timeline;
	ret->end_lsn = (uint64_t)hi << 32 | lo;
	return 0;
}

int pgquery_history_parse(const char *text, struct history *ret, struct err *err)
{
	struct history_entry entry = { 0 };

	ret->n = 0;
	while (*text) {
		size_t len = strcspn(text, "\n");
		char line[512];
		int rc;

		str_clip(line, MIN_OF(sizeof(line), len + 1), text);
		text += len + (text[len] == '\n');
		rc = history_line(line, &entry);
		if (rc < 0)
			return err_set(err, ERR_PARSE, "timeline history has the line '%s'", line);
		if (rc > 0)
			continue;
		if (ret->n == HISTORY_MAX) {
			memmove(ret->entries, ret->entries + 1,
				(HISTORY_MAX - 1) * sizeof(ret->entries[0]));
			ret->n--;
		}
		ret->entries[ret->n++] = entry;
	}
	return 0;
}

static int read_history(const struct pgrows *rows, void *ret, struct err *err)
{
	const char *text;
	int rc = one_row(rows, "timeline_history", err);

	if (rc < 0)
		return rc;
	text = pgrows_text(rows, 0, 1);
	return pgquery_history_parse(text ? text : "", ret, err);
}

void pgquery_history(const struct pgquery *q, uint32_t timeline, struct history *ret)
{
	char number[12];
	const char *values[] = { number };

	(void)str_printf(number, sizeof(number), "%u", timeline);
	send(q, &sql_timeline_history, values, read_history, ret);
}

void pgquery_wal(const struct pgquery *q, uint64_t lsn, uint32_t timeline)
{
	char position[32], number[12];
	const char *values[] = { position, number };

	(void)str_printf(position, sizeof(position), "%X/%X", (unsigned)(lsn >> 32),
			 (unsigned)lsn);
	(void)str_printf(number, sizeof(number), "%u", timeline);
	send(q, &sql_start_replication, values, NULL, NULL);
}

/* -- roles -------------------------------------------------------------------------------- */

static int read_name(const struct pgrows *rows, void *ret, struct err *err)
{
	int rc = one_row(rows, "question", err);

	if (rc < 0)
		return rc;
	if (str_copy(ret, NAME_SIZE, pgrows_text(rows, 0, 0)) < 0)
		return err_set(err, ERR_PROTOCOL, "the answer is longer than %d bytes",
			       NAME_SIZE - 1);
	return 0;
}

void pgquery_password_encryption(const struct pgquery *q, char ret[NAME_SIZE])
{
	send(q, &sql_password_encryption, NULL, read_name, ret);
}

void pgquery_role_stage(const struct pgquery *q, const char *role, const char *attributes,
			const char *verifier)
{
	const char *values[] = { role, attributes, verifier };

	send(q, &sql_role_stage, values, NULL, NULL);
}

void pgquery_role_apply(const struct pgquery *q)
{
	send(q, &sql_role_apply, NULL, NULL, NULL);
}

void pgquery_role_rewind(const struct pgquery *q)
{
	send(q, &sql_role_rewind, NULL, NULL, NULL);
}

/* -- PgBouncer ---------------------------------------------------------------------------- */

void pgquery_pooler(const struct pgquery *q, enum pgquery_pooler what)
{
	static const struct sql *const commands[POOLER__MAX] = {
		[POOLER_PAUSE] = &sql_pooler_pause,
		[POOLER_RELOAD] = &sql_pooler_reload,
		[POOLER_RECONNECT] = &sql_pooler_reconnect,
		[POOLER_RESUME] = &sql_pooler_resume,
	};

	send(q, commands[what], NULL, NULL, NULL);
}
