/* SPDX-License-Identifier: PostgreSQL */
/*
 * act - the plan's verbs as requests; the lease is proven again at the last moment
 */
#include "agent/state.h"

#include "base/log.h"
#include "core/timeline.h"
#include "core/turn.h"

#define VOTE_TIMEOUT_MS        1000
#define VOTE_OLD_LEADER_MS     300
#define VOTE_AGAIN_MS          1000
#define VOTE_CRASH_AGAIN_MS    20
#define VOTE_STARTS_AGAIN_MS   100
#define HANDOVER_CHECKPOINT_MS 60000
#define ANCESTRY_TIMEOUT_MS    5000

static void name_upstream(struct agent *a, int32_t index, struct upstream *ret)
{
	const struct view *v = &a->view;
	const struct member *m;

	*ret = (struct upstream){ 0 };
	if (index < 0 || v->tags.nostream)
		return;
	m = &v->cluster.members[index];
	str_clip(ret->name, sizeof(ret->name), m->name);
	str_clip(ret->host, sizeof(ret->host), m->host);
	ret->port = m->port;
	if (v->cfg.use_slots)
		record_slot_name(v->name, ret->slot);
}

static bool same_upstream(const struct upstream *x, const struct upstream *y)
{
	return str_eq(x->name, y->name) && str_eq(x->host, y->host) && x->port == y->port &&
	       str_eq(x->slot, y->slot);
}

/* The one place that lets Postgres become writable: the clock is asked here, not remembered. */
static bool may_open(struct agent *a)
{
	int64_t now = state_now(a);

	return fences_may_open(a) && !turn_promised(&a->view) && a->release_ticket == 0 &&
	       a->view.fence_due[0] == '\0' &&
	       str_eq(a->view.cluster.leader, a->view.name) &&
	       a->view.cluster.leader_epoch == a->view.lease.epoch &&
	       lease_state(&a->view.lease, now) == LEASE_HELD;
}

static int64_t walsender_pid(const struct agent *a, const char *name)
{
	for (uint32_t i = 0; name[0] != '\0' && i < a->nwalsenders; i++)
		if (str_eq(a->walsenders[i].application_name, name))
			return a->walsenders[i].pid;
	return 0;
}

static void stop(struct agent *a, enum stop_mode mode)
{
	struct pg_req req = { .op = PGOP_STOP, .stop = mode };

	req.immediate_at_ms = a->plan.immediate_at_ms;
	req.kill_at_ms = a->plan.kill_at_ms;
	if (a->plan.situation.ask == ASK_HANDOVER) {
		a->view.handover_begun = true;
		req.receiver_pid = walsender_pid(a, a->view.handover_to);
		trace_mark(a, TRACE_STOP);
	}
	job_run(a, &req);
}

static void start_primary(struct agent *a)
{
	struct pg_req req = { .op = PGOP_START_PRIMARY };

	if (!may_open(a))
		return;
	crash_say_start(a);
	job_run(a, &req);
}

static void promote(struct agent *a)
{
	struct pg_req req = { .op = PGOP_PROMOTE,
			      .timeout_ms = a->view.cfg.primary_start_timeout_ms };
	struct pg_req before = { .op = PGOP_PRE_PROMOTE, .timeout_ms = 60000 };

	if (a->view.now_ms < a->view.work_backoff_until_ms)
		return;
	if (a->config->pg.pre_promote != NULL && !a->pre_promote_done) {
		job_ask(a, TICKET_PRE_PROMOTE, &before);
		return;
	}
	if (!may_open(a) || a->job.ticket != 0)
		return;
	if (!number_at_hand(a)) {
		number_take(a);
		return;
	}
	number_use(a, &req);
	job_run(a, &req);
}

static void standby(struct agent *a, enum pg_op op)
{
	struct pg_req req = { .op = op };

	name_upstream(a, a->plan.upstream, &req.upstream);
	if (op == PGOP_FOLLOW && same_upstream(&req.upstream, &a->following))
		return;
	if (a->job.ticket != 0)
		return;
	if (req.upstream.name[0] != '\0')
		log_info("following '%s' at %s:%u", req.upstream.name, req.upstream.host,
			 req.upstream.port);
	a->following = req.upstream;
	job_run(a, &req);
}

static void follow_nobody(struct agent *a)
{
	struct pg_req req = { .op = PGOP_FOLLOW };

	if (a->seal.done_at_ms != 0 || a->job.ticket != 0 ||
	    a->view.now_ms < a->seal.files_retry_ms)
		return;
	a->following = req.upstream;
	job_run(a, &req);
}

/* Its position is final: what comes from there is confirmed to nobody. It has no slot for us. */
static void fetch(struct agent *a)
{
	const struct gone_member *gone = rank_gone(&a->view.cluster, a->plan.verdict.other);
	struct pg_req req = { .op = PGOP_FOLLOW };

	if (gone == NULL || a->job.ticket != 0)
		return;
	str_clip(req.upstream.name, sizeof(req.upstream.name), gone->name);
	str_clip(req.upstream.host, sizeof(req.upstream.host), gone->host);
	req.upstream.port = gone->port;
	if (same_upstream(&req.upstream, &a->following))
		return;
	log_notice("receiving from '%s' at %s:%u what is missing here: it has lost etcd and "
		   "cannot lead",
		   gone->name, gone->host, gone->port);
	a->following = req.upstream;
	job_run(a, &req);
}

