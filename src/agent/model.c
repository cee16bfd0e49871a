/* SPDX-License-Identifier: PostgreSQL */
/*
 * model - the last known world: newest fact wins, stamped with the local time it was seen
 */
#include "agent/state.h"

#include <stdlib.h>

#include "base/log.h"
#include "core/timeline.h"

/* Position in the array of members, sorted by name; true when it is there. */
static bool find_member(const struct cluster *c, const char *name, uint32_t *ret_at)
{
	uint32_t i = 0;

	while (i < c->nmembers && strcmp(c->members[i].name, name) < 0)
		i++;
	*ret_at = i;
	return i < c->nmembers && str_eq(c->members[i].name, name);
}

/* A value that cannot be read is said once and the last good one stays. */
static void say_garbage(struct agent *a, const char *key, const struct err *err)
{
	if (str_eq(a->said_garbage, key))
		return;
	str_clip(a->said_garbage, sizeof(a->said_garbage), key);
	log_warning("etcd key '%s' cannot be read, the last good value stays in force: %s", key,
		    err->msg);
}

/* GET /cluster shows parts of other members' keys that decide nothing here. */
static void keep_text(struct agent *a, const char *name, const struct etcd_kv *kv)
{
	uint32_t i = 0;

	while (i < a->nmember_texts && !str_eq(a->member_texts[i].name, name))
		i++;
	if (i < a->nmember_texts) {
		free((char *)(uintptr_t)a->member_texts[i].name);
		free((char *)(uintptr_t)a->member_texts[i].text);
		a->member_texts[i] = a->member_texts[--a->nmember_texts];
	}
	if (kv->deleted || a->nmember_texts == MEMBERS_MAX)
		return;
	a->member_texts[a->nmember_texts].name = str_dup(name);
	a->member_texts[a->nmember_texts++].text = str_ndup(kv->value, kv->len);
}

void model_forget_texts(struct agent *a)
{
	while (a->nmember_texts > 0) {
		a->nmember_texts--;
		free((char *)(uintptr_t)a->member_texts[a->nmember_texts].name);
		free((char *)(uintptr_t)a->member_texts[a->nmember_texts].text);
	}
}

static void fold_member(struct agent *a, const char *name, const struct etcd_kv *kv)
{
	struct cluster *c = &a->view.cluster;
	struct member m;
	struct err err = { 0 };
	uint32_t at;
	bool known = find_member(c, name, &at);

	if (kv->deleted) {
		keep_text(a, name, kv);
		if (!known)
			return;
		memmove(&c->members[at], &c->members[at + 1],
			(c->nmembers - at - 1) * sizeof(c->members[0]));
		c->nmembers--;
		return;
	}
	if (record_member_parse(name, kv->value, kv->len, &m, &err) < 0) {
		say_garbage(a, kv->key, &err);
		return;
	}
	if (!known) {
		if (c->nmembers == MEMBERS_MAX) {
			(void)err_set(&err, ERR_RANGE, "more than %d members", MEMBERS_MAX);
			say_garbage(a, kv->key, &err);
			return;
		}
		memmove(&c->members[at + 1], &c->members[at],
			(c->nmembers - at) * sizeof(c->members[0]));
		c->nmembers++;
	}
	keep_text(a, name, kv);
	m.lease_id = kv->lease_id;
	m.mod_revision = kv->mod_revision;
	c->members[at] = m;
}

/* A sign of life of the leader: its holder's term runs no longer than from now. */
static void leader_lives(struct agent *a)
{
	a->view.sign_at_ms = a->view.now_ms;
	a->view.sign_ttl_ms = a->view.cfg.ttl_ms;
}

static void leader_vanished(struct agent *a)
{
	struct cluster *c = &a->view.cluster;

	/* Without beats the key itself was the only sign, and it was there until now. */
	if (a->view.sign_at_ms == 0 || !c->beat_present || c->beat_epoch != c->leader_epoch)
		leader_lives(a);
	c->leader[0] = '\0';
	c->leader_epoch = 0;
	c->leader_mod_revision = 0;
	c->leader_lease_id = 0;
	a->view.leader_gone_at_ms = a->view.now_ms;
}

