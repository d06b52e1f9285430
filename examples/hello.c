/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * hello: one thread sends three numbers, another receives them.
 *
 * The whole life of a channel: open it, give each end to a thread, free the ends.  Nobody says how many numbers there will
 * be.  The channel closes itself when its only sender is freed, and the receive after the last number returns DUCT_CLOSED.
 */
#include <duct.h>
#include <pthread.h>
#include <stdio.h>

static void *send_numbers(void *argument)
{
	duct_sender *numbers = argument;

	for (int number = 0; number < 3; number++) {
		printf("sending %d\n", number);
		if (duct_send(numbers, &number) != DUCT_OK)
			break;
	}
	duct_sender_free(numbers);
	return NULL;
}

int main(void)
{
	duct_sender *tx;
	duct_receiver *rx;
	pthread_t thread;
	int number;

	if (duct_anycast_open(&tx, &rx, sizeof number, 10, NULL) != DUCT_OK)
		return 1;
	if (pthread_create(&thread, NULL, send_numbers, tx) != 0)
		return 1;
	while (duct_recv(rx, &number) == DUCT_OK)
		printf("received %d\n", number);
	pthread_join(thread, NULL);
	duct_receiver_free(rx);
	return 0;
}
