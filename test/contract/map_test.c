/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Maps, filters and their like: what becomes of each message, whose it is on the way, and what a thread may see that only
 * waits.
 */
#include "instances.h"
#include "lanes.h"

static const duct_options counted = { .size = sizeof(duct_options), .copy = instance_copy, .drop = instance_drop };

/* ---- Functions --------------------------------------------------------------------------------------------------------- */

static int int_at(const void *message)
{
	int number;

	memcpy(&number, message, sizeof number);
	return number;
}

static void plus(void *to, void *from, void *context)
{
	const int sum = int_at(from) + *(int *)context;

	memcpy(to, &sum, sizeof sum);
}

static void is_over(void *to, void *from, void *context)
{
	const bool over = int_at(from) > *(int *)context;

	memcpy(to, &over, sizeof over);
}

static bool over(const void *message, void *context)
{
	return int_at(message) > *(int *)context;
}

static bool even(const void *message, void *context)
{
	(void)context;
	return int_at(message) % 2 == 0;
}

static bool none(const void *message, void *context)
{
	(void)message;
	(void)context;
	return false;
}

static bool any(const void *message, void *context)
{
	(void)message;
	(void)context;
	return true;
}

static bool half_of_even(void *to, void *from, void *context)
{
	const int half = int_at(from) / 2;

	(void)context;
	if (int_at(from) % 2 != 0)
		return false;
	memcpy(to, &half, sizeof half);
	return true;
}

static bool rises(const void *previous, const void *message, void *context)
{
	(void)context;
	return int_at(message) > int_at(previous);
}

static bool always(const void *previous, const void *message, void *context)
{
	(void)previous;
	(void)message;
	(void)context;
	return true;
}

static bool never(const void *previous, const void *message, void *context)
{
	return !always(previous, message, context);
}

static int ten = 10, hundred = 100, four = 4;

static duct_receiver *map_of(duct_receiver *rx, duct_map map, void *context)
{
	duct_receiver *made;

	CHECK_STATUS(duct_map_new(&made, rx, sizeof(int), map, context, NULL), DUCT_OK);
	return made;
}

static duct_receiver *filter_of(duct_receiver *rx, duct_filter keep, void *context)
{
	duct_receiver *made;

	CHECK_STATUS(duct_filter_new(&made, rx, keep, context, NULL), DUCT_OK);
	return made;
}

/* All that make something of one source; they let 2, 4, 6 ... through, some of them halved. */
enum step { MAP, FILTER, FILTER_MAP, TAKE_WHILE, DROP_WHILE, WITH_PREVIOUS, STEPS };

static int zero;

static duct_status step_new(enum step step, duct_receiver **made, duct_receiver *rx, const duct_combine_options *options)
{
	switch (step) {
	case MAP:
		return duct_map_new(made, rx, sizeof(int), plus, &zero, options);
	case FILTER:
		return duct_filter_new(made, rx, even, NULL, options);
	case FILTER_MAP:
		return duct_filter_map_new(made, rx, sizeof(int), half_of_even, NULL, options);
	case TAKE_WHILE:
		return duct_take_while_new(made, rx, any, NULL, options);
	case DROP_WHILE:
		return duct_drop_while_new(made, rx, none, NULL, options);
	default:
		return duct_with_previous_new(made, rx, always, NULL, true, options);
	}
}

/* ---- What becomes of each message -------------------------------------------------------------------------------------- */

/* Both kinds of channels, with one message more than is read. */
static duct_receiver *receiver_of(bool broadcast, duct_sender **tx)
{
	duct_receiver *rx;

	if (broadcast)
		CHECK_STATUS(duct_broadcast_open(tx, &rx, sizeof(int), NULL, NULL), DUCT_OK);
	else
		CHECK_STATUS(duct_anycast_open(tx, &rx, sizeof(int), 20, NULL), DUCT_OK);
	return rx;
}

/* Each message becomes another one, of another type. */
TEST(map, makes_another_message_of_each, 5)
{
	for (int broadcast = 0; broadcast < 2; broadcast++) {
		duct_sender *tx;
		duct_receiver *mapped;
		bool in;

		CHECK_STATUS(duct_map_new(&mapped, receiver_of(broadcast, &tx), sizeof(bool), is_over, &ten, NULL), DUCT_OK);
		CHECK(sends(tx, 8, 8) && sends(tx, 12, 12) && duct_receiver_len(mapped) == 2);
		CHECK_STATUS(duct_recv(mapped, &in), DUCT_OK);
		CHECK(!in);
		CHECK_STATUS(duct_recv(mapped, &in), DUCT_OK);
		CHECK(in);
		CHECK_STATUS(duct_try_recv(mapped, &in), DUCT_EMPTY);
		duct_sender_free(tx);
		CHECK_STATUS(duct_try_recv(mapped, &in), DUCT_CLOSED);
		duct_receiver_free(mapped);
	}
}

/* True keeps. */
TEST(filter, keeps_those_that_its_function_says_true_for, 5)
{
	for (int broadcast = 0; broadcast < 2; broadcast++) {
		duct_sender *tx;
		duct_receiver *filtered = filter_of(receiver_of(broadcast, &tx), over, &ten);

		CHECK(sends(tx, 8, 8) && sends(tx, 12, 12) && sends(tx, 5, 5) && sends(tx, 15, 15));
		CHECK(reads(filtered, 12, 12) && reads(filtered, 15, 15) && then(filtered, DUCT_EMPTY));
		duct_sender_free(tx);
		CHECK(then(filtered, DUCT_CLOSED));
		duct_receiver_free(filtered);
	}
}

/* Both at once: messages of one type among others become that type. */
struct either {
	char text[8]; /* "": a number */
	int number;
};

static bool number_of_either(void *to, void *from, void *context)
{
	const struct either *either = from;

	(void)context;
	if (either->text[0] != '\0')
		return false;
	memcpy(to, &either->number, sizeof either->number);
	return true;
}

TEST(filter_map, keeps_and_makes_in_one, 5)
{
	struct test_pair pair = test_pair_new(sizeof(struct either), 3);
	duct_receiver *numbers;

	CHECK_STATUS(duct_filter_map_new(&numbers, pair.rx, sizeof(int), number_of_either, NULL, NULL), DUCT_OK);
	pair.rx = NULL;
	CHECK_STATUS(duct_send(pair.tx, &(struct either){ "hello", 5 }), DUCT_OK);
	CHECK_STATUS(duct_send(pair.tx, &(struct either){ "", 8 }), DUCT_OK);
	CHECK(reads(numbers, 8, 8) && then(numbers, DUCT_EMPTY));
	duct_receiver_free(numbers);
	test_pair_free(&pair);
}

/* Takes up to the first that is false, drops that one, and ends there: its source is closed and freed, the rest is left. */
TEST(take_while, ends_at_the_first_that_is_false, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 10);
	duct_receiver *taken;

	CHECK_STATUS(duct_take_while_new(&taken, pair.rx, even, NULL, NULL), DUCT_OK);
	pair.rx = NULL;
	CHECK(sends(pair.tx, 2, 2) && sends(pair.tx, 4, 4) && sends(pair.tx, 5, 5) && sends(pair.tx, 6, 6));
	CHECK(reads(taken, 2, 2) && reads(taken, 4, 4) && !duct_receiver_is_closed(taken));
	CHECK(then(taken, DUCT_CLOSED) && then(taken, DUCT_CLOSED) && duct_receiver_is_closed(taken));
	CHECK(duct_channel_receivers(pair.channel) == 0 && duct_channel_len(pair.channel) == 1);
	duct_receiver_free(taken);
	test_pair_free(&pair);
}

/* One that it borrows stays open. */
TEST(take_while, leaves_a_borrowed_source_open, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 10);
	duct_receiver *taken;

	CHECK_STATUS(duct_take_while_new(&taken, pair.rx, even, NULL, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	CHECK(sends(pair.tx, 2, 4) && reads(taken, 2, 2) && then(taken, DUCT_CLOSED) && reads(pair.rx, 4, 4));
	duct_receiver_free(taken);
	test_pair_free(&pair);
}

/* Drops up to the first that is false, and from then on asks no more. */
TEST(drop_while, keeps_all_from_the_first_that_is_false, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 10);
	duct_receiver *rest;

	CHECK_STATUS(duct_drop_while_new(&rest, pair.rx, even, NULL, NULL), DUCT_OK);
	pair.rx = NULL;
	CHECK(sends(pair.tx, 2, 2) && then(rest, DUCT_EMPTY));
	CHECK(sends(pair.tx, 4, 4) && sends(pair.tx, 5, 8) && reads(rest, 5, 8) && then(rest, DUCT_EMPTY));
	duct_channel_close(pair.channel, 0);
	CHECK(then(rest, DUCT_CLOSED));
	duct_receiver_free(rest);
	test_pair_free(&pair);
}

