/* SPDX-License-Identifier: PostgreSQL */
/*
 * confload - a configuration from text, with everything that was said about it
 */
#ifndef PGHA_TESTS_CONFLOAD_H
#define PGHA_TESTS_CONFLOAD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/conffile.h"

/* The least that is a complete file; tests append to it. */
#define CONFLOAD_LOCAL                                                                        \
	"scope: main\n"                                                                       \
	"name: node1\n"                                                                       \
	"restapi:\n"                                                                          \
	"  listen: 127.0.0.1:8008\n"                                                          \
	"etcd3:\n"                                                                            \
	"  host: 127.0.0.1:2379\n"
#define CONFLOAD_POSTGRESQL                                                                   \
	"postgresql:\n"                                                                       \
	"  listen: 127.0.0.1:5432\n"                                                          \
	"  connect_address: 127.0.0.1:5432\n"                                                 \
	"  data_dir: /var/lib/pg/data\n"                                                      \
	"  authentication:\n"                                                                 \
	"    superuser: {username: postgres, password: secret}\n"                             \
	"    replication: {username: replicator, password: secret}\n"
#define CONFLOAD_MINIMAL CONFLOAD_LOCAL CONFLOAD_POSTGRESQL

struct confload {
	struct confdoc *doc;
	struct config *config; /* NULL: refused */
	struct conf_problems problems;
	struct buf text; /* of the problems, file name "f" */
	struct err err;
	int r;
};

static inline void confload_done(struct confload *load)
{
	confdoc_free(load->doc);
	config_free(load->config);
	conf_problems_done(&load->problems);
	buf_done(&load->text);
}

static inline struct confload confload_env(const char *text, const char *dynamic,
					   const char *const *env)
{
	struct confload load = { 0 };

	load.r = confdoc_parse(text, text != NULL ? strlen(text) : 0, env, &load.doc, &load.err);
	if (load.r < 0)
		return load;
	load.r = conf_build(load.doc, dynamic, &load.config, &load.problems, &load.err);
	conf_problems_print(&load.problems, "f", &load.text);
	return load;
}

static inline struct confload confload(const char *text)
{
	return confload_env(text, NULL, NULL);
}

static inline struct confload confload_dynamic(const char *text, const char *dynamic)
{
	return confload_env(text, dynamic, NULL);
}

static inline bool confload_says(const struct confload *load, const char *needle)
{
	return load->text.data != NULL && strstr(load->text.data, needle) != NULL;
}

/* Value of a setting of Postgres; NULL when it is not set. */
static inline const char *confload_guc(const struct confload *load, const char *name)
{
	for (size_t i = 0; i < load->config->pg.parameters.n; i++)
		if (str_eq(load->config->pg.parameters.items[i].name, name))
			return load->config->pg.parameters.items[i].value;
	return NULL;
}

/* A whole file as text; NULL when it cannot be read. */
static inline char *confload_read(const char *dir, const char *name)
{
	_cleanup_(freep) char *path = str_dupf("%s/%s", dir, name);
	struct buf text = { 0 };
	char chunk[4096];
	size_t n;
	FILE *file = fopen(path, "re");

	if (file == NULL)
		return NULL;
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(&text, chunk, n);
	fclose(file);
	return buf_take(&text);
}

#endif
