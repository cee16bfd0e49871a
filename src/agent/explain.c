/* SPDX-License-Identifier: PostgreSQL */
/*
 * explain - what would be if, asked by an operator
 *
 * The others are asked where they are, as in an election but without a ballot, so that nobody stops
 * receiving. Then the decision table answers for the changed view. Nothing that the agent goes by
 * is touched.
 */
#include "agent/state.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/parse.h"

#define ASK_TIMEOUT_MS 1000

static struct vote *vote_of(struct explain *e, const char *name)
{
	for (uint32_t i = 0; i < e->nvotes; i++)
		if (str_eq(e->votes[i].name, name))
			return &e->votes[i];
	return NULL;
}

static void ask(struct agent *a, const char *name, const char *api_url)
{
	struct explain *e = a->explain;
	struct peer_req req = { .timeout_ms = ASK_TIMEOUT_MS };
	struct vote *vote;

	if (e->nvotes == MEMBERS_MAX)
		return;
	vote = &e->votes[e->nvotes++];
	*vote = (struct vote){ .failed = true };
	str_clip(vote->name, sizeof(vote->name), name);
	if (api_url[0] == '\0')
		return;
	str_clip(req.name, sizeof(req.name), name);
	str_clip(req.api_url, sizeof(req.api_url), api_url);
	e->waiting++;
	a->port.peer(a->port.ctx, state_ticket(a, TICKET_EXPLAIN, 0, name), &req);
}

void explain_command(struct agent *a, uint64_t id, const struct command *cmd)
{
	const struct cluster *c = &a->view.cluster;
	struct whatif_case asked = { .view = &a->view, .ifs = cmd->ifs, .nifs = cmd->nifs };
	struct err err = { 0 };

	if (a->explain != NULL) {
		command_answer(a, id, 503, "another question of that kind is being answered");
		return;
	}
	if (whatif_check(&asked, &err) < 0) {
		command_answer(a, id, err.code == ERR_PARSE ? 400 : 503, "%s", err.msg);
		return;
	}
	a->explain = mem_new(1, sizeof(*a->explain));
	a->explain->command_id = id;
	a->explain->nifs = cmd->nifs;
	for (uint32_t i = 0; i < cmd->nifs; i++)
		a->explain->ifs[i] = cmd->ifs[i];
	for (uint32_t i = 0; i < c->nmembers; i++)
		if (!str_eq(c->members[i].name, a->view.name))
			ask(a, c->members[i].name, c->members[i].api_url);
	for (uint32_t i = 0; i < c->ngone; i++)
		ask(a, c->gone[i].name, c->gone[i].api_url);
}

void explain_answered(struct agent *a, const struct pending *p, const struct event *ev)
{
	struct vote *vote = a->explain != NULL ? vote_of(a->explain, p->name) : NULL;

	if (vote == NULL)
		return;
	a->explain->waiting--;
	if (ev->result < 0 || ev->vote == NULL)
		return;
	*vote = *ev->vote;
	str_clip(vote->name, sizeof(vote->name), p->name);
	vote->heard = true;
	/* Our own walsenders know better, and of the same moment as our own position. */
	for (uint32_t i = 0; state_leads(a) && i < a->nwalsenders; i++)
		if (str_eq(a->walsenders[i].application_name, vote->name))
			vote->lsn = MAX_OF(vote->lsn, a->walsenders[i].flush_lsn);
}

/* ---- the answer ---- */

static void add_text(struct buf *b, const char *sep, const char *key, const char *text)
{
	buf_printf(b, "%s\"%s\": ", sep, key);
	record_quote(b, text);
}

static void add_lsn(struct buf *b, const char *key, uint64_t lsn)
{
	char text[LSN_TEXT_MAX];

	if (lsn != 0)
		add_text(b, ", ", key, lsn_text(lsn, text));
}

static void add_verdict(struct buf *b, const struct verdict *verdict)
{
	add_text(b, ", ", "rank", rank_name(verdict->rank));
	add_text(b, ", ", "why", verdict->why);
	if (verdict->other[0] != '\0')
		add_text(b, ", ", "other", verdict->other);
}

static void add_steps(struct buf *b, const struct whatif_member *m)
{
	buf_str(b, ", \"steps\": [");
	for (uint32_t i = 0; i < m->nsteps; i++) {
		const struct whatif_step *step = &m->steps[i];
		char situation[SITUATION_TEXT_MAX];

		buf_printf(b, "%s{\"at_ms\": %" PRId64 ", \"rule\": %u", i > 0 ? ", " : "",
			   step->at_ms, step->rule->id);
		add_text(b, ", ", "name", step->rule->name);
		add_text(b, ", ", "why", step->rule->why);
		add_text(b, ", ", "situation", situation_text(&step->situation, situation));
		add_text(b, ", ", "postgres", rules_pg_verb_name(step->rule->pg_verb));
		add_text(b, ", ", "lease", rules_lease_verb_name(step->rule->lease_verb));
		if (step->note[0] != '\0')
			add_text(b, ", ", "note", step->note);
		buf_ch(b, '}');
	}
	buf_ch(b, ']');
}

