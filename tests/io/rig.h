/* SPDX-License-Identifier: PostgreSQL */
/*
 * rig - real servers and false ones for the tests of the outside
 *
 * Everything listens on 127.0.0.1, below a directory of its own, and ends with the test.
 */
#ifndef PGHA_TESTS_IO_RIG_H
#define PGHA_TESTS_IO_RIG_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#include "base/base.h"
#include "base/str.h"

/* Says what did not hold and ends the program; the rig is taken down by an exit handler. */
#define CHECK(cond, ...)                                                                  \
	do {                                                                              \
		if (!(cond)) {                                                            \
			fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #cond); \
			fprintf(stderr, "   " __VA_ARGS__);                                \
			fputc('\n', stderr);                                              \
			rig_fail();                                                       \
		}                                                                         \
	} while (0)

/* Runs one test of the program and names it. Each has 120 s. */
#define RUN(fn)                                  \
	do {                                     \
		rig_begin(#fn);                  \
		fn();                            \
		printf("ok %s\n", #fn);          \
		fflush(stdout);                  \
	} while (0)

void rig_fail(void) __attribute__((noreturn));
void rig_begin(const char *name);

/* Called when the test ends, also when it fails, before the directory goes. */
void rig_at_end(void (*fn)(void));

/* A fresh directory below /tmp, removed at the end. */
const char *rig_dir(void);
/* Starts a program; killed at the end if it still runs. Its output goes to a file there. */
pid_t rig_spawn(const char *log_name, char *const argv[]);
void rig_kill(pid_t pid, int signo); /* SIGKILL also waits for its end */
void rig_wait(pid_t pid);            /* until it ends by itself, with success */

/* Path (heap) of one of: ca.pem; server.pem and client.pem, certificate and key signed by it, for
 * 127.0.0.1; alien.pem, signed by nobody; server.crt, server.key. */
char *rig_certificate(const char *name);

#define RIG_ETCD_MAX 3

struct rig_etcd {
	int n;
	bool tls; /* https, and clients must show a certificate */
	const char *host; /* listens here as well; NULL: on 127.0.0.1 only */
	int port[RIG_ETCD_MAX];
	pid_t pid[RIG_ETCD_MAX];
};

/* Starts n members on base_port, base_port + 1 (peer), base_port + 2, ... */
void rig_etcd_start(struct rig_etcd *etcd, int n, int base_port);
void rig_etcd_start_one(struct rig_etcd *etcd, int i, int base_port);
/* Runs etcdctl against member i; the output is added to *ret. */
void rig_etcdctl(const struct rig_etcd *etcd, int i, const char *args, struct buf *ret);
/* Index of the leader; waits until there is one. `not` is not looked at (-1: all are). */
int rig_etcd_leader(const struct rig_etcd *etcd, int not_this);

/* What a false server does with each connection. */
enum rig_manner {
	RIG_SILENT = 0, /* accepts and never says anything */
	RIG_HTML,       /* 200 with a page */
	RIG_GARBAGE,    /* bytes that are no HTTP */
	RIG_DRIP,       /* a header, then a byte every 50 ms for ever */
	RIG_FLOOD,      /* an answer of 1 GB */
	RIG_ANSWER,     /* the fixed text */
};

struct rig_fake;
struct rig_fake *rig_fake_start(int port, enum rig_manner manner, const char *text);
int rig_fake_connections(const struct rig_fake *fake); /* so far */
void rig_fake_stop(struct rig_fake *fake);

#endif
