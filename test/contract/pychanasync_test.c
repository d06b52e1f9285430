/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Behaviours users of pychanasync expect: buffered and unbuffered channels, push and pull, and a select over several.  Where
 * their library loses a value or fails, the tests say what happens here instead.
 */
#include "harness.h"

struct work {
	duct_sender *tx;
	const int *items;
	int count;
};

static void *produce(void *argument)
{
	struct work *work = argument;

	for (int n = 0; n < work->count; n++)
		CHECK_STATUS(duct_send(work->tx, &work->items[n]), DUCT_OK);
	duct_channel_close(duct_sender_channel(work->tx), 0);
	return NULL;
}

/* One producer that closes behind its items, one consumer: all items in order, buffered by one and unbuffered. */
TEST(pychanasync, producer_and_consumer_keep_order, 5)
{
	static const int items[] = { 45, 56, 78, 89, 90 };

	for (size_t capacity = 0; capacity <= 1; capacity++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacity);
		struct work work = { pair.tx, items, 5 };
		pthread_t producer = test_start(produce, &work);
		int item, count = 0;

		DUCT_FOR_EACH(pair.rx, &item)
			CHECK(item == items[count++]);
		CHECK(count == 5);
		test_join(producer);
		test_pair_free(&pair);
	}
}

static void push_in_scope(duct_channel *channel)
{
	DUCT_AUTO_SENDER duct_sender *tx = NULL;

	CHECK_STATUS(duct_sender_new(channel, &tx), DUCT_OK);
	duct_channel_free(channel);
	for (int n = 0; n < 3; n++)
		CHECK_STATUS(duct_send(tx, &n), DUCT_OK);
}

/* A scope that holds the last sender closes the channel when it is left; its pushes can still be pulled. */
TEST(pychanasync, leaving_the_scope_closes, 5)
{
	duct_channel *channel;
	duct_receiver *rx;
	int item, count = 0;

	CHECK_STATUS(duct_anycast_new(&channel, sizeof(int), 3, NULL), DUCT_OK);
	CHECK_STATUS(duct_receiver_new(channel, &rx), DUCT_OK);
	push_in_scope(channel);
	CHECK(duct_channel_is_closed(duct_receiver_channel(rx)));
	DUCT_FOR_EACH(rx, &item)
		CHECK(item == count++);
	CHECK(count == 3);
	duct_receiver_free(rx);
}

/* The size follows the pushes; full is exactly at the bound. */
TEST(pychanasync, size_and_full_follow_pushes, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 2000);

	for (int n = 0; n < 1000; n++)
		CHECK_STATUS(duct_send(pair.tx, &n), DUCT_OK);
	CHECK(duct_channel_len(pair.channel) == 1000 && !duct_channel_is_full(pair.channel));
	CHECK_STATUS(duct_send(pair.tx, &(int){ 0 }), DUCT_OK);
	CHECK(duct_channel_len(pair.channel) == 1001);
	for (int n = 1001; n < 2000; n++)
		CHECK_STATUS(duct_send(pair.tx, &n), DUCT_OK);
	CHECK(duct_channel_is_full(pair.channel) && !duct_channel_is_empty(pair.channel));
	test_pair_free(&pair);
}

/* An unbuffered channel has a size too, 0, and answers whether it is full or empty. */
TEST(pychanasync, unbuffered_has_size_0, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 0);

	CHECK(duct_channel_len(pair.channel) == 0 && duct_channel_capacity(pair.channel) == 0);
	CHECK(duct_channel_is_full(pair.channel) && duct_channel_is_empty(pair.channel));
	test_pair_free(&pair);
}

/* Pushes and pulls without waiting: full and empty are told apart, and the order is kept. */
TEST(pychanasync, nowait_tells_full_and_empty, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 2);
	int item;

	CHECK_STATUS(duct_try_send(pair.tx, &(int){ 1 }), DUCT_OK);
	CHECK_STATUS(duct_try_send(pair.tx, &(int){ 2 }), DUCT_OK);
	CHECK_STATUS(duct_try_send(pair.tx, &(int){ 3 }), DUCT_FULL);
	CHECK(duct_channel_is_full(pair.channel) && duct_channel_len(pair.channel) == 2);
	for (int n = 1; n <= 2; n++) {
		CHECK_STATUS(duct_try_recv(pair.rx, &item), DUCT_OK);
		CHECK(item == n);
	}
	CHECK_STATUS(duct_try_recv(pair.rx, &item), DUCT_EMPTY);
	CHECK(!duct_channel_is_full(pair.channel) && duct_channel_len(pair.channel) == 0);
	test_pair_free(&pair);
}