static void copy_data(struct agent *a, enum pg_op op)
{
	struct pg_req req = { .op = op };

	if (a->job.ticket != 0 || a->plan.source < 0)
		return;
	name_upstream(a, a->plan.source, &req.upstream);
	log_notice("%s from '%s' at %s:%u: %s%s%s", op == PGOP_CLONE ? "copying" : "rewinding",
		   req.upstream.name, req.upstream.host, req.upstream.port, a->plan.rule->why,
		   a->plan.note[0] != '\0' ? "; " : "", a->plan.note);
	job_run(a, &req);
}

static void run_pg(struct agent *a)
{
	struct pg_req req = { 0 };

	switch (a->plan.pg_verb) {
	case PGV_LEAVE:
		return;
	case PGV_STOP_FAST:
		stop(a, STOP_FAST);
		return;
	case PGV_KILL:
		stop(a, STOP_KILL);
		return;
	case PGV_CHECKPOINT:
		trace_mark(a, TRACE_FOUND);
		req.op = PGOP_CHECKPOINT;
		req.timeout_ms = HANDOVER_CHECKPOINT_MS;
		job_ask(a, TICKET_CHECKPOINT, &req);
		return;
	case PGV_START_STANDBY:
		standby(a, PGOP_START_STANDBY);
		return;
	case PGV_START_PRIMARY:
		start_primary(a);
		return;
	case PGV_FENCE:
		fence_run(a);
		return;
	case PGV_PROMOTE:
		promote(a);
		return;
	case PGV_FOLLOW:
		standby(a, PGOP_FOLLOW);
		return;
	case PGV_FETCH:
		fetch(a);
		return;
	case PGV_SEAL:
		follow_nobody(a);
		return;
	case PGV_REWIND:
		copy_data(a, PGOP_REWIND);
		return;
	case PGV_CLONE:
		copy_data(a, PGOP_CLONE);
		return;
	case PGV_INITDB:
		req.op = PGOP_INITDB;
		job_run(a, &req);
		return;
	case PGV_DISCARD:
		req.op = PGOP_DISCARD;
		job_run(a, &req);
		return;
	case PGV_POST_BOOTSTRAP:
		req.op = PGOP_POST_BOOTSTRAP;
		job_run(a, &req);
		return;
	case PGV__MAX:
		return;
	}
}

static void run_lease(struct agent *a)
{
	switch (a->plan.lease_verb) {
	case LV_KEEP:
	case LV_LAPSE:
		return;
	case LV_ADOPT:
		if (a->view.now_ms >= a->next_proof_ms)
			term_prove(a);
		return;
	case LV_ACQUIRE:
		store_acquire(a);
		return;
	case LV_TAKEOVER:
		store_takeover(a);
		return;
	case LV_RELEASE:
		store_release(a, a->plan.release_to);
		return;
	case LV__MAX:
		return;
	}
}

static struct vote *vote_of(struct view *v, const char *name)
{
	for (uint32_t i = 0; i < v->nvotes; i++)
		if (str_eq(v->votes[i].name, name))
			return &v->votes[i];
	if (v->nvotes == MEMBERS_MAX)
		return NULL;
	v->votes[v->nvotes] = (struct vote){ 0 };
	str_clip(v->votes[v->nvotes].name, NAME_SIZE, name);
	return &v->votes[v->nvotes++];
}

static void send_question(struct agent *a, const struct member *m, struct vote *vote,
			  int64_t ballot)
{
	struct view *v = &a->view;
	struct peer_req req = { .timeout_ms = VOTE_TIMEOUT_MS };

	*vote = (struct vote){ 0 };
	str_clip(vote->name, sizeof(vote->name), m->name);
	vote->asked_at_ms = v->now_ms;
	vote->ballot = ballot;
	/* Whoever was leader is probably gone; an election does not wait long for it. */
	if (!state_leads(a) && str_eq(m->name, a->view.last_leader))
		req.timeout_ms = VOTE_OLD_LEADER_MS;
	str_clip(req.name, sizeof(req.name), m->name);
	str_clip(req.api_url, sizeof(req.api_url), m->api_url);
	/* A Patroni member cannot seal; it tells where it is, as it does to its own. */
	req.ballot = m->is_pgha ? ballot : 0;
	str_clip(req.scope, sizeof(req.scope), a->config->scope);
	str_clip(req.candidate, sizeof(req.candidate), v->name);
	a->port.peer(a->port.ctx, state_ticket(a, TICKET_PEER, ballot, m->name), &req);
	if (state_leads(a))
		a->probe_now = true; /* who streams from here at this moment? */
}

