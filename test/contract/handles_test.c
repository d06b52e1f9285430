/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Handles: how they are counted, what the close or free of one end does to it and to the others, and when a channel ends
 * because nobody is left at one side.
 */
#include "harness.h"

#include <stdatomic.h>

static const size_t capacities[] = { 0, 1, 2, 3, 100 };

static void count_drop(void *message, void *context)
{
	(void)message;
	atomic_fetch_add((atomic_int *)context, 1);
}

/* ---- Counts ------------------------------------------------------------------------------------------------------------ */

/* The channel counts its open ends: made, cloned, closed, freed; closing and then freeing counts once. */
TEST(handles, are_counted_while_open, 5)
{
	duct_channel *channel;
	duct_sender *a, *b;
	duct_receiver *c, *d;

	CHECK_STATUS(duct_anycast_new(&channel, 4, 1, NULL), DUCT_OK);
	CHECK_STATUS(duct_sender_new(channel, &a), DUCT_OK);
	CHECK(duct_channel_senders(channel) == 1 && duct_channel_receivers(channel) == 0);
	CHECK_STATUS(duct_sender_clone(a, &b), DUCT_OK);
	CHECK(duct_channel_senders(channel) == 2);
	CHECK_STATUS(duct_receiver_new(channel, &c), DUCT_OK);
	CHECK_STATUS(duct_receiver_clone(c, &d), DUCT_OK);
	CHECK(duct_channel_receivers(channel) == 2);
	duct_sender_close(a);
	CHECK(duct_channel_senders(channel) == 1 && duct_sender_is_closed(a) && !duct_sender_is_closed(b));
	duct_sender_close(a);
	CHECK(duct_channel_senders(channel) == 1);
	duct_sender_free(a);
	CHECK(duct_channel_senders(channel) == 1);
	duct_sender_free(b);
	CHECK(duct_channel_senders(channel) == 0);
	duct_receiver_close(d);
	duct_receiver_close(d);
	CHECK(duct_channel_receivers(channel) == 1 && duct_receiver_is_closed(d) && !duct_receiver_is_closed(c));
	duct_receiver_free(d);
	duct_receiver_free(c);
	CHECK(duct_channel_receivers(channel) == 0);
	CHECK(!duct_channel_is_closed(channel));
	duct_channel_free(channel);
}

/* Threads asleep in sends and receives are counted, and no longer once they go on. */
TEST(handles, count_who_sleeps, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		struct test_call calls[3];
		int message;

		for (size_t n = 0; n < 3; n++) {
			test_recv_start(&calls[n], pair.rx);
			AWAIT(duct_channel_waiting_receivers(pair.channel) == n + 1);
			CHECK(duct_channel_waiting_senders(pair.channel) == 0);
		}
		for (size_t n = 0; n < 3; n++)
			CHECK_STATUS(duct_send(pair.tx, &(int){ 1 }), DUCT_OK);
		CHECK(duct_channel_waiting_receivers(pair.channel) == 0);
		for (size_t n = 0; n < 3; n++)
			CHECK_STATUS(test_call_end(&calls[n]), DUCT_OK);
		test_fill(pair.tx);
		for (size_t n = 0; n < 3; n++) {
			test_send_start(&calls[n], pair.tx, 1);
			AWAIT(duct_channel_waiting_senders(pair.channel) == n + 1);
			CHECK(duct_channel_waiting_receivers(pair.channel) == 0);
		}
		for (size_t n = 0; n < 3 + capacities[i]; n++)
			CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
		CHECK(duct_channel_waiting_senders(pair.channel) == 0);
		for (size_t n = 0; n < 3; n++)
			CHECK_STATUS(test_call_end(&calls[n]), DUCT_OK);
		test_pair_free(&pair);
	}
}

/* A clone is an end of the same channel, open for itself when its original is closed or freed. */
TEST(clone, lives_on_without_its_original, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 3);
	duct_sender *tx, *kept_tx;
	duct_receiver *rx, *kept_rx;
	int message;

	CHECK_STATUS(duct_sender_clone(pair.tx, &tx), DUCT_OK);
	CHECK_STATUS(duct_sender_clone(tx, &kept_tx), DUCT_OK);
	CHECK_STATUS(duct_receiver_clone(pair.rx, &rx), DUCT_OK);
	CHECK_STATUS(duct_receiver_clone(rx, &kept_rx), DUCT_OK);
	duct_sender_close(tx);
	duct_receiver_close(rx);
	CHECK_STATUS(duct_send(kept_tx, &(int){ 1 }), DUCT_OK);
	duct_sender_free(tx);
	duct_receiver_free(rx);
	CHECK_STATUS(duct_send(kept_tx, &(int){ 2 }), DUCT_OK);
	CHECK_STATUS(duct_recv(kept_rx, &message), DUCT_OK);
	CHECK(message == 1);
	CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
	CHECK(message == 2);
	duct_sender_free(kept_tx);
	duct_receiver_free(kept_rx);
	test_pair_free(&pair);
}

