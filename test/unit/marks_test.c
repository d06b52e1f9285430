/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Marks: how many ties may share one, and how much is told in a turn.
 */
#include "marks.h"

#include "grove.h"
#include "harness.h"

#include <fcntl.h>
#include <unistd.h>

static void open_marks(struct marks *marks)
{
	*marks = (struct marks){ .descriptor = -1 };
	CHECK_STATUS(marks_open(marks), DUCT_OK);
}

/* How many directories the system watches for them. */
static int watches(const struct marks *marks)
{
	char path[60], line[300];
	FILE *stream;
	int count = 0;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", marks->descriptor);
	CHECK((stream = fopen(path, "r")) != NULL);
	while (fgets(line, sizeof line, stream) != NULL)
		count += strncmp(line, "inotify wd:", strlen("inotify wd:")) == 0;
	fclose(stream);
	return count;
}

/* The ties that the next tidings are for: the sum of their owners, which are numbers. */
static unsigned told(struct marks *marks, unsigned what, const char *name)
{
	struct tidings tidings;
	struct tie *tie;
	unsigned sum = 0;

	marks_begin(marks);
	CHECK(marks_next(marks, &tidings) && tidings.what == what);
	CHECK(name != NULL ? strcmp(tidings.name, name) == 0 : tidings.name == NULL);
	while ((tie = marks_tie_of(marks, &tidings)) != NULL)
		sum += *(unsigned *)tie->owner;
	return sum;
}

TEST(marks, are_shared_by_ties_to_all_or_to_one_name, 10)
{
	unsigned numbers[] = { 1, 2, 4 };
	struct tie all = { .owner = &numbers[0] }, a = { .name = "a", .owner = &numbers[1] },
		   b = { .name = "b", .owner = &numbers[2] };
	struct grove grove;
	struct marks marks;

	grove_begin(&grove, false);
	open_marks(&marks);
	CHECK(marks_tie(&marks, &all, ".", 0) == MARKED_OR_GONE &&
	      marks_tie(&marks, &a, grove.top, MARK_NAMES) == MARKED_OR_GONE);
	CHECK(marks_tie(&marks, &b, ".", MARK_NAMES) == MARKED_OR_GONE && all.mark == a.mark && a.mark == b.mark);
	put(&grove, "a", "");
	make_directory(&grove, "b");
	put(&grove, "c", "x");
	CHECK(told(&marks, TOLD_THERE, "a") == 3 && told(&marks, TOLD_THERE, "b") == 5 && told(&marks, TOLD_THERE, "c") == 1);
	CHECK(told(&marks, TOLD_CHANGED, "c") == 1);
	move(&grove, "a", "b/a");
	CHECK(told(&marks, TOLD_GONE | TOLD_MOVED, "a") == 3);
	set_mode(&grove, "", 0750);
	CHECK(told(&marks, TOLD_CHANGED, NULL) == 7);
	marks_untie(&marks, &all);
	marks_untie(&marks, &all);
	drop(&grove, "b");
	CHECK(told(&marks, TOLD_GONE, "b") == 4);
	marks_untie(&marks, &a);
	put(&grove, "b", "");
	CHECK(told(&marks, TOLD_THERE, "b") == 4);
	CHECK(watches(&marks) == 1);
	marks_untie(&marks, &b);
	CHECK(marks.table.len == 0 && watches(&marks) == 0);
	marks_close(&marks);
	grove_end(&grove);
}

/* A directory that is gone takes its mark with it, and lets go of its ties. */
TEST(marks, go_with_their_directories, 10)
{
	unsigned numbers[] = { 1, 2 };
	struct tie one = { .owner = &numbers[0] }, other = { .owner = &numbers[1] };
	struct grove grove;
	struct marks marks;
	struct tidings tidings;

	grove_begin(&grove, false);
	open_marks(&marks);
	make_directory(&grove, "d");
	make_directory(&grove, "e");
	link_to(&grove, "d", "l");
	CHECK(marks_tie(&marks, &one, "d", 0) == MARKED_OR_GONE && marks_tie(&marks, &other, "l", 0) == MARKED_OR_GONE);
	CHECK(one.mark != NULL && other.mark == NULL);
	CHECK(marks_tie(&marks, &other, "l", MARK_FOLLOW) == MARKED_OR_GONE && other.mark == one.mark);
	drop(&grove, "d");
	CHECK(told(&marks, TOLD_SELF, NULL) == 3 && one.mark != NULL);
	CHECK(marks_next(&marks, &tidings) && marks_tie_of(&marks, &tidings) == NULL);
	CHECK(one.mark == NULL && other.mark == NULL && marks.table.len == 0);
	CHECK(marks_tie(&marks, &one, "e", 0) == MARKED_OR_GONE && one.mark != NULL);
	CHECK(marks_tie(&marks, &one, "d", 0) == MARKED_OR_GONE && one.mark == NULL && marks.table.len == 0);
	marks_close(&marks);
	grove_end(&grove);
}

/* More than a megabyte takes more than one turn, and none of it is lost. */
TEST(marks, tell_so_much_in_a_turn, 20)
{
	enum { NAMES = 6000 };
	struct tie tie = { .owner = &tie };
	struct grove grove;
	struct marks marks;
	struct tidings tidings;
	char name[230];
	int count = 0, first;

	grove_begin(&grove, false);
	open_marks(&marks);
	CHECK(marks_tie(&marks, &tie, ".", MARK_NAMES) == MARKED_OR_GONE);
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof name, "%0220d", i);
		CHECK(close(creat(name, 0600)) == 0);
	}
	for (marks_begin(&marks); marks_next(&marks, &tidings); count++)
		CHECK(atoi(tidings.name) == count);
	first = count;
	CHECK(first > NAMES / 2 && first < NAMES && !marks_next(&marks, &tidings));
	for (marks_begin(&marks); marks_next(&marks, &tidings); count++)
		CHECK(atoi(tidings.name) == count);
	CHECK(count == NAMES);
	marks_untie(&marks, &tie);
	marks_close(&marks);
	grove_end(&grove);
}
