/* SPDX-License-Identifier: PostgreSQL */
/*
 * when - the time an operator schedules something for
 */
#include "cli/when.h"

#include <ctype.h>
#include <time.h>

#include "base/parse.h"
#include "base/str.h"

#define SECOND_US INT64_C(1000000)
#define HOUR_US   (3600 * SECOND_US)

static time_t seconds_of(int64_t us)
{
	int64_t s = us / SECOND_US;

	return (time_t)(us % SECOND_US < 0 ? s - 1 : s);
}

static bool is_date(const char *s)
{
	return strlen(s) == 10 && s[4] == '-' && s[7] == '-';
}

static bool is_time(const char *s)
{
	return strlen(s) >= 5 && s[2] == ':' && isdigit((unsigned char)s[0]);
}

/* Brings what people write into the form parse_time_us() reads: blanks at the ends and before
 * the zone go away, a missing half is added. */
static int complete(const char *text, int64_t now_us, char dst[WHEN_SIZE])
{
	const time_t now_s = seconds_of(now_us);
	char tight[WHEN_SIZE];
	struct tm today;
	size_t n = 0;

	localtime_r(&now_s, &today);
	while (isspace((unsigned char)*text))
		text++;
	for (; *text != '\0' && n + 1 < sizeof(tight); text++)
		if (!isspace((unsigned char)*text) || n == 10)
			tight[n++] = *text;
	tight[n] = '\0';
	if (*text != '\0')
		return -ERR_TOOLONG;
	if (str_ends(tight, "UTC") || str_ends(tight, "GMT"))
		memcpy(tight + strlen(tight) - 3, "Z", 2);

	if (is_date(tight))
		return str_printf(dst, WHEN_SIZE, "%sT00:00:00", tight);
	if (is_time(tight))
		return str_printf(dst, WHEN_SIZE, "%04d-%02d-%02dT%s", today.tm_year + 1900,
				  today.tm_mon + 1, today.tm_mday, tight);
	return str_copy(dst, WHEN_SIZE, tight);
}

/* Cuts the zone off: what is left is what a clock on the wall there shows. */
static void cut_zone(char *text)
{
	size_t from = strlen(text) > 10 ? 10 : strlen(text);

	text[from + strcspn(text + from, "Z+-")] = '\0';
}

/* Local time is ambiguous for an hour a year; mktime() then decides. */
static int64_t local_to_us(int64_t shown_us)
{
	const time_t shown_s = seconds_of(shown_us);
	struct tm tm;

	gmtime_r(&shown_s, &tm);
	tm.tm_isdst = -1;
	return (int64_t)mktime(&tm) * SECOND_US + shown_us % SECOND_US;
}

static int print_iso(int64_t shown_us, int64_t at_us, char dst[WHEN_SIZE])
{
	const time_t shown_s = seconds_of(shown_us);
	const int offset_min = (int)((shown_us - at_us) / (60 * SECOND_US));
	const int distance_min = offset_min < 0 ? -offset_min : offset_min;
	char fraction[8] = "";
	struct tm tm;

	gmtime_r(&shown_s, &tm);
	if (shown_us % SECOND_US != 0)
		(void)str_printf(fraction, sizeof(fraction), ".%06d", (int)(shown_us % SECOND_US));
	return str_printf(dst, WHEN_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d%s%c%02d:%02d",
			  tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
			  tm.tm_sec, fraction, offset_min < 0 ? '-' : '+', distance_min / 60,
			  distance_min % 60);
}

static int unreadable(const char *text, struct err *err)
{
	return err_set(err, ERR_PARSE,
		       "Unable to parse scheduled timestamp (%s). It should be in an unambiguous "
		       "format (e.g. ISO 8601)",
		       text);
}

int when_parse(const char *text, int64_t now_us, struct when *ret, struct err *err)
{
	struct when when = { 0 };
	char whole[WHEN_SIZE];
	char shown[WHEN_SIZE];
	int64_t shown_us;
	bool has_zone, unused;

	if (text == NULL || *text == '\0' || str_eq(text, "now")) {
		*ret = (struct when){ .now = true };
		return 0;
	}
	if (complete(text, now_us, whole) < 0 ||
	    parse_time_us(whole, &when.at_us, &has_zone, NULL) < 0)
		return unreadable(text, err);
	memcpy(shown, whole, sizeof(shown));
	cut_zone(shown);
	if (parse_time_us(shown, &shown_us, &unused, NULL) < 0)
		return unreadable(text, err);
	if (!has_zone)
		when.at_us = local_to_us(shown_us);
	if (print_iso(shown_us, when.at_us, when.iso) < 0)
		return unreadable(text, err);
	*ret = when;
	return 0;
}

void when_stamp(int64_t wall_us, bool fraction, char dst[WHEN_SIZE])
{
	const time_t wall_s = seconds_of(wall_us);
	struct tm tm;
	size_t n;

	localtime_r(&wall_s, &tm);
	n = strftime(dst, WHEN_SIZE, "%Y-%m-%d %H:%M:%S", &tm);
	if (fraction)
		(void)str_printf(dst + n, WHEN_SIZE - n, ".%05d", (int)(wall_us % SECOND_US / 10));
}

void when_example(int64_t now_us, char dst[WHEN_SIZE])
{
	const time_t then_s = seconds_of(now_us + HOUR_US);
	struct tm tm;

	localtime_r(&then_s, &tm);
	(void)strftime(dst, WHEN_SIZE, "%Y-%m-%dT%H:%M", &tm);
}
