/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The cache: its table and order against a plain array, the keys it is asked for, how much it takes in, and what becomes of a
 * message that is popped while it is being copied; and the peekable on top of it.
 *
 * Whatever happens in the middle of a call is done by the hooks that the call runs there, in the same thread: which they may,
 * for no lock is held then.
 */
#include "cache.h"
#include "desk.h"

#include "../contract/instances.h"

#include "ends.h"

/* ---- Hooks that act -------------------------------------------------------------------------------------------- */

/* What is done in the middle of a call: at the so-manieth allocation or copy from now; 0: never. */
static struct {
	size_t taken, given_back;
	size_t at_allocation, at_copy;
	void (*act)(void);
	bool is_empty; /* the allocator has nothing to give */
} hooks;

static void act_at(size_t *moment)
{
	if (*moment > 0 && --*moment == 0)
		hooks.act();
}

static void *take(size_t size, void *context)
{
	(void)context;
	act_at(&hooks.at_allocation);
	if (hooks.is_empty)
		return NULL;
	hooks.taken++;
	return malloc(size);
}

static void give_back(void *memory, void *context)
{
	(void)context;
	hooks.given_back++;
	free(memory);
}

static const duct_allocator allocator = { take, give_back, NULL };

static int copy(void *to, const void *from, void *context)
{
	act_at(&hooks.at_copy);
	return instance_copy(to, from, context);
}

/* ---- A cache of instances -------------------------------------------------------------------------------------- */

/* The numbers of messages are their keys. */
static const void *number_of(const void *message, size_t *size, void *context)
{
	(void)context;
	*size = sizeof(int);
	return message;
}

static struct {
	duct_channel *channel;
	duct_sender *tx;
	duct_cache *cache;
} world;

/* Over a receiver of a channel of that capacity, with all hooks. */
static void world_new(size_t capacity)
{
	duct_receiver *rx;

	CHECK_STATUS(duct_anycast_new(&world.channel, sizeof(struct instance), capacity,
			 DUCT_OPTIONS(.copy = copy, .drop = instance_drop, .allocator = &allocator)),
	    DUCT_OK);
	CHECK_STATUS(duct_sender_new(world.channel, &world.tx), DUCT_OK);
	CHECK_STATUS(duct_receiver_new(world.channel, &rx), DUCT_OK);
	CHECK_STATUS(duct_cache_new(&world.cache, rx, number_of, NULL), DUCT_OK);
}

/* No instance and no memory is left. */
static void world_free(void)
{
	duct_cache_free(world.cache);
	duct_sender_free(world.tx);
	duct_channel_free(world.channel);
	CHECK(instances_alive() == 0 && hooks.taken == hooks.given_back);
}

static void put(int key)
{
	CHECK_STATUS(instance_send(world.tx, key), DUCT_OK);
}

/* Takes a key out, whose message ends here; its id. */
static duct_status pop(int key, int *id)
{
	struct instance in = { -1, -1 };
	duct_status status = duct_cache_pop(world.cache, &key, sizeof key, &in);

	if (status == DUCT_OK) {
		CHECK(in.number == key);
		instance_end(&in);
	}
	*id = in.id;
	return status;
}

static duct_status get(int key, int *id)
{
	struct instance in = { -1, -1 };
	duct_status status = duct_cache_get(world.cache, &key, sizeof key, &in);

	if (status == DUCT_OK) {
		CHECK(in.number == key);
		instance_end(&in);
	}
	*id = in.id;
	return status;
}

static bool has(int key)
{
	return duct_cache_contains(world.cache, &key, sizeof key);
}

/* ---- Against an array ------------------------------------------------------------------------------------------ */

enum { KEYS = 300, STEPS = 30000 };

struct reading {
	int key, value;
};

struct model {
	struct reading readings[KEYS];
	size_t len;
};

/* Where a key is; len if it is not there. */
static size_t model_find(const struct model *model, int key)
{
	size_t i = 0;

	while (i < model->len && model->readings[i].key != key)
		i++;
	return i;
}

static void model_put(struct model *model, int key, int value)
{
	size_t i = model_find(model, key);

	model->readings[i] = (struct reading){ key, value };
	model->len += i == model->len;
}

static void model_take_out(struct model *model, size_t i)
{
	model->len--;
	memmove(&model->readings[i], &model->readings[i + 1], (model->len - i) * sizeof model->readings[0]);
}

