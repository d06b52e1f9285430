/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Random programs of anycast channels.
 *
 * Half of the programs have tokens, a third are about handles that come and go, a quarter let one call fail for want of
 * resources.  Channel 0 gets most of the steps, for what meets is what breaks.
 */
#include "program.h"
#include "frame_draw.h"

#include <string.h>

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
		{ LOOK_LENGTH, 1, 1 }, { LOOK_REASON, 1, 1 }, { LOOK_CLOSED, 1, 1 }, { LOOK_WAITING, 1, 1 },
		{ FREE_CHANNEL, 1, 5 }, { CLONE_CHANNEL, 0, 1 }, { BORROW_CHANNEL, 0, 1 }, { NEW_SENDER, 0, 1 },
		{ NEW_RECEIVER, 0, 2 }, { CLONE_SENDER, 0, 1 }, { CLONE_RECEIVER, 0, 1 } };
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
		draw_form(step);
		if (theme->tokens && step->form != TRY && draw(2) != 0)
			step->token = draw_token(true);
	}
	if (verb_of_token(step->verb)) {
		step->token = draw_token(false);
		step->channel = 0;
	} else if (step->verb == SELECT) {
		step->channel = 0;
		draw_select(step);
	} else if (has_token(step->verb) || (step->verb >= CLOSE_SENDER && step->verb <= FREE_RECEIVER)) {
		step->own = draw(4) == 0;
	} else {
		step->own = step->verb >= NEW_SENDER;
	}
	draw_batch(step);
}

static void draw_channel(struct program *program, int channel)
{
	static const int capacities[] = { 0, 1, 2, 3, 5 };
	int capacity = capacities[draw(draw(3) != 0 ? 3 : 5)];

	program->capacity[channel] = capacity;
	program->unreceived[channel] = draw(16) == 0;
	program->once[channel] = draw(24) == 0;
	if (program->once[channel]) {
		program->capacity[channel] = 1;
		program->unreceived[channel] = false;
		return;
	}
	program->prefilled[channel] = draw(2) != 0 ? (int)draw((unsigned)capacity + 1) : draw(2) != 0 ? capacity : 0;
}

void program_draw(struct program *program, uint64_t base, long number)
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
