/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_pgproc - postmaster.pid, and processes that are not Postgres
 */
#include "io/pgproc.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "io/child.h"

Test(pgproc, reads_a_whole_pid_file)
{
	struct pgproc_pidfile file;
	struct err err = { 0 };

	cr_assert_eq(pgproc_pidfile_parse("8115\n/tmp/d\n1795251954\n22000\n/tmp\nlocalhost\n"
					  " 10961491     32797\nready   \n",
					  &file, &err),
		     0, "%s", err.msg);
	cr_assert_eq(file.pid, 8115);
	cr_assert_eq(file.port, 22000);
	cr_assert_str_eq(file.socket_dir, "/tmp");
	cr_assert_str_eq(file.listen_addr, "localhost");
	cr_assert_eq(file.status, PGPROC_READY);
}

Test(pgproc, knows_every_status)
{
	static const struct {
		const char *text;
		enum pgproc_status status;
	} cases[] = {
		{ "starting\n", PGPROC_STARTING }, { "stopping\n", PGPROC_STOPPING },
		{ "ready   \n", PGPROC_READY },    { "standby \n", PGPROC_STANDBY },
		{ "", PGPROC_EARLY },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(buf_done) struct buf text = { 0 };
		struct pgproc_pidfile file;

		buf_printf(&text, "8115\n/tmp/d\n1795251954\n22000\n\n*\n 1 2\n%s", cases[i].text);
		cr_assert_eq(pgproc_pidfile_parse(text.data, &file, NULL), 0);
		cr_assert_eq(file.status, cases[i].status, "'%s'", cases[i].text);
		cr_assert_str_eq(file.socket_dir, "");
	}
}

Test(pgproc, reads_a_pid_file_that_has_just_begun)
{
	struct pgproc_pidfile file;

	cr_assert_eq(pgproc_pidfile_parse("8115\n/tmp/d\n1795251954\n22000\n\n", &file, NULL), 0);
	cr_assert_eq(file.pid, 8115);
	cr_assert_eq(file.status, PGPROC_EARLY);
	cr_assert_eq(pgproc_pidfile_parse("8115", &file, NULL), 0);
	cr_assert_eq(file.port, 0);
}

Test(pgproc, reads_a_single_user_server)
{
	struct pgproc_pidfile file;

	cr_assert_eq(pgproc_pidfile_parse("-77\n/tmp/d\n1\n", &file, NULL), 0);
	cr_assert_eq(file.pid, 77);
}

Test(pgproc, refuses_garbage)
{
	struct pgproc_pidfile file;

	cr_assert_eq(pgproc_pidfile_parse("", &file, NULL), -ERR_PARSE);
	cr_assert_eq(pgproc_pidfile_parse("x\n", &file, NULL), -ERR_PARSE);
	cr_assert_eq(pgproc_pidfile_parse("0\n", &file, NULL), -ERR_PARSE);
	cr_assert_lt(pgproc_pidfile_parse("1\n/d\n1\nport\n", &file, NULL), 0);
}

Test(pgproc, does_not_take_others_for_postgres)
{
	char cwd[256];
	struct pgproc proc = { .pidfd = -1 };

	cr_assert_not_null(getcwd(cwd, sizeof(cwd)));
	/* This process works in the directory and is no postgres. */
	cr_assert_eq(pgproc_open(cwd, getpid(), &proc, NULL), PGPROC_NONE);
	cr_assert_eq(pgproc_scan(cwd, 0, &proc, 1, NULL), 0);
	cr_assert_eq(pgproc_kill_round(cwd, 0, NULL), 0);
	cr_assert_eq(pgproc_scan("/nonexistent/dir", 0, &proc, 1, NULL), 0);
}

/* As a child, of which the kernel tells, and as one that was only found. */
Test(pgproc, tells_who_is_stopped_by_a_signal)
{
	static const char *const argv[] = { "sleep", "600", NULL };
	const struct child_spec spec = { .name = "sleep", .argv = argv };
	struct pgproc child = { .pidfd = -1 };
	struct pgproc found = { .pidfd = -1 };
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	siginfo_t info;

	cr_assert_eq(child_detach(&spec, null, &child.pid, &child.pidfd, NULL), 0);
	closep(&null);
	found.pid = child.pid;
	cr_assert_not(pgproc_stopped(&child));
	cr_assert_not(pgproc_stopped(&found));

	cr_assert_eq(kill(child.pid, SIGSTOP), 0);
	cr_assert_eq(waitid(P_PID, (id_t)child.pid, &info, WSTOPPED | WNOWAIT), 0);
	cr_assert(pgproc_stopped(&child));
	cr_assert(pgproc_stopped(&child), "asking takes nothing away");
	cr_assert(pgproc_stopped(&found));

	cr_assert_eq(kill(child.pid, SIGCONT), 0);
	cr_assert_eq(waitid(P_PID, (id_t)child.pid, &info, WCONTINUED | WNOWAIT), 0);
	cr_assert_not(pgproc_stopped(&child));
	cr_assert_not(pgproc_stopped(&found));

	cr_assert_eq(kill(child.pid, SIGKILL), 0);
	cr_assert_eq(waitid(P_PID, (id_t)child.pid, &info, WEXITED | WNOWAIT), 0);
	cr_assert_not(pgproc_stopped(&child), "who is dead is not stopped");
	cr_assert_not(pgproc_stopped(&found));
	cr_assert_eq(waitpid(child.pid, NULL, 0), child.pid);
	pgproc_done(&child);
}
