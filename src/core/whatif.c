/* SPDX-License-Identifier: PostgreSQL */
/*
 * whatif - the same decisions on a changed view
 */
#include "core/whatif.h"

#include "base/str.h"
#include "core/turn.h"

/* The lease of etcd ends with a tick of etcd's own. */
#define EXPIRY_TICK_MS 500

/* A member, as supposed. */
struct fact {
	char name[NAME_SIZE];
	const struct member *member; /* its key; NULL: there is none */
	struct vote vote;            /* where it is; ours too */
	struct tags tags;
	bool own;
	bool leads; /* or did so last */
	bool gone;
	bool crashed;
	bool lags;
};

struct scene {
	const struct whatif_case *asked;
	const struct view *own;
	char leader[NAME_SIZE];
	uint64_t leader_lsn;
	int64_t ttl_ms;
	bool store_gone;
	bool paused;
	bool leader_gone;
	bool leader_crashed;
	bool released; /* the old leader has given the key back */
	uint32_t nfacts;
	struct fact facts[MEMBERS_MAX];
};

/* ---- the question ---- */

static int unknown_member(const struct view *v, const char *name, struct err *err)
{
	char names[256] = "";
	size_t used = 0;

	for (uint32_t i = 0; i < v->cluster.nmembers; i++) {
		const char *each = v->cluster.members[i].name;
		size_t len = strlen(each);

		if (used + len + 3 > sizeof(names))
			break;
		(void)str_printf(names + used, sizeof(names) - used, "%s%s", used > 0 ? ", " : "",
				 each);
		used += len + (used > 0 ? 2 : 0);
	}
	return err_set(err, ERR_PARSE, "there is no member '%s': the members are %s", name, names);
}

int whatif_check(const struct whatif_case *c, struct err *err)
{
	const struct view *v = c->view;

	if (!v->cluster.leader_known)
		return err_set(err, ERR_STATE, "this member has not read etcd yet");
	for (uint32_t i = 0; i < c->nifs; i++) {
		const struct whatif *w = &c->ifs[i];

		if (w->name[0] == '\0')
			continue;
		if (rank_member(&v->cluster, w->name) == NULL)
			return unknown_member(v, w->name, err);
		if (w->kind == WHATIF_LAGGING && str_eq(w->name, v->cluster.leader))
			return err_set(err, ERR_PARSE,
				       "'%s' leads: the others lag behind it, it lags behind "
				       "nobody",
				       w->name);
	}
	return 0;
}

/* ---- the members, as supposed ---- */

static void own_vote(const struct view *v, struct vote *ret)
{
	bool primary = v->pg.role == ROLE_PRIMARY;

	*ret = (struct vote){ .answered = true, .heard = true, .in_recovery = !primary };
	str_clip(ret->name, sizeof(ret->name), v->name);
	ret->failed = v->pg.run != PG_UP;
	ret->streaming = v->pg.streaming;
	ret->nofailover = v->tags.nofailover;
	ret->failover_priority = v->tags.failover_priority;
	ret->watchdog_failed = v->guard_lost_since_ms != 0;
	ret->regressed = v->regressed;
	ret->timeline = v->pg.timeline;
	ret->lsn = primary ? v->pg.flush_lsn : MAX_OF(v->pg.receive_lsn, v->pg.replay_lsn);
}

static void find_vote(const struct whatif_case *c, const char *name, struct vote *ret)
{
	*ret = (struct vote){ .failed = true };
	for (uint32_t i = 0; i < c->nvotes; i++)
		if (str_eq(c->votes[i].name, name))
			*ret = c->votes[i];
	str_clip(ret->name, sizeof(ret->name), name);
}

static void add_fact(struct scene *s, const struct whatif_case *c, const char *name)
{
	struct fact *f;

	if (s->nfacts == MEMBERS_MAX)
		return;
	f = &s->facts[s->nfacts++];
	*f = (struct fact){ .own = str_eq(name, s->own->name),
			    .leads = str_eq(name, s->leader),
			    .member = rank_member(&s->own->cluster, name) };
	str_clip(f->name, sizeof(f->name), name);
	if (f->own)
		own_vote(s->own, &f->vote);
	else
		find_vote(c, name, &f->vote);
	f->tags = f->own ? s->own->tags : f->member->tags;
}

static struct fact *fact_of(struct scene *s, const char *name)
{
	for (uint32_t i = 0; i < s->nfacts; i++)
		if (str_eq(s->facts[i].name, name))
			return &s->facts[i];
	return NULL;
}

