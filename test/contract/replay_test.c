/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Receivers that come late: what they begin with, what sends come to that nobody hears, waiting for receivers; and the copies
 * that are made of a message with a copy hook, for receivers and for the replay.
 */
#include "crowd.h"
#include "instances.h"

/* ---- Replay ------------------------------------------------------------------------------------------------------------ */

/* With a replay of one the late receiver gets 9, then 100; without only 100; an old one starts at 0. */
TEST(replay, of_one_gives_the_latest, 5)
{
	for (size_t replay = 0; replay < 2; replay++) {
		struct crowd crowd = crowd_new(DUCT_OPTIONS(.replay = replay));
		duct_receiver *old = crowd_join(&crowd, DUCT_DROP_OLDEST, 50), *late;

		CHECK(sends(crowd.tx, 0, 9));
		late = crowd_join(&crowd, DUCT_DROP_OLDEST, 50);
		CHECK(sends(crowd.tx, 100, 100));
		CHECK((replay == 0 || reads(late, 9, 9)) && reads(late, 100, 100) && then(late, DUCT_EMPTY));
		CHECK(reads(old, 0, 9) && reads(old, 100, 100) && then(old, DUCT_EMPTY));
		CHECK(counts(late, 1 + replay, 1 + replay, 0, 0) && counts(old, 11, 11, 0, 0));
		duct_receiver_free(old);
		duct_receiver_free(late);
		crowd_free(&crowd);
	}
}

/* The last so many that were sent, as far as the capacity goes, with every policy, and then what follows. */
TEST(replay, is_as_long_as_asked_and_as_there_is_room, 5)
{
	for (int replay = 0; replay < 5; replay++)
		for (int capacity = 1; capacity < 6; capacity++)
			for (int sent = 0; sent < 8; sent++)
				for (size_t p = 0; p < ARRAY_LEN(policies); p++) {
					struct crowd crowd = crowd_new(DUCT_OPTIONS(.replay = (size_t)replay));
					duct_receiver *rx;
					int kept = replay < sent ? replay : sent;

					CHECK(sends(crowd.tx, 1, sent));
					rx = crowd_join(&crowd, policies[p], (size_t)capacity);
					if (kept > (int)duct_receiver_capacity(rx))
						kept = (int)duct_receiver_capacity(rx);
					CHECK(counts(rx, (uint64_t)kept, 0, 0, (uint64_t)kept));
					CHECK(reads(rx, sent - kept + 1, sent) && sends(crowd.tx, sent + 1, sent + 1));
					CHECK(reads(rx, sent + 1, sent + 1) && then(rx, DUCT_EMPTY));
					duct_receiver_free(rx);
					crowd_free(&crowd);
				}
}

/* However a receiver is made, it begins where any new one does. */
TEST(replay, is_for_every_new_receiver, 5)
{
	struct crowd crowd = crowd_new(DUCT_OPTIONS(.replay = 3));
	duct_receiver *rx[4];

	CHECK(sends(crowd.tx, 1, 5));
	rx[0] = crowd_join(&crowd, DUCT_DROP_OLDEST, 10);
	CHECK_STATUS(duct_sender_subscribe(crowd.tx, &rx[1], DUCT_SUBSCRIPTION(.capacity = 2)), DUCT_OK);
	CHECK_STATUS(duct_receiver_new(crowd.channel, &rx[2]), DUCT_OK);
	CHECK(reads(rx[0], 3, 4) && reads(rx[1], 4, 5) && reads(rx[2], 3, 5));
	CHECK_STATUS(duct_receiver_clone(rx[0], &rx[3]), DUCT_OK);
	CHECK(duct_receiver_capacity(rx[3]) == 10);
	CHECK(reads(rx[3], 3, 5) && reads(rx[0], 5, 5) && then(rx[0], DUCT_EMPTY));
	for (int r = 0; r < 4; r++)
		duct_receiver_free(rx[r]);
	crowd_free(&crowd);
}

/* A clone has the subscription of what it was made of: policy, capacity, tell_lag; and changes by itself. */
TEST(replay, clone_has_the_same_subscription, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join_as(
	    &crowd, DUCT_SUBSCRIPTION(.overflow = DUCT_DROP_NEWEST, .capacity = 2, .tell_lag = true, .name = "first"));
	duct_receiver *clone;

	CHECK(sends(crowd.tx, 1, 1));
	CHECK_STATUS(duct_receiver_clone(rx, &clone), DUCT_OK);
	CHECK(duct_receiver_capacity(clone) == 2 && sends(crowd.tx, 2, 4));
	CHECK(then(clone, DUCT_LAGGED) && duct_receiver_lag(clone) == 1 && reads(clone, 2, 3) && then(clone, DUCT_EMPTY));
	CHECK(then(rx, DUCT_LAGGED) && duct_receiver_lag(rx) == 2 && reads(rx, 1, 2) && then(rx, DUCT_EMPTY));
	CHECK_STATUS(duct_receiver_set_overflow(clone, DUCT_DROP_OLDEST), DUCT_OK);
	CHECK(sends(crowd.tx, 5, 7) && then(clone, DUCT_LAGGED) && reads(clone, 6, 7));
	CHECK(then(rx, DUCT_LAGGED) && reads(rx, 5, 6));
	duct_receiver_free(rx);
	duct_receiver_free(clone);
	crowd_free(&crowd);
}

static int copy_int(void *to, const void *from, void *context)
{
	(void)context;
	memcpy(to, from, sizeof(int));
	return 0;
}

/* One whose policy became LATEST_ONLY has kept its capacity, and so has its clone; but it begins with the latest only. */
TEST(replay, clone_of_what_became_the_latest_only, 5)
{
	for (int copies = 0; copies < 2; copies++) {
		struct crowd crowd = crowd_new(DUCT_OPTIONS(.replay = 3, .copy = copies ? copy_int : NULL));
		duct_receiver *rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 5), *clone;

		CHECK(sends(crowd.tx, 1, 3));
		CHECK_STATUS(duct_receiver_set_overflow(rx, DUCT_LATEST_ONLY), DUCT_OK);
		CHECK_STATUS(duct_receiver_clone(rx, &clone), DUCT_OK);
		CHECK(duct_receiver_capacity(rx) == 5 && duct_receiver_capacity(clone) == 5);
		CHECK(reads(clone, 3, 3) && then(clone, DUCT_EMPTY) && sends(crowd.tx, 4, 7));
		CHECK(reads(rx, 7, 7) && then(rx, DUCT_EMPTY) && reads(clone, 7, 7) && then(clone, DUCT_EMPTY));
		CHECK_STATUS(duct_receiver_set_overflow(clone, DUCT_BLOCK), DUCT_OK);
		CHECK(sends(crowd.tx, 8, 12) && duct_channel_is_full(crowd.channel) && reads(clone, 8, 12));
		duct_receiver_free(rx);
		duct_receiver_free(clone);
		crowd_free(&crowd);
	}
}

