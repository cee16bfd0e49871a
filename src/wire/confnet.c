/* SPDX-License-Identifier: PostgreSQL */
/*
 * confnet - the sections etcd3, restapi and ctl into struct config
 */
#include "wire/confbuild.h"

#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "wire/confvalue.h"

#define ETCD_PORT 2379
#define REST_PORT 8008
#define DNS_LABEL_MAX  63
/* "_etcd-client-ssl-" goes before it in one label. */
#define SRV_SUFFIX_MAX 46

void confbuild_check_advertised(const struct confbuild *build, const char *path, const char *host)
{
	if (confvalue_is_wildcard(host))
		confbuild_report(build, true, path,
				 "'%s' means every address and cannot be reached from elsewhere; "
				 "set the address that the other members use", host);
}

/* Takes "https://" off and says what it was. */
static const char *take_scheme(const struct confbuild *build, const char *path, const char *text,
			       bool *tls)
{
	const char *rest = strstr(text, "://");

	if (rest == NULL)
		return text;
	if (strncmp(text, "https://", strlen("https://")) == 0)
		*tls = true;
	else if (strncmp(text, "http://", strlen("http://")) == 0)
		*tls = false;
	else
		/* What follows may hold a password. */
		confbuild_report(build, true, path, "'%.*s' is no http or https URL",
				 (int)MIN_OF(rest + 3 - text, (ptrdiff_t)40), text);
	return rest + strlen("://");
}

static void add_endpoint(const struct confbuild *build, const char *path, const char *address,
			 bool tls)
{
	struct config_etcd *etcd = &build->config->etcd;
	uint16_t port = (uint16_t)confget_int(&build->get, "etcd3.port");
	struct endpoint endpoint = { .tls = tls };
	struct err err = { 0 };

	if (parse_hostport(address, port != 0 ? port : ETCD_PORT, endpoint.host,
			   sizeof(endpoint.host), &endpoint.port, &err) < 0) {
		confbuild_report(build, true, path, "%s", err.msg);
		return;
	}
	if (etcd->nendpoints == ENDPOINTS_MAX) {
		confbuild_report(build, false, path, "more than %d endpoints; '%s' is not used",
				 ENDPOINTS_MAX, endpoint.host);
		return;
	}
	etcd->endpoints[etcd->nendpoints++] = endpoint;
}

