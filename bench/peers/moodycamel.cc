/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * moodycamel's BlockingConcurrentQueue: a lock-free queue for each sender, a semaphore for those who wait.  Senders and
 * receivers have tokens, which is its fast way.  Messages of different senders may overtake each other, which is less than a
 * channel promises, and it has no bounds: senders yield while more than 100,000 messages are waiting, and there is no scenario
 * of small capacity but the ping-pong (S7), where never more than one message is on its way, so that capacity has no meaning.
 *
 * link: -pthread
 */
#include "program.h"

#include <concurrentqueue/blockingconcurrentqueue.h>

namespace
{

template <size_t Size> class Moodycamel : public Plain<Moodycamel<Size>>
{
	using Queue = moodycamel::BlockingConcurrentQueue<Message<Size>>;

      public:
	static constexpr size_t size = Size;
	static constexpr bool bounded = false, unordered = true, has_batch = true;

	class Sender
	{
	      public:
		explicit Sender(Queue &queue_) : queue(queue_), token(queue_)
		{
		}
		bool send(const Message<Size> &message)
		{
			bench_limit([this] { return queue.size_approx(); });
			return queue.enqueue(token, message);
		}
		bool send_many(const Message<Size> *messages, size_t count)
		{
			while (queue.size_approx() > 100000)
				sched_yield();
			return queue.enqueue_bulk(token, messages, count);
		}

	      private:
		Queue &queue;
		moodycamel::ProducerToken token;
	};

	class Receiver
	{
	      public:
		explicit Receiver(Queue &queue_) : queue(queue_), token(queue_)
		{
		}
		bool receive(Message<Size> &message)
		{
			queue.wait_dequeue(token, message);
			return true;
		}
		bool try_receive(Message<Size> &message)
		{
			return queue.try_dequeue(token, message);
		}
		size_t receive_many(Message<Size> *messages, size_t max)
		{
			return queue.wait_dequeue_bulk(token, messages, max);
		}

	      private:
		Queue &queue;
		moodycamel::ConsumerToken token;
	};

	explicit Moodycamel(size_t)
	{
	}
	Sender sender()
	{
		return Sender(queue);
	}
	Receiver receiver()
	{
		return Receiver(queue);
	}

      private:
	Queue queue;
};

} // namespace

int main(int count, char **words)
{
	return peer_program<Moodycamel>("moodycamel", count, words);
}
