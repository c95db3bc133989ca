//! From `spawn` to the first reply, beside the least that a forked process costs.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

mod baseline;
mod support;

use baseline::Zygote;
use phalanx::prelude::*;
use support::{Row, Size};

#[actor]
struct Echo;

#[actor]
impl Echo {
    fn echo(&self, number: u64) -> u64 {
        number
    }
}

fn main() -> phalanx::Result<()> {
    baseline::serve_if_asked();
    let size = Size::of(300);
    let mut zygote_row = Row::new("floor: a zygote's fork to its first packet");
    let mut spawned = Row::new("phalanx: spawn() until it answers");
    let mut replied = Row::new("phalanx: spawn() to the first reply");
    let zygote = Zygote::start()?;
    for _ in 0..size.rounds {
        zygote_row.round(size.times, || zygote.fork(), drop);
        spawned.round(size.times, || Echo.spawn(), end);
        let first_reply = || {
            let echo = Echo.spawn()?;
            let answer = echo.echo(1).wait();
            assert_eq!(answer, Ok(1));
            Ok(echo)
        };
        replied.round(size.times, first_reply, end);
    }
    zygote_row.print(None);
    spawned.print(None);
    replied.print(Some((&zygote_row, 2.5)));
    phalanx::shutdown();
    Ok(())
}

/// Outside the measured time: the process is gone before the next one starts, as on the other side.
fn end(echo: Result<ActorRef<Echo>, SpawnError>) {
    if let Ok(echo) = echo {
        let _ = echo.kill();
        echo.join();
    }
}
