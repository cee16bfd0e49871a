/* SPDX-License-Identifier: PostgreSQL */
/*
 * ask - questions to the operator, on the terminal or through a pipe
 */
#include "cli/ask.h"

#include <stdio.h>
#include <unistd.h>

#define ANSWER_MAX 4096

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
