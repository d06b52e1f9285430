/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The scenarios that channels are measured in, for any channel class.
 *
 * A channel class is a template over the size of a message.  It has
 *
 *     explicit Channel(size_t capacity);
 *     sender(), receiver()                     what one thread sends or receives through: a handle of its own where the
 *                                              library has such, else the channel itself
 *     bool send(const Message<Size> &)         of what sender() returned
 *     bool receive(Message<Size> &)            of what receiver() returned
 *     bool send_many(const Message<Size> *, size_t count)          has_batch
 *     size_t receive_many(Message<Size> *, size_t max)             has_batch: at least one, 0: failed
 *     bool try_receive(Message<Size> &)                            unordered: of what receiver() returned
 *     class Select: (vector of channels, message), bool receive()  has_select
 *     class Several: (count, capacity), sender(i), receiver(message).receive()    has_several
 *
 * and says in constants what it can; class Plain has the defaults.  bench.cc, which measures Duct and the naive ring only, also
 * uses
 *
 *     bool try_send(const Message<Size> &)     of what sender() returned; and try_receive of both
 *     bool try_receive()                       of Select, which Duct's Several::receiver returns
 *
 * A run: every thread makes its handles and comes to a gate; when all are there the clocks are read and the gate opens.
 * Senders send until they are told to stop, or until each has sent its share; then the coordinator, who has waited for them,
 * sends an end (the number 0) for every receiver through the channel, and a receiver stops at the first end it gets.  The
 * clocks are read again when the last is done.  An end comes behind all messages, so every message is received; the numbers
 * of messages and the sums of what they carry are compared, and a program whose channel loses one ends with a complaint.  A
 * message of size 0 cannot be an end: there each receiver has a share too.
 *
 * What it costs beside the channel: a relaxed load and two additions a message; counters are in registers and written
 * at the end, each thread's in lines of its own.  Timing single operations is a template parameter, nothing when off.
 */
#ifndef BENCH_ENGINE_H
#define BENCH_ENGINE_H

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <mutex>
#include <sched.h>
#include <thread>
#include <type_traits>
#include <unistd.h>
#include <vector>

/* Two lines of 64 bytes, for processors fetch them in pairs. */
#define BENCH_LINE alignas(128)

[[noreturn]] inline void bench_die(const char *why)
{
	fprintf(stderr, "bench: %s\n", why);
	_exit(1);
}

/* ---- Messages ------------------------------------------------------------------------------------------------------ */

/*
 * A number in the first 8 bytes (in the first one, if it is smaller), then a filling.  Real numbers are not 0.  The weight
 * is what is summed: it reads the first and the last byte.
 */
template <size_t Size> struct alignas(Size >= 8 ? 8 : 1) Message {
	unsigned char bytes[Size];

	Message()
	{
		memset(bytes, 0x5a, Size);
	}
	/* The message that comes after so many others. */
	void number(uint64_t before)
	{
		if constexpr (Size >= 8)
			put(before + 1);
		else
			put(before % 255 + 1);
	}
	void make_end()
	{
		put(0);
	}
	bool is_end() const
	{
		return get() == 0;
	}
	uint64_t weight() const
	{
		return Size > 8 ? get() + bytes[Size - 1] : get();
	}

	/* The number as it is carried: what a queue of pointers takes for the whole message. */
	uint64_t get() const
	{
		uint64_t number = bytes[0];

		if constexpr (Size >= 8)
			memcpy(&number, bytes, 8);
		return number;
	}
	void put(uint64_t number)
	{
		if constexpr (Size >= 8)
			memcpy(bytes, &number, 8);
		else
			bytes[0] = static_cast<unsigned char>(number);
	}
};

/* Says nothing: only how many there are can be checked. */
template <> struct Message<0> {
	unsigned char bytes[1];

	void number(uint64_t)
	{
	}
	void make_end()
	{
	}
	bool is_end() const
	{
		return false;
	}
	uint64_t weight() const
	{
		return 1;
	}
};

