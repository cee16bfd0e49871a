/* SPDX-License-Identifier: PostgreSQL */
/*
 * board - the published status: the one thing two threads share
 */
#include "io/board.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "io/loop.h"

struct board_page {
	atomic_uint holders;
	struct status *status;
	struct rest_prepared prepared;
};

struct board {
	pthread_mutex_t lock; /* held for the exchange of a pointer, never longer */
	struct board_page *newest;
	struct board_page *spare; /* the one before it, if nobody reads it: its memory */

	pthread_mutex_t events_lock; /* for as long as a few texts take */
	struct restevents *events;
	int news_fd; /* the publisher's; -1 none */
};

struct board *board_new(void)
{
	struct board *board = mem_new(1, sizeof(*board));

	pthread_mutex_init(&board->lock, NULL);
	pthread_mutex_init(&board->events_lock, NULL);
	board->events = restevents_new(loop_wall_us());
	board->news_fd = -1;
	return board;
}

void board_free(struct board *board)
{
	if (!board)
		return;
	board_give_back(board->newest);
	board_give_back(board->spare);
	restevents_free(board->events);
	pthread_mutex_destroy(&board->events_lock);
	pthread_mutex_destroy(&board->lock);
	free(board);
}

static void look(struct board *board, const struct status *status)
{
	bool news;

	pthread_mutex_lock(&board->events_lock);
	news = restevents_look(board->events, status, loop_now_ms(), loop_wall_us());
	pthread_mutex_unlock(&board->events_lock);
	if (news && board->news_fd >= 0)
		(void)!eventfd_write(board->news_fd, 1);
}

static struct board_page *page_new(void)
{
	struct board_page *page = mem_new(1, sizeof(*page));

	page->status = status_new();
	atomic_init(&page->holders, 1);
	return page;
}

void board_publish(struct board *board, const struct status *status)
{
	struct board_page *page = board->spare ? TAKE(board->spare) : page_new();
	struct board_page *old;

	status_copy(page->status, status);
	page->prepared.made = false;
	pthread_mutex_lock(&board->lock);
	old = board->newest;
	board->newest = page;
	pthread_mutex_unlock(&board->lock);
	/* Only the newest can be taken: where the board's own hold is the last nobody comes. */
	if (old && atomic_load_explicit(&old->holders, memory_order_acquire) == 1)
		board->spare = old;
	else
		board_give_back(old);
	look(board, status);
}

struct board_page *board_take(struct board *board)
{
	struct board_page *page;

	pthread_mutex_lock(&board->lock);
	page = board->newest;
	/* The board's own hold cannot go while the lock is held, so the count is at least 1. */
	if (page)
		atomic_fetch_add_explicit(&page->holders, 1, memory_order_relaxed);
	pthread_mutex_unlock(&board->lock);
	return page;
}

const struct status *board_status(const struct board_page *page)
{
	return page->status;
}

struct rest_prepared *board_prepared(struct board_page *page)
{
	return &page->prepared;
}

void board_give_back(struct board_page *page)
{
	if (!page)
		return;
	if (atomic_fetch_sub_explicit(&page->holders, 1, memory_order_acq_rel) > 1)
		return;
	status_free(page->status);
	rest_prepared_done(&page->prepared);
	free(page);
}

void board_tell(struct board *board, int fd)
{
	board->news_fd = fd;
}

void board_clock(struct board *board)
{
	pthread_mutex_lock(&board->events_lock);
	(void)restevents_clock(board->events, loop_now_ms(), loop_wall_us());
	pthread_mutex_unlock(&board->events_lock);
}

int64_t board_ends_at_ms(struct board *board)
{
	int64_t at_ms;

	pthread_mutex_lock(&board->events_lock);
	at_ms = restevents_ends_at_ms(board->events);
	pthread_mutex_unlock(&board->events_lock);
	return at_ms;
}

struct restevents_place board_place(struct board *board, const char *last_id)
{
	struct restevents_place place;

	pthread_mutex_lock(&board->events_lock);
	place = restevents_place(board->events, last_id);
	pthread_mutex_unlock(&board->events_lock);
	return place;
}

bool board_has_more(struct board *board, const struct restevents_place *place)
{
	bool more;

	pthread_mutex_lock(&board->events_lock);
	more = restevents_has_more(board->events, place);
	pthread_mutex_unlock(&board->events_lock);
	return more;
}

void board_read(struct board *board, struct restevents_place *place, size_t max_bytes,
		struct buf *ret)
{
	pthread_mutex_lock(&board->events_lock);
	restevents_read(board->events, place, max_bytes, loop_wall_us(), ret);
	pthread_mutex_unlock(&board->events_lock);
}
