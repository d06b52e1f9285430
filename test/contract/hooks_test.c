/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The hooks of a channel: drop for messages nobody will receive, the allocator, and the log of senders that have to wait.
 */
#include "harness.h"

#include <stdatomic.h>
#include <stddef.h>

static const size_t capacities[] = { 0, 1, 2, 3, 100 };

/* ---- Drop -------------------------------------------------------------------------------------------------------------- */

enum { TICKETS = 20000 };

/* How often each message was dropped. */
struct dropped {
	atomic_int count;
	atomic_int times[TICKETS];
};

static void drop_ticket(void *message, void *context)
{
	struct dropped *dropped = context;
	int ticket;

	memcpy(&ticket, message, sizeof ticket);
	CHECK(ticket >= 0 && ticket < TICKETS);
	atomic_fetch_add(&dropped->times[ticket], 1);
	atomic_fetch_add(&dropped->count, 1);
}

/* Whether exactly the messages from first on, so many, were dropped, each one once. */
static bool dropped_exactly(struct dropped *dropped, int first, int count)
{
	for (int n = 0; n < TICKETS; n++) {
		if (atomic_load(&dropped->times[n]) != (n >= first && n < first + count))
			return false;
	}
	return atomic_load(&dropped->count) == count;
}

/* What is left over when the last handle goes is dropped, each message once; what was received is not. */
TEST(drop, gets_what_is_left_over, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		static struct dropped dropped;
		struct test_pair pair =
		    test_pair_with(sizeof(int), capacities[i], DUCT_OPTIONS(.drop = drop_ticket, .context = &dropped));
		int message, queued = test_fill(pair.tx), left = queued;

		for (; left > queued / 2; left--)
			CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
		CHECK(dropped_exactly(&dropped, 0, 0));
		test_pair_free(&pair);
		CHECK(dropped_exactly(&dropped, queued - left, left));
		memset(&dropped, 0, sizeof dropped);
	}
}

/* A send that failed keeps its message: refused, out of time, woken by the close or sent by a closed end, it is not dropped. */
TEST(drop, never_gets_what_was_not_sent, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		static struct dropped dropped;
		struct test_pair pair =
		    test_pair_with(sizeof(int), capacities[i], DUCT_OPTIONS(.drop = drop_ticket, .context = &dropped));
		int queued = test_fill(pair.tx), other = TICKETS - 1;
		struct test_call call;

		CHECK_STATUS(duct_try_send(pair.tx, &other), DUCT_FULL);
		CHECK_STATUS(duct_send_until(pair.tx, &other, 0, NULL), DUCT_TIMEDOUT);
		test_send_start(&call, pair.tx, other);
		AWAIT(duct_channel_waiting_senders(pair.channel) == 1);
		duct_channel_close(pair.channel, 0);
		CHECK_STATUS(test_call_end(&call), DUCT_CLOSED);
		CHECK_STATUS(duct_send(pair.tx, &other), DUCT_CLOSED);
		CHECK(dropped_exactly(&dropped, 0, 0));
		test_pair_free(&pair);
		CHECK(dropped_exactly(&dropped, 0, queued));
		memset(&dropped, 0, sizeof dropped);
	}
}

struct ticketing {
	struct test_pair pair;
	atomic_int next;
	atomic_int sent;
	atomic_int *received;
};

static void *send_tickets(void *argument)
{
	struct ticketing *ticketing = argument;
	int ticket;

	while ((ticket = atomic_fetch_add(&ticketing->next, 1)) < TICKETS) {
		if (duct_send(ticketing->pair.tx, &ticket) != DUCT_OK)
			return NULL;
		atomic_fetch_add(&ticketing->sent, 1);
	}
	return NULL;
}

static void *receive_tickets(void *argument)
{
	struct ticketing *ticketing = argument;
	int ticket;

	DUCT_FOR_EACH(ticketing->pair.rx, &ticket)
		atomic_fetch_add(&ticketing->received[ticket], 1);
	return NULL;
}

