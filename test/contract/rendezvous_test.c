/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Rendezvous: at capacity 0 a message moves only between two threads that are both there.  And, at every capacity, waiting for
 * the other side without taking anything: duct_sender_wait and duct_receiver_wait.
 */
#include "harness.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

static const size_t capacities[] = { 0, 1, 2, 3, 100 };

/* What a thread does. */
enum action { SEND, RECV, SENDER_WAIT, RECEIVER_WAIT };

/* One blocking call in a thread of its own. */
struct call {
	enum action action;
	duct_sender *tx;
	duct_receiver *rx;
	void *message;
	duct_time deadline;
	duct_cancel *cancel;
	duct_status status;
	atomic_int thread_id;
	atomic_bool done;
	pthread_t thread;
};

static void *make_call(void *argument)
{
	struct call *call = argument;

	atomic_store(&call->thread_id, (int)syscall(SYS_gettid));
	if (call->action == SEND)
		call->status = duct_send_until(call->tx, call->message, call->deadline, call->cancel);
	else if (call->action == RECV)
		call->status = duct_recv_until(call->rx, call->message, call->deadline, call->cancel);
	else if (call->action == SENDER_WAIT)
		call->status = duct_sender_wait(call->tx, call->deadline, call->cancel);
	else
		call->status = duct_receiver_wait(call->rx, call->deadline, call->cancel);
	atomic_store(&call->done, true);
	return NULL;
}

static void call_start(struct call *call, enum action action, const struct test_pair *pair, void *message)
{
	call->action = action;
	call->tx = pair->tx;
	call->rx = pair->rx;
	call->message = message;
	call->deadline = DUCT_FOREVER;
	call->cancel = NULL;
	call->status = DUCT_INVALID;
	atomic_init(&call->thread_id, 0);
	atomic_init(&call->done, false);
	call->thread = test_start(make_call, call);
}

static duct_status call_end(struct call *call)
{
	test_join(call->thread);
	return call->status;
}

/* Whether the thread of the call sleeps, as the system tells it; where it does not tell, a call is taken to sleep. */
static bool sleeps(struct call *call)
{
	int id = atomic_load(&call->thread_id);
	char path[64], state = 'S';
	FILE *file;

	if (id == 0)
		return false;
	snprintf(path, sizeof path, "/proc/self/task/%d/stat", id);
	file = fopen(path, "r");
	if (file != NULL) {
		if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
			state = 'S';
		fclose(file);
	}
	return state == 'S';
}

/* Until the thread of the call has slept for some moments on end: then it sleeps in the call, not on the way to it. */
static void await_asleep(struct call *call)
{
	for (int moments = 0; moments < 5; test_pause())
		moments = sleeps(call) ? moments + 1 : 0;
}

/* Sends 0, 1, 2... until the channel is full. */
static int fill(duct_sender *tx)
{
	int next = 0;

	while (duct_try_send(tx, &next) == DUCT_OK)
		next++;
	return next;
}

/* ---- Rendezvous -------------------------------------------------------------------------------------------------------- */

/* A channel of capacity 0 is always full and empty and holds nothing, whoever waits. */
TEST(rendezvous, is_always_full_and_empty, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 0);
	struct call call;
	int out = 3, in = -1;

	for (int who = 0; who < 2; who++) {
		CHECK(duct_channel_len(pair.channel) == 0 && duct_channel_capacity(pair.channel) == 0);
		CHECK(duct_channel_is_full(pair.channel) && duct_channel_is_empty(pair.channel));
		call_start(&call, who ? SEND : RECV, &pair, who ? &out : &in);
		AWAIT(duct_channel_waiting_senders(pair.channel) + duct_channel_waiting_receivers(pair.channel) == 1);
		CHECK(duct_channel_len(pair.channel) == 0);
		CHECK(duct_channel_is_full(pair.channel) && duct_channel_is_empty(pair.channel));
		if (who)
			CHECK_STATUS(duct_recv(pair.rx, &in), DUCT_OK);
		else
			CHECK_STATUS(duct_send(pair.tx, &out), DUCT_OK);
		CHECK_STATUS(call_end(&call), DUCT_OK);
		CHECK(in == 3);
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

/* The tries meet a thread that waits, in both directions, for messages of several types. */
TEST(rendezvous, try_meets_a_thread_that_waits, 5)
{
	static const size_t sizes[] = { 0, sizeof(char), sizeof(int), sizeof(void *), sizeof(struct padded), 1000 };

	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		struct test_pair pair = test_pair_new(sizes[s], 0);
		unsigned char out[1000], in[1000];
		struct call call;

		memset(out, 0xC3, sizeof out);
		memset(in, 0, sizeof in);
		call_start(&call, RECV, &pair, in);
		AWAIT(duct_channel_waiting_receivers(pair.channel) == 1);
		CHECK_STATUS(duct_try_send(pair.tx, out), DUCT_OK);
		CHECK_STATUS(duct_try_send(pair.tx, out), DUCT_FULL);
		CHECK_STATUS(call_end(&call), DUCT_OK);
		CHECK(memcmp(in, out, sizes[s]) == 0 && (sizes[s] == sizeof in || in[sizes[s]] == 0));
		memset(in, 0, sizeof in);
		call_start(&call, SEND, &pair, out);
		AWAIT(duct_channel_waiting_senders(pair.channel) == 1);
		CHECK_STATUS(duct_try_recv(pair.rx, in), DUCT_OK);
		CHECK_STATUS(duct_try_recv(pair.rx, in), DUCT_EMPTY);
		CHECK_STATUS(call_end(&call), DUCT_OK);
		CHECK(memcmp(in, out, sizes[s]) == 0 && (sizes[s] == sizeof in || in[sizes[s]] == 0));
		test_pair_free(&pair);
	}
}

