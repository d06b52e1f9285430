/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The explorer of broadcast programs: command.c says how it is called, broadcast.h how a program is written down.
 */
#include "broadcast.h"
#include "subject.h"

static int prefilled(void)
{
	return program_current.prefilled;
}

static struct sums sums(void)
{
	return (struct sums){ program_rests, oracle_checks, oracle_visits, oracle_given_up };
}

int main(int argc, char **argv)
{
	const struct subject subject = subject_named("broadcasts", prefilled, sums, NULL);

	return command_main(&subject, argc, argv);
}