/* Unbuffered, they fail while nobody waits, and meet whoever does. */
TEST(pychanasync, nowait_works_unbuffered, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 0);
	struct test_call call;
	int item = 9;

	CHECK_STATUS(duct_try_send(pair.tx, &item), DUCT_FULL);
	CHECK_STATUS(duct_try_recv(pair.rx, &item), DUCT_EMPTY);
	test_recv_start(&call, pair.rx);
	AWAIT(duct_channel_waiting_receivers(pair.channel) == 1);
	CHECK_STATUS(duct_try_send(pair.tx, &item), DUCT_OK);
	CHECK_STATUS(test_call_end(&call), DUCT_OK);
	CHECK(call.message == 9);
	test_send_start(&call, pair.tx, 8);
	AWAIT(duct_channel_waiting_senders(pair.channel) == 1);
	CHECK_STATUS(duct_try_recv(pair.rx, &item), DUCT_OK);
	CHECK(item == 8);
	CHECK_STATUS(test_call_end(&call), DUCT_OK);
	test_pair_free(&pair);
}

/* A pull from a full channel moves the oldest parked push into the buffer and lets its pusher go. */
TEST(pychanasync, a_pull_refills_from_the_oldest_push, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 1);
	struct test_call pushes[3];
	int item;

	CHECK_STATUS(duct_send(pair.tx, &(int){ 0 }), DUCT_OK);
	for (size_t n = 0; n < 3; n++) {
		test_send_start(&pushes[n], pair.tx, (int)n + 1);
		AWAIT(duct_channel_waiting_senders(pair.channel) == n + 1);
	}
	for (int n = 0; n < 4; n++) {
		if (n % 2 == 0)
			CHECK_STATUS(duct_recv(pair.rx, &item), DUCT_OK);
		else
			CHECK_STATUS(duct_try_recv(pair.rx, &item), DUCT_OK);
		CHECK(item == n);
		if (n < 3) {
			CHECK_STATUS(test_call_end(&pushes[n]), DUCT_OK);
			CHECK(duct_channel_is_full(pair.channel));
			CHECK(duct_channel_waiting_senders(pair.channel) == 2 - (size_t)n);
		}
	}
	test_pair_free(&pair);
}

/* At the close parked pushes and parked pulls end, on an unbuffered channel all of them; closing again is harmless. */
TEST(pychanasync, close_ends_parked_pushes_and_pulls, 5)
{
	for (int pulls = 0; pulls < 2; pulls++) {
		struct test_pair pair = test_pair_new(sizeof(int), 0);
		struct test_call calls[3];
		int item;

		for (size_t n = 0; n < 3; n++) {
			if (pulls)
				test_recv_start(&calls[n], pair.rx);
			else
				test_send_start(&calls[n], pair.tx, -1);
		}
		if (pulls)
			AWAIT(duct_channel_waiting_receivers(pair.channel) == 3);
		else
			AWAIT(duct_channel_waiting_senders(pair.channel) == 3);
		duct_channel_close(pair.channel, 0);
		duct_channel_close(pair.channel, 0);
		for (size_t n = 0; n < 3; n++)
			CHECK_STATUS(test_call_end(&calls[n]), DUCT_CLOSED);
		CHECK_STATUS(duct_recv(pair.rx, &item), DUCT_CLOSED);
		CHECK_STATUS(duct_try_recv(pair.rx, &item), DUCT_CLOSED);
		CHECK_STATUS(duct_send(pair.tx, &item), DUCT_CLOSED);
		CHECK_STATUS(duct_try_send(pair.tx, &item), DUCT_CLOSED);
		test_pair_free(&pair);
	}
}

