/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_srv - answers with SRV records
 */
#include "io/srv.h"

#include <criterion/criterion.h>

#include "../lib/dnsmsg.h"

static struct endpoint found[ENDPOINTS_MAX];

static int parse(const struct buf *msg, uint16_t id)
{
	return srv_parse((const unsigned char *)msg->data, msg->len, id, true, found, NULL);
}

Test(srv, records_come_in_their_order)
{
	struct buf msg = { 0 };

	dnsmsg_begin(&msg, 7, 0);
	dnsmsg_srv(&msg, 20, 0, 2379, "c.example");
	dnsmsg_srv(&msg, 10, 5, 2380, "b.example");
	dnsmsg_srv(&msg, 10, 50, 2381, "a.example");
	cr_assert_eq(parse(&msg, 7), 3);
	cr_assert_str_eq(found[0].host, "a.example");
	cr_assert_eq(found[0].port, 2381);
	cr_assert(found[0].tls);
	cr_assert_str_eq(found[1].host, "b.example");
	cr_assert_str_eq(found[2].host, "c.example");
	buf_done(&msg);
}

Test(srv, an_absent_name_and_an_empty_answer_are_no_failure)
{
	struct buf msg = { 0 };

	dnsmsg_begin(&msg, 7, 3 /* NXDOMAIN */);
	cr_assert_eq(parse(&msg, 7), 0);
	dnsmsg_begin(&msg, 7, 0);
	cr_assert_eq(parse(&msg, 7), 0);
	buf_done(&msg);
}

Test(srv, a_server_that_fails_is_a_failure)
{
	struct buf msg = { 0 };

	dnsmsg_begin(&msg, 7, 2 /* SERVFAIL */);
	cr_assert_eq(parse(&msg, 7), -ERR_CONNECT);
	buf_done(&msg);
}

Test(srv, an_answer_to_another_question_is_none)
{
	struct buf msg = { 0 };

	dnsmsg_begin(&msg, 8, 0);
	dnsmsg_srv(&msg, 1, 1, 1, "a.example");
	cr_assert_eq(parse(&msg, 7), -ERR_PROTOCOL);
	/* A question is no answer. */
	dnsmsg_begin(&msg, 7, 0);
	msg.data[2] = 0x01;
	cr_assert_eq(parse(&msg, 7), -ERR_PROTOCOL);
	buf_done(&msg);
}

Test(srv, records_that_cannot_be_used_are_left_out)
{
	struct buf msg = { 0 };

	dnsmsg_begin(&msg, 7, 0);
	dnsmsg_srv(&msg, 1, 1, 0, "zero.example");
	dnsmsg_srv(&msg, 1, 1, 2379, "");
	dnsmsg_srv(&msg, 1, 1, 2379, "good.example");
	cr_assert_eq(parse(&msg, 7), 1);
	cr_assert_str_eq(found[0].host, "good.example");
	buf_done(&msg);
}

Test(srv, no_more_than_there_is_room_for)
{
	struct buf msg = { 0 };

	dnsmsg_begin(&msg, 7, 0);
	for (uint16_t i = 0; i < 30; i++)
		dnsmsg_srv(&msg, i, 0, 2379, "x.example");
	cr_assert_eq(parse(&msg, 7), ENDPOINTS_MAX);
	buf_done(&msg);
}

Test(srv, every_cut_and_every_flipped_byte_is_survived)
{
	struct buf msg = { 0 };

	dnsmsg_begin(&msg, 7, 0);
	dnsmsg_srv(&msg, 10, 5, 2380, "b.example");
	dnsmsg_srv(&msg, 20, 5, 2380, "c.example");
	for (size_t len = 0; len <= msg.len; len++) {
		char *cut = str_ndup(msg.data, len);

		(void)!srv_parse((const unsigned char *)cut, len, 7, false, found, NULL);
		free(cut);
	}
	for (size_t at = 0; at < msg.len; at++) {
		for (int bit = 0; bit < 8; bit++) {
			msg.data[at] = (char)(msg.data[at] ^ (1 << bit));
			cr_assert_leq(parse(&msg, 7), ENDPOINTS_MAX);
			msg.data[at] = (char)(msg.data[at] ^ (1 << bit));
		}
	}
	cr_assert_eq(parse(&msg, 7), 2);
	buf_done(&msg);
}
