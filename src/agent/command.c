/* SPDX-License-Identifier: PostgreSQL */
/*
 * command - operator requests: check, accept, report, expire
 *
 * Codes and texts are Patroni 4.1.4's (contract 2.7). A request that was accepted is a goal in
 * the view or a key in etcd; the table does the rest.
 */
#include "agent/state.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/parse.h"
#include "wire/confremote.h"

/* Twice the ten seconds, or loop_waits, that Patroni waits for the end of a switchover. */
#define WAIT_ROUNDS      20
#define WAIT_ROUND_MS    1000
#define RESTART_WAIT_MS  300000
#define OVERDUE_LEAST_MS 5000
#define UNSEEN_MS        1000 /* then a request that was written is looked for by a read */

void command_answer(struct agent *a, uint64_t id, int code, const char *fmt, ...)
{
	char text[ERR_MSG_MAX];
	va_list ap;

	if (id == 0)
		return;
	va_start(ap, fmt);
	(void)str_vprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	a->port.answer(a->port.ctx, id, code, "text/html", text);
}

/* ---- configuration ---- */

/* What members cannot read would take all of their configuration away. */
static bool refuse_unreadable(struct agent *a, uint64_t id, const char *text)
{
	struct err err = { 0 };

	if (restmsg_config_check(text, strlen(text), &err) == 0)
		return false;
	command_answer(a, id, 400, "the configuration cannot be read then: %s; nothing was stored",
		       err.msg);
	return true;
}

/* A change that this member would not follow is none that it passes on. */
static bool refuse_remote(struct agent *a, uint64_t id, const char *text)
{
	_cleanup_(tree_done) struct tree before = { 0 };
	_cleanup_(tree_done) struct tree after = { 0 };
	_cleanup_(freep) char *answer = NULL;
	char path[TREE_PATH_SIZE];

	if (a->config->allow_remote_commands ||
	    tree_from_json(text, strlen(text), &after, NULL) < 0)
		return false;
	/* What cannot be read holds nothing that was there before. */
	if (a->config_text != NULL &&
	    tree_from_json(a->config_text, strlen(a->config_text), &before, NULL) < 0)
		tree_done(&before);
	if (!confremote_brings(before.root, after.root, path))
		return false;
	answer = str_dupf("%s: not taken from the dynamic configuration, because the file of this "
			  "member says " CONFREMOTE_KEY ": false; nothing was stored. Set it in "
			  "the file of each member, then reload them.",
			  path);
	log_warning("a change of the dynamic configuration was refused: '%s' is not taken from "
		    "there, by " CONFREMOTE_KEY,
		    path);
	a->port.answer(a->port.ctx, id, 403, "text/plain", answer);
	return true;
}

static void put_config(struct agent *a, uint64_t id, const struct command *cmd)
{
	char *merged;
	bool changed = true;

	if (state_waits_for(a, TICKET_CONFIG)) {
		command_answer(a, id, 503, "another change of the configuration is under way");
		return;
	}
	if (!a->view.cluster.leader_known) {
		command_answer(a, id, 503, "etcd was not read yet");
		return;
	}
	if (cmd->type == CMD_PATCH_CONFIG) {
		if (a->config_text == NULL) {
			command_answer(a, id, 503, "the cluster has no configuration key yet");
			return;
		}
		merged = restmsg_config_merge(a->config_text, cmd->json, &changed);
	} else {
		merged = str_dup(cmd->json);
		changed = a->config_text == NULL ||
			  !restmsg_config_equal(a->config_text, cmd->json);
	}
	if (merged == NULL) {
		command_answer(a, id, 503, "the present configuration is not readable");
		return;
	}
	if (!changed) {
		a->port.answer(a->port.ctx, id, 200, "application/json", a->config_text);
		free(merged);
		return;
	}
	if (refuse_unreadable(a, id, merged) || refuse_remote(a, id, merged)) {
		free(merged);
		return;
	}
	log_notice("dynamic configuration is changed by an operator");
	store_put_config(a, id, merged, cmd->type == CMD_PATCH_CONFIG);
	free(a->config_sent);
	a->config_sent = merged;
}

