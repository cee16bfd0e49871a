/* SPDX-License-Identifier: PostgreSQL */
/*
 * pghad - the agent beside one Postgres: options, wiring, exit code
 */
#include <getopt.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/leasepage.h"
#include "base/log.h"
#include "base/str.h"
#include "io/anew.h"
#include "io/confread.h"
#include "io/fsx.h"
#include "io/generate.h"
#include "io/journal.h"
#include "io/peersecret.h"
#include "io/portcheck.h"
#include "io/ports.h"
#include "io/replay.h"

#define EXIT_USAGE  2
#define EXIT_CONFIG 3

#define FILES_WANTED 4096
#define LAST_MS      1000 /* for programs that were killed to be gone */

enum what {
	WHAT_RUN = 0,
	WHAT_VALIDATE,
	WHAT_TAKE_OVER,
	WHAT_PRINT,
	WHAT_GENERATE,
	WHAT_SAMPLE,
	WHAT_KEYS,
	WHAT_REPLAY
};

struct wish {
	enum what what;
	bool print; /* the configuration, after it was checked */
	bool ignore_ports;
	const char *dsn;
};

struct front {
	struct loop *loop;
	struct ports *ports;
	struct journal *journal;
	struct loop_source *term;
	struct loop_source *interrupt;
	struct loop_source *hangup;
	struct loop_source *renew;
	struct anew *anew;
};

static const char usage[] =
	"Usage: pghad [FILE|DIRECTORY]\n"
	"       pghad --validate-config [--ignore-listen-port] [--print] [FILE|DIRECTORY]\n"
	"       pghad --can-take-over|--print [FILE|DIRECTORY]\n"
	"       pghad --generate-config [--dsn DSN] [FILE]\n"
	"       pghad --generate-sample-config [FILE]\n"
	"       pghad --replay FILE\n"
	"Keeps one Postgres of a cluster under a leader lease in etcd.\n"
	"\n"
	"  --validate-config         print every problem of the file, with its line, and end\n"
	"  --can-take-over           the same, and whether SIGUSR2 can have this program executed\n"
	"  -i, --ignore-listen-port  with it: do not look whether the ports can be used\n"
	"  -p, --print               print the local configuration, variables merged in, as YAML;\n"
	"                            passwords too\n"
	"  --generate-config         print a configuration for the server that runs here, or write\n"
	"                            it to FILE; as its owner\n"
	"  --dsn DSN                 how to connect to it, as a superuser\n"
	"  --generate-sample-config  print an example configuration, or write it to FILE\n"
	"  --describe-config         print every key: type, default, range, meaning\n"
	"  --replay                  make the decisions of a flight recorder's FILE again\n"
	"  --version                 print the version\n"
	"  --help                    print this\n"
	"\n"
	"See pghad(8) and pgha.yml(5).\n";

static void print_buf(struct buf *text)
{
	if (text->len > 0)
		(void)fwrite(text->data, 1, text->len, stdout);
	buf_done(text);
}

/* The page that the agent shares with its guardian has a version: see doc/fencing.md. */
static int check_page(const struct config *config, struct err *err)
{
	_cleanup_(leasepage_done) struct leasepage page = LEASEPAGE_CLOSED;
	struct leasepage_facts facts = { 0 };

	if (leasepage_open_reader(&page, config->run_dir, config->scope, config->name, NULL) < 0 ||
	    leasepage_read(&page, &facts) != LEASEPAGE_OTHER_VERSION)
		return 0;
	return err_set(err, ERR_STATE,
		       "the lease page of the agent that runs has another version: pause the "
		       "cluster (hactl pause --wait), then restart guardian and agent");
}

/* A server or an agent that runs already uses its port: that is told, and no fault. */
static void look_at_ports(const struct config *config)
{
	struct err err = { 0 };

	if (portcheck_bind(config->restapi.listen_host, config->restapi.listen_port, &err) < 0)
		(void)fprintf(stderr,
			      "restapi.listen: warning: %s; so it is while pghad runs, -i leaves "
			      "this out\n",
			      err.msg);
	err = (struct err){ 0 };
	if (portcheck_bind(config->pg.listen, config->pg.port, &err) < 0)
		(void)fprintf(stderr,
			      "postgresql.listen: warning: %s; so it is while Postgres runs, -i "
			      "leaves this out\n",
			      err.msg);
}

static int print_config(const char *path)
{
	struct confdoc *doc = NULL;
	struct buf text = { 0 };
	struct err err = { 0 };
	int r = confread_parse(path, &doc, &err);

	if (r < 0) {
		(void)fprintf(stderr, "pghad: %s\n", err.msg);
		return 1;
	}
	confdoc_print(doc, &text);
	print_buf(&text);
	confdoc_free(doc);
	return 0;
}

static int check_secret(const struct config *config, struct err *err)
{
	struct peersign sign = { 0 };
	int r = peersecret_load(config, &sign, err);

	explicit_bzero(&sign, sizeof(sign));
	return r;
}

