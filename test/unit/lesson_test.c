/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Lessons: how often something is left out after failures and successes.
 */
#include "harness.h"
#include "lesson.h"

static int left_out(struct lesson *lesson)
{
	int count = 0;

	while (!lesson_allows(lesson))
		count++;
	return count;
}

/* What never fails is always allowed. */
TEST(lesson, allows_what_does_not_fail, 5)
{
	struct lesson lesson;

	lesson_init(&lesson);
	for (int i = 0; i < 100; i++)
		CHECK(left_out(&lesson) == 0);
}

/* Each failure in a row about doubles how often the next ones do without, up to a limit. */
TEST(lesson, failures_in_a_row_double, 5)
{
	static const int expected[] = { 2, 6, 14, 30, 62, 126, 254, 510, 512, 512, 512 };
	struct lesson lesson;

	lesson_init(&lesson);
	CHECK(left_out(&lesson) == 0);
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		lesson_failed(&lesson);
		CHECK(left_out(&lesson) == expected[i]);
	}
}

/* Each success halves what the next failure comes to; it comes to the least again after enough of them. */
TEST(lesson, successes_halve, 5)
{
	static const int expected[] = { 512, 512, 510, 254, 126, 62, 30, 14, 6, 2, 2 };

	for (size_t successes = 0; successes < ARRAY_LEN(expected); successes++) {
		struct lesson lesson;

		lesson_init(&lesson);
		atomic_store(&lesson.lasting, 510);
		for (size_t i = 0; i < successes; i++)
			CHECK(left_out(&lesson) == 0);
		lesson_failed(&lesson);
		CHECK(left_out(&lesson) == expected[successes]);
	}
}
