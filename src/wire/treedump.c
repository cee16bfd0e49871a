/* SPDX-License-Identifier: PostgreSQL */
/*
 * treedump - a tree as text for people: YAML, or JSON on one line with blanks
 */
#include "wire/treedump.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <yaml.h>

#include "wire/yamlscalar.h"

#define YAML_WIDTH 200

/* One open map or list of the walk: its children in the order of the output. */
struct level {
	const struct tree_node *node;
	const struct tree_node **children;
	size_t n;
	size_t next;
};

static int by_key(const void *a, const void *b)
{
	const struct tree_node *const *x = a, *const *y = b;

	return strcmp((*x)->key, (*y)->key);
}

static void open_level(struct level *level, const struct tree_node *node, bool sorted)
{
	const struct tree_node *child;

	*level = (struct level){ .node = node };
	for (child = node->first; child != NULL; child = child->next)
		level->n++;
	level->children = mem_new(level->n + 1, sizeof(*level->children));
	level->n = 0;
	for (child = node->first; child != NULL; child = child->next)
		level->children[level->n++] = child;
	if (sorted && node->type == TREE_MAP)
		qsort(level->children, level->n, sizeof(*level->children), by_key);
}

/* An integer, however long. */
static bool is_integer(const char *s)
{
	if (*s == '-' || *s == '+')
		s++;
	if (*s == '0')
		return strspn(s, "01234567_") == strlen(s);
	return isdigit((unsigned char)*s) && strspn(s, "0123456789_") == strlen(s);
}

/* n1 to n2 digits; moves *s behind them. */
static bool take_digits(const char **s, int n1, int n2)
{
	int n = 0;

	while (n < n2 && isdigit((unsigned char)(*s)[n]))
		n++;
	*s += n;
	return n >= n1;
}

