/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A cache over a receiver: the latest message of each key.  The cell with one value is a cache whose messages have all the same
 * key (latest.c).
 */
#ifndef DUCT_CACHE_H
#define DUCT_CACHE_H

#include "channel.h"

/* The channel of its receiver. */
duct_channel *cache_channel(const duct_cache *cache);

#endif
