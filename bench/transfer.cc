/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * What a message costs from sender to receiver, for Duct and for the ring that everybody writes first: one mutex and two
 * condition variables (naive.h).  Both in one program, so that they are measured in one interleaved run.
 *
 * Half of the threads send, half receive; each message is a number that the receiver checks.  ns is the wall time a message,
 * cpu_ns the processor time of all threads a message.  (The column Time counts a send and a receive as two.)
 */
#include "naive.h"

#include <benchmark/benchmark.h>
#include <ctime>
#include <duct.h>

namespace
{

class Duct
{
      public:
	explicit Duct(size_t capacity)
	{
		good = duct_anycast_new(&channel, sizeof(uint64_t), capacity, nullptr) == DUCT_OK &&
		       duct_sender_new(channel, &tx) == DUCT_OK && duct_receiver_new(channel, &rx) == DUCT_OK;
	}
	~Duct()
	{
		duct_sender_free(tx);
		duct_receiver_free(rx);
		duct_channel_free(channel);
	}
	bool send(uint64_t message)
	{
		return duct_send(tx, &message) == DUCT_OK;
	}
	bool receive(uint64_t *message)
	{
		return duct_recv(rx, message) == DUCT_OK;
	}

	bool good;

      private:
	duct_channel *channel = nullptr;
	duct_sender *tx = nullptr;
	duct_receiver *rx = nullptr;
};

class Naive
{
      public:
	explicit Naive(size_t capacity)
	{
		good = naive_init(&ring, capacity);
	}
	~Naive()
	{
		naive_fini(&ring);
	}
	bool send(uint64_t message)
	{
		naive_send(&ring, message);
		return true;
	}
	bool receive(uint64_t *message)
	{
		*message = naive_receive(&ring);
		return true;
	}

	bool good;

      private:
	struct naive ring;
};

double clock_ns(clockid_t clock)
{
	timespec reading;

	clock_gettime(clock, &reading);
	return static_cast<double>(reading.tv_sec) * 1e9 + static_cast<double>(reading.tv_nsec);
}

/* Of n threads the first half send, the other half receive, each as many messages. */
template <class Channel> void transfer(benchmark::State &state)
{
	static Channel *channel;
	bool sends = state.thread_index() < state.threads() / 2;
	uint64_t message = 1, sum = 0;
	double wall = clock_ns(CLOCK_MONOTONIC), processor = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

	if (state.thread_index() == 0) {
		channel = new Channel(static_cast<size_t>(state.range(0)));
		if (!channel->good)
			state.SkipWithError("no channel");
	}
	for (auto _ : state) {
		if (sends ? !channel->send(message) : !channel->receive(&message)) {
			state.SkipWithError("transfer failed");
			break;
		}
		sum += message;
	}
	if (sum != static_cast<uint64_t>(state.iterations()))
		state.SkipWithError("messages were wrong");
	if (state.thread_index() == 0) {
		double messages = static_cast<double>(state.iterations()) * state.threads() / 2;

		state.counters["ns"] = (clock_ns(CLOCK_MONOTONIC) - wall) / messages;
		state.counters["cpu_ns"] = (clock_ns(CLOCK_PROCESS_CPUTIME_ID) - processor) / messages;
		delete channel;
	}
}

/* A send and a receive on one thread: the fast path by itself. */
template <class Channel> void alone(benchmark::State &state)
{
	Channel channel(static_cast<size_t>(state.range(0)));
	uint64_t message = 1;

	for (auto _ : state)
		if (!channel.send(message) || !channel.receive(&message))
			state.SkipWithError("transfer failed");
}

#define TRANSFERS(channel_) \
	BENCHMARK_TEMPLATE(transfer, channel_)->Arg(0)->Arg(1)->Arg(1024)->Threads(2)->UseRealTime(); \
	BENCHMARK_TEMPLATE(transfer, channel_)->Arg(1024)->Threads(8)->UseRealTime(); \
	BENCHMARK_TEMPLATE(alone, channel_)->Arg(1024)

TRANSFERS(Duct);
TRANSFERS(Naive);

} // namespace

BENCHMARK_MAIN();
