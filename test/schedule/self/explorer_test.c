/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * What the explorer promises beside what it finds: how often, again, and what it tells of it.
 */
#include "self.h"

#include "explorer.h"
#include "explorer_programs.h"
#include "race.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_STEPS 2000
#define TEXT_SIZE 65536

/* ---- How often -------------------------------------------------------------------------------------------------------- */

static long hits(void (*program)(void), int depth, int range, long runs)
{
	struct exploration exploration = {
		.strategy = EXPLORE_PCT, .seed = 7, .runs = runs, .depth = depth, .change_range = range, .max_steps = MAX_STEPS
	};
	long before = self_shown(1);

	explore(&exploration, program);
	self_check(!exploration.failed && exploration.executions == runs, "\"%s\"", exploration.message);
	return self_shown(1) - before;
}

/*
 * A bug of depth d, in a program of n threads and k steps, is found in one run of n * k^(d - 1).  The programs have two
 * threads, and the steps that change_range says.  Half of what is promised is demanded, and of a lesser depth nothing is found,
 * for nothing changes at the second of two places.
 */
static void pct_finds_what_it_promises(void)
{
	const long runs = 20000, steps = 12;
	long promised_2 = runs / (2 * steps), promised_3 = runs / (2 * steps * steps), found;

	self_check(hits(program_depth_2, 1, steps, runs) == 0, "depth 1 found a bug of depth 2");
	found = hits(program_depth_2, 2, steps, runs);
	self_check(found >= promised_2 / 2 && found <= promised_2 * 3, "depth 2: %ld, promised %ld", found, promised_2);
	self_check(hits(program_depth_3, 2, steps, runs) == 0, "depth 2 found a bug of depth 3");
	found = hits(program_depth_3, 3, steps, runs);
	self_check(found >= promised_3 / 2, "depth 3: %ld, promised %ld", found, promised_3);
	/* The first step is the body's first: where all changes are there, it comes last. */
	self_check(hits(program_order, 1, 1, 100) > 20 && hits(program_order, 2, 1, 100) == 0, "changes at the first step");
	/* With more depth than there are changes nothing breaks. */
	self_check(hits(program_depth_2, 40, steps, runs / 10) > 0, "depth 40");
	/* The range is the longest run so far, after the first. */
	found = hits(program_depth_2, 2, 0, runs);
	self_check(found >= promised_2 / 2, "of its own range: %ld, promised %ld", found, promised_2);
}

/* Each of a choice is as likely, and each schedule of the steps has its chance. */
static void random_is_even(void)
{
	struct exploration exploration = { .strategy = EXPLORE_RANDOM, .seed = 3, .runs = 8000, .max_steps = MAX_STEPS };
	long before[42];

	for (int i = 0; i < 42; i++)
		before[i] = self_shown(i);
	explore(&exploration, program_choose);
	for (int i = 0; i < 42; i++) {
		long expected = i < 2 ? 4000 : 200, shown = self_shown(i) - before[i];

		self_check(shown > expected * 2 / 3 && shown < expected * 3 / 2, "%d was chosen %ld times of 8000", i, shown);
	}
	for (int i = 0; i < 2; i++)
		before[i] = self_shown(i);
	explore(&exploration, program_depth_2);
	self_check(self_shown(1) - before[1] > 1000, "%ld of 8000", self_shown(1) - before[1]);
}

/* ---- Again ------------------------------------------------------------------------------------------------------------ */

static char trace_text[2][TEXT_SIZE];

/* What the explorer prints of the last execution. */
static void print_trace(char *text, int length)
{
	FILE *file = tmpfile();
	int saved = dup(STDOUT_FILENO);
	size_t size;

	if (file == NULL || saved < 0)
		abort();
	fflush(stdout);
	dup2(fileno(file), STDOUT_FILENO);
	explorer_print_trace(length);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	rewind(file);
	size = fread(text, 1, TEXT_SIZE - 1, file);
	text[size] = '\0';
	fclose(file);
}

