/* SPDX-License-Identifier: PostgreSQL */
/*
 * confvalue - one value of the document against one row of the key table
 */
#include "wire/confvalue.h"

#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "core/types.h"
#include "wire/record.h"

#define QUOTE_SIZE   80
#define ALLOWED_SIZE 160

static int not_allowed(const struct confkey *key, const struct tree_node *node, struct err *err)
{
	char allowed[ALLOWED_SIZE];
	char shown[QUOTE_SIZE];

	confkeys_allowed(key, allowed, sizeof(allowed));
	if (!tree_is_scalar(node))
		return err_set(err, ERR_CONFIG, "allowed is %s, not %s", allowed,
			       tree_type_name(node->type));
	str_line(shown, sizeof(shown), node->raw != NULL ? node->raw : node->text);
	return err_set(err, ERR_CONFIG, "'%s' is not valid; allowed is %s", shown, allowed);
}

int confvalue_bool(const struct confkey *key, const struct tree_node *node, bool *ret,
		   struct err *err)
{
	if (!tree_is_scalar(node) || parse_bool(node->text, ret, NULL) < 0)
		return not_allowed(key, node, err);
	return 0;
}

/* A whole number, also as quoted text and as 10.0: all of that Patroni takes. */
static int read_whole(const struct tree_node *node, int64_t *ret)
{
	_cleanup_(freep) char *whole = NULL;
	size_t len;

	if (node->type == TREE_INT) {
		*ret = node->num;
		return 0;
	}
	if (node->type == TREE_STRING)
		return parse_int(node->text, INT64_MIN, INT64_MAX, ret, NULL);
	if (node->type != TREE_FLOAT || !str_ends(node->text, ".0"))
		return -(int)ERR_PARSE;
	len = strlen(node->text) - 2;
	whole = str_ndup(node->text, len);
	return parse_int(whole, INT64_MIN, INT64_MAX, ret, NULL);
}

int confvalue_int(const struct confkey *key, const struct tree_node *node, int64_t *ret,
		  struct err *err)
{
	int64_t per = key->type == CONF_SECONDS ? 1000 : 1;
	int64_t value = 0;
	int r = -(int)ERR_PARSE;

	if (tree_is_scalar(node) && node->type != TREE_BOOL) {
		if (key->type == CONF_SECONDS)
			r = parse_duration_ms(node->text, "s", &value, NULL);
		else if (key->type == CONF_BYTES)
			r = parse_size(node->text, 1, &value, NULL);
		else
			r = read_whole(node, &value);
	}
	if (r < 0)
		return not_allowed(key, node, err);
	/* Compared after division: a bound in milliseconds could overflow. */
	if ((key->min != 0 || key->max != 0) &&
	    (value < key->min * per || value / per > key->max ||
	     (value / per == key->max && value % per != 0)))
		return not_allowed(key, node, err);
	*ret = value;
	return 0;
}

/* The text under which a boolean is looked for among the words. */
static const char *word_text(const struct tree_node *node)
{
	if (node->type == TREE_BOOL)
		return node->flag ? "on" : "off";
	return node->text;
}

int confvalue_word(const struct confkey *key, const struct tree_node *node, unsigned *ret,
		   struct err *err)
{
	const char *words = key->words;
	unsigned index = 0;
	const char *text;
	bool flag;

	if (!tree_is_scalar(node))
		return not_allowed(key, node, err);
	text = word_text(node);
	for (; *words != '\0'; index++) {
		size_t len = strcspn(words, "|");
		_cleanup_(freep) char *word = str_ndup(words, len);

		/* "true" and 'no' written as texts are what on and off mean. */
		if (str_ieq(word, text) ||
		    ((str_ieq(word, "on") || str_ieq(word, "off")) &&
		     parse_bool(text, &flag, NULL) == 0 && flag == str_ieq(word, "on"))) {
			*ret = index;
			return 0;
		}
		words += len + (words[len] == '|');
	}
	return not_allowed(key, node, err);
}

