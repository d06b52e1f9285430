/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Timers: when they tick and how late, by a clock that is set by hand, so that all times are exact and nobody sleeps; what sets
 * them anew, stops them and starts them; and a few by the real clock, with wide bounds.
 */
#include "crowd.h"

#include <time.h>

/* Milliseconds. */
#define MS(count_) ((count_)*INT64_C(1000000))

static duct_clock *clock_at(duct_time now)
{
	duct_clock *clock;

	CHECK_STATUS(duct_clock_new(&clock, now), DUCT_OK);
	return clock;
}

/* Never back. */
static void go_to(duct_clock *clock, duct_time at)
{
	CHECK_STATUS(duct_clock_advance(clock, at - duct_clock_now(clock)), DUCT_OK);
	CHECK(duct_clock_now(clock) == at);
}

static duct_receiver *timer_of(int64_t interval, const duct_timer_options *options)
{
	duct_receiver *timer;

	CHECK_STATUS(duct_timer_new(&timer, interval, options), DUCT_OK);
	return timer;
}

/* There is a tick now, so late. */
static bool ticks(duct_receiver *timer, int64_t expected)
{
	int64_t late = -1;
	duct_status status = duct_try_recv(timer, &late);

	if (status != DUCT_OK || late != expected)
		fprintf(stderr, "a tick %lld late was to come: %s, %lld\n", (long long)expected, duct_strerror(status),
		    (long long)late);
	return status == DUCT_OK && late == expected;
}

/* There is none: a try comes to that status, and writes nothing. */
static bool comes_to(duct_receiver *timer, duct_status expected)
{
	int64_t late = -77;
	duct_status status = duct_try_recv(timer, &late);

	if (status != expected || late != -77)
		fprintf(stderr, "%s was to come: %s, %lld\n", duct_strerror(expected), duct_strerror(status), (long long)late);
	return status == expected && late == -77;
}

static bool is_silent(duct_receiver *timer)
{
	return comes_to(timer, DUCT_EMPTY);
}

/* It ticks at that time and not a nanosecond before. */
static bool ticks_at(duct_receiver *timer, duct_clock *clock, duct_time at)
{
	go_to(clock, at - 1);
	if (!is_silent(timer))
		return false;
	go_to(clock, at);
	return ticks(timer, 0) && is_silent(timer);
}

/* A thread that waits for one tick, in a select with a channel by which others see it in line. */
struct sitter {
	duct_receiver *timer;
	struct test_pair beside;
	int64_t late;
	duct_status status;
	atomic_bool done;
	pthread_t thread;
};

static void *sit(void *argument)
{
	struct sitter *sitter = argument;
	duct_case cases[] = { DUCT_RECV(sitter->timer, &sitter->late), DUCT_RECV(sitter->beside.rx, NULL) };
	size_t chosen;

	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	CHECK(chosen == 0);
	sitter->status = cases[0].status;
	atomic_store(&sitter->done, true);
	return NULL;
}

static void await_in_line(const struct sitter *sitter)
{
	AWAIT(duct_channel_waiting_receivers(sitter->beside.channel) == 1);
	CHECK(!atomic_load(&sitter->done));
}

static void sitter_start(struct sitter *sitter, duct_receiver *timer)
{
	*sitter = (struct sitter){ .timer = timer, .beside = test_pair_new(0, 1), .late = -77 };
	sitter->thread = test_start(sit, sitter);
	await_in_line(sitter);
}

static duct_status sitter_end(struct sitter *sitter)
{
	test_join(sitter->thread);
	test_pair_free(&sitter->beside);
	return sitter->status;
}

/* It got a tick, so late. */
static bool got(struct sitter *sitter, int64_t late)
{
	return sitter_end(sitter) == DUCT_OK && sitter->late == late;
}

/* ---- Clocks ---------------------------------------------------------------------------------------------------- */

/* It begins where it is told to and goes forward, to the end of time at most, and never further. */
TEST(clock, goes_forward, 5)
{
	duct_clock *clock = clock_at(0), *late = clock_at(DUCT_FOREVER - 3);

	CHECK(duct_clock_now(clock) == 0);
	CHECK_STATUS(duct_clock_advance(clock, 5), DUCT_OK);
	CHECK_STATUS(duct_clock_advance(clock, 0), DUCT_OK);
	CHECK(duct_clock_now(clock) == 5);
	CHECK_STATUS(duct_clock_advance(clock, INT64_MAX), DUCT_OK);
	CHECK(duct_clock_now(clock) == DUCT_FOREVER - 1);
	CHECK_STATUS(duct_clock_advance(late, 2), DUCT_OK);
	CHECK(duct_clock_now(late) == DUCT_FOREVER - 1);
	CHECK_STATUS(duct_clock_advance(late, 1), DUCT_OK);
	CHECK(duct_clock_now(late) == DUCT_FOREVER - 1);
	duct_clock_free(clock);
	duct_clock_free(late);
}

/* What can never work is refused, and changes nothing.  That includes to begin after the end of time. */
TEST(clock, refuses_what_can_never_work, 5)
{
	duct_clock *clock = NULL;

	CHECK_STATUS(duct_clock_new(NULL, 0), DUCT_INVALID);
	CHECK_STATUS(duct_clock_new(&clock, -1), DUCT_INVALID);
	CHECK_STATUS(duct_clock_new(&clock, DUCT_FOREVER), DUCT_INVALID);
	CHECK(clock == NULL);
	clock = clock_at(7);
	CHECK_STATUS(duct_clock_advance(NULL, 1), DUCT_INVALID);
	CHECK_STATUS(duct_clock_advance(clock, -1), DUCT_INVALID);
	CHECK(duct_clock_now(clock) == 7);
	duct_clock_free(clock);
	duct_clock_free(NULL);
}

/* No clock is the real one. */
TEST(clock, of_null_is_the_real_one, 5)
{
	duct_time before = duct_now(), now = duct_clock_now(NULL);

	CHECK(before <= now && now <= duct_now());
}

/* A timer keeps its clock, whose last handle may be freed first. */
TEST(clock, is_kept_by_its_timers, 5)
{
	duct_clock *clock = clock_at(MS(500));
	duct_receiver *timer = timer_of(MS(1000), DUCT_TIMER(.clock = clock)),
		      *other = timer_of(MS(1000), DUCT_TIMER(.clock = clock));

	go_to(clock, MS(1500));
	duct_clock_free(clock);
	CHECK(ticks(timer, 0) && is_silent(timer));
	duct_receiver_free(timer);
	CHECK_STATUS(duct_timer_reset(other, 0, 0, true), DUCT_OK);
	CHECK(ticks(other, 0));
	duct_receiver_free(other);
}

/* Timers go by their own clock only, whichever of them are freed meanwhile. */
TEST(clock, moves_its_own_timers_only, 5)
{
	duct_clock *clock = clock_at(0), *other = clock_at(MS(1));
	duct_receiver *timers[4], *stranger = timer_of(MS(10), DUCT_TIMER(.clock = other));
	struct sitter sitters[2];

	for (size_t i = 0; i < 4; i++)
		timers[i] = timer_of(MS(10), DUCT_TIMER(.clock = clock));
	duct_receiver_free(timers[1]);
	duct_receiver_free(timers[3]);
	sitter_start(&sitters[0], timers[0]);
	sitter_start(&sitters[1], timers[2]);
	go_to(clock, MS(10));
	CHECK(got(&sitters[0], 0) && got(&sitters[1], 0) && is_silent(stranger));
	duct_receiver_free(timers[2]);
	CHECK(ticks_at(timers[0], clock, MS(20)));
	duct_receiver_free(timers[0]);
	CHECK(ticks_at(stranger, other, MS(11)));
	go_to(clock, MS(30));
	duct_receiver_free(stranger);
	duct_clock_free(clock);
	duct_clock_free(other);
}

struct coming {
	duct_clock *clock;
	atomic_bool over;
};

static void *come_and_go_by(void *argument)
{
	struct coming *coming = argument;

	while (!atomic_load(&coming->over)) {
		duct_receiver *timer = timer_of(1, DUCT_TIMER(.clock = coming->clock));
		int64_t late;
		duct_status status = duct_try_recv(timer, &late);

		CHECK(status == DUCT_OK || status == DUCT_EMPTY);
		duct_receiver_free(timer);
	}
	return NULL;
}

/* Timers are made and freed while their clock is set: for the race detectors. */
TEST(clock, is_set_while_timers_come_and_go, 20)
{
	struct coming coming = { .clock = clock_at(0) };
	pthread_t threads[2];

	for (size_t i = 0; i < 2; i++)
		threads[i] = test_start(come_and_go_by, &coming);
	for (int n = 0; n < 500; n++) {
		CHECK_STATUS(duct_clock_advance(coming.clock, 1), DUCT_OK);
		sched_yield();
	}
	atomic_store(&coming.over, true);
	for (size_t i = 0; i < 2; i++)
		test_join(threads[i]);
	CHECK(duct_clock_now(coming.clock) == 500);
	duct_clock_free(coming.clock);
}

/* ---- When it ticks --------------------------------------------------------------------------------------------- */

enum form { TRY, PLAIN, UNTIL, BATCH, WAITED, READY, SELECTED, FORMS };