void model_fold_leader(struct agent *a, const struct etcd_kv *kv, int64_t revision)
{
	struct cluster *c = &a->view.cluster;
	bool gone = kv == NULL || kv->deleted;

	if (revision < a->leader_revision)
		return;
	a->leader_revision = revision;
	if (gone) {
		if (c->leader[0] != '\0' || !c->leader_known)
			leader_vanished(a);
		c->leader_known = true;
		return;
	}
	c->leader_known = true;
	if (str_copy(c->leader, sizeof(c->leader), kv->value) < 0 || c->leader[0] == '\0')
		str_clip(c->leader, sizeof(c->leader), "(unreadable)");
	if (kv->create_revision != c->leader_epoch || a->view.sign_at_ms == 0)
		leader_lives(a);
	c->leader_epoch = kv->create_revision;
	c->leader_mod_revision = kv->mod_revision;
	c->leader_lease_id = kv->lease_id;
	a->view.leader_gone_at_ms = 0;
	a->view.last_epoch = MAX_OF(a->view.last_epoch, kv->create_revision);
	str_clip(a->last_leader, sizeof(a->last_leader), c->leader);
}

/* A complete read is the truth; a stream may lag behind what our own answers told. */
static void fold_beat(struct agent *a, const struct etcd_kv *kv, bool complete)
{
	struct cluster *c = &a->view.cluster;
	struct err err = { 0 };
	struct beat beat;

	if (kv->deleted) {
		c->beat_present = false;
		return;
	}
	if (c->beat_present && kv->mod_revision == c->beat_mod_revision)
		return;
	if (!complete && kv->mod_revision < c->beat_mod_revision)
		return;
	if (record_beat_parse(kv->value, kv->len, &beat, &err) < 0) {
		say_garbage(a, kv->key, &err);
		return;
	}
	if (beat.epoch == BEAT_EPOCH_OWN)
		beat.epoch = kv->mod_revision;
	c->beat_present = true;
	c->beat_epoch = beat.epoch;
	c->beat_mod_revision = kv->mod_revision;
	if (beat.epoch < a->view.last_epoch)
		return;
	leader_lives(a);
	a->view.sign_ttl_ms = beat.ttl_ms;
}

static void fold_release(struct agent *a, const struct etcd_kv *kv)
{
	struct cluster *c = &a->view.cluster;
	struct release r;
	struct err err = { 0 };

	if (kv->deleted) {
		c->release = (struct release){ 0 };
		return;
	}
	if (record_release_parse(kv->value, kv->len, &r, &err) < 0) {
		say_garbage(a, kv->key, &err);
		return;
	}
	r.mod_revision = kv->mod_revision;
	/* What a store says that an operator had to accept is of another history. */
	r.present = kv->mod_revision > a->view.accepted_revision;
	if (c->release.mod_revision != r.mod_revision) {
		a->view.release_seen_at_ms = a->view.now_ms;
		a->probe_now = true; /* is all of the old leader's WAL here? */
	}
	c->release = r;
}

static void fold_request(struct agent *a, const struct etcd_kv *kv)
{
	struct cluster *c = &a->view.cluster;
	struct request r = { 0 };
	struct err err = { 0 };

	if (!kv->deleted && kv->mod_revision > a->view.accepted_revision &&
	    record_request_parse(kv->value, kv->len, &r, &err) < 0) {
		say_garbage(a, kv->key, &err);
		return;
	}
	r.mod_revision = kv->deleted ? 0 : kv->mod_revision;
	if (c->request.mod_revision != r.mod_revision)
		a->view.handover_checkpointed = false;
	c->request = r;
}

static void fold_init(struct agent *a, const struct etcd_kv *kv)
{
	struct cluster *c = &a->view.cluster;

	if (kv->deleted) {
		c->init = INIT_ABSENT;
		c->sysid[0] = '\0';
		a->view.init_mine = false;
		return;
	}
	if (kv->mod_revision != c->init_mod_revision && c->init == INIT_PENDING)
		a->view.init_mine = a->view.init_mine && kv->len == 0;
	c->init_mod_revision = kv->mod_revision;
	c->init = record_init_parse(kv->value, kv->len, c->sysid);
}

