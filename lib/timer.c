/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Timers: a queue of one tick, which whoever looks or waits puts there when it is due.
 *
 * No thread and no descriptor: a wait sleeps until the tick is due at most, comes back, pumps, and receives what it put, if no
 * other thread was ahead of it in the line.  The schedule goes on when a tick is put, not when it is received; so there is one
 * tick at most that nobody has received, and ticks that are missed meanwhile are what the policy says (schedule.h).
 *
 *     waits for the timer                        sets it anew
 *     --------------------------------------     -------------------------------------
 *     locks; not due; due in 5 s; in line
 *     unlocks, sleeps until then .............   locks; due in 1 s now; version 2
 *                                                tells all in line; unlocks
 *     looks anew: due in 1 s, version 2
 *
 * The caller's own policy is called without a lock; if the timer was set anew meanwhile, what it said is forgotten.
 */
#include "dial.h"
#include "schedule.h"

/* [I] fixed when made; [b] written under both locks of the queue, read under either. */
struct timer {
	struct source source;
	struct hand hand;           /* [I] */
	duct_timer_options options; /* [I] but for the name and the clock, which were copied */
	bool once;                  /* [I] */
	bool started;               /* [b] */
	uint32_t resets;            /* [b] how often it was set anew */
	int64_t interval;           /* [b] */
	duct_time scheduled;        /* [b] of the next tick; 0 before the start, so that it is pumped at once */
};

/* ---- Ticking --------------------------------------------------------------------------------------------------- */

static duct_time timer_due_locked(struct source *source)
{
	const struct timer *timer = (const struct timer *)(void *)source;

	return source_holds_locked(source) ? DUCT_FOREVER : hand_deadline(&timer->hand, timer->scheduled);
}

/* A tick that is due, as it was found. */
struct tick {
	duct_time now, scheduled, next;
	int64_t interval;
	uint32_t resets;
};

static bool tick_is_due_locked(struct timer *timer, struct tick *tick)
{
	struct source *source = &timer->source;

	if (source_has_ended(source) || source_holds_locked(source))
		return false;
	*tick = (struct tick){ .now = hand_now(&timer->hand),
		.scheduled = timer->scheduled,
		.interval = timer->interval,
		.resets = timer->resets };
	return tick->now >= tick->scheduled;
}

static duct_time next_tick(const struct timer *timer, const struct tick *tick)
{
	const duct_timer_options *options = &timer->options;
	int cancellation;
	duct_time next;

	if (options->next == NULL && options->missed == DUCT_SKIP_AND_RESYNC)
		return schedule_resync(tick->now, tick->scheduled, tick->interval);
	if (options->next == NULL && options->missed == DUCT_SKIP_AND_DRIFT)
		return schedule_drift(tick->now, tick->scheduled, tick->interval, options->tolerance);
	if (options->next == NULL)
		return schedule_trigger_all(tick->scheduled, tick->interval);
	cancellation = cancellation_hold();
	next = options->next(tick->now, tick->scheduled, tick->interval, options->context);
	cancellation_resume(cancellation);
	return next > tick->scheduled ? next : tick->scheduled + 1;
}

/* It is still the tick that was due: puts it, unless the timer has ended. */
static void put_tick_locked(struct timer *timer, const struct tick *tick, struct node **wakes)
{
	const int64_t drift = tick->now - tick->scheduled;

	timer->scheduled = tick->next;
	(void)source_put_locked(&timer->source, &drift, wakes);
	if (timer->once)
		source_end_locked(&timer->source, DUCT_CLOSED, wakes);
}

static void start_locked(struct timer *timer, duct_time start, int64_t delay, bool at_start)
{
	timer->started = true;
	timer->scheduled = time_plus(time_plus(start, delay), at_start ? 0 : timer->interval);
}

static void timer_pump(struct source *source)
{
	struct timer *timer = (struct timer *)(void *)source;
	struct node *wakes = NULL;
	struct tick tick;
	bool due;

	queue_lock_both(&source->queue);
	if (!timer->started)
		start_locked(timer, hand_now(&timer->hand), 0, false);
	due = tick_is_due_locked(timer, &tick);
	queue_unlock_both(&source->queue);
	if (!due)
		return;
	tick.next = next_tick(timer, &tick);
	queue_lock_both(&source->queue);
	/* Neither was it set anew meanwhile, nor has another thread put this tick. */
	if (timer->resets == tick.resets && timer->scheduled == tick.scheduled)
		put_tick_locked(timer, &tick, &wakes);
	queue_unlock_both(&source->queue);
	wakes_notify(wakes);
}

/* ---- Life ------------------------------------------------------------------------------------------------------ */

static void timer_destroy(struct source *source)
{
	hand_fini(&((struct timer *)(void *)source)->hand);
}

static const struct source_kind timer_kind = {
	.name = "timer", .due_locked = timer_due_locked, .pump = timer_pump, .destroy = timer_destroy
};

static struct timer *timer_of(const duct_receiver *receiver)
{
	return (struct timer *)(void *)source_of_kind(receiver, &timer_kind);
}