void command_config_written(struct agent *a, uint64_t id, bool answered, bool written)
{
	if (id == 0) {
		a->view.cluster.config_present = a->view.cluster.config_present || written;
		return;
	}
	if (!answered)
		command_answer(a, id, 503,
			       "etcd did not answer, so it is not known whether the configuration "
			       "was changed: GET /config tells when it is back");
	else if (!written)
		command_answer(a, id, 409, "the configuration was changed by somebody else");
	else
		a->port.answer(a->port.ctx, id, 200, "application/json", a->config_sent);
}

/* ---- switchover and failover ---- */

static void answer_waiting(struct agent *a, int code, const char *text, const char *name)
{
	struct waiting *w = &a->waiting;

	if (name != NULL)
		command_answer(a, w->command_id, code, "%s \"%s\"", text, name);
	else
		command_answer(a, w->command_id, code, "%s", text);
	*w = (struct waiting){ 0 };
}

static const char *action_of(const struct command *cmd)
{
	return cmd->type == CMD_FAILOVER && cmd->leader[0] == '\0' ? "failover" : "switchover";
}

static bool has_others(const struct agent *a)
{
	for (uint32_t i = 0; i < a->view.cluster.nmembers; i++)
		if (!str_eq(a->view.cluster.members[i].name, a->view.cluster.leader))
			return true;
	return false;
}

/* A primary that others let be while etcd is away could not be opened again, and nobody can be
 * named its successor. */
static bool lives_by_promises(const struct agent *a)
{
	return lease_state(&a->view.lease, a->view.now_ms) == LEASE_FAILSAFE;
}

/* A leader of Patroni's that manages synchronous_mode gives the lead to nobody else. */
static bool refuse_asynchronous(struct agent *a, uint64_t id, const struct command *cmd)
{
	const struct cluster *c = &a->view.cluster;

	if (!c->sync.present || !str_ieq(c->sync.leader, c->leader))
		return false;
	if (cmd->candidate[0] == '\0' && c->sync.nstandbys == 0) {
		command_answer(a, id, 412, "%s is not possible: can not find sync_standby",
			       action_of(cmd));
		return true;
	}
	if (cmd->candidate[0] != '\0' && !str_eq(cmd->candidate, c->leader) &&
	    str_eq(action_of(cmd), "switchover") &&
	    restmsg_sync_role(c, false, cmd->candidate) == SYNC_NONE) {
		command_answer(a, id, 412, "candidate name does not match with sync_standby");
		return true;
	}
	return false;
}

/* The checks that need the cluster but no answers of peers; true when one answered. */
static bool refuse_switch(struct agent *a, uint64_t id, const struct command *cmd)
{
	const struct cluster *c = &a->view.cluster;
	bool switchover = str_eq(action_of(cmd), "switchover");

	if (!c->leader_known) {
		command_answer(a, id, 503, "etcd was not read yet");
		return true;
	}
	if (lives_by_promises(a)) {
		command_answer(a, id, 503,
			       "etcd cannot be reached, and this primary stays by what the others "
			       "promised: %s has to wait for etcd",
			       action_of(cmd));
		return true;
	}
	if (a->waiting.command_id != 0) {
		command_answer(a, id, 503, "another switchover or failover is under way");
		return true;
	}
	if (cmd->scheduled)
		return false;
	if (switchover && !str_eq(cmd->leader, c->leader)) {
		command_answer(a, id, 412, "leader name does not match");
		return true;
	}
	if (!a->sync_quorum && refuse_asynchronous(a, id, cmd))
		return true;
	if (cmd->candidate[0] != '\0' && rank_member(c, cmd->candidate) == NULL) {
		command_answer(a, id, 412, "candidate does not exists");
		return true;
	}
	if (cmd->candidate[0] != '\0' && str_eq(cmd->candidate, c->leader)) {
		command_answer(a, id, 400, "Switchover target and source are the same");
		return true;
	}
	if (cmd->candidate[0] == '\0' && !has_others(a)) {
		command_answer(a, id, 412,
			       "%s is not possible: cluster does not have members except leader",
			       action_of(cmd));
		return true;
	}
	return false;
}

