/* SPDX-License-Identifier: PostgreSQL */
/*
 * reach - where commands find their cluster: in etcd, or at a member
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/node.h"

#define KNOWN_MAX ((size_t)200) /* bytes of names that are listed */
#define REST_TIMEOUT_MS 5000

int cli_key(const struct cli *cli, const char *cluster, const char *key, char dst[ETCD_KEY_SIZE],
	    struct err *err)
{
	const char *space = cli->setup.config->namespace_;

	if (*cluster == '\0' || strchr(cluster, '/') != NULL ||
	    str_printf(dst, ETCD_KEY_SIZE, "%s%s/%s/%s", *space != '\0' ? "/" : "", space, cluster,
		       key) < 0)
		return err_set(err, ERR_RANGE, "'%s' is no name of a cluster", cluster);
	return 0;
}

static struct api *need_api(struct cli *cli)
{
	if (cli->api == NULL)
		cli->api = api_new(cli->loop, cli->http, &cli->setup.config->ctl);
	return cli->api;
}

static int need_dcs(struct cli *cli, struct err *err)
{
	int r;

	if (cli->dcs != NULL)
		return 0;
	if (cli->setup.config->etcd.nendpoints == 0 && cli->setup.config->etcd.srv == NULL)
		return err_set(err, ERR_CONFIG,
			       "no address of etcd: give it with -d etcd3://host:2379, or name a "
			       "configuration file with -c%s%s",
			       cli->setup.file != NULL ? "; read was " : "",
			       cli->setup.file != NULL ? cli->setup.file : "");
	r = dcs_new(cli->loop, cli->http, &cli->setup.config->etcd, &cli->dcs, err);
	if (r >= 0 && cli->patience_ms > 0)
		dcs_hurry(cli->dcs, cli->patience_ms);
	if (r >= 0 && cli->dry)
		dcs_seal(cli->dcs);
	return r;
}

int cli_read_namespace(struct cli *cli, struct etcd_kvs *ret, struct err *err)
{
	const char *space = cli->setup.config->namespace_;
	char prefix[ETCD_KEY_SIZE];
	int r;

	r = need_dcs(cli, err);
	if (r < 0)
		return r;
	if (str_printf(prefix, sizeof(prefix), "%s%s/", *space != '\0' ? "/" : "", space) < 0)
		return err_set(err, ERR_TOOLONG, "namespace '%s'", space);
	return dcs_read(cli->dcs, prefix, ret, err);
}

int cli_aim(struct cli *cli, const char *cluster, struct err *err)
{
	struct setup_args args = cli->setup_args;
	struct setup setup = { 0 };
	int r;

	if (cli->setup.nscopes == 0 || str_eq(cluster, cli->setup.config->scope))
		return 0;
	args.scope = cluster;
	r = setup_load(&args, &setup, err);
	if (r < 0) {
		setup_done(&setup);
		return r;
	}
	dcs_free(cli->dcs);
	cli->dcs = NULL;
	api_free(cli->api);
	cli->api = NULL;
	setup_done(&cli->setup);
	cli->setup = setup;
	return 0;
}

int cli_cluster_named(const struct cli *cli, const char *given, const char **ret_name,
		      struct err *err)
{
	const char *name = given != NULL ? given : cli->setup.config->scope;
	_cleanup_(buf_done) struct buf names = { 0 };

	*ret_name = name;
	if (*name != '\0')
		return 0;
	for (size_t i = 0; i < cli->setup.nscopes; i++)
		buf_printf(&names, "%s%s", i > 0 ? ", " : "", cli->setup.scopes[i]);
	if (names.len > 0)
		return err_set(err, ERR_CONFIG, "No cluster name given, and %s configures %s",
			       cli->setup.file, names.data);
	if (cli->setup.file == NULL)
		return err_set(err, ERR_CONFIG,
			       "No cluster name given, and no configuration found: name its file "
			       "with -c (CONFIGURATION in hactl(1) has where it is looked for), or "
			       "give -d etcd3://host:port and the name of the cluster");
	return err_set(err, ERR_CONFIG,
		       "No cluster name given, and no scope in %s: name the cluster on the command "
		       "line, or add scope there",
		       cli->setup.file);
}

int cli_cluster(const struct cli *cli, const struct args *args, const char **ret_name,
		struct err *err)
{
	return cli_cluster_named(cli, args_word(args, 0), ret_name, err);
}

