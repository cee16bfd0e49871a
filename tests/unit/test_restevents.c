/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_restevents - what changed, as server-sent events
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "wire/restevents.h"

#define NOW  1000000
#define WALL INT64_C(1795241964000000)
#define LIFE 0xabc
#define ALL  (1 << 20)

static struct status *a_status(bool leads)
{
	struct status *s = status_new();

	(void)str_copy(s->scope, sizeof(s->scope), "batman");
	(void)str_copy(s->name, sizeof(s->name), "n1");
	s->leader_until_ms = leads ? NOW + 2000 : 0;
	s->writable = leads;
	s->state = STATE_RUNNING;
	s->role = leads ? MROLE_PRIMARY : MROLE_REPLICA;
	s->sql_ok = true;
	s->pg = (struct pg_state){ .run = PG_UP, .role = leads ? ROLE_PRIMARY : ROLE_REPLICA };
	s->leader_known = true;
	(void)str_copy(s->leader, sizeof(s->leader), leads ? "n1" : "n2");
	s->leader_epoch = leads ? 12 : 7;
	s->lease_epoch = leads ? 12 : 0;
	s->rule_id = leads ? 301 : 501;
	return s;
}

static struct restevents *begin(struct status *s)
{
	struct restevents *events = restevents_new(LIFE);

	cr_assert_not(restevents_look(events, s, NOW, WALL), "where it begins is no event");
	return events;
}

static struct restevents_place at_the_end(const struct restevents *events)
{
	struct restevents_place place = restevents_place(events, NULL);

	place.begun = true;
	return place;
}

static char *read_all(const struct restevents *events, struct restevents_place *place)
{
	struct buf text = { 0 };

	restevents_read(events, place, ALL, WALL, &text);
	cr_assert_not(restevents_has_more(events, place));
	return buf_take(&text);
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *at = strstr(text, what); at; at = strstr(at + 1, what))
		n++;
	return n;
}

Test(restevents, begin_with_the_state)
{
	struct status *s = a_status(true);
	struct restevents *events = begin(s);
	struct restevents_place place = restevents_place(events, NULL);
	_cleanup_(freep) char *text = read_all(events, &place);

	cr_assert(str_starts(text, "id: abc-0\nevent: state\ndata: {\"time\": \"2026-"), "%s",
		  text);
	cr_assert(strstr(text, "\"role\": \"primary\", \"primary\": true"), "%s", text);
	cr_assert(strstr(text, "\"leader\": \"n1\", \"epoch\": 12, \"lease\": true"), "%s", text);
	cr_assert(strstr(text, "\"missed\": false}\n\n"), "%s", text);
	cr_assert_eq(count(text, "event: "), 1);
	restevents_free(events);
	status_free(s);
}

Test(restevents, nothing_is_told_of_what_did_not_change)
{
	struct status *s = a_status(true);
	struct restevents *events = begin(s);

	s->leader_until_ms += 1000;
	s->pg.flush_lsn = 99;
	s->lease_epoch = 12;
	cr_assert_not(restevents_look(events, s, NOW + 500, WALL));
	restevents_free(events);
	status_free(s);
}

Test(restevents, a_promotion_is_a_leader_a_lease_and_a_role)
{
	struct status *before = a_status(false), *after = a_status(true);
	struct restevents *events = begin(before);
	struct restevents_place place = at_the_end(events);
	_cleanup_(freep) char *text = NULL;

	cr_assert(restevents_look(events, after, NOW, WALL));
	text = read_all(events, &place);
	cr_assert(strstr(text, "event: leader\ndata: "), "%s", text);
	cr_assert(strstr(text, "\"leader\": \"n1\", \"epoch\": 12, \"leader_before\": \"n2\""), "%s",
		  text);
	cr_assert(strstr(text, "event: lease\n") && strstr(text, "\"held\": true"), "%s", text);
	cr_assert(strstr(text, "event: role\n") &&
			  strstr(text, "\"role\": \"primary\", \"primary\": true, "
				       "\"role_before\": \"replica\", \"primary_before\": false"),
		  "%s", text);
	cr_assert(strstr(text, "event: rule\n"), "%s", text);
	restevents_free(events);
	status_free(before);
	status_free(after);
}

Test(restevents, a_lease_ends_by_the_clock_alone)
{
	struct status *s = a_status(true);
	struct restevents *events = begin(s);
	struct restevents_place place = at_the_end(events);
	_cleanup_(freep) char *text = NULL, *back = NULL;

	cr_assert_eq(restevents_ends_at_ms(events), NOW + 2000);
	cr_assert_not(restevents_clock(events, NOW + 1999, WALL));
	cr_assert(restevents_clock(events, NOW + 2000, WALL));
	cr_assert_not(restevents_clock(events, NOW + 3000, WALL), "once");
	text = read_all(events, &place);
	cr_assert(strstr(text, "\"held\": false, \"epoch\": 12"), "%s", text);
	cr_assert(strstr(text, "\"primary\": false"), "%s", text);
	cr_assert_eq(restevents_ends_at_ms(events), INT64_MAX);
	s->leader_until_ms = NOW + 9000;
	cr_assert(restevents_look(events, s, NOW + 4000, WALL));
	back = read_all(events, &place);
	cr_assert(strstr(back, "\"held\": true"), "%s", back);
	restevents_free(events);
	status_free(s);
}

/* The loop was stuck over the end of the term, and proved the lease again. */
Test(restevents, a_gap_between_two_proofs_is_told)
{
	struct status *s = a_status(true);
	struct restevents *events = begin(s);
	struct restevents_place place = at_the_end(events);
	_cleanup_(freep) char *text = NULL;

	s->leader_until_ms = NOW + 9000;
	cr_assert(restevents_look(events, s, NOW + 4000, WALL));
	text = read_all(events, &place);
	cr_assert_eq(count(text, "event: lease"), 2, "%s", text);
	cr_assert_eq(count(text, "event: role"), 2, "%s", text);
	restevents_free(events);
	status_free(s);
}

