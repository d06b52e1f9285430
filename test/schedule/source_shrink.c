/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * What there is to make smaller in a program of sources that fails; frame_shrink.h says how.
 */
#include "source_program.h"

#include "frame_shrink.h"

static void cut_nodes(struct program *program, int from, int to)
{
	memmove(&program->nodes[from], &program->nodes[to], (size_t)(program->node_count - to) * sizeof program->nodes[0]);
	program->node_count -= to - from;
}

/* A node with one child: the child stands in its place. */
static bool replace_by_child(struct program *program, int node)
{
	if (node >= program->node_count || program->nodes[node].children != 1)
		return false;
	cut_nodes(program, node, node + 1);
	return tree_is_right(program);
}

/* One of several children, with all below it. */
static bool drop_child(struct program *program, int node)
{
	int parent = node < program->node_count ? tree_parent(program, node) : -1;

	if (parent < 0 || program->nodes[parent].children < 2)
		return false;
	program->nodes[parent].children--;
	cut_nodes(program, node, tree_end(program, node));
	return tree_is_right(program);
}

static bool drop_prefilled(struct program *program, int channel)
{
	return program->prefilled[channel]-- > 0;
}

/* A capacity is what is special, unless it is 1. */
static bool lower_capacity(struct program *program, int channel)
{
	return program->capacity[channel]-- > 1;
}

static bool drop_fails(struct program *program, int place)
{
	const bool was = program->fails;

	(void)place;
	program->fails = false;
	return was;
}

static const struct reduction reductions[] = {
	{ drop_thread, MAX_THREADS },
	{ drop_step, STEPS },
	{ drop_child, MAX_NODES },
	{ replace_by_child, MAX_NODES },
	{ drop_fails, 1 },
	{ drop_case, STEPS *MAX_CASES },
	{ shorten_batch, STEPS },
	{ make_single, STEPS },
	{ drop_token, STEPS },
	{ make_plain, STEPS },
	{ drop_prefilled, CHANNELS },
	{ lower_capacity, CHANNELS },
};

void program_shrink(struct program *program, bool (*fails)(const struct program *program))
{
	shrink_by(reductions, sizeof reductions / sizeof reductions[0], program, fails);
}
