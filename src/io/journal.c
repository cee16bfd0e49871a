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
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "io/loop.h"
#include "io/worker.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
/* What poll() promises a pipe can take without waiting. */
#define LINE_MAX_BYTES PIPE_BUF
#define FLUSH_MS       1000

/* A file belongs to the thread that writes it. */
struct log_file {
	int fd;
	char *path; /* NULL: stderr, which is not rotated */
	int64_t bytes;
	int64_t bytes_max;
	int32_t num;
	atomic_uint lost; /* lines that the disk refused */
};

struct written {
	struct log_file *file;
	size_t len;
	char text[];
};

struct journal {
	pthread_mutex_t lock; /* REST's threads log as well; never held while a disk is waited
			       * for */
	int socket; /* -1: stderr is not the journal */
	struct worker *worker;
	struct log_file *file;   /* of log.dir; NULL: none */
	struct log_file *errors; /* stderr, where that is a file */
	bool json;
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
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		      0640);

	if (fd < 0)
		return -1;
	/* Only the opening of a pipe must not wait: that is done by the loop. */
	(void)fcntl(fd, F_SETFL, O_APPEND);
	*ret_bytes = fstat(fd, &st) == 0 ? st.st_size : 0;
	return fd;
}

static void numbered(const struct log_file *file, int32_t number, char dst[PATH_MAX])
{
	if (number == 0)
		str_copy(dst, PATH_MAX, file->path);
	else if (str_printf(dst, PATH_MAX, "%s.%d", file->path, number) < 0)
		dst[0] = '\0';
}

/* patroni.log.3 -> .4, .2 -> .3, ..., patroni.log -> .1; but where no new file can be made the old
 * one goes on, and as it is tried again with each line, none is moved before. */
static void rotate(struct log_file *file)
{
	char next[PATH_MAX];
	char from[PATH_MAX];
	char to[PATH_MAX];
	int64_t bytes;
	int fd;

	if (str_printf(next, sizeof(next), "%s.new", file->path) < 0)
		return;
	fd = open_file(next, &bytes);
	if (fd < 0)
		return;
	for (int32_t i = file->num - 1; i >= 0; i--) {
		numbered(file, i, from);
		numbered(file, i + 1, to);
		(void)rename(from, to);
	}
	(void)rename(next, file->path);
	close(file->fd);
	file->fd = fd;
	file->bytes = bytes;
}

/* From here to close_file() it is the worker that runs. */
static void write_line(void *job)
{
	struct written *line = job;
	struct log_file *file = line->file;
	ssize_t n;

	if (file->path && file->bytes_max > 0 && file->bytes > 0 &&
	    file->bytes + (int64_t)line->len > file->bytes_max)
		rotate(file);
	n = write(file->fd, line->text, line->len);
	if (n > 0)
		file->bytes += n;
	else
		atomic_fetch_add(&file->lost, 1);
	free(line);
}

static void close_file(void *job)
{
	struct log_file *file = job;

	if (!file)
		return;
	if (file->path)
		close(file->fd);
	free(file->path);
	free(file);
}

struct log_files {
	struct log_file *file;
	struct log_file *errors;
};

static void close_files(void *job)
{
	struct log_files *files = job;

	close_file(files->file);
	close_file(files->errors);
	free(files);
}

static bool send_file(struct journal *journal, struct log_file *file, const struct log_line *line)
{
	struct written *job;

	buf_clear(&journal->text);
	journal_format(line, loop_wall_us(), journal->json, &journal->text);
	job = mem_new(1, sizeof(*job) + journal->text.len);
	job->file = file;
	job->len = journal->text.len;
	memcpy(job->text, journal->text.data, job->len);
	if (worker_do(journal->worker, write_line, job, job->len))
		return true;
	free(job);
	return false;
}