/* What passes of numbers, by a function of each and the one ahead: as bits, the first one lowest. */
static unsigned passing(const int *numbers, int count, duct_compare keep, bool keep_first)
{
	struct test_pair pair = test_pair_new(sizeof(int), 1);
	duct_receiver *filtered;
	unsigned bits = 0;

	CHECK_STATUS(duct_with_previous_new(&filtered, pair.rx, keep, NULL, keep_first, NULL), DUCT_OK);
	pair.rx = NULL;
	for (int n = 0; n < count; n++) {
		int in = -1;

		CHECK(sends(pair.tx, numbers[n], numbers[n]));
		if (duct_try_recv(filtered, &in) == DUCT_OK) {
			CHECK(in == numbers[n]);
			bits |= 1u << n;
		}
	}
	duct_receiver_free(filtered);
	test_pair_free(&pair);
	return bits;
}

/* Compared with the one ahead, whether that was kept or not; the first one is as was asked for. */
TEST(with_previous, compares_each_with_the_one_ahead, 5)
{
	const int numbers[] = { 1, 2, 0, 0, 1, 2 };

	CHECK(passing(numbers, 6, rises, false) == 0x32); /* not yes not not yes yes */
	CHECK(passing(numbers, 6, rises, true) == 0x33);
	CHECK(passing(numbers, 6, always, false) == 0x3e && passing(numbers, 6, always, true) == 0x3f);
	CHECK(passing(numbers, 6, never, false) == 0 && passing(numbers, 6, never, true) == 1);
	CHECK(passing(numbers, 0, always, true) == 0);
	CHECK(passing(numbers, 1, never, true) == 1 && passing(numbers, 1, always, false) == 0);
}

/* Two of them know nothing of each other. */
TEST(with_previous, remembers_for_itself, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *one, *two;

	CHECK_STATUS(duct_with_previous_new(&one, crowd_join(&crowd, DUCT_DROP_OLDEST, 5), rises, NULL, true, NULL), DUCT_OK);
	CHECK(sends(crowd.tx, 5, 5) && reads(one, 5, 5));
	CHECK_STATUS(duct_with_previous_new(&two, crowd_join(&crowd, DUCT_DROP_OLDEST, 5), rises, NULL, true, NULL), DUCT_OK);
	CHECK(sends(crowd.tx, 3, 3) && then(one, DUCT_EMPTY) && reads(two, 3, 3));
	CHECK(sends(crowd.tx, 4, 4) && reads(one, 4, 4) && reads(two, 4, 4));
	duct_receiver_free(one);
	duct_receiver_free(two);
	crowd_free(&crowd);
}

/* ---- Closing ----------------------------------------------------------------------------------------------------------- */

/* Closing it closes its source, and nobody else's. */
TEST(map, that_is_closed_closes_its_source, 5)
{
	for (int filter = 0; filter < 2; filter++) {
		struct crowd crowd = crowd_new(NULL);
		duct_receiver *other = crowd_join(&crowd, DUCT_DROP_OLDEST, 5), *made;

		made = crowd_join(&crowd, DUCT_DROP_OLDEST, 5);
		made = filter ? filter_of(made, over, &ten) : map_of(made, plus, &hundred);
		CHECK(sends(crowd.tx, 21, 21) && reads(made, filter ? 21 : 121, filter ? 21 : 121) && reads(other, 21, 21));
		duct_receiver_close(made);
		duct_receiver_close(made);
		CHECK(duct_receiver_is_closed(made) && duct_channel_receivers(crowd.channel) == 1);
		CHECK(sends(crowd.tx, 22, 23) && then(made, DUCT_CLOSED) && reads(other, 22, 23));
		duct_receiver_free(made);
		duct_receiver_free(other);
		crowd_free(&crowd);
	}
}

/* One that borrows leaves it open, with all that was not received. */
TEST(map, that_borrows_leaves_its_source_as_it_is, 5)
{
	for (enum step step = MAP; step < STEPS; step++) {
		struct test_pair pair = test_pair_new(sizeof(int), 5);
		duct_receiver *made;

		CHECK_STATUS(step_new(step, &made, pair.rx, DUCT_COMBINE(.borrow = true)), DUCT_OK);
		CHECK(sends(pair.tx, 2, 4) && next_of(made) > 0);
		duct_receiver_close(made);
		CHECK(then(made, DUCT_CLOSED) && reads(pair.rx, 3, 4) && !duct_receiver_is_closed(pair.rx));
		duct_receiver_free(made);
		CHECK(duct_channel_receivers(pair.channel) == 1);
		test_pair_free(&pair);
	}
}

/* Each ends when its source has, with the same status. */
TEST(map, ends_as_its_source, 5)
{
	for (enum step step = MAP; step < STEPS; step++) {
		struct crowd crowd = crowd_new(NULL);
		duct_receiver *rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 5), *made;
		duct_peekable *peekable;

		CHECK_STATUS(step_new(step, &made, rx, DUCT_COMBINE(.borrow = true)), DUCT_OK);
		CHECK(sends(crowd.tx, 2, 2));
		CHECK_STATUS(duct_receiver_into_peekable(rx, &peekable), DUCT_OK);
		CHECK(next_of(made) > 0 && then(made, DUCT_INVALIDATED) && then(made, DUCT_INVALIDATED));
		duct_peekable_free(peekable);
		duct_receiver_free(made);
		duct_receiver_free(rx);
		crowd_free(&crowd);
	}
}

/* ---- Whose a message is ------------------------------------------------------------------------------------------------ */

/* The function owns what it got, and makes what the receiver then owns. */
static void renumber(void *to, void *from, void *context)
{
	struct instance old, made;

	memcpy(&old, from, sizeof old);
	made = instance_new(old.number + *(int *)context);
	instance_end(&old);
	memcpy(to, &made, sizeof made);
}

static bool renumber_even(void *to, void *from, void *context)
{
	if (!even(from, NULL))
		return false;
	renumber(to, from, context);
	return true;
}

/* A message is the function's, then the receiver's. */
TEST(map, gives_its_function_the_message, 5)
{
	struct test_pair pair = test_pair_with(sizeof(struct instance), 5, &counted);
	duct_receiver *mapped;

	CHECK_STATUS(duct_map_new(&mapped, pair.rx, sizeof(struct instance), renumber, &ten, NULL), DUCT_OK);
	pair.rx = NULL;
	for (int n = 1; n <= 4; n++)
		CHECK_STATUS(instance_send(pair.tx, n), DUCT_OK);
	CHECK(instances_read(mapped, 11, 13) && instances_alive() == 1);
	duct_receiver_free(mapped);
	test_pair_free(&pair);
	CHECK(instances_alive() == 0 && atomic_load(&instances.dropped) == 1);
}

/* Each that is refused is dropped once, by the hook of the channel that it came from. */
TEST(filter, drops_what_it_refuses, 5)
{
	for (int kind = 0; kind < 5; kind++) {
		struct test_pair pair = test_pair_with(sizeof(struct instance), 9, &counted);
		duct_receiver *made;
		const int dropped = atomic_load(&instances.dropped);

		switch (kind) {
		case 0:
			made = filter_of(pair.rx, over, &four);
			break;
		case 1:
			CHECK_STATUS(
			    duct_filter_map_new(&made, pair.rx, sizeof(struct instance), renumber_even, &zero, NULL), DUCT_OK);
			break;
		case 2:
			CHECK_STATUS(duct_take_while_new(&made, pair.rx, none, NULL, NULL), DUCT_OK);
			break;
		case 3:
			CHECK_STATUS(duct_drop_while_new(&made, pair.rx, any, NULL, NULL), DUCT_OK);
			break;
		default:
			CHECK_STATUS(duct_with_previous_new(&made, pair.rx, never, NULL, false, NULL), DUCT_OK);
		}
		pair.rx = NULL;
		CHECK_STATUS(instance_send(pair.tx, 3), DUCT_OK);
		if (kind != 2) {
			CHECK_STATUS(instance_send(pair.tx, 1), DUCT_OK);
			CHECK_STATUS(duct_try_recv(made, &(struct instance){ 7, 7 }), DUCT_EMPTY);
		} else
			CHECK_STATUS(duct_try_recv(made, &(struct instance){ 7, 7 }), DUCT_CLOSED);
		/* The last of with_previous is one copy that it keeps, and one that it dropped is one more. */
		CHECK(instances_alive() == (kind == 4));
		CHECK(atomic_load(&instances.dropped) - dropped == (kind == 2 ? 1 : kind == 4 ? 3 : 2));
		duct_receiver_free(made);
		test_pair_free(&pair);
		CHECK(instances_alive() == 0);
	}
}

