/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * An agenda: a heap and a hash table over the same entries.
 */
#include "agenda.h"

#include "hash.h"
#include "memory.h"

#include <string.h>

/* ---- Memory ---------------------------------------------------------------------------------------------------- */

uint64_t object_hash(const void *object, size_t size)
{
	return hash_fold(hash_bytes(HASH_BEGIN, object, size));
}

struct entry *entry_new(const struct agenda *agenda, const void *object)
{
	struct entry *entry;

	if (agenda->size > SIZE_MAX - sizeof *entry || (entry = memory_new(NULL, sizeof *entry + agenda->size)) == NULL)
		return NULL;
	entry->hash = object_hash(object, agenda->size);
	memcpy(entry->object, object, agenda->size);
	return entry;
}

void entry_free(struct entry *entry)
{
	if (entry != NULL)
		memory_free(NULL, entry);
}

#define FEW 16

static size_t room_after(size_t room)
{
	return room != 0 ? 2 * room : FEW;
}

void *agenda_more(size_t room)
{
	if (room > SIZE_MAX / 6 / sizeof(struct entry *))
		return NULL;
	return memory_new(NULL, room_after(room) * 3 * sizeof(struct entry *));
}

static struct entry **slot_of(const struct agenda *agenda, uint64_t hash)
{
	return &agenda->slots[hash & (2 * agenda->room - 1)];
}

static void chain(struct agenda *agenda, struct entry *entry)
{
	struct entry **slot = slot_of(agenda, entry->hash);

	entry->chain = *slot;
	*slot = entry;
}

void *agenda_grow(struct agenda *agenda, void *memory, size_t room)
{
	struct entry **old = agenda->heap;

	if (agenda->room > room)
		return memory;
	agenda->room = room_after(room);
	agenda->heap = memory;
	agenda->slots = agenda->heap + agenda->room;
	memset(agenda->slots, 0, 2 * agenda->room * sizeof *agenda->slots);
	for (size_t i = 0; i < agenda->len; i++) {
		agenda->heap[i] = old[i];
		chain(agenda, old[i]);
	}
	return old;
}

void agenda_fini(struct agenda *agenda)
{
	for (size_t i = 0; i < agenda->len; i++)
		entry_free(agenda->heap[i]);
	if (agenda->heap != NULL)
		memory_free(NULL, agenda->heap);
}

/* ---- The heap -------------------------------------------------------------------------------------------------- */

static bool comes_before(const struct entry *a, const struct entry *b)
{
	return a->at != b->at ? a->at < b->at : a->number < b->number;
}

static void place(struct agenda *agenda, struct entry *entry, size_t at)
{
	agenda->heap[at] = entry;
	entry->place = at;
}

/* An entry whose place is free moves up or down to where it belongs. */
static void settle(struct agenda *agenda, struct entry *entry, size_t at)
{
	for (; at > 0 && comes_before(entry, agenda->heap[(at - 1) / 2]); at = (at - 1) / 2)
		place(agenda, agenda->heap[(at - 1) / 2], at);
	for (size_t below; (below = 2 * at + 1) < agenda->len; at = below) {
		if (below + 1 < agenda->len && comes_before(agenda->heap[below + 1], agenda->heap[below]))
			below++;
		if (!comes_before(agenda->heap[below], entry))
			break;
		place(agenda, agenda->heap[below], at);
	}
	place(agenda, entry, at);
}

void agenda_put(struct agenda *agenda, struct entry *entry, duct_time at)
{
	entry->at = at;
	entry->number = agenda->numbered++;
	chain(agenda, entry);
	settle(agenda, entry, agenda->len++);
}

struct entry *agenda_find(const struct agenda *agenda, const void *object, uint64_t hash)
{
	if (agenda->len == 0)
		return NULL;
	for (struct entry *entry = *slot_of(agenda, hash); entry != NULL; entry = entry->chain)
		if (entry->hash == hash && memcmp(entry->object, object, agenda->size) == 0)
			return entry;
	return NULL;
}

struct entry *agenda_first(const struct agenda *agenda)
{
	return agenda->len > 0 ? agenda->heap[0] : NULL;
}

void agenda_take(struct agenda *agenda, struct entry *entry)
{
	struct entry **link = slot_of(agenda, entry->hash), *last = agenda->heap[--agenda->len];

	while (*link != entry)
		link = &(*link)->chain;
	*link = entry->chain;
	if (last != entry)
		settle(agenda, last, entry->place);
}
