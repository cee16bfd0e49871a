/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_failsafe - who promises what to a leader without etcd, and what that leader may count on
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "agent/agent.h"
#include "agent/state.h"
#include "core/turn.h"
#include "wire/conffile.h"

/* What the agent asked of the outside. */
struct outside {
	int64_t now_ms;
	uint64_t accepted; /* ids of commands */
	int code;
	char text[200];
	uint32_t nasked;
	uint64_t tickets[8];
	char question[2048];
	uint32_t nwritten;
	struct page_update page;
};

static int64_t now_of(void *ctx)
{
	return ((struct outside *)ctx)->now_ms;
}

static int64_t wall_of(void *ctx)
{
	return now_of(ctx) * 1000;
}

static void take_accept(void *ctx, uint64_t id, uint64_t lsn)
{
	(void)lsn;
	((struct outside *)ctx)->accepted = id;
}

static void take_answer(void *ctx, uint64_t id, int code, const char *type, const char *body)
{
	struct outside *out = ctx;

	(void)id;
	(void)type;
	out->code = code;
	str_clip(out->text, sizeof(out->text), body);
}

static void take_question(void *ctx, uint64_t ticket, const struct promise_req *req)
{
	struct outside *out = ctx;

	out->tickets[out->nasked++] = ticket;
	str_clip(out->question, sizeof(out->question), req->body);
}

static void take_etcd(void *ctx, uint64_t ticket, const struct etcd_req *req)
{
	(void)ticket;
	(void)req;
	((struct outside *)ctx)->nwritten++;
}

static void take_page(void *ctx, const struct page_update *page)
{
	((struct outside *)ctx)->page = *page;
}

static void take_configure(void *ctx, const struct config *config)
{
	(void)ctx;
	(void)config;
}

static struct agent *member(struct outside *out, const char *mode)
{
	static const char file[] =
		"name: a\nscope: main\netcd3: {hosts: '127.0.0.1:2379'}\n"
		"restapi: {listen: '127.0.0.1:8008', connect_address: '127.0.0.1:8008'}\n"
		"postgresql:\n  listen: '127.0.0.1:5432'\n  connect_address: '127.0.0.1:5432'\n"
		"  data_dir: /nowhere\n  authentication:\n"
		"    superuser: {username: postgres, password: s}\n"
		"    replication: {username: replicator, password: r}\n";
	struct port port = { .ctx = out, .now_ms = now_of, .wall_us = wall_of,
			     .accept = take_accept, .answer = take_answer,
			     .promise = take_question, .etcd = take_etcd, .page = take_page,
			     .configure = take_configure };
	_cleanup_(freep) char *dynamic =
		str_dupf("{\"ttl\": 10, \"failsafe_mode\": \"%s\"}", mode);
	struct confdoc *doc = NULL;
	struct err err = { 0 };
	struct agent *a;

	cr_assert_eq(confdoc_parse(file, strlen(file), NULL, &doc, &err), 0, "%s", err.msg);
	a = agent_new(&port, doc, dynamic, NULL, 1, &err);
	cr_assert_not_null(a, "%s", err.msg);
	a->view.now_ms = out->now_ms = 100000;
	a->view.dcs_seen_at_ms = 99000;
	a->view.cluster.leader_known = true;
	a->view.pg.run = PG_UP;
	return a;
}

/* 'a' follows 'b', which leads with epoch 70. */
static struct agent *standby(struct outside *out, const char *mode)
{
	struct agent *a = member(out, mode);

	a->view.pg.role = ROLE_REPLICA;
	a->view.last_epoch = 70;
	str_clip(a->view.cluster.leader, NAME_SIZE, "b");
	a->view.cluster.leader_epoch = 70;
	return a;
}

static bool promises(struct agent *a, struct outside *out, const char *mode)
{
	char json[300];
	struct command cmd = { .type = CMD_FAILSAFE, .json = json };

	(void)str_printf(json, sizeof(json),
			 "{\"name\":\"b\",\"pgha\":{\"scope\":\"main\",\"epoch\":70,"
			 "\"ttl_ms\":10000,\"mode\":\"%s\"}}",
			 mode);
	out->accepted = 0;
	out->code = 0;
	failsafe_command(a, 5, &cmd);
	cr_assert(out->accepted == 5 || out->code != 0, "it has to answer");
	return out->accepted == 5;
}

