/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A controlled scheduler for pthread programs.
 *
 * The program under test is linked with -Wl,--wrap= for the calls below, so its threads become fibers on one kernel thread,
 * and each call, and each memory access of instrumented code (race.c), becomes a point at which the explorer says who runs
 * next.  It decides all that the system leaves open: the order of threads, which waiter a signal wakes, spurious wake-ups,
 * whether a timed wait times out, what fails for want of resources.  So a lost wake-up is not a hang but a finding: no thread
 * can run.  It finds as well what glibc lets pass: an unlock by a stranger, a wait without the mutex, any use of a destroyed
 * object, a deadline by a clock that somebody may set.
 *
 * Time is virtual.  The clock gains a nanosecond with each reading and stands still otherwise; a timed wait times out when
 * the explorer schedules its thread though nobody signalled it, and that moves the clock to the deadline.
 *
 * An execution is a function of what was drawn from its seed or, in exhaustive search, of the list of choices, so that it
 * can be repeated.  Exhaustive search is depth first over that list: the deepest choice with an alternative within the bound
 * of preemptions takes it, and the rest is chosen afresh.
 *
 * Mutexes and condition variables keep their state in the bytes of the pthread objects.  Zero is a statically made one.
 *
 * What an execution shows is sequentially consistent.  The race detector closes part of the gap: where each conflict is
 * ordered by what the memory model promises, hardware shows nothing else.
 */
#undef _FORTIFY_SOURCE /* takes a jump to another stack for a mistake */

#include "explorer.h"

#include "heap.h"
#include "race.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STACK_SIZE (64 * 1024)
#define MAX_CHOICES 8192
#define TRACE_LENGTH 512
#define MAX_CHANGES 16
#define CLOCK_START INT64_C(1000000000000)
#define FOREVER INT64_MAX

#define NS_PER_S INT64_C(1000000000)

enum fiber_state { RUNNABLE, ON_MUTEX, ON_CONDITION, JOINING, DONE };

static const char *const state_names[] = { "can run", "waits for a mutex", "waits on a condition", "joins", "is done" };

struct mutex {
	int owner; /* thread + 1; 0: free */
	int life;
};

struct condition {
	int life;
	clockid_t clock; /* of its deadlines; of a static one CLOCK_REALTIME, which is 0 */
};

enum { LIFE_STATIC = 0, LIFE_MADE = 0x6c697665, LIFE_DESTROYED = 0x64656164 };

_Static_assert(sizeof(struct mutex) <= sizeof(pthread_mutex_t), "a mutex does not fit");
_Static_assert(sizeof(struct condition) <= sizeof(pthread_cond_t), "a condition variable does not fit");

struct fiber {
	jmp_buf fresh, context; /* at the foot of its stack, and where it stopped */
	bool prepared, started; /* in this process, and in this execution */
	enum fiber_state state;
	int priority;
	const void *condition; /* ON_CONDITION */
	int64_t deadline;      /* ON_CONDITION; FOREVER: none */
	struct mutex *mutex;   /* ON_MUTEX */
	int joined;            /* JOINING */
	bool yields;           /* and others run meanwhile */
	void *(*run)(void *);
	void *argument, *result;
};

/* A choice made in this run; exhaustive search replays a prefix of them. */
struct choice {
	short count, chosen;
	bool preempts; /* every alternative but the first is a preemption */
};

struct trace_entry {
	int thread;
	const char *what;
	const void *object;
};

static struct fiber fibers[EXPLORER_THREADS];
static char stacks[EXPLORER_THREADS][STACK_SIZE] __attribute__((aligned(4096)));
static jmp_buf stack_prepared;
static int fiber_count, running, alive;

static struct exploration *exploration; /* NULL: nothing is being explored */
static jmp_buf main_context;
static void (*program)(void);

static struct choice choices[MAX_CHOICES];
static int choice_count, prefix_length, preemptions;
static struct trace_entry trace[TRACE_LENGTH];
static long trace_count;

