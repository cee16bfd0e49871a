/* SPDX-License-Identifier: PostgreSQL */
/*
 * etcdmsg - etcd v3 requests and replies <-> JSON of its HTTP gateway
 *
 * The structs are what the agent speaks; the simulator's model etcd executes them as they are,
 * io/etcd sends them as JSON. Keys are full keys ("/service/demo/leader"), plain bytes.
 * Rules taken from etcd 3.4 and 3.5: int64 travel as JSON strings, zero and empty fields are
 * omitted, keys and values are base64, a keepalive for a lease that is gone is HTTP 200 without
 * a TTL, a watch answers a stream of JSON documents {"result":{...}}.
 */
#ifndef PGHA_WIRE_ETCDMSG_H
#define PGHA_WIRE_ETCDMSG_H

#include "base/err.h"
#include "base/str.h"

#define ETCD_KEY_SIZE 320
#define ETCD_CMPS_MAX 6
#define ETCD_OPS_MAX  10
#define ETCD_ROOM_SIZE 512
/* Largest answer that is read, and largest value that is kept. */
#define ETCD_BODY_MAX  (16 * 1024 * 1024)
#define ETCD_VALUE_MAX (1024 * 1024)

enum etcd_op {
	ETCD_RANGE = 0,
	ETCD_TXN,
	ETCD_GRANT,
	ETCD_KEEPALIVE,
	ETCD_REVOKE,
	ETCD_OP__MAX
};

enum etcd_target {
	ETCD_CMP_CREATE = 0, /* create revision == number; 0 means: does not exist */
	ETCD_CMP_MOD,        /* mod revision == number */
	ETCD_CMP_VALUE,      /* value == text */
	ETCD_CMP_LEASE,      /* lease == number */
	ETCD_CMP__MAX
};

struct etcd_cmp {
	char key[ETCD_KEY_SIZE];
	enum etcd_target target;
	int64_t number;
	char *text; /* of the request; only for ETCD_CMP_VALUE */
};

enum etcd_txn_op_type { ETCD_PUT = 0, ETCD_DELETE, ETCD_GET, ETCD_TXN_OP__MAX };

struct etcd_txn_op {
	enum etcd_txn_op_type type;
	char key[ETCD_KEY_SIZE];
	bool prefix; /* DELETE, GET: everything that starts with key */
	char *value; /* of the request; PUT */
	int64_t lease_id; /* PUT; 0 none */
};

struct etcd_req {
	enum etcd_op op;
	int64_t timeout_ms;  /* the whole request, over all endpoints */
	bool urgent;         /* lease proof: a slow attempt is doubled on the next endpoint */
	bool everywhere;     /* fading: all endpoints at once, first answer wins */

	char key[ETCD_KEY_SIZE]; /* RANGE: prefix */
	bool serializable;       /* RANGE */

	int64_t lease_id; /* KEEPALIVE, REVOKE */
	int64_t ttl_s;    /* GRANT */

	uint32_t ncmps;
	uint32_t nthen;
	uint32_t nelse;
	struct etcd_cmp cmps[ETCD_CMPS_MAX];
	struct etcd_txn_op then_ops[ETCD_OPS_MAX];
	struct etcd_txn_op else_ops[ETCD_OPS_MAX];

	/* Texts of the usual length stand here, longer ones are allocated. So a request is copied
	 * by etcd_req_copy() alone. */
	uint32_t used;
	char room[ETCD_ROOM_SIZE];
};

/* Frees what the request owns, not the struct; accepts a zeroed one. */
void etcd_req_done(struct etcd_req *req);
/* Deep copy. */
void etcd_req_copy(struct etcd_req *dst, const struct etcd_req *src);
/* Builders; assert on overflow of the arrays, which are sized for every caller. */
void etcd_req_init_txn(struct etcd_req *req, int64_t timeout_ms);
void etcd_cmp_number(struct etcd_req *req, const char *key, enum etcd_target target,
		     int64_t number);
void etcd_cmp_value(struct etcd_req *req, const char *key, const char *text);
void etcd_then_put(struct etcd_req *req, const char *key, const char *value, int64_t lease_id);
void etcd_then_delete(struct etcd_req *req, const char *key);
void etcd_else_get(struct etcd_req *req, const char *key);

struct etcd_kv {
	char *key;   /* owned */
	char *value; /* owned, NUL terminated; may hold NUL bytes inside, then len > strlen */
	size_t len;
	int64_t create_revision;
	int64_t mod_revision;
	int64_t lease_id;
	bool deleted; /* watch only: the key is gone; value NULL */
};

