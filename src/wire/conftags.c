/* SPDX-License-Identifier: PostgreSQL */
/*
 * conftags - the section tags into struct config
 *
 * Two tags exist as a boolean and as a priority (nofailover and failover_priority, nosync and
 * sync_priority). The boolean counts when both are given.
 */
#include "wire/confbuild.h"

#include <string.h>

struct twin {
	const char *flag_path;
	const char *priority_path;
};

static void merge_twin(const struct confbuild *build, const struct twin *twin, bool *ret_flag,
		       int32_t *ret_priority)
{
	const struct tree_node *node = confget_node(&build->get, twin->flag_path);
	bool has_priority = confget_node(&build->get, twin->priority_path) != NULL;
	int32_t priority = (int32_t)confget_int(&build->get, twin->priority_path);
	bool flag = confget_bool(&build->get, twin->flag_path);
	const char *word = flag ? "True" : "False";

	if (node == NULL) {
		*ret_flag = priority <= 0;
		*ret_priority = MAX_OF(priority, 0);
		return;
	}
	if (has_priority && flag != (priority <= 0))
		confbuild_report(build, false, twin->flag_path,
				 "Conflicting configuration between %s: %s and %s: %d. Defaulting "
				 "to %s: %s",
				 strchr(twin->flag_path, '.') + 1, word,
				 strchr(twin->priority_path, '.') + 1, priority,
				 strchr(twin->flag_path, '.') + 1, word);
	*ret_flag = flag;
	*ret_priority = flag ? 0 : MAX_OF(priority, 1);
}

/* Booleans that say nothing are not published, except where they decide against a priority. */
static bool is_published(const struct tree_node *tags, const struct tree_node *node)
{
	static const char *const quiet[] = { "clonefrom", "nofailover", "noloadbalance", "nosync",
					     "nostream" };

	if (node->type != TREE_NULL && !(node->type == TREE_BOOL && !node->flag))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(quiet); i++) {
		if (!str_eq(node->key, quiet[i]))
			continue;
		if (str_eq(node->key, "nofailover"))
			return tree_child(tags, "failover_priority") != NULL;
		if (str_eq(node->key, "nosync"))
			return tree_child(tags, "sync_priority") != NULL;
		return false;
	}
	return true;
}

static char *published_json(const struct tree_node *tags)
{
	_cleanup_(tree_done) struct tree copy = { 0 };
	_cleanup_(buf_done) struct buf json = { 0 };
	const struct tree_node *it;
	struct tree_node *root;
	struct tree_node *node;

	/* The limits of a tree were kept by the one that is copied. */
	if (tree_add(&copy, NULL, NULL, TREE_MAP, 0, &root, NULL) < 0)
		return str_dup("{}");
	for (it = tags != NULL ? tags->first : NULL; it != NULL; it = it->next)
		if (is_published(tags, it) && tree_copy(&copy, root, NULL, it, &node, NULL) < 0)
			return str_dup("{}");
	tree_to_json(root, &json);
	return buf_take(&json);
}

void confbuild_tags(const struct confbuild *build)
{
	static const struct twin failover = { "tags.nofailover", "tags.failover_priority" };
	static const struct twin sync = { "tags.nosync", "tags.sync_priority" };
	const struct tree_node *section = tree_find(build->get.local, "tags");
	_cleanup_(freep) char *source = confget_text(&build->get, "tags.replicatefrom");
	struct tags *tags = &build->config->tags;

	merge_twin(build, &failover, &tags->nofailover, &tags->failover_priority);
	merge_twin(build, &sync, &tags->nosync, &tags->sync_priority);
	tags->noloadbalance = confget_bool(&build->get, "tags.noloadbalance");
	tags->clonefrom = confget_bool(&build->get, "tags.clonefrom");
	tags->nostream = confget_bool(&build->get, "tags.nostream");
	if (str_copy(tags->replicatefrom, sizeof(tags->replicatefrom), source) < 0)
		confbuild_report(build, true, "tags.replicatefrom", "longer than %d bytes",
				 NAME_SIZE - 1);
	if (section != NULL && section->type != TREE_MAP)
		section = NULL;
	build->config->tags_json = published_json(section);
}
