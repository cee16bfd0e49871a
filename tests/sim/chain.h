/* SPDX-License-Identifier: PostgreSQL */
/*
 * chain - one history: every primary goes on from what the ones before it wrote
 *
 * Replication is asynchronous. Of a primary that is lost before any other member has received a
 * byte of its timeline nothing is left that another could go on from, whatever anybody does. Such
 * a timeline is no link of the chain: whoever opens next goes on from the one before it, under a
 * number that was never used. What was acknowledged there is lost, and counted.
 *
 * A timeline is a link, and who opens without it breaks the chain, as soon as one of these holds:
 * - another member has received any of it, its history file included: by a walreceiver, pg_rewind
 *   or a base backup, and whatever has become of that copy since;
 * - a commit on it was acknowledged with the confirmation of a standby;
 * - etcd's history names it: candidates that lack it have to wait for it;
 * - its writer could have been asked: when the key was taken, its member key had been in etcd, its
 *   agent and its server had run, and the links between it and the taker had been whole, for
 *   CHAIN_ASK_US.
 */
#ifndef PGHA_SIM_CHAIN_H
#define PGHA_SIM_CHAIN_H

#include "base/base.h"

#define CHAIN_NODES 8
#define CHAIN_UIDS  4096
/* Answers are used for 3 s; an agent knows in 2 s more that its server has come up. */
#define CHAIN_ASK_US INT64_C(6000000)

struct world;

struct chain {
	bool received[CHAIN_UIDS]; /* by timeline uid */
	int64_t heard_us[CHAIN_NODES][CHAIN_NODES]; /* writer, other: since when; 0: not now */
	bool asked[CHAIN_NODES]; /* it could have been, when the key was taken */
	int64_t epoch;           /* of that key */
	uint64_t given_up;       /* timelines that were no links */
};

/* After every step; etcd's leader is known. */
void chain_step(struct world *world);
/* It has taken data from elsewhere. */
void chain_received(struct world *world, uint32_t node);
/* An acknowledged commit on its timeline is on a standby too. */
void chain_confirmed(struct world *world, uint32_t node);
/* It opens for writes. */
void chain_opens(struct world *world, uint32_t node);

#endif
