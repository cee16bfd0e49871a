/* SPDX-License-Identifier: PostgreSQL */
/*
 * hang - a Postgres that has not ended and does not work
 */
#include "agent/state.h"

#include <inttypes.h>

#include "base/log.h"
#include "core/vitals.h"

/* The worst of what is wrong, once; while it lasts it stands in the status. */
static void say_trouble(struct agent *a)
{
	const struct pg_state *pg = &a->view.pg;
	const char *trouble = vitals_trouble(pg);

	if (str_eq(trouble, a->said_trouble))
		return;
	if (trouble[0] == '\0')
		log_notice("no trouble with Postgres any more: it was that %s", a->said_trouble);
	else
		log_warning("trouble with Postgres: %s%s%s", trouble,
			    pg->vitals.disk_error[0] != '\0' ? ": " : "", pg->vitals.disk_error);
	recorder_add(&a->recorder, a->view.now_ms, "trouble: %s", trouble);
	str_clip(a->said_trouble, sizeof(a->said_trouble), trouble);
	a->member_urgent = true;
	a->board_dirty = true;
}

/* Given up once it stays so until Postgres is seen dead or well: who was resumed in the middle of
 * its killing is no primary to count on. */
static void refresh_given_up(struct agent *a)
{
	struct view *v = &a->view;
	bool ours = state_leads(a) || str_eq(v->cluster.leader, v->name);
	bool serves = v->pg.run == PG_UP && v->pg.role == ROLE_PRIMARY && a->job.ticket == 0;
	int64_t at_ms = vitals_give_up_at_ms(v);

	if (!ours || v->mode == MODE_PAUSED || (serves && at_ms == 0)) {
		v->hung_given_up = false;
		return;
	}
	if (v->hung_given_up || !state_leads(a) || at_ms == 0 || v->now_ms < at_ms)
		return;
	v->hung_given_up = true;
	log_error("%s for %" PRId64 " ms: this member stops leading, its lease of epoch %" PRId64
		  " is not renewed and every process of Postgres is killed",
		  vitals_trouble(&v->pg), v->now_ms - at_ms + v->hung_after_ms, v->lease.epoch);
	recorder_add(&a->recorder, v->now_ms, "given up: %s", vitals_trouble(&v->pg));
}

void hang_refresh(struct agent *a)
{
	say_trouble(a);
	refresh_given_up(a);
}

/* The etcd lease carries the leader key as well: kept alive it would keep the key for ever. */
bool hang_lapses(const struct agent *a)
{
	const struct view *v = &a->view;

	return v->hung_given_up && a->plan.lease_verb == LV_LAPSE &&
	       str_eq(v->cluster.leader, v->name) &&
	       v->cluster.leader_lease_id == a->session.lease_id;
}
