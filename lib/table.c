/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A hash table with chains.  It doubles where it has as many things as slots, and stays as it is where there is no memory.
 */
#include "table.h"

#include "memory.h"

#include <string.h>

static size_t slot_count(const struct table *table)
{
	return table->grown != NULL ? table->slot_count : TABLE_FEW;
}

static struct table_link **slot_of(const struct table *table, uint64_t hash)
{
	struct table_link *const *slots = table->grown != NULL ? table->grown : table->few;

	return (struct table_link **)(uintptr_t)&slots[hash_fold(hash) & (slot_count(table) - 1)];
}

static void put_in_slot(struct table *table, struct table_link *link)
{
	struct table_link **slot = slot_of(table, link->hash);

	link->chain = *slot;
	*slot = link;
}

/* All links of the old slots, in one chain. */
static struct table_link *take_all(struct table *table)
{
	struct table_link *all = NULL, *link;

	for (size_t i = 0; i < slot_count(table); i++) {
		struct table_link **slot = slot_of(table, i);

		while ((link = *slot) != NULL) {
			*slot = link->chain;
			link->chain = all;
			all = link;
		}
	}
	return all;
}

/* The size cannot overflow: there are as many links as slots, and a link is not smaller than the two slots it is to get. */
static void grow(struct table *table)
{
	const size_t count = 2 * slot_count(table);
	struct table_link **slots = memory_new(NULL, count * sizeof(void *));
	struct table_link *all, *link;

	if (slots == NULL)
		return;
	memset(slots, 0, count * sizeof(void *));
	all = take_all(table);
	if (table->grown != NULL)
		memory_free(NULL, table->grown);
	table->grown = slots;
	table->slot_count = count;
	while ((link = all) != NULL) {
		all = link->chain;
		put_in_slot(table, link);
	}
}

void table_put(struct table *table, struct table_link *link, uint64_t hash)
{
	if (table->len >= slot_count(table))
		grow(table);
	link->hash = hash;
	put_in_slot(table, link);
	table->len++;
}

void table_take(struct table *table, struct table_link *link)
{
	struct table_link **at = slot_of(table, link->hash);

	while (*at != link)
		at = &(*at)->chain;
	*at = link->chain;
	table->len--;
}

static struct table_link *with_hash(struct table_link *link, uint64_t hash)
{
	while (link != NULL && link->hash != hash)
		link = link->chain;
	return link;
}

struct table_link *table_first(const struct table *table, uint64_t hash)
{
	return with_hash(*slot_of(table, hash), hash);
}

struct table_link *table_next(const struct table_link *link)
{
	return with_hash(link->chain, link->hash);
}

void table_clear(struct table *table)
{
	if (table->grown != NULL)
		memory_free(NULL, table->grown);
	*table = (struct table){ 0 };
}