static bool take_char(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

static bool take_zone(const char **s)
{
	while (**s == ' ' || **s == '\t')
		(*s)++;
	if (**s == '\0' || take_char(s, 'Z'))
		return true;
	if (!take_char(s, '+') && !take_char(s, '-'))
		return false;
	if (!take_digits(s, 1, 2))
		return false;
	return !take_char(s, ':') || take_digits(s, 2, 2);
}

/* YAML 1.1 has dates; a text that looks like one must be quoted. */
static bool is_timestamp(const char *s)
{
	const char *day;

	if (!take_digits(&s, 4, 4) || !take_char(&s, '-') || !take_digits(&s, 1, 2) ||
	    !take_char(&s, '-'))
		return false;
	day = s;
	if (!take_digits(&s, 1, 2))
		return false;
	if (*s == '\0')
		return s - day == 2 && day[-3] != '-';
	if (!take_char(&s, 'T') && !take_char(&s, 't')) {
		if (*s != ' ' && *s != '\t')
			return false;
		while (*s == ' ' || *s == '\t')
			s++;
	}
	if (!take_digits(&s, 1, 2) || !take_char(&s, ':') || !take_digits(&s, 2, 2) ||
	    !take_char(&s, ':') || !take_digits(&s, 2, 2))
		return false;
	if (take_char(&s, '.'))
		s += strspn(s, "0123456789");
	return take_zone(&s) && *s == '\0';
}

/* True when the word, unquoted, would be read back as the same text. */
static bool is_plain_text(const char *word)
{
	struct tree_node node = { 0 };
	bool is_text;

	yamlscalar_resolve(&node, word);
	is_text = node.type == TREE_STRING;
	free(node.text);
	free(node.raw);
	return is_text && !is_integer(word) && !is_timestamp(word) && strcmp(word, "<<") != 0 &&
	       strcmp(word, "=") != 0;
}

/* Numbers that JSON gave may lack the point that makes them a float in YAML and Python. */
static void add_float(struct buf *text, const char *number)
{
	const char *e = strpbrk(number, "eE");
	bool has_point = strchr(number, '.') != NULL;

	if (strpbrk(number, "in") != NULL) { /* inf, nan */
		buf_printf(text, "%s.%s", *number == '-' ? "-" : "",
			   *number == '-' ? number + 1 : number);
		return;
	}
	buf_add(text, number, e != NULL ? (size_t)(e - number) : strlen(number));
	buf_str(text, has_point ? "" : ".0");
	buf_str(text, e != NULL ? e : "");
}

static const char *yaml_word(const struct tree_node *node, struct buf *spare)
{
	switch (node->type) {
	case TREE_BOOL:
		return node->flag ? "true" : "false";
	case TREE_INT:
		return node->text;
	case TREE_FLOAT:
		add_float(spare, node->text);
		return spare->data;
	case TREE_STRING:
		return node->text;
	case TREE_NULL:
	case TREE_MAP:
	case TREE_LIST:
	case TREE__MAX:
		break;
	}
	return "null";
}

static int write_out(void *ctx, unsigned char *data, size_t size)
{
	buf_add(ctx, data, size);
	return 1;
}

static bool init_scalar(yaml_event_t *event, const char *word, bool is_plain)
{
	return yaml_scalar_event_initialize(event, NULL, NULL, (const yaml_char_t *)word,
					    (int)strlen(word), is_plain, 1,
					    YAML_ANY_SCALAR_STYLE) != 0;
}

/* Names of keys in etcd may hold any bytes; libyaml refuses what is not UTF-8. */
static void emit_scalar(yaml_emitter_t *emitter, const char *word, bool is_plain)
{
	_cleanup_(freep) char *ascii = NULL;
	yaml_event_t event;

	if (!init_scalar(&event, word, is_plain)) {
		ascii = str_dup(word);
		for (char *c = ascii; *c != '\0'; c++)
			*c = (char)((unsigned char)*c < 0x80 ? *c : '?');
		if (!init_scalar(&event, ascii, is_plain))
			return;
	}
	(void)yaml_emitter_emit(emitter, &event);
}

static void emit_open(yaml_emitter_t *emitter, const struct tree_node *node, bool flow)
{
	yaml_event_t event;
	int ok;

	if (node->type == TREE_MAP)
		ok = yaml_mapping_start_event_initialize(
			&event, NULL, NULL, 1,
			flow ? YAML_FLOW_MAPPING_STYLE : YAML_BLOCK_MAPPING_STYLE);
	else
		ok = yaml_sequence_start_event_initialize(
			&event, NULL, NULL, 1,
			flow ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE);
	if (ok)
		(void)yaml_emitter_emit(emitter, &event);
}

static void emit_close(yaml_emitter_t *emitter, const struct tree_node *node)
{
	yaml_event_t event;
	int ok = node->type == TREE_MAP ? yaml_mapping_end_event_initialize(&event)
					: yaml_sequence_end_event_initialize(&event);

	if (ok)
		(void)yaml_emitter_emit(emitter, &event);
}

static void emit_node(yaml_emitter_t *emitter, const struct tree_node *node)
{
	_cleanup_(buf_done) struct buf spare = { 0 };
	const char *word = yaml_word(node, &spare);

	emit_scalar(emitter, word, node->type != TREE_STRING || is_plain_text(word));
}

static bool is_open(const struct tree_node *node)
{
	return node->type == TREE_MAP || node->type == TREE_LIST;
}

static void emit_tree(yaml_emitter_t *emitter, const struct tree_node *root, bool flow)
{
	struct level stack[TREE_DEPTH_MAX + 1];
	size_t n = 0;

	if (!is_open(root)) {
		emit_node(emitter, root);
		return;
	}
	emit_open(emitter, root, flow);
	open_level(&stack[n++], root, true);
	while (n > 0) {
		struct level *level = &stack[n - 1];
		const struct tree_node *child;

		if (level->next == level->n) {
			emit_close(emitter, level->node);
			free(level->children);
			n--;
			continue;
		}
		child = level->children[level->next++];
		if (level->node->type == TREE_MAP)
			emit_scalar(emitter, child->key, is_plain_text(child->key));
		if (!is_open(child)) {
			emit_node(emitter, child);
			continue;
		}
		emit_open(emitter, child, flow);
		open_level(&stack[n++], child, true);
	}
}

void treedump_yaml(const struct tree_node *root, bool flow, struct buf *ret_text)
{
	const struct tree_node nothing = { .type = TREE_NULL };
	yaml_emitter_t emitter;
	yaml_event_t event;

	if (!yaml_emitter_initialize(&emitter))
		return;
	yaml_emitter_set_output(&emitter, write_out, ret_text);
	yaml_emitter_set_unicode(&emitter, 1);
	yaml_emitter_set_width(&emitter, YAML_WIDTH);
	if (yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING))
		(void)yaml_emitter_emit(&emitter, &event);
	if (yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1))
		(void)yaml_emitter_emit(&emitter, &event);
	emit_tree(&emitter, root != NULL ? root : &nothing, flow);
	if (yaml_document_end_event_initialize(&event, 1))
		(void)yaml_emitter_emit(&emitter, &event);
	if (yaml_stream_end_event_initialize(&event))
		(void)yaml_emitter_emit(&emitter, &event);
	yaml_emitter_delete(&emitter);
}

