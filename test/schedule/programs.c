/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Random programs under random schedules, and listed programs under all schedules.
 *
 *     programs random PROGRAMS RUNS SEED         so many random programs, each under so many schedules
 *     programs replay SEED PROGRAM RUN RANGE     one execution of those again, with its last steps
 *     programs random-of TEXT RUNS SEED          one program under random schedules
 *     programs exhaustive BOUND [MAX [TEXT]]     the listed programs, or one, under all schedules with at most BOUND
 *                                                preemptions, or the first MAX of them
 *
 * program.h says how a program is written down.  Half of the random runs draw each step's thread, half are PCT.  Plain memory
 * accesses are points of random schedules, not of exhaustive ones.  The last line is "N passed, M failed", of programs; the
 * exit status is 0 if none failed.
 */
#include "explorer.h"
#include "program.h"
#include "race.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_SCHEDULE_STEPS 20000
#define TRACE_STEPS 120
#define TEXT_SIZE 256

int __real_clock_gettime(clockid_t clock, struct timespec *now);

/* ---- Random programs -------------------------------------------------------------------------------------------------- */

static uint64_t random_state;

static unsigned draw(unsigned below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state >> 20) % below;
}

static void seed(uint64_t base, long program)
{
	uint64_t x = base * UINT64_C(0x2545f4914f6cdd1d) + (uint64_t)program * UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	random_state = (x ^ x >> 31) | 1;
}

/* What a program is about. */
struct theme {
	bool tokens, handles;
};

static enum verb draw_verb(const struct theme *theme)
{
	static const struct {
		enum verb verb;
		unsigned weight, with_handles;
	} verbs[] = { { SEND, 18, 6 }, { RECV, 18, 6 }, { SELECT, 16, 6 }, { SEND_MANY, 4, 2 }, { RECV_MANY, 4, 2 },
		{ WAIT_SEND, 2, 1 }, { WAIT_RECV, 2, 1 }, { CLOSE_CHANNEL, 2, 1 }, { DISCARD_CHANNEL, 2, 1 },
		{ CLOSE_SENDER, 1, 2 }, { CLOSE_RECEIVER, 1, 2 }, { FREE_SENDER, 1, 3 }, { FREE_RECEIVER, 1, 3 },
		{ LOOK_LENGTH, 1, 1 }, { LOOK_REASON, 1, 1 }, { LOOK_CLOSED, 1, 1 }, { FREE_CHANNEL, 1, 5 },
		{ CLONE_CHANNEL, 0, 1 }, { NEW_SENDER, 0, 1 }, { NEW_RECEIVER, 0, 2 }, { CLONE_SENDER, 0, 1 },
		{ CLONE_RECEIVER, 0, 1 } };
	unsigned total = 0, drawn;
	size_t i = 0;

	if (theme->tokens && draw(24) == 0)
		return draw(3) != 0 ? RAISE_TOKEN : FREE_TOKEN;
	for (size_t k = 0; k < sizeof verbs / sizeof verbs[0]; k++)
		total += theme->handles ? verbs[k].with_handles : verbs[k].weight;
	for (drawn = draw(total);; i++) {
		unsigned weight = theme->handles ? verbs[i].with_handles : verbs[i].weight;

		if (drawn < weight)
			return verbs[i].verb;
		drawn -= weight;
	}
}

static void draw_select(struct step *step)
{
	step->case_count = 1 + (int)draw(MAX_CASES);
	for (int i = 0; i < step->case_count; i++) {
		step->cases[i].channel = (uint8_t)draw(CHANNELS);
		step->cases[i].is_send = draw(2) != 0;
		step->cases[i].own = draw(4) == 0;
	}
	if (step->form == TRY || draw(4) != 0)
		return;
	step->flags = draw(4);
}

static bool has_token(enum verb verb)
{
	return verb <= WAIT_RECV;
}

static enum token draw_token(bool deep)
{
	if (deep && draw(24) == 0)
		return DEEP;
	return draw(3) != 0 ? ROOT : TIMED;
}

