/* SPDX-License-Identifier: PostgreSQL */
/*
 * restaccess - who may send commands, and the line in the log about each
 */
#include "io/restaccess.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdlib.h>

#include "base/log.h"
#include "wire/b64.h"
#include "wire/pct.h"
#include "wire/restroute.h"
#include "wire/tree.h"

#define PATH_TOLD 64
#define TEXT_TOLD 160

/* ---- wrong passwords ---- */

static struct in6_addr net_of(const struct in6_addr *addr)
{
	struct in6_addr net = *addr;

	if (!IN6_IS_ADDR_V4MAPPED(addr))
		memset(&net.s6_addr[8], 0, 8);
	return net;
}

/* The place of that network, else the one that owes least. */
static struct restaccess_addr *place_of(struct restaccess *access, const struct in6_addr *net)
{
	struct restaccess_addr *least = &access->addrs[0];

	for (size_t i = 0; i < RESTACCESS_ADDRS; i++) {
		struct restaccess_addr *at = &access->addrs[i];

		if (memcmp(&at->net, net, sizeof(*net)) == 0)
			return at;
		if (at->owes_until_ms < least->owes_until_ms)
			least = at;
	}
	return least;
}

static bool is_held_off(struct restaccess *access, const struct in6_addr *net)
{
	const struct restaccess_addr *at = place_of(access, net);

	return memcmp(&at->net, net, sizeof(*net)) == 0 &&
	       at->owes_until_ms - loop_now_ms() > (RESTACCESS_BURST - 1) * RESTACCESS_EVERY_MS;
}

static void note_wrong(struct restaccess *access, const struct in6_addr *net)
{
	struct restaccess_addr *at = place_of(access, net);
	int64_t now_ms = loop_now_ms();

	if (memcmp(&at->net, net, sizeof(*net)) != 0)
		*at = (struct restaccess_addr){ .net = *net };
	at->owes_until_ms = MAX_OF(at->owes_until_ms, now_ms) + RESTACCESS_EVERY_MS;
}

/* ---- the checks ---- */

/* Takes the same time wherever the first difference is. */
static bool same_secret(const char *given, size_t len, const char *wanted)
{
	size_t want_len = strlen(wanted);
	unsigned char diff = len != want_len;

	for (size_t i = 0; i < len; i++)
		diff |= (unsigned char)(given[i] ^ wanted[want_len ? i % want_len : 0]);
	return diff == 0;
}

static bool is_right(const struct rest_settings *settings, const char *header)
{
	static const char basic[] = "Basic ";
	_cleanup_(buf_done) struct buf given = { 0 };
	bool right;

	if (strncasecmp(header, basic, sizeof(basic) - 1) != 0)
		return false;
	header += sizeof(basic) - 1;
	right = b64_decode(header, strlen(header), &given, NULL) >= 0 &&
		same_secret(given.data ?: "", given.len, settings->credentials);
	if (given.data)
		explicit_bzero(given.data, given.len);
	return right;
}

static int check_credentials(struct restaccess *access, const struct rest_settings *settings,
			     const struct in6_addr *from, const char *header,
			     struct restaccess_who *who, const char **ret_text)
{
	struct in6_addr net = net_of(from);

	if (!settings->credentials)
		return 0;
	*ret_text = "no auth header received";
	if (!header)
		return MHD_HTTP_UNAUTHORIZED;
	*ret_text = "too many wrong passwords from this address, try again in a moment";
	if (is_held_off(access, &net))
		return RESTACCESS_TOO_MANY;
	*ret_text = "not authenticated";
	if (!is_right(settings, header)) {
		note_wrong(access, &net);
		return MHD_HTTP_UNAUTHORIZED;
	}
	str_clip(who->user, sizeof(who->user), settings->credentials);
	who->user[strcspn(who->user, ":")] = '\0';
	return 0;
}

/* A page that an operator looks at must not send commands with what his browser remembers. Only
 * browsers name an origin. Who lets pages of other servers in by a header of his own means it. */
