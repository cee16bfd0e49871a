/* SPDX-License-Identifier: PostgreSQL */
/*
 * child - run a program and hear when it ends
 *
 * The end is the pidfd's word, not the end of file on the pipe: a daemon started by the child may
 * hold the pipe open for ever. What is in the pipe at that moment is read, the rest is dropped.
 */
#include "io/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* glibc has it since 2.36; RHEL 9 carries 2.34. */
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

#define HALF_BYTES (CHILD_OUTPUT_BYTES / 2)

/* The first and the last half of what was said: the beginning names what was begun, the end what
 * went wrong. */
struct capture {
	struct buf head;
	struct buf tail;
	bool cut;
};

struct child {
	struct loop *loop;
	char name[32];
	child_fn done;
	void *ctx;
	pid_t pid;
	int pidfd;
	int out_fd;
	struct loop_source *end_source;
	struct loop_source *out_source;
	struct loop_source *timer;
	struct capture capture;
	struct buf text; /* head and tail joined, for struct child_end */
	int64_t grace_ms;
	bool running;
	bool terming; /* SIGTERM was sent */
	bool stopped;
};

int child_pidfd_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

int child_pidfd_signal(int pidfd, int signo)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0);
}

int child_pidfd_wait(int pidfd, siginfo_t *ret, int options)
{
	return waitid((idtype_t)P_PIDFD, (id_t)pidfd, ret, options);
}

static void capture_add(struct capture *capture, const char *data, size_t len)
{
	size_t room = HALF_BYTES - MIN_OF(capture->head.len, (size_t)HALF_BYTES);
	size_t first = MIN_OF(room, len);

	buf_add(&capture->head, data, first);
	buf_add(&capture->tail, data + first, len - first);
	/* Cut in big bites, so that a chatty program costs no move per read. */
	if (capture->tail.len > (size_t)2 * HALF_BYTES) {
		buf_consume(&capture->tail, capture->tail.len - HALF_BYTES);
		capture->cut = true;
	}
}

static void capture_text(const struct capture *capture, struct buf *ret)
{
	size_t skip = capture->tail.len > HALF_BYTES ? capture->tail.len - HALF_BYTES : 0;

	buf_clear(ret);
	buf_add(ret, capture->head.data, capture->head.len);
	if (capture->cut || skip > 0)
		buf_str(ret, "\n...\n");
	if (capture->tail.len > skip)
		buf_add(ret, capture->tail.data + skip, capture->tail.len - skip);
	/* The text is handed out as a string, also when nothing was said. */
	buf_ch(ret, '\0');
	ret->len--;
}

static void capture_done(struct capture *capture)
{
	buf_done(&capture->head);
	buf_done(&capture->tail);
}

/* -- environment -------------------------------------------------------------------------- */

static bool env_is_ours(const char *entry)
{
	static const char *const prefixes[] = { "PATRONI_", "PGHA_", "KUBERNETES_", "LISTEN_" };
	static const char *const names[] = {
		"NOTIFY_SOCKET=", "WATCHDOG_PID=", "WATCHDOG_USEC=", "MAINPID=", "MANAGERPID=",
		"PGHOST=", "PGHOSTADDR=", "PGPORT=", "PGUSER=", "PGDATABASE=", "PGPASSWORD=",
		"PGPASSFILE=", "PGSERVICE=", "PGSERVICEFILE=", "PGOPTIONS=", "PGAPPNAME=",
		"PGDATA=", "PGTARGETSESSIONATTRS=", "PGREQUIREAUTH=", "PGCLIENTENCODING=",
	};

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		if (str_starts(entry, prefixes[i]))
			return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (str_starts(entry, names[i]))
			return true;
	}
	return false;
}

static bool env_same_name(const char *a, const char *b)
{
	size_t len = strcspn(a, "=");

	return strncmp(a, b, len) == 0 && b[len] == '=';
}

static bool env_replaced(const char *entry, const struct child_spec *spec)
{
	if (spec->c_locale && env_same_name(entry, "LC_ALL=C"))
		return true;
	for (size_t i = 0; spec->env && spec->env[i]; i++) {
		if (env_same_name(entry, spec->env[i]))
			return true;
	}
	return false;
}

/* A heap array of borrowed strings: environ and spec outlive the call to posix_spawn(). */
static const char **env_make(const struct child_spec *spec)
{
	const char **env;
	size_t n = 0, old = 0, more = 0;

	while (environ && environ[old])
		old++;
	while (spec->env && spec->env[more])
		more++;

	env = mem_new(old + more + 2, sizeof(*env));
	for (size_t i = 0; i < old; i++) {
		if (!env_is_ours(environ[i]) && !env_replaced(environ[i], spec))
			env[n++] = environ[i];
	}
	for (size_t i = 0; i < more; i++)
		env[n++] = spec->env[i];
	if (spec->c_locale)
		env[n++] = "LC_ALL=C";
	return env;
}

