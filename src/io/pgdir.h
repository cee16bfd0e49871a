/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgdir - a data directory as a whole: what it is, and replacing it without losing it
 *
 * A new directory is made as "<data_dir>.pgha-new" on the same filesystem. When it is whole it
 * gets the mark PGDIR_WHOLE inside; then the old one is renamed to "<data_dir>.pgha-old", the new
 * one to <data_dir>, and the mark is removed. At every instant one of the two is there and can be
 * told from the other; pgdir_mend() finishes or undoes what a crash interrupted. The old one is
 * deleted only after that.
 *
 * A command of the operator's that insists on <data_dir> itself (custom bootstrap and replica
 * methods) works the other way round: pgdir_set_aside() renames the old one away with the mark
 * PGDIR_ASIDE inside, and until pgdir_keep_new() it is the old one that counts.
 *
 * All of this needs the right to rename <data_dir>; a mount point cannot be renamed, and that is
 * an error with this reason (use a subdirectory of the mount as data_dir). A symbolic link is
 * followed: the directories stand beside its target.
 */
#ifndef PGHA_IO_PGDIR_H
#define PGHA_IO_PGDIR_H

#include <limits.h>

#include "base/err.h"
#include "core/types.h"

/* Being rewound. A FIFO: pg_rewind removes every file that its source does not have, and knows
 * files, directories and links only (PostgreSQL 13 to 18). */
#define PGDIR_REWINDING "pgha.rewinding"
#define PGDIR_EMPTIED   "pgha.emptied"   /* its table spaces elsewhere made room for a copy */
#define PGDIR_BOOTSTRAP "pgha.bootstrap" /* initialised; roles and post_bootstrap are to come */
#define PGDIR_WHOLE     "pgha.whole"     /* in a staged directory: may replace the other one */
#define PGDIR_ASIDE     "pgha.aside"     /* in the old directory: a crash brings it back */

struct pgdir {
	char data[PATH_MAX];   /* links resolved */
	char staged[PATH_MAX]; /* "<data>.pgha-new" */
	char old[PATH_MAX];    /* "<data>.pgha-old" */
};

int pgdir_init(struct pgdir *dir, const char *data_dir, struct err *err) _must_check_;

/* Fills dir, standby_signal, boot_unfinished, emptied of *ret, and server_version from PG_VERSION
 * where nothing better is known. Never fails: what cannot be read is DIR_UNKNOWN. */
void pgdir_look(const char *data_dir, struct pg_state *ret);

/* What a file or directory was like when it was looked at; zeroed: it was not. */
struct pgdir_stamp {
	int64_t device;
	int64_t inode;
	int64_t size;
	int64_t changed_ns;
};

/* Whether it is as it was at the last call with this stamp. The stamp is taken before the caller
 * reads, and not while a change would go unseen. */
bool pgdir_unchanged(const char *path, struct pgdir_stamp *stamp);

struct pgdir_seen {
	struct pgdir_stamp dir;
	struct pgdir_stamp version;
	bool has_control;
	struct pg_state state;
};

/* The same as pgdir_look(), without reading what has not changed. *seen starts zeroed. */
void pgdir_look_again(const char *data_dir, struct pgdir_seen *seen, struct pg_state *ret);
/* "15" of PG_VERSION; 0 without a readable one. */
int32_t pgdir_major(const char *data_dir);
bool pgdir_empty(const char *path); /* missing, or nothing but lost+found */
bool pgdir_exists(const char *path);
bool pgdir_has(const char *data_dir, const char *name);
/* 0700, or 0750 where the group may read: what files inside should follow. */
bool pgdir_group_access(const char *data_dir);

int pgdir_mark(const char *data_dir, const char *name, struct err *err) _must_check_;
int pgdir_unmark(const char *data_dir, const char *name, struct err *err) _must_check_;

/* The staged directory, which has PGDIR_WHOLE, takes the place of the old one. */
int pgdir_swap(const struct pgdir *dir, struct err *err) _must_check_;
int pgdir_set_aside(const struct pgdir *dir, struct err *err) _must_check_;
/* The command succeeded: what it made counts from now on. */
int pgdir_keep_new(const struct pgdir *dir, struct err *err) _must_check_;
/* It failed: what it made becomes the staged directory, which is rubbish, and the old one comes
 * back. */
int pgdir_bring_back(const struct pgdir *dir, struct err *err) _must_check_;

/* The directory becomes the staged one, which must not be there, and is rubbish from now on. */
int pgdir_discard(const struct pgdir *dir, struct err *err) _must_check_;

/* After a crash of ours; nobody may run in the directory. Answers which of the directories are
 * rubbish now and may be deleted, as a set of PGDIR_RUBBISH_*. */
#define PGDIR_RUBBISH_STAGED 1
#define PGDIR_RUBBISH_OLD    2
int pgdir_mend(const struct pgdir *dir, int *ret_rubbish, struct err *err) _must_check_;
/* Whether data_dir can be replaced at all: its parent is there (made if not) and may be written,
 * and it is no mount point and no link to nowhere. */
int pgdir_check(const struct pgdir *dir, struct err *err) _must_check_;

#endif