static void switch_over(struct agent *a, uint64_t id, const struct command *cmd)
{
	struct waiting *w = &a->waiting;

	if (refuse_switch(a, id, cmd))
		return;
	*w = (struct waiting){ .command_id = id, .since_ms = a->view.now_ms };
	w->failover = str_eq(action_of(cmd), "failover");
	str_clip(w->leader, sizeof(w->leader), cmd->leader);
	str_clip(w->candidate, sizeof(w->candidate), cmd->candidate);
	w->scheduled_at_us = cmd->scheduled ? cmd->scheduled_at_us : 0;
	w->scheduled_offset_min = cmd->scheduled_offset_min;
	/* Positions are asked for before anything is written: a switchover that cannot work
	 * must not disturb the primary. */
	w->phase = cmd->scheduled ? WAITING_WRITE : WAITING_VOTES;
	w->until_ms = a->view.now_ms + 3000;
	if (a->view.election_since_ms == 0)
		a->view.election_since_ms = a->view.now_ms;
	a->again = true;
}

static void write_request(struct agent *a)
{
	struct waiting *w = &a->waiting;
	struct request r = { .present = true, .scheduled_at_us = w->scheduled_at_us,
			     .scheduled_offset_min = w->scheduled_offset_min };

	w->phase = WAITING_WRITE;
	str_clip(r.leader, sizeof(r.leader), w->failover ? "" : w->leader);
	str_clip(r.candidate, sizeof(r.candidate), w->candidate);
	log_notice("%s requested%s%s%s%s", w->failover ? "failover" : "switchover",
		   r.leader[0] != '\0' ? " from " : "", r.leader,
		   r.candidate[0] != '\0' ? " to " : "", r.candidate);
	store_put_request(a, &r);
}

void command_request_written(struct agent *a, bool written)
{
	struct waiting *w = &a->waiting;

	if (w->command_id == 0)
		return;
	if (!written) {
		answer_waiting(a, 503, "failed to write failover key into DCS", NULL);
		return;
	}
	if (w->scheduled_at_us != 0) {
		answer_waiting(a, 202, "Switchover scheduled", NULL);
		return;
	}
	w->phase = WAITING_END;
	w->until_ms =
		a->view.now_ms + WAIT_ROUNDS * MAX_OF(WAIT_ROUND_MS, a->view.cfg.loop_wait_ms);
	str_clip(w->leader, sizeof(w->leader), a->view.cluster.leader);
}

static bool vote_is_fit(const struct vote *vote)
{
	if (vote->failed || !vote->answered || vote->nofailover || vote->watchdog_failed)
		return false;
	return vote->in_recovery && vote->failover_priority > 0;
}

/* Asks every peer, then lets the request be written if anybody fit answered. */
static void votes_cycle(struct agent *a)
{
	struct waiting *w = &a->waiting;
	struct view *v = &a->view;
	bool complete = true;
	bool fit = false;

	act_ask_votes(a);
	for (uint32_t i = 0; i < v->cluster.nmembers; i++) {
		const struct member *m = &v->cluster.members[i];
		const struct vote *vote = rank_vote(v, m->name);

		if (str_eq(m->name, v->cluster.leader) ||
		    (w->candidate[0] != '\0' && !str_eq(m->name, w->candidate)))
			continue;
		if (str_eq(m->name, v->name)) { /* we ourselves are the candidate, or one */
			fit = fit || (v->pg.run == PG_UP && v->pg.role == ROLE_REPLICA &&
				      !v->tags.nofailover && v->tags.failover_priority > 0);
			continue;
		}
		if (vote == NULL || (!vote->answered && !vote->failed))
			complete = false;
		else
			fit = fit || vote_is_fit(vote);
	}
	if (fit)
		write_request(a);
	else if (complete || v->now_ms >= w->until_ms)
		command_answer(a, w->command_id, 412,
			       "%s is not possible: no good candidates have been found",
			       w->failover ? "failover" : "switchover");
	if (!fit && (complete || v->now_ms >= w->until_ms))
		*w = (struct waiting){ 0 };
}

static bool handover_waits_for_checkpoint(const struct view *v)
{
	return v->handover_asked && !v->handover_begun && !v->handover_checkpointed;
}

