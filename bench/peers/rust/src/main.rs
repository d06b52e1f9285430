// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: The Duct authors
//
// Rust's channels, as one of the programs that run.py asks:
//
//     rust list                                 what it can do
//     rust run CHANNEL SCENARIO SECONDS         does it, and says a line of JSON
//     rust wait CHANNEL SCENARIO SECONDS        the same, with every operation timed
//
// channels.rs says what the channels are, engine.rs what is done with them; broadcast.rs and mpsc.rs are both for
// tokio's, whose receivers await; broadcast loses messages.  Each crate is a feature, so that the program can be built from what there is.
#![allow(unknown_lints, unexpected_cfgs)] // a feature whose crate is not installed is not declared

#[cfg(feature = "tokio")]
mod broadcast;
mod channels;
mod engine;
#[cfg(feature = "tokio")]
mod mpsc;

use engine::{Plan, Report};
use std::time::Duration;

/// One thing that the program can do.
pub struct Task {
	pub channel: &'static str,
	pub scenario: &'static str,
	pub run: fn(&Plan) -> Report,
	pub wait: Option<fn(&Plan) -> Report>,
}

fn tasks() -> Vec<Task> {
	#[allow(unused_mut)] // without tokio
	let mut all = channels::tasks();

	#[cfg(feature = "tokio")]
	{
		all.extend(broadcast::tasks());
		all.extend(mpsc::tasks());
	}
	all
}

fn fail(text: &str) -> ! {
	eprintln!("rust: {}", text);
	std::process::exit(1);
}

fn say(task: &Task, report: &Report) {
	let messages = report.messages.max(1) as f64;

	print!(
		"{{\"channel\": \"{}\", \"scenario\": \"{}\", \"messages\": {}, \"seconds\": {:.6}, \"ns\": {:.2}, \"cpu_ns\": {:.2}",
		task.channel,
		task.scenario,
		report.messages,
		report.wall.as_secs_f64(),
		report.wall.as_nanos() as f64 / messages,
		report.processor.as_nanos() as f64 / messages
	);
	print!(", \"receivers\": {:?}, \"senders\": {:?}", report.receivers, report.senders);
	if let Some((send, receive)) = report.longest {
		let microseconds = |time: Duration| time.as_nanos() as f64 / 1e3;

		print!(
			", \"longest_send_us\": {:.1}, \"longest_receive_us\": {:.1}",
			microseconds(send),
			microseconds(receive)
		);
	}
	if let Some(lost) = report.lost {
		print!(", \"copies\": {}, \"lost\": {}", report.copies, lost);
	}
	println!("}}");
}

fn main() {
	let words: Vec<String> = std::env::args().skip(1).collect();
	let words: Vec<&str> = words.iter().map(String::as_str).collect();

	match words[..] {
		["list"] => tasks().iter().for_each(|task| println!("{} {}", task.channel, task.scenario)),
		[how @ ("run" | "wait"), channel, scenario, seconds] => {
			let task = tasks()
				.into_iter()
				.find(|task| task.channel == channel && task.scenario == scenario);
			let task = task.unwrap_or_else(|| fail("no such channel or scenario"));
			let seconds = seconds.parse().ok().filter(|seconds| *seconds > 0.0);
			let plan = Plan {
				duration: Duration::from_secs_f64(seconds.unwrap_or_else(|| fail("not a time"))),
			};
			let work = if how == "run" { Some(task.run) } else { task.wait };

			say(&task, &work.unwrap_or_else(|| fail("cannot time single operations"))(&plan));
		}
		_ => fail("usage: rust list | rust run|wait CHANNEL SCENARIO SECONDS"),
	}
}
