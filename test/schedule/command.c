/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Random programs under random schedules, and listed programs under all schedules: what the command line asks for.  Here stands
 * "programs" for the program that has this command line.
 *
 *     programs random PROGRAMS RUNS SEED               so many random programs, each under so many schedules
 *     programs random-of TEXT RUNS SEED                one program under random schedules
 *     programs random-listed RUNS SEED                 each listed program, and the smallest, under random schedules
 *     programs replay TEXT SEED KIND RUN RANGE         one execution of those again, with its last steps
 *     programs exhaustive BOUND [MAX [TEXT]]           the listed programs, or one, under all schedules with at most BOUND
 *                                                      preemptions, or the first MAX of them
 *     programs outcomes BOUND [MAX]                    the same for the listed pairs, with one preemption less where there is
 *                                                      more than two calls: is what they reach what is documented?
 *
 * Half of the random runs draw each step's thread, half are PCT.  Plain memory accesses are points of random schedules, not of
 * exhaustive ones; DUCT_PLAIN_POINTS=0 or 1 in the environment says otherwise.  EXPLORE_SHARE="I N" makes exhaustive and
 * outcomes take each N-th program from the I-th on, so that N processes share them.  A random program that fails is made as
 * small as it can be.  The last line is "N passed, M failed", of programs; the exit status is 0 if none failed.
 */
#include "command.h"

#include "explorer.h"
#include "history.h"
#include "outcomes.h"
#include "race.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_SCHEDULE_STEPS 100000
#define TRACE_STEPS 120
#define TEXT_SIZE 256
#define KINDS 8 /* of random exploration */
#define MAX_SCHEDULES 20000000

int __real_clock_gettime(clockid_t clock, struct timespec *now);

/* ---- What every way of running has ------------------------------------------------------------------------------------- */

static long executions, steps;
static const char *program_name;
static const struct subject *subject;