static uint64_t random_state;
static int steps, spurious_left, live_objects;
static bool gives_way; /* the running thread, at this step */
static int failures_left, failures[EXPLORER_THREADS];
static int change_steps[MAX_CHANGES], lowest_priority;
static int64_t virtual_now;

/* ---- What the program under test can ask ------------------------------------------------------------------------------ */

int explorer_self(void)
{
	return running;
}

int explorer_threads(void)
{
	return fiber_count;
}

bool explorer_asleep(int thread)
{
	return fibers[thread].state == ON_CONDITION;
}

bool explorer_blocked(int thread)
{
	return explorer_asleep(thread) || fibers[thread].yields;
}

int64_t explorer_now(void)
{
	return virtual_now;
}

int explorer_live_objects(void)
{
	return live_objects;
}

void explorer_print_trace(int length)
{
	long first = trace_count > length ? trace_count - length : 0;

	if (first < trace_count - TRACE_LENGTH)
		first = trace_count - TRACE_LENGTH;
	for (long i = first; i < trace_count; i++) {
		const struct trace_entry *entry = &trace[i % TRACE_LENGTH];

		printf("    %4ld T%d %s %p\n", i, entry->thread, entry->what, entry->object);
	}
	for (int i = 0; i < fiber_count; i++)
		printf("    T%d %s\n", i, state_names[fibers[i].state]);
}

void explorer_fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(exploration->message, sizeof exploration->message, format, arguments);
	va_end(arguments);
	exploration->failed = true;
	_longjmp(main_context, 1);
}

/* ---- Chance ----------------------------------------------------------------------------------------------------------- */

static uint32_t draw(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 16);
}

static void seed_run(uint64_t seed, long run)
{
	uint64_t x = seed + (uint64_t)run * UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	random_state = (x ^ x >> 31) | 1;
	draw();
}

/* ---- Fibers ----------------------------------------------------------------------------------------------------------- */

static void reschedule(void);

static void fiber_main(void)
{
	struct fiber *fiber = &fibers[running];

	fiber->result = fiber->run(fiber->argument);
	fiber->state = DONE;
	alive--;
	race_release(running, fiber);
	reschedule();
	abort();
}

/* Leaves this fiber where it is and goes on with another, or starts it. */
static void switch_to(int from, int to)
{
	struct fiber *next = &fibers[to];

	if (_setjmp(fibers[from].context) != 0)
		return;
	if (next->started)
		_longjmp(next->context, 1);
	next->started = true;
	_longjmp(next->fresh, 1);
}

/*
 * A stack is made by taking a signal on it, since not every libc has makecontext.  The handler leaves by a jump and so never
 * returns: its frame stays at the foot of the stack, and each start of the fiber comes back to it.
 */
static void enter_stack(int signal)
{
	struct fiber *fiber = &fibers[fiber_count];

	(void)signal;
	fiber->prepared = true;
	if (_setjmp(fiber->fresh) == 0)
		_longjmp(stack_prepared, 1);
	fiber_main();
}

static void prepare_stack(int i)
{
	const struct sigaction action = { .sa_handler = enter_stack, .sa_flags = SA_ONSTACK | SA_NODEFER };
	const stack_t stack = { .ss_sp = stacks[i], .ss_size = STACK_SIZE };
	struct sigaction action_before;
	stack_t stack_before;

	sigaltstack(&stack, &stack_before);
	sigaction(SIGUSR1, &action, &action_before);
	if (_setjmp(stack_prepared) == 0)
		raise(SIGUSR1);
	sigaction(SIGUSR1, &action_before, NULL);
	sigaltstack(&stack_before, NULL);
	if (!fibers[i].prepared)
		abort(); /* the signal is blocked */
}

static int spawn(void *(*run)(void *), void *argument)
{
	struct fiber *fiber = &fibers[fiber_count];

	if (fiber_count == EXPLORER_THREADS)
		explorer_fail("too many threads");
	if (!fiber->prepared)
		prepare_stack(fiber_count);
	fiber->started = false;
	fiber->yields = false;
	fiber->state = RUNNABLE;
	fiber->priority = (int)(draw() >> 8) + MAX_CHANGES;
	fiber->run = run;
	fiber->argument = argument;
	alive++;
	return fiber_count++;
}