struct etcd_kvs {
	struct etcd_kv *items;
	size_t n;
};

void etcd_kvs_done(struct etcd_kvs *kvs);

struct etcd_rep {
	enum etcd_op op;
	uint64_t cluster_id;
	uint64_t member_id;
	int64_t revision;
	uint64_t raft_term;
	bool succeeded;      /* TXN */
	struct etcd_kvs kvs; /* RANGE; TXN: of all get branches that ran, in order */
	int64_t lease_id;    /* GRANT */
	int64_t ttl_s;       /* GRANT, KEEPALIVE; KEEPALIVE: 0 = the lease is gone */
	/* An answer of etcd that is an error: code of google.rpc.Code (5 = not found, e.g. the
	 * lease; 8 = no space; 14 = unavailable, ...) and its text. 0 = no error. */
	int32_t error_code;
	char error_text[ERR_MSG_MAX];
};

void etcd_rep_done(struct etcd_rep *rep);

/* Path below the API prefix ("/kv/txn") and the JSON body of a request. */
const char *etcdmsg_path(enum etcd_op op);
void etcdmsg_body(const struct etcd_req *req, struct buf *ret_body);
/* Reads an answer to `op`; *rep is zeroed first, free with etcd_rep_done() also on failure.
 * http_status other than 200 is an etcd error (error_code set, returns 0) when the body has
 * etcd's error form, else -ERR_PROTOCOL. An answer without the header that etcd always sends is
 * no answer of etcd. Values longer than ETCD_VALUE_MAX are cut there; a key that holds a NUL
 * byte is nobody's of ours and left out. */
int etcdmsg_parse(enum etcd_op op, int http_status, const char *body, size_t len,
		  struct etcd_rep *rep, struct err *err) _must_check_;

/* Watch of a prefix from a revision on. */
void etcdmsg_watch_body(const char *prefix, int64_t start_revision, struct buf *ret_body);

struct etcd_watch_msg {
	bool created;
	bool canceled;
	int64_t compact_revision; /* > 0: the start revision is compacted, read anew */
	char cancel_reason[ERR_MSG_MAX]; /* "" unless etcd says why, e.g. a refused token */
	uint64_t cluster_id;
	int64_t revision;
	uint64_t raft_term;
	struct etcd_kvs events; /* in order */
};

void etcd_watch_msg_done(struct etcd_watch_msg *msg);
/* Takes one complete JSON document off the front of the stream buffer.
 * 0                     *msg filled
 * ETCDMSG_MORE (1)      no complete document yet
 * < 0                   the stream is unreadable, drop it: -ERR_DENIED for a refused login or
 *                       token, -ERR_CONNECT for code 14, else -ERR_PROTOCOL */
#define ETCDMSG_MORE 1
int etcdmsg_parse_watch(struct buf *stream, struct etcd_watch_msg *msg,
			struct err *err) _must_check_;

/* GET /version -> {"etcdserver":"3.4.23","etcdcluster":"3.4.0"}. */
struct etcd_version {
	int32_t server[3];
	int32_t cluster[3];
};

int etcdmsg_parse_version(const char *body, size_t len, struct etcd_version *ret,
			  struct err *err) _must_check_;
/* True where keepalives of a deposed leader and early revokes are mended: 3.4.31 and newer 3.4,
 * 3.5.13 and newer (etcd#15247). */
bool etcdmsg_version_fixed(const struct etcd_version *version);

/* POST /cluster/member/list {} -> client URLs of all members, one owned string each. */
struct etcd_members {
	uint64_t cluster_id;
	char *urls[64];
	uint32_t n;
	uint32_t nmembers;
};

void etcd_members_done(struct etcd_members *members);
int etcdmsg_parse_members(const char *body, size_t len, struct etcd_members *ret,
			  struct err *err) _must_check_;
/* POST /auth/authenticate
 * 0                     *ret_token is owned by the caller
 * ETCDMSG_AUTH_OFF (1)  etcd works without authentication: no token is needed
 * < 0                   -ERR_DENIED: wrong user or password; -ERR_CONNECT: code 14, try another
 *                       endpoint; -ERR_PROTOCOL: unreadable */
#define ETCDMSG_AUTH_OFF 1
void etcdmsg_auth_body(const char *user, const char *password, struct buf *ret_body);
int etcdmsg_parse_auth(int http_status, const char *body, size_t len, char **ret_token,
		       struct err *err) _must_check_;

#endif
