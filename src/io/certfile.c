/* SPDX-License-Identifier: PostgreSQL */
/*
 * certfile - what is in a file of certificates, for who looks before it is used
 */
#include "io/certfile.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/str.h"
#include "io/fsx.h"

#define PEM_MAX (1024 * 1024)

static void wipe(struct buf *text)
{
	if (text->data != NULL)
		gnutls_memset(text->data, 0, text->len);
	buf_done(text);
}

static int read_pem(const char *path, struct buf *ret, struct err *err)
{
	int r = fsx_read(path, PEM_MAX, ret, err);

	if (r < 0)
		return r;
	if (r == FSX_MISSING)
		return err_set(err, ERR_CONFIG, "there is no such file");
	return ret->len > 0 ? 0 : err_set(err, ERR_CONFIG, "is empty");
}

static gnutls_datum_t datum(const struct buf *text)
{
	return (gnutls_datum_t){ .data = (unsigned char *)text->data,
				 .size = (unsigned int)text->len };
}

/* The first certificate, or of all the widest span. */
static int read_span(const char *path, bool all, struct certfile_span *ret, struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	gnutls_x509_crt_t *certs = NULL;
	gnutls_datum_t pem;
	unsigned int n = 0;
	int r = read_pem(path, &text, err);

	if (r < 0)
		return r;
	pem = datum(&text);
	r = gnutls_x509_crt_list_import2(&certs, &n, &pem, GNUTLS_X509_FMT_PEM, 0);
	if (r < 0 || n == 0)
		return err_set(err, ERR_CONFIG, "no certificate can be read in it: %s",
			       r < 0 ? gnutls_strerror(r) : "it has none");
	for (unsigned int i = 0; i < n; i++) {
		int64_t from_wall_s = gnutls_x509_crt_get_activation_time(certs[i]);
		int64_t until_wall_s = gnutls_x509_crt_get_expiration_time(certs[i]);

		if (i == 0)
			*ret = (struct certfile_span){ from_wall_s, until_wall_s };
		if (all && from_wall_s < ret->from_wall_s)
			ret->from_wall_s = from_wall_s;
		if (all && until_wall_s > ret->until_wall_s)
			ret->until_wall_s = until_wall_s;
		gnutls_x509_crt_deinit(certs[i]);
	}
	gnutls_free(certs);
	return 0;
}

int certfile_own(const char *path, struct certfile_span *ret, struct err *err)
{
	return read_span(path, false, ret, err);
}

int certfile_authorities(const char *path, struct certfile_span *ret, struct err *err)
{
	return read_span(path, true, ret, err);
}

int certfile_pair(const char *cert_path, const char *key_path, const char *password,
		  struct err *err)
{
	_cleanup_(buf_done) struct buf cert = { 0 };
	_cleanup_(wipe) struct buf key = { 0 };
	gnutls_certificate_credentials_t creds;
	gnutls_datum_t cert_pem, key_pem;
	int r = read_pem(cert_path, &cert, err);

	if (r >= 0)
		r = read_pem(key_path, &key, err);
	if (r < 0)
		return r;
	cert_pem = datum(&cert);
	key_pem = datum(&key);
	r = gnutls_certificate_allocate_credentials(&creds);
	if (r < 0)
		return err_set(err, ERR_MEMORY, "%s", gnutls_strerror(r));
	r = gnutls_certificate_set_x509_key_mem2(creds, &cert_pem, &key_pem, GNUTLS_X509_FMT_PEM,
						 password, 0);
	gnutls_certificate_free_credentials(creds);
	if (r == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
		return err_set(err, ERR_CONFIG, "is not the key of that certificate");
	return r < 0 ? err_set(err, ERR_CONFIG, "cannot be used: %s", gnutls_strerror(r)) : 0;
}
