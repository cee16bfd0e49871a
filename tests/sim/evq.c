/* SPDX-License-Identifier: PostgreSQL */
/*
 * evq - a binary heap of events
 */
#include "evq.h"

#include <stdlib.h>

#include "base/str.h"

static bool before(const struct ev *a, const struct ev *b)
{
	if (a->at_us != b->at_us)
		return a->at_us < b->at_us;
	if (a->tie != b->tie)
		return a->tie < b->tie;
	return a->seq < b->seq;
}

static void swap(struct ev *a, struct ev *b)
{
	struct ev t = *a;

	*a = *b;
	*b = t;
}

void evq_push(struct evq *evq, const struct ev *ev)
{
	size_t i = evq->n;

	if (evq->n == evq->cap) {
		evq->cap = evq->cap ? evq->cap * 2 : 256;
		evq->heap = mem_grow(evq->heap, evq->cap, sizeof(*evq->heap));
	}
	evq->heap[evq->n] = *ev;
	evq->heap[evq->n].seq = ++evq->seq;
	evq->n++;
	while (i > 0 && before(&evq->heap[i], &evq->heap[(i - 1) / 2])) {
		swap(&evq->heap[i], &evq->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
}

static void sink(struct evq *evq)
{
	size_t i = 0;

	for (;;) {
		size_t least = i;
		size_t left = 2 * i + 1;

		if (left < evq->n && before(&evq->heap[left], &evq->heap[least]))
			least = left;
		if (left + 1 < evq->n && before(&evq->heap[left + 1], &evq->heap[least]))
			least = left + 1;
		if (least == i)
			return;
		swap(&evq->heap[i], &evq->heap[least]);
		i = least;
	}
}

bool evq_pop(struct evq *evq, struct ev *ret)
{
	if (evq->n == 0)
		return false;
	*ret = evq->heap[0];
	evq->heap[0] = evq->heap[--evq->n];
	sink(evq);
	return true;
}

void evq_drop(struct ev *ev)
{
	if (ev->data && ev->drop)
		ev->drop(ev->data);
	ev->data = NULL;
}

void evq_done(struct evq *evq)
{
	for (size_t i = 0; i < evq->n; i++)
		evq_drop(&evq->heap[i]);
	free(evq->heap);
	*evq = (struct evq){ 0 };
}
