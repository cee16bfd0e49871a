/* SPDX-License-Identifier: PostgreSQL */
/*
 * journal - where log lines go
 *
 * The journal's native protocol is spoken here because sd_journal_sendv() waits when journald
 * does not read its socket.
 */
#include "io/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "io/loop.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
/* What poll() promises a pipe can take without waiting. */
#define LINE_MAX_BYTES PIPE_BUF

struct journal {
	int socket; /* -1: stderr is not the journal */
	int file;   /* -1: none */
	bool json;
	char path[PATH_MAX];
	int64_t file_bytes;
	int64_t file_max_bytes;
	int32_t file_num;
	uint64_t dropped;
	struct buf text; /* kept, so that a line costs no allocation */
};

static void add_json_string(struct buf *text, const char *s)
{
	buf_ch(text, '"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			buf_printf(text, "\\%c", c);
		else if (c < 0x20)
			buf_printf(text, "\\u%04x", c);
		else
			buf_ch(text, *s);
	}
	buf_ch(text, '"');
}

static void add_time(struct buf *text, int64_t wall_us)
{
	time_t seconds = (time_t)(wall_us / 1000000);
	char date[40];
	char zone[8];
	struct tm tm;

	if (!localtime_r(&seconds, &tm) ||
	    strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm) == 0 ||
	    strftime(zone, sizeof(zone), "%z", &tm) == 0)
		return;
	buf_printf(text, "%s.%03" PRId64 " %s", date, wall_us / 1000 % 1000, zone);
}

static void format_json(const struct log_line *line, int64_t wall_us, struct buf *text)
{
	buf_str(text, "{\"asctime\": \"");
	add_time(text, wall_us);
	buf_printf(text, "\", \"levelname\": \"%s\", \"message\": ", log_level_name(line->level));
	add_json_string(text, line->text);
	for (size_t i = 0; i < line->nfields; i++) {
		buf_printf(text, ", \"%s\": ", line->fields[i].name);
		add_json_string(text, line->fields[i].value ?: "");
	}
	buf_str(text, "}\n");
}

void journal_format(const struct log_line *line, int64_t wall_us, bool json, struct buf *ret_text)
{
	if (json) {
		format_json(line, wall_us, ret_text);
		return;
	}
	add_time(ret_text, wall_us);
	buf_printf(ret_text, " %s: %s\n", log_level_name(line->level), line->text);
}

static void add_field(struct buf *data, const char *name, const char *value)
{
	if (!strchr(value, '\n')) {
		buf_printf(data, "%s=%s\n", name, value);
		return;
	}
	/* With a line break inside: the name alone, the length as 64 bits little endian, the
	 * bytes. */
	buf_printf(data, "%s\n", name);
	for (unsigned shift = 0; shift < 64; shift += 8)
		buf_ch(data, (char)(((uint64_t)strlen(value) >> shift) & 0xff));
	buf_printf(data, "%s\n", value);
}

void journal_datagram(const struct log_line *line, struct buf *ret_data)
{
	char priority[16];

	str_printf(priority, sizeof(priority), "%d", log_level_priority(line->level));
	add_field(ret_data, "MESSAGE", line->text);
	add_field(ret_data, "PRIORITY", priority);
	add_field(ret_data, "SYSLOG_IDENTIFIER", "pghad");
	if (line->message_id)
		add_field(ret_data, "MESSAGE_ID", line->message_id);
	for (size_t i = 0; i < line->nfields; i++)
		add_field(ret_data, line->fields[i].name, line->fields[i].value ?: "");
}