Test(failsafe, is_promised_for_a_term_and_a_fifth)
{
	struct outside out = { 0 };
	struct agent *a = standby(&out, "on");

	cr_assert(promises(a, &out, "all"));
	cr_assert_eq(a->view.promise_until_ms, 112000);
	cr_assert(turn_promised(&a->view));
	a->view.now_ms = 112000;
	cr_assert(!turn_promised(&a->view));
	agent_free(a);
}

Test(failsafe, is_not_promised_where_it_is_off)
{
	struct outside out = { 0 };
	struct agent *a = standby(&out, "off");

	cr_assert(!promises(a, &out, "all"));
	cr_assert_eq(out.code, 502);
	agent_free(a);
}

Test(failsafe, is_not_promised_against_a_store_that_forgot)
{
	struct outside out = { 0 };
	struct agent *a = standby(&out, "on");

	a->view.regressed = true;
	cr_assert(!promises(a, &out, "all"));
	cr_assert_str_eq(out.text, "etcd was wiped or restored");
	agent_free(a);
}

Test(failsafe, is_not_promised_by_who_leads_or_is_about_to)
{
	struct outside out = { 0 };
	struct agent *a = standby(&out, "on");
	uint64_t ticket;

	a->view.pg.role = ROLE_PRIMARY;
	cr_assert(!promises(a, &out, "all"));
	a->view.pg.role = ROLE_REPLICA;
	ticket = state_ticket(a, TICKET_ACQUIRE, 0, "");
	cr_assert(!promises(a, &out, "all"));
	cr_assert_str_eq(out.text, "Running as a leader");
	cr_assert(state_take(a, ticket, &(struct pending){ 0 }));
	cr_assert(promises(a, &out, "all"));
	a->view.last_epoch = 71;
	cr_assert(!promises(a, &out, "all"));
	cr_assert_str_eq(out.text, "there was a later leader");
	agent_free(a);
}

/* The candidate counts on the vote, however long ago it was and whatever became of the seal. */
Test(failsafe, is_not_promised_to_most_after_a_vote_for_another)
{
	struct outside out = { 0 };
	struct agent *a = standby(&out, "quorum");

	a->view.promised = 80;
	cr_assert(!promises(a, &out, "quorum"));
	cr_assert_str_eq(out.text, "has voted for another leader");
	/* Whoever needs everybody needs the candidate as well. */
	cr_assert(promises(a, &out, "all"));
	/* A sign that is older than the ballot, or another's, changes nothing. */
	a->view.cluster.beat_present = true;
	a->view.cluster.beat_epoch = 70;
	a->view.cluster.beat_mod_revision = 79;
	cr_assert(!promises(a, &out, "quorum"));
	a->view.cluster.beat_mod_revision = 81;
	cr_assert(promises(a, &out, "quorum"));
	a->view.cluster.beat_epoch = 60;
	cr_assert(!promises(a, &out, "quorum"));
	agent_free(a);
}

Test(failsafe, is_not_forgotten_by_a_restart)
{
	struct outside out = { 0 };
	struct agent *a = standby(&out, "quorum");
	struct view *v = &a->view;

	v->started_at_ms = 99000;
	v->cluster.leader_known = false;
	cr_assert(turn_promised(v), "what it cannot know it has to fear");
	v->cluster.leader_known = true;
	cr_assert(!turn_promised(v), "there is no list, so nobody asked");
	v->cluster.failsafe.present = true;
	cr_assert(turn_promised(v));
	v->now_ms = 99000 + 11999;
	cr_assert(turn_promised(v));
	v->now_ms = 99000 + 12000;
	cr_assert(!turn_promised(v));
	/* The leader's term was longer than what is configured now. */
	v->sign_ttl_ms = 30000;
	cr_assert(turn_promised(v));
	agent_free(a);
}

/* A vote would be given away that is promised already. */
Test(failsafe, keeps_whoever_promised_from_voting)
{
	struct outside out = { 0 };
	struct agent *a = standby(&out, "quorum");
	struct command seal = { .type = CMD_SEAL, .ballot = 90 };

	str_clip(seal.scope, sizeof(seal.scope), "main");
	str_clip(seal.candidate, sizeof(seal.candidate), "c");
	cr_assert(promises(a, &out, "quorum"));
	decide(&a->view, &a->plan);
	seal_command(a, 6, &seal);
	cr_assert_eq(out.code, 409);
	cr_assert_eq(a->view.promised, 0);
	agent_free(a);
}

