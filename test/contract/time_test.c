/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Time: the clock and its arithmetic, deadlines at every edge, and that a wait that ran out of time had no effect.
 */
#include "harness.h"

#include <time.h>

static const size_t capacities[] = { 0, 1, 2, 3, 100 };

enum { SECOND = 1000000000 };

/* ---- The clock --------------------------------------------------------------------------------------------------------- */

/* Now is CLOCK_MONOTONIC in nanoseconds, and never goes back. */
TEST(now, is_the_monotonic_clock, 5)
{
	duct_time last = 0;

	for (int n = 0; n < 1000; n++) {
		struct timespec before, after;
		duct_time now;

		clock_gettime(CLOCK_MONOTONIC, &before);
		now = duct_now();
		clock_gettime(CLOCK_MONOTONIC, &after);
		CHECK(now >= (int64_t)before.tv_sec * SECOND + before.tv_nsec);
		CHECK(now <= (int64_t)after.tv_sec * SECOND + after.tv_nsec);
		CHECK(now >= last);
		last = now;
	}
}

/* A duration from now: in each unit, exact. */
TEST(after, adds_to_now, 5)
{
	duct_time before = duct_now();
	duct_time zero = duct_after_ns(0), ns = duct_after_ns(5), ms = duct_after_ms(5), s = duct_after_s(5);
	duct_time after = duct_now();

	CHECK(ns >= before + 5 && ns <= after + 5);
	CHECK(ms >= before + 5000000 && ms <= after + 5000000);
	CHECK(s >= before + 5 * (int64_t)SECOND && s <= after + 5 * (int64_t)SECOND);
	CHECK(zero >= before && zero <= after);
}

/* What is too far away is for ever, in each unit; what is negative counts as nothing. */
TEST(after, saturates_and_ignores_negative_durations, 5)
{
	duct_time before = duct_now();

	CHECK(duct_after_ns(INT64_MAX) == DUCT_FOREVER);
	CHECK(duct_after_ms(INT64_MAX) == DUCT_FOREVER);
	CHECK(duct_after_s(INT64_MAX) == DUCT_FOREVER);
	CHECK(duct_after_ns(INT64_MAX - 1) == DUCT_FOREVER);
	CHECK(duct_after_ms(INT64_MAX / 1000000) == DUCT_FOREVER);
	CHECK(duct_after_ms(INT64_MAX / 1000000 + 1) == DUCT_FOREVER);
	CHECK(duct_after_s(INT64_MAX / SECOND) == DUCT_FOREVER);
	CHECK(duct_after_s(INT64_MAX / SECOND + 1) == DUCT_FOREVER);
	CHECK(duct_after_s(INT64_MAX / SECOND / 2) < DUCT_FOREVER);
	CHECK(duct_after_ns(-1) >= before && duct_after_ns(-1) <= duct_now());
	CHECK(duct_after_ms(INT64_MIN) >= before && duct_after_ms(INT64_MIN) <= duct_now());
	CHECK(duct_after_s(INT64_MIN) >= before && duct_after_s(INT64_MIN) <= duct_now());
	CHECK(duct_after_ns(INT64_MIN) >= before && duct_after_ns(INT64_MIN) <= duct_now());
}

/* What remains until a deadline: nothing once it has passed, for ever for ever, and otherwise the difference. */
TEST(remaining, counts_down_to_zero, 5)
{
	duct_time deadline = duct_after_s(100);
	int64_t remaining = duct_remaining_ns(deadline);

	CHECK(remaining > 0 && remaining <= 100 * (int64_t)SECOND);
	CHECK(duct_remaining_ns(deadline) <= remaining);
	CHECK(duct_remaining_ns(0) == 0 && duct_remaining_ns(1) == 0);
	CHECK(duct_remaining_ns(duct_now()) == 0);
	CHECK(duct_remaining_ns(-5) == 0 && duct_remaining_ns(INT64_MIN) == 0);
	CHECK(duct_remaining_ns(DUCT_FOREVER) == DUCT_FOREVER);
	CHECK(duct_remaining_ns(DUCT_FOREVER - 1) < DUCT_FOREVER && duct_remaining_ns(DUCT_FOREVER - 1) > 0);
}

/* ---- Deadlines --------------------------------------------------------------------------------------------------------- */

/* A deadline that has passed, however long ago, ends a wait at once but not an operation that is ready. */
TEST(deadline, that_has_passed_is_one_attempt, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		const duct_time passed[] = { 0, 1, duct_now() - SECOND, duct_now() };

		for (size_t d = 0; d < ARRAY_LEN(passed); d++) {
			int message = -1;

			for (size_t n = 0; n <= capacities[i]; n++)
				CHECK_STATUS(duct_send_until(pair.tx, &(int){ 4 }, passed[d], NULL),
				    n < capacities[i] ? DUCT_OK : DUCT_TIMEDOUT);
			for (size_t n = 0; n <= capacities[i]; n++)
				CHECK_STATUS(duct_recv_until(pair.rx, &message, passed[d], NULL),
				    n < capacities[i] ? DUCT_OK : DUCT_TIMEDOUT);
			CHECK(message == (capacities[i] > 0 ? 4 : -1));
		}
		test_pair_free(&pair);
	}
}

