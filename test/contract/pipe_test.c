/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Pipes: what goes through, what a stop leaves where, how a pipe ends, and what hooks in its thread may do to it.
 */
#include "crowd.h"
#include "instances.h"

#include <errno.h>
#include <signal.h>

static duct_pipe *pipe_of(duct_receiver *rx, duct_sender *tx, unsigned flags)
{
	duct_pipe *pipe;

	CHECK_STATUS(duct_pipe_new(&pipe, rx, tx, flags), DUCT_OK);
	CHECK(duct_pipe_state(pipe) == DUCT_PIPE_STOPPED);
	return pipe;
}

/* Two channels with a pipe between them that borrows its ends, and is stopped. */
struct line {
	struct test_pair from, to;
	duct_pipe *pipe;
};

static struct line line_with(size_t from_capacity, size_t to_capacity, unsigned flags)
{
	struct line line = { test_pair_new(sizeof(int), from_capacity), test_pair_new(sizeof(int), to_capacity), NULL };

	line.pipe = pipe_of(line.from.rx, line.to.tx, DUCT_BORROW_RECEIVER | DUCT_BORROW_SENDER | flags);
	return line;
}

static void line_free(struct line *line)
{
	duct_pipe_free(line->pipe);
	test_pair_free(&line->from);
	test_pair_free(&line->to);
}

/* Starts it, and waits until it waits for a message. */
static void start_idle(duct_pipe *pipe, const duct_channel *from)
{
	CHECK_STATUS(duct_pipe_start(pipe), DUCT_OK);
	AWAIT(duct_channel_waiting_receivers(from) == 1);
}

/* Waits for the message that comes next. */
static bool next_is(duct_receiver *rx, int expected)
{
	int message = -1;

	return duct_recv(rx, &message) == DUCT_OK && message == expected;
}

/* Until it has ended by itself, for this reason. */
static bool ends_with(duct_pipe *pipe, duct_pipe_status expected)
{
	return duct_pipe_wait(pipe, DUCT_FOREVER, NULL) == DUCT_OK && duct_pipe_state(pipe) == expected;
}

/* Gets the pipe to take that message while there was room, and fills the target before it can send it; then stops it. */
static void stop_with_in_hand(struct line *line, int message)
{
	start_idle(line->pipe, line->from.channel);
	CHECK(sends(line->to.tx, 77, 77));
	CHECK(sends(line->from.tx, message, message));
	AWAIT(duct_channel_waiting_senders(line->to.channel) == 1);
	CHECK(duct_channel_len(line->from.channel) == 0);
	duct_pipe_stop(line->pipe);
	CHECK(duct_pipe_state(line->pipe) == DUCT_PIPE_STOPPED && duct_pipe_forwarded(line->pipe) == 0);
	CHECK(reads(line->to.rx, 77, 77) && then(line->to.rx, DUCT_EMPTY));
}

/* ---- Forwarding ---------------------------------------------------------------------------------------------------- */

/* What is sent to the one broadcast reaches the receivers of both, and not the other way round. */
TEST(pipe, forwards_one_way, 5)
{
	struct crowd target = crowd_new(NULL), source = crowd_new(NULL);
	duct_receiver *at_target = crowd_join(&target, DUCT_DROP_OLDEST, 5),
		      *at_source = crowd_join(&source, DUCT_DROP_OLDEST, 5);
	duct_pipe *pipe = pipe_of(crowd_join(&source, DUCT_DROP_OLDEST, 5), target.tx, DUCT_BORROW_SENDER);

	CHECK_STATUS(duct_pipe_start(pipe), DUCT_OK);
	CHECK(duct_pipe_state(pipe) == DUCT_PIPE_RUNNING);
	CHECK(sends(source.tx, 42, 42) && next_is(at_target, 42) && next_is(at_source, 42));
	CHECK(sends(target.tx, 7, 7) && next_is(at_target, 7));
	duct_pipe_stop(pipe);
	CHECK(duct_pipe_forwarded(pipe) == 1 && then(at_source, DUCT_EMPTY) && then(at_target, DUCT_EMPTY));
	duct_pipe_free(pipe);
	duct_receiver_free(at_target);
	duct_receiver_free(at_source);
	crowd_free(&target);
	crowd_free(&source);
}

/* Once its scope is left the target gets no more, while receivers of the source do. */
TEST(pipe, forwards_nothing_after_its_scope, 5)
{
	struct crowd target = crowd_new(NULL), source = crowd_new(NULL);
	duct_receiver *at_target = crowd_join(&target, DUCT_DROP_OLDEST, 5),
		      *at_source = crowd_join(&source, DUCT_DROP_OLDEST, 5);

	{
		DUCT_AUTO_PIPE duct_pipe *pipe =
		    pipe_of(crowd_join(&source, DUCT_DROP_OLDEST, 5), target.tx, DUCT_BORROW_SENDER);

		CHECK_STATUS(duct_pipe_start(pipe), DUCT_OK);
		CHECK(sends(source.tx, 1, 1) && next_is(at_target, 1));
	}
	CHECK(sends(source.tx, 2, 3) && reads(at_source, 1, 3) && then(at_target, DUCT_EMPTY));
	CHECK(duct_channel_receivers(source.channel) == 1);
	duct_receiver_free(at_target);
	duct_receiver_free(at_source);
	crowd_free(&target);
	crowd_free(&source);
}

static void *send_a_thousand(void *argument)
{
	duct_sender *tx = argument;

	for (int n = 0; n < 1000; n++)
		CHECK_STATUS(duct_send(tx, &n), DUCT_OK);
	return NULL;
}

static bool is_odd(const void *message, void *context)
{
	(void)context;
	return *(const int *)message % 2 != 0;
}