/* Receives a tick that is there, in any way. */
static duct_status receive(duct_receiver *timer, enum form form, int64_t *late)
{
	duct_case cases[] = { DUCT_RECV(timer, late) };
	size_t chosen;

	switch (form) {
	case PLAIN:
		return duct_recv(timer, late);
	case UNTIL:
		return duct_recv_until(timer, late, 0, NULL);
	case BATCH:
		return duct_recv_many(timer, late, 1, 1, NULL, DUCT_FOREVER, NULL);
	case WAITED:
		CHECK_STATUS(duct_receiver_wait(timer, DUCT_FOREVER, NULL), DUCT_OK);
		return duct_recv(timer, late);
	case READY:
		CHECK_STATUS(duct_select_until(cases, 1, &chosen, DUCT_READY, DUCT_FOREVER, NULL), DUCT_OK);
		return duct_try_recv(timer, late);
	case SELECTED:
		return duct_select(cases, 1, &chosen);
	default:
		return duct_try_recv(timer, late);
	}
}

/* When somebody comes, how late the tick is that is found, and when the next one is due. */
struct arrival {
	duct_time at;
	int64_t late;
	duct_time next;
};

static bool goes_so(const duct_timer_options *rules, enum form form, const struct arrival *arrivals, size_t count)
{
	duct_clock *clock = clock_at(0);
	duct_timer_options options = *rules;
	duct_receiver *timer;
	bool right = true;

	options.clock = clock;
	timer = timer_of(MS(1000), &options);
	for (size_t i = 0; right && i < count; i++) {
		int64_t late = -1;

		go_to(clock, arrivals[i].at);
		right = receive(timer, form, &late) == DUCT_OK && late == arrivals[i].late;
		if (arrivals[i].next <= arrivals[i].at)
			continue;
		go_to(clock, arrivals[i].next - 1);
		right = right && is_silent(timer);
		if (!right)
			fprintf(stderr, "form %d, arrival %d: %lld late\n", (int)form, (int)i, (long long)late);
	}
	duct_receiver_free(timer);
	duct_clock_free(clock);
	return right;
}

/* One reader, who comes late and too late, in each way of receiving: what each policy makes of it. */
TEST(timer, ticks_after_late_readers_as_its_policy_says, 10)
{
	static const struct arrival all[] = { { MS(1200), MS(200), MS(2000) }, { MS(2300), MS(300), MS(3000) },
		{ MS(4300), MS(1300), MS(4000) }, { MS(4300), MS(300), MS(5000) }, { MS(5100), MS(100), MS(6000) },
		{ MS(6000), 0, MS(7000) } };
	static const struct arrival resync[] = { { MS(1200), MS(200), MS(2000) }, { MS(2300), MS(300), MS(3000) },
		{ MS(4300), MS(1300), MS(5000) }, { MS(5100), MS(100), MS(6000) }, { MS(6000), 0, MS(7000) } };
	static const struct arrival drift[] = { { MS(1200), MS(200), MS(2200) }, { MS(2300), MS(100), MS(3200) },
		{ MS(4300), MS(1100), MS(5300) }, { MS(5300), 0, MS(6300) }, { MS(6300), 0, MS(7300) } };

	for (enum form form = TRY; form < FORMS; form++) {
		CHECK(goes_so(DUCT_TIMER(.missed = DUCT_TRIGGER_ALL), form, all, ARRAY_LEN(all)));
		CHECK(goes_so(DUCT_TIMER(.missed = DUCT_SKIP_AND_RESYNC), form, resync, ARRAY_LEN(resync)));
		CHECK(goes_so(DUCT_TIMER(.missed = DUCT_SKIP_AND_DRIFT, .tolerance = MS(100)), form, drift, ARRAY_LEN(drift)));
	}
}

/* All that is missed comes, at one instant, and then it is on time again. */
TEST(timer, that_triggers_all_catches_up, 5)
{
	static const struct arrival little[] = { { MS(1000), 0, MS(2000) }, { MS(2100), MS(100), MS(3000) },
		{ MS(3000), 0, MS(4000) } };
	static const struct arrival two[] = { { MS(1000), 0, MS(2000) }, { MS(3000), MS(1000), MS(3000) },
		{ MS(3000), 0, MS(4000) } };
	static const struct arrival many[] = { { MS(1000), 0, MS(2000) }, { MS(6100), MS(4100), 0 }, { MS(6100), MS(3100), 0 },
		{ MS(6100), MS(2100), 0 }, { MS(6100), MS(1100), 0 }, { MS(6100), MS(100), MS(7000) },
		{ MS(7000), 0, MS(8000) } };

	CHECK(goes_so(DUCT_TIMER(.missed = DUCT_TRIGGER_ALL), TRY, little, ARRAY_LEN(little)));
	CHECK(goes_so(DUCT_TIMER(.missed = DUCT_TRIGGER_ALL), TRY, two, ARRAY_LEN(two)));
	CHECK(goes_so(DUCT_TIMER(.missed = DUCT_TRIGGER_ALL), TRY, many, ARRAY_LEN(many)));
}

/* What is missed does not come; the next one is a whole number of intervals later. */
TEST(timer, that_resyncs_keeps_in_step, 5)
{
	static const struct arrival two[] = { { MS(1000), 0, MS(2000) }, { MS(3000), MS(1000), MS(4000) },
		{ MS(4000), 0, MS(5000) } };
	static const struct arrival many[] = { { MS(1000), 0, MS(2000) }, { MS(6800), MS(4800), MS(7000) },
		{ MS(7000), 0, MS(8000) } };

	CHECK(goes_so(DUCT_TIMER(.missed = DUCT_SKIP_AND_RESYNC), TRY, two, ARRAY_LEN(two)));
	CHECK(goes_so(DUCT_TIMER(.missed = DUCT_SKIP_AND_RESYNC), TRY, many, ARRAY_LEN(many)));
}

/* As late as is tolerated nothing moves; later than that, all that follows does. */
TEST(timer, that_drifts_moves_when_it_is_late, 5)
{
	static const struct arrival arrivals[] = { { MS(1000), 0, MS(2000) }, { MS(2100), MS(100), MS(3000) },
		{ MS(3000), 0, MS(4000) }, { MS(4200), MS(200), MS(5200) }, { MS(5200), 0, MS(6200) },
		{ MS(7200), MS(1000), MS(8200) }, { MS(8200), 0, MS(9200) }, { MS(13301), MS(4101), MS(14301) },
		{ MS(14301), 0, MS(15301) } };

	CHECK(goes_so(DUCT_TIMER(.missed = DUCT_SKIP_AND_DRIFT, .tolerance = MS(100)), TRY, arrivals, ARRAY_LEN(arrivals)));
}

/* It runs from when it is made, and tells what it was made with. */
TEST(timer, runs_when_it_is_made, 5)
{
	duct_receiver *plain = timer_of(MS(1000), NULL), *resyncs = timer_of(1, DUCT_TIMER(.missed = DUCT_SKIP_AND_RESYNC));

	CHECK(duct_timer_is_running(plain) && duct_timer_interval(plain) == MS(1000));
	CHECK(duct_timer_missed(plain) == DUCT_TRIGGER_ALL && duct_receiver_len(plain) == 0);
	CHECK(duct_timer_is_running(resyncs) && duct_timer_interval(resyncs) == 1);
	CHECK(duct_timer_missed(resyncs) == DUCT_SKIP_AND_RESYNC);
	duct_receiver_free(plain);
	duct_receiver_free(resyncs);
}

/* Its name is the one that it is given, which is copied, or made from its kind. */
TEST(timer, has_a_name, 5)
{
	char name[] = "heartbeat", line[100];
	duct_receiver *named = timer_of(1, DUCT_TIMER(.name = name)), *other = timer_of(MS(1000), NULL);

	name[0] = 'b';
	CHECK(strcmp(duct_receiver_name(named), "heartbeat") == 0);
	CHECK(strncmp(duct_receiver_name(other), "timer-", 6) == 0);
	duct_receiver_close(named);
	CHECK(duct_receiver_describe(named, line, sizeof line) < sizeof line);
	CHECK(strcmp(line, "timer heartbeat: 0 messages of 8 bytes, closed") == 0);
	duct_receiver_free(named);
	duct_receiver_free(other);
}

/* A first tick an interval after it was made, to the nanosecond; and so on. */
TEST(timer, ticks_an_interval_after_its_start, 5)
{
	duct_clock *clock = clock_at(MS(7));
	duct_receiver *timer = timer_of(MS(1000), DUCT_TIMER(.clock = clock));

	go_to(clock, MS(507));
	CHECK(is_silent(timer) && ticks_at(timer, clock, MS(1007)) && ticks_at(timer, clock, MS(2007)));
	duct_receiver_free(timer);
	duct_clock_free(clock);
}

