/* SPDX-License-Identifier: PostgreSQL */
/*
 * record_history - the `history` key, times and slot names as texts
 */
#include <inttypes.h>

#include "base/parse.h"
#include "base/str.h"
#include "wire/jtext.h"
#include "wire/record.h"

/* The timeline of one entry, or 0. */
static uint32_t entry_timeline(const json_t *entry)
{
	int64_t timeline = 0;

	if (!jtext_int(json_array_get(entry, 0), &timeline) || timeline < 1 ||
	    timeline >= UINT32_MAX)
		return 0;
	return (uint32_t)timeline;
}

int record_history_timeline(const char *text, size_t len, uint32_t *ret_timeline, struct err *err)
{
	_cleanup_(jtext_unrefp) json_t *doc = NULL;
	uint32_t last;
	size_t n;
	int r;

	r = jtext_load(text, len, &doc, err);
	if (r < 0) {
		(void)err_wrap(err, "key 'history'");
		return r;
	}
	if (!json_is_array(doc))
		return err_set(err, ERR_PARSE, "key 'history' holds no array");
	n = json_array_size(doc);
	last = n > 0 ? entry_timeline(json_array_get(doc, n - 1)) : 0;
	if (n > 0 && last == 0)
		return err_set(err, ERR_PARSE, "key 'history': the last entry has no timeline");
	*ret_timeline = last + 1;
	return 0;
}

char *record_history_append(const char *old, uint32_t timeline, uint64_t lsn, const char *reason,
			    const char *iso_time, const char *leader, int32_t max)
{
	_cleanup_(jtext_unrefp) json_t *doc = NULL;
	_cleanup_(jtext_unrefp) json_t *kept = NULL;
	struct buf out = { 0 };
	size_t keep = max > 0 ? (size_t)max - 1 : SIZE_MAX;
	size_t n;

	if (!old || jtext_load(old, strlen(old), &doc, NULL) < 0)
		doc = json_array();
	kept = json_array();
	for (size_t i = 0; i < json_array_size(doc); i++) {
		json_t *entry = json_array_get(doc, i);

		if (entry_timeline(entry) != 0 && entry_timeline(entry) != timeline)
			json_array_append(kept, entry);
	}
	n = json_array_size(kept);
	buf_ch(&out, '[');
	for (size_t i = n > keep ? n - keep : 0; i < n; i++) {
		jtext_add(&out, json_array_get(kept, i), JTEXT_COMPACT);
		buf_ch(&out, ',');
	}
	buf_printf(&out, "[%" PRIu32 ",%" PRIu64 ",", timeline, lsn);
	jtext_add_string(&out, reason, strlen(reason));
	buf_ch(&out, ',');
	jtext_add_string(&out, iso_time, strlen(iso_time));
	buf_ch(&out, ',');
	jtext_add_string(&out, leader, strlen(leader));
	buf_str(&out, "]]");
	return buf_take(&out);
}

/* Year, month and day of a count of days since 1970-01-01 in the proleptic Gregorian calendar.
 * Years are taken to begin in March, so that the leap day is a year's last. */
static void civil_date(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
	int64_t shifted = days + 719468; /* from 0000-03-01 */
	int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	int64_t day_of_era = shifted - era * 146097;
	int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month = (5 * day_of_year + 2) / 153; /* 0 is March */

	*ret_day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
	*ret_month = (int)(month < 10 ? month + 3 : month - 9);
	*ret_year = era * 400 + year_of_era + (month >= 10);
}

const char *record_iso_time(int64_t wall_us, char separator, char dst[ISO_TEXT_MAX])
{
	int64_t second = wall_us / 1000000;
	int64_t fraction = wall_us % 1000000;
	int64_t of_day;
	int64_t year;
	int month;
	int day;

	if (fraction < 0) {
		fraction += 1000000;
		second--;
	}
	of_day = second % 86400;
	if (of_day < 0)
		of_day += 86400;
	civil_date((second - of_day) / 86400, &year, &month, &day);
	(void)str_printf(dst, ISO_TEXT_MAX, "%04" PRId64 "-%02d-%02d%c%02d:%02d:%02d.%06d+00:00",
			 year, month, day, separator, (int)(of_day / 3600), (int)(of_day / 60 % 60),
			 (int)(of_day % 60), (int)fraction);
	return dst;
}

const char *record_iso_zoned(int64_t wall_us, int32_t offset_min, char dst[ISO_TEXT_MAX])
{
	int32_t distance_min = offset_min < 0 ? -offset_min : offset_min;
	const size_t seconds = strlen("1970-01-01T00:00:00");
	size_t len;

	record_iso_time(wall_us + offset_min * INT64_C(60000000), 'T', dst);
	len = wall_us % 1000000 == 0 ? seconds : seconds + strlen(".000000");
	(void)str_printf(dst + len, ISO_TEXT_MAX - len, "%c%02d:%02d", offset_min < 0 ? '-' : '+',
			 distance_min / 60, distance_min % 60);
	return dst;
}

/* Lower case as Python's str.lower() for the letters that names are made of: ASCII, Latin-1,
 * Greek, Cyrillic. */
static uint32_t lower(uint32_t code)
{
	if ((code >= 'A' && code <= 'Z') || (code >= 0xc0 && code <= 0xde && code != 0xd7) ||
	    (code >= 0x391 && code <= 0x3a9 && code != 0x3a2) || (code >= 0x410 && code <= 0x42f))
		return code + 32;
	return code >= 0x400 && code <= 0x40f ? code + 80 : code;
}

void record_slot_name(const char *member, char dst[NAME_SIZE])
{
	size_t len = strlen(member);
	size_t n = 0;

	for (size_t i = 0; i < len && n < NAME_SIZE - 1;) {
		char part[16];
		uint32_t code = 0xfffd;
		size_t step = jtext_utf8(member + i, len - i, &code);

		code = lower(code);
		if ((code >= 'a' && code <= 'z') || (code >= '0' && code <= '9') || code == '_')
			(void)str_printf(part, sizeof(part), "%c", (char)code);
		else if (code == '-' || code == '.')
			(void)str_copy(part, sizeof(part), "_");
		else
			(void)str_printf(part, sizeof(part), "u%04" PRIu32, code);
		for (const char *c = part; *c && n < NAME_SIZE - 1; c++)
			dst[n++] = *c;
		i += step > 0 ? step : 1;
	}
	dst[n] = 0;
}
