/* SPDX-License-Identifier: PostgreSQL */
/*
 * listing - the member table of list and topology
 *
 * Columns and cells are those of patronictl 4.1.4; Fence and Trouble are ours, and stand behind
 * them, where a script that counts columns does not meet them.
 */
#include "cli/listing.h"

#include <stdlib.h>

#include "base/parse.h"
#include "cli/node.h"

#define MIB        1048576
#define REASON_MAX 50

enum column {
	CLUSTER = 0,
	MEMBER,
	HOST,
	ROLE,
	STATE,
	TIMELINE,
	RECEIVE_LSN,
	RECEIVE_LAG,
	REPLAY_LSN,
	REPLAY_LAG,
	PENDING,
	PENDING_REASON,
	SCHEDULED,
	TAGS,
	FENCE,
	TROUBLE,
	COLUMN__MAX
};

/* clang-format off */
static const struct table_column columns[COLUMN__MAX] = {
	[CLUSTER]        = { .name = "Cluster" },
	[MEMBER]         = { .name = "Member" },
	[HOST]           = { .name = "Host" },
	[ROLE]           = { .name = "Role" },
	[STATE]          = { .name = "State" },
	[TIMELINE]       = { .name = "TL", .right = true },
	[RECEIVE_LSN]    = { .name = "Receive LSN", .right = true },
	[RECEIVE_LAG]    = { .name = "Receive Lag", .title = "Lag", .right = true },
	[REPLAY_LSN]     = { .name = "Replay LSN", .right = true },
	[REPLAY_LAG]     = { .name = "Replay Lag", .title = "Lag", .right = true },
	[PENDING]        = { .name = "Pending restart" },
	[PENDING_REASON] = { .name = "Pending restart reason" },
	[SCHEDULED]      = { .name = "Scheduled restart" },
	[TAGS]           = { .name = "Tags" },
	[FENCE]          = { .name = "Fence" },
	[TROUBLE]        = { .name = "Trouble" },
};

/* What a member must have for an optional column to be shown. */
static const char *const optional_keys[COLUMN__MAX] = {
	[PENDING]        = "pending_restart",
	[PENDING_REASON] = "pending_restart_reason",
	[SCHEDULED]      = "scheduled_restart",
	[TAGS]           = "tags",
	[TROUBLE]        = "trouble",
};
/* clang-format on */

/* A member and how deep it stands below the leader. */
struct place {
	const struct tree_node *member;
	unsigned level;
	bool done;
};

struct work {
	const struct listing *listing;
	const struct picture *picture;
	bool with_port; /* hosts as host:port */
	struct tree *rows;
};

/* Names of hosts alone are enough while all use the standard port and none is shared. */
static bool needs_port(const struct picture *picture)
{
	for (const struct tree_node *m = picture_members(picture); m != NULL; m = m->next) {
		const char *host = node_text(m, "host");
		int64_t port;

		if (host == NULL)
			continue;
		if (node_int(m, "port", &port) && port != 5432)
			return true;
		for (const struct tree_node *other = m->next; other != NULL; other = other->next)
			if (str_eq(host, node_str(other, "host")))
				return true;
	}
	return false;
}

static void add_cell(struct work *work, struct tree_node *row, enum column column,
		     const char *text)
{
	if (*text != '\0')
		node_add_text(work->rows, row, columns[column].name, text);
}

static void add_name(struct work *work, struct tree_node *row, const struct place *place)
{
	_cleanup_(freep) char *name = NULL;

	if (!work->listing->topology || place->level == 0) {
		add_cell(work, row, MEMBER, node_str(place->member, "name"));
		return;
	}
	name = str_dupf("%*s+ %s", (int)(place->level - 1) * 2, "",
			node_str(place->member, "name"));
	add_cell(work, row, MEMBER, name);
}

static void add_host(struct work *work, struct tree_node *row, const struct tree_node *member)
{
	_cleanup_(freep) char *both = NULL;
	const char *host = node_str(member, "host");
	int64_t port;

	if (*host == '\0' || !work->with_port || !node_int(member, "port", &port)) {
		add_cell(work, row, HOST, host);
		return;
	}
	both = str_dupf("%s:%lld", host, (long long)port);
	add_cell(work, row, HOST, both);
}

