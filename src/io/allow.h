/* SPDX-License-Identifier: PostgreSQL */
/*
 * allow - a list of addresses and networks
 */
#ifndef PGHA_IO_ALLOW_H
#define PGHA_IO_ALLOW_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/err.h"

#define ALLOW_MAX 512

/* IPv4 is kept as IPv4-mapped IPv6, so that a dual-stack listener needs no second list. */
struct allow_net {
	struct in6_addr addr;
	uint8_t bits; /* of 128 */
};

struct allow {
	uint32_t n;
	struct allow_net nets[ALLOW_MAX];
};

/* Adds "10.0.0.1", "10.0.0.0/8", "fd00::/8", "[::1]".
 * 0
 * ALLOW_NAME (1)   neither address nor network, so perhaps a host name
 * < 0              a mask out of range, or the list is full */
#define ALLOW_NAME 1
int allow_add(struct allow *allow, const char *text, struct err *err) _must_check_;
bool allow_has(const struct allow *allow, const struct sockaddr *addr);

/* As it is compared: IPv4 mapped. False: neither IPv4 nor IPv6. */
bool allow_address(const struct sockaddr *addr, struct in6_addr *ret);

#endif