/* ---- Who runs next ---------------------------------------------------------------------------------------------------- */

static bool can_run(int i)
{
	const struct fiber *fiber = &fibers[i];

	switch (fiber->state) {
	case RUNNABLE:
		return true;
	case ON_MUTEX:
		return fiber->mutex->owner == 0;
	case JOINING:
		return fibers[fiber->joined].state == DONE;
	default:
		return false;
	}
}

/* Asleep, but the explorer may end that. */
static bool can_be_woken(int i)
{
	const struct fiber *fiber = &fibers[i];

	return fiber->state == ON_CONDITION && (fiber->deadline != FOREVER || spurious_left > 0);
}

static int choose(int count, bool preempts)
{
	struct choice *choice = &choices[choice_count];

	if (exploration->strategy != EXPLORE_EXHAUSTIVE)
		return (int)(draw() % (uint32_t)count);
	if (choice_count == MAX_CHOICES)
		explorer_fail("too many choices");
	if (choice_count >= prefix_length)
		choice->chosen = 0;
	choice->count = (short)count;
	choice->preempts = preempts;
	if (preempts && choice->chosen != 0)
		preemptions++;
	choice_count++;
	return choice->chosen;
}

int explorer_choose(int count)
{
	return count > 1 ? choose(count, false) : 0;
}

void explorer_allow_failures(int count)
{
	failures_left = count;
}

int explorer_failures(int thread)
{
	return failures[thread];
}

bool explorer_fails(void)
{
	if (exploration == NULL || failures_left == 0 || running == 0)
		return false;
	if (explorer_choose(exploration->strategy == EXPLORE_EXHAUSTIVE ? 2 : 3) != 1)
		return false;
	failures_left--;
	failures[running]++;
	return true;
}

/* The candidate of the highest priority, after the running thread lost its own at a change point. */
static int choose_by_priority(const int *candidates, int count)
{
	int best = 0;

	for (int i = 0; i < exploration->depth - 1 && i < MAX_CHANGES; i++)
		if (change_steps[i] == steps)
			fibers[running].priority = --lowest_priority;
	for (int i = 1; i < count; i++)
		if (fibers[candidates[i]].priority > fibers[candidates[best]].priority)
			best = i;
	return best;
}

static void end_execution(void)
{
	if (alive > 0 && !(exploration->quiescent != NULL && exploration->quiescent()))
		explorer_fail("lost wake-up or deadlock: no thread can run");
	_longjmp(main_context, 1);
}

/* With priorities a sleeper of a high one would be woken at once, every time. */
static bool wakes_sleepers(void)
{
	return exploration->strategy != EXPLORE_PCT || draw() % 8 == 0;
}

static bool others_can_run(void)
{
	for (int i = 0; i < fiber_count; i++)
		if (i != running && can_run(i))
			return true;
	return false;
}

static int candidates_list(int *candidates)
{
	int count = 0, awake;

	if (can_run(running) && !(gives_way && others_can_run()))
		candidates[count++] = running;
	for (int i = 0; i < fiber_count; i++)
		if (i != running && can_run(i))
			candidates[count++] = i;
	awake = count;
	if (awake == 0 || wakes_sleepers())
		for (int i = 0; i < fiber_count; i++)
			if (can_be_woken(i) && (awake > 0 || fibers[i].deadline != FOREVER))
				candidates[count++] = i;
	return count;
}

static void reschedule(void)
{
	int candidates[EXPLORER_THREADS], from = running, next = 0;
	int count = candidates_list(candidates);

	if (++steps > exploration->max_steps)
		explorer_fail("step limit: a livelock?");
	if (count == 0)
		end_execution();
	if (count > 1)
		next = exploration->strategy == EXPLORE_PCT ? choose_by_priority(candidates, count)
		                                            : choose(count, candidates[0] == from);
	gives_way = false;
	running = candidates[next];
	if (running != from)
		switch_to(from, running);
}

