/* SPDX-License-Identifier: PostgreSQL */
/*
 * restfeed - the listeners of GET /events
 */
#include "io/restfeed.h"

#include <microhttpd.h>
#include <stdlib.h>

#define PIECE_BYTES 16384
#define RETRY_MS    1000 /* after which a client comes back */

struct restfeed_listener {
	struct restfeed *feed;
	struct MHD_Connection *connection;
	struct restevents_place place;
	struct buf text; /* not sent yet */
	bool suspended;
	int64_t beat_at_ms;
};

static bool has_news(const struct restfeed_listener *listener, int64_t now_ms)
{
	return now_ms >= listener->beat_at_ms ||
	       board_has_more(listener->feed->board, &listener->place);
}

static void fill(struct restfeed_listener *listener)
{
	int64_t now_ms = loop_now_ms();

	board_read(listener->feed->board, &listener->place, PIECE_BYTES, &listener->text);
	/* A comment, which a client skips. It finds connections whose other end is gone. */
	if (listener->text.len == 0 && now_ms >= listener->beat_at_ms)
		buf_str(&listener->text, ":\n\n");
	if (listener->text.len > 0)
		listener->beat_at_ms = now_ms + REST_BEAT_MS;
}

/* MHD_ContentReaderCallback */
static ssize_t on_read(void *ctx, uint64_t pos _unused_, char *dst, size_t max)
{
	struct restfeed_listener *listener = ctx;
	size_t len;

	if (listener->feed->closing)
		return MHD_CONTENT_READER_END_OF_STREAM;
	/* It took what it was sent: it is not slow. */
	restconns_move(restconns_of(listener->connection), RESTCONN_SENDING);
	if (listener->text.len == 0)
		fill(listener);
	if (listener->text.len == 0) {
		restconns_move(restconns_of(listener->connection), RESTCONN_BUSY);
		listener->suspended = true;
		MHD_suspend_connection(listener->connection);
		return 0;
	}
	len = MIN_OF(max, listener->text.len);
	memcpy(dst, listener->text.data, len);
	buf_consume(&listener->text, len);
	return (ssize_t)len;
}

/* MHD_ContentReaderFreeCallback */
static void on_free(void *ctx)
{
	struct restfeed_listener *listener = ctx;
	struct restfeed *feed = listener->feed;

	for (size_t i = 0; i < REST_LISTENERS_MAX; i++)
		if (feed->items[i] == listener)
			feed->items[i] = NULL;
	buf_done(&listener->text);
	free(listener);
}

static struct restfeed_listener **free_place(struct restfeed *feed)
{
	for (size_t i = 0; i < REST_LISTENERS_MAX; i++)
		if (!feed->items[i])
			return &feed->items[i];
	return NULL;
}

struct MHD_Response *restfeed_open(struct restfeed *feed, struct MHD_Connection *connection,
				   const char *last_id)
{
	struct restfeed_listener **place = free_place(feed);
	struct restfeed_listener *listener;
	struct MHD_Response *response;

	if (!place || feed->closing)
		return NULL;
	listener = mem_new(1, sizeof(*listener));
	listener->feed = feed;
	listener->connection = connection;
	listener->place = board_place(feed->board, last_id);
	listener->beat_at_ms = loop_now_ms() + REST_BEAT_MS;
	/* Sent at once, so that the client has its header. */
	buf_printf(&listener->text, "retry: %d\n\n", RETRY_MS);
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE_BYTES, on_read,
						     listener, on_free);
	if (!response) {
		buf_done(&listener->text);
		free(listener);
		return NULL;
	}
	*place = listener;
	return response;
}

static void wake(struct restfeed_listener *listener)
{
	listener->suspended = false;
	restconns_move(restconns_of(listener->connection), RESTCONN_SENDING);
	MHD_resume_connection(listener->connection);
}

static bool is_empty(const struct restfeed *feed)
{
	for (size_t i = 0; i < REST_LISTENERS_MAX; i++)
		if (feed->items[i])
			return false;
	return true;
}

void restfeed_look(struct restfeed *feed)
{
	int64_t now_ms = loop_now_ms();

	if (is_empty(feed))
		return;
	board_clock(feed->board);
	for (size_t i = 0; i < REST_LISTENERS_MAX; i++) {
		struct restfeed_listener *listener = feed->items[i];

		if (listener && listener->suspended && has_news(listener, now_ms))
			wake(listener);
	}
}

int restfeed_wait_ms(const struct restfeed *feed)
{
	int64_t now_ms = loop_now_ms();
	int64_t next_ms;

	if (is_empty(feed))
		return -1;
	next_ms = board_ends_at_ms(feed->board);
	for (size_t i = 0; i < REST_LISTENERS_MAX; i++)
		if (feed->items[i] && feed->items[i]->suspended)
			next_ms = MIN_OF(next_ms, feed->items[i]->beat_at_ms);
	return next_ms <= now_ms ? 0 : (int)MIN_OF(next_ms - now_ms, REST_BEAT_MS);
}

void restfeed_close(struct restfeed *feed)
{
	feed->closing = true;
	for (size_t i = 0; i < REST_LISTENERS_MAX; i++)
		if (feed->items[i] && feed->items[i]->suspended)
			wake(feed->items[i]);
}
