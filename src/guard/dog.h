/* SPDX-License-Identifier: PostgreSQL */
/*
 * dog - the watchdog device, which reboots the host when nobody pets it
 *
 * Open while the lease page is armed, petted once for each renewal that the page shows, and
 * disarmed when the page is, or when every process of that Postgres is proven dead. In between it
 * is left alone: when Postgres cannot be killed, the host goes down with it.
 */
#ifndef PGHA_GUARD_DOG_H
#define PGHA_GUARD_DOG_H

#include "base/guardpage.h"
#include "guard/say.h"
#include "guard/watch.h"

struct dog {
	int fd; /* -1: closed */
	enum guardpage_dog state;
	bool testing; /* driver of the open device */
	char device[LEASEPAGE_TEXT_BYTES];
	int64_t timeout_s;
	int64_t proof_at_ms; /* the renewal that it was petted for last */
	int64_t petted_at_ms;
	int64_t retry_at_ms; /* after a failed opening */
};

#define DOG_CLOSED { .fd = -1 }

/* Once a turn of the guardian. dead: nothing of Postgres is left, and that is proven. */
void dog_turn(struct dog *dog, const struct watch *watch, enum watch_verdict verdict, bool dead,
	      int64_t now_ms, struct say *say);
/* Disarms and closes it. */
void dog_release(struct dog *dog, struct say *say);
/* Seconds that the device gets under this page; 0: the margin leaves none. */
int64_t dog_timeout_s(const struct leasepage_facts *page);

#endif
