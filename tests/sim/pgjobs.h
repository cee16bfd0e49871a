/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgjobs - what port.pg asks of the model Postgres
 */
#ifndef PGHA_SIM_PGJOBS_H
#define PGHA_SIM_PGJOBS_H

#include "modelpg.h"

/* The one job ends and its ticket is answered. */
void pgjobs_job_ends(struct world *world, uint32_t node, int result, const char *text);
/* Sets the instants anew at which a stop becomes harder. */
void pgjobs_arm(struct world *world, uint32_t node);
void pgjobs_interrupt(struct world *world, uint32_t node);

/* pgcopy.c: initdb, clone, rewind. */
void pgcopy_begin(struct world *world, uint32_t node);
/* The child is killed: what it leaves behind depends on how far it was. */
void pgcopy_abandon(struct world *world, uint32_t node);

/* pgask.c: probe, ancestry, checkpoint, slots, pre-promote; any number at a time. */
void pgask_request(struct world *world, uint32_t node, uint64_t ticket, const struct pg_req *req);

/* What was signalled while it was frozen is carried out. */
void pgjobs_thawed(struct world *world, uint32_t node);

#endif