static void suppose(struct scene *s, const struct whatif *w)
{
	struct fact *f = fact_of(s, w->name);

	s->store_gone = s->store_gone || w->kind == WHATIF_STORE_GONE;
	s->paused = s->paused || w->kind == WHATIF_PAUSED;
	if (f == NULL)
		return;
	f->gone = f->gone || w->kind == WHATIF_GONE;
	f->crashed = f->crashed || w->kind == WHATIF_CRASHED;
	if (w->kind == WHATIF_LAGGING) {
		f->lags = true;
		f->vote.lsn = s->leader_lsn > w->bytes ? s->leader_lsn - w->bytes : 1;
	}
	if (w->kind == WHATIF_NOFAILOVER) {
		f->tags.nofailover = f->vote.nofailover = true;
		f->tags.failover_priority = f->vote.failover_priority = 0;
	}
	if (f->gone || f->crashed)
		f->vote.failed = true;
	if (f->leads) {
		s->leader_gone = s->leader_gone || f->gone;
		s->leader_crashed = s->leader_crashed || f->crashed;
	}
}

static void set_scene(const struct whatif_case *c, struct scene *s)
{
	const struct view *own = c->view;
	const struct cluster *cl = &own->cluster;

	*s = (struct scene){ .asked = c, .own = own };
	s->ttl_ms = own->lease.epoch != 0 ? own->lease.ttl_ms : own->sign_ttl_ms;
	s->ttl_ms = MAX_OF(s->ttl_ms, own->cfg.ttl_ms);
	str_clip(s->leader, sizeof(s->leader),
		 cl->leader[0] != '\0' ? cl->leader : own->last_leader);
	for (uint32_t i = 0; i < cl->nmembers; i++)
		add_fact(s, c, cl->members[i].name);
	if (fact_of(s, own->name) == NULL)
		add_fact(s, c, own->name);
	s->leader_lsn = cl->status_optime_lsn;
	/* The answers are of slightly different moments. */
	for (uint32_t i = 0; i < s->nfacts; i++)
		s->leader_lsn = MAX_OF(s->leader_lsn, s->facts[i].vote.lsn);
	for (uint32_t i = 0; i < c->nifs; i++)
		suppose(s, &c->ifs[i]);
}

/* ---- what a member sees ---- */

static void fill_pg(const struct scene *s, const struct fact *f, struct pg_state *pg)
{
	const struct vote *vote = &f->vote;

	*pg = (struct pg_state){ .run = vote->failed ? PG_DOWN : PG_UP, .dir = DIR_PRESENT,
				 .role = vote->in_recovery ? ROLE_REPLICA : ROLE_PRIMARY,
				 .can_rewind = true, .timeline = vote->timeline,
				 .control_timeline = vote->timeline,
				 .streaming = vote->streaming };
	str_clip(pg->sysid, sizeof(pg->sysid), s->own->cluster.sysid);
	/* A server that is down tells nothing: the leader's was a primary. */
	if (vote->failed)
		pg->role = f->leads ? ROLE_PRIMARY : ROLE_REPLICA;
	pg->standby_signal = pg->role == ROLE_REPLICA;
	if (pg->role == ROLE_PRIMARY)
		pg->flush_lsn = vote->lsn;
	else
		pg->receive_lsn = pg->replay_lsn = vote->lsn;
}

/* What is the same for all of them; the rest as a member in good health has it. */
static void others_view(const struct scene *s, const struct fact *f, struct view *ret)
{
	const struct view *own = s->own;

	*ret = (struct view){ .now_ms = own->now_ms, .wall_us = own->wall_us, .cfg = own->cfg,
			      .mode = own->cfg.pause ? MODE_PAUSED : MODE_AUTO,
			      .cluster = own->cluster, .dcs_seen_at_ms = own->dcs_seen_at_ms,
			      .cluster_read_at_ms = own->cluster_read_at_ms,
			      .regressed = f->vote.regressed,
			      .known_timeline = own->known_timeline,
			      .etcd_known = own->etcd_known, .etcd_fixed = own->etcd_fixed,
			      .last_epoch = own->last_epoch, .sign_ttl_ms = s->ttl_ms,
			      .sign_at_ms = own->sign_at_ms,
			      .leader_gone_at_ms = own->leader_gone_at_ms,
			      .has_served = true };
	str_clip(ret->name, sizeof(ret->name), f->name);
	str_clip(ret->last_leader, sizeof(ret->last_leader), own->last_leader);
	fill_pg(s, f, &ret->pg);
	ret->pg_seen_at_ms = own->now_ms;
	ret->guard_lost_since_ms = f->vote.watchdog_failed ? own->now_ms : 0;
	if (f->leads && own->cluster.leader[0] != '\0')
		lease_proven(&ret->lease, MAX_OF(own->cluster.leader_epoch, INT64_C(1)), 1,
			     own->now_ms, s->ttl_ms);
}

