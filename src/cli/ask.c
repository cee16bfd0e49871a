/* SPDX-License-Identifier: PostgreSQL */
/*
 * ask - questions to the operator, on the terminal or through a pipe
 */
#include "cli/ask.h"

#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#define ANSWER_MAX 4096
#define KEY_ABORT  3 /* ctrl-C */
#define KEY_END    4 /* ctrl-D */
#define KEY_BACK   127

bool ask_line(int fd, struct buf *ret_line)
{
	char c;

	buf_clear(ret_line);
	while (read(fd, &c, 1) == 1 && ret_line->len < ANSWER_MAX) {
		if (c == '\n')
			return true;
		buf_ch(ret_line, c);
	}
	return ret_line->len > 0;
}

static int read_answer(struct buf *ret_line, struct err *err)
{
	(void)fflush(stdout);
	if (!ask_line(STDIN_FILENO, ret_line))
		return err_set(err, ERR_CANCELED, "Aborted!");
	return 0;
}

int ask_text(const char *question, const char *fallback, char **ret_answer, struct err *err)
{
	_cleanup_(buf_done) struct buf line = { 0 };

	for (;;) {
		int r;

		if (fallback != NULL)
			printf("%s [%s]: ", question, fallback);
		else
			printf("%s: ", question);
		r = read_answer(&line, err);
		if (r < 0)
			return r;
		if (line.len > 0 || fallback != NULL)
			break;
	}
	*ret_answer = line.len > 0 ? buf_take(&line) : str_dup(fallback);
	return 0;
}

static int read_keys(struct buf *ret_line, struct err *err)
{
	char c;

	(void)fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) == 1 && ret_line->len < ANSWER_MAX) {
		if (c == '\n' || c == '\r')
			return 0;
		if (c == KEY_ABORT || c == KEY_END)
			break;
		if (c != KEY_BACK && c != '\b')
			buf_ch(ret_line, c);
		else if (ret_line->len > 0)
			ret_line->data[--ret_line->len] = '\0';
	}
	return err_set(err, ERR_CANCELED, "Aborted!");
}

int ask_secret(const char *question, char **ret_answer, struct err *err)
{
	_cleanup_(buf_done) struct buf line = { 0 };
	struct termios shown, hidden;
	const bool on_terminal = tcgetattr(STDIN_FILENO, &shown) == 0;
	int r;

	printf("%s: ", question);
	if (on_terminal) {
		hidden = shown;
		/* Keys come one by one, ctrl-C too: the terminal is put right before we end. */
		hidden.c_lflag &= ~(tcflag_t)(ECHO | ICANON | ISIG);
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &hidden);
	}
	r = on_terminal ? read_keys(&line, err) : read_answer(&line, err);
	if (on_terminal) {
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &shown);
		printf("\n");
	}
	if (r >= 0)
		*ret_answer = buf_take(&line);
	return r;
}

int ask_yes(const char *question, bool *ret_yes, struct err *err)
{
	_cleanup_(buf_done) struct buf line = { 0 };

	for (;;) {
		const char *answer;
		int r;

		printf("%s [y/N]: ", question);
		r = read_answer(&line, err);
		if (r < 0)
			return r;
		answer = line.len > 0 ? line.data : "";
		*ret_yes = str_ieq(answer, "y") || str_ieq(answer, "yes");
		if (*ret_yes || *answer == '\0' || str_ieq(answer, "n") || str_ieq(answer, "no"))
			return 0;
		printf("Error: invalid input\n");
	}
}