int confvalue_name(const char *name, struct err *err)
{
	char shown[QUOTE_SIZE];

	/* Dots alone are a path to somewhere else wherever a name becomes part of one. */
	if (record_name_check(name, true, NULL) == 0 && !str_eq(name, ".") && !str_eq(name, ".."))
		return 0;
	str_line(shown, sizeof(shown), name);
	return err_set(err, ERR_CONFIG,
		       "'%s' is not valid; allowed is 1 to 63 of A-Z a-z 0-9 . _ -", shown);
}

static bool is_host(const char *host)
{
	const char *const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789._-:%*/";
	size_t len = strlen(host);

	return len > 0 && len < HOST_SIZE && strspn(host, allowed) == len;
}

/* Splits off the comma-separated hosts and takes the brackets of IPv6 addresses away: that is
 * the form that listen_addresses wants. */
static int take_hosts(const char *text, size_t len, char **ret, struct err *err)
{
	_cleanup_(buf_done) struct buf hosts = { 0 };
	size_t at = 0;

	while (at <= len) {
		size_t part = 0;
		_cleanup_(freep) char *host = NULL;

		while (at + part < len && text[at + part] != ',')
			part++;
		while (part > 0 && text[at] == ' ') {
			at++;
			part--;
		}
		if (part > 1 && text[at] == '[' && text[at + part - 1] == ']')
			host = str_ndup(text + at + 1, part - 2);
		else
			host = str_ndup(text + at, part);
		if (!is_host(host))
			return err_set(err, ERR_CONFIG,
				       "'%.*s' is no host name or address; allowed is "
				       "host[,host...]:port", QUOTE_SIZE, host);
		if (hosts.len > 0)
			buf_ch(&hosts, ',');
		buf_str(&hosts, host);
		at += part + 1;
	}
	*ret = buf_take(&hosts);
	return 0;
}

int confvalue_listen(const char *text, uint16_t default_port, char **ret_hosts,
		     uint16_t *ret_port, struct err *err)
{
	const char *colon = strrchr(text, ':');
	uint64_t port = default_port;
	int r;

	/* "[::1]" and "::1" have colons but no port. */
	if (colon != NULL && (strchr(colon, ']') != NULL || (colon > text && colon[-1] == ':')))
		colon = NULL;
	if (colon == NULL && default_port == 0)
		return err_set(err, ERR_CONFIG, "'%.*s' has no port; allowed is host:port",
			       QUOTE_SIZE, text);
	if (colon != NULL && (parse_uint(colon + 1, UINT16_MAX, &port, NULL) < 0 || port == 0))
		return err_set(err, ERR_CONFIG,
			       "'%.*s': the port after the last ':' must be 1 to 65535", QUOTE_SIZE,
			       text);
	r = take_hosts(text, colon != NULL ? (size_t)(colon - text) : strlen(text), ret_hosts, err);
	if (r < 0)
		return r;
	*ret_port = (uint16_t)port;
	return 0;
}

bool confvalue_is_wildcard(const char *host)
{
	return str_eq(host, "0.0.0.0") || str_eq(host, "::") || str_eq(host, "*") ||
	       str_eq(host, "0");
}

bool confvalue_is_loopback(const char *host)
{
	return str_starts(host, "127.") || str_eq(host, "::1") || str_ieq(host, "localhost");
}

static int check_address(const struct confkey *key, const struct tree_node *node, struct err *err)
{
	_cleanup_(freep) char *hosts = NULL;
	char host[HOST_SIZE];
	uint16_t port;

	if (node->type != TREE_STRING)
		return not_allowed(key, node, err);
	if (key->type == CONF_LISTEN)
		return confvalue_listen(node->text, 5432, &hosts, &port, err);
	if (parse_hostport(node->text, 5432, host, sizeof(host), &port, NULL) < 0 ||
	    !is_host(host) || port == 0)
		return not_allowed(key, node, err);
	return 0;
}

