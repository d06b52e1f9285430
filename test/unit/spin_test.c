/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Spinning: how many pauses and yields a wait has before it has to sleep, and what its end teaches.
 */
#include "spin.h"

#include "desk.h"

enum { ROUNDS = 9 };

static void spin_desk_init(struct desk *desk, uint16_t pauses)
{
	desk_init(desk, 1);
	desk->queue.pauses = pauses;
}

/*
 * Steps of a wait until it is time to sleep, which it is from then on.  Where the system is so busy that a yield takes long it
 * is no use to go on: such a wait is done again from its beginning.
 */
static int spin_out(struct desk *desk, struct patience *patience)
{
	const struct op op = recv_through(&desk->rx, NULL);
	const uint16_t pausing = desk->queue.pausing.without, lasting = desk->queue.pausing.lasting;
	const uint16_t yielding = desk->queue.yielding.without;
	int steps;

	do {
		atomic_store(&desk->queue.pausing.without, pausing);
		atomic_store(&desk->queue.pausing.lasting, lasting);
		atomic_store(&desk->queue.yielding.without, yielding);
		atomic_store(&desk->queue.yielding.lasting, 0);
		*patience = (struct patience){ 0 };
		for (steps = 0; spin(&op, 1, patience) && steps < 1000;)
			steps++;
	} while (desk->queue.yielding.lasting != 0);
	CHECK(!spin(&op, 1, patience) && !spin(&op, 1, patience));
	return steps;
}

/* All rounds of pauses, then two yields. */
TEST(spin, pauses_then_yields_twice, 10)
{
	struct patience patience = { 0 };
	struct desk desk;

	spin_desk_init(&desk, ROUNDS);
	CHECK(spin_out(&desk, &patience) == ROUNDS + 2);
	CHECK(patience.rounds == ROUNDS && patience.yields == 2);
	desk_fini(&desk);
}

/* A wait for nothing has nothing to stay awake for. */
TEST(spin, for_nothing_sleeps, 5)
{
	struct patience patience = { 0 };

	CHECK(!spin(NULL, 0, &patience));
	CHECK(patience.rounds == 0 && patience.yields == 0);
}

/* One more long round costs about 64 pauses, the first ones less. */
TEST(spin, rounds_grow, 10)
{
	struct patience patience = { 0 };
	struct desk desk;
	struct op op;
	duct_time took[12], began;

	spin_desk_init(&desk, ARRAY_LEN(took));
	op = recv_through(&desk.rx, NULL);
	for (size_t i = 0; i < ARRAY_LEN(took); i++)
		took[i] = DUCT_FOREVER;
	for (int again = 0; again < 2000; again++) {
		patience = (struct patience){ 0 };
		for (size_t i = 0; i < ARRAY_LEN(took); i++) {
			began = duct_now();
			CHECK(spin(&op, 1, &patience));
			if (duct_now() - began < took[i])
				took[i] = duct_now() - began;
		}
	}
	CHECK(took[11] < 4 * took[7]); /* the least of many: the rounds are alike from the seventh on */
	CHECK(took[7] * 2 > took[3]);  /* and not shorter than early ones */
	CHECK(took[11] < 1000 * 1000); /* 64 pauses, not thousands */
	desk_fini(&desk);
}

/* Where long pauses do not pay there are short ones and yields, and each wait is counted off. */
TEST(spin, without_long_pauses, 10)
{
	struct desk desk;

	spin_desk_init(&desk, ROUNDS);
	atomic_store(&desk.queue.pausing.without, 2);
	for (int left = 1; left >= 0; left--) {
		struct patience patience = { 0 };

		CHECK(spin_out(&desk, &patience) == SHORT_ROUNDS + 2);
		CHECK(patience.rounds == NO_MORE_PAUSES && desk.queue.pausing.without == left);
		CHECK(may_pause_briefly(&patience, &desk.queue) == false);
	}
	desk_fini(&desk);
}