static bool is_too_long(struct agent *a, const struct etcd_kv *kv, const char *key)
{
	size_t limit = record_size_limit(key);
	struct err err = { 0 };

	if (kv->deleted || kv->len <= limit)
		return false;
	(void)err_set(&err, ERR_RANGE, "more than %zu kB", limit / 1024);
	say_garbage(a, kv->key, &err);
	return true;
}

static void fold_text(char **text, const struct etcd_kv *kv)
{
	free(*text);
	*text = kv->deleted ? NULL : str_ndup(kv->value, kv->len);
}

static bool is_document(const struct etcd_kv *kv)
{
	_cleanup_(freep) char *text = str_ndup(kv->value, kv->len);
	_cleanup_(freep) char *same = NULL;
	bool changed;

	same = restmsg_config_merge(text, "{}", &changed);
	return same != NULL;
}

/* What is no JSON object counts as absent, and the last good one stays in force: the leader then
 * writes it again. */
static void fold_config(struct agent *a, const struct etcd_kv *kv)
{
	struct cluster *c = &a->view.cluster;
	struct err err = { 0 };

	c->config_mod_revision = kv->deleted ? 0 : kv->mod_revision;
	if (!kv->deleted && c->config_present && str_eq(a->config_text, kv->value))
		return;
	c->config_present = !kv->deleted && kv->len > 0 && !is_too_long(a, kv, "config") &&
			    is_document(kv);
	if (c->config_present) {
		fold_text(&a->config_text, kv);
		agent_configure(a, a->config_text);
	} else if (!kv->deleted && kv->len > 0) {
		(void)err_set(&err, ERR_PARSE, "not a JSON object");
		say_garbage(a, kv->key, &err);
	}
}

static void fold_history(struct agent *a, const struct etcd_kv *kv)
{
	struct err err = { 0 };

	if (!kv->deleted && str_eq(a->history_text, kv->value))
		return;
	fold_text(&a->history_text, kv);
	a->view.cluster.history_timeline = 0;
	if (a->history_text == NULL)
		return;
	if (record_history_timeline(kv->value, kv->len, &a->view.cluster.history_timeline,
				    &err) < 0)
		say_garbage(a, kv->key, &err);
}

/* The newest state counts, whichever way it came. A value that cannot be read still has a revision,
 * which whoever takes the key has to name. */
static void fold_begun(struct agent *a, const struct etcd_kv *kv, bool complete)
{
	struct cluster *c = &a->view.cluster;
	struct err err = { 0 };

	if (!complete && kv->mod_revision < c->begun_mod_revision)
		return;
	c->begun_timeline = 0;
	c->begun_by[0] = '\0';
	c->begun_mod_revision = kv->deleted ? 0 : kv->mod_revision;
	if (!kv->deleted &&
	    record_begun_parse(kv->value, kv->len, &c->begun_timeline, c->begun_by, &err) < 0)
		say_garbage(a, kv->key, &err);
}

static void fold_status(struct agent *a, const struct etcd_kv *kv)
{
	struct status_key status;
	struct err err = { 0 };

	if (kv->deleted)
		return;
	if (record_status_parse(kv->value, kv->len, &status, &err) < 0) {
		say_garbage(a, kv->key, &err);
		return;
	}
	a->status_key = status;
	a->view.cluster.status_optime_lsn = status.optime_lsn;
}

static void fold_sync(struct agent *a, const struct etcd_kv *kv)
{
	struct sync_key sync = { 0 };
	struct err err = { 0 };

	if (!kv->deleted && record_sync_parse(kv->value, kv->len, &sync, &err) < 0) {
		say_garbage(a, kv->key, &err);
		return;
	}
	a->view.cluster.sync = sync;
}