static int check_path(const struct confkey *key, const struct tree_node *node, struct err *err)
{
	if (node->type != TREE_STRING || node->text[0] != '/')
		return not_allowed(key, node, err);
	if (strlen(node->text) > 1000)
		return err_set(err, ERR_CONFIG, "a path of more than 1000 bytes");
	if (strpbrk(node->text, "\n\r") != NULL)
		return err_set(err, ERR_CONFIG, "a path with a line break");
	return 0;
}

static int check_name(const struct confkey *key, const struct tree_node *node, struct err *err)
{
	if (!tree_is_scalar(node))
		return not_allowed(key, node, err);
	return confvalue_name(node->text, err);
}

int confvalue_pair(const struct tree_node *node, struct err *err)
{
	size_t len;

	if (node->type == TREE_MAP || node->type == TREE_LIST)
		return err_set(err, ERR_CONFIG, "must be a single value, not %s",
			       tree_type_name(node->type));
	if (node->type != TREE_STRING)
		return 0;
	len = strcspn(node->text, "\r\n");
	if (node->text[len + strspn(node->text + len, "\r\n")] != '\0')
		return err_set(err, ERR_CONFIG, "must be one line");
	return 0;
}

static int check_option_map(const struct tree_node *node, struct err *err)
{
	const struct tree_node *it;

	for (it = node->first; it != NULL; it = it->next) {
		int r = confvalue_pair(it, err);

		if (r < 0)
			return err_wrap(err, "'%.*s'", QUOTE_SIZE, it->key);
	}
	return 0;
}

static int check_list(const struct confkey *key, const struct tree_node *node, struct err *err)
{
	const struct tree_node *it;

	if (key->type == CONF_COMMAS && node->type == TREE_STRING)
		return 0;
	if (node->type != TREE_LIST)
		return not_allowed(key, node, err);
	for (it = node->first; it != NULL; it = it->next)
		if (!tree_is_scalar(it))
			return err_set(err, ERR_CONFIG, "item %s in line %d: every item must be a "
				       "text", tree_type_name(it->type), it->line);
	return 0;
}

/* - switch, - name: value; or name: value; false and null switch off, true is a switch. */
static int check_options(const struct confkey *key, const struct tree_node *node, struct err *err)
{
	const struct tree_node *it;

	if (node->type == TREE_MAP)
		return check_option_map(node, err);
	if (node->type != TREE_LIST)
		return not_allowed(key, node, err);
	for (it = node->first; it != NULL; it = it->next) {
		bool is_pair = it->type == TREE_MAP && it->first != NULL &&
			       it->first->next == NULL && it->first->type != TREE_MAP &&
			       it->first->type != TREE_LIST;

		if (!tree_is_scalar(it) && !is_pair)
			return err_set(err, ERR_CONFIG,
				       "each item must be `option` or one `option: value`, not %s",
				       tree_type_name(it->type));
	}
	return 0;
}

int confvalue_check(const struct confkey *key, const struct tree_node *node, struct err *err)
{
	unsigned index;
	int64_t num;
	bool flag;

	switch (key->type) {
	case CONF_BOOL:
		return confvalue_bool(key, node, &flag, err);
	case CONF_INT:
	case CONF_SECONDS:
	case CONF_BYTES:
		return confvalue_int(key, node, &num, err);
	case CONF_WORD:
		return confvalue_word(key, node, &index, err);
	case CONF_TEXT:
		return tree_is_scalar(node) ? 0 : not_allowed(key, node, err);
	case CONF_NAME:
		return check_name(key, node, err);
	case CONF_ADDRESS:
	case CONF_LISTEN:
		return check_address(key, node, err);
	case CONF_PATH:
		return check_path(key, node, err);
	case CONF_MAP:
	case CONF_OPEN:
	case CONF_PAIRS:
		return node->type == TREE_MAP ? 0 : not_allowed(key, node, err);
	case CONF_OPTIONS:
		return check_options(key, node, err);
	case CONF_LIST:
	case CONF_COMMAS:
		return check_list(key, node, err);
	case CONF_ANY:
	case CONF_REFUSED:
	case CONF__MAX:
		return 0;
	}
	return 0;
}