/* What a channel class inherits: no abilities, and one object that all threads use. */
template <class Channel> struct Plain {
	static constexpr bool has_batch = false, has_select = false, has_several = false;
	static constexpr bool bounded = true;       /* keeps to its capacity */
	static constexpr bool unordered = false;    /* messages of different senders may overtake each other */
	static constexpr size_t least_capacity = 1; /* 0: a send waits for its receiver */

	static constexpr bool carries(size_t)
	{
		return true;
	}
	Channel &sender()
	{
		return static_cast<Channel &>(*this);
	}
	Channel &receiver()
	{
		return static_cast<Channel &>(*this);
	}
};

/* ---- Time ---------------------------------------------------------------------------------------------------------- */

inline int64_t bench_clock(clockid_t clock = CLOCK_MONOTONIC)
{
	timespec reading;

	clock_gettime(clock, &reading);
	return static_cast<int64_t>(reading.tv_sec) * 1000000000 + reading.tv_nsec;
}

inline void bench_sleep(double seconds)
{
	timespec time;

	time.tv_sec = static_cast<time_t>(seconds);
	time.tv_nsec = static_cast<long>((seconds - static_cast<double>(time.tv_sec)) * 1e9);
	while (nanosleep(&time, &time) != 0)
		;
}

/* Does it, and tells how long that took: 0 where that is not asked for. */
template <bool Timed, class Operation> bool bench_time(int64_t &took, Operation operation)
{
	if constexpr (Timed) {
		int64_t from = bench_clock();
		bool done = operation();

		took = bench_clock() - from;
		return done;
	} else {
		took = 0;
		return operation();
	}
}

/*
 * A queue without bounds would fill the memory, for senders are faster than receivers at times: a sender calls this for each
 * message, which at every 256th yields while more than 100,000 are waiting.
 */
template <class Length> void bench_limit(Length length)
{
	static thread_local unsigned calls;

	if (++calls % 256 == 0)
		while (length() > 100000)
			sched_yield();
}

/* A channel that loses what all wait for would hang for ever. */
class Watchdog
{
      public:
	explicit Watchdog(unsigned seconds)
	{
		signal(SIGALRM, [](int) {
			static const char why[] = "bench: it hangs\n";

			_exit(write(2, why, sizeof why - 1) < 0 ? 1 : 1);
		});
		alarm(seconds);
	}
	~Watchdog()
	{
		alarm(0);
	}
};

/* ---- A run --------------------------------------------------------------------------------------------------------- */

/* How long: a time or, if messages is not 0, so many messages by all senders together. */
struct Plan {
	double seconds;
	uint64_t messages;
};

struct Shape {
	size_t senders, receivers, capacity, batch;
};

struct Result {
	uint64_t messages;
	double seconds, ns, cpu_ns; /* the last two for each message, pair or round */
	double longest_send_us, longest_receive_us;
	std::vector<uint64_t> sent, received; /* by thread; empty where that says nothing */
	uint64_t copies = 0, lost = 0;        /* of a broadcast: messages times receivers, and how many of these were lost */
};

/* What one thread did. */
struct BENCH_LINE Tally {
	uint64_t messages = 0, weight = 0, lost = 0;
	int64_t longest = 0;

	/* It got or gave one that took so long. */
	template <class M> void add(const M &message, int64_t took)
	{
		count(message.weight(), took);
	}
	void count(uint64_t message_weight, int64_t took)
	{
		messages++;
		weight += message_weight;
		longest = std::max(longest, took);
	}
	/* Whether that is what arrived of it. */
	bool comes_to(const Tally &arrived) const
	{
		return messages == arrived.messages + arrived.lost && (weight == arrived.weight || arrived.lost != 0);
	}
};

/* What the threads of a run share. */
class Course
{
      public:
	/* A thread is ready; goes on when all are. */
	void arrive()
	{
		std::unique_lock<std::mutex> hold(lock);

		arrived++;
		moved.notify_all();
		moved.wait(hold, [this] { return open; });
	}
	/* The clocks start when so many threads have come, before one goes on. */
	void start(size_t threads)
	{
		std::unique_lock<std::mutex> hold(lock);

		moved.wait(hold, [this, threads] { return arrived == threads; });
		wall = bench_clock();
		processor = bench_clock(CLOCK_PROCESS_CPUTIME_ID);
		open = true;
		moved.notify_all();
	}
	void clocks(int64_t *wall_ns, int64_t *cpu_ns) const
	{
		*cpu_ns = bench_clock(CLOCK_PROCESS_CPUTIME_ID) - processor;
		*wall_ns = bench_clock() - wall;
	}
	bool goes_on() const
	{
		return !stopped.load(std::memory_order_relaxed);
	}
	void stop()
	{
		stopped.store(true, std::memory_order_relaxed);
	}

