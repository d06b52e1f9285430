/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Changes gather until nothing new came for a while, or until the first has waited long enough, and are told in the order in
 * which they came up.  Folding needs only the last change of each path that gathered: a change like it adds nothing, nor does
 * MODIFIED after any other, since whoever is told of that looks at the file anyway.  All others are kept, so that what came
 * and went, or went and came, is told as both.
 *
 * Only the making of a change can fail.  What is not wanted is left out when the batch is told, for it may decide how others
 * fold.
 */
#include "batch.h"

#include "memory.h"

#include <string.h>

static void changes_put(struct changes *changes, struct change *change)
{
	change->next = NULL;
	*changes->end = change;
	changes->end = &change->next;
}

static struct change *changes_take(struct changes *changes)
{
	struct change *change = changes->first;

	if (change != NULL && (changes->first = change->next) == NULL)
		changes->end = &changes->first;
	return change;
}

static void changes_free(struct changes *changes)
{
	struct change *change;

	while ((change = changes_take(changes)) != NULL)
		memory_free(NULL, change);
}

void batch_init(struct batch *batch, unsigned wanted, int64_t settle, int64_t settle_most)
{
	*batch = (struct batch){ .wanted = wanted, .settle = settle, .settle_most = settle_most };
	batch->gathered.end = &batch->gathered.first;
	batch->told.end = &batch->told.first;
}

void batch_fini(struct batch *batch)
{
	table_clear(&batch->last);
	changes_free(&batch->gathered);
	changes_free(&batch->told);
}

struct change *change_new(duct_file_change what, size_t length)
{
	struct change *change = memory_new(NULL, sizeof *change + length + 1);

	if (change != NULL)
		change->what = what;
	return change;
}

static void tell(struct batch *batch, struct change *change)
{
	if (batch->wanted & change->what)
		changes_put(&batch->told, change);
	else
		memory_free(NULL, change);
}

static struct change *last_of(const struct batch *batch, const char *path, uint64_t hash)
{
	struct table_link *link = table_first(&batch->last, hash);

	while (link != NULL && strcmp(((struct change *)link)->path, path) != 0)
		link = table_next(link);
	return (struct change *)link;
}

static void gather(struct batch *batch, struct change *change)
{
	const uint64_t hash = hash_bytes(HASH_BEGIN, change->path, strlen(change->path));
	struct change *last = last_of(batch, change->path, hash);

	batch->has_grown = true; /* by one that folds away too: who writes a file bit by bit is not done */
	if (last != NULL && (change->what == last->what || change->what == DUCT_FILE_MODIFIED)) {
		memory_free(NULL, change);
		return;
	}
	if (last != NULL)
		table_take(&batch->last, &last->link);
	table_put(&batch->last, &change->link, hash);
	if (batch->gathered.first == NULL)
		batch->began = DUCT_FOREVER; /* not known yet */
	changes_put(&batch->gathered, change);
}

void batch_note(struct batch *batch, struct change *change)
{
	if (batch->settle < 0)
		tell(batch, change);
	else
		gather(batch, change);
}

duct_time batch_due(const struct batch *batch)
{
	if (batch->gathered.first == NULL)
		return DUCT_FOREVER;
	return deadline_min(time_plus(batch->grew, batch->settle), time_plus(batch->began, batch->settle_most));
}

void batch_settle(struct batch *batch, duct_time now)
{
	struct change *change;

	if (batch->has_grown) {
		batch->began = deadline_min(batch->began, now);
		batch->grew = now;
		batch->has_grown = false;
	}
	if (now < batch_due(batch))
		return;
	table_clear(&batch->last);
	while ((change = changes_take(&batch->gathered)) != NULL)
		tell(batch, change);
}

const struct change *batch_first(const struct batch *batch)
{
	return batch->told.first;
}

void batch_pop(struct batch *batch)
{
	memory_free(NULL, changes_take(&batch->told));
}
