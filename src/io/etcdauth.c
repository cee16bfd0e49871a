/* SPDX-License-Identifier: PostgreSQL */
/*
 * etcdauth - the log-in at etcd
 *
 * A token is fetched before the first request, renewed while it still works (etcd's simple
 * tokens end after five minutes without use, at each member by itself), and fetched anew where
 * a member refuses it.
 */
#include <stdlib.h>

#include "base/log.h"
#include "io/etcdpriv.h"

#define LOGIN_TIMEOUT_MS 5000
#define TOKEN_OLD_MS     240000
#define LOGIN_ANSWER_MAX (64 * 1024)

bool etcd_needs_token(const struct etcd *etcd)
{
	return etcd->config.username && !etcd->token && !etcd->auth_off;
}

const char *etcd_token_header(const struct etcd *etcd, struct buf *dst)
{
	if (!etcd->token)
		return NULL;
	buf_clear(dst);
	buf_printf(dst, "Authorization: %s", etcd->token);
	return dst->data;
}

void etcd_drop_token(struct etcd *etcd)
{
	free(TAKE(etcd->token));
	etcd->auth_off = false;
}

static enum etcd_verdict take_login(struct etcd_call *call, struct etcdnode *node,
				    const struct http_rep *rep)
{
	struct etcd *etcd = call->etcd;
	char *token = NULL;
	int rc = etcdmsg_parse_auth(rep->status, rep->body->data, rep->body->len, &token,
				    &call->err);

	if (rc < 0 && rep->status == 404)
		etcd_wrong_api(etcd);
	if (rc < 0 && rc != -ERR_DENIED)
		return VERDICT_NEXT;
	etcd_node_answered(etcd, node, 0);
	if (rc == -ERR_DENIED)
		return VERDICT_ANSWER;
	free(etcd->token);
	etcd->token = token;
	etcd->auth_off = rc == ETCDMSG_AUTH_OFF;
	etcd->token_at_ms = loop_now_ms();
	err_clear(&call->err);
	return VERDICT_ANSWER;
}

/* Those that wait for the token hear why there is none. */
static void refuse_waiting(struct etcd *etcd, const struct err *err)
{
	for (struct etcd_call *call = etcd->calls; call; call = call->next) {
		if (call->over || call->no_token || (etcd->held && !call->at_once))
			continue;
		call->err = *err;
		etcd_call_over(call);
	}
}

static void finish_login(struct etcd_call *call)
{
	struct etcd *etcd = call->etcd;

	etcd->logging_in = false;
	if (etcd->token || etcd->auth_off) {
		etcd_wake_calls(etcd);
		return;
	}
	if (call->answered) {
		log_error("etcd refuses user '%s': %s", etcd->config.username ?: "",
			  call->err.msg);
		refuse_waiting(etcd, &call->err);
		return;
	}
	/* Nobody answered; whoever still waits begins the next try. */
	etcd_wake_calls(etcd);
}

void etcd_login(struct etcd *etcd)
{
	struct etcd_call *call;

	if (etcd->logging_in || !etcd->config.username)
		return;
	etcd->logging_in = true;
	call = etcd_call_new(etcd, "/auth/authenticate", LOGIN_TIMEOUT_MS);
	call->at_once = true;
	call->no_token = true;
	call->urgent = true;
	call->max_bytes = LOGIN_ANSWER_MAX;
	call->take = take_login;
	call->finish = finish_login;
	etcdmsg_auth_body(etcd->config.username, etcd->config.password ?: "", &call->body);
	etcd_call_start(call);
}

void etcd_refresh_token(struct etcd *etcd)
{
	if (etcd->token && loop_now_ms() - etcd->token_at_ms > TOKEN_OLD_MS)
		etcd_login(etcd);
}
