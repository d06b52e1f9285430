/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * What Duct's operations cost, and those of the ring that everybody writes first (naive.h): both in one program, so that they
 * are measured in one interleaved run.
 *
 *     S1 S2 S3 S4 S11    1, 4, 1, 4, 16 senders to 1, 1, 4, 4, 16 receivers, by size, capacity and batch
 *     S7 latency         a round trip over two channels; the same, with percentiles of the rounds' times
 *     S8                 a send and a receive on one thread
 *     S9                 one receiver for four channels with a sender each
 *     S10                one sender, and 1 to 64 receivers that each get every message; lossy: the oldest go where there is no
 *                        room; box: 64 KiB that are shared
 *     select_ready       one thread: a send to one of n channels, at random, and a select over all that finds it
 *     select_round       two threads: one sends to n channels in turn, the other selects over them
 *     try create         one thread: what fails at once; a channel with its ends made and freed
 *
 * ns is the wall time for a message (round, pair, call), as is the column Time; cpu_ns is the processor time of all threads;
 * lost is the share of all copies of a broadcast.
 * Threads and clocks are those of engine.h, so Google Benchmark is told the time.
 */
#include "channels.h"
#include "engine.h"

#include <array>
#include <benchmark/benchmark.h>
#include <functional>
#include <string>

namespace
{

/* ---- Registering ---------------------------------------------------------------------------------------------------- */

using Run = std::function<Result(const Plan &)>;

/* Google Benchmark says how many messages, once; the engine does the rest. */
void measure(benchmark::State &state, const Run &run)
{
	while (state.KeepRunningBatch(state.max_iterations)) {
		Result result = run({ 0, static_cast<uint64_t>(state.max_iterations) });

		state.SetIterationTime(result.seconds);
		state.counters["ns"] = result.ns;
		state.counters["cpu_ns"] = result.cpu_ns;
		if (result.copies != 0)
			state.counters["lost"] = static_cast<double>(result.lost) / static_cast<double>(result.copies);
	}
}

void add(const std::string &name, const Run &run)
{
	benchmark::RegisterBenchmark(name.c_str(), [run](benchmark::State &state) { measure(state, run); })->UseManualTime();
}

std::string describe(const char *scenario, const char *channel, size_t size, size_t capacity)
{
	return std::string(scenario) + "/" + channel + "/size:" + std::to_string(size) +
	       "/capacity:" + std::to_string(capacity);
}

/* ---- On one thread -------------------------------------------------------------------------------------------------- */

/* The operation, so many times. */
template <class Operation> Result repeat(const Plan &plan, Operation operation)
{
	double count = static_cast<double>(plan.messages), wall, cpu;
	int64_t from = bench_clock(), processor = bench_clock(CLOCK_PROCESS_CPUTIME_ID);

	for (uint64_t i = 0; i < plan.messages; i++)
		if (!operation())
			bench_die("an operation went wrong");
	cpu = static_cast<double>(bench_clock(CLOCK_PROCESS_CPUTIME_ID) - processor);
	wall = static_cast<double>(bench_clock() - from);
	return { plan.messages, wall / 1e9, wall / count, cpu / count, 0, 0, {}, {} };
}

template <class Channel> Result try_send_full(const Plan &plan)
{
	Channel channel(1);
	auto &&tx = channel.sender();
	Message<Channel::size> message;

	if (!tx.try_send(message))
		bench_die("an empty channel was full");
	return repeat(plan, [&] { return !tx.try_send(message); });
}

template <class Channel> Result try_receive_empty(const Plan &plan)
{
	Channel channel(1);
	auto &&rx = channel.receiver();
	Message<Channel::size> message;

	return repeat(plan, [&] { return !rx.try_receive(message); });
}

template <class Channel> Result create(size_t capacity, const Plan &plan)
{
	return repeat(plan, [capacity] {
		Channel channel(capacity);
		auto &&tx = channel.sender();
		auto &&rx = channel.receiver();

		benchmark::DoNotOptimize(&tx);
		benchmark::DoNotOptimize(&rx);
		return true;
	});
}

Result try_select_empty(const Plan &plan)
{
	Duct<8>::Several several(4, 1);
	Message<8> message;
	Duct<8>::Select select = several.receiver(message);

	return repeat(plan, [&] { return !select.try_receive(); });
}

/* One of so many channels, at random, gets a message that a select has to find. */
Result select_ready(size_t channels, const Plan &plan)
{
	Duct<8>::Several several(channels, 1);
	Message<8> sent, received;
	Duct<8>::Select select = several.receiver(received);
	std::vector<Duct<8>::Sender> txs;
	uint64_t random = 1;

	for (size_t i = 0; i < channels; i++)
		txs.push_back(several.sender(i));
	return repeat(plan, [&] {
		random = random * 6364136223846793005 + 1442695040888963407;
		sent.number(random);
		return txs[(random >> 33) % channels].send(sent) && select.receive() && received.weight() == sent.weight();
	});
}

/* ---- Latency -------------------------------------------------------------------------------------------------------- */

/* How often a time was measured, in buckets of 3 % of their times. */
class Histogram
{
      public:
	void add(uint64_t value)
	{
		counts[bucket(value)]++;
		total++;
	}
	/* What that part of the values is at most. */
	double quantile(double part) const
	{
		uint64_t left = static_cast<uint64_t>(part * static_cast<double>(total));

		for (size_t i = 0; i < counts.size(); i++) {
			if (left < counts[i])
				return top(i);
			left -= counts[i];
		}
		return top(counts.size() - 1);
	}

