/* SPDX-License-Identifier: PostgreSQL */
/*
 * parse - strict text to value
 */
#include "base/parse.h"

#include <arpa/inet.h>
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/str.h"

#define EXPONENT_MAX 400 /* beyond any double, and short enough to multiply in a loop */
#define QUOTE_MAX    80  /* how much of a bad text is worth repeating */
#define HOST_TEXT_MAX 512 /* of a host name that is looked at */

struct unit {
	const char *name;
	int64_t factor; /* in the smallest unit of its table */
	int64_t finer;  /* factor of the next smaller unit; fractions are rounded to that first */
};

/* clang-format off */
static const struct unit time_units[] = {
	{ "us",  1,                            1 },
	{ "ms",  1000,                         1 },
	{ "s",   1000000,                      1000 },
	{ "min", INT64_C(60) * 1000000,        1000000 },
	{ "h",   INT64_C(3600) * 1000000,      INT64_C(60) * 1000000 },
	{ "d",   INT64_C(86400) * 1000000,     INT64_C(3600) * 1000000 },
};

static const struct unit size_units[] = {
	{ "B",  1,                1 },
	{ "kB", INT64_C(1) << 10, 1 },
	{ "MB", INT64_C(1) << 20, INT64_C(1) << 10 },
	{ "GB", INT64_C(1) << 30, INT64_C(1) << 20 },
	{ "TB", INT64_C(1) << 40, INT64_C(1) << 30 },
};
/* clang-format on */

/* A number as it was written: whole when exact, else real. */
struct number {
	bool exact;
	int64_t whole;
	double real;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Value of a digit in any base up to 16, or 16 when it is none. */
static unsigned digit_of(char c)
{
	if (is_digit(c))
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a' + 10);
	if (c >= 'A' && c <= 'F')
		return (unsigned)(c - 'A' + 10);
	return 16;
}

/* Reads digits of a base. Returns the first character behind them, s itself when there were none,
 * NULL when the value is larger than max. */
static const char *digits(const char *s, unsigned base, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;

	for (; digit_of(*s) < base; s++) {
		if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
		    __builtin_add_overflow(value, (uint64_t)digit_of(*s), &value) || value > max)
			return NULL;
	}
	*ret = value;
	return s;
}

static int bad(struct err *err, enum err_code code, const char *wanted, const char *s)
{
	char shown[QUOTE_MAX];

	str_line(shown, sizeof(shown), s);
	return err_set(err, code, "expected %s, not '%s'", wanted, shown);
}

static int apply_sign(bool negative, uint64_t magnitude, int64_t *ret)
{
	if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0))
		return -(int)ERR_RANGE;
	/* Negated as unsigned: the smallest int64_t has no positive counterpart. */
	*ret = (int64_t)(negative ? UINT64_C(0) - magnitude : magnitude);
	return 0;
}

int parse_int(const char *s, int64_t min, int64_t max, int64_t *ret, struct err *err)
{
	bool negative = *s == '-';
	const char *start = s + (*s == '-' || *s == '+');
	uint64_t magnitude = 0;
	int64_t value = 0;
	const char *end;

	end = digits(start, 10, UINT64_MAX, &magnitude);
	if (end && (end == start || *end))
		return bad(err, ERR_PARSE, "an integer", s);
	if (!end || apply_sign(negative, magnitude, &value) < 0 || value < min || value > max)
		return err_set(err, ERR_RANGE,
			       "expected an integer from %" PRId64 " to %" PRId64 ", not '%.*s'",
			       min, max, QUOTE_MAX, s);
	*ret = value;
	return 0;
}

int parse_uint(const char *s, uint64_t max, uint64_t *ret, struct err *err)
{
	uint64_t value = 0;
	const char *end = digits(s, 10, max, &value);

	if (end && (end == s || *end))
		return bad(err, ERR_PARSE, "an integer without a sign", s);
	if (!end)
		return err_set(err, ERR_RANGE,
			       "expected an integer from 0 to %" PRIu64 ", not '%.*s'", max,
			       QUOTE_MAX, s);
	*ret = value;
	return 0;
}

int parse_bool(const char *s, bool *ret, struct err *err)
{
	static const char *const words[][2] = {
		{ "off", "on" },
		{ "false", "true" },
		{ "no", "yes" },
		{ "0", "1" },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (str_ieq(s, words[i][0]) || str_ieq(s, words[i][1])) {
			*ret = str_ieq(s, words[i][1]);
			return 0;
		}
	}
	return bad(err, ERR_PARSE, "on, true, yes, 1, off, false, no or 0", s);
}

