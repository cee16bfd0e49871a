/* SPDX-License-Identifier: PostgreSQL */
/*
 * agentstep - one member of the small cluster decides, by the real decide(), and acts
 *
 * What agent/model.c, agent/act.c and agent/store.c do around a decision, reduced to what bears
 * on the lease. Data never diverges here and all members have the same WAL: ages, letters and
 * the order of events are what is searched.
 */
#include "agentstep.h"

#include <string.h>

#include "base/str.h"
#include "core/decide.h"
#include "core/turn.h"

#define NOW_MS INT64_C(1000000000)
#define LSN    UINT64_C(0x5000000)

static const char *const names[NODES_MAX] = { "a", "b", "c" };

bool agentstep_connected(const struct state *s, uint32_t i)
{
	return !s->nodes[i].cut && !s->etcd_down;
}

/* ---- folding ---- */

static void lives(struct node *n)
{
	n->sign = 0;
}

static void fold_leader(struct node *n, const struct keys *etcd)
{
	if (etcd->leader == 0) {
		if (n->seen.leader != 0 || !n->known)
			if (n->sign == AGE_NEVER || n->seen.beat_rev == 0 ||
			    n->seen.beat_epoch != n->seen.epoch)
				lives(n);
		return;
	}
	if (etcd->epoch != n->seen.epoch || n->sign == AGE_NEVER)
		lives(n);
	n->last_epoch = MAX_OF(n->last_epoch, etcd->epoch);
}

void agentstep_fold(struct state *s, uint32_t i)
{
	struct node *n = &s->nodes[i];
	bool beat = s->etcd.beat_rev != 0 && s->etcd.beat_rev != n->seen.beat_rev;

	fold_leader(n, &s->etcd);
	if (beat && s->etcd.beat_epoch >= n->last_epoch)
		lives(n);
	if (s->etcd.release_rev != n->seen.release_rev)
		n->release_age = 0;
	n->seen = s->etcd;
	n->known = 1;
	n->heard = 0;
}

static void proven(const struct rules_of_play *play, struct node *n, uint8_t epoch, uint8_t age)
{
	if (play->count_from_reply)
		age = 0;
	n->asked = n->epoch == epoch ? MIN_OF(n->asked, age) : age;
	n->epoch = epoch;
	n->last_epoch = MAX_OF(n->last_epoch, epoch);
	n->page_epoch = epoch;
	n->page_age = n->asked;
}

static void session_lost(struct node *n)
{
	n->epoch = 0;
	n->asked = 0;
	n->page_epoch = 0;
	n->page_age = 0;
	n->begun = n->checkpointed = n->successor = 0;
}

void agentstep_answer(const struct rules_of_play *play, struct state *s, uint32_t i)
{
	struct node *n = &s->nodes[i];
	struct letter l = n->letter;

	memset(&n->letter, 0, sizeof(n->letter));
	n->heard = 0;
	if (l.phase != PHASE_YES) {
		if (l.kind == MSG_RELEASE && n->seen.epoch != l.epoch)
			session_lost(n);
		return;
	}
	if (l.kind == MSG_PROOF) {
		bool mine = n->seen.leader == i + 1 && n->seen.epoch == l.epoch;

		if (n->epoch == l.epoch || (n->epoch == 0 && mine))
			proven(play, n, l.epoch, l.age);
	} else if (l.kind == MSG_ACQUIRE) {
		proven(play, n, l.epoch, l.age);
	} else if (l.kind == MSG_RELEASE) {
		session_lost(n);
	}
}

/* ---- the view ---- */

static int64_t at(const struct rules_of_play *play, uint8_t age)
{
	return age == AGE_NEVER ? 0 : NOW_MS - age * (TERM_MS / play->term);
}

static void show_members(const struct rules_of_play *play, const struct state *s, uint32_t me,
			 struct view *v)
{
	for (uint32_t i = 0; i < play->nodes; i++) {
		const struct node *n = &s->nodes[i];
		struct member *m = &v->cluster.members[i];
		struct vote *vote = &v->votes[v->nvotes];
		bool heard = n->life == AGENT_RUNS && !n->host_frozen && !n->cut &&
			     !s->nodes[me].cut;

		str_clip(m->name, sizeof(m->name), names[i]);
		str_clip(m->host, sizeof(m->host), "h");
		str_clip(m->api_url, sizeof(m->api_url), "http://h/");
		m->port = 5432;
		m->is_pgha = true;
		m->state = STATE_RUNNING;
		m->role = n->primary ? MROLE_PRIMARY : MROLE_REPLICA;
		m->tags.failover_priority = 1;
		m->timeline = 1;
		if (i == me)
			continue;
		v->nvotes++;
		str_clip(vote->name, sizeof(vote->name), names[i]);
		vote->asked_at_ms = NOW_MS;
		vote->answered = heard && n->server != SERVER_DOWN;
		vote->failed = !vote->answered;
		vote->in_recovery = !n->primary;
		vote->streaming = n->server == SERVER_UP;
		vote->failover_priority = 1;
		vote->timeline = 1;
		vote->lsn = LSN;
	}
	v->cluster.nmembers = play->nodes;
}

