/* SPDX-License-Identifier: PostgreSQL */
/*
 * board - the published status: the one thing two threads share
 */
#include "io/board.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct board_page {
	atomic_uint holders;
	struct status *status;
	struct rest_prepared prepared;
};

struct board {
	pthread_mutex_t lock; /* held for the exchange of a pointer, never longer */
	struct board_page *newest;
};

struct board *board_new(void)
{
	struct board *board = mem_new(1, sizeof(*board));

	pthread_mutex_init(&board->lock, NULL);
	return board;
}

void board_free(struct board *board)
{
	if (!board)
		return;
	board_give_back(board->newest);
	pthread_mutex_destroy(&board->lock);
	free(board);
}

void board_publish(struct board *board, struct status *status)
{
	struct board_page *page = mem_new(1, sizeof(*page));
	struct board_page *old;

	page->status = status;
	atomic_init(&page->holders, 1);
	pthread_mutex_lock(&board->lock);
	old = board->newest;
	board->newest = page;
	pthread_mutex_unlock(&board->lock);
	board_give_back(old);
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