/* A delay goes ahead of the first interval, or of the first tick if that comes at the start. */
TEST(timer, may_begin_later_or_tick_at_once, 5)
{
	duct_clock *clock = clock_at(0);
	duct_receiver *delayed = timer_of(MS(1000), DUCT_TIMER(.clock = clock, .start_delay = MS(500))),
		      *at_start = timer_of(MS(1000), DUCT_TIMER(.clock = clock, .tick_at_start = true)),
		      *both = timer_of(MS(1000), DUCT_TIMER(.clock = clock, .start_delay = MS(500), .tick_at_start = true)),
		      *now = timer_of(MS(1000), DUCT_TIMER(.clock = clock, .start_delay = MS(500), .tick_now = true));

	CHECK(ticks(at_start, 0) && is_silent(at_start) && is_silent(both) && is_silent(delayed));
	CHECK(duct_receiver_len(now) == 1 && ticks(now, 0) && is_silent(now) && duct_receiver_len(now) == 0);
	CHECK(ticks_at(both, clock, MS(500)));
	CHECK(ticks_at(at_start, clock, MS(1000)));
	CHECK(ticks_at(delayed, clock, MS(1500)) && ticks(both, 0) && ticks(now, 0));
	CHECK(ticks_at(delayed, clock, MS(2500)) && ticks(both, 0) && ticks(now, 0) && ticks(at_start, MS(500)));
	duct_receiver_free(delayed);
	duct_receiver_free(at_start);
	duct_receiver_free(both);
	duct_receiver_free(now);
	duct_clock_free(clock);
}

/* It may start at a time of its own, to come or past, from which all the rest counts. */
TEST(timer, may_start_at_another_time, 5)
{
	duct_clock *clock = clock_at(MS(1000));
	duct_receiver *to_come = timer_of(MS(100), DUCT_TIMER(.clock = clock, .start_at = MS(2000))),
		      *past = timer_of(MS(300), DUCT_TIMER(.clock = clock, .start_at = MS(250))),
		      *in_step = timer_of(MS(300), DUCT_TIMER(.clock = clock, .start_at = MS(250),
						       .missed = DUCT_SKIP_AND_RESYNC, .tick_at_start = true)),
		      *delayed = timer_of(MS(100), DUCT_TIMER(.clock = clock, .start_at = MS(2000), .start_delay = MS(7)));

	CHECK(ticks(past, MS(450)) && ticks(past, MS(150)) && is_silent(past));
	CHECK(ticks(in_step, MS(750)) && is_silent(in_step) && ticks_at(in_step, clock, MS(1150)) && ticks(past, 0));
	CHECK(ticks_at(to_come, clock, MS(2100)) && ticks_at(delayed, clock, MS(2107)));
	duct_receiver_free(to_come);
	duct_receiver_free(past);
	duct_receiver_free(in_step);
	duct_receiver_free(delayed);
	duct_clock_free(clock);
}

/* What does not fit into time never comes. */
TEST(timer, beyond_the_end_of_time_never_ticks, 5)
{
	duct_clock *clock = clock_at(MS(1));
	duct_receiver *timers[] = { timer_of(INT64_MAX, DUCT_TIMER(.clock = clock)),
		timer_of(1, DUCT_TIMER(.clock = clock, .start_delay = INT64_MAX)),
		timer_of(INT64_MAX, DUCT_TIMER(.clock = clock, .start_delay = INT64_MAX)),
		timer_of(1, DUCT_TIMER(.clock = clock, .start_at = INT64_MAX)), NULL, NULL };

	CHECK_STATUS(duct_timer_at(&timers[4], DUCT_FOREVER, DUCT_TIMER(.clock = clock)), DUCT_OK);
	CHECK_STATUS(duct_timer_after(&timers[5], INT64_MAX, DUCT_TIMER(.clock = clock)), DUCT_OK);
	CHECK_STATUS(duct_clock_advance(clock, INT64_MAX), DUCT_OK);
	for (size_t i = 0; i < ARRAY_LEN(timers); i++) {
		CHECK(is_silent(timers[i]) && duct_timer_is_running(timers[i]));
		duct_receiver_free(timers[i]);
	}
	duct_clock_free(clock);
}

/* ---- First use ------------------------------------------------------------------------------------------------- */

static void use(duct_receiver *timer, enum form form)
{
	duct_case cases[] = { DUCT_RECV(timer, NULL) };
	size_t chosen = 77;
	int64_t late = -77;

	cases[0].message = &late;
	if (form == UNTIL)
		CHECK_STATUS(duct_recv_until(timer, &late, 0, NULL), DUCT_TIMEDOUT);
	else if (form == BATCH)
		CHECK_STATUS(duct_recv_many(timer, &late, 0, 1, NULL, 0, NULL), DUCT_EMPTY);
	else if (form == WAITED)
		CHECK_STATUS(duct_receiver_wait(timer, 0, NULL), DUCT_TIMEDOUT);
	else if (form == READY)
		CHECK_STATUS(duct_select_until(cases, 1, &chosen, DUCT_READY, 0, NULL), DUCT_TIMEDOUT);
	else if (form == SELECTED)
		CHECK_STATUS(duct_try_select(cases, 1, &chosen), DUCT_EMPTY);
	else
		CHECK(is_silent(timer));
	CHECK(chosen == 77 && late == -77);
}

/* A timer that starts later does so when it is first used, in any way but by being asked for its state. */
TEST(timer_that_starts_later, starts_with_its_first_use, 5)
{
	for (enum form form = TRY; form < FORMS; form++) {
		duct_clock *clock = clock_at(0);
		duct_receiver *timer = timer_of(MS(1000), DUCT_TIMER(.clock = clock, .start_later = true));

		go_to(clock, MS(500));
		CHECK(!duct_timer_is_running(timer) && duct_receiver_len(timer) == 0 && !duct_receiver_is_closed(timer));
		CHECK(duct_timer_interval(timer) == MS(1000) && !duct_timer_is_running(timer));
		use(timer, form);
		CHECK(duct_timer_is_running(timer) && ticks_at(timer, clock, MS(1500)));
		duct_receiver_free(timer);
		duct_clock_free(clock);
	}
}

/* So does a wait, and a reset. */
TEST(timer_that_starts_later, starts_with_a_wait_or_a_reset, 5)
{
	duct_clock *clock = clock_at(0);
	duct_receiver *timer = timer_of(MS(1000), DUCT_TIMER(.clock = clock, .start_later = true)),
		      *other = timer_of(MS(1000), DUCT_TIMER(.clock = clock, .start_later = true));
	struct sitter sitter;

	go_to(clock, MS(500));
	CHECK_STATUS(duct_timer_reset(other, 0, 0, false), DUCT_OK);
	CHECK(duct_timer_is_running(other));
	sitter_start(&sitter, timer);
	CHECK(duct_timer_is_running(timer));
	go_to(clock, MS(1499));
	await_in_line(&sitter);
	go_to(clock, MS(1500));
	CHECK(got(&sitter, 0) && ticks(other, 0) && is_silent(other));
	duct_receiver_free(timer);
	duct_receiver_free(other);
	duct_clock_free(clock);
}

/* One that was closed before it started stays so until it is reset. */
TEST(timer_that_starts_later, may_be_closed_before, 5)
{
	duct_clock *clock = clock_at(0);
	duct_receiver *timer = timer_of(MS(1000), DUCT_TIMER(.clock = clock, .start_later = true));

	duct_receiver_close(timer);
	CHECK(comes_to(timer, DUCT_CLOSED) && !duct_timer_is_running(timer));
	go_to(clock, MS(5000));
	CHECK(comes_to(timer, DUCT_CLOSED) && !duct_timer_is_running(timer));
	CHECK_STATUS(duct_timer_reset(timer, 0, 0, false), DUCT_OK);
	CHECK(duct_timer_is_running(timer) && ticks_at(timer, clock, MS(6000)));
	duct_receiver_free(timer);
	duct_clock_free(clock);
}

/* ---- Rules of the caller --------------------------------------------------------------------------------------- */

struct rule {
	duct_receiver *timer;
	duct_clock *clock;
	duct_time now, scheduled, answer;
	int64_t interval;
	int calls, cancel_state;
	void (*act)(struct rule *rule);
};

static duct_time ask(duct_time now, duct_time scheduled, int64_t interval, void *context)
{
	struct rule *rule = context;

	rule->now = now;
	rule->scheduled = scheduled;
	rule->interval = interval;
	rule->calls++;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &rule->cancel_state);
	pthread_setcancelstate(rule->cancel_state, NULL);
	if (rule->act != NULL)
		rule->act(rule);
	return rule->answer;
}

static void rule_begin(struct rule *rule, void (*act)(struct rule *rule))
{
	*rule = (struct rule){ .clock = clock_at(0), .act = act };
	rule->timer = timer_of(MS(10), DUCT_TIMER(.clock = rule->clock, .next = ask, .context = rule));
}

static void rule_end(struct rule *rule)
{
	duct_receiver_free(rule->timer);
	duct_clock_free(rule->clock);
}

/* It is told what there is to tell, with thread cancellation held off, and what it answers is when the next tick is due. */
TEST(timer_rule, decides_when_to_tick_next, 5)
{
	struct rule rule;
	int state;

	rule_begin(&rule, NULL);
	CHECK(is_silent(rule.timer) && rule.calls == 0);
	go_to(rule.clock, MS(13));
	rule.answer = MS(14) + 5;
	CHECK(ticks(rule.timer, MS(3)) && is_silent(rule.timer) && rule.calls == 1);
	CHECK(rule.now == MS(13) && rule.scheduled == MS(10) && rule.interval == MS(10));
	CHECK(rule.cancel_state == PTHREAD_CANCEL_DISABLE);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
	CHECK(state == PTHREAD_CANCEL_ENABLE);
	rule.answer = DUCT_FOREVER;
	CHECK(ticks_at(rule.timer, rule.clock, MS(14) + 5) && rule.calls == 2);
	go_to(rule.clock, MS(1000000));
	CHECK(is_silent(rule.timer) && rule.calls == 2);
	rule_end(&rule);
}

