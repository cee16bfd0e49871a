/* SPDX-License-Identifier: PostgreSQL */
/*
 * parse - strict text to value
 *
 * Every function takes the whole string or fails; nothing is guessed from a prefix. On failure
 * *ret is untouched and *err says what was expected.
 */
#ifndef PGHA_PARSE_H
#define PGHA_PARSE_H

#include "base/err.h"

/* Decimal, optional sign, no blanks; min..max inclusive. */
int parse_int(const char *s, int64_t min, int64_t max, int64_t *ret, struct err *err);
int parse_uint(const char *s, uint64_t max, uint64_t *ret, struct err *err);
/* on,true,yes,1 / off,false,no,0 without regard to case (Patroni 4.1.4 parse_bool). */
int parse_bool(const char *s, bool *ret, struct err *err);
/* Number with an optional unit us,ms,s,min,h,d (case matters, as in Postgres); a bare number is
 * in base_unit, e.g. "s". Result in milliseconds, rounded half to even. Numbers here and in
 * parse_size() are what Postgres' settings take: sign, 0x and octal, fraction, exponent. */
int parse_duration_ms(const char *s, const char *base_unit, int64_t *ret, struct err *err);
/* Number with an optional unit B,kB,MB,GB,TB (x1024, case matters); bare: bytes x base_bytes. */
int parse_size(const char *s, int64_t base_bytes, int64_t *ret, struct err *err);
/* "16/B374D848" -> position; both halves 1 to 8 hex digits. */
int parse_lsn(const char *s, uint64_t *ret, struct err *err);
/* ISO 8601 "2030-01-01T10:00[:00[.ffffff]](Z|+hh:mm|+hhmm|+hh)" or with a blank for the T.
 * Result: microseconds since the epoch. *ret_has_zone says whether an offset was given; without
 * one the time is read as UTC. */
int parse_time_us(const char *s, int64_t *ret, bool *ret_has_zone, struct err *err);
/* The offset that such a text gives, in minutes east of Greenwich; 0 where it gives none. */
int32_t parse_time_offset_min(const char *s);
/* host:port, [v6]:port, or a bare host with default_port. host_size bytes at host. Without
 * brackets the last colon separates the port and the rest must be one IPv6 address, as Patroni
 * reads "::1:5432". */
int parse_hostport(const char *s, uint16_t default_port, char *host, size_t host_size,
		   uint16_t *ret_port, struct err *err);

/* "%X/%X", low half not padded, as Patroni and Postgres print it. dst needs 18 bytes. */
#define LSN_TEXT_MAX 18
const char *lsn_text(uint64_t lsn, char dst[LSN_TEXT_MAX]);

#endif
