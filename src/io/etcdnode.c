/* SPDX-License-Identifier: PostgreSQL */
/*
 * etcdnode - the endpoints of etcd: which there are, how they behave, whom to ask next
 */
#include "io/etcdnode.h"

#include <assert.h>

#include "base/str.h"

static void url_of(const struct endpoint *endpoint, char dst[URL_SIZE])
{
	bool v6 = strchr(endpoint->host, ':') != NULL;

	str_printf(dst, URL_SIZE, "%s://%s%s%s:%u", endpoint->tls ? "https" : "http",
		   v6 ? "[" : "", endpoint->host, v6 ? "]" : "", (unsigned)endpoint->port);
}

static struct etcdnode *find_url(struct etcdnodes *nodes, const char *url)
{
	for (uint32_t i = 0; i < nodes->n; i++)
		if (str_ieq(nodes->items[i].url, url))
			return &nodes->items[i];
	return NULL;
}

static struct etcdnode *find_or_add(struct etcdnodes *nodes, const char *url)
{
	struct etcdnode *node = find_url(nodes, url);

	if (node || url[0] == '\0' || nodes->n == ETCDNODES_MAX)
		return node;
	node = &nodes->items[nodes->n++];
	*node = (struct etcdnode){ .id = ++nodes->next_id };
	str_copy(node->url, sizeof(node->url), url);
	return node;
}

static int group_of(const struct etcdnode *node)
{
	if (node->configured)
		return 0;
	if (node->found)
		return 1;
	return node->listed ? 2 : 3;
}

/* Configured ones first, then found, then listed, each group in the order in which it was added;
 * drops those that are none of these. */
static void tidy(struct etcdnodes *nodes)
{
	struct etcdnodes old = *nodes;

	nodes->n = 0;
	for (int group = 0; group < 3; group++)
		for (uint32_t i = 0; i < old.n; i++)
			if (group_of(&old.items[i]) == group)
				nodes->items[nodes->n++] = old.items[i];
}

void etcdnode_configure(struct etcdnodes *nodes, const struct config_etcd *config)
{
	for (uint32_t i = 0; i < nodes->n; i++)
		nodes->items[i].configured = false;
	for (uint32_t i = 0; i < config->nendpoints; i++) {
		char url[URL_SIZE];
		struct etcdnode *node;

		url_of(&config->endpoints[i], url);
		node = find_or_add(nodes, url);
		if (node)
			node->configured = true;
	}
	tidy(nodes);
}

void etcdnode_found(struct etcdnodes *nodes, const struct endpoint *found, uint32_t n)
{
	for (uint32_t i = 0; i < nodes->n; i++)
		nodes->items[i].found = false;
	for (uint32_t i = 0; i < n; i++) {
		char url[URL_SIZE];
		struct etcdnode *node;

		url_of(&found[i], url);
		node = find_or_add(nodes, url);
		if (node)
			node->found = true;
	}
	tidy(nodes);
}

void etcdnode_list(struct etcdnodes *nodes, const struct etcd_members *members)
{
	for (uint32_t i = 0; i < nodes->n; i++)
		nodes->items[i].listed = false;
	for (uint32_t i = 0; i < members->n; i++) {
		char url[URL_SIZE];
		struct etcdnode *node;
		size_t len = strlen(members->urls[i]);

		if (len == 0 || len >= sizeof(url))
			continue;
		str_copy(url, sizeof(url), members->urls[i]);
		if (url[len - 1] == '/')
			url[len - 1] = '\0';
		node = find_or_add(nodes, url);
		if (node)
			node->listed = true;
	}
	tidy(nodes);
}

struct etcdnode *etcdnode_by_id(struct etcdnodes *nodes, uint32_t id)
{
	for (uint32_t i = 0; i < nodes->n; i++)
		if (nodes->items[i].id == id)
			return &nodes->items[i];
	return NULL;
}

void etcdnode_add(struct etcdnode_set *set, uint32_t id)
{
	if (etcdnode_in(set, id))
		return;
	assert(set->n < ETCDNODES_MAX);
	set->ids[set->n++] = id;
}

bool etcdnode_in(const struct etcdnode_set *set, uint32_t id)
{
	for (uint32_t i = 0; i < set->n; i++)
		if (set->ids[i] == id)
			return true;
	return false;
}

/* One member may be known by two addresses; asking it twice at once gains nothing. */
static bool member_busy(struct etcdnodes *nodes, const struct etcdnode *node,
			const struct etcdnode_set *busy)
{
	for (uint32_t i = 0; i < busy->n; i++) {
		const struct etcdnode *other = etcdnode_by_id(nodes, busy->ids[i]);

		if (other && other->member_id && other->member_id == node->member_id)
			return true;
	}
	return false;
}

struct etcdnode *etcdnode_pick(struct etcdnodes *nodes, const struct etcdnode_set *tried,
			       const struct etcdnode_set *busy, int64_t now_ms)
{
	struct etcdnode *best = NULL;
	int best_cost = 0;
	uint32_t start = 0;

	for (uint32_t i = 0; i < nodes->n; i++)
		if (nodes->items[i].id == nodes->current)
			start = i;
	for (uint32_t i = 0; i < nodes->n; i++) {
		struct etcdnode *node = &nodes->items[(start + i) % nodes->n];
		int cost;

		if (etcdnode_in(tried, node->id))
			continue;
		cost = (node->bad_until_ms > now_ms ? 2 : 0) + member_busy(nodes, node, busy);
		if (!best || cost < best_cost) {
			best = node;
			best_cost = cost;
		}
	}
	return best;
}

bool etcdnode_good(struct etcdnodes *nodes, struct etcdnode *node, uint64_t member_id)
{
	bool was_bad = node->failures > 0;

	node->failures = 0;
	node->nanswers++;
	node->silent = false;
	node->bad_until_ms = 0;
	if (member_id)
		node->member_id = member_id;
	nodes->current = node->id;
	return was_bad;
}

bool etcdnode_bad(struct etcdnodes *nodes, struct etcdnode *node, int64_t now_ms)
{
	int64_t wait_ms = ETCDNODE_BAD_MIN_MS;
	bool was_good = node->failures == 0;

	for (uint32_t i = 0; i < node->failures && wait_ms < ETCDNODE_BAD_MAX_MS; i++)
		wait_ms *= 2;
	node->failures++;
	node->nfailures++;
	node->silent = true;
	node->bad_until_ms = now_ms + MIN_OF(wait_ms, (int64_t)ETCDNODE_BAD_MAX_MS);
	if (nodes->current == node->id) {
		/* The next in turn becomes the first to be asked. */
		for (uint32_t i = 0; i < nodes->n; i++)
			if (nodes->items[i].id == node->id)
				nodes->current = nodes->items[(i + 1) % nodes->n].id;
	}
	return was_good;
}