/* A null pointer is a message like any other, to those who are there, to who comes later, and to who peeks. */
TEST(replay, of_a_null_pointer_is_a_message, 5)
{
	const char *none = NULL, *in;
	duct_sender *tx;
	duct_receiver *rx[2];
	duct_peekable *peekable;

	CHECK_STATUS(duct_broadcast_open(&tx, &rx[0], sizeof in, NULL, DUCT_OPTIONS(.replay = 1)), DUCT_OK);
	CHECK_STATUS(duct_send(tx, &none), DUCT_OK);
	CHECK_STATUS(duct_sender_subscribe(tx, &rx[1], NULL), DUCT_OK);
	CHECK_STATUS(duct_peekable_new(duct_sender_channel(tx), &peekable), DUCT_OK);
	in = "x";
	CHECK_STATUS(duct_peek(peekable, &in), DUCT_OK);
	CHECK(in == NULL);
	for (int r = 0; r < 2; r++) {
		in = "x";
		CHECK_STATUS(duct_try_recv(rx[r], &in), DUCT_OK);
		CHECK(in == NULL);
		CHECK_STATUS(duct_try_recv(rx[r], &in), DUCT_EMPTY);
		duct_receiver_free(rx[r]);
	}
	duct_peekable_free(peekable);
	duct_sender_free(tx);
}

/* And so is one without bytes. */
TEST(replay, of_no_bytes_is_a_message, 5)
{
	duct_sender *tx;
	duct_receiver *rx, *late;

	CHECK_STATUS(duct_broadcast_open(&tx, &rx, 0, NULL, DUCT_OPTIONS(.replay = 2)), DUCT_OK);
	for (int n = 0; n < 3; n++)
		CHECK_STATUS(duct_send(tx, NULL), DUCT_OK);
	CHECK_STATUS(duct_sender_subscribe(tx, &late, NULL), DUCT_OK);
	CHECK(duct_receiver_len(rx) == 3 && duct_receiver_len(late) == 2);
	CHECK_STATUS(duct_recv(late, NULL), DUCT_OK);
	CHECK_STATUS(duct_recv(late, NULL), DUCT_OK);
	CHECK_STATUS(duct_try_recv(late, NULL), DUCT_EMPTY);
	duct_receiver_free(rx);
	duct_receiver_free(late);
	duct_sender_free(tx);
}

/* Of a batch that is longer than what is kept, the last are. */
TEST(replay, is_of_the_last_of_a_batch, 5)
{
	struct crowd crowd = crowd_new(DUCT_OPTIONS(.replay = 3));
	duct_receiver *rx;

	CHECK_STATUS(duct_send_many(crowd.tx, (int[]){ 1, 2, 3, 4, 5, 6, 7 }, 7, NULL, 0, NULL), DUCT_OK);
	rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 9);
	CHECK(reads(rx, 5, 7) && then(rx, DUCT_EMPTY));
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

static void *give_nothing_large(size_t size, void *context)
{
	(void)context;
	return size < 1 << 20 ? malloc(size) : NULL;
}

static void take_back(void *memory, void *context)
{
	(void)context;
	free(memory);
}

/* The longest that there can be is refused for want of memory, one longer for what it is; an anycast channel does not look. */
TEST(replay, has_a_limit, 5)
{
	const duct_allocator allocator = { give_nothing_large, take_back, NULL };
	duct_options options = DUCT_OPTIONS_INIT;
	duct_channel *channel = NULL;

	options.allocator = &allocator;
	options.replay = UINT32_MAX;
	CHECK_STATUS(duct_broadcast_new(&channel, 8, &options), DUCT_NOMEM);
#if SIZE_MAX > UINT32_MAX
	options.replay++;
	CHECK_STATUS(duct_broadcast_new(&channel, 8, &options), DUCT_INVALID);
#endif
	CHECK(channel == NULL);
	options.unheard = (duct_unheard)77;
	CHECK_STATUS(duct_anycast_new(&channel, 8, 1, &options), DUCT_OK);
	duct_channel_free(channel);
}

/* What is kept outlives the receivers, and messages that nobody heard are kept too. */
TEST(replay, is_kept_while_nobody_is_there, 5)
{
	struct crowd crowd = crowd_new(DUCT_OPTIONS(.replay = 2));
	duct_receiver *rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 5);

	CHECK(sends(crowd.tx, 1, 1));
	duct_receiver_free(rx);
	rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 5);
	CHECK(reads(rx, 1, 1));
	duct_receiver_free(rx);
	CHECK(sends(crowd.tx, 2, 4));
	rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 5);
	CHECK(reads(rx, 3, 4) && then(rx, DUCT_EMPTY));
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* It can be switched while messages are sent: the newest of what is kept stay, and what was sent at 0 is not kept. */
TEST(replay, can_be_switched, 5)
{
	static const struct {
		size_t replay;
		int first, last; /* what a new receiver begins with, after one more message */
	} steps[] = { { 0, 0, -1 }, { 3, 2, 2 }, { 3, 2, 3 }, { 5, 2, 4 }, { 5, 2, 5 }, { 2, 5, 6 }, { 4, 5, 7 }, { 4, 5, 8 },
		{ 1, 9, 9 }, { 0, 0, -1 }, { 9, 11, 11 } };
	struct crowd crowd = crowd_new(NULL);

	for (int s = 0; s < (int)ARRAY_LEN(steps); s++) {
		duct_receiver *rx;

		CHECK_STATUS(duct_channel_set_replay(crowd.channel, steps[s].replay), DUCT_OK);
		CHECK(duct_channel_replay(crowd.channel) == steps[s].replay);
		CHECK(sends(crowd.tx, s + 1, s + 1));
		rx = crowd_join(&crowd, DUCT_BLOCK, 10);
		CHECK(reads(rx, steps[s].first, steps[s].last) && then(rx, DUCT_EMPTY));
		duct_receiver_free(rx);
	}
	crowd_free(&crowd);
}