      private:
	std::mutex lock;
	std::condition_variable moved;
	size_t arrived = 0;
	bool open = false;
	int64_t wall = 0, processor = 0;
	BENCH_LINE std::atomic<bool> stopped{ false }; /* in a line that nobody writes meanwhile */
};

/* The threads of a run and its coordinator, which is the caller.  To each: every receiver gets every message. */
class Crew
{
      public:
	explicit Crew(const Plan &plan_, bool to_each_ = false)
	    : plan(plan_), to_each(to_each_), dog(plan_.messages != 0 ? 600 : static_cast<unsigned>(20 + 10 * plan_.seconds))
	{
	}
	/* Starts a thread that calls work(course, tally): it makes its handles, arrives, and works. */
	template <class Work> void add_sender(Work work)
	{
		sends.emplace_back();
		senders.emplace_back([this, work, &tally = sends.back()] { work(course, tally); });
	}
	template <class Work> void add_receiver(Work work)
	{
		receives.emplace_back();
		receivers.emplace_back([this, work, &tally = receives.back()] { work(course, tally); });
	}
	/* The whole run; send_ends is called when the senders are done. */
	template <class Ends> Result run(Ends send_ends)
	{
		int64_t wall, cpu;

		course.start(senders.size() + receivers.size());
		if (plan.messages == 0) {
			bench_sleep(plan.seconds);
			course.stop();
		}
		join(senders);
		send_ends();
		join(receivers);
		course.clocks(&wall, &cpu);
		return result(static_cast<double>(wall), static_cast<double>(cpu));
	}
	/* The share of one of so many senders. */
	uint64_t share(size_t number, size_t of) const
	{
		return plan.messages == 0 ? UINT64_MAX : plan.messages / of + (number < plan.messages % of);
	}

      private:
	static void join(std::vector<std::thread> &threads)
	{
		for (std::thread &thread : threads)
			thread.join();
	}
	Result result(double wall, double cpu) const
	{
		Tally in = total(sends), out = receives.empty() ? in : total(receives);
		double messages = static_cast<double>(std::max<uint64_t>(in.messages, 1));

		if (!to_each)
			compare(in, out);
		else
			for (const Tally &one : receives)
				compare(in, one);
		return { in.messages, wall / 1e9, wall / messages, cpu / messages, static_cast<double>(in.longest) / 1e3,
			static_cast<double>(out.longest) / 1e3, counts(sends), counts(receives),
			to_each ? in.messages * receives.size() : 0, out.lost };
	}
	static void compare(const Tally &in, const Tally &out)
	{
		if (in.comes_to(out))
			return;
		fprintf(stderr, "bench: sent %llu messages of %llu, received %llu of %llu, lost %llu\n",
		    static_cast<unsigned long long>(in.messages), static_cast<unsigned long long>(in.weight),
		    static_cast<unsigned long long>(out.messages), static_cast<unsigned long long>(out.weight),
		    static_cast<unsigned long long>(out.lost));
		_exit(1);
	}
	static Tally total(const std::deque<Tally> &tallies)
	{
		Tally sum;

		for (const Tally &tally : tallies) {
			sum.messages += tally.messages;
			sum.weight += tally.weight;
			sum.lost += tally.lost;
			sum.longest = std::max(sum.longest, tally.longest);
		}
		return sum;
	}
	static std::vector<uint64_t> counts(const std::deque<Tally> &tallies)
	{
		std::vector<uint64_t> messages;

		for (const Tally &tally : tallies)
			messages.push_back(tally.messages);
		return messages;
	}

	Plan plan;
	bool to_each;
	Watchdog dog;
	Course course;
	std::deque<Tally> sends, receives; /* a deque, for threads keep pointers */
	std::vector<std::thread> senders, receivers;
};

template <class Sender, class M> void bench_send(Sender &tx, const M &message)
{
	if (!tx.send(message))
		bench_die("a send failed");
}

