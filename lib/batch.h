/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Changes of files: gathered, folded, and then told in order.
 */
#ifndef DUCT_BATCH_H
#define DUCT_BATCH_H

#include "clock.h"
#include "table.h"

struct change {
	struct table_link link; /* by its path, if it is the last of it in the batch */
	struct change *next;
	duct_file_change what;
	char path[];
};

struct changes {
	struct change *first, **end;
};

struct batch {
	unsigned wanted;             /* [I] bits: what is told */
	int64_t settle, settle_most; /* [I] nanoseconds; settle negative: nothing gathers */
	struct changes gathered, told;
	struct table last; /* of the changes that gathered, the last of each path */
	bool has_grown;    /* since the last batch_settle */
	duct_time began;   /* the batch, where anything has gathered */
	duct_time grew;
};

void batch_init(struct batch *batch, unsigned wanted, int64_t settle, int64_t settle_most);
void batch_fini(struct batch *batch);

/* A change, with room for a path of that length; NULL: no memory. */
struct change *change_new(duct_file_change what, size_t length);

/* Takes the change, which has its path now: it is gathered, or freed where an earlier one says as much. */
void batch_note(struct batch *batch, struct change *change);

/* Tells what has gathered if it is time. */
void batch_settle(struct batch *batch, duct_time now);

/* When it will be; DUCT_FOREVER where nothing has gathered. */
duct_time batch_due(const struct batch *batch);

/* The oldest that is told, or NULL; and away with it. */
const struct change *batch_first(const struct batch *batch);
void batch_pop(struct batch *batch);

#endif
