/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A cancel token: a queue without messages that gets closed.
 *
 * A wait that is given a token waits on one more operation, a receive that can only end; raising the token closes its queue.
 * A child's waits also wait on its parent's queue, and so up: nothing has to know its children, and a deadline anywhere above
 * is simply the nearest one.
 */
#ifndef DUCT_CANCEL_H
#define DUCT_CANCEL_H

#include "queue.h"

/* How many tokens there are from this one up; 0 for NULL. */
uint32_t cancel_depth(const duct_cancel *cancel);

/* The nearest deadline from this token up; DUCT_FOREVER for NULL. */
duct_time cancel_deadline(const duct_cancel *cancel);

/* Fills ops with what to wait on: cancel_depth of them. */
void cancel_ops(duct_cancel *cancel, struct op *ops);

/* Keep the token (or NULL) while others may free its handles. */
void cancel_pin(duct_cancel *cancel);
void cancel_unpin(duct_cancel *cancel);

#endif
