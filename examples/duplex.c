/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * duplex [NUMBER]: one thread thinks of a number from 1 to 100, another one guesses it.
 *
 *     guesser    guess -> thinker
 *                      <- too low, too high, right
 *
 * A guess depends on the answer to the one before, and an answer on its guess, so there is nothing to queue: the two take
 * turns, and that is what an exchange is.  Each line of the conversation is printed by one thread and ended by the other; the
 * exchange alone keeps them in order.
 *
 * The guesser is the server of the exchange, since it speaks first, and reads as a function that gives a guess and gets an
 * answer.  It is done when it has guessed it, or has been lied to, and leaves: its scope closes the exchange, and that ends the
 * thinker, which was waiting for the next guess.
 */
#include <duct.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define HIGHEST 100

enum answer { TOO_LOW, TOO_HIGH, RIGHT };

struct thinker {
	duct_party *guesses;
	int number;
	pthread_t thread;
};

static enum answer judge(int guess, int number)
{
	if (guess == number)
		return RIGHT;
	return guess < number ? TOO_LOW : TOO_HIGH;
}

static void *think(void *argument)
{
	static const char *const words[] = { "too low", "too high", "right" };
	struct thinker *thinker = argument;
	enum answer answer;
	duct_status status;
	int guess;

	status = duct_exchange(thinker->guesses, NULL, &guess); /* there is nothing to answer as yet */
	while (status == DUCT_OK) {
		answer = judge(guess, thinker->number);
		puts(words[answer]);
		status = duct_exchange(thinker->guesses, &answer, &guess);
	}
	duct_party_free(thinker->guesses);
	return NULL;
}

/* How many guesses it took; 0 if there is no such number. */
static int guess_number(duct_party *guesser)
{
	DUCT_AUTO_PARTY duct_party *answers = guesser;
	int low = 1, high = HIGHEST;
	enum answer answer;

	for (int count = 1; low <= high; count++) {
		int guess = low + (high - low) / 2;

		printf("%d? ", guess);
		if (duct_exchange(answers, &guess, &answer) != DUCT_OK)
			return 0;
		if (answer == RIGHT)
			return count;
		if (answer == TOO_LOW)
			low = guess + 1;
		else
			high = guess - 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct thinker thinker = { .number = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 73 };
	duct_party *guesser;
	int count;

	if (duct_exchange_open(&thinker.guesses, &guesser, sizeof(int), sizeof(enum answer), NULL) != DUCT_OK)
		return 1;
	if (pthread_create(&thinker.thread, NULL, think, &thinker) != 0)
		return 1;
	count = guess_number(guesser);
	pthread_join(thinker.thread, NULL);
	if (count == 0) {
		printf("there is no such number\n");
		return 1;
	}
	printf("%d guesses\n", count);
	return 0;
}