Test(restevents, who_leads_is_not_over_because_etcd_is_away)
{
	struct status *s = a_status(false);
	struct restevents *events = begin(s);

	s->leader_known = false;
	s->leader[0] = '\0';
	cr_assert_not(restevents_look(events, s, NOW, WALL));
	s->leader_known = true;
	cr_assert(restevents_look(events, s, NOW, WALL), "nobody leads");
	restevents_free(events);
	status_free(s);
}

Test(restevents, waiting_for_something_else_is_no_event)
{
	struct status *s = a_status(false);
	struct restevents *events = begin(s);

	s->rule_id = 219; /* another group */
	cr_assert(restevents_look(events, s, NOW, WALL));
	s->rule_id = 201; /* the same one; leaves Postgres alone, keeps the lease */
	cr_assert_not(restevents_look(events, s, NOW, WALL));
	s->rule_id = 203; /* stops it */
	cr_assert(restevents_look(events, s, NOW, WALL));
	restevents_free(events);
	status_free(s);
}

Test(restevents, jobs_begin_and_end)
{
	struct status *s = a_status(false);
	struct restevents *events = begin(s);
	struct restevents_place place = at_the_end(events);
	_cleanup_(freep) char *begun = NULL, *again = NULL, *failed = NULL;

	s->job = "rewind";
	cr_assert(restevents_look(events, s, NOW, WALL));
	begun = read_all(events, &place);
	cr_assert(strstr(begun, "\"job\": \"rewind\", \"phase\": \"begin\"}"), "%s", begun);
	/* It ended and began again between two looks. */
	s->telemetry.jobs[3] = (struct job_telemetry){ "rewind", 1, 0, 850 };
	cr_assert(restevents_look(events, s, NOW, WALL));
	again = read_all(events, &place);
	cr_assert(strstr(again, "\"phase\": \"end\", \"failed\": false, \"took_ms\": 850}"), "%s",
		  again);
	cr_assert(strstr(again, "\"phase\": \"begin\""), "%s", again);
	s->telemetry.jobs[3].failed = 1;
	s->job = NULL;
	cr_assert(restevents_look(events, s, NOW, WALL));
	failed = read_all(events, &place);
	cr_assert(strstr(failed, "\"failed\": true}"), "%s", failed);
	cr_assert_eq(count(failed, "event: "), 1, "%s", failed);
	restevents_free(events);
	status_free(s);
}

static void change(struct restevents *events, struct status *s, size_t times)
{
	for (size_t i = 0; i < times; i++) {
		s->leader_epoch++;
		cr_assert(restevents_look(events, s, NOW, WALL));
	}
}

Test(restevents, go_on_where_a_reader_left_off)
{
	struct status *s = a_status(false);
	struct restevents *events = begin(s);
	struct restevents_place place;
	_cleanup_(freep) char *text = NULL;

	change(events, s, 5);
	place = restevents_place(events, "abc-3");
	text = read_all(events, &place);
	cr_assert(str_starts(text, "id: abc-4\n"), "%s", text);
	cr_assert_eq(count(text, "event: "), 2, "%s", text);
	place = restevents_place(events, "abc-5");
	cr_assert_not(restevents_has_more(events, &place));
	restevents_free(events);
	status_free(s);
}

static void expect_missed(const struct restevents *events, const char *id)
{
	struct restevents_place place = restevents_place(events, id);
	_cleanup_(freep) char *text = read_all(events, &place);

	cr_assert_eq(count(text, "event: "), 1, "%s", text);
	cr_assert(strstr(text, "\"missed\": true"), "%s: %s", id, text);
}

Test(restevents, an_id_that_is_not_known_gets_the_state)
{
	struct status *s = a_status(false);
	struct restevents *events = begin(s);

	change(events, s, 2);
	expect_missed(events, "abc-3");
	expect_missed(events, "abd-1");
	expect_missed(events, "abc-");
	expect_missed(events, "abc--1");
	expect_missed(events, "abc-18446744073709551615");
	expect_missed(events, "nonsense");
	restevents_free(events);
	status_free(s);
}

Test(restevents, only_the_newest_are_kept)
{
	struct status *s = a_status(false);
	struct restevents *events = begin(s);
	struct restevents_place place;
	_cleanup_(freep) char *text = NULL, *slow = NULL;

	change(events, s, RESTEVENTS_MAX);
	place = restevents_place(events, "abc-0");
	text = read_all(events, &place);
	cr_assert_eq(count(text, "event: leader"), RESTEVENTS_MAX);
	change(events, s, 1);
	expect_missed(events, "abc-0");
	/* A reader that is too slow hears so. */
	place = restevents_place(events, "abc-1");
	change(events, s, 1);
	slow = read_all(events, &place);
	cr_assert(strstr(slow, "\"missed\": true"), "%s", slow);
	restevents_free(events);
	status_free(s);
}

Test(restevents, are_read_in_pieces)
{
	struct status *s = a_status(false);
	struct restevents *events = begin(s);
	struct restevents_place place = restevents_place(events, "abc-0");
	size_t pieces = 0;

	change(events, s, 20);
	while (restevents_has_more(events, &place)) {
		struct buf text = { 0 };

		restevents_read(events, &place, 200, WALL, &text);
		cr_assert(text.len > 0 && text.len < 1000, "%zu", text.len);
		cr_assert(str_ends(text.data, "}\n\n"));
		buf_done(&text);
		cr_assert_lt(++pieces, 21);
	}
	cr_assert_gt(pieces, 5);
	restevents_free(events);
	status_free(s);
}