/* A refused message leaves the caller's memory as it was. */
TEST(filter, writes_nothing_but_what_passes, 5)
{
	for (int large = 0; large < 2; large++) {
		static int in[400], out[400];
		struct test_pair pair = test_pair_new(large ? sizeof out : sizeof out[0], 5);
		duct_receiver *filtered = filter_of(pair.rx, even, NULL);

		pair.rx = NULL;
		for (int n = 0; n < 400; n++) {
			in[n] = 77;
			out[n] = 1;
		}
		for (int n = 0; n < 3; n++)
			CHECK_STATUS(duct_send(pair.tx, out), DUCT_OK);
		CHECK_STATUS(duct_try_recv(filtered, in), DUCT_EMPTY);
		CHECK_STATUS(duct_recv_until(filtered, in, duct_after_ms(2), NULL), DUCT_TIMEDOUT);
		for (int n = 0; n < 400; n++)
			CHECK(in[n] == 77);
		out[0] = 2;
		CHECK_STATUS(duct_send(pair.tx, out), DUCT_OK);
		CHECK_STATUS(duct_try_recv(filtered, in), DUCT_OK);
		CHECK(in[0] == 2 && in[1] == (large ? 1 : 77));
		duct_receiver_free(filtered);
		test_pair_free(&pair);
	}
}

/* With a failing copy, or with memory that fails, the next message counts as a first one. */
TEST(with_previous, begins_anew_after_a_copy_that_fails, 5)
{
	for (int keep_first = 0; keep_first < 2; keep_first++) {
		struct test_pair pair = test_pair_with(sizeof(struct instance), 5, &counted);
		duct_receiver *filtered;

		CHECK_STATUS(duct_with_previous_new(&filtered, pair.rx, rises, NULL, keep_first, NULL), DUCT_OK);
		pair.rx = NULL;
		CHECK_STATUS(instance_send(pair.tx, 9), DUCT_OK);
		CHECK(!keep_first || instances_read(filtered, 9, 9));
		CHECK(keep_first || duct_try_recv(filtered, &(struct instance){ 7, 7 }) == DUCT_EMPTY);
		CHECK_STATUS(instance_send(pair.tx, 10), DUCT_OK);
		atomic_store(&instances.fail_in, 1);
		CHECK(instances_read(filtered, 10, 10) && atomic_load(&instances.fail_in) == 0);
		/* 10 was not remembered, so 1 is a first one; 2 is over it. */
		CHECK_STATUS(instance_send(pair.tx, 1), DUCT_OK);
		CHECK(!keep_first || instances_read(filtered, 1, 1));
		CHECK(keep_first || duct_try_recv(filtered, &(struct instance){ 7, 7 }) == DUCT_EMPTY);
		CHECK_STATUS(instance_send(pair.tx, 2), DUCT_OK);
		CHECK(instances_read(filtered, 2, 2) && instances_alive() == 1);
		duct_receiver_free(filtered);
		test_pair_free(&pair);
		CHECK(instances_alive() == 0);
	}
}

/* ---- Waiting ----------------------------------------------------------------------------------------------------------- */

/* To know, it has to take; but however often a thread asks, one message at most is held, and it is the next one. */
TEST(filter_wait, holds_the_message_that_it_found, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 20);
	duct_receiver *filtered = filter_of(pair.rx, even, NULL);
	int in = -1;

	pair.rx = NULL;
	CHECK_STATUS(duct_receiver_wait(filtered, 0, NULL), DUCT_TIMEDOUT);
	CHECK(sends(pair.tx, 1, 8));
	for (int again = 0; again < 50; again++) {
		duct_case cases[] = { DUCT_RECV(filtered, &in) };
		size_t chosen = 77;

		CHECK_STATUS(duct_receiver_wait(filtered, DUCT_FOREVER, NULL), DUCT_OK);
		CHECK_STATUS(duct_select_until(cases, 1, &chosen, DUCT_READY, 0, NULL), DUCT_OK);
		CHECK(chosen == 0 && in == -1 && duct_receiver_len(filtered) == 7 && duct_channel_len(pair.channel) == 6);
	}
	CHECK(reads(filtered, 2, 2) && duct_channel_len(pair.channel) == 6);
	CHECK(reads(filtered, 4, 4) && reads(filtered, 6, 6) && reads(filtered, 8, 8) && then(filtered, DUCT_EMPTY));
	CHECK(sends(pair.tx, 9, 9));
	CHECK_STATUS(duct_receiver_wait(filtered, duct_after_ms(2), NULL), DUCT_TIMEDOUT);
	duct_receiver_free(filtered);
	test_pair_free(&pair);
}

/* What is held outlives the source, and the close of the filter; it is dropped with the filter if nobody receives it. */
TEST(filter_wait, does_not_lose_the_message_that_it_holds, 5)
{
	for (int how = 0; how < 4; how++) {
		struct test_pair pair = test_pair_with(sizeof(struct instance), 5, &counted);
		duct_receiver *filtered = filter_of(pair.rx, even, NULL);

		pair.rx = NULL;
		CHECK_STATUS(instance_send(pair.tx, 2), DUCT_OK);
		CHECK_STATUS(duct_receiver_wait(filtered, 0, NULL), DUCT_OK);
		if (how == 0)
			duct_channel_close(pair.channel, 0);
		else if (how < 3)
			duct_receiver_close(filtered);
		CHECK_STATUS(duct_receiver_wait(filtered, 0, NULL), DUCT_OK);
		if (how < 2) {
			CHECK(instances_read(filtered, 2, 2));
			CHECK_STATUS(duct_try_recv(filtered, &(struct instance){ 7, 7 }), DUCT_CLOSED);
			CHECK_STATUS(duct_receiver_wait(filtered, 0, NULL), DUCT_CLOSED);
		} else
			CHECK(instances_alive() == 1);
		duct_receiver_free(filtered);
		CHECK(instances_alive() == 0 && atomic_load(&instances.dropped) == (how < 3 ? how == 2 : 2));
		test_pair_free(&pair);
	}
}

/* The message that a function is asked for is in nobody's hands; its source may end meanwhile. */
static struct {
	duct_receiver *rx, *filtered;
	duct_peekable *peekable;
} ending;

static bool end_all_and_keep(const void *message, void *context)
{
	(void)message;
	(void)context;
	if (ending.peekable == NULL) {
		CHECK_STATUS(duct_receiver_into_peekable(ending.rx, &ending.peekable), DUCT_OK);
		CHECK(then(ending.filtered, DUCT_EMPTY));
	}
	return true;
}

