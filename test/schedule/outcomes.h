/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The set of outcomes that the executions of a program reached; outcomes.c.
 */
#ifndef TEST_SCHEDULE_OUTCOMES_H
#define TEST_SCHEDULE_OUTCOMES_H

#include <stdbool.h>

void outcomes_forget(void);

/* The history's outcome belongs to the set. */
void outcomes_add(void);

/* The set is that of the list, in which commas separate them; prints what is not in both. */
bool outcomes_equal(const char *list);

void outcomes_print(void);

#endif