/* After a close what was buffered is still there to pull; whoever wants it gone, as it is there, discards it. */
TEST(pychanasync, close_with_discard_leaves_nothing, 5)
{
	for (int discard = 0; discard < 2; discard++) {
		struct test_pair pair = test_pair_new(sizeof(int), 5);
		size_t discarded = 0;
		int item;

		CHECK_STATUS(duct_send(pair.tx, &(int){ 1 }), DUCT_OK);
		CHECK_STATUS(duct_send(pair.tx, &(int){ 2 }), DUCT_OK);
		duct_channel_close(pair.channel, 0);
		if (discard) {
			CHECK_STATUS(duct_channel_discard(pair.channel, &discarded), DUCT_OK);
			CHECK(discarded == 2);
		} else {
			CHECK_STATUS(duct_recv(pair.rx, &item), DUCT_OK);
			CHECK_STATUS(duct_recv(pair.rx, &item), DUCT_OK);
		}
		CHECK(duct_channel_len(pair.channel) == 0);
		CHECK_STATUS(duct_recv(pair.rx, &item), DUCT_CLOSED);
		test_pair_free(&pair);
	}
}

struct fan {
	duct_sender *tx;
	duct_sender *done;
};

static void *produce_ten(void *argument)
{
	struct fan *fan = argument;

	for (int n = 40; n < 50; n++)
		CHECK_STATUS(duct_send(fan->tx, &n), DUCT_OK);
	CHECK_STATUS(duct_send(fan->done, NULL), DUCT_OK);
	return NULL;
}

static void *close_after_five(void *argument)
{
	struct test_pair *pairs = argument;

	for (int n = 0; n < 5; n++)
		CHECK_STATUS(duct_recv(pairs[1].rx, NULL), DUCT_OK);
	duct_channel_close(pairs[0].channel, 0);
	return NULL;
}

/* Five producers of ten over a channel of five, and a second channel that tells when they are done: 50 items, the last 49. */
TEST(pychanasync, fan_in_with_a_signal_channel, 5)
{
	struct test_pair pairs[2] = { test_pair_new(sizeof(int), 5), test_pair_new(0, 0) };
	struct fan fan = { pairs[0].tx, pairs[1].tx };
	pthread_t producers[5], closer = test_start(close_after_five, pairs);
	int item, last = 0, count = 0;

	for (int p = 0; p < 5; p++)
		producers[p] = test_start(produce_ten, &fan);
	DUCT_FOR_EACH(pairs[0].rx, &item) {
		last = item;
		count++;
	}
	CHECK(count == 50 && last == 49);
	for (int p = 0; p < 5; p++)
		test_join(producers[p]);
	test_join(closer);
	test_pair_free(&pairs[0]);
	test_pair_free(&pairs[1]);
}

struct selector {
	struct test_pair *pairs;
	int item;
	size_t chosen;
	duct_status status;
};

static void *select_of_three(void *argument)
{
	struct selector *selector = argument;
	duct_case cases[] = { DUCT_RECV(selector->pairs[0].rx, &selector->item),
		DUCT_RECV(selector->pairs[1].rx, &selector->item), DUCT_RECV(selector->pairs[2].rx, &selector->item) };

	selector->status = duct_select(cases, 3, &selector->chosen);
	return NULL;
}

/* A select over three channels returns the one that is fed first, with its item, and is gone from the others. */
TEST(pychanasync, select_returns_the_first_that_is_fed, 5)
{
	for (size_t capacity = 0; capacity <= 1; capacity++) {
		for (size_t fed = 0; fed < 3; fed++) {
			struct test_pair pairs[3] = { test_pair_new(sizeof(int), capacity),
				test_pair_new(sizeof(int), capacity), test_pair_new(sizeof(int), capacity) };
			struct selector selector = { pairs, -1, 77, DUCT_INVALID };
			pthread_t thread = test_start(select_of_three, &selector);
			int item = 30 + (int)fed;

			for (int p = 0; p < 3; p++)
				AWAIT(duct_channel_waiting_receivers(pairs[p].channel) == 1);
			CHECK_STATUS(duct_send(pairs[fed].tx, &item), DUCT_OK);
			test_join(thread);
			CHECK_STATUS(selector.status, DUCT_OK);
			CHECK(selector.chosen == fed && selector.item == item);
			/* Nothing of the select is left to swallow the next push. */
			for (int p = 0; p < 3; p++) {
				CHECK(duct_channel_waiting_receivers(pairs[p].channel) == 0);
				CHECK_STATUS(duct_try_send(pairs[p].tx, &item), capacity == 0 ? DUCT_FULL : DUCT_OK);
				CHECK(duct_channel_len(pairs[p].channel) == capacity);
				test_pair_free(&pairs[p]);
			}
		}
	}
}

