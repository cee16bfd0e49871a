/* SPDX-License-Identifier: PostgreSQL */
/*
 * seal - elections by final positions
 *
 * Before a member counts as the best placed, it and every peer stop receiving WAL, write the
 * promise to disk, and only then tell where they are: those positions cannot change any more, and
 * no commit can be confirmed behind the new leader's back. The ballot is an etcd revision of a
 * moment in which nobody led, so every later leader's epoch is above it and every older one's
 * below. A promise that leads to no leader ends after a while.
 */
#include "agent/state.h"

#include <inttypes.h>

#include "base/log.h"
#include "core/turn.h"

/* The promise outlives the answers that a candidate may use by far, whatever the clocks do. */
#define SEAL_TERMS    2
#define SEAL_LEAST_MS 8000
/* Between the reload and the probe that finds no walreceiver: it ends within some ms of it. */
#define SEAL_REST_MS  20
/* Looked at without a pause for so long; then as often as in any election. */
#define SEAL_LOOK_MS  500
/* A server that was started, received nothing since and cannot say that it waits for more WAL, held
 * up by readers or paused, counts as at the end of its own when it stands still so long. */
#define SEAL_STILL_MS 10000
#define SEAL_ANSWER_MS  900
#define BALLOT_RETRY_MS 200
#define FILES_RETRY_MS  200
/* From the end of a silence of etcd to the first complete picture of who leads. */
#define SEAL_DEAF_MS    2000

static int64_t span_ms(const struct agent *a)
{
	return MAX_OF(SEAL_TERMS * a->view.cfg.ttl_ms, (int64_t)SEAL_LEAST_MS);
}

static int64_t known_revision(const struct agent *a)
{
	return MAX_OF(a->durable.revision, a->stream_revision);
}

/* Etcd has come to it: whoever named it had it from there, or it no longer matters. */
static void settle_doubt(struct agent *a)
{
	if (known_revision(a) >= a->seal.doubt.ballot)
		a->seal.doubt = (struct seal_doubt){ 0 };
}

/* Etcd gave a ballot out before anybody could name it, so everything that it commits later has a
 * higher revision. A member that hears nothing of etcd cannot look, and has to promise all the
 * same; but a number that was made up must not bind it until etcd comes to it, years later. */
static void doubt(struct agent *a, int64_t ballot)
{
	struct seal_doubt *d = &a->seal.doubt;
	bool known = ballot <= known_revision(a);

	settle_doubt(a);
	if (ballot == d->ballot || (d->ballot == 0 && known))
		return;
	if (d->ballot == 0) {
		*d = (struct seal_doubt){ .ballot = ballot, .before = a->view.promised,
					  .ticket = a->next_ticket,
					  .begins = a->seal.until_ms == 0 };
		return;
	}
	d->begins = false;
	d->before = known ? MAX_OF(d->before, ballot) : INT64_MAX;
	if (ballot > d->ballot) {
		d->ballot = ballot;
		d->ticket = a->next_ticket;
	}
}

/* A promise from before the restart holds for its whole time again: nobody knows how old it is. */
void seal_start(struct agent *a)
{
	a->view.promised = a->durable.promised;
	a->seal.kept = true;
	if (a->view.promised > known_revision(a))
		a->seal.doubt = (struct seal_doubt){ .ballot = a->view.promised,
						     .before = INT64_MAX };
	if (a->durable.sealed)
		a->seal.until_ms = a->view.now_ms + span_ms(a);
}

/* Ballots order promises, not candidates: who is sealed under a higher one is so under a lower
 * one too, and which candidate wins is for the transaction on the key to say. */
static void promise(struct agent *a, int64_t ballot, const char *candidate)
{
	struct view *v = &a->view;

	doubt(a, ballot);
	if (a->seal.until_ms == 0 || ballot > v->promised)
		str_clip(a->seal.candidate, sizeof(a->seal.candidate), candidate);
	if (a->seal.until_ms == 0)
		log_notice("an election: this standby stops receiving WAL, ballot %" PRId64
			   " of '%s'",
			   ballot, candidate);
	if (ballot > v->promised || a->seal.until_ms == 0) {
		v->promised = MAX_OF(v->promised, ballot);
		a->durable.promised = v->promised;
		a->durable.sealed = true;
		a->seal.kept = false;
		recorder_add(&a->recorder, v->now_ms, "promised ballot %lld", (long long)ballot);
		a->member_urgent = a->board_dirty = true;
	}
	a->seal.until_ms = v->now_ms + span_ms(a);
	a->again = true;
}

static void unseal(struct agent *a, const char *why)
{
	log_notice("this standby may receive WAL again: %s", why);
	recorder_add(&a->recorder, a->view.now_ms, "unsealed: %s", why);
	a->seal.until_ms = 0;
	a->durable.sealed = false;
	a->member_urgent = a->board_dirty = true;
}