/* Whatever random moment ends the traffic, each message sent is received or dropped, once. */
TEST(drop, and_receives_account_for_every_message, 30)
{
	static struct dropped dropped;
	static atomic_int received[TICKETS];
	uint32_t seed = 12345;

	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		for (int round = 0; round < 4; round++) {
			const duct_options *options = DUCT_OPTIONS(.drop = drop_ticket, .context = &dropped);
			struct ticketing ticketing = { test_pair_with(sizeof(int), capacities[i], options),
				.received = received };
			int end = (int)(test_random(&seed) % 3000), taken = 0;
			pthread_t threads[4];

			for (int t = 0; t < 4; t++)
				threads[t] = test_start(t < 2 ? send_tickets : receive_tickets, &ticketing);
			AWAIT(atomic_load(&ticketing.sent) >= end);
			/* The receivers end first, so that messages are left over. */
			duct_receiver_close(ticketing.pair.rx);
			if (round % 2 == 0)
				CHECK_STATUS(duct_channel_discard(ticketing.pair.channel, NULL), DUCT_OK);
			for (int t = 0; t < 4; t++)
				test_join(threads[t]);
			test_pair_free(&ticketing.pair);
			for (int n = 0; n < TICKETS; n++) {
				CHECK(atomic_load(&received[n]) + atomic_load(&dropped.times[n]) <= 1);
				taken += atomic_load(&received[n]);
			}
			CHECK(taken + atomic_load(&dropped.count) == atomic_load(&ticketing.sent));
			memset(&dropped, 0, sizeof dropped);
			memset(received, 0, sizeof received);
		}
	}
}

/* What a message of that size must be aligned to, whatever its type: the size of a type is a multiple of its alignment. */
struct alignment {
	size_t needed;
	int drops;
};

static struct alignment alignment_of(size_t size)
{
	struct alignment alignment = { _Alignof(max_align_t), 0 };

	while (size % alignment.needed != 0)
		alignment.needed /= 2;
	return alignment;
}

static void check_alignment(void *message, void *context)
{
	struct alignment *alignment = context;

	CHECK((uintptr_t)message % alignment->needed == 0);
	alignment->drops++;
}

/* The hook sees its message where malloc could have placed it, whatever the size: by a discard and as a left-over. */
TEST(drop, sees_messages_aligned_for_any_type, 5)
{
	static const size_t sizes[] = { 1, 2, 3, 4, 7, 8, 16, 24, 40, 64, 100, 1000, 1024, 1025, 4096 };
	static const char message[4096];

	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		struct alignment alignment = alignment_of(sizes[s]);
		struct test_pair pair =
		    test_pair_with(sizes[s], 7, DUCT_OPTIONS(.drop = check_alignment, .context = &alignment));

		for (int n = 0; n < 7; n++)
			CHECK_STATUS(duct_send(pair.tx, message), DUCT_OK);
		CHECK_STATUS(duct_channel_discard(pair.channel, NULL), DUCT_OK);
		CHECK(alignment.drops == 7);
		for (int n = 0; n < 5; n++)
			CHECK_STATUS(duct_send(pair.tx, message), DUCT_OK);
		test_pair_free(&pair);
		CHECK(alignment.drops == 12);
	}
}

/* A channel that a drop hook uses from inside. */
struct inside {
	struct test_pair *pair;
	int drops;
};

static void use_the_channel(void *message, void *context)
{
	struct inside *inside = context;
	struct test_pair *pair = inside->pair;
	int number;
	char line[200];
	duct_sender *tx;

	memcpy(&number, message, sizeof number);
	inside->drops++;
	CHECK(duct_channel_len(pair->channel) <= duct_channel_capacity(pair->channel));
	CHECK(duct_channel_describe(pair->channel, line, sizeof line) > 0);
	CHECK_STATUS(duct_sender_clone(pair->tx, &tx), DUCT_OK);
	number += 10;
	CHECK_STATUS(duct_try_send(tx, &number), DUCT_OK);
	duct_sender_free(tx);
}

