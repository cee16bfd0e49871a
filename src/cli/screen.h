/* SPDX-License-Identifier: PostgreSQL */
/*
 * screen - the operator's terminal, taken over for a while and given back as it was
 *
 * ANSI sequences only: the alternate screen, so that what stood there comes back, a hidden cursor,
 * and keys that come one by one without being shown.
 */
#ifndef PGHA_CLI_SCREEN_H
#define PGHA_CLI_SCREEN_H

#include <termios.h>

#include "base/str.h"

struct screen {
	bool taken;
	bool has_keys;         /* the standard input is a terminal as well */
	struct termios before; /* of it */
	int rows, columns;
	char **last; /* lines that stand there, so that only what changed is written */
	int nlast;
};

/* True when the standard output is a terminal that knows ANSI sequences. */
bool screen_is_terminal(const char *const *env);
/* Colours: a terminal, and neither NO_COLOR nor TERM=dumb. */
bool screen_has_colour(const char *const *env);
/* The locale says UTF-8. */
bool screen_has_unicode(const char *const *env);

void screen_take(struct screen *screen);
/* May be called twice, and without screen_take(). */
void screen_give_back(struct screen *screen);
/* Reads the size again; what stood there is drawn anew. */
void screen_resized(struct screen *screen);
/* Shows these lines; what does not fit is left out. */
void screen_draw(struct screen *screen, const char *text);

#endif