/* A name that was mistyped looks like a cluster without members: what there is instead is said. */
static void tell_unknown(struct cli *cli, const char *name)
{
	_cleanup_(etcd_kvs_done) struct etcd_kvs kvs = { 0 };
	_cleanup_(buf_done) struct buf known = { 0 };
	_cleanup_(freep) char *last = NULL;
	size_t skip = strlen(cli->setup.config->namespace_);

	skip += skip > 0 ? 2 : 1;
	if (cli_read_namespace(cli, &kvs, NULL) < 0)
		return;
	/* Keys lie in their order, so one cluster's come together. */
	for (size_t i = 0; i < kvs.n && known.len < KNOWN_MAX; i++) {
		const char *rest = kvs.items[i].key + MIN_OF(skip, strlen(kvs.items[i].key));
		const size_t len = strcspn(rest, "/");
		_cleanup_(freep) char *other = str_ndup(rest, len);

		if (rest[len] == '\0' || str_eq(other, last))
			continue;
		buf_printf(&known, "%s%s", known.len > 0 ? ", " : "", other);
		freep(&last);
		last = TAKE(other);
	}
	fprintf(stderr, "etcd knows no cluster %s%s%s%s\n", name,
		known.len > 0 ? "; it knows: " : ", and no other below this namespace",
		known.len > 0 ? known.data : "", known.len >= KNOWN_MAX ? ", ..." : "");
}

int cli_picture_dcs(struct cli *cli, const char *name, struct picture *ret, struct err *err)
{
	char prefix[ETCD_KEY_SIZE];
	struct etcd_kvs kvs = { 0 };
	int r;

	r = cli_aim(cli, name, err);
	if (r >= 0)
		r = need_dcs(cli, err);
	if (r < 0)
		return r;
	r = cli_key(cli, name, "", prefix, err);
	if (r < 0)
		return r;
	r = dcs_read(cli->dcs, prefix, &kvs, err);
	if (r < 0)
		return r;
	picture_from_kvs(name, prefix, &kvs, ret);
	if (kvs.n == 0 && !cli->quiet)
		tell_unknown(cli, name);
	etcd_kvs_done(&kvs);
	if (ret->notes.len > 0 && !cli->quiet)
		fprintf(stderr, "%s", ret->notes.data);
	return 0;
}

static int64_t rest_timeout_ms(const struct cli *cli)
{
	return cli->patience_ms > 0 ? cli->patience_ms : REST_TIMEOUT_MS;
}

/* A document that a member gives; ret->root NULL: it did not. */
static void ask_document(struct cli *cli, const char *base, const char *path, enum tree_type type,
			 struct tree *ret)
{
	_cleanup_(api_reply_done) struct api_reply reply = { 0 };
	_cleanup_(freep) char *url = api_url(base, path);

	if (api_call(need_api(cli), "GET", url, NULL, rest_timeout_ms(cli), &reply, NULL) < 0 ||
	    reply.code != 200 || tree_from_json(api_text(&reply), reply.body.len, ret, NULL) < 0)
		return;
	if (ret->root->type != type)
		tree_done(ret);
}

/* *ret_stale: etcd is away there as well, and it tells what it saw last. */
static int picture_at(struct cli *cli, const char *base, const char *name, struct picture *ret,
		      bool *ret_stale, struct err *err)
{
	_cleanup_(api_reply_done) struct api_reply reply = { 0 };
	_cleanup_(tree_done) struct tree status = { 0 };
	_cleanup_(freep) char *url = api_url(base, "cluster");
	const char *scope;
	int r;

	r = api_call(need_api(cli), "GET", url, NULL, rest_timeout_ms(cli), &reply, err);
	if (r < 0)
		return r;
	ask_document(cli, base, "patroni", TREE_MAP, &status);
	r = picture_from_rest(name, api_text(&reply), reply.body.len,
			      node_str(status.root, "database_system_identifier"), ret, err);
	if (r < 0)
		return err_set(err, ERR_PROTOCOL, "%s answered %d: %.200s", url, reply.code,
			       api_text(&reply));
	scope = node_text(ret->doc.root, "scope");
	if (scope != NULL && !str_eq(scope, name)) {
		r = err_set(err, ERR_STATE, "%s is of the cluster %s", base, scope);
		picture_done(ret);
		return r;
	}
	*ret_stale = reply.code != 200;
	ask_document(cli, base, "config", TREE_MAP, &ret->config);
	ask_document(cli, base, "history", TREE_LIST, &ret->history);
	return 0;
}

/* The first that answers. *ret_from: where that was; heap. */
static int picture_by_rest(struct cli *cli, const char *name, struct picture *ret,
			   char **ret_from, bool *ret_stale, struct err *err)
{
	const struct strings *members = &cli->setup.config->ctl.members;
	int r = -ERR_CONNECT;

	for (size_t i = 0; r < 0 && i < members->n; i++) {
		const char *item = members->items[i];

		free(*ret_from);
		*ret_from = strstr(item, "://") != NULL ? str_dup(item) :
							  str_dupf("http://%s", item);
		r = picture_at(cli, *ret_from, name, ret, ret_stale, err);
	}
	if (r < 0 && *cli->setup.rest_url != '\0') {
		free(*ret_from);
		*ret_from = str_dup(cli->setup.rest_url);
		r = picture_at(cli, *ret_from, name, ret, ret_stale, err);
	}
	return r;
}