/* What is not after the tick that was due counts as one nanosecond after it; what is past already is due. */
TEST(timer_rule, cannot_go_back, 5)
{
	static const duct_time answers[] = { 0, -1, INT64_MIN, 1, MS(10), MS(10) + 1 };

	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct rule rule;

		rule_begin(&rule, NULL);
		go_to(rule.clock, MS(20));
		rule.answer = answers[i];
		CHECK(ticks(rule.timer, MS(10)));
		rule.answer = DUCT_FOREVER;
		CHECK(ticks(rule.timer, MS(10) - 1) && rule.scheduled == MS(10) + 1 && is_silent(rule.timer));
		rule_end(&rule);
	}
}

static void reset_once(struct rule *rule)
{
	rule->act = NULL;
	CHECK_STATUS(duct_timer_reset(rule->timer, MS(7), 0, true), DUCT_OK);
}

/* A rule that sets its timer anew: then its answer does not count, not even where the new tick is due when the old one was. */
TEST(timer_rule, may_set_its_timer_anew, 5)
{
	struct rule rule;

	rule_begin(&rule, reset_once);
	go_to(rule.clock, MS(10));
	rule.answer = MS(500);
	CHECK(ticks(rule.timer, 0) && is_silent(rule.timer) && rule.calls == 2);
	CHECK(rule.interval == MS(7) && rule.scheduled == MS(10));
	CHECK(ticks_at(rule.timer, rule.clock, MS(500)));
	rule_end(&rule);
}

static void close_it(struct rule *rule)
{
	duct_receiver_close(rule->timer);
}

/* One that closes it: there is no tick any more, and it is not asked again. */
TEST(timer_rule, may_close_its_timer, 5)
{
	struct rule rule;

	rule_begin(&rule, close_it);
	go_to(rule.clock, MS(10));
	CHECK(comes_to(rule.timer, DUCT_CLOSED) && rule.calls == 1 && duct_receiver_len(rule.timer) == 0);
	go_to(rule.clock, MS(20));
	CHECK(comes_to(rule.timer, DUCT_CLOSED) && rule.calls == 1);
	rule_end(&rule);
}

static void free_it(struct rule *rule)
{
	duct_receiver_free(rule->timer);
	rule->timer = NULL;
}

/* One that frees it: the call that is under way keeps it until it returns. */
TEST(timer_rule, may_free_its_timer, 5)
{
	struct rule rule;
	int64_t late = -77;

	rule_begin(&rule, free_it);
	go_to(rule.clock, MS(10));
	CHECK_STATUS(duct_recv(rule.timer, &late), DUCT_CLOSED);
	CHECK(late == -77 && rule.calls == 1);
	rule_end(&rule);
}

static void receive_once(struct rule *rule)
{
	rule->act = NULL;
	CHECK(ticks(rule->timer, 0));
}

/* One that receives the very tick that it is asked about: it is received once. */
TEST(timer_rule, may_receive_from_its_timer, 5)
{
	struct rule rule;

	rule_begin(&rule, receive_once);
	go_to(rule.clock, MS(10));
	rule.answer = MS(20);
	CHECK(is_silent(rule.timer) && rule.calls == 2);
	CHECK(ticks_at(rule.timer, rule.clock, MS(20)));
	rule_end(&rule);
}

static void see_once(struct rule *rule)
{
	rule->act = NULL;
	CHECK_STATUS(duct_receiver_wait(rule->timer, 0, NULL), DUCT_OK);
}

/* Or only sees to it that it is there. */
TEST(timer_rule, may_wait_for_its_timer, 5)
{
	struct rule rule;

	rule_begin(&rule, see_once);
	go_to(rule.clock, MS(10));
	rule.answer = MS(20);
	CHECK(ticks(rule.timer, 0) && rule.calls == 2);
	CHECK(is_silent(rule.timer) && ticks_at(rule.timer, rule.clock, MS(20)));
	rule_end(&rule);
}

static void take_time(struct rule *rule)
{
	CHECK_STATUS(duct_clock_advance(rule->clock, MS(1)), DUCT_OK);
}

/* One that takes time, by the clock of its timer: the tick is as late as it was found. */
TEST(timer_rule, may_take_time, 5)
{
	struct rule rule;

	rule_begin(&rule, take_time);
	go_to(rule.clock, MS(13));
	rule.answer = MS(100);
	CHECK(ticks(rule.timer, MS(3)) && rule.calls == 1 && duct_clock_now(rule.clock) == MS(14));
	CHECK(is_silent(rule.timer));
	rule_end(&rule);
}

/* ---- Once ------------------------------------------------------------------------------------------------------ */

/* It ticks once, at its time, and then reads closed. */
TEST(timer_at, ticks_once, 5)
{
	duct_clock *clock = clock_at(MS(5));
	duct_receiver *timer;

	CHECK_STATUS(duct_timer_at(&timer, MS(9), DUCT_TIMER(.clock = clock)), DUCT_OK);
	CHECK(duct_timer_is_running(timer) && duct_timer_interval(timer) == 0 && !duct_receiver_is_closed(timer));
	go_to(clock, MS(9) - 1);
	CHECK(is_silent(timer) && duct_receiver_len(timer) == 0);
	go_to(clock, MS(10));
	CHECK_STATUS(duct_receiver_wait(timer, 0, NULL), DUCT_OK);
	CHECK(duct_receiver_len(timer) == 1 && !duct_timer_is_running(timer) && ticks(timer, MS(1)));
	CHECK(duct_receiver_len(timer) == 0 && comes_to(timer, DUCT_CLOSED) && duct_receiver_is_closed(timer));
	go_to(clock, MS(1000));
	CHECK(comes_to(timer, DUCT_CLOSED));
	duct_receiver_free(timer);
	duct_clock_free(clock);
}

/* A time that is past has come; so has one that is a negative delay away. */
TEST(timer_at, a_past_time_ticks_at_once, 5)
{
	static const int64_t delays[] = { 0, -1, INT64_MIN };
	duct_clock *clock = clock_at(MS(5));
	duct_receiver *timer;

	CHECK_STATUS(duct_timer_at(&timer, 0, DUCT_TIMER(.clock = clock)), DUCT_OK);
	CHECK(ticks(timer, MS(5)) && comes_to(timer, DUCT_CLOSED));
	duct_receiver_free(timer);
	for (size_t i = 0; i < ARRAY_LEN(delays); i++) {
		CHECK_STATUS(duct_timer_after(&timer, delays[i], DUCT_TIMER(.clock = clock)), DUCT_OK);
		CHECK(ticks(timer, 0) && comes_to(timer, DUCT_CLOSED));
		duct_receiver_free(timer);
	}
	CHECK_STATUS(duct_timer_after(&timer, 1, DUCT_TIMER(.clock = clock)), DUCT_OK);
	CHECK(is_silent(timer));
	duct_receiver_free(timer);
	duct_clock_free(clock);
}

/* A reset makes it tick once more, then; it has no interval of its own to be reset to. */
TEST(timer_at, ticks_once_more_after_a_reset, 5)
{
	duct_clock *clock = clock_at(0);
	duct_receiver *timer;

	CHECK_STATUS(duct_timer_after(&timer, MS(9), DUCT_TIMER(.clock = clock)), DUCT_OK);
	CHECK_STATUS(duct_timer_reset(timer, 0, MS(3), true), DUCT_INVALID);
	go_to(clock, MS(9));
	CHECK(ticks(timer, 0) && comes_to(timer, DUCT_CLOSED));
	CHECK_STATUS(duct_timer_reset(timer, MS(1), 0, false), DUCT_OK);
	CHECK(duct_timer_is_running(timer) && duct_timer_interval(timer) == 0 && !duct_receiver_is_closed(timer));
	CHECK(is_silent(timer));
	go_to(clock, MS(10));
	CHECK(ticks(timer, 0) && comes_to(timer, DUCT_CLOSED));
	duct_receiver_free(timer);
	duct_clock_free(clock);
}

/* Of two threads that wait one gets the tick, and the other one is told that there is no more. */
TEST(timer_at, serves_one_of_two, 5)
{
	duct_clock *clock = clock_at(0);
	duct_receiver *timer;
	struct sitter sitters[2];
	duct_status statuses[2];

	CHECK_STATUS(duct_timer_at(&timer, MS(9), DUCT_TIMER(.clock = clock)), DUCT_OK);
	for (size_t i = 0; i < 2; i++)
		sitter_start(&sitters[i], timer);
	go_to(clock, MS(9));
	for (size_t i = 0; i < 2; i++)
		statuses[i] = sitter_end(&sitters[i]);
	CHECK((statuses[0] == DUCT_OK && statuses[1] == DUCT_CLOSED) || (statuses[0] == DUCT_CLOSED && statuses[1] == DUCT_OK));
	for (size_t i = 0; i < 2; i++)
		CHECK(sitters[i].late == (statuses[i] == DUCT_OK ? 0 : -77));
	duct_receiver_free(timer);
	duct_clock_free(clock);
}

static duct_time never_asked(duct_time now, duct_time scheduled, int64_t interval, void *context)
{
	(void)now, (void)scheduled, (void)interval;
	++*(int *)context;
	return 0;
}

