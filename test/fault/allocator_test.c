/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The allocator of a channel: the n-th request through it fails for every n, everything it gave comes back to it, and what
 * belongs to the channel is asked for nowhere else.  How to link: faults.h.
 */
#include "faults.h"
#include "harness.h"

#include <stdatomic.h>

#define BIG 3000

/* An allocator that counts, and whose n-th request fails. */
struct arena {
	duct_allocator allocator;
	long requests, failing, live;
};

static void *arena_allocate(size_t size, void *context)
{
	struct arena *arena = context;
	void *memory;

	if (++arena->requests == arena->failing)
		return NULL;
	memory = malloc(size);
	arena->live += memory != NULL;
	return memory;
}

static void arena_release(void *memory, void *context)
{
	struct arena *arena = context;

	CHECK(memory != NULL);
	arena->live--;
	free(memory);
}

static void arena_init(struct arena *arena)
{
	*arena = (struct arena){ .allocator = { arena_allocate, arena_release, arena } };
}

static void arena_fail(struct arena *arena, long n)
{
	arena->requests = 0;
	arena->failing = n;
}

/* The n-th request was made, so the fault was met. */
static bool arena_hit(const struct arena *arena)
{
	return arena->failing > 0 && arena->requests >= arena->failing;
}

/* The making of a channel: each request in turn fails, the handle stays as it was, and everything comes back. */
TEST(allocator, failing_in_anycast_new_leaves_nothing, 20)
{
	struct arena arena;
	long n = 0;
	bool hit;

	arena_init(&arena);
	do {
		duct_channel *untouched = (duct_channel *)&arena, *channel = untouched;
		duct_status status;

		arena_fail(&arena, ++n);
		status = duct_anycast_new(&channel, sizeof(int), 100,
		    DUCT_OPTIONS(.name = "a name long enough to want a place of its own", .allocator = &arena.allocator));
		hit = arena_hit(&arena);
		CHECK_STATUS(status, hit ? DUCT_NOMEM : DUCT_OK);
		CHECK((channel == untouched) == hit);
		if (!hit)
			duct_channel_free(channel);
		CHECK(arena.live == 0);
	} while (hit);
	CHECK(n > 1);
}

/* The same for a channel with both its ends. */
TEST(allocator, failing_in_anycast_open_leaves_nothing, 20)
{
	struct arena arena;
	long n = 0;
	bool hit;

	arena_init(&arena);
	do {
		duct_sender *no_tx = (duct_sender *)&arena, *tx = no_tx;
		duct_receiver *no_rx = (duct_receiver *)&arena, *rx = no_rx;
		duct_status status;

		arena_fail(&arena, ++n);
		status = duct_anycast_open(&tx, &rx, sizeof(int), 100, DUCT_OPTIONS(.allocator = &arena.allocator));
		hit = arena_hit(&arena);
		CHECK_STATUS(status, hit ? DUCT_NOMEM : DUCT_OK);
		CHECK((tx == no_tx) == hit && (rx == no_rx) == hit);
		if (!hit) {
			CHECK_STATUS(duct_try_send(tx, &(int){ 1 }), DUCT_OK);
			duct_sender_free(tx);
			CHECK(arena.live > 0);
			duct_receiver_free(rx);
		}
		CHECK(arena.live == 0);
	} while (hit);
	CHECK(n > 3);
}

/* An end that cannot be had is not counted, and the channel goes on. */
TEST(allocator, failing_for_an_end_changes_no_count, 20)
{
	struct arena arena;
	duct_channel *channel;
	duct_sender *tx, *more_tx = NULL;
	duct_receiver *rx, *more_rx = NULL;
	int in;

	arena_init(&arena);
	CHECK_STATUS(duct_anycast_new(&channel, sizeof(int), 1, DUCT_OPTIONS(.allocator = &arena.allocator)), DUCT_OK);
	CHECK_STATUS(duct_sender_new(channel, &tx), DUCT_OK);
	CHECK_STATUS(duct_receiver_new(channel, &rx), DUCT_OK);
	CHECK_STATUS(duct_send(tx, &(int){ 5 }), DUCT_OK);

	arena_fail(&arena, 1);
	CHECK_STATUS(duct_sender_new(channel, &more_tx), DUCT_NOMEM);
	arena_fail(&arena, 1);
	CHECK_STATUS(duct_sender_clone(tx, &more_tx), DUCT_NOMEM);
	arena_fail(&arena, 1);
	CHECK_STATUS(duct_receiver_new(channel, &more_rx), DUCT_NOMEM);
	arena_fail(&arena, 1);
	CHECK_STATUS(duct_receiver_clone(rx, &more_rx), DUCT_NOMEM);
	CHECK(more_tx == NULL && more_rx == NULL);
	CHECK(duct_channel_senders(channel) == 1 && duct_channel_receivers(channel) == 1 && duct_channel_len(channel) == 1);
	arena_fail(&arena, 0);
	CHECK_STATUS(duct_recv(rx, &in), DUCT_OK);
	CHECK(in == 5);

	/* The last receiver gone, one that cannot be had revives nothing. */
	duct_receiver_free(rx);
	arena_fail(&arena, 1);
	CHECK_STATUS(duct_receiver_new(channel, &rx), DUCT_NOMEM);
	arena_fail(&arena, 0);
	CHECK_STATUS(duct_try_send(tx, &in), DUCT_NO_RECEIVERS);
	CHECK_STATUS(duct_receiver_new(channel, &rx), DUCT_OK);
	CHECK_STATUS(duct_try_send(tx, &in), DUCT_OK);
	duct_channel_free(channel);
	duct_sender_free(tx);
	duct_receiver_free(rx);
	CHECK(arena.live == 0);
}

