/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Broadcast channels: what can be made, that each message reaches every receiver, whole and in one order, who ends what, and
 * every way to send, receive and wait.  What happens to a full queue is in overflow_test.c, what later receivers get in
 * replay_test.c.
 */
#include "crowd.h"

enum { MEMBERS = 5 };

/* ---- Making ------------------------------------------------------------------------------------------------------------ */

static void *allocate_nothing(size_t size, void *context)
{
	(void)size;
	++*(int *)context;
	return NULL;
}

static void release_nothing(void *memory, void *context)
{
	(void)memory;
	(void)context;
	abort();
}

/* What can never work is refused before memory is asked for, and nothing is written. */
TEST(broadcast_new, refuses_what_can_never_work, 5)
{
	static const size_t option_sizes[] = { 0, 1, sizeof(duct_options) - 1, sizeof(duct_options) + 1, SIZE_MAX };
	int asked = 0;
	const duct_allocator nothing = { allocate_nothing, release_nothing, &asked };
	const duct_allocator half = { allocate_nothing, NULL, &asked };
	duct_channel *const before = (duct_channel *)&asked;
	duct_channel *channel = before;

	CHECK_STATUS(duct_broadcast_new(NULL, 8, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_broadcast_new(&channel, SIZE_MAX, DUCT_OPTIONS(.allocator = &nothing)), DUCT_INVALID);
	CHECK_STATUS(duct_broadcast_new(&channel, 8, DUCT_OPTIONS(.allocator = &half)), DUCT_INVALID);
	CHECK_STATUS(duct_broadcast_new(&channel, 8, DUCT_OPTIONS(.log_interval = -1, .allocator = &nothing)), DUCT_INVALID);
	CHECK_STATUS(duct_broadcast_new(
			 &channel, 8, DUCT_OPTIONS(.unheard = (duct_unheard)(DUCT_UNHEARD_WAIT + 1), .allocator = &nothing)),
	    DUCT_INVALID);
	CHECK_STATUS(
	    duct_broadcast_new(&channel, 8, DUCT_OPTIONS(.unheard = (duct_unheard)-1, .allocator = &nothing)), DUCT_INVALID);
#if SIZE_MAX > UINT32_MAX
	CHECK_STATUS(duct_broadcast_new(&channel, 0, DUCT_OPTIONS(.replay = (size_t)UINT32_MAX + 1, .allocator = &nothing)),
	    DUCT_INVALID);
#endif
	for (size_t i = 0; i < ARRAY_LEN(option_sizes); i++) {
		duct_options options = { .size = option_sizes[i], .allocator = &nothing };

		CHECK_STATUS(duct_broadcast_new(&channel, 8, &options), DUCT_INVALID);
	}
	CHECK(asked == 0);
	CHECK_STATUS(duct_broadcast_new(&channel, 8, DUCT_OPTIONS(.allocator = &nothing)), DUCT_NOMEM);
	CHECK(asked == 1 && channel == before);
}

/* The pair form refuses what either of its parts does, and writes neither handle. */
TEST(broadcast_open, refuses_what_can_never_work, 5)
{
	int scratch;
	duct_sender *const tx_before = (duct_sender *)&scratch, *tx = tx_before;
	duct_receiver *const rx_before = (duct_receiver *)&scratch, *rx = rx_before;
	duct_subscription odd = DUCT_SUBSCRIPTION_INIT;

	odd.size--;
	CHECK_STATUS(duct_broadcast_open(NULL, &rx, 8, NULL, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_broadcast_open(&tx, NULL, 8, NULL, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_broadcast_open(&tx, &rx, 8, &odd, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_broadcast_open(&tx, &rx, 8, DUCT_SUBSCRIPTION(.overflow = DUCT_LATEST_ONLY, .capacity = 2), NULL),
	    DUCT_INVALID);
	CHECK_STATUS(duct_broadcast_open(&tx, &rx, 8, NULL, DUCT_OPTIONS(.log_interval = -1)), DUCT_INVALID);
	CHECK_STATUS(duct_broadcast_open(&tx, &rx, SIZE_MAX / 2, DUCT_SUBSCRIPTION(.capacity = 4), NULL), DUCT_INVALID);
	CHECK(tx == tx_before && rx == rx_before);
}

/* A subscription that can never work is refused, by a channel and by a sender, and there is no receiver more. */
TEST(subscribe, refuses_what_can_never_work, 5)
{
	static const size_t sizes[] = { 0, 1, sizeof(duct_subscription) - 1, sizeof(duct_subscription) + 1, SIZE_MAX };
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = NULL, **volatile nowhere = NULL;
	duct_subscription wrong[ARRAY_LEN(sizes) + 4];
	size_t count = 0;

	for (; count < ARRAY_LEN(sizes); count++)
		wrong[count] = (duct_subscription){ .size = sizes[count] };
	wrong[count++] = *DUCT_SUBSCRIPTION(.overflow = (duct_overflow)(DUCT_CUT_OFF + 1));
	wrong[count++] = *DUCT_SUBSCRIPTION(.overflow = (duct_overflow)-1);
	wrong[count++] = *DUCT_SUBSCRIPTION(.overflow = DUCT_LATEST_ONLY, .capacity = 2);
	wrong[count++] = *DUCT_SUBSCRIPTION(.capacity = SIZE_MAX / 2);
	for (size_t i = 0; i < count; i++) {
		CHECK_STATUS(duct_subscribe(crowd.channel, &rx, &wrong[i]), DUCT_INVALID);
		CHECK_STATUS(duct_sender_subscribe(crowd.tx, &rx, &wrong[i]), DUCT_INVALID);
	}
	CHECK_STATUS(duct_subscribe(NULL, &rx, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_subscribe(crowd.channel, nowhere, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_sender_subscribe(NULL, &rx, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_sender_subscribe(crowd.tx, nowhere, NULL), DUCT_INVALID);
	CHECK(rx == NULL && duct_channel_receivers(crowd.channel) == 0);
	crowd_free(&crowd);
}

/* What belongs to broadcasts is not for an anycast channel or its ends, and changes nothing there. */
TEST(broadcast, is_not_what_an_anycast_channel_is, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 4);
	duct_receiver *rx = NULL;
	duct_peekable *peekable = NULL;
	duct_stats stats = { 7, 7, 7, 7, 7 };

	CHECK(sends(pair.tx, 1, 2));
	CHECK_STATUS(duct_subscribe(pair.channel, &rx, NULL), DUCT_UNSUPPORTED);
	CHECK_STATUS(duct_sender_subscribe(pair.tx, &rx, NULL), DUCT_UNSUPPORTED);
	CHECK_STATUS(duct_channel_wait_receivers(pair.channel, 1, DUCT_FOREVER, NULL), DUCT_UNSUPPORTED);
	CHECK_STATUS(duct_channel_set_replay(pair.channel, 1), DUCT_UNSUPPORTED);
	CHECK(duct_channel_replay(pair.channel) == 0);
	CHECK_STATUS(duct_receiver_set_overflow(pair.rx, DUCT_BLOCK), DUCT_UNSUPPORTED);
	CHECK_STATUS(duct_receiver_stats(pair.rx, &stats), DUCT_UNSUPPORTED);
	CHECK_STATUS(duct_peekable_new(pair.channel, &peekable), DUCT_UNSUPPORTED);
	CHECK_STATUS(duct_receiver_into_peekable(pair.rx, &peekable), DUCT_UNSUPPORTED);
	CHECK(!duct_receiver_is_cut_off(pair.rx) && duct_receiver_lag(pair.rx) == 0);
	CHECK(rx == NULL && peekable == NULL && stats.sent == 7 && duct_channel_receivers(pair.channel) == 1);
	CHECK(duct_receiver_len(pair.rx) == 2 && duct_receiver_capacity(pair.rx) == 4);
	CHECK(reads(pair.rx, 1, 2) && then(pair.rx, DUCT_EMPTY));
	test_pair_free(&pair);
}

/* What is asked of nothing is invalid, or nothing. */
TEST(broadcast, asked_of_nothing_is_nothing, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 3);
	duct_stats stats = { 7, 7, 7, 7, 7 };
	char line[8] = "before";

	CHECK_STATUS(duct_channel_wait_receivers(NULL, 1, DUCT_FOREVER, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_channel_wait_receivers(crowd.channel, 1, -1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_channel_set_replay(NULL, 1), DUCT_INVALID);
#if SIZE_MAX > UINT32_MAX
	CHECK_STATUS(duct_channel_set_replay(crowd.channel, (size_t)UINT32_MAX + 1), DUCT_INVALID);
#endif
	CHECK(duct_channel_replay(NULL) == 0 && duct_channel_replay(crowd.channel) == 0);
	CHECK_STATUS(duct_receiver_set_overflow(NULL, DUCT_BLOCK), DUCT_INVALID);
	CHECK_STATUS(duct_receiver_set_overflow(rx, (duct_overflow)(DUCT_CUT_OFF + 1)), DUCT_INVALID);
	CHECK_STATUS(duct_receiver_set_overflow(rx, (duct_overflow)-1), DUCT_INVALID);
	CHECK_STATUS(duct_receiver_stats(NULL, &stats), DUCT_INVALID);
	CHECK_STATUS(duct_receiver_stats(rx, NULL), DUCT_INVALID);
	CHECK(stats.sent == 7 && duct_receiver_lag(NULL) == 0 && !duct_receiver_is_cut_off(NULL));
	CHECK(duct_receiver_len(NULL) == 0 && duct_receiver_capacity(NULL) == 0 && strcmp(duct_receiver_name(NULL), "") == 0);
	CHECK(duct_receiver_describe(NULL, line, sizeof line) == 0 && line[0] == '\0');
	/* Its overflow is still what it was. */
	CHECK(sends(crowd.tx, 1, 5) && reads(rx, 3, 5));
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* A publish and the ends of a broadcast refuse what those of an anycast channel do; the receipt is not written. */
TEST(broadcast, sends_refuse_what_can_never_work, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 3);
	duct_receipt receipt = { 77, 77 };
	int message = 5;
	size_t moved = 77;

	CHECK_STATUS(duct_publish(NULL, &message, &receipt, DUCT_FOREVER, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_publish(crowd.tx, NULL, &receipt, DUCT_FOREVER, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_publish(crowd.tx, &message, &receipt, -1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_send(crowd.tx, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_try_send(crowd.tx, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_send_until(crowd.tx, &message, -1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_send_many(crowd.tx, NULL, 3, &moved, DUCT_FOREVER, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_sender_wait(crowd.tx, -1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_recv(rx, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_try_recv(rx, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_recv_until(rx, &message, -1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_recv_many(rx, &message, 2, 1, &moved, DUCT_FOREVER, NULL), DUCT_INVALID);
	CHECK(receipt.delivered == 77 && receipt.lost == 77 && moved == 77 && message == 5);
	CHECK(counts(rx, 0, 0, 0, 0));
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* ---- State ------------------------------------------------------------------------------------------------------------- */

/* A fresh broadcast channel is open and empty, has no capacity of its own, no ends and nobody who waits. */
TEST(broadcast_state, of_a_fresh_channel_is_empty, 5)
{
	duct_channel *channel;

	CHECK_STATUS(duct_broadcast_new(&channel, 24, DUCT_OPTIONS(.name = "news", .replay = 3)), DUCT_OK);
	CHECK(duct_channel_capacity(channel) == 0 && duct_channel_message_size(channel) == 24);
	CHECK(duct_channel_len(channel) == 0 && duct_channel_is_empty(channel) && !duct_channel_is_full(channel));
	CHECK(!duct_channel_is_closed(channel) && duct_channel_reason(channel) == 0 && duct_channel_replay(channel) == 3);
	CHECK(duct_channel_senders(channel) == 0 && duct_channel_receivers(channel) == 0);
	CHECK(duct_channel_waiting_senders(channel) == 0 && duct_channel_waiting_receivers(channel) == 0);
	CHECK(strcmp(duct_channel_name(channel), "news") == 0);
	duct_channel_free(channel);
}

/* Without a word about it a receiver has room for 50; with LATEST_ONLY for 1; else for exactly what was asked. */
TEST(broadcast_state, of_a_receiver_has_the_capacity_it_was_given, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *plain = crowd_join_as(&crowd, NULL), *init, *latest, *three, *made;
	const duct_subscription zeros = DUCT_SUBSCRIPTION_INIT;

	CHECK(DUCT_CAPACITY_DEFAULT == 50 && duct_receiver_capacity(plain) == 50);
	init = crowd_join_as(&crowd, &zeros);
	latest = crowd_join_as(&crowd, DUCT_SUBSCRIPTION(.overflow = DUCT_LATEST_ONLY));
	three = crowd_join(&crowd, DUCT_BLOCK, 3);
	CHECK_STATUS(duct_receiver_new(crowd.channel, &made), DUCT_OK);
	CHECK(duct_receiver_capacity(init) == 50 && duct_receiver_capacity(latest) == 1);
	CHECK(duct_receiver_capacity(three) == 3 && duct_receiver_capacity(made) == 50);
	CHECK(duct_channel_receivers(crowd.channel) == 5);
	CHECK(sends(crowd.tx, 1, 3) && duct_channel_is_full(crowd.channel));
	CHECK_STATUS(duct_try_send(crowd.tx, &(int){ 4 }), DUCT_FULL);
	CHECK(reads(three, 1, 3) && !duct_channel_is_full(crowd.channel));
	duct_receiver_close(three);
	CHECK(sends(crowd.tx, 4, 51));
	CHECK(reads(plain, 2, 51) && reads(made, 2, 51) && reads(latest, 51, 51));
	duct_receiver_free(plain);
	duct_receiver_free(init);
	duct_receiver_free(latest);
	duct_receiver_free(three);
	duct_receiver_free(made);
	crowd_free(&crowd);
}

/* Each receiver's length falls to 0 as it reads; the channel's is all of theirs together. */
TEST(broadcast_state, length_falls_as_messages_are_read, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *one = crowd_join(&crowd, DUCT_DROP_OLDEST, 10), *other = crowd_join(&crowd, DUCT_DROP_OLDEST, 5);

	CHECK(sends(crowd.tx, 1, 10));
	CHECK(duct_receiver_len(one) == 10 && duct_receiver_len(other) == 5 && duct_channel_len(crowd.channel) == 15);
	for (int n = 1; n <= 10; n++) {
		CHECK(!duct_channel_is_empty(crowd.channel));
		CHECK(reads(one, n, n) && duct_receiver_len(one) == (size_t)(10 - n));
	}
	CHECK(duct_receiver_len(other) == 5 && duct_channel_len(crowd.channel) == 5);
	for (int n = 6; n <= 10; n++)
		CHECK(reads(other, n, n) && duct_receiver_len(other) == (size_t)(10 - n));
	CHECK(duct_channel_len(crowd.channel) == 0 && duct_channel_is_empty(crowd.channel));
	duct_receiver_free(one);
	duct_receiver_free(other);
	crowd_free(&crowd);
}

/* A receiver has the name it was given, else one of its own made of the channel's; a copy of each. */
TEST(broadcast_state, names_channel_and_receivers, 5)
{
	struct crowd crowd = crowd_new(DUCT_OPTIONS(.name = "prices"));
	char given[] = "display", line[300];
	duct_receiver *named = crowd_join_as(&crowd, DUCT_SUBSCRIPTION(.name = given, .capacity = 7));
	duct_receiver *one = crowd_join_as(&crowd, NULL), *other = crowd_join_as(&crowd, NULL), *clone;
	size_t length;

	given[0] = 'x';
	CHECK_STATUS(duct_receiver_clone(named, &clone), DUCT_OK);
	CHECK(strcmp(duct_receiver_name(named), "display") == 0);
	CHECK(strstr(duct_receiver_name(one), "prices") != NULL && strstr(duct_receiver_name(other), "prices") != NULL);
	CHECK(strcmp(duct_receiver_name(one), duct_receiver_name(other)) != 0);
	CHECK(strcmp(duct_receiver_name(clone), "display") != 0 && strstr(duct_receiver_name(clone), "prices") != NULL);
	CHECK(sends(crowd.tx, 1, 3));
	length = duct_receiver_describe(named, line, sizeof line);
	CHECK(length == strlen(line) && strstr(line, "display") != NULL && strstr(line, "7") != NULL);
	CHECK(duct_receiver_describe(named, line, 4) == length && strlen(line) == 3);
	CHECK(duct_receiver_describe(named, NULL, 0) == length);
	CHECK(duct_channel_describe(crowd.channel, line, sizeof line) > 0 && strstr(line, "prices") != NULL);
	CHECK(duct_receiver_channel(named) == crowd.channel && duct_sender_channel(crowd.tx) == crowd.channel);
	duct_receiver_free(named);
	duct_receiver_free(one);
	duct_receiver_free(other);
	duct_receiver_free(clone);
	crowd_free(&crowd);
}

/* ---- Every message to every receiver ----------------------------------------------------------------------------------- */

/* Ten messages to queues of ten and five: 1..10 and 6..10; and so again with the next ten. */
TEST(broadcast, each_queue_keeps_what_it_has_room_for, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *ten = crowd_join(&crowd, DUCT_DROP_OLDEST, 10), *five = crowd_join(&crowd, DUCT_DROP_OLDEST, 5);

	for (int first = 1; first < 40; first += 10) {
		CHECK(sends(crowd.tx, first, first + 9));
		CHECK(reads(ten, first, first + 9) && then(ten, DUCT_EMPTY));
		CHECK(reads(five, first + 5, first + 9) && then(five, DUCT_EMPTY));
	}
	CHECK(counts(ten, 40, 40, 0, 0) && counts(five, 40, 20, 20, 0));
	duct_receiver_free(ten);
	duct_receiver_free(five);
	crowd_free(&crowd);
}

/* Messages of any size arrive whole, one of nothing as one message, whose memory may be NULL. */
TEST(broadcast, carries_messages_of_every_size, 5)
{
	static const size_t sizes[] = { 0, 1, 3, 4, 8, 24, 100, 1000, 1025, 5000 };
	static unsigned char out[5000], in[5001];

	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		duct_sender *tx;
		duct_receiver *rx[2];

		CHECK_STATUS(duct_broadcast_open(&tx, &rx[0], sizes[s], NULL, DUCT_OPTIONS(.replay = 2)), DUCT_OK);
		CHECK_STATUS(duct_sender_subscribe(tx, &rx[1], NULL), DUCT_OK);
		for (unsigned round = 0; round < 3; round++) {
			for (size_t i = 0; i < sizes[s]; i++)
				out[i] = (unsigned char)(i * 7 + round);
			CHECK_STATUS(duct_send(tx, sizes[s] == 0 ? NULL : out), DUCT_OK);
			for (int r = 0; r < 2; r++) {
				memset(in, 0xee, sizeof in);
				CHECK_STATUS(duct_recv(rx[r], sizes[s] == 0 ? NULL : in), DUCT_OK);
				CHECK(memcmp(in, out, sizes[s]) == 0 && in[sizes[s]] == 0xee);
				CHECK_STATUS(duct_try_recv(rx[r], in), DUCT_EMPTY);
			}
		}
		duct_sender_free(tx);
		duct_receiver_free(rx[0]);
		duct_receiver_free(rx[1]);
	}
}

/* A receiver made after a message does not get it, without a replay; each gets all from when it joined. */
TEST(broadcast, reaches_those_who_have_joined, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx[MEMBERS];

	for (int m = 0; m < MEMBERS; m++) {
		rx[m] = crowd_join(&crowd, DUCT_DROP_OLDEST, 10);
		CHECK(sends(crowd.tx, m, m));
	}
	for (int m = 0; m < MEMBERS; m++) {
		CHECK(reads(rx[m], m, MEMBERS - 1) && then(rx[m], DUCT_EMPTY));
		duct_receiver_free(rx[m]);
	}
	crowd_free(&crowd);
}

struct member {
	duct_sender *tx;
	duct_receiver *rx;
	int number, count, received[MEMBERS * 200];
	pthread_t thread;
};

static void *send_200(void *argument)
{
	struct member *self = argument;

	for (int n = 0; n < 200; n++)
		CHECK_STATUS(duct_send(self->tx, &(int){ self->number * 200 + n }), DUCT_OK);
	duct_sender_free(self->tx);
	return NULL;
}

static void *receive_all(void *argument)
{
	struct member *self = argument;
	int message;

	DUCT_FOR_EACH(self->rx, &message) {
		CHECK(self->count < MEMBERS * 200);
		self->received[self->count++] = message;
	}
	return NULL;
}

/* Each message of each sender is there once, and a sender's messages in the order of sending. */
static bool is_whole(const struct member *member)
{
	int next[MEMBERS] = { 0 };

	for (int i = 0; i < member->count; i++)
		if (member->received[i] % 200 != next[member->received[i] / 200]++)
			return false;
	return member->count == MEMBERS * 200;
}

/* Five senders at once, and five receivers of small blocking queues: each gets everything, all in one and the same order. */
TEST(broadcast, from_many_senders_is_one_order_for_all, 20)
{
	struct crowd crowd = crowd_new(NULL);
	static struct member senders[MEMBERS], receivers[MEMBERS];

	for (int m = 0; m < MEMBERS; m++) {
		receivers[m].rx = crowd_join(&crowd, DUCT_BLOCK, (size_t)m + 1);
		receivers[m].thread = test_start(receive_all, &receivers[m]);
	}
	for (int m = 0; m < MEMBERS; m++) {
		senders[m].number = m;
		CHECK_STATUS(duct_sender_clone(crowd.tx, &senders[m].tx), DUCT_OK);
		senders[m].thread = test_start(send_200, &senders[m]);
	}
	crowd_free(&crowd);
	for (int m = 0; m < MEMBERS; m++)
		test_join(senders[m].thread);
	for (int m = 0; m < MEMBERS; m++) {
		test_join(receivers[m].thread);
		CHECK(is_whole(&receivers[m]));
		CHECK(memcmp(receivers[m].received, receivers[0].received, sizeof receivers[0].received) == 0);
		duct_receiver_free(receivers[m].rx);
	}
}

/* Threads that share one receiver share its messages: each goes to one of them. */
TEST(broadcast, messages_of_one_receiver_go_to_one_thread_each, 10)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *shared = crowd_join(&crowd, DUCT_BLOCK, 3);
	static struct member takers[3];
	int sum = 0, count = 0;

	for (int m = 0; m < 3; m++) {
		takers[m].rx = shared;
		takers[m].thread = test_start(receive_all, &takers[m]);
	}
	for (int n = 1; n <= 500; n++)
		CHECK_STATUS(duct_send(crowd.tx, &n), DUCT_OK);
	duct_channel_close(crowd.channel, 0);
	for (int m = 0; m < 3; m++) {
		test_join(takers[m].thread);
		count += takers[m].count;
		for (int i = 0; i < takers[m].count; i++)
			sum += takers[m].received[i];
	}
	CHECK(count == 500 && sum == 500 * 501 / 2 && counts(shared, 500, 500, 0, 0));
	duct_receiver_free(shared);
	crowd_free(&crowd);
}

/* A message finds every receiver that sleeps in a receive, a wait or a select, and wakes them all. */
TEST(broadcast, wakes_everyone_who_waits, 5)
{
	static const enum test_action actions[] = { RECV, RECV_UNTIL, RECV_MANY, RECEIVER_WAIT, SELECT };
	struct crowd crowd = crowd_new(NULL);
	struct test_call calls[ARRAY_LEN(actions)];
	struct test_pair pairs[ARRAY_LEN(actions)];

	for (size_t a = 0; a < ARRAY_LEN(actions); a++) {
		pairs[a] = (struct test_pair){ crowd.channel, crowd.tx, crowd_join(&crowd, policies[a], 2) };
		test_call_start(&calls[a], actions[a], &pairs[a], -1, DUCT_FOREVER, NULL);
	}
	AWAIT(duct_channel_waiting_receivers(crowd.channel) == ARRAY_LEN(actions));
	CHECK(sends(crowd.tx, 4, 4));
	for (size_t a = 0; a < ARRAY_LEN(actions); a++) {
		CHECK_STATUS(test_call_end(&calls[a]), DUCT_OK);
		if (actions[a] == RECEIVER_WAIT)
			CHECK(reads(pairs[a].rx, 4, 4));
		else
			CHECK(calls[a].message == 4);
		CHECK(counts(pairs[a].rx, 1, 1, 0, 0) && then(pairs[a].rx, DUCT_EMPTY));
		duct_receiver_free(pairs[a].rx);
	}
	CHECK(duct_channel_waiting_receivers(crowd.channel) == 0);
	crowd_free(&crowd);
}

/* ---- Closing ----------------------------------------------------------------------------------------------------------- */

/* A closed empty channel: no send, no receive. */
TEST(broadcast_close, of_an_empty_channel_ends_both_sides, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join(&crowd, DUCT_BLOCK, 1);
	duct_receipt receipt = { 77, 77 };
	int message = 5;

	duct_channel_close(crowd.channel, 12);
	duct_channel_close(crowd.channel, 13);
	CHECK(duct_channel_is_closed(crowd.channel) && duct_channel_reason(crowd.channel) == 12);
	CHECK_STATUS(duct_send(crowd.tx, &message), DUCT_CLOSED);
	CHECK_STATUS(duct_try_send(crowd.tx, &message), DUCT_CLOSED);
	CHECK_STATUS(duct_send_until(crowd.tx, &message, 0, NULL), DUCT_CLOSED);
	CHECK_STATUS(duct_send_many(crowd.tx, &message, 1, NULL, 0, NULL), DUCT_CLOSED);
	CHECK_STATUS(duct_publish(crowd.tx, &message, &receipt, 0, NULL), DUCT_CLOSED);
	CHECK_STATUS(duct_sender_wait(crowd.tx, 0, NULL), DUCT_CLOSED);
	CHECK_STATUS(duct_recv(rx, &message), DUCT_CLOSED);
	CHECK_STATUS(duct_recv_until(rx, &message, 0, NULL), DUCT_CLOSED);
	CHECK_STATUS(duct_recv_many(rx, &message, 0, 1, NULL, 0, NULL), DUCT_CLOSED);
	CHECK_STATUS(duct_receiver_wait(rx, DUCT_FOREVER, NULL), DUCT_CLOSED);
	CHECK(then(rx, DUCT_CLOSED) && receipt.delivered == 77 && message == 5);
	CHECK(!duct_receiver_is_closed(rx) && !duct_receiver_is_cut_off(rx));
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* What was sent before the close is received: exactly 0..9, by everybody, the latest by who wants no other, and then the end. */
TEST(broadcast_close, drains_every_receiver, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx[MEMBERS];

	for (int m = 0; m < MEMBERS; m++)
		rx[m] = crowd_join(&crowd, policies[m], 10);
	CHECK(sends(crowd.tx, 0, 9));
	duct_channel_close(crowd.channel, 5);
	CHECK_STATUS(duct_try_send(crowd.tx, &(int){ 10 }), DUCT_CLOSED);
	for (int m = 0; m < MEMBERS; m++) {
		CHECK(reads(rx[m], policies[m] == DUCT_LATEST_ONLY ? 9 : 0, 9));
		CHECK(then(rx[m], DUCT_CLOSED) && then(rx[m], DUCT_CLOSED));
		CHECK(duct_channel_reason(duct_receiver_channel(rx[m])) == 5);
		duct_receiver_free(rx[m]);
	}
	crowd_free(&crowd);
}

/* Ends made after the close: no sender, and receivers that are at their end, the replay forgotten. */
TEST(broadcast_close, leaves_nothing_for_later_ends, 5)
{
	struct crowd crowd = crowd_new(DUCT_OPTIONS(.replay = 5));
	duct_receiver *rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 5), *later[3], *none = NULL;
	duct_sender *refused = NULL;

	CHECK(sends(crowd.tx, 1, 3));
	duct_channel_close(crowd.channel, 0);
	CHECK_STATUS(duct_sender_new(crowd.channel, &refused), DUCT_CLOSED);
	CHECK_STATUS(duct_sender_clone(crowd.tx, &refused), DUCT_CLOSED);
	CHECK_STATUS(duct_sender_subscribe(crowd.tx, &none, NULL), DUCT_CLOSED);
	CHECK_STATUS(duct_subscribe(crowd.channel, &later[0], NULL), DUCT_OK);
	CHECK_STATUS(duct_receiver_new(crowd.channel, &later[1]), DUCT_OK);
	CHECK_STATUS(duct_receiver_clone(rx, &later[2]), DUCT_OK);
	CHECK(refused == NULL && none == NULL);
	for (int k = 0; k < 3; k++)
		CHECK(then(later[k], DUCT_CLOSED) && counts(later[k], 0, 0, 0, 0));
	CHECK(reads(rx, 1, 3) && then(rx, DUCT_CLOSED));
	for (int k = 0; k < 3; k++)
		duct_receiver_free(later[k]);
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* All receivers asleep when the channel closes wake up. */
TEST(broadcast_close, wakes_all_receivers, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx[MEMBERS];
	struct test_call calls[MEMBERS];

	for (int m = 0; m < MEMBERS; m++) {
		rx[m] = crowd_join(&crowd, policies[m], 2);
		test_recv_start(&calls[m], rx[m]);
	}
	AWAIT(duct_channel_waiting_receivers(crowd.channel) == MEMBERS);
	duct_channel_close(crowd.channel, 4);
	for (int m = 0; m < MEMBERS; m++) {
		CHECK_STATUS(test_call_end(&calls[m]), DUCT_CLOSED);
		CHECK(calls[m].message == -1);
		duct_receiver_free(rx[m]);
	}
	crowd_free(&crowd);
}

/* So they do when the last sender of a channel without a handle goes; while another one is there, they sleep on. */
TEST(broadcast_close, comes_with_the_last_sender, 5)
{
	duct_sender *tx, *clone;
	duct_receiver *rx[MEMBERS];
	struct test_call calls[MEMBERS];

	CHECK_STATUS(duct_broadcast_open(&tx, &rx[0], sizeof(int), NULL, NULL), DUCT_OK);
	for (int m = 1; m < MEMBERS; m++)
		CHECK_STATUS(duct_receiver_clone(rx[0], &rx[m]), DUCT_OK);
	for (int m = 0; m < MEMBERS; m++)
		test_recv_start(&calls[m], rx[m]);
	CHECK_STATUS(duct_sender_clone(tx, &clone), DUCT_OK);
	AWAIT(duct_channel_waiting_receivers(duct_receiver_channel(rx[0])) == MEMBERS);
	duct_sender_free(tx);
	CHECK(duct_channel_waiting_receivers(duct_receiver_channel(rx[0])) == MEMBERS);
	duct_sender_free(clone);
	for (int m = 0; m < MEMBERS; m++) {
		CHECK_STATUS(test_call_end(&calls[m]), DUCT_CLOSED);
		CHECK(duct_channel_is_closed(duct_receiver_channel(rx[m])));
		duct_receiver_free(rx[m]);
	}
}

/* Two senders: after the first closed the second still sends; after both the receiver drains and is at its end. */
TEST(broadcast_close, waits_for_the_second_sender, 5)
{
	duct_sender *tx, *clone, *none = NULL;
	duct_receiver *rx, *refused = NULL;

	CHECK_STATUS(duct_broadcast_open(&tx, &rx, sizeof(int), NULL, NULL), DUCT_OK);
	CHECK_STATUS(duct_sender_clone(tx, &clone), DUCT_OK);
	CHECK(sends(tx, 1, 1));
	duct_sender_close(tx);
	CHECK(duct_sender_is_closed(tx) && !duct_channel_is_closed(duct_receiver_channel(rx)));
	CHECK_STATUS(duct_try_send(tx, &(int){ 9 }), DUCT_CLOSED);
	CHECK_STATUS(duct_sender_clone(tx, &none), DUCT_CLOSED);
	CHECK_STATUS(duct_sender_subscribe(tx, &refused, NULL), DUCT_CLOSED);
	CHECK(sends(clone, 2, 2));
	duct_sender_close(clone);
	CHECK(reads(rx, 1, 2) && then(rx, DUCT_CLOSED) && none == NULL && refused == NULL);
	duct_sender_free(tx);
	duct_sender_free(clone);
	duct_receiver_free(rx);
}

/* A pair with two receivers: one closes, sends go on; both have closed, and the next send says that it is over. */
TEST(broadcast_close, of_a_pair_comes_with_its_last_receiver, 5)
{
	duct_sender *tx;
	duct_receiver *rx, *other, *none = NULL;

	CHECK_STATUS(
	    duct_broadcast_open(&tx, &rx, sizeof(int), DUCT_SUBSCRIPTION(.capacity = 7), DUCT_OPTIONS(.replay = 2)), DUCT_OK);
	CHECK_STATUS(duct_sender_subscribe(tx, &other, NULL), DUCT_OK);
	CHECK(duct_receiver_capacity(rx) == 7 && duct_receiver_capacity(other) == DUCT_CAPACITY_DEFAULT);
	CHECK(sends(tx, 1, 1));
	duct_receiver_close(rx);
	CHECK(sends(tx, 2, 2) && !duct_channel_is_closed(duct_sender_channel(tx)));
	duct_receiver_close(other);
	CHECK(duct_channel_is_closed(duct_sender_channel(tx)) && duct_channel_reason(duct_sender_channel(tx)) == 0);
	CHECK_STATUS(duct_try_send(tx, &(int){ 3 }), DUCT_CLOSED);
	CHECK_STATUS(duct_send(tx, &(int){ 3 }), DUCT_CLOSED);
	CHECK_STATUS(duct_sender_subscribe(tx, &none, NULL), DUCT_CLOSED);
	CHECK(reads(rx, 1, 1) && then(rx, DUCT_CLOSED) && reads(other, 1, 2) && then(other, DUCT_CLOSED));
	duct_receiver_free(rx);
	duct_receiver_free(other);
	duct_sender_free(tx);
}

/* A handle cloned from an end keeps a pair open when its last sender goes, but not when its last receiver does. */
TEST(broadcast_close, of_a_pair_with_a_handle_comes_with_its_last_receiver, 5)
{
	for (int senders_first = 0; senders_first < 2; senders_first++) {
		duct_sender *tx;
		duct_receiver *rx;
		duct_channel *channel;

		CHECK_STATUS(duct_broadcast_open(&tx, &rx, sizeof(int), NULL, NULL), DUCT_OK);
		CHECK_STATUS(duct_channel_clone(duct_sender_channel(tx), &channel), DUCT_OK);
		if (senders_first)
			duct_sender_free(tx);
		CHECK(!duct_channel_is_closed(channel) && then(rx, DUCT_EMPTY));
		duct_receiver_free(rx);
		CHECK(duct_channel_is_closed(channel));
		if (!senders_first)
			duct_sender_free(tx);
		duct_channel_free(channel);
	}
}

/* A sender of a pair that waits for a blocking receiver is told when that was the last and is freed. */
TEST(broadcast_close, of_a_pair_ends_a_sender_that_waits, 5)
{
	duct_sender *tx;
	duct_receiver *rx;
	struct test_call call;

	CHECK_STATUS(duct_broadcast_open(&tx, &rx, sizeof(int), DUCT_SUBSCRIPTION(.overflow = DUCT_BLOCK, .capacity = 1), NULL),
	    DUCT_OK);
	CHECK(sends(tx, 1, 1));
	test_send_start(&call, tx, 2);
	AWAIT(duct_channel_waiting_senders(duct_sender_channel(tx)) == 1);
	duct_receiver_free(rx);
	CHECK_STATUS(test_call_end(&call), DUCT_CLOSED);
	duct_sender_free(tx);
}

/* A channel with a handle outlives its last receiver and its last sender; without them, freeing the handle closes it. */
TEST(broadcast_close, does_not_come_while_there_is_a_handle, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 5), *second;
	duct_sender *tx;

	duct_receiver_free(rx);
	CHECK(sends(crowd.tx, 1, 1) && !duct_channel_is_closed(crowd.channel));
	duct_sender_free(crowd.tx);
	CHECK(!duct_channel_is_closed(crowd.channel) && duct_channel_senders(crowd.channel) == 0);
	second = crowd_join(&crowd, DUCT_DROP_OLDEST, 5);
	CHECK_STATUS(duct_sender_new(crowd.channel, &tx), DUCT_OK);
	CHECK(sends(tx, 2, 2) && reads(second, 2, 2) && then(second, DUCT_EMPTY));
	duct_sender_free(tx);
	CHECK(then(second, DUCT_EMPTY));
	duct_channel_free(crowd.channel);
	CHECK(then(second, DUCT_CLOSED));
	duct_receiver_free(second);
}

/* One receiver closes: it drains what it has and is at its end, while the other goes on; then that one closes too. */
TEST(broadcast_close, of_one_receiver_is_its_own, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *one = crowd_join(&crowd, DUCT_DROP_OLDEST, 5), *other = crowd_join(&crowd, DUCT_DROP_OLDEST, 5),
		      *none = NULL;

	CHECK(sends(crowd.tx, 1, 2) && reads(one, 1, 1));
	CHECK(!duct_receiver_is_closed(one));
	duct_receiver_close(one);
	duct_receiver_close(one);
	CHECK(duct_receiver_is_closed(one) && duct_channel_receivers(crowd.channel) == 1);
	CHECK_STATUS(duct_receiver_clone(one, &none), DUCT_CLOSED);
	CHECK(sends(crowd.tx, 3, 3) && none == NULL);
	CHECK(reads(one, 2, 2) && then(one, DUCT_CLOSED) && counts(one, 2, 2, 0, 0));
	CHECK(reads(other, 1, 3) && then(other, DUCT_EMPTY));
	duct_receiver_close(other);
	CHECK(then(other, DUCT_CLOSED) && duct_channel_receivers(crowd.channel) == 0);
	duct_receiver_free(one);
	duct_receiver_free(other);
	crowd_free(&crowd);
}

/* Two receivers and one freed, the channel counts one; the other gets all. */
TEST(broadcast_close, by_a_free_counts_one_less, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *one = crowd_join_as(&crowd, NULL), *other = crowd_join_as(&crowd, NULL);

	CHECK(duct_channel_receivers(crowd.channel) == 2 && duct_channel_senders(crowd.channel) == 1);
	CHECK(sends(crowd.tx, 1, 1));
	duct_receiver_free(one);
	CHECK(duct_channel_receivers(crowd.channel) == 1 && duct_channel_len(crowd.channel) == 1);
	CHECK(sends(crowd.tx, 2, 2) && reads(other, 1, 2));
	duct_receiver_free(other);
	CHECK(duct_channel_receivers(crowd.channel) == 0);
	crowd_free(&crowd);
}

/* A receive that sleeps is ended by the close of its own receiver, and by its free; others sleep on. */
TEST(broadcast_close, of_one_receiver_wakes_those_inside, 5)
{
	for (int freed = 0; freed < 2; freed++) {
		struct crowd crowd = crowd_new(NULL);
		duct_receiver *one = crowd_join(&crowd, DUCT_BLOCK, 2), *other = crowd_join(&crowd, DUCT_BLOCK, 2);
		struct test_call inside[2], outside;

		test_recv_start(&inside[0], one);
		test_call_start(&inside[1], SELECT, &(struct test_pair){ crowd.channel, NULL, one }, -1, DUCT_FOREVER, NULL);
		test_recv_start(&outside, other);
		AWAIT(duct_channel_waiting_receivers(crowd.channel) == 3);
		if (freed)
			duct_receiver_free(one);
		else
			duct_receiver_close(one);
		CHECK_STATUS(test_call_end(&inside[0]), DUCT_CLOSED);
		CHECK_STATUS(test_call_end(&inside[1]), DUCT_OK);
		CHECK(inside[1].message == -1);
		AWAIT(duct_channel_waiting_receivers(crowd.channel) == 1);
		CHECK(sends(crowd.tx, 6, 6));
		CHECK_STATUS(test_call_end(&outside), DUCT_OK);
		CHECK(outside.message == 6);
		if (!freed)
			duct_receiver_free(one);
		duct_receiver_free(other);
		crowd_free(&crowd);
	}
}

/* A sender freed or closed under a send that waits ends it; the message reaches nobody, then or later. */
TEST(broadcast_close, of_a_sender_ends_its_sends_that_wait, 5)
{
	for (int freed = 0; freed < 2; freed++) {
		struct crowd crowd = crowd_new(NULL);
		duct_receiver *full = crowd_join(&crowd, DUCT_BLOCK, 1), *wide = crowd_join(&crowd, DUCT_DROP_OLDEST, 9);
		duct_sender *tx;
		struct test_call call;

		CHECK_STATUS(duct_sender_clone(crowd.tx, &tx), DUCT_OK);
		CHECK(sends(tx, 1, 1));
		test_send_start(&call, tx, 2);
		AWAIT(duct_channel_waiting_senders(crowd.channel) == 1);
		if (freed)
			duct_sender_free(tx);
		else
			duct_sender_close(tx);
		CHECK_STATUS(test_call_end(&call), DUCT_CLOSED);
		CHECK(reads(full, 1, 1) && sends(crowd.tx, 3, 3) && reads(full, 3, 3) && then(full, DUCT_EMPTY));
		CHECK(reads(wide, 1, 1) && reads(wide, 3, 3) && then(wide, DUCT_EMPTY));
		if (!freed)
			duct_sender_free(tx);
		duct_receiver_free(full);
		duct_receiver_free(wide);
		crowd_free(&crowd);
	}
}

/* ---- Discard ----------------------------------------------------------------------------------------------------------- */

/* A discard empties every receiver, tells how many they were together, and counts them apart from losses. */
TEST(broadcast_discard, empties_every_receiver, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *ten = crowd_join(&crowd, DUCT_DROP_OLDEST, 10), *three = crowd_join(&crowd, DUCT_DROP_OLDEST, 3);
	size_t discarded = 77;

	CHECK(sends(crowd.tx, 1, 5) && reads(ten, 1, 1));
	CHECK_STATUS(duct_channel_discard(crowd.channel, &discarded), DUCT_OK);
	CHECK(discarded == 7 && duct_channel_is_empty(crowd.channel));
	CHECK(counts(ten, 5, 1, 0, 0) && stats_of(ten).discarded == 4);
	CHECK(counts(three, 5, 0, 2, 0) && stats_of(three).discarded == 3);
	CHECK(then(ten, DUCT_EMPTY) && sends(crowd.tx, 6, 6) && reads(ten, 6, 6) && reads(three, 6, 6));
	duct_receiver_free(ten);
	duct_receiver_free(three);
	crowd_free(&crowd);
}

/* It makes room for a sender that waits for a full receiver. */
TEST(broadcast_discard, lets_a_sender_go_on, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join(&crowd, DUCT_BLOCK, 2);
	struct test_call call;

	CHECK(sends(crowd.tx, 1, 2));
	test_send_start(&call, crowd.tx, 3);
	AWAIT(duct_channel_waiting_senders(crowd.channel) == 1);
	CHECK_STATUS(duct_channel_discard(crowd.channel, NULL), DUCT_OK);
	CHECK_STATUS(test_call_end(&call), DUCT_OK);
	CHECK(stats_of(rx).discarded == 2 && counts(rx, 3, 0, 0, 1) && reads(rx, 3, 3));
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* ---- Deadlines and tokens ---------------------------------------------------------------------------------------------- */

/* A receive that runs out of time or is canceled takes nothing and leaves the next message for the next receive. */
TEST(broadcast_time, ends_a_receive_without_effect, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join(&crowd, DUCT_BLOCK, 2);
	struct test_pair pair = { crowd.channel, crowd.tx, rx };
	duct_cancel *cancel;
	struct test_call call;
	int message = 5;

	CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
	CHECK_STATUS(duct_recv_until(rx, &message, 0, NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_recv_until(rx, &message, duct_after_ms(3), cancel), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_receiver_wait(rx, duct_after_ms(3), NULL), DUCT_TIMEDOUT);
	test_call_start(&call, RECV_UNTIL, &pair, -1, DUCT_FOREVER, cancel);
	AWAIT(duct_channel_waiting_receivers(crowd.channel) == 1);
	duct_cancel_raise(cancel);
	CHECK_STATUS(test_call_end(&call), DUCT_CANCELED);
	CHECK(sends(crowd.tx, 1, 1) && message == 5 && call.message == -1);
	CHECK_STATUS(duct_recv_until(rx, &message, DUCT_FOREVER, cancel), DUCT_CANCELED);
	CHECK(reads(rx, 1, 1) && counts(rx, 1, 1, 0, 0));
	duct_cancel_free(cancel);
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* A send with a raised token reaches nobody, though there is room; with a deadline that has passed it reaches everybody. */
TEST(broadcast_time, ends_no_send_that_is_ready, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *block = crowd_join(&crowd, DUCT_BLOCK, 2), *drop = crowd_join(&crowd, DUCT_DROP_OLDEST, 2);
	duct_cancel *cancel;
	duct_receipt receipt = { 77, 77 };

	CHECK_STATUS(duct_cancel_new(&cancel, NULL, 0), DUCT_OK);
	CHECK_STATUS(duct_send_until(crowd.tx, &(int){ 1 }, DUCT_FOREVER, cancel), DUCT_CANCELED);
	CHECK_STATUS(duct_publish(crowd.tx, &(int){ 1 }, &receipt, DUCT_FOREVER, cancel), DUCT_CANCELED);
	CHECK_STATUS(duct_send_many(crowd.tx, &(int){ 1 }, 1, NULL, DUCT_FOREVER, cancel), DUCT_CANCELED);
	CHECK(then(block, DUCT_EMPTY) && then(drop, DUCT_EMPTY) && receipt.delivered == 77);
	CHECK_STATUS(duct_send_until(crowd.tx, &(int){ 2 }, 0, NULL), DUCT_OK);
	CHECK_STATUS(duct_publish(crowd.tx, &(int){ 3 }, &receipt, 0, NULL), DUCT_OK);
	CHECK(reads(block, 2, 3) && reads(drop, 2, 3) && receipt.delivered == 2 && receipt.lost == 0);
	duct_cancel_free(cancel);
	duct_receiver_free(block);
	duct_receiver_free(drop);
	crowd_free(&crowd);
}

/* ---- Waits without taking ---------------------------------------------------------------------------------------------- */

/* A wait for a message says so as often as it is asked, and takes none. */
TEST(broadcast_wait, for_a_message_takes_nothing, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 2), *idle = crowd_join(&crowd, DUCT_DROP_OLDEST, 2);

	CHECK_STATUS(duct_receiver_wait(rx, 0, NULL), DUCT_TIMEDOUT);
	CHECK(sends(crowd.tx, 1, 1));
	for (int again = 0; again < 3; again++)
		CHECK_STATUS(duct_receiver_wait(rx, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(reads(idle, 1, 1));
	CHECK_STATUS(duct_receiver_wait(idle, 0, NULL), DUCT_TIMEDOUT);
	CHECK(reads(rx, 1, 1));
	duct_channel_close(crowd.channel, 0);
	CHECK_STATUS(duct_receiver_wait(rx, DUCT_FOREVER, NULL), DUCT_CLOSED);
	duct_receiver_free(rx);
	duct_receiver_free(idle);
	crowd_free(&crowd);
}

/* A wait for room ends when the slowest blocking receiver has read, and sends nothing. */
TEST(broadcast_wait, for_room_sends_nothing, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *slow = crowd_join(&crowd, DUCT_BLOCK, 1), *quick = crowd_join(&crowd, DUCT_BLOCK, 1);
	struct test_pair pair = { crowd.channel, crowd.tx, slow };
	struct test_call call;

	CHECK_STATUS(duct_sender_wait(crowd.tx, 0, NULL), DUCT_OK);
	CHECK(sends(crowd.tx, 1, 1));
	CHECK_STATUS(duct_sender_wait(crowd.tx, 0, NULL), DUCT_TIMEDOUT);
	test_call_start(&call, SENDER_WAIT, &pair, 0, DUCT_FOREVER, NULL);
	AWAIT(duct_channel_waiting_senders(crowd.channel) == 1);
	CHECK(reads(quick, 1, 1));
	CHECK_STATUS(duct_sender_wait(crowd.tx, 0, NULL), DUCT_TIMEDOUT);
	CHECK(reads(slow, 1, 1));
	CHECK_STATUS(test_call_end(&call), DUCT_OK);
	CHECK(then(slow, DUCT_EMPTY) && then(quick, DUCT_EMPTY) && counts(slow, 1, 1, 0, 0));
	CHECK(sends(crowd.tx, 2, 2) && duct_channel_waiting_senders(crowd.channel) == 0);
	duct_receiver_free(slow);
	duct_receiver_free(quick);
	crowd_free(&crowd);
}

/* Where nobody blocks there is always room. */
TEST(broadcast_wait, for_room_never_waits_where_nobody_blocks, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx[MEMBERS];

	for (int m = 0; m < MEMBERS; m++)
		rx[m] = crowd_join(&crowd, policies[m] == DUCT_BLOCK ? DUCT_DROP_OLDEST : policies[m], 1);
	for (int n = 0; n < 5; n++) {
		CHECK_STATUS(duct_sender_wait(crowd.tx, 0, NULL), DUCT_OK);
		CHECK_STATUS(duct_try_send(crowd.tx, &n), DUCT_OK);
	}
	for (int m = 0; m < MEMBERS; m++)
		duct_receiver_free(rx[m]);
	crowd_free(&crowd);
}

/* A wait for room is ended by a close, a token and the close of its sender. */
TEST(broadcast_wait, for_room_ends_with_what_it_waits_for, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join(&crowd, DUCT_BLOCK, 1);
	struct test_pair pair = { crowd.channel, crowd.tx, rx };
	duct_sender *clone;
	duct_cancel *cancel;
	struct test_call calls[3];

	CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
	CHECK_STATUS(duct_sender_clone(crowd.tx, &clone), DUCT_OK);
	CHECK(sends(crowd.tx, 1, 1));
	test_call_start(&calls[0], SENDER_WAIT, &pair, 0, DUCT_FOREVER, cancel);
	test_call_start(&calls[1], SENDER_WAIT, &(struct test_pair){ .tx = clone }, 0, DUCT_FOREVER, NULL);
	test_call_start(&calls[2], SENDER_WAIT, &pair, 0, DUCT_FOREVER, NULL);
	AWAIT(duct_channel_waiting_senders(crowd.channel) == 3);
	duct_cancel_raise(cancel);
	CHECK_STATUS(test_call_end(&calls[0]), DUCT_CANCELED);
	duct_sender_free(clone);
	CHECK_STATUS(test_call_end(&calls[1]), DUCT_CLOSED);
	CHECK(duct_channel_waiting_senders(crowd.channel) == 1);
	duct_channel_close(crowd.channel, 0);
	CHECK_STATUS(test_call_end(&calls[2]), DUCT_CLOSED);
	CHECK(reads(rx, 1, 1) && then(rx, DUCT_CLOSED));
	duct_cancel_free(cancel);
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* ---- Batches ----------------------------------------------------------------------------------------------------------- */

static const int numbers[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19 };

/* A batch goes through every queue as its messages would one by one. */
TEST(broadcast_many, sends_as_many_times_one, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *wide = crowd_join(&crowd, DUCT_BLOCK, 30), *oldest = crowd_join(&crowd, DUCT_DROP_OLDEST, 6);
	duct_receiver *newest = crowd_join(&crowd, DUCT_DROP_NEWEST, 6), *latest = crowd_join(&crowd, DUCT_LATEST_ONLY, 1);
	duct_receiver *cut = crowd_join(&crowd, DUCT_CUT_OFF, 6);
	size_t sent = 77;

	CHECK_STATUS(duct_send_many(crowd.tx, numbers, 0, &sent, 0, NULL), DUCT_OK);
	CHECK(sent == 0 && duct_channel_is_empty(crowd.channel));
	CHECK_STATUS(duct_send_many(crowd.tx, numbers, 20, &sent, 0, NULL), DUCT_OK);
	CHECK(sent == 20);
	CHECK(counts(wide, 20, 0, 0, 20) && reads(wide, 0, 19) && then(wide, DUCT_EMPTY));
	CHECK(counts(oldest, 20, 0, 14, 6) && reads(oldest, 14, 19) && then(oldest, DUCT_EMPTY));
	CHECK(counts(newest, 20, 0, 14, 6) && reads(newest, 0, 5) && then(newest, DUCT_EMPTY));
	CHECK(counts(latest, 20, 0, 19, 1) && reads(latest, 19, 19) && then(latest, DUCT_EMPTY));
	CHECK(counts(cut, 7, 0, 1, 6) && reads(cut, 0, 5) && then(cut, DUCT_CLOSED));
	duct_receiver_free(wide);
	duct_receiver_free(oldest);
	duct_receiver_free(newest);
	duct_receiver_free(latest);
	duct_receiver_free(cut);
	crowd_free(&crowd);
}

/* Where a receiver blocks, a batch that runs out of time has sent what there was room for, the same to everybody. */
TEST(broadcast_many, that_runs_out_of_time_tells_how_many_went, 5)
{
	for (int way = 0; way < 3; way++) {
		struct crowd crowd = crowd_new(NULL);
		duct_receiver *three = crowd_join(&crowd, DUCT_BLOCK, 3), *wide = crowd_join(&crowd, DUCT_DROP_OLDEST, 30);
		duct_receiver *five = crowd_join(&crowd, DUCT_BLOCK, 5);
		size_t sent = 77;
		duct_time deadline = way == 0 ? 0 : duct_after_ms(3);

		if (way == 2) {
			CHECK(sends(crowd.tx, 100, 102));
			CHECK_STATUS(duct_send_many(crowd.tx, numbers, 20, &sent, 0, NULL), DUCT_TIMEDOUT);
			CHECK(sent == 0 && reads(three, 100, 102) && reads(wide, 100, 102) && reads(five, 100, 102));
		}
		CHECK_STATUS(duct_send_many(crowd.tx, numbers, 20, &sent, deadline, NULL), DUCT_TIMEDOUT);
		CHECK(sent == 3);
		CHECK(reads(three, 0, 2) && reads(five, 0, 2) && reads(wide, 0, 2));
		CHECK(then(three, DUCT_EMPTY) && then(five, DUCT_EMPTY) && then(wide, DUCT_EMPTY));
		duct_receiver_free(three);
		duct_receiver_free(wide);
		duct_receiver_free(five);
		crowd_free(&crowd);
	}
}

struct sending {
	duct_sender *tx;
	size_t sent;
	duct_status status;
	pthread_t thread;
};

static void *send_twenty(void *argument)
{
	struct sending *self = argument;

	self->status = duct_send_many(self->tx, numbers, 20, &self->sent, DUCT_FOREVER, NULL);
	return NULL;
}

/* A batch of more than the receivers have room for goes on as they read, in order. */
TEST(broadcast_many, goes_on_as_room_comes, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *one = crowd_join(&crowd, DUCT_BLOCK, 1), *four = crowd_join(&crowd, DUCT_BLOCK, 4);
	struct sending sending = { .tx = crowd.tx };
	int message;

	sending.thread = test_start(send_twenty, &sending);
	for (int n = 0; n < 20; n++) {
		CHECK_STATUS(duct_recv(four, &message), DUCT_OK);
		CHECK(message == n);
		CHECK_STATUS(duct_recv(one, &message), DUCT_OK);
		CHECK(message == n);
	}
	test_join(sending.thread);
	CHECK(sending.status == DUCT_OK && sending.sent == 20 && then(one, DUCT_EMPTY) && then(four, DUCT_EMPTY));
	duct_receiver_free(one);
	duct_receiver_free(four);
	crowd_free(&crowd);
}

enum { BATCHES = 1500 };

struct batches {
	duct_sender *tx;
	atomic_int *started;
	int number;
	pthread_t thread;
};

static void *send_batches(void *argument)
{
	struct batches *self = argument;
	int batch[10];

	for (int n = 0; n < 10; n++)
		batch[n] = self->number * 10 + n;
	atomic_fetch_add(self->started, 1);
	test_spin_until(self->started, 3);
	for (int round = 0; round < BATCHES; round++)
		CHECK_STATUS(duct_send_many(self->tx, batch, 10, NULL, DUCT_FOREVER, NULL), DUCT_OK);
	return NULL;
}

/* Where there is room a batch is published together: what other threads send does not come between. */
TEST(broadcast_many, goes_in_one_piece_where_there_is_room, 10)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx[2] = { crowd_join(&crowd, DUCT_BLOCK, 30 * BATCHES),
		crowd_join(&crowd, DUCT_DROP_OLDEST, 30 * BATCHES) };
	struct batches batches[3];
	atomic_int started = 0;
	int in[10];

	for (int b = 0; b < 3; b++) {
		batches[b] = (struct batches){ .tx = crowd.tx, .started = &started, .number = b };
		batches[b].thread = test_start(send_batches, &batches[b]);
	}
	for (int b = 0; b < 3; b++)
		test_join(batches[b].thread);
	for (int r = 0; r < 2; r++) {
		for (int n = 0; n < 3 * BATCHES; n++) {
			CHECK_STATUS(duct_recv_many(rx[r], in, 10, 10, NULL, 0, NULL), DUCT_OK);
			for (int i = 0; i < 10; i++)
				CHECK(in[i] == in[0] + i);
		}
		CHECK(then(rx[r], DUCT_EMPTY));
		duct_receiver_free(rx[r]);
	}
	crowd_free(&crowd);
}

/* And so it is on the way of one thread: all that a full receiver has room for, before it reads. */
TEST(broadcast_many, fills_all_the_room_there_is, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join(&crowd, DUCT_BLOCK, 7);
	size_t sent = 77;

	CHECK(sends(crowd.tx, 0, 1) && reads(rx, 0, 0));
	CHECK_STATUS(duct_send_many(crowd.tx, numbers + 2, 18, &sent, 0, NULL), DUCT_TIMEDOUT);
	CHECK(sent == 6 && reads(rx, 1, 4));
	CHECK_STATUS(duct_send_many(crowd.tx, numbers + 8, 12, &sent, 0, NULL), DUCT_TIMEDOUT);
	CHECK(sent == 4 && reads(rx, 5, 11) && then(rx, DUCT_EMPTY));
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* A close in the middle of a batch: what was sent was sent to all, the rest to nobody. */
TEST(broadcast_many, is_ended_by_a_close, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *two = crowd_join(&crowd, DUCT_BLOCK, 2), *wide = crowd_join(&crowd, DUCT_DROP_OLDEST, 30);
	struct sending sending = { .tx = crowd.tx };

	sending.thread = test_start(send_twenty, &sending);
	AWAIT(duct_channel_waiting_senders(crowd.channel) == 1);
	CHECK(reads(two, 0, 0));
	AWAIT(duct_receiver_len(wide) == 3 && duct_channel_waiting_senders(crowd.channel) == 1);
	duct_channel_close(crowd.channel, 0);
	test_join(sending.thread);
	CHECK(sending.status == DUCT_CLOSED && sending.sent == 3);
	CHECK(reads(two, 1, 2) && then(two, DUCT_CLOSED) && reads(wide, 0, 2) && then(wide, DUCT_CLOSED));
	duct_receiver_free(two);
	duct_receiver_free(wide);
	crowd_free(&crowd);
}

/* A receiver takes a batch as it takes one: at least so many, at most so many, and what it has where it ends. */
TEST(broadcast_many, receives_between_min_and_max, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 10);
	int in[20];
	size_t received = 77;

	CHECK_STATUS(duct_recv_many(rx, in, 0, 20, &received, 0, NULL), DUCT_EMPTY);
	CHECK(received == 0 && sends(crowd.tx, 0, 9));
	CHECK_STATUS(duct_recv_many(rx, in, 0, 3, &received, 0, NULL), DUCT_OK);
	CHECK(received == 3 && memcmp(in, numbers, sizeof(int) * 3) == 0);
	CHECK_STATUS(duct_recv_many(rx, in, 2, 20, &received, 0, NULL), DUCT_OK);
	CHECK(received == 7 && memcmp(in, numbers + 3, sizeof(int) * 7) == 0);
	CHECK(sends(crowd.tx, 0, 1));
	CHECK_STATUS(duct_recv_many(rx, in, 5, 20, &received, 0, NULL), DUCT_TIMEDOUT);
	CHECK(received == 2 && in[0] == 0 && in[1] == 1);
	CHECK(sends(crowd.tx, 5, 5));
	duct_channel_close(crowd.channel, 0);
	CHECK_STATUS(duct_recv_many(rx, in, 5, 20, &received, DUCT_FOREVER, NULL), DUCT_CLOSED);
	CHECK(received == 1 && in[0] == 5 && counts(rx, 13, 13, 0, 0));
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* ---- Select ------------------------------------------------------------------------------------------------------------ */

/* A select performs a receive or a send on a broadcast, whichever is ready, and the send reaches all. */
TEST(broadcast_select, performs_sends_and_receives, 5)
{
	struct crowd in = crowd_new(NULL), out = crowd_new(NULL);
	duct_receiver *rx = crowd_join(&in, DUCT_DROP_OLDEST, 3);
	duct_receiver *block = crowd_join(&out, DUCT_BLOCK, 1), *drop = crowd_join(&out, DUCT_DROP_OLDEST, 3);
	int received = 0, message = 8;
	duct_case cases[] = { DUCT_RECV(rx, &received), DUCT_SEND(out.tx, &message) };
	size_t chosen = 77;

	CHECK_STATUS(duct_try_select(cases, 2, &chosen), DUCT_OK);
	CHECK(chosen == 1 && cases[1].status == DUCT_OK && duct_receiver_len(block) == 1 && duct_receiver_len(drop) == 1);
	CHECK_STATUS(duct_try_select(cases, 2, &chosen), DUCT_EMPTY);
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, 0, duct_after_ms(2), NULL), DUCT_TIMEDOUT);
	CHECK(sends(in.tx, 4, 4));
	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	CHECK(chosen == 0 && received == 4);
	/* What lost reached nobody. */
	CHECK(reads(block, 8, 8) && then(block, DUCT_EMPTY) && reads(drop, 8, 8) && then(drop, DUCT_EMPTY));
	duct_receiver_free(rx);
	duct_receiver_free(block);
	duct_receiver_free(drop);
	crowd_free(&in);
	crowd_free(&out);
}

struct choosing {
	duct_case *cases;
	size_t count, chosen;
	duct_status status;
	pthread_t thread;
};

static void *choose(void *argument)
{
	struct choosing *self = argument;

	self->status = duct_select(self->cases, self->count, &self->chosen);
	return NULL;
}

/* A select asleep in a send to a full broadcast goes on when there is room; if another case wins, nobody got the message. */
TEST(broadcast_select, that_sleeps_sends_to_all_or_to_none, 5)
{
	for (int loses = 0; loses < 2; loses++) {
		struct crowd in = crowd_new(NULL), out = crowd_new(NULL);
		duct_receiver *rx = crowd_join(&in, DUCT_DROP_OLDEST, 3);
		duct_receiver *block = crowd_join(&out, DUCT_BLOCK, 1), *drop = crowd_join(&out, DUCT_DROP_OLDEST, 3);
		int received = 0, message = 8;
		duct_case cases[] = { DUCT_RECV(rx, &received), DUCT_SEND(out.tx, &message) };
		struct choosing choosing = { .cases = cases, .count = 2 };

		CHECK(sends(out.tx, 1, 1));
		choosing.thread = test_start(choose, &choosing);
		AWAIT(duct_channel_waiting_senders(out.channel) == 1);
		if (loses)
			CHECK(sends(in.tx, 4, 4));
		else
			CHECK(reads(block, 1, 1));
		test_join(choosing.thread);
		CHECK(choosing.status == DUCT_OK && choosing.chosen == (loses ? 0 : 1) &&
		      cases[choosing.chosen].status == DUCT_OK);
		CHECK(duct_channel_waiting_senders(out.channel) == 0 && duct_channel_waiting_receivers(in.channel) == 0);
		if (loses)
			CHECK(received == 4 && reads(block, 1, 1));
		else
			CHECK(reads(block, 8, 8) && received == 0);
		CHECK(then(block, DUCT_EMPTY) && reads(drop, 1, 1));
		CHECK((loses || reads(drop, 8, 8)) && then(drop, DUCT_EMPTY));
		duct_receiver_free(rx);
		duct_receiver_free(block);
		duct_receiver_free(drop);
		crowd_free(&in);
		crowd_free(&out);
	}
}

/* A select never meets itself, though a send and a receive of one broadcast are in it: it sends, then it receives. */
TEST(broadcast_select, may_have_both_directions_of_one_channel, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join(&crowd, DUCT_BLOCK, 1), *other = crowd_join(&crowd, DUCT_DROP_OLDEST, 9);
	int received = 0;
	duct_case cases[] = { DUCT_RECV(rx, &received), DUCT_SEND(crowd.tx, NULL) };
	size_t chosen = 77;

	for (int n = 1; n <= 4; n++) {
		cases[1].message = &n;
		CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
		CHECK(chosen == 1 && duct_receiver_len(rx) == 1);
		CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
		CHECK(chosen == 0 && received == n);
	}
	CHECK(reads(other, 1, 4) && then(other, DUCT_EMPTY));
	duct_receiver_free(rx);
	duct_receiver_free(other);
	crowd_free(&crowd);
}

/* With priority the first ready case is taken, receivers of a broadcast as well as sends to one. */
TEST(broadcast_select, by_priority_takes_the_first_that_is_ready, 5)
{
	struct crowd crowd = crowd_new(NULL), other = crowd_new(NULL);
	duct_receiver *one = crowd_join(&crowd, DUCT_BLOCK, 5), *two = crowd_join(&crowd, DUCT_DROP_OLDEST, 5);
	duct_receiver *full = crowd_join(&other, DUCT_BLOCK, 1);
	int in[2] = { 0, 0 }, out = 9;
	duct_case cases[] = { DUCT_SEND(other.tx, &out), DUCT_RECV(two, &in[1]), DUCT_RECV(one, &in[0]) };
	size_t chosen;

	CHECK(sends(other.tx, 1, 1) && sends(crowd.tx, 1, 3));
	for (int n = 1; n <= 3; n++) {
		CHECK_STATUS(duct_select_until(cases, 3, &chosen, DUCT_PRIORITY, DUCT_FOREVER, NULL), DUCT_OK);
		CHECK(chosen == 1 && in[1] == n);
	}
	CHECK_STATUS(duct_select_until(cases, 3, &chosen, DUCT_PRIORITY, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(chosen == 2 && in[0] == 1 && reads(full, 1, 1));
	CHECK_STATUS(duct_select_until(cases, 3, &chosen, DUCT_PRIORITY, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(chosen == 0 && reads(full, 9, 9) && reads(one, 2, 3));
	duct_receiver_free(one);
	duct_receiver_free(two);
	duct_receiver_free(full);
	crowd_free(&crowd);
	crowd_free(&other);
}

/* Asked for what is ready, a select tells and does nothing. */
TEST(broadcast_select, for_readiness_moves_nothing, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join(&crowd, DUCT_BLOCK, 1);
	duct_case cases[] = { DUCT_RECV(rx, NULL), DUCT_SEND(crowd.tx, NULL) };
	size_t chosen = 77;

	for (int again = 0; again < 3; again++) {
		CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_READY, DUCT_FOREVER, NULL), DUCT_OK);
		CHECK(chosen == 1 && duct_receiver_len(rx) == 0);
	}
	CHECK(sends(crowd.tx, 1, 1));
	for (int again = 0; again < 3; again++) {
		CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_READY | DUCT_PRIORITY, DUCT_FOREVER, NULL), DUCT_OK);
		CHECK(chosen == 0 && duct_receiver_len(rx) == 1);
	}
	CHECK(reads(rx, 1, 1) && counts(rx, 1, 1, 0, 0));
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* A case tells its end once: the receiver's own, the channel's, the sender's; then it is left out. */
TEST(broadcast_select, tells_each_end_once, 5)
{
	struct crowd crowd = crowd_new(NULL), other = crowd_new(NULL);
	duct_receiver *left = crowd_join(&crowd, DUCT_BLOCK, 5), *stays = crowd_join(&crowd, DUCT_BLOCK, 5);
	int in = 0, out = 5;
	duct_case cases[] = { DUCT_RECV(left, &in), DUCT_SEND(other.tx, &out), DUCT_RECV(stays, &in) };
	size_t chosen = 77;

	CHECK(sends(crowd.tx, 1, 1));
	duct_receiver_close(left);
	duct_channel_close(other.channel, 0);
	CHECK_STATUS(duct_select_until(cases, 3, &chosen, DUCT_PRIORITY, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(chosen == 0 && cases[0].status == DUCT_OK && in == 1);
	CHECK_STATUS(duct_select_until(cases, 3, &chosen, DUCT_PRIORITY, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(chosen == 0 && cases[0].status == DUCT_CLOSED);
	CHECK_STATUS(duct_select_until(cases, 3, &chosen, DUCT_PRIORITY, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(chosen == 1 && cases[1].status == DUCT_CLOSED);
	CHECK_STATUS(duct_select(cases, 3, &chosen), DUCT_OK);
	CHECK(chosen == 2 && cases[2].status == DUCT_OK);
	duct_channel_close(crowd.channel, 0);
	CHECK_STATUS(duct_select(cases, 3, &chosen), DUCT_OK);
	CHECK(chosen == 2 && cases[2].status == DUCT_CLOSED);
	CHECK_STATUS(duct_select(cases, 3, &chosen), DUCT_CLOSED);
	duct_receiver_free(left);
	duct_receiver_free(stays);
	crowd_free(&crowd);
	crowd_free(&other);
}

/* Many cases of many broadcasts, more than need no memory: each message is found where it is. */
TEST(broadcast_select, over_forty_receivers_finds_the_message, 5)
{
	struct crowd crowd[8];
	duct_receiver *rx[40];
	duct_case cases[40];
	int in[40];
	size_t chosen;

	for (int c = 0; c < 8; c++)
		crowd[c] = crowd_new(NULL);
	for (int r = 0; r < 40; r++) {
		rx[r] = crowd_join(&crowd[r % 8], DUCT_DROP_OLDEST, 2);
		cases[r] = duct_recv_case(rx[r], &in[r]);
	}
	for (int c = 0; c < 8; c++) {
		bool seen[5] = { false };

		CHECK(sends(crowd[c].tx, 100 + c, 100 + c));
		for (int n = 0; n < 5; n++) {
			CHECK_STATUS(duct_select(cases, 40, &chosen), DUCT_OK);
			CHECK(chosen % 8 == (size_t)c && in[chosen] == 100 + c && !seen[chosen / 8]);
			seen[chosen / 8] = true;
		}
		CHECK_STATUS(duct_try_select(cases, 40, &chosen), DUCT_EMPTY);
	}
	for (int r = 0; r < 40; r++)
		duct_receiver_free(rx[r]);
	for (int c = 0; c < 8; c++)
		crowd_free(&crowd[c]);
}

/* ---- Memory ------------------------------------------------------------------------------------------------------------ */

struct account {
	atomic_int taken, given;
};

static void *take(size_t size, void *context)
{
	atomic_fetch_add(&((struct account *)context)->taken, 1);
	return malloc(size);
}

static void give(void *memory, void *context)
{
	atomic_fetch_add(&((struct account *)context)->given, 1);
	free(memory);
}

/* All that an allocator gave comes back to it, when the last of channel, ends and peekables is gone, in whatever order. */
TEST(broadcast_memory, comes_back_to_the_allocator, 5)
{
	for (int order = 0; order < 3; order++) {
		struct account account = { 0, 0 };
		const duct_allocator allocator = { take, give, &account };
		struct crowd crowd =
		    crowd_new(DUCT_OPTIONS(.allocator = &allocator, .replay = 4, .name = "a rather long name"));
		duct_receiver *one = crowd_join(&crowd, DUCT_DROP_OLDEST, 3), *other = crowd_join(&crowd, DUCT_LATEST_ONLY, 1);
		duct_peekable *peekable;

		CHECK_STATUS(duct_peekable_new(crowd.channel, &peekable), DUCT_OK);
		CHECK(sends(crowd.tx, 1, 10));
		CHECK_STATUS(duct_channel_set_replay(crowd.channel, 9), DUCT_OK);
		CHECK(sends(crowd.tx, 1, 10));
		if (order == 0)
			crowd_free(&crowd);
		duct_receiver_free(one);
		if (order == 1)
			crowd_free(&crowd);
		duct_peekable_free(peekable);
		CHECK(atomic_load(&account.taken) > atomic_load(&account.given));
		duct_receiver_free(other);
		if (order == 2)
			crowd_free(&crowd);
		CHECK(atomic_load(&account.taken) > 3 && atomic_load(&account.taken) == atomic_load(&account.given));
	}
}

/* Where there is no hook, sends and receives ask for no memory. */
TEST(broadcast_memory, is_not_asked_for_by_sends, 5)
{
	struct account account = { 0, 0 };
	const duct_allocator allocator = { take, give, &account };
	struct crowd crowd = crowd_new(DUCT_OPTIONS(.allocator = &allocator));
	duct_receiver *one = crowd_join(&crowd, DUCT_DROP_OLDEST, 3), *other = crowd_join(&crowd, DUCT_DROP_OLDEST, 100);
	int taken = atomic_load(&account.taken);

	CHECK(sends(crowd.tx, 1, 100) && reads(one, 98, 100) && reads(other, 1, 100));
	CHECK(atomic_load(&account.taken) == taken);
	duct_receiver_free(one);
	duct_receiver_free(other);
	crowd_free(&crowd);
}
