/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Merges: one receiver of the messages of many, each source's in its order; who owns the sources, how they come and go, and
 * that a merge goes wherever a receiver goes.
 */
#include "instances.h"
#include "lanes.h"

/* ---- What comes -------------------------------------------------------------------------------------------------------- */

/* Fed in step, the two of a pair come together, in either order. */
TEST(merge, brings_what_was_sent_together_together, 5)
{
	struct lanes lanes;
	duct_receiver *merged;

	lanes_init(&lanes, 2);
	merged = lanes_merge(&lanes, false);
	for (int n = 1; n <= 5; n++) {
		CHECK(sends(lanes.pair[0].tx, n, n) && sends(lanes.pair[1].tx, 100 + n, 100 + n));
		CHECK(next_of(merged) + next_of(merged) == 100 + 2 * n);
		CHECK(then(merged, DUCT_EMPTY));
	}
	duct_receiver_free(merged);
	lanes_free(&lanes);
}

/* Of each source in its order, whatever comes between. */
TEST(merge, keeps_the_order_of_each_source, 5)
{
	enum { LANES = 5 };
	struct lanes lanes;
	duct_receiver *merged;
	int next[LANES] = { 0 };

	lanes_init(&lanes, LANES);
	merged = lanes_merge(&lanes, false);
	for (int lane = 0; lane < LANES; lane++)
		CHECK(sends(lanes.pair[lane].tx, 100 * lane, 100 * lane + LANE_CAPACITY - 1));
	CHECK(duct_receiver_len(merged) == LANES * LANE_CAPACITY);
	for (int n = 0; n < LANES * LANE_CAPACITY; n++) {
		int message = next_of(merged);

		CHECK(message % 100 == next[message / 100]++);
	}
	CHECK(then(merged, DUCT_EMPTY));
	duct_receiver_free(merged);
	lanes_free(&lanes);
}

/* Sources that are ready all the time take turns: of as many receives as there are sources, each serves one. */
TEST(merge, serves_ready_sources_in_turns, 5)
{
	for (int count = 1; count <= 20; count++) {
		struct lanes lanes;
		duct_receiver *merged;

		lanes_init(&lanes, (size_t)count);
		merged = lanes_merge(&lanes, false);
		for (int lane = 0; lane < count; lane++)
			CHECK(sends(lanes.pair[lane].tx, lane, lane) && sends(lanes.pair[lane].tx, lane, lane));
		for (int round = 0; round < 50; round++) {
			bool served[20] = { false };

			for (int k = 0; k < count; k++) {
				int lane = next_of(merged);

				CHECK(!served[lane]);
				served[lane] = true;
				CHECK(sends(lanes.pair[lane].tx, lane, lane));
			}
		}
		duct_receiver_free(merged);
		lanes_free(&lanes);
	}
}

/* A source that others stand behind has its turns among those that are plain: none is nearer than another. */
TEST(merge, serves_sources_in_turns_however_deep_they_are, 5)
{
	struct lanes lanes;
	duct_receiver *inner, *outer, *parts[2];
	int served[3] = { 0 };

	lanes_init(&lanes, 3);
	CHECK_STATUS(duct_merge_new(&inner, &lanes.rx[1], 2, NULL), DUCT_OK);
	parts[0] = lanes.rx[0];
	parts[1] = inner;
	CHECK_STATUS(duct_merge_new(&outer, parts, 2, NULL), DUCT_OK);
	lanes_give(&lanes);
	for (int lane = 0; lane < 3; lane++)
		CHECK(sends(lanes.pair[lane].tx, lane, lane));
	for (int n = 0; n < 400; n++) {
		int lane = next_of(outer);

		served[lane]++;
		CHECK(sends(lanes.pair[lane].tx, lane, lane));
	}
	CHECK(served[0] == 200 && served[1] == 100 && served[2] == 100);
	duct_receiver_free(outer);
	lanes_free(&lanes);
}

/* It goes on with the sources that are left, and ends with the last. */
TEST(merge, ends_with_its_last_source, 5)
{
	struct lanes lanes;
	duct_receiver *merged;

	lanes_init(&lanes, 2);
	merged = lanes_merge(&lanes, false);
	CHECK(sends(lanes.pair[0].tx, 1, 2) && sends(lanes.pair[1].tx, 3, 3));
	duct_channel_close(lanes.pair[0].channel, 0);
	CHECK(next_of(merged) + next_of(merged) + next_of(merged) == 6);
	CHECK(sends(lanes.pair[1].tx, 1000, 1000) && reads(merged, 1000, 1000) && then(merged, DUCT_EMPTY));
	CHECK(!duct_receiver_is_closed(merged) && lanes_received(&lanes) == 1);
	CHECK(sends(lanes.pair[1].tx, 5, 5));
	duct_channel_close(lanes.pair[1].channel, 0);
	CHECK(reads(merged, 5, 5) && then(merged, DUCT_CLOSED) && then(merged, DUCT_CLOSED));
	CHECK(duct_receiver_is_closed(merged) && lanes_received(&lanes) == 0);
	duct_receiver_free(merged);
	lanes_free(&lanes);
}

/* One source is as good as many. */
TEST(merge, of_one_is_as_that_one, 5)
{
	struct lanes lanes;
	duct_receiver *merged;

	lanes_init(&lanes, 1);
	merged = lanes_merge(&lanes, false);
	CHECK(sends(lanes.pair[0].tx, 1, 5) && reads(merged, 1, 5) && then(merged, DUCT_EMPTY));
	lanes_close(&lanes);
	CHECK(then(merged, DUCT_CLOSED));
	duct_receiver_free(merged);
	lanes_free(&lanes);
}

/* Of messages larger than fit anywhere but in memory, and of none. */
TEST(merge, is_of_messages_of_any_size, 5)
{
	static const size_t sizes[] = { 0, 1, 256, 257, 5000 };
	static unsigned char out[5000], in[5000 + 64], same[5000 + 64];

	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		struct lanes lanes;
		duct_receiver *merged;

		lanes_init_with(&lanes, 2, sizes[s], NULL);
		merged = lanes_merge(&lanes, false);
		for (unsigned char n = 1; n <= 6; n++) {
			memset(out, n, sizes[s]);
			memset(in, 0xee, sizeof in);
			memset(same, 0xee, sizeof same);
			memset(same, n, sizes[s]);
			CHECK_STATUS(duct_send(lanes.pair[n % 2].tx, sizes[s] != 0 ? out : NULL), DUCT_OK);
			CHECK_STATUS(duct_recv(merged, sizes[s] != 0 ? in : NULL), DUCT_OK);
			CHECK(sizes[s] == 0 || memcmp(in, same, sizeof in) == 0);
		}
		CHECK_STATUS(duct_try_recv(merged, in), DUCT_EMPTY);
		duct_receiver_free(merged);
		lanes_free(&lanes);
	}
}

static void make_seven(void *to, void *from, void *context)
{
	const int64_t seven = 7;

	(void)from;
	(void)context;
	memcpy(to, &seven, sizeof seven);
}

static void *meet(void *tx)
{
	CHECK_STATUS(duct_send(tx, &(int64_t){ 1000000 }), DUCT_OK);
	return NULL;
}