/* Two channels, the one's hook discarding the other in the middle of a handful. */
struct nested {
	duct_channel *inner;
	int outer_drops, inner_drops;
};

static void discard_the_inner(void *message, void *context)
{
	struct nested *nested = context;
	int number;

	memcpy(&number, message, sizeof number);
	CHECK(number == nested->outer_drops++);
	CHECK_STATUS(duct_channel_discard(nested->inner, NULL), DUCT_OK);
}

static void count_the_inner(void *message, void *context)
{
	struct nested *nested = context;
	int number;

	memcpy(&number, message, sizeof number);
	CHECK(number == nested->inner_drops++);
}

/* A hook may discard another channel: each message is dropped once, as it was sent. */
TEST(drop, may_discard_another_channel, 5)
{
	struct nested nested = { NULL, 0, 0 };
	struct test_pair outer = test_pair_with(sizeof(int), 4, DUCT_OPTIONS(.drop = discard_the_inner, .context = &nested));
	struct test_pair inner = test_pair_with(sizeof(int), 4, DUCT_OPTIONS(.drop = count_the_inner, .context = &nested));

	nested.inner = inner.channel;
	test_fill(outer.tx);
	test_fill(inner.tx);
	CHECK_STATUS(duct_channel_discard(outer.channel, NULL), DUCT_OK);
	CHECK(nested.outer_drops == 4 && nested.inner_drops == 4);
	test_pair_free(&outer);
	test_pair_free(&inner);
}

/* The hook may use the very channel it was called for: ask, clone, and send the message back changed. */
TEST(drop, may_use_the_channel, 5)
{
	struct test_pair pair;
	struct inside inside = { &pair, 0 };
	int message;

	pair = test_pair_with(sizeof(int), 4, DUCT_OPTIONS(.drop = use_the_channel, .context = &inside));
	test_fill(pair.tx);
	CHECK_STATUS(duct_channel_discard(pair.channel, NULL), DUCT_OK);
	CHECK(inside.drops == 4);
	for (int n = 0; n < 4; n++) {
		CHECK_STATUS(duct_try_recv(pair.rx, &message), DUCT_OK);
		CHECK(message >= 10 && message < 14);
	}
	CHECK_STATUS(duct_try_recv(pair.rx, &message), DUCT_EMPTY);
	test_pair_free(&pair);
}

static void free_receiver(void *message, void *context)
{
	duct_receiver *receiver;

	memcpy(&receiver, message, sizeof receiver);
	duct_receiver_free(receiver);
	++*(int *)context;
}

/* Receivers that travel in channels are freed by the hook, each by the hook of the channel before: 50 deep. */
TEST(drop, may_free_what_drops_the_next, 5)
{
	duct_sender *tx;
	duct_receiver *rx, *inner;
	int drops = 0;
	const duct_options *options = DUCT_OPTIONS(.drop = free_receiver, .context = &drops);

	CHECK_STATUS(duct_anycast_open(&tx, &rx, sizeof rx, 1, options), DUCT_OK);
	duct_sender_free(tx);
	for (int depth = 0; depth < 50; depth++) {
		inner = rx;
		CHECK_STATUS(duct_anycast_open(&tx, &rx, sizeof rx, 1, options), DUCT_OK);
		CHECK_STATUS(duct_send(tx, &inner), DUCT_OK);
		duct_sender_free(tx);
	}
	duct_receiver_free(rx);
	CHECK(drops == 50);
}

static void free_channel(void *message, void *context)
{
	duct_channel *channel;

	memcpy(&channel, message, sizeof channel);
	duct_channel_free(channel);
	++*(int *)context;
}

