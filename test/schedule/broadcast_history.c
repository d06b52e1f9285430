/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A history of a broadcast as text: what frame_history.h asks of it.
 */
#include "broadcast_oracle.h"
#include "frame_history.h"

/* Ends a call that is told of already. */
static bool is_silent(const struct operation *operation)
{
	return operation->kind == JOINED || operation->kind == LEFT_PEEKABLE;
}

static bool call_is_silent(const struct operation *operation)
{
	return is_silent(operation) || operation->kind == DISCARDED;
}

static bool return_is_silent(const struct operation *operation)
{
	return is_silent(operation) || operation->kind == DISCARD;
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
		add_call(text, operation);
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

/* ---- Outcomes --------------------------------------------------------------------------------------------------------- */

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
