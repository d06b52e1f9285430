/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The functions that stand in for the C library's: see faults.h.  The region is a thread's own, so that of two threads at
 * work on one channel only the one under test meets the fault.
 */
#include "faults.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static _Thread_local atomic_int *hold_yield, *hold_fault, *hold_lock, *hold_unlock;
static _Thread_local long calls, failing, locks_left, unlocks_left;
static _Thread_local bool inside, no_inotify, is_unreadable;
static _Thread_local void (*before_look)(void), (*after_reading)(void);
static atomic_long blocks, mutexes, conditions, attributes, threads, conditions_made, polls_begun;

/* The mutexes and condition variables that were made and not destroyed. */
#define MOST_OBJECTS 4096
static _Atomic(void *) objects[MOST_OBJECTS];

struct fault_live fault_live(void)
{
	return (struct fault_live){ blocks, mutexes, conditions, attributes, threads };
}

bool fault_live_same(const struct fault_live *one, const struct fault_live *other)
{
	return one->blocks == other->blocks && one->mutexes == other->mutexes && one->conditions == other->conditions &&
	       one->attributes == other->attributes && one->threads == other->threads;
}

long fault_conditions_made(void)
{
	return atomic_load(&conditions_made);
}

long fault_polls_begun(void)
{
	return atomic_load(&polls_begun);
}

void fault_begin(long n)
{
	calls = 0;
	failing = n;
	inside = true;
}

long fault_end(void)
{
	inside = false;
	return calls;
}

void fault_hold_yield(atomic_int *hold)
{
	hold_yield = hold;
}

void fault_hold_fault(atomic_int *hold)
{
	hold_fault = hold;
}

void fault_hold_lock(atomic_int *hold, long n)
{
	hold_lock = hold;
	locks_left = n;
}

void fault_hold_unlock(atomic_int *hold, long n)
{
	hold_unlock = hold;
	unlocks_left = n;
}

void fault_unhold(void)
{
	hold_yield = hold_fault = hold_lock = hold_unlock = NULL;
}

/* Stops here if there is a hold, and takes it away; true if there was. */
static bool stop(atomic_int **here)
{
	const struct timespec moment = { 0, 50 * 1000 };
	atomic_int *hold = *here;
	int untouched = HOLD_SET;

	if (hold == NULL)
		return false;
	*here = NULL;
	/* It may have been let go before it came here. */
	if (!atomic_compare_exchange_strong(hold, &untouched, HOLD_HELD))
		return true;
	while (atomic_load(hold) != HOLD_LET_GO)
		nanosleep(&moment, NULL);
	return true;
}

static bool fails(void)
{
	if (!inside || ++calls != failing)
		return false;
	(void)stop(&hold_fault);
	return true;
}

/* The linker's names: __real_ is what the C library has, __wrap_ is what the program calls. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void __real_free(void *memory);
int __real_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attribute);
int __real_pthread_mutex_destroy(pthread_mutex_t *mutex);
int __real_pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attribute);
int __real_pthread_cond_destroy(pthread_cond_t *condition);
int __real_pthread_condattr_init(pthread_condattr_t *attribute);
int __real_pthread_condattr_destroy(pthread_condattr_t *attribute);
int __real_pthread_condattr_setclock(pthread_condattr_t *attribute, clockid_t clock);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attribute, void *(*run)(void *), void *argument);
int __real_pthread_join(pthread_t thread, void **result);
int __real_pthread_detach(pthread_t thread);
int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __real_eventfd(unsigned initial, int flags);
int __real_ppoll(struct pollfd *polls, nfds_t count, const struct timespec *timeout, const sigset_t *mask);
int __real_inotify_init1(int flags);
int __real_inotify_add_watch(int descriptor, const char *path, uint32_t mask);
DIR *__real_fdopendir(int descriptor);
int __real_dirfd(DIR *stream);
int __real_closedir(DIR *stream);
int __real_sched_yield(void) __attribute__((weak)); /* linked without this one, no thread is held */

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void __wrap_free(void *memory);
int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attribute);
int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex);
int __wrap_pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attribute);
int __wrap_pthread_cond_destroy(pthread_cond_t *condition);
int __wrap_pthread_condattr_init(pthread_condattr_t *attribute);
int __wrap_pthread_condattr_destroy(pthread_condattr_t *attribute);
int __wrap_pthread_condattr_setclock(pthread_condattr_t *attribute, clockid_t clock);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attribute, void *(*run)(void *), void *argument);
int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_detach(pthread_t thread);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_eventfd(unsigned initial, int flags);
int __wrap_ppoll(struct pollfd *polls, nfds_t count, const struct timespec *timeout, const sigset_t *mask);
int __wrap_inotify_init1(int flags);
int __wrap_inotify_add_watch(int descriptor, const char *path, uint32_t mask);
DIR *__wrap_fdopendir(int descriptor);
int __wrap_dirfd(DIR *stream);
int __wrap_closedir(DIR *stream);
int __wrap_sched_yield(void);

static void *counted(void *memory)
{
	if (memory != NULL)
		atomic_fetch_add(&blocks, 1);
	return memory;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : counted(__real_calloc(count, size));
}

void *__wrap_realloc(void *memory, size_t size)
{
	if (fails())
		return NULL;
	return memory == NULL ? counted(__real_realloc(NULL, size)) : __real_realloc(memory, size);
}

void __wrap_free(void *memory)
{
	if (memory != NULL)
		atomic_fetch_sub(&blocks, 1);
	__real_free(memory);
}

static int made(int error, atomic_long *count)
{
	if (error == 0)
		atomic_fetch_add(count, 1);
	return error;
}