/* A channel that holds the last handle of itself lets go of it in a discard, by the hook. */
TEST(drop, may_free_the_last_handle_of_its_own_channel, 5)
{
	duct_channel *channel, *clone;
	duct_sender *tx;
	int drops = 0;
	const duct_options *options = DUCT_OPTIONS(.drop = free_channel, .context = &drops);

	CHECK_STATUS(duct_anycast_new(&channel, sizeof channel, 2, options), DUCT_OK);
	CHECK_STATUS(duct_sender_new(channel, &tx), DUCT_OK);
	CHECK_STATUS(duct_channel_clone(channel, &clone), DUCT_OK);
	CHECK_STATUS(duct_send(tx, &clone), DUCT_OK);
	CHECK_STATUS(duct_send(tx, &channel), DUCT_OK);
	CHECK_STATUS(duct_channel_discard(duct_sender_channel(tx), NULL), DUCT_OK);
	CHECK(drops == 2);
	duct_sender_free(tx);
}

/* A hook that stays in itself until another thread has used the channel. */
struct meeting {
	struct test_pair *pair;
	atomic_bool inside;
	atomic_bool used;
};

static void wait_for_the_other(void *message, void *context)
{
	struct meeting *meeting = context;

	(void)message;
	atomic_store(&meeting->inside, true);
	AWAIT(atomic_load(&meeting->used));
}

static void *use_meanwhile(void *argument)
{
	struct meeting *meeting = argument;
	duct_receiver *clone;
	int message;

	AWAIT(atomic_load(&meeting->inside));
	CHECK_STATUS(duct_send(meeting->pair->tx, &(int){ 5 }), DUCT_OK);
	CHECK_STATUS(duct_receiver_clone(meeting->pair->rx, &clone), DUCT_OK);
	CHECK_STATUS(duct_recv(clone, &message), DUCT_OK);
	CHECK(message == 5);
	CHECK_STATUS(duct_recv_until(clone, &message, duct_after_ms(1), NULL), DUCT_TIMEDOUT);
	duct_receiver_free(clone);
	atomic_store(&meeting->used, true);
	return NULL;
}

/* No lock is held during the hook: another thread uses the channel meanwhile. */
TEST(drop, runs_without_a_lock, 5)
{
	struct test_pair pair;
	struct meeting meeting = { &pair, false, false };
	pthread_t other;

	pair = test_pair_with(sizeof(int), 1, DUCT_OPTIONS(.drop = wait_for_the_other, .context = &meeting));
	CHECK_STATUS(duct_send(pair.tx, &(int){ 1 }), DUCT_OK);
	other = test_start(use_meanwhile, &meeting);
	CHECK_STATUS(duct_channel_discard(pair.channel, NULL), DUCT_OK);
	test_join(other);
	CHECK(atomic_load(&meeting.used));
	test_pair_free(&pair);
}

static int never_copy(void *to, const void *from, void *context)
{
	(void)to;
	(void)from;
	(void)context;
	abort();
}

/* An anycast channel moves its messages: the copy hook is not called, not even with several receivers. */
TEST(copy, is_never_called_by_anycast, 5)
{
	struct test_pair pair = test_pair_with(sizeof(int), 2, DUCT_OPTIONS(.copy = never_copy));
	duct_receiver *second;
	int message;

	CHECK_STATUS(duct_receiver_clone(pair.rx, &second), DUCT_OK);
	test_fill(pair.tx);
	CHECK_STATUS(duct_recv(second, &message), DUCT_OK);
	CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
	test_fill(pair.tx);
	duct_receiver_free(second);
	test_pair_free(&pair);
}

/* ---- Allocator --------------------------------------------------------------------------------------------------------- */

/* Counts what is taken and given back. */
struct account {
	atomic_int taken;
	atomic_int given;
};

static void *take(size_t size, void *context)
{
	atomic_fetch_add(&((struct account *)context)->taken, 1);
	return malloc(size);
}

static void give(void *memory, void *context)
{
	CHECK(memory != NULL);
	atomic_fetch_add(&((struct account *)context)->given, 1);
	free(memory);
}

