/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The program of one peer, as the runner calls it:
 *
 *     PROGRAM list                             a line CHANNEL SCENARIO for each scenario the channel can do
 *     PROGRAM run CHANNEL SCENARIO SECONDS     does one and prints a line of JSON
 *     PROGRAM wait CHANNEL SCENARIO SECONDS    the same, with every operation timed, and the longest told
 *
 * Messages have 8 bytes and channels a capacity of 1024 unless the scenario says otherwise; S10 is to 4 receivers unless it
 * says "to" how many.
 */
#ifndef BENCH_PEERS_PROGRAM_H
#define BENCH_PEERS_PROGRAM_H

#include "broadcast.h"
#include "engine.h"

#include <functional>
#include <string>
#include <vector>

struct Scenario {
	std::string name;
	std::function<Result(const Plan &)> run;
};

template <bool Timed, template <size_t> class Channel, template <size_t, bool> class Broadcast> class Scenarios
{
      public:
	Scenarios()
	{
		add_main();
		add_sizes();
		add_batches();
		add_several();
		if constexpr (Broadcast<8, false>::exists)
			add_broadcasts();
	}

	std::vector<Scenario> all;

      private:
	template <size_t Size> void add_transfer(const char *name, const Shape &shape)
	{
		if constexpr (Channel<Size>::carries(Size))
			all.push_back(
			    { name, [shape](const Plan &plan) { return transfer<Timed, Channel<Size>>(shape, plan); } });
	}
	void add_main()
	{
		add_transfer<8>("S1", { 1, 1, 1024, 0 });
		add_transfer<8>("S2", { 4, 1, 1024, 0 });
		add_transfer<8>("S3", { 1, 4, 1024, 0 });
		add_transfer<8>("S4", { 4, 4, 1024, 0 });
		if (Channel<8>::bounded && Channel<8>::least_capacity <= 1)
			add_transfer<8>("S5", { 1, 1, 1, 0 });
		if (Channel<8>::bounded && Channel<8>::least_capacity == 0)
			add_transfer<8>("S6", { 1, 1, 0, 0 });
		all.push_back({ "S7", [](const Plan &plan) { return ping_pong<Timed, Channel<8>>({ 1, 1, 1, 0 }, plan); } });
		all.push_back({ "S8", [](const Plan &plan) { return alone<Timed, Channel<8>>({ 1, 1, 1024, 0 }, plan); } });
		add_transfer<8>("S11", { 16, 16, 1024, 0 });
	}
	void add_sizes()
	{
		add_transfer<1>("S1-1", { 1, 1, 1024, 0 });
		add_transfer<64>("S1-64", { 1, 1, 1024, 0 });
		add_transfer<256>("S1-256", { 1, 1, 1024, 0 });
		add_transfer<256>("S4-256", { 4, 4, 1024, 0 });
	}
	void add_batches()
	{
		if constexpr (Channel<8>::has_batch) {
			add_transfer<8>("S1-b16", { 1, 1, 1024, 16 });
			add_transfer<8>("S1-b64", { 1, 1, 1024, 64 });
			add_transfer<8>("S4-b64", { 4, 4, 1024, 64 });
		}
	}
	void add_several()
	{
		if constexpr (Channel<8>::has_several)
			all.push_back({ "S9", [](const Plan &plan) {
					       return gather<Timed, Channel<8>>(4, { 4, 1, 1024, 0 }, plan);
				       } });
		if constexpr (Channel<8>::has_select)
			all.push_back({ "popular", [](const Plan &plan) {
					       return popular<Timed, Channel<8>>({ 1, 1000, 0, 0 }, plan);
				       } });
	}
	template <size_t Size, bool Boxed = false> void add_broadcast(const char *name, const Audience &audience)
	{
		all.push_back({ name,
		    [audience](const Plan &plan) { return broadcast<Timed, Broadcast<Size, Boxed>>(audience, plan); } });
	}
	void add_broadcasts()
	{
		add_broadcast<8>("S10-to1", { 1, 1024, 0, false });
		add_broadcast<8>("S10", { 4, 1024, 0, false });
		add_broadcast<8>("S10-to16", { 16, 1024, 0, false });
		add_broadcast<8>("S10-to64", { 64, 1024, 0, false });
		add_broadcast<256>("S10-256", { 4, 1024, 0, false });
		add_broadcast<BENCH_BOX, true>("S10-box", { 4, 1024, 0, false });
		add_broadcast<BENCH_BOX, true>("S10-to64-box", { 64, 1024, 0, false });
		add_broadcast<8>("S10-b16", { 4, 1024, 16, false });
		add_broadcast<8>("S10-to1-lossy", { 1, 1024, 0, true });
		add_broadcast<8>("S10-lossy", { 4, 1024, 0, true });
		add_broadcast<8>("S10-to16-lossy", { 16, 1024, 0, true });
		add_broadcast<8>("S10-to64-lossy", { 64, 1024, 0, true });
		add_broadcast<256>("S10-256-lossy", { 4, 1024, 0, true });
		add_broadcast<BENCH_BOX, true>("S10-box-lossy", { 4, 1024, 0, true });
	}
};

