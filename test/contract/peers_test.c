/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Mistakes that other channel and queue libraries in C and C++ have made, each as a test that such a library fails: wake-ups
 * swallowed by a waiter that gives up, a close that forgets one side, a select that spins or looks before it leaps, deadlines
 * that carry wrongly, leftovers that leak, capacities that are not what was asked for.
 */
#include "harness.h"

#include <errno.h>
#include <stdatomic.h>

#define SECOND INT64_C(1000000000)

/* ---- Half a close ----------------------------------------------------------------------------------------------------- */

/* A close releases every sender that waits; each keeps its message, and what was queued is still received in order. */
static void check_close_releases_senders(size_t capacity)
{
	struct test_pair a = test_pair_new(sizeof(int), capacity);
	struct test_call senders[3];
	int in = -1;

	for (int i = 0; i < (int)capacity; i++)
		CHECK_STATUS(duct_send(a.tx, &i), DUCT_OK);
	for (int k = 0; k < 3; k++)
		test_send_start(&senders[k], a.tx, 100 + k);
	AWAIT(duct_channel_waiting_senders(a.channel) == 3);
	duct_channel_close(a.channel, 0);
	for (int k = 0; k < 3; k++) {
		CHECK_STATUS(test_call_end(&senders[k]), DUCT_CLOSED);
		CHECK(senders[k].message == 100 + k);
	}
	for (int i = 0; i < (int)capacity; i++) {
		CHECK_STATUS(duct_recv(a.rx, &in), DUCT_OK);
		CHECK(in == i);
	}
	in = -1;
	CHECK_STATUS(duct_recv(a.rx, &in), DUCT_CLOSED);
	CHECK(in == -1 && test_pair_is_quiet(&a));
	test_pair_free(&a);
}

TEST(peers_close, releases_senders_of_a_rendezvous, 10)
{
	check_close_releases_senders(0);
}

TEST(peers_close, releases_senders_of_a_full_buffer, 10)
{
	check_close_releases_senders(1);
	check_close_releases_senders(5);
}

/* A close releases every receiver that waits. */
TEST(peers_close, releases_receivers, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 2);
	struct test_call receivers[3];

	for (int k = 0; k < 3; k++)
		test_recv_start(&receivers[k], a.rx);
	AWAIT(duct_channel_waiting_receivers(a.channel) == 3);
	duct_channel_close(a.channel, 0);
	for (int k = 0; k < 3; k++) {
		CHECK_STATUS(test_call_end(&receivers[k]), DUCT_CLOSED);
		CHECK(receivers[k].message == -1);
	}
	test_pair_free(&a);
}

/* After the end every further receive answers too, and a second close is no error and changes nothing. */
TEST(peers_close, answers_again_and_again, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 3);
	int in;

	for (int i = 0; i < 3; i++)
		CHECK_STATUS(duct_send(a.tx, &i), DUCT_OK);
	duct_channel_close(a.channel, 4);
	duct_channel_close(a.channel, 5);
	CHECK(duct_channel_reason(a.channel) == 4);
	for (int i = 0; i < 3; i++) {
		CHECK_STATUS(duct_recv(a.rx, &in), DUCT_OK);
		CHECK(in == i);
	}
	for (int i = 0; i < 5; i++) {
		CHECK_STATUS(duct_recv(a.rx, &in), DUCT_CLOSED);
		CHECK_STATUS(duct_try_recv(a.rx, &in), DUCT_CLOSED);
		CHECK_STATUS(duct_send(a.tx, &in), DUCT_CLOSED);
		duct_channel_close(a.channel, 6);
	}
	test_pair_free(&a);
}

/* ---- A waiter that gives up ------------------------------------------------------------------------------------------- */

#define PUTS 10000

struct giving_up {
	struct test_pair pair;
	atomic_int timed_round, timed_done, patient_round, patient_done;
	duct_status timed_status;
	int timed_got, patient_got;
	int64_t patience;
};

static void *wait_impatiently(void *argument)
{
	struct giving_up *g = argument;

	for (int round = 1; round <= PUTS; round++) {
		while (atomic_load(&g->timed_round) != round)
			sched_yield();
		g->timed_got = -1;
		g->timed_status = duct_recv_until(g->pair.rx, &g->timed_got, duct_after_ns(g->patience), NULL);
		atomic_store(&g->timed_done, round);
	}
	return NULL;
}

