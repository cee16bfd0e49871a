/* SPDX-License-Identifier: PostgreSQL */
/*
 * args - options and words of a command line
 *
 * The messages are those of Python's click library, which patronictl is built on: scripts and
 * people know them.
 */
#include "cli/args.h"

#include <string.h>

#include "base/str.h"

#define DISTANCE_MAX  9
#define DISTANCE_SIZE 32

/* True when the blank separated list holds the word word[0..len-1]. */
static bool list_holds(const char *list, const char *word, size_t len)
{
	while (list != NULL && *list != '\0') {
		size_t n = strcspn(list, " ");

		if (n == len && memcmp(list, word, len) == 0)
			return true;
		list += n;
		list += strspn(list, " ");
	}
	return false;
}

const struct args_option *args_find(const struct args_option *list, const char *name, size_t len)
{
	for (; list != NULL && list->name != NULL; list++)
		if (list_holds(list->name, name, len) || list_holds(list->also, name, len))
			return list;
	return NULL;
}

struct lists {
	const struct args_option *first;
	const struct args_option *second;
};

static const struct args_option *find(const struct lists *lists, const char *name, size_t len)
{
	const struct args_option *option = args_find(lists->first, name, len);

	return option != NULL ? option : args_find(lists->second, name, len);
}

static const char *closest(const struct lists *lists, const char *name)
{
	const struct args_option *const both[] = { lists->first, lists->second };
	const char *best = NULL;
	unsigned least = 3;

	for (size_t i = 0; i < ARRAY_LEN(both); i++)
		for (const struct args_option *o = both[i]; o != NULL && o->name != NULL; o++) {
			unsigned distance = args_distance(o->name, name);

			if (str_starts(o->name, name))
				distance = 1;
			if (distance < least) {
				least = distance;
				best = o->name;
			}
		}
	return best;
}

static int unknown(const struct lists *lists, const char *name, size_t len, struct err *err)
{
	_cleanup_(freep) char *text = str_ndup(name, len);
	const char *guess = closest(lists, text);

	if (guess != NULL)
		return err_set(err, ERR_PARSE, "No such option: %s Did you mean %s?", text, guess);
	return err_set(err, ERR_PARSE, "No such option: %s", text);
}

static int check_choice(const struct args_option *option, const char *value, struct err *err)
{
	_cleanup_(buf_done) struct buf all = { 0 };

	if (option->choices == NULL)
		return 0;
	for (const char *const *choice = option->choices; *choice != NULL; choice++) {
		if (str_eq(*choice, value))
			return 0;
		buf_printf(&all, "%s'%s'", all.len > 0 ? ", " : "", *choice);
	}
	return err_set(err, ERR_PARSE, "Invalid value for '%s': '%s' is not one of %s.",
		       option->name, value, all.data);
}

static int add_item(struct args *args, const struct args_option *option, const char *value,
		    struct err *err)
{
	if (args->nitems == ARGS_MAX)
		return err_set(err, ERR_RANGE, "more than %d options", ARGS_MAX);
	args->items[args->nitems++] = (struct args_item){ .option = option, .value = value };
	return value != NULL ? check_choice(option, value, err) : 0;
}

/* What is left of the command line while it is read. */
struct cursor {
	int argc;
	char *const *argv;
	int i;
};

static int take_value(struct args *args, const struct args_option *option, struct cursor *cursor,
		      struct err *err)
{
	if (cursor->i + 1 >= cursor->argc)
		return err_set(err, ERR_PARSE, "Option '%s' requires an argument.", option->name);
	cursor->i++;
	return add_item(args, option, cursor->argv[cursor->i], err);
}

static int take_long(struct args *args, const struct lists *lists, struct cursor *cursor,
		     struct err *err)
{
	const char *word = cursor->argv[cursor->i];
	size_t len = strcspn(word, "=");
	const struct args_option *option = find(lists, word, len);

