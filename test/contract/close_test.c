/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Close and discard: what happens to the messages inside, to the threads that sleep, and to everybody who comes later.
 */
#include "harness.h"

#include <stdatomic.h>

static const size_t capacities[] = { 0, 1, 2, 3, 100 };

/* Every form of receive finds the channel closed, as often as it asks. */
static void check_drained(duct_receiver *rx)
{
	for (int again = 0; again < 2; again++) {
		int message = -1;
		size_t received = 77;

		CHECK_STATUS(duct_recv(rx, &message), DUCT_CLOSED);
		CHECK_STATUS(duct_try_recv(rx, &message), DUCT_CLOSED);
		CHECK_STATUS(duct_recv_until(rx, &message, DUCT_FOREVER, NULL), DUCT_CLOSED);
		CHECK_STATUS(duct_recv_many(rx, &message, 1, 1, &received, DUCT_FOREVER, NULL), DUCT_CLOSED);
		CHECK(received == 0);
		CHECK_STATUS(duct_recv_many(rx, &message, 0, 1, &received, 0, NULL), DUCT_CLOSED);
		CHECK(received == 0);
		CHECK_STATUS(duct_receiver_wait(rx, DUCT_FOREVER, NULL), DUCT_CLOSED);
		CHECK(message == -1);
	}
}

/* ---- Close ------------------------------------------------------------------------------------------------------------- */

/* The first close closes and its reason stays; later ones change nothing. */
TEST(close, again_changes_nothing, 5)
{
	static const int reasons[] = { 0, 42, -7 };

	for (size_t r = 0; r < ARRAY_LEN(reasons); r++) {
		struct test_pair pair = test_pair_new(sizeof(int), 2);
		int message;

		CHECK_STATUS(duct_send(pair.tx, &(int){ 1 }), DUCT_OK);
		CHECK(!duct_channel_is_closed(pair.channel) && duct_channel_reason(pair.channel) == 0);
		duct_channel_close(pair.channel, reasons[r]);
		CHECK(duct_channel_is_closed(pair.channel) && duct_channel_reason(pair.channel) == reasons[r]);
		duct_channel_close(pair.channel, 99);
		duct_channel_close(duct_receiver_channel(pair.rx), 98);
		CHECK(duct_channel_is_closed(pair.channel) && duct_channel_reason(pair.channel) == reasons[r]);
		CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
		CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_CLOSED);
		/* The last handles going closes nothing again either. */
		duct_sender_free(pair.tx);
		duct_channel_free(pair.channel);
		CHECK(duct_channel_reason(duct_receiver_channel(pair.rx)) == reasons[r]);
		duct_receiver_free(pair.rx);
	}
}

/* A channel closes the same without any end; the channel is closed but its ends are not. */
TEST(close, needs_no_ends_and_closes_none, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 2);
	duct_channel *lonely;

	duct_channel_close(pair.channel, 0);
	CHECK(!duct_sender_is_closed(pair.tx) && !duct_receiver_is_closed(pair.rx));
	test_pair_free(&pair);
	CHECK_STATUS(duct_anycast_new(&lonely, 4, 0, NULL), DUCT_OK);
	duct_channel_close(lonely, 5);
	CHECK(duct_channel_is_closed(lonely) && duct_channel_reason(lonely) == 5);
	duct_channel_free(lonely);
}

/* What is in a closed channel is received in order; then every form of receive reads closed, for ever. */
TEST(close, lets_receivers_drain_in_order, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		int message, queued = test_fill(pair.tx);

		duct_channel_close(pair.channel, 0);
		CHECK(duct_channel_len(pair.channel) == (size_t)queued);
		for (int n = 0; n < queued; n++) {
			CHECK_STATUS(duct_receiver_wait(pair.rx, 0, NULL), DUCT_OK);
			if (n % 3 == 0)
				CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
			else if (n % 3 == 1)
				CHECK_STATUS(duct_try_recv(pair.rx, &message), DUCT_OK);
			else
				CHECK_STATUS(duct_recv_until(pair.rx, &message, 0, NULL), DUCT_OK);
			CHECK(message == n);
		}
		check_drained(pair.rx);
		test_pair_free(&pair);
	}
}

