/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The latest value: a cell with the last message of a receiver, a peekable that shows the last one sent, and a cache with the
 * latest of each key.
 */
#include "crowd.h"
#include "instances.h"

static const duct_options counted = { .size = sizeof(duct_options), .copy = instance_copy, .drop = instance_drop };

static struct crowd counted_crowd(const duct_options *options)
{
	struct crowd crowd;

	CHECK_STATUS(duct_broadcast_new(&crowd.channel, sizeof(struct instance), options), DUCT_OK);
	CHECK_STATUS(duct_sender_new(crowd.channel, &crowd.tx), DUCT_OK);
	return crowd;
}

/* ---- Latest ------------------------------------------------------------------------------------------------------------ */

static duct_latest *latest_of(duct_receiver *rx)
{
	duct_latest *latest;

	CHECK_STATUS(duct_latest_new(&latest, rx), DUCT_OK);
	return latest;
}

/* The latest is that number, as often as it is asked for. */
static bool shows(duct_latest *latest, int expected)
{
	for (int again = 0; again < 3; again++) {
		int message = -1;

		if (duct_latest_get(latest, &message) != DUCT_OK || message != expected)
			return false;
	}
	return true;
}

/* Nothing before the first, so that a default stays; then the last one, again and again; and so after the close. */
TEST(latest, is_the_last_message, 5)
{
	for (size_t p = 0; p < ARRAY_LEN(policies); p++) {
		struct crowd crowd = crowd_new(NULL);
		duct_latest *latest = latest_of(crowd_join(&crowd, policies[p], 5));
		int message = 42;

		CHECK_STATUS(duct_latest_get(latest, &message), DUCT_EMPTY);
		CHECK(message == 42 && duct_channel_receivers(crowd.channel) == 1);
		CHECK(sends(crowd.tx, 6, 6) && shows(latest, 6));
		CHECK(sends(crowd.tx, 8, 12) && shows(latest, 12));
		CHECK(sends(crowd.tx, 18, 19) && shows(latest, 19));
		duct_channel_close(crowd.channel, 0);
		CHECK(shows(latest, 19));
		duct_latest_free(latest);
		CHECK(duct_channel_receivers(crowd.channel) == 0);
		crowd_free(&crowd);
	}
}

/* Closed before a message came there is none. */
TEST(latest, of_nothing_is_empty_after_the_close, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_latest *latest = latest_of(crowd_join(&crowd, DUCT_LATEST_ONLY, 1));
	int message = 42;

	duct_channel_close(crowd.channel, 0);
	CHECK_STATUS(duct_latest_get(latest, &message), DUCT_EMPTY);
	CHECK(message == 42);
	duct_latest_free(latest);
	crowd_free(&crowd);
}

/* Losses that the receiver would be told of do not stand in the way. */
TEST(latest, goes_over_a_lag, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_latest *latest =
	    latest_of(crowd_join_as(&crowd, DUCT_SUBSCRIPTION(.capacity = 2, .tell_lag = true, .overflow = DUCT_DROP_OLDEST)));

	CHECK(sends(crowd.tx, 1, 5) && shows(latest, 5));
	CHECK(sends(crowd.tx, 6, 10));
	duct_channel_close(crowd.channel, 0);
	CHECK(shows(latest, 10));
	duct_latest_free(latest);
	crowd_free(&crowd);
}

/* It takes what a blocking receiver has, so that senders go on. */
TEST(latest, makes_room_for_senders, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_latest *latest = latest_of(crowd_join(&crowd, DUCT_BLOCK, 1));
	struct test_call call;
	int message = 0;

	CHECK(sends(crowd.tx, 1, 1));
	test_send_start(&call, crowd.tx, 2);
	AWAIT(duct_channel_waiting_senders(crowd.channel) == 1);
	CHECK_STATUS(duct_latest_get(latest, &message), DUCT_OK);
	CHECK(message == 1 || message == 2);
	CHECK_STATUS(test_call_end(&call), DUCT_OK);
	CHECK(shows(latest, 2));
	duct_latest_free(latest);
	crowd_free(&crowd);
}

/* It serves an anycast receiver too, of any capacity and size. */
TEST(latest, is_of_any_receiver, 5)
{
	static char out[5000], in[5000];
	struct test_pair pair = test_pair_new(sizeof(int), 3), large = test_pair_new(sizeof out, 3);
	duct_latest *latest = latest_of(pair.rx), *of_large = latest_of(large.rx);

	CHECK(sends(pair.tx, 1, 3) && shows(latest, 3) && duct_channel_len(pair.channel) == 0);
	for (char n = 1; n <= 3; n++) {
		memset(out, n, sizeof out);
		CHECK_STATUS(duct_send(large.tx, out), DUCT_OK);
	}
	CHECK_STATUS(duct_latest_get(of_large, in), DUCT_OK);
	CHECK(memcmp(in, out, sizeof in) == 0);
	duct_latest_free(latest);
	duct_latest_free(of_large);
	pair.rx = large.rx = NULL;
	CHECK(duct_channel_receivers(pair.channel) == 0);
	test_pair_free(&pair);
	test_pair_free(&large);
}

/* What is given out is a copy, what is displaced is dropped, and what is kept goes with it. */
TEST(latest, copies_and_drops_through_the_hooks, 5)
{
	struct crowd crowd = counted_crowd(&counted);
	duct_latest *latest = latest_of(crowd_join(&crowd, DUCT_DROP_OLDEST, 5));
	struct instance in[2] = { { -1, -1 }, { -1, -1 } };

	for (int n = 1; n <= 3; n++)
		CHECK_STATUS(instance_send(crowd.tx, n), DUCT_OK);
	for (int again = 0; again < 2; again++) {
		CHECK_STATUS(duct_latest_get(latest, &in[again]), DUCT_OK);
		CHECK(in[again].number == 3);
	}
	CHECK(in[0].id != in[1].id && instances_alive() == 3);
	atomic_store(&instances.fail_in, 1);
	CHECK_STATUS(duct_latest_get(latest, &(struct instance){ 7, 7 }), DUCT_NOMEM);
	instance_end(&in[0]);
	instance_end(&in[1]);
	CHECK_STATUS(instance_send(crowd.tx, 4), DUCT_OK);
	CHECK_STATUS(instance_send(crowd.tx, 5), DUCT_OK);
	CHECK_STATUS(duct_latest_get(latest, &in[0]), DUCT_OK);
	CHECK(in[0].number == 5 && instances_alive() == 2);
	instance_end(&in[0]);
	CHECK_STATUS(instance_send(crowd.tx, 6), DUCT_OK);
	duct_latest_free(latest);
	CHECK(instances_alive() == 0);
	crowd_free(&crowd);
}

