/* SPDX-License-Identifier: PostgreSQL */
/*
 * anew - the same process goes on with the program that is installed now
 *
 * How an agent is upgraded. Its pid, its unit and the parenthood of its Postgres stay; everything
 * else is closed by execve() and found again by the new program, as after a crash. First the new
 * program has to say (--can-take-over) that it can use the configuration and what agent and
 * guardian share; then a moment is awaited in which nothing is under way.
 */
#ifndef PGHA_IO_ANEW_H
#define PGHA_IO_ANEW_H

#include "agent/agent.h"
#include "base/err.h"
#include "io/guardian.h"
#include "io/hooks.h"
#include "io/loop.h"

struct anew;

/* What of the agent is looked at; borrowed. */
struct anew_world {
	const struct agent *agent;
	const struct hooks *hooks;
	struct guardian *guardian;
	const bool *started;
};

/* argv         as main() got it; kept
 * config_path  what the new program has to find usable; NULL: only variables
 * Before anybody changes the environment: the new program gets it as it is now. */
int anew_new(struct loop *loop, char **argv, const char *config_path, struct anew **ret,
	     struct err *err) _must_check_;
void anew_free(struct anew *anew);
void anew_watch(struct anew *anew, const struct anew_world *world); /* copied */
/* SIGUSR2. When it cannot be done the log says why, and this program goes on. */
void anew_ask(struct anew *anew);

#endif
