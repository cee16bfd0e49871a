/* SPDX-License-Identifier: PostgreSQL */
/*
 * hang - a Postgres that has not ended and does not work
 */
#include "agent/state.h"

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

void hang_refresh(struct agent *a)
{
	say_trouble(a);
}
