/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * oneTBB's concurrent_bounded_queue: tickets into a queue of pages, monitors for those who wait.
 *
 * link: -ltbb
 */
#include "program.h"

#include <tbb/concurrent_queue.h>

namespace
{

template <size_t Size> class Tbb : public Plain<Tbb<Size>>
{
      public:
	static constexpr size_t size = Size;

	explicit Tbb(size_t capacity)
	{
		queue.set_capacity(static_cast<std::ptrdiff_t>(capacity));
	}
	bool send(const Message<Size> &message)
	{
		queue.push(message);
		return true;
	}
	bool receive(Message<Size> &message)
	{
		queue.pop(message);
		return true;
	}

      private:
	tbb::concurrent_bounded_queue<Message<Size>> queue;
};

} // namespace

int main(int count, char **words)
{
	return peer_program<Tbb>("tbb", count, words);
}
