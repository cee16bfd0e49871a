/* SPDX-License-Identifier: PostgreSQL */
/*
 * checkup - facts about one member's server and host that hactl doctor judges
 */
#ifndef PGHA_WIRE_CHECKUP_H
#define PGHA_WIRE_CHECKUP_H

#include "base/str.h"
#include "core/types.h"

#define CHECKUP_VALUES_MAX 32
#define CHECKUP_FILES_MAX  12
#define CHECKUP_PATH_SIZE  256

struct checkup_value {
	char name[NAME_SIZE];
	char value[NAME_SIZE];
};

/* A file that holds a secret, or a directory that only its owner may change. */
struct checkup_file {
	const char *what; /* static: the key that names it */
	char path[CHECKUP_PATH_SIZE];
	bool exists;
	bool own;      /* belongs to who runs the agent, or to root */
	char mode[8]; /* permission bits in octal, as stat -c %a prints them */
};

struct checkup_values {
	uint32_t n;
	struct checkup_value items[CHECKUP_VALUES_MAX];
};

/* The local server and its host. */
struct checkup {
	char sql_error[REASON_SIZE]; /* why the server told nothing; "" it did */
	struct checkup_values values;
	uint64_t data_free_bytes; /* of the file system; 0 unknown */
	uint64_t data_size_bytes;
	uint32_t nfiles;
	struct checkup_file files[CHECKUP_FILES_MAX];
	int64_t open_files;  /* limit of descriptors; -1 none */
	int64_t tasks_max;   /* of the control group; -1 none, or not known */
	int64_t memory_max;  /* bytes; so is that */
};

/* Another member's server, tried from here. */
struct checkup_link {
	char to[NAME_SIZE];
	char replication_user[NAME_SIZE];
	char rewind_user[NAME_SIZE];
	char replication_error[REASON_SIZE]; /* "" it lets us in */
	char rewind_error[REASON_SIZE];
};

/* "settings": {...}, "data": {...}, "files": [...], "limits": {...}, each with a comma before. */
void checkup_add(const struct checkup *checkup, struct buf *b);
void checkup_add_link(const struct checkup_link *link, struct buf *b);

#endif
