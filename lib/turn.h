/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Where a fair select starts to look.
 */
#ifndef DUCT_TURN_H
#define DUCT_TURN_H

#include <stdint.h>

/* A number without a pattern, different with every call. */
uint64_t turn_next(void);

#endif
