/* SPDX-License-Identifier: PostgreSQL */
/*
 * setup - which cluster, which etcd, which credentials
 *
 * From a configuration file (hactl's own, Patroni's patronictl.yaml, or that of the daemon on
 * this host: only the sections that matter here are read), or a directory of such files, which may
 * be of several clusters; the environment; and -d.
 */
#ifndef PGHA_CLI_SETUP_H
#define PGHA_CLI_SETUP_H

#include "base/err.h"
#include "core/config.h"

struct setup {
	char *file; /* that was read; NULL none */
	struct config *config; /* scope "" and etcd without endpoints: not given */
	char rest_url[URL_SIZE]; /* REST API of the daemon on this host; "" not known */
	char (*scopes)[NAME_SIZE]; /* clusters that a directory configures, sorted */
	size_t nscopes;            /* 0: a file, or a directory for one cluster */
};

struct setup_args {
	const char *file;    /* -c */
	const char *dcs_url; /* -d */
	const char *scope;   /* the cluster that is wanted, of several; NULL: none named */
	bool insecure;       /* -k */
	const char *const *env;
};

int setup_load(const struct setup_args *args, struct setup *ret, struct err *err) _must_check_;
void setup_done(struct setup *setup);
/* The file that would be read: -c and variables first, then the usual places. NULL: none.
 * *ret_asked: named by the operator, so it must be there. Heap. */
char *setup_find_file(const struct setup_args *args, bool *ret_asked);
/* "etcd3://[user:password@]host:port[,host:port...][/namespace]" over what the file says. */
int setup_apply_url(const char *url, struct config *config, struct err *err) _must_check_;

#endif
