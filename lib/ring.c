/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The ring: its memory, and the operations that are more than a few lines.  ring.h tells how it works.
 */
#include "ring.h"

#include <stddef.h>

/*
 * How the messages are aligned: a type's alignment divides its size, so no message needs more than the largest power of two
 * that divides the size.  More than malloc's alignment is not given.
 */
static size_t message_alignment(size_t message_size)
{
	size_t alignment = message_size & (0 - message_size);

	return alignment < _Alignof(max_align_t) ? alignment : _Alignof(max_align_t);
}

/* The slots start so far into the memory that the first message, which follows its word, is aligned. */
static size_t slots_offset(size_t message_size)
{
	size_t alignment = message_alignment(message_size);

	return alignment > sizeof(size_t) ? alignment - sizeof(size_t) : 0;
}

static size_t slot_stride(size_t message_size)
{
	size_t alignment = message_alignment(message_size);

	if (alignment < sizeof(size_t))
		alignment = sizeof(size_t);
	return (sizeof(size_t) + message_size + alignment - 1) / alignment * alignment;
}

static size_t slot_count(size_t capacity)
{
	return capacity != 0 ? capacity : 1;
}

bool ring_measure(size_t message_size, size_t capacity, size_t *bytes)
{
	const size_t most = SIZE_MAX / 4; /* so that no sum of sizes overflows */

	if (message_size > most || capacity > UINT32_MAX)
		return false;
	if (slot_count(capacity) > most / slot_stride(message_size))
		return false;
	*bytes = slots_offset(message_size) + slot_count(capacity) * slot_stride(message_size);
	return true;
}

void ring_init(struct ring *ring, size_t message_size, size_t capacity, void *memory)
{
	*ring = (struct ring){
		.capacity = capacity,
		.size = message_size,
		.stride = slot_stride(message_size),
		.slots = (unsigned char *)memory + slots_offset(message_size),
	};
	for (size_t slot = 0; slot < slot_count(capacity); slot++)
		atomic_init(ring_word(ring, slot), capacity != 0 ? 2 * slot : SIZE_MAX - 1);
}

void ring_refill(const struct ring *ring, struct cursor *take, struct cursor *put, void *message, const void *next)
{
	size_t slot = load_relaxed(&take->slot);

	ring_copy_out(ring, message, ring_message(ring, slot));
	ring_copy(ring, ring_message(ring, slot), next);
	store_release(ring_word(ring, slot), load_relaxed(&take->position) + ring_lap(ring) + 1);
	cursor_advance(ring, take, 1);
	cursor_advance(ring, put, 1);
}

bool ring_put_first(const struct ring *ring, struct cursor *take, const void *message)
{
	const size_t position = load_relaxed(&take->position) - 2,
		     slot = ring_step(ring, load_relaxed(&take->slot), ring->capacity - 1);

	if (load_relaxed(ring_word(ring, slot)) != position + ring_lap(ring))
		return false;
	ring_copy(ring, ring_message(ring, slot), message);
	store_relaxed(ring_word(ring, slot), position + 1); /* the locks give the order */
	cursor_move(ring, take, position, slot, 0);
	return true;
}

/* How many slots from the cursor on, count at most, have the words that follow from the first one. */
static size_t run_length(const struct ring *ring, const struct cursor *cursor, size_t first_word, size_t count)
{
	size_t slot = load_relaxed(&cursor->slot), length = 0;

	if (count > ring->capacity)
		count = ring->capacity;
	for (; length < count && load_acquire(ring_word(ring, slot)) == first_word + 2 * length; length++)
		slot = ring_step(ring, slot, 1);
	return length;
}

size_t ring_room(const struct ring *ring, const struct cursor *put, size_t count)
{
	return run_length(ring, put, load_relaxed(&put->position), count);
}

/* Marks a run of slots last to first: the others before the one that the other side looks at. */
static void mark_run(const struct ring *ring, struct cursor *cursor, size_t first_word, size_t count)
{
	size_t first = load_relaxed(&cursor->slot);

	for (size_t i = count; i-- > 1;)
		store_relaxed(ring_word(ring, ring_step(ring, first, i)), first_word + 2 * i);
	store_release(ring_word(ring, first), first_word);
	cursor_advance(ring, cursor, count);
}

size_t ring_put_many(const struct ring *ring, struct cursor *put, const void *messages, size_t count)
{
	size_t position = load_relaxed(&put->position), slot = load_relaxed(&put->slot);

	count = run_length(ring, put, position, count);
	for (size_t i = 0; i < count; i++, slot = ring_step(ring, slot, 1))
		ring_copy(ring, ring_message(ring, slot), ring_nth(ring, messages, i));
	if (count > 0)
		mark_run(ring, put, position + 1, count);
	return count;
}

size_t ring_take_many(const struct ring *ring, struct cursor *take, void *messages, size_t count)
{
	size_t position = load_relaxed(&take->position), slot = load_relaxed(&take->slot);

	count = run_length(ring, take, position + 1, count);
	for (size_t i = 0; i < count && messages != NULL; i++, slot = ring_step(ring, slot, 1))
		ring_copy(ring, ring_nth(ring, messages, i), ring_message(ring, slot));
	if (count > 0)
		mark_run(ring, take, position + ring_lap(ring), count);
	return count;
}