/* Puts an object into the place of another, NULL being nobody; false if the other has no place. */
static bool replace(void *other, void *object)
{
	for (size_t i = 0; i < MOST_OBJECTS; i++) {
		void *expected = other;

		if (atomic_compare_exchange_strong(&objects[i], &expected, object))
			return true;
	}
	return false;
}

static int remembered(int error, void *object)
{
	if (error == 0 && !replace(NULL, object))
		abort();
	return error;
}

/* What is destroyed was made. */
static void forget(void *object)
{
	if (replace(object, NULL))
		return;
	fprintf(stderr, "a mutex or condition variable is destroyed that was not made\n");
	abort();
}

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attribute)
{
	return fails() ? ENOMEM : remembered(made(__real_pthread_mutex_init(mutex, attribute), &mutexes), mutex);
}

int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex)
{
	forget(mutex);
	atomic_fetch_sub(&mutexes, 1);
	return __real_pthread_mutex_destroy(mutex);
}

int __wrap_pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attribute)
{
	int error = fails() ? EAGAIN : made(__real_pthread_cond_init(condition, attribute), &conditions);

	(void)remembered(error, condition);
	atomic_fetch_add(&conditions_made, error == 0);
	return error;
}

int __wrap_pthread_cond_destroy(pthread_cond_t *condition)
{
	forget(condition);
	atomic_fetch_sub(&conditions, 1);
	return __real_pthread_cond_destroy(condition);
}

int __wrap_pthread_condattr_init(pthread_condattr_t *attribute)
{
	return fails() ? ENOMEM : made(__real_pthread_condattr_init(attribute), &attributes);
}

int __wrap_pthread_condattr_destroy(pthread_condattr_t *attribute)
{
	atomic_fetch_sub(&attributes, 1);
	return __real_pthread_condattr_destroy(attribute);
}

int __wrap_pthread_condattr_setclock(pthread_condattr_t *attribute, clockid_t clock)
{
	return fails() ? EINVAL : __real_pthread_condattr_setclock(attribute, clock);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attribute, void *(*run)(void *), void *argument)
{
	if (!fails())
		return made(__real_pthread_create(thread, attribute, run, argument), &threads);
	errno = ENOMEM; /* as the C library's may, for want of a stack */
	return EAGAIN;
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
	atomic_fetch_sub(&threads, 1);
	return __real_pthread_join(thread, result);
}

int __wrap_pthread_detach(pthread_t thread)
{
	atomic_fetch_sub(&threads, 1);
	return __real_pthread_detach(thread);
}

int __wrap_eventfd(unsigned initial, int flags)
{
	if (!fails())
		return __real_eventfd(initial, flags);
	errno = EMFILE;
	return -1;
}

int __wrap_ppoll(struct pollfd *polls, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	atomic_fetch_add(&polls_begun, 1);
	return __real_ppoll(polls, count, timeout, mask);
}

int __wrap_sched_yield(void)
{
	return stop(&hold_yield) ? 0 : __real_sched_yield();
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	if (hold_lock != NULL && --locks_left == 0)
		(void)stop(&hold_lock);
	return __real_pthread_mutex_lock(mutex);
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	const int error = __real_pthread_mutex_unlock(mutex);

	if (hold_unlock != NULL && --unlocks_left == 0)
		(void)stop(&hold_unlock);
	return error;
}

/* ---- Files ----------------------------------------------------------------------------------------------------- */

void fault_no_inotify(void)
{
	no_inotify = true;
}

void fault_unreadable(void)
{
	is_unreadable = true;
}

void fault_before_look(void (*act)(void))
{
	before_look = act;
}

void fault_after_reading(void (*act)(void))
{
	after_reading = act;
}

bool fault_happened(void)
{
	const bool happened = !no_inotify && !is_unreadable && before_look == NULL && after_reading == NULL;

	no_inotify = is_unreadable = false;
	before_look = after_reading = NULL;
	return happened;
}

static void let_others_act(void (**act)(void))
{
	void (*now)(void) = *act;

	*act = NULL;
	if (now != NULL)
		now();
}

/* Two reasons, in turn, for what fails for want of something. */
static int short_of(int one, int other)
{
	return failing % 2 != 0 ? one : other;
}

int __wrap_inotify_init1(int flags)
{
	const bool is_missing = no_inotify;

	no_inotify = false;
	if (!is_missing && !fails())
		return __real_inotify_init1(flags);
	errno = is_missing ? ENOSYS : EMFILE;
	return -1;
}

int __wrap_inotify_add_watch(int descriptor, const char *path, uint32_t mask)
{
	if (!fails())
		return __real_inotify_add_watch(descriptor, path, mask);
	errno = short_of(ENOSPC, ENOMEM);
	return -1;
}

/* ENFILE is what opening the directory could have failed with just before. */
DIR *__wrap_fdopendir(int descriptor)
{
	DIR *stream;
	int file;

	if (fails()) {
		errno = short_of(ENOMEM, ENFILE);
		return NULL;
	}
	stream = __real_fdopendir(descriptor);
	if (stream != NULL && is_unreadable) {
		is_unreadable = false;
		if ((file = open("/dev/null", O_RDONLY | O_CLOEXEC)) == -1 || dup2(file, descriptor) == -1 || close(file) != 0)
			abort();
	}
	return stream;
}

int __wrap_dirfd(DIR *stream)
{
	let_others_act(&before_look);
	return __real_dirfd(stream);
}

int __wrap_closedir(DIR *stream)
{
	const int result = __real_closedir(stream);

	let_others_act(&after_reading);
	return result;
}