/* A failure at random comes again, step for step, from its seed, its run and its range. */
static void failure_comes_again(enum strategy strategy)
{
	struct exploration first = { .strategy = strategy, .runs = 1000, .depth = 3, .max_steps = MAX_STEPS };
	long different = 0, first_runs[8];

	for (uint64_t seed = 0; seed < 8; seed++) {
		struct exploration again;

		first.seed = seed;
		first.change_range = 0;
		explore(&first, program_deadlock);
		self_check(first.failed && first.executions == first.failed_run + 1, "seed %d: run %ld of %ld", (int)seed,
		    first.failed_run, first.executions);
		first_runs[seed] = first.failed_run;
		print_trace(trace_text[0], 512);
		again = first;
		again.first_run = first.failed_run;
		again.runs = 1;
		again.change_range = first.failed_range;
		memset(again.message, 0, sizeof again.message);
		explore(&again, program_deadlock);
		print_trace(trace_text[1], 512);
		self_check(again.failed && strcmp(again.message, first.message) == 0, "not again: \"%s\"", again.message);
		self_check(again.failed_run == first.failed_run && again.failed_range == first.failed_range, "another run");
		self_check(strcmp(trace_text[0], trace_text[1]) == 0 && trace_text[0][0] != '\0', "another way");
		self_check(again.executions == 1 && again.steps == again.longest && again.longest <= first.longest, "steps");
		different += seed > 0 && first_runs[seed] != first_runs[0];
	}
	self_check(different > 0, "all seeds failed in run %ld", first_runs[0]);
}

static void range_of_a_failure(void)
{
	struct exploration exploration = { .strategy = EXPLORE_PCT, .runs = 1, .depth = 3, .max_steps = MAX_STEPS };

	explore(&exploration, program_sleeps);
	self_check(exploration.failed && exploration.failed_run == 0 && exploration.failed_range == 100, "range %d",
	    exploration.failed_range);
	exploration.change_range = 17;
	exploration.first_run = 5;
	explore(&exploration, program_sleeps);
	self_check(exploration.failed && exploration.failed_run == 5 && exploration.failed_range == 17, "range %d",
	    exploration.failed_range);
}

/* ---- What it tells ---------------------------------------------------------------------------------------------------- */

static void counts_executions_and_steps(void)
{
	struct exploration exploration = { .strategy = EXPLORE_EXHAUSTIVE, .runs = 1, .bound = 1, .max_steps = 6 };

	/* The join, its wait, two points, the ends of both. */
	explore(&exploration, program_join);
	self_check(!exploration.failed && !exploration.exhausted && exploration.executions == 1, "\"%s\"", exploration.message);
	self_check(exploration.steps == 6 && exploration.longest == 6, "%ld steps, %d", exploration.steps, exploration.longest);
	exploration.runs = 2; /* the body's one point is the join, where it may be preempted */
	explore(&exploration, program_join);
	self_check(!exploration.failed && exploration.exhausted && exploration.executions == 2, "not exhausted");
	exploration.bound = 0;
	explore(&exploration, program_join);
	self_check(!exploration.failed && exploration.exhausted && exploration.executions == 1, "not exhausted at once");
	exploration.max_steps = 5;
	explore(&exploration, program_join);
	self_check(exploration.failed && strstr(exploration.message, "step limit") != NULL, "5 steps are enough");
	exploration.strategy = EXPLORE_RANDOM;
	exploration.max_steps = MAX_STEPS;
	exploration.runs = 10;
	explore(&exploration, program_join);
	self_check(!exploration.failed && exploration.executions == 10 && !exploration.exhausted, "ten runs");
	self_check(exploration.steps >= 50 && exploration.steps <= 10L * exploration.longest, "%ld steps", exploration.steps);
}

static void body_goes_first(void (*program)(void))
{
	struct exploration exploration = { .strategy = EXPLORE_EXHAUSTIVE, .runs = 2, .max_steps = 50 };
	long before[2] = { self_shown(0), self_shown(1) };

	explore(&exploration, program);
	self_check(!exploration.failed && exploration.exhausted, "\"%s\"", exploration.message);
	self_check(self_shown(0) == before[0] && self_shown(1) == before[1] + 1, "the thread went first");
}

/* A yield has no part in what follows: not where another exploration ended in its middle, nor where nobody else was there. */
static void begins_afresh(void)
{
	for (int steps = 50; steps < 52; steps++) {
		struct exploration exploration = { .strategy = EXPLORE_EXHAUSTIVE, .runs = 1, .max_steps = steps };

		explore(&exploration, program_yields);
		self_check(
		    exploration.failed && strstr(exploration.message, "step limit") != NULL, "\"%s\"", exploration.message);
		body_goes_first(program_order);
	}
	body_goes_first(program_order_after_yield);
}