/* What can never work is refused, and the receiver stays the caller's. */
TEST(latest, refuses_what_can_never_work, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 5);
	duct_latest *latest = NULL;
	int message = 5;

	CHECK_STATUS(duct_latest_new(NULL, rx), DUCT_INVALID);
	CHECK_STATUS(duct_latest_new(&latest, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_latest_get(NULL, &message), DUCT_INVALID);
	CHECK(sends(crowd.tx, 1, 2) && reads(rx, 1, 1) && latest == NULL);
	latest = latest_of(rx);
	CHECK_STATUS(duct_latest_get(latest, NULL), DUCT_INVALID);
	CHECK(shows(latest, 2) && message == 5);
	duct_latest_free(latest);
	duct_latest_free(NULL);
	crowd_free(&crowd);
}

struct watching {
	struct crowd crowd;
	duct_latest *latest;
};

static void *watch_it_rise(void *argument)
{
	struct watching *watching = argument;
	int last = 0;

	while (last < 20000) {
		int now = last;
		duct_status status = duct_latest_get(watching->latest, &now);

		CHECK(status == DUCT_OK || (status == DUCT_EMPTY && last == 0));
		CHECK(now >= last);
		last = now;
	}
	return NULL;
}

/* Threads that ask at once never see it go back. */
TEST(latest, never_goes_back, 20)
{
	struct watching watching = { .crowd = crowd_new(NULL) };
	pthread_t threads[3];

	watching.latest = latest_of(crowd_join(&watching.crowd, DUCT_DROP_OLDEST, 3));
	for (size_t t = 0; t < ARRAY_LEN(threads); t++)
		threads[t] = test_start(watch_it_rise, &watching);
	for (int n = 1; n <= 20000; n++)
		CHECK_STATUS(duct_send(watching.crowd.tx, &n), DUCT_OK);
	for (size_t t = 0; t < ARRAY_LEN(threads); t++)
		test_join(threads[t]);
	duct_latest_free(watching.latest);
	crowd_free(&watching.crowd);
}

/* ---- Peekable ---------------------------------------------------------------------------------------------------------- */

static bool peeks(duct_peekable *peekable, int expected)
{
	for (int again = 0; again < 2; again++) {
		int message = -1;
		duct_status status = duct_peek(peekable, &message);

		if (status != DUCT_OK || message != expected) {
			fprintf(stderr, "%d was to be seen: %s, %d\n", expected, duct_strerror(status), message);
			return false;
		}
	}
	return true;
}

static bool peek_says(duct_peekable *peekable, duct_status expected)
{
	int message = -77;

	return duct_peek(peekable, &message) == expected && message == -77;
}

/* Of a channel: none, then 9 twice, then 20, and CLOSED after the close; it is nobody's receiver. */
TEST(peekable, shows_the_last_message_sent, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_peekable *peekable;
	duct_receipt receipt;

	CHECK_STATUS(duct_peekable_new(crowd.channel, &peekable), DUCT_OK);
	CHECK(peek_says(peekable, DUCT_EMPTY) && duct_channel_receivers(crowd.channel) == 0);
	CHECK(sends(crowd.tx, 0, 9) && peeks(peekable, 9));
	CHECK_STATUS(duct_publish(crowd.tx, &(int){ 20 }, &receipt, 0, NULL), DUCT_OK);
	CHECK(peeks(peekable, 20) && receipt.delivered == 0 && receipt.lost == 0 && duct_channel_len(crowd.channel) == 0);
	duct_channel_close(crowd.channel, 0);
	CHECK(peek_says(peekable, DUCT_CLOSED));
	duct_peekable_free(peekable);
	crowd_free(&crowd);
}

/* It knows of what the channel keeps for later receivers, but of nothing else that was sent before. */
TEST(peekable, knows_of_the_replay, 5)
{
	for (size_t replay = 0; replay < 3; replay++) {
		struct crowd crowd = crowd_new(DUCT_OPTIONS(.replay = replay));
		duct_peekable *peekable;

		CHECK(sends(crowd.tx, 1, 5));
		CHECK_STATUS(duct_peekable_new(crowd.channel, &peekable), DUCT_OK);
		CHECK(replay == 0 ? peek_says(peekable, DUCT_EMPTY) : peeks(peekable, 5));
		CHECK(sends(crowd.tx, 6, 6) && peeks(peekable, 6));
		duct_peekable_free(peekable);
		crowd_free(&crowd);
	}
}

