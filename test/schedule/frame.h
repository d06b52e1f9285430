/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * What small programs of each kind have in common, those of anycast channels (program.h), of broadcasts (broadcast.h) and of
 * sources (source_program.h), which include it.
 *
 * Each kind has its own struct program, struct step, enum verb and struct operation, and goes into an executable of its own.
 * Where their code is the same but for these types it stands in headers that the sources of each kind include after the types:
 * frame_text.h, frame_run.h, frame_draw.h, frame_shrink.h, frame_history.h, frame_oracle.h, subject.h.  These declare first, as
 * static functions, what the kind has to supply.
 */
#ifndef TEST_SCHEDULE_FRAME_H
#define TEST_SCHEDULE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_STEPS 3
#define MAX_BATCH 3

/* How long a call waits. */
enum form {
	PLAIN,
	TRY,
	UNTIL, /* a deadline soon */
	PAST   /* a deadline that has passed */
};

struct program;
struct step;

/* Reads and writes a program as text.  Programs with a mistake are refused. */
bool program_parse(struct program *program, const char *text);
void program_format(const struct program *program, char *text, size_t size);

/* The number-th of the random programs that the base gives. */
void program_draw(struct program *program, uint64_t base, long number);

/* Takes away from a program that fails what it can, as long as it still does. */
void program_shrink(struct program *program, bool (*fails)(const struct program *program));

/* The send or receive that the i-th case of a select is. */
struct step step_of_case(const struct step *select, int i);

/* Runs it once, under the explorer, and fails the execution if the oracle does not allow what happened. */
extern struct program program_current;
void program_run(void);

/* For exploration.quiescent. */
bool program_quiescent(void);

/* Executions that ended with threads left waiting, as they should have. */
extern long program_rests;

#endif
