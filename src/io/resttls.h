/* SPDX-License-Identifier: PostgreSQL */
/*
 * resttls - certificates of the REST server
 *
 * Read and checked when the configuration is taken, so that a wrong file is found before the
 * server is given it.
 */
#ifndef PGHA_IO_RESTTLS_H
#define PGHA_IO_RESTTLS_H

#include "base/err.h"
#include "core/config.h"

#define RESTTLS_TICKET_KEY_MAX 128
#define RESTTLS_TICKET_LIFE_S  600

struct resttls {
	char *cert; /* PEM texts, owned */
	char *key;
	char *key_password; /* NULL none */
	char *ca;           /* for clients' certificates; NULL none */
	char *priorities;   /* GnuTLS' words; NULL: its defaults */
	int verify_client;  /* VERIFY_NONE, ... of struct config_restapi */
	/* What session tickets are sealed with. Made with every load, so that no ticket outlives
	 * the certificates under which its client was verified. */
	unsigned char ticket_key[RESTTLS_TICKET_KEY_MAX];
	uint32_t ticket_key_bytes; /* 0: no tickets */
};

/* *ret NULL when restapi.certfile is not given. */
int resttls_load(const struct config_restapi *config, struct resttls **ret,
		 struct err *err) _must_check_;
void resttls_free(struct resttls *tls);
struct resttls *resttls_copy(const struct resttls *tls); /* NULL is fine */
bool resttls_equal(const struct resttls *a, const struct resttls *b); /* NULL is fine */

/* Sets what is asked of the client on a new session (a gnutls_session_t), and lets it come back
 * with a ticket instead of a whole handshake. */
void resttls_prepare(void *session, const struct resttls *tls);
/* The client showed a certificate; it was verified in the handshake. One that came back with a
 * ticket is verified again: the certificate may have expired since. */
bool resttls_has_cert(void *session);
/* The common name in it, letters that do not print as '?'; "" where there is none. */
void resttls_cert_name(void *session, char *dst, size_t size);

#endif
