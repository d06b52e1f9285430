/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Ends: those of the channel's own queue, and members of a broadcast, with their memory, their way in and their way out; and
 * what a broadcast adds: the wait for receivers, the replay's bounds, the log's line about a receiver.
 */
#include "ends.h"
#include "desk.h"

#include <sys/mman.h>
#include <unistd.h>

/* ---- An allocator that acts ------------------------------------------------------------------------------------ */

enum { MOST_SIZES = 64 };

/* Knows what was asked for, gives nothing if it is empty, and runs something in the middle of an allocation or a release. */
static struct {
	size_t taken, given_back, sizes[MOST_SIZES];
	bool is_empty;
	size_t act_in; /* the so-manieth allocation from now; 0: none */
	void (*act)(void);
	void (*act_on_release)(void);
} store;

static void *store_take(size_t size, void *context)
{
	void *memory;

	(void)context;
	if (store.act_in > 0 && --store.act_in == 0)
		store.act();
	if (store.is_empty)
		return NULL;
	CHECK(store.taken < MOST_SIZES);
	memory = malloc(size);
	CHECK(memory != NULL);
	memset(memory, 0xa5, size);
	store.sizes[store.taken++] = size;
	return memory;
}

static void store_give_back(void *memory, void *context)
{
	void (*act)(void) = store.act_on_release;

	(void)context;
	store.act_on_release = NULL;
	store.given_back++;
	free(memory);
	if (act != NULL)
		act();
}

static const duct_allocator allocator = { store_take, store_give_back, NULL };

/* What a block costs beyond its size. */
static size_t overhead(void)
{
	memory_free(&allocator, memory_new(&allocator, 0));
	return store.sizes[store.taken - 1];
}

/* ---- Ends of the channel's own queue --------------------------------------------------------------------------- */

static void hear_nothing(const duct_log_event *event, void *context)
{
	(void)event;
	(void)context;
}

/* The log hears of senders, if there is one, and where to wait is not the rule; never of a receiver's end. */
TEST(end, has_the_log_where_it_may_block, 5)
{
	for (unsigned bits = 0; bits < 8; bits++) {
		const bool has_log = bits % 2, is_broadcast = bits / 2 == 3;
		const duct_options *options = DUCT_OPTIONS(.log = has_log ? hear_nothing : NULL);
		const size_t capacity = bits / 2;
		duct_channel *channel;
		duct_sender *tx;
		duct_receiver *rx;

		CHECK_STATUS(is_broadcast ? duct_broadcast_new(&channel, 8, options)
					  : duct_anycast_new(&channel, capacity == 2 ? 0 : 8, capacity, options),
		    DUCT_OK);
		CHECK_STATUS(duct_sender_new(channel, &tx), DUCT_OK);
		CHECK_STATUS(duct_receiver_new(channel, &rx), DUCT_OK);
		CHECK(tx->end.log == (has_log && capacity > 0 ? &channel->log : NULL) && rx->end.log == NULL);
		duct_sender_free(tx);
		duct_receiver_free(rx);
		duct_channel_free(channel);
	}
}

/* Another end comes of an open one, whatever became of the channel; a sender only of an open channel. */
TEST(end, is_made_of_an_open_one, 5)
{
	struct test_pair pair = test_pair_new(8, 3);
	duct_sender *tx = NULL;
	duct_receiver *rx = NULL;

	CHECK_STATUS(duct_sender_clone(pair.tx, &tx), DUCT_OK);
	CHECK_STATUS(duct_receiver_clone(pair.rx, &rx), DUCT_OK);
	CHECK(pair.channel->senders == 2 && pair.channel->receivers == 2 && pair.channel->references == 5);
	duct_sender_free(tx);
	duct_receiver_free(rx);
	tx = NULL;
	rx = NULL;
	duct_sender_close(pair.tx);
	duct_receiver_close(pair.rx);
	CHECK(duct_sender_is_closed(pair.tx) && duct_receiver_is_closed(pair.rx));
	CHECK_STATUS(duct_sender_clone(pair.tx, &tx), DUCT_CLOSED);
	CHECK_STATUS(duct_receiver_clone(pair.rx, &rx), DUCT_CLOSED);
	CHECK(tx == NULL && rx == NULL && pair.channel->senders == 0 && pair.channel->receivers == 0);
	CHECK(pair.channel->references == 3);
	duct_channel_close(pair.channel, 0);
	CHECK_STATUS(duct_sender_new(pair.channel, &tx), DUCT_CLOSED);
	CHECK_STATUS(duct_receiver_new(pair.channel, &rx), DUCT_OK);
	CHECK(tx == NULL && !duct_receiver_is_closed(rx) && pair.channel->senders == 0 && pair.channel->receivers == 1);
	duct_receiver_free(rx);
	test_pair_free(&pair);
}