static void draw_step(struct step *step, const struct theme *theme)
{
	memset(step, 0, sizeof *step);
	step->verb = draw_verb(theme);
	step->channel = draw(4) != 0 ? 0 : (int)draw(CHANNELS);
	if (has_token(step->verb)) {
		step->form = draw(2) != 0 ? PLAIN : (enum form)draw(4);
		if (step->form == TRY && step->verb != SEND && step->verb != RECV && step->verb != SELECT)
			step->form = PAST;
		if (theme->tokens && step->form != TRY && draw(2) != 0)
			step->token = draw_token(true);
	}
	if (step->verb == RAISE_TOKEN || step->verb == FREE_TOKEN) {
		step->token = draw_token(false);
	} else if (step->verb == SELECT) {
		step->channel = 0;
		draw_select(step);
	} else if (has_token(step->verb) || (step->verb >= CLOSE_SENDER && step->verb <= FREE_RECEIVER)) {
		step->own = draw(4) == 0;
	} else {
		step->own = step->verb >= NEW_SENDER;
	}
	if (step->verb == SEND_MANY || step->verb == RECV_MANY)
		step->max = 1 + (int)draw(MAX_BATCH);
	if (step->verb == RECV_MANY)
		step->min = (int)draw((unsigned)step->max + 1);
}

static void draw_channel(struct program *program, int channel)
{
	static const int capacities[] = { 0, 1, 2, 3, 5 };
	int capacity = capacities[draw(draw(3) != 0 ? 3 : 5)];

	program->capacity[channel] = capacity;
	program->unreceived[channel] = draw(16) == 0;
	program->prefilled[channel] = draw(2) != 0 ? (int)draw((unsigned)capacity + 1) : draw(2) != 0 ? capacity : 0;
}

static void draw_program(struct program *program, uint64_t base, long number)
{
	int operations = 3 * CHANNELS; /* looked at in the end */
	struct theme theme;

	seed(base, number);
	memset(program, 0, sizeof *program);
	for (int i = 0; i < CHANNELS; i++)
		draw_channel(program, i);
	theme.tokens = draw(2) != 0;
	theme.handles = draw(3) == 0;
	program->fails = draw(4) == 0;
	program->big = draw(32) == 0;
	program->thread_count = 2 + (int)draw(MAX_THREADS - 1);
	for (int i = 0; i < program->thread_count; i++) {
		program->step_count[i] = 1 + (int)draw(MAX_STEPS);
		for (int k = 0; k < program->step_count[i]; k++) {
			struct step *step = &program->steps[i][k];

			draw_step(step, &theme);
			if (operations + step_operations(program, step) > MAX_OPERATIONS)
				memset(step, 0, sizeof *step); /* a plain send; there is always room for that */
			operations += step_operations(program, step);
		}
	}
}

/* ---- Listed programs -------------------------------------------------------------------------------------------------- */

