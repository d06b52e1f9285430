/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Histories for the oracle, written by hand, as lines of text:
 *
 *     "1:7 0 | 1s0:8 2(r0 1tr0=empty 2)ok:7"      the channels at the start, a bar, events in the order of time
 *
 * The start is both capacities, each with the messages queued (at most 7, each a digit), and which ends are open other than the
 * shared ones: "-r0" is without the shared receiver of channel 0, "+s1'3" with thread 3's own sender of channel 1.
 *
 * An event begins with its thread, 0 to 4:
 *
 *     2(OP  2)STATUS      it calls, and returns; "2)ok:7" received 7, "2)ok:34" did so as a batch, "2)ok@1" by case 1
 *     2OP  2OP=STATUS     both, with nothing in between
 *     2z                  it sleeps, until it returns
 *     2b:4                the buffer of its batch, which waits, shows one more message, 4
 *
 * A batch that moved less than all names what it moved: "2)closed:3".  A ! after the status: its token's deadline has passed.
 * The status "never": it is left out, for it never was.
 *
 * The operations; a digit is the channel, ' the thread's own end:
 *
 *     s0:1 r0:1 [s0:1,r1] p[..] w[..] as0 ar0     a send, a receive; a select, in order of priority, that only tells; a wait
 *     m0:12 n0*1-3                                batches: send 1 and 2; receive at least 1 and at most 3
 *     x0:5 S0 R0 +S0 +R0 *S0 *R0 +x0 fx0 .0       close with a reason; ends: close, make, clone; handles: clone, free; settled
 *     k K l0:2 y0:5 i0:1                          raise token 1, 2; length, reason, whether closed
 *     #0 -0:1 =0                                  count, drop, discarded
 *     t c d                                       before one: never waits; waits with token 1; with token 2
 *
 * Operations joined by semicolons are a chain in one call.
 */
#ifndef TEST_SCHEDULE_SELF_HANDWRITTEN_H
#define TEST_SCHEDULE_SELF_HANDWRITTEN_H

#include <stdbool.h>

/* Makes it the history that the oracle judges next; mirrored: with the channels exchanged and the threads in reverse. */
void handwritten_read(const char *text, bool mirrored);

#endif