/* -- spawning ----------------------------------------------------------------------------- */

struct spawned {
	pid_t pid;
	int pidfd;
};

static int input_open(const char *input, struct err *err)
{
	_cleanup_(closep) int fd = -1;
	size_t len = input ? strlen(input) : 0;
	int ret;

	if (!input) {
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return err_set(err, ERR_IO, "cannot open /dev/null");
	} else {
		fd = memfd_create("input", MFD_CLOEXEC);
		if (fd < 0 || write(fd, input, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) < 0)
			return err_set(err, ERR_IO, "cannot prepare the input of a child");
	}
	ret = fd;
	fd = -1;
	return ret;
}

/* Blocked signals and handlers would survive exec as blocked and ignored. */
static int spawn_attr(posix_spawnattr_t *attr)
{
	short flags = POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	rc = posix_spawnattr_setflags(attr, flags);
	if (rc == 0)
		rc = posix_spawnattr_setsigmask(attr, &none);
	if (rc == 0)
		rc = posix_spawnattr_setsigdefault(attr, &all);
	return rc;
}

static int spawn_files(posix_spawn_file_actions_t *files, int in_fd, int out_fd,
		       const char *work_dir)
{
	int rc = posix_spawn_file_actions_adddup2(files, in_fd, STDIN_FILENO);

	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(files, out_fd, STDOUT_FILENO);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(files, out_fd, STDERR_FILENO);
	/* Libraries may hold descriptors that are not close-on-exec. */
	if (rc == 0)
		rc = posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1);
	if (rc == 0 && work_dir)
		rc = posix_spawn_file_actions_addchdir_np(files, work_dir);
	return rc;
}

static int spawn_exec(const struct child_spec *spec, int in_fd, int out_fd, pid_t *ret_pid)
{
	_cleanup_(freep) const char **env = env_make(spec);
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	int rc;

	rc = posix_spawnattr_init(&attr);
	if (rc != 0)
		return rc;
	rc = posix_spawn_file_actions_init(&files);
	if (rc != 0) {
		(void)posix_spawnattr_destroy(&attr);
		return rc;
	}
	rc = spawn_attr(&attr);
	if (rc == 0)
		rc = spawn_files(&files, in_fd, out_fd, spec->work_dir);
	if (rc == 0)
		rc = posix_spawnp(ret_pid, spec->argv[0], &files, &attr,
				  (char *const *)(uintptr_t)spec->argv,
				  (char *const *)(uintptr_t)env);
	(void)posix_spawn_file_actions_destroy(&files);
	(void)posix_spawnattr_destroy(&attr);
	return rc;
}

static int spawn(const struct child_spec *spec, int out_fd, struct spawned *ret, struct err *err)
{
	_cleanup_(closep) int in_fd = -1;
	pid_t pid = -1;
	int rc;

	in_fd = input_open(spec->input, err);
	if (in_fd < 0)
		return in_fd;
	rc = spawn_exec(spec, in_fd, out_fd, &pid);
	if (rc != 0) {
		errno = rc;
		return err_set(err, ERR_IO, "cannot run '%s'", spec->argv[0]);
	}
	ret->pid = pid;
	/* Not a race: until we reap it the pid is taken, even when it has ended already. */
	ret->pidfd = child_pidfd_open(pid);
	if (ret->pidfd < 0) {
		int code = err_set(err, ERR_IO, "cannot open a pidfd for '%s'", spec->name);

		(void)kill(-pid, SIGKILL);
		return code;
	}
	return 0;
}

int child_detach(const struct child_spec *spec, int log_fd, pid_t *ret_pid, int *ret_pidfd,
		 struct err *err)
{
	struct spawned made;
	int rc = spawn(spec, log_fd, &made, err);

	if (rc < 0)
		return rc;
	*ret_pid = made.pid;
	*ret_pidfd = made.pidfd;
	return 0;
}

/* -- on the loop -------------------------------------------------------------------------- */