/* A channel takes memory once, each of its ends once, and handles, messages and waits none; all of it is given back. */
TEST(allocator, is_asked_once_for_the_channel_and_once_for_each_end, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct account account = { 0, 0 };
		duct_allocator allocator = { take, give, &account };
		duct_options options = DUCT_OPTIONS_INIT;
		duct_channel *channel, *clone;
		duct_sender *tx, *tx_clone;
		duct_receiver *rx, *rx_clone;

		options.allocator = &allocator;
		CHECK_STATUS(duct_anycast_new(&channel, 500, capacities[i], &options), DUCT_OK);
		/* The allocator was copied. */
		memset(&allocator, 0, sizeof allocator);
		memset(&options, 0, sizeof options);
		CHECK(atomic_load(&account.taken) == 1);
		CHECK_STATUS(duct_channel_clone(channel, &clone), DUCT_OK);
		CHECK(atomic_load(&account.taken) == 1);
		CHECK_STATUS(duct_sender_new(channel, &tx), DUCT_OK);
		CHECK_STATUS(duct_receiver_new(channel, &rx), DUCT_OK);
		CHECK(atomic_load(&account.taken) == 3);
		CHECK_STATUS(duct_sender_clone(tx, &tx_clone), DUCT_OK);
		CHECK_STATUS(duct_receiver_clone(rx, &rx_clone), DUCT_OK);
		CHECK(atomic_load(&account.taken) == 5);
		CHECK(atomic_load(&account.given) == 0);
		duct_channel_free(clone);
		duct_sender_free(tx_clone);
		duct_receiver_free(rx_clone);
		duct_sender_free(tx);
		duct_receiver_free(rx);
		CHECK(atomic_load(&account.taken) == 5);
		duct_channel_free(channel);
		CHECK(atomic_load(&account.taken) == 5 && atomic_load(&account.given) == 5);
	}
}

/* Messages and waits take no memory. */
TEST(allocator, is_not_asked_for_messages_or_waits, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct account account = { 0, 0 };
		const duct_allocator allocator = { take, give, &account };
		const duct_options *options = DUCT_OPTIONS(.allocator = &allocator);
		duct_sender *tx;
		duct_receiver *rx;
		struct test_call call;
		int message;

		CHECK_STATUS(duct_anycast_open(&tx, &rx, sizeof(int), capacities[i], options), DUCT_OK);
		CHECK(atomic_load(&account.taken) == 3);
		test_recv_start(&call, rx);
		AWAIT(duct_channel_waiting_receivers(duct_sender_channel(tx)) == 1);
		CHECK_STATUS(duct_send(tx, &(int){ 1 }), DUCT_OK);
		CHECK_STATUS(test_call_end(&call), DUCT_OK);
		test_fill(tx);
		test_send_start(&call, tx, 9);
		AWAIT(duct_channel_waiting_senders(duct_sender_channel(tx)) == 1);
		CHECK_STATUS(duct_recv(rx, &message), DUCT_OK);
		CHECK_STATUS(test_call_end(&call), DUCT_OK);
		CHECK_STATUS(duct_recv_until(rx, &message, 0, NULL), capacities[i] > 0 ? DUCT_OK : DUCT_TIMEDOUT);
		CHECK_STATUS(duct_channel_discard(duct_sender_channel(tx), NULL), DUCT_OK);
		CHECK(atomic_load(&account.taken) == 3 && atomic_load(&account.given) == 0);
		duct_receiver_free(rx);
		duct_sender_free(tx);
		CHECK(atomic_load(&account.taken) == 3 && atomic_load(&account.given) == 3);
	}
}

