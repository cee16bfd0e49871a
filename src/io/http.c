/* SPDX-License-Identifier: PostgreSQL */
/*
 * http - HTTP requests on the loop
 *
 * libcurl's multi interface, told by the loop which sockets are ready and when its timer is due.
 * HTTP/1.1 only, so that a stuck answer never stands in front of another on a shared connection.
 */
#include "io/http.h"

#include <assert.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/parse.h"
#include "io/resolve.h"

/* Connections kept open between requests. */
#define HTTP_KEPT_CONNECTIONS 8
#define HTTP_IDLE_S           20 /* what has carried nothing for so long is closed */
/* Each request that is kept has one; an answer at rest is not longer than 1 kB. */
#define HTTP_BUFFER_BYTES     (4 * 1024)
/* Calls that are kept, with what libcurl was told, for the next request like them. */
#define HTTP_KEPT_CALLS  4
#define HTTP_KEPT_ANSWER (64 * 1024)
#define HTTP_STEPS_MAX   4 /* of libcurl with a request at its beginning */

enum call_state { CALL_RESOLVING = 0, CALL_RUNNING, CALL_ENDED };

struct http_call {
	struct http_call *next;
	struct http *http;
	enum call_state state;
	CURL *easy;
	struct curl_slist *headers;
	struct curl_slist *addresses;
	struct resolve_ask *ask;
	char host[HOST_SIZE];
	uint16_t port;
	char *kind;      /* all that libcurl was told, but for the body */
	struct buf post; /* libcurl borrows it */
	int64_t deadline_ms; /* 0 none */
	int64_t silent_ms;
	int64_t sent_at_ms;
	size_t max_bytes;
	bool overflow;
	bool fresh; /* stream bytes that nobody was told of */
	const char *answer_header;
	char *answer_value;
	struct buf body;
	struct err err;
	char curl_text[CURL_ERROR_SIZE];
	http_done_fn done;
	http_data_fn data;
	void *ctx;
};

struct http {
	struct loop *loop;
	struct resolve *resolve;
	CURLM *multi;
	struct loop_source *curl_timer;
	struct loop_source *deadline_timer;
	struct loop_source *defer;
	struct http_call *calls;
	struct http_call *kept;
	uint32_t nkept;
	struct buf kind; /* of the request at hand */
	bool driving;    /* a request is being handed over ... */
	bool more;       /* ... and libcurl wants to go on with it at once */
	bool curl_ready; /* curl_global_init() done */
};

static void call_free(struct http_call *call)
{
	if (call->ask)
		resolve_cancel(call->ask);
	if (call->easy) {
		if (call->state == CALL_RUNNING)
			curl_multi_remove_handle(call->http->multi, call->easy);
		curl_easy_cleanup(call->easy);
	}
	curl_slist_free_all(call->headers);
	curl_slist_free_all(call->addresses);
	free(call->kind);
	buf_done(&call->post);
	buf_done(&call->body);
	free(call->answer_value);
	free(call);
}

static void forget_oldest(struct http *http)
{
	struct http_call **at = &http->kept;

	while ((*at)->next)
		at = &(*at)->next;
	call_free(*at);
	*at = NULL;
	http->nkept--;
}

/* To tell libcurl all of it costs more than the request does: whoever asks once in a moment asks
 * the same again. */
static void call_keep(struct http_call *call)
{
	struct http *http = call->http;

	if (call->err.code || call->data || call->answer_header) {
		call_free(call);
		return;
	}
	if (call->body.cap > HTTP_KEPT_ANSWER)
		buf_done(&call->body);
	buf_clear(&call->body);
	call->next = http->kept;
	http->kept = call;
	if (http->nkept++ == HTTP_KEPT_CALLS)
		forget_oldest(http);
}

static struct http_call *call_again(struct http *http, const char *kind)
{
	for (struct http_call **at = &http->kept; *at; at = &(*at)->next) {
		struct http_call *call = *at;

		if (!str_eq(call->kind, kind))
			continue;
		*at = call->next;
		http->nkept--;
		call->state = CALL_RESOLVING;
		call->overflow = call->fresh = false;
		call->curl_text[0] = '\0';
		return call;
	}
	return NULL;
}

static void call_unlink(struct http_call *call)
{
	struct http_call **at = &call->http->calls;

	while (*at != call) {
		assert(*at);
		at = &(*at)->next;
	}
	*at = call->next;
}