static void end_cycle(struct agent *a)
{
	struct waiting *w = &a->waiting;
	const struct cluster *c = &a->view.cluster;
	const char *done = w->failover ? "failed" : "switched";
	char text[NAME_SIZE * 2 + 128];

	w->seen = w->seen || c->request.present;
	/* Streams lose events (etcd 3.4), and the next read of everything may come too late. */
	if (!w->seen && a->view.now_ms - w->since_ms >= UNSEEN_MS)
		a->read_at_ms = 0;
	if (c->leader[0] != '\0' && !str_eq(c->leader, w->leader)) {
		if (w->candidate[0] == '\0' || str_eq(c->leader, w->candidate))
			(void)str_printf(text, sizeof(text), "Successfully %s over to \"%s\"", done,
					 c->leader);
		else
			(void)str_printf(text, sizeof(text), "%s over to \"%s\" instead of \"%s\"",
					 w->failover ? "Failed" : "Switched", c->leader,
					 w->candidate);
		answer_waiting(a, 200, text, NULL);
		return;
	}
	if (w->seen && !c->request.present && c->leader[0] != '\0') {
		answer_waiting(a, 503, w->failover ? "Failover failed" : "Switchover failed", NULL);
		return;
	}
	if (a->view.now_ms < w->until_ms)
		return;
	(void)str_printf(text, sizeof(text),
			 "%s status unknown after %lld seconds; operation may still be in "
			 "progress%s",
			 w->failover ? "Failover" : "Switchover",
			 (long long)((w->until_ms - w->since_ms) / 1000),
			 handover_waits_for_checkpoint(&a->view) ?
				 ": the leader's checkpoint before it has not ended" : "");
	answer_waiting(a, 503, text, NULL);
}

static void delete_switchover(struct agent *a, uint64_t id)
{
	if (!a->view.cluster.request.present || a->view.cluster.request.scheduled_at_us == 0) {
		command_answer(a, id, 404, "no switchover is scheduled");
		return;
	}
	store_clear_request(a, "deleted by an operator");
	command_answer(a, id, 200, "scheduled switchover deleted");
}

/* ---- restart ---- */

static bool version_is_lower(int32_t have, const char *limit)
{
	int64_t parts[2] = { 0, 0 };
	char text[VERSION_SIZE];
	char *dot;

	str_clip(text, sizeof(text), limit);
	dot = strchr(text, '.');
	if (dot != NULL)
		*dot = '\0';
	if (parse_int(text, 0, 1000, &parts[0], NULL) < 0)
		return false;
	if (dot != NULL && parse_int(dot + 1, 0, 9999, &parts[1], NULL) < 0)
		return false;
	return have < parts[0] * 10000 + parts[1];
}

static bool restart_matches(const struct agent *a, const struct command *cmd)
{
	const char *role = a->view.pg.role == ROLE_PRIMARY ? "primary" : "replica";

	if (cmd->role[0] != '\0' && !str_eq(cmd->role, role))
		return false;
	if (cmd->postgres_version[0] != '\0' &&
	    !version_is_lower(a->view.pg.server_version, cmd->postgres_version))
		return false;
	return !cmd->restart_pending || a->view.pg.pending_restart;
}

static void begin_restart(struct agent *a, uint64_t id, int64_t timeout_ms)
{
	a->restart.command_id = id;
	a->restart.until_ms = a->view.now_ms + (timeout_ms > 0 ? timeout_ms : RESTART_WAIT_MS);
	a->restart.before_start_us = a->view.pg.postmaster_start_us;
	a->view.restart = RESTART_STOPPING;
	a->again = true;
	log_notice("restart of Postgres requested");
}

