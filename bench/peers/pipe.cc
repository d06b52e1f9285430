/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * pipe(2): the kernel's channel of bytes.  Writes of at most PIPE_BUF bytes are not torn, and all are of whole messages, so a
 * read gets whole messages too.  Its capacity is that of the scenario in bytes, but a page at least: 4,096 messages of 1 byte
 * where the others have 1,024, and no scenario of small capacity but the ping-pong (S7), where never more than one message is
 * on its way, so that capacity has no meaning.  A batch is one write, and one read of what is there.
 *
 * link: -pthread
 */
#include "program.h"

#include <climits>
#include <fcntl.h>

namespace
{

template <size_t Size> class Pipe : public Plain<Pipe<Size>>
{
	static constexpr size_t page = 4096;

      public:
	static constexpr size_t size = Size, least_capacity = page / std::max<size_t>(Size, 1);
	static constexpr bool has_batch = true;

	explicit Pipe(size_t capacity)
	{
		if (pipe2(ends, O_CLOEXEC) != 0 || fcntl(ends[1], F_SETPIPE_SZ, std::max(page, capacity * Size)) < 0)
			bench_die("no pipe");
	}
	~Pipe()
	{
		close(ends[0]);
		close(ends[1]);
	}
	bool send(const Message<Size> &message)
	{
		return send_many(&message, 1);
	}
	bool receive(Message<Size> &message)
	{
		return receive_many(&message, 1) == 1;
	}
	/* In writes that are not torn. */
	bool send_many(const Message<Size> *messages, size_t count)
	{
		while (count > 0) {
			size_t some = std::min(count, PIPE_BUF / Size);

			if (write(ends[1], messages, some * Size) != static_cast<ssize_t>(some * Size))
				return false;
			messages += some;
			count -= some;
		}
		return true;
	}
	size_t receive_many(Message<Size> *messages, size_t max)
	{
		ssize_t got = read(ends[0], messages, max * Size);

		return got > 0 && got % Size == 0 ? static_cast<size_t>(got) / Size : 0;
	}

      private:
	int ends[2];
};

} // namespace

int main(int count, char **words)
{
	return peer_program<Pipe>("pipe", count, words);
}
