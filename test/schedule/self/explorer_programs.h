/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The programs for the explorer that explorer_test.c runs in ways of its own.
 */
#ifndef TEST_SCHEDULE_SELF_EXPLORER_PROGRAMS_H
#define TEST_SCHEDULE_SELF_EXPLORER_PROGRAMS_H

/* Deadlocks under some schedules. */
void program_deadlock(void);

/* Shows 1 if a step of the body comes before one of a thread, otherwise 0. */
void program_order(void);
void program_order_after_yield(void);

/* A thread fails where calls for resources may fail. */
void program_fails_early(void);

/* A thread yields for ever. */
void program_yields(void);

/* Show 1 in an execution with so many ordering constraints less one, otherwise only 0. */
void program_depth_2(void);
void program_depth_3(void);

/* Shows one of 0 .. 1 and one of 2 .. 41. */
void program_choose(void);

/* Starts a thread of two points, and joins it. */
void program_join(void);

/* Makes so many choices, of so many alternatives each. */
extern int program_choices, program_alternatives;
void program_choices_made(void);

/* A thread has so many points. */
extern int program_points;
void program_many_points(void);

/* The body fails after it has joined a thread. */
void program_fails_after_join(void);

/* A thread sleeps for ever. */
void program_sleeps(void);

/* Fails with a message of 399 letters. */
void program_long_message(void);

#endif