/* Half to even, as Postgres does. By hand because rint() would need libm. */
static double round_even(double x)
{
	double whole;
	double rest;

	if (fabs(x) >= 0x1p52)
		return x;
	whole = (double)(int64_t)x;
	rest = fabs(x - whole);
	if (rest > 0.5 || (rest == 0.5 && (int64_t)whole % 2 != 0))
		whole += x < 0 ? -1 : 1;
	return whole;
}

static int64_t div_even(int64_t value, int64_t by)
{
	int64_t whole = value / by;
	int64_t twice = 2 * (value % by);

	if (twice < 0)
		twice = -twice;
	if (twice > by || (twice == by && whole % 2 != 0))
		whole += value < 0 ? -1 : 1;
	return whole;
}

/* [eE][+-]digits at s: the exponent, 0 when there is none. Returns what follows, NULL if bad. */
static const char *scan_exponent(const char *s, int *ret)
{
	uint64_t value = 0;
	const char *start;
	const char *end;
	bool negative;

	if (*s != 'e' && *s != 'E')
		return s;
	negative = s[1] == '-';
	start = s + 1 + (s[1] == '-' || s[1] == '+');
	end = digits(start, 10, EXPONENT_MAX, &value);
	if (!end || end == start)
		return NULL;
	*ret = negative ? -(int)value : (int)value;
	return end;
}

/* digits[.digits][e[+-]digits]. Not strtod(): that one asks the locale for its decimal point. */
static const char *scan_real(const char *s, double *ret)
{
	double value = 0;
	bool any = false;
	int exponent = 0;
	int scale = 0;

	for (; is_digit(*s); s++, any = true)
		value = value * 10 + (*s - '0');
	if (*s == '.') {
		/* Digits that a double cannot hold are read over. */
		for (s++; is_digit(*s); s++, any = true) {
			if (value >= 0x1p53)
				continue;
			value = value * 10 + (*s - '0');
			scale++;
		}
	}
	if (!any)
		return NULL;
	s = scan_exponent(s, &exponent);
	for (exponent -= scale; exponent > 0; exponent--)
		value *= 10;
	/* Collected first: one division of exact values rounds once. */
	if (exponent < 0) {
		double divisor = 1;

		for (; exponent < 0; exponent++)
			divisor *= 10;
		value /= divisor;
	}
	*ret = value;
	return s;
}

/* The number at the start of s; the rest, which should be a unit, is returned. NULL: no number,
 * or one too large. A whole number may be hexadecimal (0x) or octal (0) as in Postgres. */
static const char *scan_number(const char *s, struct number *ret)
{
	bool negative = *s == '-';
	const char *start = s + (*s == '-' || *s == '+');
	bool hex = start[0] == '0' && (start[1] == 'x' || start[1] == 'X');
	uint64_t magnitude = 0;
	const char *end;

	if (hex)
		end = digits(start + 2, 16, INT64_MAX, &magnitude);
	else
		end = digits(start, start[0] == '0' ? 8 : 10, INT64_MAX, &magnitude);
	if (hex && end == start + 2)
		return NULL;

	if (end && end != start && *end != '.' && *end != 'e' && *end != 'E' && !is_digit(*end)) {
		ret->exact = true;
		return apply_sign(negative, magnitude, &ret->whole) < 0 ? NULL : end;
	}
	if (hex || (end && is_digit(*end)))
		return NULL;
	ret->exact = false;
	end = scan_real(start, &ret->real);
	if (negative)
		ret->real = -ret->real;
	return end;
}

/* number x unit, divided by per; false when it does not fit. */
static bool scale_number(const struct number *n, int64_t factor, int64_t finer, int64_t per,
			 int64_t *ret)
{
	int64_t value = 0;
	double real;

	if (n->exact) {
		if (__builtin_mul_overflow(n->whole, factor, &value))
			return false;
		*ret = div_even(value, per);
		return true;
	}
	real = round_even(n->real * (double)factor / (double)finer) * (double)finer;
	real = round_even(real / (double)per);
	/* Also false for infinity. */
	if (!(real > -0x1p63 && real < 0x1p63))
		return false;
	*ret = (int64_t)real;
	return true;
}

static const struct unit *find_unit(const struct unit *units, size_t nunits, const char *name)
{
	for (size_t i = 0; i < nunits; i++) {
		if (str_eq(units[i].name, name))
			return &units[i];
	}
	return NULL;
}