static void *wait_patiently(void *argument)
{
	struct giving_up *g = argument;

	for (int round = 1; round <= PUTS; round++) {
		while (atomic_load(&g->patient_round) != round)
			sched_yield();
		CHECK_STATUS(duct_recv(g->pair.rx, &g->patient_got), DUCT_OK);
		atomic_store(&g->patient_done, round);
	}
	return NULL;
}

/*
 * A receiver about to give up stands in line ahead of one that does not.  Each put comes when the first may just be leaving:
 * whoever of the two gets it, it never lies there beside a sleeper.  A swallowed wake-up leaves the second asleep for ever.
 */
TEST(peers_waiter_that_gives_up, swallows_no_wake_up, 60)
{
	struct giving_up g = { .pair = test_pair_new(sizeof(int), 4) };
	pthread_t timed = test_start(wait_impatiently, &g), patient = test_start(wait_patiently, &g);
	uint32_t random = 7;
	int late = 0;

	for (int round = 1; round <= PUTS; round++) {
		duct_time put_at;

		g.patience = test_random(&random) % 20000;
		put_at = duct_after_ns(g.patience + test_random(&random) % 10000 - 5000);
		atomic_store(&g.timed_round, round);
		atomic_store(&g.patient_round, round);
		/* Now and then surely after it has given up. */
		while (duct_now() < put_at || (round % 8 == 0 && atomic_load(&g.timed_done) != round))
			sched_yield();
		CHECK_STATUS(duct_try_send(g.pair.tx, &round), DUCT_OK);
		while (atomic_load(&g.timed_done) != round)
			sched_yield();
		if (g.timed_status == DUCT_OK) {
			/* Either got the first; the other gets this one. */
			CHECK_STATUS(duct_try_send(g.pair.tx, &round), DUCT_OK);
			CHECK(g.timed_got == round);
		} else {
			CHECK_STATUS(g.timed_status, DUCT_TIMEDOUT);
			CHECK(g.timed_got == -1);
			late++;
		}
		while (atomic_load(&g.patient_done) != round)
			sched_yield();
		CHECK(g.patient_got == round && duct_channel_len(g.pair.channel) == 0);
	}
	test_join(timed);
	test_join(patient);
	CHECK(late >= PUTS / 8 && late < PUTS);
	CHECK(test_pair_is_quiet(&g.pair));
	test_pair_free(&g.pair);
}

struct crowd {
	struct test_pair pair;
	atomic_int received;
};

static void *crowd_patient(void *argument)
{
	struct crowd *crowd = argument;
	int in;

	while (duct_recv(crowd->pair.rx, &in) == DUCT_OK)
		atomic_fetch_add(&crowd->received, 1);
	return NULL;
}

static void *crowd_impatient(void *argument)
{
	struct crowd *crowd = argument;
	uint32_t random = 99;
	duct_status status;
	int in;

	do {
		status = duct_recv_until(crowd->pair.rx, &in, duct_after_ns(test_random(&random) % 20000), NULL);
		if (status == DUCT_OK)
			atomic_fetch_add(&crowd->received, 1);
	} while (status != DUCT_CLOSED);
	return NULL;
}

/* Blocking and timed receivers in one crowd: 10,000 puts, each taken, and nobody asleep at the end but for want of one. */
TEST(peers_waiter_that_gives_up, in_a_crowd_loses_nothing, 60)
{
	struct crowd crowd = { .pair = test_pair_new(sizeof(int), 8) };
	pthread_t threads[4];

	for (int k = 0; k < 4; k++)
		threads[k] = test_start(k < 2 ? crowd_patient : crowd_impatient, &crowd);
	for (int i = 0; i < PUTS; i++)
		CHECK_STATUS(duct_send(crowd.pair.tx, &i), DUCT_OK);
	AWAIT(crowd.received == PUTS);
	duct_channel_close(crowd.pair.channel, 0);
	for (int k = 0; k < 4; k++)
		test_join(threads[k]);
	CHECK(crowd.received == PUTS && test_pair_is_quiet(&crowd.pair));
	test_pair_free(&crowd.pair);
}

/* ---- One condition variable for all ----------------------------------------------------------------------------------- */

#define WRITER_MESSAGES 5000

static void *write_many(void *argument)
{
	struct crowd *crowd = argument;

	for (int i = 0; i < WRITER_MESSAGES; i++)
		CHECK_STATUS(duct_send(crowd->pair.tx, &i), DUCT_OK);
	return NULL;
}

