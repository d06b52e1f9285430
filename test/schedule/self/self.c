/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A test of the checkers: explorer, race detector, heap and oracle, without the library that they are for.
 *
 * A checker that overlooks something looks like a library without bugs.  So each rule that a checker enforces is shown here
 * something that it has to refuse, and something like it that it has to accept.
 *
 *   - explorer, race detector and heap: tables of small programs, each with what exploring it has to find; or that nothing
 *     is found; or the exact set of outcomes; or the exact number of schedules, which a comment derives.  Each program is
 *     explored in all ways: exhaustively, at random, with priorities.
 *   - oracle: histories written by hand, each with its verdict.
 *
 * The programs are compiled as the library is for the explorer; the rest of the test is not.
 *
 *     selftest [PART...]      of explorer, race, heap, oracle; otherwise all
 *
 * The last line is "N passed, M failed".  A test that hangs is ended after a minute.
 */
#include "self.h"

#include "explorer.h"
#include "race.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECONDS 60
#define OUTCOMES 64

bool self_scripted, self_asleep[EXPLORER_THREADS];
int self_thread;
long self_quiescences;

static long shown[OUTCOMES];
static int passed, failed;

void self_check(bool right, const char *format, ...)
{
	va_list arguments;

	if (right) {
		passed++;
		return;
	}
	failed++;
	va_start(arguments, format);
	printf("FAILED: ");
	vprintf(format, arguments);
	printf("\n");
	va_end(arguments);
}

void self_outcome(int number)
{
	if (number < 0 || number >= OUTCOMES)
		explorer_fail("outcome %d", number);
	shown[number]++;
}

long self_shown(int number)
{
	return shown[number];
}

/* The oracle asks who sleeps: the explorer or, for histories written by hand, the test. */
bool __real_explorer_asleep(int thread);
int __real_explorer_self(void);

bool __wrap_explorer_asleep(int thread)
{
	return self_scripted ? self_asleep[thread] : __real_explorer_asleep(thread);
}

int __wrap_explorer_self(void)
{
	return self_scripted ? self_thread : __real_explorer_self();
}

/* ---- Trials ----------------------------------------------------------------------------------------------------------- */

static bool all_right(void)
{
	self_quiescences++;
	return true;
}

static uint64_t outcomes_shown(void)
{
	uint64_t set = 0;

	for (int i = 0; i < OUTCOMES; i++)
		if (shown[i] > 0)
			set |= OUTCOME(i);
	return set;
}

static void judge(const struct trial *trial, const char *way, const struct exploration *exploration)
{
	uint64_t outcomes = outcomes_shown();
	const char *found = exploration->failed ? exploration->message : "nothing";

	if (trial->finds != NULL)
		self_check(exploration->failed && strstr(found, trial->finds) != NULL, "%s, %s: \"%s\", not \"%s\"",
		    trial->name, way, found, trial->finds);
	else
		self_check(!exploration->failed, "%s, %s: \"%s\"", trial->name, way, found);
	if (trial->outcomes != 0)
		self_check(outcomes == trial->outcomes, "%s, %s: outcomes %#llx, not %#llx", trial->name, way,
		    (unsigned long long)outcomes, (unsigned long long)trial->outcomes);
	if (trial->agrees != NULL && !exploration->failed)
		self_check(trial->agrees(), "%s, %s: does not agree", trial->name, way);
}

static void explore_one_way(const struct trial *trial, unsigned way)
{
	static const char *const names[] = { [EXHAUSTIVE] = "exhaustive", [RANDOM] = "random", [PCT] = "PCT" };
	static const enum strategy strategies[] = {
		[EXHAUSTIVE] = EXPLORE_EXHAUSTIVE, [RANDOM] = EXPLORE_RANDOM, [PCT] = EXPLORE_PCT
	};
	bool exhaustive = way == EXHAUSTIVE;
	struct exploration exploration = {
		.strategy = strategies[way],
		.seed = 1,
		.runs = exhaustive         ? 1000000
		        : trial->runs != 0 ? trial->runs
		                           : 400,
		.depth = trial->depth != 0 ? trial->depth : 3,
		.bound = trial->bound,
		.max_steps = trial->max_steps != 0 ? trial->max_steps : 2000,
		.spurious = trial->spurious,
		.quiescent = trial->quiet ? all_right : NULL,
	};

	memset(shown, 0, sizeof shown);
	self_quiescences = 0;
	race_points = !exhaustive || trial->plain;
	if (trial->begin != NULL)
		trial->begin();
	explore(&exploration, trial->body);
	judge(trial, names[way], &exploration);
	if (!exhaustive)
		return;
	if (trial->finds == NULL)
		self_check(exploration.exhausted, "%s: not exhausted by %ld schedules", trial->name, exploration.executions);
	if (trial->schedules != 0)
		self_check(exploration.executions == trial->schedules, "%s: %ld schedules, not %ld", trial->name,
		    exploration.executions, trial->schedules);
}

static void try_all(const struct trial *trials)
{
	for (; trials->name != NULL; trials++)
		for (unsigned way = EXHAUSTIVE; way <= PCT; way *= 2)
			if (trials->ways == 0 || (trials->ways & way) != 0)
				explore_one_way(trials, way);
}

/* ---- Parts ------------------------------------------------------------------------------------------------------------ */

static bool asked_for(const char *part, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], part) == 0)
			return true;
	return argc == 1;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		const struct trial *trials;
		void (*test)(void);
	} parts[] = { { "oracle", NULL, oracle_test }, { "race", race_trials, race_test }, { "heap", heap_trials, NULL },
		{ "explorer", explorer_trials, explorer_test } };

	alarm(SECONDS);
	signal(SIGUSR1, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		int before = passed;

		if (!asked_for(parts[i].name, argc, argv))
			continue;
		if (parts[i].trials != NULL)
			try_all(parts[i].trials);
		if (parts[i].test != NULL)
			parts[i].test();
		printf("%s: %d checks passed\n", parts[i].name, passed - before);
	}
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}
