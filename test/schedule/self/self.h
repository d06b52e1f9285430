/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The test of the checkers: what its files share.  The head of self.c says how it works.
 */
#ifndef TEST_SCHEDULE_SELF_H
#define TEST_SCHEDULE_SELF_H

#include <stdbool.h>
#include <stdint.h>

/* How a trial explores its program; a set. */
enum { EXHAUSTIVE = 1, RANDOM = 2, PCT = 4, ALL_WAYS = 7 };

/* What a program may show, as a set of outcomes: small numbers. */
#define OUTCOME(number_) (UINT64_C(1) << (number_))

/* A program, and what exploring it has to come to.  What is left out is zero. */
struct trial {
	const char *name;
	void (*body)(void);
	unsigned ways;        /* 0: all of them */
	const char *finds;    /* in the message of the failure that every way finds; NULL: none does */
	uint64_t outcomes;    /* 0, or those that are shown in each way; no others are */
	long schedules;       /* 0, or how many exhaustive search has to try */
	int bound;            /* of exhaustive search; UNBOUNDED: none */
	long runs;            /* of the other ways; 0: 400 */
	int depth;            /* of PCT; 0: 3 */
	int spurious;         /* wake-ups */
	int max_steps;        /* 0: 2000 */
	bool plain;           /* plain accesses are points in all ways, not at random only */
	bool quiet;           /* threads that can never run again are all right */
	void (*begin)(void);  /* before each way; not instrumented */
	bool (*agrees)(void); /* after each way, if nothing was found: is that all right as well? */
};

#define UNBOUNDED 1000

/* Tables of trials, which end with one that has no name. */
extern const struct trial explorer_trials[], race_trials[], heap_trials[];

/* The program shows an outcome. */
void self_outcome(int number);

/* How often the trial's program has shown it in this way so far. */
long self_shown(int number);

/* How often the explorer asked whether it is all right that no thread can run. */
extern long self_quiescences;

/* Counts a check, and tells of one that failed. */
void self_check(bool passed, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The parts that are not tables. */
void explorer_test(void);
void race_test(void);
void oracle_test(void);

/* While histories are written by hand: who runs, and who sleeps. */
extern bool self_scripted, self_asleep[];
extern int self_thread;

#endif
