/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A cancel token: what a wait sees of it and of those above it, and how long it stays.
 */
#include "cancel.h"
#include "clock.h"
#include "harness.h"

#define GENERATIONS 6

/* A token, its child, its grandchild and so on; the handles of all. */
struct family {
	duct_cancel *tokens[GENERATIONS];
};

static void family_new(struct family *family, const duct_time *deadlines)
{
	for (size_t i = 0; i < GENERATIONS; i++) {
		duct_cancel *parent = i > 0 ? family->tokens[i - 1] : NULL;
		duct_time deadline = deadlines != NULL ? deadlines[i] : DUCT_FOREVER;

		CHECK_STATUS(duct_cancel_new(&family->tokens[i], parent, deadline), DUCT_OK);
	}
}

static void family_free(struct family *family)
{
	for (size_t i = 0; i < GENERATIONS; i++)
		duct_cancel_free(family->tokens[i]);
}

/* The end of a token, by which its references are known. */
static struct end *end_of(duct_cancel *cancel)
{
	struct op ops[GENERATIONS];

	CHECK(cancel_depth(cancel) <= GENERATIONS);
	cancel_ops(cancel, ops);
	return ops[0].end;
}

/* A wait has one operation for each token from its own up. */
TEST(cancel_depth, counts_from_a_token_up, 5)
{
	struct family family;

	CHECK(cancel_depth(NULL) == 0);
	family_new(&family, NULL);
	for (uint32_t i = 0; i < GENERATIONS; i++)
		CHECK(cancel_depth(family.tokens[i]) == i + 1);
	family_free(&family);
}

/* The nearest deadline counts, wherever above it is; one below does not. */
TEST(cancel_deadline, is_the_nearest_from_a_token_up, 5)
{
	const duct_time far = duct_after_s(1000);
	const duct_time deadlines[GENERATIONS] = { DUCT_FOREVER, far + 5, far + 7, far + 2, DUCT_FOREVER, far };
	const duct_time nearest[GENERATIONS] = { DUCT_FOREVER, far + 5, far + 5, far + 2, far + 2, far };
	struct family family;

	CHECK(cancel_deadline(NULL) == DUCT_FOREVER);
	family_new(&family, deadlines);
	for (size_t i = 0; i < GENERATIONS; i++)
		CHECK(cancel_deadline(family.tokens[i]) == nearest[i]);
	family_free(&family);
}

/* The operations are receives without a message, one on each token, its own first. */
TEST(cancel_ops, are_receives_that_can_only_end, 5)
{
	struct op ops[GENERATIONS], parents[GENERATIONS];
	struct family family;

	family_new(&family, NULL);
	cancel_ops(NULL, ops);
	cancel_ops(family.tokens[GENERATIONS - 1], ops);
	for (size_t i = 0; i < GENERATIONS; i++) {
		CHECK(!ops[i].is_send && ops[i].message == NULL && ops[i].end->queue == ops[i].queue);
		CHECK(ops[i].end == end_of(family.tokens[GENERATIONS - 1 - i]));
		CHECK_STATUS(queue_attempt(&ops[i]), DUCT_EMPTY);
	}
	cancel_ops(family.tokens[GENERATIONS - 2], parents);
	for (size_t i = 0; i < GENERATIONS - 1; i++)
		CHECK(parents[i].end == ops[i + 1].end);
	family_free(&family);
}

/* Raising a token ends its own operation only; whoever waits below has one on it too. */
TEST(duct_cancel_raise, ends_the_operation_of_that_token, 5)
{
	struct op ops[GENERATIONS];
	struct family family;

	family_new(&family, NULL);
	duct_cancel_raise(family.tokens[2]);
	duct_cancel_raise(family.tokens[2]);
	cancel_ops(family.tokens[GENERATIONS - 1], ops);
	for (size_t i = 0; i < GENERATIONS; i++) {
		CHECK_STATUS(queue_attempt(&ops[GENERATIONS - 1 - i]), i == 2 ? DUCT_CLOSED : DUCT_EMPTY);
		CHECK(duct_cancel_raised(family.tokens[i]) == (i >= 2));
	}
	family_free(&family);
}

/* A deadline that has passed raises the token and all below it. */
TEST(duct_cancel_raised, by_a_deadline_from_there_down, 5)
{
	const duct_time deadlines[GENERATIONS] = { DUCT_FOREVER, duct_after_s(1000), duct_now(), DUCT_FOREVER, DUCT_FOREVER,
		DUCT_FOREVER };
	struct family family;

	family_new(&family, deadlines);
	for (size_t i = 0; i < GENERATIONS; i++)
		CHECK(duct_cancel_raised(family.tokens[i]) == (i >= 2));
	family_free(&family);
	CHECK(!duct_cancel_raised(NULL));
}

