/* SPDX-License-Identifier: PostgreSQL */
/*
 * metrics - numbers as Prometheus text or as OpenMetrics
 */
#include "wire/metrics.h"

#include <inttypes.h>

#include "wire/jtext.h"

#define TOTAL "_total"

/* Backslash, quote and line end are escaped. */
static void add_label(struct buf *body, const char *name, const char *value)
{
	buf_printf(body, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			buf_ch(body, '\\');
		if (*value == '\n')
			buf_str(body, "\\n");
		else
			buf_ch(body, *value);
	}
	buf_ch(body, '"');
}

static bool is_total(const char *name)
{
	size_t len = strlen(name);

	return len > strlen(TOTAL) && str_eq(name + len - strlen(TOTAL), TOTAL);
}

static const char *type_text(const struct metrics *m, enum metrics_type type, const char *family)
{
	switch (type) {
	case METRICS_GAUGE:
		break;
	case METRICS_COUNTER:
		return m->open && !is_total(family) ? "unknown" : "counter";
	case METRICS_HISTOGRAM:
		return "histogram";
	}
	return "gauge";
}

void metrics_family(const struct metrics *m, enum metrics_type type, const char *family,
		    const char *help, const char *remark)
{
	size_t len = strlen(family);

	/* OpenMetrics names the family without the ending of its samples. */
	if (m->open && type == METRICS_COUNTER && is_total(family))
		len -= strlen(TOTAL);
	buf_printf(m->body, "# HELP %.*s %s\n", (int)len, family, help);
	if (remark && !m->open)
		buf_printf(m->body, "# %s\n", remark);
	buf_printf(m->body, "# TYPE %.*s %s\n", (int)len, family, type_text(m, type, family));
}

void metrics_head(const struct metrics *m, const char *sample, const struct metrics_label *label)
{
	buf_printf(m->body, "%s{", sample);
	add_label(m->body, "scope", m->scope);
	buf_ch(m->body, ',');
	add_label(m->body, "name", m->name);
	if (label) {
		buf_ch(m->body, ',');
		add_label(m->body, label->name, label->value);
	}
	buf_str(m->body, "} ");
}

void metrics_add(const struct metrics *m, const char *sample, const struct metrics_label *label,
		 int64_t value)
{
	metrics_head(m, sample, label);
	buf_printf(m->body, "%" PRId64 "\n", value);
}

void metrics_add_seconds(const struct metrics *m, const char *sample,
			 const struct metrics_label *label, int64_t us)
{
	_cleanup_(jtext_unrefp) json_t *value = NULL;

	metrics_head(m, sample, label);
	value = us == 0 ? json_integer(0) : json_real((double)us / 1e6);
	jtext_add(m->body, value, JTEXT_COMPACT);
	buf_ch(m->body, '\n');
}

void metrics_gauge(const struct metrics *m, const char *name, const char *help, int64_t value)
{
	metrics_family(m, METRICS_GAUGE, name, help, NULL);
	metrics_add(m, name, NULL, value);
}

void metrics_counter(const struct metrics *m, const char *name, const char *help, uint64_t value)
{
	metrics_family(m, METRICS_COUNTER, name, help, NULL);
	metrics_add(m, name, NULL, (int64_t)value);
}

void metrics_seconds(const struct metrics *m, const char *name, const char *help, int64_t us)
{
	metrics_family(m, METRICS_GAUGE, name, help, NULL);
	metrics_add_seconds(m, name, NULL, us);
}

void metrics_end(const struct metrics *m)
{
	if (m->open)
		buf_str(m->body, "# EOF\n");
}
