/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The oracle: histories written by hand, and the verdict that each must get.
 *
 * For each rule there is a history that it allows and a neighbour that it refuses.  handwritten.h says how to read them.  Each
 * is judged twice, the second time with the channels exchanged and the threads in reverse.
 */
#include "self.h"

#include "explorer.h"
#include "handwritten.h"
#include "oracle.h"

#include <string.h>

/* Of a history as it is, or after which nobody can run. */
enum verdict { ALLOWED, REFUSED, RESTS, CANNOT_REST };

struct line {
	enum verdict verdict;
	const char *text;
};

/* ---- Verdicts --------------------------------------------------------------------------------------------------------- */

static void judge(const struct line *line)
{
	static const char *const names[] = { "allowed", "refused", "rests", "cannot rest" };
	bool at_rest = line->verdict == RESTS || line->verdict == CANNOT_REST;
	bool allows = line->verdict == ALLOWED || line->verdict == RESTS;

	for (int i = 0; i < 2; i++) {
		handwritten_read(line->text, i != 0);
		self_check(oracle_allows(at_rest) == allows, "\"%s\"%s: not %s", line->text, i != 0 ? ", mirrored" : "",
		    names[line->verdict]);
	}
}

#define JUDGE(lines_) \
	for (size_t i_ = 0; i_ < sizeof(lines_) / sizeof(lines_)[0]; i_++) \
	judge(&(lines_)[i_])

/* clang-format off */
static const struct line queue_lines[] = {
	/* first in, first out */
	{ ALLOWED, "2 0 | 1s0:1 1s0:2 2r0:1 2r0:2" },
	{ REFUSED, "2 0 | 1s0:1 1s0:2 2r0:2 2r0:1" },
	{ ALLOWED, "3 0 | 1s0:1 1s0:2 1s0:3 2r0:1 2r0:2 2r0:3" },
	{ REFUSED, "3 0 | 1s0:1 1s0:2 1s0:3 2r0:1 2r0:3 2r0:2" },
	{ ALLOWED, "2:12 0 | 1r0:1 1r0:2" },
	{ REFUSED, "2:12 0 | 1r0:2" },
	{ ALLOWED, "7:1234567 0 | 1r0:1 1s0:8 1r0:2 1r0:3 1r0:4 1r0:5 1r0:6 1r0:7 1r0:8" },
	/* sends that overlap take effect in any order, others in theirs */
	{ ALLOWED, "2 0 | 1(s0:1 2s0:2 1)ok 3r0:1 3r0:2" },
	{ ALLOWED, "2 0 | 1(s0:1 2s0:2 1)ok 3r0:2 3r0:1" },
	{ ALLOWED, "1 0 | 2(r0 1s0:1 2)ok:1" },
	{ REFUSED, "1 0 | 2r0:1 1s0:1" },
	{ REFUSED, "1:1 0 | 1tr0=empty 2r0:1" },
	{ ALLOWED, "1:1 0 | 2(r0 1tr0=empty 2)ok:1" },
	{ ALLOWED, "1:1 0 | 1(tr0 2r0:1 1)empty" },
	{ REFUSED, "1 0 | 1(s0:1 2(l0:1 1)ok 3tr0=empty 2)ok" },
	{ ALLOWED, "1 0 | 1(s0:1 2(l0:1 1)ok 3l0:1 2)ok" },
	/* what is received was sent, once, there; and nothing that lies behind the history makes room */
	{ REFUSED, "1 0 | 1r0:1" },
	{ REFUSED, "1:1 0 | 1(s0:2 2l0:1 1)ok" },
	{ REFUSED, "1 0 | 1s0:1 2r0:2" },
	{ REFUSED, "2 0 | 1s0:1 2r0:1 3r0:1" },
	{ ALLOWED, "1 1 | 1s0:1 1s1:2 2r1:2 2r0:1" },
	{ REFUSED, "1 1 | 1s0:1 2r1:1" },
	{ REFUSED, "1:0 0 | 1r0:0 1r0:0" },
	/* capacity */
	{ ALLOWED, "2 0 | 1s0:1 1s0:2" },
	{ REFUSED, "1 0 | 1s0:1 1s0:2" },
	{ REFUSED, "1:1 0 | 1s0:2" },
	{ ALLOWED, "1 0 | 1s0:1 1(s0:2 2r0:1 1)ok" },
	{ REFUSED, "2 1 | 1s1:1 1s1:2" },
	/* full and empty are told at an instant, and have no effect */
	{ ALLOWED, "1:1 0 | 1ts0:2=full" },
	{ REFUSED, "1 0 | 1ts0:2=full" },
	{ REFUSED, "2:1 0 | 1ts0:2=full" },
	{ ALLOWED, "1 0 | 1tr0=empty" },
	{ REFUSED, "1:1 0 | 1tr0=empty" },
	{ ALLOWED, "1 0 | 1r0=timedout" },
	{ REFUSED, "1:1 0 | 1r0=timedout" },
	{ ALLOWED, "1:1 0 | 1s0:2=timedout" },
	{ REFUSED, "1 0 | 1s0:2=timedout" },
	{ ALLOWED, "2:1 0 | 1(ts0:9 2s0:2 2r0:1 1)full" },
	{ REFUSED, "2:1 0 | 1(ts0:9 2r0:1 2s0:2 1)full" },
	{ ALLOWED, "2:1 0 | 1(tr0 2r0:1 2s0:2 1)empty" },
	{ REFUSED, "2:1 0 | 1(tr0 2s0:2 2r0:1 1)empty" },
	{ REFUSED, "1:1 0 | 1ts0:2=full 2r0:1 2r0:2" },
	{ REFUSED, "2:1 0 | 1(r0 2r0:1 1)timedout 3s0:2 3tr0=empty" },
	/* what is queued is counted */
	{ ALLOWED, "2:1 0 | 1l0:1 1s0:2 1l0:2 1r0:1 1l0:1" },
	{ REFUSED, "2:1 0 | 1l0:2" },
	{ REFUSED, "2:1 1 | 1l1:1" },
	{ ALLOWED, "2:1 0 | 1(l0:2 2s0:2 1)ok" },
	/* nothing that does not return has had an effect */
	{ REFUSED, "1 0 | 1(s0:1 2r0:1" },
	{ ALLOWED, "1:1 0 | 1(r0 2r0:1" },
	{ REFUSED, "1:1 0 | 1(r0 2tr0=empty" },
};

