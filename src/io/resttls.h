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

struct resttls {
	char *cert; /* PEM texts, owned */
	char *key;
	char *key_password; /* NULL none */
	char *ca;           /* for clients' certificates; NULL none */
	char *priorities;   /* GnuTLS' words; NULL: its defaults */
	int verify_client;  /* VERIFY_NONE, ... of struct config_restapi */
};

/* *ret NULL when restapi.certfile is not given. */
int resttls_load(const struct config_restapi *config, struct resttls **ret,
		 struct err *err) _must_check_;
void resttls_free(struct resttls *tls);
struct resttls *resttls_copy(const struct resttls *tls); /* NULL is fine */
bool resttls_equal(const struct resttls *a, const struct resttls *b); /* NULL is fine */

/* Sets what is asked of the client on a new session (a gnutls_session_t). */
void resttls_prepare(void *session, int verify_client);
/* The client showed a certificate; it was verified in the handshake. */
bool resttls_has_cert(void *session);

#endif
