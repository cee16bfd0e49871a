/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent - fold one event, decide, act, publish
 *
 * The same agent runs in pghad and in the simulator: struct port and struct event are its whole
 * surface. Single-threaded; no call blocks.
 */
#ifndef PGHA_AGENT_AGENT_H
#define PGHA_AGENT_AGENT_H

#include "agent/event.h"
#include "agent/port.h"
#include "core/view.h"

struct agent;

/* Takes the parsed local file. dynamic_cache: last good dynamic configuration, or NULL.
 * durable: what was saved last, or NULL. seed: for jitter; tickets start after it.
 * NULL when the configuration has fatal problems (err says which first). */
struct agent *agent_new(const struct port *port, struct confdoc *local, const char *dynamic_cache,
			const struct durable *durable, uint64_t seed, struct err *err);
void agent_free(struct agent *agent);

/* The first event must be EVENT_START. */
void agent_step(struct agent *agent, const struct event *event);

/* For tests, replay and the REST thread's bootstrap. */
const struct view *agent_view(const struct agent *agent);
const struct config *agent_config(const struct agent *agent);

#endif