static const struct line rendezvous_lines[] = {
	/* both together */
	{ ALLOWED, "0 0 | 1(s0:1 2(r0 1)ok 2)ok:1" },
	{ ALLOWED, "0 0 | 1(s0:1 2r0:1 1)ok" },
	{ ALLOWED, "0 0 | 2(r0 1s0:1 2)ok:1" },
	{ REFUSED, "0 0 | 1s0:1 2r0:1" },
	{ REFUSED, "0 0 | 2r0:1 1s0:1" },
	{ REFUSED, "0 0 | 1s0:1" },
	{ REFUSED, "0 0 | 1r0:1" },
	{ REFUSED, "0 0 | 1(s0:1 2r0:2 1)ok" },
	{ REFUSED, "0 0 | 1(s0:1 2r1:1 1)ok" },
	{ REFUSED, "0 0 | 1(s0:1 2s0:2 1)ok" },
	{ REFUSED, "0 0 | 1(s0:1 2r0:1 3r0:1 1)ok" },
	{ ALLOWED, "0 0 | 1(s0:1 2(s0:2 3r0:2 3r0:1 2)ok 1)ok" },
	{ REFUSED, "0 0 | 1(s0:1 2(s0:2 3r0:2 3r0:1 1)ok 4l0:0 2)ok 3(r0 1s0:2 3)ok:1" },
	{ REFUSED, "0 0 | 1(s0:1 2(r0 1)timedout 2)ok:1" },
	{ REFUSED, "0 0 | 1(s0:1 2(r0 1)ok 2)timedout" },
	{ ALLOWED, "0 0 | 1(s0:1 2(r0 1)timedout 2)timedout" },
	{ ALLOWED, "0 0 | 1(ts0:1 2r0:1 1)ok" },
	/* not over a channel of another capacity */
	{ REFUSED, "1:9 0 | 1(s0:1 2r0:1 1)ok" },
	/* nor through what has ended: the send's channel, either end */
	{ REFUSED, "0 0 | 3x0:0 1(s0:1 2r0:1 1)ok" },
	{ REFUSED, "0 0 | 3S0 1(s0:1 2r0:1 1)ok" },
	{ REFUSED, "0 0 +r0'4 | 3R0 1(s0:1 2r0:1 1)ok" },
	{ ALLOWED, "0 0 +r0'4 | 3R0 1(s0:1 4r0':1 1)ok" },
	{ REFUSED, "0 0 | 1(s0:1 2(r0 3x0:0 4l0:0 3i0:1 1)ok 2)closed" },
	/* nor a wait that takes nothing */
	{ REFUSED, "0 0 | 1(as0 2r0:0 1)ok" },
	{ REFUSED, "0 0 | 1(s0:0 2ar0 1)ok" },
	{ REFUSED, "0 0 | 1(s0:1 2(r0 2)closed 1)ok" },
	/* who comes while the partner sleeps finds it */
	{ ALLOWED, "0 0 | 1tr0=empty" },
	{ ALLOWED, "0 0 | 1ts0:1=full" },
	{ ALLOWED, "0 0 | 2(s0:1 1tr0=empty 3r0:1 2)ok" },
	{ REFUSED, "0 0 | 2(s0:1 2z 1tr0=empty 3r0:1 2)ok" },
	{ ALLOWED, "0 0 | 2(r0 1ts0:9=full 3s0:1 2)ok:1" },
	{ REFUSED, "0 0 | 2(r0 2z 1ts0:9=full 3s0:1 2)ok:1" },
	{ REFUSED, "0 0 | 2(s0:1 2z 1r0=timedout 3r0:1 2)ok" },
	{ REFUSED, "0 0 | 4l0:0 3l0:0 2(s0:1 2z 1tr0=empty 3r0:1 2)ok" },
	/* unless it has ended, or has met somebody else */
	{ ALLOWED, "0 0 | 2(s0:1 2z 1tr0=empty 2)timedout" },
	{ ALLOWED, "0 0 | 2(s0:1 2z 3(r0 1tr0=empty 3)ok:1 2)ok" },
	/* and only there, and on the other side */
	{ ALLOWED, "0 0 | 2(s1:1 2z 1tr0=empty 3r1:1 2)ok" },
	{ ALLOWED, "0 0 | 2(r0 2z 1tr0=empty 3(s0:1 2)ok:1 3)ok" },
	{ ALLOWED, "0 0 | 2(s0:1 2z 1ts0:9=full 3r0:1 2)ok" },
	{ ALLOWED, "1:1 0 | 2(s0:2 2z 3(r0 4tr0=empty 3)ok:1 2)ok" },
	/* with selects on either side */
	{ REFUSED, "0 0 | 2([s1:1,s0:2] 2z 1tr0=empty 3r0:2 2)ok@1" },
	{ ALLOWED, "0 0 | 2([s1:1,s0:2] 1tr0=empty 3r0:2 2)ok@1" },
	{ REFUSED, "0 0 | 2(s1:1 2z 1t[r0,r1]=empty 3r1:1 2)ok" },
	{ ALLOWED, "0 0 | 2(s1:1 1t[r0,r1]=empty 3r1:1 2)ok" },
};

