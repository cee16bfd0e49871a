/* SPDX-License-Identifier: PostgreSQL */
/*
 * yamltree - YAML text to tree
 *
 * A loop over libyaml's events. The place in the document is the open node itself: its parent
 * pointers are the stack.
 */
#include "wire/yamltree.h"

#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "wire/yamlscalar.h"

#define ANCHORS_MAX 256
#define TAG_PREFIX  "tag:yaml.org,2002:"

struct anchor {
	char *name;
	struct tree_node *node;
};

struct reader {
	struct tree *tree;
	struct yamltree_twins *twins;
	struct tree_node *at; /* the open map or list; NULL outside of the root */
	char *key;            /* of the map value to come; NULL when a key is due */
	int key_line;
	bool done; /* the first document is complete */
	struct anchor anchors[ANCHORS_MAX];
	size_t nanchors;
};

static void reader_done(struct reader *reader)
{
	free(reader->key);
	for (size_t i = 0; i < reader->nanchors; i++)
		free(reader->anchors[i].name);
}

static int line_of(const yaml_event_t *event)
{
	return (int)event->start_mark.line + 1;
}

static bool wants_key(const struct reader *reader)
{
	return reader->at != NULL && reader->at->type == TREE_MAP && reader->key == NULL;
}

static void note_twin(struct reader *reader, const struct tree_node *old, int line)
{
	struct yamltree_twins *twins = reader->twins;
	struct yamltree_twin *twin;

	if (twins == NULL || twins->n >= YAMLTREE_TWINS_MAX)
		return;
	twins->items = mem_grow(twins->items, twins->n + 1, sizeof(twins->items[0]));
	twin = &twins->items[twins->n++];
	twin->line = line;
	twin->first_line = old->line;
	tree_path(reader->tree->root, old, twin->path);
}

static void drop_twin(struct reader *reader)
{
	struct tree_node *it;

	for (it = reader->at->first; it != NULL; it = it->next) {
		if (strcmp(it->key, reader->key) != 0)
			continue;
		note_twin(reader, it, reader->key_line);
		tree_unlink(it);
		return;
	}
}

static int take_key(struct reader *reader, const yaml_event_t *event, struct err *err)
{
	const char *text = (const char *)event->data.scalar.value;
	int line = line_of(event);

	if (event->type != YAML_SCALAR_EVENT)
		return err_set(err, ERR_PARSE, "line %d: a key must be a plain word", line);
	if (text[0] == '\0' || strlen(text) != event->data.scalar.length)
		return err_set(err, ERR_PARSE, "line %d: an empty key", line);
	reader->key = str_dup(text);
	reader->key_line = line;
	return 0;
}

/* Hangs a new node where the reader stands. */
static int add_node(struct reader *reader, enum tree_type type, int line, struct tree_node **ret,
		    struct err *err)
{
	int r;

	if (reader->at == NULL && reader->done)
		return err_set(err, ERR_PARSE, "line %d: a second document; only one is read",
			       line);
	if (reader->key != NULL)
		drop_twin(reader);
	r = tree_add(reader->tree, reader->at, reader->key,
		     type, reader->key != NULL ? reader->key_line : line, ret, err);
	free(TAKE(reader->key));
	return r;
}

static int add_anchor(struct reader *reader, const yaml_char_t *name, struct tree_node *node,
		      struct err *err)
{
	if (name == NULL)
		return 0;
	if (reader->nanchors == ANCHORS_MAX)
		return err_set(err, ERR_RANGE, "line %d: more than %d anchors", node->line,
			       ANCHORS_MAX);
	reader->anchors[reader->nanchors++] =
		(struct anchor){ .name = str_dup((const char *)name), .node = node };
	return 0;
}

static bool is_open(const struct reader *reader, const struct tree_node *node)
{
	const struct tree_node *it;

	for (it = reader->at; it != NULL; it = it->parent)
		if (it == node)
			return true;
	return false;
}

