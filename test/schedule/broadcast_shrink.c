/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * What there is to make smaller in a program of broadcasts that fails; frame_shrink.h says how.
 */
#include "broadcast.h"
#include "frame_shrink.h"

/* A send with a receipt, too, becomes a plain one. */
static bool make_simple(struct program *program, int place)
{
	struct step *step = step_at(program, place);

	if (step == NULL || step->verb != PUBLISH)
		return make_single(program, place);
	step->verb = SEND;
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
	for (int place = 0; place < STEPS; place++) {
		struct step *step = step_at(program, place);

		if (step != NULL && !renumber_step(step, receiver))
			return false;
	}
	for (int i = receiver; i + 1 < program->receiver_count; i++)
		program->receivers[i] = program->receivers[i + 1];
	program->receiver_count--;
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

static const struct reduction reductions[] = {
	{ drop_thread, MAX_THREADS },
	{ drop_step, STEPS },
	{ drop_receiver, FIRST_RECEIVERS },
	{ drop_mark, 5 },
	{ drop_case, STEPS *MAX_CASES },
	{ shorten_batch, STEPS },
	{ make_simple, STEPS },
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
	shrink_by(reductions, sizeof reductions / sizeof reductions[0], program, fails);
}