TEST(filter_wait, holds_a_message_though_the_source_ends_meanwhile, 5)
{
	struct crowd crowd = crowd_new(NULL);

	ending.rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 5);
	CHECK_STATUS(
	    duct_filter_new(&ending.filtered, ending.rx, end_all_and_keep, NULL, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	CHECK(sends(crowd.tx, 6, 6));
	CHECK_STATUS(duct_receiver_wait(ending.filtered, 0, NULL), DUCT_OK);
	CHECK(reads(ending.filtered, 6, 6) && then(ending.filtered, DUCT_INVALIDATED));
	duct_peekable_free(ending.peekable);
	duct_receiver_free(ending.filtered);
	duct_receiver_free(ending.rx);
	crowd_free(&crowd);
}

/* A function that takes its time. */
struct gate {
	atomic_bool asked, goes_on;
};

static bool keep_when_told(const void *message, void *context)
{
	struct gate *gate = context;

	(void)message;
	atomic_store(&gate->asked, true);
	AWAIT(atomic_load(&gate->goes_on));
	return true;
}

static struct {
	struct test_pair pair;
	duct_receiver *filtered;
} slow;

static void *wait_slowly(void *argument)
{
	(void)argument;
	CHECK_STATUS(duct_receiver_wait(slow.filtered, DUCT_FOREVER, NULL), DUCT_OK);
	return NULL;
}

static void *receive_the_last(void *argument)
{
	int in = 0;

	(void)argument;
	CHECK_STATUS(duct_recv(slow.filtered, &in), DUCT_OK);
	CHECK(in == 1);
	CHECK_STATUS(duct_recv(slow.filtered, &in), DUCT_CLOSED);
	return NULL;
}

/* Nobody is told of the end as long as a thread that waits has a message in hand; whoever asks finds nothing there yet. */
TEST(filter_wait, in_full_swing_is_ahead_of_the_end, 10)
{
	for (int closes = 0; closes < 2; closes++)
		for (int waits = 0; waits < 2; waits++) {
			struct gate gate = { .asked = false };
			pthread_t looking, receiving;
			int in;

			slow.pair = test_pair_new(sizeof(int), 4);
			slow.filtered = filter_of(slow.pair.rx, keep_when_told, &gate);
			CHECK(sends(slow.pair.tx, 1, 1));
			looking = test_start(wait_slowly, NULL);
			AWAIT(atomic_load(&gate.asked));
			if (closes)
				duct_receiver_close(slow.filtered);
			else
				duct_channel_close(slow.pair.channel, 0);
			CHECK_STATUS(duct_try_recv(slow.filtered, &in), DUCT_EMPTY);
			CHECK_STATUS(duct_recv_until(slow.filtered, &in, duct_after_ms(2), NULL), DUCT_TIMEDOUT);
			if (waits)
				receiving = test_start(receive_the_last, NULL);
			atomic_store(&gate.goes_on, true);
			test_join(looking);
			if (waits)
				test_join(receiving);
			else
				receive_the_last(NULL);
			slow.pair.rx = NULL;
			duct_receiver_free(slow.filtered);
			test_pair_free(&slow.pair);
		}
}

static struct {
	struct test_pair pair[2];
	duct_receiver *filtered[2];
	int sum;
} two;

/* All that is behind the second one. */
static bool keep_after_the_others(const void *message, void *context)
{
	int in;

	(void)message, (void)context;
	DUCT_FOR_EACH(two.filtered[1], &in)
		two.sum += in;
	return true;
}

static void two_begin(duct_filter keep, struct gate *gate)
{
	for (int k = 0; k < 2; k++) {
		two.pair[k] = test_pair_new(sizeof(int), 4);
		two.filtered[k] = filter_of(two.pair[k].rx, k == 0 ? keep : even, gate);
		two.pair[k].rx = NULL;
	}
	two.sum = 0;
	CHECK(sends(two.pair[0].tx, 1, 1));
}

static void two_end(void)
{
	for (int k = 0; k < 2; k++) {
		duct_receiver_free(two.filtered[k]);
		test_pair_free(&two.pair[k]);
	}
}

static void *select_first(void *argument)
{
	duct_case cases[2] = { DUCT_RECV(two.filtered[0], NULL), DUCT_RECV(two.filtered[1], NULL) };
	size_t chosen = 77;

	(void)argument;
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_READY | DUCT_PRIORITY, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(chosen == 0 && cases[0].status == DUCT_OK);
	return NULL;
}

/* A thread that waits for two, and has a message of the one in hand, keeps nobody from the other, nor from its end. */
TEST(filter_wait, for_two_holds_back_only_one, 10)
{
	struct gate gate = { .asked = false };
	pthread_t looking;

	two_begin(keep_when_told, &gate);
	looking = test_start(select_first, NULL);
	AWAIT(atomic_load(&gate.asked));
	CHECK(sends(two.pair[1].tx, 1, 2));
	CHECK_STATUS(duct_receiver_wait(two.filtered[1], 0, NULL), DUCT_OK);
	CHECK(reads(two.filtered[1], 2, 2));
	duct_channel_close(two.pair[1].channel, 0);
	CHECK(then(two.filtered[1], DUCT_CLOSED));
	atomic_store(&gate.goes_on, true);
	test_join(looking);
	two_end();
}

/* So a function of the one may receive all of the other. */
TEST(filter_wait, for_two_may_receive_the_other_meanwhile, 10)
{
	two_begin(keep_after_the_others, NULL);
	CHECK(sends(two.pair[1].tx, 1, 4));
	duct_channel_close(two.pair[1].channel, 0);
	select_first(NULL);
	CHECK(two.sum == 2 + 4);
	two_end();
}

/* Losses that a wait came upon are told to the next receive, however often a thread waits before. */
TEST(filter_wait, leaves_losses_to_be_told, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *filtered =
	    filter_of(crowd_join_as(&crowd, DUCT_SUBSCRIPTION(.capacity = 4, .tell_lag = true)), even, NULL);

	CHECK(sends(crowd.tx, 1, 8));
	for (int again = 0; again < 10; again++)
		CHECK_STATUS(duct_receiver_wait(filtered, 0, NULL), DUCT_LAGGED);
	CHECK(then(filtered, DUCT_LAGGED) && duct_receiver_lag(filtered) == 4);
	CHECK_STATUS(duct_receiver_wait(filtered, 0, NULL), DUCT_OK);
	CHECK(reads(filtered, 6, 6) && reads(filtered, 8, 8) && then(filtered, DUCT_EMPTY));
	duct_receiver_free(filtered);
	crowd_free(&crowd);
}

/* A map leaves nothing out, so a wait for it takes nothing. */
TEST(map, waits_without_taking, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 5);
	duct_receiver *mapped = map_of(pair.rx, plus, &ten);

	pair.rx = NULL;
	CHECK(sends(pair.tx, 1, 2));
	for (int again = 0; again < 10; again++) {
		CHECK_STATUS(duct_receiver_wait(mapped, DUCT_FOREVER, NULL), DUCT_OK);
		CHECK(duct_channel_len(pair.channel) == 2);
	}
	CHECK(reads(mapped, 11, 12));
	duct_receiver_free(mapped);
	test_pair_free(&pair);
}

/* Of what a filter is part of: what passed is held, as it is there, at the top. */
TEST(filter_wait, holds_at_the_top_of_a_chain, 5)
{
	struct lanes lanes;
	duct_receiver *filtered, *mapped, *parts[2], *merged;

	lanes_init(&lanes, 2);
	filtered = filter_of(lanes.rx[0], even, NULL);
	mapped = map_of(filtered, plus, &hundred);
	parts[0] = mapped;
	parts[1] = lanes.rx[1];
	CHECK_STATUS(duct_merge_new(&merged, parts, 2, NULL), DUCT_OK);
	lanes_give(&lanes);
	CHECK(sends(lanes.pair[0].tx, 1, 4));
	for (int again = 0; again < 20; again++)
		CHECK_STATUS(duct_receiver_wait(merged, 0, NULL), DUCT_OK);
	CHECK(duct_channel_len(lanes.pair[0].channel) == 2 && duct_receiver_len(merged) == 3);
	CHECK(reads(merged, 102, 102) && sends(lanes.pair[1].tx, 7, 7));
	for (int again = 0; again < 20; again++)
		CHECK_STATUS(duct_receiver_wait(merged, 0, NULL), DUCT_OK);
	CHECK(next_of(merged) + next_of(merged) == 111 && then(merged, DUCT_EMPTY));
	duct_receiver_free(merged);
	lanes_free(&lanes);
}

/* A filter of what a map made is asked too, though the map leaves nothing out. */
TEST(filter_wait, asks_the_filter_above_a_map, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 5);
	duct_receiver *filtered = filter_of(map_of(pair.rx, plus, &hundred), even, NULL);

	pair.rx = NULL;
	CHECK(sends(pair.tx, 1, 1));
	CHECK_STATUS(duct_receiver_wait(filtered, 0, NULL), DUCT_TIMEDOUT);
	CHECK(sends(pair.tx, 2, 2));
	CHECK_STATUS(duct_receiver_wait(filtered, 0, NULL), DUCT_OK);
	CHECK(reads(filtered, 102, 102));
	duct_receiver_free(filtered);
	test_pair_free(&pair);
}

/* Two threads wait; when the one that takes from the source gives up, the other one does it. */
TEST(filter_wait, is_passed_on_by_a_thread_that_gives_up, 10)
{
	for (int first = 0; first < 2; first++) {
		struct test_pair pair = test_pair_new(sizeof(int), 5);
		duct_receiver *filtered = filter_of(pair.rx, even, NULL);
		duct_cancel *tokens[2];
		struct test_call calls[2];

		pair.rx = NULL;
		for (int k = 0; k < 2; k++) {
			CHECK_STATUS(duct_cancel_new(&tokens[k], NULL, DUCT_FOREVER), DUCT_OK);
			test_call_start(
			    &calls[k], RECEIVER_WAIT, &(struct test_pair){ .rx = filtered }, -1, DUCT_FOREVER, tokens[k]);
			await_asleep(&calls[k].thread_id);
		}
		CHECK(duct_channel_waiting_receivers(pair.channel) == 1);
		duct_cancel_raise(tokens[first]);
		CHECK_STATUS(test_call_end(&calls[first]), DUCT_CANCELED);
		AWAIT(duct_channel_waiting_receivers(pair.channel) == 1);
		CHECK(sends(pair.tx, 1, 2));
		CHECK_STATUS(test_call_end(&calls[1 - first]), DUCT_OK);
		CHECK(reads(filtered, 2, 2));
		for (int k = 0; k < 2; k++)
			duct_cancel_free(tokens[k]);
		duct_receiver_free(filtered);
		test_pair_free(&pair);
	}
}

