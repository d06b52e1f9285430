/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Behaviours users of frequenz-channels expect of an anycast channel.  Where their library leaves something open or loses
 * messages, the tests say what happens here instead.
 */
#include "harness.h"

#include <stdatomic.h>

enum { CROWD = 5, LIMIT = 10 };

struct sums {
	duct_sender *tx;
	duct_receiver *rx;
	atomic_int *sent;
	int received;
	int count;
};

static void *send_one_to_five(void *argument)
{
	struct sums *sums = argument;

	for (int n = 1; n <= 5; n++) {
		CHECK_STATUS(duct_send(sums->tx, &n), DUCT_OK);
		atomic_fetch_add(sums->sent, n);
	}
	return NULL;
}

static void *sum_up(void *argument)
{
	struct sums *sums = argument;
	int message;

	DUCT_FOR_EACH(sums->rx, &message) {
		sums->received += message;
		sums->count++;
	}
	return NULL;
}

/* Five senders of 1..5 and five receivers: the total received is the total sent. */
TEST(frequenz, five_to_five_deliver_each_message_once, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), LIMIT);
	struct sums senders[CROWD], receivers[CROWD];
	pthread_t sending[CROWD], receiving[CROWD];
	atomic_int sent = 0;
	int received = 0, count = 0;

	for (int m = 0; m < CROWD; m++) {
		senders[m] = (struct sums){ .sent = &sent };
		receivers[m] = (struct sums){ .sent = &sent };
		CHECK_STATUS(duct_sender_new(pair.channel, &senders[m].tx), DUCT_OK);
		CHECK_STATUS(duct_receiver_new(pair.channel, &receivers[m].rx), DUCT_OK);
		receiving[m] = test_start(sum_up, &receivers[m]);
	}
	for (int m = 0; m < CROWD; m++)
		sending[m] = test_start(send_one_to_five, &senders[m]);
	for (int m = 0; m < CROWD; m++)
		test_join(sending[m]);
	duct_channel_close(pair.channel, 0);
	for (int m = 0; m < CROWD; m++) {
		test_join(receiving[m]);
		received += receivers[m].received;
		count += receivers[m].count;
		duct_sender_free(senders[m].tx);
		duct_receiver_free(receivers[m].rx);
	}
	CHECK(received == atomic_load(&sent) && received == CROWD * 15 && count == CROWD * 5);
	test_pair_free(&pair);
}

/* Receivers that take turns, each back in line before the next message, all get some. */
TEST(frequenz, receivers_that_take_turns_all_get_messages, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), LIMIT);
	struct sums receivers[CROWD];
	pthread_t receiving[CROWD];

	for (int m = 0; m < CROWD; m++) {
		receivers[m] = (struct sums){ .rx = pair.rx };
		receiving[m] = test_start(sum_up, &receivers[m]);
	}
	for (int n = 0; n < 5 * CROWD; n++) {
		AWAIT(duct_channel_waiting_receivers(pair.channel) == CROWD);
		CHECK_STATUS(duct_send(pair.tx, &n), DUCT_OK);
	}
	duct_channel_close(pair.channel, 0);
	for (int m = 0; m < CROWD; m++) {
		test_join(receiving[m]);
		CHECK(receivers[m].count > 0);
	}
	test_pair_free(&pair);
}

/* Receivers blocked on an empty channel all end when it is closed, and can read why. */
TEST(frequenz, close_ends_blocked_receivers_with_the_reason, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), LIMIT);
	struct test_call takers[CROWD];

	for (size_t m = 0; m < CROWD; m++)
		test_recv_start(&takers[m], pair.rx);
	AWAIT(duct_channel_waiting_receivers(pair.channel) == CROWD);
	duct_channel_close(pair.channel, 17);
	for (size_t m = 0; m < CROWD; m++) {
		CHECK_STATUS(test_call_end(&takers[m]), DUCT_CLOSED);
		CHECK(duct_channel_reason(duct_receiver_channel(pair.rx)) == 17);
	}
	test_pair_free(&pair);
}

/* A sender made before the close fails after it; what was buffered is still received, and then the end. */
TEST(frequenz, close_refuses_sends_and_keeps_what_is_buffered, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), LIMIT);
	int message;

	CHECK_STATUS(duct_send(pair.tx, &(int){ 5 }), DUCT_OK);
	duct_channel_close(pair.channel, 0);
	duct_channel_close(pair.channel, 0);
	CHECK_STATUS(duct_send(pair.tx, &(int){ 6 }), DUCT_CLOSED);
	CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
	CHECK(message == 5);
	CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_CLOSED);
	test_pair_free(&pair);
}

