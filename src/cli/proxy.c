/* SPDX-License-Identifier: PostgreSQL */
/*
 * proxy - configurations of load balancers, for a cluster as it is
 */
#include "cli/proxy.h"

#include "base/parse.h"
#include "cli/node.h"

#define REST_PORT 8008

/* Where a member is, from its PostgreSQL address and its api_url. */
struct place {
	const char *name;
	const char *host;
	int64_t port;
	bool leads;
	bool reads; /* a standby that may serve */
	bool tls;   /* of REST */
	char rest_host[HOST_SIZE];
	uint16_t rest_port;
};

static void find_rest(const char *url, struct place *ret)
{
	const char *at = strstr(url, "://");
	char hostport[URL_SIZE];

	ret->tls = str_starts(url, "https:");
	ret->rest_port = REST_PORT;
	str_clip(ret->rest_host, sizeof(ret->rest_host), ret->host);
	if (at == NULL)
		return;
	str_clip(hostport, sizeof(hostport), at + 3);
	hostport[strcspn(hostport, "/")] = '\0';
	(void)parse_hostport(hostport, REST_PORT, ret->rest_host, sizeof(ret->rest_host),
			     &ret->rest_port, NULL);
}

/* What stands in a file of somebody else's syntax must be a plain word. */
static bool is_word(const char *text)
{
	return *text != '\0' &&
	       text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				 "._:%-")] == '\0';
}

/* false: its address is not known. */
static bool place_of(const struct tree_node *m, struct place *ret)
{
	const char *state = node_str(m, "state");

	*ret = (struct place){ .name = node_str(m, "name"),
			       .host = node_str(m, "host"),
			       .leads = picture_is_leader(m) };
	if (!node_int(m, "port", &ret->port) || !is_word(ret->name) || !is_word(ret->host))
		return false;
	ret->reads = !ret->leads && (str_eq(state, "running") || str_eq(state, "streaming")) &&
		     !node_bool(tree_child(m, "tags"), "noloadbalance", false);
	find_rest(node_str(m, "api_url"), ret);
	return is_word(ret->rest_host);
}

static void add_address(const char *host, int64_t port, struct buf *text)
{
	bool v6 = strchr(host, ':') != NULL;

	buf_printf(text, "%s%s%s:%lld", v6 ? "[" : "", host, v6 ? "]" : "", (long long)port);
}

/* A name that Patroni permits and the other program's syntax does not: who leads may be missing. */
static void add_left_out(const struct picture *picture, char comment, struct buf *text)
{
	for (const struct tree_node *m = picture_members(picture); m != NULL; m = m->next) {
		char name[NAME_SIZE];
		struct place p;
		int64_t port;

		if (!node_int(m, "port", &port) || place_of(m, &p))
			continue;
		str_line(name, sizeof(name), node_str(m, "name"));
		buf_printf(text, "%c Left out: '%s', whose name or address is no plain word.\n",
			   comment, name);
	}
}

static void add_head(const struct picture *picture, const char *more, struct buf *text)
{
	buf_printf(text, "# Cluster %s, by hactl proxy-config.%s\n", picture->name, more);
	add_left_out(picture, '#', text);
}

/* ---- HAProxy ---- */

static void add_listen(const struct picture *picture, const struct proxy_wish *wish,
		       const char *name, int64_t port, const char *check, struct buf *text)
{
	buf_printf(text, "\nlisten %s\n    bind ", name);
	add_address(wish->listen, port, text);
	buf_printf(text,
		   "\n    option httpchk OPTIONS %s\n"
		   "    http-check expect status 200\n"
		   "    default-server inter 500ms fastinter 200ms fall 2 rise 1"
		   " on-marked-down shutdown-sessions\n",
		   check);
	for (const struct tree_node *m = picture_members(picture); m != NULL; m = m->next) {
		struct place p;

		if (!place_of(m, &p))
			continue;
		buf_printf(text, "    server %s ", p.name);
		add_address(p.host, p.port, text);
		buf_str(text, " check");
		if (!str_eq(p.rest_host, p.host))
			buf_printf(text, " addr %s", p.rest_host);
		buf_printf(text, " port %u%s\n", (unsigned)p.rest_port,
			   p.tls ? " check-ssl verify none" : "");
	}
}

static int print_haproxy(const struct picture *picture, const struct proxy_wish *wish,
			 struct buf *text)
{
	char check[96];

