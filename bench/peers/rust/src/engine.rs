// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: The Duct authors
//
// The scenarios, for any channel: senders send until the time is over; then every receiver gets one more message, which is 0
// and ends it.  Any other message carries a number, and the sums of the numbers sent and received have to agree.
//
// Every thread counts in variables of its own and hands its account back in the end, so that counting costs nothing that two
// cores would share.  Whether single operations are timed (TIMED) is known to the compiler: it costs nothing where they
// are not.
use std::os::raw::{c_int, c_long};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Barrier};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub trait Channel<M>: 'static {
	type Sender: Send + Clone + 'static;
	type Receiver: Send + 'static;

	fn new(capacity: usize) -> (Self::Sender, Self::Receiver);
	fn send(sender: &Self::Sender, message: M);
	fn receive(receiver: &Self::Receiver) -> M;
}

/// A channel that can be waited for among others.
pub trait Select<M: Message>: Channel<M> {
	fn select_of_four(receivers: &[Self::Receiver; 4]) -> M;
	fn select_of_two(one: &Self::Receiver, other: &Self::Receiver) -> M;
}

pub struct Plan {
	pub duration: Duration,
}

pub struct Report {
	pub messages: u64,
	pub wall: Duration,
	pub processor: Duration,
	pub receivers: Vec<u64>, // how many each got; empty where that says nothing
	pub senders: Vec<u64>,
	pub longest: Option<(Duration, Duration)>, // a single send and receive
	pub lost: Option<u64>,                     // of all copies
	pub copies: u64,                           // messages, each for each of its receivers
}

// ---- Messages -----------------------------------------------------------------------------------------------------------

pub trait Message: Copy + Send + 'static {
	const END: Self;

	/// Puts the number n > 0 in; returns what fits of it, which is not 0 either.
	fn put(&mut self, n: u64) -> u64;
	/// The number.  The last byte, which is 0, is read too: as a receiver who uses the message would.
	fn get(&self) -> u64;
}

impl Message for u64 {
	const END: u64 = 0;

	fn put(&mut self, n: u64) -> u64 {
		*self = n;
		n
	}
	fn get(&self) -> u64 {
		*self
	}
}

impl<const SIZE: usize> Message for [u8; SIZE] {
	const END: [u8; SIZE] = [0; SIZE];

	fn put(&mut self, n: u64) -> u64 {
		if SIZE < 8 {
			self[0] = n as u8 | 1;
			return self[0].into();
		}
		self[..8].copy_from_slice(&n.to_ne_bytes());
		n
	}
	fn get(&self) -> u64 {
		let mut number = [0; 8];

		if SIZE < 8 {
			return self[0].into();
		}
		number.copy_from_slice(&self[..8]);
		u64::from_ne_bytes(number) + u64::from(self[SIZE - 1])
	}
}

/// What goes to each of several receivers: a message, or a parcel.
#[allow(dead_code)] // where there is only the standard library
pub trait Cargo: Clone + Send + Sync + 'static {
	fn pack(number: u64) -> Self;
	fn number(&self) -> u64;
}

impl<M: Message + Sync> Cargo for M {
	fn pack(number: u64) -> M {
		let mut message = M::END;

		message.put(number);
		message
	}
	fn number(&self) -> u64 {
		self.get()
	}
}

/// Memory that its receivers share.  Nothing is written to it but the number.
#[derive(Clone)]
pub struct Parcel(Arc<Vec<u8>>);

impl Cargo for Parcel {
	fn pack(number: u64) -> Parcel {
		let mut memory = Vec::with_capacity(65536);

		memory.extend_from_slice(&number.to_ne_bytes());
		Parcel(Arc::new(memory))
	}
	fn number(&self) -> u64 {
		let mut number = [0; 8];

		number.copy_from_slice(&self.0[..8]);
		u64::from_ne_bytes(number)
	}
}

/// The C library would give freed parcels back to the system and get them again, which costs ten times what else a message
/// does.  A long-lived program would not let it.
#[allow(dead_code)]
pub fn keep_memory() {
	#[cfg(target_env = "gnu")]
	{
		extern "C" {
			fn mallopt(what: c_int, value: c_int) -> c_int;
		}
		const M_TRIM_THRESHOLD: c_int = -1;

		assert_eq!(unsafe { mallopt(M_TRIM_THRESHOLD, c_int::MAX) }, 1);
	}
}

// ---- A race: threads that begin together --------------------------------------------------------------------------------

/// What one sender or receiver did.
#[derive(Clone, Copy, Default)]
pub struct Account {
	messages: u64,
	sum: u64,
	longest: Duration,
}

