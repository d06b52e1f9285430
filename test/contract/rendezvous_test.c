/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Rendezvous: at capacity 0 a message moves only between two threads that are both there.  And, at every capacity, waiting for
 * the other side without taking anything: duct_sender_wait and duct_receiver_wait.
 */
#include "harness.h"

#include <stdatomic.h>

static const size_t capacities[] = { 0, 1, 2, 3, 100 };

/* ---- Rendezvous -------------------------------------------------------------------------------------------------------- */

/* A channel of capacity 0 is always full and empty and holds nothing, whoever waits. */
TEST(rendezvous, is_always_full_and_empty, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 0);
	struct test_call call;
	int in;

	for (int who = 0; who < 2; who++) {
		CHECK(duct_channel_len(pair.channel) == 0 && duct_channel_capacity(pair.channel) == 0);
		CHECK(duct_channel_is_full(pair.channel) && duct_channel_is_empty(pair.channel));
		test_call_start(&call, who ? SEND : RECV, &pair, who ? 3 : -1, DUCT_FOREVER, NULL);
		AWAIT(duct_channel_waiting_senders(pair.channel) + duct_channel_waiting_receivers(pair.channel) == 1);
		CHECK(duct_channel_len(pair.channel) == 0);
		CHECK(duct_channel_is_full(pair.channel) && duct_channel_is_empty(pair.channel));
		if (who)
			CHECK_STATUS(duct_recv(pair.rx, &in), DUCT_OK);
		else
			CHECK_STATUS(duct_send(pair.tx, &(int){ 3 }), DUCT_OK);
		CHECK_STATUS(test_call_end(&call), DUCT_OK);
		CHECK((who ? in : call.message) == 3);
	}
	CHECK(duct_channel_len(pair.channel) == 0);
	test_pair_free(&pair);
}

/* With nobody on the other side the tries fail, and leave the buffers as they are. */
TEST(rendezvous, try_fails_with_nobody_there, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 0);
	int message = 5;

	for (int again = 0; again < 2; again++) {
		CHECK_STATUS(duct_try_send(pair.tx, &message), DUCT_FULL);
		CHECK_STATUS(duct_send_until(pair.tx, &message, 0, NULL), DUCT_TIMEDOUT);
		CHECK_STATUS(duct_try_recv(pair.rx, &message), DUCT_EMPTY);
		CHECK_STATUS(duct_recv_until(pair.rx, &message, 0, NULL), DUCT_TIMEDOUT);
		CHECK(message == 5);
	}
	test_pair_free(&pair);
}

struct padded {
	char letter;
	int64_t number;
	char letters[7];
};

static void start_bytes(struct test_call *call, enum test_action action, const struct test_pair *pair, unsigned char *bytes)
{
	*call = (struct test_call){ .action = action, .pair = *pair, .memory = bytes };
	call->thread = test_start(test_call_run, call);
}

/* The tries meet a thread that waits, in both directions, for messages of several types. */
TEST(rendezvous, try_meets_a_thread_that_waits, 5)
{
	static const size_t sizes[] = { 0, sizeof(char), sizeof(int), sizeof(void *), sizeof(struct padded), 1000 };

	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		struct test_pair pair = test_pair_new(sizes[s], 0);
		unsigned char out[1000], in[1000];
		struct test_call call;

		memset(out, 0xC3, sizeof out);
		memset(in, 0, sizeof in);
		start_bytes(&call, RECV, &pair, in);
		AWAIT(duct_channel_waiting_receivers(pair.channel) == 1);
		CHECK_STATUS(duct_try_send(pair.tx, out), DUCT_OK);
		CHECK_STATUS(duct_try_send(pair.tx, out), DUCT_FULL);
		CHECK_STATUS(test_call_end(&call), DUCT_OK);
		CHECK(memcmp(in, out, sizes[s]) == 0 && (sizes[s] == sizeof in || in[sizes[s]] == 0));
		memset(in, 0, sizeof in);
		start_bytes(&call, SEND, &pair, out);
		AWAIT(duct_channel_waiting_senders(pair.channel) == 1);
		CHECK_STATUS(duct_try_recv(pair.rx, in), DUCT_OK);
		CHECK_STATUS(duct_try_recv(pair.rx, in), DUCT_EMPTY);
		CHECK_STATUS(test_call_end(&call), DUCT_OK);
		CHECK(memcmp(in, out, sizes[s]) == 0 && (sizes[s] == sizeof in || in[sizes[s]] == 0));
		test_pair_free(&pair);
	}
}