/* A discard of messages over 1 KiB with a hook takes memory and gives it back before it returns; one of less takes none. */
TEST(allocator, is_asked_by_a_discard_of_large_messages, 5)
{
	static const char message[2000];

	for (int large = 0; large < 2; large++) {
		struct account account = { 0, 0 };
		const duct_allocator allocator = { take, give, &account };
		struct alignment alignment = alignment_of(16);
		struct test_pair pair = test_pair_with(large ? sizeof message : 1024, 4,
		    DUCT_OPTIONS(.allocator = &allocator, .drop = check_alignment, .context = &alignment));

		for (int n = 0; n < 4; n++)
			CHECK_STATUS(duct_send(pair.tx, message), DUCT_OK);
		CHECK_STATUS(duct_channel_discard(pair.channel, NULL), DUCT_OK);
		CHECK(alignment.drops == 4);
		CHECK(large ? atomic_load(&account.taken) > 3 : atomic_load(&account.taken) == 3);
		CHECK(atomic_load(&account.taken) - atomic_load(&account.given) == 3);
		test_pair_free(&pair);
		CHECK(atomic_load(&account.taken) == atomic_load(&account.given));
	}
}

/* Refuses the nth request and grants the others. */
struct quota {
	struct account account;
	int left;
};

static void *take_within(size_t size, void *context)
{
	struct quota *quota = context;

	return quota->left-- == 0 ? NULL : take(size, &quota->account);
}

static void give_within(void *memory, void *context)
{
	give(memory, &((struct quota *)context)->account);
}

/* Where memory for one part is refused, the parts made before are given back and no handle is written. */
TEST(allocator, that_refuses_loses_nothing, 5)
{
	for (int granted = 0; granted <= 3; granted++) {
		struct quota quota = { { 0, 0 }, granted };
		const duct_allocator allocator = { take_within, give_within, &quota };
		duct_sender *tx = NULL;
		duct_receiver *rx = NULL;
		duct_status status = duct_anycast_open(&tx, &rx, 8, 8, DUCT_OPTIONS(.allocator = &allocator));

		CHECK_STATUS(status, granted == 3 ? DUCT_OK : DUCT_NOMEM);
		CHECK((tx != NULL) == (granted == 3) && (rx != NULL) == (granted == 3));
		duct_sender_free(tx);
		duct_receiver_free(rx);
		CHECK(atomic_load(&quota.account.taken) == atomic_load(&quota.account.given));
	}
}

/* An end refused for want of memory leaves the channel as it was. */
TEST(allocator, that_refuses_an_end_changes_nothing, 5)
{
	struct quota quota = { { 0, 0 }, 3 };
	const duct_allocator allocator = { take_within, give_within, &quota };
	struct test_pair pair = test_pair_with(4, 1, DUCT_OPTIONS(.allocator = &allocator));
	duct_sender *tx = NULL;
	duct_receiver *rx = NULL;

	CHECK_STATUS(duct_sender_new(pair.channel, &tx), DUCT_NOMEM);
	quota.left = 0;
	CHECK_STATUS(duct_sender_clone(pair.tx, &tx), DUCT_NOMEM);
	quota.left = 0;
	CHECK_STATUS(duct_receiver_new(pair.channel, &rx), DUCT_NOMEM);
	quota.left = 0;
	CHECK_STATUS(duct_receiver_clone(pair.rx, &rx), DUCT_NOMEM);
	CHECK(tx == NULL && rx == NULL);
	CHECK(duct_channel_senders(pair.channel) == 1 && duct_channel_receivers(pair.channel) == 1);
	test_pair_free(&pair);
	CHECK(atomic_load(&quota.account.taken) == atomic_load(&quota.account.given));
}

/* ---- Log --------------------------------------------------------------------------------------------------------------- */

enum { EVENTS = 64 };

/* What a log hook was told. */
struct told {
	pthread_mutex_t lock;
	int count;
	struct {
		duct_log_kind kind;
		uint64_t suppressed;
		duct_time when;
	} events[EVENTS];
};

static void keep_event(const duct_log_event *event, void *context)
{
	struct told *told = context;

	CHECK(strcmp(event->channel, "post") == 0);
	CHECK(strstr(event->text, "post") != NULL && strchr(event->text, '\n') == NULL);
	pthread_mutex_lock(&told->lock);
	CHECK(told->count < EVENTS);
	told->events[told->count].kind = event->kind;
	told->events[told->count].suppressed = event->suppressed;
	told->events[told->count].when = duct_now();
	told->count++;
	pthread_mutex_unlock(&told->lock);
}