/* A receiver that blocks and begins full makes the next send wait. */
TEST(replay, may_fill_a_receiver, 5)
{
	struct crowd crowd = crowd_new(DUCT_OPTIONS(.replay = 3));
	duct_receiver *rx;

	CHECK(sends(crowd.tx, 1, 5));
	rx = crowd_join(&crowd, DUCT_BLOCK, 2);
	CHECK_STATUS(duct_try_send(crowd.tx, &(int){ 6 }), DUCT_FULL);
	CHECK(reads(rx, 4, 4) && sends(crowd.tx, 6, 6) && reads(rx, 5, 6));
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* Messages in the replay are no message of the channel's: its length is that of its receivers. */
TEST(replay, is_no_part_of_the_length, 5)
{
	struct crowd crowd = crowd_new(DUCT_OPTIONS(.replay = 3));
	size_t discarded = 77;

	CHECK(sends(crowd.tx, 1, 5) && duct_channel_len(crowd.channel) == 0 && duct_channel_is_empty(crowd.channel));
	CHECK_STATUS(duct_channel_discard(crowd.channel, &discarded), DUCT_OK);
	CHECK(discarded == 0);
	crowd_free(&crowd);
}

struct flow {
	struct crowd crowd;
	atomic_bool done;
};

static void *send_numbers(void *argument)
{
	struct flow *flow = argument;

	for (int n = 1; !atomic_load(&flow->done); n++)
		CHECK_STATUS(duct_send(flow->crowd.tx, &n), DUCT_OK);
	return NULL;
}

/* Joined in the middle of a stream, each receiver gets a piece without a gap and without a message twice. */
TEST(replay, joins_without_gap_or_duplicate, 20)
{
	for (size_t replay = 0; replay < 6; replay += 5) {
		struct flow flow = { crowd_new(DUCT_OPTIONS(.replay = replay)), false };
		pthread_t sender = test_start(send_numbers, &flow);
		int last = 0;

		for (int round = 0; round < test_rounds(100, 2000); round++) {
			duct_receiver *rx = crowd_join(&flow.crowd, DUCT_BLOCK, 8);
			int begin, message;

			CHECK_STATUS(duct_recv(rx, &begin), DUCT_OK);
			CHECK(begin >= last - (int)replay);
			for (int n = 1; n < 30; n++) {
				CHECK_STATUS(duct_recv(rx, &message), DUCT_OK);
				CHECK(message == begin + n);
			}
			last = message;
			duct_receiver_free(rx);
		}
		atomic_store(&flow.done, true);
		test_join(sender);
		crowd_free(&flow.crowd);
	}
}

/* ---- Unheard ----------------------------------------------------------------------------------------------------------- */

/* By itself a send that nobody hears is fine, and the message is dropped, once. */
TEST(unheard, is_ok_by_itself, 5)
{
	struct crowd crowd;

	CHECK_STATUS(duct_broadcast_new(
			 &crowd.channel, sizeof(struct instance), DUCT_OPTIONS(.copy = instance_copy, .drop = instance_drop)),
	    DUCT_OK);
	CHECK_STATUS(duct_sender_new(crowd.channel, &crowd.tx), DUCT_OK);
	CHECK_STATUS(instance_send(crowd.tx, 1), DUCT_OK);
	CHECK(instances_alive() == 0 && atomic_load(&instances.dropped) == 1 && atomic_load(&instances.copied) == 0);
	CHECK_STATUS(duct_sender_wait(crowd.tx, 0, NULL), DUCT_OK);
	crowd_free(&crowd);
}

/* It may fail: before the first receiver, after the last; the message stays with its owner and is not kept for later. */
TEST(unheard, may_fail, 5)
{
	struct crowd crowd = crowd_new(DUCT_OPTIONS(.unheard = DUCT_UNHEARD_FAIL, .replay = 5));
	int message = 5;
	duct_case cases[] = { DUCT_SEND(crowd.tx, &message) };
	duct_receipt receipt = { 77, 77 };
	size_t chosen = 77, sent = 77;
	duct_receiver *rx;

	for (int round = 0; round < 2; round++) {
		CHECK_STATUS(duct_try_send(crowd.tx, &message), DUCT_NO_RECEIVERS);
		CHECK_STATUS(duct_send(crowd.tx, &message), DUCT_NO_RECEIVERS);
		CHECK_STATUS(duct_publish(crowd.tx, &message, &receipt, DUCT_FOREVER, NULL), DUCT_NO_RECEIVERS);
		CHECK_STATUS(duct_send_many(crowd.tx, &message, 1, &sent, DUCT_FOREVER, NULL), DUCT_NO_RECEIVERS);
		CHECK_STATUS(duct_sender_wait(crowd.tx, DUCT_FOREVER, NULL), DUCT_NO_RECEIVERS);
		cases[0].status = DUCT_OK;
		CHECK_STATUS(duct_select(cases, 1, &chosen), DUCT_OK);
		CHECK(cases[0].status == DUCT_NO_RECEIVERS && receipt.delivered == 77 && sent == 0);
		rx = crowd_join(&crowd, DUCT_BLOCK, 9);
		CHECK(sends(crowd.tx, 1, 3));
		/* What the first of the rounds sent is kept, what failed is not. */
		CHECK((round == 0 || reads(rx, 1, 3)) && reads(rx, 1, 3) && then(rx, DUCT_EMPTY));
		duct_receiver_close(rx);
		CHECK_STATUS(duct_try_send(crowd.tx, &message), DUCT_NO_RECEIVERS);
		duct_receiver_free(rx);
	}
	duct_channel_close(crowd.channel, 0);
	CHECK_STATUS(duct_try_send(crowd.tx, &message), DUCT_CLOSED);
	crowd_free(&crowd);
}

/* A sender that waits for a full receiver is told when that was the last and leaves. */
TEST(unheard, may_fail_a_sender_that_waits, 5)
{
	for (duct_unheard unheard = DUCT_UNHEARD_OK; unheard <= DUCT_UNHEARD_FAIL; unheard++) {
		struct crowd crowd = crowd_new(DUCT_OPTIONS(.unheard = unheard));
		duct_receiver *rx = crowd_join(&crowd, DUCT_BLOCK, 1);
		struct test_call call;

		CHECK(sends(crowd.tx, 1, 1));
		test_send_start(&call, crowd.tx, 2);
		AWAIT(duct_channel_waiting_senders(crowd.channel) == 1);
		duct_receiver_close(rx);
		CHECK_STATUS(test_call_end(&call), unheard == DUCT_UNHEARD_OK ? DUCT_OK : DUCT_NO_RECEIVERS);
		CHECK(reads(rx, 1, 1) && then(rx, DUCT_CLOSED));
		duct_receiver_free(rx);
		crowd_free(&crowd);
	}
}

/* It may wait, as if full: a try, a deadline and a token end without an effect. */
TEST(unheard, may_wait_as_if_full, 5)
{
	struct crowd crowd = crowd_new(DUCT_OPTIONS(.unheard = DUCT_UNHEARD_WAIT, .replay = 5));
	int message = 5;
	duct_case cases[] = { DUCT_SEND(crowd.tx, &message) };
	duct_receiver *rx;
	duct_cancel *cancel;
	struct test_call call;
	size_t chosen = 77, sent = 77;

	CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
	CHECK_STATUS(duct_try_send(crowd.tx, &message), DUCT_FULL);
	CHECK_STATUS(duct_send_until(crowd.tx, &message, duct_after_ms(2), NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_send_many(crowd.tx, &message, 1, &sent, 0, NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_sender_wait(crowd.tx, 0, NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_try_select(cases, 1, &chosen), DUCT_EMPTY);
	test_call_start(&call, SEND_UNTIL, &(struct test_pair){ .tx = crowd.tx }, 6, DUCT_FOREVER, cancel);
	AWAIT(duct_channel_waiting_senders(crowd.channel) == 1);
	duct_cancel_raise(cancel);
	CHECK_STATUS(test_call_end(&call), DUCT_CANCELED);
	CHECK(sent == 0);
	rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 5);
	CHECK(then(rx, DUCT_EMPTY) && sends(crowd.tx, 1, 1) && reads(rx, 1, 1));
	duct_cancel_free(cancel);
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* Every kind of waiting sender goes on with the first receiver, which gets what they sent, in their order. */
TEST(unheard, may_wait_for_the_first_receiver, 5)
{
	static const enum test_action actions[] = { SEND, SEND_UNTIL, SEND_MANY, SENDER_WAIT };
	struct crowd crowd = crowd_new(DUCT_OPTIONS(.unheard = DUCT_UNHEARD_WAIT));
	struct test_call calls[ARRAY_LEN(actions)];
	duct_receiver *rx;

	for (size_t a = 0; a < ARRAY_LEN(actions); a++) {
		test_call_start(&calls[a], actions[a], &(struct test_pair){ .tx = crowd.tx }, (int)a + 1, DUCT_FOREVER, NULL);
		AWAIT(duct_channel_waiting_senders(crowd.channel) == a + 1);
	}
	rx = crowd_join(&crowd, DUCT_BLOCK, 5);
	for (size_t a = 0; a < ARRAY_LEN(actions); a++)
		CHECK_STATUS(test_call_end(&calls[a]), DUCT_OK);
	CHECK(reads(rx, 1, 3) && then(rx, DUCT_EMPTY) && duct_channel_waiting_senders(crowd.channel) == 0);
	/* And again when that one has gone. */
	duct_receiver_free(rx);
	CHECK_STATUS(duct_try_send(crowd.tx, &(int){ 4 }), DUCT_FULL);
	test_send_start(&calls[0], crowd.tx, 5);
	test_send_start(&calls[1], crowd.tx, 5);
	AWAIT(duct_channel_waiting_senders(crowd.channel) == 2);
	rx = crowd_join(&crowd, DUCT_BLOCK, 1);
	AWAIT(duct_channel_waiting_senders(crowd.channel) == 1 && duct_receiver_len(rx) == 1);
	CHECK(reads(rx, 5, 5));
	CHECK_STATUS(test_call_end(&calls[0]), DUCT_OK);
	CHECK_STATUS(test_call_end(&calls[1]), DUCT_OK);
	CHECK(reads(rx, 5, 5));
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* A close ends the wait. */
TEST(unheard, waiting_is_ended_by_a_close, 5)
{
	struct crowd crowd = crowd_new(DUCT_OPTIONS(.unheard = DUCT_UNHEARD_WAIT));
	struct test_call call;

	test_send_start(&call, crowd.tx, 1);
	AWAIT(duct_channel_waiting_senders(crowd.channel) == 1);
	CHECK(duct_channel_is_full(crowd.channel));
	duct_channel_close(crowd.channel, 0);
	CHECK_STATUS(test_call_end(&call), DUCT_CLOSED);
	CHECK(!duct_channel_is_full(crowd.channel)); /* no send waits any more */
	crowd_free(&crowd);
}

/* ---- Waiting for receivers --------------------------------------------------------------------------------------------- */

struct awaiting {
	duct_channel *channel;
	size_t count;
	duct_time deadline;
	duct_cancel *cancel;
	duct_status status;
	atomic_int thread_id;
	atomic_bool done;
	pthread_t thread;
};

static void *await_receivers(void *argument)
{
	struct awaiting *self = argument;

	tell_thread_id(&self->thread_id);
	self->status = duct_channel_wait_receivers(self->channel, self->count, self->deadline, self->cancel);
	atomic_store(&self->done, true);
	return NULL;
}

static void awaiting_start(struct awaiting *self, duct_channel *channel, size_t count, duct_cancel *cancel)
{
	*self = (struct awaiting){ .channel = channel, .count = count, .deadline = DUCT_FOREVER, .cancel = cancel };
	self->thread = test_start(await_receivers, self);
	await_asleep(&self->thread_id);
}

static duct_status awaiting_end(struct awaiting *self)
{
	test_join(self->thread);
	return self->status;
}

/* So many as are there, and none, need no wait. */
TEST(wait_receivers, returns_at_once_where_they_are, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx[3];

	CHECK_STATUS(duct_channel_wait_receivers(crowd.channel, 0, 0, NULL), DUCT_OK);
	for (size_t r = 0; r < 3; r++) {
		CHECK_STATUS(duct_channel_wait_receivers(crowd.channel, r + 1, 0, NULL), DUCT_TIMEDOUT);
		rx[r] = crowd_join(&crowd, DUCT_DROP_OLDEST, 2);
		CHECK_STATUS(duct_channel_wait_receivers(crowd.channel, r + 1, 0, NULL), DUCT_OK);
		CHECK_STATUS(duct_channel_wait_receivers(crowd.channel, r, 0, NULL), DUCT_OK);
	}
	duct_receiver_close(rx[0]);
	CHECK_STATUS(duct_channel_wait_receivers(crowd.channel, 3, duct_after_ms(2), NULL), DUCT_TIMEDOUT);
	for (size_t r = 0; r < 3; r++)
		duct_receiver_free(rx[r]);
	crowd_free(&crowd);
}

/* Threads that wait for one, two and three go on as the first, second and third come, however they are made. */
TEST(wait_receivers, goes_on_with_the_last_it_waits_for, 5)
{
	struct crowd crowd = crowd_new(NULL);
	struct awaiting awaiting[3];
	duct_receiver *rx[3];

	for (size_t r = 0; r < 3; r++)
		awaiting_start(&awaiting[r], crowd.channel, r + 1, NULL);
	rx[0] = crowd_join(&crowd, DUCT_DROP_OLDEST, 2);
	CHECK_STATUS(awaiting_end(&awaiting[0]), DUCT_OK);
	CHECK(!atomic_load(&awaiting[1].done) && !atomic_load(&awaiting[2].done));
	CHECK_STATUS(duct_sender_subscribe(crowd.tx, &rx[1], NULL), DUCT_OK);
	CHECK_STATUS(awaiting_end(&awaiting[1]), DUCT_OK);
	CHECK(!atomic_load(&awaiting[2].done));
	CHECK_STATUS(duct_receiver_clone(rx[0], &rx[2]), DUCT_OK);
	CHECK_STATUS(awaiting_end(&awaiting[2]), DUCT_OK);
	for (size_t r = 0; r < 3; r++)
		duct_receiver_free(rx[r]);
	crowd_free(&crowd);
}

/* One that left is not counted: a thread that waits for two goes on when there are two at once. */
TEST(wait_receivers, counts_those_who_are_there, 5)
{
	struct crowd crowd = crowd_new(NULL);
	struct awaiting awaiting;
	duct_receiver *rx[2];

	awaiting_start(&awaiting, crowd.channel, 2, NULL);
	for (int round = 0; round < 3; round++)
		duct_receiver_free(crowd_join(&crowd, DUCT_DROP_OLDEST, 2));
	await_asleep(&awaiting.thread_id);
	CHECK(!atomic_load(&awaiting.done));
	rx[0] = crowd_join(&crowd, DUCT_DROP_OLDEST, 2);
	rx[1] = crowd_join(&crowd, DUCT_DROP_OLDEST, 2);
	CHECK_STATUS(awaiting_end(&awaiting), DUCT_OK);
	duct_receiver_free(rx[0]);
	duct_receiver_free(rx[1]);
	crowd_free(&crowd);
}

/* It ends with a deadline, a token, and the close; a token that was raised before comes first. */
TEST(wait_receivers, ends_with_time_token_and_close, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_cancel *cancel;
	struct awaiting awaiting[2];

	CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
	CHECK_STATUS(duct_channel_wait_receivers(crowd.channel, 1, duct_after_ms(2), cancel), DUCT_TIMEDOUT);
	awaiting_start(&awaiting[0], crowd.channel, 1, cancel);
	awaiting_start(&awaiting[1], crowd.channel, 1, NULL);
	duct_cancel_raise(cancel);
	CHECK_STATUS(awaiting_end(&awaiting[0]), DUCT_CANCELED);
	CHECK_STATUS(duct_channel_wait_receivers(crowd.channel, 0, DUCT_FOREVER, cancel), DUCT_CANCELED);
	CHECK(!atomic_load(&awaiting[1].done));
	duct_channel_close(crowd.channel, 0);
	CHECK_STATUS(awaiting_end(&awaiting[1]), DUCT_CLOSED);
	CHECK_STATUS(duct_channel_wait_receivers(crowd.channel, 1, DUCT_FOREVER, NULL), DUCT_CLOSED);
	duct_cancel_free(cancel);
	crowd_free(&crowd);
}

/* Its handle may be freed meanwhile: as the last one that closes the channel, and ends the wait. */
TEST(wait_receivers, ends_when_the_channel_is_freed, 5)
{
	struct crowd crowd = crowd_new(NULL);
	struct awaiting awaiting;

	awaiting_start(&awaiting, crowd.channel, 1, NULL);
	duct_channel_free(crowd.channel);
	await_asleep(&awaiting.thread_id);
	CHECK(!atomic_load(&awaiting.done));
	duct_sender_free(crowd.tx);
	CHECK_STATUS(awaiting_end(&awaiting), DUCT_CLOSED);
}

/* ---- Copies ------------------------------------------------------------------------------------------------------------ */

#define COUNTED(...) DUCT_OPTIONS(.copy = instance_copy, .drop = instance_drop, __VA_ARGS__)

static struct crowd counted_crowd(const duct_options *options)
{
	struct crowd crowd;

	CHECK_STATUS(duct_broadcast_new(&crowd.channel, sizeof(struct instance), options), DUCT_OK);
	CHECK_STATUS(duct_sender_new(crowd.channel, &crowd.tx), DUCT_OK);
	return crowd;
}

/* One receiver gets the message itself, each further one and the replay a copy. */
TEST(copy, is_made_for_each_further_receiver, 5)
{
	for (int members = 1; members < 5; members++)
		for (int replay = 0; replay < 2; replay++) {
			struct crowd crowd = counted_crowd(COUNTED(.replay = (size_t)replay));
			duct_receiver *rx[5];
			int copied = atomic_load(&instances.copied);

			for (int m = 0; m < members; m++)
				rx[m] = crowd_join(&crowd, DUCT_BLOCK, 3);
			CHECK_STATUS(instance_send(crowd.tx, 4), DUCT_OK);
			CHECK(atomic_load(&instances.copied) - copied == members - 1 + replay);
			CHECK(instances_alive() == members + replay);
			for (int m = 0; m < members; m++) {
				CHECK(instances_read(rx[m], 4, 4));
				duct_receiver_free(rx[m]);
			}
			CHECK(instances_alive() == replay);
			crowd_free(&crowd);
			CHECK(instances_alive() == 0);
		}
}

/* Whatever becomes of a message, each of its copies is received once or dropped once. */
TEST(copy, ends_once, 5)
{
	struct crowd crowd = counted_crowd(COUNTED(.replay = 2));
	duct_receiver *rx[ARRAY_LEN(policies)], *late;

	for (size_t p = 0; p < ARRAY_LEN(policies); p++)
		rx[p] = crowd_join(&crowd, policies[p], 3);
	for (int n = 1; n <= 10; n++) {
		CHECK_STATUS(instance_send(crowd.tx, n), n <= 3 ? DUCT_OK : DUCT_FULL);
		CHECK(instances_alive() == (n < 3 ? 4 * n + 1 + (n < 2 ? n : 2) : 15));
	}
	CHECK_STATUS(duct_receiver_set_overflow(rx[3], DUCT_DROP_NEWEST), DUCT_OK);
	for (int n = 4; n <= 10; n++)
		CHECK_STATUS(instance_send(crowd.tx, n), DUCT_OK);
	late = crowd_join(&crowd, DUCT_DROP_OLDEST, 5);
	CHECK(instances_read(late, 9, 10) && instances_read(rx[0], 8, 8) && instances_read(rx[1], 1, 2));
	CHECK(instances_read(rx[2], 10, 10) && instances_read(rx[4], 1, 3) && then(rx[4], DUCT_CLOSED));
	/* Left: two of the first, one of the second, three of the fourth, two for later receivers. */
	CHECK(instances_alive() == 2 + 1 + 3 + 2);
	CHECK_STATUS(duct_channel_set_replay(crowd.channel, 1), DUCT_OK);
	CHECK(instances_alive() == 2 + 1 + 3 + 1);
	duct_channel_close(crowd.channel, 0);
	CHECK(instances_alive() == 2 + 1 + 3);
	CHECK_STATUS(duct_channel_discard(crowd.channel, NULL), DUCT_OK);
	CHECK(instances_alive() == 0);
	for (size_t p = 0; p < ARRAY_LEN(policies); p++)
		duct_receiver_free(rx[p]);
	duct_receiver_free(late);
	crowd_free(&crowd);
	CHECK(instances_alive() == 0);
}

/* A receiver that is freed with unread messages drops them, once each; closed, it keeps them until then. */
TEST(copy, left_unread_is_dropped_with_its_receiver, 5)
{
	struct crowd crowd = counted_crowd(COUNTED(.replay = 0));
	duct_receiver *one = crowd_join(&crowd, DUCT_DROP_OLDEST, 5), *other = crowd_join(&crowd, DUCT_DROP_OLDEST, 5);

	for (int n = 1; n <= 4; n++)
		CHECK_STATUS(instance_send(crowd.tx, n), DUCT_OK);
	CHECK(instances_read(one, 1, 1) && instances_alive() == 7);
	duct_receiver_close(one);
	CHECK(instances_alive() == 7 && instances_read(one, 2, 2));
	duct_receiver_free(one);
	CHECK(instances_alive() == 4 && atomic_load(&instances.dropped) == 2);
	CHECK(instances_read(other, 1, 4));
	duct_receiver_free(other);
	crowd_free(&crowd);
	CHECK(instances_alive() == 0);
}

/* The so-manieth copy of a message fails: NOMEM, nobody got it, those made before are dropped, and the next one is sent. */
TEST(copy, that_fails_sends_nothing, 5)
{
	for (int failing = 1; failing <= 4; failing++) {
		struct crowd crowd = counted_crowd(COUNTED(.replay = 3));
		duct_receiver *rx[4];
		duct_receipt receipt = { 77, 77 };
		struct instance made;

		for (int r = 0; r < 4; r++)
			rx[r] = crowd_join(&crowd, r % 2 ? DUCT_BLOCK : DUCT_DROP_OLDEST, 2);
		CHECK_STATUS(instance_send(crowd.tx, 1), DUCT_OK);
		atomic_store(&instances.fail_in, failing);
		made = instance_new(2);
		CHECK_STATUS(duct_publish(crowd.tx, &made, &receipt, DUCT_FOREVER, NULL), DUCT_NOMEM);
		CHECK(receipt.delivered == 77 && instances_alive() == 5 + 1 && atomic_load(&instances.fail_in) == 0);
		CHECK(counts(rx[0], 1, 0, 0, 1) && counts(rx[1], 1, 0, 0, 1));
		CHECK_STATUS(duct_send(crowd.tx, &made), DUCT_OK);
		for (int r = 0; r < 4; r++) {
			CHECK(instances_read(rx[r], 1, 2) && then(rx[r], DUCT_EMPTY));
			duct_receiver_free(rx[r]);
		}
		crowd_free(&crowd);
		CHECK(instances_alive() == 0);
	}
}

/* Nothing is lost for a message that could not be copied: a full queue stays as it is. */
TEST(copy, that_fails_displaces_nothing, 5)
{
	struct crowd crowd = counted_crowd(COUNTED(.replay = 1));
	duct_receiver *one = crowd_join(&crowd, DUCT_DROP_OLDEST, 1), *latest = crowd_join(&crowd, DUCT_LATEST_ONLY, 1);
	duct_receiver *cut = crowd_join(&crowd, DUCT_CUT_OFF, 1), *late;

	CHECK_STATUS(instance_send(crowd.tx, 1), DUCT_OK);
	for (int failing = 1; failing <= 2; failing++) {
		atomic_store(&instances.fail_in, failing);
		CHECK_STATUS(instance_send(crowd.tx, 2), DUCT_NOMEM);
	}
	CHECK(!duct_receiver_is_cut_off(cut));
	late = crowd_join(&crowd, DUCT_DROP_OLDEST, 5);
	CHECK(instances_read(late, 1, 1) && instances_read(one, 1, 1) && instances_read(latest, 1, 1) &&
	      instances_read(cut, 1, 1));
	CHECK(counts(one, 1, 1, 0, 0) && counts(latest, 1, 1, 0, 0) && counts(cut, 1, 1, 0, 0));
	duct_receiver_free(one);
	duct_receiver_free(latest);
	duct_receiver_free(cut);
	duct_receiver_free(late);
	crowd_free(&crowd);
	CHECK(instances_alive() == 0);
}

/* A batch that meets a copy that fails has sent those before it, and only those. */
TEST(copy, that_fails_ends_a_batch, 5)
{
	for (int failing = 1; failing <= 8; failing++) {
		struct crowd crowd = counted_crowd(COUNTED(.replay = 0));
		duct_receiver *rx[3];
		struct instance batch[4];
		size_t sent = 77;

		for (int r = 0; r < 3; r++)
			rx[r] = crowd_join(&crowd, DUCT_BLOCK, 5);
		for (int n = 0; n < 4; n++)
			batch[n] = instance_new(n);
		atomic_store(&instances.fail_in, failing);
		CHECK_STATUS(duct_send_many(crowd.tx, batch, 4, &sent, DUCT_FOREVER, NULL), DUCT_NOMEM);
		CHECK(sent == (size_t)(failing - 1) / 2);
		for (size_t n = sent; n < 4; n++)
			instance_end(&batch[n]);
		for (int r = 0; r < 3; r++) {
			CHECK(instances_read(rx[r], 0, (int)sent - 1) && then(rx[r], DUCT_EMPTY));
			duct_receiver_free(rx[r]);
		}
		crowd_free(&crowd);
		CHECK(instances_alive() == 0);
	}
}

/* A select that would send what cannot be copied says so and has done nothing. */
TEST(copy, that_fails_fails_a_select, 5)
{
	struct crowd crowd = counted_crowd(COUNTED(.replay = 0));
	duct_receiver *rx[2] = { crowd_join(&crowd, DUCT_BLOCK, 5), crowd_join(&crowd, DUCT_BLOCK, 5) };
	struct instance made = instance_new(1);
	duct_case cases[] = { DUCT_SEND(crowd.tx, &made) };
	size_t chosen = 77;

	atomic_store(&instances.fail_in, 1);
	CHECK_STATUS(duct_select(cases, 1, &chosen), DUCT_NOMEM);
	CHECK(chosen == 77 && cases[0].status == DUCT_OK && instances_alive() == 1);
	atomic_store(&instances.fail_in, 0);
	CHECK_STATUS(duct_select(cases, 1, &chosen), DUCT_OK);
	CHECK(chosen == 0 && cases[0].status == DUCT_OK);
	for (int r = 0; r < 2; r++) {
		CHECK(instances_read(rx[r], 1, 1) && then(rx[r], DUCT_EMPTY));
		duct_receiver_free(rx[r]);
	}
	crowd_free(&crowd);
	CHECK(instances_alive() == 0);
}

/* A receiver whose replay cannot be copied is not made, by any of the functions that make one. */
TEST(copy, that_fails_makes_no_receiver, 5)
{
	struct crowd crowd = counted_crowd(COUNTED(.replay = 3));
	duct_receiver *rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 5), *late = NULL;

	for (int n = 1; n <= 3; n++)
		CHECK_STATUS(instance_send(crowd.tx, n), DUCT_OK);
	for (int failing = 1; failing <= 3; failing++) {
		atomic_store(&instances.fail_in, failing);
		CHECK_STATUS(duct_subscribe(crowd.channel, &late, NULL), DUCT_NOMEM);
		atomic_store(&instances.fail_in, failing);
		CHECK_STATUS(duct_sender_subscribe(crowd.tx, &late, NULL), DUCT_NOMEM);
		atomic_store(&instances.fail_in, failing);
		CHECK_STATUS(duct_receiver_new(crowd.channel, &late), DUCT_NOMEM);
		atomic_store(&instances.fail_in, failing);
		CHECK_STATUS(duct_receiver_clone(rx, &late), DUCT_NOMEM);
	}
	CHECK(late == NULL && duct_channel_receivers(crowd.channel) == 1 && instances_alive() == 6);
	CHECK(instances_read(rx, 1, 3));
	duct_receiver_free(rx);
	crowd_free(&crowd);
	CHECK(instances_alive() == 0);
}

/* A send that has to wait, and one that is refused, keep their message and no copy of it. */
TEST(copy, is_not_left_of_a_send_that_failed, 5)
{
	struct crowd crowd = counted_crowd(COUNTED(.replay = 0));
	duct_receiver *full = crowd_join(&crowd, DUCT_BLOCK, 1), *wide = crowd_join(&crowd, DUCT_DROP_OLDEST, 9);
	struct instance made = instance_new(2);
	struct test_call call = { .action = SEND, .pair = { .tx = crowd.tx }, .memory = &made, .deadline = DUCT_FOREVER };

	CHECK_STATUS(instance_send(crowd.tx, 1), DUCT_OK);
	CHECK_STATUS(duct_try_send(crowd.tx, &made), DUCT_FULL);
	CHECK_STATUS(duct_send_until(crowd.tx, &made, 0, NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_send_until(crowd.tx, &made, duct_after_ms(2), NULL), DUCT_TIMEDOUT);
	CHECK(instances_alive() == 2 + 1);
	call.thread = test_start(test_call_run, &call);
	AWAIT(duct_channel_waiting_senders(crowd.channel) == 1);
	duct_channel_close(crowd.channel, 0);
	CHECK_STATUS(test_call_end(&call), DUCT_CLOSED);
	CHECK_STATUS(duct_try_send(crowd.tx, &made), DUCT_CLOSED);
	CHECK(instances_alive() == 2 + 1);
	instance_end(&made);
	CHECK(instances_read(full, 1, 1) && instances_read(wide, 1, 1));
	duct_receiver_free(full);
	duct_receiver_free(wide);
	crowd_free(&crowd);
	CHECK(instances_alive() == 0);
}

/* A sender that waited has its copies made for those who are there when it goes on. */
TEST(copy, is_made_for_those_who_are_there_then, 5)
{
	struct crowd crowd = counted_crowd(COUNTED(.replay = 0));
	duct_receiver *full = crowd_join(&crowd, DUCT_BLOCK, 1), *leaves = crowd_join(&crowd, DUCT_DROP_OLDEST, 9), *joins[2];
	struct instance made = instance_new(2);
	struct test_call call = { .action = SEND, .pair = { .tx = crowd.tx }, .memory = &made, .deadline = DUCT_FOREVER };

	CHECK_STATUS(instance_send(crowd.tx, 1), DUCT_OK);
	call.thread = test_start(test_call_run, &call);
	AWAIT(duct_channel_waiting_senders(crowd.channel) == 1);
	joins[0] = crowd_join(&crowd, DUCT_DROP_OLDEST, 9);
	joins[1] = crowd_join(&crowd, DUCT_BLOCK, 1);
	duct_receiver_free(leaves);
	CHECK(instances_read(full, 1, 1));
	CHECK_STATUS(test_call_end(&call), DUCT_OK);
	CHECK(instances_alive() == 3);
	CHECK(instances_read(full, 2, 2) && instances_read(joins[0], 2, 2) && instances_read(joins[1], 2, 2));
	duct_receiver_free(full);
	duct_receiver_free(joins[0]);
	duct_receiver_free(joins[1]);
	crowd_free(&crowd);
	CHECK(instances_alive() == 0);
}

struct wide {
	struct instance instance;
	char filling[56]; /* 16 of these go on a tray without more memory */
};

static void wide_send(duct_sender *tx, int number)
{
	struct wide wide = { .instance = instance_new(number) };

	CHECK_STATUS(duct_try_send(tx, &wide), DUCT_OK);
}

/* A sender that waited may have copies for receivers that have gone; what is lost for its message lies beside them. */
TEST(copy, that_nobody_needs_any_more_is_not_overwritten, 5)
{
	enum { QUEUED = 13 };
	duct_sender *tx;
	duct_receiver *full, *latest, *gone[10];
	struct wide out = { .instance = instance_new(QUEUED + 1) }, in;
	struct test_call call = { .action = SEND, .memory = &out, .deadline = DUCT_FOREVER };

	CHECK_STATUS(duct_broadcast_open(&tx, &full, sizeof out, DUCT_SUBSCRIPTION(.overflow = DUCT_BLOCK, .capacity = QUEUED),
			 COUNTED(.replay = 0)),
	    DUCT_OK);
	CHECK_STATUS(duct_sender_subscribe(tx, &latest, DUCT_SUBSCRIPTION(.capacity = QUEUED)), DUCT_OK);
	for (int n = 1; n <= QUEUED; n++)
		wide_send(tx, n);
	for (size_t g = 0; g < ARRAY_LEN(gone); g++)
		CHECK_STATUS(duct_sender_subscribe(tx, &gone[g], NULL), DUCT_OK);
	call.pair.tx = tx;
	call.thread = test_start(test_call_run, &call);
	AWAIT(duct_channel_waiting_senders(duct_sender_channel(tx)) == 1);
	for (size_t g = 0; g < ARRAY_LEN(gone); g++)
		duct_receiver_free(gone[g]);
	CHECK_STATUS(duct_receiver_set_overflow(latest, DUCT_LATEST_ONLY), DUCT_OK);
	CHECK_STATUS(duct_recv(full, &in), DUCT_OK);
	instance_end(&in.instance);
	CHECK_STATUS(test_call_end(&call), DUCT_OK);
	CHECK_STATUS(duct_recv(latest, &in), DUCT_OK);
	CHECK(in.instance.number == QUEUED + 1 && instances_alive() == QUEUED + 1);
	instance_end(&in.instance);
	duct_receiver_free(full);
	duct_receiver_free(latest);
	duct_sender_free(tx);
	CHECK(instances_alive() == 0);
}

static void count_drop(void *message, void *context)
{
	CHECK(*(int *)message == 7);
	++*(int *)context;
}

/* Without a copy hook the bytes are copied, and each copy goes through the drop hook. */
TEST(copy, of_bytes_is_dropped_like_any_other, 5)
{
	int drops = 0;
	struct crowd crowd = crowd_new(DUCT_OPTIONS(.drop = count_drop, .context = &drops, .replay = 1));
	duct_receiver *rx[3];

	for (int r = 0; r < 3; r++)
		rx[r] = crowd_join(&crowd, DUCT_DROP_OLDEST, 2);
	CHECK(sends(crowd.tx, 7, 7) && drops == 0 && reads(rx[0], 7, 7));
	for (int r = 0; r < 3; r++)
		duct_receiver_free(rx[r]);
	CHECK(drops == 2);
	duct_channel_close(crowd.channel, 0);
	CHECK(drops == 3);
	crowd_free(&crowd);
	CHECK(drops == 3);
}

struct large {
	struct instance instance;
	char filling[3000];
};

/* Messages too large for the stack are copied and dropped as well, with memory of the channel's. */
TEST(copy, of_large_messages_is_the_same, 5)
{
	static struct large out, in;
	duct_sender *tx;
	duct_receiver *rx[3], *late;

	CHECK_STATUS(
	    duct_broadcast_open(&tx, &rx[0], sizeof(struct large), DUCT_SUBSCRIPTION(.capacity = 1), COUNTED(.replay = 1)),
	    DUCT_OK);
	CHECK_STATUS(duct_receiver_clone(rx[0], &rx[1]), DUCT_OK);
	CHECK_STATUS(duct_receiver_clone(rx[0], &rx[2]), DUCT_OK);
	for (int n = 1; n <= 3; n++) {
		out.instance = instance_new(n);
		CHECK_STATUS(duct_send(tx, &out), DUCT_OK);
		CHECK(instances_alive() == 4);
	}
	atomic_store(&instances.fail_in, 2);
	out.instance = instance_new(4);
	CHECK_STATUS(duct_send(tx, &out), DUCT_NOMEM);
	instance_end(&out.instance);
	CHECK_STATUS(duct_sender_subscribe(tx, &late, NULL), DUCT_OK);
	CHECK_STATUS(duct_recv(late, &in), DUCT_OK);
	CHECK(in.instance.number == 3);
	instance_end(&in.instance);
	for (int r = 0; r < 3; r++) {
		CHECK_STATUS(duct_recv(rx[r], &in), DUCT_OK);
		CHECK(in.instance.number == 3);
		instance_end(&in.instance);
		duct_receiver_free(rx[r]);
	}
	duct_receiver_free(late);
	CHECK(instances_alive() == 0);
	duct_sender_free(tx);
	CHECK(instances_alive() == 0);
}

static struct {
	struct crowd crowd;
	duct_receiver *joined, *leaving;
	int calls;
} meddling;

static int meddling_copy(void *to, const void *from, void *context)
{
	char line[200];

	if (++meddling.calls == 1) {
		CHECK(duct_channel_describe(meddling.crowd.channel, line, sizeof line) > 0);
		meddling.joined = crowd_join(&meddling.crowd, DUCT_BLOCK, 3);
		duct_receiver_free(meddling.leaving);
	}
	return instance_copy(to, from, context);
}

/* A hook may have receivers join and leave in the middle of the send that it copies for. */
TEST(copy, may_change_who_is_there, 5)
{
	duct_receiver *stays[2];

	meddling.crowd = counted_crowd(DUCT_OPTIONS(.copy = meddling_copy, .drop = instance_drop));
	stays[0] = crowd_join(&meddling.crowd, DUCT_BLOCK, 3);
	meddling.leaving = crowd_join(&meddling.crowd, DUCT_BLOCK, 3);
	stays[1] = crowd_join(&meddling.crowd, DUCT_BLOCK, 3);
	CHECK_STATUS(instance_send(meddling.crowd.tx, 1), DUCT_OK);
	CHECK_STATUS(instance_send(meddling.crowd.tx, 2), DUCT_OK);
	CHECK(instances_read(stays[0], 1, 2) && instances_read(stays[1], 1, 2));
	/* Who came in the middle of the first may have it or not. */
	CHECK(instances_read(meddling.joined, stats_of(meddling.joined).sent == 2 ? 1 : 2, 2));
	duct_receiver_free(stays[0]);
	duct_receiver_free(stays[1]);
	duct_receiver_free(meddling.joined);
	crowd_free(&meddling.crowd);
	CHECK(instances_alive() == 0);
}

static struct {
	duct_channel *channel;
	duct_sender *tx;
	int calls;
} discarding;

static int discarding_copy(void *to, const void *from, void *context)
{
	size_t discarded;

	if (++discarding.calls == 1) {
		CHECK(sends(discarding.tx, 5, 5));
		CHECK_STATUS(duct_channel_discard(discarding.channel, &discarded), DUCT_OK);
		CHECK(discarded == 1);
	}
	(void)context;
	memcpy(to, from, sizeof(int));
	return 0;
}

static int held_off;

static int watchful_copy(void *to, const void *from, void *context)
{
	int state, old;

	(void)context;
	CHECK(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state) == 0);
	CHECK(pthread_setcancelstate(state, &old) == 0);
	held_off += state == PTHREAD_CANCEL_DISABLE;
	memcpy(to, from, sizeof(int));
	return 0;
}

/* A thread that joins holds cancellation off while the replay is copied for it, and then has it as it had before. */
TEST(replay, is_copied_with_cancellation_held_off, 5)
{
	static const int states[] = { PTHREAD_CANCEL_ENABLE, PTHREAD_CANCEL_DISABLE };

	for (size_t s = 0; s < ARRAY_LEN(states); s++) {
		struct crowd crowd = crowd_new(DUCT_OPTIONS(.copy = watchful_copy, .replay = 2));
		duct_receiver *rx;
		int state;

		CHECK(sends(crowd.tx, 1, 2));
		held_off = 0;
		CHECK(pthread_setcancelstate(states[s], NULL) == 0);
		rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 9);
		CHECK(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state) == 0 && state == states[s]);
		CHECK(held_off == 2 && reads(rx, 1, 2));
		duct_receiver_free(rx);
		crowd_free(&crowd);
	}
}

/* A discard in the middle of a join that copies the replay: what is older goes with what was newer. */
TEST(replay, has_no_gap_where_messages_were_discarded, 5)
{
	struct crowd crowd = crowd_new(DUCT_OPTIONS(.copy = discarding_copy, .replay = 4));
	duct_receiver *rx;

	discarding.channel = crowd.channel;
	discarding.tx = crowd.tx;
	discarding.calls = 1; /* only the join's copies meddle */
	CHECK(sends(crowd.tx, 1, 4));
	discarding.calls = 0;
	rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 9);
	CHECK(discarding.calls >= 4 && sends(crowd.tx, 6, 7));
	CHECK(reads(rx, 6, 7) && then(rx, DUCT_EMPTY));
	CHECK(stats_of(rx).sent == 3 && stats_of(rx).discarded == 1 && adds_up(rx));
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

static int overtaking_copy(void *to, const void *from, void *context)
{
	(void)context;
	if (++discarding.calls == 1)
		CHECK(sends(discarding.tx, 5, 5));
	memcpy(to, from, sizeof(int));
	return 0;
}

/* Who wants only the latest does not get the one that was kept after one that came while that was copied. */
TEST(replay, is_too_late_for_who_wants_only_the_latest, 5)
{
	struct crowd crowd = crowd_new(DUCT_OPTIONS(.copy = overtaking_copy, .replay = 2));
	duct_receiver *rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 9), *clone;

	discarding.channel = crowd.channel;
	discarding.tx = crowd.tx;
	discarding.calls = 1;
	CHECK(sends(crowd.tx, 1, 4));
	CHECK_STATUS(duct_receiver_set_overflow(rx, DUCT_LATEST_ONLY), DUCT_OK);
	discarding.calls = 0;
	CHECK_STATUS(duct_receiver_clone(rx, &clone), DUCT_OK);
	CHECK(reads(clone, 5, 5) && then(clone, DUCT_EMPTY) && counts(clone, 1, 1, 0, 0));
	duct_receiver_free(rx);
	duct_receiver_free(clone);
	crowd_free(&crowd);
}
