/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_journal - the forms of a log line, and where it goes
 */
#include "io/journal.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "io/fsx.h"

/* 2026-11-21 08:00:00.123456 UTC */
#define WALL_US INT64_C(1795248000123456)

static const struct log_field fields[] = { { "PGHA_RULE", "301" }, { "PGHA_WHY", "a \"b\"\n" } };

static struct log_line line_of(const char *text)
{
	return (struct log_line){ .level = LOG_WARNING, .text = text };
}

static void set_zone(const char *zone)
{
	setenv("TZ", zone, 1);
	tzset();
}

Test(journal, a_line_has_time_zone_level_and_text)
{
	struct log_line line = line_of("hello");
	struct buf text = { 0 };

	set_zone("UTC0");
	journal_format(&line, WALL_US, false, &text);
	cr_assert_str_eq(text.data, "2026-11-21 08:00:00.123 +0000 WARNING: hello\n");
	buf_clear(&text);
	set_zone("XYZ-5:30");
	journal_format(&line, WALL_US, false, &text);
	cr_assert_str_eq(text.data, "2026-11-21 13:30:00.123 +0530 WARNING: hello\n");
	buf_done(&text);
}

Test(journal, json_carries_the_fields_escaped)
{
	struct log_line line = line_of("say \"hi\" \\ \x01");
	struct buf text = { 0 };

	set_zone("UTC0");
	line.fields = fields;
	line.nfields = 2;
	journal_format(&line, WALL_US, true, &text);
	cr_assert_str_eq(text.data,
			 "{\"asctime\": \"2026-11-21 08:00:00.123 +0000\", "
			 "\"levelname\": \"WARNING\", "
			 "\"message\": \"say \\\"hi\\\" \\\\ \\u0001\", "
			 "\"PGHA_RULE\": \"301\", \"PGHA_WHY\": \"a \\\"b\\\"\\u000a\"}\n");
	buf_done(&text);
}

Test(journal, the_datagram_speaks_the_native_protocol)
{
	static const char want[] = "MESSAGE=hello\nPRIORITY=4\nSYSLOG_IDENTIFIER=pghad\n"
				   "MESSAGE_ID=0123\nPGHA_RULE=301\n"
				   "PGHA_WHY\n\x06\0\0\0\0\0\0\0a \"b\"\n\n";
	struct log_line line = line_of("hello");
	struct buf data = { 0 };

	line.message_id = "0123";
	line.fields = fields;
	line.nfields = 2;
	journal_datagram(&line, &data);
	cr_assert_eq(data.len, sizeof(want) - 1);
	cr_assert_eq(memcmp(data.data, want, data.len), 0);
	buf_done(&data);
}

Test(journal, a_file_is_rotated_and_the_oldest_dropped)
{
	char dir[] = "/tmp/pgha-journal-XXXXXX";
	struct config_log config = { .level = LOG_INFO, .file_size_bytes = 200, .file_num = 2 };
	struct journal *journal;
	struct buf text = { 0 };
	struct err err = { 0 };
	char path[96];

	cr_assert_not_null(mkdtemp(dir));
	config.dir = dir;
	journal = journal_new();
	cr_assert_eq(journal_configure(journal, &config, &err), 0, "%s", err.msg);
	for (int i = 0; i < 40; i++)
		log_info("line %d", i);
	journal_free(journal);

	str_printf(path, sizeof(path), "%s/patroni.log", dir);
	cr_assert_eq(fsx_read(path, 200, &text, &err), 0, "%s", err.msg);
	cr_assert_not_null(strstr(text.data, "line 39\n"));
	unlink(path);
	str_printf(path, sizeof(path), "%s/patroni.log.1", dir);
	cr_assert_eq(fsx_read(path, 200, &text, &err), 0, "%s", err.msg);
	cr_assert_null(strstr(text.data, "line 39\n"));
	unlink(path);
	str_printf(path, sizeof(path), "%s/patroni.log.2", dir);
	cr_assert_eq(fsx_read(path, 200, &text, &err), 0, "%s", err.msg);
	unlink(path);
	str_printf(path, sizeof(path), "%s/patroni.log.3", dir);
	cr_assert_eq(fsx_read(path, 200, &text, &err), FSX_MISSING);
	cr_assert_eq(rmdir(dir), 0);
	buf_done(&text);
}

Test(journal, no_old_file_is_lost_where_a_new_one_cannot_be_made)
{
	char dir[] = "/tmp/pgha-journal-XXXXXX";
	struct config_log config = { .level = LOG_INFO, .file_size_bytes = 200, .file_num = 4 };
	const char *const names[] = { "patroni.log", "patroni.log.1", "patroni.log.2",
				      "patroni.log.3", "patroni.log.4" };
	struct rlimit before, none;
	struct journal *journal;
	struct buf text = { 0 };
	struct err err = { 0 };
	char path[96];

	cr_assert_not_null(mkdtemp(dir));
	config.dir = dir;
	journal = journal_new();
	cr_assert_eq(journal_configure(journal, &config, &err), 0, "%s", err.msg);
	for (int i = 0; i < 8; i++)
		log_info("line %d", i);
	journal_free(journal);
	journal = journal_new();
	cr_assert_eq(journal_configure(journal, &config, &err), 0, "%s", err.msg);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (int i = 0; i < 40; i++)
		log_info("full %d", i);
	journal_free(journal);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);

	str_printf(path, sizeof(path), "%s/patroni.log", dir);
	cr_assert_eq(fsx_read(path, 4000, &text, &err), 0, "%s", err.msg);
	cr_assert_not_null(strstr(text.data, "full 39\n"));
	str_printf(path, sizeof(path), "%s/patroni.log.1", dir);
	cr_assert_eq(fsx_read(path, 4000, &text, &err), 0, "%s", err.msg);
	cr_assert_not_null(strstr(text.data, "line 0\n"));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		str_printf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	cr_assert_eq(rmdir(dir), 0);
	buf_done(&text);
}

