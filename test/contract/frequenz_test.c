/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Behaviours users of frequenz-channels expect of an anycast and of a broadcast channel.  Where their library leaves something
 * open or loses messages, the tests say what happens here instead.
 */
#include "crowd.h"

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

/* A loop over two of three channels: all messages of each come in order, each close is told once, the third keeps its own. */
TEST(frequenz, a_select_leaves_the_others_alone, 5)
{
	enum { READ = 2, ALL = 3, SENT = 4 };
	struct test_pair pairs[ALL];
	duct_case cases[READ];
	int message, next[READ] = { 0 }, closed[READ] = { 0 };
	size_t chosen;

	for (int i = 0; i < ALL; i++) {
		pairs[i] = test_pair_new(sizeof(int), SENT);
		CHECK(test_fill(pairs[i].tx) == SENT);
		duct_channel_close(pairs[i].channel, 0);
		if (i < READ)
			cases[i] = duct_recv_case(pairs[i].rx, &message);
	}
	while (duct_select(cases, READ, &chosen) == DUCT_OK) {
		if (cases[chosen].status == DUCT_CLOSED)
			closed[chosen]++;
		else
			CHECK(message == next[chosen]++);
	}
	CHECK(next[0] == SENT && next[1] == SENT && closed[0] == 1 && closed[1] == 1);
	CHECK(duct_channel_len(pairs[READ].channel) == SENT);
	for (int i = 0; i < ALL; i++)
		test_pair_free(&pairs[i]);
}

/* ---- Broadcast --------------------------------------------------------------------------------------------------------- */

/* Five senders of 1..5 and five receivers: each receiver gets all twenty-five. */
TEST(frequenz_broadcast, five_to_five_deliver_all_to_each, 5)
{
	struct crowd crowd = crowd_new(NULL);
	struct sums senders[CROWD], receivers[CROWD];
	pthread_t sending[CROWD], receiving[CROWD];
	atomic_int sent = 0;

	for (int m = 0; m < CROWD; m++) {
		senders[m] = (struct sums){ .sent = &sent };
		receivers[m] = (struct sums){ .rx = crowd_join_as(&crowd, NULL) };
		CHECK_STATUS(duct_sender_clone(crowd.tx, &senders[m].tx), DUCT_OK);
		receiving[m] = test_start(sum_up, &receivers[m]);
	}
	for (int m = 0; m < CROWD; m++)
		sending[m] = test_start(send_one_to_five, &senders[m]);
	for (int m = 0; m < CROWD; m++)
		test_join(sending[m]);
	duct_channel_close(crowd.channel, 0);
	for (int m = 0; m < CROWD; m++) {
		test_join(receiving[m]);
		CHECK(receivers[m].count == CROWD * 5 && receivers[m].received == CROWD * 15);
		duct_sender_free(senders[m].tx);
		duct_receiver_free(receivers[m].rx);
	}
	CHECK(atomic_load(&sent) == CROWD * 15);
	crowd_free(&crowd);
}