/* Waits of a nanosecond, of microseconds and of milliseconds end after their deadline, never before. */
TEST(deadline, is_never_early, 5)
{
	static const int64_t durations[] = { 1, 100, 5000, 50000, 300000, 1000000, 5000000, 20000000 };

	for (size_t d = 0; d < ARRAY_LEN(durations); d++) {
		for (size_t i = 0; i < 2; i++) {
			struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
			duct_time deadline;
			int message = -1;

			deadline = duct_after_ns(durations[d]);
			CHECK_STATUS(duct_recv_until(pair.rx, &message, deadline, NULL), DUCT_TIMEDOUT);
			CHECK(duct_now() >= deadline);
			test_fill(pair.tx);
			deadline = duct_after_ns(durations[d]);
			CHECK_STATUS(duct_send_until(pair.tx, &message, deadline, NULL), DUCT_TIMEDOUT);
			CHECK(duct_now() >= deadline);
			test_pair_free(&pair);
		}
	}
}

/* Deadlines at the very turn of a second, and a nanosecond to each side of it, are met like any other. */
TEST(deadline, at_the_turn_of_a_second_is_met, 10)
{
	struct test_pair pair = test_pair_new(sizeof(int), 1);
	duct_time turn = (duct_after_ms(20) / SECOND + 1) * SECOND;
	struct test_call calls[3];

	for (int c = 0; c < 3; c++)
		test_call_start(&calls[c], RECV_UNTIL, &pair, -1, turn - 1 + c, NULL);
	for (int c = 0; c < 3; c++) {
		CHECK_STATUS(test_call_end(&calls[c]), DUCT_TIMEDOUT);
		CHECK(calls[c].ended >= turn - 1 + c);
	}
	test_pair_free(&pair);
}

/* The farthest deadlines, for ever and just short of it, wait for the message. */
TEST(deadline, far_away_waits, 5)
{
	static const duct_time deadlines[] = { DUCT_FOREVER, DUCT_FOREVER - 1, DUCT_FOREVER / 2, INT64_C(1) << 62 };

	for (size_t d = 0; d < ARRAY_LEN(deadlines); d++) {
		for (size_t i = 0; i < 2; i++) {
			struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
			struct test_call call;
			int message;

			test_call_start(&call, RECV_UNTIL, &pair, -1, deadlines[d], NULL);
			AWAIT(duct_channel_waiting_receivers(pair.channel) == 1);
			for (int moment = 0; moment < 5; moment++)
				test_pause();
			CHECK(duct_channel_waiting_receivers(pair.channel) == 1);
			CHECK_STATUS(duct_send(pair.tx, &(int){ 2 }), DUCT_OK);
			CHECK_STATUS(test_call_end(&call), DUCT_OK);
			CHECK(call.message == 2);
			test_fill(pair.tx);
			test_call_start(&call, SEND_UNTIL, &pair, 3, deadlines[d], NULL);
			AWAIT(duct_channel_waiting_senders(pair.channel) == 1);
			CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
			CHECK_STATUS(test_call_end(&call), DUCT_OK);
			test_pair_free(&pair);
		}
	}
}

/* Every call with a deadline refuses a negative one. */
TEST(deadline, that_is_negative_is_invalid, 5)
{
	static const duct_time negative[] = { -1, INT64_MIN };

	for (size_t d = 0; d < ARRAY_LEN(negative); d++) {
		struct test_pair pair = test_pair_new(sizeof(int), 1);
		duct_cancel *cancel = NULL;
		int message = -1;
		duct_case cases[] = { DUCT_RECV(pair.rx, &message) };
		size_t moved = 0;

		CHECK_STATUS(duct_send_until(pair.tx, &message, negative[d], NULL), DUCT_INVALID);
		CHECK_STATUS(duct_send_many(pair.tx, &message, 1, &moved, negative[d], NULL), DUCT_INVALID);
		CHECK_STATUS(duct_sender_wait(pair.tx, negative[d], NULL), DUCT_INVALID);
		CHECK(moved == 0 && duct_channel_len(pair.channel) == 0);
		CHECK_STATUS(duct_send(pair.tx, &(int){ 1 }), DUCT_OK);
		CHECK_STATUS(duct_recv_until(pair.rx, &message, negative[d], NULL), DUCT_INVALID);
		CHECK_STATUS(duct_recv_many(pair.rx, &message, 1, 1, &moved, negative[d], NULL), DUCT_INVALID);
		CHECK_STATUS(duct_receiver_wait(pair.rx, negative[d], NULL), DUCT_INVALID);
		CHECK_STATUS(duct_select_until(cases, 1, &moved, DUCT_FAIR, negative[d], NULL), DUCT_INVALID);
		CHECK_STATUS(duct_cancel_new(&cancel, NULL, negative[d]), DUCT_INVALID);
		CHECK(message == -1 && moved == 0 && cancel == NULL && duct_channel_len(pair.channel) == 1);
		test_pair_free(&pair);
	}
}