/* Bounded, so that a child which writes without end cannot hold the loop. */
static void drain(struct child *child)
{
	char chunk[16384];

	for (int i = 0; i < 16; i++) {
		ssize_t n = read(child->out_fd, chunk, sizeof(chunk));

		if (n > 0) {
			capture_add(&child->capture, chunk, (size_t)n);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			loop_source_freep(&child->out_source);
		return;
	}
}

void child_tail(const struct child *child, char *dst, size_t size)
{
	const struct buf *from = child->capture.tail.len > 0 ? &child->capture.tail :
							       &child->capture.head;
	const size_t n = MIN_OF(from->len, size - 1);

	if (n > 0)
		memcpy(dst, from->data + from->len - n, n);
	dst[n] = '\0';
}

static void on_output(void *ctx, int fd _unused_, uint32_t ready _unused_)
{
	drain(ctx);
}

static void reap(struct child *child, struct child_end *ret)
{
	siginfo_t info = { 0 };
	int rc = child_pidfd_wait(child->pidfd, &info, WEXITED | WNOHANG);

	/* Nobody else waits for our children, and the pidfd said that it has ended. */
	assert(rc == 0 && info.si_pid == child->pid);
	ret->exited = info.si_code == CLD_EXITED;
	ret->code = info.si_status;
}

static void on_end(void *ctx, int fd _unused_, uint32_t ready _unused_)
{
	struct child *child = ctx;
	struct child_end end = { 0 };

	loop_source_freep(&child->end_source);
	loop_source_freep(&child->timer);
	drain(child);
	loop_source_freep(&child->out_source);

	/* While it is unreaped its pid names our process group and nobody else's. */
	if (child->stopped)
		(void)kill(-child->pid, SIGKILL);
	reap(child, &end);
	child->running = false;

	capture_text(&child->capture, &child->text);
	end.stopped = child->stopped;
	end.output = child->text.data;
	end.len = child->text.len;
	child->done(child->ctx, &end);
}

static void on_timer(void *ctx)
{
	struct child *child = ctx;

	if (!child->terming) {
		child_stop(child);
		return;
	}
	(void)kill(-child->pid, SIGKILL);
}

void child_stop(struct child *child)
{
	if (!child->running || child->terming)
		return;
	child->terming = true;
	child->stopped = true;
	(void)kill(-child->pid, SIGTERM);
	loop_timer_at(child->timer, loop_now_ms() + child->grace_ms);
}

bool child_running(const struct child *child)
{
	return child->running;
}

pid_t child_pid(const struct child *child)
{
	return child->pid;
}

/* One that was killed and let go: nobody waits for it but the loop, lest it stay a zombie. */
struct orphan {
	struct loop_source *source;
	int pidfd;
};

static void on_orphan_end(void *ctx, int fd _unused_, uint32_t ready _unused_)
{
	struct orphan *orphan = ctx;
	siginfo_t info;

	(void)waitid((idtype_t)P_PIDFD, (id_t)orphan->pidfd, &info, WEXITED | WNOHANG);
	loop_source_free(orphan->source);
	closep(&orphan->pidfd);
	free(orphan);
}

static void let_go(struct child *child)
{
	struct orphan *orphan = mem_new(1, sizeof(*orphan));

	(void)kill(-child->pid, SIGKILL);
	orphan->pidfd = child->pidfd;
	child->pidfd = -1;
	if (loop_fd_new(child->loop, "killed child", orphan->pidfd, LOOP_READ, on_orphan_end,
			orphan, &orphan->source, NULL) < 0) {
		closep(&orphan->pidfd);
		free(orphan);
	}
}

void child_free(struct child *child)
{
	if (!child)
		return;
	loop_source_free(child->end_source);
	loop_source_free(child->out_source);
	loop_source_free(child->timer);
	if (child->running)
		let_go(child);
	closep(&child->pidfd);
	closep(&child->out_fd);
	capture_done(&child->capture);
	buf_done(&child->text);
	free(child);
}

static void child_freep(struct child **child)
{
	child_free(*child);
}

static int watch(struct child *child, int64_t term_at_ms, struct err *err)
{
	int rc = loop_timer_new(child->loop, "child deadline", on_timer, child, &child->timer, err);

	if (rc < 0)
		return rc;
	if (term_at_ms > 0)
		loop_timer_at(child->timer, term_at_ms);
	rc = loop_fd_new(child->loop, "child output", child->out_fd, LOOP_READ, on_output, child,
			 &child->out_source, err);
	if (rc < 0)
		return rc;
	return loop_fd_new(child->loop, "child end", child->pidfd, LOOP_READ, on_end, child,
			   &child->end_source, err);
}

static int pipe_make(int *ret_read, int *ret_write, struct err *err)
{
	int fds[2];

	/* The writing end stays blocking: it becomes the child's stdout. */
	if (pipe2(fds, O_CLOEXEC) < 0 || fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0)
		return err_set(err, ERR_IO, "cannot make a pipe");
	*ret_read = fds[0];
	*ret_write = fds[1];
	return 0;
}

int child_spawn(struct loop *loop, const struct child_spec *spec, child_fn done, void *ctx,
		struct child **ret, struct err *err)
{
	_cleanup_(child_freep) struct child *child = mem_new(1, sizeof(*child));
	_cleanup_(closep) int write_fd = -1;
	struct spawned made;
	int rc;

	child->loop = loop;
	child->done = done;
	child->ctx = ctx;
	child->pidfd = child->out_fd = -1;
	child->grace_ms = spec->grace_ms > 0 ? spec->grace_ms : CHILD_TERM_MS;
	str_clip(child->name, sizeof(child->name), spec->name);

	rc = pipe_make(&child->out_fd, &write_fd, err);
	if (rc < 0)
		return rc;
	rc = spawn(spec, write_fd, &made, err);
	if (rc < 0)
		return rc;
	child->pid = made.pid;
	child->pidfd = made.pidfd;
	child->running = true;

	rc = watch(child, spec->term_at_ms, err);
	if (rc < 0)
		return rc;
	*ret = TAKE(child);
	return 0;
}

/* -- before the loop ---------------------------------------------------------------------- */

/* Reads until the process has ended. Bounded by the deadline. */
static int run_wait(int out_fd, int pidfd, int64_t until_ms, struct capture *capture)
{
	char chunk[16384];

	for (;;) {
		struct pollfd fds[2] = { { .fd = out_fd, .events = POLLIN },
					 { .fd = pidfd, .events = POLLIN } };
		int64_t left_ms = until_ms - loop_now_ms();
		ssize_t n;

		if (left_ms <= 0)
			return -1;
		if (poll(fds, 2, (int)MIN_OF(left_ms, INT64_C(1000))) < 0 && errno != EINTR)
			return -1;
		n = read(out_fd, chunk, sizeof(chunk));
		if (n > 0)
			capture_add(capture, chunk, (size_t)n);
		else if (fds[1].revents & POLLIN)
			return 0;
		else if (n == 0)
			out_fd = -1;
	}
}

int child_run(const struct child_spec *spec, int64_t timeout_ms, struct buf *ret_output,
	      int *ret_code, struct err *err)
{
	_cleanup_(closep) int read_fd = -1;
	_cleanup_(closep) int write_fd = -1;
	_cleanup_(closep) int pidfd = -1;
	_cleanup_(capture_done) struct capture capture = { 0 };
	siginfo_t info = { 0 };
	struct spawned made;
	int rc;

	rc = pipe_make(&read_fd, &write_fd, err);
	if (rc < 0)
		return rc;
	rc = spawn(spec, write_fd, &made, err);
	if (rc < 0)
		return rc;
	pidfd = made.pidfd;
	closep(&write_fd);

	if (run_wait(read_fd, pidfd, loop_now_ms() + timeout_ms, &capture) < 0) {
		(void)kill(-made.pid, SIGKILL);
		(void)waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG);
		return err_set(err, ERR_TIMEOUT, "%s took longer than %lld ms", spec->name,
			       (long long)timeout_ms);
	}
	if (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0)
		return err_set(err, ERR_IO, "cannot wait for %s", spec->name);
	if (info.si_code != CLD_EXITED)
		return err_set(err, ERR_CHILD, "%s was killed by signal %d", spec->name,
			       info.si_status);
	capture_text(&capture, ret_output);
	*ret_code = info.si_status;
	return 0;
}

