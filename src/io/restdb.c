/* SPDX-License-Identifier: PostgreSQL */
/*
 * restdb - the question of GET /ready/db: one for all who ask
 */
#include "io/restdb.h"

#include <microhttpd.h>

/* ---- the loop's side ---- */

static void on_timer(void *ctx)
{
	struct restdb *db = ctx;

	db->asking = true;
	db->asked_at_ms = loop_now_ms();
	db->ask(db->ctx, db->asked_at_ms + REST_DB_MS);
}

int restdb_init(struct restdb *db, struct loop *loop, struct err *err)
{
	return loop_timer_new(loop, "rest asks", on_timer, db, &db->timer, err);
}

void restdb_done(struct restdb *db)
{
	loop_source_free(db->timer);
	db->timer = NULL;
}

void restdb_want(struct restdb *db)
{
	int64_t now_ms = loop_now_ms();

	if (!db->ask || db->asking)
		return;
	/* However many ask, Postgres is not asked all the time. */
	loop_timer_at(db->timer, db->asked_at_ms == 0 ?
					 now_ms :
					 MAX_OF(now_ms, db->asked_at_ms + REST_DB_EVERY_MS));
}

/* ---- the thread's side ---- */

bool restdb_wait(struct restdb_askers *askers, struct restdb_asker *asker,
		 struct MHD_Connection *connection)
{
	for (size_t i = 0; i < REST_ASKERS_MAX; i++) {
		if (askers->items[i])
			continue;
		*asker = (struct restdb_asker){ .connection = connection,
						.until_ms = loop_now_ms() + REST_DB_MS };
		askers->items[i] = asker;
		restconns_move(restconns_of(connection), RESTCONN_BUSY);
		MHD_suspend_connection(connection);
		return true;
	}
	return false;
}

static void finish(struct restdb_askers *askers, size_t i, const struct rest_db *answer)
{
	struct restdb_asker *asker = TAKE(askers->items[i]);
	struct MHD_Connection *connection = TAKE(asker->connection);

	asker->done = true;
	asker->answer = *answer;
	restconns_move(restconns_of(connection), RESTCONN_SENDING);
	MHD_resume_connection(connection);
}

void restdb_answer(struct restdb_askers *askers, const struct rest_db *answer)
{
	for (size_t i = 0; i < REST_ASKERS_MAX; i++)
		if (askers->items[i])
			finish(askers, i, answer);
}

void restdb_sweep(struct restdb_askers *askers)
{
	const struct rest_db late = { .why = "no answer in time", .took_ms = REST_DB_MS };
	int64_t now_ms = loop_now_ms();

	for (size_t i = 0; i < REST_ASKERS_MAX; i++)
		if (askers->items[i] && now_ms >= askers->items[i]->until_ms)
			finish(askers, i, &late);
}

int restdb_wait_ms(const struct restdb_askers *askers)
{
	int64_t now_ms = loop_now_ms();
	int64_t first_ms = INT64_MAX;

	for (size_t i = 0; i < REST_ASKERS_MAX; i++)
		if (askers->items[i])
			first_ms = MIN_OF(first_ms, askers->items[i]->until_ms);
	if (first_ms == INT64_MAX)
		return -1;
	return first_ms <= now_ms ? 0 : (int)(first_ms - now_ms);
}
