/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Events: a queue of one message without bytes, so that setting twice is receiving once.  And the receiver that never has
 * anything: a queue that nobody puts into.
 */
#include "source.h"

#include "clock.h"

static const struct source_kind event_kind = { .name = "event" };
static const struct source_kind never_kind = { .name = "never" };

static duct_status plain_source_new(duct_receiver **receiver, const struct source_plan *plan)
{
	struct source *made;

	if (receiver == NULL)
		return DUCT_INVALID;
	if ((made = source_new(plan)) == NULL)
		return DUCT_NOMEM;
	*receiver = source_receiver(made);
	return DUCT_OK;
}

duct_status duct_event_new(duct_receiver **event, const char *name)
{
	return plain_source_new(
	    event, &(struct source_plan){ .kind = &event_kind, .name = name, .size = sizeof(struct source), .capacity = 1 });
}

duct_status duct_event_set(duct_receiver *event)
{
	struct source *source = source_of_kind(event, &event_kind);
	duct_status status;

	if (source == NULL)
		return event == NULL ? DUCT_INVALID : DUCT_UNSUPPORTED;
	status = source_put(source, NULL);
	return status == DUCT_FULL ? DUCT_OK : status;
}

bool duct_event_is_set(const duct_receiver *event)
{
	struct source *source = source_of_kind(event, &event_kind);

	return source != NULL && queue_backlog(&source->queue).len > 0;
}

duct_status duct_never_new(duct_receiver **never, size_t message_size)
{
	size_t ring_size;

	if (!ring_measure(message_size, 0, &ring_size))
		return DUCT_INVALID;
	return plain_source_new(never,
	    &(struct source_plan){ .kind = &never_kind, .size = sizeof(struct source), .hooks = { .size = message_size } });
}
