/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * What a channel was given to treat its messages with.  Hooks run with no lock held, and with cancellation held off.
 */
#ifndef DUCT_HOOKS_H
#define DUCT_HOOKS_H

#include <duct.h>

#include <string.h>

/* [I] Fixed when the channel is made. */
struct hooks {
	size_t size; /* of a message */
	void (*drop)(void *message, void *context);
	int (*copy)(void *to, const void *from, void *context);
	void (*log)(const duct_log_event *event, void *context);
	int64_t log_interval; /* nanoseconds */
	void *context;
	const duct_allocator *allocator; /* NULL: malloc and free */
};

static inline void hooks_drop(const struct hooks *hooks, void *message)
{
	if (hooks->drop != NULL)
		hooks->drop(message, hooks->context);
}

/* One more instance of a message; false if it could not be made. */
static inline bool hooks_copy(const struct hooks *hooks, void *to, const void *from)
{
	if (hooks->copy != NULL)
		return hooks->copy(to, from, hooks->context) == 0;
	if (hooks->size != 0)
		memcpy(to, from, hooks->size);
	return true;
}

#endif
