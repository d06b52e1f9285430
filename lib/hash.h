/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Hashing of bytes: FNV-1a.
 */
#ifndef DUCT_HASH_H
#define DUCT_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_BEGIN UINT64_C(14695981039346656037)

/* Over what went into the hash before; the first time that is HASH_BEGIN. */
static inline uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(1099511628211);
	return hash;
}

/* For a table with a power of two of slots: the upper half counts in the lower one. */
static inline uint64_t hash_fold(uint64_t hash)
{
	return hash ^ hash >> 32;
}

#endif
