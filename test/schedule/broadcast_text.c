/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Programs of broadcasts as text; broadcast.h describes it.
 */
#include "broadcast.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What stands after the letters of a verb. */
enum operand { NOTHING, SENDER, RECEIVER, CASES, NUMBER, SUBSCRIPTION, SOURCE, POLICY };

static const struct {
	const char *letters;
	enum operand operand;
	bool waits;
} verbs[VERBS] = {
	[SEND] = { "s", SENDER, true },
	[PUBLISH] = { "b", SENDER, true },
	[SEND_MANY] = { "m", SENDER, true },
	[RECV] = { "r", RECEIVER, true },
	[RECV_MANY] = { "n", RECEIVER, true },
	[SELECT] = { "[", CASES, true },
	[WAIT_SEND] = { "as", SENDER, true },
	[WAIT_RECV] = { "ar", RECEIVER, true },
	[WAIT_COUNT] = { "aw", NUMBER, true },
	[SUBSCRIBE] = { "+", SUBSCRIPTION, false },
	[SENDER_SUBSCRIBE] = { "*", SUBSCRIPTION, false },
	[CLONE_RECEIVER] = { "*", SOURCE, false },
	[CLOSE_RECEIVER] = { "R", RECEIVER, false },
	[FREE_RECEIVER] = { "fR", RECEIVER, false },
	[TO_PEEKABLE] = { "P", RECEIVER, false },
	[SHOW_LAST] = { "z", NOTHING, false },
	[SET_POLICY] = { "o", POLICY, false },
	[SET_KEPT] = { "y", NUMBER, false },
	[CLOSE_CHANNEL] = { "x", NOTHING, false },
	[DISCARD_CHANNEL] = { "d", NOTHING, false },
	[SHUT_SENDER] = { "S", SENDER, false },
	[FREE_SENDER] = { "fS", SENDER, false },
	[RAISE_TOKEN] = { "k", NOTHING, false },
	[SEE_STATS] = { "l", RECEIVER, false },
	[SEE_LENGTH] = { "e", RECEIVER, false },
	[SEE_STATE] = { "j", RECEIVER, false },
	[SEE_LAG] = { "g", RECEIVER, false },
	[SEE_RECEIVERS] = { "q", NOTHING, false },
	[SEE_CLOSED] = { "i", NOTHING, false },
	[SEE_REASON] = { "h", NOTHING, false },
};

static const char overflows[] = "onlbc", hook_marks[] = " hc", unheards[] = "ofw";

bool verb_waits(enum verb verb)
{
	return verbs[verb].waits;
}

bool verb_sends(enum verb verb)
{
	return verbs[verb].operand == SENDER;
}

bool verb_of_receiver(enum verb verb)
{
	return verbs[verb].operand == RECEIVER || verbs[verb].operand == POLICY || verbs[verb].operand == SOURCE;
}

bool verb_joins(enum verb verb)
{
	return verb == SUBSCRIBE || verb == SENDER_SUBSCRIBE || verb == CLONE_RECEIVER;
}

/* ---- Writing ---------------------------------------------------------------------------------------------------------- */

static void format_receiver(FILE *out, int receiver)
{
	if (receiver == OWN)
		fputc('\'', out);
	else
		fprintf(out, "%d", receiver);
}

static void format_subscription(FILE *out, const struct subscription *subscription)
{
	fprintf(out, "%d%c%s", subscription->capacity, overflows[subscription->overflow], subscription->tell_lag ? "+" : "");
}

static void format_cases(FILE *out, const struct step *step)
{
	for (int i = 0; i < step->case_count; i++) {
		const struct step_case *c = &step->cases[i];

		fputc(c->is_send ? 's' : 'r', out);
		if (!c->is_send)
			format_receiver(out, c->receiver);
		else if (c->own)
			fputc('\'', out);
	}
	fputc(']', out);
}

static void format_operand(FILE *out, const struct step *step)
{
	switch (verbs[step->verb].operand) {
	case NOTHING:
		break;
	case SENDER:
		fprintf(out, "%s", step->own ? "'" : "");
		break;
	case RECEIVER:
	case SOURCE:
		format_receiver(out, step->receiver);
		break;
	case CASES:
		format_cases(out, step);
		break;
	case NUMBER:
		fprintf(out, "%d", step->number);
		break;
	case SUBSCRIPTION:
		format_subscription(out, &step->subscription);
		break;
	case POLICY:
		format_receiver(out, step->receiver);
		fputc(overflows[step->subscription.overflow], out);
		break;
	}
}

static void format_step(FILE *out, const struct step *step)
{
	static const char *const forms[] = { "", "t", "u", "v" }, *const given[] = { "", "c", "C" };

	if (step->verb == RAISE_TOKEN) {
		fputc(step->token == ROOT ? 'k' : 'K', out);
		return;
	}
	fprintf(out, "%s%s%s%s", forms[step->form], given[step->token], step->flags & DUCT_PRIORITY ? "p" : "",
	    step->flags & DUCT_READY ? "w" : "");
	fprintf(out, "%s", verbs[step->verb].letters);
	format_operand(out, step);
	if (step->verb == SEND_MANY)
		fprintf(out, "*%d", step->max);
	if (step->verb == RECV_MANY)
		fprintf(out, "*%d-%d", step->min, step->max);
}

