/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_board - the one thing two threads share
 */
#include "io/board.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void publish(struct board *board, int64_t n)
{
	struct status *status = status_new();

	status->made_at_ms = n;
	status->ttl_ms = -n;
	status->cluster_json = str_dupf("%lld", (long long)n);
	board_publish(board, status);
	status_free(status);
}

Test(board, an_empty_board_has_no_page)
{
	struct board *board = board_new();

	cr_assert_null(board_take(board));
	board_give_back(NULL);
	board_free(board);
}

Test(board, a_page_stays_as_it_is_while_it_is_read)
{
	struct board *board = board_new();
	struct board_page *first, *second;

	publish(board, 1);
	first = board_take(board);
	publish(board, 2);
	second = board_take(board);
	cr_assert_eq(board_status(first)->made_at_ms, 1);
	cr_assert_str_eq(board_status(first)->cluster_json, "1");
	cr_assert_eq(board_status(second)->made_at_ms, 2);
	board_give_back(first);
	board_free(board);
	cr_assert_str_eq(board_status(second)->cluster_json, "2");
	board_give_back(second);
}

Test(board, tells_of_news_when_the_page_is_there)
{
	struct board *board = board_new();
	struct restevents_place place = board_place(board, NULL);
	_cleanup_(closep) int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	_cleanup_(buf_done) struct buf text = { 0 };
	struct status *status = status_new();
	eventfd_t count;

	board_tell(board, fd);
	board_publish(board, status);
	cr_assert_lt(eventfd_read(fd, &count), 0, "where it begins is no news");
	status->pause = true;
	board_publish(board, status);
	cr_assert_lt(eventfd_read(fd, &count), 0, "no event is made of this");
	status->rule_id = 301;
	board_publish(board, status);
	status_free(status);
	cr_assert_eq(eventfd_read(fd, &count), 0);
	cr_assert(board_has_more(board, &place));
	board_read(board, &place, 1 << 20, &text);
	cr_assert(strstr(text.data, "event: state") && strstr(text.data, "\"rule\": 301"), "%s",
		  text.data);
	cr_assert_not(board_has_more(board, &place));
	cr_assert_eq(board_ends_at_ms(board), INT64_MAX);
	board_tell(board, -1);
	board_free(board);
}

Test(board, the_memory_of_a_page_that_nobody_reads_is_used_again)
{
	struct board *board = board_new();
	struct board_page *page[3];

	for (int64_t n = 0; n < 3; n++) {
		publish(board, n);
		page[n] = board_take(board);
		board_give_back(page[n]);
	}
	cr_assert_neq(page[0], page[1]);
	cr_assert_eq(page[0], page[2]);
	cr_assert_str_eq(board_status(page[2])->cluster_json, "2");
	cr_assert_not(board_prepared(page[2])->made);
	board_free(board);
}

#define PAGES 20000

static void *read_pages(void *arg)
{
	struct board *board = arg;
	int64_t last = 0;
	char text[24];

	while (last < PAGES) {
		struct board_page *page = board_take(board);
		const struct status *status = board_status(page);

		(void)str_printf(text, sizeof(text), "%lld", (long long)status->made_at_ms);
		if (status->ttl_ms != -status->made_at_ms || status->made_at_ms < last ||
		    !str_eq(status->cluster_json, text))
			return "torn";
		last = status->made_at_ms;
		board_give_back(page);
	}
	return NULL;
}

Test(board, readers_see_whole_pages_in_order, .timeout = 60)
{
	struct board *board = board_new();
	pthread_t readers[2];
	void *fault;

	publish(board, 0);
	for (size_t i = 0; i < ARRAY_LEN(readers); i++)
		cr_assert_eq(pthread_create(&readers[i], NULL, read_pages, board), 0);
	for (int64_t n = 1; n <= PAGES; n++)
		publish(board, n);
	for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
		pthread_join(readers[i], &fault);
		cr_assert_null(fault);
	}
	board_free(board);
}
