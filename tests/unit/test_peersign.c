/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_peersign - who signed what, to whom, when and for the first time
 */
#include "io/peersign.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/str.h"

#define NOW    INT64_C(1763801000000)
#define SECRET "0123456789abcdef0123456789abcdef"
#define OTHER  "another secret of the cluster"
#define NONCE  "00112233445566778899aabbccddeeff"
#define BODY   "{\"ballot\": 7}"
#define HEAD   "v1 n1 1763801000000 " NONCE " "
/* Made by another program: openssl dgst -sha256 -hmac SECRET. */
#define MAC        "5db7315d974d085d172808dfdf8223ca672014cf72be4be16cb97a9dfb6e8034"
#define ANSWER_MAC "0500a0c04ce6bca67b63617e37d13b2f589effd51d24be7d04bddf71f3f07ada"

static struct peersign_memory memory;

static void setup(void)
{
	memory = (struct peersign_memory){ 0 };
}

TestSuite(peersign, .init = setup);

static struct peersign member(const char *name, const char *secrets)
{
	struct peersign sign = { .required = true };

	str_clip(sign.scope, sizeof(sign.scope), "main");
	str_clip(sign.name, sizeof(sign.name), name);
	cr_assert_eq(peersign_parse(secrets, strlen(secrets), &sign, NULL), 0);
	return sign;
}

static struct peersign_call seal(const char *to)
{
	return (struct peersign_call){ .to = to,
				       .method = "POST",
				       .path = "/seal",
				       .body = BODY,
				       .body_len = strlen(BODY),
				       .wall_ms = NOW,
				       .nonce = NONCE };
}

static struct peersign_answer accepted(void)
{
	return (struct peersign_answer){ .from = "n2",
					 .to = "n1",
					 .nonce = NONCE,
					 .status = 200,
					 .body = "Accepted",
					 .body_len = 8 };
}

/* What n2, with that secret, says to a call at that time; "" it takes it. */
static const char *says(const char *secrets, const char *header, struct peersign_call call,
			int64_t now_ms)
{
	static char why[PEERSIGN_WHY_SIZE];
	struct peersign own = member("n2", secrets);
	char from[NAME_SIZE];

	if (peersign_take_call(&own, &memory, header, now_ms, &call, from, why)) {
		cr_assert(str_starts(from, "n"));
		return "";
	}
	cr_assert(why[0] != '\0');
	return why;
}

/* A call of that member, the number of whose nonce is given. */
static const char *call_of(const char *name, int64_t wall_ms, unsigned number)
{
	static char header[PEERSIGN_TEXT_SIZE];
	struct peersign own = member(name, SECRET);
	struct peersign_call call = seal("n2");

	call.wall_ms = wall_ms;
	cr_assert(str_printf(call.nonce, sizeof(call.nonce), "%032x", number) > 0);
	peersign_call(&own, &call, header);
	return header;
}

Test(peersign, a_call_is_signed_as_it_is_written_down)
{
	struct peersign own = member("n1", SECRET);
	struct peersign_call call = seal("n2");
	char header[PEERSIGN_TEXT_SIZE];

	peersign_call(&own, &call, header);
	cr_assert_str_eq(header, HEAD MAC);
	cr_assert_str_eq(says(SECRET, header, seal(NULL), NOW), "");
}

Test(peersign, so_is_an_answer)
{
	struct peersign own = member("n2", SECRET);
	struct peersign_answer answer = accepted();
	char header[PEERSIGN_TEXT_SIZE];

	peersign_answer(&own, &answer, header);
	cr_assert_str_eq(header, "v1 " ANSWER_MAC);
	own = member("n1", OTHER "\n" SECRET);
	cr_assert(peersign_take_answer(&own, header, &answer));
}

Test(peersign, the_longest_names_fit)
{
	char name[NAME_SIZE];
	char header[PEERSIGN_TEXT_SIZE];
	struct peersign_call call = seal("n2");
	struct peersign own = member("n1", SECRET);

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	str_clip(own.name, sizeof(own.name), name);
	call.wall_ms = NOW;
	peersign_call(&own, &call, header);
	cr_assert_str_eq(says(SECRET, header, seal(NULL), NOW), "");
}

