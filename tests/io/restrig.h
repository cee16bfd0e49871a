/* SPDX-License-Identifier: PostgreSQL */
/*
 * restrig - a REST server on loopback, with a loop, a board and a client
 */
#ifndef PGHA_TESTS_IO_RESTRIG_H
#define PGHA_TESTS_IO_RESTRIG_H

#include "io/http.h"
#include "io/rest.h"
#include "rig.h"

#define RESTRIG_WAIT_MS 5000

struct restrig {
	struct loop *loop;
	struct http *http;
	struct board *board;
	struct rest *rest;
	struct config_restapi config; /* for restrig_start(); on 127.0.0.1 */
	/* Commands that came; each is answered with 200 "done by the loop" unless held. */
	bool hold;
	uint32_t ncommands;
	uint64_t last_id;
	enum command_type last_type;
	/* What restrig_ask() was answered. */
	bool answered;
	int status; /* of HTTP, or the negative code of a failure */
	char *body;
	char fault[256];
	char header[256]; /* of the answer, where one was asked for */
};

void restrig_init(struct restrig *rig, int port);
/* Takes the address and listens. */
void restrig_start(struct restrig *rig);
void restrig_done(struct restrig *rig);

/* A primary, by its lease until then, that takes writes. Freed by the caller. */
struct status *restrig_primary(int64_t leader_until_ms);
void restrig_publish(struct restrig *rig, int64_t leader_until_ms);

/* Turns the loop until the answer is there; its code. */
int restrig_ask(struct restrig *rig, struct http_req req, const char *path);
int restrig_get(struct restrig *rig, const char *path);
int restrig_post(struct restrig *rig, const char *path, const char *body);

/* A connection, from 127.0.1.`host`, or from wherever where that is negative. -1: refused. */
int restrig_dial(int port, int host);
/* Sends text on it. */
void restrig_send(int fd, const char *text);

/* Clients may be many. */
void restrig_files(unsigned n);

#endif
