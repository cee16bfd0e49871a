/* SPDX-License-Identifier: PostgreSQL */
/*
 * peersign - what members say to each other, signed with a secret that they share
 *
 * A call bears the header PEERSIGN_HEADER, an HMAC-SHA256 over who asks whom, what, when and with
 * which nonce; its answer bears one over the nonce of that call, its status and its body. The form
 * is described in pgha-rest(7). Nothing here reads a clock, a file or the network.
 */
#ifndef PGHA_IO_PEERSIGN_H
#define PGHA_IO_PEERSIGN_H

#include "base/err.h"
#include "core/types.h"

#define PEERSIGN_HEADER     "X-Pgha-Peer"
#define PEERSIGN_SECRETS    2  /* the first signs, each is taken */
#define PEERSIGN_SECRET_MIN 16 /* bytes */
#define PEERSIGN_SECRET_MAX 256
#define PEERSIGN_WINDOW_MS  60000 /* between the clocks of two members */
#define PEERSIGN_NONCE_SIZE 33    /* hex digits and the NUL */
#define PEERSIGN_TEXT_SIZE  192   /* of the header's value */
#define PEERSIGN_WHY_SIZE   384
#define PEERSIGN_SEEN_MAX   64 /* calls of one member that are remembered one by one */

/* Who we are, and with what we sign. */
struct peersign {
	char scope[NAME_SIZE];
	char name[NAME_SIZE];
	bool required;     /* what is not signed does not count */
	uint32_t nsecrets; /* 0: nothing is signed, nothing looked at */
	char secrets[PEERSIGN_SECRETS][PEERSIGN_SECRET_MAX + 1];
};

struct peersign_call {
	const char *to; /* a member's name */
	const char *method;
	const char *path; /* as in the request line, with the query */
	const char *body; /* NULL when it has none */
	size_t body_len;
	int64_t wall_ms;
	char nonce[PEERSIGN_NONCE_SIZE];
};

struct peersign_answer {
	const char *from;
	const char *to;    /* who called */
	const char *nonce; /* of the call */
	int status;
	const char *body;
	size_t body_len;
};

/* Which calls were accepted, so that none is twice. Of each sender the newest are known one by one;
 * what is not newer than those that were forgotten is refused, whatever clocks do. Zeroed to begin
 * with. */
struct peersign_seen {
	int64_t wall_ms; /* 0: free */
	char nonce[PEERSIGN_NONCE_SIZE];
};

struct peersign_sender {
	char name[NAME_SIZE]; /* "" free */
	int64_t forgotten_ms; /* the newest that was */
	int64_t newest_ms;
	uint32_t next;
	struct peersign_seen seen[PEERSIGN_SEEN_MAX];
};

struct peersign_memory {
	int64_t forgotten_ms; /* of senders that made way for others */
	struct peersign_sender senders[MEMBERS_MAX];
};

/* The secrets of a file: one line each, blanks around them do not count, nor do empty lines.
 * -ERR_CONFIG for none, for more than PEERSIGN_SECRETS and for one that is too short or too long;
 * *ret stays as it was then. */
int peersign_parse(const char *text, size_t len, struct peersign *ret,
		   struct err *err) _must_check_;

/* Random. */
void peersign_nonce(char ret[PEERSIGN_NONCE_SIZE]);

/* The header's value. There must be a secret. */
void peersign_call(const struct peersign *own, const struct peersign_call *call,
		   char ret[PEERSIGN_TEXT_SIZE]);
void peersign_answer(const struct peersign *own, const struct peersign_answer *answer,
		     char ret[PEERSIGN_TEXT_SIZE]);

/* Whether that call comes from a member of this cluster, to us, and now for the first time. Method,
 * path and body are those that came; fills in wall_ms and nonce, and the sender's name. When it is
 * false ret_why says what is wrong, for the log and for the caller. */
bool peersign_take_call(const struct peersign *own, struct peersign_memory *memory,
			const char *header, int64_t now_wall_ms, struct peersign_call *call,
			char ret_from[NAME_SIZE], char ret_why[PEERSIGN_WHY_SIZE]) _must_check_;
/* Whether answer->from sent that, to that call of ours. */
bool peersign_take_answer(const struct peersign *own, const char *header,
			  const struct peersign_answer *answer) _must_check_;

#endif