struct big {
	int number;
	char filling[BIG - sizeof(int)];
};

static void sum_drop(void *message, void *context)
{
	*(long *)context += ((struct big *)message)->number;
}

/* A discard of large messages that gets no memory drops none; with memory it drops all, and gives the memory back. */
TEST(allocator, failing_in_a_discard_discards_nothing, 20)
{
	struct arena arena;
	duct_channel *channel;
	duct_sender *tx;
	duct_receiver *rx;
	struct big message = { 0 };
	long sum = 0, live;
	const duct_options *options = DUCT_OPTIONS(.drop = sum_drop, .context = &sum, .allocator = &arena.allocator);
	size_t discarded = 99;

	arena_init(&arena);
	CHECK_STATUS(duct_anycast_new(&channel, sizeof message, 8, options), DUCT_OK);
	CHECK_STATUS(duct_sender_new(channel, &tx), DUCT_OK);
	CHECK_STATUS(duct_receiver_new(channel, &rx), DUCT_OK);
	for (message.number = 1; message.number <= 5; message.number++)
		CHECK_STATUS(duct_send(tx, &message), DUCT_OK);
	live = arena.live;

	arena_fail(&arena, 1);
	CHECK_STATUS(duct_channel_discard(channel, &discarded), DUCT_NOMEM);
	CHECK(discarded == 99 && sum == 0 && duct_channel_len(channel) == 5 && arena.live == live);
	arena_fail(&arena, 0);
	CHECK_STATUS(duct_recv(rx, &message), DUCT_OK);
	CHECK(message.number == 1);
	CHECK_STATUS(duct_channel_discard(channel, &discarded), DUCT_OK);
	CHECK(discarded == 4 && sum == 2 + 3 + 4 + 5 && duct_channel_len(channel) == 0 && arena.live == live);
	duct_channel_free(channel);
	duct_sender_free(tx);
	duct_receiver_free(rx);
	CHECK(arena.live == 0);
}

/* Large messages left over at the end are dropped even where no memory is to be had any more: a free cannot fail. */
TEST(allocator, failing_at_the_end_still_drops_what_is_left, 20)
{
	struct arena arena;
	duct_sender *tx;
	duct_receiver *rx;
	struct big message = { 0 };
	long sum = 0;
	const duct_options *options = DUCT_OPTIONS(.drop = sum_drop, .context = &sum, .allocator = &arena.allocator);

	arena_init(&arena);
	CHECK_STATUS(duct_anycast_open(&tx, &rx, sizeof message, 8, options), DUCT_OK);
	for (message.number = 1; message.number <= 5; message.number++)
		CHECK_STATUS(duct_send(tx, &message), DUCT_OK);
	arena_fail(&arena, 1);
	fault_begin(1);
	duct_sender_free(tx);
	duct_receiver_free(rx);
	fault_end();
	CHECK(sum == 1 + 2 + 3 + 4 + 5 && arena.live == 0);
}

/* A channel with an allocator asks malloc for nothing of its own: only the allocator's own calls are seen there. */
TEST(allocator, is_asked_for_all_that_is_the_channel_s, 20)
{
	struct arena arena;
	struct fault_live before = fault_live(), now;
	const duct_options *options = DUCT_OPTIONS(.name = "jobs", .allocator = &arena.allocator);
	duct_channel *channel;
	duct_sender *tx[3];
	duct_receiver *rx[3];

	arena_init(&arena);
	CHECK_STATUS(duct_anycast_new(&channel, sizeof(int), 64, options), DUCT_OK);
	for (int k = 0; k < 3; k++) {
		CHECK_STATUS(duct_sender_new(channel, &tx[k]), DUCT_OK);
		CHECK_STATUS(duct_receiver_new(channel, &rx[k]), DUCT_OK);
	}
	now = fault_live();
	CHECK(now.blocks - before.blocks == arena.live);
	for (int k = 0; k < 3; k++) {
		duct_sender_free(tx[k]);
		duct_receiver_free(rx[k]);
	}
	duct_channel_free(channel);
	now = fault_live();
	CHECK(arena.live == 0 && now.blocks == before.blocks);
}
