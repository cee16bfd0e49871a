/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgrig - members with a real Postgres each, for the tests of io/pg
 *
 * A node is what the agent would drive: a configuration, a struct pg, and the newest events. The
 * programs give up root at once, for Postgres does not run as root.
 */
#ifndef PGHA_TESTS_IO_PGRIG_H
#define PGHA_TESTS_IO_PGRIG_H

#include "io/pg.h"
#include "wire/record.h"
#include "rig.h"

#define PGRIG_PARAMS_MAX 24

struct node {
	struct config config;
	struct pg *pg;
	struct pair params[PGRIG_PARAMS_MAX];
	char data_dir[128];
	char pgpass[128];
	uint64_t ticket; /* the newest one given */

	/* What the newest answer said. */
	uint64_t answered;
	int result;
	struct err err;
	struct pg_state state;
	struct history history;
	bool has_history, wal_gone;
	bool sql_ok;
	uint32_t nwalsenders, nslots;
	struct walsender walsenders[MEMBERS_MAX];
	struct slot_pos slots[SLOTS_MAX];
	char text[ERR_MSG_MAX];
	int64_t clients_gone_at_ms;

	int exits; /* EVENT_PG_EXIT so far */
	struct pg_state at_exit;
	int others; /* answers to tickets that nobody waited for */
	int canceled;
};

/* First act of main(). */
void pgrig_begin(void);
struct loop *pgrig_loop(void);
/* Directory of the server's programs: PGHA_PGBIN, or where the newest version is installed. */
char *pgrig_bin(void);
/* One of them; the text stands until the next call. */
const char *pgrig_program(const char *name);

/* A member "node<n>" on port 22000 + n, with nothing on disk. Freed with the rig. */
struct node *node_new(int n);
void node_param(struct node *node, const char *name, const char *value);
void node_configure(struct node *node);
/* As if the agent had been killed and started again. */
void node_restart_agent(struct node *node);

/* Sends a request; node_wait() waits for its answer and returns the result. */
uint64_t node_send(struct node *node, const struct pg_req *req);
int node_wait(struct node *node, uint64_t ticket);
int node_req(struct node *node, const struct pg_req *req);
int node_do(struct node *node, enum pg_op op);
/* The same with another node as upstream (NULL: none). */
int node_from(struct node *node, enum pg_op op, const struct node *upstream);
int node_stop(struct node *node, enum stop_mode mode);
/* Probes until the server is in this state and role, at most 30 s. */
void node_until(struct node *node, enum pg_run run, enum pg_role role);
/* A cluster of one that is up, as the agent makes it. */
void node_bootstrap(struct node *node);
/* A standby of `upstream` that is streaming. */
void node_join(struct node *node, const struct node *upstream);

/* One statement; the rows as text, added to *ret if not NULL. False when it failed. */
bool node_sql(struct node *node, const char *sql, struct buf *ret);
/* The first value as a number. */
long long node_number(struct node *node, const char *sql);
/* Begins a statement that is not waited for. */
pid_t node_sql_begin(struct node *node, const char *sql);
/* One round of the loop. */
void pgrig_step(void);
bool node_has(const struct node *node, const char *file);
/* Pid of a backend of this kind, of pg_stat_activity; 0: none. */
pid_t node_backend(struct node *node, const char *where);

#endif
