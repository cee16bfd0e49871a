/* SPDX-License-Identifier: PostgreSQL */
/*
 * doctor - facts about this member, for who judges them
 *
 * Its settings and its server are told as they are; every other member's server is tried by
 * connecting to it, because after a failover this member has to follow whichever leads. hactl
 * judges. Nothing is changed.
 */
#include "agent/state.h"

#include <inttypes.h>
#include <stdlib.h>

#include "wire/confvalue.h"

#define AT_ONCE    4
#define EXAMINE_MS 10000

static void add_text(struct buf *b, const char *sep, const char *key, const char *text)
{
	buf_printf(b, "%s\"%s\": ", sep, key);
	record_quote(b, text);
}

static void add_bool(struct buf *b, const char *key, bool value)
{
	buf_printf(b, ", \"%s\": %s", key, value ? "true" : "false");
}

static void examine(struct agent *a, const struct member *m)
{
	struct pg_req req = { .op = PGOP_EXAMINE, .timeout_ms = EXAMINE_MS };

	if (m != NULL) {
		str_clip(req.upstream.name, sizeof(req.upstream.name), m->name);
		str_clip(req.upstream.host, sizeof(req.upstream.host), m->host);
		req.upstream.port = m->port;
	}
	a->doctor->waiting++;
	a->port.pg(a->port.ctx, state_ticket(a, TICKET_DOCTOR, 0, m != NULL ? m->name : ""), &req);
}

static void go_on(struct agent *a)
{
	const struct cluster *c = &a->view.cluster;
	struct doctor *d = a->doctor;

	if (!d->looked)
		examine(a, NULL);
	d->looked = true;
	for (; d->next < c->nmembers && d->waiting < AT_ONCE; d->next++) {
		const struct member *m = &c->members[d->next];

		if (!str_eq(m->name, a->view.name) && m->host[0] != '\0')
			examine(a, m);
	}
}

void doctor_command(struct agent *a, uint64_t id)
{
	if (a->doctor != NULL) {
		command_answer(a, id, 503, "another examination is under way");
		return;
	}
	a->doctor = mem_new(1, sizeof(*a->doctor));
	a->doctor->command_id = id;
	go_on(a);
}

/* ---- the answer ---- */

static void add_timing(const struct agent *a, struct buf *b)
{
	const struct config_ha *ha = &a->view.cfg;

	buf_printf(b,
		   ", \"ttl_ms\": %" PRId64 ", \"loop_wait_ms\": %" PRId64
		   ", \"retry_timeout_ms\": %" PRId64,
		   ha->ttl_ms, ha->loop_wait_ms, ha->retry_timeout_ms);
	buf_printf(b,
		   ", \"maximum_lag_bytes\": %" PRId64 ", \"proofs\": %" PRIu64
		   ", \"proofs_failed\": %" PRIu64,
		   ha->maximum_lag_bytes, a->telemetry.proofs, a->telemetry.proofs_failed);
	add_bool(b, "use_pg_rewind", ha->use_pg_rewind);
	add_bool(b, "use_slots", ha->use_slots);
	add_bool(b, "can_rewind", a->view.pg.can_rewind);
	add_bool(b, "etcd_known", a->view.etcd_known);
	add_bool(b, "etcd_fixed", a->view.etcd_fixed);
	add_bool(b, "beats", term_writes_beats(a));
}

static void add_rest(const struct config_restapi *rest, struct buf *b)
{
	static const char *const verifies[] = {
		[VERIFY_NONE] = "none",
		[VERIFY_OPTIONAL] = "optional",
		[VERIFY_REQUIRED] = "required",
	};

	add_text(b, ", \"restapi\": {", "listen", rest->listen_host);
	buf_printf(b, ", \"port\": %u", rest->listen_port);
	add_bool(b, "authentication", rest->username != NULL);
	add_bool(b, "allowlist", rest->allowlist.n > 0 || rest->allowlist_include_members);
	add_bool(b, "tls", rest->certfile != NULL);
	add_text(b, ", ", "verify_client", verifies[rest->verify_client]);
	add_bool(b, "peer_secret", rest->peer_secret_file != NULL);
	add_bool(b, "peer_required",
		 rest->peer_secret_file != NULL && rest->peer_auth == PEER_REQUIRED);
	buf_ch(b, '}');
}

