// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: The Duct authors
//
// The channels: what each is to the scenarios in engine.rs, and which scenarios it can do.
//
//     crossbeam     crossbeam-channel, many to many, select
//     flume         many to many, select
//     std           the standard library's, many senders and one receiver
use crate::engine::*;
use crate::Task;
use std::sync::mpsc;

/// A task of the list: TIMED is what differs between run and wait.
macro_rules! task {
	($channel:ident, $name:expr, $scenario:expr, $function:ident::<$($what:ty),*>($($number:expr),*)) => {
		Task {
			channel: $name,
			scenario: $scenario,
			run: |plan| $function::<$($what,)* false>(plan, $($number),*),
			wait: Some(|plan| $function::<$($what,)* true>(plan, $($number),*)),
		}
	};
}

/// What a channel with one receiver can do.
macro_rules! one_receiver {
	($channel:ident, $name:expr) => {
		vec![
			task!($channel, $name, "S1", to_one::<$channel, u64>(1, 1024)),
			task!($channel, $name, "S2", to_one::<$channel, u64>(4, 1024)),
			task!($channel, $name, "S5", to_one::<$channel, u64>(1, 1)),
			task!($channel, $name, "S6", to_one::<$channel, u64>(1, 0)),
			task!($channel, $name, "S7", ping_pong::<$channel>()),
			task!($channel, $name, "S8", alone::<$channel>()),
			task!($channel, $name, "S1-1", to_one::<$channel, [u8; 1]>(1, 1024)),
			task!($channel, $name, "S1-64", to_one::<$channel, [u8; 64]>(1, 1024)),
			task!($channel, $name, "S1-256", to_one::<$channel, [u8; 256]>(1, 1024)),
		]
	};
}

/// What one with many receivers and select can do besides.
#[allow(unused_macros)] // as below
macro_rules! many_receivers {
	($channel:ident, $name:expr) => {
		vec![
			task!($channel, $name, "S3", to_many::<$channel, u64>(1, 4, 1024)),
			task!($channel, $name, "S4", to_many::<$channel, u64>(4, 4, 1024)),
			task!($channel, $name, "S9", select_of_four::<$channel>()),
			task!($channel, $name, "S11", to_many::<$channel, u64>(16, 16, 1024)),
			task!($channel, $name, "S4-256", to_many::<$channel, [u8; 256]>(4, 4, 1024)),
			task!($channel, $name, "popular", popular::<$channel>()),
		]
	};
}

/// What one can do that is to many as a loop over one for each.
#[allow(unused_macros)]
macro_rules! each_receiver {
	($channel:ident, $name:expr) => {
		vec![
			task!($channel, $name, "S10-to1", to_each::<$channel, u64>(1)),
			task!($channel, $name, "S10", to_each::<$channel, u64>(4)),
			task!($channel, $name, "S10-to16", to_each::<$channel, u64>(16)),
			task!($channel, $name, "S10-to64", to_each::<$channel, u64>(64)),
			task!($channel, $name, "S10-256", to_each::<$channel, [u8; 256]>(4)),
			task!($channel, $name, "S10-box", parcels_to_each::<$channel>(4)),
			task!($channel, $name, "S10-to64-box", parcels_to_each::<$channel>(64)),
		]
	};
}

pub fn tasks() -> Vec<Task> {
	#[allow(unused_mut)] // where there is only the standard library
	let mut all = one_receiver!(Standard, "std");

	#[cfg(feature = "crossbeam-channel")]
	{
		all.extend(one_receiver!(Crossbeam, "crossbeam"));
		all.extend(many_receivers!(Crossbeam, "crossbeam"));
		all.extend(each_receiver!(Crossbeam, "crossbeam"));
	}
	#[cfg(feature = "flume")]
	{
		all.extend(one_receiver!(Flume, "flume"));
		all.extend(many_receivers!(Flume, "flume"));
	}
	all
}

const ENDED: &str = "the other side is gone before the end";

// ---- The standard library -----------------------------------------------------------------------------------------------

pub struct Standard;

impl<M: Send + 'static> Channel<M> for Standard {
	type Sender = mpsc::SyncSender<M>;
	type Receiver = mpsc::Receiver<M>;

	fn new(capacity: usize) -> (Self::Sender, Self::Receiver) {
		mpsc::sync_channel(capacity)
	}
	fn send(sender: &Self::Sender, message: M) {
		sender.send(message).expect(ENDED)
	}
	fn receive(receiver: &Self::Receiver) -> M {
		receiver.recv().expect(ENDED)
	}
}

// ---- crossbeam-channel --------------------------------------------------------------------------------------------------

#[cfg(feature = "crossbeam-channel")]
pub struct Crossbeam;

#[cfg(feature = "crossbeam-channel")]
impl<M: Send + 'static> Channel<M> for Crossbeam {
	type Sender = crossbeam_channel::Sender<M>;
	type Receiver = crossbeam_channel::Receiver<M>;

	fn new(capacity: usize) -> (Self::Sender, Self::Receiver) {
		crossbeam_channel::bounded(capacity)
	}
	fn send(sender: &Self::Sender, message: M) {
		sender.send(message).expect(ENDED)
	}
	fn receive(receiver: &Self::Receiver) -> M {
		receiver.recv().expect(ENDED)
	}
}

#[cfg(feature = "crossbeam-channel")]
impl<M: Message> Select<M> for Crossbeam {
	fn select_of_four(receivers: &[Self::Receiver; 4]) -> M {
		crossbeam_channel::select! {
			recv(receivers[0]) -> message => message.expect(ENDED),
			recv(receivers[1]) -> message => message.expect(ENDED),
			recv(receivers[2]) -> message => message.expect(ENDED),
			recv(receivers[3]) -> message => message.expect(ENDED),
		}
	}
	fn select_of_two(one: &Self::Receiver, other: &Self::Receiver) -> M {
		crossbeam_channel::select! {
			recv(one) -> message => message.expect(ENDED),
			recv(other) -> message => message.expect(ENDED),
		}
	}
}

// ---- flume --------------------------------------------------------------------------------------------------------------

#[cfg(feature = "flume")]
pub struct Flume;

#[cfg(feature = "flume")]
impl<M: Send + 'static> Channel<M> for Flume {
	type Sender = flume::Sender<M>;
	type Receiver = flume::Receiver<M>;

	fn new(capacity: usize) -> (Self::Sender, Self::Receiver) {
		flume::bounded(capacity)
	}
	fn send(sender: &Self::Sender, message: M) {
		sender.send(message).expect(ENDED)
	}
	fn receive(receiver: &Self::Receiver) -> M {
		receiver.recv().expect(ENDED)
	}
}

#[cfg(feature = "flume")]
impl<M: Message> Select<M> for Flume {
	fn select_of_four(receivers: &[Self::Receiver; 4]) -> M {
		flume::Selector::new()
			.recv(&receivers[0], |message| message.expect(ENDED))
			.recv(&receivers[1], |message| message.expect(ENDED))
			.recv(&receivers[2], |message| message.expect(ENDED))
			.recv(&receivers[3], |message| message.expect(ENDED))
			.wait()
	}
	fn select_of_two(one: &Self::Receiver, other: &Self::Receiver) -> M {
		flume::Selector::new()
			.recv(one, |message| message.expect(ENDED))
			.recv(other, |message| message.expect(ENDED))
			.wait()
	}
}
