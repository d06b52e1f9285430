/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A box: counted memory.  The public one shares payloads; the library keeps messages in boxes that several threads may be
 * copying from.
 */
#ifndef DUCT_BOX_H
#define DUCT_BOX_H

#include <duct.h>

/* As duct_box_new, from an allocator (NULL: malloc), which is copied; NULL if there is no memory. */
duct_box *box_new(const duct_allocator *allocator, size_t size, void (*destroy)(void *data, void *context), void *context);

/* Others refer to it too.  If not, and nobody can come to, it stays so. */
bool box_is_shared(const duct_box *box);

/* Moves what is in it out to memory of its size: it is empty then.  Others may still be reading it. */
void box_move_out(duct_box *box, void *to);

/* Gives back a box that nothing was put into: not to be destroyed. */
void box_free_empty(duct_box *box);

#endif
