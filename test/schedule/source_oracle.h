/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * What an execution of a program of sources has to keep to; source_oracle.c says what that is.
 */
#ifndef TEST_SCHEDULE_SOURCE_ORACLE_H
#define TEST_SCHEDULE_SOURCE_ORACLE_H

#include "source_program.h"

#define THREADS (MAX_THREADS + 1) /* with the one that runs the body */

/* What a receive's buffer holds until it receives. */
#define UNTOUCHED UINT64_C(0x6363636363636363)

/* What is received from, for the order of messages. */
enum stream { FROM_TREE, FROM_DIRECT, FROM_ELSEWHERE, STREAMS };

/* A call, and what was so when it began. */
struct call {
	const struct step *step;
	duct_time deadline;
	bool token, must_cancel, tick_due, event_set;
	bool alone; /* no other thread did anything that can make a receiver less ready */
	int failures;
	long began, disturbances;
	long blocked_sends[THREADS]; /* when the plain sends began that were asleep; 0: none */
};

void oracle_begin(void);

/* The call of a step of the running thread begins, and ends: one step may have several. */
void oracle_call(struct call *call, const struct step *step);
void oracle_return(const struct call *call);

/* What the call receives into, all of it untouched: it may have done so before it returns. */
void oracle_batch(const uint64_t *words);

/* What a send, a receive came to, through that place; nothing: what the form says then. */
void oracle_check_send(const struct call *call, enum place place, duct_status status, duct_status nothing);
void oracle_check_recv(const struct call *call, enum place place, duct_status status, duct_status nothing);

/* The same of several: nothing was done in any of the places, as the status says. */
void oracle_check_nothing(const struct call *call, duct_status status, duct_status nothing);

/* A wait said that the place is ready, and then there was nothing. */
void oracle_check_ready(const struct call *call);

/* Messages: a new one, that is sent; what came of it; where it went. */
uint64_t oracle_send(enum place channel);
void oracle_sent(uint64_t message, bool sent);
void oracle_received(uint64_t message, enum stream from);
void oracle_dropped(uint64_t message);
uint64_t oracle_copied(uint64_t message, bool copied);

/* What the function of a node makes of a message: keeps it; with one mark more. */
bool oracle_keeps(int node, uint64_t message);
uint64_t oracle_marked(uint64_t message);

/* The step makes one more call. */
void oracle_goes_on(void);

/* Begin ahead of the call. */
void oracle_closing(enum place place);
void oracle_freeing(void);
void oracle_adding(enum place channel);
void oracle_added(enum place channel, bool added);
void oracle_removing(void);
void oracle_raised(void);
void oracle_advancing(int nanoseconds);
void oracle_advanced(int nanoseconds);
void oracle_resetting(void);
void oracle_reset(void);
void oracle_event_set(const struct call *call);
void oracle_event_received(void);

/* The tree may have ended; it must have. */
bool oracle_may_end(void);
bool oracle_must_end(void);

/* No thread can run; all have ended and everything was received. */
void oracle_at_rest(void);
void oracle_at_end(void);

/* For what is told of an execution. */
void oracle_note(const struct step *step, bool returned, const char *what, uint64_t message);

#endif
