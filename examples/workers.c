/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * workers: two senders, two receivers and a buffer that is too small.
 *
 * The receivers take 0.1 s for each number, so the channel of two fills up and the senders have to wait.  The log hook tells
 * when: a full channel is the first thing to look at when a program is slow, and without a hook nobody sees it.
 *
 * Each thread owns its end and frees it when done.  Nobody closes the channel: main gives its handle back once the ends are
 * made, the last sender's free closes, and the receivers drain what is left and end.
 */
#include <duct.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

struct sender {
	const char *name;
	int start, stop; /* sends start, start + 1, ... stop - 1 */
	duct_sender *numbers;
	pthread_t thread;
};

struct receiver {
	const char *name;
	duct_receiver *numbers;
	pthread_t thread;
};

static void *send_numbers(void *argument)
{
	struct sender *sender = argument;

	for (int number = sender->start; number < sender->stop; number++) {
		printf("%s sending %d\n", sender->name, number);
		if (duct_send(sender->numbers, &number) != DUCT_OK)
			break;
	}
	duct_sender_free(sender->numbers);
	return NULL;
}

static void work(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 100 * 1000 * 1000 }, NULL);
}

static void *receive_numbers(void *argument)
{
	struct receiver *receiver = argument;
	int number;

	while (duct_recv(receiver->numbers, &number) == DUCT_OK) {
		printf("%s received %d\n", receiver->name, number);
		work();
	}
	duct_receiver_free(receiver->numbers);
	return NULL;
}

static void tell_when_blocked(const duct_log_event *event, void *context)
{
	(void)context;
	if (event->kind == DUCT_LOG_BLOCKED)
		puts(event->text);
}

int main(void)
{
	struct sender senders[] = {
		{ .name = "sender_1", .start = 10, .stop = 13 },
		{ .name = "sender_2", .start = 20, .stop = 22 },
	};
	struct receiver receivers[] = { { .name = "receiver_1" }, { .name = "receiver_2" } };
	duct_channel *numbers;

	/* An interval of 1 ns: tell every time, not just once a second. */
	if (duct_anycast_new(&numbers, sizeof(int), 2,
		DUCT_OPTIONS(.name = "numbers", .log = tell_when_blocked, .log_interval = 1)) != DUCT_OK)
		return 1;
	for (int i = 0; i < 2; i++) {
		if (duct_sender_new(numbers, &senders[i].numbers) != DUCT_OK)
			return 1;
		if (duct_receiver_new(numbers, &receivers[i].numbers) != DUCT_OK)
			return 1;
	}
	duct_channel_free(numbers);

	for (int i = 0; i < 2; i++)
		if (pthread_create(&senders[i].thread, NULL, send_numbers, &senders[i]) != 0)
			return 1;
	for (int i = 0; i < 2; i++)
		if (pthread_create(&receivers[i].thread, NULL, receive_numbers, &receivers[i]) != 0)
			return 1;
	for (int i = 0; i < 2; i++) {
		pthread_join(senders[i].thread, NULL);
		pthread_join(receivers[i].thread, NULL);
	}
	return 0;
}