      private:
	/* Values below 32 have a bucket each; above, each power of two has 32. */
	static size_t bucket(uint64_t value)
	{
		size_t power = value < 32 ? 5 : static_cast<size_t>(63 - __builtin_clzll(value));

		return value < 32 ? value : (power - 4) * 32 + ((value >> (power - 5)) & 31);
	}
	static double top(size_t bucket)
	{
		if (bucket < 32)
			return static_cast<double>(bucket);
		return static_cast<double>(bucket % 32 + 33) * static_cast<double>(1ULL << (bucket / 32 - 1)) - 1;
	}

	std::array<uint64_t, 60 * 32> counts{};
	uint64_t total = 0;
};

/* Writes the rounds' times down. */
struct RoundWatch {
	Histogram *histogram;
	int64_t from;

	void begin()
	{
		from = bench_clock();
	}
	void end()
	{
		histogram->add(static_cast<uint64_t>(bench_clock() - from));
	}
};

template <class Channel> void latency(benchmark::State &state)
{
	Histogram histogram;

	measure(state, [&](const Plan &plan) {
		return ping_pong<false, Channel>({ 1, 1, 1, 0 }, plan, RoundWatch{ &histogram, 0 });
	});
	state.counters["p50"] = histogram.quantile(0.5);
	state.counters["p99"] = histogram.quantile(0.99);
	state.counters["p99.9"] = histogram.quantile(0.999);
}

/* ---- What there is -------------------------------------------------------------------------------------------------- */

template <class Channel> void add_transfer(const char *scenario, const char *name, const Shape &shape)
{
	std::string batch = shape.batch == 0 ? "" : "/batch:" + std::to_string(shape.batch);

	add(describe(scenario, name, Channel::size, shape.capacity) + batch,
	    [shape](const Plan &plan) { return transfer<false, Channel>(shape, plan); });
}

/* Of 8 bytes and 1024 messages: by one of the three, the other two fixed. */
template <template <size_t> class Channel>
void add_grid(const char *scenario, const char *name, size_t senders, size_t receivers)
{
	add_transfer<Channel<0>>(scenario, name, { senders, receivers, 1024, 0 });
	add_transfer<Channel<8>>(scenario, name, { senders, receivers, 1024, 0 });
	add_transfer<Channel<64>>(scenario, name, { senders, receivers, 1024, 0 });
	add_transfer<Channel<256>>(scenario, name, { senders, receivers, 1024, 0 });
	add_transfer<Channel<4096>>(scenario, name, { senders, receivers, 1024, 0 });
	for (size_t capacity : { 0, 1, 16 })
		add_transfer<Channel<8>>(scenario, name, { senders, receivers, capacity, 0 });
	for (size_t batch : { 1, 8, 16, 64 })
		add_transfer<Channel<8>>(scenario, name, { senders, receivers, 1024, batch });
}

template <class Channel> void add_singles(const char *name)
{
	add(describe("S7", name, 8, 1), [](const Plan &plan) { return ping_pong<false, Channel>({ 1, 1, 1, 0 }, plan); });
	add(describe("S8", name, 8, 1024), [](const Plan &plan) { return alone<false, Channel>({ 1, 1, 1024, 0 }, plan); });
	add(describe("S9", name, 8, 1024), [](const Plan &plan) { return gather<false, Channel>(4, { 4, 1, 1024, 0 }, plan); });
	add(describe("try_send_full", name, 8, 1), try_send_full<Channel>);
	add(describe("try_receive_empty", name, 8, 1), try_receive_empty<Channel>);
	for (size_t capacity : { 1, 1024 })
		add(describe("create", name, 8, capacity),
		    [capacity](const Plan &plan) { return create<Channel>(capacity, plan); });
	benchmark::RegisterBenchmark(describe("latency", name, 8, 1).c_str(), latency<Channel>)->UseManualTime();
}

template <template <size_t> class Channel> void add_channel(const char *name)
{
	add_grid<Channel>("S1", name, 1, 1);
	add_transfer<Channel<8>>("S2", name, { 4, 1, 1024, 0 });
	add_transfer<Channel<8>>("S3", name, { 1, 4, 1024, 0 });
	add_grid<Channel>("S4", name, 4, 4);
	add_transfer<Channel<8>>("S11", name, { 16, 16, 1024, 0 });
	add_singles<Channel<8>>(name);
}

template <class Channel> void add_broadcast(const char *name, const char *size, const Audience &audience)
{
	std::string batch = audience.batch == 0 ? "" : "/batch:" + std::to_string(audience.batch);

	add(std::string("S10/") + name + "/" + size + "/capacity:" + std::to_string(audience.capacity) +
		"/receivers:" + std::to_string(audience.receivers) + (audience.lossy ? "/lossy" : "") + batch,
	    [audience](const Plan &plan) { return broadcast<false, Channel>(audience, plan); });
}

template <template <size_t, bool> class Broadcast> void add_broadcasts(const char *name)
{
	for (size_t receivers : { 1, 4, 16, 64 }) {
		add_broadcast<Broadcast<8, false>>(name, "size:8", { receivers, 1024, 0, false });
		add_broadcast<Broadcast<8, false>>(name, "size:8", { receivers, 1024, 0, true });
		add_broadcast<Broadcast<256, false>>(name, "size:256", { receivers, 1024, 0, false });
		add_broadcast<Broadcast<BENCH_BOX, true>>(name, "box", { receivers, 1024, 0, false });
	}
	add_broadcast<Broadcast<8, false>>(name, "size:8", { 4, 1024, 16, false });
}

void add_selects()
{
	add("try_select_empty/duct/channels:4", try_select_empty);
	for (size_t channels : { 2, 4, 16, 256, 1024 }) {
		std::string name = "/duct/channels:" + std::to_string(channels);

		add("select_ready" + name, [channels](const Plan &plan) { return select_ready(channels, plan); });
		add("select_round" + name, [channels](const Plan &plan) {
			return gather<false, Duct<8>>(channels, { 1, 1, 16, 0 }, plan);
		});
	}
}

} // namespace

int main(int count, char **words)
{
	add_channel<Duct>("duct");
	add_channel<Naive>("naive");
	add_broadcasts<DuctBroadcast>("duct");
	add_broadcasts<NaiveBroadcast>("naive");
	add_selects();
	benchmark::Initialize(&count, words);
	if (benchmark::ReportUnrecognizedArguments(count, words))
		return 1;
	benchmark::RunSpecifiedBenchmarks();
	benchmark::Shutdown();
	return 0;
}