static int told_count(struct told *told)
{
	int count;

	pthread_mutex_lock(&told->lock);
	count = told->count;
	pthread_mutex_unlock(&told->lock);
	return count;
}

static struct test_pair pair_with_log(size_t capacity, struct told *told, int64_t interval)
{
	const duct_options *options =
	    DUCT_OPTIONS(.name = "post", .log = keep_event, .log_interval = interval, .context = told);

	return test_pair_with(sizeof(int), capacity, options);
}

/* Makes a sender wait once and lets it go on. */
static void block_once(const struct test_pair *pair)
{
	struct test_call call;
	int message;

	test_send_start(&call, pair->tx, 1);
	AWAIT(duct_channel_waiting_senders(pair->channel) == 1);
	CHECK_STATUS(duct_recv(pair->rx, &message), DUCT_OK);
	CHECK_STATUS(test_call_end(&call), DUCT_OK);
}

/* A sender that has to wait is told of when it blocks, and again when it goes on; sends that need not wait are not. */
TEST(log, tells_of_a_sender_that_waits, 5)
{
	for (size_t i = 1; i < ARRAY_LEN(capacities); i++) {
		struct told told = { .lock = PTHREAD_MUTEX_INITIALIZER };
		struct test_pair pair = pair_with_log(capacities[i], &told, 0);
		struct test_call call;
		int message = 0;

		test_fill(pair.tx);
		CHECK_STATUS(duct_send_until(pair.tx, &message, 0, NULL), DUCT_TIMEDOUT);
		CHECK(told_count(&told) == 0);
		test_send_start(&call, pair.tx, 1);
		AWAIT(duct_channel_waiting_senders(pair.channel) == 1 && told_count(&told) == 1);
		CHECK(told.events[0].kind == DUCT_LOG_BLOCKED && told.events[0].suppressed == 0);
		CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
		CHECK_STATUS(test_call_end(&call), DUCT_OK);
		CHECK(told_count(&told) == 2);
		CHECK(told.events[1].kind == DUCT_LOG_RESUMED && told.events[1].suppressed == 0);
		test_pair_free(&pair);
		CHECK(told_count(&told) == 2);
	}
}

/* Within one interval one pair is told; by itself the interval is a second. */
TEST(log, tells_one_pair_each_interval, 5)
{
	struct told told = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct test_pair pair = pair_with_log(1, &told, 0);
	duct_time start = duct_now();

	test_fill(pair.tx);
	for (int n = 0; n < 10; n++)
		block_once(&pair);
	/* On a machine so slow that a second has passed there may be more. */
	CHECK(told_count(&told) == 2 || duct_now() - start >= 1000000000);
	CHECK(told.events[0].kind == DUCT_LOG_BLOCKED && told.events[1].kind == DUCT_LOG_RESUMED);
	test_pair_free(&pair);
}

/* After the interval the next pair is told, with the number of events kept back since; none is forgotten. */
TEST(log, counts_what_it_kept_back, 10)
{
	const int64_t interval = 20 * 1000000;
	struct told told = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct test_pair pair = pair_with_log(1, &told, interval);
	duct_time start = duct_now();
	uint64_t kept_back = 0;
	int pairs = 0;

	test_fill(pair.tx);
	while (told_count(&told) < 8) {
		block_once(&pair);
		pairs++;
	}
	for (int n = 0; n < 8; n++) {
		CHECK(told.events[n].kind == (n % 2 == 0 ? DUCT_LOG_BLOCKED : DUCT_LOG_RESUMED));
		CHECK(n % 2 == 0 || told.events[n].suppressed == 0);
		kept_back += told.events[n].suppressed;
	}
	CHECK((uint64_t)pairs * 2 == kept_back + 8);
	/* Four pairs span three intervals; that the hook is late, on a busy machine, only adds to them. */
	CHECK(told.events[6].when - start >= 3 * interval);
	test_pair_free(&pair);
}

