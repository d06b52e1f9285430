/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Programs of sources as text; source_program.h describes it.
 */
#include "source_program.h"

#include "frame_text.h"

static const char place_letters[] = "abRde";

/* What stands behind the letters of a verb: one of these letters, if there are any. */
static const struct {
	const char *letters, *places;
	bool waits;
} verbs[VERBS] = {
	[SEND] = { "s", "ab", true },
	[RECV] = { "r", "Rde", true },
	[RECV_MANY] = { "n", "Rd", true },
	[SELECT] = { "[", "", true },
	[WAIT_RECV] = { "q", "Rde", true },
	[CLOSE_CHANNEL] = { "x", "ab", false },
	[CLOSE_TREE] = { "z", "", false },
	[FREE_TREE] = { "fR", "", false },
	[FREE_CLONE] = { "f'", "", false },
	[ADVANCE] = { "g", "", false },
	[RESET] = { "o", "", false },
	[SET_EVENT] = { "i", "", false },
	[ADD] = { "+", "ab", false },
	[REMOVE] = { "-", "", false },
	[PUT_BACK] = { "=", "", false },
	[FREE_TOKEN] = { "y", "", false },
	[RAISE_TOKEN] = { "", "", false },
};

static const char *letters_of(enum verb verb)
{
	return verb < VERBS ? verbs[verb].letters : "?";
}

bool verb_waits(enum verb verb)
{
	return verbs[verb].waits;
}

bool verb_of_token(enum verb verb)
{
	return verb == RAISE_TOKEN;
}

bool verb_has_place(enum verb verb)
{
	return verbs[verb].places[0] != '\0';
}

struct step step_of_case(const struct step *select, int i)
{
	struct step step = *select;

	step.verb = select->cases[i].is_send ? SEND : RECV;
	step.place = select->cases[i].place;
	step.flags = 0;
	step.case_count = 0;
	return step;
}

static struct step_case case_of_step(const struct step *step)
{
	return (struct step_case){ .is_send = step->verb == SEND, .place = step->place };
}

bool step_uses(const struct step *step, enum place place)
{
	bool uses = verb_has_place(step->verb) && step->place == place;

	for (int i = 0; i < step->case_count; i++)
		uses |= step->cases[i].place == place;
	if (place == TREE)
		uses |= step->verb == CLOSE_TREE || step->verb == FREE_TREE || step->verb == ADD || step->verb == REMOVE ||
		        step->verb == PUT_BACK;
	return uses;
}

/* ---- Trees ------------------------------------------------------------------------------------------------------------- */

int tree_end(const struct program *program, int node)
{
	int end = node + 1;

	for (int i = 0; i < program->nodes[node].children; i++)
		end = tree_end(program, end);
	return end;
}

int tree_parent(const struct program *program, int node)
{
	int parent = node - 1;

	while (parent >= 0 && tree_end(program, parent) <= node)
		parent--;
	return parent;
}

static bool has_hooks(const struct program *program, int node)
{
	switch (program->nodes[node].kind) {
	case TIMER:
	case NEVER:
		return false;
	case FILTER:
	case TAKE_WHILE:
	case DROP_WHILE:
	case PREVIOUS:
	case MERGE:
		return has_hooks(program, node + 1);
	default:
		return true;
	}
}

bool tree_is_right(const struct program *program)
{
	int timers = 0;

	if (program->nodes[0].children == 0)
		return false;
	for (int i = 0; i < program->node_count; i++) {
		timers += program->nodes[i].kind == TIMER;
		if (program->nodes[i].kind == MERGE && !has_hooks(program, i))
			return false;
		if (program->nodes[i].is_borrowed && program->nodes[tree_parent(program, i)].kind == MERGE)
			return false;
	}
	return timers <= 1;
}

#define BORROWED 'd'

static void format_node(FILE *out, const struct program *program, int node)
{
	const struct tree_node *at = &program->nodes[node];
	int child = node + 1;

	fputc(at->is_borrowed ? BORROWED : (int)at->kind, out);
	fprintf(out, "%s", at->kind == MERGE ? "(" : "");
	for (int i = 0; i < at->children; i++) {
		format_node(out, program, child);
		child = tree_end(program, child);
	}
	fprintf(out, "%s", at->kind == MERGE ? ")" : "");
}

static bool parse_node(struct program *program, const char **at)
{
	static const char leaves[] = "abtn", combinators[] = "FPQWDV";
	struct tree_node *node = &program->nodes[program->node_count];
	int place;

	if (program->node_count++ == MAX_NODES)
		return false;
	node->kind = (enum kind)(unsigned char)**at;
	node->is_borrowed = parse_mark(at, BORROWED);
	if (node->is_borrowed)
		node->kind = LEAF_A;
	if (node->is_borrowed || parse_letter(at, leaves, &place))
		return true;
	if (parse_letter(at, combinators, &place)) {
		node->children = 1;
		return parse_node(program, at);
	}
	if (!parse_mark(at, MERGE) || !parse_mark(at, '('))
		return false;
	while (!parse_mark(at, ')')) {
		node->children++;
		if (!parse_node(program, at))
			return false;
	}
	return node->children > 0;
}

/* ---- Steps ------------------------------------------------------------------------------------------------------------- */

static void format_operand(FILE *out, const struct step *step)
{
	if (verb_has_place(step->verb))
		fputc(place_letters[step->place], out);
	if (step->verb == ADVANCE)
		fprintf(out, "%d", step->number);
}

static bool parse_operand(struct step *step, const char **at)
{
	int place;

	if (step->verb == ADVANCE)
		return parse_digit(at, 10, &step->number);
	if (!verb_has_place(step->verb))
		return true;
	if (**at == '\0' || strchr(verbs[step->verb].places, **at) == NULL || !parse_letter(at, place_letters, &place))
		return false;
	step->place = (enum place)place;
	return true;
}

void step_format(const struct step *step, char *text, size_t size)
{
	FILE *out = fmemopen(text, size, "w");

	if (out == NULL)
		abort();
	format_step(out, step);
	fclose(out);
}

/* ---- The header -------------------------------------------------------------------------------------------------------- */

static const char capacities[] = "012o";

static void format_header(FILE *out, const struct program *program)
{
	fprintf(out, "%s%c %c %d %d ", program->fails ? "~" : "", capacities[program->capacity[0]],
	    capacities[program->capacity[1]], program->prefilled[0], program->prefilled[1]);
	format_node(out, program, 0);
	fputc(' ', out);
}

static bool parse_header(struct program *program, const char **at)
{
	program->fails = parse_mark(at, '~');
	for (int i = 0; i < CHANNELS; i++)
		if (!parse_letter(at, capacities, &program->capacity[i]) || !parse_mark(at, ' '))
			return false;
	for (int i = 0; i < CHANNELS; i++)
		if (!parse_digit(at, MAX_CAPACITY + 1, &program->prefilled[i]) || !parse_mark(at, ' '))
			return false;
	return parse_node(program, at) && parse_mark(at, ' ') && tree_is_right(program);
}

bool program_parse(struct program *program, const char *text)
{
	if (!parse_program(program, text))
		return false;
	for (int i = 0; i < program->thread_count; i++)
		for (int k = 0; k < program->step_count[i]; k++)
			if (program->steps[i][k].token >= TOKENS)
				return false;
	return true;
}
