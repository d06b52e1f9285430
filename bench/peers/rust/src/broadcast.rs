// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: The Duct authors
//
// tokio's broadcast channel, with one receiver or several that get everything (S10).  It never lets a sender wait: a receiver
// who falls behind by more than the capacity loses messages and is told how many.  So its figures are for a message sent, and
// say how many were lost: it is fast at doing less.
//
// Tasks on a runtime of several threads.  Senders never await, so they have threads of their own (spawn_blocking); on one of
// the workers they would keep the receiver that they just woke from ever running there.
use crate::engine::{keep_memory, Cargo, Parcel, Plan, Race, Report};
use crate::Task;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::broadcast::{channel, error::RecvError, Receiver, Sender};
use tokio::task::JoinHandle;

pub fn tasks() -> Vec<Task> {
	let task = |scenario, run| Task {
		channel: "tokio-broadcast",
		scenario,
		run,
		wait: None,
	};

	vec![
		task("S1", |plan| to_one(plan, 1)),
		task("S2", |plan| to_one(plan, 4)),
		task("S7", ping_pong),
		task("S8", alone),
		task("S10-to1-lossy", |plan| to_each::<u64>(plan, 1)),
		task("S10-lossy", |plan| to_each::<u64>(plan, 4)),
		task("S10-to16-lossy", |plan| to_each::<u64>(plan, 16)),
		task("S10-to64-lossy", |plan| to_each::<u64>(plan, 64)),
		task("S10-256-lossy", |plan| to_each::<[u8; 256]>(plan, 4)),
		task("S10-box-lossy", parcels_to_four),
	]
}

pub fn runtime() -> Runtime {
	Builder::new_multi_thread().worker_threads(2).build().expect("a runtime")
}

/// What comes next, after lost messages have been counted.
async fn receive<T: Clone>(receiver: &mut Receiver<T>, lost: &mut u64) -> T {
	loop {
		match receiver.recv().await {
			Ok(message) => return message,
			Err(RecvError::Lagged(count)) => *lost += count,
			Err(RecvError::Closed) => panic!("the senders are gone before the end"),
		}
	}
}

/// How many messages were received and lost until the end, which is the last message and so never lost.
async fn receive_to_end(mut receiver: Receiver<u64>) -> (u64, u64) {
	let (mut received, mut lost) = (0, 0);

	while receive(&mut receiver, &mut lost).await != 0 {
		received += 1;
	}
	(received, lost)
}

fn send_until_stopped(race: &Race, sender: &Sender<u64>) -> u64 {
	let mut sent = 0;

	race.arrive();
	while race.goes_on() {
		sent += 1;
		sender.send(sent).expect("the receiver is gone before the end");
	}
	sent
}

fn report(sent: u64, received: u64, lost: u64, wall: Duration, processor: Duration) -> Report {
	report_of_each(sent, &[(received, lost)], wall, processor)
}

/// What each of the receivers got and lost is together what was sent.
fn report_of_each(sent: u64, each: &[(u64, u64)], wall: Duration, processor: Duration) -> Report {
	for (received, lost) in each {
		if sent != received + lost {
			crate::fail(&format!("sent {} messages, received {}, lost {}", sent, received, lost));
		}
	}
	Report {
		messages: sent,
		wall,
		processor,
		receivers: vec![],
		senders: vec![],
		longest: None,
		lost: Some(each.iter().map(|(_, lost)| lost).sum()),
		copies: sent * each.len() as u64,
	}
}

fn to_one(plan: &Plan, senders: usize) -> Report {
	let (sender, receiver) = channel(1024);
	let runtime = runtime();
	let race = Race::new(senders);
	let receiving = runtime.spawn(receive_to_end(receiver));
	let start = |_| {
		let (race, sender) = (race.clone(), sender.clone());

		runtime.spawn_blocking(move || send_until_stopped(&race, &sender))
	};
	let sending: Vec<JoinHandle<u64>> = (0..senders).map(start).collect();
	let wait = |task: JoinHandle<u64>| runtime.block_on(task).expect("a task failed");
	let ((sent, (received, lost)), wall, processor) = race.run(plan, || {
		let sent = sending.into_iter().map(wait).sum();

		sender.send(0).expect("the receiver is gone before the end");
		(sent, runtime.block_on(receiving).expect("a task failed"))
	});

	report(sent, received, lost, wall, processor)
}

