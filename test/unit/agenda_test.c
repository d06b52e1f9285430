/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The agenda beside a plain array: objects with one time each, the first to be due first.
 */
#include "agenda.h"

#include "harness.h"
#include "memory.h"

enum { OBJECTS = 300 };

static struct agenda agenda;

static void set(int object, duct_time at)
{
	struct entry *entry = entry_new(&agenda, &object), *old;
	void *memory;

	CHECK(entry != NULL);
	while (agenda_is_full(&agenda)) {
		size_t room = agenda.room;

		CHECK((memory = agenda_more(room)) != NULL);
		memory = agenda_grow(&agenda, memory, room);
		if (memory != NULL)
			memory_free(NULL, memory);
		CHECK(agenda.room > room);
	}
	old = agenda_find(&agenda, &object, entry->hash);
	if (old != NULL)
		agenda_take(&agenda, old);
	entry_free(old);
	agenda_put(&agenda, entry, at);
}

/* An object of the model: its time, 0 for none, and when it was set. */
struct expected {
	duct_time at;
	uint64_t number;
};

static int first_of(const struct expected *expected)
{
	int first = -1;

	for (int i = 0; i < OBJECTS; i++)
		if (expected[i].at != 0 &&
		    (first < 0 || expected[i].at < expected[first].at ||
			(expected[i].at == expected[first].at && expected[i].number < expected[first].number)))
			first = i;
	return first;
}

static int object_of(const struct entry *entry)
{
	int object = -1;

	if (entry != NULL)
		memcpy(&object, entry->object, sizeof object);
	return object;
}

/* Set, set anew, take by object and take the first, at random; few times, so that many are the same. */
TEST(agenda, gives_the_first_as_an_array_would, 20)
{
	struct expected expected[OBJECTS] = { { 0 } };
	uint32_t random = 1;
	size_t len = 0;

	agenda = (struct agenda){ .size = sizeof(int) };
	CHECK(agenda_first(&agenda) == NULL && agenda_is_full(&agenda));
	for (uint64_t step = 1; step < 20000; step++) {
		int object = (int)(test_random(&random) % OBJECTS);
		struct entry *entry = agenda_find(&agenda, &object, object_hash(&object, sizeof object));

		CHECK((entry != NULL) == (expected[object].at != 0));
		CHECK(entry == NULL || (object_of(entry) == object && entry->at == expected[object].at));
		if (test_random(&random) % 3 != 0) {
			len += expected[object].at == 0;
			expected[object] = (struct expected){ .at = 1 + test_random(&random) % 50, .number = step };
			set(object, expected[object].at);
		} else {
			if (test_random(&random) % 2 == 0)
				entry = agenda_first(&agenda);
			if (entry != NULL) {
				expected[object_of(entry)].at = 0;
				agenda_take(&agenda, entry);
				entry_free(entry);
				len--;
			}
		}
		CHECK(object_of(agenda_first(&agenda)) == first_of(expected) && agenda.len == len);
	}
	agenda_fini(&agenda);
}

/* What is brought for growing is given back if somebody else was faster. */
TEST(agenda, keeps_the_larger_memory, 5)
{
	void *first = agenda_more(0), *second = agenda_more(0);

	agenda = (struct agenda){ .size = sizeof(int) };
	CHECK(first != NULL && second != NULL);
	CHECK(agenda_grow(&agenda, first, 0) == NULL);
	set(1, 1);
	CHECK(agenda_grow(&agenda, second, 0) == second);
	CHECK(object_of(agenda_first(&agenda)) == 1);
	memory_free(NULL, second);
	CHECK(agenda_more(SIZE_MAX / 8) == NULL && agenda_more(SIZE_MAX / 16 + 1) == NULL);
	agenda_fini(&agenda);
}

/* Twice as much each time, a power of two. */
TEST(agenda, doubles_its_room, 5)
{
	agenda = (struct agenda){ .size = sizeof(int) };
	for (int object = 0; object < 100; object++)
		set(object, 1);
	CHECK(agenda.room == 128 && agenda.slots == agenda.heap + 128);
	agenda_fini(&agenda);
}

/* By published values of FNV-1a, folded: all bytes count, also in what a small table uses of it. */
TEST(agenda, hashes_all_bytes, 5)
{
	CHECK(object_hash("", 0) == (UINT64_C(0xcbf29ce484222325) ^ UINT64_C(0xcbf29ce4)));
	CHECK(object_hash("a", 1) == (UINT64_C(0xaf63dc4c8601ec8c) ^ UINT64_C(0xaf63dc4c)));
	CHECK(object_hash("foobar", 6) == (UINT64_C(0x85944171f73967e8) ^ UINT64_C(0x85944171)));
}

TEST(agenda, tells_objects_of_one_hash_apart, 5)
{
	const int one = 1, other = 2;

	agenda = (struct agenda){ .size = sizeof(int) };
	set(one, 1);
	CHECK(object_of(agenda_find(&agenda, &one, object_hash(&one, sizeof one))) == one);
	CHECK(agenda_find(&agenda, &other, object_hash(&one, sizeof one)) == NULL);
	agenda_fini(&agenda);
}

TEST(agenda, has_entries_of_any_size, 5)
{
	struct entry *entry;
	char object[1000];

	memset(object, 'x', sizeof object);
	for (size_t size = 1; size <= sizeof object; size += 111) {
		CHECK((entry = entry_new(&(struct agenda){ .size = size }, object)) != NULL);
		CHECK(memcmp(entry->object, object, size) == 0 && entry->hash == object_hash(object, size));
		entry_free(entry);
	}
}

TEST(agenda, has_no_entry_that_overflows, 5)
{
	CHECK(entry_new(&(struct agenda){ .size = SIZE_MAX }, "") == NULL);
	entry_free(NULL);
}
