/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * One sender, and receivers that each get every message (S10), for any broadcast class.
 *
 * A broadcast class is a template over the size of the contents of a message, and whether the message is those (Whole) or a
 * reference to them, which all receivers share (a box).  It has
 *
 *     explicit Broadcast(const Audience &)
 *     sender(), receiver(number)               what one thread sends or receives through; receiver 0, 1, 2 and so on
 *     bool send(const Cargo &)                 of what sender() returned
 *     bool send_many(const Cargo *, size_t count)
 *     bool receive(Cargo &)                    of what receiver() returned
 *     size_t receive_many(Cargo *, size_t max) of the same: at least one, 0: failed
 *     uint64_t lost()                          of the same: how many messages the channel says that it lost
 *     Cargo                                    a message
 *     exists                                   true
 *
 * and a Cargo is what goes through the channel as bytes:
 *
 *     void pack(uint64_t number, size_t receivers)     makes the message with this number, for so many receivers
 *     uint64_t open()                                  the number of a message received, which is given up
 *
 * A run is that of engine.h, but with one end, which comes to all.  The numbers that a receiver gets begin with 1 and rise, by
 * 1 where nothing may be lost; and what it got and what the channel says that it lost are together what was sent.
 */
#ifndef BENCH_BROADCAST_H
#define BENCH_BROADCAST_H

#include "engine.h"

#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#define BENCH_BOX 65536 /* bytes in a box */

/* So many receivers, each with room for so many messages; then the sender waits or, if lossy, the oldest are lost. */
struct Audience {
	size_t receivers, capacity, batch;
	bool lossy;
};

/* What has no broadcast. */
template <size_t, bool> struct NoBroadcast {
	static constexpr bool exists = false;
};

/* The message is all that there is. */
template <size_t Size> struct Whole : Message<Size> {
	static constexpr size_t size = Size;

	void pack(uint64_t number, size_t)
	{
		this->put(number);
	}
	/* Reads the last byte too, as one who uses the message would. */
	uint64_t open() const
	{
		if (Size > 8 && this->bytes[Size - 1] != 0x5a)
			bench_die("a message was changed");
		return this->get();
	}
};

/*
 * The C library would give freed boxes back to the system and get them again, which costs ten times what else a message does.
 * A long-lived program would not let it.
 */
inline void bench_keep_memory()
{
#ifdef __GLIBC__
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
#endif
}

/* What one receiver has got. */
class Sequence
{
      public:
	explicit Sequence(bool lossy_) : lossy(lossy_)
	{
	}
	/* Returns whether it is a message, not the end. */
	bool add(uint64_t number, int64_t took)
	{
		if (number == 0)
			return false;
		if (number <= last || (!lossy && number != last + 1))
			bench_die("a message came twice, too early or not at all");
		tally.count(number, took);
		last = number;
		return true;
	}
	Tally done(uint64_t lost)
	{
		tally.lost = lost;
		return tally;
	}

      private:
	Tally tally;
	uint64_t last = 0;
	bool lossy;
};

template <bool Timed, class Channel>
void publish_ones(Channel &channel, const Audience &audience, uint64_t share, Course &course, Tally &tally)
{
	auto &&tx = channel.sender();
	typename Channel::Cargo message;
	Tally mine;
	int64_t took;

	course.arrive();
	while (mine.messages < share && course.goes_on()) {
		uint64_t number = mine.messages + 1;

		message.pack(number, audience.receivers);
		if (!bench_time<Timed>(took, [&] { return tx.send(message); }))
			bench_die("a send failed");
		mine.count(number, took);
	}
	tally = mine;
}

template <bool Timed, class Channel>
void receive_all_ones(Channel &channel, const Audience &audience, size_t number, Course &course, Tally &tally)
{
	auto &&rx = channel.receiver(number);
	typename Channel::Cargo message;
	Sequence got(audience.lossy);
	int64_t took;

	course.arrive();
	do {
		if (!bench_time<Timed>(took, [&] { return rx.receive(message); }))
			bench_die("a receive failed");
	} while (got.add(message.open(), took));
	tally = got.done(rx.lost());
}

template <bool Timed, class Channel>
void publish_batches(Channel &channel, const Audience &audience, uint64_t share, Course &course, Tally &tally)
{
	auto &&tx = channel.sender();
	std::vector<typename Channel::Cargo> messages(audience.batch);
	Tally mine;
	int64_t took;

	course.arrive();
	while (mine.messages < share && course.goes_on()) {
		size_t count = static_cast<size_t>(std::min<uint64_t>(audience.batch, share - mine.messages));
		uint64_t before = mine.messages;

		for (size_t i = 0; i < count; i++)
			messages[i].pack(before + i + 1, audience.receivers);
		if (!bench_time<Timed>(took, [&] { return tx.send_many(messages.data(), count); }))
			bench_die("a send of many failed");
		for (size_t i = 0; i < count; i++)
			mine.count(before + i + 1, took);
	}
	tally = mine;
}

template <bool Timed, class Channel>
void receive_all_batches(Channel &channel, const Audience &audience, size_t number, Course &course, Tally &tally)
{
	auto &&rx = channel.receiver(number);
	std::vector<typename Channel::Cargo> messages(audience.batch);
	Sequence got(audience.lossy);
	size_t count = 0;
	bool goes_on = true;
	int64_t took;

	course.arrive();
	while (goes_on) {
		if (!bench_time<Timed>(took, [&] { return (count = rx.receive_many(messages.data(), audience.batch)) != 0; }))
			bench_die("a receive of many failed");
		for (size_t i = 0; i < count; i++)
			goes_on = got.add(messages[i].open(), took);
	}
	tally = got.done(rx.lost());
}

/* Batch 0: by the operations for one message. */
template <bool Timed, class Channel> Result broadcast(const Audience &audience, const Plan &plan)
{
	bench_keep_memory();
	Channel channel(audience);
	Crew crew(plan, true);

	crew.add_sender([&](Course &course, Tally &tally) {
		auto publish = audience.batch == 0 ? publish_ones<Timed, Channel> : publish_batches<Timed, Channel>;

		publish(channel, audience, crew.share(0, 1), course, tally);
	});
	for (size_t i = 0; i < audience.receivers; i++)
		crew.add_receiver([&, i](Course &course, Tally &tally) {
			auto receive =
			    audience.batch == 0 ? receive_all_ones<Timed, Channel> : receive_all_batches<Timed, Channel>;

			receive(channel, audience, i, course, tally);
		});
	return crew.run([&] {
		auto &&tx = channel.sender();
		typename Channel::Cargo end;

		end.pack(0, audience.receivers);
		if (!tx.send(end))
			bench_die("a send failed");
	});
}

#endif