static const struct line select_lines[] = {
	/* one of its cases, and no other */
	{ ALLOWED, "1:1 0 | 1[r0:1,r1]@0" },
	{ REFUSED, "1:1 0 | 1[r0,r1:1]@1" },
	{ ALLOWED, "1 1 | 1[s0:1,s1:2]@1 2r1:2" },
	{ REFUSED, "1 1 | 1[s0:1,s1:2]@0 2r1:2" },
	{ REFUSED, "1 1 | 1[s0:1,s1:2]@1 2r0:1" },
	{ ALLOWED, "1:1 0 | 1[r1,s1:4,r0:1]@2" },
	/* nothing was ready at one instant, on both channels */
	{ ALLOWED, "1 1 | 1t[r0,r1]=empty" },
	{ REFUSED, "1 1:1 | 1t[r0,r1]=empty" },
	{ REFUSED, "1:1 1 | 1t[r0,r1]=empty" },
	{ REFUSED, "1:1 1 | 1(t[r0,r1] 2s1:2 2r0:1 1)empty" },
	{ ALLOWED, "1:1 1 | 1(t[r0,r1] 2r0:1 2s1:2 1)empty" },
	{ REFUSED, "1 1 | 1[r0,s1:1]=timedout" },
	/* two selects meet, in one of two ways, and none meets itself */
	{ ALLOWED, "0 0 | 1([s0:1,r1] 2([r0,s1:2] 1)ok@0 2)ok:1@0" },
	{ ALLOWED, "0 0 | 1([s0:1,r1] 2([r0,s1:2] 1)ok:2@1 2)ok@1" },
	{ REFUSED, "0 0 | 1([s0:1,r1] 2([r0,s1:2] 1)ok@0 2)ok@1" },
	{ REFUSED, "0 0 | 1([s0:1,r1] 2([r0,s1:2] 1)ok:2@1 2)ok:1@0" },
	{ REFUSED, "0 0 | 1[s0:1,r0:1]@0" },
	{ REFUSED, "0 0 | 1[s0:1,r0:1]@1" },
	/* a case that has ended */
	{ ALLOWED, "1 1 | 2x0:0 1[r0,r1]=closed@0" },
	{ REFUSED, "1 1 | 2x0:0 1[r0,r1]=closed@1" },
	{ ALLOWED, "1 1 | 2R1 1[s1:1,r0]=noreceivers@0" },
	{ REFUSED, "1 1 | 2R1 1[s1:1,r0]=noreceivers@1" },
	/* in order of priority */
	{ ALLOWED, "1:1 1:2 | 1p[r0:1,r1]@0" },
	{ REFUSED, "1:1 1:2 | 1p[r0,r1:2]@1" },
	{ ALLOWED, "1:1 1:2 | 1[r0,r1:2]@1" },
	{ ALLOWED, "1 1:2 | 1p[r0,r1:2]@1" },
	{ REFUSED, "1 1:2 | 1p[r0,s0:4,r1:2]@2" },
	{ ALLOWED, "1:1 1:2 | 1(p[r0,r1:2] 2r0:1 1)ok@1" },
	/* what has ended goes first too, but cases that end with the same channel are equal */
	{ REFUSED, "1 1:2 | 2x0:0 1p[r0,r1:2]@1" },
	{ ALLOWED, "1 1 | 2x0:0 1p[r0,s0:1]=closed@1" },
	{ ALLOWED, "1 1 | 2x0:0 1p[r0,s0:1]=closed@0" },
	{ REFUSED, "1 1 | 2x0:0 2x1:0 1p[r0,r1]=closed@1" },
	{ REFUSED, "1:1 0 | 2x0:0 1p[s0:2,r0:1]@1" },
	{ REFUSED, "1:1 0 | 2x0:0 1p[r0,s0:1]=closed@1" },
	{ ALLOWED, "1 0 | 2R0 1p[r0,s0:1]=noreceivers@1" },
	{ REFUSED, "1:1 1:1 | 2x1:0 1p[r0,s1:1]=closed@1" },
	/* and a partner that slept there */
	{ REFUSED, "0 1:2 | 2(s0:1 2z 1p[r0,r1:2]@1 3r0:1 2)ok" },
	{ ALLOWED, "0 1:2 | 2(s0:1 1p[r0,r1:2]@1 3r0:1 2)ok" },
	/* when two meet, for both */
	{ REFUSED, "0 1:2 | 1(p[r1,s0:1] 2r0:1 1)ok@1" },
	{ ALLOWED, "0 1 | 1(p[r1,s0:1] 2r0:1 1)ok@1" },
	{ REFUSED, "0 1:2 | 1(s0:1 2p[r1,r0:1]@1 1)ok" },
	{ ALLOWED, "0 1 | 1(s0:1 2p[r1,r0:1]@1 1)ok" },
};

static const struct line ready_lines[] = {
	/* it could have been performed, and was not */
	{ ALLOWED, "1:1 0 | 1ar0" },
	{ REFUSED, "1 0 | 1ar0" },
	{ ALLOWED, "1 0 | 1as0" },
	{ REFUSED, "1:1 0 | 1as0" },
	{ ALLOWED, "1:1 0 | 1ar0 1ar0 2r0:1" },
	{ ALLOWED, "1 0 | 1as0 1as0 1ts0:1 2r0:1" },
	{ ALLOWED, "1 1:2 | 1w[r0,r1]@1" },
	{ REFUSED, "1 1:2 | 1w[r0,r1]@0" },
	{ ALLOWED, "1 0 | 1ar0=timedout" },
	{ REFUSED, "1:1 0 | 1ar0=timedout" },
	{ ALLOWED, "1 0 | 2x0:0 1ar0=closed" },
	{ REFUSED, "1 0 | 1ar0=closed" },
	{ ALLOWED, "1 0 | 2R0 1as0=noreceivers" },
	{ REFUSED, "1 0 | 2x0:0 1ar0" },
	{ REFUSED, "1 0 | 2x0:0 1as0" },
	/* at capacity 0 with somebody who is there, to wait, on the other side */
	{ REFUSED, "0 0 | 1ar0" },
	{ ALLOWED, "0 0 | 2(s0:1 1ar0 3r0:1 2)ok" },
	{ ALLOWED, "0 0 | 2(s0:1 1ar0" },
	{ ALLOWED, "0 0 | 2([r1,s0:1] 1ar0" },
	{ REFUSED, "0 0 | 1ar0 2(s0:1" },
	{ ALLOWED, "0 0 | 1(ar0 2(s0:1 1)ok" },
	{ REFUSED, "0 0 | 1(ar0 3l0:0 1)ok 2(s0:1" },
	{ REFUSED, "0 0 | 2(ts0:1 1ar0 2)full" },
	{ REFUSED, "0 0 | 2(as0 1ar0" },
	{ REFUSED, "0 0 | 2(r0 1ar0" },
	{ REFUSED, "0 0 | 2(s0:1 1as0" },
	{ REFUSED, "0 0 | 2(s1:1 1ar0" },
	{ ALLOWED, "0 0 | 2(s0:1 1ar0 2)timedout" },
	{ REFUSED, "0 0 | 2(s0:1 3r0:1 1ar0 2)ok" },
	{ REFUSED, "1 0 | 2(s0:1 1ar0" },
	{ REFUSED, "0 0 | 3x0:0 2(s0:1 1ar0 2)closed" },
	{ REFUSED, "0 0 +r0'4 | 3R0 2(s0:1 1ar0" },
};