void explorer_point(const char *what, const void *object)
{
	struct trace_entry *entry;

	if (exploration == NULL)
		return;
	if (alive > 1)
		reschedule();
	entry = &trace[trace_count++ % TRACE_LENGTH];
	entry->thread = running;
	entry->what = what;
	entry->object = object;
}

/* ---- Mutexes ---------------------------------------------------------------------------------------------------------- */

static void check_life(int life, const char *what, const void *object)
{
	if (life == LIFE_DESTROYED)
		explorer_fail("%s of a destroyed object %p", what, object);
	if (life != LIFE_MADE && life != LIFE_STATIC)
		explorer_fail("%s of an object that was never made %p", what, object);
}

static struct mutex *mutex_at_point(const char *what, pthread_mutex_t *object)
{
	struct mutex *mutex = (struct mutex *)object;

	explorer_point(what, object);
	heap_check(object, sizeof *mutex);
	check_life(mutex->life, what, object);
	return mutex;
}

static void mutex_take(struct mutex *mutex)
{
	struct fiber *self = &fibers[running];

	while (mutex->owner != 0) {
		self->state = ON_MUTEX;
		self->mutex = mutex;
		reschedule();
	}
	self->state = RUNNABLE;
	mutex->owner = running + 1;
	race_acquire(running, mutex);
}

static void mutex_give(struct mutex *mutex)
{
	race_release(running, mutex);
	mutex->owner = 0;
}

int __wrap_pthread_mutex_init(pthread_mutex_t *object, const pthread_mutexattr_t *attributes)
{
	struct mutex *mutex = (struct mutex *)object;

	(void)attributes;
	heap_check(object, sizeof *object);
	if (explorer_fails())
		return ENOMEM;
	memset(object, 0, sizeof *object);
	mutex->life = LIFE_MADE;
	live_objects++;
	return 0;
}

int __wrap_pthread_mutex_destroy(pthread_mutex_t *object)
{
	struct mutex *mutex = mutex_at_point("mutex_destroy", object);

	if (mutex->owner != 0)
		explorer_fail("mutex_destroy of a locked mutex %p", (void *)object);
	if (mutex->life == LIFE_MADE)
		live_objects--;
	mutex->life = LIFE_DESTROYED;
	return 0;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *object)
{
	struct mutex *mutex = mutex_at_point("lock", object);

	if (mutex->owner == running + 1)
		explorer_fail("lock of a mutex that the thread has already %p", (void *)object);
	mutex_take(mutex);
	return 0;
}

int __wrap_pthread_mutex_trylock(pthread_mutex_t *object)
{
	struct mutex *mutex = mutex_at_point("trylock", object);

	if (mutex->owner != 0)
		return EBUSY;
	mutex_take(mutex);
	return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *object)
{
	struct mutex *mutex = mutex_at_point("unlock", object);

	if (mutex->owner != running + 1)
		explorer_fail("unlock of a mutex that the thread does not have %p", (void *)object);
	mutex_give(mutex);
	return 0;
}

/* ---- Condition variables ---------------------------------------------------------------------------------------------- */

static struct condition *condition_at_point(const char *what, pthread_cond_t *object)
{
	struct condition *condition = (struct condition *)object;

	explorer_point(what, object);
	heap_check(object, sizeof *condition);
	check_life(condition->life, what, object);
	return condition;
}

static int sleepers_list(const pthread_cond_t *object, int *sleepers)
{
	int count = 0;

	for (int i = 0; i < fiber_count; i++)
		if (fibers[i].state == ON_CONDITION && fibers[i].condition == object)
			sleepers[count++] = i;
	return count;
}

/* Somebody may set it. */
static void refuse_wall_clock(clockid_t clock)
{
	if (clock != CLOCK_MONOTONIC)
		explorer_fail("a deadline by the wall clock");
}

/* A woken thread still has to get its mutex. */
static void wake(int sleeper)
{
	fibers[sleeper].state = ON_MUTEX;
}

