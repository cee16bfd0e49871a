/* SPDX-License-Identifier: PostgreSQL */
/*
 * confenv - PATRONI_* variables over the local file
 */
#ifndef PGHA_WIRE_CONFENV_H
#define PGHA_WIRE_CONFENV_H

#include "wire/confproblem.h"
#include "wire/tree.h"

/* env is environ-style. Lists and maps in a variable are YAML, with or without their brackets.
 * What cannot be read is a problem; unknown variables are, too. *ret_n counts the used ones. */
int confenv_merge(struct tree *tree, const char *const *env, struct conf_problems *problems,
		  size_t *ret_n, struct err *err) _must_check_;
/* Value of one variable, or NULL. */
const char *confenv_get(const char *const *env, const char *name);

#endif