/* A closed end cannot be cloned, and a closed channel gets no more senders; nothing is written. */
TEST(clone, of_a_closed_end_is_refused, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 3);
	int scratch;
	duct_sender *tx = (duct_sender *)&scratch, *open;
	duct_receiver *rx = (duct_receiver *)&scratch;

	CHECK_STATUS(duct_sender_clone(pair.tx, &open), DUCT_OK);
	duct_sender_close(pair.tx);
	duct_receiver_close(pair.rx);
	CHECK_STATUS(duct_sender_clone(pair.tx, &tx), DUCT_CLOSED);
	CHECK_STATUS(duct_receiver_clone(pair.rx, &rx), DUCT_CLOSED);
	CHECK(duct_channel_senders(pair.channel) == 1 && duct_channel_receivers(pair.channel) == 0);
	duct_channel_close(pair.channel, 0);
	CHECK_STATUS(duct_sender_clone(open, &tx), DUCT_CLOSED);
	CHECK_STATUS(duct_sender_new(pair.channel, &tx), DUCT_CLOSED);
	CHECK(tx == (duct_sender *)&scratch && rx == (duct_receiver *)&scratch);
	duct_sender_free(open);
	test_pair_free(&pair);
}

/* ---- Closing one end --------------------------------------------------------------------------------------------------- */

/* Each form of sending on a closed sender is told so, though the channel is open; another sender goes on. */
TEST(sender_close, ends_that_sender_only, 5)
{
	for (size_t i = 1; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		duct_sender *other;
		int message = 4;
		size_t sent = 77;

		CHECK_STATUS(duct_sender_clone(pair.tx, &other), DUCT_OK);
		duct_sender_close(pair.tx);
		CHECK_STATUS(duct_send(pair.tx, &message), DUCT_CLOSED);
		CHECK_STATUS(duct_try_send(pair.tx, &message), DUCT_CLOSED);
		CHECK_STATUS(duct_send_until(pair.tx, &message, DUCT_FOREVER, NULL), DUCT_CLOSED);
		CHECK_STATUS(duct_send_many(pair.tx, &message, 1, &sent, DUCT_FOREVER, NULL), DUCT_CLOSED);
		CHECK_STATUS(duct_sender_wait(pair.tx, DUCT_FOREVER, NULL), DUCT_CLOSED);
		CHECK(sent == 0 && duct_channel_len(pair.channel) == 0);
		CHECK(!duct_channel_is_closed(pair.channel));
		CHECK_STATUS(duct_send(other, &message), DUCT_OK);
		CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
		duct_sender_free(other);
		test_pair_free(&pair);
	}
}

/* Each form of receiving on a closed receiver is told so, with messages there; they are left for another receiver. */
TEST(receiver_close, leaves_messages_for_others, 5)
{
	for (size_t i = 1; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		duct_receiver *other;
		int message = -1, last;
		size_t received = 77;

		CHECK_STATUS(duct_receiver_clone(pair.rx, &other), DUCT_OK);
		last = test_fill(pair.tx);
		duct_receiver_close(pair.rx);
		CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_CLOSED);
		CHECK_STATUS(duct_try_recv(pair.rx, &message), DUCT_CLOSED);
		CHECK_STATUS(duct_recv_until(pair.rx, &message, DUCT_FOREVER, NULL), DUCT_CLOSED);
		CHECK_STATUS(duct_recv_many(pair.rx, &message, 1, 1, &received, DUCT_FOREVER, NULL), DUCT_CLOSED);
		CHECK(received == 0);
		CHECK_STATUS(duct_recv_many(pair.rx, &message, 0, 1, &received, DUCT_FOREVER, NULL), DUCT_CLOSED);
		CHECK(received == 0);
		CHECK_STATUS(duct_receiver_wait(pair.rx, DUCT_FOREVER, NULL), DUCT_CLOSED);
		CHECK(message == -1);
		for (int n = 0; n < last; n++) {
			CHECK_STATUS(duct_recv(other, &message), DUCT_OK);
			CHECK(message == n);
		}
		CHECK_STATUS(duct_send(pair.tx, &message), DUCT_OK);
		duct_receiver_free(other);
		test_pair_free(&pair);
	}
}

