/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Small programs over one broadcast channel: what they are, how they are written down (broadcast_text.c), how one is run
 * (broadcast_program.c), drawn at random (broadcast_generate.c) and made smaller (broadcast_shrink.c).  What is done with them
 * stands in frame.h.
 */
#ifndef TEST_SCHEDULE_BROADCAST_H
#define TEST_SCHEDULE_BROADCAST_H

#include "broadcast_oracle.h"
#include "frame.h"

#define MAX_THREADS (THREADS - 1)

enum verb {
	SEND,
	PUBLISH,
	SEND_MANY,
	RECV,
	RECV_MANY,
	SELECT,
	WAIT_SEND,
	WAIT_RECV,
	WAIT_COUNT,
	SUBSCRIBE,        /* through the channel */
	SENDER_SUBSCRIBE, /* through the shared sender */
	CLONE_RECEIVER,
	CLOSE_RECEIVER,
	FREE_RECEIVER,
	TO_PEEKABLE,
	SHOW_LAST, /* through the thread's peekable */
	SET_POLICY,
	SET_KEPT,
	CLOSE_CHANNEL,
	DISCARD_CHANNEL,
	SHUT_SENDER,
	FREE_SENDER,
	RAISE_TOKEN,
	SEE_STATS,
	SEE_LENGTH,
	SEE_STATE,
	SEE_LAG,
	SEE_RECEIVERS,
	SEE_CLOSED,
	SEE_REASON,
	VERBS
};

/* Tokens; TIMED has a deadline and ROOT for a parent. */
enum token { NO_TOKEN, ROOT, TIMED, TOKENS };

#define TOKEN_LETTERS "cC" /* of those that a call is given */

/* The thread's own receiver; others are 0 .. FIRST_RECEIVERS - 1. */
#define OWN FIRST_RECEIVERS

struct step_case {
	bool is_send, own; /* own: of a sender */
	int receiver;
};

struct step {
	enum verb verb;
	enum form form;
	enum token token;
	unsigned flags;                   /* of a select */
	bool own;                         /* through the thread's own sender, not the shared one */
	int receiver;                     /* its number, or OWN */
	int number;                       /* of receivers to wait for, of messages to keep */
	int min, max;                     /* of a batch */
	struct subscription subscription; /* of a new receiver; its overflow also of SET_POLICY */
	int case_count;
	struct step_case cases[MAX_CASES];
};

enum hooks { NO_HOOKS, ONLY_DROPS, COPIES };

struct program {
	bool fails; /* one call may fail for want of resources */
	bool pair;  /* opened as a pair, with no handle of the channel */
	enum hooks hooks;
	int replay;
	duct_unheard unheard;
	int receiver_count;
	struct subscription receivers[FIRST_RECEIVERS];
	int prefilled; /* so many sends are tried at the start */
	int thread_count, step_count[MAX_THREADS];
	struct step steps[MAX_THREADS][MAX_STEPS];
};

/*
 * A program as text: the channel, the receivers at the start, how many sends are tried before the threads start, and the
 * threads' steps between bars.  "1w 2o+,1b 1 s|r0 r1" is a channel with a replay of 1, where senders wait for a first receiver;
 * a receiver of capacity 2 that drops the oldest and tells lag, and one of capacity 1 that blocks; one message; two threads.
 *
 *     channel    the replay and what sends without receivers come to: o (fine) f (fail) w (wait); before it
 *                ~ lets one call fail for want of resources, ! opens a pair, h has a drop hook, c has a copy hook too
 *     receivers  capacity, overflow: o oldest, n newest, l latest only, b block, c cut off; + tells lag; - if there are none
 *
 *     s b m*3           send, publish with a receipt, send 3
 *     r0 n0*1-3         receive from receiver 0, at least 1 and at most 3
 *     [sr0r1]           select; p[..] in order of priority; w[..] only tells what is ready
 *     as ar0 aw2        wait until a send, a receive would not wait; until there are 2 receivers
 *     +1b *1b *0        make the thread's own receiver: through the channel, through a sender, as a clone of receiver 0
 *     R0 fR0 S fS       close, free the receiver, the sender
 *     P0 z              turn receiver 0 into the thread's peekable, show the last message there
 *     o0b y2            change what receiver 0 does when it is full, how many messages the channel keeps
 *     x d               close, discard
 *     l0 e0 j0 g0       look at the stats of receiver 0, the length of its queue, its state, its lag
 *     q i h             look at how many receivers there are, whether the channel is closed, for what reason
 *     k K               raise the root token, the timed one
 *
 * Before a step: t tries, u has a deadline, v one that has passed, c, C give the root, the timed token.  s', b' and so on go
 * through the thread's own sender, r' and so on to its own receiver.
 *
 * A step that needs an end that is not there is left out.
 */

/* The most operations that the history of a step can have. */
int step_operations(const struct step *step);

/* And those of the beginning and the end of a program. */
int program_operations(const struct program *program);

/* What kind of step that is. */
bool verb_waits(enum verb verb);
bool verb_of_token(enum verb verb);    /* raises or frees one */
bool verb_sends(enum verb verb);       /* through a sender that can be the thread's own */
bool verb_of_receiver(enum verb verb); /* of one that it names */
bool verb_joins(enum verb verb);

#endif
