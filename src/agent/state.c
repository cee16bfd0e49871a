/* SPDX-License-Identifier: PostgreSQL */
/*
 * state - the few questions about it that every part of the agent asks, and the tickets
 */
#include "agent/state.h"

#include <assert.h>

/* An answer that never came: the port promises one, so this is a bug of it, not a wait. */
#define PENDING_LOST_MS 600000
#define REFUSED_MS      250

int64_t state_now(const struct agent *a)
{
	return a->port.now_ms(a->port.ctx);
}

int64_t state_urgent_ms(const struct agent *a)
{
	return a->session.ttl_ms > 0 ? a->session.ttl_ms / 2 : 1000;
}

const char *state_key(const struct agent *a, const char *name, char dst[ETCD_KEY_SIZE])
{
	if (str_printf(dst, ETCD_KEY_SIZE, "%s%s", a->config->prefix, name) < 0)
		dst[0] = '\0'; /* the configuration bounds prefix and names far below this */
	return dst;
}

void state_api_url(const struct agent *a, char dst[URL_SIZE])
{
	const struct config_restapi *rest = &a->config->restapi;
	bool v6 = strchr(rest->connect_host, ':') != NULL;

	(void)str_printf(dst, URL_SIZE, "%s://%s%s%s:%u/patroni",
			 rest->certfile != NULL ? "https" : "http", v6 ? "[" : "",
			 rest->connect_host, v6 ? "]" : "", rest->connect_port);
}

bool state_leads(const struct agent *a)
{
	return a->view.lease.epoch != 0;
}

uint64_t state_ticket(struct agent *a, enum ticket_kind kind, int64_t number, const char *name)
{
	struct pending *free_slot = NULL;

	for (uint32_t i = 0; i < PENDING_MAX && free_slot == NULL; i++)
		if (a->pending[i].ticket == 0)
			free_slot = &a->pending[i];
	assert(free_slot != NULL); /* every kind is bounded, see TICKETS */
	*free_slot = (struct pending){ .ticket = ++a->next_ticket,
				       .kind = kind,
				       .since_ms = a->view.now_ms,
				       .number = number,
				       .lease_id = a->session.lease_id,
				       .revision = MAX_OF(a->stream_revision,
							  a->durable.revision) };
	str_clip(free_slot->name, sizeof(free_slot->name), name);
	a->pending_kinds |= UINT64_C(1) << kind;
	return free_slot->ticket;
}

/* The newest one of that kind. */
struct pending *state_pending(struct agent *a, enum ticket_kind kind)
{
	struct pending *found = NULL;

	static_assert(TICKET__MAX <= 64, "one bit each");
	if (!(a->pending_kinds & (UINT64_C(1) << kind)))
		return NULL;
	for (uint32_t i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &a->pending[i];

		if (p->ticket != 0 && p->kind == kind &&
		    (found == NULL || p->ticket > found->ticket))
			found = p;
	}
	return found;
}

bool state_waits_for(struct agent *a, enum ticket_kind kind)
{
	struct pending *p = state_pending(a, kind);

	if (a->view.now_ms < a->refused_until_ms[kind])
		return true;
	return p != NULL && a->view.now_ms - p->since_ms < PENDING_LOST_MS;
}

void state_refused(struct agent *a, enum ticket_kind kind)
{
	a->refused_until_ms[kind] = a->refused_wake_ms = a->view.now_ms + REFUSED_MS;
}

static void note_kinds(struct agent *a)
{
	a->pending_kinds = 0;
	for (uint32_t i = 0; i < PENDING_MAX; i++)
		if (a->pending[i].ticket != 0)
			a->pending_kinds |= UINT64_C(1) << a->pending[i].kind;
}

/* Takes the entry out: an answer counts once. */
bool state_take(struct agent *a, uint64_t ticket, struct pending *ret)
{
	for (uint32_t i = 0; i < PENDING_MAX; i++) {
		if (ticket == 0 || a->pending[i].ticket != ticket)
			continue;
		*ret = a->pending[i];
		a->pending[i] = (struct pending){ 0 };
		note_kinds(a);
		return true;
	}
	return false;
}
