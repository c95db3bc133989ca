//! The smallest actor: a struct, a process, a question.
//!
//! `cargo run --bin hello`

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use phalanx::prelude::*;

/// Counts words, in a process of its own.
#[actor]
struct WordCount {
    total: u64,
}

#[actor]
impl WordCount {
    /// Adds the words of `text`, and returns the new total.
    fn add(&mut self, text: String) -> u64 {
        self.total += text.split_whitespace().count() as u64;
        self.total
    }

    /// Starts again from nothing. The caller waits for no reply.
    #[tell]
    fn reset(&mut self) {
        self.total = 0;
    }
}

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    // The value moves into a new process; a reference stays here, to send messages with.
    let counter = WordCount { total: 0 }.spawn()?;

    // An ask: calling the method sends, `wait` blocks until the reply is here or cannot come any more.
    let total = counter.add("to be or not to be".into()).wait()?;
    println!("{total} words, counted by process {}", counter.pid()?);

    // A tell: it has no reply to wait for. Messages of one sender are handled in order.
    counter.reset()?;

    // Calls can be sent ahead and collected later.
    let first = counter.add("that is".into());
    let second = counter.add("the question".into());
    println!("{} words, then {}", first.wait()?, second.wait()?);
    Ok(())
    // Here, at the end of main, the actor is stopped.
}