static bool options_are_valid(const duct_timer_options *options)
{
	if (options->size != sizeof *options || (unsigned)options->missed > DUCT_SKIP_AND_DRIFT || options->tolerance < 0)
		return false;
	if (options->start_delay < 0 || options->start_at < 0)
		return false;
	return !options->start_later ||
	       (options->start_delay == 0 && options->start_at == 0 && !options->tick_at_start && !options->tick_now);
}

/* With those options, whose clock it does not know yet. */
static struct timer *timer_make(const duct_timer_options *options)
{
	struct timer *timer = source_new(&(struct source_plan){ .kind = &timer_kind,
	    .name = options->name,
	    .size = sizeof(struct timer),
	    .capacity = 1,
	    .hooks = { .size = sizeof(int64_t) } });

	if (timer == NULL)
		return NULL;
	timer->options = *options;
	return timer;
}

/* Others may know of it from here on: those that set its clock. */
static void timer_publish(struct timer *timer, duct_receiver **receiver)
{
	hand_init(&timer->hand, &timer->source, timer->options.clock);
	*receiver = source_receiver(&timer->source);
}

duct_status duct_timer_new(duct_receiver **receiver, int64_t interval, const duct_timer_options *options)
{
	const duct_timer_options defaults = DUCT_TIMER_OPTIONS_INIT;
	const int64_t no_drift = 0;
	struct timer *timer;

	if (options == NULL)
		options = &defaults;
	if (receiver == NULL || interval < 1 || !options_are_valid(options))
		return DUCT_INVALID;
	if ((timer = timer_make(options)) == NULL)
		return DUCT_NOMEM;
	timer->interval = interval;
	if (!options->start_later)
		start_locked(timer, options->start_at != 0 ? options->start_at : duct_clock_now(options->clock),
		    options->start_delay, options->tick_at_start);
	if (options->tick_now)
		(void)source_put(&timer->source, &no_drift);
	timer_publish(timer, receiver);
	return DUCT_OK;
}

duct_status duct_timer_at(duct_receiver **receiver, duct_time at, const duct_timer_options *options)
{
	duct_timer_options used = DUCT_TIMER_OPTIONS_INIT;
	struct timer *timer;

	if (receiver == NULL || at < 0 || (options != NULL && !options_are_valid(options)))
		return DUCT_INVALID;
	if (options != NULL) {
		used.name = options->name;
		used.clock = options->clock;
	}
	if ((timer = timer_make(&used)) == NULL)
		return DUCT_NOMEM;
	timer->once = timer->started = true;
	timer->scheduled = at;
	timer_publish(timer, receiver);
	return DUCT_OK;
}

duct_status duct_timer_after(duct_receiver **receiver, int64_t delay, const duct_timer_options *options)
{
	if (options != NULL && !options_are_valid(options))
		return DUCT_INVALID; /* they may have no clock */
	return duct_timer_at(
	    receiver, time_plus(duct_clock_now(options != NULL ? options->clock : NULL), delay > 0 ? delay : 0), options);
}

/* ---- Setting anew ---------------------------------------------------------------------------------------------- */

/* Throws away a tick that nobody has received. */
static void forget_tick_locked(struct source *source)
{
	int64_t drift;

	(void)ring_take(&source->queue.ring, &source->queue.take.at, &drift);
}

duct_status duct_timer_reset(duct_receiver *receiver, int64_t interval, int64_t start_delay, bool tick_at_start)
{
	struct timer *timer = timer_of(receiver);
	struct node *wakes = NULL;

	if (receiver == NULL || interval < 0 || start_delay < 0)
		return DUCT_INVALID;
	if (timer == NULL)
		return DUCT_UNSUPPORTED;
	if (timer->once && interval == 0)
		return DUCT_INVALID;
	queue_lock_both(&timer->source.queue);
	forget_tick_locked(&timer->source);
	if (interval != 0)
		timer->interval = interval;
	timer->resets++;
	start_locked(timer, hand_now(&timer->hand), start_delay, tick_at_start);
	source_reopen_locked(&timer->source);
	source_moved_locked(&timer->source, &wakes);
	queue_unlock_both(&timer->source.queue);
	wakes_notify(wakes);
	return DUCT_OK;
}

/* ---- State ----------------------------------------------------------------------------------------------------- */

bool duct_timer_is_running(const duct_receiver *receiver)
{
	struct timer *timer = timer_of(receiver);
	bool running;

	if (timer == NULL)
		return false;
	queue_lock_put(&timer->source.queue);
	running = timer->started && !source_has_ended(&timer->source);
	queue_unlock_put(&timer->source.queue);
	return running;
}

int64_t duct_timer_interval(const duct_receiver *receiver)
{
	struct timer *timer = timer_of(receiver);
	int64_t interval;

	if (timer == NULL || timer->once)
		return 0;
	queue_lock_put(&timer->source.queue);
	interval = timer->interval;
	queue_unlock_put(&timer->source.queue);
	return interval;
}

duct_missed duct_timer_missed(const duct_receiver *receiver)
{
	const struct timer *timer = timer_of(receiver);

	return timer != NULL ? timer->options.missed : DUCT_TRIGGER_ALL;
}