static const struct line end_lines[] = {
	/* a channel that is closed: nothing goes in, what is there comes out */
	{ ALLOWED, "1 0 | 2x0:0 1s0:1=closed" },
	{ REFUSED, "1 0 | 1s0:1=closed 2x0:0" },
	{ ALLOWED, "1 0 | 1(s0:1 2x0:0 1)closed" },
	{ REFUSED, "1 0 | 2x0:0 1s0:1" },
	{ REFUSED, "1 1 | 2x1:0 1s0:1=closed" },
	{ ALLOWED, "1:1 0 | 2x0:0 1r0:1 1r0=closed" },
	{ REFUSED, "1:1 0 | 2x0:0 1r0=closed" },
	{ REFUSED, "1 0 | 1r0=closed" },
	{ REFUSED, "1 0 | 2x0:0 1tr0=empty" },
	{ REFUSED, "1:1 0 | 2x0:0 1ts0:2=full" },
	{ ALLOWED, "1:1 0 | 2x0:0 1s0:2=closed" },
	/* an end that is closed */
	{ ALLOWED, "1 0 | 2S0 1s0:1=closed" },
	{ REFUSED, "1 0 | 2S0 1s0:1" },
	{ REFUSED, "1:1 0 | 2S0 1ts0:1=full" },
	{ ALLOWED, "1:1 0 | 2R0 1r0=closed" },
	{ REFUSED, "1:1 0 | 1r0=closed" },
	{ REFUSED, "1:1 0 | 2R0 1r0:1" },
	{ REFUSED, "1 0 | 2R0 1tr0=empty" },
	{ ALLOWED, "1 0 +s0'1 | 2S0 1s0':1" },
	{ ALLOWED, "1 0 +s0'1 | 1S0' 1s0':1=closed 2s0:1" },
	{ REFUSED, "1 0 +s0'1 | 1S0' 2s0:1=closed" },
	{ REFUSED, "1 1 | 2S1 1s0:1=closed" },
	{ REFUSED, "1 0 | 2R0 1s0:1=closed" },
	{ ALLOWED, "1 0 +r0'2 +s0'3 | 2R0' 3S0' 1s0:1 2r0:1" },
	/* the last receiver is gone, and there was one or nobody can make one */
	{ ALLOWED, "1 0 | 2R0 1s0:1=noreceivers" },
	{ REFUSED, "1 0 | 2R0 1s0:1" },
	{ REFUSED, "1 0 | 1s0:1=noreceivers" },
	{ REFUSED, "1 0 | 2R0 1ts0:1=full" },
	{ REFUSED, "1 1 | 2R1 1s0:1=noreceivers" },
	{ REFUSED, "1 0 +r0'3 | 2R0 1s0:1=noreceivers" },
	{ ALLOWED, "1 0 +r0'3 | 2R0 1s0:1" },
	{ REFUSED, "1 0 | 2R0 1r0=noreceivers" },
	{ REFUSED, "1 0 | 2x0:0 2R0 1s0:1=noreceivers" },
	{ ALLOWED, "1 0 | 2x0:0 2R0 1s0:1=closed" },
	{ ALLOWED, "1 0 -r0 | 1s0:1" },
	{ REFUSED, "1 0 -r0 | 1s0:1=noreceivers" },
	{ ALLOWED, "1 0 -r0 | 2fx0 1s0:1=noreceivers" },
	{ REFUSED, "1 0 -r0 | 2fx0 1s0:1" },
	{ ALLOWED, "1 0 -r0 | 2+x0 2fx0 1s0:1" },
	{ ALLOWED, "1 0 | 2fx0 1s0:1" },
	/* until one is made again */
	{ ALLOWED, "1 0 | 2R0 2+R0' 1s0:1 2r0':1" },
	{ REFUSED, "1 0 | 2R0 2+R0' 1s0:1=noreceivers" },
	{ ALLOWED, "1 0 -r0 | 1+R0' 1R0' 2s0:1=noreceivers" },
	{ REFUSED, "1 0 -r0 | 1+R0' 1R0' 2s0:1" },
	{ ALLOWED, "1 0 -r0 | 1+S0' 1s0':1" },
	{ ALLOWED, "1 1 -r0 -r1 | 1+R0' 1R0' 2s1:1" },
	/* ends that are made: senders not of a closed channel, clones not of a closed end */
	{ ALLOWED, "1 0 | 1+S0' 1s0':1" },
	{ REFUSED, "1 0 | 1s0':1" },
	{ ALLOWED, "1 0 | 2x0:0 1+S0'=closed" },
	{ REFUSED, "1 0 | 1+S0'=closed" },
	{ REFUSED, "1 0 | 2x0:0 1+S0'" },
	{ ALLOWED, "1:1 0 | 2x0:0 1+R0' 1r0':1" },
	{ REFUSED, "1 0 | 2x0:0 1+R0'=closed" },
	{ REFUSED, "1 1 | 2x1:0 1+S0'=closed" },
	{ ALLOWED, "1 0 | 1*S0' 2S0 1s0':1" },
	{ ALLOWED, "1 0 | 2S0 1*S0'=closed" },
	{ REFUSED, "1 0 | 2S0 1*S0'" },
	{ REFUSED, "1 0 | 1*S0'=closed" },
	{ ALLOWED, "1 0 | 2R0 1*R0'=closed" },
	{ REFUSED, "1 0 | 2R0 1*R0'" },
	{ ALLOWED, "1:1 0 | 1*R0' 2R0 1r0':1" },
	{ ALLOWED, "1 0 | 2S0 1+S0' 1s0':1" },
	{ ALLOWED, "1:1 0 | 2R0 1+R0' 1r0':1" },
	{ ALLOWED, "1 0 | 1+S0'=nomem" },
	{ REFUSED, "1 0 | 1+S0'=nomem 1s0':1" },
	{ ALLOWED, "1 0 | 2x0:0 1+S0'=nomem" },
	/* the reason is that of the first close */
	{ ALLOWED, "1 0 | 2y0:0 1x0:3 2y0:3" },
	{ REFUSED, "1 0 | 1x0:3 2y0:2" },
	{ REFUSED, "1 0 | 2y0:1 1x0:3" },
	{ ALLOWED, "1 0 | 1x0:3 1x0:4 2y0:3" },
	{ REFUSED, "1 0 | 1x0:3 1x0:4 2y0:4" },
	{ REFUSED, "1 1 | 1x1:3 2y0:3" },
	{ ALLOWED, "1 0 | 1i0:0 1x0:0 1i0:1" },
	{ REFUSED, "1 0 | 1i0:1" },
	{ REFUSED, "1 0 | 1x0:0 1i0:0" },
	/* closed by itself without handle and sender, with reason 0 */
	{ ALLOWED, "1 0 | 1fx0 1S0 2i0:1 2y0:0 2r0=closed" },
	{ ALLOWED, "1 0 | 1S0 1fx0 2i0:1 2y0:0 2r0=closed" },
	{ REFUSED, "1 0 | 1fx0 1S0 2i0:0" },
	{ REFUSED, "1 0 | 1fx0 2i0:1" },
	{ REFUSED, "1 0 | 1S0 2i0:1" },
	{ REFUSED, "1 0 | 1fx0 1S0 2y0:1" },
	{ ALLOWED, "1 0 +s0'2 | 1fx0 1S0 2i0:0 2S0' 2i0:1" },
	{ REFUSED, "1 0 +s0'2 | 1fx0 1S0 2i0:1" },
	{ REFUSED, "1 0 | 1+x0 1fx0 1S0 2i0:1" },
	{ ALLOWED, "1 0 | 1+x0 1fx0 1S0 2i0:0 1fx0 2i0:1" },
	{ REFUSED, "1 1 | 1fx0 1S1 2i0:1" },
	{ ALLOWED, "1 0 | 1x0:3 1fx0 1S0 2y0:3" },
	{ REFUSED, "1 0 | 1x0:3 1fx0 1S0 2y0:0" },
	{ ALLOWED, "1 0 | 1fx0 1R0 2i0:0" },
};