int __wrap_pthread_cond_init(pthread_cond_t *object, const pthread_condattr_t *attributes)
{
	struct condition *condition = (struct condition *)object;

	heap_check(object, sizeof *object);
	if (explorer_fails())
		return ENOMEM;
	memset(object, 0, sizeof *object);
	condition->life = LIFE_MADE;
	if (attributes != NULL)
		pthread_condattr_getclock(attributes, &condition->clock);
	live_objects++;
	return 0;
}

int __wrap_pthread_cond_destroy(pthread_cond_t *object)
{
	struct condition *condition = condition_at_point("cond_destroy", object);
	int sleepers[EXPLORER_THREADS];

	if (sleepers_list(object, sleepers) > 0)
		explorer_fail("cond_destroy under a waiter %p", (void *)object);
	if (condition->life == LIFE_MADE)
		live_objects--;
	condition->life = LIFE_DESTROYED;
	return 0;
}

static int wait_until(pthread_cond_t *object, pthread_mutex_t *mutex_object, int64_t deadline)
{
	struct mutex *mutex = (struct mutex *)mutex_object;
	struct fiber *self;
	int result = 0;

	condition_at_point(deadline == FOREVER ? "wait" : "timedwait", object);
	self = &fibers[running];
	heap_check(mutex_object, sizeof *mutex);
	if (mutex->owner != running + 1)
		explorer_fail("wait without the mutex %p", (void *)mutex_object);
	mutex_give(mutex);
	self->state = ON_CONDITION;
	self->condition = object;
	self->mutex = mutex;
	self->deadline = deadline;
	reschedule();
	if (self->state == ON_CONDITION && deadline != FOREVER) {
		if (virtual_now < deadline)
			virtual_now = deadline;
		result = ETIMEDOUT;
	} else if (self->state == ON_CONDITION) {
		spurious_left--;
	}
	mutex_take(mutex);
	return result;
}

int __wrap_pthread_cond_wait(pthread_cond_t *object, pthread_mutex_t *mutex)
{
	return wait_until(object, mutex, FOREVER);
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *object, pthread_mutex_t *mutex, const struct timespec *deadline)
{
	refuse_wall_clock(((struct condition *)object)->clock);
	return wait_until(object, mutex, (int64_t)deadline->tv_sec * NS_PER_S + deadline->tv_nsec);
}

int __wrap_pthread_cond_clockwait(
    pthread_cond_t *object, pthread_mutex_t *mutex, clockid_t clock, const struct timespec *deadline)
{
	refuse_wall_clock(clock);
	return wait_until(object, mutex, (int64_t)deadline->tv_sec * NS_PER_S + deadline->tv_nsec);
}

int __wrap_pthread_cond_signal(pthread_cond_t *object)
{
	int sleepers[EXPLORER_THREADS], count;

	condition_at_point("signal", object);
	count = sleepers_list(object, sleepers);
	if (count > 0)
		wake(sleepers[explorer_choose(count)]);
	return 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *object)
{
	int sleepers[EXPLORER_THREADS], count;

	condition_at_point("broadcast", object);
	count = sleepers_list(object, sleepers);
	while (count > 0)
		wake(sleepers[--count]);
	return 0;
}

/* ---- Threads, time, processors ---------------------------------------------------------------------------------------- */

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
	int made;

	(void)attributes;
	explorer_point("create", NULL);
	made = spawn(run, argument);
	race_fork(running, made);
	*thread = (pthread_t)(uintptr_t)made;
	return 0;
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
	int joined = (int)(uintptr_t)thread;
	struct fiber *self;

	explorer_point("join", NULL);
	self = &fibers[running];
	while (fibers[joined].state != DONE) {
		self->state = JOINING;
		self->joined = joined;
		reschedule();
	}
	self->state = RUNNABLE;
	race_acquire(running, &fibers[joined]);
	if (result != NULL)
		*result = fibers[joined].result;
	return 0;
}

/*
 * A thread that gives way must let the others pass, or it would wait for them for ever: with priorities it falls behind
 * all, and in exhaustive search, where to stay costs nothing, it goes on only if nobody else can.
 */