/* A message that is found wakes all that wait, and a thread that receives gets it at once. */
TEST(filter_wait, wakes_all_that_wait, 10)
{
	struct test_pair pair = test_pair_new(sizeof(int), 5);
	duct_receiver *filtered = filter_of(pair.rx, even, NULL);
	struct test_call calls[3];

	pair.rx = NULL;
	for (int k = 0; k < 3; k++) {
		wait_start(&calls[k], RECEIVER_WAIT, filtered);
		await_asleep(&calls[k].thread_id);
	}
	CHECK(sends(pair.tx, 1, 2));
	for (int k = 0; k < 3; k++)
		CHECK_STATUS(test_call_end(&calls[k]), DUCT_OK);
	CHECK(reads(filtered, 2, 2));
	wait_start(&calls[0], RECEIVER_WAIT, filtered);
	AWAIT(duct_channel_waiting_receivers(pair.channel) == 1);
	test_recv_start(&calls[1], filtered);
	AWAIT(duct_channel_waiting_receivers(pair.channel) == 2);
	CHECK(sends(pair.tx, 4, 4) && sends(pair.tx, 6, 6));
	CHECK_STATUS(test_call_end(&calls[1]), DUCT_OK);
	CHECK_STATUS(test_call_end(&calls[0]), DUCT_OK);
	CHECK(calls[1].message == 4 || calls[1].message == 6);
	CHECK(next_of(filtered) + calls[1].message == 10);
	duct_receiver_free(filtered);
	test_pair_free(&pair);
}

/* Closed, or freed, while threads wait in every way: they say so, and keep what they need until then. */
TEST(filter, is_freed_while_threads_wait, 20)
{
	for (enum step step = MAP; step < STEPS; step++)
		for (size_t r = 0; r < ARRAY_LEN(receives); r++)
			for (int borrow = 0; borrow < 2; borrow++) {
				struct test_pair pair = test_pair_new(sizeof(int), 5);
				duct_receiver *made;
				struct test_call calls[2];

				CHECK_STATUS(step_new(step, &made, pair.rx, DUCT_COMBINE(.borrow = borrow)), DUCT_OK);
				if (!borrow)
					pair.rx = NULL;
				for (int k = 0; k < 2; k++) {
					wait_start(&calls[k], receives[r], made);
					AWAIT(duct_channel_waiting_receivers(pair.channel) > 0);
				}
				await_asleep(&calls[1].thread_id);
				duct_receiver_free(made);
				for (int k = 0; k < 2; k++) {
					CHECK_STATUS(test_call_end(&calls[k]), receives[r] == SELECT ? DUCT_OK : DUCT_CLOSED);
					CHECK(calls[k].message == -1);
				}
				CHECK(test_pair_is_quiet(&pair) && (size_t)borrow == duct_channel_receivers(pair.channel));
				test_pair_free(&pair);
			}
}

/* ---- Others that send what is refused ---------------------------------------------------------------------------------- */

struct flood {
	struct test_pair pair;
	atomic_bool done;
};

static void *flood_with_odd(void *argument)
{
	struct flood *flood = argument;

	while (!atomic_load(&flood->done))
		CHECK(duct_send_until(flood->pair.tx, &(int){ 1 }, duct_after_ms(1), NULL) != DUCT_INVALID);
	return NULL;
}

/* However many come that are refused, a try ends, a deadline ends and a token ends. */
TEST(filter, ends_on_time_in_a_flood_of_what_it_refuses, 20)
{
	struct flood flood = { .pair = test_pair_new(sizeof(int), 64) };
	duct_receiver *filtered = filter_of(flood.pair.rx, even, NULL);
	struct test_call call;
	duct_cancel *token;
	pthread_t thread;

	flood.pair.rx = NULL;
	CHECK_STATUS(duct_cancel_new(&token, NULL, DUCT_FOREVER), DUCT_OK);
	thread = test_start(flood_with_odd, &flood);
	for (int again = 0; again < 200; again++) {
		CHECK(then(filtered, DUCT_EMPTY));
		CHECK_STATUS(duct_receiver_wait(filtered, 0, NULL), DUCT_TIMEDOUT);
	}
	for (int again = 0; again < 10; again++) {
		duct_time before = duct_now();
		int in = -1;

		CHECK_STATUS(duct_recv_until(filtered, &in, before + 2000000, NULL), DUCT_TIMEDOUT);
		CHECK(duct_now() >= before + 2000000 && in == -1);
		CHECK_STATUS(duct_receiver_wait(filtered, duct_after_ms(1), NULL), DUCT_TIMEDOUT);
	}
	for (size_t r = 1; r < ARRAY_LEN(receives); r++) {
		duct_cancel *raised;

		CHECK_STATUS(duct_cancel_new(&raised, token, DUCT_FOREVER), DUCT_OK);
		test_call_start(&call, receives[r], &(struct test_pair){ .rx = filtered }, -1, DUCT_FOREVER, raised);
		AWAIT(atomic_load(&call.thread_id) != 0);
		duct_cancel_raise(raised);
		CHECK_STATUS(test_call_end(&call), DUCT_CANCELED);
		duct_cancel_free(raised);
	}
	CHECK_STATUS(duct_recv_until(filtered, &(int){ 0 }, DUCT_FOREVER, (duct_cancel_raise(token), token)), DUCT_CANCELED);
	atomic_store(&flood.done, true);
	test_join(thread);
	duct_cancel_free(token);
	duct_receiver_free(filtered);
	test_pair_free(&flood.pair);
}

