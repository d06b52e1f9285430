/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Programs of broadcasts that are run under all schedules up to a number of preemptions.
 */
#include "listed.h"

#include <stddef.h>

/* Each found a bug once, or stands for a rule of its own. */
/* clang-format off */
const char *const listed_programs[] = {
	/* a send and a receive meet, in each way of overflowing */
	"0o 1b 0 s|r0",
	"0o 1b 1 s|r0",
	"0o 1o 1 b|r0",
	"0o 1n 1 b|r0",
	"0o 1l 1 b|r0",
	"0o 1c 1 b|r0 tr0",
	"0o 2o+ 2 b|r0 tr0",
	"0o 1n+ 1 s|ar0 r0",
	/* a blocked send, and each thing that lets it go on or ends it */
	"0o 1b 1 us|r0",
	"0o 2b 2 s|r0",
	"0o 1b 1 us|r0 ts",
	"0o 1b 1 us|r0|s",
	"0o 1b 1 s|R0",
	"0o 1b 1 s|fR0",
	"0o 1b 1 s|o0o",
	"0o 1b 1 s|o0c",
	"0o 1b 1 b|d",
	"0o 1b 1 s|P0 z",
	"0o 1b 1 s|x",
	"0o 1b 1 s|S",
	"0o 1b 1 cs|k",
	"0o 1b,1b 2 s|r0|r1",
	"0o 1b,1c 1 s|r0",
	"0o 1b 1 as|r0",
	"0o 1b 1 [sr0]|r0",
	/* all or nothing, with one full of two */
	"0o 1b,2b 1 us|tr1 tr1",
	"0o 1b,1o 1 ts|r0 tr1",
	"0o 2b,1b 1 m*2|r1 r0",
	"c0o 1b,1b 1 us|r0 r1",
	/* one order for all */
	"0o 2b,1b 0 s|s|r0 r1",
	"0o 2b,2b 0 s|s",
	"0o 1b 1 s|s|r0 r0",
	"0o 1b 1 s|us|r0",
	/* who joins misses nothing and gets nothing twice */
	"1o - 1 s|+2o",
	"2o - 2 s|+2o r'",
	"1o 1b 0 s|*0 tr'",
	"c1o - 1 s|+1b tr'",
	"c2o 2b 1 s|*2o tr' tr'",
	"1o - 1 y0|+1o",
	"~c1o 1b 0 s|*1b",
	"c1o - 1 +1o|s|d",
	"1o 2o 1 o0l *0 r'|s|s",
	"c1o 2o 1 o0l *0 r'|s|s",
	"0o 1b 1 s|+1b fR'",
	/* without receivers */
	"0w - 0 s|+1o",
	"0w 1b 1 s|R0 +1o",
	"0f 1b 1 s|R0",
	"1w - 0 s|*1b r'",
	"0w - 0 s|s|+2b r' r'",
	"0w 1b,1c 0 s|s s|R0",
	/* a pair closes itself when one side is gone */
	"!0o 1b 1 s|fR0",
	"!0o 1b 1 s|r0|fS",
	"!0w 1b 0 r0|fS",
	"!0o 1c 1 s|i",
	"!0o 1b 1 s|*1b R'|R0",
	/* cut off, and the message that did it */
	"0o 1c 1 s|r0 r0",
	"0f 1c 1 s|q ts",
	"0o 1c+ 1 s|r0 r0 r0",
	"0o 1c,1b 1 m*2|r1",
	/* lag is told once, ahead of what is queued */
	"0o 1o+ 1 s|tr0 tr0",
	"0o 1l+ 0 s s|r0 g0",
	"0o 1o+ 1 s|n0*1-2",
	"0o 1n+ 1 s|[r0] tr0",
	/* selects meet what others do, and never themselves */
	"0o 1b 0 [sr0]|[sr0]",
	"0o 1b,1b 0 [r0r1]|s",
	"0o 1b 1 u[sr0]|r0",
	"0o 1b,1b 1 p[sr1]|r0",
	"0o 1b 0 w[r0]|s",
	/* a peekable shows what comes after it, the receiver drains what came before */
	"1o 1b 0 s|P0 z r0",
	"0o 2o 1 s|P0 r0 r0",
	"0o 1b 0 r0|P0",
	/* waits for receivers */
	"0o - 0 aw1|+1o",
	"0o 1o 0 aw2|+1o R'|R0",
	"0o 1o 0 aw2|x",
	/* a discard, and what comes meanwhile */
	"0o 2b,1o 1 s|d",
	"0o 2o 2 d|r0 l0",
	"h0o 1b 1 s|d",
	"c0o 2b 2 s|d r0",
	/* a close reaches all, and ends what waits */
	"0o 1b 0 s|x tr0",
	"0o 1b,1b 0 r0|r1|x",
	"1o 1b 0 x|+1o tr'",
	"0o 1b 0 x|h",
	/* ends that go under a blocked call */
	"0o 1b 0 r0|fR0",
	"0o 1b 0 r0|R0",
	"0o 1b 1 s|fS",
	"0o 1b 0 n0*2-2|fR0|s",
	"0o 1b 1 m*2|fS|r0",
	/* first come, first served */
	"0o 1b 0 r0|r0|s",
	"0w - 0 s|s|+1b",
	/* hooks: each instance once */
	"c0o 1o,1b 1 s|r1 R0",
	"c0o 1b,1b 1 s|r0|r1",
	"c0o 1o,1o 1 s|fR1",
	"c0o 1n,1l 1 s|d",
	"c1o 1c 1 s|y0",
	"h1o 1o 1 s|fR0",
	/* who slept first is served first, also if its message needs copies, or somebody takes while others look */
	"h1o 1b 1 s|r0|s",
	"h1o 1b,1b 1 s|r1|r0 [s]",
	/* a discard is of receivers, not of peekables */
	"0o 2b 1 s P0 r0|fS d|s",
	"c0o 1b 0 P0|s",
	/* whoever sees that a receiver has left sees it everywhere; who joins counts before others are cut off */
	"0o 1o 0 R0|j0 tr0",
	"0o 1o 0 q|*0|fR0",
	"!0o 1b,1c 1 +1o+|P0|s",
	/* what fails for want of resources has no effect */
	"~0o 1b 1 s|r0",
	"~c0o 1o,1o 0 s|r1",
	"~c0o 1b,1b 1 s|r0 r1",
	"~1o 1b 0 s|P0",
	"~1o - 1 s|y2",
	"~c1o 1b 1 s|+1b|r0",
	NULL
};