void seal_heard(struct agent *a, uint64_t ticket, int64_t revision)
{
	struct seal_doubt *d = &a->seal.doubt;
	struct view *v = &a->view;
	bool begins = d->begins;

	if (d->ballot == 0 || ticket <= d->ticket || revision >= d->ballot)
		return;
	log_warning("ballot %" PRId64 " of '%s' was made up: etcd is at revision %" PRId64
		    " and never gave it out; what was promised for it is void",
		    d->ballot, a->seal.candidate, revision);
	recorder_add(&a->recorder, v->now_ms, "ballot %lld was made up", (long long)d->ballot);
	v->promised = MIN_OF(d->before, revision);
	a->durable.promised = v->promised;
	a->seal.kept = false;
	*d = (struct seal_doubt){ 0 };
	if (begins && a->seal.until_ms != 0)
		unseal(a, "its ballot was made up");
	a->member_urgent = a->board_dirty = a->again = true;
}

static bool is_standby(const struct view *v)
{
	return v->pg.run == PG_UP && v->pg.role == ROLE_REPLICA;
}

/* It was there at an election that came to nothing, and renews its lease since. */
static bool leader_stayed(const struct view *v)
{
	const struct cluster *c = &v->cluster;

	return c->leader[0] != '\0' && c->beat_present && c->beat_epoch == c->leader_epoch &&
	       c->beat_mod_revision > v->promised;
}

/* What a server has replayed since its start is less than what it holds, until it has come to the
 * end of its own WAL. A receiver begins there. */
static bool is_at_end(const struct view *v)
{
	return v->pg.receive_lsn != 0 || v->pg.replay_waits ||
	       v->now_ms >= v->position_since_ms + SEAL_STILL_MS;
}

static void refresh_promise(struct agent *a)
{
	struct view *v = &a->view;
	const struct cluster *c = &v->cluster;

	if (a->seal.until_ms == 0)
		return;
	/* Whoever hears nothing of etcd cannot tell that no leader came of it. */
	if (v->now_ms - v->dcs_seen_at_ms >= v->cfg.ttl_ms)
		a->seal.until_ms = MAX_OF(a->seal.until_ms, v->now_ms + SEAL_DEAF_MS);
	if (state_leads(a))
		unseal(a, "it leads");
	else if (c->leader[0] != '\0' && c->leader_epoch > v->promised)
		unseal(a, "the election has a winner");
	else if (leader_stayed(v))
		unseal(a, "the leader of before is still there");
	else if (v->now_ms >= a->seal.until_ms)
		unseal(a, "no leader came of the election");
}

void seal_refresh(struct agent *a)
{
	struct view *v = &a->view;
	struct seal *s = &a->seal;
	bool settled = a->job.ticket == 0 && a->settle_ticket == 0;

	settle_doubt(a);
	refresh_promise(a);
	if (!is_standby(v) && v->pg.run != PG_STARTING)
		s->done_at_ms = 0;
	v->seal_wanted = s->until_ms != 0;
	v->sealed = v->seal_wanted && s->kept && s->done_at_ms != 0 && settled && is_standby(v) &&
		    !v->pg.receiving && v->pg_seen_at_ms >= s->done_at_ms + SEAL_REST_MS &&
		    is_at_end(v);
	v->election_open = !state_leads(a) && v->mode == MODE_AUTO && is_standby(v) &&
			   situation_may_take(v);
	if (!v->election_open)
		v->ballot = 0;
}

/* ---- the candidate ---- */

/* A put that succeeds only while nobody leads, or while the leader that is silent still is. */
static void take_ballot(struct agent *a)
{
	struct view *v = &a->view;
	struct etcd_req req;
	int64_t beat = v->cluster.beat_present ? v->cluster.beat_mod_revision : 0;

	if (state_waits_for(a, TICKET_BALLOT) || v->now_ms < a->seal.retry_ms)
		return;
	a->seal.retry_ms = v->now_ms + BALLOT_RETRY_MS;
	etcd_req_init_txn(&req, MAX_OF(v->cfg.ttl_ms / 2, INT64_C(1000)));
	req.urgent = true;
	txn_cmp_number(a, &req, "leader", ETCD_CMP_CREATE, v->cluster.leader_epoch);
	txn_cmp_number(a, &req, "pgha/beat", ETCD_CMP_MOD, beat);
	txn_then_put(a, &req, "pgha/ballot", v->name, 0);
	txn_send(a, TICKET_BALLOT, 0, &req);
}

