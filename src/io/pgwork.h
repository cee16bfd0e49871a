/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgwork - a request to the local Postgres as a chain of steps; for the pg modules only
 *
 * Each kind of request is a table of steps. A step does something small and says PGWORK_NEXT, or
 * begins something that takes time (a child, a statement, a timer) and says PGWORK_WAIT; the chain
 * goes on when that has ended. A failure, a deadline or a cancellation ends the chain, after its
 * child has ended.
 */
#ifndef PGHA_IO_PGWORK_H
#define PGHA_IO_PGWORK_H

#include "io/child.h"
#include "io/pg.h"
#include "io/pgconn.h"
#include "io/pgcontrol.h"
#include "io/pgdir.h"
#include "io/pglog.h"
#include "io/pgproc.h"
#include "io/pgquery.h"
#include "io/words.h"

#define PGWORK_OTHERS_MAX 16 /* requests at once that change nothing */

enum { PGWORK_NEXT = 0, PGWORK_WAIT = 1, PGWORK_DONE = 2 };

struct pgwork;

struct pgwork_step {
	const char *name; /* for messages: "base backup" */
	int (*run)(struct pgwork *work, struct err *err);
};

struct pgwork_kind {
	const struct pgwork_step *steps; /* ends with a NULL run */
	size_t data_size;                /* of *work->data, zeroed at the beginning */
	void (*data_done)(void *data);
	/* Before a failure is answered; nothing of the chain runs any more. */
	void (*failed)(struct pgwork *work, int result);
	bool shares_conn;  /* talks over pg->conn, which outlives it */
	bool answers_late; /* changes nothing: at its deadline it answers with what it has */
	/* Adds what is special to the answer. */
	void (*answer)(struct pgwork *work, struct event *event);
};

/* What a control file was like: all zero, and it fits none. */
struct control_stamp {
	int64_t inode;
	int64_t s, ns; /* of its last change */
};

struct pgwork {
	struct pg *pg;
	const struct pgwork_kind *kind;
	enum event_type event;
	uint64_t ticket;
	struct pg_req req;
	void *data;
	size_t step, next;

	struct child *child;
	char child_name[32];  /* for messages */
	struct child_end end; /* of the last child; its text is valid until the next */
	struct pgconn *conn;
	bool conn_usual; /* its session is like every other: others may use it afterwards */
	struct loop_source *timer;
	struct loop_source *deadline;
	struct loop_source *defer;

	bool polls;    /* waits for the timer */
	bool abandons; /* the child is let go when the timer comes */
	bool tolerate; /* a failure of what is waited for does not end the chain */
	int result;    /* of the last thing waited for */
	struct err err;
	int ending;    /* < 0: the chain ends as soon as its child has */
	struct err ending_err;

	struct control_stamp control_seen; /* of the file that pgtool_control() reads */
	char hostaddr[256]; /* of pgdial_resolve() */
	char text[ERR_MSG_MAX]; /* for event.text */
};

/* One life of a postmaster. */
struct pglife {
	struct pgproc proc; /* pid 0: none is known; pidfd owned */
	struct loop_source *source;
	struct pgproc_pidfile file;
	struct pgdir_stamp file_stamp; /* of what `file` was read from */
	enum pg_role seen; /* the last role it told */
	bool may_write;    /* started as primary, or promotion was ordered */
	bool unborn;       /* START has not seen its pid file yet */
	bool shut;         /* its shutdown checkpoint is on disk: it counts as down */
	bool waits;        /* the newest probe found replay at the end of the WAL that is here */
	bool starved;      /* settings in force are lower than those that WAL was written with */
	bool paused;       /* replay was, at the last probe */
	uint32_t timeline; /* newest one seen of it */
	int64_t identify_at_ms; /* not before then its timeline is asked over replication */
};

struct canary;
struct pgdoor;
struct pgready;

struct pg {
	struct loop *loop;
	pg_event_fn deliver;
	void *ctx;
	const struct config *config;
	struct pg_state state;
	struct pglife life;
	struct pglog log;    /* of the present or the last life */
	struct pgconn *conn; /* the probe's */
	/* Open and waiting: a promotion must not wait for a connection, and what is asked in every
	 * cycle must not open one each time. A chain that uses it takes it out of here. */
	struct pgconn *spare;
	int64_t spare_at_ms; /* not before then it is opened again */
	char plain_user[NAME_SIZE]; /* in place of a superuser, once it was seen to be none */
	struct pgdoor *door;
	struct pgready *ready;
	struct canary *canary; /* where the WAL lies */
	int lock_fd; /* held while nobody else may change the data directory */
	bool mended;
	bool fork_stays; /* a segment in the way of a promotion could not be set aside */

	struct pgdir_seen seen;

	/* Of the newest probe: what is in order needs no question of its own. */
	struct pgquery_slots slots;
	int64_t slots_at_ms; /* 0: not known */

	struct pgcontrol control;
	bool control_known;
	struct control_stamp control_stamp; /* of the file that it was read from */
	struct control_stamp control_next;  /* as pgwatch_control_stale() saw it last */

	uint32_t nchanges; /* settings that wait for a restart of this life */
	struct setting_change changes[SETTING_CHANGES_MAX];
	int64_t settings_at_ms; /* not before then they are looked at again */
	bool settings_reloaded; /* the newest look may have come before Postgres read its files */

	/* What the files in the data directory say. */
	bool armed;
	struct upstream follows;
	bool follows_known;
	int64_t alone_since_ms; /* when they began to name nobody, if they do */
	pid_t receiver_ended;   /* the newest one that was ended by us */

	struct pgwork *hand; /* the one that changes something */
	struct pgwork *stop;
	struct pgwork *others[PGWORK_OTHERS_MAX];
	struct child *sweeper; /* deletes replaced directories */
};

/* Begins a chain, from the loop, and puts it into *place, which is cleared at its end. */
int pgwork_begin(struct pg *pg, const struct pgwork_kind *kind, enum event_type event,
		 uint64_t ticket, const struct pg_req *req, struct pgwork **place,
		 struct err *err) _must_check_;
/* A place for a request that changes nothing. That there is none is the caller's mistake. */
struct pgwork **pgwork_place(struct pg *pg);
/* Ends it as soon as its child has ended; the answer comes from the loop. */
void pgwork_cancel(struct pgwork *work, enum err_code code, const char *why);
/* Without an answer, at once. NULL is fine. */
void pgwork_free(struct pgwork *work);
/* What a step polls for has happened: it looks now instead of at its next turn. */
void pgwork_kick(struct pgwork *work);

/* -- for steps ---------------------------------------------------------------------------- */

/* After this step comes that one instead of the next in the table. */
void pgwork_jump(struct pgwork *work, size_t step);
/* This step runs again in a while; returns PGWORK_WAIT. */
int pgwork_again_in(struct pgwork *work, int64_t ms);
/* The next failure is put into work->result and work->err, and the chain goes on. */
void pgwork_tolerate(struct pgwork *work);
/* The child that was just begun only reads: a disk that stalls it must not stall the chain. After
 * so long it is let go, and counts as failed by ERR_TIMEOUT. */
void pgwork_abandon_in(struct pgwork *work, int64_t ms);
/* What was waited for has ended. */
void pgwork_resume(struct pgwork *work, int result, const struct err *err);
/* The same as a pgconn_fn; ctx is the work. */
void pgwork_answered(void *ctx, int result, const struct err *err);

#endif
