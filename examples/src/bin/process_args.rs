//! Arguments of a process, and a main that goes on meanwhile (004-P3).
//!
//! `cargo run --bin process_args`

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::thread;
use std::time::Duration;

use phalanx::prelude::*;
use serde::{Deserialize, Serialize};

/// Arguments with names: a struct.
#[derive(Serialize, Deserialize)]
struct Song {
    title: String,
    times: u32,
}

// Types and number of the arguments are checked by the compiler.
#[task]
fn sing(singer: String, song: Song, pause: Duration) {
    for time in 1..=song.times {
        println!("{singer} ({}): {} {time}", phalanx::current().pid(), song.title);
        thread::sleep(pause);
    }
}

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    let pause = phalanx_examples::unit() / 10;
    let song = Song { title: "la".into(), times: 5 };
    let child = sing::spawn("child".into(), song, pause)?;

    for stars in 1..=5 {
        println!("main: {}", "*".repeat(stars));
        thread::sleep(pause);
    }
    child.join()?;
    Ok(())
}
