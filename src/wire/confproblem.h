/* SPDX-License-Identifier: PostgreSQL */
/*
 * confproblem - collects what is wrong with a configuration
 */
#ifndef PGHA_WIRE_CONFPROBLEM_H
#define PGHA_WIRE_CONFPROBLEM_H

#include <stdarg.h>

#include "wire/conffile.h"

#define CONFPROBLEMS_MAX 500 /* more is not read by anybody */

/* A finding that is there already is not added again. */
void confproblem_add(struct conf_problems *problems, int line, bool fatal, const char *path,
		     const char *fmt, ...) _printf_(5, 6);
/* The same with words in front of the text ("" none); what is too long is cut. */
void confproblem_vadd(struct conf_problems *problems, int line, bool fatal, const char *path,
		      const char *before, const char *fmt, va_list ap) _printf_(6, 0);

/* Put before what is said about values from etcd. */
#define CONFPROBLEM_DYNAMIC "in the dynamic configuration: "
/* By line; those without one last, otherwise in the order in which they were found. */
void confproblem_sort(struct conf_problems *problems);

#endif
