/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Programs as text: the header, which each kind has of its own, and the threads' steps between bars.  A step is what stands
 * before it (form, token, flags), its letters, and its operand.
 *
 * For either kind of struct program: included after program.h or broadcast.h.
 */
#ifndef TEST_SCHEDULE_FRAME_TEXT_H
#define TEST_SCHEDULE_FRAME_TEXT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the kind of program has of its own: the header; of a step the letters of its verb, and the operand behind these. */
static void format_header(FILE *out, const struct program *program);
static bool parse_header(struct program *program, const char **at);
static const char *letters_of(enum verb verb); /* without that of a token */
static void format_operand(FILE *out, const struct step *step);
static bool parse_operand(struct step *step, const char **at);

/* The other way round than step_of_case. */
static struct step_case case_of_step(const struct step *step);

/* In the order of enum form, without the plain one, and of the tokens that are raised and freed. */
static const char form_letters[] = "tuv", raised_letters[] = "kK";

/* ---- Writing ---------------------------------------------------------------------------------------------------------- */

static void format_cases(FILE *out, const struct step *step)
{
	for (int i = 0; i < step->case_count; i++) {
		const struct step only = step_of_case(step, i);

		fputs(letters_of(only.verb), out);
		format_operand(out, &only);
	}
	fputc(']', out);
}

static void format_prefixes(FILE *out, const struct step *step)
{
	if (step->form != PLAIN)
		fputc(form_letters[step->form - 1], out);
	if (step->token != NO_TOKEN)
		fputc(TOKEN_LETTERS[step->token - 1], out);
	fprintf(out, "%s%s", step->flags & DUCT_PRIORITY ? "p" : "", step->flags & DUCT_READY ? "w" : "");
}

static void format_step(FILE *out, const struct step *step)
{
	if (verb_of_token(step->verb)) {
		fprintf(out, "%s%c", letters_of(step->verb), raised_letters[step->token - 1]);
		return;
	}
	format_prefixes(out, step);
	fputs(letters_of(step->verb), out);
	if (step->verb == SELECT)
		format_cases(out, step);
	else
		format_operand(out, step);
	if (step->verb == SEND_MANY)
		fprintf(out, "*%d", step->max);
	if (step->verb == RECV_MANY)
		fprintf(out, "*%d-%d", step->min, step->max);
}

void program_format(const struct program *program, char *text, size_t size)
{
	FILE *out = fmemopen(text, size, "w");

	if (out == NULL)
		abort();
	format_header(out, program);
	for (int i = 0; i < program->thread_count; i++) {
		fprintf(out, "%s", i > 0 ? "|" : "");
		for (int k = 0; k < program->step_count[i]; k++) {
			fprintf(out, "%s", k > 0 ? " " : "");
			format_step(out, &program->steps[i][k]);
		}
	}
	fclose(out);
}

/* ---- Reading ---------------------------------------------------------------------------------------------------------- */

static bool parse_digit(const char **at, int limit, int *value)
{
	if (**at < '0' || **at >= '0' + limit)
		return false;
	*value = *(*at)++ - '0';
	return true;
}

static bool parse_mark(const char **at, char mark)
{
	if (**at != mark)
		return false;
	(*at)++;
	return true;
}

/* One of the letters: its place among them. */
static bool parse_letter(const char **at, const char *letters, int *place)
{
	const char *found = **at != '\0' ? strchr(letters, **at) : NULL;

	if (found == NULL)
		return false;
	*place = (int)(found - letters);
	(*at)++;
	return true;
}

static void parse_prefixes(struct step *step, const char **at)
{
	int place;

	for (;;) {
		if (parse_letter(at, form_letters, &place))
			step->form = (enum form)(place + 1);
		else if (parse_letter(at, TOKEN_LETTERS, &place))
			step->token = (enum token)(place + 1);
		else if (parse_mark(at, 'p'))
			step->flags |= DUCT_PRIORITY;
		else if (parse_mark(at, 'w'))
			step->flags |= DUCT_READY;
		else
			return;
	}
}

/* That verb stands there. */
static bool parse_this_verb(struct step *step, const char **at, enum verb verb)
{
	size_t length = strlen(letters_of(verb));
	const char *after = *at + length;
	int place;

	if (strncmp(*at, letters_of(verb), length) != 0)
		return false;
	if (verb_of_token(verb)) {
		if (!parse_letter(&after, raised_letters, &place))
			return false;
		step->token = (enum token)(place + 1);
	}
	step->verb = verb;
	*at = after;
	return true;
}

static bool parse_verb(struct step *step, const char **at)
{
	for (int i = 0; i < VERBS; i++)
		if (parse_this_verb(step, at, (enum verb)i))
			return true;
	return false;
}

static bool parse_cases(struct step *step, const char **at)
{
	while (!parse_mark(at, ']')) {
		struct step only = { .verb = SEND };

		if (step->case_count == MAX_CASES)
			return false;
		if (!parse_this_verb(&only, at, SEND) && !parse_this_verb(&only, at, RECV))
			return false;
		if (!parse_operand(&only, at))
			return false;
		step->cases[step->case_count++] = case_of_step(&only);
	}
	return step->case_count > 0;
}

static bool parse_batch(struct step *step, const char **at)
{
	if (step->verb != SEND_MANY && step->verb != RECV_MANY)
		return true;
	if (!parse_mark(at, '*'))
		return false;
	if (step->verb == RECV_MANY && (!parse_digit(at, MAX_BATCH + 1, &step->min) || !parse_mark(at, '-')))
		return false;
	return parse_digit(at, MAX_BATCH + 1, &step->max) && step->max > 0 && step->min <= step->max;
}

static bool parse_step(struct step *step, const char **at)
{
	memset(step, 0, sizeof *step);
	parse_prefixes(step, at);
	if (!parse_verb(step, at))
		return false;
	if (step->form == TRY && step->verb != SEND && step->verb != RECV && step->verb != SELECT)
		return false;
	if (verb_of_token(step->verb))
		return true;
	if (step->verb == SELECT)
		return parse_cases(step, at);
	return parse_operand(step, at) && parse_batch(step, at);
}

static bool parse_threads(struct program *program, const char **at)
{
	program->thread_count = 1;
	while (**at != '\0') {
		int thread = program->thread_count - 1;

		if (parse_mark(at, ' '))
			continue;
		if (parse_mark(at, '|')) {
			if (program->thread_count++ == MAX_THREADS)
				return false;
			continue;
		}
		if (program->step_count[thread] == MAX_STEPS ||
		    !parse_step(&program->steps[thread][program->step_count[thread]++], at))
			return false;
	}
	return true;
}

/* What there is is right, though it may be too much. */
static bool parse_program(struct program *program, const char *text)
{
	memset(program, 0, sizeof *program);
	return parse_header(program, &text) && parse_threads(program, &text);
}

#endif
