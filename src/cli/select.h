/* SPDX-License-Identifier: PostgreSQL */
/*
 * select - which members a command is meant for
 */
#ifndef PGHA_CLI_SELECT_H
#define PGHA_CLI_SELECT_H

#include "cli/args.h"
#include "cli/picture.h"

struct select_want {
	const struct picture *picture;
	const char *const *names; /* given on the command line */
	size_t nnames;
	const char *role;   /* "any", "replica", ... */
	const char *action; /* "restart": for messages */
	bool force;
	bool ask_names; /* without names the operator is asked; else all of the role are meant */
};

struct selection {
	const struct tree_node **members;
	size_t n;
};

void selection_done(struct selection *selection);
bool select_has_role(const struct tree_node *member, const char *role);
/* With force and ask_names and no names, nobody. */
int select_members(const struct select_want *want, struct selection *ret,
		   struct err *err) _must_check_;
/* "Are you sure you want to <action> members a, b?"; at: when it is scheduled for, or NULL. */
int select_confirm(const struct selection *selection, const char *action, const char *at,
		   struct err *err) _must_check_;
/* "a, b" */
void select_names(const struct selection *selection, struct buf *ret_text);

#endif
