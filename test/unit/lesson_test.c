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

/* What never fails is always allowed, whatever was in its memory before. */
TEST(lesson, allows_what_does_not_fail, 5)
{
	struct lesson lesson = { 7, 7 };

	lesson_init(&lesson);
	CHECK(lesson.without == 0 && lesson.lasting == 0);
	for (int i = 0; i < 100; i++)
		CHECK(left_out(&lesson) == 0);
}

/* Each failure in a row makes more of the next ones do without, up to a limit. */
TEST(lesson, grows_with_failures_in_a_row, 5)
{
	static const int expected[] = { 16, 80, 336, 1360, LESSON_MOST, LESSON_MOST };
	struct lesson lesson;

	lesson_init(&lesson);
	CHECK(left_out(&lesson) == 0);
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		lesson_failed(&lesson);
		CHECK(left_out(&lesson) == expected[i]);
	}
}

/* Each success halves what the next failure comes to; after enough of them it comes to the least again. */
TEST(lesson, shrinks_with_successes, 5)
{
	static const int expected[] = { LESSON_MOST, LESSON_MOST, 2640, 1328, 672, 344, 176, 96, 56, 32, 24, 16, 16 };

	for (size_t successes = 0; successes < ARRAY_LEN(expected); successes++) {
		struct lesson lesson;

		lesson_init(&lesson);
		atomic_store(&lesson.lasting, 1312);
		for (size_t i = 0; i < successes; i++)
			CHECK(left_out(&lesson) == 0);
		lesson_failed(&lesson);
		CHECK(left_out(&lesson) == expected[successes]);
	}
}

/* The last failure that is told apart from the most comes to little less. */
TEST(lesson, has_a_limit, 5)
{
	for (int lasting = LESSON_MOST / 16 - 2; lasting <= LESSON_MOST / 16 + 2; lasting++) {
		struct lesson lesson;

		lesson_init(&lesson);
		atomic_store(&lesson.lasting, (uint16_t)lasting);
		lesson_failed(&lesson);
		CHECK(lesson.lasting == (lasting < LESSON_MOST / 16 ? 8 * lasting + 16 : LESSON_MOST));
		CHECK(lesson.without == lesson.lasting);
	}
}

/* Who doubts it tries again in half the time. */
TEST(lesson, doubt_halves_what_is_left, 5)
{
	struct lesson lesson;

	lesson_init(&lesson);
	lesson_doubt(&lesson);
	CHECK(left_out(&lesson) == 0);
	lesson_failed(&lesson);
	CHECK(!lesson_allows(&lesson));
	lesson_doubt(&lesson);
	CHECK(left_out(&lesson) == 7);
	atomic_store(&lesson.without, 1);
	lesson_doubt(&lesson);
	CHECK(left_out(&lesson) == 0);
}