template <size_t Size, class Sender> void bench_send_end(Sender &tx)
{
	Message<Size> message;

	message.make_end();
	bench_send(tx, message);
}

/* ---- Transfers: some threads send, some receive (S1 to S6, S11) ------------------------------------------------------ */

/* An end that overtook messages leaves them behind.  Returns how many other ends were there. */
template <size_t Size, class Receiver> size_t receive_rest(Receiver &rx, Tally &tally)
{
	Message<Size> message;
	size_t ends = 0;

	while (rx.try_receive(message))
		if (message.is_end())
			ends++;
		else
			tally.add(message, 0);
	return ends;
}

/* Who takes several at once may have taken what others stop at. */
template <class Channel> void give_back_ends(Channel &channel, size_t count)
{
	auto &&tx = channel.sender();

	for (size_t i = 0; i < count; i++)
		bench_send_end<Channel::size>(tx);
}

template <bool Timed, class Channel> void send_ones(Channel &channel, uint64_t share, Course &course, Tally &tally)
{
	auto &&tx = channel.sender();
	Message<Channel::size> message;
	Tally mine;
	int64_t took;

	course.arrive();
	while (mine.messages < share && course.goes_on()) {
		message.number(mine.messages);
		if (!bench_time<Timed>(took, [&] { return tx.send(message); }))
			bench_die("a send failed");
		mine.add(message, took);
	}
	tally = mine;
}

template <bool Timed, class Channel> void receive_ones(Channel &channel, uint64_t share, Course &course, Tally &tally)
{
	auto &&rx = channel.receiver();
	Message<Channel::size> message;
	Tally mine;
	size_t ends = 0;
	int64_t took;

	course.arrive();
	while (mine.messages < share && ends == 0) {
		if (!bench_time<Timed>(took, [&] { return rx.receive(message); }))
			bench_die("a receive failed");
		if (message.is_end())
			ends++;
		else
			mine.add(message, took);
	}
	if constexpr (Channel::unordered)
		ends += receive_rest<Channel::size>(rx, mine);
	if (ends > 1)
		give_back_ends(channel, ends - 1);
	tally = mine;
}

template <bool Timed, class Channel>
void send_batches(Channel &channel, size_t batch, uint64_t share, Course &course, Tally &tally)
{
	auto &&tx = channel.sender();
	std::vector<Message<Channel::size>> messages(batch);
	Tally mine;
	int64_t took;

	course.arrive();
	while (mine.messages < share && course.goes_on()) {
		size_t count = static_cast<size_t>(std::min<uint64_t>(batch, share - mine.messages));

		for (size_t i = 0; i < count; i++)
			messages[i].number(mine.messages + i);
		if (!bench_time<Timed>(took, [&] { return tx.send_many(messages.data(), count); }))
			bench_die("a send of many failed");
		for (size_t i = 0; i < count; i++)
			mine.add(messages[i], took);
	}
	tally = mine;
}

template <bool Timed, class Channel> void receive_batches(Channel &channel, size_t batch, Course &course, Tally &tally)
{
	auto &&rx = channel.receiver();
	std::vector<Message<Channel::size>> messages(batch);
	Tally mine;
	size_t ends = 0, count;
	int64_t took;

	course.arrive();
	while (ends == 0) {
		if (!bench_time<Timed>(took, [&] { return (count = rx.receive_many(messages.data(), batch)) != 0; }))
			bench_die("a receive of many failed");
		for (size_t i = 0; i < count; i++)
			if (messages[i].is_end())
				ends++;
			else
				mine.add(messages[i], ends == 0 ? took : 0);
	}
	if constexpr (Channel::unordered)
		ends += receive_rest<Channel::size>(rx, mine);
	if (ends > 1)
		give_back_ends(channel, ends - 1);
	tally = mine;
}