/* And others have their turns: another case of a select, another source of a merge. */
TEST(filter, in_a_flood_of_what_it_refuses_leaves_others_their_turns, 20)
{
	struct flood flood = { .pair = test_pair_new(sizeof(int), 64) };
	struct test_pair pair = test_pair_new(sizeof(int), 200);
	duct_receiver *filtered = filter_of(flood.pair.rx, even, NULL), *merged;
	pthread_t thread;

	flood.pair.rx = NULL;
	CHECK_STATUS(
	    duct_merge_new(&merged, (duct_receiver *[]){ filtered, pair.rx }, 2, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	thread = test_start(flood_with_odd, &flood);
	for (int n = 0; n < 200; n += 2) {
		int in = -1;
		duct_case cases[] = { DUCT_RECV(filtered, &in), DUCT_RECV(pair.rx, &in) };
		size_t chosen;

		CHECK(sends(pair.tx, n, n + 1));
		CHECK_STATUS(duct_recv(merged, &in), DUCT_OK);
		CHECK(in == n);
		CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
		CHECK(chosen == 1 && in == n + 1);
	}
	atomic_store(&flood.done, true);
	test_join(thread);
	duct_receiver_free(merged);
	duct_receiver_free(filtered);
	test_pair_free(&pair);
	test_pair_free(&flood.pair);
}

/* ---- Functions that call the library ----------------------------------------------------------------------------------- */

static struct {
	struct test_pair pair;
	duct_receiver *made;
	int calls;
} caller;

/* Whatever could be locked is not. */
static void call_the_library(int number)
{
	duct_receiver *clone;
	char line[100];
	int in;

	caller.calls++;
	CHECK(duct_receiver_len(caller.made) < 10 && !duct_receiver_is_closed(caller.made));
	CHECK(duct_receiver_describe(caller.made, line, sizeof line) > 0);
	CHECK_STATUS(duct_receiver_clone(caller.made, &clone), DUCT_OK);
	duct_receiver_free(clone);
	CHECK(duct_channel_len(caller.pair.channel) < 10);
	if (number == 2) { /* once more, from here; and that is another message */
		CHECK(sends(caller.pair.tx, 4, 4));
		CHECK_STATUS(duct_try_recv(caller.made, &in), DUCT_OK);
		CHECK(in == 4 || in == 104);
	}
}

static void plus_calling(void *to, void *from, void *context)
{
	call_the_library(int_at(from));
	plus(to, from, context);
}

static bool even_calling(const void *message, void *context)
{
	call_the_library(int_at(message));
	return even(message, context);
}

static bool half_calling(void *to, void *from, void *context)
{
	plus_calling(to, from, context);
	return true;
}

static bool not_calling(const void *message, void *context)
{
	return !even_calling(message, context);
}

static bool rises_calling(const void *previous, const void *message, void *context)
{
	(void)previous;
	(void)context;
	call_the_library(int_at(message));
	return true;
}

static duct_status calling_step_new(enum step step, duct_receiver *rx)
{
	switch (step) {
	case MAP:
		return duct_map_new(&caller.made, rx, sizeof(int), plus_calling, &hundred, NULL);
	case FILTER:
		return duct_filter_new(&caller.made, rx, even_calling, NULL, NULL);
	case FILTER_MAP:
		return duct_filter_map_new(&caller.made, rx, sizeof(int), half_calling, &hundred, NULL);
	case TAKE_WHILE:
		return duct_take_while_new(&caller.made, rx, even_calling, NULL, NULL);
	case DROP_WHILE:
		return duct_drop_while_new(&caller.made, rx, not_calling, NULL, NULL);
	default:
		return duct_with_previous_new(&caller.made, rx, rises_calling, NULL, true, NULL);
	}
}

/* The functions hold no lock: they may send to the source and receive from what they are a function of. */
TEST(map, calls_its_function_without_a_lock, 10)
{
	for (enum step step = MAP; step < STEPS; step++)
		for (int waits = 0; waits < 2; waits++) {
			caller.pair = test_pair_new(sizeof(int), 5);
			caller.calls = 0;
			CHECK_STATUS(calling_step_new(step, caller.pair.rx), DUCT_OK);
			caller.pair.rx = NULL;
			CHECK(sends(caller.pair.tx, 2, 2));
			if (waits)
				CHECK_STATUS(duct_receiver_wait(caller.made, DUCT_FOREVER, NULL), DUCT_OK);
			CHECK(next_of(caller.made) % 100 == 2);
			CHECK(sends(caller.pair.tx, 6, 6) && next_of(caller.made) % 100 == 6);
			CHECK(caller.calls >= 1);
			duct_receiver_free(caller.made);
			test_pair_free(&caller.pair);
		}
}

/* A function may free the receiver that it is a function of: it goes when the call ends. */
static bool free_and_keep(const void *message, void *context)
{
	duct_receiver **made = context;

	(void)message;
	duct_receiver_free(*made);
	*made = NULL;
	return false;
}

TEST(filter, may_be_freed_by_its_function, 5)
{
	for (size_t r = 0; r < ARRAY_LEN(receives); r++) {
		struct test_pair pair = test_pair_new(sizeof(int), 5);
		duct_receiver *filtered = filter_of(pair.rx, free_and_keep, &filtered);
		int in = -1;

		pair.rx = NULL;
		CHECK(sends(pair.tx, 1, 1));
		CHECK_STATUS(test_act(receives[r], &(struct test_pair){ .rx = filtered }, &in, DUCT_FOREVER, NULL),
		    receives[r] == SELECT ? DUCT_OK : DUCT_CLOSED);
		CHECK(filtered == NULL && in == -1 && duct_channel_receivers(pair.channel) == 0);
		test_pair_free(&pair);
	}
}

/* Cancellation is off in functions and hooks, and a thread that is canceled meanwhile loses nothing. */
static bool cancel_point(const void *message, void *context)
{
	int state;

	(void)context;
	pthread_testcancel();
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	CHECK(state == PTHREAD_CANCEL_DISABLE);
	return even(message, NULL);
}

static void drop_point(void *message, void *context)
{
	(void)cancel_point(&(int){ 2 }, NULL);
	instance_drop(message, context);
}

static int copy_point(void *to, const void *from, void *context)
{
	(void)cancel_point(&(int){ 2 }, NULL);
	return instance_copy(to, from, context);
}

static bool compare_point(const void *previous, const void *message, void *context)
{
	(void)previous;
	return cancel_point(message, context);
}

static void map_point(void *to, void *from, void *context)
{
	(void)cancel_point(from, NULL);
	renumber(to, from, context);
}

static __attribute__((noinline)) void receive_canceled(struct test_pair *pair)
{
	duct_receiver *compared, *mapped;
	int state, got = 0;
	struct instance in;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	pthread_cancel(pthread_self());
	CHECK_STATUS(duct_with_previous_new(&compared, pair->rx, compare_point, NULL, false, NULL), DUCT_OK);
	CHECK_STATUS(duct_map_new(&mapped, compared, sizeof(struct instance), map_point, &zero,
			 DUCT_COMBINE(.drop = drop_point, .copy = copy_point)),
	    DUCT_OK);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
	while (duct_try_recv(mapped, &in) == DUCT_OK) {
		instance_end(&in);
		if (++got == 2 && duct_receiver_wait(mapped, 0, NULL) != DUCT_OK)
			break;
		if (got == 2)
			break;
	}
	duct_receiver_free(mapped);
}

/* Is unwound from here, where AddressSanitizer has marked nothing. */
static void *canceled_all_the_time(void *pair)
{
	receive_canceled(pair);
	pthread_testcancel();
	return NULL;
}

TEST(map, holds_cancellation_off, 5)
{
	struct test_pair pair =
	    test_pair_with(sizeof(struct instance), 9, DUCT_OPTIONS(.drop = drop_point, .copy = copy_point));
	void *end;
	pthread_t thread;

	for (int n = 1; n <= 8; n++)
		CHECK_STATUS(instance_send(pair.tx, n), DUCT_OK);
	thread = test_start(canceled_all_the_time, &pair);
	CHECK(pthread_join(thread, &end) == 0 && end == PTHREAD_CANCELED);
	pair.rx = NULL;
	test_pair_free(&pair);
	CHECK(instances_alive() == 0);
}

/* ---- As any receiver --------------------------------------------------------------------------------------------------- */

/* ThreadSanitizer knows of so many locks at once only. */
#define CHAINED (TEST_THREAD_SANITIZED ? 20 : 100)

/* A hundred of them on top of each other, freed by the last. */
TEST(map, of_maps_a_hundred_times_is_as_one, 10)
{
	struct test_pair pair = test_pair_new(sizeof(int), 5);
	static int one = 1;
	duct_receiver *top = pair.rx;
	struct test_call call;

	for (int n = 0; n < CHAINED; n++)
		top = n % 10 == 9 ? filter_of(top, any, NULL) : map_of(top, plus, &one);
	pair.rx = NULL;
	CHECK(sends(pair.tx, 0, 2) && reads(top, CHAINED * 9 / 10, CHAINED * 9 / 10 + 1));
	CHECK_STATUS(duct_receiver_wait(top, 0, NULL), DUCT_OK);
	CHECK(reads(top, CHAINED * 9 / 10 + 2, CHAINED * 9 / 10 + 2) && then(top, DUCT_EMPTY));
	test_recv_start(&call, top);
	AWAIT(duct_channel_waiting_receivers(pair.channel) == 1);
	CHECK(sends(pair.tx, 10, 10));
	CHECK_STATUS(test_call_end(&call), DUCT_OK);
	CHECK(call.message == 10 + CHAINED * 9 / 10);
	duct_channel_close(pair.channel, 0);
	CHECK(then(top, DUCT_CLOSED) && duct_channel_receivers(pair.channel) == 0);
	duct_receiver_free(top);
	test_pair_free(&pair);
}

/* Of messages of any size, to any size. */
static void widen(void *to, void *from, void *context)
{
	(void)context;
	memset(to, *(unsigned char *)from, 3000);
}

static void narrow(void *to, void *from, void *context)
{
	(void)context;
	memcpy(to, (unsigned char *)from + 2999, 1);
}

static void forget(void *to, void *from, void *context)
{
	(void)to;
	(void)from;
	(void)context;
}

static void *send_wide(void *sender)
{
	static unsigned char out[3000];

	memset(out, 'd', sizeof out);
	CHECK_STATUS(duct_send(sender, out), DUCT_OK);
	return NULL;
}

TEST(map, is_of_messages_of_any_size, 5)
{
	struct test_pair pair = test_pair_new(1, 5);
	static unsigned char out[3000];
	duct_receiver *wide, *nothing;
	unsigned char in = 0;
	pthread_t sender;

	CHECK_STATUS(duct_map_new(&wide, pair.rx, 3000, widen, NULL, NULL), DUCT_OK);
	pair.rx = NULL;
	CHECK_STATUS(duct_map_new(&nothing, wide, 1, narrow, NULL, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	CHECK_STATUS(duct_send(pair.tx, "a"), DUCT_OK);
	CHECK_STATUS(duct_try_recv(nothing, &in), DUCT_OK);
	CHECK(in == 'a');
	duct_receiver_free(nothing);
	CHECK_STATUS(duct_map_new(&nothing, wide, 0, forget, NULL, NULL), DUCT_OK);
	CHECK_STATUS(duct_send(pair.tx, "b"), DUCT_OK);
	CHECK_STATUS(duct_receiver_wait(nothing, 0, NULL), DUCT_OK);
	CHECK_STATUS(duct_try_recv(nothing, NULL), DUCT_OK);
	CHECK_STATUS(duct_try_recv(nothing, &in), DUCT_EMPTY);
	duct_receiver_free(nothing);
	test_pair_free(&pair);

	pair = test_pair_new(sizeof out, 5);
	memset(out, 'c', sizeof out);
	CHECK_STATUS(duct_map_new(&nothing, pair.rx, 1, narrow, NULL, NULL), DUCT_OK);
	pair.rx = NULL;
	CHECK_STATUS(duct_send(pair.tx, out), DUCT_OK);
	CHECK_STATUS(duct_try_recv(nothing, &in), DUCT_OK);
	CHECK(in == 'c');
	duct_receiver_free(nothing);
	test_pair_free(&pair);

	pair = test_pair_new(sizeof out, 0);
	CHECK_STATUS(duct_map_new(&nothing, pair.rx, 1, narrow, NULL, NULL), DUCT_OK);
	pair.rx = NULL;
	sender = test_start(send_wide, pair.tx);
	CHECK_STATUS(duct_recv(nothing, &in), DUCT_OK);
	CHECK(in == 'd');
	test_join(sender);
	duct_receiver_free(nothing);
	test_pair_free(&pair);
}

enum { ODD_SIZE = 300, EVEN_SIZE = 272 };

static void check_alignment(void *to, void *from, void *context)
{
	(void)context;
	CHECK((uintptr_t)to % _Alignof(max_align_t) == 0 && (uintptr_t)from % 4 == 0);
	memcpy(to, from, EVEN_SIZE);
}

/* A message of a multiple of the largest alignment has that, whatever the size of what it is made from. */
TEST(map, is_given_aligned_memory, 5)
{
	struct test_pair pair = test_pair_new(ODD_SIZE, 1);
	unsigned char out[ODD_SIZE] = { 7 }, in[EVEN_SIZE] = { 0 };
	duct_receiver *mapped = NULL;

	CHECK_STATUS(duct_map_new(&mapped, pair.rx, EVEN_SIZE, check_alignment, NULL, NULL), DUCT_OK);
	pair.rx = NULL;
	CHECK_STATUS(duct_send(pair.tx, out), DUCT_OK);
	CHECK_STATUS(duct_try_recv(mapped, in), DUCT_OK);
	CHECK(in[0] == 7);
	duct_receiver_free(mapped);
	test_pair_free(&pair);
}

/* Without waiting, until a deadline, in batches; the odd ones are left out. */
TEST(filter, is_received_from_in_every_way, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 20);
	duct_receiver *filtered = filter_of(pair.rx, even, NULL);
	int in[6] = { -1, -1, -1, -1, -1, -1 };
	size_t received = 77;

	pair.rx = NULL;
	CHECK(sends(pair.tx, 1, 9));
	CHECK_STATUS(duct_recv_many(filtered, in, 1, 3, &received, 0, NULL), DUCT_OK);
	CHECK(received == 3 && in[0] == 2 && in[1] == 4 && in[2] == 6 && in[3] == -1);
	CHECK_STATUS(duct_recv_many(filtered, in, 2, 6, &received, duct_after_ms(2), NULL), DUCT_TIMEDOUT);
	CHECK(received == 1 && in[0] == 8 && duct_channel_len(pair.channel) == 0);
	CHECK_STATUS(duct_recv_many(filtered, in, 0, 6, &received, 0, NULL), DUCT_EMPTY);
	CHECK(received == 0 && sends(pair.tx, 10, 13));
	duct_channel_close(pair.channel, 0);
	CHECK_STATUS(duct_recv_many(filtered, in, 6, 6, &received, DUCT_FOREVER, NULL), DUCT_CLOSED);
	CHECK(received == 2 && in[0] == 10 && in[1] == 12);
	duct_receiver_free(filtered);
	test_pair_free(&pair);
}

/* A thread that waits sleeps through what is refused, and has what passes. */
TEST(filter, wakes_for_what_passes, 10)
{
	for (size_t r = 0; r < ARRAY_LEN(receives); r++) {
		struct test_pair pair = test_pair_new(sizeof(int), 0);
		duct_receiver *filtered = filter_of(pair.rx, even, NULL);
		struct test_call call;

		pair.rx = NULL;
		wait_start(&call, receives[r], filtered);
		for (int n = 1; n <= 9; n += 2)
			CHECK_STATUS(duct_send(pair.tx, &n), DUCT_OK);
		AWAIT(duct_channel_waiting_receivers(pair.channel) == 1);
		CHECK(!atomic_load(&call.done) && call.message == -1);
		CHECK_STATUS(duct_send(pair.tx, &(int){ 10 }), DUCT_OK);
		CHECK_STATUS(test_call_end(&call), DUCT_OK);
		CHECK(receives[r] == RECEIVER_WAIT ? reads(filtered, 10, 10) : call.message == 10);
		duct_receiver_free(filtered);
		test_pair_free(&pair);
	}
}

/* It is no channel's, and tells what it is. */
TEST(map, answers_as_no_channel, 5)
{
	static const char *const kinds[] = { "map", "filter", "filter-map", "take-while", "drop-while", "with-previous" };

	for (enum step step = MAP; step < STEPS; step++) {
		struct test_pair pair = test_pair_new(sizeof(int), 5);
		duct_receiver *made, *clone;
		duct_stats stats;
		char line[100], expected[100];

		CHECK_STATUS(step_new(step, &made, pair.rx, step == MAP ? NULL : DUCT_COMBINE(.name = "few")), DUCT_OK);
		pair.rx = NULL;
		CHECK(sends(pair.tx, 2, 3) && duct_receiver_channel(made) == NULL && duct_receiver_len(made) == 2);
		CHECK_STATUS(duct_receiver_stats(made, &stats), DUCT_UNSUPPORTED);
		CHECK_STATUS(duct_merge_add(made, made, false, NULL), DUCT_UNSUPPORTED);
		CHECK(strncmp(duct_receiver_name(made), step == MAP ? "map-" : "few", step == MAP ? 4 : 5) == 0);
		snprintf(
		    expected, sizeof expected, "%s %s: 2 messages of 4 bytes, open", kinds[step], duct_receiver_name(made));
		CHECK(duct_receiver_describe(made, line, sizeof line) == strlen(expected) && strcmp(line, expected) == 0);
		CHECK_STATUS(duct_receiver_clone(made, &clone), DUCT_OK);
		duct_receiver_free(made);
		CHECK(!duct_receiver_is_closed(clone) && next_of(clone) > 0);
		duct_receiver_free(clone);
		CHECK(duct_channel_receivers(pair.channel) == 0);
		test_pair_free(&pair);
	}
}

/* What can never work is refused, and the source is still the caller's. */
TEST(map, refuses_what_can_never_work, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 5);
	duct_combine_options unknown = DUCT_COMBINE_OPTIONS_INIT;
	duct_receiver *made = NULL, *rx = pair.rx;

	unknown.size++;
	for (enum step step = MAP; step < STEPS; step++) {
		CHECK_STATUS(step_new(step, NULL, rx, NULL), DUCT_INVALID);
		CHECK_STATUS(step_new(step, &made, NULL, NULL), DUCT_INVALID);
		CHECK_STATUS(step_new(step, &made, rx, &unknown), DUCT_INVALID);
	}
	CHECK_STATUS(duct_map_new(&made, rx, 4, NULL, NULL, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_map_new(&made, rx, SIZE_MAX, plus, NULL, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_filter_new(&made, rx, NULL, NULL, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_filter_map_new(&made, rx, 4, NULL, NULL, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_filter_map_new(&made, rx, SIZE_MAX, half_of_even, NULL, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_take_while_new(&made, rx, NULL, NULL, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_drop_while_new(&made, rx, NULL, NULL, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_with_previous_new(&made, rx, NULL, NULL, true, NULL), DUCT_INVALID);
	CHECK(made == NULL && duct_channel_receivers(pair.channel) == 1 && sends(pair.tx, 1, 1) && reads(rx, 1, 1));
	test_pair_free(&pair);
}

/* A cell and a cache take what passes, with the hooks of what it is. */
static const void *number_of(const void *message, size_t *size, void *context)
{
	(void)context;
	*size = sizeof(int);
	return &((const struct instance *)message)->number;
}

TEST(map, feeds_a_cell_and_a_cache, 5)
{
	struct test_pair pair = test_pair_with(sizeof(struct instance), 20, &counted);
	duct_receiver *mapped;
	struct instance in = { -1, -1 };
	duct_latest *latest;
	duct_cache *cache;

	CHECK_STATUS(duct_filter_map_new(&mapped, pair.rx, sizeof(struct instance), renumber_even, &ten,
			 DUCT_COMBINE(.borrow = true, .drop = instance_drop, .copy = instance_copy)),
	    DUCT_OK);
	CHECK_STATUS(duct_latest_new(&latest, mapped), DUCT_OK);
	for (int n = 1; n <= 5; n++)
		CHECK_STATUS(instance_send(pair.tx, n), DUCT_OK);
	CHECK_STATUS(duct_latest_get(latest, &in), DUCT_OK);
	CHECK(in.number == 14 && instances_alive() == 2);
	instance_end(&in);
	duct_latest_free(latest);
	CHECK(instances_alive() == 0);
	CHECK_STATUS(duct_map_new(&mapped, pair.rx, sizeof(struct instance), renumber, &ten,
			 DUCT_COMBINE(.drop = instance_drop, .copy = instance_copy)),
	    DUCT_OK);
	pair.rx = NULL;
	CHECK_STATUS(duct_cache_new(&cache, mapped, number_of, NULL), DUCT_OK);
	for (int n = 1; n <= 9; n++)
		CHECK_STATUS(instance_send(pair.tx, n % 3), DUCT_OK);
	CHECK(duct_cache_len(cache) == 3 && instances_alive() == 3);
	CHECK_STATUS(duct_cache_pop(cache, &(int){ 12 }, sizeof(int), &in), DUCT_OK);
	CHECK(in.number == 12);
	instance_end(&in);
	duct_cache_free(cache);
	test_pair_free(&pair);
	CHECK(instances_alive() == 0);
}

/* ---- Many threads ------------------------------------------------------------------------------------------------------ */

struct sharing {
	struct test_pair pair;
	duct_receiver *made;
	atomic_int asked, received, sum;
};

enum { SHARED = 12000 };

static bool ask_whether_even(const void *message, void *context)
{
	struct sharing *sharing = context;

	atomic_fetch_add(&sharing->asked, 1);
	return even(message, NULL);
}

static bool ask_of_two(const void *previous, const void *message, void *context)
{
	(void)previous;
	return ask_whether_even(message, context);
}

static void took(struct sharing *sharing, int message)
{
	atomic_fetch_add(&sharing->received, 1);
	atomic_fetch_add(&sharing->sum, message / 2);
}

static void *share_receiving(void *argument)
{
	struct sharing *sharing = argument;
	int in;

	DUCT_FOR_EACH(sharing->made, &in)
		took(sharing, in);
	return NULL;
}

/* Only receives what it was told is ready. */
static void *share_waiting(void *argument)
{
	struct sharing *sharing = argument;
	duct_status status;
	int in;

	while ((status = duct_receiver_wait(sharing->made, DUCT_FOREVER, NULL)) == DUCT_OK)
		while (duct_try_recv(sharing->made, &in) == DUCT_OK)
			took(sharing, in);
	CHECK_STATUS(status, DUCT_CLOSED);
	return NULL;
}

/* Gives up all the time. */
static void *share_impatiently(void *argument)
{
	struct sharing *sharing = argument;
	uint32_t seed = 12345;
	int in;

	for (;;) {
		duct_case cases[] = { DUCT_RECV(sharing->made, &in) };
		size_t chosen;
		duct_status status =
		    duct_select_until(cases, 1, &chosen, DUCT_READY, duct_after_ns(test_random(&seed) % 30000), NULL);

		if (status == DUCT_OK && cases[0].status == DUCT_CLOSED)
			return NULL;
		CHECK(status == DUCT_OK || status == DUCT_TIMEDOUT);
		if (test_random(&seed) % 3 == 0 &&
		    duct_recv_until(sharing->made, &in, duct_after_ns(test_random(&seed) % 30000), NULL) == DUCT_OK)
			took(sharing, in);
	}
}

static void share(struct sharing *sharing, void *(*const run[])(void *), int threads)
{
	pthread_t thread[4];

	for (int t = 0; t < threads; t++)
		thread[t] = test_start(run[t], sharing);
	for (int n = 0; n < SHARED; n++)
		CHECK_STATUS(duct_send(sharing->pair.tx, &n), DUCT_OK);
	duct_channel_close(sharing->pair.channel, 0);
	for (int t = 0; t < threads; t++)
		test_join(thread[t]);
	CHECK(sharing->asked == SHARED && sharing->received == SHARED / 2);
	CHECK(sharing->sum == SHARED / 2 * (SHARED / 2 - 1) / 2);
	duct_receiver_free(sharing->made);
	test_pair_free(&sharing->pair);
}

/* Threads that receive from one filter: each message is asked for once and arrives once. */
TEST(filter, is_shared_by_threads, 30)
{
	static struct sharing sharing;
	void *(*const run[])(void *) = { share_receiving, share_receiving, share_receiving };

	sharing.pair = test_pair_new(sizeof(int), 8);
	sharing.made = filter_of(sharing.pair.rx, ask_whether_even, &sharing);
	sharing.pair.rx = NULL;
	share(&sharing, run, 3);
}

/* The same where some only wait, or give up, while others receive. */
TEST(filter_wait, is_shared_by_threads, 30)
{
	for (size_t capacity = 0; capacity <= 8; capacity += 8) {
		static struct sharing sharing;
		void *(*const run[])(void *) = { share_waiting, share_receiving, share_impatiently, share_waiting };

		memset(&sharing, 0, sizeof sharing);
		sharing.pair = test_pair_new(sizeof(int), capacity);
		sharing.made = filter_of(sharing.pair.rx, ask_whether_even, &sharing);
		sharing.pair.rx = NULL;
		share(&sharing, run, 4);
	}
}

/* Threads that compare at once: each message once, and each copy ends. */
static void *share_instances(void *argument)
{
	duct_receiver *rx = argument;
	struct instance in;

	DUCT_FOR_EACH(rx, &in)
		instance_end(&in);
	return NULL;
}

TEST(with_previous, is_shared_by_threads, 30)
{
	static struct sharing sharing;
	pthread_t threads[2];

	sharing.pair = test_pair_with(sizeof(struct instance), 8, &counted);
	CHECK_STATUS(duct_with_previous_new(&sharing.made, sharing.pair.rx, ask_of_two, &sharing, false, NULL), DUCT_OK);
	sharing.pair.rx = NULL;
	for (int t = 0; t < 2; t++)
		threads[t] = test_start(share_instances, sharing.made);
	for (int n = 0; n < SHARED; n++) {
		struct instance out = instance_new(n);

		CHECK_STATUS(duct_send(sharing.pair.tx, &out), DUCT_OK);
	}
	duct_channel_close(sharing.pair.channel, 0);
	for (int t = 0; t < 2; t++)
		test_join(threads[t]);
	CHECK(sharing.asked == SHARED - 1);
	duct_receiver_free(sharing.made);
	test_pair_free(&sharing.pair);
	CHECK(instances_alive() == 0);
}

/* ---- What is closed with others behind it -------------------------------------------------------------------------------- */

/* A broadcast receiver with one message, in the middle of one of each kind of source. */
static duct_receiver *deep_of(duct_receiver *rx, int kind)
{
	duct_receiver *made = rx, *empty;

	switch (kind) {
	case 0:
		CHECK_STATUS(duct_merge_new(&made, &rx, 1, NULL), DUCT_OK);
		return made;
	case 1:
		return map_of(rx, plus, &zero);
	case 2:
		return filter_of(rx, any, NULL);
	default:
		/* beside a source that has no parts, and never anything */
		CHECK_STATUS(duct_never_new(&empty, sizeof(int)), DUCT_OK);
		CHECK_STATUS(duct_merge_new(&made, (duct_receiver *[]){ empty, rx }, 2, NULL), DUCT_OK);
		return made;
	}
}

/* What a source that is closed still has behind others comes, and then the end. */
TEST(map, that_is_closed_drains_however_deep, 5)
{
	for (int kind = 0; kind < 4; kind++) {
		duct_sender *tx;
		duct_receiver *rx, *mapped;
		int number = 7;

		CHECK_STATUS(duct_broadcast_open(&tx, &rx, sizeof(int), NULL, NULL), DUCT_OK);
		CHECK_STATUS(duct_send(tx, &number), DUCT_OK);
		mapped = map_of(deep_of(rx, kind), plus, &zero);
		duct_receiver_close(mapped);
		number = -1;
		CHECK_STATUS(duct_recv(mapped, &number), DUCT_OK);
		CHECK(number == 7);
		CHECK_STATUS(duct_recv(mapped, &number), DUCT_CLOSED);
		duct_receiver_free(mapped);
		duct_sender_free(tx);
	}
}

/* ---- A comparison within a comparison ------------------------------------------------------------------------------------ */

static duct_receiver *compared;

/* Receives the next one from the same receiver, in the middle of its own comparison. */
static bool compares_the_next(const void *previous, const void *message, void *context)
{
	int *depth = context, next;

	CHECK(int_at(previous) < int_at(message));
	if (*depth > 0) {
		--*depth;
		CHECK_STATUS(duct_try_recv(compared, &next), DUCT_OK);
		CHECK(next == int_at(message) + *depth + 1);
	}
	return true;
}

TEST(with_previous, may_receive_from_itself, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 16);
	int depth = 3, number;

	for (int i = 0; i < 10; i++)
		CHECK_STATUS(duct_send(pair.tx, &i), DUCT_OK);
	CHECK_STATUS(duct_with_previous_new(&compared, pair.rx, compares_the_next, &depth, true, NULL), DUCT_OK);
	pair.rx = NULL;
	CHECK_STATUS(duct_recv(compared, &number), DUCT_OK);
	CHECK(number == 0);
	CHECK_STATUS(duct_recv(compared, &number), DUCT_OK);
	CHECK(number == 1 && depth == 0);
	for (int i = 5; i < 10; i++) {
		CHECK_STATUS(duct_recv(compared, &number), DUCT_OK);
		CHECK(number == i);
	}
	duct_receiver_free(compared);
	test_pair_free(&pair);
}