async fn serve(race: Race, there: Sender<u64>, mut back: Receiver<u64>) -> (u64, u64) {
	let (mut rounds, mut lost) = (0, 0);

	race.arrive();
	while race.goes_on() {
		there.send(rounds + 1).expect("the other is gone before the end");
		receive(&mut back, &mut lost).await;
		rounds += 1;
	}
	there.send(0).expect("the other is gone before the end");
	(rounds, lost)
}

async fn reply(mut there: Receiver<u64>, back: Sender<u64>) -> (u64, u64) {
	let (mut rounds, mut lost) = (0, 0);

	loop {
		let ball = receive(&mut there, &mut lost).await;

		if ball == 0 {
			return (rounds, lost);
		}
		rounds += 1;
		back.send(ball).expect("the other is gone before the end");
	}
}

fn ping_pong(plan: &Plan) -> Report {
	let ((there_in, there_out), (back_in, back_out)) = (channel(1), channel(1));
	let runtime = runtime();
	let race = Race::new(1);
	let replying = runtime.spawn(reply(there_out, back_in));
	let serving = runtime.spawn(serve(race.clone(), there_in, back_out));
	let (((sent, lost_back), (received, lost)), wall, processor) = race.run(plan, || {
		let served = runtime.block_on(serving).expect("a task failed");

		(served, runtime.block_on(replying).expect("a task failed"))
	});

	report(sent, received, lost + lost_back, wall, processor)
}

fn alone(plan: &Plan) -> Report {
	let (sender, mut receiver) = channel(1024);
	let runtime = runtime();
	let race = Race::new(1);
	let contestant = race.clone();
	let working = runtime.spawn(async move {
		let (mut rounds, mut lost) = (0, 0);

		contestant.arrive();
		while contestant.goes_on() {
			sender.send(rounds + 1).expect("the receiver is here");
			receive(&mut receiver, &mut lost).await;
			rounds += 1;
		}
		(rounds, lost)
	});
	let ((rounds, lost), wall, processor) = race.run(plan, || runtime.block_on(working).expect("a task failed"));

	report(rounds, rounds, lost, wall, processor)
}

/// As receive_to_end; the numbers rise, by 1 where nothing was lost.
async fn receive_rising<T: Cargo>(mut receiver: Receiver<T>) -> (u64, u64) {
	let (mut received, mut lost) = (0, 0);

	loop {
		let number = receive(&mut receiver, &mut lost).await.number();

		if number == 0 {
			return (received, lost);
		}
		received += 1;
		if number != received + lost {
			crate::fail("a message came twice, too early or not at all");
		}
	}
}

fn publish_until_stopped<T: Cargo>(race: &Race, sender: &Sender<T>) -> u64 {
	let mut sent = 0;

	race.arrive();
	while race.goes_on() {
		sent += 1;
		if sender.send(T::pack(sent)).is_err() {
			crate::fail("the receivers are gone before the end");
		}
	}
	sent
}

fn to_each<T: Cargo>(plan: &Plan, receivers: u64) -> Report {
	let (sender, _) = channel(1024);
	let (runtime, race) = (runtime(), Race::new(1));
	let receiving: Vec<JoinHandle<(u64, u64)>> = (0..receivers)
		.map(|_| runtime.spawn(receive_rising::<T>(sender.subscribe())))
		.collect();
	let (contestant, publisher) = (race.clone(), sender.clone());
	let sending = runtime.spawn_blocking(move || publish_until_stopped(&contestant, &publisher));
	let ((sent, received), wall, processor) = race.run(plan, || {
		let sent = runtime.block_on(sending).expect("a task failed");

		if sender.send(T::pack(0)).is_err() {
			crate::fail("the receivers are gone before the end");
		}
		let wait = |task: JoinHandle<(u64, u64)>| runtime.block_on(task).expect("a task failed");
		(sent, receiving.into_iter().map(wait).collect::<Vec<_>>())
	});

	report_of_each(sent, &received, wall, processor)
}

fn parcels_to_four(plan: &Plan) -> Report {
	keep_memory();
	to_each::<Parcel>(plan, 4)
}
