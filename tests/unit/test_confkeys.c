/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_confkeys - the key table holds together, and the papers name every key
 */
#include <criterion/criterion.h>

#include "base/str.h"
#include "confload.h"
#include "wire/confkeys.h"
#include "wire/confvalue.h"
#include "wire/yamlscalar.h"

static const struct confkey *key_of(const char *path)
{
	const struct confkey *key = confkeys_find(path);

	cr_assert_not_null(key, "%s", path);
	return key;
}

Test(confkeys, has_every_path_once)
{
	const struct confkey *key;
	size_t n = 0;

	for (size_t i = 0; (key = confkeys_at(i)) != NULL; i++, n++)
		cr_assert_eq(confkeys_find(key->path), key, "%s", key->path);
	cr_assert_gt(n, 150);
	cr_assert_null(confkeys_at(n));
}

Test(confkeys, has_a_parent_for_each_key)
{
	const struct confkey *key;

	for (size_t i = 0; (key = confkeys_at(i)) != NULL; i++) {
		_cleanup_(freep) char *parent = str_dup(key->path);
		char *dot = strrchr(parent, '.');

		if (dot == NULL)
			continue;
		*dot = '\0';
		cr_assert(key_of(parent)->type == CONF_MAP || key_of(parent)->type == CONF_OPEN,
			  "%s", key->path);
		/* A key that counted where its section does not would never be found. */
		if (!(key_of(parent)->flags & CONF_LATER))
			cr_assert((key->scope & ~key_of(parent)->scope) == 0, "%s", key->path);
	}
}

Test(confkeys, has_defaults_that_pass_the_own_check)
{
	const struct confkey *key;

	for (size_t i = 0; (key = confkeys_at(i)) != NULL; i++) {
		struct tree_node node = { 0 };
		struct err err = { 0 };

		if (key->dflt == NULL || key->type == CONF_COMMAS)
			continue;
		yamlscalar_resolve(&node, key->dflt);
		cr_assert_eq(confvalue_check(key, &node, &err), 0, "%s: %s", key->path, err.msg);
		freep(&node.text);
		freep(&node.raw);
	}
}

Test(confkeys, has_aliases_of_keys_with_the_same_type_and_scope)
{
	const struct confkey *key;

	for (size_t i = 0; (key = confkeys_at(i)) != NULL; i++) {
		if (key->alias_of == NULL)
			continue;
		cr_assert_eq(key_of(key->alias_of)->type, key->type, "%s", key->path);
		cr_assert_eq(key_of(key->alias_of)->scope, key->scope, "%s", key->path);
		cr_assert_null(key_of(key->alias_of)->alias_of, "%s", key->path);
	}
}

Test(confkeys, has_words_where_they_are_needed_and_help_everywhere)
{
	const struct confkey *key;

	for (size_t i = 0; (key = confkeys_at(i)) != NULL; i++) {
		cr_assert_eq(key->type == CONF_WORD, key->words != NULL, "%s", key->path);
		cr_assert_geq(strlen(key->help), 4, "%s", key->path);
		cr_assert_leq(strlen(key->help), 100, "%s", key->path);
		cr_assert_neq(key->help[strlen(key->help) - 1], '.', "%s", key->path);
		cr_assert_leq(key->min, key->max, "%s", key->path);
	}
}

Test(confkeys, finds_methods_by_any_name)
{
	cr_assert_str_eq(key_of("postgresql.wal_e.no_leader")->path,
			 "postgresql.<method>.no_leader");
	cr_assert_str_eq(key_of("bootstrap.restore.command")->path, "bootstrap.<method>.command");
	cr_assert_str_eq(key_of("postgresql.parameters")->path, "postgresql.parameters");
	cr_assert_null(confkeys_find("postgresql.wal_e.nothing"));
	cr_assert_null(confkeys_find("restapi.x.command"));
	cr_assert_null(confkeys_find("postgresq"));
	cr_assert_null(confkeys_find("postgresql."));
}

