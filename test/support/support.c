/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * What tests under either runner share: threads and pauses, a ready-made channel, and calls that wait in threads of their own.
 */
#include "harness.h"

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void test_pause(void)
{
	const struct timespec moment = { 0, 50 * 1000 };

	nanosleep(&moment, NULL);
}

pthread_t test_start(void *(*run)(void *), void *argument)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, run, argument) == 0);
	return thread;
}

void test_join(pthread_t thread)
{
	CHECK(pthread_join(thread, NULL) == 0);
}

void test_spin_until(atomic_int *word, int value)
{
	for (uint32_t spins = 0; atomic_load(word) != value; spins++)
		if (spins % 4096 == 4095)
			sched_yield();
}

/* ---- Pairs ------------------------------------------------------------------------------------------------------------- */

struct test_pair test_pair_with(size_t message_size, size_t capacity, const duct_options *options)
{
	struct test_pair pair;

	CHECK_STATUS(duct_anycast_new(&pair.channel, message_size, capacity, options), DUCT_OK);
	CHECK_STATUS(duct_sender_new(pair.channel, &pair.tx), DUCT_OK);
	CHECK_STATUS(duct_receiver_new(pair.channel, &pair.rx), DUCT_OK);
	return pair;
}

struct test_pair test_pair_new(size_t message_size, size_t capacity)
{
	return test_pair_with(message_size, capacity, NULL);
}

void test_pair_free(struct test_pair *pair)
{
	duct_sender_free(pair->tx);
	duct_receiver_free(pair->rx);
	duct_channel_free(pair->channel);
}

bool test_pair_is_quiet(const struct test_pair *pair)
{
	return duct_channel_waiting_senders(pair->channel) == 0 && duct_channel_waiting_receivers(pair->channel) == 0;
}

int test_fill(duct_sender *tx)
{
	int next = 0;

	while (duct_try_send(tx, &next) == DUCT_OK)
		next++;
	return next;
}

void test_drain(duct_receiver *rx)
{
	int message;

	while (duct_try_recv(rx, &message) == DUCT_OK)
		;
}

/* ---- Calls that wait --------------------------------------------------------------------------------------------------- */

bool test_is_send(enum test_action action)
{
	return action == SEND || action == SEND_UNTIL || action == SEND_MANY || action == SENDER_WAIT;
}

duct_status test_act(enum test_action what, const struct test_pair *on, void *message, duct_time deadline, duct_cancel *cancel)
{
	duct_case cases[] = { DUCT_RECV(on->rx, message) };
	size_t chosen;

	switch (what) {
	case SEND:
		return duct_send(on->tx, message);
	case RECV:
		return duct_recv(on->rx, message);
	case SEND_UNTIL:
		return duct_send_until(on->tx, message, deadline, cancel);
	case RECV_UNTIL:
		return duct_recv_until(on->rx, message, deadline, cancel);
	case SEND_MANY:
		return duct_send_many(on->tx, message, 1, NULL, deadline, cancel);
	case RECV_MANY:
		return duct_recv_many(on->rx, message, 1, 1, NULL, deadline, cancel);
	case SENDER_WAIT:
		return duct_sender_wait(on->tx, deadline, cancel);
	case RECEIVER_WAIT:
		return duct_receiver_wait(on->rx, deadline, cancel);
	default:
		return duct_select_until(cases, 1, &chosen, DUCT_FAIR, deadline, cancel);
	}
}

void *test_call_run(void *argument)
{
	struct test_call *call = argument;
	void *message = call->memory != NULL ? call->memory : &call->message;

	atomic_store(&call->thread_id, (int)syscall(SYS_gettid));
	errno = EDOM;
	call->status = test_act(call->action, &call->pair, message, call->deadline, call->cancel);
	CHECK(errno == EDOM);
	call->ended = duct_now();
	atomic_store(&call->done, true);
	return NULL;
}

void test_call_start(struct test_call *call, enum test_action action, const struct test_pair *pair, int message,
    duct_time deadline, duct_cancel *cancel)
{
	*call = (struct test_call){ .action = action, .pair = *pair, .message = message, .status = DUCT_INVALID };
	call->deadline = deadline;
	call->cancel = cancel;
	call->thread = test_start(test_call_run, call);
}

void test_send_start(struct test_call *call, duct_sender *tx, int message)
{
	test_call_start(call, SEND, &(struct test_pair){ .tx = tx }, message, DUCT_FOREVER, NULL);
}

void test_recv_start(struct test_call *call, duct_receiver *rx)
{
	test_call_start(call, RECV, &(struct test_pair){ .rx = rx }, -1, DUCT_FOREVER, NULL);
}

duct_status test_call_end(struct test_call *call)
{
	test_join(call->thread);
	return call->status;
}

static bool is_counted(const struct test_call *call)
{
	return test_is_send(call->action) ? duct_channel_waiting_senders(duct_sender_channel(call->pair.tx)) > 0
	                                  : duct_channel_waiting_receivers(duct_receiver_channel(call->pair.rx)) > 0;
}

char test_thread_state(int thread_id)
{
	char path[64], state = '\0';
	FILE *file;

	snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread_id);
	file = fopen(path, "r");
	if (file == NULL)
		return '\0';
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = '\0';
	fclose(file);
	return state;
}

/* Where the system does not tell, a thread is taken to sleep. */
static bool sleeps(int thread_id)
{
	const char state = test_thread_state(thread_id);

	return state == 'S' || state == '\0';
}

void test_call_await_asleep(struct test_call *call)
{
	AWAIT(is_counted(call));
	/* For a thread that is only on its way to sleep may sleep before. */
	for (int moments = 0; moments < 5; test_pause())
		moments = sleeps(atomic_load(&call->thread_id)) ? moments + 1 : 0;
}

/* ---- Folders ----------------------------------------------------------------------------------------------------------- */

void test_folder_begin(char *path, size_t size)
{
	const char *where = getenv("TMPDIR");

	if (where == NULL || *where != '/')
		where = access("/var/tmp", W_OK) == 0 ? "/var/tmp" : "/tmp";
	CHECK(snprintf(path, size, "%s/duct-XXXXXX", where) < (int)size);
	CHECK(mkdtemp(path) != NULL && chdir(path) == 0);
}

void test_folder_end(const char *path)
{
	CHECK(chdir("/") == 0 && rmdir(path) == 0);
}

/* ---- The machine ------------------------------------------------------------------------------------------------------- */

int64_t test_cpu_time(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

int test_time_scale(void)
{
	const char *scale = getenv("TEST_TIME_SCALE");

	return scale != NULL && atoi(scale) > 0 ? atoi(scale) : 1;
}

int test_rounds(int normal, int full)
{
	const char *scale = getenv("TEST_SCALE");
	double rounds;

	if (scale == NULL)
		return normal;
	rounds = strcmp(scale, "full") == 0 ? full : atof(scale) * normal;
	if (rounds < 1)
		return 1;
	return rounds < full ? (int)rounds : full;
}