impl Account {
	pub fn add(&mut self, number: u64) {
		self.messages += 1;
		self.sum += number;
	}
	/// Does it; notes how long it took, if TIMED.
	fn time<T, const TIMED: bool>(&mut self, work: impl FnOnce() -> T) -> T {
		if !TIMED {
			return work();
		}
		let begin = Instant::now();
		let value = work();
		self.longest = self.longest.max(begin.elapsed());
		value
	}
	fn total(accounts: &[Account]) -> Account {
		accounts.iter().fold(Account::default(), |all, one| Account {
			messages: all.messages + one.messages,
			sum: all.sum + one.sum,
			longest: all.longest.max(one.longest),
		})
	}
}

/// In a line that nobody writes while it is read.
#[repr(align(128))]
struct Stop(AtomicBool);

#[derive(Clone)]
pub struct Race {
	stop: Arc<Stop>,
	ready: Arc<Barrier>,
	go: Arc<Barrier>,
}

impl Race {
	pub fn new(threads: usize) -> Race {
		let barrier = || Arc::new(Barrier::new(threads + 1));

		Race {
			stop: Arc::new(Stop(AtomicBool::new(false))),
			ready: barrier(),
			go: barrier(),
		}
	}
	pub fn goes_on(&self) -> bool {
		!self.stop.0.load(Relaxed)
	}
	/// A thread that works as soon as all are there.
	fn start<T: Send + 'static>(&self, work: impl FnOnce(&Race) -> T + Send + 'static) -> JoinHandle<T> {
		let race = self.clone();

		thread::spawn(move || {
			race.arrive();
			work(&race)
		})
	}
	pub fn arrive(&self) {
		self.ready.wait();
		self.go.wait();
	}
	/// The clocks are read when all are there, before the first goes on; work is to end when the last receiver has.
	pub fn run<T>(&self, plan: &Plan, work: impl FnOnce() -> T) -> (T, Duration, Duration) {
		self.ready.wait();
		let (wall, processor) = (Instant::now(), processor_time());
		self.go.wait();
		thread::sleep(plan.duration);
		self.stop.0.store(true, Relaxed);
		let value = work();
		(value, wall.elapsed(), processor_time() - processor)
	}
}

/// What all threads of the process used.
fn processor_time() -> Duration {
	#[repr(C)]
	struct Reading {
		seconds: c_long,
		nanoseconds: c_long,
	}
	extern "C" {
		fn clock_gettime(clock: c_int, reading: *mut Reading) -> c_int;
	}
	const CLOCK_PROCESS_CPUTIME_ID: c_int = 2;
	let mut reading = Reading {
		seconds: 0,
		nanoseconds: 0,
	};

	assert_eq!(unsafe { clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &mut reading) }, 0);
	Duration::new(reading.seconds as u64, reading.nanoseconds as u32)
}

fn join(threads: Vec<JoinHandle<Account>>) -> Vec<Account> {
	threads.into_iter()
		.map(|thread| thread.join().expect("a thread failed"))
		.collect()
}

/// The whole run: waits for the senders, sends the ends, waits for the receivers, and compares what both say.
fn finish<const TIMED: bool>(
	race: &Race,
	plan: &Plan,
	senders: Vec<JoinHandle<Account>>,
	send_ends: impl FnOnce(),
	receivers: Vec<JoinHandle<Account>>,
) -> Report {
	let ((sent, received), wall, processor) = race.run(plan, || {
		let sent = join(senders);

		send_ends();
		(sent, join(receivers))
	});
	report::<TIMED>(&sent, &received, wall, processor)
}

pub fn report<const TIMED: bool>(sent: &[Account], received: &[Account], wall: Duration, processor: Duration) -> Report {
	compare(&Account::total(sent), &Account::total(received));
	make_report::<TIMED>(sent, received, wall, processor)
}

fn compare(sent: &Account, received: &Account) {
	if (sent.messages, sent.sum) != (received.messages, received.sum) {
		crate::fail(&format!("sent {} messages, received {}", sent.messages, received.messages));
	}
}

fn make_report<const TIMED: bool>(sent: &[Account], received: &[Account], wall: Duration, processor: Duration) -> Report {
	let (all_sent, all_received) = (Account::total(sent), Account::total(received));
	let counts = |accounts: &[Account]| accounts.iter().map(|one| one.messages).collect();

	Report {
		messages: all_sent.messages,
		wall,
		processor,
		receivers: counts(received),
		senders: counts(sent),
		longest: if TIMED {
			Some((all_sent.longest, all_received.longest))
		} else {
			None
		},
		lost: None,
		copies: all_received.messages,
	}
}

