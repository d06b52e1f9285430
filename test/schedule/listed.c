/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Programs that are run under all schedules up to a number of preemptions, and pairs whose outcomes are known.
 */
#include "listed.h"

#include <stddef.h>

/* Each found a bug once, or stands for a rule of its own. */
/* clang-format off */
const char *const listed_programs[] = {
	/* one channel, two threads */
	"0 0 0 0 s0|r0",
	"0 0 0 0 ts0|r0",
	"0 0 0 0 us0|ur0",
	"0 0 0 0 s0|x0",
	"0 0 0 0 r0|x0",
	"1 0 1 0 s0|r0",
	"1 0 1 0 us0|r0",
	"1 0 0 0 r0|s0",
	"1 0 0 0 ur0|s0 s0",
	"1 0 1 0 s0 s0|r0 r0",
	"1 0 1 0 x0|r0 tr0",
	"1 0 1 0 x0 r0|tr0",
	"1 0 1 0 us0|x0",
	"0 0 0 0 ur0|x0",
	"2 0 0 0 s0 x0|tr0 r0 tr0",
	/* tries tell the truth: one is full, or empty, at an instant */
	"2 0 1 0 s0|ts0 r0 tr0",
	"2 0 1 0 r0|tr0 ts0 ts0",
	"2 0 2 0 r0 s0 r0|tr0",
	"2 0 0 0 s0 r0 s0|ts0",
	"3 0 1 0 m0*2|ts0 r0 tr0",
	"3 0 2 0 n0*1-2|tr0 ts0 ts0",
	"1 1 0 0 s0 tr1|s1 tr0",
	"1 1 1 0 s1 r0|t[r0r1]",
	/* and so does the length: a message may be taken before its sender has moved on */
	"2 0 0 0 s0|tr0 l0",
	/* and when the end closes while somebody else takes what it looks for */
	"1 0 1 0 R0 r0'|tr0",
	"1 0 0 0 S0 s0'|ts0",
	"0 0 0 0 s0|R0 tr0'|tr0",
	"0 0 0 0 s0|x0|tr0",
	"0 0 0 0 r0|x0|ts0",
	"0 0 0 0 r0|R0|ts0",
	/* one-shots: never full, and ended in the step that takes the message */
	"1. 0 0 0 s0|ts0",
	"1. 0 0 0 s0|r0|r0",
	"1. 0 0 0 s0|tr0 tr0",
	"1. 0 0 0 s0|us0|r0",
	"1. 0 0 0 m0*2|n0*1-2",
	"1. 0 0 0 s0|ar0 tr0|ur0",
	"1. 0 0 0 s0|R0 +R0 r0'",
	"1. 0 0 0 s0|x0|r0",
	"1. 0 0 0 s0|d0 r0",
	"1. 1. 0 0 [s0s1]|[r1r0]",
	"1. 1. 0 0 s0|s1|[r0r1] [r0r1]",
	"1. 0 0 0 [s0r1]|t[s0s1]|r0",
	/* selects */
	"1 1 0 0 s1|t[r0r1] [r0r1]",
	"0 0 0 0 [s0r0]|[s0r0]",
	"0 0 0 0 [r0r1]|s1",
	"0 0 0 0 [s0s1]|[r1r0]",
	"0 0 0 0 [r0r0]|s0",
	"1 1 1 0 [s0r1]|r0 s1",
	"0 0 0 0 u[r0r1]|s0",
	"1 1 0 0 p[r0r1]|s0 s1",
	"0 0 0 0 [s0r1]|[s1r0]",
	"1 0 1 0 [s0r1]|x0",
	"0 1 0 0 [r0r1]|x1",
	/* discards and batches */
	"2 0 2 0 d0|s0",
	"2 0 2 0 d0|r0 s0",
	"2 0 2 0 s0|d0 ts0",
	"2 0 2 0 m0*2|n0*1-2",
	"2 0 0 0 m0*2|r0 r0",
	"1 0 0 0 n0*1-2|m0*2",
	"3 0 3 0 n0*1-2|s0 ts0",
	/* first come, first served */
	"0 0 0 0 s0|s0|r0",
	"1 0 0 0 r0|r0|s0",
	"1 0 1 0 s0|s0|r0",
	/* cancel tokens */
	"1 0 0 0 cr0|k",
	"1 1 0 0 c[r0r1]|k",
	"0 0 0 0 cs0|r0|k",
	/* a token stands behind the cases, and is none of them */
	"0 0 0 0 c[r0r1s1]|k",
	/* ends that close or go under a blocked call */
	"1 0 0 0 r0'|R0'",
	"0 0 0 0 r0|R0",
	"1 0 1 0 s0|S0",
	"0 0 0 0 s0|R0",
	"0 0 0 0 r0|fR0",
	"1 0 1 0 s0|fS0",
	"0 0 0 0 [r0s1]|fR0",
	/* a batch goes on after its handle was freed: it was served, and not closed */
	"1 0 1 0 m0*2|fS0|r0",
	"1 0 0 0 n0*2-2|fR0|s0",
	/* waits that take nothing */
	"1 0 0 0 ar0|s0",
	"1 0 0 0 ar0|ar0|s0",
	"0 0 0 0 ar0|s0|r0",
	"1 0 1 0 as0|r0",
	/* the reason is that of a close that has happened */
	"1 0 0 0 x0|y0 i0",
	"1 0 0 0 x0|y0 tr0",
	/* handles that come and go: closed by itself, no receivers, dropped when nobody can receive */
	"1 0 0 0 r0|fx0|fS0",
	"1 0 1 0 s0|fx0|fR0",
	"2 0 2 0 fx0|R0 ts0",
	"2 0 2 0 fx0 R0|R0",
	"2! 0 2 0 fx0|ts0",
	"1! 0 1 0 s0|fx0",
	"1! 0 1 0 s0|+R0 r0'",
	"1 0 1 0 s0|R0 +R0 r0'",
	"1 0 0 0 r0|*S0 s0'|S0",
	"1 0 0 0 +x0 fx0|fx0|fS0",
	"1 0 0 0 cr0|fk",
	"1 0 0 0 cn0*2-2|fk|s0 s0",
	"1 0 0 0 cr0|k|fk",
	"1 0 1 0 fx0 fS0|R0|fR0",
	"1 0 0 0 Cr0|fK|k",
	/* what fails for want of resources has no effect */
	"~1 0 0 0 r0|s0",
	"~0 0 0 0 s0|ur0",
	"~0 0 0 0 [r0s1]|s0 r1",
	"~1 0 0 0 ar0|s0",
	"~1 0 0 0 *R0 r0'|fR0",
	"~0 2^ 0 2 d1|tr1",
	"~0 2^ 0 2 fx1|fR1",
	"~0 0 0 0 Dr0|ts0",
	NULL
};