static void view_of(const struct scene *s, const struct fact *f, struct view *ret)
{
	if (f->own)
		*ret = *s->own;
	else
		others_view(s, f, ret);
	ret->tags = f->tags;
	if (s->paused) {
		ret->cfg.pause = true;
		ret->mode = MODE_PAUSED;
	}
	if (f->lags && ret->pg.role != ROLE_PRIMARY)
		ret->pg.receive_lsn = ret->pg.replay_lsn = f->vote.lsn;
	if (f->crashed) {
		ret->pg.run = PG_DOWN;
		ret->pg.streaming = false;
		ret->job = VJOB_IDLE;
		ret->pg.control = f->leads ? CONTROL_IN_PRODUCTION : CONTROL_UNKNOWN;
	}
}

/* The key has gone, the old leader's term is over, all that answer have stopped receiving. */
static void add_vote(const struct vote *told, struct view *v)
{
	struct vote *vote;

	if (v->nvotes == MEMBERS_MAX)
		return;
	vote = &v->votes[v->nvotes++];
	*vote = *told;
	vote->asked_at_ms = v->now_ms;
	vote->answered = !vote->failed;
	vote->ballot = v->election_open ? v->ballot : 0;
	vote->sealed = v->election_open && !vote->failed ? v->ballot : 0;
}

static void fill_votes(const struct scene *s, const struct fact *self, struct view *v)
{
	v->nvotes = 0;
	for (uint32_t i = 0; i < s->nfacts; i++) {
		const struct fact *f = &s->facts[i];

		if (f != self && (!f->leads || s->released || s->leader_crashed))
			add_vote(&f->vote, v);
	}
	/* Those that lost etcd cannot lead, and are asked all the same. */
	for (uint32_t i = 0; i < v->cluster.ngone; i++) {
		struct vote vote;

		find_vote(s->asked, v->cluster.gone[i].name, &vote);
		add_vote(&vote, v);
	}
}

static void drop_members(const struct scene *s, struct cluster *c)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->nmembers; i++) {
		const struct member *m = &c->members[i];
		bool leads = str_eq(m->name, s->leader) && !s->released;
		bool gone = leads;

		for (uint32_t k = 0; k < s->nfacts; k++)
			gone = gone || (s->facts[k].gone && str_eq(s->facts[k].name, m->name));
		if (!gone)
			c->members[n++] = *m;
	}
	c->nmembers = n;
}

static void open_election(const struct scene *s, const struct fact *f, struct view *v)
{
	struct cluster *c = &v->cluster;

	str_clip(v->last_leader, sizeof(v->last_leader), s->leader);
	v->last_epoch = MAX_OF(v->last_epoch, c->leader_epoch);
	v->now_ms += s->released ? 0 : s->ttl_ms;
	v->now_ms = MAX_OF(v->now_ms, turn_term_end_ms(v));
	v->now_ms = MAX_OF(v->now_ms, turn_promise_end_ms(v));
	c->leader[0] = '\0';
	c->leader_epoch = c->leader_lease_id = 0;
	if (s->released) {
		c->release = (struct release){ .present = true, .epoch = v->last_epoch };
		str_clip(c->release.from, sizeof(c->release.from), s->leader);
	}
	drop_members(s, c);
	lease_drop(&v->lease);
	v->job = VJOB_IDLE;
	v->dcs_seen_at_ms = v->leader_gone_at_ms = v->release_seen_at_ms = v->now_ms;
	v->election_since_ms = v->ballot_at_ms = v->now_ms;
	v->election_open = true;
	v->ballot = MAX_OF(c->revision, v->last_epoch) + 1;
	v->ballot = MAX_OF(v->ballot, c->beat_mod_revision + 1);
	v->promised = v->ballot;
	v->seal_wanted = v->sealed = true;
	v->pg.streaming = false;
	fill_votes(s, f, v);
}

/* Its Postgres has ended, and its agent lives and renews. */
static void crash(const struct scene *s, const struct fact *f, int64_t at_ms, struct view *v)
{
	int64_t began_ms = v->now_ms;

	v->now_ms += at_ms;
	v->dcs_seen_at_ms = v->now_ms;
	v->lease.asked_at_ms = v->now_ms;
	v->crash_look = v->crash_read = true;
	v->crash_down_at_ms = v->crash_since_ms = v->election_since_ms = began_ms;
	v->crash_commit_lsn = s->leader_lsn;
	v->pg.standby_signal = false;
	v->handover_asked = v->handover_begun = false;
	fill_votes(s, f, v);
}

