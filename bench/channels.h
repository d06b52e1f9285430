/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Duct as a channel class of engine.h; the naive ring is one by itself.  Every thread has an end of its own, as programs do.
 */
#ifndef BENCH_CHANNELS_H
#define BENCH_CHANNELS_H

#include "broadcast.h"
#include "engine.h"
#include "naive.h"

#include <duct.h>
#include <memory>
#include <type_traits>
#include <vector>

struct DuctFree {
	void operator()(duct_channel *channel) const
	{
		duct_channel_free(channel);
	}
	void operator()(duct_sender *sender) const
	{
		duct_sender_free(sender);
	}
	void operator()(duct_receiver *receiver) const
	{
		duct_receiver_free(receiver);
	}
};

template <size_t Size> class Duct : public Plain<Duct<Size>>
{
      public:
	static constexpr size_t size = Size, least_capacity = 0;
	static constexpr bool has_batch = true, has_select = true, has_several = true;
	class Sender;
	class Receiver;
	class Select;
	class Several;

	explicit Duct(size_t capacity)
	{
		duct_channel *made;

		if (duct_anycast_new(&made, Size, capacity, nullptr) != DUCT_OK)
			bench_die("no channel");
		channel.reset(made);
	}
	Sender sender()
	{
		return Sender(channel.get());
	}
	Receiver receiver()
	{
		return Receiver(channel.get());
	}

      private:
	std::unique_ptr<duct_channel, DuctFree> channel;
};

template <size_t Size> class Duct<Size>::Sender
{
      public:
	explicit Sender(duct_channel *channel)
	{
		duct_sender *made;

		if (duct_sender_new(channel, &made) != DUCT_OK)
			bench_die("no sender");
		sender.reset(made);
	}
	bool send(const Message<Size> &message)
	{
		return duct_send(sender.get(), message.bytes) == DUCT_OK;
	}
	bool try_send(const Message<Size> &message)
	{
		return duct_try_send(sender.get(), message.bytes) == DUCT_OK;
	}
	bool send_many(const Message<Size> *messages, size_t count)
	{
		return duct_send_many(sender.get(), messages, count, nullptr, DUCT_FOREVER, nullptr) == DUCT_OK;
	}

      private:
	std::unique_ptr<duct_sender, DuctFree> sender;
};

template <size_t Size> class Duct<Size>::Receiver
{
      public:
	explicit Receiver(duct_channel *channel)
	{
		duct_receiver *made;

		if (duct_receiver_new(channel, &made) != DUCT_OK)
			bench_die("no receiver");
		receiver.reset(made);
	}
	bool receive(Message<Size> &message)
	{
		return duct_recv(receiver.get(), message.bytes) == DUCT_OK;
	}
	bool try_receive(Message<Size> &message)
	{
		return duct_try_recv(receiver.get(), message.bytes) == DUCT_OK;
	}
	size_t receive_many(Message<Size> *messages, size_t max)
	{
		size_t received = 0;

		return duct_recv_many(receiver.get(), messages, 1, max, &received, DUCT_FOREVER, nullptr) == DUCT_OK ? received
		                                                                                                     : 0;
	}
	duct_case as_case(Message<Size> &message)
	{
		return duct_recv_case(receiver.get(), message.bytes);
	}

      private:
	std::unique_ptr<duct_receiver, DuctFree> receiver;
};

/* A select over all of the channels into one message; the cases are built once. */
template <size_t Size> class Duct<Size>::Select
{
      public:
	Select(const std::vector<Duct *> &channels, Message<Size> &message)
	{
		for (Duct *one : channels) {
			receivers.push_back(one->receiver());
			cases.push_back(receivers.back().as_case(message));
		}
	}
	bool receive()
	{
		size_t chosen;

		return duct_select(cases.data(), cases.size(), &chosen) == DUCT_OK && cases[chosen].status == DUCT_OK;
	}
	bool try_receive()
	{
		size_t chosen;

		return duct_try_select(cases.data(), cases.size(), &chosen) == DUCT_OK && cases[chosen].status == DUCT_OK;
	}

      private:
	std::vector<Receiver> receivers;
	std::vector<duct_case> cases;
};