/* Several peekables show the same, whoever is full. */
TEST(peekable, may_be_one_of_many, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join(&crowd, DUCT_DROP_NEWEST, 1);
	duct_peekable *peekable[3];

	for (int k = 0; k < 3; k++)
		CHECK_STATUS(duct_peekable_new(crowd.channel, &peekable[k]), DUCT_OK);
	CHECK(sends(crowd.tx, 1, 4));
	for (int k = 0; k < 3; k++)
		CHECK(peeks(peekable[k], 4));
	duct_peekable_free(peekable[0]);
	CHECK(sends(crowd.tx, 5, 5) && duct_channel_len(crowd.channel) == 1); /* what they hold is not queued for anybody */
	CHECK(peeks(peekable[1], 5) && peeks(peekable[2], 5) && reads(rx, 1, 1) && duct_channel_is_empty(crowd.channel));
	duct_peekable_free(peekable[1]);
	duct_peekable_free(peekable[2]);
	duct_peekable_free(NULL);
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* A message that was not sent is not shown: the sender had to wait, or found nobody. */
TEST(peekable, shows_nothing_that_was_not_sent, 5)
{
	struct crowd crowd = crowd_new(NULL), unheard = crowd_new(DUCT_OPTIONS(.unheard = DUCT_UNHEARD_FAIL));
	duct_receiver *rx = crowd_join(&crowd, DUCT_BLOCK, 1);
	duct_peekable *peekable, *of_nobody;

	CHECK_STATUS(duct_peekable_new(crowd.channel, &peekable), DUCT_OK);
	CHECK_STATUS(duct_peekable_new(unheard.channel, &of_nobody), DUCT_OK);
	CHECK(sends(crowd.tx, 1, 1));
	CHECK_STATUS(duct_try_send(crowd.tx, &(int){ 2 }), DUCT_FULL);
	CHECK(peeks(peekable, 1));
	CHECK_STATUS(duct_try_send(unheard.tx, &(int){ 3 }), DUCT_NO_RECEIVERS);
	CHECK(peek_says(of_nobody, DUCT_EMPTY));
	duct_peekable_free(peekable);
	duct_peekable_free(of_nobody);
	duct_receiver_free(rx);
	crowd_free(&crowd);
	crowd_free(&unheard);
}

/* It is no receiver for those who wait for one, nor one that keeps a channel from closing with its last. */
TEST(peekable, is_no_receiver, 5)
{
	struct crowd crowd = crowd_new(DUCT_OPTIONS(.unheard = DUCT_UNHEARD_WAIT));
	duct_sender *tx;
	duct_receiver *rx, *last;
	duct_peekable *peekable, *of_pair;

	CHECK_STATUS(duct_peekable_new(crowd.channel, &peekable), DUCT_OK);
	CHECK_STATUS(duct_try_send(crowd.tx, &(int){ 1 }), DUCT_FULL);
	CHECK_STATUS(duct_channel_wait_receivers(crowd.channel, 1, 0, NULL), DUCT_TIMEDOUT);
	rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 2);
	CHECK_STATUS(duct_channel_wait_receivers(crowd.channel, 1, 0, NULL), DUCT_OK);
	CHECK(sends(crowd.tx, 2, 2) && peeks(peekable, 2) && reads(rx, 2, 2));
	duct_receiver_free(rx);
	CHECK_STATUS(duct_try_send(crowd.tx, &(int){ 3 }), DUCT_FULL);
	CHECK(peeks(peekable, 2));
	CHECK_STATUS(duct_broadcast_open(&tx, &last, sizeof(int), NULL, NULL), DUCT_OK);
	CHECK_STATUS(duct_peekable_new(duct_sender_channel(tx), &of_pair), DUCT_OK);
	CHECK(sends(tx, 1, 1) && peeks(of_pair, 1));
	duct_receiver_free(last);
	CHECK_STATUS(duct_try_send(tx, &(int){ 2 }), DUCT_CLOSED);
	CHECK(peek_says(of_pair, DUCT_CLOSED));
	duct_sender_free(tx);
	duct_peekable_free(peekable);
	duct_peekable_free(of_pair);
	crowd_free(&crowd);
}

/* Made of a receiver: that reads what it has, and then INVALIDATED, in every form; others go on. */
TEST(peekable, of_a_receiver_invalidates_it, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 5), *other = crowd_join(&crowd, DUCT_DROP_OLDEST, 9),
		      *none = NULL;
	duct_peekable *peekable, *again = NULL;
	int in = -1;
	duct_case cases[] = { DUCT_RECV(rx, &in) };
	size_t chosen = 77;

	CHECK(sends(crowd.tx, 1, 3) && reads(rx, 1, 1));
	CHECK_STATUS(duct_receiver_into_peekable(rx, &peekable), DUCT_OK);
	CHECK(peek_says(peekable, DUCT_EMPTY) && duct_channel_receivers(crowd.channel) == 1 && duct_receiver_is_closed(rx));
	CHECK(sends(crowd.tx, 4, 5) && peeks(peekable, 5));
	CHECK_STATUS(duct_receiver_wait(rx, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(reads(rx, 2, 3) && then(rx, DUCT_INVALIDATED) && then(rx, DUCT_INVALIDATED));
	CHECK_STATUS(duct_recv(rx, &in), DUCT_INVALIDATED);
	CHECK_STATUS(duct_recv_until(rx, &in, DUCT_FOREVER, NULL), DUCT_INVALIDATED);
	CHECK_STATUS(duct_recv_many(rx, &in, 1, 1, NULL, DUCT_FOREVER, NULL), DUCT_INVALIDATED);
	CHECK_STATUS(duct_receiver_wait(rx, DUCT_FOREVER, NULL), DUCT_INVALIDATED);
	CHECK_STATUS(duct_select(cases, 1, &chosen), DUCT_OK);
	CHECK(cases[0].status == DUCT_INVALIDATED && in == -1);
	CHECK_STATUS(duct_select(cases, 1, &chosen), DUCT_CLOSED);
	CHECK_STATUS(duct_receiver_into_peekable(rx, &again), DUCT_CLOSED);
	CHECK_STATUS(duct_receiver_clone(rx, &none), DUCT_CLOSED);
	CHECK(again == NULL && none == NULL && reads(other, 1, 5));
	duct_receiver_free(rx);
	CHECK(sends(crowd.tx, 6, 6) && peeks(peekable, 6));
	duct_peekable_free(peekable);
	duct_receiver_free(other);
	crowd_free(&crowd);
}

/* It knows of the replay as one made of the channel does, and not of what its receiver has not read yet. */
TEST(peekable, of_a_receiver_knows_of_the_replay, 5)
{
	for (size_t replay = 0; replay < 3; replay++) {
		struct crowd crowd = crowd_new(DUCT_OPTIONS(.replay = replay));
		duct_receiver *read = crowd_join(&crowd, DUCT_DROP_OLDEST, 5),
			      *newest = crowd_join(&crowd, DUCT_DROP_NEWEST, 2);
		duct_peekable *of_read, *of_newest;

		CHECK(sends(crowd.tx, 1, 4) && reads(read, 1, 4));
		CHECK_STATUS(duct_receiver_into_peekable(read, &of_read), DUCT_OK);
		CHECK_STATUS(duct_receiver_into_peekable(newest, &of_newest), DUCT_OK);
		CHECK(replay == 0 ? peek_says(of_read, DUCT_EMPTY) : peeks(of_read, 4));
		CHECK(replay == 0 ? peek_says(of_newest, DUCT_EMPTY) : peeks(of_newest, 4));
		CHECK(sends(crowd.tx, 5, 5) && peeks(of_read, 5) && peeks(of_newest, 5) && reads(newest, 1, 2));
		CHECK(then(newest, DUCT_INVALIDATED));
		duct_receiver_free(read);
		duct_receiver_free(newest);
		duct_peekable_free(of_read);
		duct_peekable_free(of_newest);
		crowd_free(&crowd);
	}
}

/* A thread inside a receive is told. */
TEST(peekable, of_a_receiver_wakes_those_inside, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 5);
	struct test_call call;
	duct_peekable *peekable;

	test_recv_start(&call, rx);
	AWAIT(duct_channel_waiting_receivers(crowd.channel) == 1);
	CHECK_STATUS(duct_receiver_into_peekable(rx, &peekable), DUCT_OK);
	CHECK_STATUS(test_call_end(&call), DUCT_INVALIDATED);
	CHECK(sends(crowd.tx, 1, 1) && peeks(peekable, 1) && then(rx, DUCT_INVALIDATED));
	duct_receiver_free(rx);
	duct_peekable_free(peekable);
	crowd_free(&crowd);
}

