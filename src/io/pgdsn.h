/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgdsn - connection strings and password files
 *
 * Pure text. The order of the keywords and the way of quoting are Patroni's (contract 6.4, 6.5),
 * so that comparing an existing primary_conninfo with ours finds no difference.
 */
#ifndef PGHA_IO_PGDSN_H
#define PGHA_IO_PGDSN_H

#include "base/str.h"
#include "core/config.h"

struct pgdsn {
	const char *dbname;      /* NULL: left out, as everything else here */
	const char *service;     /* where the password of the key stands; then it is left out */
	const struct auth *auth; /* whose user, certificates and modes */
	const char *passfile;
	const char *host;
	uint16_t port;           /* 0: left out */
	const char *application_name;
	const char *krbsrvname;
	const char *target_session_attrs;
	int32_t major;           /* of the server software: decides which keywords exist */
	bool defaults;           /* write sslmode=prefer and the like where nothing is configured */
};

/* "dbname=postgres user=... passfile=... host=... port=..."; a value with blanks, quotes or
 * backslashes gets backslashes. */
void pgdsn_text(const struct pgdsn *dsn, struct buf *ret);

/* A directory in the place of a host. There is no TLS by a socket of it, so a demand for channel
 * binding could only fail, where libpq passes over the demand for TLS. */
bool pgdsn_is_socket(const char *host);

/* For a connection of the agent's own: what is configured, or "disable" where the host has no
 * configuration of Kerberos; libpq would look for credentials that cannot be there, which loads
 * 0.2 MB. NULL leaves it to libpq. */
const char *pgdsn_gssencmode(const struct auth *auth);

/* One line of a password file, "host:port:*:user:password", with ':' and '\' escaped. Nothing
 * when there is no password. */
void pgdsn_pgpass_line(const char *host, uint16_t port, const struct auth *auth, struct buf *ret);

#endif