/* With the shortest interval every sender that waits is told of. */
TEST(log, with_a_short_interval_tells_all, 5)
{
	struct told told = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct test_pair pair = pair_with_log(1, &told, 1);

	test_fill(pair.tx);
	for (int n = 0; n < 5; n++)
		block_once(&pair);
	CHECK(told_count(&told) == 10);
	for (int n = 0; n < 10; n++)
		CHECK(told.events[n].kind == (n % 2 ? DUCT_LOG_RESUMED : DUCT_LOG_BLOCKED) && told.events[n].suppressed == 0);
	test_pair_free(&pair);
}

/* Waiting for a partner at capacity 0 is no matter for the log, nor is waiting for a message. */
TEST(log, is_silent_where_nothing_is_full, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct told told = { .lock = PTHREAD_MUTEX_INITIALIZER };
		struct test_pair pair = pair_with_log(capacities[i], &told, 1);
		struct test_call call;
		int message;

		test_recv_start(&call, pair.rx);
		AWAIT(duct_channel_waiting_receivers(pair.channel) == 1);
		CHECK_STATUS(duct_send(pair.tx, &(int){ 1 }), DUCT_OK);
		CHECK_STATUS(test_call_end(&call), DUCT_OK);
		if (capacities[i] == 0) {
			test_send_start(&call, pair.tx, 1);
			AWAIT(duct_channel_waiting_senders(pair.channel) == 1);
			CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
			CHECK_STATUS(test_call_end(&call), DUCT_OK);
		}
		test_fill(pair.tx);
		CHECK_STATUS(duct_try_send(pair.tx, &message), DUCT_FULL);
		CHECK(told_count(&told) == 0);
		test_pair_free(&pair);
	}
}

static void look_from_log(const duct_log_event *event, void *context)
{
	struct test_pair *pair = *(struct test_pair **)context;
	char line[200];
	duct_channel *clone;

	(void)event;
	CHECK(duct_channel_describe(pair->channel, line, sizeof line) > 0);
	CHECK(duct_channel_len(pair->channel) <= 1);
	CHECK_STATUS(duct_channel_clone(pair->channel, &clone), DUCT_OK);
	duct_channel_free(clone);
}

/* The log hook may use the channel that it is told of. */
TEST(log, may_use_the_channel, 5)
{
	struct test_pair pair, *context = &pair;

	pair = test_pair_with(sizeof(int), 1, DUCT_OPTIONS(.log = look_from_log, .log_interval = 1, .context = &context));
	test_fill(pair.tx);
	for (int n = 0; n < 3; n++)
		block_once(&pair);
	test_pair_free(&pair);
}

/* The log does not change what a send returns: out of time, closed, without receivers. */
TEST(log, does_not_change_how_a_send_ends, 5)
{
	struct told told = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct test_pair pair = pair_with_log(2, &told, 1);
	struct test_call call;

	test_fill(pair.tx);
	/* Until it did wait: on a busy machine the time may be over before. */
	while (told_count(&told) == 0)
		CHECK_STATUS(duct_send_until(pair.tx, &(int){ 1 }, duct_after_ms(2), NULL), DUCT_TIMEDOUT);
	test_send_start(&call, pair.tx, 1);
	AWAIT(duct_channel_waiting_senders(pair.channel) == 1);
	duct_receiver_close(pair.rx);
	CHECK_STATUS(test_call_end(&call), DUCT_NO_RECEIVERS);
	duct_receiver_free(pair.rx);
	CHECK_STATUS(duct_receiver_new(pair.channel, &pair.rx), DUCT_OK);
	test_send_start(&call, pair.tx, 1);
	AWAIT(duct_channel_waiting_senders(pair.channel) == 1);
	duct_channel_close(pair.channel, 0);
	CHECK_STATUS(test_call_end(&call), DUCT_CLOSED);
	/* Each BLOCKED has its RESUMED, whatever ended the wait. */
	CHECK(told_count(&told) == 6);
	test_pair_free(&pair);
}