/* What no channel's receiver gives goes through as well; what a filter leaves out is not in the pipe's way. */
TEST(pipe, forwards_from_a_merge_of_filters, 10)
{
	struct test_pair from[2] = { test_pair_new(sizeof(int), 4), test_pair_new(sizeof(int), 4) };
	struct test_pair to = test_pair_new(sizeof(int), 1);
	duct_receiver *filters[2], *merged;
	duct_pipe *pipe;

	for (int i = 0; i < 2; i++)
		CHECK_STATUS(duct_filter_new(&filters[i], from[i].rx, is_odd, NULL, NULL), DUCT_OK);
	CHECK_STATUS(duct_merge_new(&merged, filters, 2, NULL), DUCT_OK);
	pipe = pipe_of(merged, to.tx, DUCT_BORROW_SENDER);
	CHECK_STATUS(duct_pipe_start(pipe), DUCT_OK);
	for (int message = 0; message < 100; message++) {
		CHECK_STATUS(duct_send(from[message / 2 % 2].tx, &message), DUCT_OK);
		if (message % 2 != 0)
			CHECK(next_is(to.rx, message));
	}
	for (int i = 0; i < 2; i++) {
		from[i].rx = NULL;
		test_pair_free(&from[i]);
	}
	CHECK(ends_with(pipe, DUCT_PIPE_SOURCE_ENDED));
	CHECK(duct_pipe_forwarded(pipe) == 50);
	duct_pipe_free(pipe);
	test_pair_free(&to);
}

/* From and to channels of all capacities all comes through, in order. */
TEST(pipe, keeps_the_order, 20)
{
	static const size_t capacities[] = { 0, 1, 2, 50 };

	for (size_t k = 0; k < 16; k++) {
		struct line line = line_with(capacities[k % 4], capacities[k / 4], DUCT_CLOSE_CHANNEL);
		pthread_t sender = test_start(send_a_thousand, line.from.tx);

		CHECK_STATUS(duct_pipe_start(line.pipe), DUCT_OK);
		for (int n = 0; n < 1000; n++)
			CHECK(next_is(line.to.rx, n));
		test_join(sender);
		duct_channel_close(line.from.channel, 0);
		CHECK(ends_with(line.pipe, DUCT_PIPE_SOURCE_ENDED) && then(line.to.rx, DUCT_CLOSED));
		CHECK(duct_pipe_forwarded(line.pipe) == 1000 && duct_pipe_lost(line.pipe) == 0);
		line_free(&line);
	}
}

/* Messages of no bytes are forwarded, and taken, too. */
TEST(pipe, forwards_messages_of_no_bytes, 5)
{
	struct test_pair from = test_pair_new(0, 2), to = test_pair_new(0, 0);
	duct_pipe *pipe = pipe_of(from.rx, to.tx, DUCT_BORROW_RECEIVER | DUCT_BORROW_SENDER);

	CHECK_STATUS(duct_send(from.tx, NULL), DUCT_OK);
	CHECK_STATUS(duct_send(from.tx, NULL), DUCT_OK);
	CHECK_STATUS(duct_pipe_start(pipe), DUCT_OK);
	CHECK_STATUS(duct_recv(to.rx, NULL), DUCT_OK);
	AWAIT(duct_channel_waiting_senders(to.channel) == 1);
	duct_pipe_stop(pipe);
	CHECK_STATUS(duct_pipe_take(pipe, NULL), DUCT_OK);
	CHECK_STATUS(duct_pipe_take(pipe, NULL), DUCT_EMPTY);
	duct_pipe_free(pipe);
	test_pair_free(&from);
	test_pair_free(&to);
}

/* So are those of one byte. */
TEST(pipe, forwards_messages_of_one_byte, 5)
{
	struct test_pair from = test_pair_new(1, 2), to = test_pair_new(1, 0);
	duct_pipe *pipe = pipe_of(from.rx, to.tx, DUCT_BORROW_RECEIVER | DUCT_BORROW_SENDER);
	char message = 0;

	CHECK_STATUS(duct_send(from.tx, "a"), DUCT_OK);
	CHECK_STATUS(duct_send(from.tx, "b"), DUCT_OK);
	CHECK_STATUS(duct_pipe_start(pipe), DUCT_OK);
	CHECK_STATUS(duct_recv(to.rx, &message), DUCT_OK);
	CHECK(message == 'a');
	AWAIT(duct_channel_waiting_senders(to.channel) == 1);
	duct_pipe_stop(pipe);
	CHECK_STATUS(duct_pipe_take(pipe, &message), DUCT_OK);
	CHECK(message == 'b');
	duct_pipe_free(pipe);
	test_pair_free(&from);
	test_pair_free(&to);
}

/* A receiver that tells of its losses does not stop it; they are counted. */
TEST(pipe, goes_on_after_a_lag, 5)
{
	struct crowd source = crowd_new(NULL);
	struct test_pair to = test_pair_new(sizeof(int), 9);
	duct_receiver *rx =
	    crowd_join_as(&source, DUCT_SUBSCRIPTION(.capacity = 2, .tell_lag = true, .overflow = DUCT_DROP_OLDEST));
	duct_pipe *pipe = pipe_of(rx, to.tx, DUCT_BORROW_SENDER);

	CHECK(sends(source.tx, 1, 5));
	start_idle(pipe, source.channel);
	CHECK(reads(to.rx, 4, 5));
	duct_pipe_stop(pipe);
	CHECK(duct_pipe_lost(pipe) == 3 && duct_pipe_forwarded(pipe) == 2);
	CHECK(sends(source.tx, 6, 12));
	start_idle(pipe, source.channel);
	CHECK(reads(to.rx, 11, 12));
	duct_pipe_stop(pipe);
	CHECK(duct_pipe_lost(pipe) == 8 && duct_pipe_forwarded(pipe) == 4 && duct_pipe_state(pipe) == DUCT_PIPE_STOPPED);
	duct_pipe_free(pipe);
	test_pair_free(&to);
	crowd_free(&source);
}

/* ---- Stopping ------------------------------------------------------------------------------------------------------ */

/* While the target is full nothing leaves the source: a stop finds nothing in hand. */
TEST(pipe, takes_nothing_for_a_full_target, 5)
{
	struct line line = line_with(5, 2, 0);

	CHECK(sends(line.to.tx, 1, 2) && sends(line.from.tx, 3, 5));
	CHECK_STATUS(duct_pipe_start(line.pipe), DUCT_OK);
	AWAIT(duct_channel_waiting_senders(line.to.channel) == 1);
	CHECK(duct_channel_len(line.from.channel) == 3);
	duct_pipe_stop(line.pipe);
	CHECK_STATUS(duct_pipe_take(line.pipe, &(int){ 0 }), DUCT_EMPTY);
	CHECK(reads(line.to.rx, 1, 2) && reads(line.from.rx, 3, 5) && test_pair_is_quiet(&line.to));
	line_free(&line);
}

