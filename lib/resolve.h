/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Receivers of sources in a wait: resolved into the queues behind them.
 *
 * A case of a select becomes a branch, and if its receiver is a source's, so do the source's parts, and theirs.  Each branch is
 * one operation on one queue, and knows the branch above.  A wait is for exactly one of these operations, as ever; what it took
 * then climbs from branch to branch, through the steps of the sources there, and arrives in the case, or is dropped on the way
 * and all begins anew:
 *
 *     select { merge, job }                 merge ---- (own queue)                         operation 0 (case 0)
 *                                             |--- filter ---- (own queue)                 operation 1, above: 0
 *                                             |       |--- receiver A                      operation 3, above: 1
 *                                             |--- receiver B                              operation 2, above: 0
 *                                           job                                            operation 4 (case 1)
 *
 * So a source needs no thread and no buffer: a message stays where it is until somebody who asked for it takes it, and exactly
 * one case is performed because exactly one operation is.
 *
 * A message is taken to where the caller wants it if there are no steps above; else to a buffer of ours, since it may be dropped
 * after all, and *message has to stay as it was.
 *
 * Who only wants to know whether something is ready (DUCT_READY) observes the queues, unless there is a selective step above:
 * then it takes, and what passes is held in the queue of the source of the case, where the next receive finds it.  One thread at
 * a time does that (source->puller), since that queue has room for one; the others observe that queue, and what else can be
 * observed, and look anew when the thread has gone.
 *
 * Cost: one operation for each branch, and the locks and pins of each source and each part to find out what there is.
 */
#ifndef DUCT_RESOLVE_H
#define DUCT_RESOLVE_H

#include "channel.h"
#include "source.h"
#include "wait.h"

/* What a call begins anew for.  None ends with it. */
#define AGAIN SOURCE_MOVED

/* What a channel or a source was given to treat the messages of a receiver with. */
static inline const struct hooks *end_hooks(const struct end *end)
{
	return end->source != NULL ? &end->source->hooks : &end->channel->hooks;
}

/*
 * Performs one of the cases that are live, some of which are of sources; what came of it is told as of one operation: a status
 * and *done, or rules->expired, DUCT_CANCELED, DUCT_NOMEM.  The caller has checked them and the token.
 */
duct_status resolve_select(const duct_case *cases, size_t count, const struct wait_rules *rules, size_t *done);

/* A receive from, or a wait for, one receiver, with all checks. */
duct_status resolve_receive(duct_receiver *receiver, void *message, const struct wait_rules *rules);

/* How many messages there are in all the queues of a receiver; 0 also if there is no memory to find out. */
size_t resolve_len(duct_receiver *receiver);

/* Whether some part of the receiver, or it itself, is that source: DUCT_OK or DUCT_NOMEM. */
duct_status resolve_reaches(duct_receiver *receiver, const struct source *source, bool *reaches);

/* Cases that ended are left out. */
static inline bool status_has_ended(duct_status status)
{
	return status == DUCT_CLOSED || status == DUCT_NO_RECEIVERS || status == DUCT_INVALIDATED;
}

static inline bool case_is_live(const duct_case *c)
{
	return (c->sender != NULL || c->receiver != NULL) && !status_has_ended(c->status);
}

/* Gives trays to the operations of a wait that need them, if any does; false if there is no memory. */
bool trays_begin(struct wait *wait, struct tray **trays);
void trays_finish(struct wait *wait, struct tray *trays);

#endif
