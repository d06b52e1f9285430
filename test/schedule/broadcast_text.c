/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Programs of broadcasts as text; broadcast.h describes it.
 */
#include "broadcast.h"
#include "frame_text.h"

/* What stands after the letters of a verb. */
enum operand { NOTHING, SENDER, RECEIVER, NUMBER, SUBSCRIPTION, SOURCE, POLICY };

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
	[SELECT] = { "[", NOTHING, true },
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
	[RAISE_TOKEN] = { "", NOTHING, false },
	[SEE_STATS] = { "l", RECEIVER, false },
	[SEE_LENGTH] = { "e", RECEIVER, false },
	[SEE_STATE] = { "j", RECEIVER, false },
	[SEE_LAG] = { "g", RECEIVER, false },
	[SEE_RECEIVERS] = { "q", NOTHING, false },
	[SEE_CLOSED] = { "i", NOTHING, false },
	[SEE_REASON] = { "h", NOTHING, false },
};

static const char *letters_of(enum verb verb)
{
	return verbs[verb].letters;
}

static const char overflows[] = "onlbc", hook_marks[] = " hc", unheards[] = "ofw";

bool verb_waits(enum verb verb)
{
	return verbs[verb].waits;
}

bool verb_of_token(enum verb verb)
{
	return verb == RAISE_TOKEN;
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

struct step step_of_case(const struct step *select, int i)
{
	struct step step = *select;

	step.verb = select->cases[i].is_send ? SEND : RECV;
	step.receiver = select->cases[i].receiver;
	step.own = select->cases[i].own;
	step.flags = 0;
	step.case_count = 0;
	return step;
}

static struct step_case case_of_step(const struct step *step)
{
	return (struct step_case){ .is_send = step->verb == SEND, .own = step->own, .receiver = step->receiver };
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

/* ---- Reading ---------------------------------------------------------------------------------------------------------- */

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

/* "*1b" is a subscription, "*1" a clone: that only one letter follows. */
static bool is_clone(const char *at)
{
	return at[0] != '\0' && (at[1] == '\0' || at[1] == ' ' || at[1] == '|');
}

static bool parse_source(struct step *step, const char **at)
{
	step->verb = CLONE_RECEIVER;
	return parse_digit(at, FIRST_RECEIVERS, &step->receiver);
}

static bool parse_operand(struct step *step, const char **at)
{
	switch (verbs[step->verb].operand) {
	case SENDER:
		step->own = parse_mark(at, '\'');
		return true;
	case RECEIVER:
		return parse_receiver(at, &step->receiver);
	case NUMBER:
		return parse_digit(at, step->verb == SET_KEPT ? MAX_REPLAY + 1 : RECEIVERS + 1, &step->number);
	case SUBSCRIPTION:
		if (step->verb == SENDER_SUBSCRIBE && is_clone(*at))
			return parse_source(step, at);
		return parse_subscription(at, &step->subscription);
	case POLICY:
		return parse_receiver(at, &step->receiver) && parse_overflow(at, &step->subscription);
	default:
		return true;
	}
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

bool program_parse(struct program *program, const char *text)
{
	return parse_program(program, text) && program_operations(program) <= MAX_OPERATIONS;
}
