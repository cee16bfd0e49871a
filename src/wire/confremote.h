/* SPDX-License-Identifier: PostgreSQL */
/*
 * confremote - what of the dynamic configuration can run programs on the host of a member
 *
 * Whoever writes to etcd writes the dynamic configuration. What names a program, a library, a file
 * or a directory there, or says who may log in without a password, makes the writer the operating
 * system user of Postgres on every member. With `pgha.allow_remote_commands: false` such keys count
 * from a member's own file alone: rows of the key table with CONF_EXEC, and settings of Postgres by
 * their names, so that those of extensions are among them.
 */
#ifndef PGHA_WIRE_CONFREMOTE_H
#define PGHA_WIRE_CONFREMOTE_H

#include "wire/confget.h"
#include "wire/confproblem.h"

#define CONFREMOTE_KEY "pgha.allow_remote_commands"

/* Whether a setting of Postgres names a command, a library, a file or a directory. */
bool confremote_is_setting(const char *name);

/* Takes such keys out of a dynamic document. Each that the local file does not give too is a
 * problem that is not fatal, at its line if it has one (then it came from bootstrap.dcs), and its
 * path is added to *withheld.
 * local        root of the member's own file */
void confremote_withhold(struct tree_node *dynamic, const struct tree_node *local,
			 struct conf_problems *problems, struct strings *withheld);

/* Whether `after` has such a key that `before` (NULL: nothing) has not, or with another value; the
 * first one's path. Taking one away is no change in this sense. */
bool confremote_brings(const struct tree_node *before, const struct tree_node *after,
		       char ret_path[TREE_PATH_SIZE]);

#endif