static int validate(const char *path, const struct wish *wish)
{
	struct confdoc *doc = NULL;
	struct config *config = NULL;
	struct conf_problems problems = { 0 };
	struct buf text = { 0 };
	struct err err = { 0 };
	int r = confread_load(path, &doc, &text, &err);

	print_buf(&text);
	if (r == 0)
		r = conf_build(doc, NULL, &config, &problems, &err);
	if (r == 0)
		r = check_secret(config, &err);
	if (r == 0 && wish->what == WHAT_TAKE_OVER)
		r = check_page(config, &err);
	if (r < 0)
		(void)fprintf(stderr, "pghad: %s\n", err.msg);
	else
		(void)printf("%s: can be used\n", path != NULL ? path : "environment");
	if (r >= 0 && !wish->ignore_ports && wish->what == WHAT_VALIDATE)
		look_at_ports(config);
	if (r >= 0 && wish->print)
		confdoc_print(doc, &text);
	print_buf(&text);
	conf_problems_done(&problems);
	config_free(config);
	confdoc_free(doc);
	return r < 0 ? 1 : 0;
}

static int write_text(const char *path, struct buf *text)
{
	struct err err = { 0 };
	int r;

	if (path == NULL) {
		print_buf(text);
		return 0;
	}
	/* It is meant to hold passwords. */
	r = fsx_replace(path, text->data, text->len, &err);
	buf_done(text);
	if (r == 0)
		return 0;
	(void)fprintf(stderr, "pghad: %s\n", err.msg);
	return 1;
}

/* What is left to do is said on the standard error output: the text may go to a pipe. */
static void look_at_generated(const char *path, const struct buf *text)
{
	const char *const name = path != NULL ? path : "generated";
	struct conf_problems problems = { 0 };
	struct config *config = NULL;
	struct confdoc *doc = NULL;
	struct buf told = { 0 };
	struct err err = { 0 };

	if (confdoc_parse(text->data, text->len, NULL, &doc, &err) == 0 &&
	    conf_build(doc, NULL, &config, &problems, &err) == 0)
		(void)fprintf(stderr, "%s: look at the lines with CHECK\n", name);
	else
		(void)fprintf(stderr, "%s: cannot be used yet: %s\n", name, err.msg);
	conf_problems_print(&problems, name, &told);
	if (told.len > 0)
		(void)fwrite(told.data, 1, told.len, stderr);
	buf_done(&told);
	conf_problems_done(&problems);
	config_free(config);
	confdoc_free(doc);
}

static int generate(const char *dsn, const char *path)
{
	struct buf text = { 0 };
	struct err err = { 0 };

	if (generate_config(dsn, &text, &err) < 0) {
		(void)fprintf(stderr, "pghad: %s\n", err.msg);
		buf_done(&text);
		return 1;
	}
	look_at_generated(path, &text);
	return write_text(path, &text);
}

static int print_texts(enum what what, const char *path)
{
	struct buf text = { 0 };

	if (what == WHAT_SAMPLE)
		conf_print_sample(&text);
	else
		conf_print_keys(&text);
	return write_text(path, &text);
}

static int replay(const char *path)
{
	struct buf text = { 0 };
	struct err err = { 0 };
	int r = replay_file(path, &text, &err);

	print_buf(&text);
	if (r < 0)
		(void)fprintf(stderr, "pghad: %s\n", err.msg);
	return r == 0 ? 0 : 1;
}

/* Without a file all settings may come from variables. */
static bool any_variable(void)
{
	for (char **at = environ; *at != NULL; at++)
		if (str_starts(*at, "PATRONI_"))
			return true;
	return false;
}

static void on_end(void *ctx, int signo)
{
	struct front *front = ctx;

	log_notice("received %s", signo == SIGINT ? "SIGINT" : "SIGTERM");
	ports_stop(front->ports);
}

static void on_hangup(void *ctx, int signo)
{
	struct front *front = ctx;

	(void)signo;
	ports_reload(front->ports);
}

static void on_renew(void *ctx, int signo)
{
	struct front *front = ctx;

	(void)signo;
	anew_ask(front->anew);
}

static int catch_signals(struct front *f, struct err *err)
{
	int r = loop_signal_new(f->loop, "SIGTERM", SIGTERM, on_end, f, &f->term, err);

	if (r == 0)
		r = loop_signal_new(f->loop, "SIGINT", SIGINT, on_end, f, &f->interrupt, err);
	if (r == 0)
		r = loop_signal_new(f->loop, "SIGHUP", SIGHUP, on_hangup, f, &f->hangup, err);
	if (r == 0)
		r = loop_signal_new(f->loop, "SIGUSR2", SIGUSR2, on_renew, f, &f->renew, err);
	return r;
}

static void front_done(struct front *f)
{
	ports_free(f->ports);
	loop_source_free(f->term);
	loop_source_free(f->interrupt);
	loop_source_free(f->hangup);
	loop_source_free(f->renew);
	anew_free(f->anew);
	if (!loop_end(f->loop, LAST_MS))
		log_warning("a program that was killed has not ended yet, it is left behind");
}

