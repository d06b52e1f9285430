/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Random programs of broadcasts.
 *
 * Each program has a theme, which makes some calls likelier: so what meets is not only sends and receives.  Receivers that
 * block, small capacities and messages that are there already are likelier than others, for there it gets tight.
 */
#include "broadcast.h"
#include "frame_draw.h"

#include <string.h>

/* What a program is about. */
enum theme { TRAFFIC, MEMBERS, CONTROL, THEMES };

static enum verb draw_verb(enum theme theme, bool tokens)
{
	static const struct {
		enum verb verb;
		uint8_t weights[THEMES];
	} verbs[] = { { SEND, { 16, 10, 8 } }, { PUBLISH, { 6, 4, 3 } }, { SEND_MANY, { 4, 2, 2 } }, { RECV, { 16, 8, 8 } },
		{ RECV_MANY, { 4, 2, 2 } }, { SELECT, { 12, 4, 4 } }, { WAIT_SEND, { 2, 1, 1 } }, { WAIT_RECV, { 2, 1, 1 } },
		{ WAIT_COUNT, { 0, 2, 1 } }, { SUBSCRIBE, { 1, 5, 1 } }, { SENDER_SUBSCRIBE, { 1, 3, 1 } },
		{ CLONE_RECEIVER, { 0, 3, 1 } }, { CLOSE_RECEIVER, { 1, 3, 2 } }, { FREE_RECEIVER, { 1, 4, 2 } },
		{ TO_PEEKABLE, { 0, 2, 2 } }, { SHOW_LAST, { 0, 2, 2 } }, { SET_POLICY, { 0, 1, 5 } },
		{ SET_KEPT, { 0, 1, 3 } }, { CLOSE_CHANNEL, { 1, 1, 2 } }, { DISCARD_CHANNEL, { 1, 1, 3 } },
		{ SHUT_SENDER, { 0, 1, 2 } }, { FREE_SENDER, { 1, 1, 2 } }, { SEE_STATS, { 1, 1, 3 } },
		{ SEE_LENGTH, { 1, 1, 1 } }, { SEE_STATE, { 0, 1, 1 } }, { SEE_LAG, { 0, 0, 1 } },
		{ SEE_RECEIVERS, { 0, 2, 1 } }, { SEE_CLOSED, { 0, 1, 1 } }, { SEE_REASON, { 0, 0, 1 } } };
	unsigned total = 0, drawn;
	size_t i = 0;

	if (tokens && draw(16) == 0)
		return RAISE_TOKEN;
	for (size_t k = 0; k < sizeof verbs / sizeof verbs[0]; k++)
		total += verbs[k].weights[theme];
	for (drawn = draw(total); drawn >= verbs[i].weights[theme]; i++)
		drawn -= verbs[i].weights[theme];
	return verbs[i].verb;
}

static struct subscription draw_subscription(void)
{
	static const uint8_t overflows[] = { DUCT_BLOCK, DUCT_BLOCK, DUCT_BLOCK, DUCT_BLOCK, DUCT_DROP_OLDEST, DUCT_DROP_OLDEST,
		DUCT_DROP_NEWEST, DUCT_LATEST_ONLY, DUCT_CUT_OFF };
	struct subscription drawn = { 0 };

	drawn.overflow = overflows[draw(sizeof overflows)];
	drawn.capacity = drawn.overflow == DUCT_LATEST_ONLY || draw(2) != 0 ? 1 : (uint8_t)(2 + draw(MAX_CAPACITY - 1));
	drawn.tell_lag = drawn.overflow != DUCT_BLOCK && draw(3) == 0;
	return drawn;
}

/* One that is there at the start, or the thread's own, which may be there. */
static int draw_receiver(const struct program *program)
{
	if (program->receiver_count == 0 || draw(4) == 0)
		return OWN;
	return (int)draw((unsigned)program->receiver_count);
}

static void draw_select(const struct program *program, struct step *step)
{
	step->case_count = 1 + (int)draw(MAX_CASES);
	for (int i = 0; i < step->case_count; i++) {
		step->cases[i].is_send = draw(3) == 0;
		if (step->cases[i].is_send)
			step->cases[i].own = draw(4) == 0;
		else
			step->cases[i].receiver = draw_receiver(program);
	}
	if (step->form != TRY && draw(4) == 0)
		step->flags = draw(4);
}

static void draw_wait(struct step *step, bool tokens)
{
	draw_form(step);
	if (tokens && step->form != TRY && draw(2) != 0)
		step->token = draw(3) != 0 ? ROOT : TIMED;
}

static void draw_step(const struct program *program, struct step *step, enum theme theme, bool tokens)
{
	memset(step, 0, sizeof *step);
	step->verb = draw_verb(theme, tokens);
	if (verb_waits(step->verb))
		draw_wait(step, tokens);
	if (verb_sends(step->verb))
		step->own = draw(4) == 0;
	if (verb_of_receiver(step->verb))
		step->receiver = draw_receiver(program);
	if (step->verb == CLONE_RECEIVER && step->receiver == OWN)
		step->receiver = 0;
	if (step->verb == SUBSCRIBE || step->verb == SENDER_SUBSCRIBE)
		step->subscription = draw_subscription();
	if (step->verb == SET_POLICY)
		step->subscription.overflow = (uint8_t)draw(DUCT_CUT_OFF + 1);
	if (step->verb == SET_KEPT)
		step->number = (int)draw(MAX_REPLAY + 1);
	if (step->verb == WAIT_COUNT)
		step->number = (int)draw(4);
	if (step->verb == RAISE_TOKEN)
		step->token = draw(3) != 0 ? ROOT : TIMED;
	if (step->verb == SELECT)
		draw_select(program, step);
	draw_batch(step);
}

static void draw_channel(struct program *program)
{
	program->fails = draw(5) == 0;
	program->pair = draw(4) == 0;
	program->hooks = draw(2) != 0 ? COPIES : (enum hooks)draw(2);
	program->replay = (int)draw(MAX_REPLAY + 1);
	program->unheard = (duct_unheard)draw(DUCT_UNHEARD_WAIT + 1);
	program->receiver_count = draw(8) == 0 ? 0 : 1 + (int)draw(FIRST_RECEIVERS);
	if (program->pair && program->receiver_count == 0)
		program->receiver_count = 1;
	for (int i = 0; i < program->receiver_count; i++)
		program->receivers[i] = draw_subscription();
	program->prefilled = draw(3) == 0 ? 0 : (int)draw(MAX_CAPACITY + 1);
}

void program_draw(struct program *program, uint64_t base, long number)
{
	enum theme theme;
	bool tokens;

	seed(base, number);
	memset(program, 0, sizeof *program);
	draw_channel(program);
	theme = (enum theme)draw(THEMES);
	tokens = draw(3) == 0;
	program->thread_count = 2 + (int)draw(MAX_THREADS - 1);
	for (int i = 0; i < program->thread_count; i++) {
		program->step_count[i] = 1 + (int)draw(MAX_STEPS);
		for (int k = 0; k < program->step_count[i]; k++)
			draw_step(program, &program->steps[i][k], theme, tokens);
	}
}
