/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The ring: slots for an exact number of messages, and the two cursors that go round.  No locks; queue.h says who holds what.
 *
 * A slot is a sequence word and a message.  Positions count the messages ever put or taken, in steps of two, and a lap is
 * twice the capacity.  The word of a slot tells all about it:
 *
 *     seq == p             free for position p
 *     seq == p + 1         full, with the message of position p
 *     after the take       seq == p + lap, free for the next round
 *
 * (Steps of two, because at capacity 1 "full with p" and "free for p + 1" must differ.)  So every operation takes effect at
 * one store to one word, neither side ever reads the other's cursor, and no count is shared.
 *
 * Memory order.  The word is stored with release and read with acquire: who reads "full" sees the message, who reads "free"
 * is past the copying out.  A cursor's position is stored with release after the word and read with acquire by threads that
 * look without a lock: who sees position p in the cursor sees that all positions before it were done.  That order is what
 * makes a failing try exact: the word says that position p was not put yet, the position says that all before it were taken;
 * hence empty, at the moment the word was read.  Everything else about a cursor is under its lock.
 *
 * A look may read a position and a slot that do not belong together.  No other slot ever holds that position's words, so
 * such a pair can only say "perhaps ready".  (Positions wrap after 2^31 messages where size_t has 32 bits: a look would have
 * to be stalled for exactly that many messages to be fooled.)
 *
 * Capacity 0 has one slot whose word is neither free nor full, so the paths that expect a ring fail without asking.
 */
#ifndef DUCT_RING_H
#define DUCT_RING_H

#include "sync.h"

#include <duct.h>

#include <string.h>

/* [I] Fixed when it is made. */
struct ring {
	size_t capacity; /* messages */
	size_t size;     /* of a message */
	size_t stride;   /* from slot to slot */
	unsigned char *slots;
};

static inline size_t ring_lap(const struct ring *ring)
{
	return 2 * ring->capacity;
}

/* Where one side stands, and whether it has come to its end.  Written under the side's lock, ended under both. */
struct cursor {
	_Atomic size_t position;
	_Atomic uint32_t slot;  /* position / 2 % capacity */
	_Atomic uint32_t ended; /* DUCT_OK, or the status that meets whoever comes to this side */
};

/* What a ring needs in memory; false if that is more than there can be, or a slot's number has more than 32 bits. */
bool ring_measure(size_t message_size, size_t capacity, size_t *bytes);

/* Makes an empty ring in memory of that many bytes, aligned as malloc would align it. */
void ring_init(struct ring *ring, size_t message_size, size_t capacity, void *memory);

static inline _Atomic size_t *ring_word(const struct ring *ring, size_t slot)
{
	return (_Atomic size_t *)(void *)(ring->slots + slot * ring->stride);
}

static inline void *ring_message(const struct ring *ring, size_t slot)
{
	return ring->slots + slot * ring->stride + sizeof(size_t);
}

/* Copies a message; a message of no bytes may be at NULL. */
static inline void ring_copy(const struct ring *ring, void *to, const void *from)
{
	if (likely(ring->size == 8))
		memcpy(to, from, 8);
	else if (ring->size != 0)
		memcpy(to, from, ring->size);
}

/* The same, out of the ring; to NULL the message is thrown away. */
static inline void ring_copy_out(const struct ring *ring, void *to, const void *from)
{
	if (to != NULL)
		ring_copy(ring, to, from);
}

/* Message number i of the caller's array; all of them are at the same place, perhaps NULL, if they have no bytes. */
static inline void *ring_nth(const struct ring *ring, const void *messages, size_t i)
{
	return ring->size != 0 ? (unsigned char *)messages + i * ring->size : (void *)messages;
}

static inline size_t ring_step(const struct ring *ring, size_t slot, size_t steps)
{
	slot += steps;
	return slot < ring->capacity ? slot : slot - ring->capacity;
}

/* From that position and slot so many steps on. */
static inline void cursor_move(const struct ring *ring, struct cursor *cursor, size_t position, size_t slot, size_t steps)
{
	store_release(&cursor->position, position + 2 * steps);
	store_relaxed(&cursor->slot, (uint32_t)ring_step(ring, slot, steps));
}

