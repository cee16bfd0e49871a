/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_cli - the command table, its help, and the manual that must name all of it
 */
#include <criterion/criterion.h>
#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"

/* The manual as plain words: escapes of troff taken out, and "Fl \-force" as --force. */
static void read_manual(struct buf *ret_text)
{
	const char *dir = getenv("srcdir");
	_cleanup_(freep) char *path = str_dupf("%s/man/hactl.1", dir != NULL ? dir : ".");
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char c, next;

	cr_assert_geq(fd, 0, "no %s", path);
	while (read(fd, &c, 1) == 1) {
		if (c != '\\') {
			buf_ch(ret_text, c);
			continue;
		}
		cr_assert_eq(read(fd, &next, 1), 1);
		buf_ch(ret_text, next);
	}
	close(fd);
	for (char *at = ret_text->data; (at = strstr(at, "Fl ")) != NULL;) {
		*at++ = '-';
		memmove(at, at + 2, strlen(at + 2) + 1);
	}
}

/* The section of the manual on a command: from its heading to the next one. */
static char *section_of(const struct buf *manual, const char *command)
{
	_cleanup_(freep) char *heading = str_dupf("\n.Ss %s", command);
	const char *from = manual->data;
	size_t len = strlen(heading);

	while ((from = strstr(from, heading)) != NULL && from[len] != '\n' && from[len] != ' ')
		from += len;
	if (from == NULL)
		return NULL;
	for (const char *end = from + len; *end != '\0'; end++)
		if (str_starts(end, "\n.Ss ") || str_starts(end, "\n.Sh "))
			return str_ndup(from, (size_t)(end - from));
	return str_dup(from);
}

/* "-f" must not be found in "--format". */
static bool names(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
		if ((at == text || (!isalnum((unsigned char)at[-1]) && at[-1] != '-')) &&
		    !isalnum((unsigned char)at[len]) && at[len] != '-')
			return true;
	return false;
}

static void check_option(const char *where, const char *text, const struct args_option *option)
{
	_cleanup_(freep) char *also = str_dup(option->also != NULL ? option->also : "");

	cr_assert(names(text, option->name), "%s does not name %s", where, option->name);
	for (char *word = also; *word != '\0';) {
		size_t len = strcspn(word, " ");
		bool last = word[len] == '\0';

		word[len] = '\0';
		cr_assert(names(text, word), "%s does not name %s", where, word);
		word += len + !last;
	}
}

Test(cli, manual_names_every_command_and_option)
{
	_cleanup_(buf_done) struct buf manual = { 0 };

	read_manual(&manual);
	for (const struct cli_command *const *c = cli_commands; *c != NULL; c++) {
		_cleanup_(freep) char *section = section_of(&manual, (*c)->name);
		const struct args_option *option = (*c)->options;

		cr_assert_not_null(section, "no section on %s", (*c)->name);
		for (; option != NULL && option->name != NULL; option++)
			check_option((*c)->name, section, option);
	}
	for (const struct args_option *o = cli_common_options(); o->name != NULL; o++)
		check_option("the manual", manual.data, o);
}

Test(cli, help_names_every_command_and_option)
{
	_cleanup_(buf_done) struct buf all = { 0 };

	cli_help("hactl", &all);
	for (const struct cli_command *const *c = cli_commands; *c != NULL; c++) {
		_cleanup_(buf_done) struct buf help = { 0 };
		const struct args_option *option = (*c)->options;

		cr_assert(names(all.data, (*c)->name), "%s", (*c)->name);
		cli_command_help("hactl", *c, &help);
		cr_assert(strstr(help.data, (*c)->help), "%s", (*c)->name);
		for (; option != NULL && option->name != NULL; option++)
			check_option((*c)->name, help.data, option);
	}
}

Test(cli, no_spelling_of_an_option_stands_for_two)
{
	for (const struct cli_command *const *c = cli_commands; *c != NULL; c++) {
		const struct args_option *a = (*c)->options;

		for (; a != NULL && a->name != NULL; a++)
			for (const struct args_option *b = a + 1; b->name != NULL; b++) {
				cr_assert_str_neq(a->name, b->name);
				cr_assert(a->also == NULL || b->also == NULL ||
						  !str_eq(a->also, b->also),
					  "%s: %s and %s", (*c)->name, a->name, b->name);
			}
	}
}

Test(cli, guesses_what_was_meant)
{
	cr_assert_str_eq(cli_guess("lst"), "list");
	cr_assert_str_eq(cli_guess("switch"), "switchover");
	cr_assert_str_eq(cli_guess("edit-conf"), "edit-config");
	cr_assert_null(cli_guess("frobnicate"));
	cr_assert_null(cli_guess(""));
}

Test(cli, keys_lie_below_namespace_and_cluster)
{
	struct config config = { .namespace_ = "db/ha" };
	const struct cli cli = { .setup = { .config = &config } };
	char key[ETCD_KEY_SIZE];

	cr_assert_eq(cli_key(&cli, "demo", "config", key, NULL), 0);
	cr_assert_str_eq(key, "/db/ha/demo/config");
	config.namespace_[0] = '\0';
	cr_assert_eq(cli_key(&cli, "demo", "", key, NULL), 0);
	cr_assert_str_eq(key, "/demo/");
	cr_assert_lt(cli_key(&cli, "", "", key, NULL), 0);
	cr_assert_lt(cli_key(&cli, "../x", "", key, NULL), 0);
}

Test(cli, addresses_of_members_keep_scheme_and_host_only)
{
	const char *const bases[] = { "http://h:8008/patroni", "http://h:8008", "http://h:8008/?x" };

	for (size_t i = 0; i < ARRAY_LEN(bases); i++) {
		_cleanup_(freep) char *url = api_url(bases[i], "cluster");

		cr_assert_str_eq(url, "http://h:8008/cluster");
	}
}