/* One timer serves the deadlines of all calls, of which there are few. */
static void arm_deadlines(struct http *http)
{
	int64_t first_ms = 0;

	for (const struct http_call *call = http->calls; call; call = call->next) {
		if (call->state == CALL_ENDED || !call->deadline_ms)
			continue;
		if (!first_ms || call->deadline_ms < first_ms)
			first_ms = call->deadline_ms;
	}
	if (first_ms)
		loop_timer_at(http->deadline_timer, first_ms);
	else
		loop_timer_off(http->deadline_timer);
}

/* Ends a call with what stands in call->err; it is told from the loop. */
static void call_end(struct http_call *call)
{
	if (call->state == CALL_RUNNING)
		curl_multi_remove_handle(call->http->multi, call->easy);
	call->state = CALL_ENDED;
	loop_defer(call->http->defer);
}

static enum err_code code_of(CURLcode code)
{
	if (code == CURLE_OPERATION_TIMEDOUT)
		return ERR_TIMEOUT;
	if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CERTPROBLEM)
		return ERR_DENIED;
	if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
	    code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING ||
	    code == CURLE_SSL_CONNECT_ERROR)
		return ERR_CONNECT;
	return ERR_PROTOCOL;
}

static void take_result(struct http_call *call, CURLcode code)
{
	if (call->overflow)
		err_set(&call->err, ERR_RANGE, "the answer is longer than %zu bytes",
			call->max_bytes);
	else if (code != CURLE_OK)
		err_set(&call->err, code_of(code), "%s",
			call->curl_text[0] ? call->curl_text : curl_easy_strerror(code));
	call_end(call);
}

static void reap(struct http *http)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(http->multi, &left)) != NULL) {
		CURLcode code = msg->data.result;
		struct http_call *call = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &call);
		/* *msg is gone after the handle is removed. */
		take_result(call, code);
	}
}

static void tell_done(struct http_call *call)
{
	struct http_rep rep = { .body = &call->body, .sent_at_ms = call->sent_at_ms };
	long status = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	rep.status = (int)status;
	rep.err = call->err.code ? &call->err : NULL;
	rep.header = call->answer_value;
	call_unlink(call);
	call->done(call->ctx, &rep);
	call_keep(call);
}

static struct http_call *find_news(struct http *http)
{
	for (struct http_call *call = http->calls; call; call = call->next)
		if (call->state == CALL_ENDED || call->fresh)
			return call;
	return NULL;
}

/* Callbacks may start and cancel calls, so the list is looked at afresh each time. It ends: each
 * round takes away one piece of news, and new ones come from libcurl only. */
static void tell(struct http *http)
{
	struct http_call *call;

	while ((call = find_news(http)) != NULL) {
		if (call->fresh) {
			call->fresh = false;
			call->data(call->ctx, &call->body);
			continue;
		}
		tell_done(call);
	}
	arm_deadlines(http);
}

static void on_defer(void *ctx)
{
	tell(ctx);
}

static void drive(struct http *http, curl_socket_t fd, int what)
{
	int running;

	curl_multi_socket_action(http->multi, fd, what, &running);
	reap(http);
	tell(http);
}

static void on_curl_timer(void *ctx)
{
	drive(ctx, CURL_SOCKET_TIMEOUT, 0);
}

static void on_socket(void *ctx, int fd, uint32_t ready)
{
	int what = 0;

	if (ready & LOOP_READ)
		what |= CURL_CSELECT_IN;
	if (ready & LOOP_WRITE)
		what |= CURL_CSELECT_OUT;
	if (ready & LOOP_HUP)
		what |= CURL_CSELECT_ERR;
	drive(ctx, fd, what);
}

static const char *late_text(const struct http_call *call)
{
	if (call->state == CALL_RESOLVING)
		return "no answer from the name server in time";
	if (call->body.len > 0)
		return "the answer did not end in time";
	return "no answer in time";
}

static void on_deadline(void *ctx)
{
	struct http *http = ctx;
	int64_t now_ms = loop_now_ms();

	for (struct http_call *call = http->calls; call; call = call->next) {
		if (call->state == CALL_ENDED || !call->deadline_ms || call->deadline_ms > now_ms)
			continue;
		err_set(&call->err, ERR_TIMEOUT, "%s", late_text(call));
		call_end(call);
	}
	tell(http);
}