/* ---- what it does ---- */

static bool ends_postgres(const struct whatif_step *step)
{
	return step->rule->pg_verb == PGV_STOP_FAST || step->rule->pg_verb == PGV_KILL;
}

static void add_step(const struct view *v, int64_t at_ms, struct whatif_member *m)
{
	const struct whatif_step *last = m->nsteps > 0 ? &m->steps[m->nsteps - 1] : NULL;
	struct whatif_step *step;
	struct plan plan;

	decide(v, &plan);
	if (m->nsteps == WHATIF_STEPS || (last != NULL && last->rule == plan.rule))
		return;
	step = &m->steps[m->nsteps++];
	*step = (struct whatif_step){ .at_ms = at_ms, .rule = plan.rule,
				      .situation = plan.situation, .verdict = plan.verdict };
	str_clip(step->note, sizeof(step->note), plan.note);
}

static enum whatif_who who_of(const struct fact *f)
{
	if (f->gone)
		return WHATIF_LOST;
	if (!f->own && f->member != NULL && !f->member->is_pgha)
		return WHATIF_PATRONI;
	return f->vote.heard ? WHATIF_OURS : WHATIF_SILENT;
}

static void first_steps(const struct scene *s, struct view *v, struct whatif_answer *ret)
{
	for (uint32_t i = 0; i < s->nfacts; i++) {
		const struct fact *f = &s->facts[i];
		struct whatif_member *m = &ret->members[ret->nmembers++];

		str_clip(m->name, sizeof(m->name), f->name);
		m->who = who_of(f);
		m->lsn = f->vote.lsn;
		m->timeline = f->vote.timeline;
		if (m->who != WHATIF_OURS || (f->leads && f->crashed))
			continue;
		view_of(s, f, v);
		add_step(v, 0, m);
	}
}

static void say_end(struct whatif_answer *ret, enum whatif_end end, const char *winner,
		    const char *why)
{
	ret->end = end;
	str_clip(ret->winner, sizeof(ret->winner), winner);
	str_clip(ret->why, sizeof(ret->why), why);
}

/* Who is asked for a promise, and gives it. */
static bool is_promised(const struct scene *s)
{
	const struct failsafe_key *key = &s->own->cluster.failsafe;
	enum failsafe_mode mode = s->own->cfg.failsafe;
	uint32_t n = 0;

	if (mode == FAILSAFE_OFF || !key->present)
		return false;
	for (uint32_t i = 0; i < key->n; i++)
		for (uint32_t k = 0; k < s->nfacts; k++)
			n += str_eq(key->names[i], s->facts[k].name) && !s->facts[k].gone &&
			     s->facts[k].vote.heard;
	return n >= rank_promises(mode, key->n);
}

static void leader_without_store(const struct scene *s, const struct fact *f, struct view *v,
				 struct whatif_member *m)
{
	static const int64_t pcts[] = { LEASE_FADE_PCT, LEASE_STOP_PCT, 2 * LEASE_STOP_PCT };
	bool promised = is_promised(s);

	for (size_t i = 0; i < ARRAY_LEN(pcts); i++) {
		view_of(s, f, v);
		v->now_ms = MAX_OF(v->now_ms, v->lease.asked_at_ms + s->ttl_ms * pcts[i] / 100);
		if (promised)
			v->lease.promised_at_ms = v->now_ms - 1;
		add_step(v, v->now_ms - s->own->now_ms, m);
		if (m->nsteps > 0 && ends_postgres(&m->steps[m->nsteps - 1]))
			return;
	}
}

static void without_store(const struct scene *s, struct view *v, struct whatif_answer *ret)
{
	bool stays = false;

	for (uint32_t i = 0; i < s->nfacts; i++) {
		const struct fact *f = &s->facts[i];
		struct whatif_member *m = &ret->members[i];

		if (m->who != WHATIF_OURS)
			continue;
		view_of(s, f, v);
		if (v->lease.epoch != 0 && !f->crashed) {
			leader_without_store(s, f, v, m);
			stays = m->nsteps > 0 && !ends_postgres(&m->steps[m->nsteps - 1]);
			continue;
		}
		v->now_ms = v->dcs_seen_at_ms + v->cfg.ttl_ms;
		add_step(v, v->now_ms - s->own->now_ms, m);
	}
	if (stays)
		say_end(ret, WHATIF_STAYS, s->leader, "it goes on without etcd for as long as that "
						      "is so");
	else
		say_end(ret, WHATIF_NOBODY, "", "without etcd nobody can be elected");
}

