/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A history as text.  Messages have their numbers in the columns, where they tell which is which; in an outcome the number of
 * the thread that sent them, since who sends first gets the lower number.
 *
 * For either kind of history: included after oracle.h or broadcast_oracle.h.
 */
#ifndef TEST_SCHEDULE_FRAME_HISTORY_H
#define TEST_SCHEDULE_FRAME_HISTORY_H

#include "explorer.h"
#include "history.h"

#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#define COLUMN 28 /* characters */

/* Text that is written into a buffer, as far as that goes. */
struct text {
	char *start;
	size_t length, size;
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *text, const char *format, ...)
{
	size_t room = text->size - text->length;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text->start + text->length, room, format, arguments);
	va_end(arguments);
	text->length += length < 0 ? 0 : (size_t)length < room ? (size_t)length : room - 1;
}

static const char *status_word(int status)
{
	static const char *const words[] = { "ok", "full", "empty", "timedout", "canceled", "closed", "no-receivers", "lagged",
		"invalidated", "nomem", "invalid", "unsupported" };

	return status == PENDING ? "asleep" : status == ERASED ? "never was" : words[status];
}

/*
 * What the kind of history has to say of an operation: of a case, of what is called, of what it comes
 * to, in the columns and as an outcome.
 */
static void add_part(struct text *text, const struct part *part, bool received);
static void add_name(struct text *text, const struct operation *operation);
static void add_result(struct text *text, const struct operation *operation);
static void add_outcome(struct text *text, const struct operation *operation);

/* Nothing is told of its call, of its return: that stands at another operation of the same call. */
static bool call_is_silent(const struct operation *operation);
static bool return_is_silent(const struct operation *operation);

static bool is_call(const struct operation *operation)
{
	return operation->kind == MOVE || operation->kind == READY;
}

/* A later operation of the same call: of a batch, of a discard. */
static bool continues(const struct operation *operation)
{
	return operation->after >= 0;
}

/* Of which thread a message is; 0: there at the start. */
static int author(int value)
{
	for (int i = 0; i < history_length; i++)
		for (int k = 0; k < history[i].part_count; k++)
			if (history[i].kind == MOVE && history[i].parts[k].is_send && history[i].parts[k].value == value)
				return history[i].thread;
	return 0;
}

/* ---- Columns ---------------------------------------------------------------------------------------------------------- */

/* One that may wait. */
static void add_call(struct text *text, const struct operation *operation)
{
	add(text, "%s%s", operation->kind == READY ? "is ready " : "", operation->part_count > 1 ? "select " : "");
	for (int i = 0; i < operation->part_count; i++) {
		add(text, "%s", i > 0 ? ", " : "");
		add_part(text, &operation->parts[i], false);
	}
	add(text, "%s", operation->never_waits ? " now" : "");
}

static void print_event(const struct operation *operation, const char *what)
{
	printf("    T%d %*s%s\n", operation->thread, operation->thread > 1 ? COLUMN * (operation->thread - 1) : 0, "", what);
}

static void print_call(const struct operation *operation)
{
	char line[240] = "";
	struct text text = { line, 0, sizeof line };

	if (call_is_silent(operation))
		return;
	add(&text, "%s", continues(operation) ? "  and " : "");
	add_name(&text, operation);
	print_event(operation, line);
}

static void print_return(const struct operation *operation)
{
	char line[240] = "";
	struct text text = { line, 0, sizeof line };

	if (return_is_silent(operation) || operation->status == ERASED)
		return;
	add(&text, "  -> ");
	add_result(&text, operation);
	print_event(operation, line);
}

void history_print(void)
{
	for (long now = 0; now <= history_clock; now++) {
		for (int i = 0; i < history_length; i++)
			if (history[i].call == now)
				print_call(&history[i]);
		for (int i = 0; i < history_length; i++)
			if (history[i].returned == now)
				print_return(&history[i]);
	}
	for (int i = 0; i < history_length; i++)
		if (history[i].returned == LONG_MAX)
			print_event(&history[i], explorer_asleep(history[i].thread) ? "  (asleep)" : "  (has not returned)");
}

/* ---- Outcomes --------------------------------------------------------------------------------------------------------- */

void history_outcome(char *result, size_t size)
{
	struct text text = { result, 0, size };
	int threads = 0;

	result[0] = '\0';
	for (int i = 0; i < history_length; i++)
		if (history[i].thread > threads)
			threads = history[i].thread;
	for (int thread = 1; thread <= threads; thread++) {
		add(&text, "%s", thread > 1 ? "|" : "");
		for (int i = 0; i < history_length; i++)
			if (history[i].thread == thread && !return_is_silent(&history[i]) && history[i].status != ERASED)
				add_outcome(&text, &history[i]);
	}
}

#endif
