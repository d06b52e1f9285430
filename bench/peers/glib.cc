/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * GLib's GAsyncQueue: a linked list of pointers under a mutex and a condition variable.  A message of 8 bytes is sent as the
 * pointer itself, so that nothing is allocated but the list's nodes.  It has no bounds: senders yield while more than 100,000
 * messages are waiting, and there is no scenario of small capacity but the ping-pong (S7), where never more than one message is
 * on its way, so that capacity has no meaning.
 *
 * link: pkg-config glib-2.0
 */
#include "program.h"

#include <glib.h>

namespace
{

template <size_t Size> class Glib : public Plain<Glib<Size>>
{
      public:
	static constexpr size_t size = Size;
	static constexpr bool bounded = false;

	static constexpr bool carries(size_t bytes)
	{
		return bytes == sizeof(gpointer);
	}
	explicit Glib(size_t) : queue(g_async_queue_new())
	{
	}
	~Glib()
	{
		g_async_queue_unref(queue);
	}
	/* One more than the number, for NULL cannot be sent. */
	bool send(const Message<Size> &message)
	{
		bench_limit([this] { return g_async_queue_length(queue); });
		g_async_queue_push(queue, reinterpret_cast<gpointer>(static_cast<uintptr_t>(message.get() + 1)));
		return true;
	}
	bool receive(Message<Size> &message)
	{
		message.put(reinterpret_cast<uintptr_t>(g_async_queue_pop(queue)) - 1);
		return true;
	}

      private:
	GAsyncQueue *queue;
};

} // namespace

int main(int count, char **words)
{
	return peer_program<Glib>("glib", count, words);
}