/* One key below the prefix. Keys of others below it are none of ours. */
static void fold_kv(struct agent *a, const struct etcd_kv *kv, int64_t revision)
{
	size_t skip = strlen(a->config->prefix);
	const char *key;

	if (!str_starts(kv->key, a->config->prefix))
		return;
	key = kv->key + skip;
	/* These two are believed to be there whatever they hold. */
	if (str_eq(key, "leader"))
		model_fold_leader(a, kv, MAX_OF(kv->mod_revision, revision));
	else if (str_eq(key, "config"))
		fold_config(a, kv);
	else if (is_too_long(a, kv, key))
		return;
	else if (str_starts(key, "members/") && strchr(key + 8, '/') == NULL)
		fold_member(a, key + 8, kv);
	else if (str_eq(key, "pgha/beat"))
		fold_beat(a, kv, revision != 0);
	else if (str_eq(key, "pgha/release"))
		fold_release(a, kv);
	else if (str_eq(key, "pgha/timeline"))
		fold_begun(a, kv, revision != 0);
	else if (str_eq(key, "failover"))
		fold_request(a, kv);
	else if (str_eq(key, "initialize"))
		fold_init(a, kv);
	else if (str_eq(key, "status"))
		fold_status(a, kv);
	else if (str_eq(key, "history"))
		fold_history(a, kv);
	else if (str_eq(key, "sync"))
		fold_sync(a, kv);
}

/* A complete read replaces everything: what it does not hold is gone. */
void model_fold_kvs(struct agent *a, const struct etcd_rep *rep)
{
	static const char *const singles[] = { "pgha/beat", "pgha/release", "pgha/timeline",
					       "failover",	"initialize",	"config",
					       "history",	"sync" };
	struct cluster *c = &a->view.cluster;
	const struct etcd_kv *leader = NULL;
	char key[ETCD_KEY_SIZE];

	if (rep->revision < a->stream_revision)
		return; /* an answer from the past */
	a->stream_revision = rep->revision;
	c->revision = rep->revision;
	c->nmembers = 0;
	model_forget_texts(a);
	for (size_t s = 0; s < ARRAY_LEN(singles); s++) {
		struct etcd_kv gone = { .key = key, .deleted = true };
		bool found = false;

		(void)str_printf(key, sizeof(key), "%s%s", a->config->prefix, singles[s]);
		for (size_t i = 0; i < rep->kvs.n && !found; i++)
			found = str_eq(rep->kvs.items[i].key, key);
		if (!found)
			fold_kv(a, &gone, rep->revision);
	}
	/* The beat comes after the leader, which says what epoch counts. */
	(void)str_printf(key, sizeof(key), "%sleader", a->config->prefix);
	for (size_t i = 0; i < rep->kvs.n; i++)
		if (str_eq(rep->kvs.items[i].key, key))
			leader = &rep->kvs.items[i];
	model_fold_leader(a, leader, rep->revision);
	for (size_t i = 0; i < rep->kvs.n; i++)
		if (&rep->kvs.items[i] != leader)
			fold_kv(a, &rep->kvs.items[i], rep->revision);
	if (a->view.cluster_read_at_ms == 0)
		a->view.cluster_read_at_ms = a->view.now_ms;
	a->read_at_ms = a->view.now_ms;
	a->cluster_dirty = true;
}

void model_fold_watch(struct agent *a, const struct etcd_watch_msg *msg)
{
	for (size_t i = 0; i < msg->events.n; i++) {
		const struct etcd_kv *kv = &msg->events.items[i];

		/* Streams may repeat themselves (etcd before 3.4.25 and others). */
		if (kv->mod_revision <= a->stream_revision)
			continue;
		fold_kv(a, kv, 0);
		a->cluster_dirty = true;
	}
	a->stream_revision = MAX_OF(a->stream_revision, msg->revision);
	a->view.cluster.revision = a->stream_revision;
}

static bool is_serving(const struct view *v)
{
	return v->pg.run == PG_UP && v->pg.role == ROLE_PRIMARY;
}

/* What a peer tells of itself is up to a second old, and a walreceiver may not know yet that its
 * connection is dead. Of who streams from here our own walsenders know better. */
