/* SPDX-License-Identifier: PostgreSQL */
/*
 * rest - the HTTP server, seen from the loop
 */
#include "io/rest.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "io/restpriv.h"

#define LISTEN_BACKLOG     511
#define THREAD_STACK_BYTES (256 * 1024)
#define REFRESH_MS         30000
#define REFRESH_SOON_MS    1000 /* while a name has no address */

static void pairs_done(struct pairs *pairs)
{
	for (size_t i = 0; i < pairs->n; i++) {
		free(pairs->items[i].name);
		free(pairs->items[i].value);
	}
	free(TAKE(pairs->items));
	pairs->n = 0;
}

/* A later one of the same name replaces the earlier. */
static void pairs_put(struct pairs *pairs, const struct pair *pair)
{
	for (size_t i = 0; i < pairs->n; i++) {
		if (!str_ieq(pairs->items[i].name, pair->name))
			continue;
		free(pairs->items[i].value);
		pairs->items[i].value = str_dup(pair->value);
		return;
	}
	pairs->items = mem_grow(pairs->items, pairs->n + 1, sizeof(*pairs->items));
	pairs->items[pairs->n++] =
		(struct pair){ .name = str_dup(pair->name), .value = str_dup(pair->value) };
}

static void pairs_put_all(struct pairs *dst, const struct pairs *src)
{
	for (size_t i = 0; i < src->n; i++)
		pairs_put(dst, &src->items[i]);
}

static void config_free_parts(struct config_restapi *config)
{
	if (!config)
		return;
	free(config->username);
	free(config->password);
	for (size_t i = 0; i < config->allowlist.n; i++)
		free(config->allowlist.items[i]);
	free(config->allowlist.items);
	pairs_done(&config->http_extra_headers);
	pairs_done(&config->https_extra_headers);
	free(config);
}

/* What settings are made of again when host names get other addresses. */
static struct config_restapi *config_copy_parts(const struct config_restapi *src)
{
	struct config_restapi *dst = mem_new(1, sizeof(*dst));

	dst->username = str_dup(src->username);
	dst->password = str_dup(src->password);
	dst->allowlist_include_members = src->allowlist_include_members;
	dst->server_tokens = src->server_tokens;
	dst->allowlist.items = mem_new(src->allowlist.n + 1, sizeof(*dst->allowlist.items));
	dst->allowlist.n = src->allowlist.n;
	for (size_t i = 0; i < src->allowlist.n; i++)
		dst->allowlist.items[i] = str_dup(src->allowlist.items[i]);
	pairs_put_all(&dst->http_extra_headers, &src->http_extra_headers);
	pairs_put_all(&dst->https_extra_headers, &src->https_extra_headers);
	return dst;
}

void rest_settings_free(struct rest_settings *settings)
{
	if (!settings)
		return;
	if (settings->listen_fd >= 0)
		close(settings->listen_fd);
	free(settings->credentials);
	pairs_done(&settings->headers);
	resttls_free(settings->tls);
	explicit_bzero(&settings->sign, sizeof(settings->sign));
	free(settings);
}

void rest_task_free(struct rest_task *task)
{
	if (!task)
		return;
	command_done(&task->command);
	free(task->body);
	free(task);
}

static void wake(int fd)
{
	/* A full counter is awake already. */
	(void)!eventfd_write(fd, 1);
}

/* Adds what a host name stands for now; false when it has no address yet. */
static bool allow_name(struct rest *rest, struct allow *allow, const char *name)
{
	const char *known = resolve_known(rest->resolve, name);
	char addrs[RESOLVE_TEXT_MAX];
	char *rest_of;
	char *addr;

	if (!known)
		return false;
	str_clip(addrs, sizeof(addrs), known);
	for (addr = strtok_r(addrs, ",", &rest_of); addr; addr = strtok_r(NULL, ",", &rest_of))
		if (allow_add(allow, addr, NULL) != 0)
			break;
	return true;
}

static bool allow_entry(struct rest *rest, struct allow *allow, const char *entry)
{
	struct err err = { 0 };
	int rc = allow_add(allow, entry, &err);

	if (rc == ALLOW_NAME)
		return allow_name(rest, allow, entry);
	if (rc < 0)
		log_warning("restapi.allowlist: %s", err.msg);
	return true;
}