/* Batch 0: by the operations for one message. */
template <bool Timed, class Channel> Result transfer(const Shape &shape, const Plan &plan)
{
	Channel channel(shape.capacity);
	Crew crew(plan);

	for (size_t i = 0; i < shape.senders; i++)
		crew.add_sender([&, share = crew.share(i, shape.senders)](Course &course, Tally &tally) {
			if constexpr (Channel::has_batch)
				if (shape.batch != 0)
					return send_batches<Timed>(channel, shape.batch, share, course, tally);
			send_ones<Timed>(channel, share, course, tally);
		});
	for (size_t i = 0; i < shape.receivers; i++)
		crew.add_receiver([&, share = crew.share(i, shape.receivers)](Course &course, Tally &tally) {
			if constexpr (Channel::has_batch)
				if (shape.batch != 0)
					return receive_batches<Timed>(channel, shape.batch, course, tally);
			receive_ones<Timed>(channel, Channel::size == 0 ? share : UINT64_MAX, course, tally);
		});
	return crew.run([&] {
		if (Channel::size != 0)
			give_back_ends(channel, shape.receivers);
	});
}

/* ---- Ping-pong: a round trip over two channels (S7) ----------------------------------------------------------------- */

/* Is told when a round begins and ends.  This one does not care. */
struct NoWatch {
	void begin()
	{
	}
	void end()
	{
	}
};

template <bool Timed, class Channel, class Watch>
void ping(Channel &there, Channel &back, uint64_t share, Watch &watch, Course &course, Tally &tally)
{
	auto &&tx = there.sender();
	auto &&rx = back.receiver();
	Message<Channel::size> message, answer;
	Tally mine;
	int64_t took, ignored;

	course.arrive();
	while (mine.messages < share && course.goes_on()) {
		message.number(mine.messages);
		watch.begin();
		if (!bench_time<Timed>(took, [&] { return tx.send(message); }) ||
		    !bench_time<Timed>(ignored, [&] { return rx.receive(answer); }))
			bench_die("a ping failed");
		watch.end();
		if (answer.weight() != message.weight())
			bench_die("another message came back");
		mine.add(message, took);
	}
	tally = mine;
}

template <bool Timed, class Channel> void pong(Channel &there, Channel &back, Course &course, Tally &tally)
{
	auto &&rx = there.receiver();
	auto &&tx = back.sender();
	Message<Channel::size> message;
	Tally mine;
	int64_t took;

	course.arrive();
	for (;;) {
		if (!bench_time<Timed>(took, [&] { return rx.receive(message); }))
			bench_die("a receive failed");
		if (message.is_end())
			break;
		mine.add(message, took);
		bench_send(tx, message);
	}
	tally = mine;
}

template <bool Timed, class Channel, class Watch = NoWatch>
Result ping_pong(const Shape &shape, const Plan &plan, Watch watch = Watch())
{
	Channel there(shape.capacity), back(shape.capacity);
	Crew crew(plan);

	crew.add_sender(
	    [&](Course &course, Tally &tally) { ping<Timed>(there, back, crew.share(0, 1), watch, course, tally); });
	crew.add_receiver([&](Course &course, Tally &tally) { pong<Timed>(there, back, course, tally); });
	Result result = crew.run([&] { give_back_ends(there, 1); });
	result.sent.clear();
	result.received.clear();
	return result;
}

/* ---- Alone: a send and a receive on one thread (S8) ----------------------------------------------------------------- */

template <bool Timed, class Channel> Result alone(const Shape &shape, const Plan &plan)
{
	Channel channel(shape.capacity);
	Crew crew(plan);
	int64_t longest_receive = 0;

	crew.add_sender([&](Course &course, Tally &tally) {
		auto &&tx = channel.sender();
		auto &&rx = channel.receiver();
		Message<Channel::size> message, answer;
		Tally mine;
		int64_t took, receive_took, longest = 0;

		course.arrive();
		while (mine.messages < crew.share(0, 1) && course.goes_on()) {
			message.number(mine.messages);
			if (!bench_time<Timed>(took, [&] { return tx.send(message); }) ||
			    !bench_time<Timed>(receive_took, [&] { return rx.receive(answer); }))
				bench_die("a send or a receive failed");
			if (answer.weight() != message.weight())
				bench_die("another message was received");
			mine.add(message, took);
			longest = std::max(longest, receive_took);
		}
		tally = mine;
		longest_receive = longest;
	});
	Result result = crew.run([] {});
	result.longest_receive_us = static_cast<double>(longest_receive) / 1e3;
	result.sent.clear();
	return result;
}

/* ---- One receiver for several channels (S9) ------------------------------------------------------------------------- */

