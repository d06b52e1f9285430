/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The ring that everybody writes first: one mutex, two condition variables, a signal for every message.  The honest floor
 * that a channel is measured against.  Capacity 0 is a hand-over: the sender waits until its message has been taken, by a third
 * condition variable, which nothing else uses.  A batch is a loop.
 *
 * It has no select.  What everybody does instead is to let several rings share one mutex and one condition variable that
 * tells of messages; the one receiver looks through all rings.
 *
 * Neither has it a broadcast: the sender goes round a ring for each receiver, and boxes count their receivers.
 *
 * The size of a message is known to the compiler, which is more than a library can have.
 */
#ifndef BENCH_NAIVE_H
#define BENCH_NAIVE_H

#include "broadcast.h"
#include "engine.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <type_traits>
#include <vector>

/* The slots of one ring; the owner locks. */
template <size_t Size> struct NaiveSlots {
	std::vector<Message<Size>> slots;
	uint64_t sent = 0, received = 0; /* messages ever */

	explicit NaiveSlots(size_t capacity) : slots(capacity == 0 ? 1 : capacity)
	{
	}
	bool is_full() const
	{
		return sent - received == slots.size();
	}
	bool is_empty() const
	{
		return sent == received;
	}
	uint64_t put(const Message<Size> &message)
	{
		slots[sent % slots.size()] = message;
		return sent++;
	}
	void take(Message<Size> &message)
	{
		message = slots[received++ % slots.size()];
	}
};

template <size_t Size> class Naive : public Plain<Naive<Size>>
{
      public:
	static constexpr size_t size = Size, least_capacity = 0;
	static constexpr bool has_batch = true, has_several = true;
	class Several;

	explicit Naive(size_t capacity) : ring(capacity), rendezvous(capacity == 0)
	{
	}
	bool send(const Message<Size> &message)
	{
		std::unique_lock<std::mutex> hold(lock);

		not_full.wait(hold, [this] { return !ring.is_full(); });
		put_locked(hold, message);
		return true;
	}
	/* With capacity 0: whatever comes, there is nobody to be sure of. */
	bool try_send(const Message<Size> &message)
	{
		std::unique_lock<std::mutex> hold(lock);

		if (rendezvous || ring.is_full())
			return false;
		put_locked(hold, message);
		return true;
	}
	/* Whatever comes: whether the oldest message had to make room, which is told. */
	bool displace(const Message<Size> &message, Message<Size> &oldest)
	{
		std::unique_lock<std::mutex> hold(lock);
		bool full = ring.is_full();

		if (full)
			ring.take(oldest);
		put_locked(hold, message);
		return full;
	}
	bool receive(Message<Size> &message)
	{
		std::unique_lock<std::mutex> hold(lock);

		not_empty.wait(hold, [this] { return !ring.is_empty(); });
		take_locked(message);
		return true;
	}
	bool try_receive(Message<Size> &message)
	{
		std::unique_lock<std::mutex> hold(lock);

		if (ring.is_empty())
			return false;
		take_locked(message);
		return true;
	}
	bool send_many(const Message<Size> *messages, size_t count)
	{
		for (size_t i = 0; i < count; i++)
			send(messages[i]);
		return true;
	}
	/* The first, and what more is there. */
	size_t receive_many(Message<Size> *messages, size_t max)
	{
		size_t count = 1;

		receive(messages[0]);
		while (count < max && try_receive(messages[count]))
			count++;
		return count;
	}

      private:
	void put_locked(std::unique_lock<std::mutex> &hold, const Message<Size> &message)
	{
		uint64_t place = ring.put(message);

		not_empty.notify_one();
		if (rendezvous)
			taken.wait(hold, [this, place] { return ring.received > place; });
	}
	void take_locked(Message<Size> &message)
	{
		ring.take(message);
		not_full.notify_one();
		if (rendezvous)
			taken.notify_all();
	}

	std::mutex lock;
	std::condition_variable not_full, not_empty, taken;
	NaiveSlots<Size> ring; /* [lock] */
	bool rendezvous;
};

