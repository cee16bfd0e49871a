/* SPDX-License-Identifier: PostgreSQL */
/*
 * confgen - a configuration file for a server that exists
 */
#include "wire/confgen.h"

#include <stdlib.h>
#include <string.h>

#include "wire/confget.h"
#include "wire/confvalue.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS  "0123456789"

static const char *const own[] = {
	"archive_command",	   "archive_library",	  "restore_command",
	"archive_cleanup_command", "recovery_end_command", "ssl_passphrase_command",
};

/* Each has a key of its own, or is none of an operator's business once an agent runs. */
static const char *const nowhere[] = {
	"listen_addresses",  "port",		  "cluster_name",      "hot_standby",
	"data_directory",    "config_file",	  "hba_file",	       "ident_file",
	"external_pid_file", "primary_conninfo",  "primary_slot_name", "promote_trigger_file",
	"data_checksums",    "is_superuser",	  "pgha_fence.page",
};

static bool is_among(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (str_ieq(names[i], name))
			return true;
	return false;
}

enum confgen_place confgen_place(const char *setting)
{
	if (setting[0] == '[' || is_among(nowhere, ARRAY_LEN(nowhere), setting) ||
	    str_starts(setting, "recovery_target"))
		return CONFGEN_NOWHERE;
	return is_among(own, ARRAY_LEN(own), setting) ? CONFGEN_OWN : CONFGEN_SHARED;
}

static bool is_given(const char *text)
{
	return text != NULL && text[0] != '\0';
}

/* A plain word, or in single quotes, in which nothing but the quote itself means anything. */
static void add_scalar(struct buf *ret, const char *text)
{
	static const char *const words[] = { "y",  "n",	  "yes", "no",	 "on",
					     "off", "null" };
	const size_t len = strlen(text);
	const bool is_number = strspn(text, DIGITS) == len && len > 0 && len < 10 &&
			       (text[0] != '0' || len == 1);
	const bool is_word = len > 0 && strspn(text, LETTERS DIGITS "_/.-") == len &&
			     strchr(LETTERS "/", text[0]) != NULL &&
			     !is_among(words, ARRAY_LEN(words), text);

	if (is_number || is_word) {
		buf_str(ret, text);
		return;
	}
	buf_ch(ret, '\'');
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			buf_ch(ret, '\'');
		buf_ch(ret, *text == '\n' || *text == '\r' ? ' ' : *text);
	}
	buf_ch(ret, '\'');
}

static void add_key(struct buf *ret, int indent, const char *key, const char *value)
{
	buf_printf(ret, "%*s%s: ", indent, "", key);
	add_scalar(ret, value);
	buf_ch(ret, '\n');
}

static void add_pairs(struct buf *ret, int indent, const struct pairs *pairs)
{
	for (size_t i = 0; i < pairs->n; i++)
		add_key(ret, indent, pairs->items[i].name, pairs->items[i].value);
}

static void add_lines(struct buf *ret, const char *key, const struct strings *lines)
{
	if (lines->n == 0)
		return;
	buf_printf(ret, "  %s:\n", key);
	for (size_t i = 0; i < lines->n; i++) {
		buf_str(ret, "    - ");
		add_scalar(ret, lines->items[i]);
		buf_ch(ret, '\n');
	}
}

/* cluster_name may hold anything, a scope may not. */
static void add_scope(struct buf *ret, const char *name)
{
	_cleanup_(freep) char *scope = str_dup(is_given(name) ? name : "main");

	for (char *at = scope; *at != '\0'; at++)
		if (strchr(LETTERS DIGITS "._-", *at) == NULL)
			*at = '-';
	if (confvalue_name(scope, NULL) < 0) {
		freep(&scope);
		scope = str_dup("main");
	}
	if (is_given(name) && str_eq(name, scope))
		buf_printf(ret, "scope: %s\n", scope);
	else
		buf_printf(ret,
			   "scope: %s    # CHECK: the cluster's name, the same on all members\n",
			   scope);
}

static void add_head(const struct confgen *gen, struct buf *ret)
{
	const char *address = is_given(gen->address) ? gen->address : "127.0.0.1";
	const char *check = is_given(gen->address) ? ""
						   : "    # CHECK: as the other members reach it";

	buf_str(ret, "# Made of a running server by pghad --generate-config. Look at each CHECK,\n"
		     "# then: pghad --validate-config FILE\n\n");
	add_scope(ret, gen->scope);
	add_key(ret, 0, "name", is_given(gen->name) && confvalue_name(gen->name, NULL) == 0
					? gen->name : "node1");
	buf_printf(ret, "\nrestapi:\n  listen: '%s:8008'\n  connect_address: '%s:8008'%s\n",
		   address, address, check);
	if (is_given(gen->etcd_hosts))
		buf_printf(ret, "\netcd3:\n  hosts: '%s'\n", gen->etcd_hosts);
	else
		buf_str(ret, "\netcd3:\n  hosts: 127.0.0.1:2379    # CHECK: all members of etcd\n");
}

