/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * One way to write a test, two runners.
 *
 * Normally a test runs under Criterion.  Built with -DFORK_RUNNER it runs under the small runner in fork_runner.c instead:
 * one fork and one alarm a test, nothing linked but libc.  Sanitizers, valgrind and foreign targets use that one, for
 * Criterion cannot run under ThreadSanitizer and does not notice a leak in a test.  The stress programs are built with it too
 * and take their checks from here, but are not linked with support.c.
 *
 *     TEST(suite, condition_and_outcome, seconds)
 *     {
 *             CHECK(expression);
 *             CHECK_STATUS(duct_send(tx, &m), DUCT_OK);
 *     }
 *
 * CHECK may be used in any thread of the test.  Threads meet on observed state: AWAIT(condition) gives way until the
 * condition holds; the test's time limit is its own.
 */
#ifndef TEST_SUPPORT_HARNESS_H
#define TEST_SUPPORT_HARNESS_H

#include <duct.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef FORK_RUNNER
#include <criterion/criterion.h>
#define TEST(suite_, name_, seconds_) Test(suite_, name_, .timeout = (seconds_))
#define CHECK(x_) cr_assert((x_), "%s:%d: %s", __FILE__, __LINE__, #x_)
#else
#include <unistd.h>

struct fork_test {
	const char *suite, *name;
	unsigned seconds;
	void (*run)(void);
	struct fork_test *next;
};

void fork_test_add(struct fork_test *test);

#define TEST(suite_, name_, seconds_) \
	static void suite_##_##name_(void); \
	static struct fork_test suite_##_##name_##_test = { #suite_, #name_, (seconds_), suite_##_##name_, NULL }; \
	__attribute__((constructor)) static void suite_##_##name_##_add(void) \
	{ \
		fork_test_add(&suite_##_##name_##_test); \
	} \
	static void suite_##_##name_(void)
#define CHECK(x_) \
	do { \
		if (!(x_)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x_); \
			fflush(NULL); \
			_exit(1); \
		} \
	} while (0)
#endif

#define CHECK_STATUS(call_, expected_) \
	do { \
		duct_status status_ = (call_); \
		if (status_ != (expected_)) \
			fprintf(stderr, "%s:%d: %s: %s, not %s\n", __FILE__, __LINE__, #call_, duct_strerror(status_), \
			    duct_strerror(expected_)); \
		CHECK(status_ == (expected_)); \
	} while (0)

#define AWAIT(condition_) \
	do { \
		for (unsigned looks_ = 1; !(condition_); looks_++) \
			looks_ < 50 ? (void)sched_yield() : test_pause(); \
	} while (0)

/* Whether a sanitizer watches: gcc and clang tell differently. */
#if defined __has_feature
#define TEST_HAS_FEATURE(feature_) __has_feature(feature_)
#else
#define TEST_HAS_FEATURE(feature_) 0
#endif
#if defined __SANITIZE_THREAD__ || TEST_HAS_FEATURE(thread_sanitizer)
#define TEST_THREAD_SANITIZED 1
#else
#define TEST_THREAD_SANITIZED 0
#endif
#if TEST_THREAD_SANITIZED || defined __SANITIZE_ADDRESS__ || TEST_HAS_FEATURE(address_sanitizer) || \
    TEST_HAS_FEATURE(memory_sanitizer)
#define TEST_SANITIZED 1
#else
#define TEST_SANITIZED 0
#endif

#define ARRAY_LEN(array_) (sizeof(array_) / sizeof((array_)[0]))

/* Lets the other threads run for a moment: for AWAIT, never instead of it. */
void test_pause(void);

/* Starts a thread; a test that cannot have one fails. */
pthread_t test_start(void *(*run)(void *), void *argument);
void test_join(pthread_t thread);

/* A channel with one sender and one receiver whose handles all are the test's. */
struct test_pair {
	duct_channel *channel;
	duct_sender *tx;
	duct_receiver *rx;
};

struct test_pair test_pair_new(size_t message_size, size_t capacity);
struct test_pair test_pair_with(size_t message_size, size_t capacity, const duct_options *options);
void test_pair_free(struct test_pair *pair);

/* Nobody sleeps on the channel, in either direction. */
bool test_pair_is_quiet(const struct test_pair *pair);

/* Sends 0, 1, 2... until the channel is full; returns how many they were. */
int test_fill(duct_sender *tx);

/* Receives ints until the channel is empty. */
void test_drain(duct_receiver *rx);

/* The calls that can wait, SELECT being one with a single receive.  From SEND_UNTIL on they take a deadline and a token. */
enum test_action { SEND, RECV, SEND_UNTIL, RECV_UNTIL, SEND_MANY, RECV_MANY, SENDER_WAIT, RECEIVER_WAIT, SELECT, ACTIONS };

bool test_is_send(enum test_action action);

/* Makes the call, with a batch of one. */
duct_status test_act(enum test_action what, const struct test_pair *on, void *message, duct_time deadline, duct_cancel *cancel);

/* One call in a thread of its own; none may touch errno. */
struct test_call {
	enum test_action action;
	struct test_pair pair;
	int message;
	void *memory; /* the message, where it is not an int */
	duct_time deadline;
	duct_cancel *cancel;
	duct_status status;
	duct_time ended; /* not before this, nor much after */
	atomic_int thread_id;
	atomic_bool done;
	pthread_t thread;
};

void test_call_start(struct test_call *call, enum test_action action, const struct test_pair *pair, int message,
    duct_time deadline, duct_cancel *cancel);
duct_status test_call_end(struct test_call *call);

/* The plain calls; the message of a receive is -1 until it has got one. */
void test_send_start(struct test_call *call, duct_sender *tx, int message);
void test_recv_start(struct test_call *call, duct_receiver *rx);

/* What the thread runs, for a test that fills in the call and starts it itself. */
void *test_call_run(void *call);

/* Until the call is counted on its channel and its thread has slept, as the system tells it, for some moments on end. */
void test_call_await_asleep(struct test_call *call);

/* The state of a thread, as the system tells it ('S': it sleeps); 0 where that does not. */
char test_thread_state(int thread_id);

/*
 * Makes a directory for a watcher, and goes there; leaves it, and removes it, empty.  Not in /tmp: a watcher wakes for a moment
 * when a name comes or goes in a directory on the way to its path, which a test that counts what happens in a wait would count.
 */
void test_folder_begin(char *path, size_t size);
void test_folder_end(const char *path);

/* Until the word says so.  For threads that are to meet at one moment: to yield at once would keep them from it. */
void test_spin_until(atomic_int *word, int value);

/* A private generator: libc's own takes a lock that would hide races. */
static inline uint32_t test_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* CPU time of the process so far, in nanoseconds. */
int64_t test_cpu_time(void);

/* How much longer tests may take here: 1, or TEST_TIME_SCALE from the environment (valgrind, emulators). */
int test_time_scale(void);

/*
 * How often a test does something: normal times, which suits a run of seconds; with TEST_SCALE=full in the environment full
 * times, as the program it was learned from does; with a number there, so many times the normal ones, full at most.
 */
int test_rounds(int normal, int full);

#endif