/* ---- Out of time ------------------------------------------------------------------------------------------------------- */

/* A receive runs out of time, a later one gets its message, one after the close reads closed rather than out of time. */
TEST(recv_until, tells_out_of_time_from_closed, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		struct test_call call;
		int message = -1;

		CHECK_STATUS(duct_recv_until(pair.rx, &message, duct_after_ms(2), NULL), DUCT_TIMEDOUT);
		CHECK(message == -1);
		test_call_start(&call, RECV_UNTIL, &pair, -1, duct_after_s(100), NULL);
		CHECK_STATUS(duct_send(pair.tx, &(int){ 7 }), DUCT_OK);
		CHECK_STATUS(test_call_end(&call), DUCT_OK);
		CHECK(call.message == 7);
		test_call_start(&call, RECV_UNTIL, &pair, -1, duct_after_s(100), NULL);
		AWAIT(duct_channel_waiting_receivers(pair.channel) == 1);
		duct_channel_close(pair.channel, 0);
		CHECK_STATUS(test_call_end(&call), DUCT_CLOSED);
		CHECK_STATUS(duct_recv_until(pair.rx, &message, 0, NULL), DUCT_CLOSED);
		test_pair_free(&pair);
	}
}

/* A send runs out of time and keeps its message, a later one succeeds, one after the close reads closed. */
TEST(send_until, tells_out_of_time_from_closed, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		struct test_call call;
		int message, queued = test_fill(pair.tx);

		CHECK_STATUS(duct_send_until(pair.tx, &(int){ 1000 }, duct_after_ms(2), NULL), DUCT_TIMEDOUT);
		test_call_start(&call, SEND_UNTIL, &pair, queued, duct_after_s(100), NULL);
		for (int n = 0; n <= queued; n++) {
			CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
			CHECK(message == n);
		}
		CHECK_STATUS(test_call_end(&call), DUCT_OK);
		test_fill(pair.tx);
		test_call_start(&call, SEND_UNTIL, &pair, 1000, duct_after_s(100), NULL);
		AWAIT(duct_channel_waiting_senders(pair.channel) == 1);
		duct_channel_close(pair.channel, 0);
		CHECK_STATUS(test_call_end(&call), DUCT_CLOSED);
		CHECK_STATUS(duct_send_until(pair.tx, &message, 0, NULL), DUCT_CLOSED);
		test_pair_free(&pair);
	}
}

struct flow {
	struct test_pair pair;
	int count;
};

/* Every third message comes after a stall in which the other side runs out of time. */
static void *send_with_stalls(void *argument)
{
	struct flow *flow = argument;

	for (int n = 0; n < flow->count; n++) {
		if (n % 3 == 0)
			test_pause();
		while (duct_send_until(flow->pair.tx, &n, duct_after_ns(60000), NULL) != DUCT_OK)
			;
	}
	return NULL;
}

/* Both sides wait for short times, run out of them over and over, and still move every message once and in order. */
TEST(deadline, on_both_sides_loses_nothing, 30)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct flow flow = { test_pair_new(sizeof(int), capacities[i]), 1500 };
		pthread_t sender = test_start(send_with_stalls, &flow);

		for (int n = 0; n < flow.count; n++) {
			int message = -1;
			duct_status status;

			if (n % 5 == 0)
				test_pause();
			while ((status = duct_recv_until(flow.pair.rx, &message, duct_after_ns(40000), NULL)) != DUCT_OK) {
				CHECK_STATUS(status, DUCT_TIMEDOUT);
				CHECK(message == -1);
			}
			CHECK(message == n);
		}
		test_join(sender);
		CHECK(duct_channel_len(flow.pair.channel) == 0);
		test_pair_free(&flow.pair);
	}
}

/* Threads that sleep use no processor time: four of them for a fifth of a second. */
TEST(deadline, costs_no_processor_time_while_waiting, 10)
{
	struct test_pair full = test_pair_new(sizeof(int), 0), empty = test_pair_new(sizeof(int), 0);
	struct test_call calls[4];
	int64_t before, used;

	before = test_cpu_time();
	for (int c = 0; c < 4; c += 2) {
		test_call_start(&calls[c], RECV_UNTIL, &empty, -1, duct_after_ms(200), NULL);
		test_call_start(&calls[c + 1], SEND_UNTIL, &full, -1, duct_after_ms(200), NULL);
	}
	for (int c = 0; c < 4; c++)
		CHECK_STATUS(test_call_end(&calls[c]), DUCT_TIMEDOUT);
	used = test_cpu_time() - before;
	CHECK(used < 40 * 1000000 * (int64_t)test_time_scale());
	test_pair_free(&full);
	test_pair_free(&empty);
}
