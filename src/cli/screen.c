/* SPDX-License-Identifier: PostgreSQL */
/*
 * screen - the operator's terminal, taken over for a while and given back as it was
 */
#include "cli/screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ROWS    24
#define COLUMNS 80

static const char *get(const char *const *env, const char *name)
{
	const size_t len = strlen(name);

	for (; env != NULL && *env != NULL; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return *env + len + 1;
	return "";
}

static bool is_dumb(const char *const *env)
{
	const char *term = get(env, "TERM");

	return *term == '\0' || str_eq(term, "dumb");
}

bool screen_is_terminal(const char *const *env)
{
	return isatty(STDOUT_FILENO) && !is_dumb(env);
}

bool screen_has_colour(const char *const *env)
{
	return screen_is_terminal(env) && *get(env, "NO_COLOR") == '\0';
}

bool screen_has_unicode(const char *const *env)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *value = get(env, names[i]);

		if (*value != '\0')
			return strstr(value, "UTF-8") != NULL || strstr(value, "utf8") != NULL ||
			       strstr(value, "UTF8") != NULL || strstr(value, "utf-8") != NULL;
	}
	return false;
}

int screen_columns(void)
{
	struct winsize size = { 0 };

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0 ? COLUMNS :
										 size.ws_col;
}

size_t screen_fitting(const char *line, size_t len, int columns)
{
	size_t i = 0;
	int at = 0;

	while (i < len) {
		const unsigned char c = (unsigned char)line[i];

		if (c == 033) {
			while (i < len && line[i] != 'm')
				i++;
		} else if ((c & 0xC0) != 0x80 && ++at > columns) {
			break;
		}
		i++;
	}
	return MIN_OF(i, len);
}

void screen_flow(const char *text, int column)
{
	const int room = screen_columns() - column;
	size_t len = strlen(text);

	while (isatty(STDOUT_FILENO) && room > 0) {
		const size_t fits = screen_fitting(text, len, room);
		size_t at = fits;

		if (fits == len)
			break;
		while (at > 0 && text[at] != ' ')
			at--;
		if (at == 0)
			at = fits + strcspn(text + fits, " ");
		if (at == len)
			break;
		printf("%.*s\n%*s", (int)at, text, column, "");
		text += at + 1;
		len -= at + 1;
	}
	printf("%s\n", text);
}

static void put(const char *text)
{
	(void)fputs(text, stdout);
	(void)fflush(stdout);
}

static void forget(struct screen *screen)
{
	for (int i = 0; i < screen->nlast; i++)
		free(screen->last[i]);
	free(screen->last);
	screen->last = NULL;
	screen->nlast = 0;
}

static void read_size(struct screen *screen)
{
	struct winsize size = { 0 };

	screen->rows = ROWS;
	screen->columns = COLUMNS;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0)
		return;
	screen->rows = size.ws_row;
	screen->columns = size.ws_col;
}

void screen_take(struct screen *screen)
{
	struct termios keys;

	screen->has_keys = tcgetattr(STDIN_FILENO, &screen->before) == 0;
	if (screen->has_keys) {
		keys = screen->before;
		/* ctrl-C stays a signal. ctrl-Z would leave the shell with our screen. */
		keys.c_lflag &= ~(tcflag_t)(ECHO | ICANON);
		keys.c_cc[VSUSP] = _POSIX_VDISABLE;
		keys.c_cc[VMIN] = 0;
		keys.c_cc[VTIME] = 0;
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &keys);
	}
	screen->taken = true;
	read_size(screen);
	put("\033[?1049h\033[?25l\033[2J");
}

void screen_give_back(struct screen *screen)
{
	forget(screen);
	if (!screen->taken)
		return;
	screen->taken = false;
	put("\033[0m\033[?25h\033[?1049l");
	if (screen->has_keys)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &screen->before);
}

void screen_resized(struct screen *screen)
{
	if (!screen->taken)
		return;
	forget(screen);
	read_size(screen);
	put("\033[2J");
}

static void draw_line(struct screen *screen, int row, const char *line)
{
	if (row < screen->nlast && str_eq(screen->last[row], line))
		return;
	printf("\033[%d;1H%s\033[0m\033[K", row + 1, line);
}

void screen_draw(struct screen *screen, const char *text)
{
	char **lines = mem_new((size_t)screen->rows + 1, sizeof(*lines));
	int n = 0;

	while (*text != '\0' && n < screen->rows) {
		const size_t len = strcspn(text, "\n");

		lines[n] = str_ndup(text, screen_fitting(text, len, screen->columns));
		draw_line(screen, n, lines[n]);
		n++;
		text += len + (text[len] == '\n');
	}
	if (n < screen->nlast)
		printf("\033[%d;1H\033[J", n + 1);
	(void)fflush(stdout);
	forget(screen);
	screen->last = lines;
	screen->nlast = n;
}
