/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * One way to write a test, two runners.
 *
 * Normally a test runs under Criterion.  Built with -DFORK_RUNNER it runs under the small runner in fork_runner.c instead:
 * one fork and one alarm a test, nothing linked but libc.  Sanitizers, valgrind and foreign targets use that one, for
 * Criterion cannot run under ThreadSanitizer and does not notice a leak in a test.
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
		while (!(condition_)) \
			test_pause(); \
	} while (0)

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
void test_pair_free(struct test_pair *pair);

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

#endif
