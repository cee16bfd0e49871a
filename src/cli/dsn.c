/* SPDX-License-Identifier: PostgreSQL */
/*
 * dsn - connection strings that name all members, for libpq to find the right one
 */
#include "cli/dsn.h"

#include "cli/node.h"
#include "cli/select.h"

/* libpq's least. Without it a host that is gone costs minutes. */
#define CONNECT_TIMEOUT_S 2

static bool is_standby_wish(const struct dsn_wish *wish)
{
	return str_eq(wish->role, "replica") || str_eq(wish->role, "standby");
}

static bool is_any_wish(const struct dsn_wish *wish)
{
	return str_eq(wish->role, "any");
}

/* libpq asks in this order, so whoever has the role now comes first. */
static bool is_first(const struct tree_node *m, const struct dsn_wish *wish)
{
	return is_any_wish(wish) || picture_is_leader(m) != is_standby_wish(wish);
}

static bool is_wanted(const struct tree_node *m, const struct dsn_wish *wish)
{
	const struct tree_node *tags = tree_child(m, "tags");
	int64_t port = 0;

	if (node_text(m, "host") == NULL || !node_int(m, "port", &port))
		return false;
	if (is_any_wish(wish))
		return true;
	if (is_standby_wish(wish))
		return !node_bool(tags, "noloadbalance", false);
	return picture_is_leader(m) || !picture_is_nofailover(m);
}

static const char *attributes(const struct dsn_wish *wish)
{
	if (is_any_wish(wish))
		return "any";
	/* Older libraries know this one, and it is what a writer needs. */
	return is_standby_wish(wish) ? "prefer-standby" : "read-write";
}

struct list {
	struct buf hosts;
	struct buf ports;
	struct buf pairs; /* of a URI */
	size_t n;
};

static void list_done(struct list *list)
{
	buf_done(&list->hosts);
	buf_done(&list->ports);
	buf_done(&list->pairs);
}

static void add(struct list *list, const struct tree_node *m)
{
	const char *host = node_str(m, "host");
	const char *comma = list->n > 0 ? "," : "";
	bool v6 = strchr(host, ':') != NULL;
	int64_t port = 0;

	(void)node_int(m, "port", &port);
	buf_printf(&list->hosts, "%s%s", comma, host);
	buf_printf(&list->ports, "%s%lld", comma, (long long)port);
	buf_printf(&list->pairs, "%s%s%s%s:%lld", comma, v6 ? "[" : "", host, v6 ? "]" : "",
		   (long long)port);
	list->n++;
}

int dsn_print(const struct picture *picture, const struct dsn_wish *wish, struct buf *ret_text,
	      struct err *err)
{
	_cleanup_(list_done) struct list list = { 0 };

	for (int first = 1; first >= 0; first--)
		for (const struct tree_node *m = picture_members(picture); m != NULL; m = m->next)
			if (is_wanted(m, wish) && is_first(m, wish) == (first == 1))
				add(&list, m);
	if (list.n == 0)
		return err_set(err, ERR_STATE, "Can not find a suitable member");
	if (wish->uri)
		buf_printf(ret_text, "postgresql://%s/?connect_timeout=%d&target_session_attrs=%s",
			   list.pairs.data, CONNECT_TIMEOUT_S, attributes(wish));
	else
		buf_printf(ret_text, "host=%s port=%s connect_timeout=%d target_session_attrs=%s",
			   list.hosts.data, list.ports.data, CONNECT_TIMEOUT_S, attributes(wish));
	return 0;
}