static void restart(struct agent *a, uint64_t id, const struct command *cmd)
{
	/* Nothing would start it as a primary again. */
	if (a->view.regressed && !cmd->scheduled && a->view.pg.role == ROLE_PRIMARY) {
		command_answer(a, id, 503,
			       "etcd was wiped or restored: hactl dcs accept comes first");
		return;
	}
	if (lives_by_promises(a) && !cmd->scheduled) {
		command_answer(a, id, 503,
			       "etcd cannot be reached, and this primary stays by what the others "
			       "promised: once stopped it could not be started before etcd is "
			       "back");
		return;
	}
	if (cmd->scheduled) {
		if (a->restart.scheduled) {
			command_answer(a, id, 409, "Another restart is already scheduled");
			return;
		}
		a->restart.scheduled = true;
		a->restart.at_us = cmd->scheduled_at_us;
		a->restart.filter = *cmd;
		a->restart.filter.json = NULL;
		a->restart.postmaster_start_us = a->view.pg.postmaster_start_us;
		a->member_urgent = true;
		command_answer(a, id, 202, "Restart scheduled");
		return;
	}
	if (!restart_matches(a, cmd)) {
		command_answer(a, id, 503, "restart conditions are not satisfied");
		return;
	}
	if (a->job.ticket != 0 || a->view.restart != RESTART_NONE) {
		command_answer(a, id, 503, "%s already in progress",
			       a->view.restart != RESTART_NONE ? "restart" : pg_op_name(a->job.op));
		return;
	}
	if (a->view.pg.run == PG_STARTING) {
		command_answer(a, id, 503, "postgres is still starting");
		return;
	}
	begin_restart(a, id, cmd->timeout_ms);
}

static void delete_restart(struct agent *a, uint64_t id)
{
	if (!a->restart.scheduled) {
		command_answer(a, id, 404, "no restarts are scheduled");
		return;
	}
	a->restart.scheduled = false;
	a->member_urgent = true;
	command_answer(a, id, 200, "scheduled restart deleted");
}

static void end_restart(struct agent *a, int code, const char *text)
{
	command_answer(a, a->restart.command_id, code, "%s", text);
	a->restart.command_id = 0;
	a->view.restart = RESTART_NONE;
	a->again = true;
}

static void restart_cycle(struct agent *a)
{
	struct restart *r = &a->restart;
	struct view *v = &a->view;
	bool is_new = v->pg.postmaster_start_us != r->before_start_us;

	if (r->scheduled && r->at_us <= v->wall_us && v->mode == MODE_AUTO && a->job.ticket == 0 &&
	    !lives_by_promises(a)) {
		r->scheduled = false;
		a->member_urgent = true;
		if (r->postmaster_start_us == v->pg.postmaster_start_us &&
		    restart_matches(a, &r->filter))
			begin_restart(a, 0, r->filter.timeout_ms);
	}
	if (v->restart == RESTART_NONE)
		return;
	/* In auto mode the usual rules start what was stopped; in pause only this request does. */
	if (v->restart == RESTART_STOPPING && v->pg.run == PG_DOWN && a->job.ticket == 0 &&
	    v->mode != MODE_PAUSED)
		v->restart = RESTART_STARTING;
	if (v->restart == RESTART_STARTING && v->pg.run == PG_UP && is_new && a->job.ticket == 0)
		end_restart(a, 200, "restarted successfully");
	else if (v->now_ms >= r->until_ms || v->start_failures >= START_TRIES)
		end_restart(a, 503, "restart failed");
}

/* ---- reinitialize ---- */

static void reinit(struct agent *a, uint64_t id, const struct command *cmd)
{
	const struct cluster *c = &a->view.cluster;

	if (!c->leader_known || c->leader[0] == '\0') {
		command_answer(a, id, 503, "Cluster has no leader, can not reinitialize");
		return;
	}
	if (str_eq(c->leader, a->view.name)) {
		command_answer(a, id, 503, "I am the leader, can not reinitialize");
		return;
	}
	if (a->view.now_ms - a->view.dcs_seen_at_ms >= a->view.cfg.ttl_ms) {
		command_answer(a, id, 503, "etcd cannot be reached, can not reinitialize");
		return;
	}
	if (a->job.ticket != 0 && a->job.op != PGOP_FOLLOW && a->job.op != PGOP_APPLY) {
		if (!cmd->force) {
			command_answer(a, id, 503, "%s already in progress", pg_op_name(a->job.op));
			return;
		}
		/* A stop cancels the operation under way; the copy begins when it has ended. */
		job_run(a, &(struct pg_req){ .op = PGOP_STOP, .stop = STOP_FAST });
	}
	a->view.reinit = true;
	a->view.work_backoff_until_ms = 0;
	a->again = true;
	a->member_urgent = true;
	log_notice("a new copy of the data was requested");
	command_answer(a, id, 200, "reinitialize started");
}