/* Nor for a broadcast with a receiver that blocks. */
TEST(pipe, takes_nothing_for_a_full_broadcast, 5)
{
	struct crowd target = crowd_new(NULL);
	struct test_pair from = test_pair_new(sizeof(int), 5);
	duct_receiver *rx = crowd_join(&target, DUCT_BLOCK, 1);
	duct_pipe *pipe = pipe_of(from.rx, target.tx, DUCT_BORROW_RECEIVER | DUCT_BORROW_SENDER);

	CHECK(sends(target.tx, 1, 1) && sends(from.tx, 2, 3));
	CHECK_STATUS(duct_pipe_start(pipe), DUCT_OK);
	AWAIT(duct_channel_waiting_senders(target.channel) == 1);
	CHECK(duct_channel_len(from.channel) == 2);
	CHECK(next_is(rx, 1) && next_is(rx, 2) && next_is(rx, 3));
	duct_pipe_free(pipe);
	duct_receiver_free(rx);
	test_pair_free(&from);
	crowd_free(&target);
}

/* Where the room has gone meanwhile a stop keeps the message: it is the first that goes out after the next start. */
TEST(pipe, keeps_what_it_could_not_send, 5)
{
	struct line line = line_with(5, 1, 0);

	stop_with_in_hand(&line, 5);
	CHECK(sends(line.from.tx, 6, 7));
	CHECK_STATUS(duct_pipe_start(line.pipe), DUCT_OK);
	CHECK(next_is(line.to.rx, 5) && next_is(line.to.rx, 6) && next_is(line.to.rx, 7));
	line_free(&line);
}

/* It keeps it over any number of stops. */
TEST(pipe, keeps_it_over_stops, 5)
{
	struct line line = line_with(5, 0, 0);

	CHECK(sends(line.from.tx, 5, 6));
	for (int again = 0; again < 5; again++) {
		CHECK_STATUS(duct_pipe_start(line.pipe), DUCT_OK);
		AWAIT(duct_channel_waiting_senders(line.to.channel) == 1);
		CHECK(duct_channel_len(line.from.channel) == 1);
		duct_pipe_stop(line.pipe);
		CHECK(test_pair_is_quiet(&line.to));
	}
	CHECK_STATUS(duct_pipe_start(line.pipe), DUCT_OK);
	CHECK(next_is(line.to.rx, 5) && next_is(line.to.rx, 6));
	line_free(&line);
}

/* It can be taken out instead, once; not from a pipe that runs. */
TEST(pipe, gives_out_what_it_has_in_hand, 5)
{
	struct line line = line_with(5, 1, 0);
	int message = -1;

	CHECK_STATUS(duct_pipe_take(line.pipe, &message), DUCT_EMPTY);
	stop_with_in_hand(&line, 5);
	CHECK_STATUS(duct_pipe_take(line.pipe, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_pipe_take(line.pipe, &message), DUCT_OK);
	CHECK(message == 5);
	CHECK_STATUS(duct_pipe_take(line.pipe, &message), DUCT_EMPTY);
	CHECK(sends(line.from.tx, 6, 7));
	CHECK_STATUS(duct_pipe_start(line.pipe), DUCT_OK);
	CHECK(next_is(line.to.rx, 6) && next_is(line.to.rx, 7));
	line_free(&line);
}

/* A pipe that runs has its hand for itself. */
TEST(pipe, gives_nothing_out_while_it_runs, 5)
{
	struct line line = line_with(5, 0, 0);
	int message = -1;

	CHECK(sends(line.from.tx, 5, 5));
	CHECK_STATUS(duct_pipe_start(line.pipe), DUCT_OK);
	AWAIT(duct_channel_waiting_senders(line.to.channel) == 1);
	CHECK_STATUS(duct_pipe_take(line.pipe, &message), DUCT_EMPTY);
	CHECK(message == -1 && next_is(line.to.rx, 5));
	line_free(&line);
}

static void count_drop(void *message, void *context)
{
	*(int *)context += *(int *)message;
}

/* Freed with one in hand, it drops that as a message of the target's channel. */
TEST(pipe, drops_what_is_in_hand_when_freed, 5)
{
	int from_drops = 0, to_drops = 0, cancellation;
	struct test_pair from = test_pair_with(sizeof(int), 2, DUCT_OPTIONS(.drop = count_drop, .context = &from_drops));
	struct test_pair to = test_pair_with(sizeof(int), 0, DUCT_OPTIONS(.drop = count_drop, .context = &to_drops));
	duct_pipe *pipe = pipe_of(from.rx, to.tx, 0);

	CHECK(sends(from.tx, 5, 5));
	CHECK_STATUS(duct_pipe_start(pipe), DUCT_OK);
	AWAIT(duct_channel_waiting_senders(to.channel) == 1);
	CHECK(to_drops == 0);
	duct_pipe_free(pipe);
	CHECK(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &cancellation) == 0 && cancellation == PTHREAD_CANCEL_ENABLE);
	CHECK(from_drops == 0 && to_drops == 5);
	from.rx = NULL;
	to.tx = NULL;
	test_pair_free(&from);
	test_pair_free(&to);
	CHECK(from_drops == 0 && to_drops == 5);
}

/* What was sent, or taken out, is not dropped again. */
TEST(pipe, drops_nothing_else_when_freed, 5)
{
	int drops = 0, message;
	struct test_pair from = test_pair_new(sizeof(int), 2);
	struct test_pair to = test_pair_with(sizeof(int), 0, DUCT_OPTIONS(.drop = count_drop, .context = &drops));

	for (int taken = 0; taken < 2; taken++) {
		duct_pipe *pipe = pipe_of(from.rx, to.tx, DUCT_BORROW_RECEIVER | DUCT_BORROW_SENDER);

		CHECK(sends(from.tx, 5, 5));
		CHECK_STATUS(duct_pipe_start(pipe), DUCT_OK);
		AWAIT(duct_channel_waiting_senders(to.channel) == 1);
		if (taken) {
			duct_pipe_stop(pipe);
			CHECK_STATUS(duct_pipe_take(pipe, &message), DUCT_OK);
		} else {
			CHECK(next_is(to.rx, 5));
		}
		duct_pipe_free(pipe);
	}
	test_pair_free(&from);
	test_pair_free(&to);
	CHECK(drops == 0);
}