static void show_etcd(const struct rules_of_play *play, const struct node *n, struct view *v)
{
	struct cluster *c = &v->cluster;
	const struct keys *k = &n->seen;

	c->init = n->known ? INIT_SET : INIT_UNKNOWN;
	str_clip(c->sysid, sizeof(c->sysid), "7");
	c->leader_known = n->known;
	if (k->leader != 0)
		str_clip(c->leader, sizeof(c->leader), names[k->leader - 1]);
	c->leader_epoch = k->leader != 0 ? k->epoch : 0;
	c->beat_present = k->beat_rev != 0;
	c->beat_epoch = k->beat_epoch;
	c->release.present = k->release_rev != 0;
	c->release.epoch = k->release_epoch;
	c->release.lsn = LSN;
	if (k->release_from != 0)
		str_clip(c->release.from, NAME_SIZE, names[k->release_from - 1]);
	if (k->release_to != 0)
		str_clip(c->release.to, NAME_SIZE, names[k->release_to - 1]);
	c->request.present = k->wanted != 0;
	if (k->wanted != 0)
		str_clip(c->request.candidate, NAME_SIZE, names[k->wanted - 1]);
	c->history_timeline = 1;
	v->etcd_known = true;
	v->etcd_fixed = play->fixed || play->early_takeover;
	v->dcs_seen_at_ms = at(play, n->heard);
	v->last_epoch = n->last_epoch;
	v->sign_at_ms = at(play, n->sign);
	v->sign_ttl_ms = TERM_MS;
	v->release_seen_at_ms = at(play, n->release_age);
}

static void show_postgres(const struct node *n, struct view *v)
{
	static const enum pg_run runs[] = { PG_DOWN, PG_UP, PG_STOPPING, PG_UP };
	struct pg_state *pg = &v->pg;

	pg->run = runs[n->server];
	pg->role = n->primary || n->server == SERVER_OPENING ? ROLE_PRIMARY : ROLE_REPLICA;
	pg->dir = DIR_PRESENT;
	pg->standby_signal = !n->primary;
	pg->control = n->server != SERVER_DOWN ? CONTROL_IN_PRODUCTION
		      : n->unclean             ? CONTROL_IN_PRODUCTION
		      : n->primary             ? CONTROL_SHUT_DOWN
					       : CONTROL_SHUT_DOWN_IN_RECOVERY;
	str_clip(pg->sysid, sizeof(pg->sysid), "7");
	pg->timeline = pg->control_timeline = 1;
	pg->control_end_lsn = n->server == SERVER_DOWN && !n->unclean ? LSN : 0;
	pg->flush_lsn = pg->receive_lsn = pg->replay_lsn = LSN;
	pg->streaming = !n->primary;
	v->upstream.timeline = 1;
	v->upstream_epoch = v->cluster.leader_epoch;
	v->job = n->server == SERVER_OPENING    ? VJOB_BUSY
		 : n->server == SERVER_STOPPING ? VJOB_STOPPING
						: VJOB_IDLE;
}

static void show(const struct rules_of_play *play, const struct state *s, uint32_t i,
		 struct view *v)
{
	const struct node *n = &s->nodes[i];
	bool open;

	v->now_ms = NOW_MS;
	str_clip(v->name, sizeof(v->name), names[i]);
	v->tags.failover_priority = 1;
	v->mode = n->leaving ? MODE_SHUTDOWN : MODE_AUTO;
	v->cfg.ttl_ms = TERM_MS;
	v->cfg.loop_wait_ms = 1000;
	v->cfg.retry_timeout_ms = 3000;
	v->cfg.maximum_lag_bytes = 1 << 20;
	v->cfg.primary_start_timeout_ms = 300000;
	v->cfg.use_slots = true;
	show_members(play, s, i, v);
	show_etcd(play, n, v);
	show_postgres(n, v);
	if (n->epoch != 0)
		v->lease = (struct lease){ n->epoch, 1, at(play, n->asked), TERM_MS, 0 };
	v->promote_pending = n->epoch != 0 && !n->primary;
	v->handover_asked = n->epoch != 0 &&
			    (n->leaving || (n->seen.wanted != 0 && n->seen.wanted != i + 1));
	v->handover_begun = n->begun;
	v->handover_checkpointed = n->checkpointed;
	if (n->successor != 0)
		str_clip(v->handover_to, NAME_SIZE, names[n->successor - 1]);
	open = n->known && (n->seen.leader == 0 || turn_beat_is_stale(v));
	if (open || v->handover_asked)
		v->election_since_ms = NOW_MS - TERM_MS / play->term;
}

/* ---- acting ---- */

static void post(struct node *n, enum message kind, uint8_t epoch)
{
	n->letter = (struct letter){ .kind = (uint8_t)kind,
				     .epoch = epoch,
				     .leader_rev = n->seen.leader_rev,
				     .beat_rev = n->seen.beat_rev };
}

