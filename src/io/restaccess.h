/* SPDX-License-Identifier: PostgreSQL */
/*
 * restaccess - who may send commands, and the line in the log about each; for the REST thread only
 *
 * Checked in the order of contract 2.8: address, certificate, name and password. Of wrong passwords
 * an address has RESTACCESS_BURST at once and one more each RESTACCESS_EVERY_MS; beyond that the
 * password is not looked at, so that nobody learns from the answer whether it was right.
 *
 * A request that bears a member's signature is checked by that as well, when it was read whole.
 */
#ifndef PGHA_IO_RESTACCESS_H
#define PGHA_IO_RESTACCESS_H

#include <netinet/in.h>

#include "core/types.h"
#include "io/restpriv.h"

#define RESTACCESS_ADDRS    256 /* that gave a wrong password lately; then the oldest goes */
#define RESTACCESS_BURST    10
#define RESTACCESS_EVERY_MS 1000
#define RESTACCESS_TELL_MS  1000 /* between two lines about refusals */
#define RESTACCESS_TOO_MANY 429

/* An address, or of IPv6 the network of 64 bits, which is what one client can have whole. */
struct restaccess_addr {
	struct in6_addr net;
	int64_t owes_until_ms; /* RESTACCESS_EVERY_MS for each wrong password */
};

struct restaccess {
	struct restaccess_addr addrs[RESTACCESS_ADDRS];
	int64_t told_at_ms; /* of the newest refusal in the log */
	uint32_t untold;    /* refusals since */
	struct peersign_memory *memory; /* NULL: no member called yet */
};

struct restaccess_who {
	char addr[INET6_ADDRSTRLEN];
	char user[NAME_SIZE]; /* that gave the right password; "" nobody */
	char cert[NAME_SIZE]; /* common name of the certificate; "" none was shown */
	char peer[NAME_SIZE]; /* the member that signed; "" nobody did */
	char nonce[PEERSIGN_NONCE_SIZE];
};

void restaccess_done(struct restaccess *access);

/* 0: may; else the HTTP status with *ret_text. *ret_who is filled in either case. */
int restaccess_check(struct restaccess *access, const struct rest_settings *settings,
		     struct MHD_Connection *connection, const char *path,
		     struct restaccess_who *ret_who, const char **ret_text);

/* A request, read whole. */
struct restaccess_asks {
	const char *method;
	const char *path;
	const char *query; /* NULL none */
	const char *body;
	size_t body_len;
};

/* True: it is of the member who->peer, or nobody has to be known by a signature for it. False is
 * 403, and *ret_text says why: heap, the caller's. */
bool restaccess_check_peer(struct restaccess *access, const struct rest_settings *settings,
			   struct MHD_Connection *connection, const struct restaccess_asks *asks,
			   struct restaccess_who *who, char **ret_text) _must_check_;

/* One line about a write: who, what, and how it was answered. Of the body the names of its keys are
 * told, not what stands behind them. */
struct restaccess_deed {
	const struct restaccess_who *who;
	const char *method;
	const char *path;
	const char *body;
	size_t body_len;
	bool refused; /* by restaccess_check() */
	int code;
	const char *text; /* of the answer, where it is one for people; else NULL */
};
void restaccess_tell(struct restaccess *access, const struct restaccess_deed *deed);

#endif