/* Of the threads that sleep in sends, the close of one sender wakes those asleep in it; they keep their messages. */
TEST(sender_close, wakes_only_those_asleep_in_it, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		struct test_call in_a[2], in_b[2];
		duct_sender *b;
		int message, queued;

		CHECK_STATUS(duct_sender_clone(pair.tx, &b), DUCT_OK);
		queued = test_fill(pair.tx);
		for (size_t n = 0; n < 2; n++) {
			test_send_start(&in_a[n], pair.tx, 1000);
			AWAIT(duct_channel_waiting_senders(pair.channel) == 2 * n + 1);
			test_send_start(&in_b[n], b, 2000 + (int)n);
			AWAIT(duct_channel_waiting_senders(pair.channel) == 2 * n + 2);
		}
		duct_sender_close(pair.tx);
		CHECK_STATUS(test_call_end(&in_a[0]), DUCT_CLOSED);
		CHECK_STATUS(test_call_end(&in_a[1]), DUCT_CLOSED);
		CHECK(duct_channel_waiting_senders(pair.channel) == 2);
		for (int n = 0; n < queued; n++) {
			CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
			CHECK(message == n);
		}
		for (int n = 0; n < 2; n++) {
			CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
			CHECK(message == 2000 + n);
			CHECK_STATUS(test_call_end(&in_b[n]), DUCT_OK);
		}
		CHECK_STATUS(duct_try_recv(pair.rx, &message), DUCT_EMPTY);
		duct_sender_free(b);
		test_pair_free(&pair);
	}
}

/* Of the threads that sleep in receives, the close of one receiver wakes those asleep in it. */
TEST(receiver_close, wakes_only_those_asleep_in_it, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		struct test_call in_a[2], in_b[2];
		duct_receiver *b;

		CHECK_STATUS(duct_receiver_clone(pair.rx, &b), DUCT_OK);
		for (size_t n = 0; n < 2; n++) {
			test_recv_start(&in_a[n], pair.rx);
			AWAIT(duct_channel_waiting_receivers(pair.channel) == 2 * n + 1);
			test_recv_start(&in_b[n], b);
			AWAIT(duct_channel_waiting_receivers(pair.channel) == 2 * n + 2);
		}
		duct_receiver_close(pair.rx);
		CHECK_STATUS(test_call_end(&in_a[0]), DUCT_CLOSED);
		CHECK_STATUS(test_call_end(&in_a[1]), DUCT_CLOSED);
		CHECK(in_a[0].message == -1 && in_a[1].message == -1);
		CHECK(duct_channel_waiting_receivers(pair.channel) == 2);
		for (int n = 0; n < 2; n++) {
			CHECK_STATUS(duct_send(pair.tx, &n), DUCT_OK);
			CHECK_STATUS(test_call_end(&in_b[n]), DUCT_OK);
			CHECK(in_b[n].message == n);
		}
		duct_receiver_free(b);
		test_pair_free(&pair);
	}
}

/* A sender freed under a sleeping send ends it as closed; its message never arrives. */
TEST(sender_free, ends_a_sleeping_send, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		struct test_call call;
		int message, queued = test_fill(pair.tx);

		test_send_start(&call, pair.tx, 1000);
		AWAIT(duct_channel_waiting_senders(pair.channel) == 1);
		duct_sender_free(pair.tx);
		CHECK_STATUS(test_call_end(&call), DUCT_CLOSED);
		CHECK(duct_channel_senders(pair.channel) == 0);
		for (int n = 0; n < queued; n++)
			CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
		CHECK_STATUS(duct_try_recv(pair.rx, &message), DUCT_EMPTY);
		pair.tx = NULL;
		test_pair_free(&pair);
	}
}

/* A receiver freed under a sleeping receive ends it as closed. */
TEST(receiver_free, ends_a_sleeping_receive, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		struct test_call call;

		test_recv_start(&call, pair.rx);
		AWAIT(duct_channel_waiting_receivers(pair.channel) == 1);
		duct_receiver_free(pair.rx);
		CHECK_STATUS(test_call_end(&call), DUCT_CLOSED);
		CHECK(call.message == -1);
		CHECK(duct_channel_receivers(pair.channel) == 0);
		pair.rx = NULL;
		test_pair_free(&pair);
	}
}

