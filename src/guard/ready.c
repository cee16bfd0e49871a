/* SPDX-License-Identifier: PostgreSQL */
/*
 * ready - the service manager hears that the guardian is there
 *
 * A datagram to the socket that NOTIFY_SOCKET names, sd_notify(3). The guardian links no library
 * for it.
 */
#include "guard/ready.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"

static const char message[] = "READY=1";

static void tell(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_(closep) int fd = -1;
	size_t len = offsetof(struct sockaddr_un, sun_path) + strlen(path);

	if ((path[0] != '/' && path[0] != '@') ||
	    str_copy(addr.sun_path, sizeof(addr.sun_path), path) < 0)
		return;
	/* '@' stands for the NUL byte of an abstract address. */
	if (path[0] == '@')
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* Not lost where the manager is slow: it would end a guardian that says nothing. */
	(void)!sendto(fd, message, sizeof(message) - 1, MSG_NOSIGNAL,
		      (const struct sockaddr *)&addr, (socklen_t)len);
}

void ready_tell(void)
{
	const char *path = getenv("NOTIFY_SOCKET");

	if (path == NULL)
		return;
	tell(path);
	/* Executed anew it has said so already. */
	(void)unsetenv("NOTIFY_SOCKET");
}