/// Where all did the same, or one did everything.
pub fn without_counts(report: Report) -> Report {
	Report {
		receivers: vec![],
		senders: vec![],
		..report
	}
}

// ---- Senders and receivers ----------------------------------------------------------------------------------------------

fn send_until_stopped<C: Channel<M>, M: Message, const TIMED: bool>(race: &Race, sender: C::Sender) -> Account {
	let mut mine = Account::default();
	let mut message = M::END;

	while race.goes_on() {
		let number = message.put(mine.messages + 1);

		mine.add(number);
		mine.time::<_, TIMED>(|| C::send(&sender, message));
	}
	mine
}

/// Takes what receive() gives until so many ends have come.
fn receive_until<M: Message, const TIMED: bool>(ends: usize, receive: impl Fn() -> M) -> Account {
	let mut mine = Account::default();
	let mut ended = 0;

	while ended < ends {
		match mine.time::<_, TIMED>(&receive).get() {
			0 => ended += 1,
			number => mine.add(number),
		}
	}
	mine
}

fn start_senders<C: Channel<M>, M: Message, const TIMED: bool>(
	race: &Race,
	count: usize,
	sender: &C::Sender,
) -> Vec<JoinHandle<Account>> {
	let start = |_| {
		let sender = sender.clone();

		race.start(move |race| send_until_stopped::<C, M, TIMED>(race, sender))
	};
	(0..count).map(start).collect()
}

fn start_receiver<C: Channel<M>, M: Message, const TIMED: bool>(race: &Race, receiver: C::Receiver) -> JoinHandle<Account> {
	race.start(move |_| receive_until::<M, TIMED>(1, || C::receive(&receiver)))
}

// ---- Scenarios ----------------------------------------------------------------------------------------------------------

pub fn to_one<C: Channel<M>, M: Message, const TIMED: bool>(plan: &Plan, senders: usize, capacity: usize) -> Report {
	let (sender, receiver) = C::new(capacity);
	let race = Race::new(senders + 1);
	let receiving = vec![start_receiver::<C, M, TIMED>(&race, receiver)];
	let sending = start_senders::<C, M, TIMED>(&race, senders, &sender);

	finish::<TIMED>(&race, plan, sending, || C::send(&sender, M::END), receiving)
}

#[allow(dead_code)] // where there is only the standard library; so are the others that need more
pub fn to_many<C: Channel<M>, M: Message, const TIMED: bool>(
	plan: &Plan,
	senders: usize,
	receivers: usize,
	capacity: usize,
) -> Report
where
	C::Receiver: Clone,
{
	let (sender, receiver) = C::new(capacity);
	let race = Race::new(senders + receivers);
	let receiving = (0..receivers)
		.map(|_| start_receiver::<C, M, TIMED>(&race, receiver.clone()))
		.collect();
	let sending = start_senders::<C, M, TIMED>(&race, senders, &sender);

	finish::<TIMED>(
		&race,
		plan,
		sending,
		|| (0..receivers).for_each(|_| C::send(&sender, M::END)),
		receiving,
	)
}

/// A message goes there and back; what is counted is round trips.
pub fn ping_pong<C: Channel<u64>, const TIMED: bool>(plan: &Plan) -> Report {
	let ((there_in, there_out), (back_in, back_out)) = (C::new(1), C::new(1));
	let race = Race::new(2);
	let end = there_in.clone();
	let serving = race.start(move |race| {
		let mut mine = Account::default();

		while race.goes_on() {
			let ball = mine.messages + 1;
			let returned = mine.time::<_, TIMED>(|| {
				C::send(&there_in, ball);
				C::receive(&back_out)
			});

			mine.add(returned);
		}
		mine
	});
	let replying = race.start(move |_| {
		receive_until::<u64, TIMED>(1, || {
			let ball = C::receive(&there_out);

			if ball != 0 {
				C::send(&back_in, ball);
			}
			ball
		})
	});

	without_counts(finish::<TIMED>(
		&race,
		plan,
		vec![serving],
		|| C::send(&end, 0),
		vec![replying],
	))
}

/// Sends and receives on one thread.
pub fn alone<C: Channel<u64>, const TIMED: bool>(plan: &Plan) -> Report {
	let (sender, receiver) = C::new(1024);
	let race = Race::new(1);
	let working = race.start(move |race| {
		let (mut sent, mut received) = (Account::default(), Account::default());

		while race.goes_on() {
			let number = sent.messages + 1;

			sent.add(number);
			sent.time::<_, TIMED>(|| C::send(&sender, number));
			let number = received.time::<_, TIMED>(|| C::receive(&receiver));
			received.add(number);
		}
		(sent, received)
	});
	let ((sent, received), wall, processor) = race.run(plan, || working.join().expect("a thread failed"));

	without_counts(report::<TIMED>(&[sent], &[received], wall, processor))
}

