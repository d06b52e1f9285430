/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A channel: what its counts of handles and ends mean for the queue, its one block of memory, its name, its references, and
 * what becomes of messages that nobody will receive.
 */
#include "channel.h"
#include "harness.h"

/* ---- What the counts mean -------------------------------------------------------------------------------------- */

enum { MOST_HELD = 3 };

/* A channel of which the test holds so many handles and ends.  The keeper is a closed sender: it keeps the memory and counts
 * for nothing else. */
struct holding {
	duct_channel *channel; /* borrowed from the keeper */
	duct_sender *keeper;
	duct_channel *handles[MOST_HELD];
	duct_sender *senders[MOST_HELD];
	duct_receiver *receivers[MOST_HELD];
	size_t handle_count, sender_count, receiver_count;
	bool was_received;
	bool closed, no_receivers; /* what must be */
};

/* A channel like an anycast one. */
static duct_status make_channel(duct_channel **channel, size_t message_size, size_t capacity, const duct_options *options)
{
	return channel_new(channel,
	    &(struct channel_plan){ .kind = "test", .message_size = message_size, .capacity = capacity, .options = options });
}

static void holding_new(struct holding *holding)
{
	*holding = (struct holding){ .handle_count = 1 };
	CHECK_STATUS(make_channel(&holding->handles[0], sizeof(int), 4, NULL), DUCT_OK);
	CHECK_STATUS(duct_sender_new(holding->handles[0], &holding->keeper), DUCT_OK);
	duct_sender_close(holding->keeper);
	holding->channel = duct_sender_channel(holding->keeper);
	CHECK(holding->channel == holding->handles[0]);
}

/* The rules, in the words of duct.h: after something was given back. */
static void holding_settle(struct holding *holding)
{
	if (holding->handle_count == 0 && holding->sender_count == 0)
		holding->closed = true;
	if (holding->receiver_count == 0 && (holding->was_received || holding->handle_count == 0))
		holding->no_receivers = true;
}

static void holding_check(const struct holding *holding)
{
	const duct_channel *channel = holding->channel;
	duct_status puts = holding->closed ? DUCT_CLOSED : holding->no_receivers ? DUCT_NO_RECEIVERS : DUCT_OK;

	CHECK(channel->handles == holding->handle_count);
	CHECK(channel->senders == holding->sender_count && duct_channel_senders(channel) == holding->sender_count);
	CHECK(channel->receivers == holding->receiver_count && duct_channel_receivers(channel) == holding->receiver_count);
	CHECK(channel->was_received == holding->was_received);
	CHECK(duct_channel_is_closed(channel) == holding->closed);
	CHECK(channel->queue.put.at.ended == (uint32_t)puts);
	CHECK(channel->queue.take.at.ended == (holding->closed ? DUCT_CLOSED : DUCT_OK));
	/* The keeper is one more end, and nobody else has a reference. */
	CHECK(channel->references == holding->handle_count + holding->sender_count + holding->receiver_count + 1);
}

static void give_handle(struct holding *holding)
{
	duct_channel_free(holding->handles[--holding->handle_count]);
	holding_settle(holding);
}

static void give_sender(struct holding *holding)
{
	duct_sender_free(holding->senders[--holding->sender_count]);
	holding_settle(holding);
}

static void give_receiver(struct holding *holding)
{
	duct_receiver_free(holding->receivers[--holding->receiver_count]);
	holding_settle(holding);
}

static void get_handle(struct holding *holding)
{
	CHECK_STATUS(duct_channel_clone(holding->channel, &holding->handles[holding->handle_count]), DUCT_OK);
	holding->handle_count++;
	if (!holding->was_received)
		holding->no_receivers = false; /* there may be a receiver again */
}

static void get_sender(struct holding *holding)
{
	duct_sender **sender = &holding->senders[holding->sender_count];

	CHECK_STATUS(duct_sender_new(holding->channel, sender), holding->closed ? DUCT_CLOSED : DUCT_OK);
	holding->sender_count += !holding->closed;
}