static uint8_t number_of(const struct rules_of_play *play, const char *name)
{
	for (uint8_t i = 0; i < play->nodes; i++)
		if (str_eq(names[i], name))
			return (uint8_t)(i + 1);
	return 0;
}

static bool may_open(const struct node *n, uint32_t i, const struct view *v)
{
	return n->seen.leader == i + 1 && n->seen.epoch == n->epoch &&
	       lease_state(&v->lease, v->now_ms) == LEASE_HELD;
}

static void act_pg(const struct plan *plan, struct node *n, uint32_t i, const struct view *v)
{
	switch (plan->pg_verb) {
	case PGV_KILL:
		n->unclean = n->primary;
		n->server = SERVER_DOWN;
		return;
	case PGV_STOP_FAST:
		if (plan->situation.ask == ASK_HANDOVER)
			n->begun = 1;
		if (n->server != SERVER_DOWN)
			n->server = SERVER_STOPPING;
		return;
	case PGV_CHECKPOINT:
		n->checkpointed = 1;
		return;
	case PGV_START_STANDBY:
		n->server = SERVER_UP;
		n->primary = 0;
		n->unclean = 0;
		return;
	case PGV_START_PRIMARY:
	case PGV_PROMOTE:
		if (may_open(n, i, v))
			n->server = SERVER_OPENING;
		return;
	case PGV_LEAVE:
	case PGV_FENCE:
	case PGV_FOLLOW:
	case PGV_FETCH:
	case PGV_SEAL:
	case PGV_REWIND:
	case PGV_CLONE:
	case PGV_INITDB:
	case PGV_DISCARD:
	case PGV_POST_BOOTSTRAP:
	case PGV__MAX:
		return;
	}
}

static void act_release(const struct rules_of_play *play, const struct plan *plan, struct node *n)
{
	bool named = plan->release_to[0] != '\0';
	bool down = n->server == SERVER_DOWN;

	if (n->epoch == 0 || (!down && n->primary))
		return;
	if (named && (!down || n->unclean))
		return;
	post(n, MSG_RELEASE, n->epoch);
	n->letter.to = number_of(play, plan->release_to);
	n->letter.clean = down && !n->unclean;
}

static void act_lease(const struct rules_of_play *play, const struct plan *plan, struct node *n,
		      uint32_t i)
{
	bool ours = n->seen.leader == i + 1 || !n->known;

	if (n->letter.kind != MSG_NONE)
		return;
	switch (plan->lease_verb) {
	case LV_KEEP:
		if (n->epoch != 0 && ours && n->asked >= play->term / LEASE_RENEWALS)
			post(n, MSG_PROOF, n->epoch);
		return;
	case LV_ADOPT:
		post(n, MSG_PROOF, n->epoch != 0 ? n->epoch : n->seen.epoch);
		return;
	case LV_ACQUIRE:
		post(n, MSG_ACQUIRE, 0);
		return;
	case LV_TAKEOVER:
		post(n, MSG_TAKEOVER, n->seen.epoch);
		return;
	case LV_RELEASE:
		act_release(play, plan, n);
		return;
	case LV_LAPSE:
	case LV__MAX:
		return;
	}
}

/* As agent/model.c give_handover_up(): after an end that was not clean the leader goes on. */
static void refresh(struct node *n)
{
	if (n->epoch == 0)
		n->begun = n->checkpointed = n->successor = 0;
	if (n->begun && n->server == SERVER_DOWN && n->unclean) {
		n->successor = 0;
		n->begun = n->leaving;
	}
}

/* A view is large for the sake of members that this cluster does not have: only what is ever set
 * is cleared. */
static void clear(struct view *v)
{
	char *members = (char *)v->cluster.members, *votes = (char *)v->votes;
	char *after = members + sizeof(v->cluster.members);

	memset(v, 0, (size_t)(members - (char *)v));
	memset(members, 0, NODES_MAX * sizeof(v->cluster.members[0]));
	memset(after, 0, (size_t)(votes - after));
	memset(votes, 0, NODES_MAX * sizeof(v->votes[0]));
}

uint16_t agentstep_run(const struct rules_of_play *play, struct state *s, uint32_t i)
{
	static struct view view;
	struct node *n = &s->nodes[i];
	struct plan plan;

	if (agentstep_connected(s, i))
		n->heard = 0;
	refresh(n);
	clear(&view);
	show(play, s, i, &view);
	decide(&view, &plan);
	if ((plan.situation.ask == ASK_PREPARE || plan.situation.ask == ASK_HANDOVER) &&
	    plan.situation.rank == RANK_BEST && !n->begun)
		n->successor = number_of(play, plan.verdict.other);
	act_pg(&plan, n, i, &view);
	act_lease(play, &plan, n, i);
	if (plan.more == MV_QUIT && n->letter.kind == MSG_NONE)
		n->life = AGENT_DEAD;
	n->ran = 1;
	return plan.rule->id;
}
