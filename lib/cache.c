/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A cache: entries in a hash table, and in an array by the order in which their keys were first seen.
 *
 * Each call first takes what the receiver has.  A message is in a box, which a newer one of its key displaces.  Who gives a
 * message out refers to its box under the lock and copies from it without: so no hook runs under the lock, and a copy that takes
 * long holds up nobody.  The memory of an entry is had before the lock is taken, and before the message is.
 */
#include "cache.h"

#include "hash.h"
#include "memory.h"
#include "resolve.h"
#include "sync.h"

#define SLOTS_AT_FIRST 16

struct entry {
	struct entry *chain; /* of those with the same remainder */
	uint64_t hash, number;
	duct_box *box;
};

/* [I] fixed when made, the rest under lock. */
struct duct_cache {
	pthread_mutex_t lock;
	duct_receiver *receiver;   /* [I] owned */
	const struct hooks *hooks; /* [I] of the receiver's channel or source */
	duct_key key;              /* [I] */
	void *context;             /* [I] of key */
	struct entry **slots;      /* of the table: a power of two */
	struct entry **order;      /* as many: len entries, by number */
	size_t slot_count, len;
	uint64_t seen; /* keys, ever */
};

duct_channel *cache_channel(const duct_cache *cache)
{
	return cache->receiver->end.channel;
}

/* ---- The table, under lock ------------------------------------------------------------------------------------- */

struct key {
	const void *bytes;
	size_t size;
	uint64_t hash;
};

static struct key key_of(const void *bytes, size_t size)
{
	return (struct key){ .bytes = bytes, .size = size, .hash = hash_bytes(HASH_BEGIN, bytes, size) };
}

static struct key key_of_box(const duct_cache *cache, const duct_box *box)
{
	size_t size = 0;
	int cancellation = cancellation_hold(); /* the lock is held */
	const void *bytes = cache->key(duct_box_data(box), &size, cache->context);

	cancellation_resume(cancellation);
	return key_of(bytes, size);
}

static struct entry **slot_of(const duct_cache *cache, uint64_t hash)
{
	return &cache->slots[hash_fold(hash) & (cache->slot_count - 1)];
}

static struct entry *find(const duct_cache *cache, const struct key *key)
{
	for (struct entry *entry = *slot_of(cache, key->hash); entry != NULL; entry = entry->chain) {
		struct key other;

		if (entry->hash != key->hash)
			continue;
		other = key_of_box(cache, entry->box);
		if (other.size == key->size && (key->size == 0 || memcmp(other.bytes, key->bytes, key->size) == 0))
			return entry;
	}
	return NULL;
}