static double seconds_now(void)
{
	struct timespec now;

	__real_clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The last lines; the exit status. */
static int print_totals(double began, long passed, long failed)
{
	double took = seconds_now() - began;
	struct sums sums = subject->sums();

	printf("%ld executions, %.0f steps each, %.0f a second, %.2f s; %ld came to rest early; %ld histories, %ld states\n",
	    executions, executions > 0 ? (double)steps / (double)executions : 0, (double)executions / took, took, sums.rests,
	    sums.histories, sums.states);
	if (sums.given_up > 0)
		printf("%ld histories were too long to judge\n", sums.given_up);
	printf("%ld passed, %ld failed\n", passed, failed);
	return failed != 0;
}

static void print_failure(const char *what, const struct exploration *exploration)
{
	char text[TEXT_SIZE];

	subject->format(text, sizeof text);
	printf("%s: %s\n  program \"%s\", execution %ld, %d messages in the channels at the start\n", what,
	    exploration->message, text, exploration->executions, subject->prefilled());
	history_print();
}

static bool parse(const char *text)
{
	if (subject->parse(text))
		return true;
	printf("not a program: %s\n", text);
	return false;
}

static bool run(struct exploration *exploration, void (*body)(void))
{
	explore(exploration, body);
	executions += exploration->executions;
	steps += exploration->steps;
	return !exploration->failed;
}

/* ---- Random schedules ------------------------------------------------------------------------------------------------- */

static struct exploration exploration_random(uint64_t seed, long kind, long runs)
{
	struct exploration exploration = {
		.strategy = kind % 2 != 0 ? EXPLORE_PCT : EXPLORE_RANDOM,
		.seed = seed,
		.runs = runs,
		.depth = 2 + (int)(kind / 2 % 4),
		.max_steps = MAX_SCHEDULE_STEPS,
		.spurious = 1,
		.quiescent = subject->quiescent,
	};

	return exploration;
}

static void print_again(const struct exploration *exploration, long kind)
{
	char text[TEXT_SIZE];

	subject->format(text, sizeof text);
	printf("  again: %s%s replay \"%s\" %llu %ld %ld %d\n", race_points ? "" : "DUCT_PLAIN_POINTS=0 ", program_name, text,
	    (unsigned long long)exploration->seed, kind, exploration->failed_run, exploration->failed_range);
}

/* Runs the current program under all kinds of random exploration; returns the kind that failed, or KINDS. */
static long run_kinds(struct exploration *exploration, uint64_t seed, long runs)
{
	for (long kind = 0; kind < KINDS; kind++) {
		*exploration = exploration_random(seed, kind, (runs + KINDS - 1) / KINDS);
		if (!run(exploration, subject->run))
			return kind;
	}
	return KINDS;
}

/* The failure that a smaller program has to show as well, and how long to look for it. */
static char wanted[sizeof((struct exploration *)0)->message];
static long wanted_runs;

/* Messages of the same mistake differ in numbers only. */
static bool is_wanted(const char *message)
{
	const char *want = wanted;

	while (*want != '\0' && *want == *message && !isdigit((unsigned char)*want)) {
		want++;
		message++;
	}
	return *want == *message || (isdigit((unsigned char)*want) && isdigit((unsigned char)*message));
}

static bool fails_as_wanted(void)
{
	struct exploration exploration;

	return run_kinds(&exploration, 1, wanted_runs) < KINDS && is_wanted(exploration.message);
}

/* Prints the smallest program that fails like the current one. */
static void shrink(const struct exploration *failed)
{
	struct exploration exploration;
	long kind;

	memcpy(wanted, failed->message, sizeof wanted);
	wanted_runs = 2000 + 20 * failed->executions;
	subject->shrink(fails_as_wanted);
	kind = run_kinds(&exploration, 1, wanted_runs);
	if (kind == KINDS)
		return;
	print_failure("SMALLEST", &exploration);
	print_again(&exploration, kind);
}

static int random_main(long programs, long runs, uint64_t base)
{
	double began = seconds_now();
	int failed = 0;
	long number = 0;

	for (; number < programs && failed == 0; number++) {
		struct exploration exploration = exploration_random(base + (uint64_t)number, number % KINDS, runs);

		subject->draw(base, number);
		if (run(&exploration, subject->run))
			continue;
		print_failure("FAILED", &exploration);
		print_again(&exploration, number % KINDS);
		fflush(stdout);
		shrink(&exploration);
		failed++;
	}
	return print_totals(began, number - failed, failed);
}

/* Runs the program; false, and what happened, if it fails. */
static bool run_random(const char *text, long runs, uint64_t seed)
{
	struct exploration exploration;
	long kind;

	if (!parse(text))
		return false;
	kind = run_kinds(&exploration, seed, runs);
	if (kind == KINDS)
		return true;
	print_failure("FAILED", &exploration);
	print_again(&exploration, kind);
	return false;
}

static int random_of_main(const char *text, long runs, uint64_t seed)
{
	double began = seconds_now();
	bool passed = run_random(text, runs, seed);

	return print_totals(began, passed, !passed);
}

/* Counts the programs of a list that pass, up to the first that fails. */
static int run_listed(const char *const *list, long runs, uint64_t seed, bool *failed)
{
	int passed = 0;

	while (!*failed && list[passed] != NULL) {
		if (run_random(list[passed], runs, seed))
			passed++;
		else
			*failed = true;
	}
	return passed;
}

static int random_listed_main(long runs, uint64_t seed)
{
	double began = seconds_now();
	bool failed = false;
	int passed = run_listed(subject->listed, runs, seed, &failed);

	passed += run_listed(subject->smallest, runs, seed, &failed);
	return print_totals(began, passed, failed);
}

static int replay_main(const char *text, uint64_t seed, long kind, long first_run, int range)
{
	double began = seconds_now();
	struct exploration exploration = exploration_random(seed, kind, 1);
	bool passed;

	if (!parse(text))
		return 2;
	exploration.first_run = first_run;
	exploration.change_range = range;
	passed = run(&exploration, subject->run);
	if (passed)
		history_print();
	else
		print_failure("FAILED", &exploration);
	explorer_print_trace(TRACE_STEPS);
	return print_totals(began, passed, !passed);
}

/* ---- All schedules ---------------------------------------------------------------------------------------------------- */

static void run_and_note(void)
{
	subject->run();
	outcomes_add();
}

static bool rest_and_note(void)
{
	subject->quiescent();
	outcomes_add();
	return true;
}

/* Runs the program; outcomes: what it has to reach, if it is exhausted, or NULL. */
static bool run_exhaustive(const char *text, int bound, long max, const char *outcomes)
{
	struct exploration exploration = {
		.strategy = EXPLORE_EXHAUSTIVE,
		.bound = bound,
		.runs = max,
		.max_steps = MAX_SCHEDULE_STEPS,
		.quiescent = rest_and_note,
	};
	bool passed;

	if (!parse(text))
		return false;
	outcomes_forget();
	passed = run(&exploration, run_and_note);
	printf("%-30s %9ld schedules of at most %3d steps  %s\n", text, exploration.executions, exploration.longest,
	    !passed                 ? "FAILED"
	    : exploration.exhausted ? "EXHAUSTED"
				    : "cut");
	if (!passed) {
		print_failure("FAILED", &exploration);
		explorer_print_trace(TRACE_STEPS);
	} else if (outcomes != NULL) {
		passed = exploration.exhausted && outcomes_equal(outcomes);
	}
	fflush(stdout);
	return passed;
}

/* This process takes the i-th program. */
static bool is_mine(int i)
{
	const char *share = getenv("EXPLORE_SHARE");
	int mine, shares;

	return share == NULL || sscanf(share, "%d %d", &mine, &shares) != 2 || shares < 1 || i % shares == mine % shares;
}

static int exhaustive_main(int bound, long max, const char *text)
{
	double began = seconds_now();
	int passed = 0, failed = 0;

	race_points = false;
	if (text != NULL) {
		run_exhaustive(text, bound, max, NULL) ? passed++ : failed++;
		outcomes_print();
	} else {
		for (int i = 0; subject->listed[i] != NULL; i++)
			if (is_mine(i))
				run_exhaustive(subject->listed[i], bound, max, NULL) ? passed++ : failed++;
	}
	return print_totals(began, passed, failed);
}

/* Where only two calls meet, it can look deeper. */
static int bound_of_pair(const char *text, int bound)
{
	if (!parse(text))
		return 0;
	return subject->calls() > 2 ? bound - 1 : bound;
}

static int outcomes_main(int bound, long max)
{
	double began = seconds_now();
	int passed = 0, failed = 0;

	race_points = false;
	for (int i = 0; subject->pairs[i].program != NULL; i++) {
		const char *text = subject->pairs[i].program;

		if (is_mine(i))
			run_exhaustive(text, bound_of_pair(text, bound), max, subject->pairs[i].outcomes) ? passed++ : failed++;
	}
	return print_totals(began, passed, failed);
}

int command_main(const struct subject *asked, int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	subject = asked;
	program_name = argv[0];
	if (getenv("DUCT_PLAIN_POINTS") != NULL)
		race_points = atoi(getenv("DUCT_PLAIN_POINTS")) != 0;
	if (strcmp(what, "random") == 0 && argc == 5)
		return random_main(atol(argv[2]), atol(argv[3]), strtoull(argv[4], NULL, 10));
	if (strcmp(what, "random-of") == 0 && argc == 5)
		return random_of_main(argv[2], atol(argv[3]), strtoull(argv[4], NULL, 10));
	if (strcmp(what, "random-listed") == 0 && argc == 4)
		return random_listed_main(atol(argv[2]), strtoull(argv[3], NULL, 10));
	if (strcmp(what, "replay") == 0 && argc == 7)
		return replay_main(argv[2], strtoull(argv[3], NULL, 10), atol(argv[4]), atol(argv[5]), atoi(argv[6]));
	if (strcmp(what, "exhaustive") == 0 && argc >= 3 && argc <= 5)
		return exhaustive_main(atoi(argv[2]), argc > 3 ? atol(argv[3]) : MAX_SCHEDULES, argc > 4 ? argv[4] : NULL);
	if (strcmp(what, "outcomes") == 0 && subject->pairs != NULL && argc >= 3 && argc <= 4)
		return outcomes_main(atoi(argv[2]), argc > 3 ? atol(argv[3]) : MAX_SCHEDULES);
	fprintf(stderr,
	    "usage: %s random PROGRAMS RUNS SEED | random-of TEXT RUNS SEED | random-listed RUNS SEED |\n"
	    "    replay TEXT SEED KIND RUN RANGE | exhaustive BOUND [MAX [TEXT]]%s\n",
	    subject->name, subject->pairs != NULL ? " | outcomes BOUND [MAX]" : "");
	return 2;
}
