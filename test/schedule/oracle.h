/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The oracle: a history of operations over both channels, and whether the contract allows it.  oracle.c makes the case.
 */
#ifndef TEST_SCHEDULE_ORACLE_H
#define TEST_SCHEDULE_ORACLE_H

#include <duct.h>

#include <stdbool.h>
#include <stdint.h>

#define CHANNELS 2
#define SLOTS 5 /* ends of one kind on one channel: a shared one, and one of each thread 1 .. 4 */
#define MAX_CASES 3
#define MAX_OPERATIONS 64
#define MAX_CAPACITY 7

/* An end as a bit of a set. */
#define END_BIT(is_send_, channel_, slot_) (UINT32_C(1) << ((((is_send_) ? CHANNELS : 0) + (channel_)) * SLOTS + (slot_)))
#define ENDS_OF(is_send_, channel_) (END_BIT(is_send_, channel_, 0) * ((1u << SLOTS) - 1))

enum kind {
	MOVE,  /* a send, a receive or a select */
	READY, /* says that a case could be performed */
	CLOSE, /* of the channel; value: the reason */
	CLOSE_END,
	OPEN_END, /* value: 1: a clone of the shared end */
	CLONE_HANDLE,
	FREE_HANDLE,
	SETTLED,   /* the end of a call that closed an end or freed a handle, and of its drops */
	RAISE,     /* of cancel tokens */
	LENGTH,    /* how many messages are queued: value */
	REASON,    /* of the close: value */
	IS_CLOSED, /* value */
	COUNT,     /* the start of a discard */
	DROP,      /* a message thrown away: value */
	DISCARDED  /* the end of a discard */
};

enum { PENDING = 100, ERASED }; /* an operation that has not returned; one that never was */

struct part {
	uint8_t channel;
	bool is_send;
	uint8_t slot;
	uint8_t value; /* of the message; for other kinds as said above */
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
};

/* What the channels, each with one handle, and their ends are at the start. */
struct beginning {
	uint8_t capacity[CHANNELS], queued[CHANNELS][MAX_CAPACITY + 1], length[CHANNELS];
	bool once[CHANNELS]; /* its first message closes it */
	uint32_t ends;       /* those that are open */
};

/* What a receive's buffer holds until it receives. */
#define UNTOUCHED UINT64_C(0x6363636363636363)

extern struct operation history[MAX_OPERATIONS];
extern int history_length;
extern long history_clock;

void oracle_begin(const struct beginning *beginning);

/* Records a call that begins now: kind MOVE and one part. */
struct operation *oracle_call(enum kind kind, struct part part);

/* It returns now. */
void oracle_return(struct operation *operation, int status, int chosen);

/* Some order of the operations explains the history.  At rest: nobody can run, so nothing pending may be possible. */
bool oracle_allows(bool at_rest);

/* First come, first served; false: that alone does not count, to tell what is wrong. */
extern bool oracle_keeps_order;

/* Histories checked and states visited, since the program started. */
extern long oracle_checks, oracle_visits;

#endif
