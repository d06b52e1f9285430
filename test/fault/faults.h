/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Faults on request: the n-th allocation, or the n-th making of a mutex, condition variable, thread, eventfd, stream of a
 * directory, inotify or watch of it, fails; a thread is held where it gives up the processor, takes or lets go of a lock or
 * meets its fault, in the middle of a call; and files change while a directory is read.
 *
 * The linker puts these functions in place of the C library's for every object of the program, the library's own included;
 * the C library's calls of itself are not touched.  Link with:
 *
 *     -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free
 *     -Wl,--wrap=pthread_mutex_init,--wrap=pthread_mutex_destroy
 *     -Wl,--wrap=pthread_cond_init,--wrap=pthread_cond_destroy
 *     -Wl,--wrap=pthread_condattr_init,--wrap=pthread_condattr_destroy,--wrap=pthread_condattr_setclock
 *     -Wl,--wrap=sched_yield,--wrap=pthread_mutex_lock,--wrap=pthread_mutex_unlock
 *     -Wl,--wrap=eventfd,--wrap=ppoll
 *     -Wl,--wrap=pthread_create,--wrap=pthread_join,--wrap=pthread_detach
 *     -Wl,--wrap=inotify_init1,--wrap=inotify_add_watch
 *     -Wl,--wrap=fdopendir,--wrap=dirfd,--wrap=closedir
 *
 * against the static library, and with -DFORK_RUNNER: Criterion would see the faults too.
 */
#ifndef TEST_FAULT_FAULTS_H
#define TEST_FAULT_FAULTS_H

#include <stdatomic.h>
#include <stdbool.h>

/* What is alive now of each kind that the program made. */
struct fault_live {
	long blocks, mutexes, conditions, attributes;
	long threads; /* neither joined nor detached */
};

struct fault_live fault_live(void);
bool fault_live_same(const struct fault_live *one, const struct fault_live *other);

/* Condition variables made so far, by all threads: a thread that goes to sleep in a wait makes one, as its last step. */
long fault_conditions_made(void);

/* Calls of ppoll so far, by all threads: one that waits for descriptors too begins with that. */
long fault_polls_begun(void);

/*
 * From begin to end the n-th call of this thread that could fail does fail, n counting from 1; 0 fails none.  End returns the
 * number of such calls: n or more, and the fault was met.
 */
void fault_begin(long n);
long fault_end(void);

/*
 * What happens once to the next call of this thread: inotify is not there; the stream of a directory cannot be read; others
 * act just before an entry is looked at, or when a directory has been read.  True: it has happened, and more is forgotten.
 */
void fault_no_inotify(void);
void fault_unreadable(void);
void fault_before_look(void (*act)(void));
void fault_after_reading(void (*act)(void));
bool fault_happened(void);

/* What became of a hold. */
enum { HOLD_SET, HOLD_HELD, HOLD_LET_GO };

/*
 * The next sched_yield of this thread, the call that its next fault fails, its n-th pthread_mutex_lock, before it has the lock,
 * or its n-th pthread_mutex_unlock, when that is done, stops, says HELD, and goes on when another thread says LET_GO; fault_unhold takes the hold back if there was no such call.
 * Whoever is held is inside the library, and others can know it.
 */
void fault_hold_yield(atomic_int *hold);
void fault_hold_fault(atomic_int *hold);
void fault_hold_lock(atomic_int *hold, long n);
void fault_hold_unlock(atomic_int *hold, long n);
void fault_unhold(void);

#endif