/* Sender number of so many: goes round its part of the channels. */
template <bool Timed, class Several>
void send_round(Several &several, size_t channels, size_t number, size_t of, uint64_t share, Course &course, Tally &tally)
{
	std::vector<std::decay_t<decltype(several.sender(0))>> txs;
	Message<Several::size> message;
	Tally mine;
	size_t at = 0;
	int64_t took;

	for (size_t i = number; i < channels; i += of)
		txs.push_back(several.sender(i));
	course.arrive();
	while (mine.messages < share && course.goes_on()) {
		message.number(mine.messages);
		if (!bench_time<Timed>(took, [&] { return txs[at].send(message); }))
			bench_die("a send failed");
		mine.add(message, took);
		at = at + 1 == txs.size() ? 0 : at + 1;
	}
	tally = mine;
}

template <bool Timed, class Several> void receive_any(Several &several, size_t channels, Course &course, Tally &tally)
{
	Message<Several::size> message;
	auto &&rx = several.receiver(message);
	Tally mine;
	size_t ends = 0;
	int64_t took;

	course.arrive();
	while (ends < channels) {
		if (!bench_time<Timed>(took, [&] { return rx.receive(); }))
			bench_die("a receive from several failed");
		if (message.is_end())
			ends++;
		else
			mine.add(message, took);
	}
	tally = mine;
}

/* So many channels; the senders go round their parts of them, the one receiver takes what comes.  Every channel has an end. */
template <bool Timed, class Channel> Result gather(size_t channels, const Shape &shape, const Plan &plan)
{
	typename Channel::Several several(channels, shape.capacity);
	Crew crew(plan);

	for (size_t i = 0; i < shape.senders; i++)
		crew.add_sender([&, i](Course &course, Tally &tally) {
			send_round<Timed>(several, channels, i, shape.senders, crew.share(i, shape.senders), course, tally);
		});
	crew.add_receiver([&](Course &course, Tally &tally) { receive_any<Timed>(several, channels, course, tally); });
	return crew.run([&] {
		for (size_t i = 0; i < channels; i++) {
			auto &&tx = several.sender(i);

			bench_send_end<Channel::size>(tx);
		}
	});
}

/* ---- A channel that a thousand threads wait on (popular) ------------------------------------------------------------- */

template <bool Timed, class Channel> void send_popular(std::deque<Channel> &owned, uint64_t share, Course &course, Tally &tally)
{
	std::vector<std::decay_t<decltype(owned[0].sender())>> txs;
	Message<Channel::size> message;
	Tally mine;
	int64_t took;

	for (Channel &channel : owned)
		txs.push_back(channel.sender());
	course.arrive();
	while (mine.messages < share && course.goes_on()) {
		message.number(mine.messages);
		if (!bench_time<Timed>(took, [&] { return txs[mine.messages % txs.size()].send(message); }))
			bench_die("a send failed");
		mine.add(message, took);
	}
	tally = mine;
}

template <bool Timed, class Channel> void receive_popular(Channel &common, Channel &own, Course &course, Tally &tally)
{
	Message<Channel::size> message;
	typename Channel::Select select({ &common, &own }, message);
	Tally mine;
	int64_t took;

	course.arrive();
	for (;;) {
		if (!bench_time<Timed>(took, [&] { return select.receive(); }))
			bench_die("a select failed");
		if (message.is_end())
			break;
		mine.add(message, took);
	}
	tally = mine;
}

/* Each receiver selects over the common channel, through which nothing comes, and its own; one sender goes round those. */
template <bool Timed, class Channel> Result popular(const Shape &shape, const Plan &plan)
{
	Channel common(shape.capacity);
	std::deque<Channel> owned;
	Crew crew(plan);

	for (size_t i = 0; i < shape.receivers; i++)
		owned.emplace_back(shape.capacity);
	crew.add_sender([&](Course &course, Tally &tally) { send_popular<Timed>(owned, crew.share(0, 1), course, tally); });
	for (Channel &own : owned)
		crew.add_receiver([&](Course &course, Tally &tally) { receive_popular<Timed>(common, own, course, tally); });
	Result result = crew.run([&] {
		for (Channel &own : owned)
			give_back_ends(own, 1);
	});
	result.sent.clear();
	result.received.clear();
	return result;
}

#endif
