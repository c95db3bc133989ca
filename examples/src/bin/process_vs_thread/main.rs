//! One piece of work in threads and in processes, and a table of what each costs (000-P4).
//!
//! `cargo run --release --bin process_vs_thread [UNIT [ROUNDS]]`
//!
//! `sums.rs` is the program of the source: the same sums one after the other, and by as many workers of each
//! kind. The workers of a pool run before they get work, unlike processes that are started for it. `table.rs`
//! measures the costs and abilities of a thread, a process of phalanx and a plain `std::process::Command`, in
//! turns, in this one run; the command is this program again, in one of the roles of `command.rs`.

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

mod command;
mod figures;
mod sums;
mod table;

use std::env;

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    if let Some(role) = command::role() {
        return command::play(&role);
    }
    let unit = phalanx_examples::unit();
    let rounds = env::args().nth(2).map_or(Ok(500), |rounds| rounds.parse())?;
    sums::compare(unit)?;
    println!();
    table::print(unit, rounds)
}