/* It has no use for what is about intervals: such options are checked, and then forgotten. */
TEST(timer_at, takes_no_notice_of_rules, 5)
{
	duct_clock *clock = clock_at(MS(1));
	duct_receiver *timer;
	int asked = 0;

	CHECK_STATUS(duct_timer_at(&timer, MS(1),
			 DUCT_TIMER(.clock = clock, .name = "once", .next = never_asked, .context = &asked,
			     .missed = DUCT_SKIP_AND_DRIFT, .start_delay = MS(7), .tick_now = true)),
	    DUCT_OK);
	CHECK(strcmp(duct_receiver_name(timer), "once") == 0 && duct_timer_missed(timer) == DUCT_TRIGGER_ALL);
	CHECK(ticks(timer, 0) && comes_to(timer, DUCT_CLOSED) && asked == 0);
	duct_receiver_free(timer);
	CHECK_STATUS(duct_timer_at(&timer, MS(2), DUCT_TIMER(.clock = clock, .start_later = true)), DUCT_OK);
	CHECK(duct_timer_is_running(timer) && is_silent(timer));
	duct_receiver_free(timer);
	duct_clock_free(clock);
}

/* ---- Setting anew ---------------------------------------------------------------------------------------------- */

/* From now on it ticks by what it was reset to. */
TEST(timer_reset, begins_anew_from_now, 5)
{
	duct_clock *clock = clock_at(0);
	duct_receiver *timer = timer_of(MS(1000), DUCT_TIMER(.clock = clock));

	CHECK(ticks_at(timer, clock, MS(1000)));
	CHECK_STATUS(duct_timer_reset(timer, MS(2000), 0, false), DUCT_OK);
	CHECK(duct_timer_interval(timer) == MS(2000));
	CHECK(ticks_at(timer, clock, MS(3000)) && ticks_at(timer, clock, MS(5000)));
	go_to(clock, MS(5500));
	CHECK_STATUS(duct_timer_reset(timer, 0, 0, false), DUCT_OK);
	CHECK(duct_timer_interval(timer) == MS(2000) && ticks_at(timer, clock, MS(7500)));
	CHECK_STATUS(duct_timer_reset(timer, MS(10), MS(5), false), DUCT_OK);
	CHECK(ticks_at(timer, clock, MS(7515)) && ticks_at(timer, clock, MS(7525)));
	CHECK_STATUS(duct_timer_reset(timer, MS(10), MS(5), true), DUCT_OK);
	CHECK(ticks_at(timer, clock, MS(7530)) && ticks_at(timer, clock, MS(7540)));
	CHECK_STATUS(duct_timer_reset(timer, INT64_MAX, INT64_MAX, false), DUCT_OK);
	go_to(clock, DUCT_FOREVER - 1);
	CHECK(is_silent(timer));
	duct_receiver_free(timer);
	duct_clock_free(clock);
}

/* A tick that was found and not received is thrown away, and so is one that was due. */
TEST(timer_reset, forgets_what_was_not_received, 5)
{
	duct_clock *clock = clock_at(0);
	duct_receiver *timer = timer_of(MS(1000), DUCT_TIMER(.clock = clock, .tick_now = true));

	CHECK_STATUS(duct_timer_reset(timer, 0, 0, false), DUCT_OK);
	CHECK(duct_receiver_len(timer) == 0 && is_silent(timer));
	go_to(clock, MS(3500));
	CHECK_STATUS(duct_receiver_wait(timer, 0, NULL), DUCT_OK);
	CHECK(duct_receiver_len(timer) == 1);
	CHECK_STATUS(duct_timer_reset(timer, 0, 0, false), DUCT_OK);
	CHECK(duct_receiver_len(timer) == 0 && ticks_at(timer, clock, MS(4500)));
	go_to(clock, MS(9000));
	CHECK_STATUS(duct_timer_reset(timer, 0, 0, false), DUCT_OK);
	CHECK(ticks_at(timer, clock, MS(10000)));
	duct_receiver_free(timer);
	duct_clock_free(clock);
}

/* It revives one that was closed, with a tick unread or without. */
TEST(timer_reset, revives, 5)
{
	for (int unread = 0; unread < 2; unread++) {
		duct_clock *clock = clock_at(0);
		duct_receiver *timer = timer_of(MS(1000), DUCT_TIMER(.clock = clock, .tick_now = unread));

		duct_receiver_close(timer);
		CHECK(!duct_timer_is_running(timer) && duct_receiver_is_closed(timer));
		CHECK_STATUS(duct_timer_reset(timer, 0, 0, false), DUCT_OK);
		CHECK(duct_timer_is_running(timer) && !duct_receiver_is_closed(timer));
		CHECK(is_silent(timer) && ticks_at(timer, clock, MS(1000)));
		duct_receiver_close(timer);
		CHECK(comes_to(timer, DUCT_CLOSED));
		duct_receiver_free(timer);
		duct_clock_free(clock);
	}
}

/* What can never work changes nothing, and what is no timer has nothing to be reset. */
TEST(timer_reset, refuses_what_can_never_work, 5)
{
	duct_clock *clock = clock_at(0);
	duct_receiver *timer = timer_of(MS(1000), DUCT_TIMER(.clock = clock)), *event;
	struct test_pair pair = test_pair_new(8, 1);

	CHECK_STATUS(duct_event_new(&event, NULL), DUCT_OK);
	go_to(clock, MS(500));
	CHECK_STATUS(duct_timer_reset(NULL, 1, 0, false), DUCT_INVALID);
	CHECK_STATUS(duct_timer_reset(timer, -1, 0, false), DUCT_INVALID);
	CHECK_STATUS(duct_timer_reset(timer, 1, -1, false), DUCT_INVALID);
	CHECK_STATUS(duct_timer_reset(event, 1, 0, false), DUCT_UNSUPPORTED);
	CHECK_STATUS(duct_timer_reset(pair.rx, 1, 0, false), DUCT_UNSUPPORTED);
	CHECK_STATUS(duct_timer_reset(pair.rx, -1, 0, false), DUCT_INVALID);
	CHECK(duct_timer_interval(timer) == MS(1000) && ticks_at(timer, clock, MS(1000)));
	duct_receiver_free(timer);
	duct_receiver_free(event);
	test_pair_free(&pair);
	duct_clock_free(clock);
}

/* A thread that waits for five seconds gets its tick after one, if that is what the timer is set to meanwhile. */
TEST(timer_reset, to_earlier_wakes_who_waits, 5)
{
	duct_clock *clock = clock_at(0);
	duct_receiver *timer = timer_of(MS(5000), DUCT_TIMER(.clock = clock));
	struct sitter sitter;

	sitter_start(&sitter, timer);
	go_to(clock, MS(1000));
	CHECK_STATUS(duct_timer_reset(timer, MS(1000), 0, false), DUCT_OK);
	await_in_line(&sitter);
	go_to(clock, MS(2000));
	CHECK(got(&sitter, 0));
	sitter_start(&sitter, timer);
	CHECK_STATUS(duct_timer_reset(timer, MS(1000), 0, true), DUCT_OK);
	CHECK(got(&sitter, 0));
	duct_receiver_free(timer);
	duct_clock_free(clock);
}

/* And one that waits for a second does not get it before one and a half, if it is set anew at a half. */
TEST(timer_reset, to_later_keeps_who_waits, 5)
{
	duct_clock *clock = clock_at(0);
	duct_receiver *timer = timer_of(MS(1000), DUCT_TIMER(.clock = clock));
	struct sitter sitter;

	sitter_start(&sitter, timer);
	go_to(clock, MS(500));
	CHECK_STATUS(duct_timer_reset(timer, 0, 0, false), DUCT_OK);
	go_to(clock, MS(1200));
	CHECK(is_silent(timer));
	await_in_line(&sitter);
	go_to(clock, MS(1500));
	CHECK(got(&sitter, 0));
	duct_receiver_free(timer);
	duct_clock_free(clock);
}

/* The tick of silence: it comes when nobody has reset it for so long. */
TEST(timer_reset, again_and_again_puts_a_timeout_off, 5)
{
	duct_clock *clock = clock_at(0);
	duct_timer_options options = *DUCT_TIMER_TIMEOUT;
	duct_receiver *timer;
	struct sitter sitter;

	options.clock = clock;
	timer = timer_of(MS(300), &options);
	CHECK(duct_timer_missed(timer) == DUCT_SKIP_AND_DRIFT);
	sitter_start(&sitter, timer);
	for (int n = 1; n <= 4; n++) {
		go_to(clock, n * MS(100));
		CHECK_STATUS(duct_timer_reset(timer, 0, 0, false), DUCT_OK);
	}
	go_to(clock, MS(700) - 1);
	CHECK(is_silent(timer));
	await_in_line(&sitter);
	go_to(clock, MS(700));
	CHECK(got(&sitter, 0));
	go_to(clock, MS(1200));
	CHECK(ticks(timer, MS(200)) && ticks_at(timer, clock, MS(1500)));
	duct_receiver_free(timer);
	duct_clock_free(clock);
}

/* ---- Stopping -------------------------------------------------------------------------------------------------- */

