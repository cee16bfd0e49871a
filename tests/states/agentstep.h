/* SPDX-License-Identifier: PostgreSQL */
/*
 * agentstep - one member of the small cluster decides, by the real decide(), and acts
 */
#ifndef PGHA_STATES_AGENTSTEP_H
#define PGHA_STATES_AGENTSTEP_H

#include "state.h"

/* Whether etcd and this member hear each other. */
bool agentstep_connected(const struct state *s, uint32_t i);
/* Copies what stands in etcd into what the member believes, with what the agent remembers about
 * signs of life. */
void agentstep_fold(struct state *s, uint32_t i);
/* An answer to its letter has come. */
void agentstep_answer(const struct rules_of_play *play, struct state *s, uint32_t i);
/* Decides and acts. Returns the number of the rule that matched. */
uint16_t agentstep_run(const struct rules_of_play *play, struct state *s, uint32_t i);

#endif
