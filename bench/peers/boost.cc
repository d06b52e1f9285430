/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Boost.Thread's sync_bounded_queue: a ring under a mutex and two condition variables.
 *
 * link: -lboost_thread -lboost_system
 */
#define BOOST_THREAD_VERSION 4
#include "program.h"

#include <boost/thread/sync_bounded_queue.hpp>

namespace
{

template <size_t Size> class Boost : public Plain<Boost<Size>>
{
      public:
	static constexpr size_t size = Size;

	explicit Boost(size_t capacity) : queue(capacity)
	{
	}
	bool send(const Message<Size> &message)
	{
		return queue.wait_push_back(message) == boost::concurrent::queue_op_status::success;
	}
	bool receive(Message<Size> &message)
	{
		return queue.wait_pull_front(message) == boost::concurrent::queue_op_status::success;
	}

      private:
	boost::concurrent::sync_bounded_queue<Message<Size>> queue;
};

} // namespace

int main(int count, char **words)
{
	return peer_program<Boost>("boost", count, words);
}
