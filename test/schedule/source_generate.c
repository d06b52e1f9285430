/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Random programs of sources.  Each has a theme, which makes some calls likelier.
 */
#include "source_program.h"

#include "frame_draw.h"

#include <string.h>

enum theme { TRAFFIC, WAITS, CHANGES, THEMES };

static enum verb draw_verb(enum theme theme, bool tokens)
{
	static const struct {
		enum verb verb;
		uint8_t weights[THEMES];
	} verbs[] = { { SEND, { 14, 10, 8 } }, { RECV, { 10, 5, 6 } }, { RECV_MANY, { 3, 1, 1 } }, { SELECT, { 6, 5, 3 } },
		{ WAIT_RECV, { 2, 10, 3 } }, { CLOSE_CHANNEL, { 2, 2, 2 } }, { CLOSE_TREE, { 1, 1, 2 } },
		{ FREE_TREE, { 1, 1, 2 } }, { FREE_CLONE, { 0, 1, 1 } }, { ADVANCE, { 1, 2, 2 } }, { RESET, { 0, 1, 1 } },
		{ SET_EVENT, { 1, 1, 0 } }, { ADD, { 1, 1, 4 } }, { REMOVE, { 0, 1, 3 } }, { PUT_BACK, { 0, 1, 3 } } };
	unsigned total = 0, drawn;
	size_t i = 0;

	if (tokens && draw(10) == 0)
		return draw(3) != 0 ? RAISE_TOKEN : FREE_TOKEN;
	for (size_t k = 0; k < sizeof verbs / sizeof verbs[0]; k++)
		total += verbs[k].weights[theme];
	for (drawn = draw(total); drawn >= verbs[i].weights[theme]; i++)
		drawn -= verbs[i].weights[theme];
	return verbs[i].verb;
}

/* The tree, most of all; the timer and so on where they have something to do. */
static enum place draw_receiver(void)
{
	static const uint8_t places[] = { TREE, TREE, TREE, TREE, TREE, TREE, DIRECT, DIRECT, EVENT };

	return (enum place)places[draw(sizeof places)];
}

static void draw_select(struct step *step)
{
	step->case_count = 1 + (int)draw(MAX_CASES);
	for (int i = 0; i < step->case_count; i++) {
		step->cases[i].is_send = draw(4) == 0;
		step->cases[i].place = step->cases[i].is_send ? (enum place)draw(CHANNELS) : draw_receiver();
	}
	if (step->form != TRY && draw(3) == 0)
		step->flags = draw(4);
}

static void draw_step(struct step *step, enum theme theme, bool tokens)
{
	memset(step, 0, sizeof *step);
	step->verb = draw_verb(theme, tokens);
	if (verb_waits(step->verb)) {
		draw_form(step);
		if (tokens && step->form != TRY && draw(2) != 0)
			step->token = ROOT;
	}
	if (step->verb == RAISE_TOKEN)
		step->token = ROOT;
	if (step->verb == SEND || step->verb == CLOSE_CHANNEL || step->verb == ADD)
		step->place = (enum place)draw(CHANNELS);
	if (step->verb == RECV || step->verb == WAIT_RECV)
		step->place = draw_receiver();
	if (step->verb == RECV_MANY)
		step->place = draw(4) != 0 ? TREE : DIRECT;
	if (step->verb == ADVANCE)
		step->number = 1 + (int)draw(9);
	if (step->verb == SELECT)
		draw_select(step);
	draw_batch(step);
}

/* Every second tree is a merge, for these change. */
static void draw_node(struct program *program, int depth)
{
	static const char kinds[] = "aaabbtnMMMFFPQWDV";
	struct tree_node *node = &program->nodes[program->node_count];
	int left = MAX_NODES - ++program->node_count;

	if (left < 0)
		return;
	if (depth == 0 && draw(2) == 0)
		node->kind = MERGE;
	else
		node->kind = (enum kind)(unsigned char)kinds[draw(depth < 2 && left > 2 ? sizeof kinds - 1 : 7)];
	/* Where that may not be the tree is drawn again. */
	node->is_borrowed = node->kind == LEAF_A && depth > 0 && draw(3) == 0;
	if (strchr("abtn", (int)node->kind) != NULL)
		return;
	node->children = node->kind == MERGE ? 1 + (int)draw(3) : 1;
	for (int i = 0; i < node->children; i++)
		draw_node(program, depth + 1);
}

/* Drawn again if it is too large, or not right. */
static void draw_tree(struct program *program)
{
	struct program larger;

	do {
		larger = *program;
		larger.node_count = 0;
		draw_node(&larger, 0);
	} while (larger.node_count > MAX_NODES || !tree_is_right(&larger));
	*program = larger;
}

void program_draw(struct program *program, uint64_t base, long number)
{
	enum theme theme;
	bool tokens;

	seed(base, number);
	memset(program, 0, sizeof *program);
	program->fails = draw(6) == 0;
	draw_tree(program);
	for (int i = 0; i < CHANNELS; i++) {
		program->capacity[i] = draw(8) == 0 ? ONCE : (int)draw(MAX_CAPACITY + 1);
		program->prefilled[i] =
		    draw(2) == 0 ? 0 : (int)draw((unsigned)(program->capacity[i] == ONCE ? 1 : program->capacity[i]) + 1);
	}
	theme = (enum theme)draw(THEMES);
	tokens = draw(4) == 0;
	program->thread_count = 2 + (int)draw(MAX_THREADS - 1);
	for (int i = 0; i < program->thread_count; i++) {
		program->step_count[i] = 1 + (int)draw(MAX_STEPS);
		for (int k = 0; k < program->step_count[i]; k++)
			draw_step(&program->steps[i][k], theme, tokens);
	}
}
