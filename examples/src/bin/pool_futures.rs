//! Tasks as futures: submit, wait, ask whether they are done; and a map (000-P12, 000-P13).
//!
//! `cargo run --bin pool_futures`

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::thread;
use std::time::{Duration, Instant};

use phalanx::Pool;
use phalanx::pool::{Until, wait};
use phalanx::prelude::*;
use phalanx_examples::in_units;

fn greet(name: String, time: Duration) -> String {
    thread::sleep(time);
    format!("hello {name}")
}

/// Its `Err` is an error like any other: `reciprocal::task()` marks it as one, and not as a value.
#[task]
fn reciprocal(number: u32, time: Duration) -> Result<f64, String> {
    thread::sleep(time);
    if number == 4 { Err("four is not wanted".to_owned()) } else { Ok(1.0 / f64::from(number)) }
}

fn greetings(pool: &Pool, unit: Duration) -> phalanx::Result<()> {
    let tasks = ["ann", "bob", "cyd", "dan"].map(|name| pool.submit(greet, (name.to_owned(), unit)));
    println!("the first is done: {}", tasks[0].is_done());
    let done = wait(&tasks, Until::All, None).done.len();
    println!("{done} are done, the first too: {}", tasks[0].is_done());
    for task in tasks {
        println!("{}", task.wait()?);
    }
    drop(pool.submit(greet, ("nobody in particular".to_owned(), unit)));
    Ok(())
}

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    let unit = phalanx_examples::unit();

    // At the end of the scope all tasks are done, also those without a waiting caller.
    let start = Instant::now();
    Pool::builder().workers(2).scope(|pool| greetings(pool, unit))??;
    println!("five tasks by two took {} units", in_units(start.elapsed(), unit));

    // Results come in the order of the input, whichever was done first. A failed one is seen in its turn.
    let start = Instant::now();
    let pool = Pool::builder().workers(3).build()?;
    for result in pool.stream(reciprocal::task(), (1..10).map(|number| (number, unit))).ordered().chunk(1) {
        match result {
            Ok(value) => println!("{value:.3}"),
            Err(error) => println!("{error}"),
        }
    }
    println!("nine tasks by three took {} units", in_units(start.elapsed(), unit));
    Ok(())
}