	add_head(picture, "", text);
	buf_str(text, "global\n"
		      "    maxconn 1000\n\n"
		      "defaults\n"
		      "    mode tcp\n"
		      "    retries 1\n"
		      "    timeout connect 1s\n"
		      "    timeout client 24h\n"
		      "    timeout server 24h\n"
		      "    timeout check 1s\n");
	add_listen(picture, wish, "primary", wish->write_port, "/primary", text);
	(void)str_printf(check, sizeof(check), "/replica%s%s", wish->lag != NULL ? "?lag=" : "",
			 wish->lag != NULL ? wish->lag : "");
	add_listen(picture, wish, "replicas", wish->read_port, check, text);
	if (picture_is_synchronous(picture))
		add_listen(picture, wish, "synchronous", wish->read_port + 1, "/sync", text);
	return 0;
}

/* ---- those that cannot ask ---- */

static const struct tree_node *leader_of(const struct picture *picture, struct place *ret)
{
	for (const struct tree_node *m = picture_members(picture); m != NULL; m = m->next)
		if (place_of(m, ret) && ret->leads)
			return m;
	return NULL;
}

static int need_leader(const struct picture *picture, struct place *ret, struct err *err)
{
	if (leader_of(picture, ret) != NULL)
		return 0;
	if (*picture->leader != '\0')
		return err_set(err, ERR_STATE,
			       "the leader '%s' has no name and address that can stand in such a "
			       "file",
			       picture->leader);
	return err_set(err, ERR_STATE, "nobody leads '%s' at the moment", picture->name);
}

/* Reads go to the leader where no standby can serve them. */
static bool any_reads(const struct picture *picture)
{
	struct place p;

	for (const struct tree_node *m = picture_members(picture); m != NULL; m = m->next)
		if (place_of(m, &p) && p.reads)
			return true;
	return false;
}

static void add_server(const char *listen, int64_t port, const char *upstream, struct buf *text)
{
	buf_str(text, "    server {\n        listen ");
	if (str_eq(listen, "*"))
		buf_printf(text, "%lld", (long long)port);
	else
		add_address(listen, port, text);
	buf_printf(text,
		   ";\n        proxy_pass %s;\n"
		   "        proxy_connect_timeout 1s;\n"
		   "        proxy_timeout 24h;\n"
		   "        proxy_socket_keepalive on;\n    }\n",
		   upstream);
}

/* Those of the standbys, or of the leader where none can serve, each on a line of its own. */
static void add_readers(const struct picture *picture, const char *before, const char *after,
			struct buf *text)
{
	bool standbys = any_reads(picture);
	struct place p;

	for (const struct tree_node *m = picture_members(picture); m != NULL; m = m->next) {
		if (!place_of(m, &p) || (standbys ? !p.reads : !p.leads))
			continue;
		buf_str(text, before);
		add_address(p.host, p.port, text);
		buf_str(text, after);
	}
}

static int print_nginx(const struct picture *picture, const struct proxy_wish *wish,
		       struct buf *text, struct err *err)
{
	struct place p;
	int r = need_leader(picture, &p, err);

	if (r < 0)
		return r;
	add_head(picture, " Rewrite it and reload nginx when the leader changes.", text);
	buf_str(text, "stream {\n    upstream pgha_primary {\n        server ");
	add_address(p.host, p.port, text);
	buf_str(text, ";\n    }\n    upstream pgha_replicas {\n        least_conn;\n");
	add_readers(picture, "        server ", ";\n", text);
	buf_str(text, "    }\n");
	add_server(wish->listen, wish->write_port, "pgha_primary", text);
	add_server(wish->listen, wish->read_port, "pgha_replicas", text);
	buf_str(text, "}\n");
	return 0;
}

static int print_pgbouncer(const struct picture *picture, struct buf *text, struct err *err)
{
	struct place p;
	int r = need_leader(picture, &p, err);

	if (r < 0)
		return r;
	buf_printf(text,
		   "; Cluster %s, by hactl proxy-config. Rewrite it and RELOAD when the leader "
		   "changes.\n"
		   "; In pgbouncer.ini: %%include and this file's name.\n",
		   picture->name);
	add_left_out(picture, ';', text);
	buf_printf(text, "[databases]\n* = host=%s port=%lld\n", p.host, (long long)p.port);
	return 0;
}

static void add_router(const char *name, struct buf *text)
{
	buf_printf(text,
		   "    %s:\n"
		   "      entryPoints: [%s]\n"
		   "      rule: \"HostSNI(`*`)\"\n"
		   "      service: %s\n",
		   name, name, name);
}