/* The last handles of a channel may go while a thread sleeps in it: the thread still gets out, and all memory is given back. */
TEST(handles, the_last_may_be_freed_under_a_sleeper, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		struct test_call call;

		duct_sender_free(pair.tx);
		test_recv_start(&call, pair.rx);
		AWAIT(duct_channel_waiting_receivers(pair.channel) == 1);
		duct_receiver_free(pair.rx);
		duct_channel_free(pair.channel);
		CHECK_STATUS(test_call_end(&call), DUCT_CLOSED);
	}
}

/* ---- The last sender --------------------------------------------------------------------------------------------------- */

/* A channel stays open as long as there is a channel handle to make senders from. */
TEST(last_sender, leaves_the_channel_open_while_there_is_a_handle, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 2);
	int message;

	CHECK_STATUS(duct_send(pair.tx, &(int){ 1 }), DUCT_OK);
	duct_sender_free(pair.tx);
	CHECK(!duct_channel_is_closed(pair.channel));
	CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
	CHECK_STATUS(duct_try_recv(pair.rx, &message), DUCT_EMPTY);
	CHECK_STATUS(duct_sender_new(pair.channel, &pair.tx), DUCT_OK);
	CHECK_STATUS(duct_send(pair.tx, &(int){ 2 }), DUCT_OK);
	CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
	CHECK(message == 2);
	test_pair_free(&pair);
}

/* Once the last channel handle and the last sender are gone, whichever went first, receivers drain and then are closed. */
TEST(last_sender, and_last_handle_close_the_channel, 5)
{
	for (int order = 0; order < 4; order++) {
		struct test_pair pair = test_pair_new(sizeof(int), 3);
		duct_channel *clone, *borrowed = duct_receiver_channel(pair.rx);
		duct_sender *second;
		int message = -1;

		CHECK_STATUS(duct_channel_clone(pair.channel, &clone), DUCT_OK);
		CHECK_STATUS(duct_sender_clone(pair.tx, &second), DUCT_OK);
		CHECK_STATUS(duct_send(pair.tx, &(int){ 1 }), DUCT_OK);
		CHECK_STATUS(duct_send(second, &(int){ 2 }), DUCT_OK);
		if (order % 2 == 0) {
			duct_channel_free(pair.channel);
			duct_channel_free(clone);
			duct_sender_free(pair.tx);
			CHECK(!duct_channel_is_closed(borrowed));
			/* The close of a sender counts as much as its free. */
			if (order == 0)
				duct_sender_free(second);
			else
				duct_sender_close(second);
		} else {
			duct_sender_free(pair.tx);
			if (order == 1)
				duct_sender_free(second);
			else
				duct_sender_close(second);
			duct_channel_free(pair.channel);
			CHECK(!duct_channel_is_closed(borrowed));
			duct_channel_free(clone);
		}
		CHECK(duct_channel_is_closed(borrowed) && duct_channel_reason(borrowed) == 0);
		for (int n = 1; n <= 2; n++) {
			CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
			CHECK(message == n);
		}
		CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_CLOSED);
		CHECK_STATUS(duct_try_recv(pair.rx, &message), DUCT_CLOSED);
		if (order >= 2)
			duct_sender_free(second);
		duct_receiver_free(pair.rx);
	}
}

/* The last handle to go wakes the receivers that sleep. */
TEST(last_sender, wakes_sleeping_receivers, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		for (int by_handle = 0; by_handle < 2; by_handle++) {
			struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
			struct test_call calls[2];

			for (size_t n = 0; n < 2; n++) {
				test_recv_start(&calls[n], pair.rx);
				AWAIT(duct_channel_waiting_receivers(pair.channel) == n + 1);
			}
			if (by_handle) {
				duct_sender_free(pair.tx);
				duct_channel_free(pair.channel);
			} else {
				duct_channel_free(pair.channel);
				duct_sender_free(pair.tx);
			}
			CHECK_STATUS(test_call_end(&calls[0]), DUCT_CLOSED);
			CHECK_STATUS(test_call_end(&calls[1]), DUCT_CLOSED);
			duct_receiver_free(pair.rx);
		}
	}
}