int __wrap_sched_yield(void)
{
	struct fiber *self = &fibers[running];

	if (exploration != NULL && exploration->strategy == EXPLORE_PCT)
		fibers[running].priority = --lowest_priority;
	gives_way = exploration != NULL && exploration->strategy == EXPLORE_EXHAUSTIVE;
	self->yields = true;
	explorer_point("yield", NULL);
	self->yields = false;
	gives_way = false;
	return 0;
}

int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
	(void)pid;
	CPU_ZERO_S(size, set);
	CPU_SET_S(0, size, set);
	CPU_SET_S(1, size, set);
	return 0;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	explorer_point("clock", NULL);
	refuse_wall_clock(clock);
	virtual_now++;
	now->tv_sec = (time_t)(virtual_now / NS_PER_S);
	now->tv_nsec = (long)(virtual_now % NS_PER_S);
	return 0;
}

/* ---- What would end the process -------------------------------------------------------------------------------------- */

void __wrap___assert_fail(const char *assertion, const char *file, unsigned line, const char *function)
{
	(void)function;
	explorer_fail("%s:%u: assertion %s", file, line, assertion);
}

static void crashed(int signal)
{
	if (exploration == NULL)
		abort();
	explorer_fail("signal %d: a crash", signal);
}

static void catch_crashes(void)
{
	const struct sigaction action = { .sa_handler = crashed, .sa_flags = SA_NODEFER };

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
}

/* ---- Executions ------------------------------------------------------------------------------------------------------- */

static void *body_main(void *unused)
{
	(void)unused;
	program();
	return NULL;
}

static int change_range(void)
{
	if (exploration->change_range > 0)
		return exploration->change_range;
	return exploration->longest > 0 ? exploration->longest : 100;
}

static void reset(long run, int range)
{
	seed_run(exploration->seed, run);
	fiber_count = running = alive = 0;
	steps = choice_count = preemptions = live_objects = failures_left = 0;
	memset(failures, 0, sizeof failures);
	trace_count = 0;
	gives_way = false;
	virtual_now = CLOCK_START;
	spurious_left = exploration->spurious;
	if (exploration->strategy != EXPLORE_EXHAUSTIVE)
		spurious_left = (int)(draw() % (uint32_t)(exploration->spurious + 1));
	lowest_priority = MAX_CHANGES;
	for (int i = 0; i < MAX_CHANGES; i++)
		change_steps[i] = 1 + (int)(draw() % (uint32_t)range);
	heap_reset();
	race_reset();
}

static void execute(long run, int range)
{
	reset(run, range);
	spawn(body_main, NULL);
	fibers[0].started = true;
	if (_setjmp(main_context) != 0)
		return;
	_longjmp(fibers[0].fresh, 1);
}

/* Moves on to the next list of choices; false when there is none. */
static bool next_schedule(void)
{
	int spent = preemptions;

	for (int i = choice_count - 1; i >= 0; i--) {
		struct choice *choice = &choices[i];

		if (choice->preempts && choice->chosen != 0)
			spent--;
		if (choice->chosen + 1 < choice->count && spent + choice->preempts <= exploration->bound) {
			choice->chosen++;
			prefix_length = i + 1;
			return true;
		}
	}
	return false;
}

void explore(struct exploration *asked, void (*body)(void))
{
	exploration = asked;
	program = body;
	catch_crashes();
	prefix_length = 0;
	asked->executions = asked->steps = 0;
	asked->longest = 0;
	asked->exhausted = asked->failed = false;
	for (long run = asked->first_run; run < asked->first_run + asked->runs; run++) {
		int range = change_range();

		execute(run, range);
		asked->executions++;
		asked->steps += steps;
		if (asked->longest < steps)
			asked->longest = steps;
		if (asked->failed) {
			asked->failed_run = run;
			asked->failed_range = range;
			break;
		}
		if (asked->strategy == EXPLORE_EXHAUSTIVE && !next_schedule()) {
			asked->exhausted = true;
			break;
		}
	}
	exploration = NULL;
}
