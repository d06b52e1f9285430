/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * What the oracles have in common: the history as it is recorded, and which of its operations may come next.
 *
 * For either kind of history: included after oracle.h or broadcast_oracle.h.  Sets of operations are bits of a word; those that
 * have taken effect are done.
 */
#ifndef TEST_SCHEDULE_FRAME_ORACLE_H
#define TEST_SCHEDULE_FRAME_ORACLE_H

#include "explorer.h"

#include <limits.h>
#include <string.h>

struct operation history[MAX_OPERATIONS];
int history_length;
long history_clock, oracle_checks, oracle_visits;

static struct beginning start;

/* Somebody who slept on the same side when this was called has not been served. */
static bool overtakes(uint64_t done, const struct operation *operation);

/* ---- The history ------------------------------------------------------------------------------------------------------ */

void oracle_begin(const struct beginning *beginning)
{
	start = *beginning;
	history_length = 0;
	history_clock = 0;
}

static uint64_t sleeping_moves(void)
{
	uint64_t set = 0;

	for (int i = 0; i < history_length; i++) {
		const struct operation *operation = &history[i];

		if (operation->status == PENDING && !operation->may && operation->kind == MOVE &&
		    explorer_asleep(operation->thread))
			set |= UINT64_C(1) << i;
	}
	return set;
}

struct operation *oracle_call(enum kind kind, struct part part)
{
	struct operation *operation = &history[history_length];

	EXPLORER_CHECK(history_length < MAX_OPERATIONS);
	memset(operation, 0, sizeof *operation);
	operation->kind = kind;
	operation->part_count = 1;
	operation->parts[0] = part;
	operation->status = PENDING;
	operation->after = -1;
	operation->thread = explorer_self();
	operation->slept = sleeping_moves();
	operation->call = ++history_clock;
	operation->returned = LONG_MAX;
	history_length++;
	return operation;
}

void oracle_return(struct operation *operation, int status, int chosen)
{
	operation->returned = ++history_clock;
	operation->status = status;
	operation->chosen = chosen;
}

/* A batch that still waits has received what its buffer shows. */
static void settle_batches(void)
{
	for (int i = 0; i < history_length; i++) {
		struct operation *operation = &history[i];

		if (operation->status != PENDING || operation->received == NULL || *operation->received == UNTOUCHED)
			continue;
		operation->status = DUCT_OK;
		operation->chosen = 0;
		operation->parts[0].value = (uint8_t)*operation->received;
	}
}

/* Those that never were. */
static uint64_t erased_operations(void)
{
	uint64_t set = 0;

	for (int i = 0; i < history_length; i++)
		if (history[i].status == ERASED)
			set |= UINT64_C(1) << i;
	return set;
}

/* ---- What is done ----------------------------------------------------------------------------------------------------- */

static bool is_done(uint64_t done, int i)
{
	return (done >> i & 1) != 0;
}

/* Its turn has come in the chain of its call. */
static bool is_next(uint64_t done, int i)
{
	return !is_done(done, i) && (history[i].after < 0 || is_done(done, history[i].after));
}

static bool can_come_next(uint64_t done, int i, long first_return)
{
	const struct operation *operation = &history[i];

	return is_next(done, i) && operation->call <= first_return && (operation->status != PENDING || operation->may) &&
	       !overtakes(done, operation);
}

/* The last operation of a batch that has not returned; its buffer may already have settled the status. */
static bool ends_batch(int i)
{
	if (!history[i].may || history[i].returned != LONG_MAX)
		return false;
	return i + 1 == history_length || history[i + 1].after != i;
}

/* The earliest return of those left, and whether all of these are pending. */
static long first_return_of(uint64_t done, bool *complete)
{
	long first_return = LONG_MAX;

	*complete = true;
	for (int i = 0; i < history_length; i++) {
		if (is_done(done, i))
			continue;
		if (history[i].status != PENDING)
			*complete = false;
		if (history[i].returned < first_return)
			first_return = history[i].returned;
	}
	return first_return;
}

#endif