static int hex_digit(char c)
{
	const char *const digits = "0123456789abcdef";
	const char *at = c != '\0' ? strchr(digits, c | ' ') : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

/* %40 -> @ ; what is no escape stays. */
static char *url_decode(const char *text, size_t len)
{
	char *copy = str_ndup(text, len);
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int high = copy[i] == '%' && i + 2 < len ? hex_digit(copy[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(copy[i + 2]) : -1;

		if (low >= 0) {
			copy[n++] = (char)(high * 16 + low);
			i += 2;
			continue;
		}
		copy[n++] = copy[i];
	}
	copy[n] = '\0';
	return copy;
}

/* [http[s]://][user[:password]@]host[:port][/...]; the user goes to etcd's, if none is given. */
static void add_url(const struct confbuild *build, const char *path, const char *text, bool tls)
{
	struct config_etcd *etcd = &build->config->etcd;
	_cleanup_(freep) char *bare = NULL;
	const char *rest = take_scheme(build, path, text, &tls);
	const char *at;

	bare = str_ndup(rest, strcspn(rest, "/?#"));
	at = strrchr(bare, '@');
	if (at != NULL) {
		size_t user_len = strcspn(bare, ":@");
		size_t pass_at = user_len + (bare[user_len] == ':');

		if (etcd->username == NULL)
			etcd->username = url_decode(bare, user_len);
		if (etcd->password == NULL && bare[user_len] == ':')
			etcd->password =
				url_decode(bare + pass_at, (size_t)(at - bare) - pass_at);
	}
	add_endpoint(build, path, at != NULL ? at + 1 : bare, tls);
}

static void take_endpoints(const struct confbuild *build, bool tls)
{
	struct config_etcd *etcd = &build->config->etcd;
	_cleanup_(freep) char *proxy = confget_text(&build->get, "etcd3.proxy");
	_cleanup_(freep) char *url = confget_text(&build->get, "etcd3.url");
	_cleanup_(freep) char *host = confget_text(&build->get, "etcd3.host");
	struct strings hosts = { 0 };

	confget_strings(&build->get, "etcd3.hosts", &hosts);
	if (proxy != NULL) {
		add_url(build, "etcd3.proxy", proxy, tls);
		etcd->use_proxies = true;
	} else if (url != NULL) {
		add_url(build, "etcd3.url", url, tls);
	} else if (hosts.n > 0) {
		for (size_t i = 0; i < hosts.n; i++)
			add_url(build, "etcd3.hosts", hosts.items[i], tls);
	} else if (host != NULL) {
		add_url(build, "etcd3.host", host, tls);
	} else if (etcd->srv == NULL) {
		confbuild_report(build, true, "etcd3",
				 "one of host, hosts, url, proxy or srv is required");
	}
	for (size_t i = 0; i < hosts.n; i++)
		free(hosts.items[i]);
	free(hosts.items);
}

/* A domain of DNS, or what is glued to a service name in it. What is asked for with anything else
 * is no name, which would show only as an etcd that is never found. */
static bool is_dns_text(const char *text)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	size_t len = strlen(text);
	size_t at = 0;

	if (len == 0 || len >= HOST_SIZE)
		return false;
	while (at < len) {
		size_t label = strspn(text + at, letters);

		if (label == 0 || label > DNS_LABEL_MAX ||
		    (text[at + label] != '.' && text[at + label] != '\0'))
			return false;
		at += label + 1;
	}
	return true;
}

static void check_srv(const struct confbuild *build)
{
	const struct config_etcd *etcd = &build->config->etcd;

	if (etcd->srv != NULL && !is_dns_text(etcd->srv))
		confbuild_report(build, true, "etcd3.srv", "'%.40s' is no domain name; give it as "
				 "example.com", etcd->srv);
	if (etcd->srv_suffix != NULL &&
	    (!is_dns_text(etcd->srv_suffix) || strlen(etcd->srv_suffix) > SRV_SUFFIX_MAX ||
	     strchr(etcd->srv_suffix, '.') != NULL))
		confbuild_report(build, true, "etcd3.srv_suffix",
				 "'%.40s' cannot be part of a service name; letters, "
				 "digits and '-', at most %d", etcd->srv_suffix, SRV_SUFFIX_MAX);
	if (etcd->srv_suffix != NULL && etcd->srv == NULL)
		confbuild_report(build, false, "etcd3.srv_suffix", "is used only with srv");
}

void confbuild_etcd(const struct confbuild *build)
{
	const struct confget *get = &build->get;
	struct config_etcd *etcd = &build->config->etcd;
	bool tls = confget_word(get, "etcd3.protocol") == 1;
	bool any_tls = tls;

	if (tree_find(get->local, "etcd3") == NULL)
		return; /* reported as missing */
	etcd->srv = confget_text(get, "etcd3.srv");
	etcd->srv_suffix = confget_text(get, "etcd3.srv_suffix");
	etcd->use_proxies = confget_bool(get, "etcd3.use_proxies");
	etcd->username = confget_text(get, "etcd3.username");
	etcd->password = confget_text(get, "etcd3.password");
	etcd->cacert = confget_text(get, "etcd3.cacert");
	etcd->cert = confget_text(get, "etcd3.cert");
	etcd->key = confget_text(get, "etcd3.key");
	check_srv(build);
	take_endpoints(build, tls);

	for (uint32_t i = 0; i < etcd->nendpoints; i++)
		any_tls = any_tls || etcd->endpoints[i].tls;
	if (!any_tls && etcd->srv == NULL && (etcd->cacert != NULL || etcd->cert != NULL))
		confbuild_report(build, false, "etcd3.protocol",
				 "certificates are given but the protocol is http; set https");
	if (any_tls && etcd->cacert == NULL)
		confbuild_report(build, false, "etcd3.cacert",
				 "without it the certificate of etcd is not verified");
	if ((etcd->username == NULL) != (etcd->password == NULL))
		confbuild_report(build, false, "etcd3.username",
				 "username and password are used only together");
}

static void check_rest_tls(const struct confbuild *build)
{
	const struct config_restapi *rest = &build->config->restapi;

	if (rest->certfile == NULL && (rest->keyfile != NULL || rest->cafile != NULL))
		confbuild_report(build, false, "restapi.certfile",
				 "without it the service is plain http and keyfile and cafile are "
				 "not used");
	if (rest->verify_client != VERIFY_NONE && (rest->certfile == NULL || rest->cafile == NULL))
		confbuild_report(build, true, "restapi.verify_client",
				 "needs restapi.certfile, keyfile and cafile");
	if ((rest->username == NULL) != (rest->password == NULL))
		confbuild_report(build, true, "restapi.authentication",
				 "username and password are needed both, or commands would not be "
				 "protected");
}

static void take_peers(const struct confbuild *build)
{
	struct config_restapi *rest = &build->config->restapi;
	bool optional = confget_word(&build->get, "restapi.peer_auth") == 1;

	rest->peer_secret_file = confget_text(&build->get, "restapi.peer_secret_file");
	rest->peer_auth = optional ? PEER_OPTIONAL : PEER_REQUIRED;
	if (rest->peer_secret_file == NULL && !optional &&
	    confget_node(&build->get, "restapi.peer_auth") != NULL)
		confbuild_report(build, true, "restapi.peer_auth",
				 "needs restapi.peer_secret_file, or members would not be known by "
				 "anything");
}

static void take_rest_address(const struct confbuild *build)
{
	struct config_restapi *rest = &build->config->restapi;
	_cleanup_(freep) char *listen = confget_text(&build->get, "restapi.listen");
	_cleanup_(freep) char *connect = confget_text(&build->get, "restapi.connect_address");
	_cleanup_(freep) char *hosts = NULL;

	if (listen == NULL ||
	    confvalue_listen(listen, REST_PORT, &hosts, &rest->listen_port, NULL) < 0)
		return; /* reported by the check */
	if (strchr(hosts, ',') != NULL)
		confbuild_report(build, true, "restapi.listen",
				 "one address only; 0.0.0.0 or [::] listens on all");
	else
		str_copy(rest->listen_host, sizeof(rest->listen_host), hosts);
	if (connect == NULL) {
		str_copy(rest->connect_host, sizeof(rest->connect_host), rest->listen_host);
		rest->connect_port = rest->listen_port;
		confbuild_check_advertised(build, "restapi.connect_address", rest->connect_host);
		return;
	}
	if (parse_hostport(connect, rest->listen_port, rest->connect_host,
			   sizeof(rest->connect_host), &rest->connect_port, NULL) == 0)
		confbuild_check_advertised(build, "restapi.connect_address", rest->connect_host);
}

static void take_ctl(const struct confbuild *build)
{
	const struct confget *get = &build->get;
	const struct config_restapi *rest = &build->config->restapi;
	struct config_ctl *ctl = &build->config->ctl;

	ctl->username = confget_text(get, "ctl.authentication.username");
	ctl->password = confget_text(get, "ctl.authentication.password");
	if (ctl->username == NULL && ctl->password == NULL) {
		ctl->username = str_dup(rest->username);
		ctl->password = str_dup(rest->password);
	}
	ctl->cacert = confget_text(get, "ctl.cacert");
	if (ctl->cacert == NULL)
		ctl->cacert = str_dup(rest->cafile);
	ctl->certfile = confget_text(get, "ctl.certfile");
	ctl->keyfile = confget_text(get, "ctl.keyfile");
	ctl->keyfile_password = confget_text(get, "ctl.keyfile_password");
	ctl->insecure = confget_bool(get, "ctl.insecure");
	confget_strings(get, "ctl.members", &ctl->members);
}

void confbuild_restapi(const struct confbuild *build)
{
	const struct confget *get = &build->get;
	struct config_restapi *rest = &build->config->restapi;

	take_rest_address(build);
	rest->username = confget_text(get, "restapi.authentication.username");
	rest->password = confget_text(get, "restapi.authentication.password");
	rest->certfile = confget_text(get, "restapi.certfile");
	rest->keyfile = confget_text(get, "restapi.keyfile");
	rest->keyfile_password = confget_text(get, "restapi.keyfile_password");
	rest->cafile = confget_text(get, "restapi.cafile");
	rest->ciphers = confget_text(get, "restapi.ciphers");
	rest->verify_client = VERIFY_NONE;
	if (confget_word(get, "restapi.verify_client") == 1)
		rest->verify_client = VERIFY_OPTIONAL;
	if (confget_word(get, "restapi.verify_client") == 2)
		rest->verify_client = VERIFY_REQUIRED;
	confget_strings(get, "restapi.allowlist", &rest->allowlist);
	rest->allowlist_include_members = confget_bool(get, "restapi.allowlist_include_members");
	confget_pairs(get, "restapi.http_extra_headers", &rest->http_extra_headers);
	confget_pairs(get, "restapi.https_extra_headers", &rest->https_extra_headers);
	if (confget_word(get, "restapi.server_tokens") == 0)
		rest->server_tokens = SERVER_MINIMAL;
	if (confget_word(get, "restapi.server_tokens") == 1)
		rest->server_tokens = SERVER_PRODUCT;
	take_peers(build);
	check_rest_tls(build);
	take_ctl(build);
}
