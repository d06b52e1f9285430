/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Reads histories written by hand, as handwritten.h says, by calling the oracle as a program would have.
 */
#include "handwritten.h"

#include "explorer.h"
#include "oracle.h"
#include "self.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 4

/* A thread's call under way. */
struct call {
	int first, count;
};

static const char *whole, *at;
static bool mirrored;
static struct call calls[THREADS + 1];
static uint64_t buffers[MAX_OPERATIONS];

/* ---- Reading ---------------------------------------------------------------------------------------------------------- */

static void refuse(void)
{
	printf("not a history: \"%s\", at \"%s\"\n", whole, at);
	exit(2);
}

static bool mark(char c)
{
	if (*at != c)
		return false;
	at++;
	return true;
}

static void expect(char c)
{
	if (!mark(c))
		refuse();
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int number(void)
{
	if (!is_digit(*at))
		refuse();
	return *at++ - '0';
}

static int channel(void)
{
	int digit = number();

	return mirrored ? CHANNELS - 1 - digit : digit;
}

static int thread(void)
{
	int digit = number();

	return mirrored && digit != 0 ? THREADS + 1 - digit : digit;
}

static int slot_of_own(int self)
{
	if (!mark('\''))
		return 0;
	return is_digit(*at) ? thread() : self;
}

/* A channel, an end and perhaps a value. */
static struct part part(bool is_send, int self)
{
	struct part read = { .is_send = is_send };

	read.channel = (uint8_t)channel();
	read.slot = (uint8_t)slot_of_own(self);
	if (mark(':'))
		read.value = (uint8_t)number();
	return read;
}

static void read_channel(struct beginning *beginning, int i)
{
	beginning->capacity[i] = (uint8_t)number();
	if (mark(':'))
		while (is_digit(*at))
			beginning->queued[i][beginning->length[i]++] = (uint8_t)number();
}

static void read_beginning(void)
{
	struct beginning beginning = { .ends = 0 };

	for (int i = 0; i < CHANNELS; i++)
		beginning.ends |= END_BIT(true, i, 0) | END_BIT(false, i, 0);
	for (int i = 0; i < CHANNELS; i++) {
		read_channel(&beginning, mirrored ? CHANNELS - 1 - i : i);
		expect(' ');
	}
	while (!mark('|')) {
		bool opens = mark('+');
		bool is_send;
		struct part end;
		uint32_t bit;

		if (!opens)
			expect('-');
		is_send = mark('s');
		if (!is_send)
			expect('r');
		end = part(is_send, 0);
		bit = END_BIT(end.is_send, end.channel, end.slot);
		beginning.ends = opens ? beginning.ends | bit : beginning.ends & ~bit;
		expect(' ');
	}
	oracle_begin(&beginning);
}

/* ---- Operations ------------------------------------------------------------------------------------------------------- */

static void read_select(int self, enum kind kind, bool in_order)
{
	struct operation *operation = oracle_call(kind, (struct part){ .channel = 0 });

	operation->in_order = in_order;
	operation->part_count = 0;
	do {
		bool is_send = mark('s');

		if (!is_send)
			expect('r');
		operation->parts[operation->part_count++] = part(is_send, self);
	} while (mark(','));
	expect(']');
}

/* The operations of a batch, each after the one before. */
static void read_batch(int self, bool is_send)
{
	struct part moved = part(is_send, self);
	int min = MAX_OPERATIONS, max = 0;

	if (!is_send) {
		expect('*');
		min = number();
		expect('-');
		max = number();
	}
	for (int i = 0; is_send ? i == 0 || is_digit(*at) : i < max; i++) {
		struct operation *operation;

		if (is_send && i > 0)
			moved.value = (uint8_t)number();
		operation = oracle_call(MOVE, moved);
		operation->may = true;
		operation->never_waits = i >= min;
		operation->received = is_send ? NULL : &buffers[history_length - 1];
	}
}

static void read_plain(char verb, int self)
{
	static const struct {
		char verb;
		enum kind kind;
	} verbs[] = { { 's', MOVE }, { 'r', MOVE }, { 'x', CLOSE }, { 'S', CLOSE_END }, { 'R', CLOSE_END }, { '.', SETTLED },
		{ 'l', LENGTH }, { 'y', REASON }, { 'i', IS_CLOSED }, { '#', COUNT }, { '-', DROP }, { '=', DISCARDED } };

	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		if (verbs[i].verb == verb) {
			oracle_call(verbs[i].kind, part(verb == 's' || verb == 'S', self));
			return;
		}
	refuse();
}

/* Makes a handle, or an end. */
static void read_made(bool clones, int self)
{
	bool is_send = mark('S');
	struct part made;

	if (mark('x')) {
		oracle_call(CLONE_HANDLE, part(false, self));
		return;
	}
	if (!is_send)
		expect('R');
	made = part(is_send, self);
	made.value = clones;
	oracle_call(OPEN_END, made);
}

static void read_operation(int self)
{
	bool never_waits = mark('t');
	uint8_t tokens = (uint8_t)((mark('c') ? 1 << 1 : 0) | (mark('d') ? 1 << 2 : 0));
	int first = history_length;
	char verb = *at++;

	if (verb == '[') {
		read_select(self, MOVE, false);
	} else if (verb == 'p' || verb == 'w') {
		expect('[');
		read_select(self, verb == 'w' ? READY : MOVE, verb == 'p');
	} else if (verb == 'a') {
		bool is_send = *at++ == 's';

		oracle_call(READY, part(is_send, self));
	} else if (verb == 'm' || verb == 'n') {
		read_batch(self, verb == 'm');
	} else if (verb == '+' || verb == '*') {
		read_made(verb == '*', self);
	} else if (verb == 'f') {
		expect('x');
		oracle_call(FREE_HANDLE, part(false, self));
	} else if (verb == 'k' || verb == 'K') {
		oracle_call(RAISE, (struct part){ .channel = 0 });
		tokens = verb == 'k' ? 1 << 1 : 1 << 2;
	} else {
		read_plain(verb, self);
	}
	for (int i = first; i < history_length; i++) {
		history[i].tokens = tokens;
		history[i].never_waits |= never_waits;
	}
}

/* ---- Calls and returns ------------------------------------------------------------------------------------------------ */

static void read_call(int self)
{
	struct call *call = &calls[self];
	long clock = history_clock + 1;

	call->first = history_length;
	do
		read_operation(self);
	while (mark(';'));
	call->count = history_length - call->first;
	history_clock = clock;
	for (int i = call->first; i < history_length; i++) {
		history[i].call = clock;
		history[i].slept = history[call->first].slept;
		history[i].after = i > call->first ? i - 1 : -1;
	}
}

static int status(void)
{
	static const struct {
		const char *word;
		int status;
	} words[] = { { "ok", DUCT_OK }, { "full", DUCT_FULL }, { "empty", DUCT_EMPTY }, { "timedout", DUCT_TIMEDOUT },
		{ "canceled", DUCT_CANCELED }, { "closed", DUCT_CLOSED }, { "noreceivers", DUCT_NO_RECEIVERS },
		{ "nomem", DUCT_NOMEM }, { "never", ERASED } };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strncmp(at, words[i].word, strlen(words[i].word)) == 0) {
			at += strlen(words[i].word);
			return words[i].status;
		}
	refuse();
	return 0;
}