static void get_receiver(struct holding *holding)
{
	CHECK_STATUS(duct_receiver_new(holding->channel, &holding->receivers[holding->receiver_count]), DUCT_OK);
	holding->receiver_count++;
	holding->was_received = true;
	holding->no_receivers = false;
}

static void holding_free(struct holding *holding)
{
	while (holding->sender_count > 0)
		give_sender(holding);
	while (holding->receiver_count > 0)
		give_receiver(holding);
	while (holding->handle_count > 0)
		give_handle(holding);
	holding_check(holding);
	CHECK(holding->closed);
	duct_sender_free(holding->keeper);
}

/* Every combination of handles, senders, receivers and whether there was a receiver once: closed, without receivers, open. */
TEST(settle, follows_the_rules_in_every_combination, 10)
{
	for (unsigned bits = 0; bits < 3 * 3 * 3 * 2; bits++) {
		size_t handles = bits % 3, senders = bits / 3 % 3, receivers = bits / 9 % 3;
		bool was_received = bits / 27;
		struct holding holding;

		if (receivers > 0 && !was_received)
			continue;
		holding_new(&holding);
		get_handle(&holding);
		while (holding.sender_count < senders)
			get_sender(&holding);
		while (holding.receiver_count < receivers)
			get_receiver(&holding);
		if (was_received && receivers == 0) {
			get_receiver(&holding);
			give_receiver(&holding);
		}
		while (holding.handle_count > handles)
			give_handle(&holding);
		holding_check(&holding);
		CHECK(holding.closed == (handles == 0 && senders == 0));
		CHECK(holding.no_receivers == (receivers == 0 && (handles == 0 || was_received)));
		holding_free(&holding);
	}
}

/* The same on any way that leads there: handles and ends come and go in any order, and come back to life in some. */
TEST(settle, follows_the_rules_on_any_way, 20)
{
	for (uint32_t seed = 1; seed <= 150; seed++) {
		uint32_t random = seed * 2654435761u;
		struct holding holding;

		holding_new(&holding);
		for (int step = 0; step < 40; step++) {
			switch (test_random(&random) % 6) {
			case 0:
				if (holding.handle_count < MOST_HELD)
					get_handle(&holding);
				break;
			case 1:
				if (holding.sender_count < MOST_HELD)
					get_sender(&holding);
				break;
			case 2:
				if (holding.receiver_count < MOST_HELD)
					get_receiver(&holding);
				break;
			case 3:
				if (holding.handle_count > 0)
					give_handle(&holding);
				break;
			case 4:
				if (holding.sender_count > 0)
					give_sender(&holding);
				break;
			default:
				if (holding.receiver_count > 0)
					give_receiver(&holding);
			}
			holding_check(&holding);
		}
		holding_free(&holding);
	}
}

/* A close by hand closes both sides with its reason, once, and is not undone by a receiver. */
TEST(close, ends_both_sides_for_good, 5)
{
	struct holding holding;

	holding_new(&holding);
	duct_channel_close(holding.channel, 42);
	holding.closed = true;
	holding_check(&holding);
	duct_channel_close(holding.channel, 43);
	get_receiver(&holding);
	get_sender(&holding);
	holding_check(&holding);
	CHECK(duct_channel_reason(holding.channel) == 42);
	holding_free(&holding);
}

/* To close an end twice, or close and free it, counts once. */
TEST(close, of_an_end_counts_once, 5)
{
	struct holding holding;

	holding_new(&holding);
	get_sender(&holding);
	get_sender(&holding);
	duct_sender_close(holding.senders[1]);
	duct_sender_close(holding.senders[1]);
	CHECK(duct_channel_senders(holding.channel) == 1);
	give_sender(&holding);
	holding_check(&holding);
	holding_free(&holding);
}

/* ---- Memory ---------------------------------------------------------------------------------------------------- */

enum { MOST_BLOCKS = 16 };