static void refresh_vote(const struct agent *a, struct vote *vote)
{
	/* A list from before the question says nothing of one that came since. */
	if (vote->heard && !vote->failed)
		vote->answered = !agent_leads(a) || a->walsenders_at_ms >= vote->asked_at_ms;
	if (!agent_leads(a) || !vote->answered)
		return;
	vote->streaming = false;
	for (uint32_t i = 0; i < a->nwalsenders; i++) {
		const struct walsender *w = &a->walsenders[i];

		if (!str_eq(w->application_name, vote->name))
			continue;
		vote->streaming = vote->streaming || str_eq(w->state, "streaming");
		vote->lsn = MAX_OF(vote->lsn, w->flush_lsn);
	}
}

void model_fold_vote(struct agent *a, const struct pending *p, const struct event *ev)
{
	struct view *v = &a->view;

	for (uint32_t i = 0; i < v->nvotes; i++) {
		struct vote *vote = &v->votes[i];

		if (!str_eq(vote->name, p->name) || vote->asked_at_ms != p->since_ms)
			continue;
		if (ev->result < 0 || ev->vote == NULL) {
			vote->failed = true;
		} else {
			*vote = *ev->vote;
			str_clip(vote->name, sizeof(vote->name), p->name);
			vote->asked_at_ms = p->since_ms;
			vote->heard = true;
			refresh_vote(a, vote);
		}
	}
}

/* Data that went another way than the leader's: its receiver comes to the end of the old timeline
 * and begins again, and each probe may catch it streaming. Only the leader's timeline counts. */
static bool is_streaming(const struct view *v)
{
	for (uint32_t i = 0; i < v->cluster.nmembers; i++)
		if (str_eq(v->cluster.members[i].name, v->cluster.leader) &&
		    v->cluster.members[i].timeline > v->pg.timeline)
			return false;
	return v->pg.streaming;
}

/* What a primary that does not serve has as a clock, and a standby that does not stream. */
static void fold_clocks(struct agent *a)
{
	struct view *v = &a->view;
	bool planned = v->restart != RESTART_NONE || v->handover_begun;

	if (!agent_leads(a) || is_serving(v) || planned || v->pg.boot_unfinished)
		v->crash_since_ms = 0;
	else if (v->crash_since_ms == 0)
		v->crash_since_ms = v->now_ms;

	if (v->position_lsn != timeline_local_end(&v->pg)) {
		v->position_lsn = timeline_local_end(&v->pg);
		v->position_since_ms = v->now_ms;
	}
	if (v->pg.run != PG_UP || v->pg.role != ROLE_REPLICA || is_streaming(v))
		v->not_streaming_since_ms = 0;
	else if (v->not_streaming_since_ms == 0)
		v->not_streaming_since_ms = v->now_ms;
}

/* Where its WAL ended is known while it answers; the control file of a server that is down need
 * not tell. Whatever replaces the data makes it forgotten. */
static void carry_position(struct pg_state *pg, const struct pg_state *old)
{
	if (pg->run == PG_UP || !str_eq(pg->sysid, old->sysid))
		return;
	pg->timeline = old->timeline;
	pg->flush_lsn = old->flush_lsn;
	pg->receive_lsn = old->receive_lsn;
	pg->replay_lsn = old->replay_lsn;
}

void model_forget_position(struct agent *a)
{
	struct pg_state *pg = &a->view.pg;

	pg->timeline = 0;
	pg->flush_lsn = 0;
	pg->receive_lsn = 0;
	pg->replay_lsn = 0;
	a->view.wal_gone_lsn = 0;
	a->view.wal_asked_at_ms = 0;
}

static void say_changes(const struct agent *a)
{
	if (a->nchanges == 0)
		log_notice("no setting of Postgres waits for a restart any more");
	for (uint32_t i = 0; i < a->nchanges; i++)
		log_notice("a restart of Postgres is pending: %s: %s -> %s", a->changes[i].name,
			   a->changes[i].old_value, a->changes[i].new_value);
}

