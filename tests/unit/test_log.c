/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_log - lines reach the one sink, whole and of the wanted levels only
 */
#include "base/log.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <string.h>

#include "base/str.h"

/* What a test's sink saw last. */
struct seen {
	int count;
	enum log_level level;
	size_t nfields;
	char id[40];
	char text[LOG_TEXT_MAX];
	char field[80];
};

static void remember(void *ctx, const struct log_line *line)
{
	struct seen *seen = ctx;

	seen->count++;
	seen->level = line->level;
	seen->nfields = line->nfields;
	(void)str_copy(seen->id, sizeof(seen->id), line->message_id);
	(void)str_copy(seen->text, sizeof(seen->text), line->text);
	if (line->nfields > 0)
		(void)str_printf(seen->field, sizeof(seen->field), "%s=%s", line->fields[0].name,
				 line->fields[0].value);
}

Test(log, a_line_arrives_with_level_and_text)
{
	struct seen seen = { 0 };

	log_sink_set(remember, &seen);
	log_notice("promoted '%s'", "n1");
	cr_assert_eq(seen.count, 1);
	cr_assert_eq(seen.level, LOG_NOTICE);
	cr_assert_str_eq(seen.text, "promoted 'n1'");
	cr_assert_eq(seen.nfields, 0);
}

Test(log, the_least_level_passes_and_the_one_below_does_not)
{
	struct seen seen = { 0 };

	log_sink_set(remember, &seen);
	log_debug("hidden by default");
	cr_assert_eq(seen.count, 0);
	log_info("shown by default");
	cr_assert_eq(seen.count, 1);

	log_level_set(LOG_WARNING);
	cr_assert_not(log_wants(LOG_NOTICE));
	cr_assert(log_wants(LOG_WARNING));
	log_notice("hidden");
	log_event(LOG_NOTICE, NULL, NULL, 0, "hidden");
	cr_assert_eq(seen.count, 1);
	log_warning("shown");
	cr_assert_eq(seen.count, 2);
}

Test(log, an_event_carries_id_and_fields)
{
	const struct log_field fields[] = { { "PGHA_RULE", "310" }, { "PGHA_CYCLE", "7" } };
	struct seen seen = { 0 };

	log_sink_set(remember, &seen);
	log_event(LOG_ERROR, "0123456789abcdef0123456789abcdef", fields, 2, "rule %d", 310);
	cr_assert_str_eq(seen.id, "0123456789abcdef0123456789abcdef");
	cr_assert_eq(seen.nfields, 2);
	cr_assert_str_eq(seen.field, "PGHA_RULE=310");
	cr_assert_str_eq(seen.text, "rule 310");
}

Test(log, a_text_is_one_line_and_bounded)
{
	struct seen seen = { 0 };
	char text[LOG_TEXT_MAX + 1];

	log_sink_set(remember, &seen);
	log_error("first\nsecond");
	cr_assert_str_eq(seen.text, "first second");

	memset(text, 'x', sizeof(text));
	text[LOG_TEXT_MAX - 1] = '\0';
	log_error("%s", text);
	cr_assert_str_eq(seen.text, text);
	text[LOG_TEXT_MAX - 1] = 'x';
	text[LOG_TEXT_MAX] = '\0';
	log_error("%s", text);
	cr_assert_eq(strlen(seen.text), LOG_TEXT_MAX - 1);
	cr_assert(str_ends(seen.text, "x..."));
}

Test(log, without_a_sink_lines_go_to_stderr)
{
	struct seen seen = { 0 };

	cr_redirect_stderr();
	log_sink_set(remember, &seen);
	log_sink_set(NULL, &seen);
	log_error("disk is full");
	fflush(stderr);
	cr_assert_eq(seen.count, 0);
	cr_assert_stderr_eq_str("ERROR: disk is full\n");
}

Test(log, levels_have_syslog_priorities)
{
	cr_assert_eq(log_level_priority(LOG_DEBUG), 7);
	cr_assert_eq(log_level_priority(LOG_CRITICAL), 2);
	cr_assert_str_eq(log_level_name(LOG_WARNING), "WARNING");
	for (int i = 1; i < LOG__MAX; i++)
		cr_assert_lt(log_level_priority((enum log_level)i),
			     log_level_priority((enum log_level)(i - 1)));
}
