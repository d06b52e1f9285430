/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The history of an execution, for people and for tables; history.c.
 */
#ifndef TEST_SCHEDULE_HISTORY_H
#define TEST_SCHEDULE_HISTORY_H

#include <stddef.h>

/* A line an event, a column a thread. */
void history_print(void);

/*
 * What came out: for each thread the results of its calls, threads separated by bars.
 *
 *     ok  #2                 a send that was done; a receive of a message of thread 2 (0: there at the start)
 *     s0  r1#2               a select: the case, and the same
 *     full empty             nothing to do, told by a try
 *     closed no-receivers timedout canceled nomem asleep
 *     done                   of calls that always are
 *     -0                     so were these dropped, as messages of the thread named
 *     =2                     a length, a reason, 0 or 1
 */
void history_outcome(char *text, size_t size);

#endif
