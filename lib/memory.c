/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Memory at the start of a cache line, from an allocator that knows no alignment: a little more is asked for, and the word
 * ahead of the line remembers where that began.
 */
#include "memory.h"

#include "sync.h"

#include <stdlib.h>

void *memory_new(const duct_allocator *allocator, size_t size)
{
	const size_t extra = CACHE_LINE - 1 + sizeof(void *);
	unsigned char *begin, *line;

	if (size > SIZE_MAX - extra)
		return NULL;
	begin = allocator != NULL ? allocator->allocate(size + extra, allocator->context) : malloc(size + extra);
	if (begin == NULL)
		return NULL;
	line = begin + extra - ((uintptr_t)begin + extra) % CACHE_LINE;
	((void **)(void *)line)[-1] = begin;
	return line;
}

void memory_free(const duct_allocator *allocator, void *memory)
{
	void *begin = ((void **)memory)[-1];

	if (allocator != NULL)
		allocator->release(begin, allocator->context);
	else
		free(begin);
}