/* Patroni names Python by default, which is not here. */
static const char *server_name(const struct config_restapi *config)
{
	switch (config->server_tokens) {
	case SERVER_MINIMAL:
		return "Patroni/" RESTMSG_PATRONI_VERSION;
	case SERVER_PRODUCT:
		return "Patroni";
	case SERVER_ORIGINAL:
		break;
	}
	return NULL;
}

static struct rest_settings *make_settings(struct rest *rest, bool *ret_complete)
{
	struct rest_settings *settings = mem_new(1, sizeof(*settings));
	const struct config_restapi *config = rest->config;

	*ret_complete = true;
	settings->listen_fd = -1;
	if (config->username)
		settings->credentials =
			str_dupf("%s:%s", config->username, config->password ?: "");
	settings->listed = config->allowlist.n > 0;
	settings->server = server_name(config);
	settings->restricted = config->allowlist.n > 0 || config->allowlist_include_members;
	for (size_t i = 0; i < config->allowlist.n; i++)
		*ret_complete &= allow_entry(rest, &settings->allow, config->allowlist.items[i]);
	for (uint32_t i = 0; config->allowlist_include_members && i < rest->nmembers; i++)
		*ret_complete &= allow_entry(rest, &settings->allow, rest->members[i]);
	pairs_put_all(&settings->headers, &config->http_extra_headers);
	if (rest->tls)
		pairs_put_all(&settings->headers, &config->https_extra_headers);
	settings->tls = resttls_copy(rest->tls);
	settings->sign = rest->sign;
	return settings;
}

/* Hands new settings to the thread. listen_fd -1: the old address stays. */
static void send_settings(struct rest *rest, int listen_fd)
{
	bool complete;
	struct rest_settings *settings = make_settings(rest, &complete);
	bool restricted = settings->restricted;
	struct rest_settings *unseen;

	settings->listen_fd = listen_fd;
	pthread_mutex_lock(&rest->lock);
	unseen = rest->settings;
	/* An address that the thread did not see yet must not get lost. */
	if (unseen && listen_fd < 0) {
		settings->listen_fd = unseen->listen_fd;
		unseen->listen_fd = -1;
	}
	rest->settings = settings;
	pthread_mutex_unlock(&rest->lock);
	rest_settings_free(unseen);
	wake(rest->wake_fd);
	if (restricted)
		loop_timer_at(rest->refresh,
			      loop_now_ms() + (complete ? REFRESH_MS : REFRESH_SOON_MS));
	else
		loop_timer_off(rest->refresh);
}

static void on_refresh(void *ctx)
{
	send_settings(ctx, -1);
}

static void arm_deadline(struct rest *rest)
{
	int64_t first_ms = 0;

	for (const struct rest_task *task = rest->waiting; task; task = task->next)
		if (!first_ms || task->deadline_ms < first_ms)
			first_ms = task->deadline_ms;
	if (first_ms)
		loop_timer_at(rest->timer, first_ms);
	else
		loop_timer_off(rest->timer);
}

static void send_back(struct rest *rest, struct rest_task *task, int code,
		      const char *content_type, const char *body)
{
	task->code = code;
	task->content_type = content_type;
	task->body = str_dup(body ?: "");
	pthread_mutex_lock(&rest->lock);
	task->next = rest->answered;
	rest->answered = task;
	pthread_mutex_unlock(&rest->lock);
	wake(rest->wake_fd);
}

static struct rest_task *take_waiting(struct rest *rest, uint64_t id)
{
	for (struct rest_task **at = &rest->waiting; *at; at = &(*at)->next) {
		struct rest_task *task = *at;

		if (task->id != id)
			continue;
		*at = task->next;
		return task;
	}
	return NULL;
}

void rest_reply(struct rest *rest, uint64_t id, int code, const char *content_type,
		const char *body)
{
	struct rest_task *task = take_waiting(rest, id);

	if (!task)
		return;
	send_back(rest, task, code, content_type, body);
	arm_deadline(rest);
}

void rest_accept(struct rest *rest, uint64_t id, uint64_t lsn)
{
	struct rest_task *task = take_waiting(rest, id);

	if (!task)
		return;
	task->lsn = lsn;
	send_back(rest, task, 200, "text/html", "Accepted");
	arm_deadline(rest);
}