/* An allocator that knows each of its blocks. */
struct shelf {
	struct {
		unsigned char *begin;
		size_t size;
	} blocks[MOST_BLOCKS];
	size_t allocations, held;
	bool is_empty; /* has nothing to give */
};

static void *shelf_allocate(size_t size, void *context)
{
	struct shelf *shelf = context;
	unsigned char *begin;

	if (shelf->is_empty)
		return NULL;
	CHECK(shelf->allocations < MOST_BLOCKS);
	begin = malloc(size);
	CHECK(begin != NULL);
	shelf->blocks[shelf->allocations].begin = begin;
	shelf->blocks[shelf->allocations++].size = size;
	shelf->held++;
	return begin;
}

static void shelf_release(void *memory, void *context)
{
	struct shelf *shelf = context;

	for (size_t i = 0; i < shelf->allocations; i++) {
		if (shelf->blocks[i].begin == memory) {
			shelf->blocks[i].begin = NULL;
			shelf->held--;
			free(memory);
			return;
		}
	}
	abort(); /* never allocated, or released twice */
}

static bool lies_within(const struct shelf *shelf, size_t block, const void *begin, size_t size)
{
	const unsigned char *first = shelf->blocks[block].begin, *from = begin;

	return from >= first && from + size <= first + shelf->blocks[block].size;
}

/* Channel, ring and name lie in one block, apart from each other; each end takes one more; all are released. */
TEST(memory, is_one_block_a_channel_and_one_an_end, 5)
{
	static const size_t sizes[] = { 0, 1, 8, 100 }, capacities[] = { 0, 1, 7 };

	for (size_t i = 0; i < ARRAY_LEN(sizes) * ARRAY_LEN(capacities); i++) {
		size_t size = sizes[i % ARRAY_LEN(sizes)], capacity = capacities[i / ARRAY_LEN(sizes)];
		const char *given = "a name that is longer than the names that channels are given by themselves";
		struct shelf shelf = { 0 };
		const duct_allocator allocator = { shelf_allocate, shelf_release, &shelf };
		const duct_options *options = DUCT_OPTIONS(.name = given, .allocator = &allocator);
		const struct ring *ring;
		unsigned char message[100];
		duct_channel *channel;
		duct_sender *tx;
		duct_receiver *rx;

		CHECK_STATUS(make_channel(&channel, size, capacity, options), DUCT_OK);
		CHECK(shelf.allocations == 1 && lies_within(&shelf, 0, channel, sizeof *channel));
		CHECK((uintptr_t)channel % CACHE_LINE == 0);
		CHECK(lies_within(&shelf, 0, channel->name, strlen(given) + 1) && channel->name != given);
		ring = &channel->queue.ring;
		CHECK(ring->slots >= (unsigned char *)(channel + 1));
		CHECK(lies_within(&shelf, 0, ring->slots, (capacity ? capacity : 1) * ring->stride));
		CHECK_STATUS(duct_sender_new(channel, &tx), DUCT_OK);
		CHECK_STATUS(duct_receiver_new(channel, &rx), DUCT_OK);
		CHECK(shelf.allocations == 3);
		CHECK(lies_within(&shelf, 1, tx, sizeof *tx) && lies_within(&shelf, 2, rx, sizeof *rx));
		memset(message, 0xff, sizeof message);
		for (size_t m = 0; m < capacity; m++)
			CHECK_STATUS(duct_try_send(tx, message), DUCT_OK);
		CHECK(strcmp(duct_channel_name(channel), given) == 0);
		duct_channel_free(channel);
		duct_sender_free(tx);
		CHECK(shelf.held == 2);
		duct_receiver_free(rx);
		CHECK(shelf.held == 0 && shelf.allocations == 3);
	}
}