/* A tick that somebody saw is still received, once; one that was only due is not. */
TEST(timer_close, keeps_a_tick_that_was_seen, 5)
{
	duct_clock *clock = clock_at(0);
	duct_receiver *seen = timer_of(MS(1000), DUCT_TIMER(.clock = clock)),
		      *unseen = timer_of(MS(1000), DUCT_TIMER(.clock = clock));

	go_to(clock, MS(1100));
	CHECK_STATUS(duct_receiver_wait(seen, 0, NULL), DUCT_OK);
	go_to(clock, MS(1300));
	duct_receiver_close(seen);
	duct_receiver_close(seen);
	duct_receiver_close(unseen);
	CHECK(!duct_timer_is_running(seen) && duct_receiver_is_closed(seen) && duct_receiver_len(seen) == 1);
	CHECK(duct_timer_interval(seen) == MS(1000));
	CHECK(ticks(seen, MS(100)) && comes_to(seen, DUCT_CLOSED) && comes_to(unseen, DUCT_CLOSED));
	CHECK_STATUS(duct_receiver_wait(seen, DUCT_FOREVER, NULL), DUCT_CLOSED);
	duct_receiver_free(seen);
	duct_receiver_free(unseen);
	duct_clock_free(clock);
}

/* Threads that wait return at once: in a select, in a receive, in a wait. */
TEST(timer_close, wakes_who_waits, 5)
{
	duct_clock *clock = clock_at(0);
	duct_receiver *timer = timer_of(MS(1000), DUCT_TIMER(.clock = clock));
	enum test_action actions[] = { RECV_UNTIL, RECV_MANY, RECEIVER_WAIT };
	struct test_call calls[3];
	struct sitter sitter;

	sitter_start(&sitter, timer);
	for (size_t i = 0; i < 3; i++) {
		test_call_start(&calls[i], actions[i], &(struct test_pair){ .rx = timer }, -1, DUCT_FOREVER, NULL);
		await_asleep(&calls[i].thread_id);
	}
	duct_receiver_close(timer);
	CHECK(sitter_end(&sitter) == DUCT_CLOSED && sitter.late == -77);
	for (size_t i = 0; i < 3; i++)
		CHECK_STATUS(test_call_end(&calls[i]), DUCT_CLOSED);
	duct_receiver_free(timer);
	duct_clock_free(clock);
}

/* A select leaves out a timer that it told was closed, though that is reset meanwhile, until it is told to ask again. */
TEST(timer_close, is_told_once_by_a_select, 5)
{
	duct_clock *clock = clock_at(0);
	duct_receiver *timer = timer_of(MS(1000), DUCT_TIMER(.clock = clock));
	int64_t late = -77;
	duct_case cases[] = { DUCT_RECV(timer, &late) };
	size_t chosen = 77;

	duct_receiver_close(timer);
	CHECK_STATUS(duct_select(cases, 1, &chosen), DUCT_OK);
	CHECK(chosen == 0 && cases[0].status == DUCT_CLOSED);
	CHECK_STATUS(duct_timer_reset(timer, 0, 0, true), DUCT_OK);
	CHECK_STATUS(duct_select(cases, 1, &chosen), DUCT_CLOSED);
	cases[0].status = DUCT_OK;
	CHECK_STATUS(duct_select(cases, 1, &chosen), DUCT_OK);
	CHECK(cases[0].status == DUCT_OK && late == 0);
	duct_receiver_free(timer);
	duct_clock_free(clock);
}

/* It goes with its last handle: until then it is one timer, of which each tick is received once. */
TEST(timer_clone, is_one_more_handle, 5)
{
	duct_clock *clock = clock_at(0);
	duct_receiver *timer = timer_of(MS(1000), DUCT_TIMER(.clock = clock)), *clone;

	CHECK_STATUS(duct_receiver_clone(timer, &clone), DUCT_OK);
	go_to(clock, MS(1000));
	CHECK(ticks(timer, 0) && is_silent(clone));
	duct_receiver_free(timer);
	CHECK(duct_timer_is_running(clone) && ticks_at(clone, clock, MS(2000)));
	CHECK_STATUS(duct_receiver_clone(clone, &timer), DUCT_OK);
	duct_receiver_close(timer);
	CHECK(comes_to(clone, DUCT_CLOSED));
	duct_receiver_free(timer);
	duct_receiver_free(clone);
	duct_clock_free(clock);
}

/* A thread that waits through a handle that is freed is told so, if that was the last. */
TEST(timer_clone, ends_waits_when_the_last_is_freed, 5)
{
	duct_clock *clock = clock_at(0);
	duct_receiver *timer = timer_of(MS(1000), DUCT_TIMER(.clock = clock)), *clone;
	struct sitter sitter;

	CHECK_STATUS(duct_receiver_clone(timer, &clone), DUCT_OK);
	sitter_start(&sitter, timer);
	duct_receiver_free(timer);
	CHECK(is_silent(clone));
	await_in_line(&sitter);
	duct_receiver_free(clone);
	CHECK(sitter_end(&sitter) == DUCT_CLOSED);
	duct_clock_free(clock);
}

/* ---- Several of them ------------------------------------------------------------------------------------------- */

struct crew {
	duct_receiver *timer;
	atomic_int got;
	int64_t late; /* of all */
};

static void *count_ticks(void *argument)
{
	struct crew *crew = argument;
	int64_t late = -1;

	while (duct_recv(crew->timer, &late) == DUCT_OK) {
		CHECK(late == 0);
		atomic_fetch_add(&crew->got, 1);
	}
	return NULL;
}

/* Threads that receive from one timer have each tick once, between them. */
TEST(timer, gives_each_tick_to_one_thread, 20)
{
	duct_clock *clock = clock_at(0);
	struct crew crew = { .timer = timer_of(MS(1), DUCT_TIMER(.clock = clock)) };
	pthread_t threads[3];
	int64_t late;

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		threads[i] = test_start(count_ticks, &crew);
	for (int n = 1; n <= 300; n++) {
		CHECK_STATUS(duct_clock_advance(clock, MS(1)), DUCT_OK);
		AWAIT(atomic_load(&crew.got) >= n);
		CHECK(atomic_load(&crew.got) == n && is_silent(crew.timer));
	}
	duct_receiver_close(crew.timer);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		test_join(threads[i]);
	CHECK(atomic_load(&crew.got) == 300);
	CHECK_STATUS(duct_try_recv(crew.timer, &late), DUCT_CLOSED);
	duct_receiver_free(crew.timer);
	duct_clock_free(clock);
}

/* A select over timers tells of each when it is due, the earlier one first. */
TEST(timer_select, tells_of_each_at_its_time, 5)
{
	enum { TIMERS = TEST_THREAD_SANITIZED ? 30 : 100 }; /* ThreadSanitizer knows no more than 64 locks of a thread */
	duct_clock *clock = clock_at(0);
	duct_receiver *timers[TIMERS];
	duct_case cases[TIMERS];
	int64_t late;
	size_t chosen;

	for (size_t i = 0; i < TIMERS; i++) {
		CHECK_STATUS(duct_timer_after(&timers[i], MS(TIMERS - (int64_t)i), DUCT_TIMER(.clock = clock)), DUCT_OK);
		cases[i] = duct_recv_case(timers[i], &late);
	}
	for (size_t i = TIMERS; i-- > 0;) {
		CHECK_STATUS(duct_try_select(cases, TIMERS, &chosen), DUCT_EMPTY);
		CHECK_STATUS(duct_clock_advance(clock, MS(1)), DUCT_OK);
		CHECK_STATUS(duct_select(cases, TIMERS, &chosen), DUCT_OK);
		CHECK(chosen == i && late == 0 && cases[i].status == DUCT_OK);
		CHECK_STATUS(duct_select(cases, TIMERS, &chosen), DUCT_OK); /* each end is told once */
		CHECK(chosen == i && cases[i].status == DUCT_CLOSED);
	}
	CHECK_STATUS(duct_select(cases, TIMERS, &chosen), DUCT_CLOSED);
	for (size_t i = 0; i < TIMERS; i++)
		duct_receiver_free(timers[i]);
	duct_clock_free(clock);
}

/* A channel and a timer that are both always ready share; in order, the first is taken. */
TEST(timer_select, is_fair_to_channels, 10)
{
	const int64_t far = INT64_C(1) << 40;
	duct_clock *clock = clock_at(far);
	duct_receiver *timer = timer_of(1, DUCT_TIMER(.clock = clock, .start_at = 1));
	struct test_pair pair = test_pair_new(sizeof(int), 4);
	int64_t late = 0;
	int message = 0;
	duct_case cases[] = { DUCT_RECV(timer, &late), DUCT_RECV(pair.rx, &message) };
	size_t chosen, counts[2] = { 0, 0 };

	for (int n = 0; n < 2000; n++) {
		(void)test_fill(pair.tx);
		CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
		counts[chosen]++;
	}
	CHECK(counts[0] > 500 && counts[1] > 500);
	CHECK(ticks(timer, far - 2 - (int64_t)counts[0])); /* none came twice, none is missing */
	for (int n = 0; n < 100; n++) {
		CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_PRIORITY, DUCT_FOREVER, NULL), DUCT_OK);
		CHECK(chosen == 0);
	}
	duct_receiver_free(timer);
	test_pair_free(&pair);
	duct_clock_free(clock);
}