/* A channel that was opened as a pair has no handle: it closes itself with its last sender, clones counted. */
TEST(anycast_open, closes_itself_with_its_last_sender, 5)
{
	for (size_t i = 1; i < ARRAY_LEN(capacities); i++) {
		duct_sender *tx, *clone;
		duct_receiver *rx;
		int message;

		CHECK_STATUS(duct_anycast_open(&tx, &rx, sizeof(int), capacities[i], NULL), DUCT_OK);
		CHECK(duct_channel_senders(duct_sender_channel(tx)) == 1);
		CHECK(duct_channel_receivers(duct_sender_channel(tx)) == 1);
		CHECK_STATUS(duct_sender_clone(tx, &clone), DUCT_OK);
		duct_sender_free(tx);
		CHECK(!duct_channel_is_closed(duct_receiver_channel(rx)));
		CHECK_STATUS(duct_send(clone, &(int){ 8 }), DUCT_OK);
		duct_sender_free(clone);
		CHECK(duct_channel_is_closed(duct_receiver_channel(rx)));
		CHECK_STATUS(duct_recv(rx, &message), DUCT_OK);
		CHECK(message == 8);
		CHECK_STATUS(duct_recv(rx, &message), DUCT_CLOSED);
		CHECK(duct_channel_reason(duct_receiver_channel(rx)) == 0);
		duct_receiver_free(rx);
	}
}

/* ---- The last receiver ------------------------------------------------------------------------------------------------- */

/* A channel that never had a receiver takes messages up to its capacity, and keeps them for the first one. */
TEST(last_receiver, never_there_is_not_gone, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		duct_channel *channel, *handle;
		duct_sender *tx, *clone;
		duct_receiver *rx;
		int message, queued;

		CHECK_STATUS(duct_anycast_new(&channel, sizeof(int), capacities[i], NULL), DUCT_OK);
		CHECK_STATUS(duct_sender_new(channel, &tx), DUCT_OK);
		/* Other handles that come and go do not change that. */
		CHECK_STATUS(duct_channel_clone(channel, &handle), DUCT_OK);
		CHECK_STATUS(duct_sender_clone(tx, &clone), DUCT_OK);
		duct_channel_free(handle);
		duct_sender_free(clone);
		queued = test_fill(tx);
		CHECK(queued == (int)capacities[i]);
		CHECK_STATUS(duct_try_send(tx, &message), DUCT_FULL);
		CHECK_STATUS(duct_send_until(tx, &queued, 0, NULL), DUCT_TIMEDOUT);
		CHECK_STATUS(duct_receiver_new(channel, &rx), DUCT_OK);
		for (int n = 0; n < queued; n++) {
			CHECK_STATUS(duct_recv(rx, &message), DUCT_OK);
			CHECK(message == n);
		}
		CHECK_STATUS(duct_try_recv(rx, &message), DUCT_EMPTY);
		duct_receiver_free(rx);
		duct_sender_free(tx);
		duct_channel_free(channel);
	}
}

/* Without receivers every form of sending says so, with room and without; a receiver made later brings the channel back. */
TEST(last_receiver, gone_refuses_sends_until_another_comes, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		duct_receiver *clone;
		int message = 5;
		size_t sent = 77;

		if (capacities[i] > 0)
			CHECK_STATUS(duct_send(pair.tx, &(int){ 1 }), DUCT_OK);
		CHECK_STATUS(duct_receiver_clone(pair.rx, &clone), DUCT_OK);
		duct_receiver_free(pair.rx);
		CHECK_STATUS(duct_send_until(pair.tx, &(int){ 2 }, 0, NULL), capacities[i] > 1 ? DUCT_OK : DUCT_TIMEDOUT);
		duct_receiver_close(clone);
		CHECK_STATUS(duct_send(pair.tx, &message), DUCT_NO_RECEIVERS);
		CHECK_STATUS(duct_try_send(pair.tx, &message), DUCT_NO_RECEIVERS);
		CHECK_STATUS(duct_send_until(pair.tx, &message, DUCT_FOREVER, NULL), DUCT_NO_RECEIVERS);
		CHECK_STATUS(duct_send_many(pair.tx, &message, 1, &sent, DUCT_FOREVER, NULL), DUCT_NO_RECEIVERS);
		CHECK_STATUS(duct_sender_wait(pair.tx, DUCT_FOREVER, NULL), DUCT_NO_RECEIVERS);
		CHECK(sent == 0 && !duct_channel_is_closed(pair.channel));
		duct_receiver_free(clone);
		CHECK_STATUS(duct_send(pair.tx, &message), DUCT_NO_RECEIVERS);
		/* What was queued has stayed. */
		CHECK_STATUS(duct_receiver_new(pair.channel, &pair.rx), DUCT_OK);
		for (int n = 1; n <= (int)capacities[i] && n <= 2; n++) {
			CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
			CHECK(message == n);
		}
		CHECK_STATUS(duct_try_recv(pair.rx, &message), DUCT_EMPTY);
		CHECK_STATUS(duct_try_send(pair.tx, &message), capacities[i] > 0 ? DUCT_OK : DUCT_FULL);
		test_pair_free(&pair);
	}
}