template <size_t Size> class Duct<Size>::Several
{
      public:
	static constexpr size_t size = Size;

	Several(size_t count, size_t capacity)
	{
		for (size_t i = 0; i < count; i++)
			channels.push_back(std::make_unique<Duct>(capacity));
	}
	Sender sender(size_t number)
	{
		return channels[number]->sender();
	}
	Select receiver(Message<Size> &message)
	{
		std::vector<Duct *> all;

		for (const std::unique_ptr<Duct> &one : channels)
			all.push_back(one.get());
		return Select(all, message);
	}

      private:
	std::vector<std::unique_ptr<Duct>> channels;
};

#ifdef DUCT_SUBSCRIPTION_INIT

/* A number in a box of so many bytes. */
template <size_t Size> struct DuctBox {
	static constexpr size_t size = sizeof(duct_box *);
	duct_box *box;

	void pack(uint64_t number, size_t)
	{
		if (duct_box_new(&box, Size, nullptr, nullptr) != DUCT_OK)
			bench_die("no box");
		memcpy(duct_box_data(box), &number, sizeof number);
	}
	uint64_t open()
	{
		uint64_t number;

		memcpy(&number, duct_box_data(box), sizeof number);
		duct_box_free(box);
		return number;
	}
};

template <size_t Size, bool Boxed> class DuctBroadcast
{
      public:
	static constexpr bool exists = true;
	using Cargo = std::conditional_t<Boxed, DuctBox<Size>, Whole<Size>>;
	static_assert(sizeof(Cargo) == Cargo::size, "a message is its bytes");
	class Sender;
	class Receiver;

	explicit DuctBroadcast(const Audience &audience_) : audience(audience_)
	{
		duct_options options = DUCT_OPTIONS_INIT;
		duct_channel *made;

		if constexpr (Boxed) {
			options.drop = duct_box_drop;
			options.copy = duct_box_copy;
		}
		if (duct_broadcast_new(&made, Cargo::size, &options) != DUCT_OK)
			bench_die("no channel");
		channel.reset(made);
	}
	Sender sender()
	{
		return Sender(channel.get());
	}
	Receiver receiver(size_t)
	{
		return Receiver(channel.get(), audience);
	}

      private:
	Audience audience;
	std::unique_ptr<duct_channel, DuctFree> channel;
};

template <size_t Size, bool Boxed> class DuctBroadcast<Size, Boxed>::Sender
{
      public:
	explicit Sender(duct_channel *channel)
	{
		duct_sender *made;

		if (duct_sender_new(channel, &made) != DUCT_OK)
			bench_die("no sender");
		sender.reset(made);
	}
	bool send(const Cargo &message)
	{
		return duct_send(sender.get(), &message) == DUCT_OK;
	}
	bool send_many(const Cargo *messages, size_t count)
	{
		return duct_send_many(sender.get(), messages, count, nullptr, DUCT_FOREVER, nullptr) == DUCT_OK;
	}

      private:
	std::unique_ptr<duct_sender, DuctFree> sender;
};

template <size_t Size, bool Boxed> class DuctBroadcast<Size, Boxed>::Receiver
{
      public:
	Receiver(duct_channel *channel, const Audience &audience)
	{
		duct_subscription subscription = DUCT_SUBSCRIPTION_INIT;
		duct_receiver *made;

		subscription.capacity = audience.capacity;
		subscription.overflow = audience.lossy ? DUCT_DROP_OLDEST : DUCT_BLOCK;
		if (duct_subscribe(channel, &made, &subscription) != DUCT_OK)
			bench_die("no receiver");
		receiver.reset(made);
	}
	bool receive(Cargo &message)
	{
		return duct_recv(receiver.get(), &message) == DUCT_OK;
	}
	size_t receive_many(Cargo *messages, size_t max)
	{
		size_t received = 0;

		return duct_recv_many(receiver.get(), messages, 1, max, &received, DUCT_FOREVER, nullptr) == DUCT_OK ? received
		                                                                                                     : 0;
	}
	uint64_t lost() const
	{
		duct_stats stats;

		if (duct_receiver_stats(receiver.get(), &stats) != DUCT_OK)
			bench_die("a receiver does not know what it lost");
		return stats.lost;
	}

      private:
	std::unique_ptr<duct_receiver, DuctFree> receiver;
};

#else

/* A revision before there was broadcast, to compare with. */
template <size_t Size, bool Boxed> using DuctBroadcast = NoBroadcast<Size, Boxed>;

#endif

#endif
