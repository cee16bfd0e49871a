/* SPDX-License-Identifier: PostgreSQL */
/*
 * notify - what systemd is told of us
 *
 * The protocol is a datagram of NAME=value lines. It is sent here rather than by sd_notify(),
 * which waits when the service manager does not read its socket.
 */
#include "io/notify.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/str.h"
#include "io/loop.h"

#define STATUS_SIZE 256

struct notify {
	int fd; /* -1: nobody to tell */
	bool ready;
	int64_t watchdog_ms; /* 0: not wanted */
	int64_t alive_at_ms;
	char status[STATUS_SIZE];
};

static int connect_to(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	int fd;

	if ((path[0] != '/' && path[0] != '@') ||
	    str_copy(addr.sun_path, sizeof(addr.sun_path), path) < 0)
		return -1;
	/* '@' stands for the NUL byte of an abstract address. */
	if (path[0] == '@')
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&addr,
			       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == 0)
		return fd;
	closep(&fd);
	return -1;
}

static int64_t watchdog_ms(void)
{
	const char *text = getenv("WATCHDOG_USEC");
	const char *pid_text = getenv("WATCHDOG_PID");
	uint64_t us = 0;
	uint64_t pid = 0;

	if (!text || parse_uint(text, INT64_MAX, &us, NULL) < 0)
		return 0;
	if (pid_text &&
	    (parse_uint(pid_text, INT32_MAX, &pid, NULL) < 0 || pid != (uint64_t)getpid()))
		return 0;
	return (int64_t)(us / 1000);
}

struct notify *notify_new(void)
{
	struct notify *notify = mem_new(1, sizeof(*notify));
	const char *path = getenv("NOTIFY_SOCKET");

	notify->fd = path ? connect_to(path) : -1;
	notify->watchdog_ms = notify->fd >= 0 ? watchdog_ms() : 0;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return notify;
}

void notify_free(struct notify *notify)
{
	if (!notify)
		return;
	closep(&notify->fd);
	free(notify);
}

/* A message that is not taken at once is lost: the next one says more. */
static void tell(struct notify *notify, const char *text)
{
	if (notify->fd >= 0)
		(void)!send(notify->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void notify_ready(struct notify *notify)
{
	if (notify->ready)
		return;
	notify->ready = true;
	tell(notify, "READY=1");
}

void notify_reloading(struct notify *notify)
{
	char text[80];

	/* Before READY a reload is none, for systemd. */
	if (!notify->ready)
		return;
	notify->ready = false;
	str_printf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
		   loop_monotonic_us());
	tell(notify, text);
}

void notify_stopping(struct notify *notify)
{
	tell(notify, "STOPPING=1");
}

void notify_status(struct notify *notify, const char *text)
{
	char line[STATUS_SIZE + 16];

	if (str_eq(notify->status, text))
		return;
	str_clip(notify->status, sizeof(notify->status), text);
	str_printf(line, sizeof(line), "STATUS=%s", notify->status);
	tell(notify, line);
}

void notify_alive(struct notify *notify)
{
	int64_t now_ms = loop_now_ms();

	/* Four times within the period; the agent may run many cycles in between. */
	if (!notify->watchdog_ms || now_ms - notify->alive_at_ms < notify->watchdog_ms / 4)
		return;
	notify->alive_at_ms = now_ms;
	tell(notify, "WATCHDOG=1");
}
