/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The oracle of broadcasts: a history of operations on one broadcast channel, and whether the contract allows it.
 * broadcast_oracle.c makes the case.
 */
#ifndef TEST_SCHEDULE_BROADCAST_ORACLE_H
#define TEST_SCHEDULE_BROADCAST_ORACLE_H

#include <duct.h>

#include <stdbool.h>
#include <stdint.h>

#define THREADS 5         /* the one that runs the body among them */
#define FIRST_RECEIVERS 3 /* receivers that are there at the start */
#define RECEIVERS (FIRST_RECEIVERS + THREADS - 1)
#define SENDERS THREADS /* a shared one, and one of each thread 1 .. 4 */
#define MAX_CASES 3
#define MAX_CAPACITY 3
#define MAX_REPLAY 2
#define MAX_OPERATIONS 64

enum kind {
	MOVE,   /* a send, a receive or a select */
	READY,  /* says that a case could be performed */
	JOIN,   /* a receiver is made, as subscription says; from is what it is made from */
	JOINED, /* its end: by now it has what was kept for it */
	LEAVE,  /* a receiver is closed */
	LEAVE_FREED,
	INTO_PEEKABLE,
	LEFT_PEEKABLE, /* its end: by now the receiver has left */
	PEEK,          /* value: what it showed */
	SET_OVERFLOW,  /* number: the new one */
	SET_REPLAY,    /* number */
	CLOSE,         /* of the channel; number: the reason */
	CLOSE_SENDER,
	DISCARD, /* the start of a discard, and its end; number: how many were thrown away */
	DISCARDED,
	RAISE,          /* of cancel tokens */
	WAIT_RECEIVERS, /* until there are number */
	LOOK_STATS,     /* of a receiver: stats */
	LOOK_LENGTH,    /* of a receiver's queue: number */
	LOOK_STATE,     /* of a receiver: number: it is closed */
	LOOK_LAG,       /* of a receiver: number */
	LOOK_RECEIVERS, /* how many are open: number */
	LOOK_CLOSED,    /* the channel is closed: number */
	LOOK_REASON,    /* of the close: number */
	LOOK_LAST,      /* all that there is to see of a receiver when no thread is left: last */
	DROPS           /* the end of all: number: how often the drop hook ran */
};

enum { STATE_CLOSED = 1, STATE_CUT_OFF = 2 };

/* What a receiver is made from. */
enum origin { FROM_CHANNEL, FROM_SENDER, FROM_RECEIVER };

enum { PENDING = 100, ERASED }; /* an operation that has not returned; one that never was */

struct part {
	bool is_send;
	uint8_t end;   /* the number of the sender or receiver */
	uint8_t value; /* of the message */
};

struct subscription {
	uint8_t capacity, overflow;
	bool tell_lag;
};

struct stats {
	uint8_t sent, received, lost, queued, discarded;
};

/* What is seen of a receiver in the end: its state, whether it lagged and by how much, what it receives, and what then. */
struct last {
	struct stats stats;
	uint8_t state, lagged, lag, count, values[MAX_CAPACITY + 1];
	int status;
};

struct operation {
	enum kind kind;
	int part_count;
	struct part parts[MAX_CASES];
	int status;       /* a duct_status, PENDING or ERASED */
	int chosen;       /* the part that status is about */
	int after;        /* comes after that operation of the same call; -1: none */
	bool in_order;    /* of several parts that are possible, the first one is chosen */
	bool never_waits; /* a try, a call with a deadline in the past */
	bool may;         /* while pending, perhaps done already: part of a batch */
	uint8_t tokens;   /* the set of tokens any of which cancels it; for RAISE: raised */
	bool expired;     /* the deadline of its token passed before it returned */
	int thread;
	uint64_t slept; /* the operations whose threads slept when this one was called */
	long call, returned;
	const uint64_t *received; /* a pending receive's buffer: tells whether it received */

	int number; /* as said above */
	enum origin origin;
	uint8_t from; /* of JOIN: the sender or receiver */
	struct subscription subscription;
	struct stats stats;
	struct last last;
	bool has_receipt;
	uint8_t delivered, lost; /* the receipt */
};

/* What the channel is at the start: nothing in it, no receiver. */
struct beginning {
	duct_unheard unheard;
	int replay;
	bool pair;       /* closes when its last sender or its last receiver is gone */
	bool hooks;      /* with a drop hook, at least */
	bool counts;     /* with a drop hook only: every copy of the bytes counts */
	bool copies;     /* with a copy hook */
	int receivers;   /* how many places of receivers are used */
	uint8_t senders; /* the set of those that are open */
};

/* What a receive's buffer holds until it receives. */
#define UNTOUCHED UINT64_C(0x6363636363636363)

extern struct operation history[MAX_OPERATIONS];
extern int history_length;
extern long history_clock;

void oracle_begin(const struct beginning *beginning);

/* Records a call that begins now, with one part. */
struct operation *oracle_call(enum kind kind, struct part part);

/* It returns now. */
void oracle_return(struct operation *operation, int status, int chosen);

/* Some order of the operations explains the history.  At rest: nobody can run, so nothing pending may be possible. */
bool oracle_allows(bool at_rest);

/* Rules that can be left out, to tell what is wrong. */
struct rules {
	bool order;    /* first come, first served */
	bool receipts; /* receipts tell what became of the message */
	bool looks;    /* stats, lengths, states, lag */
};

extern struct rules oracle_rules;

/* Histories checked and states visited, since the program started. */
extern long oracle_checks, oracle_visits;

/* Histories that were let pass because their search took too long. */
extern long oracle_given_up;

#endif
