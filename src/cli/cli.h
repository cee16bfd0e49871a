/* SPDX-License-Identifier: PostgreSQL */
/*
 * cli - the commands of hactl, and what they share
 *
 * A command reads its words and options, talks to etcd and to members, prints to the standard
 * output, and returns 0, an exit code, or a failure that is printed as "Error: ...".
 */
#ifndef PGHA_CLI_CLI_H
#define PGHA_CLI_CLI_H

#include "base/err.h"
#include "cli/api.h"
#include "cli/args.h"
#include "cli/dcs.h"
#include "cli/picture.h"
#include "cli/setup.h"

struct http;
struct loop;

/* Where a command finds everything; made by cli_main(). */
struct cli {
	const char *program; /* as it was called: "hactl" */
	struct setup setup;
	struct loop *loop;
	struct http *http;
	struct dcs *dcs; /* made on first use */
	struct api *api;
};

struct cli_command {
	const char *name;
	const char *words; /* for the usage line: "[CLUSTER] [MEMBER...]" */
	size_t words_min;
	size_t words_max; /* ARGS_MAX: any number */
	const char *help; /* one line */
	const char *more; /* what else there is to know; NULL nothing */
	const struct args_option *options; /* ended by a NULL name; may be NULL */
	int (*run)(struct cli *cli, const struct args *args, struct err *err);
};

/* All commands, ended by NULL. */
extern const struct cli_command *const cli_commands[];
/* Options that every command knows besides its own; ended by a NULL name. */
const struct args_option *cli_common_options(void);
/* Values of --role, ended by NULL. */
extern const char *const cli_roles[];

/* The whole program; returns its exit code. */
int cli_main(int argc, char *const *argv, const char *const *env);

/* Help of all commands, or of one. */
void cli_help(const char *program, struct buf *ret_text);
void cli_command_help(const char *program, const struct cli_command *command,
		      struct buf *ret_text);
/* The command whose name comes nearest, or NULL. */
const char *cli_guess(const char *name);

/* Word 0, or the scope of the configuration. */
int cli_cluster(const struct cli *cli, const struct args *args, const char **ret_name,
		struct err *err) _must_check_;
/* Reads the cluster from etcd; where etcd cannot be reached, from a member whose REST address is
 * known, which is said on the standard error output. */
int cli_picture(struct cli *cli, const char *name, struct picture *ret,
		struct err *err) _must_check_;
/* The same, but only etcd will do: for commands that change keys. */
int cli_picture_dcs(struct cli *cli, const char *name, struct picture *ret,
		    struct err *err) _must_check_;
/* That of the cluster that the command line or the configuration names. */
int cli_picture_own(struct cli *cli, const struct args *args, struct picture *ret,
		    struct err *err) _must_check_;
/* Prints the member table. */
void cli_show(const struct picture *picture);
/* "/<namespace>/<cluster>/<key>" */
int cli_key(const struct cli *cli, const char *cluster, const char *key, char dst[ETCD_KEY_SIZE],
	    struct err *err) _must_check_;
/* A request to a member's REST API: the path replaces that of its api_url. body NULL: none. */
int cli_request(struct cli *cli, const struct tree_node *member, const char *method,
		const char *path, const char *body, int64_t timeout_ms, struct api_reply *ret,
		struct err *err) _must_check_;
/* Lets the loop run for so long: between two looks at something. */
void cli_wait(struct cli *cli, int64_t ms);
/* Local time for result lines, with five digits of the second. */
void cli_print_stamp(void);

#endif