static bool is_from_a_page(const struct rest_settings *settings,
			   struct MHD_Connection *connection)
{
	for (size_t i = 0; i < settings->headers.n; i++)
		if (str_ieq(settings->headers.items[i].name, "Access-Control-Allow-Origin"))
			return false;
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Origin") != NULL;
}

static void tell_address(const struct in6_addr *addr, struct restaccess_who *who)
{
	const char *text = IN6_IS_ADDR_V4MAPPED(addr) ?
				   inet_ntop(AF_INET, &addr->s6_addr[12], who->addr,
					     sizeof(who->addr)) :
				   inet_ntop(AF_INET6, addr, who->addr, sizeof(who->addr));

	if (!text)
		str_clip(who->addr, sizeof(who->addr), "?");
}

static bool is_allowed(const struct rest_settings *settings, const struct sockaddr *addr,
		       const char *path)
{
	/* Who the members are is not known while etcd is away. */
	bool restricted = pct_has_segment(path, "failsafe") ? settings->listed :
							      settings->restricted;

	return !restricted || allow_has(&settings->allow, addr);
}

int restaccess_check(struct restaccess *access, const struct rest_settings *settings,
		     struct MHD_Connection *connection, const char *path,
		     struct restaccess_who *ret_who, const char **ret_text)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct in6_addr from = { 0 };

	*ret_who = (struct restaccess_who){ 0 };
	(void)allow_address(info->client_addr, &from);
	tell_address(&from, ret_who);
	*ret_text = "Access is denied";
	if (!is_allowed(settings, info->client_addr, path))
		return MHD_HTTP_FORBIDDEN;
	if (settings->tls && settings->tls->verify_client != VERIFY_NONE) {
		info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
		*ret_text = "client certificate required";
		if (!resttls_has_cert(info->tls_session))
			return MHD_HTTP_FORBIDDEN;
		resttls_cert_name(info->tls_session, ret_who->cert, sizeof(ret_who->cert));
	}
	*ret_text = "commands are not taken from web pages";
	if (is_from_a_page(settings, connection))
		return MHD_HTTP_FORBIDDEN;
	return check_credentials(access, settings, &from,
				 MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							     MHD_HTTP_HEADER_AUTHORIZATION),
				 ret_who, ret_text);
}

/* ---- members ---- */

static bool is_of_member(struct restaccess *access, const struct peersign *sign, const char *header,
			 const struct restaccess_asks *asks, struct restaccess_who *who,
			 char why[PEERSIGN_WHY_SIZE])
{
	_cleanup_(freep) char *path =
		str_dupf("%s%s%s", asks->path, asks->query ? "?" : "", asks->query ?: "");
	struct peersign_call call = {
		.method = asks->method, .path = path, .body = asks->body, .body_len = asks->body_len
	};
	char from[NAME_SIZE] = "";

	if (!access->memory)
		access->memory = mem_new(1, sizeof(*access->memory));
	if (!peersign_take_call(sign, access->memory, header, loop_wall_us() / 1000, &call, from,
				why))
		return false;
	str_clip(who->peer, sizeof(who->peer), from);
	str_clip(who->nonce, sizeof(who->nonce), call.nonce);
	return true;
}

static bool is_for_members(const struct peersign *sign, const struct restaccess_asks *asks)
{
	const struct restroute *route = restroute_find(asks->method, asks->path);

	return sign->required && route && route->peer;
}

bool restaccess_check_peer(struct restaccess *access, const struct rest_settings *settings,
			   struct MHD_Connection *connection, const struct restaccess_asks *asks,
			   struct restaccess_who *who, char **ret_text)
{
	const struct peersign *sign = &settings->sign;
	const union MHD_ConnectionInfo *info;
	const char *header;
	char why[PEERSIGN_WHY_SIZE] = "no signature of a member (restapi.peer_auth is required)";
	struct in6_addr addr = { 0 };

	if (sign->nsecrets == 0)
		return true;
	header = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, PEERSIGN_HEADER);
	if (!header && !is_for_members(sign, asks))
		return true;
	if (header && is_of_member(access, sign, header, asks, who, why))
		return true;
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	(void)allow_address(info->client_addr, &addr);
	tell_address(&addr, who);
	*ret_text = str_dup(why);
	return false;
}