static void choices_are_bounded(void)
{
	struct exploration exploration = { .strategy = EXPLORE_EXHAUSTIVE, .runs = 1, .max_steps = MAX_STEPS };

	program_choices = 8192;
	explore(&exploration, program_choices_made);
	self_check(!exploration.failed, "\"%s\"", exploration.message);
	program_choices = 8193;
	explore(&exploration, program_choices_made);
	self_check(exploration.failed && strcmp(exploration.message, "too many choices") == 0, "\"%s\"", exploration.message);
	program_alternatives = 1;
	explore(&exploration, program_choices_made);
	self_check(!exploration.failed && exploration.exhausted, "\"%s\"", exploration.message);
	exploration.max_steps = 10000;
	program_points = 9000; /* at which there is nothing to choose */
	explore(&exploration, program_many_points);
	self_check(!exploration.failed && exploration.longest > 9000, "\"%s\"", exploration.message);
}

static void message_is_cut(void)
{
	struct exploration exploration = { .strategy = EXPLORE_EXHAUSTIVE, .runs = 1, .max_steps = MAX_STEPS };

	explore(&exploration, program_long_message);
	self_check(
	    exploration.failed && strlen(exploration.message) == sizeof exploration.message - 1, "\"%s\"", exploration.message);
}

static int count_lines(const char *text)
{
	int lines = 0;

	for (; *text != '\0'; text++)
		lines += *text == '\n';
	return lines;
}

/* The steps, cut at the front, and then where the threads stand. */
static void trace_is_printed(void)
{
	struct exploration exploration = { .strategy = EXPLORE_EXHAUSTIVE, .runs = 1, .max_steps = MAX_STEPS };
	char *text = trace_text[0];

	explore(&exploration, program_sleeps);
	print_trace(text, 3);
	self_check(count_lines(text) == 3 + 2, "%d lines: %s", count_lines(text), text);
	self_check(
	    strstr(text, " T0 join ") != NULL && strstr(text, " T1 lock 0x") != NULL && strstr(text, " T1 wait 0x") != NULL,
	    "%s", text);
	self_check(strstr(text, "    T0 joins\n    T1 waits on a condition\n") != NULL, "%s", text);
	print_trace(text, 0);
	self_check(count_lines(text) == 2, "%s", text);
	print_trace(text, 100);
	self_check(strncmp(text, "       0 T0 ", 12) == 0 && strstr(text, " T0 create ") != NULL, "%s", text);
	explore(&exploration, program_fails_after_join);
	print_trace(text, 100);
	self_check(exploration.failed && strstr(text, "    T0 can run\n    T1 is done\n") != NULL, "%s", text);
	race_points = true;
	program_points = 1;
	explore(&exploration, program_many_points); /* the thread reads how many */
	print_trace(text, 100);
	self_check(strstr(text, " T1 read 0x") != NULL && strstr(text, " T1 write ") == NULL, "%s", text);
	race_points = false;
	/* One point to start the thread, one at the join: 602 in all. */
	program_points = 600;
	explore(&exploration, program_many_points);
	self_check(!exploration.failed, "\"%s\"", exploration.message);
	print_trace(text, 1000);
	self_check(count_lines(text) == 512 + 2, "%d lines", count_lines(text));
	self_check(strncmp(text, "      90 T1 here ", 17) == 0, "begins %.30s", text);
	self_check(
	    strstr(text, "     601 T1 here ") != NULL && strstr(text, "    T0 is done\n    T1 is done\n") != NULL, "ends");
}

/* Where nothing is explored what is wrapped still works. */
static void nothing_is_explored(void)
{
	struct exploration exploration = { .strategy = EXPLORE_EXHAUSTIVE, .runs = 1, .max_steps = MAX_STEPS };
	void *memory;

	explore(&exploration, program_fails_early);
	self_check(exploration.failed, "does not fail");
	explorer_point("nothing", NULL);
	self_check(sched_yield() == 0, "yields while nothing is explored");
	self_check(!explorer_fails(), "fails while nothing is explored");
	memory = malloc(10);
	self_check(memory != NULL, "no memory while nothing is explored");
}

/* Stacks are made by a signal, which is then what it was before: ignored, says self.c, and not on a stack of its own. */
static void signal_is_given_back(void)
{
	struct sigaction action;
	stack_t stack;

	self_check(sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == SIG_IGN, "another handler");
	self_check(sigaltstack(NULL, &stack) == 0 && (stack.ss_flags & SS_DISABLE) != 0, "another stack");
}

void explorer_test(void)
{
	signal_is_given_back();
	race_points = false;
	pct_finds_what_it_promises();
	random_is_even();
	failure_comes_again(EXPLORE_RANDOM);
	failure_comes_again(EXPLORE_PCT);
	range_of_a_failure();
	counts_executions_and_steps();
	begins_afresh();
	choices_are_bounded();
	message_is_cut();
	trace_is_printed();
	nothing_is_explored();
}
