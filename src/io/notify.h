/* SPDX-License-Identifier: PostgreSQL */
/*
 * notify - what systemd is told of us
 *
 * Nothing waits, and all of it does nothing when systemd did not start us (no NOTIFY_SOCKET).
 */
#ifndef PGHA_IO_NOTIFY_H
#define PGHA_IO_NOTIFY_H

#include "base/base.h"

struct notify;

/* Takes NOTIFY_SOCKET and WATCHDOG_* out of the environment, so that no child inherits them. */
struct notify *notify_new(void);
void notify_free(struct notify *notify);

void notify_ready(struct notify *notify); /* once; later calls do nothing until reloading */
void notify_reloading(struct notify *notify);
void notify_stopping(struct notify *notify);
void notify_status(struct notify *notify, const char *text); /* sent when it changed */
/* A cycle of the agent has finished: the only sign of life. */
void notify_alive(struct notify *notify);

#endif
