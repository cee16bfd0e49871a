/* SPDX-License-Identifier: PostgreSQL */
/*
 * jtext - JSON text: read with bounds, written byte for byte as Python's json.dumps does
 */
#include "wire/jtext.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/parse.h"

void jtext_unrefp(json_t **value)
{
	json_decref(*value);
}

/* Position of the quote that ends the string whose text begins at pos, or len. */
static size_t string_end(const char *text, size_t len, size_t pos)
{
	size_t begin = pos;

	for (;;) {
		const char *quote = pos < len ? memchr(text + pos, '"', len - pos) : NULL;
		size_t nescapes = 0;
		size_t at;

		if (!quote)
			return len;
		at = (size_t)(quote - text);
		while (at - nescapes > begin && text[at - nescapes - 1] == '\\')
			nescapes++;
		if (nescapes % 2 == 0)
			return at;
		pos = at + 1;
	}
}

/* Walks over brackets and strings. With `one`: stops behind the value that the first bracket
 * opened. Returns where it stopped, with the depth reached there, or -ERR_RANGE. */
static int walk(const char *text, size_t len, bool one, size_t *ret_pos, uint32_t *ret_depth,
		struct err *err)
{
	uint32_t depth = 0;
	size_t pos = 0;

	while (pos < len) {
		char c = text[pos];

		if (c == '"')
			pos = string_end(text, len, pos + 1);
		else if ((c == '{' || c == '[') && ++depth > JTEXT_DEPTH_MAX)
			return err_set(err, ERR_RANGE, "JSON is nested deeper than %d",
				       JTEXT_DEPTH_MAX);
		else if ((c == '}' || c == ']') && depth > 0)
			depth--;
		if (pos < len)
			pos++;
		if (one && depth == 0)
			break;
	}
	*ret_pos = pos;
	*ret_depth = depth;
	return 0;
}

int jtext_check_depth(const char *text, size_t len, struct err *err)
{
	uint32_t depth;
	size_t pos;

	return walk(text, len, false, &pos, &depth, err);
}

int jtext_load(const char *text, size_t len, json_t **ret, struct err *err)
{
	json_error_t why;
	int r;

	r = jtext_check_depth(text, len, err);
	if (r < 0)
		return r;
	*ret = json_loadb(text ? text : "", len, JSON_DECODE_ANY, &why);
	if (!*ret)
		return err_set(err, ERR_PARSE, "no JSON: %s at byte %d", why.text, why.position);
	return 0;
}

int jtext_load_object(const char *text, size_t len, json_t **ret, struct err *err)
{
	_cleanup_(jtext_unrefp) json_t *value = NULL;
	int r;

	r = jtext_load(text, len, &value, err);
	if (r < 0)
		return r;
	if (!json_is_object(value))
		return err_set(err, ERR_PARSE, "JSON, but no object");
	*ret = TAKE(value);
	return 0;
}

int jtext_load_long(const char *text, size_t len, json_t **ret, struct err *err)
{
	_cleanup_(buf_done) struct buf reduced = { 0 };
	size_t copied = 0;
	size_t pos = 0;

	while (pos < len) {
		const char *quote = memchr(text + pos, '"', len - pos);
		size_t begin = quote ? (size_t)(quote - text) + 1 : len;
		size_t end = string_end(text, len, begin);

		pos = end + 1;
		if (end >= len || end - begin <= JTEXT_LONG ||
		    memchr(text + begin, '\\', end - begin))
			continue;
		buf_add(&reduced, text + copied, begin - copied);
		buf_printf(&reduced, "@%zu+%zu", begin, end - begin);
		copied = end;
	}
	if (copied == 0)
		return jtext_load_object(text, len, ret, err);
	buf_add(&reduced, text + copied, len - copied);
	return jtext_load_object(reduced.data, reduced.len, ret, err);
}

/* "123" up to the character `end`; moves *at behind that. */
static bool read_place(const char **at, char end, size_t *ret)
{
	size_t value = 0;

	if (**at < '0' || **at > '9')
		return false;
	while (**at >= '0' && **at <= '9' && value < SIZE_MAX / 16)
		value = value * 10 + (size_t)(*(*at)++ - '0');
	*ret = value;
	return *(*at)++ == end;
}

