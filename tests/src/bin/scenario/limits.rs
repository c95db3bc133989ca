//! Programs that come up against limits.

use std::io::Write;
use std::time::Duration;

use phalanx::prelude::*;

use crate::argument;
use crate::cast::{Witness, witness};

#[actor]
struct Number {
    number: u32,
}

#[actor]
impl Number {
    fn number(&self) -> u32 {
        self.number
    }
}

/// Starts as many actors as it is told, or as many as there can be.
#[phalanx::main]
pub(crate) fn many_actors() -> phalanx::Result<()> {
    let wanted: u32 = argument(2).parse()?;
    let mut actors = Vec::new();
    for number in 0..wanted {
        match (Number { number }).spawn() {
            Ok(actor) => actors.push(actor),
            Err(error) => {
                let limit = if let SpawnError::Limit { limit, .. } = &error { limit } else { "none" };
                println!("limit {limit}: {error}");
                break;
            }
        }
    }
    let answers = |(number, actor): (usize, &ActorRef<Number>)| {
        actor.number().wait().is_ok_and(|answer| answer as usize == number)
    };
    println!("{} of {} answer", actors.iter().enumerate().filter(|&it| answers(it)).count(), actors.len());
    Ok(())
}

/// Prints more than a pipe holds.
#[actor]
struct Printer;

#[actor]
impl Printer {
    fn print(&self, bytes: usize) -> phalanx::Result<()> {
        let line = [b'x'; 1023];
        let mut out = std::io::stdout().lock();
        for _ in 0..bytes / (line.len() + 1) {
            out.write_all(&line)?;
            out.write_all(b"\n")?;
        }
        Ok(out.flush()?)
    }
}

/// Says on standard error what becomes of it.
#[phalanx::main]
pub(crate) fn prints_a_lot() -> phalanx::Result<()> {
    let printer = Printer.spawn()?;
    let mut printed = printer.print(10 << 20);
    let other: ActorRef<Witness> = witness("other")?;
    match printed.wait_timeout(Duration::from_millis(500)) {
        Err(CallError::Timeout(at)) => eprintln!("no answer from {}", at.method()),
        other => eprintln!("{other:?}"),
    }
    // Standard output is not touched by this one.
    other.hire("third".into()).wait()?;
    eprintln!("others answer");
    printed.wait()?;
    eprintln!("printed");
    Ok(())
}