const char *const listed_smallest[] = {
	"2! 0 1 0 fx0|s0|+b0",
	"0 0 0 0 [s1s0]|r1|tr1 r0",
	"0 0 0 0 [r1r0]|s1|ts1 s0",
	"~0 0 0 0 r0|m0*1",
	"0 0 0 0 [s0s1]|ur0",
	"0 0 0 0 S0|s0",
	"0 0 0 0 s0 n1*1-1|r0",
	"0 0 0 0 Cr0|K",
	"0 0 0 0 r0|s0",
	"0 1^ 0 1 s0 [s1'r1]|r0",
	"0 0 0 0 ur0|s0",
	"0 0 0 0 r0 ur0|m0*2",
	"~0 0 0 0 s1|r1",
	"~0 0 0 0 v[r0r0]|d0|d0 u[s0's0]|r0",
	"0 0 0 0 r0|ur0",
	"0 0 0 0 r0|C[s0] [r1]|K",
	"0 0 0 0 Cr1|k|cs0",
	"0 0 0 0 s0|s0 cs1|r0 s0",
	"0 1 0 0 v[r1s1]|s1",
	"1 1 1 0 r0 ur1|p[s0's1] r0",
	"0 0 0 0 [r0s1]|[s1s0]",
	"0 0 0 0 pw[r1]|t[r1s1]",
	"1 0 1 0 s0 s0'|fS0 r0",
	"1 0 0 0 fx0|fR0|s0",
	"1 0 0 0 m0*1|r0",
	"1 0 1 0 d0|s0",
	"0 0 0 0 R0|S0 r0|s0",
	"1 0 0 0 fx0 s0|fS0|r0",
	"0 0 0 0 s0 [s0r0r0]|r0",
	"0 0 0 0 r0|m0*1",
	"1 0 0 0 r0|s0 s0",
	"1 0 1 0 r0 s0|r0",
	"1 0 1 0 d0|s0|s0",
	"1 0 1 0 x0 ts0",
	"0 0 0 0 x0|tr0",
	"1 0 1 0 tr0",
	"1 0 0 0 s0 r0|l0",
	"0 0 0 0 w[s1]|r1",
	"0 0 0 0 ar0|as0",
	"0 0 0 0 [r0r0] ar0|s0|as0",
	"0 0 0 0 ar0|r0 ts0|s0",
	"1 0 0 0 s0|s0 fR0",
	"0 0 0 0 x0|r0",
	"0 0 0 0 x0",
	"1 0 0 0 x0 s0",
	"0 0 0 0 x0|x0",
	"0 0 0 0 y0 i0|x0",
	"0 0 0 0 S0'|s0",
	"0 0 0 0 fR0|ar0'|r0",
	"0 0 0 0 R0|R0 ts0",
	"0 0 0 0 R0|r0",
	"0 0 0 0 R0 fR0|s0",
	"0 0 0 0 R0|s0",
	"1! 0 1 0 r0",
	"0 0 0 0 fR0|s0|+R0'",
	"0 0 0 0 R0'|x0 s0",
	"0 0 0 0 fx0",
	"0 0 0 0 x0 *S0'",
	"1 0 0 0 s0|fx0|fR0",
	"1 0 0 0 fx0 s0|fR0|*S0'",
	"1 0 0 0 m0*2|n0*1-2 r0|m0*2",
	"1 0 1 0 d0|s0|r1",
	"1 0 0 0 s0 s0|s0 r0|d0",
	"0 2^ 0 2 d1",
	"0 0 0 0 c[r1]|s1|fk",
	"0 0 0 0 fk|Cr0",
	"0 0 0 0 [s0]|fS0",
	"0 0 0 0 Cs1|fK",
	"0 0 0 0 r0|m0*2|fS0",
	"0! 0 0 0 fS0|S0|fx0",
	"0 0 0 0 Cr0|s0|r0",
	"0 0 0 0 fk|k",
	"1 0 1 0 Cr1 r0|cs1",
	"0 0 0 0 R0 k|Cr0",
	"0 0 0 0 fk|s0|r0 Cr0",
	"1! 0 1 0 fx0|+b0 +R0 tr0'",
	"0 0 0 0 as0|ar0|R0",
	"0 0 0 0 ar0|r1|p[s0s1] s0",
	"0 0 0 0 ar0|r0|as0",
	"1 0 0 0 *R0|R0 s0",
	"1 0 1 0 s0|x0|i0 r0",
	"1 0 0 0 ar0|s0|fR0",
	"0 0 0 0 ar0|r0|w[s0]",
	NULL
};