/* curl_socket_callback: what libcurl wants to know of a socket. The source is kept with it. */
static int watch_socket(CURL *easy _unused_, curl_socket_t fd, int what, void *ctx, void *socketp)
{
	struct loop_source *source = socketp;
	struct http *http = ctx;
	struct err err = { 0 };
	uint32_t want = 0;

	if (what == CURL_POLL_REMOVE) {
		loop_source_free(source);
		return 0;
	}
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		want |= LOOP_READ;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		want |= LOOP_WRITE;
	if (source) {
		loop_fd_want(source, want);
		return 0;
	}
	if (loop_fd_new(http->loop, "http socket", fd, want, on_socket, http, &source, &err) < 0) {
		log_error("%s", err.msg);
		return -1;
	}
	curl_multi_assign(http->multi, fd, source);
	return 0;
}

static int set_timer(CURLM *multi _unused_, long timeout_ms, void *ctx)
{
	struct http *http = ctx;

	http->more = timeout_ms == 0;
	if (timeout_ms == 0 && http->driving)
		return 0;
	if (timeout_ms < 0)
		loop_timer_off(http->curl_timer);
	else
		loop_timer_at(http->curl_timer, loop_now_ms() + timeout_ms);
	return 0;
}

static size_t take_bytes(char *data, size_t size, size_t count, void *ctx)
{
	struct http_call *call = ctx;
	size_t len = size * count;

	if (len > call->max_bytes || call->body.len > call->max_bytes - len) {
		call->overflow = true;
		return 0;
	}
	buf_add(&call->body, data, len);
	call->fresh = call->data != NULL;
	return len;
}

/* One line of the header, line feed included. The first of that name counts. */
static size_t take_header(char *line, size_t size, size_t count, void *ctx)
{
	struct http_call *call = ctx;
	size_t name = strlen(call->answer_header);
	size_t len = size * count;

	if (call->answer_value || len <= name || line[name] != ':' ||
	    strncasecmp(line, call->answer_header, name) != 0)
		return len;
	for (line += name + 1, len -= name + 1; len > 0 && *line == ' '; len--)
		line++;
	call->answer_value = str_ndup(line, len);
	call->answer_value[strcspn(call->answer_value, "\r\n")] = '\0';
	return size * count;
}

static void set_int(int fd, int level, int option, int value)
{
	/* A socket without the option still works, only slower to notice a dead peer. */
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

static curl_socket_t open_socket(void *ctx, curlsocktype purpose _unused_,
				 struct curl_sockaddr *addr)
{
	const struct http_call *call = ctx;
	int fd = socket(addr->family, addr->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
			addr->protocol);
	int silent_s = (int)(call->silent_ms / 1000);

	if (fd < 0)
		return CURL_SOCKET_BAD;
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (call->silent_ms > 0) {
		set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)call->silent_ms);
		set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
		set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, MAX_OF(silent_s / 2, 1));
		set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, MAX_OF(silent_s / 4, 1));
		set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, 2);
	}
	return fd;
}

int http_new(struct loop *loop, struct http **ret, struct err *err)
{
	struct http *http = mem_new(1, sizeof(*http));
	int rc = 0;

	http->loop = loop;
	http->curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
	if (http->curl_ready)
		http->multi = curl_multi_init();
	if (!http->multi)
		rc = err_set(err, ERR_MEMORY, "cannot start libcurl");
	if (rc >= 0)
		rc = resolve_new(loop, &http->resolve, err);
	if (rc >= 0)
		rc = loop_timer_new(loop, "http timer", on_curl_timer, http, &http->curl_timer,
				    err);
	if (rc >= 0)
		rc = loop_timer_new(loop, "http deadlines", on_deadline, http,
				    &http->deadline_timer, err);
	if (rc >= 0)
		rc = loop_defer_new(loop, "http answers", on_defer, http, &http->defer, err);
	if (rc < 0) {
		http_free(http);
		return rc;
	}
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_KEPT_CONNECTIONS);
	*ret = http;
	return 0;
}

