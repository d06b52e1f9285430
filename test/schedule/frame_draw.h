/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Random programs.  A program is a function of a base and its number, so that no list of them is needed.
 *
 * For either kind of struct program: included after program.h or broadcast.h.
 */
#ifndef TEST_SCHEDULE_FRAME_DRAW_H
#define TEST_SCHEDULE_FRAME_DRAW_H

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

static void draw_form(struct step *step)
{
	step->form = draw(2) != 0 ? PLAIN : (enum form)draw(4);
	if (step->form == TRY && step->verb != SEND && step->verb != RECV && step->verb != SELECT)
		step->form = PAST;
}

static void draw_batch(struct step *step)
{
	if (step->verb == SEND_MANY || step->verb == RECV_MANY)
		step->max = 1 + (int)draw(MAX_BATCH);
	if (step->verb == RECV_MANY)
		step->min = (int)draw((unsigned)step->max + 1);
}

#endif