static void add_members(struct buf *b, const struct whatif_answer *answer)
{
	static const char *const whos[WHATIF_WHO__MAX] = {
		[WHATIF_OURS] = "there",
		[WHATIF_LOST] = "gone",
		[WHATIF_SILENT] = "silent",
		[WHATIF_PATRONI] = "patroni",
	};

	buf_str(b, ", \"members\": [");
	for (uint32_t i = 0; i < answer->nmembers; i++) {
		const struct whatif_member *m = &answer->members[i];

		add_text(b, i > 0 ? ", {" : "{", "name", m->name);
		add_text(b, ", ", "is", whos[m->who]);
		add_lsn(b, "lsn", m->lsn);
		if (m->timeline != 0)
			buf_printf(b, ", \"timeline\": %u", m->timeline);
		if (m->stands)
			add_verdict(b, &m->verdict);
		add_steps(b, m);
		buf_ch(b, '}');
	}
	buf_ch(b, ']');
}

static void add_end(struct buf *b, const struct whatif_answer *answer)
{
	static const char *const ends[WHATIF_END__MAX] = {
		[WHATIF_ELECTED] = "elected",
		[WHATIF_HANDED] = "handed-over",
		[WHATIF_STAYS] = "stays",
		[WHATIF_NOBODY] = "nobody",
	};
	bool moves = answer->end == WHATIF_ELECTED || answer->end == WHATIF_HANDED;

	add_text(b, ", \"failover\": {", "end", ends[answer->end]);
	buf_printf(b, ", \"leader_lost_for_the_answer\": %s",
		   answer->supposed_lost ? "true" : "false");
	add_text(b, ", ", "leader", answer->winner);
	add_text(b, ", ", "why", answer->why);
	if (answer->end == WHATIF_ELECTED && answer->lost_to_lsn != 0) {
		buf_printf(b, ", \"lost_bytes\": %" PRIu64,
			   answer->lost_to_lsn - answer->lost_from_lsn);
		add_lsn(b, "lost_from", answer->lost_from_lsn);
		add_lsn(b, "lost_to", answer->lost_to_lsn);
		buf_printf(b, ", \"synchronous\": %s", answer->synchronous ? "true" : "false");
	}
	if (moves)
		buf_printf(b,
			   ", \"key_free_after_ms\": [%" PRId64 ", %" PRId64
			   "], \"election_ms\": %" PRId64,
			   answer->free_least_ms, answer->free_most_ms, answer->election_ms);
	buf_ch(b, '}');
}

static void answer_json(const struct agent *a, const struct explain *e,
			const struct whatif_answer *answer, struct buf *b)
{
	char text[WHATIF_TEXT_MAX];

	add_text(b, "{", "asked", a->view.name);
	add_text(b, ", ", "scope", a->config->scope);
	add_text(b, ", ", "leader", answer->leader);
	buf_printf(b, ", \"ttl_ms\": %" PRId64 ", \"if\": [", a->view.cfg.ttl_ms);
	for (uint32_t i = 0; i < e->nifs; i++) {
		buf_str(b, i > 0 ? ", " : "");
		record_quote(b, whatif_text(&e->ifs[i], text));
	}
	buf_ch(b, ']');
	add_members(b, answer);
	add_end(b, answer);
	buf_ch(b, '}');
}

void explain_cycle(struct agent *a)
{
	struct explain *e = a->explain;
	struct whatif_case asked = { .view = &a->view };
	_cleanup_(freep) struct whatif_answer *answer = NULL;
	_cleanup_(buf_done) struct buf text = { 0 };
	struct err err = { 0 };

	if (e == NULL || e->waiting > 0)
		return;
	asked.votes = e->votes;
	asked.nvotes = e->nvotes;
	asked.ifs = e->ifs;
	asked.nifs = e->nifs;
	/* The cluster may have changed since the question came. */
	if (whatif_check(&asked, &err) < 0) {
		command_answer(a, e->command_id, 503, "%s", err.msg);
	} else {
		answer = mem_new(1, sizeof(*answer));
		whatif_run(&asked, answer);
		answer_json(a, e, answer, &text);
		a->port.answer(a->port.ctx, e->command_id, 200, "application/json", text.data);
	}
	free(TAKE(a->explain));
}