void http_free(struct http *http)
{
	if (!http)
		return;
	assert(!http->calls);
	while (http->kept) {
		struct http_call *call = http->kept;

		http->kept = call->next;
		call_free(call);
	}
	buf_done(&http->kind);
	/* Closing kept connections calls set_timer() and watch_socket(). */
	if (http->multi)
		curl_multi_cleanup(http->multi);
	loop_source_free(http->curl_timer);
	loop_source_free(http->deadline_timer);
	loop_source_free(http->defer);
	resolve_free(http->resolve);
	if (http->curl_ready)
		curl_global_cleanup();
	free(http);
}

struct resolve *http_resolve(struct http *http)
{
	return http->resolve;
}

/* Host and port of the URL, for resolving the name ourselves. */
static int split_url(const char *url, char host[HOST_SIZE], uint16_t *ret_port, struct err *err)
{
	CURLU *parsed = curl_url();
	char *name = NULL;
	char *port = NULL;
	uint64_t number = 0;
	int rc = 0;

	if (!parsed || curl_url_set(parsed, CURLUPART_URL, url, 0) != CURLUE_OK ||
	    curl_url_get(parsed, CURLUPART_HOST, &name, 0) != CURLUE_OK ||
	    curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK ||
	    parse_uint(port, UINT16_MAX, &number, NULL) < 0 || str_copy(host, HOST_SIZE, name) < 0)
		rc = err_set(err, ERR_PARSE, "'%s' is no URL", url);
	*ret_port = (uint16_t)number;
	curl_free(name);
	curl_free(port);
	curl_url_cleanup(parsed);
	return rc;
}

static void set_tls(CURL *easy, const struct http_tls *tls)
{
	bool verify = tls && tls->verify_peer;

	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify && tls->verify_host ? 2L : 0L);
	/* Without verification the system's store, several megabytes of memory, is not loaded. */
	if (!verify || tls->cacert) {
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
		curl_easy_setopt(easy, CURLOPT_CAINFO, verify ? tls->cacert : NULL);
	}
	if (!tls)
		return;
	curl_easy_setopt(easy, CURLOPT_SSLCERT, tls->cert);
	curl_easy_setopt(easy, CURLOPT_SSLKEY, tls->key ? tls->key : tls->cert);
	curl_easy_setopt(easy, CURLOPT_KEYPASSWD, tls->key_password);
}

static void set_request(struct http_call *call, const struct http_req *req)
{
	CURL *easy = call->easy;

	curl_easy_setopt(easy, CURLOPT_URL, req->url);
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, req->method);
	if (str_eq(req->method, "HEAD"))
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	if (req->body) {
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, req->method);
	}
	/* No pause for "100 Continue" in front of a large body. */
	call->headers = curl_slist_append(NULL, "Expect:");
	for (size_t i = 0; i < HTTP_HEADERS_MAX; i++)
		if (req->headers[i])
			call->headers = curl_slist_append(call->headers, req->headers[i]);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
	if (req->username) {
		curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		curl_easy_setopt(easy, CURLOPT_USERNAME, req->username);
		curl_easy_setopt(easy, CURLOPT_PASSWORD, req->password ? req->password : "");
	}
	if (req->fresh)
		curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	if (req->connect_ms > 0)
		curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)req->connect_ms);
}

static void set_ways(struct http_call *call)
{
	CURL *easy = call->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->curl_text);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_bytes);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	/* http_proxy in the environment is not meant for etcd and peers. */
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)HTTP_IDLE_S);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)HTTP_BUFFER_BYTES);
	curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)HTTP_BUFFER_BYTES);
}

