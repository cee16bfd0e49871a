/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_pgcontrol - the words of pg_controldata
 */
#include "io/pgcontrol.h"

#include <criterion/criterion.h>

#include "base/str.h"

/* PostgreSQL 15, as it prints it, with the lines that matter as parameters. */
static void text_15(struct buf *ret, const char *state, const char *checkpoint)
{
	buf_clear(ret);
	buf_printf(ret,
		   "pg_control version number:            1300\n"
		   "Catalog version number:               202209061\n"
		   "Database system identifier:           7710548422562557675\n"
		   "Database cluster state:               %s\n"
		   "pg_control last modified:             Sat Nov 21 09:05:53 2026\n"
		   "Latest checkpoint location:           %s\n"
		   "Latest checkpoint's REDO location:    0/17529B0\n"
		   "Latest checkpoint's REDO WAL file:    000000010000000000000001\n"
		   "Latest checkpoint's TimeLineID:       3\n"
		   "Latest checkpoint's PrevTimeLineID:   3\n"
		   "Latest checkpoint's full_page_writes: on\n"
		   "Latest checkpoint's oldestCommitTsXid:0\n"
		   "Time of latest checkpoint:            Sat Nov 21 09:05:53 2026\n"
		   "Minimum recovery ending location:     0/2000110\n"
		   "Min recovery ending loc's timeline:   4\n"
		   "Backup start location:                0/0\n"
		   "End-of-backup record required:        no\n"
		   "wal_level setting:                    replica\n"
		   "wal_log_hints setting:                off\n"
		   "max_connections setting:              100\n"
		   "max_worker_processes setting:         8\n"
		   "max_wal_senders setting:              10\n"
		   "max_prepared_xacts setting:           0\n"
		   "max_locks_per_xact setting:           64\n"
		   "track_commit_timestamp setting:       off\n"
		   "WAL block size:                       8192\n"
		   "Bytes per WAL segment:                16777216\n"
		   "Data page checksum version:           1\n"
		   "Mock authentication nonce:            0d92453b2916c892\n",
		   state, checkpoint);
}

Test(pgcontrol, takes_every_field)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct pgcontrol control;
	struct err err = { 0 };

	text_15(&text, "in archive recovery", "1F/17529B0");
	cr_assert_eq(pgcontrol_parse(text.data, &control, &err), 0, "%s", err.msg);
	cr_assert_str_eq(control.sysid, "7710548422562557675");
	cr_assert_eq(control.state, CONTROL_IN_ARCHIVE_RECOVERY);
	cr_assert_eq(control.checkpoint_lsn, UINT64_C(0x1F017529B0));
	cr_assert_eq(control.timeline, 3);
	cr_assert_eq(control.min_recovery_lsn, 0x2000110);
	cr_assert_eq(control.min_recovery_timeline, 4);
	cr_assert_not(control.wal_log_hints);
	cr_assert(control.checksums);
	cr_assert_eq(control.max_connections, 100);
	cr_assert_eq(control.max_worker_processes, 8);
	cr_assert_eq(control.max_wal_senders, 10);
	cr_assert_eq(control.max_prepared_transactions, 0);
	cr_assert_eq(control.max_locks_per_transaction, 64);
	cr_assert_eq(control.wal_block_bytes, 8192);
	cr_assert_eq(control.wal_segment_bytes, 16777216);
}

Test(pgcontrol, knows_every_state)
{
	static const struct {
		const char *text;
		enum pg_control state;
	} cases[] = {
		{ "starting up", CONTROL_STARTING_UP },
		{ "shut down", CONTROL_SHUT_DOWN },
		{ "shut down in recovery", CONTROL_SHUT_DOWN_IN_RECOVERY },
		{ "shutting down", CONTROL_SHUTTING_DOWN },
		{ "in crash recovery", CONTROL_IN_CRASH_RECOVERY },
		{ "in archive recovery", CONTROL_IN_ARCHIVE_RECOVERY },
		{ "in production", CONTROL_IN_PRODUCTION },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(buf_done) struct buf text = { 0 };
		struct pgcontrol control;

		text_15(&text, cases[i].text, "0/28");
		cr_assert_eq(pgcontrol_parse(text.data, &control, NULL), 0);
		cr_assert_eq(control.state, cases[i].state, "%s", cases[i].text);
	}
}