/* With no reader the eleventh send to a channel of ten runs out of time and leaves nothing; drained, the channel is as new. */
TEST(frequenz, full_channel_makes_the_eleventh_send_time_out, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), LIMIT);
	int message;

	for (int n = 0; n <= LIMIT; n++)
		CHECK_STATUS(duct_send_until(pair.tx, &n, duct_after_ms(10), NULL), n < LIMIT ? DUCT_OK : DUCT_TIMEDOUT);
	for (int n = 0; n < LIMIT; n++) {
		CHECK_STATUS(duct_recv_until(pair.rx, &message, duct_after_s(1), NULL), DUCT_OK);
		CHECK(message == n);
	}
	CHECK_STATUS(duct_recv_until(pair.rx, &message, duct_after_ms(10), NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_send_until(pair.tx, &(int){ 20 }, 0, NULL), DUCT_OK);
	CHECK_STATUS(duct_recv_until(pair.rx, &message, 0, NULL), DUCT_OK);
	CHECK(message == 20);
	test_pair_free(&pair);
}

/* "Nothing" is a message like any other: a null pointer between two others arrives in its place. */
TEST(frequenz, a_null_pointer_is_a_message, 5)
{
	struct test_pair pair = test_pair_new(sizeof(char *), LIMIT);
	const char *const sent[] = { "five", NULL, "six" };
	const char *message = "none yet";

	for (size_t n = 0; n < 3; n++)
		CHECK_STATUS(duct_send(pair.tx, &sent[n]), DUCT_OK);
	for (size_t n = 0; n < 3; n++) {
		CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
		CHECK(message == sent[n]);
	}
	test_pair_free(&pair);
}

static void *send_words(void *argument)
{
	static const char *const words[] = { "one", "two", "three", "four", "five" };

	for (size_t n = 0; n < ARRAY_LEN(words); n++)
		CHECK_STATUS(duct_send(argument, &words[n]), DUCT_OK);
	duct_sender_free(argument);
	return NULL;
}

/* A loop over the messages of a sender that sends five words and closes gets those five, in order, and ends. */
TEST(frequenz, iteration_ends_with_the_sender, 5)
{
	static const char *const expected[] = { "one", "two", "three", "four", "five" };
	duct_sender *tx;
	duct_receiver *rx;
	const char *word;
	pthread_t thread;
	size_t count = 0;

	CHECK_STATUS(duct_anycast_open(&tx, &rx, sizeof(char *), LIMIT, NULL), DUCT_OK);
	thread = test_start(send_words, tx);
	DUCT_FOR_EACH(rx, &word) {
		CHECK(count < 5 && strcmp(word, expected[count]) == 0);
		count++;
	}
	CHECK(count == 5);
	test_join(thread);
	duct_receiver_free(rx);
}

/* The first of two receivers closes: it is at its end and later messages go to the second; then the second closes too. */
TEST(frequenz, a_receiver_closes_for_itself, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), LIMIT);
	duct_receiver *second;
	int message;

	CHECK_STATUS(duct_receiver_new(pair.channel, &second), DUCT_OK);
	CHECK_STATUS(duct_send(pair.tx, &(int){ 1 }), DUCT_OK);
	CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
	duct_receiver_close(pair.rx);
	CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_CLOSED);
	CHECK_STATUS(duct_send(pair.tx, &(int){ 2 }), DUCT_OK);
	CHECK_STATUS(duct_recv(second, &message), DUCT_OK);
	CHECK(message == 2);
	duct_receiver_close(second);
	CHECK_STATUS(duct_recv(second, &message), DUCT_CLOSED);
	CHECK_STATUS(duct_send(pair.tx, &(int){ 3 }), DUCT_NO_RECEIVERS);
	duct_receiver_free(second);
	test_pair_free(&pair);
}

/* A thread inside a receive is woken by the close of its own receiver, which there it is not. */
TEST(frequenz, own_close_wakes_the_receive, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), LIMIT);
	struct test_call call;

	test_recv_start(&call, pair.rx);
	AWAIT(duct_channel_waiting_receivers(pair.channel) == 1);
	duct_receiver_close(pair.rx);
	CHECK_STATUS(test_call_end(&call), DUCT_CLOSED);
	test_pair_free(&pair);
}

