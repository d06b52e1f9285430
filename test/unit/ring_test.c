/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The ring: its memory, its alignment, and every operation against a model that only counts.
 */
#include "ring.h"
#include "harness.h"
#include "memory.h"

#include <stddef.h>

#define MOST_MESSAGE 4096
#define GUARD 16 /* bytes behind a buffer that must stay as they were */

static const size_t capacities[] = { 0, 1, 2, 3, 5, 100 };

/* ---- Memory ---------------------------------------------------------------------------------------------------- */

/* No sum and no product goes round: what cannot be is refused, and *bytes stays as it was. */
TEST(ring_measure, sizes_that_overflow_are_refused, 5)
{
	size_t bytes = 77;

	CHECK(!ring_measure(SIZE_MAX, 0, &bytes));
	CHECK(!ring_measure(SIZE_MAX, 1, &bytes));
	CHECK(!ring_measure(SIZE_MAX - 7, 1, &bytes));
	CHECK(!ring_measure(SIZE_MAX / 2, 2, &bytes));
	CHECK(!ring_measure(SIZE_MAX / 4 + 1, 1, &bytes));
	CHECK(!ring_measure(1 << 20, SIZE_MAX >> 20, &bytes));
	CHECK(!ring_measure(SIZE_MAX / 100, 100, &bytes));
	CHECK(!ring_measure(0, SIZE_MAX, &bytes));
	CHECK(!ring_measure(1, SIZE_MAX / sizeof(size_t), &bytes));
	CHECK(bytes == 77);
}

/* Up to a quarter of all addresses, with what goes round the message. */
TEST(ring_measure, a_quarter_of_memory_is_a_size, 5)
{
	size_t bytes = 77;

	CHECK(ring_measure(SIZE_MAX / 4 - 100, 1, &bytes));
	CHECK(bytes > SIZE_MAX / 4 - 100 && bytes < SIZE_MAX / 2);
}

/* Slots may lie further apart than 32 bits can tell: only addresses are made here, none is used. */
TEST(ring_word, lies_where_its_slot_does_beyond_4_gib, 5)
{
#if SIZE_MAX > UINT32_MAX
	const size_t stride = ((size_t)1 << 30) + 8;
	const struct ring ring = { .capacity = 8, .size = (size_t)1 << 30, .stride = stride };

	CHECK((uintptr_t)ring_word(&ring, 7) == 7 * stride);
	CHECK((uintptr_t)ring_message(&ring, 7) > 7 * stride && (uintptr_t)ring_message(&ring, 7) < 7 * stride + 64);
#endif
}

/* A slot's number has 32 bits, so there can be 2^32 - 1 messages and no more. */
TEST(ring_measure, capacity_ends_at_32_bits, 5)
{
#if SIZE_MAX > UINT32_MAX
	size_t bytes = 77;

	CHECK(!ring_measure(0, (size_t)UINT32_MAX + 1, &bytes));
	CHECK(!ring_measure(8, (size_t)UINT32_MAX + 1, &bytes));
	CHECK(bytes == 77);
	CHECK(ring_measure(0, UINT32_MAX, &bytes));
	CHECK(bytes == UINT32_MAX * sizeof(size_t));
	CHECK(ring_measure(8, UINT32_MAX, &bytes));
	CHECK(bytes == UINT32_MAX * (sizeof(size_t) + 8));
#endif
}

/* What is allowed costs a word and the message, rounded up, for each slot: no more than a little is lost. */
TEST(ring_measure, a_slot_is_a_word_and_a_message, 5)
{
	for (size_t size = 0; size <= 64; size++) {
		for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
			size_t slots = capacities[i] != 0 ? capacities[i] : 1, bytes = 0;

			CHECK(ring_measure(size, capacities[i], &bytes));
			CHECK(bytes >= slots * (sizeof(size_t) + size));
			CHECK(bytes <= _Alignof(max_align_t) + slots * (sizeof(size_t) + size + _Alignof(max_align_t) - 1));
		}
	}
}

/* A ring with its cursors, in memory that ends with a guard. */
struct rig {
	struct ring ring;
	struct cursor put, take;
	unsigned char *memory;
	size_t bytes;
};

