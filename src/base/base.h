/* SPDX-License-Identifier: PostgreSQL */
/*
 * base - attributes and the few macros everyone may use
 */
#ifndef PGHA_BASE_H
#define PGHA_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define _must_check_      __attribute__((warn_unused_result))
#define _printf_(fmt, va) __attribute__((format(printf, fmt, va)))
#define _cleanup_(fn)     __attribute__((cleanup(fn)))
#define _unused_          __attribute__((unused))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* A set of enum values as a bit mask: IS(LEASE_HELD) | IS(LEASE_FADING). */
#define IS(value) (UINT32_C(1) << (value))

/* Hands ownership over: yields the pointer and clears the variable that held it. */
#define TAKE(p)                        \
	({                             \
		__typeof__(p) t_ = (p); \
		(p) = NULL;            \
		t_;                    \
	})

#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))

/* Helpers for _cleanup_: free() what a char * or any other pointer owns; close an fd if >= 0. */
void freep(void *pp);
void closep(int *fdp);

#endif