static const struct line drop_lines[] = {
	/* without handle and receiver what is queued is dropped, in order, before the return */
	{ ALLOWED, "1:1 0 | 1fx0 1(R0;-0:1;.0 1)ok" },
	{ ALLOWED, "1:1 0 | 1R0 1(fx0;-0:1;.0 1)ok" },
	{ REFUSED, "1:1 0 | 1fx0 1(R0;.0 1)ok" },
	{ ALLOWED, "1:1 0 | 1(R0;.0 1)ok" },
	/* an end that closes and orphans nothing has nothing to do with what others take meanwhile */
	{ ALLOWED, "1:5 0 | 1(S0;.0 2s0:9=closed 2r0:5 1)ok" },
	{ ALLOWED, "2:12 0 | 2r0:1 1(R0;.0 1)ok" },
	{ ALLOWED, "1:1 0 | 1(fx0;.0 1)ok" },
	{ REFUSED, "1:1 0 | 1R0 1(R0;.0 1)ok 1-0:1" },
	{ REFUSED, "1:1 0 | 1fx0 1-0:1" },
	{ REFUSED, "1:1 0 | 1R0 1-0:1" },
	{ REFUSED, "1 0 | 1fx0 1R0 1-0:1" },
	{ REFUSED, "1 0 | 1fx0 1R0 1-0:0" },
	{ REFUSED, "1:1 0 | 1fx0 1R0 1-0:2" },
	{ ALLOWED, "2:12 0 | 1fx0 1(R0;-0:1;-0:2;.0 1)ok" },
	{ REFUSED, "2:12 0 | 1fx0 1(R0;-0:2;-0:1;.0 1)ok" },
	{ REFUSED, "2:12 0 | 1fx0 1(R0;-0:1;.0 1)ok" },
	{ REFUSED, "1:1 0 | 1fx0 1(R0;-0:1;-0:1;.0 1)ok" },
	{ REFUSED, "1:1 1 | 1fx1 1R1 1-0:1" },
	{ ALLOWED, "1 1:5 | 1fx0 1(R0;.0 1)ok" },
	{ ALLOWED, "1:1 0 -r0 | 1(fx0;-0:1;.0 1)ok" },
	/* by that call; one that closes the end again need not wait for it, and drops nothing, but only that call */
	{ ALLOWED, "1:1 0 | 1fx0 1(R0;-0:1;.0 2(R0;.0 2)ok 1)ok" },
	{ ALLOWED, "1:1 0 | 1fx0 1(R0;.0 2(R0;-0:1;.0 1)ok 2)ok" },
	{ REFUSED, "1:1 0 | 1fx0 1(R0;.0 2(R0;.0 1)ok 2)ok" },
	{ REFUSED, "1:1 0 | 1fx0 1R0 2R0 2-0:1" },
	{ ALLOWED, "1:1 0 +r0'2 | 1fx0 1R0 2(R0;.0 2)ok 2(R0';-0:1;.0 2)ok" },
	{ REFUSED, "1:1 0 +r0'2 | 1fx0 1R0 2(R0;.0 2)ok 2(R0';.0 2)ok" },
	{ ALLOWED, "1:1 0 | 1S0 1(S0;.0 1)ok 1fx0 1(R0;-0:1;.0 1)ok" },
	/* a discard: what was queued goes, thrown away or taken */
	{ ALLOWED, "2:12 0 | 1(#0;-0:1;-0:2;=0 1)ok 2tr0=empty" },
	{ REFUSED, "2:12 0 | 1(#0;-0:1;=0 1)ok" },
	{ REFUSED, "2:12 0 | 1(#0;=0 1)ok" },
	{ REFUSED, "2:12 0 | 1(#0;-0:2;-0:1;=0 1)ok" },
	{ ALLOWED, "1 0 | 1(#0;=0 1)ok" },
	{ REFUSED, "1 0 | 1(#0;-0:0;=0 1)ok" },
	{ REFUSED, "1:1 0 | 1-0:1" },
	{ ALLOWED, "2:12 0 | 1(#0;-0:2;=0 2r0:1 1)ok" },
	{ ALLOWED, "2:12 0 | 0(#0;-0:2;=0 2r0:1 0)ok" },
	{ REFUSED, "2:12 0 | 1(#0;=0 2r0:1 1)ok" },
	{ ALLOWED, "2:12 0 | 1(#0;=0 2r0:1 2r0:2 1)ok" },
	{ ALLOWED, "7:1234567 0 | 1(#0;-0:1;-0:2;-0:3;-0:4;-0:5;-0:6;=0 2r0:7 1)ok" },
	{ REFUSED, "7:1234567 0 | 1(#0;-0:1;-0:2;-0:3;-0:4;-0:5;-0:6;=0 1)ok" },
	/* and nothing that came later */
	{ ALLOWED, "2:1 0 | 1#0 2s0:2 1-0:1 1=0 3r0:2" },
	{ REFUSED, "2:1 0 | 1#0 2s0:2 1-0:1 1-0:2 1=0" },
	{ REFUSED, "2:1 0 | 1(#0;-0:1;=0 1)ok 1s0:2 1-0:2" },
	/* each thread its own, of its channel */
	{ ALLOWED, "2:12 0 | 1#0 2#0 1-0:1 2-0:2 1=0 2=0" },
	{ ALLOWED, "2:12 0 | 1#0 1-0:1 2#0 2-0:2 2=0 1=0" },
	{ REFUSED, "2:12 0 | 1#0 1-0:1 2#0 2=0" },
	{ ALLOWED, "2:12 0 | 1(#0;-0:1;-0:2;=0 4(#0;=0 4)ok 1)ok" },
	{ REFUSED, "1:1 0 | 1#0 2-0:1" },
	{ REFUSED, "1:1 1:2 | 1#0 2r1:2 1=0" },
	{ REFUSED, "1:1 1:2 | 1#0 1-1:2 1-0:1 1=0" },
	{ ALLOWED, "1:1 1:2 | 1#0 2r1:2 1-0:1 1=0" },
	{ REFUSED, "1:1 1:2 | 1#0 1-0:1 1=1" },
	{ ALLOWED, "1:1 1:2 | 1#0 2#1 1-0:1 2-1:2 2=1 1=0" },
	{ ALLOWED, "1:1 0 | 1#0 1-0:1 1=0 1s0:2 1#0 1-0:2 1=0" },
};

