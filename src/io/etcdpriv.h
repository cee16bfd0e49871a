/* SPDX-License-Identifier: PostgreSQL */
/*
 * etcdpriv - what the parts of the etcd port share
 *
 * Only for etcd.c (calls and attempts), etcdauth.c, etcdinfo.c (members and versions) and
 * etcdwatch.c.
 */
#ifndef PGHA_IO_ETCDPRIV_H
#define PGHA_IO_ETCDPRIV_H

#include "io/etcd.h"
#include "io/etcdnode.h"

#define ETCD_ATTEMPTS_MAX 8 /* at once, of one call */
#define ETCD_VERSIONS_MAX ETCDNODES_MAX

struct etcd_call;
struct srv;

struct etcd_attempt {
	struct etcd_call *call;
	struct http_call *http; /* NULL: the slot is free */
	uint32_t node_id;
	int64_t begun_at_ms;
	int64_t limit_at_ms; /* given up then; 0: only with the whole call */
};

/* What became of an attempt. */
enum etcd_verdict {
	VERDICT_ANSWER = 0, /* etcd decided: the call is over */
	VERDICT_NEXT,       /* ask the next endpoint; why stands in call->err */
	VERDICT_LOGIN,      /* the token was refused */
};

struct etcd_call {
	struct etcd_call *next;
	struct etcd *etcd;
	uint64_t ticket;
	enum etcd_op op; /* of a request */
	bool serializable;
	bool urgent;
	bool everywhere;
	bool at_once;   /* not held back */
	bool no_token;  /* the log-in itself */
	bool relogged;  /* a fresh token was asked for once */
	const char *path;
	struct buf body;
	size_t max_bytes;
	int64_t timeout_ms;
	int64_t deadline_ms;
	int64_t double_at_ms; /* urgent: when the next attempt joins the slow ones */
	bool failed;          /* an attempt failed and was not followed by another yet */
	int64_t retry_at_ms;  /* all were tried: when to go around again; 0 now */
	int64_t pause_ms;     /* grows with each round */
	struct etcdnode_set tried;
	uint32_t nforeign; /* of the tried: answered for another cluster */
	uint32_t nstale;   /* ... with an older term than we have seen */
	struct etcd_attempt attempts[ETCD_ATTEMPTS_MAX];
	struct loop_source *timer;
	bool over;       /* told by the next round of the loop */
	struct err err;  /* newest failure */
	bool answered;
	struct etcd_rep rep;
	int64_t sent_at_ms;
	/* Reads an answer into the call. */
	enum etcd_verdict (*take)(struct etcd_call *call, struct etcdnode *node,
				  const struct http_rep *rep);
	/* Tells whoever asked. The call is freed afterwards. */
	void (*finish)(struct etcd_call *call);
};

struct etcd_version_ask {
	struct etcd *etcd;
	struct http_call *http;
	uint32_t node_id;
};

struct etcd_watching {
	char prefix[ETCD_KEY_SIZE];
	int64_t next_revision;
	bool wanted;
	bool compacted;   /* waits for a new revision */
	bool told_lost;
	bool lost_due;    /* to be told from the loop, with lost_err */
	struct err lost_err;
	bool stands;      /* etcd confirmed it */
	uint32_t serial;  /* changes with each connection */
	uint32_t node_id;
	struct http_call *http;
	struct http_call *probe;
	int64_t begun_at_ms;
	int64_t heard_at_ms;
	int64_t patience_ms;
	int64_t doubted_ms; /* nothing was heard since; 0: no doubt */
	int64_t pause_ms;
	struct loop_source *timer;
};

struct etcd {
	struct loop *loop;
	struct http *http;
	struct etcd_handler handler;
	struct config_etcd config; /* owned copy */
	bool configured;
	bool held;
	int64_t silent_ms;
	uint64_t random;
	struct loop_source *defer;

	struct etcdnodes nodes;
	uint64_t cluster_id; /* the cluster we talk to; 0 not known yet */
	uint64_t raft_term;  /* newest seen in it */
	int64_t odd_since_ms; /* since when nobody fits to these two; 0: somebody does */
	const char *api;     /* "/v3"; by the oldest member's version */
	bool api_known;

	struct etcd_call *calls;

	char *token;
	int64_t token_at_ms;
	bool auth_off; /* etcd says that it wants none */
	bool logging_in;

	struct srv *srv; /* NULL: no look-up under way */
	bool srv_failed;
	struct loop_source *info_timer;
	int64_t info_at_ms;
	bool info_running;
	uint32_t nmembers;
	struct etcd_version_ask versions[ETCD_VERSIONS_MAX];

	struct etcd_watching watch;
	struct etcd_telemetry telemetry; /* but for the endpoints */
};

/* etcd.c */
struct etcd_call *etcd_call_new(struct etcd *etcd, const char *path, int64_t timeout_ms);
void etcd_call_start(struct etcd_call *call); /* after its fields are set */
void etcd_call_over(struct etcd_call *call);  /* told and freed soon */
/* The error says that the token, or the lack of one, is not accepted. */
bool etcd_is_login(const struct etcd_rep *rep);
void etcd_fill_http(const struct etcd *etcd, struct http_tls *tls, struct http_req *req);
void etcd_node_failed(struct etcd *etcd, uint32_t node_id, const struct err *err);
void etcd_node_answered(struct etcd *etcd, struct etcdnode *node, uint64_t member_id);
int64_t etcd_jitter_ms(struct etcd *etcd, int64_t max_ms);
void etcd_wake_calls(struct etcd *etcd);
/* False, with what is wrong: the answer is of another cluster than the one we talk to. */
bool etcd_cluster_fits(struct etcd *etcd, uint64_t cluster_id, struct err *err);
/* The cluster's term as this answer tells it; false: older than what we know. */
bool etcd_term_fits(struct etcd *etcd, uint64_t raft_term);

/* etcdauth.c */
bool etcd_needs_token(const struct etcd *etcd);
void etcd_login(struct etcd *etcd); /* nothing when one is under way */
void etcd_drop_token(struct etcd *etcd);
void etcd_refresh_token(struct etcd *etcd); /* when it is old */
/* "Authorization: <token>" into dst, or NULL when none is needed. */
const char *etcd_token_header(const struct etcd *etcd, struct buf *dst);

/* etcdinfo.c */
int etcd_info_init(struct etcd *etcd, struct err *err);
void etcd_info_done(struct etcd *etcd);
void etcd_info_soon(struct etcd *etcd); /* after a failure, and after the end of one */
void etcd_info_now(struct etcd *etcd);
void etcd_wrong_api(struct etcd *etcd); /* 404 for a path that every etcd has */

/* etcdwatch.c */
int etcd_watch_init(struct etcd *etcd, struct err *err);
void etcd_watch_done(struct etcd *etcd);
/* The endpoint failed in another request: a stream from it is not to be trusted. */
void etcd_watch_node_failed(struct etcd *etcd, uint32_t node_id);
/* A request to it that left then is unanswered: the stream may hang as well. */
void etcd_watch_doubt(struct etcd *etcd, uint32_t node_id, int64_t since_ms);
void etcd_watch_answered(struct etcd *etcd); /* some endpoint did */
void etcd_watch_wake(struct etcd *etcd); /* requests are no longer held */
void etcd_watch_tell_lost(struct etcd *etcd); /* from the loop only */

#endif