/* What can never work is refused, and changes nothing. */
TEST(peekable, refuses_what_can_never_work, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 5);
	duct_peekable *peekable = NULL;
	int message = 5;

	CHECK_STATUS(duct_peekable_new(NULL, &peekable), DUCT_INVALID);
	CHECK_STATUS(duct_peekable_new(crowd.channel, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_receiver_into_peekable(NULL, &peekable), DUCT_INVALID);
	CHECK_STATUS(duct_receiver_into_peekable(rx, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_peek(NULL, &message), DUCT_INVALID);
	CHECK(peekable == NULL && sends(crowd.tx, 1, 1) && reads(rx, 1, 1));
	duct_receiver_close(rx);
	CHECK_STATUS(duct_receiver_into_peekable(rx, &peekable), DUCT_CLOSED);
	CHECK(peekable == NULL && then(rx, DUCT_CLOSED));
	CHECK_STATUS(duct_peekable_new(crowd.channel, &peekable), DUCT_OK);
	CHECK_STATUS(duct_peek(peekable, NULL), DUCT_INVALID);
	duct_peekable_free(peekable);
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* What it shows is a copy of what it keeps; that goes when the next comes, the channel closes, or it is freed. */
TEST(peekable, copies_and_drops_through_the_hooks, 5)
{
	struct crowd crowd = counted_crowd(DUCT_OPTIONS(.copy = instance_copy, .drop = instance_drop, .replay = 1));
	duct_receiver *rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 5);
	duct_peekable *of_channel, *of_receiver;
	struct instance in = { -1, -1 };

	CHECK_STATUS(duct_peekable_new(crowd.channel, &of_channel), DUCT_OK);
	CHECK_STATUS(instance_send(crowd.tx, 1), DUCT_OK);
	atomic_store(&instances.fail_in, 1);
	CHECK_STATUS(duct_receiver_into_peekable(rx, &of_receiver), DUCT_NOMEM);
	CHECK(!duct_receiver_is_closed(rx) && duct_channel_receivers(crowd.channel) == 1);
	atomic_store(&instances.fail_in, 0);
	CHECK_STATUS(duct_receiver_into_peekable(rx, &of_receiver), DUCT_OK);
	for (int n = 2; n <= 5; n++) {
		CHECK_STATUS(duct_peek(of_receiver, &in), DUCT_OK);
		CHECK(in.number == n - 1);
		instance_end(&in);
		CHECK_STATUS(instance_send(crowd.tx, n), DUCT_OK);
		CHECK_STATUS(duct_peek(of_channel, &in), DUCT_OK);
		CHECK(in.number == n);
		instance_end(&in);
	}
	in.number = -1;
	atomic_store(&instances.fail_in, 1);
	CHECK_STATUS(duct_peek(of_channel, &in), DUCT_NOMEM);
	CHECK(in.number == -1 && instances_read(rx, 1, 1));
	duct_peekable_free(of_channel);
	duct_peekable_free(of_receiver);
	duct_receiver_free(rx);
	crowd_free(&crowd);
	CHECK(instances_alive() == 0);
}

/* ---- Cache ------------------------------------------------------------------------------------------------------------- */

struct reading {
	int id;
	char value;
};

static const void *id_of(const void *message, size_t *size, void *context)
{
	(void)context;
	*size = sizeof(int);
	return message;
}

/* A channel of readings, and a cache of them by id. */
struct grouped {
	duct_sender *tx;
	duct_cache *cache;
};

static struct grouped grouped_new(size_t capacity)
{
	struct grouped grouped;
	duct_receiver *rx;

	CHECK_STATUS(
	    duct_broadcast_open(&grouped.tx, &rx, sizeof(struct reading), DUCT_SUBSCRIPTION(.capacity = capacity), NULL),
	    DUCT_OK);
	CHECK_STATUS(duct_cache_new(&grouped.cache, rx, id_of, NULL), DUCT_OK);
	return grouped;
}

static void grouped_free(struct grouped *grouped)
{
	duct_cache_free(grouped->cache);
	duct_sender_free(grouped->tx);
}

static void put(const struct grouped *grouped, int id, char value)
{
	CHECK_STATUS(duct_try_send(grouped->tx, &(struct reading){ id, value }), DUCT_OK);
}

/* What a key has: '-' for nothing. */
static char value_of(const struct grouped *grouped, int id)
{
	struct reading reading = { id, '?' };
	duct_status status = duct_cache_get(grouped->cache, &id, sizeof id, &reading);

	CHECK(status == DUCT_OK || (status == DUCT_EMPTY && reading.value == '?'));
	CHECK(reading.id == id && duct_cache_contains(grouped->cache, &id, sizeof id) == (status == DUCT_OK));
	return status == DUCT_OK ? reading.value : '-';
}

/* The keys and values in the order of the cursor are those of a text such as "5c6b". */
static bool goes_through(const struct grouped *grouped, const char *text)
{
	uint64_t cursor = 0;
	struct reading reading;

	for (; *text != '\0'; text += 2) {
		if (duct_cache_next(grouped->cache, &cursor, &reading) != DUCT_OK)
			return false;
		if (reading.id != text[0] - '0' || reading.value != text[1])
			return false;
	}
	return duct_cache_next(grouped->cache, &cursor, &reading) == DUCT_EMPTY &&
	       duct_cache_next(grouped->cache, &cursor, &reading) == DUCT_EMPTY;
}

/* The latest of each key, the keys in the order in which they were first seen; one that was not seen is absent. */
TEST(cache, keeps_the_latest_of_each_key, 5)
{
	struct grouped grouped = grouped_new(9);
	struct reading fallback = { 7, 'z' };

	CHECK(duct_cache_len(grouped.cache) == 0 && goes_through(&grouped, ""));
	put(&grouped, 5, 'a');
	put(&grouped, 6, 'b');
	put(&grouped, 5, 'c');
	CHECK(duct_cache_len(grouped.cache) == 2);
	CHECK(value_of(&grouped, 5) == 'c' && value_of(&grouped, 6) == 'b' && value_of(&grouped, 7) == '-');
	CHECK(goes_through(&grouped, "5c6b"));
	CHECK_STATUS(duct_cache_get(grouped.cache, &(int){ 7 }, sizeof(int), &fallback), DUCT_EMPTY);
	CHECK(fallback.id == 7 && fallback.value == 'z');
	put(&grouped, 4, 'd');
	put(&grouped, 6, 'e');
	CHECK(goes_through(&grouped, "5c6e4d") && duct_cache_len(grouped.cache) == 3);
	duct_sender_close(grouped.tx);
	CHECK(value_of(&grouped, 4) == 'd' && goes_through(&grouped, "5c6e4d"));
	grouped_free(&grouped);
}

/* Taking out shrinks it: by key, the one first seen last, all. */
TEST(cache, shrinks_by_what_is_taken_out, 5)
{
	struct grouped grouped = grouped_new(9);
	struct reading reading = { 0, '?' };

	for (int id = 1; id <= 6; id++)
		put(&grouped, id, (char)('a' + id));
	put(&grouped, 1, 'z');
	CHECK_STATUS(duct_cache_pop(grouped.cache, &(int){ 9 }, sizeof(int), &reading), DUCT_EMPTY);
	CHECK(reading.value == '?' && duct_cache_len(grouped.cache) == 6);
	CHECK_STATUS(duct_cache_pop(grouped.cache, &(int){ 3 }, sizeof(int), &reading), DUCT_OK);
	CHECK(reading.id == 3 && reading.value == 'd' && duct_cache_len(grouped.cache) == 5 && value_of(&grouped, 3) == '-');
	CHECK_STATUS(duct_cache_pop_last(grouped.cache, &reading), DUCT_OK);
	CHECK(reading.id == 6 && goes_through(&grouped, "1z2c4e5f"));
	CHECK_STATUS(duct_cache_pop(grouped.cache, &(int){ 2 }, sizeof(int), NULL), DUCT_OK);
	CHECK_STATUS(duct_cache_pop_last(grouped.cache, NULL), DUCT_OK);
	CHECK(goes_through(&grouped, "1z4e"));
	/* Seen again it is new. */
	put(&grouped, 2, 'y');
	put(&grouped, 1, 'x');
	CHECK(goes_through(&grouped, "1x4e2y"));
	CHECK_STATUS(duct_cache_clear(grouped.cache), DUCT_OK);
	CHECK(duct_cache_len(grouped.cache) == 0 && goes_through(&grouped, ""));
	CHECK_STATUS(duct_cache_pop_last(grouped.cache, &reading), DUCT_EMPTY);
	CHECK_STATUS(duct_cache_pop_last(grouped.cache, NULL), DUCT_EMPTY);
	CHECK_STATUS(duct_cache_clear(grouped.cache), DUCT_OK);
	put(&grouped, 8, 'w');
	CHECK(goes_through(&grouped, "8w"));
	grouped_free(&grouped);
}

/* What was queued when it is cleared is cleared too: each call first takes what the receiver has. */
TEST(cache, takes_first_what_is_there, 5)
{
	struct grouped grouped = grouped_new(9);
	struct reading reading;

	put(&grouped, 1, 'a');
	CHECK_STATUS(duct_cache_clear(grouped.cache), DUCT_OK);
	CHECK(duct_cache_len(grouped.cache) == 0);
	put(&grouped, 2, 'b');
	CHECK_STATUS(duct_cache_pop_last(grouped.cache, &reading), DUCT_OK);
	CHECK(reading.id == 2);
	put(&grouped, 3, 'c');
	CHECK_STATUS(duct_cache_pop(grouped.cache, &(int){ 3 }, sizeof(int), &reading), DUCT_OK);
	CHECK(reading.value == 'c');
	put(&grouped, 4, 'd');
	CHECK(duct_cache_contains(grouped.cache, &(int){ 4 }, sizeof(int)));
	grouped_free(&grouped);
}

/* While one goes through it: a key that goes is not told of, one that comes is, and none twice. */
TEST(cache, may_change_while_one_goes_through_it, 5)
{
	struct grouped grouped = grouped_new(9);
	struct reading reading;
	uint64_t cursor = 0;

	for (int id = 1; id <= 4; id++)
		put(&grouped, id, 'a');
	CHECK_STATUS(duct_cache_next(grouped.cache, &cursor, &reading), DUCT_OK);
	CHECK(reading.id == 1);
	CHECK_STATUS(duct_cache_pop(grouped.cache, &(int){ 1 }, sizeof(int), NULL), DUCT_OK);
	CHECK_STATUS(duct_cache_pop(grouped.cache, &(int){ 3 }, sizeof(int), NULL), DUCT_OK);
	put(&grouped, 5, 'a');
	put(&grouped, 2, 'b');
	CHECK_STATUS(duct_cache_next(grouped.cache, &cursor, &reading), DUCT_OK);
	CHECK(reading.id == 2 && reading.value == 'b');
	CHECK_STATUS(duct_cache_next(grouped.cache, &cursor, &reading), DUCT_OK);
	CHECK(reading.id == 4);
	put(&grouped, 2, 'c');
	CHECK_STATUS(duct_cache_next(grouped.cache, &cursor, &reading), DUCT_OK);
	CHECK(reading.id == 5);
	CHECK_STATUS(duct_cache_next(grouped.cache, &cursor, &reading), DUCT_EMPTY);
	put(&grouped, 6, 'a');
	CHECK_STATUS(duct_cache_next(grouped.cache, &cursor, &reading), DUCT_OK);
	CHECK(reading.id == 6);
	grouped_free(&grouped);
}

/* A snapshot has as many as there is room for, and tells how many there are. */
TEST(cache, gives_a_snapshot, 5)
{
	struct grouped grouped = grouped_new(9);
	struct reading readings[5] = { { 0, '?' }, { 0, '?' }, { 0, '?' }, { 0, '?' }, { 0, '?' } };
	size_t count = 77;

	CHECK_STATUS(duct_cache_snapshot(grouped.cache, readings, 5, &count), DUCT_OK);
	CHECK(count == 0 && readings[0].value == '?');
	for (int id = 1; id <= 4; id++)
		put(&grouped, id, (char)('a' + id));
	CHECK_STATUS(duct_cache_snapshot(grouped.cache, readings, 2, &count), DUCT_OK);
	CHECK(count == 4 && readings[0].id == 1 && readings[1].id == 2 && readings[2].value == '?');
	CHECK_STATUS(duct_cache_snapshot(grouped.cache, NULL, 0, &count), DUCT_OK);
	CHECK(count == 4);
	CHECK_STATUS(duct_cache_snapshot(grouped.cache, readings, 5, &count), DUCT_OK);
	CHECK(count == 4 && readings[3].id == 4 && readings[3].value == 'e' && readings[4].value == '?');
	grouped_free(&grouped);
}

/* Ten thousand keys, half of them taken out again, in between those that stay. */
TEST(cache, grows_with_its_keys, 10)
{
	struct grouped grouped = grouped_new(100);
	uint64_t cursor = 0;
	struct reading reading;

	for (int id = 0; id < 10000; id++) {
		put(&grouped, id, (char)(id % 26 + 'a'));
		if (id % 100 == 99)
			CHECK(duct_cache_len(grouped.cache) == (size_t)id + 1);
	}
	for (int id = 0; id < 10000; id += 2)
		CHECK_STATUS(duct_cache_pop(grouped.cache, &id, sizeof id, NULL), DUCT_OK);
	CHECK(duct_cache_len(grouped.cache) == 5000);
	for (int id = 0; id < 10000; id++)
		CHECK(value_of(&grouped, id) == (id % 2 ? (char)(id % 26 + 'a') : '-'));
	for (int id = 1; id < 10000; id += 2) {
		CHECK_STATUS(duct_cache_next(grouped.cache, &cursor, &reading), DUCT_OK);
		CHECK(reading.id == id);
	}
	CHECK_STATUS(duct_cache_next(grouped.cache, &cursor, &reading), DUCT_EMPTY);
	grouped_free(&grouped);
}

static int held_off;

/* The hook for a key runs with cancellation held off, as all hooks do: else a canceled thread would keep the lock. */
static const void *watchful_key(const void *message, size_t *size, void *context)
{
	int state, old;

	(void)context;
	CHECK(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state) == 0);
	CHECK(pthread_setcancelstate(state, &old) == 0);
	held_off += state == PTHREAD_CANCEL_DISABLE;
	*size = sizeof(int);
	return message;
}

