/* SPDX-License-Identifier: PostgreSQL */
/*
 * allow - a list of addresses and networks
 */
#include "io/allow.h"

#include <arpa/inet.h>

#include "base/parse.h"
#include "base/str.h"

#define V4_PREFIX_BITS 96

static void map_v4(const struct in_addr *v4, struct in6_addr *ret)
{
	*ret = (struct in6_addr){ .s6_addr = { [10] = 0xff, [11] = 0xff } };
	memcpy(&ret->s6_addr[12], v4, sizeof(*v4));
}

bool allow_address(const struct sockaddr *addr, struct in6_addr *ret)
{
	if (addr->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, addr, sizeof(in));
		map_v4(&in.sin_addr, ret);
		return true;
	}
	if (addr->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, addr, sizeof(in6));
		*ret = in6.sin6_addr;
		return true;
	}
	return false;
}

int allow_add(struct allow *allow, const char *text, struct err *err)
{
	char host[INET6_ADDRSTRLEN + 8];
	struct allow_net net = { .bits = 128 };
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	uint64_t bits = 0;
	struct in_addr v4;
	bool is_v4;

	if (len > 1 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= sizeof(host))
		return ALLOW_NAME;
	memcpy(host, text, len);
	host[len] = '\0';
	is_v4 = inet_pton(AF_INET, host, &v4) == 1;
	if (is_v4)
		map_v4(&v4, &net.addr);
	else if (inet_pton(AF_INET6, host, &net.addr) != 1)
		return ALLOW_NAME;

	if (slash) {
		if (parse_uint(slash + 1, is_v4 ? 32 : 128, &bits, NULL) < 0)
			return err_set(err, ERR_RANGE, "'%s' is no network", text);
		net.bits = (uint8_t)(bits + (is_v4 ? V4_PREFIX_BITS : 0));
	}
	if (allow->n == ALLOW_MAX)
		return err_set(err, ERR_RANGE, "more than %d addresses", ALLOW_MAX);
	allow->nets[allow->n++] = net;
	return 0;
}

static bool in_net(const struct allow_net *net, const struct in6_addr *addr)
{
	size_t bytes = net->bits / 8;
	unsigned rest = net->bits % 8;
	unsigned mask = 0xffU & ~(0xffU >> rest);

	if (memcmp(net->addr.s6_addr, addr->s6_addr, bytes) != 0)
		return false;
	return rest == 0 || ((net->addr.s6_addr[bytes] ^ addr->s6_addr[bytes]) & mask) == 0;
}

bool allow_has(const struct allow *allow, const struct sockaddr *addr)
{
	struct in6_addr in6;

	if (!allow_address(addr, &in6))
		return false;
	for (uint32_t i = 0; i < allow->n; i++)
		if (in_net(&allow->nets[i], &in6))
			return true;
	return false;
}