static int take_alias(struct reader *reader, const yaml_event_t *event, struct err *err)
{
	const char *name = (const char *)event->data.alias.anchor;
	int line = line_of(event);
	struct tree_node *copy;
	size_t i = reader->nanchors;
	int r;

	/* An anchor may be defined again: the newest counts. */
	while (i > 0 && strcmp(reader->anchors[i - 1].name, name) != 0)
		i--;
	if (i == 0 || reader->at == NULL)
		return err_set(err, ERR_PARSE, "line %d: '*%s' has no '&%s' before it", line, name,
			       name);
	if (is_open(reader, reader->anchors[i - 1].node))
		return err_set(err, ERR_PARSE, "line %d: '*%s' refers to itself", line, name);
	if (reader->key != NULL)
		drop_twin(reader);
	r = tree_copy(reader->tree, reader->at, reader->key, reader->anchors[i - 1].node, &copy,
		      err);
	free(TAKE(reader->key));
	return r;
}

/* `!!str 5` and the like. What PyYAML's safe loader would build into other kinds of objects
 * (dates, sets, Python classes) has no place in this file. */
static int check_tag(const yaml_char_t *tag, const char *const *allowed, int line, struct err *err)
{
	const char *name = (const char *)tag;

	if (tag == NULL || strcmp(name, "!") == 0)
		return 0;
	for (size_t i = 0; allowed[i] != NULL; i++)
		if (str_starts(name, TAG_PREFIX) &&
		    strcmp(name + strlen(TAG_PREFIX), allowed[i]) == 0)
			return 0;
	return err_set(err, ERR_PARSE, "line %d: the tag '%s' is not supported here", line, name);
}

static bool tag_is(const yaml_char_t *tag, const char *name)
{
	return tag != NULL && str_starts((const char *)tag, TAG_PREFIX) &&
	       strcmp((const char *)tag + strlen(TAG_PREFIX), name) == 0;
}

static int take_scalar(struct reader *reader, const yaml_event_t *event, struct err *err)
{
	static const char *const allowed[] = { "str", "int", "float", "bool", "null", NULL };
	const yaml_char_t *tag = event->data.scalar.tag;
	const char *text = (const char *)event->data.scalar.value;
	bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && tag == NULL;
	int line = line_of(event);
	struct tree_node *node;
	int r;

	if (reader->at == NULL && !reader->done && is_plain && text[0] == '\0') {
		reader->done = true; /* an empty document */
		return 0;
	}
	r = check_tag(tag, allowed, line, err);
	if (r < 0)
		return r;
	if (strlen(text) != event->data.scalar.length)
		return err_set(err, ERR_PARSE, "line %d: a text with a zero byte", line);
	r = add_node(reader, TREE_STRING, line, &node, err);
	if (r < 0)
		return r;
	if (is_plain || (tag != NULL && !tag_is(tag, "str") && strcmp((const char *)tag, "!") != 0))
		yamlscalar_resolve(node, text);
	else
		tree_set_text(node, text, strlen(text));
	return add_anchor(reader, event->data.scalar.anchor, node, err);
}

static int open_node(struct reader *reader, const yaml_event_t *event, struct err *err)
{
	static const char *const maps[] = { "map", NULL };
	static const char *const lists[] = { "seq", NULL };
	bool is_map = event->type == YAML_MAPPING_START_EVENT;
	const yaml_char_t *tag =
		is_map ? event->data.mapping_start.tag : event->data.sequence_start.tag;
	const yaml_char_t *anchor =
		is_map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
	struct tree_node *node;
	int r;

	r = check_tag(tag, is_map ? maps : lists, line_of(event), err);
	if (r < 0)
		return r;
	r = add_node(reader, is_map ? TREE_MAP : TREE_LIST, line_of(event), &node, err);
	if (r < 0)
		return r;
	r = add_anchor(reader, anchor, node, err);
	if (r < 0)
		return r;
	reader->at = node;
	return 0;
}

/* Copies the keys of `from` that `map` does not have itself. */
static int merge_map(struct tree *tree, struct tree_node *map, const struct tree_node *from,
		     struct err *err)
{
	const struct tree_node *it;
	struct tree_node *copy;
	int r;