Test(journal, a_file_that_cannot_be_made_changes_nothing)
{
	struct config_log config = { .dir = (char *)"/nonexistent/dir", .level = LOG_DEBUG };
	struct journal *journal = journal_new();
	struct err err = { 0 };

	cr_assert_eq(journal_configure(journal, &config, &err), -ERR_IO);
	cr_assert_not(log_wants(LOG_DEBUG));
	journal_free(journal);
}

/* stderr is a pipe that nobody reads: lines are dropped, and it does not hang. */
Test(journal, a_full_pipe_drops_lines_and_tells_how_many, .timeout = 20)
{
	struct journal *journal;
	char chunk[65536];
	bool told = false;
	int fds[2];
	ssize_t n;

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	cr_assert_geq(dup3(fds[1], STDERR_FILENO, O_CLOEXEC), 0);
	journal = journal_new();
	for (int i = 0; i < 5000; i++)
		log_info("a line of some length, so that the pipe fills up soon: %d", i);
	cr_assert_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	while ((n = read(fds[0], chunk, sizeof(chunk))) > 0)
		continue;
	log_info("there is room again");
	n = read(fds[0], chunk, sizeof(chunk) - 1);
	cr_assert_gt(n, 0);
	chunk[n] = '\0';
	told = strstr(chunk, "log lines could not be written and are lost") != NULL;
	cr_assert(told, "%s", chunk);
	cr_assert_not_null(strstr(chunk, "there is room again"));
	journal_free(journal);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A pipe in the place of the file stands for a disk that stands still: it takes 64 kB and then
 * keeps whoever writes. */
Test(journal, a_file_that_stands_still_holds_nobody, .timeout = 30)
{
	char dir[] = "/tmp/pgha-journal-XXXXXX";
	struct config_log config = { .level = LOG_INFO, .file_num = 2 };
	struct journal *journal;
	struct err err = { 0 };
	struct buf text = { 0 };
	char path[96];
	char chunk[65536];
	ssize_t n;
	int64_t begun_ms;
	int fd;

	cr_assert_not_null(mkdtemp(dir));
	str_printf(path, sizeof(path), "%s/patroni.log", dir);
	cr_assert_eq(mkfifo(path, 0600), 0);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	cr_assert_geq(fd, 0);
	config.dir = dir;
	journal = journal_new();
	cr_assert_eq(journal_configure(journal, &config, &err), 0, "%s", err.msg);
	begun_ms = now_ms();
	for (int i = 0; i < 20000; i++)
		log_info("a line of some length, so that the pipe fills up soon: %d", i);
	cr_assert_lt(now_ms() - begun_ms, 10000, "logging waited for the file");

	/* It moves again: what was kept is written in order, and the loss is told. */
	begun_ms = now_ms();
	while (now_ms() - begun_ms < 10000 && !(text.data && strstr(text.data, "it moves again"))) {
		n = read(fd, chunk, sizeof(chunk));
		if (n > 0)
			buf_add(&text, chunk, (size_t)n);
		else
			log_info("it moves again");
	}
	cr_assert_not_null(strstr(text.data, "soon: 0\n"));
	cr_assert_not_null(strstr(text.data, "log lines could not be written and are lost"));
	cr_assert_null(strstr(text.data, "soon: 19999\n"));
	journal_free(journal);
	close(fd);
	unlink(path);
	cr_assert_eq(rmdir(dir), 0);
	buf_done(&text);
}

/* Also at the end nobody waits for it for long. */
Test(journal, the_end_does_not_wait_for_a_file_that_stands_still, .timeout = 20)
{
	char dir[] = "/tmp/pgha-journal-XXXXXX";
	struct config_log config = { .level = LOG_INFO };
	struct journal *journal;
	struct err err = { 0 };
	char path[96];
	int64_t begun_ms;
	int fd;

	cr_assert_not_null(mkdtemp(dir));
	str_printf(path, sizeof(path), "%s/patroni.log", dir);
	cr_assert_eq(mkfifo(path, 0600), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	config.dir = dir;
	journal = journal_new();
	cr_assert_eq(journal_configure(journal, &config, &err), 0, "%s", err.msg);
	for (int i = 0; i < 3000; i++)
		log_info("a line of some length, so that the pipe fills up soon: %d", i);
	begun_ms = now_ms();
	journal_free(journal);
	cr_assert_lt(now_ms() - begun_ms, 8000);
	close(fd);
	unlink(path);
	cr_assert_eq(rmdir(dir), 0);
}

/* A pipe without a reader in its place: to open it must not wait either. */
Test(journal, a_pipe_without_a_reader_is_refused, .timeout = 20)
{
	char dir[] = "/tmp/pgha-journal-XXXXXX";
	struct config_log config = { .level = LOG_INFO };
	struct journal *journal = journal_new();
	struct err err = { 0 };
	char path[96];

	cr_assert_not_null(mkdtemp(dir));
	str_printf(path, sizeof(path), "%s/patroni.log", dir);
	cr_assert_eq(mkfifo(path, 0600), 0);
	config.dir = dir;
	cr_assert_eq(journal_configure(journal, &config, &err), -ERR_IO);
	journal_free(journal);
	unlink(path);
	cr_assert_eq(rmdir(dir), 0);
}