inline void print_counts(const char *name, const std::vector<uint64_t> &counts)
{
	printf(", \"%s\": [", name);
	for (size_t i = 0; i < counts.size(); i++)
		printf("%s%llu", i == 0 ? "" : ", ", static_cast<unsigned long long>(counts[i]));
	printf("]");
}

inline void print_result(const char *channel, const char *scenario, const Result &result, bool timed)
{
	printf(
	    "{\"channel\": \"%s\", \"scenario\": \"%s\", \"messages\": %llu, \"seconds\": %.6f, \"ns\": %.2f, \"cpu_ns\": %.2f",
	    channel, scenario, static_cast<unsigned long long>(result.messages), result.seconds, result.ns, result.cpu_ns);
	print_counts("receivers", result.received);
	print_counts("senders", result.sent);
	if (result.copies != 0)
		printf(", \"copies\": %llu, \"lost\": %llu", static_cast<unsigned long long>(result.copies),
		    static_cast<unsigned long long>(result.lost));
	if (timed)
		printf(", \"longest_send_us\": %.1f, \"longest_receive_us\": %.1f", result.longest_send_us,
		    result.longest_receive_us);
	printf("}\n");
}

inline int run_scenario(const std::vector<Scenario> &all, char **words, bool timed)
{
	double seconds = atof(words[4]);

	for (const Scenario &scenario : all)
		if (scenario.name == words[3] && seconds > 0) {
			print_result(words[2], words[3], scenario.run({ seconds, 0 }), timed);
			return 0;
		}
	fprintf(stderr, "%s: no scenario %s, or no time %s\n", words[0], words[3], words[4]);
	return 2;
}

/* The whole of main. */
template <template <size_t> class Channel, template <size_t, bool> class Broadcast = NoBroadcast>
int peer_program(const char *channel, int count, char **words)
{
	std::string command = count > 1 ? words[1] : "";

	if (command == "list" && count == 2) {
		for (const Scenario &scenario : Scenarios<false, Channel, Broadcast>().all)
			printf("%s %s\n", channel, scenario.name.c_str());
		return 0;
	}
	if (command == "run" && count == 5 && words[2] == std::string(channel))
		return run_scenario(Scenarios<false, Channel, Broadcast>().all, words, false);
	if (command == "wait" && count == 5 && words[2] == std::string(channel))
		return run_scenario(Scenarios<true, Channel, Broadcast>().all, words, true);
	fprintf(stderr, "usage: %s list | run %s SCENARIO SECONDS | wait %s SCENARIO SECONDS\n", words[0], channel, channel);
	return 2;
}

#endif