static void cursor_place(struct cursor *cursor, size_t position, uint32_t slot)
{
	atomic_init(&cursor->position, position);
	atomic_init(&cursor->slot, slot);
	atomic_init(&cursor->ended, DUCT_OK);
}

static void rig_init(struct rig *rig, size_t message_size, size_t capacity)
{
	CHECK(ring_measure(message_size, capacity, &rig->bytes));
	rig->memory = memory_new(NULL, rig->bytes + GUARD);
	CHECK(rig->memory != NULL);
	memset(rig->memory, 0xa5, rig->bytes + GUARD);
	ring_init(&rig->ring, message_size, capacity, rig->memory);
	cursor_place(&rig->put, 0, 0);
	cursor_place(&rig->take, 0, 0);
}

static void rig_fini(struct rig *rig)
{
	for (size_t i = 0; i < GUARD; i++)
		CHECK(rig->memory[rig->bytes + i] == 0xa5);
	memory_free(NULL, rig->memory);
}

/* As if the ring had gone round until this position, which need not be the start of a lap. */
static void rig_wind_to(struct rig *rig, size_t position)
{
	for (size_t slot = 0; slot < rig->ring.capacity; slot++)
		atomic_store(ring_word(&rig->ring, slot), position + 2 * slot);
	cursor_place(&rig->put, position, 0);
	cursor_place(&rig->take, position, 0);
}

/* Each message is as aligned as a type of its size can ask, each word as a word, and nothing overlaps. */
TEST(ring_init, messages_are_aligned_and_apart, 5)
{
	for (size_t size = 0; size <= 64 || size == MOST_MESSAGE; size = size == 64 ? MOST_MESSAGE : size + 1) {
		size_t needs = size & (~size + 1);
		struct rig rig;

		if (needs == 0)
			needs = 1;
		if (needs > _Alignof(max_align_t))
			needs = _Alignof(max_align_t);
		rig_init(&rig, size, 5);
		for (size_t slot = 0; slot < 5; slot++) {
			unsigned char *word = (unsigned char *)ring_word(&rig.ring, slot),
				      *message = ring_message(&rig.ring, slot);

			CHECK((uintptr_t)message % needs == 0);
			CHECK((uintptr_t)word % _Alignof(size_t) == 0);
			CHECK(word >= rig.memory && message >= word + sizeof(size_t));
			CHECK(message + size <=
			      (slot < 4 ? (unsigned char *)ring_word(&rig.ring, slot + 1) : rig.memory + rig.bytes));
			memset(message, 0x5a, size);
		}
		rig_fini(&rig);
	}
}

/* ---- Against a model ------------------------------------------------------------------------------------------- */

/* Message number n has these bytes. */
static void make_message(unsigned char *message, size_t size, uint32_t n)
{
	for (size_t i = 0; i < size; i++)
		message[i] = (unsigned char)((n * 2654435761u >> 8) + 31 * i);
}

static bool is_message(const unsigned char *message, size_t size, uint32_t n)
{
	unsigned char expected[64];

	make_message(expected, size, n);
	return size == 0 || memcmp(message, expected, size) == 0;
}

/* The model: messages are numbered, so the ones inside are those from taken to put. */
struct model {
	struct rig rig;
	uint32_t put, taken;
	unsigned char buffer[128 * 64 + GUARD];
};

static size_t model_len(const struct model *model)
{
	return model->put - model->taken;
}

static size_t model_room(const struct model *model)
{
	return model->rig.ring.capacity - model_len(model);
}

/* Both exact tests and both looks agree with the model; a side that has ended looks ready in any case. */
static void model_check(struct model *model)
{
	const struct ring *ring = &model->rig.ring;
	struct cursor *put = &model->rig.put, *take = &model->rig.take;
	bool has_room = model_room(model) > 0, has_message = model_len(model) > 0;

	CHECK(ring_has_room(ring, put) == has_room);
	CHECK(ring_has_message(ring, take) == has_message);
	if (ring->capacity == 0)
		return;
	CHECK(ring_looks_puttable(ring, put) == has_room);
	CHECK(ring_looks_takable(ring, take) == has_message);
	atomic_store(&put->ended, DUCT_CLOSED);
	atomic_store(&take->ended, DUCT_CLOSED);
	CHECK(ring_looks_puttable(ring, put) && ring_looks_takable(ring, take));
	atomic_store(&put->ended, DUCT_OK);
	atomic_store(&take->ended, DUCT_OK);
	CHECK(put->slot < ring->capacity && take->slot < ring->capacity);
	CHECK(put->position - take->position == 2 * model_len(model));
}

