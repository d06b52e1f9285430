/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The subject of a command line, for either kind of struct program: included after program.h or broadcast.h.
 */
#ifndef TEST_SCHEDULE_SUBJECT_H
#define TEST_SCHEDULE_SUBJECT_H

#include "command.h"
#include "listed.h"

static bool subject_parse(const char *text)
{
	return program_parse(&program_current, text);
}

static void subject_format(char *text, size_t size)
{
	program_format(&program_current, text, size);
}

static void subject_draw(uint64_t base, long number)
{
	program_draw(&program_current, base, number);
}

static bool (*subject_still_fails)(void);

static bool subject_fails_too(const struct program *program)
{
	program_current = *program;
	return subject_still_fails();
}

static void subject_shrink(bool (*fails)(void))
{
	struct program program = program_current;

	subject_still_fails = fails;
	program_shrink(&program, subject_fails_too);
	program_current = program;
}

static int subject_calls(void)
{
	int count = 0;

	for (int i = 0; i < program_current.thread_count; i++)
		count += program_current.step_count[i];
	return count;
}

static struct subject subject_named(
    const char *name, int (*prefilled)(void), struct sums (*sums)(void), const struct pair *pairs)
{
	return (struct subject){
		.name = name,
		.parse = subject_parse,
		.format = subject_format,
		.draw = subject_draw,
		.shrink = subject_shrink,
		.prefilled = prefilled,
		.calls = subject_calls,
		.run = program_run,
		.quiescent = program_quiescent,
		.sums = sums,
		.listed = listed_programs,
		.smallest = listed_smallest,
		.pairs = pairs,
	};
}

#endif