static void json_putp(json_t **jsonp)
{
	json_decref(*jsonp);
}

/* jansson writes \u00E9 where Python writes \u00e9. */
static void lower_escapes(char *json)
{
	for (; *json != '\0'; json++) {
		if (*json != '\\')
			continue;
		json++;
		for (int i = 1; *json == 'u' && i <= 4; i++)
			json[i] = (char)tolower((unsigned char)json[i]);
	}
}

static void add_json_string(struct buf *text, const char *s)
{
	_cleanup_(json_putp) json_t *value = json_string(s);
	_cleanup_(freep) char *dump = NULL;

	if (value != NULL)
		dump = json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
	if (dump != NULL)
		lower_escapes(dump);
	buf_str(text, dump != NULL ? dump : "\"\"");
}

static void add_json_scalar(struct buf *text, const struct tree_node *node)
{
	if (node->type == TREE_STRING)
		add_json_string(text, node->text);
	else if (node->type == TREE_NULL)
		buf_str(text, "null");
	else if (node->type == TREE_BOOL)
		buf_str(text, node->flag ? "true" : "false");
	else
		buf_str(text, node->text);
	if (node->type == TREE_FLOAT && strpbrk(node->text, ".ein") == NULL)
		buf_str(text, ".0");
}

void treedump_json(const struct tree_node *root, struct buf *ret_text)
{
	struct level stack[TREE_DEPTH_MAX + 1];
	size_t n = 0;

	if (root == NULL || !is_open(root)) {
		const struct tree_node nothing = { .type = TREE_NULL };

		add_json_scalar(ret_text, root != NULL ? root : &nothing);
		return;
	}
	buf_ch(ret_text, root->type == TREE_MAP ? '{' : '[');
	open_level(&stack[n++], root, false);
	while (n > 0) {
		struct level *level = &stack[n - 1];
		const struct tree_node *child;

		if (level->next == level->n) {
			buf_ch(ret_text, level->node->type == TREE_MAP ? '}' : ']');
			free(level->children);
			n--;
			continue;
		}
		child = level->children[level->next++];
		buf_str(ret_text, level->next > 1 ? ", " : "");
		if (level->node->type == TREE_MAP) {
			add_json_string(ret_text, child->key);
			buf_str(ret_text, ": ");
		}
		if (!is_open(child)) {
			add_json_scalar(ret_text, child);
			continue;
		}
		buf_ch(ret_text, child->type == TREE_MAP ? '{' : '[');
		open_level(&stack[n++], child, false);
	}
}
