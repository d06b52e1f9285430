/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * What the library asks of the processor and of pthreads, in one place, so that a schedule explorer can stand in for it.
 *
 * Locking and unlocking a mutex of our own can only fail by a bug of ours: those calls return nothing.  Making a mutex or a
 * condition variable can fail for want of resources, and says so.
 */
#ifndef DUCT_SYNC_H
#define DUCT_SYNC_H

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#define CACHE_LINE 64

static inline size_t line_round_up(size_t size)
{
	return (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
}

#if defined __GNUC__
#define likely(x_) __builtin_expect(!!(x_), 1)
#define unlikely(x_) __builtin_expect(!!(x_), 0)
#define NOINLINE __attribute__((noinline))
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#else
#define likely(x_) (x_)
#define unlikely(x_) (x_)
#define NOINLINE
#define ALWAYS_INLINE static inline
#endif

/*
 * Atomics are sequentially consistent where nothing is said.  These three say that they are not; each field's comment, or
 * the head of the file, argues why that is enough.
 */
#define load_relaxed(p_) atomic_load_explicit((p_), memory_order_relaxed)
#define load_acquire(p_) atomic_load_explicit((p_), memory_order_acquire)
#define store_relaxed(p_, value_) atomic_store_explicit((p_), (value_), memory_order_relaxed)
#define store_release(p_, value_) atomic_store_explicit((p_), (value_), memory_order_release)

static inline void mutex_lock(pthread_mutex_t *mutex)
{
	pthread_mutex_lock(mutex);
}

static inline void mutex_unlock(pthread_mutex_t *mutex)
{
	pthread_mutex_unlock(mutex);
}

/* ThreadSanitizer does not know fences, and GCC warns of them then. */
#if defined __SANITIZE_THREAD__
#define UNDER_TSAN 1
#elif defined __has_feature
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif

/* Orders all that this thread did before, on any channel, ahead of what it reads next. */
static inline void full_fence(void)
{
#ifdef UNDER_TSAN
	/* No data depends on the fence; any total order will do. */
	static _Atomic int everybody;

	atomic_fetch_add(&everybody, 0);
#else
	atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* A moment of a busy wait: leaves the core to its other hardware thread. */
static inline void cpu_pause(void)
{
#if defined __x86_64__ || defined __i386__
	__builtin_ia32_pause();
#elif defined __aarch64__ || (defined __arm__ && __ARM_ARCH >= 7)
	__asm__ volatile("yield");
#endif
}

/*
 * Holds cancellation off this thread, and lets it go on: what lies between must not be unwound, since other threads know
 * of memory on this stack, or because hooks run in the middle of a change.
 */
static inline int cancellation_hold(void)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	return state;
}

static inline void cancellation_resume(int state)
{
	pthread_setcancelstate(state, &state);
}

/*
 * Starts a thread that gets no signal but those of its own faults, for which the program may have handlers; false if there
 * cannot be one.  Its stack is of the usual size: hooks run on it.
 */
static inline bool thread_start(pthread_t *thread, void *(*run)(void *), void *argument)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	const int error = errno;
	sigset_t blocked, before;
	bool started;

	sigfillset(&blocked);
	for (unsigned i = 0; i < sizeof faults / sizeof faults[0]; i++)
		sigdelset(&blocked, faults[i]);
	pthread_sigmask(SIG_SETMASK, &blocked, &before);
	started = pthread_create(thread, NULL, run, argument) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = error;
	return started;
}

/* Waits until it is gone. */
static inline void thread_join(pthread_t thread)
{
	const int cancellation = cancellation_hold(); /* which would act in the middle of this wait */

	pthread_join(thread, NULL);
	cancellation_resume(cancellation);
}

#endif