static bool send_line(struct journal *journal, const struct log_line *line)
{
	if (journal->file)
		return send_file(journal, journal->file, line);
	if (journal->socket >= 0)
		return send_journal(journal, line);
	if (journal->errors)
		return send_file(journal, journal->errors, line);
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

static void count_lost(struct journal *journal, struct log_file *file)
{
	if (file)
		journal->dropped += atomic_exchange(&file->lost, 0);
}

static void sink(void *ctx, const struct log_line *line)
{
	struct journal *journal = ctx;

	pthread_mutex_lock(&journal->lock);
	count_lost(journal, journal->file);
	count_lost(journal, journal->errors);
	if (journal->dropped)
		tell_dropped(journal);
	if (!send_line(journal, line))
		journal->dropped++;
	pthread_mutex_unlock(&journal->lock);
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

/* A pipe or terminal takes a line at once or not at all; a file's disk may stand still. */
static struct log_file *stderr_as_file(void)
{
	struct log_file *file;
	struct stat st;

	if (fstat(STDERR_FILENO, &st) < 0 || !S_ISREG(st.st_mode))
		return NULL;
	file = mem_new(1, sizeof(*file));
	file->fd = STDERR_FILENO;
	return file;
}

struct journal *journal_new(void)
{
	struct journal *journal = mem_new(1, sizeof(*journal));

	pthread_mutex_init(&journal->lock, NULL);
	journal->worker = worker_new(JOURNAL_LINES_MAX, JOURNAL_BYTES_MAX);
	journal->errors = stderr_as_file();
	journal->socket = stderr_is_journal() ? connect_journal() : -1;
	log_sink_set(sink, journal);
	return journal;
}

void journal_free(struct journal *journal)
{
	struct log_files *files;

	if (!journal)
		return;
	log_sink_set(NULL, NULL);
	if (journal->dropped)
		tell_dropped(journal);
	files = mem_new(1, sizeof(*files));
	*files = (struct log_files){ journal->file, journal->errors };
	/* A thread that hangs in a write keeps its files. */
	(void)worker_free(journal->worker, FLUSH_MS, close_files, files);
	closep(&journal->socket);
	buf_done(&journal->text);
	pthread_mutex_destroy(&journal->lock);
	free(journal);
}

static int new_file(const struct config_log *config, const char *path, struct log_file **ret,
		    struct err *err)
{
	int64_t bytes = 0;
	int fd = open_file(path, &bytes);

	if (fd < 0)
		return err_set(err, ERR_IO, "cannot open log file '%s'", path);
	*ret = mem_new(1, sizeof(**ret));
	(*ret)->fd = fd;
	(*ret)->path = str_dup(path);
	(*ret)->bytes = bytes;
	(*ret)->bytes_max = config->file_size_bytes;
	(*ret)->num = config->file_num;
	return 0;
}

/* The new file, behind the lines that wait for the old one. */
static int change_file(struct journal *journal, struct log_file *file, struct err *err)
{
	if (journal->file && !worker_do(journal->worker, close_file, journal->file, 0)) {
		close_file(file);
		return err_set(err, ERR_STATE, "the log file does not take its lines");
	}
	journal->file = file;
	return 0;
}

int journal_configure(struct journal *journal, const struct config_log *config, struct err *err)
{
	const struct log_file *old = journal->file;
	struct log_file *file = NULL;
	char path[PATH_MAX] = "";
	bool same;
	int rc = 0;

	if (config->dir &&
	    str_printf(path, sizeof(path), "%s/%s", config->dir, JOURNAL_FILE_NAME) < 0)
		return err_set(err, ERR_TOOLONG, "log.dir '%s'", config->dir);
	/* To open it again would wait for its disk. */
	same = config->dir ? old && str_eq(old->path, path) &&
				     old->bytes_max == config->file_size_bytes &&
				     old->num == config->file_num :
			     !old;
	if (!same && config->dir)
		rc = new_file(config, path, &file, err);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&journal->lock);
	if (!same)
		rc = change_file(journal, file, err);
	if (rc == 0)
		journal->json = config->json;
	pthread_mutex_unlock(&journal->lock);
	if (rc == 0)
		log_level_set((enum log_level)config->level);
	return rc;
}