/* A select that a message ends has taken nothing from the timer. */
TEST(timer_select, takes_no_tick_but_the_chosen, 5)
{
	duct_clock *clock = clock_at(0);
	duct_receiver *timer = timer_of(MS(10), DUCT_TIMER(.clock = clock));
	struct test_pair pair = test_pair_new(sizeof(int), 1);
	int64_t late = -77;
	int message = 5;
	duct_case cases[] = { DUCT_RECV(pair.rx, &message), DUCT_RECV(timer, &late), DUCT_RECV(NULL, NULL) };
	size_t chosen = 77;

	CHECK_STATUS(duct_try_select(cases, 3, &chosen), DUCT_EMPTY);
	go_to(clock, MS(10));
	CHECK_STATUS(duct_try_send(pair.tx, &message), DUCT_OK);
	CHECK_STATUS(duct_select_until(cases, 3, &chosen, DUCT_PRIORITY, 0, NULL), DUCT_OK);
	CHECK(chosen == 0 && late == -77);
	go_to(clock, MS(17));
	CHECK_STATUS(duct_select_until(cases, 3, &chosen, DUCT_READY, 0, NULL), DUCT_OK);
	CHECK(chosen == 1 && late == -77);
	CHECK_STATUS(duct_select_until(cases, 3, &chosen, DUCT_READY, 0, NULL), DUCT_OK);
	CHECK(chosen == 1 && duct_receiver_len(timer) == 1);
	CHECK_STATUS(duct_try_select(cases, 3, &chosen), DUCT_OK);
	CHECK(chosen == 1 && (late == 0 || late == MS(7)) && is_silent(timer));
	duct_receiver_free(timer);
	test_pair_free(&pair);
	duct_clock_free(clock);
}

/* A thread that only wants to know wakes when the tick is due, and leaves it. */
TEST(timer_select, wakes_who_only_wants_to_know, 5)
{
	duct_clock *clock = clock_at(0);
	duct_receiver *timer = timer_of(MS(10), DUCT_TIMER(.clock = clock));
	struct test_call calls[2];

	for (size_t i = 0; i < 2; i++) {
		test_call_start(&calls[i], RECEIVER_WAIT, &(struct test_pair){ .rx = timer }, -1, DUCT_FOREVER, NULL);
		await_asleep(&calls[i].thread_id);
	}
	go_to(clock, MS(11));
	for (size_t i = 0; i < 2; i++)
		CHECK_STATUS(test_call_end(&calls[i]), DUCT_OK);
	CHECK(ticks(timer, MS(1)) && is_silent(timer));
	duct_receiver_free(timer);
	duct_clock_free(clock);
}