/* A send is done only when a receiver has the message: until then it sleeps. */
TEST(rendezvous, send_waits_for_the_receive, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 0);
	struct test_call call;
	int in = -1;

	test_send_start(&call, pair.tx, 3);
	AWAIT(duct_channel_waiting_senders(pair.channel) == 1);
	for (int moment = 0; moment < 20; moment++) {
		test_pause();
		CHECK(!atomic_load(&call.done));
	}
	CHECK_STATUS(duct_recv(pair.rx, &in), DUCT_OK);
	CHECK(in == 3);
	CHECK_STATUS(test_call_end(&call), DUCT_OK);
	test_pair_free(&pair);
}

/* Once a send has returned, the receiver has the message, though it may not have woken up yet. */
TEST(rendezvous, message_is_there_when_send_returns, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 0);
	struct test_call call;

	test_recv_start(&call, pair.rx);
	CHECK_STATUS(duct_send(pair.tx, &(int){ 4 }), DUCT_OK);
	duct_channel_close(pair.channel, 0);
	CHECK_STATUS(test_call_end(&call), DUCT_OK);
	CHECK(call.message == 4);
	test_pair_free(&pair);
}

/* A send that ran out of time left nothing behind: the next receive sleeps, and gets the next message. */
TEST(rendezvous, a_send_that_timed_out_left_nothing, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 0);
	struct test_call call;

	CHECK_STATUS(duct_send_until(pair.tx, &(int){ 1 }, duct_after_ms(2), NULL), DUCT_TIMEDOUT);
	test_recv_start(&call, pair.rx);
	AWAIT(duct_channel_waiting_receivers(pair.channel) == 1);
	CHECK_STATUS(duct_send(pair.tx, &(int){ 2 }), DUCT_OK);
	CHECK_STATUS(test_call_end(&call), DUCT_OK);
	CHECK(call.message == 2);
	test_pair_free(&pair);
}

/* A receive that ran out of time is nobody to meet. */
TEST(rendezvous, a_receive_that_timed_out_meets_nobody, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 0);
	int in = -1;

	CHECK_STATUS(duct_recv_until(pair.rx, &in, duct_after_ms(2), NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_try_send(pair.tx, &(int){ 2 }), DUCT_FULL);
	CHECK(in == -1);
	test_pair_free(&pair);
}

static void *try_until_sent(void *argument)
{
	struct test_pair *pair = argument;

	for (int n = 0; n < 200; n++) {
		duct_status status;

		while ((status = duct_try_send(pair->tx, &n)) == DUCT_FULL)
			sched_yield();
		CHECK_STATUS(status, DUCT_OK);
	}
	return NULL;
}

/* A thread that only tries and a thread that sleeps meet every time. */
TEST(rendezvous, tries_meet_sleepers_every_time, 10)
{
	struct test_pair pair = test_pair_new(sizeof(int), 0);
	pthread_t trier = test_start(try_until_sent, &pair);
	int in;

	for (int n = 0; n < 200; n++) {
		CHECK_STATUS(duct_recv(pair.rx, &in), DUCT_OK);
		CHECK(in == n);
	}
	test_join(trier);
	test_pair_free(&pair);
}

/* ---- Waiting without taking -------------------------------------------------------------------------------------------- */

/* Where a receive would not wait, the wait is over at once, as often as it is asked, and takes nothing. */
TEST(receiver_wait, does_not_take, 5)
{
	for (size_t i = 1; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		int message;

		CHECK_STATUS(duct_send(pair.tx, &(int){ 6 }), DUCT_OK);
		for (int again = 0; again < 3; again++)
			CHECK_STATUS(duct_receiver_wait(pair.rx, DUCT_FOREVER, NULL), DUCT_OK);
		CHECK(duct_channel_len(pair.channel) == 1);
		CHECK_STATUS(duct_try_recv(pair.rx, &message), DUCT_OK);
		CHECK(message == 6);
		CHECK_STATUS(duct_receiver_wait(pair.rx, 0, NULL), DUCT_TIMEDOUT);
		test_pair_free(&pair);
	}
}