/* A receiver made or cloned after the close drains too; a sender is refused. */
TEST(close, lets_new_receivers_drain, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 3);
	duct_sender *tx = NULL;
	duct_receiver *made, *cloned;
	int message;

	test_fill(pair.tx);
	duct_channel_close(pair.channel, 0);
	CHECK_STATUS(duct_sender_new(pair.channel, &tx), DUCT_CLOSED);
	CHECK_STATUS(duct_sender_clone(pair.tx, &tx), DUCT_CLOSED);
	CHECK(tx == NULL);
	CHECK_STATUS(duct_receiver_new(pair.channel, &made), DUCT_OK);
	CHECK_STATUS(duct_receiver_clone(pair.rx, &cloned), DUCT_OK);
	CHECK_STATUS(duct_recv(made, &message), DUCT_OK);
	CHECK(message == 0);
	CHECK_STATUS(duct_recv(cloned, &message), DUCT_OK);
	CHECK(message == 1);
	CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
	CHECK(message == 2);
	check_drained(made);
	check_drained(cloned);
	duct_receiver_free(made);
	duct_receiver_free(cloned);
	test_pair_free(&pair);
}

/* Every form of send is refused after the close, with room or without, and what was refused never arrives. */
TEST(close, refuses_every_send, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		for (int full = 0; full < 2; full++) {
			struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
			int message = 1000, queued = full ? test_fill(pair.tx) : 0;
			size_t sent = 77;

			duct_channel_close(pair.channel, 0);
			CHECK_STATUS(duct_send(pair.tx, &message), DUCT_CLOSED);
			CHECK_STATUS(duct_try_send(pair.tx, &message), DUCT_CLOSED);
			CHECK_STATUS(duct_send_until(pair.tx, &message, DUCT_FOREVER, NULL), DUCT_CLOSED);
			CHECK_STATUS(duct_send_many(pair.tx, &message, 1, &sent, DUCT_FOREVER, NULL), DUCT_CLOSED);
			CHECK_STATUS(duct_sender_wait(pair.tx, DUCT_FOREVER, NULL), DUCT_CLOSED);
			CHECK(message == 1000 && sent == 0);
			for (int n = 0; n < queued; n++) {
				CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
				CHECK(message == n);
			}
			check_drained(pair.rx);
			test_pair_free(&pair);
		}
	}
}

/* Senders that sleep on a full channel return closed at once and keep their messages, which never arrive. */
TEST(close, wakes_sleeping_senders, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		struct test_call calls[4];
		int message, queued = test_fill(pair.tx);

		for (size_t n = 0; n < ARRAY_LEN(calls); n++) {
			test_send_start(&calls[n], pair.tx, 1000);
			AWAIT(duct_channel_waiting_senders(pair.channel) == n + 1);
		}
		duct_channel_close(pair.channel, 0);
		for (size_t n = 0; n < ARRAY_LEN(calls); n++)
			CHECK_STATUS(test_call_end(&calls[n]), DUCT_CLOSED);
		for (int n = 0; n < queued; n++) {
			CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
			CHECK(message == n);
		}
		check_drained(pair.rx);
		test_pair_free(&pair);
	}
}

/* Receivers that sleep on an empty channel return closed, all of them, and write nothing. */
TEST(close, wakes_sleeping_receivers, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		struct test_call calls[4];

		for (size_t n = 0; n < ARRAY_LEN(calls); n++) {
			test_recv_start(&calls[n], pair.rx);
			AWAIT(duct_channel_waiting_receivers(pair.channel) == n + 1);
		}
		duct_channel_close(pair.channel, 3);
		for (size_t n = 0; n < ARRAY_LEN(calls); n++) {
			CHECK_STATUS(test_call_end(&calls[n]), DUCT_CLOSED);
			CHECK(calls[n].message == -1);
		}
		check_drained(pair.rx);
		test_pair_free(&pair);
	}
}

struct closer {
	duct_channel *channel;
	int reason;
	int seen;
};

static void *close_and_read(void *argument)
{
	struct closer *closer = argument;

	duct_channel_close(closer->channel, closer->reason);
	closer->seen = duct_channel_reason(closer->channel);
	return NULL;
}

/* Of several threads that close at once exactly one gives the reason, and all of them read it. */
TEST(close, by_many_threads_has_one_reason, 10)
{
	for (int round = 0; round < 200; round++) {
		struct closer closers[4];
		pthread_t threads[4];
		duct_channel *channel;

		CHECK_STATUS(duct_anycast_new(&channel, 4, 1, NULL), DUCT_OK);
		for (int c = 0; c < 4; c++) {
			closers[c] = (struct closer){ channel, c + 1, 0 };
			threads[c] = test_start(close_and_read, &closers[c]);
		}
		for (int c = 0; c < 4; c++)
			test_join(threads[c]);
		CHECK(duct_channel_reason(channel) >= 1 && duct_channel_reason(channel) <= 4);
		for (int c = 0; c < 4; c++)
			CHECK(closers[c].seen == duct_channel_reason(channel));
		duct_channel_free(channel);
	}
}