Test(pgcontrol, refuses_what_it_does_not_understand)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct pgcontrol control;
	struct err err = { 0 };

	text_15(&text, "dancing", "0/28");
	cr_assert_eq(pgcontrol_parse(text.data, &control, &err), -ERR_PARSE);
	text_15(&text, "shut down", "0-28");
	cr_assert_lt(pgcontrol_parse(text.data, &control, &err), 0);
	text_15(&text, "shut down", "0/28");
	*strstr(text.data, "Latest checkpoint's TimeLineID") = 'l';
	cr_assert_eq(pgcontrol_parse(text.data, &control, &err), -ERR_PARSE);
	cr_assert(strstr(err.msg, "TimeLineID"));
	cr_assert_eq(pgcontrol_parse("", &control, &err), -ERR_PARSE);
}

Test(pgcontrol, does_not_believe_a_damaged_file)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(buf_done) struct buf whole = { 0 };
	struct pgcontrol control;

	text_15(&text, "shut down", "0/28");
	buf_str(&whole, "WARNING: Calculated CRC checksum does not match value stored in file.\n"
			"Either the file is corrupt, or it has a different layout than this "
			"program\nis expecting.  The results below are untrustworthy.\n\n");
	buf_add(&whole, text.data, text.len);
	cr_assert_eq(pgcontrol_parse(whole.data, &control, NULL), -ERR_PARSE);
}

static uint64_t end_of(const char *state, const char *checkpoint)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct pgcontrol control;

	text_15(&text, state, checkpoint);
	cr_assert_eq(pgcontrol_parse(text.data, &control, NULL), 0);
	return pgcontrol_end_lsn(&control);
}

Test(pgcontrol, wal_ends_behind_the_shutdown_checkpoint)
{
	/* Two consecutive shutdown checkpoints of a real server. */
	cr_assert_eq(end_of("shut down", "0/17529B0"), 0x1752A28);
	/* The last place in a page where the record fits, and the first where it does not. */
	cr_assert_eq(end_of("shut down", "0/1753F88"), 0x1754000);
	cr_assert_eq(end_of("shut down", "0/1753F90"), 0x1754008 + 24);
	/* The next page begins a segment: its header is longer. */
	cr_assert_eq(end_of("shut down", "0/1FFFF90"), 0x2000008 + 40);
}

Test(pgcontrol, knows_no_end_unless_shut_down_as_primary)
{
	cr_assert_eq(end_of("in production", "0/17529B0"), 0);
	cr_assert_eq(end_of("shut down in recovery", "0/17529B0"), 0);
	cr_assert_eq(end_of("shutting down", "0/17529B0"), 0);
}

Test(pgcontrol, fills_the_state)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct pg_state state = { .run = PG_DOWN, .role = ROLE_REPLICA };
	struct pgcontrol control;

	text_15(&text, "shut down", "0/17529B0");
	cr_assert_eq(pgcontrol_parse(text.data, &control, NULL), 0);
	pgcontrol_apply(&control, &state);
	cr_assert_eq(state.run, PG_DOWN);
	cr_assert_eq(state.role, ROLE_REPLICA);
	cr_assert_eq(state.control, CONTROL_SHUT_DOWN);
	cr_assert_eq(state.control_timeline, 4);
	cr_assert_eq(state.control_end_lsn, 0x1752A28);
	cr_assert(state.can_rewind);
	cr_assert_str_eq(state.sysid, "7710548422562557675");
}
