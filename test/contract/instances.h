/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Messages that are counted: each instance is made once, by the test or by the copy hook, and ends once, in a hand that
 * received it or in the drop hook.  Copies of one message have its number and an instance of their own.
 *
 *     DUCT_OPTIONS(.copy = instance_copy, .drop = instance_drop)
 */
#ifndef TEST_CONTRACT_INSTANCES_H
#define TEST_CONTRACT_INSTANCES_H

#include "harness.h"

enum { INSTANCES = 1 << 16 };

struct instance {
	int number, id;
};

static struct {
	atomic_int made, copied, ended, dropped;
	atomic_int fail_in; /* the so-manieth copy from now fails; 0: none */
	atomic_bool alive[INSTANCES];
} instances;

static inline struct instance instance_new(int number)
{
	struct instance made = { number, atomic_fetch_add(&instances.made, 1) };

	CHECK(made.id < INSTANCES);
	atomic_store(&instances.alive[made.id], true);
	return made;
}

static inline void instance_end(const struct instance *instance)
{
	CHECK(instance->id >= 0 && instance->id < INSTANCES);
	CHECK(atomic_exchange(&instances.alive[instance->id], false));
	atomic_fetch_add(&instances.ended, 1);
}

static inline int instance_copy(void *to, const void *from, void *context)
{
	struct instance original, copy;

	(void)context;
	if (atomic_load(&instances.fail_in) > 0 && atomic_fetch_sub(&instances.fail_in, 1) == 1)
		return 1;
	memcpy(&original, from, sizeof original);
	CHECK(atomic_load(&instances.alive[original.id]));
	copy = instance_new(original.number);
	memcpy(to, &copy, sizeof copy);
	atomic_fetch_add(&instances.copied, 1);
	return 0;
}

static inline void instance_drop(void *message, void *context)
{
	struct instance instance;

	(void)context;
	memcpy(&instance, message, sizeof instance);
	instance_end(&instance);
	atomic_fetch_add(&instances.dropped, 1);
}

/* What was made and has not ended. */
static inline int instances_alive(void)
{
	return atomic_load(&instances.made) - atomic_load(&instances.ended);
}

/* A send of a new instance; one that fails leaves it with its owner, and it ends there. */
static inline duct_status instance_send(duct_sender *tx, int number)
{
	struct instance made = instance_new(number);
	duct_status status = duct_try_send(tx, &made);

	if (status != DUCT_OK)
		instance_end(&made);
	return status;
}

/* The next messages have the numbers first to last. */
static inline bool instances_read(duct_receiver *rx, int first, int last)
{
	for (int n = first; n <= last; n++) {
		struct instance in = { -1, -1 };

		if (duct_try_recv(rx, &in) != DUCT_OK || in.number != n)
			return false;
		instance_end(&in);
	}
	return true;
}

#endif