TEST(cache, asks_for_keys_with_cancellation_held_off, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_cache *cache;
	int key = 1, message, state;

	CHECK_STATUS(duct_cache_new(&cache, crowd_join(&crowd, DUCT_DROP_OLDEST, 3), watchful_key, NULL), DUCT_OK);
	held_off = 0;
	CHECK(sends(crowd.tx, 1, 1));
	CHECK_STATUS(duct_cache_get(cache, &key, sizeof key, &message), DUCT_OK);
	CHECK(message == 1 && held_off > 0);
	CHECK(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state) == 0 && state == PTHREAD_CANCEL_ENABLE);
	duct_cache_free(cache);
	crowd_free(&crowd);
}

static const void *word_of(const void *message, size_t *size, void *context)
{
	const char *word;

	CHECK(context == NULL);
	memcpy(&word, message, sizeof word);
	*size = strlen(word);
	return *size == 0 ? NULL : word;
}

/* Keys are bytes of any length, of what the message points to as well: "a", "ab" and "" are three. */
TEST(cache, has_keys_of_any_length, 5)
{
	static const char *const words[] = { "a", "ab", "", "b", "a\1", "a" };
	duct_sender *tx;
	duct_receiver *rx;
	duct_cache *cache;
	const char *word = NULL;

	CHECK_STATUS(duct_broadcast_open(&tx, &rx, sizeof word, NULL, NULL), DUCT_OK);
	CHECK_STATUS(duct_cache_new(&cache, rx, word_of, NULL), DUCT_OK);
	for (size_t w = 0; w < ARRAY_LEN(words); w++)
		CHECK_STATUS(duct_send(tx, &words[w]), DUCT_OK);
	CHECK(duct_cache_len(cache) == 5);
	CHECK_STATUS(duct_cache_get(cache, NULL, 0, &word), DUCT_OK);
	CHECK(strcmp(word, "") == 0 && duct_cache_contains(cache, "abc", 2) && !duct_cache_contains(cache, "abc", 3));
	CHECK_STATUS(duct_cache_get(cache, "a", 1, &word), DUCT_OK);
	CHECK(word == words[5]);
	CHECK_STATUS(duct_cache_pop(cache, "a", 1, &word), DUCT_OK);
	CHECK(duct_cache_len(cache) == 4 && !duct_cache_contains(cache, "a", 1) && duct_cache_contains(cache, "ab", 2));
	duct_cache_free(cache);
	duct_sender_free(tx);
}