/* Starting it again while it runs does nothing; stopping it again neither. */
TEST(pipe, is_started_and_stopped_once, 5)
{
	struct line line = line_with(5, 5, 0);

	duct_pipe_stop(line.pipe);
	start_idle(line.pipe, line.from.channel);
	for (int again = 0; again < 3; again++)
		CHECK_STATUS(duct_pipe_start(line.pipe), DUCT_OK);
	CHECK(sends(line.from.tx, 1, 3) && next_is(line.to.rx, 1) && next_is(line.to.rx, 2) && next_is(line.to.rx, 3));
	AWAIT(duct_channel_waiting_receivers(line.from.channel) == 1);
	duct_pipe_stop(line.pipe);
	duct_pipe_stop(line.pipe);
	CHECK(test_pair_is_quiet(&line.from) && sends(line.from.tx, 4, 4) && then(line.to.rx, DUCT_EMPTY));
	CHECK(duct_pipe_state(line.pipe) == DUCT_PIPE_STOPPED && duct_pipe_forwarded(line.pipe) == 3);
	line_free(&line);
}

static void *start_and_stop(void *argument)
{
	duct_pipe *pipe = argument;

	for (int again = 0; again < 200; again++) {
		CHECK_STATUS(duct_pipe_start(pipe), DUCT_OK);
		(void)duct_pipe_state(pipe);
		duct_pipe_stop(pipe);
	}
	return NULL;
}

static void *read_a_thousand(void *argument)
{
	duct_receiver *rx = argument;

	for (int n = 0; n < 1000; n++)
		CHECK(next_is(rx, n));
	return NULL;
}

/* Any number of threads may start and stop it at once: all goes through, in order. */
TEST(pipe, is_started_and_stopped_by_many, 30)
{
	struct line line = line_with(3, 1, 0);
	pthread_t sender = test_start(send_a_thousand, line.from.tx), reader = test_start(read_a_thousand, line.to.rx);
	pthread_t threads[3];

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		threads[i] = test_start(start_and_stop, line.pipe);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		test_join(threads[i]);
	CHECK_STATUS(duct_pipe_start(line.pipe), DUCT_OK);
	test_join(reader);
	test_join(sender);
	duct_pipe_stop(line.pipe);
	CHECK(duct_pipe_forwarded(line.pipe) == 1000);
	CHECK_STATUS(duct_pipe_take(line.pipe, &(int){ 0 }), DUCT_EMPTY);
	line_free(&line);
}

/* ---- Its end ------------------------------------------------------------------------------------------------------- */

/* It ends when the source is closed and drained, and can be started again, to no avail. */
TEST(pipe, ends_with_its_source, 5)
{
	struct line line = line_with(5, 5, 0);

	CHECK(sends(line.from.tx, 1, 3));
	duct_channel_close(line.from.channel, 7);
	for (int again = 0; again < 3; again++) {
		CHECK_STATUS(duct_pipe_start(line.pipe), DUCT_OK);
		CHECK(ends_with(line.pipe, DUCT_PIPE_SOURCE_ENDED) && duct_pipe_forwarded(line.pipe) == 3);
	}
	CHECK(!duct_channel_is_closed(line.to.channel) && !duct_sender_is_closed(line.to.tx));
	CHECK(sends(line.to.tx, 4, 4) && reads(line.to.rx, 1, 4));
	duct_pipe_stop(line.pipe);
	CHECK(duct_pipe_state(line.pipe) == DUCT_PIPE_SOURCE_ENDED);
	line_free(&line);
}

/* A source also ends by its own close, and when it becomes a peekable. */
TEST(pipe, ends_with_its_receiver, 5)
{
	struct crowd source = crowd_new(NULL), target = crowd_new(NULL);

	for (int peekable = 0; peekable < 2; peekable++) {
		duct_receiver *rx = crowd_join(&source, DUCT_DROP_OLDEST, 5);
		duct_pipe *pipe = pipe_of(rx, target.tx, DUCT_BORROW_RECEIVER | DUCT_BORROW_SENDER | DUCT_CLOSE_SENDER);
		duct_peekable *made = NULL;

		start_idle(pipe, source.channel);
		if (peekable)
			CHECK_STATUS(duct_receiver_into_peekable(rx, &made), DUCT_OK);
		else
			duct_receiver_close(rx);
		CHECK(ends_with(pipe, DUCT_PIPE_SOURCE_ENDED) && duct_sender_is_closed(target.tx));
		duct_pipe_free(pipe);
		duct_sender_free(target.tx);
		CHECK_STATUS(duct_sender_new(target.channel, &target.tx), DUCT_OK);
		duct_peekable_free(made);
		duct_receiver_free(rx);
	}
	crowd_free(&source);
	crowd_free(&target);
}

/* A close goes on to the target if the pipe is told to: behind all messages, with its reason, or to the sender only. */
TEST(pipe, passes_the_close_on, 5)
{
	static const unsigned flags[] = { 0, DUCT_CLOSE_CHANNEL, DUCT_CLOSE_SENDER, DUCT_CLOSE_CHANNEL | DUCT_CLOSE_SENDER };

	for (size_t k = 0; k < ARRAY_LEN(flags); k++) {
		struct line line = line_with(5, 5, flags[k]);
		const bool closes_channel = (flags[k] & DUCT_CLOSE_CHANNEL) != 0;

		CHECK(sends(line.from.tx, 1, 3));
		duct_channel_close(line.from.channel, 42);
		CHECK_STATUS(duct_pipe_start(line.pipe), DUCT_OK);
		CHECK(ends_with(line.pipe, DUCT_PIPE_SOURCE_ENDED));
		CHECK(duct_channel_is_closed(line.to.channel) == closes_channel);
		CHECK(duct_channel_reason(line.to.channel) == (closes_channel ? 42 : 0));
		CHECK(duct_sender_is_closed(line.to.tx) == ((flags[k] & DUCT_CLOSE_SENDER) != 0));
		CHECK(reads(line.to.rx, 1, 3) && then(line.to.rx, closes_channel ? DUCT_CLOSED : DUCT_EMPTY));
		line_free(&line);
	}
}

/* What is no end of the source closes nothing: a stop, and an end of the target. */
TEST(pipe, passes_nothing_else_on, 5)
{
	struct line line = line_with(5, 5, DUCT_CLOSE_CHANNEL | DUCT_CLOSE_SENDER);

	start_idle(line.pipe, line.from.channel);
	duct_pipe_stop(line.pipe);
	duct_receiver_close(line.to.rx);
	CHECK_STATUS(duct_pipe_start(line.pipe), DUCT_OK);
	CHECK(ends_with(line.pipe, DUCT_PIPE_NO_RECEIVERS));
	CHECK(!duct_channel_is_closed(line.to.channel) && !duct_sender_is_closed(line.to.tx));
	line_free(&line);
}