/* A file of its file provider. The ports stand in Traefik's own configuration, as entry points. */
static int print_traefik(const struct picture *picture, struct buf *text, struct err *err)
{
	struct place p;
	int r = need_leader(picture, &p, err);

	if (r < 0)
		return r;
	add_head(picture, " Rewrite it when the leader changes; Traefik sees that.", text);
	buf_str(text, "# Traefik's own configuration has the entryPoints pgha-primary and "
		      "pgha-replicas.\n"
		      "tcp:\n  routers:\n");
	add_router("pgha-primary", text);
	add_router("pgha-replicas", text);
	buf_str(text, "  services:\n    pgha-primary:\n      loadBalancer:\n        servers:\n"
		      "          - address: \"");
	add_address(p.host, p.port, text);
	buf_str(text, "\"\n    pgha-replicas:\n      loadBalancer:\n        servers:\n");
	add_readers(picture, "          - address: \"", "\"\n", text);
	return 0;
}

/* ---- keepalived ---- */

static int need_vip(const struct proxy_wish *wish, struct err *err)
{
	if (wish->vip == NULL || wish->nic == NULL)
		return err_set(err, ERR_PARSE,
			       "keepalived needs --vip ADDRESS/BITS and --interface NAME");
	if (wish->member == NULL || *wish->member == '\0')
		return err_set(err, ERR_PARSE, "keepalived needs --member, whose file it is");
	return 0;
}

static int print_keepalived(const struct picture *picture, const struct proxy_wish *wish,
			    struct buf *text, struct err *err)
{
	const struct tree_node *self;
	struct place p;
	int r = need_vip(wish, err);

	if (r < 0)
		return r;
	self = picture_member(picture, wish->member);
	if (self == NULL || !place_of(self, &p))
		return err_set(err, ERR_STATE, "No member '%s' whose address is known",
			       wish->member);
	add_head(picture, " The address is with whoever answers 200 to /primary.", text);
	/* Version 3 counts in hundredths: who comes up waits three times advert_int, and a bit. */
	buf_str(text, "global_defs {\n    vrrp_version 3\n    enable_script_security\n"
		      "    script_user nobody\n}\n\n"
		      "vrrp_script pgha_primary {\n"
		      "    script \"/usr/bin/curl -fsk -m 1 -o /dev/null ");
	buf_printf(text, "%s://", p.tls ? "https" : "http");
	add_address(p.rest_host, p.rest_port, text);
	buf_printf(text,
		   "/primary\"\n    interval 1\n    timeout 2\n    fall 1\n    rise 1\n}\n\n"
		   "vrrp_instance pgha_%s {\n    state BACKUP\n    interface %s\n"
		   "    virtual_router_id %lld\n    priority 100\n    advert_int 0.2\n"
		   "    unicast_src_ip %s\n    unicast_peer {\n",
		   picture->name, wish->nic, (long long)wish->router_id, p.host);
	for (const struct tree_node *m = picture_members(picture); m != NULL; m = m->next)
		if (m != self && place_of(m, &p))
			buf_printf(text, "        %s\n", p.host);
	buf_printf(text,
		   "    }\n    virtual_ipaddress {\n        %s dev %s\n    }\n"
		   "    track_script {\n        pgha_primary\n    }\n}\n",
		   wish->vip, wish->nic);
	return 0;
}

bool proxy_kind_of(const char *name, enum proxy_kind *ret)
{
	static const char *const names[PROXY__MAX] = {
#define X(n, t) [PROXY_##n] = t,
		PROXY_KINDS(X)
#undef X
	};

	for (enum proxy_kind k = 0; k < PROXY__MAX; k++) {
		if (!str_eq(names[k], name))
			continue;
		*ret = k;
		return true;
	}
	return false;
}

int proxy_print(const struct picture *picture, const struct proxy_wish *wish,
		struct buf *ret_text, struct err *err)
{
	if (picture_members(picture) == NULL)
		return err_set(err, ERR_STATE, "'%s' has no members", picture->name);
	switch (wish->kind) {
	case PROXY_HAPROXY:
		return print_haproxy(picture, wish, ret_text);
	case PROXY_NGINX:
		return print_nginx(picture, wish, ret_text, err);
	case PROXY_PGBOUNCER:
		return print_pgbouncer(picture, ret_text, err);
	case PROXY_KEEPALIVED:
		return print_keepalived(picture, wish, ret_text, err);
	case PROXY_TRAEFIK:
		return print_traefik(picture, ret_text, err);
	case PROXY__MAX:
		break;
	}
	return err_set(err, ERR_PARSE, "no such program");
}
