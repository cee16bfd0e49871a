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
/* Of the standard output; 80 where it does not tell. */
int screen_columns(void);
/* So many bytes of a line of text fit into that width; escape sequences take no room. */
size_t screen_fitting(const char *line, size_t len, int columns);
/* Prints the rest of a line that began with so many columns, and its end. On a terminal what does
 * not fit goes below, indented by as much; a program gets one line. */
void screen_flow(const char *text, int column);
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