/* -- results ------------------------------------------------------------------------------ */

bool child_ok(const struct child_end *end)
{
	return end->exited && end->code == 0;
}

/* The last lines that say anything, joined to one, at most `size` bytes. */
static void last_lines(const struct child_end *end, char *dst, size_t size)
{
	size_t stop = end->len;
	size_t start;
	size_t n = 0;

	while (stop > 0 && strchr(" \t\r\n", end->output[stop - 1]))
		stop--;
	start = stop > size - 1 ? stop - (size - 1) : 0;
	/* At most the last three lines: above them is progress, not reason. */
	for (size_t i = stop, lines = 0; i > start; i--) {
		if (end->output[i - 1] != '\n')
			continue;
		if (++lines == 3) {
			start = i;
			break;
		}
	}
	for (size_t i = start; i < stop && n < size - 1; i++) {
		char c = end->output[i];

		if (c == '\n' || c == '\r')
			c = n > 0 && dst[n - 1] != ' ' ? '|' : ' ';
		if ((unsigned char)c >= ' ')
			dst[n++] = c;
	}
	dst[n] = '\0';
}

int child_failed(const struct child_end *end, const char *name, struct err *err)
{
	char text[ERR_MSG_MAX - 128];

	last_lines(end, text, sizeof(text));
	if (end->stopped)
		return err_set(err, ERR_TIMEOUT, "%s was stopped before it had finished%s%s", name,
			       text[0] ? ": " : "", text);
	if (!end->exited)
		return err_set(err, ERR_CHILD, "%s was killed by signal %d%s%s", name, end->code,
			       text[0] ? ": " : "", text);
	return err_set(err, ERR_CHILD, "%s failed with exit code %d%s%s", name, end->code,
		       text[0] ? ": " : "", text);
}