void restaccess_done(struct restaccess *access)
{
	free(TAKE(access->memory));
}

/* ---- the log ---- */

/* Questions of members and of hactl that change nothing are no news. */
static enum log_level level_of(const struct restaccess_deed *deed)
{
	const struct restroute *route = restroute_find(deed->method, deed->path);

	if (deed->refused)
		return LOG_WARNING;
	if (!route)
		return LOG_INFO;
	switch (route->id) {
	case ROUTE_ASK_FAILSAFE:
	case ROUTE_EXPLAIN:
	case ROUTE_DOCTOR:
	case ROUTE_RECORDER:
		return LOG_DEBUG;
	case ROUTE_PATCH_CONFIG:
	case ROUTE_PUT_CONFIG:
	case ROUTE_RELOAD:
	case ROUTE_RESTART:
	case ROUTE_DELETE_RESTART:
	case ROUTE_REINITIALIZE:
	case ROUTE_SWITCHOVER:
	case ROUTE_DELETE_SWITCHOVER:
	case ROUTE_FAILOVER:
	case ROUTE_SEAL:
	case ROUTE_DCS_ACCEPT:
		return LOG_NOTICE;
	case ROUTE_NONE:
	case ROUTE_HEALTH:
	case ROUTE_PATRONI:
	case ROUTE_CLUSTER:
	case ROUTE_HISTORY:
	case ROUTE_CONFIG:
	case ROUTE_FAILSAFE:
	case ROUTE_METRICS:
	case ROUTE_LIVENESS:
	case ROUTE_READINESS:
	case ROUTE_LIVE:
	case ROUTE_READY:
	case ROUTE_READY_DB:
	case ROUTE_EVENTS:
	case ROUTE_OPENAPI:
	case ROUTE__MAX:
		break;
	}
	return LOG_INFO;
}

/* " (leader, candidate)" */
static void add_keys(const struct restaccess_deed *deed, struct buf *line)
{
	_cleanup_(tree_done) struct tree tree = { 0 };
	const char *before = " (";

	if (deed->body_len == 0 || tree_from_json(deed->body, deed->body_len, &tree, NULL) < 0)
		return;
	for (const struct tree_node *at = tree.root->first; at && at->key; at = at->next) {
		buf_printf(line, "%s%.*s", before, NAME_SIZE, at->key);
		before = ", ";
		if (line->len > TEXT_TOLD)
			break;
	}
	if (before[0] == ',')
		buf_ch(line, ')');
}

static void add_who(const struct restaccess_who *who, struct buf *line)
{
	buf_printf(line, " from %s", who->addr);
	if (who->user[0])
		buf_printf(line, " as '%s'", who->user);
	if (who->cert[0])
		buf_printf(line, " with the certificate of '%s'", who->cert);
	if (who->peer[0])
		buf_printf(line, " signed by '%s'", who->peer);
}

static bool is_time(struct restaccess *access)
{
	int64_t now_ms = loop_now_ms();

	if (access->told_at_ms != 0 && now_ms - access->told_at_ms < RESTACCESS_TELL_MS) {
		access->untold++;
		return false;
	}
	access->told_at_ms = now_ms;
	return true;
}

void restaccess_tell(struct restaccess *access, const struct restaccess_deed *deed)
{
	enum log_level level = level_of(deed);
	_cleanup_(buf_done) struct buf line = { 0 };

	if (!log_wants(level) || (deed->refused && !is_time(access)))
		return;
	buf_printf(&line, "%.16s %.*s", deed->method, PATH_TOLD, deed->path);
	/* Nobody has to read what comes from somebody unknown. */
	if (!deed->refused)
		add_keys(deed, &line);
	add_who(deed->who, &line);
	buf_printf(&line, ": %d", deed->code);
	if (deed->text && deed->text[0])
		buf_printf(&line, " %.*s", TEXT_TOLD, deed->text);
	if (deed->refused && access->untold > 0)
		buf_printf(&line, "; %u more were refused since the last such line",
			   access->untold);
	if (deed->refused)
		access->untold = 0;
	log_at(level, "REST: %s", line.data);
}
