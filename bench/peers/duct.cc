/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Duct as a peer among others, and what the machine charges for a cache line:
 *
 *     PROGRAM line     {"line_ns": 31.0}: from one processor to another, one way
 *
 * Two threads on two processors answer each other through one word.  It differs by a factor of five as the processors share
 * a cache or do not, which may change while a program runs; figures are compared within one state only.
 *
 * link: -pthread
 */
#include "../channels.h"
#include "program.h"

#include <sched.h>

namespace
{

/* On the given one of the processors that the program was allowed, or anywhere if there are not so many. */
void use_processor(const cpu_set_t &allowed, int number)
{
	cpu_set_t one;

	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && number-- == 0) {
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			sched_setaffinity(0, sizeof one, &one);
		}
}

struct Line {
	BENCH_LINE std::atomic<uint64_t> word{ 0 }; /* odd: the answerer's turn */
	BENCH_LINE std::atomic<bool> stopped{ false };
};

void answer(Line &line, const cpu_set_t &allowed)
{
	use_processor(allowed, 1);
	for (;;) {
		uint64_t seen = line.word.load(std::memory_order_acquire);

		if (seen % 2 == 1)
			line.word.store(seen + 1, std::memory_order_release);
		else if (line.stopped.load(std::memory_order_relaxed))
			return;
	}
}

/* Rounds for so long; ns one way. */
double ask(Line &line, int64_t duration)
{
	uint64_t next = line.word.load(std::memory_order_relaxed), first = next;
	int64_t from = bench_clock(), now;

	do {
		for (int i = 0; i < 100; i++, next += 2) {
			line.word.store(next + 1, std::memory_order_release);
			while (line.word.load(std::memory_order_acquire) != next + 2)
				;
		}
		now = bench_clock();
	} while (now - from < duration);
	return static_cast<double>(now - from) / static_cast<double>(next - first);
}

/* The least of some short measurements: what disturbs one only makes it longer. */
int print_line()
{
	Line line;
	std::vector<double> times;
	cpu_set_t allowed;

	if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
		bench_die("no processors to be had");
	std::thread answerer(answer, std::ref(line), std::cref(allowed));
	use_processor(allowed, 0);
	for (int i = 0; i < 9; i++)
		times.push_back(ask(line, 5000000));
	line.stopped.store(true, std::memory_order_relaxed);
	answerer.join();
	printf("{\"line_ns\": %.1f}\n", *std::min_element(times.begin(), times.end()));
	return 0;
}

} // namespace

int main(int count, char **words)
{
	if (count == 2 && words[1] == std::string("line"))
		return print_line();
	return peer_program<Duct, DuctBroadcast>("duct", count, words);
}