Test(peersign, whatever_was_changed_on_the_way_is_noticed)
{
	struct peersign_call call = seal(NULL);
	struct peersign own = member("n1", SECRET);
	struct peersign_call to_another = seal("n3");
	char header[PEERSIGN_TEXT_SIZE];

	call.method = "GET";
	cr_assert(strstr(says(SECRET, HEAD MAC, call, NOW), "'n1' did not sign it"));
	call = seal(NULL);
	call.path = "/failsafe";
	cr_assert(strstr(says(SECRET, HEAD MAC, call, NOW), "did not sign it"));
	call = seal(NULL);
	call.body_len--;
	cr_assert(strstr(says(SECRET, HEAD MAC, call, NOW), "did not sign it"));
	call = seal(NULL);
	cr_assert(strstr(says(SECRET, "v1 n3 1763801000000 " NONCE " " MAC, call, NOW),
			 "'n3' did not sign it"));
	cr_assert(strstr(says(SECRET, "v1 n1 1763801000001 " NONCE " " MAC, call, NOW), "sign it"));
	cr_assert(strstr(says(OTHER, HEAD MAC, call, NOW), "look at restapi.peer_secret_file"));
	peersign_call(&own, &to_another, header);
	cr_assert(strstr(says(SECRET, header, call, NOW), "or not for 'n2' of 'main'"));
	str_clip(own.scope, sizeof(own.scope), "other");
	call.to = "n2";
	peersign_call(&own, &call, header);
	cr_assert(strstr(says(SECRET, header, seal(NULL), NOW), "or not for 'n2' of 'main'"));
	cr_assert_str_eq(says(SECRET, HEAD MAC, seal(NULL), NOW), "", "what failed left no trace");
}

Test(peersign, an_answer_belongs_to_one_call_only)
{
	struct peersign own = member("n1", SECRET);
	struct peersign_answer answer = accepted();

	cr_assert(peersign_take_answer(&own, "v1 " ANSWER_MAC, &answer));
	answer.status = 201;
	cr_assert_not(peersign_take_answer(&own, "v1 " ANSWER_MAC, &answer));
	answer = accepted();
	answer.body_len = 7;
	cr_assert_not(peersign_take_answer(&own, "v1 " ANSWER_MAC, &answer));
	answer = accepted();
	answer.nonce = "00112233445566778899aabbccddeefe";
	cr_assert_not(peersign_take_answer(&own, "v1 " ANSWER_MAC, &answer));
	answer = accepted();
	answer.from = "n3";
	cr_assert_not(peersign_take_answer(&own, "v1 " ANSWER_MAC, &answer));
	answer = accepted();
	cr_assert_not(peersign_take_answer(&own, NULL, &answer));
	cr_assert_not(peersign_take_answer(&own, "", &answer));
	cr_assert_not(peersign_take_answer(&own, "v1 " ANSWER_MAC " ", &answer));
	cr_assert_not(peersign_take_answer(&own, "v2 " ANSWER_MAC, &answer));
	cr_assert_not(peersign_take_answer(&own, HEAD MAC, &answer), "a call is no answer");
	str_clip(own.scope, sizeof(own.scope), "other");
	cr_assert_not(peersign_take_answer(&own, "v1 " ANSWER_MAC, &answer));
}

