//! From a crash to the first reply of the next process, and to the news of the crash, beside the least that
//! each costs.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

mod baseline;
mod support;

use std::time::{Duration, Instant};

use baseline::Zygote;
use phalanx::prelude::*;
use phalanx::{ActorBuilder, Restart};
use support::{Row, Size};

#[actor]
struct Echo;

#[actor]
impl Echo {
    fn echo(&self, number: u64) -> u64 {
        number
    }
}

/// The pause before each kill, on either side: a new process still occupies its supervisor or its zygote.
const REST: Duration = Duration::from_micros(200);

/// The pause for a new actor with a spare: its supervisor checks 2 ms after a start whether it is up.
const WITH_SPARE: Duration = Duration::from_millis(4);

fn main() -> phalanx::Result<()> {
    baseline::serve_if_asked();
    let size = Size::of(300);
    let mut again_floor = Row::new("floor: SIGKILL, hang-up, a zygote's fork to its first packet");
    let mut again = Row::new("phalanx: SIGKILL to the first reply of the next process");
    let mut first = Row::new("phalanx: the same for one that has never crashed before");
    let mut spared = Row::new("phalanx: the same, with a spare from the start");
    let mut known_floor = Row::new("floor: SIGKILL of such a process to its pidfd");
    let mut noted = Row::new("phalanx: SIGKILL until its supervisor has written it down");
    let mut known = Row::new("phalanx: SIGKILL to the Down of a monitor, which sleeps until then");
    let zygote = Zygote::start()?;
    let any = (u32::MAX, Duration::from_secs(1));
    let echo = Echo.builder().restart(Restart::Permanent).intensity(any.0, any.1).spawn()?;
    for _ in 0..size.rounds {
        let mut child = zygote.fork()?;
        let fork_again = |()| {
            child.kill_until_hang_up()?;
            child = zygote.fork()?;
            Ok::<_, std::io::Error>(())
        };
        again_floor.prepared(size.times, settle, fork_again);
        let reply_again = |()| {
            baseline::kill(echo.pid()?);
            assert_eq!(until_answered(&echo), 1);
            Ok::<_, SendError>(())
        };
        again.prepared(size.times, settle, reply_again);
        first.timed(size.times, || first_crash(Echo.builder(), REST));
        spared.timed(size.times, || first_crash(Echo.builder().spare(true), WITH_SPARE));
        let prepare_floor = || {
            assert_eq!(until_answered(&echo), 1);
            let pid = echo.pid().map_err(|error| std::io::Error::other(error.to_string()))?;
            let handle = baseline::handle(pid)?;
            settle()?;
            Ok::<_, std::io::Error>((pid, handle))
        };
        known_floor
            .prepared(size.times, prepare_floor, |(pid, handle)| baseline::kill_until_known(pid, &handle));
        noted.timed(size.times, || {
            assert_eq!(until_answered(&echo), 1);
            let (mut monitor, pid) = (echo.monitor(), echo.pid().expect("a process"));
            settle().expect("a nap");
            let start = baseline::now();
            baseline::kill(pid);
            monitor.recv();
            Duration::from_nanos(phalanx::__private::noted(&echo).saturating_sub(start))
        });
        let prepare = || {
            assert_eq!(until_answered(&echo), 1);
            let watched = (echo.monitor(), echo.pid()?);
            settle().expect("a nap");
            Ok::<_, SendError>(watched)
        };
        known.prepared(size.times, prepare, |(mut monitor, pid)| {
            baseline::kill(pid);
            monitor.recv();
            Ok::<_, SendError>(())
        });
    }
    again_floor.print(None);
    again.print(Some((&again_floor, 1.5)));
    first.print(Some((&again_floor, 1.5)));
    spared.print(Some((&again_floor, 1.5)));
    known_floor.print(None);
    noted.print(Some((&known_floor, 1.3)));
    // One wake more than the floor has: the supervisor's, and then the watcher's.
    known.print(Some((&known_floor, 2.0)));
    phalanx::shutdown();
    Ok(())
}

fn settle() -> std::io::Result<()> {
    std::thread::sleep(REST);
    Ok(())
}

/// From the first crash of a new actor to the first reply of its next process.
fn first_crash(echo: ActorBuilder<Echo>, rest: Duration) -> Duration {
    let echo = echo.restart(Restart::Permanent).spawn().expect("an actor");
    assert_eq!(until_answered(&echo), 1);
    std::thread::sleep(rest);
    let start = Instant::now();
    baseline::kill(echo.pid().expect("a process"));
    assert_eq!(until_answered(&echo), 1);
    let taken = start.elapsed();
    echo.stop(Duration::from_secs(5)).expect("it stops");
    taken
}

/// The first reply; a call lost in the kill is repeated.
fn until_answered(echo: &ActorRef<Echo>) -> u64 {
    loop {
        if let Ok(answer) = echo.echo(1).wait() {
            return answer;
        }
    }
}
