/* SPDX-License-Identifier: PostgreSQL */
/*
 * restpriv - what the two sides of the REST server share
 *
 * Only for rest.c, the side of the loop, and restserve.c, the thread. What is not behind the lock
 * belongs to one of them.
 */
#ifndef PGHA_IO_RESTPRIV_H
#define PGHA_IO_RESTPRIV_H

#include <pthread.h>

#include "io/allow.h"
#include "io/peersign.h"
#include "io/rest.h"
#include "io/restdb.h"
#include "io/resttls.h"

struct MHD_Connection;
struct MHD_Daemon;

/* Never changed once the thread has it. */
struct rest_settings {
	char *credentials; /* "user:password", NULL none wanted */
	bool restricted;   /* writes only from `allow` */
	struct allow allow;
	bool listed;       /* ... of which some were named by the operator */
	const char *server; /* static: what answers name as their server; NULL none */
	struct pairs headers;
	struct resttls *tls; /* NULL: plain HTTP */
	struct peersign sign;
	int listen_fd;       /* -1: as before */
};

/* A write on its way to the loop and back. */
struct rest_task {
	struct rest_task *next;
	uint64_t id;
	struct command command;
	int64_t deadline_ms;
	struct MHD_Connection *connection; /* the thread's; NULL: ended meanwhile */
	void *request;                     /* the thread's */
	int code; /* 0: not answered yet */
	const char *content_type;
	char *body;
	uint64_t lsn; /* goes into a header; 0: none */
};

struct rest {
	struct loop *loop;
	struct resolve *resolve;
	struct board *board;
	rest_command_fn command;
	void *ctx;

	/* the loop's */
	struct config_restapi *config; /* the parts that are needed later */
	struct resttls *tls;
	int bound_fd;
	char bound_host[HOST_SIZE];
	uint16_t bound_port;
	struct loop_source *tasks_source;
	struct loop_source *timer;   /* deadlines of tasks */
	struct loop_source *refresh; /* host names of the allowlist */
	struct rest_task *waiting;
	struct restdb db; /* in part shared */
	struct peersign sign;
	char *members_json; /* GET /cluster whose members are known */
	uint32_t nmembers;
	char (*members)[HOST_SIZE];
	bool started;
	bool told_open;
	bool told_overheard;
	bool told_unsigned;
	pthread_t thread;

	/* shared */
	pthread_mutex_t lock;
	struct rest_settings *settings; /* for the thread to take */
	struct rest_task *asked;        /* for the loop */
	struct rest_task *answered;     /* for the thread */
	struct peer_telemetry peers;
	bool stop;
	char instance[PEERSIGN_NONCE_SIZE]; /* as long as rest lives */
	int wake_fd;  /* wakes the thread */
	int tasks_fd; /* wakes the loop */
};

void rest_settings_free(struct rest_settings *settings);
void rest_task_free(struct rest_task *task);

/* restserve.c: the thread's main function. */
void *restserve_run(void *rest);

#endif
