/* SPDX-License-Identifier: PostgreSQL */
/*
 * vitals - what is wrong with a Postgres that has not ended
 *
 * A session that is kept goes on answering while the postmaster lets nobody in, and reads go on
 * while the disk takes no writes. So both are asked by themselves: a new connection each time, and
 * a small write in the file system of the WAL.
 */
#ifndef PGHA_CORE_VITALS_H
#define PGHA_CORE_VITALS_H

#include "core/view.h"

/* Nobody can come in, though the postmaster is there. */
bool vitals_shut(const struct vitals *vitals);
/* When it will have lasted for too long, by what is configured; 0: it will not. */
int64_t vitals_give_up_at_ms(const struct view *view);
/* For people, the worst first; "" nothing is wrong. Static. */
const char *vitals_trouble(const struct pg_state *pg);

#endif
