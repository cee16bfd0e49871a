/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_parse - a text is taken whole or refused, and a refusal changes nothing
 */
#include "base/parse.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

#include "base/str.h"

#define UNTOUCHED 4711

/* What a parser said: its value when it took the text, UNTOUCHED when it did not. */
#define GIVES(call, want)                                                           \
	do {                                                                        \
		struct err err = { 0 };                                             \
		int64_t value = UNTOUCHED;                                          \
		int r = call;                                                       \
		cr_assert_eq(r, 0, "%s: %s", #call, err.msg);                       \
		cr_assert_eq(value, (int64_t)(want), "%s: %" PRId64, #call, value); \
	} while (0)

#define REFUSES(call, want)                                                           \
	do {                                                                          \
		struct err err = { 0 };                                               \
		int64_t value = UNTOUCHED;                                            \
		int r = call;                                                         \
		cr_assert_eq(r, -(want), "%s: %d", #call, r);                         \
		cr_assert_eq(err.code, (want));                                       \
		cr_assert_eq(value, UNTOUCHED, "%s", #call);                          \
		cr_assert(str_starts(err.msg, "expected ") || strstr(err.msg, ": ")); \
	} while (0)

static int integer(const char *s, int64_t *value, struct err *err)
{
	return parse_int(s, INT64_MIN, INT64_MAX, value, err);
}

Test(parse, int_takes_decimal_with_a_sign)
{
	GIVES(integer("0", &value, &err), 0);
	GIVES(integer("-0", &value, &err), 0);
	GIVES(integer("+5", &value, &err), 5);
	GIVES(integer("0010", &value, &err), 10);
	GIVES(integer("9223372036854775807", &value, &err), INT64_MAX);
	GIVES(integer("-9223372036854775808", &value, &err), INT64_MIN);
}

Test(parse, int_refuses_what_is_not_wholly_a_number)
{
	const char *const bad[] = { "",   "-",  "+",    "--1", "+-1", " 1",
				    "1 ", "1x", "0x10", "1.0", "1e3" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		REFUSES(integer(bad[i], &value, &err), ERR_PARSE);
}

Test(parse, int_has_limits)
{
	REFUSES(integer("9223372036854775808", &value, &err), ERR_RANGE);
	REFUSES(integer("-9223372036854775809", &value, &err), ERR_RANGE);
	REFUSES(integer("99999999999999999999999", &value, &err), ERR_RANGE);
	GIVES(parse_int("3", 3, 5, &value, &err), 3);
	GIVES(parse_int("5", 3, 5, &value, &err), 5);
	REFUSES(parse_int("2", 3, 5, &value, &err), ERR_RANGE);
	REFUSES(parse_int("6", 3, 5, &value, &err), ERR_RANGE);
}

Test(parse, int_errors_name_the_limits)
{
	struct err err = { 0 };
	int64_t value;

	(void)parse_int("70000", 1, 65535, &value, &err);
	cr_assert_str_eq(err.msg, "expected an integer from 1 to 65535, not '70000'");
	(void)parse_int("many", 1, 65535, &value, &err);
	cr_assert_str_eq(err.msg, "expected an integer, not 'many'");
}

Test(parse, uint_takes_no_sign)
{
	struct err err = { 0 };
	uint64_t value = UNTOUCHED;

	cr_assert_eq(parse_uint("18446744073709551615", UINT64_MAX, &value, &err), 0);
	cr_assert_eq(value, UINT64_MAX);
	value = UNTOUCHED;
	cr_assert_eq(parse_uint("18446744073709551616", UINT64_MAX, &value, &err), -ERR_RANGE);
	cr_assert_eq(parse_uint("-1", 10, &value, &err), -ERR_PARSE);
	cr_assert_eq(parse_uint("+1", 10, &value, &err), -ERR_PARSE);
	cr_assert_eq(parse_uint("", 10, &value, &err), -ERR_PARSE);
	cr_assert_eq(parse_uint("11", 10, &value, &err), -ERR_RANGE);
	cr_assert_eq(value, UNTOUCHED);
	cr_assert_eq(parse_uint("10", 10, &value, &err), 0);
	cr_assert_eq(value, 10);
}

Test(parse, bool_knows_eight_words_in_any_case)
{
	const char *const yes[] = { "on", "true", "yes", "1", "ON", "True", "yEs" };
	const char *const no[] = { "off", "false", "no", "0", "OFF", "False", "nO" };
	const char *const neither[] = { "", "t", "2", "y", " on", "on ", "enabled", "null" };
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		bool value = false;

		cr_assert_eq(parse_bool(yes[i], &value, &err), 0);
		cr_assert(value);
	}
	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		bool value = true;

		cr_assert_eq(parse_bool(no[i], &value, &err), 0);
		cr_assert_not(value);
	}
	for (size_t i = 0; i < ARRAY_LEN(neither); i++) {
		bool value = true;

		cr_assert_eq(parse_bool(neither[i], &value, &err), -ERR_PARSE);
		cr_assert(value);
	}
}

Test(parse, durations_come_out_in_milliseconds)
{
	GIVES(parse_duration_ms("10", "s", &value, &err), 10000);
	GIVES(parse_duration_ms("10", "ms", &value, &err), 10);
	GIVES(parse_duration_ms("10", "min", &value, &err), 600000);
	GIVES(parse_duration_ms("10ms", "s", &value, &err), 10);
	GIVES(parse_duration_ms("10 s", "ms", &value, &err), 10000);
	GIVES(parse_duration_ms("30min", "s", &value, &err), 1800000);
	GIVES(parse_duration_ms("2h", "s", &value, &err), 7200000);
	GIVES(parse_duration_ms("1d", "s", &value, &err), 86400000);
	GIVES(parse_duration_ms("-1", "s", &value, &err), -1000);
	GIVES(parse_duration_ms("0x10s", "s", &value, &err), 16000);
	GIVES(parse_duration_ms("010s", "s", &value, &err), 8000);
}

Test(parse, durations_are_rounded_half_to_even)
{
	GIVES(parse_duration_ms("500us", "s", &value, &err), 0);
	GIVES(parse_duration_ms("501us", "s", &value, &err), 1);
	GIVES(parse_duration_ms("1499us", "s", &value, &err), 1);
	GIVES(parse_duration_ms("1500us", "s", &value, &err), 2);
	GIVES(parse_duration_ms("2500us", "s", &value, &err), 2);
	GIVES(parse_duration_ms("-500us", "s", &value, &err), 0);
	GIVES(parse_duration_ms("-1500us", "s", &value, &err), -2);
	GIVES(parse_duration_ms("2.5ms", "s", &value, &err), 2);
	GIVES(parse_duration_ms("3.5ms", "s", &value, &err), 4);
	GIVES(parse_duration_ms("-3.5ms", "s", &value, &err), -4);
}

Test(parse, durations_may_have_fractions_and_exponents)
{
	GIVES(parse_duration_ms("1.5", "s", &value, &err), 1500);
	GIVES(parse_duration_ms("1.5h", "s", &value, &err), 5400000);
	GIVES(parse_duration_ms(".5s", "s", &value, &err), 500);
	GIVES(parse_duration_ms("5.s", "s", &value, &err), 5000);
	GIVES(parse_duration_ms("010.5s", "s", &value, &err), 10500);
	GIVES(parse_duration_ms("1e3ms", "s", &value, &err), 1000);
	GIVES(parse_duration_ms("1e-1s", "s", &value, &err), 100);
	GIVES(parse_duration_ms("1.25E+1s", "s", &value, &err), 12500);
	/* Rounded to whole minutes first, as Postgres does with fractions of an hour. */
	GIVES(parse_duration_ms("0.51h", "s", &value, &err), 31 * 60000);
	GIVES(parse_duration_ms("0.1s", "s", &value, &err), 100);
	GIVES(parse_duration_ms("0.3s", "s", &value, &err), 300);
	GIVES(parse_duration_ms("0.100000000000000000000000001s", "s", &value, &err), 100);
}

Test(parse, durations_that_are_none_are_refused)
{
	const char *const bad[] = { "",     "s",     "-",    "-s",     "10S",   "10MS", "10sec",
				    "10m",  "10 s ", " 10s", "1..5s",  "1.5.5", "e5",   ".",
				    "1e",   "1e+",   "1e5x", "0x",     "0xs",   "08s",  "10kB",
				    "1 0s", "nan",   "inf",  "0x1.8s", "--1",   "1e401" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		REFUSES(parse_duration_ms(bad[i], "s", &value, &err), ERR_PARSE);
}

Test(parse, durations_have_limits)
{
	/* Counted in microseconds inside. */
	GIVES(parse_duration_ms("9223372036854775807us", "s", &value, &err),
	      INT64_C(9223372036854776));
	REFUSES(parse_duration_ms("9223372036855s", "ms", &value, &err), ERR_RANGE);
	GIVES(parse_duration_ms("9223372036854s", "ms", &value, &err), INT64_C(9223372036854000));
	REFUSES(parse_duration_ms("1e400d", "s", &value, &err), ERR_RANGE);
}

Test(parse, sizes_come_out_in_bytes)
{
	GIVES(parse_size("1048576", 1, &value, &err), 1048576);
	GIVES(parse_size("16", 8192, &value, &err), 131072);
	GIVES(parse_size("10B", 8192, &value, &err), 10);
	GIVES(parse_size("1kB", 1, &value, &err), 1024);
	GIVES(parse_size("16MB", 1, &value, &err), 16777216);
	GIVES(parse_size("1 GB", 1, &value, &err), 1073741824);
	GIVES(parse_size("2TB", 1, &value, &err), INT64_C(2199023255552));
	GIVES(parse_size("1.5kB", 1, &value, &err), 1536);
	/* 1126.4 MB, rounded to whole megabytes as Postgres does. */
	GIVES(parse_size("1.1GB", 1, &value, &err), INT64_C(1126) << 20);
	GIVES(parse_size("-1", 1, &value, &err), -1);
}

Test(parse, sizes_that_are_none_are_refused)
{
	const char *const bad[] = { "", "kB", "1KB", "1kb", "1mb", "1M", "1kBB", "1s", "1k B" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		REFUSES(parse_size(bad[i], 1, &value, &err), ERR_PARSE);
	GIVES(parse_size("8388607TB", 1, &value, &err), INT64_C(8388607) << 40);
	REFUSES(parse_size("8388608TB", 1, &value, &err), ERR_RANGE);
	REFUSES(parse_size("1e19", 1, &value, &err), ERR_RANGE);
}

Test(parse, positions_have_two_halves)
{
	struct err err = { 0 };
	uint64_t lsn = UNTOUCHED;

	cr_assert_eq(parse_lsn("16/B374D848", &lsn, &err), 0);
	cr_assert_eq(lsn, UINT64_C(0x16B374D848));
	cr_assert_eq(parse_lsn("0/0", &lsn, &err), 0);
	cr_assert_eq(lsn, 0);
	cr_assert_eq(parse_lsn("ffffffff/FFFFFFFF", &lsn, &err), 0);
	cr_assert_eq(lsn, UINT64_MAX);
	cr_assert_eq(parse_lsn("00000001/00000002", &lsn, &err), 0);
	cr_assert_eq(lsn, UINT64_C(0x100000002));
}

Test(parse, positions_that_are_none_are_refused)
{
	const char *const bad[] = {
		"",      "/",           "0/",          "/0",          "0",
		"0/0 ",  " 0/0",        "x/0",         "0/g",         "-1/0",
		"0/0/0", "100000000/0", "0/100000000", "000000000/0", "0/000000000",
		"0x1/0"
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err err = { 0 };
		uint64_t lsn = UNTOUCHED;

		cr_assert_eq(parse_lsn(bad[i], &lsn, &err), -ERR_PARSE, "%s", bad[i]);
		cr_assert_eq(lsn, UNTOUCHED);
	}
}

Test(parse, positions_print_as_postgres_prints_them)
{
	char text[LSN_TEXT_MAX];

	cr_assert_str_eq(lsn_text(UINT64_C(0x4000060), text), "0/4000060");
	cr_assert_str_eq(lsn_text(UINT64_C(0x1600000001), text), "16/1");
	cr_assert_str_eq(lsn_text(UINT64_MAX, text), "FFFFFFFF/FFFFFFFF");
	cr_assert_str_eq(lsn_text(0, text), "0/0");
}

static int moment(const char *s, int64_t *value, bool *zone, struct err *err)
{
	return parse_time_us(s, value, zone, err);
}

Test(parse, times_are_microseconds_since_the_epoch)
{
	bool zone = false;

	GIVES(moment("1970-01-01T00:00:00Z", &value, &zone, &err), 0);
	cr_assert(zone);
	GIVES(moment("1969-12-31T23:59:59.999999Z", &value, &zone, &err), -1);
	GIVES(moment("2030-01-01T10:00:00Z", &value, &zone, &err), INT64_C(1893492000000000));
	GIVES(moment("2030-01-01 10:00:00.25+00", &value, &zone, &err), INT64_C(1893492000250000));
	GIVES(moment("2030-01-01T10:00:00.123456789Z", &value, &zone, &err),
	      INT64_C(1893492000123456));
	GIVES(moment("2030-01-01T10:00Z", &value, &zone, &err), INT64_C(1893492000000000));
	GIVES(moment("2000-03-01T00:00:00Z", &value, &zone, &err), INT64_C(951868800000000));
	GIVES(moment("2024-02-29T23:59:59Z", &value, &zone, &err), INT64_C(1709251199000000));
	GIVES(moment("0001-01-01T00:00:00Z", &value, &zone, &err), INT64_C(-62135596800000000));
	GIVES(moment("9999-12-31T23:59:59Z", &value, &zone, &err), INT64_C(253402300799000000));
}

Test(parse, times_know_their_zone)
{
	bool zone = false;

	GIVES(moment("1970-01-01T01:00:00+01:00", &value, &zone, &err), 0);
	cr_assert(zone);
	GIVES(moment("1970-01-01T01:30:00+0130", &value, &zone, &err), 0);
	GIVES(moment("1970-01-01T02:00:00+02", &value, &zone, &err), 0);
	GIVES(moment("1969-12-31T18:30:00-05:30", &value, &zone, &err), 0);
	GIVES(moment("1970-01-01T23:59:00+23:59", &value, &zone, &err), 0);
	GIVES(moment("1970-01-01T00:00:00", &value, &zone, &err), 0);
	cr_assert_not(zone);
}

Test(parse, times_that_are_none_are_refused)
{
	const char *const bad[] = {
		"",
		"now",
		"2030-01-01",
		"2030-01-01T",
		"2030-01-01T10",
		"2030-1-1T10:00:00",
		"2030-13-01T10:00:00",
		"2030-00-01T10:00:00",
		"2030-01-00T10:00:00",
		"2030-01-32T10:00:00",
		"2030-04-31T10:00:00",
		"2023-02-29T10:00:00",
		"1900-02-29T10:00:00",
		"0000-01-01T10:00:00",
		"2030-01-01T24:00:00",
		"2030-01-01T10:60:00",
		"2030-01-01T10:00:60",
		"2030-01-01T10:00:00.",
		"2030-01-01T10:00:00.1234567890",
		"2030-01-01T10:00.5",
		"2030-01-01T10:00:",
		"2030-01-01T10:00:00+",
		"2030-01-01T10:00:00+1",
		"2030-01-01T10:00:00+24:00",
		"2030-01-01T10:00:00+01:60",
		"2030-01-01T10:00:00+01:0",
		"2030-01-01T10:00:00Zx",
		"2030-01-01T10:00:00 Z",
		"2030-01-01T10:00:00z",
		"2030/01/01T10:00:00",
		" 2030-01-01T10:00:00",
		"-030-01-01T10:00:00",
		"2030-01-01T10:00:00+01:000",
	};
	bool zone = true;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		REFUSES(moment(bad[i], &value, &zone, &err), ERR_PARSE);
	cr_assert(zone);
}

struct place {
	const char *text;
	const char *host;
	uint16_t port;
};

Test(parse, hosts_and_ports)
{
	static const struct place places[] = {
		{ "db1:5433", "db1", 5433 },
		{ "db1", "db1", 5432 },
		{ "10.0.0.1:1", "10.0.0.1", 1 },
		{ "10.0.0.1:65535", "10.0.0.1", 65535 },
		{ "*:5432", "*", 5432 },
		{ "[::1]:5433", "::1", 5433 },
		{ "[::1]", "::1", 5432 },
		{ "[fe80::a:b]:1", "fe80::a:b", 1 },
		{ "::1:5433", "::1", 5433 },
		{ "127.0.0.1,10.0.0.1:5433", "127.0.0.1,10.0.0.1", 5433 },
	};

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct err err = { 0 };
		char host[64];
		uint16_t port = 0;

		cr_assert_eq(parse_hostport(places[i].text, 5432, host, sizeof(host), &port, &err),
			     0, "%s: %s", places[i].text, err.msg);
		cr_assert_str_eq(host, places[i].host);
		cr_assert_eq(port, places[i].port, "%s: %d", places[i].text, port);
	}
}

Test(parse, hosts_and_ports_that_are_none_are_refused)
{
	const char *const bad[] = { "",       ":",       ":5432",   "db1:",   "db1:x",
				    "db1:5x", "db1:-1",  "db1:+1",  "db 1:5", " db1",
				    "[::1",   "::1]:5",  "[db1]:5", "[]:5",   "[::1]5",
				    "[::1]:", "db1:2:3", "::1",     "a]b:1",  "http://db1:5" };
	const char *const range[] = { "db1:0", "db1:65536", "[::1]:99999999999999999999" };

	for (size_t i = 0; i < ARRAY_LEN(bad) + ARRAY_LEN(range); i++) {
		bool of_range = i >= ARRAY_LEN(bad);
		const char *s = of_range ? range[i - ARRAY_LEN(bad)] : bad[i];
		struct err err = { 0 };
		char host[64] = "untouched";
		uint16_t port = UNTOUCHED;

		cr_assert_eq(parse_hostport(s, 5432, host, sizeof(host), &port, &err),
			     of_range ? -ERR_RANGE : -ERR_PARSE, "%s: %s", s, err.msg);
		cr_assert_str_eq(host, "untouched");
		cr_assert_eq(port, UNTOUCHED);
	}
}

Test(parse, a_host_must_fit)
{
	struct err err = { 0 };
	char host[4];
	uint16_t port = 0;

	cr_assert_eq(parse_hostport("db1:5", 1, host, sizeof(host), &port, &err), 0);
	cr_assert_eq(parse_hostport("db12:5", 1, host, sizeof(host), &port, &err), -ERR_TOOLONG);
}

Test(parse, tells_the_offset_of_a_time)
{
	cr_assert_eq(parse_time_offset_min("2030-01-01T10:00:00+01:00"), 60);
	cr_assert_eq(parse_time_offset_min("2030-01-01T10:00-0330"), -210);
	cr_assert_eq(parse_time_offset_min("2030-01-01T10:00:00Z"), 0);
	cr_assert_eq(parse_time_offset_min("2030-01-01T10:00:00"), 0);
	cr_assert_eq(parse_time_offset_min("2030-13-01T10:00:00+01:00"), 0);
	cr_assert_eq(parse_time_offset_min("soon+01:00"), 0);
}