static void check_get(duct_cache *cache, struct model *model, int key, bool pops)
{
	struct reading in = { -1, -1 };
	size_t i = model_find(model, key);
	duct_status status = pops ? duct_cache_pop(cache, &key, sizeof key, &in) : duct_cache_get(cache, &key, sizeof key, &in);

	CHECK_STATUS(status, i < model->len ? DUCT_OK : DUCT_EMPTY);
	CHECK(i < model->len ? memcmp(&in, &model->readings[i], sizeof in) == 0 : in.key == -1);
	if (pops && status == DUCT_OK)
		model_take_out(model, i);
}

static void check_pop_last(duct_cache *cache, struct model *model)
{
	struct reading in = { -1, -1 };

	CHECK_STATUS(duct_cache_pop_last(cache, &in), model->len > 0 ? DUCT_OK : DUCT_EMPTY);
	if (model->len > 0) {
		CHECK(memcmp(&in, &model->readings[model->len - 1], sizeof in) == 0);
		model->len--;
	}
}

/* All of it, by the cursor and as a snapshot. */
static void check_all(duct_cache *cache, const struct model *model)
{
	static struct reading readings[KEYS + 1];
	uint64_t cursor = 0;
	size_t count;

	CHECK(duct_cache_len(cache) == model->len);
	CHECK_STATUS(duct_cache_snapshot(cache, readings, SIZE_MAX, &count), DUCT_OK);
	CHECK(count == model->len && memcmp(readings, model->readings, count * sizeof readings[0]) == 0);
	for (size_t i = 0; i < model->len; i++) {
		CHECK_STATUS(duct_cache_next(cache, &cursor, &readings[0]), DUCT_OK);
		CHECK(memcmp(&readings[0], &model->readings[i], sizeof readings[0]) == 0);
	}
	CHECK_STATUS(duct_cache_next(cache, &cursor, &readings[0]), DUCT_EMPTY);
}

/* Any steps, on a table that grows while keys come and go: mostly more at first, then as many, then fewer. */
TEST(cache, does_what_an_array_would, 20)
{
	struct test_pair pair = test_pair_new(sizeof(struct reading), 8);
	static struct model model;
	uint32_t random = 2463534242u;
	duct_cache *cache;

	CHECK_STATUS(duct_cache_new(&cache, pair.rx, number_of, NULL), DUCT_OK);
	for (int step = 0; step < STEPS; step++) {
		const uint32_t puts = step < STEPS / 3 ? 7 : step < STEPS * 2 / 3 ? 5 : 3, what = test_random(&random) % 12;
		const struct reading reading = { (int)(test_random(&random) % KEYS), step };

		if (what < puts) {
			CHECK_STATUS(duct_try_send(pair.tx, &reading), DUCT_OK);
			model_put(&model, reading.key, reading.value);
			CHECK(duct_cache_contains(cache, &reading.key, sizeof reading.key));
		} else if (what == 11) {
			check_pop_last(cache, &model);
		} else {
			check_get(cache, &model, reading.key, what < 10);
		}
		if (step % 1000 == 999)
			check_all(cache, &model);
	}
	CHECK_STATUS(duct_cache_clear(cache), DUCT_OK);
	CHECK(duct_cache_len(cache) == 0);
	duct_cache_free(cache);
	pair.rx = NULL;
	test_pair_free(&pair);
}

/* Memory that malloc gives next is not clean. */
static void dirty_the_heap(void)
{
	unsigned char *blocks[64];

	for (size_t b = 0; b < ARRAY_LEN(blocks); b++) {
		blocks[b] = malloc(16 * (b + 1));
		CHECK(blocks[b] != NULL);
		memset(blocks[b], 0xff, 16 * (b + 1));
	}
	for (size_t b = 0; b < ARRAY_LEN(blocks); b++)
		free(blocks[b]);
}

/* A fresh cache has no key, whatever was in its memory before. */
TEST(cache, begins_empty, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 64);
	duct_cache *cache;

	dirty_the_heap();
	CHECK_STATUS(duct_cache_new(&cache, pair.rx, number_of, NULL), DUCT_OK);
	CHECK(cache_channel(cache) == pair.channel);
	for (int key = 0; key < 1000; key++)
		CHECK(!duct_cache_contains(cache, &key, sizeof key));
	duct_cache_free(cache);
	pair.rx = NULL;
	test_pair_free(&pair);
}

