/* SPDX-License-Identifier: PostgreSQL */
/*
 * outside - the operator's files, editor, pager and commands
 */
#include "cli/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"

#define PATH_SIZE 512

extern char **environ;

static int read_all(int fd, const char *path, size_t max, struct buf *ret_text, struct err *err)
{
	char chunk[4096];

	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0)
			return err_set(err, ERR_IO, "cannot read '%s'", path);
		if (n == 0)
			return 0;
		if (ret_text->len + (size_t)n > max)
			return err_set(err, ERR_TOOLONG, "'%s' has more than %zu bytes", path, max);
		buf_add(ret_text, chunk, (size_t)n);
	}
}

int outside_read(const char *path, size_t max, struct buf *ret_text, struct err *err)
{
	_cleanup_(closep) int fd = -1;

	if (str_eq(path, "-"))
		return read_all(STDIN_FILENO, "standard input", max, ret_text, err);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, ERR_IO, "cannot open '%s'", path);
	return read_all(fd, path, max, ret_text, err);
}

static int write_all(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0)
			return -1;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Its exit code, or < 0. */
static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* ctrl-C and ctrl-\, which a terminal sends to everybody on it. */
static const int keys[] = { SIGINT, SIGQUIT };

/* An editor or a pager makes of them what it likes, so we see it to its end. */
struct hold {
	struct sigaction before[ARRAY_LEN(keys)];
	posix_spawnattr_t attr; /* for whom they are as ever */
};

static int hold_keys(struct hold *hold)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t set;

	if (posix_spawnattr_init(&hold->attr) != 0)
		return -1;
	(void)sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		(void)sigaddset(&set, keys[i]);
		(void)sigaction(keys[i], &ignore, &hold->before[i]);
	}
	(void)posix_spawnattr_setsigdefault(&hold->attr, &set);
	(void)posix_spawnattr_setflags(&hold->attr, POSIX_SPAWN_SETSIGDEF);
	return 0;
}

static void let_keys_go(struct hold *hold)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		(void)sigaction(keys[i], &hold->before[i], NULL);
	(void)posix_spawnattr_destroy(&hold->attr);
}

/* Its exit code, or < 0. */
static int run_on_terminal(const char *program, char *const *argv)
{
	struct hold hold;
	int code = -1;
	pid_t pid;

	if (hold_keys(&hold) < 0)
		return -1;
	if (posix_spawnp(&pid, program, NULL, &hold.attr, argv, environ) == 0)
		code = wait_for(pid);
	let_keys_go(&hold);
	return code;
}

/* $EDITOR may hold options, so a shell takes it apart. */
static int run_editor(char *path, struct err *err)
{
	static const char *const fallbacks[] = { "editor", "vi" };
	const char *editor = getenv("EDITOR");
	char *const by_shell[] = { (char *)"sh", (char *)"-c", (char *)"exec $EDITOR \"$1\"",
				   (char *)"sh", path, NULL };
	int code = -1;

	if (editor != NULL && *editor != '\0')
		code = run_on_terminal("/bin/sh", by_shell);
	for (size_t i = 0; code < 0 && i < ARRAY_LEN(fallbacks); i++) {
		char *const argv[] = { (char *)fallbacks[i], path, NULL };

		code = run_on_terminal(fallbacks[i], argv);
		if (code == 127)
			code = -1;
	}
	if (code < 0)
		return err_set(err, ERR_STATE,
			       "EDITOR environment variable is not set. editor or vi are not "
			       "available");
	if (code > 0)
		return err_set(err, ERR_CHILD, "Editor exited with return code %d", code);
	return 0;
}

int outside_edit(const char *name, const char *text, size_t max, struct buf *ret_text,
		 struct err *err)
{
	const char *dir = getenv("TMPDIR");
	_cleanup_(closep) int fd = -1;
	char path[PATH_SIZE];
	int r;

