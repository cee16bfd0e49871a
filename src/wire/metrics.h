/* SPDX-License-Identifier: PostgreSQL */
/*
 * metrics - numbers as Prometheus text or as OpenMetrics
 *
 * Both formats have the same names and samples, so that it does not matter to a dashboard which
 * of them was scraped. OpenMetrics 1.0 wants the name of a counter to end in "_total": those of
 * Patroni that do not are "unknown" there. Samples of one family stand together.
 */
#ifndef PGHA_WIRE_METRICS_H
#define PGHA_WIRE_METRICS_H

#include "base/str.h"

enum metrics_type { METRICS_GAUGE = 0, METRICS_COUNTER, METRICS_HISTOGRAM };

struct metrics {
	struct buf *body;
	const char *scope;
	const char *name; /* of the member */
	bool open;        /* OpenMetrics */
};

/* A label beside scope and name; NULL for none. */
struct metrics_label {
	const char *name;
	const char *value;
};

/* Its HELP and TYPE lines; `remark`, NULL for none, is a comment between them, which OpenMetrics
 * has no place for. */
void metrics_family(const struct metrics *m, enum metrics_type type, const char *family,
		    const char *help, const char *remark);
/* Samples. The value follows: what is left of the line is the caller's. */
void metrics_head(const struct metrics *m, const char *sample, const struct metrics_label *label);
void metrics_add(const struct metrics *m, const char *sample, const struct metrics_label *label,
		 int64_t value);
/* Seconds as Python prints a float; 0 as "0". */
void metrics_add_seconds(const struct metrics *m, const char *sample,
			 const struct metrics_label *label, int64_t us);

/* Families of one sample. */
void metrics_gauge(const struct metrics *m, const char *name, const char *help, int64_t value);
void metrics_counter(const struct metrics *m, const char *name, const char *help,
		     uint64_t value);
void metrics_seconds(const struct metrics *m, const char *name, const char *help, int64_t us);

/* After the last family. */
void metrics_end(const struct metrics *m);

#endif
