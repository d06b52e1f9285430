/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A history of anycast channels as text: what frame_history.h asks of it.
 */
#include "oracle.h"
#include "frame_history.h"

/* What ends a call that was told of. */
static bool return_is_silent(const struct operation *operation)
{
	return operation->kind == SETTLED || operation->kind == DISCARDED;
}

static bool call_is_silent(const struct operation *operation)
{
	return return_is_silent(operation) || operation->kind == DROP;
}

/* ---- Columns ---------------------------------------------------------------------------------------------------------- */

static void add_part(struct text *text, const struct part *part, bool received)
{
	add(text, "%s %d%s", part->is_send ? "send" : "recv", part->channel, part->slot != 0 ? "'" : "");
	if (part->is_send || received)
		add(text, " #%d", part->value);
}

static void add_name(struct text *text, const struct operation *operation)
{
	static const char *const names[] = { "", "", "close", "close", "open", "clone handle", "free handle", "settled",
		"raise", "length", "reason", "is closed", "discard", "drop", "discarded" };
	const struct part *part = &operation->parts[0];

	if (is_call(operation)) {
		add_call(text, operation);
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
		add(text, "%s", status_word(operation->status));
	}
}

/* ---- Outcomes --------------------------------------------------------------------------------------------------------- */

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
		add(text, "%s", status_word(operation->status));
}

static void add_outcome(struct text *text, const struct operation *operation)
{
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
		add(text, "%s", operation->status == DUCT_OK ? "done" : status_word(operation->status));
	}
}
