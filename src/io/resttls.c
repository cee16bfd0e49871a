/* SPDX-License-Identifier: PostgreSQL */
/*
 * resttls - certificates of the REST server
 */
#include "io/resttls.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "io/fsx.h"

#define PEM_MAX (1024 * 1024)

static int read_pem(const char *what, const char *path, char **ret, struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int rc = fsx_read(path, PEM_MAX, &text, err);

	if (rc == FSX_MISSING)
		return err_set(err, ERR_CONFIG, "restapi.%s: there is no file '%s'", what, path);
	if (rc < 0)
		return err_wrap(err, "restapi.%s", what);
	*ret = buf_take(&text);
	return 0;
}

static gnutls_datum_t datum(char *text)
{
	return (gnutls_datum_t){ .data = (unsigned char *)text,
				 .size = (unsigned int)strlen(text) };
}

/* The files as the server will use them: do they parse, does the key belong to the certificate? */
static int check(const struct resttls *tls, const struct config_restapi *config, struct err *err)
{
	gnutls_certificate_credentials_t creds;
	gnutls_datum_t cert = datum(tls->cert);
	gnutls_datum_t key = datum(tls->key);
	int rc = gnutls_certificate_allocate_credentials(&creds);
	int ret = 0;

	if (rc < 0)
		return err_set(err, ERR_MEMORY, "%s", gnutls_strerror(rc));
	rc = gnutls_certificate_set_x509_key_mem2(creds, &cert, &key, GNUTLS_X509_FMT_PEM,
						  tls->key_password, 0);
	if (rc < 0)
		ret = err_set(err, ERR_CONFIG, "restapi.certfile '%s' with its key: %s",
			      config->certfile, gnutls_strerror(rc));
	if (ret == 0 && tls->ca) {
		gnutls_datum_t ca = datum(tls->ca);

		rc = gnutls_certificate_set_x509_trust_mem(creds, &ca, GNUTLS_X509_FMT_PEM);
		if (rc <= 0)
			ret = err_set(err, ERR_CONFIG, "restapi.cafile '%s': %s", config->cafile,
				      rc < 0 ? gnutls_strerror(rc) : "no certificate in it");
	}
	gnutls_certificate_free_credentials(creds);
	return ret;
}

/* Patroni's value is a cipher list of OpenSSL, which means nothing to GnuTLS. */
static char *priorities_of(const char *ciphers)
{
	gnutls_priority_t cache;
	const char *at;

	if (!ciphers)
		return NULL;
	if (gnutls_priority_init(&cache, ciphers, &at) == GNUTLS_E_SUCCESS) {
		gnutls_priority_deinit(cache);
		return str_dup(ciphers);
	}
	log_warning("restapi.ciphers '%s' is no GnuTLS priority string (\"NORMAL\", "
		    "\"SECURE256:-VERS-TLS1.2\", ...); the defaults are used", ciphers);
	return NULL;
}

/* Without a key every handshake is a whole one. */
static void make_ticket_key(struct resttls *tls)
{
	gnutls_datum_t key = { 0 };

	if (gnutls_session_ticket_key_generate(&key) < 0)
		return;
	if (key.size <= sizeof(tls->ticket_key)) {
		memcpy(tls->ticket_key, key.data, key.size);
		tls->ticket_key_bytes = key.size;
	}
	gnutls_memset(key.data, 0, key.size);
	gnutls_free(key.data);
}

int resttls_load(const struct config_restapi *config, struct resttls **ret, struct err *err)
{
	struct resttls *tls;
	int rc;

	if (!config->certfile) {
		*ret = NULL;
		return 0;
	}
	tls = mem_new(1, sizeof(*tls));
	rc = read_pem("certfile", config->certfile, &tls->cert, err);
	if (rc >= 0)
		rc = read_pem("keyfile", config->keyfile ?: config->certfile, &tls->key, err);
	if (rc >= 0 && config->cafile)
		rc = read_pem("cafile", config->cafile, &tls->ca, err);
	if (rc >= 0 && config->verify_client != VERIFY_NONE && !tls->ca)
		rc = err_set(err, ERR_CONFIG, "restapi.verify_client needs restapi.cafile");
	tls->key_password = str_dup(config->keyfile_password);
	tls->verify_client = (int)config->verify_client;
	if (rc >= 0)
		rc = check(tls, config, err);
	if (rc < 0) {
		resttls_free(tls);
		return rc;
	}
	tls->priorities = priorities_of(config->ciphers);
	make_ticket_key(tls);
	*ret = tls;
	return 0;
}

