/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A hash table of things that bring their own links, so that nothing can fail: a table that cannot grow has longer chains.
 */
#ifndef DUCT_TABLE_H
#define DUCT_TABLE_H

#include "hash.h"

#define TABLE_FEW 16 /* slots that need no memory; a power of two */

/* First member of what is in a table. */
struct table_link {
	struct table_link *chain;
	uint64_t hash;
};

/* All zeros is an empty table. */
struct table {
	struct table_link **grown; /* slots, a power of two; NULL: few */
	size_t slot_count, len;
	struct table_link *few[TABLE_FEW];
};

void table_put(struct table *table, struct table_link *link, uint64_t hash);
void table_take(struct table *table, struct table_link *link);

/* The first with that hash, and the next one after it; NULL: no more. */
struct table_link *table_first(const struct table *table, uint64_t hash);
struct table_link *table_next(const struct table_link *link);

/* Forgets all that is in it, and gives its memory back. */
void table_clear(struct table *table);

#endif