/* Handles and children each count once, and go as they came. */
TEST(duct_cancel_free, counts_handles_and_children, 5)
{
	duct_cancel *parent, *again, *children[2];

	CHECK_STATUS(duct_cancel_new(&parent, NULL, DUCT_FOREVER), DUCT_OK);
	CHECK(end_of(parent)->references == 1);
	CHECK_STATUS(duct_cancel_clone(parent, &again), DUCT_OK);
	CHECK(again == parent && end_of(parent)->references == 2);
	CHECK_STATUS(duct_cancel_new(&children[0], parent, DUCT_FOREVER), DUCT_OK);
	CHECK_STATUS(duct_cancel_new(&children[1], parent, DUCT_FOREVER), DUCT_OK);
	CHECK(end_of(parent)->references == 4);
	duct_cancel_free(children[0]);
	duct_cancel_free(again);
	CHECK(end_of(parent)->references == 2);
	duct_cancel_free(children[1]);
	CHECK(end_of(parent)->references == 1);
	duct_cancel_free(parent);
	duct_cancel_free(NULL);
}

/* A child keeps its parents when all their handles are gone: raised or not, their deadlines count. */
TEST(duct_cancel_free, a_child_outlives_the_handles_of_its_parents, 5)
{
	const duct_time far = duct_after_s(1000);
	const duct_time deadlines[GENERATIONS] = { far, DUCT_FOREVER, DUCT_FOREVER, DUCT_FOREVER, DUCT_FOREVER, DUCT_FOREVER };

	for (int raised = 0; raised < 2; raised++) {
		struct op ops[GENERATIONS];
		struct family family;
		duct_cancel *youngest;

		family_new(&family, deadlines);
		youngest = family.tokens[GENERATIONS - 1];
		if (raised)
			duct_cancel_raise(family.tokens[1]);
		for (size_t i = 0; i < GENERATIONS - 1; i++)
			duct_cancel_free(family.tokens[i]);
		CHECK(cancel_depth(youngest) == GENERATIONS && cancel_deadline(youngest) == far);
		CHECK(duct_cancel_raised(youngest) == raised);
		cancel_ops(youngest, ops);
		for (size_t i = 0; i < GENERATIONS; i++)
			CHECK(ops[i].end->references == 1);
		duct_cancel_free(youngest);
	}
}

/* A wait keeps a token, and by it its parents, after the last handle is gone. */
TEST(duct_cancel_free, a_pin_keeps_the_token_and_its_parents, 5)
{
	struct op ops[GENERATIONS];
	struct family family;

	family_new(&family, NULL);
	cancel_ops(family.tokens[GENERATIONS - 1], ops);
	end_pin(ops[0].end);
	duct_cancel_raise(family.tokens[0]);
	family_free(&family);
	for (size_t i = 0; i < GENERATIONS; i++)
		CHECK_STATUS(queue_attempt(&ops[i]), i == GENERATIONS - 1 ? DUCT_CLOSED : DUCT_EMPTY);
	end_unpin(ops[0].end);
}

/* A call pins its token, or none, with the same effect as a handle. */
TEST(cancel_pin, keeps_the_token, 5)
{
	duct_cancel *cancel;

	cancel_pin(NULL);
	cancel_unpin(NULL);
	CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
	cancel_pin(cancel);
	duct_cancel_free(cancel);
	CHECK(end_of(cancel)->references == 1 && !duct_cancel_raised(cancel));
	cancel_unpin(cancel);
}

/* What cannot be is refused, and writes nothing. */
TEST(duct_cancel_new, refuses_what_is_wrong, 5)
{
	duct_cancel *cancel = NULL;

	CHECK_STATUS(duct_cancel_new(NULL, NULL, DUCT_FOREVER), DUCT_INVALID);
	CHECK_STATUS(duct_cancel_new(&cancel, NULL, -1), DUCT_INVALID);
	CHECK_STATUS(duct_cancel_clone(NULL, &cancel), DUCT_INVALID);
	CHECK(cancel == NULL);
	CHECK_STATUS(duct_cancel_new(&cancel, NULL, 0), DUCT_OK);
	CHECK_STATUS(duct_cancel_clone(cancel, NULL), DUCT_INVALID);
	CHECK(duct_cancel_raised(cancel));
	duct_cancel_free(cancel);
}
