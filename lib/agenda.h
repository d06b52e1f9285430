/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * An agenda: objects and when each is due, one time for each.  No lock, and no allocation but where it says so, so that it
 * can be kept under a lock.
 *
 * The entries are in a heap, the first to be due on top (of two at one time the one that was set first), and in a hash table
 * by the bytes of their objects.  To set, replace or take one costs log n.
 */
#ifndef DUCT_AGENDA_H
#define DUCT_AGENDA_H

#include <duct.h>

struct entry {
	duct_time at;
	uint64_t number; /* in the order of setting */
	uint64_t hash;
	size_t place; /* in the heap */
	struct entry *chain;
	unsigned char object[]; /* as many bytes as objects have */
};

struct agenda {
	size_t size; /* [I] of an object */
	size_t len, room;
	uint64_t numbered;    /* entries, ever */
	struct entry **heap;  /* room for that many; of one block of memory with */
	struct entry **slots; /* twice as many, a power of two */
};

/* Memory for an entry with that object, or NULL; and gives one back (or NULL).  Not under a lock. */
struct entry *entry_new(const struct agenda *agenda, const void *object);
void entry_free(struct entry *entry);

/* Memory for more entries than that, or NULL.  Not under a lock. */
void *agenda_more(size_t room);

/* Uses that memory if it is still more than there is; returns what is to be freed then. */
void *agenda_grow(struct agenda *agenda, void *memory, size_t room);

static inline bool agenda_is_full(const struct agenda *agenda)
{
	return agenda->len == agenda->room;
}

/* Puts an entry in; there is room. */
void agenda_put(struct agenda *agenda, struct entry *entry, duct_time at);

/* The entry of an object, or NULL; the first to be due, or NULL; and takes one out, for the caller to free. */
struct entry *agenda_find(const struct agenda *agenda, const void *object, uint64_t hash);
struct entry *agenda_first(const struct agenda *agenda);
void agenda_take(struct agenda *agenda, struct entry *entry);

uint64_t object_hash(const void *object, size_t size);

/* Frees all.  Not under a lock. */
void agenda_fini(struct agenda *agenda);

#endif
