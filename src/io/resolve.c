/* SPDX-License-Identifier: PostgreSQL */
/*
 * resolve - host names to addresses without holding up the loop
 *
 * glibc's getaddrinfo_a() does the waiting and tells by a queued signal. libcurl's own resolver
 * thread is not used: libcurl waits for it when a request is given up, which would hold up the
 * loop for as long as a name server is silent (curl#4852).
 */
#include "io/resolve.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"

/* Which queued signal tells that a look-up ended. */
#define RESOLVE_SIGNAL (SIGRTMIN + 1)

struct resolve_ask {
	struct resolve_ask *next;
	struct resolve_host *host;
	bool ripe; /* to be answered in this round */
	resolve_fn fn;
	void *ctx;
};

struct resolve_host {
	char name[HOST_SIZE];
	char addrs[RESOLVE_TEXT_MAX]; /* "" never found */
	int64_t known_at_ms;          /* 0 never */
	int64_t failed_at_ms;         /* 0: the newest look-up succeeded */
	int64_t used_at_ms;
	bool busy;                    /* request belongs to glibc */
	bool due;                     /* asks wait for an answer that is in hand */
	int failure;                  /* EAI_* */
	struct gaicb request;
	struct resolve_ask *asks;
};

struct resolve {
	struct loop *loop;
	struct loop_source *signal;
	struct loop_source *defer;
	uint32_t nhosts;
	struct resolve_host *hosts[RESOLVE_HOSTS_MAX];
};

static const struct addrinfo hints = {
	.ai_family = AF_UNSPEC,
	.ai_socktype = SOCK_STREAM,
};

bool resolve_is_numeric(const char *host)
{
	unsigned char addr[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, addr) == 1 || inet_pton(AF_INET6, host, addr) == 1;
}

static void text_of(const struct addrinfo *list, char dst[RESOLVE_TEXT_MAX])
{
	size_t len = 0;
	uint32_t n = 0;

	dst[0] = '\0';
	for (const struct addrinfo *ai = list; ai && n < RESOLVE_ADDRS_MAX; ai = ai->ai_next) {
		bool v6 = ai->ai_family == AF_INET6;
		char addr[INET6_ADDRSTRLEN];
		int rc;

		if (getnameinfo(ai->ai_addr, ai->ai_addrlen, addr, sizeof(addr), NULL, 0,
				NI_NUMERICHOST) != 0)
			continue;
		rc = str_printf(dst + len, RESOLVE_TEXT_MAX - len, "%s%s%s%s", n ? "," : "",
				v6 ? "[" : "", addr, v6 ? "]" : "");
		if (rc < 0)
			return;
		len += (size_t)rc;
		n++;
	}
}

static void look_up(struct resolve *resolve, struct resolve_host *host)
{
	struct gaicb *list[1] = { &host->request };
	struct sigevent notify = {
		.sigev_notify = SIGEV_SIGNAL,
		.sigev_signo = RESOLVE_SIGNAL,
	};
	int rc;

	host->request.ar_name = host->name;
	host->request.ar_request = &hints;
	host->request.ar_result = NULL;
	rc = getaddrinfo_a(GAI_NOWAIT, list, 1, &notify);
	if (rc == 0) {
		host->busy = true;
		return;
	}
	host->failure = rc;
	host->failed_at_ms = loop_now_ms();
	host->due = true;
	loop_defer(resolve->defer);
}

static void learn(struct resolve_host *host, int failure)
{
	host->busy = false;
	host->due = true;
	host->failure = failure;
	if (failure == 0) {
		text_of(host->request.ar_result, host->addrs);
		host->known_at_ms = loop_now_ms();
		host->failed_at_ms = 0;
		freeaddrinfo(host->request.ar_result);
		host->request.ar_result = NULL;
		return;
	}
	/* One line for each name that becomes unknown, none for each try. */
	if (host->failed_at_ms == 0)
		log_warning("cannot resolve host '%s': %s%s", host->name, gai_strerror(failure),
			    host->addrs[0] ? ", using its last known addresses" : "");
	host->failed_at_ms = loop_now_ms();
}

static struct resolve_ask *take_ripe(struct resolve_host *host)
{
	for (struct resolve_ask **at = &host->asks; *at; at = &(*at)->next) {
		struct resolve_ask *ask = *at;

		if (!ask->ripe)
			continue;
		*at = ask->next;
		return ask;
	}
	return NULL;
}

static void answer(struct resolve *resolve, struct resolve_host *host)
{
	struct err err = { 0 };
	struct resolve_ask *ask;

	host->due = false;
	if (host->addrs[0] == '\0')
		err_set(&err, ERR_CONNECT, "cannot resolve host '%s': %s", host->name,
			gai_strerror(host->failure));
	/* A callback may cancel other asks, and may ask again: those wait for the next round. */
	for (ask = host->asks; ask; ask = ask->next)
		ask->ripe = true;
	while ((ask = take_ripe(host)) != NULL) {
		resolve_fn fn = ask->fn;
		void *ctx = ask->ctx;

		free(ask);
		fn(ctx, host->addrs[0] ? host->addrs : NULL, &err);
	}
	if (host->asks && !host->busy) {
		host->due = true;
		loop_defer(resolve->defer);
	}
}

