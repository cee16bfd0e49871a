/* SPDX-License-Identifier: PostgreSQL */
/*
 * portcheck - whether an address could be listened on
 */
#include "io/portcheck.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"

static int bind_one(const struct addrinfo *at, const char *host, const char *port, struct err *err)
{
	_cleanup_(closep) int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, 0);
	const int on = 1;

	if (fd < 0)
		return 0; /* no such family here: nobody will listen on it either */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (at->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, 1) < 0)
		return err_set(err, ERR_IO, "port %s on '%s' cannot be used now", port, host);
	return 0;
}

static int bind_host(const char *host, const char *port, struct err *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
					.ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	const bool all = str_eq(host, "*") || *host == '\0';
	struct addrinfo *found = NULL;
	int r = getaddrinfo(all ? NULL : host, port, &hints, &found);

	if (r != 0)
		return err_set(err, ERR_CONNECT, "'%s' cannot be resolved: %s", host,
			       gai_strerror(r));
	for (const struct addrinfo *at = found; r >= 0 && at != NULL; at = at->ai_next)
		r = bind_one(at, host, port, err);
	freeaddrinfo(found);
	return r;
}

int portcheck_bind(const char *hosts, uint16_t port, struct err *err)
{
	char text[8];
	int r = 0;

	(void)str_printf(text, sizeof(text), "%u", (unsigned int)port);
	while (hosts != NULL && r >= 0) {
		const size_t len = strcspn(hosts, ",");
		_cleanup_(freep) char *host = str_ndup(hosts + strspn(hosts, " "),
						       len - MIN_OF(len, strspn(hosts, " ")));

		r = bind_host(host, text, err);
		hosts = hosts[len] == ',' ? hosts + len + 1 : NULL;
	}
	return r;
}