	if (from->type != TREE_MAP)
		return err_set(err, ERR_PARSE, "line %d: '<<' needs a map or a list of maps",
			       from->line);
	for (it = from->first; it != NULL; it = it->next) {
		if (tree_child(map, it->key) != NULL)
			continue;
		r = tree_copy(tree, map, NULL, it, &copy, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int resolve_merge(struct tree *tree, struct tree_node *map, struct err *err)
{
	struct tree_node *merge = map->first;
	const struct tree_node *it;
	int r;

	while (merge != NULL && strcmp(merge->key, "<<") != 0)
		merge = merge->next;
	if (merge == NULL)
		return 0;
	tree_unlink(merge);
	if (merge->type != TREE_LIST)
		return merge_map(tree, map, merge, err);
	for (it = merge->first; it != NULL; it = it->next) {
		r = merge_map(tree, map, it, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int close_node(struct reader *reader, struct err *err)
{
	struct tree_node *node = reader->at;
	int r = 0;

	if (node->type == TREE_MAP)
		r = resolve_merge(reader->tree, node, err);
	reader->at = node->parent;
	if (reader->at == NULL)
		reader->done = true;
	return r;
}

static int take_event(struct reader *reader, const yaml_event_t *event, struct err *err)
{
	bool is_value = event->type == YAML_SCALAR_EVENT || event->type == YAML_ALIAS_EVENT ||
			event->type == YAML_MAPPING_START_EVENT ||
			event->type == YAML_SEQUENCE_START_EVENT;

	if (!is_value && event->type != YAML_MAPPING_END_EVENT &&
	    event->type != YAML_SEQUENCE_END_EVENT)
		return 0;
	if (!is_value)
		return close_node(reader, err);
	if (wants_key(reader))
		return take_key(reader, event, err);
	if (event->type == YAML_SCALAR_EVENT)
		return take_scalar(reader, event, err);
	if (event->type == YAML_ALIAS_EVENT)
		return take_alias(reader, event, err);
	return open_node(reader, event, err);
}

static int syntax_error(const yaml_parser_t *parser, struct err *err)
{
	const char *problem = parser->problem != NULL ? parser->problem : "cannot be read";
	const char *hint = "";

	if (parser->error == YAML_READER_ERROR)
		return err_set(err, ERR_PARSE, "byte %zu: %s", parser->problem_offset, problem);
	if (strstr(problem, "cannot start any token") != NULL)
		hint = " (tabs cannot indent; quote words that begin with @, ` or %)";
	if (parser->context != NULL)
		return err_set(err, ERR_PARSE, "line %zu: %s %s (begun in line %zu)%s",
			       parser->problem_mark.line + 1, problem, parser->context,
			       parser->context_mark.line + 1, hint);
	return err_set(err, ERR_PARSE, "line %zu: %s%s", parser->problem_mark.line + 1, problem,
		       hint);
}

static int read_events(struct reader *reader, yaml_parser_t *parser, struct err *err)
{
	bool is_end = false;
	int r = 0;

	while (!is_end && r >= 0) {
		yaml_event_t event;

		if (!yaml_parser_parse(parser, &event))
			return syntax_error(parser, err);
		is_end = event.type == YAML_STREAM_END_EVENT;
		r = take_event(reader, &event, err);
		yaml_event_delete(&event);
	}
	return r;
}

int yamltree_parse(const char *text, size_t len, struct tree *ret, struct yamltree_twins *twins,
		   struct err *err)
{
	_cleanup_(tree_done) struct tree tree = { 0 };
	_cleanup_(yaml_parser_delete) yaml_parser_t parser;
	_cleanup_(reader_done) struct reader reader = { .tree = &tree, .twins = twins };
	int r;

	/* Even a failed initialisation leaves a parser that may be deleted: it is zeroed first. */
	if (!yaml_parser_initialize(&parser))
		return err_set(err, ERR_MEMORY, "no memory for the YAML parser");
	if (len > YAMLTREE_SIZE_MAX)
		return err_set(err, ERR_RANGE, "%zu bytes; at most %d are read", len,
			       YAMLTREE_SIZE_MAX);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	r = read_events(&reader, &parser, err);
	if (r < 0)
		return r;
	if (tree.root != NULL && tree.root->type != TREE_MAP)
		return err_set(err, ERR_PARSE,
			       "line %d: the file must hold keys and values, not %s",
			       tree.root->line, tree_type_name(tree.root->type));
	*ret = tree;
	tree = (struct tree){ 0 };
	return 0;
}
