/* SPDX-License-Identifier: PostgreSQL */
/*
 * ready - the service manager hears that the guardian is there
 */
#ifndef PGHA_GUARD_READY_H
#define PGHA_GUARD_READY_H

/* Once, when no other guardian can come any more: an agent that starts after its unit then finds
 * it, and starts none of its own. Nothing happens where nobody wants to hear it. */
void ready_tell(void);

#endif
