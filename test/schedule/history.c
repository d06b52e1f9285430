/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A history as text.  Messages have their numbers in the columns, where they tell which is which; in an outcome the number of
 * the thread that sent them, since who sends first gets the lower number.
 */
#include "history.h"

#include "explorer.h"
#include "oracle.h"

#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

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

static const char *status_word(const struct operation *operation)
{
	switch (operation->status) {
	case PENDING:
		return "asleep";
	case ERASED:
		return "never was";
	case DUCT_OK:
		return "ok";
	case DUCT_CLOSED:
		return "closed";
	case DUCT_NO_RECEIVERS:
		return "no-receivers";
	case DUCT_FULL:
		return "full";
	case DUCT_EMPTY:
		return "empty";
	case DUCT_TIMEDOUT:
		return "timedout";
	case DUCT_CANCELED:
		return "canceled";
	case DUCT_NOMEM:
		return "nomem";
	default:
		return duct_strerror((duct_status)operation->status);
	}
}

static bool is_call(const struct operation *operation)
{
	return operation->kind == MOVE || operation->kind == READY;
}

/* A later operation of the same call: of a batch, of a discard. */
static bool continues(const struct operation *operation)
{
	return operation->after >= 0;
}

/* ---- Columns ---------------------------------------------------------------------------------------------------------- */

static void add_part(struct text *text, const struct part *part, bool received)
{
	add(text, "%s %d%s", part->is_send ? "send" : "recv", part->channel, part->slot != 0 ? "'" : "");
	if (part->is_send || received)
		add(text, " #%d", part->value);
}

static void add_parts(struct text *text, const struct operation *operation)
{
	for (int i = 0; i < operation->part_count; i++) {
		add(text, "%s", i > 0 ? ", " : "");
		add_part(text, &operation->parts[i], false);
	}
}

static void add_name(struct text *text, const struct operation *operation)
{
	static const char *const names[] = { "", "is ready", "close", "close", "open", "clone handle", "free handle", "settled",
		"raise", "length", "reason", "is closed", "discard", "drop", "discarded" };
	const struct part *part = &operation->parts[0];

	if (is_call(operation)) {
		add(text, "%s%s", names[operation->kind], operation->kind == READY ? " " : "");
		add(text, "%s", operation->part_count > 1 ? "select " : "");
		add_parts(text, operation);
		add(text, "%s", operation->never_waits ? " now" : "");
	} else if (operation->kind == RAISE) {
		add(text, "raise tokens %#x", operation->tokens);
	} else if (operation->kind == CLOSE_END || operation->kind == OPEN_END) {
		add(text, "%s %s %d%s", names[operation->kind], part->is_send ? "sender" : "receiver", part->channel,
		    part->slot != 0 ? "'" : "");
	} else {
		add(text, "%s %d", names[operation->kind], part->channel);
	}
}

static void add_result(struct text *text, const struct operation *operation)
{
	const struct part *part = &operation->parts[operation->chosen];

	if (operation->kind == DROP) {
		add(text, "drop #%d", part->value);
	} else if (operation->kind == LENGTH || operation->kind == REASON || operation->kind == IS_CLOSED) {
		add(text, "%d", part->value);
	} else if (is_call(operation) && operation->status == DUCT_OK) {
		add_part(text, part, operation->kind == MOVE);
		add(text, " ok");
	} else {
		add(text, "%s", status_word(operation));
	}
}

static void print_event(const struct operation *operation, const char *what)
{
	printf("    T%d %*s%s\n", operation->thread, operation->thread > 1 ? COLUMN * (operation->thread - 1) : 0, "", what);
}

static void print_call(const struct operation *operation)
{
	char line[160] = "";
	struct text text = { line, 0, sizeof line };

	if (operation->kind == SETTLED || operation->kind == DROP || operation->kind == DISCARDED)
		return;
	add(&text, "%s", continues(operation) ? "  and " : "");
	add_name(&text, operation);
	print_event(operation, line);
}

static void print_return(const struct operation *operation)
{
	char line[160] = "";
	struct text text = { line, 0, sizeof line };

	if (operation->kind == SETTLED || operation->kind == DISCARDED || operation->status == ERASED)
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

/* Of which thread a message is. */
static int author(int value)
{
	for (int i = 0; i < history_length; i++)
		for (int k = 0; k < history[i].part_count; k++)
			if (history[i].kind == MOVE && history[i].parts[k].is_send && history[i].parts[k].value == value)
				return history[i].thread;
	return 0;
}

static void add_move(struct text *text, const struct operation *operation)
{
	const struct part *part = &operation->parts[operation->status == PENDING ? 0 : operation->chosen];
	bool ended = operation->status == DUCT_OK || operation->status == DUCT_CLOSED || operation->status == DUCT_NO_RECEIVERS;
	bool received = operation->status == DUCT_OK && operation->kind == MOVE && !part->is_send;

	if (operation->part_count > 1 && ended)
		add(text, "%s%d%s", part->is_send ? "s" : "r", part->channel, operation->status != DUCT_OK ? ":" : "");
	if (received)
		add(text, "#%d", author(part->value));
	else if (operation->part_count == 1 || operation->status != DUCT_OK)
		add(text, "%s", status_word(operation));
}

static void add_outcome(struct text *text, const struct operation *operation)
{
	if (operation->status == ERASED || operation->kind == SETTLED || operation->kind == DISCARDED)
		return;
	add(text, "%s", text->length > 0 && text->start[text->length - 1] != '|' && operation->kind != DROP ? " " : "");
	switch (operation->kind) {
	case MOVE:
	case READY:
		add_move(text, operation);
		break;
	case DROP:
		add(text, "-%d", author(operation->parts[0].value));
		break;
	case LENGTH:
	case REASON:
	case IS_CLOSED:
		add(text, "=%d", operation->parts[0].value);
		break;
	default:
		add(text, "%s", operation->status == DUCT_OK ? "done" : status_word(operation));
	}
}

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
			if (history[i].thread == thread)
				add_outcome(&text, &history[i]);
	}
}
