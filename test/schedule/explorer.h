/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The schedule explorer: runs a small threaded program again and again, each time under another schedule of its choice.
 * The head of explorer.c says how; README.md says how to build and run what uses it.
 */
#ifndef TEST_SCHEDULE_EXPLORER_H
#define TEST_SCHEDULE_EXPLORER_H

#include <stdbool.h>
#include <stdint.h>

/* Fibers of one execution, the one that runs the body among them. */
#define EXPLORER_THREADS 8

enum strategy {
	EXPLORE_RANDOM,    /* any thread that can run, each as likely */
	EXPLORE_PCT,       /* random priorities, lowered at depth - 1 random steps */
	EXPLORE_EXHAUSTIVE /* every schedule with at most bound preemptions */
};

struct exploration {
	/* What is asked. */
	enum strategy strategy;
	uint64_t seed;
	long first_run, runs;    /* runs differ in what they draw from the seed */
	int depth;               /* PCT: of the bugs it is after */
	int change_range;        /* PCT: steps among which priorities change; 0: the longest run so far */
	int bound;               /* exhaustive */
	int max_steps;           /* more than this is a livelock */
	int spurious;            /* at most so many spurious wake-ups a run */
	bool (*quiescent)(void); /* asked when no thread can run: is that all right? */

	/* What came out. */
	long executions, steps;
	int longest;    /* steps of the longest run */
	bool exhausted; /* no schedule is left to try */
	bool failed;
	long failed_run;
	int failed_range; /* the change_range that replays it */
	char message[200];
};

void explore(struct exploration *exploration, void (*body)(void));

/* Ends the execution as failed.  Does not return. */
void explorer_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#define EXPLORER_CHECK(x_) ((x_) ? (void)0 : explorer_fail("%s:%d: %s", __FILE__, __LINE__, #x_))

/* A moment at which another thread may run instead. */
void explorer_point(const char *what, const void *object);

/* One of 0 .. count - 1, explored like a schedule. */
int explorer_choose(int count);

/* The running thread's number; 0 runs the body. */
int explorer_self(void);

/* How many threads this execution has had so far. */
int explorer_threads(void);

/* The thread sleeps on a condition variable. */
bool explorer_asleep(int thread);

/* It sleeps, or has yielded: in any case it is in the middle of a call. */
bool explorer_blocked(int thread);

/* The virtual CLOCK_MONOTONIC, in nanoseconds. */
int64_t explorer_now(void);

/*
 * From here on at most so many calls fail for want of resources: allocations, the making of a mutex or of a condition
 * variable; which ones is explored.  Calls of the thread that runs the body never do.
 */
void explorer_allow_failures(int count);

/* This call is to fail; for the heap. */
bool explorer_fails(void);

/* How many calls of the thread have failed so far. */
int explorer_failures(int thread);

/* Mutexes and condition variables that were made and not destroyed. */
int explorer_live_objects(void);

/* The last steps of the last execution, and where its threads stand. */
void explorer_print_trace(int steps);

#endif