Test(confkeys, says_what_is_allowed)
{
	static const struct {
		const char *path;
		const char *text;
	} cases[] = {
		{ "ttl", "a whole number, 2 to 3600" },
		{ "maximum_lag_on_failover", "a whole number, 0 or more" },
		{ "synchronous_mode", "off, on or quorum" },
		{ "pause", "true or false" },
		{ "etcd3.protocol", "http or https" },
		{ "postgresql.listen", "host[,host...]:port" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[200];

		confkeys_allowed(key_of(cases[i].path), text, sizeof(text));
		cr_assert_str_eq(text, cases[i].text);
	}
}

Test(confkeys, knows_the_names_of_patronis_variables)
{
	static const struct {
		const char *path;
		const char *variable;
	} cases[] = {
		{ "name", "PATRONI_NAME" },
		{ "restapi.listen", "PATRONI_RESTAPI_LISTEN" },
		{ "restapi.authentication.username", "PATRONI_RESTAPI_USERNAME" },
		{ "ctl.authentication.password", "PATRONI_CTL_PASSWORD" },
		{ "postgresql.data_dir", "PATRONI_POSTGRESQL_DATA_DIR" },
		{ "postgresql.bin_name.pg_ctl", "PATRONI_POSTGRESQL_BIN_PG_CTL" },
		{ "postgresql.authentication.superuser.username", "PATRONI_SUPERUSER_USERNAME" },
		{ "postgresql.authentication.rewind.sslmode", "PATRONI_REWIND_SSLMODE" },
		{ "etcd3.use_proxies", "PATRONI_ETCD3_USE_PROXIES" },
		{ "log.deduplicate_heartbeat_logs", "PATRONI_LOG_DEDUPLICATE_HEARTBEAT_LOGS" },
	};
	char text[100];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cr_assert(confkeys_env(key_of(cases[i].path), text, sizeof(text)));
		cr_assert_str_eq(text, cases[i].variable);
	}
	cr_assert_not(confkeys_env(key_of("ttl"), text, sizeof(text)));
	cr_assert_not(confkeys_env(key_of("tags.nofailover"), text, sizeof(text)));
}

Test(confkeys, guesses_what_was_meant)
{
	cr_assert_str_eq(confkeys_similar("scop")->path, "scope");
	cr_assert_str_eq(confkeys_similar("postgresql.data_dri")->path, "postgresql.data_dir");
	cr_assert_str_eq(confkeys_similar("restapi.conect_addres")->path, "restapi.connect_address");
	cr_assert_str_eq(confkeys_similar("tags.nofailovr")->path, "tags.nofailover");
	cr_assert_null(confkeys_similar("postgresql.quite_something_else"));
	cr_assert_null(confkeys_similar("xyz"));
	cr_assert_null(confkeys_similar("consu"));
}

/* Whether a word stands in a text on its own: "host" is not in "hosts". */
static bool has_word(const char *text, const char *word)
{
	const char *const inner = "abcdefghijklmnopqrstuvwxyz0123456789_";
	size_t len = strlen(word);

	for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word))
		if ((at == text || strchr(inner, at[-1]) == NULL) &&
		    (at[len] == '\0' || strchr(inner, at[len]) == NULL))
			return true;
	return false;
}

Test(confkeys, are_all_in_the_manual)
{
	_cleanup_(freep) char *page = confload_read(SRCDIR, "man/pgha.yml.5");
	const struct confkey *key;

	cr_assert_not_null(page);
	for (size_t i = 0; (key = confkeys_at(i)) != NULL; i++)
		cr_assert(has_word(page, key->path), "man/pgha.yml.5 lacks %s", key->path);
}

