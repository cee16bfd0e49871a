/* SPDX-License-Identifier: PostgreSQL */
/*
 * scenario - a failure story, told once in a small text file
 *
 * One line each, played in order; blank lines and lines that begin with # are skipped.
 *
 *   nodes N                  before anything else: how many (3)
 *   guard on|off             a guardian on every host (on)
 *   module on|off            the fence module is loaded (off)
 *   etcd-faults on|off       etcd behaves as 3.4.23 does (off)
 *   poolers on|off           clients come through PgBouncer (off)
 *   nofailover N             n1, n2, ... by its number has that tag (0, nobody)
 *   bad-clocks on|off        hosts' clocks run up to 10 % fast or slow (off)
 *   at TIME ...              TIME since the start ("20s", "1500ms"); after it, one of:
 *     FAULT [NODE] [member M] [for TIME|for ever]    see FAULTS in nemesis.h
 *     end FAULT NODE [member M]
 *     switchover [NODE] | failover NODE | restart NODE | reinit NODE | pause | resume
 *     accept-store           hactl dcs accept, at every member
 *     let NAME = NODE        remembers who it is now
 *     mark                   counts of expectations start here
 *     expect COND            must hold now
 *   within TIME expect COND  must come true in that time
 *   for TIME expect COND     must hold all that time
 *
 * NODE: n1.., leader, standby, standby2, or a remembered name.
 * COND: leader is NODE | leader not NODE | no leader | settled | lost N | acked | terms N
 *       | up NODE | down NODE | untouched NODE (its Postgres was not restarted since the mark)
 */
#ifndef PGHA_SIM_SCENARIO_H
#define PGHA_SIM_SCENARIO_H

#include "base/err.h"

struct world;
struct options;

/* Reads what has to be known before the world is made. */
int scenario_options(const char *path, struct options *options, struct err *err);
/* Plays the file; a failed expectation breaks the invariant "scenario". < 0: cannot be read. */
int scenario_play(struct world *world, const char *path, struct err *err);

#endif