static inline void cursor_advance(const struct ring *ring, struct cursor *cursor, size_t steps)
{
	cursor_move(ring, cursor, load_relaxed(&cursor->position), load_relaxed(&cursor->slot), steps);
}

/* ---- With the lock of the side --------------------------------------------------------------------------------- */

static inline bool ring_has_room(const struct ring *ring, const struct cursor *put)
{
	return load_acquire(ring_word(ring, load_relaxed(&put->slot))) == load_relaxed(&put->position);
}

/* The same for so many messages: slots are freed in order. */
static inline bool ring_has_room_for(const struct ring *ring, const struct cursor *put, size_t count)
{
	const size_t last = count - 1;

	return count <= ring->capacity && load_acquire(ring_word(ring, ring_step(ring, load_relaxed(&put->slot), last))) ==
	                                      load_relaxed(&put->position) + 2 * last;
}

static inline bool ring_has_message(const struct ring *ring, const struct cursor *take)
{
	return load_acquire(ring_word(ring, load_relaxed(&take->slot))) == load_relaxed(&take->position) + 1;
}

/* False if there is no room. */
static inline bool ring_put(const struct ring *ring, struct cursor *put, const void *message)
{
	const size_t position = load_relaxed(&put->position), slot = load_relaxed(&put->slot);
	_Atomic size_t *word = ring_word(ring, slot);

	if (unlikely(load_acquire(word) != position))
		return false;
	ring_copy(ring, ring_message(ring, slot), message);
	store_release(word, position + 1);
	cursor_move(ring, put, position, slot, 1);
	return true;
}

/* False if there is no message. */
static inline bool ring_take(const struct ring *ring, struct cursor *take, void *message)
{
	const size_t position = load_relaxed(&take->position), slot = load_relaxed(&take->slot);
	_Atomic size_t *word = ring_word(ring, slot);

	if (unlikely(load_acquire(word) != position + 1))
		return false;
	ring_copy(ring, message, ring_message(ring, slot));
	store_release(word, position + ring_lap(ring));
	cursor_move(ring, take, position, slot, 1);
	return true;
}

/*
 * Takes the oldest message (to NULL: throws it away) and puts another into the same slot, at one store: the slot is never
 * seen free.  Moves both cursors; queue.c says when that needs no put lock.
 */
void ring_refill(const struct ring *ring, struct cursor *take, struct cursor *put, void *message, const void *next);

/*
 * Puts a message ahead of all others, the reverse of a take; false if there is no room.  With the locks of both sides, and while
 * nobody looks without one.
 */
bool ring_put_first(const struct ring *ring, struct cursor *take, const void *message);

/*
 * Moves up to count messages between an array and the ring, and tells how many: the whole batch appears, or is freed, at the
 * one store to its first slot, which the other side must pass before it looks at the rest.  Taken to NULL they are thrown
 * away.
 */
size_t ring_put_many(const struct ring *ring, struct cursor *put, const void *messages, size_t count);
size_t ring_take_many(const struct ring *ring, struct cursor *take, void *messages, size_t count);

/* How many messages have room, up to count. */
size_t ring_room(const struct ring *ring, const struct cursor *put, size_t count);

/* ---- Without a lock -------------------------------------------------------------------------------------------- */

/* False only if there was no room, or no message, at the moment its word was read, and the side had not ended after it. */
static inline bool ring_looks_puttable(const struct ring *ring, const struct cursor *put)
{
	size_t full_since_last_lap = load_acquire(&put->position) - ring_lap(ring) + 1;

	return load_acquire(ring_word(ring, load_relaxed(&put->slot))) != full_since_last_lap || load_acquire(&put->ended);
}

static inline bool ring_looks_takable(const struct ring *ring, const struct cursor *take)
{
	size_t still_free = load_acquire(&take->position);

	return load_acquire(ring_word(ring, load_relaxed(&take->slot))) != still_free || load_acquire(&take->ended);
}

#endif
