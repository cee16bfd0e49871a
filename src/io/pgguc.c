/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgguc - settings whose configured value waits for a restart
 */
#include "io/pgguc.h"

#include "base/parse.h"
#include "base/str.h"
#include "io/pgconf.h"

struct scale {
	const char *unit;
	int64_t factor;
};

static const struct scale sizes[] = {
	{ "TB", INT64_C(1) << 40 }, { "GB", INT64_C(1) << 30 }, { "MB", INT64_C(1) << 20 },
	{ "kB", INT64_C(1) << 10 }, { "B", 1 },
};

static const struct scale times[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "min", 60000 }, { "s", 1000 }, { "ms", 1 },
};

static void in_largest(int64_t value, const struct scale *scales, size_t n,
		       char ret[SETTING_SIZE])
{
	size_t i = 0;

	while (i + 1 < n && value % scales[i].factor != 0)
		i++;
	(void)str_printf(ret, SETTING_SIZE, "%lld%s", (long long)(value / scales[i].factor),
			 scales[i].unit);
}

/* What one of "8kB", "MB" is in bytes. */
static bool unit_bytes(const char *unit, int64_t *ret)
{
	char text[16];

	if (unit[0] >= '0' && unit[0] <= '9')
		return parse_size(unit, 1, ret, NULL) == 0;
	return str_printf(text, sizeof(text), "1%s", unit) > 0 &&
	       parse_size(text, 1, ret, NULL) == 0;
}

void pgguc_human(const char *value, const char *type, const char *unit, char ret[SETTING_SIZE])
{
	int64_t base = 0, number = 0;
	bool on = false;

	str_clip(ret, SETTING_SIZE, value);
	if (str_eq(type, "bool") && parse_bool(value, &on, NULL) == 0) {
		str_clip(ret, SETTING_SIZE, on ? "on" : "off");
		return;
	}
	/* Zero and less have meanings of their own, not a size. */
	if (str_ends(unit, "B")) {
		if (unit_bytes(unit, &base) && parse_size(value, base, &number, NULL) == 0 &&
		    number > 0)
			in_largest(number, sizes, ARRAY_LEN(sizes), ret);
	} else if (unit[0] != '\0' && parse_duration_ms(value, unit, &number, NULL) == 0 &&
		   number > 0) {
		in_largest(number, times, ARRAY_LEN(times), ret);
	}
}

static bool same(const struct pgquery_setting *s, const char *wanted)
{
	int64_t n = 0, m = 0;
	bool a = false, b = false;

	if (str_eq(s->type, "bool"))
		return parse_bool(s->value, &a, NULL) == 0 && parse_bool(wanted, &b, NULL) == 0 &&
		       a == b;
	if (str_eq(s->type, "integer"))
		return parse_int(s->value, INT64_MIN, INT64_MAX, &n, NULL) == 0 &&
		       parse_int(wanted, INT64_MIN, INT64_MAX, &m, NULL) == 0 && n == m;
	return str_eq(s->value, wanted);
}

uint32_t pgguc_changes(const struct config *config, const struct pgquery_settings *settings,
		       struct setting_change ret[SETTING_CHANGES_MAX])
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < settings->n && n < SETTING_CHANGES_MAX; i++) {
		const struct pgquery_setting *s = &settings->items[i];
		char text[NAME_SIZE];
		const char *wanted = pgconf_on_command_line(config, s->name, text);

		if (wanted ? same(s, wanted) : !s->pending)
			continue;
		str_clip(ret[n].name, NAME_SIZE, s->name);
		str_clip(ret[n].old_value, SETTING_SIZE, s->shown);
		pgguc_human(wanted ? wanted : s->in_files[0] ? s->in_files : "?", s->type,
			    s->unit, ret[n].new_value);
		n++;
	}
	return n;
}

bool pgguc_starved(const struct pgcontrol *control, const struct pgquery_settings *settings)
{
	for (uint32_t i = 0; i < settings->n; i++) {
		const struct pgquery_setting *s = &settings->items[i];
		int32_t least = pgconf_floor(control, s->name);
		int64_t value = 0;

		if (least > 0 && parse_int(s->value, INT32_MIN, INT32_MAX, &value, NULL) == 0 &&
		    value < least)
			return true;
	}
	return false;
}
