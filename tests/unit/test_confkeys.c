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

static const char *where_of(const struct confkey *key)
{
	if (key->scope == CONF_BOOTSTRAP)
		return "Where: file, for a new cluster.";
	if (key->scope == CONF_LOCAL)
		return "Where: file.";
	return key->scope == CONF_DYNAMIC ? "Where: dynamic." : "Where: file or dynamic.";
}

/* The entry's text must have this sentence exactly when the table says so. */
static char *must_have(const char *entry, const char *sentence, bool wanted)
{
	const bool has = strstr(entry, sentence) != NULL;

	return has == wanted ? NULL :
			       str_dupf("%s '%s'", wanted ? "lacks" : "should not have", sentence);
}

/* "Variable: PATRONI_SCOPE."; the three logins share their entries. NULL: none. Heap. */
static char *variable_of(const struct confkey *key)
{
	static const char *const who[] = { "SUPERUSER", "REPLICATION", "REWIND" };
	char name[128];

	if (!confkeys_env(key, name, sizeof(name)))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(who); i++)
		if (str_starts(key->path, "postgresql.authentication.") &&
		    strstr(name, who[i]) != NULL)
			return str_dupf("Variable: PATRONI_{SUPERUSER,REPLICATION,REWIND}%s.",
					strstr(name, who[i]) + strlen(who[i]));
	return str_dupf("Variable: %s.", name);
}

/* What is wrong with the entry of this key, or NULL. Heap. */
static char *fault_of(const char *entry, const struct confkey *key)
{
	_cleanup_(freep) char *wanted = NULL;
	_cleanup_(freep) char *variable = variable_of(key);
	char allowed[200];
	char *fault;

	confkeys_allowed(key, allowed, sizeof(allowed));
	wanted = str_dupf("Allowed: %s.%s%s%s", allowed, key->dflt != NULL ? " Default: " : "",
			  key->dflt != NULL ? key->dflt : "", key->dflt != NULL ? "." : "");
	fault = must_have(entry, wanted, true);
	if (fault == NULL)
		fault = must_have(entry, "Default: ", key->dflt != NULL);
	if (fault == NULL)
		fault = must_have(entry, where_of(key), true);
	if (fault == NULL)
		fault = must_have(entry, "needs a restart of pghad", !(key->flags & CONF_RELOAD));
	if (fault == NULL && variable != NULL)
		fault = must_have(entry, variable, true);
	return fault != NULL ? fault : must_have(entry, "Variable: ", variable != NULL);
}

/* A key of the page that the table does not have, or NULL. Heap. */
static char *unknown_key(const char *page)
{
	const char *at = strstr(page, "\n.Sh KEYS");
	const char *end = strstr(page, "\n.Sh CONTROLLED SETTINGS");

	for (at = strstr(at, "\n.It Cm "); at != NULL && at < end; at = strstr(at + 1, "\n.It Cm ")) {
		const char *line_end = strchr(at + 1, '\n');

		for (const char *word = strstr(at, "Cm "); word != NULL && word < line_end;
		     word = strstr(word + 1, "Cm ")) {
			_cleanup_(freep) char *key = str_ndup(word + 3, strcspn(word + 3, " \n"));

			if (confkeys_find(key) == NULL)
				return str_dupf("the page has '%s', the table does not", key);
		}
	}
	return NULL;
}

/* The first thing in which page and table differ, or NULL. Heap. */
static char *first_fault(const char *page)
{
	_cleanup_(freep) char *text = plain(page);
	const struct confkey *key;

	for (size_t i = 0; (key = confkeys_at(i)) != NULL; i++) {
		_cleanup_(freep) char *entry = NULL;
		_cleanup_(freep) char *fault = NULL;
		const char *at = head_of(text, key->path);

		if (key->type == CONF_REFUSED || key->alias_of != NULL)
			continue;
		if (at == NULL)
			return str_dupf("%s has no entry of its own", key->path);
		entry = str_ndup(at, (size_t)(end_of(at) - at));
		for (char *c = entry; *c != '\0'; c++)
			if (*c == '\n')
				*c = ' ';
		fault = fault_of(entry, key);
		if (fault != NULL)
			return str_dupf("%s: %s", key->path, fault);
	}
	return unknown_key(text);
}

Test(confkeys, are_described_in_the_manual_as_the_table_has_them)
{
	_cleanup_(freep) char *page = confload_read(SRCDIR, "man/pgha.yml.5");
	_cleanup_(freep) char *fault = first_fault(page);

	cr_assert_null(fault, "man/pgha.yml.5: %s", fault);
}

/* What somebody might forget to change on one side. */
Test(confkeys, no_drift_of_the_manual_passes)
{
	static const struct {
		const char *from, *to, *fault;
	} drifts[] = {
		{ ".It Cm loop_wait\n", ".It Cm loop_wiat\n", "loop_wait has no entry" },
		{ ".It Cm pause\n", ".It Cm pause , Cm pausee\n", "the page has 'pausee'" },
		{ "Allowed: a whole number, 2 to 3600.\nDefault: 5.",
		  "Allowed: seconds, 2 to 3600.\nDefault: 5.", "ttl: lacks 'Allowed: a whole" },
		{ "Allowed: a whole number, 2 to 3600.\nDefault: 5.",
		  "Allowed: a whole number, 1 to 3600.\nDefault: 5.", "ttl: lacks 'Allowed" },
		{ "2 to 3600.\nDefault: 5.", "2 to 3600.\nDefault: 6.", "ttl: lacks 'Allowed" },
		{ "2 to 3600.\nDefault: 5.", "2 to 3600.", "ttl: lacks 'Allowed" },
		{ ".It Cm scope\n", ".It Cm scope\nDefault: main.\n", "scope: should not have" },
		{ "Where: file.\nA change needs a restart of pghad.\nVariable: PATRONI_SCOPE.",
		  "Where: file.\nVariable: PATRONI_SCOPE.", "scope: lacks 'needs a restart" },
		{ "Default: 5.\nWhere: dynamic.\n",
		  "Default: 5.\nWhere: dynamic.\nA change needs a restart of pghad.\n",
		  "ttl: should not have 'needs a restart" },
		{ "Default: 5.\nWhere: dynamic.\n", "Default: 5.\nWhere: file.\n",
		  "ttl: lacks 'Where: dynamic" },
		{ "Variable: PATRONI_SCOPE.", "", "scope: lacks 'Variable: PATRONI_SCOPE" },
		{ "Default: 5.\nWhere: dynamic.\n",
		  "Default: 5.\nWhere: dynamic.\nVariable: PATRONI_TTL.\n",
		  "ttl: should not have 'Variable" },
	};
	_cleanup_(freep) char *page = confload_read(SRCDIR, "man/pgha.yml.5");

	for (size_t i = 0; i < ARRAY_LEN(drifts); i++) {
		char *at = strstr(page, drifts[i].from);
		_cleanup_(freep) char *other = NULL;
		_cleanup_(freep) char *fault = NULL;

		cr_assert_not_null(at, "%zu: '%s'", i, drifts[i].from);
		other = str_dupf("%.*s%s%s", (int)(at - page), page, drifts[i].to,
				 at + strlen(drifts[i].from));
		fault = first_fault(other);
		cr_assert(fault != NULL && strstr(fault, drifts[i].fault) != NULL, "%zu: %s", i,
			  fault != NULL ? fault : "nothing found");
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
