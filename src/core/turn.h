/* SPDX-License-Identifier: PostgreSQL */
/*
 * turn - when the key of a leader may be taken
 *
 * By the last sign of its holder on our own clock, by the marker of one that gave it back, by the
 * fixed versions of etcd, and not by whoever has promised to leave a leader alone (architecture,
 * "two clocks agree"; doc/decisions, failsafe by quorum).
 */
#ifndef PGHA_CORE_TURN_H
#define PGHA_CORE_TURN_H

#include "core/view.h"

/* The takeover rule for a key that is absent. */
bool turn_may_take(const struct view *view);
/* Another member's key may be deleted: its beat was silent for a whole term on our clock, and
 * everybody in the cluster beats. */
bool turn_beat_is_stale(const struct view *view);
/* When the holder's term is over by our own clock; 0: no sign was seen. */
int64_t turn_term_end_ms(const struct view *view);
/* The last leader gave the key back, with proof that its Postgres ended. */
bool turn_released(const struct view *view);
/* The leader whose key is absent, if it was a member that Patroni runs; else NULL. Whether it has
 * yielded is known when it was asked (struct vote). */
const struct member *turn_patroni_gone(const struct view *view);
/* The failsafe list says who may take the key. */
bool turn_failsafe_counts(const struct view *view);
/* A leader without etcd was told that this member does not take over, and that still holds. */
bool turn_promised(const struct view *view);
int64_t turn_promise_end_ms(const struct view *view);
/* How long a promise for that term is kept. */
int64_t turn_promise_ms(int64_t ttl_ms);

#endif
