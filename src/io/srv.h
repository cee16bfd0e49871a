/* SPDX-License-Identifier: PostgreSQL */
/*
 * srv - endpoints of etcd from DNS SRV records
 *
 * Asks the system's name servers over UDP, on the loop. The names of Patroni 4.1.4 for clients
 * are tried in its order, the first that has records counts: _etcd-client-ssl, _etcd-client,
 * _etcd-ssl, _etcd, each with "-<suffix>" where one is configured, and ._tcp.<domain>. The names
 * for servers (_etcd-server...) tell addresses of peers, which are not asked here.
 */
#ifndef PGHA_IO_SRV_H
#define PGHA_IO_SRV_H

#include <netinet/in.h>

#include "base/err.h"
#include "core/config.h"
#include "io/loop.h"

#define SRV_WAIT_MS 1000 /* for one server, which is asked twice */

struct srv;

/* found: by priority, then weight. n 0: err says why. Called once, from the loop. */
typedef void (*srv_fn)(void *ctx, const struct endpoint *found, uint32_t n,
		       const struct err *err);

/* server: NULL for those of /etc/resolv.conf. */
int srv_start(struct loop *loop, const char *domain, const char *suffix,
	      const struct sockaddr_in *server, srv_fn done, void *ctx, struct srv **ret,
	      struct err *err) _must_check_;
void srv_free(struct srv *srv); /* also from inside done */

/* Reads one answer.
 * > 0                     so many endpoints in found[]
 * 0                       the name has no such records
 * < 0                     no answer to this question, or unreadable */
int srv_parse(const unsigned char *msg, size_t len, uint16_t id, bool tls,
	      struct endpoint found[ENDPOINTS_MAX], struct err *err) _must_check_;

#endif