/* Any receivers of one size: of channels of all kinds, of a timer, of what is made of an event. */
TEST(merge, is_of_receivers_of_all_kinds, 10)
{
	struct test_pair pair = test_pair_new(sizeof(int64_t), 4), meeting = test_pair_new(sizeof(int64_t), 0);
	duct_receiver *parts[5], *event, *merged;
	duct_sender *broadcast;
	duct_clock *clock;
	pthread_t thread;
	int64_t sum = 0;

	CHECK_STATUS(duct_clock_new(&clock, 1000), DUCT_OK);
	parts[0] = pair.rx;
	parts[1] = meeting.rx;
	CHECK_STATUS(duct_timer_after(&parts[2], 50, DUCT_TIMER(.clock = clock)), DUCT_OK);
	CHECK_STATUS(duct_event_new(&event, NULL), DUCT_OK);
	CHECK_STATUS(duct_map_new(&parts[3], event, sizeof(int64_t), make_seven, NULL, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	CHECK_STATUS(duct_broadcast_open(&broadcast, &parts[4], sizeof(int64_t), NULL, NULL), DUCT_OK);
	CHECK_STATUS(duct_merge_new(&merged, parts, ARRAY_LEN(parts), NULL), DUCT_OK);
	pair.rx = meeting.rx = NULL;

	CHECK_STATUS(duct_send(pair.tx, &(int64_t){ 100 }), DUCT_OK);
	CHECK_STATUS(duct_send(broadcast, &(int64_t){ 10000 }), DUCT_OK);
	CHECK_STATUS(duct_event_set(event), DUCT_OK);
	CHECK_STATUS(duct_clock_advance(clock, 53), DUCT_OK);
	thread = test_start(meet, meeting.tx);
	for (int n = 0; n < 5; n++) {
		int64_t message = 0;

		CHECK_STATUS(duct_recv(merged, &message), DUCT_OK);
		sum += message;
	}
	test_join(thread);
	CHECK(sum == 1010110); /* 3 late, 7, 100, 10000, 1000000 */
	CHECK_STATUS(duct_try_recv(merged, &sum), DUCT_EMPTY);
	duct_receiver_free(merged);
	duct_receiver_free(event);
	duct_sender_free(broadcast);
	duct_clock_free(clock);
	test_pair_free(&pair);
	test_pair_free(&meeting);
}

/* ---- What can never work ----------------------------------------------------------------------------------------------- */

/* Refused, and all sources are still the caller's. */
TEST(merge, refuses_what_can_never_work, 5)
{
	struct lanes lanes;
	struct test_pair wide = test_pair_new(8, 1);
	duct_combine_options unknown = DUCT_COMBINE_OPTIONS_INIT;
	duct_receiver *merged = NULL;

	lanes_init(&lanes, 3);
	unknown.size--;
	CHECK_STATUS(duct_merge_new(NULL, lanes.rx, 3, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_merge_new(&merged, NULL, 3, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_merge_new(&merged, NULL, 0, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_merge_new(&merged, lanes.rx, 0, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_merge_new(&merged, lanes.rx, SIZE_MAX, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_merge_new(&merged, lanes.rx, 3, &unknown), DUCT_INVALID);
	CHECK_STATUS(duct_merge_new(&merged, (duct_receiver *[]){ NULL, lanes.rx[0] }, 2, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_merge_new(&merged, (duct_receiver *[]){ lanes.rx[0], NULL }, 2, NULL), DUCT_INVALID);
	CHECK_STATUS(
	    duct_merge_new(&merged, (duct_receiver *[]){ lanes.rx[0], lanes.rx[1], lanes.rx[0] }, 3, NULL), DUCT_INVALID);
	CHECK_STATUS(
	    duct_merge_new(&merged, (duct_receiver *[]){ lanes.rx[0], lanes.rx[1], lanes.rx[1] }, 3, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_merge_new(&merged, (duct_receiver *[]){ lanes.rx[0], wide.rx }, 2, NULL), DUCT_INVALID);
	CHECK(merged == NULL && lanes_received(&lanes) == 3);
	for (int lane = 0; lane < 3; lane++)
		CHECK(sends(lanes.pair[lane].tx, lane, lane) && reads(lanes.rx[lane], lane, lane));
	test_pair_free(&wide);
	lanes_free(&lanes);
}

TEST(merge_tagged, refuses_what_can_never_work, 5)
{
	struct lanes lanes;
	duct_receiver *merged = NULL;

	lanes_init(&lanes, 2);
	CHECK_STATUS(duct_merge_tagged_new(NULL, lanes.rx, 2, 16, 8, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_merge_tagged_new(&merged, NULL, 2, 16, 8, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_merge_tagged_new(&merged, lanes.rx, 0, 16, 8, NULL), DUCT_INVALID);
	CHECK_STATUS(
	    duct_merge_tagged_new(&merged, (duct_receiver *[]){ lanes.rx[0], lanes.rx[0] }, 2, 16, 8, NULL), DUCT_INVALID);
	/* The number does not fit ahead, the message does not fit behind, or nothing would. */
	CHECK_STATUS(duct_merge_tagged_new(&merged, lanes.rx, 2, 16, sizeof(size_t) - 1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_merge_tagged_new(&merged, lanes.rx, 2, 16, 0, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_merge_tagged_new(&merged, lanes.rx, 2, 16, 13, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_merge_tagged_new(&merged, lanes.rx, 2, 16, 17, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_merge_tagged_new(&merged, lanes.rx, 2, 16, SIZE_MAX, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_merge_tagged_new(&merged, lanes.rx, 2, SIZE_MAX, 8, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_merge_tagged_new(&merged, lanes.rx, 2, SIZE_MAX - 100, 8, NULL), DUCT_INVALID);
	CHECK(merged == NULL && lanes_received(&lanes) == 2);
	CHECK(sends(lanes.pair[0].tx, 1, 1) && reads(lanes.rx[0], 1, 1));
	CHECK_STATUS(duct_merge_tagged_new(&merged, lanes.rx, 2, 16, 12, NULL), DUCT_OK);
	lanes_give(&lanes);
	duct_receiver_free(merged);
	lanes_free(&lanes);
}

/* To what is no merge nothing is added, nor is a merge to itself, however far below it stands. */
TEST(merge_add, refuses_what_can_never_work, 5)
{
	struct lanes lanes;
	struct test_pair wide = test_pair_new(8, 1);
	duct_receiver *merged, *middle, *top, *first, *out = NULL;
	size_t number = 77;

	lanes_init(&lanes, 3);
	CHECK_STATUS(duct_merge_new(&merged, lanes.rx, 1, NULL), DUCT_OK);
	first = lanes.rx[0];
	lanes.pair[0].rx = NULL;
	CHECK_STATUS(duct_merge_add(NULL, lanes.rx[1], false, &number), DUCT_INVALID);
	CHECK_STATUS(duct_merge_add(merged, NULL, false, &number), DUCT_INVALID);
	CHECK_STATUS(duct_merge_add(lanes.rx[1], lanes.rx[2], false, &number), DUCT_UNSUPPORTED);
	CHECK_STATUS(duct_merge_add(merged, wide.rx, false, &number), DUCT_INVALID);
	CHECK_STATUS(duct_merge_add(merged, merged, true, &number), DUCT_INVALID);
	CHECK_STATUS(duct_merge_add(merged, lanes.rx[1], true, NULL), DUCT_OK);
	for (int n = 0; n < 2; n++)
		CHECK_STATUS(duct_merge_add(merged, n == 0 ? first : lanes.rx[1], true, &number), DUCT_INVALID);
	CHECK_STATUS(duct_merge_new(&middle, &merged, 1, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	CHECK_STATUS(duct_merge_new(&top, &middle, 1, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	CHECK_STATUS(duct_merge_add(merged, middle, true, &number), DUCT_INVALID);
	CHECK_STATUS(duct_merge_add(merged, top, true, &number), DUCT_INVALID);
	CHECK_STATUS(duct_merge_remove(NULL, 0, &out), DUCT_INVALID);
	CHECK_STATUS(duct_merge_remove(merged, 0, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_merge_remove(lanes.rx[2], 0, &out), DUCT_UNSUPPORTED);
	CHECK_STATUS(duct_merge_remove(merged, 2, &out), DUCT_CLOSED);
	CHECK(number == 77 && out == NULL);
	CHECK(sends(lanes.pair[0].tx, 1, 1) && reads(top, 1, 1) && sends(lanes.pair[1].tx, 2, 2) && reads(top, 2, 2));
	duct_receiver_free(top);
	duct_receiver_free(middle);
	duct_receiver_free(merged);
	test_pair_free(&wide);
	lanes_free(&lanes);
}

/* ---- Tagged ------------------------------------------------------------------------------------------------------------ */

struct tagged {
	size_t source;
	int message;
};

static duct_receiver *lanes_merge_tagged(struct lanes *lanes)
{
	duct_receiver *merged;

	CHECK_STATUS(duct_merge_tagged_new(
			 &merged, lanes->rx, lanes->count, sizeof(struct tagged), offsetof(struct tagged, message), NULL),
	    DUCT_OK);
	lanes_give(lanes);
	return merged;
}

static struct tagged next_tagged(duct_receiver *rx)
{
	struct tagged in = { 77, 77 };

	CHECK_STATUS(duct_try_recv(rx, &in), DUCT_OK);
	return in;
}

/* Each message comes with the number of its source. */
/* Messages of one byte, right behind the number. */
TEST(merge_tagged, has_room_for_the_smallest, 5)
{
	struct test_pair pair = test_pair_new(1, 2);
	unsigned char in[sizeof(size_t) + 1], out = 7;
	duct_receiver *merged;
	size_t number = 77;

	CHECK_STATUS(duct_merge_tagged_new(&merged, &pair.rx, 1, sizeof in, sizeof(size_t), NULL), DUCT_OK);
	CHECK_STATUS(duct_send(pair.tx, &out), DUCT_OK);
	CHECK_STATUS(duct_recv(merged, in), DUCT_OK);
	memcpy(&number, in, sizeof number);
	CHECK(number == 0 && in[sizeof(size_t)] == 7);
	pair.rx = NULL;
	duct_receiver_free(merged);
	test_pair_free(&pair);
}

TEST(merge_tagged, tells_the_source_of_each_message, 5)
{
	struct lanes lanes;
	duct_receiver *merged;
	struct tagged in;

	lanes_init(&lanes, 2);
	merged = lanes_merge_tagged(&lanes);
	for (int n = 1; n <= 5; n++) {
		bool came[2] = { false };

		CHECK(sends(lanes.pair[0].tx, n, n) && sends(lanes.pair[1].tx, 100 + n, 100 + n));
		for (int k = 0; k < 2; k++) {
			in = next_tagged(merged);
			CHECK(in.source < 2 && in.message == (int)in.source * 100 + n);
			came[in.source] = true;
		}
		CHECK(came[0] && came[1]);
	}
	duct_channel_close(lanes.pair[0].channel, 0);
	CHECK(sends(lanes.pair[1].tx, 1000, 1000));
	in = next_tagged(merged);
	CHECK(in.source == 1 && in.message == 1000);
	duct_channel_close(lanes.pair[1].channel, 0);
	CHECK(then(merged, DUCT_CLOSED));
	duct_receiver_free(merged);
	lanes_free(&lanes);
}

/* The bytes that belong neither to the number nor to the message are zero, and no others are written. */
TEST(merge_tagged, fills_with_zeros, 5)
{
	for (size_t offset = sizeof(size_t); offset <= 20; offset++)
		for (size_t size = offset + 3; size <= 30; size += 3) {
			unsigned char in[40], expected[40];
			struct lanes lanes;
			duct_receiver *merged;

			lanes_init_with(&lanes, 2, 3, NULL);
			CHECK_STATUS(duct_merge_tagged_new(&merged, lanes.rx, 2, size, offset, NULL), DUCT_OK);
			lanes_give(&lanes);
			memset(in, 0xee, sizeof in);
			memset(expected, 0xee, sizeof expected);
			memset(expected, 0, size);
			memcpy(expected, &(size_t){ 1 }, sizeof(size_t));
			memcpy(expected + offset, "abc", 3);
			CHECK_STATUS(duct_send(lanes.pair[1].tx, "abc"), DUCT_OK);
			CHECK_STATUS(duct_try_recv(merged, in), DUCT_OK);
			CHECK(memcmp(in, expected, sizeof in) == 0);
			duct_receiver_free(merged);
			lanes_free(&lanes);
		}
}

/* Of messages without bytes the number is all. */
TEST(merge_tagged, tells_which_of_several_events, 5)
{
	duct_receiver *events[3], *merged;
	size_t source = 77;

	for (int e = 0; e < 3; e++)
		CHECK_STATUS(duct_event_new(&events[e], NULL), DUCT_OK);
	CHECK_STATUS(duct_merge_tagged_new(&merged, events, 3, sizeof(size_t), sizeof(size_t), NULL), DUCT_OK);
	for (size_t e = 0; e < 3; e++) {
		CHECK_STATUS(duct_event_set(events[e]), DUCT_OK);
		CHECK_STATUS(duct_try_recv(merged, &source), DUCT_OK);
		CHECK(source == e);
		CHECK_STATUS(duct_try_recv(merged, &source), DUCT_EMPTY);
	}
	duct_receiver_free(merged);
}

/* Tagged and tagged again, of messages larger than the library has room for on its stack. */
TEST(merge_tagged, is_of_large_messages, 5)
{
	struct outer {
		size_t outer, inner;
		unsigned char message[3000];
	};
	static struct outer in;
	struct lanes lanes;
	duct_receiver *inner, *outer;
	static unsigned char out[3000];

	lanes_init_with(&lanes, 3, sizeof out, NULL);
	CHECK_STATUS(duct_merge_tagged_new(&inner, lanes.rx, 3, sizeof(size_t) + sizeof out, sizeof(size_t), NULL), DUCT_OK);
	CHECK_STATUS(duct_merge_tagged_new(&outer, &inner, 1, 2 * sizeof(size_t) + sizeof out, sizeof(size_t), NULL), DUCT_OK);
	lanes_give(&lanes);
	for (size_t n = 0; n < 6; n++) {
		memset(out, (int)n + 1, sizeof out);
		CHECK_STATUS(duct_send(lanes.pair[n % 3].tx, out), DUCT_OK);
		CHECK_STATUS(duct_recv(outer, &in), DUCT_OK);
		CHECK(in.outer == 0 && in.inner == n % 3 && memcmp(in.message, out, sizeof out) == 0);
	}
	duct_receiver_free(outer);
	lanes_free(&lanes);
}

/* Sources that are added go on with the numbers, and those of removed ones do not come again. */
TEST(merge_tagged, numbers_sources_as_they_come, 5)
{
	struct lanes lanes;
	duct_receiver *merged, *out;
	size_t number;

	lanes_init(&lanes, 5);
	lanes.count = 2;
	merged = lanes_merge_tagged(&lanes);
	lanes.count = 5;
	CHECK_STATUS(duct_merge_remove(merged, 1, &out), DUCT_OK);
	CHECK(out == lanes.rx[1]);
	duct_receiver_free(out);
	for (size_t lane = 2; lane < 5; lane++) {
		CHECK_STATUS(duct_merge_add(merged, lanes.rx[lane], false, &number), DUCT_OK);
		CHECK(number == lane);
		lanes.pair[lane].rx = NULL;
	}
	CHECK_STATUS(duct_merge_remove(merged, 1, &out), DUCT_CLOSED);
	for (int lane = 4; lane >= 0; lane--)
		if (lane != 1) {
			CHECK(sends(lanes.pair[lane].tx, lane, lane));
			CHECK((int)next_tagged(merged).source == lane);
		}
	duct_receiver_free(merged);
	lanes_free(&lanes);
}

/* ---- Whose the sources are --------------------------------------------------------------------------------------------- */

/* Closed while it has messages it loses none: what was sent comes, and another merge of the same channels has them all. */
TEST(merge, that_is_closed_brings_what_was_sent, 5)
{
	struct crowd crowds[2] = { crowd_new(NULL), crowd_new(NULL) };
	duct_receiver *parts[2], *merged, *another;
	int got = 0, count = 0, sum = 0;

	for (int k = 0; k < 2; k++)
		parts[k] = crowd_join(&crowds[k], DUCT_DROP_OLDEST, 10);
	CHECK_STATUS(duct_merge_new(&merged, parts, 2, NULL), DUCT_OK);
	for (int k = 0; k < 2; k++)
		parts[k] = crowd_join(&crowds[k], DUCT_DROP_OLDEST, 10);
	CHECK_STATUS(duct_merge_new(&another, parts, 2, NULL), DUCT_OK);
	for (int n = 1; n <= 5; n++)
		CHECK(sends(crowds[0].tx, n, n) && sends(crowds[1].tx, 100 + n, 100 + n));
	for (; got != 3; count++)
		sum += got = next_of(merged);
	duct_receiver_close(merged);
	CHECK(duct_receiver_is_closed(merged) && duct_channel_receivers(crowds[0].channel) == 1);
	CHECK(sends(crowds[0].tx, 6, 6));
	for (; duct_try_recv(merged, &got) == DUCT_OK; count++)
		sum += got;
	CHECK(count == 10 && sum == 530 && then(merged, DUCT_CLOSED));
	for (count = sum = 0; duct_try_recv(another, &got) == DUCT_OK; count++)
		sum += got;
	CHECK(count == 11 && sum == 536);
	duct_receiver_free(merged);
	duct_receiver_free(another);
	CHECK(duct_channel_receivers(crowds[0].channel) == 0 && duct_channel_receivers(crowds[1].channel) == 0);
	crowd_free(&crowds[0]);
	crowd_free(&crowds[1]);
}

/* Sources that it owns close with it, go when they have ended, or else with it. */
TEST(merge, owns_its_sources, 5)
{
	struct lanes lanes;
	duct_receiver *merged;

	lanes_init(&lanes, 4);
	merged = lanes_merge(&lanes, false);
	CHECK(lanes_received(&lanes) == 4);
	duct_channel_close(lanes.pair[0].channel, 0);
	CHECK(then(merged, DUCT_EMPTY) && lanes_received(&lanes) == 3);
	CHECK(sends(lanes.pair[1].tx, 1, 1));
	duct_receiver_close(merged);
	CHECK(lanes_received(&lanes) == 0 && then(merged, DUCT_CLOSED));
	/* An anycast channel keeps its messages for other receivers. */
	CHECK_STATUS(duct_receiver_new(lanes.pair[1].channel, &lanes.pair[1].rx), DUCT_OK);
	CHECK(reads(lanes.pair[1].rx, 1, 1));
	duct_receiver_free(merged);
	lanes_free(&lanes);

	lanes_init(&lanes, 2);
	merged = lanes_merge(&lanes, false);
	duct_receiver_free(merged);
	CHECK(lanes_received(&lanes) == 0);
	lanes_free(&lanes);
}

/* Sources that it borrows stay open, with all that it did not receive. */
TEST(merge, that_borrows_leaves_its_sources_as_they_are, 5)
{
	struct lanes lanes;

	lanes_init(&lanes, 2);
	for (int close = 0; close < 2; close++) {
		duct_receiver *merged = lanes_merge(&lanes, true);

		CHECK(sends(lanes.pair[0].tx, 1, 2) && reads(merged, 1, 1));
		if (close)
			duct_receiver_close(merged);
		CHECK(!close || (then(merged, DUCT_CLOSED) && duct_receiver_is_closed(merged)));
		duct_receiver_free(merged);
		CHECK(lanes_received(&lanes) == 2 && reads(lanes.rx[0], 2, 2) && then(lanes.rx[0], DUCT_EMPTY));
	}
	lanes_free(&lanes);
}

/* A borrowed source may be received from beside the merge, and ends for it when the caller frees it. */
TEST(merge, that_borrows_ends_with_its_sources, 5)
{
	struct lanes lanes;
	duct_receiver *merged;

	lanes_init(&lanes, 2);
	merged = lanes_merge(&lanes, true);
	CHECK(sends(lanes.pair[0].tx, 1, 4) && reads(merged, 1, 1) && reads(lanes.rx[0], 2, 2) && reads(merged, 3, 3));
	duct_receiver_free(lanes.rx[0]);
	lanes.pair[0].rx = NULL;
	CHECK(then(merged, DUCT_EMPTY));
	CHECK(sends(lanes.pair[1].tx, 5, 5) && reads(merged, 5, 5));
	duct_receiver_free(lanes.rx[1]);
	lanes.pair[1].rx = NULL;
	CHECK(then(merged, DUCT_CLOSED));
	duct_receiver_free(merged);
	lanes_free(&lanes);
}

/* One source may be borrowed by two merges: each message comes once. */
TEST(merge, shares_borrowed_sources, 5)
{
	struct lanes lanes;
	duct_receiver *one, *two;

	lanes_init(&lanes, 2);
	one = lanes_merge(&lanes, true);
	two = lanes_merge(&lanes, true);
	CHECK(sends(lanes.pair[0].tx, 1, 4));
	CHECK(reads(one, 1, 1) && reads(two, 2, 2) && reads(one, 3, 3) && reads(two, 4, 4) && then(one, DUCT_EMPTY));
	duct_receiver_free(one);
	CHECK(sends(lanes.pair[1].tx, 5, 5) && reads(two, 5, 5));
	duct_receiver_free(two);
	lanes_free(&lanes);
}

/* A clone is one more handle: it closes with the last. */
TEST(merge, closes_with_its_last_handle, 5)
{
	struct lanes lanes;
	duct_receiver *merged, *clone;

	lanes_init(&lanes, 2);
	merged = lanes_merge(&lanes, false);
	CHECK_STATUS(duct_receiver_clone(merged, &clone), DUCT_OK);
	CHECK(sends(lanes.pair[0].tx, 1, 3) && reads(clone, 1, 1));
	duct_receiver_free(merged);
	CHECK(lanes_received(&lanes) == 2 && !duct_receiver_is_closed(clone) && reads(clone, 2, 2));
	/* There is no other one of what is closed; the end of all sources is no close. */
	duct_receiver_close(clone);
	merged = NULL;
	CHECK_STATUS(duct_receiver_clone(clone, &merged), DUCT_CLOSED);
	CHECK(merged == NULL);
	duct_receiver_free(clone);
	CHECK(lanes_received(&lanes) == 0);
	lanes_free(&lanes);
}

/* What is left comes as a batch, however little it is, and then the end. */
TEST(merge, gives_its_last_as_a_batch, 5)
{
	for (int left = 1; left <= 2; left++) {
		struct lanes lanes;
		duct_receiver *merged;
		size_t count = 77;
		int in[3];

		lanes_init(&lanes, 2);
		merged = lanes_merge(&lanes, false);
		CHECK(sends(lanes.pair[0].tx, 1, left));
		for (int k = 0; k < 2; k++)
			duct_channel_close(lanes.pair[k].channel, 0);
		CHECK_STATUS(duct_recv_many(merged, in, 1, 3, &count, DUCT_FOREVER, NULL), DUCT_OK);
		CHECK(count == (size_t)left && in[0] == 1);
		CHECK_STATUS(duct_recv_many(merged, in, 1, 3, &count, DUCT_FOREVER, NULL), DUCT_CLOSED);
		CHECK(count == 0);
		duct_receiver_free(merged);
		lanes_free(&lanes);
	}
}

TEST(merge, that_has_ended_has_clones, 5)
{
	struct lanes lanes;
	duct_receiver *merged, *clone;

	lanes_init(&lanes, 2);
	merged = lanes_merge(&lanes, false);
	for (int k = 0; k < 2; k++)
		duct_channel_close(lanes.pair[k].channel, 0);
	CHECK(then(merged, DUCT_CLOSED));
	CHECK_STATUS(duct_receiver_clone(merged, &clone), DUCT_OK);
	duct_receiver_free(merged);
	CHECK(then(clone, DUCT_CLOSED));
	duct_receiver_free(clone);
	lanes_free(&lanes);
}

/* ---- Coming and going -------------------------------------------------------------------------------------------------- */

/* A thread that waits wakes for a source that was added meanwhile. */
TEST(merge_add, is_seen_by_threads_that_wait, 20)
{
	for (size_t r = 0; r < ARRAY_LEN(receives); r++) {
		struct lanes lanes;
		duct_receiver *merged;
		struct test_call call;
		size_t number = 77;

		lanes_init(&lanes, 2);
		CHECK_STATUS(duct_merge_new(&merged, lanes.rx, 1, NULL), DUCT_OK);
		lanes.pair[0].rx = NULL;
		wait_start(&call, receives[r], merged);
		AWAIT(duct_channel_waiting_receivers(lanes.pair[0].channel) == 1);
		CHECK_STATUS(duct_merge_add(merged, lanes.rx[1], false, &number), DUCT_OK);
		lanes.pair[1].rx = NULL;
		CHECK(number == 1);
		AWAIT(duct_channel_waiting_receivers(lanes.pair[1].channel) == 1);
		CHECK(sends(lanes.pair[1].tx, 9, 9));
		CHECK_STATUS(test_call_end(&call), DUCT_OK);
		CHECK(receives[r] == RECEIVER_WAIT ? reads(merged, 9, 9) : call.message == 9);
		CHECK(lanes_are_quiet(&lanes));
		duct_receiver_free(merged);
		lanes_free(&lanes);
	}
}

/* What has a message already when it is added wakes them too. */
TEST(merge_add, of_one_with_a_message_wakes_a_thread, 5)
{
	struct lanes lanes;
	duct_receiver *merged;
	struct test_call call;

	lanes_init(&lanes, 2);
	CHECK_STATUS(duct_merge_new(&merged, lanes.rx, 1, NULL), DUCT_OK);
	lanes.pair[0].rx = NULL;
	test_recv_start(&call, merged);
	AWAIT(duct_channel_waiting_receivers(lanes.pair[0].channel) == 1);
	CHECK(sends(lanes.pair[1].tx, 9, 9));
	CHECK_STATUS(duct_merge_add(merged, lanes.rx[1], true, NULL), DUCT_OK);
	CHECK_STATUS(test_call_end(&call), DUCT_OK);
	CHECK(call.message == 9);
	duct_receiver_free(merged);
	lanes_free(&lanes);
}

/* A thread that waits no longer waits for a source that was removed, which is the caller's again. */
TEST(merge_remove, is_seen_by_threads_that_wait, 20)
{
	for (size_t r = 0; r < ARRAY_LEN(receives); r++) {
		struct lanes lanes;
		duct_receiver *merged, *out;
		struct test_call call;

		lanes_init(&lanes, 2);
		merged = lanes_merge(&lanes, false);
		wait_start(&call, receives[r], merged);
		AWAIT(duct_channel_waiting_receivers(lanes.pair[0].channel) == 1);
		CHECK_STATUS(duct_merge_remove(merged, 0, &out), DUCT_OK);
		CHECK(out == lanes.rx[0]);
		AWAIT(duct_channel_waiting_receivers(lanes.pair[0].channel) == 0);
		AWAIT(duct_channel_waiting_receivers(lanes.pair[1].channel) == 1);
		CHECK(sends(lanes.pair[0].tx, 1, 1) && reads(out, 1, 1) && !duct_receiver_is_closed(out));
		CHECK(sends(lanes.pair[1].tx, 2, 2));
		CHECK_STATUS(test_call_end(&call), DUCT_OK);
		CHECK(receives[r] == RECEIVER_WAIT ? reads(merged, 2, 2) : call.message == 2);
		CHECK_STATUS(duct_merge_remove(merged, 0, &out), DUCT_CLOSED);
		duct_receiver_free(out);
		duct_receiver_free(merged);
		lanes_free(&lanes);
	}
}

/* Without sources it has not ended: it waits for new ones. */
TEST(merge_remove, of_the_last_waits_for_new_ones, 5)
{
	struct lanes lanes;
	duct_receiver *merged, *out;
	struct test_call call;

	lanes_init(&lanes, 2);
	merged = lanes_merge(&lanes, true);
	CHECK_STATUS(duct_merge_remove(merged, 1, &out), DUCT_OK);
	CHECK_STATUS(duct_merge_remove(merged, 0, &out), DUCT_OK);
	CHECK(then(merged, DUCT_EMPTY) && !duct_receiver_is_closed(merged) && duct_receiver_len(merged) == 0);
	test_recv_start(&call, merged);
	await_asleep(&call.thread_id);
	CHECK(sends(lanes.pair[1].tx, 5, 5));
	CHECK_STATUS(duct_merge_add(merged, lanes.rx[1], true, NULL), DUCT_OK);
	CHECK_STATUS(test_call_end(&call), DUCT_OK);
	CHECK(call.message == 5);
	duct_receiver_free(merged);
	lanes_free(&lanes);
}

/* But once it was closed no new ones can come: it has ended with the last. */
TEST(merge_remove, of_the_last_ends_one_that_was_closed, 5)
{
	struct lanes lanes;
	duct_receiver *merged, *out;

	lanes_init(&lanes, 2);
	merged = lanes_merge(&lanes, false);
	duct_receiver_close(merged);
	CHECK_STATUS(duct_merge_add(merged, merged, true, NULL), DUCT_INVALID);
	for (size_t n = 0; n < 2; n++) {
		CHECK_STATUS(duct_merge_remove(merged, n, &out), DUCT_OK);
		CHECK(out == lanes.rx[n] && duct_receiver_is_closed(out));
		duct_receiver_free(out);
	}
	CHECK(then(merged, DUCT_CLOSED));
	CHECK_STATUS(duct_recv(merged, &(int){ 0 }), DUCT_CLOSED);
	duct_receiver_free(merged);
	lanes_free(&lanes);
}

/* And not before: those that are left drain. */
TEST(merge_remove, of_one_that_was_closed_leaves_the_others_to_drain, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *parts[2], *merged, *out;

	for (int k = 0; k < 2; k++)
		parts[k] = crowd_join(&crowd, DUCT_DROP_OLDEST, 5);
	CHECK_STATUS(duct_merge_new(&merged, parts, 2, NULL), DUCT_OK);
	CHECK(sends(crowd.tx, 1, 2));
	duct_receiver_close(merged);
	CHECK_STATUS(duct_merge_remove(merged, 0, &out), DUCT_OK);
	CHECK(reads(out, 1, 2) && reads(merged, 1, 2) && then(merged, DUCT_CLOSED));
	duct_receiver_free(out);
	duct_receiver_free(merged);
	crowd_free(&crowd);
}

/* To one that was closed, or has ended, none is added: the source is still the caller's. */
TEST(merge_add, to_one_that_has_ended_is_refused, 5)
{
	struct lanes lanes;
	duct_receiver *merged;
	size_t number = 77;

	for (int how = 0; how < 3; how++) {
		lanes_init(&lanes, 2);
		CHECK_STATUS(duct_merge_new(&merged, lanes.rx, 1, how == 0 ? DUCT_COMBINE(.borrow = true) : NULL), DUCT_OK);
		if (how > 0)
			lanes.pair[0].rx = NULL;
		if (how < 2)
			duct_receiver_close(merged);
		else {
			duct_channel_close(lanes.pair[0].channel, 0);
			CHECK(then(merged, DUCT_CLOSED));
		}
		CHECK_STATUS(duct_merge_add(merged, lanes.rx[1], false, &number), DUCT_CLOSED);
		CHECK(number == 77 && sends(lanes.pair[1].tx, 1, 1) && reads(lanes.rx[1], 1, 1));
		duct_receiver_free(merged);
		lanes_free(&lanes);
	}
}

/* There is room for as many as come; each is there once, whoever has gone meanwhile. */
TEST(merge_add, makes_room_for_any_number, 10)
{
	enum { COUNT = TEST_THREAD_SANITIZED ? 30 : 200, REMOVED = (COUNT - 1) / 10 };
	static struct lanes lanes;
	duct_receiver *merged, *out;
	int sum = 0;

	lanes_init(&lanes, COUNT);
	CHECK_STATUS(duct_merge_new(&merged, lanes.rx, 1, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	for (size_t n = 1; n < COUNT; n++) {
		size_t number;

		CHECK_STATUS(duct_merge_add(merged, lanes.rx[n], true, &number), DUCT_OK);
		CHECK(number == n);
		if (n % 10 == 0)
			CHECK_STATUS(duct_merge_remove(merged, n - 5, &out), DUCT_OK);
	}
	for (int n = 0; n < COUNT; n++)
		CHECK(sends(lanes.pair[n].tx, n, n));
	for (int n = 0; n < COUNT - REMOVED; n++)
		sum += next_of(merged);
	/* Of each ten the fifth is missing. */
	CHECK(sum == COUNT * (COUNT - 1) / 2 - 5 * REMOVED * REMOVED);
	CHECK(then(merged, DUCT_EMPTY) && lanes_len(&lanes) == REMOVED);
	duct_receiver_free(merged);
	lanes_free(&lanes);
}

struct joining {
	duct_receiver *merged, *part;
	duct_status status;
	atomic_int *ready;
};

static void *join_other(void *argument)
{
	struct joining *joining = argument;

	atomic_fetch_add(joining->ready, 1);
	while (atomic_load(joining->ready) < 2)
		sched_yield();
	joining->status = duct_merge_add(joining->merged, joining->part, true, NULL);
	return NULL;
}

/* Of two threads that add two merges to each other one is refused, whoever is faster; so none comes to be behind itself. */
TEST(merge_add, of_two_to_each_other_refuses_one, 20)
{
	for (int again = 0; again < 200; again++) {
		duct_receiver *one, *two;
		struct lanes lanes;
		atomic_int ready = 0;

		lanes_init(&lanes, 2);
		CHECK_STATUS(duct_merge_new(&one, &lanes.rx[0], 1, DUCT_COMBINE(.borrow = true)), DUCT_OK);
		CHECK_STATUS(duct_merge_new(&two, &lanes.rx[1], 1, DUCT_COMBINE(.borrow = true)), DUCT_OK);
		struct joining first = { .merged = one, .part = two, .ready = &ready };
		struct joining second = { .merged = two, .part = one, .ready = &ready };
		pthread_t a = test_start(join_other, &first), b = test_start(join_other, &second);
		test_join(a);
		test_join(b);
		CHECK((first.status == DUCT_OK && second.status == DUCT_INVALID) ||
		      (first.status == DUCT_INVALID && second.status == DUCT_OK));
		duct_receiver_free(one);
		duct_receiver_free(two);
		lanes_free(&lanes);
	}
}

/* ---- As any receiver --------------------------------------------------------------------------------------------------- */

/* More than there is room for on the stack. */
TEST(merge, of_very_many_waits_for_each, 20)
{
	static struct lanes lanes;
	const size_t counts[] = { 15, 16, 17, TEST_THREAD_SANITIZED ? 24 : 200 };

	for (size_t c = 0; c < ARRAY_LEN(counts); c++) {
		duct_receiver *merged;

		lanes_init(&lanes, counts[c]);
		merged = lanes_merge(&lanes, false);
		for (size_t lane = 0; lane < lanes.count; lane += lanes.count / 3) {
			struct test_call call;

			test_recv_start(&call, merged);
			AWAIT(duct_channel_waiting_receivers(lanes.pair[lane].channel) == 1);
			CHECK(sends(lanes.pair[lane].tx, (int)lane, (int)lane));
			CHECK_STATUS(test_call_end(&call), DUCT_OK);
			CHECK(call.message == (int)lane && lanes_are_quiet(&lanes));
		}
		lanes_close(&lanes);
		CHECK(then(merged, DUCT_CLOSED));
		duct_receiver_free(merged);
		lanes_free(&lanes);
	}
}

/* A merge of merges of merges is one receiver; it ends when all below have. */
TEST(merge, of_merges_is_as_one, 5)
{
	struct lanes lanes;
	duct_receiver *middle[3], *upper[2], *top;
	bool came[8] = { false };

	lanes_init(&lanes, 8);
	for (int k = 0; k < 2; k++)
		CHECK_STATUS(duct_merge_new(&middle[k], &lanes.rx[3 * k], 3, NULL), DUCT_OK);
	CHECK_STATUS(duct_merge_new(&upper[0], middle, 2, NULL), DUCT_OK);
	CHECK_STATUS(duct_merge_new(&upper[1], &lanes.rx[6], 2, NULL), DUCT_OK);
	CHECK_STATUS(duct_merge_new(&top, upper, 2, NULL), DUCT_OK);
	lanes_give(&lanes);
	for (int lane = 0; lane < 8; lane++)
		CHECK(sends(lanes.pair[lane].tx, lane, lane));
	CHECK(duct_receiver_len(top) == 8);
	for (int n = 0; n < 8; n++)
		came[next_of(top)] = true;
	for (int lane = 0; lane < 8; lane++)
		CHECK(came[lane]);
	CHECK(then(top, DUCT_EMPTY));
	for (int lane = 0; lane < 7; lane++)
		duct_channel_close(lanes.pair[lane].channel, 0);
	CHECK(then(top, DUCT_EMPTY) && sends(lanes.pair[7].tx, 7, 7));
	duct_channel_close(lanes.pair[7].channel, 0);
	CHECK(reads(top, 7, 7) && then(top, DUCT_CLOSED) && lanes_received(&lanes) == 0);
	duct_receiver_free(top);
	lanes_free(&lanes);
}

/* A close goes down to the last of them, and wakes who waits at the top. */
TEST(merge, of_merges_closes_all_below, 20)
{
	for (size_t r = 0; r < ARRAY_LEN(receives); r++) {
		struct lanes lanes;
		duct_receiver *middle, *top;
		struct test_call call;

		lanes_init(&lanes, 3);
		CHECK_STATUS(duct_merge_new(&middle, lanes.rx, 3, NULL), DUCT_OK);
		CHECK_STATUS(duct_merge_new(&top, &middle, 1, NULL), DUCT_OK);
		lanes_give(&lanes);
		wait_start(&call, receives[r], top);
		AWAIT(duct_channel_waiting_receivers(lanes.pair[2].channel) == 1);
		duct_receiver_close(top);
		CHECK(lanes_received(&lanes) == 0);
		CHECK_STATUS(test_call_end(&call), receives[r] == SELECT ? DUCT_OK : DUCT_CLOSED);
		duct_receiver_free(top);
		lanes_free(&lanes);
	}
}

/* The last handle goes while a thread waits, in whatever call: that says closed, and keeps what it needs until then. */
TEST(merge, is_freed_while_a_thread_waits, 20)
{
	for (size_t r = 0; r < ARRAY_LEN(receives); r++)
		for (int borrow = 0; borrow < 2; borrow++) {
			struct lanes lanes;
			duct_receiver *merged;
			struct test_call call;

			lanes_init(&lanes, 3);
			merged = lanes_merge(&lanes, borrow);
			wait_start(&call, receives[r], merged);
			AWAIT(duct_channel_waiting_receivers(lanes.pair[2].channel) == 1);
			duct_receiver_free(merged);
			CHECK_STATUS(test_call_end(&call), receives[r] == SELECT ? DUCT_OK : DUCT_CLOSED);
			CHECK(call.message == -1 && lanes_are_quiet(&lanes) && lanes_received(&lanes) == (borrow ? 3u : 0u));
			lanes_free(&lanes);
		}
}

/* The token's handle goes while a thread waits with it, and the sources change: the wait keeps the token. */
TEST(merge, keeps_the_token_while_a_thread_waits, 20)
{
	for (size_t r = 1; r < ARRAY_LEN(receives); r++) {
		struct lanes lanes;
		duct_receiver *merged, *out;
		duct_cancel *parent, *token;
		struct test_call call;

		lanes_init(&lanes, 3);
		merged = lanes_merge(&lanes, true);
		CHECK_STATUS(duct_cancel_new(&parent, NULL, DUCT_FOREVER), DUCT_OK);
		CHECK_STATUS(duct_cancel_new(&token, parent, DUCT_FOREVER), DUCT_OK);
		test_call_start(&call, receives[r], &(struct test_pair){ .rx = merged }, -1, DUCT_FOREVER, token);
		AWAIT(duct_channel_waiting_receivers(lanes.pair[0].channel) == 1);
		duct_cancel_free(token);
		CHECK_STATUS(duct_merge_remove(merged, 0, &out), DUCT_OK);
		AWAIT(duct_channel_waiting_receivers(lanes.pair[0].channel) == 0);
		AWAIT(duct_channel_waiting_receivers(lanes.pair[1].channel) == 1);
		duct_cancel_raise(parent);
		CHECK_STATUS(test_call_end(&call), DUCT_CANCELED);
		duct_cancel_free(parent);
		duct_receiver_free(merged);
		lanes_free(&lanes);
	}
}

/* Without waiting, until a deadline, with a token, in batches: as of a channel. */
TEST(merge, is_received_from_in_every_way, 10)
{
	struct lanes lanes;
	duct_receiver *merged;
	duct_cancel *token;
	int in[6] = { -1, -1, -1, -1, -1, -1 };
	size_t received = 77;
	duct_time before;

	lanes_init(&lanes, 2);
	merged = lanes_merge(&lanes, false);
	CHECK_STATUS(duct_cancel_new(&token, NULL, DUCT_FOREVER), DUCT_OK);
	CHECK_STATUS(duct_try_recv(merged, in), DUCT_EMPTY);
	CHECK_STATUS(duct_try_recv(merged, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_recv(merged, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_recv_until(merged, in, -1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_recv_until(merged, NULL, 0, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_receiver_wait(merged, -1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_recv_until(merged, in, 0, NULL), DUCT_TIMEDOUT);
	before = duct_now();
	CHECK_STATUS(duct_recv_until(merged, in, duct_after_ms(20), token), DUCT_TIMEDOUT);
	CHECK(duct_now() - before >= 20 * 1000000 && in[0] == -1);
	CHECK_STATUS(duct_recv_many(merged, in, 0, 6, &received, 0, NULL), DUCT_EMPTY);
	CHECK(received == 0);
	CHECK(sends(lanes.pair[0].tx, 1, 2) && sends(lanes.pair[1].tx, 11, 12));
	CHECK_STATUS(duct_recv_many(merged, in, 1, 6, &received, 0, NULL), DUCT_OK);
	CHECK(received == 4 && in[0] + in[1] + in[2] + in[3] == 26 && in[4] == -1);
	CHECK(sends(lanes.pair[0].tx, 5, 5));
	CHECK_STATUS(duct_recv_many(merged, in, 2, 6, &received, duct_after_ms(5), NULL), DUCT_TIMEDOUT);
	CHECK(received == 1 && in[0] == 5);
	CHECK(sends(lanes.pair[0].tx, 6, 8));
	CHECK_STATUS(duct_recv_many(merged, in, 0, 2, &received, 0, NULL), DUCT_OK);
	CHECK(received == 2 && in[0] == 6 && in[1] == 7);
	duct_cancel_raise(token);
	CHECK_STATUS(duct_recv_until(merged, in, DUCT_FOREVER, token), DUCT_CANCELED);
	CHECK_STATUS(duct_receiver_wait(merged, DUCT_FOREVER, token), DUCT_CANCELED);
	CHECK_STATUS(duct_recv_many(merged, in, 1, 2, &received, DUCT_FOREVER, token), DUCT_CANCELED);
	CHECK(in[0] == 6 && received == 0 && reads(merged, 8, 8));
	lanes_close(&lanes);
	CHECK_STATUS(duct_recv_many(merged, in, 1, 2, &received, DUCT_FOREVER, NULL), DUCT_CLOSED);
	duct_cancel_free(token);
	duct_receiver_free(merged);
	lanes_free(&lanes);
}

/* A token that is raised ends a wait. */
TEST(merge, is_canceled_while_a_thread_waits, 10)
{
	for (size_t r = 1; r < ARRAY_LEN(receives); r++) {
		struct lanes lanes;
		duct_receiver *merged;
		duct_cancel *token;
		struct test_call call;

		lanes_init(&lanes, 2);
		merged = lanes_merge(&lanes, false);
		CHECK_STATUS(duct_cancel_new(&token, NULL, DUCT_FOREVER), DUCT_OK);
		test_call_start(&call, receives[r], &(struct test_pair){ .rx = merged }, -1, DUCT_FOREVER, token);
		AWAIT(duct_channel_waiting_receivers(lanes.pair[1].channel) == 1);
		duct_cancel_raise(token);
		CHECK_STATUS(test_call_end(&call), DUCT_CANCELED);
		CHECK(call.message == -1 && lanes_are_quiet(&lanes) && sends(lanes.pair[1].tx, 3, 3) && reads(merged, 3, 3));
		duct_cancel_free(token);
		duct_receiver_free(merged);
		lanes_free(&lanes);
	}
}

/* To wait takes nothing, however often. */
TEST(merge, waits_without_taking, 5)
{
	struct lanes lanes;
	duct_receiver *merged;
	int in = -1;

	lanes_init(&lanes, 3);
	merged = lanes_merge(&lanes, false);
	CHECK_STATUS(duct_receiver_wait(merged, 0, NULL), DUCT_TIMEDOUT);
	CHECK(sends(lanes.pair[1].tx, 4, 5));
	for (int again = 0; again < 20; again++) {
		duct_case cases[] = { DUCT_RECV(merged, &in) };
		size_t chosen = 77;

		CHECK_STATUS(duct_receiver_wait(merged, DUCT_FOREVER, NULL), DUCT_OK);
		CHECK_STATUS(duct_select_until(cases, 1, &chosen, DUCT_READY, DUCT_FOREVER, NULL), DUCT_OK);
		CHECK(chosen == 0 && cases[0].status == DUCT_OK && in == -1 && duct_channel_len(lanes.pair[1].channel) == 2);
	}
	CHECK(reads(merged, 4, 5));
	lanes_close(&lanes);
	CHECK_STATUS(duct_receiver_wait(merged, DUCT_FOREVER, NULL), DUCT_CLOSED);
	duct_receiver_free(merged);
	lanes_free(&lanes);
}

/* Losses of a source are told, and how many, at the top of all that is made of it. */
TEST(merge, tells_of_losses, 5)
{
	struct crowd crowds[2] = { crowd_new(NULL), crowd_new(NULL) };
	duct_receiver *parts[2], *middle, *top;
	int in[4];
	size_t received;

	for (int k = 0; k < 2; k++)
		parts[k] = crowd_join_as(&crowds[k], DUCT_SUBSCRIPTION(.capacity = 2, .tell_lag = true));
	CHECK_STATUS(duct_merge_new(&middle, parts, 2, NULL), DUCT_OK);
	CHECK_STATUS(duct_merge_new(&top, &middle, 1, NULL), DUCT_OK);
	CHECK(duct_receiver_lag(top) == 0);
	CHECK(sends(crowds[1].tx, 1, 5));
	CHECK_STATUS(duct_receiver_wait(top, 0, NULL), DUCT_LAGGED);
	CHECK(then(top, DUCT_LAGGED) && duct_receiver_lag(top) == 3 && duct_receiver_lag(middle) == 3);
	CHECK(reads(top, 4, 5) && then(top, DUCT_EMPTY));
	CHECK(sends(crowds[0].tx, 1, 3));
	CHECK_STATUS(duct_recv_many(top, in, 1, 4, &received, 0, NULL), DUCT_LAGGED);
	CHECK(received == 0 && duct_receiver_lag(top) == 1 && reads(top, 2, 3));
	duct_receiver_free(top);
	crowd_free(&crowds[0]);
	crowd_free(&crowds[1]);
}

/* ---- Select ------------------------------------------------------------------------------------------------------------ */

/* Beside channels and sends, over merges: each in its turn, and each end is told once. */
TEST(merge_select, is_one_case_among_others, 10)
{
	struct lanes lanes;
	struct test_pair pair = test_pair_new(sizeof(int), 1), full = test_pair_new(sizeof(int), 1);
	duct_receiver *merged;
	int in[2] = { -1, -1 }, out = 50, times[3] = { 0 };
	size_t chosen;

	lanes_init(&lanes, 20);
	merged = lanes_merge(&lanes, false);
	for (int round = 0; round < 300; round++) {
		duct_case cases[] = { DUCT_RECV(merged, &in[0]), DUCT_RECV(pair.rx, &in[1]), DUCT_SEND(full.tx, &out) };

		for (int lane = 0; lane < 20; lane++)
			if (duct_channel_len(lanes.pair[lane].channel) == 0)
				CHECK(sends(lanes.pair[lane].tx, lane, lane));
		if (duct_channel_len(pair.channel) == 0)
			CHECK(sends(pair.tx, 30, 30));
		if (duct_channel_len(full.channel) == 1)
			CHECK(reads(full.rx, 50, 50));
		CHECK_STATUS(duct_select(cases, 3, &chosen), DUCT_OK);
		CHECK_STATUS(cases[chosen].status, DUCT_OK);
		times[chosen]++;
	}
	/* A third each, not 20 of 22. */
	CHECK(times[0] > 50 && times[1] > 50 && times[2] > 50);
	duct_receiver_free(merged);
	test_pair_free(&pair);
	test_pair_free(&full);
	lanes_free(&lanes);
}

/* The same if the select only asks what is ready. */
TEST(merge_select, is_one_ready_case_among_others, 10)
{
	struct lanes lanes;
	struct test_pair pair = test_pair_new(sizeof(int), 1);
	duct_receiver *merged;
	int times[2] = { 0 };
	size_t chosen;

	lanes_init(&lanes, 20);
	merged = lanes_merge(&lanes, false);
	for (int lane = 0; lane < 20; lane++)
		CHECK(sends(lanes.pair[lane].tx, lane, lane));
	CHECK(sends(pair.tx, 30, 30));
	for (int round = 0; round < 300; round++) {
		duct_case cases[] = { DUCT_RECV(merged, NULL), DUCT_RECV(pair.rx, NULL) };

		CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_READY, 0, NULL), DUCT_OK);
		times[chosen]++;
	}
	CHECK(times[0] > 90 && times[1] > 90 && lanes_len(&lanes) == 20);
	duct_receiver_free(merged);
	test_pair_free(&pair);
	lanes_free(&lanes);
}

/* In order of priority a merge comes where it stands; its own sources still take turns. */
TEST(merge_select, keeps_the_order_of_priority, 10)
{
	struct lanes lanes;
	struct test_pair first = test_pair_new(sizeof(int), 8), last = test_pair_new(sizeof(int), 8);
	duct_receiver *merged;
	int in = -1, out = 5;
	size_t chosen;

	lanes_init(&lanes, 3);
	merged = lanes_merge(&lanes, false);
	for (int round = 0; round < 30; round++) {
		duct_case cases[] = { DUCT_RECV(first.rx, &in), DUCT_RECV(merged, &in), DUCT_SEND(last.tx, &out) };
		bool served[3] = { false };

		for (int lane = 0; lane < 3; lane++)
			CHECK(sends(lanes.pair[lane].tx, lane, lane) && sends(lanes.pair[lane].tx, lane, lane));
		CHECK(sends(first.tx, 77, 78));
		for (int k = 0; k < 2; k++) {
			CHECK_STATUS(duct_select_until(cases, 3, &chosen, DUCT_PRIORITY, DUCT_FOREVER, NULL), DUCT_OK);
			CHECK(chosen == 0 && in == 77 + k);
		}
		for (int k = 0; k < 3; k++) {
			CHECK_STATUS(duct_select_until(cases, 3, &chosen, DUCT_PRIORITY, 0, NULL), DUCT_OK);
			CHECK(chosen == 1 && !served[in]);
			served[in] = true;
		}
		for (int k = 0; k < 3; k++)
			CHECK(next_of(merged) < 3);
		CHECK_STATUS(duct_select_until(cases, 3, &chosen, DUCT_PRIORITY, 0, NULL), DUCT_OK);
		CHECK(chosen == 2 && reads(last.rx, 5, 5));
	}
	duct_receiver_free(merged);
	test_pair_free(&first);
	test_pair_free(&last);
	lanes_free(&lanes);
}

/* The same merge twice, and with it a source that it borrows: each message comes once. */
TEST(merge_select, may_be_listed_twice, 5)
{
	struct lanes lanes;
	duct_receiver *merged;
	int in[3], sum = 0;
	size_t chosen;

	lanes_init(&lanes, 2);
	merged = lanes_merge(&lanes, true);
	CHECK(sends(lanes.pair[0].tx, 1, 3) && sends(lanes.pair[1].tx, 4, 6));
	for (int n = 0; n < 6; n++) {
		duct_case cases[] = { DUCT_RECV(merged, &in[0]), DUCT_RECV(merged, &in[1]), DUCT_RECV(lanes.rx[0], &in[2]) };

		CHECK_STATUS(duct_select(cases, 3, &chosen), DUCT_OK);
		sum += in[chosen];
	}
	CHECK(sum == 21 && then(merged, DUCT_EMPTY));
	duct_receiver_free(merged);
	lanes_free(&lanes);
}

/* A merge that has ended is told once and left out then. */
TEST(merge_select, tells_its_end_once, 5)
{
	struct lanes lanes;
	struct test_pair pair = test_pair_new(sizeof(int), 1);
	duct_receiver *merged;
	int in = -1;
	duct_case cases[2];
	size_t chosen;

	lanes_init(&lanes, 2);
	merged = lanes_merge(&lanes, false);
	cases[0] = duct_recv_case(merged, &in);
	cases[1] = duct_recv_case(pair.rx, &in);
	CHECK_STATUS(duct_try_select(cases, 2, &chosen), DUCT_EMPTY);
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, 0, duct_after_ms(5), NULL), DUCT_TIMEDOUT);
	lanes_close(&lanes);
	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	CHECK(chosen == 0 && cases[0].status == DUCT_CLOSED && in == -1);
	CHECK_STATUS(duct_try_select(cases, 2, &chosen), DUCT_EMPTY);
	duct_channel_close(pair.channel, 0);
	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	CHECK(chosen == 1);
	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_CLOSED);
	duct_receiver_free(merged);
	test_pair_free(&pair);
	lanes_free(&lanes);
}

/* Beside cases that are nothing, or have ended: the one that is chosen is told by its place in the array. */
TEST(merge_select, leaves_out_what_is_no_case_any_more, 5)
{
	struct test_pair pair = test_pair_new(0, 1);
	duct_receiver *event;
	size_t chosen = 77;

	CHECK_STATUS(duct_event_new(&event, NULL), DUCT_OK);
	duct_channel_close(pair.channel, 0);
	for (int again = 0; again < 20; again++) {
		duct_case cases[] = { DUCT_RECV(NULL, NULL), DUCT_RECV(pair.rx, NULL), DUCT_RECV(event, NULL) };

		cases[1].status = DUCT_CLOSED;
		CHECK_STATUS(duct_try_select(cases, 3, &chosen), DUCT_EMPTY);
		CHECK_STATUS(duct_event_set(event), DUCT_OK);
		CHECK_STATUS(duct_try_select(cases, 3, &chosen), DUCT_OK);
		CHECK(chosen == 2 && cases[2].status == DUCT_OK);
	}
	duct_receiver_free(event);
	test_pair_free(&pair);
}

/* A thread that selects over a merge and a send is served by either. */
TEST(merge_select, sleeps_for_all_its_cases, 10)
{
	for (int which = 0; which < 3; which++) {
		struct lanes lanes;
		struct test_pair full = test_pair_new(sizeof(int), 0);
		duct_receiver *merged;
		struct test_call call;

		lanes_init(&lanes, 2);
		merged = lanes_merge(&lanes, false);
		test_call_start(&call, SELECT, &(struct test_pair){ .rx = merged }, -1, DUCT_FOREVER, NULL);
		AWAIT(duct_channel_waiting_receivers(lanes.pair[1].channel) == 1);
		if (which < 2)
			CHECK(sends(lanes.pair[which].tx, which, which));
		else
			lanes_close(&lanes);
		CHECK_STATUS(test_call_end(&call), DUCT_OK);
		CHECK(call.message == (which < 2 ? which : -1));
		duct_receiver_free(merged);
		test_pair_free(&full);
		lanes_free(&lanes);
	}
}

/* With a copy and a drop hook a send to a broadcast goes beside a merge: the message that was not chosen is dropped by nobody. */
TEST(merge_select, sends_to_a_broadcast_beside_it, 5)
{
	duct_channel *channel;
	duct_sender *tx;
	duct_receiver *rx[2], *merged;
	struct test_pair pair = test_pair_with(sizeof(struct instance), 2, DUCT_OPTIONS(.drop = instance_drop));
	struct instance in = { -1, -1 }, out = instance_new(9);
	size_t chosen;

	CHECK_STATUS(
	    duct_broadcast_new(&channel, sizeof(struct instance), DUCT_OPTIONS(.drop = instance_drop, .copy = instance_copy)),
	    DUCT_OK);
	CHECK_STATUS(duct_sender_new(channel, &tx), DUCT_OK);
	for (int k = 0; k < 2; k++)
		CHECK_STATUS(
		    duct_subscribe(channel, &rx[k], DUCT_SUBSCRIPTION(.overflow = DUCT_BLOCK, .capacity = 1)), DUCT_OK);
	CHECK_STATUS(duct_merge_new(&merged, &pair.rx, 1, NULL), DUCT_OK);
	pair.rx = NULL;
	for (int round = 0; round < 4; round++) {
		duct_case cases[] = { DUCT_RECV(merged, &in), DUCT_SEND(tx, &out) };

		if (round == 1)
			CHECK_STATUS(instance_send(pair.tx, 4), DUCT_OK);
		if (round == 3)
			CHECK(instances_read(rx[0], 9, 9) && instances_read(rx[1], 9, 9));
		CHECK_STATUS(duct_select_until(cases, 2, &chosen, 0, 0, NULL), round == 2 ? DUCT_TIMEDOUT : DUCT_OK);
		if (round == 0 || round == 3) {
			CHECK(chosen == 1);
			out = instance_new(9);
		} else if (round == 1) {
			CHECK(chosen == 0 && in.number == 4);
			instance_end(&in);
		}
	}
	instance_end(&out);
	duct_receiver_free(merged);
	duct_receiver_free(rx[0]);
	duct_receiver_free(rx[1]);
	duct_sender_free(tx);
	duct_channel_free(channel);
	test_pair_free(&pair);
	CHECK(instances_alive() == 0);
}

/* ---- What else there is to ask ----------------------------------------------------------------------------------------- */

/* It is no channel's, has no statistics and no overflow, and is not made a peekable. */
TEST(merge, answers_as_no_channel, 5)
{
	struct lanes lanes;
	duct_receiver *merged;
	duct_peekable *peekable = NULL;
	duct_stats stats = { 1, 2, 3, 4, 5 };
	char line[100];

	lanes_init(&lanes, 2);
	CHECK_STATUS(duct_merge_new(&merged, lanes.rx, 2, DUCT_COMBINE(.name = "both")), DUCT_OK);
	lanes_give(&lanes);
	CHECK(duct_receiver_channel(merged) == NULL && !duct_receiver_is_cut_off(merged) && duct_receiver_lag(merged) == 0);
	CHECK_STATUS(duct_receiver_stats(merged, &stats), DUCT_UNSUPPORTED);
	CHECK_STATUS(duct_receiver_set_overflow(merged, DUCT_BLOCK), DUCT_UNSUPPORTED);
	CHECK_STATUS(duct_receiver_into_peekable(merged, &peekable), DUCT_UNSUPPORTED);
	CHECK(stats.sent == 1 && peekable == NULL && strcmp(duct_receiver_name(merged), "both") == 0);
	CHECK(sends(lanes.pair[0].tx, 1, 2) && sends(lanes.pair[1].tx, 3, 3) && duct_receiver_len(merged) == 3);
	CHECK(duct_receiver_describe(merged, line, sizeof line) == strlen("merge both: 3 messages of 4 bytes, open"));
	CHECK(strcmp(line, "merge both: 3 messages of 4 bytes, open") == 0);
	CHECK(duct_receiver_describe(merged, NULL, 0) == strlen(line));
	duct_receiver_close(merged);
	CHECK(duct_receiver_describe(merged, line, sizeof line) > 0 && strstr(line, ", closed") != NULL);
	duct_receiver_free(merged);
	lanes_free(&lanes);

	lanes_init(&lanes, 1);
	merged = lanes_merge(&lanes, false);
	CHECK(strncmp(duct_receiver_name(merged), "merge-", 6) == 0);
	duct_receiver_free(merged);
	lanes_free(&lanes);
}

/* A cell and a cache take from a merge as from any receiver, with the hooks of its first source. */
static const void *number_of(const void *message, size_t *size, void *context)
{
	(void)context;
	*size = sizeof(int);
	return &((const struct instance *)message)->number;
}

TEST(merge, feeds_a_cell_and_a_cache, 5)
{
	struct lanes lanes;
	struct instance in = { -1, -1 };
	duct_latest *latest;
	duct_cache *cache;

	lanes_init_with(&lanes, 3, sizeof(struct instance), DUCT_OPTIONS(.drop = instance_drop, .copy = instance_copy));
	CHECK_STATUS(duct_latest_new(&latest, lanes_merge(&lanes, false)), DUCT_OK);
	CHECK_STATUS(duct_latest_get(latest, &in), DUCT_EMPTY);
	for (int n = 1; n <= 6; n++) {
		CHECK_STATUS(instance_send(lanes.pair[n % 3].tx, n), DUCT_OK);
		CHECK_STATUS(duct_latest_get(latest, &in), DUCT_OK);
		CHECK(in.number == n && instances_alive() == 2);
		instance_end(&in);
	}
	duct_latest_free(latest);
	CHECK(instances_alive() == 0 && lanes_received(&lanes) == 0);
	lanes_free(&lanes);

	lanes_init_with(&lanes, 3, sizeof(struct instance), DUCT_OPTIONS(.drop = instance_drop, .copy = instance_copy));
	CHECK_STATUS(duct_cache_new(&cache, lanes_merge(&lanes, false), number_of, NULL), DUCT_OK);
	for (int n = 1; n <= 12; n++)
		CHECK_STATUS(instance_send(lanes.pair[n % 3].tx, n % 5), DUCT_OK);
	CHECK(duct_cache_len(cache) == 5 && lanes_len(&lanes) == 0 && instances_alive() == 5);
	CHECK_STATUS(duct_cache_get(cache, &(int){ 4 }, sizeof(int), &in), DUCT_OK);
	CHECK(in.number == 4);
	instance_end(&in);
	duct_cache_free(cache);
	lanes_free(&lanes);
	CHECK(instances_alive() == 0);
}

/* ---- Many threads ------------------------------------------------------------------------------------------------------ */

struct crossing {
	struct lanes lanes;
	duct_receiver *merged;
	atomic_int received[4]; /* of each lane */
	atomic_bool done;
};

enum { CROSSING_EACH = 4000 };

static void *send_to_a_lane(void *argument)
{
	duct_sender *tx = argument;

	for (int n = 0; n < CROSSING_EACH; n++)
		CHECK_STATUS(duct_send(tx, &n), DUCT_OK);
	return NULL;
}

static void *receive_all(void *argument)
{
	struct crossing *crossing = argument;
	struct tagged in;

	DUCT_FOR_EACH(crossing->merged, &in)
		atomic_fetch_add(&crossing->received[in.source % 4], 1);
	return NULL;
}

/* Removes the lanes in turn and adds them again. */
static void *shuffle_lanes(void *argument)
{
	struct crossing *crossing = argument;
	size_t oldest = 0;

	while (!atomic_load(&crossing->done)) {
		duct_receiver *out;
		size_t number;

		CHECK_STATUS(duct_merge_remove(crossing->merged, oldest++, &out), DUCT_OK);
		CHECK_STATUS(duct_merge_add(crossing->merged, out, false, &number), DUCT_OK);
		CHECK(number == oldest + 3);
	}
	return NULL;
}

/* Threads receive from four senders while the sources go and come: each message arrives once. */
TEST(merge, loses_nothing_while_sources_come_and_go, 30)
{
	static struct crossing crossing;
	pthread_t senders[4], receivers[2], shuffler;

	lanes_init(&crossing.lanes, 4);
	crossing.merged = lanes_merge_tagged(&crossing.lanes);
	for (int t = 0; t < 2; t++)
		receivers[t] = test_start(receive_all, &crossing);
	shuffler = test_start(shuffle_lanes, &crossing);
	for (int t = 0; t < 4; t++)
		senders[t] = test_start(send_to_a_lane, crossing.lanes.pair[t].tx);
	for (int t = 0; t < 4; t++)
		test_join(senders[t]);
	atomic_store(&crossing.done, true);
	test_join(shuffler);
	lanes_close(&crossing.lanes);
	for (int t = 0; t < 2; t++)
		test_join(receivers[t]);
	/* The numbers go round with the lanes. */
	for (int k = 0; k < 4; k++)
		CHECK(crossing.received[k] == CROSSING_EACH);
	duct_receiver_free(crossing.merged);
	lanes_free(&crossing.lanes);
}

/* ---- Losses in the middle of a batch --------------------------------------------------------------------------------------- */

/* What was received before the loss was met is the caller's, and the loss is told with it. */
TEST(merge, tells_of_losses_in_a_batch, 5)
{
	bool met = false;

	for (int round = 0; round < 4; round++) {
		struct test_pair plain = test_pair_new(sizeof(int), 4);
		duct_sender *tx;
		duct_receiver *rx, *merged;
		int numbers[8];
		size_t received, before = 0;
		duct_status status;

		CHECK_STATUS(
		    duct_broadcast_open(&tx, &rx, sizeof(int), DUCT_SUBSCRIPTION(.capacity = 1, .tell_lag = true), NULL),
		    DUCT_OK);
		for (int i = 0; i < 3; i++)
			CHECK_STATUS(duct_send(tx, &i), DUCT_OK);
		CHECK(test_fill(plain.tx) == 4);
		CHECK_STATUS(duct_merge_new(&merged, (duct_receiver *[]){ plain.rx, rx }, 2, NULL), DUCT_OK);
		plain.rx = NULL;
		for (int i = 0; i < round; i++)
			before += duct_try_recv(merged, numbers) == DUCT_OK;
		status = duct_recv_many(merged, numbers, 0, 8, &received, 0, NULL);
		met |= status == DUCT_LAGGED && received > 0;
		CHECK(status == DUCT_LAGGED || duct_receiver_lag(merged) == 2);
		before += received;
		while (duct_recv_many(merged, numbers, 0, 8, &received, 0, NULL) == DUCT_OK)
			before += received;
		CHECK(before == 5 && duct_receiver_lag(merged) == 2);
		duct_receiver_free(merged);
		duct_sender_free(tx);
		test_pair_free(&plain);
	}
	CHECK(met);
}

/* An event that many wait for, each in a merge of its own: the first to leave takes its handle along, and not the event. */
TEST(merge, lets_go_of_what_has_other_handles, 5)
{
	for (int freed = 0; freed < 2; freed++) {
		duct_receiver *event, *own, *merged;

		CHECK_STATUS(duct_event_new(&event, NULL), DUCT_OK);
		CHECK_STATUS(duct_event_new(&own, NULL), DUCT_OK);
		CHECK_STATUS(duct_merge_new(&merged, (duct_receiver *[]){ event, own }, 2, NULL), DUCT_OK);
		CHECK_STATUS(duct_receiver_clone(event, &event), DUCT_OK);
		duct_receiver_close(merged);
		CHECK_STATUS(duct_recv(merged, NULL), DUCT_CLOSED);
		if (freed)
			duct_receiver_free(merged);
		CHECK_STATUS(duct_event_set(event), DUCT_OK);
		CHECK_STATUS(duct_recv(event, NULL), DUCT_OK);
		if (!freed)
			duct_receiver_free(merged);
		CHECK_STATUS(duct_event_set(event), DUCT_OK);
		duct_receiver_free(event);
	}
}

/* A borrowed source that its owner has freed cannot be given back. */
TEST(merge_remove, of_what_its_owner_has_freed_gives_nothing_back, 5)
{
	struct test_pair pairs[2] = { test_pair_new(sizeof(int), 1), test_pair_new(sizeof(int), 1) };
	duct_receiver *merged, *back = NULL;

	CHECK_STATUS(
	    duct_merge_new(&merged, (duct_receiver *[]){ pairs[0].rx, pairs[1].rx }, 2, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	duct_receiver_free(pairs[0].rx);
	pairs[0].rx = NULL;
	CHECK_STATUS(duct_merge_remove(merged, 0, &back), DUCT_CLOSED);
	CHECK(back == NULL);
	CHECK_STATUS(duct_merge_remove(merged, 1, &back), DUCT_OK);
	CHECK(back == pairs[1].rx);
	duct_receiver_free(merged);
	for (int i = 0; i < 2; i++)
		test_pair_free(&pairs[i]);
}
