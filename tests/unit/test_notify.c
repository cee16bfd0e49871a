/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_notify - what systemd is told of us
 */
#include "io/notify.h"

#include <criterion/criterion.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"

static char path[108];
static int fd = -1;

static void setup(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	str_printf(path, sizeof(path), "/tmp/pgha-notify-%d", (int)getpid());
	str_copy(addr.sun_path, sizeof(addr.sun_path), path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	setenv("NOTIFY_SOCKET", path, 1);
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

static void teardown(void)
{
	close(fd);
	unlink(path);
}

/* The next message, "" when there is none. */
static const char *heard(void)
{
	static char text[512];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

TestSuite(notify, .init = setup, .fini = teardown);

Test(notify, ready_is_said_once_and_again_after_a_reload)
{
	struct notify *notify = notify_new();

	notify_reloading(notify);
	cr_assert_str_eq(heard(), "", "a reload before READY is none");
	notify_ready(notify);
	notify_ready(notify);
	cr_assert_str_eq(heard(), "READY=1");
	cr_assert_str_eq(heard(), "");
	notify_reloading(notify);
	cr_assert(str_starts(heard(), "RELOADING=1\nMONOTONIC_USEC="));
	notify_ready(notify);
	cr_assert_str_eq(heard(), "READY=1");
	notify_stopping(notify);
	cr_assert_str_eq(heard(), "STOPPING=1");
	notify_free(notify);
}

Test(notify, a_status_is_sent_when_it_changes)
{
	struct notify *notify = notify_new();

	notify_status(notify, "one");
	notify_status(notify, "one");
	notify_status(notify, "two");
	cr_assert_str_eq(heard(), "STATUS=one");
	cr_assert_str_eq(heard(), "STATUS=two");
	cr_assert_str_eq(heard(), "");
	notify_free(notify);
}

Test(notify, signs_of_life_only_where_they_are_wanted)
{
	struct notify *notify = notify_new();
	char pid[16];

	notify_alive(notify);
	cr_assert_str_eq(heard(), "");
	notify_free(notify);

	setenv("NOTIFY_SOCKET", path, 1);
	setenv("WATCHDOG_USEC", "60000000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	notify = notify_new();
	notify_alive(notify);
	cr_assert_str_eq(heard(), "", "they are wanted of another process");
	notify_free(notify);

	str_printf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("NOTIFY_SOCKET", path, 1);
	setenv("WATCHDOG_USEC", "60000000", 1);
	setenv("WATCHDOG_PID", pid, 1);
	notify = notify_new();
	notify_alive(notify);
	notify_alive(notify);
	cr_assert_str_eq(heard(), "WATCHDOG=1");
	cr_assert_str_eq(heard(), "", "four times within the period are enough");
	notify_free(notify);
}

Test(notify, children_inherit_nothing_of_it)
{
	struct notify *notify;

	setenv("WATCHDOG_USEC", "1000000", 1);
	notify = notify_new();
	cr_assert_null(getenv("NOTIFY_SOCKET"));
	cr_assert_null(getenv("WATCHDOG_USEC"));
	notify_free(notify);
}

Test(notify, a_manager_that_does_not_read_holds_nothing_up, .timeout = 10)
{
	struct notify *notify = notify_new();

	for (int i = 0; i < 2000; i++) {
		char text[32];

		str_printf(text, sizeof(text), "status %d", i);
		notify_status(notify, text);
	}
	notify_free(notify);
}

Test(notify, without_systemd_nothing_happens)
{
	struct notify *notify;

	unsetenv("NOTIFY_SOCKET");
	notify = notify_new();
	notify_ready(notify);
	notify_status(notify, "x");
	notify_alive(notify);
	notify_free(notify);
	cr_assert_str_eq(heard(), "");
}
