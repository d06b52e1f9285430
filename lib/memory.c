/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Memory at the start of a cache line, from an allocator that knows no alignment: a little more is asked for, and the word
 * ahead of the line remembers where that began.
 */
#include "memory.h"

#include "sync.h"

#include <errno.h>
#include <stdlib.h>

static void *allocate(const duct_allocator *allocator, size_t size)
{
	int error = errno, cancellation = cancellation_hold();
	void *memory = allocator != NULL ? allocator->allocate(size, allocator->context) : malloc(size);

	cancellation_resume(cancellation);
	errno = error;
	return memory;
}

static void release(const duct_allocator *allocator, void *memory)
{
	int error = errno, cancellation = cancellation_hold();

	if (allocator != NULL)
		allocator->release(memory, allocator->context);
	else
		free(memory);
	cancellation_resume(cancellation);
	errno = error;
}

void *memory_new(const duct_allocator *allocator, size_t size)
{
	const size_t extra = CACHE_LINE - 1 + sizeof(void *);
	unsigned char *begin, *line;

	if (size > SIZE_MAX - extra || (begin = allocate(allocator, size + extra)) == NULL)
		return NULL;
	line = begin + extra - ((uintptr_t)begin + extra) % CACHE_LINE;
	((void **)(void *)line)[-1] = begin;
	return line;
}

void memory_free(const duct_allocator *allocator, void *memory)
{
	release(allocator, ((void **)memory)[-1]);
}