void seal_ballot_answered(struct agent *a, const struct event *ev)
{
	if (ev->result < 0 || ev->rep->error_code != 0)
		return;
	a->again = true;
	if (!ev->rep->succeeded) {
		a->read_at_ms = 0;
		a->read_retry_at_ms = 0;
		return;
	}
	if (!a->view.election_open)
		return;
	a->view.ballot = ev->rep->revision;
	a->view.ballot_at_ms = a->view.now_ms;
}

bool seal_candidate(struct agent *a)
{
	struct view *v = &a->view;

	/* Peers do not promise the same ballot again when their promise has ended, and of those
	 * that could not be reached nobody knows whether it has. */
	if (v->ballot != 0 && ((v->ballot <= v->promised && a->seal.until_ms == 0) ||
			       v->now_ms - v->ballot_at_ms >= span_ms(a)))
		v->ballot = 0;
	if (v->ballot == 0) {
		take_ballot(a);
		return false;
	}
	promise(a, v->ballot, v->name);
	return true;
}

/* ---- the peer ---- */

static void answer(struct agent *a, uint64_t command_id, int code)
{
	struct buf body = { 0 };

	publish_document(a, &body);
	a->port.answer(a->port.ctx, command_id, code, "application/json", body.data);
	buf_done(&body);
}

/* A leader, a member in pause and one that knows a newer leader promise nothing, nor does anybody
 * under a ballot whose election has ended; what they tell of themselves helps the candidate all
 * the same. */
static bool refuses(const struct agent *a, const struct command *cmd)
{
	const struct view *v = &a->view;

	return v->mode != MODE_AUTO || v->regressed || state_leads(a) || !is_standby(v) ||
	       !str_eq(cmd->scope, a->config->scope) || v->cluster.leader_epoch > cmd->ballot ||
	       v->last_epoch > cmd->ballot || turn_promised(v) ||
	       (a->seal.until_ms == 0 && cmd->ballot <= v->promised);
}

void seal_command(struct agent *a, uint64_t command_id, const struct command *cmd)
{
	struct seal_asked *asked = NULL;

	for (uint32_t i = 0; i < SEAL_ASKED_MAX && asked == NULL; i++)
		if (a->seal.asked[i].command_id == 0)
			asked = &a->seal.asked[i];
	if (asked == NULL || refuses(a, cmd)) {
		answer(a, command_id, 409);
		return;
	}
	promise(a, cmd->ballot, cmd->candidate);
	asked->command_id = command_id;
	asked->until_ms = a->view.now_ms + SEAL_ANSWER_MS;
}

/* ---- what becomes of it ---- */

/* The files name an upstream now, or nobody. */
void seal_followed(struct agent *a, bool nobody, bool written)
{
	a->seal.done_at_ms = nobody && written ? a->view.now_ms : 0;
	if (nobody && !written)
		a->seal.files_retry_ms = a->view.now_ms + FILES_RETRY_MS;
}

bool seal_replays(const struct agent *a)
{
	return a->view.seal_wanted && is_standby(&a->view) && !is_at_end(&a->view);
}

char *seal_json(const struct agent *a)
{
	const struct view *v = &a->view;
	struct buf b = { 0 };

	if (!v->seal_wanted)
		return NULL;
	buf_printf(&b, "{\"ballot\": %" PRId64 ", \"candidate\": ", v->promised);
	record_quote(&b, a->seal.candidate);
	buf_printf(&b, ", \"final\": %s, \"on_disk\": %s, \"ends_in_ms\": %" PRId64 "}",
		   v->sealed ? "true" : "false", a->seal.kept ? "true" : "false",
		   MAX_OF(a->seal.until_ms - v->now_ms, INT64_C(0)));
	return buf_take(&b);
}

/* That record is on disk. */
void seal_saved(struct agent *a, uint64_t ticket)
{
	if (ticket == a->save_ticket && a->saved.promised == a->durable.promised &&
	    a->saved.sealed == a->durable.sealed)
		a->seal.kept = true;
	a->again = true;
}

void seal_cycle(struct agent *a)
{
	struct view *v = &a->view;

	/* It is a matter of milliseconds: no waiting for the next usual probe. */
	if (v->seal_wanted && !v->sealed && a->seal.done_at_ms != 0 &&
	    v->now_ms < a->seal.done_at_ms + SEAL_LOOK_MS)
		a->probe_now = true;
	for (uint32_t i = 0; i < SEAL_ASKED_MAX; i++) {
		struct seal_asked *asked = &a->seal.asked[i];

		if (asked->command_id == 0 || (!v->sealed && v->seal_wanted &&
					       v->now_ms < asked->until_ms))
			continue;
		answer(a, asked->command_id, v->sealed ? 200 : 409);
		asked->command_id = 0;
	}
}
