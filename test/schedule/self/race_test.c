/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Every pair of plain accesses that a compiler can ask the race detector about: all kinds and sizes, at all distances.
 *
 * Two threads make one access each.  They race if one of them writes and their bytes overlap, and only then: neighbours of the
 * same word do not.  What the compiler calls is called here by hand.
 */
#include "self.h"

#include "explorer.h"
#include "race.h"

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define FAR 20
#define LONGEST 37

void *race_memmove(void *to, const void *from, size_t size);
void *race_memcpy(void *to, const void *from, size_t size);
void *race_memset(void *to, int byte, size_t size);
void __tsan_read_range(void *memory, size_t size);
void __tsan_write_range(void *memory, size_t size);

#define DECLARE(size_) \
	void __tsan_read##size_(void *memory); \
	void __tsan_write##size_(void *memory); \
	void __tsan_unaligned_read##size_(void *memory); \
	void __tsan_unaligned_write##size_(void *memory); \
	void __tsan_volatile_read##size_(void *memory); \
	void __tsan_volatile_write##size_(void *memory);

DECLARE(1)
DECLARE(2)
DECLARE(4)
DECLARE(8)
DECLARE(16)

/* A call with a fixed size, or with any. */
struct access {
	const char *name;
	void (*fixed)(void *memory);
	void (*ranged)(void *memory, size_t size);
	size_t size;
	bool writes;
};

static unsigned char memory[FAR + 2 * LONGEST + 8] __attribute__((aligned(16)));
static unsigned char elsewhere[2][LONGEST];

static void copy_from(void *at, size_t size)
{
	race_memcpy(elsewhere[explorer_self() - 1], at, size);
}

static void copy_to(void *at, size_t size)
{
	race_memmove(at, elsewhere[explorer_self() - 1], size);
}

static void set(void *at, size_t size)
{
	race_memset(at, 0, size);
}

#define FIXED(size_) \
	{ "read" #size_, __tsan_read##size_, NULL, size_, false }, { "write" #size_, __tsan_write##size_, NULL, size_, true }, \
	    { "unaligned_read" #size_, __tsan_unaligned_read##size_, NULL, size_, false }, \
	    { "unaligned_write" #size_, __tsan_unaligned_write##size_, NULL, size_, true }, \
	    { "volatile_read" #size_, __tsan_volatile_read##size_, NULL, size_, false }, \
	{ \
		"volatile_write" #size_, __tsan_volatile_write##size_, NULL, size_, true \
	}

#define RANGED(name_, call_, writes_) \
	{ name_, NULL, call_, 1, writes_ }, { name_, NULL, call_, 3, writes_ }, { name_, NULL, call_, 9, writes_ }, \
	{ \
		name_, NULL, call_, LONGEST, writes_ \
	}

static const struct access accesses[] = { FIXED(1), FIXED(2), FIXED(4), FIXED(8), FIXED(16),
	RANGED("read_range", __tsan_read_range, false), RANGED("write_range", __tsan_write_range, true),
	RANGED("copy from", copy_from, false), RANGED("copy to", copy_to, true), RANGED("set", set, true) };

#define COUNT (sizeof accesses / sizeof accesses[0])

/* What the two threads of the next execution do. */
static const struct access *pair[2];
static unsigned char *places[2];

static void *make_access(void *which)
{
	const struct access *access = pair[(size_t)which];

	if (access->fixed != NULL)
		access->fixed(places[(size_t)which]);
	else
		access->ranged(places[(size_t)which], access->size);
	return NULL;
}

static void make_both(void)
{
	pthread_t threads[2];

	for (size_t i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, make_access, (void *)i);
	for (size_t i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

/* The first one is made so far behind the beginning of a word. */
static void try_at(ptrdiff_t shift, ptrdiff_t distance)
{
	struct exploration exploration = { .strategy = EXPLORE_EXHAUSTIVE, .runs = 1, .max_steps = 100 };
	const struct access *first = pair[0], *second = pair[1];
	bool overlap = distance < (ptrdiff_t)first->size && -distance < (ptrdiff_t)second->size;
	bool races = overlap && (first->writes || second->writes);

	places[0] = memory + FAR + shift;
	places[1] = places[0] + distance;
	explore(&exploration, make_both);
	self_check(exploration.failed == races, "%s of %zu bytes at %td and, %td after, %s of %zu: %s", first->name,
	    first->size, shift, distance, second->name, second->size, races ? "no race" : exploration.message);
}

/* Each kind with each, where they overlap by one byte and where they just do not. */
static void pairs_race_where_they_overlap(void)
{
	for (size_t i = 0; i < COUNT; i++)
		for (size_t k = 0; k < COUNT; k++) {
			pair[0] = &accesses[i];
			pair[1] = &accesses[k];
			if (accesses[k].size < FAR) {
				try_at(0, -(ptrdiff_t)accesses[k].size);
				try_at(0, 1 - (ptrdiff_t)accesses[k].size);
			}
			try_at(0, 0);
			try_at(0, (ptrdiff_t)accesses[i].size - 1);
			try_at(0, (ptrdiff_t)accesses[i].size);
		}
}

/* One byte against each byte of each kind. */
static void every_byte_counts(void)
{
	for (size_t i = 0; i < COUNT; i++)
		for (ptrdiff_t distance = -5; distance < LONGEST + 5; distance++) {
			pair[0] = &accesses[i];
			pair[1] = &accesses[1]; /* write1 */
			for (ptrdiff_t shift = 0; shift < 4; shift++)
				try_at(shift, distance);
		}
}

/* The report names the byte that both touched. */
static void report_names_the_byte(void)
{
	struct exploration exploration = { .strategy = EXPLORE_EXHAUSTIVE, .runs = 1, .max_steps = 100 };
	char expected[64];

	pair[0] = &accesses[1];
	pair[1] = &accesses[23]; /* volatile_write8 */
	places[0] = memory + FAR + 6;
	places[1] = memory + FAR;
	explore(&exploration, make_both);
	snprintf(expected, sizeof expected, "data race at %p: write by T2", (void *)places[0]);
	self_check(
	    strncmp(exploration.message, expected, strlen(expected)) == 0, "\"%s\", not \"%s\"", exploration.message, expected);
}

void race_test(void)
{
	pairs_race_where_they_overlap();
	every_byte_counts();
	report_names_the_byte();
}