/// Four channels with a sender each, and one receiver for all, until each has ended.
#[allow(dead_code)]
pub fn select_of_four<C: Select<u64>, const TIMED: bool>(plan: &Plan) -> Report {
	let channels = [0; 4].map(|_| C::new(1024));
	let race = Race::new(5);
	let senders: Vec<C::Sender> = channels.iter().map(|(sender, _)| sender.clone()).collect();
	let receivers = channels.map(|(_, receiver)| receiver);
	let receiving = race.start(move |_| receive_until::<u64, TIMED>(4, || C::select_of_four(&receivers)));
	let sending = senders
		.iter()
		.flat_map(|sender| start_senders::<C, u64, TIMED>(&race, 1, sender))
		.collect();

	finish::<TIMED>(
		&race,
		plan,
		sending,
		|| senders.iter().for_each(|sender| C::send(sender, 0)),
		vec![receiving],
	)
}

/// A thousand threads wait for one common channel and one of their own each; the sender goes round their own.
#[allow(dead_code)]
pub fn popular<C: Select<u64>, const TIMED: bool>(plan: &Plan) -> Report
where
	C::Receiver: Clone,
{
	const WAITERS: usize = 1000;
	let (_common_sender, common) = C::new(0);
	let race = Race::new(WAITERS + 1);
	let (mut senders, mut receiving) = (vec![], vec![]);

	for _ in 0..WAITERS {
		let ((sender, own), common) = (C::new(0), common.clone());

		senders.push(sender);
		receiving.push(race.start(move |_| receive_until::<u64, TIMED>(1, || C::select_of_two(&common, &own))));
	}
	let round = senders.clone();
	let sending = race.start(move |race| {
		let mut mine = Account::default();

		for sender in round.iter().cycle().take_while(|_| race.goes_on()) {
			let number = mine.messages + 1;

			mine.add(number);
			mine.time::<_, TIMED>(|| C::send(sender, number));
		}
		mine
	});
	let send_ends = || senders.iter().for_each(|sender| C::send(sender, 0));

	without_counts(finish::<TIMED>(&race, plan, vec![sending], send_ends, receiving))
}

// ---- Everybody gets everything ------------------------------------------------------------------------------------------

/// The numbers come one after the other, until the end.
#[allow(dead_code)]
fn receive_sequence<T: Cargo, const TIMED: bool>(receive: impl Fn() -> T) -> Account {
	let mut mine = Account::default();

	loop {
		match mine.time::<_, TIMED>(&receive).number() {
			0 => return mine,
			number => mine.add(number),
		}
		if mine.messages * (mine.messages + 1) / 2 != mine.sum {
			crate::fail("a message came twice, too early or not at all");
		}
	}
}

#[allow(dead_code)]
fn send_to_each<C: Channel<T>, T: Cargo>(senders: &[C::Sender], message: T) {
	let (last, others) = senders.split_last().expect("no receivers");

	for one in others {
		C::send(one, message.clone());
	}
	C::send(last, message);
}

/// One sender, and a channel for each receiver.
#[allow(dead_code)]
pub fn to_each<C: Channel<T>, T: Cargo, const TIMED: bool>(plan: &Plan, receivers: usize) -> Report {
	let (senders, receivers): (Vec<_>, Vec<_>) = (0..receivers).map(|_| C::new(1024)).unzip();
	let race = Race::new(receivers.len() + 1);
	let ends = senders.clone();
	let receiving = receivers
		.into_iter()
		.map(|receiver| race.start(move |_| receive_sequence::<T, TIMED>(|| C::receive(&receiver))))
		.collect();
	let sending = race.start(move |race| {
		let mut mine = Account::default();

		while race.goes_on() {
			let message = T::pack(mine.messages + 1);

			mine.add(mine.messages + 1);
			mine.time::<_, TIMED>(|| send_to_each::<C, T>(&senders, message));
		}
		mine
	});
	let ((sent, received), wall, processor) = race.run(plan, || {
		let sent = join(vec![sending]);

		send_to_each::<C, T>(&ends, T::pack(0));
		(sent, join(receiving))
	});

	received.iter().for_each(|one| compare(&sent[0], one));
	make_report::<TIMED>(&sent, &received, wall, processor)
}

#[allow(dead_code)]
pub fn parcels_to_each<C: Channel<Parcel>, const TIMED: bool>(plan: &Plan, receivers: usize) -> Report {
	keep_memory();
	to_each::<C, Parcel, TIMED>(plan, receivers)
}