/* Its answers were of another time: this member may have received and confirmed since. */
Test(failsafe, a_ballot_whose_promise_has_ended_is_not_promised_again)
{
	struct outside out = { 0 };
	struct agent *a = standby(&out, "off");
	struct command seal = { .type = CMD_SEAL, .ballot = 90 };

	str_clip(seal.scope, sizeof(seal.scope), "main");
	str_clip(seal.candidate, sizeof(seal.candidate), "c");
	a->view.cluster.leader[0] = '\0';
	decide(&a->view, &a->plan);
	seal_command(a, 6, &seal);
	cr_assert_eq(a->view.promised, 90);
	a->view.now_ms = a->view.dcs_seen_at_ms = a->seal.until_ms;
	seal_refresh(a);
	cr_assert_eq(a->seal.until_ms, 0);
	out.code = 0;
	seal_command(a, 7, &seal);
	cr_assert_eq(out.code, 409);
	cr_assert_eq(a->seal.until_ms, 0);
	seal.ballot = 91;
	seal_command(a, 8, &seal);
	cr_assert_eq(a->view.promised, 91);
	agent_free(a);
}

/* 'a' leads since 1000 by a term of 10 s, and 'b', 'c', ... stand in its list. */
static struct agent *leader(struct outside *out, const char *mode, uint32_t peers)
{
	struct agent *a = member(out, mode);
	struct view *v = &a->view;
	struct failsafe *f = &a->failsafe;

	out->now_ms = v->now_ms = 6100;
	v->dcs_seen_at_ms = 1000;
	v->pg.role = ROLE_PRIMARY;
	lease_proven(&v->lease, 70, 99, 1000, 10000);
	str_clip(v->cluster.leader, NAME_SIZE, v->name);
	v->cluster.leader_epoch = v->last_epoch = 70;
	f->epoch = 70;
	f->mod_revision = v->cluster.failsafe.mod_revision = 75;
	f->mode = v->cfg.failsafe;
	v->cluster.failsafe.mark = (uint8_t)f->mode;
	for (uint32_t i = 0; i < peers; i++) {
		f->peers[i].listed = true;
		(void)str_printf(f->peers[i].name, NAME_SIZE, "%c", 'b' + (int)i);
	}
	f->npeers = peers;
	return a;
}

static void answer(struct agent *a, struct outside *out, uint32_t i, bool yes, int64_t sent_at_ms)
{
	struct event ev = { .type = EVENT_PROMISE, .ticket = out->tickets[i],
			    .sent_at_ms = sent_at_ms, .accepted = yes };
	struct pending p;

	cr_assert(state_take(a, ev.ticket, &p));
	failsafe_answered(a, &p, &ev);
}

Test(failsafe, moves_the_page_from_when_the_oldest_question_left)
{
	struct outside out = { 0 };
	struct agent *a = leader(&out, "on", 2);

	failsafe_cycle(a);
	cr_assert_eq(out.nasked, 2);
	out.now_ms = a->view.now_ms = 6900;
	answer(a, &out, 0, true, 6100);
	cr_assert_eq(a->view.lease.promised_at_ms, 0, "one of two is not all");
	answer(a, &out, 1, true, 6150);
	cr_assert_eq(a->view.lease.promised_at_ms, 6100);
	cr_assert_eq(out.page.asked_at_ms, 6100);
	cr_assert_eq(out.page.kill_at_ms, 13600);
	cr_assert_eq(lease_state(&a->view.lease, 6900), LEASE_FAILSAFE);
	agent_free(a);
}

Test(failsafe, is_over_with_the_first_no)
{
	struct outside out = { 0 };
	struct agent *a = leader(&out, "on", 2);

	failsafe_cycle(a);
	answer(a, &out, 0, true, 6100);
	answer(a, &out, 1, false, 6100);
	cr_assert_eq(lease_state(&a->view.lease, 6900), LEASE_FADING);
	agent_free(a);
}

