/* SPDX-License-Identifier: PostgreSQL */
/*
 * whatif_words - a supposition, and how it is written
 */
#include "core/whatif_words.h"

#include "base/parse.h"
#include "base/str.h"

#define WORDS_MAX 4
#define WORD_SIZE 64

struct words {
	char items[WORDS_MAX][WORD_SIZE];
	size_t n;
};

/* false: too many of them, or one is too long. */
static bool split(const char *text, struct words *ret)
{
	*ret = (struct words){ 0 };
	for (;;) {
		size_t len;

		text += strspn(text, " \t");
		if (*text == '\0')
			return true;
		len = strcspn(text, " \t");
		if (ret->n == WORDS_MAX || len >= WORD_SIZE)
			return false;
		memcpy(ret->items[ret->n], text, len);
		ret->items[ret->n++][len] = '\0';
		text += len;
	}
}

static const char *const kind_words[WHATIF__MAX] = {
#define X(n, t) [WHATIF_##n] = t,
	WHATIFS(X)
#undef X
};

const char *whatif_text(const struct whatif *w, char dst[WHATIF_TEXT_MAX])
{
	const char *word = kind_words[w->kind];

	if (w->kind == WHATIF_LAGGING)
		(void)str_printf(dst, WHATIF_TEXT_MAX, "%s %s %lluB", w->name, word,
				 (unsigned long long)w->bytes);
	else
		(void)str_printf(dst, WHATIF_TEXT_MAX, "%s%s%s", w->name,
				 w->name[0] != '\0' ? " " : "", word);
	return dst;
}

static int misread(const char *text, struct err *err)
{
	return err_set(err, ERR_PARSE, "cannot understand '%.80s'; there are " WHATIF_FORMS, text);
}

static int read_size(const char *word, struct whatif *ret, struct err *err)
{
	int64_t bytes = 0;

	if (parse_size(word, 1, &bytes, NULL) < 0 || bytes < 0)
		return err_set(err, ERR_PARSE,
			       "'%s' is no size: a number with B, kB, MB, GB or TB, such as 20MB",
			       word);
	ret->bytes = (uint64_t)bytes;
	return 0;
}

int whatif_parse(const char *text, struct whatif *ret, struct err *err)
{
	struct words w;

	*ret = (struct whatif){ 0 };
	if (!split(text, &w) || w.n == 0)
		return misread(text, err);
	if (w.n == 1 && str_ieq(w.items[0], kind_words[WHATIF_PAUSED])) {
		ret->kind = WHATIF_PAUSED;
		return 0;
	}
	if (w.n < 2)
		return misread(text, err);
	if (str_ieq(w.items[0], "etcd")) {
		ret->kind = WHATIF_STORE_GONE;
		return w.n == 2 && str_ieq(w.items[1], "gone") ? 0 : misread(text, err);
	}
	str_clip(ret->name, sizeof(ret->name), w.items[0]);
	if (w.n == 3 && str_ieq(w.items[1], kind_words[WHATIF_LAGGING])) {
		ret->kind = WHATIF_LAGGING;
		return read_size(w.items[2], ret, err);
	}
	for (enum whatif_kind k = WHATIF_GONE; k <= WHATIF_NOFAILOVER; k++) {
		if (w.n != 2 || k == WHATIF_LAGGING || !str_ieq(w.items[1], kind_words[k]))
			continue;
		ret->kind = k;
		return 0;
	}
	return misread(text, err);
}
