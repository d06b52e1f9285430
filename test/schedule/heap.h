/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The heap of an execution; heap.c says what it finds.
 */
#ifndef TEST_SCHEDULE_HEAP_H
#define TEST_SCHEDULE_HEAP_H

#include <stddef.h>

/* Forgets everything: an execution that ended in the middle leaves its memory behind. */
void heap_reset(void);

/* Allocations not freed. */
int heap_live(void);

/* Fails the execution if the memory lies in the heap but not in a live allocation. */
void heap_check(const void *memory, size_t size);

#endif
