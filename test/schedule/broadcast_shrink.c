/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Makes a program of broadcasts that fails smaller, as shrink.c does: takes away or makes plainer one thing at a time, as long
 * as the program still fails.
 */
#include "broadcast.h"

#include <string.h>

static bool drop_thread(struct program *program, int thread)
{
	if (thread >= program->thread_count || program->thread_count == 1)
		return false;
	for (int i = thread; i + 1 < program->thread_count; i++) {
		program->step_count[i] = program->step_count[i + 1];
		memcpy(program->steps[i], program->steps[i + 1], sizeof program->steps[i]);
	}
	program->thread_count--;
	return true;
}

/* The place-th step, NULL if the thread has none there. */
static struct step *step_at(struct program *program, int place)
{
	int thread = place / MAX_STEPS, i = place % MAX_STEPS;

	return thread < program->thread_count && i < program->step_count[thread] ? &program->steps[thread][i] : NULL;
}

static bool drop_step(struct program *program, int place)
{
	struct step *step = step_at(program, place);
	int *count = &program->step_count[place / MAX_STEPS];

	if (step == NULL || *count == 1)
		return false;
	memmove(step, step + 1, (size_t)(*count - 1 - place % MAX_STEPS) * sizeof *step);
	--*count;
	return true;
}

/* The numbers of receivers behind the one that goes become less by one. */
static bool renumber(int *receiver, int gone)
{
	if (*receiver == gone)
		return false;
	if (*receiver > gone && *receiver < OWN)
		--*receiver;
	return true;
}

static bool renumber_step(struct step *step, int gone)
{
	if (verb_of_receiver(step->verb) && !renumber(&step->receiver, gone))
		return false;
	for (int i = 0; i < step->case_count; i++)
		if (!step->cases[i].is_send && !renumber(&step->cases[i].receiver, gone))
			return false;
	return true;
}

/* If no step needs it. */
static bool drop_receiver(struct program *program, int receiver)
{
	if (receiver >= program->receiver_count || (program->pair && program->receiver_count == 1))
		return false;
	for (int place = 0; place < MAX_THREADS * MAX_STEPS; place++) {
		struct step *step = step_at(program, place);

		if (step != NULL && !renumber_step(step, receiver))
			return false;
	}
	for (int i = receiver; i + 1 < program->receiver_count; i++)
		program->receivers[i] = program->receivers[i + 1];
	program->receiver_count--;
	return true;
}

static bool drop_case(struct program *program, int place)
{
	struct step *step = step_at(program, place / MAX_CASES);
	int i = place % MAX_CASES;

	if (step == NULL || step->verb != SELECT || step->case_count == 1 || i >= step->case_count)
		return false;
	memmove(&step->cases[i], &step->cases[i + 1], (size_t)(step->case_count - 1 - i) * sizeof step->cases[0]);
	step->case_count--;
	return true;
}

static void become_case(struct step *step)
{
	const struct step_case only = step->cases[0];

	step->verb = only.is_send ? SEND : RECV;
	step->own = only.own;
	step->receiver = only.receiver;
	step->flags = 0;
	step->case_count = 0;
}

/* A select of one case, a batch of one message, a send with a receipt: a send or a receive. */
static bool make_single(struct program *program, int place)
{
	struct step *step = step_at(program, place);

	if (step == NULL)
		return false;
	if (step->verb == SELECT && step->case_count == 1) {
		become_case(step);
		return true;
	}
	if (step->verb == PUBLISH) {
		step->verb = SEND;
		return true;
	}
	if ((step->verb == SEND_MANY || step->verb == RECV_MANY) && step->max == 1) {
		step->verb = step->verb == SEND_MANY ? SEND : RECV;
		step->max = step->min = 0;
		return true;
	}
	return false;
}

static bool shorten_batch(struct program *program, int place)
{
	struct step *step = step_at(program, place);

	if (step == NULL || step->max <= 1)
		return false;
	step->max--;
	if (step->min > step->max)
		step->min = step->max;
	return true;
}

static bool drop_token(struct program *program, int place)
{
	struct step *step = step_at(program, place);

	if (step == NULL || step->token == NO_TOKEN || step->verb == RAISE_TOKEN)
		return false;
	step->token = NO_TOKEN;
	return true;
}

static bool make_plain(struct program *program, int place)
{
	struct step *step = step_at(program, place);

	if (step == NULL || (step->form == PLAIN && step->flags == 0))
		return false;
	step->form = PLAIN;
	step->flags = 0;
	return true;
}

static bool use_shared(struct program *program, int place)
{
	struct step *step = step_at(program, place);

	if (step == NULL || !step->own)
		return false;
	step->own = false;
	return true;
}

static bool drop_prefilled(struct program *program, int place)
{
	(void)place;
	if (program->prefilled == 0)
		return false;
	program->prefilled--;
	return true;
}

static bool lower_replay(struct program *program, int place)
{
	(void)place;
	if (program->replay == 0)
		return false;
	program->replay--;
	return true;
}

static bool lower_capacity(struct program *program, int receiver)
{
	if (receiver >= program->receiver_count || program->receivers[receiver].capacity == 1)
		return false;
	program->receivers[receiver].capacity--;
	return true;
}

static bool drop_lag(struct program *program, int receiver)
{
	bool was = receiver < program->receiver_count && program->receivers[receiver].tell_lag;

	if (was)
		program->receivers[receiver].tell_lag = false;
	return was;
}

/* What is special about the channel and the calls. */
static bool drop_mark(struct program *program, int mark)
{
	struct program before = *program;

	if (mark == 0)
		program->fails = false;
	else if (mark == 1)
		program->pair = false;
	else if (mark == 2)
		program->unheard = DUCT_UNHEARD_OK;
	else
		program->hooks = (enum hooks)(mark - 3); /* none, or else without copies */
	return memcmp(&before, program, sizeof before) != 0 && program->hooks <= before.hooks;
}

#define STEPS (MAX_THREADS * MAX_STEPS)

static const struct {
	bool (*reduce)(struct program *program, int place);
	int places;
} reductions[] = {
	{ drop_thread, MAX_THREADS },
	{ drop_step, STEPS },
	{ drop_receiver, FIRST_RECEIVERS },
	{ drop_mark, 5 },
	{ drop_case, STEPS *MAX_CASES },
	{ shorten_batch, STEPS },
	{ make_single, STEPS },
	{ drop_token, STEPS },
	{ make_plain, STEPS },
	{ use_shared, STEPS },
	{ drop_prefilled, 1 },
	{ lower_replay, 1 },
	{ drop_lag, FIRST_RECEIVERS },
	{ lower_capacity, FIRST_RECEIVERS },
};

void program_shrink(struct program *program, bool (*fails)(const struct program *program))
{
	bool smaller;

	do {
		smaller = false;
		for (size_t i = 0; i < sizeof reductions / sizeof reductions[0]; i++) {
			for (int place = 0; place < reductions[i].places; place++) {
				struct program next = *program;

				if (!reductions[i].reduce(&next, place) || !fails(&next))
					continue;
				*program = next;
				smaller = true;
			}
		}
	} while (smaller);
}
