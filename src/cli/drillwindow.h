/* SPDX-License-Identifier: PostgreSQL */
/*
 * drillwindow - the time of day in which an operator allows a drill
 */
#ifndef PGHA_CLI_DRILLWINDOW_H
#define PGHA_CLI_DRILLWINDOW_H

#include "base/err.h"

/* "02:00-04:30", local time, over midnight if the end comes first; or "now". minute: of the local
 * day, that it is now. *ret_left_min: how long the window stays open; 0: it is not. "now" is open
 * for half an hour. */
int drillwindow_check(const char *text, int minute, int *ret_left_min,
		      struct err *err) _must_check_;

#endif