/* Senders that sleep learn that the last receiver is gone, by its close or its free, and keep their messages. */
TEST(last_receiver, gone_wakes_sleeping_senders, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		for (int by_free = 0; by_free < 2; by_free++) {
			struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
			struct test_call calls[2];
			duct_receiver *second;
			int message, queued = test_fill(pair.tx);

			CHECK_STATUS(duct_receiver_clone(pair.rx, &second), DUCT_OK);
			for (size_t n = 0; n < 2; n++) {
				test_send_start(&calls[n], pair.tx, 1000);
				AWAIT(duct_channel_waiting_senders(pair.channel) == n + 1);
			}
			duct_receiver_free(pair.rx);
			CHECK(duct_channel_waiting_senders(pair.channel) == 2);
			if (by_free)
				duct_receiver_free(second);
			else
				duct_receiver_close(second);
			CHECK_STATUS(test_call_end(&calls[0]), DUCT_NO_RECEIVERS);
			CHECK_STATUS(test_call_end(&calls[1]), DUCT_NO_RECEIVERS);
			CHECK_STATUS(duct_receiver_new(pair.channel, &pair.rx), DUCT_OK);
			for (int n = 0; n < queued; n++) {
				CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
				CHECK(message == n);
			}
			CHECK_STATUS(duct_try_recv(pair.rx, &message), DUCT_EMPTY);
			if (!by_free)
				duct_receiver_free(second);
			test_pair_free(&pair);
		}
	}
}

/* Where no channel handle is left to make a receiver from, the last receiver's messages are dropped at once, each one once. */
TEST(last_receiver, without_a_handle_drops_what_is_queued, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		for (int by_free = 0; by_free < 2; by_free++) {
			atomic_int drops = 0;
			const duct_options *options = DUCT_OPTIONS(.drop = count_drop, .context = &drops);
			duct_sender *tx;
			duct_receiver *rx;
			int queued;

			CHECK_STATUS(duct_anycast_open(&tx, &rx, sizeof(int), capacities[i], options), DUCT_OK);
			queued = test_fill(tx);
			CHECK(atomic_load(&drops) == 0);
			if (by_free)
				duct_receiver_free(rx);
			else
				duct_receiver_close(rx);
			CHECK(atomic_load(&drops) == queued);
			CHECK(duct_channel_len(duct_sender_channel(tx)) == 0);
			CHECK_STATUS(duct_try_send(tx, &queued), DUCT_NO_RECEIVERS);
			if (!by_free)
				duct_receiver_free(rx);
			duct_sender_free(tx);
			CHECK(atomic_load(&drops) == queued);
		}
	}
}

/* While a channel handle is left, the messages stay; they are dropped when all is gone. */
TEST(last_receiver, with_a_handle_keeps_what_is_queued, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		atomic_int drops = 0;
		const duct_options *options = DUCT_OPTIONS(.drop = count_drop, .context = &drops);
		struct test_pair pair = test_pair_with(sizeof(int), capacities[i], options);
		int queued = test_fill(pair.tx);

		duct_receiver_free(pair.rx);
		CHECK(atomic_load(&drops) == 0 && duct_channel_len(pair.channel) == (size_t)queued);
		duct_sender_free(pair.tx);
		CHECK(atomic_load(&drops) == 0 && duct_channel_len(pair.channel) == (size_t)queued);
		duct_channel_free(pair.channel);
		CHECK(atomic_load(&drops) == queued);
	}
}

/* ---- Borrowed channels ------------------------------------------------------------------------------------------------- */