/* Where an end's memory is not to be had nothing is counted and nothing kept. */
TEST(memory, that_an_end_does_not_get_changes_nothing, 5)
{
	struct shelf shelf = { 0 };
	const duct_allocator allocator = { shelf_allocate, shelf_release, &shelf };
	duct_channel *channel;
	duct_sender *tx = NULL;
	duct_receiver *rx = NULL;

	CHECK_STATUS(make_channel(&channel, 8, 8, DUCT_OPTIONS(.allocator = &allocator)), DUCT_OK);
	shelf.is_empty = true;
	CHECK_STATUS(duct_sender_new(channel, &tx), DUCT_NOMEM);
	CHECK_STATUS(duct_receiver_new(channel, &rx), DUCT_NOMEM);
	CHECK(tx == NULL && rx == NULL && channel->references == 1);
	CHECK(channel->senders == 0 && channel->receivers == 0 && !channel->was_received);
	duct_channel_free(channel);
	CHECK(shelf.held == 0);
}

/* An end that is refused leaves neither memory nor a reference behind. */
TEST(memory, of_an_end_that_is_refused_is_released, 5)
{
	struct shelf shelf = { 0 };
	const duct_allocator allocator = { shelf_allocate, shelf_release, &shelf };
	duct_channel *channel;
	duct_sender *tx = NULL;

	CHECK_STATUS(make_channel(&channel, 8, 8, DUCT_OPTIONS(.allocator = &allocator)), DUCT_OK);
	duct_channel_close(channel, 1);
	CHECK_STATUS(duct_sender_new(channel, &tx), DUCT_CLOSED);
	CHECK(tx == NULL && shelf.held == 1 && channel->references == 1);
	duct_channel_free(channel);
	CHECK(shelf.held == 0);
}

/* ---- Names ----------------------------------------------------------------------------------------------------- */

/* A name that is given is copied, an empty one too. */
TEST(name, is_copied, 5)
{
	char given[] = "jobs";
	duct_channel *channels[2];

	CHECK_STATUS(make_channel(&channels[0], 8, 8, DUCT_OPTIONS(.name = given)), DUCT_OK);
	CHECK_STATUS(make_channel(&channels[1], 8, 8, DUCT_OPTIONS(.name = "")), DUCT_OK);
	given[0] = 'x';
	CHECK(strcmp(duct_channel_name(channels[0]), "jobs") == 0);
	CHECK(strcmp(duct_channel_name(channels[1]), "") == 0);
	duct_channel_free(channels[0]);
	duct_channel_free(channels[1]);
}

/* Without one the name is made of the kind and a number that no other channel has. */
TEST(name, is_made_of_kind_and_number, 5)
{
	duct_channel *channels[2];
	char expected[2][64];

	for (size_t i = 0; i < 2; i++) {
		CHECK_STATUS(make_channel(&channels[i], 8, 8, NULL), DUCT_OK);
		snprintf(expected[i], sizeof expected[i], "test-%lu", (unsigned long)channels[i]->queue.id);
		CHECK(strcmp(duct_channel_name(channels[i]), expected[i]) == 0);
	}
	CHECK(strcmp(expected[0], expected[1]) != 0);
	duct_channel_free(channels[0]);
	duct_channel_free(channels[1]);
}

/* The log gets the channel's name and its own queue, and an interval of a second unless one is given. */
TEST(options, reach_the_log, 5)
{
	duct_channel *plain, *quick;

	CHECK_STATUS(make_channel(&plain, 8, 8, NULL), DUCT_OK);
	CHECK_STATUS(make_channel(&quick, 8, 8, DUCT_OPTIONS(.log_interval = 5)), DUCT_OK);
	CHECK(plain->hooks.log == NULL && plain->log.interval == 1000000000);
	CHECK(quick->log.interval == 5 && quick->log.queue == &quick->queue);
	CHECK(quick->log.channel == quick->name);
	duct_channel_free(plain);
	duct_channel_free(quick);
}

/* ---- Messages that nobody will receive ------------------------------------------------------------------------- */

/* What the drop hook saw: messages begin with their number, and come in order. */
struct pit {
	uint16_t next;
	size_t size, dropped;
};

