//! Errors in a pool: each is a value, and an unread one is reported all the same (001-T5).
//!
//! `cargo run --bin pool_errors`

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use phalanx::Pool;
use phalanx::pool::TaskError;
use phalanx::prelude::*;

#[task]
fn root(number: i64) -> Result<f64, String> {
    match number {
        13 => std::process::abort(),
        number if number < 0 => Err(format!("{number} has no root")),
        number => Ok((number as f64).sqrt()),
    }
}

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    // Logs to standard error, where the last line of this example appears: the unread error.
    phalanx::logging::init();
    let pool = Pool::builder().workers(2).start(root::task())?;

    for number in [4, -4, 13] {
        match pool.run(number) {
            Ok(root) => println!("{number}: {root}"),
            Err(TaskError::App(error, _)) => println!("{number}: {error}"),
            Err(TaskError::Died(reason, _)) => println!("{number}: its worker was {reason}"),
            Err(other) => println!("{number}: {other}"),
        }
    }

    // A careless caller drops the handles.
    for number in [9, -9, -16] {
        drop(pool.submit(number));
    }
    pool.close();
    let report = pool.join()?;
    println!("{} done, {} failed, {} lost", report.succeeded, report.failed, report.lost);
    println!("unread task errors: {}", report.unread_errors);
    for error in report.unread {
        println!("    {error}");
    }
    Ok(())
}