/* The buffer holds these messages and nothing was written behind them. */
static void check_taken(struct model *model, size_t count)
{
	size_t size = model->rig.ring.size;

	for (uint32_t i = 0; i < count; i++)
		CHECK(is_message(model->buffer + i * size, size, model->taken + i));
	for (size_t i = 0; i < GUARD; i++)
		CHECK(model->buffer[count * size + i] == 0xee);
}

static void model_put(struct model *model)
{
	unsigned char message[64];

	make_message(message, model->rig.ring.size, model->put);
	CHECK(ring_put(&model->rig.ring, &model->rig.put, message));
	model->put++;
}

static void model_take(struct model *model)
{
	memset(model->buffer, 0xee, sizeof model->buffer);
	CHECK(ring_take(&model->rig.ring, &model->rig.take, model->buffer));
	check_taken(model, 1);
	model->taken++;
}

static void model_refill(struct model *model, bool keeps)
{
	unsigned char message[64];

	make_message(message, model->rig.ring.size, model->put);
	memset(model->buffer, 0xee, sizeof model->buffer);
	ring_refill(&model->rig.ring, &model->rig.take, &model->rig.put, keeps ? model->buffer : NULL, message);
	check_taken(model, keeps ? 1 : 0);
	model->put++;
	model->taken++;
}

static void model_put_many(struct model *model, size_t count)
{
	size_t size = model->rig.ring.size, expected = count < model_room(model) ? count : model_room(model);

	for (uint32_t i = 0; i < count; i++)
		make_message(model->buffer + i * size, size, model->put + i);
	CHECK(ring_put_many(&model->rig.ring, &model->rig.put, model->buffer, count) == expected);
	model->put += (uint32_t)expected;
}

static void model_take_many(struct model *model, size_t count, bool keeps)
{
	size_t expected = count < model_len(model) ? count : model_len(model);

	memset(model->buffer, 0xee, sizeof model->buffer);
	CHECK(ring_take_many(&model->rig.ring, &model->rig.take, keeps ? model->buffer : NULL, count) == expected);
	check_taken(model, keeps ? expected : 0);
	model->taken += (uint32_t)expected;
}

static void model_step(struct model *model, uint32_t *random)
{
	uint32_t what = test_random(random) % 8, few = test_random(random) % 8;
	size_t count = few == 0 ? 110 : few;

	if (what <= 1 && model_room(model) > 0)
		model_put(model);
	else if (what <= 3 && model_len(model) > 0)
		model_take(model);
	else if (what == 4 && model_room(model) == 0 && model_len(model) > 0)
		model_refill(model, few % 2);
	else if (what == 5)
		model_put_many(model, count);
	else if (what == 6)
		model_take_many(model, count, true);
	else if (what == 7)
		model_take_many(model, count, false);
}

/* So many random steps from this position on; a few laps at least. */
static void run_model(size_t message_size, size_t capacity, size_t position)
{
	static struct model model;
	uint32_t random = (uint32_t)(1 + message_size * 131 + capacity), steps = 200 + 20 * (uint32_t)capacity;

	rig_init(&model.rig, message_size, capacity);
	if (position != 0)
		rig_wind_to(&model.rig, position);
	model.put = model.taken = 0;
	model_check(&model);
	for (uint32_t i = 0; i < steps; i++) {
		model_step(&model, &random);
		model_check(&model);
	}
	CHECK(capacity == 0 ? model.put == 0 : model.taken > 4 * capacity);
	rig_fini(&model.rig);
}

static const size_t message_sizes[] = { 0, 1, 4, 8, 12, 16, 24, 64 };

/* Any order of operations does what the model does, for several laps. */
TEST(ring, does_what_the_model_does, 10)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++)
		for (size_t j = 0; j < ARRAY_LEN(message_sizes); j++)
			run_model(message_sizes[j], capacities[i], 0);
}

