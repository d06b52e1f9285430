/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Idle: threads that wait cost nothing.
 *
 * Eight threads block in receives, sends and selects, with and without a deadline and a token, while the main thread sleeps.
 * Together they may use 10 ms of CPU, however long it lasts: nothing polls.
 *
 *     stress_idle [seconds]
 */
#include "harness.h"

#include <time.h>
#include <unistd.h>

#define THREADS 8
#define MOST_CPU_TIME INT64_C(10000000)

/* Nothing moves on either: one is empty, one is full. */
static struct {
	duct_channel *empty, *full;
	duct_sender *empty_tx, *full_tx;
	duct_receiver *empty_rx, *full_rx;
	duct_cancel *token;
	duct_time deadline;
} idle;

/* Each kind of wait, by the number of the thread; all end when the channels close. */
static void *wait_idly(void *argument)
{
	int kind = *(int *)argument, in = 0, out = 0;
	duct_case cases[2] = { DUCT_RECV(idle.empty_rx, &in), DUCT_SEND(idle.full_tx, &out) };
	duct_time deadline;
	duct_cancel *token;
	unsigned flags;
	size_t chosen;

	switch (kind) {
	case 0:
		CHECK_STATUS(duct_recv(idle.empty_rx, &in), DUCT_CLOSED);
		break;
	case 1:
		CHECK_STATUS(duct_recv_until(idle.empty_rx, &in, idle.deadline, NULL), DUCT_CLOSED);
		break;
	case 2:
		CHECK_STATUS(duct_receiver_wait(idle.empty_rx, idle.deadline, idle.token), DUCT_CLOSED);
		break;
	case 3:
		CHECK_STATUS(duct_send(idle.full_tx, &out), DUCT_CLOSED);
		break;
	case 4:
		CHECK_STATUS(duct_send_until(idle.full_tx, &out, DUCT_FOREVER, idle.token), DUCT_CLOSED);
		break;
	default:
		flags = kind == 7 ? DUCT_READY : DUCT_FAIR;
		deadline = kind == 5 ? DUCT_FOREVER : idle.deadline;
		token = kind == 6 ? idle.token : NULL;
		CHECK_STATUS(duct_select_until(cases, 2, &chosen, flags, deadline, token), DUCT_OK);
		CHECK_STATUS(cases[chosen].status, DUCT_CLOSED);
	}
	return NULL;
}

static int64_t cpu_time(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

static void pause_for(int64_t nanoseconds)
{
	struct timespec left = { (time_t)(nanoseconds / 1000000000), (long)(nanoseconds % 1000000000) };

	while (nanosleep(&left, &left) != 0)
		;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 1;
	pthread_t threads[THREADS];
	int kinds[THREADS];
	int64_t used;

	alarm(60 + (unsigned)seconds);
	idle.deadline = duct_after_s(3600);
	CHECK_STATUS(duct_cancel_new(&idle.token, NULL, DUCT_FOREVER), DUCT_OK);
	CHECK_STATUS(duct_anycast_new(&idle.empty, sizeof(int), 1, NULL), DUCT_OK);
	CHECK_STATUS(duct_anycast_new(&idle.full, sizeof(int), 0, NULL), DUCT_OK);
	CHECK_STATUS(duct_sender_new(idle.empty, &idle.empty_tx), DUCT_OK);
	CHECK_STATUS(duct_receiver_new(idle.empty, &idle.empty_rx), DUCT_OK);
	CHECK_STATUS(duct_sender_new(idle.full, &idle.full_tx), DUCT_OK);
	CHECK_STATUS(duct_receiver_new(idle.full, &idle.full_rx), DUCT_OK);
	for (int k = 0; k < THREADS; k++) {
		kinds[k] = k;
		CHECK(pthread_create(&threads[k], NULL, wait_idly, &kinds[k]) == 0);
	}
	/* Six wait to receive and five to send, three of them both. */
	while (duct_channel_waiting_receivers(idle.empty) < 6 || duct_channel_waiting_senders(idle.full) < 5)
		pause_for(1000000);
	used = cpu_time();
	pause_for((int64_t)(seconds * 1e9));
	used = cpu_time() - used;
	duct_channel_close(idle.empty, 0);
	duct_channel_close(idle.full, 0);
	for (int k = 0; k < THREADS; k++)
		pthread_join(threads[k], NULL);
	duct_sender_free(idle.empty_tx);
	duct_sender_free(idle.full_tx);
	duct_receiver_free(idle.empty_rx);
	duct_receiver_free(idle.full_rx);
	duct_channel_free(idle.empty);
	duct_channel_free(idle.full);
	duct_cancel_free(idle.token);
	printf("%s %d threads asleep for %.1f s used %.3f ms of CPU, of %.0f allowed\n", used < MOST_CPU_TIME ? "ok  " : "FAIL",
	    THREADS, seconds, (double)used / 1e6, (double)MOST_CPU_TIME / 1e6);
	printf("%d passed, %d failed\n", used < MOST_CPU_TIME, used >= MOST_CPU_TIME);
	return used >= MOST_CPU_TIME;
}
