/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The library in its process: fork, thread cancellation, signals, errno, and threads on their way out.
 */
#include "harness.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

static atomic_bool entered, may_go;

/* A call, once it may go; then a point at which a canceled thread ends. */
static void *call_when_allowed(void *call)
{
	atomic_store(&entered, true);
	while (!atomic_load(&may_go))
		sched_yield();
	test_call_run(call);
	pthread_testcancel();
	return NULL;
}

/* Starts a call that will have to wait, for it is alone with a channel of its own: full for a send, empty for a receive. */
static void start_alone(struct test_call *call, enum test_action action)
{
	bool for_ever = action == SEND_MANY || action == RECV_MANY || action == SENDER_WAIT || action == RECEIVER_WAIT;

	*call = (struct test_call){ .action = action,
		.pair = test_pair_new(sizeof(int), 1),
		.message = 5,
		.deadline = for_ever ? DUCT_FOREVER : duct_after_s(100) };
	if (test_is_send(action))
		CHECK_STATUS(duct_send(call->pair.tx, &(int){ 4 }), DUCT_OK);
	atomic_store(&entered, false);
	call->thread = test_start(call_when_allowed, call);
	AWAIT(atomic_load(&entered));
}

static void start_asleep(struct test_call *call, enum test_action action)
{
	atomic_store(&may_go, true);
	start_alone(call, action);
	test_call_await_asleep(call);
	CHECK(!atomic_load(&call->done));
}

static bool takes(enum test_action action)
{
	return action != SENDER_WAIT && action != RECEIVER_WAIT;
}

/* Does what the call waits for. */
static void serve(struct test_call *call)
{
	int message;

	if (test_is_send(call->action))
		CHECK_STATUS(duct_recv(call->pair.rx, &message), DUCT_OK);
	else
		CHECK_STATUS(duct_send(call->pair.tx, &(int){ 6 }), DUCT_OK);
}

/* After the call has ended: that it succeeded and moved exactly one message. */
static void check_served(struct test_call *call)
{
	CHECK(atomic_load(&call->done));
	CHECK_STATUS(call->status, DUCT_OK);
	CHECK(call->message == (takes(call->action) && !test_is_send(call->action) ? 6 : 5));
	CHECK(duct_channel_len(call->pair.channel) == (test_is_send(call->action) == takes(call->action)));
	test_pair_free(&call->pair);
}

/* The thread of a call that waits is canceled: it lasts until the call is served, and ends after it. */
static void check_canceled(struct test_call *call)
{
	void *result;

	for (int moment = 0; moment < 10; moment++)
		test_pause();
	CHECK(!atomic_load(&call->done));
	serve(call);
	CHECK(pthread_join(call->thread, &result) == 0);
	CHECK(result == PTHREAD_CANCELED);
	check_served(call);
}

/* ---- Fork -------------------------------------------------------------------------------------------------------------- */

static void *echo(void *argument)
{
	struct test_pair *pairs = argument;
	int message;

	DUCT_FOR_EACH(pairs[0].rx, &message)
		CHECK_STATUS(duct_send(pairs[1].tx, &message), DUCT_OK);
	return NULL;
}