static void fold_changes(struct agent *a, const struct event *ev)
{
	uint32_t n = MIN_OF(ev->nchanges, (uint32_t)SETTING_CHANGES_MAX);
	bool same = n == a->nchanges;

	for (uint32_t i = 0; i < n; i++) {
		const struct setting_change *now = &ev->changes[i];
		struct setting_change *old = &a->changes[i];

		same = same && str_eq(now->name, old->name) &&
		       str_eq(now->old_value, old->old_value) &&
		       str_eq(now->new_value, old->new_value);
		*old = *now;
	}
	a->nchanges = n;
	if (same)
		return;
	say_changes(a);
	a->member_urgent = true;
	a->board_dirty = true;
}

static void fold_probe(struct agent *a, const struct event *ev)
{
	a->sql_ok = ev->probe_sql_ok;
	if (ev->probe_brief)
		return;
	a->walsenders_at_ms = a->probe_at_ms;
	a->nwalsenders = MIN_OF(ev->nwalsenders, (uint32_t)MEMBERS_MAX);
	a->nslots = MIN_OF(ev->nslots, (uint32_t)SLOTS_MAX);
	for (uint32_t i = 0; i < a->nwalsenders; i++)
		a->walsenders[i] = ev->walsenders[i];
	for (uint32_t i = 0; i < a->view.nvotes; i++)
		refresh_vote(a, &a->view.votes[i]);
	for (uint32_t i = 0; i < a->nslots; i++)
		a->slots[i] = ev->slots[i];
	fold_changes(a, ev);
}

/* What others see of this member by its key and by REST: told at once, not with the next round. */
static bool shows_differently(const struct pg_state *old, const struct pg_state *now)
{
	return old->run != now->run || old->role != now->role || old->timeline != now->timeline ||
	       old->streaming != now->streaming;
}

void model_fold_pg(struct agent *a, const struct event *ev)
{
	struct view *v = &a->view;
	enum pg_run before = v->pg.run;
	enum pg_role role = v->pg.role;
	struct pg_state old;
	bool opening = a->job.ticket != 0 &&
		       (a->job.op == PGOP_PROMOTE || a->job.op == PGOP_START_PRIMARY);

	if (ev->pg == NULL)
		return;
	old = v->pg;
	v->pg = *ev->pg;
	carry_position(&v->pg, &old);
	v->pg_seen_at_ms = v->now_ms;
	/* A promotion under way may already have opened it for writes, and a start may do so at
	 * any moment: where the lease ends, both have to be stopped. */
	if (opening && v->pg.run == PG_DOWN && a->job.op == PGOP_START_PRIMARY)
		v->pg.run = PG_STARTING;
	if (opening && v->pg.run != PG_DOWN && role == ROLE_PRIMARY)
		v->pg.role = ROLE_PRIMARY;
	if (v->pg.run != before) {
		v->pg_changed_at_ms = v->now_ms;
		recorder_add(&a->recorder, v->now_ms, "pg run %d -> %d role %d", before,
			     v->pg.run, v->pg.role);
	}
	if (shows_differently(&old, &v->pg))
		a->member_urgent = a->board_dirty = true;
	if (v->pg.run == PG_DOWN)
		a->following = (struct upstream){ 0 };
	if (v->pg.run == PG_UP && a->job.ticket == 0 && !job_start_is_young(a) &&
	    (!agent_leads(a) || is_serving(v)))
		v->start_failures = 0;
	if (ev->type == EVENT_PG_PROBE)
		fold_probe(a, ev);
	if (v->pg.run != PG_UP)
		a->sql_ok = false;
}

/* Names in the key that may be taken, or hand-over: since when, so that old answers of peers do
 * not count. */
static void refresh_election(struct agent *a)
{
	struct view *v = &a->view;
	bool open = v->cluster.leader_known &&
		    (v->cluster.leader[0] == '\0' || situation_beat_is_stale(v));

	if (open || v->handover_asked) {
		if (v->election_since_ms == 0)
			v->election_since_ms = v->now_ms;
		return;
	}
	if (a->waiting.phase == WAITING_VOTES)
		return;
	v->election_since_ms = 0;
	v->nvotes = 0;
}