static int run(const char *path, char **argv, struct journal *journal)
{
	struct front front = { .journal = journal };
	struct confdoc *doc = NULL;
	struct buf text = { 0 };
	struct err err = { 0 };
	int code;
	int r;

	r = confread_load(path, &doc, &text, &err);
	if (text.len > 0)
		(void)fwrite(text.data, 1, text.len, stderr);
	buf_done(&text);
	if (r < 0) {
		log_critical("%s", err.msg);
		return EXIT_CONFIG;
	}
	r = loop_new(&front.loop, &err);
	if (r == 0)
		r = anew_new(front.loop, argv, path, &front.anew, &err);
	if (r == 0)
		r = catch_signals(&front, &err);
	if (r == 0)
		r = ports_new(front.loop, front.journal, path, doc, &front.ports, &err);
	if (r < 0) {
		log_critical("cannot start: %s", err.msg);
		front_done(&front);
		return r == -ERR_CONFIG ? EXIT_CONFIG : 1;
	}
	log_notice("pghad %s begins, configuration '%s'", PACKAGE_VERSION,
		   path != NULL ? path : "environment");
	ports_watch(front.ports, front.anew);
	code = loop_run(front.loop);
	log_notice("pghad ends");
	front_done(&front);
	return code;
}

/* REST alone may hold a thousand connections. */
static void raise_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur >= FILES_WANTED)
		return;
	files.rlim_cur = MIN_OF((rlim_t)FILES_WANTED, files.rlim_max);
	(void)setrlimit(RLIMIT_NOFILE, &files);
}

/* A small process stays small: one malloc arena, and no core with passwords in it. */
static void tune_process(void)
{
	(void)mallopt(M_ARENA_MAX, 1);
	(void)mallopt(M_TRIM_THRESHOLD, 65536);
	(void)prctl(PR_SET_DUMPABLE, 0);
	raise_files();
	(void)signal(SIGPIPE, SIG_IGN);
}

static int parse_options(int argc, char **argv, struct wish *ret)
{
	static const struct option options[] = {
		{ "validate-config", no_argument, NULL, 'v' },
		{ "can-take-over", no_argument, NULL, 't' },
		{ "print", no_argument, NULL, 'p' },
		{ "ignore-listen-port", no_argument, NULL, 'i' },
		{ "generate-config", no_argument, NULL, 'g' },
		{ "dsn", required_argument, NULL, 'D' },
		{ "generate-sample-config", no_argument, NULL, 's' },
		{ "describe-config", no_argument, NULL, 'd' },
		{ "replay", no_argument, NULL, 'r' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "hVpi", options, NULL)) >= 0) {
		switch (c) {
		case 'v':
			ret->what = WHAT_VALIDATE;
			break;
		case 't':
			ret->what = WHAT_TAKE_OVER;
			break;
		case 'g':
			ret->what = WHAT_GENERATE;
			break;
		case 'D':
			ret->dsn = optarg;
			break;
		case 's':
			ret->what = WHAT_SAMPLE;
			break;
		case 'd':
			ret->what = WHAT_KEYS;
			break;
		case 'p':
			ret->print = true;
			break;
		case 'i':
			ret->ignore_ports = true;
			break;
		case 'r':
			ret->what = WHAT_REPLAY;
			break;
		case 'V':
			(void)printf("pghad %s\n", PACKAGE_VERSION);
			return 0;
		case 'h':
			(void)fputs(usage, stdout);
			return 0;
		default:
			(void)fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	return -1;
}

/* A configuration that did not fit onto the disk must not pass for one that was printed. */
static int told(int code)
{
	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return code;
	(void)fputs("pghad: what is printed could not be written whole\n", stderr);
	return code != 0 ? code : 1;
}

int main(int argc, char **argv)
{
	struct wish wish = { 0 };
	enum what what;
	const char *path;
	struct journal *journal;
	int r;

	tune_process();
	r = parse_options(argc, argv, &wish);
	if (r >= 0)
		return told(r);
	what = wish.what == WHAT_RUN && wish.print ? WHAT_PRINT : wish.what;
	path = optind < argc ? argv[optind] : NULL;
	if (optind + 1 < argc || (what == WHAT_KEYS && path != NULL) ||
	    (what == WHAT_REPLAY && path == NULL) ||
	    (wish.dsn != NULL && what != WHAT_GENERATE) ||
	    (what < WHAT_GENERATE && path == NULL && !any_variable())) {
		(void)fputs(usage, stderr);
		return EXIT_USAGE;
	}
	if (what == WHAT_GENERATE)
		return told(generate(wish.dsn, path));
	if (what == WHAT_SAMPLE || what == WHAT_KEYS)
		return told(print_texts(what, path));
	if (what == WHAT_REPLAY)
		return told(replay(path));
	if (what == WHAT_VALIDATE || what == WHAT_TAKE_OVER)
		return told(validate(path, &wish));
	if (what == WHAT_PRINT)
		return told(print_config(path));

	journal = journal_new();
	if (geteuid() == 0) {
		log_critical("pghad runs beside Postgres as its owner, not as root: start it with "
			     "'setpriv --reuid=postgres --regid=postgres --init-groups pghad FILE' "
			     "or by its systemd unit");
		r = 1;
	} else {
		r = run(path, argv, journal);
	}
	journal_free(journal);
	return r;
}
