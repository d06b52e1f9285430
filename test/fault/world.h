/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A small world for one call: a channel in one of its states, a token in one of its own, threads asleep on them, and everything
 * that the call may be given or write.
 *
 * A world is made anew for each call, so that each begins from the same.  Its messages are numbered: 0, 1, 2... are queued,
 * SLEEPER_VALUE is that of a thread that sleeps in a send, OUT_VALUE and on are those of the call.  They are so large that a
 * discard needs memory.
 */
#ifndef TEST_FAULT_WORLD_H
#define TEST_FAULT_WORLD_H

#include "arena.h"
#include "faults.h"
#include "harness.h"

#define BIG 2000
#define BATCH 6
#define MOST_CASES 40 /* more than need no memory */
#define OUT_VALUE 1000
#define SLEEPER_VALUE 500
#define SERVING_VALUE 777 /* sent to a thread asleep, to see that it still is */
#define UNTOUCHED (-1)
#define NO_CHOICE 77

/* What there is of the handles. */
enum { CHANNEL = 1, TX = 2, RX = 4, ALL_HANDLES = CHANNEL | TX | RX };

#define NOBODY ACTIONS /* asleep */

struct state {
	const char *name;
	size_t capacity;
	int queued;
	unsigned handles;
	enum test_action sleeper;
	bool never_received, closed, tx_closed, rx_closed;
};

extern const struct state states[];
extern const size_t state_count;

enum token { NO_TOKEN, FRESH, DEEP, WAITED_ON, RAISED, PASSED, TOKENS };

extern const char *const token_names[TOKENS];

struct message {
	int number;
	char filling[BIG - sizeof(int)];
};

struct world {
	const struct state *state;
	struct arena arena;
	struct test_pair pair; /* the channel is borrowed if the state has no handle of it */
	bool gave_channel;     /* the call gave the handle back */
	duct_cancel *token;
	struct test_pair elsewhere; /* where the bystander sleeps, with the token */
	struct test_call sleeper, bystander;
	struct message sleeper_message;
	atomic_int dropped, blocked, resumed; /* what the hooks were told */

	/* For the call. */
	duct_channel *new_channel;
	duct_sender *new_tx;
	duct_receiver *new_rx;
	duct_cancel *new_token;
	struct message out[BATCH], in[BATCH];
	duct_case cases[MOST_CASES];
	size_t chosen, sent, received, discarded;
};

void world_init(struct world *world, const struct state *state, enum token token, bool with_allocator);

/* Gives all handles back and waits for all threads. */
void world_free(struct world *world);

/* What a call must not change, but for what a batch says that it moved. */
struct snapshot {
	size_t len, senders, receivers, waiting_senders, waiting_receivers;
	bool closed, tx_closed, rx_closed, raised;
	int reason, dropped;
};

struct snapshot world_snapshot(const struct world *world);

/* A call said that it moved so much, and did so: the snapshots differ by that. */
bool world_moved(const struct world *world, const struct snapshot *before, const struct snapshot *after);

/* The thread asleep had its turn: a sender when the queue has been drained to its message, the others with the first move. */
bool world_sleeper_was_served(const struct world *world);

/* Nothing but what a batch moved was written to what the call was given. */
bool world_parameters_are_kept(const struct world *world);

/* Takes out all messages, those of a thread asleep too, and serves one that sleeps in a receive: all are right, in order. */
void world_drain(struct world *world);

/* Messages that a batch of the call says to have moved. */
size_t world_sent(const struct world *world);
size_t world_received(const struct world *world);

#endif
