/* SPDX-License-Identifier: PostgreSQL */
/*
 * parsetime - the part of parse that knows the calendar
 */
#include "base/parse.h"

#include "base/str.h"

#define QUOTE_MAX    80
#define FRACTION_MAX 9 /* etcd and Go write nanoseconds; what is below a microsecond is cut off */

struct moment {
	int year, month, day;
	int hour, minute, second;
	int micro;
	int offset_min; /* east of Greenwich */
	bool has_zone;
};

/* Exactly n digits; moves *s behind them. */
static bool take_digits(const char **s, int n, int *ret)
{
	int value = 0;

	for (int i = 0; i < n; i++) {
		if ((*s)[i] < '0' || (*s)[i] > '9')
			return false;
		value = value * 10 + ((*s)[i] - '0');
	}
	*s += n;
	*ret = value;
	return true;
}

static bool take_char(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

static bool take_fraction(const char **s, int *ret_micro)
{
	int micro = 0;
	int n = 0;

	for (; **s >= '0' && **s <= '9' && n < FRACTION_MAX; (*s)++, n++) {
		if (n < 6)
			micro = micro * 10 + (**s - '0');
	}
	if (n == 0)
		return false;
	for (; n < 6; n++)
		micro *= 10;
	*ret_micro = micro;
	return true;
}

/* Z, +hh, +hhmm, +hh:mm; nothing at all is allowed too. */
static bool take_zone(const char **s, struct moment *m)
{
	int sign = **s == '-' ? -1 : 1;
	int hours = 0;
	int minutes = 0;

	if (!**s)
		return true;
	m->has_zone = true;
	if (take_char(s, 'Z'))
		return true;
	if (!take_char(s, '+') && !take_char(s, '-'))
		return false;
	if (!take_digits(s, 2, &hours))
		return false;
	if (**s) {
		(void)take_char(s, ':');
		if (!take_digits(s, 2, &minutes))
			return false;
	}
	m->offset_min = sign * (hours * 60 + minutes);
	return hours < 24 && minutes < 60;
}

static bool take_moment(const char *s, struct moment *m)
{
	if (!take_digits(&s, 4, &m->year) || !take_char(&s, '-') ||
	    !take_digits(&s, 2, &m->month) || !take_char(&s, '-') || !take_digits(&s, 2, &m->day))
		return false;
	if (!take_char(&s, 'T') && !take_char(&s, ' '))
		return false;
	if (!take_digits(&s, 2, &m->hour) || !take_char(&s, ':') || !take_digits(&s, 2, &m->minute))
		return false;
	if (take_char(&s, ':')) {
		if (!take_digits(&s, 2, &m->second))
			return false;
		if (take_char(&s, '.') && !take_fraction(&s, &m->micro))
			return false;
	}
	return take_zone(&s, m) && !*s;
}

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool is_valid(const struct moment *m)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int length;

	if (m->year < 1 || m->month < 1 || m->month > 12 || m->day < 1)
		return false;
	length = lengths[m->month - 1] + (m->month == 2 && is_leap(m->year));
	return m->day <= length && m->hour < 24 && m->minute < 60 && m->second < 60;
}

/* Days since 1970-01-01 in the Gregorian calendar. Counting years from March puts the leap day
 * last, so that the days before a month follow one formula. */
static int64_t days_of(const struct moment *m)
{
	int64_t y = m->year - (m->month <= 2);
	int64_t from_march = (m->month + 9) % 12;
	int64_t day_of_year = (153 * from_march + 2) / 5 + m->day - 1;

	return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

int32_t parse_time_offset_min(const char *s)
{
	struct moment m = { 0 };

	return take_moment(s, &m) && is_valid(&m) ? m.offset_min : 0;
}

int parse_time_us(const char *s, int64_t *ret, bool *ret_has_zone, struct err *err)
{
	struct moment m = { 0 };
	int64_t seconds;

	if (!take_moment(s, &m) || !is_valid(&m)) {
		char shown[QUOTE_MAX];

		str_line(shown, sizeof(shown), s);
		return err_set(err, ERR_PARSE,
			       "expected a time such as 2030-01-01T10:00:00+01:00, not '%s'",
			       shown);
	}
	seconds = days_of(&m) * 86400 + m.hour * 3600 + m.minute * 60 + m.second;
	*ret = (seconds - (int64_t)m.offset_min * 60) * 1000000 + m.micro;
	*ret_has_zone = m.has_zone;
	return 0;
}