/* A send is done only when a receiver has the message: until then it sleeps. */
TEST(rendezvous, send_waits_for_the_receive, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 0);
	struct call call;
	int out = 3, in = -1;

	call_start(&call, SEND, &pair, &out);
	AWAIT(duct_channel_waiting_senders(pair.channel) == 1);
	for (int moment = 0; moment < 20; moment++) {
		test_pause();
		CHECK(!atomic_load(&call.done));
	}
	CHECK_STATUS(duct_recv(pair.rx, &in), DUCT_OK);
	CHECK(in == 3);
	CHECK_STATUS(call_end(&call), DUCT_OK);
	test_pair_free(&pair);
}

/* Once a send has returned, the receiver has the message, though it may not have woken up yet. */
TEST(rendezvous, message_is_there_when_send_returns, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 0);
	struct call call;
	int in = -1;

	call_start(&call, RECV, &pair, &in);
	CHECK_STATUS(duct_send(pair.tx, &(int){ 4 }), DUCT_OK);
	duct_channel_close(pair.channel, 0);
	CHECK_STATUS(call_end(&call), DUCT_OK);
	CHECK(in == 4);
	test_pair_free(&pair);
}

/* A send that ran out of time left nothing behind: the next receive sleeps, and gets the next message. */
TEST(rendezvous, a_send_that_timed_out_left_nothing, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 0);
	struct call call;
	int in = -1;

	CHECK_STATUS(duct_send_until(pair.tx, &(int){ 1 }, duct_after_ms(2), NULL), DUCT_TIMEDOUT);
	call_start(&call, RECV, &pair, &in);
	AWAIT(duct_channel_waiting_receivers(pair.channel) == 1);
	CHECK_STATUS(duct_send(pair.tx, &(int){ 2 }), DUCT_OK);
	CHECK_STATUS(call_end(&call), DUCT_OK);
	CHECK(in == 2);
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
		struct call waiter, sender;
		int out = 6, in;

		call_start(&waiter, RECEIVER_WAIT, &pair, NULL);
		await_asleep(&waiter);
		CHECK(!atomic_load(&waiter.done));
		call_start(&sender, SEND, &pair, &out);
		CHECK_STATUS(call_end(&waiter), DUCT_OK);
		CHECK_STATUS(duct_try_recv(pair.rx, &in), DUCT_OK);
		CHECK(in == 6);
		CHECK_STATUS(call_end(&sender), DUCT_OK);
		CHECK_STATUS(duct_try_recv(pair.rx, &in), DUCT_EMPTY);
		test_pair_free(&pair);
	}
}

/* A sender's wait ends when there is room, or at capacity 0 a receiver that waits; a try_send then succeeds. */
TEST(sender_wait, ends_when_room_comes, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		struct call waiter, receiver;
		int in = -1, queued = fill(pair.tx);

		call_start(&waiter, SENDER_WAIT, &pair, NULL);
		await_asleep(&waiter);
		CHECK(!atomic_load(&waiter.done));
		call_start(&receiver, RECV, &pair, &in);
		CHECK_STATUS(call_end(&waiter), DUCT_OK);
		CHECK_STATUS(duct_try_send(pair.tx, &queued), DUCT_OK);
		CHECK_STATUS(call_end(&receiver), DUCT_OK);
		CHECK(in == 0);
		CHECK(duct_channel_len(pair.channel) == capacities[i]);
		test_pair_free(&pair);
	}
}