Test(failsafe, of_most_needs_the_newest_word_of_most)
{
	struct outside out = { 0 };
	struct agent *a = leader(&out, "quorum", 4);

	failsafe_cycle(a);
	cr_assert_eq(out.nasked, 4);
	cr_assert_not_null(strstr(out.question, "\"quorum\""));
	answer(a, &out, 0, true, 6120);
	answer(a, &out, 1, false, 6100);
	cr_assert_eq(a->view.lease.promised_at_ms, 0, "two of five are not most");
	answer(a, &out, 2, true, 6100);
	cr_assert_eq(a->view.lease.promised_at_ms, 6100);
	answer(a, &out, 3, true, 6110);
	cr_assert_eq(a->view.lease.promised_at_ms, 6110);
	agent_free(a);
}

/* Which of both etcd holds is not known, so both have to be satisfied, each in its way. */
Test(failsafe, satisfies_the_list_that_may_have_been_written_too)
{
	struct outside out = { 0 };
	struct agent *a = leader(&out, "quorum", 2);

	a->failsafe.sent = str_dup("{}");
	a->failsafe.sent_mode = FAILSAFE_ALL;
	a->failsafe.peers[0].wanted = a->failsafe.peers[1].wanted = true;
	failsafe_cycle(a);
	cr_assert_not_null(strstr(out.question, "\"quorum\""), "one of them counts most");
	answer(a, &out, 0, true, 6100);
	cr_assert_eq(a->view.lease.promised_at_ms, 0, "by the other everybody is needed");
	answer(a, &out, 1, true, 6100);
	cr_assert_eq(a->view.lease.promised_at_ms, 6100);
	agent_free(a);
}

Test(failsafe, counts_on_no_list_that_may_be_gone)
{
	struct outside out = { 0 };
	struct agent *a = leader(&out, "off", 2);

	a->failsafe.mode = FAILSAFE_ALL;
	a->view.cluster.failsafe.mark = FAILSAFE_ALL;
	cr_assert(failsafe_is_settled(a));
	failsafe_write_cycle(a);
	cr_assert_eq(out.nwritten, 1);
	cr_assert(!failsafe_is_settled(a), "it may be deleted by now");
	agent_free(a);
}

/* etcd names its newest revision when a watch begins, and sends what was before that afterwards. */
Test(failsafe, learns_what_was_written_while_its_watch_began)
{
	struct outside out = { 0 };
	struct agent *a = standby(&out, "on");
	struct etcd_kv kv = { .key = (char *)"/service/main/failsafe", .mod_revision = 110,
			      .value = (char *)"{\"a\":\"http://h:8008/patroni\"}" };
	struct etcd_watch_msg began = { .created = true, .revision = 120 };
	struct etcd_watch_msg event = { .revision = 120, .events = { .items = &kv, .n = 1 } };

	kv.len = strlen(kv.value);
	a->stream_revision = 100;
	keys_fold_watch(a, &began);
	keys_fold_watch(a, &event);
	cr_assert_eq(a->view.cluster.failsafe.mod_revision, 110);
	keys_fold_watch(a, &event);
	cr_assert_eq(a->stream_revision, 110);
	agent_free(a);
}

Test(failsafe, asks_nobody_for_a_hung_server_or_a_store_that_forgot)
{
	struct outside out = { 0 };
	struct agent *a = leader(&out, "on", 2);

	a->view.hung_given_up = true;
	failsafe_cycle(a);
	a->view.hung_given_up = false;
	a->view.regressed = true;
	failsafe_cycle(a);
	a->view.regressed = false;
	a->view.handover_begun = true;
	failsafe_cycle(a);
	cr_assert_eq(out.nasked, 0);
	a->view.handover_begun = false;
	failsafe_cycle(a);
	cr_assert_eq(out.nasked, 2);
	agent_free(a);
}

Test(failsafe, refuses_what_would_end_a_promised_primary)
{
	struct outside out = { 0 };
	struct agent *a = leader(&out, "on", 2);
	struct command restart = { .type = CMD_RESTART };
	struct command away = { .type = CMD_SWITCHOVER };

	cr_assert(lease_promised(&a->view.lease, 6100, 6100));
	command_run(a, 1, &restart);
	cr_assert_eq(out.code, 503);
	cr_assert_not_null(strstr(out.text, "etcd cannot be reached"));
	cr_assert_eq(a->view.restart, RESTART_NONE);
	out.code = 0;
	str_clip(away.leader, NAME_SIZE, "a");
	command_run(a, 2, &away);
	cr_assert_eq(out.code, 503);
	cr_assert_not_null(strstr(out.text, "switchover has to wait for etcd"));
	agent_free(a);
}
