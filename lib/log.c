/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The log: its rate limit and its texts.
 */
#include "log.h"

#include "sync.h"

#include <stdio.h>
#include <string.h>

bool log_admit_locked(struct log *log, duct_time now, uint64_t *suppressed)
{
	if (now < log->next) {
		log->suppressed += 2; /* this one, and the one that goes with it */
		return false;
	}
	*suppressed = log->suppressed;
	log->suppressed = 0;
	log->next = now < DUCT_FOREVER - log->interval ? now + log->interval : DUCT_FOREVER;
	return true;
}

static void call_hook(const struct log *log, const duct_log_event *event)
{
	int cancellation = cancellation_hold();

	log->hook(event, log->context);
	cancellation_resume(cancellation);
}

void log_tell(const struct log *log, duct_log_kind kind, uint64_t suppressed)
{
	char text[256];

	(void)snprintf(text, sizeof text, "channel %s: %s", log->channel,
	    kind == DUCT_LOG_BLOCKED ? log->blocked : "the sender that waited goes on");
	call_hook(log, &(duct_log_event){ .kind = kind, .channel = log->channel, .text = text, .suppressed = suppressed });
}

void log_tell_of(const struct log *log, duct_log_kind kind, const char *receiver, uint64_t lost)
{
	char text[256];

	(void)snprintf(text, sizeof text, "channel %s: receiver %s %s, messages lost: %llu", log->channel, receiver,
	    kind == DUCT_LOG_CUT_OFF ? "was too slow and is cut off" : "is too slow", (unsigned long long)lost);
	call_hook(
	    log, &(duct_log_event){ .kind = kind, .channel = log->channel, .text = text, .receiver = receiver, .lost = lost });
}

/* ---- Names ----------------------------------------------------------------------------------------------------- */

void name_write(char *storage, size_t size, const char *name, const char *base, unsigned long number)
{
	if (name != NULL)
		memcpy(storage, name, size);
	else
		(void)snprintf(storage, size, "%s-%lu", base, number);
}
