/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Programs for exhaustive search; listed.c.
 */
#ifndef TEST_SCHEDULE_LISTED_H
#define TEST_SCHEDULE_LISTED_H

/* As text (program.h); NULL ends the list. */
extern const char *const listed_programs[];

/*
 * The smallest programs in which bugs of planted.txt show, that are not in the other lists.  For random schedules: some have
 * too many to try them all.
 */
extern const char *const listed_smallest[];

/*
 * Two calls that meet, and all that may come of it: history.h says how an outcome is written, commas separate them.  The last
 * one has no program.
 */
struct pair {
	const char *program, *outcomes;
};

extern const struct pair listed_pairs[];

#endif