static void format_header(FILE *out, const struct program *program)
{
	fprintf(out, "%s%s", program->fails ? "~" : "", program->pair ? "!" : "");
	if (program->hooks != NO_HOOKS)
		fputc(hook_marks[program->hooks], out);
	fprintf(out, "%d%c ", program->replay, unheards[program->unheard]);
	for (int i = 0; i < program->receiver_count; i++) {
		fprintf(out, "%s", i > 0 ? "," : "");
		format_subscription(out, &program->receivers[i]);
	}
	fprintf(out, "%s %d ", program->receiver_count == 0 ? "-" : "", program->prefilled);
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

static bool parse_receiver(const char **at, int *receiver)
{
	if (!parse_mark(at, '\''))
		return parse_digit(at, FIRST_RECEIVERS, receiver);
	*receiver = OWN;
	return true;
}

static bool parse_overflow(const char **at, struct subscription *subscription)
{
	int overflow;

	if (!parse_letter(at, overflows, &overflow))
		return false;
	subscription->overflow = (uint8_t)overflow;
	return true;
}

static bool parse_subscription(const char **at, struct subscription *subscription)
{
	int capacity;

	if (!parse_digit(at, MAX_CAPACITY + 1, &capacity) || capacity == 0 || !parse_overflow(at, subscription))
		return false;
	subscription->capacity = (uint8_t)capacity;
	subscription->tell_lag = parse_mark(at, '+');
	return subscription->overflow != DUCT_LATEST_ONLY || capacity == 1;
}

static void parse_prefixes(struct step *step, const char **at)
{
	for (;; (*at)++) {
		switch (**at) {
		case 't':
			step->form = TRY;
			break;
		case 'u':
			step->form = UNTIL;
			break;
		case 'v':
			step->form = PAST;
			break;
		case 'c':
			step->token = ROOT;
			break;
		case 'C':
			step->token = TIMED;
			break;
		case 'p':
			step->flags |= DUCT_PRIORITY;
			break;
		case 'w':
			step->flags |= DUCT_READY;
			break;
		default:
			return;
		}
	}
}

/* "*1b" is a subscription, "*1" a clone. */
static bool is_clone(const char *at)
{
	return at[0] == '*' && at[1] != '\0' && (at[2] == '\0' || at[2] == ' ' || at[2] == '|');
}

static bool parse_verb(struct step *step, const char **at)
{
	if (parse_mark(at, 'K')) {
		step->verb = RAISE_TOKEN;
		step->token = TIMED;
		return true;
	}
	for (int i = 0; i < VERBS; i++) {
		size_t length = strlen(verbs[i].letters);

		if (strncmp(*at, verbs[i].letters, length) != 0 || (i == SENDER_SUBSCRIBE && is_clone(*at)))
			continue;
		*at += length;
		step->verb = (enum verb)i;
		if (step->verb == RAISE_TOKEN)
			step->token = ROOT;
		return true;
	}
	return false;
}

static bool parse_cases(struct step *step, const char **at)
{
	while (!parse_mark(at, ']')) {
		struct step_case *made = &step->cases[step->case_count];

		if (step->case_count++ == MAX_CASES)
			return false;
		made->is_send = parse_mark(at, 's');
		if (made->is_send)
			made->own = parse_mark(at, '\'');
		else if (!parse_mark(at, 'r') || !parse_receiver(at, &made->receiver))
			return false;
	}
	return step->case_count > 0;
}

static bool parse_operand(struct step *step, const char **at)
{
	switch (verbs[step->verb].operand) {
	case SENDER:
		step->own = parse_mark(at, '\'');
		return true;
	case RECEIVER:
		return parse_receiver(at, &step->receiver);
	case SOURCE:
		return parse_digit(at, FIRST_RECEIVERS, &step->receiver);
	case CASES:
		return parse_cases(step, at);
	case NUMBER:
		return parse_digit(at, step->verb == SET_KEPT ? MAX_REPLAY + 1 : RECEIVERS + 1, &step->number);
	case SUBSCRIPTION:
		return parse_subscription(at, &step->subscription);
	case POLICY:
		return parse_receiver(at, &step->receiver) && parse_overflow(at, &step->subscription);
	default:
		return true;
	}
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
	return parse_operand(step, at) && parse_batch(step, at);
}

static bool parse_receivers(struct program *program, const char **at)
{
	if (parse_mark(at, '-'))
		return !program->pair;
	do
		if (program->receiver_count == FIRST_RECEIVERS ||
		    !parse_subscription(at, &program->receivers[program->receiver_count++]))
			return false;
	while (parse_mark(at, ','));
	return true;
}

static bool parse_header(struct program *program, const char **at)
{
	int unheard;

	program->fails = parse_mark(at, '~');
	program->pair = parse_mark(at, '!');
	program->hooks = parse_mark(at, hook_marks[COPIES])       ? COPIES
	                 : parse_mark(at, hook_marks[ONLY_DROPS]) ? ONLY_DROPS
	                                                          : NO_HOOKS;
	if (!parse_digit(at, MAX_REPLAY + 1, &program->replay) || !parse_letter(at, unheards, &unheard) || !parse_mark(at, ' '))
		return false;
	program->unheard = (duct_unheard)unheard;
	return parse_receivers(program, at) && parse_mark(at, ' ') && parse_digit(at, MAX_CAPACITY + 1, &program->prefilled) &&
	       parse_mark(at, ' ');
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

bool program_parse(struct program *program, const char *text)
{
	memset(program, 0, sizeof *program);
	return parse_header(program, &text) && parse_threads(program, &text) && program_operations(program) <= MAX_OPERATIONS;
}