/* The first place in the order with a number over this one. */
static size_t place_after(const duct_cache *cache, uint64_t number)
{
	size_t low = 0, high = cache->len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (cache->order[middle]->number > number)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static void insert(duct_cache *cache, struct entry *entry, uint64_t hash)
{
	struct entry **slot = slot_of(cache, hash);

	entry->hash = hash;
	entry->number = ++cache->seen;
	entry->chain = *slot;
	*slot = entry;
	cache->order[cache->len++] = entry;
}

static void take_out(duct_cache *cache, struct entry *entry)
{
	struct entry **link = slot_of(cache, entry->hash);
	const size_t place = place_after(cache, entry->number) - 1;

	while (*link != entry)
		link = &(*link)->chain;
	*link = entry->chain;
	cache->len--;
	memmove(&cache->order[place], &cache->order[place + 1], (cache->len - place) * sizeof *cache->order);
}

static void entry_free(struct entry *entry)
{
	duct_box_free(entry->box);
	memory_free(NULL, entry);
}

/* ---- Growing --------------------------------------------------------------------------------------------------- */

/* Slots and order in one block. */
static struct entry **table_new(size_t slots)
{
	struct entry **table = slots <= SIZE_MAX / 2 / sizeof *table ? memory_new(NULL, 2 * slots * sizeof *table) : NULL;

	for (size_t i = 0; table != NULL && i < slots; i++)
		table[i] = NULL;
	return table;
}

/* With the lock: moves all entries to a table that is larger. */
static struct entry **use_table_locked(duct_cache *cache, struct entry **table, size_t slots)
{
	struct entry **old = cache->slots;

	memcpy(table + slots, cache->order, cache->len * sizeof *table);
	cache->slots = table;
	cache->order = table + slots;
	cache->slot_count = slots;
	for (size_t i = 0; i < cache->len; i++) {
		struct entry **slot = slot_of(cache, cache->order[i]->hash);

		cache->order[i]->chain = *slot;
		*slot = cache->order[i];
	}
	return old;
}

/* Sees to it that there is a place for one more entry. */
static bool make_room(duct_cache *cache)
{
	struct entry **table, **useless;
	size_t slots;
	bool full;

	mutex_lock(&cache->lock);
	slots = 2 * cache->slot_count;
	full = cache->len == cache->slot_count;
	mutex_unlock(&cache->lock);
	if (!full)
		return true;
	if ((table = table_new(slots)) == NULL)
		return false;
	mutex_lock(&cache->lock);
	useless = slots > cache->slot_count ? use_table_locked(cache, table, slots) : table;
	mutex_unlock(&cache->lock);
	memory_free(NULL, useless);
	return true;
}

/* ---- Taking in ------------------------------------------------------------------------------------------------- */

static struct entry *entry_new(const struct hooks *hooks)
{
	struct entry *entry = memory_new(NULL, sizeof *entry);

	if (entry == NULL)
		return NULL;
	entry->box = box_new(hooks->allocator, hooks->size, hooks->drop, hooks->context);
	if (entry->box != NULL)
		return entry;
	memory_free(NULL, entry);
	return NULL;
}

/* With the lock: the next message into the entry's box, if there is one. */
static bool receive_locked(duct_cache *cache, struct entry *entry)
{
	duct_status status;

	do
		status = duct_try_recv(cache->receiver, duct_box_data(entry->box));
	while (status == DUCT_LAGGED);
	return status == DUCT_OK;
}

/* With the lock: puts a message in its place, and returns what is useless then: the entry with the message that it displaced. */
static struct entry *place_locked(duct_cache *cache, struct entry *entry)
{
	const struct key key = key_of_box(cache, entry->box);
	struct entry *old = find(cache, &key);
	duct_box *box = entry->box;

	if (old == NULL) {
		insert(cache, entry, key.hash);
		return NULL;
	}
	entry->box = old->box;
	old->box = box;
	return entry;
}

/* Takes in one message; *more is false if there was none. */
static duct_status take_in(duct_cache *cache, bool *more)
{
	struct entry *entry = make_room(cache) ? entry_new(cache->hooks) : NULL;
	bool has_place;

	if (entry == NULL)
		return DUCT_NOMEM;
	mutex_lock(&cache->lock);
	has_place = cache->len < cache->slot_count; /* others may have used it */
	*more = !has_place || receive_locked(cache, entry);
	if (!has_place || !*more) {
		mutex_unlock(&cache->lock);
		box_free_empty(entry->box);
		memory_free(NULL, entry);
		return DUCT_OK;
	}
	entry = place_locked(cache, entry);
	mutex_unlock(&cache->lock);
	if (entry != NULL)
		entry_free(entry);
	return DUCT_OK;
}

/*
 * Takes in what the receiver has, as far as that was there when it began.  At capacity 0, and of a source, nobody knows but by
 * trying.
 */
static duct_status catch_up(duct_cache *cache)
{
	size_t left = duct_receiver_len(cache->receiver);
	duct_status status = DUCT_OK;
	bool more = true;

	if (left == 0 && (duct_receiver_capacity(cache->receiver) == 0 || cache->receiver->end.source != NULL))
		left = 1;
	for (; left > 0 && more && status == DUCT_OK; left--)
		status = take_in(cache, &more);
	return status;
}

/* ---- Giving out ------------------------------------------------------------------------------------------------ */

static bool copy_out(const duct_cache *cache, void *message, const duct_box *box)
{
	int cancellation = cancellation_hold();
	bool copied = hooks_copy(cache->hooks, message, duct_box_data(box));

	cancellation_resume(cancellation);
	return copied;
}

static void drop_again(const duct_cache *cache, void *message)
{
	int cancellation = cancellation_hold();

	hooks_drop(cache->hooks, message);
	cancellation_resume(cancellation);
}

static bool is_message(const duct_cache *cache, const void *message)
{
	return message != NULL || cache->hooks->size == 0;
}

static bool is_key(const void *key, size_t size)
{
	return key != NULL || size == 0;
}

/* A copy of what is in a box that was referred to under the lock; NULL: there was none. */
static duct_status give_copy(const duct_cache *cache, duct_box *box, void *message)
{
	duct_status status;

	if (box == NULL)
		return DUCT_EMPTY;
	status = copy_out(cache, message, box) ? DUCT_OK : DUCT_NOMEM;
	duct_box_free(box);
	return status;
}

static duct_box *refer(const struct entry *entry)
{
	return entry != NULL ? duct_box_ref(entry->box) : NULL;
}

duct_status duct_cache_get(duct_cache *cache, const void *key, size_t size, void *message)
{
	const struct key wanted = key_of(key, is_key(key, size) ? size : 0);
	duct_status status;
	duct_box *box;

	if (cache == NULL || !is_key(key, size) || !is_message(cache, message))
		return DUCT_INVALID;
	if ((status = catch_up(cache)) != DUCT_OK)
		return status;
	mutex_lock(&cache->lock);
	box = refer(find(cache, &wanted));
	mutex_unlock(&cache->lock);
	return give_copy(cache, box, message);
}

bool duct_cache_contains(duct_cache *cache, const void *key, size_t size)
{
	const struct key wanted = key_of(key, is_key(key, size) ? size : 0);
	bool found;

	if (cache == NULL || !is_key(key, size))
		return false;
	(void)catch_up(cache);
	mutex_lock(&cache->lock);
	found = find(cache, &wanted) != NULL;
	mutex_unlock(&cache->lock);
	return found;
}

size_t duct_cache_len(duct_cache *cache)
{
	size_t len;

	if (cache == NULL)
		return 0;
	(void)catch_up(cache);
	mutex_lock(&cache->lock);
	len = cache->len;
	mutex_unlock(&cache->lock);
	return len;
}

duct_status duct_cache_next(duct_cache *cache, uint64_t *cursor, void *message)
{
	duct_status status;
	duct_box *box = NULL;
	uint64_t number = 0;
	size_t place;

	if (cache == NULL || cursor == NULL || !is_message(cache, message))
		return DUCT_INVALID;
	if ((status = catch_up(cache)) != DUCT_OK)
		return status;
	mutex_lock(&cache->lock);
	place = place_after(cache, *cursor);
	if (place < cache->len) {
		box = refer(cache->order[place]);
		number = cache->order[place]->number;
	}
	mutex_unlock(&cache->lock);
	status = give_copy(cache, box, message);
	if (status == DUCT_OK)
		*cursor = number;
	return status;
}

/* ---- Snapshots ------------------------------------------------------------------------------------------------- */

/* Copies from boxes in order; if one fails, those that were made are dropped again. */
static duct_status copy_all(const duct_cache *cache, duct_box **boxes, size_t count, unsigned char *messages)
{
	const size_t size = cache->hooks->size;

	for (size_t i = 0; i < count; i++) {
		if (copy_out(cache, messages + i * size, boxes[i]))
			continue;
		while (i-- > 0)
			drop_again(cache, messages + i * size);
		return DUCT_NOMEM;
	}
	return DUCT_OK;
}

duct_status duct_cache_snapshot(duct_cache *cache, void *messages, size_t most, size_t *count)
{
	duct_status status;
	duct_box **boxes;
	size_t room, len, held;

	if (cache == NULL || count == NULL || (most > 0 && !is_message(cache, messages)))
		return DUCT_INVALID;
	if ((status = catch_up(cache)) != DUCT_OK)
		return status;
	for (;;) {
		mutex_lock(&cache->lock);
		room = cache->len < most ? cache->len : most;
		mutex_unlock(&cache->lock);
		if ((boxes = memory_new(NULL, room * sizeof(duct_box *))) == NULL)
			return DUCT_NOMEM;
		mutex_lock(&cache->lock);
		len = cache->len;
		held = len < most ? len : most;
		for (size_t i = 0; held <= room && i < held; i++)
			boxes[i] = refer(cache->order[i]);
		mutex_unlock(&cache->lock);
		if (held <= room)
			break;
		memory_free(NULL, boxes); /* there are more meanwhile */
	}
	status = copy_all(cache, boxes, held, messages);
	for (size_t i = 0; i < held; i++)
		duct_box_free(boxes[i]);
	memory_free(NULL, boxes);
	if (status == DUCT_OK)
		*count = len;
	return status;
}

/* ---- Taking out ------------------------------------------------------------------------------------------------ */

/* With the lock: the one with this key, or without one the last. */
static struct entry *choose(const duct_cache *cache, const struct key *key)
{
	if (key != NULL)
		return find(cache, key);
	return cache->len > 0 ? cache->order[cache->len - 1] : NULL;
}

/* With no lock: takes the entry out if it still is the one with that box. */
static struct entry *take_out_same(duct_cache *cache, const struct key *key, const duct_box *box)
{
	struct entry *entry;

	mutex_lock(&cache->lock);
	entry = choose(cache, key);
	if (entry != NULL && entry->box == box)
		take_out(cache, entry);
	else
		entry = NULL;
	mutex_unlock(&cache->lock);
	return entry;
}

/* A copy of what others are copying from at this moment too; the entry goes if it has not changed meanwhile, else false. */
static bool pop_copy(duct_cache *cache, const struct key *key, duct_box *shared, void *message, duct_status *status)
{
	const struct hooks *hooks = cache->hooks;
	duct_box *copy = box_new(hooks->allocator, hooks->size, hooks->drop, hooks->context);
	const bool copied = copy != NULL && copy_out(cache, duct_box_data(copy), shared);
	struct entry *entry = copied ? take_out_same(cache, key, shared) : NULL;

	*status = copied ? DUCT_OK : DUCT_NOMEM;
	if (entry != NULL) {
		box_move_out(copy, message);
		entry_free(entry);
	}
	if (copied)
		duct_box_free(copy);
	else if (copy != NULL)
		box_free_empty(copy);
	duct_box_free(shared);
	return !copied || entry != NULL;
}

/* One attempt; false if another thread was faster. */
static bool try_pop(duct_cache *cache, const struct key *key, void *message, duct_status *status)
{
	duct_box *shared = NULL;
	struct entry *entry;

	mutex_lock(&cache->lock);
	entry = choose(cache, key);
	if (entry != NULL && message != NULL && cache->hooks->copy != NULL && box_is_shared(entry->box))
		shared = refer(entry);
	else if (entry != NULL)
		take_out(cache, entry);
	mutex_unlock(&cache->lock);
	if (shared != NULL)
		return pop_copy(cache, key, shared, message, status);
	*status = entry != NULL ? DUCT_OK : DUCT_EMPTY;
	if (entry == NULL)
		return true;
	if (message != NULL)
		box_move_out(entry->box, message);
	entry_free(entry);
	return true;
}

static duct_status pop(duct_cache *cache, const struct key *key, void *message)
{
	duct_status status = catch_up(cache);

	if (status == DUCT_OK)
		while (!try_pop(cache, key, message, &status))
			;
	return status;
}

duct_status duct_cache_pop(duct_cache *cache, const void *key, size_t size, void *message)
{
	const struct key wanted = key_of(key, is_key(key, size) ? size : 0);

	return cache != NULL && is_key(key, size) ? pop(cache, &wanted, message) : DUCT_INVALID;
}

duct_status duct_cache_pop_last(duct_cache *cache, void *message)
{
	return cache != NULL ? pop(cache, NULL, message) : DUCT_INVALID;
}

duct_status duct_cache_clear(duct_cache *cache)
{
	duct_status status;

	if (cache == NULL)
		return DUCT_INVALID;
	while ((status = duct_cache_pop_last(cache, NULL)) == DUCT_OK)
		;
	return status == DUCT_EMPTY ? DUCT_OK : status;
}

/* ---- Life ------------------------------------------------------------------------------------------------------ */

duct_status duct_cache_new(duct_cache **cache, duct_receiver *receiver, duct_key key, void *context)
{
	duct_cache *made;

	if (cache == NULL || receiver == NULL || key == NULL)
		return DUCT_INVALID;
	if ((made = memory_new(NULL, sizeof *made)) == NULL)
		return DUCT_NOMEM;
	*made = (duct_cache){ .receiver = receiver,
		.hooks = end_hooks(&receiver->end),
		.key = key,
		.context = context,
		.slots = table_new(SLOTS_AT_FIRST),
		.slot_count = SLOTS_AT_FIRST };
	if (made->slots == NULL || pthread_mutex_init(&made->lock, NULL) != 0) {
		if (made->slots != NULL)
			memory_free(NULL, made->slots);
		memory_free(NULL, made);
		return DUCT_NOMEM;
	}
	made->order = made->slots + SLOTS_AT_FIRST;
	*cache = made;
	return DUCT_OK;
}

void duct_cache_free(duct_cache *cache)
{
	if (cache == NULL)
		return;
	for (size_t i = 0; i < cache->len; i++)
		entry_free(cache->order[i]);
	duct_receiver_free(cache->receiver);
	pthread_mutex_destroy(&cache->lock);
	memory_free(NULL, cache->slots);
	memory_free(NULL, cache);
}
