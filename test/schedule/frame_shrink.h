/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Makes a program that fails smaller: each thing in it that can go is taken away or made plainer, one at a time, and stays
 * away if the program still fails.  When nothing more can go, the program is a smallest one: without any single thing of it
 * nothing fails, as far as the caller looked.
 *
 * Threads go first, then steps, then what is left of these, since the big cuts save the most looking.
 *
 * For either kind of struct program: included after program.h or broadcast.h.
 */
#ifndef TEST_SCHEDULE_FRAME_SHRINK_H
#define TEST_SCHEDULE_FRAME_SHRINK_H

#include <string.h>

#define STEPS (MAX_THREADS * MAX_STEPS)

/* One way to make a program smaller, at each of so many places; it says whether there was something. */
struct reduction {
	bool (*reduce)(struct program *program, int place);
	int places;
};

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
		*step = step_of_case(step, 0);
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

	if (step == NULL || step->token == NO_TOKEN || verb_of_token(step->verb))
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

/* By whatever reduction there is, until none is left after which it still fails. */
static void shrink_by(const struct reduction *reductions, size_t reduction_count, struct program *program,
    bool (*fails)(const struct program *program))
{
	bool smaller;

	do {
		smaller = false;
		for (size_t i = 0; i < reduction_count; i++) {
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

#endif
