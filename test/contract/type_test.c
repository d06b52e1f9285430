/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * What the header makes in the caller's program: typed ends, handles that free themselves, options in place, for-each.
 */
#include "harness.h"

struct job {
	int id;
	char path[20];
};

DUCT_TYPE(jobs, struct job);
DUCT_TYPE(words, const char *);
DUCT_TYPE(ticks, unsigned char);

/* ---- Typed ends -------------------------------------------------------------------------------------------------------- */

/* Typed ends send and receive their type in every form, and are the plain handles underneath. */
TEST(type, moves_its_messages_in_every_form, 5)
{
	struct job out = { 1, "one" }, in = { 0, "" }, batch[3] = { { 2, "two" }, { 3, "three" }, { 4, "four" } };
	jobs_sender *tx = NULL;
	jobs_receiver *rx = NULL;
	size_t moved;

	CHECK_STATUS(jobs_open(&tx, &rx, 4, DUCT_OPTIONS(.name = "typed")), DUCT_OK);
	CHECK(duct_channel_message_size(duct_sender_channel(jobs_untyped_sender(tx))) == sizeof(struct job));
	CHECK(strcmp(duct_channel_name(duct_receiver_channel(jobs_untyped_receiver(rx))), "typed") == 0);
	CHECK_STATUS(jobs_try_recv(rx, &in), DUCT_EMPTY);
	CHECK_STATUS(jobs_send(tx, &out), DUCT_OK);
	CHECK_STATUS(jobs_try_send(tx, &(struct job){ 5, "five" }), DUCT_OK);
	CHECK_STATUS(jobs_recv(rx, &in), DUCT_OK);
	CHECK(in.id == 1 && strcmp(in.path, "one") == 0);
	CHECK_STATUS(jobs_receiver_wait(rx, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK_STATUS(jobs_try_recv(rx, &in), DUCT_OK);
	CHECK(in.id == 5);
	CHECK_STATUS(jobs_sender_wait(tx, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK_STATUS(jobs_send_many(tx, batch, 3, &moved, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(moved == 3);
	CHECK_STATUS(jobs_send_until(tx, &out, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK_STATUS(jobs_send_until(tx, &out, 0, NULL), DUCT_TIMEDOUT);
	memset(batch, 0, sizeof batch);
	CHECK_STATUS(jobs_recv_many(rx, batch, 3, 3, &moved, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(moved == 3 && batch[0].id == 2 && batch[2].id == 4 && strcmp(batch[1].path, "three") == 0);
	CHECK_STATUS(jobs_recv_until(rx, &in, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(in.id == 1);
	CHECK_STATUS(jobs_recv_until(rx, &in, 0, NULL), DUCT_TIMEDOUT);
	jobs_sender_free(tx);
	CHECK_STATUS(jobs_recv(rx, &in), DUCT_CLOSED);
	jobs_receiver_free(rx);
}

/* Typed channels, ends and clones are made, closed and freed like plain ones. */
TEST(type, has_channels_and_clones, 5)
{
	jobs_channel *channel = NULL, *channel_clone = NULL;
	jobs_sender *tx = NULL, *tx_clone = NULL;
	jobs_receiver *rx = NULL, *rx_clone = NULL;
	struct job job = { 9, "nine" };

	CHECK_STATUS(jobs_anycast_new(&channel, 2, NULL), DUCT_OK);
	CHECK_STATUS(jobs_channel_clone(channel, &channel_clone), DUCT_OK);
	CHECK_STATUS(jobs_sender_new(channel, &tx), DUCT_OK);
	CHECK_STATUS(jobs_receiver_new(channel, &rx), DUCT_OK);
	CHECK_STATUS(jobs_sender_clone(tx, &tx_clone), DUCT_OK);
	CHECK_STATUS(jobs_receiver_clone(rx, &rx_clone), DUCT_OK);
	CHECK(duct_channel_senders(jobs_untyped_channel(channel)) == 2);
	CHECK(duct_channel_receivers(jobs_untyped_channel(channel_clone)) == 2);
	jobs_sender_close(tx);
	CHECK_STATUS(jobs_send(tx, &job), DUCT_CLOSED);
	CHECK_STATUS(jobs_send(tx_clone, &job), DUCT_OK);
	jobs_receiver_close(rx);
	CHECK_STATUS(jobs_recv(rx, &job), DUCT_CLOSED);
	CHECK_STATUS(jobs_recv(rx_clone, &job), DUCT_OK);
	jobs_sender_free(tx);
	jobs_sender_free(tx_clone);
	jobs_receiver_free(rx);
	jobs_receiver_free(rx_clone);
	jobs_channel_free(channel);
	jobs_channel_free(channel_clone);
}

/* A typed broadcast: the same ends, a subscription from the channel and from a sender, a receipt. */
TEST(type, has_broadcasts, 5)
{
	jobs_channel *channel = NULL;
	jobs_sender *tx = NULL;
	jobs_receiver *rx[4] = { NULL, NULL, NULL, NULL };
	struct job in = { 0, "" }, batch[2] = { { 2, "two" }, { 3, "three" } };
	duct_receipt receipt = { 77, 77 };

	CHECK_STATUS(jobs_broadcast_new(&channel, DUCT_OPTIONS(.name = "typed", .replay = 1)), DUCT_OK);
	CHECK(duct_channel_message_size(jobs_untyped_channel(channel)) == sizeof(struct job));
	CHECK_STATUS(jobs_sender_new(channel, &tx), DUCT_OK);
	CHECK_STATUS(jobs_receiver_new(channel, &rx[0]), DUCT_OK);
	CHECK_STATUS(jobs_subscribe(channel, &rx[1], DUCT_SUBSCRIPTION(.capacity = 1, .name = "one")), DUCT_OK);
	CHECK_STATUS(jobs_publish(tx, &(struct job){ 1, "one" }, &receipt, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(receipt.delivered == 2 && receipt.lost == 0);
	CHECK_STATUS(jobs_sender_subscribe(tx, &rx[2], DUCT_SUBSCRIPTION(.overflow = DUCT_LATEST_ONLY)), DUCT_OK);
	CHECK_STATUS(jobs_receiver_clone(rx[1], &rx[3]), DUCT_OK);
	CHECK_STATUS(jobs_send_many(tx, batch, 2, NULL, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(strcmp(duct_receiver_name(jobs_untyped_receiver(rx[1])), "one") == 0);
	for (int r = 3; r >= 0; r--) {
		CHECK_STATUS(jobs_recv(rx[r], &in), DUCT_OK);
		CHECK(r == 0 ? in.id == 1 && strcmp(in.path, "one") == 0 : in.id == 3 && strcmp(in.path, "three") == 0);
		jobs_receiver_free(rx[r]);
	}
	jobs_sender_free(tx);
	jobs_channel_free(channel);
}

/* The pair form of it, which closes with its last sender. */
TEST(type, has_broadcast_pairs, 5)
{
	words_sender *tx = NULL;
	words_receiver *rx = NULL, *other = NULL;
	const char *hello = "hello", *word = NULL;

	CHECK_STATUS(words_broadcast_open(&tx, &rx, DUCT_SUBSCRIPTION(.capacity = 2), NULL), DUCT_OK);
	CHECK_STATUS(words_sender_subscribe(tx, &other, NULL), DUCT_OK);
	CHECK(duct_receiver_capacity(words_untyped_receiver(rx)) == 2);
	CHECK_STATUS(words_send(tx, &hello), DUCT_OK);
	words_sender_free(tx);
	CHECK_STATUS(words_recv(rx, &word), DUCT_OK);
	CHECK(word == hello);
	CHECK_STATUS(words_recv(rx, &word), DUCT_CLOSED);
	CHECK_STATUS(words_recv(other, &word), DUCT_OK);
	words_receiver_free(rx);
	words_receiver_free(other);
}

/* A one-shot of a type, which closes with its message. */
TEST(type, has_oneshots, 5)
{
	words_sender *tx = NULL;
	words_receiver *rx = NULL;
	const char *hello = "hello", *word = NULL;

	CHECK_STATUS(words_oneshot_open(&tx, &rx, DUCT_OPTIONS(.name = "answer")), DUCT_OK);
	CHECK(strcmp(duct_receiver_name(words_untyped_receiver(rx)), "answer") == 0);
	CHECK(duct_channel_message_size(duct_sender_channel(words_untyped_sender(tx))) == sizeof(const char *));
	CHECK_STATUS(words_send(tx, &hello), DUCT_OK);
	CHECK_STATUS(words_send(tx, &hello), DUCT_CLOSED);
	CHECK_STATUS(words_recv(rx, &word), DUCT_OK);
	CHECK(word == hello);
	CHECK_STATUS(words_recv(rx, &word), DUCT_CLOSED);
	words_sender_free(tx);
	words_receiver_free(rx);
}

/* Typed ends make cases for a select. */
TEST(type, makes_cases_for_select, 5)
{
	jobs_sender *jobs_tx = NULL;
	jobs_receiver *jobs_rx = NULL;
	words_sender *words_tx = NULL;
	words_receiver *words_rx = NULL;
	struct job job = { 3, "three" };
	const char *word = NULL, *hello = "hello";
	duct_case cases[2];
	size_t chosen = 77;

	CHECK_STATUS(jobs_open(&jobs_tx, &jobs_rx, 1, NULL), DUCT_OK);
	CHECK_STATUS(words_open(&words_tx, &words_rx, 1, NULL), DUCT_OK);
	cases[0] = jobs_send_case(jobs_tx, &job);
	cases[1] = words_recv_case(words_rx, &word);
	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	CHECK(chosen == 0 && cases[0].status == DUCT_OK);
	CHECK_STATUS(duct_try_select(cases, 2, &chosen), DUCT_EMPTY);
	CHECK_STATUS(words_send(words_tx, &hello), DUCT_OK);
	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	CHECK(chosen == 1 && word == hello);
	job.id = 0;
	CHECK_STATUS(jobs_recv(jobs_rx, &job), DUCT_OK);
	CHECK(job.id == 3);
	jobs_sender_free(jobs_tx);
	jobs_receiver_free(jobs_rx);
	words_sender_free(words_tx);
	words_receiver_free(words_rx);
}

/* A type that cannot be asked for is refused like a plain one: NULL handles, and nothing is written. */
TEST(type, refuses_what_the_plain_calls_refuse, 5)
{
	ticks_sender *tx = NULL, **volatile no_sender = NULL;
	ticks_receiver *rx = NULL, **volatile no_receiver = NULL;
	ticks_channel **volatile no_channel = NULL;
	unsigned char tick = 1;

	CHECK_STATUS(ticks_open(no_sender, &rx, 1, NULL), DUCT_INVALID);
	CHECK_STATUS(ticks_open(&tx, no_receiver, 1, NULL), DUCT_INVALID);
	CHECK_STATUS(ticks_oneshot_open(no_sender, &rx, NULL), DUCT_INVALID);
	CHECK_STATUS(ticks_oneshot_open(&tx, no_receiver, NULL), DUCT_INVALID);
	CHECK_STATUS(ticks_anycast_new(no_channel, 1, NULL), DUCT_INVALID);
	CHECK_STATUS(ticks_broadcast_new(no_channel, NULL), DUCT_INVALID);
	CHECK_STATUS(ticks_broadcast_open(no_sender, &rx, NULL, NULL), DUCT_INVALID);
	CHECK_STATUS(ticks_broadcast_open(&tx, no_receiver, NULL, NULL), DUCT_INVALID);
	CHECK_STATUS(ticks_subscribe(NULL, &rx, NULL), DUCT_INVALID);
	CHECK_STATUS(ticks_sender_subscribe(NULL, &rx, NULL), DUCT_INVALID);
	CHECK_STATUS(ticks_publish(NULL, &tick, NULL, DUCT_FOREVER, NULL), DUCT_INVALID);
	CHECK_STATUS(ticks_send(NULL, &tick), DUCT_INVALID);
	CHECK_STATUS(ticks_recv(NULL, &tick), DUCT_INVALID);
	CHECK_STATUS(ticks_sender_new(NULL, &tx), DUCT_INVALID);
	CHECK_STATUS(ticks_receiver_new(NULL, &rx), DUCT_INVALID);
	CHECK_STATUS(ticks_sender_clone(NULL, &tx), DUCT_INVALID);
	CHECK_STATUS(ticks_receiver_clone(NULL, &rx), DUCT_INVALID);
	CHECK(tx == NULL && rx == NULL);
	CHECK_STATUS(ticks_open(&tx, &rx, 1, NULL), DUCT_OK);
	CHECK_STATUS(ticks_sender_clone(tx, no_sender), DUCT_INVALID);
	CHECK_STATUS(ticks_receiver_clone(rx, no_receiver), DUCT_INVALID);
	CHECK_STATUS(ticks_sender_subscribe(tx, no_receiver, NULL), DUCT_INVALID);
	CHECK_STATUS(ticks_sender_subscribe(tx, &rx, NULL), DUCT_UNSUPPORTED);
	ticks_sender_free(NULL);
	ticks_sender_free(tx);
	ticks_receiver_free(rx);
}

/* ---- Helpers ----------------------------------------------------------------------------------------------------------- */

static void count_drop(void *message, void *context)
{
	(void)message;
	++*(int *)context;
}

static const void *whole_int(const void *message, size_t *size, void *context)
{
	(void)context;
	*size = sizeof(int);
	return message;
}

/* Handles marked to free themselves do so where their scope is left, on an early way out too, and stand NULL. */
static int leave_early(int *drops, bool early)
{
	DUCT_AUTO_CANCEL duct_cancel *cancel = NULL;
	DUCT_AUTO_CHANNEL duct_channel *channel = NULL;
	DUCT_AUTO_SENDER duct_sender *tx = NULL;
	DUCT_AUTO_RECEIVER duct_receiver *rx = NULL;

	CHECK_STATUS(duct_anycast_new(&channel, sizeof(int), 4, DUCT_OPTIONS(.drop = count_drop, .context = drops)), DUCT_OK);
	CHECK_STATUS(duct_sender_new(channel, &tx), DUCT_OK);
	CHECK_STATUS(duct_send(tx, &(int){ 1 }), DUCT_OK);
	if (early)
		return 1;
	CHECK_STATUS(duct_receiver_new(channel, &rx), DUCT_OK);
	CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
	CHECK_STATUS(duct_send_until(tx, &(int){ 2 }, DUCT_FOREVER, cancel), DUCT_OK);
	return 2;
}

/* What the handles that went out of scope held has been dropped. */
TEST(auto_handles, are_freed_with_their_scope, 5)
{
	int drops = 0;

	CHECK(leave_early(&drops, true) == 1);
	CHECK(drops == 1);
	CHECK(leave_early(&drops, false) == 2);
	CHECK(drops == 3);
}

/* So do those of a broadcast. */
TEST(auto_handles, of_a_broadcast_are_freed_with_their_scope, 5)
{
	int drops = 0;
	duct_receiver *fed;

	{
		DUCT_AUTO_CHANNEL duct_channel *channel = NULL;
		DUCT_AUTO_SENDER duct_sender *tx = NULL;
		DUCT_AUTO_PEEKABLE duct_peekable *peekable = NULL;
		DUCT_AUTO_LATEST duct_latest *latest = NULL;
		DUCT_AUTO_CACHE duct_cache *cache = NULL;
		DUCT_AUTO_BOX duct_box *box = NULL;

		CHECK_STATUS(
		    duct_broadcast_new(&channel, sizeof(int), DUCT_OPTIONS(.drop = count_drop, .context = &drops)), DUCT_OK);
		CHECK_STATUS(duct_sender_new(channel, &tx), DUCT_OK);
		CHECK_STATUS(duct_peekable_new(channel, &peekable), DUCT_OK);
		CHECK_STATUS(duct_subscribe(channel, &fed, NULL), DUCT_OK);
		CHECK_STATUS(duct_latest_new(&latest, fed), DUCT_OK);
		CHECK_STATUS(duct_subscribe(channel, &fed, NULL), DUCT_OK);
		CHECK_STATUS(duct_cache_new(&cache, fed, whole_int, NULL), DUCT_OK);
		CHECK_STATUS(duct_box_new(&box, 1, count_drop, &drops), DUCT_OK);
		CHECK_STATUS(duct_send(tx, &(int){ 1 }), DUCT_OK);
		CHECK(drops == 0);
	}
	CHECK(drops == 4); /* in three queues, and the box */
}

/* A clock too, and a timer by it: a sanitizer sees what would be left. */
TEST(auto_handles, of_timers_are_freed_with_their_scope, 5)
{
	DUCT_AUTO_RECEIVER duct_receiver *timer = NULL;
	DUCT_AUTO_CLOCK duct_clock *clock = NULL, *none = NULL;

	CHECK_STATUS(duct_clock_new(&clock, 5), DUCT_OK);
	CHECK_STATUS(duct_timer_new(&timer, 1, DUCT_TIMER(.clock = clock)), DUCT_OK);
	CHECK(duct_clock_now(clock) == 5 && none == NULL);
}

/* A scope that is left closes the channel for the other side. */
TEST(auto_handles, close_what_they_end, 5)
{
	duct_receiver *rx;
	int message;

	{
		DUCT_AUTO_SENDER duct_sender *tx = NULL;

		CHECK_STATUS(duct_anycast_open(&tx, &rx, sizeof(int), 1, NULL), DUCT_OK);
		CHECK_STATUS(duct_send(tx, &(int){ 8 }), DUCT_OK);
	}
	CHECK_STATUS(duct_recv(rx, &message), DUCT_OK);
	CHECK(message == 8);
	CHECK_STATUS(duct_recv(rx, &message), DUCT_CLOSED);
	duct_receiver_free(rx);
}

/* The loop over a receiver's messages ends when it is closed, by anybody and from inside. */
TEST(for_each, ends_with_closed, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 5);
	int message, sum = 0;

	for (int n = 1; n <= 5; n++)
		CHECK_STATUS(duct_send(pair.tx, &n), DUCT_OK);
	DUCT_FOR_EACH(pair.rx, &message) {
		sum += message;
		if (message == 3)
			duct_receiver_close(pair.rx);
	}
	CHECK(sum == 6);
	duct_receiver_free(pair.rx);
	CHECK_STATUS(duct_receiver_new(pair.channel, &pair.rx), DUCT_OK);
	duct_channel_close(pair.channel, 0);
	DUCT_FOR_EACH(pair.rx, &message)
		sum += message;
	CHECK(sum == 15);
	test_pair_free(&pair);
}

/* Options in place and options from the initializer set their size, and leave the rest at nothing. */
TEST(options, are_all_zeros_but_their_size, 5)
{
	const duct_options init = DUCT_OPTIONS_INIT, *placed = DUCT_OPTIONS(.name = NULL);

	CHECK(init.size == sizeof(duct_options) && placed->size == sizeof(duct_options));
	CHECK(init.name == NULL && init.drop == NULL && init.copy == NULL && init.log == NULL && init.log_interval == 0);
	CHECK(init.context == NULL && init.allocator == NULL);
	CHECK(placed->name == NULL && placed->drop == NULL && placed->copy == NULL && placed->log == NULL);
	CHECK(placed->log_interval == 0 && placed->context == NULL && placed->allocator == NULL);
	CHECK(init.replay == 0 && init.unheard == DUCT_UNHEARD_OK && placed->replay == 0 && placed->unheard == DUCT_UNHEARD_OK);
}

/* So do subscriptions. */
TEST(subscriptions, are_all_zeros_but_their_size, 5)
{
	const duct_subscription init = DUCT_SUBSCRIPTION_INIT, *placed = DUCT_SUBSCRIPTION(.name = NULL);

	CHECK(init.size == sizeof(duct_subscription) && placed->size == sizeof(duct_subscription));
	CHECK(init.name == NULL && init.capacity == 0 && init.overflow == DUCT_DROP_OLDEST && !init.tell_lag && !init.quiet);
	CHECK(placed->name == NULL && placed->capacity == 0 && placed->overflow == DUCT_DROP_OLDEST);
	CHECK(!placed->tell_lag && !placed->quiet);
}

/* And those of timers. */
TEST(timer_options, are_all_zeros_but_their_size, 5)
{
	const duct_timer_options init = DUCT_TIMER_OPTIONS_INIT, *placed = DUCT_TIMER(.name = NULL);
	const duct_timer_options *const both[] = { &init, placed };

	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		const duct_timer_options *options = both[i];

		CHECK(options->size == sizeof(duct_timer_options) && options->name == NULL && options->clock == NULL);
		CHECK(options->missed == DUCT_TRIGGER_ALL && options->tolerance == 0 && options->next == NULL);
		CHECK(options->context == NULL && options->start_at == 0 && options->start_delay == 0);
		CHECK(!options->tick_at_start && !options->tick_now && !options->start_later);
	}
}

/* A filter of typed messages is a typed receiver again. */
static bool any_number(const void *message, void *context)
{
	(void)message;
	(void)context;
	return true;
}

DUCT_TYPE(filtered, int);

TEST(type, comes_back_from_a_plain_handle, 5)
{
	filtered_sender *tx = NULL;
	filtered_receiver *rx = NULL;
	duct_receiver *plain = NULL;
	int number = 3;

	CHECK_STATUS(filtered_open(&tx, &rx, 2, NULL), DUCT_OK);
	CHECK_STATUS(duct_filter_new(&plain, filtered_untyped_receiver(rx), any_number, NULL, NULL), DUCT_OK);
	rx = filtered_typed_receiver(plain);
	CHECK_STATUS(filtered_send(filtered_typed_sender(filtered_untyped_sender(tx)), &number), DUCT_OK);
	number = 0;
	CHECK_STATUS(filtered_recv(rx, &number), DUCT_OK);
	CHECK(number == 3);
	filtered_receiver_free(rx);
	filtered_sender_free(tx);
}