/* Whoever gets to an etcd that asks for no login can write there. */
static bool etcd_is_open(const struct config_etcd *etcd)
{
	bool is_local = etcd->nendpoints > 0;

	for (uint32_t i = 0; i < etcd->nendpoints; i++)
		is_local = is_local && confvalue_is_loopback(etcd->endpoints[i].host);
	return !is_local && etcd->username == NULL && etcd->cert == NULL;
}

static void add_remote(const struct config *config, struct buf *b)
{
	add_bool(b, "etcd_open", etcd_is_open(&config->etcd));
	add_bool(b, "allow_remote_commands", config->allow_remote_commands);
	buf_str(b, ", \"withheld\": [");
	for (size_t i = 0; i < config->withheld.n; i++) {
		buf_str(b, i > 0 ? ", " : "");
		record_quote(b, config->withheld.items[i]);
	}
	buf_ch(b, ']');
}

static void add_fence(const struct agent *a, struct buf *b)
{
	static const char *const modes[] = { "auto", "required", "off" };
	static const char *const dogs[] = { "off", "automatic", "required" };

	add_text(b, ", \"wants\": {", "guard", modes[a->config->fence.guard]);
	add_text(b, ", ", "commit_guard", modes[a->config->fence.commit_guard]);
	add_text(b, ", ", "watchdog", dogs[a->config->watchdog.mode]);
	buf_str(b, "}, \"fence\": ");
	fences_json(a, b);
}

static void answer(struct agent *a)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	const struct doctor *d = a->doctor;
	const struct pg_state *pg = &a->view.pg;

	add_text(&b, "{", "name", a->view.name);
	add_text(&b, ", ", "scope", a->config->scope);
	add_text(&b, ", ", "version", PGHA_VERSION);
	buf_printf(&b, ", \"wall_us\": %" PRId64 ", \"server_version\": %d",
		   a->port.wall_us(a->port.ctx), pg->server_version);
	add_text(&b, ", ", "role", record_role_text(publish_role(a)));
	add_timing(a, &b);
	add_rest(&a->config->restapi, &b);
	add_remote(a->config, &b);
	add_fence(a, &b);
	buf_add(&b, d->facts.data, d->facts.len);
	buf_str(&b, ", \"links\": [");
	buf_add(&b, d->links.data, d->links.len);
	buf_str(&b, "]}");
	a->port.answer(a->port.ctx, d->command_id, 200, "application/json", b.data);
}

void doctor_answered(struct agent *a, const struct pending *p, const struct event *ev)
{
	struct doctor *d = a->doctor;
	struct checkup_link link = { 0 };

	if (d == NULL)
		return;
	d->waiting--;
	if (p->name[0] == '\0' && ev->result == 0 && ev->checkup != NULL)
		checkup_add(ev->checkup, &d->facts);
	if (p->name[0] != '\0') {
		if (ev->link != NULL)
			link = *ev->link;
		str_clip(link.to, sizeof(link.to), p->name);
		/* Before it came to connect: no address, no time. */
		if (ev->result < 0 && ev->err != NULL) {
			str_line(link.replication_error, REASON_SIZE, ev->err->msg);
			str_line(link.rewind_error, REASON_SIZE, ev->err->msg);
		}
		buf_str(&d->links, d->links.len > 0 ? ", " : "");
		checkup_add_link(&link, &d->links);
	}
	go_on(a);
	if (d->waiting > 0)
		return;
	answer(a);
	doctor_free(a);
}

void doctor_free(struct agent *a)
{
	if (a->doctor == NULL)
		return;
	buf_done(&a->doctor->facts);
	buf_done(&a->doctor->links);
	free(TAKE(a->doctor));
}