static void on_deadline(void *ctx)
{
	struct rest *rest = ctx;
	int64_t now_ms = loop_now_ms();
	struct rest_task **at = &rest->waiting;

	while (*at) {
		struct rest_task *task = *at;

		if (task->deadline_ms > now_ms) {
			at = &task->next;
			continue;
		}
		*at = task->next;
		send_back(rest, task, 503, "text/html", "no result in time; it may still come");
	}
	arm_deadline(rest);
}

static struct rest_task *take_asked(struct rest *rest)
{
	struct rest_task **last;
	struct rest_task *task;

	pthread_mutex_lock(&rest->lock);
	last = &rest->asked;
	/* The newest stands first; the oldest is served first. */
	while (*last && (*last)->next)
		last = &(*last)->next;
	task = *last;
	*last = NULL;
	pthread_mutex_unlock(&rest->lock);
	return task;
}

static void look_at_db(struct rest *rest)
{
	bool wanted;

	pthread_mutex_lock(&rest->lock);
	wanted = rest->db.wanted;
	rest->db.wanted = false;
	pthread_mutex_unlock(&rest->lock);
	if (wanted)
		restdb_want(&rest->db);
}

const char *rest_instance(const struct rest *rest)
{
	return rest->instance;
}

void rest_ask(struct rest *rest, rest_ask_fn ask, void *ctx)
{
	rest->db.ask = ask;
	rest->db.ctx = ctx;
}

void rest_db(struct rest *rest, const struct rest_db *answer)
{
	rest->db.asking = false;
	pthread_mutex_lock(&rest->lock);
	rest->db.answered = true;
	rest->db.answer = *answer;
	pthread_mutex_unlock(&rest->lock);
	wake(rest->wake_fd);
}

void rest_sign(struct rest *rest, const struct peersign *sign)
{
	rest->sign = *sign;
}

void rest_tell(struct rest *rest, struct peer_telemetry *ret)
{
	pthread_mutex_lock(&rest->lock);
	ret->calls_refused += rest->peers.calls_refused;
	ret->refused_wall_us = MAX_OF(ret->refused_wall_us, rest->peers.refused_wall_us);
	pthread_mutex_unlock(&rest->lock);
}

static void on_tasks(void *ctx, int fd, uint32_t ready _unused_)
{
	struct rest *rest = ctx;
	struct rest_task *task;
	eventfd_t count;

	(void)!eventfd_read(fd, &count);
	look_at_db(rest);
	/* Bounded by REST_TASKS_MAX, which the thread keeps. */
	while ((task = take_asked(rest)) != NULL) {
		task->deadline_ms = loop_now_ms() + REST_WAIT_MS;
		task->next = rest->waiting;
		rest->waiting = task;
		arm_deadline(rest);
		rest->command(rest->ctx, task->id, &task->command);
	}
}

int rest_new(struct loop *loop, struct resolve *resolve, struct board *board,
	     rest_command_fn command, void *ctx, struct rest **ret, struct err *err)
{
	struct rest *rest = mem_new(1, sizeof(*rest));
	int rc = 0;

	rest->loop = loop;
	rest->resolve = resolve;
	rest->board = board;
	rest->command = command;
	rest->ctx = ctx;
	rest->bound_fd = -1;
	peersign_nonce(rest->instance);
	pthread_mutex_init(&rest->lock, NULL);
	rest->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rest->tasks_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (rest->wake_fd < 0 || rest->tasks_fd < 0)
		rc = err_set(err, ERR_IO, "cannot make an eventfd");
	if (rc >= 0)
		rc = loop_fd_new(loop, "rest commands", rest->tasks_fd, LOOP_READ, on_tasks, rest,
				 &rest->tasks_source, err);
	if (rc >= 0)
		rc = loop_timer_new(loop, "rest deadlines", on_deadline, rest, &rest->timer, err);
	if (rc >= 0)
		rc = loop_timer_new(loop, "rest allowlist", on_refresh, rest, &rest->refresh, err);
	if (rc >= 0)
		rc = restdb_init(&rest->db, loop, err);
	if (rc < 0) {
		rest_free(rest);
		return rc;
	}
	/* Commands can wait for what concerns the lease. */
	loop_rank(rest->tasks_source, LOOP_LAST);
	board_tell(board, rest->wake_fd);
	*ret = rest;
	return 0;
}

