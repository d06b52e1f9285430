// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: The Duct authors
//
// tokio's mpsc channel: many senders, one receiver, who await.  Every sender and receiver is a task on a runtime of several
// threads, where a task that waits costs no thread its sleep.
//
// Tasks must not wait at a thread's barrier, so one blocking thread does for them all and opens a gate.
use crate::broadcast::runtime;
use crate::engine::{report, without_counts, Account, Plan, Race, Report};
use crate::Task;
use std::sync::Arc;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{channel, Receiver, Sender};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

pub fn tasks() -> Vec<Task> {
	let task = |scenario, run| Task {
		channel: "tokio-mpsc",
		scenario,
		run,
		wait: None,
	};

	vec![
		task("S1", |plan| to_one(plan, 1, 1024)),
		task("S2", |plan| to_one(plan, 4, 1024)),
		task("S5", |plan| to_one(plan, 1, 1)),
		task("S7", ping_pong),
		task("S8", alone),
	]
}

const ENDED: &str = "the other side is gone before the end";

/// Tasks come in when the race begins: when the semaphore is closed.
#[derive(Clone)]
struct Gate(Arc<Semaphore>);

impl Gate {
	fn new(runtime: &Runtime, race: &Race) -> Gate {
		let gate = Gate(Arc::new(Semaphore::new(0)));
		let (race, closes) = (race.clone(), gate.0.clone());

		runtime.spawn_blocking(move || {
			race.arrive();
			closes.close();
		});
		gate
	}
	async fn pass(&self) {
		self.0.acquire().await.expect_err("permits were given");
	}
}

async fn send_until_stopped(race: Race, gate: Gate, sender: Sender<u64>) -> Account {
	let mut mine = Account::default();

	gate.pass().await;
	for number in (1..).take_while(|_| race.goes_on()) {
		mine.add(number);
		sender.send(number).await.expect(ENDED);
	}
	mine
}

async fn receive_to_end(mut receiver: Receiver<u64>) -> Account {
	let mut mine = Account::default();

	loop {
		match receiver.recv().await.expect(ENDED) {
			0 => return mine,
			number => mine.add(number),
		}
	}
}

fn to_one(plan: &Plan, senders: usize, capacity: usize) -> Report {
	let (sender, receiver) = channel(capacity);
	let (runtime, race) = (runtime(), Race::new(1));
	let gate = Gate::new(&runtime, &race);
	let receiving = runtime.spawn(receive_to_end(receiver));
	let start = |_| runtime.spawn(send_until_stopped(race.clone(), gate.clone(), sender.clone()));
	let sending: Vec<JoinHandle<Account>> = (0..senders).map(start).collect();
	let wait = |task: JoinHandle<Account>| runtime.block_on(task).expect("a task failed");
	let ((sent, received), wall, processor) = race.run(plan, || {
		let sent: Vec<Account> = sending.into_iter().map(wait).collect();

		runtime.block_on(sender.send(0)).expect(ENDED);
		(sent, wait(receiving))
	});

	report::<false>(&sent, &[received], wall, processor)
}

/// Sends and awaits what comes back, which is checked; returns what it sent and what it got.
async fn serve(race: Race, gate: Gate, there: Sender<u64>, mut back: Receiver<u64>) -> (Account, Account) {
	let (mut sent, mut received) = (Account::default(), Account::default());

	gate.pass().await;
	for number in (1..).take_while(|_| race.goes_on()) {
		sent.add(number);
		there.send(number).await.expect(ENDED);
		received.add(back.recv().await.expect(ENDED));
	}
	(sent, received)
}

async fn reply(mut there: Receiver<u64>, back: Sender<u64>) {
	while let Some(ball) = there.recv().await {
		back.send(ball).await.expect(ENDED);
	}
}

/// One serves, until its end is gone and the other stops.
fn ping_pong(plan: &Plan) -> Report {
	let ((there_in, there_out), (back_in, back_out)) = (channel(1), channel(1));
	let (runtime, race) = (runtime(), Race::new(1));
	let gate = Gate::new(&runtime, &race);
	let replying = runtime.spawn(reply(there_out, back_in));
	let serving = runtime.spawn(serve(race.clone(), gate, there_in, back_out));
	let ((sent, received), wall, processor) = race.run(plan, || {
		let served = runtime.block_on(serving).expect("a task failed");

		runtime.block_on(replying).expect("a task failed");
		served
	});

	without_counts(report::<false>(&[sent], &[received], wall, processor))
}

/// One task that serves itself.
fn alone(plan: &Plan) -> Report {
	let (sender, receiver) = channel(1024);
	let (runtime, race) = (runtime(), Race::new(1));
	let gate = Gate::new(&runtime, &race);
	let working = runtime.spawn(serve(race.clone(), gate, sender, receiver));
	let ((sent, received), wall, processor) = race.run(plan, || runtime.block_on(working).expect("a task failed"));

	without_counts(report::<false>(&[sent], &[received], wall, processor))
}