static const struct line ending_lines[] = {
	/* canceled: a token of the call was raised, or expired, before the return */
	{ ALLOWED, "1 0 | 2k 1cr0=canceled" },
	{ REFUSED, "1 0 | 1cr0=canceled 2k" },
	{ ALLOWED, "1 0 | 1(cr0 2k 1)canceled" },
	{ REFUSED, "1 0 | 1cr0=canceled" },
	{ REFUSED, "1 0 | 2k 1r0=canceled" },
	{ REFUSED, "1 0 | 2K 1cr0=canceled" },
	{ ALLOWED, "1 0 | 2K 1dr0=canceled" },
	{ ALLOWED, "1 0 | 2k 2K 1cr0=canceled" },
	{ ALLOWED, "1 0 | 2k 2K 1dr0=canceled" },
	{ ALLOWED, "1 0 | 1cr0=canceled!" },
	{ ALLOWED, "1:1 0 | 2k 1cr0=canceled 3r0:1" },
	{ REFUSED, "1:1 0 | 2k 1cr0=canceled 3tr0=empty" },
	{ ALLOWED, "1:1 0 | 2k 1cr0:1" },
	/* for want of memory: no effect */
	{ ALLOWED, "1 0 | 1r0=nomem" },
	{ ALLOWED, "1:1 0 | 1r0=nomem 2r0:1" },
	{ REFUSED, "1:1 0 | 1r0=nomem 2tr0=empty" },
	/* what never was explains nothing and needs no explanation */
	{ ALLOWED, "1:1 0 | 1r0=never 2r0:1" },
	{ REFUSED, "1 0 | 1s0:1=never 2r0:1" },
};

static const struct line order_lines[] = {
	/* nobody overtakes one who slept on the same side when it was called */
	{ ALLOWED, "1 0 | 1(r0 1z 2(r0 3s0:1 1)ok:1" },
	{ REFUSED, "1 0 | 1(r0 1z 2(r0 3s0:1 2)ok:1" },
	{ ALLOWED, "1 0 | 1(r0 2(r0 3s0:1 2)ok:1" },
	{ ALLOWED, "1 0 | 1(r0 2(r0 1z 3s0:1 2)ok:1" },
	{ REFUSED, "1:9 0 | 1(s0:1 1z 2(s0:2 3r0:9 2)ok" },
	{ ALLOWED, "1:9 0 | 1(s0:1 1z 2(s0:2 3r0:9 1)ok" },
	{ REFUSED, "2 0 | 1(r0 1z 2(r0 3s0:1 3s0:2 2)ok:1 1)ok:2" },
	{ ALLOWED, "2 0 | 1(r0 1z 2(r0 3s0:1 3s0:2 2)ok:2 1)ok:1" },
	{ REFUSED, "1 0 | 4l0:0 1(r0 1z 2(r0 3s0:1 2)ok:1" },
	/* on another channel, on the other side, one that has ended */
	{ ALLOWED, "1 1 | 1(r1 1z 2(r0 3s0:1 2)ok:1" },
	{ ALLOWED, "1:1 0 | 1(s0:2 1z 2r0:1 1)ok" },
	{ ALLOWED, "1 0 | 1(r0 1z 2(r0 3s0:1 2)ok:1 1)timedout" },
	{ ALLOWED, "1 0 | 1(cr0 1z 2(r0 3k 3s0:1 2)ok:1 1)canceled" },
	{ REFUSED, "1 0 | 1(cr0 1z 2(r0 3s0:1 2)ok:1 3k 1)canceled" },
	/* only by success, and not by a wait that takes nothing; nor is such a wait overtaken, or a batch */
	{ ALLOWED, "1 0 | 1(r0 1z 2tr0=empty 3s0:1 1)ok:1" },
	{ ALLOWED, "1 0 | 1(r0 1z 2(ar0 3s0:1 2)ok 1)ok:1" },
	{ ALLOWED, "1 0 | 1(ar0 1z 2(r0 3s0:1 2)ok:1" },
	{ ALLOWED, "1 0 | 1(n0*1-2 1z 2(r0 3s0:1 2)ok:1" },
	{ ALLOWED, "1 0 | 1(l0:0 1z 2s0:1 2r0:1" },
	/* selects: any case of the sleeper, the chosen one of who comes */
	{ REFUSED, "1 1 | 1([r0,r1] 1z 2(r1 3s1:1 2)ok:1" },
	{ REFUSED, "1 1 | 1([r0,r1] 1z 2(r0 3s0:1 2)ok:1" },
	{ ALLOWED, "1 1 | 1(r0 1z 2([r0,r1] 3s1:1 2)ok:1@1" },
	{ REFUSED, "1 1 | 1(r0 1z 2([r0,r1] 3s0:1 2)ok:1@0" },
	{ REFUSED, "1 1 | 1(r0 1z 2([r1,r0] 3s0:1 2)ok:1@1" },
	/* when two meet, neither overtakes */
	{ REFUSED, "0 0 | 1(s0:1 1z 2(s0:2 3r0:2 2)ok" },
	{ ALLOWED, "0 0 | 1(s0:1 1z 2(s0:2 3r0:1 1)ok" },
	{ REFUSED, "0 0 | 1(r0 1z 2(r0 3s0:1 2)ok:1" },
	{ ALLOWED, "0 0 | 1(r0 1z 2(r0 3s0:1 1)ok:1" },
	{ ALLOWED, "0 0 | 1(s0:1 2(s0:2 3r0:2 2)ok" },
	/* nor does who meets a sleeping select overtake its other case */
	{ ALLOWED, "0 0 | 1([s0:1,r0] 1z 2r0:1 1)ok@0" },
	{ ALLOWED, "0 0 | 1([r0,s0:9] 1z 2s0:1 1)ok:1@0" },
	{ ALLOWED, "0 0 | 4l0:0 1([s0:1,r0] 1z 2r0:1 1)ok@0" },
	{ ALLOWED, "0 0 | 4l0:0 1([r0,s0:9] 1z 2s0:1 1)ok:1@0" },
};

