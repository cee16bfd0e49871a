/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgleft - who is left of a server that stops, by the titles of its processes
 *
 * For reports, and for ending early what nobody needs: what is told here proves nothing. The proof
 * that a server has ended stays an empty scan, and the proof that it ended well its control file.
 */
#ifndef PGHA_IO_PGLEFT_H
#define PGHA_IO_PGLEFT_H

#include <sys/types.h>

#include "base/err.h"

struct pgleft {
	unsigned int clients;
	unsigned int walsenders;
	bool checkpointer;
	bool shut_down; /* the shutdown checkpoint is on disk: what is left writes nothing */
	bool archiver;
	bool receiver; /* the walsender that was asked for is among them */
	char client[96];  /* the first one's title: "app appdb [local] idle in transaction" */
	char sender[96];
	char archives[96]; /* "archiving 00000001000000000000000A" */
};

/* One process. cluster: cluster_name, which stands in front of titles; "" none. */
void pgleft_note(struct pgleft *left, const char *title, const char *cluster);
/* receiver: pid of the walsender that must not be missed; 0 none. */
int pgleft_look(const char *data_dir, const char *cluster, int64_t receiver, struct pgleft *ret,
		struct err *err) _must_check_;
/* "2 clients ('app appdb [local] idle'), the checkpoint"; "" when nobody is left. */
void pgleft_text(const struct pgleft *left, char *dst, size_t size);

#endif
