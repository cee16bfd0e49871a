/* SPDX-License-Identifier: PostgreSQL */
/*
 * select - which members a command is meant for
 */
#include "cli/select.h"

#include <stdlib.h>

#include "cli/ask.h"
#include "cli/node.h"

void selection_done(struct selection *selection)
{
	free(selection->members);
	*selection = (struct selection){ 0 };
}

bool select_has_role(const struct tree_node *member, const char *role)
{
	const bool leads = picture_is_leader(member);
	const bool standby = str_eq(node_str(member, "role"), "standby_leader");

	if (str_eq(role, "any"))
		return true;
	if (str_eq(role, "leader"))
		return leads;
	if (str_eq(role, "primary"))
		return leads && !standby;
	if (str_eq(role, "standby-leader"))
		return standby;
	return !leads; /* replica, standby */
}

static void add(struct selection *selection, const struct tree_node *member)
{
	selection->members =
		mem_grow(selection->members, selection->n + 1, sizeof(*selection->members));
	selection->members[selection->n++] = member;
}

void select_names(const struct selection *selection, struct buf *ret_text)
{
	for (size_t i = 0; i < selection->n; i++)
		buf_printf(ret_text, "%s%s", i > 0 ? ", " : "",
			   node_str(selection->members[i], "name"));
}

static bool is_named(const struct select_want *want, const char *name)
{
	for (size_t i = 0; i < want->nnames; i++)
		if (str_eq(want->names[i], name))
			return true;
	return false;
}

/* A name that belongs to nobody is a slip of the pen: better not to act on the others. */
static int check_names(const struct select_want *want, struct err *err)
{
	for (size_t i = 0; i < want->nnames; i++)
		if (picture_member(want->picture, want->names[i]) == NULL)
			return err_set(err, ERR_PARSE, "%s is not a member of cluster",
				       want->names[i]);
	return 0;
}

static void pick(const struct select_want *want, bool named_only, struct selection *ret)
{
	const struct tree_node *m;

	for (m = picture_members(want->picture); m != NULL; m = m->next)
		if (select_has_role(m, want->role) &&
		    (!named_only || is_named(want, node_str(m, "name"))))
			add(ret, m);
}

static int ask_name(const struct select_want *want, const struct selection *all,
		    struct selection *ret, struct err *err)
{
	_cleanup_(buf_done) struct buf names = { 0 };
	_cleanup_(freep) char *question = NULL;
	_cleanup_(freep) char *answer = NULL;
	int r;

	select_names(all, &names);
	question = str_dupf("Which member do you want to %s [%s]?", want->action, names.data);
	r = ask_text(question, "", &answer, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < all->n; i++)
		if (str_eq(node_str(all->members[i], "name"), answer))
			add(ret, all->members[i]);
	if (ret->n == 0)
		return err_set(err, ERR_PARSE, "%s is not a member of cluster", answer);
	return 0;
}

int select_members(const struct select_want *want, struct selection *ret, struct err *err)
{
	_cleanup_(selection_done) struct selection all = { 0 };
	int r;

	*ret = (struct selection){ 0 };
	pick(want, false, &all);
	if (want->nnames == 0 && all.n == 0)
		return err_set(err, ERR_STATE, "%s cluster doesn't have any members",
			       want->picture->name);
	if (want->nnames > 0) {
		pick(want, true, ret);
		if (ret->n == 0)
			return err_set(err, ERR_PARSE, "No %s among provided members",
				       want->role);
		return check_names(want, err);
	}
	if (!want->ask_names) {
		*ret = all;
		all = (struct selection){ 0 };
		return 0;
	}
	if (want->force)
		return 0;
	r = ask_name(want, &all, ret, err);
	return r < 0 ? r : 0;
}

int select_confirm(const struct selection *selection, const char *action, const char *at,
		   struct err *err)
{
	_cleanup_(buf_done) struct buf names = { 0 };
	_cleanup_(freep) char *question = NULL;
	bool yes;
	int r;

	select_names(selection, &names);
	if (at != NULL)
		question = str_dupf("Are you sure you want to schedule %s of members %s at %s?",
				    action, names.data != NULL ? names.data : "", at);
	else
		question = str_dupf("Are you sure you want to %s members %s?", action,
				    names.data != NULL ? names.data : "");
	r = ask_yes(question, &yes, err);
	if (r < 0)
		return r;
	if (!yes)
		return err_set(err, ERR_STATE, "Aborted %s%s", at != NULL ? "scheduled " : "",
			       action);
	return 0;
}