/* The smallest programs in which bugs of planted.txt show, that are not in the list above. */
const char *const listed_smallest[] = {
	"0o 1b 1 ts ts|r0",
	"0o 1b,1b 1 s|r0|r1|s",
	"0o 1b 1 s s|r0 r0",
	"0o 1b,1b 1 us|r0",
	"0o 1o 1 o0b ts",
	"0o 1b,1o 1 s|R0",
	"0o 1b 0 R0 s|+1o",
	"0w 1b 0 R0 ts",
	"0o 1b 1 R0 tr0 tr0",
	"0o 1b,1b 0 fR1 s|r0",
	"0o 1b,1b 0 r1|x",
	"1o - 1 x +1o tr'",
	"h1o - 1 x|+1o",
	"0o - 0 x +1o r'",
	"2o - 2 +1o tr'",
	"1o - 1 +1o l'",
	"c2o - 2 +2o tr' tr'",
	"c2o - 2 +2o|s",
	"c1o - 1 +1o|s",
	"2o - 2 s +3o tr'",
	"c1o - 1 s",
	"2o - 2 y1 +1o tr'",
	"0o 1c 0 m*3|j0",
	"0o 1o,1o 0 P0 b",
	"0o 1o 1 b",
	"h0o - 0 s",
	"c1o 1o 0 s",
	"c0o 1o,1o,1o 0 s",
	"0o 1o+ 1 s tr0|g0 s tr0",
	"0o 1o+ 1 s tr0 tr0",
	"0o 1b 0 s|l0|r0",
	"0o 1c 1 s j0",
	"0o 2b,1b 0 m*2|r0 r1",
	"c0o 1o,1o 0 s|fR1",
	"h0o 1o 1 s",
	"c1o 1c 1 s|x",
	NULL
};
/* clang-format on */
