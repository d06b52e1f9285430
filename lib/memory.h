/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Memory from the caller's allocator, or from malloc, at the start of a cache line.
 */
#ifndef DUCT_MEMORY_H
#define DUCT_MEMORY_H

#include <duct.h>

/* Memory of so many bytes, or NULL; allocator NULL is malloc and free.  Neither function changes errno. */
void *memory_new(const duct_allocator *allocator, size_t size);

/* Gives back what memory_new returned.  The allocator may lie in that memory. */
void memory_free(const duct_allocator *allocator, void *memory);

#endif