/* The same where positions go round from SIZE_MAX to 0, in the first lap or some way on. */
TEST(ring, does_what_the_model_does_where_positions_wrap, 10)
{
	for (size_t i = 1; i < ARRAY_LEN(capacities); i++)
		for (size_t before = 0; before <= 3 * capacities[i] && before < 40; before++)
			run_model(8, capacities[i], SIZE_MAX - 1 - 2 * before);
}

/* Capacity 0 has neither room nor messages, for one or for many. */
TEST(ring, of_capacity_0_moves_nothing, 5)
{
	uint64_t messages[3] = { 1, 2, 3 };
	struct rig rig;

	rig_init(&rig, sizeof(uint64_t), 0);
	CHECK(!ring_has_room(&rig.ring, &rig.put) && !ring_has_message(&rig.ring, &rig.take));
	CHECK(ring_put_many(&rig.ring, &rig.put, messages, 3) == 0);
	CHECK(ring_take_many(&rig.ring, &rig.take, messages, 3) == 0);
	CHECK(rig.put.position == 0 && rig.take.position == 0);
	rig_fini(&rig);
}

/* A batch of nothing changes nothing, whether there is room or not. */
TEST(ring_put_many, of_none_changes_nothing, 5)
{
	uint64_t message = 1;
	struct rig rig;

	rig_init(&rig, sizeof message, 1);
	for (int full = 0; full < 2; full++) {
		CHECK(ring_put_many(&rig.ring, &rig.put, &message, 0) == 0);
		CHECK(ring_take_many(&rig.ring, &rig.take, &message, 0) == 0);
		CHECK(ring_has_room(&rig.ring, &rig.put) == !full && ring_has_message(&rig.ring, &rig.take) == full);
		if (!full)
			CHECK(ring_put(&rig.ring, &rig.put, &message));
	}
	rig_fini(&rig);
}

/* A batch stops at the first slot that is not free, though later ones of the lap are. */
TEST(ring_put_many, stops_at_the_first_slot_that_is_taken, 5)
{
	uint64_t messages[3] = { 1, 2, 3 };
	struct rig rig;

	rig_init(&rig, sizeof messages[0], 3);
	atomic_store(ring_word(&rig.ring, 1), SIZE_MAX);
	CHECK(ring_put_many(&rig.ring, &rig.put, messages, 3) == 1);
	CHECK(*(uint64_t *)ring_message(&rig.ring, 0) == 1 && rig.put.position == 2 && rig.put.slot == 1);
	CHECK(*ring_word(&rig.ring, 2) == 4);
	rig_fini(&rig);
}

/* A look that pairs a position with a slot of another moment says that things may be ready, in every state. */
TEST(ring_looks, a_torn_look_is_never_negative, 5)
{
	enum { CAPACITY = 3, LAPS = 3 };
	uint64_t message = 1;
	struct rig rig;
	struct cursor torn;

	rig_init(&rig, sizeof message, CAPACITY);
	for (uint32_t len = 0; len <= CAPACITY; len++) {
		rig_wind_to(&rig, 0);
		for (uint32_t i = 0; i < len; i++)
			CHECK(ring_put(&rig.ring, &rig.put, &message));
		for (uint32_t step = 0; step < LAPS * CAPACITY; step++) {
			for (uint32_t other = 1; other < CAPACITY; other++) {
				cursor_place(&torn, rig.put.position, (rig.put.slot + other) % CAPACITY);
				CHECK(ring_looks_puttable(&rig.ring, &torn));
				cursor_place(&torn, rig.take.position, (rig.take.slot + other) % CAPACITY);
				CHECK(ring_looks_takable(&rig.ring, &torn));
			}
			if (len > 0) {
				CHECK(ring_take(&rig.ring, &rig.take, &message));
				CHECK(ring_put(&rig.ring, &rig.put, &message));
			}
		}
	}
	rig_fini(&rig);
}

/* ---- Helpers --------------------------------------------------------------------------------------------------- */

