/* SPDX-License-Identifier: PostgreSQL */
/*
 * yamlscalar - what a plain YAML word means
 */
#include "wire/yamlscalar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"

static bool is_null(const char *s)
{
	return s[0] == '\0' || strcmp(s, "~") == 0 || strcmp(s, "null") == 0 ||
	       strcmp(s, "Null") == 0 || strcmp(s, "NULL") == 0;
}

/* PyYAML takes three spellings of each word: lower, Capitalised, UPPER; "oN" is a text. */
static bool is_bool(const char *s, bool *ret)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
		{ "yes", true },   { "Yes", true },   { "YES", true },   { "no", false },
		{ "No", false },   { "NO", false },   { "true", true },  { "True", true },
		{ "TRUE", true },  { "false", false }, { "False", false }, { "FALSE", false },
		{ "on", true },    { "On", true },    { "ON", true },    { "off", false },
		{ "Off", false },  { "OFF", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(s, words[i].word) == 0) {
			*ret = words[i].value;
			return true;
		}
	}
	return false;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Digits of one base with underscores anywhere; at least one digit, nothing else. */
static bool read_digits(const char *s, size_t len, unsigned base, int64_t *ret)
{
	int64_t value = 0;
	bool any = false;

	for (size_t i = 0; i < len; i++) {
		int d = digit_of(s[i]);

		if (s[i] == '_')
			continue;
		if (d < 0 || (unsigned)d >= base)
			return false;
		if (__builtin_mul_overflow(value, (int64_t)base, &value) ||
		    __builtin_add_overflow(value, (int64_t)d, &value))
			return false;
		any = true;
	}
	*ret = value;
	return any;
}

/* 190:20:30, base 60; each later group is one or two digits below 60. */
static bool read_sexagesimal(const char *s, int64_t *ret)
{
	size_t len = strcspn(s, ":");
	int64_t value;

	if (!read_digits(s, len, 10, &value))
		return false;
	for (s += len; *s == ':'; s += len) {
		int64_t group;

		s++;
		len = strcspn(s, ":");
		if (len < 1 || len > 2 || memchr(s, '_', len) != NULL ||
		    !read_digits(s, len, 10, &group) || group > 59)
			return false;
		if (__builtin_mul_overflow(value, INT64_C(60), &value) ||
		    __builtin_add_overflow(value, group, &value))
			return false;
	}
	*ret = value;
	return true;
}

static bool is_int(const char *s, int64_t *ret)
{
	bool is_negative = *s == '-';
	int64_t value;
	bool ok;

	if (*s == '-' || *s == '+')
		s++;
	if (*s < '0' || *s > '9')
		return false;
	if (s[0] == '0' && s[1] == 'b')
		ok = read_digits(s + 2, strlen(s + 2), 2, &value);
	else if (s[0] == '0' && s[1] == 'x')
		ok = read_digits(s + 2, strlen(s + 2), 16, &value);
	else if (s[0] == '0')
		ok = read_digits(s, strlen(s), 8, &value);
	else if (strchr(s, ':') != NULL)
		ok = read_sexagesimal(s, &value);
	else
		ok = read_digits(s, strlen(s), 10, &value);
	if (ok)
		*ret = is_negative ? -value : value;
	return ok;
}

static size_t span_digits(const char *s)
{
	return strspn(s, "0123456789_");
}

/* 1. 1.5 .5 1.5e+3 ; the exponent needs its sign, and without a point there is no fraction. */
static bool is_float(const char *s)
{
	size_t len;

	if (*s == '.') {
		len = span_digits(s + 1);
		if (len == 0 || s[1] == '_')
			return false;
		s += 1 + len;
	} else {
		if (*s == '-' || *s == '+')
			s++;
		len = span_digits(s);
		if (len == 0 || s[0] == '_' || s[len] != '.')
			return false;
		s += len + 1;
		s += span_digits(s);
	}
	if (*s == '\0')
		return true;
	if (*s != 'e' && *s != 'E')
		return false;
	if (s[1] != '-' && s[1] != '+')
		return false;
	len = strspn(s + 2, "0123456789");
	return len > 0 && s[2 + len] == '\0';
}

/* The shortest text that reads back as the same number, in Python's layout. */
static char *float_text(double value)
{
	char text[64];
	int64_t exponent = 0;
	int digits;

	for (digits = 1; digits < 17; digits++) {
		snprintf(text, sizeof(text), "%.*e", digits - 1, value);
		if (strtod(text, NULL) == value)
			break;
	}
	snprintf(text, sizeof(text), "%.*e", digits - 1, value);
	if (strchr(text, 'e') == NULL ||
	    parse_int(strchr(text, 'e') + 1, -400, 400, &exponent, NULL) < 0)
		return str_dup(text); /* beyond a double: inf */
	if (exponent < -4 || exponent >= 16)
		return str_dupf("%.*g", digits, value);
	return str_dupf("%.*f", (int)MAX_OF(digits - 1 - exponent, INT64_C(1)), value);
}

static const char *special_float(const char *s)
{
	const char *sign = *s == '-' ? "-" : "";

	if (*s == '-' || *s == '+')
		s++;
	else if (strcmp(s, ".nan") == 0 || strcmp(s, ".NaN") == 0 || strcmp(s, ".NAN") == 0)
		return "nan";
	if (strcmp(s, ".inf") == 0 || strcmp(s, ".Inf") == 0 || strcmp(s, ".INF") == 0)
		return *sign != '\0' ? "-inf" : "inf";
	return NULL;
}

static void set_float(struct tree_node *node, const char *word)
{
	_cleanup_(freep) char *plain = str_dup(word);
	size_t n = 0;

	for (const char *s = word; *s != '\0'; s++)
		if (*s != '_')
			plain[n++] = *s;
	plain[n] = '\0';
	node->type = TREE_FLOAT;
	node->text = float_text(strtod(plain, NULL));
}

void yamlscalar_resolve(struct tree_node *node, const char *word)
{
	const char *special = special_float(word);

	free(node->text);
	node->text = NULL;
	if (is_null(word)) {
		node->type = TREE_NULL;
		return;
	}
	if (is_bool(word, &node->flag)) {
		node->type = TREE_BOOL;
		node->text = str_dup(node->flag ? "True" : "False");
	} else if (is_int(word, &node->num)) {
		node->type = TREE_INT;
		node->text = str_dupf("%lld", (long long)node->num);
	} else if (special != NULL) {
		node->type = TREE_FLOAT;
		node->text = str_dup(special);
	} else if (is_float(word)) {
		set_float(node, word);
	} else {
		node->type = TREE_STRING;
		node->text = str_dup(word);
	}
	if (strcmp(node->text, word) != 0)
		node->raw = str_dup(word);
}
