/* SPDX-License-Identifier: PostgreSQL */
/*
 * words - an argument vector that grows
 */
#include "io/words.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct splitter {
	const char *at;
	struct buf word;
	bool any; /* a word has begun, perhaps an empty quoted one */
};

static int quoted(struct splitter *s, const char *command, struct err *err)
{
	char quote = *s->at++;

	s->any = true;
	for (; *s->at; s->at++) {
		if (*s->at == quote) {
			s->at++;
			return 0;
		}
		/* Inside double quotes a backslash is itself but before these two. */
		if (quote == '"' && *s->at == '\\' && (s->at[1] == '"' || s->at[1] == '\\'))
			s->at++;
		buf_ch(&s->word, *s->at);
	}
	return err_set(err, ERR_PARSE, "no closing %c in command '%s'", quote, command);
}

static int next_word(struct splitter *s, const char *command, struct err *err)
{
	buf_clear(&s->word);
	s->any = false;
	while (*s->at && strchr(" \t\r\n", *s->at))
		s->at++;
	while (*s->at && !strchr(" \t\r\n", *s->at)) {
		if (*s->at == '\'' || *s->at == '"') {
			int rc = quoted(s, command, err);

			if (rc < 0)
				return rc;
			continue;
		}
		if (*s->at == '\\' && *++s->at == '\0')
			return err_set(err, ERR_PARSE,
				       "nothing follows the last \\ in command '%s'", command);
		buf_ch(&s->word, *s->at++);
		s->any = true;
	}
	return 0;
}

static int split(struct splitter *s, struct words *words, const char *command, struct err *err)
{
	size_t before = words->n;

	for (;;) {
		int rc = next_word(s, command, err);

		if (rc < 0)
			return rc;
		if (!s->any)
			break;
		if (!words_room(words, 1))
			return err_set(err, ERR_TOOLONG, "more than %d words in command '%s'",
				       WORDS_MAX, command);
		words->items[words->n++] = buf_take(&s->word);
	}
	if (words->n == before)
		return err_set(err, ERR_PARSE, "the command is empty");
	return 0;
}

int words_split(struct words *words, const char *command, struct err *err)
{
	struct splitter s = { .at = command };
	int rc = split(&s, words, command, err);

	buf_done(&s.word);
	return rc;
}

bool words_room(const struct words *words, size_t more)
{
	return words->n + more <= WORDS_MAX;
}

void words_add(struct words *words, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int len;

	assert(words_room(words, 1));
	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	assert(len >= 0);
	words->items[words->n++] = text;
}

void words_done(struct words *words)
{
	for (size_t i = 0; i < words->n; i++)
		free(words->items[i]);
	memset(words, 0, sizeof(*words));
}