/* How many values come, and what they are. */
static int read_values(uint8_t *values)
{
	int count = 0;

	if (mark(':'))
		while (is_digit(*at))
			values[count++] = (uint8_t)number();
	return count;
}

/* done of its operations succeeded, the next one failed if the batch did, the others never were. */
static void return_batch(const struct call *call, int with, const uint8_t *values, int done)
{
	for (int i = 0; i < call->count; i++) {
		struct operation *operation = &history[call->first + i];

		operation->received = NULL;
		if (i < done && !operation->parts[0].is_send)
			operation->parts[0].value = values[i];
		oracle_return(operation, i < done ? DUCT_OK : i == done && with != DUCT_OK ? with : ERASED, 0);
	}
}

static void read_return(int self, int with)
{
	const struct call *call = &calls[self];
	struct operation *first = &history[call->first];
	uint8_t values[MAX_OPERATIONS];
	int count = read_values(values);
	bool expired = mark('!');
	int chosen = mark('@') ? number() : 0;

	self_asleep[self] = false;
	if (first->may) {
		return_batch(call, with, values, count > 0 || with != DUCT_OK ? count : call->count);
	} else {
		for (int i = 0; i < call->count; i++)
			oracle_return(first + i, with, chosen);
		if (count > 0)
			first->parts[chosen].value = values[0];
	}
	history_clock = first->returned;
	for (int i = 0; i < call->count; i++) {
		first[i].returned = first->returned;
		first[i].expired = expired;
	}
}

static void show_in_buffer(int self)
{
	expect(':');
	for (int i = calls[self].first; i < history_length; i++)
		if (buffers[i] == UNTOUCHED) {
			buffers[i] = (uint64_t)number();
			return;
		}
}

static void read_event(void)
{
	int self = thread();

	self_thread = self;
	if (mark(')')) {
		read_return(self, status());
	} else if (mark('z')) {
		self_asleep[self] = true;
	} else if (mark('b')) {
		show_in_buffer(self);
	} else if (mark('(')) {
		read_call(self);
	} else {
		read_call(self);
		read_return(self, mark('=') ? status() : DUCT_OK);
	}
}

/*
 * What lies behind the history is left from others: operations that would be welcome in this one, were it to be looked at.
 * Sleepers whose buffer is not there; and, the other time, a receive of the first message.
 */
static void spoil_rest(void)
{
	struct operation tempting = { .kind = MOVE, .part_count = 3, .after = -1, .slept = UINT64_MAX };

	tempting.status = mirrored ? DUCT_OK : PENDING;
	tempting.chosen = mirrored;
	tempting.thread = 1;
	tempting.received = (const uint64_t *)(uintptr_t)8;
	tempting.parts[0] = (struct part){ .channel = mirrored, .is_send = true };
	tempting.parts[1] = (struct part){ .channel = mirrored, .value = 1 };
	for (int i = 0; i < MAX_OPERATIONS; i++) {
		history[i] = tempting;
		history[i].after = mirrored ? i - 1 : -1;
	}
}

void handwritten_read(const char *text, bool exchanged)
{
	whole = at = text;
	mirrored = exchanged;
	spoil_rest();
	self_scripted = true;
	memset(self_asleep, 0, EXPLORER_THREADS * sizeof self_asleep[0]);
	for (int i = 0; i < MAX_OPERATIONS; i++)
		buffers[i] = UNTOUCHED;
	read_beginning();
	while (*at != '\0') {
		expect(' ');
		read_event();
	}
	self_scripted = false;
}