/* Both ends lend the same channel; it is good for everything a handle is. */
TEST(borrowed_channel, is_the_channel_of_both_ends, 5)
{
	duct_sender *tx, *more_tx;
	duct_receiver *rx, *more_rx;
	int message;

	CHECK_STATUS(duct_anycast_open(&tx, &rx, sizeof(int), 2, DUCT_OPTIONS(.name = "lent")), DUCT_OK);
	CHECK(strcmp(duct_channel_name(duct_sender_channel(tx)), "lent") == 0);
	CHECK(strcmp(duct_channel_name(duct_receiver_channel(rx)), "lent") == 0);
	CHECK_STATUS(duct_sender_new(duct_receiver_channel(rx), &more_tx), DUCT_OK);
	CHECK_STATUS(duct_receiver_new(duct_sender_channel(tx), &more_rx), DUCT_OK);
	CHECK_STATUS(duct_send(more_tx, &(int){ 3 }), DUCT_OK);
	CHECK(duct_channel_len(duct_sender_channel(tx)) == 1);
	CHECK_STATUS(duct_recv(more_rx, &message), DUCT_OK);
	CHECK(message == 3);
	duct_receiver_free(more_rx);
	duct_sender_free(more_tx);
	/* The last receiver goes; one made from the sender's channel brings it back. */
	duct_receiver_free(rx);
	CHECK_STATUS(duct_try_send(tx, &message), DUCT_NO_RECEIVERS);
	CHECK_STATUS(duct_receiver_new(duct_sender_channel(tx), &rx), DUCT_OK);
	CHECK_STATUS(duct_send(tx, &(int){ 4 }), DUCT_OK);
	CHECK_STATUS(duct_recv(rx, &message), DUCT_OK);
	CHECK(message == 4);
	duct_receiver_free(rx);
	duct_sender_free(tx);
}

/* Borrowing does not keep a channel open; a clone of what was borrowed does, and outlives the ends. */
TEST(borrowed_channel, once_cloned_keeps_the_channel_open, 5)
{
	duct_channel *kept;
	duct_sender *tx;
	duct_receiver *rx;
	int message;

	CHECK_STATUS(duct_anycast_open(&tx, &rx, sizeof(int), 2, DUCT_OPTIONS(.name = "kept")), DUCT_OK);
	CHECK_STATUS(duct_channel_clone(duct_sender_channel(tx), &kept), DUCT_OK);
	CHECK_STATUS(duct_send(tx, &(int){ 6 }), DUCT_OK);
	duct_sender_free(tx);
	CHECK(!duct_channel_is_closed(kept));
	duct_receiver_free(rx);
	CHECK(strcmp(duct_channel_name(kept), "kept") == 0 && duct_channel_len(kept) == 1);
	CHECK_STATUS(duct_receiver_new(kept, &rx), DUCT_OK);
	CHECK_STATUS(duct_recv(rx, &message), DUCT_OK);
	CHECK(message == 6);
	CHECK_STATUS(duct_try_recv(rx, &message), DUCT_EMPTY);
	duct_channel_free(kept);
	CHECK_STATUS(duct_try_recv(rx, &message), DUCT_CLOSED);
	duct_receiver_free(rx);
}

/* ---- Races ------------------------------------------------------------------------------------------------------------- */

enum { CHURNS = 2000 };

static void *churn_handles(void *argument)
{
	struct test_pair *pair = argument;

	for (int n = 0; n < CHURNS; n++) {
		duct_channel *channel;
		duct_sender *tx, *tx_clone;
		duct_receiver *rx, *rx_clone;
		int message = n;

		CHECK_STATUS(duct_channel_clone(pair->channel, &channel), DUCT_OK);
		CHECK_STATUS(duct_sender_new(channel, &tx), DUCT_OK);
		CHECK_STATUS(duct_receiver_clone(pair->rx, &rx), DUCT_OK);
		CHECK_STATUS(duct_sender_clone(tx, &tx_clone), DUCT_OK);
		CHECK_STATUS(duct_receiver_new(channel, &rx_clone), DUCT_OK);
		duct_channel_free(channel);
		duct_sender_close(tx);
		duct_receiver_close(rx);
		CHECK_STATUS(duct_send(tx_clone, &message), DUCT_OK);
		CHECK_STATUS(duct_recv(rx_clone, &message), DUCT_OK);
		duct_sender_free(tx_clone);
		duct_sender_free(tx);
		duct_receiver_free(rx);
		duct_receiver_free(rx_clone);
	}
	return NULL;
}

