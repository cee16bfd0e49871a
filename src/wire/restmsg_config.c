/* SPDX-License-Identifier: PostgreSQL */
/*
 * restmsg_config - PATCH and PUT of /config as operations on documents
 *
 * Both walk two trees side by side. What is read is at most JTEXT_DEPTH_MAX deep, which bounds
 * the stacks here.
 */
#include <assert.h>
#include <stdlib.h>

#include "wire/jtext.h"
#include "wire/record.h"
#include "wire/restmsg.h"
#include "wire/tree.h"

/* One object of the one document beside the object of the other that stands at the same place. */
struct pair_frame {
	json_t *base;
	json_t *other;
	void *iter; /* in `other`; NULL at the end */
};

struct pair_stack {
	struct pair_frame frames[JTEXT_DEPTH_MAX + 1];
	size_t depth;
};

static void push(struct pair_stack *stack, json_t *base, json_t *other)
{
	assert(stack->depth < ARRAY_LEN(stack->frames));
	stack->frames[stack->depth++] = (struct pair_frame){ .base = base,
							     .other = other,
							     .iter = json_object_iter(other) };
}

/* The next key of the innermost object that has one left; false when all is done. */
static bool next_pair(struct pair_stack *stack, json_t **ret_base, const char **ret_key,
		      json_t **ret_value)
{
	while (stack->depth > 0) {
		struct pair_frame *frame = &stack->frames[stack->depth - 1];

		if (!frame->iter) {
			stack->depth--;
			continue;
		}
		*ret_base = frame->base;
		*ret_key = json_object_iter_key(frame->iter);
		*ret_value = json_object_iter_value(frame->iter);
		frame->iter = json_object_iter_next(frame->other, frame->iter);
		return true;
	}
	return false;
}

/* Patroni compares values by str(): 100 equals "100", true equals "True". */
static bool same_text(const json_t *a, const json_t *b)
{
	_cleanup_(buf_done) struct buf text_a = { 0 };
	_cleanup_(buf_done) struct buf text_b = { 0 };

	jtext_add_python(&text_a, a);
	jtext_add_python(&text_b, b);
	return text_a.len == text_b.len &&
	       (text_a.len == 0 || memcmp(text_a.data, text_b.data, text_a.len) == 0);
}

/* One key of the patch. True when the document changed. */
static bool patch_key(struct pair_stack *stack, json_t *base, const char *key, json_t *value)
{
	json_t *old = json_object_get(base, key);

	if (json_is_null(value)) {
		bool changed = old && !json_is_null(old);

		json_object_del(base, key);
		return changed;
	}
	if (json_is_object(old) && json_is_object(value)) {
		push(stack, old, value);
		return false;
	}
	if (old && !json_is_object(value) && same_text(old, value))
		return false;
	json_object_set(base, key, value);
	return true;
}

char *restmsg_config_merge(const char *old_json, const char *patch_json, bool *ret_changed)
{
	_cleanup_(jtext_unrefp) json_t *doc = NULL;
	_cleanup_(jtext_unrefp) json_t *patch = NULL;
	struct pair_stack stack = { 0 };
	bool changed = false;
	const char *key;
	json_t *value;
	json_t *base;

	if (!old_json || jtext_load_object(old_json, strlen(old_json), &doc, NULL) < 0)
		return NULL;
	if (!patch_json || jtext_load_object(patch_json, strlen(patch_json), &patch, NULL) < 0)
		return NULL;
	push(&stack, doc, patch);
	while (next_pair(&stack, &base, &key, &value))
		changed |= patch_key(&stack, base, key, value);
	*ret_changed = changed;
	return jtext_print(doc, JTEXT_COMPACT);
}

int restmsg_config_check(const char *json, size_t len, struct err *err)
{
	_cleanup_(tree_done) struct tree tree = { 0 };
	size_t limit = record_size_limit("config");
	int r;

	if (len > limit)
		return err_set(err, ERR_RANGE, "more than %zu kB", limit / 1024);
	r = tree_from_json(json, len, &tree, err);
	if (r < 0)
		return r;
	return tree.root->type == TREE_MAP ? 0 : err_set(err, ERR_PARSE, "not a JSON object");
}

bool restmsg_config_equal(const char *a_json, const char *b_json)
{
	_cleanup_(jtext_unrefp) json_t *a = NULL;
	_cleanup_(jtext_unrefp) json_t *b = NULL;
	struct pair_stack stack = { 0 };
	const char *key;
	json_t *value;
	json_t *base;

	if (!a_json || jtext_load_object(a_json, strlen(a_json), &a, NULL) < 0 || !b_json ||
	    jtext_load_object(b_json, strlen(b_json), &b, NULL) < 0)
		return false;
	if (json_object_size(a) != json_object_size(b))
		return false;
	push(&stack, a, b);
	while (next_pair(&stack, &base, &key, &value)) {
		json_t *mine = json_object_get(base, key);

		if (!mine || json_is_object(mine) != json_is_object(value))
			return false;
		if (!json_is_object(mine)) {
			if (!same_text(mine, value))
				return false;
			continue;
		}
		if (json_object_size(mine) != json_object_size(value))
			return false;
		push(&stack, mine, value);
	}
	return true;
}
