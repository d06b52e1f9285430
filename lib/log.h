/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The log: tells the caller's hook that a sender has to wait on a full channel, and that it goes on; and what a receiver of a
 * broadcast has lost.
 */
#ifndef DUCT_LOG_H
#define DUCT_LOG_H

#include <duct.h>

struct queue;

/* [I] fixed when made; [p] under the put lock of the channel's queue. */
struct log {
	void (*hook)(const duct_log_event *event, void *context); /* [I] */
	void *context;                                            /* [I] */
	const char *channel;                                      /* [I] the name */
	const char *blocked;                                      /* [I] the text of DUCT_LOG_BLOCKED */
	struct queue *queue;                                      /* [I] whose put lock guards the rest */
	int64_t interval;                                         /* [I] nanoseconds */
	duct_time next;                                           /* [p] when the next event may be told */
	uint64_t suppressed;                                      /* [p] since the last one told */
};

/* May this event be told now?  *suppressed is what to tell with it.  With the put lock. */
bool log_admit_locked(struct log *log, duct_time now, uint64_t *suppressed);

/* Calls the hook.  With no lock. */
void log_tell(const struct log *log, duct_log_kind kind, uint64_t suppressed);

/* The same of a receiver: DUCT_LOG_LOST or DUCT_LOG_CUT_OFF. */
void log_tell_of(const struct log *log, duct_log_kind kind, const char *receiver, uint64_t lost);

/* A copy of a name, or one from a number, in memory of that size. */
void name_write(char *storage, size_t size, const char *name, const char *base, unsigned long number);

#endif