/* One a line: */
/* clang-format off */
static const char *const listed[] = {
	/* one channel, two threads */
	"0 0 0 0 s0|r0",
	"0 0 0 0 ts0|r0",
	"0 0 0 0 us0|ur0",
	"0 0 0 0 s0|x0",
	"0 0 0 0 r0|x0",
	"1 0 1 0 s0|r0",
	"1 0 1 0 us0|r0",
	"1 0 0 0 r0|s0",
	"1 0 0 0 ur0|s0 s0",
	"1 0 1 0 s0 s0|r0 r0",
	"1 0 1 0 x0|r0 tr0",
	"1 0 1 0 x0 r0|tr0",
	"1 0 1 0 us0|x0",
	"0 0 0 0 ur0|x0",
	"2 0 0 0 s0 x0|tr0 r0 tr0",
	/* tries tell the truth: one is full, or empty, at an instant */
	"2 0 1 0 s0|ts0 r0 tr0",
	"2 0 1 0 r0|tr0 ts0 ts0",
	"2 0 2 0 r0 s0 r0|tr0",
	"2 0 0 0 s0 r0 s0|ts0",
	"3 0 1 0 m0*2|ts0 r0 tr0",
	"3 0 2 0 n0*1-2|tr0 ts0 ts0",
	"1 1 0 0 s0 tr1|s1 tr0",
	"1 1 1 0 s1 r0|t[r0r1]",
	/* and so does the length: a message may be taken before its sender has moved on */
	"2 0 0 0 s0|tr0 l0",
	/* and when the end closes while somebody else takes what it looks for */
	"1 0 1 0 R0 r0'|tr0",
	"1 0 0 0 S0 s0'|ts0",
	"0 0 0 0 s0|R0 tr0'|tr0",
	"0 0 0 0 s0|x0|tr0",
	"0 0 0 0 r0|x0|ts0",
	"0 0 0 0 r0|R0|ts0",
	/* selects */
	"1 1 0 0 s1|t[r0r1] [r0r1]",
	"0 0 0 0 [s0r0]|[s0r0]",
	"0 0 0 0 [r0r1]|s1",
	"0 0 0 0 [s0s1]|[r1r0]",
	"0 0 0 0 [r0r0]|s0",
	"1 1 1 0 [s0r1]|r0 s1",
	"0 0 0 0 u[r0r1]|s0",
	"1 1 0 0 p[r0r1]|s0 s1",
	"0 0 0 0 [s0r1]|[s1r0]",
	"1 0 1 0 [s0r1]|x0",
	"0 1 0 0 [r0r1]|x1",
	/* discards and batches */
	"2 0 2 0 d0|s0",
	"2 0 2 0 d0|r0 s0",
	"2 0 2 0 s0|d0 ts0",
	"2 0 2 0 m0*2|n0*1-2",
	"2 0 0 0 m0*2|r0 r0",
	"1 0 0 0 n0*1-2|m0*2",
	"3 0 3 0 n0*1-2|s0 ts0",
	/* first come, first served */
	"0 0 0 0 s0|s0|r0",
	"1 0 0 0 r0|r0|s0",
	"1 0 1 0 s0|s0|r0",
	/* cancel tokens */
	"1 0 0 0 cr0|k",
	"1 1 0 0 c[r0r1]|k",
	"0 0 0 0 cs0|r0|k",
	/* ends that close or go under a blocked call */
	"1 0 0 0 r0'|R0'",
	"0 0 0 0 r0|R0",
	"1 0 1 0 s0|S0",
	"0 0 0 0 s0|R0",
	"0 0 0 0 r0|fR0",
	"1 0 1 0 s0|fS0",
	"0 0 0 0 [r0s1]|fR0",
	/* a batch goes on after its handle was freed: it was served, and not closed */
	"1 0 1 0 m0*2|fS0|r0",
	"1 0 0 0 n0*2-2|fR0|s0",
	/* waits that take nothing */
	"1 0 0 0 ar0|s0",
	"1 0 0 0 ar0|ar0|s0",
	"0 0 0 0 ar0|s0|r0",
	"1 0 1 0 as0|r0",
	/* the reason is that of a close that has happened */
	"1 0 0 0 x0|y0 i0",
	"1 0 0 0 x0|y0 tr0",
	/* handles that come and go: closed by itself, no receivers, dropped when nobody can receive */
	"1 0 0 0 r0|fx0|fS0",
	"1 0 1 0 s0|fx0|fR0",
	"2 0 2 0 fx0|R0 ts0",
	"2 0 2 0 fx0 R0|R0",
	"2! 0 2 0 fx0|ts0",
	"1! 0 1 0 s0|fx0",
	"1! 0 1 0 s0|+R0 r0'",
	"1 0 1 0 s0|R0 +R0 r0'",
	"1 0 0 0 r0|*S0 s0'|S0",
	"1 0 0 0 +x0 fx0|fx0|fS0",
	"1 0 0 0 cr0|fk",
	"1 0 0 0 cn0*2-2|fk|s0 s0",
	"1 0 0 0 cr0|k|fk",
	"1 0 1 0 fx0 fS0|R0|fR0",
	"1 0 0 0 Cr0|fK|k",
	/* what fails for want of resources has no effect */
	"~1 0 0 0 r0|s0",
	"~0 0 0 0 s0|ur0",
	"~0 0 0 0 [r0s1]|s0 r1",
	"~1 0 0 0 ar0|s0",
	"~1 0 0 0 *R0 r0'|fR0",
	"~0 2^ 0 2 d1|tr1",
	"~0 2^ 0 2 fx1|fR1",
	"~0 0 0 0 Dr0|ts0",
	NULL
};
/* clang-format on */

/* ---- Running ---------------------------------------------------------------------------------------------------------- */

static long executions, steps;

static void print_failure(const struct exploration *exploration)
{
	char text[TEXT_SIZE];

	program_format(&program_current, text, sizeof text);
	printf("FAILED: %s\n  program \"%s\", execution %ld, %d messages of the channels at the start\n", exploration->message,
	    text, exploration->executions, program_current.prefilled[0] + program_current.prefilled[1]);
	oracle_print();
}