/* What was handed over leaves now where a connection is open, not with libcurl's timer. */
static void push(struct http *http)
{
	int running;

	http->driving = true;
	for (int i = 0; i < HTTP_STEPS_MAX && (i == 0 || http->more); i++) {
		http->more = false;
		curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	http->driving = false;
	if (http->more)
		loop_timer_at(http->curl_timer, 0);
	reap(http);
}

/* Hands the call to libcurl. `addrs` NULL: the URL's host is numeric. */
static void run(struct http_call *call, const char *addrs)
{
	CURLMcode rc;

	if (addrs) {
		_cleanup_(freep) char *entry =
			str_dupf("%s:%u:%s", call->host, (unsigned)call->port, addrs);

		curl_slist_free_all(call->addresses);
		call->addresses = curl_slist_append(NULL, entry);
		curl_easy_setopt(call->easy, CURLOPT_RESOLVE, call->addresses);
	}
	call->sent_at_ms = loop_now_ms();
	rc = curl_multi_add_handle(call->http->multi, call->easy);
	if (rc == CURLM_OK) {
		call->state = CALL_RUNNING;
		push(call->http);
		return;
	}
	err_set(&call->err, ERR_STATE, "%s", curl_multi_strerror(rc));
	call_end(call);
}

static void on_resolved(void *ctx, const char *addrs, const struct err *err)
{
	struct http_call *call = ctx;

	call->ask = NULL;
	if (addrs) {
		run(call, addrs);
		return;
	}
	call->err = *err;
	call_end(call);
}

static void begin(struct http_call *call, const char *url)
{
	const char *addrs;

	if (!call->host[0] && split_url(url, call->host, &call->port, &call->err) < 0) {
		call_end(call);
		return;
	}
	if (call->host[0] == '[' || resolve_is_numeric(call->host)) {
		run(call, NULL);
		return;
	}
	addrs = resolve_known(call->http->resolve, call->host);
	if (addrs) {
		run(call, addrs);
		return;
	}
	call->ask = resolve_start(call->http->resolve, call->host, on_resolved, call);
	if (!call->ask) {
		err_set(&call->err, ERR_RANGE, "too many host names are being resolved");
		call_end(call);
	}
}

static void add_text(struct buf *kind, const char *text)
{
	if (text)
		buf_str(kind, text);
	buf_ch(kind, '\n');
}

static void add_flag(struct buf *kind, bool flag)
{
	buf_ch(kind, flag ? '1' : '0');
}

/* Two requests with the same text are the same to libcurl, but for their bodies. */
static const char *kind_of(struct http *http, const struct http_req *req)
{
	static const struct http_tls no_tls;
	const struct http_tls *tls = req->tls ? req->tls : &no_tls;
	struct buf *kind = &http->kind;

	buf_clear(kind);
	add_text(kind, req->method);
	add_text(kind, req->url);
	add_flag(kind, req->body != NULL);
	add_flag(kind, req->fresh);
	add_flag(kind, req->tls != NULL);
	add_flag(kind, tls->verify_peer);
	add_flag(kind, tls->verify_host);
	buf_printf(kind, " %lld\n", (long long)req->connect_ms);
	add_text(kind, req->username);
	add_text(kind, req->password);
	add_text(kind, tls->cacert);
	add_text(kind, tls->cert);
	add_text(kind, tls->key);
	add_text(kind, tls->key_password);
	for (size_t i = 0; i < HTTP_HEADERS_MAX; i++)
		add_text(kind, req->headers[i]);
	return kind->data;
}

static struct http_call *call_new(struct http *http, const struct http_req *req)
{
	const char *kind = kind_of(http, req);
	struct http_call *call = req->answer_header ? NULL : call_again(http, kind);

	if (call)
		return call;
	call = mem_new(1, sizeof(*call));
	call->http = http;
	call->kind = str_dup(kind);
	call->easy = curl_easy_init();
	/* As everywhere: without memory we restart clean. */
	assert(call->easy);
	set_ways(call);
	set_request(call, req);
	set_tls(call->easy, req->tls);
	call->answer_header = req->answer_header;
	if (call->answer_header) {
		curl_easy_setopt(call->easy, CURLOPT_HEADERFUNCTION, take_header);
		curl_easy_setopt(call->easy, CURLOPT_HEADERDATA, call);
	}
	return call;
}

static void set_body(struct http_call *call, const struct http_req *req)
{
	buf_clear(&call->post);
	buf_add(&call->post, req->body, req->body_len);
	curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body_len);
	curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS, call->post.data);
}

struct http_call *http_start(struct http *http, const struct http_req *req)
{
	struct http_call *call = call_new(http, req);

	if (req->body)
		set_body(call, req);
	call->max_bytes = req->max_bytes;
	call->silent_ms = req->silent_ms;
	call->deadline_ms = req->timeout_ms > 0 ? loop_now_ms() + req->timeout_ms : 0;
	call->done = req->done;
	call->data = req->data;
	call->ctx = req->ctx;
	call->next = http->calls;
	http->calls = call;
	begin(call, req->url);
	arm_deadlines(http);
	return call;
}

void http_cancel(struct http_call *call)
{
	if (!call)
		return;
	call_unlink(call);
	call_free(call);
}