static void free_tasks(struct rest_task *list)
{
	while (list) {
		struct rest_task *task = list;

		list = task->next;
		rest_task_free(task);
	}
}

void rest_free(struct rest *rest)
{
	if (!rest)
		return;
	if (rest->started) {
		pthread_mutex_lock(&rest->lock);
		rest->stop = true;
		pthread_mutex_unlock(&rest->lock);
		wake(rest->wake_fd);
		pthread_join(rest->thread, NULL);
	}
	board_tell(rest->board, -1);
	free_tasks(rest->waiting);
	free_tasks(rest->asked);
	free_tasks(rest->answered);
	rest_settings_free(rest->settings);
	loop_source_free(rest->tasks_source);
	loop_source_free(rest->timer);
	loop_source_free(rest->refresh);
	restdb_done(&rest->db);
	closep(&rest->bound_fd);
	closep(&rest->wake_fd);
	closep(&rest->tasks_fd);
	config_free_parts(rest->config);
	resttls_free(rest->tls);
	explicit_bzero(&rest->sign, sizeof(rest->sign));
	free(rest->members);
	free(rest->members_json);
	pthread_mutex_destroy(&rest->lock);
	free(rest);
}

/* Takes the address without listening on it yet. */
static int bind_socket(const struct addrinfo *ai, const char *host, uint16_t port, int *ret_fd,
		       struct err *err)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;
	int off = 0;

	if (fd < 0)
		return err_set(err, ERR_IO, "cannot make a socket for '%s'", host);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (ai->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0) {
		int rc = err_set(err, ERR_IO, "restapi.listen: cannot use %s port %u", host,
				 (unsigned)port);

		close(fd);
		return rc;
	}
	*ret_fd = fd;
	return 0;
}

/* `flags` says whether the host may be a name, which takes time to look up. */
static int bind_host(const char *host, uint16_t port, int flags, int *ret_fd, struct err *err)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = flags | AI_PASSIVE | AI_NUMERICSERV,
	};
	bool any = host[0] == '\0' || str_eq(host, "*");
	struct addrinfo *list = NULL;
	char service[8];
	int rc;

	str_printf(service, sizeof(service), "%u", (unsigned)port);
	rc = getaddrinfo(any ? "::" : host, service, &hints, &list);
	if (rc != 0)
		return err_set(err, ERR_CONFIG, "restapi.listen: '%s': %s", host,
			       gai_strerror(rc));
	rc = bind_socket(list, host, port, ret_fd, err);
	freeaddrinfo(list);
	/* A machine without IPv6. */
	if (rc < 0 && any && !str_eq(host, "0.0.0.0") && err->sys == EAFNOSUPPORT)
		return bind_host("0.0.0.0", port, flags, ret_fd, err);
	return rc;
}

static void remember(struct rest *rest, const struct config_restapi *config)
{
	config_free_parts(rest->config);
	rest->config = config_copy_parts(config);
	str_copy(rest->bound_host, sizeof(rest->bound_host), config->listen_host);
	rest->bound_port = config->listen_port;
}

static bool is_loopback(const char *host)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
	if (inet_pton(AF_INET6, host, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6);
	return str_eq(host, "localhost");
}

bool rest_is_open(const struct config_restapi *config)
{
	return !config->username && config->verify_client == VERIFY_NONE &&
	       config->allowlist.n == 0 && !config->allowlist_include_members &&
	       !is_loopback(config->listen_host);
}

bool rest_is_overheard(const struct config_restapi *config)
{
	return config->username && !config->certfile && !is_loopback(config->listen_host);
}

bool rest_is_unsigned(const struct config_restapi *config)
{
	return !config->peer_secret_file && config->verify_client != VERIFY_REQUIRED &&
	       !is_loopback(config->listen_host);
}