/* Rings under one lock, for one receiver. */
template <size_t Size> class Naive<Size>::Several
{
	struct Ring {
		NaiveSlots<Size> slots;
		std::condition_variable not_full;

		explicit Ring(size_t capacity) : slots(capacity)
		{
		}
	};

      public:
	static constexpr size_t size = Size;

	class Sender
	{
	      public:
		Sender(Several &several_, Ring &own_) : several(&several_), own(&own_)
		{
		}
		bool send(const Message<Size> &message)
		{
			std::unique_lock<std::mutex> hold(several->lock);

			own->not_full.wait(hold, [this] { return !own->slots.is_full(); });
			own->slots.put(message);
			several->not_empty.notify_one();
			return true;
		}

	      private:
		Several *several;
		Ring *own;
	};

	class Receiver
	{
	      public:
		Receiver(Several &several_, Message<Size> &message_) : several(several_), message(message_)
		{
		}
		bool receive()
		{
			std::unique_lock<std::mutex> hold(several.lock);

			while (!take_locked())
				several.not_empty.wait(hold);
			return true;
		}

	      private:
		/* From the ring after the one it took from last: each has its turn. */
		bool take_locked()
		{
			for (size_t tries = several.rings.size(); tries > 0; tries--) {
				Ring &one = several.rings[next];

				next = next + 1 == several.rings.size() ? 0 : next + 1;
				if (!one.slots.is_empty()) {
					one.slots.take(message);
					one.not_full.notify_one();
					return true;
				}
			}
			return false;
		}

		Several &several;
		Message<Size> &message;
		size_t next = 0;
	};

	Several(size_t count, size_t capacity)
	{
		for (size_t i = 0; i < count; i++)
			rings.emplace_back(capacity);
	}
	Sender sender(size_t number)
	{
		return Sender(*this, rings[number]);
	}
	Receiver receiver(Message<Size> &message)
	{
		return Receiver(*this, message);
	}

      private:
	std::mutex lock;
	std::condition_variable not_empty;
	std::deque<Ring> rings; /* [lock] */
};

/* A number in memory of so many bytes, of which the message is a reference. */
template <size_t Size> struct NaiveBox : Message<8> {
	static constexpr size_t size = 8;

	struct Box {
		std::atomic<size_t> references;
		alignas(8) unsigned char bytes[Size];

		explicit Box(size_t references_) : references(references_)
		{
		}
	};

	void pack(uint64_t number, size_t receivers)
	{
		Box *box = new Box(receivers);

		memcpy(box->bytes, &number, sizeof number);
		put(reinterpret_cast<uintptr_t>(box));
	}
	uint64_t open()
	{
		Box *box = reinterpret_cast<Box *>(static_cast<uintptr_t>(get()));
		uint64_t number;

		memcpy(&number, box->bytes, sizeof number);
		if (box->references.fetch_sub(1, std::memory_order_acq_rel) == 1)
			delete box;
		return number;
	}
};

/* A ring for each receiver. */
template <size_t Size, bool Boxed> class NaiveBroadcast
{
      public:
	static constexpr bool exists = true;
	using Cargo = std::conditional_t<Boxed, NaiveBox<Size>, Whole<Size>>;

	class Receiver
	{
	      public:
		explicit Receiver(size_t capacity) : ring(capacity)
		{
		}
		bool receive(Cargo &message)
		{
			return ring.receive(message);
		}
		size_t receive_many(Cargo *messages, size_t max)
		{
			size_t count = 1;

			ring.receive(messages[0]);
			while (count < max && ring.try_receive(messages[count]))
				count++;
			return count;
		}
		uint64_t lost() const
		{
			return displaced;
		}
		void send(const Cargo &message, bool lossy)
		{
			Cargo oldest;

			if (!lossy)
				ring.send(message);
			else if (ring.displace(message, oldest)) {
				oldest.open();
				displaced++;
			}
		}

	      private:
		Naive<Cargo::size> ring;
		uint64_t displaced = 0; /* the sender's, until it has sent the end */
	};

	explicit NaiveBroadcast(const Audience &audience) : lossy(audience.lossy)
	{
		for (size_t i = 0; i < audience.receivers; i++)
			receivers.emplace_back(audience.capacity);
	}
	NaiveBroadcast &sender()
	{
		return *this;
	}
	Receiver &receiver(size_t number)
	{
		return receivers[number];
	}
	bool send(const Cargo &message)
	{
		for (Receiver &one : receivers)
			one.send(message, lossy);
		return true;
	}
	bool send_many(const Cargo *messages, size_t count)
	{
		for (size_t i = 0; i < count; i++)
			send(messages[i]);
		return true;
	}

      private:
	std::deque<Receiver> receivers;
	bool lossy;
};

#endif
