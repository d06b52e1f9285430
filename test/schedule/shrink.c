/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * What there is to make smaller in a program of anycast channels that fails; frame_shrink.h says how.
 */
#include "program.h"
#include "frame_shrink.h"

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
	if (program->capacity[channel] == 0 || program->once[channel])
		return false;
	program->capacity[channel]--;
	if (program->prefilled[channel] > program->capacity[channel])
		program->prefilled[channel]--;
	return true;
}

/* What is special about the channels and the calls. */
static bool drop_mark(struct program *program, int mark)
{
	bool *const marks[] = { &program->fails, &program->big, &program->unreceived[0], &program->unreceived[1],
		&program->once[0], &program->once[1] };
	bool was = *marks[mark];

	*marks[mark] = false;
	return was;
}

static const struct reduction reductions[] = {
	{ drop_thread, MAX_THREADS },
	{ drop_step, STEPS },
	{ drop_mark, 6 },
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
	shrink_by(reductions, sizeof reductions / sizeof reductions[0], program, fails);
}