/* New channels, all by one thread and, where that is allowed after a fork, between two. */
static void use_new_channels(void)
{
	struct test_pair pairs[2] = { test_pair_new(sizeof(int), 1), test_pair_new(sizeof(int), 0) };
	duct_cancel *cancel;
	int message;
	pthread_t thread;

	CHECK_STATUS(duct_send(pairs[0].tx, &(int){ 1 }), DUCT_OK);
	CHECK_STATUS(duct_recv(pairs[0].rx, &message), DUCT_OK);
	CHECK_STATUS(duct_recv_until(pairs[1].rx, &message, duct_after_ms(1), NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_cancel_new(&cancel, NULL, duct_after_ms(1)), DUCT_OK);
	CHECK_STATUS(duct_recv_until(pairs[1].rx, &message, DUCT_FOREVER, cancel), DUCT_CANCELED);
	duct_cancel_free(cancel);
	if (!TEST_SANITIZED) { /* which stops a program that starts threads after a fork of many */
		thread = test_start(echo, pairs);
		for (int n = 0; n < 100; n++) {
			CHECK_STATUS(duct_send(pairs[0].tx, &n), DUCT_OK);
			CHECK_STATUS(duct_recv(pairs[1].rx, &message), DUCT_OK);
			CHECK(message == n);
		}
		duct_channel_close(pairs[0].channel, 0);
		test_join(thread);
	}
	test_pair_free(&pairs[0]);
	test_pair_free(&pairs[1]);
}

/* While threads sleep in calls the process forks: the child makes and uses channels of its own, the parent goes on. */
TEST(fork, while_threads_sleep_leaves_both_working, 10)
{
	static struct test_call calls[ACTIONS];

	for (enum test_action action = SEND; action < ACTIONS; action++)
		start_asleep(&calls[action], action);
	for (int round = 0; round < 3; round++) {
		pid_t child = fork();
		int status;

		CHECK(child >= 0);
		if (child == 0) {
			use_new_channels();
			_exit(0);
		}
		CHECK(waitpid(child, &status, 0) == child);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	for (enum test_action action = SEND; action < ACTIONS; action++) {
		serve(&calls[action]);
		test_join(calls[action].thread);
		check_served(&calls[action]);
	}
}

/* ---- Cancellation of threads ------------------------------------------------------------------------------------------- */

/* A thread canceled in a call is not ended there: the call is served as ever, and the thread ends at its next own point. */
TEST(pthread_cancel, does_not_break_into_a_call, 10)
{
	for (enum test_action action = SEND; action < ACTIONS; action++) {
		struct test_call call;

		start_asleep(&call, action);
		CHECK(pthread_cancel(call.thread) == 0);
		check_canceled(&call);
	}
}

/* Nor is a thread that was canceled before the call ended by it, even if the call has to wait or runs out of time. */
TEST(pthread_cancel, before_a_call_does_not_end_it, 10)
{
	for (enum test_action action = SEND; action < ACTIONS; action++) {
		struct test_call call;

		atomic_store(&may_go, false);
		start_alone(&call, action);
		CHECK(pthread_cancel(call.thread) == 0);
		atomic_store(&may_go, true);
		check_canceled(&call);
	}
}

/* ---- Signals ----------------------------------------------------------------------------------------------------------- */

static atomic_int signals;

static void count_signal(int number)
{
	(void)number;
	atomic_fetch_add(&signals, 1);
}

static void catch_signals(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof action);
	action.sa_handler = count_signal; /* no SA_RESTART: system calls are interrupted */
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
}

static void interrupt(pthread_t thread)
{
	int before = atomic_load(&signals);

	CHECK(pthread_kill(thread, SIGUSR1) == 0);
	AWAIT(atomic_load(&signals) > before);
}

/* Signals that interrupt a sleeping thread do not end its call. */
TEST(signal, does_not_end_a_call, 10)
{
	catch_signals();
	for (enum test_action action = SEND; action < ACTIONS; action++) {
		struct test_call call;

		start_asleep(&call, action);
		for (int n = 0; n < 10; n++) {
			interrupt(call.thread);
			CHECK(!atomic_load(&call.done));
		}
		serve(&call);
		test_join(call.thread);
		check_served(&call);
	}
}

static void *run_and_linger(void *call)
{
	test_call_run(call);
	/* So that the thread can be signalled until the test is done with it. */
	while (!atomic_load(&may_go))
		test_pause();
	return NULL;
}

/* Signals neither shorten nor lengthen a wait with a deadline. */
TEST(signal, does_not_move_a_deadline, 10)
{
	struct test_call call = { .action = RECV_UNTIL, .pair = test_pair_new(sizeof(int), 1), .deadline = duct_after_ms(30) };

	catch_signals();
	atomic_store(&may_go, false);
	call.thread = test_start(run_and_linger, &call);
	while (!atomic_load(&call.done))
		interrupt(call.thread);
	atomic_store(&may_go, true);
	CHECK_STATUS(test_call_end(&call), DUCT_TIMEDOUT);
	CHECK(call.ended >= call.deadline);
	test_pair_free(&call.pair);
}

/* ---- What is a thread's own ------------------------------------------------------------------------------------------- */

/* What a drop hook sets is the caller's own doing; this one sets nothing. */
static void ignore_message(void *message, void *context)
{
	(void)message;
	(void)context;
}

static void *allocate_from_heap(size_t size, void *context)
{
	(void)context;
	return malloc(size);
}

static void release_to_heap(void *memory, void *context)
{
	(void)context;
	free(memory);
}

/* The call leaves errno and the thread's cancelability as they were. */
#define LEAVES_THREAD(call_) \
	do { \
		int state_; \
\
		errno = EDOM; \
		call_; \
		CHECK(errno == EDOM); \
		CHECK(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state_) == 0 && state_ == PTHREAD_CANCEL_ENABLE); \
	} while (0)

