/* SPDX-License-Identifier: PostgreSQL */
/*
 * drillwindow - the time of day in which an operator allows a drill
 */
#include "cli/drillwindow.h"

#include "base/parse.h"
#include "base/str.h"

#define DAY_MIN 1440
#define NOW_MIN 30

/* "HH:MM" */
static int read_time(const char *text, int *ret_min, struct err *err)
{
	const size_t len = strcspn(text, ":");
	_cleanup_(freep) char *hour_text = str_ndup(text, len);
	int64_t hour = 0, minute = 0;

	if (text[len] == ':' && parse_int(hour_text, 0, 24, &hour, NULL) == 0 &&
	    parse_int(text + len + 1, 0, 59, &minute, NULL) == 0 && hour * 60 + minute <= DAY_MIN) {
		*ret_min = (int)(hour * 60 + minute);
		return 0;
	}
	return err_set(err, ERR_PARSE,
		       "'%s' is no time of day; a window has the form 02:00-04:30, or now", text);
}

int drillwindow_check(const char *text, int minute, int *ret_left_min, struct err *err)
{
	const size_t len = strcspn(text, "-");
	_cleanup_(freep) char *from_text = str_ndup(text, len);
	int from = 0, to = 0;
	int r;

	if (str_eq(text, "now")) {
		*ret_left_min = NOW_MIN;
		return 0;
	}
	r = read_time(from_text, &from, err);
	if (r >= 0)
		r = read_time(text[len] == '-' ? text + len + 1 : "", &to, err);
	if (r < 0)
		return r;
	if (from <= to)
		*ret_left_min = minute >= from && minute < to ? to - minute : 0;
	else if (minute >= from)
		*ret_left_min = DAY_MIN - minute + to;
	else
		*ret_left_min = minute < to ? to - minute : 0;
	return 0;
}