/* Where yields do not pay either there are few pauses. */
TEST(spin, without_yields, 10)
{
	struct patience patience = { 0 };
	struct desk desk;

	spin_desk_init(&desk, ROUNDS);
	atomic_store(&desk.queue.pausing.without, 1);
	atomic_store(&desk.queue.yielding.without, 2);
	CHECK(spin_out(&desk, &patience) == FEW_ROUNDS);
	CHECK(patience.rounds == NO_MORE_PAUSES && desk.queue.pausing.without == 0);
	CHECK(desk.queue.yielding.without == 1); /* one a wait, though it was asked three times */
	desk_fini(&desk);
}

/* Where only yields do not pay there are all pauses. */
TEST(spin, with_pauses_without_yields, 10)
{
	struct patience patience = { 0 };
	struct desk desk;

	spin_desk_init(&desk, ROUNDS);
	atomic_store(&desk.queue.yielding.without, 2);
	CHECK(spin_out(&desk, &patience) == ROUNDS && patience.rounds == ROUNDS);
	CHECK(desk.queue.yielding.without == 1);
	desk_fini(&desk);
}

/* Who has learned that peers share the processor and has paused in vain again does not yield. */
TEST(spin, shared_sleeps_after_pauses, 10)
{
	static const uint16_t lasting[] = { 0, 1998, 2000, 8192 };

	for (size_t i = 0; i < ARRAY_LEN(lasting); i++) {
		struct patience patience = { 0 };
		struct desk desk;

		spin_desk_init(&desk, ROUNDS);
		atomic_store(&desk.queue.pausing.lasting, lasting[i]); /* the trial halves it */
		CHECK(spin_out(&desk, &patience) == ROUNDS + (lasting[i] < 2000 ? 2 : 0));
		desk_fini(&desk);
	}
}

/* With one processor there are yields only, whatever was learned of pauses. */
TEST(spin, with_one_processor_yields, 10)
{
	struct patience patience = { 0 };
	struct desk desk;

	spin_desk_init(&desk, 0);
	atomic_store(&desk.queue.pausing.lasting, 8192);
	CHECK(!may_pause(&patience, &desk.queue) && !may_pause_briefly(&patience, &desk.queue));
	CHECK(spin_out(&desk, &patience) == 2 && patience.rounds == 0);
	desk_fini(&desk);
}

/* Brief are the first rounds, if there are any. */
TEST(spin, brief_is_the_beginning, 5)
{
	struct desk desk;

	spin_desk_init(&desk, ROUNDS);
	for (uint16_t rounds = 0; rounds <= ROUNDS + 1; rounds++) {
		const struct patience patience = { .rounds = rounds };

		CHECK(may_pause(&patience, &desk.queue) == (rounds < ROUNDS));
		CHECK(may_pause_briefly(&patience, &desk.queue) == (rounds < SHORT_ROUNDS));
	}
	desk_fini(&desk);
}

enum { NONE, FEW, MANY };

/* What moves during the yields of yield_fails, and through which queue. */
static struct queue *yield_queue;
static int yield_moves, yields_made;

static void pass_a_millisecond(void)
{
	const struct timespec millisecond = { .tv_nsec = 1000000 };

	yields_made++;
	CHECK(nanosleep(&millisecond, NULL) == 0);
	if (yield_moves == FEW)
		atomic_fetch_add(&yield_queue->put.at.position, 2 * 10);
	else if (yield_moves == MANY) /* more than a busy machine makes of the millisecond */
		atomic_fetch_add(&yield_queue->take.at.position, 2 * (size_t)1000000000);
}

/* Whether the lesson about yields is that one has failed, after a wait for these operations with such yields: two, or one. */
static bool yield_fails(const struct op *ops, uint32_t count)
{
	struct patience patience = { 0 };
	bool failed;

	on_yield = pass_a_millisecond;
	yields_made = 0;
	while (spin(ops, count, &patience))
		;
	on_yield = NULL;
	failed = ops[0].queue->yielding.lasting != 0;
	CHECK(yields_made == (failed ? 1 : 2));
	return failed;
}