const char *jtext_long(const json_t *string, const char *text, size_t len, size_t *ret_len)
{
	const char *value = json_string_value(string);
	const char *at = value + 1;
	size_t begin;
	size_t count;

	*ret_len = json_string_length(string);
	if (*value != '@' || !read_place(&at, '+', &begin) || !read_place(&at, '\0', &count) ||
	    begin > len || count > len - begin)
		return value;
	*ret_len = count;
	return text + begin;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

int jtext_document(const char *text, size_t len, size_t *ret_begin, size_t *ret_end,
		   struct err *err)
{
	size_t begin = 0;
	uint32_t depth;
	size_t pos;
	int r;

	while (begin < len && is_blank(text[begin]))
		begin++;
	if (begin == len)
		return JTEXT_MORE;
	if (text[begin] != '{')
		return err_set(err, ERR_PARSE, "no JSON object stands at the front of the stream");
	r = walk(text + begin, len - begin, true, &pos, &depth, err);
	if (r < 0)
		return r;
	if (depth > 0)
		return JTEXT_MORE;
	*ret_begin = begin;
	*ret_end = begin + pos;
	return 0;
}

size_t jtext_utf8(const char *s, size_t len, uint32_t *ret_code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *u = (const unsigned char *)s;
	size_t n = u[0] < 0x80 ? 1 : u[0] < 0xc2 ? 0 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
	uint32_t code = u[0];

	if (n == 0 || n > len || u[0] > 0xf4)
		return 0;
	if (n > 1)
		code = u[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (u[i] & 0x3f);
	}
	if (code < least[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret_code = code;
	return n;
}

static void add_escaped(struct buf *buf, uint32_t code)
{
	static const char letters[] = "btn\0fr"; /* for 8 to 13; \v has no letter in JSON */

	if (code == '"' || code == '\\')
		buf_printf(buf, "\\%c", (char)code);
	else if (code >= 8 && code <= 13 && letters[code - 8])
		buf_printf(buf, "\\%c", letters[code - 8]);
	else if (code < 0x10000)
		buf_printf(buf, "\\u%04" PRIx32, code);
	else
		buf_printf(buf, "\\u%04" PRIx32 "\\u%04" PRIx32, 0xd800 + ((code - 0x10000) >> 10),
			   0xdc00 + ((code - 0x10000) & 0x3ff));
}

static bool is_plain(char c)
{
	return (unsigned char)c >= 0x20 && (unsigned char)c < 0x7f && c != '"' && c != '\\';
}

void jtext_add_string(struct buf *buf, const char *s, size_t len)
{
	size_t i = 0;

	buf_ch(buf, '"');
	while (i < len) {
		uint32_t code = 0xfffd;
		size_t n = 0;

		while (i + n < len && is_plain(s[i + n]))
			n++;
		buf_add(buf, s + i, n);
		i += n;
		if (i == len)
			break;
		n = jtext_utf8(s + i, len - i, &code);
		add_escaped(buf, code);
		i += n > 0 ? n : 1;
	}
	buf_ch(buf, '"');
}

/* repr() of a Python float: the shortest digits that read back as the same number, with an
 * exponent below 1e-4 and from 1e16 on. */
static void add_real(struct buf *buf, double value)
{
	char text[40];
	int64_t exponent = 0;
	int digits = 0;

	do
		snprintf(text, sizeof(text), "%.*e", digits, value);
	while (strtod(text, NULL) != value && ++digits < 17);
	(void)parse_int(strchr(text, 'e') + 1, -999, 999, &exponent, NULL);
	if (exponent < -4 || exponent >= 16) {
		buf_str(buf, text);
		return;
	}
	buf_printf(buf, "%.*f", MAX_OF(digits - (int)exponent, 1), value);
}

static void add_scalar(struct buf *buf, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		jtext_add_string(buf, json_string_value(value), json_string_length(value));
		return;
	case JSON_INTEGER:
		buf_printf(buf, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return;
	case JSON_REAL:
		add_real(buf, json_real_value(value));
		return;
	case JSON_TRUE:
		buf_str(buf, "true");
		return;
	case JSON_FALSE:
		buf_str(buf, "false");
		return;
	case JSON_NULL:
	case JSON_OBJECT:
	case JSON_ARRAY:
		buf_str(buf, "null");
		return;
	}
}

/* Where the writer stands in one object or array. */
struct frame {
	json_t *value;
	void *iter;
	size_t index;
};

static bool is_nested(const json_t *value)
{
	return json_is_object(value) || json_is_array(value);
}

/* The next element to be written, with comma and key written before it; NULL at the end. */
static json_t *next_element(struct buf *buf, struct frame *frame, enum jtext_style style)
{
	const char *comma = style == JTEXT_COMPACT ? "," : ", ";
	const char *key;

	if (frame->index > 0 && frame->iter)
		frame->iter = json_object_iter_next(frame->value, frame->iter);
	if (json_is_object(frame->value) ? !frame->iter
					 : frame->index >= json_array_size(frame->value))
		return NULL;
	if (frame->index > 0)
		buf_str(buf, comma);
	frame->index++;
	if (!json_is_object(frame->value))
		return json_array_get(frame->value, frame->index - 1);
	key = json_object_iter_key(frame->iter);
	jtext_add_string(buf, key, strlen(key));
	buf_str(buf, style == JTEXT_COMPACT ? ":" : ": ");
	return json_object_iter_value(frame->iter);
}

void jtext_add(struct buf *buf, json_t *value, enum jtext_style style)
{
	struct frame stack[JTEXT_DEPTH_MAX + 8]; /* what is read may stand inside our own */
	size_t depth = 0;

	for (;;) {
		if (is_nested(value)) {
			assert(depth < ARRAY_LEN(stack));
			buf_ch(buf, json_is_object(value) ? '{' : '[');
			stack[depth++] =
				(struct frame){ .value = value, .iter = json_object_iter(value) };
		} else {
			add_scalar(buf, value);
		}
		value = NULL;
		while (depth > 0 && !(value = next_element(buf, &stack[depth - 1], style))) {
			depth--;
			buf_ch(buf, json_is_object(stack[depth].value) ? '}' : ']');
		}
		if (!value)
			return;
	}
}

void jtext_add_key(struct buf *buf, const char *key, enum jtext_style style)
{
	if (buf->data[buf->len - 1] != '{')
		buf_str(buf, style == JTEXT_COMPACT ? "," : ", ");
	jtext_add_string(buf, key, strlen(key));
	buf_str(buf, style == JTEXT_COMPACT ? ":" : ": ");
}

void jtext_add_field(struct buf *buf, const char *key, const char *text, enum jtext_style style)
{
	jtext_add_key(buf, key, style);
	jtext_add_string(buf, text, strlen(text));
}

char *jtext_print(json_t *value, enum jtext_style style)
{
	struct buf buf = { 0 };

	jtext_add(&buf, value, style);
	return buf_take(&buf);
}

void jtext_add_python(struct buf *buf, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		buf_add(buf, json_string_value(value), json_string_length(value));
		return;
	case JSON_TRUE:
		buf_str(buf, "True");
		return;
	case JSON_FALSE:
		buf_str(buf, "False");
		return;
	case JSON_NULL:
		buf_str(buf, "None");
		return;
	case JSON_INTEGER:
	case JSON_REAL:
		add_scalar(buf, value);
		return;
	case JSON_OBJECT:
	case JSON_ARRAY:
		jtext_add(buf, (json_t *)value, JTEXT_SPACED);
		return;
	}
}

const char *jtext_string(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

bool jtext_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

bool jtext_int(const json_t *value, int64_t *ret)
{
	if (json_is_integer(value)) {
		*ret = json_integer_value(value);
		return true;
	}
	return json_is_string(value) &&
	       parse_int(json_string_value(value), INT64_MIN, INT64_MAX, ret, NULL) == 0;
}

uint64_t jtext_lsn(const json_t *object, const char *key)
{
	int64_t lsn;

	if (!jtext_int(json_object_get(object, key), &lsn) || lsn < 0)
		return 0;
	return (uint64_t)lsn;
}