static void drop_numbered(void *message, void *context)
{
	struct pit *pit = context;
	uint16_t number;
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	CHECK(state == PTHREAD_CANCEL_DISABLE);
	if (pit->size >= sizeof number) {
		memcpy(&number, message, sizeof number);
		CHECK(number == pit->next);
		CHECK((uintptr_t)message % _Alignof(uint16_t) == 0);
	}
	pit->next++;
	pit->dropped++;
}

#define PIT_CAPACITY 5

/* A channel full of numbered messages whose oldest lies in the middle of the ring. */
static duct_channel *pit_fill(struct pit *pit, duct_sender **tx, duct_receiver **rx, size_t size, const duct_allocator *from)
{
	const duct_options *options = DUCT_OPTIONS(.drop = drop_numbered, .context = pit, .allocator = from);
	unsigned char message[2000] = { 0 };
	uint16_t number = 0;
	duct_channel *channel;

	*pit = (struct pit){ .size = size };
	CHECK_STATUS(make_channel(&channel, size, PIT_CAPACITY, options), DUCT_OK);
	CHECK_STATUS(duct_sender_new(channel, tx), DUCT_OK);
	CHECK_STATUS(duct_receiver_new(channel, rx), DUCT_OK);
	for (; number < 3; number++)
		CHECK_STATUS(duct_try_send(*tx, message), DUCT_OK);
	for (; number > 0; number--)
		CHECK_STATUS(duct_try_recv(*rx, message), DUCT_OK);
	for (; number < PIT_CAPACITY; number++) {
		memcpy(message, &number, sizeof number);
		CHECK_STATUS(duct_try_send(*tx, message), DUCT_OK);
	}
	return channel;
}

static const size_t message_sizes[] = { 0, 2, 8, 24, 1022, 1024, 1026, 2000 };

/* A discard drops each message once and in order, whatever its size, and the channel goes on. */
TEST(discard, drops_each_message_once, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(message_sizes); i++) {
		size_t discarded = 77;
		duct_channel *channel;
		duct_sender *tx;
		duct_receiver *rx;
		struct pit pit;

		channel = pit_fill(&pit, &tx, &rx, message_sizes[i], NULL);
		CHECK_STATUS(duct_channel_discard(channel, &discarded), DUCT_OK);
		CHECK(discarded == PIT_CAPACITY && pit.dropped == PIT_CAPACITY && duct_channel_len(channel) == 0);
		CHECK_STATUS(duct_channel_discard(channel, &discarded), DUCT_OK);
		CHECK(discarded == 0 && pit.dropped == PIT_CAPACITY && channel->references == 3);
		duct_sender_free(tx);
		duct_receiver_free(rx);
		duct_channel_free(channel);
		CHECK(pit.dropped == PIT_CAPACITY);
	}
}

/* The last that goes leaves the rest to the drop hook, each once and in order, be it a handle or an end. */
TEST(free, drops_what_is_left, 5)
{
	for (size_t i = 0; i < 3 * ARRAY_LEN(message_sizes); i++) {
		duct_channel *channel;
		duct_sender *tx;
		duct_receiver *rx;
		struct pit pit;

		channel = pit_fill(&pit, &tx, &rx, message_sizes[i / 3], NULL);
		for (size_t step = i; step < i + 3; step++) {
			if (step % 3 == 0)
				duct_channel_free(channel);
			else if (step % 3 == 1)
				duct_sender_free(tx);
			else
				duct_receiver_free(rx);
		}
		CHECK(pit.dropped == PIT_CAPACITY);
	}
}