/* roff's escapes taken away, as far as this page uses them. */
static char *plain(const char *page)
{
	struct buf text = { 0 };

	for (; *page != '\0'; page++) {
		if (page[0] == '\\' && page[1] == '&')
			page++;
		else if (page[0] != '\\' || page[1] != '-')
			buf_ch(&text, *page);
	}
	return buf_take(&text);
}

/* Where the entry of a key begins, which it may share: ".It Cm a , Cm b". */
static const char *head_of(const char *page, const char *key)
{
	size_t len = strlen(key);

	for (const char *at = strstr(page, "\n.It Cm "); at; at = strstr(at + 1, "\n.It Cm ")) {
		const char *end = strchr(at + 1, '\n');

		for (const char *word = strstr(at, "Cm "); word != NULL && word < end;
		     word = strstr(word + 1, "Cm "))
			if (strncmp(word + 3, key, len) == 0 && strchr(" \n", word[3 + len]))
				return at;
	}
	return NULL;
}

static const char *end_of(const char *entry)
{
	const char *next = strstr(entry + 1, "\n.It ");
	const char *list = strstr(entry + 1, "\n.El\n");

	return next != NULL && next < list ? next : list;
}

Test(confkeys, are_described_in_the_manual_as_the_table_has_them)
{
	_cleanup_(freep) char *page = confload_read(SRCDIR, "man/pgha.yml.5");
	_cleanup_(freep) char *text = NULL;
	const struct confkey *key;

	cr_assert_not_null(page);
	text = plain(page);
	for (size_t i = 0; (key = confkeys_at(i)) != NULL; i++) {
		_cleanup_(freep) char *entry = NULL;
		_cleanup_(freep) char *wanted = NULL;
		const char *at = head_of(text, key->path);
		char allowed[200];

		if (key->type == CONF_REFUSED || key->alias_of != NULL)
			continue;
		cr_assert_not_null(at, "%s has no entry of its own", key->path);
		entry = str_ndup(at, (size_t)(end_of(at) - at));
		for (char *c = entry; *c != '\0'; c++)
			if (*c == '\n')
				*c = ' ';
		confkeys_allowed(key, allowed, sizeof(allowed));
		wanted = str_dupf("Allowed: %s.%s%s%s", allowed, key->dflt != NULL ? " Default: " : "",
				  key->dflt != NULL ? key->dflt : "", key->dflt != NULL ? "." : "");
		cr_assert(strstr(entry, wanted) != NULL, "'%s' is not in the entry of %s", wanted,
			  key->path);
		cr_assert_eq((key->flags & CONF_RELOAD) == 0,
			     strstr(entry, "needs a restart of pghad") != NULL, "%s", key->path);
	}
}

/* Every setting that has an effect is in the example, at least as a comment. */
Test(confkeys, are_all_in_the_example)
{
	_cleanup_(buf_done) struct buf sample = { 0 };
	const struct confkey *key;

	conf_print_sample(&sample);
	for (size_t i = 0; (key = confkeys_at(i)) != NULL; i++) {
		const char *dot = strrchr(key->path, '.');

		if (key->type == CONF_REFUSED || key->alias_of != NULL ||
		    (key->flags & (CONF_NOOP | CONF_LATER)) || str_ends(key->path, CONF_METHOD) ||
		    str_starts(key->path, "standby_cluster."))
			continue;
		cr_assert(has_word(sample.data, dot != NULL ? dot + 1 : key->path),
			  "the example lacks %s", key->path);
	}
}

Test(confkeys, are_all_printed_for_help)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	conf_print_keys(&text);
	cr_assert(strstr(text.data, "ttl\n    Seconds that a lease lasts") != NULL);
	cr_assert(strstr(text.data, "a whole number, 2 to 3600; default 5 [dynamic]\n") != NULL);
	cr_assert(strstr(text.data, "[file] (needs a restart of pghad)\n") != NULL);
	cr_assert(strstr(text.data, "standby_cluster\n") != NULL);
	cr_assert_null(strstr(text.data, "consul"));
}