/* A channel that was closed: no send goes, a receive is at its end, also one of a receiver made before. */
TEST(frequenz_broadcast, close_ends_sends_and_receives, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join_as(&crowd, NULL);

	duct_channel_close(crowd.channel, 0);
	CHECK_STATUS(duct_send(crowd.tx, &(int){ 5 }), DUCT_CLOSED);
	CHECK(then(rx, DUCT_CLOSED));
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* Two queues of ten and of five after ten messages, and after ten more: the larger has all, the smaller the last five. */
TEST(frequenz_broadcast, a_slow_small_receiver_loses_the_oldest, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *big = crowd_join(&crowd, DUCT_DROP_OLDEST, 10), *small = crowd_join(&crowd, DUCT_DROP_OLDEST, 5);

	CHECK(sends(crowd.tx, 0, 9) && duct_receiver_len(big) == 10 && duct_receiver_len(small) == 5);
	CHECK(reads(big, 0, 9) && reads(small, 5, 9));
	CHECK(duct_receiver_len(big) == 0 && duct_receiver_len(small) == 0);
	CHECK(sends(crowd.tx, 10, 19) && reads(big, 10, 19) && reads(small, 15, 19));
	CHECK(then(big, DUCT_EMPTY) && then(small, DUCT_EMPTY));
	duct_receiver_free(big);
	duct_receiver_free(small);
	crowd_free(&crowd);
}

/* With "resend latest" a new receiver begins with the last message, without it with the next; it can be turned on later. */
TEST(frequenz_broadcast, resend_latest_is_for_new_receivers, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *old = crowd_join_as(&crowd, NULL), *without, *with;

	CHECK(sends(crowd.tx, 0, 9));
	without = crowd_join_as(&crowd, NULL);
	CHECK(sends(crowd.tx, 100, 100));
	CHECK_STATUS(duct_channel_set_replay(crowd.channel, 1), DUCT_OK);
	CHECK(sends(crowd.tx, 101, 101));
	with = crowd_join_as(&crowd, NULL);
	CHECK(sends(crowd.tx, 102, 102));
	CHECK(reads(old, 0, 9) && reads(old, 100, 102) && reads(without, 100, 102) && reads(with, 101, 102));
	CHECK(then(with, DUCT_EMPTY));
	duct_receiver_free(old);
	duct_receiver_free(without);
	duct_receiver_free(with);
	crowd_free(&crowd);
}

/* A receiver that closes is at its end, and no longer counted; the other gets what is sent then. */
TEST(frequenz_broadcast, a_receiver_closes_for_itself, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *first = crowd_join_as(&crowd, NULL), *second = crowd_join_as(&crowd, NULL);

	CHECK(sends(crowd.tx, 1, 1) && reads(first, 1, 1) && reads(second, 1, 1));
	duct_receiver_close(first);
	CHECK(sends(crowd.tx, 2, 2) && then(first, DUCT_CLOSED) && reads(second, 2, 2));
	CHECK(duct_channel_receivers(crowd.channel) == 1);
	duct_receiver_close(second);
	CHECK(then(second, DUCT_CLOSED) && duct_channel_receivers(crowd.channel) == 0);
	duct_receiver_free(first);
	duct_receiver_free(second);
	crowd_free(&crowd);
}

struct warnings {
	int count;
	uint64_t lost;
	char channel[16], receiver[16];
};

static void note_warning(const duct_log_event *event, void *context)
{
	struct warnings *warnings = context;

	warnings->count++;
	warnings->lost += event->lost;
	snprintf(warnings->channel, sizeof warnings->channel, "%s", event->channel);
	snprintf(warnings->receiver, sizeof warnings->receiver, "%s", event->receiver);
}

/* A full receiver is warned of once in each interval, not for each message, by channel and name. */
TEST(frequenz_broadcast, overflow_is_told_once, 5)
{
	struct warnings warnings = { 0 };
	struct crowd crowd =
	    crowd_new(DUCT_OPTIONS(.name = "readings", .log = note_warning, .log_interval = INT64_MAX, .context = &warnings));
	duct_receiver *rx = crowd_join_as(&crowd, DUCT_SUBSCRIPTION(.name = "display", .capacity = 3));

	CHECK(sends(crowd.tx, 1, 3) && warnings.count == 0);
	CHECK(sends(crowd.tx, 4, 40) && warnings.count == 1 && warnings.lost == 1);
	CHECK(strcmp(warnings.channel, "readings") == 0 && strcmp(warnings.receiver, "display") == 0);
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

struct grouped_reading {
	int id;
	char what;
};

static const void *reading_id(const void *message, size_t *size, void *context)
{
	(void)context;
	*size = sizeof(int);
	return message;
}

/* Grouped by key: the latest of each, in the order in which the keys came. */
TEST(frequenz_broadcast, grouping_keeps_the_latest_of_each_key, 5)
{
	static const struct grouped_reading readings[] = { { 5, 'a' }, { 6, 'b' }, { 5, 'c' } };
	duct_sender *tx;
	duct_receiver *rx;
	duct_cache *cache;
	struct grouped_reading in[3];
	size_t count;

	CHECK_STATUS(duct_broadcast_open(&tx, &rx, sizeof *readings, NULL, NULL), DUCT_OK);
	CHECK_STATUS(duct_cache_new(&cache, rx, reading_id, NULL), DUCT_OK);
	CHECK_STATUS(duct_send_many(tx, readings, 3, NULL, 0, NULL), DUCT_OK);
	CHECK_STATUS(duct_cache_snapshot(cache, in, 3, &count), DUCT_OK);
	CHECK(count == 2 && in[0].id == 5 && in[0].what == 'c' && in[1].id == 6 && in[1].what == 'b');
	CHECK(!duct_cache_contains(cache, &(int){ 7 }, sizeof(int)));
	duct_cache_free(cache);
	duct_sender_free(tx);
}

/* The latest value: none, then the last of what came, unchanged until there is another. */
TEST(frequenz_broadcast, the_latest_value_is_remembered, 5)
{
	static const int values[] = { 6, 12, 19 };
	duct_sender *tx;
	duct_receiver *rx;
	duct_latest *latest;
	int value = -1;

	CHECK_STATUS(
	    duct_broadcast_open(&tx, &rx, sizeof(int), DUCT_SUBSCRIPTION(.overflow = DUCT_LATEST_ONLY), NULL), DUCT_OK);
	CHECK_STATUS(duct_latest_new(&latest, rx), DUCT_OK);
	CHECK_STATUS(duct_latest_get(latest, &value), DUCT_EMPTY);
	for (size_t v = 0; v < ARRAY_LEN(values); v++) {
		CHECK(value == (v == 0 ? -1 : values[v - 1]));
		CHECK_STATUS(duct_send(tx, &values[v]), DUCT_OK);
		for (int again = 0; again < 3; again++) {
			CHECK_STATUS(duct_latest_get(latest, &value), DUCT_OK);
			CHECK(value == values[v]);
		}
	}
	duct_latest_free(latest);
	duct_sender_free(tx);
}

/* A peekable is made of a receiver, which is at its end then; it shows the last message, and the end after the close. */
TEST(frequenz_broadcast, peek_shows_the_last_message, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join_as(&crowd, NULL);
	duct_peekable *peekable;
	int message = -1;

	CHECK_STATUS(duct_receiver_into_peekable(rx, &peekable), DUCT_OK);
	CHECK(then(rx, DUCT_INVALIDATED));
	CHECK_STATUS(duct_peek(peekable, &message), DUCT_EMPTY);
	CHECK(sends(crowd.tx, 0, 9));
	for (int again = 0; again < 2; again++) {
		CHECK_STATUS(duct_peek(peekable, &message), DUCT_OK);
		CHECK(message == 9);
	}
	CHECK(sends(crowd.tx, 20, 20));
	CHECK_STATUS(duct_peek(peekable, &message), DUCT_OK);
	CHECK(message == 20);
	duct_channel_close(crowd.channel, 0);
	CHECK_STATUS(duct_peek(peekable, &message), DUCT_CLOSED);
	duct_peekable_free(peekable);
	duct_receiver_free(rx);
	crowd_free(&crowd);
}