void resttls_free(struct resttls *tls)
{
	if (!tls)
		return;
	free(tls->cert);
	if (tls->key)
		gnutls_memset(tls->key, 0, strlen(tls->key));
	free(tls->key);
	free(tls->key_password);
	free(tls->ca);
	free(tls->priorities);
	gnutls_memset(tls->ticket_key, 0, sizeof(tls->ticket_key));
	free(tls);
}

struct resttls *resttls_copy(const struct resttls *tls)
{
	struct resttls *copy;

	if (!tls)
		return NULL;
	copy = mem_new(1, sizeof(*copy));
	copy->cert = str_dup(tls->cert);
	copy->key = str_dup(tls->key);
	copy->key_password = str_dup(tls->key_password);
	copy->ca = str_dup(tls->ca);
	copy->priorities = str_dup(tls->priorities);
	copy->verify_client = tls->verify_client;
	memcpy(copy->ticket_key, tls->ticket_key, sizeof(copy->ticket_key));
	copy->ticket_key_bytes = tls->ticket_key_bytes;
	return copy;
}

bool resttls_equal(const struct resttls *a, const struct resttls *b)
{
	if (!a || !b)
		return a == b;
	return str_eq(a->cert, b->cert) && str_eq(a->key, b->key) && str_eq(a->ca, b->ca) &&
	       str_eq(a->key_password, b->key_password) && str_eq(a->priorities, b->priorities) &&
	       a->verify_client == b->verify_client;
}

/* Runs in the handshake, after the client's certificate came, or none. */
static int verify(gnutls_session_t session)
{
	unsigned int n = 0;
	unsigned int status = 0;

	/* None: with VERIFY_REQUIRED the handshake fails by itself. */
	if (!gnutls_certificate_get_peers(session, &n) || n == 0)
		return 0;
	if (gnutls_certificate_verify_peers2(session, &status) < 0 || status != 0)
		return GNUTLS_E_CERTIFICATE_ERROR;
	return 0;
}

static void give_tickets(gnutls_session_t session, const struct resttls *tls)
{
	unsigned char bytes[RESTTLS_TICKET_KEY_MAX];
	gnutls_datum_t key = { .data = bytes, .size = tls->ticket_key_bytes };

	if (tls->ticket_key_bytes == 0)
		return;
	memcpy(bytes, tls->ticket_key, tls->ticket_key_bytes);
	/* It copies the key; where it fails there are no tickets. */
	(void)gnutls_session_ticket_enable_server(session, &key);
	gnutls_db_set_cache_expiration(session, RESTTLS_TICKET_LIFE_S);
	gnutls_memset(bytes, 0, sizeof(bytes));
}

void resttls_prepare(void *session, const struct resttls *tls)
{
	give_tickets(session, tls);
	if (tls->verify_client == VERIFY_NONE)
		return;
	gnutls_certificate_server_set_request(session, tls->verify_client == VERIFY_REQUIRED ?
							       GNUTLS_CERT_REQUIRE :
							       GNUTLS_CERT_REQUEST);
	gnutls_session_set_verify_function(session, verify);
}

bool resttls_has_cert(void *session)
{
	unsigned int n = 0;

	if (!gnutls_certificate_get_peers(session, &n) || n == 0)
		return false;
	return !gnutls_session_is_resumed(session) || verify(session) == 0;
}

void resttls_cert_name(void *session, char *dst, size_t size)
{
	unsigned int n = 0;
	const gnutls_datum_t *shown = gnutls_certificate_get_peers(session, &n);
	gnutls_x509_crt_t cert;
	size_t len = size;

	dst[0] = '\0';
	if (!shown || n == 0 || gnutls_x509_crt_init(&cert) < 0)
		return;
	if (gnutls_x509_crt_import(cert, &shown[0], GNUTLS_X509_FMT_DER) < 0 ||
	    gnutls_x509_crt_get_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, dst, &len) < 0)
		dst[0] = '\0';
	gnutls_x509_crt_deinit(cert);
	for (char *at = dst; *at; at++)
		if (*at < ' ' || *at > '~' || *at == '\'')
			*at = '?';
}