int parse_duration_ms(const char *s, const char *base_unit, int64_t *ret, struct err *err)
{
	const char *const wanted = "a time such as 10, 500ms, 10s or 1.5h (us, ms, s, min, h, d)";
	struct number n = { 0 };
	const char *rest = scan_number(s, &n);
	const struct unit *unit;
	int64_t value = 0;

	if (!rest)
		return bad(err, ERR_PARSE, wanted, s);
	while (*rest == ' ')
		rest++;
	unit = find_unit(time_units, ARRAY_LEN(time_units), *rest ? rest : base_unit);
	assert(unit || *rest);
	if (!unit)
		return bad(err, ERR_PARSE, wanted, s);
	if (!scale_number(&n, unit->factor, unit->finer, 1000, &value))
		return bad(err, ERR_RANGE, "a time that fits", s);
	*ret = value;
	return 0;
}

int parse_size(const char *s, int64_t base_bytes, int64_t *ret, struct err *err)
{
	const char *const wanted = "a size such as 1048576 or 16MB (B, kB, MB, GB, TB)";
	struct number n = { 0 };
	const char *rest = scan_number(s, &n);
	const struct unit bare = { "", base_bytes, 1 };
	const struct unit *unit = &bare;
	int64_t value = 0;

	assert(base_bytes > 0);
	if (!rest)
		return bad(err, ERR_PARSE, wanted, s);
	while (*rest == ' ')
		rest++;
	if (*rest)
		unit = find_unit(size_units, ARRAY_LEN(size_units), rest);
	if (!unit)
		return bad(err, ERR_PARSE, wanted, s);
	if (!scale_number(&n, unit->factor, unit->finer, 1, &value))
		return bad(err, ERR_RANGE, "a size that fits", s);
	*ret = value;
	return 0;
}

int parse_lsn(const char *s, uint64_t *ret, struct err *err)
{
	const char *const wanted = "a WAL position such as 16/B374D848";
	uint64_t high = 0;
	uint64_t low = 0;
	const char *slash = digits(s, 16, UINT32_MAX, &high);
	const char *end;

	if (!slash || *slash != '/' || slash == s || slash - s > 8)
		return bad(err, ERR_PARSE, wanted, s);
	end = digits(slash + 1, 16, UINT32_MAX, &low);
	if (!end || *end || end == slash + 1 || end - slash > 9)
		return bad(err, ERR_PARSE, wanted, s);
	*ret = high << 32 | low;
	return 0;
}

const char *lsn_text(uint64_t lsn, char dst[LSN_TEXT_MAX])
{
	(void)snprintf(dst, LSN_TEXT_MAX, "%" PRIX32 "/%" PRIX32, (uint32_t)(lsn >> 32),
		       (uint32_t)lsn);
	return dst;
}

static bool is_ipv6(const char *host)
{
	struct in6_addr addr;

	return inet_pton(AF_INET6, host, &addr) == 1;
}

static bool is_host(const char *host)
{
	for (const char *c = host; *c; c++) {
		if ((unsigned char)*c <= ' ' || *c == 0x7F || *c == '[' || *c == ']')
			return false;
	}
	return host[0] && (!strchr(host, ':') || is_ipv6(host));
}

/* Where the host ends and what remains is "" or ":port". NULL: brackets that do not match. */
static const char *host_end(const char *s)
{
	const char *close = strchr(s, ']');
	const char *colon = strrchr(s, ':');

	if (*s == '[')
		return close;
	return colon ? colon : s + strlen(s);
}

/* Nothing, or a colon and digits. */
static bool is_port_part(const char *s)
{
	if (!*s)
		return true;
	return s[0] == ':' && s[1] && s[1 + strspn(s + 1, "0123456789")] == '\0';
}

int parse_hostport(const char *s, uint16_t default_port, char *host, size_t host_size,
		   uint16_t *ret_port, struct err *err)
{
	const char *const wanted = "host:port or [IPv6 address]:port";
	const char *end = host_end(s);
	bool bracket = *s == '[';
	int64_t port = default_port;
	char name[HOST_TEXT_MAX];
	const char *rest;

	if (!end)
		return bad(err, ERR_PARSE, wanted, s);
	rest = end + bracket;
	if (end - s - bracket >= HOST_TEXT_MAX)
		return bad(err, ERR_TOOLONG, "a shorter host name", s);
	str_clip(name, (size_t)(end - s - bracket) + 1, s + bracket);
	if (!is_host(name) || (bracket && !is_ipv6(name)) || !is_port_part(rest))
		return bad(err, ERR_PARSE, wanted, s);
	if (*rest && parse_int(rest + 1, 1, UINT16_MAX, &port, NULL) < 0)
		return bad(err, ERR_RANGE, "a port from 1 to 65535", s);
	if (str_copy(host, host_size, name) < 0)
		return bad(err, ERR_TOOLONG, "a shorter host name", s);
	*ret_port = (uint16_t)port;
	return 0;
}