/* Where a send would not wait, the wait is over at once, and takes no room. */
TEST(sender_wait, takes_no_room, 5)
{
	for (size_t i = 1; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);

		for (size_t n = 0; n < capacities[i]; n++) {
			CHECK_STATUS(duct_sender_wait(pair.tx, DUCT_FOREVER, NULL), DUCT_OK);
			CHECK_STATUS(duct_sender_wait(pair.tx, DUCT_FOREVER, NULL), DUCT_OK);
			CHECK(duct_channel_len(pair.channel) == n);
			CHECK_STATUS(duct_try_send(pair.tx, &(int){ 1 }), DUCT_OK);
		}
		CHECK_STATUS(duct_sender_wait(pair.tx, 0, NULL), DUCT_TIMEDOUT);
		test_pair_free(&pair);
	}
}

/* A receiver's wait ends when there is a message, or at capacity 0 a sender with one; the message is still to be taken. */
TEST(receiver_wait, ends_when_a_message_comes, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		struct test_call waiter, sender;
		int in;

		test_call_start(&waiter, RECEIVER_WAIT, &pair, 0, DUCT_FOREVER, NULL);
		test_call_await_asleep(&waiter);
		CHECK(!atomic_load(&waiter.done));
		test_send_start(&sender, pair.tx, 6);
		CHECK_STATUS(test_call_end(&waiter), DUCT_OK);
		CHECK_STATUS(duct_try_recv(pair.rx, &in), DUCT_OK);
		CHECK(in == 6);
		CHECK_STATUS(test_call_end(&sender), DUCT_OK);
		CHECK_STATUS(duct_try_recv(pair.rx, &in), DUCT_EMPTY);
		test_pair_free(&pair);
	}
}

/* A sender's wait ends when there is room, or at capacity 0 a receiver that waits; a try_send then succeeds. */
TEST(sender_wait, ends_when_room_comes, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		struct test_call waiter, receiver;
		int queued = test_fill(pair.tx);

		test_call_start(&waiter, SENDER_WAIT, &pair, 0, DUCT_FOREVER, NULL);
		test_call_await_asleep(&waiter);
		CHECK(!atomic_load(&waiter.done));
		test_recv_start(&receiver, pair.rx);
		CHECK_STATUS(test_call_end(&waiter), DUCT_OK);
		CHECK_STATUS(duct_try_send(pair.tx, &queued), DUCT_OK);
		CHECK_STATUS(test_call_end(&receiver), DUCT_OK);
		CHECK(receiver.message == 0);
		CHECK(duct_channel_len(pair.channel) == capacities[i]);
		test_pair_free(&pair);
	}
}

