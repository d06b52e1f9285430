/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Programs of anycast channels as text; program.h describes it.
 */
#include "program.h"
#include "frame_text.h"

static const char *const verb_letters[VERBS] = { "s", "r", "[", "m", "n", "as", "ar", "x", "d", "S", "R", "fS", "fR", "", "f",
	"l", "y", "i", "q", "+x", "+b", "fx", "+S", "+R", "*S", "*R" };

static const char *letters_of(enum verb verb)
{
	return verb_letters[verb];
}

bool verb_of_token(enum verb verb)
{
	return verb == RAISE_TOKEN || verb == FREE_TOKEN;
}

bool verb_makes_end(enum verb verb)
{
	return verb == NEW_SENDER || verb == NEW_RECEIVER || verb == CLONE_SENDER || verb == CLONE_RECEIVER;
}

struct step step_of_case(const struct step *select, int i)
{
	struct step step = *select;

	step.verb = select->cases[i].is_send ? SEND : RECV;
	step.channel = select->cases[i].channel;
	step.own = select->cases[i].own;
	step.flags = 0;
	step.case_count = 0;
	return step;
}

static struct step_case case_of_step(const struct step *step)
{
	return (struct step_case){ (uint8_t)step->channel, step->verb == SEND, step->own };
}

static void format_operand(FILE *out, const struct step *step)
{
	fprintf(out, "%d%s", step->channel, step->own ? "'" : "");
}

static void format_header(FILE *out, const struct program *program)
{
	fprintf(out, "%s", program->fails ? "~" : "");
	for (int i = 0; i < CHANNELS; i++)
		fprintf(out, "%d%s%s%s ", program->capacity[i], program->unreceived[i] ? "!" : "", program->once[i] ? "." : "",
		    i == 1 && program->big ? "^" : "");
	fprintf(out, "%d %d ", program->prefilled[0], program->prefilled[1]);
}

static bool parse_operand(struct step *step, const char **at)
{
	if (!parse_digit(at, CHANNELS, &step->channel))
		return false;
	step->own = parse_mark(at, '\'') || verb_makes_end(step->verb);
	return true;
}

static bool parse_header(struct program *program, const char **at)
{
	program->fails = parse_mark(at, '~');
	for (int i = 0; i < CHANNELS; i++) {
		if (!parse_digit(at, MAX_CAPACITY + 1, &program->capacity[i]))
			return false;
		program->unreceived[i] = parse_mark(at, '!');
		program->once[i] = parse_mark(at, '.');
		if (program->once[i] && (program->capacity[i] != 1 || program->unreceived[i]))
			return false;
		if (i == 1)
			program->big = parse_mark(at, '^');
		if (!parse_mark(at, ' '))
			return false;
	}
	for (int i = 0; i < CHANNELS; i++)
		if (!parse_digit(at, program->once[i] ? 1 : program->capacity[i] + 1, &program->prefilled[i]) ||
		    !parse_mark(at, ' '))
			return false;
	return true;
}

bool program_parse(struct program *program, const char *text)
{
	return parse_program(program, text);
}
