/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A set of outcomes, as text: small, so looked through from one end to the other.
 */
#include "outcomes.h"

#include "history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OUTCOMES 64
#define LENGTH 160

static char reached[OUTCOMES][LENGTH];
static int reached_count;

void outcomes_forget(void)
{
	reached_count = 0;
}

static bool is_reached(const char *outcome)
{
	for (int i = 0; i < reached_count; i++)
		if (strcmp(reached[i], outcome) == 0)
			return true;
	return false;
}

void outcomes_add(void)
{
	char outcome[LENGTH];

	history_outcome(outcome, sizeof outcome);
	if (is_reached(outcome))
		return;
	if (reached_count == OUTCOMES) {
		printf("more than %d outcomes\n", OUTCOMES);
		exit(2);
	}
	memcpy(reached[reached_count++], outcome, LENGTH);
}

void outcomes_print(void)
{
	for (int i = 0; i < reached_count; i++)
		printf("%s%s", i > 0 ? ", " : "    ", reached[i]);
	printf("\n");
}

bool outcomes_equal(const char *list)
{
	int listed = 0, missed = 0;
	char outcome[LENGTH];

	for (const char *at = list; *at != '\0'; listed++) {
		size_t length = strcspn(at, ",");

		snprintf(outcome, sizeof outcome, "%.*s", (int)length, at);
		at += length + strspn(at + length, ", ");
		if (is_reached(outcome))
			continue;
		printf("    not reached, though documented: %s\n", outcome);
		missed++;
	}
	if (missed == 0 && listed == reached_count)
		return true;
	printf("    reached:");
	outcomes_print();
	return false;
}
