/* SPDX-License-Identifier: PostgreSQL */
/*
 * regress - the durable record of this member, and an etcd that knows less than it
 *
 * An etcd that was wiped, or restored from a snapshot, answers as if what this member has seen had
 * never been. To act upon that could make an old standby the leader, or a new cluster over an old
 * one. So nothing is believed of it until an operator says that it counts.
 */
#include "agent/state.h"

#include <inttypes.h>

#include "base/log.h"

/* A revision alone is no reason to write the record more often. */
#define SAVE_EVERY_MS 60000
#define SAVE_RETRY_MS 5000

static void save(struct agent *a)
{
	a->saved = a->durable;
	a->saved_at_ms = a->view.now_ms;
	a->save_ticket = state_ticket(a, TICKET_SAVE, 0, "");
	a->port.save(a->port.ctx, a->save_ticket, &a->durable);
}

static void regressed(struct agent *a, const char *why)
{
	struct view *v = &a->view;

	str_clip(a->regress_why, sizeof(a->regress_why), why);
	log_critical("etcd was wiped or restored: %s. Nothing is promoted, made or copied until "
		     "an operator accepts it as it is: hactl dcs accept",
		     why);
	recorder_add(&a->recorder, v->now_ms, "store regressed: %s", why);
	v->regressed = true;
	a->durable.regressed = true;
	/* What an old snapshot says of this member must run out, and not be kept alive by us. */
	a->session = (struct session){ 0 };
	a->watching = false;
	a->odd_revision = 0;
	a->board_dirty = true;
	a->member_urgent = true;
	a->again = true;
}

/* Only what went through consensus tells surely how much etcd knows: reads may be stale, and
 * keepalives come from memory. */
static bool is_certain(const struct pending *p)
{
	switch (p->kind) {
	case TICKET_READ:
	case TICKET_KEEPALIVE:
		return false;
	default:
		return true;
	}
}

static void remember(struct agent *a, const struct etcd_rep *rep)
{
	struct durable *d = &a->durable;

	d->cluster_id = rep->cluster_id;
	d->revision = MAX_OF(d->revision, rep->revision);
}

static bool is_odd(struct agent *a, const struct pending *p, const struct event *ev)
{
	struct durable *d = &a->durable;
	const struct etcd_rep *rep = ev->rep;
	char why[REASON_SIZE];

	if (p->forgotten)
		return true;
	if (rep->cluster_id == 0)
		return a->view.regressed;
	if (!a->view.regressed && d->cluster_id != 0 && rep->cluster_id != d->cluster_id) {
		(void)str_printf(why, sizeof(why),
				 "it is cluster %" PRIx64 ", this member belongs to %" PRIx64,
				 rep->cluster_id, d->cluster_id);
		regressed(a, why);
	} else if (!a->view.regressed && is_certain(p) && rep->revision != 0 &&
		   rep->revision < p->revision) {
		(void)str_printf(why, sizeof(why),
				 "it is at revision %" PRId64 ", this member has seen %" PRId64,
				 rep->revision, p->revision);
		regressed(a, why);
	}
	if (!a->view.regressed) {
		remember(a, rep);
		if (is_certain(p) && rep->error_code == 0)
			seal_heard(a, p->ticket, rep->revision);
		return false;
	}
	/* The newest, not the highest: it may be wiped once more before anybody looks. */
	if (is_certain(p) && p->ticket > a->odd_ticket) {
		a->odd_cluster_id = rep->cluster_id;
		a->odd_revision = rep->revision;
		a->odd_ticket = p->ticket;
	}
	return true;
}

bool regress_check(struct agent *a, const struct pending *p, const struct event *ev)
{
	if (!is_odd(a, p, ev))
		return false;
	/* The session counts, so that others can find this member. */
	if (!p->forgotten && (p->kind == TICKET_GRANT || p->kind == TICKET_KEEPALIVE ||
			      p->kind == TICKET_MEMBER))
		return false;
	if (p->kind == TICKET_COMMAND)
		command_request_written(a, false);
	else if (p->kind == TICKET_CONFIG)
		command_config_written(a, (uint64_t)p->number, false, false);
	return true;
}

/* Without a primary running here such a key is only what some store says of earlier times. It runs
 * out, and the election that follows asks everybody. */
bool regress_is_old_claim(const struct agent *a, int64_t epoch)
{
	const struct view *v = &a->view;
	bool serves = v->pg.run != PG_DOWN && v->pg.role == ROLE_PRIMARY;

	if (v->lease.epoch != 0 || v->cluster.leader_lease_id == a->session.lease_id)
		return false;
	return !serves || epoch <= v->accepted_revision;
}

static const struct etcd_kv *find(const struct agent *a, const struct etcd_rep *rep,
				  const char *name)
{
	size_t skip = strlen(a->config->prefix);

	for (size_t i = 0; i < rep->kvs.n; i++)
		if (str_starts(rep->kvs.items[i].key, a->config->prefix) &&
		    str_eq(rep->kvs.items[i].key + skip, name))
			return &rep->kvs.items[i];
	return NULL;
}

/* A store that was restored only a little behind may have grown past what we saw. But epochs only
 * grow, and a key is never older than it was. */