static double seconds_now(void)
{
	struct timespec now;

	__real_clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_totals(double began)
{
	double took = seconds_now() - began;

	printf("%ld executions, %.0f steps each, %.0f a second, %.2f s; %ld came to rest early; %ld histories, %ld states\n",
	    executions, executions > 0 ? (double)steps / (double)executions : 0, (double)executions / took, took, program_rests,
	    oracle_checks, oracle_visits);
}

static struct exploration exploration_random(uint64_t base, long number)
{
	struct exploration exploration = {
		.strategy = number % 2 != 0 ? EXPLORE_PCT : EXPLORE_RANDOM,
		.seed = base + (uint64_t)number,
		.depth = 2 + (int)(number / 2 % 4),
		.max_steps = MAX_SCHEDULE_STEPS,
		.spurious = 1,
		.quiescent = program_quiescent,
	};

	return exploration;
}

static bool run(struct exploration *exploration)
{
	explore(exploration, program_run);
	executions += exploration->executions;
	steps += exploration->steps;
	return !exploration->failed;
}

static int random_main(long programs, long runs, uint64_t base)
{
	double began = seconds_now();
	int failed = 0;
	long number = 0;

	for (; number < programs && failed == 0; number++) {
		struct exploration exploration = exploration_random(base, number);

		draw_program(&program_current, base, number);
		exploration.runs = runs;
		if (run(&exploration))
			continue;
		print_failure(&exploration);
		printf("  again: programs replay %llu %ld %ld %d\n", (unsigned long long)base, number, exploration.failed_run,
		    exploration.failed_range);
		failed++;
	}
	print_totals(began);
	printf("%ld passed, %d failed\n", number - failed, failed);
	return failed != 0;
}

static int replay_main(uint64_t base, long number, long first_run, int range)
{
	struct exploration exploration = exploration_random(base, number);
	bool passed;

	draw_program(&program_current, base, number);
	exploration.runs = 1;
	exploration.first_run = first_run;
	exploration.change_range = range;
	passed = run(&exploration);
	if (passed)
		oracle_print();
	else
		print_failure(&exploration);
	explorer_print_trace(TRACE_STEPS);
	printf("%d passed, %d failed\n", passed, !passed);
	return !passed;
}

static bool parse(const char *text)
{
	if (program_parse(&program_current, text))
		return true;
	printf("not a program: %s\n", text);
	return false;
}

static int random_of_main(const char *text, long runs, uint64_t base)
{
	double began = seconds_now();
	int failed = 0;

	if (!parse(text))
		return 2;
	for (int kind = 0; kind < 8 && failed == 0; kind++) {
		struct exploration exploration = exploration_random(base, kind);

		exploration.runs = (runs + 7) / 8;
		if (run(&exploration))
			continue;
		print_failure(&exploration);
		explorer_print_trace(TRACE_STEPS);
		failed++;
	}
	print_totals(began);
	printf("%d passed, %d failed\n", !failed, failed);
	return failed != 0;
}

static bool run_exhaustive(const char *text, int bound, long max)
{
	struct exploration exploration = {
		.strategy = EXPLORE_EXHAUSTIVE,
		.bound = bound,
		.runs = max,
		.max_steps = MAX_SCHEDULE_STEPS,
		.quiescent = program_quiescent,
	};
	bool passed;

	if (!parse(text))
		return false;
	passed = run(&exploration);
	printf("%-30s %9ld schedules of at most %3d steps  %s\n", text, exploration.executions, exploration.longest,
	    !passed                 ? "FAILED"
	    : exploration.exhausted ? "EXHAUSTED"
				    : "cut");
	if (!passed) {
		print_failure(&exploration);
		explorer_print_trace(TRACE_STEPS);
	}
	fflush(stdout);
	return passed;
}

static int exhaustive_main(int bound, long max, const char *text)
{
	double began = seconds_now();
	int passed = 0, failed = 0;

	race_points = false;
	if (text != NULL) {
		run_exhaustive(text, bound, max) ? passed++ : failed++;
	} else {
		for (int i = 0; listed[i] != NULL; i++)
			run_exhaustive(listed[i], bound, max) ? passed++ : failed++;
	}
	print_totals(began);
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (getenv("DUCT_PLAIN_POINTS") != NULL)
		race_points = atoi(getenv("DUCT_PLAIN_POINTS")) != 0;
	if (strcmp(what, "random") == 0 && argc == 5)
		return random_main(atol(argv[2]), atol(argv[3]), strtoull(argv[4], NULL, 10));
	if (strcmp(what, "replay") == 0 && argc == 6)
		return replay_main(strtoull(argv[2], NULL, 10), atol(argv[3]), atol(argv[4]), atoi(argv[5]));
	if (strcmp(what, "random-of") == 0 && argc == 5)
		return random_of_main(argv[2], atol(argv[3]), strtoull(argv[4], NULL, 10));
	if (strcmp(what, "exhaustive") == 0 && argc >= 3 && argc <= 5)
		return exhaustive_main(atoi(argv[2]), argc > 3 ? atol(argv[3]) : 20000000, argc > 4 ? argv[4] : NULL);
	fprintf(stderr, "usage: programs random PROGRAMS RUNS SEED | replay SEED PROGRAM RUN RANGE |\n"
			"    random-of TEXT RUNS SEED | exhaustive BOUND [MAX [TEXT]]\n");
	return 2;
}