/* When nobody is left who could receive, messages are dropped at once, though senders are there and keep the channel. */
TEST(free, drops_at_once_what_nobody_can_receive, 5)
{
	for (int handle_is_last = 0; handle_is_last < 2; handle_is_last++) {
		duct_channel *channel;
		duct_sender *tx;
		duct_receiver *rx;
		struct pit pit;

		channel = pit_fill(&pit, &tx, &rx, 8, NULL);
		if (handle_is_last)
			duct_receiver_free(rx);
		else
			duct_channel_free(channel);
		CHECK(pit.dropped == 0);
		if (handle_is_last)
			duct_channel_free(channel);
		else
			duct_receiver_free(rx);
		CHECK(pit.dropped == PIT_CAPACITY && duct_channel_len(duct_sender_channel(tx)) == 0);
		duct_sender_free(tx);
		CHECK(pit.dropped == PIT_CAPACITY);
	}
}

/* Without a drop hook a discard needs neither memory nor a look at the messages. */
TEST(discard, without_a_hook_just_empties, 5)
{
	struct test_pair pair = test_pair_new(2000, 100);
	static const unsigned char message[2000];
	size_t discarded = 77;

	for (int i = 0; i < 99; i++)
		CHECK_STATUS(duct_try_send(pair.tx, message), DUCT_OK);
	CHECK_STATUS(duct_channel_discard(pair.channel, &discarded), DUCT_OK);
	CHECK(discarded == 99 && duct_channel_len(pair.channel) == 0);
	CHECK_STATUS(duct_channel_discard(pair.channel, NULL), DUCT_OK);
	test_pair_free(&pair);
}

/* A message of 1 KiB is discarded without memory; a larger one takes one block for a moment. */
TEST(discard, takes_memory_for_large_messages_only, 5)
{
	for (int is_large = 0; is_large < 2; is_large++) {
		struct shelf shelf = { 0 };
		const duct_allocator allocator = { shelf_allocate, shelf_release, &shelf };
		duct_channel *channel;
		duct_sender *tx;
		duct_receiver *rx;
		struct pit pit;

		channel = pit_fill(&pit, &tx, &rx, is_large ? 1026 : 1024, &allocator);
		CHECK_STATUS(duct_channel_discard(channel, NULL), DUCT_OK);
		CHECK(pit.dropped == PIT_CAPACITY && shelf.held == 3);
		CHECK(shelf.allocations == (is_large ? 4 : 3));
		duct_channel_free(channel);
		duct_receiver_free(rx);
		duct_sender_free(tx);
		CHECK(shelf.held == 0);
	}
}

/* A large message needs memory to be discarded: without it nothing is lost, and the last free drops it in place. */
TEST(discard, without_memory_loses_nothing, 5)
{
	struct shelf shelf = { 0 };
	const duct_allocator allocator = { shelf_allocate, shelf_release, &shelf };
	size_t discarded = 77;
	duct_channel *channel;
	duct_sender *tx;
	duct_receiver *rx;
	struct pit pit;

	channel = pit_fill(&pit, &tx, &rx, 2000, &allocator);
	shelf.is_empty = true;
	CHECK_STATUS(duct_channel_discard(channel, &discarded), DUCT_NOMEM);
	CHECK(discarded == 77 && pit.dropped == 0 && duct_channel_len(channel) == PIT_CAPACITY);
	CHECK(channel->references == 3);
	duct_channel_free(channel);
	duct_receiver_free(rx);
	duct_sender_free(tx);
	CHECK(pit.dropped == PIT_CAPACITY && shelf.held == 0);
}

/* What the log is told of a sender that waits differs by kind: a broadcast without receivers is not full. */
TEST(channel_log, says_what_a_sender_waits_for, 5)
{
	duct_channel *anycast, *broadcast;

	CHECK_STATUS(duct_anycast_new(&anycast, 8, 1, NULL), DUCT_OK);
	CHECK_STATUS(duct_broadcast_new(&broadcast, 8, NULL), DUCT_OK);
	CHECK(strstr(anycast->log.blocked, "full") != NULL && strstr(broadcast->log.blocked, "full") == NULL);
	CHECK(strstr(broadcast->log.blocked, "receivers") != NULL);
	duct_channel_free(anycast);
	duct_channel_free(broadcast);
}
