/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The explorer of anycast programs: command.c says how it is called, program.h how a program is written down.
 */
#include "program.h"
#include "subject.h"

static int prefilled(void)
{
	return program_current.prefilled[0] + program_current.prefilled[1];
}

static struct sums sums(void)
{
	return (struct sums){ program_rests, oracle_checks, oracle_visits, 0 };
}

int main(int argc, char **argv)
{
	const struct subject subject = subject_named("programs", prefilled, sums, listed_pairs);

	return command_main(&subject, argc, argv);
}