static void add_bootstrap(const struct confgen *gen, struct buf *ret)
{
	buf_str(ret,
		"\n# Written into etcd when the cluster is made, and never looked at again: later\n"
		"# changes by hactl edit-config.\n"
		"bootstrap:\n  dcs:\n    ttl: 5\n    loop_wait: 1\n    retry_timeout: 3\n"
		"    maximum_lag_on_failover: 1048576\n    postgresql:\n      use_slots: true\n");
	buf_printf(ret, "      use_pg_rewind: %s\n", gen->rewindable ? "true" : "false");
	if (gen->shared.n > 0)
		buf_str(ret, "      parameters:\n");
	add_pairs(ret, 8, &gen->shared);
}

static bool is_local_only(const char *listen)
{
	return !is_given(listen) || str_eq(listen, "localhost") || str_eq(listen, "127.0.0.1") ||
	       str_eq(listen, "::1");
}

/* A server that listens on its own host alone can have no standby. */
static void add_listen(const struct confgen *gen, struct buf *ret)
{
	const char *address = is_given(gen->address) ? gen->address : "127.0.0.1";
	const char *port = is_given(gen->port) ? gen->port : "5432";

	buf_str(ret, "  listen: '");
	if (is_local_only(gen->listen) && !str_eq(address, "127.0.0.1"))
		buf_printf(ret, "%s%s%s:%s'    # CHECK: it listens on %s alone now\n",
			   is_given(gen->listen) ? gen->listen : "",
			   is_given(gen->listen) ? "," : "", address, port,
			   is_given(gen->listen) ? gen->listen : "sockets");
	else {
		for (const char *at = is_given(gen->listen) ? gen->listen : address; *at; at++)
			if (*at != ' ')
				buf_ch(ret, *at);
		buf_printf(ret, ":%s'\n", port);
	}
	buf_printf(ret, "  connect_address: '%s:%s'%s\n", address, port,
		   is_given(gen->address) ? "" : "    # CHECK: as the other members reach it");
}

static void add_authentication(const struct confgen *gen, struct buf *ret)
{
	buf_str(ret, "  authentication:\n    superuser:\n");
	if (gen->auth.n == 0)
		add_key(ret, 6, "username", "postgres");
	add_pairs(ret, 6, &gen->auth);
	buf_str(ret, "    replication:\n");
	add_key(ret, 6, "username", is_given(gen->replicator) ? gen->replicator : "replicator");
	if (!is_given(gen->replicator))
		buf_str(ret, "      # CHECK: there is no such role yet: CREATE ROLE replicator "
			     "LOGIN REPLICATION PASSWORD '...'\n");
	buf_str(ret, "      password: ''    # CHECK: needed unless pg_hba lets it in without\n");
}

static void add_postgresql(const struct confgen *gen, struct buf *ret)
{
	buf_str(ret, "\npostgresql:\n");
	add_listen(gen, ret);
	add_key(ret, 2, "data_dir", gen->data_dir);
	if (is_given(gen->config_dir) && !str_eq(gen->config_dir, gen->data_dir))
		add_key(ret, 2, "config_dir", gen->config_dir);
	if (is_given(gen->base_name) && !str_eq(gen->base_name, "postgresql"))
		add_key(ret, 2, "config_base_name", gen->base_name);
	if (is_given(gen->bin_dir))
		add_key(ret, 2, "bin_dir", gen->bin_dir);
	if (gen->by_socket)
		add_key(ret, 2, "use_unix_socket", "true");
	add_authentication(gen, ret);
	if (gen->own.n > 0)
		buf_str(ret, "  parameters:\n");
	add_pairs(ret, 4, &gen->own);
	add_lines(ret, "pg_hba", &gen->pg_hba);
	add_lines(ret, "pg_ident", &gen->pg_ident);
}

void confgen_print(const struct confgen *gen, struct buf *ret_text)
{
	add_head(gen, ret_text);
	add_bootstrap(gen, ret_text);
	add_postgresql(gen, ret_text);
	buf_str(ret_text, "\ntags:\n  nofailover: false\n  noloadbalance: false\n"
			  "  clonefrom: false\n");
}

void confgen_done(struct confgen *gen)
{
	pairs_done(&gen->auth);
	pairs_done(&gen->shared);
	pairs_done(&gen->own);
	strings_done(&gen->pg_hba);
	strings_done(&gen->pg_ident);
	*gen = (struct confgen){ 0 };
}
