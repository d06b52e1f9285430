/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The explorer of programs of sources: command.c says how it is called, source_program.h how a program is written down.
 */
#include "source_program.h"

#include "subject.h"

static int prefilled(void)
{
	return program_current.prefilled[0] + program_current.prefilled[1];
}

static struct sums sums(void)
{
	return (struct sums){ .rests = program_rests };
}

int main(int argc, char **argv)
{
	const struct subject subject = subject_named("sources", prefilled, sums, NULL);

	return command_main(&subject, argc, argv);
}