/* Copying moves the message's bytes and no others; a message of no bytes may be nowhere. */
TEST(ring_copy, moves_exactly_the_message, 5)
{
	for (size_t size = 0; size <= 64; size++) {
		const struct ring ring = { .size = size };
		unsigned char from[64], to[64 + GUARD];

		make_message(from, sizeof from, 9);
		memset(to, 0xee, sizeof to);
		ring_copy(&ring, to, from);
		CHECK(is_message(to, size, 9));
		for (size_t i = size; i < sizeof to; i++)
			CHECK(to[i] == 0xee);
	}
	ring_copy(&(const struct ring){ .size = 0 }, NULL, NULL);
}

/* In the caller's array messages follow each other without gaps; those of no bytes all are where the array is. */
TEST(ring_nth, finds_messages_in_an_array, 5)
{
	unsigned char array[100];

	CHECK(ring_nth(&(const struct ring){ .size = 12 }, array, 0) == array);
	CHECK(ring_nth(&(const struct ring){ .size = 12 }, array, 7) == array + 84);
	CHECK(ring_nth(&(const struct ring){ .size = 0 }, array, 7) == array);
	CHECK(ring_nth(&(const struct ring){ .size = 0 }, NULL, 7) == NULL);
}

/* Stepping goes round at the capacity, by any number up to it. */
TEST(ring_step, goes_round, 5)
{
	for (size_t i = 1; i < ARRAY_LEN(capacities); i++) {
		const struct ring ring = { .capacity = capacities[i] };

		for (size_t slot = 0; slot < ring.capacity; slot++)
			for (size_t steps = 0; steps <= ring.capacity; steps++)
				CHECK(ring_step(&ring, slot, steps) == (slot + steps) % ring.capacity);
	}
}

/* ---- Room for several, and a message ahead of the others ------------------------------------------------------------ */

enum { LARGEST = 5 };

struct small {
	struct ring ring;
	struct cursor put, take;
	_Alignas(CACHE_LINE) unsigned char memory[3 * LARGEST * 2 * sizeof(uint64_t)];
};

/* With so many messages of 8 bytes, 10 and so on, after so many that have come and gone. */
static void small_init(struct small *small, size_t capacity, uint64_t gone, uint64_t queued)
{
	uint64_t message;

	memset(small, 0, sizeof *small);
	ring_init(&small->ring, sizeof message, capacity, small->memory);
	for (uint64_t n = 0; n < gone; n++)
		CHECK(ring_put(&small->ring, &small->put, &n) && ring_take(&small->ring, &small->take, &message));
	for (uint64_t n = 10; n < 10 + queued; n++)
		CHECK(ring_put(&small->ring, &small->put, &n));
}

/* There is room for as many as are missing, and never for more than the capacity, whatever lies behind the ring. */
TEST(ring_has_room_for, as_many_as_are_missing, 5)
{
	for (size_t capacity = 1; capacity <= LARGEST; capacity++)
		for (size_t gone = 0; gone <= capacity; gone++)
			for (size_t queued = 0; queued <= capacity; queued++)
				for (size_t count = 1; count <= 2 * capacity; count++) {
					struct small small;

					small_init(&small, capacity, gone, queued);
					for (size_t slot = capacity; slot < 3 * capacity; slot++)
						atomic_store(
						    ring_word(&small.ring, slot), small.put.position + 2 * (count - 1));
					CHECK(
					    ring_has_room_for(&small.ring, &small.put, count) == (count <= capacity - queued));
				}
}

/* A message put ahead is the next to be taken, as long as there was room. */
TEST(ring_put_first, comes_before_the_others, 5)
{
	for (size_t capacity = 1; capacity <= LARGEST; capacity++)
		for (size_t gone = 0; gone <= capacity; gone++)
			for (size_t queued = 0; queued <= capacity; queued++) {
				struct small small;
				uint64_t message = 9, first = 10;

				small_init(&small, capacity, gone, queued);
				while (ring_put_first(&small.ring, &small.take, &message))
					first = message--;
				CHECK(first == 10 - (capacity - queued) && !ring_has_room(&small.ring, &small.put));
				for (uint64_t n = first; n < 10 + queued; n++)
					CHECK(ring_take(&small.ring, &small.take, &message) && message == n);
				CHECK(!ring_take(&small.ring, &small.take, &message));
			}
}