struct traffic {
	struct test_pair pair;
	atomic_int sent;
	atomic_int received;
};

static void *send_until_closed(void *argument)
{
	struct traffic *traffic = argument;
	int message = 1;

	while (duct_send(traffic->pair.tx, &message) == DUCT_OK)
		atomic_fetch_add(&traffic->sent, 1);
	return NULL;
}

static void *receive_until_closed(void *argument)
{
	struct traffic *traffic = argument;
	int message;

	DUCT_FOR_EACH(traffic->pair.rx, &message)
		atomic_fetch_add(&traffic->received, 1);
	return NULL;
}

/* A close in the middle of heavy traffic loses nothing: what was sent with success is received. */
TEST(close, in_full_traffic_loses_nothing, 30)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		for (int round = 0; round < 20; round++) {
			struct traffic traffic = { .pair = test_pair_new(sizeof(int), capacities[i]) };
			pthread_t threads[4];

			for (int t = 0; t < 4; t++)
				threads[t] = test_start(t < 2 ? send_until_closed : receive_until_closed, &traffic);
			AWAIT(atomic_load(&traffic.received) > 20);
			duct_channel_close(traffic.pair.channel, 0);
			for (int t = 0; t < 4; t++)
				test_join(threads[t]);
			CHECK(atomic_load(&traffic.sent) == atomic_load(&traffic.received));
			test_pair_free(&traffic.pair);
		}
	}
}

static void *try_each(void *argument)
{
	struct test_pair *rounds = argument;
	duct_receiver *rx;
	int message;

	DUCT_FOR_EACH(rounds->rx, &rx) {
		duct_status status = duct_try_recv(rx, &message);

		CHECK(status == DUCT_OK || status == DUCT_CLOSED);
		duct_receiver_free(rx);
	}
	return NULL;
}

/* A channel that holds a message is closed, then drained: a try_recv at any moment finds the message or the end. */
TEST(close, before_drain_is_never_seen_as_empty, 30)
{
	struct test_pair rounds = test_pair_new(sizeof(duct_receiver *), 1);
	pthread_t trier = test_start(try_each, &rounds);

	for (int round = 0; round < 10000; round++) {
		duct_sender *tx;
		duct_receiver *rx, *rival;
		int message;
		duct_status status;

		CHECK_STATUS(duct_anycast_open(&tx, &rx, sizeof(int), 1, NULL), DUCT_OK);
		CHECK_STATUS(duct_receiver_clone(rx, &rival), DUCT_OK);
		CHECK_STATUS(duct_send(tx, &round), DUCT_OK);
		CHECK_STATUS(duct_send(rounds.tx, &rival), DUCT_OK);
		duct_channel_close(duct_sender_channel(tx), 0);
		status = duct_recv(rx, &message);
		CHECK(status == DUCT_OK || status == DUCT_CLOSED);
		duct_sender_free(tx);
		duct_receiver_free(rx);
	}
	duct_channel_close(rounds.channel, 0);
	test_join(trier);
	test_pair_free(&rounds);
}

/* ---- Discard ----------------------------------------------------------------------------------------------------------- */

/* What was dropped: how many, and their numbers in the order of the calls. */
struct dropped {
	int count;
	int numbers[128];
};

static void keep_number(void *message, void *context)
{
	struct dropped *dropped = context;

	memcpy(&dropped->numbers[dropped->count++], message, sizeof(int));
}

/* Discard throws away what is queued, wherever the queue begins, tells how many and leaves the channel open and empty. */
TEST(discard, without_hook_empties_the_channel, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		size_t discarded = 77;
		int message;

		CHECK_STATUS(duct_channel_discard(pair.channel, &discarded), DUCT_OK);
		CHECK(discarded == 0);
		for (int round = 0; round < 4; round++) {
			test_fill(pair.tx);
			if (capacities[i] > 0) {
				CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
				if (round % 2 == 0)
					CHECK_STATUS(duct_send(pair.tx, &message), DUCT_OK);
			}
			CHECK_STATUS(duct_channel_discard(pair.channel, round == 3 ? NULL : &discarded), DUCT_OK);
			if (round != 3)
				CHECK(discarded == (capacities[i] == 0 ? 0 : capacities[i] - (size_t)round % 2));
			CHECK(duct_channel_len(pair.channel) == 0 && !duct_channel_is_closed(pair.channel));
			CHECK_STATUS(duct_try_recv(pair.rx, &message), DUCT_EMPTY);
		}
		test_pair_free(&pair);
	}
}

