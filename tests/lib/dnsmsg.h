/* SPDX-License-Identifier: PostgreSQL */
/*
 * dnsmsg - answers of a name server, for tests
 */
#ifndef PGHA_TESTS_DNSMSG_H
#define PGHA_TESTS_DNSMSG_H

#include <stdint.h>

#include "base/str.h"

/* The answer's header and the question "x." of type SRV; rcode as in the header's flags. */
void dnsmsg_begin(struct buf *msg, uint16_t id, uint8_t rcode);
/* The same to a question that was asked: its id and its name. */
void dnsmsg_begin_for(struct buf *msg, const void *question, size_t len, uint8_t rcode);
/* One more SRV record; target in dots, "" is the root. */
void dnsmsg_srv(struct buf *msg, uint16_t priority, uint16_t weight, uint16_t port,
		const char *target);
/* The name in a question, in dots. */
void dnsmsg_name(const void *question, size_t len, char *dst, size_t size);

#endif