/* One sender closes, itself only and as often as it likes; its clone goes on, and is no clone of a closed one. */
TEST(frequenz, a_sender_closes_for_itself, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), LIMIT);
	duct_sender *clone, *refused = NULL;
	int message;

	CHECK_STATUS(duct_sender_clone(pair.tx, &clone), DUCT_OK);
	duct_sender_close(pair.tx);
	duct_sender_close(pair.tx);
	CHECK_STATUS(duct_send(pair.tx, &(int){ 1 }), DUCT_CLOSED);
	CHECK_STATUS(duct_sender_clone(pair.tx, &refused), DUCT_CLOSED);
	CHECK(refused == NULL && duct_channel_senders(pair.channel) == 1);
	CHECK_STATUS(duct_send(clone, &(int){ 2 }), DUCT_OK);
	CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
	CHECK(message == 2);
	duct_sender_free(clone);
	test_pair_free(&pair);
}

/* A receiver can be made from a sender alone, as a subscription. */
TEST(frequenz, a_sender_leads_to_a_new_receiver, 5)
{
	duct_sender *tx;
	duct_receiver *rx, *subscribed;
	int message;

	CHECK_STATUS(duct_anycast_open(&tx, &rx, sizeof(int), LIMIT, NULL), DUCT_OK);
	CHECK_STATUS(duct_receiver_new(duct_sender_channel(tx), &subscribed), DUCT_OK);
	duct_receiver_free(rx);
	CHECK_STATUS(duct_send(tx, &(int){ 3 }), DUCT_OK);
	CHECK_STATUS(duct_recv(subscribed, &message), DUCT_OK);
	CHECK(message == 3);
	duct_receiver_free(subscribed);
	duct_sender_free(tx);
}

/* "Ready" may be asked any number of times: it neither takes the message nor keeps it from another receiver. */
TEST(frequenz, ready_is_repeatable_and_loses_nothing, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), LIMIT);
	duct_receiver *other;
	int message;

	CHECK_STATUS(duct_receiver_clone(pair.rx, &other), DUCT_OK);
	CHECK_STATUS(duct_send(pair.tx, &(int){ 1 }), DUCT_OK);
	CHECK_STATUS(duct_send(pair.tx, &(int){ 2 }), DUCT_OK);
	for (int again = 0; again < 3; again++)
		CHECK_STATUS(duct_receiver_wait(pair.rx, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK_STATUS(duct_recv(other, &message), DUCT_OK);
	CHECK(message == 1);
	CHECK_STATUS(duct_try_recv(pair.rx, &message), DUCT_OK);
	CHECK(message == 2);
	CHECK_STATUS(duct_try_recv(pair.rx, &message), DUCT_EMPTY);
	duct_channel_close(pair.channel, 0);
	CHECK_STATUS(duct_receiver_wait(pair.rx, DUCT_FOREVER, NULL), DUCT_CLOSED);
	duct_receiver_free(other);
	test_pair_free(&pair);
}

/* A sender that is blocked when the channel closes does not stay blocked, and its message does not slip in afterwards. */
TEST(frequenz, close_ends_a_blocked_sender_for_good, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 1);
	struct test_call giver;
	int message;

	CHECK_STATUS(duct_send(pair.tx, &(int){ 1 }), DUCT_OK);
	test_send_start(&giver, pair.tx, 2);
	AWAIT(duct_channel_waiting_senders(pair.channel) == 1);
	duct_channel_close(pair.channel, 0);
	CHECK_STATUS(test_call_end(&giver), DUCT_CLOSED);
	CHECK(giver.message == 2);
	CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
	CHECK(message == 1);
	CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_CLOSED);
	test_pair_free(&pair);
}

/* A limit of 0 is a meeting of sender and receiver, not a channel that no message gets through. */
TEST(frequenz, limit_0_is_a_meeting, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 0);
	struct test_call giver;
	int message;

	test_send_start(&giver, pair.tx, 4);
	CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
	CHECK(message == 4);
	CHECK_STATUS(test_call_end(&giver), DUCT_OK);
	test_pair_free(&pair);
}

/* Limit, name, fill and closed can be read, and are in the description. */
TEST(frequenz, limit_name_and_closed_are_readable, 5)
{
	duct_channel *channel;
	char open[200], closed[200];

	CHECK_STATUS(duct_anycast_new(&channel, sizeof(int), LIMIT, DUCT_OPTIONS(.name = "readings")), DUCT_OK);
	CHECK(duct_channel_capacity(channel) == LIMIT && !duct_channel_is_closed(channel));
	CHECK(strcmp(duct_channel_name(channel), "readings") == 0);
	duct_channel_describe(channel, open, sizeof open);
	duct_channel_close(channel, 0);
	CHECK(duct_channel_is_closed(channel));
	duct_channel_describe(channel, closed, sizeof closed);
	CHECK(strstr(open, "readings") != NULL && strstr(open, "10") != NULL && strcmp(open, closed) != 0);
	duct_channel_free(channel);
}
