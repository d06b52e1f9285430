/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The command line of a program that explores: what `programs` and `broadcasts` have in common; command.c.
 */
#ifndef TEST_SCHEDULE_COMMAND_H
#define TEST_SCHEDULE_COMMAND_H

#include "listed.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What was done since the program started. */
struct sums {
	long rests;     /* executions that ended with threads left waiting, as they should have */
	long histories; /* that the oracle has judged */
	long states;    /* of its model, that it visited */
	long given_up;  /* histories that it let pass because they took too long */
};

/* The kind of programs that is explored.  All functions are about the current one. */
struct subject {
	const char *name;
	bool (*parse)(const char *text);
	void (*format)(char *text, size_t size);
	void (*draw)(uint64_t base, long number); /* the number-th of the random ones that the base gives */
	void (*shrink)(bool (*fails)(void));      /* makes it smaller as long as it fails */
	int (*prefilled)(void);                   /* messages that are there at the start */
	int (*calls)(void);                       /* of all its threads */
	void (*run)(void);                        /* one execution */
	bool (*quiescent)(void);                  /* for exploration.quiescent */
	struct sums (*sums)(void);
	const char *const *listed, *const *smallest; /* as in listed.h */
	const struct pair *pairs;                    /* the same; NULL: there are none */
};

/* The whole of main. */
int command_main(const struct subject *subject, int argc, char **argv);

#endif