/* No call sets errno, or keeps cancellation from the thread, whether it succeeds, fails or waits in vain. */
TEST(thread_state, is_left_alone, 5)
{
	const duct_allocator heap = { .allocate = allocate_from_heap, .release = release_to_heap };
	duct_channel *channel, *channel_clone, *hooked;
	duct_sender *tx, *tx_clone;
	duct_receiver *rx, *rx_clone;
	duct_cancel *cancel, *cancel_clone;
	int message = 1;
	duct_case cases[] = { DUCT_RECV(NULL, &message) };
	size_t count;
	char line[100];

	LEAVES_THREAD(CHECK_STATUS(duct_anycast_new(&channel, 4, 1, DUCT_OPTIONS(.drop = ignore_message)), DUCT_OK));
	LEAVES_THREAD(CHECK_STATUS(duct_anycast_new(&channel, SIZE_MAX, 8, NULL), DUCT_INVALID));
	LEAVES_THREAD(CHECK_STATUS(duct_anycast_new(&hooked, 4, 1, DUCT_OPTIONS(.allocator = &heap)), DUCT_OK));
	LEAVES_THREAD(duct_channel_free(hooked));
	CHECK_STATUS(duct_anycast_new(&hooked, 4, 1, DUCT_OPTIONS(.drop = ignore_message)), DUCT_OK);
	CHECK_STATUS(duct_sender_new(hooked, &tx), DUCT_OK);
	CHECK_STATUS(duct_send(tx, &message), DUCT_OK);
	duct_sender_free(tx);
	LEAVES_THREAD(duct_channel_free(hooked));
	LEAVES_THREAD(CHECK_STATUS(duct_channel_clone(channel, &channel_clone), DUCT_OK));
	LEAVES_THREAD(CHECK_STATUS(duct_sender_new(channel, &tx), DUCT_OK));
	LEAVES_THREAD(CHECK_STATUS(duct_receiver_new(channel, &rx), DUCT_OK));
	LEAVES_THREAD(CHECK_STATUS(duct_sender_clone(tx, &tx_clone), DUCT_OK));
	LEAVES_THREAD(CHECK_STATUS(duct_receiver_clone(rx, &rx_clone), DUCT_OK));
	LEAVES_THREAD(CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK));
	LEAVES_THREAD(CHECK_STATUS(duct_cancel_clone(cancel, &cancel_clone), DUCT_OK));
	cases[0].receiver = rx;
	LEAVES_THREAD(CHECK_STATUS(duct_try_recv(rx, &message), DUCT_EMPTY));
	LEAVES_THREAD(CHECK_STATUS(duct_recv_until(rx, &message, duct_after_ms(1), NULL), DUCT_TIMEDOUT));
	LEAVES_THREAD(CHECK_STATUS(duct_receiver_wait(rx, duct_after_ms(1), cancel), DUCT_TIMEDOUT));
	LEAVES_THREAD(CHECK_STATUS(duct_select_until(cases, 1, &count, DUCT_FAIR, duct_after_ms(1), NULL), DUCT_TIMEDOUT));
	LEAVES_THREAD(CHECK_STATUS(duct_send(tx, &message), DUCT_OK));
	LEAVES_THREAD(CHECK_STATUS(duct_try_send(tx, &message), DUCT_FULL));
	LEAVES_THREAD(CHECK_STATUS(duct_send_until(tx, &message, duct_after_ms(1), NULL), DUCT_TIMEDOUT));
	LEAVES_THREAD(CHECK_STATUS(duct_send_many(tx, &message, 1, &count, duct_after_ms(1), NULL), DUCT_TIMEDOUT));
	LEAVES_THREAD(CHECK_STATUS(duct_recv_many(rx, &message, 0, 1, &count, 0, NULL), DUCT_OK));
	LEAVES_THREAD(CHECK_STATUS(duct_send(tx, &message), DUCT_OK));
	LEAVES_THREAD(CHECK_STATUS(duct_channel_discard(channel, &count), DUCT_OK));
	LEAVES_THREAD(CHECK(duct_channel_describe(channel, line, sizeof line) > 0));
	LEAVES_THREAD(CHECK(duct_strerror((duct_status)999) != NULL));
	LEAVES_THREAD(duct_cancel_raise(cancel));
	LEAVES_THREAD(CHECK_STATUS(duct_recv_until(rx, &message, DUCT_FOREVER, cancel), DUCT_CANCELED));
	LEAVES_THREAD(duct_channel_close(channel, 1));
	LEAVES_THREAD(CHECK_STATUS(duct_recv(rx, &message), DUCT_CLOSED));
	LEAVES_THREAD(duct_sender_close(tx));
	LEAVES_THREAD(duct_receiver_close(rx));
	LEAVES_THREAD(duct_cancel_free(cancel));
	LEAVES_THREAD(duct_cancel_free(cancel_clone));
	LEAVES_THREAD(duct_sender_free(tx));
	LEAVES_THREAD(duct_sender_free(tx_clone));
	LEAVES_THREAD(duct_receiver_free(rx));
	LEAVES_THREAD(duct_receiver_free(rx_clone));
	LEAVES_THREAD(duct_channel_free(channel_clone));
	LEAVES_THREAD(duct_channel_free(channel));
}

