/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * How a program under test runs its threads: it starts them in order, and joins them.
 */
#ifndef TEST_SCHEDULE_SELF_RUN_H
#define TEST_SCHEDULE_SELF_RUN_H

#include "explorer.h"

#include <pthread.h>

static inline void run(void *(*const *threads)(void *), int number)
{
	pthread_t started[EXPLORER_THREADS];

	for (int i = 0; i < number; i++)
		pthread_create(&started[i], NULL, threads[i], NULL);
	for (int i = 0; i < number; i++)
		pthread_join(started[i], NULL);
}

#define RUN(...) \
	do { \
		static void *(*const threads_[])(void *) = { __VA_ARGS__ }; \
		run(threads_, (int)(sizeof threads_ / sizeof threads_[0])); \
	} while (0)

#endif
