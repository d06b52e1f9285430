/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Programs of sources that are run under all schedules up to a number of preemptions.
 */
#include "listed.h"

#include <stddef.h>

/* Each found a bug once, or stands for a rule of its own. */
/* clang-format off */
const char *const listed_programs[] = {
	/* a send and a receive meet in each kind of source */
	"0 0 0 0 M(ab) sa|rR",
	"1 1 0 0 M(ab) sa|rR|sb",
	"1 1 1 0 M(ab) sa|trR trR",
	"0 0 0 0 Fa sa sa|rR",
	"1 0 1 0 Fa sa|rR",
	"0 0 0 0 Pa sa|urR",
	"1 0 0 0 Qa sa|rR",
	"1 0 0 0 Va sa sa|rR rR",
	"1 0 1 0 Da sa sa|rR",
	"1 1 1 0 Da sb sa|pw[rR]|rR qd",
	"1 1 1 1 Wb sb sb|rR|rR",
	"2 0 2 0 PFVa rR|rR",
	"1 1 1 1 M(FaPb) rR|rR",
	"1 1 1 0 FM(ab) sb|rR|rd",
	"1 1 1 1 M(M(ab)n) nR*1-2|rR",
	"1 0 1 0 Fa nR*0-2|sa sa",
	/* channels of one message */
	"o 1 0 0 Pa sa|rR rR",
	"o 1 0 0 Pa rd|sa",
	"o 0 0 0 M(ab) sa|rR|rd",
	"o o 0 0 M(ab) [sarR]|rR|sb",
	"o 1 0 0 Fa sa|qR|tsa",
	/* ticks */
	"1 1 0 0 M(at) g4|rR",
	"1 1 0 0 Pt g9|rR rR",
	"1 1 0 0 Ft g5|rR|g4",
	"1 1 0 0 M(at) g4|qR|qR",
	"1 1 0 0 Pt g4 o|urR",
	"1 1 0 0 Pt g8|o|rR",
	"1 1 0 0 Pt rR|rR|g4 g4",
	"1 1 0 0 Wt g4|rR|z",
	"1 1 0 0 Pt g4 w[rR]|o trR",
	"1 1 0 0 Pt g5 o g3|trR trR",
	/* waits that take in order to know */
	"1 0 0 0 Fa sa|qR",
	"0 0 0 0 Fa sa sa|qR",
	"1 0 1 0 Fa qR|rR|sa",
	"1 1 0 1 Wb qR|rR",
	"0 1 0 0 Fb qR|sb|uqR",
	"0 0 0 0 M(Fab) qR|qR|sa",
	"1 0 0 0 Va w[rRrd]|sa|rR",
	"1 0 0 0 Fa w[sarR]|uw[sarR]|sa",
	"2 0 1 0 Fa qR|sa|fR",
	"1 0 0 0 Fa cqR|k|sa",
	/* selects */
	"0 0 0 0 M(ab) [rRrdre]|sa|i",
	"0 0 0 0 M(ab) [sarR]|[sarR]",
	"0 0 0 0 Fa [sarR]|rd",
	"1 1 1 0 M(ab) p[rdrR]|rR",
	"1 1 1 0 M(Fab) t[rRre]|i",
	"1 1 0 0 M(ab) [rRre]|z|i",
	/* ends */
	"1 1 0 0 M(ab) xa|xb|rR",
	"1 1 1 0 M(ab) xa|rR rR|xb",
	"0 0 0 0 Fa sa|xa|rR",
	"0 0 0 0 PM(ab) rR|z",
	"0 0 0 0 Fb sb|z|rR",
	"1 1 1 1 M(ab) rR|z|rd",
	"1 1 0 0 Wb sb|xb|rR",
	"0 0 0 0 Fa rR|fR",
	"0 0 0 0 M(ab) [rR]|fR",
	"1 0 0 0 Pa f'|crR|fR",
	"1 0 0 0 Pa crR|k y",
	"1 0 0 0 M(a) crR|y|+b",
	"0 1 0 0 M(a) qR|fR",
	"0 0 0 0 M(ab) f'|fR|rR",
	"1 1 0 0 Qt qR|fR o",
	/* sources that come and go */
	"1 1 0 1 M(a) +b|rR",
	"1 1 0 0 M(a) +b|rR|sb",
	"0 0 0 0 M(a) +b|qR|sb",
	"1 1 1 0 M(ab) -|rR|sb",
	"0 0 0 0 M(a) -|rR|sa",
	"1 1 1 0 M(Fab) =|rR|sb",
	"1 0 0 0 M(a) =|qR|sa",
	"1 1 0 0 M(b) -|fR|rR",
	"1 1 0 0 M(b) -|z|rR",
	"0 1 0 0 M(b) xb|+a|rR",
	"1 1 0 0 M(a) +b|+b|rR",
	/* something fails */
	"~1 0 0 0 Va sa|rR",
	"~0 0 0 0 Fa sa|rR|rR",
	"~0 0 0 0 M(a) +b|rR",
	"~1 0 1 0 Fa qR|rd",
	/* borrowed */
	"0 0 0 0 Pd rR|rd|sa",
	"1 1 1 0 M(Fdb) qR|rd|z",
	"1 0 0 0 Fd qR|z|sa",
	"2 1 2 1 Wd rR rR rR|qR|sa sa",
	/* each found a bug */
	"1 0 0 0 Wb w[rR] sb|w[rR]|sb",
	"1 0 0 0 Wt qR|z",
	"0 2 0 2 Vb qR|uw[rRrR]|rR",
	NULL
};

const char *const listed_smallest[] = {
	"1 1 0 0 M(ab) xa|rR|rR",
	"0 0 0 0 Fb sb|z",
	"1 0 1 0 Fa qR|z trR",
	"1 0 1 0 Fa qR|z trR|qR",
	"1 1 0 0 Qt qR|fR o",
	"1 0 1 0 Fa w[rR]|z trR",
	"1 2 1 1 Wb sb sb|rR rR rR",
	"1 1 1 1 Fb qR|sb",
	"0 0 0 0 Fa qR|qR|sa sa sa",
	"2 0 2 0 Va rR|rR",
	"1 1 0 0 Pt g4|rR|rR",
	NULL
};
/* clang-format on */

const struct pair listed_pairs[] = { { NULL, NULL } };
