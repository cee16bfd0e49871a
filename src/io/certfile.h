/* SPDX-License-Identifier: PostgreSQL */
/*
 * certfile - what is in a file of certificates, for who looks before it is used
 *
 * Nothing is verified against anybody, and no connection is made.
 */
#ifndef PGHA_IO_CERTFILE_H
#define PGHA_IO_CERTFILE_H

#include "base/err.h"

/* Wall clock, seconds since the epoch. */
struct certfile_span {
	int64_t from_wall_s;
	int64_t until_wall_s;
};

/* The file of a client or server: how long its first certificate counts, the others being those of
 * its authorities. ERR_CONFIG: no certificate in it. */
int certfile_own(const char *path, struct certfile_span *ret, struct err *err) _must_check_;
/* A file of authorities: from the first moment on which one of them counts to the last. */
int certfile_authorities(const char *path, struct certfile_span *ret,
			 struct err *err) _must_check_;
/* Whether the key can be used, with this password (NULL: none), and belongs to the certificate.
 * 0: it is so. < 0: the key cannot be read, or is another's; *err says which. */
int certfile_pair(const char *cert_path, const char *key_path, const char *password,
		  struct err *err) _must_check_;

#endif