/* A long yield did harm, unless many messages moved meanwhile; or some, all would send, and nobody sleeps for want of more. */
TEST(spin, judges_long_yields, 10)
{
	static struct node sleeper;
	static const struct {
		uint32_t count;
		bool sends[2];
		int slept_for; /* which operation's partner sleeps; -1: none */
		int moved;     /* through the last one's queue */
		bool fails;
	} yields[] = {
		{ 1, { false }, -1, NONE, true }, /* a receive */
		{ 1, { false }, -1, FEW, true },
		{ 1, { false }, -1, MANY, false },
		{ 1, { true }, -1, NONE, true }, /* a send */
		{ 1, { true }, -1, FEW, false },
		{ 1, { true }, 0, FEW, true },
		{ 1, { true }, 0, MANY, false },
		{ 2, { true, true }, -1, NONE, true }, /* a select */
		{ 2, { true, true }, -1, FEW, false },
		{ 2, { true, true }, 1, FEW, true },
		{ 2, { true, true }, 1, MANY, false },
		{ 2, { true, false }, -1, FEW, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(yields); i++) {
		struct desk desks[2];
		struct op ops[2];

		for (int k = 0; k < 2; k++) {
			spin_desk_init(&desks[k], 0);
			atomic_store(&desks[k].queue.put.at.position, 2 * (size_t)1000000000); /* before the yields */
			ops[k] = yields[i].sends[k] ? send_through(&desks[k].tx, NULL) : recv_through(&desks[k].rx, NULL);
			if (k == yields[i].slept_for)
				atomic_store(&desks[k].queue.put.waiting, &sleeper);
		}
		yield_queue = &desks[yields[i].count - 1].queue;
		yield_moves = yields[i].moved;
		CHECK(yield_fails(ops, yields[i].count) == yields[i].fails);
		for (int k = 0; k < 2; k++) {
			atomic_store(&desks[k].queue.put.waiting, NULL);
			desk_fini(&desks[k]);
		}
	}
}

/* Members of a broadcast may all have a turn meanwhile, and what moves through their gate counts, not what one of them gets. */
TEST(spin, judges_long_yields_of_members, 10)
{
	static const struct {
		uint32_t count, members; /* operations, of which the last is behind the gate */
		bool at_gate;            /* something moves there, or in the last one's own queue */
		int moved;
		bool sends; /* it is a send to the gate */
		bool fails;
	} yields[] = {
		{ 1, 0, true, NONE, false, true },
		{ 1, 10, true, NONE, false, true }, /* turns of 0.2 ms at most, and 0.2 for any yield */
		{ 1, 10, true, FEW, false, true },
		{ 1, 10, true, MANY, false, false },
		{ 1, 10, false, MANY, false, true },
		{ 1, 1000000, true, NONE, false, false },
		{ 1, 10, true, NONE, true, true },
		{ 1, 10, true, FEW, true, false },
		{ 1, 1000000, true, NONE, true, false },
		{ 2, 10, true, NONE, false, true },
		{ 2, 1000000, true, NONE, false, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(yields); i++) {
		const struct outlet outlet = { .members = yields[i].members };
		struct desk desks[2], gate;
		struct desk *last = &desks[yields[i].count - 1];
		struct op ops[2];

		spin_desk_init(&gate, 0);
		for (int k = 0; k < 2; k++) {
			spin_desk_init(&desks[k], 0);
			ops[k] = recv_through(&desks[k].rx, NULL);
		}
		gate.queue.outlet = &outlet;
		last->queue.gate = &gate.queue;
		if (yields[i].sends)
			ops[yields[i].count - 1] = send_through(&gate.tx, NULL);
		yield_queue = yields[i].at_gate ? &gate.queue : &last->queue;
		yield_moves = yields[i].moved;
		CHECK(yield_fails(ops, yields[i].count) == yields[i].fails);
		last->queue.gate = &last->queue;
		for (int k = 0; k < 2; k++)
			desk_fini(&desks[k]);
		desk_fini(&gate);
	}
}

/* The lesson about pauses is asked once in a wait, as soon as it may be: strangers may come late, or go. */
TEST(spin, asks_for_pauses_once, 5)
{
	for (uint16_t came = 0; came <= ROUNDS; came++) {
		struct patience patience = { 0 };
		struct desk desk;
		struct op op;
		/* For two rounds there are strangers. */
		const uint16_t early = came > FEW_ROUNDS ? came : FEW_ROUNDS;
		const uint16_t asked_at = early < came + 2 && early < SHORT_ROUNDS ? early : SHORT_ROUNDS;

		spin_desk_init(&desk, ROUNDS);
		atomic_store(&desk.queue.pausing.without, 10);
		op = recv_through(&desk.rx, NULL);
		for (uint16_t round = 0; round <= ROUNDS; round++) {
			atomic_store(&desk.queue.yielding.without, round >= came && round < came + 2 ? 5 : 0);
			CHECK(spin(&op, 1, &patience) || round >= asked_at);
			CHECK((patience.rounds == NO_MORE_PAUSES) == (round >= asked_at));
			CHECK(desk.queue.pausing.without == (round >= asked_at ? 9 : 10));
		}
		desk_fini(&desk);
	}
}

/* What the end of a wait teaches about long pauses: that they failed, that it should be tried again sooner, or nothing. */
TEST(spin_learn, tells_failures_and_doubts, 5)
{
	enum lesson_taught { NOTHING, FAILED, DOUBT };
	static const struct {
		struct patience patience;
		uint16_t pauses, strangers;
		enum lesson_taught taught;
	} ends[] = {
		{ { ROUNDS, 0, 0, true }, ROUNDS, 0, NOTHING },             /* met in the last round */
		{ { ROUNDS, 1, 0, true }, ROUNDS, 0, FAILED },              /* a yield helped */
		{ { ROUNDS, 2, 50000, true }, ROUNDS, 0, NOTHING },         /* a short sleep */
		{ { ROUNDS, 2, 50001, true }, ROUNDS, 0, FAILED },          /* a long one */
		{ { ROUNDS, 0, 1, true }, ROUNDS, 1, FAILED },              /* a short one, and strangers */
		{ { ROUNDS, 0, 0, true }, ROUNDS, 1, NOTHING },             /* strangers, but it was met */
		{ { ROUNDS - 1, 0, 0, true }, ROUNDS, 0, NOTHING },         /* met before */
		{ { ROUNDS - 1, 1, 60000, true }, ROUNDS, 1, NOTHING },     /* never paused to the end */
		{ { SHORT_ROUNDS, 1, 0, true }, SHORT_ROUNDS, 0, NOTHING }, /* no long pauses there */
		{ { 0, 2, 60000, true }, 0, 1, NOTHING },                   /* one processor */
		{ { NO_MORE_PAUSES, 2, 0, true }, ROUNDS, 0, NOTHING },     /* a yield helped, without pauses */
		{ { NO_MORE_PAUSES, 2, 1, true }, ROUNDS, 0, DOUBT },       /* a short sleep, without pauses */
		{ { NO_MORE_PAUSES, 2, 50000, true }, ROUNDS, 0, DOUBT },   /* the longest of those */
		{ { NO_MORE_PAUSES, 2, 1, true }, ROUNDS, 1, NOTHING },     /* a short one, and strangers */
		{ { NO_MORE_PAUSES, 2, 50001, true }, ROUNDS, 0, NOTHING }, /* a long sleep, without pauses */
		{ { 3, 0, 1, true }, ROUNDS, 0, NOTHING },                  /* a short sleep, with pauses to come */
	};

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct desk desk;

		spin_desk_init(&desk, ends[i].pauses);
		atomic_store(&desk.queue.pausing.without, 100);
		atomic_store(&desk.queue.pausing.lasting, 40);
		atomic_store(&desk.queue.yielding.without, ends[i].strangers);
		spin_learn(&desk.queue, &ends[i].patience);
		CHECK(desk.queue.pausing.lasting == (ends[i].taught == FAILED ? 336 : 40));
		CHECK(desk.queue.pausing.without == (ends[i].taught == FAILED ? 336 : ends[i].taught == DOUBT ? 50 : 100));
		desk_fini(&desk);
	}
}