static const struct line batch_lines[] = {
	/* a chain of single operations, between which others come */
	{ ALLOWED, "2 0 | 1m0:12 2r0:1 2r0:2" },
	{ REFUSED, "2 0 | 1m0:12 2r0:2" },
	{ ALLOWED, "3 0 | 1(m0:12 2s0:9 1)ok 3r0:1 3r0:9 3r0:2" },
	{ REFUSED, "3 0 | 1(m0:12 2s0:9 1)ok 3r0:2 3r0:9 3r0:1" },
	{ ALLOWED, "2:12 0 | 1(n0*1-2 1)ok:12" },
	{ REFUSED, "2:12 0 | 1(n0*1-2 1)ok:21" },
	{ ALLOWED, "2:12 0 | 1(n0*1-2 1)ok:1" },
	{ ALLOWED, "2:12 0 | 1(n0*1-2 2r0:1 1)ok:2" },
	{ ALLOWED, "0 0 | 1(m0:12 2r0:1 2r0:2 1)ok" },
	{ REFUSED, "0 0 | 1(m0:12 2r0:2 2r0:1 1)ok" },
	{ ALLOWED, "0 0 | 1(n0*2-2 2s0:1 2s0:2 1)ok:12" },
	{ REFUSED, "0 0 | 1(n0*2-2 2s0:1 2s0:2 1)ok:21" },
	/* it tells what it moved, and the rest never was */
	{ ALLOWED, "1 0 | 1(m0:12 2x0:0 1)closed:1 3r0:1" },
	{ REFUSED, "1 0 | 1(m0:12 2x0:0 1)closed:1 3r0:1 3r0:2" },
	{ ALLOWED, "1 0 | 1(m0:123 1)timedout:1 2r0:1 2tr0=empty" },
	{ REFUSED, "2 0 | 1(m0:123 1)timedout:1" },
	{ ALLOWED, "1 0 | 1(n0*0-2 1)empty" },
	{ REFUSED, "1:1 0 | 1(n0*0-2 1)empty" },
	{ ALLOWED, "1:1 0 | 1(n0*2-2 1)timedout:1" },
	/* while it waits it may have moved some, in order */
	{ ALLOWED, "3 0 | 1(m0:12 2r0:1" },
	{ ALLOWED, "3 0 | 1(m0:12 2r0:1 2r0:2" },
	{ REFUSED, "3 0 | 1(m0:12 2r0:2" },
	{ ALLOWED, "3 0 | 1(m0:12 2tr0=empty" },
	{ ALLOWED, "0 0 | 1(m0:12 2r0:1" },
	{ REFUSED, "0 0 | 1(m0:12 2r0:2" },
	{ REFUSED, "3 0 | 1(m0:1 3x0:0 4l0:0 2r0:1 2r0:1" },
	/* its buffer tells what it has received */
	{ ALLOWED, "2:12 0 | 1(n0*2-2 1b:1 2r0:2" },
	{ REFUSED, "2:12 0 | 1(n0*2-2 1b:1 2r0:1" },
	{ REFUSED, "2:12 0 | 1(n0*2-2 1b:2" },
	{ REFUSED, "2:12 0 | 1(n0*2-2 2r0:2" },
	{ REFUSED, "1:1 0 | 1(n0*1-1 2tr0=empty" },
	{ REFUSED, "2:12 0 | 1(n0*2-2 1b:1 2l0:2 2x0:0 2r0:1" },
	{ ALLOWED, "0 0 | 1(n0*2-2 2s0:1 1b:1" },
	{ REFUSED, "0 0 | 1(n0*2-2 2s0:1 1b:2" },
};

static const struct line rest_lines[] = {
	/* nothing that waits could end */
	{ RESTS, "1 0 | 1s0:1 2r0:1" },
	{ RESTS, "1 0 | 1(r0" },
	{ CANNOT_REST, "1:1 0 | 1(r0" },
	{ RESTS, "1:1 0 | 1(s0:2" },
	{ CANNOT_REST, "1 0 | 1(s0:2" },
	{ CANNOT_REST, "1 0 | 1(r0 2s0:1" },
	{ CANNOT_REST, "1 0 | 2x0:0 1(r0" },
	{ CANNOT_REST, "1:1 0 | 2x0:0 1(s0:2" },
	{ CANNOT_REST, "1 0 | 2R0 1(r0" },
	{ CANNOT_REST, "1:1 0 | 2R0 1(s0:2" },
	{ CANNOT_REST, "1 1 | 1([r0,r1] 2s1:1" },
	{ RESTS, "1 1 | 1([r0,r1]" },
	{ RESTS, "1 0 | 1(ar0" },
	{ CANNOT_REST, "1:1 0 | 1(ar0" },
	{ CANNOT_REST, "1 0 | 1(r0 2(s0:1" },
	{ CANNOT_REST, "1 1:1 | 2(r0 1(r1" },
	{ CANNOT_REST, "1:1 1 | 2(r0 1(r1" },
	/* and what has returned is explained at all */
	{ CANNOT_REST, "1 0 | 1r0:1" },
	{ CANNOT_REST, "1:1 0 | 1(r0 2tr0=empty" },
	/* two that could meet do */
	{ CANNOT_REST, "0 0 | 1(s0:1 2(r0" },
	{ RESTS, "0 0 | 1(s0:1 2(s0:2" },
	{ RESTS, "0 0 | 1(s0:1 2(r1" },
	{ RESTS, "1 0 | 1(r0 2(r0" },
	{ RESTS, "1:1 0 | 1(s0:2 2(s0:3" },
	{ CANNOT_REST, "0 0 | 1([s1:1,s0:1] 2([s1:3,r0]" },
	{ RESTS, "0 0 | 1([s0:1,r0]" },
	{ CANNOT_REST, "0 0 | 1([s0:1,r0] 2([r0,s0:2]" },
	{ RESTS, "0 0 | 1(as0 2(ar0" },
	{ CANNOT_REST, "0 0 | 1(as0 2(r0" },
	{ CANNOT_REST, "0 0 | 1(s0:1 2(ar0" },
	{ CANNOT_REST, "0 0 | 3(r1 1(s0:1 2(r0" },
	{ CANNOT_REST, "0 0 | 1(s0:1 2(r0 3(r1" },
	/* only what may wait waits */
	{ CANNOT_REST, "1 0 | 1(tr0" },
	{ CANNOT_REST, "1 0 | 1(l0:0" },
	{ CANNOT_REST, "1 0 | 1(x0:0" },
	{ CANNOT_REST, "1 0 | 1(S0" },
	{ CANNOT_REST, "1 0 | 2k 1(cr0" },
	{ RESTS, "1 0 | 2k 1(dr0" },
	{ RESTS, "1 0 | 1(cr0" },
	/* no message of theirs has moved, but for batches */
	{ CANNOT_REST, "2 0 | 1(s0:1 2r0:1" },
	{ RESTS, "1 0 | 1(m0:123 2r0:1" },
	{ CANNOT_REST, "2 0 | 1(m0:123 2r0:1 2r0:2 2r0:3 2(r0 3s0:4" },
	{ RESTS, "1 0 | 1(m0:12" },
	{ RESTS, "2 0 | 1m0:12" },
	{ CANNOT_REST, "2 0 | 1(m0:12" },
	{ CANNOT_REST, "0 0 | 1(m0:12 2r0:1 2r0:2" },
	{ CANNOT_REST, "2 0 | 2m0:3 1(m0:1" },
	{ CANNOT_REST, "2 0 | 1(m0:1 2(r1" },
	{ CANNOT_REST, "1:1 0 | 1(n0*1-1 1b:1" },
	{ RESTS, "1:1 0 | 1(n0*2-2 1b:1" },
	{ CANNOT_REST, "1:1 0 | 1(n0*2-2" },
	{ CANNOT_REST, "1:1 0 | 1(n0*1-2 1b:1" },
	{ RESTS, "1 0 | 1(n0*1-2" },
	{ CANNOT_REST, "2:12 0 | 1(n0*3-3 1b:1" },
	{ RESTS, "2:12 0 | 1(n0*3-3 1b:1 1b:2" },
	{ RESTS, "0 0 | 1(m0:12 2r0:1" },
	{ CANNOT_REST, "0 0 | 1(m0:12 2r0:1 2(r0" },
};
/* clang-format on */