static bool send_journal(struct journal *journal, const struct log_line *line)
{
	buf_clear(&journal->text);
	journal_datagram(line, &journal->text);
	return send(journal->socket, journal->text.data, journal->text.len,
		    MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

static bool send_stderr(struct journal *journal, const struct log_line *line)
{
	struct pollfd pfd = { .fd = STDERR_FILENO, .events = POLLOUT };
	size_t len;

	if (poll(&pfd, 1, 0) != 1 || !(pfd.revents & POLLOUT))
		return false;
	buf_clear(&journal->text);
	journal_format(line, loop_wall_us(), journal->json, &journal->text);
	len = journal->text.len;
	if (len > LINE_MAX_BYTES) {
		len = LINE_MAX_BYTES;
		journal->text.data[len - 1] = '\n';
	}
	return write(STDERR_FILENO, journal->text.data, len) >= 0;
}

static int open_file(const char *path, int64_t *ret_bytes)
{
	struct stat st;
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);

	if (fd >= 0)
		*ret_bytes = fstat(fd, &st) == 0 ? st.st_size : 0;
	return fd;
}

static void numbered(const struct journal *journal, int32_t number, char dst[PATH_MAX])
{
	if (number == 0)
		str_copy(dst, PATH_MAX, journal->path);
	else if (str_printf(dst, PATH_MAX, "%s.%d", journal->path, number) < 0)
		dst[0] = '\0';
}

/* patroni.log.3 -> .4, .2 -> .3, ..., patroni.log -> .1 */
static void rotate(struct journal *journal)
{
	char from[PATH_MAX];
	char to[PATH_MAX];
	int fd;

	for (int32_t i = journal->file_num - 1; i >= 0; i--) {
		numbered(journal, i, from);
		numbered(journal, i + 1, to);
		(void)rename(from, to);
	}
	if (journal->file_num == 0)
		(void)unlink(journal->path);
	fd = open_file(journal->path, &journal->file_bytes);
	/* Where no new file can be made the old one goes on. */
	if (fd < 0)
		return;
	close(journal->file);
	journal->file = fd;
}

static bool send_file(struct journal *journal, const struct log_line *line)
{
	ssize_t n;

	buf_clear(&journal->text);
	journal_format(line, loop_wall_us(), journal->json, &journal->text);
	if (journal->file_max_bytes > 0 &&
	    journal->file_bytes + (int64_t)journal->text.len > journal->file_max_bytes &&
	    journal->file_bytes > 0)
		rotate(journal);
	n = write(journal->file, journal->text.data, journal->text.len);
	if (n > 0)
		journal->file_bytes += n;
	return n >= 0;
}

static bool send_line(struct journal *journal, const struct log_line *line)
{
	if (journal->file >= 0)
		return send_file(journal, line);
	if (journal->socket >= 0)
		return send_journal(journal, line);
	return send_stderr(journal, line);
}

static void tell_dropped(struct journal *journal)
{
	struct log_line line = { .level = LOG_WARNING };
	char text[80];

	str_printf(text, sizeof(text), "%" PRIu64 " log lines could not be written and are lost",
		   journal->dropped);
	line.text = text;
	if (send_line(journal, &line))
		journal->dropped = 0;
}

static void sink(void *ctx, const struct log_line *line)
{
	struct journal *journal = ctx;

	if (journal->dropped)
		tell_dropped(journal);
	if (!send_line(journal, line))
		journal->dropped++;
}

/* systemd says in JOURNAL_STREAM which device and inode it connected to the journal. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char ours[64];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	str_printf(ours, sizeof(ours), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return str_eq(stream, ours);
}

static int connect_journal(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	str_copy(addr.sun_path, sizeof(addr.sun_path), JOURNAL_SOCKET);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	closep(&fd);
	return -1;
}

struct journal *journal_new(void)
{
	struct journal *journal = mem_new(1, sizeof(*journal));

	journal->file = -1;
	journal->socket = stderr_is_journal() ? connect_journal() : -1;
	log_sink_set(sink, journal);
	return journal;
}

void journal_free(struct journal *journal)
{
	if (!journal)
		return;
	if (journal->dropped)
		tell_dropped(journal);
	log_sink_set(NULL, NULL);
	closep(&journal->socket);
	closep(&journal->file);
	buf_done(&journal->text);
	free(journal);
}

int journal_configure(struct journal *journal, const struct config_log *config, struct err *err)
{
	char path[PATH_MAX] = "";
	int64_t bytes = 0;
	int fd = -1;

	if (config->dir) {
		if (str_printf(path, sizeof(path), "%s/%s", config->dir, JOURNAL_FILE_NAME) < 0)
			return err_set(err, ERR_TOOLONG, "log.dir '%s'", config->dir);
		fd = open_file(path, &bytes);
		if (fd < 0)
			return err_set(err, ERR_IO, "cannot open log file '%s'", path);
	}
	closep(&journal->file);
	journal->file = fd;
	journal->file_bytes = bytes;
	str_copy(journal->path, sizeof(journal->path), path);
	journal->file_max_bytes = config->file_size_bytes;
	journal->file_num = config->file_num;
	journal->json = config->json;
	log_level_set((enum log_level)config->level);
	return 0;
}
