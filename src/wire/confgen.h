/* SPDX-License-Identifier: PostgreSQL */
/*
 * confgen - a configuration file for a server that exists
 *
 * Pure text. What the server does not know stands in a line that is marked for the operator.
 */
#ifndef PGHA_WIRE_CONFGEN_H
#define PGHA_WIRE_CONFGEN_H

#include "base/str.h"
#include "core/config.h"

/* NULL or "": not known. Texts belong to the caller but for the lists. */
struct confgen {
	const char *scope;
	const char *name;
	const char *address; /* of this host, as others reach it */
	const char *etcd_hosts; /* "a:2379,b:2379" */
	const char *listen;  /* listen_addresses */
	const char *port;
	const char *data_dir;
	const char *config_dir; /* not known: data_dir */
	const char *base_name;  /* of postgresql.conf, without .conf */
	const char *bin_dir;
	const char *replicator; /* a role that may replicate */
	bool rewindable;        /* checksums or wal_log_hints */
	bool by_socket;         /* how the superuser came in */
	struct pairs auth;      /* of the superuser, by the names of pgha.yml */
	struct pairs shared;    /* settings for all members */
	struct pairs own;       /* ... and for this one */
	struct strings pg_hba;
	struct strings pg_ident;
};

/* Where a setting of the server goes. */
enum confgen_place {
	CONFGEN_NOWHERE = 0, /* the agent sets it, or it has a key of its own */
	CONFGEN_SHARED,
	CONFGEN_OWN, /* commands, as with Patroni: who writes to etcd shall not run programs here */
	CONFGEN_PLACE__MAX
};

enum confgen_place confgen_place(const char *setting);
void confgen_print(const struct confgen *gen, struct buf *ret_text);
void confgen_done(struct confgen *gen);

#endif