/* A batch has all ticks that were missed and are to come now, and waits for one if there are none. */
TEST(timer_batch, has_what_is_due, 5)
{
	duct_clock *clock = clock_at(0);
	duct_receiver *all = timer_of(MS(10), DUCT_TIMER(.clock = clock)),
		      *resyncs = timer_of(MS(10), DUCT_TIMER(.clock = clock, .missed = DUCT_SKIP_AND_RESYNC));
	int64_t late[8] = { 0 };
	size_t received = 77;

	go_to(clock, MS(45));
	CHECK_STATUS(duct_recv_many(all, late, 1, 8, &received, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(received == 4 && late[0] == MS(35) && late[1] == MS(25) && late[2] == MS(15) && late[3] == MS(5));
	CHECK_STATUS(duct_recv_many(resyncs, late, 1, 8, &received, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(received == 1 && late[0] == MS(35));
	CHECK_STATUS(duct_recv_many(all, late, 0, 8, &received, DUCT_FOREVER, NULL), DUCT_EMPTY);
	CHECK(received == 0);
	go_to(clock, MS(75));
	CHECK_STATUS(duct_recv_many(all, late, 2, 2, &received, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(received == 2 && late[0] == MS(25) && late[1] == MS(15) && ticks(all, MS(5)));
	go_to(clock, MS(80));
	CHECK_STATUS(duct_recv_many(all, late, 2, 2, &received, 1, NULL), DUCT_TIMEDOUT);
	CHECK(received == 1 && late[0] == 0);
	duct_receiver_free(all);
	duct_receiver_free(resyncs);
	duct_clock_free(clock);
}

/* A merge has the ticks of a timer among the messages of its other sources, and wakes for them. */
TEST(timer_merge, is_woken_by_its_timer, 5)
{
	duct_clock *clock = clock_at(0);
	duct_receiver *timer = timer_of(MS(10), DUCT_TIMER(.clock = clock)), *merged;
	struct test_pair pair = test_pair_new(sizeof(int64_t), 2);
	struct sitter sitter;

	CHECK_STATUS(duct_merge_new(&merged, (duct_receiver *[]){ timer, pair.rx }, 2, NULL), DUCT_OK);
	pair.rx = NULL;
	CHECK(is_silent(merged));
	sitter_start(&sitter, merged);
	go_to(clock, MS(10));
	CHECK(got(&sitter, 0));
	CHECK_STATUS(duct_send(pair.tx, &(int64_t){ 42 }), DUCT_OK);
	CHECK(ticks(merged, 42) && is_silent(merged) && ticks_at(merged, clock, MS(20)));
	sitter_start(&sitter, merged);
	CHECK_STATUS(duct_timer_reset(timer, MS(3), 0, false), DUCT_OK);
	await_in_line(&sitter);
	go_to(clock, MS(23));
	CHECK(got(&sitter, 0));
	duct_receiver_free(merged);
	test_pair_free(&pair);
	duct_clock_free(clock);
}

/* A cell over a timer shows how late its last tick was. */
TEST(timer_latest, is_the_last_tick, 5)
{
	duct_clock *clock = clock_at(0);
	duct_receiver *timer = timer_of(MS(10), DUCT_TIMER(.clock = clock, .missed = DUCT_SKIP_AND_RESYNC));
	duct_latest *latest;
	int64_t late = -77;

	CHECK_STATUS(duct_latest_new(&latest, timer), DUCT_OK);
	CHECK_STATUS(duct_latest_get(latest, &late), DUCT_EMPTY);
	go_to(clock, MS(34));
	CHECK_STATUS(duct_latest_get(latest, &late), DUCT_OK);
	CHECK(late == MS(24));
	go_to(clock, MS(40));
	CHECK_STATUS(duct_latest_get(latest, &late), DUCT_OK);
	CHECK(late == 0);
	CHECK_STATUS(duct_latest_get(latest, &late), DUCT_OK);
	CHECK(late == 0);
	duct_latest_free(latest);
	duct_clock_free(clock);
}

/* ---- Arguments ------------------------------------------------------------------------------------------------- */

static bool refuses(int64_t interval, const duct_timer_options *options)
{
	duct_receiver *timer = NULL;

	return duct_timer_new(&timer, interval, options) == DUCT_INVALID && timer == NULL;
}

/* What can never work is refused, each for itself; nothing is written. */
TEST(timer_new, refuses_what_can_never_work, 5)
{
	static const int64_t intervals[] = { 0, -1, -MS(5000), INT64_MIN };
	duct_timer_options bare = DUCT_TIMER_OPTIONS_INIT;

	for (size_t i = 0; i < ARRAY_LEN(intervals); i++)
		CHECK(refuses(intervals[i], NULL));
	CHECK_STATUS(duct_timer_new(NULL, 1, NULL), DUCT_INVALID);
	CHECK(refuses(1, DUCT_TIMER(.start_delay = -1)) && refuses(1, DUCT_TIMER(.start_at = -1)));
	CHECK(refuses(1, DUCT_TIMER(.tolerance = -1)));
	CHECK(refuses(1, DUCT_TIMER(.missed = DUCT_SKIP_AND_DRIFT, .tolerance = INT64_MIN)));
	CHECK(refuses(1, DUCT_TIMER(.missed = (duct_missed)(DUCT_SKIP_AND_DRIFT + 1))));
	CHECK(refuses(1, DUCT_TIMER(.missed = (duct_missed)-1)));
	CHECK(refuses(1, DUCT_TIMER(.start_later = true, .start_delay = 1)));
	CHECK(refuses(1, DUCT_TIMER(.start_later = true, .start_at = 1)));
	CHECK(refuses(1, DUCT_TIMER(.start_later = true, .tick_at_start = true)));
	CHECK(refuses(1, DUCT_TIMER(.start_later = true, .tick_now = true)));
	bare.size--;
	CHECK(refuses(1, &bare));
	bare.size += 2;
	CHECK(refuses(1, &bare));
}

/* Timers that tick once refuse the same; of options of another size nothing but the size is looked at. */
TEST(timer_at, refuses_what_can_never_work, 5)
{
	duct_timer_options strange = DUCT_TIMER_OPTIONS_INIT;
	duct_receiver *timer = NULL;

	strange.size = sizeof strange.size;
	strange.clock = (duct_clock *)&strange.missed; /* beyond what such options have */
	memset((char *)&strange + sizeof strange.size, 0xff, sizeof strange - sizeof strange.size);
	CHECK_STATUS(duct_timer_at(NULL, 1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_timer_at(&timer, -1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_timer_at(&timer, 1, DUCT_TIMER(.start_delay = -1)), DUCT_INVALID);
	CHECK_STATUS(duct_timer_at(&timer, 1, &strange), DUCT_INVALID);
	CHECK_STATUS(duct_timer_after(NULL, 1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_timer_after(&timer, 1, DUCT_TIMER(.tolerance = -1)), DUCT_INVALID);
	CHECK_STATUS(duct_timer_after(&timer, 1, &strange), DUCT_INVALID);
	CHECK(timer == NULL);
}

/* What is no timer has none of its properties; what is one has none of a channel's. */
TEST(timer, is_no_channel, 5)
{
	duct_receiver *timer = timer_of(MS(1000), NULL);
	struct test_pair pair = test_pair_new(8, 1);
	duct_peekable *peekable;
	duct_stats stats;

	CHECK(duct_receiver_channel(timer) == NULL && duct_receiver_capacity(timer) == 1);
	CHECK_STATUS(duct_receiver_stats(timer, &stats), DUCT_UNSUPPORTED);
	CHECK_STATUS(duct_receiver_set_overflow(timer, DUCT_BLOCK), DUCT_UNSUPPORTED);
	CHECK_STATUS(duct_receiver_into_peekable(timer, &peekable), DUCT_UNSUPPORTED);
	CHECK(duct_receiver_lag(timer) == 0 && !duct_receiver_is_cut_off(timer));
	CHECK_STATUS(duct_event_set(timer), DUCT_UNSUPPORTED);
	CHECK_STATUS(duct_recv(timer, NULL), DUCT_INVALID);
	CHECK(!duct_timer_is_running(pair.rx) && duct_timer_interval(pair.rx) == 0);
	CHECK(duct_timer_missed(pair.rx) == DUCT_TRIGGER_ALL && duct_timer_missed(NULL) == DUCT_TRIGGER_ALL);
	CHECK(!duct_timer_is_running(NULL) && duct_timer_interval(NULL) == 0);
	duct_receiver_free(timer);
	test_pair_free(&pair);
}

/* A try, a deadline that has passed, a raised token: all come first as they do for channels. */
TEST(timer, keeps_the_order_of_statuses, 5)
{
	duct_clock *clock = clock_at(0);
	duct_receiver *timer = timer_of(MS(10), DUCT_TIMER(.clock = clock));
	duct_cancel *raised;
	int64_t late = -77;

	CHECK_STATUS(duct_cancel_new(&raised, NULL, 0), DUCT_OK);
	CHECK_STATUS(duct_recv_until(timer, &late, -1, raised), DUCT_INVALID);
	CHECK_STATUS(duct_recv_until(timer, &late, 0, raised), DUCT_CANCELED);
	CHECK_STATUS(duct_recv_until(timer, &late, duct_after_ms(2), NULL), DUCT_TIMEDOUT);
	go_to(clock, MS(10));
	CHECK_STATUS(duct_recv_until(timer, &late, 0, raised), DUCT_CANCELED);
	CHECK(late == -77);
	CHECK_STATUS(duct_recv_until(timer, &late, 0, NULL), DUCT_OK);
	duct_cancel_free(raised);
	duct_receiver_free(timer);
	duct_clock_free(clock);
}

/* A token ends a wait for a timer. */
TEST(timer, gives_way_to_a_token, 5)
{
	duct_clock *clock = clock_at(0);
	duct_receiver *timer = timer_of(MS(10), DUCT_TIMER(.clock = clock));
	struct test_call call;
	duct_cancel *token;

	CHECK_STATUS(duct_cancel_new(&token, NULL, DUCT_FOREVER), DUCT_OK);
	test_call_start(&call, RECV_UNTIL, &(struct test_pair){ .rx = timer }, -1, DUCT_FOREVER, token);
	await_asleep(&call.thread_id);
	duct_cancel_raise(token);
	CHECK_STATUS(test_call_end(&call), DUCT_CANCELED);
	go_to(clock, MS(10));
	CHECK(ticks(timer, 0));
	duct_cancel_free(token);
	duct_receiver_free(timer);
	duct_clock_free(clock);
}

/* ---- The real clock -------------------------------------------------------------------------------------------- */

/* Never early, and as late as it says. */
TEST(timer_real, is_never_early, 20)
{
	const duct_time start = duct_now();
	duct_receiver *timer = timer_of(MS(5), NULL);

	for (int n = 1; n <= 10; n++) {
		int64_t late = -1;
		duct_time now;

		CHECK_STATUS(duct_recv(timer, &late), DUCT_OK);
		now = duct_now();
		CHECK(late >= 0 && now >= start + n * MS(5) + late);
	}
	CHECK(duct_now() - start < MS(5000) * test_time_scale());
	duct_receiver_free(timer);
}

/* Once, at a time or after a while, from a thread that sleeps meanwhile. */
TEST(timer_real, ticks_once_in_time, 20)
{
	duct_receiver *at, *after;
	int64_t late = -1;
	duct_time start = duct_now();

	CHECK_STATUS(duct_timer_at(&at, start + MS(10), NULL), DUCT_OK);
	CHECK_STATUS(duct_recv(at, &late), DUCT_OK);
	CHECK(late >= 0 && duct_now() >= start + MS(10) + late);
	CHECK_STATUS(duct_recv(at, &late), DUCT_CLOSED);
	start = duct_now();
	CHECK_STATUS(duct_timer_after(&after, MS(10), NULL), DUCT_OK);
	CHECK(is_silent(after));
	CHECK_STATUS(duct_receiver_wait(after, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(duct_now() >= start + MS(10) && duct_now() - start < MS(5000) * test_time_scale());
	duct_receiver_free(at);
	duct_receiver_free(after);
}

/* A tick that is due just at the deadline is received: what is ready comes before a deadline that has passed. */
TEST(timer_real, comes_before_the_deadline_it_is_due_at, 20)
{
	for (int n = 0; n < 5; n++) {
		const duct_time due = duct_after_ms(3);
		duct_receiver *timer;
		int64_t late = -1;
		duct_case cases[] = { DUCT_RECV(NULL, NULL) };
		size_t chosen;

		CHECK_STATUS(duct_timer_at(&timer, due, NULL), DUCT_OK);
		cases[0] = duct_recv_case(timer, &late);
		if (n % 2 == 0)
			CHECK_STATUS(duct_recv_until(timer, &late, due, NULL), DUCT_OK);
		else
			CHECK_STATUS(duct_select_until(cases, 1, &chosen, DUCT_FAIR, due, NULL), DUCT_OK);
		CHECK(late >= 0);
		duct_receiver_free(timer);
	}
}

/* A deadline ahead of the tick ends the wait at the deadline, and the tick comes at its own time. */
TEST(timer_real, gives_way_to_an_earlier_deadline, 20)
{
	const duct_time start = duct_now();
	duct_receiver *timer;
	int64_t late = -1;

	CHECK_STATUS(duct_timer_at(&timer, start + MS(30), NULL), DUCT_OK);
	CHECK_STATUS(duct_recv_until(timer, &late, start + MS(5), NULL), DUCT_TIMEDOUT);
	CHECK(duct_now() >= start + MS(5) && late == -1);
	CHECK_STATUS(duct_recv_until(timer, &late, duct_after_s(100), NULL), DUCT_OK);
	CHECK(late >= 0 && duct_now() >= start + MS(30) + late);
	duct_receiver_free(timer);
}

static void *receive_once_more(void *argument)
{
	struct sitter *sitter = argument;

	sitter->status = duct_recv(sitter->timer, &sitter->late);
	return NULL;
}

/* A tick that is found by a thread that only tries is handed to the one that sleeps, which may not have woken yet. */
TEST(timer_real, is_handed_to_who_sleeps, 20)
{
	for (int n = 0; n < 30; n++) {
		struct sitter sitter = { .late = -77 };
		int64_t late = -77;
		duct_status status;

		CHECK_STATUS(duct_timer_after(&sitter.timer, MS(2), NULL), DUCT_OK);
		sitter.thread = test_start(receive_once_more, &sitter);
		while ((status = duct_try_recv(sitter.timer, &late)) == DUCT_EMPTY)
			;
		test_join(sitter.thread);
		CHECK((status == DUCT_OK && sitter.status == DUCT_CLOSED && late >= 0 && sitter.late == -77) ||
		      (status == DUCT_CLOSED && sitter.status == DUCT_OK && late == -77 && sitter.late >= 0));
		duct_receiver_free(sitter.timer);
	}
}

/* A timer that is set to earlier while a thread sleeps on it really wakes that. */
TEST(timer_real, is_set_to_earlier_in_time, 20)
{
	duct_receiver *timer = timer_of(MS(1000) * 3600, NULL);
	struct sitter sitter;
	duct_time start;

	sitter_start(&sitter, timer);
	start = duct_now();
	CHECK_STATUS(duct_timer_reset(timer, MS(5), 0, false), DUCT_OK);
	CHECK(sitter_end(&sitter) == DUCT_OK && sitter.late >= 0 && duct_now() >= start + MS(5));
	duct_receiver_free(timer);
}

static int64_t thread_time(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

/* A thread that waits for a timer uses no processor time, whatever it waits for besides. */
TEST(timer_real, costs_nothing_while_it_waits, 20)
{
	duct_receiver *timer = timer_of(MS(200), NULL);
	struct test_pair pair = test_pair_new(sizeof(int), 1);
	int64_t late = -1, before = thread_time();
	int message;
	duct_case cases[] = { DUCT_RECV(pair.rx, &message), DUCT_RECV(timer, &late) };
	size_t chosen = 77;

	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	CHECK(chosen == 1 && thread_time() - before < MS(20) * test_time_scale());
	duct_receiver_free(timer);
	test_pair_free(&pair);
}