/* "sync_standby" -> "Sync Standby" */
static void add_role(struct work *work, struct tree_node *row, const struct tree_node *member)
{
	char role[NAME_SIZE];
	bool first = true;

	str_clip(role, sizeof(role), node_str(member, "role"));
	for (char *c = role; *c != '\0'; c++) {
		if (*c == '_')
			*c = ' ';
		else if (first && *c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
		first = *c == ' ';
	}
	add_cell(work, row, ROLE, role);
}

/* Half to even, as Python's round(). */
static int64_t to_mib(int64_t bytes)
{
	int64_t mib = bytes / MIB, rest = bytes % MIB;

	if (rest > MIB / 2 || (rest == MIB / 2 && mib % 2 == 1))
		mib++;
	return mib;
}

static void add_lag(struct work *work, struct tree_node *row, const struct tree_node *member,
		    enum column lsn_column, const char *lsn_key, const char *lag_key)
{
	const char *lsn = node_text(member, lsn_key);
	int64_t lag;

	if (lsn != NULL)
		add_cell(work, row, lsn_column, lsn);
	if (node_int(member, lag_key, &lag) && lag >= 0)
		node_add_int(work->rows, row, columns[lsn_column + 1].name, to_mib(lag));
}

/* Members before Patroni 4.1 tell one position only: a streaming one received it, another one
 * replayed it. */
static void add_lags(struct work *work, struct tree_node *row, const struct tree_node *member)
{
	const bool streams = str_eq(node_str(member, "state"), "streaming");
	const char *receive = node_str(member, "receive_lsn");
	const char *replay = node_str(member, "replay_lsn");
	const char *lsn = node_str(member, "lsn");
	const bool old = (*receive == '\0' || str_eq(receive, "unknown")) &&
			 (*replay == '\0' || str_eq(replay, "unknown")) && *lsn != '\0' &&
			 !str_eq(lsn, "unknown");

	add_lag(work, row, member, RECEIVE_LSN, old && streams ? "lsn" : "receive_lsn",
		old && streams ? "lag" : "receive_lag");
	add_lag(work, row, member, REPLAY_LSN, old && !streams ? "lsn" : "replay_lsn",
		old && !streams ? "lag" : "replay_lag");
}

static void add_reason(struct work *work, struct tree_node *row, const struct tree_node *member)
{
	const struct tree_node *reasons = tree_child(member, "pending_restart_reason");
	const bool short_lines = work->listing->format == TABLE_PRETTY;
	_cleanup_(buf_done) struct buf text = { 0 };

	if (reasons == NULL || reasons->type != TREE_MAP)
		return;
	for (const struct tree_node *r = reasons->first; r != NULL; r = r->next) {
		_cleanup_(freep) char *line =
			r->type != TREE_MAP ? str_dup(r->key)
					    : str_dupf("%s: %s->%s", r->key,
						       node_str(r, "old_value"),
						       node_str(r, "new_value"));

		buf_str(&text, text.len > 0 ? "\n" : "");
		if (short_lines && strlen(line) > REASON_MAX)
			buf_printf(&text, "%s: [hidden - too long]", r->key);
		else
			buf_str(&text, line);
	}
	if (text.len > 0)
		add_cell(work, row, PENDING_REASON, text.data);
}

static void add_scheduled(struct work *work, struct tree_node *row,
			  const struct tree_node *member)
{
	const struct tree_node *restart = tree_child(member, "scheduled_restart");
	const char *version = node_text(restart, "postgres_version");
	_cleanup_(freep) char *text = NULL;

	if (restart == NULL || restart->type != TREE_MAP)
		return;
	text = str_dupf("%s%s%s", node_str(restart, "schedule"),
			version != NULL ? " if version < " : "", version != NULL ? version : "");
	add_cell(work, row, SCHEDULED, text);
}

static void add_row(struct work *work, const struct place *place)
{
	const struct tree_node *member = place->member;
	const struct tree_node *tags = tree_child(member, "tags");
	struct tree_node *row = node_add(work->rows, work->rows->root, NULL, TREE_MAP);
	int64_t timeline;

	if (row == NULL)
		return;
	add_cell(work, row, CLUSTER, work->picture->name);
	add_name(work, row, place);
	add_host(work, row, member);
	add_role(work, row, member);
	add_cell(work, row, STATE, node_str(member, "state"));
	if (node_int(member, "timeline", &timeline))
		node_add_int(work->rows, row, columns[TIMELINE].name, timeline);
	add_lags(work, row, member);
	if (node_truthy(member, "pending_restart"))
		add_cell(work, row, PENDING, "*");
	add_reason(work, row, member);
	add_scheduled(work, row, member);
	if (tags != NULL && tags->type == TREE_MAP && tags->first != NULL)
		node_add_copy(work->rows, row, columns[TAGS].name, tags);
	if (work->listing->extended)
		add_cell(work, row, FENCE, node_str(tree_child(member, "pgha"), "fence"));
	add_cell(work, row, TROUBLE, node_str(member, "trouble"));
}

/* Who this member streams from: another replica if its tag names one, else the leader. */
static const char *parent_of(const struct picture *picture, const struct tree_node *member)
{
	const char *from = node_str(tree_child(member, "tags"), "replicatefrom");
	const struct tree_node *other = *from != '\0' ? picture_member(picture, from) : NULL;

	if (other == NULL || other == member || picture_is_leader(other))
		return picture->leader;
	return from;
}

static void add_children(struct work *work, struct place *places, size_t n, const char *name,
			 unsigned level, size_t *stack, size_t *depth)
{
	/* Last first: they leave the stack in the order of the list. */
	for (size_t i = n; i-- > 0;) {
		if (places[i].done || picture_is_leader(places[i].member) ||
		    !str_eq(parent_of(work->picture, places[i].member), name))
			continue;
		places[i].level = level;
		places[i].done = true;
		stack[(*depth)++] = i;
	}
}

/* Everything below `name`, depth first. */
static void add_below(struct work *work, struct place *places, size_t n, const char *name,
		      unsigned level)
{
	_cleanup_(freep) size_t *stack = mem_new(n + 1, sizeof(*stack));
	size_t depth = 0;

	add_children(work, places, n, name, level, stack, &depth);
	while (depth > 0) {
		const struct place *place = &places[stack[--depth]];

		add_row(work, place);
		add_children(work, places, n, node_str(place->member, "name"), place->level + 1,
			     stack, &depth);
	}
}

static void add_topology(struct work *work, struct place *places, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (picture_is_leader(places[i].member)) {
			places[i].done = true;
			add_row(work, &places[i]);
		}
	add_below(work, places, n, work->picture->leader, 1);
	/* Replicas whose tags point at each other hang below nobody. */
	for (size_t i = 0; i < n; i++)
		if (!places[i].done) {
			places[i].done = true;
			places[i].level = 1;
			add_row(work, &places[i]);
			add_below(work, places, n, node_str(places[i].member, "name"), 2);
		}
}

static void add_rows(struct work *work)
{
	struct place *places = NULL;
	size_t n = 0;

	for (const struct tree_node *m = picture_members(work->picture); m != NULL; m = m->next) {
		places = mem_grow(places, n + 1, sizeof(*places));
		places[n++] = (struct place){ .member = m };
	}
	if (work->listing->topology)
		add_topology(work, places, n);
	for (size_t i = 0; i < n && !work->listing->topology; i++)
		add_row(work, &places[i]);
	free(places);
}

static bool has_fences(const struct picture *picture)
{
	for (const struct tree_node *m = picture_members(picture); m != NULL; m = m->next)
		if (node_text(tree_child(m, "pgha"), "fence") != NULL)
			return true;
	return false;
}

static bool is_shown(const struct work *work, enum column column)
{
	if (column == FENCE)
		return work->listing->extended && has_fences(work->picture);
	/* What is ours stays away from who reads the columns of patronictl by their number. */
	if (optional_keys[column] == NULL || (work->listing->extended && column != TROUBLE))
		return true;
	for (const struct tree_node *m = picture_members(work->picture); m != NULL; m = m->next)
		if (node_truthy(m, optional_keys[column]))
			return true;
	return false;
}

static void add_sealed(const struct picture *picture, struct buf *text)
{
	const char *between = " An election, these receive WAL from nobody: ";
	bool any = false;

	for (const struct tree_node *m = picture_members(picture); m != NULL; m = m->next) {
		int64_t ballot = 0;

		if (!node_int(m, "sealed", &ballot) || ballot == 0)
			continue;
		buf_printf(text, "%s%s (ballot %lld)", any ? ", " : between, node_str(m, "name"),
			   (long long)ballot);
		any = true;
	}
	if (any)
		buf_str(text, "\n");
}

static void add_footer(const struct picture *picture, struct buf *text)
{
	const struct tree_node *root = picture->doc.root;
	const struct tree_node *switchover = tree_child(root, "scheduled_switchover");
	static const char *const ends[] = { "from", "to" };

	if (picture_is_paused(picture))
		buf_str(text, " Maintenance mode: on\n");
	add_sealed(picture, text);
	if (switchover == NULL)
		return;
	buf_printf(text, " Switchover scheduled at: %s\n", node_str(switchover, "at"));
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (node_text(switchover, ends[i]) != NULL)
			buf_printf(text, "%24s: %s\n", ends[i], node_str(switchover, ends[i]));
}

void listing_collect(const struct listing *listing, const struct picture *picture,
		     struct tree *rows)
{
	struct work work = { .listing = listing, .picture = picture, .rows = rows };

	work.with_port = needs_port(picture);
	if (rows->root == NULL)
		(void)node_add(rows, NULL, NULL, TREE_LIST);
	add_rows(&work);
}

void listing_print(const struct listing *listing, const struct picture *picture,
		   struct buf *ret_text)
{
	const struct work work = { .listing = listing, .picture = picture };
	_cleanup_(tree_done) struct tree rows = { 0 };
	const struct table_column *shown[COLUMN__MAX];
	struct table table = { .columns = shown, .nhidden = 1, .flow = listing->topology };
	char header[3 * NAME_SIZE];

	listing_collect(listing, picture, &rows);
	for (enum column i = CLUSTER; i < COLUMN__MAX; i++)
		if (is_shown(&work, i))
			shown[table.ncolumns++] = &columns[i];
	if (str_printf(header, sizeof(header), " Cluster: %s (%s) ", picture->name,
		       picture->sysid) >= 0)
		table.header = header;
	table.rows = rows.root;
	table_print(&table, listing->format, ret_text);
	if (listing->format == TABLE_PRETTY)
		add_footer(picture, ret_text);
}