static bool has_etcd(const struct cli *cli)
{
	return cli->setup.config->etcd.nendpoints > 0 || cli->setup.config->etcd.srv != NULL;
}

int cli_picture(struct cli *cli, const char *name, struct picture *ret, struct err *err)
{
	_cleanup_(freep) char *from = NULL;
	struct err rest_err = { 0 };
	bool stale = false;
	int r;

	r = cli_picture_dcs(cli, name, ret, err);
	if (r >= 0 || err->code == ERR_RANGE || err->code == ERR_DENIED ||
	    (*cli->setup.rest_url == '\0' && cli->setup.config->ctl.members.n == 0))
		return r;
	if (picture_by_rest(cli, name, ret, &from, &stale, &rest_err) < 0)
		return err_set(err, ERR_CONNECT, "%s; nor does the REST API help: %s", err->msg,
			       rest_err.msg);
	if ((has_etcd(cli) || stale) && !cli->quiet)
		fprintf(stderr, "%s\nShown is what the member at %s %s.\n", err->msg, from,
			stale ? "saw last; it does not reach etcd either" : "knows");
	return 0;
}

int cli_picture_own(struct cli *cli, const struct args *args, struct picture *ret,
		    struct err *err)
{
	const char *name = NULL;
	int r;

	r = cli_cluster(cli, args, &name, err);
	return r < 0 ? r : cli_picture(cli, name, ret, err);
}

/* Who may not is told what is missing; what the member says itself is told by the command. */
static void tell_denial(const struct cli *cli, const struct tree_node *member, int code)
{
	const char *file = cli->setup.file != NULL ? cli->setup.file : "a file for -c";

	if (code == 401)
		fprintf(stderr,
			"%s takes commands from who logs in: ctl.authentication with username and "
			"password belongs into %s\n",
			node_str(member, "name"), file);
	else if (code == 403)
		fprintf(stderr,
			"%s takes no commands from here: its restapi.allowlist must have the address "
			"of this host, or ctl.certfile and ctl.keyfile a certificate that it "
			"trusts, in %s\n",
			node_str(member, "name"), file);
}

int cli_request(struct cli *cli, const struct tree_node *member, const char *method,
		const char *path, const char *body, int64_t timeout_ms, struct api_reply *ret,
		struct err *err)
{
	const char *base = node_str(member, "api_url");
	_cleanup_(freep) char *url = NULL;
	int r;

	if (cli->dry && !str_eq(method, "GET"))
		return err_set(err, ERR_STATE, "%s %s is not sent in a dry run", method, path);
	if (*base == '\0')
		return err_set(err, ERR_STATE, "member '%s' has no REST API address",
			       node_str(member, "name"));
	url = api_url(base, path);
	r = api_call(need_api(cli), method, url, body, timeout_ms, ret, err);
	if (r >= 0)
		tell_denial(cli, member, ret->code);
	return r;
}

struct http_call *cli_listen(struct cli *cli, const struct tree_node *member, const char *path,
			     size_t max_bytes, http_data_fn data, http_done_fn done, void *ctx)
{
	_cleanup_(freep) char *url = api_url(node_str(member, "api_url"), path);

	return api_listen(need_api(cli), url, max_bytes, data, done, ctx);
}

static void read_status(const struct api_reply *reply, struct tree *ret, struct err *err)
{
	if (err->code != ERR_NONE)
		return;
	if (tree_from_json(api_text(reply), reply->body.len, ret, err) < 0) {
		(void)err_wrap(err, "HTTP %d, %.100s", reply->code, api_text(reply));
		return;
	}
	if (ret->root->type == TREE_MAP)
		return;
	tree_done(ret);
	(void)err_set(err, ERR_PROTOCOL, "what it says cannot be read");
}

size_t cli_gather(struct cli *cli, const struct picture *picture, size_t max, int64_t timeout_ms,
		  struct tree *ret_statuses, struct err *ret_errs)
{
	_cleanup_(freep) char **urls = mem_new(max + 1, sizeof(*urls));
	_cleanup_(freep) struct api_reply *replies = mem_new(max + 1, sizeof(*replies));
	const struct tree_node *m = picture_members(picture);
	size_t n = 0;

	for (; m != NULL && n < max; m = m->next, n++) {
		ret_statuses[n] = (struct tree){ 0 };
		if (*node_str(m, "api_url") != '\0')
			urls[n] = api_url(node_str(m, "api_url"), "patroni");
	}
	api_gather(need_api(cli), (const char *const *)urls, n, timeout_ms, replies, ret_errs);
	for (size_t i = 0; i < n; i++) {
		read_status(&replies[i], &ret_statuses[i], &ret_errs[i]);
		api_reply_done(&replies[i]);
		free(urls[i]);
	}
	return n;
}