/* Four writers and four readers at capacity 1, and at 0: none sleeps for ever on the other side's wake-up. */
static void check_4_by_4(size_t capacity)
{
	struct crowd crowd = { .pair = test_pair_new(sizeof(int), capacity) };
	pthread_t writers[4], readers[4];

	for (int k = 0; k < 4; k++) {
		writers[k] = test_start(write_many, &crowd);
		readers[k] = test_start(crowd_patient, &crowd);
	}
	for (int k = 0; k < 4; k++)
		test_join(writers[k]);
	duct_channel_close(crowd.pair.channel, 0);
	for (int k = 0; k < 4; k++)
		test_join(readers[k]);
	CHECK(crowd.received == 4 * WRITER_MESSAGES && test_pair_is_quiet(&crowd.pair));
	test_pair_free(&crowd.pair);
}

TEST(peers_4_writers_4_readers, at_capacity_1, 60)
{
	check_4_by_4(1);
}

TEST(peers_4_writers_4_readers, at_capacity_0, 60)
{
	check_4_by_4(0);
}

/* ---- Select ----------------------------------------------------------------------------------------------------------- */

/* One channel listed twice, as two receives and in both directions: the deadline is kept and the wait costs no CPU. */
TEST(peers_select_duplicates, sleep_until_the_deadline, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 0);
	int in, out = 1;
	duct_case twice[2] = { DUCT_RECV(a.rx, &in), DUCT_RECV(a.rx, &in) };
	duct_case both[2] = { DUCT_RECV(a.rx, &in), DUCT_SEND(a.tx, &out) };
	int64_t cpu = test_cpu_time();
	duct_time deadline = duct_after_ms(100);
	size_t chosen;

	CHECK_STATUS(duct_select_until(twice, 2, &chosen, DUCT_FAIR, deadline, NULL), DUCT_TIMEDOUT);
	CHECK(duct_now() >= deadline);
	deadline = duct_after_ms(100);
	CHECK_STATUS(duct_select_until(both, 2, &chosen, DUCT_FAIR, deadline, NULL), DUCT_TIMEDOUT);
	CHECK(duct_now() >= deadline);
	CHECK(test_cpu_time() - cpu < 40 * 1000000);
	test_pair_free(&a);
}

/* One that found select looking and then acting had to send so long; a sender against a select.  There 1,000,000. */
#define SELECT_MESSAGES 20000

static void *send_alternately(void *argument)
{
	struct test_pair *pairs = argument;

	for (int i = 0; i < SELECT_MESSAGES; i++)
		CHECK_STATUS(duct_send(pairs[i % 2].tx, &i), DUCT_OK);
	return NULL;
}

static void check_select_misses_nothing(size_t one, size_t other)
{
	struct test_pair pairs[2] = { test_pair_new(sizeof(int), one), test_pair_new(sizeof(int), other) };
	int in, next[2] = { 0, 1 };
	duct_case cases[2] = { DUCT_RECV(pairs[0].rx, &in), DUCT_RECV(pairs[1].rx, &in) };
	pthread_t thread = test_start(send_alternately, pairs);

	for (int i = 0; i < SELECT_MESSAGES; i++) {
		size_t chosen;

		CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
		CHECK(in == next[chosen]);
		next[chosen] += 2;
	}
	test_join(thread);
	test_pair_free(&pairs[0]);
	test_pair_free(&pairs[1]);
}

TEST(peers_select, misses_no_rendezvous, 60)
{
	check_select_misses_nothing(0, 0);
}

TEST(peers_select, misses_no_buffered_message, 60)
{
	check_select_misses_nothing(1, 3);
}

/* A library that seeds the process's own generator spoils the program's numbers. */
TEST(peers_select, leaves_rand_alone, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 4);
	int in, out = 1, numbers[8];
	duct_case cases[2] = { DUCT_RECV(a.rx, &in), DUCT_SEND(a.tx, &out) };
	size_t chosen;

	srand(42);
	for (int i = 0; i < 8; i++)
		numbers[i] = rand();
	srand(42);
	for (int i = 0; i < 8; i++) {
		CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
		CHECK(rand() == numbers[i]);
	}
	test_pair_free(&a);
}

/* ---- Time ------------------------------------------------------------------------------------------------------------- */

struct timed {
	duct_time deadline;
	pthread_t thread;
};