/* With a drop hook each message is handed to it once, whole, for small messages and for large ones. */
TEST(discard, hands_each_message_to_the_hook, 5)
{
	static const size_t sizes[] = { sizeof(int), 8, 100, 1024, 1025, 4096, 65536 };

	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		struct dropped dropped = { 0, { 0 } };
		struct test_pair pair = test_pair_with(sizes[s], 10, DUCT_OPTIONS(.drop = keep_number, .context = &dropped));
		char *message = calloc(1, sizes[s]);
		bool seen[10] = { false };
		size_t discarded;

		CHECK(message != NULL);
		for (int n = 0; n < 10; n++) {
			memcpy(message, &n, sizeof n);
			CHECK_STATUS(duct_send(pair.tx, message), DUCT_OK);
		}
		CHECK_STATUS(duct_recv(pair.rx, message), DUCT_OK);
		CHECK(dropped.count == 0);
		CHECK_STATUS(duct_channel_discard(pair.channel, &discarded), DUCT_OK);
		CHECK(discarded == 9 && dropped.count == 9);
		for (int n = 0; n < 9; n++) {
			CHECK(dropped.numbers[n] >= 1 && dropped.numbers[n] < 10 && !seen[dropped.numbers[n]]);
			seen[dropped.numbers[n]] = true;
		}
		free(message);
		test_pair_free(&pair);
		CHECK(dropped.count == 9);
	}
}

/* Senders that sleep move up into the room in their order, and those that do not fit go on sleeping. */
TEST(discard, lets_sleeping_senders_move_up, 5)
{
	struct dropped dropped = { 0, { 0 } };
	struct test_pair pair = test_pair_with(sizeof(int), 2, DUCT_OPTIONS(.drop = keep_number, .context = &dropped));
	struct test_call calls[3];
	size_t discarded;
	int message;

	test_fill(pair.tx);
	for (size_t n = 0; n < 3; n++) {
		test_send_start(&calls[n], pair.tx, 10 + (int)n);
		AWAIT(duct_channel_waiting_senders(pair.channel) == n + 1);
	}
	CHECK_STATUS(duct_channel_discard(pair.channel, &discarded), DUCT_OK);
	CHECK(discarded == 2 && dropped.count == 2);
	CHECK(dropped.numbers[0] + dropped.numbers[1] == 1);
	CHECK_STATUS(test_call_end(&calls[0]), DUCT_OK);
	CHECK_STATUS(test_call_end(&calls[1]), DUCT_OK);
	CHECK(duct_channel_waiting_senders(pair.channel) == 1 && duct_channel_len(pair.channel) == 2);
	for (int n = 0; n < 3; n++) {
		CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
		CHECK(message == 10 + n);
	}
	CHECK_STATUS(test_call_end(&calls[2]), DUCT_OK);
	test_pair_free(&pair);
	CHECK(dropped.count == 2);
}

/* What a hook does to its channel in the middle of a discard. */
struct exchange {
	struct test_pair *pair;
	int drops;
};

static void take_one_and_send_another(void *message, void *context)
{
	struct exchange *exchange = context;
	static char buffer[2000];

	CHECK(*(char *)message == 'a');
	if (exchange->drops++ > 0)
		return;
	CHECK_STATUS(duct_try_recv(exchange->pair->rx, buffer), DUCT_OK);
	CHECK(buffer[0] == 'a');
	buffer[0] = 'b';
	CHECK_STATUS(duct_try_send(exchange->pair->tx, buffer), DUCT_OK);
}

/* A discard throws away what was there when it began: a message that is sent meanwhile, in place of one taken, stays. */
TEST(discard, keeps_what_comes_later, 5)
{
	struct test_pair pair;
	struct exchange exchange = { &pair, 0 };
	static char message[2000] = "a";
	size_t discarded;

	pair = test_pair_with(sizeof message, 2, DUCT_OPTIONS(.drop = take_one_and_send_another, .context = &exchange));
	CHECK_STATUS(duct_send(pair.tx, message), DUCT_OK);
	CHECK_STATUS(duct_send(pair.tx, message), DUCT_OK);
	CHECK_STATUS(duct_channel_discard(pair.channel, &discarded), DUCT_OK);
	CHECK(discarded == 1 && exchange.drops == 1);
	CHECK_STATUS(duct_try_recv(pair.rx, message), DUCT_OK);
	CHECK(message[0] == 'b');
	test_pair_free(&pair);
}