/* ---- the election ---- */

static void fill_loss(const struct scene *s, uint64_t lsn, struct whatif_answer *ret)
{
	ret->lost_from_lsn = lsn;
	ret->lost_to_lsn = s->leader_lsn != 0 ? MAX_OF(s->leader_lsn, lsn) : 0;
	ret->synchronous = s->own->cluster.sync.present && s->own->cluster.sync.nstandbys > 0;
}

static void fill_times(const struct scene *s, uint32_t nasked, struct whatif_answer *ret)
{
	const struct view *own = s->own;
	bool by_expiry = own->etcd_known && own->etcd_fixed;

	ret->election_ms = nasked > 0 ? RANK_SEAL_MS : 0;
	if (s->released)
		return;
	/* It may be lost just after a proof or just before the next. */
	ret->free_least_ms = s->ttl_ms - s->ttl_ms / LEASE_RENEWALS;
	ret->free_most_ms = s->ttl_ms + (by_expiry ? EXPIRY_TICK_MS : 0);
}

/* What the vote tells of a fence is not which one. */
static void say_fence(const struct view *v, const struct fact *f, struct verdict *verdict)
{
	const char *why = rank_unfit(v, &f->vote);

	if (!f->own && f->vote.watchdog_failed && verdict->rank == RANK_NEVER && why != NULL)
		str_clip(verdict->why, sizeof(verdict->why), why);
}

static void elect(const struct scene *s, struct view *v, struct whatif_answer *ret)
{
	const struct whatif_member *best = NULL;
	uint32_t nasked = 0;

	for (uint32_t i = 0; i < s->nfacts; i++) {
		const struct fact *f = &s->facts[i];
		struct whatif_member *m = &ret->members[i];
		struct plan plan;

		if (f->gone || (f->leads && !s->released))
			continue;
		nasked++;
		if (m->who != WHATIF_OURS)
			continue;
		view_of(s, f, v);
		open_election(s, f, v);
		decide(v, &plan);
		m->stands = true;
		m->verdict = plan.verdict;
		say_fence(v, f, &m->verdict);
		add_step(v, s->released ? 0 : s->ttl_ms, m);
		if (best == NULL && (m->verdict.rank == RANK_BEST || m->verdict.rank == RANK_FETCH))
			best = m;
	}
	if (best == NULL) {
		say_end(ret, WHATIF_NOBODY, "", "no member that answers can lead");
		return;
	}
	say_end(ret, WHATIF_ELECTED, best->name, best->verdict.why);
	fill_loss(s, best->lsn, ret);
	fill_times(s, nasked > 0 ? nasked - 1 : 0, ret);
}

/* true: settled. */
static bool crash_of_leader(struct scene *s, const struct fact *f, struct view *v,
			    struct whatif_answer *ret)
{
	static const int64_t at_ms[] = { 0, CRASH_SETTLED_MS, CRASH_LOOK_MS };
	struct whatif_member *m = &ret->members[f - s->facts];
	struct plan plan;

	for (size_t i = 0; i < ARRAY_LEN(at_ms); i++) {
		view_of(s, f, v);
		crash(s, f, at_ms[i], v);
		decide(v, &plan);
		add_step(v, at_ms[i], m);
		ret->free_most_ms = at_ms[i];
		if (plan.lease_verb == LV_RELEASE && plan.release_to[0] != '\0') {
			say_end(ret, WHATIF_HANDED, plan.release_to, plan.verdict.why);
			return true;
		}
		if (plan.lease_verb == LV_RELEASE) {
			s->released = true;
			return false;
		}
		if (plan.pg_verb == PGV_START_PRIMARY) {
			say_end(ret, WHATIF_STAYS, f->name, plan.verdict.why);
			return true;
		}
	}
	say_end(ret, WHATIF_STAYS, f->name, plan.rule->why);
	return true;
}

void whatif_run(const struct whatif_case *c, struct whatif_answer *ret)
{
	struct scene s;
	struct view v;
	const struct fact *leader;

	*ret = (struct whatif_answer){ 0 };
	set_scene(c, &s);
	str_clip(ret->leader, sizeof(ret->leader), s.leader);
	first_steps(&s, &v, ret);
	if (s.store_gone) {
		without_store(&s, &v, ret);
		return;
	}
	leader = fact_of(&s, s.leader);
	if (s.leader_crashed && !s.leader_gone && leader != NULL &&
	    crash_of_leader(&s, leader, &v, ret))
		return;
	ret->supposed_lost = !s.leader_gone && !s.leader_crashed &&
			     s.own->cluster.leader[0] != '\0';
	elect(&s, &v, ret);
}