/* Each way to wait ends no sooner than the deadline, and not an age after it. */
static void *wait_until(void *argument)
{
	const struct timed *timed = argument;
	struct test_pair a = test_pair_new(sizeof(int), 0);
	int in, out = 1;
	duct_case cases[1] = { DUCT_RECV(a.rx, &in) };
	size_t chosen;

	CHECK_STATUS(duct_recv_until(a.rx, &in, timed->deadline, NULL), DUCT_TIMEDOUT);
	CHECK(duct_now() >= timed->deadline && duct_now() - timed->deadline < 60 * SECOND);
	CHECK_STATUS(duct_send_until(a.tx, &out, timed->deadline, NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_select_until(cases, 1, &chosen, DUCT_FAIR, timed->deadline, NULL), DUCT_TIMEDOUT);
	test_pair_free(&a);
	return NULL;
}

/* Waits of 0, 1 ns, just under and just one second, and to the edges of a second of the clock. */
TEST(peers_deadline, at_the_edges_of_a_second, 20)
{
	const duct_time now = duct_now(), next = (now / SECOND + 1) * SECOND;
	struct timed timed[] = { { now, 0 }, { now + 1, 0 }, { now + SECOND - 1, 0 }, { now + SECOND, 0 }, { next - 1, 0 },
		{ next, 0 }, { next + 1, 0 }, { next + 1000, 0 } };

	for (size_t k = 0; k < ARRAY_LEN(timed); k++)
		timed[k].thread = test_start(wait_until, &timed[k]);
	for (size_t k = 0; k < ARRAY_LEN(timed); k++)
		test_join(timed[k].thread);
}

/* What has passed is passed, what is too far to count is for ever, and a negative time is refused. */
TEST(peers_deadline, passed_far_and_wrong, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 1);
	int in = -1;

	CHECK_STATUS(duct_recv_until(a.rx, &in, 0, NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_recv_until(a.rx, &in, 1, NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_recv_until(a.rx, &in, duct_now() - SECOND, NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_recv_until(a.rx, &in, -1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_recv_until(a.rx, &in, INT64_MIN, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_recv_until(a.rx, &in, duct_after_ns(999999), NULL), DUCT_TIMEDOUT);
	CHECK(in == -1);
	CHECK(duct_after_s(INT64_MAX) == DUCT_FOREVER && duct_after_ms(INT64_MAX) == DUCT_FOREVER);
	CHECK(duct_after_ns(INT64_MAX) == DUCT_FOREVER);
	CHECK(duct_after_s(-1) <= duct_now() && duct_after_s(-1) > 0);
	test_pair_free(&a);
}

/* A wait for ever, and one for nearly ever, both sleep until the message comes. */
TEST(peers_deadline, far_away_is_slept_through, 10)
{
	static const duct_time far[] = { INT64_MAX, INT64_MAX - 1, INT64_MAX / 2 };

	for (size_t k = 0; k < ARRAY_LEN(far); k++) {
		struct test_pair a = test_pair_new(sizeof(int), 0);
		struct test_call sender;
		int in = -1;

		test_send_start(&sender, a.tx, 3);
		CHECK_STATUS(duct_recv_until(a.rx, &in, far[k], NULL), DUCT_OK);
		CHECK(in == 3);
		CHECK_STATUS(test_call_end(&sender), DUCT_OK);
		test_pair_free(&a);
	}
}

/* ---- Results ---------------------------------------------------------------------------------------------------------- */

/* Full, empty, late, cancelled, closed and deserted are six answers; none touches the message or errno. */
TEST(peers_results, can_be_told_apart, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 1);
	duct_cancel *cancel;
	int in = -1, out = 7;

	CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
	duct_cancel_raise(cancel);
	errno = 4711;
	CHECK_STATUS(duct_try_recv(a.rx, &in), DUCT_EMPTY);
	CHECK_STATUS(duct_recv_until(a.rx, &in, 0, NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_recv_until(a.rx, &in, duct_after_ms(1), NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_recv_until(a.rx, &in, DUCT_FOREVER, cancel), DUCT_CANCELED);
	CHECK_STATUS(duct_send(a.tx, &out), DUCT_OK);
	CHECK_STATUS(duct_try_send(a.tx, &out), DUCT_FULL);
	CHECK_STATUS(duct_send_until(a.tx, &out, 0, NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_send_until(a.tx, &out, DUCT_FOREVER, cancel), DUCT_CANCELED);
	duct_receiver_free(a.rx);
	CHECK_STATUS(duct_send(a.tx, &out), DUCT_NO_RECEIVERS);
	CHECK_STATUS(duct_receiver_new(a.channel, &a.rx), DUCT_OK);
	duct_channel_close(a.channel, 0);
	CHECK_STATUS(duct_send(a.tx, &out), DUCT_CLOSED);
	CHECK(in == -1 && out == 7 && errno == 4711);
	CHECK_STATUS(duct_recv(a.rx, &in), DUCT_OK);
	CHECK(in == 7);
	CHECK_STATUS(duct_recv(a.rx, &in), DUCT_CLOSED);
	CHECK(in == 7 && errno == 4711);
	duct_cancel_free(cancel);
	test_pair_free(&a);
}

/* A capacity is the number asked for, neither rounded nor less one. */
TEST(peers_capacity, is_exact, 10)
{
	static const size_t capacities[] = { 1, 2, 3, 5, 7, 8, 31, 32, 33, 63, 64, 65, 100, 1000 };

	for (size_t k = 0; k < ARRAY_LEN(capacities); k++) {
		struct test_pair a = test_pair_new(sizeof(int), capacities[k]);

		for (int round = 0; round < 3; round++) {
			int in;

			for (int i = 0; i < (int)capacities[k]; i++)
				CHECK_STATUS(duct_try_send(a.tx, &i), DUCT_OK);
			CHECK_STATUS(duct_try_send(a.tx, &(int){ 0 }), DUCT_FULL);
			for (int i = 0; i < (int)capacities[k]; i++) {
				CHECK_STATUS(duct_try_recv(a.rx, &in), DUCT_OK);
				CHECK(in == i);
			}
			/* Half a turn on, so that the next round wraps somewhere else. */
			CHECK_STATUS(duct_try_send(a.tx, &(int){ 0 }), DUCT_OK);
			CHECK_STATUS(duct_try_recv(a.rx, &in), DUCT_OK);
		}
		test_pair_free(&a);
	}
}

/* The end of the last producer ends the channel, a clone that goes before does not. */
TEST(peers_producers, end_the_channel_with_the_last, 10)
{
	duct_sender *tx, *clone;
	duct_receiver *rx;
	int in;

	CHECK_STATUS(duct_anycast_open(&tx, &rx, sizeof(int), 40, NULL), DUCT_OK);
	CHECK_STATUS(duct_sender_clone(tx, &clone), DUCT_OK);
	for (int i = 0; i < 40; i++)
		CHECK_STATUS(duct_send(i % 2 ? tx : clone, &i), DUCT_OK);
	duct_sender_free(tx);
	CHECK_STATUS(duct_recv(rx, &in), DUCT_OK);
	CHECK_STATUS(duct_send(clone, &in), DUCT_OK);
	duct_sender_free(clone);
	for (int i = 0; i < 40; i++)
		CHECK_STATUS(duct_recv(rx, &in), DUCT_OK);
	CHECK_STATUS(duct_recv(rx, &in), DUCT_CLOSED);
	duct_receiver_free(rx);
}

/* ---- Lifetime --------------------------------------------------------------------------------------------------------- */

static void *receive_and_free(void *argument)
{
	duct_receiver *rx = argument;
	int in;

	CHECK_STATUS(duct_recv(rx, &in), DUCT_OK);
	duct_receiver_free(rx);
	return NULL;
}

/* The receiver gives the last handle back while its sender may still be waking it: nothing is touched after the end. */
TEST(peers_last_release, while_the_sender_still_signals, 30)
{
	for (int i = 0; i < 2000; i++) {
		duct_sender *tx;
		duct_receiver *rx;
		pthread_t thread;

		CHECK_STATUS(duct_anycast_open(&tx, &rx, sizeof(int), (size_t)i % 2, NULL), DUCT_OK);
		thread = test_start(receive_and_free, rx);
		CHECK_STATUS(duct_send(tx, &i), DUCT_OK);
		duct_sender_free(tx);
		test_join(thread);
	}
}

struct hooked {
	struct test_pair other;
	long dropped;
};

/* A hook that uses the library: it forwards what it is given, looks around and frees a handle. */
static void drop_by_forwarding(void *message, void *context)
{
	struct hooked *hooked = context;
	duct_sender *clone;

	hooked->dropped++;
	CHECK_STATUS(duct_sender_clone(hooked->other.tx, &clone), DUCT_OK);
	CHECK_STATUS(duct_try_send(clone, message), DUCT_OK);
	duct_sender_free(clone);
	CHECK(duct_channel_len(hooked->other.channel) > 0);
}

/* What is left over reaches the hook, which may call the library, from a discard and from the last free. */
TEST(peers_hook, may_use_the_library, 10)
{
	struct hooked hooked = { .other = test_pair_new(sizeof(int), 100) };
	const duct_options *options = DUCT_OPTIONS(.drop = drop_by_forwarding, .context = &hooked);
	struct test_pair a = test_pair_with(sizeof(int), 10, options);
	size_t discarded;

	for (int i = 0; i < 10; i++)
		CHECK_STATUS(duct_send(a.tx, &i), DUCT_OK);
	CHECK_STATUS(duct_channel_discard(a.channel, &discarded), DUCT_OK);
	CHECK(discarded == 10 && hooked.dropped == 10);
	for (int i = 10; i < 17; i++)
		CHECK_STATUS(duct_send(a.tx, &i), DUCT_OK);
	duct_sender_free(a.tx);
	duct_receiver_free(a.rx);
	CHECK(hooked.dropped == 10);
	duct_channel_free(a.channel);
	CHECK(hooked.dropped == 17);
	for (int i = 0; i < 17; i++) {
		int in;

		CHECK_STATUS(duct_try_recv(hooked.other.rx, &in), DUCT_OK);
		CHECK(in == i);
	}
	test_pair_free(&hooked.other);
}

struct balance {
	duct_channel *channel;
	duct_sender *tx;
	duct_receiver *rx;
	atomic_long sent, received, dropped;
	_Atomic uint32_t seed;
};

static void balance_drop(void *message, void *context)
{
	struct balance *balance = context;

	(void)message;
	atomic_fetch_add(&balance->dropped, 1);
}

/* Sends, receives and discards at random, until the channel is closed. */
static void *balance_work(void *argument)
{
	struct balance *balance = argument;
	uint32_t random = atomic_fetch_add(&balance->seed, 12345) + 1;

	for (;;) {
		uint32_t what = test_random(&random) % 100;
		int batch[3] = { 1, 2, 3 };
		size_t count = 0;
		duct_status status;

		if (what < 45) {
			status = duct_send_until(balance->tx, batch, duct_after_ns(test_random(&random) % 10000), NULL);
			atomic_fetch_add(&balance->sent, status == DUCT_OK);
		} else if (what < 55) {
			status = duct_send_many(balance->tx, batch, 3, &count, duct_after_ns(5000), NULL);
			atomic_fetch_add(&balance->sent, (long)count);
		} else if (what < 90) {
			status = duct_recv_until(balance->rx, batch, duct_after_ns(test_random(&random) % 10000), NULL);
			atomic_fetch_add(&balance->received, status == DUCT_OK);
		} else if (what < 99) {
			status = duct_recv_many(balance->rx, batch, 2, 3, &count, duct_after_ns(5000), NULL);
			atomic_fetch_add(&balance->received, (long)count);
		} else {
			status = duct_channel_discard(balance->channel, NULL);
		}
		if (status == DUCT_CLOSED)
			return NULL;
		CHECK(status == DUCT_OK || status == DUCT_TIMEDOUT);
	}
}

/* Whatever happens, each message sent is received once or dropped once. */
TEST(peers_balance, of_sent_and_received_and_dropped, 60)
{
	static const size_t capacities[] = { 0, 1, 4 };

	for (size_t c = 0; c < ARRAY_LEN(capacities); c++) {
		struct balance balance = { .seed = 1 };
		const duct_options *options = DUCT_OPTIONS(.drop = balance_drop, .context = &balance);
		pthread_t threads[4];

		CHECK_STATUS(duct_anycast_new(&balance.channel, sizeof(int), capacities[c], options), DUCT_OK);
		CHECK_STATUS(duct_sender_new(balance.channel, &balance.tx), DUCT_OK);
		CHECK_STATUS(duct_receiver_new(balance.channel, &balance.rx), DUCT_OK);
		for (int k = 0; k < 4; k++)
			threads[k] = test_start(balance_work, &balance);
		AWAIT(balance.received >= 3000);
		duct_channel_close(balance.channel, 0);
		for (int k = 0; k < 4; k++)
			test_join(threads[k]);
		duct_sender_free(balance.tx);
		duct_receiver_free(balance.rx);
		duct_channel_free(balance.channel);
		CHECK(balance.sent == balance.received + balance.dropped);
	}
}