/* At capacity 0 a partner that sleeps already ends the wait at once; it is met by the try that follows. */
TEST(wait, at_capacity_0_finds_a_partner_that_sleeps, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 0);
	struct test_call call;
	int in = -1;

	CHECK_STATUS(duct_receiver_wait(pair.rx, 0, NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_sender_wait(pair.tx, 0, NULL), DUCT_TIMEDOUT);
	test_send_start(&call, pair.tx, 6);
	AWAIT(duct_channel_waiting_senders(pair.channel) == 1);
	CHECK_STATUS(duct_receiver_wait(pair.rx, 0, NULL), DUCT_OK);
	CHECK_STATUS(duct_receiver_wait(pair.rx, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK_STATUS(duct_sender_wait(pair.tx, 0, NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_try_recv(pair.rx, &in), DUCT_OK);
	CHECK(in == 6);
	CHECK_STATUS(test_call_end(&call), DUCT_OK);
	test_recv_start(&call, pair.rx);
	AWAIT(duct_channel_waiting_receivers(pair.channel) == 1);
	CHECK_STATUS(duct_sender_wait(pair.tx, 0, NULL), DUCT_OK);
	CHECK_STATUS(duct_sender_wait(pair.tx, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK_STATUS(duct_receiver_wait(pair.rx, 0, NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_try_send(pair.tx, &(int){ 7 }), DUCT_OK);
	CHECK_STATUS(test_call_end(&call), DUCT_OK);
	CHECK(call.message == 7);
	test_pair_free(&pair);
}

/* Two that only wait do not meet: neither has anything for the other. */
TEST(wait, on_both_sides_does_not_meet_at_capacity_0, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 0);
	struct test_call sender, receiver;
	int message;

	test_call_start(&sender, SENDER_WAIT, &pair, 0, DUCT_FOREVER, NULL);
	test_call_start(&receiver, RECEIVER_WAIT, &pair, 0, DUCT_FOREVER, NULL);
	test_call_await_asleep(&sender);
	test_call_await_asleep(&receiver);
	CHECK(!atomic_load(&sender.done) && !atomic_load(&receiver.done));
	CHECK_STATUS(duct_try_send(pair.tx, &(int){ 1 }), DUCT_FULL);
	CHECK_STATUS(duct_try_recv(pair.rx, &message), DUCT_EMPTY);
	duct_channel_close(pair.channel, 0);
	CHECK_STATUS(test_call_end(&sender), DUCT_CLOSED);
	CHECK_STATUS(test_call_end(&receiver), DUCT_CLOSED);
	test_pair_free(&pair);
}

/* How a wait can end without the other side. */
enum ending { BY_CLOSE, BY_OWN_CLOSE, BY_OWN_FREE, BY_CANCEL, BY_NO_RECEIVERS };

/* A sleeping wait ends with the channel, with its own end, with the last receiver and with its token. */
TEST(wait, ends_as_the_send_or_receive_would, 10)
{
	static const struct {
		enum test_action action;
		enum ending ending;
		duct_status status;
	} cases[] = {
		{ SENDER_WAIT, BY_CLOSE, DUCT_CLOSED },
		{ SENDER_WAIT, BY_OWN_CLOSE, DUCT_CLOSED },
		{ SENDER_WAIT, BY_OWN_FREE, DUCT_CLOSED },
		{ SENDER_WAIT, BY_CANCEL, DUCT_CANCELED },
		{ SENDER_WAIT, BY_NO_RECEIVERS, DUCT_NO_RECEIVERS },
		{ RECEIVER_WAIT, BY_CLOSE, DUCT_CLOSED },
		{ RECEIVER_WAIT, BY_OWN_CLOSE, DUCT_CLOSED },
		{ RECEIVER_WAIT, BY_OWN_FREE, DUCT_CLOSED },
		{ RECEIVER_WAIT, BY_CANCEL, DUCT_CANCELED },
	};

	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
			struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
			struct test_call call;
			duct_cancel *cancel;

			CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
			if (cases[c].action == SENDER_WAIT)
				test_fill(pair.tx);
			test_call_start(&call, cases[c].action, &pair, 0, DUCT_FOREVER, cancel);
			test_call_await_asleep(&call);
			CHECK(!atomic_load(&call.done));
			switch (cases[c].ending) {
			case BY_CLOSE:
				duct_channel_close(pair.channel, 0);
				break;
			case BY_CANCEL:
				duct_cancel_raise(cancel);
				break;
			case BY_NO_RECEIVERS:
				duct_receiver_close(pair.rx);
				break;
			case BY_OWN_CLOSE:
				if (call.action == SENDER_WAIT)
					duct_sender_close(pair.tx);
				else
					duct_receiver_close(pair.rx);
				break;
			case BY_OWN_FREE:
				if (call.action == SENDER_WAIT) {
					duct_sender_free(pair.tx);
					pair.tx = NULL;
				} else {
					duct_receiver_free(pair.rx);
					pair.rx = NULL;
				}
				break;
			}
			CHECK_STATUS(test_call_end(&call), cases[c].status);
			CHECK(test_pair_is_quiet(&pair));
			duct_cancel_free(cancel);
			test_pair_free(&pair);
		}
	}
}

/* A wait runs out of time, not before its deadline. */
TEST(wait, runs_out_of_time, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		duct_time deadline;

		test_fill(pair.tx);
		deadline = duct_after_ms(3);
		CHECK_STATUS(duct_sender_wait(pair.tx, deadline, NULL), DUCT_TIMEDOUT);
		CHECK(duct_now() >= deadline);
		test_drain(pair.rx);
		deadline = duct_after_ms(3);
		CHECK_STATUS(duct_receiver_wait(pair.rx, deadline, NULL), DUCT_TIMEDOUT);
		CHECK(duct_now() >= deadline);
		test_pair_free(&pair);
	}
}

struct takers {
	struct test_pair pair;
	atomic_int taken;
};

static void *wait_and_try(void *argument)
{
	struct takers *takers = argument;
	int message;

	while (duct_receiver_wait(takers->pair.rx, DUCT_FOREVER, NULL) == DUCT_OK) {
		duct_status status = duct_try_recv(takers->pair.rx, &message);

		CHECK(status == DUCT_OK || status == DUCT_EMPTY || status == DUCT_CLOSED);
		if (status == DUCT_OK)
			atomic_fetch_add(&takers->taken, 1);
	}
	return NULL;
}

/* Two threads wait and then try for each message: it is always taken, by one of them, and nobody sleeps beside a message. */
TEST(receiver_wait, by_two_leaves_no_message_lying, 20)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct takers takers = { .pair = test_pair_new(sizeof(int), capacities[i]) };
		pthread_t threads[2];
		int message = 0;

		for (int t = 0; t < 2; t++)
			threads[t] = test_start(wait_and_try, &takers);
		/* Each message by itself: if the waiter that was told lets it lie, nothing wakes the other. */
		for (int n = 1; n <= 300; n++) {
			CHECK_STATUS(duct_send(takers.pair.tx, &message), DUCT_OK);
			while (atomic_load(&takers.taken) < n)
				sched_yield();
		}
		/* And in a burst. */
		for (int n = 1; n <= 2000; n++)
			CHECK_STATUS(duct_send(takers.pair.tx, &message), DUCT_OK);
		while (atomic_load(&takers.taken) < 2300)
			sched_yield();
		duct_channel_close(takers.pair.channel, 0);
		for (int t = 0; t < 2; t++)
			test_join(threads[t]);
		CHECK(atomic_load(&takers.taken) == 2300);
		test_pair_free(&takers.pair);
	}
}