/* It takes no message for a target that has ended. */
TEST(pipe, ends_with_its_target, 5)
{
	struct line line = line_with(5, 5, 0);

	CHECK(sends(line.from.tx, 1, 2));
	duct_receiver_free(line.to.rx);
	CHECK_STATUS(duct_pipe_start(line.pipe), DUCT_OK);
	CHECK(ends_with(line.pipe, DUCT_PIPE_NO_RECEIVERS));
	CHECK_STATUS(duct_receiver_new(line.to.channel, &line.to.rx), DUCT_OK);
	CHECK_STATUS(duct_pipe_start(line.pipe), DUCT_OK);
	CHECK(next_is(line.to.rx, 1) && next_is(line.to.rx, 2) && sends(line.from.tx, 3, 3) && next_is(line.to.rx, 3));
	duct_pipe_stop(line.pipe);
	duct_channel_close(line.to.channel, 0);
	CHECK(sends(line.from.tx, 5, 5));
	CHECK_STATUS(duct_pipe_start(line.pipe), DUCT_OK);
	CHECK(ends_with(line.pipe, DUCT_PIPE_TARGET_CLOSED));
	CHECK_STATUS(duct_pipe_take(line.pipe, &(int){ 0 }), DUCT_EMPTY);
	CHECK(next_is(line.from.rx, 5));
	line_free(&line);
}

/* Whatever room the target has, nothing is taken for one that has ended, however often the pipe is started. */
TEST(pipe, takes_nothing_for_a_target_that_has_ended, 5)
{
	static const size_t capacities[] = { 0, 1, 4 };

	for (size_t c = 0; c < ARRAY_LEN(capacities); c++)
		for (int how = 0; how < 3; how++) {
			struct line line = line_with(5, capacities[c], 0);

			CHECK(sends(line.from.tx, 1, 3));
			if (how == 0)
				duct_channel_close(line.to.channel, 0);
			else if (how == 1)
				duct_sender_close(line.to.tx);
			else
				duct_receiver_close(line.to.rx);
			for (int again = 0; again < 2; again++) {
				CHECK_STATUS(duct_pipe_start(line.pipe), DUCT_OK);
				CHECK(ends_with(line.pipe, how == 2 ? DUCT_PIPE_NO_RECEIVERS : DUCT_PIPE_TARGET_CLOSED));
			}
			CHECK_STATUS(duct_pipe_take(line.pipe, &(int){ 0 }), DUCT_EMPTY);
			CHECK(reads(line.from.rx, 1, 3));
			line_free(&line);
		}
}

/* A message that it had taken when the target ended stays in its hand. */
TEST(pipe, keeps_what_its_target_refused, 5)
{
	for (int closes = 0; closes < 2; closes++) {
		struct line line = line_with(5, 5, 0);
		const duct_pipe_status why = closes ? DUCT_PIPE_TARGET_CLOSED : DUCT_PIPE_NO_RECEIVERS;
		int message = -1;

		start_idle(line.pipe, line.from.channel);
		if (closes)
			duct_channel_close(line.to.channel, 0);
		else
			duct_receiver_close(line.to.rx);
		CHECK(duct_pipe_state(line.pipe) == DUCT_PIPE_RUNNING && sends(line.from.tx, 5, 5));
		for (int again = 0; again < 2; again++) {
			CHECK(ends_with(line.pipe, why) && duct_pipe_forwarded(line.pipe) == 0);
			CHECK_STATUS(duct_pipe_start(line.pipe), DUCT_OK);
		}
		CHECK(ends_with(line.pipe, why));
		CHECK_STATUS(duct_pipe_take(line.pipe, &message), DUCT_OK);
		CHECK(message == 5);
		line_free(&line);
	}
}

/* A sender that was closed is a closed target. */
TEST(pipe, ends_with_its_sender, 5)
{
	struct line line = line_with(5, 0, 0);

	CHECK(sends(line.from.tx, 5, 5));
	CHECK_STATUS(duct_pipe_start(line.pipe), DUCT_OK);
	AWAIT(duct_channel_waiting_senders(line.to.channel) == 1);
	duct_sender_close(line.to.tx);
	CHECK(ends_with(line.pipe, DUCT_PIPE_TARGET_CLOSED));
	line_free(&line);
}

/* A copy that fails at the target ends it, with the message in hand; started again it goes on with that. */
TEST(pipe, ends_where_a_copy_fails, 5)
{
	const duct_options *options = DUCT_OPTIONS(.copy = instance_copy, .drop = instance_drop);
	struct test_pair from = test_pair_with(sizeof(struct instance), 5, options);
	duct_channel *target;
	duct_sender *tx;
	duct_receiver *rx[2];
	duct_pipe *pipe;

	CHECK_STATUS(duct_broadcast_new(&target, sizeof(struct instance), options), DUCT_OK);
	CHECK_STATUS(duct_sender_new(target, &tx), DUCT_OK);
	for (int i = 0; i < 2; i++)
		CHECK_STATUS(duct_receiver_new(target, &rx[i]), DUCT_OK);
	pipe = pipe_of(from.rx, tx, 0);
	CHECK_STATUS(instance_send(from.tx, 1), DUCT_OK);
	CHECK_STATUS(instance_send(from.tx, 2), DUCT_OK);
	atomic_store(&instances.fail_in, 1);
	CHECK_STATUS(duct_pipe_start(pipe), DUCT_OK);
	CHECK(ends_with(pipe, DUCT_PIPE_NOMEM) && instances_alive() == 2 && duct_channel_len(from.channel) == 1);
	start_idle(pipe, from.channel);
	CHECK(instances_read(rx[0], 1, 2) && instances_read(rx[1], 1, 2) && instances_alive() == 0);
	duct_pipe_free(pipe);
	from.rx = NULL;
	test_pair_free(&from);
	duct_receiver_free(rx[0]);
	duct_receiver_free(rx[1]);
	duct_channel_free(target);
}

/* ---- Waiting for its end ------------------------------------------------------------------------------------------- */