/* At capacity 0 nothing is ever queued: a discard leaves the sleeping sender and its message alone. */
TEST(discard, at_capacity_0_leaves_a_sleeping_sender, 5)
{
	struct dropped dropped = { 0, { 0 } };
	struct test_pair pair = test_pair_with(sizeof(int), 0, DUCT_OPTIONS(.drop = keep_number, .context = &dropped));
	struct test_call call;
	size_t discarded;
	int message;

	test_send_start(&call, pair.tx, 12);
	AWAIT(duct_channel_waiting_senders(pair.channel) == 1);
	CHECK_STATUS(duct_channel_discard(pair.channel, &discarded), DUCT_OK);
	CHECK(discarded == 0 && dropped.count == 0);
	CHECK(duct_channel_waiting_senders(pair.channel) == 1);
	CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
	CHECK(message == 12);
	CHECK_STATUS(test_call_end(&call), DUCT_OK);
	test_pair_free(&pair);
}

/* A closed channel can be discarded: what was left to drain is gone and receivers read closed. */
TEST(discard, after_close_ends_the_drain, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		size_t discarded;

		test_fill(pair.tx);
		duct_channel_close(pair.channel, 4);
		CHECK_STATUS(duct_channel_discard(pair.channel, &discarded), DUCT_OK);
		CHECK(discarded == capacities[i] && duct_channel_reason(pair.channel) == 4);
		check_drained(pair.rx);
		test_pair_free(&pair);
	}
}

/* An allocator that can be made to refuse. */
static void *allocate_if_allowed(size_t size, void *context)
{
	return *(bool *)context ? malloc(size) : NULL;
}

static void release(void *memory, void *context)
{
	(void)context;
	free(memory);
}

/* Without the memory that large messages need, nothing is discarded; small ones, and those without a hook, need none. */
TEST(discard, without_memory_discards_nothing, 5)
{
	bool allowed;
	const duct_allocator allocator = { allocate_if_allowed, release, &allowed };
	static char message[2000];

	for (int with_hook = 0; with_hook < 2; with_hook++) {
		for (int large = 0; large < 2; large++) {
			struct dropped dropped = { 0, { 0 } };
			struct test_pair pair;
			size_t discarded = 0;
			bool refused = with_hook && large;

			allowed = true;
			pair = test_pair_with(large ? sizeof message : 1024, 3,
			    DUCT_OPTIONS(.drop = with_hook ? keep_number : NULL, .context = &dropped, .allocator = &allocator));
			for (int n = 0; n < 3; n++)
				CHECK_STATUS(duct_send(pair.tx, message), DUCT_OK);
			allowed = false;
			CHECK_STATUS(duct_channel_discard(pair.channel, &discarded), refused ? DUCT_NOMEM : DUCT_OK);
			CHECK(discarded == (refused ? 0 : 3));
			CHECK(duct_channel_len(pair.channel) == (refused ? 3 : 0));
			CHECK(dropped.count == (with_hook && !large ? 3 : 0));
			/* The last free needs none either: what is left over is dropped all the same. */
			test_pair_free(&pair);
			CHECK(dropped.count == (with_hook ? 3 : 0));
		}
	}
}

/* Discards amid traffic: what was sent is received or discarded, each message once. */
TEST(discard, in_full_traffic_counts_every_message, 30)
{
	for (size_t i = 1; i < ARRAY_LEN(capacities); i++) {
		struct traffic traffic = { .pair = test_pair_new(sizeof(int), capacities[i]) };
		size_t total = 0, discarded;
		pthread_t threads[4];

		for (int t = 0; t < 4; t++)
			threads[t] = test_start(t < 2 ? send_until_closed : receive_until_closed, &traffic);
		for (int n = 0; n < 1000 || total < 10; n++) {
			CHECK_STATUS(duct_channel_discard(traffic.pair.channel, &discarded), DUCT_OK);
			total += discarded;
			if (n % 16 == 0)
				sched_yield();
		}
		duct_channel_close(traffic.pair.channel, 0);
		for (int t = 0; t < 4; t++)
			test_join(threads[t]);
		CHECK((size_t)atomic_load(&traffic.sent) == (size_t)atomic_load(&traffic.received) + total);
		test_pair_free(&traffic.pair);
	}
}
