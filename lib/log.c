/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The log: its rate limit and its texts.
 */
#include "log.h"

#include "sync.h"

#include <stdio.h>

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

void log_tell(const struct log *log, duct_log_kind kind, uint64_t suppressed)
{
	char text[256];
	int cancellation = cancellation_hold();

	(void)snprintf(text, sizeof text, "channel %s: %s", log->channel,
	    kind == DUCT_LOG_BLOCKED ? "full, a sender waits until a message is received" : "the sender that waited goes on");
	log->hook(
	    &(duct_log_event){ .kind = kind, .channel = log->channel, .text = text, .suppressed = suppressed }, log->context);
	cancellation_resume(cancellation);
}