/* A close wakes who sleeps in this end, and nobody else, and counts this end. */
TEST(end, that_closes_wakes_who_sleeps_in_it, 5)
{
	struct test_pair pair = test_pair_new(8, 0);
	duct_sender *other_tx;
	duct_receiver *other_rx;
	struct sleeper in_tx, in_other_tx, in_rx, in_other_rx;

	CHECK_STATUS(duct_sender_clone(pair.tx, &other_tx), DUCT_OK);
	CHECK_STATUS(duct_receiver_clone(pair.rx, &other_rx), DUCT_OK);
	sleeper_send(&in_tx, &pair.tx->end, 1);
	sleeper_send(&in_other_tx, &other_tx->end, 2);
	duct_sender_close(pair.tx);
	CHECK(sleeper_woke(&in_tx, DUCT_CLOSED) && sleeper_sleeps(&in_other_tx) && pair.channel->senders == 1);
	sleeper_leave(&in_other_tx);
	sleeper_recv(&in_rx, &pair.rx->end);
	sleeper_recv(&in_other_rx, &other_rx->end);
	duct_receiver_close(pair.rx);
	CHECK(sleeper_woke(&in_rx, DUCT_CLOSED) && sleeper_sleeps(&in_other_rx) && pair.channel->receivers == 1);
	sleeper_leave(&in_other_rx);
	duct_sender_free(other_tx);
	duct_receiver_free(other_rx);
	test_pair_free(&pair);
}