/* Of pushes and pulls that are all ready a select does exactly one: no value is taken and thrown away. */
TEST(pychanasync, select_does_exactly_one, 5)
{
	for (int round = 0; round < 50; round++) {
		struct test_pair full = test_pair_new(sizeof(int), 1), free = test_pair_new(sizeof(int), 1);
		int in = -1, out = 7;
		duct_case cases[] = { DUCT_RECV(full.rx, &in), DUCT_SEND(free.tx, &out) };
		size_t chosen;

		CHECK_STATUS(duct_send(full.tx, &(int){ 1 }), DUCT_OK);
		CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
		CHECK(duct_channel_len(full.channel) == chosen);
		CHECK(duct_channel_len(free.channel) == chosen);
		CHECK(in == (chosen == 0 ? 1 : -1));
		test_pair_free(&full);
		test_pair_free(&free);
	}
}

/* A closed channel in a select is told as that case's end; the other cases are as they were and go on. */
TEST(pychanasync, select_tells_of_a_closed_channel, 5)
{
	struct test_pair closed = test_pair_new(sizeof(int), 1), open = test_pair_new(sizeof(int), 1);
	int item = -1;
	duct_case cases[] = { DUCT_RECV(closed.rx, &item), DUCT_RECV(open.rx, &item) };
	size_t chosen;

	duct_channel_close(closed.channel, 0);
	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	CHECK(chosen == 0 && cases[0].status == DUCT_CLOSED && item == -1);
	CHECK_STATUS(duct_try_select(cases, 2, &chosen), DUCT_EMPTY);
	CHECK_STATUS(duct_send(open.tx, &(int){ 2 }), DUCT_OK);
	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	CHECK(chosen == 1 && item == 2);
	test_pair_free(&closed);
	test_pair_free(&open);
}

enum { LINKS = 1000 };

struct link {
	duct_receiver *from;
	duct_sender *to;
};

static void *add_one(void *argument)
{
	struct link *link = argument;
	int item;

	CHECK_STATUS(duct_recv(link->from, &item), DUCT_OK);
	item++;
	CHECK_STATUS(duct_send(link->to, &item), DUCT_OK);
	duct_receiver_free(link->from);
	duct_sender_free(link->to);
	return NULL;
}

/* A daisy chain of unbuffered channels, a thread at each of 1,000 links: what goes in at one end comes out one more each. */
TEST(pychanasync, daisy_chain, 30)
{
	static struct link links[LINKS];
	static pthread_t threads[LINKS];
	pthread_attr_t small;
	duct_sender *first;
	duct_receiver *last;
	int item = 0;

	CHECK(pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, 256 * 1024) == 0);
	CHECK_STATUS(duct_anycast_open(&first, &last, sizeof(int), 0, NULL), DUCT_OK);
	for (int n = 0; n < LINKS; n++) {
		links[n].from = last;
		CHECK_STATUS(duct_anycast_open(&links[n].to, &last, sizeof(int), 0, NULL), DUCT_OK);
		CHECK(pthread_create(&threads[n], &small, add_one, &links[n]) == 0);
	}
	CHECK_STATUS(duct_send(first, &item), DUCT_OK);
	CHECK_STATUS(duct_recv(last, &item), DUCT_OK);
	CHECK(item == LINKS);
	for (int n = 0; n < LINKS; n++)
		test_join(threads[n]);
	pthread_attr_destroy(&small);
	duct_sender_free(first);
	duct_receiver_free(last);
}
