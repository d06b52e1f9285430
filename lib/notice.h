/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Notice of changes of files: what is behind a file watcher, without its channel.
 *
 * It has no lock: one call at a time.  It knows no clock either: whoever calls says what time it is.  No function changes
 * errno, or is a point of cancellation.
 */
#ifndef DUCT_NOTICE_H
#define DUCT_NOTICE_H

#include "clock.h"

struct notice;

/*
 * Every change after this has returned is told.  The paths and the options are copied.
 *
 * DUCT_INVALID: a NULL, no path, a path that is empty or too long, or that is not there or may not be seen (unless options say
 * that it may be missing), options of an unknown size, unknown changes, a negative interval or settle_most.  DUCT_NOMEM: memory,
 * descriptors or the system's watches are short.
 */
duct_status notice_new(
    struct notice **notice, const char *const *paths, size_t count, const duct_watcher_options *options, duct_time now);

/* NULL does nothing. */
void notice_free(struct notice *notice);

/* To be waited on for reading; -1: there is none. */
int notice_descriptor(const struct notice *notice);

/* When there is something to do even if nothing can be read from it. */
duct_time notice_due(const struct notice *notice);

/* Does what there is to do: reads, looks, tells.  Waits for nothing but the file systems. */
void notice_pump(struct notice *notice, duct_time now);

/* The oldest event that is told and was not popped, valid until any other call; NULL: there is none. */
const duct_file_event *notice_first(struct notice *notice);
void notice_pop(struct notice *notice);

#endif
