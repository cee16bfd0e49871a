/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_pgguc - settings whose configured value waits for a restart
 */
#include "io/pgguc.h"

#include <criterion/criterion.h>

#include "base/str.h"

static const char *human(const char *value, const char *type, const char *unit)
{
	static char text[SETTING_SIZE];

	pgguc_human(value, type, unit, text);
	return text;
}

Test(pgguc, tells_values_as_people_write_them)
{
	cr_assert_str_eq(human("16384", "integer", "8kB"), "128MB");
	cr_assert_str_eq(human("131072kB", "integer", "8kB"), "128MB");
	cr_assert_str_eq(human("1025", "integer", "8kB"), "8200kB");
	cr_assert_str_eq(human("2048", "integer", "MB"), "2GB");
	cr_assert_str_eq(human("90", "integer", "min"), "90min");
	cr_assert_str_eq(human("120", "integer", "s"), "2min");
	cr_assert_str_eq(human("61", "integer", ""), "61");
	cr_assert_str_eq(human("yes", "bool", ""), "on");
	cr_assert_str_eq(human("FALSE", "bool", ""), "off");
	cr_assert_str_eq(human("a,b", "string", ""), "a,b");
}

Test(pgguc, leaves_what_is_no_size_alone)
{
	cr_assert_str_eq(human("-1", "integer", "8kB"), "-1");
	cr_assert_str_eq(human("0", "integer", "ms"), "0");
	cr_assert_str_eq(human("lots", "integer", "MB"), "lots");
	cr_assert_str_eq(human("?", "bool", ""), "?");
}

static struct config config;

static char max_connections[] = "max_connections", sixty[] = "60";
static char wal_log_hints[] = "wal_log_hints", yes[] = "on";
static char buffers[] = "shared_buffers", much[] = "1GB";
static const char *scope = "batman";
static char listen[] = "*";
static struct pair pairs[] = {
	{ max_connections, sixty }, { wal_log_hints, yes }, { buffers, much },
};

static struct pgquery_settings settings;

static void add(const char *name, const char *value, const char *type, const char *in_files)
{
	struct pgquery_setting *s = &settings.items[settings.n++];

	str_clip(s->name, sizeof(s->name), name);
	str_clip(s->value, sizeof(s->value), value);
	str_clip(s->shown, sizeof(s->shown), value);
	str_clip(s->type, sizeof(s->type), type);
	str_clip(s->in_files, sizeof(s->in_files), in_files);
	s->pending = in_files != NULL;
}

static uint32_t changes(struct setting_change *ret)
{
	str_clip(config.scope, sizeof(config.scope), scope);
	config.pg.listen = listen;
	config.pg.port = 5432;
	config.pg.parameters = (struct pairs){ .n = ARRAY_LEN(pairs), .items = pairs };
	return pgguc_changes(&config, &settings, ret);
}

Test(pgguc, compares_what_stands_on_the_command_line)
{
	struct setting_change list[SETTING_CHANGES_MAX];

	add("cluster_name", "batman", "string", NULL);
	add("max_connections", "100", "integer", NULL);
	add("max_wal_senders", "7", "integer", NULL); /* not configured: no change */
	add("port", "5432", "integer", NULL);
	add("wal_log_hints", "off", "bool", NULL);
	cr_assert_eq(changes(list), 2);
	cr_assert_str_eq(list[0].name, "max_connections");
	cr_assert_str_eq(list[0].old_value, "100");
	cr_assert_str_eq(list[0].new_value, "60");
	cr_assert_str_eq(list[1].name, "wal_log_hints");
	cr_assert_str_eq(list[1].old_value, "off");
	cr_assert_str_eq(list[1].new_value, "on");
}

Test(pgguc, values_are_equal_however_they_are_written)
{
	struct setting_change list[SETTING_CHANGES_MAX];

	pairs[1].value = (char[]){ "true" };
	add("max_connections", "60", "integer", NULL);
	add("wal_log_hints", "on", "bool", NULL);
	cr_assert_eq(changes(list), 0);
}

Test(pgguc, a_cluster_named_like_a_boolean_is_a_name)
{
	struct setting_change list[SETTING_CHANGES_MAX];

	scope = "on";
	add("cluster_name", "yes", "string", NULL);
	cr_assert_eq(changes(list), 1);
}

Test(pgguc, takes_the_server_s_word_for_all_others)
{
	struct setting_change list[SETTING_CHANGES_MAX];

	add("shared_buffers", "128MB", "integer", "1048576kB");
	str_clip(settings.items[0].unit, sizeof(settings.items[0].unit), "8kB");
	add("some.setting", "1", "string", "");
	add("work_mem", "4MB", "integer", NULL);
	cr_assert_eq(changes(list), 2);
	cr_assert_str_eq(list[0].name, "shared_buffers");
	cr_assert_str_eq(list[0].old_value, "128MB");
	cr_assert_str_eq(list[0].new_value, "1GB");
	cr_assert_str_eq(list[1].new_value, "?");
}