bool regress_check_read(struct agent *a, const struct etcd_rep *rep)
{
	const struct cluster *c = &a->view.cluster;
	const struct etcd_kv *leader = find(a, rep, "leader");
	const struct etcd_kv *beat = find(a, rep, "pgha/beat");
	char why[REASON_SIZE];

	if (a->view.regressed || rep->revision < a->durable.revision)
		return a->view.regressed; /* an answer from the past is no news */
	if (leader != NULL && leader->create_revision < a->durable.epoch) {
		(void)str_printf(why, sizeof(why),
				 "its leader has epoch %" PRId64 ", this member saw %" PRId64,
				 leader->create_revision, a->durable.epoch);
		regressed(a, why);
	} else if (beat != NULL && c->beat_present && beat->mod_revision < c->beat_mod_revision) {
		(void)str_printf(why, sizeof(why),
				 "a beat of revision %" PRId64 " is gone", c->beat_mod_revision);
		regressed(a, why);
	}
	return a->view.regressed;
}

/* The marks grow with what is seen of a store that is believed. */
static void raise_marks(struct agent *a)
{
	struct durable *d = &a->durable;
	const struct cluster *c = &a->view.cluster;

	if (a->view.regressed)
		return;
	d->epoch = MAX_OF(d->epoch, a->view.last_epoch);
	d->revision = MAX_OF(d->revision, a->stream_revision);
	if (c->history_timeline != 0)
		d->timeline = c->history_timeline;
	else if (a->view.pg.run == PG_UP)
		d->timeline = MAX_OF(d->timeline, a->view.pg.timeline);
	if (c->init == INIT_SET)
		str_clip(d->sysid, sizeof(d->sysid), c->sysid);
	a->view.known_timeline = d->timeline;
}

static bool is_news(const struct agent *a)
{
	const struct durable *d = &a->durable;
	const struct durable *s = &a->saved;

	if (d->cluster_id != s->cluster_id || d->epoch != s->epoch || d->accepted != s->accepted ||
	    d->regressed != s->regressed || d->promised != s->promised ||
	    d->sealed != s->sealed || d->timeline != s->timeline ||
	    !str_eq(d->sysid, s->sysid))
		return true;
	return d->revision != s->revision && a->view.now_ms - a->saved_at_ms >= SAVE_EVERY_MS;
}

/* An operator accepted a store that does not know the cluster any more: our data are of it. */
static void enrol_again(struct agent *a)
{
	const struct view *v = &a->view;
	const struct durable *d = &a->durable;

	if (d->accepted == 0 || v->regressed || !v->cluster.leader_known ||
	    v->cluster.init != INIT_ABSENT || v->pg.dir != DIR_PRESENT || v->pg.boot_unfinished ||
	    !str_eq(d->sysid, v->pg.sysid))
		return;
	store_enrol(a);
}

void regress_cycle(struct agent *a)
{
	raise_marks(a);
	enrol_again(a);
	if (!state_waits_for(a, TICKET_SAVE) && is_news(a))
		save(a);
}

void regress_saved(struct agent *a, const struct event *ev)
{
	if (ev->result == 0) {
		a->save_failed_said = false;
		seal_saved(a, ev->ticket);
		return;
	}
	if (!a->save_failed_said)
		log_error("the durable record is not written: %s; retrying",
			  ev->err != NULL ? ev->err->msg : "no reason given");
	a->save_failed_said = true;
	/* Written again by the clock: whatever stands there is older. */
	a->saved.revision = -1;
	a->saved_at_ms = a->view.now_ms - SAVE_EVERY_MS + SAVE_RETRY_MS;
}

/* Everything that was learnt of the old store goes; the data and their record stay. */
static void forget_store(struct agent *a)
{
	struct view *v = &a->view;

	for (uint32_t i = 0; i < PENDING_MAX; i++)
		a->pending[i].forgotten = a->pending[i].ticket != 0;
	v->cluster = (struct cluster){ 0 };
	v->last_epoch = 0;
	v->leader_gone_at_ms = 0;
	v->release_seen_at_ms = 0;
	v->upstream_epoch = 0;
	/* Whoever led by the old one may do so for a term yet. */
	v->sign_at_ms = v->now_ms;
	v->sign_ttl_ms = v->cfg.ttl_ms;
	a->stream_revision = 0;
	a->leader_revision = 0;
	a->watching = false;
	a->read_at_ms = 0;
	a->read_retry_at_ms = 0;
	a->release_ticket = 0;
	a->number_used_revision = 0;
	a->refused_revision = 0;
	a->status_epoch = 0;
	a->status_key = (struct status_key){ 0 };
	a->cluster_dirty = true;
	a->board_dirty = true;
	a->again = true;
}

const char *regress_accept(struct agent *a)
{
	struct durable *d = &a->durable;

	if (!a->view.regressed)
		return "this member sees nothing in etcd that has to be accepted";
	if (a->odd_revision == 0)
		return "etcd has not answered yet, try again";
	log_notice("an operator accepts etcd cluster %" PRIx64 " as it is at revision %" PRId64
		   "; before, this member has seen %" PRIx64 " up to revision %" PRId64
		   " and epoch %" PRId64,
		   a->odd_cluster_id, a->odd_revision, d->cluster_id, d->revision, d->epoch);
	recorder_add(&a->recorder, a->view.now_ms, "store accepted at %lld",
		     (long long)a->odd_revision);
	d->cluster_id = a->odd_cluster_id;
	d->revision = a->odd_revision;
	d->accepted = a->odd_revision;
	d->epoch = 0;
	d->promised = 0;
	d->sealed = false;
	a->view.promised = 0;
	a->seal.until_ms = 0;
	a->seal.doubt = (struct seal_doubt){ 0 };
	d->regressed = false;
	a->view.regressed = false;
	a->view.accepted_revision = d->accepted;
	a->view.accepted_at_ms = a->view.now_ms;
	a->regress_why[0] = '\0';
	forget_store(a);
	return NULL;
}