static void answer_due(struct resolve *resolve)
{
	for (uint32_t i = 0; i < resolve->nhosts; i++)
		if (resolve->hosts[i]->due)
			answer(resolve, resolve->hosts[i]);
}

/* Queued signals may be lost when the queue is full, so each looks at everything. */
static void on_signal(void *ctx, int signo _unused_)
{
	struct resolve *resolve = ctx;

	for (uint32_t i = 0; i < resolve->nhosts; i++) {
		struct resolve_host *host = resolve->hosts[i];
		int rc = host->busy ? gai_error(&host->request) : EAI_INPROGRESS;

		if (rc != EAI_INPROGRESS)
			learn(host, rc);
	}
	answer_due(resolve);
}

static void on_defer(void *ctx)
{
	answer_due(ctx);
}

int resolve_new(struct loop *loop, struct resolve **ret, struct err *err)
{
	struct resolve *resolve = mem_new(1, sizeof(*resolve));
	int rc;

	resolve->loop = loop;
	rc = loop_signal_new(loop, "resolver", RESOLVE_SIGNAL, on_signal, resolve,
			     &resolve->signal, err);
	if (rc >= 0)
		rc = loop_defer_new(loop, "resolver answers", on_defer, resolve, &resolve->defer,
				    err);
	if (rc < 0) {
		resolve_free(resolve);
		return rc;
	}
	*ret = resolve;
	return 0;
}

static void host_free(struct resolve_host *host)
{
	/* A look-up that glibc is still at writes into the struct later: that one is left alone. */
	if (host->busy && gai_cancel(&host->request) == EAI_NOTCANCELED)
		return;
	if (host->busy && gai_error(&host->request) == 0)
		freeaddrinfo(host->request.ar_result);
	free(host);
}

void resolve_free(struct resolve *resolve)
{
	if (!resolve)
		return;
	loop_source_free(resolve->signal);
	loop_source_free(resolve->defer);
	for (uint32_t i = 0; i < resolve->nhosts; i++) {
		assert(!resolve->hosts[i]->asks);
		host_free(resolve->hosts[i]);
	}
	free(resolve);
}

/* The slot to use for a new name: a free one, or that of the name unused for longest. */
static uint32_t slot_for(struct resolve *resolve)
{
	uint32_t oldest = RESOLVE_HOSTS_MAX;

	if (resolve->nhosts < RESOLVE_HOSTS_MAX)
		return resolve->nhosts++;
	for (uint32_t i = 0; i < resolve->nhosts; i++) {
		const struct resolve_host *host = resolve->hosts[i];

		if (host->busy || host->asks)
			continue;
		if (oldest == RESOLVE_HOSTS_MAX ||
		    host->used_at_ms < resolve->hosts[oldest]->used_at_ms)
			oldest = i;
	}
	if (oldest < RESOLVE_HOSTS_MAX)
		host_free(resolve->hosts[oldest]);
	return oldest;
}

static struct resolve_host *find(struct resolve *resolve, const char *name)
{
	struct resolve_host *host;
	uint32_t slot;

	for (uint32_t i = 0; i < resolve->nhosts; i++)
		if (str_ieq(resolve->hosts[i]->name, name))
			return resolve->hosts[i];

	slot = slot_for(resolve);
	if (slot == RESOLVE_HOSTS_MAX)
		return NULL;
	host = mem_new(1, sizeof(*host));
	str_clip(host->name, sizeof(host->name), name);
	resolve->hosts[slot] = host;
	if (resolve_is_numeric(name)) {
		bool v6 = strchr(name, ':') != NULL;

		str_printf(host->addrs, sizeof(host->addrs), "%s%s%s", v6 ? "[" : "", host->name,
			   v6 ? "]" : "");
		host->known_at_ms = INT64_MAX;
	}
	return host;
}

static void refresh(struct resolve *resolve, struct resolve_host *host)
{
	int64_t now_ms = loop_now_ms();

	host->used_at_ms = now_ms;
	if (host->busy || host->due || host->known_at_ms == INT64_MAX)
		return;
	if (host->known_at_ms && now_ms - host->known_at_ms < RESOLVE_FRESH_MS)
		return;
	if (host->failed_at_ms && now_ms - host->failed_at_ms < RESOLVE_RETRY_MS)
		return;
	look_up(resolve, host);
}

const char *resolve_known(struct resolve *resolve, const char *name)
{
	struct resolve_host *host = find(resolve, name);

	if (!host)
		return NULL;
	refresh(resolve, host);
	return host->addrs[0] ? host->addrs : NULL;
}

struct resolve_ask *resolve_start(struct resolve *resolve, const char *name, resolve_fn fn,
				  void *ctx)
{
	struct resolve_host *host = find(resolve, name);
	struct resolve_ask *ask;

	if (!host)
		return NULL;
	ask = mem_new(1, sizeof(*ask));
	ask->fn = fn;
	ask->ctx = ctx;
	ask->host = host;
	ask->next = host->asks;
	host->asks = ask;
	refresh(resolve, host);
	if (!host->busy || host->addrs[0]) {
		host->due = true;
		loop_defer(resolve->defer);
	}
	return ask;
}

void resolve_cancel(struct resolve_ask *ask)
{
	struct resolve_ask **at = &ask->host->asks;

	while (*at != ask) {
		assert(*at);
		at = &(*at)->next;
	}
	*at = ask->next;
	free(ask);
}