static bool request_is_due(const struct agent *a)
{
	const struct request *r = &a->view.cluster.request;

	return r->scheduled_at_us == 0 || r->scheduled_at_us <= a->view.wall_us;
}

/* Does the request in etcd ask this leader to hand over? */
static bool request_is_for_us(const struct agent *a)
{
	const struct request *r = &a->view.cluster.request;

	if (!r->present || !request_is_due(a))
		return false;
	if (r->leader[0] != '\0' && !str_eq(r->leader, a->view.name))
		return false;
	if (a->view.mode == MODE_PAUSED && (r->candidate[0] == '\0' || r->scheduled_at_us != 0))
		return false;
	return !str_eq(r->candidate, a->view.name);
}

/* Its shutdown checkpoint is on disk and every connected standby has received it. */
bool model_ended_clean(const struct view *v)
{
	return v->pg.run == PG_DOWN && v->pg.control == CONTROL_SHUT_DOWN &&
	       v->pg.control_end_lsn != 0;
}

/* The stop of a hand-over that had to be made hard, or a crash in it: what the successor lacks is
 * not known, so this member keeps the key and recovers. */
static void give_handover_up(struct agent *a)
{
	struct view *v = &a->view;

	v->handover_to[0] = '\0';
	if (v->mode == MODE_SHUTDOWN)
		return;
	v->handover_begun = false;
	log_warning("Postgres did not end in good order, this member goes on as the leader");
	if (v->cluster.request.present)
		store_clear_request(a, "Postgres did not end in good order");
}

static void refresh_handover(struct agent *a)
{
	struct view *v = &a->view;
	bool leads = agent_leads(a);
	bool settled = a->job.ticket == 0 && a->settle_ticket == 0;

	if (!leads) {
		v->handover_asked = false;
		v->handover_begun = false;
		v->handover_checkpointed = false;
		v->handover_to[0] = '\0';
		return;
	}
	if (v->handover_begun && v->pg.run == PG_DOWN && settled && !model_ended_clean(v))
		give_handover_up(a);
	v->handover_asked = v->mode == MODE_SHUTDOWN || request_is_for_us(a) ||
			    (v->mode == MODE_AUTO && situation_unguarded(v, GUARD_GRACE));
	if (!v->handover_asked && !v->handover_begun) {
		v->handover_checkpointed = false;
		v->handover_to[0] = '\0';
	}
}

/* Facts that follow from others and from the time, before each decision. */
void model_refresh(struct agent *a)
{
	struct view *v = &a->view;
	bool down = v->pg.run == PG_DOWN;
	bool alive;

	v->job = job_view(a);
	v->job_op = (uint8_t)a->job.op;
	v->mode = a->stopping ? MODE_SHUTDOWN : v->cfg.pause ? MODE_PAUSED : MODE_AUTO;
	/* The guardian drives the device, so without it there is none either. */
	alive = a->guard.presence == GUARD_ALIVE;
	v->dog_lost = v->dog_required && (!alive || (a->guard.dog != DOG_READY &&
						     a->guard.dog != DOG_ACTIVE));
	if (!v->dog_lost && (alive || !v->guard_required))
		v->guard_lost_since_ms = 0;
	else if (v->guard_lost_since_ms == 0)
		v->guard_lost_since_ms = v->now_ms;

	/* A lease that is over by the clock is forgotten once nothing can write under it. */
	if (v->lease.epoch != 0 && lease_state(&v->lease, v->now_ms) == LEASE_OVER &&
	    (down || v->pg.role == ROLE_REPLICA || v->mode == MODE_PAUSED)) {
		store_session_lost(a);
		a->board_dirty = true;
	}
	if (v->lease.epoch == 0)
		v->promote_pending = false;
	if (v->adopt_until_ms != 0 && (down || v->lease.epoch != 0))
		v->adopt_until_ms = 0;
	if (v->cluster.init != INIT_PENDING && v->cluster.init != INIT_UNKNOWN)
		v->init_mine = false;
	if (v->cluster.init == INIT_ABSENT || v->cluster.init == INIT_SET)
		v->boot_failed = false;
	refresh_handover(a);
	refresh_election(a);
	fold_clocks(a);
}
