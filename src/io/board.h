/* SPDX-License-Identifier: PostgreSQL */
/*
 * board - the published status: the one thing two threads share
 *
 * The loop replaces it whole, the REST thread takes the newest one and keeps it for as long as it
 * reads. What was published is not changed while anybody reads it.
 */
#ifndef PGHA_IO_BOARD_H
#define PGHA_IO_BOARD_H

#include "wire/restevents.h"
#include "wire/restmsg.h"

struct board;
struct board_page;

struct board *board_new(void);
void board_free(struct board *board); /* pages that are still taken live on */

/* Copies the status. By the loop alone. */
void board_publish(struct board *board, const struct status *status);

/* The newest page, or NULL when nothing was published yet; give it back. */
struct board_page *board_take(struct board *board);
const struct status *board_status(const struct board_page *page);
/* Of that status; for the one thread that answers from the board. */
struct rest_prepared *board_prepared(struct board_page *page);
void board_give_back(struct board_page *page); /* NULL is fine */

/* What changed from one page to the next, for any thread; see restevents.h. A reader that was told
 * of a change finds it on the newest page. */
void board_tell(struct board *board, int fd); /* an eventfd to be woken by news; -1 none */
void board_clock(struct board *board);
int64_t board_ends_at_ms(struct board *board);
struct restevents_place board_place(struct board *board, const char *last_id);
bool board_has_more(struct board *board, const struct restevents_place *place);
void board_read(struct board *board, struct restevents_place *place, size_t max_bytes,
		struct buf *ret);

#endif