/* ---- the leader looks at the request in etcd ---- */

/* A request that can never be carried out is cleared, with the reason, by the leader only. */
static void request_cycle(struct agent *a)
{
	const struct request *r = &a->view.cluster.request;
	const struct plan *plan = &a->plan;
	int64_t grace_ms = MAX_OF(a->view.cfg.loop_wait_ms * 3 / 2, (int64_t)OVERDUE_LEAST_MS);
	int64_t late_ms = (a->view.wall_us - r->scheduled_at_us) / 1000;

	if (!state_leads(a) || !r->present || a->stopping || a->view.handover_begun)
		return;
	if (r->scheduled_at_us != 0 && late_ms < 0)
		return;
	if (r->scheduled_at_us != 0 && late_ms > grace_ms)
		store_clear_request(a, "its scheduled time is over");
	else if (r->mod_revision == a->refused_revision)
		store_clear_request(a, a->refused_why);
	else if (r->leader[0] != '\0' && !str_eq(r->leader, a->view.name))
		store_clear_request(a, "the leader it names does not lead");
	else if (str_eq(r->candidate, a->view.name))
		store_clear_request(a, "the candidate it names leads already");
	else if (a->view.mode == MODE_PAUSED && r->candidate[0] == '\0')
		store_clear_request(a, "in pause only a named candidate can take over");
	else if (plan->situation.ask == ASK_SEEK && plan->situation.rank == RANK_NEVER)
		store_clear_request(a, plan->verdict.why);
}

static void accept_store(struct agent *a, uint64_t id)
{
	const char *why = regress_accept(a);

	if (why != NULL)
		command_answer(a, id, 412, "%s", why);
	else
		command_answer(a, id, 200, "etcd is accepted as it is now");
}

static void tell_recorder(struct agent *a, uint64_t id)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	recorder_text(&a->recorder, &text);
	a->port.answer(a->port.ctx, id, 200, "text/plain", text.data != NULL ? text.data : "");
}

void command_run(struct agent *a, uint64_t id, const struct command *cmd)
{
	if (a->stopping) {
		command_answer(a, id, 503, "this agent is shutting down");
		return;
	}
	switch (cmd->type) {
	case CMD_PATCH_CONFIG:
	case CMD_PUT_CONFIG:
		put_config(a, id, cmd);
		return;
	case CMD_RELOAD:
		command_answer(a, id, 202, "reload scheduled");
		a->port.reload(a->port.ctx);
		return;
	case CMD_RESTART:
		restart(a, id, cmd);
		return;
	case CMD_DELETE_RESTART:
		delete_restart(a, id);
		return;
	case CMD_REINIT:
		reinit(a, id, cmd);
		return;
	case CMD_SWITCHOVER:
	case CMD_FAILOVER:
		switch_over(a, id, cmd);
		return;
	case CMD_DELETE_SWITCHOVER:
		delete_switchover(a, id);
		return;
	case CMD_SEAL:
		seal_command(a, id, cmd);
		return;
	case CMD_ACCEPT_STORE:
		accept_store(a, id);
		return;
	case CMD_FAILSAFE:
		failsafe_command(a, id, cmd);
		return;
	case CMD_EXPLAIN:
		explain_command(a, id, cmd);
		return;
	case CMD_DOCTOR:
		doctor_command(a, id);
		return;
	case CMD_RECORDER:
		tell_recorder(a, id);
		return;
	case CMD_NONE:
	case CMD__MAX:
		break;
	}
	command_answer(a, id, 501, "not known");
}

void command_cycle(struct agent *a)
{
	request_cycle(a);
	restart_cycle(a);
	if (a->view.reinit && str_eq(a->view.cluster.leader, a->view.name))
		a->view.reinit = false; /* it leads meanwhile: its data is the cluster's */
	if (a->waiting.phase == WAITING_VOTES)
		votes_cycle(a);
	else if (a->waiting.phase == WAITING_END)
		end_cycle(a);
	else if (a->waiting.phase == WAITING_WRITE && a->waiting.scheduled_at_us != 0 &&
		 !state_waits_for(a, TICKET_COMMAND))
		write_request(a);
}