/* What can never work makes nothing, and the receiver stays the caller's. */
TEST(cache, is_made_of_everything_it_needs, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 3);
	duct_cache *cache = NULL;
	duct_latest *latest = NULL;

	CHECK_STATUS(duct_cache_new(NULL, pair.rx, number_of, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_cache_new(&cache, NULL, number_of, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_cache_new(&cache, pair.rx, NULL, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_latest_new(NULL, pair.rx), DUCT_INVALID);
	CHECK_STATUS(duct_latest_new(&latest, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_cache_clear(NULL), DUCT_INVALID);
	CHECK(cache == NULL && latest == NULL && pair.channel->receivers == 1);
	test_pair_free(&pair);
}

/* ---- Keys ------------------------------------------------------------------------------------------------------ */

enum { KEY_SIZE = 100 };

/* The message is a text of so many bytes, all of which is the key. */
struct text {
	size_t size;
	unsigned char bytes[KEY_SIZE];
};

static size_t asked; /* for keys */

static const void *bytes_of(const void *message, size_t *size, void *context)
{
	const struct text *text = message;

	CHECK(context == &asked);
	asked++;
	*size = text->size;
	return text->bytes;
}

static duct_cache *cache_of_texts(struct test_pair *pair)
{
	duct_cache *cache;

	*pair = test_pair_new(sizeof(struct text), 500);
	CHECK_STATUS(duct_cache_new(&cache, pair->rx, bytes_of, &asked), DUCT_OK);
	pair->rx = NULL;
	return cache;
}

/* A message's key is asked for when it comes, and when a call looks for that key or puts it elsewhere, and not for others: keys
 * that differ in one byte only, wherever that is, are told apart before. */
TEST(cache_keys, are_asked_of_whom_they_concern, 5)
{
	struct test_pair pair;
	duct_cache *cache = cache_of_texts(&pair);
	struct text text = { .size = KEY_SIZE }, in;

	for (size_t i = 0; i < 2 * KEY_SIZE; i++) {
		memset(text.bytes, 0, sizeof text.bytes);
		text.bytes[i / 2] = i % 2 ? 1 : 0x80;
		CHECK_STATUS(duct_send(pair.tx, &text), DUCT_OK);
	}
	CHECK(duct_cache_len(cache) == 2 * KEY_SIZE && asked == 2 * KEY_SIZE);
	for (size_t i = 0; i < 2 * KEY_SIZE; i++) {
		memset(text.bytes, 0, sizeof text.bytes);
		text.bytes[i / 2] = i % 2 ? 1 : 0x80;
		asked = 0;
		CHECK_STATUS(duct_cache_get(cache, text.bytes, text.size, &in), DUCT_OK);
		CHECK(asked == 1 && memcmp(in.bytes, text.bytes, sizeof in.bytes) == 0);
	}
	duct_cache_free(cache);
	test_pair_free(&pair);
}

/* Keys that are known to come to the same hash: two of one length, and two of which one begins the other. */
TEST(cache_keys, of_one_hash_are_told_apart, 5)
{
	static const struct text texts[] = {
		{ 20, "8yn0iYCKYHlIj4-BwPqk" },
		{ 20, "GReLUrM4wMqfg9yzV3KQ" },
		{ 9, "\xd5\x6b\xb9\x53\x42\x87\x08\x36" },
		{ 8, "\xd5\x6b\xb9\x53\x42\x87\x08\x36" },
	};
	struct test_pair pair;
	duct_cache *cache = cache_of_texts(&pair);
	struct text in;

	for (size_t t = 0; t < ARRAY_LEN(texts); t++)
		CHECK_STATUS(duct_send(pair.tx, &texts[t]), DUCT_OK);
	CHECK(duct_cache_len(cache) == ARRAY_LEN(texts));
	for (size_t t = 0; t < ARRAY_LEN(texts); t++) {
		asked = 0;
		CHECK_STATUS(duct_cache_get(cache, texts[t].bytes, texts[t].size, &in), DUCT_OK);
		CHECK(in.size == texts[t].size && memcmp(in.bytes, texts[t].bytes, in.size) == 0);
		CHECK(asked == 1 || asked == 2);
	}
	for (size_t t = 0; t < ARRAY_LEN(texts); t++) {
		CHECK_STATUS(duct_cache_pop(cache, texts[t].bytes, texts[t].size, &in), DUCT_OK);
		CHECK(in.size == texts[t].size && memcmp(in.bytes, texts[t].bytes, in.size) == 0);
		CHECK(!duct_cache_contains(cache, texts[t].bytes, texts[t].size));
	}
	duct_cache_free(cache);
	test_pair_free(&pair);
}

/* No key is not the key of no bytes. */
TEST(cache_keys, of_no_bytes_may_be_null, 5)
{
	struct test_pair pair;
	duct_cache *cache = cache_of_texts(&pair);
	const struct text empty = { .size = 0 };
	struct text in;

	CHECK_STATUS(duct_send(pair.tx, &empty), DUCT_OK);
	CHECK(duct_cache_contains(cache, NULL, 0) && !duct_cache_contains(cache, NULL, 4));
	CHECK_STATUS(duct_cache_get(cache, NULL, 4, &in), DUCT_INVALID);
	CHECK_STATUS(duct_cache_pop(cache, NULL, 4, &in), DUCT_INVALID);
	CHECK_STATUS(duct_cache_pop(cache, NULL, 0, &in), DUCT_OK);
	CHECK(in.size == 0 && duct_cache_len(cache) == 0);
	duct_cache_free(cache);
	test_pair_free(&pair);
}

/* Where messages have no bytes there is nothing to write to; where they have one there must be. */
TEST(cache, of_messages_of_no_bytes_writes_nothing, 5)
{
	struct test_pair pair;
	duct_latest *latest;
	char in = 'x';

	for (size_t size = 0; size < 2; size++) {
		duct_channel *channel;
		duct_peekable *peekable;
		duct_sender *tx;

		pair = test_pair_new(size, 3);
		CHECK_STATUS(duct_latest_new(&latest, pair.rx), DUCT_OK);
		CHECK_STATUS(duct_send(pair.tx, "y"), DUCT_OK);
		CHECK_STATUS(duct_latest_get(latest, NULL), size == 0 ? DUCT_OK : DUCT_INVALID);
		CHECK_STATUS(duct_latest_get(latest, &in), DUCT_OK);
		CHECK(in == (size == 0 ? 'x' : 'y'));
		duct_latest_free(latest);
		pair.rx = NULL;
		test_pair_free(&pair);
		CHECK_STATUS(duct_broadcast_new(&channel, size, NULL), DUCT_OK);
		CHECK_STATUS(duct_sender_new(channel, &tx), DUCT_OK);
		CHECK_STATUS(duct_peekable_new(channel, &peekable), DUCT_OK);
		CHECK_STATUS(duct_send(tx, "y"), DUCT_OK);
		CHECK_STATUS(duct_peek(peekable, NULL), size == 0 ? DUCT_OK : DUCT_INVALID);
		duct_channel_close(channel, 0);
		CHECK_STATUS(duct_peek(peekable, NULL), size == 0 ? DUCT_CLOSED : DUCT_INVALID);
		duct_peekable_free(peekable);
		duct_sender_free(tx);
		duct_channel_free(channel);
	}
}

/* ---- Taking in ------------------------------------------------------------------------------------------------- */

/* A call takes no memory where its receiver has nothing, and one box for each message that it takes. */
TEST(catch_up, takes_memory_for_messages_only, 5)
{
	for (size_t capacity = 1; capacity <= 3; capacity++) {
		size_t before;

		memset(&hooks, 0, sizeof hooks);
		world_new(capacity);
		before = hooks.taken;
		CHECK(duct_cache_len(world.cache) == 0 && hooks.taken == before);
		put(1);
		CHECK(duct_cache_len(world.cache) == 1 && hooks.taken == before + 1);
		CHECK(duct_cache_len(world.cache) == 1 && hooks.taken == before + 1);
		world_free();
	}
}

/* At capacity 0 each call takes from one sender that waits, and where there is none keeps nothing. */
TEST(catch_up, meets_one_sender_at_capacity_0, 5)
{
	struct instance messages[] = { instance_new(1), instance_new(2) };
	struct sleeper sleepers[2];
	size_t before;

	world_new(0);
	before = hooks.taken;
	CHECK(duct_cache_len(world.cache) == 0 && hooks.taken == hooks.given_back + before);
	for (int s = 0; s < 2; s++) {
		sleeper_send(&sleepers[s], &world.tx->end, 0);
		memcpy(&sleepers[s].message, &messages[s], sizeof messages[s]);
	}
	CHECK(duct_cache_len(world.cache) == 1 && sleeper_woke(&sleepers[0], DUCT_OK) && sleeper_sleeps(&sleepers[1]));
	CHECK(has(1) && sleeper_woke(&sleepers[1], DUCT_OK));
	CHECK(has(2) && duct_cache_len(world.cache) == 2);
	world_free();
}

static int next_key;

static void put_one_more(void)
{
	hooks.at_allocation = 1;
	put(next_key++);
}

/* What comes while it takes in is for the next call: a sender that is as fast does not keep it busy for ever. */
TEST(catch_up, ends_with_what_was_there, 5)
{
	world_new(2);
	put(next_key++);
	hooks.act = put_one_more;
	hooks.at_allocation = 1;
	for (size_t n = 1; n <= 5; n++)
		CHECK(duct_cache_len(world.cache) == n && duct_channel_len(world.channel) == 1);
	hooks.at_allocation = 0;
	world_free();
}

static void discard(void)
{
	CHECK_STATUS(duct_channel_discard(world.channel, NULL), DUCT_OK);
}

/* What is gone meanwhile is not looked for any more. */
TEST(catch_up, ends_where_there_is_nothing_left, 5)
{
	size_t before;

	world_new(9);
	for (int key = 0; key < 5; key++)
		put(key);
	before = hooks.taken;
	hooks.act = discard;
	hooks.at_allocation = 1;
	CHECK(duct_cache_len(world.cache) == 0 && hooks.taken == before + 1);
	world_free();
}

static void use_the_last_place(void)
{
	CHECK(duct_cache_len(world.cache) == 16);
	put(16);
}

/* A place in the table that another call has used meanwhile is not used twice: the message stays where it is. */
TEST(catch_up, leaves_what_has_no_place, 5)
{
	world_new(9);
	for (int key = 0; key < 15; key++) {
		put(key);
		CHECK(duct_cache_len(world.cache) == (size_t)key + 1);
	}
	put(15);
	hooks.act = use_the_last_place;
	hooks.at_allocation = 1;
	CHECK(duct_cache_len(world.cache) == 16 && duct_channel_len(world.channel) == 1);
	CHECK(duct_cache_len(world.cache) == 17 && has(15) && has(16));
	world_free();
}

/* Without memory for a message every call but those that cannot say so fails, and the message stays where it is. */
TEST(catch_up, without_memory_leaves_the_message, 5)
{
	struct instance in[2];
	uint64_t cursor = 0;
	size_t count = 77;
	int key = 1;

	world_new(9);
	put(1);
	hooks.is_empty = true;
	CHECK_STATUS(duct_cache_get(world.cache, &key, sizeof key, in), DUCT_NOMEM);
	CHECK_STATUS(duct_cache_pop(world.cache, &key, sizeof key, in), DUCT_NOMEM);
	CHECK_STATUS(duct_cache_pop_last(world.cache, in), DUCT_NOMEM);
	CHECK_STATUS(duct_cache_clear(world.cache), DUCT_NOMEM);
	CHECK_STATUS(duct_cache_next(world.cache, &cursor, in), DUCT_NOMEM);
	CHECK_STATUS(duct_cache_snapshot(world.cache, in, 2, &count), DUCT_NOMEM);
	CHECK(!has(1) && duct_cache_len(world.cache) == 0 && cursor == 0 && count == 77);
	CHECK(duct_channel_len(world.channel) == 1);
	hooks.is_empty = false;
	CHECK(has(1));
	world_free();
}

/* ---- Cancellation ---------------------------------------------------------------------------------------------- */

static void check_held_off(void)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	CHECK(state == PTHREAD_CANCEL_DISABLE);
}

static bool can_be_cancelled(void)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
	return state == PTHREAD_CANCEL_ENABLE;
}

/* A thread cannot be cancelled in a hook that a call runs, and can be again after it. */
TEST(cache, holds_cancellation_off_in_hooks, 5)
{
	struct instance in[3];
	size_t count;
	int id;

	world_new(9);
	put(1);
	put(2);
	hooks.act = check_held_off;
	hooks.at_copy = 1;
	CHECK_STATUS(get(1, &id), DUCT_OK);
	CHECK(hooks.at_copy == 0 && can_be_cancelled());
	atomic_store(&instances.fail_in, 2);
	hooks.at_copy = 2;
	CHECK_STATUS(duct_cache_snapshot(world.cache, in, 3, &count), DUCT_NOMEM);
	CHECK(hooks.at_copy == 0 && can_be_cancelled());
	CHECK_STATUS(pop(1, &id), DUCT_OK);
	CHECK(can_be_cancelled());
	world_free();
}

/* ---- Taking out what is being copied --------------------------------------------------------------------------- */

/* What the call in the middle came to. */
static struct {
	duct_status status;
	int id;
} inner;

static void pop_1(void)
{
	inner.status = pop(1, &inner.id);
}

static void pop_last(void)
{
	struct instance in = { -1, -1 };

	inner.status = duct_cache_pop_last(world.cache, &in);
	if (inner.status == DUCT_OK)
		instance_end(&in);
	inner.id = in.id;
}

static void pop_1_unseen(void)
{
	const int key = 1;

	inner.status = duct_cache_pop(world.cache, &key, sizeof key, NULL);
}

/* A message that another call is copying from is copied once more, and goes with that call. */
TEST(pop, of_what_is_being_copied_gets_a_copy, 5)
{
	static void (*const pops[])(void) = { pop_1, pop_last };

	for (size_t p = 0; p < ARRAY_LEN(pops); p++) {
		int copied = atomic_load(&instances.copied), dropped = atomic_load(&instances.dropped), id;

		world_new(9);
		put(1);
		hooks.act = pops[p];
		hooks.at_copy = 1;
		CHECK_STATUS(get(1, &id), DUCT_OK);
		CHECK(inner.status == DUCT_OK && inner.id >= 0 && inner.id != id && duct_cache_len(world.cache) == 0);
		CHECK(atomic_load(&instances.copied) == copied + 2 && atomic_load(&instances.dropped) == dropped + 1);
		CHECK(instances_alive() == 0);
		world_free();
	}
}

/* One that is only to be dropped needs no copy. */
TEST(pop, of_what_is_being_copied_may_drop_it, 5)
{
	int id;

	world_new(9);
	put(1);
	hooks.act = pop_1_unseen;
	hooks.at_copy = 1;
	CHECK_STATUS(get(1, &id), DUCT_OK);
	CHECK(inner.status == DUCT_OK && duct_cache_len(world.cache) == 0 && atomic_load(&instances.copied) == 1);
	CHECK(instances_alive() == 0);
	world_free();
}

/* Where the copy cannot be made nothing is taken out. */
TEST(pop, of_what_is_being_copied_may_fail, 5)
{
	int id;

	world_new(9);
	put(1);
	hooks.act = pop_1;
	hooks.at_copy = 1;
	atomic_store(&instances.fail_in, 1);
	CHECK_STATUS(get(1, &id), DUCT_OK);
	CHECK(inner.status == DUCT_NOMEM && inner.id == -1 && has(1) && duct_cache_len(world.cache) == 1);
	CHECK(atomic_load(&instances.dropped) == 0);
	world_free();
}

static void (*in_the_pop)(void);

static void pop_1_while_it_changes(void)
{
	hooks.act = in_the_pop;
	hooks.at_copy = 1;
	pop_1();
}

static void pop_last_while_it_changes(void)
{
	hooks.act = in_the_pop;
	hooks.at_copy = 1;
	pop_last();
}

static int newer_id;

static void put_1_anew(void)
{
	newer_id = atomic_load(&instances.made);
	put(1);
	CHECK(duct_cache_len(world.cache) == 1);
}

static void put_2(void)
{
	newer_id = atomic_load(&instances.made);
	put(2);
	CHECK(duct_cache_len(world.cache) == 2);
}

static void take_1_out(void)
{
	const int key = 1;

	CHECK_STATUS(duct_cache_pop(world.cache, &key, sizeof key, NULL), DUCT_OK);
}

/* If a newer message comes while the copy is made, the copy is dropped, and the newer one is taken out instead. */
TEST(pop, takes_what_has_come_meanwhile, 5)
{
	int id;

	world_new(9);
	put(1);
	in_the_pop = put_1_anew;
	hooks.act = pop_1_while_it_changes;
	hooks.at_copy = 1;
	CHECK_STATUS(get(1, &id), DUCT_OK);
	CHECK(inner.status == DUCT_OK && inner.id == newer_id && duct_cache_len(world.cache) == 0);
	CHECK(atomic_load(&instances.copied) == 2 && atomic_load(&instances.dropped) == 2 && instances_alive() == 0);
	world_free();
}

/* The last one is the last when it goes. */
TEST(pop, of_the_last_takes_who_is_last_then, 5)
{
	int id;

	world_new(9);
	put(1);
	in_the_pop = put_2;
	hooks.act = pop_last_while_it_changes;
	hooks.at_copy = 1;
	CHECK_STATUS(get(1, &id), DUCT_OK);
	CHECK(inner.status == DUCT_OK && inner.id == newer_id && duct_cache_len(world.cache) == 1 && has(1) && !has(2));
	CHECK(atomic_load(&instances.dropped) == 1 && instances_alive() == 1);
	world_free();
}

/* If another call has taken it out meanwhile there is none, and the copy is dropped. */
TEST(pop, of_what_has_gone_meanwhile_is_empty, 5)
{
	int id;

	world_new(9);
	put(1);
	in_the_pop = take_1_out;
	hooks.act = pop_1_while_it_changes;
	hooks.at_copy = 1;
	CHECK_STATUS(get(1, &id), DUCT_OK);
	CHECK(inner.status == DUCT_EMPTY && inner.id == -1 && duct_cache_len(world.cache) == 0);
	CHECK(atomic_load(&instances.copied) == 2 && atomic_load(&instances.dropped) == 2 && instances_alive() == 0);
	world_free();
}

/* ---- At the same time ------------------------------------------------------------------------------------------ */

enum { LARGE = 16 << 20 };

static atomic_int large_drops;

static void drop_large(void *message, void *context)
{
	(void)message;
	(void)context;
	atomic_fetch_add(&large_drops, 1);
}

static _Atomic(const void *) large_message; /* in the cache */

static const void *note_place(const void *message, size_t *size, void *context)
{
	(void)context;
	atomic_store(&large_message, message);
	*size = 0;
	return message;
}

/* The box with that data. */
static const duct_box *box_around(const void *data)
{
	duct_box *any = box_new(NULL, 0, NULL, NULL);
	const ptrdiff_t head = (unsigned char *)duct_box_data(any) - (unsigned char *)any;

	duct_box_free(any);
	return (const duct_box *)(const void *)((const unsigned char *)data - head);
}

struct looking {
	duct_cache *cache;
	unsigned char *to;
	atomic_bool done;
};

static void *look_at_it(void *argument)
{
	struct looking *looking = argument;

	CHECK_STATUS(duct_cache_get(looking->cache, NULL, 0, looking->to), DUCT_OK);
	atomic_store(&looking->done, true);
	return NULL;
}

/* Without a copy hook the message itself is moved out, though another call copies its bytes at that moment: no drop. */
TEST(pop, without_a_copy_hook_moves_the_message, 20)
{
	unsigned char *from = malloc(LARGE), *to = malloc(LARGE);
	struct test_pair pair = test_pair_with(LARGE, 1, DUCT_OPTIONS(.drop = drop_large));
	struct looking looking = { .to = malloc(LARGE) };
	pthread_t thread;

	CHECK(from != NULL && to != NULL && looking.to != NULL);
	memset(from, 0x5a, LARGE);
	CHECK_STATUS(duct_cache_new(&looking.cache, pair.rx, note_place, NULL), DUCT_OK);
	pair.rx = NULL;
	CHECK_STATUS(duct_send(pair.tx, from), DUCT_OK);
	CHECK(duct_cache_len(looking.cache) == 1);
	thread = test_start(look_at_it, &looking);
	while (!atomic_load(&looking.done) && !box_is_shared(box_around(atomic_load(&large_message))))
		;
	CHECK_STATUS(duct_cache_pop(looking.cache, NULL, 0, to), DUCT_OK);
	test_join(thread);
	CHECK(memcmp(to, from, LARGE) == 0 && memcmp(looking.to, from, LARGE) == 0 && atomic_load(&large_drops) == 0);
	duct_cache_free(looking.cache);
	test_pair_free(&pair);
	CHECK(atomic_load(&large_drops) == 0);
	free(looking.to);
	free(from);
	free(to);
}

/* Ints that are only counted: those that there are. */
static atomic_long counted;

static int count_copy(void *to, const void *from, void *context)
{
	(void)context;
	memcpy(to, from, sizeof(int));
	atomic_fetch_add(&counted, 1);
	return 0;
}

static void count_drop(void *message, void *context)
{
	(void)message;
	(void)context;
	atomic_fetch_sub(&counted, 1);
}

struct visited {
	duct_sender *tx;
	duct_cache *cache;
	atomic_bool done;
};

static void *come_and_go(void *argument)
{
	struct visited *visited = argument;

	for (int round = test_rounds(20000, 200000); round > 0; round--) {
		for (int key = 0; key < 4; key++) {
			atomic_fetch_add(&counted, 1);
			CHECK_STATUS(duct_try_send(visited->tx, &key), DUCT_OK);
			CHECK(duct_cache_contains(visited->cache, &key, sizeof key));
		}
		CHECK_STATUS(duct_cache_clear(visited->cache), DUCT_OK);
	}
	atomic_store(&visited->done, true);
	return NULL;
}

/* A snapshot for which there is more than there was when it took its memory begins again: it has room for all that it has. */
TEST(snapshot, begins_again_where_there_is_more, 20)
{
	struct visited visited = { .done = false };
	int in[4];
	size_t count;
	duct_receiver *rx;
	pthread_t thread;

	CHECK_STATUS(
	    duct_anycast_open(&visited.tx, &rx, sizeof(int), 9, DUCT_OPTIONS(.copy = count_copy, .drop = count_drop)), DUCT_OK);
	CHECK_STATUS(duct_cache_new(&visited.cache, rx, number_of, NULL), DUCT_OK);
	thread = test_start(come_and_go, &visited);
	while (!atomic_load(&visited.done)) {
		CHECK_STATUS(duct_cache_snapshot(visited.cache, in, ARRAY_LEN(in), &count), DUCT_OK);
		CHECK(count <= ARRAY_LEN(in));
		for (size_t i = 0; i < count; i++)
			CHECK(in[i] == (int)i);
		atomic_fetch_sub(&counted, (long)count);
	}
	test_join(thread);
	duct_cache_free(visited.cache);
	duct_sender_free(visited.tx);
	CHECK(atomic_load(&counted) == 0);
}

/* ---- The peekable ---------------------------------------------------------------------------------------------- */

/* It keeps no more than the latest, so that older messages are dropped when they are displaced. */
TEST(peekable, keeps_the_latest_only, 5)
{
	duct_channel *channel;
	duct_peekable *peekable;
	duct_sender *tx;
	struct instance in;

	CHECK_STATUS(
	    duct_broadcast_new(&channel, sizeof in, DUCT_OPTIONS(.copy = instance_copy, .drop = instance_drop)), DUCT_OK);
	CHECK_STATUS(duct_sender_new(channel, &tx), DUCT_OK);
	CHECK_STATUS(duct_peekable_new(channel, &peekable), DUCT_OK);
	for (int n = 1; n <= 5; n++) {
		CHECK_STATUS(instance_send(tx, n), DUCT_OK);
		CHECK(instances_alive() == 1 && channel->receivers == 0);
	}
	CHECK_STATUS(duct_peek(peekable, &in), DUCT_OK);
	CHECK(in.number == 5);
	instance_end(&in);
	duct_peekable_free(peekable);
	CHECK(instances_alive() == 0 && channel->references == 2);
	duct_sender_free(tx);
	duct_channel_free(channel);
}

/* ---- A pop that needs memory ----------------------------------------------------------------------------------------- */

static struct {
	bool none; /* there is no memory */
	duct_cache *cache;
	duct_status status;
	int message;
} short_of;

static void *allocate_if_any(size_t size, void *context)
{
	(void)context;
	return short_of.none ? NULL : malloc(size);
}

static void release_it(void *memory, void *context)
{
	(void)context;
	free(memory);
}

static const void *one_key(const void *message, size_t *size, void *context)
{
	(void)context;
	*size = 0;
	return message;
}

static int copy_and_pop(void *to, const void *from, void *context)
{
	(void)context;
	memcpy(to, from, sizeof(int));
	if (short_of.cache != NULL) {
		short_of.none = true;
		short_of.status = duct_cache_pop(short_of.cache, NULL, 0, &short_of.message);
		short_of.none = false;
	}
	return 0;
}

/* What somebody is copying from has to be copied; without memory for that the entry stays, and the message as it was. */
TEST(pop, without_memory_changes_nothing, 5)
{
	const duct_allocator from_here = { allocate_if_any, release_it, NULL };
	duct_sender *tx;
	duct_receiver *rx;
	duct_cache *cache;
	int in = -1;

	short_of.message = -1;
	CHECK_STATUS(
	    duct_broadcast_open(&tx, &rx, sizeof(int), NULL, DUCT_OPTIONS(.copy = copy_and_pop, .allocator = &from_here)),
	    DUCT_OK);
	CHECK_STATUS(duct_cache_new(&cache, rx, one_key, NULL), DUCT_OK);
	CHECK_STATUS(duct_send(tx, &(int){ 5 }), DUCT_OK);
	CHECK(duct_cache_len(cache) == 1);
	short_of.cache = cache;
	CHECK_STATUS(duct_cache_get(cache, NULL, 0, &in), DUCT_OK);
	short_of.cache = NULL;
	CHECK_STATUS(short_of.status, DUCT_NOMEM);
	CHECK(in == 5 && short_of.message == -1 && duct_cache_len(cache) == 1);
	duct_cache_free(cache);
	duct_sender_free(tx);
}
