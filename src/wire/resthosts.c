/* SPDX-License-Identifier: PostgreSQL */
/*
 * resthosts - addresses inside URLs: of members in GET /cluster, of one api_url
 */
#include "base/parse.h"
#include "wire/jtext.h"
#include "wire/restmsg.h"

#define API_PORT 8008

int restmsg_url_split(const char *url, bool *ret_tls, char host[HOST_SIZE], uint16_t *ret_port,
		      struct err *err)
{
	static const char http[] = "http://";
	static const char https[] = "https://";
	bool tls = str_starts(url, https);
	const char *at = url + (tls ? sizeof(https) : sizeof(http)) - 1;
	char hostport[HOST_SIZE + 16];
	size_t len;

	if (!tls && !str_starts(url, http))
		return err_set(err, ERR_PARSE, "'%s' is no http URL", url);
	len = strcspn(at, "/?#");
	if (len == 0 || len >= sizeof(hostport) || memchr(at, '@', len))
		return err_set(err, ERR_PARSE, "'%s' has no usable host", url);
	memcpy(hostport, at, len);
	hostport[len] = '\0';
	if (parse_hostport(hostport, API_PORT, host, HOST_SIZE, ret_port, err) < 0)
		return err_wrap(err, "'%s'", url);
	*ret_tls = tls;
	return 0;
}

uint32_t restmsg_cluster_hosts(const char *cluster_json, char hosts[][HOST_SIZE], uint32_t max)
{
	_cleanup_(jtext_unrefp) json_t *doc = NULL;
	json_t *member;
	uint32_t n = 0;
	size_t i;

	if (!cluster_json || jtext_load_object(cluster_json, strlen(cluster_json), &doc, NULL) < 0)
		return 0;
	json_array_foreach(json_object_get(doc, "members"), i, member) {
		const char *url = jtext_string(member, "api_url");
		uint16_t port;
		bool tls;

		if (n < max && url && restmsg_url_split(url, &tls, hosts[n], &port, NULL) == 0)
			n++;
	}
	return n;
}
