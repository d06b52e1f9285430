/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * apr_queue of the Apache Portable Runtime's utilities: a ring of pointers under a mutex and two condition variables.  A
 * message of 8 bytes is sent as the pointer itself.
 *
 * link: pkg-config apr-util-1 apr-1
 */
#include "program.h"

#include <apr_general.h>
#include <apr_queue.h>

namespace
{

template <size_t Size> class Apr : public Plain<Apr<Size>>
{
      public:
	static constexpr size_t size = Size;

	static constexpr bool carries(size_t bytes)
	{
		return bytes == sizeof(void *);
	}
	explicit Apr(size_t capacity)
	{
		if (apr_initialize() != APR_SUCCESS || apr_pool_create(&pool, nullptr) != APR_SUCCESS ||
		    apr_queue_create(&queue, static_cast<unsigned>(capacity), pool) != APR_SUCCESS)
			bench_die("no queue");
	}
	~Apr()
	{
		apr_pool_destroy(pool);
		apr_terminate();
	}
	/* Interrupted: another thread was faster, the call has to be made again. */
	bool send(const Message<Size> &message)
	{
		void *pointer = reinterpret_cast<void *>(static_cast<uintptr_t>(message.get()));
		apr_status_t status;

		do
			status = apr_queue_push(queue, pointer);
		while (status == APR_EINTR);
		return status == APR_SUCCESS;
	}
	bool receive(Message<Size> &message)
	{
		void *pointer = nullptr;
		apr_status_t status;

		do
			status = apr_queue_pop(queue, &pointer);
		while (status == APR_EINTR);
		message.put(reinterpret_cast<uintptr_t>(pointer));
		return status == APR_SUCCESS;
	}

      private:
	apr_pool_t *pool = nullptr;
	apr_queue_t *queue = nullptr;
};

} // namespace

int main(int count, char **words)
{
	return peer_program<Apr>("apr", count, words);
}
