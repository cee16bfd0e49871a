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
#include "cli/table.h"

struct http;
struct loop;

/* What a command did, collected for --json; see report.h. */
struct report {
	struct tree results;
	struct tree facts; /* numbers beside them */
	size_t nrefused; /* what a --dry-run found in the way */
};

/* Where a command finds everything; made by cli_main(). */
struct cli {
	const char *program; /* as it was called: "hactl" */
	struct setup setup;
	struct setup_args setup_args; /* what it was made of */
	struct loop *loop;
	struct http *http;
	struct dcs *dcs; /* made on first use */
	int64_t patience_ms; /* how long an answer of etcd or a member is waited for; 0: as usual */
	struct api *api;
	bool dry;  /* --dry-run: nothing may be changed, and nothing can be: requests are refused */
	bool json; /* --json */
	bool quiet; /* the readers say nothing on the standard error output */
	struct report report;
};

/* One word behind the name of a command. */
struct cli_word {
	enum args_kind kind;
	const char *const *choices; /* words that may stand here, ended by NULL; or NULL */
	bool many;                  /* so are all that follow */
};

#define CLI_WORDS_MAX 3

struct cli_command {
	const char *name;
	const char *words; /* for the usage line: "[CLUSTER] [MEMBER...]" */
	struct cli_word takes[CLI_WORDS_MAX]; /* the same for completion; ends at ARGS_TEXT */
	size_t words_min;
	size_t words_max; /* ARGS_MAX: any number */
	const char *help; /* one line */
	const char *more; /* what else there is to know; NULL nothing */
	const struct args_option *options; /* ended by a NULL name; may be NULL */
	bool alone; /* needs neither a configuration nor a cluster: nothing is made for it */
	int failure; /* exit code when it could not do its work; 0: 1, as everywhere */
	int (*run)(struct cli *cli, const struct args *args, struct err *err);
};

/* All commands, ended by NULL. */
extern const struct cli_command *const cli_commands[];
/* Options that every command knows besides its own; ended by a NULL name. */
const struct args_option *cli_common_options(void);
/* Options that may stand before the command; the second list only there. */
const struct args_option *cli_global_options(void);
const struct args_option *cli_program_options(void);
/* Values of --role, ended by NULL. */
extern const char *const cli_roles[];

/* The whole program; returns its exit code. */
int cli_main(int argc, char *const *argv, const char *const *env);

/* What the commands find, from files, environment and options. *cli is zeroed but for `program`
 * before, and needs cli_done() afterwards in any case. */
int cli_open(struct cli *cli, const struct setup_args *args, struct err *err) _must_check_;
void cli_done(struct cli *cli);

/* The command of that name, or NULL. */
const struct cli_command *cli_find(const char *name);

/* Help of all commands, or of one. */
void cli_help(const char *program, struct buf *ret_text);
void cli_command_help(const char *program, const struct cli_command *command,
		      struct buf *ret_text);
/* The command whose name comes nearest, or NULL. */
const char *cli_guess(const char *name);

/* What a command was told, or the scope of the configuration; NULL: it was told nothing. */
int cli_cluster_named(const struct cli *cli, const char *given, const char **ret_name,
		      struct err *err) _must_check_;
/* The same of word 0. */
int cli_cluster(const struct cli *cli, const struct args *args, const char **ret_name,
		struct err *err) _must_check_;
/* Takes up the configuration of this cluster, where there are several; the readers below do so. */
int cli_aim(struct cli *cli, const char *cluster, struct err *err) _must_check_;
/* Reads the cluster from etcd; where etcd cannot be reached, from the first member that answers of
 * those whose REST address is known, which is said on the standard error output. */
int cli_picture(struct cli *cli, const char *name, struct picture *ret,
		struct err *err) _must_check_;
/* The same, but only etcd will do: for commands that change keys. */
int cli_picture_dcs(struct cli *cli, const char *name, struct picture *ret,
		    struct err *err) _must_check_;
/* cli_picture() of the cluster that the command line or the configuration names. */
int cli_picture_own(struct cli *cli, const struct args *args, struct picture *ret,
		    struct err *err) _must_check_;
/* --format, or JSON with --json; pretty unless told otherwise. */
enum table_format cli_format(const struct args *args);
/* Prints the member table. */
void cli_show(const struct picture *picture);
/* All keys below the namespace that tell which clusters there are. */
int cli_read_namespace(struct cli *cli, struct etcd_kvs *ret, struct err *err) _must_check_;
/* "/<namespace>/<cluster>/<key>" */
int cli_key(const struct cli *cli, const char *cluster, const char *key, char dst[ETCD_KEY_SIZE],
	    struct err *err) _must_check_;
/* A request to a member's REST API: the path replaces that of its api_url. body NULL: none. */
int cli_request(struct cli *cli, const struct tree_node *member, const char *method,
		const char *path, const char *body, int64_t timeout_ms, struct api_reply *ret,
		struct err *err) _must_check_;
/* GET of a member's answer that goes on, such as /events; see api_listen(). */
struct http_call *cli_listen(struct cli *cli, const struct tree_node *member, const char *path,
			     size_t max_bytes, http_data_fn data, http_done_fn done, void *ctx);
/* GET /patroni of all members of the picture at once, in their order. ret_statuses and ret_errs
 * have room for max; returns how many there are. root NULL: it did not answer, *ret_errs says why.
 */
size_t cli_gather(struct cli *cli, const struct picture *picture, size_t max, int64_t timeout_ms,
		  struct tree *ret_statuses, struct err *ret_errs);
/* Lets the loop run for so long: between two looks at something. */
void cli_wait(struct cli *cli, int64_t ms);
/* The same, but no longer than until another one leads that cluster, as far as etcd tells. */
void cli_wait_leader(struct cli *cli, const char *cluster, int64_t ms);
/* Local time for result lines, with five digits of the second. */
void cli_print_stamp(void);

#endif