/*
 * One or more for each pair of send, receive, try, deadline, close, select, cancel, discard and free, each on a channel of
 * capacity 0, an empty one of capacity 1 and a full one.  Empty between bars: the thread's step was left out, for the other
 * thread had freed what it needs.
 */
const struct pair listed_pairs[] = {
	/* send, send: the one message that there is room for is that of either */
	{ "0 0 0 0 s0|s0", "asleep|asleep" },
	{ "1 0 0 0 s0|s0", "ok|asleep, asleep|ok" },
	{ "1 0 1 0 s0|s0", "asleep|asleep" },
	/* send, receive: always meet */
	{ "0 0 0 0 s0|r0", "ok|#1" },
	{ "1 0 0 0 s0|r0", "ok|#1" },
	{ "1 0 1 0 s0|r0", "ok|#0" },
	/* send, try to send: a try waits for nobody, and takes no room that a sleeper stands in line for */
	{ "0 0 0 0 s0|ts0", "asleep|full" },
	{ "1 0 0 0 s0|ts0", "ok|full, asleep|ok" },
	{ "1 0 1 0 s0|ts0", "asleep|full" },
	/* send, try to receive: gets what is there, or from a sender that sleeps */
	{ "0 0 0 0 s0|tr0", "ok|#1, asleep|empty" },
	{ "1 0 0 0 s0|tr0", "ok|#1, ok|empty" },
	{ "1 0 1 0 s0|tr0", "ok|#0" },
	/* send, receive with a deadline: the deadline may pass first, however early the send */
	{ "0 0 0 0 s0|ur0", "ok|#1, asleep|timedout" },
	{ "1 0 0 0 s0|ur0", "ok|#1, ok|timedout" },
	{ "1 0 1 0 s0|ur0", "ok|#0" },
	/* send, close: sent before the close, or not at all */
	{ "0 0 0 0 s0|x0", "closed|done" },
	{ "1 0 0 0 s0|x0", "ok|done, closed|done" },
	{ "1 0 1 0 s0|x0", "closed|done" },
	/* send, select of both sides: meets it, or stands in line with it */
	{ "0 0 0 0 s0|[s0r0]", "ok|r0#1" },
	{ "1 0 0 0 s0|[s0r0]", "ok|r0#1, asleep|s0" },
	{ "1 0 1 0 s0|[s0r0]", "ok|r0#0" },
	/* send, select: always meet */
	{ "0 0 0 0 s0|[r0r1]", "ok|r0#1" },
	{ "1 0 0 0 s0|[r0r1]", "ok|r0#1" },
	{ "1 0 1 0 s0|[r0r1]", "ok|r0#0" },
	/* send, cancel: a raised token ends it unless it is done */
	{ "0 0 0 0 cs0|k", "canceled|done" },
	{ "1 0 0 0 cs0|k", "ok|done, canceled|done" },
	{ "1 0 1 0 cs0|k", "canceled|done" },
	/* send, discard: what was sent before is discarded, what comes into the room that this makes is not */
	{ "0 0 0 0 s0|d0", "asleep|done" },
	{ "1 0 0 0 s0|d0", "ok|done-1, ok|done" },
	{ "1 0 1 0 s0|d0", "ok|done-0" },
	/* send, free of the last receiver: not without receivers, unless it was done before */
	{ "0 0 0 0 s0|fR0", "no-receivers|done" },
	{ "1 0 0 0 s0|fR0", "ok|done, no-receivers|done" },
	{ "1 0 1 0 s0|fR0", "no-receivers|done" },
	/* send, free of its sender: the end closes under it, or is gone before it comes */
	{ "0 0 0 0 s0|fS0", "closed|done, |done" },
	{ "1 0 0 0 s0|fS0", "ok|done, closed|done, |done" },
	{ "1 0 1 0 s0|fS0", "closed|done, |done" },
	/* receive, receive: the one message is either's */
	{ "0 0 0 0 r0|r0", "asleep|asleep" },
	{ "1 0 0 0 r0|r0", "asleep|asleep" },
	{ "1 0 1 0 r0|r0", "#0|asleep, asleep|#0" },
	/* receive, try to receive */
	{ "0 0 0 0 r0|tr0", "asleep|empty" },
	{ "1 0 0 0 r0|tr0", "asleep|empty" },
	{ "1 0 1 0 r0|tr0", "#0|empty, asleep|#0" },
	/* receive, try to send: to a receiver that sleeps, or into the room */
	{ "0 0 0 0 r0|ts0", "#2|ok, asleep|full" },
	{ "1 0 0 0 r0|ts0", "#2|ok" },
	{ "1 0 1 0 r0|ts0", "#0|ok, #0|full" },
	/* receive, send with a deadline */
	{ "0 0 0 0 r0|us0", "#2|ok, asleep|timedout" },
	{ "1 0 0 0 r0|us0", "#2|ok" },
	{ "1 0 1 0 r0|us0", "#0|ok, #0|timedout" },
	/* receive, close: what is queued can be received after it */
	{ "0 0 0 0 r0|x0", "closed|done" },
	{ "1 0 0 0 r0|x0", "closed|done" },
	{ "1 0 1 0 r0|x0", "#0|done" },
	/* receive, select: always meet */
	{ "0 0 0 0 r0|[s0s1]", "#2|s0" },
	{ "1 0 0 0 r0|[s0s1]", "#2|s0" },
	{ "1 0 1 0 r0|[s0s1]", "#0|s0" },
	/* receive, cancel */
	{ "0 0 0 0 cr0|k", "canceled|done" },
	{ "1 0 0 0 cr0|k", "canceled|done" },
	{ "1 0 1 0 cr0|k", "#0|done, canceled|done" },
	/* receive, discard: the one message is received or discarded */
	{ "0 0 0 0 r0|d0", "asleep|done" },
	{ "1 0 0 0 r0|d0", "asleep|done" },
	{ "1 0 1 0 r0|d0", "#0|done, asleep|done-0" },
	/* receive, free of the last sender: the channel has a handle and stays open */
	{ "0 0 0 0 r0|fS0", "asleep|done" },
	{ "1 0 0 0 r0|fS0", "asleep|done" },
	{ "1 0 1 0 r0|fS0", "#0|done" },
	/* receive, free of its receiver */
	{ "0 0 0 0 r0|fR0", "closed|done, |done" },
	{ "1 0 0 0 r0|fR0", "closed|done, |done" },
	{ "1 0 1 0 r0|fR0", "#0|done, closed|done, |done" },
	/* try, try: neither waits, so at capacity 0 they never meet */
	{ "0 0 0 0 ts0|tr0", "full|empty" },
	{ "1 0 0 0 ts0|tr0", "ok|#1, ok|empty" },
	{ "1 0 1 0 ts0|tr0", "full|#0, ok|#0" },
	/* try, try */
	{ "0 0 0 0 ts0|ts0", "full|full" },
	{ "1 0 0 0 ts0|ts0", "ok|full, full|ok" },
	{ "1 0 1 0 ts0|ts0", "full|full" },
	/* try to send, receive with a deadline */
	{ "0 0 0 0 ts0|ur0", "full|timedout, ok|#1" },
	{ "1 0 0 0 ts0|ur0", "ok|#1, ok|timedout" },
	{ "1 0 1 0 ts0|ur0", "full|#0, ok|#0" },
	/* try to receive, send with a deadline */
	{ "0 0 0 0 tr0|us0", "empty|timedout, #2|ok" },
	{ "1 0 0 0 tr0|us0", "empty|ok, #2|ok" },
	{ "1 0 1 0 tr0|us0", "#0|ok, #0|timedout" },
	/* try to send, close */
	{ "0 0 0 0 ts0|x0", "full|done, closed|done" },
	{ "1 0 0 0 ts0|x0", "ok|done, closed|done" },
	{ "1 0 1 0 ts0|x0", "full|done, closed|done" },
	/* try to receive, close */
	{ "0 0 0 0 tr0|x0", "empty|done, closed|done" },
	{ "1 0 0 0 tr0|x0", "empty|done, closed|done" },
	{ "1 0 1 0 tr0|x0", "#0|done" },
	/* try to send, select */
	{ "0 0 0 0 ts0|[r0r1]", "full|asleep, ok|r0#1" },
	{ "1 0 0 0 ts0|[r0r1]", "ok|r0#1" },
	{ "1 0 1 0 ts0|[r0r1]", "full|r0#0, ok|r0#0" },
	/* try to receive, select */
	{ "0 0 0 0 tr0|[s0r1]", "empty|asleep, #2|s0" },
	{ "1 0 0 0 tr0|[s0r1]", "empty|s0, #2|s0" },
	{ "1 0 1 0 tr0|[s0r1]", "#0|s0" },
	/* try a select of both sides, send */
	{ "0 0 0 0 t[s0r0]|s0", "empty|asleep, r0#2|ok" },
	{ "1 0 0 0 t[s0r0]|s0", "s0|asleep, r0#2|ok" },
	{ "1 0 1 0 t[s0r0]|s0", "r0#0|ok" },
	/* try a select of both sides, receive */
	{ "0 0 0 0 t[s0r0]|r0", "empty|asleep, s0|#1" },
	{ "1 0 0 0 t[s0r0]|r0", "s0|#1" },
	{ "1 0 1 0 t[s0r0]|r0", "r0#0|asleep, s0|#0" },
	/* try to send, receive, cancel: a message that the receive did not get stays */
	{ "0 0 0 0 ts0|cr0|k", "full|canceled|done, ok|#1|done" },
	{ "1 0 0 0 ts0|cr0|k", "ok|#1|done, ok|canceled|done" },
	{ "1 0 1 0 ts0|cr0|k", "full|#0|done, full|canceled|done, ok|#0|done" },
	/* try to receive, discard */
	{ "0 0 0 0 tr0|d0", "empty|done" },
	{ "1 0 0 0 tr0|d0", "empty|done" },
	{ "1 0 1 0 tr0|d0", "#0|done, empty|done-0" },
	/* try to send, discard */
	{ "0 0 0 0 ts0|d0", "full|done" },
	{ "1 0 0 0 ts0|d0", "ok|done-1, ok|done" },
	{ "1 0 1 0 ts0|d0", "full|done-0, ok|done-0" },
	/* try to send, free of the last receiver */
	{ "0 0 0 0 ts0|fR0", "full|done, no-receivers|done" },
	{ "1 0 0 0 ts0|fR0", "ok|done, no-receivers|done" },
	{ "1 0 1 0 ts0|fR0", "full|done, no-receivers|done" },
	/* try to receive, free of the last sender */
	{ "0 0 0 0 tr0|fS0", "empty|done" },
	{ "1 0 0 0 tr0|fS0", "empty|done" },
	{ "1 0 1 0 tr0|fS0", "#0|done" },
	/* deadline, deadline: both done or, with neither room nor message, neither */
	{ "0 0 0 0 us0|ur0", "ok|#1, timedout|timedout" },
	{ "1 0 0 0 us0|ur0", "ok|#1, ok|timedout" },
	{ "1 0 1 0 us0|ur0", "ok|#0, timedout|#0" },
	/* send with a deadline, close: a close that came first may lose to the deadline */
	{ "0 0 0 0 us0|x0", "closed|done, timedout|done" },
	{ "1 0 0 0 us0|x0", "ok|done, closed|done" },
	{ "1 0 1 0 us0|x0", "closed|done, timedout|done" },
	/* receive with a deadline, close */
	{ "0 0 0 0 ur0|x0", "closed|done, timedout|done" },
	{ "1 0 0 0 ur0|x0", "closed|done, timedout|done" },
	{ "1 0 1 0 ur0|x0", "#0|done" },
	/* send with a deadline, select */
	{ "0 0 0 0 us0|[r0s1]", "ok|r0#1, timedout|asleep" },
	{ "1 0 0 0 us0|[r0s1]", "ok|r0#1" },
	{ "1 0 1 0 us0|[r0s1]", "ok|r0#0, timedout|r0#0" },
	/* receive with a deadline and a token, cancel */
	{ "0 0 0 0 ucr0|k", "canceled|done, timedout|done" },
	{ "1 0 0 0 ucr0|k", "canceled|done, timedout|done" },
	{ "1 0 1 0 ucr0|k", "#0|done, canceled|done" },
	/* send with a deadline and a token, cancel */
	{ "0 0 0 0 ucs0|k", "canceled|done, timedout|done" },
	{ "1 0 0 0 ucs0|k", "ok|done, canceled|done" },
	{ "1 0 1 0 ucs0|k", "canceled|done, timedout|done" },
	/* send with a deadline, discard */
	{ "0 0 0 0 us0|d0", "timedout|done" },
	{ "1 0 0 0 us0|d0", "ok|done-1, ok|done" },
	{ "1 0 1 0 us0|d0", "ok|done-0, timedout|done-0" },
	/* receive with a deadline, discard */
	{ "0 0 0 0 ur0|d0", "timedout|done" },
	{ "1 0 0 0 ur0|d0", "timedout|done" },
	{ "1 0 1 0 ur0|d0", "#0|done, timedout|done-0" },
	/* send with a deadline, free of the last receiver */
	{ "0 0 0 0 us0|fR0", "no-receivers|done, timedout|done" },
	{ "1 0 0 0 us0|fR0", "ok|done, no-receivers|done" },
	{ "1 0 1 0 us0|fR0", "no-receivers|done, timedout|done" },
	/* receive with a deadline, free of the last sender */
	{ "0 0 0 0 ur0|fS0", "timedout|done" },
	{ "1 0 0 0 ur0|fS0", "timedout|done" },
	{ "1 0 1 0 ur0|fS0", "#0|done" },
	/* close, close: the reason is that of the first, for everybody */
	{ "0 0 0 0 x0 y0|x0 y0", "done =1|done =1, done =2|done =2" },
	{ "1 0 0 0 x0 y0|x0 y0", "done =1|done =1, done =2|done =2" },
	{ "1 0 1 0 x0 y0|x0 y0", "done =1|done =1, done =2|done =2" },
	/* close, select of both sides: ends by either, done if it was first or there is a message */
	{ "0 0 0 0 x0|[s0r0]", "done|s0:closed, done|r0:closed" },
	{ "1 0 0 0 x0|[s0r0]", "done|s0:closed, done|r0:closed, done|s0" },
	{ "1 0 1 0 x0|[s0r0]", "done|s0:closed, done|r0#0" },
	/* close, select */
	{ "0 0 0 0 x0|[r0s1]", "done|r0:closed" },
	{ "1 0 0 0 x0|[r0s1]", "done|r0:closed" },
	{ "1 0 1 0 x0|[r0s1]", "done|r0#0" },
	/* close, cancel: whichever comes first */
	{ "0 0 0 0 cr0|x0|k", "closed|done|done, canceled|done|done" },
	{ "1 0 0 0 cr0|x0|k", "closed|done|done, canceled|done|done" },
	{ "1 0 1 0 cr0|x0|k", "#0|done|done, canceled|done|done" },
	/* close, discard: what is queued is discarded all the same */
	{ "0 0 0 0 x0|d0", "done|done" },
	{ "1 0 0 0 x0|d0", "done|done" },
	{ "1 0 1 0 x0|d0", "done|done-0" },
	/* close, then receive, discard: the one message is received or discarded */
	{ "0 0 0 0 x0 r0|d0", "done closed|done" },
	{ "1 0 0 0 x0 r0|d0", "done closed|done" },
	{ "1 0 1 0 x0 r0|d0", "done #0|done, done closed|done-0" },
	/* close, close of the receiver: an end that closes does not close a channel that has a handle */
	{ "0 0 0 0 x0|R0 y0", "done|done =1, done|done =0" },
	{ "1 0 0 0 x0|R0 y0", "done|done =1, done|done =0" },
	{ "1 0 1 0 x0|R0 y0", "done|done =1, done|done =0" },
	/* select, select: a pair of matching cases meets, on either channel */
	{ "0 0 0 0 [s0r1]|[r0s1]", "s0|r0#1, r1#2|s1" },
	{ "1 0 0 0 [s0r1]|[r0s1]", "s0|r0#1, r1#2|s1" },
	{ "1 0 1 0 [s0r1]|[r0s1]", "s0|r0#0, r1#2|s1" },
	/* select, select of both sides of one channel: meet each other, never themselves */
	{ "0 0 0 0 [s0r0]|[s0r0]", "r0#2|s0, s0|r0#1" },
	{ "1 0 0 0 [s0r0]|[s0r0]", "s0|r0#1, r0#2|s0" },
	{ "1 0 1 0 [s0r0]|[s0r0]", "r0#0|s0, s0|r0#0" },
	/* select, cancel */
	{ "0 0 0 0 c[r0s1]|k", "canceled|done" },
	{ "1 0 0 0 c[r0s1]|k", "canceled|done" },
	{ "1 0 1 0 c[r0s1]|k", "r0#0|done, canceled|done" },
	/* select, discard */
	{ "0 0 0 0 [s0r1]|d0", "asleep|done" },
	{ "1 0 0 0 [s0r1]|d0", "s0|done-1, s0|done" },
	{ "1 0 1 0 [s0r1]|d0", "s0|done-0" },
	/* select, free of the last receiver */
	{ "0 0 0 0 [s0r1]|fR0", "s0:no-receivers|done" },
	{ "1 0 0 0 [s0r1]|fR0", "s0|done, s0:no-receivers|done" },
	{ "1 0 1 0 [s0r1]|fR0", "s0:no-receivers|done" },
	/* cancel, cancel: raised twice is raised */
	{ "0 0 0 0 cr0|k|k", "canceled|done|done" },
	{ "1 0 0 0 cr0|k|k", "canceled|done|done" },
	{ "1 0 1 0 cr0|k|k", "#0|done|done, canceled|done|done" },
	/* cancel, discard: room that the discard makes may come too late */
	{ "0 0 0 0 cs0|k|d0", "canceled|done|done" },
	{ "1 0 0 0 cs0|k|d0", "ok|done|done-1, ok|done|done, canceled|done|done" },
	{ "1 0 1 0 cs0|k|d0", "canceled|done|done-0, ok|done|done-0" },
	/* cancel, free: whichever comes first */
	{ "0 0 0 0 cs0|k|fR0", "canceled|done|done, no-receivers|done|done" },
	{ "1 0 0 0 cs0|k|fR0", "ok|done|done, no-receivers|done|done, canceled|done|done" },
	{ "1 0 1 0 cs0|k|fR0", "canceled|done|done, no-receivers|done|done" },
	/* discard, discard: each message once */
	{ "0 0 0 0 d0|d0", "done|done" },
	{ "1 0 0 0 d0|d0", "done|done" },
	{ "1 0 1 0 d0|d0", "done-0|done, done|done-0" },
	/* discard, free of the last receiver */
	{ "0 0 0 0 d0|fR0", "done|done" },
	{ "1 0 0 0 d0|fR0", "done|done" },
	{ "1 0 1 0 d0|fR0", "done-0|done" },
	/* free of the handle and the sender, of the receiver: the last that could receive drops what is queued */
	{ "0 0 0 0 fx0 fS0|fR0", "done done|done" },
	{ "1 0 0 0 fx0 fS0|fR0", "done done|done" },
	{ "1 0 1 0 fx0 fS0|fR0", "done done|done-0, done done-0|done, done-0 done|done" },
	{ NULL, NULL },
};
/* clang-format on */