/* Losses that the receiver would be told of do not stand in the way; an anycast receiver serves as well. */
TEST(cache, is_of_any_receiver, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 4);
	struct crowd crowd = crowd_new(NULL);
	duct_cache *cache, *lagging;
	int message;

	CHECK_STATUS(duct_cache_new(&cache, pair.rx, id_of, NULL), DUCT_OK);
	CHECK_STATUS(
	    duct_cache_new(&lagging, crowd_join_as(&crowd, DUCT_SUBSCRIPTION(.capacity = 2, .tell_lag = true)), id_of, NULL),
	    DUCT_OK);
	CHECK(sends(pair.tx, 1, 4) && duct_cache_len(cache) == 4 && duct_channel_len(pair.channel) == 0);
	CHECK(sends(crowd.tx, 1, 4) && duct_cache_len(lagging) == 2);
	CHECK_STATUS(duct_cache_get(lagging, &(int){ 3 }, sizeof(int), &message), DUCT_OK);
	duct_cache_free(cache);
	pair.rx = NULL;
	duct_cache_free(lagging);
	test_pair_free(&pair);
	crowd_free(&crowd);
}

/* What can never work is refused, and the receiver stays the caller's. */
TEST(cache, refuses_what_can_never_work, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 5);
	duct_cache *cache = NULL;
	int message = 5, key = 1;
	uint64_t cursor = 0;
	size_t count = 77;

	CHECK_STATUS(duct_cache_new(NULL, rx, id_of, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_cache_new(&cache, NULL, id_of, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_cache_new(&cache, rx, NULL, NULL), DUCT_INVALID);
	CHECK(cache == NULL && sends(crowd.tx, 1, 2) && reads(rx, 1, 1));
	CHECK_STATUS(duct_cache_new(&cache, rx, id_of, NULL), DUCT_OK);
	CHECK_STATUS(duct_cache_get(NULL, &key, sizeof key, &message), DUCT_INVALID);
	CHECK_STATUS(duct_cache_get(cache, NULL, sizeof key, &message), DUCT_INVALID);
	CHECK_STATUS(duct_cache_get(cache, &key, sizeof key, NULL), DUCT_INVALID);
	CHECK(
	    !duct_cache_contains(NULL, &key, sizeof key) && !duct_cache_contains(cache, NULL, 4) && duct_cache_len(NULL) == 0);
	CHECK_STATUS(duct_cache_pop(NULL, &key, sizeof key, &message), DUCT_INVALID);
	CHECK_STATUS(duct_cache_pop(cache, NULL, sizeof key, &message), DUCT_INVALID);
	CHECK_STATUS(duct_cache_pop_last(NULL, &message), DUCT_INVALID);
	CHECK_STATUS(duct_cache_clear(NULL), DUCT_INVALID);
	CHECK_STATUS(duct_cache_next(NULL, &cursor, &message), DUCT_INVALID);
	CHECK_STATUS(duct_cache_next(cache, NULL, &message), DUCT_INVALID);
	CHECK_STATUS(duct_cache_next(cache, &cursor, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_cache_snapshot(NULL, &message, 1, &count), DUCT_INVALID);
	CHECK_STATUS(duct_cache_snapshot(cache, NULL, 1, &count), DUCT_INVALID);
	CHECK_STATUS(duct_cache_snapshot(cache, &message, 1, NULL), DUCT_INVALID);
	CHECK(message == 5 && count == 77 && cursor == 0);
	CHECK_STATUS(duct_cache_next(cache, &cursor, &message), DUCT_OK);
	CHECK(message == 2);
	duct_cache_free(cache);
	duct_cache_free(NULL);
	CHECK(duct_channel_receivers(crowd.channel) == 0);
	crowd_free(&crowd);
}

/* The next one that the cursor tells of, as a copy that ends here. */
static duct_status next_ends(duct_cache *cache, uint64_t *cursor, int *number)
{
	struct instance in = { -1, -1 };
	duct_status status = duct_cache_next(cache, cursor, &in);

	if (status == DUCT_OK)
		instance_end(&in);
	*number = in.number;
	return status;
}

/* What is looked at is a copy, what is taken out the message itself, what is displaced or left over is dropped. */
TEST(cache, copies_and_drops_through_the_hooks, 5)
{
	struct crowd crowd = counted_crowd(&counted);
	duct_receiver *rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 9);
	duct_cache *cache;
	struct instance in[3] = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
	int key = 2, number;
	uint64_t cursor = 0;
	size_t count = 77;

	CHECK_STATUS(duct_cache_new(&cache, rx, id_of, NULL), DUCT_OK);
	for (int n = 0; n < 9; n++)
		CHECK_STATUS(instance_send(crowd.tx, n % 3), DUCT_OK);
	CHECK(duct_cache_len(cache) == 3 && instances_alive() == 3);
	CHECK_STATUS(duct_cache_get(cache, &key, sizeof key, &in[0]), DUCT_OK);
	CHECK(in[0].number == 2 && atomic_load(&instances.copied) == 1);
	instance_end(&in[0]);
	CHECK_STATUS(next_ends(cache, &cursor, &number), DUCT_OK);
	CHECK(number == 0 && atomic_load(&instances.copied) == 2);
	CHECK_STATUS(duct_cache_snapshot(cache, in, 3, &count), DUCT_OK);
	CHECK(count == 3 && instances_alive() == 6);
	for (int n = 0; n < 3; n++)
		instance_end(&in[n]);
	for (int failing = 1; failing <= 3; failing++) {
		count = 77;
		atomic_store(&instances.fail_in, failing);
		CHECK_STATUS(duct_cache_snapshot(cache, in, 3, &count), DUCT_NOMEM);
		CHECK(count == 77 && instances_alive() == 3);
	}
	atomic_store(&instances.fail_in, 1);
	CHECK_STATUS(duct_cache_get(cache, &key, sizeof key, &in[0]), DUCT_NOMEM);
	atomic_store(&instances.fail_in, 1);
	CHECK_STATUS(next_ends(cache, &cursor, &number), DUCT_NOMEM);
	CHECK_STATUS(next_ends(cache, &cursor, &number), DUCT_OK);
	CHECK(number == 1);
	atomic_store(&instances.fail_in, 1);
	CHECK_STATUS(duct_cache_pop(cache, &key, sizeof key, &in[0]), DUCT_OK);
	CHECK(in[0].number == 2 && atomic_exchange(&instances.fail_in, 0) == 1);
	instance_end(&in[0]);
	CHECK_STATUS(duct_cache_pop_last(cache, NULL), DUCT_OK);
	CHECK(instances_alive() == 1 && duct_cache_len(cache) == 1);
	CHECK_STATUS(instance_send(crowd.tx, 5), DUCT_OK);
	duct_cache_free(cache);
	CHECK(instances_alive() == 0);
	crowd_free(&crowd);
}

/* Messages of nothing are there or not; NULL is their memory. */
TEST(cache, is_of_messages_of_no_size_too, 5)
{
	duct_channel *channel;
	duct_sender *tx;
	duct_receiver *rx;
	duct_latest *latest;
	duct_peekable *peekable;

	CHECK_STATUS(duct_broadcast_new(&channel, 0, NULL), DUCT_OK);
	CHECK_STATUS(duct_sender_new(channel, &tx), DUCT_OK);
	CHECK_STATUS(duct_receiver_new(channel, &rx), DUCT_OK);
	CHECK_STATUS(duct_latest_new(&latest, rx), DUCT_OK);
	CHECK_STATUS(duct_peekable_new(channel, &peekable), DUCT_OK);
	CHECK_STATUS(duct_latest_get(latest, NULL), DUCT_EMPTY);
	CHECK_STATUS(duct_peek(peekable, NULL), DUCT_EMPTY);
	CHECK_STATUS(duct_send(tx, NULL), DUCT_OK);
	CHECK_STATUS(duct_latest_get(latest, NULL), DUCT_OK);
	CHECK_STATUS(duct_peek(peekable, NULL), DUCT_OK);
	duct_latest_free(latest);
	duct_peekable_free(peekable);
	duct_sender_free(tx);
	duct_channel_free(channel);
}

static struct {
	struct crowd crowd;
	duct_cache *cache;
	int action; /* 0: none any more */
} interference;

static int interfering_copy(void *to, const void *from, void *context)
{
	struct instance popped = { -1, -1 };
	int action = interference.action, key = 3;

	interference.action = 0;
	if (action == 1) {
		CHECK_STATUS(duct_cache_pop(interference.cache, &key, sizeof key, &popped), DUCT_OK);
		CHECK(popped.number == 3);
		instance_end(&popped);
	} else if (action == 2) {
		CHECK_STATUS(instance_send(interference.crowd.tx, 3), DUCT_OK);
		CHECK(duct_cache_len(interference.cache) == 1);
	} else if (action == 3) {
		CHECK_STATUS(duct_cache_clear(interference.cache), DUCT_OK);
	}
	return instance_copy(to, from, context);
}

/* Whatever happens to an entry while it is copied, the copy is whole, and each instance ends once. */
TEST(cache, may_change_while_a_message_is_copied, 5)
{
	interference.crowd = counted_crowd(DUCT_OPTIONS(.copy = interfering_copy, .drop = instance_drop));
	CHECK_STATUS(
	    duct_cache_new(&interference.cache, crowd_join(&interference.crowd, DUCT_DROP_OLDEST, 4), id_of, NULL), DUCT_OK);
	for (int action = 1; action <= 3; action++) {
		struct instance in = { -1, -1 };
		int key = 3;

		CHECK_STATUS(instance_send(interference.crowd.tx, 3), DUCT_OK);
		interference.action = action;
		CHECK_STATUS(duct_cache_get(interference.cache, &key, sizeof key, &in), DUCT_OK);
		CHECK(in.number == 3 && duct_cache_len(interference.cache) == (action == 2));
		instance_end(&in);
		CHECK(instances_alive() == (action == 2));
	}
	duct_cache_free(interference.cache);
	crowd_free(&interference.crowd);
	CHECK(instances_alive() == 0);
}

struct shared {
	struct crowd crowd;
	duct_cache *cache;
	atomic_bool done;
	atomic_uint seed;
};

static void *use_the_cache(void *argument)
{
	struct shared *shared = argument;
	uint32_t seed = atomic_fetch_add(&shared->seed, 1);

	while (!atomic_load(&shared->done)) {
		struct instance in = { -1, -1 };
		int key = (int)(test_random(&seed) % 16);
		uint64_t cursor = 0;
		duct_status status;

		switch (test_random(&seed) % 4) {
		case 0:
			status = duct_cache_pop(shared->cache, &key, sizeof key, &in);
			break;
		case 1:
			status = duct_cache_next(shared->cache, &cursor, &in);
			break;
		case 2:
			status = duct_cache_pop_last(shared->cache, &in);
			break;
		default:
			status = duct_cache_get(shared->cache, &key, sizeof key, &in);
		}
		CHECK(status == DUCT_OK || status == DUCT_EMPTY);
		if (status == DUCT_OK)
			instance_end(&in);
	}
	return NULL;
}

/* Threads that look and take at once, while messages come: each instance ends once. */
TEST(cache, is_shared_by_threads, 20)
{
	static struct shared shared = { .seed = 1 };
	pthread_t threads[2];

	shared.crowd = counted_crowd(&counted);
	CHECK_STATUS(duct_cache_new(&shared.cache, crowd_join(&shared.crowd, DUCT_DROP_OLDEST, 4), id_of, NULL), DUCT_OK);
	threads[0] = test_start(use_the_cache, &shared);
	threads[1] = test_start(use_the_cache, &shared);
	while (atomic_load(&instances.made) < INSTANCES / 4)
		CHECK_STATUS(instance_send(shared.crowd.tx, atomic_load(&instances.made) % 16), DUCT_OK);
	atomic_store(&shared.done, true);
	test_join(threads[0]);
	test_join(threads[1]);
	duct_cache_free(shared.cache);
	crowd_free(&shared.crowd);
	CHECK(instances_alive() == 0);
}