	if (str_printf(path, sizeof(path), "%s/%s-config-XXXXXX.yaml",
		       dir != NULL && *dir == '/' ? dir : "/tmp", name) < 0)
		return err_set(err, ERR_TOOLONG, "path of the temporary file");
	fd = mkostemps(path, (int)strlen(".yaml"), O_CLOEXEC);
	if (fd < 0)
		return err_set(err, ERR_IO, "cannot create '%s'", path);
	r = write_all(fd, text) < 0 ? err_set(err, ERR_IO, "cannot write '%s'", path) : 0;
	if (r >= 0)
		r = run_editor(path, err);
	/* An editor may write a new file and rename it over ours, so it is opened anew. */
	if (r >= 0)
		r = outside_read(path, max, ret_text, err);
	(void)unlink(path);
	return r;
}

int outside_replace(const char *path, const char *text, struct err *err)
{
	_cleanup_(closep) int fd = -1;
	char tmp[PATH_SIZE];
	int r = 0;

	if (str_printf(tmp, sizeof(tmp), "%s.XXXXXX", path) < 0)
		return err_set(err, ERR_TOOLONG, "path '%s'", path);
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return err_set(err, ERR_IO, "cannot create '%s'", tmp);
	if (write_all(fd, text) < 0 || fchmod(fd, 0644) < 0 || fsync(fd) < 0)
		r = err_set(err, ERR_IO, "cannot write '%s'", tmp);
	else if (rename(tmp, path) < 0)
		r = err_set(err, ERR_IO, "cannot put a file in the place of '%s'", path);
	if (r < 0)
		(void)unlink(tmp);
	return r;
}

int outside_shell(const char *command)
{
	char *const argv[] = { (char *)"sh", (char *)"-c", (char *)command, NULL };

	pid_t pid;

	(void)fflush(stdout);
	return posix_spawnp(&pid, "/bin/sh", NULL, NULL, argv, environ) != 0 ? -1 : wait_for(pid);
}

static bool in_path(const char *program)
{
	const char *path = getenv("PATH");
	char file[PATH_SIZE];

	while (path != NULL && *path != '\0') {
		size_t len = strcspn(path, ":");

		if (str_printf(file, sizeof(file), "%.*s/%s", (int)len, path, program) >= 0 &&
		    access(file, X_OK) == 0)
			return true;
		path += len;
		path += *path == ':';
	}
	return false;
}

/* A pager that is left early closes its end. Nobody else holds that open, or a long text would be
 * written for ever. */
static void feed(int to, const char *text)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction before;

	(void)sigaction(SIGPIPE, &ignore, &before);
	(void)write_all(to, text);
	(void)sigaction(SIGPIPE, &before, NULL);
}

static int start_pager(char *const *argv, int from, const struct hold *hold, pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	int r;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return -1;
	(void)posix_spawn_file_actions_adddup2(&actions, from, STDIN_FILENO);
	r = posix_spawnp(ret, "/bin/sh", &actions, &hold->attr, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	return r != 0 ? -1 : 0;
}

/* < 0: not shown. */
static int page_through(const char *command, const char *text)
{
	char *const argv[] = { (char *)"sh", (char *)"-c", (char *)command, NULL };
	struct hold hold;
	int ends[2];
	pid_t pid;
	int r;

	if (hold_keys(&hold) < 0)
		return -1;
	r = pipe2(ends, O_CLOEXEC);
	if (r >= 0) {
		r = start_pager(argv, ends[0], &hold, &pid);
		closep(&ends[0]);
		if (r >= 0)
			feed(ends[1], text);
		closep(&ends[1]);
		if (r >= 0)
			(void)wait_for(pid);
	}
	let_keys_go(&hold);
	return r;
}

void outside_page(const char *text)
{
	const char *pager = getenv("PAGER");

	(void)fflush(stdout);
	if (isatty(STDOUT_FILENO)) {
		if (pager != NULL && *pager != '\0' && page_through(pager, text) == 0)
			return;
		/* Short texts stay on the screen, colours come through. */
		if ((pager == NULL || *pager == '\0') && in_path("less") &&
		    page_through("exec less -FRX", text) == 0)
			return;
	}
	printf("%s", text);
}