/* A file of Patroni's goes on working as it is, but not unnoticed. */
static void tell_open(struct rest *rest, const struct config_restapi *config)
{
	bool open = rest_is_open(config);
	bool overheard = rest_is_overheard(config);
	bool is_unsigned = rest_is_unsigned(config);

	if (open && !rest->told_open)
		log_warning("whoever reaches '%s' port %u may send commands, and by them run "
			    "programs as this user: set restapi.authentication, verify_client or "
			    "allowlist",
			    config->listen_host, (unsigned)config->listen_port);
	if (overheard && !rest->told_overheard)
		log_warning("the password of restapi.authentication crosses the network in clear, "
			    "between members as well: set restapi.certfile and restapi.keyfile");
	if (is_unsigned && !rest->told_unsigned)
		log_notice("what members say to each other in elections is not signed: set "
			   "restapi.peer_secret_file on all of them");
	rest->told_open = open;
	rest->told_overheard = overheard;
	rest->told_unsigned = is_unsigned;
}

int rest_bind(struct rest *rest, const struct config_restapi *config, struct err *err)
{
	int rc = resttls_load(config, &rest->tls, err);

	if (rc < 0)
		return rc;
	rc = bind_host(config->listen_host, config->listen_port, 0, &rest->bound_fd, err);
	if (rc < 0)
		return rc;
	remember(rest, config);
	tell_open(rest, config);
	return 0;
}

int rest_start(struct rest *rest, struct err *err)
{
	pthread_attr_t attr;
	int rc;

	assert(rest->bound_fd >= 0 && !rest->started);
	if (listen(rest->bound_fd, LISTEN_BACKLOG) < 0)
		return err_set(err, ERR_IO, "restapi.listen: cannot use %s port %u",
			       rest->bound_host, (unsigned)rest->bound_port);
	send_settings(rest, rest->bound_fd);
	rest->bound_fd = -1;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES);
	rc = pthread_create(&rest->thread, &attr, restserve_run, rest);
	pthread_attr_destroy(&attr);
	if (rc != 0) {
		errno = rc;
		return err_set(err, ERR_IO, "cannot start the REST thread");
	}
	rest->started = true;
	return 0;
}

/* -1: the address stays as it is. */
static int new_address(struct rest *rest, const struct config_restapi *config)
{
	struct err err = { 0 };
	int fd = -1;

	if (str_eq(rest->bound_host, config->listen_host) &&
	    rest->bound_port == config->listen_port)
		return -1;
	/* Names are not looked up here: the loop must not wait for a name server. */
	if (bind_host(config->listen_host, config->listen_port, AI_NUMERICHOST, &fd, &err) < 0) {
		log_error("%s; the old address stays", err.msg);
		return -1;
	}
	if (listen(fd, LISTEN_BACKLOG) < 0) {
		log_error("restapi.listen: cannot use port %u; the old address stays",
			  (unsigned)config->listen_port);
		closep(&fd);
		return -1;
	}
	return fd;
}

void rest_configure(struct rest *rest, const struct config_restapi *config)
{
	struct resttls *tls = NULL;
	struct err err = { 0 };
	char old_host[HOST_SIZE];
	uint16_t old_port = rest->bound_port;
	int fd = new_address(rest, config);

	if (resttls_load(config, &tls, &err) < 0) {
		log_error("%s; the old certificate stays", err.msg);
	} else {
		resttls_free(rest->tls);
		rest->tls = tls;
	}
	str_copy(old_host, sizeof(old_host), rest->bound_host);
	remember(rest, config);
	if (fd < 0) {
		str_copy(rest->bound_host, sizeof(rest->bound_host), old_host);
		rest->bound_port = old_port;
	}
	send_settings(rest, fd);
	tell_open(rest, config);
}

void rest_members(struct rest *rest, const char hosts[][HOST_SIZE], uint32_t n)
{
	free(rest->members);
	rest->members = mem_new(n + 1, sizeof(*rest->members));
	memcpy(rest->members, hosts, n * sizeof(*rest->members));
	rest->nmembers = n;
	if (rest->started && rest->config->allowlist_include_members)
		send_settings(rest, -1);
}

void rest_members_of(struct rest *rest, const char *cluster_json)
{
	char hosts[MEMBERS_MAX][HOST_SIZE];

	if (!rest->config->allowlist_include_members || str_eq(rest->members_json, cluster_json))
		return;
	free(rest->members_json);
	rest->members_json = str_dup(cluster_json);
	rest_members(rest, hosts, restmsg_cluster_hosts(cluster_json, hosts, MEMBERS_MAX));
}