/* Threads that make, clone, close and free handles of one channel at once leave it as it was. */
TEST(handles, may_come_and_go_in_many_threads, 20)
{
	struct test_pair pair = test_pair_new(sizeof(int), 4);
	pthread_t threads[4];

	for (int t = 0; t < 4; t++)
		threads[t] = test_start(churn_handles, &pair);
	for (int t = 0; t < 4; t++)
		test_join(threads[t]);
	CHECK(duct_channel_senders(pair.channel) == 1 && duct_channel_receivers(pair.channel) == 1);
	CHECK(duct_channel_len(pair.channel) == 0);
	test_pair_free(&pair);
}

enum { RACES = 3000 };

struct race {
	duct_receiver *ends_in; /* the ends to race with, one each round */
	duct_sender *answers;   /* how many messages that end moved before it was gone */
};

static void *send_and_free(void *argument)
{
	struct race *race = argument;
	duct_sender *tx;

	DUCT_FOR_EACH(race->ends_in, &tx) {
		int sent = 0;

		while (sent < 3 && duct_send(tx, &sent) == DUCT_OK)
			sent++;
		duct_sender_free(tx);
		CHECK_STATUS(duct_send(race->answers, &sent), DUCT_OK);
	}
	return NULL;
}

/* Sends race with the loss of the last receiver: each message is received, dropped or still the sender's, never two of them. */
TEST(handles, sends_race_the_last_receiver, 30)
{
	struct test_pair ends = test_pair_new(sizeof(duct_sender *), 1), answers = test_pair_new(sizeof(int), 1);
	struct race race = { ends.rx, answers.tx };
	pthread_t thread = test_start(send_and_free, &race);

	for (int n = 0; n < RACES; n++) {
		atomic_int drops = 0;
		const duct_options *options = DUCT_OPTIONS(.drop = count_drop, .context = &drops);
		duct_sender *tx;
		duct_receiver *rx;
		int message, received = 0, sent = 0;

		CHECK_STATUS(duct_anycast_open(&tx, &rx, sizeof(int), (size_t)n % 3, options), DUCT_OK);
		CHECK_STATUS(duct_send(ends.tx, &tx), DUCT_OK);
		for (int taken = n / 3 % 3; taken > 0; taken--) {
			CHECK_STATUS(duct_recv(rx, &message), DUCT_OK);
			CHECK(message == received++);
		}
		if (n % 2 == 0)
			sched_yield();
		duct_receiver_free(rx);
		CHECK_STATUS(duct_recv(answers.rx, &sent), DUCT_OK);
		CHECK(sent == received + atomic_load(&drops));
	}
	duct_channel_close(ends.channel, 0);
	test_join(thread);
	test_pair_free(&ends);
	test_pair_free(&answers);
}

static void *receive_and_free(void *argument)
{
	struct race *race = argument;
	duct_receiver *rx;

	DUCT_FOR_EACH(race->ends_in, &rx) {
		int received = 0, message;

		while (duct_recv(rx, &message) == DUCT_OK)
			CHECK(message == received++);
		duct_receiver_free(rx);
		CHECK_STATUS(duct_send(race->answers, &received), DUCT_OK);
	}
	return NULL;
}

/* Receives race with the loss of the last sender: all that was sent arrives before closed is read. */
TEST(handles, receives_race_the_last_sender, 30)
{
	struct test_pair ends = test_pair_new(sizeof(duct_receiver *), 1), answers = test_pair_new(sizeof(int), 1);
	struct race race = { ends.rx, answers.tx };
	pthread_t thread = test_start(receive_and_free, &race);

	for (int n = 0; n < RACES; n++) {
		duct_sender *tx;
		duct_receiver *rx;
		int received = 0, sent = n / 3 % 3;

		CHECK_STATUS(duct_anycast_open(&tx, &rx, sizeof(int), (size_t)n % 3, NULL), DUCT_OK);
		CHECK_STATUS(duct_send(ends.tx, &rx), DUCT_OK);
		for (int message = 0; message < sent; message++)
			CHECK_STATUS(duct_send(tx, &message), DUCT_OK);
		if (n % 2 == 0)
			sched_yield();
		duct_sender_free(tx);
		CHECK_STATUS(duct_recv(answers.rx, &received), DUCT_OK);
		CHECK(received == sent);
	}
	duct_channel_close(ends.channel, 0);
	test_join(thread);
	test_pair_free(&ends);
	test_pair_free(&answers);
}