/* The wait ends at once where it does not run, and else with its deadline or its token. */
TEST(pipe_wait, ends_with_deadline_and_token, 5)
{
	struct line line = line_with(5, 5, 0);
	duct_cancel *cancel, *raised;

	CHECK_STATUS(duct_cancel_new(&cancel, NULL, duct_after_ms(20)), DUCT_OK);
	CHECK_STATUS(duct_cancel_new(&raised, NULL, 0), DUCT_OK);
	CHECK_STATUS(duct_pipe_wait(line.pipe, 0, NULL), DUCT_OK);
	CHECK_STATUS(duct_pipe_wait(line.pipe, DUCT_FOREVER, raised), DUCT_CANCELED);
	CHECK_STATUS(duct_pipe_wait(line.pipe, -1, raised), DUCT_INVALID);
	start_idle(line.pipe, line.from.channel);
	CHECK_STATUS(duct_pipe_wait(line.pipe, 0, NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_pipe_wait(line.pipe, duct_after_ms(5), NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_pipe_wait(line.pipe, 0, raised), DUCT_CANCELED);
	CHECK_STATUS(duct_pipe_wait(line.pipe, DUCT_FOREVER, cancel), DUCT_CANCELED);
	CHECK(duct_pipe_state(line.pipe) == DUCT_PIPE_RUNNING);
	duct_pipe_stop(line.pipe);
	CHECK_STATUS(duct_pipe_wait(line.pipe, 0, NULL), DUCT_OK);
	duct_cancel_free(cancel);
	duct_cancel_free(raised);
	line_free(&line);
}

struct waiting {
	duct_pipe *pipe;
	duct_status status;
	atomic_int thread_id;
};

static void *wait_for_pipe(void *argument)
{
	struct waiting *waiting = argument;

	tell_thread_id(&waiting->thread_id);
	waiting->status = duct_pipe_wait(waiting->pipe, DUCT_FOREVER, NULL);
	return NULL;
}

/* All that wait are told when it stops, ends, or is freed. */
TEST(pipe_wait, tells_everybody, 5)
{
	enum { STOPPED, ENDED, FREED, WAYS };

	for (int way = 0; way < WAYS; way++) {
		struct line line = line_with(5, 5, 0);
		struct waiting waiting[3] = { { line.pipe, DUCT_INVALID, 0 }, { line.pipe, DUCT_INVALID, 0 },
			{ line.pipe, DUCT_INVALID, 0 } };
		pthread_t threads[3];

		start_idle(line.pipe, line.from.channel);
		for (size_t i = 0; i < ARRAY_LEN(threads); i++)
			threads[i] = test_start(wait_for_pipe, &waiting[i]);
		for (size_t i = 0; i < ARRAY_LEN(threads); i++)
			await_asleep(&waiting[i].thread_id);
		if (way == STOPPED)
			duct_pipe_stop(line.pipe);
		else if (way == ENDED)
			duct_channel_close(line.from.channel, 0);
		else
			duct_pipe_free(line.pipe);
		for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
			test_join(threads[i]);
			CHECK_STATUS(waiting[i].status, DUCT_OK);
		}
		if (way == FREED)
			line.pipe = NULL;
		line_free(&line);
	}
}

/* ---- Its ends ------------------------------------------------------------------------------------------------------ */

/* It frees the ends that it took over, and leaves those that it borrowed as they are. */
TEST(pipe, owns_or_borrows_its_ends, 5)
{
	for (unsigned flags = 0; flags < 4; flags++) {
		const bool lends_rx = (flags & DUCT_BORROW_RECEIVER) != 0, lends_tx = (flags & DUCT_BORROW_SENDER) != 0;
		struct test_pair from = test_pair_new(sizeof(int), 2), to = test_pair_new(sizeof(int), 2);
		duct_pipe *pipe = pipe_of(from.rx, to.tx, flags);

		start_idle(pipe, from.channel);
		duct_pipe_free(pipe);
		CHECK(duct_channel_receivers(from.channel) == lends_rx && duct_channel_senders(to.channel) == lends_tx);
		if (lends_rx)
			CHECK(sends(from.tx, 1, 1) && reads(from.rx, 1, 1));
		else
			from.rx = NULL;
		if (lends_tx)
			CHECK(sends(to.tx, 1, 1));
		else
			to.tx = NULL;
		test_pair_free(&from);
		test_pair_free(&to);
	}
}

/* What can never work is refused, and the ends stay the caller's. */
TEST(pipe, refuses_what_can_never_work, 5)
{
	struct test_pair one = test_pair_new(sizeof(int), 2), other = test_pair_new(sizeof(int), 2);
	struct test_pair wide = test_pair_new(sizeof(int) + 1, 2), empty = test_pair_new(0, 2);
	duct_pipe *pipe = NULL;

	CHECK_STATUS(duct_pipe_new(NULL, one.rx, other.tx, 0), DUCT_INVALID);
	CHECK_STATUS(duct_pipe_new(&pipe, NULL, other.tx, 0), DUCT_INVALID);
	CHECK_STATUS(duct_pipe_new(&pipe, one.rx, NULL, 0), DUCT_INVALID);
	CHECK_STATUS(duct_pipe_new(&pipe, one.rx, wide.tx, 0), DUCT_INVALID);
	CHECK_STATUS(duct_pipe_new(&pipe, wide.rx, one.tx, 0), DUCT_INVALID);
	CHECK_STATUS(duct_pipe_new(&pipe, one.rx, one.tx, 0), DUCT_INVALID);
	CHECK_STATUS(duct_pipe_new(&pipe, one.rx, other.tx, DUCT_STOP_AT_FAILURE), DUCT_INVALID);
	CHECK_STATUS(duct_pipe_new(&pipe, one.rx, other.tx, 32), DUCT_INVALID);
	CHECK_STATUS(duct_pipe_new(&pipe, NULL, empty.tx, 0), DUCT_INVALID);
	CHECK_STATUS(duct_pipe_new(&pipe, empty.rx, NULL, 0), DUCT_INVALID);
	CHECK(pipe == NULL && sends(one.tx, 1, 1) && reads(one.rx, 1, 1) && sends(other.tx, 2, 2) && reads(other.rx, 2, 2));
	test_pair_free(&one);
	test_pair_free(&other);
	test_pair_free(&wide);
	test_pair_free(&empty);
}

/* No pipe is a pipe that does not run. */
TEST(pipe, may_be_none, 5)
{
	duct_pipe_stop(NULL);
	duct_pipe_free(NULL);
	CHECK_STATUS(duct_pipe_start(NULL), DUCT_INVALID);
	CHECK_STATUS(duct_pipe_wait(NULL, DUCT_FOREVER, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_pipe_take(NULL, &(int){ 0 }), DUCT_INVALID);
	CHECK(duct_pipe_state(NULL) == DUCT_PIPE_STOPPED && duct_pipe_forwarded(NULL) == 0 && duct_pipe_lost(NULL) == 0);
}

/* ---- Hooks in its thread ------------------------------------------------------------------------------------------- */

/* A broadcast whose one receiver loses the older of two messages: the drop hook runs in the pipe's thread. */
static struct {
	duct_pipe *pipe;
	duct_channel *source, *target;
	duct_sender *source_tx;
	duct_receiver *target_rx;
	void (*act)(void);
	atomic_bool entered, stopping, let_go, left, canceled_later;
} hooked;

static void act_on_drop(void *message, void *context)
{
	void (*act)(void) = hooked.act;

	(void)message;
	(void)context;
	hooked.act = NULL;
	if (act != NULL)
		act();
}

static void hooked_begin(void (*act)(void))
{
	duct_sender *target_tx;
	duct_receiver *source_rx;

	hooked.act = act;
	CHECK_STATUS(duct_broadcast_new(&hooked.target, sizeof(int), DUCT_OPTIONS(.drop = act_on_drop)), DUCT_OK);
	CHECK_STATUS(duct_sender_new(hooked.target, &target_tx), DUCT_OK);
	CHECK_STATUS(duct_subscribe(hooked.target, &hooked.target_rx, DUCT_SUBSCRIPTION(.capacity = 1)), DUCT_OK);
	CHECK_STATUS(duct_anycast_new(&hooked.source, sizeof(int), 9, NULL), DUCT_OK);
	CHECK_STATUS(duct_sender_new(hooked.source, &hooked.source_tx), DUCT_OK);
	CHECK_STATUS(duct_receiver_new(hooked.source, &source_rx), DUCT_OK);
	hooked.pipe = pipe_of(source_rx, target_tx, 0);
	CHECK(sends(hooked.source_tx, 1, 5));
	CHECK_STATUS(duct_pipe_start(hooked.pipe), DUCT_OK);
}

static void hooked_end(void)
{
	duct_pipe_free(hooked.pipe);
	duct_receiver_free(hooked.target_rx);
	duct_sender_free(hooked.source_tx);
	duct_channel_free(hooked.source);
	duct_channel_free(hooked.target);
}

/* All that a hook can ask of a pipe that runs it. */
static void use_own_pipe(void)
{
	int message = -1;

	CHECK_STATUS(duct_pipe_start(hooked.pipe), DUCT_OK);
	CHECK(duct_pipe_state(hooked.pipe) == DUCT_PIPE_RUNNING);
	CHECK_STATUS(duct_pipe_wait(hooked.pipe, DUCT_FOREVER, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_pipe_take(hooked.pipe, &message), DUCT_EMPTY);
	duct_pipe_stop(hooked.pipe);
	CHECK(duct_pipe_state(hooked.pipe) == DUCT_PIPE_RUNNING);
	CHECK_STATUS(duct_pipe_start(hooked.pipe), DUCT_CANCELED);
	duct_pipe_stop(hooked.pipe);
}

/* A stop by a hook in its own thread comes back, and stops it when the hook has come back. */
TEST(pipe, is_stopped_in_its_own_thread, 5)
{
	hooked_begin(use_own_pipe);
	CHECK(ends_with(hooked.pipe, DUCT_PIPE_STOPPED));
	CHECK(duct_pipe_forwarded(hooked.pipe) == 2 && reads(hooked.target_rx, 2, 2) && duct_channel_len(hooked.source) == 3);
	CHECK_STATUS(duct_pipe_start(hooked.pipe), DUCT_OK);
	AWAIT(duct_pipe_forwarded(hooked.pipe) == 5);
	CHECK(duct_pipe_state(hooked.pipe) == DUCT_PIPE_RUNNING);
	hooked_end();
}

static void *use_stopped_pipe(void *argument)
{
	for (int again = 0; again < 2; again++) {
		CHECK_STATUS(duct_pipe_wait(argument, 0, NULL), DUCT_OK);
		CHECK_STATUS(duct_pipe_start(argument), DUCT_OK);
		CHECK_STATUS(duct_pipe_wait(argument, 0, NULL), DUCT_TIMEDOUT);
		duct_pipe_stop(argument);
		CHECK(duct_pipe_state(argument) == DUCT_PIPE_STOPPED);
	}
	duct_pipe_free(argument);
	return NULL;
}

/* A thread that has the id of the one that is gone is another one. */
TEST(pipe, is_used_by_who_has_the_id_of_its_old_thread, 5)
{
	for (int again = 0; again < 5; again++) {
		struct line line = line_with(5, 5, 0);

		start_idle(line.pipe, line.from.channel);
		duct_pipe_stop(line.pipe);
		test_join(test_start(use_stopped_pipe, line.pipe));
		line.pipe = NULL;
		line_free(&line);
	}
}

static void free_own_pipe(void)
{
	duct_pipe_free(hooked.pipe);
	CHECK(duct_channel_receivers(hooked.source) == 1);
}

/* So does a free: then the thread frees it when it ends. */
TEST(pipe, is_freed_in_its_own_thread, 5)
{
	hooked_begin(free_own_pipe);
	AWAIT(duct_channel_receivers(hooked.source) == 0 && duct_channel_senders(hooked.target) == 0);
	CHECK(reads(hooked.target_rx, 2, 2));
	hooked.pipe = NULL;
	hooked_end();
}

/* In the pipe's own thread: sees that it has been asked to stop, and stays for as long as the test wants. */
static void await_stop(void)
{
	atomic_store(&hooked.entered, true);
	AWAIT(duct_pipe_start(hooked.pipe) == DUCT_CANCELED);
	atomic_store(&hooked.stopping, true);
	AWAIT(atomic_load(&hooked.let_go));
	atomic_store(&hooked.left, true);
}

/* A stop elsewhere comes back when the hook has. */
TEST(pipe, is_stopped_after_its_hook, 5)
{
	hooked_begin(await_stop);
	atomic_store(&hooked.let_go, true);
	AWAIT(atomic_load(&hooked.entered));
	duct_pipe_stop(hooked.pipe);
	CHECK(atomic_load(&hooked.left) && duct_pipe_state(hooked.pipe) == DUCT_PIPE_STOPPED);
	hooked_end();
}

static void *stop_hooked(void *argument)
{
	duct_pipe_stop(hooked.pipe);
	CHECK(atomic_load(&hooked.left));
	return argument;
}

static atomic_int starter_id;

static void *stop_and_be_canceled(void *argument)
{
	tell_thread_id(&starter_id);
	duct_pipe_stop(hooked.pipe);
	atomic_store(&hooked.canceled_later, true);
	pthread_testcancel();
	return argument;
}

/* A thread that is canceled while it stops a pipe is canceled after that. */
TEST(pipe, is_stopped_by_a_thread_that_is_canceled, 5)
{
	pthread_t stopper;
	void *result;

	hooked_begin(await_stop);
	AWAIT(atomic_load(&hooked.entered));
	stopper = test_start(stop_and_be_canceled, NULL);
	AWAIT(atomic_load(&hooked.stopping));
	await_asleep(&starter_id);
	CHECK(pthread_cancel(stopper) == 0);
	atomic_store(&hooked.let_go, true);
	CHECK(pthread_join(stopper, &result) == 0 && result == PTHREAD_CANCELED);
	CHECK(atomic_load(&hooked.canceled_later) && duct_pipe_state(hooked.pipe) == DUCT_PIPE_STOPPED);
	hooked_end();
}

static void *start_hooked(void *argument)
{
	tell_thread_id(&starter_id);
	CHECK_STATUS(duct_pipe_start(hooked.pipe), DUCT_OK);
	CHECK(atomic_load(&hooked.left));
	return argument;
}

/* A start that meets a stop waits for it, and starts anew: the message that was in the way has gone out. */
TEST(pipe, is_started_after_a_stop, 5)
{
	pthread_t stopper, starter;

	hooked_begin(await_stop);
	AWAIT(atomic_load(&hooked.entered));
	stopper = test_start(stop_hooked, NULL);
	AWAIT(atomic_load(&hooked.stopping));
	starter = test_start(start_hooked, NULL);
	await_asleep(&starter_id);
	atomic_store(&hooked.let_go, true);
	test_join(stopper);
	test_join(starter);
	duct_pipe_stop(hooked.pipe);
	CHECK_STATUS(duct_pipe_start(hooked.pipe), DUCT_OK);
	AWAIT(duct_pipe_forwarded(hooked.pipe) == 5);
	hooked_end();
}

static void stop_and_wait(void)
{
	duct_pipe_stop(hooked.pipe);
	await_stop();
}

/* So does one that meets a stop by a hook in its own thread. */
TEST(pipe, is_started_after_a_stop_of_its_own, 5)
{
	pthread_t starter;

	hooked_begin(stop_and_wait);
	AWAIT(atomic_load(&hooked.entered));
	starter = test_start(start_hooked, NULL);
	await_asleep(&starter_id);
	atomic_store(&hooked.let_go, true);
	test_join(starter);
	AWAIT(duct_pipe_forwarded(hooked.pipe) == 5);
	hooked_end();
}

static duct_status start_status;

static void *start_freed(void *argument)
{
	tell_thread_id(&starter_id);
	start_status = duct_pipe_start(hooked.pipe);
	return argument;
}

static void free_when_stopped(void)
{
	await_stop();
	duct_pipe_free(hooked.pipe);
}

/* A start that waits for a stop, and then finds the pipe freed, says so; whoever is the last out takes it along. */
TEST(pipe, is_not_started_after_its_free, 5)
{
	pthread_t stopper, starter;

	hooked_begin(free_when_stopped);
	AWAIT(atomic_load(&hooked.entered));
	stopper = test_start(stop_hooked, NULL);
	AWAIT(atomic_load(&hooked.stopping));
	starter = test_start(start_freed, NULL);
	await_asleep(&starter_id);
	atomic_store(&hooked.let_go, true);
	test_join(stopper);
	test_join(starter);
	CHECK_STATUS(start_status, DUCT_CLOSED);
	CHECK(duct_channel_receivers(hooked.source) == 0 && duct_channel_senders(hooked.target) == 0);
	hooked.pipe = NULL;
	hooked_end();
}

static void stop_and_free(void)
{
	duct_pipe_stop(hooked.pipe);
	free_when_stopped();
}

/* Nor is it by a start that began before it was freed. */
TEST(pipe, is_not_started_after_a_free_of_its_own, 5)
{
	pthread_t starter;

	hooked_begin(stop_and_free);
	AWAIT(atomic_load(&hooked.stopping));
	starter = test_start(start_freed, NULL);
	await_asleep(&starter_id);
	atomic_store(&hooked.let_go, true);
	test_join(starter);
	CHECK_STATUS(start_status, DUCT_CLOSED);
	CHECK(duct_channel_receivers(hooked.source) == 0 && duct_channel_senders(hooked.target) == 0);
	hooked.pipe = NULL;
	hooked_end();
}

static sigset_t blocked;

static void look_at_signals(void)
{
	CHECK(pthread_sigmask(SIG_BLOCK, NULL, &blocked) == 0);
	atomic_store(&hooked.left, true);
}

/* Its thread gets no signal but for faults of its own; who starts it keeps his mask, and errno. */
TEST(pipe, blocks_signals_in_its_thread_alone, 5)
{
	static const int others[] = { SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGALRM, SIGCHLD, SIGPIPE };
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	sigset_t usr2, mine;

	CHECK(sigemptyset(&usr2) == 0 && sigaddset(&usr2, SIGUSR2) == 0);
	CHECK(pthread_sigmask(SIG_BLOCK, &usr2, NULL) == 0);
	errno = EDOM;
	hooked_begin(look_at_signals);
	CHECK(errno == EDOM);
	CHECK(pthread_sigmask(SIG_BLOCK, NULL, &mine) == 0);
	CHECK(sigismember(&mine, SIGUSR2) == 1 && sigismember(&mine, SIGUSR1) == 0 && sigismember(&mine, SIGTERM) == 0);
	AWAIT(atomic_load(&hooked.left));
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		CHECK(sigismember(&blocked, others[i]) == 1);
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		CHECK(sigismember(&blocked, faults[i]) == 0);
	hooked_end();
}