/* A round ends before the next one begins: an answer must not be thrown away while another is still
 * waited for, or peers that do not answer would never be known not to. */
static void ask_peer(struct agent *a, const struct member *m, bool pending)
{
	struct view *v = &a->view;
	struct vote *vote = vote_of(v, m->name);
	int64_t again_ms = v->crash_look ? VOTE_CRASH_AGAIN_MS : VOTE_AGAIN_MS;
	int64_t ballot = v->election_open ? v->ballot : 0;
	bool fresh;

	if (vote == NULL)
		return;
	if (ballot != 0 && vote->comes_up)
		again_ms = VOTE_STARTS_AGAIN_MS;
	fresh = vote->asked_at_ms != 0 && vote->asked_at_ms >= v->election_since_ms &&
		vote->ballot == ballot &&
		(pending || v->now_ms - vote->asked_at_ms < again_ms);
	if (!fresh)
		send_question(a, m, vote, ballot);
}

void act_ask_since(struct agent *a, const struct member *m, int64_t since_ms)
{
	struct vote *vote = vote_of(&a->view, m->name);

	if (vote != NULL && (vote->asked_at_ms == 0 || vote->asked_at_ms < since_ms))
		send_question(a, m, vote, 0);
}

static void ask_gone(struct agent *a, const struct gone_member *gone, bool pending)
{
	struct member m = { .is_pgha = gone->is_pgha };

	str_clip(m.name, sizeof(m.name), gone->name);
	str_clip(m.api_url, sizeof(m.api_url), gone->api_url);
	ask_peer(a, &m, pending);
}

void act_ask_votes(struct agent *a)
{
	bool pending = state_waits_for(a, TICKET_PEER);
	struct view *v = &a->view;

	if (v->election_open && !seal_candidate(a))
		return;
	for (uint32_t i = 0; i < v->cluster.nmembers; i++)
		if (!str_eq(v->cluster.members[i].name, v->name) &&
		    v->cluster.members[i].api_url[0] != '\0')
			ask_peer(a, &v->cluster.members[i], pending);
	for (uint32_t i = 0; i < v->cluster.ngone && v->election_open; i++)
		if (!str_eq(v->cluster.gone[i].name, v->last_leader))
			ask_gone(a, &v->cluster.gone[i], pending);
}

static void ask_ancestry(struct agent *a)
{
	struct pg_req req = { .op = PGOP_ANCESTRY, .timeout_ms = ANCESTRY_TIMEOUT_MS };
	int32_t leader = -1;

	/* The leader's past counts, also where another member is streamed from. */
	for (uint32_t i = 0; i < a->view.cluster.nmembers; i++)
		if (str_eq(a->view.cluster.members[i].name, a->view.cluster.leader))
			leader = (int32_t)i;
	/* While it is being promoted it still tells the past of a standby, on the old timeline. */
	if (leader < 0 || (a->view.cluster.members[leader].role != MROLE_PRIMARY &&
			   a->view.cluster.members[leader].role != MROLE_STANDBY_LEADER))
		return;
	name_upstream(a, leader, &req.upstream);
	if (req.upstream.host[0] == '\0' || a->view.now_ms < a->view.work_backoff_until_ms ||
	    state_waits_for(a, TICKET_ANCESTRY))
		return;
	/* A standby that began to receive has replayed all that is here. */
	if (a->view.pg.run == PG_UP && a->view.pg.receive_lsn != 0)
		req.wal_lsn = timeline_local_end(&a->view.pg);
	a->wal_asked_lsn = req.wal_lsn;
	job_ask(a, TICKET_ANCESTRY, &req);
}

static void run_more(struct agent *a)
{
	switch (a->plan.more) {
	case MV_NONE:
		return;
	case MV_RACE:
		store_race(a);
		return;
	case MV_UNRACE:
		store_unrace(a);
		return;
	case MV_ENROL:
		store_enrol(a);
		return;
	case MV_VOTES:
		act_ask_votes(a);
		return;
	case MV_PAUSE:
		poolers_pause(a);
		return;
	case MV_HEIR:
		crash_ask(a);
		return;
	case MV_ANCESTRY:
		ask_ancestry(a);
		return;
	case MV_QUIT:
		if (!a->quit_said && !state_waits_for(a, TICKET_RELEASE)) {
			a->quit_said = true;
			log_notice("Postgres has ended, the agent ends");
			a->port.quit(a->port.ctx, 0);
		}
		return;
	case MV__MAX:
		return;
	}
}

/* The successor that was found fit is remembered: it is named when the key is handed over. */
static void note_successor(struct agent *a)
{
	enum situation_ask ask = a->plan.situation.ask;

	if ((ask == ASK_PREPARE || ask == ASK_PAUSE || ask == ASK_HANDOVER) &&
	    a->plan.situation.rank == RANK_BEST && !a->view.handover_begun)
		str_clip(a->view.handover_to, sizeof(a->view.handover_to), a->plan.verdict.other);
}

void act_run(struct agent *a)
{
	note_successor(a);
	run_pg(a);
	run_lease(a);
	run_more(a);
}