Test(peersign, garbage_is_refused)
{
	static const char *const bad[] = {
		"",
		" ",
		"v1",
		"v1 n1",
		"v1 n1 1763801000000",
		"v1 n1 1763801000000 " NONCE,
		"v1 n1 1763801000000 " NONCE " ",
		"v2 n1 1763801000000 " NONCE " " MAC,
		"v1 n1 1763801000000 " NONCE " " MAC " ",
		"v1 n1 1763801000000 " NONCE " " MAC " x",
		"v1  n1 1763801000000 " NONCE " " MAC,
		"v1 ../n1 1763801000000 " NONCE " " MAC,
		"v1 n1 -1 " NONCE " " MAC,
		"v1 n1 99999999999999999999999 " NONCE " " MAC,
		"v1 n1 12x " NONCE " " MAC,
		"v1 n1 1763801000000 short " MAC,
		"v1 n1 1763801000000 00112233445566778899AABBCCDDEEFF " MAC,
		"v1 n1 1763801000000 " NONCE " 5db7315d",
		"\xff\xfe",
	};
	char longer[4096];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_assert_str_eq(says(SECRET, bad[i], seal(NULL), NOW),
				 "its X-Pgha-Peer cannot be read", "%s", bad[i]);
	for (size_t len = 0; len < strlen(HEAD MAC); len++) {
		_cleanup_(freep) char *cut = str_ndup(HEAD MAC, len);

		cr_assert(says(SECRET, cut, seal(NULL), NOW)[0] != '\0', "%s", cut);
	}
	memset(longer, 'n', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	cr_assert(says(SECRET, longer, seal(NULL), NOW)[0] != '\0');
	memcpy(longer, HEAD MAC, strlen(HEAD MAC));
	cr_assert(says(SECRET, longer, seal(NULL), NOW)[0] != '\0');
}

Test(peersign, clocks_may_differ_by_a_minute)
{
	struct peersign_call call = seal(NULL);

	cr_assert(strstr(says(SECRET, HEAD MAC, call, NOW + PEERSIGN_WINDOW_MS + 1),
			 "the clock of 'n1' is 60 s behind that of 'n2'"));
	cr_assert(strstr(says(SECRET, HEAD MAC, call, NOW - 75000), "75 s ahead of"));
	cr_assert_str_eq(says(SECRET, HEAD MAC, call, NOW - PEERSIGN_WINDOW_MS), "");
	cr_assert_str_eq(says(SECRET, call_of("n1", NOW, 1), call, NOW + PEERSIGN_WINDOW_MS), "");
}

Test(peersign, nothing_counts_twice)
{
	struct peersign_call call = seal(NULL);

	cr_assert_str_eq(says(SECRET, HEAD MAC, call, NOW), "");
	cr_assert(strstr(says(SECRET, HEAD MAC, call, NOW), "'n1' sent the same before"));
	cr_assert_str_eq(says(SECRET, call_of("n1", NOW, 1), call, NOW), "", "in the same ms");
	cr_assert_str_eq(says(SECRET, call_of("n1", NOW - 5000, 2), call, NOW), "", "overtaken");
	cr_assert_str_eq(says(SECRET, call_of("n3", NOW - 5000, 2), call, NOW), "", "of another");
	cr_assert(strstr(says(SECRET, call_of("n1", NOW - 5000, 2), call, NOW), "before"));
}

/* Also when it was forgotten, and when our clock is set back to where it fits the window again. */
Test(peersign, not_even_what_was_forgotten)
{
	struct peersign_call call = seal(NULL);

	for (unsigned i = 0; i < 3 * PEERSIGN_SEEN_MAX; i++)
		cr_assert_str_eq(
			says(SECRET, call_of("n1", NOW + 1000 * i, i), call, NOW + 1000 * i), "",
			"%u", i);
	for (unsigned i = 0; i < 3 * PEERSIGN_SEEN_MAX; i++)
		cr_assert(
			strstr(says(SECRET, call_of("n1", NOW + 1000 * i, i), call, NOW + 1000 * i),
			       "before"),
			"%u", i);
	cr_assert_str_eq(says(SECRET, call_of("n3", NOW, 0), call, NOW), "");
}

Test(peersign, more_senders_than_places_do_not_help_a_repetition)
{
	struct peersign_call call = seal(NULL);
	char name[NAME_SIZE];

	for (unsigned i = 0; i < 3 * MEMBERS_MAX; i++) {
		cr_assert(str_printf(name, sizeof(name), "n%u", i) > 0);
		cr_assert_str_eq(says(SECRET, call_of(name, NOW + i, i), call, NOW), "");
	}
	for (unsigned i = 0; i < 3 * MEMBERS_MAX; i++) {
		cr_assert(str_printf(name, sizeof(name), "n%u", i) > 0);
		cr_assert(says(SECRET, call_of(name, NOW + i, i), call, NOW)[0] != '\0', "%u", i);
	}
}

Test(peersign, the_second_secret_is_taken_too)
{
	struct peersign own = member("n1", OTHER "\n" SECRET);
	struct peersign_call call = seal("n2");
	char header[PEERSIGN_TEXT_SIZE];

	cr_assert_str_eq(says(OTHER "\n" SECRET "\n", HEAD MAC, call, NOW), "");
	peersign_call(&own, &call, header);
	cr_assert_str_neq(header, HEAD MAC, "the first one signs");
	memory = (struct peersign_memory){ 0 };
	cr_assert(strstr(says(SECRET, header, call, NOW), "did not sign it"));
	cr_assert_str_eq(says(SECRET "\n" OTHER, header, call, NOW), "");
}

static int parse(const char *text, struct peersign *ret)
{
	return peersign_parse(text, strlen(text), ret, NULL);
}

Test(peersign, a_file_has_one_secret_or_two)
{
	struct peersign sign = { 0 };
	struct err err = { 0 };
	_cleanup_(freep) char *longer = mem_new(1, PEERSIGN_SECRET_MAX + 2);

	cr_assert_eq(parse("\n  " SECRET "\t\r\n\n" OTHER "\n\n", &sign), 0);
	cr_assert_eq(sign.nsecrets, 2);
	cr_assert_str_eq(sign.secrets[0], SECRET);
	cr_assert_str_eq(sign.secrets[1], OTHER);
	cr_assert_lt(parse("", &sign), 0);
	cr_assert_lt(parse(" \n\n", &sign), 0);
	cr_assert_lt(parse("fifteen letters\n", &sign), 0);
	cr_assert_lt(parse(SECRET "\n" SECRET "\n" SECRET "\n", &sign), 0);
	cr_assert_lt(parse(SECRET "\nshort\n", &sign), 0);
	cr_assert_lt(peersign_parse("sixteen letters\0!", 17, &sign, &err), 0);
	cr_assert(strstr(err.msg, "openssl rand -hex 32"), "%s", err.msg);
	cr_assert_eq(sign.nsecrets, 2, "a bad file changes nothing");
	memset(longer, 'x', PEERSIGN_SECRET_MAX + 1);
	cr_assert_lt(parse(longer, &sign), 0);
	longer[PEERSIGN_SECRET_MAX] = '\0';
	cr_assert_eq(parse(longer, &sign), 0);
	cr_assert_eq(sign.nsecrets, 1);
}

Test(peersign, nonces_differ)
{
	char a[PEERSIGN_NONCE_SIZE];
	char b[PEERSIGN_NONCE_SIZE];

	peersign_nonce(a);
	peersign_nonce(b);
	cr_assert_eq(strlen(a), PEERSIGN_NONCE_SIZE - 1);
	cr_assert_str_neq(a, b);
}