#if SIZE_MAX > UINT32_MAX
/* Nor does a call that could not have its memory, whatever malloc does. */
TEST(thread_state, is_left_alone_without_memory, 5)
{
	duct_channel *channel = NULL;

	if (TEST_SANITIZED) /* which stops a program that asks for far too much memory */
		return;
	LEAVES_THREAD(CHECK_STATUS(duct_anycast_new(&channel, (size_t)1 << 40, 1 << 20, NULL), DUCT_NOMEM));
	CHECK(channel == NULL);
}
#endif

/* ---- Threads on their way out ------------------------------------------------------------------------------------------ */

static pthread_key_t key;

/* Runs when the thread's own data are destroyed, after its function has returned. */
static void use_channels_at_exit(void *value)
{
	struct test_pair *pairs = value;
	int message = 0;
	duct_case cases[] = { DUCT_RECV(pairs[0].rx, &message) };
	size_t chosen;

	CHECK_STATUS(duct_recv(pairs[0].rx, &message), DUCT_OK);
	CHECK(message == 1);
	CHECK_STATUS(duct_select(cases, 1, &chosen), DUCT_OK);
	CHECK(message == 2);
	CHECK_STATUS(duct_recv_until(pairs[0].rx, &message, duct_after_ms(1), NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_send(pairs[1].tx, &(int){ 3 }), DUCT_OK);
}

static void *set_value_and_leave(void *argument)
{
	struct test_pair *pairs = argument;
	int message;

	CHECK(pthread_setspecific(key, pairs) == 0);
	/* Some of them have waited before, so that what a wait leaves behind, if anything, is torn down as well. */
	if (duct_channel_capacity(pairs[0].channel) == 0)
		CHECK_STATUS(duct_recv_until(pairs[1].rx, &message, duct_after_ms(1), NULL), DUCT_TIMEDOUT);
	return NULL;
}

/* The destructor of a thread's own data may use channels, wait in them and select. */
TEST(thread_exit, may_use_channels, 5)
{
	CHECK(pthread_key_create(&key, use_channels_at_exit) == 0);
	for (size_t capacity = 0; capacity <= 1; capacity++) {
		struct test_pair pairs[2] = { test_pair_new(sizeof(int), capacity), test_pair_new(sizeof(int), 0) };
		pthread_t thread = test_start(set_value_and_leave, pairs);
		int message;

		for (int n = 1; n <= 2; n++) {
			AWAIT(duct_channel_waiting_receivers(pairs[0].channel) == 1);
			CHECK_STATUS(duct_send(pairs[0].tx, &n), DUCT_OK);
		}
		CHECK_STATUS(duct_recv(pairs[1].rx, &message), DUCT_OK);
		CHECK(message == 3);
		test_join(thread);
		test_pair_free(&pairs[0]);
		test_pair_free(&pairs[1]);
	}
	pthread_key_delete(key);
}
