/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Makes a program that fails smaller: each thing in it that can go is taken away or made plainer, one at a time, and stays
 * away if the program still fails.  When nothing more can go, the program is a smallest one: without any single thing of it
 * nothing fails, as far as the caller looked.
 *
 * Threads go first, then steps, then what is left of these, since the big cuts save the most looking.
 */
#include "program.h"

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

/* A select of one case, a batch of one message: a send or a receive. */
static bool make_single(struct program *program, int place)
{
	struct step *step = step_at(program, place);

	if (step == NULL)
		return false;
	if (step->verb == SELECT && step->case_count == 1) {
		step->verb = step->cases[0].is_send ? SEND : RECV;
		step->channel = step->cases[0].channel;
		step->own = step->cases[0].own;
		step->flags = 0;
		step->case_count = 0;
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

	if (step == NULL || step->token == NO_TOKEN || step->verb == RAISE_TOKEN || step->verb == FREE_TOKEN)
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

/* Through the shared end; a step that makes an end always makes its own. */
static bool use_shared(struct program *program, int place)
{
	struct step *step = step_at(program, place);

	if (step == NULL || !step->own || step->verb >= NEW_SENDER)
		return false;
	step->own = false;
	return true;
}

static bool drop_prefilled(struct program *program, int channel)
{
	if (program->prefilled[channel] == 0)
		return false;
	program->prefilled[channel]--;
	return true;
}

static bool lower_capacity(struct program *program, int channel)
{
	if (program->capacity[channel] == 0)
		return false;
	program->capacity[channel]--;
	if (program->prefilled[channel] > program->capacity[channel])
		program->prefilled[channel]--;
	return true;
}

/* What is special about the channels and the calls. */
static bool drop_mark(struct program *program, int mark)
{
	bool *const marks[] = { &program->fails, &program->big, &program->unreceived[0], &program->unreceived[1] };
	bool was = *marks[mark];

	*marks[mark] = false;
	return was;
}

#define STEPS (MAX_THREADS * MAX_STEPS)

static const struct {
	bool (*reduce)(struct program *program, int place);
	int places;
} reductions[] = {
	{ drop_thread, MAX_THREADS },
	{ drop_step, STEPS },
	{ drop_mark, 4 },
	{ drop_case, STEPS *MAX_CASES },
	{ shorten_batch, STEPS },
	{ make_single, STEPS },
	{ drop_token, STEPS },
	{ make_plain, STEPS },
	{ use_shared, STEPS },
	{ drop_prefilled, CHANNELS },
	{ lower_capacity, CHANNELS },
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
