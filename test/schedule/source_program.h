/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Small programs over receivers that are made of receivers: what they are, how they are written down (source_text.c), how one is
 * run (source_run.c) and judged (source_oracle.c), drawn at random (source_generate.c) and made smaller (source_shrink.c).  What
 * is done with them stands in frame.h.
 */
#ifndef TEST_SCHEDULE_SOURCE_PROGRAM_H
#define TEST_SCHEDULE_SOURCE_PROGRAM_H

#include "frame.h"

#include <duct.h>

#define MAX_THREADS 4
#define MAX_CASES 3
#define MAX_NODES 7
#define CHANNELS 2
#define MAX_CAPACITY 2
#define ONCE (MAX_CAPACITY + 1) /* instead of a capacity: a one-shot channel */
#define INTERVAL 4              /* of the timer, by its clock */

enum verb {
	SEND,
	RECV,
	RECV_MANY,
	SELECT,
	WAIT_RECV, /* and then a try */
	CLOSE_CHANNEL,
	CLOSE_TREE,
	FREE_TREE,
	FREE_CLONE,
	ADVANCE,
	RESET,
	SET_EVENT,
	ADD,
	REMOVE,
	PUT_BACK,
	FREE_TOKEN,
	RAISE_TOKEN,
	VERBS,
	SEND_MANY /* is not in these programs */
};

enum token { NO_TOKEN, ROOT, TOKENS };

#define TOKEN_LETTERS "c" /* of the one that a call is given */

/* What a step goes through. */
enum place { CHANNEL_A, CHANNEL_B, TREE, DIRECT, EVENT, PLACES };

struct step_case {
	bool is_send;
	enum place place;
};

struct step {
	enum verb verb;
	enum form form;
	enum token token;
	unsigned flags; /* of a select */
	enum place place;
	int number;   /* of nanoseconds */
	int min, max; /* of a batch */
	int case_count;
	struct step_case cases[MAX_CASES];
};

/* What the receiver is made of, by the letters that programs are written in. */
enum kind {
	LEAF_A = 'a',
	LEAF_B = 'b',
	TIMER = 't',
	NEVER = 'n',
	MERGE = 'M',
	FILTER = 'F',
	MAP = 'P',
	FILTER_MAP = 'Q',
	TAKE_WHILE = 'W',
	DROP_WHILE = 'D',
	PREVIOUS = 'V'
};

/* A node; its children stand behind it, each ahead of its own. */
struct tree_node {
	enum kind kind;
	int children;
	bool is_borrowed; /* a leaf of a: the second receiver of the channel, borrowed by the step above it */
};

struct program {
	bool fails; /* one call may fail for want of resources */
	int capacity[CHANNELS], prefilled[CHANNELS];
	int node_count;
	struct tree_node nodes[MAX_NODES];
	int thread_count, step_count[MAX_THREADS];
	struct step steps[MAX_THREADS][MAX_STEPS];
};

/*
 * A program as text: the capacities of the channels a and b, how many messages each has at the start, the tree of the receiver
 * that all threads share, and the threads' steps between bars.  "1 0 1 0 M(FaPb) sb|rR" is a rendezvous channel b and a channel
 * a with one message, a merge of a filter of a and a map of b, and two threads.
 *
 * A capacity of o is a one-shot channel.
 *
 *     tree    a b    receivers of the channels      t   a timer, by a clock that is set by hand, that leaves out no tick
 *             n      one that never has anything    M(..) a merge of some, the first of which has a's or b's messages
 *             d      the second receiver of channel a, borrowed by one of these:
 *             F      a filter that keeps odd values P   a map that marks them
 *             Q      a filter-map, that marks those which are not one more than a multiple of 3
 *             W D    take while it is not a multiple of 4, drop while it is less than 3
 *             V      with-previous that keeps all
 *
 *     sa           send to channel a
 *     rR rd re     receive from the tree, from a second receiver of channel a, from an event
 *     nR*1-3       receive at least 1 and at most 3
 *     [sarRre]     select; p[..] in order of priority; w[..] only tells what is ready
 *     qR qd qe     wait until a receive would not wait, and then try
 *     xa           close channel a
 *     z fR f'      close the tree; free the handle of it that all share, the thread's own
 *     g3 o i       set the clock 3 ns forward, reset the timer, set the event
 *     +a - =       to and from the merge, if the tree is one: add a receiver of channel a; remove its first source and free it;
 *                  remove it, try to receive from it, add it again
 *     k y          raise the token, free the handle of it
 *
 * Before a step: t tries, u has a deadline, v one that has passed, c gives the token.  ~ ahead of all lets one call fail for
 * want of resources.
 *
 * A step that needs an end that is not there is left out.
 */

/* A step as text. */
void step_format(const struct step *step, char *text, size_t size);

/* What kind of step that is. */
bool verb_waits(enum verb verb);
bool verb_of_token(enum verb verb);
bool verb_has_place(enum verb verb);

/* It goes through that place. */
bool step_uses(const struct step *step, enum place place);

/* The node behind all those of a tree, which begins at that one; the node above one, -1 for the first. */
int tree_end(const struct program *program, int node);
int tree_parent(const struct program *program, int node);

/*
 * It is more than a leaf, has one timer at most, and each of its merges has the hooks of a channel, from its first source; what
 * is borrowed is so by a step.
 */
bool tree_is_right(const struct program *program);

#endif