/* At capacity 0 a partner that sleeps already ends the wait at once; it is met by the try that follows. */
TEST(wait, at_capacity_0_finds_a_partner_that_sleeps, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 0);
	struct call call;
	int out = 6, in = -1;

	CHECK_STATUS(duct_receiver_wait(pair.rx, 0, NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_sender_wait(pair.tx, 0, NULL), DUCT_TIMEDOUT);
	call_start(&call, SEND, &pair, &out);
	AWAIT(duct_channel_waiting_senders(pair.channel) == 1);
	CHECK_STATUS(duct_receiver_wait(pair.rx, 0, NULL), DUCT_OK);
	CHECK_STATUS(duct_receiver_wait(pair.rx, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK_STATUS(duct_sender_wait(pair.tx, 0, NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_try_recv(pair.rx, &in), DUCT_OK);
	CHECK(in == 6);
	CHECK_STATUS(call_end(&call), DUCT_OK);
	call_start(&call, RECV, &pair, &in);
	AWAIT(duct_channel_waiting_receivers(pair.channel) == 1);
	CHECK_STATUS(duct_sender_wait(pair.tx, 0, NULL), DUCT_OK);
	CHECK_STATUS(duct_sender_wait(pair.tx, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK_STATUS(duct_receiver_wait(pair.rx, 0, NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_try_send(pair.tx, &(int){ 7 }), DUCT_OK);
	CHECK_STATUS(call_end(&call), DUCT_OK);
	CHECK(in == 7);
	test_pair_free(&pair);
}

/* Two that only wait do not meet: neither has anything for the other. */
TEST(wait, on_both_sides_does_not_meet_at_capacity_0, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 0);
	struct call sender, receiver;
	int message;

	call_start(&sender, SENDER_WAIT, &pair, NULL);
	call_start(&receiver, RECEIVER_WAIT, &pair, NULL);
	await_asleep(&sender);
	await_asleep(&receiver);
	CHECK(!atomic_load(&sender.done) && !atomic_load(&receiver.done));
	CHECK_STATUS(duct_try_send(pair.tx, &(int){ 1 }), DUCT_FULL);
	CHECK_STATUS(duct_try_recv(pair.rx, &message), DUCT_EMPTY);
	duct_channel_close(pair.channel, 0);
	CHECK_STATUS(call_end(&sender), DUCT_CLOSED);
	CHECK_STATUS(call_end(&receiver), DUCT_CLOSED);
	test_pair_free(&pair);
}

/* How a wait can end without the other side. */
enum ending { BY_CLOSE, BY_OWN_CLOSE, BY_OWN_FREE, BY_CANCEL, BY_NO_RECEIVERS };

/* A sleeping wait ends with the channel, with its own end, with the last receiver and with its token. */
TEST(wait, ends_as_the_send_or_receive_would, 10)
{
	static const struct {
		enum action action;
		enum ending ending;
		duct_status status;
	} cases[] = {
		{ SENDER_WAIT, BY_CLOSE, DUCT_CLOSED }, { SENDER_WAIT, BY_OWN_CLOSE, DUCT_CLOSED },
		{ SENDER_WAIT, BY_OWN_FREE, DUCT_CLOSED }, { SENDER_WAIT, BY_CANCEL, DUCT_CANCELED },
		{ SENDER_WAIT, BY_NO_RECEIVERS, DUCT_NO_RECEIVERS }, { RECEIVER_WAIT, BY_CLOSE, DUCT_CLOSED },
		{ RECEIVER_WAIT, BY_OWN_CLOSE, DUCT_CLOSED }, { RECEIVER_WAIT, BY_OWN_FREE, DUCT_CLOSED },
		{ RECEIVER_WAIT, BY_CANCEL, DUCT_CANCELED },
	};

	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
			struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
			struct call call;
			duct_cancel *cancel;

			CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
			if (cases[c].action == SENDER_WAIT)
				fill(pair.tx);
			call = (struct call){ .action = cases[c].action, .tx = pair.tx, .rx = pair.rx, .deadline = DUCT_FOREVER,
				.cancel = cancel };
			call.thread = test_start(make_call, &call);
			await_asleep(&call);
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
			CHECK_STATUS(call_end(&call), cases[c].status);
			CHECK(duct_channel_waiting_senders(pair.channel) == 0);
			CHECK(duct_channel_waiting_receivers(pair.channel) == 0);
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
		int message;

		fill(pair.tx);
		deadline = duct_after_ms(3);
		CHECK_STATUS(duct_sender_wait(pair.tx, deadline, NULL), DUCT_TIMEDOUT);
		CHECK(duct_now() >= deadline);
		while (duct_try_recv(pair.rx, &message) == DUCT_OK)
			;
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
			struct call waiters[2], receiver;
			int in = -1;

			for (int w = 0; w < 2; w++) {
				call_start(&waiters[w], RECEIVER_WAIT, &pair, NULL);
				if (round % 2 == 0)
					await_asleep(&waiters[w]);
			}
			call_start(&receiver, RECV, &pair, &in);
			AWAIT(duct_channel_waiting_receivers(pair.channel) >= 1);
			CHECK_STATUS(duct_send(pair.tx, &(int){ 8 }), DUCT_OK);
			CHECK_STATUS(call_end(&receiver), DUCT_OK);
			CHECK(in == 8);
			duct_channel_close(pair.channel, 0);
			for (int w = 0; w < 2; w++) {
				duct_status status = call_end(&waiters[w]);

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