	if (option == NULL)
		return unknown(lists, word, len, err);
	if (word[len] == '\0' && option->value == NULL)
		return add_item(args, option, NULL, err);
	if (word[len] == '\0')
		return take_value(args, option, cursor, err);
	if (option->value == NULL)
		return err_set(err, ERR_PARSE, "Option '%s' does not take a value.", option->name);
	return add_item(args, option, word + len + 1, err);
}

static int take_short(struct args *args, const struct lists *lists, struct cursor *cursor,
		      struct err *err)
{
	const char *word = cursor->argv[cursor->i];

	for (size_t k = 1; word[k] != '\0'; k++) {
		const char name[3] = { '-', word[k], '\0' };
		const struct args_option *option = find(lists, name, 2);
		int r;

		if (option == NULL)
			return unknown(lists, name, 2, err);
		if (option->value != NULL && word[k + 1] != '\0')
			return add_item(args, option, word + k + 1, err);
		if (option->value != NULL)
			return take_value(args, option, cursor, err);
		r = add_item(args, option, NULL, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int take_word(struct args *args, const char *word, struct err *err)
{
	if (args->nwords == ARGS_MAX)
		return err_set(err, ERR_RANGE, "more than %d arguments", ARGS_MAX);
	args->words[args->nwords++] = word;
	return 0;
}

int args_parse(struct args *args, const struct args_option *first,
	       const struct args_option *second, int argc, char *const *argv, bool stop_at_word,
	       int *ret_used, struct err *err)
{
	const struct lists lists = { .first = first, .second = second };
	struct cursor cursor = { .argc = argc, .argv = argv };
	bool options_ended = false;
	int r = 0;

	for (; cursor.i < argc && r >= 0; cursor.i++) {
		const char *word = argv[cursor.i];

		if (!options_ended && str_eq(word, "--")) {
			options_ended = true;
			continue;
		}
		/* A lone "-" is a word: it stands for the standard input. */
		if (!options_ended && str_starts(word, "--"))
			r = take_long(args, &lists, &cursor, err);
		else if (!options_ended && word[0] == '-' && word[1] != '\0')
			r = take_short(args, &lists, &cursor, err);
		else if (stop_at_word)
			break;
		else
			r = take_word(args, word, err);
	}
	if (r >= 0 && ret_used != NULL)
		*ret_used = cursor.i;
	return r < 0 ? r : 0;
}

bool args_has(const struct args *args, const char *name)
{
	for (size_t i = 0; i < args->nitems; i++)
		if (str_eq(args->items[i].option->name, name))
			return true;
	return false;
}

const char *args_value(const struct args *args, const char *name)
{
	const char *value = NULL;

	for (size_t i = 0; i < args->nitems; i++)
		if (str_eq(args->items[i].option->name, name))
			value = args->items[i].value;
	return value;
}

const char *args_each(const struct args *args, const char *name, size_t *pos)
{
	while (*pos < args->nitems) {
		const struct args_item *item = &args->items[(*pos)++];

		if (str_eq(item->option->name, name))
			return item->value;
	}
	return NULL;
}

const char *args_word(const struct args *args, size_t i)
{
	return i < args->nwords ? args->words[i] : NULL;
}

/* Optimal string alignment, with three rows of the table at hand. */
unsigned args_distance(const char *a, const char *b)
{
	unsigned rows[3][DISTANCE_SIZE] = { 0 };
	size_t na = strlen(a), nb = strlen(b);

	if (na >= DISTANCE_SIZE || nb >= DISTANCE_SIZE)
		return DISTANCE_MAX;
	for (size_t j = 0; j <= nb; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		const unsigned *above = rows[(i - 1) % 3], *twice = rows[(i + 1) % 3];
		unsigned *row = rows[i % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			unsigned cost = a[i - 1] == b[j - 1] ? 0 : 1;

			row[j] = MIN_OF(above[j] + 1, row[j - 1] + 1);
			row[j] = MIN_OF(row[j], above[j - 1] + cost);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = MIN_OF(row[j], twice[j - 2] + 1);
		}
	}
	return MIN_OF(rows[na % 3][nb], DISTANCE_MAX);
}