/* ---- What is not a verdict -------------------------------------------------------------------------------------------- */

/* Twelve looks that overlap, in any order, and a thing that cannot be: 2^12 sets of those that are done, not 12! orders. */
static void remembers_what_failed(void)
{
	const struct beginning beginning = { .capacity = { 1, 1 } };
	long checks = oracle_checks, visits = oracle_visits;

	self_scripted = true;
	oracle_begin(&beginning);
	for (int i = 0; i < 12; i++)
		oracle_call(LENGTH, (struct part){ .channel = 0 });
	for (int i = 0; i < 12; i++)
		oracle_return(&history[i], DUCT_OK, 0);
	oracle_return(oracle_call(LENGTH, (struct part){ .value = 1 }), DUCT_OK, 0);
	self_scripted = false;
	self_check(!oracle_allows(false), "a length that never was is allowed");
	self_check(oracle_checks == checks + 1, "%ld checks for one", oracle_checks - checks);
	self_check(oracle_visits - visits <= 1 << 12, "%ld states visited", oracle_visits - visits);
	self_check(oracle_visits - visits >= 1 << 10, "only %ld states visited", oracle_visits - visits);
}

/* What is recorded of a call and a return. */
static void records_calls_and_returns(void)
{
	const struct beginning beginning = { .capacity = { 1, 1 } };
	struct operation *first, *second;

	self_scripted = true;
	oracle_begin(&beginning);
	self_thread = 3;
	first = oracle_call(MOVE, (struct part){ .channel = 1, .value = 7 });
	self_asleep[3] = true;
	self_thread = 2;
	second = oracle_call(MOVE, (struct part){ .channel = 0 });
	oracle_return(first, DUCT_CLOSED, 2);
	self_asleep[3] = false;
	self_scripted = false;
	self_check(history_length == 2 && history_clock == 3, "%d operations at %ld", history_length, history_clock);
	self_check(first->call == 1 && second->call == 2 && first->returned == 3, "times");
	self_check(first->thread == 3 && second->thread == 2, "threads");
	self_check(first->slept == 0 && second->slept == 1, "slept: %llx", (unsigned long long)second->slept);
	self_check(first->status == DUCT_CLOSED && first->chosen == 2 && second->status == PENDING, "statuses");
	self_check(second->returned > first->returned && second->after == -1 && second->part_count == 1, "pending");
	self_check(first->parts[0].channel == 1 && first->parts[0].value == 7 && first->tokens == 0, "part");
	oracle_begin(&beginning);
	self_check(history_length == 0 && history_clock == 0, "a new history is empty");
}

static void calls_many(void)
{
	const struct beginning beginning = { .capacity = { 1, 1 } };

	oracle_begin(&beginning);
	for (int i = 0; i < MAX_OPERATIONS; i++)
		oracle_call(LENGTH, (struct part){ .channel = 0 });
	self_outcome(1);
	oracle_call(LENGTH, (struct part){ .channel = 0 });
	self_outcome(2);
}

/* One operation more than a history can hold fails the execution. */
static void refuses_what_does_not_fit(void)
{
	struct exploration exploration = { .strategy = EXPLORE_EXHAUSTIVE, .runs = 1, .max_steps = 10 };
	long first = self_shown(1), second = self_shown(2);

	explore(&exploration, calls_many);
	self_check(exploration.failed && strstr(exploration.message, "MAX_OPERATIONS") != NULL, "a history that is too long");
	self_check(self_shown(1) == first + 1 && self_shown(2) == second, "a history that just fits");
}

/* The order of service can be left out of the judgement. */
static void leaves_order_out(void)
{
	handwritten_read("1 0 | 1(r0 1z 2(r0 3s0:1 2)ok:1", false);
	self_check(!oracle_allows(false), "an overtaken sleeper is refused");
	oracle_keeps_order = false;
	self_check(oracle_allows(false), "an overtaken sleeper is allowed if order does not count");
	oracle_keeps_order = true;
}

void oracle_test(void)
{
	JUDGE(queue_lines);
	JUDGE(rendezvous_lines);
	JUDGE(select_lines);
	JUDGE(ready_lines);
	JUDGE(end_lines);
	JUDGE(drop_lines);
	JUDGE(ending_lines);
	JUDGE(order_lines);
	JUDGE(batch_lines);
	JUDGE(rest_lines);
	remembers_what_failed();
	records_calls_and_returns();
	refuses_what_does_not_fit();
	leaves_order_out();
}
