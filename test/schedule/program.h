/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Small programs over the public API: what they are, how they are written down (text.c), how one is run (program.c), drawn at
 * random (generate.c) and made smaller (shrink.c).  What is done with them stands in frame.h.
 */
#ifndef TEST_SCHEDULE_PROGRAM_H
#define TEST_SCHEDULE_PROGRAM_H

#include "frame.h"
#include "oracle.h"

#define MAX_THREADS 4

enum verb {
	SEND,
	RECV,
	SELECT,
	SEND_MANY,
	RECV_MANY,
	WAIT_SEND,
	WAIT_RECV,
	CLOSE_CHANNEL,
	DISCARD_CHANNEL,
	CLOSE_SENDER,
	CLOSE_RECEIVER,
	FREE_SENDER,
	FREE_RECEIVER,
	RAISE_TOKEN,
	FREE_TOKEN,
	LOOK_LENGTH,
	LOOK_REASON,
	LOOK_CLOSED,
	LOOK_WAITING,
	CLONE_CHANNEL,
	BORROW_CHANNEL,
	FREE_CHANNEL,
	NEW_SENDER,
	NEW_RECEIVER,
	CLONE_SENDER,
	CLONE_RECEIVER,
	VERBS
};

/* Tokens; TIMED has a deadline and ROOT for a parent; DEEP has so many ancestors, ROOT first, that a wait needs memory. */
enum token { NO_TOKEN, ROOT, TIMED, DEEP, TOKENS };

#define TOKEN_LETTERS "cCD" /* of those that a call is given */

struct step_case {
	uint8_t channel;
	bool is_send, own;
};

struct step {
	enum verb verb;
	enum form form;
	enum token token;
	unsigned flags; /* of a select */
	int channel;
	bool own;     /* through the thread's own end, not the shared one */
	int min, max; /* of a batch */
	int case_count;
	struct step_case cases[MAX_CASES];
};

struct program {
	bool fails; /* one call may fail for want of resources */
	int capacity[CHANNELS], prefilled[CHANNELS];
	bool unreceived[CHANNELS]; /* without the shared receiver */
	bool once[CHANNELS];       /* a one-shot: of capacity 1, received, and empty at the start */
	bool big;                  /* channel 1: messages over 1 KiB */
	int thread_count, step_count[MAX_THREADS];
	struct step steps[MAX_THREADS][MAX_STEPS];
};

/*
 * A program as text: the capacities, how much each channel holds at the start, and the threads' steps between bars.
 *
 *     s0 r0             send to, receive from channel 0
 *     [s0r1]            select; p[..] in order of priority; w[..] only tells what is ready
 *     m0*3 n0*1-3       send 3; receive at least 1 and at most 3
 *     as0 ar0           wait until a send, a receive would not wait
 *     x0 d0             close, discard
 *     l0 y0 i0 q0       look at the length, the reason of the close, whether it is closed, who waits
 *     S0 R0 fS0 fR0     close, free the sender, the receiver
 *     +S0 +R0 *S0 *R0   make the thread's own end, through the channel's handle or as a clone of the shared end
 *     +x0 +b0 fx0       one more handle of the channel, from a handle or from the shared sender; give one back
 *     k K fk fK         raise, free the root token, the timed one
 *
 * Before a step: t tries, u has a deadline, v one that has passed, c, C and D give the root, the timed or the deep token.
 * After a channel: ' goes through the thread's own end.  After a capacity: ! leaves out the shared receiver, . makes a one-shot
 * (of capacity 1, empty at the start), ^ makes big messages (on channel 1 only).  At the start: ~ lets one call fail for want of
 * resources.
 *
 * Threads have their own ends from the start, unless they make them.  A step that needs an end or a handle that is not there
 * is left out.
 */

/* What kind of step that is. */
bool verb_of_token(enum verb verb); /* raises or frees one */
bool verb_makes_end(enum verb verb);

/* The most operations that the history of a step can have. */
int step_operations(const struct program *program, const struct step *step);

#endif