/* A waiter that is told of a message and leaves it alone does not keep it from a thread that sleeps in a receive. */
TEST(receiver_wait, that_leaves_the_message_passes_it_on, 10)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		for (int round = 0; round < 20; round++) {
			struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
			struct test_call waiters[2], receiver;

			for (int w = 0; w < 2; w++) {
				test_call_start(&waiters[w], RECEIVER_WAIT, &pair, 0, DUCT_FOREVER, NULL);
				if (round % 2 == 0)
					test_call_await_asleep(&waiters[w]);
			}
			test_recv_start(&receiver, pair.rx);
			AWAIT(duct_channel_waiting_receivers(pair.channel) >= 1);
			CHECK_STATUS(duct_send(pair.tx, &(int){ 8 }), DUCT_OK);
			CHECK_STATUS(test_call_end(&receiver), DUCT_OK);
			CHECK(receiver.message == 8);
			duct_channel_close(pair.channel, 0);
			for (int w = 0; w < 2; w++) {
				duct_status status = test_call_end(&waiters[w]);

				CHECK(status == DUCT_OK || status == DUCT_CLOSED);
			}
			test_pair_free(&pair);
		}
	}
}

static void *wait_and_try_send(void *argument)
{
	struct takers *takers = argument;
	int message = 0;

	for (int sent = 0; sent < 1000;) {
		duct_status status;

		CHECK_STATUS(duct_sender_wait(takers->pair.tx, DUCT_FOREVER, NULL), DUCT_OK);
		status = duct_try_send(takers->pair.tx, &message);
		CHECK(status == DUCT_OK || status == DUCT_FULL);
		sent += status == DUCT_OK;
	}
	return NULL;
}

/* Two threads wait for room and then try: all their messages get in, and nobody sleeps beside room. */
TEST(sender_wait, by_two_leaves_no_room_unused, 20)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct takers takers = { .pair = test_pair_new(sizeof(int), capacities[i]) };
		pthread_t threads[2];
		int message;

		for (int t = 0; t < 2; t++)
			threads[t] = test_start(wait_and_try_send, &takers);
		for (int n = 0; n < 2000; n++)
			CHECK_STATUS(duct_recv(takers.pair.rx, &message), DUCT_OK);
		for (int t = 0; t < 2; t++)
			test_join(threads[t]);
		CHECK_STATUS(duct_try_recv(takers.pair.rx, &message), DUCT_EMPTY);
		test_pair_free(&takers.pair);
	}
}
