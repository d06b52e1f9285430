/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * No memory for what calls need only now and then: a cache that has to grow, an entry where there is no message for it, a wait
 * for receivers with a long row of tokens.  What fails leaves the message where it was, and nothing leaks.
 */
#include "faults.h"
#include "harness.h"

enum { FIRST_TABLE = 16, GENERATIONS = 30 };

static const void *number_of(const void *message, size_t *size, void *context)
{
	(void)context;
	*size = sizeof(int);
	return message;
}

static duct_cache *cache_of(struct test_pair *pair, size_t capacity)
{
	duct_cache *cache;

	*pair = test_pair_new(sizeof(int), capacity);
	CHECK_STATUS(duct_cache_new(&cache, pair->rx, number_of, NULL), DUCT_OK);
	pair->rx = NULL;
	return cache;
}

/* Each of the allocations for one key more than there is a place for fails in turn: the message stays queued. */
TEST(nomem_cache, that_has_to_grow_keeps_the_message, 20)
{
	const struct fault_live before = fault_live();
	bool hit = true;

	for (long n = 1; hit; n++) {
		struct test_pair pair;
		duct_cache *cache = cache_of(&pair, FIRST_TABLE + 1);
		struct fault_live after;
		duct_status status;
		int key, in = -1;

		for (key = 0; key < FIRST_TABLE; key++)
			CHECK_STATUS(duct_send(pair.tx, &key), DUCT_OK);
		CHECK(duct_cache_len(cache) == FIRST_TABLE);
		CHECK_STATUS(duct_send(pair.tx, &key), DUCT_OK);
		fault_begin(n);
		status = duct_cache_get(cache, &key, sizeof key, &in);
		hit = fault_end() >= n;
		CHECK_STATUS(status, hit ? DUCT_NOMEM : DUCT_OK);
		CHECK(in == (hit ? -1 : key) && duct_channel_len(pair.channel) == hit && (hit || n == 4));
		for (key = 0; key <= FIRST_TABLE; key++)
			CHECK(duct_cache_contains(cache, &key, sizeof key));
		CHECK(duct_cache_len(cache) == FIRST_TABLE + 1);
		duct_cache_free(cache);
		test_pair_free(&pair);
		after = fault_live();
		CHECK(fault_live_same(&before, &after));
	}
}

/* What is had for a message that does not come is given back: at capacity 0 nobody knows before. */
TEST(nomem_cache, keeps_nothing_for_no_message, 5)
{
	const struct fault_live before = fault_live();
	struct test_pair pair;
	duct_cache *cache = cache_of(&pair, 0);
	const struct fault_live idle = fault_live();
	struct fault_live after;

	for (int again = 0; again < 5; again++)
		CHECK(duct_cache_len(cache) == 0);
	after = fault_live();
	CHECK(fault_live_same(&idle, &after));
	duct_cache_free(cache);
	test_pair_free(&pair);
	after = fault_live();
	CHECK(fault_live_same(&before, &after));
}

/* A row of tokens so long that a wait needs memory for it. */
static duct_cancel *cancel_row(void)
{
	duct_cancel *cancel = NULL;

	for (int generation = 0; generation < GENERATIONS; generation++) {
		duct_cancel *parent = cancel;

		CHECK_STATUS(duct_cancel_new(&cancel, parent, DUCT_FOREVER), DUCT_OK);
		duct_cancel_free(parent);
	}
	return cancel;
}

/* A wait for receivers that cannot be set up says so; one that can leaves nothing behind. */
TEST(nomem_wait_receivers, gives_its_memory_back, 5)
{
	const struct fault_live before = fault_live();
	duct_channel *channel;
	duct_cancel *cancel = cancel_row();
	struct fault_live idle, after;

	CHECK_STATUS(duct_broadcast_new(&channel, sizeof(int), NULL), DUCT_OK);
	idle = fault_live();
	fault_begin(1);
	CHECK_STATUS(duct_channel_wait_receivers(channel, 0, DUCT_FOREVER, cancel), DUCT_NOMEM);
	CHECK(fault_end() == 1);
	CHECK_STATUS(duct_channel_wait_receivers(channel, 0, DUCT_FOREVER, cancel), DUCT_OK);
	CHECK_STATUS(duct_channel_wait_receivers(channel, 1, 0, cancel), DUCT_TIMEDOUT);
	after = fault_live();
	CHECK(fault_live_same(&idle, &after));
	duct_cancel_free(cancel);
	duct_channel_free(channel);
	after = fault_live();
	CHECK(fault_live_same(&before, &after));
}
