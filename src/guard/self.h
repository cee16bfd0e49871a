/* SPDX-License-Identifier: PostgreSQL */
/*
 * self - what the guardian does to be run in time
 */
#ifndef PGHA_GUARD_SELF_H
#define PGHA_GUARD_SELF_H

#include "base/base.h"

/* Before any memory is allocated. */
void self_small(void);
/* Locks all memory, raises the priority, keeps the OOM killer away, as far as it is permitted:
 * returns GUARDPAGE_LOCKED and the like. Nothing of it is needed to work. */
uint32_t self_strengthen(void);

#endif
