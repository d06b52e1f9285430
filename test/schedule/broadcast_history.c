/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A history of a broadcast as text, as history.c does it for anycast channels.
 */
#include "broadcast_oracle.h"
#include "explorer.h"
#include "history.h"

#include <limits.h>
#include <stdarg.h>
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

static bool is_call(const struct operation *operation)
{
	return operation->kind == MOVE || operation->kind == READY;
}

/* A later operation of the same call. */
static bool continues(const struct operation *operation)
{
	return operation->after >= 0;
}

/* Ends a call that is told of already. */
static bool is_silent(const struct operation *operation)
{
	return operation->kind == JOINED || operation->kind == LEFT_PEEKABLE;
}

static bool is_look(const struct operation *operation)
{
	return operation->kind >= LOOK_STATS;
}

/* ---- Columns ---------------------------------------------------------------------------------------------------------- */

static void add_part(struct text *text, const struct part *part, bool received)
{
	if (part->is_send)
		add(text, "send%s", part->end != 0 ? "'" : "");
	else
		add(text, "recv %d", part->end);
	if (part->is_send || received)
		add(text, " #%d", part->value);
}

static void add_parts(struct text *text, const struct operation *operation)
{
	add(text, "%s%s", operation->kind == READY ? "is ready " : "", operation->part_count > 1 ? "select " : "");
	for (int i = 0; i < operation->part_count; i++) {
		add(text, "%s", i > 0 ? ", " : "");
		add_part(text, &operation->parts[i], false);
	}
	add(text, "%s", operation->never_waits ? " now" : "");
}

static void add_join(struct text *text, const struct operation *operation)
{
	static const char overflows[] = "onlbc";
	const struct subscription *subscription = &operation->subscription;

	if (operation->origin == FROM_RECEIVER)
		add(text, "join %d as %d", operation->parts[0].end, operation->from);
	else
		add(text, "join %d: %d%c%s", operation->parts[0].end, subscription->capacity, overflows[subscription->overflow],
		    subscription->tell_lag ? "+" : "");
}

static void add_name(struct text *text, const struct operation *operation)
{
	static const char *const names[] = { "", "", "", "joined", "close receiver", "free receiver", "into peekable", "left",
		"peek", "overflow", "replay", "close", "close sender", "discard", "discarded", "raise tokens",
		"wait for receivers", "stats", "length", "state", "lag", "receivers", "is closed", "reason", "last look",
		"drops" };

	if (is_call(operation)) {
		add_parts(text, operation);
		return;
	}
	if (operation->kind == JOIN) {
		add_join(text, operation);
		return;
	}
	add(text, "%s", names[operation->kind]);
	if ((operation->kind >= LEAVE && operation->kind <= SET_OVERFLOW) || operation->kind == CLOSE_SENDER ||
	    is_look(operation))
		add(text, " %d", operation->parts[0].end);
	if (operation->kind == SET_OVERFLOW)
		add(text, " %c", "onlbc"[operation->number]);
	if (operation->kind == SET_REPLAY || operation->kind == WAIT_RECEIVERS || operation->kind == CLOSE)
		add(text, " %d", operation->number);
	if (operation->kind == RAISE)
		add(text, " %#x", operation->tokens);
}

static void add_stats(struct text *text, const struct stats *stats)
{
	add(text, "sent %d = received %d + lost %d + queued %d + discarded %d", stats->sent, stats->received, stats->lost,
	    stats->queued, stats->discarded);
}

static void add_last(struct text *text, const struct last *last)
{
	add_stats(text, &last->stats);
	add(text, "%s%s, lag %d, then", last->state & STATE_CLOSED ? ", closed" : "",
	    last->state & STATE_CUT_OFF ? ", cut off" : "", last->lag);
	if (last->lagged)
		add(text, " lagged");
	for (int i = 0; i < last->count; i++)
		add(text, " #%d", last->values[i]);
	add(text, " %s", status_word(last->status));
}

static void add_result(struct text *text, const struct operation *operation)
{
	if (operation->kind == LOOK_STATS)
		add_stats(text, &operation->stats);
	else if (operation->kind == LOOK_LAST)
		add_last(text, &operation->last);
	else if (is_look(operation) || operation->kind == DISCARDED)
		add(text, "%d", operation->number);
	else if (operation->kind == PEEK && operation->status == DUCT_OK)
		add(text, "#%d", operation->parts[0].value);
	else if (is_call(operation) && operation->status != DUCT_OK)
		add(text, "%s%s", operation->part_count > 1 && operation->status > DUCT_CANCELED ? "a case: " : "",
		    status_word(operation->status));
	else if (is_call(operation))
		add_part(text, &operation->parts[operation->chosen], operation->kind == MOVE);
	else
		add(text, "%s", status_word(operation->status));
	if (is_call(operation) && operation->status == DUCT_OK)
		add(text, " ok");
	if (operation->has_receipt)
		add(text, ", delivered %d, lost %d", operation->delivered, operation->lost);
}

static void print_event(const struct operation *operation, const char *what)
{
	printf("    T%d %*s%s\n", operation->thread, operation->thread > 1 ? COLUMN * (operation->thread - 1) : 0, "", what);
}

static void print_call(const struct operation *operation)
{
	char line[240] = "";
	struct text text = { line, 0, sizeof line };

	if (operation->kind == DISCARDED || is_silent(operation))
		return;
	add(&text, "%s", continues(operation) ? "  and " : "");
	add_name(&text, operation);
	print_event(operation, line);
}

static void print_return(const struct operation *operation)
{
	char line[240] = "";
	struct text text = { line, 0, sizeof line };

	if (operation->kind == DISCARD || is_silent(operation) || operation->status == ERASED)
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

/* Of which thread a message is; 0: there at the start. */
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
	bool ended = operation->status == DUCT_OK || (operation->status >= DUCT_CLOSED && operation->status < DUCT_NOMEM);
	bool received = operation->status == DUCT_OK && operation->kind == MOVE && !part->is_send;

	if (operation->part_count > 1 && ended)
		add(text, "case %d ", operation->chosen);
	if (received)
		add(text, "#%d", author(part->value));
	else
		add(text, "%s", status_word(operation->status));
	if (operation->has_receipt)
		add(text, "=%d-%d", operation->delivered, operation->lost);
}

static void add_outcome(struct text *text, const struct operation *operation)
{
	if (operation->status == ERASED || operation->kind == DISCARD || is_silent(operation))
		return;
	add(text, "%s", text->length > 0 && text->start[text->length - 1] != '|' ? " " : "");
	if (is_call(operation))
		add_move(text, operation);
	else if (operation->kind == LOOK_STATS)
		add(text, "=%d+%d+%d+%d", operation->stats.received, operation->stats.lost, operation->stats.queued,
		    operation->stats.discarded);
	else if (is_look(operation) || operation->kind == DISCARDED)
		add(text, "=%d", operation->number);
	else if (operation->kind == PEEK && operation->status == DUCT_OK)
		add(text, "#%d", author(operation->parts[0].value));
	else
		add(text, "%s", operation->status == DUCT_OK ? "done" : status_word(operation->status));
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