/* What can never work is refused, and writes nothing. */
TEST(end, of_nothing_is_refused, 5)
{
	struct test_pair pair = test_pair_new(8, 3);
	duct_sender *tx = NULL;
	duct_receiver *rx = NULL;

	CHECK_STATUS(duct_sender_new(NULL, &tx), DUCT_INVALID);
	CHECK_STATUS(duct_sender_new(pair.channel, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_receiver_new(NULL, &rx), DUCT_INVALID);
	CHECK_STATUS(duct_receiver_new(pair.channel, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_sender_clone(NULL, &tx), DUCT_INVALID);
	CHECK_STATUS(duct_sender_clone(pair.tx, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_receiver_clone(NULL, &rx), DUCT_INVALID);
	CHECK_STATUS(duct_receiver_clone(pair.rx, NULL), DUCT_INVALID);
	CHECK(tx == NULL && rx == NULL && pair.channel->references == 3);
	duct_sender_close(NULL);
	duct_receiver_close(NULL);
	duct_sender_free(NULL);
	duct_receiver_free(NULL);
	CHECK(duct_sender_is_closed(NULL) && duct_receiver_is_closed(NULL));
	CHECK(duct_sender_channel(NULL) == NULL && duct_receiver_channel(NULL) == NULL);
	CHECK(duct_receiver_len(NULL) == 0 && duct_receiver_capacity(NULL) == 0 && strcmp(duct_receiver_name(NULL), "") == 0);
	test_pair_free(&pair);
}

/* ---- Members ---------------------------------------------------------------------------------------------------- */

static duct_channel *broadcast_of(size_t message_size)
{
	duct_channel *channel;

	CHECK_STATUS(
	    duct_broadcast_new(&channel, message_size, DUCT_OPTIONS(.name = "prices", .allocator = &allocator)), DUCT_OK);
	return channel;
}

static duct_receiver *subscribe_as(duct_channel *channel, const duct_subscription *subscription)
{
	duct_receiver *rx;

	CHECK_STATUS(duct_subscribe(channel, &rx, subscription), DUCT_OK);
	return rx;
}

/* Member, ring and name are one block of just that size, apart from each other; it is given back with the receiver. */
TEST(member, is_one_block_of_memory, 5)
{
	static const size_t sizes[] = { 0, 1, 8, 100 }, capacities[] = { 1, 7, 50 };
	const size_t head = (sizeof(struct member) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE, extra = overhead();

	for (size_t i = 0; i < ARRAY_LEN(sizes) * ARRAY_LEN(capacities); i++) {
		const size_t size = sizes[i % ARRAY_LEN(sizes)], capacity = capacities[i / ARRAY_LEN(sizes)];
		const char *given = "a name that is longer than the names that receivers are given by themselves";
		duct_channel *channel;
		duct_sender *tx;
		duct_receiver *rx;
		struct member *member;
		unsigned char message[100];
		size_t ring_size;

		memset(&store, 0, sizeof store);
		CHECK(ring_measure(size, capacity, &ring_size));
		channel = broadcast_of(size);
		CHECK_STATUS(duct_sender_new(channel, &tx), DUCT_OK);
		rx = subscribe_as(channel, DUCT_SUBSCRIPTION(.name = given, .capacity = capacity));
		member = member_of(rx);
		CHECK(store.taken == 3 && store.sizes[2] == head + ring_size + strlen(given) + 1 + extra);
		CHECK((uintptr_t)member % CACHE_LINE == 0 && member->queue.ring.slots >= (unsigned char *)(member + 1));
		CHECK(member->name == (char *)member + head + ring_size && member->name != given);
		CHECK(duct_receiver_capacity(rx) == capacity && duct_receiver_channel(rx) == channel);
		memset(message, 0xff, sizeof message);
		for (size_t n = 0; n < capacity; n++)
			CHECK_STATUS(duct_try_send(tx, message), DUCT_OK);
		CHECK(strcmp(duct_receiver_name(rx), given) == 0 && member->end.channel == channel && member->number == 1);
		duct_receiver_free(rx);
		CHECK(store.given_back == 1);
		duct_sender_free(tx);
		duct_channel_free(channel);
		CHECK(store.given_back == store.taken);
	}
}

/* A name is read as far as it goes: what follows it may be nobody's. */
TEST(member, reads_no_more_than_the_name, 5)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	duct_channel *channel = broadcast_of(8);
	duct_receiver *rx;

	CHECK(pages != MAP_FAILED && mprotect(pages + page, page, PROT_NONE) == 0);
	memcpy(pages + page - 5, "rest", 5);
	rx = subscribe_as(channel, DUCT_SUBSCRIPTION(.name = pages + page - 5));
	CHECK(munmap(pages, 2 * page) == 0);
	CHECK(strcmp(duct_receiver_name(rx), "rest") == 0);
	duct_receiver_free(rx);
	rx = subscribe_as(channel, DUCT_SUBSCRIPTION(.name = ""));
	CHECK(strcmp(duct_receiver_name(rx), "") == 0);
	duct_receiver_free(rx);
	duct_channel_free(channel);
}

/* Without a name it has the channel's, and a number that counts those without one; the longest number has room. */
TEST(member, is_named_by_channel_and_number, 5)
{
	duct_channel *channel = broadcast_of(8);
	duct_receiver *rx[4];
	char longest[64];

	rx[0] = subscribe_as(channel, NULL);
	rx[1] = subscribe_as(channel, DUCT_SUBSCRIPTION(.name = "given"));
	rx[2] = subscribe_as(channel, NULL);
	channel->fan->named = UINT64_MAX - 1;
	rx[3] = subscribe_as(channel, NULL);
	snprintf(longest, sizeof longest, "prices-%lu", (unsigned long)UINT64_MAX);
	CHECK(strcmp(duct_receiver_name(rx[0]), "prices-1") == 0 && strcmp(duct_receiver_name(rx[1]), "given") == 0);
	CHECK(strcmp(duct_receiver_name(rx[2]), "prices-2") == 0 && strcmp(duct_receiver_name(rx[3]), longest) == 0);
	for (size_t r = 0; r < ARRAY_LEN(rx); r++)
		duct_receiver_free(rx[r]);
	duct_channel_free(channel);
}

/* A fresh one, in memory that was not clean: nothing has happened to it, and it is what the subscription says. */
TEST(member, begins_as_its_subscription_says, 5)
{
	for (unsigned bits = 0; bits < 4 * 5; bits++) {
		const bool tell_lag = bits % 2, quiet = bits / 2 % 2;
		const duct_overflow overflow = (duct_overflow)(bits / 4);
		duct_channel *channel = broadcast_of(8);
		duct_receiver *rx =
		    subscribe_as(channel, DUCT_SUBSCRIPTION(.overflow = overflow, .tell_lag = tell_lag, .quiet = quiet));
		const struct member *member = member_of(rx);
		duct_stats stats;

		CHECK(member->overflow == overflow && member->tell_lag == tell_lag && member->quiet == quiet);
		CHECK(!member->hidden && member->joined && !member->left && !member->cut_off && !member->telling);
		CHECK(member->lost_logged == 0 && member->lag_told == 0 && duct_receiver_lag(rx) == 0);
		CHECK(member->end.flags == 0 && member->end.log == NULL && member->fan == channel->fan);
		CHECK_STATUS(duct_receiver_stats(rx, &stats), DUCT_OK);
		CHECK(stats.sent + stats.received + stats.lost + stats.queued + stats.discarded == 0);
		CHECK(duct_receiver_capacity(rx) == (overflow == DUCT_LATEST_ONLY ? 1 : DUCT_CAPACITY_DEFAULT));
		CHECK(channel->receivers == 1 && channel->was_received && channel->references == 2);
		duct_receiver_free(rx);
		CHECK(channel->receivers == 0 && channel->references == 1);
		duct_channel_free(channel);
		memset(&store, 0, sizeof store);
	}
}

/* When the channel's log spoke last is nothing to a receiver's: its first loss is told. */
TEST(member, has_a_log_of_its_own, 5)
{
	duct_channel *channel;
	duct_receiver *rx;
	const struct log *log;

	CHECK_STATUS(duct_broadcast_new(&channel, 8, DUCT_OPTIONS(.log = hear_nothing, .log_interval = 5)), DUCT_OK);
	channel->log.next = DUCT_FOREVER;
	channel->log.suppressed = 8;
	rx = subscribe_as(channel, NULL);
	log = &member_of(rx)->log;
	CHECK(log->next == 0 && log->suppressed == 0 && log->interval == 5 && log->hook == hear_nothing);
	CHECK(log->context == channel->log.context && log->channel == channel->name && log->queue == &channel->queue);
	duct_receiver_free(rx);
	duct_channel_free(channel);
}

/* A clone has the same subscription as it is now, and a name of its own; of one that has left there is none. */
TEST(member, is_cloned_with_its_subscription, 5)
{
	for (unsigned bits = 0; bits < 4; bits++) {
		const bool tell_lag = bits % 2, quiet = bits / 2;
		duct_channel *channel = broadcast_of(8);
		duct_receiver *rx = subscribe_as(channel,
				  DUCT_SUBSCRIPTION(.name = "first", .capacity = 3, .tell_lag = tell_lag, .quiet = quiet)),
			      *clone = NULL, *none = NULL;

		CHECK_STATUS(duct_receiver_set_overflow(rx, DUCT_BLOCK), DUCT_OK);
		CHECK_STATUS(duct_receiver_clone(rx, &clone), DUCT_OK);
		CHECK(member_of(clone)->overflow == DUCT_BLOCK && duct_receiver_capacity(clone) == 3);
		CHECK(member_of(clone)->tell_lag == tell_lag && member_of(clone)->quiet == quiet);
		CHECK(strcmp(duct_receiver_name(clone), "prices-1") == 0 && channel->receivers == 2);
		duct_receiver_close(rx);
		CHECK_STATUS(duct_receiver_clone(rx, &none), DUCT_CLOSED);
		CHECK(none == NULL && channel->receivers == 1);
		duct_receiver_free(rx);
		duct_receiver_free(clone);
		duct_channel_free(channel);
	}
}

/* What a subscription must not be. */
TEST(member, is_refused_what_it_cannot_be, 5)
{
	duct_channel *channel = broadcast_of(8);
	duct_receiver *rx = NULL;
	duct_subscription small = DUCT_SUBSCRIPTION_INIT;

	small.size--;
	CHECK_STATUS(duct_subscribe(channel, &rx, &small), DUCT_INVALID);
	CHECK_STATUS(
	    duct_subscribe(channel, &rx, DUCT_SUBSCRIPTION(.overflow = (duct_overflow)(DUCT_CUT_OFF + 1))), DUCT_INVALID);
	CHECK_STATUS(duct_subscribe(channel, &rx, DUCT_SUBSCRIPTION(.overflow = (duct_overflow)-1)), DUCT_INVALID);
	CHECK_STATUS(
	    duct_subscribe(channel, &rx, DUCT_SUBSCRIPTION(.overflow = DUCT_LATEST_ONLY, .capacity = 2)), DUCT_INVALID);
	CHECK_STATUS(duct_subscribe(channel, &rx, DUCT_SUBSCRIPTION(.capacity = SIZE_MAX)), DUCT_INVALID);
	store.is_empty = true;
	CHECK_STATUS(duct_subscribe(channel, &rx, NULL), DUCT_NOMEM);
	CHECK(rx == NULL && channel->references == 1 && channel->receivers == 0 && !channel->was_received);
	duct_channel_free(channel);
}

/* Made as a receiver of any channel is, it is one that counts, with a subscription of nothing. */
TEST(member, may_be_made_like_any_receiver, 5)
{
	duct_channel *channel = broadcast_of(8);
	duct_receiver *rx;

	CHECK_STATUS(duct_receiver_new(channel, &rx), DUCT_OK);
	CHECK(!member_of(rx)->hidden && channel->fan->receivers == 1 && channel->receivers == 1);
	CHECK(member_of(rx)->overflow == DUCT_DROP_OLDEST && duct_receiver_capacity(rx) == DUCT_CAPACITY_DEFAULT);
	CHECK(!member_of(rx)->tell_lag && !member_of(rx)->quiet && strcmp(duct_receiver_name(rx), "prices-1") == 0);
	duct_receiver_free(rx);
	duct_channel_free(channel);
}

/* Hidden it is nobody's receiver. */
TEST(member, that_is_hidden_is_not_counted, 5)
{
	duct_channel *channel = broadcast_of(8);
	duct_receiver *rx;

	CHECK_STATUS(receiver_subscribe(channel, NULL, NULL, true, &rx), DUCT_OK);
	CHECK(member_of(rx)->hidden && channel->fan->outlet.members == 1 && channel->fan->receivers == 0);
	CHECK(channel->receivers == 0 && !channel->was_received && channel->references == 2);
	duct_receiver_free(rx);
	CHECK(channel->fan->outlet.members == 0 && channel->references == 1);
	duct_channel_free(channel);
}

/* It leaves once, with the status that comes after what is queued, and wakes who sleeps in it. */
TEST(member, leaves_once, 5)
{
	duct_channel *channel = broadcast_of(8);
	duct_receiver *rx = subscribe_as(channel, NULL), *other = subscribe_as(channel, NULL);
	struct sleeper sleeper, in_other;
	uint64_t message;

	sleeper_recv(&sleeper, &rx->end);
	sleeper_recv(&in_other, &other->end);
	CHECK(!duct_receiver_is_closed(rx) && member_close(member_of(rx), DUCT_INVALIDATED));
	CHECK(sleeper_woke(&sleeper, DUCT_INVALIDATED) && sleeper_sleeps(&in_other));
	CHECK(!member_close(member_of(rx), DUCT_CLOSED) && channel->receivers == 1 && duct_receiver_is_closed(rx));
	CHECK_STATUS(duct_try_recv(rx, &message), DUCT_INVALIDATED);
	sleeper_leave(&in_other);
	duct_receiver_close(other);
	CHECK_STATUS(duct_try_recv(other, &message), DUCT_CLOSED);
	CHECK(channel->references == 3 && rx->end.references == 1);
	duct_receiver_free(rx);
	duct_receiver_free(other);
	duct_channel_free(channel);
}

/* A closed channel can still be joined, a closed sender not joined from, and neither takes more memory than it gives back. */
TEST(member, may_join_what_is_closed, 5)
{
	duct_channel *channel = broadcast_of(8);
	duct_sender *tx;
	duct_receiver *rx = NULL;
	uint64_t message;

	CHECK_STATUS(duct_sender_new(channel, &tx), DUCT_OK);
	CHECK_STATUS(duct_sender_subscribe(tx, &rx, NULL), DUCT_OK);
	duct_receiver_free(rx);
	rx = NULL;
	duct_sender_close(tx);
	CHECK_STATUS(duct_sender_subscribe(tx, &rx, NULL), DUCT_CLOSED);
	duct_channel_close(channel, 0);
	CHECK_STATUS(duct_sender_subscribe(tx, &rx, NULL), DUCT_CLOSED);
	CHECK(rx == NULL && channel->references == 2 && channel->receivers == 0);
	rx = subscribe_as(channel, NULL);
	CHECK_STATUS(duct_try_recv(rx, &message), DUCT_CLOSED);
	CHECK(channel->receivers == 1);
	duct_receiver_free(rx);
	duct_sender_free(tx);
	duct_channel_free(channel);
	CHECK(store.taken == store.given_back);
}

/* An open receiver can be cloned on a closed channel, an open sender not joined from. */
TEST(member, is_cloned_after_the_close, 5)
{
	duct_channel *channel = broadcast_of(8);
	duct_receiver *rx = subscribe_as(channel, NULL), *clone = NULL, *none = NULL;
	duct_sender *tx;
	uint64_t message;

	CHECK_STATUS(duct_sender_new(channel, &tx), DUCT_OK);
	duct_channel_close(channel, 0);
	CHECK_STATUS(duct_sender_subscribe(tx, &none, NULL), DUCT_CLOSED);
	CHECK_STATUS(duct_receiver_clone(rx, &clone), DUCT_OK);
	CHECK(none == NULL && channel->receivers == 2);
	CHECK_STATUS(duct_try_recv(clone, &message), DUCT_CLOSED);
	duct_receiver_free(clone);
	duct_receiver_free(rx);
	duct_sender_free(tx);
	duct_channel_free(channel);
}

/* Where a send without receivers fails, each one that comes revives the channel. */
TEST(member, revives_its_channel, 5)
{
	duct_channel *channel;
	duct_sender *tx;

	CHECK_STATUS(duct_broadcast_new(&channel, 0, DUCT_OPTIONS(.unheard = DUCT_UNHEARD_FAIL)), DUCT_OK);
	CHECK_STATUS(duct_sender_new(channel, &tx), DUCT_OK);
	for (int again = 0; again < 3; again++) {
		duct_receiver *rx;

		CHECK_STATUS(duct_try_send(tx, NULL), DUCT_NO_RECEIVERS);
		rx = subscribe_as(channel, NULL);
		CHECK_STATUS(duct_try_send(tx, NULL), DUCT_OK);
		duct_receiver_free(rx);
	}
	duct_sender_free(tx);
	duct_channel_free(channel);
}

/* ---- Joining a replay ------------------------------------------------------------------------------------------- */

/* A channel whose messages are letters, copied by a hook, of which it keeps three. */
static struct {
	duct_channel *channel;
	duct_sender *tx;
} letters;

static int copy_letter(void *to, const void *from, void *context)
{
	(void)context;
	memcpy(to, from, 1);
	return 0;
}

static void letters_new(void)
{
	CHECK_STATUS(
	    duct_broadcast_new(&letters.channel, 1, DUCT_OPTIONS(.copy = copy_letter, .allocator = &allocator, .replay = 3)),
	    DUCT_OK);
	CHECK_STATUS(duct_sender_new(letters.channel, &letters.tx), DUCT_OK);
	CHECK_STATUS(duct_send(letters.tx, "a"), DUCT_OK);
}

static void letters_free(duct_receiver *rx)
{
	duct_receiver_free(rx);
	duct_sender_free(letters.tx);
	duct_channel_free(letters.channel);
	CHECK(store.taken == store.given_back);
}

/* The receiver has these letters and no more. */
static bool spells(duct_receiver *rx, const char *text)
{
	char letter;

	for (; *text != '\0'; text++)
		if (duct_try_recv(rx, &letter) != DUCT_OK || letter != *text)
			return false;
	return duct_try_recv(rx, &letter) == DUCT_EMPTY;
}

static void send_b(void)
{
	CHECK_STATUS(duct_send(letters.tx, "b"), DUCT_OK);
}

static void forget_all(void)
{
	CHECK_STATUS(duct_channel_set_replay(letters.channel, 0), DUCT_OK);
}

static void send_b_and_forget_all_later(void)
{
	send_b();
	store.act_on_release = forget_all;
}

/* With nothing kept, its own block is all the memory that it takes; with a replay, also the places for what it has to copy. */
TEST(join, takes_the_memory_it_needs, 5)
{
	const size_t extra = overhead();
	size_t before;
	duct_receiver *rx, *other;

	letters_new();
	CHECK_STATUS(duct_send(letters.tx, "b"), DUCT_OK);
	before = store.taken;
	rx = subscribe_as(letters.channel, NULL);
	CHECK(store.taken - before == 2 && store.sizes[before + 1] == 2 * sizeof(duct_box *) + extra);
	CHECK(spells(rx, "ab"));
	forget_all();
	before = store.taken;
	other = subscribe_as(letters.channel, NULL);
	CHECK(store.taken - before == 1 && spells(other, ""));
	duct_receiver_free(other);
	letters_free(rx);
}

/* A message that comes while the memory for the replay is had makes it look again. */
TEST(join, begins_again_where_there_is_more_to_copy, 5)
{
	duct_receiver *rx;

	letters_new();
	store.act = send_b;
	store.act_in = 2;
	rx = subscribe_as(letters.channel, NULL);
	CHECK(spells(rx, "ab") && letters.channel->receivers == 1);
	letters_free(rx);
}

/* Then there may also be less, or nothing. */
TEST(join, begins_again_where_there_is_nothing_left, 5)
{
	duct_receiver *rx;

	letters_new();
	store.act = send_b_and_forget_all_later;
	store.act_in = 2;
	rx = subscribe_as(letters.channel, NULL);
	CHECK(spells(rx, "") && letters.channel->receivers == 1);
	send_b();
	CHECK(spells(rx, "b"));
	letters_free(rx);
}

static void go_empty(void)
{
	store.is_empty = true;
}

/* Without memory for the replay there is no receiver. */
TEST(join, without_memory_leaves_nothing, 5)
{
	duct_receiver *rx = NULL;

	letters_new();
	store.act = go_empty;
	store.act_in = 2;
	CHECK_STATUS(duct_subscribe(letters.channel, &rx, NULL), DUCT_NOMEM);
	CHECK(rx == NULL && letters.channel->receivers == 0 && letters.channel->references == 2);
	store.is_empty = false;
	rx = subscribe_as(letters.channel, NULL);
	CHECK(spells(rx, "a"));
	letters_free(rx);
}

/* ---- Describing ------------------------------------------------------------------------------------------------ */

static bool reads_as(const duct_receiver *rx, const char *expected)
{
	char line[200];
	size_t length = duct_receiver_describe(rx, line, sizeof line);

	if (strcmp(line, expected) != 0)
		fprintf(stderr, "%s\n", line);
	return length == strlen(expected) && strcmp(line, expected) == 0;
}

/* Name, kind, channel, how full, and which state. */
TEST(receiver_describe, tells_the_state, 5)
{
	duct_channel *channel = broadcast_of(8), *jobs;
	duct_sender *tx;
	duct_receiver *rx = subscribe_as(channel, DUCT_SUBSCRIPTION(.name = "chart", .capacity = 2)),
		      *slow = subscribe_as(channel, DUCT_SUBSCRIPTION(.capacity = 1, .overflow = DUCT_CUT_OFF)), *worker;

	CHECK_STATUS(duct_sender_new(channel, &tx), DUCT_OK);
	CHECK(reads_as(rx, "receiver chart of broadcast prices: 0 of 2 messages, open"));
	CHECK_STATUS(duct_send(tx, &(uint64_t){ 1 }), DUCT_OK);
	CHECK(reads_as(slow, "receiver prices-1 of broadcast prices: 1 of 1 messages, open"));
	CHECK_STATUS(duct_send(tx, &(uint64_t){ 2 }), DUCT_OK);
	CHECK(reads_as(slow, "receiver prices-1 of broadcast prices: 1 of 1 messages, cut off"));
	duct_receiver_close(rx);
	CHECK(reads_as(rx, "receiver chart of broadcast prices: 2 of 2 messages, closed"));
	CHECK_STATUS(duct_anycast_new(&jobs, 8, 3, DUCT_OPTIONS(.name = "jobs")), DUCT_OK);
	CHECK_STATUS(duct_receiver_new(jobs, &worker), DUCT_OK);
	CHECK(reads_as(worker, "receiver jobs of anycast jobs: 0 of 3 messages, open") && !duct_receiver_is_cut_off(worker));
	duct_receiver_close(worker);
	CHECK(reads_as(worker, "receiver jobs of anycast jobs: 0 of 3 messages, closed"));
	duct_receiver_free(worker);
	duct_channel_free(jobs);
	duct_receiver_free(rx);
	duct_receiver_free(slow);
	duct_sender_free(tx);
	duct_channel_free(channel);
}

/* The line is cut to the buffer, of which nothing is touched beyond the size; without a buffer only its length is told. */
TEST(receiver_describe, keeps_to_the_buffer, 5)
{
	duct_channel *channel = broadcast_of(8);
	duct_receiver *rx = subscribe_as(channel, DUCT_SUBSCRIPTION(.name = "chart"));
	const size_t length = strlen("receiver chart of broadcast prices: 0 of 50 messages, open");
	char line[] = "123456789";

	CHECK(duct_receiver_describe(rx, NULL, 100) == length && duct_receiver_describe(rx, NULL, 0) == length);
	CHECK(duct_receiver_describe(rx, line, 5) == length && memcmp(line, "rece\0006789", 10) == 0);
	CHECK(duct_receiver_describe(NULL, line, sizeof line) == 0 && strcmp(line, "") == 0);
	CHECK(duct_receiver_describe(NULL, NULL, 100) == 0);
	duct_receiver_free(rx);
	duct_channel_free(channel);
}

/* ---- What can be changed --------------------------------------------------------------------------------------- */

/* The largest replay that there can be is only not to be had; one more is none. */
TEST(set_replay, tells_what_cannot_be_from_what_is_not_there, 5)
{
	duct_channel *channel = broadcast_of(8);

	CHECK_STATUS(duct_channel_set_replay(channel, 2), DUCT_OK);
	store.is_empty = true;
	CHECK_STATUS(duct_channel_set_replay(channel, UINT32_MAX), DUCT_NOMEM);
#if SIZE_MAX > UINT32_MAX
	CHECK_STATUS(duct_channel_set_replay(channel, (size_t)UINT32_MAX + 1), DUCT_INVALID);
#endif
	CHECK(duct_channel_replay(channel) == 2);
	duct_channel_free(channel);
}

/* ---- Waiting for receivers ------------------------------------------------------------------------------------- */

/* A raised token comes first, and a token that nobody raises does not matter; nothing of the wait is left. */
TEST(wait_receivers, leaves_nothing_behind, 5)
{
	duct_channel *channel = broadcast_of(8);
	duct_cancel *raised, *token;

	CHECK_STATUS(duct_cancel_new(&raised, NULL, 0), DUCT_OK);
	CHECK_STATUS(duct_cancel_new(&token, NULL, DUCT_FOREVER), DUCT_OK);
	CHECK_STATUS(duct_channel_wait_receivers(channel, 0, DUCT_FOREVER, raised), DUCT_CANCELED);
	CHECK_STATUS(duct_channel_wait_receivers(channel, 0, 0, token), DUCT_OK);
	CHECK_STATUS(duct_channel_wait_receivers(channel, 1, 0, token), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_channel_wait_receivers(channel, SIZE_MAX, 0, NULL), DUCT_TIMEDOUT);
#if SIZE_MAX > UINT32_MAX
	CHECK_STATUS(duct_channel_wait_receivers(channel, (size_t)UINT32_MAX + 1, 0, NULL), DUCT_TIMEDOUT);
#endif
	CHECK_STATUS(duct_channel_wait_receivers(channel, 0, -1, NULL), DUCT_INVALID);
	CHECK(channel->references == 1 && channel->queue.put.waiting == NULL && channel->queue.take.waiting == NULL);
	duct_cancel_free(raised);
	duct_cancel_free(token);
	duct_channel_free(channel);
}

/* ---- The log --------------------------------------------------------------------------------------------------- */

struct told {
	int calls, cancel_state;
	duct_log_event event;
	char text[300];
};

static void hear(const duct_log_event *event, void *context)
{
	struct told *told = context;

	told->calls++;
	told->event = *event;
	snprintf(told->text, sizeof told->text, "%s", event->text);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &told->cancel_state);
	pthread_setcancelstate(told->cancel_state, NULL);
}

/* The hook gets the receiver, how many it lost, and a line with all of it that differs by kind. */
TEST(log_tell_of, hands_over_the_event, 5)
{
	struct told told = { 0 };
	const struct log log = { .hook = hear, .context = &told, .channel = "prices" };
	int state;

	log_tell_of(&log, DUCT_LOG_LOST, "chart", 42);
	CHECK(told.calls == 1 && told.event.kind == DUCT_LOG_LOST && told.event.lost == 42 && told.event.suppressed == 0);
	CHECK(told.event.channel == log.channel && strcmp(told.event.receiver, "chart") == 0);
	CHECK(strcmp(told.text, "channel prices: receiver chart is too slow, messages lost: 42") == 0);
	CHECK(told.cancel_state == PTHREAD_CANCEL_DISABLE);
	log_tell_of(&log, DUCT_LOG_CUT_OFF, "chart", UINT64_MAX);
	CHECK(told.calls == 2 && told.event.kind == DUCT_LOG_CUT_OFF && told.event.lost == UINT64_MAX);
	CHECK(strcmp(told.text,
		  "channel prices: receiver chart was too slow and is cut off, messages lost: 18446744073709551615") == 0);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
	CHECK(state == PTHREAD_CANCEL_ENABLE);
}

/* Long names are cut off with the line, but not in the event. */
TEST(log_tell_of, cuts_long_names, 5)
{
	struct told told = { 0 };
	char name[1000];
	const struct log log = { .hook = hear, .context = &told, .channel = name };

	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = 0;
	log_tell_of(&log, DUCT_LOG_LOST, name, 1);
	CHECK(strlen(told.text) < 256 && strstr(told.text, "nnnn") != NULL);
	CHECK(told.event.channel == name && told.event.receiver == name);
}

/* What is refused is refused by any channel: only what could be is not supported. */
TEST(member, is_refused_before_it_is_not_supported, 5)
{
	struct test_pair pair = test_pair_new(8, 3);
	duct_receiver *rx = NULL;

	CHECK_STATUS(duct_subscribe(pair.channel, &rx, NULL), DUCT_UNSUPPORTED);
	CHECK_STATUS(duct_sender_subscribe(pair.tx, &rx, NULL), DUCT_UNSUPPORTED);
	CHECK_STATUS(duct_subscribe(pair.channel, &rx, DUCT_SUBSCRIPTION(.overflow = (duct_overflow)77)), DUCT_INVALID);
	CHECK_STATUS(duct_subscribe(pair.channel, &rx, DUCT_SUBSCRIPTION(.capacity = SIZE_MAX)), DUCT_INVALID);
	CHECK(rx == NULL && pair.channel->references == 3);
	CHECK_STATUS(duct_channel_wait_receivers(pair.channel, 1, 0, NULL), DUCT_UNSUPPORTED);
	CHECK_STATUS(duct_channel_wait_receivers(pair.channel, 1, -1, NULL), DUCT_INVALID);
	test_pair_free(&pair);
}

static void *come_and_go(void *argument)
{
	duct_channel *channel = argument;

	for (int n = 0; n < 200; n++) {
		duct_receiver *rx;

		CHECK_STATUS(duct_subscribe(channel, &rx, NULL), DUCT_OK);
		duct_receiver_free(rx);
	}
	return NULL;
}

/* Looks at a broadcast lock out those who come and go: for the race detectors. */
TEST(channel, is_looked_at_while_receivers_come_and_go, 20)
{
	duct_channel *channel;
	pthread_t thread;

	CHECK_STATUS(duct_broadcast_new(&channel, sizeof(int), NULL), DUCT_OK);
	thread = test_start(come_and_go, channel);
	for (int n = 0; n < 200; n++)
		CHECK(!duct_channel_is_full(channel) && duct_channel_is_empty(channel) &&
		      duct_channel_waiting_receivers(channel) == 0);
	test_join(thread);
	duct_channel_free(channel);
}

/* The line about an anycast channel has its whole capacity, that about a broadcast none. */
TEST(describe, tells_the_capacity_of_an_anycast_channel, 5)
{
	struct test_pair pair = test_pair_new(1, 1234567);
	duct_channel *broadcast;
	char line[256];

	CHECK(duct_channel_describe(pair.channel, line, sizeof line) < sizeof line);
	CHECK(strstr(line, ": 0 of 1234567 messages of 1 bytes") != NULL);
	CHECK_STATUS(duct_broadcast_new(&broadcast, 8, NULL), DUCT_OK);
	CHECK(duct_channel_describe(broadcast, line, sizeof line) < sizeof line);
	CHECK(strstr(line, ": 0 messages of 8 bytes") != NULL);
	duct_channel_free(broadcast);
	test_pair_free(&pair);
}

/* ---- Handles that go in the middle of a call ------------------------------------------------------------------- */

static struct {
	duct_channel *channel;
	duct_receiver *rx;
	int calls;
} going;

static void drop_and_free_channel(void *message, void *context)
{
	(void)message, (void)context;
	if (++going.calls == 1)
		duct_channel_free(going.channel);
}

static void keep_three(void)
{
	const duct_options options = {
		.size = sizeof options, .drop = drop_and_free_channel, .replay = 3, .allocator = &allocator
	};
	duct_sender *tx;

	memset(&store, 0, sizeof store);
	memset(&going, 0, sizeof going);
	CHECK_STATUS(duct_broadcast_new(&going.channel, sizeof(int), &options), DUCT_OK);
	CHECK_STATUS(duct_sender_new(going.channel, &tx), DUCT_OK);
	for (int n = 0; n < 3; n++)
		CHECK_STATUS(duct_send(tx, &n), DUCT_OK);
	duct_sender_free(tx);
	CHECK(going.calls == 0);
}

/* A close tells others that they may go, and calls hooks: then the last handle may go before it returns. */
TEST(close, keeps_the_channel_until_it_has_forgotten, 5)
{
	keep_three();
	duct_channel_close(going.channel, 1);
	CHECK(going.calls == 3 && store.taken == store.given_back);
}

/* So does a change of what is kept. */
TEST(set_replay, keeps_the_channel_until_it_has_dropped, 5)
{
	keep_three();
	CHECK_STATUS(duct_channel_set_replay(going.channel, 1), DUCT_OK);
	CHECK(going.calls == 3 && store.taken == store.given_back); /* the last one by the close that this comes to */
}

static int copy_and_free_receiver(void *to, const void *from, void *context)
{
	(void)context;
	if (++going.calls == 1)
		duct_receiver_free(going.rx);
	memcpy(to, from, sizeof(int));
	return 0;
}

static int free_and_copy(void *to, const void *from, void *context)
{
	if (++going.calls == 1) { /* the other channel goes with its last end */
		duct_sender_free(*(duct_sender **)context);
		duct_receiver_free(going.rx);
	}
	memcpy(to, from, sizeof(int));
	return 0;
}

/* A select that has to call hooks keeps the ends of all its cases meanwhile: one may be freed by them. */
TEST(select, keeps_its_ends_while_hooks_run, 5)
{
	for (int form = 0; form < 4; form++) {
		duct_receiver *rx[2];
		duct_channel *channel;
		duct_sender *tx, *other;
		int in, out = 5;
		size_t chosen = 77;
		duct_status status;

		memset(&going, 0, sizeof going);
		CHECK_STATUS(
		    duct_broadcast_new(&channel, sizeof(int), DUCT_OPTIONS(.copy = free_and_copy, .context = &other)), DUCT_OK);
		CHECK_STATUS(duct_sender_new(channel, &tx), DUCT_OK);
		CHECK_STATUS(duct_receiver_new(channel, &rx[0]), DUCT_OK);
		CHECK_STATUS(duct_receiver_new(channel, &rx[1]), DUCT_OK);
		CHECK_STATUS(duct_anycast_open(&other, &going.rx, sizeof(int), 1, NULL), DUCT_OK);
		{
			duct_case cases[2] = { DUCT_SEND(tx, &out), DUCT_RECV(going.rx, &in) };

			if (form == 0)
				status = duct_try_select(cases, 2, &chosen);
			else if (form == 1)
				status = duct_select(cases, 2, &chosen);
			else
				status =
				    duct_select_until(cases, 2, &chosen, DUCT_PRIORITY, form == 2 ? 0 : DUCT_FOREVER, NULL);
			CHECK_STATUS(status, DUCT_OK);
			/* The send; or, where that was looked at later, the end of the receiver. */
			CHECK(going.calls > 0 && cases[chosen].status == (chosen == 0 ? DUCT_OK : DUCT_CLOSED));
		}
		duct_sender_free(tx);
		duct_receiver_free(rx[0]);
		duct_receiver_free(rx[1]);
		duct_channel_free(channel);
	}
}

/* A hook may free the receiver that is made into a peekable: then there is none. */
TEST(into_peekable, keeps_its_receiver, 5)
{
	const duct_options options = {
		.size = sizeof options, .copy = copy_and_free_receiver, .replay = 1, .allocator = &allocator
	};
	duct_peekable *peekable = NULL;
	duct_sender *tx;

	memset(&store, 0, sizeof store);
	memset(&going, 0, sizeof going);
	CHECK_STATUS(duct_broadcast_new(&going.channel, sizeof(int), &options), DUCT_OK);
	CHECK_STATUS(duct_subscribe(going.channel, &going.rx, NULL), DUCT_OK);
	CHECK_STATUS(duct_sender_new(going.channel, &tx), DUCT_OK);
	going.calls = 1;
	CHECK_STATUS(duct_send(tx, &(int){ 1 }), DUCT_OK);
	going.calls = 0;
	CHECK_STATUS(duct_receiver_into_peekable(going.rx, &peekable), DUCT_CLOSED);
	CHECK(going.calls > 0 && peekable == NULL);
	duct_sender_free(tx);
	duct_channel_free(going.channel);
	CHECK(store.taken == store.given_back);
}
